//! Deadlocks are told before anything runs, as the cycle of waits in source lines; where the check
//! is skipped, the simulator runs into them and tells the same cycle.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use in_process::{Found, check, launch, simulate};
use kbc::driver::LaunchOptions;

/// Every rank waits for its neighbour's tile before it sends its own.
const RECEIVE_FIRST: &str = r#"
def kernel(t_ptr, tl):
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    tile = tl.load(t_ptr + rank * 128, shape=(64,), dtype="f16")
    received = tl.recv(dir="W", shape=(64,), dtype="f16")
    tl.send(dir="E", src=tile)
    tl.store(t_ptr + rank * 128, tile + received)
"#;

/// Every rank sends three tiles before it receives one: three slots hold them, two do not.
const SEND_THREE: &str = r#"
def kernel(t_ptr, tl):
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    tile = tl.load(t_ptr + rank * 128, shape=(64,), dtype="f16")
    for _ in range(3):
        tl.send(dir="E", src=tile)
    for _ in range(3):
        received = tl.recv(dir="W", shape=(64,), dtype="f16")
        tile = tile + received
    tl.store(t_ptr + rank * 128, tile)
"#;

/// Two ranks receive from each other; only the one that sends first could begin.
const PAIR: &str = r#"
def kernel(t_ptr, tl):
    rank = tl.program_id(0)
    tile = tl.load(t_ptr + rank * 128, shape=(64,), dtype="f16")
    if rank == 0:
        received = tl.recv(dir="E", shape=(64,), dtype="f16")
        tl.send(dir="E", src=tile)
        tl.store(t_ptr, received)
    if rank == 1:
        received = tl.recv(dir="W", shape=(64,), dtype="f16")
        tl.send(dir="W", src=tile)
        tl.store(t_ptr + 128, received)

def neighbors(rank, world_size):
    return {"E": 1} if rank == 0 else {"W": 0}
"#;

const RING: &str = include_str!("../kernels/ring_allreduce.kb");

/// The source lines that the deadlock's labels point at, sorted, each once.
fn lines(found: &Found) -> Vec<String> {
    let deadlock = &found.diagnostics[0];
    let labels = deadlock.primary.iter().chain(&deadlock.secondary);
    let mut lines: Vec<String> = labels.map(|label| found.line(label.span)).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

fn refused_before_running(text: &str, launch: &LaunchOptions) -> Found {
    let checked = check(text, launch);
    assert_eq!(checked.codes(), ["K0535"], "{}", checked.text());
    let simulated = simulate(text, launch, None);
    assert_eq!(simulated.codes(), ["K0535"], "{}", simulated.text());
    assert_eq!(simulated.launches, 0, "nothing was simulated");
    checked
}

#[test]
fn receiving_first_is_refused() {
    for world in [2, 3, 8, 64] {
        let found = refused_before_running(RECEIVE_FIRST, &launch(world, "", ""));
        let expected = ["received = tl.recv(dir=\"W\", shape=(64,), dtype=\"f16\")"];
        assert_eq!(lines(&found), expected, "{}", found.text());
    }
}

#[test]
fn a_pair_that_waits_for_each_other_is_refused() {
    let found = refused_before_running(PAIR, &launch(2, "", ""));
    let expected = [
        "received = tl.recv(dir=\"E\", shape=(64,), dtype=\"f16\")",
        "received = tl.recv(dir=\"W\", shape=(64,), dtype=\"f16\")",
    ];
    assert_eq!(lines(&found), expected, "{}", found.text());
}

#[test]
fn a_full_ring_of_queues_is_refused() {
    for world in [2, 3, 8, 64] {
        let found = refused_before_running(SEND_THREE, &launch(world, "slots=2", ""));
        assert_eq!(lines(&found), ["tl.send(dir=\"E\", src=tile)"], "{}", found.text());
        // One more slot and it runs.
        let runs = simulate(SEND_THREE, &launch(world, "slots=3", ""), None);
        assert_eq!(runs.verdict, "unchecked", "{}", runs.text());
    }
}

#[test]
fn a_forwarding_ring_needs_two_slots() {
    // The only slot holds the tile that is sent on, and the neighbour's does so, too.
    let found = refused_before_running(RING, &launch(8, "slots=1", "n_elem=16"));
    assert!(found.text().contains("tl.send(dir=\"E\", src=current)"), "{}", found.text());
    let runs = simulate(RING, &launch(8, "slots=2", "n_elem=16"), None);
    assert_eq!(runs.verdict, "verified", "{}", runs.text());
}

/// What the simulator runs into when the check is skipped.
fn run_into(text: &str, launch: &LaunchOptions) -> Found {
    let launch = LaunchOptions { skip_check: true, ..launch.clone() };
    let found = simulate(text, &launch, None);
    assert_eq!((found.verdict, found.codes()), ("refused", vec!["K0701"]), "{}", found.text());
    found
}

#[test]
fn the_simulator_tells_the_same_cycle() {
    let cases = [
        (RECEIVE_FIRST, launch(2, "", "")),
        (RECEIVE_FIRST, launch(8, "", "")),
        (PAIR, launch(2, "", "")),
        (SEND_THREE, launch(3, "slots=2", "")),
        (RING, launch(8, "slots=1", "n_elem=16")),
    ];
    for (text, options) in cases {
        let (checked, simulated) = (check(text, &options), run_into(text, &options));
        // The whole cycle, with source lines, word for word.
        let (expected, told) = (cycle(&checked), cycle(&simulated));
        assert!(expected.contains("PE 0 waits in ") && expected.contains("case.kb:"), "{expected}");
        assert_eq!(expected, told, "{}{}", checked.text(), simulated.text());
        let line = |found: &Found| {
            let primary = found.diagnostics[0].primary.as_ref();
            found.line(primary.expect("a deadlock points at a line").span)
        };
        assert_eq!(line(&checked), line(&simulated));
    }
}

/// The note that shows the cycle.
fn cycle(found: &Found) -> String {
    let mut notes = found.diagnostics[0].notes.iter();
    notes.find(|note| note.contains(" waits in ")).cloned().unwrap_or_default()
}
