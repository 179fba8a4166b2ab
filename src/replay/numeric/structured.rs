//! Ops whose result at a place depends on more than its operands at that place: scans, sorting,
//! gathers, histograms, and tiles put one after another.

use std::cmp::Ordering;

use super::NumericError;
use super::element::{Lane, elements_mut, store, with_lane};
use super::elementwise::with_bits;
use super::operand::Operand;
use super::reduce::Combine;
use crate::dtype::DType;
use crate::ir::SortKind;
use crate::ops::BinaryOp;
use crate::shape::Shape;

/// A shape seen along one axis: `outer` times `extent` times `inner` elements.
#[derive(Clone, Copy, Debug)]
struct Axis {
    outer: usize,
    extent: usize,
    inner: usize,
}

impl Axis {
    fn of(shape: &Shape, axis: u32) -> Result<Axis, NumericError> {
        let axis = axis as usize;
        let Some(extent) = shape.0.get(axis) else {
            return Err(NumericError::Malformed("an op along an axis that is not there"));
        };
        let count = |extents: &[u64]| extents.iter().product::<u64>() as usize;
        let (before, after) = (&shape.0[..axis], &shape.0[axis + 1..]);
        Ok(Axis { outer: count(before), extent: *extent as usize, inner: count(after) })
    }

    /// The places of each line along the axis: where it begins.
    fn lines(self) -> impl Iterator<Item = usize> {
        let (row, inner) = (self.extent * self.inner, self.inner);
        (0..self.outer).flat_map(move |outer| (0..inner).map(move |at| outer * row + at))
    }
}

/// Every lane of `x`, in row-major order; `count` of them.
fn lanes<L: Lane>(x: &Operand<'_>, count: usize) -> Vec<L> {
    let mut lanes = vec![L::default(); count];
    x.load_from(0, 0, &mut lanes);
    lanes
}

/// The running combination of `x` along an axis. What goes on is the lane, so each result is
/// rounded once.
pub(super) fn scan(
    op: BinaryOp,
    (axis, reverse): (u32, bool),
    (x, shape): (&Operand<'_>, &Shape),
    (to, out): (DType, &mut [u8]),
) -> Result<(), NumericError> {
    let axis = Axis::of(shape, axis)?;
    with_lane!(LaneKind::of(to), L => {
        let mut all: Vec<L> = lanes(x, shape.elements() as usize);
        scan_lines(op, (axis, reverse), &mut all);
        store(to, &all, out);
    });
    Ok(())
}

fn scan_lines<L: Combine>(op: BinaryOp, (axis, reverse): (Axis, bool), all: &mut [L]) {
    for start in axis.lines() {
        let place = |step: usize| {
            let at = if reverse { axis.extent - 1 - step } else { step };
            start + at * axis.inner
        };
        for step in 1..axis.extent {
            all[place(step)] = L::combine(op, all[place(step - 1)], all[place(step)]);
        }
    }
}

/// The order of two elements: NaNs are behind every number and equal to each other.
fn order<L: Lane>(x: L, y: L) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| {
        let is_nan = |it: &L| it.partial_cmp(it).is_none();
        is_nan(&x).cmp(&is_nan(&y))
    })
}

/// `x` in order along its last axis.
pub(super) fn sort(
    (kind, descending): (SortKind, bool),
    (x, shape): (&Operand<'_>, &Shape),
    (to, out): (DType, &mut [u8]),
) -> Result<(), NumericError> {
    let Some(extent) = shape.0.last().map(|extent| (*extent as usize).max(1)) else {
        return Err(NumericError::Malformed("a tile without axes is sorted"));
    };
    with_lane!(LaneKind::of(to), L => {
        let mut all: Vec<L> = lanes(x, shape.elements() as usize);
        let before = |x: &L, y: &L| if descending { order(*y, *x) } else { order(*x, *y) };
        for row in all.chunks_mut(extent) {
            match kind {
                SortKind::Full => row.sort_by(before),
                SortKind::Merge => merge(row, &before),
            }
        }
        store(to, &all, out);
    });
    Ok(())
}

/// The last merge of a bitonic sorter.
fn merge<L>(row: &mut [L], before: &dyn Fn(&L, &L) -> Ordering) {
    let mut distance = row.len() / 2;
    while distance > 0 {
        for at in (0..row.len()).filter(|at| at & distance == 0) {
            if at + distance < row.len() && before(&row[at], &row[at + distance]).is_gt() {
                row.swap(at, at + distance);
            }
        }
        distance /= 2;
    }
}

/// `x`, then `y` along an axis of `shape`, of which `x` has the first `first`; bit by bit.
pub(super) fn concat(
    (axis, first): (u32, u64),
    [x, y]: [&Operand<'_>; 2],
    shape: &Shape,
    out: &mut [u8],
) -> Result<(), NumericError> {
    let axis = Axis::of(shape, axis)?;
    let first = first as usize;
    if x.dtype != y.dtype || first > axis.extent {
        return Err(NumericError::Malformed("tiles that do not fit are put one after another"));
    }
    let (head, tail) = (first * axis.inner, (axis.extent - first) * axis.inner);
    with_bits!(x.dtype, B => {
        let rows = elements_mut::<B>(out).chunks_mut((head + tail).max(1));
        for (row, out) in rows.enumerate() {
            let (before, after) = out.split_at_mut(head);
            x.bits(row * head, before);
            y.bits(row * tail, after);
        }
    });
    Ok(())
}

/// Elements of `x` at the places that `index`, of shape `shape`, names along an axis; bit by bit.
///
/// # Errors
/// The first place that is not there.
pub(super) fn gather(
    (axis, extent): (u32, u64),
    [x, index]: [&Operand<'_>; 2],
    shape: &Shape,
    out: &mut [u8],
) -> Result<(), NumericError> {
    let along = Axis::of(shape, axis)?;
    let (row, own) = (along.extent * along.inner, extent as usize * along.inner);
    let places: Vec<i64> = lanes(index, shape.elements() as usize);
    let there = |place: &i64| u64::try_from(*place).is_ok_and(|place| place < extent);
    let missing = places.iter().position(|place| !there(place));
    with_bits!(x.dtype, B => {
        let mut all = vec![B::default(); along.outer * own];
        x.bits(0, &mut all);
        let out = elements_mut::<B>(out);
        for (at, (out, place)) in out.iter_mut().zip(&places).enumerate() {
            let (outer, inner) = (at / row.max(1), at % along.inner.max(1));
            let from = outer * own + *place as usize * along.inner + inner;
            *out = if there(place) { all[from] } else { B::default() };
        }
    });
    match missing {
        None => Ok(()),
        Some(place) => Err(NumericError::NoSuchElement { place, index: places[place], extent }),
    }
}

/// How often each integer from 0 on occurs in `x` where `mask` holds; `out` has an `i32` for each.
pub(super) fn histogram(
    bins: u64,
    (x, mask): (&Operand<'_>, Option<&Operand<'_>>),
    shape: &Shape,
    out: &mut [u8],
) -> Result<(), NumericError> {
    let count = shape.elements() as usize;
    let values: Vec<i64> = lanes(x, count);
    let holds: Option<Vec<u64>> = mask.map(|mask| lanes(mask, count));
    let mut counts = vec![0_i64; bins as usize];
    for (at, value) in values.iter().enumerate() {
        let counted = holds.as_ref().is_none_or(|holds| holds[at] != 0);
        let bin = usize::try_from(*value).ok().filter(|_| counted);
        if let Some(bin) = bin.and_then(|bin| counts.get_mut(bin)) {
            *bin += 1;
        }
    }
    store(DType::I32, &counts, out);
    Ok(())
}
