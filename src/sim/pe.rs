//! The engines of a PE: when commands start, and what their ends let go.

use super::counters::ENGINES;
use super::event::{Event, EventKey, EventKind};
use super::op::{CHANNELS, Channel, Need, Op, Ready, Release, TURNS, UNKNOWN, Work};
use super::state::{Simulation, Step};
use crate::arena::Id;
use crate::command::AgentId;
use crate::oplog::{Action, Cause, Engine, LogSink, Record, RecordId};
use crate::topology::{LinkId, PeId};
use crate::units::Ps;

/// The engines of one PE, which its agents share.
#[derive(Clone, Debug)]
pub(super) struct Pe {
    pub(super) id: PeId,
    /// Its agents.
    pub(super) first: u32,
    pub(super) lanes: u32,
    /// Whether it is in the list of PEs in which something may go on.
    pub(super) awake: bool,
    channels: [ChannelState; CHANNELS],
    /// Which channels composites have now, a bit each.
    taken: u16,
    /// What only composites use; nothing before the first.
    units: Option<Box<Units>>,
    /// Commands that have been dispatched and not started, in order.
    waiting: Vec<WaitingOp>,
    /// When the inbound side has written all messages so far, and the last one's record.
    pub(super) inbound_free: Ps,
    pub(super) inbound_last: Option<RecordId>,
    pub(super) busy: [Ps; ENGINES],
    /// The end of its last record.
    pub(super) ended: Ps,
}

/// When something is free, and what makes others wait till then.
pub(super) type Free = (Ps, Option<Release>);

/// What only composites use.
#[derive(Clone, Debug, Default)]
pub(super) struct Units {
    /// The ports of TCM.
    pub(super) read_port: Free,
    pub(super) write_port: Free,
    /// What they take in turn beside engines.
    turns: [Free; TURNS - CHANNELS],
}

#[derive(Clone, Copy, Debug)]
struct ChannelState {
    /// When it can take the next command, and what makes it wait till then.
    free: Ps,
    last: Option<Release>,
    /// Transfers that have started and not ended.
    in_flight: u32,
    /// The last end of a transfer.
    freed: (Ps, Option<RecordId>),
    /// The last stretch of time that counts as busy.
    busy: (Ps, Ps),
}

#[derive(Clone, Copy, Debug)]
struct WaitingOp {
    channel: Channel,
    agent: u32,
    seq: u32,
    /// Whether it is a composite's turn at the channel, and not a command for it.
    is_turn: bool,
}

impl Pe {
    /// An idle PE whose first agent is the `first` of all lanes.
    pub(super) fn new(id: PeId, first: u32) -> Pe {
        let idle = ChannelState {
            free: Ps::ZERO,
            last: None,
            in_flight: 0,
            freed: (Ps::ZERO, None),
            busy: (Ps::ZERO, Ps::ZERO),
        };
        Pe {
            id,
            first,
            lanes: 0,
            awake: false,
            channels: [idle; CHANNELS],
            taken: 0,
            units: None,
            waiting: Vec::new(),
            inbound_free: Ps::ZERO,
            inbound_last: None,
            busy: [Ps::ZERO; ENGINES],
            ended: Ps::ZERO,
        }
    }
}

impl Pe {
    /// Lets a command wait until a channel can take the next one.
    pub(super) fn wait_for_channel(&self, channel: Channel, ready: &mut Ready) {
        if let (free, Some(last)) = self.free(channel) {
            ready.also(free, last);
        }
    }

    /// A command that ends at `end` has kept its channel until then.
    pub(super) fn hold_channel(&mut self, channel: Channel, end: Ps, record: RecordId) {
        let state = &mut self.channels[channel as usize];
        state.free = state.free.max(end);
        state.last = Some(Release { at: end, record: Some(record), cause: Cause::Engine });
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// Lets everything in a PE go on that can.
    pub(super) fn pump(&mut self, pe: u32) -> Step<()> {
        loop {
            let mut moved = self.start_waiting(pe)?;
            let (first, lanes) = (self.pes[pe as usize].first, self.pes[pe as usize].lanes);
            for lane in first..first + lanes {
                let agent = self.lanes[lane as usize];
                moved |= self.fire_releases(agent);
                moved |= self.advance_composites(agent)?;
                moved |= self.run_agent(agent)?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// Starts waiting commands that can start, each channel in order. True if one did.
    fn start_waiting(&mut self, pe: u32) -> Step<bool> {
        let (mut moved, mut blocked, mut at) = (false, 0u16, 0);
        while let Some(op) = self.pes[pe as usize].waiting.get(at).copied() {
            let bit = 1 << op.channel as u16;
            if blocked & bit == 0 && self.try_go(&op)? {
                self.pes[pe as usize].waiting.remove(at);
                // Its end may be what an earlier command in another channel waits for.
                (moved, blocked, at) = (true, 0, 0);
            } else {
                blocked |= bit;
                at += 1;
            }
        }
        Ok(moved)
    }

    /// Lets the next of a channel have it, if that can be now.
    fn try_go(&mut self, op: &WaitingOp) -> Step<bool> {
        if !op.is_turn {
            return self.try_start(op.agent, op.seq);
        }
        let number = self.agents[op.agent as usize].pe;
        let granted = self.pes[number as usize].take(op.channel);
        if let Some(free) = granted {
            self.hold(op.agent, op.seq, (op.channel, free));
        }
        Ok(granted.is_some())
    }

    /// Hands a composite to the scheduler, and lets it take its turn at all that it uses.
    #[inline(never)]
    pub(super) fn hand_over_composite(&mut self, agent: u32, op: Op) {
        let number = self.agents[agent as usize].pe;
        let seq = op.seq;
        let channels = self.pipeline(agent, seq).map(|it| it.channels()).unwrap_or_default();
        let waiting = &mut self.pes[number as usize].waiting;
        waiting.push(WaitingOp { channel: op.channel, agent, seq, is_turn: false });
        let turn = |channel| WaitingOp { channel, agent, seq, is_turn: true };
        waiting.extend(channels.into_iter().map(turn));
        self.agents[agent as usize].ops.push(op);
    }

    /// Hands a command to its engine.
    pub(super) fn hand_over(&mut self, agent: u32, op: Op) -> Step<()> {
        let pe = self.agents[agent as usize].pe;
        let waiting = WaitingOp { channel: op.channel, agent, seq: op.seq, is_turn: false };
        self.agents[agent as usize].ops.push(op);
        let behind = self.pes[pe as usize].waiting.iter().any(|it| it.channel == op.channel);
        if behind || !self.try_start(agent, op.seq)? {
            self.pes[pe as usize].waiting.push(waiting);
        }
        Ok(())
    }

    /// Starts a command that is the next of its channel, if it is known when it can start.
    fn try_start(&mut self, agent: u32, seq: u32) -> Step<bool> {
        let at = self.op_index(agent, seq);
        let op = &self.agents[agent as usize].ops[at];
        let (channel, touches) = (op.channel, op.touches);
        let pe = self.agents[agent as usize].pe;
        if self.pes[pe as usize].is_taken(channel) {
            return Ok(false);
        }
        if op.channel_is_dma() && !self.has_transfer_free(pe, channel) {
            self.agents[agent as usize].ops[at].limited = true;
            return Ok(false);
        }
        let op = &self.agents[agent as usize].ops[at];
        if let Work::Send(connection) = op.work
            && self.is_streamed_to(agent, seq, connection)
        {
            return Ok(false);
        }
        let mut ready = Ready { time: op.issued, release: op.release };
        let pe = &self.pes[pe as usize];
        pe.wait_for_channel(channel, &mut ready);
        if op.limited {
            let freed = pe.channels[channel as usize].freed;
            ready.also_end(freed.0, freed.1, Cause::Engine);
        }
        let need = Need { seq, touches, insists: true };
        if !self.wait_for_hazards(agent, &need, &mut ready)
            || !self.wait_for_sends(agent, seq, &mut ready)
        {
            return Ok(false);
        }
        self.start(agent, seq, ready)?;
        Ok(true)
    }

    /// Whether another transfer may be in flight on a channel. If not, the end of one will be an
    /// event.
    fn has_transfer_free(&mut self, pe: u32, channel: Channel) -> bool {
        let limit = match channel {
            Channel::Stream => 1,
            Channel::Pass => return true,
            Channel::DmaRead
            | Channel::DmaWrite
            | Channel::DmaComm
            | Channel::Gemm
            | Channel::Math
            | Channel::Scheduler
            | Channel::Staging
            | Channel::Registers
            | Channel::Sums
            | Channel::Output => self.params.dma.outstanding.max(1),
        };
        while self.pes[pe as usize].channels[channel as usize].in_flight >= limit {
            let Some((agent, at)) = self.oldest_in_flight(pe, channel) else { return false };
            if !self.settle(agent, at, true) {
                return false;
            }
        }
        true
    }

    fn oldest_in_flight(&self, pe: u32, channel: Channel) -> Option<(u32, usize)> {
        let lanes = self.lanes_of(&self.pes[pe as usize]).iter();
        let ops = lanes.flat_map(|agent| {
            self.agents[*agent as usize].ops.iter().enumerate().map(|(at, op)| (*agent, at, op))
        });
        ops.filter(|(.., op)| op.channel == channel && op.start != UNKNOWN && op.record.is_none())
            .min_by_key(|(.., op)| op.start)
            .map(|(agent, at, _)| (agent, at))
    }

    fn start(&mut self, agent: u32, seq: u32, ready: Ready) -> Step<()> {
        let at = self.op_index(agent, seq);
        let op = &mut self.agents[agent as usize].ops[at];
        (op.start, op.release) = (ready.time, ready.release);
        let (engine, work, bytes) = (op.channel.engine(), op.work, op.bytes);
        self.counters.stall(engine, ready.release.cause, ready.time - op.issued);
        self.counters.commands += 1;
        self.counters.engine_mut(engine).commands += 1;
        let costs = &self.costs[self.program.agents[AgentId(agent)].code.index()];
        match work {
            Work::Math(spec) => {
                let cost = costs.math(spec);
                self.counters.elements += cost.size;
                self.compute(agent, at, cost.time);
                Ok(())
            }
            Work::Gemm(spec) => {
                let cost = costs.gemm(spec);
                self.counters.macs += cost.size;
                self.compute(agent, at, cost.time);
                Ok(())
            }
            Work::Composite => {
                self.begin_composite(agent, seq, (ready.time, ready.release));
                Ok(())
            }
            Work::Read | Work::Stream => self.begin_transfer(agent, at, Ps::ZERO),
            Work::Atomic { operands, .. } => {
                let bytes = bytes.saturating_mul(operands);
                self.begin_transfer(agent, at, self.params.tcm.read.time(bytes))
            }
            Work::Write | Work::Send(_) => {
                self.begin_transfer(agent, at, self.params.tcm.read.time(bytes))
            }
        }
    }

    fn compute(&mut self, agent: u32, at: usize, time: Ps) {
        let op = &mut self.agents[agent as usize].ops[at];
        (op.read_end, op.end) = (op.start + time, op.start + time);
        let (channel, end) = (op.channel, op.end);
        let record = self.record(agent, at, None, false);
        let pe = &mut self.pes[self.agents[agent as usize].pe as usize];
        pe.busy[channel.engine() as usize] += time;
        let state = &mut pe.channels[channel as usize];
        state.free = end;
        state.last = Some(Release { at: end, record: Some(record), cause: Cause::Engine });
        self.counters.engine_mut(channel.engine()).busy += time;
    }

    /// Begins a transfer whose source keeps the channel's reading side for `reading`.
    fn begin_transfer(&mut self, agent: u32, at: usize, reading: Ps) -> Step<()> {
        let op = &self.agents[agent as usize].ops[at];
        let (seq, channel, start, release) = (op.seq, op.channel, op.start, op.release);
        let leaves = start + self.params.dma.overhead + self.translation(agent, seq);
        let pe = &mut self.pes[self.agents[agent as usize].pe as usize];
        let state = &mut pe.channels[channel as usize];
        state.in_flight += 1;
        state.free = leaves + reading;
        state.last = Some(Release { cause: Cause::Engine, ..release });
        if leaves <= self.now {
            return self.inject(agent, seq);
        }
        let key = EventKey::act(agent, seq);
        self.events.push(Event::new(leaves, key, EventKind::Inject, agent).with(seq));
        Ok(())
    }

    /// Logs a command whose end is known.
    pub(super) fn record(
        &mut self,
        agent: u32,
        at: usize,
        link: Option<LinkId>,
        is_effect: bool,
    ) -> RecordId {
        let op = &self.agents[agent as usize].ops[at];
        let record = Record {
            start: op.start,
            end: op.end,
            handoff: op.release.at,
            agent: AgentId(agent),
            seq: op.seq,
            site: op.site,
            predecessor: op.release.record,
            transfer: op.transfer,
            link,
            action: Action::Command,
            engine: op.channel.engine(),
            cause: op.release.cause,
        };
        let id = self.push(record, is_effect);
        self.agents[agent as usize].ops[at].record = Some(id);
        id
    }

    /// The source of a send has been read.
    pub(super) fn finish_send(&mut self, agent: u32, at: usize, end: Ps) {
        let op = &mut self.agents[agent as usize].ops[at];
        (op.read_end, op.end) = (end, end);
        let (train, work) = (op.train, op.work);
        if let Work::Send(connection) = work {
            self.ipcq.sent(connection, end);
        }
        let record = self.record(agent, at, None, false);
        self.network.set_record(train, record);
        self.end_transfer(agent, at, record);
    }

    /// All pieces of a DMA have arrived.
    pub(super) fn finish_dma(&mut self, agent: u32, at: usize) {
        let now = self.now;
        let op = &mut self.agents[agent as usize].ops[at];
        op.end = now;
        if op.read_end == UNKNOWN {
            op.read_end = now;
        }
        let (link, bytes) = (op.held.0, op.bytes);
        let record = match op.work {
            Work::Write => {
                self.counters.bytes_written += bytes;
                self.log_arrival(agent, at, link)
            }
            Work::Atomic { back, .. } => {
                self.counters.bytes_written += bytes;
                self.counters.bytes_read += if back { bytes } else { 0 };
                self.record(agent, at, link, true)
            }
            Work::Read
            | Work::Send(_)
            | Work::Stream
            | Work::Math(_)
            | Work::Gemm(_)
            | Work::Composite => {
                self.counters.bytes_read += bytes;
                self.record(agent, at, link, false)
            }
        };
        self.end_transfer(agent, at, record);
    }

    /// Logs that the source of a write has been read: what overwrites it is logged after that.
    pub(super) fn log_read(&mut self, agent: u32, at: usize) -> RecordId {
        let op = &self.agents[agent as usize].ops[at];
        if let Some(record) = op.read_record {
            return record;
        }
        let end = std::mem::replace(&mut self.agents[agent as usize].ops[at].end, self.now);
        let record = self.record(agent, at, None, false);
        let op = &mut self.agents[agent as usize].ops[at];
        (op.end, op.record, op.read_record) = (end, None, Some(record));
        record
    }

    /// Logs that the last byte of a write has arrived.
    fn log_arrival(&mut self, agent: u32, at: usize, link: Option<LinkId>) -> RecordId {
        let read = self.log_read(agent, at);
        let op = &self.agents[agent as usize].ops[at];
        let record = Record {
            start: op.start,
            end: op.end,
            handoff: op.start,
            agent: AgentId(agent),
            seq: op.seq,
            site: op.site,
            predecessor: Some(read),
            transfer: op.transfer,
            link,
            action: Action::Delivery,
            engine: op.channel.engine(),
            cause: Cause::Link,
        };
        let id = self.push(record, true);
        self.agents[agent as usize].ops[at].record = Some(id);
        id
    }

    pub(super) fn end_transfer(&mut self, agent: u32, at: usize, record: RecordId) {
        let op = &self.agents[agent as usize].ops[at];
        let (channel, start, end) = (op.channel, op.start, op.end);
        let number = self.agents[agent as usize].pe;
        let pe = &mut self.pes[number as usize];
        let state = &mut pe.channels[channel as usize];
        state.in_flight -= 1;
        state.freed = (end, Some(record));
        let busy = state.add_busy(start, end);
        pe.busy[channel.engine() as usize] += busy;
        self.counters.engine_mut(channel.engine()).busy += busy;
        self.wake(number);
    }

    /// When PE_CPU may put another command in front of a channel, if its commands are let start
    /// as known; `None` if that is not known yet. Sets PE_CPU's time to it.
    pub(super) fn wait_for_room(&mut self, agent: u32, channel: Channel) -> bool {
        let depth = self.params.queue_depth.max(1) as usize;
        let state = &self.agents[agent as usize];
        let lanes = self.lanes_of(&self.pes[state.pe as usize]);
        let all: usize = lanes.iter().map(|lane| self.agents[*lane as usize].ops.len()).sum();
        if all < depth {
            return true;
        }
        let mut ahead: Vec<(Ps, Release)> = lanes
            .iter()
            .flat_map(|lane| &self.agents[*lane as usize].ops)
            .filter(|op| op.channel == channel && op.start > state.time)
            .map(|op| (op.start, op.release))
            .collect();
        if ahead.len() < depth {
            return true;
        }
        ahead.sort_by_key(|(start, _)| *start);
        let (start, release) = ahead[ahead.len() - depth];
        if start == UNKNOWN {
            return false;
        }
        let stalled = start - state.time;
        self.counters.stall(Engine::Cpu, Cause::Engine, stalled);
        let state = &mut self.agents[agent as usize];
        state.time = start;
        state.release = Release { cause: Cause::Engine, ..release };
        true
    }
}

impl Pe {
    /// What only composites use.
    pub(super) fn units(&mut self) -> &mut Units {
        self.units.get_or_insert_default()
    }

    /// When a channel can take the next, and what makes it wait till then.
    fn free(&self, channel: Channel) -> Free {
        if let Some(state) = self.channels.get(channel as usize) {
            return (state.free, state.last);
        }
        let turn = channel as usize - CHANNELS;
        self.units.as_ref().map_or((Ps::ZERO, None), |units| units.turns[turn])
    }

    fn is_taken(&self, channel: Channel) -> bool {
        self.taken & 1 << channel as u16 != 0
    }

    /// Gives a channel to a composite, unless another has it. Says when it is free.
    fn take(&mut self, channel: Channel) -> Option<Free> {
        if self.is_taken(channel) {
            return None;
        }
        self.taken |= 1 << channel as u16;
        Some(self.free(channel))
    }

    /// Takes a channel back from a composite; `free` says when others may use it, where the engine
    /// does not.
    pub(super) fn take_back(&mut self, channel: Channel, free: Option<Free>) {
        self.taken &= !(1 << channel as u16);
        if let (Some(free), Some(turn)) = (free, (channel as usize).checked_sub(CHANNELS)) {
            self.units().turns[turn] = free;
        }
    }

    /// The scheduler is busy until `free`.
    pub(super) fn occupy_scheduler(&mut self, free: Ps, release: Release) {
        let last = Some(Release { cause: Cause::Engine, ..release });
        self.units().turns[Channel::Scheduler as usize - CHANNELS] = (free, last);
    }

    /// When an engine can take the next tile.
    pub(super) fn engine_free(&self, channel: Channel) -> Free {
        self.free(channel)
    }

    /// An engine computes a tile until `end`.
    pub(super) fn occupy(&mut self, channel: Channel, end: Ps, release: Release) {
        let state = &mut self.channels[channel as usize];
        (state.free, state.last) = (end, Some(release));
    }

    /// When a channel of DMA can take another transfer; `None` while `limit` are in flight.
    pub(super) fn transfer_free(&self, channel: Channel, limit: u32) -> Option<[Free; 2]> {
        let state = &self.channels[channel as usize];
        let (at, record) = state.freed;
        let freed = record.map(|_| Release { at, record, cause: Cause::Engine });
        (state.in_flight < limit).then_some([(state.free, state.last), (at, freed)])
    }

    /// A channel of DMA begins a transfer and can take the next at `free`.
    pub(super) fn begin_tile(&mut self, channel: Channel, free: Ps, release: Release) {
        let state = &mut self.channels[channel as usize];
        state.in_flight += 1;
        state.free = free;
        state.last = Some(Release { cause: Cause::Engine, ..release });
    }

    /// A transfer of a tile has ended. Gives the time for which nothing else kept the channel busy.
    pub(super) fn end_tile(
        &mut self,
        channel: Channel,
        (start, end): (Ps, Ps),
        record: RecordId,
    ) -> Ps {
        let state = &mut self.channels[channel as usize];
        state.in_flight -= 1;
        state.freed = (end, Some(record));
        let busy = state.add_busy(start, end);
        self.busy[channel.engine() as usize] += busy;
        busy
    }
}

impl ChannelState {
    /// Counts a stretch of time as busy; gives what was not counted before.
    fn add_busy(&mut self, start: Ps, end: Ps) -> Ps {
        let (from, until) = self.busy;
        if start > until {
            self.busy = (start, end);
            return end - start;
        }
        self.busy = (from.min(start), until.max(end));
        from.since(start) + end.since(until)
    }
}

impl Op {
    fn channel_is_dma(&self) -> bool {
        match self.channel {
            Channel::DmaRead
            | Channel::DmaWrite
            | Channel::DmaComm
            | Channel::Stream
            | Channel::Pass => true,
            Channel::Gemm
            | Channel::Math
            | Channel::Scheduler
            | Channel::Staging
            | Channel::Registers
            | Channel::Sums
            | Channel::Output => false,
        }
    }
}
