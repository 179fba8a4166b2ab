//! Arrivals at the queue of a link: of whole trains, and of flits of split ones.

use super::{Booking, CLASSES, Flits, Mode, NONE, Network, Side};
use crate::sim::event::{Event, EventKey, EventKind, EventQueue};
use crate::units::Ps;

/// What arrives.
#[derive(Clone, Copy, Debug)]
struct Newcomer {
    event: Event,
    hop: u16,
    link: u32,
    class: u8,
    input: u32,
}

impl Network {
    /// Takes everything that arrives at one link at one instant. An idle link prefers the class
    /// whose turn it is.
    pub(super) fn arrivals(&mut self, first: Event, events: &mut EventQueue) {
        if self.take_back(first.key.component(), self.passed, events) {
            // What comes now, too, may come first.
            self.reached = self.passed;
            events.put_back(first);
            return;
        }
        let here = |event: &Event| event.time == first.time && event.key.same_place(first.key);
        if !events.peek().is_some_and(here) {
            self.arrive(first, events);
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.push(first);
        while let Some(event) = events.peek().copied().filter(here) {
            events.pop();
            batch.push(event);
        }
        batch.retain(|event| self.is_valid(event));
        let mut broke = false;
        for event in &batch {
            broke |= self.break_bookings(&self.newcomer(*event), events);
        }
        if broke {
            // Flits that were booked may arrive now, too.
            batch.drain(..).for_each(|event| events.put_back(event));
        }
        if !self.keeps && self.is_idle(first.key.component()) {
            self.put_first_in_turn(first.key.component(), &mut batch);
        }
        for event in batch.drain(..) {
            self.arrive(event, events);
        }
        self.batch = batch;
    }

    fn put_first_in_turn(&self, link: u32, batch: &mut [Event]) {
        let last = usize::from(self.links[link as usize].last_class);
        let turn = |event: &Event| {
            let class = self.trains[event.subject as usize].class as usize;
            (class + CLASSES - 1 - last) % CLASSES
        };
        if let Some(next) = batch.iter().map(turn).min() {
            batch.sort_by_key(|event| turn(event) != next);
        }
    }

    /// Lets one train or flit arrive, or puts it back if others that arrive at the same instant
    /// have turned up.
    pub(super) fn arrive(&mut self, event: Event, events: &mut EventQueue) {
        if !self.is_valid(&event) {
            return;
        }
        let newcomer = self.newcomer(event);
        let (id, link) = (event.subject, newcomer.link);
        let whole = event.kind == EventKind::Head && self.mode == Mode::Trains;
        if event.kind == EventKind::Head {
            self.rejoin(id);
        }
        if whole {
            if self.is_idle(link) {
                self.book(id, self.now, events);
                return;
            }
            if self.can_queue_whole(&newcomer) {
                self.book(id, self.links[link as usize].free, events);
                return;
            }
        }
        if self.break_bookings(&newcomer, events) && self.is_joined(&newcomer, events) {
            events.put_back(event);
            return;
        }
        if whole && self.is_idle(link) {
            self.book(id, self.now, events);
            return;
        }
        self.enqueue_arrival(&newcomer, events);
    }

    /// Whether an event of a train is not void.
    fn is_valid(&self, event: &Event) -> bool {
        let stamped = event.kind == EventKind::Head || event.kind == EventKind::Feed;
        !stamped || self.trains[event.subject as usize].stamp == event.detail
    }

    fn newcomer(&self, event: Event) -> Newcomer {
        let (id, hop) = (event.subject, self.hop_of(&event));
        let (link, input) = (self.link_at(id, hop), self.input(id, hop));
        let class = self.trains[id as usize].class as u8;
        Newcomer { event, hop: hop as u16, link, class, input }
    }

    fn hop_of(&self, event: &Event) -> usize {
        match event.kind {
            EventKind::Flit => usize::from(event.hop),
            EventKind::Head
            | EventKind::Feed
            | EventKind::Serve
            | EventKind::Deliver
            | EventKind::SourceRead
            | EventKind::Modified
            | EventKind::Inject
            | EventKind::Port
            | EventKind::Resume => self.trains[event.subject as usize].front,
        }
    }

    /// Makes a train whole again where its head arrives behind a store-and-forward node.
    fn rejoin(&mut self, id: u32) {
        let train = &mut self.trains[id as usize];
        if std::mem::take(&mut train.rejoins)
            && let Some(even) = train.profile.even()
        {
            train.base = train.front;
            train.base_profile.set(even);
        }
    }

    /// Whether nothing is in service, booked or waiting.
    fn is_idle(&self, link: u32) -> bool {
        self.links[link as usize].free <= self.now && !self.has_waiting(link)
    }

    fn has_waiting(&self, link: u32) -> bool {
        let side = self.links[link as usize].side;
        side != NONE && !self.sides[side as usize].is_empty()
    }

    /// Whether a whole train simply comes after all that is booked or in service.
    fn can_queue_whole(&self, newcomer: &Newcomer) -> bool {
        if self.keeps {
            return true;
        }
        let link = &self.links[newcomer.link as usize];
        let train = &self.trains[newcomer.event.subject as usize];
        // A booking that takes no time would be over before the link has picked it.
        let takes_time = self.costs(newcomer.link).rate.time(train.cut.bytes) > Ps::ZERO;
        takes_time
            && !self.has_waiting(newcomer.link)
            && link.booking.is_none_or(|it| it.end <= self.now || self.is_ahead(&it, newcomer))
    }

    /// Whether all flits of a booked train come before the newcomer.
    fn is_ahead(&self, booking: &Booking, newcomer: &Newcomer) -> bool {
        let arrived = (booking.last_arrival, booking.input) <= (self.now, newcomer.input);
        booking.class as u8 == newcomer.class && arrived
    }

    /// Splits the booked trains that the newcomer would interleave with. True if it did.
    fn break_bookings(&mut self, newcomer: &Newcomer, events: &mut EventQueue) -> bool {
        let mut broke = false;
        if self.keeps {
            return false;
        }
        while let Some(booking) = self.links[newcomer.link as usize].booking {
            if booking.end <= self.now || self.is_ahead(&booking, newcomer) {
                break;
            }
            self.split(booking.train, usize::from(booking.hop), events);
            broke = true;
        }
        broke
    }

    /// Whether something else arrives here at this instant.
    fn is_joined(&self, newcomer: &Newcomer, events: &EventQueue) -> bool {
        let arrival = newcomer.event.key.is_arrival() && self.key.is_arrival();
        arrival
            && events.peek().is_some_and(|other| {
                other.time == self.now && other.key.same_place(newcomer.event.key)
            })
    }

    /// Puts the flits that a newcomer consists of at this instant into the queue of the link.
    fn enqueue_arrival(&mut self, newcomer: &Newcomer, events: &mut EventQueue) {
        let id = newcomer.event.subject;
        let train = &mut self.trains[id as usize];
        let (first, count) = match newcomer.event.kind {
            EventKind::Flit => (newcomer.event.detail, 1),
            EventKind::Head => {
                train.split = true;
                train.fed = 0;
                (0, self.flits_until_now(id))
            }
            EventKind::Feed
            | EventKind::Serve
            | EventKind::Deliver
            | EventKind::SourceRead
            | EventKind::Modified
            | EventKind::Inject
            | EventKind::Port
            | EventKind::Resume => (train.fed, 1),
        };
        if newcomer.event.kind != EventKind::Flit {
            self.trains[id as usize].fed = first + count;
            self.push_feed(id, events);
        }
        let flits = Flits { train: id, hop: newcomer.hop, first, count };
        self.enqueue(newcomer.link, newcomer.class, flits, events);
    }

    /// The flits of a train whose head arrives now that arrive now.
    fn flits_until_now(&self, id: u32) -> u32 {
        let train = &self.trains[id as usize];
        partition(1, train.cut.flits, |k| train.profile.at(k, train.cut) <= self.now)
    }

    /// Makes an event of the next arrival at the front of a split train.
    pub(super) fn push_feed(&mut self, id: u32, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        if train.fed < train.cut.flits {
            let at = train.profile.at(train.fed, train.cut);
            let key = self.arrival_key(id, train.front);
            events.push(Event::new(at, key, EventKind::Feed, id).with(train.stamp));
        }
    }

    /// Puts flits at the end of a queue. An idle link starts with them.
    fn enqueue(&mut self, link: u32, class: u8, flits: Flits, events: &mut EventQueue) {
        let idle = self.is_idle(link);
        let hop = &mut self.trains[flits.train as usize].hops[usize::from(flits.hop)];
        if hop.queued == 0 {
            hop.ready = hop.ready.max(self.now);
        }
        hop.queued += flits.count;
        // A link that is kept has one queue, in the order of arrival.
        let class = if self.keeps { 0 } else { class };
        let queue = &mut self.side(link).queues[usize::from(class)];
        match queue.back_mut() {
            Some(last) if last.train == flits.train && last.first + last.count == flits.first => {
                last.count += flits.count;
            }
            _ => queue.push_back(flits),
        }
        if idle {
            self.serve(link, events);
        } else {
            self.pick_at(link, self.links[link as usize].free.max(self.now), events);
        }
    }

    /// What only a contended link has; made when first asked for.
    pub(super) fn side(&mut self, link: u32) -> &mut Side {
        let link = &mut self.links[link as usize];
        if link.side == NONE {
            link.side = self.sides.len() as u32;
            self.sides.push(Side::default());
        }
        &mut self.sides[link.side as usize]
    }

    /// Makes an event of the next pick of `link`, unless one comes as early.
    pub(super) fn pick_at(&mut self, link: u32, at: Ps, events: &mut EventQueue) {
        let side = self.side(link);
        if side.serve_at.is_none_or(|planned| planned > at) {
            side.serve_at = Some(at);
            events.push(Event::new(at, EventKey::serve(link), EventKind::Serve, link));
        }
    }
}

/// The first of `from..to` for which `holds` does not, given that it holds for no later one.
pub(super) fn partition(from: u32, to: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
