//! From what ranks ask for to ops of thread blocks: each request is held to what channels,
//! chunks and thread blocks can do.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::declare::{Chunk, Declared, Place, counted};
use super::{Checked, Draft, MAX_BLOCKS, Problems, Recipe, Spot, Whose, problem};
use crate::diag::{Diagnostic, plans as codes};
use crate::import::schema::{BufferType, ChannelType, GroupSlice, IterContext, OpName, Reduce};
use crate::ir::{Asked, Verb};
use crate::source::Span;

/// The ops of each thread block of each rank.
pub(super) type Drafts = Vec<Vec<Vec<Draft>>>;

/// The ops of all ranks.
pub(super) fn ops(
    recipe: &Recipe<'_>,
    declared: &Declared,
    asked: &[Vec<Asked>],
    problems: &mut Problems,
) -> Drafts {
    let mut counts = Counts::default();
    let mut all = Vec::new();
    for (rank, asked) in (0u32..).zip(asked) {
        let mut it = RankOps {
            recipe,
            declared,
            rank,
            chunks: Vec::new(),
            blocks: Vec::new(),
            barriers: Vec::new(),
            pipeline: None,
            counts: &mut counts,
        };
        for asked in asked {
            if let Err(it) = it.request(asked) {
                problems.add(*it);
            }
        }
        all.push(it.blocks);
    }
    if problems.found.is_empty() {
        counts.check(problems);
    }
    all
}

/// A pipeline that is open.
struct Pipeline {
    context: IterContext,
    span: Span,
    blocks: BTreeMap<u32, Vec<Draft>>,
}

/// The ops of one rank.
struct RankOps<'a> {
    recipe: &'a Recipe<'a>,
    declared: &'a Declared,
    rank: u32,
    /// The chunks that it has named, and what is wrong with those that are none.
    chunks: Vec<Checked<Chunk>>,
    blocks: Vec<Vec<Draft>>,
    /// The thread blocks of each barrier.
    barriers: Vec<Vec<u32>>,
    pipeline: Option<Pipeline>,
    counts: &'a mut Counts,
}

/// A memory or port channel that is named.
#[derive(Clone, Copy)]
struct End {
    kind: ChannelType,
    number: u32,
    peer: u32,
}

impl RankOps<'_> {
    fn place(&self, it: &Asked) -> Place {
        let span = self.recipe.function.spans[it.op];
        Place { world: self.recipe.world, rank: self.rank, span }
    }

    /// Adds an op to its thread block.
    fn add(&mut self, block: u32, draft: Draft) {
        let list = match &mut self.pipeline {
            Some(pipeline) => pipeline.blocks.entry(block).or_default(),
            None => {
                let count = self.blocks.len().max(block as usize + 1);
                self.blocks.resize(count, Vec::new());
                &mut self.blocks[block as usize]
            }
        };
        list.push(draft);
    }

    fn request(&mut self, it: &Asked) -> Checked<()> {
        match it.verb {
            Verb::Collective
            | Verb::MemoryChannel
            | Verb::PortChannel
            | Verb::SwitchChannel
            | Verb::Buffer
            | Verb::Semaphore => Ok(()),
            Verb::Chunk => {
                let numbers = it.numbers.first().map_or(&[][..], Vec::as_slice);
                let chunk = self.declared.chunk(numbers, self.place(it));
                self.chunks.push(chunk.clone());
                chunk.map(drop)
            }
            Verb::Signal | Verb::Wait | Verb::Flush => self.synchronise(it),
            Verb::Acquire | Verb::Release => self.semaphore(it),
            Verb::Barrier => self.barrier(it),
            Verb::BeginPipeline => self.begin_pipeline(it),
            Verb::EndPipeline => {
                self.end_pipeline();
                Ok(())
            }
            Verb::Put
            | Verb::Get
            | Verb::PutPackets
            | Verb::ReadPutPackets
            | Verb::PutWithSignal
            | Verb::PutWithSignalAndFlush => self.transfer(it),
            Verb::Copy | Verb::CopyPackets | Verb::UnpackPackets => self.local(it),
            Verb::Reduce | Verb::ReadReduce => self.reduce(it),
            Verb::SwitchReduce | Verb::Broadcast | Verb::BroadcastPackets => self.switch(it),
        }
    }

    // ---------------------------------------------------------------- what requests name

    fn one(it: &Asked, group: usize) -> i64 {
        it.numbers.get(group).and_then(|group| group.first()).copied().unwrap_or(0)
    }

    fn end(&self, it: &Asked) -> Checked<End> {
        let is_port = it.says("port");
        let kind = if is_port { ChannelType::Port } else { ChannelType::Memory };
        let peers = &self.declared.ranks[self.rank as usize].peers[usize::from(is_port)];
        let number = Self::one(it, 0);
        let found = usize::try_from(number).ok().and_then(|at| peers.get(at));
        let Some((peer, _)) = found else {
            let (rank, name) = (self.rank, kind.name());
            let message = format!("rank {rank} has made no {name} channel number {number}");
            return Err(problem(codes::NO_SUCH_RANK, message, (self.place(it).span, "used here")));
        };
        Ok(End { kind, number: number as u32, peer: *peer })
    }

    fn block(&self, number: i64, span: Span) -> Checked<u32> {
        if (0..MAX_BLOCKS).contains(&number) {
            return Ok(number as u32);
        }
        let message = format!("thread block {number}, expected 0 to {}", MAX_BLOCKS - 1);
        Err(problem(codes::BLOCK_LIST, message, (span, "done by it")))
    }

    /// Thread blocks, each once.
    fn block_list(&self, it: &Asked, group: usize) -> Checked<Vec<u32>> {
        let span = self.place(it).span;
        let mut blocks = Vec::new();
        for number in it.numbers.get(group).into_iter().flatten() {
            let block = self.block(*number, span)?;
            if blocks.contains(&block) {
                let message = format!("thread block {block} is named twice");
                return Err(problem(codes::BLOCK_LIST, message, (span, "in this list")));
            }
            blocks.push(block);
        }
        if blocks.is_empty() {
            let message = "no thread block is named";
            return Err(problem(codes::BLOCK_LIST, message, (span, "the list is empty")));
        }
        Ok(blocks)
    }

    /// The chunk that is the number of a group.
    fn chunk(&self, it: &Asked, group: usize) -> Checked<Chunk> {
        self.chunk_number(it, Self::one(it, group))
    }

    fn chunk_number(&self, it: &Asked, number: i64) -> Checked<Chunk> {
        let found = usize::try_from(number).ok().and_then(|at| self.chunks.get(at));
        found.cloned().unwrap_or_else(|| {
            let message = format!("rank {} has named no chunk number {number}", self.rank);
            Err(problem(codes::NO_SUCH_RANK, message, (self.place(it).span, "used here")))
        })
    }

    /// Gives an op to its thread blocks, a slice to each of a group.
    fn give(&mut self, it: &Asked, blocks: &[u32], draft: &Draft) {
        let count = blocks.len() as u32;
        for (place, block) in (0u32..).zip(blocks) {
            let slice = GroupSlice { tb_id: place, tbg_size: count };
            let slice = it.says("group").then_some(slice);
            self.add(*block, Draft { slice, ..draft.clone() });
        }
    }

    // ---------------------------------------------------------------- synchronisation

    fn synchronised(it: &Asked, draft: Draft) -> Draft {
        let (both, before, after) = (it.says("both"), it.says("before"), it.says("after"));
        Draft { before: both || before, after: both || after, ..draft }
    }

    fn synchronise(&mut self, it: &Asked) -> Checked<()> {
        let (end, span) = (self.end(it)?, self.place(it).span);
        let block = self.block(Self::one(it, 1), span)?;
        let name = match (it.verb, it.says("relaxed")) {
            (Verb::Flush, _) => OpName::Flush,
            (Verb::Wait, false) => OpName::Wait,
            (Verb::Wait, true) => OpName::RelaxedWait,
            (_, false) => OpName::Signal,
            (_, true) => OpName::RelaxedSignal,
        };
        if name == OpName::Flush && end.kind != ChannelType::Port {
            let message = "a memory channel has nothing to flush: its puts are done by threads";
            return Err(problem(codes::BLOCK_LIST, message, (span, "asked for here")));
        }
        if it.verb == Verb::Wait {
            self.counts.add((end.peer, self.rank, end.kind), true, span);
        } else if it.verb == Verb::Signal {
            self.counts.add((self.rank, end.peer, end.kind), false, span);
        }
        let draft =
            Draft { kind: Some(end.kind), channels: vec![end.number], ..Draft::new(name, span) };
        self.add(block, Self::synchronised(it, draft));
        Ok(())
    }

    fn semaphore(&mut self, it: &Asked) -> Checked<()> {
        let span = self.place(it).span;
        let count = self.declared.ranks[self.rank as usize].semaphores.len();
        let number = Self::one(it, 0);
        let found = u32::try_from(number).ok().filter(|at| (*at as usize) < count);
        let Some(number) = found else {
            let message = format!("rank {} has made no semaphore number {number}", self.rank);
            return Err(problem(codes::NO_SUCH_RANK, message, (span, "used here")));
        };
        let block = self.block(Self::one(it, 1), span)?;
        let is_acquire = it.verb == Verb::Acquire;
        let name = if is_acquire { OpName::SemAcquire } else { OpName::SemRelease };
        let draft = Draft { semaphores: vec![number], ..Draft::new(name, span) };
        self.add(block, Self::synchronised(it, draft));
        Ok(())
    }

    fn barrier(&mut self, it: &Asked) -> Checked<()> {
        let span = self.place(it).span;
        self.own_rank(it, Self::one(it, 0))?;
        let blocks = self.block_list(it, 1)?;
        if let [only] = blocks.as_slice() {
            self.add(*only, Draft::nop(span));
            return Ok(());
        }
        let mut sorted = blocks.clone();
        sorted.sort_unstable();
        let known = self.barriers.iter().position(|list| *list == sorted);
        let number = known.unwrap_or_else(|| {
            self.barriers.push(sorted);
            self.barriers.len() - 1
        }) as u32;
        for block in &blocks {
            let barrier = Some((number, blocks.len() as u32));
            self.add(*block, Draft { barrier, ..Draft::new(OpName::Barrier, span) });
        }
        Ok(())
    }

    fn begin_pipeline(&mut self, it: &Asked) -> Checked<()> {
        let span = self.place(it).span;
        if let Some(open) = &self.pipeline {
            let message = "a loop over pieces lies in a loop over pieces";
            let it = problem(codes::PIPELINE, message, (span, "inside"));
            return Err(Box::new(it.because(open.span, "the loop around")));
        }
        let (unit, chunks) = (Self::one(it, 0), Self::one(it, 1));
        let context = u64::try_from(unit).ok().zip(u32::try_from(chunks).ok());
        let Some((unit_size, num_chunks)) =
            context.filter(|(unit, chunks)| *unit > 0 && *chunks > 0)
        else {
            let message = format!("a loop over {chunks} chunks by pieces of {unit} bytes");
            return Err(problem(codes::PIPELINE, message, (span, "goes over nothing")));
        };
        let context = IterContext { unit_size, num_chunks };
        self.pipeline = Some(Pipeline { context, span, blocks: BTreeMap::new() });
        Ok(())
    }

    fn end_pipeline(&mut self) {
        let Some(Pipeline { context, span, blocks }) = self.pipeline.take() else { return };
        for (block, ops) in blocks {
            let pipeline = Some((context, ops));
            self.add(block, Draft { pipeline, ..Draft::new(OpName::Pipeline, span) });
        }
    }

    // ---------------------------------------------------------------- data

    /// Whether a number is the own rank's.
    fn own_rank(&self, it: &Asked, number: i64) -> Checked<()> {
        let place = self.place(it);
        let rank = place.rank(number, "the one that does this")?;
        if rank == self.rank {
            return Ok(());
        }
        let own = self.rank;
        let message = format!("rank {own} asks for what rank {rank} does with its thread blocks");
        let it = problem(codes::CHUNK_RANK, message, (place.span, "asked for here"));
        Err(Box::new(it.help("`tl.rank()` is the own rank")))
    }

    /// Whether a chunk is of the rank that `what` must be of.
    fn of_rank(&self, it: &Asked, chunk: Chunk, (rank, what): (u32, &str)) -> Checked<()> {
        if chunk.rank == rank {
            return Ok(());
        }
        let whose = if rank == self.rank { "the own rank" } else { "the peer of the channel" };
        let (verb, owner) = (it.verb.name(), chunk.rank);
        let message = format!(
            "{what} of `{verb}` is a chunk of rank {owner}, expected one of rank {rank}, {whose}"
        );
        let label = format!("of rank {owner}");
        Err(self.of_chunk(it, problem(codes::CHUNK_RANK, message, (chunk.span, &label))))
    }

    /// A mistake about a chunk, with the request that it is for.
    fn of_chunk(&self, it: &Asked, problem: Box<Diagnostic>) -> Box<Diagnostic> {
        Box::new(problem.because(self.place(it).span, "asked for here"))
    }

    fn in_scratch(&self, it: &Asked, chunk: Chunk, what: &str) -> Checked<()> {
        if chunk.buffer == BufferType::Scratch {
            return Ok(());
        }
        let name = if chunk.buffer == BufferType::Input { "the input" } else { "the output" };
        let message =
            format!("{what} of `{}` is packets in {name}; packets lie in scratch", it.verb.name());
        let problem = problem(codes::NEEDS_SCRATCH, message, (chunk.span, "not in scratch"));
        let problem = self.of_chunk(it, problem);
        Err(Box::new(problem.help("`tl.scratch_buffer(chunks)` has room for packets")))
    }

    fn same_size(&self, it: &Asked, one: Chunk, two: Chunk) -> Checked<()> {
        if one.size == two.size {
            return Ok(());
        }
        let [from, to] = [two, one].map(|it| counted(it.size, "chunk"));
        let message = format!("`{}` goes from {from} to {to}, expected as many", it.verb.name());
        let problem = problem(codes::CHUNK_SIZES, message, (one.span, &to));
        Err(Box::new(problem.because(two.span, from)))
    }

    fn spot(&self, chunk: Chunk) -> Spot {
        let whose = match chunk.rank == self.rank {
            true => Whose::Own(chunk.buffer),
            false => Whose::Peer(chunk.rank, chunk.buffer),
        };
        Spot { whose, index: chunk.index, size: chunk.size }
    }

    /// Puts and gets.
    fn transfer(&mut self, it: &Asked) -> Checked<()> {
        let (end, span) = (self.end(it)?, self.place(it).span);
        let (target, source) = (self.chunk(it, 1)?, self.chunk(it, 2)?);
        let is_get = it.verb == Verb::Get;
        let (to, from) = if is_get { (self.rank, end.peer) } else { (end.peer, self.rank) };
        self.of_rank(it, target, (to, "the target"))?;
        self.of_rank(it, source, (from, "the source"))?;
        self.same_size(it, target, source)?;
        let is_port = end.kind == ChannelType::Port;
        let name = self.transfer_name(it, is_port)?;
        let packets = matches!(it.verb, Verb::PutPackets | Verb::ReadPutPackets);
        if packets {
            self.in_scratch(it, target, "the target")?;
        }
        if it.verb == Verb::ReadPutPackets || (packets && is_port) {
            self.in_scratch(it, source, "the source")?;
        }
        if matches!(name, OpName::PutWithSignal | OpName::PutWithSignalAndFlush) {
            self.counts.add((self.rank, end.peer, end.kind), false, span);
        }
        let blocks = self.block_list(it, 3)?;
        let draft = Draft {
            kind: Some(end.kind),
            channels: if is_port || is_get { vec![end.number] } else { Vec::new() },
            sources: vec![self.spot(source)],
            targets: vec![self.spot(target)],
            ..Draft::new(name, span)
        };
        self.give(it, &blocks, &draft);
        Ok(())
    }

    fn transfer_name(&self, it: &Asked, is_port: bool) -> Checked<OpName> {
        Ok(match (it.verb, is_port) {
            (Verb::Get, false) => OpName::Get,
            (Verb::PutPackets, _) => OpName::PutPackets,
            (Verb::ReadPutPackets, _) => OpName::ReadPutPackets,
            (Verb::PutWithSignal, true) => OpName::PutWithSignal,
            (Verb::PutWithSignalAndFlush, true) => OpName::PutWithSignalAndFlush,
            (Verb::Put, _) => OpName::Put,
            (verb, _) => {
                let kind = if is_port { "port" } else { "memory" };
                let message = format!("a {kind} channel has no `{}`", verb.name());
                let place = (self.place(it).span, "asked for here");
                return Err(problem(codes::BLOCK_LIST, message, place));
            }
        })
    }

    /// What a rank does within its own memory.
    fn local(&mut self, it: &Asked) -> Checked<()> {
        self.own_rank(it, Self::one(it, 0))?;
        let (target, source) = (self.chunk(it, 1)?, self.chunk(it, 2)?);
        self.of_rank(it, target, (self.rank, "the target"))?;
        self.of_rank(it, source, (self.rank, "the source"))?;
        self.same_size(it, target, source)?;
        let name = if it.verb == Verb::CopyPackets {
            self.in_scratch(it, target, "the target")?;
            OpName::CopyPackets
        } else if it.verb == Verb::UnpackPackets {
            self.in_scratch(it, source, "the source")?;
            OpName::UnpackPackets
        } else {
            OpName::Copy
        };
        let blocks = self.block_list(it, 3)?;
        let draft = Draft {
            sources: vec![self.spot(source)],
            targets: vec![self.spot(target)],
            ..Draft::new(name, self.place(it).span)
        };
        self.give(it, &blocks, &draft);
        Ok(())
    }

    /// Reductions within a rank, and with what a peer has.
    fn reduce(&mut self, it: &Asked) -> Checked<()> {
        let reads = it.verb == Verb::ReadReduce;
        let (owner, kind) = if reads {
            let end = self.end(it)?;
            if end.kind != ChannelType::Memory {
                let message = "a port channel reduces nothing";
                let place = (self.place(it).span, "asked for here");
                return Err(problem(codes::BLOCK_LIST, message, place));
            }
            (end.peer, Some(end.kind))
        } else {
            self.own_rank(it, Self::one(it, 0))?;
            (self.rank, None)
        };
        let (target, source) = (self.chunk(it, 1)?, self.chunk(it, 2)?);
        self.of_rank(it, target, (self.rank, "the target"))?;
        self.of_rank(it, source, (self.rank, "the source"))?;
        self.same_size(it, target, source)?;
        let blocks = self.block_list(it, 3)?;
        let mut sources = vec![self.spot(source)];
        let others = it.numbers.get(4).cloned().unwrap_or_default();
        if others.is_empty() {
            let message = "a reduction of one chunk combines nothing";
            let place = (self.place(it).span, "the list of others is empty");
            return Err(problem(codes::BLOCK_LIST, message, place));
        }
        for number in others {
            let other = self.chunk_number(it, number)?;
            self.of_rank(it, other, (owner, "a source"))?;
            self.same_size(it, target, other)?;
            if it.says("packet") {
                self.in_scratch(it, other, "a source")?;
            }
            sources.push(self.spot(other));
        }
        let span = self.place(it).span;
        let name = match (reads, it.says("packet")) {
            (true, _) => OpName::ReadReduce,
            (false, true) => OpName::ReducePackets,
            (false, false) => OpName::Reduce,
        };
        let targets = vec![self.spot(target)];
        let reduce = Some(reduction(it));
        let draft = Draft { kind, sources, targets, reduce, ..Draft::new(name, span) };
        self.give(it, &blocks, &draft);
        Ok(())
    }

    /// What goes through a switch.
    fn switch(&mut self, it: &Asked) -> Checked<()> {
        let place = self.place(it);
        self.own_rank(it, Self::one(it, 1))?;
        let number = Self::one(it, 0);
        let switches = &self.declared.ranks[self.rank as usize].switches;
        let found = usize::try_from(number).ok().and_then(|at| switches.get(at));
        let Some(switch) = found else {
            let message = format!("rank {} has made no switch channel number {number}", self.rank);
            return Err(problem(codes::NO_SUCH_RANK, message, (place.span, "used here")));
        };
        let range = it.numbers.get(2).map_or(&[][..], Vec::as_slice);
        let [offset, size] = *range else { return Ok(()) };
        let own = self.chunk(it, 3)?;
        let name = if it.verb == Verb::SwitchReduce {
            OpName::GroupLoadReduce
        } else if it.verb == Verb::BroadcastPackets {
            OpName::GroupStorePackets
        } else {
            OpName::GroupStore
        };
        if name == OpName::GroupStorePackets {
            let spanned = Chunk { buffer: switch.buffer, ..own };
            self.in_scratch(it, own, "the source")?;
            self.in_scratch(it, spanned, "the target")?;
        }
        let spot =
            self.group_spot((number, switch.buffer, &switch.ranks), [offset, size], place)?;
        self.of_rank(it, own, (self.rank, "the own chunk"))?;
        let size = Chunk { size: spot.size, ..own };
        self.same_size(it, size, own)?;
        let block = self.block(Self::one(it, 4), place.span)?;
        let (mut sources, mut targets) = (vec![spot], vec![self.spot(own)]);
        if name != OpName::GroupLoadReduce {
            std::mem::swap(&mut sources, &mut targets);
        }
        let draft = Draft {
            kind: Some(ChannelType::Switch),
            channels: vec![number as u32],
            sources,
            targets,
            reduce: (name == OpName::GroupLoadReduce).then(|| reduction(it)),
            ..Draft::new(name, place.span)
        };
        self.add(block, draft);
        Ok(())
    }

    /// Chunks of the buffer of every rank of a switch channel.
    fn group_spot(
        &self,
        (number, buffer, ranks): (i64, BufferType, &[u32]),
        [offset, size]: [i64; 2],
        place: Place,
    ) -> Checked<Spot> {
        for rank in ranks {
            let chunks = match buffer {
                BufferType::Input => self.declared.spec.chunks[0],
                BufferType::Output => self.declared.spec.chunks[1],
                BufferType::Scratch => self.declared.ranks[*rank as usize].scratch(),
            };
            let end = offset.saturating_add(size);
            if offset < 0 || size < 1 || end > i64::from(chunks) {
                let message = format!(
                    "chunks {offset}..{end} of the switch channel are outside of rank {rank}'s \
                     buffer of {chunks}"
                );
                return Err(problem(codes::SWITCH_GROUP, message, (place.span, "asked for here")));
            }
        }
        let whose = Whose::Group(number as u32);
        Ok(Spot { whose, index: offset as u32, size: size as u32 })
    }
}

fn reduction(it: &Asked) -> Reduce {
    if it.says("min") {
        Reduce::Min
    } else if it.says("max") {
        Reduce::Max
    } else {
        Reduce::Sum
    }
}
