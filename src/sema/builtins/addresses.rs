//! Pointers as pointers to another type, and as integers that count bytes.

use super::Call;
use crate::dtype::DType;
use crate::ir::{self, Type, Value};
use crate::sema::analysis::Analysis;
use crate::sema::errors::pointers as errors;
use crate::sema::value::{Constant, Pointer, Spanned, Val};
use crate::source::Span;
use crate::syntax::ast;

/// `tl.pointer_type(element_ty)`.
pub(super) fn pointer_type(it: &mut Analysis<'_>, call: &Call) -> Val {
    it.dtype_argument(call.arg("element_ty")).map_or(Val::Error, Val::PointerType)
}

/// A cast of a pointer, or of anything to a pointer; `None` for casts of elements.
pub(super) fn cast(it: &mut Analysis<'_>, call: &Call) -> Option<Val> {
    let (x, to) = (call.arg("x"), call.arg("dtype"));
    if let Val::PointerType(element) = to.val {
        return Some(to_pointer(it, x, element, call.span));
    }
    let Val::Pointer(pointer) = x.val else { return None };
    let Some(dtype) = it.dtype_argument(to) else { return Some(Val::Error) };
    if !dtype.is_int() || dtype.bits() != 64 {
        let found = it.describe(&x.val);
        return Some(it.report(errors::address_as(&found, dtype, to.span)));
    }
    Some(address(it, pointer, dtype, call.span))
}

/// The byte address of each pointer.
pub(super) fn address(it: &mut Analysis<'_>, pointer: Pointer, dtype: DType, span: Span) -> Val {
    let first = pointer_cast(it, pointer.address, Type::I64, span);
    let first = Val::Value(it.cast(first, dtype, span));
    let Some(offsets) = pointer.offsets else { return first };
    let offsets = Val::Value(it.cast(offsets, dtype, span));
    let bytes = product(it, offsets, pointer.dtype.bytes(), span);
    let both = [first, bytes].map(|val| Spanned { val, span });
    it.binary(ast::BinaryOp::Add, &both[0], &both[1], span)
}

fn to_pointer(it: &mut Analysis<'_>, x: &Spanned, element: DType, span: Span) -> Val {
    if let Val::Pointer(pointer) = x.val {
        return other_element(it, (pointer, x.span), element, span);
    }
    if it.points(x) {
        return Val::Error;
    }
    let address = it.scalar(&x.val).filter(|dtype| dtype.is_int() && *dtype != DType::I1);
    let (Some(_), Some(value)) = (address, x.val.value()) else {
        let found = it.describe(&x.val);
        let data = it.tile(&x.val).is_some_and(|tile| tile.dtype.is_int());
        return it.report(errors::no_pointer_from(&found, data, x.span));
    };
    let bytes = it.cast(value, DType::I64, span);
    let address = pointer_cast(it, bytes, Type::Pointer(element), span);
    Val::Pointer(Pointer { address, offsets: None, dtype: element, because: span })
}

/// The same addresses for elements of another type. Offsets count elements, so those of a tile of
/// pointers must be whole numbers of the new ones.
fn other_element(
    it: &mut Analysis<'_>,
    (pointer, at): (Pointer, Span),
    element: DType,
    span: Span,
) -> Val {
    let (old, new) = (pointer.dtype.bytes(), element.bytes());
    let offsets = match pointer.offsets {
        Some(offsets) if old.is_multiple_of(new) => {
            product(it, Val::Value(offsets), old / new, span).value()
        }
        Some(_) => {
            let found = it.describe(&Val::Pointer(pointer));
            return it.report(errors::wider_elements(&found, element, at));
        }
        None => None,
    };
    let address = pointer_cast(it, pointer.address, Type::Pointer(element), span);
    Val::Pointer(Pointer { address, offsets, dtype: element, because: span })
}

fn pointer_cast(it: &mut Analysis<'_>, x: Value, ty: Type, span: Span) -> Value {
    if *it.ty(x) == ty { x } else { it.frame.build.once(ir::PointerCast { x }, ty, span) }
}

/// `count` times `size`.
fn product(it: &mut Analysis<'_>, count: Val, size: u64, span: Span) -> Val {
    if size == 1 {
        return count;
    }
    let both = [count, Val::Const(Constant::Int(size.into()))].map(|val| Spanned { val, span });
    it.binary(ast::BinaryOp::Mul, &both[0], &both[1], span)
}
