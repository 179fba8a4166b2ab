//! Extents and shapes: what is equal now, and what the launch must make equal.
//!
//! Two extents are equal when they are the same constant or the same value. Constants that
//! differ are an error at once; whatever else differs becomes an [`ir::Extent`], which
//! specialisation folds or reports.

use super::analysis::Analysis;
use super::errors::shapes as errors;
use super::value::{Spanned, Val};
use crate::dtype::DType;
use crate::ir::{self, Dim, DimRule, TileType, Type, Value};
use crate::source::Span;

impl Analysis<'_> {
    /// The shape that two shapes broadcast to.
    pub(super) fn broadcast(
        &mut self,
        what: &str,
        (left, left_operand): (&[Dim], &Spanned),
        (right, right_operand): (&[Dim], &Spanned),
        span: Span,
    ) -> Option<Vec<Dim>> {
        let rank = left.len().max(right.len());
        let from_end = |dims: &[Dim], axis: usize| {
            let place = (axis + dims.len()).checked_sub(rank);
            place.and_then(|place| dims.get(place)).copied().unwrap_or(Dim::Const(1))
        };
        let mut dims = Vec::with_capacity(rank);
        for axis in 0..rank {
            let (x, y) = (from_end(left, axis), from_end(right, axis));
            match self.broadcast_dim(what, (x, y), axis, span) {
                Some(dim) => dims.push(dim),
                None => {
                    let shapes = [self.shape_text(left), self.shape_text(right)];
                    let labels = [left_operand, right_operand].map(|it| self.shape_label_at(it));
                    let extents = [self.dim_text(x), self.dim_text(y)];
                    self.report(errors::no_broadcast(
                        what,
                        &shapes,
                        (axis, &extents),
                        span,
                        labels,
                    ));
                    return None;
                }
            }
        }
        Some(dims)
    }

    /// [`Analysis::shape_label`], at the operand itself if nothing else made its shape.
    fn shape_label_at(&self, operand: &Spanned) -> (Span, String) {
        let (span, text) = self.shape_label(&operand.val);
        if span.is_none() { (operand.span, text) } else { (span, text) }
    }

    /// The extent that two broadcast to; `None` where they never do.
    fn broadcast_dim(
        &mut self,
        what: &str,
        (x, y): (Dim, Dim),
        axis: usize,
        span: Span,
    ) -> Option<Dim> {
        match (x, y) {
            (Dim::Const(1), other) | (other, Dim::Const(1)) => Some(other),
            _ if x == y => Some(x),
            (Dim::Const(_), Dim::Const(_)) => None,
            _ => {
                let extent = self.extent(DimRule::Broadcast, (what, axis), (x, y), span);
                let known = [x, y].into_iter().find(|dim| matches!(dim, Dim::Const(_)));
                Some(known.unwrap_or(Dim::Value(extent)))
            }
        }
    }

    /// Checks that two extents are equal, now or at the launch. False if they never are.
    pub(super) fn require_equal(
        &mut self,
        what: &str,
        (x, y): (Dim, Dim),
        axis: usize,
        span: Span,
    ) -> bool {
        if let (Dim::Const(x), Dim::Const(y)) = (x, y) {
            return x == y;
        }
        if x != y {
            self.extent(DimRule::Equal, (what, axis), (x, y), span);
        }
        true
    }

    pub(super) fn extent(
        &mut self,
        rule: DimRule,
        (what, axis): (&str, usize),
        (x, y): (Dim, Dim),
        span: Span,
    ) -> Value {
        let build = &mut self.frame.build;
        let (x, y) = (build.dim_value(x, span), build.dim_value(y, span));
        let op = ir::Extent { rule, x, y, what: what.to_owned(), axis: axis as u32 };
        let result = build.scalar(op, DType::I64, span);
        let places = [x, y].map(|it| self.frame.symbols.of(it)).concat();
        self.frame.symbols.set(result, &places);
        result
    }

    /// `tile` under the shape `dims`, which the launch shows to be its own.
    pub(super) fn retype(
        &mut self,
        what: &str,
        tile: Value,
        dims: &[Dim],
        span: Span,
    ) -> Option<Value> {
        let own = self.tile(&Val::Value(tile))?.clone();
        if own.dims == dims {
            return Some(tile);
        }
        if own.dims.len() != dims.len() {
            return None;
        }
        for (axis, (x, y)) in own.dims.iter().zip(dims).enumerate() {
            if !self.require_equal(what, (*x, *y), axis, span) {
                return None;
            }
        }
        let ty = Type::Tile(TileType::new(dims.to_vec(), own.dtype));
        Some(self.frame.build.emit_value(ir::Reshape { x: tile }, ty, span))
    }

    /// The extents in a `shape=` argument: an integer, or a tuple or list of them.
    pub(super) fn shape_argument(&mut self, shape: &Spanned) -> Option<Vec<Dim>> {
        let Some(items) = shape.val.items() else {
            return self.extent_argument(&shape.val, shape.span).map(|dim| vec![dim]);
        };
        let dims: Vec<Option<Dim>> =
            items.iter().map(|item| self.extent_argument(item, shape.span)).collect();
        dims.into_iter().collect()
    }

    fn extent_argument(&mut self, val: &Val, span: Span) -> Option<Dim> {
        if val.is_error() {
            return None;
        }
        if let Some(extent) = val.constant().and_then(|it| it.as_int()) {
            let fits = i64::try_from(extent).ok().filter(|extent| *extent > 0);
            if fits.is_none() {
                self.report(errors::bad_extent(extent, span));
            }
            let fits = fits.map(Dim::Const);
            return fits.filter(|dim| self.extent_of_triton(*dim, span));
        }
        self.note_integer(val);
        match (val.value(), self.scalar(val)) {
            (Some(value), Some(dtype)) if dtype.is_int() => {
                let value = self.frame.build.cast_scalar(value, DType::I64, span);
                Some(self.frame.build.dim(value))
            }
            _ => {
                let found = self.describe(val);
                self.report(errors::extent_is_no_integer(&found, span));
                None
            }
        }
    }

    /// The product of extents, as an extent.
    pub(super) fn product(&mut self, dims: &[Dim], span: Span) -> Dim {
        let mut known: i64 = 1;
        let mut unknown: Option<Value> = None;
        for dim in dims {
            match dim {
                Dim::Const(extent) => known = known.saturating_mul(*extent),
                Dim::Value(value) => {
                    let build = &mut self.frame.build;
                    let times = crate::ops::BinaryOp::Mul;
                    unknown = Some(match unknown {
                        Some(so_far) => build.binary_scalar(times, so_far, *value, span),
                        None => *value,
                    });
                }
            }
        }
        let Some(unknown) = unknown else { return Dim::Const(known) };
        if known == 1 {
            return Dim::Value(unknown);
        }
        let build = &mut self.frame.build;
        let known = build.int(known, span);
        Dim::Value(build.binary_scalar(crate::ops::BinaryOp::Mul, unknown, known, span))
    }
}
