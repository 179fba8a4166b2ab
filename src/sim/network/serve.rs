//! Flit by flit: what a contended link does.

use super::profile::{Even, Run};
use super::{CLASSES, Flits, LinkRun, NONE, Network};
use crate::sim::event::{Event, EventKind, EventQueue};
use crate::units::Ps;

impl Network {
    /// A planned pick, unless another took its place.
    pub(super) fn pick(&mut self, event: Event, events: &mut EventQueue) {
        let side = self.side(event.subject);
        if side.serve_at == Some(event.time) {
            side.serve_at = None;
            self.serve(event.subject, events);
        }
    }

    /// Serves the next flit of `link`, which is free.
    pub(super) fn serve(&mut self, link: u32, events: &mut EventQueue) {
        let Some((class, flit)) = self.next_flit(link) else { return };
        let end = self.occupy(link, &flit);
        if self.drawing.is_some() {
            self.draw_flit(&flit, end);
        }
        self.links[link as usize].last_class = class;
        self.account(link, &flit, end);
        self.pass_on(link, &flit, end, events);
        if self.links[link as usize].side != NONE
            && self.side(link).queues.iter().any(|queue| !queue.is_empty())
        {
            self.pick_at(link, end, events);
        }
    }

    /// Takes the first flit of the class whose turn it is.
    fn next_flit(&mut self, link: u32) -> Option<(u8, Flits)> {
        if self.keeps {
            return self.next_of_kept(link);
        }
        let last = usize::from(self.links[link as usize].last_class);
        let side = self.side(link);
        let turns = (1..=CLASSES).map(|step| (last + step) % CLASSES);
        let class = turns.into_iter().find(|class| !side.queues[*class].is_empty())?;
        let queue = &mut side.queues[class];
        let flits = queue.front_mut()?;
        let flit = Flits { count: 1, ..*flits };
        flits.first += 1;
        flits.count -= 1;
        if flits.count == 0 {
            queue.pop_front();
        }
        Some((class as u8, flit))
    }

    /// Takes the next flit of the train that keeps the link; if none does, of the one that came
    /// first.
    fn next_of_kept(&mut self, link: u32) -> Option<(u8, Flits)> {
        let kept = self.side(link).kept;
        let queue = &mut self.side(link).queues[0];
        let at = match kept {
            Some(train) => queue.iter().position(|flits| flits.train == train)?,
            None => 0,
        };
        let flits = queue.get_mut(at)?;
        let flit = Flits { count: 1, ..*flits };
        flits.first += 1;
        flits.count -= 1;
        if flits.count == 0 {
            queue.remove(at);
        }
        let is_last = flit.first + 1 == self.trains[flit.train as usize].cut.flits;
        self.side(link).kept = (!is_last).then_some(flit.train);
        Some((0, flit))
    }

    /// Books the link for a flit from now on; gives when it ends.
    fn occupy(&mut self, link: u32, flit: &Flits) -> Ps {
        let train = &self.trains[flit.train as usize];
        let (number, size) = (train.number, train.cut.size(flit.first));
        let now = self.now;
        let state = &mut self.links[link as usize];
        let side = &mut self.sides[state.side as usize];
        let run = match side.run {
            Some(last) if (last.train, last.next) == (number, flit.first) && state.free == now => {
                Run { start: last.run.start, bytes: last.run.bytes + size }
            }
            _ => Run::begin(now, size),
        };
        side.run = Some(LinkRun { train: number, next: flit.first + 1, run });
        state.free = run.end(self.kinds[state.kind as usize].costs.rate);
        state.free
    }

    /// Counts the time for which others held up the flit.
    fn account(&mut self, link: u32, flit: &Flits, end: Ps) {
        let hop = &mut self.trains[flit.train as usize].hops[usize::from(flit.hop)];
        let held = self.now.since(hop.ready);
        hop.held += held;
        hop.ready = end;
        hop.queued -= 1;
        self.links[link as usize].held += held;
    }

    /// Sends a flit that a link is done with at `end` on its way.
    fn pass_on(&mut self, link: u32, flit: &Flits, end: Ps, events: &mut EventQueue) {
        let costs = self.costs(link);
        let (id, hop, k) = (flit.train, usize::from(flit.hop), flit.first);
        let train = &mut self.trains[id as usize];
        let is_last = k + 1 == train.cut.flits;
        if hop == 0 && is_last {
            train.source_end = Some(end);
            self.announce_source_end(id, events);
        }
        let train = &mut self.trains[id as usize];
        let at = end + costs.delay;
        if hop + 1 == train.hops.len() {
            self.write_flit(id, k, at, events);
        } else if costs.whole {
            if is_last {
                train.profile.set(Even::whole(at));
                (train.front, train.split, train.rejoins) = (hop + 1, false, true);
                self.push_head(id, at, events);
            }
        } else {
            self.push_flit(id, hop + 1, (k, at), events);
        }
    }

    /// Makes an event of the arrival of flit `k` at `hop`.
    pub(super) fn push_flit(
        &mut self,
        id: u32,
        hop: usize,
        (k, at): (u32, Ps),
        events: &mut EventQueue,
    ) {
        let key = self.arrival_key(id, hop);
        events.push(Event::new(at, key, EventKind::Flit, id).with(k).at_hop(hop));
    }

    /// Writes flit `k`, which arrives `at` its target. The last one delivers the train.
    pub(super) fn write_flit(&mut self, id: u32, k: u32, at: Ps, events: &mut EventQueue) {
        if self.trains[id as usize].streamable {
            self.land_flit(id, at, events);
            if self.is_tapped(id) {
                return;
            }
        }
        let train = &mut self.trains[id as usize];
        let size = train.cut.size(k);
        if k == 0 {
            train.written = Run::begin(at, size);
            train.came = at;
        } else {
            train.written.extend(at, size, train.write);
        }
        train.arrived = k + 1;
        if train.arrived == train.cut.flits {
            let done = train.written.end(train.write);
            self.push_delivery(id, done, events);
        }
    }
}
