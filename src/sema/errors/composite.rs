//! Composites, their epilogues and references.

use super::quoted_list;
use crate::diag::{self, Diagnostic, nearest_help};
use crate::dtype::DType;
use crate::source::Span;

/// A reference where a tile is taken.
pub(in crate::sema) fn reference_as_tile(what: &str, found: &str, span: Span) -> Diagnostic {
    let what = if what.starts_with("tl.") { format!("`{what}`") } else { what.to_owned() };
    Diagnostic::new(
        diag::types::REFERENCE_AS_TILE,
        format!("{what} would need a tile in TCM, and this is {found} in memory"),
        span,
        "nothing of this has been loaded",
    )
    .help("load it with `tl.load`, or hand it to `tl.composite`, which streams it")
}

/// `op=` that names no kind of composite.
pub(in crate::sema) fn unknown_kind(found: &str, name: Option<&str>, span: Span) -> Diagnostic {
    let message = format!("a composite is a `gemm` or a `math`, and `op` is {found}");
    let it =
        Diagnostic::new(diag::types::COMPOSITE_KIND, message, span, "expected `gemm` or `math`");
    match name.and_then(|name| nearest_help("kind", name, ["gemm", "math"])) {
        Some(help) => it.help(help),
        None => it,
    }
}

/// `math_op=` that combines no two elements, or that stands where nothing is combined.
pub(in crate::sema) fn unknown_math_op(
    found: &str,
    (name, known): (Option<&str>, &[&'static str]),
    span: Span,
) -> Diagnostic {
    let message = format!("`math_op` combines elements of `a` and `b`, and this is {found}");
    let label = format!("expected one of {}", known.join(", "));
    let it = Diagnostic::new(diag::types::COMPOSITE_KIND, message, span, label);
    match name.and_then(|name| nearest_help("operation", name, known.iter().copied())) {
        Some(help) => it.help(help),
        None => it,
    }
}

/// An argument that goes with another kind of composite, or that is missing from this one.
pub(in crate::sema) fn wrong_argument(message: String, span: Span, label: &str) -> Diagnostic {
    Diagnostic::new(diag::types::COMPOSITE_KIND, message, span, label)
}

/// What is neither a tile nor a reference.
pub(in crate::sema) fn no_operand(name: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMPOSITE_OPERAND,
        format!("`{name}` of a composite is a tile or a reference, and this is {found}"),
        span,
        "expected a tile or a reference",
    )
    .help("`tl.load(ptr, shape, dtype)` keeps it in TCM, `tl.ref(ptr, shape, dtype)` streams it")
}

/// An operand of another number of axes.
pub(in crate::sema) fn rank(name: &str, found: &str, (kind, span): (&str, Span)) -> Diagnostic {
    let axes = if kind == "gemm" { "two axes" } else { "one or two axes" };
    Diagnostic::new(
        diag::types::COMPOSITE_SHAPES,
        format!("`{name}` of a `{kind}` composite has {axes}, and this is {found}"),
        span,
        format!("expected {axes}"),
    )
}

/// Operands whose extents differ.
pub(in crate::sema) fn shapes([a, b]: &[String; 2], kind: &str, span: Span) -> Diagnostic {
    let (rule, label) = if kind == "gemm" {
        ("multiplies [m, k] by [k, n]", "the inner extents differ")
    } else {
        ("combines operands of one shape", "the shapes differ")
    };
    Diagnostic::new(
        diag::types::COMPOSITE_SHAPES,
        format!("a `{kind}` composite {rule}, and these are {a} and {b}"),
        span,
        label,
    )
}

/// Operands whose element types do not fit.
pub(in crate::sema) fn dtypes((a, b): (DType, DType), kind: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMPOSITE_TYPES,
        format!("a `{kind}` composite takes operands of one type, and these are {a} and {b}"),
        span,
        format!("{a} and {b}"),
    )
    .help("load one of them and convert the tile: `x.to(\"f16\")`")
}

/// An element type that a composite does not compute with.
pub(in crate::sema) fn operand_dtype(dtype: DType, kind: &str, span: Span) -> Diagnostic {
    let known = if kind == "gemm" { "floats and 8-bit integers" } else { "numbers" };
    Diagnostic::new(
        diag::types::COMPOSITE_TYPES,
        format!("a `{kind}` composite computes with {known}, and this is {dtype}"),
        span,
        format!("expected {known}"),
    )
}

/// A result of a type that what is computed cannot be rounded to.
pub(in crate::sema) fn out_dtype(out: DType, works: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMPOSITE_TYPES,
        format!("this composite computes in {works} and would write {out}"),
        span,
        format!("expected {}", if works.is_float() { "a float type" } else { "an integer type" }),
    )
}

/// `epilogue=` that is no list.
pub(in crate::sema) fn no_epilogue(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::EPILOGUE_STEP,
        format!("`epilogue` is a list of steps, and this is {found}"),
        span,
        "expected a list",
    )
    .help("write `epilogue=[\"relu\", (\"bias\", b)]`")
}

/// A step of a form that is none.
pub(in crate::sema) fn step_form(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::EPILOGUE_STEP,
        format!(
            "a step of an epilogue is a name, a tuple that begins with one, or a dict, and this is {found}"
        ),
        span,
        "this step",
    )
    .help("write `\"relu\"`, `(\"bias\", b)`, `(\"scale\", 0.5, \"k_tile\")` or `{\"op\": \"scale\", \"factor\": 0.5}`")
}

/// A step that there is not.
pub(in crate::sema) fn unknown_step(name: &str, known: &[&'static str], span: Span) -> Diagnostic {
    let message = format!("there is no step `{name}` of an epilogue");
    let it = Diagnostic::new(diag::types::EPILOGUE_STEP, message, span, "this step");
    match nearest_help("step", name, known.iter().copied()) {
        Some(help) => it.help(help),
        None => it.note(format!("the steps are {}", known.join(", "))),
    }
}

/// A scope that there is not.
pub(in crate::sema) fn unknown_scope(
    (step, found): (&str, &str),
    (name, known): (Option<&str>, &[&'static str]),
    span: Span,
) -> Diagnostic {
    let message = format!(
        "the scope of a step is one of {}, and that of `{step}` is {found}",
        quoted_list(known)
    );
    let it = Diagnostic::new(diag::types::EPILOGUE_STEP, message, span, "this step");
    match name.and_then(|name| nearest_help("scope", name, known.iter().copied())) {
        Some(help) => it.help(help),
        None => it,
    }
}

/// A step of scope `k_tile` where nothing is summed.
pub(in crate::sema) fn k_tile_of_math(step: &str, span: Span) -> Diagnostic {
    let message =
        format!("`{step}` is of scope `k_tile`, and a `math` composite has no tiles along k");
    Diagnostic::new(diag::types::EPILOGUE_STEP, message, span, "this step")
        .help("use `output_tile`, which every tile of the result runs")
}

/// A parameter of a step that it has not.
pub(in crate::sema) fn unknown_key(
    (step, key): (&str, &str),
    known: &[&str],
    span: Span,
) -> Diagnostic {
    let message = format!("the step `{step}` of an epilogue has no `{key}`");
    let it = Diagnostic::new(diag::types::EPILOGUE_STEP, message, span, "this step");
    match nearest_help("key", key, known.iter().copied()) {
        Some(help) => it.help(help),
        None => it.note(format!("its keys are {}", known.join(", "))),
    }
}

/// A step without its operand, or with one too many.
pub(in crate::sema) fn step_operand(step: &str, wanted: Option<&str>, span: Span) -> Diagnostic {
    let (message, help) = match wanted {
        Some(name) => (
            format!("the step `{step}` of an epilogue needs its `{name}`"),
            format!("write `(\"{step}\", {name})`"),
        ),
        None => (
            format!("the step `{step}` of an epilogue takes no operand"),
            format!("write `\"{step}\"`, or `(\"{step}\", scope)`"),
        ),
    };
    Diagnostic::new(diag::types::EPILOGUE_STEP, message, span, "this step").help(help)
}

/// An operand of a step that is neither a number nor a tile.
pub(in crate::sema) fn step_value(step: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMPOSITE_OPERAND,
        format!(
            "the operand of the step `{step}` is a number or a tile in TCM, and this is {found}"
        ),
        span,
        "this step",
    )
    .help("load it first: `tl.load(ptr, shape, dtype)`")
}

/// An operand of a step that does not broadcast to the result.
pub(in crate::sema) fn step_shape(
    step: &str,
    (found, wanted): (&str, &str),
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMPOSITE_SHAPES,
        format!("the operand of the step `{step}` is {found}, and the result is {wanted}"),
        span,
        format!("expected what broadcasts to {wanted}"),
    )
}

/// A step of floats in a composite of integers.
pub(in crate::sema) fn step_of_floats(step: &str, works: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::COMPOSITE_TYPES,
        format!("the step `{step}` computes with floats, and this composite computes in {works}"),
        span,
        "this step",
    )
    .help("let the result be a float: `out_dtype=\"f16\"`, or a pointer to one")
}

/// More operands than a command holds.
pub(in crate::sema) fn too_many_operands(found: usize, most: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::EPILOGUE_STEP,
        format!(
            "the steps of an epilogue have at most {most} operands together, and these have {found}"
        ),
        span,
        format!("{found} operands"),
    )
    .help("compute some of it beside the composite, or fold factors into one")
}
