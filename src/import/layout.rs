//! Sizes and addresses: what a message of so many bytes makes of a plan's chunks.
//!
//! Every chunk has the same length on every rank, in every buffer. Buffers follow each other in the
//! address space, those of rank *r* in the memory of PE *r*; buffers that the caller aliases share
//! addresses.

use super::schema::{BufferType, Plan, Protocol};
use super::{PlanOptions, Refused};
use crate::command::channel::{RankBuffer, RankMemory};
use crate::diag::plans as codes;
use crate::launch::{AddressMap, Placement, Region, Shard};
use crate::topology::PeId;
use crate::units::grouped;

/// Where the first buffer begins.
const FIRST_ADDRESS: u64 = 0x1_0000_0000;

/// What buffers are aligned to.
const ALIGNMENT: u64 = 1 << 16;

/// Bytes of all buffers together that are still laid out.
const MAX_BYTES: u64 = 1 << 38;

/// What the device addresses of the pool that plans with `reuse_resources` share.
const POOL_BYTES: u64 = 1 << 26;

/// Where everything lies.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The bytes of a chunk.
    pub(super) chunk: u64,
    /// The bytes of the message, as they were rounded up.
    pub(super) message: u64,
    /// What splits are multiples of.
    pub(super) alignment: u64,
    /// The ranks.
    pub(super) ranks: Vec<RankLayout>,
    /// Who holds what.
    pub(super) map: AddressMap,
}

/// Where the buffers of one rank lie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RankLayout {
    /// The buffers.
    pub(super) memory: RankMemory,
    /// What even launches add to addresses in scratch.
    pub(super) half: u64,
    /// From a chunk of scratch to the next.
    pub(super) stride: u64,
    /// What pipelines take offsets in scratch modulo; 0 where scratch is no ring.
    pub(super) ring: u64,
    /// Bytes of scratch that a launch addresses.
    pub(super) room: u64,
    /// Chunks of input, output and scratch.
    pub(super) chunks: [u32; 3],
}

impl RankLayout {
    /// The buffer of a type.
    pub(super) fn buffer(&self, buffer: BufferType) -> RankBuffer {
        match buffer {
            BufferType::Input => self.memory.input,
            BufferType::Output => self.memory.output,
            BufferType::Scratch => self.memory.scratch,
        }
    }
}

/// How the chunks of a collective relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Input and output are alike.
    Same,
    /// The output has all inputs.
    Gather,
    /// The input has all outputs.
    Scatter,
    /// Nothing is known.
    Free,
}

/// The addresses that buffers have been given, one after another.
struct Space {
    regions: Vec<Region>,
    next: u64,
}

impl Space {
    /// Memory of `rank` for a buffer of so many bytes.
    fn allocate(&mut self, rank: u32, name: &str, bytes: u64) -> RankBuffer {
        let base = self.next;
        if bytes > 0 {
            let placement = Placement::Sharded(vec![Shard { offset: 0, bytes, pe: PeId(rank) }]);
            let name = format!("{name} of rank {rank}");
            self.regions.push(Region { name, base, bytes, placement });
        }
        let end = self.next.saturating_add(bytes).saturating_add(ALIGNMENT);
        self.next = end / ALIGNMENT * ALIGNMENT;
        RankBuffer { base, bytes }
    }

    /// The input and output of `rank`: where the collective's kind has one lie in the other, it is the
    /// rank's own part of it.
    fn ends(&mut self, rank: u32, kind: Kind, [input, output]: [u64; 2]) -> [RankBuffer; 2] {
        let within = |whole: RankBuffer, bytes: u64| RankBuffer {
            base: whole.base + u64::from(rank) * bytes,
            bytes,
        };
        match kind {
            Kind::Same => [self.allocate(rank, "buffer", input); 2],
            Kind::Gather => {
                let whole = self.allocate(rank, "output", output);
                [within(whole, input), whole]
            }
            Kind::Scatter => {
                let whole = self.allocate(rank, "input", input);
                [whole, within(whole, output)]
            }
            Kind::Free => {
                let input = self.allocate(rank, "input", input);
                [input, self.allocate(rank, "output", output)]
            }
        }
    }
}

impl Layout {
    /// The layout of `plan` for a message of `options.bytes`, rounded up.
    pub(super) fn new(
        plan: &Plan,
        kind: Kind,
        options: &PlanOptions,
    ) -> Result<Layout, Box<Refused>> {
        check_counts(plan, kind)?;
        let alignment = plan.buffer_alignment;
        if !(1..=1 << 20).contains(&alignment) {
            let message = format!("buffer_alignment is {alignment}, expected 1 to 1,048,576");
            return Err(Refused::at(codes::BAD_SIZES, "buffer_alignment", message));
        }
        let most = |count: fn(&super::schema::Gpu) -> u32| plan.gpus.iter().map(count).max();
        let chunks = most(|it| it.input_chunks).max(most(|it| it.output_chunks)).unwrap_or(0);
        let chunks = u64::from(chunks.max(1));
        let element = options.dtype.bytes();
        let grain = if alignment.is_multiple_of(element) { alignment } else { alignment * element };
        let chunk = options.bytes.div_ceil(chunks).div_ceil(grain).max(1).saturating_mul(grain);
        let mut layout = Layout {
            chunk,
            message: chunk.saturating_mul(chunks),
            alignment: grain,
            ranks: Vec::new(),
            map: AddressMap::default(),
        };
        layout.place(plan, kind)?;
        Ok(layout)
    }

    /// Gives the buffers of every rank their addresses.
    fn place(&mut self, plan: &Plan, kind: Kind) -> Result<(), Box<Refused>> {
        let mut space = Space { regions: Vec::new(), next: FIRST_ADDRESS };
        for (rank, gpu) in (0u32..).zip(&plan.gpus) {
            let of = |chunks: u32| u64::from(chunks).saturating_mul(self.chunk);
            let bytes = [of(gpu.input_chunks), of(gpu.output_chunks)];
            let kind = if plan.inplace { kind } else { Kind::Free };
            let [input, output] = space.ends(rank, kind, bytes);
            let mut layout = self.scratch(plan, gpu.scratch_chunks);
            let halves = if plan.use_double_scratch_buffer { 2 } else { 1 };
            let scratch = space.allocate(rank, "scratch", layout.room.saturating_mul(halves));
            layout.chunks = [gpu.input_chunks, gpu.output_chunks, gpu.scratch_chunks];
            layout.memory =
                RankMemory { input, output, scratch, chunk: self.chunk, ..RankMemory::default() };
            self.ranks.push(layout);
        }
        let taken = space.next - FIRST_ADDRESS;
        if taken > MAX_BYTES {
            let (all, most) = (grouped(taken), grouped(MAX_BYTES));
            let message = format!("the buffers take {all} B together, more than {most} B");
            return Err(Refused::at(codes::BAD_SIZES, "gpus", message));
        }
        self.map = AddressMap::new(space.regions);
        Ok(())
    }

    /// How `chunks` of scratch lie.
    fn scratch(&self, plan: &Plan, chunks: u32) -> RankLayout {
        let count = u64::from(chunks);
        let halves = if plan.use_double_scratch_buffer { 2 } else { 1 };
        let pool = POOL_BYTES / halves;
        let pooled = pool.checked_div(count).unwrap_or(pool).next_multiple_of(self.alignment);
        let is_ring = plan.reuse_resources && pooled < self.chunk;
        let stride = if is_ring { pooled } else { self.chunk };
        let packets = plan.protocol == Protocol::LL || plan.reuse_resources;
        let plain = stride.saturating_mul(count);
        let room = plain.saturating_mul(if packets { 2 } else { 1 });
        let half = if plan.use_double_scratch_buffer { room } else { 0 };
        let ring = if is_ring { pooled } else { 0 };
        RankLayout { half, stride, ring, room, ..RankLayout::default() }
    }

    /// The first byte of slice `index` of `count` of `bytes`: multiples of the alignment, earlier
    /// slices get what is over.
    pub(super) fn slice(&self, bytes: u64, index: u32, count: u32) -> u64 {
        let (index, count) = (u64::from(index), u64::from(count.max(1)));
        let units = bytes / self.alignment;
        self.alignment * (index * (units / count) + index.min(units % count))
    }
}

/// Whether the chunks of all ranks are what the collective makes of them.
fn check_counts(plan: &Plan, kind: Kind) -> Result<(), Box<Refused>> {
    let ranks = plan.gpus.len() as u32;
    let Some(first) = plan.gpus.first().filter(|_| kind != Kind::Free) else { return Ok(()) };
    let wanted = (first.input_chunks, first.output_chunks);
    for (rank, gpu) in plan.gpus.iter().enumerate() {
        let (input, output) = (gpu.input_chunks, gpu.output_chunks);
        let fits = match kind {
            Kind::Same => input == output,
            Kind::Gather => input.checked_mul(ranks) == Some(output),
            Kind::Scatter => output.checked_mul(ranks) == Some(input),
            Kind::Free => true,
        };
        if !fits || (input, output) != wanted || input == 0 || output == 0 {
            let message = format!(
                "rank {rank} has {input} chunks of input and {output} of output, which `{}` of \
                 {ranks} ranks does not have",
                plan.collective
            );
            let path = format!("gpus[{rank}].input_chunks");
            return Err(Refused::at(codes::BAD_SIZES, path, message));
        }
    }
    Ok(())
}
