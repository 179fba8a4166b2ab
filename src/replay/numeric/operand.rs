//! Operands: tiles and scalars, seen over the shape that an op walks, handed out in blocks.

use multiversion::multiversion;

use super::NumericError;
use super::element::{Lane, elements, store, with_element};
use crate::dtype::DType;
use crate::ir::Literal;
use crate::ir::eval;
use crate::replay::bytes::Bytes;
use crate::shape::Shape;

/// Elements handed out at once: few enough that the blocks of every operand of an op and of its
/// result stay in the first-level cache.
pub(super) const BLOCK: usize = 1024;

/// One axis of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// How many.
    pub(super) extent: usize,
    /// How far apart, in elements.
    pub(super) stride: usize,
}

/// How the walked shape, counted row by row, maps to elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Place `i` is element `i`.
    Dense,
    /// Every place is element 0.
    Uniform,
    /// Any other way.
    Strided,
}

/// An operand over a shape.
#[derive(Clone, Debug)]
pub(super) struct Operand<'a> {
    pub(super) dtype: DType,
    bytes: AlignedBytes<'a>,
    layout: Layout,
    /// Outermost first; at least one, none of extent 1, none that could be merged.
    axes: Vec<Axis>,
}

/// The bytes of some elements, aligned for their type.
#[derive(Clone, Debug)]
enum AlignedBytes<'a> {
    Borrowed(&'a [u8]),
    Copied(Bytes),
}

impl<'a> AlignedBytes<'a> {
    fn new(bytes: &'a [u8], size: usize) -> AlignedBytes<'a> {
        if (bytes.as_ptr() as usize).is_multiple_of(size) {
            return AlignedBytes::Borrowed(bytes);
        }
        AlignedBytes::Copied(Bytes::copied(bytes))
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            AlignedBytes::Borrowed(bytes) => bytes,
            AlignedBytes::Copied(bytes) => bytes.as_slice(),
        }
    }
}

/// The axis of one element that every place has.
const EVERYWHERE: Axis = Axis { extent: usize::MAX, stride: 0 };

/// The axes of a layout: those of extent 1 left out, those that run on into one another merged.
fn merged_axes(shape: &Shape, strides: &[i64]) -> Option<Vec<Axis>> {
    let mut axes: Vec<Axis> = Vec::new();
    for (extent, stride) in shape.0.iter().zip(strides) {
        let axis =
            Axis { extent: usize::try_from(*extent).ok()?, stride: usize::try_from(*stride).ok()? };
        if axis.extent == 1 {
            continue;
        }
        match axes.last_mut() {
            Some(outer) if outer.stride == axis.stride.checked_mul(axis.extent)? => {
                outer.extent = outer.extent.checked_mul(axis.extent)?;
                outer.stride = axis.stride;
            }
            Some(_) | None => axes.push(axis),
        }
    }
    Some(axes)
}

/// The largest element that `axes` reach.
fn last_element(axes: &[Axis]) -> Option<usize> {
    axes.iter().try_fold(0_usize, |last, axis| {
        last.checked_add(axis.stride.checked_mul(axis.extent.saturating_sub(1))?)
    })
}

impl<'a> Operand<'a> {
    /// The tile in `bytes`, of `dtype`, read over `shape` by `strides` in elements.
    ///
    /// # Errors
    /// Where the strides do not fit the shape or reach outside the tile.
    pub(super) fn tile(
        dtype: DType,
        bytes: &'a [u8],
        shape: &Shape,
        strides: &[i64],
    ) -> Result<Operand<'a>, NumericError> {
        let malformed = NumericError::Malformed("an operand's strides reach outside its tile");
        if strides.len() != shape.rank() {
            return Err(malformed);
        }
        let size = dtype.bytes() as usize;
        let axes = merged_axes(shape, strides).ok_or(malformed)?;
        let last = last_element(&axes).ok_or(malformed)?;
        if shape.elements() > 0 && last >= bytes.len() / size {
            return Err(malformed);
        }
        let layout = match axes.as_slice() {
            [] | [Axis { stride: 0, .. }] => Layout::Uniform,
            [Axis { stride: 1, .. }] => Layout::Dense,
            [_, ..] => Layout::Strided,
        };
        let axes = if axes.is_empty() { vec![EVERYWHERE] } else { axes };
        let bytes = &bytes[..bytes.len() / size * size];
        Ok(Operand { dtype, bytes: AlignedBytes::new(bytes, size), layout, axes })
    }

    /// The scalar `value`, everywhere.
    pub(super) fn scalar(dtype: DType, value: Literal) -> Operand<'static> {
        let mut bytes = Bytes::zeroed(dtype.bytes() as usize);
        match eval::wrap(dtype, value) {
            Literal::Float(value) => store(dtype, &[value], bytes.as_mut_slice()),
            Literal::Int(value) if dtype == DType::U64 => {
                store(dtype, &[value as u64], bytes.as_mut_slice());
            }
            Literal::Int(value) => store(dtype, &[value], bytes.as_mut_slice()),
        }
        let bytes = AlignedBytes::Copied(bytes);
        Operand { dtype, bytes, layout: Layout::Uniform, axes: vec![EVERYWHERE] }
    }

    /// The bytes of every place in order, where they lie so.
    pub(super) fn dense_bytes(&self) -> Option<&[u8]> {
        (self.layout == Layout::Dense).then(|| self.bytes.as_slice())
    }

    /// The lanes of places `start..start + out.len()`, in `out` or where they lie already.
    pub(super) fn lanes<'s, L: Lane>(&'s self, start: usize, out: &'s mut [L]) -> &'s [L] {
        self.lanes_from(0, start, out)
    }

    /// As [`Operand::lanes`], of the operand whose first element is element `base` of this one.
    pub(super) fn lanes_from<'s, L: Lane>(
        &'s self,
        base: usize,
        start: usize,
        out: &'s mut [L],
    ) -> &'s [L] {
        if self.dtype == L::DTYPE && self.layout == Layout::Dense {
            return &elements::<L>(self.bytes.as_slice())[base + start..][..out.len()];
        }
        with_element!(self.dtype, E => {
            let elements = &elements::<E>(self.bytes.as_slice())[base..];
            gather(elements, &self.axes, (start, &mut *out), L::from_element::<E>);
        });
        out
    }

    /// As [`Operand::lanes_from`], always into `out`.
    pub(super) fn load_from<L: Lane>(&self, base: usize, start: usize, out: &mut [L]) {
        with_element!(self.dtype, E => {
            let elements = &elements::<E>(self.bytes.as_slice())[base..];
            gather(elements, &self.axes, (start, out), L::from_element::<E>);
        });
    }

    /// The element at `place`.
    pub(super) fn element_of(&self, place: usize) -> usize {
        row_start(&self.axes, place)
    }

    /// The stored bits of places `start..start + out.len()`; `B` has the width of an element.
    pub(super) fn bits<B: bytemuck::Pod>(&self, start: usize, out: &mut [B]) {
        let elements = elements::<B>(self.bytes.as_slice());
        gather(elements, &self.axes, (start, out), |bits| bits);
    }
}

/// Fills `out` with the converted elements of places `start..`, run by run of the innermost axis.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn gather<E: Copy, O: Copy, F: Fn(E) -> O + Copy>(
    elements: &[E],
    axes: &[Axis],
    (start, out): (usize, &mut [O]),
    convert: F,
) {
    let Some((inner, outer)) = axes.split_last() else { return };
    let (mut row, mut column) = (start / inner.extent, start % inner.extent);
    let mut done = 0;
    while done < out.len() {
        let count = (inner.extent - column).min(out.len() - done);
        let first = row_start(outer, row) + column * inner.stride;
        let out = &mut out[done..done + count];
        match inner.stride {
            0 => out.fill(convert(elements[first])),
            1 => {
                for (out, element) in out.iter_mut().zip(&elements[first..first + count]) {
                    *out = convert(*element);
                }
            }
            2.. => {
                let elements = elements[first..].iter().step_by(inner.stride);
                for (out, element) in out.iter_mut().zip(elements) {
                    *out = convert(*element);
                }
            }
        }
        done += count;
        column = 0;
        row += 1;
    }
}

/// The element at which row `row` of the outer axes begins.
#[inline(always)]
fn row_start(outer: &[Axis], mut row: usize) -> usize {
    let mut first = 0;
    for axis in outer.iter().rev() {
        first += row % axis.extent * axis.stride;
        row /= axis.extent;
    }
    first
}
