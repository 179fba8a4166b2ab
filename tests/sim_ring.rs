//! Ring all-reduce: the closed form of PEERS.md, on the machine it is stated for and on others.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]
mod sim_kit;

use kbc::units::Ps;
use sim_kit::*;

/// 2(N-1)(chunk/64 + 100) + (N-1) chunk/256 ns, with chunk = 1 MiB / N.
#[test]
fn golden_times_of_peers_come_out_exactly() {
    for (n, golden) in [(8, 33_656_000), (64, 48_888_000), (256, 87_720_000)] {
        let chunk = (1 << 20) / u64::from(n);
        let machine = ring_machine(n, free_pe(), &link(64.0, 100_000));
        let ran = run_in(&ring_all_reduce(n, chunk, 4), &machine, kbc::sim::Mode::Trains);
        check_log(&ran);
        assert_eq!(ran.outcome.time, Ps(golden), "N = {n}");
        assert_eq!(ran.outcome.messages, 2 * u64::from(n) * u64::from(n - 1));
        let per_message = ran.outcome.events as f64 / ran.outcome.messages as f64;
        assert!(per_message < 2.0, "{per_message} events a message");
    }
}

/// The closed form of the ring all-reduce on an otherwise idle machine, from the machine's numbers
/// (docs/machine.md, "A ring all-reduce").
#[test]
fn the_ring_follows_from_the_numbers_of_the_machine() {
    for n in [2u64, 3, 7] {
        let (chunk, wire) = (8192u64, 7000u64);
        let machine = ring_machine(n as u32, costly_pe(), &link(64.0, wire));
        let ran = run(&ring_all_reduce(n as u32, chunk, 4), &machine);
        let (dispatch, dma, math_overhead) = (1000, 1000, 1000);
        // A message: DMA overhead, the first flit out of TCM, the link, the slot written.
        let hop = dma + 500 + chunk * 1000 / 64 + wire + chunk * 1000 / 512;
        let read_slot = chunk * 1000 / 512;
        // The addition: PE_CPU issues it after the receive, then it computes.
        let add = dispatch + math_overhead + chunk / 4 / 64 * 1000;
        // Reduce-scatter: send, receive and add, N - 1 times. PE_CPU issues the next send while the
        // addition runs, and the send waits for its operand.
        let reduce = hop + read_slot + add;
        // All-gather: the first send goes out when the last addition ends; then each PE receives,
        // issues a send and forwards. The last message ends the run.
        let forward = hop + read_slot + dispatch;
        let time = dispatch + (n - 1) * reduce + (n - 2) * forward + hop;
        assert_eq!(ran.outcome.time, Ps(time), "N = {n}");
    }
}
