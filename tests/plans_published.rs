//! All-reduce of 8 GPUs as MSCCL++'s own kernels do it: plans of their algorithms, verified.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod plan_kit;

use kbc::dtype::DType;
use kbc::import::Semantics;
use plan_kit::all_reduce::ALL;
use plan_kit::{run, settings};

#[test]
fn the_plans_compute_sums_in_every_launch() {
    for it in ALL {
        let ran = run(&it.plan(), settings(48 << 10, DType::I32, 3, Semantics::Intent), None);
        assert_eq!((ran.verdict, ran.text().as_str()), ("verified", ""), "{it:?}");
    }
}
#[test]
fn dump() {
    for it in ALL {
        std::fs::write(format!("/tmp/calib/{it:?}.json"), it.plan()).unwrap();
    }
}
