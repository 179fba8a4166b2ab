//! What PE_CPU does about each command: waits for what it needs, hands it to its engine, goes on.

use super::super::channel::{Done, Which};
use super::super::composite::Pipeline;
use super::super::dma::Block;
use super::super::failure::Failure;
use super::super::network::{NONE, Outlet};
use super::super::op::{
    Channel, Footprint, Moves, Need, Op, Range, Reads, Ready, Release, UNKNOWN, Work,
};
use super::super::state::{Simulation, Step};
use super::{Agent, Flow, PendingRelease, Wait};
use crate::command::channel::ChannelCmd;
use crate::command::{self, AgentId, MathArg, Place, SiteId, Source, TileRef, Visit};
use crate::oplog::{Cause, Engine, LogSink, RecordId};
use crate::topology::{CreditMode, ReleaseMode};
use crate::units::Ps;

/// Issues one command.
pub(super) struct Issue<'s, 'a, L> {
    pub(super) sim: &'s mut Simulation<'a, L>,
    pub(super) agent: u32,
    pub(super) seq: u32,
    pub(super) site: SiteId,
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
        let (channel, work) =
            if writes { (Channel::DmaWrite, Work::Write) } else { (Channel::DmaRead, Work::Read) };
        self.dispatch_dma((channel, work), touches, (block, bytes))
    }

    /// Hands a command that moves a block of memory to its channel.
    #[inline(never)]
    fn dispatch_dma(
        &mut self,
        (channel, work): (Channel, Work),
        touches: Footprint,
        (block, bytes): (Block, u64),
    ) -> Step<Flow> {
        self.check_addresses(&block)?;
        if !self.sim.wait_for_room(self.agent, channel) {
            return Ok(Flow::Waits(Wait::Local));
        }
        let seq = self.seq;
        let blocks = &mut self.state().blocks;
        // Few agents have more than one on its way, and blocks are large.
        blocks.reserve_exact(1);
        blocks.push((seq, block));
        self.dispatch(channel, work, Footprint { moves: Moves::Block, ..touches }, bytes)
    }

    /// Moves lanes whose addresses only replay knows.
    #[inline(never)]
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
        let mut write = Range::NOTHING;
        if writes {
            reads[2] = Range::of(tile);
        } else {
            write = Range::of(tile);
        }
        let touches = Footprint { reads: Reads::of(reads), write, ..Footprint::default() };
        let (channel, work) =
            if writes { (Channel::DmaWrite, Work::Write) } else { (Channel::DmaRead, Work::Read) };
        self.dispatch_dma((channel, work), touches, (block, bytes))
    }

    /// Refuses a block that touches what no tensor has.
    #[inline(never)]
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

    #[inline(never)]
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
        let touches = Footprint { reads: Reads::of(reads), write, ..Footprint::default() };
        let operands = 1 + u64::from(it.expected.is_some());
        let work = Work::Atomic { back: it.dst.is_some(), operands };
        self.dispatch_dma((Channel::DmaWrite, work), touches, (block, bytes))
    }

    fn math(&mut self, it: &command::MathCmd) -> Step<Flow> {
        let touches = Footprint::math(&it.args, &it.out);
        self.dispatch(Channel::Math, Work::Math(it.spec), touches, 0)
    }

    fn gemm(&mut self, it: &command::GemmCmd) -> Step<Flow> {
        let acc = it.acc.as_ref().map_or(Range::NOTHING, Range::of);
        let reads = Reads::of([Range::of(&it.a), Range::of(&it.b), acc]);
        let touches = Footprint { reads, write: Range::of(&it.out), ..Footprint::default() };
        self.dispatch(Channel::Gemm, Work::Gemm(it.spec), touches, 0)
    }

    #[inline(never)]
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
        let [x, y, z, w] = it.args.map(|arg| Range::of_arg(arg.as_ref()));
        let reads = Reads::of([tile(Some(it.a)), tile(it.b), x, y, z, w]);
        let touches = Footprint { reads, moves: Moves::Composite, ..Footprint::default() };
        self.state().prune();
        let op = self.op(Channel::Scheduler, Work::Composite, touches, (0, it.number));
        self.state().composites.push(pipeline);
        self.sim.hand_over_composite(agent, op);
        Ok(Flow::GoesOn)
    }

    #[inline(never)]
    fn composite_wait(&mut self, it: &command::CompositeWait) -> Step<Flow> {
        let (agent, at) = (self.agent, (self.seq, self.site));
        let state = self.state();
        let Some((end, ended)) = state.ended.remove(&it.number) else {
            let runs = |run: &Pipeline| run.number == it.number && run.ended.is_none();
            if state.composites.iter().any(runs) {
                return Ok(Flow::Waits(Wait::Local));
            }
            // It was waited for before, and has ended.
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

    #[inline(never)]
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
        let reads = Reads::of([tile(it.acc.as_ref())]);
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

    #[inline(never)]
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
        let (wanted, behind) = (blocking, None);
        let pending = PendingRelease { seq, site, queue, token, issued, release, wanted, behind };
        match self.sim.try_release(agent, &pending) {
            Ok((fire, record, credit)) => self.wait_for_credit(fire, record, credit),
            Err(_) if blocking => return Ok(Flow::Waits(Wait::Local)),
            Err(reader) => {
                let behind = Some(reader);
                self.state().releases.push(PendingRelease { behind, ..pending });
            }
        }
        Ok(Flow::GoesOn)
    }
}
