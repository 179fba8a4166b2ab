//! `materialise`: lays out a view in a buffer of its own where it cannot stay a view.
//!
//! Elementwise ops and reductions read tiles through strides; `dot`, gathers and scatters those that
//! (composites, too) go forward from the first element. What leaves the PE, what a loop or branch hands on, and what is reshaped in a way
//! that no strides describe must lie row by row. A tile that `recv` copies
//! into must be nobody else's: neither a slot, nor bytes that a live value still shows.

use std::collections::{BTreeMap, BTreeSet};

use super::liveness::Liveness;
use super::origins::{MAX_PAIRS, Origins};
use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, lowering};
use crate::ir::{BlockId, Copy, Function, Op, OpId, Uses, Value};
use crate::units::grouped;

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

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        lay_out(function, function.entry, &mut BTreeMap::new());
        // From here on copies only shorten the ways that bytes take, so one check is enough.
        let Some(origins) = Origins::bounded(function) else {
            return Err(context.sink.error(entangled(function)));
        };
        own_destinations(function, &origins);
        Ok(())
    }
}

/// Copies what the ops of `block` need row by row. `copies` holds the copies that are visible.
fn lay_out(function: &mut Function, block: BlockId, copies: &mut BTreeMap<Value, Value>) {
    let mut made = Vec::new();
    for op in std::mem::take(&mut function.blocks[block].ops) {
        for value in needed_in_order(function, op) {
            if !function.is_tile(value) || reads_as_is(function, op, value) {
                continue;
            }
            let copy = *copies.entry(value).or_insert_with(|| {
                made.push(value);
                append_copy(function, block, op, value)
            });
            replace_in_order(&mut function.ops[op].op, value, copy);
        }
        for inner in function.ops[op].op.blocks() {
            lay_out(function, inner, copies);
        }
        function.blocks[block].ops.push(op);
    }
    // Copies made here are not visible after the block.
    for value in made {
        copies.remove(&value);
    }
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

/// The operands of `op` that cannot be just any view.
fn needed_in_order(function: &Function, op: OpId) -> Vec<Value> {
    let mut values = Vec::new();
    let op = &function.ops[op].op;
    let reads_forward = matches!(
        op,
        Op::Dot(_) | Op::Composite(_) | Op::GatherLoad(_) | Op::ScatterStore(_) | Op::Atomic(_)
    );
    if takes_in_order(op) || reads_forward || matches!(op, Op::Reshape(_)) {
        op.for_each_use(&mut |value| values.push(value));
    }
    values
}

/// Whether `op` can read its operand `value` as it lies.
fn reads_as_is(function: &Function, op: OpId, value: Value) -> bool {
    let data = &function.ops[op];
    if matches!(data.op, Op::Reshape(_)) {
        return data.results.iter().all(|view| function.reading(*view).is_some());
    }
    let is_factor = matches!(&data.op, Op::Dot(it) if it.acc != Some(value));
    // Both operands of an atomic op are read in one way, so they lie row by row.
    let is_lane = matches!(&data.op, Op::Atomic(it)
        if value != it.value && Some(value) != it.expected);
    let is_strided = matches!(data.op, Op::GatherLoad(_) | Op::ScatterStore(_) | Op::Composite(_));
    if is_factor || is_lane || is_strided {
        return function.goes_forward(value);
    }
    function.is_row_major(value)
}

fn takes_in_order(op: &Op) -> bool {
    op.is_terminator()
        || matches!(
            op,
            Op::Store(_)
                | Op::DmaWrite(_)
                | Op::Send(_)
                | Op::Recv(_)
                | Op::Stream(_)
                | Op::For(_)
                | Op::While(_)
        )
}

fn replace_in_order(op: &mut Op, value: Value, copy: Value) {
    op.replace_uses(&mut |used| if used == value { copy } else { used });
}

/// Gives each `recv` that copies into a tile a tile that nobody else sees.
fn own_destinations(function: &mut Function, origins: &Origins) {
    let liveness = Liveness::of(function, origins);
    let shared: BTreeSet<OpId> = function
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

fn entangled(function: &Function) -> Diagnostic {
    let name = &function.name;
    Diagnostic::new(
        lowering::TILES_ENTANGLED,
        format!(
            "the loops and branches of kernel `{name}` hand on tiles in too many ways to follow"
        ),
        function.span,
        format!(
            "more than {} pairs of a value and the tile that it may be",
            grouped(MAX_PAIRS as u64)
        ),
    )
}
