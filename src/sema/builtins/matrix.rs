//! The matrix product.

use super::Call;
use crate::dtype::DType;
use crate::ir::{self, Dim, TileType, Type, Value};
use crate::sema::analysis::Analysis;
use crate::sema::errors::matrix as errors;
use crate::sema::value::{Constant, Spanned, Val};

/// `tl.dot(a, b, acc)`.
pub(super) fn dot(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (a, b) = (call.arg("a"), call.arg("b"));
    let (Some((left, x)), Some((right, y))) = (matrix(it, call, a), matrix(it, call, b)) else {
        return Val::Error;
    };
    check_precision(it, call);
    let Some(natural) = product_dtype(x.dtype, y.dtype) else {
        let labels = [a, b].map(|arg| it.dtype_label(&arg.val));
        return it.report(errors::dot_dtypes((x.dtype, y.dtype), call.span, labels));
    };
    let Some(dims) = product_dims(it, call, [&x, &y]) else { return Val::Error };
    let Some((acc, dtype)) = accumulator(it, call, &dims, (x.dtype, natural)) else {
        return Val::Error;
    };
    let ty = Type::Tile(TileType::new(dims, dtype));
    Val::Value(it.frame.build.emit_value(ir::Dot { a: left, b: right, acc }, ty, call.span))
}

/// An operand: a tile of two axes, or of three, the first of which counts a batch.
fn matrix(it: &mut Analysis<'_>, call: &Call, arg: &Spanned) -> Option<(Value, TileType)> {
    let Some((value, tile)) = arg.val.value().zip(it.tile(&arg.val).cloned()) else {
        it.expected_tile(call, arg);
        return None;
    };
    if matches!(tile.dims.len(), 2 | 3) {
        return Some((value, tile));
    }
    let found = it.describe(&arg.val);
    let label = it.shape_label(&arg.val);
    it.report(errors::dot_rank(&found, arg.span, label));
    None
}

/// The shape of the product.
fn product_dims(it: &mut Analysis<'_>, call: &Call, [x, y]: [&TileType; 2]) -> Option<Vec<Dim>> {
    let ([batch @ .., m, k], [batch_right @ .., k_right, n]) = (&x.dims[..], &y.dims[..]) else {
        return None;
    };
    let what = "the inner extents of `tl.dot`";
    let inner = it.require_equal(what, (*k, *k_right), 0, call.span);
    let fits = inner && batch.len() == batch_right.len();
    let what = "the batches of `tl.dot`";
    let same_batch = fits
        && batch
            .iter()
            .zip(batch_right)
            .all(|(x, y)| it.require_equal(what, (*x, *y), 0, call.span));
    if same_batch {
        return Some(batch.iter().copied().chain([*m, *n]).collect());
    }
    let shapes = [it.shape_text(&x.dims), it.shape_text(&y.dims)];
    let labels = [call.arg("a"), call.arg("b")].map(|arg| it.shape_label(&arg.val));
    it.report(errors::dot_shapes(&shapes, inner, call.span, labels));
    None
}

/// The precisions that Triton names. Each allows the multipliers of f32 to drop bits; those of the
/// machine keep them all, which is as good as any asks for.
const PRECISIONS: [&str; 5] = ["ieee", "tf32", "tf32x3", "bf16x3", "bf16x6"];

/// Checks what is said of the precision; it changes nothing.
fn check_precision(it: &mut Analysis<'_>, call: &Call) {
    let (named, allowed) = (call.some("input_precision"), call.some("allow_tf32"));
    if let (Some(named), Some(allowed)) = (named, allowed) {
        it.report(errors::precision_twice(named.span, allowed.span));
    } else if let Some(named) = named {
        let known = |name: &String| PRECISIONS.contains(&name.to_lowercase().as_str());
        if !matches!(&named.val, Val::Const(Constant::Str(name)) if known(name)) {
            let found = it.describe(&named.val);
            it.report(errors::unknown_precision(&found, &PRECISIONS, named.span));
        }
    }
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
    let halves = operand == DType::F16 || (operand.is_float() && operand.bits() == 8);
    let allowed = |dtype: DType| dtype == natural || (dtype == DType::F16 && halves);
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
    let same = tile.dims.len() == dims.len()
        && (0..).zip(tile.dims.iter().zip(dims)).all(|(axis, (own, wanted))| {
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
