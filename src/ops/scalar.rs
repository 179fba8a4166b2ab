//! Scalar arithmetic that the op tables are written in, the same bits on every machine: square
//! root and rounding are IEEE; the rest of the maths library is our own or `libm`, not the
//! system's.

use super::float32;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A float type that ops compute in.
pub trait Real:
    Copy
    + PartialOrd
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Natural exponential.
    fn exp(self) -> Self;
    /// Power of two.
    fn exp2(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Binary logarithm.
    fn log2(self) -> Self;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// Sine of radians.
    fn sin(self) -> Self;
    /// Cosine of radians.
    fn cos(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
    /// Distance from zero.
    fn abs(self) -> Self;
    /// Largest integer not above.
    fn floor(self) -> Self;
    /// Smallest integer not below.
    fn ceil(self) -> Self;
    /// The smaller; a NaN loses (IEEE `minNum`).
    fn min(self, other: Self) -> Self;
    /// The larger; a NaN loses (IEEE `maxNum`).
    fn max(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn fma(self, factor: Self, addend: Self) -> Self;
    /// The remainder of truncated division (C `fmod`).
    fn fmod(self, divisor: Self) -> Self;
    /// `self` to the power of `exponent`.
    fn pow(self, exponent: Self) -> Self;
}

macro_rules! real {
    ($Float:ident, $exp:path, $exp2:path, $ln:path, $log2:path, $tanh:path;
     $sin:ident, $cos:ident, $erf:ident, $fma:path, $fmod:ident, $pow:ident) => {
        impl Real for $Float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn exp2(self) -> Self {
                $exp2(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $ln(self)
            }
            #[inline(always)]
            fn log2(self) -> Self {
                $log2(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $Float::sqrt(self)
            }
            fn sin(self) -> Self {
                libm::$sin(self)
            }
            fn cos(self) -> Self {
                libm::$cos(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            fn erf(self) -> Self {
                libm::$erf(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $Float::abs(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $Float::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                $Float::ceil(self)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                if self < other || other.is_nan() { self } else { other }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                if self > other || other.is_nan() { self } else { other }
            }
            #[inline(always)]
            fn fma(self, factor: Self, addend: Self) -> Self {
                $fma(self, factor, addend)
            }
            fn fmod(self, divisor: Self) -> Self {
                libm::$fmod(self, divisor)
            }
            fn pow(self, exponent: Self) -> Self {
                libm::$pow(self, exponent)
            }
        }
    };
}

real!(f32, float32::exp, float32::exp2, float32::ln, float32::log2, float32::tanh;
    sinf, cosf, erff, float32::fma, fmodf, powf);
real!(f64, libm::exp, libm::exp2, libm::log, libm::log2, libm::tanh;
    sin, cos, erf, libm::fma, fmod, pow);

/// An integer type that ops compute in. Arithmetic wraps; division by zero gives zero, which
/// replay reports before it gets here.
pub trait Integer: Copy + Ord {
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// `self + other`, wrapped.
    fn add(self, other: Self) -> Self;
    /// `self - other`, wrapped.
    fn sub(self, other: Self) -> Self;
    /// `self * other`, wrapped.
    fn mul(self, other: Self) -> Self;
    /// The quotient, truncated toward zero.
    fn div(self, other: Self) -> Self;
    /// The remainder of [`Integer::div`].
    fn rem(self, other: Self) -> Self;
    /// The quotient, rounded toward minus infinity.
    fn floor_div(self, other: Self) -> Self;
    /// The remainder of [`Integer::floor_div`].
    fn floor_mod(self, other: Self) -> Self;
    /// Bitwise and.
    fn and(self, other: Self) -> Self;
    /// Bitwise or.
    fn or(self, other: Self) -> Self;
    /// Bitwise exclusive or.
    fn xor(self, other: Self) -> Self;
    /// `self << count`; 0 once every bit is shifted out.
    fn shl(self, count: Self) -> Self;
    /// `self >> count`, filled with the sign if there is one.
    fn shr(self, count: Self) -> Self;
    /// The high half of the 64-bit product of the low 32 bits, taken without signs.
    fn umulhi(self, other: Self) -> Self;
    /// The high half of the 128-bit product, taken without signs.
    fn umulhi64(self, other: Self) -> Self;
    /// `-self`, wrapped.
    fn neg(self) -> Self;
    /// Distance from zero, wrapped.
    fn abs(self) -> Self;
    /// Whether it is below zero.
    fn is_negative(self) -> bool;
}

macro_rules! integer {
    ($Int:ident, $abs:expr, $is_negative:expr, $all_shifted:expr) => {
        impl Integer for $Int {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn div(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_div(other) }
            }
            fn rem(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_rem(other) }
            }
            fn floor_div(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                let rounded_up = self.wrapping_rem(other) != 0
                    && Integer::is_negative(self) != Integer::is_negative(other);
                if rounded_up { quotient.wrapping_sub(1) } else { quotient }
            }
            fn floor_mod(self, other: Self) -> Self {
                self.wrapping_sub(Integer::floor_div(self, other).wrapping_mul(other))
            }
            fn and(self, other: Self) -> Self {
                self & other
            }
            fn or(self, other: Self) -> Self {
                self | other
            }
            fn xor(self, other: Self) -> Self {
                self ^ other
            }
            fn shl(self, count: Self) -> Self {
                u32::try_from(count).ok().and_then(|count| self.checked_shl(count)).unwrap_or(0)
            }
            fn shr(self, count: Self) -> Self {
                let shifted = u32::try_from(count).ok().and_then(|count| self.checked_shr(count));
                let all_shifted: fn($Int) -> $Int = $all_shifted;
                shifted.unwrap_or(all_shifted(self))
            }
            fn umulhi(self, other: Self) -> Self {
                let low = |value: $Int| value as u64 & 0xffff_ffff;
                ((low(self) * low(other)) >> 32) as $Int
            }
            fn umulhi64(self, other: Self) -> Self {
                ((u128::from(self as u64) * u128::from(other as u64)) >> 64) as $Int
            }
            fn neg(self) -> Self {
                self.wrapping_neg()
            }
            fn abs(self) -> Self {
                let abs: fn($Int) -> $Int = $abs;
                abs(self)
            }
            fn is_negative(self) -> bool {
                let is_negative: fn($Int) -> bool = $is_negative;
                is_negative(self)
            }
        }
    };
}

integer!(i64, i64::wrapping_abs, i64::is_negative, |value| value >> 63);
integer!(u64, |value| value, |_| false, |_| 0);
