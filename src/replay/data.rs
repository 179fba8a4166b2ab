//! Seeded test data: the same bytes for the same seed, on any machine.
//!
//! Element `i` depends on the seed and on `i` alone, so a part of an array is the same array's
//! part, whoever makes it.

use super::numeric::{Element, with_element};
use crate::dtype::{DType, Kind};

/// What values there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// Evenly spread over `low..high`, rounded to the type.
    Uniform {
        /// The lowest.
        low: f64,
        /// What is not reached but by rounding.
        high: f64,
    },
    /// Whole numbers from `low` to `high`. Where both are small, sums and products of many are
    /// exact in every order, and a comparison can be exact.
    Integers {
        /// The lowest.
        low: i64,
        /// The highest, included.
        high: i64,
    },
    /// Normally distributed, of mean 0 and deviation 1.
    Normal,
    /// Every bit pattern that is a number: also huge, tiny and subnormal ones, of both signs.
    AnyFinite,
}

/// A generator of independent 64-bit numbers, addressed by their place (SplitMix64).
#[derive(Clone, Copy, Debug)]
pub struct Random {
    seed: u64,
}

impl Random {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Random {
        Random { seed: mix(seed ^ 0x5851_f42d_4c95_7f2d) }
    }

    /// Number `place`.
    pub fn bits(self, place: u64) -> u64 {
        mix(self.seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Number `place` as a fraction in `0..1`, a multiple of 2^-53.
    pub fn fraction(self, place: u64) -> f64 {
        (self.bits(place) >> 11) as f64 * 2f64.powi(-53)
    }
}

/// Makes every bit of the result depend on every bit of `state`.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// `elements` elements of `dtype`.
pub fn generate(dtype: DType, elements: u64, values: Values, seed: u64) -> Vec<u8> {
    let random = Random::new(seed);
    let mut bytes = Vec::with_capacity((elements * dtype.bytes()) as usize);
    with_element!(dtype, E => {
        for place in 0..elements {
            let element: E = match values {
                Values::Uniform { low, high } => {
                    E::from_f64(low + (high - low) * random.fraction(place))
                }
                Values::Integers { low, high } => E::from_i64(integer(random, place, low, high)),
                Values::Normal => E::from_f64(normal(random, place)),
                Values::AnyFinite => finite(dtype, random, place),
            };
            bytes.extend_from_slice(bytemuck::bytes_of(&element));
        }
    });
    bytes
}

fn integer(random: Random, place: u64, low: i64, high: i64) -> i64 {
    let count = (i128::from(high) - i128::from(low) + 1).max(1) as u128;
    let scaled = (u128::from(random.bits(place)).wrapping_mul(count) >> 64) as i128;
    (i128::from(low) + scaled) as i64
}

/// By the Box–Muller transform, with `libm`'s functions.
fn normal(random: Random, place: u64) -> f64 {
    let (radius, angle) = (random.fraction(2 * place), random.fraction(2 * place + 1));
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - radius));
    radius * libm::cos(std::f64::consts::TAU * angle)
}

/// The element of the bits at `place`, tried again until it is a number.
fn finite<E: Element>(dtype: DType, random: Random, place: u64) -> E {
    let again = (0..64).map(|attempt| random.bits(place.wrapping_add(attempt << 56)));
    let elements = again.map(|bits| {
        let bits = if dtype.kind() == Kind::Bool { bits & 1 } else { bits };
        bytemuck::pod_read_unaligned::<E>(&bits.to_le_bytes()[..size_of::<E>()])
    });
    elements.into_iter().find(|element| element.to_f64().is_finite()).unwrap_or(E::from_i64(0))
}

#[cfg(test)]
mod tests {
    use super::super::value::value;
    use super::*;

    fn values(dtype: DType, values: Values, seed: u64) -> Vec<f64> {
        let bytes = generate(dtype, 4000, values, seed);
        bytes.chunks_exact(dtype.bytes() as usize).map(|it| value(dtype, it).as_f64()).collect()
    }

    #[test]
    fn whole_numbers_stay_in_their_range_and_reach_its_ends() {
        for dtype in DType::ALL {
            let low = if dtype.is_unsigned() { 0 } else { -4 };
            let high = if *dtype == DType::I1 { 1 } else { 4 };
            let all = values(*dtype, Values::Integers { low, high }, 7);
            let inside = |value: &f64| *value >= low as f64 && *value <= high as f64;
            assert!(all.iter().all(|value| inside(value) && value.fract() == 0.0), "{dtype}");
            assert!(all.contains(&(low as f64)) && all.contains(&(high as f64)), "{dtype}");
        }
    }

    #[test]
    fn uniform_and_normal_values_have_their_moments() {
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let uniform = values(DType::F64, Values::Uniform { low: -1.0, high: 3.0 }, 3);
        assert!((mean(&uniform) - 1.0).abs() < 0.1);
        let normal = values(DType::F32, Values::Normal, 3);
        let squares: Vec<f64> = normal.iter().map(|it| it * it).collect();
        assert!(mean(&normal).abs() < 0.1 && (mean(&squares) - 1.0).abs() < 0.1);
    }

    #[test]
    fn any_finite_value_is_finite_and_covers_all_magnitudes() {
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64, DType::F8E4M3] {
            let all = values(dtype, Values::AnyFinite, 9);
            assert!(all.iter().all(|value| value.is_finite()));
            assert!(all.iter().any(|value| value.abs() > 100.0));
            assert!(all.iter().any(|value| value.abs() < 0.1));
        }
    }

    #[test]
    fn a_seed_decides_everything() {
        let make = |seed| generate(DType::F16, 100, Values::Normal, seed);
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let longer = generate(DType::F16, 200, Values::Normal, 1);
        assert_eq!(longer[..200], make(1)[..]);
        // The generator itself, by its published definition from a state of 0.
        let first = mix(0x9e37_79b9_7f4a_7c15);
        assert_eq!(first, 0xe220_a839_7b1d_cdaf);
    }
}
