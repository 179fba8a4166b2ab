//! Composites: a command that the scheduler expands into a pipeline of tiles.
//!
//! The stages are DMA_IN → FETCH → GEMM → MATH → STORE → DMA_WB. Each takes the tiles in their
//! order, one at a time (DMA as many as its channel has in flight), and starts one as soon as the
//! tile is there, the stage is free, and a place behind it is free: between two stages there are
//! `buffers` of them. Sums stay in registers along k. `docs/machine.md` has the formulas.
//!
//! Engines serve commands in the order in which PE_CPU issued them, so a composite takes its turn
//! at each: it *holds* an engine from the end of the commands before it until it has started its
//! last tile there, and the places between two stages until the last of them is free. As a whole
//! it waits, like any command, for what it conflicts with.
//!
//! Stages are worked out at the instants at which something ends: a stage that starts plans an
//! event for its end, and whenever its PE is looked at, the pipeline starts whatever can start.

mod plan;
mod stages;
mod tiles;

use std::collections::VecDeque;

use self::plan::Plan;
use self::stages::STAGES;
use super::dma::Block;
use super::event::{Event, EventKey, EventKind};
use super::op::{Channel, Release, TURNS, UNKNOWN};
use super::pe::Free;
use super::state::Simulation;
use crate::command::{AgentId, CompositeCmd, SiteId};
use crate::oplog::{Action, Cause, Engine, LogSink, Record, RecordId, TransferId};
use crate::topology::LinkId;
use crate::units::Ps;

/// The end of a stage's work on a tile.
#[derive(Clone, Copy, Debug)]
struct Done {
    end: Ps,
    record: RecordId,
}

/// A stage that works on one tile after another.
#[derive(Clone, Debug, Default)]
struct Track {
    /// Tiles begun.
    started: u64,
    /// The ends of the last ones, the oldest first.
    recent: VecDeque<Done>,
}

/// How many ends a track remembers beyond those of the tiles in all places behind it.
const SLACK: u64 = 4;

impl Track {
    /// When tile `index` was done with, if that is not in the future of `now`.
    fn done(&self, index: u64, now: Ps) -> Option<Done> {
        let first = self.started - self.recent.len() as u64;
        let place = index.checked_sub(first)?;
        self.recent.get(place as usize).copied().filter(|done| done.end <= now)
    }

    fn push(&mut self, done: Done, buffers: u64) {
        self.started += 1;
        self.recent.push_back(done);
        while self.recent.len() as u64 > 2 * buffers + SLACK {
            self.recent.pop_front();
        }
    }
}

/// A transfer of a tile.
#[derive(Clone, Debug)]
struct Moving {
    transfer: Option<TransferId>,
    start: Ps,
    leaves: Ps,
    release: Release,
    bytes: u64,
    /// Whether it has entered the network.
    injected: bool,
    /// Pieces that have not arrived, and that have not been read.
    pieces: u32,
    unread: u32,
    held: (Option<LinkId>, Ps),
    /// When its source was read, of a write-back.
    read: Option<Ps>,
    done: Option<Done>,
}

/// Transfers in their order, those that are still of interest.
#[derive(Clone, Debug, Default)]
struct Moves {
    /// Transfers begun.
    started: u64,
    /// The number of the first that is kept.
    first: u64,
    kept: VecDeque<Moving>,
    /// How many have ended.
    ended: u64,
}

impl Moves {
    fn get(&self, index: u64) -> Option<&Moving> {
        self.kept.get(index.checked_sub(self.first)? as usize)
    }

    fn get_mut(&mut self, index: u64) -> Option<&mut Moving> {
        self.kept.get_mut(index.checked_sub(self.first)? as usize)
    }

    fn push(&mut self, moving: Moving) {
        self.started += 1;
        self.kept.push_back(moving);
    }

    /// Forgets transfers before `index`, as far as they have ended.
    fn forget_before(&mut self, index: u64) {
        while self.first < index && self.kept.front().is_some_and(|it| it.done.is_some()) {
            self.kept.pop_front();
            self.first += 1;
        }
    }
}

/// A composite that has been dispatched.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) seq: u32,
    site: SiteId,
    pub(super) number: u64,
    plan: Plan,
    /// What it touches in memory.
    pub(super) blocks: Vec<Block>,
    /// When its first tile may go, and what let it go; none before the scheduler has it.
    begins: Option<(Ps, Release)>,
    /// What it has now, and since when that is free.
    holds: [Option<Free>; TURNS],
    /// What each stage that cannot start yet will be looked at for.
    alarms: [Ps; STAGES],
    reads: Moves,
    fetch: Track,
    gemm: Track,
    math: Track,
    /// Output tiles whose sums are complete.
    sums: Track,
    store: Track,
    writes: Moves,
    /// The last of the tiles that have been written so far.
    written: Option<Done>,
    /// Once everything has been read.
    read_record: Option<RecordId>,
    /// Once everything has been written: when, and the record.
    pub(super) ended: Option<(Ps, RecordId)>,
}

impl Pipeline {
    /// What it takes its turn at: engines, and the places between them.
    pub(super) fn channels(&self) -> Vec<Channel> {
        let streams = self.plan.streams() > 0;
        let uses = [
            (Channel::DmaRead, streams),
            (Channel::Staging, streams),
            (Channel::Registers, true),
            (Channel::Gemm, self.plan.has_gemm()),
            (Channel::Math, self.plan.math_tasks() > 0),
            (Channel::Sums, true),
            (Channel::Output, true),
            (Channel::DmaWrite, true),
        ];
        uses.into_iter().filter(|(_, used)| *used).map(|(channel, _)| channel).collect()
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// The pipeline of a command that is issued now.
    #[inline(never)]
    pub(super) fn new_pipeline(
        &self,
        agent: u32,
        (seq, site): (u32, SiteId),
        it: &CompositeCmd,
    ) -> Pipeline {
        let spec = &self.program.code(AgentId(agent)).composites[it.spec];
        let plan = Plan::new(spec, it, self.params.scheduler.buffers);
        Pipeline {
            seq,
            site,
            number: it.number,
            blocks: plan.blocks(),
            plan,
            begins: None,
            holds: [None; TURNS],
            alarms: [Ps::ZERO; STAGES],
            reads: Moves::default(),
            fetch: Track::default(),
            gemm: Track::default(),
            math: Track::default(),
            sums: Track::default(),
            store: Track::default(),
            writes: Moves::default(),
            written: None,
            read_record: None,
            ended: None,
        }
    }

    /// The scheduler takes a composite up at `start`: its first tile may go once it has been cut.
    #[inline(never)]
    pub(super) fn begin_composite(
        &mut self,
        agent: u32,
        seq: u32,
        (start, release): (Ps, Release),
    ) {
        let begins = start + self.params.scheduler.overhead;
        let number = self.agents[agent as usize].pe;
        let pe = &mut self.pes[number as usize];
        pe.occupy_scheduler(begins, release);
        pe.busy[Engine::Scheduler as usize] += begins - start;
        self.counters.engine_mut(Engine::Scheduler).busy += begins - start;
        let spec = self.pipeline(agent, seq).map(|it| it.plan.amounts());
        if let Some((macs, elements)) = spec {
            self.counters.macs += macs;
            self.counters.elements += elements;
        }
        if let Some(pipeline) = self.pipeline(agent, seq) {
            pipeline.begins = Some((begins, release));
        }
        self.resume_at(agent, seq, begins);
    }

    /// The pipeline of command `seq` of an agent.
    pub(super) fn pipeline(&mut self, agent: u32, seq: u32) -> Option<&mut Pipeline> {
        self.agents[agent as usize].composites.iter_mut().find(|it| it.seq == seq)
    }

    /// Gives a composite what those before it are done with.
    #[inline(never)]
    pub(super) fn hold(&mut self, agent: u32, seq: u32, (channel, free): (Channel, Free)) {
        if let Some(pipeline) = self.pipeline(agent, seq) {
            pipeline.holds[channel as usize] = Some(free);
        }
    }

    /// Lets the PE of an agent be looked at again at `time`.
    fn resume_at(&mut self, agent: u32, seq: u32, time: Ps) {
        let key = EventKey::act(agent, seq);
        self.events.push(Event::new(time.max(self.now), key, EventKind::Resume, agent));
    }

    /// Logs a stage.
    fn log_stage(
        &mut self,
        agent: u32,
        at: (u32, SiteId),
        engine: Engine,
        (start, end, release): (Ps, Ps, Release),
    ) -> RecordId {
        let (seq, site) = at;
        let record = Record {
            start,
            end,
            handoff: release.at.min(start),
            agent: AgentId(agent),
            seq,
            site,
            predecessor: release.record,
            transfer: None,
            link: None,
            action: Action::Stage,
            engine,
            cause: release.cause,
        };
        let number = self.agents[agent as usize].pe;
        self.pes[number as usize].busy[engine as usize] += end - start;
        self.counters.engine_mut(engine).busy += end - start;
        self.push(record, false)
    }

    /// All that a composite reads has been read: what overwrites its tiles may go on.
    fn finish_reading(&mut self, agent: u32, seq: u32, end: Ps) {
        let at = self.op_index(agent, seq);
        self.agents[agent as usize].ops[at].read_end = end;
        let op = &self.agents[agent as usize].ops[at];
        let record = Record {
            start: op.start,
            end,
            handoff: op.release.at,
            agent: AgentId(agent),
            seq,
            site: op.site,
            predecessor: op.release.record,
            transfer: None,
            link: None,
            action: Action::Command,
            engine: Engine::Scheduler,
            cause: op.release.cause,
        };
        let record = self.push(record, false);
        self.agents[agent as usize].ops[at].read_record = Some(record);
        if let Some(pipeline) = self.pipeline(agent, seq) {
            pipeline.read_record = Some(record);
        }
    }

    /// The last byte of a composite is in memory.
    fn finish_composite(&mut self, agent: u32, seq: u32, last: Done) {
        let at = self.op_index(agent, seq);
        let op = &self.agents[agent as usize].ops[at];
        let record = Record {
            start: last.end,
            end: last.end,
            handoff: last.end,
            agent: AgentId(agent),
            seq,
            site: op.site,
            predecessor: Some(last.record),
            transfer: None,
            link: None,
            action: Action::Delivery,
            engine: Engine::DmaWrite,
            cause: Cause::Link,
        };
        let record = self.push(record, true);
        let op = &mut self.agents[agent as usize].ops[at];
        debug_assert!(op.read_end != UNKNOWN, "what has been written has been read");
        (op.end, op.record) = (last.end, Some(record));
        if let Some(pipeline) = self.pipeline(agent, seq) {
            pipeline.ended = Some((last.end, record));
        }
        self.agents[agent as usize].composite_ended(seq);
        self.wake(self.agents[agent as usize].pe);
    }
}

/// A [`Release`] by the end of a stage.
fn by(done: Done, cause: Cause) -> Release {
    Release { at: done.end, record: Some(done.record), cause }
}

/// The PE of an agent, for its position in a list.
fn pe_of<L: LogSink>(sim: &Simulation<'_, L>, agent: u32) -> usize {
    sim.agents[agent as usize].pe as usize
}
