//! Splitting: undoes the part of a train's bookings that lies in the future.
//!
//! Something arrives at link L while a train A is booked there, and A's flits that have not come
//! yet would have to share. From this instant on A goes flit by flit, from L onwards:
//!
//! - Links before L keep their bookings: what happens behind a train's back changes nothing there.
//!   A's flits arrive at L when those bookings say, one event each (`EventKind::Feed`).
//! - At L and at each link behind it that A's head has reached, every flit is put where it is now.
//!   Which flits have arrived and which have been served follows from the times of the bookings,
//!   and, for what happens at this very instant, from the order of events.
//! - Nothing is booked after A behind L: it would have had to come after all of A, but A has not
//!   yet left L. So no other train is touched.
//!
//! What is on a wire gets an event; what waits goes to the front of its queue, before everything
//! that came later.

use super::arrive::partition;
use super::profile::Profile;
use super::{Flits, LinkRun, Network};
use crate::sim::event::{EventKey, EventQueue};
use crate::units::Ps;

/// The flits of a train at one link at this instant.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// How many have arrived.
    arrived: u32,
    /// How many of them have been served, the one in service included.
    served: u32,
}

impl Network {
    /// Splits train `id` at `hop`, where it is booked, and what it feeds.
    pub(super) fn split(&mut self, id: u32, hop: usize, events: &mut EventQueue) {
        let had_landed = self.trains[id as usize].landed_whole;
        self.split_at(id, (hop, true), events);
        if had_landed && self.is_tapped(id) {
            self.refeed(id, events);
        }
    }

    /// Splits train `id` at `hop`; `asked` if that is where something has arrived.
    #[inline(never)]
    pub(super) fn split_at(
        &mut self,
        id: u32,
        (hop, asked): (usize, bool),
        events: &mut EventQueue,
    ) {
        self.take_back_rest(id);
        let stamp = self.next_stamp();
        let train = &mut self.trains[id as usize];
        train.stamp = stamp;
        let (cut, front, was_split) = (train.cut, train.front, train.split);
        let already = if was_split { train.fed } else { 0 };
        let rejoins = train.rejoins;
        let mut arriving = self.profile_at(id, hop);
        let at_hop = arriving.clone();
        let mut served = Profile::default();
        // Flits that have left the link before.
        let mut passed = cut.flits;
        for at in hop..front {
            let link = self.link_at(id, at);
            let start = self.trains[id as usize].hops[at].start;
            let costs = self.costs(link);
            arriving.serve(cut, costs.rate, start, &mut served);
            let standing = self.standing(id, at, asked && at == hop, (&arriving, &served, passed));
            if at > hop {
                for k in standing.arrived..passed {
                    self.push_flit(id, at, (k, arriving.at(k, cut)), events);
                }
            } else {
                self.trains[id as usize].fed = standing.arrived;
            }
            self.unbook(id, at, standing, (&arriving, &served));
            self.requeue(id, at, standing, events);
            passed = standing.served;
            if at == 0 && passed < cut.flits {
                self.trains[id as usize].source_end = None;
            }
            served.shift(costs.delay);
            std::mem::swap(&mut arriving, &mut served);
        }
        if passed < cut.flits || !rejoins {
            let flits = (already..passed).map(|k| (k, arriving.at(k, cut)));
            self.flits_to_front(id, flits, events);
            self.feed_from(id, hop, at_hop, events);
        } else {
            // Its last flit is on the way to where the train is whole again.
            self.push_head(id, self.trains[id as usize].profile.first(), events);
        }
    }

    /// Sends flits that have left all booked links to where they arrive one by one.
    fn flits_to_front(
        &mut self,
        id: u32,
        flits: impl Iterator<Item = (u32, Ps)>,
        events: &mut EventQueue,
    ) {
        let train = &self.trains[id as usize];
        let front = train.front;
        if front == train.hops.len() {
            let train = &mut self.trains[id as usize];
            train.landed_whole = false;
            train.landed.clear();
            if train.taps.is_empty() {
                flits.for_each(|(k, at)| self.write_flit(id, k, at, events));
            } else {
                train.landed.extend(flits.map(|(_, at)| at));
            }
        } else if !train.rejoins {
            flits.for_each(|flit| self.push_flit(id, front, flit, events));
        }
    }

    /// The profile of a train at a hop that it was booked up to.
    pub(super) fn profile_at(&self, id: u32, hop: usize) -> Profile {
        let train = &self.trains[id as usize];
        let (mut profile, mut out) = (Profile::default(), Profile::default());
        profile.copy(&train.base_profile);
        for at in train.base..hop {
            let costs = self.costs(self.link_at(id, at));
            profile.serve(train.cut, costs.rate, train.hops[at].start, &mut out);
            out.shift(costs.delay);
            std::mem::swap(&mut profile, &mut out);
        }
        profile
    }

    /// Where the flits are at a booked link. `passed` of them have left the link before.
    fn standing(
        &self,
        id: u32,
        hop: usize,
        is_first: bool,
        (arriving, served, passed): (&Profile, &Profile, u32),
    ) -> Standing {
        let train = &self.trains[id as usize];
        let cut = train.cut;
        let link = self.link_at(id, hop);
        let booked_now = arriving.first() == self.now;
        // At the link in question the arrivals of this instant are yet to be sorted, unless they
        // came with the head.
        let sorting = is_first && self.reached.same_place(EventKey::before_arrivals(link));
        let so_far = if sorting { EventKey::before_arrivals(link) } else { self.reached };
        let came = booked_now && is_first || self.arrival_key(id, hop) < so_far;
        let has_arrived = |at: Ps| at < self.now || (at == self.now && came);
        let arrived = partition(0, passed, |k| has_arrived(arriving.at(k, cut)));
        let has_started = |k: u32| {
            let arrival = arriving.at(k, cut);
            let start =
                if k == 0 { train.hops[hop].start } else { arrival.max(served.at(k - 1, cut)) };
            let picked = arrival == self.now || EventKey::serve(link) < self.reached;
            start < self.now || (start == self.now && picked)
        };
        Standing { arrived, served: partition(0, arrived, has_started) }
    }

    /// Takes the last booking of a link away and leaves what has been served of it.
    fn unbook(
        &mut self,
        id: u32,
        hop: usize,
        standing: Standing,
        (arriving, served): (&Profile, &Profile),
    ) {
        let link = self.link_at(id, hop);
        let (now, rate) = (self.now, self.costs(link).rate);
        let before = self.side(link).bookings.pop_back();
        let train = &mut self.trains[id as usize];
        let (cut, number) = (train.cut, train.number);
        let state = &mut self.links[link as usize];
        state.ahead = Ps::ZERO;
        let last = std::mem::replace(&mut state.booking, before.filter(|it| it.end > now));
        debug_assert!(
            last.is_some_and(|booking| booking.train == id),
            "nothing is booked after a train that is split"
        );
        let at = &mut train.hops[hop];
        at.booked = false;
        if standing.served == 0 {
            state.free = at.start;
            state.last_class = last.map_or(state.last_class, |booking| booking.class_before);
            state.held = state.held - at.held;
            at.held = Ps::ZERO;
            at.ready = arriving.first();
        } else {
            let last = standing.served - 1;
            state.free = served.at(last, cut);
            at.ready = state.free;
            if standing.arrived > standing.served {
                at.ready = at.ready.max(arriving.at(standing.served, cut));
            }
            let run = arriving.run_of(last, cut, rate, served);
            self.side(link).run = Some(LinkRun { train: number, next: standing.served, run });
            if self.drawing.is_some() {
                self.draw_part(id, hop, (standing.served, served.at(last, cut)));
            }
        }
    }

    /// Puts the flits that wait at a link before all that came after them.
    fn requeue(&mut self, id: u32, hop: usize, standing: Standing, events: &mut EventQueue) {
        let count = standing.arrived - standing.served;
        let train = &mut self.trains[id as usize];
        train.hops[hop].queued = count;
        if count == 0 {
            return;
        }
        let class = usize::from(train.class as u8);
        let link = self.link_at(id, hop);
        let flits = Flits { train: id, hop: hop as u16, first: standing.served, count };
        self.side(link).queues[class].push_front(flits);
        self.pick_at(link, self.links[link as usize].free.max(self.now), events);
    }

    /// Lets the flits that have not reached `hop` arrive there one by one.
    fn feed_from(&mut self, id: u32, hop: usize, profile: Profile, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        train.front = hop;
        train.split = true;
        train.rejoins = false;
        train.profile = profile;
        self.push_feed(id, events);
    }
}
