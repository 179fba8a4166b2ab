//! Shapes that do not fit.

use crate::diag::{self, Diagnostic};
use crate::source::Span;

/// Shapes that do not broadcast.
pub(in crate::sema) fn no_broadcast(
    what: &str,
    [left, right]: &[String; 2],
    (axis, [x, y]): (usize, &[String; 2]),
    span: Span,
    labels: [(Span, String); 2],
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::SHAPES_DO_NOT_BROADCAST,
        format!("{what} do not broadcast: {left} and {right}"),
        span,
        format!("axis {axis} of the result is {x} on the left and {y} on the right"),
    );
    let it = labels.into_iter().fold(it, |it, (span, text)| it.because(span, text));
    it.note(
        "axes are aligned at the last one and broadcast when they are equal or one of them is 1",
    )
}

/// An extent below one.
pub(in crate::sema) fn bad_extent(extent: i128, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BAD_EXTENT,
        format!("an extent must be at least 1, and this is {extent}"),
        span,
        "expected a positive integer",
    )
}

/// An extent that is no integer.
pub(in crate::sema) fn extent_is_no_integer(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BAD_EXTENT,
        format!("an extent must be an integer that the launch knows, and this is {found}"),
        span,
        "expected integers, as in `(64, n)`",
    )
}

/// A reshape to another number of elements.
pub(in crate::sema) fn reshape_changes_size(
    [own, wanted]: &[String; 2],
    [count, other]: &[String; 2],
    span: Span,
    (made, label): (Span, String),
) -> Diagnostic {
    Diagnostic::new(
        diag::types::RESHAPE_SIZE,
        format!("a tile of shape {own} has {count} elements and {wanted} has {other}"),
        span,
        format!("expected a shape of {count} elements"),
    )
    .because(made, label)
}

/// A reshape or broadcast without a shape.
pub(in crate::sema) fn no_shape(function: &str, span: Span) -> Diagnostic {
    super::calls::missing_arguments(function, &["shape"], span)
}

/// A broadcast to another number of axes.
pub(in crate::sema) fn broadcast_changes_rank(
    (own, wanted): (usize, usize),
    span: Span,
) -> Diagnostic {
    let own = super::counted(own, "axis", "axes");
    Diagnostic::new(
        diag::types::BROADCAST_TO,
        format!(
            "`tl.broadcast_to` keeps the number of axes: the tile has {own} and the shape {wanted}"
        ),
        span,
        "expected as many extents as the tile has axes",
    )
    .help("add the axes first: `x[:, None]`")
}

/// A broadcast of an axis that is not 1.
pub(in crate::sema) fn broadcast_to_fails(
    [own, wanted]: &[String; 2],
    axis: usize,
    span: Span,
    (made, label): (Span, String),
) -> Diagnostic {
    Diagnostic::new(
        diag::types::BROADCAST_TO,
        format!("a tile of shape {own} cannot be repeated to {wanted}"),
        span,
        format!("axis {axis} is neither equal nor 1 in the tile"),
    )
    .because(made, label)
}

/// An operation that needs more axes than there are.
pub(in crate::sema) fn too_few_axes(
    function: &str,
    rank: usize,
    needed: usize,
    span: Span,
) -> Diagnostic {
    let has = super::counted(rank, "axis", "axes");
    let function = function.trim_matches('`');
    Diagnostic::new(
        diag::types::AXIS_OUT_OF_RANGE,
        format!("`{function}` needs {needed} axes, and this tile has {has}"),
        span,
        format!("expected {needed} axes"),
    )
}

/// An order of axes that is no permutation.
pub(in crate::sema) fn no_permutation(axes: &[u32], rank: usize, span: Span) -> Diagnostic {
    let has = super::counted(rank, "axis", "axes");
    let axes: Vec<String> = axes.iter().map(u32::to_string).collect();
    Diagnostic::new(
        diag::types::PERMUTATION,
        format!("({}) does not name each of {has} once", axes.join(", ")),
        span,
        "expected every axis once",
    )
}

/// `x[:, None]` with too few or too many `:`.
pub(in crate::sema) fn index_misses_axes(
    kept: usize,
    rank: usize,
    span: Span,
    (made, label): (Span, String),
) -> Diagnostic {
    let has = super::counted(rank, "axis", "axes");
    Diagnostic::new(
        diag::types::INDEX_MISSES_AXES,
        format!("this index has {kept} `:` and the tile has {has}"),
        span,
        "expected one `:` for each axis of the tile",
    )
    .because(made, label)
}

/// A range of integers beyond `i32`.
pub(in crate::sema) fn arange_does_not_fit(start: i128, end: i128, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NUMBER_OUT_OF_RANGE,
        format!("`tl.arange({start}, {end})` goes beyond i32"),
        span,
        "i32 holds -2147483648 to 2147483647",
    )
}

/// A range of integers without any.
pub(in crate::sema) fn empty_arange(start: i128, end: i128, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::EMPTY_ARANGE,
        format!("`tl.arange({start}, {end})` is empty"),
        span,
        "the end must be above the start",
    )
}

/// A softmax of a tile of several axes.
pub(in crate::sema) fn softmax_needs_axis(rank: usize, span: Span) -> Diagnostic {
    let has = super::counted(rank, "axis", "axes");
    Diagnostic::new(
        diag::types::SOFTMAX_NEEDS_AXIS,
        format!("`tl.softmax` of a tile with {has} needs `axis=`"),
        span,
        "which axis sums to one?",
    )
    .note("Triton takes the first axis and many expect the last, so neither is taken silently")
    .help("write `axis=1` for the rows of a matrix")
}
