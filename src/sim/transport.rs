//! What carries messages: interleaved links or wormhole routers, as the machine says.

use super::event::{Event, EventQueue};
use super::lanes::Lanes;
use super::ledger::Ledger;
use super::network::{Arrival, Cargo, Mode, NONE, Network, Outlet, Shipment};
use super::routes::{RouteId, Routes};
use super::wormhole::Messages;
use crate::oplog::{LinkSpan, RecordId};
use crate::topology::{LaneChoice, Machine, Switching};
use crate::units::{Bandwidth, Ps};

/// The network of a run.
#[derive(Debug)]
pub(super) struct Transport<'m> {
    kind: Kind<'m>,
    /// Where messages choose between parallel connections.
    lanes: Option<Lanes<'m>>,
}

#[derive(Debug)]
enum Kind<'m> {
    /// Links that mix the flits of all messages.
    Interleaved(Box<Network>),
    /// Routers with virtual channels.
    Wormhole(Box<Messages<'m>>),
}

/// Calls one method of whatever carries messages.
macro_rules! carry {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {
        match &$self.kind {
            Kind::Interleaved(it) => it.$method($($argument),*),
            Kind::Wormhole(it) => it.$method($($argument),*),
        }
    };
    (mut $self:ident . $method:ident ( $($argument:expr),* )) => {
        match &mut $self.kind {
            Kind::Interleaved(it) => it.$method($($argument),*),
            Kind::Wormhole(it) => it.$method($($argument),*),
        }
    };
}

impl<'m> Transport<'m> {
    /// The idle network of `machine`.
    pub(super) fn new(machine: &'m Machine, mode: Mode) -> Transport<'m> {
        let network = machine.network();
        let kind = match network.switching {
            Switching::Interleaved => Kind::Interleaved(Box::new(Network::new(machine, mode))),
            Switching::Wormhole => Kind::Wormhole(Box::new(Messages::new(machine))),
        };
        let chooses = network.lane == LaneChoice::LeastQueued && machine.lanes() > 1;
        Transport { kind, lanes: chooses.then(|| Lanes::new(machine)) }
    }

    /// Keeps accounts from now on.
    pub(super) fn keep_accounts(&mut self, ledger: Ledger) {
        carry!(mut self.keep_accounts(ledger));
    }

    /// The accounts, if they were kept.
    pub(super) fn take_ledger(&mut self) -> Option<Ledger> {
        carry!(mut self.take_ledger())
    }

    /// Notes from now on what links are doing.
    pub(super) fn draw(&mut self) {
        carry!(mut self.draw());
    }

    /// See [`Network::take_spans`].
    pub(super) fn take_spans(&mut self, all: bool, take: &mut dyn FnMut(LinkSpan)) {
        carry!(mut self.take_spans(all, take));
    }

    /// The routes asked for so far.
    pub(super) fn routes(&mut self) -> &mut Routes {
        match &mut self.kind {
            Kind::Interleaved(it) => &mut it.routes,
            Kind::Wormhole(it) => &mut it.routes,
        }
    }

    /// Links passed by messages so far.
    pub(super) fn hops(&self) -> u64 {
        match &self.kind {
            Kind::Interleaved(it) => it.hops,
            Kind::Wormhole(it) => it.hops,
        }
    }

    /// Says which event is at hand.
    pub(super) fn at(&mut self, event: &Event) {
        carry!(mut self.at(event));
    }

    /// Lets an event of the network happen.
    pub(super) fn handle(&mut self, event: Event, events: &mut EventQueue) {
        carry!(mut self.handle(event, events));
    }

    /// Sends something now. Gives the number by which it is known until it has arrived.
    pub(super) fn send(&mut self, shipment: &Shipment, events: &mut EventQueue) -> u32 {
        let Some(mut lanes) = self.lanes.take() else {
            return carry!(mut self.send(shipment, events));
        };
        let (route, crossing) = lanes.choose(shipment.route, self.routes());
        let message = carry!(mut self.send(&Shipment { route, ..*shipment }, events));
        lanes.sent(message, crossing, shipment.bytes);
        self.lanes = Some(lanes);
        message
    }

    /// Whether a message may be asked for before all of it has arrived. Not of wormhole routers,
    /// which hold what nobody has room for: there a stream takes its message from the slot.
    pub(super) fn streams(&self) -> bool {
        matches!(self.kind, Kind::Interleaved(_))
    }

    /// See [`Network::send_forked`].
    pub(super) fn send_forked(
        &mut self,
        shipments: &[Shipment; 2],
        events: &mut EventQueue,
    ) -> [u32; 2] {
        match &mut self.kind {
            Kind::Interleaved(it) => it.send_forked(shipments, events),
            Kind::Wormhole(it) => [it.send(&shipments[0], events), NONE],
        }
    }

    /// See [`Network::open`].
    pub(super) fn open(
        &mut self,
        message: u32,
        outlet: Outlet,
        ways: &[(Shipment, Option<Shipment>)],
        events: &mut EventQueue,
    ) -> Vec<[u32; 2]> {
        match &mut self.kind {
            Kind::Interleaved(it) => it.open(message, outlet, ways, events),
            Kind::Wormhole(_) => Vec::new(),
        }
    }

    /// When the last byte of a message leaves its source, if that lies not in the future.
    pub(super) fn source_end(&self, message: u32) -> Option<Ps> {
        carry!(self.source_end(message))
    }

    /// Says which record the command of a message has.
    pub(super) fn set_record(&mut self, message: u32, record: RecordId) {
        carry!(mut self.set_record(message, record));
    }

    /// Makes an event of the end of reading of a message.
    pub(super) fn watch(&mut self, message: u32, events: &mut EventQueue) {
        carry!(mut self.watch(message, events));
    }

    /// The cargo that an event of the end of reading is about, unless it is void.
    pub(super) fn source_read(&mut self, event: &Event) -> Option<Cargo> {
        carry!(mut self.source_read(event))
    }

    /// Takes the message that a delivery is about off the network, unless the event is void.
    pub(super) fn take(&mut self, event: &Event) -> Option<Arrival> {
        let arrival = carry!(mut self.take(event));
        if let (Some(lanes), Some(_)) = (&mut self.lanes, &arrival) {
            lanes.arrived(event.subject);
        }
        arrival
    }

    /// The write that a delivery is about, and when its first flit came, if its memory does not
    /// know yet that all of it has come.
    pub(super) fn stored(&mut self, event: &Event) -> Option<(Cargo, Ps)> {
        carry!(mut self.stored(event))
    }

    /// The rate of the first link of a route that takes time or has a rate; `None` if there is
    /// none.
    pub(super) fn first_rate(&self, route: RouteId) -> Option<Bandwidth> {
        carry!(self.first_rate(route))
    }

    /// The time for which messages were held up at `link` by others.
    pub(super) fn held(&self, link: usize) -> Ps {
        carry!(self.held(link))
    }
}
