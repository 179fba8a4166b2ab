//! The form of a tile from the forms of what it is made of.

use super::analysis::{Analysis, Form};
use super::form::{Affine, Linear};
use super::mask::Mask;
use crate::dtype::DType;
use crate::ir::{Binary, Compare, Op, OpId, Type, Value};
use crate::ops::{BinaryOp, UnaryOp};

/// The shape and the element type of a tile.
type Of<'s> = (&'s [u64], DType);

impl Analysis<'_> {
    /// The form of what `op` gives.
    pub(super) fn form(&mut self, op: OpId, of: Of<'_>) -> Option<Form> {
        let function = self.function;
        let op = &function.ops[op].op;
        if let Op::Binary(it) = op {
            return self.binary(it, of);
        } else if let Op::Compare(it) = op {
            return self.compare(it, of).map(Form::Mask);
        } else if let Op::Unary(it) = op {
            return match self.operand(it.x, of)? {
                Form::Numbers(x) if it.op == UnaryOp::Neg => x.scale(-1).map(Form::Numbers),
                Form::Mask(x) if it.op == UnaryOp::BitNot => x.not(&self.symbols).map(Form::Mask),
                Form::Numbers(_) | Form::Mask(_) => None,
            };
        } else if let Op::Cast(it) = op {
            return self.cast(it.x, of);
        } else if let Op::Arange(it) = op {
            let [extent] = of.0 else { return None };
            let axes = vec![super::form::Axis::new(*extent, 1)];
            return Some(Form::Numbers(Affine { base: Linear::constant(it.start), axes }));
        } else if let Op::Full(it) = op {
            return self.operand(it.value, of);
        }
        self.view(op, of.0)
    }

    /// The form of an operand of an elementwise op, repeated to the shape of its result.
    pub(super) fn operand(&mut self, value: Value, (shape, _): Of<'_>) -> Option<Form> {
        if let Type::Scalar(dtype) = self.function.ty(value) {
            if *dtype == DType::I1 {
                return Some(Form::Mask(self.truth(value)));
            }
            let base = dtype.is_int().then(|| self.linear(value))?;
            return Some(Form::Numbers(Affine::uniform(base, shape)));
        }
        self.viewed(value, |form| form.broadcast(shape))
    }

    fn truth(&self, value: Value) -> Mask {
        match self.function.literal(value).and_then(crate::ir::Literal::as_int) {
            Some(0) => Mask::never(),
            Some(_) => Mask::default(),
            None => Mask::flag(value, true),
        }
    }

    fn viewed(&self, value: Value, view: impl Fn(&Affine) -> Option<Affine>) -> Option<Form> {
        match self.forms[value].as_ref()? {
            Form::Numbers(form) => view(form).map(Form::Numbers),
            Form::Mask(mask) => mask.viewed(view).map(Form::Mask),
        }
    }

    fn view(&self, op: &Op, shape: &[u64]) -> Option<Form> {
        if let Op::ExpandDims(it) = op {
            self.viewed(it.x, |form| form.expanded(it.axis as usize))
        } else if let Op::Broadcast(it) = op {
            self.viewed(it.x, |form| form.broadcast(shape))
        } else if let Op::Transpose(it) = op {
            self.viewed(it.x, |form| form.transposed(&it.axes))
        } else if let Op::Reshape(it) = op {
            self.viewed(it.x, |form| form.reshaped(shape))
        } else if let Op::Slice(it) = op {
            let axis = it.axis as usize;
            let (start, step) = (i64::try_from(it.start).ok()?, i64::try_from(it.step).ok()?);
            let extent = *shape.get(axis)?;
            self.viewed(it.x, |form| form.sliced(axis, (start, step), extent))
        } else if let Op::Flip(it) = op {
            self.viewed(it.x, |form| form.flipped(it.axis as usize))
        } else if let Op::Copy(it) = op {
            self.viewed(it.x, |form| Some(form.clone()))
        } else {
            None
        }
    }

    fn binary(&mut self, it: &Binary, of: Of<'_>) -> Option<Form> {
        match (self.operand(it.x, of)?, self.operand(it.y, of)?) {
            (Form::Numbers(x), Form::Numbers(y)) => {
                self.arithmetic(it.op, (x, y), of.1).map(Form::Numbers)
            }
            (Form::Mask(x), Form::Mask(y)) if it.op == BinaryOp::BitAnd => {
                Some(Form::Mask(x.and(y)))
            }
            (Form::Mask(x), Form::Mask(y)) if it.op == BinaryOp::BitOr => x.or(y).map(Form::Mask),
            (Form::Mask(_), Form::Mask(_)) => None,
            (Form::Numbers(_), Form::Mask(_)) | (Form::Mask(_), Form::Numbers(_)) => None,
        }
    }

    fn arithmetic(&self, op: BinaryOp, (x, y): (Affine, Affine), dtype: DType) -> Option<Affine> {
        match op {
            BinaryOp::Add => x.add(&y),
            BinaryOp::Sub => x.sub(&y),
            BinaryOp::Mul => match (x.as_constant(), y.as_constant()) {
                (_, Some(factor)) => x.scale(factor),
                (Some(factor), None) => y.scale(factor),
                (None, None) => None,
            },
            BinaryOp::Shl => {
                let by = y.as_constant().filter(|by| (0..i64::from(dtype.bits() - 1)).contains(by));
                x.scale(1 << by?)
            }
            BinaryOp::Minimum
            | BinaryOp::Maximum
            | BinaryOp::Rem
            | BinaryOp::FloorMod
            | BinaryOp::IntDiv
            | BinaryOp::FloorDiv => self.exact_arithmetic(op, (x, y), dtype),
            BinaryOp::Div
            | BinaryOp::Pow
            | BinaryOp::MinimumNan
            | BinaryOp::MaximumNan
            | BinaryOp::BitAnd
            | BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::Shr
            | BinaryOp::UMulHi
            | BinaryOp::UMulHi64 => None,
        }
    }

    /// Arithmetic where the numbers themselves count, not only what they are modulo 2^bits.
    fn exact_arithmetic(
        &self,
        op: BinaryOp,
        (x, y): (Affine, Affine),
        dtype: DType,
    ) -> Option<Affine> {
        if !self.is_exact(&x, dtype) || !self.is_exact(&y, dtype) {
            return None;
        }
        let (here, there) = (x.interval(&self.symbols), y.interval(&self.symbols));
        if matches!(op, BinaryOp::Minimum | BinaryOp::Maximum) {
            let (low, high) = if op == BinaryOp::Minimum { (x, y) } else { (y, x) };
            let (x_first, y_first) = (here.hi <= there.lo, there.hi <= here.lo);
            return if x_first { Some(low) } else { y_first.then_some(high) };
        }
        let by = y.as_constant().filter(|by| (1..=MOST_STEPS).contains(by))?;
        let is_below = 0 <= here.lo && here.hi < i128::from(by);
        if matches!(op, BinaryOp::IntDiv | BinaryOp::FloorDiv) {
            return if is_below { x.scale(0) } else { x.divided(by) };
        }
        if is_below {
            return Some(x);
        }
        let counts_up = op == BinaryOp::FloorMod || here.lo >= 0;
        if counts_up { x.wrapped(by) } else { None }
    }

    fn compare(&mut self, it: &Compare, of: Of<'_>) -> Option<Mask> {
        let dtype = self.function.ty(it.x).dtype();
        let (Form::Numbers(x), Form::Numbers(y)) =
            (self.operand(it.x, of)?, self.operand(it.y, of)?)
        else {
            return None;
        };
        let exact = self.is_exact(&x, dtype) && self.is_exact(&y, dtype);
        exact.then(|| Mask::compare(it.op, (&x, &y), &self.symbols))?
    }

    fn cast(&mut self, value: Value, of: Of<'_>) -> Option<Form> {
        let from = self.function.ty(value).dtype();
        match self.operand(value, of)? {
            Form::Numbers(form) if of.1 != DType::I1 && from.is_int() => {
                // Integers of fewer bits are the same modulo fewer numbers.
                let keeps = from.bits() >= of.1.bits() || self.is_exact(&form, from);
                keeps.then_some(Form::Numbers(form))
            }
            Form::Mask(mask) if of.1 == DType::I1 => Some(Form::Mask(mask)),
            Form::Numbers(_) | Form::Mask(_) => None,
        }
    }
}

/// The longest period of a window.
const MOST_STEPS: i64 = u32::MAX as i64;
