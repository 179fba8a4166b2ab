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
use kbc::ir::{Bindings, Function, Module, Nest, Op, Uses};
use kbc::ops::BinaryOp;
use support::on_machine::{
    machine, machine_bindings, run_by_meaning, run_on_machine, shown, stages,
};
use support::{limits, loop_kernels, random_kernels as kernels};

fn inputs(seed: u64) -> (Module, Bindings, [Vec<u8>; 2]) {
    let data = [
        kernels::data(seed, kernels::IN.1),
        kernels::data(!seed, kernels::OUT.1 * u64::from(kernels::PROGRAMS)),
    ];
    (kernels::module(seed), machine_bindings(&kernels::arguments()), data)
}

/// The kernel of nested loops that a seed decides, and its inputs.
fn loop_inputs(seed: u64) -> (Module, Bindings, [Vec<u8>; 2]) {
    let (_, bindings, data) = inputs(seed);
    (support::read(&loop_kernels::text(seed)), bindings, data)
}

/// Checks each pass on the kernel of a seed; says whether it can be launched.
fn check_passes((module, bindings, data): (Module, Bindings, [Vec<u8>; 2]), seed: u64) -> bool {
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
    let launched = (0..400).filter(|seed| check_passes(inputs(*seed), *seed)).count();
    assert!(launched > 350, "only {launched} of 400 kernels can be launched");
}

/// Checks the whole pipeline on the kernel of a seed; says whether it can be launched.
fn check_machine(
    on: &(kbc::topology::Spec, kbc::topology::Machine),
    (module, bindings, data): (Module, Bindings, [Vec<u8>; 2]),
    seed: u64,
) -> bool {
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
    let launched = (0..400).filter(|seed| check_machine(&machine, inputs(*seed), *seed)).count();
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

#[test]
fn passes_keep_what_loops_compute() {
    assert!((0..200).all(|seed| check_passes(loop_inputs(seed), seed)));
}

#[test]
fn the_machine_computes_what_loops_do() {
    let machine = machine();
    let launched =
        (0..100).filter(|seed| check_machine(&machine, loop_inputs(*seed), *seed)).count();
    assert!(launched > 95, "only {launched} of 100 kernels can be launched");
}

/// How many loads stand in loops.
fn loads_in_loops(function: &Function) -> usize {
    let mut found = 0;
    for op in function.reachable_ops() {
        if let Nest::For(it) = function.ops[op].op.nest() {
            let ops = &function.blocks[it.body].ops;
            found += ops.iter().filter(|op| is_load(function, **op)).count();
        }
    }
    found
}

fn is_load(function: &Function, op: kbc::ir::OpId) -> bool {
    matches!(function.ops[op].op, Op::DmaRead(_))
}

/// Moves every load whose address is known before its loop there, whatever the loop writes.
fn move_blindly(function: &mut Function) {
    for block in function.reachable_blocks() {
        let mut at = 0;
        while let Some(looped) = function.blocks[block].ops.get(at).copied() {
            if let Nest::For(it) = function.ops[looped].op.nest() {
                let body = it.body;
                let own: Vec<kbc::ir::Value> = function.blocks[body]
                    .args
                    .iter()
                    .copied()
                    .chain(results(function, body))
                    .collect();
                let moves = |function: &Function, op: kbc::ir::OpId| {
                    let mut outside = is_load(function, op);
                    function.ops[op].op.for_each_use(&mut |value| outside &= !own.contains(&value));
                    outside
                };
                let ops = std::mem::take(&mut function.blocks[body].ops);
                let (moved, kept): (Vec<_>, Vec<_>) =
                    ops.into_iter().partition(|op| moves(function, *op));
                function.blocks[body].ops = kept;
                let count = moved.len();
                function.blocks[block].ops.splice(at..at, moved);
                at += count;
            }
            at += 1;
        }
    }
}

fn results(function: &Function, block: kbc::ir::BlockId) -> Vec<kbc::ir::Value> {
    let ops = function.blocks[block].ops.iter();
    ops.flat_map(|op| function.ops[*op].results.clone()).collect()
}

/// The kernels of loops have loads that `licm` moves, and loads that it would be wrong to move.
#[test]
fn loops_tell_good_motion_from_bad() {
    let (mut moved, mut noticed) = (0, 0);
    for seed in 0..200 {
        let (module, bindings, data) = loop_inputs(seed);
        let mut wide = limits();
        wide.tcm_bytes = 1 << 30;
        let stages = stages(&module, &bindings, &wide).unwrap();
        let after = |pass: &str| &stages.iter().find(|(name, _)| *name == pass).unwrap().1;
        let mut function = after("licm").clone();
        moved += usize::from(loads_in_loops(&function) < loads_in_loops(after("materialise")));
        let expected = run_by_meaning(Some(&module), &function, &bindings, &data).unwrap();
        move_blindly(&mut function);
        let found = run_by_meaning(Some(&module), &function, &bindings, &data);
        noticed += usize::from(found != Ok(expected));
    }
    assert!(moved > 30, "only {moved} of 200 kernels have loads that move");
    assert!(noticed > 15, "only {noticed} of 200 kernels have loads that must not");
}
