//! Python arithmetic on what the compiler holds.

use std::cmp::Ordering;

use super::value::Constant;
use crate::dtype::DType;
use crate::syntax::ast::{BinaryOp, CompareOp};

/// Why an operation on constants has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Division by zero.
    DivisionByZero,
    /// Beyond what the compiler holds.
    Overflow,
    /// A negative or huge count of shifts.
    BadShift,
    /// The operation has no meaning on these.
    NoMeaning,
}

/// `x op y`.
pub(super) fn binary(op: BinaryOp, x: &Constant, y: &Constant) -> Result<Constant, Failure> {
    if let (Constant::Str(x), Constant::Str(y), BinaryOp::Add) = (x, y, op) {
        return Ok(Constant::Str(format!("{x}{y}")));
    }
    if let (Constant::Bool(x), Constant::Bool(y)) = (x, y)
        && let Some(result) = logic(op, *x, *y)
    {
        return Ok(Constant::Bool(result));
    }
    match (x.as_int(), y.as_int()) {
        (Some(x), Some(y)) => integers(op, x, y),
        _ if x.is_number() && y.is_number() => floats(op, as_float(x), as_float(y)),
        _ => Err(Failure::NoMeaning),
    }
}

fn logic(op: BinaryOp, x: bool, y: bool) -> Option<bool> {
    match op {
        BinaryOp::BitAnd => Some(x & y),
        BinaryOp::BitOr => Some(x | y),
        BinaryOp::BitXor => Some(x ^ y),
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::FloorDiv
        | BinaryOp::Mod
        | BinaryOp::Pow
        | BinaryOp::MatMul
        | BinaryOp::Shl
        | BinaryOp::Shr => None,
    }
}

/// The value of a number as a float; zero for what is none.
pub(super) fn as_float(x: &Constant) -> f64 {
    match x {
        Constant::Float(value) => *value,
        Constant::Bool(_) | Constant::Int(_) => x.as_int().unwrap_or(0) as f64,
        Constant::None | Constant::Str(_) | Constant::DType(_) => 0.0,
    }
}

fn integers(op: BinaryOp, x: i128, y: i128) -> Result<Constant, Failure> {
    let zero_divides = y == 0 && matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod);
    if zero_divides {
        return Err(Failure::DivisionByZero);
    }
    let result = match op {
        BinaryOp::Add => x.checked_add(y),
        BinaryOp::Sub => x.checked_sub(y),
        BinaryOp::Mul => x.checked_mul(y),
        BinaryOp::Div => return Ok(Constant::Float(x as f64 / y as f64)),
        BinaryOp::FloorDiv => floor_div(x, y),
        BinaryOp::Mod => floor_div(x, y).and_then(|q| q.checked_mul(y)).map(|whole| x - whole),
        BinaryOp::Pow if y < 0 => return floats(op, x as f64, y as f64),
        BinaryOp::Pow => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        BinaryOp::BitAnd => Some(x & y),
        BinaryOp::BitOr => Some(x | y),
        BinaryOp::BitXor => Some(x ^ y),
        BinaryOp::Shl => return shift_left(x, y),
        BinaryOp::Shr => return shift_right(x, y),
        BinaryOp::MatMul => return Err(Failure::NoMeaning),
    };
    result.map(Constant::Int).ok_or(Failure::Overflow)
}

fn floor_div(x: i128, y: i128) -> Option<i128> {
    let quotient = x.checked_div(y)?;
    let inexact = x.checked_rem(y)? != 0;
    Some(if inexact && (x < 0) != (y < 0) { quotient - 1 } else { quotient })
}

fn shift_left(x: i128, y: i128) -> Result<Constant, Failure> {
    let count = u32::try_from(y).map_err(|_| Failure::BadShift)?;
    let factor = 1i128.checked_shl(count).filter(|factor| *factor > 0);
    let shifted = factor.and_then(|factor| x.checked_mul(factor));
    shifted.map(Constant::Int).ok_or(Failure::Overflow)
}

fn shift_right(x: i128, y: i128) -> Result<Constant, Failure> {
    let count = u32::try_from(y).map_err(|_| Failure::BadShift)?;
    Ok(Constant::Int(x >> count.min(127)))
}

fn floats(op: BinaryOp, x: f64, y: f64) -> Result<Constant, Failure> {
    if y == 0.0 && matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod) {
        return Err(Failure::DivisionByZero);
    }
    let result = match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::FloorDiv => libm::floor(x / y),
        BinaryOp::Mod => x - libm::floor(x / y) * y,
        BinaryOp::Pow => libm::pow(x, y),
        BinaryOp::MatMul
        | BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor
        | BinaryOp::Shl
        | BinaryOp::Shr => return Err(Failure::NoMeaning),
    };
    Ok(Constant::Float(result))
}

/// `x op y`; `None` where the operands are not ordered.
pub(super) fn compare(op: CompareOp, x: &Constant, y: &Constant) -> Option<bool> {
    let equal = is_equal(x, y);
    let order = order(x, y);
    match op {
        CompareOp::Eq => Some(equal),
        CompareOp::Ne => Some(!equal),
        CompareOp::Is => Some(x == y),
        CompareOp::IsNot => Some(x != y),
        CompareOp::Lt => order.map(|it| it == Some(Ordering::Less)),
        CompareOp::Gt => order.map(|it| it == Some(Ordering::Greater)),
        CompareOp::Le => order.map(|it| matches!(it, Some(Ordering::Less | Ordering::Equal))),
        CompareOp::Ge => order.map(|it| matches!(it, Some(Ordering::Greater | Ordering::Equal))),
        CompareOp::In | CompareOp::NotIn => None,
    }
}

/// Python's `==`; a string equals the element type it names.
pub(super) fn is_equal(x: &Constant, y: &Constant) -> bool {
    if let (Constant::DType(dtype), Constant::Str(name))
    | (Constant::Str(name), Constant::DType(dtype)) = (x, y)
    {
        return DType::from_name(name) == Some(*dtype);
    }
    match (x.as_int(), y.as_int()) {
        (Some(x), Some(y)) => x == y,
        _ if x.is_number() && y.is_number() => as_float(x) == as_float(y),
        _ => x == y,
    }
}

/// How numbers or strings are ordered; the inner `None` is a NaN.
fn order(x: &Constant, y: &Constant) -> Option<Option<Ordering>> {
    if let (Constant::Str(x), Constant::Str(y)) = (x, y) {
        return Some(Some(x.cmp(y)));
    }
    match (x.as_int(), y.as_int()) {
        (Some(x), Some(y)) => Some(Some(x.cmp(&y))),
        _ if x.is_number() && y.is_number() => Some(as_float(x).partial_cmp(&as_float(y))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i128) -> Constant {
        Constant::Int(value)
    }

    #[test]
    fn division_floors_as_in_python() {
        assert_eq!(binary(BinaryOp::FloorDiv, &int(-7), &int(2)), Ok(int(-4)));
        assert_eq!(binary(BinaryOp::Mod, &int(-7), &int(2)), Ok(int(1)));
        assert_eq!(binary(BinaryOp::Mod, &int(7), &int(-2)), Ok(int(-1)));
        assert_eq!(binary(BinaryOp::Div, &int(1), &int(2)), Ok(Constant::Float(0.5)));
        assert_eq!(binary(BinaryOp::Mod, &int(1), &int(0)), Err(Failure::DivisionByZero));
        let float = Constant::Float;
        assert_eq!(binary(BinaryOp::FloorDiv, &float(-7.5), &int(2)), Ok(float(-4.0)));
    }

    #[test]
    fn nothing_wraps() {
        assert_eq!(binary(BinaryOp::Mul, &int(i128::MAX), &int(2)), Err(Failure::Overflow));
        assert_eq!(binary(BinaryOp::Shl, &int(1), &int(127)), Err(Failure::Overflow));
        assert_eq!(binary(BinaryOp::Shl, &int(1), &int(-1)), Err(Failure::BadShift));
        assert_eq!(binary(BinaryOp::FloorDiv, &int(i128::MIN), &int(-1)), Err(Failure::Overflow));
        assert_eq!(binary(BinaryOp::Shr, &int(-8), &int(1000)), Ok(int(-1)));
        assert_eq!(binary(BinaryOp::Pow, &int(2), &int(10)), Ok(int(1024)));
    }

    #[test]
    fn comparisons_mix_numbers_but_not_kinds() {
        assert_eq!(compare(CompareOp::Eq, &int(1), &Constant::Float(1.0)), Some(true));
        assert_eq!(compare(CompareOp::Lt, &Constant::Float(f64::NAN), &int(1)), Some(false));
        let text = Constant::Str(String::from("f16"));
        assert_eq!(compare(CompareOp::Lt, &text, &int(1)), None);
        assert_eq!(compare(CompareOp::Eq, &text, &int(1)), Some(false));
        assert_eq!(compare(CompareOp::Eq, &text, &Constant::DType(DType::F16)), Some(true));
    }
}
