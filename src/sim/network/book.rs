//! Whole trains: books all flits of a train on a link at once.

use super::profile::Even;
use super::{Booking, Hop, NONE, Network};
use crate::sim::event::EventQueue;
use crate::units::Ps;

impl Network {
    /// Promises the link at the front of a train to it, from `free` on, and sends its head on.
    pub(super) fn book(&mut self, id: u32, free: Ps, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        let (hop, cut) = (train.front, train.cut);
        let link = self.link_at(id, hop);
        let input = self.input(id, hop);
        let costs = self.links[link as usize].costs;

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
        let class_before = self.links[link as usize].last_class;
        let hop16 = hop as u16;
        let booking =
            Booking { train: id, hop: hop16, class, input, last_arrival, end, class_before };
        self.append_booking(link, booking, held);
        if hop == 0 {
            self.announce_source_end(id, events);
        }
        self.send_on(id, costs.whole, events);
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

    /// Makes an event of the next thing that happens to a train that has just been booked.
    fn send_on(&mut self, id: u32, whole: bool, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        if train.front == train.hops.len() {
            self.write_target(id, events);
            return;
        }
        if whole {
            train.profile.set(Even::whole(train.profile.last(train.cut)));
            train.rejoins = true;
        }
        let head = train.profile.first(train.cut);
        self.push_head(id, head, events);
    }
}
