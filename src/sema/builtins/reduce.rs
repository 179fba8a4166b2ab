//! Reductions along an axis.

use super::Call;
use crate::dtype::{DType, Kind};
use crate::ir::{self, Dim, TileType, Type, Value};
use crate::ops::{BinaryOp as Op, ReduceOp, UnaryOp};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{operands, shapes};
use crate::sema::value::{Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::BinaryOp;

/// `tl.sum(x, axis)` and its kind.
pub(super) fn reduce(it: &mut Analysis<'_>, op: ReduceOp, call: &Call) -> Val {
    let x = call.arg("x");
    let Some((value, tile)) = x.val.value().zip(it.tile(&x.val).cloned()) else {
        return it.expected_tile(call, x);
    };
    if matches!(op, ReduceOp::XorSum | ReduceOp::ReduceOr) && !tile.dtype.is_int() {
        let found = it.describe(&x.val);
        let what = format!("the operand of `{}`", call.name());
        return it.report(operands::needs_int(&what, &found, x.span));
    }
    let Some(nan_wins) = it.nan_rule(call) else { return Val::Error };
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
    let keeps = (call.flag("keep_dims"), call.span);
    let is_off = |name: &str| call.get(name).is_some() && !call.flag(name);
    let leftmost = !is_off("tie_break_left") && !is_off("return_indices_tie_break_left");
    if op.gives_index() {
        return Val::Value(it.place_of(op, (value, leftmost), axis, keeps));
    }
    if call.flag("return_indices") {
        // The place is among the elements as they are; only bf16 is widened, as Triton does.
        let widened = if tile.dtype == DType::BF16 { DType::F32 } else { tile.dtype };
        let value = it.cast(value, widened, x.span);
        let place = if op == ReduceOp::Max { ReduceOp::ArgMax } else { ReduceOp::ArgMin };
        let best = it.reduced(with_nan(op, nan_wins), value, axis, keeps);
        let place = it.place_of(place, (value, leftmost), axis, keeps);
        return Val::Tuple(vec![Val::Value(best), Val::Value(place)]);
    }
    let value = it.cast(value, dtype, x.span);
    Val::Value(it.reduced(with_nan(op, nan_wins), value, axis, keeps))
}

/// The op that lets a NaN win, where that is asked for.
fn with_nan(op: ReduceOp, wins: bool) -> ReduceOp {
    let pairs = [(ReduceOp::Max, ReduceOp::MaxNan), (ReduceOp::Min, ReduceOp::MinNan)];
    let other = pairs.iter().find(|(plain, _)| wins && *plain == op);
    other.map_or(op, |(_, with_nan)| *with_nan)
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
    /// The place of the largest or smallest element of `x`: of equal ones the leftmost, or the
    /// rightmost, which is the leftmost of the elements in the opposite order.
    fn place_of(
        &mut self,
        op: ReduceOp,
        (x, leftmost): (Value, bool),
        axis: Option<u32>,
        (keep_dims, span): (bool, Span),
    ) -> Value {
        if leftmost {
            return self.reduced(op, x, axis, (keep_dims, span));
        }
        let Some(tile) = self.tile(&Val::Value(x)).cloned() else { return x };
        let extent = match axis {
            Some(axis) => tile.dims.get(axis as usize).copied().unwrap_or(Dim::Const(1)),
            None => self.product(&tile.dims, span),
        };
        let turned = self.turned(x, &tile, axis, span);
        let found = self.reduced(op, turned, axis, (keep_dims, span));
        let Type::Tile(places) = self.ty(found).clone() else { return found };
        let build = &mut self.frame.build;
        let (extent, one) = (build.dim_value(extent, span), build.int(1, span));
        let last = build.binary_scalar(Op::Sub, extent, one, span);
        let last = self.cast(last, places.dtype, span);
        let last = self.stretched(last, &places, span);
        let op = ir::Binary { op: Op::Sub, x: last, y: found };
        self.frame.build.emit_value(op, Type::Tile(places), span)
    }

    /// `x` in the opposite order along an axis, or altogether.
    fn turned(&mut self, x: Value, tile: &TileType, axis: Option<u32>, span: Span) -> Value {
        let axes = match axis {
            Some(axis) => axis..axis + 1,
            None => 0..tile.dims.len() as u32,
        };
        axes.fold(x, |x, axis| {
            self.frame.build.emit_value(ir::Flip { x, axis }, Type::Tile(tile.clone()), span)
        })
    }

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
