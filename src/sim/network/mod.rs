//! The network: messages as trains of flits on links that many share.
//!
//! **What it computes.** Each directed link serves one flit at a time: within a class in order of
//! arrival (at one instant, by the link it came from), between classes round robin. That is the
//! whole definition, and [`Mode::FlitByFlit`] does just that, with two events a flit and hop.
//!
//! **How it is fast.** Most of the time a link has one train to serve. Then all its flits are
//! booked at once by a formula ([`profile`]), and only heads are events: one a hop. Bookings are
//! promises about the future that a later arrival may break. When one arrives at a booked link that
//! would not simply come after the booked train, the train is *split* ([`split`]): every flit of it
//! is put exactly where the definition has it at that instant (served, on a wire, in service,
//! queued, not yet here), and goes on flit by flit from there. What lies in the past is never
//! touched, so both modes give the same times; a test below compares them on random traffic.
//!
//! Trains are whole again behind a node that stores and forwards.

mod account;
mod ahead;
mod arrive;
mod book;
mod cargo;
mod profile;
mod serve;
mod split;
mod stream;
#[cfg(test)]
mod tests;
mod train;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use self::ahead::Doubt;
pub(super) use self::cargo::{Arrival, Cargo, CargoKind, Class, Shipment};
use self::profile::{Cut, Even, Pace, Profile, Run};
pub(super) use self::stream::Outlet;
use self::stream::Tap;
use self::train::{Hop, Train};
use super::drawing::Drawing;
use super::event::{Event, EventKey, EventKind, EventQueue};
use super::ledger::Ledger;
use super::routes::{LinkCosts, RouteId, Routes};
use crate::arena::Id;
use crate::oplog::RecordId;
use crate::topology::{Arbitration, LinkId, Machine};
use crate::units::{Bandwidth, Ps};

/// How links are worked out. Both give the same times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whole trains at once where nothing interferes.
    #[default]
    Trains,
    /// Each flit by itself: the definition, many times slower.
    FlitByFlit,
}

const CLASSES: usize = 3;

/// What injected flits come over, plus the number of their train: later than any link at the same
/// instant, and in the order in which they were sent.
const INJECTED: u32 = 1 << 28;

/// What is not there.
pub(super) const NONE: u32 = u32::MAX;

/// A whole train that a link is promised to.
#[derive(Clone, Copy, Debug)]
struct Booking {
    train: u32,
    hop: u16,
    class: Class,
    input: u32,
    /// When its last flit arrives, and when that has been served.
    last_arrival: Ps,
    end: Ps,
    /// Whose turn it would be to come next without it.
    class_before: u8,
}

/// A link.
#[derive(Debug)]
struct Link {
    /// Its place among kinds of link.
    kind: u32,
    /// When it is free of all that is booked or in service.
    free: Ps,
    /// The last booking. Over if its end is past.
    booking: Option<Booking>,
    /// When the head comes that its last booking was promised to ahead; zero if it was not.
    ahead: Ps,
    /// Where it keeps what only a contended link has; [`NONE`] before it is one.
    side: u32,
    last_class: u8,
    doubt: Doubt,
    /// The time for which trains were held up here by others.
    held: Ps,
}

/// What only a contended link has.
#[derive(Debug, Default)]
struct Side {
    /// Bookings before the last one, the oldest first.
    bookings: VecDeque<Booking>,
    /// Flits that wait, by class.
    queues: [VecDeque<Flits>; CLASSES],
    /// When it picks next.
    serve_at: Option<Ps>,
    /// What it serves or served last.
    run: Option<LinkRun>,
    /// The train that keeps it.
    kept: Option<u32>,
}

/// Links that cost the same: of thousands there are a few kinds.
#[derive(Debug)]
struct LinkKind {
    costs: LinkCosts,
    /// The bytes of the last message that was booked, and how long its parts take.
    paced: (u64, Pace),
}

impl LinkKind {
    /// How long the parts of a message take.
    fn pace(&mut self, cut: Cut) -> Pace {
        if cut.bytes == 0 {
            return Pace::default();
        }
        if self.paced.0 != cut.bytes {
            self.paced = (cut.bytes, Pace::new(cut, self.costs.rate));
        }
        self.paced.1
    }
}

impl Side {
    /// Whether no flits wait.
    fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }
}

/// Neighbouring flits of one train in a queue.
#[derive(Clone, Copy, Debug)]
struct Flits {
    train: u32,
    hop: u16,
    first: u32,
    count: u32,
}

/// A run of flits of one train on a link.
#[derive(Clone, Copy, Debug)]
struct LinkRun {
    /// The train's number.
    train: u32,
    /// The flit that would continue it.
    next: u32,
    run: Run,
}

/// All links and everything on them.
#[derive(Debug)]
pub(super) struct Network {
    links: Vec<Link>,
    kinds: Vec<LinkKind>,
    sides: Vec<Side>,
    trains: Vec<Train>,
    spare: Vec<u32>,
    pub(super) routes: Routes,
    flit_bytes: u64,
    /// Whether a message keeps a link from its first flit to its last.
    keeps: bool,
    mode: Mode,
    /// Trains and stamps so far.
    numbers: u32,
    stamps: u32,
    /// The instant and key of the event at hand.
    now: Ps,
    key: EventKey,
    /// How far the instant has come: the last key in order that there was an event of. Later than
    /// `key` where something took no time and what it led to is in order before what it followed.
    reached: EventKey,
    /// The same before the event at hand.
    passed: EventKey,
    scratch: Profile,
    batch: Vec<Event>,
    /// Links passed by messages so far.
    pub(super) hops: u64,
    /// The accounts of messages, and what links are doing, where somebody asks.
    ledger: Option<Box<Ledger>>,
    drawing: Option<Box<Drawing>>,
}

impl Network {
    /// The idle network of `machine`.
    pub(super) fn new(machine: &Machine, mode: Mode) -> Network {
        let (mut kinds, mut known) = (Vec::new(), FxHashMap::default());
        let mut kind_of = |costs: LinkCosts| {
            *known.entry(costs).or_insert_with(|| {
                kinds.push(LinkKind { costs, paced: (0, Pace::default()) });
                kinds.len() as u32 - 1
            })
        };
        let link = |index| Link {
            kind: kind_of(LinkCosts::of(machine, LinkId::from_index(index))),
            free: Ps::ZERO,
            booking: None,
            ahead: Ps::ZERO,
            side: NONE,
            last_class: 0,
            doubt: Doubt::default(),
            held: Ps::ZERO,
        };
        let links: Vec<Link> = (0..machine.link_count()).map(link).collect();
        Network {
            links,
            kinds,
            sides: Vec::new(),
            trains: Vec::new(),
            spare: Vec::new(),
            routes: Routes::default(),
            flit_bytes: machine.flit_bytes(),
            keeps: machine.arbitration() == Arbitration::Message,
            mode,
            numbers: 0,
            stamps: 0,
            now: Ps::ZERO,
            key: EventKey::LAST,
            reached: EventKey::LAST,
            passed: EventKey::LAST,
            scratch: Profile::default(),
            batch: Vec::new(),
            hops: 0,
            ledger: None,
            drawing: None,
        }
    }

    /// Says which event is at hand.
    pub(super) fn at(&mut self, event: &Event) {
        let same = event.time == self.now;
        self.passed = if same { self.reached } else { EventKey::FIRST };
        self.reached = self.passed.max(event.key);
        (self.now, self.key) = (event.time, event.key);
    }

    /// Lets an event of the network happen.
    pub(super) fn handle(&mut self, event: Event, events: &mut EventQueue) {
        match event.kind {
            EventKind::Head | EventKind::Flit | EventKind::Feed => self.arrivals(event, events),
            EventKind::Serve => self.pick(event, events),
            EventKind::Deliver
            | EventKind::SourceRead
            | EventKind::Modified
            | EventKind::Inject
            | EventKind::Port
            | EventKind::Resume => {}
        }
    }

    /// Sends something now. Gives the train, by which [`Network::source_end`] knows it.
    pub(super) fn send(&mut self, shipment: &Shipment, events: &mut EventQueue) -> u32 {
        let id = self.make(shipment);
        self.begin(id, events);
        id
    }

    /// Makes a train that is not on its way yet.
    fn make(&mut self, shipment: &Shipment) -> u32 {
        let hops = self.routes.hops(shipment.route);
        self.routes.count(shipment.route, shipment.bytes);
        self.hops += hops as u64;
        let id = self.make_train(shipment, hops);
        let train = &mut self.trains[id as usize];
        train.profile.copy(&train.base_profile);
        id
    }

    /// When the last byte of `train` leaves its source, if that lies not in the future.
    pub(super) fn source_end(&self, train: u32) -> Option<Ps> {
        self.trains[train as usize].source_end.filter(|end| *end <= self.now)
    }

    /// Says which record the command of `train` has.
    pub(super) fn set_record(&mut self, train: u32, record: RecordId) {
        let train = &mut self.trains[train as usize];
        train.cargo.record = Some(record);
        if train.cargo.kind == CargoKind::Trunk
            && let Some(below) = train.taps.first().and_then(|tap| tap.fed())
        {
            self.trains[below as usize].cargo.record = Some(record);
        }
    }

    /// Makes an event of the end of reading of `train`.
    pub(super) fn watch(&mut self, id: u32, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        if !std::mem::replace(&mut train.watched, true) {
            self.announce_source_end(id, events);
        }
    }

    /// The cargo that a [`EventKind::SourceRead`] is about, unless the event is void.
    pub(super) fn source_read(&mut self, event: &Event) -> Option<Cargo> {
        let train = &mut self.trains[event.subject as usize];
        let number = train.number == event.detail && train.watched;
        let valid = number && train.source_end == Some(event.time);
        train.watched &= !valid;
        valid.then_some(train.cargo)
    }

    /// Takes the train that a [`EventKind::Deliver`] is about off the network, unless the event is
    /// void.
    pub(super) fn take(&mut self, event: &Event) -> Option<Arrival> {
        let train = &mut self.trains[event.subject as usize];
        if train.stamp != event.detail {
            return None;
        }
        if self.ledger.is_some() || self.drawing.is_some() {
            self.settle(event.subject);
        }
        let train = &mut self.trains[event.subject as usize];
        train.stamp = NONE;
        train.number = NONE;
        let streamed = train.taps.last().map(Tap::begun);
        self.spare.push(event.subject);
        let train = &self.trains[event.subject as usize];
        let mut held = (None, Ps::ZERO);
        for (hop, at) in train.hops.iter().enumerate() {
            if at.held > held.1 {
                held = (Some(LinkId(self.routes.link(train.route + hop as u32))), at.held);
            }
        }
        let source_end = train.source_end.unwrap_or(self.now);
        Some(Arrival { cargo: train.cargo, held, source_end, watched: train.watched, streamed })
    }

    /// The write that a [`EventKind::Deliver`] is about, and when its first flit came, if its
    /// memory does not know yet that all of it has come.
    pub(super) fn stored(&mut self, event: &Event) -> Option<(Cargo, Ps)> {
        let train = &mut self.trains[event.subject as usize];
        let new = train.stamp == event.detail
            && matches!(train.cargo.kind, CargoKind::WriteData | CargoKind::TileWrite)
            && !std::mem::replace(&mut train.stored, true);
        new.then_some((train.cargo, train.came + train.after))
    }

    /// The rate of the first link of a route that takes time or has a rate; `None` if there is
    /// none.
    pub(super) fn first_rate(&self, route: RouteId) -> Option<Bandwidth> {
        let hops = self.routes.hops(route);
        let link = (hops > 0).then(|| self.routes.link(self.routes.start(route)))?;
        Some(self.costs(link).rate)
    }

    /// The time for which trains were held up at `link` by others.
    pub(super) fn held(&self, link: usize) -> Ps {
        self.links[link].held
    }

    fn make_train(&mut self, shipment: &Shipment, hops: usize) -> u32 {
        let cut = Cut::new(shipment.bytes, self.flit_bytes);
        let read = Even::read(self.now.max(shipment.from), shipment.read, cut);
        let read = read.until(shipment.until, cut);
        let waited = self.waited(shipment, (read.base, read.last));
        let mut base_profile = Profile::default();
        base_profile.set(read);
        let id = self.spare.pop().unwrap_or_else(|| {
            self.trains.push(Train::blank());
            self.trains.len() as u32 - 1
        });
        self.numbers = self.numbers.wrapping_add(1);
        let (number, stamp) = (self.numbers, self.next_stamp());
        let train = &mut self.trains[id as usize];
        let (mut list, profile) =
            (std::mem::take(&mut train.hops), std::mem::take(&mut train.profile));
        list.clear();
        list.resize(hops, Hop::default());
        *train = Train {
            cargo: shipment.cargo,
            cut,
            route: self.routes.start(shipment.route),
            hops: list,
            to: shipment.to,
            class: shipment.class,
            write: shipment.write,
            after: shipment.after,
            number,
            stamp,
            sent: self.now,
            loaded: read.last,
            waited,
            source: Some(read),
            base_profile,
            profile,
            watched: shipment.watched,
            streamable: shipment.streamable,
            ..Train::blank()
        };
        id
    }

    fn next_stamp(&mut self) -> u32 {
        self.stamps = self.stamps.wrapping_add(1);
        // NONE marks trains that have arrived.
        if self.stamps == NONE {
            self.stamps = 0;
        }
        self.stamps
    }

    /// The link at `hop` of a train.
    fn link_at(&self, id: u32, hop: usize) -> u32 {
        self.routes.link(self.trains[id as usize].route + hop as u32)
    }

    /// What a link costs.
    fn costs(&self, link: u32) -> LinkCosts {
        self.kinds[self.links[link as usize].kind as usize].costs
    }

    /// The key of arrivals of a train at `hop`.
    fn arrival_key(&self, id: u32, hop: usize) -> EventKey {
        let train = &self.trains[id as usize];
        let (class, empty) = (train.class as u8, train.cut.bytes == 0);
        EventKey::arrival(self.link_at(id, hop), class, self.input(id, hop), empty)
    }

    /// What a train comes over to the queue at `hop`.
    fn input(&self, id: u32, hop: usize) -> u32 {
        match hop.checked_sub(1) {
            Some(before) => self.link_at(id, before),
            None => INJECTED + self.trains[id as usize].number % INJECTED,
        }
    }

    fn push_head(&mut self, id: u32, at: Ps, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        let key = self.arrival_key(id, train.front);
        events.push(Event::new(at, key, EventKind::Head, id).with(train.stamp));
    }

    fn push_delivery(&mut self, id: u32, at: Ps, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        let key = EventKey::delivery(train.to.0, self.input(id, train.hops.len()));
        let at = at + train.after;
        events.push(Event::new(at, key, EventKind::Deliver, id).with(train.stamp));
    }

    /// Pushes the event of the end of reading, if it is wanted and known.
    fn announce_source_end(&mut self, id: u32, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        let Some(end) = train.source_end.filter(|_| train.watched) else { return };
        let key = EventKey::act(train.cargo.agent, train.cargo.seq);
        events.push(Event::new(end, key, EventKind::SourceRead, id).with(train.number));
    }

    /// A train without links: it is where it goes to.
    fn arrive_at_source(&mut self, id: u32, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        train.source_end = Some(train.profile.last(train.cut));
        self.announce_source_end(id, events);
        self.write_target(id, events);
    }

    /// Works out when a train whose profile at the target is known has been written, and delivers
    /// it then.
    fn write_target(&mut self, id: u32, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        train.came = train.profile.first();
        train.landed_whole = train.streamable;
        if self.is_tapped(id) {
            self.land_whole(id, events);
            return;
        }
        let train = &self.trains[id as usize];
        let mut done = train.profile.last(train.cut);
        if train.write != Bandwidth::INFINITE {
            train.profile.serve(train.cut, train.write, Ps::ZERO, &mut self.scratch);
            done = self.scratch.last(train.cut);
        }
        self.push_delivery(id, done, events);
    }
}

/// What is sent to where it is: when its first flit has come, when its last byte has been read, and
/// when that has been written. It can be read from the one instant on, its last flit from the other.
pub(super) fn at_home((from, until): (Ps, Ps), shipment: &Shipment, flit: u64) -> (Ps, Ps, Ps) {
    let cut = Cut::new(shipment.bytes, flit);
    let (mut profile, mut written) = (Profile::default(), Profile::default());
    profile.set(Even::read(from, shipment.read, cut).until(until, cut));
    let (came, end) = (profile.first(), profile.last(cut));
    if shipment.write == Bandwidth::INFINITE {
        return (came, end, end);
    }
    profile.serve(cut, shipment.write, Ps::ZERO, &mut written);
    (came, end, written.last(cut))
}

/// How long a message of `bytes` takes on an idle route, from a source that is read at a rate.
pub fn idle_time(machine: &Machine, route: &[LinkId], bytes: u64, read: Bandwidth) -> Ps {
    let cut = Cut::new(bytes, machine.flit_bytes());
    let (mut profile, mut out) = (Profile::default(), Profile::default());
    profile.set(Even::read(Ps::ZERO, read, cut));
    for link in route {
        let costs = LinkCosts::of(machine, *link);
        profile.serve(cut, costs.rate, Ps::ZERO, &mut out);
        out.shift(costs.delay);
        if costs.whole {
            out.set(Even::whole(out.last(cut)));
        }
        std::mem::swap(&mut profile, &mut out);
    }
    profile.last(cut)
}
