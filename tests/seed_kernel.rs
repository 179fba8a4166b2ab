//! A ring kernel that was written for another system runs as it stands: module docstring,
//! `from __future__`, annotations, `kernel_args` without defaults, last parameter `tl`.

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

use command_line::kbc_here;
use in_process::{launch, simulate};

const SEED: &str = include_str!("fixtures/seed_ring.kb");
const SUM: Option<&str> = Some("all_reduce:sum");

#[test]
fn it_is_verified_from_the_command_line() {
    let line = "sim tests/fixtures/seed_ring.kb --ws 8 --set n_elem=64 --check all_reduce:sum";
    let ran = kbc_here(line);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("verified"), "{}", ran.stdout);
    let json = kbc_here(&format!("{line} --json"));
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["data"]["verdict"], "verified");
    assert_eq!(report["pes"], 8);
    // Every tile visits every other rank.
    assert_eq!(report["messages"], 8 * 7);
}

#[test]
fn it_is_verified_on_other_worlds() {
    for (world, n_elem) in [(2, 64), (3, 1), (7, 129), (16, 64), (64, 8), (256, 4)] {
        let found = simulate(SEED, &launch(world, "", &format!("n_elem={n_elem}")), SUM);
        assert_eq!(found.verdict, "verified", "ws {world}, n_elem {n_elem}\n{}", found.text());
    }
}

#[test]
fn it_is_no_other_collective() {
    for other in ["all_reduce:max", "all_reduce:prod", "broadcast"] {
        let found = simulate(SEED, &launch(8, "", "n_elem=64"), Some(other));
        assert_eq!((found.verdict, found.codes()), ("mismatch", vec!["K0735"]), "{other}");
    }
}

#[test]
fn a_missing_setting_is_said() {
    let ran = kbc_here("sim tests/fixtures/seed_ring.kb --ws 8 --check all_reduce:sum");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[K0"), "{}", ran.stderr);
    assert!(ran.stderr.contains("n_elem"), "{}", ran.stderr);
    // What is missing and how to give it.
    assert!(ran.stderr.contains("--set n_elem="), "{}", ran.stderr);
    assert!(!ran.stdout.contains("verified"), "{}", ran.stdout);
}
