//! Ops that pick, order and combine the elements of tiles.

use crate::diag::{self, Diagnostic};
use crate::source::Span;

/// Something else where a function is expected.
pub(in crate::sema) fn expected_function(call: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::EXPECTED_FUNCTION,
        format!("`{call}` takes a function, and this is {found}"),
        span,
        "expected the name of a function",
    )
}

/// What combines elements does not give their like.
pub(in crate::sema) fn combination_result(
    (name, found): (&str, &str),
    wanted: &str,
    (span, defined): (Span, Span),
) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMBINATION_RESULT,
        format!("`{name}` combines two elements into {found}, not into {wanted}"),
        span,
        "its result must be like its operands",
    )
    .because(defined, format!("`{name}` is defined here"))
}

/// An axis of another length than an op takes.
pub(in crate::sema) fn unfit_extent(
    call: &str,
    wanted: &str,
    found: &str,
    span: Span,
    (made, label): (Span, String),
) -> Diagnostic {
    Diagnostic::new(
        diag::types::UNFIT_EXTENT,
        format!("`{call}` takes {wanted}, and this is {found} long"),
        span,
        format!("{found} where {wanted} is expected"),
    )
    .because(made, label)
}

/// Tiles that must have one shape, but for an axis.
pub(in crate::sema) fn shapes_differ(
    what: &str,
    [left, right]: &[String; 2],
    span: Span,
    labels: [(Span, String); 2],
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::SHAPES_DIFFER,
        format!("{what} do not fit together: {left} and {right}"),
        span,
        "these shapes differ",
    );
    labels.into_iter().fold(it, |it, (span, text)| it.because(span, text))
}

/// A reinterpretation as a type of another width.
pub(in crate::sema) fn bitcast_width(from: &str, to: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BITCAST_WIDTH,
        format!("the bits of {from} are not as many as those of {to}"),
        span,
        "`bitcast=True` keeps the bits, so both types must be equally wide",
    )
}
