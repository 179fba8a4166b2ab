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
    // With `release: at_recv` a slot may be filled again while its tile is still read. Here no queue
    // carries more messages than it has slots, so that none is.
    let found = simulate(KERNEL, &options("tcm", 128), None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
    // And on the same grid of SIPs without it.
    let sips = include_str!("../topology/sips6.yaml");
    let topology = Some(("sips6.yaml".into(), sips.into()));
    let options = LaunchOptions { topology, ..options("tcm", 128) };
    let found = simulate(KERNEL, &options, None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
    let small = simulate(KERNEL, &launch(256, "kind=hbm", "n_elem=24 dtype=f32"), None);
    assert_eq!(small.verdict, "verified", "{}", small.text());
}

/// The default machine, whose slots are given back as soon as they are received.
fn at_recv(slots: u32) -> LaunchOptions {
    let yaml = "cube: {pe_template: {components: {pe_ipcq: {attrs: {release: at_recv}}}}}";
    let topology = Some(("at_recv.yaml".into(), yaml.into()));
    LaunchOptions { topology, ..launch(2, &format!("slots={slots}"), "") }
}

#[test]
fn a_tile_that_is_kept_too_long_is_told() {
    // Rank 0 sends three tiles; rank 1 keeps the first until it has the last.
    let program = "
def kernel(x_ptr, tl):
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    addr = x_ptr + rank * 256
    if rank == 0:
        tile = tl.load(addr, shape=(64,), dtype='f32')
        for step in range(3):
            tl.send(dir='E', src=tile)
            tile = tile + 1.0
    else:
        first = tl.recv(dir='W', shape=(64,), dtype='f32')
        second = tl.recv(dir='W', shape=(64,), dtype='f32')
        third = tl.recv(dir='W', shape=(64,), dtype='f32')
        tl.store(addr, first + second + third)


def run(torch):
    x = torch.ones((2, 64), dtype='f32')
    torch.launch(kernel, x)
    torch.testing.assert_equal(x[1], torch.full((64,), 6.0))
";
    let enough = simulate(program, &at_recv(3), None);
    assert_eq!(enough.verdict, "verified", "{}", enough.text());
    let options = LaunchOptions { skip_check: true, ..at_recv(1) };
    let kept = simulate(program, &options, None);
    assert_eq!(kept.codes().first(), Some(&"K0734"), "{}", kept.text());
}
