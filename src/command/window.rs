//! Windows: what of a block a transfer moves, and where its axes wrap round.
//!
//! A block with a window is a few blocks without: its *pieces*, one for each turn that a wrapping
//! axis takes. The simulator and the replay look at pieces only.

use crate::dtype::DType;
use crate::ir::{DmaDesc, DmaDim, Literal, MAX_WINDOW_AXES};

/// The window of a transfer: a range of indices for each axis of its block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// By axis of the block; the axes beyond its last do not matter.
    pub axes: [AxisWindow; MAX_WINDOW_AXES],
    /// The type of the block's elements.
    pub dtype: DType,
    /// What the rest of the tile holds after a read.
    pub fill: Literal,
}

/// The indices `lo..lo + len` of an axis. Index `i` lies `i` steps from the base or, where there
/// is a period, `(start + i) mod period` steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AxisWindow {
    /// The first index that is moved.
    pub lo: u32,
    /// How many are moved.
    pub len: u32,
    /// Where index 0 lies, less than the period.
    pub start: u32,
    /// Steps after which the axis begins anew; 0 for never.
    pub period: u32,
}

/// A part of a block that is a block itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The address of its first element.
    pub base: u64,
    /// Its axes.
    pub desc: DmaDesc,
    /// Where its first element lies in the tile, in bytes.
    pub at: u64,
}

impl AxisWindow {
    /// All of an axis that does not wrap.
    pub fn whole(extent: u64) -> AxisWindow {
        let len = u32::try_from(extent).unwrap_or(u32::MAX);
        AxisWindow { len, ..AxisWindow::default() }
    }
}

impl Window {
    /// Bytes that are moved of a block of `desc`.
    pub fn bytes(&self, desc: &DmaDesc) -> u64 {
        let axes = desc.dims.iter().zip(&self.axes);
        axes.fold(desc.elem_bytes, |bytes, (_, axis)| bytes.saturating_mul(u64::from(axis.len)))
    }

    /// The pieces of a block of `desc` at `base`, in the order of the tile.
    pub fn pieces(&self, base: u64, desc: &DmaDesc) -> Vec<Piece> {
        let whole = DmaDesc { dims: Vec::new(), elem_bytes: desc.elem_bytes };
        let mut pieces = vec![Piece { base, desc: whole, at: 0 }];
        let mut row = desc.bytes();
        for (dim, axis) in desc.dims.iter().zip(&self.axes) {
            row = row.checked_div(dim.extent).unwrap_or(0);
            let turns = axis.turns();
            let cut = |piece: &Piece| -> Vec<Piece> {
                turns.iter().map(|turn| turn.of(piece, dim, row)).collect()
            };
            pieces = pieces.iter().flat_map(cut).collect();
        }
        pieces
    }
}

/// Indices of an axis that lie one step apart.
struct Turn {
    /// The first of them.
    index: u64,
    /// Where it lies, in steps from the base.
    step: u64,
    len: u64,
}

impl Turn {
    /// The part of `piece` that this turn of its next axis is; `row` is the bytes of the tile from
    /// index to index.
    fn of(&self, piece: &Piece, dim: &DmaDim, row: u64) -> Piece {
        let mut part = piece.clone();
        let steps = (self.step as i64).wrapping_mul(dim.stride);
        part.base = part.base.wrapping_add_signed(steps);
        part.at += self.index * row;
        part.desc.dims.push(DmaDim { extent: self.len, stride: dim.stride });
        part
    }
}

impl AxisWindow {
    fn turns(&self) -> Vec<Turn> {
        let (lo, len) = (u64::from(self.lo), u64::from(self.len));
        let period = u64::from(self.period);
        if period == 0 {
            return if len == 0 { Vec::new() } else { vec![Turn { index: lo, step: lo, len }] };
        }
        let mut turns = Vec::new();
        let mut done = 0;
        while done < len {
            let step = (u64::from(self.start) + lo + done) % period;
            let part = (period - step).min(len - done);
            turns.push(Turn { index: lo + done, step, len: part });
            done += part;
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desc(dims: &[(u64, i64)]) -> DmaDesc {
        let dims = dims.iter().map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
        DmaDesc { dims: dims.collect(), elem_bytes: 4 }
    }

    fn window(axes: &[AxisWindow]) -> Window {
        let mut all = [AxisWindow::default(); MAX_WINDOW_AXES];
        all[..axes.len()].copy_from_slice(axes);
        Window { axes: all, dtype: DType::F32, fill: Literal::Float(0.0) }
    }

    /// Every element of the window by its definition: where it lies in the tile and in memory.
    fn elements(window: &Window, base: u64, desc: &DmaDesc) -> Vec<(u64, u64)> {
        let mut found = vec![(0, base as i64)];
        for (dim, axis) in desc.dims.iter().zip(&window.axes) {
            let mut next = Vec::new();
            for (place, address) in found {
                for index in axis.lo..axis.lo + axis.len {
                    let step = match axis.period {
                        0 => i64::from(index),
                        period => i64::from((axis.start + index) % period),
                    };
                    let place = place * dim.extent + u64::from(index);
                    next.push((place, address + step * dim.stride));
                }
            }
            found = next;
        }
        found.into_iter().map(|(place, address)| (place * 4, address as u64)).collect()
    }

    /// Every element of the pieces.
    fn of_pieces(window: &Window, base: u64, desc: &DmaDesc) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        for piece in window.pieces(base, desc) {
            let mut all = vec![(piece.at, piece.base as i64)];
            for axis in 0..desc.dims.len() {
                let row: u64 = desc.dims[axis + 1..].iter().map(|dim| dim.extent).product();
                let dim = piece.desc.dims[axis];
                all = all
                    .into_iter()
                    .flat_map(|(at, address)| {
                        (0..dim.extent).map(move |index| {
                            (at + index * row * 4, address + index as i64 * dim.stride)
                        })
                    })
                    .collect();
            }
            found.extend(all.into_iter().map(|(at, address)| (at, address as u64)));
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn pieces_are_the_elements_of_the_definition() {
        let axis = |lo, len, start, period| AxisWindow { lo, len, start, period };
        let block = desc(&[(4, 64), (8, 4)]);
        let cases = [
            window(&[axis(0, 4, 0, 0), axis(0, 8, 0, 0)]),
            window(&[axis(1, 2, 0, 0), axis(3, 5, 0, 0)]),
            window(&[axis(0, 4, 3, 5), axis(0, 8, 0, 0)]),
            window(&[axis(1, 3, 3, 5), axis(2, 6, 1, 3)]),
            window(&[axis(0, 0, 0, 0), axis(0, 8, 0, 0)]),
            window(&[axis(0, 4, 0, 0), axis(8, 0, 2, 3)]),
        ];
        for window in cases {
            let mut expected = elements(&window, 1000, &block);
            expected.sort_unstable();
            assert_eq!(of_pieces(&window, 1000, &block), expected, "{window:?}");
            assert_eq!(window.bytes(&block), expected.len() as u64 * 4);
        }
    }

    #[test]
    fn an_axis_that_wraps_once_is_two_pieces() {
        let axis = AxisWindow { lo: 0, len: 6, start: 7, period: 10 };
        let pieces = window(&[axis]).pieces(100, &desc(&[(6, 4)]));
        let found: Vec<(u64, u64, u64)> =
            pieces.iter().map(|it| (it.base, it.desc.dims[0].extent, it.at)).collect();
        assert_eq!(found, [(128, 3, 0), (100, 3, 12)]);
    }
}
