//! The whole state of a run, and the loop that drives it.

use std::collections::{BTreeMap, VecDeque};

use super::agent::{Agent, Status};
use super::channel::ChannelSim;
use super::costs::Costs;
use super::counters::{Counters, LinkUse, PeUse};
use super::dma::Piece;
use super::event::{Event, EventKind, EventQueue};
use super::failure::Failure;
use super::hbm::{BurstLists, Controllers};
use super::ipcq::Ipcq;
use super::ledger::Ledger;
use super::mmu::Tlbs;
use super::modify::Modifier;
use super::pe::Pe;
use super::stream::Streams;
use super::transport::Transport;
use super::{Options, Outcome, Progress};
use crate::arena::Id;
use crate::command::{AgentId, Program};
use crate::oplog::{LogSink, Record, RecordId, TransferId};
use crate::topology::{LinkId, Machine, PeParams, SlotKind};
use crate::units::Ps;

/// A run. Failures are boxed: they are large and come at most once.
pub(super) struct Simulation<'a, L> {
    pub(super) program: &'a Program,
    pub(super) machine: &'a Machine,
    pub(super) params: &'a PeParams,
    pub(super) log: &'a mut L,
    pub(super) now: Ps,
    pub(super) events: EventQueue,
    pub(super) network: Transport<'a>,
    pub(super) ipcq: Ipcq,
    pub(super) costs: Vec<Costs>,
    pub(super) agents: Vec<Agent>,
    /// The PEs that take part, by the number of their first agent among [`Simulation::lanes`].
    pub(super) pes: Vec<Pe>,
    /// Agents, PE after PE.
    pub(super) lanes: Vec<u32>,
    /// PEs in which something may go on now.
    pub(super) awake: VecDeque<u32>,
    pub(super) counters: Counters,
    /// The HBM controllers, where their channels are modelled, and what is on its way to them.
    pub(super) controllers: Option<Controllers>,
    pub(super) bursts: BurstLists,
    /// What the PEs remember of their MMUs' entries.
    pub(super) tlbs: Tlbs,
    /// Scratch for the pieces of a transfer.
    pub(super) pieces: Vec<Piece>,
    /// The atomic ops of the memories that have had any, by their PE.
    pub(super) modifiers: BTreeMap<u32, Modifier>,
    /// What only channel programs have.
    pub(super) channels: ChannelSim,
    pub(super) messages: u64,
    pub(super) streams: Streams,
    /// Events so far.
    happened: u64,
    transfers: u32,
    /// The end of the last write or delivery, and of the last record.
    last_effect: Option<(Ps, RecordId)>,
    last_record: Option<(Ps, RecordId)>,
    options: &'a Options,
}

/// What a step of the simulation gives.
pub(super) type Step<T> = Result<T, Box<Failure>>;

impl<'a, L: LogSink> Simulation<'a, L> {
    /// The run before its first event.
    pub(super) fn new(
        program: &'a Program,
        machine: &'a Machine,
        options: &'a Options,
        log: &'a mut L,
    ) -> Simulation<'a, L> {
        let mut network = Transport::new(machine, options.mode);
        if let Some(keep) = options.accounts {
            network.keep_accounts(Ledger::new(machine, keep));
        }
        if options.spans {
            network.draw();
        }
        let ipcq = Ipcq::new(program, machine, network.routes());
        let params = machine.params();
        let mut lanes: Vec<u32> = (0..program.agents.len() as u32).collect();
        let place = |agent: &u32| {
            (program.agents[AgentId(*agent)].pe, program.agents[AgentId(*agent)].lane)
        };
        lanes.sort_by_key(place);
        let mut agents: Vec<Agent> =
            program.agents.ids().map(|id| Agent::new(program, id, options.barrier)).collect();
        let mut pes: Vec<Pe> = Vec::new();
        for (at, agent) in lanes.iter().enumerate() {
            let pe = program.agents[AgentId(*agent)].pe;
            if pes.last().is_none_or(|last: &Pe| last.id != pe) {
                pes.push(Pe::new(pe, at as u32));
            }
            let number = pes.len() as u32 - 1;
            pes[number as usize].lanes += 1;
            agents[*agent as usize].pe = number;
        }
        let tlbs = Tlbs::new(&params.mmu, pes.len());
        Simulation {
            program,
            machine,
            params,
            log,
            now: Ps::ZERO,
            events: EventQueue::default(),
            network,
            ipcq,
            costs: Costs::of(program, params),
            agents,
            pes,
            lanes,
            awake: VecDeque::new(),
            counters: Counters::default(),
            controllers: Controllers::new(&params.hbm, machine.flit_bytes()),
            bursts: BurstLists::default(),
            tlbs,
            pieces: Vec::new(),
            modifiers: BTreeMap::new(),
            channels: ChannelSim::new(program),
            messages: 0,
            streams: Streams::default(),
            happened: 0,
            transfers: 0,
            last_effect: None,
            last_record: None,
            options,
        }
    }

    /// Runs to the end.
    pub(super) fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Step<Outcome> {
        for pe in 0..self.pes.len() as u32 {
            self.wake(pe);
        }
        self.settle_all()?;
        let mut next_report = self.options.progress_every;
        while let Some(event) = self.events.pop() {
            debug_assert!(event.time >= self.now, "events happen in the order of time");
            self.now = event.time;
            self.happened += 1;
            self.network.at(&event);
            self.handle(event)?;
            self.settle_all()?;
            if self.happened >= next_report {
                next_report += self.options.progress_every.max(1);
                self.log_spans(false);
                progress(self.progress());
            }
        }
        if let Some(failure) = self.find_stuck() {
            return Err(Box::new(failure));
        }
        progress(self.progress());
        self.log_spans(true);
        Ok(self.finish())
    }

    /// Tells the log what links did; with `all`, what they are at, too.
    fn log_spans(&mut self, all: bool) {
        let log = &mut *self.log;
        self.network.take_spans(all, &mut |span| log.push_span(span));
    }

    fn handle(&mut self, event: Event) -> Step<()> {
        match event.kind {
            EventKind::Head | EventKind::Flit | EventKind::Feed | EventKind::Serve => {
                self.network.handle(event, &mut self.events);
                Ok(())
            }
            EventKind::Deliver => self.delivered(&event),
            EventKind::SourceRead => {
                self.source_read(&event);
                Ok(())
            }
            EventKind::Modified => self.modified(event.subject),
            EventKind::Inject => self.inject(event.subject, event.detail),
            EventKind::Port => self.port_serves(event.subject),
            EventKind::Resume => {
                self.wake(self.agents[event.subject as usize].pe);
                Ok(())
            }
        }
    }

    /// Lets a PE see what it can do now.
    pub(super) fn wake(&mut self, pe: u32) {
        let state = &mut self.pes[pe as usize];
        if !std::mem::replace(&mut state.awake, true) {
            self.awake.push_back(pe);
        }
    }

    fn settle_all(&mut self) -> Step<()> {
        while let Some(pe) = self.awake.pop_front() {
            self.pes[pe as usize].awake = false;
            self.pump(pe)?;
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        let ended = self.agents.iter().filter(|it| it.status == Status::Ended).count();
        Progress {
            now: self.now,
            events: self.happened,
            finished: (ended as u64, self.agents.len() as u64),
        }
    }

    /// Adds a record to the log.
    pub(super) fn push(&mut self, record: Record, is_effect: bool) -> RecordId {
        let end = record.end;
        let ended = &mut self.pes[self.agents[record.agent.index()].pe as usize].ended;
        *ended = end.max(*ended);
        let id = self.log.push(record);
        let latest = |last: Option<(Ps, RecordId)>| last.is_none_or(|(before, _)| end > before);
        if latest(self.last_record) {
            self.last_record = Some((end, id));
        }
        if is_effect && latest(self.last_effect) {
            self.last_effect = Some((end, id));
        }
        id
    }

    /// The next number for something that moves.
    pub(super) fn new_transfer(&mut self) -> TransferId {
        self.transfers = self.transfers.wrapping_add(1);
        TransferId(self.transfers.wrapping_sub(1))
    }

    fn finish(mut self) -> Outcome {
        self.counters.hops = self.network.hops();
        let barrier = self.options.barrier;
        let used = |pe: &Pe| PeUse { pe: pe.id, busy: pe.busy, ended: pe.ended.since(barrier) };
        self.counters.pes = self.pes.iter().map(used).collect();
        self.counters.tcm_bytes = self.tcm_bytes();
        self.counters.links = (0..self.machine.link_count())
            .map(|link| LinkUse { held: self.network.held(link), ..LinkUse::default() })
            .collect();
        for (links, messages, bytes) in self.network.routes().counts() {
            for link in links.iter().map(|link: &LinkId| link.index()) {
                let used = &mut self.counters.links[link];
                used.messages += messages;
                used.bytes += bytes;
            }
        }
        for (index, used) in self.counters.links.iter_mut().enumerate() {
            used.busy = self.machine.link(LinkId::from_index(index)).bandwidth.time(used.bytes);
        }
        let last = self.last_effect.or(self.last_record);
        let end = last.map_or(self.options.barrier, |(end, _)| end);
        Outcome {
            time: end.since(self.options.barrier),
            last: last.map(|(_, record)| record),
            messages: self.messages,
            events: self.happened,
            counters: self.counters,
            accounts: self.network.take_ledger().map(Ledger::into_accounts),
        }
    }

    /// The most scratch and slots that a PE holds.
    fn tcm_bytes(&self) -> u64 {
        let comm = &self.program.comm;
        let slots = if comm.kind == SlotKind::Tcm { comm.bytes_per_agent() } else { 0 };
        let of_agent = |agent: &u32| self.program.code(AgentId(*agent)).scratch_bytes + slots;
        let of_pe = |pe: &Pe| self.lanes_of(pe).iter().map(of_agent).sum::<u64>();
        self.pes.iter().map(of_pe).max().unwrap_or(0)
    }

    /// The agents of a PE.
    pub(super) fn lanes_of(&self, pe: &Pe) -> &[u32] {
        &self.lanes[pe.first as usize..(pe.first + pe.lanes) as usize]
    }
}
