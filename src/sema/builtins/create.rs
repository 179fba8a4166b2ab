//! New tiles, and tiles of another element type.

use super::{Call, addresses};
use crate::dtype::{DType, Rounding};
use crate::ir::{self, Dim, Literal, TileType, Type, Value};
use crate::ops::BinaryOp;
use crate::sema::analysis::Analysis;
use crate::sema::errors::{constexpr, operands, shapes, tiles};
use crate::sema::value::{Constant, Spanned, Val};
use crate::source::Span;

/// `tl.zeros(shape, dtype)`.
pub(super) fn zeros(it: &mut Analysis<'_>, call: &Call) -> Val {
    let shape = it.shape_argument(call.arg("shape"));
    let dtype = it.dtype_argument(call.arg("dtype"));
    let (Some(dims), Some(dtype)) = (shape, dtype) else { return Val::Error };
    zeros_of(it, dims, dtype, call.span)
}

/// `tl.zeros_like(x)`.
pub(super) fn zeros_like(it: &mut Analysis<'_>, call: &Call) -> Val {
    let like = call.arg("x");
    match it.tile(&like.val).cloned() {
        Some(tile) => zeros_of(it, tile.dims, tile.dtype, call.span),
        None => it.expected_tile(call, like),
    }
}

fn zeros_of(it: &mut Analysis<'_>, dims: Vec<Dim>, dtype: DType, span: Span) -> Val {
    let zero = if dtype.is_float() { Literal::Float(0.0) } else { Literal::Int(0) };
    let value = it.frame.build.constant(zero, dtype, span);
    filled(it, dims, value, span)
}

fn filled(it: &mut Analysis<'_>, dims: Vec<Dim>, value: Value, span: Span) -> Val {
    let ty = Type::Tile(TileType::new(dims, it.ty(value).dtype()));
    Val::Value(it.frame.build.emit_value(ir::Full { value }, ty, span))
}

/// `tl.full(shape, value, dtype)`.
pub(super) fn full(it: &mut Analysis<'_>, call: &Call) -> Val {
    let shape = it.shape_argument(call.arg("shape"));
    let dtype = it.dtype_argument(call.arg("dtype"));
    let (Some(dims), Some(dtype)) = (shape, dtype) else { return Val::Error };
    let value = call.arg("value");
    let number = value.val.constant().is_some_and(Constant::is_number);
    if !number && it.scalar(&value.val).is_none() {
        let found = it.describe(&value.val);
        return it.report(operands::expected_scalar("tl.full", &found, value.span));
    }
    match it.as_dtype(&whole(value, dtype), dtype) {
        Some(scalar) => filled(it, dims, scalar, call.span),
        None => Val::Error,
    }
}

/// `0.0` may fill a tile of integers.
fn whole(value: &Spanned, dtype: DType) -> Spanned {
    let zero = matches!(value.val, Val::Const(Constant::Float(zero)) if zero == 0.0);
    let val = if zero && dtype.is_int() { Val::int(0) } else { value.val.clone() };
    Spanned { val, span: value.span }
}

/// `tl.arange(start, end)`.
pub(super) fn arange(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (start, end) = (call.arg("start"), call.arg("end"));
    let known = [start, end].map(|arg| arg.val.constant().and_then(Constant::as_int));
    if let [Some(start), Some(end)] = known {
        return known_arange(it, (start, end), call.span);
    }
    let bounds = [start, end].map(|arg| {
        if it.is_run_time_in_jit(arg) {
            let found = it.describe(&arg.val);
            it.report(constexpr::arange_bound(&found, arg.span));
            return None;
        }
        let value = it.integer_scalar(arg);
        if value.is_none() {
            let found = it.describe(&arg.val);
            it.report(operands::expected_scalar("tl.arange", &found, arg.span));
        }
        value
    });
    let [Some(first), Some(end)] = bounds else { return Val::Error };
    let build = &mut it.frame.build;
    let from_zero = build.func.literal(first) == Some(Literal::Int(0));
    let size =
        if from_zero { end } else { build.binary_scalar(BinaryOp::Sub, end, first, call.span) };
    let dims = vec![build.dim(size)];
    let ty = Type::Tile(TileType::new(dims, DType::I32));
    let tile = build.emit_value(ir::Arange { start: 0 }, ty.clone(), call.span);
    if from_zero {
        return Val::Value(tile);
    }
    let offset = build.cast_scalar(first, DType::I32, call.span);
    let op = ir::Binary { op: BinaryOp::Add, x: tile, y: offset };
    Val::Value(build.emit_value(op, ty, call.span))
}

fn known_arange(it: &mut Analysis<'_>, (start, end): (i128, i128), span: Span) -> Val {
    let fits = |value: i128| i32::try_from(value).ok();
    let (Some(first), Some(_)) = (fits(start), fits(end.saturating_sub(1))) else {
        return it.report(shapes::arange_does_not_fit(start, end, span));
    };
    if end <= start {
        return it.report(shapes::empty_arange(start, end, span));
    }
    let extent = Dim::Const((end - start) as i64);
    if !it.extent_of_triton(extent, span) {
        return Val::Error;
    }
    let dims = vec![extent];
    let ty = Type::Tile(TileType::new(dims, DType::I32));
    let op = ir::Arange { start: i64::from(first) };
    Val::Value(it.frame.build.emit_value(op, ty, span))
}

/// `tl.to_tensor(x)`.
pub(super) fn to_tensor(it: &mut Analysis<'_>, call: &Call) -> Val {
    let x = call.arg("x");
    it.materialize(&x.val, x.span)
}

/// `tl.cast(x, dtype)`, `x.to(dtype)`.
pub(super) fn cast(it: &mut Analysis<'_>, call: &Call) -> Val {
    if let Some(pointer) = addresses::cast(it, call) {
        return pointer;
    }
    let Some(dtype) = it.dtype_argument(call.arg("dtype")) else { return Val::Error };
    let x = call.arg("x");
    let number = x.val.constant().is_some_and(Constant::is_number);
    if !number && it.tile(&x.val).is_none() && it.scalar(&x.val).is_none() {
        return it.expected_tile(call, x);
    }
    let source = if number { it.materialize(&x.val, x.span) } else { x.val.clone() };
    if call.flag("bitcast") {
        return bitcast(it, &source, dtype, call.span);
    }
    let rounding = rounding(it, call, &source, dtype);
    match source.value().zip(rounding) {
        Some((value, rounding)) => Val::Value(it.round(value, (dtype, rounding), call.span)),
        None => Val::Error,
    }
}

/// `x.to(dtype, bitcast=True)`: the bits of each element as another type of their width.
fn bitcast(it: &mut Analysis<'_>, source: &Val, dtype: DType, span: Span) -> Val {
    let Some((mut value, from)) = source.value().zip(it.operand_dtype(source)) else {
        return Val::Error;
    };
    if from == dtype {
        return source.clone();
    }
    if from.bits() != dtype.bits() || (from == DType::I1) != (dtype == DType::I1) {
        return it.report(tiles::bitcast_width(&from.to_string(), &dtype.to_string(), span));
    }
    if it.scalar(source).is_some() {
        if from.is_int() && dtype.is_int() {
            return Val::Value(it.cast(value, dtype, span));
        }
        // Bits of floats are bits of tiles; the MATH engine has them.
        value = it.stretched(value, &TileType::new(Vec::new(), from), span);
    }
    let dims = it.tile(&Val::Value(value)).map(|tile| tile.dims.clone()).unwrap_or_default();
    let ty = Type::Tile(TileType::new(dims, dtype));
    Val::Value(it.frame.build.emit_value(ir::Bitcast { x: value }, ty, span))
}

/// What `fp_downcast_rounding=` asks for; only of a float made narrower.
fn rounding(it: &mut Analysis<'_>, call: &Call, source: &Val, to: DType) -> Option<Rounding> {
    let Some(asked) = call.some("fp_downcast_rounding") else { return Some(Rounding::NearestEven) };
    let known = match asked.val.constant() {
        Some(Constant::Str(name)) if name == "rtne" => Some(Rounding::NearestEven),
        Some(Constant::Str(name)) if name == "rtz" => Some(Rounding::TowardZero),
        Some(_) | None => None,
    };
    let Some(rounding) = known else {
        let found = it.describe(&asked.val);
        it.report(operands::unknown_rounding(&found, asked.span));
        return None;
    };
    let from = it.operand_dtype(source)?;
    if !(from.is_float() && to.is_float() && to.bits() < from.bits()) {
        it.report(operands::rounding_of_no_downcast((from, to), asked.span));
        return None;
    }
    Some(rounding)
}
