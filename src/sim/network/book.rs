//! Whole trains: books all flits of a train on a link at once.

use super::profile::Even;
use super::{Booking, Hop, NONE, Network};
use crate::sim::event::EventQueue;
use crate::units::Ps;

impl Network {
    /// Promises the link at the front of a train to it, from `free` on, and sends its head on.
    pub(super) fn book(&mut self, id: u32, free: Ps, events: &mut EventQueue) {
        let whole = self.book_link(id, free);
        if self.trains[id as usize].front == 1 {
            self.announce_source_end(id, events);
        }
        if whole {
            self.store(id, events);
        } else {
            self.send_on(id, events);
        }
    }

    /// Promises the link at the front of a train to it. Whether the train is stored whole behind it.
    pub(super) fn book_link(&mut self, id: u32, free: Ps) -> bool {
        let hop = self.trains[id as usize].front;
        let (link, input) = (self.link_at(id, hop), self.input(id, hop));
        let train = &mut self.trains[id as usize];
        let state = &mut self.links[link as usize];
        let kind = &mut self.kinds[state.kind as usize];
        let (costs, cut, class_before) = (kind.costs, train.cut, state.last_class);
        let (head, last_arrival) = (train.profile.first(), train.profile.last(cut));
        let pace = kind.pace(cut);
        let start = train.profile.pass(cut, (costs.rate, &pace), free, &mut self.scratch);
        let end = train.profile.last(cut);
        train.profile.shift(costs.delay);
        let held = start - head;
        train.hops[hop] = Hop { start, held, ready: end, queued: 0, booked: true };
        train.front = hop + 1;
        if hop == 0 {
            train.source_end = Some(end);
        }
        let (class, hop) = (train.class, hop as u16);
        let booking = Booking { train: id, hop, class, input, last_arrival, end, class_before };
        self.append_booking(link, booking, held);
        costs.whole
    }

    fn append_booking(&mut self, link: u32, booking: Booking, held: Ps) {
        let now = self.now;
        let state = &mut self.links[link as usize];
        state.held += held;
        state.free = booking.end;
        state.last_class = booking.class as u8;
        let before = state.booking.replace(booking).filter(|before| before.end > now);
        if before.is_none() && state.side == NONE {
            return;
        }
        let side = self.side(link);
        // The train comes between the flits of any run.
        side.run = None;
        while side.bookings.front().is_some_and(|old| old.end <= now) {
            side.bookings.pop_front();
        }
        side.bookings.extend(before);
    }

    /// Books a train ahead as far as that can be. Makes an event of what happens to it next.
    pub(super) fn send_on(&mut self, id: u32, events: &mut EventQueue) {
        let may_be_ahead = self.may_be_ahead(id);
        loop {
            let train = &self.trains[id as usize];
            if train.front == train.hops.len() {
                self.write_target(id, events);
                return;
            }
            let head = train.profile.first();
            if !may_be_ahead || !self.book_ahead(id, head, events) {
                self.push_head(id, head, events);
                return;
            }
        }
    }

    /// The same for a train that is stored whole behind the link that it has been booked on.
    fn store(&mut self, id: u32, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        if train.front == train.hops.len() {
            self.write_target(id, events);
            return;
        }
        train.profile.set(Even::whole(train.profile.last(train.cut)));
        train.rejoins = true;
        let head = train.profile.first();
        self.push_head(id, head, events);
    }
}
