//! What the ops that move elements between memory and tiles take and give.

use super::control::agree;
use super::types::{Checked, Checker, require};
use crate::dtype::DType;
use crate::ir::{
    Atomic, DmaDesc, DmaRead, DmaWrite, GatherLoad, MAX_WINDOW_AXES, ScatterStore, TileType, Type,
    Uses, Value, Window,
};
use crate::ops::{AtomicOp, Domain};

impl Checker<'_> {
    pub(super) fn address(&self, ptr: Value, dtype: DType) -> Checked {
        if let Type::Pointer(element) = self.ty(ptr) {
            return require(*element == dtype, || {
                format!("a pointer to {element} is used for a tile of {dtype}")
            });
        }
        require(*self.ty(ptr) == Type::I64, || {
            format!("an address is an i64 or a pointer, not {}", self.show(ptr))
        })
    }

    /// Checks what gathers and scatters of lanes of `tile` take beside values.
    fn lanes(
        &self,
        tile: &TileType,
        (ptr, strides): (Value, &[i64]),
        offsets: Option<Value>,
        mask: Option<Value>,
    ) -> Checked {
        self.address(ptr, tile.dtype)?;
        require(strides.is_empty() || strides.len() == tile.dims.len(), || {
            format!("{} strides are given for {} axes", strides.len(), tile.dims.len())
        })?;
        if let Some(offsets) = offsets {
            let counts = self.tile(offsets)?;
            require(counts.dtype.is_int(), || {
                format!("offsets are integers, not {}", self.show(offsets))
            })?;
            self.operand_of(offsets, tile, counts.dtype)?;
        }
        mask.map_or(Ok(()), |mask| self.operand_of(mask, tile, DType::I1))
    }

    /// Checks that `value` is a scalar or tile of `dtype` that broadcasts to `tile`.
    fn operand_of(&self, value: Value, tile: &TileType, dtype: DType) -> Checked {
        let fits = match self.ty(value) {
            Type::Scalar(_) => true,
            Type::Tile(own) => self.broadcasts(&own.dims, &tile.dims),
            Type::Pointer(_) | Type::Future(_) | Type::Completion => false,
        };
        require(fits && self.ty(value).dtype() == dtype, || {
            let wanted = self.function.display_type(&Type::Tile(tile.clone()));
            format!(
                "{} is given where {dtype} for each lane of {wanted} is taken",
                self.show(value)
            )
        })
    }

    fn desc(&self, desc: &DmaDesc, tile: &TileType) -> Checked {
        require(desc.elem_bytes == tile.dtype.bytes(), || {
            format!("elements of {} bytes are moved for {}", desc.elem_bytes, tile.dtype)
        })?;
        let moved = desc.bytes();
        require(tile.bytes().is_none_or(|bytes| bytes == moved), || {
            format!("{moved} bytes are moved for a tile of {}", tile.bytes().unwrap_or(0))
        })
    }

    /// Checks that a window is one of the axes of `desc`, which it names at most once.
    fn window(&self, window: &Window, desc: &DmaDesc) -> Checked {
        let mut bounds = Ok(());
        window.for_each_use(&mut |value| {
            if bounds.is_ok() {
                bounds = self.is(value, &Type::I64);
            }
        });
        bounds?;
        if window.is_whole() {
            return Ok(());
        }
        let rank = desc.dims.len();
        require(rank <= MAX_WINDOW_AXES, || {
            format!("a block of {rank} axes has a window; at most {MAX_WINDOW_AXES} axes do")
        })?;
        let narrow = |extent: u64| u32::try_from(extent).is_ok();
        let fits = desc.dims.iter().all(|dim| narrow(dim.extent))
            && window.wraps.iter().all(|wrap| wrap.period > 0 && narrow(wrap.period));
        require(fits, || String::from("an axis of a window is too long"))?;
        let clips: Vec<u32> = window.clips.iter().map(|clip| clip.axis).collect();
        let wraps: Vec<u32> = window.wraps.iter().map(|wrap| wrap.axis).collect();
        for axes in [clips, wraps] {
            axes.iter().try_for_each(|axis| self.axis(*axis, rank))?;
            require(axes.is_sorted_by(|x, y| x < y), || {
                String::from("the axes of a window are named once, in order")
            })?;
        }
        Ok(())
    }

    pub(super) fn gather_load_of(&self, it: &GatherLoad) -> Checked {
        let tile = self.result_tile()?;
        self.lanes(tile, (it.ptr, &it.strides), it.offsets, it.mask)?;
        it.other.map_or(Ok(()), |other| self.operand_of(other, tile, tile.dtype))
    }

    pub(super) fn scatter_store_of(&self, it: &ScatterStore) -> Checked {
        self.no_result()?;
        self.lanes(self.tile(it.value)?, (it.ptr, &it.strides), it.offsets, it.mask)
    }

    pub(super) fn atomic_of(&self, it: &Atomic) -> Checked {
        let tile = self.tile(it.value)?;
        let (name, ty) = (it.op.name(), Type::Tile(tile.clone()));
        let takes =
            (it.op.domain() == Domain::Any || tile.dtype.is_int()) && tile.dtype != DType::I1;
        require(takes, || format!("`{name}` does not take {}", tile.dtype))?;
        require(it.expected.is_some() == (it.op == AtomicOp::Cas), || {
            format!("only `{}` expects something, and it does", AtomicOp::Cas.name())
        })?;
        if let Some(expected) = it.expected {
            require(agree(self.function, self.ty(expected), &ty), || {
                format!("`{name}` of {} expects {}", self.show(it.value), self.show(expected))
            })?;
        }
        if !self.function.ops[self.op].results.is_empty() {
            self.gives(&ty)?;
        }
        self.lanes(tile, (it.ptr, &it.strides), it.offsets, it.mask)
    }

    pub(super) fn dma_read_of(&self, it: &DmaRead) -> Checked {
        self.is(it.base, &Type::I64)?;
        let tile = self.result_tile()?;
        self.desc(&it.desc, tile)?;
        self.window(&it.window, &it.desc)?;
        it.fill.map_or(Ok(()), |fill| self.is(fill, &Type::Scalar(tile.dtype)))
    }

    pub(super) fn dma_write_of(&self, it: &DmaWrite) -> Checked {
        self.no_result()?;
        self.is(it.base, &Type::I64)?;
        self.desc(&it.desc, self.tile(it.value)?)?;
        self.window(&it.window, &it.desc)
    }
}
