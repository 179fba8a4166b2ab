//! What comes over links for blocks: stores, packets, signals, answers.

use super::packets::Packets;
use super::{Counter, Flight, Phase, Which};
use crate::oplog::{Action, Cause, Engine, LogSink, RecordId};
use crate::sim::network::Arrival;
use crate::sim::op::{Ready, Release};
use crate::sim::state::{Simulation, Step};
use crate::units::Ps;

impl Counter {
    /// When signal number `count`, from 1, came, and what brought it; `None` before it has.
    pub(super) fn nth(&self, count: u64) -> Option<(Ps, RecordId)> {
        let from_last = self.arrived.checked_sub(count)?;
        let place = (self.recent.len() as u64).checked_sub(from_last + 1)?;
        self.recent.get(place as usize).or(self.recent.front()).copied()
    }

    fn arrive(&mut self, at: Ps, record: RecordId) {
        self.arrived += 1;
        self.recent.push_back((at, record));
        // What has been waited for is not asked for again.
        while self.arrived - self.recent.len() as u64 + 64 < self.expected.min(self.arrived) {
            self.recent.pop_front();
        }
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// The last byte of something for a block, or for the rank of one, has arrived.
    #[inline(never)]
    pub(in crate::sim) fn channel_arrived(&mut self, arrival: &Arrival) -> Step<()> {
        let cargo = &arrival.cargo;
        let which = Which { agent: cargo.agent, seq: cargo.seq, site: cargo.site };
        match self.land(cargo.place) {
            Flight::Ask { from, bytes } => {
                if let Phase::Moves(moving) = &mut self.channels.blocks[which.agent as usize].phase
                {
                    moving.asked.get_or_insert(self.now);
                }
                self.wake(self.agents[which.agent as usize].pe);
                self.answer_block(cargo, &from, bytes)
            }
            Flight::Answer => {
                let record = self.log_arrived(arrival, which, None);
                self.answered(which, Some(record));
                Ok(())
            }
            Flight::Store => {
                let record = self.log_arrived(arrival, which, None);
                let block = &mut self.channels.blocks[which.agent as usize];
                block.stores -= 1;
                block.stored = Some((self.now, record));
                self.wake(self.agents[which.agent as usize].pe);
                Ok(())
            }
            Flight::Packets { at, flag } => {
                let record = self.log_arrived(arrival, which, None);
                for (address, bytes) in at {
                    let packets = Packets { flag, at: self.now, record: Some(record) };
                    self.channels.packets.write(address, bytes, packets);
                    if let Some(owner) = self.owner(address, bytes) {
                        self.wake_rank(owner.0);
                    }
                }
                Ok(())
            }
            Flight::Port { number } => {
                self.port_arrived(arrival, number);
                Ok(())
            }
        }
    }

    /// An answer to a block has come.
    pub(super) fn answered(&mut self, which: Which, record: Option<RecordId>) {
        if let Phase::Moves(moving) = &mut self.channels.blocks[which.agent as usize].phase {
            moving.answers = moving.answers.saturating_sub(1);
            moving.last = record.or(moving.last);
            moving.asked.get_or_insert(self.now);
        }
        self.wake(self.agents[which.agent as usize].pe);
    }

    /// Logs an arrival, which came from what `release` says, or else from its command.
    fn log_arrived(
        &mut self,
        arrival: &Arrival,
        which: Which,
        release: Option<(Ps, RecordId)>,
    ) -> RecordId {
        let cargo = &arrival.cargo;
        let began = self.agents[which.agent as usize].release;
        let moving = match &self.channels.blocks[which.agent as usize].phase {
            Phase::Moves(moving) => Some(moving.began()),
            Phase::Before
            | Phase::Awaits(_)
            | Phase::Acquires(_)
            | Phase::Meets
            | Phase::Reads(..)
            | Phase::Flushes(_)
            | Phase::Over(..) => None,
        };
        let (at, record) = match (release, moving) {
            (Some((at, record)), _) | (None, Some((at, record))) => (at, Some(record)),
            (None, None) => (began.at, began.record),
        };
        self.messages += 1;
        self.counters.message_bytes += cargo.bytes;
        let network = self.counters.engine_mut(Engine::Network);
        network.commands += 1;
        let release = Release { at: at.min(cargo.start), record, cause: Cause::Link };
        let ready = Ready { time: cargo.start, release };
        let part = (self.now, Action::Delivery, Engine::DmaWrite);
        self.log_part(which, ready, part, Some(cargo.transfer))
    }

    /// Something that a port sent has arrived.
    fn port_arrived(&mut self, arrival: &Arrival, number: u32) {
        let request = self.channels.requests[number as usize];
        let release = request.left.or(Some(request.posted));
        let record = self.log_arrived(arrival, request.which, release);
        let port = &mut self.channels.ports[request.end as usize];
        port.done += 1;
        port.last = Some((self.now, record));
        self.wake(self.agents[request.which.agent as usize].pe);
        if request.signals {
            let pair = self.program.channels.ends[request.end as usize].pair;
            pair.into_iter().for_each(|end| self.signalled(end, record));
        } else {
            let (now, packets) = (self.now, request.packets);
            if let Some((address, bytes, flag)) = packets {
                let packets = Packets { flag, at: now, record: Some(record) };
                self.channels.packets.write(address, bytes, packets);
            }
            self.wake_rank(request.to.0);
        }
    }

    /// A signal has come in at an end.
    fn signalled(&mut self, end: u32, record: RecordId) {
        let now = self.now;
        self.channels.counters[end as usize].arrive(now, record);
        self.wake_rank(self.program.channels.ends[end as usize].rank);
    }
}
