//! Transfers with a window: the pieces of a block, and what the rest of the tile holds.

use std::ops::Range;

use super::access::pieces_bounds;
use super::execute::{Executor, find};
use super::fault::FaultKind;
use super::image::{Origin, Writer};
use super::numeric;
use crate::command::{Piece, Window};
use crate::ir::DmaDesc;

/// Calls `visit` with the address and the place in the tile of each contiguous run of a piece, in
/// bytes; gives the bytes of a run. `tile` is the block that the piece is cut from.
fn for_each_run(piece: &Piece, tile: &DmaDesc, mut visit: impl FnMut(u64, u64)) -> u64 {
    let rows = rows(tile);
    let elem = piece.desc.elem_bytes;
    let (mut run, mut outer) = (elem, piece.desc.dims.len());
    while let Some(axis) = outer.checked_sub(1) {
        let dim = piece.desc.dims[axis];
        let in_step = u64::try_from(dim.stride) == Ok(run) && rows[axis] == run;
        if dim.extent != 1 && !in_step {
            break;
        }
        run = run.saturating_mul(dim.extent);
        outer = axis;
    }
    let dims = &piece.desc.dims[..outer];
    let mut index = vec![0_u64; outer];
    let (mut address, mut at) = (piece.base, piece.at);
    loop {
        visit(address, at);
        let mut axis = outer;
        loop {
            let Some(next) = axis.checked_sub(1) else { return run };
            axis = next;
            let (dim, row) = (dims[axis], rows[axis]);
            index[axis] += 1;
            address = address.wrapping_add_signed(dim.stride);
            at += row;
            if index[axis] < dim.extent {
                break;
            }
            let back = (dim.extent as i64).wrapping_mul(dim.stride);
            address = address.wrapping_add_signed(back.wrapping_neg());
            at -= row * dim.extent;
            index[axis] = 0;
        }
    }
}

/// The bytes of a tile from index to index of each axis of its block.
fn rows(tile: &DmaDesc) -> Vec<u64> {
    let mut rows = vec![0; tile.dims.len()];
    let mut row = tile.elem_bytes;
    for (at, dim) in rows.iter_mut().zip(&tile.dims).rev() {
        *at = row;
        row = row.saturating_mul(dim.extent);
    }
    rows
}

impl Executor<'_> {
    /// The tensor that some pieces lie in, and its base; `None`, with a fault where they lie in
    /// none.
    fn region_of(&mut self, pieces: &[Piece], writes: bool) -> Option<(usize, u64)> {
        let bounds = pieces_bounds(pieces)?;
        match find(self.memory, &bounds) {
            Ok(region) => Some((region, self.memory.map().regions()[region].base)),
            Err(fault) => {
                self.fault(FaultKind::OutOfBounds { fault, bounds, writes });
                None
            }
        }
    }

    pub(super) fn read_window(
        &mut self,
        (base, desc): (u64, &DmaDesc),
        window: &Window,
        out: Range<usize>,
    ) {
        let pieces = window.pieces(base, desc);
        if numeric::fill(window.dtype, window.fill, self.local.bytes_mut(out.clone())).is_err() {
            return self.broken("a window is filled with what its tile cannot hold");
        }
        let Some((region, base)) = self.region_of(&pieces, false) else { return };
        let view = self.memory.view(region, self.pe());
        let target = self.local.bytes_mut(out);
        let mut reader = view.reader();
        let mut unwritten = None;
        for piece in &pieces {
            let run = for_each_run(piece, desc, |_, _| {});
            for_each_run(piece, desc, |address, at| {
                let place = at as usize..(at + run) as usize;
                let gap = reader.read(address - base, &mut target[place]);
                unwritten = unwritten.or(gap);
            });
        }
        if let Some(offset) = unwritten {
            let elem_bytes = desc.elem_bytes;
            self.fault(FaultKind::UnwrittenTensor { region, offset, elem_bytes });
        }
    }

    pub(super) fn write_window(
        &mut self,
        (base, desc): (u64, &DmaDesc),
        window: &Window,
        src: Range<usize>,
    ) {
        let pieces = window.pieces(base, desc);
        let Some((region, base)) = self.region_of(&pieces, true) else { return };
        let writer = Writer { agent: self.agent, site: self.step.site, seq: self.step.seq };
        let mut writer = self.memory.view(region, self.pe()).writer(Origin::Command(writer));
        let bytes = &self.local.bytes()[src];
        for piece in &pieces {
            let run = for_each_run(piece, desc, |_, _| {});
            for_each_run(piece, desc, |address, at| {
                writer.write(address - base, &bytes[at as usize..(at + run) as usize]);
            });
        }
    }
}
