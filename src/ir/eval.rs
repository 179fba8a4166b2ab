//! The meaning of scalar ops, shared by constant folding and by the stream walker, so that a
//! folded scalar and a walked one are the same bits.

use super::Literal;
use crate::dtype::{DType, Kind, Rounding, convert};
use crate::ops::{AtomicOp, BinaryOp, CompareOp, Domain, TernaryOp, UnaryOp};

/// `value` as `dtype` holds it: integers wrapped to their width, floats rounded to nearest even.
pub fn wrap(dtype: DType, value: Literal) -> Literal {
    match (dtype.kind(), value) {
        (Kind::Float, value) => Literal::Float(convert::nearest(dtype, value.as_float())),
        (Kind::Bool, Literal::Int(value)) => Literal::Int(i64::from(value != 0)),
        (Kind::Bool, Literal::Float(value)) => Literal::Int(i64::from(value != 0.0)),
        (Kind::Signed | Kind::Unsigned, Literal::Int(value)) => {
            Literal::Int(wrap_int(dtype, value))
        }
        (Kind::Unsigned, Literal::Float(value)) if dtype == DType::U64 => {
            Literal::Int((value as u64) as i64)
        }
        (Kind::Signed | Kind::Unsigned, Literal::Float(value)) => {
            Literal::Int(wrap_int(dtype, value as i64))
        }
    }
}

/// `value` as `dtype` holds it, rounded as `rounding` says where a float does not hold it.
pub fn convert(dtype: DType, value: Literal, rounding: Rounding) -> Literal {
    match rounding {
        Rounding::TowardZero if dtype.is_float() => {
            wrap(dtype, Literal::Float(convert::toward_zero(dtype, value.as_float())))
        }
        Rounding::TowardZero | Rounding::NearestEven => wrap(dtype, value),
    }
}

/// The low bits of `value` that an integer `dtype` keeps, extended by its signedness.
fn wrap_int(dtype: DType, value: i64) -> i64 {
    let unused = 64 - dtype.bits();
    if dtype.is_unsigned() {
        (((value as u64) << unused) >> unused) as i64
    } else {
        (value << unused) >> unused
    }
}

/// How scalars of a type compute.
enum Width {
    F32,
    F64,
    Signed,
    Unsigned,
}

fn width(dtype: DType) -> Width {
    match dtype.kind() {
        Kind::Float if dtype == DType::F64 => Width::F64,
        Kind::Float => Width::F32,
        Kind::Signed => Width::Signed,
        Kind::Unsigned | Kind::Bool => Width::Unsigned,
    }
}

fn int(value: Literal) -> i64 {
    match value {
        Literal::Int(value) => value,
        Literal::Float(value) => value as i64,
    }
}

fn single(value: Literal) -> f32 {
    value.as_float() as f32
}

/// A unary op on scalars of `dtype`.
pub fn unary(op: UnaryOp, dtype: DType, x: Literal) -> Literal {
    let value = match width(dtype) {
        Width::F32 => Literal::Float(f64::from(op.eval_real(single(x)))),
        Width::F64 => Literal::Float(op.eval_real(x.as_float())),
        Width::Signed => Literal::Int(op.eval_int(int(x))),
        Width::Unsigned if dtype == DType::I1 && op == UnaryOp::BitNot => {
            Literal::Int(i64::from(int(x) == 0))
        }
        Width::Unsigned => Literal::Int(op.eval_int(int(x) as u64) as i64),
    };
    wrap(dtype, value)
}

/// A binary op on scalars of `dtype`. `None` where an integer is divided by zero.
pub fn binary(op: BinaryOp, dtype: DType, x: Literal, y: Literal) -> Option<Literal> {
    let divides = op.domain() == Domain::Int || op == BinaryOp::Rem;
    let is_division =
        matches!(op, BinaryOp::IntDiv | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::FloorMod);
    if divides && is_division && dtype.is_int() && int(y) == 0 {
        return None;
    }
    let value = match width(dtype) {
        Width::F32 => Literal::Float(f64::from(op.eval_real(single(x), single(y)))),
        Width::F64 => Literal::Float(op.eval_real(x.as_float(), y.as_float())),
        Width::Signed => Literal::Int(op.eval_int(int(x), int(y))),
        Width::Unsigned => Literal::Int(op.eval_int(int(x) as u64, int(y) as u64) as i64),
    };
    Some(wrap(dtype, value))
}

/// A ternary op on scalars of `dtype`.
pub fn ternary(op: TernaryOp, dtype: DType, [x, y, z]: [Literal; 3]) -> Literal {
    let value = match width(dtype) {
        Width::F32 => Literal::Float(f64::from(op.eval_real(single(x), single(y), single(z)))),
        Width::F64 => Literal::Float(op.eval_real(x.as_float(), y.as_float(), z.as_float())),
        Width::Signed => Literal::Int(op.eval_int(int(x), int(y), int(z))),
        Width::Unsigned => {
            Literal::Int(op.eval_int(int(x) as u64, int(y) as u64, int(z) as u64) as i64)
        }
    };
    wrap(dtype, value)
}

/// A comparison of scalars of `dtype`; gives 0 or 1.
pub fn compare(op: CompareOp, dtype: DType, x: Literal, y: Literal) -> Literal {
    let holds = match width(dtype) {
        Width::F32 | Width::F64 => op.eval(x.as_float(), y.as_float()),
        Width::Signed => op.eval(int(x), int(y)),
        Width::Unsigned => op.eval(int(x) as u64, int(y) as u64),
    };
    Literal::Int(i64::from(holds))
}

/// What an atomic op leaves of an element of `dtype` that was `old`. `expected` is what a
/// compare-and-swap compares with, bit by bit.
pub fn atomic(
    op: AtomicOp,
    dtype: DType,
    old: Literal,
    (value, expected): (Literal, Option<Literal>),
) -> Literal {
    let combined = op.combine().and_then(|combine| binary(combine, dtype, old, value));
    match (combined, expected) {
        (Some(combined), _) => combined,
        (None, Some(expected)) if !Literal::same_bits(old, expected) => old,
        (None, _) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_to_their_width() {
        assert_eq!(wrap(DType::I8, Literal::Int(200)), Literal::Int(-56));
        assert_eq!(wrap(DType::U8, Literal::Int(-1)), Literal::Int(255));
        let max = Literal::Int(i64::from(i32::MAX));
        assert_eq!(
            binary(BinaryOp::Add, DType::I32, max, Literal::Int(1)),
            Some(Literal::Int(i64::from(i32::MIN)))
        );
    }

    #[test]
    fn division_follows_its_op() {
        let (x, y) = (Literal::Int(-7), Literal::Int(2));
        let of = |op| binary(op, DType::I64, x, y);
        assert_eq!(of(BinaryOp::IntDiv), Some(Literal::Int(-3)));
        assert_eq!(of(BinaryOp::FloorDiv), Some(Literal::Int(-4)));
        assert_eq!(of(BinaryOp::Rem), Some(Literal::Int(-1)));
        assert_eq!(of(BinaryOp::FloorMod), Some(Literal::Int(1)));
        assert_eq!(binary(BinaryOp::FloorDiv, DType::I64, x, Literal::Int(0)), None);
    }

    #[test]
    fn floats_round_to_nearest_even() {
        // 2049 lies halfway between the f16 neighbours 2048 and 2050.
        assert_eq!(wrap(DType::F16, Literal::Float(2049.0)), Literal::Float(2048.0));
        // A hair more is no tie, though the nearest f32 is.
        let above = Literal::Float(2049.0 + 2f64.powi(-40));
        assert_eq!(wrap(DType::F16, above), Literal::Float(2050.0));
        assert_eq!(wrap(DType::F8E4M3, Literal::Float(17.0)), Literal::Float(16.0));
        assert_eq!(wrap(DType::F8E4M3, Literal::Float(464.0)), Literal::Float(448.0));
        assert!(wrap(DType::F8E4M3, Literal::Float(1000.0)).as_float().is_nan());
        let cut = convert(DType::F8E4M3, Literal::Float(1000.0), Rounding::TowardZero);
        assert_eq!(cut, Literal::Float(448.0));
        assert_eq!(wrap(DType::F8E5M2, Literal::Float(9.0)), Literal::Float(8.0));
    }
}
