//! What is accepted and doubtful, and what is only said.

use crate::diag::{self, Diagnostic};
use crate::source::Span;

/// What `tl.static_print` prints.
pub(in crate::sema) fn printed(text: &str, span: Span) -> Diagnostic {
    Diagnostic::new(diag::constexpr::PRINTED, text.to_owned(), span, "printed while compiling")
}

/// A print that runs with the kernel.
pub(in crate::sema) fn not_traced(function: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NOT_TRACED,
        format!("`{function}` prints nothing: values are not traced while a kernel runs"),
        span,
        "accepted and left out",
    )
    .help("store the tile and look at the tensor, or print what the compiler knows with `tl.static_print`")
}

/// An assertion on the data of a tile.
pub(in crate::sema) fn not_checked(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NOT_CHECKED,
        format!("`{function}` is not checked: its condition is {found}"),
        span,
        "depends on data, which only a run knows",
    )
    .note("Triton checks it in debug mode only; the scalars of a launch are always checked")
}

/// An import that nothing uses; `what` is "module" or "name".
pub(in crate::sema) fn unused_import(name: &str, what: &str, span: Span) -> Diagnostic {
    let said = format!("the {what} `{name}` is imported and not used");
    Diagnostic::new(diag::names::UNUSED_IMPORT, said, span, "nothing in this file names it")
        .help("leave the import out")
}

/// A variable that nothing reads.
pub(in crate::sema) fn unused_variable(name: &str, constexpr: bool, span: Span) -> Diagnostic {
    let said = format!("`{name}` is bound and never read");
    let it = Diagnostic::new(diag::names::UNUSED_VARIABLE, said, span, "nothing reads it");
    if constexpr {
        return it.help("leave it out");
    }
    it.help(format!("leave it out, or call it `_{name}` if it is not to be read"))
}

/// A parameter that nothing reads.
pub(in crate::sema) fn unused_parameter(name: &str, function: &str, span: Span) -> Diagnostic {
    let said = format!("the parameter `{name}` of `{function}` is never read");
    Diagnostic::new(diag::names::UNUSED_PARAMETER, said, span, "nothing reads it")
        .help(format!("leave it out, or call it `_{name}` if the signature is given"))
}
