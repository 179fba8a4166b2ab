//! Every all-reduce of the library equals its definition, to the bit and within its roundings.
//!
//! `kernels/ccl_allreduce.kb` runs every algorithm. Up to 16 ranks every kind of slots meets every float
//! type of the machine here, and at 7 ranks every type there is; larger worlds take a part.
//! `cargo bench --bench collectives -- matrix` runs the whole grid. Operators other than the sum, and
//! ranks of `spawn`, are runs of their own.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod collective_grid;

use collective_grid::in_process::{launch, simulate};
use collective_grid::{ALGORITHMS, BENCH, DTYPES, KINDS, all_right, is_possible, is_refused};

const FLOATS: [&str; 3] = ["f16", "bf16", "f32"];

#[test]
fn small_worlds_with_every_kind_and_float() {
    for world in [2, 3, 4, 7, 8] {
        assert_eq!(all_right(world, &ALGORITHMS, (&KINDS, &FLOATS)), 90);
    }
}

#[test]
fn worlds_of_two_cubes_with_every_kind_and_float() {
    assert_eq!(all_right(16, &ALGORITHMS, (&KINDS, &FLOATS)), 90);
    // Two of them need whole cubes.
    assert_eq!(all_right(15, &ALGORITHMS, (&KINDS, &FLOATS)), 72);
    for algorithm in ALGORITHMS.into_iter().filter(|name| !is_possible(name, 15)) {
        assert!(is_refused(15, algorithm), "{algorithm}");
    }
}

#[test]
fn every_type_there_is() {
    assert_eq!(all_right(7, &ALGORITHMS, (&["tcm"], &DTYPES)), 160);
}

#[test]
fn half_a_sip() {
    for (place, kind) in KINDS.iter().enumerate() {
        assert_eq!(all_right(64, &ALGORITHMS, (&[kind], &[FLOATS[place]])), 10);
    }
}

#[test]
fn the_whole_machine() {
    for (place, kind) in KINDS.iter().enumerate() {
        let some: Vec<&str> = ALGORITHMS.iter().copied().skip(place).step_by(3).collect();
        assert_eq!(all_right(256, &some, (&[kind], &["f16"])), some.len());
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
