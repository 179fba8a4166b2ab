//! Memory: contiguous blocks in, contiguous blocks out. What has an address for each element is
//! in `lanes`.

use super::{Call, blocks, lanes};
use crate::dtype::DType;
use crate::ir::{self, TileType, Type, Value};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{calls, names, operands, pointers};
use crate::sema::value::{Constant, Spanned, Val};
use crate::source::Span;

/// `tl.load(ptr, shape=, dtype=)`.
pub(super) fn load(it: &mut Analysis<'_>, call: &Call) -> Val {
    let ptr = call.arg("ptr");
    if let Some(loaded) = blocks::load_block(it, call, ptr) {
        return loaded;
    }
    if call.some("shape").is_none()
        && let Some(loaded) = lanes::load(it, call, ptr)
    {
        return loaded;
    }
    if it.tile(&ptr.val).is_some() {
        return it.report(pointers::pointer_tile(ptr.span));
    }
    if let Some(refused) = refuse_lanes(it, call) {
        return refused;
    }
    let instead = "Triton loads an element for each pointer: `tl.load(ptr + tl.arange(0, n))`";
    it.extension("a load of a contiguous block", instead, call.span);
    let Some(shape) = call.some("shape") else {
        return it.report(
            calls::missing_arguments("tl.load", &["shape"], call.span)
                .help("write `tl.load(address, shape=(n,), dtype=\"f16\")`"),
        );
    };
    let dims = it.shape_argument(shape);
    let dtype = match call.some("dtype") {
        Some(dtype) => match it.dtype_argument(dtype) {
            Some(known) => Some((known, dtype.span)),
            None => return Val::Error,
        },
        None => None,
    };
    let (Some(dims), Some((ptr, dtype))) = (dims, address(it, call, ptr, dtype)) else {
        return Val::Error;
    };
    let ty = Type::Tile(TileType::new(dims, dtype));
    Val::Value(it.frame.build.emit_value(ir::Load { ptr }, ty, call.span))
}

/// Masks come with pointer tiles, checks of bounds with block pointers.
fn refuse_lanes(it: &mut Analysis<'_>, call: &Call) -> Option<Val> {
    if let Some(refused) = blocks::refuse_block_options(it, call) {
        return Some(refused);
    }
    let given =
        ["mask", "other"].iter().find_map(|name| call.some(name).map(|arg| (*name, arg.span)))?;
    Some(it.report(names::not_yet(&format!("`{}=` of `{}`", given.0, call.name()), given.1)))
}

/// The byte address that `ptr` is, and the element type there. `dtype` is what the call says.
pub(super) fn address(
    it: &mut Analysis<'_>,
    call: &Call,
    ptr: &Spanned,
    dtype: Option<(DType, Span)>,
) -> Option<(Value, DType)> {
    if let Val::Pointer(pointer) = &ptr.val {
        let wanted = dtype.map_or(pointer.dtype, |(dtype, _)| dtype);
        if wanted != pointer.dtype {
            let span = dtype.map_or(call.span, |(_, span)| span);
            it.report(pointers::other_element_type(wanted, pointer.dtype, span, pointer.because));
            return None;
        }
        return Some((pointer.address, wanted));
    }
    let Some(address) = it.integer_scalar(ptr) else {
        let found = it.describe(&ptr.val);
        it.report(pointers::not_an_address(&call.name(), &found, ptr.span));
        return None;
    };
    let Some((dtype, said)) = dtype else {
        it.report(
            calls::missing_arguments(&call.name(), &["dtype"], call.span)
                .help("an address says nothing of what is stored there: add `dtype=\"f16\"`"),
        );
        return None;
    };
    if it.frame.style == Style::Jit && !it.frame.pointers.address(address, Some(dtype), said) {
        let found = it.describe(&ptr.val);
        it.report(pointers::integer_address(&found, ptr.span));
        return None;
    }
    Some((address, dtype))
}

/// `tl.store(ptr, value)`.
pub(super) fn store(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (ptr, value) = (call.arg("ptr"), call.arg("value"));
    if let Some(stored) = blocks::store_block(it, call, (ptr, value)) {
        return stored;
    }
    if let Some(stored) = lanes::store(it, call, (ptr, value)) {
        return stored;
    }
    if it.tile(&ptr.val).is_some() {
        return it.report(pointers::pointer_tile(ptr.span));
    }
    if let Some(refused) = refuse_lanes(it, call) {
        return refused;
    }
    let Some((tile, dtype)) = value.val.value().zip(it.tile(&value.val).map(|tile| tile.dtype))
    else {
        let found = it.describe(&value.val);
        if let Val::View(_) = &value.val {
            return it.expected_tile(call, value);
        }
        return it.report(operands::store_of_no_tile(&found, value.span));
    };
    let instead = "Triton stores an element for each pointer: `tl.store(ptr + tl.arange(0, n), x)`";
    it.extension("a store of a contiguous block", instead, call.span);
    let (tile, said) = if let Val::Pointer(pointer) = &ptr.val {
        (it.cast(tile, pointer.dtype, value.span), None)
    } else {
        (tile, Some((dtype, value.span)))
    };
    if let Some((ptr, _)) = address(it, call, ptr, said) {
        it.frame.build.emit(ir::Store { ptr, value: tile }, Vec::new(), call.span);
        return Val::NONE;
    }
    Val::Error
}

impl Analysis<'_> {
    /// Whether `ptr` is a sum of parameters of a `@triton.jit` kernel of which one turns out to be
    /// a pointer here: the kernel is analysed again with it.
    pub(super) fn points(&mut self, ptr: &Spanned) -> bool {
        let integer = ptr.val.value().filter(|it| self.ty(*it).dtype().is_int());
        let Some(value) = integer.filter(|_| self.frame.style == Style::Jit) else { return false };
        self.frame.pointers.address(value, None, ptr.span)
    }

    /// `pointer.dtype.element_ty`.
    pub(in crate::sema) fn element_type(&mut self, pointer: &Spanned, span: Span) -> Val {
        if let Val::Pointer(pointer) = &pointer.val {
            return Val::Const(Constant::DType(pointer.dtype));
        }
        if let Val::View(view) = &pointer.val {
            return Val::Const(Constant::DType(view.base.dtype));
        }
        // What has elements is a pointer: the kernel is analysed again with it.
        if pointer.val.is_error() || self.points(pointer) {
            return Val::Error;
        }
        self.report(pointers::unknown_element_type(span))
    }
}
