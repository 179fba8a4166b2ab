//! Reductions along an axis.

use super::Call;
use crate::dtype::{DType, Kind};
use crate::ir::{self, Dim, TileType, Type, Value};
use crate::ops::{ReduceOp, UnaryOp};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{names, shapes};
use crate::sema::value::{Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::BinaryOp;

/// `tl.sum(x, axis)` and its kind.
pub(super) fn reduce(it: &mut Analysis<'_>, op: ReduceOp, call: &Call) -> Val {
    let x = call.arg("x");
    let Some((value, tile)) = x.val.value().zip(it.tile(&x.val).cloned()) else {
        return it.expected_tile(call, x);
    };
    if call.flag("return_indices") {
        return it.report(names::not_yet("`return_indices=True`", call.span));
    }
    if call.get("tie_break_left").is_some() && !call.flag("tie_break_left") {
        return it.report(names::not_yet("`tie_break_left=False`", call.span));
    }
    let axis = match call.some("axis") {
        Some(arg) => match it.axis_argument(arg, tile.dims.len()) {
            Some(axis) => Some(axis),
            None => return Val::Error,
        },
        None => None,
    };
    let dtype = match call.some("dtype") {
        Some(arg) => match it.dtype_argument(arg) {
            Some(dtype) => dtype,
            None => return Val::Error,
        },
        None => reduced_dtype(op, tile.dtype, it.frame.style),
    };
    let value = it.cast(value, dtype, x.span);
    Val::Value(it.reduced(op, value, axis, (call.flag("keep_dims"), call.span)))
}

/// The element type in which elements of type `dtype` are reduced.
fn reduced_dtype(op: ReduceOp, dtype: DType, style: Style) -> DType {
    let narrow = dtype.bits() < 32;
    match (op, dtype.kind()) {
        (ReduceOp::Sum, Kind::Signed) if narrow => DType::I32,
        (ReduceOp::Sum, Kind::Unsigned | Kind::Bool) if narrow => DType::U32,
        (ReduceOp::Max | ReduceOp::Min, Kind::Float) if narrow && style == Style::Jit => DType::F32,
        (ReduceOp::Max | ReduceOp::Min, Kind::Signed | Kind::Unsigned | Kind::Bool)
            if narrow && style == Style::Jit =>
        {
            DType::I32
        }
        _ => dtype,
    }
}

/// `tl.softmax(x, axis)`.
pub(super) fn softmax(it: &mut Analysis<'_>, call: &Call) -> Val {
    let x = call.arg("x");
    let Some((value, tile)) = x.val.value().zip(it.tile(&x.val).cloned()) else {
        return it.expected_tile(call, x);
    };
    let axis = match (call.some("axis"), tile.dims.len()) {
        (Some(arg), rank) => it.axis_argument(arg, rank),
        (None, 1) => Some(0),
        (None, rank) => {
            it.report(shapes::softmax_needs_axis(rank, call.span));
            None
        }
    };
    let Some(axis) = axis else { return Val::Error };
    let span = call.span;
    let spanned = |val: Val| Spanned { val, span };
    let largest = it.reduced(ReduceOp::Max, value, Some(axis), (true, span));
    let shifted = it.binary(BinaryOp::Sub, x, &spanned(Val::Value(largest)), span);
    let powers = it.unary_function(UnaryOp::Exp, &spanned(shifted), "tl.softmax", x.span);
    let Some(terms) = powers.value() else { return Val::Error };
    let total = it.reduced(ReduceOp::Sum, terms, Some(axis), (true, span));
    it.binary(BinaryOp::Div, &spanned(powers), &spanned(Val::Value(total)), span)
}

impl Analysis<'_> {
    /// `x`, a tile, reduced along `axis`, or altogether.
    pub(super) fn reduced(
        &mut self,
        op: ReduceOp,
        x: Value,
        axis: Option<u32>,
        (keep_dims, span): (bool, Span),
    ) -> Value {
        let Some(tile) = self.tile(&Val::Value(x)).cloned() else { return x };
        let dtype = if op.gives_index() { DType::I32 } else { tile.dtype };
        let mut dims = tile.dims;
        let rank = dims.len();
        match axis {
            None => dims.clear(),
            Some(axis) if keep_dims => {
                if let Some(dim) = dims.get_mut(axis as usize) {
                    *dim = Dim::Const(1);
                }
            }
            Some(axis) => {
                dims.remove((axis as usize).min(rank.saturating_sub(1)));
            }
        }
        let ty = Type::Tile(TileType::new(dims, dtype));
        let keeps = keep_dims && axis.is_some();
        let op = ir::Reduce { op, x, axis, keep_dims: keeps };
        let result = self.frame.build.emit_value(op, ty, span);
        if !keep_dims || axis.is_some() {
            return result;
        }
        let ty = Type::Tile(TileType::new(vec![Dim::Const(1); rank], dtype));
        self.frame.build.emit_value(ir::Reshape { x: result }, ty, span)
    }
}
