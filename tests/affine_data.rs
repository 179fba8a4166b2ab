//! Kernels that compute addresses on tiles of integers, before and after the passes and on the
//! machine: to the bit what they mean, and with transfers in the place of gathers.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and says what it left out"
)]

mod support;

use kbc::ir::print::{print, print_function};
use kbc::ir::{Function, Module, Op};
use support::on_machine::{
    machine, machine_bindings, run_by_meaning, run_on_machine, shown, stages,
};
use support::{limits, random_kernels as kernels, random_lanes};

fn data(seed: u64) -> [Vec<u8>; 2] {
    [
        kernels::data(seed, kernels::IN.1),
        kernels::data(!seed, kernels::OUT.1 * u64::from(kernels::PROGRAMS)),
    ]
}

/// How many gathers and scatters there are, and how many transfers with a window.
fn count(function: &Function) -> [usize; 2] {
    let ops: Vec<_> =
        function.reachable_ops().into_iter().map(|op| function.ops[op].op.clone()).collect();
    let lanes = |op: &&Op| matches!(op, Op::GatherLoad(_) | Op::ScatterStore(_));
    let windows = |op: &&Op| match op {
        Op::DmaRead(it) => !it.window.is_whole(),
        Op::DmaWrite(it) => !it.window.is_whole(),
        _ => false,
    };
    [ops.iter().filter(lanes).count(), ops.iter().filter(windows).count()]
}

/// Checks each pass on the kernel of a seed; gives what there is before and after `affine`.
fn check_passes(seed: u64) -> [[usize; 2]; 2] {
    let module: Module = random_lanes::module(seed);
    let (bindings, data) = (machine_bindings(&kernels::arguments()), data(seed));
    let kernel = &module.functions[module.kernels().next().unwrap()];
    let text = || format!("seed {seed}\n{}", print(&module));
    let violations = kbc::ir::verify::verify(&module);
    assert!(violations.is_empty(), "{violations:#?}\n{}", text());
    let expected = run_by_meaning(Some(&module), kernel, &bindings, &data)
        .unwrap_or_else(|fault| panic!("{fault:?}, {}", text()));
    let mut limits = limits();
    limits.tcm_bytes = 1 << 30;
    let stages = stages(&module, &bindings, &limits).unwrap_or_else(|| panic!("{}", text()));
    let mut counts = Vec::new();
    for (pass, function) in &stages {
        let found = run_by_meaning(Some(&module), function, &bindings, &data);
        let text = || format!("{}\n{}", text(), print_function(function));
        let found = found.unwrap_or_else(|fault| panic!("{fault:?} after {pass}, {}", text()));
        assert!(found == expected, "after {pass}, {}", text());
        if ["descriptors", "affine"].contains(pass) {
            counts.push(count(function));
        }
    }
    [counts[0], counts[1]]
}

#[test]
fn passes_keep_what_address_arithmetic_means() {
    let (mut before, mut after, mut windows) = (0, 0, 0);
    for seed in 0..250 {
        let [[lanes, _], [left, made]] = check_passes(seed);
        (before, after, windows) = (before + lanes, after + left, windows + made);
    }
    eprintln!("{before} accesses, {after} left, {windows} windows");
    assert!(before > 500, "only {before} accesses");
    assert!(after * 2 < before, "{after} of {before} are still gathers");
    assert!(windows * 10 > before, "only {windows} of {before} have a window");
}

#[test]
fn the_machine_moves_what_the_interpreter_does() {
    let (spec, machine) = machine();
    for seed in 0..120 {
        let module = random_lanes::module(seed);
        let (bindings, data) = (machine_bindings(&kernels::arguments()), data(seed));
        let kernel = &module.functions[module.kernels().next().unwrap()];
        let expected = run_by_meaning(Some(&module), kernel, &bindings, &data).unwrap();
        let ran = run_on_machine((&spec, &machine), &module, &bindings, &data);
        let text = || format!("seed {seed}\n{}", print(&module));
        let ran = ran.unwrap_or_else(|sink| panic!("{}\n{}", shown(sink), text()));
        let function = print_function(&ran.function);
        assert!(ran.memory == expected.0, "{}\n{function}", text());
    }
}
