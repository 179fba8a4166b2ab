//! Intervals of integers: what a scalar can be at most and at least in any program.

use crate::dtype::DType;
use crate::ops::BinaryOp;

/// The integers from `lo` to `hi`, both included. Far wider than any integer type, so arithmetic
/// that saturates still lies outside of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::passes) struct Interval {
    /// The least.
    pub(in crate::passes) lo: i128,
    /// The greatest.
    pub(in crate::passes) hi: i128,
}

impl Interval {
    /// What `i64` holds.
    pub(in crate::passes) const I64: Interval =
        Interval { lo: i64::MIN as i128, hi: i64::MAX as i128 };

    pub(in crate::passes) fn new(lo: i128, hi: i128) -> Interval {
        Interval { lo, hi }
    }

    pub(in crate::passes) fn point(value: i128) -> Interval {
        Interval { lo: value, hi: value }
    }

    /// Every value of an integer type, as an `i64`: of `u64` those below 2^63.
    pub(in crate::passes) fn of(dtype: DType) -> Interval {
        let bits = dtype.bits().min(64);
        if dtype == DType::I1 {
            return Interval::new(0, 1);
        }
        if dtype.is_unsigned() {
            return Interval::new(0, (1_i128 << bits.min(63)) - 1);
        }
        Interval::new(-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    }

    /// Whether all of it is in `other`.
    pub(in crate::passes) fn is_in(self, other: Interval) -> bool {
        other.lo <= self.lo && self.hi <= other.hi
    }

    /// Whether the two have an integer in common.
    pub(in crate::passes) fn meets(self, other: Interval) -> bool {
        self.lo <= other.hi && other.lo <= self.hi
    }

    /// The values of either.
    pub(in crate::passes) fn union(self, other: Interval) -> Interval {
        Interval::new(self.lo.min(other.lo), self.hi.max(other.hi))
    }

    pub(in crate::passes) fn add(self, other: Interval) -> Interval {
        Interval::new(self.lo.saturating_add(other.lo), self.hi.saturating_add(other.hi))
    }

    pub(in crate::passes) fn scale(self, factor: i128) -> Interval {
        let (x, y) = (self.lo.saturating_mul(factor), self.hi.saturating_mul(factor));
        Interval::new(x.min(y), x.max(y))
    }

    /// The sum of as many of its values as `counts` says, none of which is negative.
    pub(in crate::passes) fn times(self, counts: i128) -> Interval {
        Interval::new(self.lo.saturating_mul(counts).min(0), self.hi.saturating_mul(counts).max(0))
    }

    /// The least interval with what `of` gives for the ends of both.
    fn corners(self, other: Interval, of: impl Fn(i128, i128) -> i128) -> Interval {
        let ends =
            [(self.lo, other.lo), (self.lo, other.hi), (self.hi, other.lo), (self.hi, other.hi)];
        let all = ends.map(|(x, y)| of(x, y));
        let [first, rest @ ..] = all;
        rest.iter().fold(Interval::point(first), |all, it| all.union(Interval::point(*it)))
    }

    /// What `op` gives for values of both, as far as it is simple to say.
    pub(in crate::passes) fn binary(op: BinaryOp, x: Interval, y: Interval) -> Option<Interval> {
        match op {
            BinaryOp::Add => Some(x.add(y)),
            BinaryOp::Sub => Some(x.add(y.scale(-1))),
            BinaryOp::Mul => Some(x.corners(y, i128::saturating_mul)),
            BinaryOp::IntDiv if y.lo > 0 => Some(x.corners(y, |x, y| x / y)),
            BinaryOp::FloorDiv if y.lo > 0 => Some(x.corners(y, i128::div_euclid)),
            BinaryOp::Rem | BinaryOp::FloorMod if y.lo > 0 => Some(x.modulo(y, op)),
            BinaryOp::Minimum | BinaryOp::MinimumNan => {
                Some(Interval::new(x.lo.min(y.lo), x.hi.min(y.hi)))
            }
            BinaryOp::Maximum | BinaryOp::MaximumNan => {
                Some(Interval::new(x.lo.max(y.lo), x.hi.max(y.hi)))
            }
            BinaryOp::BitAnd if x.lo >= 0 && y.lo >= 0 => Some(Interval::new(0, x.hi.min(y.hi))),
            BinaryOp::Shr if x.lo >= 0 && 0 <= y.lo && y.hi < 64 => {
                Some(x.corners(y, |x, y| x >> y))
            }
            BinaryOp::Shl if 0 <= y.lo && y.hi < 63 => {
                Some(x.corners(y, |x, y| x.saturating_mul(1 << y)))
            }
            BinaryOp::Div
            | BinaryOp::Pow
            | BinaryOp::IntDiv
            | BinaryOp::FloorDiv
            | BinaryOp::Rem
            | BinaryOp::FloorMod
            | BinaryOp::BitAnd
            | BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::Shl
            | BinaryOp::Shr
            | BinaryOp::UMulHi
            | BinaryOp::UMulHi64 => None,
        }
    }

    /// Remainders of a division by `y`, all of which is positive.
    fn modulo(self, y: Interval, op: BinaryOp) -> Interval {
        if 0 <= self.lo && self.hi < y.lo {
            return self;
        }
        let most = y.hi - 1;
        if op == BinaryOp::FloorMod {
            return Interval::new(0, if self.lo < 0 { most } else { self.hi.min(most) });
        }
        Interval::new(self.lo.clamp(-most, 0), self.hi.clamp(0, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Literal, eval};

    #[test]
    fn intervals_hold_what_the_ops_give() {
        let ranges = [(-7, -3), (-2, 5), (0, 0), (1, 4), (3, 9)];
        for op in BinaryOp::ALL {
            for (x, y) in ranges.iter().flat_map(|x| ranges.map(|y| (*x, y))) {
                let interval = |(lo, hi): (i64, i64)| Interval::new(lo.into(), hi.into());
                let Some(found) = Interval::binary(*op, interval(x), interval(y)) else { continue };
                for (a, b) in (x.0..=x.1).flat_map(|a| (y.0..=y.1).map(move |b| (a, b))) {
                    let args = (Literal::Int(a), Literal::Int(b));
                    let value = eval::binary(*op, DType::I64, args.0, args.1).unwrap();
                    let value = Interval::point(value.as_int().unwrap().into());
                    assert!(value.is_in(found), "{} of {a} and {b}", op.name());
                }
            }
        }
    }

    /// Every pair of small intervals: the interval of the results is exactly their hull.
    #[test]
    fn sums_and_products_are_as_tight_as_they_can_be() {
        let all: Vec<Interval> = (-4..5)
            .flat_map(|first| (first..5).map(move |last| Interval::new(first, last)))
            .collect();
        type Of = fn(i128, i128) -> i128;
        let ops: [(BinaryOp, Of); 5] = [
            (BinaryOp::Add, |x, y| x + y),
            (BinaryOp::Sub, |x, y| x - y),
            (BinaryOp::Mul, |x, y| x * y),
            (BinaryOp::Minimum, i128::min),
            (BinaryOp::Maximum, i128::max),
        ];
        for (x, y) in all.iter().flat_map(|x| all.iter().map(move |y| (*x, *y))) {
            for (op, of) in ops {
                let results = (x.lo..=x.hi).flat_map(|a| (y.lo..=y.hi).map(move |b| of(a, b)));
                let hull = results.map(Interval::point).reduce(Interval::union);
                assert_eq!(Interval::binary(op, x, y), hull, "{op:?} {x:?} {y:?}");
            }
        }
    }

    #[test]
    fn types_hold_their_values() {
        assert_eq!(Interval::of(DType::I8), Interval::new(-128, 127));
        assert_eq!(Interval::of(DType::U16), Interval::new(0, 65535));
        assert_eq!(Interval::of(DType::I64), Interval::I64);
        assert_eq!(Interval::of(DType::U64), Interval::new(0, i64::MAX.into()));
    }
}
