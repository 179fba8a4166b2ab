//! Lanes along the last axis that are not beside each other in memory.
//!
//! What is found out of a tile of offsets is how far it goes from one lane to the next along an
//! axis: a number, a number that the launch decides, or whatever was read from memory.

use std::cell::Cell;

use super::{Access, op_of, takes};
use crate::diag::{Diagnostic, Sink, lowering as codes};

use crate::ir::{Dim, Function, Op, OpId, Type, Uses, Value};
use crate::ops::BinaryOp;

/// The most ops that are looked at for one access.
const MAX_OPS: u32 = 500;

/// How far a tile of integers goes from one element to the next along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// So far.
    By(i64),
    /// The launch decides, or it is not the same everywhere; nothing is proved.
    Unknown,
    /// As memory says.
    Data,
}

/// Warns of lanes that are apart.
pub(super) fn check(function: &Function, id: OpId, access: Access, sink: &mut Sink) {
    let Some(offsets) = access.offsets else { return };
    let Some(tile) = function.ty(access.tile).tile() else { return };
    let Some(last) = tile.dims.len().checked_sub(1) else { return };
    if tile.dims[last] == Dim::Const(1) {
        return;
    }
    let (offsets_rank, span) = (rank(function, offsets), function.spans[id]);
    let axis = (last + offsets_rank).checked_sub(tile.dims.len());
    let step = axis.map_or(Step::By(0), |axis| step(function, offsets, axis, &Cell::new(MAX_OPS)));
    let verb = access.verb;
    let warning = match step {
        Step::By(far) if far.abs() > 1 => {
            let apart = far.unsigned_abs();
            let said = format!("the elements of this {verb} are {apart} apart along the last axis");
            Diagnostic::new(codes::LANES_APART, said, span, "not beside each other in memory")
                .note(format!(
                    "memory is moved in bursts; of a burst, 1 element in {apart} is used"
                ))
                .help("let the last axis go along memory, and turn the tile with `tl.trans`")
        }
        Step::Data => {
            let said =
                format!("memory says where each element of this {verb} along the last axis is");
            Diagnostic::new(codes::LANES_APART, said, span, "every element has a place of its own")
                .note("each element is a burst of its own")
                .help("look up rows, and let the last axis go along them")
        }
        Step::By(_) | Step::Unknown => return,
    };
    sink.warning(warning.because(function.value_span(offsets), "the offsets are these"));
}

fn rank(function: &Function, value: Value) -> usize {
    function.ty(value).tile().map_or(0, |tile| tile.dims.len())
}

/// How far `value` goes along an axis of its own.
fn step(function: &Function, value: Value, axis: usize, left: &Cell<u32>) -> Step {
    let Type::Tile(tile) = function.ty(value) else { return Step::By(0) };
    if tile.dims.get(axis) == Some(&Dim::Const(1)) {
        return Step::By(0);
    }
    let (Some(op), true) = (op_of(function, value), takes(left)) else {
        return Step::Unknown;
    };
    let of = |x: Value| aligned(function, x, (tile.dims.len(), axis), left);
    if let Op::Arange(_) = op {
        return Step::By(1);
    }
    if let Op::Full(_) = op {
        return Step::By(0);
    }
    if let Op::Cast(it) = op {
        return of(it.x);
    }
    if let Op::Broadcast(it) = op {
        return of(it.x);
    }
    if let Op::ExpandDims(it) = op {
        let new = it.axis as usize;
        return match axis {
            axis if axis == new => Step::By(0),
            axis => step(function, it.x, axis - usize::from(axis > new), left),
        };
    }
    if let Op::Transpose(it) = op {
        let from = it.axes.get(axis).map(|axis| *axis as usize);
        return from.map_or(Step::Unknown, |from| step(function, it.x, from, left));
    }
    if let Op::Binary(it) = op {
        return of_binary(function, it.op, [it.x, it.y], [of(it.x), of(it.y)]);
    }
    let mut steps = Vec::new();
    op.for_each_use(&mut |x| steps.push(of(x)));
    let is_read = matches!(op, Op::GatherLoad(_) | Op::Load(_));
    match steps.iter().all(|step| *step == Step::By(0)) {
        true if !matches!(op, Op::Load(_)) => Step::By(0),
        _ if is_read => Step::Data,
        _ if steps.contains(&Step::Data) => Step::Data,
        _ => Step::Unknown,
    }
}

/// How far an operand goes along an axis of the result: operands of fewer axes have the last ones.
fn aligned(
    function: &Function,
    x: Value,
    (rank_of_result, axis): (usize, usize),
    left: &Cell<u32>,
) -> Step {
    match (axis + rank(function, x)).checked_sub(rank_of_result) {
        Some(own) => step(function, x, own, left),
        None => Step::By(0),
    }
}

fn of_binary(function: &Function, op: BinaryOp, [x, y]: [Value; 2], steps: [Step; 2]) -> Step {
    match (op, steps) {
        (_, [Step::By(0), Step::By(0)]) => Step::By(0),
        (_, [Step::Data, _] | [_, Step::Data]) => Step::Data,
        (BinaryOp::Add, [Step::By(x), Step::By(y)]) => Step::By(x.saturating_add(y)),
        (BinaryOp::Sub, [Step::By(x), Step::By(y)]) => Step::By(x.saturating_sub(y)),
        (BinaryOp::Mul, [Step::By(step), Step::By(0)]) => times(function, step, y),
        (BinaryOp::Mul, [Step::By(0), Step::By(step)]) => times(function, step, x),
        // Wrapping around at an edge leaves neighbours beside each other but there.
        (BinaryOp::Rem | BinaryOp::FloorMod, [step, Step::By(0)]) => step,
        _ => Step::Unknown,
    }
}

/// A step times a factor that is the same for all lanes.
fn times(function: &Function, step: i64, factor: Value) -> Step {
    let mut value = factor;
    for _ in 0..MAX_OPS {
        if let Some(literal) = function.literal(value).and_then(|it| it.as_int()) {
            return Step::By(step.saturating_mul(literal));
        }
        value = match op_of(function, value) {
            Some(Op::Full(it)) => it.value,
            Some(Op::Cast(it)) => it.x,
            Some(Op::Broadcast(it)) => it.x,
            Some(_) | None => return Step::Unknown,
        };
    }
    Step::Unknown
}
