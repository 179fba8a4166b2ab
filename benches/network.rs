//! The network: every point of BookSim 2's curves beside ours, held to bounds, and the speed of routers.
//!
//! `KBC_SHARED=DIR cargo bench --bench network` runs the points of the two files of
//! `DIR/reference/validation` with five seeds each, prints errors and brackets, and fails where a bound is
//! broken: below 70 % of where BookSim saturates the mean latency is BookSim's within 5 %, and most seeds
//! are saturated where BookSim is. `-- table vc8,16` runs only the curves whose names contain one of
//! the words. Without `KBC_SHARED` there is only the speed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark reads its files, the clock and the environment, and prints"
)]

#[path = "../tests/booksim/mod.rs"]
mod booksim;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use booksim::{Curve, curves, mesh};
use kbc::report::LoadMean;
use kbc::sim::traffic::{LoadPoint, OpenLoop, Pattern, offer};

const SEEDS: u64 = 5;

/// How far the mean latency may be off below 70 % of saturation.
const BOUND: f64 = 0.05;

fn main() -> ExitCode {
    let Ok(shared) = std::env::var("KBC_SHARED") else {
        divan::main();
        return ExitCode::SUCCESS;
    };
    let words: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let asked = words.iter().position(|it| it == "table").map_or(&[][..], |at| &words[at + 1..]);
    let mut curves = curves(&format!("{shared}/reference/validation"));
    curves.retain(|it| asked.is_empty() || asked.iter().any(|word| it.name.contains(word)));
    let begin = Instant::now();
    let is_good = table(&curves, measure(&curves));
    println!("{:.0} s for {SEEDS} seeds a point", begin.elapsed().as_secs_f64());
    if words.is_empty() {
        divan::main();
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A point to measure: its curve and its place there.
type Job = (usize, usize);

/// Every load of every curve, five seeds each, on all cores.
fn measure(curves: &[Curve]) -> Vec<(Job, Vec<LoadPoint>)> {
    let of_curve = |at: usize| (0..curves[at].points.len()).map(move |place| (at, place));
    let mut jobs: Vec<Job> = (0..curves.len()).flat_map(of_curve).collect();
    jobs.reverse();
    let (jobs, results) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some(job) = jobs.lock().unwrap().pop() else { return };
            let curve = &curves[job.0];
            let load = curve.points[job.1].0;
            let run = |seed| offer(&curve.machine, &curve.traffic(seed), load).unwrap();
            results.lock().unwrap().push((job, (1..=SEEDS).map(run).collect()));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let mut results: Vec<(Job, Vec<LoadPoint>)> = results.into_inner().unwrap();
    results.sort_by_key(|it| it.0);
    results
}

/// Prints every point, and what is broken. Tells whether nothing is.
fn table(curves: &[Curve], results: Vec<(Job, Vec<LoadPoint>)>) -> bool {
    println!(
        "traffic, flits, channels x buffer     load    BookSim        kbc   (dev)     error  seeds saturated"
    );
    let (mut worst, mut below, mut broken) = ((0.0, String::new()), 0, Vec::new());
    for ((at, place), runs) in results {
        let curve = &curves[at];
        let (load, booksim) = curve.points[place];
        let ours = LoadMean::of(&runs);
        let saturated = runs.iter().filter(|run| run.latency.is_none()).count();
        let error = booksim.zip(ours.latency).map(|(theirs, ours)| ours / theirs - 1.0);
        let name = format!("{} at {load}", curve.name);
        print(&name, (booksim, &ours, error), saturated);
        if (saturated as u64 * 2 > SEEDS) != booksim.is_none() {
            broken.push(format!("{name}: saturated with {saturated} of {SEEDS} seeds"));
        }
        if load < 0.7 * curve.saturation() - 1e-9 {
            below += 1;
            let off = error.map_or(f64::INFINITY, f64::abs);
            if off > BOUND {
                broken.push(format!("{name}: {:+.2} %", off * 100.0));
            }
            if off > worst.0 {
                worst = (off, name);
            }
        }
    }
    println!(
        "\n{below} points below 70 % of saturation, at most {:.2} % off ({})",
        worst.0 * 100.0,
        worst.1
    );
    println!("{} broken", broken.len());
    broken.iter().for_each(|it| println!("  {it}"));
    broken.is_empty()
}

fn print(
    name: &str,
    (booksim, ours, error): (Option<f64>, &LoadMean, Option<f64>),
    saturated: usize,
) {
    let show = |it: Option<f64>| it.map_or(String::from("saturated"), |it| format!("{it:.2}"));
    let off = error.map_or(String::from("-"), |error| format!("{:+.2} %", error * 100.0));
    let (theirs, mean) = (show(booksim), show(ours.latency));
    println!("{name:40} {theirs:>12} {mean:>10} {:7.2} {off:>9} {saturated:3}", ours.deviation);
}

/// 64 routers at 0.3 flits of each PE and cycle, to the end of measuring.
#[divan::bench]
fn mesh_of_64_routers() -> LoadMean {
    let run = |seed| OpenLoop::new(Pattern::Uniform, 4, seed);
    LoadMean::of(&[offer(&mesh(8, (4, 8, 1, 1, false)), &run(1), 0.3).unwrap()])
}
