//! Data that the threads of a block move.
//!
//! A move begins once the packets that it reads have come. What lies with peers is asked for and
//! comes back over the links; what goes to peers follows as it comes, so reading and writing
//! overlap. The threads of a block handle so many bytes a nanosecond, and the memory of its PE
//! serves all blocks one after the other.

use super::issue::Act;
use super::packets::Packets;
use super::{Done, Flight, Phase, Which};
use crate::command::AgentId;
use crate::command::channel::{ExchangeId, ExchangeSpec, Form, Stretch, Unit};
use crate::oplog::{Action, Cause, Engine, LogSink, RecordId};
use crate::sim::failure::Failure;
use crate::sim::hbm::Bursts;
use crate::sim::network::{Cargo, CargoKind, Class, Shipment};
use crate::sim::op::{Ready, Release};
use crate::sim::state::{Simulation, Step};
use crate::topology::{BLOCK_THREADS, NodeId, NodeKind, PeId};
use crate::units::{Bandwidth, Ps};

/// A move under way.
#[derive(Clone, Debug)]
pub(super) struct Moving {
    /// When it began, and its record.
    start: Ps,
    record: RecordId,
    /// Answers that have not come.
    pub(super) answers: u32,
    /// When the first question had come to a peer.
    pub(super) asked: Option<Ps>,
    /// Whether what goes to peers has left.
    is_sent: bool,
    /// Whether it will be looked at when that can leave; once, however often it is looked at before.
    is_planned: bool,
    /// When threads and memory are done.
    busy: Ps,
    /// The last answer.
    pub(super) last: Option<RecordId>,
}

impl Moving {
    /// When it began, and its record.
    pub(super) fn began(&self) -> (Ps, RecordId) {
        (self.start, self.record)
    }
}

/// What a move comes to.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Bytes that threads read or write, the more of the two.
    read: u64,
    written: u64,
    packets: bool,
    /// Bytes of the own memory.
    local: u64,
    /// Who is asked for how much; several where a switch combines.
    asks: Vec<(Vec<PeId>, u64)>,
    sends: Vec<Send>,
    /// Packets that become readable in the own memory.
    own_packets: Vec<(u64, u64)>,
}

/// Something that goes to peers, the same to each.
#[derive(Clone, Debug)]
struct Send {
    to: Vec<PeId>,
    at: Vec<u64>,
    form: Form,
    bytes: u64,
}

impl<L: LogSink> Act<'_, '_, L> {
    pub(super) fn exchange_now(&mut self, spec: ExchangeId) -> Step<Done> {
        let now = self.sim.now;
        match *self.phase() {
            Phase::Before => self.read_packets(spec),
            Phase::Reads(until, ready) if until <= now => self.begin_move(spec, ready),
            Phase::Moves(_) => self.go_on_moving(spec),
            Phase::Awaits(_)
            | Phase::Acquires(_)
            | Phase::Meets
            | Phase::Reads(..)
            | Phase::Flushes(_)
            | Phase::Over(..) => Ok(Done::Waits),
        }
    }

    fn spec(&self, spec: ExchangeId) -> &ExchangeSpec {
        &self.code().exchanges[spec]
    }

    /// When the packets of a command's sources have come: what came last; `None` while some have
    /// not.
    pub(super) fn packets_of<'t>(
        &self,
        sources: impl Iterator<Item = &'t Stretch>,
    ) -> Option<Option<Packets>> {
        let (map, now) = (&self.sim.channels.packets, self.sim.now);
        let mut last: Option<Packets> = None;
        for source in sources.filter(|it| it.form == Form::Packets) {
            for place in 0..source.at.len() {
                let address = self.at.address(source, place, Unit::default());
                let bytes = source.form.room(source.bytes);
                let found = map.read((address, bytes), (self.at.launch, now))?;
                last = [last, found].into_iter().flatten().max_by_key(|it| it.at);
            }
        }
        Some(last)
    }

    /// Waits for the packets that a move reads. Threads look at one source after the other, since
    /// nothing is known of the next before the last has come.
    fn read_packets(&mut self, id: ExchangeId) -> Step<Done> {
        let sources = || self.spec(id).moves.iter().flat_map(|it| &it.sources);
        let Some(packets) = self.packets_of(sources()) else { return Ok(Done::Waits) };
        let looks = sources().filter(|it| it.form == Form::Packets).count() as u64;
        let mut ready = self.sim.comes(self.which.agent);
        if let Some(packets) = packets {
            ready.also_end(packets.at, packets.record, Cause::Link);
        }
        let cost = Ps(self.costs().poll.0.saturating_mul(looks));
        if cost == Ps::ZERO {
            return self.begin_move(id, ready);
        }
        let until = ready.time.max(self.sim.now) + cost;
        *self.phase() = Phase::Reads(until, ready);
        self.sim.wake_at(self.which.agent, until);
        Ok(Done::Waits)
    }

    fn begin_move(&mut self, id: ExchangeId, ready: Ready) -> Step<Done> {
        let start = ready.time.max(self.sim.now);
        let work = self.work(id);
        let record = self.sim.log_block(self.which, ready, start);
        let busy = self.reserve(&work, start);
        let moving = Moving {
            start,
            record,
            answers: work.asks.len() as u32,
            asked: None,
            is_sent: false,
            is_planned: false,
            busy,
            last: None,
        };
        let has_asked = !work.asks.is_empty();
        *self.phase() = Phase::Moves(moving);
        for (at, bytes) in work.own_packets {
            let packets = Packets { flag: self.at.launch, at: busy, record: Some(record) };
            self.sim.channels.packets.write(at, bytes, packets);
        }
        for (from, bytes) in work.asks {
            self.sim.ask(self.which, from, bytes)?;
        }
        if has_asked {
            return Ok(Done::Waits);
        }
        self.go_on_moving(id)
    }

    /// Sends what goes to peers once the first answer is about to come, and ends when all is done.
    fn go_on_moving(&mut self, id: ExchangeId) -> Step<Done> {
        let now = self.sim.now;
        let Phase::Moves(moving) = self.phase().clone() else { return Ok(Done::Waits) };
        let can_send = match moving.asked {
            Some(asked) => asked + asked.since(moving.start) <= now,
            None => moving.answers == 0,
        };
        if !moving.is_sent {
            if !can_send {
                self.plan_to_send();
                return Ok(Done::Waits);
            }
            let work = self.work(id);
            self.send_all(&work)?;
            if let Phase::Moves(moving) = self.phase() {
                moving.is_sent = true;
            }
        }
        if moving.answers > 0 {
            return Ok(Done::Waits);
        }
        let end = moving.busy.max(now);
        let cause = if moving.last.is_some() { Cause::Link } else { Cause::Engine };
        let record = moving.last.unwrap_or(moving.record);
        let release = Release { at: now.min(end), record: Some(record), cause };
        let ready = Ready { time: now.max(moving.start), release };
        let part = (end, Action::Delivery, Engine::DmaComm);
        let record = self.sim.log_part(self.which, ready, part, None);
        self.sim.is_over(self.which.agent, end, record);
        self.go_on()
    }

    /// Has the block look again when the first answer is about to come.
    fn plan_to_send(&mut self) {
        let Phase::Moves(moving) = self.phase() else { return };
        let Some(asked) = moving.asked.filter(|_| !moving.is_planned) else { return };
        moving.is_planned = true;
        let at = asked + asked.since(moving.start);
        self.sim.wake_at(self.which.agent, at);
    }

    /// Takes the threads and the memory for a move: when both are done.
    fn reserve(&mut self, work: &Work, start: Ps) -> Ps {
        let bytes = work.read.max(work.written);
        let threads = self.sim.pace(work.packets).time(bytes.saturating_sub(self.sim.at_once()));
        let costs = self.costs();
        let (latency, memory) = (costs.access, costs.memory.time(work.local));
        let rank = self.sim.rank_of(self.which.agent);
        let free = &mut self.sim.channels.memories[rank as usize];
        if work.local > 0 {
            *free = (*free).max(start) + memory;
        }
        let served = if work.local > 0 { *free } else { start };
        self.sim.counters.bytes_read += work.read;
        self.sim.counters.bytes_written += work.written;
        (start + threads).max(served) + latency
    }

    /// What a command moves now.
    fn work(&self, id: ExchangeId) -> Work {
        let (spec, own) = (self.spec(id), self.sim.rank_of(self.which.agent));
        let mut work = Work::default();
        for it in &spec.moves {
            for source in &it.sources {
                let bytes = source.form.room(self.at.bytes(source, spec.unit));
                let ranks = self.ranks(source, spec, bytes);
                work.read += bytes;
                work.packets |= source.form == Form::Packets;
                match ranks.as_slice() {
                    _ if bytes == 0 => {}
                    [PeId(rank)] if *rank == own => work.local += bytes,
                    _ => work.asks.push((ranks, bytes)),
                }
            }
            for target in &it.targets {
                let bytes = target.form.room(self.at.bytes(target, spec.unit));
                let to = self.ranks(target, spec, bytes);
                let at: Vec<u64> = (0..target.at.len())
                    .map(|place| self.at.address(target, place, spec.unit))
                    .collect();
                work.written += bytes;
                work.packets |= target.form == Form::Packets;
                if bytes == 0 {
                    continue;
                }
                if to == [PeId(own)] {
                    work.local += bytes;
                    let packets = target.form == Form::Packets;
                    work.own_packets.extend(at.first().filter(|_| packets).map(|at| (*at, bytes)));
                } else {
                    work.sends.push(Send { to, at, form: target.form, bytes });
                }
            }
        }
        work
    }

    /// Whose memories a stretch lies in.
    fn ranks(&self, stretch: &Stretch, spec: &ExchangeSpec, bytes: u64) -> Vec<PeId> {
        (0..stretch.at.len())
            .map(|place| {
                let address = self.at.address(stretch, place, spec.unit);
                self.sim.owner(address, bytes).unwrap_or(PeId(self.sim.rank_of(self.which.agent)))
            })
            .collect()
    }

    fn send_all(&mut self, work: &Work) -> Step<()> {
        let count = work.sends.len().max(1) as f64;
        let (sent, pace) =
            (work.sends.iter().map(|it| it.bytes).sum(), self.sim.pace(work.packets));
        let rate = scaled(beyond(self.sim.at_once(), sent, pace), 1.0 / count);
        for send in &work.sends {
            let flag = self.at.launch;
            self.sim.store(self.which, send, (rate, flag))?;
        }
        Ok(())
    }
}

/// A part of a rate, or a multiple of it.
fn scaled(rate: Bandwidth, factor: f64) -> Bandwidth {
    Bandwidth::from_gb_per_s(rate.gb_per_s() * factor).unwrap_or(rate)
}

/// The rate at which `bytes` pass of which the first `free` take no time and others go at `rate`.
fn beyond(free: u64, bytes: u64, rate: Bandwidth) -> Bandwidth {
    match bytes.checked_sub(free) {
        None | Some(0) => Bandwidth::INFINITE,
        Some(left) => scaled(rate, bytes as f64 / left as f64),
    }
}

/// What goes over links: payload, bytes with what they cost beside, the rate that feeds them, class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) payload: u64,
    pub(super) wire: u64,
    pub(super) rate: Bandwidth,
    pub(super) class: Class,
}

impl Load {
    /// Data, or a signal, that nothing is added to.
    pub(super) fn plain(bytes: u64, rate: Bandwidth, class: Class) -> Load {
        Load { payload: bytes, wire: bytes, rate, class }
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// Whose memory an address is in.
    pub(super) fn owner(&self, address: u64, bytes: u64) -> Option<PeId> {
        let mut owner = None;
        let here = PeId(0);
        self.program
            .memory
            .owners(here, address, bytes.min(1), &mut |pe, _| owner = Some(pe))
            .ok()?;
        owner
    }

    /// The rate at which a block of this program moves data.
    fn pace(&self, packets: bool) -> Bandwidth {
        let blocks = &self.params.blocks;
        let rate = if packets { blocks.packets } else { blocks.copy };
        match self.program.channels.threads {
            0 | BLOCK_THREADS => rate,
            threads => scaled(rate, f64::from(threads) / f64::from(BLOCK_THREADS)),
        }
    }

    /// What the threads of a block load or store at once, in bytes.
    fn at_once(&self) -> u64 {
        let threads = self.program.channels.threads;
        let threads = if threads == 0 { BLOCK_THREADS } else { threads };
        self.params.blocks.load_bytes * u64::from(threads)
    }

    /// The rate at which a block gets `bytes` that it asks for now: what its threads load at once
    /// goes around once in the time of a question and an answer.
    fn pace_of_answers(&self, which: Which, bytes: u64) -> Bandwidth {
        let (at_once, pace) = (self.at_once(), self.pace(false));
        let Phase::Moves(moving) = &self.channels.blocks[which.agent as usize].phase else {
            return pace;
        };
        let way = self.now.since(moving.began().0);
        let around = way + way + self.params.blocks.access;
        if at_once == 0 || around == Ps::ZERO {
            return pace;
        }
        // Bytes a picosecond are 1000 gigabytes a second.
        let most = (1000.0 * at_once as f64 / around.0 as f64).min(pace.gb_per_s());
        let rate = Bandwidth::from_gb_per_s(most).unwrap_or(pace);
        beyond(at_once, bytes, rate)
    }

    /// Bytes on links of data that a switch combines or copies.
    fn through_switch(&self, bytes: u64) -> u64 {
        (bytes as f64 / self.params.blocks.switch_efficiency).ceil() as u64
    }

    /// Asks peers for data; a switch combines what several have.
    fn ask(&mut self, which: Which, from: Vec<PeId>, bytes: u64) -> Step<()> {
        let own = PeId(self.rank_of(which.agent));
        let Some(first) = from.iter().copied().find(|pe| *pe != own) else {
            // A switch with one rank on it.
            self.answered(which, None);
            return Ok(());
        };
        let flight = self.take_off(Flight::Ask { from, bytes });
        let (from, to) = (self.machine.pe(own).dma, self.machine.pe(first).dma);
        let load = Load::plain(0, Bandwidth::INFINITE, Class::Compute);
        self.fly((which, flight), (from, to, first), load)
    }

    /// A peer answers: data leaves it, and the others of its group on the way to their switch.
    pub(super) fn answer_block(&mut self, cargo: &Cargo, from: &[PeId], bytes: u64) -> Step<()> {
        let which = Which { agent: cargo.agent, seq: cargo.seq, site: cargo.site };
        let own = PeId(self.rank_of(which.agent));
        let mut load = Load::plain(bytes, self.pace_of_answers(which, bytes), Class::Compute);
        if from.len() > 1 {
            load.wire = self.through_switch(bytes);
        }
        let to = self.machine.pe(own).dma;
        let mut others = from.iter().copied().filter(|pe| *pe != own || from.len() == 1);
        let first = others.next().unwrap_or(own);
        let flight = self.take_off(Flight::Answer);
        let way = (self.machine.pe(first).dma, to, own);
        self.fly((which, flight), way, load)?;
        if from.len() < 2 {
            return Ok(());
        }
        let switch = self.switch(which, own, first)?;
        for other in from.iter().copied().filter(|pe| *pe != first) {
            if let super::Phase::Moves(moving) =
                &mut self.channels.blocks[which.agent as usize].phase
            {
                moving.answers += 1;
            }
            let flight = self.take_off(Flight::Answer);
            let way = (self.machine.pe(other).dma, switch, other);
            self.fly((which, flight), way, load)?;
        }
        Ok(())
    }

    /// Stores to one peer, or through a switch to several.
    fn store(&mut self, which: Which, send: &Send, (rate, flag): (Bandwidth, u32)) -> Step<()> {
        let own = PeId(self.rank_of(which.agent));
        let Some(first) = send.to.iter().copied().find(|pe| *pe != own) else { return Ok(()) };
        let start = self.machine.pe(own).dma;
        let mut load = Load::plain(send.bytes, rate, Class::Compute);
        let mut switch = None;
        if send.to.len() > 1 {
            switch = Some(self.switch(which, own, first)?);
            load.wire = self.through_switch(send.bytes);
        }
        for (pe, at) in send.to.iter().zip(&send.at) {
            let flight = match send.form {
                Form::Plain => Flight::Store,
                Form::Packets => Flight::Packets { at: vec![(*at, send.bytes)], flag },
            };
            let flight = self.take_off(flight);
            self.channels.blocks[which.agent as usize].stores +=
                u32::from(send.form == Form::Plain);
            let to = self.machine.pe(*pe).dma;
            // One train goes all the way; the switch makes the others of it.
            let from = if *pe == first { start } else { switch.unwrap_or(start) };
            self.fly((which, flight), (from, to, *pe), load)?;
        }
        Ok(())
    }

    /// The switch between two ranks.
    fn switch(&self, which: Which, from: PeId, to: PeId) -> Step<NodeId> {
        let (start, end) = (self.machine.pe(from).dma, self.machine.pe(to).dma);
        let links = self.machine.route(start, end).unwrap_or_default();
        let nodes = links.iter().map(|link| self.machine.ends(*link).1);
        let mut switches = nodes.filter(|it| self.machine.node(*it).kind == NodeKind::Switch);
        let (agent, site) = (AgentId(which.agent), which.site);
        switches.next().ok_or_else(|| Box::new(Failure::NoSwitch { agent, site, from, to }))
    }

    /// Sends something that lands as `flight`.
    pub(super) fn fly(
        &mut self,
        (which, flight): (Which, u32),
        (from, to, owner): (NodeId, NodeId, PeId),
        load: Load,
    ) -> Step<()> {
        let Some(route) = self.network.routes().find(self.machine, from, to) else {
            let (agent, site) = (AgentId(which.agent), which.site);
            let from = PeId(self.rank_of(which.agent));
            return Err(Box::new(Failure::NoRoute { agent, site, from, to: owner }));
        };
        let transfer = self.new_transfer();
        let cargo = Cargo {
            kind: CargoKind::Channel,
            agent: which.agent,
            seq: which.seq,
            site: which.site,
            transfer,
            place: flight,
            token: 0,
            bytes: load.payload,
            bursts: Bursts::Row(0),
            start: self.now,
            record: None,
        };
        let shipment = Shipment {
            streamable: false,
            cargo,
            route,
            class: load.class,
            bytes: load.wire,
            to: owner,
            read: load.rate,
            from: Ps::ZERO,
            until: Ps::ZERO,
            write: Bandwidth::INFINITE,
            after: Ps::ZERO,
            watched: false,
        };
        self.network.send(&shipment, &mut self.events);
        Ok(())
    }
}
