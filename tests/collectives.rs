//! Every collective that ships equals its definition: `run` of its own file says `verified`.
//!
//! What is crossed with what:
//!
//! - all six files × world sizes 2, 3, 4, 7, 8, 15, 16, 64 × slots in TCM, HBM and SRAM × f16,
//!   bf16 and f32;
//! - all six files × world size 256 × the three kinds of slots, in f16; and × the three element
//!   types, in TCM;
//! - the number of elements changes with the element type and the slots, so that odd lengths and
//!   lengths that fill no whole burst occur in every column; it is small for large worlds, whose
//!   rings move world² tiles.
//!
//! The hierarchical collective needs whole cubes: world sizes above one cube (8) that are no
//! multiple of 8, which is 15 here, are refused by its own assertion, and that is tested.

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

const WORLDS: [u32; 8] = [2, 3, 4, 7, 8, 15, 16, 64];
const KINDS: [&str; 3] = ["tcm", "hbm", "sram"];
const DTYPES: [&str; 3] = ["f16", "bf16", "f32"];

const HELLO_SEND: &str = include_str!("../kernels/hello_send.kb");
const RING: &str = include_str!("../kernels/ring_allreduce.kb");
const RING_CHUNKED: &str = include_str!("../kernels/ring_reduce_scatter.kb");
const MESH: &str = include_str!("../kernels/mesh_allreduce.kb");
const TREE: &str = include_str!("../kernels/tree_allreduce.kb");
const HIERARCHICAL: &str = include_str!("../kernels/hierarchical_allreduce.kb");

/// Elements of one tile (of one rank's whole vector in the chunked ring).
fn elements(text: &str, world: u32, (kind, dtype): (usize, usize)) -> u32 {
    let base = if world > 16 { 5 } else { 67 };
    let tile = base + 2 * kind as u32 + dtype as u32;
    if text == RING_CHUNKED { world * (1 + tile / 8) + 1 } else { tile }
}

fn verify(text: &str, world: u32, (kind, dtype): (usize, usize)) {
    let n_elem = elements(text, world, (kind, dtype));
    let settings = format!("n_elem={n_elem} dtype={}", DTYPES[dtype]);
    let found = simulate(text, &launch(world, &format!("kind={}", KINDS[kind]), &settings), None);
    let case = format!("ws {world}, slots in {}, {settings}", KINDS[kind]);
    assert_eq!(found.verdict, "verified", "{case}\n{}", found.text());
    assert_eq!(found.launches, 1, "{case}");
    assert!(found.diagnostics.is_empty(), "{case}\n{}", found.text());
}

fn verify_all(text: &str, worlds: &[u32]) {
    for world in worlds {
        for kind in 0..KINDS.len() {
            (0..DTYPES.len()).for_each(|dtype| verify(text, *world, (kind, dtype)));
        }
    }
}

/// The largest world: 256 ranks, all that the default machine has.
fn verify_whole_machine(text: &str) {
    (0..KINDS.len()).for_each(|kind| verify(text, 256, (kind, 0)));
    (1..DTYPES.len()).for_each(|dtype| verify(text, 256, (0, dtype)));
}

#[test]
fn hello_send() {
    verify_all(HELLO_SEND, &WORLDS);
    verify_whole_machine(HELLO_SEND);
}

#[test]
fn ring() {
    verify_all(RING, &WORLDS);
    verify_whole_machine(RING);
}

#[test]
fn chunked_ring() {
    verify_all(RING_CHUNKED, &WORLDS);
    verify_whole_machine(RING_CHUNKED);
}

#[test]
fn mesh() {
    verify_all(MESH, &WORLDS);
    verify_whole_machine(MESH);
}

#[test]
fn tree() {
    verify_all(TREE, &WORLDS);
    verify_whole_machine(TREE);
}

#[test]
fn hierarchical() {
    verify_all(HIERARCHICAL, &WORLDS.map(|world| if world == 15 { 24 } else { world }));
    verify_whole_machine(HIERARCHICAL);
    for kind in KINDS {
        let refused = simulate(HIERARCHICAL, &launch(15, &format!("kind={kind}"), ""), None);
        assert_eq!((refused.verdict, refused.launches), ("refused", 0));
        let text = refused.text();
        assert!(text.contains("15 ranks do not fill whole cubes of 8 PEs"), "{text}");
    }
}
