//! Atomics.

use super::quoted_list;
use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::source::Span;

/// Elements that an atomic op does not change.
pub(in crate::sema) fn element_type(
    function: &str,
    dtype: DType,
    takes: &str,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::ATOMIC_TYPE,
        format!("`{function}` changes {takes}, and these elements are {dtype}"),
        span,
        format!("points at {dtype}"),
    )
}

/// A `sem=` or `scope=` that does not exist.
pub(in crate::sema) fn unknown_hint(
    name: &str,
    found: &str,
    words: &[&str],
    span: Span,
) -> Diagnostic {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Diagnostic::new(
        diag::types::ATOMIC_ORDER,
        format!("`{name}=` of an atomic is one of {}, and this is {found}", quoted_list(&words)),
        span,
        "unknown",
    )
    .note("kbc orders every atomic as strictly as can be; what is asked for does not matter")
}
