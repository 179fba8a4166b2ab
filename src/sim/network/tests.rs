//! Trains against flits on random traffic, and exact times of simple cases.

use proptest::prelude::*;

use super::*;
use crate::diag::Sink;
use crate::oplog::LinkSpan;
use crate::sim::ledger::{Accounts, Breakdown};
use crate::source::SourceMap;
use crate::topology::{Extent, Grid, MachineBuilder, Node, NodeId, NodeKind, PeId, PeParams, load};

/// What PEs are like makes no difference to the network.
fn params() -> PeParams {
    let mut sources = SourceMap::new();
    let file = sources.add("pe.yaml", "machine: {replicate: {count: 1}}");
    let mut sink = Sink::new();
    let machine = load(&sources, file, &mut sink).and_then(|spec| spec.build(&mut sink));
    machine.unwrap().params().clone()
}

/// One link: its rate and wire, and what its far node does.
#[derive(Clone, Copy, Debug)]
struct Cable {
    gb: f64,
    wire: u64,
}

/// A row of routers, each with a PE beside it. Links go both ways.
#[derive(Clone, Debug)]
struct Row {
    flit: u64,
    /// Along the row, eastwards and westwards.
    row: Vec<[Cable; 2]>,
    /// To each PE's router and back.
    pes: Vec<[Cable; 2]>,
    overhead: u64,
    /// A router that stores and forwards.
    whole: Option<usize>,
    /// Whether messages keep links.
    keeps: bool,
}

impl Row {
    fn machine(&self) -> Machine {
        let grid = |w| Grid { w, h: 1, wraps: false };
        let extent = Extent { sips: grid(1), cubes: grid(1), pes: grid(self.pes.len() as u32) };
        let mut builder = MachineBuilder::new("row", extent, params(), self.flit);
        if self.keeps {
            builder.arbitrated_by(Arbitration::Message);
        }
        let node = |kind, overhead, whole| Node {
            name: String::from("n"),
            kind,
            overhead: Ps(overhead),
            store_and_forward: whole,
            multicast: false,
        };
        let routers: Vec<NodeId> = (0..self.pes.len())
            .map(|at| builder.node(node(NodeKind::Router, self.overhead, self.whole == Some(at))))
            .collect();
        let link = |cable: &Cable| crate::topology::Link {
            wire: Ps(cable.wire),
            bandwidth: Bandwidth::from_gb_per_s(cable.gb).unwrap(),
            length_mm: 0.0,
        };
        for (at, cables) in self.row.iter().enumerate() {
            builder.link(routers[at], routers[at + 1], link(&cables[0]));
            builder.link(routers[at + 1], routers[at], link(&cables[1]));
        }
        for (router, cables) in routers.iter().zip(&self.pes) {
            let pe = builder.node(node(NodeKind::PeDma, 0, false));
            builder.link(pe, *router, link(&cables[0]));
            builder.link(*router, pe, link(&cables[1]));
            builder.pe(crate::topology::PeNodes { cpu: pe, dma: pe, hbm: pe, sram: pe });
        }
        builder.build()
    }
}

/// One message of the traffic.
#[derive(Clone, Copy, Debug)]
struct Packet {
    at: u64,
    from: u32,
    to: u32,
    bytes: u64,
    comm: bool,
    read: f64,
    write: f64,
    /// Whether the recipient answers with as many bytes at once.
    echo: bool,
    /// What somebody asks for it on its way, if anybody does.
    asked: Option<Asked>,
}

/// A stream that takes a message.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// How long after the message begins.
    after: u64,
    /// The PEs that it goes on to, and from there to whom, asked for as long after.
    to: [u32; 2],
    on: Option<u32>,
    rate: f64,
    delay: u64,
    /// Whether the router before the PE copies it, too.
    forked: bool,
}

/// What can be seen of a run: per message (delivered, source read, held), per link held.
type Seen = (Vec<(Ps, Option<Ps>, Ps, Option<LinkId>)>, Vec<Ps>);

/// A network under traffic.
struct Traffic<'a> {
    machine: &'a Machine,
    packets: &'a [Packet],
    network: Network,
    events: EventQueue,
    seen: Seen,
    /// The trains of messages, by their numbers.
    trains: Vec<u32>,
}

/// Numbers of messages for each packet: itself, its echo, its way to a router, what streams send.
const KINDS: usize = 6;

impl Traffic<'_> {
    fn shipment(&mut self, index: usize, (from, to): (NodeId, u32)) -> Shipment {
        let packet = &self.packets[index % self.packets.len()];
        let target = self.machine.pe(PeId(to)).dma;
        let route = self.network.routes.find(self.machine, from, target).unwrap();
        let cargo = Cargo { agent: index as u32, ..Train::blank().cargo };
        Shipment {
            cargo,
            route,
            class: if packet.comm { Class::Comm } else { Class::Compute },
            bytes: packet.bytes,
            to: PeId(to),
            read: Bandwidth::from_gb_per_s(packet.read).unwrap(),
            write: Bandwidth::INFINITE,
            after: Ps::ZERO,
            watched: false,
            streamable: true,
            from: Ps::ZERO,
            until: Ps::ZERO,
        }
    }

    /// Sends a message that the router before its target copies.
    fn ship_forked(&mut self, index: usize) {
        let packet = self.packets[index];
        let source = self.machine.pe(PeId(packet.from)).dma;
        // Routers are the first nodes.
        let router = NodeId(packet.to);
        let down = self.shipment(index, (router, packet.to));
        let mut trunk = down;
        trunk.route = self.network.routes.find(self.machine, source, router).unwrap();
        trunk.cargo.kind = CargoKind::Trunk;
        trunk.cargo.agent = (2 * self.packets.len() + index) as u32;
        let trains = self.network.send_forked(&[trunk, down], &mut self.events);
        self.trains[2 * self.packets.len() + index] = trains[0];
        self.trains[index] = trains[1];
    }

    /// Somebody asks for message `index` while it is on its way.
    fn ask(&mut self, index: usize) {
        let (count, packet) = (self.packets.len(), self.packets[index % self.packets.len()]);
        let Some(asked) = packet.asked else { return };
        let trunk = 2 * count + index;
        let forked = asked.forked && index < count && packet.to != packet.from;
        let taken = if forked { trunk } else { index };
        if self.seen.0[taken].0 != Ps::MAX || self.trains[taken] == NONE {
            return;
        }
        let here = if index < count { packet.to } else { asked.to[index / count - 3] };
        let from = if forked { NodeId(here) } else { self.machine.pe(PeId(here)).dma };
        let mut ways = Vec::new();
        let mut numbers = Vec::new();
        for (number, to) in asked.to.into_iter().enumerate() {
            let (kind, to) = if index < count {
                (3 + number, to)
            } else {
                let Some(on) = asked.on.filter(|_| number == 0 && index / count == 3) else {
                    break;
                };
                (5, on)
            };
            let child = kind * count + index % count;
            ways.push((self.shipment(child, (from, to)), None));
            numbers.push(child);
        }
        let outlet = if forked {
            Outlet::OPEN
        } else {
            let rate = Bandwidth::from_gb_per_s(asked.rate).unwrap();
            Outlet { rate, delay: Ps(asked.delay) }
        };
        let trains = self.network.open(self.trains[taken], outlet, &ways, &mut self.events);
        for (child, train) in numbers.iter().zip(trains) {
            self.trains[*child] = train[0];
        }
        if index < count && asked.on.is_some() {
            self.ask_later(3 * count + index, asked.after);
        }
    }

    fn ask_later(&mut self, index: usize, after: u64) {
        let subject = (KINDS * self.packets.len() + index) as u32;
        let key = EventKey::act(900, subject);
        let at = self.network.now + Ps(after);
        self.events.push(Event::new(at, key, EventKind::Inject, subject));
    }
    /// Sends message `index`; those beyond the packets are echoes.
    fn ship(&mut self, index: usize) {
        let packet = &self.packets[index % self.packets.len()];
        if let Some(asked) = packet.asked.filter(|_| index < self.packets.len()) {
            self.ask_later(index, asked.after);
            if asked.forked && packet.to != packet.from {
                return self.ship_forked(index);
            }
        }
        let packet = &self.packets[index % self.packets.len()];
        let is_echo = index >= self.packets.len();
        let (from, to) = if is_echo { (packet.to, packet.from) } else { (packet.from, packet.to) };
        let (source, target) = (self.machine.pe(PeId(from)).dma, self.machine.pe(PeId(to)).dma);
        let route = self.network.routes.find(self.machine, source, target).unwrap();
        let cargo = Cargo { agent: index as u32, ..Train::blank().cargo };
        let shipment = Shipment {
            cargo,
            route,
            class: if packet.comm { Class::Comm } else { Class::Compute },
            bytes: packet.bytes,
            to: PeId(to),
            read: Bandwidth::from_gb_per_s(packet.read).unwrap(),
            from: Ps::ZERO,
            until: Ps::ZERO,
            write: Bandwidth::from_gb_per_s(packet.write).unwrap(),
            streamable: packet.asked.is_some(),
            watched: true,
            after: Ps::ZERO,
        };
        self.trains[index] = self.network.send(&shipment, &mut self.events);
    }

    fn delivered(&mut self, event: &Event) {
        let Some(arrival) = self.network.take(event) else { return };
        let index = arrival.cargo.agent as usize;
        let entry = &mut self.seen.0[index];
        assert_eq!(entry.0, Ps::MAX, "delivered twice");
        entry.0 = event.time;
        if arrival.watched {
            entry.1 = Some(event.time);
        }
        (entry.3, entry.2) = arrival.held;
        if self.packets.get(index).is_some_and(|packet| packet.echo) {
            self.ship(index + self.packets.len());
        }
    }

    fn handle(&mut self, event: Event) {
        self.network.at(&event);
        match event.kind {
            EventKind::Inject => {
                let messages = KINDS * self.packets.len();
                match (event.subject as usize).checked_sub(messages) {
                    Some(index) => self.ask(index),
                    None => self.ship(event.subject as usize),
                }
            }
            EventKind::SourceRead => {
                if let Some(cargo) = self.network.source_read(&event) {
                    self.seen.0[cargo.agent as usize].1 = Some(event.time);
                }
            }
            EventKind::Deliver => self.delivered(&event),
            EventKind::Head
            | EventKind::Flit
            | EventKind::Feed
            | EventKind::Serve
            | EventKind::Modified
            | EventKind::Port
            | EventKind::Resume => self.network.handle(event, &mut self.events),
        }
    }
}

fn run(machine: &Machine, packets: &[Packet], mode: Mode) -> (Seen, Accounts) {
    let mut network = Network::new(machine, mode);
    network.keep_accounts(Ledger::new(machine, usize::MAX));
    network.draw();
    let seen = (vec![(Ps::MAX, None, Ps::ZERO, None); KINDS * packets.len()], Vec::new());
    let (events, trains) = (EventQueue::default(), vec![NONE; KINDS * packets.len()]);
    let mut it = Traffic { machine, packets, network, events, seen, trains };
    for (index, packet) in packets.iter().enumerate() {
        let key = EventKey::act(packet.from, index as u32);
        it.events.push(Event::new(Ps(packet.at), key, EventKind::Inject, index as u32));
    }
    while let Some(event) = it.events.pop() {
        it.handle(event);
    }
    it.seen.1 = (0..machine.link_count()).map(|link| it.network.held(link)).collect();
    let accounts = it.network.take_ledger().unwrap().into_accounts();
    let mut spans = Vec::new();
    it.network.take_spans(true, &mut |span| spans.push(span));
    // Where a router copies for nobody, its train is never delivered.
    let is_whole = accounts.messages == u64::from(it.network.numbers);
    check_spans(machine, spans, is_whole.then_some(&it.network));
    (it.seen, accounts)
}

/// What links did does not overlap; it is all that they carried and all that was waited for them.
fn check_spans(machine: &Machine, mut spans: Vec<LinkSpan>, network: Option<&Network>) {
    spans.sort_by_key(|span| (span.link, span.start, span.end));
    for pair in spans.windows(2).filter(|pair| pair[0].link == pair[1].link) {
        assert!(pair[0].end <= pair[1].start, "{pair:?}");
    }
    let Some(network) = network else { return };
    let mut carried = vec![0; machine.link_count()];
    for (links, _, bytes) in network.routes.counts() {
        links.iter().for_each(|link| carried[link.0 as usize] += bytes);
    }
    for (link, bytes) in carried.into_iter().enumerate() {
        let own = || spans.iter().filter(|span| span.link.0 as usize == link);
        let costs = network.costs(link as u32);
        let waited: Ps = own().map(|span| span.start - span.since).sum();
        assert_eq!(waited, network.held(link), "waits for link {link}");
        if costs.rate != Bandwidth::INFINITE {
            assert_eq!(own().map(|span| span.bytes).sum::<u64>(), bytes, "bytes of link {link}");
        }
        for span in own() {
            assert!(costs.rate.time(span.bytes) <= span.end - span.start + Ps(1), "{span:?}");
        }
    }
}

/// The parts of each latency add up to it, and those of links and ends to all of them.
fn check_accounts(accounts: &Accounts) {
    let (mut links, mut ends) = (vec![Breakdown::default(); accounts.links.len()], Ps::ZERO);
    for message in &accounts.worst {
        assert_eq!(message.costs().total(), message.latency(), "{message:?}");
        ends += message.ends.total();
        message.hops.iter().for_each(|(link, costs)| links[link.0 as usize] += *costs);
    }
    assert_eq!(accounts.worst.len() as u64, accounts.messages);
    assert_eq!((&links, ends), (&accounts.links, accounts.ends.total()));
    assert_eq!(accounts.costs().total(), accounts.latency);
}

fn cable() -> impl Strategy<Value = Cable> {
    let gb = prop_oneof![
        4 => Just(64.0),
        2 => Just(128.0),
        1 => Just(256.0),
        1 => (1..500u32).prop_map(f64::from),
        1 => Just(0.7),
        1 => Just(f64::INFINITY),
    ];
    let wire = prop_oneof![2 => Just(0u64), 2 => Just(1000), 1 => 0..5000u64];
    (gb, wire).prop_map(|(gb, wire)| Cable { gb, wire })
}

fn row() -> impl Strategy<Value = Row> {
    (2..6usize).prop_flat_map(|pes| {
        (
            1..100u64,
            prop::collection::vec([cable(), cable()], pes - 1),
            prop::collection::vec([cable(), cable()], pes),
            prop_oneof![Just(0u64), 0..3000u64],
            prop::option::of(0..pes),
            any::<bool>(),
        )
            .prop_map(|(flit, row, pes, overhead, whole, keeps)| Row {
                flit,
                row,
                pes,
                overhead,
                whole,
                keeps,
            })
    })
}

fn packet(pes: u32) -> impl Strategy<Value = Packet> {
    let at = prop_oneof![2 => 0..20_000u64, 1 => (0..20u64).prop_map(|it| it * 1000)];
    let bytes = prop_oneof![4 => 0..2000u64, 1 => Just(0), 1 => Just(640)];
    let rate = prop_oneof![2 => Just(f64::INFINITY), 1 => Just(128.0), 1 => Just(20.0)];
    let rates = (rate.clone(), rate);
    let asked = prop_oneof![2 => Just(None), 1 => asked(pes).prop_map(Some)];
    (at, 0..pes, 0..pes, bytes, any::<bool>(), rates, any::<bool>(), asked).prop_map(
        |(at, from, to, bytes, comm, (read, write), echo, asked)| Packet {
            at,
            from,
            to,
            bytes,
            comm,
            read,
            write: if asked.is_some() { f64::INFINITY } else { write },
            echo: echo && asked.is_none(),
            asked,
        },
    )
}

fn asked(pes: u32) -> impl Strategy<Value = Asked> {
    let after =
        prop_oneof![2 => Just(0u64), 2 => 0..8000u64, 1 => (0..8u64).prop_map(|it| it * 1000)];
    let rate =
        prop_oneof![1 => Just(f64::INFINITY), 2 => Just(64.0), 1 => Just(20.0), 1 => Just(300.0)];
    let to = prop::collection::vec(0..pes, 2).prop_map(|to| [to[0], to[1]]);
    (after, to, prop::option::of(0..pes), rate, 0..2000u64, any::<bool>()).prop_map(
        |(after, to, on, rate, delay, forked)| Asked { after, to, on, rate, delay, forked },
    )
}

fn traffic() -> impl Strategy<Value = (Row, Vec<Packet>)> {
    row().prop_flat_map(|row| {
        let pes = row.pes.len() as u32;
        (Just(row), prop::collection::vec(packet(pes), 1..40)).prop_map(|(mut row, mut packets)| {
            let copies = packets.iter().any(|it| it.asked.is_some_and(|it| it.forked));
            if row.keeps || copies {
                // What takes no time on a link that is kept, or is a copy of what takes none there,
                // may come in either order.
                let cables = row.row.iter_mut().chain(&mut row.pes).flatten();
                cables.for_each(|cable| cable.gb = cable.gb.min(500.0));
                packets.iter_mut().for_each(|packet| packet.bytes = packet.bytes.max(1));
            }
            (row, packets)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn trains_give_the_times_of_flits((row, traffic) in traffic()) {
        let machine = row.machine();
        let (flits, by_flits) = run(&machine, &traffic, Mode::FlitByFlit);
        let (trains, by_trains) = run(&machine, &traffic, Mode::Trains);
        for (index, (flits, trains)) in flits.0.iter().zip(&trains.0).enumerate() {
            prop_assert_eq!(flits, trains, "message {}", index);
        }
        prop_assert_eq!(flits.1, trains.1);
        check_accounts(&by_trains);
        prop_assert_eq!(by_flits, by_trains);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn queueing_is_what_a_message_loses_to_others((row, mut traffic) in traffic()) {
        traffic.iter_mut().for_each(|packet| (packet.asked, packet.echo) = (None, false));
        let machine = row.machine();
        let together = run(&machine, &traffic, Mode::Trains).1;
        for message in &together.worst {
            let packet = traffic[message.agent.0 as usize];
            let alone = run(&machine, &[packet], Mode::Trains).1;
            prop_assert_eq!(alone.worst[0].costs().queueing, Ps::ZERO);
            let without = message.latency() - message.costs().queueing;
            // Where flits close up, rounding may save a picosecond a link.
            let saved = alone.worst[0].latency().since(without).0;
            prop_assert!(without <= alone.worst[0].latency() && saved <= 8, "{message:?} {alone:?}");
        }
    }
}
