//! What users of Python, NumPy, PyTorch and Triton write, and what to write here.

use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::sema::builtins;
use crate::source::Span;
use crate::syntax::ast::{ComprehensionKind, ExprKind, StmtKind};

/// A name of a library or a built-in of Python that kernels do not have.
pub(in crate::sema) fn foreign_name(name: &str, span: Span) -> Option<Diagnostic> {
    if matches!(name, "torch" | "np" | "numpy" | "math" | "jnp" | "F") {
        let it = Diagnostic::new(
            diag::names::FOREIGN_LIBRARY,
            format!("`{name}` does not exist in a kernel"),
            span,
            "only host functions have libraries",
        );
        return Some(
            it.help("use the functions of `tl`: `tl.zeros`, `tl.sum`, `tl.exp`, `tl.maximum`, …"),
        );
    }
    let help = python_name(name)?;
    let it = Diagnostic::new(
        diag::names::PYTHON_BUILTIN,
        format!("`{name}` of Python does not exist in a kernel"),
        span,
        "not in a kernel",
    );
    Some(if help.is_empty() { it } else { it.help(help) })
}

/// What to write instead of a built-in of Python; empty where there is nothing.
fn python_name(name: &str) -> Option<&'static str> {
    Some(match name {
        // There in kernels that take `tl` only, as in Triton.
        "abs" => "write `tl.abs(x)`",
        "sum" => "sum a tile with `tl.sum(x, axis=0)`",
        "any" => "reduce a mask with `tl.max(mask, axis=0)`",
        "all" => "reduce a mask with `tl.min(mask, axis=0)`",
        "sorted" => "sort a tile with `tl.sort(x)`",
        "reversed" => "turn a tile around with `tl.flip(x)`",
        "enumerate" => "count with `for i in tl.static_range(len(items))` and take `items[i]`",
        "zip" => "count with `for i in tl.static_range(len(a))` and take `a[i]`, `b[i]`",
        "list" | "tuple" | "set" | "dict" => "write the items: `(a, b)`",
        "round" => "round with `tl.floor(x + 0.5)`",
        "pow" => "multiply: `x * x`; or `tl.exp2(y * tl.log2(x))`",
        "divmod" => "take `a // b` and `a % b`",
        "isinstance" | "type" | "hasattr" | "getattr" => {
            "compare element types: `x.dtype == tl.float16`"
        }
        "str" | "repr" => "format constants with an f-string",
        "map" | "filter" => "operators work on all elements of a tile at once",
        "open" | "input" | "exec" | "eval" | "globals" | "locals" => "",
        _ => return None,
    })
}

/// Something that kbc has and Triton has not, where a file is held to Triton's language.
pub(in crate::sema) fn extension(what: &str, instead: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_IN_TRITON,
        format!("{what} is an extension of kbc, which `--dialect triton` refuses"),
        span,
        "not in Triton",
    )
    .note(instead.to_owned())
}

/// A function of Triton or kernbench that is known and not there.
pub(in crate::sema) fn not_yet_in_tl(name: &str, span: Span) -> Option<Diagnostic> {
    let what = builtins::not_yet(name)?;
    Some(super::names::not_yet(&format!("`tl.{name}`, {what}"), span))
}

/// A method that PyTorch and NumPy give to arrays.
pub(in crate::sema) fn tile_method(name: &str, span: Span) -> Option<Diagnostic> {
    let help = match name {
        "mean" => "divide the sum: `tl.sum(x, axis=0) / n`",
        "view" => "write `x.reshape(m, n)`",
        "astype" | "type" => "write `x.to(\"f16\")`",
        "logical_and" => "write `a & b`",
        "logical_or" => "write `a | b`",
        "logical_not" => "write `~a`",
        "float" => "write `x.to(\"f32\")`",
        "half" => "write `x.to(\"f16\")`",
        "double" => "write `x.to(\"f64\")`",
        "int" | "long" => "write `x.to(\"i32\")` or `x.to(\"i64\")`",
        "size" => "write `x.shape[0]`",
        "dim" | "ndim" => "write `len(x.shape)`",
        "transpose" | "t" => "write `x.T`, or `tl.trans(x, 1, 0)`",
        "unsqueeze" => "write `x[:, None]`",
        "squeeze" | "flatten" | "ravel" => "write `x.reshape(n)`",
        "matmul" | "mm" | "bmm" => "write `tl.dot(a, b)`",
        "clone" | "copy" | "detach" | "contiguous" | "cuda" | "cpu" | "requires_grad" => {
            "leave it out: a tile is a value"
        }
        "item" | "numpy" | "tolist" | "data" => {
            "leave it out: a kernel cannot read the data of a tile, only compute with it"
        }
        "add_" | "mul_" | "sub_" | "copy_" | "fill_" | "zero_" => "bind a new tile: `x = x + y`",
        "masked_fill" => "write `tl.where(mask, value, x)`",
        "pow" => "write `x * x`",
        "std" | "var" => "write `tl.sum((x - mean) * (x - mean), axis=0) / n`",
        "argsort" => "write `tl.sort(x)`, which gives the elements, not their places",
        _ => return None,
    };
    let it = Diagnostic::new(
        diag::types::ARRAY_METHOD,
        format!("tiles have no `.{name}`"),
        span,
        "a method of PyTorch or NumPy arrays",
    );
    Some(it.help(help))
}

/// `a @ b`.
pub(in crate::sema) fn matmul(span: Span, tiles: bool) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::MATMUL_OPERATOR,
        "kernels have no `@`",
        span,
        "a matrix product",
    );
    if tiles { it.help("write `tl.dot(a, b)`") } else { it }
}

/// `a ** b`.
pub(in crate::sema) fn power(span: Span, tiles: bool) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::POWER_OPERATOR,
        "`**` is for numbers that the compiler knows",
        span,
        "known later only",
    );
    if tiles {
        it.help("multiply: `x * x`; or `tl.exp2(y * tl.log2(x))`")
    } else {
        it.help("shift for powers of two: `1 << n`")
    }
}

/// `x[0]`, `x[0:4]`, `x[..., None]` on a tile.
pub(in crate::sema) fn tile_index(kind: &ExprKind, span: Span) -> Diagnostic {
    if matches!(kind, ExprKind::Slice { .. }) {
        return tile_slice(span);
    }
    if *kind == ExprKind::Ellipsis {
        return tile_ellipsis(span);
    }
    Diagnostic::new(
        diag::types::TILE_INDEX,
        "elements of a tile cannot be picked by index",
        span,
        "only `:` and `None` may stand here",
    )
    .help("pick with a mask and a sum: `tl.sum(tl.where(tl.arange(0, n) == i, x, 0), axis=0)`")
}

/// `x[0:4]` on a tile.
fn tile_slice(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::TILE_INDEX,
        "a part of a tile cannot be cut out",
        span,
        "only `:` and `None` may stand here",
    )
    .help("load the part you need: `tl.load(address + offset, shape=(n,), dtype=…)`")
}

/// `x[..., None]`.
fn tile_ellipsis(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::TILE_INDEX,
        "`...` is not part of the kernel language",
        span,
        "only `:` and `None` may stand here",
    )
    .help("write a `:` for each axis")
}

/// A subscript of something that has none.
pub(in crate::sema) fn subscript_of(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::TILE_INDEX,
        format!("{found} has no items"),
        span,
        "cannot be indexed",
    )
}

/// `len` of a tile.
pub(in crate::sema) fn len_of(found: &str, tile: bool, span: Span) -> Diagnostic {
    let it = Diagnostic::new(
        diag::types::LEN_OF_TILE,
        format!("`len` counts the items of a tuple, and this is {found}"),
        span,
        "not a tuple",
    );
    if tile {
        it.help("write `x.shape[0]` for an extent, `x.numel` for the number of elements")
    } else {
        it
    }
}

/// `max(x)`.
pub(in crate::sema) fn extreme_of_one(function: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::MISSING_ARGUMENT,
        format!("`{function}` compares at least two values"),
        span,
        "fewer than two",
    )
    .help(format!("reduce a tile with `tl.{function}(x, axis=0)`"))
}

/// `-1` among the extents of a reshape.
pub(in crate::sema) fn reshape_minus_one(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BAD_EXTENT,
        "an extent of -1 is not filled in",
        span,
        "expected each extent",
    )
    .help("write the extent; `x.numel` is the number of elements")
}

/// A target of an assignment that is no name.
pub(in crate::sema) fn target(kind: &ExprKind, span: Span) -> Diagnostic {
    let (what, help) = if matches!(kind, ExprKind::Subscript { .. }) {
        (
            "items cannot be assigned: tiles and tuples are values",
            "choose element by element: `x = tl.where(mask, new, x)`",
        )
    } else if matches!(kind, ExprKind::Attribute { .. }) {
        ("attributes cannot be assigned", "bind a variable of your own")
    } else if matches!(kind, ExprKind::Starred(_)) {
        ("`*name` cannot take the rest of a tuple", "slice the tuple: `rest = items[1:]`")
    } else {
        ("only names can be assigned", "bind a variable")
    };
    Diagnostic::new(diag::types::ITEM_ASSIGNMENT, what, span, "assigned here").help(help)
}

/// A tuple unpacked into another number of names.
pub(in crate::sema) fn unpacking(
    targets: usize,
    items: Option<usize>,
    found: &str,
    (span, value): (Span, Span),
) -> Diagnostic {
    let names = super::counted(targets, "name", "names");
    let message = match items {
        Some(items) => {
            format!("{names} cannot take {}", super::counted(items, "item", "items"))
        }
        None => format!("{names} take the items of a tuple, and this is {found}"),
    };
    Diagnostic::new(diag::types::UNPACKING, message, span, names)
        .because(value, format!("this is {found}"))
}

/// An expression that Python has and kernels have not.
pub(in crate::sema) fn expression(kind: &ExprKind, span: Span) -> Diagnostic {
    let (what, help) = if matches!(kind, ExprKind::Lambda { .. }) {
        ("`lambda`", "write a function and call it")
    } else if matches!(kind, ExprKind::Dict(_)) {
        ("a dict", "use a tuple, or separate variables")
    } else if matches!(kind, ExprKind::Starred(_)) {
        ("`*` here", "write the items")
    } else if *kind == ExprKind::Ellipsis {
        ("`...`", "write `pass` for a body that does nothing")
    } else {
        ("a slice outside of `[…]`", "write it inside of `[…]`")
    };
    not_in_kernels(what, span).help(help)
}

/// A comprehension other than a list of one clause.
pub(in crate::sema) fn comprehension(kind: ComprehensionKind, span: Span) -> Diagnostic {
    let what = match kind {
        ComprehensionKind::List => "a comprehension of several clauses",
        ComprehensionKind::Generator => "a generator expression",
        ComprehensionKind::Dict => "a dict comprehension",
        ComprehensionKind::Set => "a set comprehension",
    };
    not_in_kernels(what, span).help("write `[… for item in items]`, which gives a tuple, or a loop")
}

/// `int(x)` and `float(x)` of what only the launch knows, in a `jit` kernel.
pub(in crate::sema) fn python_conversion(
    function: &str,
    dtype: DType,
    found: &str,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::constexpr::NOT_COMPILE_TIME,
        format!("`{function}` is for numbers that the compiler knows, and this is {found}"),
        span,
        "known at the launch only",
    )
    .help(format!("write `x.to(tl.{})`", dtype.tl_name()))
}

/// A comprehension over something that the compiler cannot walk.
pub(in crate::sema) fn comprehension_of(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NOT_ITERABLE,
        format!("a comprehension walks a tuple, and this is {found}"),
        span,
        "cannot be walked",
    )
    .help("write the items: `(0, 1, 2)`; or use a loop")
}

/// A print whose first argument is not its text.
pub(in crate::sema) fn print_without_prefix(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::WRONG_ARGUMENT,
        format!("`{function}` begins with a string, and this is {found}"),
        span,
        "expected the text to print before the values",
    )
    .help(format!("write `{function}(\"x\", x)`"))
}

fn not_in_kernels(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::names::NOT_IN_KERNELS,
        format!("{what} is not part of the kernel language"),
        span,
        "not in a kernel",
    )
}

/// A statement that Python has and kernels have not.
pub(in crate::sema) fn statement(kind: &StmtKind, span: Span) -> Diagnostic {
    if matches!(kind, StmtKind::Function(_)) {
        return not_in_kernels("a function inside a kernel", span)
            .help("define it at the top level of the file");
    }
    if matches!(kind, StmtKind::Delete(_)) {
        return not_in_kernels("`del`", span)
            .note("a tile's memory is free after its last use")
            .help("leave the statement out");
    }
    if matches!(kind, StmtKind::Try { .. } | StmtKind::Raise { .. }) {
        let what = if matches!(kind, StmtKind::Try { .. }) { "`try`" } else { "`raise`" };
        return not_in_kernels(what, span)
            .note("what a kernel does is known before it runs: nothing in it can be caught")
            .help("state what must hold: `assert condition, message`, or `tl.device_assert`");
    }
    not_in_kernels("an import inside a kernel", span).help("import at the top of the file")
}

/// `for … else`, `while … else`.
pub(in crate::sema) fn loop_else(span: Span) -> Diagnostic {
    not_in_kernels("`else` after a loop", span)
        .note("it runs where a loop was not left by `break`, which kernels do not have")
        .help("put it after the loop")
}
