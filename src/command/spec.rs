//! What commands compute, told once a code: vector and matrix computations, and the lanes of
//! gathers and scatters.

use super::TextId;
use crate::dtype::{DType, Rounding};
use crate::ir::{Inspection, SortKind};
use crate::ops::{BinaryOp, CompareOp, CostClass, ReduceOp, TernaryOp, UnaryOp};
use crate::shape::Shape;

/// What a vector command computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MathOp {
    /// Elementwise.
    Unary(UnaryOp),
    /// Elementwise.
    Binary(BinaryOp),
    /// Elementwise.
    Ternary(TernaryOp),
    /// Elementwise; gives `i1`.
    Compare(CompareOp),
    /// The second operand where the first is not 0, else the third.
    Select,
    /// Conversion to the result's type.
    Cast(Rounding),
    /// The one scalar operand, everywhere.
    Full,
    /// `start, start + 1, …`.
    Arange(i64),
    /// The operand, laid out row by row.
    Copy,
    /// Along `axis` of the operand, or of all elements.
    Reduce(ReduceOp, Option<u32>),
    /// Running combination along an axis.
    Scan {
        /// What combines two elements.
        op: BinaryOp,
        /// The axis.
        axis: u32,
        /// Whether it goes from the last element to the first.
        reverse: bool,
    },
    /// Along the last axis.
    Sort {
        /// How.
        kind: SortKind,
        /// Whether the largest element comes first.
        descending: bool,
    },
    /// The second operand after the first.
    Concat {
        /// The axis that grows.
        axis: u32,
        /// The extent of the first operand along it.
        first: u64,
    },
    /// Elements of the first operand at the places in the second.
    Gather {
        /// The axis that places count along.
        axis: u32,
        /// The extent of the first operand along it.
        extent: u64,
    },
    /// True once it has looked at the elements: to print them, or to refuse the run where one is not
    /// true.
    Inspect(Inspection, TextId),
    /// How often each integer below `bins` occurs in the first operand where the second, if there
    /// is one, holds.
    Histogram {
        /// How many integers are counted.
        bins: u64,
    },
}

impl MathOp {
    /// The shape of operand `index` of an op that walks the shape `walked`; it may broadcast to
    /// it.
    pub fn arg_shape(self, index: usize, walked: &Shape) -> Shape {
        let mut shape = walked.clone();
        if let MathOp::Concat { axis, first } = self
            && let Some(extent) = shape.0.get_mut(axis as usize)
        {
            *extent = if index == 0 { first } else { extent.saturating_sub(first) };
        } else if let (MathOp::Gather { axis, extent: own }, 0) = (self, index)
            && let Some(extent) = shape.0.get_mut(axis as usize)
        {
            *extent = own;
        }
        shape
    }

    /// How many operands it may take, at least and at most.
    pub const fn arity(self) -> (usize, usize) {
        match self {
            MathOp::Arange(_) => (0, 0),
            MathOp::Unary(_)
            | MathOp::Cast(_)
            | MathOp::Full
            | MathOp::Copy
            | MathOp::Reduce(..)
            | MathOp::Inspect(..)
            | MathOp::Scan { .. }
            | MathOp::Sort { .. } => (1, 1),
            MathOp::Histogram { .. } => (1, 2),
            MathOp::Binary(_)
            | MathOp::Compare(_)
            | MathOp::Concat { .. }
            | MathOp::Gather { .. } => (2, 2),
            MathOp::Ternary(_) | MathOp::Select => (3, 3),
        }
    }
}

/// A vector computation: `out[i] = op(args[..][i])` over a shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MathSpec {
    /// The op.
    pub op: MathOp,
    /// The shape that is walked: the result's, or for a reduction or histogram its operand's.
    pub shape: Shape,
    /// How each operand is read over that shape.
    pub args: Vec<ArgSpec>,
    /// The type of the result, which is dense and row-major.
    pub out: DType,
    /// What it costs an element.
    pub cost: CostClass,
}

impl MathSpec {
    /// Elements of the result: one for each of the walked shape, but where an op says otherwise.
    pub fn result_elements(&self) -> u64 {
        if let MathOp::Inspect(..) = self.op {
            return 1;
        }
        let MathOp::Reduce(_, axis) = self.op else {
            let MathOp::Histogram { bins } = self.op else { return self.shape.elements() };
            return bins;
        };
        let Some(axis) = axis else { return 1 };
        let kept = self.shape.0.iter().enumerate().filter(|(index, _)| *index != axis as usize);
        kept.fold(1, |product: u64, (_, extent)| product.saturating_mul(*extent))
    }

    /// How often the engine goes over the elements: once; of *n* elements along an axis, a scan
    /// ⌈log₂ n⌉ times, a merge as often, and a sort once for each of its merges' passes.
    pub fn passes(&self) -> u64 {
        let doublings = |extent: u64| u64::from(extent.max(2).next_power_of_two().trailing_zeros());
        if let MathOp::Scan { axis, .. } = self.op {
            return doublings(self.shape.0.get(axis as usize).copied().unwrap_or(1));
        }
        let MathOp::Sort { kind, .. } = self.op else { return 1 };
        let merge = doublings(self.shape.0.last().copied().unwrap_or(1));
        match kind {
            SortKind::Merge => merge,
            SortKind::Full => merge * (merge + 1) / 2,
        }
    }
}

/// How an operand is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgSpec {
    /// Its element type.
    pub dtype: DType,
    /// Where in the tile its first element is, in elements.
    pub offset: u64,
    /// Its strides over the walked shape, in elements: 0 where it repeats, negative where it goes
    /// backwards; empty for a scalar.
    pub strides: Vec<i64>,
}

/// A matrix computation: `out[m, n] = a[m, k] · b[k, n] (+ acc[m, n])`, for each of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GemmSpec {
    /// How many products.
    pub batch: u64,
    /// Rows of a result.
    pub m: u64,
    /// Columns of a result.
    pub n: u64,
    /// Products summed.
    pub k: u64,
    /// How the left factors are read, over batch, m and k.
    pub a: FactorSpec,
    /// How the right factors are read, over batch, k and n.
    pub b: FactorSpec,
    /// The type of `acc` and of the results, which are dense and row-major.
    pub out: DType,
}

/// How a factor of a matrix computation is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FactorSpec {
    /// Its element type.
    pub dtype: DType,
    /// Its strides over the batch, its rows and its columns, in elements.
    pub strides: [i64; 3],
}

impl GemmSpec {
    /// One product of dense row-major factors: `[m, k] · [k, n]`.
    pub fn dense([m, n, k]: [u64; 3], input: DType, out: DType) -> GemmSpec {
        let factor = |columns: u64| FactorSpec { dtype: input, strides: [0, columns as i64, 1] };
        GemmSpec { batch: 1, m, n, k, a: factor(k), b: factor(n), out }
    }

    /// Its multiply-adds.
    pub fn macs(&self) -> u64 {
        [self.m, self.n, self.k].into_iter().fold(self.batch, u64::saturating_mul)
    }

    /// Elements of the result.
    pub fn elements(&self) -> u64 {
        self.batch.saturating_mul(self.m).saturating_mul(self.n)
    }

    /// The extents that the left factor is read over.
    pub fn a_shape(&self) -> Shape {
        Shape::new([self.batch, self.m, self.k])
    }

    /// The extents that the right factor is read over.
    pub fn b_shape(&self) -> Shape {
        Shape::new([self.batch, self.k, self.n])
    }
}

/// How the lanes of a gather or scatter lie in HBM, and how their operands are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaneSpec {
    /// The shape of the lanes: the result's, or the value's.
    pub shape: Shape,
    /// The element type in memory and in the tile.
    pub dtype: DType,
    /// Bytes from lane to lane along each axis, beside what the index says.
    pub strides: Vec<i64>,
    /// How the index is read: integers that count elements.
    pub index: Option<ArgSpec>,
    /// How the mask is read.
    pub mask: Option<ArgSpec>,
    /// How the tile that is written is read; for a gather, what masked-off lanes hold.
    pub value: Option<ArgSpec>,
}

impl LaneSpec {
    /// Bytes of all lanes.
    pub fn bytes(&self) -> u64 {
        self.shape.elements().saturating_mul(self.dtype.bytes())
    }

    /// Bytes that lie one after another whatever the index says: the lanes along the inner axes
    /// that the index does not tell apart and that have no gaps.
    pub fn run_bytes(&self) -> u64 {
        let mut run = self.dtype.bytes();
        for axis in (0..self.shape.rank()).rev() {
            let extent = self.shape.0[axis];
            let index = self.index.as_ref().and_then(|index| index.strides.get(axis));
            let told_apart = index.is_some_and(|stride| *stride != 0);
            let next = u64::try_from(self.strides[axis]) == Ok(run);
            if extent != 1 && (told_apart || !next) {
                break;
            }
            run = run.saturating_mul(extent);
        }
        run
    }

    /// Bursts of `burst` bytes that the lanes take, masked or not: each run begins one.
    pub fn bursts(&self, burst: u64) -> u64 {
        let run = self.run_bytes().max(1);
        (self.bytes() / run).saturating_mul(run.div_ceil(burst.max(1)))
    }
}
