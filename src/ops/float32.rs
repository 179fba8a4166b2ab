//! Exponentials, logarithms and the fused product and sum of `f32`, computed in `f64`.
//!
//! Polynomials give about 40 bits, rounded once: the result is the nearest `f32` but for one
//! argument in some tens of thousands, where it is the next. Nothing is fused and nothing
//! is looked up in a table, so the bits are the same on every machine; there is no branch, so a
//! loop over a slice becomes vector code.

use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

/// Adding this to a number of magnitude below 2^51 rounds it to a whole number, which is then in
/// the low bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Beyond this magnitude a power of two is neither a number nor more than zero as an `f32`.
const LIMIT: f64 = 200.0;

/// The coefficients of `(2^r - 1) / r`, lowest power first: `ln(2)^(k + 1) / (k + 1)!`. With
/// `|r|` at most one half, what is left out is below 2^-42 of the result.
const POWERS: [f64; 10] = {
    let mut powers = [0.0; 10];
    let (mut term, mut index) = (1.0, 0);
    while index < 10 {
        term *= LN_2 / (index + 1) as f64;
        powers[index] = term;
        index += 1;
    }
    powers
};

/// `2^whole`, for numbers far from overflow.
#[inline(always)]
fn power_of_two(whole: i64) -> f64 {
    f64::from_bits((whole.wrapping_add(1023) as u64) << 52)
}

/// A whole number of magnitude below 2^51 as a float; unlike `as`, a vector operation everywhere.
#[inline(always)]
fn float_of(whole: i64) -> f64 {
    f64::from_bits(whole.wrapping_add(ROUNDER.to_bits() as i64) as u64) - ROUNDER
}

/// `2^t` in two parts, `(scale, excess)`: it is `scale + scale * excess`. A NaN is in `excess`.
#[inline(always)]
fn exp2_parts(t: f64) -> (f64, f64) {
    // Written so that a NaN stays one.
    let t = if t < -LIMIT { -LIMIT } else { t };
    let t = if t > LIMIT { LIMIT } else { t };
    let shifted = t + ROUNDER;
    let whole = (shifted.to_bits() as i64).wrapping_sub(ROUNDER.to_bits() as i64);
    let rest = t - (shifted - ROUNDER);
    let mut sum = POWERS[9];
    let mut index = 9;
    while index > 0 {
        index -= 1;
        sum = sum * rest + POWERS[index];
    }
    // Of a NaN, `whole` and the power are anything, but the rest is a NaN.
    (power_of_two(whole), sum * rest)
}

#[inline(always)]
fn exp2_wide(t: f64) -> f64 {
    let (scale, excess) = exp2_parts(t);
    scale + scale * excess
}

/// Natural exponential.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    exp2_wide(f64::from(x) * LOG2_E) as f32
}

/// Power of two.
#[inline(always)]
pub(super) fn exp2(x: f32) -> f32 {
    exp2_wide(f64::from(x)) as f32
}

/// Hyperbolic tangent: `e / (e + 2)` with `e = exp(2x) - 1`, which keeps small arguments exact.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let (scale, excess) = exp2_parts(f64::from(x) * (2.0 * LOG2_E));
    let e = scale * excess + (scale - 1.0);
    // Both zeros stay as they are.
    if x == 0.0 { x } else { (e / (e + 2.0)) as f32 }
}

/// `x` as `2^whole * m` with `m` from `sqrt(1/2)` to `sqrt(2)`: `whole`, and `ln(m)`. Of positive
/// numbers.
#[inline(always)]
fn ln_parts(x: f32) -> (f64, f64) {
    let bits = f64::from(x).to_bits();
    // The exponent rounded at the root of two, so that numbers near 1 have `whole` 0.
    let offset = bits.wrapping_sub((SQRT_2 / 2.0).to_bits());
    let whole = (offset as i64) >> 52;
    let m = f64::from_bits(bits.wrapping_sub((whole as u64) << 52));
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    // The series of `2 artanh(s)`, `|s|` below 0.172: what is left out is below 2^-47 of it.
    let mut sum = 0.0;
    let mut power = 17;
    while power >= 1 {
        sum = sum * square + 2.0 / power as f64;
        power -= 2;
    }
    (float_of(whole), sum * s)
}

/// `value`, but where `x` has no logarithm or an infinite one.
#[inline(always)]
fn logarithm_or_limit(x: f32, value: f32) -> f32 {
    let limit = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    let limit = if x == f32::INFINITY { x } else { limit };
    if x > 0.0 && x < f32::INFINITY { value } else { limit }
}

/// Natural logarithm.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    let (whole, rest) = ln_parts(x);
    logarithm_or_limit(x, (whole * LN_2 + rest) as f32)
}

/// Binary logarithm.
#[inline(always)]
pub(super) fn log2(x: f32) -> f32 {
    let (whole, rest) = ln_parts(x);
    logarithm_or_limit(x, (whole + rest * LOG2_E) as f32)
}

/// `x * y + z`, rounded once.
///
/// The product is exact in `f64`. The sum may not be: what it lost is computed, and where that is
/// something and the last bit of the sum is even, the sum is moved to the odd neighbour on that
/// side. Rounding to `f32`, which has far fewer bits, then sees that it is not at a tie.
#[inline(always)]
pub(super) fn fma(x: f32, y: f32, z: f32) -> f32 {
    let (product, z) = (f64::from(x) * f64::from(y), f64::from(z));
    let sum = product + z;
    let part = sum - product;
    let lost = (product - (sum - part)) + (z - part);
    let bits = sum.to_bits();
    let away = (lost > 0.0) == (sum > 0.0);
    let odd = if away { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    // Of infinities and NaNs, what was lost is a NaN, which is neither.
    let is_inexact = lost != 0.0 && !lost.is_nan();
    let bits = if is_inexact && bits & 1 == 0 { odd } else { bits };
    f64::from_bits(bits) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spread over all bit patterns: every exponent, both signs, infinities and NaNs.
    fn patterns(step: usize) -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(step).map(f32::from_bits)
    }

    /// Distance in representable numbers; 0 for two NaNs.
    fn apart(x: f32, y: f32) -> u32 {
        if x.is_nan() || y.is_nan() {
            return if x.is_nan() && y.is_nan() { 0 } else { u32::MAX };
        }
        let ordinal = |it: f32| {
            let magnitude = i64::from(it.to_bits() & 0x7fff_ffff);
            if it.is_sign_negative() { -magnitude } else { magnitude }
        };
        u32::try_from((ordinal(x) - ordinal(y)).unsigned_abs()).unwrap_or(u32::MAX)
    }

    /// The nearest `f32` to the `f64` function, or rarely its neighbour.
    fn assert_follows(name: &str, ours: fn(f32) -> f32, wide: fn(f64) -> f64) {
        let (mut count, mut off) = (0_u32, 0_u32);
        for x in patterns(4093) {
            let (got, exact) = (ours(x), wide(f64::from(x)) as f32);
            assert!(apart(got, exact) <= 1, "{name}({x:e}): {got:e}, not {exact:e}");
            count += 1;
            off += u32::from(apart(got, exact) == 1);
        }
        assert!(off * 10_000 <= count, "{name}: {off} of {count} are not the nearest");
    }

    #[test]
    fn functions_follow_those_of_f64() {
        assert_follows("exp", exp, libm::exp);
        assert_follows("exp2", exp2, libm::exp2);
        assert_follows("ln", ln, libm::log);
        assert_follows("log2", log2, libm::log2);
        assert_follows("tanh", tanh, libm::tanh);
    }

    #[test]
    fn exact_results_are_exact() {
        for power in -149..128 {
            let value = 2f64.powi(power) as f32;
            assert_eq!(exp2(power as f32), value);
            assert_eq!(log2(value), power as f32);
        }
        assert_eq!((exp(0.0), ln(1.0)), (1.0, 0.0));
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
        assert!(ln(-1.0).is_nan() && log2(-f32::INFINITY).is_nan() && exp(f32::NAN).is_nan());
        assert!(tanh(-0.0).is_sign_negative());
    }

    #[test]
    fn a_fused_sum_is_rounded_once() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 32) as u32
        };
        for _ in 0..200_000 {
            let (x, y, any) = (f32::from_bits(next()), f32::from_bits(next()), next());
            // An addend near the product makes ties and cancellation.
            let near = f32::from_bits((x * y).to_bits().wrapping_add(any % 64).wrapping_sub(32));
            let scaled = near * 2f32.powi((any % 60) as i32 - 30);
            for z in [f32::from_bits(any), near, -near, scaled, -scaled] {
                assert_eq!(apart(fma(x, y, z), libm::fmaf(x, y, z)), 0, "{x:e} * {y:e} + {z:e}");
            }
        }
    }
}
