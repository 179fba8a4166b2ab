//! Matrix products.

use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::source::Span;

/// Inner extents or batches that differ.
pub(in crate::sema) fn dot_shapes(
    [a, b]: &[String; 2],
    inner_agree: bool,
    span: Span,
    labels: [(Span, String); 2],
) -> Diagnostic {
    let (shapes, label) = if inner_agree {
        ("[batch, m, k] by [batch, k, n]", "the batches differ")
    } else {
        ("[m, k] by [k, n]", "the inner extents differ")
    };
    let message = format!("`tl.dot` multiplies {shapes}, and these are {a} and {b}");
    let it = Diagnostic::new(diag::types::DOT_SHAPES, message, span, label);
    labels.into_iter().fold(it, |it, (span, text)| it.because(span, text))
}

/// `input_precision=` that is none.
pub(in crate::sema) fn unknown_precision(found: &str, known: &[&str], span: Span) -> Diagnostic {
    let message = format!("`input_precision=` is one of {}, and this is {found}", known.join(", "));
    Diagnostic::new(diag::types::DOT_PRECISION, message, span, "not a precision")
}

/// Both ways to say the precision.
pub(in crate::sema) fn precision_twice(named: Span, allowed: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::DOT_PRECISION,
        "`allow_tf32=` is the old name of `input_precision=`, and both are given",
        allowed,
        "says the precision again",
    )
    .because(named, "said here")
}

/// An operand without two axes.
pub(in crate::sema) fn dot_rank(
    found: &str,
    span: Span,
    (made, label): (Span, String),
) -> Diagnostic {
    Diagnostic::new(
        diag::types::DOT_SHAPES,
        format!("`tl.dot` multiplies tiles of two axes, or three of a batch, and this is {found}"),
        span,
        "expected two axes or three",
    )
    .because(made, label)
    .help("make a row or a column of it: `x[None, :]`, `x[:, None]`")
}

/// An accumulator of another shape.
pub(in crate::sema) fn dot_accumulator(
    [acc, wanted]: &[String; 2],
    span: Span,
    (made, label): (Span, String),
) -> Diagnostic {
    Diagnostic::new(
        diag::types::DOT_SHAPES,
        format!("the product has shape {wanted} and its accumulator {acc}"),
        span,
        format!("expected shape {wanted}"),
    )
    .because(made, label)
}

/// Operands whose element types are not multiplied.
pub(in crate::sema) fn dot_dtypes(
    (a, b): (DType, DType),
    span: Span,
    labels: [(Span, String); 2],
) -> Diagnostic {
    let (message, label) = if a == b {
        (
            format!("`tl.dot` multiplies f16, bf16, f32, f64, i8, u8 and 8-bit floats, not {a}"),
            "not multiplied by the matrix engine",
        )
    } else {
        (
            format!("`tl.dot` multiplies tiles of one element type, and these are {a} and {b}"),
            "the element types differ",
        )
    };
    let it = Diagnostic::new(diag::types::DOT_DTYPES, message, span, label);
    labels
        .into_iter()
        .fold(it, |it, (span, text)| it.because(span, text))
        .help("convert one of them: `b.to(a.dtype)`")
}

/// A result that products are not summed in.
pub(in crate::sema) fn dot_result(
    found: DType,
    operand: DType,
    natural: DType,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::DOT_DTYPES,
        format!("`tl.dot` of {operand} sums in {natural}, and this is {found}"),
        span,
        format!("expected {natural}"),
    )
    .help("convert the product afterwards: `tl.dot(a, b).to(\"f16\")`")
}
