//! Conversions between element types, exhaustively: each result is compared with the definition
//! of its format, written down here from the bits alone.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

#[path = "replay_runs/kit.rs"]
#[expect(dead_code, reason = "the kit serves other tests, too")]
mod kit;

use kbc::command::MathOp;
use kbc::dtype::{DType, Rounding, convert};
use kbc::ir::{Literal, eval};
use kbc::replay::Memory;
use kbc::shape::Shape;
use kbc::topology::PeId;

use kit::{Choices, CodeKit, line, log, program, replay, tensor};

/// A format by its definition.
struct Format {
    dtype: DType,
    exponent_bits: u32,
    fraction_bits: u32,
    bias: i32,
    /// Whether the largest exponent is that of infinities and NaNs.
    has_infinity: bool,
    /// Whether only the negative zero is a NaN, so that there is no negative zero.
    unsigned_zero: bool,
}

const fn ieee(dtype: DType, exponent_bits: u32, fraction_bits: u32) -> Format {
    let bias = (1 << (exponent_bits - 1)) - 1;
    Format { dtype, exponent_bits, fraction_bits, bias, has_infinity: true, unsigned_zero: false }
}

const FORMATS: [Format; 6] = [
    Format {
        dtype: DType::F8E4M3,
        exponent_bits: 4,
        fraction_bits: 3,
        bias: 7,
        has_infinity: false,
        unsigned_zero: false,
    },
    ieee(DType::F8E5M2, 5, 2),
    Format {
        dtype: DType::F8E4B8,
        exponent_bits: 4,
        fraction_bits: 3,
        bias: 8,
        has_infinity: false,
        unsigned_zero: true,
    },
    Format {
        dtype: DType::F8E5B16,
        exponent_bits: 5,
        fraction_bits: 2,
        bias: 16,
        has_infinity: false,
        unsigned_zero: true,
    },
    ieee(DType::F16, 5, 10),
    ieee(DType::BF16, 8, 7),
];

impl Format {
    fn sign(&self) -> u32 {
        1 << (self.exponent_bits + self.fraction_bits)
    }

    /// What `bits` mean: a sum of powers of two, infinity or NaN.
    fn value(&self, bits: u32) -> f64 {
        let fraction = bits & ((1 << self.fraction_bits) - 1);
        let exponent = (bits & (self.sign() - 1)) >> self.fraction_bits;
        let sign = if bits & self.sign() != 0 { -1.0 } else { 1.0 };
        let last = exponent == (1 << self.exponent_bits) - 1;
        let all_ones = last && fraction == (1 << self.fraction_bits) - 1;
        if (self.unsigned_zero && bits == self.sign())
            || (!self.unsigned_zero && !self.has_infinity && all_ones)
            || (self.has_infinity && last && fraction != 0)
        {
            return f64::NAN;
        }
        if self.has_infinity && last {
            return sign * f64::INFINITY;
        }
        let hidden = if exponent == 0 { 0 } else { 1 << self.fraction_bits };
        let scale = exponent.max(1) as i32 - self.bias - self.fraction_bits as i32;
        sign * f64::from(hidden + fraction) * 2f64.powi(scale)
    }

    /// Every number that is not negative, in order.
    fn numbers(&self) -> Vec<f64> {
        (0..self.sign()).map(|bits| self.value(bits)).take_while(|it| it.is_finite()).collect()
    }

    /// The nearest of `numbers` to a positive `value`; ties go to the even place, and beyond the
    /// largest a place more stands for what is too large.
    fn nearest(&self, numbers: &[f64], value: f64) -> f64 {
        let above = numbers.partition_point(|it| *it < value);
        let Some(below) = above.checked_sub(1) else { return numbers[0] };
        let last = numbers.len() - 1;
        let step = numbers[last] - numbers[last - 1];
        let high = numbers.get(above).copied().unwrap_or(numbers[last] + step);
        let (down, up) = (value - numbers[below], high - value);
        let place = if down < up || (down == up && below % 2 == 0) { below } else { above };
        let too_large = if self.has_infinity { f64::INFINITY } else { f64::NAN };
        if place > last { too_large } else { numbers[place] }
    }

    fn rounded(&self, numbers: &[f64], value: f64, rounding: Rounding) -> f64 {
        if value.is_nan() || (value.is_infinite() && !self.has_infinity) {
            return f64::NAN;
        }
        let size = value.abs();
        let magnitude = match rounding {
            _ if size.is_infinite() => size,
            Rounding::NearestEven => self.nearest(numbers, size),
            Rounding::TowardZero => {
                numbers[numbers.partition_point(|it| *it <= size).saturating_sub(1)]
            }
        };
        let is_unsigned = self.unsigned_zero && magnitude == 0.0;
        if is_unsigned { 0.0 } else { magnitude.copysign(value) }
    }
}

fn same(x: f64, y: f64) -> bool {
    x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan())
}

/// `values` of type `from`, converted by the vector engine, as stored.
fn converted(from: DType, bytes: &[u8], to: DType, rounding: Rounding) -> Vec<u8> {
    const OUT: u64 = 0x100_0000;
    let elements = bytes.len() as u64 / from.bytes();
    let mut code = CodeKit::new();
    let tile = code.read(0x1_0000, line(elements, from));
    let op = MathOp::Cast(rounding);
    let out = code.elementwise(op, (from, to), &Shape::new([elements]), &[tile]);
    code.write(OUT, line(elements, to), out);
    let size = elements * to.bytes();
    let regions = vec![tensor("x", 0x1_0000, bytes.len() as u64), tensor("out", OUT, size)];
    let program = program(vec![code], regions, 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1_0000, bytes).unwrap();
    let (memory, said) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert!(said.is_empty(), "{said:?}");
    memory.read(PeId(0), OUT, size).unwrap()
}

/// The bits of each element.
fn bits(bytes: &[u8], dtype: DType) -> Vec<u32> {
    let wide = |it: &[u8]| it.iter().rev().fold(0, |bits, byte| (bits << 8) | u32::from(*byte));
    bytes.chunks(dtype.bytes() as usize).map(wide).collect()
}

/// Both ways to round, from a list of `f64` values that `from` holds exactly.
fn assert_rounds(from: DType, bytes: &[u8], values: &[f64], to: &Format) {
    let numbers = to.numbers();
    for rounding in [Rounding::NearestEven, Rounding::TowardZero] {
        let out = bits(&converted(from, bytes, to.dtype, rounding), to.dtype);
        assert_eq!(out.len(), values.len());
        for (out, value) in out.into_iter().zip(values) {
            let expected = to.rounded(&numbers, *value, rounding);
            let got = to.value(out);
            assert!(
                same(got, expected),
                "{value:e} of {from} to {} {rounding:?}: {got:e}, not {expected:e}",
                to.dtype
            );
            let scalar = eval::convert(to.dtype, Literal::Float(*value), rounding).as_float();
            assert!(same(scalar, expected), "{value:e}, a scalar: {scalar:e}, not {expected:e}");
        }
    }
}

/// Every bit pattern of each narrow type, to every narrow type: in particular to itself and back.
#[test]
fn every_pattern_of_a_narrow_type_to_every_narrow_type() {
    for from in &FORMATS {
        let patterns = 0..from.sign() * 2;
        let values: Vec<f64> = patterns.clone().map(|bits| from.value(bits)).collect();
        let size = from.dtype.bytes() as usize;
        let bytes: Vec<u8> =
            patterns.flat_map(|bits| bits.to_le_bytes()[..size].to_vec()).collect();
        for to in &FORMATS {
            assert_rounds(from.dtype, &bytes, &values, to);
        }
    }
}

/// Widened to `f32`, every pattern keeps its value, and comes back as its own bits.
#[test]
fn every_pattern_widens_exactly_and_comes_back() {
    for from in &FORMATS {
        let size = from.dtype.bytes() as usize;
        let patterns: Vec<u32> = (0..from.sign() * 2).collect();
        let bytes: Vec<u8> =
            patterns.iter().flat_map(|bits| bits.to_le_bytes()[..size].to_vec()).collect();
        let wide = converted(from.dtype, &bytes, DType::F32, Rounding::NearestEven);
        for (pattern, wide) in patterns.iter().zip(bits(&wide, DType::F32)) {
            let value = f64::from(f32::from_bits(wide));
            assert!(same(value, from.value(*pattern)), "{pattern:#x}");
        }
        let back = converted(DType::F32, &wide, from.dtype, Rounding::NearestEven);
        for (pattern, back) in patterns.iter().zip(bits(&back, from.dtype)) {
            assert!(from.value(*pattern).is_nan() || back == *pattern, "{pattern:#x}: {back:#x}");
        }
    }
}

/// Numbers of all sizes, and those around the points halfway between two numbers.
fn samples(to: &Format) -> Vec<f64> {
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 11
    };
    let mut values: Vec<f64> = (0..20_000)
        .map(|_| {
            let (fraction, exponent) = (next() as f64 / (1_u64 << 53) as f64, next() % 90);
            let sign = if next() % 2 == 0 { 1.0 } else { -1.0 };
            sign * (1.0 + fraction) * 2f64.powi(exponent as i32 - 45)
        })
        .collect();
    for pair in to.numbers().windows(2) {
        let middle = (pair[0] + pair[1]) / 2.0;
        let beside = [middle.next_down(), middle, middle.next_up()];
        values.extend(beside.into_iter().flat_map(|it| [it, -it]));
    }
    let largest = to.numbers().pop().unwrap();
    for scale in [1.01, 1.03, 1.04, 1.06, 1.08, 1.1, 1.13, 2.0, 1e30] {
        values.extend([largest * scale, -largest * scale]);
    }
    values.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, 5e-324, -0.0]);
    values
}

/// `f64` is rounded once: values a hair beside the middle of two numbers go to the right one,
/// which by way of the nearest `f32` they would not.
#[test]
fn f64_rounds_once_to_every_narrow_type() {
    for to in &FORMATS {
        let values = samples(to);
        let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        assert_rounds(DType::F64, &bytes, &values, to);
    }
}

#[test]
fn f32_to_every_narrow_type() {
    for to in &FORMATS {
        let singles: Vec<f32> = samples(to).into_iter().map(|it| it as f32).collect();
        let bytes: Vec<u8> = singles.iter().flat_map(|it| it.to_le_bytes()).collect();
        let values: Vec<f64> = singles.into_iter().map(f64::from).collect();
        assert_rounds(DType::F32, &bytes, &values, to);
    }
}

/// An integer that no float between holds is rounded once, too.
#[test]
fn integers_round_once() {
    // Halfway between 2048 and 2050 of f16, and one more.
    for (value, expected) in
        [(2049_i64, 2048.0), (2050, 2050.0), (2051, 2052.0), (65520, f64::INFINITY)]
    {
        let out = converted(DType::I64, &value.to_le_bytes(), DType::F16, Rounding::NearestEven);
        assert!(same(FORMATS[4].value(bits(&out, DType::F16)[0]), expected), "{value}");
    }
    let out = converted(DType::I8, &[0x80], DType::F8E4M3, Rounding::NearestEven);
    assert_eq!(FORMATS[0].value(u32::from(out[0])), -128.0);
    assert_eq!(convert::nearest(DType::BF16, 257.0), 256.0);
}
