//! The element type that two operands meet in.
//!
//! Triton's implementation decides, not its prose: any `f64` wins, then `f32`, then `f16`;
//! `bf16` holds only against `bf16`; two different 8-bit floats meet in `f16`; an 8-bit float
//! does not meet an integer; integers meet as in C. A Python number beside a tile takes no part
//! unless it is of a higher kind (truth value, integer, float) than the tile's elements.

use crate::dtype::{DType, Kind};

/// What the operands are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// `+ - *`, comparisons, `where`, `minimum`, `maximum`, `fma`, `clamp`.
    Arithmetic,
    /// `/`: always a float, at least `f32`.
    Divide,
    /// `//`: integers of one signedness.
    FloorDivide,
    /// `%`: integers of one signedness, or floats of at least `f32`.
    Remainder,
    /// `& | ^ << >>`: integers.
    Bitwise,
}

/// Why two element types do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// An 8-bit float beside an integer.
    NarrowFloatAndInt,
    /// A signed and an unsigned integer where the sign decides the result.
    Signedness,
    /// A float where only integers have a meaning.
    NeedsInt,
}

/// Why a Python number has no type beside a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Beyond the range of the tile's elements.
    OutOfRange,
    /// Below zero, beside unsigned elements.
    Negative,
}

/// A Python number beside a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// A truth value.
    Bool,
    /// An integer; `None` where only the launch knows it.
    Int(Option<i128>),
    /// A float; `None` where only the launch knows it.
    Float(Option<f64>),
}

/// The element type in which operands of types `x` and `y` are computed.
pub(super) fn promote(x: DType, y: DType, rule: Rule) -> Result<DType, Clash> {
    let floats = x.is_float() || y.is_float();
    match rule {
        Rule::FloorDivide | Rule::Bitwise if floats => Err(Clash::NeedsInt),
        Rule::Divide | Rule::Remainder if floats => {
            let double = x == DType::F64 || y == DType::F64;
            Ok(if double { DType::F64 } else { DType::F32 })
        }
        Rule::Divide | Rule::FloorDivide | Rule::Remainder
            if x.is_unsigned() != y.is_unsigned() =>
        {
            Err(Clash::Signedness)
        }
        Rule::Divide => Ok(DType::F32),
        Rule::Arithmetic if floats => promote_floats(x, y),
        Rule::Arithmetic | Rule::FloorDivide | Rule::Remainder | Rule::Bitwise => {
            Ok(promote_ints(x, y))
        }
    }
}

/// At least one is a float.
fn promote_floats(x: DType, y: DType) -> Result<DType, Clash> {
    let either = |dtype: DType| x == dtype || y == dtype;
    let narrow = |dtype: DType| dtype.is_float() && dtype.bits() == 8;
    if let Some(wide) = [DType::F64, DType::F32, DType::F16].into_iter().find(|it| either(*it)) {
        return Ok(wide);
    }
    if either(DType::BF16) {
        return Ok(if x == y { DType::BF16 } else { DType::F32 });
    }
    match (narrow(x), narrow(y)) {
        (true, true) if x == y => Ok(x),
        (true, true) => Ok(DType::F16),
        (true, false) | (false, true) | (false, false) => Err(Clash::NarrowFloatAndInt),
    }
}

/// Wider wins; of one width, unsigned wins.
fn promote_ints(x: DType, y: DType) -> DType {
    let rank = |dtype: DType| (dtype.bits(), dtype.is_unsigned());
    if rank(x) >= rank(y) { x } else { y }
}

/// The type that a Python number takes beside elements of type `tile`.
pub(super) fn number_dtype(tile: DType, number: Number) -> Result<DType, Misfit> {
    match (tile.kind(), number) {
        (Kind::Float, _) | (_, Number::Bool) => Ok(tile),
        (Kind::Bool | Kind::Signed | Kind::Unsigned, Number::Float(value)) => {
            Ok(float_dtype(value))
        }
        (Kind::Bool, Number::Int(Some(value))) => int_dtype(value).ok_or(Misfit::OutOfRange),
        (Kind::Bool, Number::Int(None)) => Ok(DType::I64),
        (Kind::Signed | Kind::Unsigned, Number::Int(None)) => Ok(tile),
        (Kind::Unsigned, Number::Int(Some(value))) if value < 0 => Err(Misfit::Negative),
        (Kind::Signed | Kind::Unsigned, Number::Int(Some(value))) => {
            if fits(value, tile) {
                Ok(tile)
            } else {
                Err(Misfit::OutOfRange)
            }
        }
    }
}

/// The float type of a Python float that stands beside integers: `f32`, or `f64` for what `f32`
/// cannot hold.
fn float_dtype(value: Option<f64>) -> DType {
    let Some(size) = value.map(f64::abs) else { return DType::F32 };
    let normal = size >= f64::from(f32::MIN_POSITIVE) && size <= f64::from(f32::MAX);
    if normal || size == 0.0 || !size.is_finite() { DType::F32 } else { DType::F64 }
}

/// The first of `i32`, `u32`, `i64`, `u64` that holds `value`.
pub(super) fn int_dtype(value: i128) -> Option<DType> {
    [DType::I32, DType::U32, DType::I64, DType::U64].into_iter().find(|it| fits(value, *it))
}

/// Whether the integer type `dtype` holds `value`.
pub(super) fn fits(value: i128, dtype: DType) -> bool {
    let (least, most) = int_range(dtype);
    (least..=most).contains(&value)
}

/// The least and the largest number of an integer type.
pub(super) fn int_range(dtype: DType) -> (i128, i128) {
    match dtype.kind() {
        Kind::Bool => (0, 1),
        Kind::Unsigned => (0, (1 << dtype.bits()) - 1),
        Kind::Signed => (-(1 << (dtype.bits() - 1)), (1 << (dtype.bits() - 1)) - 1),
        Kind::Float => (i128::MIN, i128::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType::*;

    #[test]
    fn arithmetic_meets_in_the_wider_kind() {
        let meet = |x, y| promote(x, y, Rule::Arithmetic);
        assert_eq!(meet(I8, U8), Ok(U8));
        assert_eq!(meet(I16, U8), Ok(I16));
        assert_eq!(meet(I1, I8), Ok(I8));
        assert_eq!(meet(I64, F16), Ok(F16));
        assert_eq!(meet(BF16, F16), Ok(F16));
        assert_eq!(meet(BF16, BF16), Ok(BF16));
        assert_eq!(meet(BF16, I32), Ok(F32));
        assert_eq!(meet(BF16, F8E4M3), Ok(F32));
        assert_eq!(meet(F8E4M3, F8E5M2), Ok(F16));
        assert_eq!(meet(F8E4M3, I8), Err(Clash::NarrowFloatAndInt));
        assert_eq!(meet(F64, F8E5M2), Ok(F64));
    }

    #[test]
    fn promotion_is_symmetric() {
        let rules =
            [Rule::Arithmetic, Rule::Divide, Rule::FloorDivide, Rule::Remainder, Rule::Bitwise];
        for rule in rules {
            for x in DType::ALL {
                for y in DType::ALL {
                    assert_eq!(promote(*x, *y, rule), promote(*y, *x, rule), "{x} {y} {rule:?}");
                }
            }
        }
    }

    #[test]
    fn division_gives_a_wide_float_and_needs_one_sign() {
        assert_eq!(promote(I32, I32, Rule::Divide), Ok(F32));
        assert_eq!(promote(F16, F16, Rule::Divide), Ok(F32));
        assert_eq!(promote(F16, F64, Rule::Remainder), Ok(F64));
        assert_eq!(promote(I32, U32, Rule::FloorDivide), Err(Clash::Signedness));
        assert_eq!(promote(I1, I32, Rule::Remainder), Err(Clash::Signedness));
        assert_eq!(promote(F32, I32, Rule::FloorDivide), Err(Clash::NeedsInt));
        assert_eq!(promote(F32, I32, Rule::Bitwise), Err(Clash::NeedsInt));
    }

    #[test]
    fn python_numbers_give_way_to_tiles_of_their_kind() {
        let int = |tile, value| number_dtype(tile, Number::Int(Some(value)));
        assert_eq!(int(F16, 300), Ok(F16));
        assert_eq!(int(I8, 300), Err(Misfit::OutOfRange));
        assert_eq!(int(U32, -3), Err(Misfit::Negative));
        assert_eq!(int(I1, 3), Ok(I32));
        assert_eq!(int(I1, 1 << 31), Ok(U32));
        assert_eq!(int(U64, 1 << 63), Ok(U64));
        assert_eq!(number_dtype(I32, Number::Float(Some(2.5))), Ok(F32));
        assert_eq!(number_dtype(I32, Number::Float(Some(1e300))), Ok(F64));
        assert_eq!(number_dtype(BF16, Number::Float(Some(1e300))), Ok(BF16));
        assert_eq!(number_dtype(I8, Number::Bool), Ok(I8));
    }
}
