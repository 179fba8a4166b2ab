//! Calls: arguments, styles, recursion.

use crate::diag::{self, Diagnostic};
use crate::source::Span;

/// A keyword that no parameter has.
pub(in crate::sema) fn unknown_keyword(
    function: &str,
    keyword: &str,
    span: Span,
    known: &[&str],
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::names::UNKNOWN_KEYWORD,
        format!("`{function}` has no parameter `{keyword}`"),
        span,
        format!("given to `{keyword}`"),
    );
    match diag::nearest_help("parameter", keyword, known.iter().copied()) {
        Some(help) => it.help(help),
        None => it,
    }
}

/// Arguments that were left out.
pub(in crate::sema) fn missing_arguments(
    function: &str,
    missing: &[&str],
    span: Span,
) -> Diagnostic {
    let names = super::quoted_list(missing);
    let word = if missing.len() == 1 { "argument" } else { "arguments" };
    Diagnostic::new(
        diag::names::MISSING_ARGUMENT,
        format!("`{function}` needs the {word} {names}"),
        span,
        format!("{names} not given"),
    )
}

/// More arguments than parameters.
pub(in crate::sema) fn too_many_arguments(function: &str, count: usize, span: Span) -> Diagnostic {
    let takes = super::counted(count, "argument", "arguments");
    Diagnostic::new(
        diag::names::SURPLUS_ARGUMENT,
        format!("`{function}` takes at most {takes}"),
        span,
        "one too many",
    )
}

/// A parameter given two arguments.
pub(in crate::sema) fn given_twice(
    function: &str,
    param: &str,
    span: Span,
    first: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::names::SURPLUS_ARGUMENT,
        format!("`{param}` of `{function}` is given twice"),
        span,
        "given again here",
    )
    .because(first, "first given here")
}

/// `*x` where `x` is no tuple.
pub(in crate::sema) fn star_of_no_tuple(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!("`*` spreads a tuple, and this is {found}"),
        span,
        "not a tuple",
    )
}

/// `**x`.
pub(in crate::sema) fn double_star(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_IN_KERNELS,
        "`**` arguments are not part of the kernel language",
        span,
        "not in a kernel",
    )
    .help("write each argument as `name=value`")
}

/// A function that calls itself.
pub(in crate::sema) fn recursion(cycle: &[String], span: Span) -> Diagnostic {
    let arrows: Vec<String> = cycle.iter().map(|name| format!("`{name}`")).collect();
    Diagnostic::new(
        diag::names::RECURSION,
        format!("kernels cannot call themselves: {}", arrows.join(" → ")),
        span,
        "this call closes the cycle",
    )
    .note("calls are inlined, so a cycle of them has no end")
    .help("write the repetition as a loop")
}

/// A plain function called by a `jit` kernel.
pub(in crate::sema) fn not_jit(name: &str, span: Span, defined: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_JIT,
        format!("`{name}` is a host function and cannot be called by a kernel"),
        span,
        "called here",
    )
    .because(defined, "defined without `@triton.jit`")
    .help(format!("decorate `{name}` with `@triton.jit`"))
}

/// A call from one style of kernel to the other.
pub(in crate::sema) fn mixed_styles(
    name: &str,
    callee_is_jit: bool,
    span: Span,
    defined: Span,
) -> Diagnostic {
    let (callee, caller) = if callee_is_jit {
        ("a `@triton.jit` function", "a kernel that takes `tl`")
    } else {
        ("a function that takes `tl`", "a `@triton.jit` kernel")
    };
    Diagnostic::new(
        diag::types::MIXED_STYLES,
        format!("`{name}` is {callee}, called by {caller}"),
        span,
        "called here",
    )
    .because(defined, "defined here")
    .note("addresses count bytes in kernels that take `tl` and elements in `@triton.jit` kernels")
    .help("write both functions in one style")
}

/// A kernel that is decorated and takes `tl`.
pub(in crate::sema) fn both_styles(name: &str, tl: Span, header: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::MIXED_STYLES,
        format!("`{name}` is decorated with `@triton.jit` and takes `tl` as well"),
        tl,
        "only kernels without the decorator take `tl`",
    )
    .because(header, "this kernel")
    .note("addresses count bytes in kernels that take `tl` and elements in `@triton.jit` kernels")
    .help("remove the decorator, or the parameter `tl`")
}

/// More kinds of calls than a program may need.
pub(in crate::sema) fn too_many_instances(name: &str, limit: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::TOO_MANY_INSTANCES,
        format!("helpers are called with more than {limit} different kinds of arguments"),
        span,
        format!("`{name}` is called with one more kind"),
    )
    .note("a helper is compiled once for each element type, shape and constant it is given")
}
