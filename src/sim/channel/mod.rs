//! Channel commands in time: thread blocks that share the memory, the links and the port of a PE.
//!
//! A block runs its commands one after the other, each when what it waits for has happened. Blocks
//! act in the order of time, whatever PE they are on, so what they find in counters and packets is
//! what has come by then.
//!
//! - `issue`: what each command waits for and does;
//! - `moves`: data that threads move; `ports`: data that they ask a port to move;
//! - `arrive`: what comes over links; `packets`: which packets have come.
//!
//! Costs are those of `docs/plans.md` ("Time").

mod arrive;
mod issue;
mod moves;
mod packets;
mod ports;

use std::collections::VecDeque;

use self::moves::Moving;
use self::packets::PacketMap;
use self::ports::{PortState, Proxy, Request};
use super::agent::Status;
use super::event::{Event, EventKey, EventKind};
use super::op::{Ready, Release};
use super::state::{Simulation, Step};
use crate::command::channel::{ChannelCmd, ChannelKind, ChannelOp};
use crate::command::{AgentId, Command, Program, SiteId, Template};
use crate::oplog::{Action, Cause, Engine, LogSink, Record, RecordId, TransferId};
use crate::topology::PeId;
use crate::units::Ps;

/// A command of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Which {
    pub(super) agent: u32,
    pub(super) seq: u32,
    pub(super) site: SiteId,
}

/// What a block is at.
#[derive(Clone, Debug, Default)]
enum Phase {
    /// Its next command has not begun.
    #[default]
    Before,
    /// It waits for signals: for each end, how many must have come.
    Awaits(Vec<(u32, u64)>),
    /// It takes semaphores: so many of its list are taken.
    Acquires(usize),
    /// It meets others.
    Meets,
    /// It has found the packets that it reads, and looks at the last of them until then.
    Reads(Ps, Ready),
    /// It moves data.
    Moves(Moving),
    /// It waits until so many requests to ports are done.
    Flushes(Vec<(u32, u64)>),
    /// Its command is over at a time, and this let it go.
    Over(Ps, Release),
}

/// A thread block.
#[derive(Clone, Debug, Default)]
struct BlockState {
    phase: Phase,
    /// Stores to others that are on their way, and the last that has arrived.
    stores: u32,
    stored: Option<(Ps, RecordId)>,
}

/// Signals that come in at one end of a channel.
#[derive(Clone, Debug, Default)]
struct Counter {
    /// How many have been waited for.
    expected: u64,
    /// What brought each, from the first that may still be waited for.
    arrived: u64,
    recent: VecDeque<(Ps, RecordId)>,
}

/// A counting semaphore.
#[derive(Clone, Copy, Debug)]
struct SemaphoreState {
    value: u64,
    last: Option<(Ps, RecordId)>,
}

/// Blocks that have come to a meeting.
#[derive(Clone, Debug, Default)]
struct Meeting {
    present: Vec<(Which, Ready)>,
}

/// What is on its way.
#[derive(Clone, Debug)]
enum Flight {
    /// Plain stores of a block.
    Store,
    /// Packets, with where they go: addresses and lengths.
    Packets { at: Vec<(u64, u64)>, flag: u32 },
    /// A block asks for data.
    Ask { from: Vec<PeId>, bytes: u64 },
    /// The data that a block has asked for.
    Answer,
    /// Data, or a signal, that a port sends: request `number` of the channel.
    Port { number: u32 },
}

/// Everything of a run that only channel programs have.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelSim {
    blocks: Vec<BlockState>,
    counters: Vec<Counter>,
    semaphores: Vec<SemaphoreState>,
    barriers: Vec<Meeting>,
    kernels: Vec<Meeting>,
    packets: PacketMap,
    ports: Vec<PortState>,
    proxies: Vec<Proxy>,
    requests: Vec<Request>,
    /// When the memory of each rank has served what it was asked.
    memories: Vec<Ps>,
    flights: Vec<Flight>,
    spare: Vec<u32>,
}

impl ChannelSim {
    /// The start of a run.
    pub(super) fn new(program: &Program) -> ChannelSim {
        let channels = &program.channels;
        if channels.is_empty() {
            return ChannelSim::default();
        }
        let ranks = channels.ranks.len();
        let semaphore = |it: &crate::command::channel::Semaphore| SemaphoreState {
            value: u64::from(it.initial),
            last: None,
        };
        ChannelSim {
            blocks: vec![BlockState::default(); program.agents.len()],
            counters: vec![Counter::default(); channels.ends.len()],
            semaphores: channels.semaphores.iter().map(semaphore).collect(),
            barriers: vec![Meeting::default(); channels.barriers as usize],
            kernels: vec![Meeting::default(); ranks],
            ports: vec![PortState::default(); channels.ends.len()],
            proxies: vec![Proxy::default(); ranks],
            memories: vec![Ps::ZERO; ranks],
            ..ChannelSim::default()
        }
    }
}

/// Whether a block goes on after a command, or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    GoesOn,
    Waits,
}

impl<L: LogSink> Simulation<'_, L> {
    /// Whether agents are thread blocks, which act in the order of time.
    pub(super) fn has_channels(&self) -> bool {
        !self.program.channels.is_empty()
    }

    /// Carries a channel command on as far as it goes now.
    #[inline(never)]
    pub(super) fn channel(&mut self, which: Which, it: &ChannelCmd) -> Step<Done> {
        if let Phase::Over(..) = self.channels.blocks[which.agent as usize].phase {
            return Ok(self.passes(which.agent));
        }
        self.issue(which, it)
    }

    /// Lets a block go on whose command is over by now.
    fn passes(&mut self, agent: u32) -> Done {
        let block = &mut self.channels.blocks[agent as usize];
        let Phase::Over(end, release) = block.phase else { return Done::Waits };
        if end > self.now {
            return Done::Waits;
        }
        block.phase = Phase::Before;
        let state = &mut self.agents[agent as usize];
        (state.time, state.release) = (end, release);
        Done::GoesOn
    }

    /// The agents that wait for ever, if any do.
    pub(super) fn stuck_blocks(&self) -> Vec<(AgentId, SiteId, u32)> {
        let waiting = self.agents.iter().zip(0..).filter_map(|(state, agent)| {
            let step = state.held.as_ref().filter(|_| state.status != Status::Ended)?;
            let Command::ChannelCmd(it) = step.command else { return None };
            Some((AgentId(agent), step.site, it.at.launch))
        });
        waiting.collect()
    }

    /// The rank of an agent.
    fn rank_of(&self, agent: u32) -> u32 {
        self.program.agents[AgentId(agent)].pe.0
    }

    /// When a block has come to its command, and what let it.
    fn comes(&self, agent: u32) -> Ready {
        let state = &self.agents[agent as usize];
        Ready { time: state.time, release: state.release }
    }

    /// A command is over at `end`; its block goes on then, let go by `record`.
    fn is_over(&mut self, agent: u32, end: Ps, record: RecordId) {
        let release = Release { at: end, record: Some(record), cause: Cause::Dispatch };
        self.channels.blocks[agent as usize].phase = Phase::Over(end, release);
        if end > self.now {
            self.wake_at(agent, end);
        }
    }

    /// Looks at what an agent waits for at `time`.
    fn wake_at(&mut self, agent: u32, time: Ps) {
        if time <= self.now {
            self.wake(self.agents[agent as usize].pe);
            return;
        }
        let key = EventKey::act(agent, u32::MAX);
        self.events.push(Event::new(time, key, EventKind::Resume, agent));
    }

    /// Looks at what the blocks of a rank wait for.
    fn wake_rank(&mut self, rank: u32) {
        let first = self.program.channels.ranks[rank as usize].first_agent;
        self.wake(self.agents[first as usize].pe);
    }

    /// Logs a command of a block, which may be over later than what it does.
    fn log_block(&mut self, which: Which, ready: Ready, end: Ps) -> RecordId {
        self.counters.commands += 1;
        self.counters.engine_mut(Engine::Cpu).commands += 1;
        self.counters.engine_mut(Engine::Cpu).busy += end.since(ready.time);
        let pe = self.agents[which.agent as usize].pe;
        self.pes[pe as usize].busy[Engine::Cpu as usize] += end.since(ready.time);
        self.log_part(which, ready, (end, Action::Command, Engine::Cpu), None)
    }

    /// Logs what became of a command after it ran.
    fn log_part(
        &mut self,
        which: Which,
        ready: Ready,
        (end, action, engine): (Ps, Action, Engine),
        transfer: Option<TransferId>,
    ) -> RecordId {
        let record = Record {
            start: ready.time.min(end),
            end,
            handoff: ready.release.at.min(end),
            agent: AgentId(which.agent),
            seq: which.seq,
            site: which.site,
            predecessor: ready.release.record,
            transfer,
            link: None,
            action,
            engine,
            cause: ready.release.cause,
        };
        // A run ends with its kernels.
        let site = &self.program.code(AgentId(which.agent)).sites[which.site];
        let ends = is_kernel_end(&site.template);
        self.push(record, action == Action::Delivery || ends)
    }

    /// Takes something off its flight.
    fn land(&mut self, flight: u32) -> Flight {
        self.channels.spare.push(flight);
        std::mem::replace(&mut self.channels.flights[flight as usize], Flight::Store)
    }

    fn take_off(&mut self, flight: Flight) -> u32 {
        if let Some(place) = self.channels.spare.pop() {
            self.channels.flights[place as usize] = flight;
            return place;
        }
        self.channels.flights.push(flight);
        self.channels.flights.len() as u32 - 1
    }

    /// Whether an end is of a port.
    fn is_port(&self, end: u32) -> bool {
        self.program.channels.ends[end as usize].kind == ChannelKind::Port
    }
}

/// Whether a command is the end of a kernel.
fn is_kernel_end(template: &Template) -> bool {
    matches!(template, Template::Channel(it) if matches!(it.op, ChannelOp::KernelEnd(_)))
}
