//! Tensor descriptors and block pointers: blocks of a strided array.
//!
//! Both are values of the analysis (see `BlockView`). A load of a block becomes a gather whose
//! offsets are affine in the lanes and whose mask is a rectangle, as those that kernels write out
//! themselves do; the pass `descriptors` makes a transfer of it.

mod access;
mod arguments;

use super::{Call, lanes};
use crate::dtype::DType;
use crate::ir::Dim;
use crate::sema::analysis::Analysis;
use crate::sema::errors::{blocks as errors, composite};
use crate::sema::value::{BlockView, Spanned, Val, ViewKind};
use crate::syntax::ast;
pub(super) use access::block_dim;
pub(super) use access::{AxisLanes, BlockLanes, stored};
use access::{axes, dim_val, load, spread, store};
use arguments::{
    as_tuple, base_pointer, boundary_check, common_rank, counts, known, offsets_of, padding,
    places, unit_stride, view_argument,
};

/// The most axes of a descriptor.
const MAX_AXES: usize = 5;

/// The fewest bytes of a row of a descriptor's block.
const MIN_ROW_BYTES: u64 = 16;

/// The fewest rows, and bytes of a row, that a descriptor gathers or scatters.
const MIN_GATHERED: (u64, u64) = (8, 32);

/// `tl.make_tensor_descriptor(base, shape, strides, block_shape)`.
pub(super) fn make_tensor_descriptor(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(base) = base_pointer(it, call) else { return Val::Error };
    let lists = ["shape", "strides", "block_shape"].map(|name| (name, call.arg(name)));
    let Some(rank) = common_rank(it, call, &lists) else { return Val::Error };
    if rank > MAX_AXES {
        return it.report(errors::too_many_axes(rank, MAX_AXES, call.arg("shape").span));
    }
    let strides = call.arg("strides");
    let (Some(shape), Some(strides), Some(block), Some(nan)) = (
        counts(it, call, call.arg("shape"), DType::I32),
        counts(it, call, strides, DType::I64).and_then(|all| unit_stride(it, all, strides.span)),
        it.shape_argument(call.arg("block_shape")),
        padding(it, call, base.dtype),
    ) else {
        return Val::Error;
    };
    if let Some(Dim::Const(extent)) = block.last()
        && let bytes = (*extent as u64).saturating_mul(base.dtype.bytes())
        && bytes < MIN_ROW_BYTES
    {
        let row = (*extent, base.dtype);
        return it.report(errors::short_row(row, bytes, call.arg("block_shape").span));
    }
    let block = block.into_iter().map(dim_val).collect();
    let (kind, offsets) = (ViewKind::Descriptor, Vec::new());
    Val::View(Box::new(BlockView { kind, base, shape, strides, offsets, block, nan }))
}

/// `tl.make_block_ptr(base, shape, strides, offsets, block_shape, order)`.
pub(super) fn make_block_ptr(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(base) = base_pointer(it, call) else { return Val::Error };
    let names = ["shape", "strides", "offsets", "block_shape", "order"];
    let lists = names.map(|name| (name, call.arg(name)));
    let Some(rank) = common_rank(it, call, &lists) else { return Val::Error };
    let (Some(_), Some(shape), Some(strides), Some(offsets), Some(block)) = (
        it.permutation(&as_tuple(call.arg("order")), rank),
        counts(it, call, call.arg("shape"), DType::I64),
        counts(it, call, call.arg("strides"), DType::I64),
        places(it, call, call.arg("offsets")),
        it.shape_argument(call.arg("block_shape")),
    ) else {
        return Val::Error;
    };
    let block = block.into_iter().map(dim_val).collect();
    let (kind, nan) = (ViewKind::BlockPointer, false);
    Val::View(Box::new(BlockView { kind, base, shape, strides, offsets, block, nan }))
}

/// `tl.advance(pointer, offsets)`.
pub(super) fn advance(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (pointer, by) = (call.arg("base"), call.arg("offsets"));
    let Some(view) = view_argument(it, call, pointer, ViewKind::BlockPointer) else {
        return Val::Error;
    };
    let Some(by) = offsets_of(it, call, &view, by) else { return Val::Error };
    let mut offsets = Vec::new();
    for (place, step) in view.offsets.iter().zip(by) {
        let both = [place.clone(), step].map(|val| Spanned { val, span: call.span });
        offsets.push(it.binary(ast::BinaryOp::Add, &both[0], &both[1], call.span));
    }
    Val::View(Box::new(BlockView { offsets, ..view }))
}

/// The descriptor and the axes of the block that a call names.
pub(super) fn axes_argument(
    it: &mut Analysis<'_>,
    call: &Call,
) -> Option<(BlockView, Vec<AxisLanes>)> {
    let view = view_argument(it, call, call.arg("desc"), ViewKind::Descriptor)?;
    let offsets = offsets_of(it, call, &view, call.arg("offsets"))?;
    let axes = axes(it, &view, &offsets, &vec![true; offsets.len()], call.span);
    Some((view, axes))
}

/// `desc.load(offsets)`, `tl.load_tensor_descriptor(desc, offsets)`.
pub(super) fn load_descriptor(it: &mut Analysis<'_>, call: &Call) -> Val {
    match axes_argument(it, call) {
        Some((view, axes)) => load(it, &view, axes, (view.nan, call.span)),
        None => Val::Error,
    }
}

/// `desc.store(offsets, value)`, `tl.store_tensor_descriptor(desc, offsets, value)`.
pub(super) fn store_descriptor(it: &mut Analysis<'_>, call: &Call) -> Val {
    match axes_argument(it, call) {
        Some((view, axes)) => store(it, call, (&view, axes), call.arg("value")),
        None => Val::Error,
    }
}

/// `desc.gather(rows, column)`.
pub(super) fn gather(it: &mut Analysis<'_>, call: &Call) -> Val {
    match gathered_axes(it, call) {
        Some((view, axes)) => load(it, &view, axes, (view.nan, call.span)),
        None => Val::Error,
    }
}

/// `desc.scatter(value, rows, column)`.
pub(super) fn scatter(it: &mut Analysis<'_>, call: &Call) -> Val {
    match gathered_axes(it, call) {
        Some((view, axes)) => store(it, call, (&view, axes), call.arg("value")),
        None => Val::Error,
    }
}

/// `tl.load(block pointer, boundary_check=, padding_option=)`; `None` for other pointers.
pub(super) fn load_block(it: &mut Analysis<'_>, call: &Call, ptr: &Spanned) -> Option<Val> {
    let view = block_pointer(it, call, ptr)?.ok();
    let Some(view) = view else { return Some(Val::Error) };
    let (Some(checked), Some(nan)) =
        (boundary_check(it, call, &view), padding(it, call, view.base.dtype))
    else {
        return Some(Val::Error);
    };
    let axes = axes(it, &view, &view.offsets, &checked, call.span);
    Some(load(it, &view, axes, (nan, call.span)))
}

/// `tl.store(block pointer, value, boundary_check=)`; `None` for other pointers.
pub(super) fn store_block(
    it: &mut Analysis<'_>,
    call: &Call,
    (ptr, value): (&Spanned, &Spanned),
) -> Option<Val> {
    let view = block_pointer(it, call, ptr)?.ok();
    let Some(view) = view else { return Some(Val::Error) };
    let Some(checked) = boundary_check(it, call, &view) else { return Some(Val::Error) };
    let axes = axes(it, &view, &view.offsets, &checked, call.span);
    Some(store(it, call, (&view, axes), value))
}

/// The block pointer that `tl.load` or `tl.store` is given; `None` for what is no view.
fn block_pointer(
    it: &mut Analysis<'_>,
    call: &Call,
    ptr: &Spanned,
) -> Option<Result<BlockView, ()>> {
    let Val::View(view) = &ptr.val else { return None };
    if view.kind == ViewKind::Descriptor {
        it.report(errors::descriptor_as_pointer(&call.name(), ptr.span));
        return Some(Err(()));
    }
    if view.kind == ViewKind::Reference {
        let found = it.describe(&ptr.val);
        it.report(composite::reference_as_tile(&call.name(), &found, ptr.span));
        return Some(Err(()));
    }
    if let Some((name, arg)) =
        ["mask", "other"].iter().find_map(|name| call.some(name).map(|arg| (name, arg)))
    {
        it.report(errors::mask_of_block_pointer(name, &call.name(), arg.span));
        return Some(Err(()));
    }
    Some(Ok((**view).clone()))
}

/// `boundary_check=` and `padding_option=` come with block pointers.
pub(super) fn refuse_block_options(it: &mut Analysis<'_>, call: &Call) -> Option<Val> {
    let given = ["boundary_check", "padding_option"]
        .into_iter()
        .find_map(|name| call.some(name).map(|arg| (name, arg)))?;
    let nothing = given.1.val.items().is_some_and(<[Val]>::is_empty)
        || given.1.val.text().is_some_and(str::is_empty);
    if nothing {
        return None;
    }
    Some(it.report(errors::block_option(given.0, &call.name(), given.1.span)))
}

/// The rows that a gather or scatter names, and the columns of its block.
fn gathered_axes(it: &mut Analysis<'_>, call: &Call) -> Option<(BlockView, Vec<AxisLanes>)> {
    let view = view_argument(it, call, call.arg("desc"), ViewKind::Descriptor)?;
    let described = it.describe(&Val::View(Box::new(view.clone())));
    let (name, desc) = (call.name(), call.arg("desc"));
    if view.block.len() != 2 || known(it, &view.block[0]) != Some(1) {
        it.report(errors::gather_block(&name, &described, desc.span));
        return None;
    }
    let rows = call.arg("x_offsets");
    let tile = it.tile(&rows.val).filter(|tile| tile.dims.len() == 1 && tile.dtype.is_int());
    let (Some(dim), Some(tile)) =
        (tile.and_then(|tile| tile.dims.first().copied()), rows.val.value())
    else {
        let found = it.describe(&rows.val);
        it.report(errors::gather_rows(&name, &found, rows.span));
        return None;
    };
    let columns = block_dim(it, &view, 1);
    check_gathered(it, call, (dim, columns), view.base.dtype)?;
    let column = Spanned {
        val: Val::Tuple(vec![call.arg("y_offset").val.clone()]),
        ..*call.arg("y_offset")
    };
    let start = places(it, call, &column)?.pop()?;
    let lanes = Val::Value(spread(it, tile, (0, 2), call.span));
    let rows = AxisLanes { lanes, start: None, dim, checked: true };
    let mut rest = axes(it, &view, &[Val::int(0), start], &[true, true], call.span);
    let columns = rest.pop()?;
    Some((view, vec![rows, columns]))
}

/// What a gather or scatter takes at least.
fn check_gathered(
    it: &mut Analysis<'_>,
    call: &Call,
    (rows, columns): (Dim, Dim),
    dtype: DType,
) -> Option<()> {
    let (min_rows, min_bytes) = MIN_GATHERED;
    if let Dim::Const(rows) = rows
        && (rows as u64) < min_rows
    {
        it.report(errors::too_few_rows(&call.name(), rows, min_rows, call.arg("x_offsets").span));
        return None;
    }
    if let Dim::Const(columns) = columns
        && (columns as u64).saturating_mul(dtype.bytes()) < min_bytes
    {
        let row = (columns, dtype);
        it.report(errors::narrow_rows(&call.name(), row, min_bytes, call.arg("desc").span));
        return None;
    }
    Some(())
}
