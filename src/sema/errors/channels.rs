//! Sending and receiving.

use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::source::Span;

/// A direction that is no string.
pub(in crate::sema) fn direction_is_no_string(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::DIRECTION_NOT_STRING,
        format!("a direction is a string such as \"E\", and this is {found}"),
        span,
        "expected a string",
    )
}

/// A receive that says neither shape nor buffer.
pub(in crate::sema) fn recv_needs_type(missing: &[&str], span: Span) -> Diagnostic {
    let names = super::quoted_list(missing);
    Diagnostic::new(
        diag::types::RECV_NEEDS_TYPE,
        format!("`tl.recv` without `dst` needs {names}"),
        span,
        "the size of what arrives is not known",
    )
    .help("write `tl.recv(dir=\"W\", shape=(n,), dtype=\"f16\")`, or `dst=` a tile of that shape")
}

/// A `dst` that is not a variable.
pub(in crate::sema) fn dst_is_no_name(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::RECV_DST,
        "`dst` must be a variable, which then stands for what was received",
        span,
        "not a variable",
    )
    .help("name the tile first: `buffer = …`, then `dst=buffer`")
}

/// A `dst` that the caller passed, whose own name would not notice.
pub(in crate::sema) fn dst_of_the_caller(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::RECV_DST,
        format!("`{name}` is a tile of the caller, and receiving into it would change it there"),
        span,
        "a parameter of this function",
    )
    .help("receive a new tile and return it: `return tl.recv(dir=…, shape=…, dtype=…)`")
}

/// A `dst` whose buffer another name still reads.
pub(in crate::sema) fn dst_has_two_names(
    name: &str,
    other: &str,
    span: Span,
    bound: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::RECV_DST,
        format!("`{name}` and `{other}` are one tile, and receiving into it would change both"),
        span,
        "received into this tile",
    )
    .because(bound, format!("`{other}` is bound to the same tile here"))
    .help("make a tile of its own to receive into: `buffer = tl.zeros(shape, dtype)`")
}

/// A `dtype=` that is not the buffer's.
pub(in crate::sema) fn dst_dtype(said: DType, own: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::RECV_DST,
        format!("`dst` holds {own} and {said} is received"),
        span,
        format!("expected {own}"),
    )
}

/// A `shape=` that is not the buffer's.
pub(in crate::sema) fn dst_shape([said, own]: &[String; 2], span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::RECV_DST,
        format!("`dst` has shape {own} and {said} is received"),
        span,
        format!("expected {own}"),
    )
}

/// A wait for something that is there already.
pub(in crate::sema) fn wait_of_no_future(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WAIT_OF_NO_FUTURE,
        format!("`tl.wait` takes what `tl.recv_async` gave, and this is {found}"),
        span,
        "nothing to wait for",
    )
    .help("use the tile: whatever reads it waits until it is there")
}

/// Directions that a stream cannot go on in together.
pub(in crate::sema) fn stream_outputs(names: &[String], span: Span) -> Diagnostic {
    let most = crate::ir::MAX_STREAM_OUTPUTS;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (count, list) = (names.len(), super::quoted_list(&names));
    let message = if count > most {
        format!("a stream goes on in at most {most} directions, and these are {count}")
    } else {
        format!("a stream goes on once in each direction, and these are {list}")
    };
    Diagnostic::new(diag::types::STREAM_OUTPUTS, message, span, "sent on here")
}

/// A reduction that a stream does not have.
pub(in crate::sema) fn stream_reduction(
    (said, name): (&str, Option<&str>),
    names: &[&str],
    span: Span,
) -> Diagnostic {
    let known = super::quoted_list(names);
    let message = format!("`op` is {said}, expected one of {known}");
    let label = "not a way to combine two elements";
    let diagnostic = Diagnostic::new(diag::types::STREAM_REDUCTION, message, span, label);
    let near = name.and_then(|name| diag::nearest_help("op", name, names.iter().copied()));
    match near {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
