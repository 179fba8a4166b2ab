//! The same elements under another shape or order.

use super::Call;
use crate::ir::{self, Dim, DimRule, TileType, Type, Value};
use crate::sema::analysis::Analysis;
use crate::sema::errors::{habits, shapes};
use crate::sema::value::{Pointer, Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind};

/// The tile that the argument `x` is; of a pointer tile, its offsets.
pub(super) fn tile_argument(it: &mut Analysis<'_>, call: &Call) -> Option<(Value, TileType)> {
    let x = call.arg("x");
    let val = if let Val::Pointer(Pointer { offsets: Some(offsets), .. }) = &x.val {
        &Val::Value(*offsets)
    } else {
        &x.val
    };
    let found = val.value().zip(it.tile(val).cloned());
    if found.is_none() {
        it.expected_tile(call, x);
    }
    found
}

/// What a view gives: of a pointer tile, pointers again.
pub(super) fn viewed(call: &Call, view: Val) -> Val {
    match (&call.arg("x").val, &view) {
        (Val::Pointer(pointer), Val::Value(offsets)) => {
            Val::Pointer(Pointer { offsets: Some(*offsets), ..*pointer })
        }
        _ => view,
    }
}

/// `*shape`: integers, or one tuple of them.
fn listed(call: &Call, name: &str) -> Option<Spanned> {
    let arg = call.some(name)?;
    if let Val::Tuple(items) = &arg.val
        && let [Val::Tuple(inner)] = items.as_slice()
    {
        return Some(Spanned { val: Val::Tuple(inner.clone()), span: arg.span });
    }
    Some(arg.clone())
}

/// `tl.reshape(x, *shape)`.
pub(super) fn reshape(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let Some(shape) = listed(call, "shape") else {
        return it.report(shapes::no_shape("tl.reshape", call.span));
    };
    if let Some(minus) = it.minus_one(&shape) {
        return minus;
    }
    let Some(dims) = it.shape_argument(&shape) else { return Val::Error };
    let (own, wanted) = (it.product(&tile.dims, call.span), it.product(&dims, call.span));
    if !it.require_equal(
        "the elements of the tile and of its new shape",
        (own, wanted),
        0,
        call.span,
    ) {
        let shapes = [it.shape_text(&tile.dims), it.shape_text(&dims)];
        let counts = [it.dim_text(own), it.dim_text(wanted)];
        let label = it.shape_label(&call.arg("x").val);
        return it.report(shapes::reshape_changes_size(&shapes, &counts, shape.span, label));
    }
    let ty = Type::Tile(TileType::new(dims, tile.dtype));
    viewed(call, Val::Value(it.frame.build.emit_value(ir::Reshape { x }, ty, call.span)))
}

/// `tl.trans(x, *dims)`.
pub(super) fn trans(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let rank = tile.dims.len();
    let axes = match listed(call, "dims") {
        Some(order) => it.permutation(&order, rank),
        None if rank >= 2 => {
            let mut axes: Vec<u32> = (0..rank as u32).collect();
            axes.swap(rank - 1, rank - 2);
            Some(axes)
        }
        None => {
            let error = shapes::too_few_axes(&call.name(), rank, 2, call.arg("x").span);
            it.report(error);
            None
        }
    };
    let view = axes.map_or(Val::Error, |axes| it.transposed(x, &tile, axes, call.span));
    viewed(call, view)
}

/// `tl.expand_dims(x, axis)`; several axes are those of the result.
pub(super) fn expand_dims(it: &mut Analysis<'_>, call: &Call) -> Val {
    new_axes(it, call, "axis")
}

/// `tl.unsqueeze(x, dim)`.
pub(super) fn unsqueeze(it: &mut Analysis<'_>, call: &Call) -> Val {
    new_axes(it, call, "dim")
}

fn new_axes(it: &mut Analysis<'_>, call: &Call, name: &str) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let arg = call.arg(name);
    let listed = arg.val.items().map_or_else(|| vec![arg.val.clone()], <[Val]>::to_vec);
    let rank = tile.dims.len() + listed.len();
    let mut axes = Vec::new();
    for val in listed {
        let Some(axis) = it.axis_argument(&Spanned { val, span: arg.span }, rank) else {
            return Val::Error;
        };
        axes.push(axis);
    }
    axes.sort_unstable();
    let with_axes = axes.into_iter().fold(x, |x, axis| it.with_axis(x, axis, call.span));
    viewed(call, Val::Value(with_axes))
}

/// `tl.broadcast_to(x, *shape)`.
pub(super) fn broadcast_to(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some((x, tile)) = tile_argument(it, call) else { return Val::Error };
    let Some(shape) = listed(call, "shape") else {
        return it.report(shapes::no_shape("tl.broadcast_to", call.span));
    };
    let Some(dims) = it.shape_argument(&shape) else { return Val::Error };
    if dims.len() != tile.dims.len() {
        let ranks = (tile.dims.len(), dims.len());
        return it.report(shapes::broadcast_changes_rank(ranks, shape.span));
    }
    let what = "the tile and the shape it is repeated to";
    for (axis, (own, wanted)) in tile.dims.iter().zip(&dims).enumerate() {
        if *own == Dim::Const(1) {
            continue;
        }
        if !it.require_broadcast(what, (*own, *wanted), axis, call.span) {
            let texts = [it.shape_text(&tile.dims), it.shape_text(&dims)];
            let label = it.shape_label(&call.arg("x").val);
            return it.report(shapes::broadcast_to_fails(&texts, axis, shape.span, label));
        }
    }
    let ty = Type::Tile(TileType::new(dims, tile.dtype));
    let view = it.frame.build.emit_value(ir::Broadcast { x }, ty, call.span);
    it.frame.pointers.derive(view, &[x]);
    viewed(call, Val::Value(view))
}

impl Analysis<'_> {
    /// Checks that an axis of extent `own` can be repeated to `wanted`.
    fn require_broadcast(
        &mut self,
        what: &str,
        (own, wanted): (Dim, Dim),
        axis: usize,
        span: Span,
    ) -> bool {
        if own == wanted {
            return true;
        }
        if let (Dim::Const(_), Dim::Const(_)) = (own, wanted) {
            return false;
        }
        let met = self.extent(DimRule::Broadcast, (what, axis), (own, wanted), span);
        self.require_equal(what, (Dim::Value(met), wanted), axis, span)
    }

    /// NumPy's `-1` has no meaning here.
    fn minus_one(&mut self, shape: &Spanned) -> Option<Val> {
        let Val::Tuple(items) = &shape.val else { return None };
        let minus = |val: &Val| val.constant().and_then(|it| it.as_int()) == Some(-1);
        items.iter().any(minus).then(|| self.report(habits::reshape_minus_one(shape.span)))
    }

    pub(super) fn permutation(&mut self, order: &Spanned, rank: usize) -> Option<Vec<u32>> {
        let Val::Tuple(items) = &order.val else { return None };
        let mut axes = Vec::new();
        for item in items {
            let item = Spanned { val: item.clone(), span: order.span };
            axes.push(self.axis_argument(&item, rank)?);
        }
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if sorted != (0..rank as u32).collect::<Vec<u32>>() {
            self.report(shapes::no_permutation(&axes, rank, order.span));
            return None;
        }
        Some(axes)
    }

    /// `x` with its axes in another order.
    pub(super) fn transposed(
        &mut self,
        x: Value,
        tile: &TileType,
        axes: Vec<u32>,
        span: Span,
    ) -> Val {
        let dims = axes.iter().filter_map(|axis| tile.dims.get(*axis as usize)).copied().collect();
        let ty = Type::Tile(TileType::new(dims, tile.dtype));
        Val::Value(self.frame.build.emit_value(ir::Transpose { x, axes }, ty, span))
    }

    /// `x.T`.
    pub(super) fn transpose_attribute(&mut self, of: &Spanned) -> Val {
        let Some((x, tile)) = of.val.value().zip(self.tile(&of.val).cloned()) else {
            return Val::Error;
        };
        if tile.dims.len() != 2 {
            return self.report(shapes::too_few_axes("`.T`", tile.dims.len(), 2, of.span));
        }
        self.transposed(x, &tile, vec![1, 0], of.span)
    }

    /// A view of the offsets of a pointer tile is a pointer tile.
    pub(in crate::sema) fn on_offsets(
        &mut self,
        pointer: Pointer,
        view: impl FnOnce(&mut Self, Value) -> Val,
    ) -> Val {
        let Some(offsets) = pointer.offsets else { return Val::Error };
        let viewed = view(self, offsets);
        match viewed.value() {
            Some(offsets) => Val::Pointer(Pointer { offsets: Some(offsets), ..pointer }),
            None => viewed,
        }
    }

    /// `x` with a new axis of one element.
    pub(super) fn with_axis(&mut self, x: Value, axis: u32, span: Span) -> Value {
        let Some(tile) = self.tile(&Val::Value(x)).cloned() else { return x };
        let mut dims = tile.dims;
        dims.insert((axis as usize).min(dims.len()), Dim::Const(1));
        let ty = Type::Tile(TileType::new(dims, tile.dtype));
        let result = self.frame.build.emit_value(ir::ExpandDims { x, axis }, ty, span);
        self.frame.pointers.derive(result, &[x]);
        result
    }

    /// `x[:, None]`: only whole axes and new ones.
    pub(in crate::sema) fn tile_subscript(&mut self, x: Value, index: ExprId, span: Span) -> Val {
        let parts =
            if let ExprKind::Tuple(items) = self.kind(index) { items.clone() } else { vec![index] };
        let mut result = x;
        let mut kept = 0;
        for (axis, part) in parts.iter().enumerate() {
            let kind = self.kind(*part);
            if let ExprKind::Slice { lower: None, upper: None, step: None } = kind {
                kept += 1;
            } else if *kind == ExprKind::None {
                result = self.with_axis(result, axis as u32, span);
            } else {
                return self.report(habits::tile_index(kind, self.span(*part)));
            }
        }
        let rank = self.tile(&Val::Value(x)).map_or(0, |tile| tile.dims.len());
        if kept != rank {
            let label = self.shape_label(&Val::Value(x));
            return self.report(shapes::index_misses_axes(kept, rank, span, label));
        }
        Val::Value(result)
    }
}
