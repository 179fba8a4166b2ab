//! Elements as numbers: what bits mean, how a number becomes bits, and what ops do to numbers.
//!
//! An element is its bits in the low end of a `u64`. Integers are computed exactly and wrapped
//! once. Floats are computed in `f32` or `f64` as the table of ops says, and rounded once, by the
//! definition of rounding: to the nearest multiple of the format's spacing there, ties to even.

use super::Reason;
use crate::dtype::{DType, Kind, Rounding};
use crate::ir::Literal;
use crate::ops::{BinaryOp, CompareOp, TernaryOp, UnaryOp};

/// What an element means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// An integer or a truth value.
    Int(i128),
    /// A float: `f64` holds every one of a narrower format exactly.
    Float(f64),
}

/// A binary float format.
struct Format {
    /// Significand bits, the implicit one included.
    precision: i32,
    /// The exponent of the smallest normal number.
    min_exponent: i32,
    /// The bits of the largest finite number.
    max: u64,
    /// The bits of infinity; those of the NaN in a format without one.
    infinity: u64,
    nan: u64,
    sign: u64,
}

fn format(dtype: DType) -> Option<Format> {
    let of = |precision, min_exponent, [max, infinity, nan, sign]: [u64; 4]| {
        Some(Format { precision, min_exponent, max, infinity, nan, sign })
    };
    match dtype {
        DType::F8E4M3 => of(4, -6, [0x7e, 0x7f, 0x7f, 0x80]),
        DType::F8E5M2 => of(3, -14, [0x7b, 0x7c, 0x7e, 0x80]),
        DType::F8E4B8 => of(4, -7, [0x7f, 0x80, 0x80, 0x80]),
        DType::F8E5B16 => of(3, -15, [0x7f, 0x80, 0x80, 0x80]),
        DType::F16 => of(11, -14, [0x7bff, 0x7c00, 0x7e00, 0x8000]),
        DType::BF16 => of(8, -126, [0x7f7f, 0x7f80, 0x7fc0, 0x8000]),
        DType::F32 => of(24, -126, [0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000, 0x8000_0000]),
        DType::F64
        | DType::I1
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64 => None,
    }
}

/// `2^exponent`, for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The largest `e` for which `2^e <= value`, at least that of the smallest normal `f64`.
fn exponent_of(value: f64) -> i32 {
    ((value.abs().to_bits() >> 52) as i32 - 1023).max(-1022)
}

impl Format {
    /// The bits of `value`, rounded once.
    fn encode(&self, value: f64, rounding: Rounding) -> u64 {
        let magnitude = self.magnitude(value, rounding);
        let has_no_sign = self.nan == self.sign && magnitude == 0;
        if magnitude == self.nan || value.is_sign_positive() || has_no_sign {
            magnitude
        } else {
            self.sign | magnitude
        }
    }

    /// The bits of the distance of `value` from zero, or the NaN.
    fn magnitude(&self, value: f64, rounding: Rounding) -> u64 {
        if value.is_nan() {
            return self.nan;
        }
        if value.is_infinite() {
            return self.infinity;
        }
        let exponent = exponent_of(value).max(self.min_exponent);
        let spacing = power_of_two(exponent - (self.precision - 1));
        // Scaling by a power of two is exact, and so is the whole number of spacings.
        let scaled = value.abs() / spacing;
        let significand = match rounding {
            Rounding::NearestEven => scaled.round_ties_even(),
            Rounding::TowardZero => scaled.floor(),
        } as u64;
        // A significand of one bit too many carries into the exponent, as it should.
        let exponents = (exponent - self.min_exponent) as u64;
        let magnitude = (exponents << (self.precision - 1)) + significand;
        match rounding {
            _ if magnitude <= self.max => magnitude,
            Rounding::NearestEven => self.infinity,
            Rounding::TowardZero => self.max,
        }
    }

    /// The value of `bits`.
    fn decode(&self, bits: u64) -> f64 {
        let magnitude = bits & (self.sign - 1);
        let value = if magnitude <= self.max && bits != self.nan {
            let fraction_bits = self.precision - 1;
            let (exponent, fraction) =
                ((magnitude >> fraction_bits) as i32, magnitude & ((1 << fraction_bits) - 1));
            let leading = if exponent == 0 { 0 } else { 1 << fraction_bits };
            let scale = self.min_exponent + exponent.max(1) - 1 - fraction_bits;
            (fraction + leading) as f64 * power_of_two(scale)
        } else if magnitude == self.infinity && self.infinity != self.nan {
            f64::INFINITY
        } else {
            f64::NAN
        };
        if bits & self.sign != 0 { -value } else { value }
    }
}

/// The bits that an integer type keeps.
fn mask(dtype: DType) -> u64 {
    u64::MAX >> (64 - dtype.bits())
}

/// What `bits` mean in `dtype`.
pub(super) fn decode(dtype: DType, bits: u64) -> Number {
    match dtype.kind() {
        Kind::Bool => Number::Int(i128::from(bits & 0xff != 0)),
        Kind::Unsigned => Number::Int(i128::from(bits & mask(dtype))),
        Kind::Signed => {
            let unused = 64 - dtype.bits();
            Number::Int(i128::from(((bits << unused) as i64) >> unused))
        }
        Kind::Float => {
            Number::Float(format(dtype).map_or(f64::from_bits(bits), |format| format.decode(bits)))
        }
    }
}

/// `number` converted to `dtype`.
pub(super) fn encode(dtype: DType, number: Number) -> u64 {
    match (dtype.kind(), number) {
        (Kind::Bool, Number::Int(value)) => u64::from(value != 0),
        (Kind::Bool, Number::Float(value)) => u64::from(value != 0.0),
        (Kind::Signed | Kind::Unsigned, Number::Int(value)) => value as u64 & mask(dtype),
        // `as` truncates, saturates, and makes 0 of a NaN.
        (Kind::Unsigned, Number::Float(value)) if dtype == DType::U64 => value as u64,
        (Kind::Signed | Kind::Unsigned, Number::Float(value)) => value as i64 as u64 & mask(dtype),
        (Kind::Float, Number::Int(value)) => encode_float(dtype, value as f64),
        (Kind::Float, Number::Float(value)) => encode_float(dtype, value),
    }
}

/// `number` converted to `dtype`, rounded as told where that is a float type.
pub(super) fn convert(dtype: DType, number: Number, rounding: Rounding) -> u64 {
    match number {
        Number::Float(value) if dtype.is_float() => round_float(dtype, value, rounding),
        Number::Int(value) if dtype.is_float() => round_float(dtype, value as f64, rounding),
        Number::Int(_) | Number::Float(_) => encode(dtype, number),
    }
}

fn encode_float(dtype: DType, value: f64) -> u64 {
    round_float(dtype, value, Rounding::NearestEven)
}

fn round_float(dtype: DType, value: f64, rounding: Rounding) -> u64 {
    match format(dtype) {
        Some(format) => format.encode(value, rounding),
        None if value.is_nan() => 0x7ff8_0000_0000_0000,
        None => value.to_bits(),
    }
}

/// The bits of a constant of `dtype`.
pub(super) fn of_literal(dtype: DType, value: Literal) -> u64 {
    match value {
        Literal::Int(value) => encode(dtype, Number::Int(i128::from(value))),
        Literal::Float(value) => encode(dtype, Number::Float(value)),
    }
}

/// The integer that `bits` of `dtype` are; a float is truncated.
pub(super) fn as_int(dtype: DType, bits: u64) -> i128 {
    match decode(dtype, bits) {
        Number::Int(value) => value,
        Number::Float(value) => value as i128,
    }
}

fn as_float(dtype: DType, bits: u64) -> f64 {
    match decode(dtype, bits) {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    }
}

type Exact1 = fn(i128) -> i128;
type Exact2 = fn(i128, i128) -> i128;

/// What unary ops do to integers, exactly.
const UNARY: &[(UnaryOp, Exact1)] =
    &[(UnaryOp::Neg, |x| -x), (UnaryOp::Abs, |x| x.abs()), (UnaryOp::BitNot, |x| -1 - x)];

/// What binary ops do to integers, exactly but for high bits that no type keeps. No divisor is 0.
const BINARY: &[(BinaryOp, Exact2)] = &[
    (BinaryOp::Add, |x, y| x + y),
    (BinaryOp::Sub, |x, y| x - y),
    (BinaryOp::Mul, i128::wrapping_mul),
    (BinaryOp::IntDiv, |x, y| x / y),
    (BinaryOp::Rem, |x, y| x % y),
    (BinaryOp::FloorDiv, floor_div),
    (BinaryOp::FloorMod, |x, y| x - floor_div(x, y) * y),
    (BinaryOp::Minimum, i128::min),
    (BinaryOp::Maximum, i128::max),
    (BinaryOp::MinimumNan, i128::min),
    (BinaryOp::MaximumNan, i128::max),
    (BinaryOp::BitAnd, |x, y| x & y),
    (BinaryOp::BitOr, |x, y| x | y),
    (BinaryOp::BitXor, |x, y| x ^ y),
    (BinaryOp::Shl, |x, y| if (0..64).contains(&y) { x.wrapping_shl(y as u32) } else { 0 }),
    (BinaryOp::UMulHi, |x, y| ((x & 0xffff_ffff) * (y & 0xffff_ffff)) >> 32),
    (BinaryOp::UMulHi64, |x, y| ((x as u64 as u128 * y as u64 as u128) >> 64) as i128),
    (BinaryOp::Shr, |x, y| if (0..64).contains(&y) { x >> y } else { x >> 127 }),
];

/// Computes on floats of `dtype`, in the lane that the type has.
macro_rules! in_lane {
    ($dtype:expr, [$($x:ident),*], $op:ident) => {
        if $dtype == DType::F64 {
            $op.eval_real($(as_float($dtype, $x)),*)
        } else {
            f64::from($op.eval_real($(as_float($dtype, $x) as f32),*))
        }
    };
}

/// A unary op.
pub(super) fn unary(op: UnaryOp, dtype: DType, x: u64) -> u64 {
    if dtype.is_float() {
        return encode_float(dtype, in_lane!(dtype, [x], op));
    }
    let value = as_int(dtype, x);
    let result = if dtype == DType::I1 && op == UnaryOp::BitNot {
        i128::from(value == 0)
    } else if let Some((_, exact)) = UNARY.iter().find(|(known, _)| *known == op) {
        exact(value)
    } else {
        i128::from(op.eval_int(value as i64))
    };
    encode(dtype, Number::Int(result))
}

/// A binary op.
pub(super) fn binary(op: BinaryOp, dtype: DType, x: u64, y: u64) -> Result<u64, Reason> {
    if dtype.is_float() {
        return Ok(encode_float(dtype, in_lane!(dtype, [x, y], op)));
    }
    let (x, y) = (as_int(dtype, x), as_int(dtype, y));
    let divides = [BinaryOp::IntDiv, BinaryOp::FloorDiv, BinaryOp::Rem, BinaryOp::FloorMod];
    if divides.contains(&op) && y == 0 {
        return Err(Reason::DivisionByZero);
    }
    let result = match BINARY.iter().find(|(known, _)| *known == op) {
        Some((_, exact)) => exact(x, y),
        None => i128::from(op.eval_int(x as i64, y as i64)),
    };
    Ok(encode(dtype, Number::Int(result)))
}

fn floor_div(x: i128, y: i128) -> i128 {
    let quotient = x / y;
    if x % y != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient }
}

/// A ternary op.
pub(super) fn ternary(op: TernaryOp, dtype: DType, [x, y, z]: [u64; 3]) -> u64 {
    if dtype.is_float() {
        return encode_float(dtype, in_lane!(dtype, [x, y, z], op));
    }
    let (x, y, z) = (as_int(dtype, x), as_int(dtype, y), as_int(dtype, z));
    let result = match op {
        TernaryOp::Fma => x.wrapping_mul(y).wrapping_add(z),
        TernaryOp::Clamp | TernaryOp::ClampNan => x.max(y).min(z),
    };
    encode(dtype, Number::Int(result))
}

/// Whether a comparison holds.
pub(super) fn compare(op: CompareOp, dtype: DType, x: u64, y: u64) -> u64 {
    u64::from(match (decode(dtype, x), decode(dtype, y)) {
        (Number::Int(x), Number::Int(y)) => op.eval(x, y),
        (x, y) => op.eval(float(x), float(y)),
    })
}

fn float(number: Number) -> f64 {
    match number {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::convert::{self, with_narrow_float};

    /// Every bit pattern of the narrow formats means what the storage conversions say, and every
    /// number that lies between two of them rounds as they do.
    #[test]
    fn two_ways_to_round_agree() {
        type Ways = (fn(u64) -> f32, fn(f32) -> u64);
        let narrow = |dtype: DType| -> Option<Ways> {
            with_narrow_float!(
                dtype,
                (encode, decode) => Some((|bits| decode(bits as _), |value| u64::from(encode(value)))),
                else None
            )
        };
        let mut formats = 0;
        for dtype in DType::ALL {
            let (dtype, Some((to, from))) = (*dtype, narrow(*dtype)) else { continue };
            formats += 1;
            for bits in 0..1 << dtype.bits() {
                let value = as_float(dtype, bits);
                assert!(value.to_bits() == f64::from(to(bits)).to_bits() || value.is_nan());
                for near in [value * (1.0 + 2f64.powi(-12)), value * 1.5, value + 2f64.powi(-26)] {
                    let expected = from(convert::f64_to_odd_f32(near));
                    assert_eq!(encode_float(dtype, near), expected, "{dtype} of {near}");
                    let cut = from(convert::toward_zero(dtype, near) as f32);
                    let got = round_float(dtype, near, Rounding::TowardZero);
                    assert_eq!(got, cut, "{dtype} of {near}, toward zero");
                }
            }
        }
        assert_eq!(formats, 6);
    }

    #[test]
    fn single_precision_rounds_as_ieee_hardware_does() {
        let mut bits = 0x3ff0_1234_5678_9abc_u64;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let value = f64::from_bits(bits);
            if !value.is_nan() {
                let expected = (value as f32).to_bits();
                assert_eq!(encode_float(DType::F32, value), u64::from(expected), "{value:e}");
            }
        }
    }

    #[test]
    fn integers_wrap_once() {
        let int = |value: i128| encode(DType::I8, Number::Int(value));
        let of =
            |op, x, y| binary(op, DType::I8, int(x), int(y)).map(|bits| as_int(DType::I8, bits));
        assert_eq!(of(BinaryOp::Add, 100, 100), Ok(-56));
        assert_eq!(of(BinaryOp::IntDiv, -128, -1), Ok(-128));
        assert_eq!(of(BinaryOp::FloorDiv, -7, 2), Ok(-4));
        assert_eq!(of(BinaryOp::FloorMod, -7, 2), Ok(1));
        assert_eq!(of(BinaryOp::Shr, -3, 70), Ok(-1));
        assert_eq!(of(BinaryOp::Rem, 1, 0), Err(Reason::DivisionByZero));
        assert_eq!(encode(DType::U8, Number::Float(-1.5)), 0xff);
        assert_eq!(encode(DType::U64, Number::Float(-1.5)), 0);
        assert_eq!(encode(DType::I32, Number::Float(f64::NAN)), 0);
    }
}
