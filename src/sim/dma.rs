//! Blocks of HBM that DMA commands move: their bounds, whether two overlap, and whose memory they
//! lie in.

use super::hbm::{Touched, Walk};
use crate::command::{Code, DescId, LaneId, LaneSpec, Lanes, Window};
use crate::ir::{DmaDesc, DmaDim};
use crate::launch::{AddressMap, Fault};
use crate::topology::PeId;

/// What one DMA command touches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Block {
    pub(super) base: u64,
    shape: Shape,
    pub(super) writes: bool,
    /// The lowest byte, and one past the highest.
    lo: u64,
    hi: u64,
}

/// How what is touched lies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// As a descriptor says.
    Strided(DescId),
    /// As a descriptor says, in part.
    Window(DescId, Window),
    /// Anywhere in a tensor.
    Lanes(LaneId),
    /// Lanes whose addresses no data decides.
    Known(LaneId),
    /// So many rows of so many bytes, so far apart.
    Rows(u64, u64, u64),
}

/// Where the memory is, who asks for it, and how many bytes a burst has.
type Place<'a> = (&'a AddressMap, PeId, u64);

/// The part of a transfer that lies in one PE's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) owner: PeId,
    pub(super) touched: Touched,
}

impl Block {
    /// What of the block of `desc` from `base` on a window shows.
    pub(super) fn new(
        code: &Code,
        (base, desc, window): (u64, DescId, Option<Window>),
        writes: bool,
    ) -> Block {
        if let Some(window) = window {
            let pieces = window.pieces(base, &code.descs[desc]);
            let all = pieces.iter().map(|piece| bounds(piece.base, &piece.desc));
            let join = |(lo, hi): (u64, u64), (from, to): (u64, u64)| (lo.min(from), hi.max(to));
            let (lo, hi) = all.reduce(join).unwrap_or((base, base));
            return Block { base, shape: Shape::Window(desc, window), writes, lo, hi };
        }
        let (lo, hi) = bounds(base, &code.descs[desc]);
        Block { base, shape: Shape::Strided(desc), writes, lo, hi }
    }

    /// Lanes that may be anywhere in the tensor that their base lies in, or is nearest to.
    pub(super) fn of_lanes(memory: &AddressMap, lanes: &Lanes, writes: bool) -> Block {
        let tensor = memory.nearest(lanes.base).map(|region| &memory.regions()[region]);
        let (lo, hi) = tensor.map_or((lanes.base, lanes.base.saturating_add(1)), |region| {
            (region.base, region.base.saturating_add(region.bytes))
        });
        Block { base: lanes.base, shape: Shape::Lanes(lanes.spec), writes, lo, hi }
    }

    /// What an atomic command changes: lanes that are known where no data decides them.
    pub(super) fn of_atomic(memory: &AddressMap, lanes: &Lanes, spec: &LaneSpec) -> Block {
        if spec.index.is_some() || spec.mask.is_some() {
            return Block::of_lanes(memory, lanes, true);
        }
        let (lo, hi) = bounds(lanes.base, &block_of(spec));
        Block { base: lanes.base, shape: Shape::Known(lanes.spec), writes: true, lo, hi }
    }

    /// `rows` rows of `width` bytes, `pitch` bytes apart.
    pub(super) fn of_rows(base: u64, (rows, width, pitch): (u64, u64, u64), writes: bool) -> Block {
        let last = rows.saturating_sub(1).saturating_mul(pitch);
        let hi = base.saturating_add(last).saturating_add(if rows == 0 { 0 } else { width });
        Block { base, shape: Shape::Rows(rows, width, pitch), writes, lo: base, hi }
    }

    /// The bytes of a block of rows.
    pub(super) fn row_bytes(&self) -> u64 {
        if let Shape::Rows(rows, width, _) = self.shape { rows.saturating_mul(width) } else { 0 }
    }

    /// Whether both move a byte and one of them writes. Two blocks of rows with one distance are
    /// told apart exactly if a row is no longer than the distance; of others, the bounds decide.
    pub(super) fn conflicts(&self, other: &Block, code: &Code) -> bool {
        if !(self.writes || other.writes) || self.lo >= other.hi || other.lo >= self.hi {
            return false;
        }
        let rows = |block: &Block| match block.shape {
            Shape::Strided(desc) => Rows::of(block.base, &code.descs[desc]),
            Shape::Window(desc, window) => {
                let pieces = window.pieces(block.base, &code.descs[desc]);
                let [only] = pieces.as_slice() else { return None };
                Rows::of(only.base, &only.desc)
            }
            Shape::Rows(_, width, pitch) => Rows::tight(block.base, width, pitch),
            Shape::Lanes(_) | Shape::Known(_) => None,
        };
        match (rows(self), rows(other)) {
            (Some(a), Some(b)) if a.distance == b.distance => a.share_columns(&b),
            _ => true,
        }
    }

    /// Calls `visit(address, bytes)` for each row of bytes that it moves; where data says which, for the
    /// whole tensor.
    pub(super) fn each_row(&self, code: &Code, visit: &mut dyn FnMut(u64, u64)) {
        let mut each = |base: u64, desc: &DmaDesc| {
            let went = each_run(base, desc, &mut |at, bytes| {
                visit(at, bytes);
                Ok(())
            });
            debug_assert!(went.is_ok(), "the visit never fails");
        };
        match self.shape {
            Shape::Strided(desc) => each(self.base, &code.descs[desc]),
            Shape::Window(desc, window) => {
                let pieces = window.pieces(self.base, &code.descs[desc]);
                pieces.iter().for_each(|piece| each(piece.base, &piece.desc));
            }
            Shape::Known(spec) => each(self.base, &block_of(&code.lanes[spec])),
            Shape::Lanes(_) => visit(self.lo, self.hi - self.lo),
            Shape::Rows(rows, width, pitch) => {
                for row in 0..rows {
                    visit(self.base + row * pitch, width);
                }
            }
        }
    }

    /// Whose memory it lies in: into `pieces`, one for each owner, in the order of their first
    /// bytes.
    ///
    /// # Errors
    /// The first address that no tensor has.
    pub(super) fn find_owners(
        &self,
        code: &Code,
        place: Place<'_>,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), Fault> {
        pieces.clear();
        match self.shape {
            Shape::Strided(desc) => self.find_rows(&code.descs[desc], place, pieces),
            Shape::Window(desc, window) => {
                for piece in window.pieces(self.base, &code.descs[desc]) {
                    let (lo, hi) = bounds(piece.base, &piece.desc);
                    let part = Block { base: piece.base, lo, hi, ..*self };
                    part.find_rows(&piece.desc, place, pieces)?;
                }
                Ok(())
            }
            Shape::Lanes(spec) => self.spread(code.lanes[spec].bursts(place.2), place, pieces),
            Shape::Known(spec) => self.find_rows(&block_of(&code.lanes[spec]), place, pieces),
            Shape::Rows(rows, width, pitch) => {
                let dim = |extent, stride: u64| DmaDim { extent, stride: stride as i64 };
                let dims = vec![dim(rows, pitch), dim(width, 1)];
                self.find_rows(&DmaDesc { dims, elem_bytes: 1 }, place, pieces)
            }
        }
    }

    /// Spreads `bursts` evenly over the tensor: each shard gets as many as its part of the bytes.
    fn spread(
        &self,
        bursts: u64,
        (memory, pe, burst): Place<'_>,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), Fault> {
        let region = &memory.regions()[memory.find(self.lo, self.hi - self.lo)?];
        let Some(shards) = region.placement.shards(pe) else {
            add(pieces, pe, (self.lo, bursts.saturating_mul(burst)), burst);
            return Ok(());
        };
        let before = |offset: u64| {
            let part = u128::from(bursts) * u128::from(offset) / u128::from(region.bytes.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        for shard in shards {
            let own = before(shard.offset + shard.bytes) - before(shard.offset);
            if own > 0 {
                let at = region.base + shard.offset;
                add(pieces, shard.pe, (at, own.saturating_mul(burst)), burst);
            }
        }
        Ok(())
    }

    /// The rows of a block, in the order of their addresses; where it does not lie in one tensor,
    /// in its own order, so that the first byte outside is found.
    fn find_rows(
        &self,
        desc: &DmaDesc,
        (memory, pe, burst): Place<'_>,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), Fault> {
        if desc.bytes() == 0 {
            return Ok(());
        }
        let mut visit = |at: u64, bytes: u64| {
            let mut from = at;
            memory.owners(pe, at, bytes, &mut |owner, bytes| {
                add(pieces, owner, (from, bytes), burst);
                from += bytes;
            })
        };
        if !self.is_inside(memory) {
            return each_run(self.base, desc, &mut visit);
        }
        let walk = Walk::of(self.lo, desc, burst);
        walk.each(&mut visit)?;
        if !walk.is_filled() {
            pieces.iter_mut().for_each(|piece| piece.touched.set_sparse());
        }
        Ok(())
    }

    /// Whether all of it lies in one tensor.
    pub(super) fn is_inside(&self, memory: &AddressMap) -> bool {
        self.lo == self.hi || memory.find(self.lo, self.hi - self.lo).is_ok()
    }
}

/// Adds a row of bytes to what lies in a PE's memory.
fn add(pieces: &mut Vec<Piece>, owner: PeId, (at, bytes): (u64, u64), burst: u64) {
    match pieces.iter_mut().rev().find(|piece| piece.owner == owner) {
        Some(piece) => piece.touched.add(at, bytes, burst),
        None => pieces.push(Piece { owner, touched: Touched::row(at, bytes, burst) }),
    }
}

/// Lanes without an index as a block.
fn block_of(spec: &LaneSpec) -> DmaDesc {
    let axes = spec.shape.0.iter().zip(&spec.strides);
    let dims = axes.map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
    DmaDesc { dims: dims.collect(), elem_bytes: spec.dtype.bytes() }
}

/// The lowest byte of a block and one past its highest.
fn bounds(base: u64, desc: &DmaDesc) -> (u64, u64) {
    let (mut lo, mut hi) = (i128::from(base), i128::from(base));
    for dim in &desc.dims {
        let reach = i128::from(dim.extent.saturating_sub(1)) * i128::from(dim.stride);
        lo += reach.min(0);
        hi += reach.max(0);
    }
    hi += i128::from(desc.elem_bytes);
    let fit = |at: i128| u64::try_from(at.max(0)).unwrap_or(u64::MAX);
    // A block that begins below address 0 wraps to where nothing is mapped.
    if lo < 0 { (u64::MAX - 1, u64::MAX) } else { (fit(lo), fit(hi)) }
}

/// Calls `visit(address, bytes)` for each contiguous run, in order.
fn each_run(
    base: u64,
    desc: &DmaDesc,
    visit: &mut dyn FnMut(u64, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (outer, run) = match desc.dims.split_last() {
        Some((last, outer)) if last.stride == desc.elem_bytes as i64 => {
            (outer, last.extent.saturating_mul(desc.elem_bytes))
        }
        _ => (desc.dims.as_slice(), desc.elem_bytes),
    };
    let mut index = vec![0u64; outer.len()];
    let mut at = base;
    loop {
        visit(at, run)?;
        let mut axis = outer.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return Ok(()) };
            axis = next;
            let dim = &outer[axis];
            index[axis] += 1;
            at = at.wrapping_add_signed(dim.stride);
            if index[axis] < dim.extent {
                break;
            }
            let back = (dim.extent as i64).wrapping_mul(dim.stride);
            at = at.wrapping_add_signed(back.wrapping_neg());
            index[axis] = 0;
        }
    }
}

/// A block as rows of bytes at one distance, none longer than that.
struct Rows {
    distance: u64,
    /// Where rows begin, modulo the distance.
    column: u64,
    width: u64,
}

impl Rows {
    fn of(base: u64, desc: &DmaDesc) -> Option<Rows> {
        let (distance, width) = match desc.dims.as_slice() {
            [rows, columns] if columns.stride == desc.elem_bytes as i64 => {
                (rows.stride, columns.extent.checked_mul(desc.elem_bytes)?)
            }
            [rows] => (rows.stride, desc.elem_bytes),
            _ => return None,
        };
        Rows::tight(base, width, u64::try_from(distance).ok()?)
    }

    /// Rows of `width` bytes that do not overlap.
    fn tight(base: u64, width: u64, distance: u64) -> Option<Rows> {
        let fits = distance > 0 && width <= distance;
        fits.then(|| Rows { distance, column: base % distance, width })
    }

    /// Whether some column is in both; columns wrap at the distance.
    fn share_columns(&self, other: &Rows) -> bool {
        let ahead = (other.column + self.distance - self.column) % self.distance;
        ahead < self.width || self.distance - ahead < other.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{Placement, Region, Shard};

    fn code(descs: &[&[(u64, i64)]]) -> Code {
        let mut code = Code::default();
        for dims in descs {
            let dims =
                dims.iter().map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
            code.descs.push(DmaDesc { dims: dims.collect(), elem_bytes: 2 });
        }
        code
    }

    fn bytes_of(base: u64, desc: &DmaDesc) -> Vec<u64> {
        let mut bytes = Vec::new();
        each_run(base, desc, &mut |at, count| {
            bytes.extend(at..at + count);
            Ok(())
        })
        .unwrap();
        bytes
    }

    #[test]
    fn neighbouring_columns_of_a_matrix_do_not_conflict() {
        // Tiles of 4 x 8 elements of a matrix of 64-byte rows.
        let code = code(&[&[(4, 64), (8, 2)], &[(8, 2)], &[(4, 64)], &[(4, -64), (8, 2)]]);
        let block = |base, desc, writes| Block::new(&code, (base, DescId(desc), None), writes);
        for (a, b) in [(0, 16), (0, 48), (0, 8), (0, 64), (48, 64), (130, 0), (0, 256)] {
            let (first, second) = (block(1024 + a, 0, true), block(1024 + b, 0, false));
            let shared = bytes_of(1024 + a, &code.descs[DescId(0)])
                .iter()
                .any(|byte| bytes_of(1024 + b, &code.descs[DescId(0)]).contains(byte));
            let apart = a / 64 * 64 + 256 <= b;
            assert_eq!(first.conflicts(&second, &code), shared && !apart, "{a} {b}");
        }
        assert!(!block(0, 0, false).conflicts(&block(0, 0, false), &code));
        assert!(block(0, 0, true).conflicts(&block(8, 1, false), &code));
        assert!(!block(0, 2, true).conflicts(&block(2, 2, true), &code));
        assert_eq!((block(1024, 3, true).lo, block(1024, 3, true).hi), (832, 1040));
        assert_eq!(block(0, 3, true).lo, u64::MAX - 1);
    }

    #[test]
    fn pieces_add_up_by_owner() {
        let code = code(&[&[(4, 64), (8, 2)], &[(100, 2)], &[(3, 0)]]);
        let shard = |offset, pe| Shard { offset, bytes: 128, pe: PeId(pe) };
        let placement = Placement::Sharded(vec![shard(0, 5), shard(128, 9)]);
        let region = Region { name: "x".into(), base: 1000, bytes: 256, placement };
        let memory = AddressMap::new(vec![region]);
        let pieces = |base, desc: u32| {
            let (desc, mut pieces) = (DescId(desc), Vec::new());
            Block::new(&code, (base, desc, None), false)
                .find_owners(&code, (&memory, PeId(0), 256), &mut pieces)
                .map(|()| pieces)
        };
        let seen = |base, desc| -> Vec<(u32, u64)> {
            let found: Vec<Piece> = pieces(base, desc).unwrap();
            found.iter().map(|it| (it.owner.0, it.touched.bytes(256))).collect()
        };
        // Two rows touch bytes 1000..1080, which two bursts of 256 hold, and two 1128..1208, one.
        assert_eq!(seen(1000, 0), [(5, 512), (9, 256)]);
        assert_eq!(seen(1056, 1), [(5, 72), (9, 128)]);
        // The same two bytes thrice: their burst once.
        assert_eq!(seen(1100, 2), [(5, 256)]);
        // Rows begin at 1100, 1164, 1228 and 1292; the last is the first that is outside.
        assert_eq!(pieces(1100, 0).unwrap_err().address, 1292);
        assert_eq!(pieces(10, 0).unwrap_err().address, 10);
    }
}
