//! Which all-reduce is the fastest, and whether `auto` finds it: algorithms over world sizes and vector
//! lengths, timed by the simulator and chosen by the model. `cargo bench --bench collectives -- auto`
//! prints the table of docs/validation.md, with all algorithms and larger worlds.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and prints its table"
)]

mod collective_grid;

use collective_grid::{ALGORITHMS, Choices, time};

/// Those of which one is the fastest in large worlds, as the whole table shows.
const FAST: [&str; 5] = ["ring_chunked", "torus", "tree", "halving_doubling", "lrab"];

#[test]
fn auto_picks_the_fastest() {
    let mut choices = Choices::default();
    for world in [2, 4, 7, 8, 16, 64] {
        let names: &[&'static str] = if world > 16 { &FAST } else { &ALGORITHMS };
        for bytes in [64, 1024, 8192, 65536] {
            println!("{}", choices.compare(names, world, bytes).unwrap());
        }
    }
    let Choices { right, cases, worst } = choices;
    assert!(right * 100 >= cases * 95, "auto picks the fastest in {right} of {cases}");
    assert!(worst < 1.1, "auto takes {worst} of the time of the fastest");
}

#[test]
fn large_vectors_want_chunks_and_small_ones_few_steps() {
    let at = |name, world, bytes| time(name, world, bytes).unwrap().1;
    for world in [8, 16] {
        assert!(at("ring_chunked", world, 65536) < at("ring", world, 65536));
        assert!(at("tree", world, 64) < at("ring", world, 64));
        assert!(at("tree", world, 64) < at("ring_chunked", world, 64));
    }
}
