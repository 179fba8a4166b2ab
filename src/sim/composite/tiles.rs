//! Tiles on their way between memory and TCM: DMA_IN and DMA_WB.

use super::{Done, Moving, pe_of};
use crate::command::AgentId;
use crate::oplog::{Action, LogSink, Record, RecordId, TransferId};
use crate::sim::dma::Piece;
use crate::sim::failure::Failure;
use crate::sim::network::{Arrival, Cargo, CargoKind, Class, Shipment};
use crate::sim::op::{Channel, Ready};
use crate::sim::state::{Simulation, Step};
use crate::units::{Bandwidth, Ps};

impl<L: LogSink> Simulation<'_, L> {
    /// Begins a transfer of a tile at `ready` on a channel that the composite holds.
    pub(super) fn begin_tile(
        &mut self,
        agent: u32,
        seq: u32,
        (channel, ready, bytes): (Channel, Ready, u64),
    ) {
        let writes = channel == Channel::DmaWrite;
        let number = pe_of(self, agent);
        let mut leaves = ready.time + self.params.dma.overhead;
        let mut reading = Ps::ZERO;
        if writes {
            // A write-back reads TCM by the port that FETCH reads it by.
            reading = self.params.tcm.read.time(bytes);
            let port = &mut self.pes[number].units().read_port;
            leaves = leaves.max(port.0);
            *port = (leaves + reading, Some(ready.release));
        }
        self.pes[number].begin_tile(channel, leaves + reading, ready.release);
        let moving = Moving {
            transfer: None,
            start: ready.time,
            leaves,
            release: ready.release,
            bytes,
            injected: false,
            pieces: 0,
            unread: 0,
            held: (None, Ps::ZERO),
            read: None,
            done: None,
        };
        if let Some(pipeline) = self.pipeline(agent, seq) {
            if writes { &mut pipeline.writes } else { &mut pipeline.reads }.push(moving);
        }
        self.resume_at(agent, seq, leaves);
    }

    /// Sends off the transfers whose time has come. True if there was one.
    pub(super) fn inject_tiles(&mut self, agent: u32, seq: u32) -> Step<bool> {
        let mut moved = false;
        for writes in [false, true] {
            let now = self.now;
            let Some(pipeline) = self.pipeline(agent, seq) else { return Ok(moved) };
            let moves = if writes { &pipeline.writes } else { &pipeline.reads };
            let due: Vec<u64> = (moves.first..moves.started)
                .filter(|it| moves.get(*it).is_some_and(|it| !it.injected && it.leaves <= now))
                .collect();
            for index in due {
                moved = true;
                self.inject_tile(agent, seq, (writes, index))?;
            }
        }
        Ok(moved)
    }

    fn inject_tile(&mut self, agent: u32, seq: u32, (writes, index): (bool, u64)) -> Step<()> {
        let transfer = self.new_transfer();
        let Some(pipeline) = self.pipeline(agent, seq) else { return Ok(()) };
        let plan = &pipeline.plan;
        let block = if writes { Some(plan.write_block(index)) } else { plan.read_block(index) };
        let Some(block) = block else { return Ok(()) };
        let id = AgentId(agent);
        let pe = self.program.agents[id].pe;
        let place = (&self.program.memory, pe, self.params.hbm.burst);
        let mut pieces = std::mem::take(&mut self.pieces);
        let found = block.find_owners(self.program.code(id), place, &mut pieces);
        let at = self.op_index(agent, seq);
        if let Err(fault) = found {
            let site = self.agents[agent as usize].ops[at].site;
            return Err(Box::new(Failure::Fault { agent: id, site, writes, fault }));
        }
        let count = pieces.len() as u32;
        if let Some(moving) = self.moving(agent, seq, (writes, index)) {
            (moving.injected, moving.transfer) = (true, Some(transfer));
            (moving.pieces, moving.unread) = (count, if writes { count } else { 0 });
        }
        let sent = pieces.drain(..).try_for_each(|piece| {
            self.send_tile_piece((agent, seq), (writes, index), piece, transfer)
        });
        self.pieces = pieces;
        sent?;
        if count == 0 {
            self.tile_ended(agent, seq, (writes, index));
        }
        Ok(())
    }

    fn send_tile_piece(
        &mut self,
        (agent, seq): (u32, u32),
        (writes, index): (bool, u64),
        piece: Piece,
        transfer: TransferId,
    ) -> Step<()> {
        let Piece { owner, touched } = piece;
        let bytes = touched.bytes(self.params.hbm.burst);
        let op = self.agents[agent as usize].ops[self.op_index(agent, seq)];
        let from = self.machine.pe(self.program.agents[AgentId(agent)].pe).dma;
        let route = self.route(agent, &op, from, owner)?;
        let kind = if writes { CargoKind::TileWrite } else { CargoKind::TileRequest };
        let bursts = self.bursts_of(kind, touched);
        let cargo = Cargo {
            kind,
            agent,
            seq,
            site: op.site,
            transfer,
            place: owner.0,
            token: index,
            bytes,
            start: op.start,
            record: None,
            bursts,
        };
        let shipment = Shipment {
            streamable: false,
            cargo,
            route,
            class: Class::Compute,
            bytes: if writes { bytes } else { 0 },
            to: owner,
            read: if writes { self.params.tcm.read } else { Bandwidth::INFINITE },
            from: Ps::ZERO,
            until: Ps::ZERO,
            write: Bandwidth::INFINITE,
            after: self.params.hbm.overhead,
            watched: writes,
        };
        self.network.send(&shipment, &mut self.events);
        Ok(())
    }

    fn moving(
        &mut self,
        agent: u32,
        seq: u32,
        (writes, index): (bool, u64),
    ) -> Option<&mut Moving> {
        let pipeline = self.pipeline(agent, seq)?;
        if writes { &mut pipeline.writes } else { &mut pipeline.reads }.get_mut(index)
    }

    /// A piece of a tile has arrived.
    #[inline(never)]
    pub(in crate::sim) fn tile_piece_arrived(&mut self, arrival: &Arrival) {
        let (agent, seq) = (arrival.cargo.agent, arrival.cargo.seq);
        let writes = arrival.cargo.kind == CargoKind::TileWrite;
        let which = (writes, arrival.cargo.token);
        if arrival.watched {
            self.tile_piece_read(&arrival.cargo);
        }
        let Some(moving) = self.moving(agent, seq, which) else { return };
        if arrival.held.1 > moving.held.1 {
            moving.held = arrival.held;
        }
        moving.pieces -= 1;
        if moving.pieces == 0 {
            self.tile_ended(agent, seq, which);
        }
    }

    /// A piece of a tile that is written back has left TCM.
    #[inline(never)]
    pub(in crate::sim) fn tile_piece_read(&mut self, cargo: &Cargo) {
        let now = self.now;
        let Some(moving) = self.moving(cargo.agent, cargo.seq, (true, cargo.token)) else { return };
        moving.unread -= 1;
        if moving.unread == 0 {
            moving.read = Some(now);
            self.wake(self.agents[cargo.agent as usize].pe);
        }
    }

    /// All of a tile has arrived.
    fn tile_ended(&mut self, agent: u32, seq: u32, (writes, index): (bool, u64)) {
        let now = self.now;
        let op = self.agents[agent as usize].ops[self.op_index(agent, seq)];
        let Some(moving) = self.moving(agent, seq, (writes, index)).cloned() else { return };
        let channel = if writes { Channel::DmaWrite } else { Channel::DmaRead };
        if writes {
            self.counters.bytes_written += moving.bytes;
        } else {
            self.counters.bytes_read += moving.bytes;
        }
        let record = Record {
            start: moving.start,
            end: now,
            handoff: moving.release.at.min(moving.start),
            agent: AgentId(agent),
            seq,
            site: op.site,
            predecessor: moving.release.record,
            transfer: moving.transfer,
            link: moving.held.0,
            action: Action::Stage,
            engine: channel.engine(),
            cause: moving.release.cause,
        };
        let record = self.push(record, writes);
        if let Some(moving) = self.moving(agent, seq, (writes, index)) {
            moving.read.get_or_insert(now);
            moving.done = Some(Done { end: now, record });
        }
        if let Some(pipeline) = self.pipeline(agent, seq).filter(|_| writes) {
            pipeline.writes.ended += 1;
            pipeline.written = Some(Done { end: now, record });
        }
        self.end_tile_transfer(agent, channel, (moving.start, record));
    }

    fn end_tile_transfer(&mut self, agent: u32, channel: Channel, (start, record): (Ps, RecordId)) {
        let number = pe_of(self, agent);
        let busy = self.pes[number].end_tile(channel, (start, self.now), record);
        self.counters.engine_mut(channel.engine()).busy += busy;
        self.wake(number as u32);
    }

    /// Waits for the channel to take another transfer. False while there are too many in flight.
    pub(super) fn channel_ready(
        &mut self,
        agent: u32,
        channel: Channel,
        ready: &mut Ready,
    ) -> bool {
        let number = pe_of(self, agent);
        let limit = self.params.dma.outstanding.max(1);
        let Some(free) = self.pes[number].transfer_free(channel, limit) else { return false };
        for (at, last) in free {
            if let Some(last) = last {
                ready.also(at, last);
            }
        }
        true
    }
}
