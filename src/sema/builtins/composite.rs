//! Tile pipelines: `tl.ref` and `tl.composite`. What an epilogue may say is in `epilogue`.

use super::epilogue::{Result as Target, steps};
use super::{Call, memory};
use crate::dtype::DType;
use crate::ir::{self, Composite, Dim, End, Head, TileType, Type, Value};
use crate::ops::BinaryOp;
use crate::sema::analysis::Analysis;
use crate::sema::errors::composite as errors;
use crate::sema::value::{BlockView, Pointer, Val, ViewKind};

/// What a composite of `math` may combine two elements by.
pub(super) const COMBINATIONS: [(&str, BinaryOp); 6] = [
    ("add", BinaryOp::Add),
    ("sub", BinaryOp::Sub),
    ("mul", BinaryOp::Mul),
    ("div", BinaryOp::Div),
    ("maximum", BinaryOp::Maximum),
    ("minimum", BinaryOp::Minimum),
];

/// `tl.ref(ptr, shape, dtype)`.
pub(super) fn reference(it: &mut Analysis<'_>, call: &Call) -> Val {
    it.extension("a reference to memory", "Triton loads what it computes with", call.span);
    let dims = it.shape_argument(call.arg("shape"));
    let dtype = match call.some("dtype") {
        Some(dtype) => match it.dtype_argument(dtype) {
            Some(known) => Some((known, dtype.span)),
            None => return Val::Error,
        },
        None => None,
    };
    let address = memory::address(it, call, call.arg("ptr"), dtype);
    let (Some(dims), Some((address, dtype))) = (dims, address) else { return Val::Error };
    let base = Pointer { address, offsets: None, dtype, because: call.span };
    let block = dims.into_iter().map(super::attributes::dim_val).collect();
    let none = Vec::new;
    let (kind, nan) = (ViewKind::Reference, false);
    let (shape, strides, offsets) = (none(), none(), none());
    Val::View(Box::new(BlockView { kind, base, shape, strides, offsets, block, nan }))
}

/// An operand: a tile in TCM, or a block of memory.
struct Operand {
    value: Value,
    dtype: DType,
    dims: Vec<Dim>,
    is_tile: bool,
}

/// `tl.composite(op=, a=, b=, out_ptr=, epilogue=)`.
pub(super) fn composite(it: &mut Analysis<'_>, call: &Call) -> Val {
    it.extension("a composite", "Triton writes the loop over tiles", call.span);
    let Some((kind, is_gemm)) = kind(it, call) else { return Val::Error };
    let a = operand(it, call, ("a", kind));
    let b = if call.some("b").is_some() { Some(operand(it, call, ("b", kind))) } else { None };
    let (Some(mut a), false) = (a, matches!(b, Some(None))) else { return Val::Error };
    let mut b = b.flatten();
    let Some(head) = head(it, call, (is_gemm, b.is_some())) else { return Val::Error };
    if !is_gemm {
        as_rows(it, call, &mut a);
        b.iter_mut().for_each(|b| as_rows(it, call, b));
    }
    let Some(sizes) = sizes(it, call, kind, (&a, b.as_ref())) else { return Val::Error };
    if !dtypes_fit(it, call, kind, (&a, b.as_ref())) {
        return Val::Error;
    }
    let Some(out) = out(it, call, (head, a.dtype)) else { return Val::Error };
    let end = |operand: Operand| End { value: operand.value, dtype: operand.dtype };
    let (a, b) = (end(a), b.map(end));
    let mut made = Composite { head, a, b, out, sizes, epilogue: Vec::new(), tile: None };
    let works = made.works_in();
    if made.out.dtype.is_float() != works.is_float() {
        let span = call.some("out_dtype").map_or(call.arg("out_ptr").span, |arg| arg.span);
        return it.report(errors::out_dtype(made.out.dtype, works, span));
    }
    let target = Target { rows: sizes[0], columns: sizes[1], works, is_gemm };
    let Some(epilogue) = steps(it, call, &target) else { return Val::Error };
    made.epilogue = epilogue;
    Val::Value(it.frame.build.emit_value(made, Type::Completion, call.span))
}

/// What `op=` names.
fn kind(it: &mut Analysis<'_>, call: &Call) -> Option<(&'static str, bool)> {
    let op = call.arg("op");
    match op.val.text() {
        Some("gemm") => Some(("gemm", true)),
        Some("math") => Some(("math", false)),
        name => {
            let found = it.describe(&op.val);
            let name = name.map(str::to_owned);
            it.report(errors::unknown_kind(&found, name.as_deref(), op.span));
            None
        }
    }
}

/// What is computed before the epilogue.
fn head(it: &mut Analysis<'_>, call: &Call, (is_gemm, has_b): (bool, bool)) -> Option<Head> {
    let named = call.some("math_op");
    if is_gemm {
        if let Some(named) = named {
            let message = String::from("`math_op` goes with `op=\"math\"`");
            it.report(errors::wrong_argument(message, named.span, "a product sums products"));
            return None;
        }
        if !has_b {
            let message = String::from("a `gemm` composite multiplies `a` by `b`");
            it.report(errors::wrong_argument(message, call.span, "`b` is not given"));
            return None;
        }
        return Some(Head::Gemm);
    }
    let Some(named) = named else {
        return Some(Head::Math(has_b.then_some(BinaryOp::Add)));
    };
    if !has_b {
        let message = String::from("`math_op` combines `a` with `b`");
        it.report(errors::wrong_argument(message, named.span, "and `b` is not given"));
        return None;
    }
    let known = COMBINATIONS.iter().find(|(name, _)| Some(*name) == named.val.text());
    if known.is_none() {
        let found = it.describe(&named.val);
        let name = named.val.text().map(str::to_owned);
        let names = COMBINATIONS.map(|(name, _)| name);
        it.report(errors::unknown_math_op(&found, (name.as_deref(), &names), named.span));
    }
    known.map(|(_, op)| Head::Math(Some(*op)))
}

/// The tile or the block of memory that an argument is.
fn operand(it: &mut Analysis<'_>, call: &Call, (name, kind): (&str, &str)) -> Option<Operand> {
    let arg = call.arg(name);
    let found = it.describe(&arg.val);
    let operand = if let Val::View(view) = &arg.val
        && view.kind == ViewKind::Reference
    {
        let dims = (0..view.block.len()).map(|axis| super::blocks::block_dim(it, view, axis));
        let (value, dtype) = (view.base.address, view.base.dtype);
        Operand { value, dtype, dims: dims.collect(), is_tile: false }
    } else if let Some((value, tile)) = arg.val.value().zip(it.tile(&arg.val).cloned()) {
        Operand { value, dtype: tile.dtype, dims: tile.dims, is_tile: true }
    } else {
        it.report(errors::no_operand(name, &found, arg.span));
        return None;
    };
    let fits = operand.dims.len() == 2 || (kind == "math" && operand.dims.len() == 1);
    if !fits {
        it.report(errors::rank(name, &found, (kind, arg.span)));
    }
    fits.then_some(operand)
}

/// Takes a row of elements as one row of a matrix.
fn as_rows(it: &mut Analysis<'_>, call: &Call, operand: &mut Operand) {
    let [only] = operand.dims[..] else { return };
    operand.dims = vec![Dim::Const(1), only];
    if operand.is_tile {
        let ty = Type::Tile(TileType::new(operand.dims.clone(), operand.dtype));
        operand.value = it.frame.build.emit_value(ir::Reshape { x: operand.value }, ty, call.span);
    }
}

/// `m`, `n` and `k`, if the shapes fit.
fn sizes(
    it: &mut Analysis<'_>,
    call: &Call,
    kind: &str,
    (a, b): (&Operand, Option<&Operand>),
) -> Option<[Dim; 3]> {
    let [rows, columns] = a.dims[..] else { return None };
    let Some(b) = b else { return Some([rows, columns, Dim::Const(1)]) };
    let [other_rows, other_columns] = b.dims[..] else { return None };
    let (pairs, sizes) = if kind == "gemm" {
        (vec![(columns, other_rows)], [rows, other_columns, columns])
    } else {
        let pairs = vec![(rows, other_rows), (columns, other_columns)];
        (pairs, [rows, columns, Dim::Const(1)])
    };
    let what = "the extents of `tl.composite`";
    let mut pairs = (0..).zip(pairs);
    if pairs.all(|(axis, pair)| it.require_equal(what, pair, axis, call.span)) {
        return Some(sizes);
    }
    let shapes = [it.shape_text(&a.dims), it.shape_text(&b.dims)];
    it.report(errors::shapes(&shapes, kind, call.span));
    None
}

/// Whether the element types are those that the engines take.
fn dtypes_fit(
    it: &mut Analysis<'_>,
    call: &Call,
    kind: &str,
    (a, b): (&Operand, Option<&Operand>),
) -> bool {
    let narrow = |dtype: DType| dtype.is_float() && dtype.bits() == 8;
    let taken = |dtype: DType| match kind {
        "gemm" => dtype.is_float() || matches!(dtype, DType::I8 | DType::U8),
        _ => dtype != DType::I1,
    };
    if !taken(a.dtype) {
        it.report(errors::operand_dtype(a.dtype, kind, call.arg("a").span));
        return false;
    }
    let Some(b) = b else { return true };
    let fits = a.dtype == b.dtype || (kind == "gemm" && narrow(a.dtype) && narrow(b.dtype));
    if !fits {
        it.report(errors::dtypes((a.dtype, b.dtype), kind, call.span));
    }
    fits
}

/// Where the result goes. Its type is that of the pointer, or what `out_dtype` says, or that of
/// the operands (of a product of integers, that of its sums).
fn out(it: &mut Analysis<'_>, call: &Call, (head, operands): (Head, DType)) -> Option<End> {
    let ptr = call.arg("out_ptr");
    let sums = if operands.is_int() && head == Head::Gemm { DType::I32 } else { operands };
    let said = match call.some("out_dtype") {
        Some(arg) => Some((it.dtype_argument(arg)?, arg.span)),
        None if matches!(ptr.val, Val::Pointer(_)) => None,
        None => Some((sums, ptr.span)),
    };
    let (value, dtype) = memory::address(it, call, ptr, said)?;
    Some(End { value, dtype })
}
