//! Conditions: what decides a branch, and `and`, `or`, `not`.

use super::analysis::Analysis;
use super::errors::control as errors;
use super::value::{Constant, Spanned, Val};
use crate::dtype::DType;
use crate::ir::{Literal, Type, Value};
use crate::ops::{BinaryOp, CompareOp, UnaryOp};
use crate::source::Span;
use crate::syntax::ast::{BoolOp, ExprId};

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

    fn truth_of_value(&mut self, what: &str, value: Value, val: &Spanned) -> Truth {
        match self.ty(value) {
            Type::Scalar(_) => {
                let holds = self.nonzero(value, val.span);
                let known = self.frame.build.func.literal(holds).and_then(Literal::as_int);
                known.map_or(Truth::Launch(holds), |known| Truth::Known(known != 0))
            }
            Type::Tile(tile) => {
                let one = tile.dims.is_empty();
                let found = self.describe(&val.val);
                self.report(errors::tile_condition(what, &found, val.span, one));
                Truth::Error
            }
            Type::Pointer(_) | Type::Future(_) => {
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
        match self.truth("the operand of `not`", operand) {
            Truth::Error => Val::Error,
            Truth::Known(known) => Val::Const(Constant::Bool(!known)),
            Truth::Launch(value) => {
                Val::Value(self.frame.build.unary_scalar(UnaryOp::BitNot, value, operand.span))
            }
        }
    }

    /// `a and b and …`, `a or b or …`: the first operand that decides ends it, where the compiler
    /// knows it.
    pub(super) fn bool_op(&mut self, op: BoolOp, operands: &[ExprId], span: Span) -> Val {
        let name = if op == BoolOp::And { "and" } else { "or" };
        let what = format!("an operand of `{name}`");
        let decisive = op == BoolOp::Or;
        let mut result = Val::Const(Constant::Bool(!decisive));
        let mut so_far: Option<Value> = None;
        for operand in operands {
            let operand = self.spanned(*operand);
            match self.truth(&what, &operand) {
                Truth::Error => return Val::Error,
                Truth::Known(known) if known == decisive && so_far.is_none() => return operand.val,
                Truth::Known(known) if known == decisive => {
                    return Val::Const(Constant::Bool(decisive));
                }
                Truth::Known(_) => result = operand.val,
                Truth::Launch(value) => so_far = Some(self.both(op, so_far, value, span)),
            }
        }
        so_far.map_or(result, Val::Value)
    }

    fn both(&mut self, op: BoolOp, so_far: Option<Value>, value: Value, span: Span) -> Value {
        let Some(so_far) = so_far else { return value };
        let op = if op == BoolOp::And { BinaryOp::BitAnd } else { BinaryOp::BitOr };
        self.frame.build.binary_scalar(op, so_far, value, span)
    }
}
