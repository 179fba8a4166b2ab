//! What an element type is asked: `x.dtype.is_fp16()`, `x.dtype.primitive_bitwidth`.

use super::{Builtin, Call, Row};
use crate::dtype::{DType, Kind, convert};
use crate::sema::analysis::Analysis;
use crate::sema::value::{Callee, Constant, Val};

/// The questions that an element type answers with `True` or `False`.
const QUESTIONS: &[Row] = rows! {
    /// Whether it is `tl.float8e4nv`.
    "is_fp8e4nv", "self", answer;
    /// Whether it is `tl.float8e4b8`.
    "is_fp8e4b8", "self", answer;
    /// Whether it is `tl.float8e4b15`, which kbc has not.
    "is_fp8e4b15", "self", answer;
    /// Whether it is `tl.float8e5`.
    "is_fp8e5", "self", answer;
    /// Whether it is `tl.float8e5b16`.
    "is_fp8e5b16", "self", answer;
    /// Whether it is a float of 8 bits.
    "is_fp8", "self", answer;
    /// Whether it is `tl.float16`.
    "is_fp16", "self", answer;
    /// Whether it is `tl.bfloat16`.
    "is_bf16", "self", answer;
    /// Whether it is `tl.float32`.
    "is_fp32", "self", answer;
    /// Whether it is `tl.float64`.
    "is_fp64", "self", answer;
    /// Whether it is `tl.int1`.
    "is_int1", "self", answer;
    /// Whether it is `tl.int1`.
    "is_bool", "self", answer;
    /// Whether it is `tl.int8`.
    "is_int8", "self", answer;
    /// Whether it is `tl.int16`.
    "is_int16", "self", answer;
    /// Whether it is `tl.int32`.
    "is_int32", "self", answer;
    /// Whether it is `tl.int64`.
    "is_int64", "self", answer;
    /// Whether it is `tl.uint8`.
    "is_uint8", "self", answer;
    /// Whether it is `tl.uint16`.
    "is_uint16", "self", answer;
    /// Whether it is `tl.uint32`.
    "is_uint32", "self", answer;
    /// Whether it is `tl.uint64`.
    "is_uint64", "self", answer;
    /// Whether it is a float.
    "is_floating", "self", answer;
    /// Whether it is a float of 16 bits or more.
    "is_standard_floating", "self", answer;
    /// Whether it is an integer.
    "is_int", "self", answer;
    /// Whether it is an integer with a sign.
    "is_int_signed", "self", answer;
    /// Whether it is an integer without a sign.
    "is_int_unsigned", "self", answer;
    /// Whether it is no type at all.
    "is_void", "self", answer;
    /// Whether it is the type of a pointer.
    "is_ptr", "self", answer;
    /// Whether it is the type of a tile.
    "is_block", "self", answer;
    /// Whether it is the type of a pointer to what cannot be written.
    "is_const", "self", answer;
};

/// The answer, which is what the question is asked of: it was found when the question was named.
fn answer(_: &mut Analysis<'_>, call: &Call) -> Val {
    call.arg("self").val.clone()
}

/// What an element type, or the type of something with such elements, belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeOf {
    /// A single element.
    Element,
    /// A tile.
    Tile,
    /// A pointer.
    Pointer,
}

/// `type.name`, where it has that.
pub(super) fn dtype_attribute((dtype, of): (DType, TypeOf), name: &str) -> Option<Val> {
    if let Some(row) = QUESTIONS.iter().find(|row| row.name == name) {
        let answer = match (of, name) {
            (TypeOf::Tile, "is_block") | (TypeOf::Pointer, "is_ptr") => true,
            (TypeOf::Element, _) => holds(dtype, name),
            (TypeOf::Tile | TypeOf::Pointer, _) => false,
        };
        let answer = Box::new(Val::Const(Constant::Bool(answer)));
        return Some(Val::Method(answer, Callee::Builtin(Builtin::Question(row))));
    }
    match name {
        "primitive_bitwidth" => Some(Val::int(dtype.bits())),
        "int_bitwidth" if dtype.is_int() => Some(Val::int(dtype.bits())),
        "fp_mantissa_width" if dtype.is_float() => Some(Val::int(dtype.significand_bits() - 1)),
        "exponent_bias" => convert::exponent_bias(dtype).map(Val::int),
        "itemsize" => Some(Val::int(i128::from(dtype.bytes()))),
        "scalar" => Some(Val::Const(Constant::DType(dtype))),
        "name" => Some(Val::Const(Constant::Str(triton_name(dtype)))),
        "is_float" => Some(Val::Const(Constant::Bool(dtype.is_float()))),
        _ => None,
    }
}

/// The names that an element type has, for suggestions.
pub(super) fn dtype_names() -> impl Iterator<Item = &'static str> {
    let values = ["primitive_bitwidth", "int_bitwidth", "fp_mantissa_width", "exponent_bias"];
    let more = ["itemsize", "scalar", "name"];
    QUESTIONS.iter().map(|row| row.name).chain(values).chain(more)
}

/// Whether the question `name` is true of an element type.
fn holds(dtype: DType, name: &str) -> bool {
    let kind = dtype.kind();
    match name {
        "is_floating" => dtype.is_float(),
        "is_standard_floating" => dtype.is_float() && dtype.bits() >= 16,
        "is_fp8" => dtype.is_float() && dtype.bits() == 8,
        "is_int" => dtype.is_int(),
        "is_int_signed" => kind == Kind::Signed,
        "is_int_unsigned" => matches!(kind, Kind::Unsigned | Kind::Bool),
        "is_bool" => kind == Kind::Bool,
        name => name.strip_prefix("is_") == Some(&triton_name(dtype)),
    }
}

/// What Triton calls a type: `fp32`.
fn triton_name(dtype: DType) -> String {
    if dtype == DType::BF16 {
        return String::from("bf16");
    }
    dtype.tl_name().replace("float", "fp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_what_triton_calls_it_and_nothing_else() {
        for dtype in DType::ALL {
            let own = format!("is_{}", triton_name(*dtype));
            assert!(holds(*dtype, &own), "{own}");
            let others = DType::ALL.iter().filter(|other| holds(**other, &own));
            assert_eq!(others.count(), 1, "{own}");
            assert_ne!(holds(*dtype, "is_int"), holds(*dtype, "is_floating"), "{dtype}");
        }
    }

    #[test]
    fn widths_are_those_of_the_formats() {
        let of = |dtype, name| dtype_attribute((dtype, TypeOf::Element), name);
        let int = |dtype, name| of(dtype, name).and_then(|it| it.constant()?.as_int());
        assert_eq!(int(DType::BF16, "fp_mantissa_width"), Some(7));
        assert_eq!(int(DType::F16, "fp_mantissa_width"), Some(10));
        let biases = [
            (DType::F8E4M3, 7),
            (DType::F8E5M2, 15),
            (DType::F8E4B8, 8),
            (DType::F8E5B16, 16),
            (DType::F16, 15),
            (DType::BF16, 127),
            (DType::F32, 127),
            (DType::F64, 1023),
        ];
        for (dtype, bias) in biases {
            assert_eq!(int(dtype, "exponent_bias"), Some(bias), "{dtype}");
        }
        assert_eq!(int(DType::I32, "exponent_bias"), None);
        assert_eq!(int(DType::U16, "int_bitwidth"), Some(16));
        assert_eq!(int(DType::F16, "int_bitwidth"), None);
    }
}
