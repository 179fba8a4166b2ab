//! Element types: names in both spellings, widths, kinds.

pub mod convert;

use std::fmt;

/// What family of numbers a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// True or false.
    Bool,
    /// Two's complement.
    Signed,
    /// Natural numbers.
    Unsigned,
    /// IEEE-like binary floating point.
    Float,
}

/// How a number that a type does not have is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rounding {
    /// To the nearest number; halfway between two, to the one whose last bit is 0.
    #[default]
    NearestEven,
    /// To the nearest number that is not farther from zero.
    TowardZero,
}

/// Makes [`DType`] from rows: `variant = short name, tl name, other names, bits, kind`.
macro_rules! dtypes {
    ($($(#[doc = $doc:literal])+ $Variant:ident = $short:literal, $tl:literal, [$($alias:literal),*], $bits:literal, $kind:ident;)*) => {
        /// The type of one element.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DType { $($(#[doc = $doc])+ $Variant,)* }

        impl DType {
            /// Every element type, narrow to wide within a kind.
            pub const ALL: &'static [DType] = &[$(DType::$Variant,)*];

            /// The short name, as the text IR and kernbench's API spell it: `f16`.
            pub const fn name(self) -> &'static str {
                match self { $(DType::$Variant => $short,)* }
            }

            /// The attribute of `tl` that names this type: `float16`.
            pub const fn tl_name(self) -> &'static str {
                match self { $(DType::$Variant => $tl,)* }
            }

            /// The width in bits; one for `i1`, which is stored as a byte.
            pub const fn bits(self) -> u32 {
                match self { $(DType::$Variant => $bits,)* }
            }

            /// The family.
            pub const fn kind(self) -> Kind {
                match self { $(DType::$Variant => Kind::$kind,)* }
            }

            /// The type of this name, in any accepted spelling.
            pub fn from_name(name: &str) -> Option<DType> {
                match name {
                    $($short | $tl $(| $alias)* => Some(DType::$Variant),)*
                    _ => None,
                }
            }
        }
    };
}

dtypes! {
    /// A truth value, stored as one byte.
    I1 = "i1", "int1", ["bool", "u1"], 1, Bool;
    /// 8-bit signed.
    I8 = "i8", "int8", [], 8, Signed;
    /// 16-bit signed.
    I16 = "i16", "int16", [], 16, Signed;
    /// 32-bit signed.
    I32 = "i32", "int32", [], 32, Signed;
    /// 64-bit signed.
    I64 = "i64", "int64", [], 64, Signed;
    /// 8-bit unsigned.
    U8 = "u8", "uint8", [], 8, Unsigned;
    /// 16-bit unsigned.
    U16 = "u16", "uint16", [], 16, Unsigned;
    /// 32-bit unsigned.
    U32 = "u32", "uint32", [], 32, Unsigned;
    /// 64-bit unsigned.
    U64 = "u64", "uint64", [], 64, Unsigned;
    /// 8-bit float, 4 exponent bits, no infinities (OCP E4M3).
    F8E4M3 = "f8e4m3", "float8e4nv", ["fp8e4nv", "float8_e4m3fn"], 8, Float;
    /// 8-bit float, 5 exponent bits (OCP E5M2).
    F8E5M2 = "f8e5m2", "float8e5", ["fp8e5", "float8_e5m2"], 8, Float;
    /// 8-bit float, 4 exponent bits of bias 8, neither infinities nor a negative zero.
    F8E4B8 = "f8e4b8", "float8e4b8", ["fp8e4b8", "float8_e4m3fnuz"], 8, Float;
    /// 8-bit float, 5 exponent bits of bias 16, neither infinities nor a negative zero.
    F8E5B16 = "f8e5b16", "float8e5b16", ["fp8e5b16", "float8_e5m2fnuz"], 8, Float;
    /// IEEE binary16.
    F16 = "f16", "float16", ["fp16", "half"], 16, Float;
    /// Truncated binary32 (8 exponent bits).
    BF16 = "bf16", "bfloat16", [], 16, Float;
    /// IEEE binary32.
    F32 = "f32", "float32", ["fp32", "float"], 32, Float;
    /// IEEE binary64.
    F64 = "f64", "float64", ["fp64", "double"], 64, Float;
}

impl DType {
    /// Bytes that one element takes in memory.
    pub const fn bytes(self) -> u64 {
        self.bits().div_ceil(8) as u64
    }

    /// Whether this is a float.
    pub const fn is_float(self) -> bool {
        matches!(self.kind(), Kind::Float)
    }

    /// Whether this is an integer; `i1` counts.
    pub const fn is_int(self) -> bool {
        !self.is_float()
    }

    /// Whether integer arithmetic on this type is unsigned; `i1` counts.
    pub const fn is_unsigned(self) -> bool {
        matches!(self.kind(), Kind::Unsigned | Kind::Bool)
    }

    /// Significand bits, the implicit one included, of a float; 0 for integers.
    pub fn significand_bits(self) -> u32 {
        convert::fraction_bits(self).map_or(0, |stored| stored + 1)
    }

    /// Half the distance between 1 and the next number: the largest relative error of one
    /// rounding. 0 for integers.
    pub fn unit_roundoff(self) -> f64 {
        match self.significand_bits() {
            0 => 0.0,
            bits => 2f64.powi(-(bits as i32)),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_names_its_type() {
        for dtype in DType::ALL {
            assert_eq!(DType::from_name(dtype.name()), Some(*dtype));
            assert_eq!(DType::from_name(dtype.tl_name()), Some(*dtype));
        }
        assert_eq!(DType::from_name("float17"), None);
    }

    #[test]
    fn unit_roundoff_is_ieee() {
        assert_eq!(DType::F32.unit_roundoff(), f64::from(f32::EPSILON) / 2.0);
        assert_eq!(DType::F64.unit_roundoff(), f64::EPSILON / 2.0);
        assert_eq!(DType::I8.unit_roundoff(), 0.0);
    }
}
