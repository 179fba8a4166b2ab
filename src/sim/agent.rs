//! PE_CPU: walks an agent's stream, issues its commands in order, and stalls where it must.

use std::collections::BTreeMap;

use super::channel::{Done, Which};
use super::composite::Pipeline;
use super::dma::Block;
use super::event::{Event, EventKey, EventKind};
use super::failure::Failure;
use super::network::{NONE, Outlet};
use super::op::{Channel, Footprint, Need, Op, Range, Ready, Release, UNKNOWN, Work, pad};
use super::state::{Simulation, Step};
use crate::arena::Id;
use crate::command::channel::ChannelCmd;
use crate::command::{
    self, AgentId, Command, MathArg, Place, Program, QueueId, SiteId, Source, TileRef, Visit,
    Walker,
};
use crate::oplog::{Action, Cause, Engine, LogSink, Record, RecordId};
use crate::topology::{CreditMode, ReleaseMode};
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
                let seq = op.seq;
                if op.touches.is_composite {
                    self.composites.retain(|it| it.seq != seq);
                }
                self.ops.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// Lets PE_CPU go on as far as it can. True if it did anything.
    pub(super) fn run_agent(&mut self, agent: u32) -> Step<bool> {
        let mut moved = false;
        while self.agents[agent as usize].status != Status::Ended {
            let Some(step) = self.next_step(agent)? else { return Ok(true) };
            if self.takes_turns(agent) {
                self.agents[agent as usize].held = Some(step);
                return Ok(moved);
            }
            let mut issue = Issue { sim: self, agent, seq: step.seq, site: step.site };
            match step.command.visit(&mut issue)? {
                Flow::GoesOn => moved = true,
                Flow::Waits(wait) => {
                    let state = &mut self.agents[agent as usize];
                    state.status = Status::Waits(wait);
                    state.held = Some(step);
                    return Ok(moved);
                }
            }
        }
        Ok(moved)
    }

    /// The command that PE_CPU is at; `None` at the end of the stream.
    fn next_step(&mut self, agent: u32) -> Step<Option<command::Step>> {
        let state = &mut self.agents[agent as usize];
        state.status = Status::Runs;
        if let Some(step) = state.held.take() {
            return Ok(Some(step));
        }
        let next = state
            .walker
            .next(self.program)
            .map_err(|error| Box::new(Failure::Walk { agent: AgentId(agent), error }))?;
        match &next {
            None => state.status = Status::Ended,
            Some(step) if matches!(step.command, Command::IpcqRelease(_)) => {}
            Some(_) => {
                let dispatch = self.params.dispatch;
                state.spend(dispatch);
                self.count_cpu(agent, dispatch);
            }
        }
        Ok(next)
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
        while let Some(release) = self.agents[agent as usize].releases.get(at).copied() {
            if self.try_release(agent, &release).is_some() {
                self.agents[agent as usize].releases.remove(at);
                fired = true;
            } else {
                at += 1;
            }
        }
        fired
    }

    /// Gives back a slot if it is known when its last reader finishes: when its sender knows.
    fn try_release(&mut self, agent: u32, it: &PendingRelease) -> Option<(Ps, RecordId, Ps)> {
        let touches = Footprint::writing(Range::slot(it.queue, it.token));
        let mut ready = Ready { time: it.issued, release: it.release };
        let need = Need { seq: it.seq, touches, insists: it.wanted };
        if !self.wait_for_hazards(agent, &need, &mut ready) {
            return None;
        }
        let fire = ready.time;
        let record = self.log_cpu(agent, (it.seq, it.site), ready, fire);
        let credit = self.give_back(agent, (it.queue, it.token), fire, record);
        Some((fire, record, credit))
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
            pending.wanted = true;
            self.fire_releases(receiver);
        }
    }
}

/// Issues one command.
struct Issue<'s, 'a, L> {
    sim: &'s mut Simulation<'a, L>,
    agent: u32,
    seq: u32,
    site: SiteId,
}

impl<L: LogSink> Issue<'_, '_, L> {
    fn state(&mut self) -> &mut Agent {
        &mut self.sim.agents[self.agent as usize]
    }

    /// Hands a command to an engine, once there is room in front of it.
    fn dispatch(
        &mut self,
        channel: Channel,
        work: Work,
        touches: Footprint,
        bytes: u64,
    ) -> Step<Flow> {
        self.dispatch_message(channel, work, touches, (bytes, 0))
    }

    fn dispatch_message(
        &mut self,
        channel: Channel,
        work: Work,
        touches: Footprint,
        (bytes, token): (u64, u64),
    ) -> Step<Flow> {
        if !self.sim.wait_for_room(self.agent, channel) {
            return Ok(Flow::Waits(Wait::Local));
        }
        self.state().prune();
        let op = self.op(channel, work, touches, (bytes, token));
        self.sim.hand_over(self.agent, op)?;
        Ok(Flow::GoesOn)
    }

    /// The command at hand, as it is let go now.
    fn op(
        &mut self,
        channel: Channel,
        work: Work,
        touches: Footprint,
        (bytes, token): (u64, u64),
    ) -> Op {
        let (seq, site) = (self.seq, self.site);
        let state = self.state();
        Op {
            seq,
            site,
            channel,
            work,
            touches,
            issued: state.time,
            release: state.release,
            start: UNKNOWN,
            read_end: UNKNOWN,
            end: UNKNOWN,
            record: None,
            read_record: None,
            transfer: None,
            bytes,
            token,
            train: NONE,
            pieces: 0,
            unread: 0,
            held: (None, Ps::ZERO),
            limited: false,
        }
    }

    fn dma(&mut self, block: Block, tile: &TileRef, bytes: u64) -> Step<Flow> {
        let writes = block.writes;
        let range = Range::of(tile);
        let touches = if writes { Footprint::reading(range) } else { Footprint::writing(range) };
        let touches = Footprint { block: Some(block), ..touches };
        let (channel, work) =
            if writes { (Channel::DmaWrite, Work::Write) } else { (Channel::DmaRead, Work::Read) };
        self.check_addresses(&block)?;
        self.dispatch(channel, work, touches, bytes)
    }

    /// Moves lanes whose addresses only replay knows.
    fn lanes(
        &mut self,
        lanes: &command::Lanes,
        beside: Option<&MathArg>,
        tile: &TileRef,
        writes: bool,
    ) -> Step<Flow> {
        let code = self.sim.program.code(AgentId(self.agent));
        let block = Block::of_lanes(&self.sim.program.memory, lanes, writes);
        let bytes = code.lanes[lanes.spec].bytes();
        let index = lanes.index.as_ref().map_or(Range::NOTHING, Range::of);
        let mut reads = [index, Range::of_arg(lanes.mask.as_ref()), Range::of_arg(beside)];
        let mut touches = Footprint { block: Some(block), ..Footprint::default() };
        if writes {
            reads[2] = Range::of(tile);
        } else {
            touches.write = Range::of(tile);
        }
        touches.reads = pad(reads);
        let (channel, work) =
            if writes { (Channel::DmaWrite, Work::Write) } else { (Channel::DmaRead, Work::Read) };
        self.check_addresses(&block)?;
        self.dispatch(channel, work, touches, bytes)
    }

    /// Refuses a block that touches what no tensor has.
    fn check_addresses(&mut self, block: &Block) -> Step<()> {
        let (agent, memory) = (AgentId(self.agent), &self.sim.program.memory);
        if block.is_inside(memory) {
            return Ok(());
        }
        let code = self.sim.program.code(agent);
        let place = (memory, self.sim.program.agents[agent].pe, self.sim.params.hbm.burst);
        block.find_owners(code, place, &mut Vec::new()).map_err(|fault| {
            Box::new(Failure::Fault { agent, site: self.site, writes: block.writes, fault })
        })
    }

    /// Takes a message out of its slot, waiting for it if need be.
    fn receive(&mut self, slot: &TileRef, dst: Option<&TileRef>, consume: bool) -> Step<Flow> {
        let Place::Slot { queue, token } = slot.place else { return Ok(Flow::GoesOn) };
        let connection = self.sim.ipcq.receives_from(AgentId(self.agent), queue);
        let arrived = connection.and_then(|it| self.sim.ipcq.visible(it, token));
        if let Some(trunk) = connection.and_then(|it| self.sim.ipcq.take_trunk(it, token)) {
            // Nobody else will ask for it.
            self.sim.network.open(trunk, Outlet::OPEN, &[], &mut self.sim.events);
        }
        let Some((visible, delivery)) = arrived else {
            return Ok(Flow::Waits(Wait::Message { connection, token }));
        };
        let (agent, seq) = (self.agent, self.seq);
        let asked = self.state().time;
        let mut ready = Ready { time: asked, release: self.state().release };
        ready.also_end(visible, Some(delivery), Cause::Link);
        let params = self.sim.params;
        let mut cost = Ps::ZERO;
        if consume {
            cost += params.ipcq.tier(self.sim.program.comm.kind).time(slot.bytes);
        }
        if let Some(dst) = dst {
            cost += params.tcm.write.time(slot.bytes);
            let touches = Footprint::writing(Range::of(dst));
            let need = Need { seq, touches, insists: true };
            if !self.sim.wait_for_hazards(agent, &need, &mut ready) {
                return Ok(Flow::Waits(Wait::Local));
            }
        }
        let end = ready.time + cost;
        self.sim.counters.stall(Engine::Cpu, ready.release.cause, ready.time - asked);
        self.sim.count_cpu(agent, cost);
        let record = self.sim.log_cpu(agent, (seq, self.site), ready, end);
        self.state().go_on(end, record);
        if dst.is_some() || params.ipcq.release == ReleaseMode::AtRecv {
            let credit = self.sim.give_back(agent, (queue, token), end, record);
            self.wait_for_credit(end, record, credit);
        }
        Ok(Flow::GoesOn)
    }

    /// Lets PE_CPU wait until a credit has reached the sender, if the machine does that.
    fn wait_for_credit(&mut self, fire: Ps, record: RecordId, credit: Ps) {
        if self.sim.params.ipcq.credit == CreditMode::Blocking {
            let state = self.state();
            let waited = credit.since(state.time);
            state.time = state.time.max(credit);
            state.release = Release { at: fire, record: Some(record), cause: Cause::Credit };
            self.sim.counters.stall(Engine::Cpu, Cause::Credit, waited);
        }
    }

    /// Waits for the slot that message `token` goes to. False if that is not free yet.
    fn wait_for_slot(&mut self, connection: u32, token: u64) -> bool {
        if self.sim.ipcq.credit(connection, token).is_none() {
            self.sim.want_release(connection, token);
        }
        let Some(credit) = self.sim.ipcq.credit(connection, token) else { return false };
        if let Some(credit) = credit
            && credit.time > self.state().time
        {
            let waited = credit.time - self.state().time;
            self.sim.counters.stall(Engine::Cpu, Cause::Credit, waited);
            let state = self.state();
            state.time = credit.time;
            let (at, record) = (credit.fire, Some(credit.record));
            state.release = Release { at, record, cause: Cause::Credit };
        }
        true
    }
}

impl<L: LogSink> Visit for Issue<'_, '_, L> {
    type Out = Step<Flow>;

    fn dma_read(&mut self, it: &command::DmaRead) -> Step<Flow> {
        let code = self.sim.program.code(AgentId(self.agent));
        let block = Block::new(code, (it.base, it.desc, it.window), false);
        self.dma(block, &it.dst, it.bytes(code))
    }

    fn dma_write(&mut self, it: &command::DmaWrite) -> Step<Flow> {
        let code = self.sim.program.code(AgentId(self.agent));
        let block = Block::new(code, (it.base, it.desc, it.window), true);
        self.dma(block, &it.src, it.bytes(code))
    }

    fn dma_gather(&mut self, it: &command::DmaGather) -> Step<Flow> {
        self.lanes(&it.lanes, it.other.as_ref(), &it.dst, false)
    }

    fn dma_scatter(&mut self, it: &command::DmaScatter) -> Step<Flow> {
        self.lanes(&it.lanes, None, &it.src, true)
    }

    fn dma_atomic(&mut self, it: &command::DmaAtomic) -> Step<Flow> {
        let code = self.sim.program.code(AgentId(self.agent));
        let spec = &code.lanes[it.lanes.spec];
        let block = Block::of_atomic(&self.sim.program.memory, &it.lanes, spec);
        let bytes = spec.bytes();
        let tile = |tile: Option<&TileRef>| tile.map_or(Range::NOTHING, Range::of);
        let reads = [
            tile(it.lanes.index.as_ref()),
            Range::of_arg(it.lanes.mask.as_ref()),
            Range::of(&it.src),
            tile(it.expected.as_ref()),
        ];
        let write = tile(it.dst.as_ref());
        let touches =
            Footprint { reads: pad(reads), write, block: Some(block), ..Footprint::default() };
        let operands = 1 + u64::from(it.expected.is_some());
        let work = Work::Atomic { back: it.dst.is_some(), operands };
        self.check_addresses(&block)?;
        self.dispatch(Channel::DmaWrite, work, touches, bytes)
    }

    fn math(&mut self, it: &command::MathCmd) -> Step<Flow> {
        let touches = Footprint::math(&it.args, &it.out);
        self.dispatch(Channel::Math, Work::Math(it.spec), touches, 0)
    }

    fn gemm(&mut self, it: &command::GemmCmd) -> Step<Flow> {
        let acc = it.acc.as_ref().map_or(Range::NOTHING, Range::of);
        let reads = pad([Range::of(&it.a), Range::of(&it.b), acc]);
        let touches = Footprint { reads, write: Range::of(&it.out), ..Footprint::default() };
        self.dispatch(Channel::Gemm, Work::Gemm(it.spec), touches, 0)
    }

    fn composite(&mut self, it: &command::CompositeCmd) -> Step<Flow> {
        if !self.sim.wait_for_room(self.agent, Channel::Scheduler) {
            return Ok(Flow::Waits(Wait::Local));
        }
        let (agent, seq, site) = (self.agent, self.seq, self.site);
        let pipeline = self.sim.new_pipeline(agent, (seq, site), it);
        for block in &pipeline.blocks {
            self.check_addresses(block)?;
        }
        let tile = |source: Option<Source>| match source {
            Some(Source::Tile(tile)) => Range::of(&tile),
            Some(Source::Memory(_)) | None => Range::NOTHING,
        };
        let args = it.args.map(|arg| Range::of_arg(arg.as_ref()));
        let sources = [tile(Some(it.a)), tile(it.b)];
        let reads = std::array::from_fn(|at| if at < 2 { sources[at] } else { args[at - 2] });
        let touches = Footprint { reads, is_composite: true, ..Footprint::default() };
        self.state().prune();
        let op = self.op(Channel::Scheduler, Work::Composite, touches, (0, it.number));
        self.state().composites.push(pipeline);
        self.sim.hand_over_composite(agent, op);
        Ok(Flow::GoesOn)
    }

    fn composite_wait(&mut self, it: &command::CompositeWait) -> Step<Flow> {
        let (agent, at) = (self.agent, (self.seq, self.site));
        let state = self.state();
        let Some((end, ended)) = state.ended.remove(&it.number) else {
            // One that was waited for before has ended.
            let runs = state.composites.iter().any(|run| run.number == it.number);
            if runs
                && state.composites.iter().any(|run| run.number == it.number && run.ended.is_none())
            {
                return Ok(Flow::Waits(Wait::Local));
            }
            let ready = Ready { time: state.time, release: state.release };
            self.sim.log_cpu(agent, at, ready, ready.time);
            return Ok(Flow::GoesOn);
        };
        let asked = state.time;
        let mut ready = Ready { time: asked, release: state.release };
        ready.also_end(end, Some(ended), Cause::Operand);
        self.sim.counters.stall(Engine::Cpu, ready.release.cause, ready.time - asked);
        let record = self.sim.log_cpu(agent, at, ready, ready.time);
        self.state().go_on(ready.time, record);
        Ok(Flow::GoesOn)
    }

    fn ipcq_send(&mut self, it: &command::IpcqSend) -> Step<Flow> {
        let agent = AgentId(self.agent);
        let Some(connection) = self.sim.ipcq.sends_to(agent, it.queue) else {
            let (site, queue) = (self.site, it.queue);
            return Err(Box::new(Failure::NoNeighbor { agent, site, queue }));
        };
        if !self.wait_for_slot(connection, it.token) {
            return Ok(Flow::Waits(Wait::Credit { connection, token: it.token }));
        }
        let touches = Footprint::reading(Range::of(&it.src));
        let sent = (it.message.bytes(), it.token);
        self.dispatch_message(Channel::DmaComm, Work::Send(connection), touches, sent)
    }

    fn ipcq_stream(&mut self, it: &command::IpcqStream) -> Step<Flow> {
        let Place::Slot { queue, token } = it.slot.place else { return Ok(Flow::GoesOn) };
        let agent = AgentId(self.agent);
        let Some(connection) = self.sim.ipcq.receives_from(agent, queue) else {
            return Ok(Flow::Waits(Wait::Message { connection: None, token }));
        };
        let mut to = Vec::new();
        for (queue, token) in it.outputs() {
            let Some(connection) = self.sim.ipcq.sends_to(agent, queue) else {
                return Err(Box::new(Failure::NoNeighbor { agent, site: self.site, queue }));
            };
            if !self.wait_for_slot(connection, token) {
                return Ok(Flow::Waits(Wait::Credit { connection, token }));
            }
            to.push((connection, token));
        }
        let tile = |tile: Option<&TileRef>| tile.map_or(Range::NOTHING, Range::of);
        let reads = pad([tile(it.acc.as_ref())]);
        let write = tile(it.out.as_ref());
        let touches = Footprint { reads, write, ..Footprint::default() };
        let key = (self.agent, self.seq);
        let channel = self.sim.note_stream(key, it, ((connection, token), to));
        self.dispatch_message(channel, Work::Stream, touches, (it.message.bytes(), token))
    }

    fn ipcq_recv(&mut self, it: &command::IpcqRecv) -> Step<Flow> {
        self.receive(&it.slot, it.dst.as_ref(), it.consume)
    }

    fn ipcq_recv_async(&mut self, _: &command::IpcqRecvAsync) -> Step<Flow> {
        let state = self.state();
        let ready = Ready { time: state.time, release: state.release };
        self.sim.log_cpu(self.agent, (self.seq, self.site), ready, ready.time);
        Ok(Flow::GoesOn)
    }

    fn wait(&mut self, it: &command::Wait) -> Step<Flow> {
        self.receive(&it.slot, None, true)
    }

    fn channel(&mut self, it: &ChannelCmd) -> Step<Flow> {
        let which = Which { agent: self.agent, seq: self.seq, site: self.site };
        Ok(match self.sim.channel(which, it)? {
            Done::GoesOn => Flow::GoesOn,
            Done::Waits => Flow::Waits(Wait::Channel),
        })
    }

    fn ipcq_release(&mut self, it: &command::IpcqRelease) -> Step<Flow> {
        let Place::Slot { queue, token } = it.slot.place else { return Ok(Flow::GoesOn) };
        let (agent, seq, site) = (self.agent, self.seq, self.site);
        let state = self.state();
        let (issued, release) = (state.time, state.release);
        if self.sim.params.ipcq.release == ReleaseMode::AtRecv {
            let ready = Ready { time: issued, release };
            self.sim.log_cpu(agent, (seq, site), ready, issued);
            return Ok(Flow::GoesOn);
        }
        let blocking = self.sim.params.ipcq.credit == CreditMode::Blocking;
        let pending = PendingRelease { seq, site, queue, token, issued, release, wanted: blocking };
        match self.sim.try_release(agent, &pending) {
            Some((fire, record, credit)) => self.wait_for_credit(fire, record, credit),
            None if blocking => return Ok(Flow::Waits(Wait::Local)),
            None => self.state().releases.push(pending),
        }
        Ok(Flow::GoesOn)
    }
}
