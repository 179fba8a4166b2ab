//! Between which numbers the integers of one launch lie, and so which bytes a transfer may touch.
//!
//! One walk in the order of the text: a constant is itself, a program's place lies in its grid, the
//! variable of a loop between its bounds, and sums and products follow. What a loop carries may be
//! anything. A result that its element type may not hold wraps round, and may be anything too.

mod interval;

pub(super) use self::interval::Interval;
use super::fold::{Trips, trips};
use crate::arena::SideTable;
use crate::ir::{DmaDesc, For, Function, Literal, Op, OpId, Type, Value, Window};

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
            let last = Interval::new(0, i128::from(steps.saturating_sub(1)));
            bytes = bytes.add(last.scale(i128::from(dim.stride)));
        }
        Some(bytes.add(Interval::new(0, i128::from(desc.elem_bytes.saturating_sub(1)))))
    }

    /// The variable of a loop, while its body runs; nothing is said of one whose body never does.
    fn variable(&self, function: &Function, it: &For) -> Option<Interval> {
        let (lo, hi, step) = (self.get(it.lo)?, self.get(it.hi)?, self.get(it.step)?);
        let literal = |value| function.literal(value).and_then(Literal::as_int).map(i128::from);
        if let (Some(lo), Some(step), Trips::Known(count)) =
            (literal(it.lo), literal(it.step), trips(function, it))
        {
            let last = step.checked_mul(i128::from(count.max(1)) - 1)?.checked_add(lo)?;
            return Some(Interval::point(lo).union(Interval::point(last)));
        }
        let (first, last) = if step.lo > 0 {
            (lo.lo, hi.hi - 1)
        } else if step.hi < 0 {
            (hi.lo + 1, lo.hi)
        } else {
            return None;
        };
        (first <= last).then(|| Interval::new(first, last))
    }

    fn result(&self, function: &Function, op: OpId, num_programs: [u32; 3]) -> Option<Interval> {
        let programs = |axis: u32| num_programs.get(axis as usize).copied().map(i128::from);
        let op = &function.ops[op].op;
        if let Op::Const(it) = op {
            it.value.as_int().map(|value| Interval::point(i128::from(value)))
        } else if let Op::ProgramId(it) = op {
            programs(it.axis).map(|count| Interval::new(0, (count - 1).max(0)))
        } else if let Op::NumPrograms(it) = op {
            programs(it.axis).map(Interval::point)
        } else if let Op::Cast(it) = op {
            self.get(it.x)
        } else if let Op::Select(it) = op {
            Some(self.get(it.x)?.union(self.get(it.y)?))
        } else if let Op::Binary(it) = op {
            Interval::binary(it.op, self.get(it.x)?, self.get(it.y)?)
        } else {
            None
        }
    }
}

/// Whether the type of a scalar holds all of `interval`, so that nothing wraps round.
fn holds(ty: &Type, interval: Interval) -> bool {
    matches!(ty, Type::Scalar(dtype) if dtype.is_int() && interval.is_in(Interval::of(*dtype)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn what_wraps_round_is_not_known() {
        let i8 = Type::Scalar(DType::I8);
        assert!(holds(&i8, Interval::new(-128, 127)) && !holds(&i8, Interval::new(-128, 128)));
        let u8 = Type::Scalar(DType::U8);
        assert!(holds(&u8, Interval::new(0, 255)) && !holds(&u8, Interval::new(-1, 255)));
        assert!(holds(&Type::I64, Interval::I64));
        assert!(!holds(&Type::Scalar(DType::F32), Interval::new(0, 1)));
    }
}
