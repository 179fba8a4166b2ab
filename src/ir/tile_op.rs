//! Ops that pick, order and combine the elements of tiles; the list that holds them with the others
//! is in [`op`](super::op).

use super::{BlockId, Value};
use crate::ops;

/// Some of the elements along an axis: `start`, `start + step`, …, as many as the result's type
/// says. Element `i` of the result along `axis` is element `start + i * step` of `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What is viewed.
    pub x: Value,
    /// The axis.
    pub axis: u32,
    /// The first element taken.
    pub start: u64,
    /// Distance, at least 1.
    pub step: u64,
}

/// The elements along an axis in the opposite order.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// What is viewed.
    pub x: Value,
    /// The axis.
    pub axis: u32,
}

/// The bits of each element as another element type of the same width.
#[derive(Clone, Debug, PartialEq)]
pub struct Bitcast {
    /// What is viewed.
    pub x: Value,
}

/// `x` followed by `y` along an axis; the other extents agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    /// The first part.
    pub x: Value,
    /// The second part, of the same element type.
    pub y: Value,
    /// The axis that grows.
    pub axis: u32,
}

/// Running combination along an axis: element `i` of the result is
/// `((x[0] op x[1]) op …) op x[i]`, each step rounded to the element type. With `reverse` it goes
/// from the last element to the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// What combines two elements.
    pub op: ops::BinaryOp,
    /// What is scanned.
    pub x: Value,
    /// The axis.
    pub axis: u32,
    /// Whether it goes from the last element to the first.
    pub reverse: bool,
}

/// How [`Sort`] goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortKind {
    /// Any elements: stable, NaNs behind every number (before, if descending).
    Full,
    /// Elements that first rise and then fall, or the other way round, are sorted by the last
    /// merge of a bitonic sorter: for each distance `n/2, n/4, …, 1`, elements that far apart
    /// change places where they are in the wrong order. The extent is a power of two.
    Merge,
}

/// The elements along the last axis in ascending order, or in descending order.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// How.
    pub kind: SortKind,
    /// What is sorted.
    pub x: Value,
    /// Whether the largest element comes first.
    pub descending: bool,
}

/// Elements of `x` named by their places along an axis: `result[…, i, …] = x[…, index[…, i, …], …]`.
/// The other extents agree. A place that is not there is an error of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// What is read.
    pub x: Value,
    /// The places, integers; of the result's shape.
    pub index: Value,
    /// The axis.
    pub axis: u32,
}

/// How often each integer from 0 up to but not including the result's extent occurs in a tile of
/// one axis; `i32`. Other integers, and those that a mask leaves out, do not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Integers.
    pub x: Value,
    /// `i1`, of the shape of `x`: which of them count.
    pub mask: Option<Value>,
}

/// Looks at a tile while a kernel runs, and changes nothing. Gives an `i1` of rank 0 that holds once it
/// has looked.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspect {
    /// What is done with what is seen.
    pub how: Inspection,
    /// The tile; of an assertion, `i1`.
    pub x: Value,
    /// What is said before the elements, or where the assertion does not hold.
    pub text: String,
}

/// What an [`Inspect`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inspection {
    /// Prints the elements.
    Print,
    /// Prints the text alone.
    Say,
    /// Refuses the run unless all elements are true.
    Assert,
}

impl Inspection {
    /// All of them.
    pub const ALL: [Inspection; 3] = [Inspection::Print, Inspection::Say, Inspection::Assert];

    /// Its word in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Inspection::Print => "print",
            Inspection::Say => "say",
            Inspection::Assert => "assert",
        }
    }
}

/// A reduction along one axis by a computation of its own, of several tiles of one shape together.
/// `combine` takes as many rank-0 tiles of the left as of the right, in the order of `xs`, and
/// yields their combination; it computes element by element. Neighbours are combined first: each
/// round combines elements 0 and 1, 2 and 3, …; an element left over at the end of a round joins
/// after the last round, the one left over last first.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceBy {
    /// What is reduced.
    pub xs: Vec<Value>,
    /// The axis that goes.
    pub axis: u32,
    /// Combines two elements.
    pub combine: BlockId,
}

/// A running combination along one axis by a computation of its own; see [`ReduceBy`] for
/// `combine`. Round `k` combines each element from `2^k` on with the one `2^k` before it. With
/// `reverse` the last element is the first.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanBy {
    /// What is scanned.
    pub xs: Vec<Value>,
    /// The axis.
    pub axis: u32,
    /// Whether it goes from the last element to the first.
    pub reverse: bool,
    /// Combines two elements.
    pub combine: BlockId,
}
