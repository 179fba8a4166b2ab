//! What random kernels compute, on real data and to the bit: before any pass, after each pass,
//! read back from text, and on the machine after lowering, simulation and replay.

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
use kbc::ir::{Bindings, Module, Op};
use kbc::ops::BinaryOp;
use support::on_machine::{
    machine, machine_bindings, run_by_meaning, run_on_machine, shown, stages,
};
use support::{limits, random_kernels as kernels};

fn inputs(seed: u64) -> (Module, Bindings, [Vec<u8>; 2]) {
    let data = [
        kernels::data(seed, kernels::IN.1),
        kernels::data(!seed, kernels::OUT.1 * u64::from(kernels::PROGRAMS)),
    ];
    (kernels::module(seed), machine_bindings(&kernels::arguments()), data)
}

/// Checks each pass on the kernel of a seed; says whether it can be launched.
fn check_passes(seed: u64) -> bool {
    let (module, bindings, data) = inputs(seed);
    let kernel = &module.functions[module.kernels().next().unwrap()];
    let text = || format!("seed {seed}\n{}", print(&module));
    let violations = kbc::ir::verify::verify(&module);
    assert!(violations.is_empty(), "{violations:#?}\n{}", text());
    let expected = run_by_meaning(Some(&module), kernel, &bindings, &data)
        .unwrap_or_else(|fault| panic!("{fault:?}, {}", text()));
    let again = support::read(&print(&module));
    let again_kernel = &again.functions[again.kernels().next().unwrap()];
    let read_back = run_by_meaning(Some(&again), again_kernel, &bindings, &data).unwrap();
    assert!(expected == read_back, "after printing and reading, {}", text());
    let mut limits = limits();
    limits.tcm_bytes = 1 << 30;
    let Some(stages) = stages(&module, &bindings, &limits) else { return false };
    for (pass, function) in &stages {
        let found = run_by_meaning(Some(&module), function, &bindings, &data);
        let text = || format!("{}\n{}", text(), print_function(function));
        let found = found.unwrap_or_else(|fault| panic!("{fault:?} after {pass}, {}", text()));
        assert!(found == expected, "after {pass}, {}", text());
    }
    true
}

#[test]
fn passes_keep_what_random_kernels_compute() {
    let launched = (0..400).filter(|seed| check_passes(*seed)).count();
    assert!(launched > 350, "only {launched} of 400 kernels can be launched");
}

/// Checks the whole pipeline on the kernel of a seed; says whether it can be launched.
fn check_machine(on: &(kbc::topology::Spec, kbc::topology::Machine), seed: u64) -> bool {
    let (module, bindings, data) = inputs(seed);
    let kernel = &module.functions[module.kernels().next().unwrap()];
    let Ok((expected, _)) = run_by_meaning(Some(&module), kernel, &bindings, &data) else {
        return false;
    };
    let ran = run_on_machine((&on.0, &on.1), &module, &bindings, &data);
    let text = || format!("seed {seed}\n{}", print(&module));
    let ran = match ran {
        Ok(ran) => ran,
        Err(sink) => panic!("{}\n{}", shown(sink), text()),
    };
    if let Some((place, (found, expected))) =
        ran.memory[1].iter().zip(&expected[1]).enumerate().find(|(_, (x, y))| x != y)
    {
        let function = print_function(&ran.function);
        panic!("byte {place} of `out` is {found:#x}, not {expected:#x}, {}\n{function}", text());
    }
    assert!(ran.memory == expected, "{}", text());
    true
}

#[test]
fn the_machine_computes_what_the_interpreter_does() {
    let machine = machine();
    let launched = (0..400).filter(|seed| check_machine(&machine, *seed)).count();
    assert!(launched > 350, "only {launched} of 400 kernels can be launched");
}

/// The tests above would notice a pass that makes a subtraction of an addition, a maximum of a
/// minimum, or that forgets a store.
#[test]
fn wrong_passes_would_be_noticed() {
    let mut noticed = 0;
    let mut wrong = 0;
    for seed in 0..200 {
        let (module, bindings, data) = inputs(seed);
        let kernel = &module.functions[module.kernels().next().unwrap()];
        let expected = run_by_meaning(None, kernel, &bindings, &data).unwrap();
        let mut broken = kernel.clone();
        let tiles: Vec<bool> = kernel
            .ops
            .values()
            .map(|data| data.results.first().is_some_and(|it| kernel.is_tile(*it)))
            .collect();
        let changed = broken.ops.iter_mut().zip(tiles).any(|((_, data), is_tile)| {
            let Op::Binary(it) = &mut data.op else { return false };
            let other = match it.op {
                BinaryOp::Add => BinaryOp::Sub,
                BinaryOp::Sub => BinaryOp::Add,
                BinaryOp::Maximum => BinaryOp::Minimum,
                BinaryOp::Minimum => BinaryOp::Maximum,
                _ => return false,
            };
            if is_tile {
                it.op = other;
            }
            is_tile
        });
        wrong += usize::from(changed);
        let found = run_by_meaning(None, &broken, &bindings, &data);
        noticed += usize::from(found.as_ref() != Ok(&expected));
        let last = kernel.blocks[kernel.entry].ops.len() - 2;
        let mut broken = kernel.clone();
        broken.blocks[broken.entry].ops.remove(last);
        assert!(matches!(kernel.ops[kernel.blocks[kernel.entry].ops[last]].op, Op::Store(_)));
        wrong += 1;
        let found = run_by_meaning(None, &broken, &bindings, &data).unwrap();
        noticed += usize::from(found != expected);
    }
    assert!(noticed * 10 > wrong * 6, "only {noticed} of {wrong} mistakes are noticed");
}
