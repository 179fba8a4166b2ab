//! Every all-reduce of the library equals its definition, to the bit and within its roundings.
//!
//! `kernels/ccl_allreduce.kb` runs every algorithm; here with every world size it can have, and
//! with pairs of slot kinds and element types chosen so that over the world sizes each algorithm
//! meets each kind with each type. World 256 runs once for each algorithm. Operators other than the
//! sum, and ranks of `spawn`, are runs of their own.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use in_process::{launch, simulate};

const BENCH: &str = include_str!("../kernels/ccl_allreduce.kb");

const ALGORITHMS: [&str; 10] = [
    "ring",
    "ring_bidirectional",
    "ring_chunked",
    "torus",
    "mesh",
    "tree",
    "double_tree",
    "halving_doubling",
    "hierarchical",
    "lrab",
];

const WORLDS: [u32; 8] = [2, 3, 4, 7, 8, 15, 16, 64];
const KINDS: [&str; 3] = ["tcm", "hbm", "sram"];
const DTYPES: [&str; 3] = ["f16", "bf16", "f32"];

/// Whether an algorithm can do this world size: those that follow the machine need whole cubes.
fn is_possible(algorithm: &str, world: u32) -> bool {
    let is_placed = matches!(algorithm, "hierarchical" | "lrab");
    !is_placed || world < 8 || world.is_multiple_of(8)
}

fn verify(algorithm: &str, world: u32, (kind, dtype): (usize, usize)) {
    // Odd lengths: no chunk of the last rank is whole. Long enough for a chunk of every rank.
    let n_elem = if world > 16 { world + 1 } else { 67 + 2 * kind as u32 };
    let settings = format!("algorithm={algorithm} n_elem={n_elem} dtype={}", DTYPES[dtype]);
    let found = simulate(BENCH, &launch(world, &format!("kind={}", KINDS[kind]), &settings), None);
    let case = format!("ws {world}, slots in {}, {settings}", KINDS[kind]);
    if !is_possible(algorithm, world) {
        assert_eq!((found.verdict, found.launches), ("refused", 0), "{case}\n{}", found.text());
        assert!(found.text().contains("do not fill whole cubes"), "{case}\n{}", found.text());
        return;
    }
    assert_eq!(found.verdict, "verified", "{case}\n{}", found.text());
    assert_eq!(found.launches, 1, "{case}");
    assert!(found.diagnostics.is_empty(), "{case}\n{}", found.text());
}

#[test]
fn every_algorithm_at_every_world_size() {
    for (row, algorithm) in ALGORITHMS.into_iter().enumerate() {
        for (column, world) in WORLDS.into_iter().enumerate() {
            // Nine pairs and eight worlds, from another pair on in each row.
            let pair = (row + column) % 9;
            verify(algorithm, world, (pair / 3, pair % 3));
        }
    }
}

#[test]
fn every_kind_with_every_type() {
    for algorithm in ALGORITHMS {
        for pair in 0..9 {
            verify(algorithm, 7, (pair / 3, pair % 3));
        }
    }
}

#[test]
fn the_whole_machine() {
    for (row, algorithm) in ALGORITHMS.into_iter().enumerate() {
        verify(algorithm, 256, (row % 3, 0));
    }
}

#[test]
fn every_operator() {
    for algorithm in ALGORITHMS {
        for op in ["max", "min", "prod"] {
            let settings = format!("algorithm={algorithm} n_elem=35 op={op} dtype=f32");
            let found = simulate(BENCH, &launch(6, "", &settings), None);
            assert_eq!(found.verdict, "verified", "{settings}\n{}", found.text());
        }
    }
}

#[test]
fn ranks_of_their_own() {
    for algorithm in ALGORITHMS {
        for op in ["sum", "max"] {
            let settings = format!("algorithm={algorithm} n_elem=40 op={op} spawn=True");
            let found = simulate(BENCH, &launch(5, "", &settings), None);
            assert_eq!(found.verdict, "verified", "{settings}\n{}", found.text());
        }
    }
    let found = simulate(BENCH, &launch(64, "", "n_elem=64 spawn=True"), None);
    assert_eq!((found.verdict, found.launches), ("verified", 1), "{}", found.text());
}
