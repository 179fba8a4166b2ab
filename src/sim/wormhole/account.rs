//! What is told of messages on routers beside times: accounts, and what links do.
//!
//! A message's latency is divided as on interleaved links (`sim::ledger`), by the stays of its last flit. On each
//! link *overhead* has the cycles of the router in front of it; by how much the flit entered it later than on idle
//! routers with room for all of it, as far as that was not made up for behind it, is *credit* as far as
//! the message's flits found no room behind the link, and *queueing* otherwise; what is left is *serialisation*:
//! it came behind the message's own flits. Channels that a router has for its own PE are no links; what is
//! spent on one counts for the link beside it.

use super::TICKS;
use super::journal::Notes;
use super::messages::{Message, Messages};
use super::packet::Delivery;
use super::router::Moved;
use crate::command::AgentId;
use crate::oplog::LinkSpan;
use crate::sim::drawing::Drawing;
use crate::sim::ledger::{Breakdown, Ledger, Passage, Stay};
use crate::topology::LinkId;
use crate::units::Ps;

/// Accounts, and what the messages under way have paid so far.
#[derive(Debug)]
pub(super) struct Books {
    ledger: Ledger,
    /// By message: what each hop of its ways so far cost.
    passed: Vec<Vec<Passed>>,
    /// Scratch.
    idle: Vec<u64>,
}

/// What a hop cost the last flit of a packet. Times are in ticks.
#[derive(Clone, Copy, Debug)]
struct Passed {
    channel: u32,
    /// When the flit had entered the channel.
    end: u64,
    /// By how much later than on idle routers, beyond what it was late before, and for how long of it there
    /// was no room.
    lost: u64,
    starved: u64,
}

impl Messages<'_> {
    /// Keeps accounts from now on.
    pub(in crate::sim) fn keep_accounts(&mut self, ledger: Ledger) {
        self.books = Some(Box::new(Books { ledger, passed: Vec::new(), idle: Vec::new() }));
        self.network.keep_notes();
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
    pub(super) fn note_passed(&mut self, delivery: &Delivery, notes: &Notes) {
        let Some(books) = &mut self.books else { return };
        books.idle.clear();
        let idle_done = self.network.idle(&delivery.parcel, &mut books.idle);
        let id = delivery.tag as usize;
        if books.passed.len() <= id {
            books.passed.resize_with(id + 1, Vec::new);
        }
        let passed = &mut books.passed[id];
        let begin = passed.len();
        let late = |hop: usize| notes.tails[hop].saturating_sub(books.idle[hop]);
        let mut kept = delivery.done.saturating_sub(idle_done);
        for hop in (0..notes.tails.len()).rev() {
            kept = kept.min(late(hop));
            let lost = kept.saturating_sub(hop.checked_sub(1).map_or(0, late));
            let channel = self.network.channel_at(delivery.way + hop as u32);
            let starved = notes.starved.iter().find(|it| it.0 == channel).map_or(0, |it| it.1);
            let starved = lost.min(starved * TICKS);
            passed.push(Passed { channel, end: notes.tails[hop], lost, starved });
        }
        passed[begin..].reverse();
    }

    /// A message has arrived at its target, which has all of it now.
    pub(super) fn settle(&mut self, id: u32, arrived: Ps) {
        let Some(mut books) = self.books.take() else { return };
        let message = self.messages[id as usize];
        let passed = books.passed.get_mut(id as usize).map(std::mem::take).unwrap_or_default();
        let ledger = &mut books.ledger;
        let in_network = message.done.since(message.sent + message.waited);
        let left = self.follow(&message, &passed, in_network, ledger);
        let rest = arrived.since(message.done);
        let overhead = message.after.min(rest);
        let memory = message.done.since(message.sent).since(in_network) + rest.since(overhead);
        let ends = Breakdown { overhead, serialisation: left, memory, ..Breakdown::default() };
        let (cargo, bytes, sent) = (message.cargo, message.bytes, message.sent);
        ledger.enter(&Passage { cargo, bytes, sent, arrived, ends });
        self.books = Some(books);
    }

    /// Puts down what a message paid on its links, of `time` in all. Gives what is left: what its last flit
    /// took to be written.
    fn follow(&self, message: &Message, passed: &[Passed], time: Ps, ledger: &mut Ledger) -> Ps {
        ledger.stays.clear();
        let links = self.routes.links(message.route);
        let wires: Ps = links.iter().map(|link| ledger.fixed(*link)).sum();
        let (mut left, mut before) = (time.since(wires), message.sent + message.waited);
        let pipeline = self.time.time(self.network.pipeline() * TICKS);
        let (mut lost, mut starved) = (Ps::ZERO, Ps::ZERO);
        for it in passed {
            let end = self.time.time(it.end);
            lost += self.time.time(it.lost);
            starved += self.time.time(it.starved);
            let is_link = (it.channel as usize) < self.machine.link_count();
            let last = ledger.stays.last_mut().filter(|_| !is_link);
            if !is_link && last.is_none() {
                continue;
            }
            let time = end.since(before).min(left);
            left = left.since(time);
            before = before.max(end);
            let leaves = self.network.leaves_router(it.channel);
            let overhead = if leaves { pipeline.min(time) } else { Ps::ZERO };
            let costs = (overhead, time.since(overhead));
            match last {
                Some(last) => put(last, costs, (lost, starved)),
                None => {
                    before += ledger.fixed(LinkId(it.channel));
                    let mut new = Stay { link: it.channel, ..Stay::default() };
                    put(&mut new, costs, (lost, starved));
                    ledger.stays.push(new);
                }
            }
            (lost, starved) = (Ps::ZERO, Ps::ZERO);
        }
        left
    }
}

/// Puts the cycles of a router and other time down to a stay. Of the latter so much was lost, and so much of that for
/// want of room.
fn put(stay: &mut Stay, (overhead, time): (Ps, Ps), (lost, starved): (Ps, Ps)) {
    stay.overhead += overhead;
    let lost = lost.min(time);
    let credit = starved.min(lost);
    stay.credit += credit;
    stay.queueing += lost.since(credit);
    stay.serialisation += time.since(lost);
}
