//! The passes keep the meaning of random kernels, and allocation keeps it in memory.
//!
//! Each kernel is run by a reference interpreter on several programs of a grid: before any pass,
//! after each pass, and at the end by storage, with tiles in scratch memory and slots that are
//! released. What it sends, receives, loads and stores must be the same each time, and no byte
//! may be read that something else has overwritten, no slot after its release; every slot is
//! released exactly once.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::diag::Sink;
use kbc::ir::print::{print, print_function};
use kbc::ir::{Bindings, Function, Limits, Module};
use kbc::passes::{Context, run_observed};
use support::interpreter::{run_by_storage, run_by_value, world};
use support::{bindings, limits, random_ir};

const PROGRAMS: [[i64; 3]; 4] = [[0, 0, 0], [1, 0, 0], [3, 1, 0], [7, 1, 0]];

fn grid(bindings: &Bindings, id: [i64; 3]) -> ([i64; 3], [i64; 3]) {
    (id, bindings.num_programs.map(i64::from))
}

/// Every stage of a kernel, and the function that comes out; `None` if the launch is refused.
fn stages(
    module: &Module,
    bindings: &Bindings,
    tcm_bytes: u64,
) -> Option<Vec<(&'static str, Function)>> {
    let limits = Limits { tcm_bytes, ..limits() };
    let mut sink = Sink::new();
    let kernel = module.kernels().next().expect("there is a kernel");
    let mut context = Context { module, bindings, limits: &limits, sink: &mut sink };
    let mut stages = Vec::new();
    let result = run_observed(&mut context, kernel, &mut |pass, function| {
        stages.push((pass.name(), function.clone()));
    });
    let bugs: Vec<_> = sink.diagnostics().iter().filter(|it| it.code.id == "K0001").collect();
    assert!(bugs.is_empty(), "{bugs:#?}\n{}", print(module));
    result.ok().map(|_| stages)
}

/// Checks the kernel of `seed` in the least TCM that it fits, to a power of two, and in plenty.
fn check(seed: u64) -> bool {
    let least = (0..20).map(|power| 1 << power).find(|bytes| check_within(seed, *bytes));
    least.is_some() && check_within(seed, 1 << 30)
}

fn check_within(seed: u64, tcm_bytes: u64) -> bool {
    let module = random_ir::module(seed);
    let bindings = bindings(&random_ir::arguments());
    let Some(stages) = stages(&module, &bindings, tcm_bytes) else { return false };
    let kernel = &module.functions[module.kernels().next().expect("there is a kernel")];
    let last = &stages.last().expect("there are passes").1;
    for id in PROGRAMS {
        let grid = grid(&bindings, id);
        let expected = run_by_value(Some(&module), kernel, &bindings.params, grid);
        let mut moved = false;
        for (name, function) in &stages {
            moved |= *name == "licm";
            let found = run_by_value(Some(&module), function, &bindings.params, grid);
            assert_eq!(
                world(&found.events, moved),
                world(&expected.events, moved),
                "seed {seed}, program {id:?}, after {name}\n{}\n{}",
                print(&module),
                print_function(function)
            );
        }
        let found = run_by_storage(last, grid);
        let text =
            || format!("seed {seed}, program {id:?}\n{}\n{}", print(&module), print_function(last));
        assert!(found.faults.is_empty(), "{:#?} {}", found.faults, text());
        let (found, expected) = (world(&found.events, moved), world(&expected.events, moved));
        assert_eq!(found, expected, "by storage, {}", text());
    }
    true
}

#[test]
fn what_comes_out_is_text_that_goes_in_again() {
    let bindings = bindings(&random_ir::arguments());
    for seed in 0..200 {
        let Some(first) = stages(&random_ir::module(seed), &bindings, 1 << 30) else { continue };
        let first = &first.last().expect("there are passes").1;
        let again = support::read(&print_function(first));
        let second = stages(&again, &bindings, 1 << 30).expect("it was launched before");
        let second = &second.last().expect("there are passes").1;
        for id in PROGRAMS {
            let grid = grid(&bindings, id);
            let (first, second) = (run_by_storage(first, grid), run_by_storage(second, grid));
            assert_eq!(second.faults, [""; 0], "seed {seed}");
            assert_eq!(first.events, second.events, "seed {seed}");
        }
    }
}

#[test]
fn passes_keep_the_meaning_of_random_kernels() {
    let launched = (0..500).filter(|seed| check(*seed)).count();
    assert!(launched > 400, "only {launched} of 500 kernels can be launched");
}
