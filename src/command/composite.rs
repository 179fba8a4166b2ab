//! Tile pipelines: what a composite computes, and how it is cut.

use super::{ArgSpec, FactorSpec, GemmSpec, MathArg, TileRef};
use crate::dtype::DType;
use crate::id;
use crate::ir::{Head, MAX_STEP_OPERANDS, Scope, StepOp};
use crate::ops::CostClass;

id! {
    /// What a composite computes.
    CompositeId, "c";
}

/// What a composite computes: `out[m, n]` of `a` and `b`, tile by tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CompositeSpec {
    /// What comes before the epilogue.
    pub head: Head,
    /// Rows of the result.
    pub m: u64,
    /// Columns of the result.
    pub n: u64,
    /// Products summed; 1 for a [`Head::Math`].
    pub k: u64,
    /// How the left operand is read, over m and k (m and n for a [`Head::Math`]).
    pub a: SourceSpec,
    /// How the right operand is read, over k and n (m and n for a [`Head::Math`]).
    pub b: Option<SourceSpec>,
    /// The type in which the head computes.
    pub sums: DType,
    /// The type in which the epilogue computes.
    pub works: DType,
    /// The type of the result, which lies row by row.
    pub out: DType,
    /// The steps of the epilogue, in the order of their scopes.
    pub steps: Vec<StepSpec>,
    /// The extents of a tile along m, n and k.
    pub tile: [u64; 3],
}

/// How an operand of a composite is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceSpec {
    /// Its element type.
    pub dtype: DType,
    /// Elements from row to row and from column to column.
    pub strides: [i64; 2],
    /// Whether it lies in memory and comes tile by tile; else it is a tile in TCM.
    pub is_streamed: bool,
}

/// A step of an epilogue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepSpec {
    /// What it does.
    pub op: StepOp,
    /// Over what it runs.
    pub scope: Scope,
    /// How its operand is read, over m and n.
    pub operand: Option<ArgSpec>,
}

/// Where an operand of a composite is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// A tile in TCM.
    Tile(TileRef),
    /// A block of memory, from this virtual address on.
    Memory(u64),
}

/// Runs a tile pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompositeCmd {
    /// What it computes.
    pub spec: CompositeId,
    /// The left operand.
    pub a: Source,
    /// The right operand.
    pub b: Option<Source>,
    /// The operands of the steps that have one, in their order.
    pub args: [Option<MathArg>; MAX_STEP_OPERANDS],
    /// The virtual address of the result.
    pub out: u64,
    /// Its number among the composites of this agent, from 0.
    pub number: u64,
}

/// Waits for a composite to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompositeWait {
    /// Its number.
    pub number: u64,
}

/// The place of a tile of a composite: its first row and column, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileBlock {
    /// The first row.
    pub row: u64,
    /// The first column.
    pub column: u64,
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
}

impl TileBlock {
    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        self.rows.saturating_mul(self.columns)
    }
}

impl CompositeSpec {
    /// The extents of a tile as they are used: no longer than the block, and one long row where a
    /// [`Head::Math`] has one row only.
    pub fn tile_extents(&self) -> [u64; 3] {
        let [m, n, k] = self.tile.map(|extent| extent.max(1));
        let n = if self.m == 1 && self.head != Head::Gemm { m.saturating_mul(n) } else { n };
        [m.min(self.m.max(1)), n.min(self.n.max(1)), k.min(self.k.max(1))]
    }

    /// Tiles along m, n and k: at least one each.
    pub fn tile_counts(&self) -> [u64; 3] {
        let [m, n, k] = self.tile_extents();
        [self.m.div_ceil(m).max(1), self.n.div_ceil(n).max(1), self.k.div_ceil(k).max(1)]
    }

    /// Steps of the pipeline: tiles along k of all output tiles.
    pub fn tile_steps(&self) -> u64 {
        self.tile_counts().into_iter().fold(1, u64::saturating_mul)
    }

    /// The output tile that step `step` adds to, and the range of k that it sums.
    pub fn tile_step(&self, step: u64) -> (TileBlock, (u64, u64)) {
        let [_, columns, depths] = self.tile_counts();
        let [m, n, k] = self.tile_extents();
        let (output, depth) = (step / depths, step % depths * k);
        let (row, column) = (output / columns * m, output % columns * n);
        let block = TileBlock {
            row,
            column,
            rows: m.min(self.m.saturating_sub(row)),
            columns: n.min(self.n.saturating_sub(column)),
        };
        (block, (depth, k.min(self.k.saturating_sub(depth))))
    }

    /// What step `step` reads of the left and of the right operand.
    pub fn tile_sources(&self, step: u64) -> [Option<TileBlock>; 2] {
        let (out, (depth, depths)) = self.tile_step(step);
        let b = self.b.is_some();
        match self.head {
            Head::Gemm => [
                Some(TileBlock { column: depth, columns: depths, ..out }),
                b.then_some(TileBlock { row: depth, rows: depths, ..out }),
            ],
            Head::Math(_) => [Some(out), b.then_some(out)],
        }
    }

    /// Columns of the left and of the right operand: elements from row to row in memory.
    pub fn source_columns(&self) -> [u64; 2] {
        if self.head == Head::Gemm { [self.k, self.n] } else { [self.n, self.n] }
    }

    /// Rows of the left and of the right operand.
    pub fn source_rows(&self) -> [u64; 2] {
        if self.head == Head::Gemm { [self.m, self.k] } else { [self.m, self.m] }
    }

    /// Bytes of the left and of the right operand, all of it.
    pub fn source_bytes(&self) -> [u64; 2] {
        let [rows, columns] = [self.source_rows(), self.source_columns()];
        let size = |dtype: DType| dtype.bytes();
        let b = self.b.map_or(0, |b| size(b.dtype));
        [(0, size(self.a.dtype)), (1, b)]
            .map(|(side, size)| rows[side].saturating_mul(columns[side]).saturating_mul(size))
    }

    /// Bytes that come from memory tile by tile: the left operand once for each column of tiles,
    /// the right one once for each row.
    pub fn streamed_bytes(&self) -> u64 {
        let [rows, columns, _] = self.tile_counts();
        let [a, b] = self.source_bytes();
        let times = if self.head == Head::Gemm { [columns, rows] } else { [1, 1] };
        let a = if self.a.is_streamed { a.saturating_mul(times[0]) } else { 0 };
        let streams_b = self.b.is_some_and(|b| b.is_streamed);
        a.saturating_add(if streams_b { b.saturating_mul(times[1]) } else { 0 })
    }

    /// Bytes of the result.
    pub fn out_bytes(&self) -> u64 {
        self.m.saturating_mul(self.n).saturating_mul(self.out.bytes())
    }

    /// Its multiply-adds.
    pub fn macs(&self) -> u64 {
        if self.head != Head::Gemm {
            return 0;
        }
        self.m.saturating_mul(self.n).saturating_mul(self.k)
    }

    /// Elements that the vector engine goes over.
    pub fn elements(&self) -> u64 {
        let [_, _, depths] = self.tile_counts();
        let whole = self.m.saturating_mul(self.n);
        let of = |scope| self.chain(scope).count() as u64;
        let each = of(Scope::KTile).saturating_mul(depths);
        whole.saturating_mul(each + of(Scope::OutputTile) + of(Scope::Kernel))
    }

    /// Whether any step is of this scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.steps.iter().any(|step| step.scope == scope)
    }

    /// What the vector engine does to each element for a scope, op after op: the steps, the
    /// addition of what a `k_tile` epilogue has changed, and what a [`Head::Math`] computes.
    pub fn chain(&self, scope: Scope) -> impl Iterator<Item = CostClass> + '_ {
        let own = match (scope, self.head) {
            (Scope::KTile, _) => self.has(Scope::KTile).then_some(CostClass::Simple),
            (Scope::OutputTile, Head::Math(Some(op))) => Some(op.cost_class()),
            (Scope::OutputTile, Head::Math(None)) => {
                (!self.has(Scope::OutputTile)).then_some(CostClass::Simple)
            }
            (Scope::OutputTile, Head::Gemm) | (Scope::Kernel, _) => None,
        };
        let steps = self.steps.iter().filter(move |step| step.scope == scope);
        own.into_iter().chain(steps.map(|step| match step.op {
            StepOp::Unary(op) => op.cost_class(),
            StepOp::Binary(op) => op.cost_class(),
        }))
    }

    /// The matrix product that the head is, over part of k and of the whole result.
    pub fn product(&self, depths: u64) -> Option<GemmSpec> {
        let b = self.b.filter(|_| self.head == Head::Gemm)?;
        let factor = |it: SourceSpec| {
            let [row, column] = it.strides;
            FactorSpec { dtype: it.dtype, strides: [0, row, column] }
        };
        Some(GemmSpec {
            batch: 1,
            m: self.m,
            n: self.n,
            k: depths,
            a: factor(self.a),
            b: factor(b),
            out: self.sums,
        })
    }
}
