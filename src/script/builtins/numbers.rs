//! Built-in functions on numbers.

use std::cmp::Ordering;

use crate::diag::hosting;
use crate::script::args::{Args, Given, Signature, missing, pure};
use crate::script::evaluator::{Evaluator, compare};
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, UnaryOp};

pub(super) const TABLE: &[Native] = &[
    pure("int", int),
    pure("float", float),
    pure("bool", bool_),
    pure("abs", abs),
    pure("min", min),
    pure("max", max),
    pure("sum", sum),
    pure("round", round),
    pure("divmod", divmod),
    pure("pow", pow),
];

fn int(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value, base] = args.bind(Signature { name: "int", params: ["value?", "base?"] })?;
    let Some(given) = value else { return Ok(Value::Int(0)) };
    if let Some(text) = given.value.as_str() {
        let base = base.map_or(Ok(10), |given| given.int("`base` of `int`"))?;
        return parse_int(text, base).map(Value::Int).ok_or_else(|| {
            let message = format!("{text:?} is not an integer in base {base}");
            Fault::new(hosting::HOST_VALUE, message, given.span, "not an integer")
        });
    }
    let number = evaluator.number(&given.value, given.span)?;
    match number {
        Some(Value::Float(value)) => truncated(value, given.span),
        Some(number) => number.as_int().map(Value::Int).ok_or_else(|| not_number(&given)),
        None => Err(not_number(&given)),
    }
}

fn truncated(value: f64, span: Span) -> Result<Value> {
    let fits = value.is_finite() && value.abs() < 1e38;
    if fits {
        return Ok(Value::Int(value as i128));
    }
    let message = format!("{value} has no integer of 128 bits");
    Err(Fault::new(hosting::HOST_VALUE, message, span, "no such integer"))
}

fn parse_int(text: &str, base: i128) -> Option<i128> {
    let text = text.trim().replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let base = u32::try_from(base).ok()?;
    let prefixes = [(2, "0b"), (8, "0o"), (16, "0x")];
    let prefix = prefixes
        .into_iter()
        .find(|(of, prefix)| (base == 0 || base == *of) && digits.starts_with(prefix));
    let (base, digits) = match prefix {
        Some((of, prefix)) => (of, digits.strip_prefix(prefix)?),
        None => (if base == 0 { 10 } else { base }, digits),
    };
    if !(2..=36).contains(&base) || !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, base).ok()?;
    Some(if negative { -value } else { value })
}

fn float(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "float", params: ["value?"] })?;
    let Some(given) = value else { return Ok(Value::Float(0.0)) };
    if let Some(text) = given.value.as_str() {
        return text.trim().replace('_', "").parse().map(Value::Float).map_err(|_| {
            let message = format!("{text:?} is not a number");
            Fault::new(hosting::HOST_VALUE, message, given.span, "not a number")
        });
    }
    let number = evaluator.number(&given.value, given.span)?;
    let value = number.and_then(|number| number.as_float());
    value.map(Value::Float).ok_or_else(|| not_number(&given))
}

fn not_number(given: &Given) -> Fault {
    given.wrong("this", "a number")
}

fn bool_(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "bool", params: ["value?"] })?;
    let Some(given) = value else { return Ok(Value::Bool(false)) };
    evaluator.truth(&given.value, given.span).map(Value::Bool)
}

fn abs(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "abs", params: ["value"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    if let Value::Object(object) = &given.value {
        let bare = Args { positional: Vec::new(), named: Vec::new(), span: args.span };
        if let Some(found) = object.call_method(evaluator, "abs", &bare)? {
            return Ok(found);
        }
    }
    match (&given.value, given.value.as_int()) {
        (Value::Float(value), _) => Ok(Value::Float(value.abs())),
        (_, Some(value)) if value < 0 => {
            evaluator.unary(UnaryOp::Neg, &Value::Int(value), given.span)
        }
        (_, Some(value)) => Ok(Value::Int(value)),
        _ => Err(not_number(&given)),
    }
}

fn min(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    extreme(evaluator, args, "min", Ordering::Less)
}

fn max(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    extreme(evaluator, args, "max", Ordering::Greater)
}

/// The first of the values that is `wanted` than all before it.
fn extreme(
    evaluator: &mut Evaluator<'_>,
    args: Args,
    name: &'static str,
    wanted: Ordering,
) -> Result<Value> {
    let options = Args { positional: Vec::new(), ..args.clone() };
    let [key, default] = options.bind(Signature { name, params: ["key?", "default?"] })?;
    let values = match &args.positional[..] {
        [] => return Err(missing(name, "iterable", args.span)),
        [one] => evaluator.items(&one.value, one.span)?,
        many => many.iter().map(|given| given.value.clone()).collect(),
    };
    let mut best: Option<(Value, Value)> = None;
    for value in values {
        let by = match &key {
            Some(key) => {
                let given = Given { value: value.clone(), span: args.span };
                let call = Args { positional: vec![given], named: Vec::new(), span: args.span };
                evaluator.call(&key.value, call)?
            }
            None => value.clone(),
        };
        if let Some(made) = by.unknown() {
            return Ok(Value::Unknown(made));
        }
        let wins = match &best {
            None => true,
            Some((top, _)) => compare(evaluator, &by, top, (args.span, args.span))? == Some(wanted),
        };
        if wins {
            best = Some((by, value));
        }
    }
    match (best, default) {
        (Some((_, value)), _) => Ok(value),
        (None, Some(default)) => Ok(default.value),
        (None, None) => {
            let message = format!("`{name}` of no values");
            Err(Fault::new(hosting::HOST_VALUE, message, args.span, "nothing to choose from"))
        }
    }
}

fn sum(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [values, start] = args.bind(Signature { name: "sum", params: ["iterable", "start?"] })?;
    let Some(values) = values else { return Ok(Value::None) };
    let mut total = start.map_or(Value::Int(0), |given| given.value);
    let cursor = evaluator.iterate(&values.value, values.span)?;
    for value in cursor {
        evaluator.spend(1, args.span)?;
        total = evaluator.binary(BinaryOp::Add, total, value, (args.span, args.span))?;
    }
    Ok(total)
}

fn round(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value, digits] = args.bind(Signature { name: "round", params: ["number", "ndigits?"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    let number = evaluator.number(&given.value, given.span)?.ok_or_else(|| not_number(&given))?;
    let Value::Float(value) = number else { return Ok(number) };
    match digits {
        None => truncated(value.round_ties_even(), given.span),
        Some(digits) => {
            let digits = digits.int("`ndigits` of `round`")?.clamp(-308, 308);
            Ok(Value::Float(rounded(value, digits as i32)))
        }
    }
}

/// `value` rounded to `digits` decimal places, by way of its exact decimal expansion.
fn rounded(value: f64, digits: i32) -> f64 {
    match usize::try_from(digits) {
        Ok(digits) => format!("{value:.digits$}").parse().unwrap_or(value),
        Err(_) => {
            let scale = libm::pow(10.0, f64::from(-digits));
            (value / scale).round_ties_even() * scale
        }
    }
}

fn divmod(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [left, right] = args.bind(Signature { name: "divmod", params: ["left", "right"] })?;
    let (Some(left), Some(right)) = (left, right) else { return Ok(Value::None) };
    let spans = (left.span, right.span);
    let (x, y) = (left.value, right.value);
    let quotient = evaluator.binary(BinaryOp::FloorDiv, x.clone(), y.clone(), spans)?;
    let rest = evaluator.binary(BinaryOp::Mod, x, y, spans)?;
    Ok(Value::tuple(vec![quotient, rest]))
}

fn pow(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [base, exponent] = args.bind(Signature { name: "pow", params: ["base", "exp"] })?;
    let (Some(base), Some(exponent)) = (base, exponent) else { return Ok(Value::None) };
    let spans = (base.span, exponent.span);
    evaluator.binary(BinaryOp::Pow, base.value, exponent.value, spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_by_python_s_int() {
        assert_eq!(parse_int(" -1_000 ", 10), Some(-1000));
        assert_eq!(parse_int("0xff", 16), Some(255));
        assert_eq!(parse_int("0xff", 0), Some(255));
        assert_eq!(parse_int("0xff", 10), None);
        assert_eq!(parse_int("--1", 10), None);
        assert_eq!(parse_int("", 10), None);
        assert_eq!(parse_int("z", 36), Some(35));
        assert_eq!(parse_int("1", 99), None);
    }

    #[test]
    fn rounding_goes_to_the_decimal() {
        assert_eq!(rounded(2.675, 2), 2.67); // 2.675 is a little less, as in Python
        assert_eq!(rounded(1234.5, -2), 1200.0);
    }
}
