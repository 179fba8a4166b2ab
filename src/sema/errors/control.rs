//! Branches, loops and returns.

use crate::diag::{self, Diagnostic};
use crate::sema::scope::Gone;
use crate::source::Span;

/// Nesting beyond what is analysed.
pub(in crate::sema) fn too_deep(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::TOO_DEEP,
        "loops, branches, calls and expressions are nested too deep",
        span,
        "too deep here",
    )
    .note(format!("loops and branches nest {limit} deep at most"))
    .note("an `if` that returns early counts: what follows it is nested in its other path")
}

/// A condition that is no scalar.
pub(in crate::sema) fn not_a_condition(what: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NOT_AN_OPERAND,
        format!("{what} must be a number or scalar, and this is {found}"),
        span,
        "neither true nor false",
    )
}

/// A condition that depends on one element of data.
pub(in crate::sema) fn data_dependent(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::lowering::DATA_DEPENDENT,
        format!("{what} depends on data"),
        span,
        "known only once the data is loaded",
    )
    .note("what a program runs is decided at its launch, before there is any data")
}

/// A condition that is a tile.
pub(in crate::sema) fn tile_condition(what: &str, found: &str, span: Span) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::TILE_CONDITION,
        format!("{what} is {found}"),
        span,
        "one truth value for each element",
    );
    it.note("what a program runs is decided at its launch, not by the data of a tile")
        .help("choose element by element: `tl.where(condition, x, y)`; join masks with `&` and `|`")
}

/// A value that differs in type between the paths of a branch.
pub(in crate::sema) fn paths_differ(what: &str, span: Span, ends: &[(Span, String)]) -> Diagnostic {
    let found: Vec<&str> = ends.iter().map(|(_, found)| found.as_str()).collect();
    let it = Diagnostic::new(
        diag::types::PATHS_DIFFER,
        format!(
            "{what} is {} on one path and {} on the other",
            found.first().unwrap_or(&""),
            found.last().unwrap_or(&"")
        ),
        span,
        "which path runs is known at the launch only",
    );
    ends.iter()
        .fold(it, |it, (span, found)| it.because(*span, format!("{found} here")))
        .help("give it one type and one shape on both paths, or another name")
}

/// A tile whose extent is computed on a path.
pub(in crate::sema) fn local_extent(what: &str, span: Span, ends: &[(Span, String)]) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::LOCAL_EXTENT,
        format!("the shape of {what} is computed inside the branch, and the tile is used after it"),
        span,
        "after this branch the extent is not known",
    );
    ends.iter()
        .fold(it, |it, (span, found)| it.because(*span, format!("{found} here")))
        .help("compute the extent before the branch")
}

/// A carried name that changes its type.
pub(in crate::sema) fn loop_changes_type(
    name: &str,
    [before, after]: &[String; 2],
    [bound, changed, around]: [Span; 3],
    number_to_tile: bool,
) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::LOOP_CHANGES_TYPE,
        format!("`{name}` is {before} before the loop and {after} after a turn of it"),
        changed,
        format!("becomes {after}"),
    )
    .because(bound, format!("{before} here"))
    .because(around, "this loop carries it from turn to turn");
    if number_to_tile {
        it.help(format!("begin with a tile: `{name} = tl.zeros(shape, dtype)`"))
    } else {
        it.help(format!("give `{name}` the same type and shape before the loop, or convert it in the loop: `.to(dtype)`"))
    }
}

/// A carried name that has no value at the end of a turn.
pub(in crate::sema) fn carried_name_lost(name: &str, gone: Gone, around: Span) -> Diagnostic {
    super::names::lost(name, around, gone)
}

/// A `for` over something that is no range or tuple.
pub(in crate::sema) fn not_iterable(found: &str, span: Span, tile: bool) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::NOT_ITERABLE,
        format!("a kernel's `for` walks a range or a tuple, and this is {found}"),
        span,
        "cannot be walked",
    );
    if tile {
        it.help("operators work on all elements of a tile at once; no loop is needed")
    } else {
        it.help("write `for i in range(n)`")
    }
}

/// `while True`.
pub(in crate::sema) fn never_ends(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NEVER_ENDS,
        "this loop never ends: its condition is always true",
        span,
        "always true",
    )
    .note("kernels have no `break`")
    .help("loop while something that the body changes holds: `while i < n`")
}

/// `return` in a loop.
pub(in crate::sema) fn return_in_loop(span: Span, around: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::RETURN_IN_LOOP,
        "a kernel cannot return from inside a loop",
        span,
        "would leave the loop early",
    )
    .because(around, "inside this loop")
    .help("let the loop run to its end and do nothing in the turns that do not matter: `if …:`")
}

/// `return` that some paths of an inner branch take.
pub(in crate::sema) fn return_on_some_paths(span: Span, branch: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::RETURN_ON_SOME_PATHS,
        "this `return` is taken on some paths only, and code that follows runs on the others",
        span,
        "returns here",
    )
    .because(branch, "inside this branch")
    .help("return from an `if` at the top level of the kernel, or put the rest into its `else`")
}

/// `break` or `continue`.
pub(in crate::sema) fn break_or_continue(name: &str, span: Span) -> Diagnostic {
    let help = if name == "break" {
        "loop while a condition holds: `while going:`; or run all turns and do nothing in the last ones"
    } else {
        "put the rest of the body under an `if`"
    };
    Diagnostic::new(
        diag::types::BREAK_OR_CONTINUE,
        format!("kernels have no `{name}`"),
        span,
        "a loop runs all its turns in full",
    )
    .help(help)
}

/// A kernel that returns something.
pub(in crate::sema) fn kernel_returns(name: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::KERNEL_RETURNS,
        format!("the kernel `{name}` returns {found}, and nobody takes it"),
        span,
        "a kernel gives nothing back",
    )
    .help("write results to memory with `tl.store`")
    .note("a function that only kernels call may return values; no kernel calls this one")
}

/// `*args` of a kernel.
pub(in crate::sema) fn variadic_kernel(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_IN_KERNELS,
        "a kernel names each of its parameters",
        span,
        "takes any number of arguments",
    )
}
