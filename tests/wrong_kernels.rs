//! Wrong versions of the ring all-reduce are caught: wrong communication before anything runs,
//! wrong data by the file's own check, with the first bad element, its PE and the line that wrote
//! it.
//!
//! Each case replaces one piece of the kernel's text, which must occur in it.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;
mod in_process;

use command_line::{Scratch, kbc};
use in_process::{Found, launch, simulate};

const RING: &str = include_str!("../kernels/ring_allreduce.kb");
const SEND: &str = "        tl.send(dir=\"E\", src=current)\n";
const RECV: &str = "        received = tl.recv(dir=\"W\", shape=(n_elem,), dtype=dtype)\n";
const STORE: &str = "    tl.store(addr, acc)\n";
const LOAD: &str = "    acc = tl.load(addr, shape=(n_elem,), dtype=dtype)\n";

fn replaced(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(RING.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "`{old}` is in the kernel once");
        text.replace(old, new)
    })
}

fn run(changes: &[(&str, &str)], world: u32) -> Found {
    simulate(&replaced(changes), &launch(world, "", "n_elem=16"), None)
}

/// The data are wrong from this rank on: the first bad element is the first of `rank`, and the
/// message says that its PE wrote it, in `line`.
fn caught(changes: &[(&str, &str)], world: u32, (rank, line): (u32, &str)) {
    let found = run(changes, world);
    assert_eq!((found.verdict, found.codes()), ("mismatch", vec!["K0735"]), "{}", found.text());
    let writer = found.diagnostics[0].primary.as_ref().expect("it points at what wrote it");
    let said = &writer.text;
    assert!(said.starts_with(&format!("PE {rank} wrote element [{rank}, 0]: got ")), "{said}");
    assert!(said.contains(", expected "), "{said}");
    assert_eq!(found.line(writer.span), line, "{}", found.text());
}

/// The communication is wrong, which is said before anything runs.
fn refused(changes: &[(&str, &str)], world: u32, code: &str) -> String {
    let found = run(changes, world);
    assert_eq!((found.verdict, found.launches), ("refused", 0), "{}", found.text());
    assert!(found.codes().contains(&code), "{code} in\n{}", found.text());
    assert!(found.codes().iter().all(|it| it.starts_with("K053")), "{}", found.text());
    let first = &found.diagnostics[0];
    assert!(first.primary.is_some(), "it points at a line:\n{}", found.text());
    found.text()
}

#[test]
fn the_kernel_itself_is_right() {
    for world in [2, 3, 8] {
        let found = run(&[], world);
        assert_eq!(found.verdict, "verified", "{}", found.text());
    }
}

#[test]
fn a_missing_round() {
    for world in [3, 8, 16] {
        let change = ("range(world_size - 1)", "range(world_size - 2)");
        caught(&[change], world, (0, "tl.store(addr, acc)"));
    }
}

#[test]
fn a_round_too_many() {
    caught(&[("range(world_size - 1)", "range(world_size)")], 8, (0, "tl.store(addr, acc)"));
}

#[test]
fn forwarding_the_accumulator() {
    for world in [3, 8] {
        caught(&[("current = received", "current = acc")], world, (0, "tl.store(addr, acc)"));
    }
    // With two ranks nothing is forwarded.
    assert_eq!(run(&[("current = received", "current = acc")], 2).verdict, "verified");
}

#[test]
fn never_forwarding() {
    caught(&[("        current = received\n", "")], 8, (0, "tl.store(addr, acc)"));
}

#[test]
fn a_difference_for_a_sum() {
    for world in [2, 8] {
        caught(&[("acc + received", "acc - received")], world, (0, "tl.store(addr, acc)"));
    }
}

#[test]
fn adding_the_wrong_operand() {
    caught(&[("acc + received", "acc + acc")], 8, (0, "tl.store(addr, acc)"));
    caught(&[("acc + received", "received + received")], 8, (0, "tl.store(addr, acc)"));
}

#[test]
fn one_rank_that_adds_otherwise() {
    let change = ("acc = acc + received", "acc = acc - received if rank == 5 else acc + received");
    caught(&[change], 8, (5, "tl.store(addr, acc)"));
}

#[test]
fn storing_into_the_neighbours_slice() {
    // Every slice gets the sum, in the order of the rank before it, which only the comparison to
    // the bit sees. No race: a sum is stored after every tile has been loaded.
    let next = STORE.replace("addr", "t_ptr + (rank + 1) % world_size * nbytes");
    let found = run(&[(STORE, &next)], 8);
    assert_eq!(found.codes(), ["K0735"], "{}", found.text());
    let writer = found.diagnostics[0].primary.as_ref().expect("it points at what wrote it");
    assert!(writer.text.starts_with("PE 7 wrote element [0, "), "{}", writer.text);
    assert_eq!(found.line(writer.span), next.trim());
}

#[test]
fn storing_one_element_further() {
    let found = run(&[(STORE, "    tl.store(addr + nbytes // n_elem, acc)\n")], 8);
    // The last rank's tile ends one element after the tensor.
    assert_eq!(found.codes(), ["K0732"], "{}", found.text());
    assert!(found.text().contains("tl.store(addr + nbytes // n_elem, acc)"), "{}", found.text());
}

#[test]
fn storing_to_the_first_slice_always() {
    // All ranks write the same bytes, unordered.
    let found = run(&[(STORE, "    tl.store(t_ptr, acc)\n")], 8);
    assert_eq!(found.verdict, "refused", "{}", found.text());
    assert!(found.codes().contains(&"K0731"), "{}", found.text());
    assert!(found.text().contains("tl.store(t_ptr, acc)"), "{}", found.text());
}

#[test]
fn loading_the_first_slice_always() {
    caught(&[(LOAD, &LOAD.replace("addr", "t_ptr"))], 8, (0, "tl.store(addr, acc)"));
}

#[test]
fn loading_the_neighbours_slice() {
    // Every slice is still loaded once, so the sum of all stays the same up to its order: the
    // check that adds in the ring's own order is the one that tells.
    let other = LOAD.replace("addr", "t_ptr + (rank + 1) % world_size * nbytes");
    let found = run(&[(LOAD, &other)], 8);
    assert_eq!((found.verdict, found.codes()), ("mismatch", vec!["K0735"]), "{}", found.text());
}

#[test]
fn storing_nothing() {
    let found = run(&[(STORE, "")], 8);
    assert_eq!((found.verdict, found.codes()), ("mismatch", vec!["K0735"]), "{}", found.text());
    // No command wrote what is there; the host did.
    assert!(found.text().contains("the host"), "{}", found.text());
}

#[test]
fn a_direction_swapped_on_one_side() {
    // Both to the east: every rank waits for a tile from the east, and nobody sends to the west.
    let text = refused(&[("tl.recv(dir=\"W\"", "tl.recv(dir=\"E\"")], 8, "K0534");
    assert!(text.contains("tl.recv(dir=\"E\""), "{text}");
    let text = refused(&[("tl.send(dir=\"E\"", "tl.send(dir=\"W\"")], 8, "K0534");
    assert!(text.contains("tl.recv(dir=\"W\""), "{text}");
}

#[test]
fn a_direction_swapped_on_one_rank() {
    let swapped = "        if rank == 2:\n            tl.send(dir=\"W\", src=current)\n        else:\n            tl.send(dir=\"E\", src=current)\n";
    // Nobody takes what rank 2 sends to the west; that rank 3 gets nothing follows from it.
    let text = refused(&[(SEND, swapped)], 8, "K0533");
    assert!(text.contains("tl.send(dir=\"W\""), "{text}");
}

#[test]
fn both_directions_swapped_go_the_other_way_round() {
    let changes =
        [("tl.send(dir=\"E\"", "tl.send(dir=\"W\""), ("tl.recv(dir=\"W\"", "tl.recv(dir=\"E\"")];
    // The sum is the same, in another order, which the bit-exact comparison sees in f16.
    let found = run(&changes, 8);
    assert_eq!(found.codes(), ["K0735"], "{}", found.text());
    let order = ("(rank - step) % world_size", "(rank + step) % world_size");
    let found = run(&[changes[0], changes[1], order], 8);
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

#[test]
fn a_missing_send_on_one_rank() {
    let guarded = format!("        if rank != 3:\n    {SEND}");
    let text = refused(&[(SEND, &guarded)], 8, "K0534");
    assert!(text.contains("tl.recv(dir=\"W\""), "{text}");
}

#[test]
fn a_missing_receive_on_one_rank() {
    let guarded = format!("        received = current\n        if rank != 3:\n    {RECV}");
    let text = refused(&[(RECV, &guarded)], 8, "K0533");
    assert!(text.contains("tl.send(dir=\"E\""), "{text}");
}

#[test]
fn no_send_at_all() {
    refused(&[(SEND, "")], 4, "K0534");
}

#[test]
fn another_size_or_type_is_received() {
    // What arrives is stored and not sent on, so that only the two ends of a queue can differ.
    let alone = |recv: &str| format!("{recv}        tl.store(addr, received)\n");
    let sent = ("        acc = acc + received\n        current = received\n", "");
    let shorter = alone(&RECV.replace("(n_elem,)", "(n_elem // 2,)"));
    let text = refused(&[(RECV, &shorter), sent], 4, "K0531");
    assert!(text.contains("tl.send(dir=\"E\"") && text.contains("tl.recv(dir=\"W\""), "{text}");
    let other = alone(&RECV.replace("dtype=dtype", "dtype=\"bf16\""));
    let text = refused(&[(RECV, &other), sent], 4, "K0532");
    assert!(text.contains("tl.send(dir=\"E\"") && text.contains("tl.recv(dir=\"W\""), "{text}");
}

#[test]
fn the_command_line_ends_with_one_and_shows_the_line() {
    let scratch = Scratch::new();
    scratch.write("wrong.kb", &replaced(&[("acc + received", "acc - received")]));
    let ran = kbc(scratch.path(), &["sim", "wrong.kb", "--ws", "4", "--set", "n_elem=16"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in ["K0735", "wrong.kb:", "tl.store(addr, acc)", "PE 0 wrote element [0, 0]"] {
        assert!(ran.stderr.contains(part), "`{part}` in\n{}", ran.stderr);
    }
    assert!(!ran.stdout.contains("verified"), "{}", ran.stdout);

    let recv = ("tl.recv(dir=\"W\"", "tl.recv(dir=\"E\"");
    scratch.write("swapped.kb", &replaced(&[recv]));
    for verb in ["check", "compile", "sim"] {
        let ran = kbc(scratch.path(), &[verb, "swapped.kb", "--ws", "4"]);
        assert_eq!(ran.code, 1, "{verb}: {}", ran.stderr);
        assert!(ran.stderr.contains("error[K053"), "{verb}: {}", ran.stderr);
        assert!(!ran.stdout.contains("messages"), "{verb}: {}", ran.stdout);
    }
}
