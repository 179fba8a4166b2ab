//! Operands and arguments: element types, kinds, ranges.

use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::sema::describe::a_dtype;
use crate::sema::promote::{Clash, Misfit, int_range};
use crate::source::Span;

/// A number that the elements beside it cannot hold.
pub(in crate::sema) fn misfit(
    misfit: Misfit,
    number: &str,
    dtype: DType,
    span: Span,
) -> Diagnostic {
    let (least, most) = int_range(dtype);
    let it = Diagnostic::new(
        diag::types::NUMBER_OUT_OF_RANGE,
        format!("{number} does not fit beside {dtype} elements"),
        span,
        format!("{dtype} holds {least} to {most}"),
    );
    match misfit {
        Misfit::Negative => it.help("convert the tile to a signed type first: `x.to(\"i64\")`"),
        Misfit::OutOfRange => it.help("convert the tile to a wider type first: `x.to(\"i64\")`"),
    }
}

/// A number that a type cannot hold.
pub(in crate::sema) fn constant_does_not_fit(number: &str, dtype: DType, span: Span) -> Diagnostic {
    let label = if dtype.is_float() {
        format!("expected a number that {dtype} holds")
    } else {
        let (least, most) = int_range(dtype);
        format!("{dtype} holds the integers {least} to {most}")
    };
    Diagnostic::new(
        diag::types::NUMBER_OUT_OF_RANGE,
        format!("{number} is not {}", a_dtype(dtype)),
        span,
        label,
    )
}

/// Element types that do not meet.
pub(in crate::sema) fn dtypes_clash(
    clash: Clash,
    what: &str,
    span: Span,
    (found, labels): (&[String], Vec<(Span, String)>),
) -> Diagnostic {
    let found = found.join(" and ");
    let (code, message, label, help) = match clash {
        Clash::NarrowFloatAndInt => (
            diag::types::DTYPES_DO_NOT_MEET,
            format!("{what} are {found}, which have no common type"),
            "an 8-bit float and an integer",
            "convert one of them: `x.to(\"f32\")`",
        ),
        Clash::Signedness => (
            diag::types::SIGNEDNESS,
            format!("{what} are {found}, of which one is signed and one is not"),
            "the quotient depends on the sign",
            "convert one of them: `x.to(\"i64\")`",
        ),
        Clash::NeedsInt => (
            diag::types::NEEDS_INT,
            format!("{what} must be integers, and these are {found}"),
            "defined on integers only",
            "convert the float: `x.to(\"i32\")`; `tl.floor` rounds down",
        ),
    };
    let it = Diagnostic::new(code, message, span, label);
    labels.into_iter().fold(it, |it, (span, text)| it.because(span, text)).help(help)
}

/// Something that is no number, scalar or tile.
pub(in crate::sema) fn not_an_operand(
    what: &str,
    found: &str,
    span: Span,
    future: bool,
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::NOT_AN_OPERAND,
        format!("{what} must be numbers, scalars or tiles, and this is {found}"),
        span,
        "not a number, scalar or tile",
    );
    if future { it.help("wait for it first: `tl.wait(future)` gives the tile") } else { it }
}

/// An argument that must be a tile.
pub(in crate::sema) fn expected_tile(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!("`{function}` takes a tile, and this is {found}"),
        span,
        "expected a tile",
    )
}

/// An argument that must be a scalar.
pub(in crate::sema) fn expected_scalar(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!("`{function}` takes a number or scalar here, and this is {found}"),
        span,
        "expected a number or scalar",
    )
}

/// A bound of a range that is no integer.
pub(in crate::sema) fn range_bound(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!("a bound of `{function}` must be an integer, and this is {found}"),
        span,
        "expected an integer",
    )
}

/// A store of something that is no tile.
pub(in crate::sema) fn store_of_no_tile(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!("`tl.store` writes a tile, and this is {found}"),
        span,
        "expected a tile",
    )
    .help("make a tile of it: `tl.full((1,), value, dtype=\"f32\")`")
}

/// Floats where integers are needed.
pub(in crate::sema) fn needs_int(what: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NEEDS_INT,
        format!("{what} must be an integer, and this is {found}"),
        span,
        "expected integers",
    )
    .help("convert it: `x.to(\"i32\")`")
}

/// Something else than a rule for NaNs.
pub(in crate::sema) fn nan_rule(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!(
            "`propagate_nan` is `tl.PropagateNan.NONE` or `tl.PropagateNan.ALL`, and this is {found}"
        ),
        span,
        "no rule for NaNs",
    )
}

/// Integers where floats are needed.
pub(in crate::sema) fn needs_float(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NEEDS_FLOAT,
        format!("`{function}` takes floats, and this is {found}"),
        span,
        "expected floats",
    )
    .help("convert it first: `x.to(\"f32\")`")
}

/// Narrow floats where Triton takes `f32` and `f64` only.
pub(in crate::sema) fn half_in_jit(function: &str, dtype: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::HALF_IN_JIT,
        format!("`{function}` takes f32 or f64 in a `@triton.jit` kernel, and this is {dtype}"),
        span,
        "expected f32 or f64",
    )
    .help("convert it first, and the result back: `x.to(tl.float32)`")
    .note("kernels that take `tl` compute narrow floats in f32 and round the result")
}

/// An axis that a tile does not have.
pub(in crate::sema) fn axis_out_of_range(axis: i128, rank: usize, span: Span) -> Diagnostic {
    let has = super::counted(rank, "axis", "axes");
    let label = match rank {
        0 => String::from("there is no axis"),
        1 => String::from("expected 0 or -1"),
        _ => format!("expected -{rank} to {}", rank - 1),
    };
    Diagnostic::new(
        diag::types::AXIS_OUT_OF_RANGE,
        format!("axis {axis} does not exist in a tile with {has}"),
        span,
        label,
    )
}

/// A rounding that conversions do not have.
pub(in crate::sema) fn unknown_rounding(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::DOWNCAST_ROUNDING,
        format!("conversions round \"rtne\" or \"rtz\", and this is {found}"),
        span,
        "expected \"rtne\" (to nearest, ties to even) or \"rtz\" (toward zero)",
    )
}

/// A rounding asked for where nothing is rounded from a wider float.
pub(in crate::sema) fn rounding_of_no_downcast(
    (from, to): (DType, DType),
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::DOWNCAST_ROUNDING,
        format!("a conversion of {from} to {to} makes no float narrower, so it takes no rounding"),
        span,
        "only for a float made narrower",
    )
    .help("leave `fp_downcast_rounding=` out")
}

/// An integer of less than 32 bits whose product has no high half.
pub(in crate::sema) fn needs_wide_int(name: &str, found: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NEEDS_INT,
        format!("`{name}` takes integers of 32 or 64 bits, and these are {found}"),
        span,
        "expected 32 or 64 bits",
    )
}
