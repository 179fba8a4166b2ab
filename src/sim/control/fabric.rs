//! The network, with parcels of the host and of control processors on it.

use crate::command::SiteId;
use crate::oplog::TransferId;
use crate::sim::event::{Event, EventKey, EventKind, EventQueue};
use crate::sim::hbm::{Access, BurstRun, Bursts, Controllers};
use crate::sim::ledger::{Accounts, Ledger};
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
    /// The HBM that takes it, or that it comes from.
    pub(super) memory: Option<Memory>,
}

/// What HBM does with a parcel, and whose HBM it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory {
    Stores(PeId),
    Fetches(PeId),
}

impl Parcel {
    /// A command, or an answer: nothing reads or writes it.
    pub(super) fn control(tag: u32, bytes: u64) -> Parcel {
        let (read, write) = (Bandwidth::INFINITE, Bandwidth::INFINITE);
        let (class, after) = (Class::Control, Ps::ZERO);
        Parcel { tag, bytes, class, read, write, after, memory: None }
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
    controllers: Option<Controllers>,
    now: Ps,
}

impl<'m> Fabric<'m> {
    /// The idle network.
    pub(super) fn new(machine: &'m Machine) -> Fabric<'m> {
        let network = Network::new(machine, Mode::default());
        let controllers = Controllers::new(&machine.params().hbm, machine.flit_bytes());
        Fabric { machine, network, events: EventQueue::default(), controllers, now: Ps::ZERO }
    }

    /// Keeps accounts of parcels from now on, and of so many of the worst one by one.
    pub(super) fn keep_accounts(&mut self, keep: usize) {
        self.network.keep_accounts(Ledger::new(self.machine, keep));
    }

    /// The accounts, if they were kept.
    pub(super) fn take_accounts(&mut self) -> Option<Accounts> {
        self.network.take_ledger().map(Ledger::into_accounts)
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
        let (kind, place) = match parcel.memory {
            Some(Memory::Stores(owner)) => (CargoKind::WriteData, owner.0),
            Some(Memory::Fetches(_)) | None => (CargoKind::Control, to.0),
        };
        let (begins, until) = self.fetch(parcel, self.network.first_rate(route));
        let cargo = Cargo {
            kind,
            agent: 0,
            seq: parcel.tag,
            site: SiteId(0),
            transfer: TransferId(0),
            place,
            token: 0,
            bytes: parcel.bytes,
            start: self.now,
            record: None,
            bursts: Bursts::Row(0),
        };
        let shipment = Shipment {
            streamable: false,
            cargo,
            route,
            class: parcel.class,
            bytes: parcel.bytes,
            to: PeId(to.0),
            read: parcel.read,
            from: begins,
            until,
            write: parcel.write,
            after: parcel.after,
            watched: false,
        };
        self.network.send(&shipment, &mut self.events);
        true
    }

    /// When the first and the last flit of what HBM sends are there.
    fn fetch(&mut self, parcel: &Parcel, rate: Option<Bandwidth>) -> (Ps, Ps) {
        let now = self.now;
        let (Some(Memory::Fetches(place)), Some(controllers), 1..) =
            (parcel.memory, &mut self.controllers, parcel.bytes)
        else {
            return (now, now);
        };
        let runs = row(parcel.bytes, controllers.burst());
        let access = Access { place, runs: &runs, bytes: parcel.bytes, first: now, last: now };
        controllers.read(&access, rate.unwrap_or(self.machine.params().tcm.write))
    }

    /// When HBM has stored all of what has just come to it, if that is later than now.
    fn store(&mut self, event: &Event) -> Option<Ps> {
        let (cargo, first) = self.network.stored(event)?;
        let controllers = self.controllers.as_mut().filter(|_| cargo.bytes > 0)?;
        let (place, bytes) = (PeId(cargo.place), cargo.bytes);
        let runs = row(bytes, controllers.burst());
        let done = controllers.write(&Access { place, runs: &runs, bytes, first, last: self.now });
        Some(done).filter(|done| *done > self.now)
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
                    if let Some(done) = self.store(&event) {
                        self.events.postpone(&event, done);
                        continue;
                    }
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

/// The bursts of a row of bytes that begins at the first channel.
fn row(bytes: u64, burst: u64) -> [BurstRun; 1] {
    [BurstRun { first: 0, count: bytes.div_ceil(burst) }]
}
