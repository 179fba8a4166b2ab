//! Is the result right? Compares arrays with what was expected, and the outcome of a collective
//! with its definition.
//!
//! Everything here works on the bytes of whole arrays, so that it serves the checks of a host
//! program as well as those of a single run.

mod collective;
mod complaint;

pub use collective::{Collective, CollectiveReport, Disagreement, LayoutError, Reduction};
pub use complaint::{Subject, wrong_collective, wrong_result};

use super::value::{Value, ulps, value};
use crate::dtype::DType;

/// Differences that are kept of one comparison; all are counted.
pub const KEPT: usize = 8;

/// How far a result may be from what is expected. NaNs agree with NaNs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Not at all: the same bits, but for NaNs.
    Bits,
    /// `|got - expected| <= absolute + relative * |expected|`; infinities agree with themselves.
    Close {
        /// The share of the expected value.
        relative: f64,
        /// The rest.
        absolute: f64,
    },
    /// At most so many representable numbers away.
    Ulps(u64),
}

impl Tolerance {
    /// What `torch.testing.assert_close` allows for elements of `dtype` where it is not told.
    pub fn torch(dtype: DType) -> Tolerance {
        let (relative, absolute) = match dtype {
            DType::F16 => (1e-3, 1e-5),
            DType::BF16 => (1.6e-2, 1e-5),
            DType::F32 => (1.3e-6, 1e-5),
            DType::F64 => (1e-7, 1e-7),
            DType::F8E4M3 | DType::F8E5M2 | DType::F8E4B8 | DType::F8E5B16 => {
                (2.0 * dtype.unit_roundoff(), 1e-5)
            }
            DType::I1
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64 => (0.0, 0.0),
        };
        Tolerance::Close { relative, absolute }
    }

    /// Whether `got` is near enough to `expected`; both hold one element.
    fn accepts(self, dtype: DType, got: &[u8], expected: &[u8]) -> bool {
        if got == expected {
            return true;
        }
        let distance = ulps(dtype, got, expected);
        match self {
            Tolerance::Ulps(most) => distance.is_some_and(|distance| distance <= most),
            Tolerance::Bits => is_nan(dtype, got) && is_nan(dtype, expected),
            Tolerance::Close { relative, absolute } => {
                let (got, expected) = (value(dtype, got).as_f64(), value(dtype, expected).as_f64());
                let near = (got - expected).abs() <= absolute + relative * expected.abs();
                distance == Some(0) || (near && got.is_finite() && expected.is_finite())
            }
        }
    }
}

fn is_nan(dtype: DType, bytes: &[u8]) -> bool {
    value(dtype, bytes).as_f64().is_nan()
}

/// An element that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Its place, counted row by row.
    pub place: u64,
    /// What is there.
    pub got: Value,
    /// What should be.
    pub expected: Value,
    /// How many representable numbers apart they are; `None` if one is a NaN.
    pub ulps: Option<u64>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Elements compared.
    pub elements: u64,
    /// Elements that differ by more than they may.
    pub bad: u64,
    /// The first of these, at most [`KEPT`].
    pub first: Vec<Difference>,
    /// The largest `|got - expected|` over all elements; NaN where one is a NaN.
    pub max_absolute: f64,
    /// The largest distance over all elements in representable numbers, NaNs aside.
    pub max_ulps: u64,
}

impl Comparison {
    /// Whether every element is what it should be.
    pub fn is_good(&self) -> bool {
        self.bad == 0
    }
}

/// Compares two arrays of `dtype` element by element. Of arrays of two lengths, only what both
/// have is compared, and the rest counts as bad.
pub fn compare(dtype: DType, got: &[u8], expected: &[u8], tolerance: Tolerance) -> Comparison {
    let size = dtype.bytes() as usize;
    let elements = got.len().max(expected.len()).div_ceil(size) as u64;
    let common = got.len().min(expected.len()) / size;
    let mut it = Comparison { elements, bad: elements - common as u64, ..Comparison::default() };
    let pairs = got.chunks_exact(size).zip(expected.chunks_exact(size));
    for (place, (got, expected)) in pairs.enumerate() {
        if got != expected {
            it.note(dtype, place as u64, (got, expected), tolerance);
        }
    }
    it
}

impl Comparison {
    /// Takes in an element whose bits differ.
    fn note(
        &mut self,
        dtype: DType,
        place: u64,
        (got, expected): (&[u8], &[u8]),
        tolerance: Tolerance,
    ) {
        let distance = ulps(dtype, got, expected);
        let (left, right) = (value(dtype, got), value(dtype, expected));
        let apart = (left.as_f64() - right.as_f64()).abs();
        if distance != Some(0) && (apart > self.max_absolute || apart.is_nan()) {
            self.max_absolute = apart;
        }
        self.max_ulps = self.max_ulps.max(distance.unwrap_or(0));
        if tolerance.accepts(dtype, got, expected) {
            return;
        }
        self.bad += 1;
        if self.first.len() < KEPT {
            self.first.push(Difference { place, got: left, expected: right, ulps: distance });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn differences_are_counted_and_the_first_kept() {
        let expected = f32s(&[1.0, 2.0, f32::NAN, 4.0, 0.0, f32::INFINITY]);
        let got = f32s(&[1.0, 2.0000002, -f32::NAN, 5.0, -0.0, f32::INFINITY]);
        let bits = compare(DType::F32, &got, &expected, Tolerance::Bits);
        assert_eq!((bits.elements, bits.bad), (6, 3));
        assert_eq!(bits.first.iter().map(|it| it.place).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(bits.first[0].ulps, Some(1));
        assert_eq!(bits.max_absolute, 1.0);
        let close = compare(DType::F32, &got, &expected, Tolerance::torch(DType::F32));
        assert_eq!(close.first.iter().map(|it| it.place).collect::<Vec<_>>(), [3]);
        let one = compare(DType::F32, &got, &expected, Tolerance::Ulps(1));
        assert_eq!(one.first.iter().map(|it| it.place).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn infinities_agree_only_with_themselves() {
        let close = |got: f32, expected: f32| {
            let tolerance = Tolerance::Close { relative: 1.0, absolute: 1.0 };
            compare(DType::F32, &f32s(&[got]), &f32s(&[expected]), tolerance).is_good()
        };
        assert!(close(f32::INFINITY, f32::INFINITY));
        assert!(!close(f32::INFINITY, f32::NEG_INFINITY));
        assert!(!close(f32::MAX, f32::INFINITY));
        assert!(!close(1.0, f32::NAN));
        assert!(close(2.5, 1.5));
    }

    #[test]
    fn a_missing_element_is_bad() {
        let it = compare(DType::F32, &f32s(&[1.0]), &f32s(&[1.0, 2.0]), Tolerance::Bits);
        assert_eq!((it.elements, it.bad), (2, 1));
        assert!(compare(DType::F32, &[], &[], Tolerance::Bits).is_good());
    }
}
