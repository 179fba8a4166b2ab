//! Conversions between floats and the bits that narrow types store: round to nearest, ties to
//! even, the same on every machine.
//!
//! Each is a few integer operations without a branch, so that a loop over a slice becomes vector
//! code. No library or CPU conversion is used: those that go from `f64` through `f32` round
//! twice, and which do so depends on the CPU.
//!
//! What is too large for a type becomes an infinity, or a NaN in the types that have no infinity
//! (`f8e4m3`, `f8e4b8`, `f8e5b16`), as in PyTorch and ml_dtypes. Every NaN becomes the type's one
//! canonical NaN, which has a positive sign wherever the format leaves a choice.

use super::DType;

/// A binary format of at most 16 bits, by what its bits mean. Where the NaN is the sign bit alone,
/// there is no negative zero.
struct Format {
    /// Stored fraction bits.
    fraction: u32,
    /// The exponent of the smallest normal number.
    min_exponent: i32,
    /// The bits of the largest finite number.
    max: u32,
    /// What a number beyond `max` becomes: infinity, or `nan` where there is none.
    infinity: u32,
    /// The canonical NaN.
    nan: u32,
    /// The place of the sign.
    sign: u32,
}

const F16: Format = Format {
    fraction: 10,
    min_exponent: -14,
    max: 0x7bff,
    infinity: 0x7c00,
    nan: 0x7e00,
    sign: 0x8000,
};

const F8E5M2: Format =
    Format { fraction: 2, min_exponent: -14, max: 0x7b, infinity: 0x7c, nan: 0x7e, sign: 0x80 };

const F8E4M3: Format =
    Format { fraction: 3, min_exponent: -6, max: 0x7e, infinity: 0x7f, nan: 0x7f, sign: 0x80 };

const F8E4B8: Format =
    Format { fraction: 3, min_exponent: -7, max: 0x7f, infinity: 0x80, nan: 0x80, sign: 0x80 };

const F8E5B16: Format =
    Format { fraction: 2, min_exponent: -15, max: 0x7f, infinity: 0x80, nan: 0x80, sign: 0x80 };

/// `2^exponent`, for exponents of normal numbers.
const fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

impl Format {
    /// The bits of `value`, rounded once.
    #[inline(always)]
    fn encode(&self, value: f32) -> u32 {
        let bits = value.to_bits();
        let magnitude = bits & 0x7fff_ffff;
        let dropped = 23 - self.fraction;
        // Where the exponent fits, the fraction is rounded in place: a carry out of it moves to
        // the next exponent, as it should.
        let smallest_normal = power_of_two(self.min_exponent).to_bits();
        let rebias = (((self.min_exponent + 126) as u32) << 23).wrapping_neg();
        let half_down = (1 << (dropped - 1)) - 1;
        let tie = (magnitude >> dropped) & 1;
        let normal =
            magnitude.wrapping_add(rebias).wrapping_add(half_down).wrapping_add(tie) >> dropped;
        // Below it, the spacing is fixed: adding a number of that spacing rounds to it.
        let spacing_at = power_of_two(self.min_exponent - self.fraction as i32 + 23);
        let subnormal =
            (f32::from_bits(magnitude) + spacing_at).to_bits().wrapping_sub(spacing_at.to_bits());
        let finite = if magnitude < smallest_normal { subnormal } else { normal };
        // Infinity itself, shifted, is beyond the largest number, too.
        let number = if finite > self.max { self.infinity } else { finite };
        let unsigned = bits >> 31 == 0 || (number == 0 && self.nan == self.sign);
        let sign = if unsigned { 0 } else { self.sign };
        if magnitude > 0x7f80_0000 || number == self.nan { self.nan } else { number | sign }
    }

    /// The value of `bits`, exactly.
    #[inline(always)]
    fn decode(&self, bits: u32) -> f32 {
        let magnitude = bits & (self.sign - 1);
        // Read as an `f32`, the exponent is too low by the difference of the biases; numbers
        // that are subnormal here are subnormal there, too, and the product is exact.
        let scale = power_of_two(126 + self.min_exponent);
        let finite = f32::from_bits(magnitude << (23 - self.fraction)) * scale;
        let infinite = magnitude == self.infinity && self.infinity != self.nan;
        let special = if infinite { f32::INFINITY } else { f32::NAN };
        let is_number = magnitude <= self.max && bits != self.nan;
        let value = if is_number { finite } else { special };
        f32::from_bits(value.to_bits() | if bits & self.sign != 0 { 0x8000_0000 } else { 0 })
    }
}

/// Makes the two directions of one format.
macro_rules! conversions {
    ($($format:ident, $Bits:ident, $name:literal, $encode:ident, $decode:ident;)*) => {$(
        #[doc = concat!("The ", $name, " bits of `value`, rounded once.")]
        #[inline(always)]
        pub fn $encode(value: f32) -> $Bits {
            $format.encode(value) as $Bits
        }

        #[doc = concat!("The value of ", $name, " bits, exactly.")]
        #[inline(always)]
        pub fn $decode(bits: $Bits) -> f32 {
            $format.decode(u32::from(bits))
        }
    )*};
}

conversions! {
    F16, u16, "`f16`", f16_from_f32, f16_to_f32;
    F8E4M3, u8, "`f8e4m3`", f8e4m3_from_f32, f8e4m3_to_f32;
    F8E5M2, u8, "`f8e5m2`", f8e5m2_from_f32, f8e5m2_to_f32;
    F8E4B8, u8, "`f8e4b8`", f8e4b8_from_f32, f8e4b8_to_f32;
    F8E5B16, u8, "`f8e5b16`", f8e5b16_from_f32, f8e5b16_to_f32;
}

/// The `bf16` bits of `value`, rounded once.
#[inline(always)]
pub fn bf16_from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if bits & 0x7fff_ffff > 0x7f80_0000 { 0x7fc0 } else { rounded as u16 }
}

/// The value of `bf16` bits, exactly.
#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Evaluates `$narrow` with `$encode` and `$decode` the two directions between `f32` and the bits of
/// `$dtype`, a float type of at most 16 bits; for any other type, `$wide`.
macro_rules! with_narrow_float {
    ($dtype:expr, ($encode:ident, $decode:ident) => $narrow:expr, else $wide:expr) => {
        $crate::dtype::convert::with_narrow_float! {
            @match $dtype, ($encode, $decode) => $narrow, else $wide;
            [F8E4M3, f8e4m3_from_f32, f8e4m3_to_f32]
            [F8E5M2, f8e5m2_from_f32, f8e5m2_to_f32]
            [F8E4B8, f8e4b8_from_f32, f8e4b8_to_f32]
            [F8E5B16, f8e5b16_from_f32, f8e5b16_to_f32]
            [F16, f16_from_f32, f16_to_f32]
            [BF16, bf16_from_f32, bf16_to_f32]
            F32 F64 I1 I8 I16 I32 I64 U8 U16 U32 U64
        }
    };
    (@match $dtype:expr, ($encode:ident, $decode:ident) => $narrow:expr, else $wide:expr;
     $([$Narrow:ident, $from:ident, $to:ident])* $($Wide:ident)*) => {
        match $dtype {
            $($crate::dtype::DType::$Narrow => {
                #[allow(unused_imports, reason = "who only stores does not load")]
                use $crate::dtype::convert::{$from as $encode, $to as $decode};
                $narrow
            })*
            $($crate::dtype::DType::$Wide)|* => $wide,
        }
    };
}
pub(crate) use with_narrow_float;

/// `value` as an `f32`, rounded to odd: where it is not exact, the neighbour whose last bit is
/// set. Rounding that to a type of at most 22 significand bits gives what rounding `value`
/// itself would give, because the last bit remembers that something was there.
#[inline(always)]
pub fn f64_to_odd_f32(value: f64) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    let away = u32::from(back.abs() > value.abs());
    let odd = f32::from_bits(nearest.to_bits().wrapping_sub(away) | 1);
    if back == value || value.is_nan() { nearest } else { odd }
}

/// The stored fraction bits, the exponent of the smallest normal number and the largest number of
/// a float type; `None` for integers.
fn limits(dtype: DType) -> Option<(i32, i32, f64)> {
    let of = |format: &Format| {
        let max = f64::from(format.decode(format.max));
        Some((format.fraction as i32, format.min_exponent, max))
    };
    match dtype {
        DType::F8E4M3 => of(&F8E4M3),
        DType::F8E5M2 => of(&F8E5M2),
        DType::F8E4B8 => of(&F8E4B8),
        DType::F8E5B16 => of(&F8E5B16),
        DType::F16 => of(&F16),
        DType::BF16 => Some((7, -126, f64::from(bf16_to_f32(0x7f7f)))),
        DType::F32 => Some((23, -126, f64::from(f32::MAX))),
        DType::F64 => Some((52, -1022, f64::MAX)),
        DType::I1
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

/// The stored fraction bits of a float type; `None` for integers.
pub(super) fn fraction_bits(dtype: DType) -> Option<u32> {
    limits(dtype).map(|(fraction, _, _)| fraction as u32)
}

/// The largest finite number of a float type; for integers that of `f64`.
pub fn largest(dtype: DType) -> f64 {
    limits(dtype).map_or(f64::MAX, |(_, _, max)| max)
}

/// The smallest positive normal number of a float type; for integers that of `f64`.
pub fn smallest_normal(dtype: DType) -> f64 {
    limits(dtype).map_or(f64::MIN_POSITIVE, |(_, exponent, _)| 2f64.powi(exponent))
}

/// What is added to the exponent of a float type before it is stored; `None` for integers. The
/// smallest normal number is stored with exponent 1.
pub fn exponent_bias(dtype: DType) -> Option<i32> {
    limits(dtype).map(|(_, exponent, _)| 1 - exponent)
}

/// The smallest positive number of a float type; for integers that of `f64`.
pub fn smallest(dtype: DType) -> f64 {
    let exponent = |(fraction, exponent, _)| exponent - fraction;
    limits(dtype).map(exponent).map_or(f64::from_bits(1), scaled_one)
}

/// `2^exponent`, subnormal numbers included.
fn scaled_one(exponent: i32) -> f64 {
    if exponent < -1022 { f64::from_bits(1 << (exponent + 1074)) } else { 2f64.powi(exponent) }
}

/// `value` rounded toward zero to the nearest number of a float type that is not farther from
/// zero; what is beyond the largest number becomes that. Infinities, NaNs and values of integer
/// types stay.
pub fn toward_zero(dtype: DType, value: f64) -> f64 {
    let Some((fraction, min_exponent, max)) = limits(dtype) else { return value };
    if dtype == DType::F64 || !value.is_finite() {
        return value;
    }
    // Subnormal numbers of `f64` are below the smallest number of any other type.
    let exponent = ((value.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let spacing = scaled_one(exponent.max(min_exponent) - fraction);
    // Both scale by a power of two, and the quotient has at most 53 bits: they are exact.
    let magnitude = ((value.abs() / spacing).floor() * spacing).min(max);
    magnitude.copysign(value)
}

/// `value` rounded to the nearest number of a float type, ties to even, once; values of integer
/// types stay.
pub fn nearest(dtype: DType, value: f64) -> f64 {
    let wide = || if dtype == DType::F32 { f64::from(value as f32) } else { value };
    with_narrow_float!(
        dtype, (encode, decode) => f64::from(decode(encode(f64_to_odd_f32(value)))), else wide()
    )
}

/// `value`, or the canonical NaN in place of any NaN.
#[inline(always)]
pub fn canonical_f32(value: f32) -> f32 {
    if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value }
}

/// `value`, or the canonical NaN in place of any NaN.
#[inline(always)]
pub fn canonical_f64(value: f64) -> f64 {
    if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&Format; 5] = [&F16, &F8E4M3, &F8E5M2, &F8E4B8, &F8E5B16];

    /// The bits of the negative of a number.
    fn negative(format: &Format, bits: u32) -> u32 {
        if bits == 0 && format.nan == format.sign { 0 } else { bits | format.sign }
    }

    /// Every finite non-negative value of a format, in order of its bits, from the definition:
    /// `fraction * 2^(E - F)` below the smallest normal, `(2^F + fraction) * 2^(e - F)` above.
    fn values(format: &Format) -> Vec<f64> {
        let hidden = 1 << format.fraction;
        (0..=format.max)
            .map(|bits| {
                let (exponent, fraction) = (bits >> format.fraction, bits & (hidden - 1));
                let lead = if exponent == 0 { 0 } else { hidden };
                let scale = format.min_exponent + (exponent.max(1) as i32 - 1);
                f64::from(lead + fraction) * 2f64.powi(scale - format.fraction as i32)
            })
            .collect()
    }

    /// Rounding by the definition: the nearest value, the one of even bits in a tie.
    fn nearest(values: &[f64], overflow: u32, value: f64) -> u32 {
        let above = values.partition_point(|candidate| *candidate < value);
        let Some(high) = values.get(above) else {
            let last = values.len() - 1;
            let step = values[last] - values[last - 1];
            let limit = values[last] + step / 2.0;
            let stays = value < limit || (value == limit && last.is_multiple_of(2));
            return if stays { last as u32 } else { overflow };
        };
        let Some(below) = above.checked_sub(1) else { return 0 };
        let (down, up) = (value - values[below], high - value);
        let low_wins = down < up || (down == up && below.is_multiple_of(2));
        (if low_wins { below } else { above }) as u32
    }

    #[test]
    fn every_bit_pattern_decodes_to_its_definition_and_back() {
        for format in ALL {
            for (bits, value) in values(format).into_iter().enumerate() {
                let bits = bits as u32;
                assert_eq!(f64::from(format.decode(bits)), value);
                assert_eq!(f64::from(format.decode(negative(format, bits))), -value);
                assert_eq!(format.encode(value as f32), bits);
                assert_eq!(format.encode(-value as f32), negative(format, bits));
            }
            assert!(format.decode(format.nan).is_nan());
            assert_eq!(format.encode(f32::NAN), format.nan);
            assert_eq!(format.encode(-f32::NAN), format.nan);
        }
        assert_eq!(f16_to_f32(0xfc00), f32::NEG_INFINITY);
        assert_eq!(f8e5m2_to_f32(0x7c), f32::INFINITY);
    }

    /// Between any two neighbours: just above the lower, the tie, around the tie, just below the
    /// upper.
    #[test]
    fn rounding_is_to_the_nearest_and_ties_go_to_even() {
        for format in ALL {
            let values = values(format);
            for pair in values.windows(2) {
                let tie = (pair[0] + pair[1]) / 2.0;
                let near = [tie, pair[0].max(1e-9), pair[1]];
                let beside = near.iter().flat_map(|value| {
                    let bits = (*value as f32).to_bits();
                    [bits.wrapping_sub(1), bits, bits + 1].map(f32::from_bits)
                });
                for value in beside {
                    let expected = nearest(&values, format.infinity, f64::from(value));
                    assert_eq!(format.encode(value), expected, "{value:e}");
                }
            }
        }
    }

    /// By PyTorch's and ml_dtypes's tables: halfway between the largest number and what would be
    /// next goes to the even one.
    #[test]
    fn what_is_too_large_is_an_infinity_or_a_nan() {
        assert_eq!(f16_from_f32(65519.99), 0x7bff);
        assert_eq!(f16_from_f32(65520.0), 0x7c00);
        let e4m3 = [448.0, 464.0, 464.1, 1e30, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(e4m3.map(f8e4m3_from_f32), [0x7e, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f]);
        let e5m2 = [57344.0, 61439.0, 61440.0, 1e30, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(e5m2.map(f8e5m2_from_f32), [0x7b, 0x7b, 0x7c, 0x7c, 0x7c, 0xfc]);
        let e4b8 = [240.0, 247.9, 248.0, f32::INFINITY, -0.0, -1e-9];
        assert_eq!(e4b8.map(f8e4b8_from_f32), [0x7f, 0x7f, 0x80, 0x80, 0x00, 0x00]);
        let e5b16 = [57344.0, 61439.0, 61440.0, -1e30, -0.0, f32::NAN];
        assert_eq!(e5b16.map(f8e5b16_from_f32), [0x7f, 0x7f, 0x80, 0x80, 0x00, 0x80]);
        assert!(f8e4b8_to_f32(0x80).is_nan() && f8e5b16_to_f32(0x80).is_nan());
    }

    /// Every number of a narrow type, and points between it and the next, go back to it; so do
    /// their negatives.
    #[test]
    fn rounding_toward_zero_takes_the_number_below() {
        let types = [DType::F16, DType::F8E4M3, DType::F8E5M2, DType::F8E4B8, DType::F8E5B16];
        for (dtype, format) in types.into_iter().zip(ALL) {
            for pair in values(format).windows(2) {
                let step = pair[1] - pair[0];
                for part in [0.0, 2f64.powi(-30), 0.25, 0.5, 0.75, 1.0 - 2f64.powi(-30)] {
                    let value = pair[0] + part * step;
                    assert_eq!(toward_zero(dtype, value), pair[0], "{dtype} {value:e}");
                    assert_eq!(toward_zero(dtype, -value), -pair[0], "{dtype} -{value:e}");
                }
            }
            assert_eq!(toward_zero(dtype, 1e30), largest(dtype));
            assert_eq!(toward_zero(dtype, f64::NEG_INFINITY), f64::NEG_INFINITY);
        }
        assert_eq!(toward_zero(DType::BF16, 1.999), 1.9921875);
        assert_eq!(toward_zero(DType::F32, 1.0 - 2f64.powi(-40)), 1.0 - 2f64.powi(-24));
        assert_eq!(toward_zero(DType::F32, 1e-300), 0.0);
    }

    #[test]
    fn limits_are_those_of_the_formats() {
        assert_eq!((largest(DType::F8E4M3), smallest(DType::F8E4M3)), (448.0, 2f64.powi(-9)));
        assert_eq!((largest(DType::F8E5M2), smallest(DType::F8E5M2)), (57344.0, 2f64.powi(-16)));
        assert_eq!((largest(DType::F8E4B8), smallest(DType::F8E4B8)), (240.0, 2f64.powi(-10)));
        assert_eq!(smallest_normal(DType::F16), 2f64.powi(-14));
        assert_eq!(smallest(DType::F32), f64::from(f32::from_bits(1)));
        assert_eq!(smallest(DType::F64), f64::from_bits(1));
    }

    #[test]
    fn bf16_rounds_ties_to_even() {
        for high in 0..=0x7f7f_u32 {
            let exact = f32::from_bits(high << 16);
            let tie = f32::from_bits((high << 16) | 0x8000);
            let even = high + (high & 1);
            assert_eq!(u32::from(bf16_from_f32(exact)), high);
            assert_eq!(u32::from(bf16_from_f32(tie)), even);
            assert_eq!(u32::from(bf16_from_f32(f32::from_bits(tie.to_bits() + 1))), high + 1);
            assert_eq!(u32::from(bf16_from_f32(f32::from_bits(tie.to_bits() - 1))), high);
            assert_eq!(u32::from(bf16_from_f32(-exact)), high | 0x8000);
        }
        assert_eq!(bf16_from_f32(f32::INFINITY), 0x7f80);
        assert_eq!(bf16_from_f32(-f32::NAN), 0x7fc0);
    }

    /// The double rounding that a conversion by way of the nearest `f32` would make.
    #[test]
    fn f64_rounds_once() {
        // A hair above the tie of 2048 and 2050: the nearest f32 is the tie itself.
        let value = 2049.0 + 2f64.powi(-40);
        assert_eq!(f16_from_f32(value as f32), f16_from_f32(2048.0));
        assert_eq!(f16_from_f32(f64_to_odd_f32(value)), f16_from_f32(2050.0));
        assert_eq!(bf16_from_f32(f64_to_odd_f32(257.0 - 2f64.powi(-40))), 0x4380);
        assert_eq!(f64_to_odd_f32(1.5), 1.5);
        assert_eq!(f64_to_odd_f32(1e300), f32::MAX);
        assert_eq!(f64_to_odd_f32(1e-300), f32::from_bits(1));
        assert_eq!(f64_to_odd_f32(f64::INFINITY), f32::INFINITY);
        assert!(f64_to_odd_f32(f64::NAN).is_nan());
    }
}
