//! What is told of trains and links beside times: the accounts of messages, and the stretches for which
//! links were busy. Nothing here changes a time; both are kept only where somebody asks.

use super::profile::{Even, Profile};
use super::{Flits, NONE, Network, Shipment, Train};
use crate::command::{AgentId, SiteId};
use crate::oplog::LinkSpan;
use crate::sim::drawing::Drawing;
use crate::sim::ledger::{Breakdown, Ledger, Passage, Stay};
use crate::topology::LinkId;
use crate::units::{Bandwidth, Ps};

impl Network {
    /// Keeps accounts from now on.
    pub(in crate::sim) fn keep_accounts(&mut self, ledger: Ledger) {
        self.ledger = Some(Box::new(ledger));
    }

    /// The accounts, if they were kept.
    pub(in crate::sim) fn take_ledger(&mut self) -> Option<Ledger> {
        self.ledger.take().map(|ledger| *ledger)
    }

    /// Notes from now on what links are doing.
    pub(in crate::sim) fn draw(&mut self) {
        self.drawing = Some(Box::new(Drawing::new(self.links.len())));
    }

    /// Takes what links did since it was asked last; with `all`, what they are at, too.
    pub(in crate::sim) fn take_spans(&mut self, all: bool, take: &mut dyn FnMut(LinkSpan)) {
        if let Some(drawing) = &mut self.drawing {
            drawing.take(all, take);
        }
    }

    /// How long a shipment waits for its source: until that begins with it at `begin`, and as far as it
    /// comes slower than its first link would take it, where the source says when it `ends`.
    pub(super) fn waited(&self, shipment: &Shipment, (begin, end): (Ps, Ps)) -> Ps {
        let until_begin = begin.since(self.now);
        if shipment.until <= begin {
            return until_begin;
        }
        let rate = self.first_rate(shipment.route).unwrap_or(Bandwidth::INFINITE);
        until_begin + end.since(begin + rate.time(shipment.bytes))
    }

    /// A train has arrived at its target, which has all of it now.
    pub(super) fn settle(&mut self, id: u32) {
        if let Some(mut drawing) = self.drawing.take() {
            let train = &self.trains[id as usize];
            for (at, hop) in train.hops.iter().enumerate().filter(|(_, hop)| hop.booked) {
                let span = self.span(train, at, (hop.start, hop.ready, train.cut.bytes));
                drawing.close(span);
            }
            self.drawing = Some(drawing);
        }
        if let Some(mut ledger) = self.ledger.take() {
            self.enter(id, &mut ledger);
            self.ledger = Some(ledger);
        }
    }

    /// Follows the last byte of a train from its source to its target.
    fn enter(&self, id: u32, ledger: &mut Ledger) {
        let train = &self.trains[id as usize];
        let mut at = train.loaded;
        ledger.stays.clear();
        for (number, hop) in train.hops.iter().enumerate() {
            let link = self.routes.link(train.route + number as u32);
            let (queueing, credit, overhead) = (Ps::ZERO, Ps::ZERO, Ps::ZERO);
            let serialisation = hop.ready.since(at);
            ledger.stays.push(Stay { link, serialisation, queueing, credit, overhead });
            at = hop.ready + self.costs(link).delay;
        }
        let mut ends = ends(train, self.now.since(at));
        if train.hops.iter().any(|hop| hop.held > Ps::ZERO) {
            match train.source {
                Some(source) => {
                    let late = self.compare_with_idle(train, source, &mut ledger.stays);
                    ends.queueing = late.min(ends.serialisation);
                    ends.serialisation = ends.serialisation.since(ends.queueing);
                }
                None => self.take_held(train, &mut ledger.stays),
            }
        }
        ledger.enter(&Passage {
            cargo: train.cargo,
            bytes: train.cut.bytes,
            sent: train.sent,
            arrived: self.now,
            ends,
        });
    }

    /// Puts down to others by how much the last flit of a train came later behind each link than on an idle
    /// route, as far as that was not made up for further on. Gives by how much more it was written later.
    fn compare_with_idle(&self, train: &Train, source: Even, stays: &mut [Stay]) -> Ps {
        let (mut profile, mut out) = (Profile::default(), Profile::default());
        profile.set(source);
        let mut late = Vec::with_capacity(stays.len());
        for (hop, stay) in train.hops.iter().zip(&*stays) {
            let costs = self.costs(stay.link);
            profile.serve(train.cut, costs.rate, Ps::ZERO, &mut out);
            late.push(hop.ready.since(out.last(train.cut)));
            out.shift(costs.delay);
            if costs.whole {
                out.set(Even::whole(out.last(train.cut)));
            }
            std::mem::swap(&mut profile, &mut out);
        }
        let (mut kept, mut at_target) = (Ps::MAX, Ps::ZERO);
        if train.write != Bandwidth::INFINITE {
            profile.serve(train.cut, train.write, Ps::ZERO, &mut out);
            kept = self.now.since(out.last(train.cut) + train.after);
            at_target = kept.since(late.last().copied().unwrap_or_default());
        }
        for (at, stay) in stays.iter_mut().enumerate().rev() {
            kept = kept.min(late[at]);
            let before = at.checked_sub(1).map_or(Ps::ZERO, |before| late[before]);
            stay.queueing = kept.since(before).min(stay.serialisation);
            stay.serialisation = stay.serialisation.since(stay.queueing);
        }
        at_target
    }

    /// The same for a train that was fed by another, whose flits could have come at any time: as far as its
    /// last flit stayed, what others held up its flits for.
    fn take_held(&self, train: &Train, stays: &mut [Stay]) {
        let last = train.cut.size(train.cut.flits - 1);
        for (hop, stay) in train.hops.iter().zip(stays) {
            let own = self.costs(stay.link).rate.time(last);
            stay.queueing = hop.held.min(stay.serialisation.since(own));
            stay.serialisation = stay.serialisation.since(stay.queueing);
        }
    }

    /// A link has been booked for the first flits of a train, which goes on flit by flit.
    pub(super) fn draw_part(&mut self, id: u32, at: usize, (served, end): (u32, Ps)) {
        let Some(mut drawing) = self.drawing.take() else { return };
        let train = &self.trains[id as usize];
        let bytes = train.cut.until(served - 1);
        let span = self.span(train, at, (train.hops[at].start, end, bytes));
        // It does not go on with what the link did before.
        drawing.serve((key(train, NONE), key(train, served)), Ps::ZERO, span);
        self.drawing = Some(drawing);
    }

    /// A link serves one flit, from now on.
    pub(super) fn draw_flit(&mut self, flit: &Flits, end: Ps) {
        let Some(mut drawing) = self.drawing.take() else { return };
        let train = &self.trains[flit.train as usize];
        let at = usize::from(flit.hop);
        let bytes = train.cut.size(flit.first);
        let span = self.span(train, at, (self.now, end, bytes));
        let since = train.hops[at].ready.min(self.now);
        let keys = (key(train, flit.first), key(train, flit.first + 1));
        drawing.serve(keys, Ps::ZERO, LinkSpan { since, ..span });
        self.drawing = Some(drawing);
    }

    fn span(&self, train: &Train, at: usize, (start, end, bytes): (Ps, Ps, u64)) -> LinkSpan {
        let cargo = &train.cargo;
        LinkSpan {
            link: LinkId(self.routes.link(train.route + at as u32)),
            since: start.since(train.hops[at].held),
            start,
            end,
            bytes,
            agent: AgentId(cargo.agent),
            seq: cargo.seq,
            site: SiteId(cargo.site.0),
        }
    }
}

/// Flit `k` of a train, told apart from all others.
fn key(train: &Train, k: u32) -> u64 {
    u64::from(train.number) << 32 | u64::from(k)
}

/// What a train paid at its source and at its target, where it was for `rest` after it had come.
fn ends(train: &Train, rest: Ps) -> Breakdown {
    let reading = train.loaded.since(train.sent);
    let waited = train.waited.min(reading);
    let overhead = train.after.min(rest);
    let writing = rest.since(overhead);
    let is_written = train.write != Bandwidth::INFINITE;
    let (written, stored) = if is_written { (writing, Ps::ZERO) } else { (Ps::ZERO, writing) };
    Breakdown {
        overhead,
        serialisation: reading.since(waited) + written,
        memory: waited + stored,
        ..Breakdown::default()
    }
}
