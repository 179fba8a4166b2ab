//! Conditions: what decides a branch, and `and`, `or`, `not`.

use super::analysis::{Analysis, Style};
use super::errors::control as errors;
use super::operands::Meeting;
use super::promote::Rule;
use super::value::{Constant, Spanned, Val};
use crate::dtype::DType;
use crate::ir::{self, Literal, Type, Value};
use crate::ops::{BinaryOp, CompareOp, UnaryOp};
use crate::source::Span;
use crate::syntax::ast::{self, BoolOp, ExprId};

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Truth {
    /// The compiler knows.
    Known(bool),
    /// The launch knows: an `i1` scalar.
    Launch(Value),
    /// An error already said.
    Error,
}

impl Analysis<'_> {
    /// Whether `val` holds; `what` is what asks ("the condition of this `if`").
    pub(super) fn truth(&mut self, what: &str, val: &Spanned) -> Truth {
        match &val.val {
            Val::Error => Truth::Error,
            Val::Const(constant) => Truth::Known(constant.is_true()),
            Val::Tuple(items) => Truth::Known(!items.is_empty()),
            Val::Value(value) => self.truth_of_value(what, *value, val),
            Val::Pointer(_)
            | Val::View(_)
            | Val::Handle(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Method(..)
            | Val::Namespace(_)
            | Val::Range(_) => {
                let found = self.describe(&val.val);
                self.report(errors::not_a_condition(what, &found, val.span));
                Truth::Error
            }
        }
    }

    /// [`Analysis::truth`] for what decides which code is compiled: of a symbol one is assumed.
    pub(super) fn decide(&mut self, what: &str, val: &Spanned) -> Truth {
        if self.assume_truth(&val.val) { Truth::Error } else { self.truth(what, val) }
    }

    fn truth_of_value(&mut self, what: &str, value: Value, val: &Spanned) -> Truth {
        match self.ty(value) {
            Type::Scalar(_) => {
                let holds = self.nonzero(value, val.span);
                let known = self.frame.build.func.literal(holds).and_then(Literal::as_int);
                known.map_or(Truth::Launch(holds), |known| Truth::Known(known != 0))
            }
            Type::Tile(tile) => {
                let wrong = if tile.dims.is_empty() {
                    errors::data_dependent(what, val.span).help(
                        "compute both and choose: `tl.where(condition, x, y)`; or mask the store",
                    )
                } else {
                    errors::tile_condition(what, &self.describe(&val.val), val.span)
                };
                self.report(wrong);
                Truth::Error
            }
            Type::Pointer(_) | Type::Future(_) | Type::Completion => {
                let found = self.describe(&val.val);
                self.report(errors::not_a_condition(what, &found, val.span));
                Truth::Error
            }
        }
    }

    /// A scalar as a truth value.
    fn nonzero(&mut self, value: Value, span: Span) -> Value {
        let build = &mut self.frame.build;
        let dtype = build.func.ty(value).dtype();
        if dtype == DType::I1 {
            return value;
        }
        let zero = if dtype.is_float() { Literal::Float(0.0) } else { Literal::Int(0) };
        let zero = build.constant(zero, dtype, span);
        build.compare_scalar(CompareOp::Ne, value, zero, span)
    }

    /// `not operand`.
    pub(super) fn not(&mut self, operand: &Spanned) -> Val {
        if self.is_mask_logic(&operand.val) {
            let mask = self.mask_of(operand);
            return self.unary(ast::UnaryOp::Invert, &mask, operand.span);
        }
        match self.truth("the operand of `not`", operand) {
            Truth::Error => Val::Error,
            Truth::Known(known) => Val::Const(Constant::Bool(!known)),
            Truth::Launch(value) => {
                let symbols = self.symbols_of(&operand.val).to_vec();
                let not = self.frame.build.unary_scalar(UnaryOp::BitNot, value, operand.span);
                self.frame.symbols.set(not, &symbols);
                Val::Value(not)
            }
        }
    }

    /// `a and b and …`, `a or b or …`: an operand is looked at only where those before it leave
    /// the result open.
    pub(super) fn bool_op(&mut self, op: BoolOp, operands: &[ExprId], span: Span) -> Val {
        let Some((first, rest)) = operands.split_first() else { return Val::Error };
        let mut result = self.spanned(*first);
        for operand in rest {
            let val = self.and_or(op, &result, *operand);
            result = Spanned { val, span };
        }
        if self.may_decide(op, &result) { result.val } else { Val::Error }
    }

    /// Whether an operand is one that `and` and `or` take; says so if not.
    fn may_decide(&mut self, op: BoolOp, operand: &Spanned) -> bool {
        let known = operand.val.constant().is_some()
            || operand.val.items().is_some()
            || self.is_mask_logic(&operand.val);
        known
            || self.scalar(&operand.val).is_some()
            || self.truth(&operand_of(op), operand) != Truth::Error
    }

    /// `left op right`.
    fn and_or(&mut self, op: BoolOp, left: &Spanned, right: ExprId) -> Val {
        if self.is_mask_logic(&left.val) {
            return self.and_or_of_masks(op, left, right);
        }
        let decisive = op == BoolOp::Or;
        let condition = match self.decide(&operand_of(op), left) {
            Truth::Error => return Val::Error,
            Truth::Known(known) if known == decisive => return left.val.clone(),
            Truth::Known(_) => return self.expr(right),
            Truth::Launch(condition) => condition,
        };
        let span = self.span(right);
        let otherwise = self.path(span, |it| it.expr(right));
        if self.is_mask_logic(&otherwise.val) {
            self.frame.build.splice(otherwise.block);
            let scalar = Spanned { val: Val::Value(condition), span: left.span };
            let right = Spanned { val: otherwise.val, span };
            let mask = self.mask_of(&right);
            let op = if decisive { ast::BinaryOp::BitOr } else { ast::BinaryOp::BitAnd };
            return self.binary(op, &scalar, &mask, left.span.to(span));
        }
        if self.frame.build.is_scalar_only(otherwise.block) {
            self.frame.build.splice(otherwise.block);
            let right = Spanned { val: otherwise.val, span };
            return self.and_or_of_scalars(op, condition, left, &right);
        }
        let decided = self.path(left.span, |_| left.val.clone());
        let paths = if decisive { [decided, otherwise] } else { [otherwise, decided] };
        self.join(condition, span, &paths, &|_, _| true)
    }

    /// Whether `and`, `or` and `not` work on the elements of `val`: on tiles of a `jit` kernel.
    fn is_mask_logic(&self, val: &Val) -> bool {
        self.frame.style == Style::Jit && self.tile(val).is_some()
    }

    /// The elements of a tile as truth values.
    fn mask_of(&mut self, operand: &Spanned) -> Spanned {
        let is_mask = self.tile(&operand.val).is_none_or(|tile| tile.dtype == DType::I1);
        if is_mask {
            return operand.clone();
        }
        let zero = Spanned { val: Val::int(0), span: operand.span };
        let val = self.compare(ast::CompareOp::Ne, operand, &zero, operand.span);
        Spanned { val, span: operand.span }
    }

    /// `left op right` on the elements of tiles: both are computed, as in Triton.
    fn and_or_of_masks(&mut self, op: BoolOp, left: &Spanned, right: ExprId) -> Val {
        let right = self.spanned(right);
        let right = if self.tile(&right.val).is_some() {
            self.mask_of(&right)
        } else {
            match self.truth_bits(op, &right) {
                Some(bits) => Spanned { val: Val::Value(bits), span: right.span },
                None => return Val::Error,
            }
        };
        let left = self.mask_of(left);
        let op = if op == BoolOp::And { ast::BinaryOp::BitAnd } else { ast::BinaryOp::BitOr };
        self.binary(op, &left, &right, left.span.to(right.span))
    }

    /// Truth values are joined bit by bit. In `tl` kernels a number gives the operand that
    /// decides, as in Python; in `jit` kernels its truth, as in Triton.
    fn and_or_of_scalars(
        &mut self,
        op: BoolOp,
        condition: Value,
        left: &Spanned,
        right: &Spanned,
    ) -> Val {
        if !self.may_decide(op, right) {
            return Val::Error;
        }
        let logical = [left, right].iter().all(|it| self.is_truth(&it.val));
        if logical || self.frame.style == Style::Jit {
            let Some(bits) = self.truth_bits(op, right) else { return Val::Error };
            let op = if op == BoolOp::And { BinaryOp::BitAnd } else { BinaryOp::BitOr };
            return Val::Value(self.frame.build.binary_scalar(op, condition, bits, right.span));
        }
        let what = operand_of(op);
        let met = self.meet(&what, &[left, right], Rule::Arithmetic, right.span);
        let Some(Meeting { values, dtype, .. }) = met else { return Val::Error };
        let [x, y] = values.as_slice() else { return Val::Error };
        let (x, y) = if op == BoolOp::Or { (*x, *y) } else { (*y, *x) };
        let chosen = ir::Select { condition, x, y };
        Val::Value(self.frame.build.scalar(chosen, dtype, right.span))
    }

    /// The truth of an operand as an `i1` scalar.
    fn truth_bits(&mut self, op: BoolOp, operand: &Spanned) -> Option<Value> {
        match self.truth(&operand_of(op), operand) {
            Truth::Error => None,
            Truth::Launch(value) => Some(value),
            Truth::Known(known) => {
                let bit = Literal::Int(i64::from(known));
                Some(self.frame.build.constant(bit, DType::I1, operand.span))
            }
        }
    }

    fn is_truth(&self, val: &Val) -> bool {
        matches!(val, Val::Const(Constant::Bool(_))) || self.scalar(val) == Some(DType::I1)
    }
}

fn operand_of(op: BoolOp) -> String {
    format!("an operand of `{}`", if op == BoolOp::And { "and" } else { "or" })
}
