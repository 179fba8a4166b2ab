//! PE_CPU: walks an agent's stream, issues its commands in order, and stalls where it must.

mod issue;

use std::collections::BTreeMap;

use self::issue::Issue;
use super::composite::Pipeline;
use super::dma::Block;
use super::event::{Event, EventKey, EventKind};
use super::failure::Failure;
use super::network::NONE;
use super::op::{Footprint, Moves, Need, Op, Range, Ready, Release, UNKNOWN};
use super::state::{Simulation, Step};
use crate::arena::Id;
use crate::command::{self, AgentId, Command, Program, QueueId, SiteId, Walker};
use crate::oplog::{Action, Cause, Engine, LogSink, Record, RecordId};
use crate::units::Ps;

/// One PE_CPU and the scoreboard of what it has issued.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    walker: Walker,
    /// Its PE, by its place among those that take part.
    pub(super) pe: u32,
    /// PE_CPU's local time.
    pub(super) time: Ps,
    /// What let PE_CPU go last.
    pub(super) release: Release,
    pub(super) status: Status,
    /// The command that PE_CPU is at.
    pub(super) held: Option<command::Step>,
    /// Commands in flight.
    pub(super) ops: Vec<Op>,
    /// The blocks of memory that those commands move, by their numbers.
    pub(super) blocks: Vec<(u32, Block)>,
    /// The composites in flight.
    pub(super) composites: Vec<Pipeline>,
    /// Composites that have ended and that nobody has waited for, by number: when, and the record.
    ended: BTreeMap<u64, (Ps, RecordId)>,
    /// Releases that wait for the last reader of their slot.
    pub(super) releases: Vec<PendingRelease>,
    /// When an event lets it go on.
    resumes: Ps,
}

/// What PE_CPU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Runs,
    Waits(Wait),
    Ended,
}

/// What PE_CPU waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A message of a connection, if there is one.
    Message { connection: Option<u32>, token: u64 },
    /// The slot of a message.
    Credit { connection: u32, token: u64 },
    /// Something of its own PE: room in front of an engine, a tile, a slot's last reader.
    Local,
    /// What a channel command waits for.
    Channel,
}

/// A slot that is given back after its last reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingRelease {
    seq: u32,
    site: SiteId,
    queue: QueueId,
    token: u64,
    /// When PE_CPU came to it, and why no earlier.
    issued: Ps,
    release: Release,
    /// Whether somebody waits for it.
    wanted: bool,
    /// The reader that was still at it when it was tried last.
    behind: Option<u32>,
}

/// Whether PE_CPU goes on after a command.
enum Flow {
    GoesOn,
    Waits(Wait),
}

impl Agent {
    /// An agent that starts at `barrier`.
    pub(super) fn new(program: &Program, id: AgentId, barrier: Ps) -> Agent {
        Agent {
            walker: Walker::new(program, id),
            pe: 0,
            time: barrier,
            release: Release { at: barrier, record: None, cause: Cause::Barrier },
            status: Status::Runs,
            held: None,
            ops: Vec::new(),
            blocks: Vec::new(),
            composites: Vec::new(),
            ended: BTreeMap::new(),
            releases: Vec::new(),
            resumes: UNKNOWN,
        }
    }

    /// PE_CPU spends time on issuing a command.
    fn spend(&mut self, time: Ps) {
        self.time += time;
        if time > Ps::ZERO && self.release.cause == Cause::Barrier {
            self.release.cause = Cause::Dispatch;
        }
    }

    /// PE_CPU goes on at `time`, let go by a record that ended then.
    fn go_on(&mut self, time: Ps, record: RecordId) {
        self.time = time;
        self.release = Release { at: time, record: Some(record), cause: Cause::Dispatch };
    }

    /// The block of memory that command `seq` moves, if it moves one.
    pub(super) fn block(&self, seq: u32) -> Option<&Block> {
        self.blocks.iter().find(|(of, _)| *of == seq).map(|(_, block)| block)
    }

    /// Composite `seq` has ended: whoever waits for it may know when.
    pub(super) fn composite_ended(&mut self, seq: u32) {
        let found = self.composites.iter().find(|it| it.seq == seq);
        if let Some((number, ended)) = found.and_then(|it| Some((it.number, it.ended?))) {
            self.ended.insert(number, ended);
        }
    }

    /// Forgets commands that nothing can wait for any more.
    fn prune(&mut self) {
        let waiting = self.ops.iter().filter(|op| op.start == UNKNOWN).map(|op| op.issued);
        let releases = self.releases.iter().map(|release| release.issued);
        let oldest = waiting.chain(releases).min().unwrap_or(self.time).min(self.time);
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            if op.is_over(oldest) {
                let (seq, moves) = (op.seq, op.touches.moves);
                let last = self.ops.len() - 1;
                self.ops.copy_within(last.., at);
                self.ops.truncate(last);
                match moves {
                    Moves::Nothing => {}
                    Moves::Block => self.blocks.retain(|(of, _)| *of != seq),
                    Moves::Composite => self.composites.retain(|it| it.seq != seq),
                }
            } else {
                at += 1;
            }
        }
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// Lets PE_CPU go on as far as it can. True if it did anything.
    pub(super) fn run_agent(&mut self, agent: u32) -> Step<bool> {
        if self.waits_still(agent) {
            return Ok(false);
        }
        let mut moved = false;
        let mut step = self.agents[agent as usize].held.take();
        while self.agents[agent as usize].status != Status::Ended {
            self.agents[agent as usize].status = Status::Runs;
            if step.is_none() {
                self.next_step(agent, &mut step)?;
            }
            let Some(at) = &step else { return Ok(true) };
            if self.takes_turns(agent) {
                self.agents[agent as usize].held = step;
                return Ok(moved);
            }
            let mut issue = Issue { sim: self, agent, seq: at.seq, site: at.site };
            if let Flow::Waits(wait) = at.command.visit(&mut issue)? {
                let state = &mut self.agents[agent as usize];
                state.status = Status::Waits(wait);
                state.held = step;
                return Ok(moved);
            }
            (moved, step) = (true, None);
        }
        Ok(moved)
    }

    /// Whether PE_CPU waits for a message that has not come. (What streams, where there are any, is
    /// asked for by waiting again.)
    fn waits_still(&self, agent: u32) -> bool {
        let Status::Waits(wait) = self.agents[agent as usize].status else { return false };
        let Wait::Message { connection: Some(connection), token } = wait else { return false };
        !self.ipcq.has_streams() && self.ipcq.visible(connection, token).is_none()
    }

    /// Walks to the next command, into `step`; there is none at the end of the stream.
    fn next_step(&mut self, agent: u32, step: &mut Option<command::Step>) -> Step<()> {
        let state = &mut self.agents[agent as usize];
        state
            .walker
            .next_into(self.program, step)
            .map_err(|error| Box::new(Failure::Walk { agent: AgentId(agent), error }))?;
        match step {
            None => state.status = Status::Ended,
            Some(step) if matches!(step.command, Command::IpcqRelease(_)) => {}
            Some(_) => {
                let dispatch = self.params.dispatch;
                state.spend(dispatch);
                self.count_cpu(agent, dispatch);
            }
        }
        Ok(())
    }

    /// Whether an agent that shares its PE has to wait until others have come as far in time.
    fn takes_turns(&mut self, agent: u32) -> bool {
        let has_channels = self.has_channels();
        let state = &mut self.agents[agent as usize];
        let shares = has_channels || self.pes[state.pe as usize].lanes > 1;
        if !shares || state.time <= self.now {
            return false;
        }
        if state.resumes != state.time {
            state.resumes = state.time;
            let key = EventKey::act(agent, u32::MAX);
            self.events.push(Event::new(state.time, key, EventKind::Resume, agent));
        }
        true
    }

    fn count_cpu(&mut self, agent: u32, time: Ps) {
        let pe = self.agents[agent as usize].pe;
        self.pes[pe as usize].busy[Engine::Cpu as usize] += time;
        self.counters.engine_mut(Engine::Cpu).busy += time;
    }

    /// Gives back slots whose last readers have finished. True if there was one.
    pub(super) fn fire_releases(&mut self, agent: u32) -> bool {
        let (mut fired, mut at) = (false, 0);
        while let Some(release) = self.agents[agent as usize].releases.get(at) {
            if release.behind.is_some_and(|reader| self.reads_still(agent, reader)) {
                at += 1;
                continue;
            }
            let release = *release;
            match self.try_release(agent, &release) {
                Ok(_) => {
                    self.agents[agent as usize].releases.remove(at);
                    fired = true;
                }
                Err(reader) => {
                    self.agents[agent as usize].releases[at].behind = Some(reader);
                    at += 1;
                }
            }
        }
        fired
    }

    /// Whether it is not known yet when command `seq` has read its operands.
    fn reads_still(&self, agent: u32, seq: u32) -> bool {
        let op = self.agents[agent as usize].ops.iter().find(|op| op.seq == seq);
        op.is_some_and(|op| {
            op.read_end == UNKNOWN
                && (op.train == NONE || self.network.source_end(op.train).is_none())
        })
    }

    /// Gives back a slot if it is known when its last reader finishes: when its sender knows.
    ///
    /// # Errors
    /// The reader of which that is not known.
    fn try_release(&mut self, agent: u32, it: &PendingRelease) -> Result<(Ps, RecordId, Ps), u32> {
        let touches = Footprint::writing(Range::slot(it.queue, it.token));
        let mut ready = Ready { time: it.issued, release: it.release };
        let need = Need { seq: it.seq, touches, insists: it.wanted };
        self.find_hazards(agent, &need, &mut ready)?;
        let fire = ready.time;
        let record = self.log_cpu(agent, (it.seq, it.site), ready, fire);
        let credit = self.give_back(agent, (it.queue, it.token), fire, record);
        Ok((fire, record, credit))
    }

    /// Frees a slot at `fire`. Gives when its sender knows.
    pub(super) fn give_back(
        &mut self,
        agent: u32,
        (queue, token): (QueueId, u64),
        fire: Ps,
        record: RecordId,
    ) -> Ps {
        let Some(connection) = self.ipcq.receives_from(AgentId(agent), queue) else { return fire };
        let credit = self.ipcq.release(connection, token, fire, record);
        let sender = &self.agents[self.ipcq.connection(connection).sender.index()];
        if let Status::Waits(Wait::Credit { connection: of, .. }) = sender.status
            && of == connection
        {
            self.wake(sender.pe);
        }
        credit
    }

    /// Logs a command that PE_CPU carries out itself.
    fn log_cpu(
        &mut self,
        agent: u32,
        (seq, site): (u32, SiteId),
        ready: Ready,
        end: Ps,
    ) -> RecordId {
        self.counters.commands += 1;
        self.counters.engine_mut(Engine::Cpu).commands += 1;
        let record = Record {
            start: ready.time,
            end,
            handoff: ready.release.at,
            agent: AgentId(agent),
            seq,
            site,
            predecessor: ready.release.record,
            transfer: None,
            link: None,
            action: Action::Command,
            engine: Engine::Cpu,
            cause: ready.release.cause,
        };
        self.push(record, false)
    }

    /// Somebody waits for the slot of `token`: asks its receiver to give it back as soon as it can.
    fn want_release(&mut self, connection: u32, token: u64) {
        let Some(token) = self.ipcq.before(token) else { return };
        let (receiver, queue) = {
            let connection = self.ipcq.connection(connection);
            (connection.receiver.0, connection.queue)
        };
        let state = &mut self.agents[receiver as usize];
        let pending = state.releases.iter_mut().find(|it| (it.queue, it.token) == (queue, token));
        if let Some(pending) = pending {
            (pending.wanted, pending.behind) = (true, None);
            self.fire_releases(receiver);
        }
    }
}
