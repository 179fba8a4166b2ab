//! Streams: commands that take a message as it arrives, combine it with a tile, and send it on.
//!
//! A stream asks the network for its message (`network::stream`) once it has started: what has
//! arrived is taken at once, the rest as it comes, at the rate of the vector unit, and goes on from
//! there. A message that lies in its slot already is read from there at that rate.
//!
//! Where a message goes on unchanged, and a router beside the PE copies, the router passes it on. The
//! messages of one connection keep their order: what a router passes on waits until all that was sent
//! before has passed.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::event::{Event, EventKey, EventKind};
use super::network::{Arrival, Cargo, CargoKind, NONE, Outlet};
use super::op::{Channel, Op, Ready, Release, UNKNOWN, Work};
use super::state::{Simulation, Step};
use crate::command::{AgentId, IpcqStream, MathSpec};
use crate::oplog::{Cause, Engine, LogSink, RecordId, TransferId};
use crate::units::{Bandwidth, Ps};

/// A stream by its agent and command.
pub(super) type StreamKey = (u32, u32);

/// A connection and the number of a message in it.
pub(super) type Passage = (u32, u64);

/// A stream that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Streaming {
    /// What it takes.
    pub(super) from: Passage,
    /// What it sends.
    pub(super) to: Vec<Passage>,
    /// How it takes it.
    outlet: Outlet,
    /// Elements that are combined.
    elements: u64,
    /// Whether its result stays here, too.
    keeps: bool,
    /// Whether a router passes it on.
    passes: bool,
    /// What carries its result.
    trains: Vec<u32>,
    /// Whether it has waited for its slot.
    delayed: bool,
}

/// All streams that have not ended.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: FxHashMap<StreamKey, Streaming>,
    /// Streams that something has happened to.
    ready: VecDeque<StreamKey>,
    /// By connection, what routers are to pass on over it, in order.
    passing: FxHashMap<u32, VecDeque<StreamKey>>,
    /// What of it is passing, by what it is taken from.
    passed: FxHashMap<Passage, StreamKey>,
}

impl Streams {
    /// Whether an earlier stream of `agent` than command `seq` sends over `connection`.
    fn sends_over(&self, ops: &[Op], (agent, seq): StreamKey, connection: u32) -> bool {
        ops.iter().any(|op| {
            let is_earlier = matches!(op.work, Work::Stream) && op.seq < seq;
            is_earlier
                && self
                    .open
                    .get(&(agent, op.seq))
                    .is_some_and(|it| it.to.iter().any(|(over, _)| *over == connection))
        })
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// Notes a stream that is being issued; gives the channel that it goes to.
    pub(super) fn note_stream(
        &mut self,
        (agent, seq): StreamKey,
        it: &IpcqStream,
        (from, to): (Passage, Vec<Passage>),
    ) -> Channel {
        let code = self.program.code(AgentId(agent));
        let (combines, keeps) = (it.acc.is_some(), it.out.is_some());
        let fork = self.ipcq.fork(from.0).map(|fork| fork.router);
        let enters = |over: &Passage| self.ipcq.entry(over.0).map(|it| it.router);
        let passes = !combines
            && !to.is_empty()
            && fork.is_some()
            && to.iter().all(|over| enters(over) == fork);
        let outlet = self.outlet(&code.maths[it.spec], combines);
        let elements = if combines { it.message.elements } else { 0 };
        let streaming = Streaming {
            from,
            to,
            outlet,
            elements,
            keeps,
            passes,
            trains: Vec::new(),
            delayed: false,
        };
        self.streams.open.insert((agent, seq), streaming);
        if passes && !keeps { Channel::Pass } else { Channel::Stream }
    }

    /// How the vector unit takes a message on its way from and to TCM.
    fn outlet(&self, spec: &MathSpec, combines: bool) -> Outlet {
        let (math, tcm) = (&self.params.math, &self.params.tcm);
        let tier = self.params.ipcq.tier(self.program.comm.kind);
        let element = spec.out.bytes() as f64;
        let unit = math.clock.ghz() * f64::from(math.lanes) * element;
        let unit = Bandwidth::from_gb_per_s(unit).unwrap_or(Bandwidth::INFINITE);
        let mut rate = unit;
        for other in [tcm.write, tier.bandwidth, tier.hop] {
            if other.is_slower_than(rate) {
                rate = other;
            }
        }
        if combines && tcm.read.is_slower_than(rate) {
            rate = tcm.read;
        }
        let overhead = if combines { math.overhead } else { Ps::ZERO };
        Outlet { rate, delay: tier.overhead + overhead }
    }

    /// Whether a send has to let an earlier stream of its agent go first.
    pub(super) fn is_streamed_to(&self, agent: u32, seq: u32, connection: u32) -> bool {
        let ops = &self.agents[agent as usize].ops;
        self.ipcq.has_streams() && self.streams.sends_over(ops, (agent, seq), connection)
    }

    /// Lets what the agent of a stream has sent before go first. False if it is not known yet when
    /// that will have happened.
    pub(super) fn wait_for_sends(&mut self, agent: u32, seq: u32, ready: &mut Ready) -> bool {
        if !self.ipcq.has_streams() {
            return true;
        }
        let Some(streaming) = self.streams.open.get(&(agent, seq)) else { return true };
        let (passes, to) = (streaming.passes, streaming.to.clone());
        let pe = self.agents[agent as usize].pe;
        if !to.is_empty() {
            self.pes[pe as usize].wait_for_channel(Channel::DmaComm, ready);
        }
        for (connection, _) in to {
            let ops = &self.agents[agent as usize].ops;
            if !passes && self.streams.sends_over(ops, (agent, seq), connection) {
                return false;
            }
            let mut at = 0;
            while passes && let Some(op) = self.agents[agent as usize].ops.get(at) {
                let before = matches!(op.work, Work::Send(over) if over == connection);
                if before && op.seq < seq && op.record.is_none() && !self.settle(agent, at, true) {
                    return false;
                }
                at += 1;
            }
            if passes {
                let ramp = self.ipcq.entry(connection).map_or(Ps::ZERO, |it| it.ramp);
                let sent = self.ipcq.last_sent(connection);
                let release = Release { cause: Cause::Engine, ..ready.release };
                if sent > Ps::ZERO {
                    ready.also(sent + ramp, release);
                }
            }
        }
        true
    }

    /// A stream has started.
    #[inline(never)]
    pub(super) fn begin_stream(&mut self, agent: u32, at: usize) -> Step<()> {
        let key = (agent, self.agents[agent as usize].ops[at].seq);
        let Some(streaming) = self.streams.open.get(&key) else { return Ok(()) };
        if streaming.passes && !streaming.delayed {
            for (connection, _) in &streaming.to {
                self.streams.passing.entry(*connection).or_default().push_back(key);
            }
        }
        self.streams.ready.push_back(key);
        self.run_streams()
    }

    /// A message has been sent: what waits for it goes on.
    pub(super) fn on_the_way(&mut self, passage: Passage, trains: [u32; 2]) -> Step<()> {
        if !self.ipcq.has_streams() {
            return Ok(());
        }
        self.set_out(passage, trains);
        self.run_streams()
    }

    /// `trains` carry a message: the last part of its way, and the one to a router that copies.
    #[inline(never)]
    fn set_out(&mut self, (connection, token): Passage, [train, below]: [u32; 2]) {
        let trains = if below == NONE { [train, NONE] } else { [below, train] };
        self.ipcq.set_trains(connection, token, trains);
        if self.network.streams()
            && let Some(key) = self.ipcq.take_awaited(connection, token)
        {
            self.streams.ready.push_back(key);
        }
    }

    /// A message is in its slot: what waits for it goes on.
    pub(super) fn arrived_in_slot(&mut self, (connection, token): Passage) -> Step<()> {
        if !self.ipcq.has_streams() {
            return Ok(());
        }
        if let Some(key) = self.ipcq.take_awaited(connection, token) {
            self.streams.ready.push_back(key);
        }
        self.run_streams()
    }

    fn run_streams(&mut self) -> Step<()> {
        while let Some(key) = self.streams.ready.pop_front() {
            self.run_stream(key)?;
        }
        Ok(())
    }

    /// Asks for the message of a stream, if it is there or on its way, and its turn has come.
    #[inline(never)]
    fn run_stream(&mut self, key: StreamKey) -> Step<()> {
        let Some(streaming) = self.streams.open.get(&key).cloned() else { return Ok(()) };
        let front = |it: &Self, over: &Passage| {
            it.streams.passing.get(&over.0).and_then(VecDeque::front).copied()
        };
        let first = streaming.to.iter().all(|over| front(self, over) == Some(key));
        if streaming.passes && !first {
            return Ok(());
        }
        let (connection, token) = streaming.from;
        let [train, trunk] = self.ipcq.trains(connection, token);
        let visible = self.ipcq.visible(connection, token);
        let on_its_way = self.network.streams() && (train != NONE || trunk != NONE);
        if !on_its_way && visible.is_none() {
            self.ipcq.wait_for(connection, token, key);
            return Ok(());
        }
        let from_trunk = streaming.passes && trunk != NONE;
        if let Some(trunk) = self.ipcq.take_trunk(connection, token) {
            let outlet = Outlet::OPEN;
            let to = if from_trunk { streaming.to.as_slice() } else { &[] };
            self.open(key, (trunk, outlet), (to, true))?;
            if from_trunk {
                self.streams.passed.insert(streaming.from, key);
                if !streaming.keeps {
                    return Ok(());
                }
            }
        }
        let to = if from_trunk { &[][..] } else { streaming.to.as_slice() };
        match visible {
            Some(visible) => self.stream_from_slot(key, visible, to),
            None => self.open(key, (train, streaming.outlet), (to, false)),
        }
    }

    /// Asks for what a train carries and sends it on, from here or from the router before.
    fn open(
        &mut self,
        key: StreamKey,
        (train, outlet): (u32, Outlet),
        (to, from_router): (&[Passage], bool),
    ) -> Step<()> {
        let mut ways = Vec::with_capacity(to.len());
        for (index, passage) in (0..).zip(to) {
            let cargo = self.stream_cargo(key, *passage, index);
            let shipment = self.message(cargo, Bandwidth::INFINITE)?;
            let (mut way, down) = match self.forked(&shipment) {
                Some([trunk, down]) => (trunk, Some(down)),
                None => (shipment, None),
            };
            let entry = self.ipcq.entry(passage.0).filter(|_| from_router);
            way.route = entry.map_or(way.route, |entry| entry.onward);
            ways.push((way, down));
        }
        let trains = self.network.open(train, outlet, &ways, &mut self.events);
        self.sent_on(key, to, &trains);
        Ok(())
    }

    fn sent_on(&mut self, key: StreamKey, to: &[Passage], trains: &[[u32; 2]]) {
        if let Some(streaming) = self.streams.open.get_mut(&key) {
            streaming.trains.extend(trains.iter().map(|pair| pair[0]));
        }
        for (passage, pair) in to.iter().zip(trains) {
            self.set_out(*passage, *pair);
        }
    }

    /// What carries message number `index` of a stream.
    fn stream_cargo(&mut self, (agent, seq): StreamKey, to: Passage, index: u32) -> Cargo {
        let at = self.op_index(agent, seq);
        if index > 0 {
            // The numbers of a stream's messages follow each other.
            self.new_transfer();
        }
        let op = self.agents[agent as usize].ops[at];
        let first = op.transfer.map_or(0, |transfer| transfer.0);
        let transfer = TransferId(first.wrapping_add(index));
        let cargo = self.cargo(agent, &op, CargoKind::Message, transfer);
        Cargo { place: to.0, token: to.1, ..cargo }
    }

    /// Streams a message that is in its slot.
    fn stream_from_slot(
        &mut self,
        key: StreamKey,
        (visible, delivery): (Ps, RecordId),
        to: &[Passage],
    ) -> Step<()> {
        let (agent, seq) = key;
        let at = self.op_index(agent, seq);
        let Some(streaming) = self.streams.open.get_mut(&key) else { return Ok(()) };
        let Outlet { rate, delay } = streaming.outlet;
        let op = &mut self.agents[agent as usize].ops[at];
        if !std::mem::replace(&mut streaming.delayed, true) {
            if visible > op.start {
                op.start = visible;
                op.release = Release { at: visible, record: Some(delivery), cause: Cause::Link };
            }
            let begin = self.now.max(visible) + delay;
            if begin > self.now {
                let event = EventKey::act(agent, seq);
                let event = Event::new(begin, event, EventKind::Inject, agent).with(seq);
                self.events.push(event);
                return Ok(());
            }
        }
        let (bytes, mut trains) = (op.bytes, Vec::new());
        for (index, passage) in (0..).zip(to) {
            let cargo = self.stream_cargo(key, *passage, index);
            let shipment = self.message(cargo, rate)?;
            trains.push(self.send_message(&shipment));
        }
        self.sent_on(key, to, &trains);
        let end = self.now + rate.time(bytes);
        self.end_stream(key, end);
        Ok(())
    }

    /// All of a message has been taken by the stream that asked for it on its way.
    #[inline(never)]
    pub(super) fn stream_ended(&mut self, arrival: &Arrival) {
        let cargo = arrival.cargo;
        let passage = (cargo.place, cargo.token);
        let connection = self.ipcq.connection(cargo.place);
        let agent = connection.receiver.0;
        let mut open = self.agents[agent as usize].ops.iter().map(|op| (agent, op.seq));
        let takes = |key: &StreamKey| {
            self.streams.open.get(key).is_some_and(|streaming| streaming.from == passage)
        };
        let Some(key) = open.find(takes) else { return };
        self.release_by_link(key, arrival);
        self.end_stream(key, self.now);
    }

    /// All of a message has passed a router that copies.
    #[inline(never)]
    pub(super) fn trunk_ended(&mut self, arrival: &Arrival) -> Step<()> {
        let passage = (arrival.cargo.place, arrival.cargo.token);
        self.sender_record(arrival);
        let Some(key) = self.streams.passed.remove(&passage) else { return Ok(()) };
        let Some(streaming) = self.streams.open.get(&key).cloned() else { return Ok(()) };
        for (connection, _) in &streaming.to {
            let Some(queue) = self.streams.passing.get_mut(connection) else { continue };
            queue.pop_front();
            match queue.front() {
                Some(next) => self.streams.ready.push_back(*next),
                None => drop(self.streams.passing.remove(connection)),
            }
        }
        if !streaming.keeps {
            self.release_by_link(key, arrival);
            self.end_stream(key, self.now);
        }
        self.run_streams()
    }

    /// Says why a stream ended no earlier: its message was on its way, unless all of it had waited.
    fn release_by_link(&mut self, (agent, seq): StreamKey, arrival: &Arrival) {
        let record = self.sender_record(arrival);
        let at = self.op_index(agent, seq);
        let op = &mut self.agents[agent as usize].ops[at];
        let began = arrival.streamed.unwrap_or(self.now);
        if began > op.start && record.is_some() {
            let sent = arrival.cargo.start;
            op.start = op.start.max(sent);
            op.release = Release { at: sent.min(op.start), record, cause: Cause::Link };
        }
    }

    /// The record of what sent something that has arrived; of a stream that is still at it, made
    /// now.
    pub(super) fn sender_record(&mut self, arrival: &Arrival) -> Option<RecordId> {
        let Cargo { agent, seq, record, .. } = arrival.cargo;
        if record.is_some() {
            return record;
        }
        let at = self.agents[agent as usize].ops.iter().position(|op| op.seq == seq)?;
        let op = self.agents[agent as usize].ops[at];
        if op.record.is_none() {
            match op.work {
                Work::Stream => drop(self.record_stream((agent, seq), self.now)),
                Work::Send(_)
                | Work::Read
                | Work::Write
                | Work::Atomic { .. }
                | Work::Math(_)
                | Work::Gemm(_)
                | Work::Composite => {
                    let end = self.network.source_end(op.train).unwrap_or(arrival.source_end);
                    self.finish_send(agent, at, end);
                }
            }
        }
        self.agents[agent as usize].ops[at].record
    }

    /// Logs a stream as ended at `end`.
    fn record_stream(&mut self, (agent, seq): StreamKey, end: Ps) -> Option<RecordId> {
        let at = self.op_index(agent, seq);
        let op = &mut self.agents[agent as usize].ops[at];
        if op.record.is_some() {
            return op.record;
        }
        let before = std::mem::replace(&mut op.end, end);
        op.start = op.start.min(end);
        let link = op.held.0;
        let record = self.record(agent, at, link, true);
        self.agents[agent as usize].ops[at].end = before;
        if let Some(streaming) = self.streams.open.get(&(agent, seq)) {
            for train in &streaming.trains {
                self.network.set_record(*train, record);
            }
        }
        Some(record)
    }

    /// A stream ends: its result is there, its slot is free, what it sent has left.
    fn end_stream(&mut self, key: StreamKey, end: Ps) {
        let (agent, seq) = key;
        let Some(record) = self.record_stream(key, end) else { return };
        let Some(streaming) = self.streams.open.remove(&key) else { return };
        let at = self.op_index(agent, seq);
        let op = &mut self.agents[agent as usize].ops[at];
        (op.read_end, op.end) = (end, end);
        let (bytes, channel) = (op.bytes, op.channel);
        self.counters.elements += streaming.elements;
        let (connection, token) = streaming.from;
        if self.ipcq.visible(connection, token).is_none() {
            self.messages += 1;
            self.counters.message_bytes += bytes;
            self.ipcq.pass(connection, token);
        }
        let queue = self.ipcq.connection(connection).queue;
        self.give_back(agent, (queue, token), end, record);
        let pe = self.agents[agent as usize].pe;
        if channel == Channel::Stream {
            self.pes[pe as usize].hold_channel(channel, end, record);
        }
        if streaming.elements > 0 {
            let time = streaming.outlet.rate.time(bytes);
            self.pes[pe as usize].busy[Engine::Math as usize] += time;
            self.counters.engine_mut(Engine::Math).busy += time;
        }
        self.end_transfer(agent, at, record);
    }

    /// The first stream of `agent` that has not ended, and what it takes.
    pub(super) fn stuck_stream(&self, agent: u32) -> Option<(&Op, Passage)> {
        let ops = self.agents[agent as usize].ops.iter();
        let open = ops.filter(|op| matches!(op.work, Work::Stream) && op.end == UNKNOWN);
        let op = open.min_by_key(|op| op.seq)?;
        Some((op, self.streams.open.get(&(agent, op.seq))?.from))
    }
}
