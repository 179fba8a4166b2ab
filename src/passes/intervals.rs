//! Between which numbers the integers of one launch lie, and so which bytes a transfer may touch.
//!
//! One walk in the order of the text: a constant is itself, a program's place lies in its grid, the
//! variable of a loop between its bounds, and sums and products follow. What a loop carries may be
//! anything. A result that its element type may not hold wraps round, and may be anything too.

use super::fold::{Trips, trips};
use crate::arena::SideTable;
use crate::dtype::DType;
use crate::ir::{DmaDesc, For, Function, Literal, Op, OpId, Type, Value, Window};
use crate::ops::BinaryOp;

/// All integers from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    /// The least.
    pub(super) first: i128,
    /// The greatest.
    pub(super) last: i128,
}

impl Interval {
    fn only(value: i128) -> Interval {
        Interval { first: value, last: value }
    }

    fn hull(ends: &[i128]) -> Option<Interval> {
        Some(Interval { first: *ends.iter().min()?, last: *ends.iter().max()? })
    }

    fn add(self, other: Interval) -> Option<Interval> {
        let first = self.first.checked_add(other.first)?;
        Some(Interval { first, last: self.last.checked_add(other.last)? })
    }

    fn sub(self, other: Interval) -> Option<Interval> {
        self.add(Interval { first: other.last.checked_neg()?, last: other.first.checked_neg()? })
    }

    fn mul(self, other: Interval) -> Option<Interval> {
        let of = |x: i128, y: i128| x.checked_mul(y);
        let ends = [
            of(self.first, other.first)?,
            of(self.first, other.last)?,
            of(self.last, other.first)?,
            of(self.last, other.last)?,
        ];
        Interval::hull(&ends)
    }

    /// Whether the two have an integer in common.
    pub(super) fn meets(self, other: Interval) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What is known of each integer of a function.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    of: SideTable<Value, Option<Interval>>,
}

impl Intervals {
    /// What is known in `function`, launched with `num_programs` programs on each axis.
    pub(super) fn of(function: &Function, num_programs: [u32; 3]) -> Intervals {
        let mut it = Intervals::default();
        for op in function.reachable_ops() {
            if let Op::For(loops) = &function.ops[op].op
                && let Some(variable) = function.blocks[loops.body].args.first()
            {
                it.of.set(*variable, it.variable(function, loops));
            } else if let [result] = function.ops[op].results.as_slice() {
                let found = it.result(function, op, num_programs);
                let held = found.filter(|it| holds(function.ty(*result), *it));
                it.of.set(*result, held);
            }
        }
        it
    }

    /// Where `value` lies, if anything is known of it.
    fn get(&self, value: Value) -> Option<Interval> {
        self.of[value]
    }

    /// The bytes that a transfer may touch; `None` if they may be any.
    pub(super) fn bytes(&self, base: Value, desc: &DmaDesc, window: &Window) -> Option<Interval> {
        let mut bytes = self.get(base)?;
        for (axis, dim) in desc.dims.iter().enumerate() {
            let wrap = window.wraps.iter().find(|wrap| wrap.axis as usize == axis);
            let steps = wrap.map_or(dim.extent, |wrap| wrap.period);
            let last = Interval { first: 0, last: i128::from(steps.saturating_sub(1)) };
            bytes = bytes.add(last.mul(Interval::only(i128::from(dim.stride)))?)?;
        }
        let element = Interval { first: 0, last: i128::from(desc.elem_bytes.saturating_sub(1)) };
        bytes.add(element)
    }

    /// The variable of a loop, while its body runs.
    fn variable(&self, function: &Function, it: &For) -> Option<Interval> {
        let (lo, hi, step) = (self.get(it.lo)?, self.get(it.hi)?, self.get(it.step)?);
        let literal = |value| function.literal(value).and_then(Literal::as_int).map(i128::from);
        if let (Some(lo), Some(step), Trips::Known(count)) =
            (literal(it.lo), literal(it.step), trips(function, it))
        {
            let last = step.checked_mul(i128::from(count.max(1)) - 1)?.checked_add(lo)?;
            return Interval::hull(&[lo, last]);
        }
        if step.first > 0 {
            Some(Interval { first: lo.first, last: hi.last - 1 })
        } else if step.last < 0 {
            Some(Interval { first: hi.first + 1, last: lo.last })
        } else {
            None
        }
    }

    fn result(&self, function: &Function, op: OpId, num_programs: [u32; 3]) -> Option<Interval> {
        let programs = |axis: u32| num_programs.get(axis as usize).copied().map(i128::from);
        let op = &function.ops[op].op;
        if let Op::Const(it) = op {
            it.value.as_int().map(|value| Interval::only(i128::from(value)))
        } else if let Op::ProgramId(it) = op {
            programs(it.axis).map(|count| Interval { first: 0, last: (count - 1).max(0) })
        } else if let Op::NumPrograms(it) = op {
            programs(it.axis).map(Interval::only)
        } else if let Op::Cast(it) = op {
            self.get(it.x)
        } else if let Op::Select(it) = op {
            let (x, y) = (self.get(it.x)?, self.get(it.y)?);
            Interval::hull(&[x.first, x.last, y.first, y.last])
        } else if let Op::Binary(it) = op {
            combined(it.op, self.get(it.x)?, self.get(it.y)?)
        } else {
            None
        }
    }
}

/// Where `op` of two integers lies. Divisions are known for dividends that are not negative.
fn combined(op: BinaryOp, x: Interval, y: Interval) -> Option<Interval> {
    let divides = x.first >= 0 && y.first > 0;
    if op == BinaryOp::Add {
        x.add(y)
    } else if op == BinaryOp::Sub {
        x.sub(y)
    } else if op == BinaryOp::Mul {
        x.mul(y)
    } else if op == BinaryOp::Minimum {
        Some(Interval { first: x.first.min(y.first), last: x.last.min(y.last) })
    } else if op == BinaryOp::Maximum {
        Some(Interval { first: x.first.max(y.first), last: x.last.max(y.last) })
    } else if divides && matches!(op, BinaryOp::IntDiv | BinaryOp::FloorDiv) {
        Some(Interval { first: x.first / y.last, last: x.last / y.first })
    } else if divides && matches!(op, BinaryOp::Rem | BinaryOp::FloorMod) {
        Some(Interval { first: 0, last: x.last.min(y.last - 1) })
    } else {
        None
    }
}

/// Whether the type of a scalar holds all of `interval`, so that nothing wraps round.
fn holds(ty: &Type, interval: Interval) -> bool {
    let Type::Scalar(dtype) = ty else { return false };
    let Some((first, last)) = limits(*dtype) else { return false };
    first <= interval.first && interval.last <= last
}

/// The least and the greatest integer of a type.
fn limits(dtype: DType) -> Option<(i128, i128)> {
    if !dtype.is_int() {
        return None;
    }
    let bits = dtype.bits();
    if dtype.is_unsigned() || dtype == DType::I1 {
        Some((0, (1 << bits) - 1))
    } else {
        Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type OfTwo = fn(i128, i128) -> i128;

    fn interval(first: i128, last: i128) -> Interval {
        Interval { first, last }
    }

    /// Every pair of small intervals: the interval of the results is exactly their hull.
    #[test]
    fn sums_and_products_are_as_tight_as_they_can_be() {
        let all: Vec<Interval> =
            (-4..5).flat_map(|first| (first..5).map(move |last| interval(first, last))).collect();
        let ops: [(BinaryOp, OfTwo); 5] = [
            (BinaryOp::Add, |x, y| x + y),
            (BinaryOp::Sub, |x, y| x - y),
            (BinaryOp::Mul, |x, y| x * y),
            (BinaryOp::Minimum, i128::min),
            (BinaryOp::Maximum, i128::max),
        ];
        for (x, y) in all.iter().flat_map(|x| all.iter().map(move |y| (*x, *y))) {
            for (op, of) in ops {
                let results =
                    (x.first..=x.last).flat_map(|a| (y.first..=y.last).map(move |b| of(a, b)));
                let results: Vec<i128> = results.collect();
                assert_eq!(combined(op, x, y), Interval::hull(&results), "{op:?} {x:?} {y:?}");
            }
        }
    }

    #[test]
    fn divisions_hold_every_result() {
        for (x, y) in [((0, 17), (3, 5)), ((7, 9), (4, 4)), ((0, 0), (1, 9))] {
            let (x, y) = (interval(x.0, x.1), interval(y.0, y.1));
            for (op, of) in [
                (BinaryOp::FloorDiv, i128::div_euclid as OfTwo),
                (BinaryOp::FloorMod, i128::rem_euclid),
            ] {
                let found = combined(op, x, y).expect("known");
                for (a, b) in
                    (x.first..=x.last).flat_map(|a| (y.first..=y.last).map(move |b| (a, b)))
                {
                    let result = interval(of(a, b), of(a, b));
                    assert!(found.meets(result), "{op:?} of {a} and {b} is not in {found:?}");
                }
            }
        }
        assert_eq!(combined(BinaryOp::FloorDiv, interval(0, 9), interval(0, 2)), None);
        assert_eq!(combined(BinaryOp::FloorDiv, interval(-1, 9), interval(1, 2)), None);
    }

    #[test]
    fn what_wraps_round_is_not_known() {
        let i8 = Type::Scalar(DType::I8);
        assert!(holds(&i8, interval(-128, 127)) && !holds(&i8, interval(-128, 128)));
        let u8 = Type::Scalar(DType::U8);
        assert!(holds(&u8, interval(0, 255)) && !holds(&u8, interval(-1, 255)));
        assert!(holds(&Type::I64, interval(i64::MIN.into(), i64::MAX.into())));
        assert!(!holds(&Type::Scalar(DType::F32), interval(0, 1)));
    }
}
