//! What is told of messages on routers beside times: accounts, and what links do.
//!
//! A message's latency is divided as on interleaved links (`sim::ledger`), but by a message's packets
//! and not by the stays of its last flit: *overhead* has the cycles of each router's pipeline, *queueing*
//! is by how much a packet came later than on idle routers with room for all of it, and is put down to the
//! link that its head waited longest for; what is left is *serialisation*, put down to the slowest link.

use super::TICKS;
use super::messages::{Message, Messages};
use super::packet::Delivery;
use super::router::Moved;
use crate::command::AgentId;
use crate::oplog::LinkSpan;
use crate::sim::drawing::Drawing;
use crate::sim::ledger::{Breakdown, Ledger, Passage, Stay};
use crate::topology::LinkId;
use crate::units::Ps;

/// Accounts, and what the messages under way have waited for so far.
#[derive(Debug)]
pub(super) struct Books {
    ledger: Ledger,
    /// By message: links waited for, and how long.
    waits: Vec<Vec<(u32, Ps)>>,
}

impl Messages<'_> {
    /// Keeps accounts from now on.
    pub(in crate::sim) fn keep_accounts(&mut self, ledger: Ledger) {
        self.books = Some(Box::new(Books { ledger, waits: Vec::new() }));
    }

    /// The accounts, if they were kept.
    pub(in crate::sim) fn take_ledger(&mut self) -> Option<Ledger> {
        self.books.take().map(|books| books.ledger)
    }

    /// Notes from now on what links are doing.
    pub(in crate::sim) fn draw(&mut self) {
        self.drawing = Some(Box::new(Drawing::new(self.machine.link_count())));
        self.happened.moved = Some(Vec::new());
    }

    /// Takes what links did since it was asked last; with `all`, what they are at, too.
    pub(in crate::sim) fn take_spans(&mut self, all: bool, take: &mut dyn FnMut(LinkSpan)) {
        if let Some(drawing) = &mut self.drawing {
            drawing.take(all, take);
        }
    }

    /// Draws the flits that entered links in a cycle. Those of one message that follow each other within
    /// a cycle are one span.
    pub(super) fn draw_moved(&mut self, moved: &mut Vec<Moved>) {
        let Some(drawing) = &mut self.drawing else { return };
        let gap = self.time.time(TICKS);
        for flit in moved.drain(..) {
            if flit.channel as usize >= self.machine.link_count() {
                continue;
            }
            let message = &self.messages[flit.tag as usize];
            let span = LinkSpan {
                link: LinkId(flit.channel),
                since: self.time.time(flit.since),
                start: self.time.time(flit.start),
                end: self.time.time(flit.end),
                bytes: flit.bytes,
                agent: AgentId(message.cargo.agent),
                seq: message.cargo.seq,
                site: message.cargo.site,
            };
            let key = u64::from(message.number);
            // A head that waited begins a span, so that its wait is seen.
            let before = if flit.since < flit.start { u64::MAX } else { key };
            drawing.serve((before, key), gap, span);
        }
    }

    /// A packet has come to the end of its way.
    pub(super) fn note_waits(&mut self, delivery: &Delivery) {
        let Some(books) = &mut self.books else { return };
        let late = delivery.done.saturating_sub(self.network.idle_done(&delivery.parcel));
        let id = delivery.tag as usize;
        if books.waits.len() <= id {
            books.waits.resize_with(id + 1, Vec::new);
        }
        let channel = self.network.channel_at(delivery.way + u32::from(delivery.held.0));
        books.waits[id].push((channel, self.time.time(late)));
    }

    /// A message has arrived at its target, which has all of it now.
    pub(super) fn settle(&mut self, id: u32, arrived: Ps) {
        let Some(mut books) = self.books.take() else { return };
        let message = self.messages[id as usize];
        let waits = books.waits.get_mut(id as usize).map(std::mem::take).unwrap_or_default();
        let ledger = &mut books.ledger;
        let in_network = message.done.since(message.sent + message.waited);
        let left = self.follow(&message, &waits, in_network, ledger);
        let rest = arrived.since(message.done);
        let overhead = message.after.min(rest);
        let memory = message.done.since(message.sent).since(in_network) + rest.since(overhead);
        let ends = Breakdown { overhead, serialisation: left, memory, ..Breakdown::default() };
        let (cargo, bytes, sent) = (message.cargo, message.bytes, message.sent);
        ledger.enter(&Passage { cargo, bytes, sent, arrived, ends });
        self.books = Some(books);
    }

    /// Puts down what a message paid on its links, of `time` in all. Gives what is left where it has
    /// none.
    fn follow(&self, message: &Message, waits: &[(u32, Ps)], time: Ps, ledger: &mut Ledger) -> Ps {
        ledger.stays.clear();
        let links = self.routes.links(message.route);
        let mut left = time;
        for link in links {
            left = left.since(ledger.fixed(*link));
        }
        let pipeline = self.time.time(self.network.pipeline() * TICKS);
        for link in links {
            let passes = self.network.leaves_router(link.0);
            let overhead = if passes { pipeline.min(left) } else { Ps::ZERO };
            left = left.since(overhead);
            let (serialisation, queueing) = (Ps::ZERO, Ps::ZERO);
            ledger.stays.push(Stay { link: link.0, serialisation, queueing, overhead });
        }
        for (channel, wait) in waits {
            // What waited for a channel of its own is put down to the link beside it.
            let at = links.iter().position(|link| link.0 == *channel);
            let at = at.unwrap_or(links.len().saturating_sub(1));
            if let Some(stay) = ledger.stays.get_mut(at) {
                let wait = (*wait).min(left);
                stay.queueing += wait;
                left = left.since(wait);
            }
        }
        let rate = |link: &LinkId| self.machine.link(*link).bandwidth;
        let slowest = (0..links.len()).reduce(|best, at| {
            if rate(&links[at]).is_slower_than(rate(&links[best])) { at } else { best }
        });
        let Some(stay) = slowest.and_then(|at| ledger.stays.get_mut(at)) else { return left };
        stay.serialisation = left;
        Ps::ZERO
    }
}
