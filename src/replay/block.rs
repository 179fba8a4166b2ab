//! The contiguous runs of a DMA block.

use std::ops::Range;

use crate::ir::{DmaDesc, DmaDim};

/// A DMA block as runs of one length.
#[derive(Clone, Debug)]
pub(super) struct Block<'d> {
    /// Bytes of each run.
    pub(super) run: usize,
    /// How the runs lie, outermost axis first.
    outer: &'d [DmaDim],
}

impl<'d> Block<'d> {
    /// The runs of `desc`, as long as can be.
    pub(super) fn new(desc: &'d DmaDesc) -> Block<'d> {
        let (mut run, mut outer) = (desc.elem_bytes, desc.dims.as_slice());
        while let Some((inner, rest)) = outer.split_last()
            && (inner.extent == 1 || u64::try_from(inner.stride) == Ok(run))
        {
            run = run.saturating_mul(inner.extent);
            outer = rest;
        }
        Block { run: run as usize, outer }
    }

    /// One run of `bytes`.
    pub(super) fn whole(bytes: u64) -> Block<'static> {
        Block { run: usize::try_from(bytes).unwrap_or(usize::MAX), outer: &[] }
    }

    /// How many runs there are; saturates.
    pub(super) fn count(&self) -> u64 {
        self.outer.iter().fold(1, |count: u64, dim| count.saturating_mul(dim.extent))
    }

    /// The addresses from the lowest byte to past the highest, of a block at `base`; what lies
    /// outside of memory is cut to its ends. `None` for a block of no bytes.
    pub(super) fn bounds(&self, base: u64) -> Option<Range<u64>> {
        if self.run == 0 || self.count() == 0 {
            return None;
        }
        let (mut low, mut high) = (i128::from(base), i128::from(base) + self.run as i128);
        for dim in self.outer {
            let reach = i128::from(dim.extent - 1).saturating_mul(i128::from(dim.stride));
            low = low.saturating_add(reach.min(0));
            high = high.saturating_add(reach.max(0));
        }
        let cut = |at: i128| u64::try_from(at.max(0)).unwrap_or(u64::MAX);
        Some(cut(low)..cut(high))
    }

    /// Calls `visit` with the address of each run, in the order of the tile's bytes. Every
    /// address lies in [`Block::bounds`], which must not have been cut.
    pub(super) fn for_each(&self, base: u64, mut visit: impl FnMut(u64)) {
        let Some((inner, outer)) = self.outer.split_last() else {
            return visit(base);
        };
        let mut index = vec![0_u64; outer.len()];
        let mut start = base;
        loop {
            let mut at = start;
            for _ in 0..inner.extent {
                visit(at);
                at = at.wrapping_add_signed(inner.stride);
            }
            // The next row of the outer axes, the last of them fastest.
            let mut axis = outer.len();
            loop {
                let Some(before) = axis.checked_sub(1) else { return };
                axis = before;
                index[axis] += 1;
                start = start.wrapping_add_signed(outer[axis].stride);
                if index[axis] < outer[axis].extent {
                    break;
                }
                let back = (outer[axis].extent as i64).wrapping_mul(outer[axis].stride);
                start = start.wrapping_add_signed(back.wrapping_neg());
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(dims: &[(u64, i64)], elem_bytes: u64, base: u64) -> (Vec<u64>, usize) {
        let dims = dims.iter().map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
        let desc = DmaDesc { dims: dims.collect(), elem_bytes };
        let block = Block::new(&desc);
        let mut starts = Vec::new();
        block.for_each(base, |at| starts.push(at));
        assert_eq!(starts.len() as u64, block.count());
        if let Some(bounds) = block.bounds(base) {
            assert_eq!(starts.iter().min(), Some(&bounds.start));
            assert_eq!(starts.iter().max().map(|at| at + block.run as u64), Some(bounds.end));
        }
        (starts, block.run)
    }

    #[test]
    fn contiguous_axes_are_one_run() {
        assert_eq!(runs(&[(8, 4)], 4, 100), (vec![100], 32));
        assert_eq!(runs(&[(3, 32), (8, 4)], 4, 100), (vec![100], 96));
        assert_eq!(runs(&[], 4, 100), (vec![100], 4));
    }

    #[test]
    fn strided_axes_are_walked_row_by_row() {
        assert_eq!(runs(&[(3, 64), (8, 4)], 4, 100), (vec![100, 164, 228], 32));
        assert_eq!(runs(&[(2, 4), (3, 64)], 4, 0), (vec![0, 64, 128, 4, 68, 132], 4));
        let (starts, run) = runs(&[(2, 1000), (2, 100), (2, 16)], 4, 0);
        assert_eq!((starts, run), (vec![0, 16, 100, 116, 1000, 1016, 1100, 1116], 4));
    }

    #[test]
    fn strides_may_be_negative_or_zero() {
        assert_eq!(runs(&[(3, -8)], 4, 100), (vec![100, 92, 84], 4));
        assert_eq!(runs(&[(2, 0), (2, 4)], 4, 100), (vec![100, 100], 8));
    }

    #[test]
    fn bounds_beyond_memory_are_cut() {
        let desc = DmaDesc { dims: vec![DmaDim { extent: 3, stride: -8 }], elem_bytes: 4 };
        assert_eq!(Block::new(&desc).bounds(8), Some(0..12));
        let empty = DmaDesc { dims: vec![DmaDim { extent: 0, stride: 8 }], elem_bytes: 4 };
        assert_eq!(Block::new(&empty).bounds(8), None);
    }
}
