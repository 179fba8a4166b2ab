//! Conversions between floats and the bits that narrow types store: round to nearest, ties to
//! even, the same on every machine.
//!
//! Each is a few integer operations without a branch, so that a loop over a slice becomes vector
//! code. No library or CPU conversion is used: those that go from `f64` through `f32` round
//! twice, and which do so depends on the CPU.
//!
//! The 8-bit types saturate: a finite value beyond the largest becomes the largest. `f8e4m3`,
//! which has no infinity, saturates infinities too; `f8e5m2` keeps them. Every NaN becomes the
//! type's one canonical quiet NaN, of positive sign.

/// A binary format of at most 16 bits, by what its bits mean.
struct Format {
    /// Stored fraction bits.
    fraction: u32,
    /// The exponent of the smallest normal number.
    min_exponent: i32,
    /// The bits of the largest finite number.
    max: u32,
    /// What a finite number beyond `max` becomes.
    overflow: u32,
    /// What an infinity becomes.
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
    overflow: 0x7c00,
    infinity: 0x7c00,
    nan: 0x7e00,
    sign: 0x8000,
};

const F8E5M2: Format = Format {
    fraction: 2,
    min_exponent: -14,
    max: 0x7b,
    overflow: 0x7b,
    infinity: 0x7c,
    nan: 0x7e,
    sign: 0x80,
};

const F8E4M3: Format = Format {
    fraction: 3,
    min_exponent: -6,
    max: 0x7e,
    overflow: 0x7e,
    infinity: 0x7e,
    nan: 0x7f,
    sign: 0x80,
};

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
        let finite = if finite > self.max { self.overflow } else { finite };
        let number = if magnitude == 0x7f80_0000 { self.infinity } else { finite };
        let sign = if bits >> 31 != 0 { self.sign } else { 0 };
        if magnitude > 0x7f80_0000 { self.nan } else { number | sign }
    }

    /// The value of `bits`, exactly.
    #[inline(always)]
    fn decode(&self, bits: u32) -> f32 {
        let magnitude = bits & (self.sign - 1);
        // Read as an `f32`, the exponent is too low by the difference of the biases; numbers
        // that are subnormal here are subnormal there, too, and the product is exact.
        let scale = power_of_two(126 + self.min_exponent);
        let finite = f32::from_bits(magnitude << (23 - self.fraction)) * scale;
        let special = if magnitude == self.infinity { f32::INFINITY } else { f32::NAN };
        let value = if magnitude > self.max { special } else { finite };
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
        for format in [&F16, &F8E4M3, &F8E5M2] {
            for (bits, value) in values(format).into_iter().enumerate() {
                let bits = bits as u32;
                assert_eq!(f64::from(format.decode(bits)), value);
                assert_eq!(f64::from(format.decode(bits | format.sign)), -value);
                assert_eq!(format.encode(value as f32), bits);
                assert_eq!(format.encode(-value as f32), bits | format.sign);
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
        for format in [&F16, &F8E4M3, &F8E5M2] {
            let values = values(format);
            for pair in values.windows(2) {
                let tie = (pair[0] + pair[1]) / 2.0;
                let near = [tie, pair[0].max(1e-9), pair[1]];
                let beside = near.iter().flat_map(|value| {
                    let bits = (*value as f32).to_bits();
                    [bits.wrapping_sub(1), bits, bits + 1].map(f32::from_bits)
                });
                for value in beside {
                    let expected = nearest(&values, format.overflow, f64::from(value));
                    assert_eq!(format.encode(value), expected, "{value:e}");
                }
            }
        }
    }

    #[test]
    fn saturation_follows_the_format() {
        assert_eq!(f16_from_f32(65519.99), 0x7bff);
        assert_eq!(f16_from_f32(65520.0), 0x7c00);
        assert_eq!(f8e4m3_from_f32(1e30), 0x7e);
        assert_eq!(f8e4m3_from_f32(f32::NEG_INFINITY), 0xfe);
        assert_eq!(f8e5m2_from_f32(1e30), 0x7b);
        assert_eq!(f8e5m2_from_f32(f32::NEG_INFINITY), 0xfc);
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
