//! What is accepted and doubtful, and what is only said.

use crate::diag::{self, Diagnostic};
use crate::source::Span;

/// What `tl.static_print` prints.
pub(in crate::sema) fn printed(text: &str, span: Span) -> Diagnostic {
    Diagnostic::new(diag::constexpr::PRINTED, text.to_owned(), span, "printed while compiling")
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
