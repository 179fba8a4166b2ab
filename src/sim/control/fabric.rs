//! The network, with parcels of the host and of control processors on it.

use crate::command::SiteId;
use crate::oplog::TransferId;
use crate::sim::event::{Event, EventKey, EventKind, EventQueue};
use crate::sim::hbm::Bursts;
use crate::sim::network::{Cargo, CargoKind, Class, Mode, Network, Shipment};
use crate::topology::{Machine, NodeId, PeId};
use crate::units::{Bandwidth, Ps};

/// Something to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel {
    /// By which its arrival is known.
    pub(super) tag: u32,
    pub(super) bytes: u64,
    pub(super) class: Class,
    /// The rate at which its source is read.
    pub(super) read: Bandwidth,
    /// The rate at which its target is written, and how long the target takes then.
    pub(super) write: Bandwidth,
    pub(super) after: Ps,
}

impl Parcel {
    /// A command, or an answer: nothing reads or writes it.
    pub(super) fn control(tag: u32, bytes: u64) -> Parcel {
        let (read, write) = (Bandwidth::INFINITE, Bandwidth::INFINITE);
        Parcel { tag, bytes, class: Class::Control, read, write, after: Ps::ZERO }
    }

    /// Data of memories, or a request for it.
    pub(super) fn data(tag: u32, bytes: u64) -> Parcel {
        Parcel { class: Class::Compute, ..Parcel::control(tag, bytes) }
    }
}

/// The network of a machine and the time on it.
#[derive(Debug)]
pub(super) struct Fabric<'m> {
    pub(super) machine: &'m Machine,
    network: Network,
    events: EventQueue,
    now: Ps,
}

impl<'m> Fabric<'m> {
    /// The idle network.
    pub(super) fn new(machine: &'m Machine) -> Fabric<'m> {
        let network = Network::new(machine, Mode::default());
        Fabric { machine, network, events: EventQueue::default(), now: Ps::ZERO }
    }

    pub(super) fn now(&self) -> Ps {
        self.now
    }

    /// What the first byte of something takes from `from` to `to`; `None` where no way leads there.
    pub(super) fn latency(&self, from: NodeId, to: NodeId) -> Option<Ps> {
        Some(self.machine.latency(&self.machine.route(from, to)?))
    }

    /// Sends a parcel now. False where no way leads there.
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, parcel: &Parcel) -> bool {
        let Some(route) = self.network.routes.find(self.machine, from, to) else { return false };
        let cargo = Cargo {
            kind: CargoKind::Control,
            agent: 0,
            seq: parcel.tag,
            site: SiteId(0),
            transfer: TransferId(0),
            place: to.0,
            token: 0,
            bytes: parcel.bytes,
            start: self.now,
            record: None,
            bursts: Bursts::Row(0),
        };
        let shipment = Shipment {
            cargo,
            route,
            class: parcel.class,
            bytes: parcel.bytes,
            to: PeId(to.0),
            read: parcel.read,
            from: self.now,
            until: self.now,
            write: parcel.write,
            after: parcel.after,
            watched: false,
        };
        self.network.send(&shipment, &mut self.events);
        true
    }

    /// Lets [`Fabric::next`] give `tag` at a time.
    pub(super) fn wake(&mut self, at: Ps, tag: u32) {
        let at = at.max(self.now);
        self.events.push(Event::new(at, EventKey::act(0, tag), EventKind::Inject, tag));
    }

    /// Goes on to the next arrival, or to the next time that was asked for; gives its tag. `None` once
    /// nothing is under way.
    pub(super) fn next(&mut self) -> Option<u32> {
        while let Some(event) = self.events.pop() {
            self.now = event.time;
            self.network.at(&event);
            match event.kind {
                EventKind::Head | EventKind::Flit | EventKind::Feed | EventKind::Serve => {
                    self.network.handle(event, &mut self.events);
                }
                EventKind::Deliver => {
                    if let Some(arrival) = self.network.take(&event) {
                        return Some(arrival.cargo.seq);
                    }
                }
                EventKind::Inject => return Some(event.subject),
                EventKind::SourceRead
                | EventKind::Modified
                | EventKind::Port
                | EventKind::Resume => {}
            }
        }
        None
    }
}
