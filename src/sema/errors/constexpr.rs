//! What must be known at compile time.

use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::sema::fold::Failure;
use crate::source::Span;

fn not_known(what: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NOT_COMPILE_TIME,
        format!("{what} must be known at compile time, and this is {found}"),
        span,
        "known at the launch only",
    )
}

/// An axis, a count of stages: an integer.
pub(in crate::sema) fn not_a_constant_int(what: &str, found: &str, span: Span) -> Diagnostic {
    not_known(what, found, span).help("write the integer")
}

/// A number that is rounded up to a power of two and cannot be.
pub(in crate::sema) fn no_power_of_2(found: i128, span: Span) -> Diagnostic {
    not_known("a number between 0 and 2**63", &format!("the integer {found}"), span)
}

/// An element type.
pub(in crate::sema) fn dtype_is_not_constant(found: &str, span: Span) -> Diagnostic {
    not_known("an element type", found, span).help(
        "write it, as \"f16\" or `tl.float16`, or give the parameter a value: `--set dtype=f16`",
    )
}

/// A direction.
pub(in crate::sema) fn direction_is_not_constant(found: &str, span: Span) -> Diagnostic {
    not_known("a direction", found, span)
        .help("write the direction's name, once on each path of a branch where it differs")
}

/// A bound of `tl.arange`.
pub(in crate::sema) fn arange_bound(found: &str, span: Span) -> Diagnostic {
    not_known("a bound of `tl.arange`", found, span)
        .help("count to a `tl.constexpr` size and mask what lies beyond: `tl.arange(0, BLOCK) < n`")
}

/// The condition of a comprehension.
pub(in crate::sema) fn filter_is_not_constant(found: &str, span: Span) -> Diagnostic {
    not_known("the condition of a comprehension", found, span)
        .help("keep every item and choose by `tl.where(condition, x, y)`")
}

/// The place of an item.
pub(in crate::sema) fn index_is_not_constant(found: &str, span: Span) -> Diagnostic {
    not_known("the index of a tuple", found, span)
        .help("walk the tuple itself: `for item in items`, or count with `tl.static_range`")
}

/// An assertion that does not hold.
pub(in crate::sema) fn assertion_fails(message: Option<&str>, span: Span) -> Diagnostic {
    let message = match message {
        Some(text) if !text.is_empty() => format!("assertion failed: {text}"),
        _ => String::from("assertion failed"),
    };
    Diagnostic::new(diag::constexpr::ASSERTION_FAILS, message, span, "does not hold")
}

/// A `tl.constexpr` name bound again.
pub(in crate::sema) fn bound_again(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::BOUND_AGAIN,
        format!("`{name}` is `tl.constexpr` and cannot be bound again"),
        span,
        "bound again here",
    )
    .because(first, "first bound here")
    .help("use another name")
}

/// A tile where a compile-time value is needed.
pub(in crate::sema) fn not_constexpr(
    name: &str,
    found: &str,
    span: Span,
    param: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NOT_CONSTEXPR,
        format!("`{name}` is `tl.constexpr`, and this is {found}"),
        span,
        "its data is not known before the kernel runs",
    )
    .because(param, "declared `tl.constexpr` here")
    .help("remove the annotation")
}

/// Arithmetic that has no result.
pub(in crate::sema) fn fold_failed(
    failure: Failure,
    symbol: &str,
    [x, y]: &[String; 2],
    span: Span,
) -> Diagnostic {
    let label = match failure {
        Failure::DivisionByZero => "division by zero",
        Failure::Overflow => "beyond 128 bits",
        Failure::BadShift => "a shift by a negative count",
        Failure::NoMeaning => "no meaning on these",
    };
    Diagnostic::new(
        diag::constexpr::FOLD_FAILED,
        format!("`{x} {symbol} {y}` has no value"),
        span,
        label,
    )
}

/// A global of a `jit` kernel that is not `tl.constexpr`.
pub(in crate::sema) fn plain_global(name: &str, span: Span, bound: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::PLAIN_GLOBAL,
        format!("`{name}` is a global that a `@triton.jit` kernel cannot read"),
        span,
        "read here",
    )
    .because(bound, "bound here without `tl.constexpr`")
    .help(format!("write `{name}: tl.constexpr = …`, or pass it as a parameter"))
}

/// A global whose value the compiler cannot tell.
pub(in crate::sema) fn global_is_not_constant(name: &str, span: Span, bound: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::GLOBAL_NOT_CONSTANT,
        format!("the value of the global `{name}` is not known at compile time"),
        span,
        "read here",
    )
    .because(bound, "bound here")
}

/// A global that needs itself.
pub(in crate::sema) fn global_of_itself(name: &str, span: Span, bound: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::GLOBAL_NOT_CONSTANT,
        format!("the global `{name}` is computed from itself"),
        span,
        "needed again here",
    )
    .because(bound, "bound here")
}

/// A range that does not move.
pub(in crate::sema) fn zero_step(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::ZERO_STEP,
        "the step of a range cannot be 0",
        span,
        "the loop would not move",
    )
}

/// A loop written out too often.
pub(in crate::sema) fn unrolls_too_far(count: u128, limit: u64, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::UNROLLS_TOO_FAR,
        format!("this loop brings the turns written out to {count}, and a kernel may have {limit}"),
        span,
        "written out turn by turn",
    )
    .help("write `range(…)`: the loop then stays a loop")
}

/// An axis that no launch has.
pub(in crate::sema) fn no_such_grid_axis(axis: i128, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NO_SUCH_GRID_AXIS,
        format!("a launch has the axes 0, 1 and 2, and this is {axis}"),
        span,
        "expected 0, 1 or 2",
    )
    .note("axis 0 is the PE in its cube, 1 the cube, 2 the SIP")
}

/// A string that names no element type.
pub(in crate::sema) fn unknown_dtype(name: &str, span: Span) -> Diagnostic {
    let known = DType::ALL.iter().flat_map(|it| [it.name(), it.tl_name()]);
    let it = Diagnostic::new(
        diag::constexpr::UNKNOWN_DTYPE,
        format!("there is no element type \"{name}\""),
        span,
        "not an element type",
    );
    match diag::nearest_help("type", name, known) {
        Some(help) => it.help(help),
        None => it
            .note("the types are i1, i8 to i64, u8 to u64, f8e4m3, f8e5m2, f16, bf16, f32 and f64"),
    }
}

/// An item that a tuple does not have.
pub(in crate::sema) fn no_such_item(len: usize, span: Span) -> Diagnostic {
    let has = super::counted(len, "item", "items");
    Diagnostic::new(
        diag::constexpr::NO_SUCH_ITEM,
        format!("this tuple has {has}"),
        span,
        "no item there",
    )
}

/// A value that an f-string cannot show.
pub(in crate::sema) fn format_of_value(found: &str, span: Span, spec: bool) -> Diagnostic {
    let (message, label) = if spec {
        (String::from("f-strings of a kernel have no format after `:`"), "formatted here")
    } else {
        (
            format!("an f-string of a kernel holds what the compiler knows, and this is {found}"),
            "known later only",
        )
    };
    Diagnostic::new(diag::constexpr::FORMAT_OF_VALUE, message, span, label)
}

/// A string that is no float.
pub(in crate::sema) fn not_a_float(text: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NOT_A_FLOAT,
        format!("{text:?} is not a float"),
        span,
        "expected a number, \"inf\" or \"nan\"",
    )
}

/// `is` on values.
pub(in crate::sema) fn is_of_values(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::COMPILE_TIME_COMPARISON,
        "`is` compares what the compiler knows: `None`, truth values and element types",
        span,
        "neither side is one of these",
    )
    .help("compare values with `==`")
}

/// `in` on values.
pub(in crate::sema) fn in_of_values(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::COMPILE_TIME_COMPARISON,
        "`in` looks for a constant in a tuple of constants",
        span,
        "known at the launch only",
    )
    .help("compare with each: `x == 16 or x == 32`")
}
