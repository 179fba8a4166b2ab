//! Booking ahead: a link is promised to a train whose head has not come to it yet.
//!
//! A head is an event at each link, only because something else may come there before it. On a link
//! that is idle this is rare, so the train is booked there when it is booked on the link before: as it
//! will be if nothing comes. If something comes earlier, or at the same instant, the promise is *taken
//! back*, on that link and on all behind it, and the head becomes the event that it would have been.
//!
//! So every link goes through the very states that it would go through without, whenever something
//! happens there. What makes this exact:
//!
//! - A link has at most one such promise, its last booking, and was idle when it was given. Taking it
//!   back leaves an idle link.
//! - Before anything arrives at a link, the promise is looked at. If the head was to come later, it is
//!   taken back. If it was to come at this instant, it has come if an event with a later key has
//!   happened, and is taken back and sorted with the others if not.
//! - The heads of two trains never come from one link at one instant, and a promise leads to nothing at
//!   the instant of its head: links that take no time are not promised, nor those behind them.
//!
//! A link whose promise was broken gets none for a while, and for longer each time.

use super::{Mode, NONE, Network};
use crate::sim::event::{EventKey, EventQueue};
use crate::units::{Bandwidth, Ps};

/// Trains that come as events after a promise was broken, at most.
const LONGEST_DOUBT: u8 = 128;

/// Whether promises at a link are worth giving.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubt {
    /// Trains that get none before the next one does.
    left: u8,
    /// How many that were after the last broken promise.
    last: u8,
}

impl Doubt {
    /// A promise was broken.
    fn grow(&mut self) {
        self.last = self.last.saturating_mul(2).clamp(1, LONGEST_DOUBT);
        self.left = self.last;
    }

    /// A promise was kept.
    fn shrink(&mut self) {
        self.last /= 2;
    }

    /// Whether a train may have one.
    fn passes(&mut self) -> bool {
        let passes = self.left == 0;
        self.left = self.left.saturating_sub(1);
        passes
    }
}

impl Network {
    /// Whether a train is one that links are promised to ahead of its head: one with bytes that its
    /// source has, and that nobody asks for on its way.
    pub(super) fn may_be_ahead(&self, id: u32) -> bool {
        let train = &self.trains[id as usize];
        self.mode == Mode::Trains
            && !self.keeps
            && train.cut.bytes > 0
            && train.source.is_some()
            && !train.streamable
            && train.taps.is_empty()
    }

    /// Books a train on the link at its front, where its head comes at `head`, if that can be promised
    /// now.
    pub(super) fn book_ahead(&mut self, id: u32, head: Ps, events: &mut EventQueue) -> bool {
        let front = self.trains[id as usize].front;
        let link = self.link_at(id, front) as usize;
        let before = front.checked_sub(1).map(|before| self.link_at(id, before) as usize);
        let takes_time = |link: usize| self.costs(link as u32).rate != Bandwidth::INFINITE;
        let state = &self.links[link];
        let can_be = state.free < self.now
            && head > self.now
            && !self.costs(link as u32).whole
            && takes_time(link)
            && before.is_none_or(takes_time)
            && (state.side == NONE || self.sides[state.side as usize].is_empty());
        let state = &mut self.links[link];
        if !can_be || !state.doubt.passes() {
            return false;
        }
        if state.ahead > Ps::ZERO {
            state.doubt.shrink();
        }
        self.book_link(id, head);
        self.links[link].ahead = head;
        if front == 0 {
            self.announce_source_end(id, events);
        }
        true
    }

    /// Takes the promise of `link` back if its train has not come. Whether that comes now, and is to be
    /// sorted with what else does; what had a key before `so_far` has happened.
    pub(super) fn take_back(
        &mut self,
        link: u32,
        so_far: EventKey,
        events: &mut EventQueue,
    ) -> bool {
        let head = self.links[link as usize].ahead;
        head >= self.now && self.take_back_late(link, (head, so_far), events)
    }

    #[inline(never)]
    fn take_back_late(
        &mut self,
        link: u32,
        (head, so_far): (Ps, EventKey),
        events: &mut EventQueue,
    ) -> bool {
        let booking = self.links[link as usize].booking.filter(|_| head > Ps::ZERO);
        let Some(booking) = booking else { return false };
        let (id, hop) = (booking.train, usize::from(booking.hop));
        let state = &mut self.links[link as usize];
        state.ahead = Ps::ZERO;
        if head == self.now && self.arrival_key(id, hop) < so_far {
            return false;
        }
        let state = &mut self.links[link as usize];
        state.doubt.grow();
        self.unpromise(id, hop);
        self.trains[id as usize].stamp = self.next_stamp();
        self.push_head(id, head, events);
        head == self.now
    }

    /// Takes back what is promised to a train that is split, as far as its head has not come.
    pub(super) fn take_back_rest(&mut self, id: u32) {
        let front = self.trains[id as usize].front;
        let is_due = |hop: &usize| {
            let link = &self.links[self.link_at(id, *hop) as usize];
            let promised = link.booking.is_some_and(|it| (it.train, it.hop) == (id, *hop as u16));
            let later = link.ahead > self.now
                || (link.ahead == self.now && self.arrival_key(id, *hop) >= self.reached);
            promised && link.ahead > Ps::ZERO && later
        };
        if let Some(hop) = (0..front).find(is_due) {
            self.unpromise(id, hop);
        }
    }

    /// Leaves the links of a train from `hop` on, where its head is still to come, as they were.
    fn unpromise(&mut self, id: u32, hop: usize) {
        let front = self.trains[id as usize].front;
        for at in hop..front {
            let link = self.link_at(id, at) as usize;
            let state = &mut self.links[link];
            if let Some(booking) = state.booking.take() {
                debug_assert!(booking.train == id, "a promise is the last booking of its link");
                state.last_class = booking.class_before;
            }
            (state.free, state.ahead) = (Ps::ZERO, Ps::ZERO);
            self.trains[id as usize].hops[at] = super::Hop::default();
        }
        let profile = self.profile_at(id, hop);
        let train = &mut self.trains[id as usize];
        train.front = hop;
        if hop == 0 {
            train.source_end = None;
        }
        train.profile.copy(&profile);
    }
}
