//! Tiles taken apart, put together and read in another order.

use super::Call;
use super::views::{tile_argument, viewed};
use crate::dtype::DType;
use crate::ir::{self, Dim, SortKind, TileType, Type, Value};
use crate::ops::BinaryOp;
use crate::sema::analysis::Analysis;
use crate::sema::errors::{operands, tiles as errors};
use crate::sema::promote::Rule;
use crate::sema::value::{Spanned, Val};
use crate::source::Span;

/// The tile that the argument `x` is, which holds no pointers.
pub(super) fn own_tile(it: &mut Analysis<'_>, call: &Call) -> Option<(Value, TileType)> {
    let x = call.arg("x");
    let found = x.val.value().zip(it.tile(&x.val).cloned());
    if found.is_none() {
        it.expected_tile(call, x);
    }
    found
}

/// Two operands with one element type, as tiles of one shape.
fn pair(it: &mut Analysis<'_>, call: &Call, [x, y]: [&str; 2]) -> Option<([Value; 2], TileType)> {
    let (x, y) = (call.arg(x), call.arg(y));
    let what = format!("the operands of `{}`", call.name());
    let meeting = it.meet(&what, &[x, y], Rule::Arithmetic, call.span)?;
    let tile = TileType::new(meeting.dims.unwrap_or_default(), meeting.dtype);
    let [x, y] = meeting.values.as_slice() else { return None };
    let values = [*x, *y].map(|value| it.stretched(value, &tile, call.span));
    Some((values, tile))
}

/// `tl.broadcast(x, y)`: both in the shape that they broadcast to.
pub(super) fn broadcast(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (x, y) = (call.arg("x"), call.arg("y"));
    let what = "the operands of `tl.broadcast`";
    let Some(dims) = it.common_shape(what, &[x, y], call.span) else { return Val::Error };
    let mut spread = Vec::new();
    for operand in [x, y] {
        let Some(dtype) = it.common_dtype(what, &[operand], Rule::Arithmetic, call.span) else {
            return Val::Error;
        };
        let Some(value) = it.as_dtype(operand, dtype) else { return Val::Error };
        let tile = TileType::new(dims.clone().unwrap_or_default(), dtype);
        spread.push(Val::Value(match dims {
            Some(_) => it.stretched(value, &tile, call.span),
            None => value,
        }));
    }
    Val::Tuple(spread)
}

/// `tl.join(a, b)`: on a new last axis of two.
pub(super) fn join(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((values, tile)) = pair(it, call, ["a", "b"]) else { return Val::Error };
    let last = tile.dims.len() as u32;
    let [x, y] = values.map(|value| it.with_axis(value, last, call.span));
    it.concatenated([x, y], last, call.span).map_or(Val::Error, Val::Value)
}

/// `tl.interleave(a, b)`: their elements in turn, along the last axis.
pub(super) fn interleave(it: &mut Analysis<'_>, call: &Call) -> Val {
    let joined = join(it, call);
    let Some((x, tile)) = joined.value().zip(it.tile(&joined).cloned()) else { return Val::Error };
    let mut dims = tile.dims;
    if let [.., _, _] = dims.as_slice() {
        let inner = dims.split_off(dims.len() - 2);
        dims.push(it.product(&inner, call.span));
    }
    let ty = Type::Tile(TileType::new(dims, tile.dtype));
    Val::Value(it.frame.build.emit_value(ir::Reshape { x }, ty, call.span))
}

/// `tl.cat(a, b, dim)`: one after the other.
pub(super) fn cat(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (a, b) = (call.arg("a"), call.arg("b"));
    let tiles = [a, b].map(|arg| (arg.val.value(), it.tile(&arg.val).cloned()));
    let [(Some(x), Some(first)), (Some(y), Some(second))] = tiles else {
        let other = if it.tile(&a.val).is_some() { b } else { a };
        return it.expected_tile(call, other);
    };
    let what = "the operands of `tl.cat`";
    let Some(dtype) = it.common_dtype(what, &[a, b], Rule::Arithmetic, call.span) else {
        return Val::Error;
    };
    let axis = match call.some("dim") {
        Some(dim) => it.axis_argument(dim, first.dims.len()),
        None => Some(0),
    };
    let Some(axis) = axis else { return Val::Error };
    if !it.same_but_along(what, [(a, &first), (b, &second)], Some(axis), call.span) {
        return Val::Error;
    }
    let parts = [x, y].map(|value| it.cast(value, dtype, call.span));
    it.concatenated(parts, axis, call.span).map_or(Val::Error, Val::Value)
}

/// `tl.split(x)`: the two halves of a last axis of two.
pub(super) fn split(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = own_tile(it, call) else { return Val::Error };
    let rank = tile.dims.len();
    let last = tile.dims.last().copied().unwrap_or(Dim::Const(1));
    if !it.is_long(call, (last, 2), "a last axis of 2") {
        return Val::Error;
    }
    let half = |it: &mut Analysis<'_>, start: u64| {
        let mut dims = tile.dims.clone();
        dims[rank - 1] = Dim::Const(1);
        let op = ir::Slice { x, axis: rank as u32 - 1, start, step: 1 };
        let ty = Type::Tile(TileType::new(dims.clone(), tile.dtype));
        let part = it.frame.build.emit_value(op, ty, call.span);
        dims.pop();
        let ty = Type::Tile(TileType::new(dims, tile.dtype));
        Val::Value(it.frame.build.emit_value(ir::Reshape { x: part }, ty, call.span))
    };
    let first = half(it, 0);
    Val::Tuple(vec![first, half(it, 1)])
}

/// `tl.flip(x, dim)`.
pub(super) fn flip(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let Some(axis) = last_axis_or(it, call, tile.dims.len()) else { return Val::Error };
    let view = it.frame.build.emit_value(ir::Flip { x, axis }, Type::Tile(tile), call.span);
    viewed(call, Val::Value(view))
}

/// What `dim` says; the last axis, if nothing.
fn last_axis_or(it: &mut Analysis<'_>, call: &Call, rank: usize) -> Option<u32> {
    if rank == 0 {
        let found = it.describe(&call.arg("x").val);
        it.report(operands::expected_tile(&call.name(), &found, call.arg("x").span));
        return None;
    }
    call.some("dim").map_or(Some(rank as u32 - 1), |dim| it.axis_argument(dim, rank))
}

/// `tl.ravel(x)`.
pub(super) fn ravel(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let flat = it.product(&tile.dims, call.span);
    let ty = Type::Tile(TileType::new(vec![flat], tile.dtype));
    let view = it.frame.build.emit_value(ir::Reshape { x }, ty, call.span);
    viewed(call, Val::Value(view))
}

/// `tl.squeeze(x, dim)`: without an axis of one element.
pub(super) fn squeeze(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let Some(axis) = it.axis_argument(call.arg("dim"), tile.dims.len()) else { return Val::Error };
    let mut dims = tile.dims;
    let gone = dims.remove(axis as usize);
    if !it.is_long(call, (gone, 1), "an axis of 1") {
        return Val::Error;
    }
    let ty = Type::Tile(TileType::new(dims, tile.dtype));
    let view = it.frame.build.emit_value(ir::Reshape { x }, ty, call.span);
    viewed(call, Val::Value(view))
}

/// `x.item()`: a tile of one element without axes.
pub(super) fn item(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = own_tile(it, call) else { return Val::Error };
    let count = it.product(&tile.dims, call.span);
    if !it.is_long(call, (count, 1), "a tile of 1 element") {
        return Val::Error;
    }
    let ty = Type::Tile(TileType::new(Vec::new(), tile.dtype));
    Val::Value(it.frame.build.emit_value(ir::Reshape { x }, ty, call.span))
}

/// `tl.gather(src, index, axis)`.
pub(super) fn gather(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = own_tile(it, call) else { return Val::Error };
    let (src, index) = (call.arg("x"), call.arg("index"));
    let Some((place, places)) = index.val.value().zip(it.tile(&index.val).cloned()) else {
        return it.expected_tile(call, index);
    };
    if !places.dtype.is_int() {
        let found = it.describe(&index.val);
        return it.report(operands::needs_int("the index of `tl.gather`", &found, index.span));
    }
    let Some(axis) = it.axis_argument(call.arg("axis"), tile.dims.len()) else {
        return Val::Error;
    };
    let what = "the source and the index of `tl.gather`";
    if !it.same_but_along(what, [(src, &tile), (index, &places)], Some(axis), call.span) {
        return Val::Error;
    }
    let ty = Type::Tile(TileType::new(places.dims, tile.dtype));
    let op = ir::Gather { x, index: place, axis };
    Val::Value(it.frame.build.emit_value(op, ty, call.span))
}

/// `tl.sort(x, dim, descending)`.
pub(super) fn sort(it: &mut Analysis<'_>, call: &Call) -> Val {
    sorted(it, call, SortKind::Full)
}

/// `tl.bitonic_merge(x, dim, descending)`.
pub(super) fn bitonic_merge(it: &mut Analysis<'_>, call: &Call) -> Val {
    sorted(it, call, SortKind::Merge)
}

fn sorted(it: &mut Analysis<'_>, call: &Call, kind: SortKind) -> Val {
    let Some((x, tile)) = own_tile(it, call) else { return Val::Error };
    let Some(axis) = last_axis_or(it, call, tile.dims.len()) else { return Val::Error };
    if kind == SortKind::Merge
        && let Some(Dim::Const(extent)) = tile.dims.get(axis as usize)
        && extent & (extent - 1) != 0
    {
        let label = it.shape_label(&call.arg("x").val);
        let wanted = "an axis whose extent is a power of two";
        let error =
            errors::unfit_extent(&call.name(), wanted, &extent.to_string(), call.span, label);
        return it.report(error);
    }
    let descending = call.flag("descending");
    it.sorted(x, axis, (kind, descending), call.span).map_or(Val::Error, Val::Value)
}

/// `tl.topk(x, k)`: the `k` largest, the largest first.
pub(super) fn topk(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = own_tile(it, call) else { return Val::Error };
    let Some(axis) = last_axis_or(it, call, tile.dims.len()) else { return Val::Error };
    let Some(count) = it.constant_int("the number of elements kept", call.arg("k")) else {
        return Val::Error;
    };
    let whole = tile.dims.get(axis as usize).copied().unwrap_or(Dim::Const(1));
    let most =
        if let Dim::Const(extent) = whole { i128::from(extent) } else { i128::from(i64::MAX) };
    if !(1..=most).contains(&count) {
        let label = it.shape_label(&call.arg("x").val);
        let wanted = format!("an axis of at least {} elements", count.max(1));
        let found = it.dim_text(whole);
        return it.report(errors::unfit_extent(&call.name(), &wanted, &found, call.span, label));
    }
    let Some(sorted) = it.sorted(x, axis, (SortKind::Full, true), call.span) else {
        return Val::Error;
    };
    let mut kept = tile;
    kept.dims[axis as usize] = Dim::Const(count as i64);
    let op = ir::Slice { x: sorted, axis, start: 0, step: 1 };
    Val::Value(it.frame.build.emit_value(op, Type::Tile(kept), call.span))
}

/// `tl.histogram(x, num_bins, mask)`.
pub(super) fn histogram(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = own_tile(it, call) else { return Val::Error };
    let (arg, span) = (call.arg("x"), call.span);
    if !tile.dtype.is_int() {
        let found = it.describe(&arg.val);
        return it.report(operands::needs_int("the operand of `tl.histogram`", &found, arg.span));
    }
    if tile.dims.len() != 1 {
        let found = it.describe(&arg.val);
        return it.report(operands::expected_tile("tl.histogram", &found, arg.span));
    }
    let Some(bins) = it.shape_argument(call.arg("num_bins")) else { return Val::Error };
    let mask = match call.some("mask") {
        Some(mask) => {
            let like = TileType::new(tile.dims.clone(), DType::I1);
            let Some(value) = it.as_dtype(mask, DType::I1) else { return Val::Error };
            if let Some(own) = it.tile(&Val::Value(value)).cloned()
                && !it.same_but_along(
                    "a tile and its mask",
                    [(arg, &tile), (mask, &own)],
                    None,
                    span,
                )
            {
                return Val::Error;
            }
            Some(it.stretched(value, &like, span))
        }
        None => None,
    };
    let ty = Type::Tile(TileType::new(bins, DType::I32));
    Val::Value(it.frame.build.emit_value(ir::Histogram { x, mask }, ty, span))
}

impl Analysis<'_> {
    /// `value`, a scalar or a tile that broadcasts to it, as a tile of type `tile`.
    pub(super) fn stretched(&mut self, value: Value, tile: &TileType, span: Span) -> Value {
        let ty = Type::Tile(tile.clone());
        if *self.ty(value) == ty {
            return value;
        }
        if self.tile(&Val::Value(value)).is_some() {
            return self.frame.build.emit_value(ir::Broadcast { x: value }, ty, span);
        }
        self.frame.build.emit_value(ir::Full { value }, ty, span)
    }

    /// Checks that an extent is `wanted`, now or at the launch; says what `call` takes if not.
    fn is_long(&mut self, call: &Call, (found, wanted): (Dim, i64), takes: &str) -> bool {
        let what = format!("the operand of `{}`", call.name());
        if self.require_equal(&what, (found, Dim::Const(wanted)), 0, call.span) {
            return true;
        }
        let label = self.shape_label(&call.arg("x").val);
        let found = self.dim_text(found);
        self.report(errors::unfit_extent(&call.name(), takes, &found, call.span, label));
        false
    }

    /// Checks that two tiles have one shape but along an axis, now or at the launch.
    pub(super) fn same_but_along(
        &mut self,
        what: &str,
        [(left, x), (right, y)]: [(&Spanned, &TileType); 2],
        axis: Option<u32>,
        span: Span,
    ) -> bool {
        let mut same = x.dims.len() == y.dims.len();
        for (place, (x, y)) in x.dims.iter().zip(&y.dims).enumerate() {
            if same && axis != Some(place as u32) {
                same = self.require_equal(what, (*x, *y), place, span);
            }
        }
        if !same {
            let shapes = [self.shape_text(&x.dims), self.shape_text(&y.dims)];
            let labels = [left, right].map(|it| self.shape_label(&it.val));
            self.report(errors::shapes_differ(what, &shapes, span, labels));
        }
        same
    }

    /// `x`, then `y` along an axis. Their other extents agree.
    pub(super) fn concatenated(
        &mut self,
        [x, y]: [Value; 2],
        axis: u32,
        span: Span,
    ) -> Option<Value> {
        let mut tile = self.tile(&Val::Value(x))?.clone();
        let added = *self.tile(&Val::Value(y))?.dims.get(axis as usize)?;
        let own = *tile.dims.get(axis as usize)?;
        let whole = match (own, added) {
            (Dim::Const(own), Dim::Const(added)) => Dim::Const(own.saturating_add(added)),
            _ => {
                let build = &mut self.frame.build;
                let (own, added) = (build.dim_value(own, span), build.dim_value(added, span));
                let sum = build.binary_scalar(BinaryOp::Add, own, added, span);
                build.dim(sum)
            }
        };
        tile.dims[axis as usize] = whole;
        Some(self.frame.build.emit_value(ir::Concat { x, y, axis }, Type::Tile(tile), span))
    }

    /// `x` in order along any axis: that axis is made the last one and put back.
    fn sorted(
        &mut self,
        x: Value,
        axis: u32,
        (kind, descending): (SortKind, bool),
        span: Span,
    ) -> Option<Value> {
        let tile = self.tile(&Val::Value(x))?.clone();
        let last = tile.dims.len() as u32 - 1;
        let mut axes: Vec<u32> = (0..=last).collect();
        axes.swap(axis as usize, last as usize);
        let swap = |it: &mut Self, x: Value| {
            if axis == last {
                return Some(x);
            }
            let tile = it.tile(&Val::Value(x))?.clone();
            it.transposed(x, &tile, axes.clone(), span).value()
        };
        let turned = swap(self, x)?;
        let ty = self.ty(turned).clone();
        let op = ir::Sort { kind, x: turned, descending };
        let sorted = self.frame.build.emit_value(op, ty, span);
        swap(self, sorted)
    }
}
