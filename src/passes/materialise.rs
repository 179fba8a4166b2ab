//! `materialise`: lays out a view in a buffer of its own where it cannot stay a view.
//!
//! Elementwise ops, reductions and `dot` read tiles through strides. What leaves the PE, what a
//! loop or branch hands on, and what is reshaped must lie row by row. A tile that `recv` copies
//! into must be nobody else's: neither a slot, nor bytes that a live value still shows.

use std::collections::BTreeMap;

use super::liveness::Liveness;
use super::origins::Origins;
use super::{Context, Pass};
use crate::diag::Reported;
use crate::ir::{BlockId, Copy, Function, Op, OpId, Uses, Value};

/// See the module.
#[derive(Debug)]
pub(super) struct Materialise;

impl Pass for Materialise {
    fn name(&self) -> &'static str {
        "materialise"
    }

    fn summary(&self) -> &'static str {
        "copy views to buffers of their own where they cannot stay views"
    }

    fn run(&self, function: &mut Function, _context: &mut Context<'_>) -> Result<(), Reported> {
        lay_out(function, function.entry, &mut BTreeMap::new());
        own_destinations(function);
        Ok(())
    }
}

/// Copies what the ops of `block` need row by row. `copies` holds the copies that are visible.
fn lay_out(function: &mut Function, block: BlockId, copies: &mut BTreeMap<Value, Value>) {
    let outer = copies.clone();
    for op in std::mem::take(&mut function.blocks[block].ops) {
        for value in needed_in_order(&function.ops[op].op) {
            if !function.is_tile(value) || function.is_row_major(value) {
                continue;
            }
            let copy = match copies.get(&value) {
                Some(copy) => *copy,
                None => append_copy(function, block, op, value),
            };
            copies.insert(value, copy);
            replace_in_order(&mut function.ops[op].op, value, copy);
        }
        for inner in function.ops[op].op.blocks() {
            lay_out(function, inner, copies);
        }
        function.blocks[block].ops.push(op);
    }
    *copies = outer;
}

/// Appends a copy of `value` to `block`, written where `op` is.
fn append_copy(function: &mut Function, block: BlockId, op: OpId, value: Value) -> Value {
    let ty = function.ty(value).clone();
    let span = function.spans[op];
    let copy = function.append_value(block, Copy { x: value }, ty, span);
    let name = function.values[value].name.clone();
    function.values[copy].name = name;
    copy
}

/// The operands of `op` that must lie row by row.
fn needed_in_order(op: &Op) -> Vec<Value> {
    let mut values = Vec::new();
    if takes_in_order(op) {
        op.for_each_use(&mut |value| values.push(value));
    }
    values
}

fn takes_in_order(op: &Op) -> bool {
    op.is_terminator()
        || matches!(
            op,
            Op::Store(_)
                | Op::DmaWrite(_)
                | Op::Send(_)
                | Op::Recv(_)
                | Op::Reshape(_)
                | Op::For(_)
                | Op::While(_)
        )
}

fn replace_in_order(op: &mut Op, value: Value, copy: Value) {
    op.replace_uses(&mut |used| if used == value { copy } else { used });
}

/// Gives each `recv` that copies into a tile a tile that nobody else sees.
fn own_destinations(function: &mut Function) {
    let origins = Origins::of(function);
    let liveness = Liveness::of(function, &origins);
    let shared: Vec<OpId> = function
        .reachable_ops()
        .into_iter()
        .filter(|op| {
            destination(function, *op).is_some_and(|dst| {
                origins.may_be_in_slot(function, dst) || !liveness.rivals(*op).is_empty()
            })
        })
        .collect();
    for block in function.reachable_blocks() {
        if !function.blocks[block].ops.iter().any(|op| shared.contains(op)) {
            continue;
        }
        for op in std::mem::take(&mut function.blocks[block].ops) {
            if let Some(dst) = destination(function, op).filter(|_| shared.contains(&op)) {
                let copy = append_copy(function, block, op, dst);
                replace_in_order(&mut function.ops[op].op, dst, copy);
            }
            function.blocks[block].ops.push(op);
        }
    }
}

/// The tile that `op`, if it is a `recv`, copies into.
fn destination(function: &Function, op: OpId) -> Option<Value> {
    let Op::Recv(it) = &function.ops[op].op else { return None };
    it.dst
}
