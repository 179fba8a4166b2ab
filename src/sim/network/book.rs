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
    fn book_link(&mut self, id: u32, free: Ps) -> bool {
        let train = &self.trains[id as usize];
        let (hop, cut) = (train.front, train.cut);
        let link = self.link_at(id, hop);
        let input = self.input(id, hop);
        let state = &self.links[link as usize];
        let (costs, class_before) = (state.costs, state.last_class);

        let train = &mut self.trains[id as usize];
        let (head, last_arrival) = (train.profile.first(cut), train.profile.last(cut));
        let start = train.profile.serve(cut, costs.rate, free, &mut self.scratch);
        std::mem::swap(&mut train.profile, &mut self.scratch);
        let end = train.profile.last(cut);
        train.profile.shift(costs.delay);
        let held = start - head;
        train.hops[hop] = Hop { start, held, ready: end, queued: 0, booked: true };
        train.front = hop + 1;
        if hop == 0 {
            train.source_end = Some(end);
        }
        let class = train.class;
        let hop = hop as u16;
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

    /// Makes an event of the next thing that happens to a train that has just been booked and that
    /// others may be in the way of; up to there, books it ahead.
    fn send_on(&mut self, id: u32, events: &mut EventQueue) {
        loop {
            let train = &self.trains[id as usize];
            if train.front == train.hops.len() {
                self.write_target(id, events);
                return;
            }
            let head = train.profile.first(train.cut);
            if !self.can_book_ahead(id, head) {
                self.push_head(id, head, events);
                return;
            }
            let link = self.link_at(id, train.front);
            self.book_link(id, head);
            self.links[link as usize].ahead = head;
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
        let head = train.profile.first(train.cut);
        self.push_head(id, head, events);
    }
}
