//! Memory, an element for each pointer: `tl.load` and `tl.store` of pointer tiles and of single
//! elements.
//!
//! A pointer tile is a scalar address and a tile of offsets; the mask and what stands in for
//! masked-off elements are repeated to its shape. A single element is a tile of rank 0.

use super::{Call, blocks};
use crate::dtype::DType;
use crate::ir::{self, Dim, TileType, Type, Value};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::pointers;
use crate::sema::value::{Constant, Pointer, Spanned, Val};
use crate::source::Span;

/// What every op on lanes takes.
pub(super) struct Lanes {
    /// The pointers.
    pub(super) pointer: Pointer,
    /// Their text.
    pub(super) span: Span,
    /// The shape of the op: of a single element, none.
    pub(super) dims: Vec<Dim>,
    /// `i1`; `None` where every lane takes part.
    pub(super) mask: Option<Value>,
}

/// `tl.load(pointers, mask=, other=)`; `None` where `ptr` is no pointer, nor can be one.
pub(super) fn load(it: &mut Analysis<'_>, call: &Call, ptr: &Spanned) -> Option<Val> {
    let pointer = match pointer_argument(it, ptr)? {
        Ok(pointer) => pointer,
        Err(unknown) => return Some(unknown),
    };
    if let Some(refused) = blocks::refuse_block_options(it, call) {
        return Some(refused);
    }
    Some(load_lanes(it, call, (pointer, ptr.span)).map_or(Val::Error, Val::Value))
}

/// The pointer that `ptr` is. An integer of a `jit` kernel may turn out to be one: then nothing
/// is known yet, and the kernel is analysed again. `None` for anything else.
pub(super) fn pointer_argument(
    it: &mut Analysis<'_>,
    ptr: &Spanned,
) -> Option<Result<Pointer, Val>> {
    if let Val::Pointer(pointer) = ptr.val {
        return Some(Ok(pointer));
    }
    if it.points(ptr) {
        return Some(Err(Val::Error));
    }
    let integer = it.operand_dtype(&ptr.val).is_some() && it.frame.style == Style::Jit;
    integer.then(|| {
        let found = it.describe(&ptr.val);
        Err(it.report(pointers::integer_address(&found, ptr.span)))
    })
}

fn load_lanes(it: &mut Analysis<'_>, call: &Call, pointer: (Pointer, Span)) -> Option<Value> {
    let other = call.some("other");
    if let (Some(other), None) = (other, call.some("mask")) {
        it.report(pointers::other_without_mask(other.span));
        return None;
    }
    let lanes = lanes(it, call, pointer, other)?;
    let Lanes { pointer, dims, mask, .. } = lanes;
    let ty = Type::Tile(TileType::new(dims, pointer.dtype));
    if mask.is_none() && pointer.offsets.is_none() {
        let op = ir::Load { ptr: pointer.address };
        return Some(it.frame.build.emit_value(op, ty, call.span));
    }
    let other = match other {
        Some(other) if mask.is_some() => Some(lane_value(it, other, pointer.dtype)?),
        Some(_) | None => None,
    };
    let (ptr, offsets, strides) = (pointer.address, pointer.offsets, Vec::new());
    let op = ir::GatherLoad { ptr, strides, offsets, mask, other };
    Some(it.frame.build.emit_value(op, ty, call.span))
}

/// The lanes of an op: its pointers, its mask, and the shape of both and of `beside`.
pub(super) fn lanes(
    it: &mut Analysis<'_>,
    call: &Call,
    (pointer, span): (Pointer, Span),
    beside: Option<&Spanned>,
) -> Option<Lanes> {
    let mask = mask_argument(it, call)?;
    let own = pointer.offsets.map(|offsets| Spanned { val: Val::Value(offsets), span });
    let masks: Vec<&Spanned> = mask.iter().chain(beside).collect();
    if own.is_none() {
        for arg in &masks {
            require_single(it, call, (pointer, span), arg)?;
        }
    }
    let operands: Vec<&Spanned> = own.iter().chain(masks).collect();
    let what = format!("the pointers and the mask of `{}`", call.name());
    let dims = it.common_shape(&what, &operands, call.span)?.unwrap_or_default();
    let mask = match mask {
        Some(Spanned { val: Val::Const(Constant::Bool(true)), .. }) | None => None,
        Some(mask) => Some(it.as_dtype(&mask, DType::I1)?),
    };
    Some(Lanes { pointer, span, dims, mask })
}

/// The mask of a call: a truth value, or one for each lane.
fn mask_argument(it: &mut Analysis<'_>, call: &Call) -> Option<Option<Spanned>> {
    let Some(mask) = call.some("mask") else { return Some(None) };
    let is_bool = matches!(mask.val, Val::Const(Constant::Bool(_)))
        || it.operand_dtype(&mask.val) == Some(DType::I1);
    if is_bool {
        return Some(Some(mask.clone()));
    }
    let found = it.describe(&mask.val);
    it.report(pointers::mask_is_not_bool(&call.name(), &found, mask.span));
    None
}

/// What goes with a single pointer must be a single value.
pub(super) fn require_single(
    it: &mut Analysis<'_>,
    call: &Call,
    (pointer, span): (Pointer, Span),
    arg: &Spanned,
) -> Option<()> {
    let single = it.tile(&arg.val).is_none_or(|tile| tile.dims.is_empty());
    if !single {
        let found = [it.describe(&arg.val), it.describe(&Val::Pointer(pointer))];
        let error = pointers::wider_than_pointers(&call.name(), "operand", &found, arg.span, span);
        it.report(error);
    }
    single.then_some(())
}

/// A number, scalar or tile with elements of type `dtype`; a float for an integer is truncated.
pub(super) fn lane_value(it: &mut Analysis<'_>, arg: &Spanned, dtype: DType) -> Option<Value> {
    let truncated = match arg.val.constant() {
        Some(Constant::Float(value)) if dtype.is_int() => Val::int(*value as i64),
        Some(_) | None => arg.val.clone(),
    };
    let value = it.as_dtype(&Spanned { val: truncated, span: arg.span }, dtype);
    if value.is_none() && arg.val.constant().is_none_or(|it| !it.is_number()) {
        let found = it.describe(&arg.val);
        it.report(crate::sema::errors::operands::not_an_operand(
            "a value to store",
            &found,
            arg.span,
            false,
        ));
    }
    value
}

/// `tl.store(pointers, value, mask=)`; `None` where a block is stored.
pub(super) fn store(
    it: &mut Analysis<'_>,
    call: &Call,
    (ptr, value): (&Spanned, &Spanned),
) -> Option<Val> {
    let block = it.tile(&value.val).is_some_and(|tile| !tile.dims.is_empty());
    let single = if let Val::Pointer(pointer) = &ptr.val {
        pointer.offsets.is_none()
    } else {
        it.tile(&ptr.val).is_none()
    };
    if block && single && call.some("mask").is_none() {
        return None;
    }
    let pointer = match pointer_argument(it, ptr)? {
        Ok(pointer) => pointer,
        Err(unknown) => return Some(unknown),
    };
    if let Some(refused) = blocks::refuse_block_options(it, call) {
        return Some(refused);
    }
    let stored = store_lanes(it, call, (pointer, ptr.span), value);
    Some(stored.map_or(Val::Error, |()| Val::NONE))
}

fn store_lanes(
    it: &mut Analysis<'_>,
    call: &Call,
    pointer: (Pointer, Span),
    value: &Spanned,
) -> Option<()> {
    let lanes = lanes(it, call, pointer, None)?;
    let value = value_of_lanes(it, call, &lanes, value)?;
    let Lanes { pointer, mask, .. } = lanes;
    let (ptr, offsets) = (pointer.address, pointer.offsets);
    if mask.is_none() && offsets.is_none() {
        it.frame.build.emit(ir::Store { ptr, value }, Vec::new(), call.span);
        return Some(());
    }
    let op = ir::ScatterStore { ptr, strides: Vec::new(), offsets, value, mask };
    it.frame.build.emit(op, Vec::new(), call.span);
    Some(())
}

/// `value` as a tile of the shape of the pointers, with elements of what they point at.
pub(super) fn value_of_lanes(
    it: &mut Analysis<'_>,
    call: &Call,
    lanes: &Lanes,
    value: &Spanned,
) -> Option<Value> {
    let Lanes { pointer, span, .. } = lanes;
    let dims = it.pointer_dims(pointer);
    check_width(it, call, lanes, value)?;
    let elements = lane_value(it, value, pointer.dtype)?;
    let ty = Type::Tile(TileType::new(dims.clone(), pointer.dtype));
    let Some(own) = it.tile(&Val::Value(elements)).map(|tile| tile.dims.clone()) else {
        return Some(it.frame.build.emit_value(ir::Full { value: elements }, ty, *span));
    };
    if own == dims {
        return Some(elements);
    }
    let ty = Type::Tile(TileType::new(dims, pointer.dtype));
    Some(it.frame.build.emit_value(ir::Broadcast { x: elements }, ty, value.span))
}

/// Neither the value nor the mask may have more elements than there are pointers.
fn check_width(it: &mut Analysis<'_>, call: &Call, lanes: &Lanes, value: &Spanned) -> Option<()> {
    let (own, span) = (it.pointer_dims(&lanes.pointer), lanes.span);
    let pointers = Spanned { val: Val::Pointer(lanes.pointer), span };
    let offsets = lanes.pointer.offsets.map(|it| Spanned { val: Val::Value(it), span });
    let mask = lanes.mask.map(|mask| Spanned { val: Val::Value(mask), span: call.span });
    let what = format!("the pointers and the value of `{}`", call.name());
    for (name, arg) in [("value", Some(value)), ("mask", mask.as_ref())] {
        let Some(arg) = arg.filter(|arg| it.tile(&arg.val).is_some()) else { continue };
        let both: Vec<&Spanned> = offsets.iter().chain([arg]).collect();
        let met = it.common_shape(&what, &both, call.span)?.unwrap_or_default();
        let grows = |(met, own): (&Dim, &Dim)| *own == Dim::Const(1) && *met != Dim::Const(1);
        if met.len() > own.len() || met.iter().zip(&own).any(grows) {
            let found = [it.describe(&arg.val), it.describe(&pointers.val)];
            let at = if name == "mask" {
                call.some("mask").map_or(call.span, |it| it.span)
            } else {
                arg.span
            };
            it.report(pointers::wider_than_pointers(&call.name(), name, &found, at, span));
            return None;
        }
    }
    Some(())
}

impl Analysis<'_> {
    /// The shape of a pointer tile; none for a single pointer.
    pub(in crate::sema) fn pointer_dims(&self, pointer: &Pointer) -> Vec<Dim> {
        let offsets = pointer.offsets.and_then(|offsets| self.ty(offsets).tile());
        offsets.map_or_else(Vec::new, |tile| tile.dims.clone())
    }
}
