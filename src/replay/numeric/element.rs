//! How elements are stored, and how stored elements become the numbers that ops compute with.
//!
//! There are four such numbers, the *lanes*: `f32` for floats of up to 32 bits, `f64`, `i64` for
//! signed integers and `u64` for unsigned ones and truth values. A result is rounded or wrapped
//! to its type once, when it is stored; every NaN is stored as the canonical one.

use bytemuck::{AnyBitPattern, NoUninit, Pod, Zeroable};
use multiversion::multiversion;

use crate::dtype::{DType, Kind, convert};

/// An element as memory holds it.
pub(in crate::replay) trait Element: Pod {
    /// Its value; integers beyond 2^24 are rounded.
    fn to_f32(self) -> f32;
    /// Its value; integers beyond 2^53 are rounded.
    fn to_f64(self) -> f64;
    /// Its value; a float is truncated and saturates.
    fn to_i64(self) -> i64;
    /// Its value; a float is truncated and saturates, a negative integer wraps.
    fn to_u64(self) -> u64;
    /// The element nearest to `value`.
    fn from_f32(value: f32) -> Self;
    /// The element nearest to `value`, rounded once.
    fn from_f64(value: f64) -> Self;
    /// `value`, wrapped or rounded once.
    fn from_i64(value: i64) -> Self;
    /// `value`, wrapped or rounded once.
    fn from_u64(value: u64) -> Self;
}

/// A truth value: a byte that holds unless it is 0, stored as 0 or 1.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct Bool(u8);

/// An OCP E4M3 number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct F8E4M3(u8);

/// An OCP E5M2 number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct F8E5M2(u8);

/// An E4M3 number of bias 8.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct F8E4B8(u8);

/// An E5M2 number of bias 16.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct F8E5B16(u8);

/// An IEEE binary16 number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct F16(u16);

/// The upper half of a binary32 number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(in crate::replay) struct BF16(u16);

impl Element for Bool {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        if self.0 != 0 { 1.0 } else { 0.0 }
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        if self.0 != 0 { 1.0 } else { 0.0 }
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self.0 != 0)
    }
    #[inline(always)]
    fn to_u64(self) -> u64 {
        u64::from(self.0 != 0)
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        Bool(u8::from(value != 0.0))
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        Bool(u8::from(value != 0.0))
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        Bool(u8::from(value != 0))
    }
    #[inline(always)]
    fn from_u64(value: u64) -> Self {
        Bool(u8::from(value != 0))
    }
}

/// Integers: `through` is the 64-bit type that a float is truncated to first.
macro_rules! integer_elements {
    ($($Int:ident through $Through:ident;)*) => {$(
        impl Element for $Int {
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn to_u64(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                value as $Through as $Int
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $Through as $Int
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as $Int
            }
            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                value as $Int
            }
        }
    )*};
}

integer_elements! {
    i8 through i64;
    i16 through i64;
    i32 through i64;
    i64 through i64;
    u8 through i64;
    u16 through i64;
    u32 through i64;
    u64 through u64;
}

/// Floats of at most 16 bits, by way of `f32`.
macro_rules! narrow_elements {
    ($($Float:ident, $from:ident, $to:ident;)*) => {$(
        impl Element for $Float {
            #[inline(always)]
            fn to_f32(self) -> f32 {
                convert::$to(self.0)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self.to_f32())
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self.to_f32() as i64
            }
            #[inline(always)]
            fn to_u64(self) -> u64 {
                self.to_f32() as u64
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                $Float(convert::$from(value))
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                $Float(convert::$from(convert::f64_to_odd_f32(value)))
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                Self::from_f64(value as f64)
            }
            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                Self::from_f64(value as f64)
            }
        }
    )*};
}

narrow_elements! {
    F8E4M3, f8e4m3_from_f32, f8e4m3_to_f32;
    F8E5M2, f8e5m2_from_f32, f8e5m2_to_f32;
    F8E4B8, f8e4b8_from_f32, f8e4b8_to_f32;
    F8E5B16, f8e5b16_from_f32, f8e5b16_to_f32;
    F16, f16_from_f32, f16_to_f32;
    BF16, bf16_from_f32, bf16_to_f32;
}

macro_rules! wide_elements {
    ($($Float:ident, $canonical:ident;)*) => {$(
        impl Element for $Float {
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn to_u64(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                convert::$canonical($Float::from(value))
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                convert::$canonical(value as $Float)
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                Self::from_f64(value as f64)
            }
            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                Self::from_f64(value as f64)
            }
        }
    )*};
}

wide_elements! {
    f32, canonical_f32;
    f64, canonical_f64;
}

/// Evaluates `body` with `$E` the [`Element`] that stores `dtype`.
macro_rules! with_element {
    ($dtype:expr, $E:ident => $body:expr) => {
        $crate::replay::numeric::element::with_element! {
            @match $dtype, $E => $body;
            I1 = element::Bool, I8 = i8, I16 = i16, I32 = i32, I64 = i64,
            U8 = u8, U16 = u16, U32 = u32, U64 = u64,
            F8E4M3 = element::F8E4M3, F8E5M2 = element::F8E5M2,
            F8E4B8 = element::F8E4B8, F8E5B16 = element::F8E5B16,
            F16 = element::F16, BF16 = element::BF16, F32 = f32, F64 = f64,
        }
    };
    (@match $dtype:expr, $E:ident => $body:expr; $($Variant:ident = $Element:ty,)*) => {{
        use $crate::replay::numeric::element;
        match $dtype {
            $($crate::dtype::DType::$Variant => {
                type $E = $Element;
                $body
            })*
        }
    }};
}
pub(in crate::replay) use with_element;

/// Which lane computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replay) enum LaneKind {
    F32,
    F64,
    I64,
    U64,
}

impl LaneKind {
    /// The lane that ops on `dtype` compute in.
    pub(in crate::replay) fn of(dtype: DType) -> LaneKind {
        match dtype.kind() {
            Kind::Float if dtype == DType::F64 => LaneKind::F64,
            Kind::Float => LaneKind::F32,
            Kind::Signed => LaneKind::I64,
            Kind::Unsigned | Kind::Bool => LaneKind::U64,
        }
    }
}

/// A number that ops compute with.
pub(in crate::replay) trait Lane:
    Element + Default + PartialEq + PartialOrd
{
    /// The type whose elements are lanes already.
    const DTYPE: DType;
    /// The lane of an element.
    fn from_element<E: Element>(element: E) -> Self;
    /// The element of a lane.
    fn to_element<E: Element>(self) -> E;
}

macro_rules! lanes {
    ($($Lane:ident, $DTYPE:ident, $from:ident, $to:ident;)*) => {$(
        impl Lane for $Lane {
            const DTYPE: DType = DType::$DTYPE;
            #[inline(always)]
            fn from_element<E: Element>(element: E) -> Self {
                element.$to()
            }
            #[inline(always)]
            fn to_element<E: Element>(self) -> E {
                E::$from(self)
            }
        }
    )*};
}

lanes! {
    f32, F32, from_f32, to_f32;
    f64, F64, from_f64, to_f64;
    i64, I64, from_i64, to_i64;
    u64, U64, from_u64, to_u64;
}

/// Evaluates `body` with `$L` the [`Lane`] type of `kind`.
macro_rules! with_lane {
    ($kind:expr, $L:ident => $body:expr) => {{
        use crate::replay::numeric::element::LaneKind;
        match $kind {
            LaneKind::F32 => {
                type $L = f32;
                $body
            }
            LaneKind::F64 => {
                type $L = f64;
                $body
            }
            LaneKind::I64 => {
                type $L = i64;
                $body
            }
            LaneKind::U64 => {
                type $L = u64;
                $body
            }
        }
    }};
}
pub(in crate::replay) use with_lane;

/// The elements in `bytes`, which are aligned and whole.
pub(in crate::replay) fn elements<E: AnyBitPattern>(bytes: &[u8]) -> &[E] {
    bytemuck::cast_slice(bytes)
}

/// The elements in `bytes`, which are aligned and whole, to change.
pub(in crate::replay) fn elements_mut<E: AnyBitPattern + NoUninit>(bytes: &mut [u8]) -> &mut [E] {
    bytemuck::cast_slice_mut(bytes)
}

/// Stores `lanes` as elements of `dtype` in `out`, which is aligned and holds as many.
pub(in crate::replay) fn store<L: Lane>(dtype: DType, lanes: &[L], out: &mut [u8]) {
    with_element!(dtype, E => store_slice::<E, L>(lanes, elements_mut(out)));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn store_slice<E: Element, L: Lane>(lanes: &[L], out: &mut [E]) {
    for (out, lane) in out.iter_mut().zip(lanes) {
        *out = lane.to_element();
    }
}
