//! Ops that move elements between memory and tiles.

use super::Reason;
use super::number::{self, Number};
use super::program::{Flow, scalar_dtype};
use super::step::{Out, Step};
use super::tile::{Tile, count, element_of, index_of};
use crate::dtype::DType;
use crate::ir::{Atomic, DmaDesc, GatherLoad, ScatterStore, Value, Window};
use crate::ops::AtomicOp;

impl Step<'_, '_> {
    pub(super) fn read(&mut self, base: Value, offsets: impl Fn(usize) -> i64) -> Out {
        self.read_some(base, 0, |place| Some(offsets(place)))
    }

    /// Reads the elements that have an offset; the others are `fill`.
    pub(super) fn read_some(
        &mut self,
        base: Value,
        fill: u64,
        offsets: impl Fn(usize) -> Option<i64>,
    ) -> Out {
        let dtype = scalar_dtype(self.result_type()?);
        let (shape, base) = (self.shape()?, self.frame()?.address(base)?);
        let size = dtype.bytes() as usize;
        let memory = &*self.world.memory;
        let tile = Tile::build(dtype, shape, |place| {
            let Some(offset) = offsets(place) else { return Ok(fill) };
            let address = base.wrapping_add(offset);
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            memory.get(address, size).map(element_of).ok_or(outside)
        })?;
        self.gives_tile(tile)
    }

    pub(super) fn write(
        &mut self,
        base: Value,
        value: Value,
        offsets: impl Fn(usize) -> i64,
    ) -> Out {
        self.write_some(base, value, |place| Some(offsets(place)))
    }

    /// Writes the elements that have an offset.
    pub(super) fn write_some(
        &mut self,
        base: Value,
        value: Value,
        offsets: impl Fn(usize) -> Option<i64>,
    ) -> Out {
        let frame = self.frame()?;
        let (base, tile) = (frame.address(base)?, frame.tile(value)?.clone());
        let size = tile.dtype.bytes() as usize;
        self.world.spend(tile.elements.len())?;
        for (place, element) in tile.to_bytes().chunks(size).enumerate() {
            let Some(offset) = offsets(place) else { continue };
            let address = base.wrapping_add(offset);
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            self.world.memory.get_mut(address, size).ok_or(outside)?.copy_from_slice(element);
        }
        Ok(Flow::Next)
    }

    /// The window of a transfer, as the program has it now.
    pub(super) fn bounds(&mut self, window: &Window, desc: &DmaDesc) -> Result<Bounds, Reason> {
        let frame = self.frame()?;
        let int = |value: Option<Value>, otherwise: i64| match value {
            Some(value) => Ok(frame.bits(value)? as i64),
            None => Ok(otherwise),
        };
        let mut bounds = Bounds::default();
        for clip in &window.clips {
            let extent = desc.dims.get(clip.axis as usize).map_or(0, |dim| dim.extent as i64);
            let range = (int(clip.lo, 0)?, int(clip.hi, extent)?);
            bounds.clips.push((clip.axis as usize, range));
        }
        for wrap in &window.wraps {
            let start = int(Some(wrap.start), 0)?;
            bounds.wraps.push((wrap.axis as usize, start, wrap.period as i64));
        }
        Ok(bounds)
    }

    /// The address of each lane of a gather or scatter; `None` where the mask leaves it out.
    fn lanes(
        &mut self,
        (dtype, shape): (DType, &[usize]),
        (ptr, strides): (Value, &[i64]),
        [offsets, mask]: [Option<Value>; 2],
    ) -> Result<Vec<Option<i64>>, Reason> {
        let frame = self.frame()?;
        let base = frame.address(ptr)?;
        let operand = |value: Option<Value>| match value {
            Some(value) => frame.operand(value)?.broadcast(shape.to_vec()).map(Some),
            None => Ok(None),
        };
        let (offsets, mask) = (operand(offsets)?, operand(mask)?);
        let size = dtype.bytes() as i64;
        let lane = |place: usize| {
            let own = offsets.as_ref().map_or(0, |tile| int(tile, place));
            let steps = strides.iter().zip(index_of(place, shape));
            let count =
                steps.fold(own, |sum, (step, at)| sum.wrapping_add(step.wrapping_mul(at as i64)));
            let live = mask.as_ref().is_none_or(|tile| int(tile, place) != 0);
            live.then(|| base.wrapping_add(count.wrapping_mul(size)))
        };
        Ok((0..count(shape)?).map(lane).collect())
    }

    /// How far the element at each place lies from the first, in a contiguous block.
    pub(super) fn contiguous(dtype: DType) -> impl Fn(usize) -> i64 {
        move |place| (place as i64).wrapping_mul(dtype.bytes() as i64)
    }

    pub(super) fn run_gather_load(&mut self, it: &GatherLoad) -> Out {
        let dtype = scalar_dtype(self.result_type()?);
        let shape = self.shape()?;
        let lanes = self.lanes((dtype, &shape), (it.ptr, &it.strides), [it.offsets, it.mask])?;
        let other = match it.other {
            Some(other) => self.frame()?.operand(other)?.broadcast(shape.clone())?,
            None => Tile::scalar(dtype, 0).broadcast(shape.clone())?,
        };
        let size = dtype.bytes() as usize;
        let memory = &*self.world.memory;
        let tile = Tile::build(dtype, shape, |place| match lanes.get(place) {
            Some(Some(address)) => {
                let outside = Reason::OutOfBounds { address: *address, bytes: size as u64 };
                memory.get(*address, size).map(element_of).ok_or(outside)
            }
            Some(None) | None => Ok(other.elements.get(place).copied().unwrap_or(0)),
        })?;
        self.gives_tile(tile)
    }

    pub(super) fn run_scatter_store(&mut self, it: &ScatterStore) -> Out {
        let tile = self.frame()?.tile(it.value)?.clone();
        self.world.spend(tile.elements.len())?;
        let target = (tile.dtype, tile.shape.as_slice());
        let lanes = self.lanes(target, (it.ptr, &it.strides), [it.offsets, it.mask])?;
        let size = tile.dtype.bytes() as usize;
        for (element, address) in tile.to_bytes().chunks(size).zip(lanes) {
            let Some(address) = address else { continue };
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            self.world.memory.get_mut(address, size).ok_or(outside)?.copy_from_slice(element);
        }
        Ok(Flow::Next)
    }

    pub(super) fn run_atomic(&mut self, it: &Atomic) -> Out {
        let frame = self.frame()?;
        let value = frame.tile(it.value)?.clone();
        let expected = it.expected.map(|tile| frame.tile(tile).cloned()).transpose()?;
        self.world.spend(value.elements.len())?;
        let target = (value.dtype, value.shape.as_slice());
        let lanes = self.lanes(target, (it.ptr, &it.strides), [it.offsets, it.mask])?;
        let size = value.dtype.bytes() as usize;
        let mut found = vec![0; value.elements.len()];
        for (place, address) in lanes.into_iter().enumerate() {
            let Some(address) = address else { continue };
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            let element = self.world.memory.get_mut(address, size).ok_or(outside)?;
            let old = element_of(element);
            let expected = expected.as_ref().map(|tile| tile.elements[place]);
            let new = modified((it.op, value.dtype), old, value.elements[place], expected)?;
            element.copy_from_slice(&new.to_le_bytes()[..size]);
            found[place] = old;
        }
        if self.frame()?.function.ops[self.op].results.is_empty() {
            return Ok(Flow::Next);
        }
        self.gives_tile(Tile { elements: found, ..value })
    }
}

/// The integer at a place of a tile.
fn int(tile: &Tile, place: usize) -> i64 {
    let bits = tile.elements.get(place).copied().unwrap_or(0);
    match number::decode(tile.dtype, bits) {
        Number::Int(value) => value as i64,
        Number::Float(value) => value as i64,
    }
}

/// A window whose bounds are known.
#[derive(Default)]
pub(super) struct Bounds {
    /// By axis: the indices that are moved.
    clips: Vec<(usize, (i64, i64))>,
    /// By axis: where index 0 lies, and how many steps there are.
    wraps: Vec<(usize, i64, i64)>,
}

impl Bounds {
    /// How far the element at a place lies from the base of `desc`; `None` where it is not moved.
    pub(super) fn offset(&self, desc: &DmaDesc, place: usize) -> Option<i64> {
        let extents: Vec<usize> = desc.dims.iter().map(|dim| dim.extent as usize).collect();
        let mut index: Vec<i64> =
            index_of(place, &extents).into_iter().map(|at| at as i64).collect();
        let outside = |(axis, (lo, hi)): &(usize, (i64, i64))| {
            index.get(*axis).is_some_and(|at| at < lo || at >= hi)
        };
        if self.clips.iter().any(outside) {
            return None;
        }
        for (axis, start, period) in &self.wraps {
            let at = index.get_mut(*axis)?;
            *at = start.wrapping_add(*at).checked_rem_euclid(*period)?;
        }
        let steps = index.iter().zip(&desc.dims);
        Some(
            steps
                .fold(0, |offset: i64, (at, dim)| offset.wrapping_add(at.wrapping_mul(dim.stride))),
        )
    }
}

/// The bits that an atomic op leaves of an element that had the bits `old`.
fn modified(
    (op, dtype): (AtomicOp, DType),
    old: u64,
    value: u64,
    expected: Option<u64>,
) -> Result<u64, Reason> {
    match (op.combine(), expected) {
        (Some(combine), _) => number::binary(combine, dtype, old, value),
        (None, Some(expected)) if old != expected => Ok(old),
        (None, _) => Ok(value),
    }
}
