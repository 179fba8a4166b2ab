//! Loads and stores of blocks: an address for each lane, and a mask of those that lie in the array.

use super::arguments::known;
use super::{Call, lanes};
use crate::dtype::DType;
use crate::ir::{self, Dim, Literal, TileType, Type, Value};
use crate::sema::analysis::Analysis;
use crate::sema::errors::blocks as errors;
use crate::sema::value::{BlockView, Spanned, Val, ViewKind};
use crate::source::Span;
use crate::syntax::ast;

/// The lanes of a block.
pub(in crate::sema::builtins) struct BlockLanes {
    /// Where they are counted from.
    pub(in crate::sema::builtins) ptr: Value,
    /// The offset of each lane.
    pub(in crate::sema::builtins) offsets: Value,
    /// Which of them lie in the array; `None` for all.
    pub(in crate::sema::builtins) mask: Option<Value>,
    pub(in crate::sema::builtins) dims: Vec<Dim>,
}

/// One axis of a block.
pub(in crate::sema::builtins) struct AxisLanes {
    /// A tile with an element for each place along the axis, and as many axes as the block.
    pub(in crate::sema::builtins) lanes: Val,
    /// What is added to each.
    pub(in crate::sema::builtins) start: Option<Val>,
    /// The extent.
    pub(in crate::sema::builtins) dim: Dim,
    /// Whether lanes outside of the array are left out.
    pub(in crate::sema::builtins) checked: bool,
}

/// The axes of the block at `offsets`.
pub(super) fn axes(
    it: &mut Analysis<'_>,
    view: &BlockView,
    offsets: &[Val],
    checked: &[bool],
    span: Span,
) -> Vec<AxisLanes> {
    let rank = view.block.len();
    let mut axes = Vec::new();
    for (axis, (start, checked)) in offsets.iter().zip(checked).enumerate() {
        let dim = block_dim(it, view, axis);
        let ty = Type::Tile(TileType::new(vec![dim], DType::I32));
        let lanes = it.frame.build.emit_value(ir::Arange { start: 0 }, ty, span);
        let lanes = Val::Value(spread(it, lanes, (axis, rank), span));
        axes.push(AxisLanes { lanes, start: Some(start.clone()), dim, checked: *checked });
    }
    axes
}

pub(in crate::sema::builtins) fn block_dim(
    it: &Analysis<'_>,
    view: &BlockView,
    axis: usize,
) -> Dim {
    match view.block.get(axis).map(|val| (known(it, val), val.value())) {
        Some((Some(extent), _)) => Dim::Const(extent as i64),
        Some((None, Some(value))) => Dim::Value(value),
        Some((None, None)) | None => Dim::Const(1),
    }
}

/// A tile of one axis as `axis` of `rank` axes.
pub(super) fn spread(
    it: &mut Analysis<'_>,
    tile: Value,
    (axis, rank): (usize, usize),
    span: Span,
) -> Value {
    let mut result = tile;
    for place in (0..rank).filter(|place| *place != axis) {
        result = it.with_axis(result, place as u32, span);
    }
    result
}

/// The addresses and the mask of a block with these axes.
pub(super) fn lanes_of(
    it: &mut Analysis<'_>,
    view: &BlockView,
    axes: &[AxisLanes],
    span: Span,
) -> Option<BlockLanes> {
    let spanned = |val: Val| Spanned { val, span };
    let mut pointer = Val::Pointer(view.base);
    let (mut offsets, mut mask): (Option<Val>, Option<Val>) = (None, None);
    for (axis, (own, stride)) in axes.iter().zip(&view.strides).enumerate() {
        let single = |it: &Analysis<'_>, val: &Val| it.tile(val).is_none();
        let scalar = own.start.as_ref().is_some_and(|start| single(it, start));
        let mut lanes = own.lanes.clone();
        if let Some(start) = &own.start {
            if scalar && single(it, stride) {
                let moved = times(it, start, stride, span);
                pointer = it.binary(ast::BinaryOp::Add, &spanned(pointer), &spanned(moved), span);
            } else {
                lanes = plus(it, &lanes, start, span);
            }
        }
        let term = times(it, &lanes, stride, span);
        offsets = Some(match offsets {
            Some(sum) => plus(it, &sum, &term, span),
            None => term,
        });
        let bound = view.shape.get(axis)?;
        let inside = if own.checked { inside(it, own, bound, span) } else { None };
        mask = match (mask, inside) {
            (Some(mask), Some(inside)) => {
                Some(it.binary(ast::BinaryOp::BitAnd, &spanned(mask), &spanned(inside), span))
            }
            (mask, inside) => mask.or(inside),
        };
    }
    let Val::Pointer(pointer) = pointer else { return None };
    let mask = match mask {
        Some(mask) => Some(mask.value()?),
        None => None,
    };
    let dims = axes.iter().map(|it| it.dim).collect();
    Some(BlockLanes { ptr: pointer.address, offsets: offsets?.value()?, mask, dims })
}

fn plus(it: &mut Analysis<'_>, x: &Val, y: &Val, span: Span) -> Val {
    let [x, y] = [x, y].map(|val| Spanned { val: val.clone(), span });
    it.binary(ast::BinaryOp::Add, &x, &y, span)
}

/// `count * stride`, in 64 bits.
fn times(it: &mut Analysis<'_>, count: &Val, stride: &Val, span: Span) -> Val {
    if known(it, count) == Some(0) {
        return Val::int(0);
    }
    let wide = match count.value() {
        Some(value) => Val::Value(it.cast(value, DType::I64, span)),
        None => count.clone(),
    };
    if known(it, stride) == Some(1) {
        return wide;
    }
    let [x, y] = [wide, stride.clone()].map(|val| Spanned { val, span });
    it.binary(ast::BinaryOp::Mul, &x, &y, span)
}

/// Which lanes of an axis lie in an array of extent `bound`; `None` where all are known to.
fn inside(it: &mut Analysis<'_>, axis: &AxisLanes, bound: &Val, span: Span) -> Option<Val> {
    let start = axis.start.as_ref().and_then(|start| known(it, start));
    let not_before = start.is_some_and(|start| start >= 0);
    if let (Some(start), Some(bound), Dim::Const(extent)) = (start, known(it, bound), axis.dim)
        && not_before
        && start + i128::from(extent) <= bound
    {
        return None;
    }
    let spanned = |val: Val| Spanned { val, span };
    let place = match &axis.start {
        Some(_) if start == Some(0) => axis.lanes.clone(),
        Some(start) => plus(it, &axis.lanes, start, span),
        None => axis.lanes.clone(),
    };
    let place = spanned(place);
    let below = it.compare(ast::CompareOp::Lt, &place, &spanned(bound.clone()), span);
    if not_before {
        return Some(below);
    }
    let zero = spanned(Val::int(0));
    let not_before = it.compare(ast::CompareOp::Ge, &place, &zero, span);
    Some(it.binary(ast::BinaryOp::BitAnd, &spanned(not_before), &spanned(below), span))
}

/// Reads a block; what lies outside of the array is 0, or NaN.
pub(super) fn load(
    it: &mut Analysis<'_>,
    view: &BlockView,
    axes: Vec<AxisLanes>,
    (nan, span): (bool, Span),
) -> Val {
    let Some(lanes) = lanes_of(it, view, &axes, span) else { return Val::Error };
    let dtype = view.base.dtype;
    let nan = nan && lanes.mask.is_some();
    let other = nan.then(|| it.frame.build.constant(Literal::Float(f64::NAN), dtype, span));
    let BlockLanes { ptr, offsets, mask, dims } = lanes;
    let op = ir::GatherLoad { ptr, strides: Vec::new(), offsets: Some(offsets), mask, other };
    let ty = Type::Tile(TileType::new(dims, dtype));
    Val::Value(it.frame.build.emit_value(op, ty, span))
}

/// Writes a block; what lies outside of the array is dropped.
pub(super) fn store(
    it: &mut Analysis<'_>,
    call: &Call,
    (view, axes): (&BlockView, Vec<AxisLanes>),
    value: &Spanned,
) -> Val {
    let Some((lanes, value)) = stored(it, call, (view, &axes), value) else { return Val::Error };
    let BlockLanes { ptr, offsets, mask, .. } = lanes;
    let op = ir::ScatterStore { ptr, strides: Vec::new(), offsets: Some(offsets), value, mask };
    it.frame.build.emit(op, Vec::new(), call.span);
    Val::NONE
}

/// Where a block is written, and what.
pub(in crate::sema::builtins) fn stored(
    it: &mut Analysis<'_>,
    call: &Call,
    (view, axes): (&BlockView, &[AxisLanes]),
    value: &Spanned,
) -> Option<(BlockLanes, Value)> {
    let dims: Vec<Dim> = axes.iter().map(|axis| axis.dim).collect();
    let value = block_value(it, call, (view, &dims), value)?;
    let lanes = lanes_of(it, view, axes, call.span)?;
    Some((lanes, value))
}

/// The value that is written: a tile of the shape of the block. A descriptor converts its
/// elements; a block pointer takes those of its own type, and repeats a single one.
pub(super) fn block_value(
    it: &mut Analysis<'_>,
    call: &Call,
    (view, dims): (&BlockView, &[Dim]),
    value: &Spanned,
) -> Option<Value> {
    let dtype = view.base.dtype;
    let tile = it.tile(&value.val).cloned();
    let pointer = view.kind == ViewKind::BlockPointer;
    let single = tile.as_ref().is_none_or(|tile| tile.dims.is_empty());
    let described = it.describe(&Val::View(Box::new(view.clone())));
    let found = it.describe(&value.val);
    if pointer && it.operand_dtype(&value.val).is_some_and(|own| own != dtype) {
        it.report(errors::value_type(&call.name(), &found, (dtype, &described), value.span));
        return None;
    }
    if single && !pointer {
        it.report(errors::value_shape(&call.name(), &found, &described, value.span));
        return None;
    }
    let elements = lanes::lane_value(it, value, dtype)?;
    let ty = Type::Tile(TileType::new(dims.to_vec(), dtype));
    let Some(tile) = tile else {
        return Some(it.frame.build.emit_value(ir::Full { value: elements }, ty, value.span));
    };
    if single {
        return Some(it.frame.build.emit_value(ir::Broadcast { x: elements }, ty, value.span));
    }
    let what = "the value and the block";
    let fits = tile.dims.len() == dims.len();
    let retyped = fits.then(|| it.retype(what, elements, dims, value.span)).flatten();
    if retyped.is_none() {
        it.report(errors::value_shape(&call.name(), &found, &described, value.span));
    }
    retyped
}

pub(super) fn dim_val(dim: Dim) -> Val {
    match dim {
        Dim::Const(extent) => Val::int(extent),
        Dim::Value(value) => Val::Value(value),
    }
}
