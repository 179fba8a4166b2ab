//! What enters and leaves the network: messages, requests to memories, their answers.

use super::agent::{Status, Wait};
use super::dma::Piece;
use super::event::Event;
use super::failure::Failure;
use super::hbm::{Access, Bursts, Touched};
use super::network::{Arrival, Cargo, CargoKind, Class, NONE, Shipment};
use super::op::{Op, Ready, Release, Work};
use super::routes::RouteId;
use super::state::{Simulation, Step};
use crate::arena::Id;
use crate::command::{AgentId, SiteId};
use crate::oplog::{Action, Cause, Engine, LogSink, Record, TransferId};
use crate::topology::{NodeId, PeId};
use crate::units::{Bandwidth, Ps};

impl<L: LogSink> Simulation<'_, L> {
    /// A DMA command begins its transfer now.
    pub(super) fn inject(&mut self, agent: u32, seq: u32) -> Step<()> {
        let at = self.op_index(agent, seq);
        let transfer = self.new_transfer();
        let op = &mut self.agents[agent as usize].ops[at];
        op.transfer = Some(transfer);
        match op.work {
            Work::Send(connection) => self.inject_message(agent, at, (connection, transfer)),
            Work::Read | Work::Write | Work::Atomic { .. } => self.inject_dma(agent, at, transfer),
            Work::Stream => self.begin_stream(agent, at),
            Work::Math(_) | Work::Gemm(_) | Work::Composite => Ok(()),
        }
    }

    pub(super) fn cargo(
        &self,
        agent: u32,
        op: &Op,
        kind: CargoKind,
        transfer: TransferId,
    ) -> Cargo {
        Cargo {
            kind,
            agent,
            seq: op.seq,
            site: op.site,
            transfer,
            place: 0,
            token: op.token,
            bytes: op.bytes,
            start: op.start,
            record: None,
            bursts: Bursts::Row(0),
        }
    }

    fn inject_message(
        &mut self,
        agent: u32,
        at: usize,
        (connection, transfer): (u32, TransferId),
    ) -> Step<()> {
        let op = &self.agents[agent as usize].ops[at];
        let token = op.token;
        let cargo = self.cargo(agent, op, CargoKind::Message, transfer);
        let cargo = Cargo { place: connection, ..cargo };
        let shipment = self.message(cargo, self.params.tcm.read)?;
        let trains = self.send_message(&shipment);
        self.agents[agent as usize].ops[at].train = trains[0];
        self.on_the_way((connection, token), trains)
    }

    /// Sends a message. Gives its train, and the one below a router that copies it, if one does.
    pub(super) fn send_message(&mut self, shipment: &Shipment) -> [u32; 2] {
        match self.forked(shipment) {
            Some(ways) => self.network.send_forked(&ways, &mut self.events),
            None => [self.network.send(shipment, &mut self.events), NONE],
        }
    }

    /// Where a router copies a message: its way there, and the one down to the PE.
    pub(super) fn forked(&self, shipment: &Shipment) -> Option<[Shipment; 2]> {
        let fork = self.ipcq.fork(shipment.cargo.place)?;
        let trunk = Cargo { kind: CargoKind::Trunk, ..shipment.cargo };
        let trunk = Shipment { cargo: trunk, route: fork.trunk, ..*shipment };
        Some([trunk, Shipment { route: fork.down, ..*shipment }])
    }

    /// A message over the connection that its cargo names, whose source is read at a rate.
    pub(super) fn message(&self, cargo: Cargo, read: Bandwidth) -> Step<Shipment> {
        let connection = self.ipcq.connection(cargo.place);
        let to = self.program.agents[connection.receiver].pe;
        let Some(route) = connection.route else {
            return Err(self.no_route(cargo.agent, cargo.site, to));
        };
        Ok(Shipment {
            cargo,
            route,
            class: Class::Comm,
            bytes: cargo.bytes,
            to,
            read,
            from: Ps::ZERO,
            until: Ps::ZERO,
            write: Bandwidth::INFINITE,
            after: Ps::ZERO,
            watched: false,
            streamable: self.ipcq.is_streamable(cargo.place),
        })
    }

    #[inline(never)]
    fn inject_dma(&mut self, agent: u32, at: usize, transfer: TransferId) -> Step<()> {
        let op = self.agents[agent as usize].ops[at];
        let Some(block) = self.agents[agent as usize].block(op.seq).copied() else { return Ok(()) };
        let pe = self.program.agents[AgentId(agent)].pe;
        let code = self.program.code(AgentId(agent));
        let mut pieces = std::mem::take(&mut self.pieces);
        let place = (&self.program.memory, pe, self.params.hbm.burst);
        let found = block.find_owners(code, place, &mut pieces);
        if let Err(fault) = found {
            return Err(self.fault(agent, &op, fault));
        }
        let state = &mut self.agents[agent as usize].ops[at];
        state.pieces = pieces.len() as u32;
        let kind = match op.work {
            Work::Atomic { .. } => CargoKind::AtomicRequest,
            Work::Write => CargoKind::WriteData,
            Work::Read
            | Work::Send(_)
            | Work::Stream
            | Work::Math(_)
            | Work::Gemm(_)
            | Work::Composite => CargoKind::ReadRequest,
        };
        state.unread = if kind == CargoKind::WriteData { state.pieces } else { 0 };
        if pieces.is_empty() {
            self.finish_dma(agent, at);
        }
        let burst = self.params.hbm.burst;
        for Piece { owner, touched } in pieces.drain(..) {
            let route = self.route(agent, &op, self.machine.pe(pe).dma, owner)?;
            let moved = touched.bytes(burst);
            let bursts = self.bursts_of(kind, touched);
            let cargo = self.cargo(agent, &op, kind, transfer);
            let cargo = Cargo { place: owner.0, bytes: moved, bursts, ..cargo };
            let bytes = match op.work {
                Work::Atomic { operands, .. } => moved.saturating_mul(operands),
                Work::Write => moved,
                Work::Read
                | Work::Send(_)
                | Work::Stream
                | Work::Math(_)
                | Work::Gemm(_)
                | Work::Composite => 0,
            };
            self.send_piece(cargo, (route, bytes), owner);
        }
        self.pieces = pieces;
        Ok(())
    }

    /// The bursts of a piece, kept for its memory where that looks at them.
    pub(super) fn bursts_of(&mut self, kind: CargoKind, touched: Touched) -> Bursts {
        let (first, runs) = touched.into_runs();
        let counts = !matches!(kind, CargoKind::AtomicRequest);
        if runs.is_empty() || !counts || self.controllers.is_none() {
            return Bursts::Row(first);
        }
        self.bursts.keep(runs)
    }

    /// Sends data, or a request for it, to the memory that it belongs in.
    #[inline(never)]
    fn send_piece(&mut self, cargo: Cargo, (route, bytes): (RouteId, u64), owner: PeId) {
        let asks = cargo.kind == CargoKind::ReadRequest;
        let shipment = Shipment {
            cargo,
            route,
            class: Class::Compute,
            bytes,
            to: owner,
            read: if asks { Bandwidth::INFINITE } else { self.params.tcm.read },
            from: Ps::ZERO,
            until: Ps::ZERO,
            write: Bandwidth::INFINITE,
            after: self.params.hbm.overhead,
            watched: cargo.kind == CargoKind::WriteData,
            streamable: false,
        };
        self.network.send(&shipment, &mut self.events);
    }

    pub(super) fn route(
        &mut self,
        agent: u32,
        op: &Op,
        from: NodeId,
        owner: PeId,
    ) -> Step<RouteId> {
        let to = self.machine.pe(owner).hbm;
        let route = self.network.routes().find(self.machine, from, to);
        route.ok_or_else(|| self.no_route(agent, op.site, owner))
    }

    fn no_route(&self, agent: u32, site: SiteId, to: PeId) -> Box<Failure> {
        let agent = AgentId(agent);
        let from = self.program.agents[agent].pe;
        Box::new(Failure::NoRoute { agent, site, from, to })
    }

    /// An address that is nobody's.
    pub(super) fn fault(&self, agent: u32, op: &Op, fault: crate::launch::Fault) -> Box<Failure> {
        let writes = matches!(op.work, Work::Write | Work::Atomic { .. });
        Box::new(Failure::Fault { agent: AgentId(agent), site: op.site, writes, fault })
    }

    /// The last byte of something has arrived.
    pub(super) fn delivered(&mut self, event: &Event) -> Step<()> {
        if self.controllers.is_some()
            && let Some((cargo, first)) = self.network.stored(event)
            && let Some(done) = self.serve_write(&cargo, first)
        {
            self.events.postpone(event, done);
            return Ok(());
        }
        let Some(arrival) = self.network.take(event) else { return Ok(()) };
        match arrival.cargo.kind {
            CargoKind::Message if arrival.streamed.is_some() => self.stream_ended(&arrival),
            CargoKind::Message => {
                self.message_arrived(&arrival);
                self.arrived_in_slot((arrival.cargo.place, arrival.cargo.token))?;
            }
            CargoKind::Trunk => self.trunk_ended(&arrival)?,
            CargoKind::ReadRequest | CargoKind::TileRequest => {
                self.answer(&arrival.cargo, arrival.cargo.bytes)?;
            }
            CargoKind::AtomicRequest => self.modify(&arrival.cargo),
            CargoKind::ReadData | CargoKind::WriteData => self.piece_arrived(&arrival),
            CargoKind::TileData | CargoKind::TileWrite => self.tile_piece_arrived(&arrival),
            // The host speaks before and after a kernel, never while it runs.
            CargoKind::Control => {}
            CargoKind::Channel => self.channel_arrived(&arrival)?,
        }
        Ok(())
    }

    /// A memory sends what it was asked for, `bytes` of it.
    #[inline(never)]
    pub(super) fn answer(&mut self, cargo: &Cargo, bytes: u64) -> Step<()> {
        let pe = self.program.agents[AgentId(cargo.agent)].pe;
        let (from, to) = (self.machine.pe(PeId(cargo.place)).hbm, self.machine.pe(pe).dma);
        let Some(route) = self.network.routes().find(self.machine, from, to) else {
            let (agent, site) = (AgentId(cargo.agent), cargo.site);
            let from = PeId(cargo.place);
            return Err(Box::new(Failure::NoRoute { agent, site, from, to: pe }));
        };
        let is_tile = cargo.kind == CargoKind::TileRequest;
        let kind = if is_tile { CargoKind::TileData } else { CargoKind::ReadData };
        let (from, until) = self.serve_read(cargo, route);
        let shipment = Shipment {
            cargo: Cargo { kind, ..*cargo },
            route,
            class: Class::Compute,
            bytes,
            to: pe,
            read: Bandwidth::INFINITE,
            from,
            until,
            write: self.params.tcm.write,
            after: Ps::ZERO,
            watched: false,
            streamable: false,
        };
        self.network.send(&shipment, &mut self.events);
        Ok(())
    }

    /// When the first flit of what a memory is asked for is there, and when the last one is.
    #[inline(never)]
    fn serve_read(&mut self, cargo: &Cargo, route: RouteId) -> (Ps, Ps) {
        let now = self.now;
        let Some(controllers) = &mut self.controllers else { return (now, now) };
        if !matches!(cargo.kind, CargoKind::ReadRequest | CargoKind::TileRequest) {
            return (now, now);
        }
        let runs = self.bursts.take(cargo.bursts, (cargo.bytes, controllers.burst()));
        let rate = self.network.first_rate(route).unwrap_or(self.params.tcm.write);
        let (place, bytes) = (PeId(cargo.place), cargo.bytes);
        controllers.read(&Access { place, runs: &runs, bytes, first: now, last: now }, rate)
    }

    /// The last byte of a write has come to its memory. Gives when the memory has all of it, if
    /// that is later than now.
    #[inline(never)]
    fn serve_write(&mut self, cargo: &Cargo, first: Ps) -> Option<Ps> {
        let controllers = self.controllers.as_mut()?;
        let runs = self.bursts.take(cargo.bursts, (cargo.bytes, controllers.burst()));
        let (place, bytes) = (PeId(cargo.place), cargo.bytes);
        let access = Access { place, runs: &runs, bytes, first, last: self.now };
        Some(controllers.write(&access)).filter(|done| *done > self.now)
    }

    #[inline(never)]
    fn piece_arrived(&mut self, arrival: &Arrival) {
        let agent = arrival.cargo.agent;
        let at = self.op_index(agent, arrival.cargo.seq);
        if arrival.watched {
            self.piece_read(agent, at);
        }
        let op = &mut self.agents[agent as usize].ops[at];
        if arrival.held.1 > op.held.1 {
            op.held = arrival.held;
        }
        op.pieces -= 1;
        if op.pieces == 0 {
            self.finish_dma(agent, at);
        }
    }

    /// The last byte of something has left its source.
    pub(super) fn source_read(&mut self, event: &Event) {
        let Some(cargo) = self.network.source_read(event) else { return };
        match cargo.kind {
            CargoKind::WriteData => {
                self.piece_read(cargo.agent, self.op_index(cargo.agent, cargo.seq));
            }
            CargoKind::TileWrite => self.tile_piece_read(&cargo),
            // A send that has a record was found out about before.
            CargoKind::Message if cargo.record.is_none() => {
                let at = self.op_index(cargo.agent, cargo.seq);
                self.finish_send(cargo.agent, at, self.now);
            }
            CargoKind::Trunk if cargo.record.is_none() => {
                let at = self.op_index(cargo.agent, cargo.seq);
                self.finish_send(cargo.agent, at, self.now);
            }
            CargoKind::Message
            | CargoKind::Trunk
            | CargoKind::ReadRequest
            | CargoKind::ReadData
            | CargoKind::TileRequest
            | CargoKind::TileData
            | CargoKind::AtomicRequest
            | CargoKind::Control
            | CargoKind::Channel => {}
        }
    }

    fn piece_read(&mut self, agent: u32, at: usize) {
        let now = self.now;
        let op = &mut self.agents[agent as usize].ops[at];
        op.unread -= 1;
        if op.unread == 0 {
            op.read_end = now;
            self.log_read(agent, at);
            self.wake(self.agents[agent as usize].pe);
        }
    }

    /// The inbound side of the receiver writes a message into its slot, one after the other.
    fn message_arrived(&mut self, arrival: &Arrival) {
        let cargo = &arrival.cargo;
        if self.ipcq.has_streams() && self.ipcq.is_freed(cargo.place, cargo.token) {
            // It was passed on by a router, and nobody wanted it here.
            return;
        }
        let record = self.sender_record(arrival);
        let sent = Release { at: cargo.start, record, cause: Cause::Link };
        let mut ready = Ready { time: self.now, release: sent };
        let receiver = self.ipcq.connection(cargo.place).receiver;
        let number = self.agents[receiver.index()].pe;
        let pe = &mut self.pes[number as usize];
        if pe.inbound_last.is_some() {
            ready.also_end(pe.inbound_free, pe.inbound_last, Cause::Engine);
        }
        let cost = self.params.ipcq.tier(self.program.comm.kind).time(cargo.bytes);
        let end = ready.time + cost;
        let by_link = ready.release == sent;
        let delivery = Record {
            start: if by_link { cargo.start } else { ready.time },
            end,
            handoff: ready.release.at,
            agent: AgentId(cargo.agent),
            seq: cargo.seq,
            site: cargo.site,
            predecessor: ready.release.record,
            transfer: Some(cargo.transfer),
            link: if by_link { arrival.held.0 } else { None },
            action: Action::Delivery,
            engine: Engine::Network,
            cause: ready.release.cause,
        };
        pe.inbound_free = end;
        pe.busy[Engine::Network as usize] += cost;
        let network = self.counters.engine_mut(Engine::Network);
        network.commands += 1;
        network.busy += cost;
        self.counters.stall(Engine::Network, ready.release.cause, ready.time - self.now);
        self.messages += 1;
        self.counters.message_bytes += cargo.bytes;
        let record = self.push(delivery, true);
        self.pes[number as usize].inbound_last = Some(record);
        self.ipcq.deliver(cargo.place, cargo.token, end, record);
        let waits = Wait::Message { connection: Some(cargo.place), token: cargo.token };
        if self.agents[receiver.index()].status == Status::Waits(waits) {
            self.wake(number);
        }
    }
}
