//! Quantities that must not be mixed: time in picoseconds, bandwidth, byte counts.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// A point in, or a length of, simulated time: integer picoseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    bytemuck::Pod,
    bytemuck::Zeroable,
)]
#[repr(transparent)]
pub struct Ps(pub u64);

impl Ps {
    /// The start of time.
    pub const ZERO: Ps = Ps(0);
    /// Later than every event.
    pub const MAX: Ps = Ps(u64::MAX);

    /// `ns` nanoseconds, rounded to the nearest picosecond; negative and NaN give zero.
    pub fn from_ns(ns: f64) -> Ps {
        Ps((ns * 1000.0).round() as u64)
    }

    /// This time in nanoseconds.
    pub fn as_ns(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `self - other`, or zero where `other` is later.
    pub fn since(self, other: Ps) -> Ps {
        Ps(self.0.saturating_sub(other.0))
    }
}

impl Add for Ps {
    type Output = Ps;
    fn add(self, other: Ps) -> Ps {
        Ps(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Ps {
    fn add_assign(&mut self, other: Ps) {
        *self = *self + other;
    }
}

impl Sub for Ps {
    type Output = Ps;
    fn sub(self, other: Ps) -> Ps {
        debug_assert!(self >= other, "time went backwards: {self} - {other}");
        self.since(other)
    }
}

impl Sum for Ps {
    fn sum<It: Iterator<Item = Ps>>(times: It) -> Ps {
        times.fold(Ps::ZERO, Add::add)
    }
}

/// `12.345 ns`, `3.200 us`, `1.000 ms`: the largest unit that leaves a whole part.
impl fmt::Display for Ps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            0..1_000_000 => (1e3, "ns"),
            1_000_000..1_000_000_000 => (1e6, "us"),
            1_000_000_000..1_000_000_000_000 => (1e9, "ms"),
            _ => (1e12, "s"),
        };
        f.pad(&format!("{:.3} {unit}", self.0 as f64 / scale))
    }
}

/// A rate of bytes, held as the exact reduced fraction of picoseconds per byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bandwidth {
    /// Picoseconds that `den` bytes take; 0 for an infinite bandwidth.
    num: u64,
    den: u64,
}

impl Bandwidth {
    /// Moves anything in no time.
    pub const INFINITE: Bandwidth = Bandwidth { num: 0, den: 1 };

    /// `gb_per_s` gigabytes (10^9 bytes) a second, that is, bytes a nanosecond, taken to the
    /// nearest byte a second. `None` unless it is positive; infinity is [`Self::INFINITE`].
    pub fn from_gb_per_s(gb_per_s: f64) -> Option<Bandwidth> {
        if gb_per_s == f64::INFINITY {
            return Some(Bandwidth::INFINITE);
        }
        let bytes_per_s = (gb_per_s * 1e9).round();
        if !(1.0..=1e18).contains(&bytes_per_s) {
            return None;
        }
        let (num, den) = (1_000_000_000_000, bytes_per_s as u64);
        let divisor = gcd(num, den);
        Some(Bandwidth { num: num / divisor, den: den / divisor })
    }

    /// The rate in gigabytes a second; infinity for [`Self::INFINITE`].
    pub fn gb_per_s(self) -> f64 {
        if self.num == 0 { f64::INFINITY } else { self.den as f64 / self.num as f64 * 1000.0 }
    }

    /// The time that `bytes` take: `ceil(bytes / bandwidth)`, in picoseconds.
    pub fn time(self, bytes: u64) -> Ps {
        match bytes.checked_mul(self.num) {
            Some(product) => Ps(product.div_ceil(self.den)),
            None => {
                let wide = u128::from(bytes) * u128::from(self.num);
                Ps(u64::try_from(wide.div_ceil(u128::from(self.den))).unwrap_or(u64::MAX))
            }
        }
    }

    /// Whether this bandwidth is lower than `other`.
    pub fn is_slower_than(self, other: Bandwidth) -> bool {
        u128::from(self.num) * u128::from(other.den) > u128::from(other.num) * u128::from(self.den)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Prints a byte count with thousands separators: `2,097,152`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidth_is_exact_over_totals() {
        let bw = Bandwidth::from_gb_per_s(256.0).unwrap();
        assert_eq!(bw.time(256), Ps(1000));
        assert_eq!(bw.time(1), Ps(4)); // 3.90625 ps, rounded up once
        let third = Bandwidth::from_gb_per_s(3.0).unwrap();
        assert_eq!(third.time(3), Ps(1000));
        assert_eq!(third.time(u64::MAX), Ps::MAX); // saturates instead of wrapping
        assert_eq!(Bandwidth::INFINITE.time(1 << 40), Ps::ZERO);
        assert_eq!(Bandwidth::from_gb_per_s(0.0), None);
        assert_eq!(Bandwidth::from_gb_per_s(f64::NAN), None);
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(2_097_152), "2,097,152");
    }
}
