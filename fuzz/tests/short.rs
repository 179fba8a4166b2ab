//! A short run of every target with a fixed seed, and every input that was ever found.

use std::time::Duration;

use kbc_fuzz::runner::{Limits, fuzz, run};
use kbc_fuzz::target::Target;

/// After this an input counts as one that does not end, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn what_was_found_stays_mended() {
    for target in Target::ALL {
        for (name, input) in target.found() {
            let failure = run(target, &input, PATIENCE);
            assert!(failure.is_none(), "{name}: {failure:?}");
        }
    }
}

fn short(target: Target, executions: u64) {
    let limits = Limits { executions, time: Duration::MAX, patience: PATIENCE };
    let summary = fuzz(target, 1, limits, None);
    if let Some(failure) = &summary.failure {
        panic!("{}\n{}", failure.what, String::from_utf8_lossy(&failure.input));
    }
    assert_eq!(summary.executions, executions);
    // Some are refused at once and some get to the end, or little is tested.
    assert!(summary.reached.iter().filter(|count| **count > 0).count() >= 2 || executions < 300);
}

#[test]
fn sources() {
    short(Target::Source, 300);
}

#[test]
fn text_ir() {
    short(Target::Kir, 700);
}

#[test]
fn machines() {
    short(Target::Topology, 600);
}

#[test]
fn random_kernels() {
    short(Target::Differential, 60);
}
