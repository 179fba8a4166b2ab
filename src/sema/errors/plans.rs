//! Channels, thread blocks and chunks, before their numbers are known.

use crate::diag::{self, Diagnostic};
use crate::source::Span;

/// An argument that is something else than a method takes.
pub(in crate::sema) fn argument(
    (method, name): (&str, &str),
    [found, expected]: [&str; 2],
    span: Span,
) -> Diagnostic {
    let message = format!("`{name}` of `{method}` is {found}, expected {expected}");
    let label = format!("expected {expected}");
    let it = Diagnostic::new(diag::types::PLAN_ARGUMENT, message, span, label);
    match (found, expected) {
        ("a buffer", "a chunk") => it.help("chunks are slices of buffers: `buffer[0:1]`"),
        ("a rank", "an integer") => it.help("`rank.id` is its number"),
        _ => it,
    }
}

/// A method that is told no thread block, or told twice.
pub(in crate::sema) fn no_block(method: &str, both: bool, span: Span) -> Diagnostic {
    let found = if both { "both `tb` and `tb_group`" } else { "neither `tb` nor `tb_group`" };
    let message = format!("`{method}` is given {found}, expected one of them");
    let label = "which thread blocks do this?";
    Diagnostic::new(diag::types::NO_THREAD_BLOCK, message, span, label)
        .help("`tb=0` is one thread block; `tb_group=tl.thread_block_group([0, 1])` are several")
}

/// A subscript of a buffer that is no slice.
pub(in crate::sema) fn no_slice(step: bool, span: Span) -> Diagnostic {
    let message = if step {
        "chunks lie beside each other: a slice of a buffer has no step"
    } else {
        "a chunk is a slice of a buffer, and this is no slice"
    };
    Diagnostic::new(diag::types::CHUNK_SLICE, message, span, "expected `[first:end]`")
        .help("`buffer[i:i + 1]` is chunk `i`")
}

/// A word that is none of those that are known.
pub(in crate::sema) fn word(
    (what, said): (&str, &str),
    known: &[&str],
    (found, span): (Option<&str>, Span),
) -> Diagnostic {
    let list = super::quoted_list(known);
    let message = format!("{what} is {said}, expected one of {list}");
    let it = Diagnostic::new(diag::types::PLAN_WORD, message, span, "not one of them");
    let help = found.and_then(|it| diag::nearest_help("word", it, known.iter().copied()));
    help.into_iter().fold(it, Diagnostic::help)
}
