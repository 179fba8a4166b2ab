//! The elements of arrays: numbers of the type that a dtype computes in, and how they are rounded to it,
//! stored and loaded.

use ndarray::{ArcArray, IxDyn};

use super::array::Array;
use crate::dtype::convert::{self, with_narrow_float};
use crate::dtype::{DType, Kind};
use crate::shape::Shape;

/// Elements as `L`, shared.
pub(super) type Lanes<L> = ArcArray<L, IxDyn>;

/// The elements of an array, as the type they compute in.
#[derive(Clone, Debug)]
pub(super) enum Data {
    /// Floats of up to 32 bits.
    F32(Lanes<f32>),
    /// Floats of 64 bits.
    F64(Lanes<f64>),
    /// Signed integers.
    I64(Lanes<i64>),
    /// Unsigned integers and truth values.
    U64(Lanes<u64>),
}

/// Evaluates `body` with `$lanes` the elements of `$data`, whatever their type.
macro_rules! with_lanes {
    ($data:expr, $lanes:ident => $body:expr) => {
        match $data {
            $crate::host::lanes::Data::F32($lanes) => $body,
            $crate::host::lanes::Data::F64($lanes) => $body,
            $crate::host::lanes::Data::I64($lanes) => $body,
            $crate::host::lanes::Data::U64($lanes) => $body,
        }
    };
}
pub(super) use with_lanes;

/// A number that arrays compute with.
pub(super) trait Lane: Copy + Default + PartialOrd + 'static {
    /// Rounds or wraps each number to `dtype`, whose lane this is.
    fn fit(dtype: DType, values: &mut [Self]);
    /// An array of these numbers, which fit `dtype`.
    fn array(dtype: DType, lanes: Lanes<Self>) -> Array;
    /// The number nearest to `value`; integers truncate.
    fn from_f64(value: f64) -> Self;
    /// The number, wrapped or rounded.
    fn from_i128(value: i128) -> Self;
    /// The number as a float.
    fn to_f64(self) -> f64;
    /// The number, if it is an integer.
    fn to_i128(self) -> Option<i128>;
    /// Its bytes as `dtype`, at the end of `out`.
    fn store(self, dtype: DType, out: &mut Vec<u8>);
    /// The number of the element of `dtype` in `bytes`.
    fn load(dtype: DType, bytes: &[u8]) -> Self;
}

/// The bytes of an element as an unsigned integer.
fn bits_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

impl Lane for f32 {
    fn fit(dtype: DType, values: &mut [f32]) {
        with_narrow_float!(dtype, (encode, decode) => {
            for value in values {
                *value = decode(encode(*value));
            }
        }, else {
            for value in values {
                *value = convert::canonical_f32(*value);
            }
        });
    }
    fn array(dtype: DType, lanes: Lanes<f32>) -> Array {
        Array { dtype, data: Data::F32(lanes) }
    }
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
    fn from_i128(value: i128) -> f32 {
        value as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn to_i128(self) -> Option<i128> {
        None
    }
    fn store(self, dtype: DType, out: &mut Vec<u8>) {
        with_narrow_float!(
            dtype, (encode, _decode) => out.extend(encode(self).to_le_bytes()),
            else out.extend(self.to_le_bytes())
        );
    }
    fn load(dtype: DType, bytes: &[u8]) -> f32 {
        let bits = bits_of(bytes);
        with_narrow_float!(dtype, (_encode, decode) => decode(bits as _), else f32::from_bits(bits as u32))
    }
}

impl Lane for f64 {
    fn fit(_: DType, values: &mut [f64]) {
        for value in values {
            *value = convert::canonical_f64(*value);
        }
    }
    fn array(dtype: DType, lanes: Lanes<f64>) -> Array {
        Array { dtype, data: Data::F64(lanes) }
    }
    fn from_f64(value: f64) -> f64 {
        value
    }
    fn from_i128(value: i128) -> f64 {
        value as f64
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn to_i128(self) -> Option<i128> {
        None
    }
    fn store(self, _: DType, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
    fn load(_: DType, bytes: &[u8]) -> f64 {
        f64::from_bits(bits_of(bytes))
    }
}

impl Lane for i64 {
    fn fit(dtype: DType, values: &mut [i64]) {
        let unused = 64 - dtype.bits();
        for value in values {
            *value = (*value << unused) >> unused;
        }
    }
    fn array(dtype: DType, lanes: Lanes<i64>) -> Array {
        Array { dtype, data: Data::I64(lanes) }
    }
    fn from_f64(value: f64) -> i64 {
        value as i64
    }
    fn from_i128(value: i128) -> i64 {
        value as i64
    }
    fn to_f64(self) -> f64 {
        self as f64
    }
    fn to_i128(self) -> Option<i128> {
        Some(i128::from(self))
    }
    fn store(self, dtype: DType, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes().into_iter().take(dtype.bytes() as usize));
    }
    fn load(dtype: DType, bytes: &[u8]) -> i64 {
        let unused = 64 - dtype.bits();
        ((bits_of(bytes) << unused) as i64) >> unused
    }
}

impl Lane for u64 {
    fn fit(dtype: DType, values: &mut [u64]) {
        let unused = 64 - dtype.bits();
        for value in values {
            let wrapped = (*value << unused) >> unused;
            *value = if dtype.kind() == Kind::Bool { u64::from(*value != 0) } else { wrapped };
        }
    }
    fn array(dtype: DType, lanes: Lanes<u64>) -> Array {
        Array { dtype, data: Data::U64(lanes) }
    }
    /// A negative float wraps, as it does in C's way through a signed integer.
    fn from_f64(value: f64) -> u64 {
        if value < 0.0 { (value as i64) as u64 } else { value as u64 }
    }
    fn from_i128(value: i128) -> u64 {
        value as u64
    }
    fn to_f64(self) -> f64 {
        self as f64
    }
    fn to_i128(self) -> Option<i128> {
        Some(i128::from(self))
    }
    fn store(self, dtype: DType, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes().into_iter().take(dtype.bytes() as usize));
    }
    fn load(dtype: DType, bytes: &[u8]) -> u64 {
        let bits = bits_of(bytes);
        if dtype.kind() == Kind::Bool { u64::from(bits != 0) } else { bits }
    }
}

/// Which lane elements of a type compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneKind {
    F32,
    F64,
    I64,
    U64,
}

impl LaneKind {
    pub(super) const fn of(dtype: DType) -> LaneKind {
        match dtype.kind() {
            Kind::Float if matches!(dtype, DType::F64) => LaneKind::F64,
            Kind::Float => LaneKind::F32,
            Kind::Signed => LaneKind::I64,
            Kind::Unsigned | Kind::Bool => LaneKind::U64,
        }
    }
}

/// Evaluates `body` with `$L` the lane type of `dtype`.
macro_rules! with_lane_type {
    ($dtype:expr, $L:ident => $body:expr) => {
        match $crate::host::lanes::LaneKind::of($dtype) {
            $crate::host::lanes::LaneKind::F32 => {
                type $L = f32;
                $body
            }
            $crate::host::lanes::LaneKind::F64 => {
                type $L = f64;
                $body
            }
            $crate::host::lanes::LaneKind::I64 => {
                type $L = i64;
                $body
            }
            $crate::host::lanes::LaneKind::U64 => {
                type $L = u64;
                $body
            }
        }
    };
}
pub(super) use with_lane_type;

/// `values`, which fit `dtype`, in this shape.
pub(super) fn from_lanes<L: Lane>(dtype: DType, shape: &Shape, values: Vec<L>) -> Array {
    let lanes = Lanes::from_shape_vec(extents(shape), values);
    L::array(dtype, lanes.expect("as many values are given as the shape has elements"))
}

/// `shape` as ndarray names it.
pub(super) fn extents(shape: &Shape) -> IxDyn {
    let extents: Vec<usize> = shape.0.iter().map(|extent| *extent as usize).collect();
    IxDyn(&extents)
}

/// The elements of an array in row-major order.
pub(super) fn to_vec<L: Copy>(lanes: &Lanes<L>) -> Vec<L> {
    match lanes.as_slice() {
        Some(slice) => slice.to_vec(),
        None => lanes.iter().copied().collect(),
    }
}
