//! Trains that feed trains: what takes a message's flits as they arrive and sends them on.
//!
//! A *tap* stands where a train's route ends. From the opening of its gate on, it takes the flits
//! that have landed there, in order, at its own rate, and what it has taken are the arrivals of
//! other trains at their first links. So a stream (receive, combine, send on) is a tap at a PE whose
//! rate is that of the vector unit, and a router that copies is a train which ends there, with one tap
//! for the way down to the PE and one for the ways on.
//!
//! Nothing but the source of a train is new, so both modes stay one:
//!
//! - Of a *whole* train all landings are known, as a profile. Serving it with the tap gives the
//!   profile that the fed trains begin with, and they are whole, too.
//! - When a whole train is split, its landings beyond those that have left its last link are
//!   promises no more, so what it feeds is split at its source ([`Network::refeed`]). From then on
//!   each landing flit becomes an arrival of its own.

use super::profile::{Profile, Run};
use super::{CargoKind, NONE, Network, Shipment};
use crate::sim::event::{Event, EventKind, EventQueue};
use crate::units::{Bandwidth, Ps};

/// What takes flits where a train ends.
#[derive(Debug)]
pub(super) struct Tap {
    /// Since when it takes them; `None` while nobody has asked for them.
    gate: Option<Ps>,
    outlet: Outlet,
    /// When it began with the first flit.
    begun: Ps,
    /// The taking so far, flit by flit.
    run: Run,
    /// The trains that it feeds.
    fed: Vec<u32>,
}

/// How a tap hands on what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Outlet {
    /// The rate at which it takes bytes.
    pub(in crate::sim) rate: Bandwidth,
    /// From the end of taking a flit to its leaving.
    pub(in crate::sim) delay: Ps,
}

impl Outlet {
    /// At once.
    pub(in crate::sim) const OPEN: Outlet = Outlet { rate: Bandwidth::INFINITE, delay: Ps::ZERO };
}

impl Tap {
    fn new(gate: Option<Ps>, outlet: Outlet, fed: Vec<u32>) -> Tap {
        Tap { gate, outlet, begun: Ps::ZERO, run: Run::begin(Ps::ZERO, 0), fed }
    }

    /// When it began with the first flit.
    pub(super) fn begun(&self) -> Ps {
        self.begun
    }

    /// The first train that it feeds.
    pub(super) fn fed(&self) -> Option<u32> {
        self.fed.first().copied()
    }
}

impl Network {
    /// Sends something to a router that copies it: `down` goes on to the PE at once, and others when
    /// they are asked for with [`Network::open`]. Gives both trains.
    #[inline(never)]
    pub(in crate::sim) fn send_forked(
        &mut self,
        [trunk, down]: &[Shipment; 2],
        events: &mut EventQueue,
    ) -> [u32; 2] {
        let trains = self.fork([trunk, down]);
        self.begin(trains[0], events);
        trains
    }

    /// Makes a train that ends at a router that copies, and the one from there to the PE.
    fn fork(&mut self, [trunk, down]: [&Shipment; 2]) -> [u32; 2] {
        let (id, below) = (self.make(trunk), self.make(down));
        let taps = &mut self.trains[id as usize].taps;
        taps.push(Tap::new(Some(Ps::ZERO), Outlet::OPEN, vec![below]));
        taps.push(Tap::new(None, Outlet::OPEN, Vec::new()));
        [id, below]
    }

    /// Asks for what train `id` carries, from now on: gives it on through `outlet` to one train for
    /// each of `ways`, which gives its shipment, and where that ends at a router that copies, the
    /// one down from there. The train is delivered when all has been taken.
    #[inline(never)]
    pub(in crate::sim) fn open(
        &mut self,
        id: u32,
        outlet: Outlet,
        ways: &[(Shipment, Option<Shipment>)],
        events: &mut EventQueue,
    ) -> Vec<[u32; 2]> {
        let make = |it: &mut Network, way: &(Shipment, Option<Shipment>)| match &way.1 {
            Some(down) => it.fork([&way.0, down]),
            None => [it.make(&way.0), NONE],
        };
        let trains: Vec<[u32; 2]> = ways.iter().map(|way| make(self, way)).collect();
        let tap = Tap::new(Some(self.now), outlet, trains.iter().map(|it| it[0]).collect());
        let train = &mut self.trains[id as usize];
        if train.cargo.kind == CargoKind::Trunk {
            train.taps.truncate(1);
        }
        train.taps.push(tap);
        let number = train.taps.len() - 1;
        let is_delivered = number == 0 && (train.landed_whole || train.arrived == train.cut.flits);
        if is_delivered {
            // Its delivery is planned, and is no more.
            let stamp = self.next_stamp();
            self.trains[id as usize].stamp = stamp;
        }
        let train = &self.trains[id as usize];
        if train.landed_whole {
            self.take_whole(id, number, true, events);
        } else {
            for k in 0..train.landed.len() as u32 {
                self.take_flit(id, number, k, events);
            }
        }
        trains
    }

    /// Whether train `id` goes where others may ask for it before it has arrived.
    pub(super) fn is_tapped(&self, id: u32) -> bool {
        !self.trains[id as usize].taps.is_empty()
    }

    /// All landings of a whole train are known: every open tap takes them.
    pub(super) fn land_whole(&mut self, id: u32, events: &mut EventQueue) {
        for number in 0..self.trains[id as usize].taps.len() {
            if self.trains[id as usize].taps[number].gate.is_some() {
                self.take_whole(id, number, false, events);
            }
        }
    }

    /// A flit lands where its train ends.
    #[inline(never)]
    pub(super) fn land_flit(&mut self, id: u32, at: Ps, events: &mut EventQueue) {
        let landed = &mut self.trains[id as usize].landed;
        landed.push(at);
        let k = landed.len() as u32 - 1;
        for number in 0..self.trains[id as usize].taps.len() {
            if self.trains[id as usize].taps[number].gate.is_some() {
                self.take_flit(id, number, k, events);
            }
        }
    }

    /// A tap takes a whole train; what it feeds begins, `now` if some of it is there.
    fn take_whole(&mut self, id: u32, number: usize, now: bool, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        let (cut, is_last) = (train.cut, number + 1 == train.taps.len());
        let tap = &mut train.taps[number];
        let mut taken = Profile::default();
        let Outlet { rate, delay } = tap.outlet;
        tap.begun = train.profile.serve(cut, rate, tap.gate.unwrap_or(self.now), &mut taken);
        taken.shift(delay);
        let fed = std::mem::take(&mut tap.fed);
        let head = taken.first();
        for train in &fed {
            let state = &mut self.trains[*train as usize];
            (state.cargo.start, state.sent, state.loaded) = (head, head, taken.last(cut));
            state.source = None;
            state.base_profile = taken.clone();
            state.profile = taken.clone();
            if now {
                self.begin(*train, events);
            } else {
                self.begin_later(*train, events);
            }
        }
        self.trains[id as usize].taps[number].fed = fed;
        if is_last {
            self.push_delivery(id, taken.last(cut), events);
        }
    }

    /// A tap takes flit `k`, which has landed.
    fn take_flit(&mut self, id: u32, number: usize, k: u32, events: &mut EventQueue) {
        let train = &mut self.trains[id as usize];
        let (cut, is_last) = (train.cut, number + 1 == train.taps.len());
        let tap = &mut train.taps[number];
        let at = train.landed[k as usize].max(tap.gate.unwrap_or(self.now));
        if k == 0 {
            tap.begun = at;
            tap.run = Run::begin(at, cut.size(k));
        } else {
            tap.run.extend(at, cut.size(k), tap.outlet.rate);
        }
        let end = tap.run.end(tap.outlet.rate) + tap.outlet.delay;
        let fed = std::mem::take(&mut tap.fed);
        for train in &fed {
            let state = &mut self.trains[*train as usize];
            state.split = true;
            if k == 0 {
                (state.cargo.start, state.sent) = (end, end);
            }
            (state.loaded, state.source) = (end, None);
            if state.hops.is_empty() {
                self.write_flit(*train, k, end, events);
            } else if k >= state.fed {
                self.push_flit(*train, 0, (k, end), events);
            }
        }
        self.trains[id as usize].taps[number].fed = fed;
        if is_last && k + 1 == cut.flits {
            self.push_delivery(id, end, events);
        }
    }

    /// Sends a train whose profile at its source is known on its way, from now on.
    pub(super) fn begin(&mut self, id: u32, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        let head = train.profile.first();
        if train.hops.is_empty() || head > self.now {
            self.begin_later(id, events);
        } else {
            self.take_back(self.link_at(id, 0), self.reached, events);
            let train = &self.trains[id as usize];
            let key = self.arrival_key(id, 0);
            let event = Event::new(self.now, key, EventKind::Head, id).with(train.stamp);
            self.arrive(event, events);
        }
    }

    fn begin_later(&mut self, id: u32, events: &mut EventQueue) {
        let train = &self.trains[id as usize];
        if train.hops.is_empty() {
            self.arrive_at_source(id, events);
        } else {
            self.send_on(id, events);
        }
    }

    /// Train `id`, which had landed whole, has been split: what its taps feed gets its flits one by
    /// one from now on, and so does what that feeds.
    #[inline(never)]
    pub(super) fn refeed(&mut self, id: u32, events: &mut EventQueue) {
        let mut split = vec![id];
        let mut at = 0;
        while let Some(id) = split.get(at).copied() {
            let taps = &self.trains[id as usize].taps;
            let fed: Vec<u32> = taps.iter().flat_map(|tap| tap.fed.iter().copied()).collect();
            split.extend(fed.into_iter().filter(|train| self.cut_off(*train, events)));
            at += 1;
        }
        for id in split {
            // What goes nowhere lands as it is fed.
            let train = &self.trains[id as usize];
            let landed = if train.hops.is_empty() { 0 } else { train.landed.len() as u32 };
            for number in 0..train.taps.len() {
                let is_open = self.trains[id as usize].taps[number].gate.is_some();
                (0..landed).filter(|_| is_open).for_each(|k| self.take_flit(id, number, k, events));
            }
        }
    }

    /// Splits a train at its source, whose flits do not come as promised any more. Whether it had
    /// landed whole itself and feeds others.
    fn cut_off(&mut self, id: u32, events: &mut EventQueue) -> bool {
        let train = &mut self.trains[id as usize];
        let had_landed = train.landed_whole;
        if train.hops.is_empty() {
            (train.landed_whole, train.arrived) = (false, 0);
            train.landed.clear();
        } else if train.front > 0 {
            self.split_at(id, (0, false), events);
        } else if !train.split {
            train.fed = 0;
        }
        // Its planned arrivals are void; those at its first link come from what feeds it.
        let stamp = self.next_stamp();
        let train = &mut self.trains[id as usize];
        (train.stamp, train.split) = (stamp, true);
        had_landed && !train.taps.is_empty()
    }
}
