//! The network: every point of BookSim 2's curves, printed beside ours, and the speed of routers.
//!
//! `KBC_SHARED=DIR cargo bench --bench network -- table` prints the table, from the two files of
//! `DIR/reference/validation`; without `KBC_SHARED` there is only the speed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark reads its files, prints, and stops at the first surprise"
)]

#[path = "../tests/booksim/mod.rs"]
mod booksim;

use booksim::{measure, mesh};
use kbc::report::LoadMean;
use kbc::sim::traffic::{OpenLoop, Pattern, offer};

const SEEDS: u64 = 5;

fn main() {
    if let Ok(shared) = std::env::var("KBC_SHARED") {
        let folder = format!("{shared}/reference/validation");
        table(&folder);
        table_of_routers(&folder);
    }
    divan::main();
}

/// Prints one point and tells how far off it is.
fn print(name: &str, load: f64, booksim: Option<f64>, ours: &LoadMean) -> Option<f64> {
    let show = |it: Option<f64>| it.map_or(String::from("saturated"), |it| format!("{it:.2}"));
    let error = booksim.zip(ours.latency).map(|(theirs, ours)| (ours / theirs - 1.0) * 100.0);
    let off = error.map_or(String::from("-"), |error| format!("{error:+.2} %"));
    let (theirs, mean) = (show(booksim), show(ours.latency));
    println!("{name:44} {load:5.2} {theirs:>10} {mean:>10} {:7.2} {off:>9}", ours.deviation);
    error
}

fn pattern(name: &str) -> Pattern {
    let name = if name.starts_with("hotspot") { "hotspot" } else { name };
    Pattern::ALL.into_iter().find(|it| it.name() == name).unwrap()
}

/// `booksim2_mesh.csv`: two sizes of mesh, five patterns, packets of 1 to 64 flits, 1 to 8 virtual
/// channels.
fn table(folder: &str) {
    let Ok(text) = std::fs::read_to_string(format!("{folder}/booksim2_mesh.csv")) else { return };
    println!("mesh, traffic, flits, vcs x buffer              load    BookSim        kbc   (dev)");
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [side, flits, vcs, buffer] = [0, 2, 3, 4].map(|at| cells[at].parse::<u32>().unwrap());
        let (kind, load) = (pattern(cells[1]), cells[5].parse::<f64>().unwrap());
        let ours = measure(&mesh(side, (vcs, buffer, 1, 1, false)), (kind, flits), load, SEEDS);
        let name = format!("{side}x{side} {} {flits} {vcs}x{buffer}", kind.name());
        print(&name, load, cells[6].parse().ok(), &ours);
    }
}

/// `booksim2_mesh8x8_uniform_xy.csv`: three routers, whose configurations are not beside the file. `vc8` is that
/// of BookSim's `examples/mesh88_lat`, `vc1` the same with one virtual channel that does not wait for its
/// last credit (it would be saturated everywhere), `ideal` has what is found to reproduce it.
fn table_of_routers(folder: &str) {
    let path = format!("{folder}/booksim2_mesh8x8_uniform_xy.csv");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let machines = [
        ("vc8", mesh(8, (8, 8, 2, 2, true))),
        ("vc1", mesh(8, (1, 8, 1, 2, false))),
        ("ideal", mesh(8, (16, 64, 4, 2, false))),
    ];
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let machine = &machines.iter().find(|it| it.0 == cells[0]).unwrap().1;
        let (flits, load) = (cells[1].parse().unwrap(), cells[2].parse().unwrap());
        let ours = measure(machine, (Pattern::Uniform, flits), load, SEEDS);
        let theirs = cells[4].parse().ok().filter(|it: &f64| it.is_finite());
        print(&format!("8x8 uniform {flits} {}", cells[0]), load, theirs, &ours);
    }
}

/// 64 routers at 0.3 flits of each PE and cycle, to the end of measuring.
#[divan::bench]
fn mesh_of_64_routers() -> LoadMean {
    let run = |seed| OpenLoop::new(Pattern::Uniform, 4, seed);
    LoadMean::of(&[offer(&mesh(8, (4, 8, 1, 1, false)), &run(1), 0.3).unwrap()])
}
