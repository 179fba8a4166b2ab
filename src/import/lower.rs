//! From ops to codes: one for each thread block, which loops over the launches.

use std::collections::BTreeMap;

use super::connect::Connections;
use super::layout::Layout;
use super::listing::Listing;
use super::operands::Scope;
use super::schema::{Block, ChannelType, Op, OpName, Plan};
use super::{PlanOptions, Refused, Semantics, data, meet};
use crate::arena::Arena;
use crate::command::channel::{
    Acquire, AwaitSignal, BlockBarrier, BlockSync, ChannelOp, ChannelTemplate, Channels,
    Definition, Flush, KernelEnd, ListId, Release, Semaphore, Signal, Unit,
};
use crate::command::{
    Agent, Code, CodeId, Comm, GridShape, Inst, Operand, Pc, Program, Reg, Site, Template,
};
use crate::diag::plans as codes;
use crate::ir::Literal;
use crate::source::Span;
use crate::topology::PeId;

/// Ops of a block that the device has room for.
const DEVICE_OPS: usize = 64;
/// Channels that one op of the device may name.
const DEVICE_CHANNELS: usize = 8;
/// Operands on one side that one op of the device may have.
const DEVICE_OPERANDS: usize = 10;

/// The launch, from 1.
const LAUNCH: Reg = Reg(3);
/// The byte that a pipeline has come to.
const OFFSET: Reg = Reg(4);

/// What a plan came to.
pub(super) struct Lowered {
    pub(super) program: Program,
    pub(super) listing: String,
    pub(super) refused: Vec<Refused>,
    pub(super) warnings: Vec<Refused>,
}

type Result<T> = std::result::Result<T, Box<Refused>>;

/// The program of `plan`; not to be used if anything was refused.
pub(super) fn lower(
    plan: &Plan,
    layout: &Layout,
    options: &PlanOptions,
    definition: Option<Definition>,
) -> Lowered {
    let mut refused = Vec::new();
    let connections = Connections::of(plan, &mut refused);
    let channels = Channels {
        ranks: layout.ranks.iter().map(|it| it.memory).collect(),
        ends: connections.ends.clone(),
        semaphores: semaphores(plan),
        barriers: 0,
        launches: options.launches,
        threads: plan.num_threads_per_block,
        dtype: Some(options.dtype),
        definition,
    };
    let program = Program {
        name: plan.name.clone(),
        codes: Arena::new(),
        agents: Arena::new(),
        grid: GridShape::Flat([1, 1, 1]),
        comm: Comm::none(),
        memory: layout.map.clone(),
        channels,
    };
    let mut lowering = Lowering {
        program,
        barriers: BTreeMap::new(),
        listing: Listing::default(),
        refused,
        warnings: Vec::new(),
    };
    for (rank, gpu) in (0u32..).zip(&plan.gpus) {
        lowering.rank_begins(rank, gpu.id);
        for (place, block) in (0u32..).zip(&gpu.threadblocks) {
            let semantics = options.semantics;
            let scope = Scope { plan, layout, connections: &connections, semantics, rank, block };
            lowering.block(scope, place, options.launches);
        }
        lowering.rank_ends(rank, options.launches);
    }
    lowering.program.channels.barriers = lowering.barriers.len() as u32;
    lowering.program.grid = GridShape::Flat([lowering.program.agents.len() as u32, 1, 1]);
    let Lowering { program, listing, refused, warnings, .. } = lowering;
    Lowered { program, listing: listing.text, refused, warnings }
}

fn semaphores(plan: &Plan) -> Vec<Semaphore> {
    let of_rank = |(rank, gpu): (u32, &super::schema::Gpu)| {
        let entry = move |(number, it): (u32, &super::schema::SemaphoreEntry)| Semaphore {
            rank,
            number,
            initial: it.init_value,
        };
        (0u32..).zip(gpu.semaphores.clone()).map(move |(n, it)| entry((n, &it))).collect::<Vec<_>>()
    };
    (0u32..).zip(&plan.gpus).flat_map(of_rank).collect()
}

struct Lowering {
    program: Program,
    /// Barriers by rank and id.
    barriers: BTreeMap<(u32, u32), u32>,
    listing: Listing,
    refused: Vec<Refused>,
    warnings: Vec<Refused>,
}

/// A code in the making.
pub(super) struct Body<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) code: Code,
    pub(super) unit: Unit,
    /// The key path of the block.
    path: String,
    place: u32,
}

impl Body<'_> {
    fn push(&mut self, inst: Inst, span: Span) -> Pc {
        self.code.insts.push(inst);
        self.code.spans.push(span);
        Pc(self.code.insts.len() as u32 - 1)
    }

    fn issue(&mut self, op: ChannelOp, number: &str, span: Span) {
        let offset = match self.unit.bytes {
            0 => Operand::Const(Literal::Int(0)),
            _ => Operand::Reg(OFFSET),
        };
        let template = ChannelTemplate { op, launch: Operand::Reg(LAUNCH), offset };
        let site = self.code.sites.push(Site { template: Template::Channel(template), span });
        self.code.site_names.push(number.to_owned());
        self.push(Inst::Issue { site }, span);
    }

    /// Begins a loop of `var` from `lo` below `hi`; its end is not known yet.
    fn begin_loop(&mut self, var: Reg, [lo, hi, step]: [i64; 3], span: Span) -> Pc {
        let [lo, hi, step] = [lo, hi, step].map(|it| Operand::Const(Literal::Int(it)));
        self.push(Inst::LoopBegin { var, lo, hi, step, end: Pc(0) }, span)
    }

    fn end_loop(&mut self, begin: Pc, span: Span) {
        let at = self.push(Inst::LoopEnd { begin }, span);
        if let Inst::LoopBegin { end, .. } = &mut self.code.insts[begin.0 as usize] {
            *end = at;
        }
    }
}

impl Lowering {
    fn rank_begins(&mut self, rank: u32, id: u32) {
        if id != rank {
            let (path, message) = (format!("gpus[{rank}].id"), format!("entry {rank} has id {id}"));
            self.refused.push(*Refused::at(codes::BAD_INDEX, path, message));
        }
        let first = self.program.agents.len() as u32;
        self.program.channels.ranks[rank as usize].first_agent = first;
    }

    /// A rank without anything to do still runs its kernel.
    fn rank_ends(&mut self, rank: u32, launches: u32) {
        let ranks = &mut self.program.channels.ranks;
        let agents = self.program.agents.len() as u32 - ranks[rank as usize].first_agent;
        ranks[rank as usize].agents = agents.max(1);
        if agents > 0 {
            return;
        }
        let mut code = Code { name: format!("r{rank} idle"), ..Code::default() };
        let span = self.listing.heading(&format!("r{rank}: nothing to do"));
        finish(&mut code, (Vec::new(), span), launches);
        self.add_agent(rank, 0, code);
    }

    fn add_agent(&mut self, rank: u32, block: u32, code: Code) {
        let code: CodeId = self.program.codes.push(code);
        let first = self.program.agents.len() as u32;
        let lane = u16::try_from(block).unwrap_or(u16::MAX);
        let agent = Agent { pe: PeId(rank), lane, code, first, step: 1, count: 1 };
        self.program.agents.push(agent);
    }

    fn block(&mut self, scope: Scope<'_>, place: u32, launches: u32) {
        let Scope { rank, block, .. } = scope;
        let path = format!("gpus[{rank}].threadblocks[{place}]");
        if block.id != place {
            let message = format!("entry {place} has id {}", block.id);
            self.refused.push(*Refused::at(codes::BAD_INDEX, format!("{path}.id"), message));
        }
        if block.ops.is_empty() {
            return;
        }
        let code = Code { name: format!("r{rank} tb{place}"), ..Code::default() };
        let mut body = Body { scope, code, unit: Unit::default(), path, place };
        let head = self.listing.heading(&format!("r{rank} tb{place}:"));
        let head = body.scope.plan.written.unwrap_or(head);
        let begin = body.begin_loop(LAUNCH, [1, i64::from(launches) + 1, 1], head);
        self.ops(&mut body, &block.ops, None);
        self.check_limits(&body, block);
        self.check_meetings(&body, block);
        let end = self.listing.heading(&format!("r{rank} tb{place} end of the kernel"));
        let end = body.scope.plan.written.unwrap_or(end);
        body.issue(ChannelOp::KernelEnd(KernelEnd {}), "end", end);
        body.end_loop(begin, end);
        body.push(Inst::End, end);
        body.code.regs = 5;
        self.add_agent(rank, place, body.code);
    }

    fn ops(&mut self, body: &mut Body<'_>, ops: &[Op], outer: Option<usize>) {
        for (index, op) in ops.iter().enumerate() {
            let (number, path) = match outer {
                None => (index.to_string(), format!("{}.ops[{index}]", body.path)),
                Some(outer) => {
                    (format!("{outer}.{index}"), format!("{}.ops[{outer}].ops[{index}]", body.path))
                }
            };
            let done = if op.name == OpName::Pipeline {
                self.pipeline(body, (op, index, outer), &path)
            } else {
                self.op(body, (op, &number), &path)
            };
            if let Err(refused) = done {
                self.refused.push(*refused);
            }
        }
    }

    fn pipeline(
        &mut self,
        body: &mut Body<'_>,
        (op, index, outer): (&Op, usize, Option<usize>),
        path: &str,
    ) -> Result<()> {
        if outer.is_some() {
            return Err(Refused::at(codes::BAD_OP, path, "a pipeline lies in a pipeline"));
        }
        let Some(context) = op.iter_context else {
            return Err(Refused::at(codes::MISSING_KEY, path, "a pipeline has no `iter_context`"));
        };
        let unit = i64::try_from(context.unit_size).unwrap_or(0);
        if unit <= 0 {
            let (path, size) = (format!("{path}.iter_context.unit_size"), context.unit_size);
            let message = format!("a pipeline goes on by {size} bytes");
            return Err(Refused::at(codes::BAD_SIZES, path, message));
        }
        let chunks = u64::from(context.num_chunks);
        let bytes = body.scope.layout.chunk.saturating_mul(chunks);
        let place = (body.scope.rank, body.place, index.to_string());
        let text = format!("{} B at a time of {chunks} chunks", context.unit_size);
        let listed = self.listing.op((place.0, place.1, &place.2), op, &text);
        let span = op.span.unwrap_or(listed);
        let hi = i64::try_from(bytes).unwrap_or(i64::MAX);
        let begin = body.begin_loop(OFFSET, [0, hi, unit], span);
        let overruns = body.scope.semantics == Semantics::Device;
        body.unit = Unit { bytes: context.unit_size, overruns };
        self.ops(body, &op.ops, Some(index));
        body.unit = Unit::default();
        body.end_loop(begin, span);
        Ok(())
    }

    /// An op that is no pipeline.
    fn op(&mut self, body: &mut Body<'_>, (op, number): (&Op, &str), path: &str) -> Result<()> {
        let (command, text) = match op.name {
            OpName::Nop => (ChannelOp::BlockSync(BlockSync {}), String::new()),
            OpName::Barrier => self.barrier(body, op, path)?,
            OpName::Signal | OpName::RelaxedSignal => {
                let (channels, text) = self.ends(body, op, path)?;
                let relaxed = op.name == OpName::RelaxedSignal;
                (ChannelOp::Signal(Signal { channels, relaxed }), text)
            }
            OpName::Wait | OpName::RelaxedWait => {
                let (channels, text) = self.ends(body, op, path)?;
                let relaxed = op.name == OpName::RelaxedWait;
                (ChannelOp::AwaitSignal(AwaitSignal { channels, relaxed }), text)
            }
            OpName::Flush => {
                let (channels, text) = self.ends(body, op, path)?;
                if body.scope.semantics == Semantics::Device {
                    // The device goes over the targets of the op, of which it has none.
                    return Ok(());
                }
                (ChannelOp::Flush(Flush { channels }), text)
            }
            OpName::SemAcquire | OpName::SemRelease => self.semaphores(body, op, path)?,
            OpName::GroupLoadReduce => data::group_load_reduce(body, op, path)?,
            OpName::Copy
            | OpName::Put
            | OpName::PutWithSignal
            | OpName::PutWithSignalAndFlush
            | OpName::Get
            | OpName::Reduce
            | OpName::ReduceSend
            | OpName::ReadReduce
            | OpName::ReadReduceSend
            | OpName::GroupLoadReduceStore
            | OpName::GroupStore
            | OpName::CopyPackets
            | OpName::UnpackPackets
            | OpName::PutPackets
            | OpName::ReadPutPackets
            | OpName::ReducePackets
            | OpName::ReduceSendPackets
            | OpName::ReduceCopyPackets
            | OpName::ReduceCopySendPackets
            | OpName::GroupStorePackets
            | OpName::Pipeline => data::data(body, op, path)?,
        };
        let listed = self.listing.op((body.scope.rank, body.place, number), op, &text);
        let span = op.span.unwrap_or(listed);
        body.issue(command, number, span);
        Ok(())
    }

    fn barrier(&mut self, body: &Body<'_>, op: &Op, path: &str) -> Result<(ChannelOp, String)> {
        let (Some(id), Some(blocks)) = (op.barrier_id, op.num_threadblocks) else {
            let message = "a barrier has no `barrier_id` or no `num_threadblocks`";
            return Err(Refused::at(codes::MISSING_KEY, path, message));
        };
        let next = self.barriers.len() as u32;
        let barrier = *self.barriers.entry((body.scope.rank, id)).or_insert(next);
        let text = format!("{id} of {blocks} blocks");
        Ok((ChannelOp::BlockBarrier(BlockBarrier { barrier, blocks }), text))
    }

    /// The ends of the channels that an op names.
    fn ends(&mut self, body: &mut Body<'_>, op: &Op, path: &str) -> Result<(ListId, String)> {
        let Some(channel) = op.channel_type else {
            let message = format!("`{}` has no `channel_type`", op.name.name());
            return Err(Refused::at(codes::MISSING_KEY, path, message));
        };
        if op.channel_ids.is_empty() || (op.name == OpName::Flush && channel != ChannelType::Port) {
            let message = format!("`{}` needs channels of a type that has it", op.name.name());
            return Err(Refused::at(codes::BAD_OP, path, message));
        }
        let mut ends = Vec::with_capacity(op.channel_ids.len());
        for (place, id) in op.channel_ids.iter().enumerate() {
            ends.push(body.scope.end(channel, *id, &format!("{path}.channel_ids[{place}]"))?);
        }
        let peer = |end: &u32| {
            let end = &body.scope.connections.ends[*end as usize];
            format!("r{}#{}", end.peer, end.number)
        };
        let text = ends.iter().map(peer).collect::<Vec<_>>().join(" ");
        Ok((body.code.lists.push(ends), text))
    }

    fn semaphores(
        &mut self,
        body: &mut Body<'_>,
        op: &Op,
        path: &str,
    ) -> Result<(ChannelOp, String)> {
        let (rank, count) = (body.scope.rank, body.scope.gpu().semaphores.len());
        if let Some(place) = op.semaphore_ids.iter().position(|id| *id as usize >= count) {
            let id = op.semaphore_ids[place];
            let path = format!("{path}.semaphore_ids[{place}]");
            let message = format!("rank {rank} has {count} semaphores, so there is no number {id}");
            return Err(Refused::at(codes::BAD_INDEX, path, message));
        }
        let all = &self.program.channels.semaphores;
        let first = all.partition_point(|it| it.rank < rank) as u32;
        let semaphores =
            body.code.lists.push(op.semaphore_ids.iter().map(|id| first + id).collect());
        let text = op.semaphore_ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        let command = if op.name == OpName::SemAcquire {
            ChannelOp::Acquire(Acquire { semaphores })
        } else {
            ChannelOp::Release(Release { semaphores })
        };
        Ok((command, text))
    }

    /// Warns of what the structures of the device have no room for.
    /// Tells of the first op of the plan before which threads should have met.
    fn check_meetings(&mut self, body: &Body<'_>, block: &Block) {
        if self.warnings.iter().any(|it| it.code.id == codes::NO_MEETING.id) {
            return;
        }
        let Some((path, message)) = meet::missing(block) else { return };
        let mut it = *Refused::at(codes::NO_MEETING, format!("{}.{path}", body.path), message);
        it.help = Some(String::from(if body.scope.plan.written.is_some() {
            "leave `data_sync` out, or say \"both\": the threads meet before and after"
        } else {
            "put `{\"name\": \"nop\"}` before it"
        }));
        self.warnings.push(it);
    }

    fn check_limits(&mut self, body: &Body<'_>, block: &Block) {
        if body.scope.semantics != Semantics::Device {
            return;
        }
        let all: Vec<&Op> =
            block.ops.iter().flat_map(|op| std::iter::once(op).chain(&op.ops)).collect();
        let mut warn = |path: String, message: String| {
            self.warnings.push(*Refused::at(codes::DEVICE_LIMIT, path, message));
        };
        if all.len() > DEVICE_OPS {
            let count = all.len();
            let message =
                format!("the thread block has {count} ops; the device loads {DEVICE_OPS}");
            warn(format!("{}.ops", body.path), message);
        }
        for (index, op) in block.ops.iter().enumerate() {
            let path = format!("{}.ops[{index}]", body.path);
            let (channels, operands) =
                (op.channel_ids.len(), op.src_buff.len().max(op.dst_buff.len()));
            if channels > DEVICE_CHANNELS {
                let message = format!(
                    "the op names {channels} channels; the device has room for {DEVICE_CHANNELS}"
                );
                warn(path, message);
            } else if operands > DEVICE_OPERANDS {
                let message = format!(
                    "the op has {operands} operands; the device has room for {DEVICE_OPERANDS}"
                );
                warn(path, message);
            }
        }
    }
}

/// The code of a block that does nothing but run its kernel.
fn finish(code: &mut Code, (_, span): (Vec<Op>, Span), launches: u32) {
    let literal = |value: i64| Operand::Const(Literal::Int(value));
    let template = ChannelTemplate {
        op: ChannelOp::KernelEnd(KernelEnd {}),
        launch: Operand::Reg(LAUNCH),
        offset: literal(0),
    };
    let site = code.sites.push(Site { template: Template::Channel(template), span });
    let (lo, hi, step) = (literal(1), literal(i64::from(launches) + 1), literal(1));
    code.insts = vec![
        Inst::LoopBegin { var: LAUNCH, lo, hi, step, end: Pc(2) },
        Inst::Issue { site },
        Inst::LoopEnd { begin: Pc(0) },
        Inst::End,
    ];
    code.spans = vec![span; code.insts.len()];
    code.regs = 5;
}
