//! Tensor descriptors and block pointers.

use super::counted;
use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::source::Span;

/// Lists of a view with different numbers of axes.
pub(in crate::sema) fn ranks_differ(
    function: &str,
    [(first, one), (second, two)]: [(&str, usize); 2],
    [because, span]: [Span; 2],
) -> Diagnostic {
    let [one, two] = [one, two].map(|count| counted(count, "axis", "axes"));
    Diagnostic::new(
        diag::types::BLOCK_AXES,
        format!("`{function}` is given {one} in `{first}` and {two} in `{second}`"),
        span,
        two,
    )
    .because(because, one)
    .help("give each list one item for each axis of the array")
}

/// A view of an array without axes.
pub(in crate::sema) fn no_axes(function: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_AXES,
        format!("`{function}` is given an array without axes, and a block has at least one"),
        span,
        "no axis",
    )
}

/// More axes than a descriptor has.
pub(in crate::sema) fn too_many_axes(rank: usize, most: usize, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_AXES,
        format!("a tensor descriptor has at most {most} axes, and this has {rank}"),
        span,
        format!("{rank} axes"),
    )
}

/// Another number of offsets than axes.
pub(in crate::sema) fn offsets_count(
    function: &str,
    found: usize,
    (rank, view): (usize, &str),
    span: Span,
) -> Diagnostic {
    let (found, wanted) = (counted(found, "offset", "offsets"), counted(rank, "offset", "offsets"));
    Diagnostic::new(
        diag::types::BLOCK_AXES,
        format!("`{function}` is given {found} for {view}, which needs {wanted}"),
        span,
        format!("expected {wanted}"),
    )
}

/// A last stride that is not 1.
pub(in crate::sema) fn last_stride(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::DESCRIPTOR_LAST_STRIDE,
        format!("the last stride of a tensor descriptor must be 1, and this is {found}"),
        span,
        "the last of them is not 1",
    )
    .note("a descriptor moves rows whose elements lie one after another")
    .help("describe the array with its contiguous axis last, and transpose the tile: `tile.T`")
}

/// A block whose rows are too short.
pub(in crate::sema) fn short_row(
    (extent, dtype): (i64, DType),
    bytes: u64,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::DESCRIPTOR_SHORT_ROW,
        format!("a row of a descriptor's block has at least 16 bytes, and this has {bytes}"),
        span,
        format!("{extent} × {dtype} = {bytes} bytes"),
    )
    .help(format!("make the last extent at least {}", 16 / dtype.bytes().max(1)))
}

/// Something else where a view is expected.
pub(in crate::sema) fn not_a_view(
    function: &str,
    found: &str,
    descriptor: bool,
    span: Span,
) -> Diagnostic {
    let (what, maker) = match descriptor {
        true => ("a tensor descriptor", "tl.make_tensor_descriptor"),
        false => ("a block pointer", "tl.make_block_ptr"),
    };
    Diagnostic::new(
        diag::types::NOT_A_VIEW,
        format!("`{function}` needs {what}, and this is {found}"),
        span,
        format!("expected {what}"),
    )
    .help(format!("make one with `{maker}(…)`"))
}

/// `tl.load` or `tl.store` of a descriptor.
pub(in crate::sema) fn descriptor_as_pointer(function: &str, span: Span) -> Diagnostic {
    let method =
        if function.ends_with("store") { "store(offsets, value)" } else { "load(offsets)" };
    Diagnostic::new(
        diag::types::NOT_A_VIEW,
        format!("`{function}` takes pointers, and this is a tensor descriptor"),
        span,
        "a descriptor has no place of its own",
    )
    .help(format!("say which block: `desc.{method}`"))
}

/// A value of another shape than the block.
pub(in crate::sema) fn value_shape(
    function: &str,
    found: &str,
    view: &str,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_VALUE,
        format!("`{function}` is given {found} for {view}"),
        span,
        "expected a tile of the shape of the block",
    )
    .help("bring it to that shape: `tl.broadcast_to(value, shape)`")
}

/// A value of another element type than a block pointer's.
pub(in crate::sema) fn value_type(
    function: &str,
    found: &str,
    (dtype, view): (DType, &str),
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_VALUE,
        format!("`{function}` is given {found} for {view}"),
        span,
        format!("expected elements of type {dtype}"),
    )
    .note("stores through block pointers do not convert; all others do")
    .help(format!("convert it: `value.to({})`", dtype.tl_name()))
}

/// `boundary_check=` or `padding_option=` without a block pointer.
pub(in crate::sema) fn block_option(name: &str, function: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_OPTION,
        format!("`{name}=` of `{function}` belongs to block pointers, and this is none"),
        span,
        "only block pointers know the shape of their array",
    )
    .help("use `mask=` and `other=`")
}

/// `mask=` or `other=` of a block pointer.
pub(in crate::sema) fn mask_of_block_pointer(name: &str, function: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_OPTION,
        format!("`{name}=` of `{function}` belongs to tiles of pointers, not to block pointers"),
        span,
        "a block pointer checks its own bounds",
    )
    .help("name the axes to check: `boundary_check=(0, 1)`")
}

/// An axis of `boundary_check=` that does not exist, or is named twice.
pub(in crate::sema) fn boundary_axis(
    axis: i128,
    rank: usize,
    twice: bool,
    span: Span,
) -> Diagnostic {
    let message = match twice {
        true => format!("`boundary_check=` names axis {axis} twice"),
        false => format!(
            "`boundary_check=` names axis {axis} of a block with {}",
            counted(rank, "axis", "axes")
        ),
    };
    let label = match (twice, rank) {
        (true, _) => String::from("named before"),
        (false, 1) => String::from("the only axis is 0"),
        (false, _) => format!("axes are 0 to {}", rank.saturating_sub(1)),
    };
    Diagnostic::new(diag::types::BLOCK_OPTION, message, span, label)
}

/// NaN for integers.
pub(in crate::sema) fn nan_of_integers(dtype: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_OPTION,
        format!("`padding_option=\"nan\"` pads floats, and these blocks are of {dtype}"),
        span,
        "integers have no NaN",
    )
    .help("leave it out: integers are padded with 0")
}

/// A padding that does not exist.
pub(in crate::sema) fn unknown_padding(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::BLOCK_OPTION,
        format!("`padding_option=` is \"zero\" or \"nan\", and this is {found}"),
        span,
        "not a padding",
    )
}

/// A moved block pointer that nobody keeps.
pub(in crate::sema) fn unused_advance(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::UNUSED_ADVANCE,
        "`tl.advance` gives a new block pointer, and this one is dropped",
        span,
        "the pointer it was given stays where it is",
    )
    .help("bind the result: `pointer = tl.advance(pointer, offsets)`")
}

/// A gather or scatter of a descriptor with other blocks than single rows.
pub(in crate::sema) fn gather_block(function: &str, view: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::DESCRIPTOR_GATHER,
        format!("`{function}` moves single rows of two axes, and this is {view}"),
        span,
        "expected blocks of shape [1, columns]",
    )
    .help("make a descriptor with `block_shape=[1, columns]`")
}

/// Rows that are no tile of integers.
pub(in crate::sema) fn gather_rows(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::DESCRIPTOR_GATHER,
        format!("`{function}` takes the numbers of rows, and this is {found}"),
        span,
        "expected a tile of integers with one axis",
    )
}

/// Too few rows.
pub(in crate::sema) fn too_few_rows(
    function: &str,
    rows: i64,
    least: u64,
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::DESCRIPTOR_GATHER,
        format!("`{function}` moves at least {least} rows, and this is {rows}"),
        span,
        "too few",
    )
}

/// Too few columns.
pub(in crate::sema) fn narrow_rows(
    function: &str,
    (columns, dtype): (i64, DType),
    least: u64,
    span: Span,
) -> Diagnostic {
    let bytes = (columns as u64).saturating_mul(dtype.bytes());
    Diagnostic::new(
        diag::types::DESCRIPTOR_GATHER,
        format!("`{function}` moves rows of at least {least} bytes, and these have {bytes}"),
        span,
        format!("{columns} × {dtype} = {bytes} bytes"),
    )
}
