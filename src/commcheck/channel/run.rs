//! Runs the blocks of a channel program without time, each until it must wait.

use std::collections::VecDeque;

use super::clock::{Clocks, Stamp};
use super::memory::{Access, Memory, Piece, Range};
use super::values::{Value, Values};
use crate::arena::Id;
use crate::command::channel::{
    self, BlockBarrier, BlockSync, ChannelEnd, ChannelKind, ExchangeSpec, Form, KernelEnd, ListId,
    Moment, Move, PortRequest, Stretch, Unit, VisitChannel,
};
use crate::command::{AgentId, Code, Command, Program, SiteId, Step, WalkError, Walker};
use crate::ops::BinaryOp;

/// Conflicts that are kept; far more than are told.
const MAX_CONFLICTS: usize = 4096;

/// Wrong outputs that are kept.
const MAX_WRONG: usize = 64;

/// What a block is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It can go on, or has not been looked at.
    Ready,
    /// It waits in a command.
    Waits,
    /// It waits for signals: so many at each end.
    Awaits(Vec<(u32, u64)>),
    /// It has taken so many of a list of semaphores.
    Acquires(usize),
    /// It has come to a meeting.
    Meets,
    /// The meeting is over.
    Met,
    /// It has ended.
    Ended,
    /// Its code cannot go on.
    Failed,
}

/// Signals that came in at an end of a channel.
#[derive(Clone, Debug, Default)]
struct Counter {
    expected: u64,
    stamps: Vec<Stamp>,
    /// Who sent the last.
    last: Option<(AgentId, SiteId)>,
    waiting: Vec<AgentId>,
}

#[derive(Clone, Debug, Default)]
struct SemaphoreState {
    tokens: VecDeque<Option<Stamp>>,
    waiting: Vec<AgentId>,
}

/// An output that is not what it must be.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) rank: u32,
    pub(super) launch: u32,
    /// The first byte in the output, and how many.
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) found: String,
    pub(super) expected: String,
    /// Who wrote it.
    pub(super) writer: Option<Access>,
}

/// A run.
pub(super) struct Run<'a> {
    pub(super) program: &'a Program,
    walkers: Vec<Walker>,
    pub(super) held: Vec<Option<Step>>,
    pub(super) states: Vec<State>,
    ready: VecDeque<AgentId>,
    clocks: Clocks,
    pub(super) memory: Memory,
    values: Values,
    counters: Vec<Counter>,
    semaphores: Vec<SemaphoreState>,
    barriers: Vec<Vec<AgentId>>,
    kernels: Vec<Vec<AgentId>>,
    /// Blocks of each rank that wait for packets.
    readers: Vec<Vec<AgentId>>,
    pub(super) wrong: Vec<Wrong>,
    pub(super) failed: Option<(AgentId, WalkError)>,
    pub(super) operations: u64,
    budget: u64,
}

impl<'a> Run<'a> {
    /// Before anything runs.
    pub(super) fn new(program: &'a Program, budget: u64) -> Run<'a> {
        let channels = &program.channels;
        let agents: Vec<AgentId> = program.agents.ids().collect();
        let (mut memory, mut values) = (Memory::new(MAX_CONFLICTS), Values::new());
        for (rank, it) in (0u32..).zip(&channels.ranks) {
            memory.fill(it.output.base, it.output.bytes, Value::UNWRITTEN);
            memory.fill(it.scratch.base, it.scratch.bytes, Value::ZERO);
            let input = values.input(rank, 1, -(it.input.base as i64));
            memory.fill(it.input.base, it.input.bytes, input);
        }
        // An input that lies in another rank's output is still its own.
        let tokens = |count: u32| std::iter::repeat_n(None, count as usize).collect();
        Run {
            program,
            walkers: agents.iter().map(|agent| Walker::new(program, *agent)).collect(),
            held: vec![None; agents.len()],
            states: vec![State::Ready; agents.len()],
            clocks: Clocks::new(agents.len() + 2 * channels.ends.len() + channels.ranks.len()),
            ready: agents.into(),
            memory,
            values,
            counters: vec![Counter::default(); channels.ends.len()],
            semaphores: channels
                .semaphores
                .iter()
                .map(|it| SemaphoreState { tokens: tokens(it.initial), ..Default::default() })
                .collect(),
            barriers: vec![Vec::new(); channels.barriers as usize],
            kernels: vec![Vec::new(); channels.ranks.len()],
            readers: vec![Vec::new(); channels.ranks.len()],
            wrong: Vec::new(),
            failed: None,
            operations: 0,
            budget,
        }
    }

    /// Runs all blocks until none can go on; false where the budget is spent before.
    pub(super) fn run(&mut self) -> bool {
        while let Some(agent) = self.ready.pop_front() {
            if !self.run_block(agent) {
                return false;
            }
        }
        true
    }

    fn run_block(&mut self, agent: AgentId) -> bool {
        if self.states[agent.index()] == State::Meets {
            return true;
        }
        loop {
            let step = match self.held[agent.index()].take() {
                Some(step) => step,
                None => match self.walkers[agent.index()].next(self.program) {
                    Ok(Some(step)) => step,
                    Ok(None) => {
                        self.states[agent.index()] = State::Ended;
                        return true;
                    }
                    Err(error) => {
                        self.states[agent.index()] = State::Failed;
                        self.failed.get_or_insert((agent, error));
                        return true;
                    }
                },
            };
            self.operations += 1;
            if self.operations > self.budget {
                return false;
            }
            let Command::ChannelCmd(it) = step.command else { continue };
            let mut act = Act { run: self, agent, site: step.site, at: it.at };
            if !it.op.visit(&mut act) {
                if self.states[agent.index()] == State::Ready {
                    self.states[agent.index()] = State::Waits;
                }
                self.held[agent.index()] = Some(step);
                return true;
            }
            self.states[agent.index()] = State::Ready;
        }
    }

    fn wake(&mut self, agents: Vec<AgentId>) {
        self.ready.extend(agents);
    }

    fn end(&self, end: u32) -> ChannelEnd {
        self.program.channels.ends[end as usize]
    }

    /// The sides of a port that read and write.
    fn port(&self, end: u32) -> (u32, u32) {
        let first = self.program.agents.len() as u32 + 2 * end;
        (first, first + 1)
    }

    /// The host, where it acts for a rank.
    fn host(&self, rank: u32) -> u32 {
        let channels = &self.program.channels;
        (self.program.agents.len() + 2 * channels.ends.len()) as u32 + rank
    }

    /// Who of a rank waits for packets may go on.
    fn packets_came(&mut self, rank: u32) {
        let readers = std::mem::take(&mut self.readers[rank as usize]);
        self.wake(readers);
    }

    fn owner(&self, address: u64) -> Option<u32> {
        let mut owner = None;
        let here = crate::topology::PeId(0);
        let found = self.program.memory.owners(here, address, 1, &mut |pe, _| owner = Some(pe.0));
        found.ok().and(owner)
    }

    /// Ends at which more signals came in than were waited for, with how many more, and who sent
    /// the last.
    pub(super) fn left_over(&self) -> Vec<(u32, u64, AgentId, SiteId)> {
        let counters = (0u32..).zip(&self.counters);
        let more = counters.filter_map(|(end, it)| {
            let more = (it.stamps.len() as u64).checked_sub(it.expected).filter(|it| *it > 0)?;
            let (agent, site) = it.last?;
            Some((end, more, agent, site))
        });
        more.collect()
    }

    /// Compares the output of a rank with its definition.
    fn check_output(&mut self, rank: u32, launch: u32, by: Access) {
        let channels = &self.program.channels;
        let output = channels.ranks[rank as usize].output;
        let ranks = channels.ranks.len() as u32;
        let Some(definition) = channels.definition else { return };
        for part in definition.parts(rank, ranks, output.bytes) {
            let at = output.base + part.to;
            let range = Range { form: Form::Plain, at, bytes: part.bytes };
            let expected = match part.rank {
                Some(rank) => self.values.input(rank, launch, 0),
                None => self.values.all(definition.reduce(), ranks, launch),
            };
            let expected = expected.moved(part.from as i64);
            let pieces = self.memory.read(range, by, &self.clocks);
            let bad = pieces.iter().find(|piece| piece.value != expected);
            if let Some(piece) = bad.filter(|_| self.wrong.len() < MAX_WRONG) {
                let place = piece.from as i64;
                self.wrong.push(Wrong {
                    rank,
                    launch,
                    at: part.to + piece.from,
                    bytes: piece.to - piece.from,
                    found: self.values.describe(piece.value, place),
                    expected: self.values.describe(expected, place),
                    writer: self.memory.writer(at + piece.from),
                });
            }
        }
    }

    /// The host takes the output of a rank and gives a new input.
    fn host_acts(&mut self, rank: u32, launch: u32, site: SiteId) {
        let channels = &self.program.channels;
        let memory = channels.ranks[rank as usize];
        let (thread, agent) = (self.host(rank), AgentId(memory.first_agent));
        let epoch = self.clocks.epoch(thread);
        let by = Access { thread, epoch, agent, site, launch };
        self.check_output(rank, launch, by);
        if launch < channels.launches && memory.input.bytes > 0 {
            let value = self.values.input(rank, launch + 1, 0);
            let buffer = (memory.input.base, memory.input.bytes);
            self.memory.give(buffer, value, by, &self.clocks);
        }
    }
}

/// One command of one block. What comes back is whether the block goes on.
struct Act<'r, 'a> {
    run: &'r mut Run<'a>,
    agent: AgentId,
    site: SiteId,
    at: Moment,
}

impl<'a> Act<'_, 'a> {
    fn code(&self) -> &'a Code {
        self.run.program.code(self.agent)
    }

    fn list(&self, list: ListId) -> &'a [u32] {
        &self.code().lists[list]
    }

    fn rank(&self) -> u32 {
        self.run.program.agents[self.agent].pe.0
    }

    fn state(&mut self) -> &mut State {
        &mut self.run.states[self.agent.index()]
    }

    fn access(&self, thread: u32) -> Access {
        let epoch = self.run.clocks.epoch(thread);
        Access { thread, epoch, agent: self.agent, site: self.site, launch: self.at.launch }
    }

    fn range(&self, stretch: &Stretch, place: usize, unit: Unit) -> Range {
        Range {
            form: stretch.form,
            at: self.at.address(stretch, place, unit),
            bytes: self.at.bytes(stretch, unit),
        }
    }

    /// Whether the packets of `sources` have come; the block then knows what their writers knew.
    fn takes_packets<'s>(&mut self, sources: impl Iterator<Item = &'s Stretch>) -> bool {
        let mut ranges = Vec::new();
        for source in sources.filter(|it| it.form == Form::Packets) {
            ranges.extend((0..source.at.len()).map(|at| self.range(source, at, Unit::default())));
        }
        if !ranges.iter().all(|range| self.run.memory.has_come(*range, self.at.launch)) {
            let rank = self.rank() as usize;
            self.run.readers[rank].push(self.agent);
            return false;
        }
        for stamp in ranges.into_iter().flat_map(|range| self.run.memory.stamps(range)) {
            self.run.clocks.join(self.agent.0, &stamp);
        }
        true
    }

    fn moves(&mut self, spec: &ExchangeSpec, it: &Move) {
        let mut value: Option<Vec<Piece>> = None;
        for source in &it.sources {
            for place in 0..source.at.len() {
                let range = self.range(source, place, spec.unit);
                let by = self.access(self.agent.0);
                let read = self.run.memory.read(range, by, &self.run.clocks);
                value = Some(match value {
                    None => read,
                    Some(value) => combine(&mut self.run.values, it.reduce, &value, &read),
                });
            }
        }
        let value = value.unwrap_or_default();
        for target in &it.targets {
            self.writes(self.agent.0, (target, spec.unit), &value, Some(self.at.launch));
        }
    }

    /// Writes pieces to a stretch on each of its ranks; packets with `flag`, or else with their own.
    fn writes(
        &mut self,
        thread: u32,
        (target, unit): (&Stretch, Unit),
        pieces: &[Piece],
        flag: Option<u32>,
    ) {
        let is_packets = target.form == Form::Packets;
        let flagged =
            |it: &Piece| Piece { flag: if is_packets { flag.or(it.flag) } else { None }, ..*it };
        let pieces: Vec<Piece> = pieces.iter().map(flagged).collect();
        let by = self.access(thread);
        let stamp = is_packets.then(|| self.run.clocks.stamp(thread));
        for place in 0..target.at.len() {
            let range = self.range(target, place, unit);
            self.run.memory.write(range, &pieces, (by, stamp.as_ref()), &self.run.clocks);
            if is_packets && let Some(rank) = self.run.owner(range.at) {
                self.run.packets_came(rank);
            }
        }
    }

    /// A port does what it is asked, later than it is asked and in no order with the block.
    fn request(&mut self, it: &PortRequest, unit: Unit) {
        let (reads, writes) = self.run.port(it.channel);
        let stamp = self.run.clocks.stamp(self.agent.0);
        self.run.clocks.join(reads, &stamp);
        let range = self.range(&it.source, 0, unit);
        let by = self.access(reads);
        let pieces = self.run.memory.read(range, by, &self.run.clocks);
        let stamp = self.run.clocks.stamp(reads);
        self.run.clocks.join(writes, &stamp);
        self.writes(writes, (&it.target, unit), &pieces, None);
    }

    /// A signal from the other end of `end`.
    fn signals(&mut self, end: u32, stamp: Stamp) {
        let Some(pair) = self.run.end(end).pair else { return };
        let counter = &mut self.run.counters[pair as usize];
        counter.stamps.push(stamp);
        counter.last = Some((self.agent, self.site));
        let waiting = std::mem::take(&mut counter.waiting);
        self.run.wake(waiting);
    }

    /// Comes to a meeting of `blocks`; true when it is over. The last to come gets those that meet.
    fn meets(&mut self, present: &mut Vec<AgentId>, blocks: usize) -> Option<Vec<AgentId>> {
        present.push(self.agent);
        *self.state() = State::Meets;
        (present.len() >= blocks).then(|| std::mem::take(present))
    }

    /// All that have met know what each knew, and go on.
    fn all_know(&mut self, present: &[AgentId], leader: AgentId) {
        for other in present.iter().filter(|it| **it != leader) {
            let stamp = self.run.clocks.stamp(other.0);
            self.run.clocks.join(leader.0, &stamp);
        }
    }

    fn all_go(&mut self, present: &[AgentId], leader: AgentId) {
        let stamp = self.run.clocks.stamp(leader.0);
        for other in present {
            self.run.clocks.join(other.0, &stamp);
            self.run.states[other.index()] = State::Met;
        }
        let others = present.iter().copied().filter(|it| *it != self.agent).collect();
        self.run.wake(others);
    }
}

/// Two sources combined, piece by piece.
fn combine(values: &mut Values, op: BinaryOp, one: &[Piece], two: &[Piece]) -> Vec<Piece> {
    let (mut out, mut i, mut j, mut at) = (Vec::with_capacity(one.len()), 0, 0, 0);
    while let (Some(x), Some(y)) = (one.get(i), two.get(j)) {
        let to = x.to.min(y.to);
        if to > at {
            let value = values.combine(op, x.value, y.value);
            out.push(Piece { from: at, to, value, flag: None });
        }
        at = to;
        i += usize::from(x.to <= to);
        j += usize::from(y.to <= to);
    }
    out
}

impl VisitChannel for Act<'_, '_> {
    type Out = bool;

    fn exchange(&mut self, it: &channel::Exchange) -> bool {
        let spec = &self.code().exchanges[it.spec];
        if !self.takes_packets(spec.moves.iter().flat_map(|it| &it.sources)) {
            return false;
        }
        spec.moves.iter().for_each(|it| self.moves(spec, it));
        true
    }

    fn port_put(&mut self, it: &channel::PortPut) -> bool {
        let spec = &self.code().ports[it.spec];
        if spec.awaits && !self.takes_packets(spec.requests.iter().map(|it| &it.source)) {
            return false;
        }
        for it in &spec.requests {
            self.request(it, spec.unit);
            let (_, writes) = self.run.port(it.channel);
            if spec.signals {
                let stamp = self.run.clocks.stamp(writes);
                self.signals(it.channel, stamp);
            }
            if spec.flushes {
                let stamp = self.run.clocks.stamp(writes);
                self.run.clocks.join(self.agent.0, &stamp);
            }
        }
        true
    }

    fn flush(&mut self, it: &channel::Flush) -> bool {
        for end in self.list(it.channels) {
            let (_, writes) = self.run.port(*end);
            let stamp = self.run.clocks.stamp(writes);
            self.run.clocks.join(self.agent.0, &stamp);
        }
        true
    }

    fn signal(&mut self, it: &channel::Signal) -> bool {
        for end in self.list(it.channels) {
            let stamp = self.run.clocks.stamp(self.agent.0);
            if self.run.end(*end).kind == ChannelKind::Memory {
                self.signals(*end, stamp);
            } else {
                let (_, writes) = self.run.port(*end);
                self.run.clocks.join(writes, &stamp);
                let stamp = self.run.clocks.stamp(writes);
                self.signals(*end, stamp);
            }
        }
        true
    }

    fn await_signal(&mut self, it: &channel::AwaitSignal) -> bool {
        if !matches!(self.state(), State::Awaits(_)) {
            let mut wanted = Vec::new();
            for end in self.list(it.channels) {
                let counter = &mut self.run.counters[*end as usize];
                counter.expected += 1;
                wanted.push((*end, counter.expected));
            }
            *self.state() = State::Awaits(wanted);
        }
        let State::Awaits(wanted) = self.state().clone() else { return true };
        for (end, count) in &wanted {
            let counter = &mut self.run.counters[*end as usize];
            if (counter.stamps.len() as u64) < *count {
                counter.waiting.push(self.agent);
                return false;
            }
        }
        for (end, count) in wanted {
            let stamp = self.run.counters[end as usize].stamps[count as usize - 1].clone();
            self.run.clocks.join(self.agent.0, &stamp);
        }
        true
    }

    fn sync(&mut self, _: &BlockSync) -> bool {
        true
    }

    fn barrier(&mut self, it: &BlockBarrier) -> bool {
        if *self.state() == State::Met {
            return true;
        }
        let mut present = std::mem::take(&mut self.run.barriers[it.barrier as usize]);
        let all = self.meets(&mut present, it.blocks as usize);
        self.run.barriers[it.barrier as usize] = present;
        let Some(all) = all else { return false };
        self.all_know(&all, self.agent);
        self.all_go(&all, self.agent);
        true
    }

    fn acquire(&mut self, it: &channel::Acquire) -> bool {
        let all = self.list(it.semaphores);
        let mut taken = if let State::Acquires(taken) = self.state() { *taken } else { 0 };
        while let Some(semaphore) = all.get(taken) {
            let state = &mut self.run.semaphores[*semaphore as usize];
            let Some(token) = state.tokens.pop_front() else {
                state.waiting.push(self.agent);
                *self.state() = State::Acquires(taken);
                return false;
            };
            if let Some(stamp) = token {
                self.run.clocks.join(self.agent.0, &stamp);
            }
            taken += 1;
        }
        true
    }

    fn release(&mut self, it: &channel::Release) -> bool {
        for semaphore in self.list(it.semaphores) {
            let stamp = self.run.clocks.stamp(self.agent.0);
            let state = &mut self.run.semaphores[*semaphore as usize];
            state.tokens.push_back(Some(stamp));
            let waiting = std::mem::take(&mut state.waiting);
            self.run.wake(waiting);
        }
        true
    }

    fn kernel_end(&mut self, _: &KernelEnd) -> bool {
        if *self.state() == State::Met {
            return true;
        }
        let rank = self.rank();
        let memory = self.run.program.channels.ranks[rank as usize];
        let mut present = std::mem::take(&mut self.run.kernels[rank as usize]);
        let all = self.meets(&mut present, memory.agents as usize);
        self.run.kernels[rank as usize] = present;
        let Some(all) = all else { return false };
        let leader = AgentId(memory.first_agent);
        self.all_know(&all, leader);
        // The host waits until the proxy has read what it was asked to; the next kernel does not.
        let host = self.run.host(rank);
        let stamp = self.run.clocks.stamp(leader.0);
        self.run.clocks.join(host, &stamp);
        let ends = (0u32..).zip(&self.run.program.channels.ends);
        let ports = ends.filter(|(_, it)| it.rank == rank && it.kind == ChannelKind::Port);
        for (end, _) in ports {
            let (reads, _) = self.run.port(end);
            let stamp = self.run.clocks.stamp(reads);
            self.run.clocks.join(host, &stamp);
        }
        // The host acts at the end of the first block, which has come to it, too.
        let held = self.run.held[leader.index()].map(|step| step.site);
        self.run.host_acts(rank, self.at.launch, held.unwrap_or(self.site));
        self.run.clocks.know(leader.0, host);
        self.all_go(&all, leader);
        true
    }
}
