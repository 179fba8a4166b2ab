//! Ops that move elements between memory and tiles, and how a transfer lies in memory; the list that
//! holds the ops with the others is in [`op`](super::op).

use super::{Uses, Value};
use crate::ops;

/// A contiguous block of memory as a tile. `ptr` is a byte address (`i64`) or a pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The address of its first element.
    pub ptr: Value,
}

/// A tile to a contiguous block of memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// The address of its first element.
    pub ptr: Value,
    /// The tile.
    pub value: Value,
}

/// One element for each lane of the result: lane `(i, j, …)` is at
/// `ptr + strides[0] * i + strides[1] * j + … + offsets[i, j, …]`, counted in elements of the
/// result's type. Offsets, mask and `other` are repeated to the shape of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct GatherLoad {
    /// Where lanes are counted from: a byte address (`i64`) or a pointer.
    pub ptr: Value,
    /// Elements from lane to lane along each axis; empty for none.
    pub strides: Vec<i64>,
    /// A tile of integers; `None` where the strides say it all.
    pub offsets: Option<Value>,
    /// `i1`: which lanes are read; all of them without.
    pub mask: Option<Value>,
    /// What the other lanes hold; 0 without.
    pub other: Option<Value>,
}

/// Writes one element for each lane of `value`, at addresses as in [`GatherLoad`]. Of lanes with
/// one address the last in row-major order stays.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterStore {
    /// Where lanes are counted from: a byte address (`i64`) or a pointer.
    pub ptr: Value,
    /// Elements from lane to lane along each axis; empty for none.
    pub strides: Vec<i64>,
    /// A tile of integers; `None` where the strides say it all.
    pub offsets: Option<Value>,
    /// The elements.
    pub value: Value,
    /// `i1`: which lanes are written; all of them without.
    pub mask: Option<Value>,
}

/// Reads one element for each lane, combines it and writes it back as one, at addresses as in
/// [`GatherLoad`]; lanes with one address do so one after another, in row-major order. Gives what
/// each lane found, or nothing where nobody asks; masked-off lanes find 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Atomic {
    /// Which.
    pub op: ops::AtomicOp,
    /// Where lanes are counted from: a byte address (`i64`) or a pointer.
    pub ptr: Value,
    /// Elements from lane to lane along each axis; empty for none.
    pub strides: Vec<i64>,
    /// A tile of integers; `None` where the strides say it all.
    pub offsets: Option<Value>,
    /// The other operand, for each lane.
    pub value: Value,
    /// What a compare-and-swap expects to find, of the type of `value`; no other op has it.
    pub expected: Option<Value>,
    /// `i1`: which lanes take part; all of them without.
    pub mask: Option<Value>,
}

/// An N-d block of memory: the element at index `(i, j, …)` is at
/// `base + i * dims[0].stride + j * dims[1].stride + …`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DmaDesc {
    /// Outermost first; contiguous axes are merged into one.
    pub dims: Vec<DmaDim>,
    /// Bytes of one element.
    pub elem_bytes: u64,
}

/// One axis of a [`DmaDesc`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DmaDim {
    /// How many.
    pub extent: u64,
    /// How far apart, in bytes.
    pub stride: i64,
}

impl DmaDesc {
    /// Bytes moved.
    pub fn bytes(&self) -> u64 {
        self.dims.iter().fold(self.elem_bytes, |bytes, dim| bytes.saturating_mul(dim.extent))
    }

    /// Whether it is one contiguous run.
    pub fn is_contiguous(&self) -> bool {
        match self.dims.as_slice() {
            [] => true,
            [only] => only.stride == self.elem_bytes as i64,
            _ => false,
        }
    }
}

/// What of a block is moved, and where it wraps round: known only as a program runs. Axes are
/// those of the descriptor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// The axes that are moved in part, each once.
    pub clips: Vec<Clip>,
    /// The axes that wrap round, each once.
    pub wraps: Vec<Wrap>,
}

/// The indices `lo..hi` of an axis are moved, as far as the axis has them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    /// The axis.
    pub axis: u32,
    /// The first, `i64`; from the start of the axis without.
    pub lo: Option<Value>,
    /// The one past the last, `i64`; to the end of the axis without.
    pub hi: Option<Value>,
}

/// Index `i` of an axis lies `(start + i) mod period` steps from the base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wrap {
    /// The axis.
    pub axis: u32,
    /// Where index 0 lies, `i64`, not negative.
    pub start: Value,
    /// How many steps there are.
    pub period: u64,
}

impl Window {
    /// Whether it is the whole block, without gaps.
    pub fn is_whole(&self) -> bool {
        self.clips.is_empty() && self.wraps.is_empty()
    }
}

impl Uses for Window {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        for clip in &self.clips {
            clip.lo.for_each_use(visit);
            clip.hi.for_each_use(visit);
        }
        self.wraps.iter().for_each(|wrap| visit(wrap.start));
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        for clip in &mut self.clips {
            clip.lo.replace_uses(replace);
            clip.hi.replace_uses(replace);
        }
        self.wraps.iter_mut().for_each(|wrap| wrap.start = replace(wrap.start));
    }
}

/// [`Load`] or [`GatherLoad`] once its addresses are known as a descriptor.
#[derive(Clone, Debug, PartialEq)]
pub struct DmaRead {
    /// The byte address of the first element, `i64`.
    pub base: Value,
    /// What is read.
    pub desc: DmaDesc,
    /// What of it is read.
    pub window: Window,
    /// What the rest of the tile holds, a scalar; 0 without.
    pub fill: Option<Value>,
}

/// [`Store`] or [`ScatterStore`] once its addresses are known as a descriptor.
#[derive(Clone, Debug, PartialEq)]
pub struct DmaWrite {
    /// The byte address of the first element, `i64`.
    pub base: Value,
    /// What is written.
    pub desc: DmaDesc,
    /// What of it is written; the rest is left as it is.
    pub window: Window,
    /// The tile.
    pub value: Value,
}
