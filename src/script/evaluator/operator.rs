//! Operators on numbers, strings, lists and tuples. Objects bring their own.

use std::cmp::Ordering;

use super::Evaluator;
use super::iterate::undecided;
use super::order::{identical, is_in};
use crate::diag::hosting;
use crate::script::fault::{Fault, Result};
use crate::script::object::{BinaryOperation, Comparison};
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, CompareOp, UnaryOp};

impl Evaluator<'_> {
    /// `op value`, for every operator but `not`.
    pub(in crate::script) fn unary(
        &mut self,
        op: UnaryOp,
        value: &Value,
        span: Span,
    ) -> Result<Value> {
        let overflow = || too_large(span);
        let found = match (op, value, value.as_int()) {
            (UnaryOp::Neg, Value::Float(value), _) => Some(Value::Float(-value)),
            (UnaryOp::Pos, Value::Float(value), _) => Some(Value::Float(*value)),
            (UnaryOp::Neg, _, Some(value)) => {
                Some(Value::Int(value.checked_neg().ok_or_else(overflow)?))
            }
            (UnaryOp::Pos, _, Some(value)) => Some(Value::Int(value)),
            (UnaryOp::Invert, _, Some(value)) => Some(Value::Int(!value)),
            (_, Value::Object(object), _) => object.unary(self, op, span)?,
            _ => None,
        };
        found.ok_or_else(|| {
            let (symbol, found) = (unary_symbol(op), value.a_type());
            let message = format!("`{symbol}` has no meaning for {found}");
            Fault::new(hosting::HOST_TYPE, message, span, format!("this is {found}"))
        })
    }

    /// `left op right`; the spans are those of the operands.
    pub(in crate::script) fn binary(
        &mut self,
        op: BinaryOp,
        left: Value,
        right: Value,
        spans: (Span, Span),
    ) -> Result<Value> {
        let span = spans.0.to(spans.1);
        if let (Value::Unknown(made), _) | (_, Value::Unknown(made)) = (&left, &right) {
            return Ok(Value::Unknown(*made));
        }
        let divides = matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod);
        if divides && left.as_float().is_some() && right.as_float() == Some(0.0) {
            let message = "division by zero";
            let fault = Fault::new(hosting::HOST_VALUE, message, spans.1, "this is zero");
            return Err(fault.raising("ZeroDivisionError", None));
        }
        if let (Some(left), Some(right)) = (left.as_int(), right.as_int()) {
            return integers(op, left, right, span).and_then(|found| {
                found.ok_or_else(|| no_operator(op, ("an int", "an int"), spans))
            });
        }
        if let (Some(x), Some(y)) = (left.as_float(), right.as_float())
            && let Some(found) = floats(op, x, y, span)?
        {
            return Ok(Value::Float(found));
        }
        if let Some(found) = self.on_objects(op, (&left, &right), span)? {
            return Ok(found);
        }
        if let Some(found) = self.on_sequences(op, (&left, &right), span)? {
            return Ok(found);
        }
        Err(no_operator(op, (&left.a_type(), &right.a_type()), spans))
    }

    fn on_objects(
        &mut self,
        op: BinaryOp,
        (left, right): (&Value, &Value),
        span: Span,
    ) -> Result<Option<Value>> {
        if let Value::Object(object) = left {
            let operation = BinaryOperation { op, other: right, reflected: false, span };
            if let Some(found) = object.binary(self, operation)? {
                return Ok(Some(found));
            }
        }
        let Value::Object(object) = right else { return Ok(None) };
        object.binary(self, BinaryOperation { op, other: left, reflected: true, span })
    }

    fn on_sequences(
        &mut self,
        op: BinaryOp,
        (left, right): (&Value, &Value),
        span: Span,
    ) -> Result<Option<Value>> {
        if let (BinaryOp::Mul, Some(times)) = (op, left.as_int()) {
            return self.repeat_sequence(right, times, span);
        }
        if let (BinaryOp::Mul, Some(times)) = (op, right.as_int()) {
            return self.repeat_sequence(left, times, span);
        }
        let BinaryOp::Add = op else { return Ok(None) };
        if let (Value::Str(left), Value::Str(right)) = (left, right) {
            self.spend((left.len() + right.len()) as u64 / 64, span)?;
            return Ok(Some(Value::str(format!("{left}{right}"))));
        }
        let same = matches!(
            (left, right),
            (Value::List(_), Value::List(_)) | (Value::Tuple(_), Value::Tuple(_))
        );
        let (Some(mut items), Some(more), true) = (left.as_sequence(), right.as_sequence(), same)
        else {
            return Ok(None);
        };
        items.extend(more);
        self.spend_elements(items.len(), span)?;
        let is_list = matches!(left, Value::List(_));
        Ok(Some(if is_list { Value::list(items) } else { Value::tuple(items) }))
    }

    fn repeat_sequence(&mut self, value: &Value, times: i128, span: Span) -> Result<Option<Value>> {
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        if let Value::Str(text) = value {
            self.spend((text.len().saturating_mul(times) / 8) as u64, span)?;
            return Ok(Some(Value::str(text.repeat(times))));
        }
        let Some(items) = value.as_sequence() else { return Ok(None) };
        let length = items.len().saturating_mul(times);
        self.spend_elements(length, span)?;
        let repeated: Vec<Value> = items.iter().cycle().take(length).cloned().collect();
        let is_list = matches!(value, Value::List(_));
        Ok(Some(if is_list { Value::list(repeated) } else { Value::tuple(repeated) }))
    }

    /// `left op right` for a comparison; the spans are those of the operands.
    pub(super) fn compare(
        &mut self,
        op: CompareOp,
        left: &Value,
        right: &Value,
        spans: (Span, Span),
    ) -> Result<Value> {
        let span = spans.0.to(spans.1);
        if let (Value::Unknown(made), _) | (_, Value::Unknown(made)) = (left, right) {
            return Ok(Value::Unknown(*made));
        }
        match op {
            CompareOp::Is => return Ok(Value::Bool(identical(left, right))),
            CompareOp::IsNot => return Ok(Value::Bool(!identical(left, right))),
            CompareOp::In => return is_in(self, left, right, spans.1).map(Value::Bool),
            CompareOp::NotIn => {
                return is_in(self, left, right, spans.1).map(|found| Value::Bool(!found));
            }
            CompareOp::Lt
            | CompareOp::Le
            | CompareOp::Gt
            | CompareOp::Ge
            | CompareOp::Eq
            | CompareOp::Ne => {}
        }
        if let Some(found) = self.compare_objects(op, left, right, span)? {
            return Ok(found);
        }
        let equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
        if equality {
            let equal = super::equal(self, left, right, span)?;
            return Ok(Value::Bool(equal == (op == CompareOp::Eq)));
        }
        let order = super::compare(self, left, right, spans)?;
        let is = |wanted: Ordering| order == Some(wanted);
        Ok(Value::Bool(match op {
            CompareOp::Lt => is(Ordering::Less),
            CompareOp::Le => is(Ordering::Less) || is(Ordering::Equal),
            CompareOp::Gt => is(Ordering::Greater),
            CompareOp::Ge
            | CompareOp::Eq
            | CompareOp::Ne
            | CompareOp::Is
            | CompareOp::IsNot
            | CompareOp::In
            | CompareOp::NotIn => is(Ordering::Greater) || is(Ordering::Equal),
        }))
    }

    fn compare_objects(
        &mut self,
        op: CompareOp,
        left: &Value,
        right: &Value,
        span: Span,
    ) -> Result<Option<Value>> {
        if let Value::Object(object) = left
            && let Some(found) = object.compare(self, Comparison { op, other: right, span })?
        {
            return Ok(Some(found));
        }
        let Value::Object(object) = right else { return Ok(None) };
        object.compare(self, Comparison { op: mirrored(op), other: left, span })
    }

    /// The single number that `value` is: itself, or what an object says.
    pub(in crate::script) fn number(&mut self, value: &Value, span: Span) -> Result<Option<Value>> {
        if let Value::Object(object) = value {
            let number = object.number(self, span)?;
            if let Some(Value::Unknown(made)) = number {
                return Err(undecided("this number", made, span));
            }
            return Ok(number);
        }
        let is_number = matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_));
        Ok(is_number.then(|| value.clone()))
    }
}

/// `a < b` is `b > a`.
const fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        CompareOp::Eq
        | CompareOp::Ne
        | CompareOp::Is
        | CompareOp::IsNot
        | CompareOp::In
        | CompareOp::NotIn => op,
    }
}

/// An operator on integers, which does not divide by zero; `None` where it has no meaning for them.
fn integers(op: BinaryOp, x: i128, y: i128, span: Span) -> Result<Option<Value>> {
    let found = match op {
        BinaryOp::Add => x.checked_add(y),
        BinaryOp::Sub => x.checked_sub(y),
        BinaryOp::Mul => x.checked_mul(y),
        BinaryOp::Div => return Ok(Some(Value::Float(x as f64 / y as f64))),
        BinaryOp::FloorDiv => x.checked_div(y).map(|quotient| floor_quotient(x, y, quotient)),
        BinaryOp::Mod => x
            .checked_rem(y)
            .map(|rest| if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }),
        BinaryOp::Pow if y < 0 => {
            return power(x as f64, y as f64, span).map(Value::Float).map(Some);
        }
        BinaryOp::Pow => u32::try_from(y).ok().and_then(|exponent| x.checked_pow(exponent)),
        BinaryOp::BitAnd => Some(x & y),
        BinaryOp::BitOr => Some(x | y),
        BinaryOp::BitXor => Some(x ^ y),
        BinaryOp::Shl | BinaryOp::Shr if y < 0 => return Err(negative_shift(y, span)),
        BinaryOp::Shl => shifted_left(x, y),
        BinaryOp::Shr => Some(x >> y.min(127)),
        BinaryOp::MatMul => return Ok(None),
    };
    let one_or_less = op == BinaryOp::Pow && (-1..=1).contains(&x);
    let found = if one_or_less { Some(power_of_unit(x, y)) } else { found };
    found.map(|value| Some(Value::Int(value))).ok_or_else(|| too_large(span))
}

/// `x ** y` for `x` of -1, 0 or 1, whatever the exponent.
fn power_of_unit(x: i128, y: i128) -> i128 {
    match (x, y) {
        (_, 0) => 1,
        (-1, y) if y % 2 == 0 => 1,
        (x, _) => x,
    }
}

fn floor_quotient(x: i128, y: i128, quotient: i128) -> i128 {
    let rounded_up = x % y != 0 && (x < 0) != (y < 0);
    if rounded_up { quotient - 1 } else { quotient }
}

fn shifted_left(x: i128, count: i128) -> Option<i128> {
    if x == 0 {
        return Some(0);
    }
    let factor = u32::try_from(count).ok().and_then(|count| 1i128.checked_shl(count))?;
    if factor > 0 { x.checked_mul(factor) } else { None }
}

/// An operator on floats, which does not divide by zero; `None` where it has no meaning for them.
fn floats(op: BinaryOp, x: f64, y: f64, span: Span) -> Result<Option<f64>> {
    Ok(Some(match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::FloorDiv => ((x - float_mod(x, y)) / y).round(),
        BinaryOp::Mod => float_mod(x, y),
        BinaryOp::Pow => power(x, y, span)?,
        BinaryOp::MatMul
        | BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor
        | BinaryOp::Shl
        | BinaryOp::Shr => return Ok(None),
    }))
}

/// `x % y`, which has the sign of `y`.
fn float_mod(x: f64, y: f64) -> f64 {
    let rest = libm::fmod(x, y);
    if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }
}

fn power(x: f64, y: f64, span: Span) -> Result<f64> {
    if x == 0.0 && y < 0.0 {
        let message = "zero has no negative power";
        return Err(Fault::new(hosting::HOST_VALUE, message, span, "a negative power"));
    }
    if x < 0.0 && y.fract() != 0.0 {
        let message = format!("{x} ** {y} is not a real number");
        return Err(Fault::new(hosting::HOST_VALUE, message, span, "a fractional power"));
    }
    Ok(libm::pow(x, y))
}

/// An integer too large at `span`.
pub(in crate::script) fn too_large(span: Span) -> Fault {
    let message = "an integer of the host program does not fit 128 bits";
    Fault::new(hosting::HOST_VALUE, message, span, "too large")
}

fn negative_shift(count: i128, span: Span) -> Fault {
    let message = format!("a shift by {count} bits: the count must not be negative");
    Fault::new(hosting::HOST_VALUE, message, span, "negative shift")
}

fn no_operator(op: BinaryOp, (left, right): (&str, &str), spans: (Span, Span)) -> Fault {
    let symbol = binary_symbol(op);
    let message = format!("`{symbol}` has no meaning for {left} and {right}");
    Fault::new(hosting::HOST_TYPE, message, spans.0.to(spans.1), format!("`{symbol}` of these"))
        .because(spans.0, format!("this is {left}"))
        .because(spans.1, format!("this is {right}"))
}

/// An operator as it is written.
pub(in crate::script) const fn binary_symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::FloorDiv => "//",
        BinaryOp::Mod => "%",
        BinaryOp::Pow => "**",
        BinaryOp::MatMul => "@",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::BitXor => "^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
    }
}

const fn unary_symbol(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Neg => "-",
        UnaryOp::Pos => "+",
        UnaryOp::Invert => "~",
        UnaryOp::Not => "not",
    }
}
