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
