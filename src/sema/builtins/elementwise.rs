//! Elementwise functions.

use super::Call;
use crate::dtype::DType;
use crate::ir::{self, TileType, Type};
use crate::ops::{BinaryOp, Domain, TernaryOp, UnaryOp};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::operands as errors;
use crate::sema::operands::Meeting;
use crate::sema::promote::Rule;
use crate::sema::value::{Spanned, Val};
use crate::source::Span;
use crate::syntax::ast;

/// `tl.exp(x)` and its kind.
pub(super) fn unary(it: &mut Analysis<'_>, op: UnaryOp, call: &Call) -> Val {
    it.unary_function(op, call.arg("x"), &call.name(), call.span)
}

/// `tl.maximum(x, y)` and its kind.
pub(super) fn binary(it: &mut Analysis<'_>, op: BinaryOp, call: &Call) -> Val {
    let Some(op) = it.nan_rule(call).map(|wins| if wins { with_nan(op) } else { op }) else {
        return Val::Error;
    };
    let (x, y) = (call.arg("x"), call.arg("y"));
    if let Some(operator) = operator_of(op) {
        return it.binary(operator, x, y, call.span);
    }
    let rule = match (op.domain(), op) {
        (Domain::Int, _) => Rule::FloorDivide,
        (_, BinaryOp::Rem) => Rule::Remainder,
        (Domain::Any | Domain::Float, _) => Rule::Arithmetic,
    };
    let what = format!("the operands of `{}`", call.name());
    match it.meet(&what, &[x, y], rule, call.span) {
        Some(meeting) if matches!(op, BinaryOp::UMulHi | BinaryOp::UMulHi64) => {
            high_product(it, call, meeting)
        }
        Some(meeting) if op.domain() == Domain::Float && !meeting.dtype.is_float() => {
            let found = it.describe(&x.val);
            it.report(errors::needs_float(&call.name(), &found, x.span))
        }
        Some(meeting) => Val::Value(it.emit_binary(op, meeting, call.span)),
        None => Val::Error,
    }
}

/// `tl.umulhi(x, y)`: of 32 or of 64 bits.
fn high_product(it: &mut Analysis<'_>, call: &Call, meeting: Meeting) -> Val {
    let op = match meeting.dtype.bits() {
        32 => BinaryOp::UMulHi,
        64 => BinaryOp::UMulHi64,
        _ => {
            let span = call.arg("x").span;
            return it.report(errors::needs_wide_int(&call.name(), meeting.dtype, span));
        }
    };
    Val::Value(it.emit_binary(op, meeting, call.span))
}

/// The operator that means the same.
fn operator_of(op: BinaryOp) -> Option<ast::BinaryOp> {
    match op {
        BinaryOp::Add => Some(ast::BinaryOp::Add),
        BinaryOp::Sub => Some(ast::BinaryOp::Sub),
        BinaryOp::Mul => Some(ast::BinaryOp::Mul),
        BinaryOp::Div => Some(ast::BinaryOp::Div),
        BinaryOp::BitAnd => Some(ast::BinaryOp::BitAnd),
        BinaryOp::BitOr => Some(ast::BinaryOp::BitOr),
        BinaryOp::BitXor => Some(ast::BinaryOp::BitXor),
        BinaryOp::Shl => Some(ast::BinaryOp::Shl),
        BinaryOp::Shr => Some(ast::BinaryOp::Shr),
        BinaryOp::IntDiv
        | BinaryOp::FloorDiv
        | BinaryOp::Rem
        | BinaryOp::FloorMod
        | BinaryOp::Minimum
        | BinaryOp::Maximum
        | BinaryOp::MinimumNan
        | BinaryOp::Pow
        | BinaryOp::MaximumNan
        | BinaryOp::UMulHi
        | BinaryOp::UMulHi64 => None,
    }
}

/// The op that lets a NaN win.
fn with_nan(op: BinaryOp) -> BinaryOp {
    let pairs =
        [(BinaryOp::Minimum, BinaryOp::MinimumNan), (BinaryOp::Maximum, BinaryOp::MaximumNan)];
    pairs.iter().find(|(plain, _)| *plain == op).map_or(op, |(_, with_nan)| *with_nan)
}

/// `tl.fma(x, y, z)`, `tl.clamp(x, min, max)`.
pub(super) fn ternary(it: &mut Analysis<'_>, op: TernaryOp, call: &Call) -> Val {
    let Some(nan_wins) = it.nan_rule(call) else { return Val::Error };
    let [y, z] = match op {
        TernaryOp::Fma => ["y", "z"],
        TernaryOp::Clamp | TernaryOp::ClampNan => ["min", "max"],
    };
    let operands = [call.arg("x"), call.arg(y), call.arg(z)];
    let what = format!("the operands of `{}`", call.name());
    let Some(meeting) = it.meet(&what, &operands, Rule::Arithmetic, call.span) else {
        return Val::Error;
    };
    if op.domain() == Domain::Float && !meeting.dtype.is_float() {
        let found = it.describe(&operands[0].val);
        return it.report(errors::needs_float(&call.name(), &found, operands[0].span));
    }
    let Meeting { values, dtype, dims, .. } = meeting;
    let [x, y, z] = values.as_slice() else { return Val::Error };
    let op = if nan_wins && op == TernaryOp::Clamp { TernaryOp::ClampNan } else { op };
    let op = ir::Ternary { op, x: *x, y: *y, z: *z };
    Val::Value(match dims {
        None => it.frame.build.scalar(op, dtype, call.span),
        Some(dims) => {
            let ty = Type::Tile(TileType::new(dims, dtype));
            it.frame.build.emit_value(op, ty, call.span)
        }
    })
}

/// `tl.where(condition, x, y)`.
pub(super) fn select(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (condition, x, y) = (call.arg("condition"), call.arg("x"), call.arg("y"));
    let zero = Spanned { val: Val::int(0), span: condition.span };
    let mask = match it.operand_dtype(&condition.val) {
        Some(DType::I1) | None => condition.val.clone(),
        Some(_) => it.compare(ast::CompareOp::Ne, condition, &zero, condition.span),
    };
    let mask = Spanned { val: mask, span: condition.span };
    let what = "the operands of `tl.where`";
    let Some(dtype) = it.common_dtype(what, &[x, y], Rule::Arithmetic, call.span) else {
        return Val::Error;
    };
    let Some(dims) = it.common_shape(what, &[&mask, x, y], call.span) else { return Val::Error };
    let values = [(&mask, DType::I1), (x, dtype), (y, dtype)].map(|(arg, to)| it.as_dtype(arg, to));
    let [Some(condition), Some(x), Some(y)] = values else {
        let found = it.describe(&mask.val);
        return it.report(errors::not_an_operand(what, &found, mask.span, false));
    };
    let op = ir::Select { condition, x, y };
    Val::Value(match dims {
        None => it.frame.build.scalar(op, dtype, call.span),
        Some(dims) => {
            let ty = Type::Tile(TileType::new(dims, dtype));
            it.frame.build.emit_value(op, ty, call.span)
        }
    })
}

/// `tl.cdiv(x, div)`.
pub(super) fn cdiv(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (x, div) = (call.arg("x"), call.arg("div"));
    let span = call.span;
    let one = Spanned { val: Val::int(1), span };
    let sum = Spanned { val: it.binary(ast::BinaryOp::Add, x, div, span), span };
    let last = Spanned { val: it.binary(ast::BinaryOp::Sub, &sum, &one, span), span };
    it.binary(ast::BinaryOp::FloorDiv, &last, div, span)
}

impl Analysis<'_> {
    /// Whether `propagate_nan=` says that a NaN wins; `None` is an error already said.
    pub(super) fn nan_rule(&mut self, call: &Call) -> Option<bool> {
        let Some(rule) = call.some("propagate_nan") else { return Some(false) };
        match rule.val.text() {
            Some("ALL") => Some(true),
            Some("NONE") => Some(false),
            Some(_) | None => {
                let found = self.describe(&rule.val);
                self.report(errors::nan_rule(&found, rule.span));
                None
            }
        }
    }

    /// The element type of a scalar or tile.
    pub(super) fn operand_dtype(&self, val: &Val) -> Option<DType> {
        let tile = self.tile(val).map(|tile| tile.dtype);
        tile.or_else(|| self.scalar(val))
    }

    /// `op` applied to `x` by the function `name`.
    pub(super) fn unary_function(
        &mut self,
        op: UnaryOp,
        x: &Spanned,
        name: &str,
        span: Span,
    ) -> Val {
        let what = format!("the operand of `{name}`");
        let Some(meeting) = self.meet(&what, &[x], Rule::Arithmetic, span) else {
            return Val::Error;
        };
        let found = self.describe(&x.val);
        match op.domain() {
            Domain::Float if !meeting.dtype.is_float() => {
                self.report(errors::needs_float(name, &found, x.span))
            }
            Domain::Int if meeting.dtype.is_float() => {
                self.report(errors::needs_int(&what, &found, x.span))
            }
            Domain::Float if self.frame.style == Style::Jit && meeting.dtype.bits() < 32 => {
                self.report(errors::half_in_jit(name, meeting.dtype, x.span))
            }
            Domain::Any | Domain::Float | Domain::Int => self.emit_unary(op, meeting, span),
        }
    }
}
