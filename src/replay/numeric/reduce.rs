//! Reductions: each result combines its elements in order, element 0 first, one after the
//! other. Many results are folded side by side, which changes no result.

use multiversion::multiversion;

use super::NumericError;
use super::element::{Lane, LaneKind, store, with_lane};
use super::operand::{BLOCK, Operand};
use crate::dtype::DType;
use crate::ops::{BinaryOp, ReduceOp};
use crate::shape::Shape;

/// Results folded side by side where the elements of each lie one after the other.
const ROWS: usize = 16;
/// Elements of each row that are loaded at once.
const COLUMNS: usize = 128;

/// A lane with the meaning of ops on single values.
pub(super) trait Combine: Lane {
    fn combine(op: BinaryOp, x: Self, y: Self) -> Self;
}

macro_rules! combine {
    ($($Lane:ident, $eval:ident;)*) => {$(
        impl Combine for $Lane {
            #[inline(always)]
            fn combine(op: BinaryOp, x: Self, y: Self) -> Self {
                op.$eval(x, y)
            }
        }
    )*};
}

combine! {
    f32, eval_real;
    f64, eval_real;
    i64, eval_int;
    u64, eval_int;
}

/// An operand cut into the rows that are reduced, each to one result.
struct Rows<'a> {
    /// How many rows.
    count: usize,
    /// Elements of each row.
    len: usize,
    /// A row, from its first element on.
    along: Operand<'a>,
    /// The first element of each row.
    firsts: Operand<'a>,
    /// The distance of neighbours in a row, in elements, where all are equally far apart.
    stride: Option<usize>,
}

impl<'a> Rows<'a> {
    fn new(
        (dtype, bytes): (DType, &'a [u8]),
        shape: &Shape,
        strides: &[i64],
        axis: Option<u32>,
    ) -> Result<Rows<'a>, NumericError> {
        let whole = Operand::tile(dtype, bytes, shape, strides)?;
        let Some(axis) = axis.map(|axis| axis as usize) else {
            let firsts = Operand::tile(dtype, bytes, &Shape::default(), &[])?;
            let len = shape.elements() as usize;
            return Ok(Rows { count: 1, len, along: whole, firsts, stride: None });
        };
        let (Some(extent), Some(stride)) = (shape.0.get(axis), strides.get(axis)) else {
            return Err(NumericError::Malformed("a reduction along an axis that is not there"));
        };
        let row = Shape::new([*extent]);
        let (mut rest, mut rest_strides) = (shape.clone(), strides.to_vec());
        rest.0.remove(axis);
        rest_strides.remove(axis);
        Ok(Rows {
            count: rest.elements() as usize,
            len: *extent as usize,
            along: Operand::tile(dtype, bytes, &row, &[*stride])?,
            firsts: Operand::tile(dtype, bytes, &rest, &rest_strides)?,
            stride: usize::try_from(*stride).ok(),
        })
    }

    /// Whether neighbouring rows are closer than neighbours in a row.
    fn go_across(&self) -> bool {
        self.stride.is_some_and(|stride| stride != 1) && self.count >= ROWS
    }

    /// Folds every row; `finish` gets the results of some rows and the number of the first.
    fn fold<L: Lane, S: Copy>(
        &self,
        init: impl Fn(L) -> S + Copy,
        step: impl Fn(S, L, i64) -> S + Copy,
        mut finish: impl FnMut(&[S], usize),
    ) {
        let group = if self.go_across() { BLOCK } else { ROWS };
        let mut states = Vec::with_capacity(group);
        for first in (0..self.count).step_by(group) {
            let count = group.min(self.count - first);
            let mut heads = [L::default(); BLOCK];
            let heads = self.firsts.lanes(first, &mut heads[..count]);
            states.clear();
            states.extend(heads.iter().map(|head| init(*head)));
            if self.go_across() {
                self.fold_across(first, &mut states, step);
            } else {
                self.fold_along(first, &mut states, step);
            }
            finish(&states, first);
        }
    }

    /// Folds neighbouring rows, element by element of all of them.
    fn fold_across<L: Lane, S: Copy>(
        &self,
        first: usize,
        states: &mut [S],
        step: impl Fn(S, L, i64) -> S + Copy,
    ) {
        let mut buffer = [L::default(); BLOCK];
        for place in 1..self.len {
            let base = place * self.stride.unwrap_or(0);
            let lanes = self.firsts.lanes_from(base, first, &mut buffer[..states.len()]);
            step_each(states, lanes, place as i64, step);
        }
    }

    /// Folds a few rows, a piece of each at a time.
    fn fold_along<L: Lane, S: Copy>(
        &self,
        first: usize,
        states: &mut [S],
        step: impl Fn(S, L, i64) -> S + Copy,
    ) {
        let mut pieces = [[L::default(); COLUMNS]; ROWS];
        for start in (1..self.len).step_by(COLUMNS) {
            let len = COLUMNS.min(self.len - start);
            for (row, piece) in pieces[..states.len()].iter_mut().enumerate() {
                let base = self.firsts.element_of(first + row);
                self.along.load_from(base, start, &mut piece[..len]);
            }
            step_pieces(states, &pieces, start..start + len, step);
        }
    }
}

/// One element of each of many rows.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn step_each<L: Copy, S: Copy, F: Fn(S, L, i64) -> S + Copy>(
    states: &mut [S],
    lanes: &[L],
    place: i64,
    step: F,
) {
    for (state, lane) in states.iter_mut().zip(lanes) {
        *state = step(*state, *lane, place);
    }
}

/// The elements at `places` of each of a few rows.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn step_pieces<L: Copy, S: Copy, F: Fn(S, L, i64) -> S + Copy>(
    states: &mut [S],
    pieces: &[[L; COLUMNS]; ROWS],
    places: std::ops::Range<usize>,
    step: F,
) {
    if let Ok(states) = <&mut [S; ROWS]>::try_from(&mut *states) {
        for (column, place) in places.enumerate() {
            for (state, piece) in states.iter_mut().zip(pieces) {
                *state = step(*state, piece[column], place as i64);
            }
        }
        return;
    }
    for (state, piece) in states.iter_mut().zip(pieces) {
        for (lane, place) in piece.iter().zip(places.clone()) {
            *state = step(*state, *lane, place as i64);
        }
    }
}

/// `op` of `bytes`, a tile of `from` read over `shape`, along `axis` or of every element in
/// row-major order. `out` is dense and of `to`.
pub(super) fn reduce(
    (op, axis): (ReduceOp, Option<u32>),
    (from, bytes): (DType, &[u8]),
    (shape, strides): (&Shape, &[i64]),
    (to, out): (DType, &mut [u8]),
) -> Result<(), NumericError> {
    let rows = Rows::new((from, bytes), shape, strides, axis)?;
    if rows.len == 0 {
        return Err(NumericError::Malformed("a reduction of no elements"));
    }
    if op.gives_index() {
        with_lane!(LaneKind::of(from), L => indices::<L>(op.combine(), &rows, (to, out)));
        return Ok(());
    }
    let lane = LaneKind::of(if from.is_float() == to.is_float() { from } else { to });
    with_lane!(lane, L => values::<L>(op.combine(), &rows, (to, out)));
    Ok(())
}

fn values<L: Combine>(op: BinaryOp, rows: &Rows<'_>, out: (DType, &mut [u8])) {
    // Each common op gets loops of its own.
    if op == BinaryOp::Add {
        fold_values(rows, |x: L, y| L::combine(BinaryOp::Add, x, y), out);
    } else if op == BinaryOp::Maximum {
        fold_values(rows, |x: L, y| L::combine(BinaryOp::Maximum, x, y), out);
    } else if op == BinaryOp::Minimum {
        fold_values(rows, |x: L, y| L::combine(BinaryOp::Minimum, x, y), out);
    } else {
        fold_values(rows, |x: L, y| L::combine(op, x, y), out);
    }
}

fn fold_values<L: Lane>(
    rows: &Rows<'_>,
    combine: impl Fn(L, L) -> L + Copy,
    (to, out): (DType, &mut [u8]),
) {
    let size = to.bytes() as usize;
    rows.fold(
        |head: L| head,
        |state, lane, _| combine(state, lane),
        |states, first| store(to, states, &mut out[first * size..][..states.len() * size]),
    );
}

fn indices<L: Combine>(op: BinaryOp, rows: &Rows<'_>, (to, out): (DType, &mut [u8])) {
    let size = to.bytes() as usize;
    // An element wins if it is what is left of it and the best so far, and is not just as good.
    // A NaN, which differs from itself, never wins.
    let wins = |best: L, lane: L| {
        let is_number = lane.partial_cmp(&lane).is_some();
        is_number && L::combine(op, best, lane) != best
    };
    rows.fold(
        |head: L| (head, 0_i64),
        |(best, at), lane, place| if wins(best, lane) { (lane, place) } else { (best, at) },
        |states, first| {
            let places: Vec<i64> = states.iter().map(|(_, at)| *at).collect();
            store(to, &places, &mut out[first * size..][..places.len() * size]);
        },
    );
}
