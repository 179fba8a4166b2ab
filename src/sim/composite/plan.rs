//! What the stages of one composite take: how many tiles, how many bytes each, and how long.

use crate::command::{CompositeCmd, CompositeSpec, Source, TileBlock};
use crate::ir::{Head, Scope};
use crate::sim::costs;
use crate::sim::dma::Block;
use crate::topology::{MathParams, PeParams};
use crate::units::Ps;

/// The tiles of one composite.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    spec: CompositeSpec,
    a: Source,
    b: Option<Source>,
    out: u64,
    /// Which operands are streamed: 0 for the left one, 1 for the right one.
    streams: Vec<usize>,
    /// Places between two stages.
    pub(super) buffers: u64,
    /// Tiles along k.
    depth: u64,
}

/// What the vector engine does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MathTask {
    /// The product of a step, before it is added.
    Product(u64),
    /// An output tile.
    Output(u64),
    /// The whole result.
    Whole,
}

impl Plan {
    pub(super) fn new(spec: &CompositeSpec, it: &CompositeCmd, buffers: u32) -> Plan {
        let streamed = [Some(spec.a), spec.b].map(|it| it.is_some_and(|it| it.is_streamed));
        Plan {
            a: it.a,
            b: it.b,
            out: it.out,
            streams: (0..2).filter(|side| streamed[*side]).collect(),
            buffers: buffers.max(1).into(),
            depth: spec.tile_counts()[2],
            spec: spec.clone(),
        }
    }

    /// Multiply-adds, and elements of the vector engine.
    pub(super) fn amounts(&self) -> (u64, u64) {
        (self.spec.macs(), self.spec.elements())
    }

    /// Steps: tiles along k of all output tiles.
    pub(super) fn steps(&self) -> u64 {
        self.spec.tile_steps()
    }

    /// Output tiles.
    pub(super) fn outputs(&self) -> u64 {
        self.steps() / self.depth
    }

    /// The output tile that a step adds to.
    pub(super) fn output_of(&self, step: u64) -> u64 {
        step / self.depth
    }

    /// The last step of an output tile.
    pub(super) fn last_step(&self, output: u64) -> u64 {
        output * self.depth + self.depth - 1
    }

    /// Whether the matrix engine takes part.
    pub(super) fn has_gemm(&self) -> bool {
        self.spec.head == Head::Gemm
    }

    /// Whether the vector engine changes the product of each step.
    pub(super) fn has_product_tasks(&self) -> bool {
        self.has_gemm() && self.spec.has(Scope::KTile)
    }

    /// Whether the vector engine goes over each output tile.
    pub(super) fn has_output_tasks(&self) -> bool {
        self.spec.chain(Scope::OutputTile).next().is_some()
    }

    /// Whether the result is held whole before it is written.
    pub(super) fn is_held_whole(&self) -> bool {
        self.spec.has(Scope::Kernel)
    }

    /// Transfers from memory for each step.
    pub(super) fn streams(&self) -> u64 {
        self.streams.len() as u64
    }

    /// Write-backs.
    pub(super) fn write_backs(&self) -> u64 {
        if self.is_held_whole() { 1 } else { self.outputs() }
    }

    // ------------------------------------------------------------------ the vector engine's tasks

    fn tasks_per_output(&self) -> u64 {
        let products = if self.has_product_tasks() { self.depth } else { 0 };
        products + u64::from(self.has_output_tasks())
    }

    /// How many tasks the vector engine has.
    pub(super) fn math_tasks(&self) -> u64 {
        self.outputs() * self.tasks_per_output() + u64::from(self.is_held_whole())
    }

    /// Task `index` of the vector engine.
    pub(super) fn math_task(&self, index: u64) -> MathTask {
        let each = self.tasks_per_output();
        if index >= self.outputs() * each {
            return MathTask::Whole;
        }
        let (output, place) = (index / each, index % each);
        if self.has_product_tasks() && place < self.depth {
            return MathTask::Product(output * self.depth + place);
        }
        MathTask::Output(output)
    }

    /// The place among all of a task.
    pub(super) fn math_index(&self, task: MathTask) -> u64 {
        let each = self.tasks_per_output();
        match task {
            MathTask::Product(step) => step / self.depth * each + step % self.depth,
            MathTask::Output(output) => output * each + each - 1,
            MathTask::Whole => self.outputs() * each,
        }
    }

    /// How long a task takes; a chain of ops on one tile pays the overhead once.
    pub(super) fn math_time(&self, task: MathTask, engine: &MathParams) -> Ps {
        let (scope, elements) = match task {
            MathTask::Product(step) => (Scope::KTile, self.spec.tile_step(step).0.elements()),
            MathTask::Output(output) => (Scope::OutputTile, self.output(output).elements()),
            MathTask::Whole => (Scope::Kernel, self.spec.m.saturating_mul(self.spec.n)),
        };
        let each = |class| u64::from(engine.cycles(class));
        let pass: u64 = self.spec.chain(scope).map(each).sum();
        let cycles = elements.div_ceil(u64::from(engine.lanes.max(1))).saturating_mul(pass);
        engine.overhead + engine.clock.time(cycles)
    }

    // ------------------------------------------------------------------ other stages

    fn output(&self, output: u64) -> TileBlock {
        self.spec.tile_step(self.last_step(output)).0
    }

    /// Bytes that a step fetches: its tiles of both operands.
    pub(super) fn fetched_bytes(&self, step: u64) -> u64 {
        let sources = self.spec.tile_sources(step);
        let of = |side: usize| {
            let spec = if side == 0 { Some(self.spec.a) } else { self.spec.b };
            let bytes = spec.map_or(0, |spec| spec.dtype.bytes());
            sources[side].map_or(0, |tile| tile.elements().saturating_mul(bytes))
        };
        of(0).saturating_add(of(1))
    }

    /// How long the matrix engine takes over a step.
    pub(super) fn gemm_time(&self, step: u64, pe: &PeParams) -> Ps {
        let (out, (_, depth)) = self.spec.tile_step(step);
        let Some(mut product) = self.spec.product(depth) else { return Ps::ZERO };
        (product.m, product.n) = (out.rows, out.columns);
        costs::gemm(&product, &pe.gemm).time
    }

    /// Bytes of an output tile that are stored.
    pub(super) fn stored_bytes(&self, output: u64) -> u64 {
        let dtype = if self.is_held_whole() { self.spec.works } else { self.spec.out };
        self.output(output).elements().saturating_mul(dtype.bytes())
    }

    /// The block of memory that transfer `number` of the streams reads.
    pub(super) fn read_block(&self, number: u64) -> Option<Block> {
        let side = *self.streams.get((number % self.streams()) as usize)?;
        let tile = self.spec.tile_sources(number / self.streams())[side]?;
        let (source, spec) =
            if side == 0 { (self.a, self.spec.a) } else { (self.b?, self.spec.b?) };
        let Source::Memory(base) = source else { return None };
        let columns = self.spec.source_columns()[side];
        Some(block((base, columns), spec.dtype.bytes(), tile, false))
    }

    /// The block of memory that write-back `number` writes.
    pub(super) fn write_block(&self, number: u64) -> Block {
        let (rows, columns) = (self.spec.m, self.spec.n);
        let whole = TileBlock { row: 0, column: 0, rows, columns };
        let tile = if self.is_held_whole() { whole } else { self.output(number) };
        block((self.out, columns), self.spec.out.bytes(), tile, true)
    }

    /// All of memory that is read or written, a block for each operand.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let bytes = self.spec.source_bytes();
        let source = |side: usize| if side == 0 { Some(self.a) } else { self.b };
        let mut blocks = Vec::new();
        for side in &self.streams {
            if let Some(Source::Memory(base)) = source(*side) {
                blocks.push(Block::of_rows(base, (1, bytes[*side], bytes[*side]), false));
            }
        }
        let out = self.spec.out_bytes();
        blocks.push(Block::of_rows(self.out, (1, out, out), true));
        blocks
    }
}

/// A tile of a matrix of `columns` elements a row that lies at `base`.
fn block((base, columns): (u64, u64), size: u64, tile: TileBlock, writes: bool) -> Block {
    let pitch = columns.saturating_mul(size);
    let first = tile.row.saturating_mul(pitch).saturating_add(tile.column.saturating_mul(size));
    let width = tile.columns.saturating_mul(size);
    Block::of_rows(base.saturating_add(first), (tile.rows, width, pitch), writes)
}
