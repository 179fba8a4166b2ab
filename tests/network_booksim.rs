//! Routers against BookSim 2: latency under synthetic traffic on 4 x 4 and 8 x 8 meshes.
//!
//! The expected numbers are BookSim 2's own (its configuration: dor routing on a mesh, islip
//! allocators of one iteration, credit delay 1, routing delay 0, allocation and switch one cycle
//! each, virtual channels free at the tail; warm-up of 3 periods of 5,000 cycles, seed 42). Here are a
//! few points of each curve; `cargo bench --bench network` prints them all.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a test stops at the first surprise, reads machine files, and prints its table"
)]

mod booksim;
mod command_line;

use booksim::{Routers, machine, measure, mesh};
use command_line::{Scratch, kbc, root};
use kbc::diag::Sink;
use kbc::sim::traffic::{OpenLoop, Pattern, offer};
use kbc::source::SourceMap;
use kbc::topology::load;

/// A mesh, its traffic, a load, and BookSim's mean latency.
struct Row {
    side: u32,
    pattern: Pattern,
    flits: u32,
    routers: Routers,
    load: f64,
    booksim: Option<f64>,
}

fn row(
    (side, pattern): (u32, Pattern),
    flits: u32,
    routers: Routers,
    (load, booksim): (f64, Option<f64>),
) -> Row {
    Row { side, pattern, flits, routers, load, booksim }
}

#[test]
fn latencies_are_booksims_within_5_percent_and_so_is_saturation() {
    use Pattern::{BitComplement, Hotspot, Neighbor, Transpose, Uniform};
    let base = (4, 8, 1, 1, false);
    let [vc1, vc8] = [(1, 8, 1, 2, false), (8, 8, 2, 2, true)];
    let rows = [
        row((4, Uniform), 4, base, (0.3, Some(22.1775))),
        row((4, Uniform), 4, base, (0.5, Some(27.667))),
        row((4, Transpose), 4, base, (0.2, Some(21.0198))),
        row((4, Transpose), 4, base, (0.5, None)),
        row((4, BitComplement), 4, base, (0.3, Some(30.7484))),
        row((4, BitComplement), 4, base, (0.6, None)),
        row((4, Neighbor), 4, base, (0.6, Some(23.2231))),
        row((4, Hotspot), 4, base, (0.02, Some(22.4949))),
        row((4, Hotspot), 4, base, (0.1, None)),
        row((8, Uniform), 4, base, (0.1, Some(31.5264))),
        row((8, Uniform), 4, (1, 4, 1, 1, false), (0.1, Some(35.7211))),
        row((8, Uniform), 4, (1, 4, 1, 1, false), (0.2, None)),
        row((8, Uniform), 1, base, (0.1, Some(27.2626))),
        row((8, Uniform), 64, base, (0.1, Some(126.021))),
        // booksim2_mesh8x8_uniform_xy.csv, by the configuration of BookSim's examples/mesh88_lat.
        row((8, Uniform), 16, vc8, (0.1, Some(49.4785))),
        row((8, Uniform), 1, vc8, (0.3, Some(29.2496))),
        row((8, Uniform), 1, vc8, (0.4, None)),
        row((8, Uniform), 4, vc8, (0.4, Some(53.227))),
        row((8, Uniform), 1, vc1, (0.15, Some(32.0215))),
        row((8, Uniform), 1, vc1, (0.2, None)),
        row((8, Uniform), 4, vc1, (0.2, Some(39.2326))),
        row((8, Uniform), 4, vc1, (0.3, None)),
    ];
    println!("mesh traffic        flits vcs  load   BookSim       kbc    error");
    let mut worst: f64 = 0.0;
    for it in &rows {
        let (vcs, ..) = it.routers;
        let machine = mesh(it.side, it.routers);
        let seeds = if it.flits == 64 { 3 } else { 1 };
        let mean = measure(&machine, (it.pattern, it.flits), it.load, seeds);
        let show = |it: Option<f64>| it.map_or(String::from("saturated"), |it| format!("{it:.2}"));
        let error = it.booksim.zip(mean.latency).map(|(theirs, ours)| ours / theirs - 1.0);
        println!(
            "{0}x{0}  {1:12} {2:6} {vcs:3} {3:5.2} {4:>9} {5:>9} {6:>+8.2}",
            it.side,
            it.pattern.name(),
            it.flits,
            it.load,
            show(it.booksim),
            show(mean.latency),
            error.unwrap_or(0.0) * 100.0
        );
        assert_eq!(it.booksim.is_none(), mean.latency.is_none(), "saturation");
        worst = worst.max(error.unwrap_or(0.0).abs());
    }
    assert!(worst < 0.05, "{worst}");
}

/// Beside the edge most of a packet's time is spent in the queue of its source. BookSim has a mean of 414.7
/// cycles here and is not saturated at 500: what is not issued yet does not count.
#[test]
fn the_last_load_before_saturation_is_booksims() {
    let machine = mesh(8, (1, 8, 1, 2, false));
    let mean = measure(&machine, (Pattern::Uniform, 4), 0.25, 1);
    assert!((250.0..500.0).contains(&mean.latency.unwrap()), "{mean:?}");
    assert!((mean.network.unwrap() / 65.4997 - 1.0).abs() < 0.05, "{mean:?}");
}

/// A torus or ring of PEs, wormhole switched.
fn torus(count: &str, datelines: &str, vcs: u32) -> String {
    format!(
        "flit_bytes: 32
network: {{switching: wormhole, vcs: {vcs}, buffer_flits: 2, datelines: {datelines}}}
machine:
  replicate:
    count: {count}
    links:
      - {{offset: [1, 0], bw_gbs: 32, latency_ns: 0}}
      - {{offset: [-1, 0], bw_gbs: 32, latency_ns: 0}}
      - {{offset: [0, 1], bw_gbs: 32, latency_ns: 0}}
      - {{offset: [0, -1], bw_gbs: 32, latency_ns: 0}}
"
    )
}

fn codes(text: &str) -> Vec<&'static str> {
    let mut sources = SourceMap::new();
    let file = sources.add("torus.yaml", text);
    let mut sink = Sink::new();
    let _ = load(&sources, file, &mut sink).and_then(|spec| spec.build(&mut sink));
    sink.into_sorted().iter().map(|it| it.code.id).collect()
}

#[test]
fn a_torus_without_datelines_is_refused() {
    assert_eq!(codes(&torus("[4, 4]", "none", 4)), ["K0622"]);
    assert_eq!(codes(&torus("[4, 4]", "auto", 1)), ["K0623"]);
    assert_eq!(codes(&torus("[4, 4]", "auto", 2)), [""; 0]);
    // On sides of three no route goes on along a side, so none can close a ring; on sides of four
    // the routes half around do.
    assert_eq!(codes(&torus("[3, 3]", "none", 1)), [""; 0]);
    assert_eq!(codes(&torus("[3, 4]", "none", 4)), ["K0622"]);
    // Buffers without end cannot deadlock.
    let endless = torus("[4, 4]", "none", 4).replace("buffer_flits: 2", "buffer_flits: 0");
    assert_eq!(codes(&endless), [""; 0]);
}

#[test]
fn a_torus_with_datelines_runs_without_deadlock_under_load() {
    // Packets of 16 flits in buffers of 2 hold many links at once. More is offered than they can
    // carry; what was measured must still arrive, however late.
    for count in ["[6, 6]", "[9, 2]", "[5, 4]"] {
        let machine = machine(&torus(count, "auto", 2));
        for load in [0.1, 1.0] {
            let traffic = OpenLoop::new(Pattern::Uniform, 16, 1);
            let traffic =
                OpenLoop { period: 1000, warmup: 1, periods: 2, limit: 50_000.0, ..traffic };
            let point = offer(&machine, &traffic, load).unwrap();
            assert!(point.latency.is_some(), "{count} {point:?}");
            assert!(point.accepted > 0.05, "{count} {point:?}");
        }
    }
}

#[test]
fn the_command_prints_curves_and_refuses_what_does_not_fit() {
    let scratch = Scratch::new();
    let mesh = root().join("topology/mesh4x4.yaml");
    let probe = |words: &str| {
        let mut line = vec!["probe", "--topology", mesh.to_str().unwrap()];
        line.extend(words.split(' '));
        kbc(scratch.path(), &line)
    };
    let out = probe("--traffic bitcomp --load 0.1,1 --json --svg curve.svg");
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    let points = json["points"].as_array().unwrap();
    // The opposite column is 3, 1, 1 or 3 away, and so is the row.
    assert!((points[0]["hops"].as_f64().unwrap() - 4.0).abs() < 0.1, "{json}");
    assert_eq!((&points[0]["saturated"], &points[1]["saturated"]), (&false.into(), &true.into()));
    // What arrives in saturation is less than what is offered, and not nothing.
    let accepted = points[1]["accepted"].as_f64().unwrap();
    assert!(accepted > 0.2 && accepted < 0.8, "{json}");
    let svg = std::fs::read_to_string(scratch.path().join("curve.svg")).unwrap();
    assert!(svg.contains("saturated at 1"), "{svg}");
    assert_eq!(probe("--traffic nobody").code, 2);
    assert_eq!(probe("--traffic uniform --load 1.5").code, 2);
    assert_eq!(probe("--load 0.5").code, 2);
    let row = ["probe", "--traffic", "transpose", "--topology"];
    let ring = root().join("topology/ring8.yaml");
    let out = kbc(scratch.path(), &[&row[..], &[ring.to_str().unwrap()]].concat());
    assert_eq!(out.code, 2);
    assert!(out.stderr.contains("8 columns and 1 rows"), "{}", out.stderr);
}
