//! The matrix product.

use super::Call;
use crate::dtype::DType;
use crate::ir::{self, Dim, TileType, Type, Value};
use crate::sema::analysis::Analysis;
use crate::sema::errors::{matrix as errors, names};
use crate::sema::value::{Spanned, Val};

/// `tl.dot(a, b, acc)`.
pub(super) fn dot(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (a, b) = (call.arg("a"), call.arg("b"));
    let (Some((left, x)), Some((right, y))) = (matrix(it, call, a), matrix(it, call, b)) else {
        return Val::Error;
    };
    let Some(natural) = product_dtype(x.dtype, y.dtype) else {
        let labels = [a, b].map(|arg| it.dtype_label(&arg.val));
        return it.report(errors::dot_dtypes((x.dtype, y.dtype), call.span, labels));
    };
    let ([m, k], [k_right, n]) = (&x.dims[..], &y.dims[..]) else { return Val::Error };
    if !it.require_equal("the inner extents of `tl.dot`", (*k, *k_right), 0, call.span) {
        let shapes = [it.shape_text(&x.dims), it.shape_text(&y.dims)];
        let labels = [it.shape_label(&a.val), it.shape_label(&b.val)];
        return it.report(errors::dot_shapes(&shapes, call.span, labels));
    }
    let dims = vec![*m, *n];
    let Some((acc, dtype)) = accumulator(it, call, &dims, (x.dtype, natural)) else {
        return Val::Error;
    };
    let ty = Type::Tile(TileType::new(dims, dtype));
    Val::Value(it.frame.build.emit_value(ir::Dot { a: left, b: right, acc }, ty, call.span))
}

fn matrix(it: &mut Analysis<'_>, call: &Call, arg: &Spanned) -> Option<(Value, TileType)> {
    let Some((value, tile)) = arg.val.value().zip(it.tile(&arg.val).cloned()) else {
        it.expected_tile(call, arg);
        return None;
    };
    if tile.dims.len() == 2 {
        return Some((value, tile));
    }
    if tile.dims.len() == 3 {
        it.report(names::not_yet("`tl.dot` of batches (three axes)", arg.span));
        return None;
    }
    let found = it.describe(&arg.val);
    let label = it.shape_label(&arg.val);
    it.report(errors::dot_rank(&found, arg.span, label));
    None
}

/// The element type that products of `a` and `b` are summed in.
fn product_dtype(a: DType, b: DType) -> Option<DType> {
    let narrow = |dtype: DType| dtype.is_float() && dtype.bits() == 8;
    match (a, b) {
        _ if narrow(a) && narrow(b) => Some(DType::F32),
        _ if a != b => None,
        (DType::F16 | DType::BF16 | DType::F32, _) => Some(DType::F32),
        (DType::F64, _) => Some(DType::F64),
        (DType::I8 | DType::U8, _) => Some(DType::I32),
        _ => None,
    }
}

/// The accumulator and the element type of the result.
fn accumulator(
    it: &mut Analysis<'_>,
    call: &Call,
    dims: &[Dim],
    (operand, natural): (DType, DType),
) -> Option<(Option<Value>, DType)> {
    let allowed = |dtype: DType| dtype == natural || (dtype, operand) == (DType::F16, DType::F16);
    let wanted = match call.some("out_dtype") {
        Some(arg) => Some((it.dtype_argument(arg)?, arg.span)),
        None => None,
    };
    let acc = call.some("acc");
    let Some(acc) = acc else {
        let (dtype, span) = wanted.unwrap_or((natural, call.span));
        if !allowed(dtype) {
            it.report(errors::dot_result(dtype, operand, natural, span));
            return None;
        }
        return Some((None, dtype));
    };
    let Some((value, tile)) = acc.val.value().zip(it.tile(&acc.val).cloned()) else {
        it.expected_tile(call, acc);
        return None;
    };
    if !allowed(tile.dtype) || wanted.is_some_and(|(dtype, _)| dtype != tile.dtype) {
        it.report(errors::dot_result(tile.dtype, operand, natural, acc.span));
        return None;
    }
    let same = tile.dims.len() == 2
        && (0..2).zip(tile.dims.iter().zip(dims)).all(|(axis, (own, wanted))| {
            it.require_equal("the accumulator of `tl.dot`", (*own, *wanted), axis, call.span)
        });
    if !same {
        let shapes = [it.shape_text(&tile.dims), it.shape_text(dims)];
        let label = it.shape_label(&acc.val);
        it.report(errors::dot_accumulator(&shapes, acc.span, label));
        return None;
    }
    Some((Some(value), tile.dtype))
}
