//! What carries synthetic packets: the routers of a wormhole machine, or interleaved links.

use rustc_hash::FxHashMap;

use crate::command::SiteId;
use crate::oplog::TransferId;
use crate::sim::event::{Event, EventKey, EventKind, EventQueue};
use crate::sim::hbm::Bursts;
use crate::sim::network::{Cargo, CargoKind, Class, Mode, Network, Shipment};
use crate::sim::wormhole::{
    Delivery, Happened, Layout, Parcel, RouterNetwork, TICKS, Timebase, lay_out,
};
use crate::topology::{Machine, PeId, Switching};
use crate::units::{Bandwidth, Ps};

/// A packet that has arrived. Times are in cycles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) number: u32,
    /// When its first flit left the source's queue, where that is known.
    pub(super) start: Option<f64>,
    pub(super) end: f64,
    pub(super) hops: u32,
}

/// What a cycle brought about.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Packets whose last flit has left the source; some more than once.
    pub(super) left: Vec<u32>,
    /// Packets of which so many flits more have arrived.
    pub(super) flits: Vec<(u32, u32)>,
    /// Packets that have arrived whole.
    pub(super) done: Vec<Done>,
}

/// The network that packets of one size are sent over.
pub(super) struct Carrier<'a> {
    bytes: u64,
    time: Timebase,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Wormhole(Box<Wormhole<'a>>),
    Interleaved(Box<Interleaved<'a>>),
}

/// The ways of one pair of PEs: where each begins and how long it is; and the links of them all.
#[derive(Clone, Debug)]
struct Ways {
    parts: Vec<(u32, u16)>,
    links: u32,
}

struct Wormhole<'a> {
    machine: &'a Machine,
    network: RouterNetwork,
    layout: Layout,
    found: FxHashMap<(u32, u32), u32>,
    ways: Vec<Ways>,
    /// Of each packet under way: its ways, the one it is on, and when it left the source's queue.
    packets: FxHashMap<u32, (u32, u32, f64)>,
    happened: Happened,
    packet_flits: u32,
    /// The next cycle in which anything can happen.
    next: Option<u64>,
}

struct Interleaved<'a> {
    machine: &'a Machine,
    network: Network,
    events: EventQueue,
    /// The ends of every packet that is to be sent.
    sent: FxHashMap<u32, (u32, u32)>,
    bytes: u64,
    packet_flits: u32,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(machine: &'a Machine, packet_flits: u32) -> Carrier<'a> {
        let bytes = machine.flit_bytes() * u64::from(packet_flits);
        let kind = match machine.network().switching {
            Switching::Wormhole => Kind::Wormhole(Box::new(Wormhole::new(machine, packet_flits))),
            Switching::Interleaved => Kind::Interleaved(Box::new(Interleaved {
                machine,
                network: Network::new(machine, Mode::Trains),
                events: EventQueue::default(),
                sent: FxHashMap::default(),
                bytes,
                packet_flits,
            })),
        };
        Carrier { bytes, time: Timebase::of(machine.network().router.clock), kind }
    }

    /// Whether it knows when packets leave the queue of their source.
    pub(super) fn has_cycles(&self) -> bool {
        matches!(self.kind, Kind::Wormhole(_))
    }

    /// Sends packet `number` from PE to PE in `cycle`. Tells whether it will be told when it has left;
    /// if not, the next one may be sent at once.
    pub(super) fn send(&mut self, (from, to): (u32, u32), number: u32, cycle: u64) -> bool {
        match &mut self.kind {
            Kind::Wormhole(it) => it.send((from, to), (number, self.bytes), cycle),
            Kind::Interleaved(it) => {
                let sent = it.sent.entry(number).or_insert((from, to));
                let (at, key) = (self.time.time(cycle * TICKS), EventKey::act(sent.0, number));
                it.events.push(Event::new(at, key, EventKind::Inject, number));
                false
            }
        }
    }

    /// Lets `cycle` pass; adds what it brought about.
    pub(super) fn step(&mut self, cycle: u64, outcome: &mut Outcome) {
        match &mut self.kind {
            Kind::Wormhole(it) => it.step(cycle, outcome),
            Kind::Interleaved(it) => {
                it.step(self.time.time((cycle + 1) * TICKS), self.time, outcome);
            }
        }
    }
}

impl<'a> Wormhole<'a> {
    fn new(machine: &'a Machine, packet_flits: u32) -> Wormhole<'a> {
        let (network, layout) = lay_out(machine);
        Wormhole {
            machine,
            network,
            layout,
            found: FxHashMap::default(),
            ways: Vec::new(),
            packets: FxHashMap::default(),
            happened: Happened { received: Some(Vec::new()), ..Happened::default() },
            packet_flits,
            next: None,
        }
    }

    /// The ways of a pair of PEs.
    fn find(&mut self, (from, to): (u32, u32)) -> u32 {
        if let Some(found) = self.found.get(&(from, to)) {
            return *found;
        }
        let [source, target] = [from, to].map(|pe| self.machine.pe(PeId(pe)).dma);
        let route = self.machine.route(source, target);
        let route = route.expect("every PE of a checked machine reaches every other");
        let ways = self.layout.ways(self.machine, source, &route);
        let parts = ways.iter().map(|way| self.network.add_way(way)).collect();
        let number = self.ways.len() as u32;
        self.ways.push(Ways { parts, links: route.len() as u32 });
        self.found.insert((from, to), number);
        number
    }

    fn send(&mut self, ends: (u32, u32), (number, bytes): (u32, u64), cycle: u64) -> bool {
        let ways = self.find(ends);
        let Some(way) = self.ways[ways as usize].parts.first().copied() else {
            // From a terminal to itself: there is no way to go.
            let delivery = Delivery::at_once(number, cycle * TICKS);
            self.packets.insert(number, (ways, 0, cycle as f64));
            self.happened.delivered.push(delivery);
            self.next = Some(cycle);
            return false;
        };
        self.packets.insert(number, (ways, 0, 0.0));
        self.network.send(parcel(way, (number, bytes), cycle * TICKS));
        self.next = Some(cycle);
        true
    }

    fn step(&mut self, cycle: u64, outcome: &mut Outcome) {
        if self.next.is_none_or(|next| next > cycle) {
            return;
        }
        let mut happened = std::mem::take(&mut self.happened);
        self.network.step(cycle, &mut happened);
        outcome.left.extend(happened.left.drain(..).map(|(number, _)| number));
        for number in happened.received.iter_mut().flat_map(|them| them.drain(..)) {
            let Some((ways, part, _)) = self.packets.get(&number) else { continue };
            if *part as usize + 1 == self.ways[*ways as usize].parts.len() {
                outcome.flits.push((number, 1));
            }
        }
        for delivery in happened.delivered.drain(..) {
            self.arrive(&delivery, outcome);
        }
        self.happened = happened;
        self.next = self.network.next_after(cycle);
    }

    /// A packet is at the end of a way: of its last one, or before a part that sends it on.
    fn arrive(&mut self, delivery: &Delivery, outcome: &mut Outcome) {
        let Some((ways, part, start)) = self.packets.get_mut(&delivery.tag) else { return };
        if *part == 0 {
            *start = delivery.first_sent as f64;
        }
        *part += 1;
        let found = &self.ways[*ways as usize];
        if found.parts.is_empty() {
            outcome.flits.push((delivery.tag, self.packet_flits));
        }
        match found.parts.get(*part as usize) {
            Some(way) => {
                self.network.send(parcel(*way, (delivery.tag, delivery.bytes), delivery.done));
            }
            None => {
                let end = delivery.done as f64 / TICKS as f64;
                let (start, hops) = (Some(*start), found.links);
                outcome.done.push(Done { number: delivery.tag, start, end, hops });
                self.packets.remove(&delivery.tag);
            }
        }
    }
}

fn parcel(way: (u32, u16), (tag, bytes): (u32, u64), start: u64) -> Parcel {
    let class = Class::Compute as u8;
    Parcel { way, class, bytes, read: (start, 0), until: 0, write: 0, tag }
}

impl Interleaved<'_> {
    /// Sends packet `number`, whose time has come.
    fn ship(&mut self, number: u32, now: Ps) {
        let Some((from, to)) = self.sent.remove(&number) else { return };
        let [source, target] = [from, to].map(|pe| self.machine.pe(PeId(pe)).dma);
        let route = self.network.routes.find(self.machine, source, target);
        let route = route.expect("every PE of a checked machine reaches every other");
        let bytes = self.bytes;
        let cargo = Cargo {
            kind: CargoKind::Message,
            agent: from,
            seq: number,
            site: SiteId(0),
            transfer: TransferId(number),
            place: self.network.routes.hops(route) as u32,
            token: 0,
            bytes,
            start: now,
            record: None,
            bursts: Bursts::Row(0),
        };
        let shipment = Shipment {
            streamable: false,
            cargo,
            route,
            class: Class::Compute,
            bytes,
            to: PeId(to),
            read: Bandwidth::INFINITE,
            from: Ps::ZERO,
            until: Ps::ZERO,
            write: Bandwidth::INFINITE,
            after: Ps::ZERO,
            watched: false,
        };
        self.network.send(&shipment, &mut self.events);
    }

    fn step(&mut self, until: Ps, time: Timebase, outcome: &mut Outcome) {
        while let Some(event) = self.events.peek().copied().filter(|event| event.time < until) {
            self.events.pop();
            self.network.at(&event);
            match event.kind {
                EventKind::Inject => self.ship(event.subject, event.time),
                EventKind::Deliver => self.deliver(&event, time, outcome),
                EventKind::Head
                | EventKind::Flit
                | EventKind::Feed
                | EventKind::Serve
                | EventKind::SourceRead
                | EventKind::Modified
                | EventKind::Port
                | EventKind::Resume => self.network.handle(event, &mut self.events),
            }
        }
    }

    fn deliver(&mut self, event: &Event, time: Timebase, outcome: &mut Outcome) {
        let Some(arrival) = self.network.take(event) else { return };
        let end = time.ticks(event.time) as f64 / TICKS as f64;
        let (number, hops) = (arrival.cargo.seq, arrival.cargo.place);
        outcome.flits.push((number, self.packet_flits));
        outcome.done.push(Done { number, start: None, end, hops });
    }
}
