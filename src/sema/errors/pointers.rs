//! Addresses and pointers.

use crate::diag::{self, Diagnostic};
use crate::dtype::DType;
use crate::source::Span;

/// Adds to an error of types that nothing says what some pointers point at.
pub(in crate::sema) fn unsaid_elements(error: Diagnostic, names: &[&str]) -> Diagnostic {
    let (first, list) = (names.first().copied().unwrap_or_default(), super::quoted_list(names));
    let point = if names.len() == 1 { "points" } else { "point" };
    error.note(format!(
        "nothing says what {list} {point} at, and no element type that was tried is free of errors"
    ))
    .help(format!("say it in an annotation, such as `{first}: \"*i32\"`"))
}

/// An address for each element, in a kernel that takes `tl`.
pub(in crate::sema) fn pointer_tile(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::POINTER_TILE,
        "a kernel that takes `tl` addresses contiguous blocks, and this is a tile of addresses",
        span,
        "an address for each element",
    )
    .note("addresses of such kernels are bytes; tiles of pointers belong to `@triton.jit` kernels")
    .help("load a contiguous block: `tl.load(ptr, shape=(n,), dtype=tl.float16)`")
}

/// A mask that is no truth value.
pub(in crate::sema) fn mask_is_not_bool(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::MASK_NOT_BOOL,
        format!("the mask of `{function}` must be i1, and this is {found}"),
        span,
        "not a truth value",
    )
    .help("compare it: `mask=x != 0`")
}

/// `other=` without `mask=`.
pub(in crate::sema) fn other_without_mask(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::OTHER_WITHOUT_MASK,
        "`other=` stands in for elements that a mask leaves out, and there is no mask",
        span,
        "never used",
    )
    .help("add `mask=`, or leave `other=` out")
}

/// A value or mask with more elements than there are pointers.
pub(in crate::sema) fn wider_than_pointers(
    function: &str,
    what: &str,
    [found, pointers]: &[String; 2],
    span: Span,
    because: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::WIDER_THAN_POINTERS,
        format!("`{function}` is given {found} as its {what} for {pointers}"),
        span,
        "more elements than pointers",
    )
    .because(because, pointers.clone())
    .note("values and masks are repeated to the shape of the pointers, never the other way")
    .help("make a pointer for each element: `ptr + tl.arange(0, n)`")
}

/// Arithmetic that pointers do not have.
pub(in crate::sema) fn bad_arithmetic(
    symbol: &str,
    [x, y]: &[String; 2],
    span: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::POINTER_ARITHMETIC,
        format!("`{symbol}` has no meaning on {x} and {y}"),
        span,
        "pointers only move: `pointer + n`, `pointer - n`",
    )
}

/// An offset that is no integer.
pub(in crate::sema) fn offset_is_no_integer(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::POINTER_ARITHMETIC,
        format!("a pointer moves by an integer, and this is {found}"),
        span,
        "expected an integer",
    )
}

/// An address of another kind.
pub(in crate::sema) fn not_an_address(function: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NOT_AN_ADDRESS,
        format!("`{function}` needs an address, and this is {found}"),
        span,
        "not an address",
    )
}

/// An integer that comes from no pointer, in a `jit` kernel.
pub(in crate::sema) fn integer_address(found: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::NOT_AN_ADDRESS,
        format!("a `@triton.jit` kernel addresses memory by pointers, and this is {found}"),
        span,
        "not a parameter plus an offset",
    )
    .note("a pointer parameter counts elements: `x_ptr + n` is n elements further")
}

/// An address of which it is not clear which parameter is the pointer.
pub(in crate::sema) fn unclear_pointer(names: &[&str], dtype: DType, span: Span) -> Diagnostic {
    let first = names.first().copied().unwrap_or("x_ptr");
    Diagnostic::new(
        diag::types::ELEMENT_TYPE,
        format!("which of {} is the pointer is not clear", super::quoted_list(names)),
        span,
        "this address is their sum",
    )
    .help(format!("annotate the pointer: `{first}: \"*{dtype}\"`"))
}

/// A pointer used for another element type.
pub(in crate::sema) fn other_element_type(
    wanted: DType,
    own: DType,
    span: Span,
    because: Span,
) -> Diagnostic {
    Diagnostic::new(
        diag::types::ELEMENT_TYPE,
        format!("this pointer points at {own} and is used for {wanted}"),
        span,
        format!("expected {own}"),
    )
    .because(because, format!("this says that it points at {own}"))
    .help("load it as it is and convert the tile: `x.to(tl.float32)`")
}

/// `.dtype.element_ty` of something that is not known to be a pointer.
pub(in crate::sema) fn unknown_element_type(span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::ELEMENT_TYPE,
        "what this pointer points at is not known here",
        span,
        "not a pointer with a known element type",
    )
    .help("annotate the parameter: `x_ptr: \"*fp16\"`")
}

/// A pointer as something narrower than an address.
pub(in crate::sema) fn address_as(found: &str, dtype: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::POINTER_CAST,
        format!("{found} becomes an integer of 64 bits or another pointer, not {dtype}"),
        span,
        "not an address",
    )
    .help("write `.to(tl.int64)` for the byte address, or `.to(tl.pointer_type(tl.int8))`")
}

/// A pointer made of something that is no scalar integer of the launch.
pub(in crate::sema) fn no_pointer_from(found: &str, data: bool, span: Span) -> Diagnostic {
    let error = Diagnostic::new(
        diag::types::POINTER_CAST,
        format!("a pointer is made of a pointer or of an integer scalar, and this is {found}"),
        span,
        if data { "an address that only data knows" } else { "not an address" },
    );
    match data {
        true => error
            .note("a launch knows which tensors a kernel touches before it runs")
            .help("pass the tensors as arguments, and choose among them by the program id"),
        false => error,
    }
}

/// A tile of pointers to wider elements.
pub(in crate::sema) fn wider_elements(found: &str, dtype: DType, span: Span) -> Diagnostic {
    Diagnostic::new(
        diag::types::POINTER_CAST,
        format!("{found} need not point at whole elements of type {dtype}"),
        span,
        "its offsets count narrower elements",
    )
    .help(format!(
        "cast the pointer before it is added to: `ptr.to(tl.pointer_type({})) + offsets`",
        dtype.tl_name()
    ))
}
