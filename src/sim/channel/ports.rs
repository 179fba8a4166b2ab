//! Ports: a proxy on the host takes the requests of a rank one by one and gives each to a DMA
//! engine or a NIC. What is asked of one channel happens in order; a block that asks goes on.

use super::issue::Act;
use super::moves::Load;
use super::{Done, Flight, Phase, Which};
use crate::command::channel::{Form, PortId, PortSpec};
use crate::oplog::{Action, Cause, Engine, LogSink, RecordId};
use crate::sim::event::{Event, EventKey, EventKind};
use crate::sim::network::Class;
use crate::sim::op::{Ready, Release};
use crate::sim::state::{Simulation, Step};
use crate::topology::PeId;
use crate::units::{Bandwidth, Ps};

/// What was asked of one end of a channel.
#[derive(Clone, Debug, Default)]
pub(super) struct PortState {
    /// Requests so far.
    pub(super) posted: u64,
    /// Requests that are done, all of them before the others.
    pub(super) done: u64,
    /// When the last was, and its record.
    pub(super) last: Option<(Ps, RecordId)>,
}

/// The proxy of a rank.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proxy {
    /// When it has taken all requests so far.
    free: Ps,
    /// Requests whose source has not been read.
    pub(super) unread: u32,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) which: Which,
    /// The end that it is asked of.
    pub(super) end: u32,
    /// Bytes of data; none for a signal.
    bytes: u64,
    /// Whose memory it goes to.
    pub(super) to: PeId,
    /// Whether its arrival is a signal.
    pub(super) signals: bool,
    /// Whether its source is data that is read when it is taken.
    moves: bool,
    /// When it was asked, and the record of that.
    pub(super) posted: (Ps, RecordId),
    /// The packets that it makes, with their flag.
    pub(super) packets: Option<(u64, u64, u32)>,
    /// What is known of its departure.
    pub(super) left: Option<(Ps, RecordId)>,
}

impl<L: LogSink> Act<'_, '_, L> {
    pub(super) fn port_put_now(&mut self, id: PortId) -> Step<Done> {
        if matches!(self.phase(), Phase::Flushes(_)) {
            return self.flush_now();
        }
        let spec: PortSpec = self.code().ports[id].clone();
        let sources = spec.requests.iter().map(|it| &it.source);
        let packets = if spec.awaits { self.packets_of(sources) } else { Some(None) };
        let Some(packets) = packets else { return Ok(Done::Waits) };
        let mut ready = self.sim.comes(self.which.agent);
        if let Some(packets) = packets {
            ready.also_end(packets.at, packets.record, Cause::Link);
        }
        let start = ready.time.max(self.sim.now);
        let costs = self.costs();
        let mut cost = Ps(costs.post.0.saturating_mul(spec.requests.len() as u64));
        if spec.awaits {
            cost += costs.sync;
        }
        let record = self.sim.log_block(self.which, ready, start + cost);
        let mut wanted = Vec::new();
        for it in &spec.requests {
            let bytes = it.source.form.room(self.at.bytes(&it.source, spec.unit));
            let address = self.at.address(&it.target, 0, spec.unit);
            let own = PeId(self.sim.rank_of(self.which.agent));
            let to = self.sim.owner(address, bytes).unwrap_or(own);
            let request = Request {
                which: self.which,
                end: it.channel,
                bytes,
                to,
                signals: false,
                moves: true,
                posted: (start + cost, record),
                packets: (it.target.form == Form::Packets).then_some((
                    address,
                    bytes,
                    self.at.launch,
                )),
                left: None,
            };
            self.sim.post(request);
            if spec.signals {
                self.sim.post(Request { bytes: 0, signals: true, moves: false, ..request });
            }
            wanted.push((it.channel, self.sim.channels.ports[it.channel as usize].posted));
        }
        if spec.flushes {
            *self.phase() = Phase::Flushes(wanted);
            // What lets the block go later is not what let it begin.
            let release =
                Release { at: start + cost, record: Some(record), cause: Cause::Dispatch };
            let state = &mut self.sim.agents[self.which.agent as usize];
            (state.time, state.release) = (start + cost, release);
            return self.flush_now();
        }
        self.sim.is_over(self.which.agent, start + cost, record);
        self.go_on()
    }

    /// Waits until what was asked before is done.
    pub(super) fn flush_now(&mut self) -> Step<Done> {
        let Phase::Flushes(wanted) = self.phase().clone() else { return Ok(Done::Waits) };
        let mut ready = self.sim.comes(self.which.agent);
        for (end, posted) in wanted {
            let port = &self.sim.channels.ports[end as usize];
            if port.done < posted {
                return Ok(Done::Waits);
            }
            if let Some((at, record)) = port.last {
                ready.also_end(at, Some(record), Cause::Link);
            }
        }
        let end = ready.time.max(self.sim.now) + self.costs().complete;
        let part = (end, Action::Delivery, Engine::DmaComm);
        let record = self.sim.log_part(self.which, ready, part, None);
        self.sim.is_over(self.which.agent, end, record);
        self.go_on()
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// Sends a signal from a block, or asks a port to.
    pub(super) fn post_signal(&mut self, which: Which, end: u32, posted: (Ps, RecordId)) {
        let channel = self.program.channels.ends[end as usize];
        let request = Request {
            which,
            end,
            bytes: 0,
            to: PeId(channel.peer),
            signals: true,
            moves: false,
            posted,
            packets: None,
            left: None,
        };
        self.post(request);
    }

    /// A request comes to the proxy of its rank; a signal of a memory channel leaves at once.
    fn post(&mut self, request: Request) {
        let number = self.channels.requests.len() as u32;
        self.channels.requests.push(request);
        self.channels.ports[request.end as usize].posted += 1;
        let rank = self.rank_of(request.which.agent) as usize;
        let time = if self.is_port(request.end) {
            let proxy = &mut self.channels.proxies[rank];
            proxy.unread += u32::from(request.moves);
            proxy.free = proxy.free.max(request.posted.0) + self.params.blocks.service;
            proxy.free
        } else {
            request.posted.0
        };
        let key = EventKey::act(request.which.agent, number);
        self.events.push(Event::new(time.max(self.now), key, EventKind::Port, number));
    }

    /// A request leaves: its source is read, and its bytes go over the links.
    #[inline(never)]
    pub(in crate::sim) fn port_serves(&mut self, number: u32) -> Step<()> {
        let request = self.channels.requests[number as usize];
        let own = self.rank_of(request.which.agent);
        let is_port = self.is_port(request.end);
        if request.moves {
            let release = Release {
                at: request.posted.0,
                record: Some(request.posted.1),
                cause: Cause::Engine,
            };
            let ready = Ready { time: request.posted.0.max(self.now), release };
            let part = (self.now, Action::Delivery, Engine::DmaRead);
            let record = self.log_part(request.which, ready, part, None);
            self.channels.requests[number as usize].left = Some((self.now, record));
            self.channels.proxies[own as usize].unread -= 1;
            self.wake_rank(own);
        }
        let flight = self.take_off(Flight::Port { number });
        let (from, to) = (self.machine.pe(PeId(own)).dma, self.machine.pe(request.to).dma);
        let bytes = if request.signals { self.params.blocks.signal_bytes } else { request.bytes };
        let (class, rate) = if is_port {
            (Class::Comm, self.params.blocks.port)
        } else {
            (Class::Compute, Bandwidth::INFINITE)
        };
        let load = Load::plain(bytes, rate, class);
        self.fly((request.which, flight), (from, to, request.to), load)
    }
}
