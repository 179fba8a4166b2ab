//! Messages of programs on wormhole routers: each becomes a packet for every way of its route, and
//! what the simulator wants to know of it becomes events.
//!
//! All routers go through a cycle in one event, after everything else of its instant. So what is
//! sent at an instant may leave in the cycle that begins then, and what arrives in a cycle can be
//! answered from the next one on.

use super::account::Books;
use super::layout::{Layout, Timebase, lay_out};
use super::packet::{Delivery, Parcel};
use super::{Happened, RouterNetwork, TICKS};
use crate::arena::Id;
use crate::oplog::RecordId;
use crate::sim::drawing::Drawing;
use crate::sim::event::{Event, EventKey, EventKind, EventQueue};
use crate::sim::network::{Arrival, Cargo, CargoKind, NONE, Shipment, at_home};
use crate::sim::routes::{LinkCosts, RouteId, Routes};
use crate::topology::{LinkId, Machine, PeId};
use crate::units::{Bandwidth, Ps};

/// A message under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) cargo: Cargo,
    class: u8,
    pub(super) bytes: u64,
    to: PeId,
    write: u64,
    pub(super) after: Ps,
    /// Told apart from messages that were here before; [`NONE`] once it has been taken.
    pub(super) number: u32,
    pub(super) route: RouteId,
    /// Which of the ways of its route it is on.
    part: u32,
    source_end: Option<Ps>,
    watched: bool,
    held: (Option<LinkId>, Ps),
    /// When its first flit came to its target, and whether the target knows of the last one.
    came: Ps,
    stored: bool,
    /// When it was sent, how long it waited for its source, and when all of it was at its target.
    pub(super) sent: Ps,
    pub(super) waited: Ps,
    pub(super) done: Ps,
}

/// The ways of a route among all ways.
#[derive(Clone, Debug, Default)]
struct Ways {
    parts: Vec<(u32, u16)>,
    is_known: bool,
}

/// The routers of a machine, and the messages on them.
#[derive(Debug)]
pub(in crate::sim) struct Messages<'m> {
    pub(super) machine: &'m Machine,
    pub(super) network: RouterNetwork,
    layout: Layout,
    pub(super) time: Timebase,
    pub(in crate::sim) routes: Routes,
    pub(in crate::sim) hops: u64,
    /// By route.
    ways: Vec<Ways>,
    pub(super) messages: Vec<Message>,
    spare: Vec<u32>,
    numbers: u32,
    now: Ps,
    /// The cycle that is an event, and the first one that has not passed.
    planned: Option<u64>,
    next: u64,
    pub(super) happened: Happened,
    /// The accounts of messages, and what links are doing, where somebody asks.
    pub(super) books: Option<Box<Books>>,
    pub(super) drawing: Option<Box<Drawing>>,
}

impl<'m> Messages<'m> {
    /// The idle network of `machine`.
    pub(in crate::sim) fn new(machine: &'m Machine) -> Messages<'m> {
        let (network, layout) = lay_out(machine);
        Messages {
            machine,
            network,
            layout,
            time: Timebase::of(machine.network().router.clock),
            routes: Routes::default(),
            hops: 0,
            ways: Vec::new(),
            messages: Vec::new(),
            spare: Vec::new(),
            numbers: 0,
            now: Ps::ZERO,
            planned: None,
            next: 0,
            happened: Happened::default(),
            books: None,
            drawing: None,
        }
    }

    /// Says which event is at hand.
    pub(in crate::sim) fn at(&mut self, event: &Event) {
        self.now = event.time;
    }

    /// Lets a cycle pass.
    #[inline(never)]
    pub(in crate::sim) fn handle(&mut self, event: Event, events: &mut EventQueue) {
        let Some(cycle) = self.planned.filter(|cycle| *cycle as u32 == event.detail) else {
            return;
        };
        self.planned = None;
        self.next = cycle + 1;
        let mut happened = std::mem::take(&mut self.happened);
        self.network.step(cycle, &mut happened);
        if let Some(moved) = &mut happened.moved {
            self.draw_moved(moved);
        }
        for (number, end) in happened.left.drain(..) {
            let message = &mut self.messages[number as usize];
            if message.part == 0 {
                message.source_end = Some(self.time.time(end));
                self.announce_source_end(number, events);
            }
        }
        for (delivery, notes) in happened.delivered.iter().zip(&happened.notes) {
            self.note_passed(delivery, notes);
        }
        happened.notes.clear();
        for delivery in happened.delivered.drain(..) {
            self.arrived(&delivery, events);
        }
        self.happened = happened;
        if let Some(next) = self.network.next_after(cycle) {
            self.plan(next, events);
        }
    }

    /// Makes an event of a cycle, unless one comes as early.
    fn plan(&mut self, cycle: u64, events: &mut EventQueue) {
        let cycle = cycle.max(self.next);
        if self.planned.is_none_or(|planned| planned > cycle) {
            self.planned = Some(cycle);
            let at = self.time.time(cycle * TICKS);
            let event = Event::new(at, EventKey::LAST, EventKind::Serve, 0);
            events.push(event.with(cycle as u32));
        }
    }

    /// Sends something now. Gives its number.
    #[inline(never)]
    pub(in crate::sim) fn send(&mut self, shipment: &Shipment, events: &mut EventQueue) -> u32 {
        self.routes.count(shipment.route, shipment.bytes);
        self.compile(shipment.route);
        let id = self.make_message(shipment);
        let start = self.now.max(shipment.from);
        let Some(way) = self.ways[shipment.route.index()].parts.first().copied() else {
            let flit = self.machine.flit_bytes();
            let (came, source_end, done) = at_home((start, shipment.until), shipment, flit);
            let message = &mut self.messages[id as usize];
            (message.came, message.source_end) = (came, Some(source_end));
            self.announce_source_end(id, events);
            self.push_delivery(id, done, events);
            return id;
        };
        self.hops += self.routes.links(shipment.route).len() as u64;
        self.network.send(Parcel {
            way,
            class: shipment.class as u8,
            bytes: shipment.bytes,
            read: (self.time.ticks(start), self.flit_ticks(shipment.read)),
            until: self.time.ticks(shipment.until),
            write: self.flit_ticks(shipment.write),
            tag: id,
        });
        self.plan(self.time.cycle_from(self.now), events);
        id
    }

    fn flit_ticks(&self, rate: Bandwidth) -> u64 {
        self.time.flit_ticks(rate, self.machine.flit_bytes())
    }

    /// Works out the ways of a route, once.
    fn compile(&mut self, route: RouteId) {
        if self.ways.len() <= route.index() {
            self.ways.resize(route.index() + 1, Ways::default());
        }
        if self.ways[route.index()].is_known {
            return;
        }
        let links = self.routes.links(route);
        let from = links.first().map(|link| self.machine.ends(*link).0);
        let ways = from.map(|from| self.layout.ways(self.machine, from, links));
        let network = &mut self.network;
        let parts = ways.iter().flatten().map(|way| network.add_way(way)).collect();
        self.ways[route.index()] = Ways { parts, is_known: true };
    }

    fn make_message(&mut self, shipment: &Shipment) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        if self.numbers == NONE {
            self.numbers = 0;
        }
        let message = Message {
            cargo: shipment.cargo,
            class: shipment.class as u8,
            bytes: shipment.bytes,
            to: shipment.to,
            write: self.flit_ticks(shipment.write),
            after: shipment.after,
            number: self.numbers,
            route: shipment.route,
            part: 0,
            source_end: None,
            watched: shipment.watched,
            held: (None, Ps::ZERO),
            came: Ps::ZERO,
            stored: false,
            sent: self.now,
            waited: self.waited(shipment),
            done: Ps::ZERO,
        };
        match self.spare.pop() {
            Some(id) => {
                self.messages[id as usize] = message;
                id
            }
            None => {
                self.messages.push(message);
                self.messages.len() as u32 - 1
            }
        }
    }

    /// How long a shipment waits for its source: until that begins with it, and as far as it comes
    /// slower than its first link would take it.
    fn waited(&self, shipment: &Shipment) -> Ps {
        let begin = self.now.max(shipment.from);
        let rate = self.first_rate(shipment.route).unwrap_or(Bandwidth::INFINITE);
        begin.since(self.now) + shipment.until.since(begin + rate.time(shipment.bytes))
    }

    /// A packet is at the end of its way: of the last one, or before a part that sends it on.
    fn arrived(&mut self, delivery: &Delivery, events: &mut EventQueue) {
        let id = delivery.tag;
        let message = &mut self.messages[id as usize];
        let wait = self.time.time(delivery.held.1 * TICKS);
        if wait > message.held.1 {
            let channel = self.network.channel_at(delivery.way + u32::from(delivery.held.0));
            let is_link = (channel as usize) < self.machine.link_count();
            message.held = (is_link.then_some(LinkId(channel)), wait);
        }
        message.part += 1;
        let ways = &self.ways[message.route.index()];
        let Some(way) = ways.parts.get(message.part as usize) else {
            message.came = self.time.time(delivery.came * TICKS);
            let done = self.time.time(delivery.done);
            self.push_delivery(id, done, events);
            return;
        };
        let is_last = message.part as usize + 1 == ways.parts.len();
        self.network.send(Parcel {
            way: *way,
            class: message.class,
            bytes: message.bytes,
            read: (delivery.done, 0),
            until: 0,
            write: if is_last { message.write } else { 0 },
            tag: id,
        });
    }

    fn push_delivery(&mut self, id: u32, done: Ps, events: &mut EventQueue) {
        let message = &self.messages[id as usize];
        let input = self.routes.links(message.route).last().map_or(NONE, |link| link.0);
        let key = EventKey::delivery(message.to.0, input);
        let done = done.max(self.now);
        let at = done + message.after;
        events.push(Event::new(at, key, EventKind::Deliver, id).with(message.number));
        self.messages[id as usize].done = done;
    }

    /// Pushes the event of the end of reading, if it is wanted and known.
    fn announce_source_end(&mut self, id: u32, events: &mut EventQueue) {
        let message = &mut self.messages[id as usize];
        let now = self.now;
        let Some(end) = message.source_end.as_mut().filter(|_| message.watched) else { return };
        *end = (*end).max(now);
        let key = EventKey::act(message.cargo.agent, message.cargo.seq);
        events.push(Event::new(*end, key, EventKind::SourceRead, id).with(message.number));
    }

    /// When the last byte of a message leaves its source, if that lies not in the future.
    #[inline(never)]
    pub(in crate::sim) fn source_end(&self, id: u32) -> Option<Ps> {
        self.messages[id as usize].source_end.filter(|end| *end <= self.now)
    }

    /// Says which record the command of a message has.
    #[inline(never)]
    pub(in crate::sim) fn set_record(&mut self, id: u32, record: RecordId) {
        self.messages[id as usize].cargo.record = Some(record);
    }

    /// Makes an event of the end of reading of a message.
    #[inline(never)]
    pub(in crate::sim) fn watch(&mut self, id: u32, events: &mut EventQueue) {
        let message = &mut self.messages[id as usize];
        if !std::mem::replace(&mut message.watched, true) {
            self.announce_source_end(id, events);
        }
    }

    /// The cargo that a [`EventKind::SourceRead`] is about, unless the event is void.
    #[inline(never)]
    pub(in crate::sim) fn source_read(&mut self, event: &Event) -> Option<Cargo> {
        let message = &mut self.messages[event.subject as usize];
        let is_known = message.number == event.detail && message.watched;
        let is_valid = is_known && message.source_end == Some(event.time);
        message.watched &= !is_valid;
        is_valid.then_some(message.cargo)
    }

    /// Takes the message that a [`EventKind::Deliver`] is about, unless the event is void.
    #[inline(never)]
    pub(in crate::sim) fn take(&mut self, event: &Event) -> Option<Arrival> {
        let message = &mut self.messages[event.subject as usize];
        if message.number != event.detail {
            return None;
        }
        self.settle(event.subject, event.time);
        let message = &mut self.messages[event.subject as usize];
        message.number = NONE;
        self.spare.push(event.subject);
        Some(Arrival {
            streamed: None,
            cargo: message.cargo,
            held: message.held,
            source_end: message.source_end.unwrap_or(event.time),
            watched: message.watched,
        })
    }

    /// The write that a [`EventKind::Deliver`] is about, and when its first flit came, if its
    /// memory does not know yet that all of it has come.
    #[inline(never)]
    pub(in crate::sim) fn stored(&mut self, event: &Event) -> Option<(Cargo, Ps)> {
        let message = &mut self.messages[event.subject as usize];
        let is_new = message.number == event.detail
            && message.cargo.kind == CargoKind::WriteData
            && !std::mem::replace(&mut message.stored, true);
        is_new.then_some((message.cargo, message.came + message.after))
    }

    /// The rate of the first link of a route; `None` if there is none.
    #[inline(never)]
    pub(in crate::sim) fn first_rate(&self, route: RouteId) -> Option<Bandwidth> {
        let first = self.routes.links(route).first()?;
        Some(LinkCosts::of(self.machine, *first).rate)
    }

    /// The time for which heads waited to be sent over `link`.
    pub(in crate::sim) fn held(&self, link: usize) -> Ps {
        self.time.time(self.network.held(LinkId::from_index(link).0) * TICKS)
    }
}
