//! Single elements as people read them: exact values, and distances in units of the last place.

use std::fmt;

use super::numeric::{Element, with_element};
use crate::dtype::{DType, Kind};

/// The value of one element, exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// An integer of any type.
    Int(i128),
    /// A float of any type; `f32` and narrower are shown with the digits of an `f32`.
    Float(f64, DType),
}

impl Value {
    /// The value as a float; integers beyond 2^53 are rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            Value::Bool(value) => f64::from(u8::from(value)),
            Value::Int(value) => value as f64,
            Value::Float(value, _) => value,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Float(value, DType::F64) => write_float(f, *value, &format!("{value:?}")),
            Value::Float(value, _) => write_float(f, *value, &format!("{:?}", *value as f32)),
        }
    }
}

/// `digits`, but NaN and infinities as Python spells them.
fn write_float(f: &mut fmt::Formatter<'_>, value: f64, digits: &str) -> fmt::Result {
    f.pad(if value.is_nan() { "nan" } else { digits })
}

/// The value of the element of `dtype` in `bytes`, which holds one and need not be aligned.
pub fn value(dtype: DType, bytes: &[u8]) -> Value {
    with_element!(dtype, E => {
        let element: E = bytemuck::pod_read_unaligned(bytes);
        match dtype.kind() {
            Kind::Bool => Value::Bool(element.to_u64() != 0),
            Kind::Signed => Value::Int(i128::from(element.to_i64())),
            Kind::Unsigned => Value::Int(i128::from(element.to_u64())),
            Kind::Float => Value::Float(element.to_f64(), dtype),
        }
    })
}

/// How many representable numbers lie from `x` to `y`, one of them counted: 0 for equal numbers
/// (both zeros are equal), 1 for neighbours. For integers, their distance. `None` where one is a
/// NaN and the other is not.
pub fn ulps(dtype: DType, x: &[u8], y: &[u8]) -> Option<u64> {
    let (left, right) = (value(dtype, x), value(dtype, y));
    let (Value::Float(left, _), Value::Float(right, _)) = (left, right) else {
        let distance = match (left, right) {
            (Value::Int(left), Value::Int(right)) => left.abs_diff(right),
            _ => u128::from(left != right),
        };
        return Some(u64::try_from(distance).unwrap_or(u64::MAX));
    };
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Some(0),
        (false, false) => Some(ordinal(dtype, x).abs_diff(ordinal(dtype, y))),
        (true, false) | (false, true) => None,
    }
}

/// The place of a float among the numbers of its type, zero being 0.
fn ordinal(dtype: DType, bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(wide);
    let magnitude = (bits & !(1 << (dtype.bits() - 1))) as i64;
    if bits >> (dtype.bits() - 1) != 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_representable_numbers() {
        let f32s = |x: f32, y: f32| ulps(DType::F32, &x.to_le_bytes(), &y.to_le_bytes());
        assert_eq!(f32s(1.0, 1.0), Some(0));
        assert_eq!(f32s(0.0, -0.0), Some(0));
        assert_eq!(f32s(1.0, 1.0 + f32::EPSILON), Some(1));
        assert_eq!(f32s(1.0, 1.0 - f32::EPSILON / 2.0), Some(1));
        let tiny = f32::from_bits(1);
        assert_eq!(f32s(-tiny, tiny), Some(2));
        assert_eq!(f32s(f32::MAX, f32::INFINITY), Some(1));
        assert_eq!(f32s(f32::NAN, -f32::NAN), Some(0));
        assert_eq!(f32s(f32::NAN, 1.0), None);
        assert_eq!(ulps(DType::F16, &[0x00, 0x3c], &[0x01, 0x3c]), Some(1));
        assert_eq!(ulps(DType::I8, &[0x80], &[0x7f]), Some(255));
    }

    #[test]
    fn values_read_as_people_write_them() {
        assert_eq!(value(DType::F16, &[0x66, 0x2e]).to_string(), "0.099975586");
        assert_eq!(value(DType::F32, &0.1_f32.to_le_bytes()).to_string(), "0.1");
        assert_eq!(value(DType::F64, &1e300_f64.to_le_bytes()).to_string(), "1e300");
        assert_eq!(value(DType::U64, &[0xff; 8]).to_string(), "18446744073709551615");
        assert_eq!(value(DType::I64, &[0xff; 8]).to_string(), "-1");
        assert_eq!(value(DType::I1, &[2]).to_string(), "true");
        assert_eq!(value(DType::F8E4M3, &[0x7f]).to_string(), "nan");
        assert_eq!(value(DType::F8E5M2, &[0xfc]).to_string(), "-inf");
    }
}
