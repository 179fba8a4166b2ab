//! What the built-ins of descriptors and block pointers are given.

use super::{Call, lanes};
use crate::dtype::DType;
use crate::ir::{self, Literal};
use crate::ops::CompareOp;
use crate::sema::analysis::Analysis;
use crate::sema::errors::{blocks as errors, operands, pointers};
use crate::sema::value::{BlockView, Constant, Pointer, Spanned, Val, ViewKind};
use crate::source::Span;

/// The scalar pointer that a view begins at.
pub(super) fn base_pointer(it: &mut Analysis<'_>, call: &Call) -> Option<Pointer> {
    let base = call.arg("base");
    match lanes::pointer_argument(it, base) {
        Some(Ok(pointer)) if pointer.offsets.is_none() => Some(pointer),
        Some(Err(_)) => None,
        Some(Ok(_)) | None => {
            let found = it.describe(&base.val);
            it.report(pointers::not_an_address(&call.name(), &found, base.span));
            None
        }
    }
}

/// A single value as a tuple of one.
pub(super) fn as_tuple(arg: &Spanned) -> Spanned {
    let listed = matches!(arg.val, Val::Tuple(_));
    let val = if listed { arg.val.clone() } else { Val::Tuple(vec![arg.val.clone()]) };
    Spanned { val, span: arg.span }
}

/// How many axes lists have, if all have as many and there is one.
pub(super) fn common_rank(
    it: &mut Analysis<'_>,
    call: &Call,
    lists: &[(&'static str, &Spanned)],
) -> Option<usize> {
    let len = |arg: &Spanned| as_tuple(arg).val.items().map_or(0, <[Val]>::len);
    let (first, rest) = lists.split_first()?;
    let rank = len(first.1);
    if let Some(other) = rest.iter().find(|(_, arg)| len(arg) != rank) {
        let found = [(first.0, rank), (other.0, len(other.1))];
        it.report(errors::ranks_differ(&call.name(), found, [first.1.span, other.1.span]));
        return None;
    }
    if rank == 0 {
        it.report(errors::no_axes(&call.name(), first.1.span));
        return None;
    }
    Some(rank)
}

/// Integers of a list: as they are where the compiler holds them, else of type `dtype`.
pub(super) fn counts(
    it: &mut Analysis<'_>,
    call: &Call,
    arg: &Spanned,
    dtype: DType,
) -> Option<Vec<Val>> {
    let list = as_tuple(arg);
    let mut counts = Vec::new();
    for item in list.val.items().unwrap_or_default() {
        counts.push(count(it, call, &Spanned { val: item.clone(), span: arg.span }, dtype)?);
    }
    Some(counts)
}

fn count(it: &mut Analysis<'_>, call: &Call, item: &Spanned, dtype: DType) -> Option<Val> {
    if item.val.constant().and_then(Constant::as_int).is_some() {
        return Some(item.val.clone());
    }
    it.note_integer(&item.val);
    let integer = item.val.value().filter(|value| {
        it.single_element(*value).is_some_and(|(own, _)| own.is_int() && own != DType::I1)
    });
    if let Some(value) = integer {
        return Some(Val::Value(it.cast(value, dtype, item.span)));
    }
    if !item.val.is_error() {
        let found = it.describe(&item.val);
        it.report(operands::expected_scalar(&call.name(), &found, item.span));
    }
    None
}

/// Places along axes, as scalars of the IR, so that they may be carried by loops.
pub(super) fn places(it: &mut Analysis<'_>, call: &Call, arg: &Spanned) -> Option<Vec<Val>> {
    let mut places = Vec::new();
    for place in counts(it, call, arg, DType::I32)? {
        places.push(match place.constant().cloned() {
            Some(known) => Val::Value(it.number_as(&known, DType::I32, arg.span)?),
            None => place,
        });
    }
    Some(places)
}

/// The places that a call gives, one for each axis of `view`.
pub(super) fn offsets_of(
    it: &mut Analysis<'_>,
    call: &Call,
    view: &BlockView,
    arg: &Spanned,
) -> Option<Vec<Val>> {
    let found = as_tuple(arg).val.items().map_or(0, <[Val]>::len);
    if found != view.block.len() {
        let described = it.describe(&Val::View(Box::new(view.clone())));
        let rank = view.block.len();
        it.report(errors::offsets_count(&call.name(), found, (rank, &described), arg.span));
        return None;
    }
    places(it, call, arg)
}

/// The last stride of a descriptor is 1: now, or at every launch.
pub(super) fn unit_stride(
    it: &mut Analysis<'_>,
    mut strides: Vec<Val>,
    span: Span,
) -> Option<Vec<Val>> {
    let last = strides.last_mut()?;
    match known(it, last) {
        Some(1) => {}
        Some(other) => {
            it.report(errors::last_stride(&other.to_string(), span));
            return None;
        }
        None if it.scalar(last).is_some() => {
            let stride = last.value()?;
            let one = it.frame.build.constant(Literal::Int(1), it.ty(stride).dtype(), span);
            let condition = it.frame.build.compare_scalar(CompareOp::Eq, stride, one, span);
            let message = String::from("the last stride of a tensor descriptor is 1");
            it.frame.build.emit(ir::Assert { condition, message }, Vec::new(), span);
        }
        None => {
            let found = it.describe(last);
            it.report(errors::last_stride(&found, span));
            return None;
        }
    }
    *last = Val::int(1);
    Some(strides)
}

/// An integer that is known here.
pub(super) fn known(it: &Analysis<'_>, val: &Val) -> Option<i128> {
    let constant = val.constant().and_then(Constant::as_int);
    let literal = || it.frame.build.func.literal(val.value()?)?.as_int().map(i128::from);
    constant.or_else(literal)
}

/// Whether `padding_option=` asks for NaN.
pub(super) fn padding(it: &mut Analysis<'_>, call: &Call, dtype: DType) -> Option<bool> {
    let Some(arg) = call.some("padding_option") else { return Some(false) };
    match arg.val.text() {
        Some("" | "zero") => Some(false),
        Some("nan") if dtype.is_float() => Some(true),
        Some("nan") => {
            it.report(errors::nan_of_integers(dtype, arg.span));
            None
        }
        Some(_) | None => {
            let found = it.describe(&arg.val);
            it.report(errors::unknown_padding(&found, arg.span));
            None
        }
    }
}

/// Which axes `boundary_check=` names.
pub(super) fn boundary_check(
    it: &mut Analysis<'_>,
    call: &Call,
    view: &BlockView,
) -> Option<Vec<bool>> {
    let rank = view.block.len();
    let mut checked = vec![false; rank];
    let Some(arg) = call.some("boundary_check") else { return Some(checked) };
    for item in as_tuple(arg).val.items().unwrap_or_default() {
        let axis = it.constant_int("an axis", &Spanned { val: item.clone(), span: arg.span })?;
        let place = usize::try_from(axis).ok().and_then(|axis| checked.get_mut(axis));
        match place {
            Some(place @ false) => *place = true,
            other => {
                let twice = other.is_some();
                it.report(errors::boundary_axis(axis, rank, twice, arg.span));
                return None;
            }
        }
    }
    Some(checked)
}

/// The view that `arg` is, which must be of `kind`.
pub(super) fn view_argument(
    it: &mut Analysis<'_>,
    call: &Call,
    arg: &Spanned,
    kind: ViewKind,
) -> Option<BlockView> {
    if let Val::View(view) = &arg.val
        && view.kind == kind
    {
        return Some((**view).clone());
    }
    let found = it.describe(&arg.val);
    let descriptor = kind == ViewKind::Descriptor;
    it.report(errors::not_a_view(&call.name(), &found, descriptor, arg.span));
    None
}
