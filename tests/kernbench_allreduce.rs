//! kernbench's published all-reduce table: 6 SIPs in a torus, three kinds of slots, four sizes.
//!
//! Two values of `topology/kernbench6.yaml` are fitted, and to two points only: slots in TCM with
//! 256 B and with 64 KB. The other ten are predictions. Run it with `--nocapture` for the table.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and prints its table"
)]

mod in_process;

use in_process::{launch, simulate, times};
use kbc::driver::LaunchOptions;

const KERNEL: &str = include_str!("../kernels/lrab_allreduce.kb");
const MACHINE: &str = include_str!("../topology/kernbench6.yaml");

/// Bytes a PE, then nanoseconds with slots in TCM, SRAM and HBM, as published.
const PUBLISHED: [(u32, [f64; 3]); 4] = [
    (256, [1678.04, 1774.04, 1858.04]),
    (2048, [1957.04, 2389.04, 2389.04]),
    (16384, [4225.04, 7345.04, 6673.04]),
    (65536, [12001.04, 24337.04, 21361.04]),
];

const KINDS: [&str; 3] = ["tcm", "sram", "hbm"];

fn options(kind: &str, bytes: u32) -> LaunchOptions {
    LaunchOptions {
        topology: Some(("kernbench6.yaml".into(), MACHINE.into())),
        world: None,
        ..launch(768, &format!("kind={kind}"), &format!("n_elem={}", bytes / 2))
    }
}

#[test]
fn the_table_is_predicted_from_two_of_its_points() {
    let mut ours = Vec::new();
    println!("  bytes  slots   kernbench ns       kbc ns   error");
    for (bytes, published) in PUBLISHED {
        for (kind, expected) in KINDS.into_iter().zip(published) {
            let found = times(KERNEL, &options(kind, bytes)).unwrap();
            let time = found[0].1 as f64 / 1000.0;
            let error = time / expected - 1.0;
            println!("{bytes:7}  {kind:5}  {expected:12.2} {time:12.2}  {:+.2} %", error * 100.0);
            assert!(error.abs() < 0.01, "{bytes} B in {kind}: {time} ns, published {expected}");
            ours.push((bytes, kind, time, expected));
        }
    }
    // Rows that are equal there are equal here: 2 KB in SRAM and in HBM.
    let at = |bytes, kind| ours.iter().find(|it| (it.0, it.1) == (bytes, kind)).unwrap();
    assert_eq!(at(2048, "sram").3, at(2048, "hbm").3);
    assert_eq!(at(2048, "sram").2, at(2048, "hbm").2);
    // And the order of kinds is the same at every size.
    for (one, other) in ours.iter().zip(ours.iter().skip(1)).filter(|(a, b)| a.0 == b.0) {
        assert_eq!(one.2.partial_cmp(&other.2), one.3.partial_cmp(&other.3), "{one:?} {other:?}");
    }
}

#[test]
fn all_cubes_hold_the_sum() {
    // With `release: at_recv` a slot may be filled again while its tile is still read, so that
    // only time means anything there: the data is computed on the same grid of SIPs without it.
    let sips = include_str!("../topology/sips6.yaml");
    let topology = Some(("sips6.yaml".into(), sips.into()));
    let options = LaunchOptions { topology, ..options("tcm", 128) };
    let found = simulate(KERNEL, &options, None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
    let small = simulate(KERNEL, &launch(256, "kind=hbm", "n_elem=24 dtype=f32"), None);
    assert_eq!(small.verdict, "verified", "{}", small.text());
}
