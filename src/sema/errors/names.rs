//! Names: unknown, lost, defined twice, not there yet.

use crate::diag::{self, Diagnostic};
use crate::sema::scope::{Gone, Loss};
use crate::source::Span;

/// A name that nothing binds.
pub(in crate::sema) fn unknown_name<'a>(
    name: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
    in_tl: bool,
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::names::UNKNOWN_NAME,
        format!("`{name}` is not defined"),
        span,
        "nothing binds this name",
    );
    if name == "tl" {
        return it.help("import it: `import triton.language as tl`");
    }
    if in_tl {
        return it.suggest(span, format!("tl.{name}"), format!("`tl` has it: `tl.{name}`"));
    }
    similar(it, name, span, known)
}

/// Adds the names like `name`, as an edit if there is one only.
fn similar<'a>(
    it: Diagnostic,
    name: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().collect();
    match diag::nearest(name, known).as_slice() {
        [] => it,
        [only] => it.suggest(span, *only, format!("a similar name exists: `{only}`")),
        several => it.help(format!("similar names exist: {}", super::quoted_list(several))),
    }
}

/// A name that had a value on some path.
pub(in crate::sema) fn lost(name: &str, span: Span, gone: Gone) -> Diagnostic {
    let (code, message, bound, by, help) = match gone.why {
        Loss::OnePath => (
            diag::names::BOUND_ON_ONE_PATH,
            format!("`{name}` is bound on one path only and has no value here"),
            "it is bound here",
            "by one path of this branch",
            format!("bind `{name}` before the branch, or on both paths"),
        ),
        Loss::LoopBody => (
            diag::names::BOUND_IN_LOOP,
            format!("`{name}` is bound in a loop only and has no value after it"),
            "it is bound here",
            "the loop may run no time",
            format!("bind `{name}` before the loop; the loop then carries it"),
        ),
        Loss::Differs => (
            diag::constexpr::DIFFERS_BY_PATH,
            format!("what `{name}` stands for depends on a condition that only the launch knows"),
            "it is bound here",
            "and to something else on the other path of this branch",
            format!("use `{name}` inside the branch, once on each path"),
        ),
    };
    Diagnostic::new(code, message, span, "used here")
        .because(gone.bound, bound)
        .because(gone.by, by)
        .help(help)
}

/// A name of the function that is bound further down.
pub(in crate::sema) fn used_before_bound(name: &str, span: Span, later: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::USED_BEFORE_BOUND,
        format!("`{name}` is used before it has a value"),
        span,
        "used here",
    )
    .because(later, "it is bound here, later")
    .note("a name that a function binds anywhere belongs to the function, as in Python")
}

/// A name that `tl` or a module does not have.
pub(in crate::sema) fn unknown_member<'a>(
    name: &str,
    module: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::names::UNKNOWN_ATTRIBUTE,
        format!("{module} has nothing called `{name}`"),
        span,
        "not found",
    );
    similar(it, name, span, known)
}

/// A name after the dot of a value.
pub(in crate::sema) fn unknown_attribute(
    name: &str,
    found: &str,
    span: Span,
    known: Vec<&str>,
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::names::UNKNOWN_ATTRIBUTE,
        format!("{found} has no attribute `{name}`"),
        span,
        "not found",
    );
    similar(it, name, span, known)
}

/// A module that is neither Triton's nor the library's.
pub(in crate::sema) fn unknown_module(name: &str, span: Span, library: &[&str]) -> Diagnostic {
    let it = Diagnostic::new(
        diag::names::UNKNOWN_MODULE,
        format!("there is no module `{name}` to import"),
        span,
        "not found",
    );
    match diag::nearest_help("module", name, library.iter().copied()) {
        Some(help) => it.help(help),
        None if library.is_empty() => it,
        None => it.note(format!("the library has {}", super::quoted_list(library))),
    }
}

/// A name that an imported module does not have.
pub(in crate::sema) fn unknown_import<'a>(
    name: &str,
    module: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::names::UNKNOWN_IMPORT,
        format!("{module} has nothing called `{name}` to import"),
        span,
        "not found",
    );
    similar(it, name, span, known)
}

/// A function defined again.
pub(in crate::sema) fn defined_twice(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::DEFINED_TWICE,
        format!("`{name}` is defined twice"),
        span,
        "defined again here",
    )
    .because(first, "first defined here")
    .help("rename one of them; the later would silently replace the earlier")
}

/// Something that kbc knows and does not support.
pub(in crate::sema) fn not_yet(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_YET,
        format!("not supported yet: {what}"),
        span,
        "kbc knows this and cannot compile it",
    )
}

/// A name imported for host functions or annotations, used in a kernel.
pub(in crate::sema) fn host_only(name: &str, span: Span, bound: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::HOST_ONLY,
        format!("`{name}` is for host functions and annotations and has no value in a kernel"),
        span,
        "used here",
    )
    .because(bound, "imported here")
}

/// A value called as if it were a function.
pub(in crate::sema) fn not_callable(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_CALLABLE,
        format!("{found} cannot be called"),
        span,
        "not a function",
    )
}
