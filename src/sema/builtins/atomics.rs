//! Atomics: elements of memory that are read, changed and written as one.

use super::blocks::{self, BlockLanes};
use super::{Call, lanes};
use crate::dtype::DType;
use crate::ir::{self, TileType, Type};
use crate::ops::{AtomicOp, Domain};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{atomics as errors, pointers};
use crate::sema::value::{Constant, Pointer, Val};
use crate::source::Span;

/// The orders of memory that Triton knows. An atomic op of kbc is ordered as the strongest.
const ORDERS: [&str; 4] = ["acquire", "release", "acq_rel", "relaxed"];

/// The threads that Triton can order an atomic op among.
const SCOPES: [&str; 3] = ["gpu", "cta", "sys"];

/// `tl.atomic_add(pointers, value, mask=)` and its like.
pub(super) fn atomic(it: &mut Analysis<'_>, op: AtomicOp, call: &Call) -> Val {
    let ptr = call.arg("pointer");
    let pointer = match lanes::pointer_argument(it, ptr) {
        Some(Ok(pointer)) => pointer,
        Some(Err(unknown)) => return unknown,
        None => {
            let found = it.describe(&ptr.val);
            let error = pointers::not_an_address(&call.name(), &found, ptr.span);
            return it.report(match it.frame.style {
                Style::Jit => error,
                Style::Tl => error.help("atomics take the pointers of `@triton.jit` kernels"),
            });
        }
    };
    if !hints_are_known(it, call) || !takes(it, op, call, (pointer.dtype, false)) {
        return Val::Error;
    }
    changed(it, op, call, (pointer, ptr.span)).unwrap_or(Val::Error)
}

fn changed(
    it: &mut Analysis<'_>,
    op: AtomicOp,
    call: &Call,
    pointer: (Pointer, Span),
) -> Option<Val> {
    let lanes = lanes::lanes(it, call, pointer, None)?;
    let value = lanes::value_of_lanes(it, call, &lanes, call.arg("val"))?;
    let expected = match call.get("cmp") {
        Some(expected) => Some(lanes::value_of_lanes(it, call, &lanes, expected)?),
        None => None,
    };
    let ty = it.ty(value).clone();
    let lanes::Lanes { pointer, mask, .. } = lanes;
    let (ptr, offsets) = (pointer.address, pointer.offsets);
    let op = ir::Atomic { op, ptr, strides: Vec::new(), offsets, value, expected, mask };
    Some(Val::Value(it.frame.build.emit_value(op, ty, call.span)))
}

/// `desc.atomic_add(offsets, value)` and its like, which give nothing.
pub(super) fn of_descriptor(it: &mut Analysis<'_>, op: AtomicOp, call: &Call) -> Val {
    let Some((view, axes)) = blocks::axes_argument(it, call) else { return Val::Error };
    if !takes(it, op, call, (view.base.dtype, true)) {
        return Val::Error;
    }
    let value = blocks::stored(it, call, (&view, &axes), call.arg("value"));
    let Some((BlockLanes { ptr, offsets, mask, .. }, value)) = value else { return Val::Error };
    let (strides, offsets, expected) = (Vec::new(), Some(offsets), None);
    let op = ir::Atomic { op, ptr, strides, offsets, value, expected, mask };
    let ty = Type::Tile(TileType::new(axes.iter().map(|axis| axis.dim).collect(), view.base.dtype));
    it.frame.build.emit_value(op, ty, call.span);
    Val::NONE
}

/// Whether `op` is one that elements of `dtype` have. Blocks of descriptors also have the larger
/// and the smaller of 16-bit floats.
fn takes(it: &mut Analysis<'_>, op: AtomicOp, call: &Call, (dtype, block): (DType, bool)) -> bool {
    let least = match op {
        AtomicOp::Cas => 16,
        AtomicOp::Add if dtype.is_float() => 16,
        AtomicOp::Max | AtomicOp::Min if dtype.is_float() && block => 16,
        AtomicOp::Add
        | AtomicOp::Max
        | AtomicOp::Min
        | AtomicOp::And
        | AtomicOp::Or
        | AtomicOp::Xor
        | AtomicOp::Xchg => 32,
    };
    let takes = (op.domain() == Domain::Any || dtype.is_int()) && dtype.bits() >= least;
    if !takes {
        it.report(errors::element_type(&call.name(), dtype, wanted(op), call.arg_span()));
    }
    takes
}

/// The element types that an op takes, in words.
fn wanted(op: AtomicOp) -> &'static str {
    match op {
        AtomicOp::Add => "integers of 32 and 64 bits, f16, bf16, f32 and f64",
        AtomicOp::Max | AtomicOp::Min | AtomicOp::Xchg => "integers and floats of 32 and 64 bits",
        AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => "integers of 32 and 64 bits",
        AtomicOp::Cas => "elements of 16, 32 and 64 bits",
    }
}

/// `sem=` and `scope=` say how a GPU orders the op; here every order is the strongest one.
fn hints_are_known(it: &mut Analysis<'_>, call: &Call) -> bool {
    let known = |it: &mut Analysis<'_>, name: &str, words: &[&str]| {
        let Some(arg) = call.some(name) else { return true };
        let good = arg.val.text().is_some_and(|text| words.contains(&text));
        let symbol = it.assume(&arg.val, &Constant::Str(String::from(words[0])));
        if !good && !symbol {
            let found = it.describe(&arg.val);
            it.report(errors::unknown_hint(name, &found, words, arg.span));
        }
        good
    };
    let order = known(it, "sem", &ORDERS);
    known(it, "scope", &SCOPES) && order
}
