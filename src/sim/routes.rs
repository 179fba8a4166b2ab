//! Routes as the simulator uses them: found once for each pair of ends, kept flat.

use rustc_hash::FxHashMap;

use crate::topology::{LinkId, Machine, NodeId, NodeKind};
use crate::units::{Bandwidth, Ps};

/// A route that some transfer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouteId(u32);

impl RouteId {
    /// Its place among all routes.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a link costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LinkCosts {
    /// The rate at which bytes enter.
    pub(super) rate: Bandwidth,
    /// From the end of a flit here to its arrival at the next queue: the wire, and the overhead of
    /// the node it leads to.
    pub(super) delay: Ps,
    /// Whether a message arrives whole at the far end before it goes on.
    pub(super) whole: bool,
}

impl LinkCosts {
    /// The costs of a link. The overhead of an HBM controller is that of an access, paid there.
    pub(super) fn of(machine: &Machine, link: LinkId) -> LinkCosts {
        let far = machine.node(machine.ends(link).1);
        let link = machine.link(link);
        let overhead = if far.kind == NodeKind::HbmCtrl { Ps::ZERO } else { far.overhead };
        LinkCosts {
            rate: link.bandwidth,
            delay: link.wire + overhead,
            whole: far.store_and_forward,
        }
    }

    /// Whether nothing ever takes time here, so that the link cannot be seen.
    fn is_transparent(&self) -> bool {
        self.rate == Bandwidth::INFINITE && self.delay == Ps::ZERO && !self.whole
    }
}

#[derive(Clone, Debug)]
struct Route {
    start: u32,
    hops: u16,
    /// Every link, transparent ones included, for the counters.
    links: Vec<LinkId>,
    messages: u64,
    bytes: u64,
}

/// Every route asked for so far, and what went over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    /// The links of all routes, one route after another, without transparent ones.
    hops: Vec<u32>,
    routes: Vec<Route>,
    found: FxHashMap<(NodeId, NodeId), RouteId>,
}

impl Routes {
    /// The route from `from` to `to`; `None` where none leads there.
    pub(super) fn find(&mut self, machine: &Machine, from: NodeId, to: NodeId) -> Option<RouteId> {
        if let Some(route) = self.found.get(&(from, to)) {
            return Some(*route);
        }
        let id = self.add(machine, machine.route(from, to)?)?;
        self.found.insert((from, to), id);
        Some(id)
    }

    /// Adds a route; `None` if it is longer than any may be.
    pub(super) fn add(&mut self, machine: &Machine, links: Vec<LinkId>) -> Option<RouteId> {
        let start = self.hops.len() as u32;
        let seen = links.iter().filter(|link| !LinkCosts::of(machine, **link).is_transparent());
        self.hops.extend(seen.map(|link| link.0));
        let hops = u16::try_from(self.hops.len() - start as usize).ok()?;
        let id = RouteId(self.routes.len() as u32);
        self.routes.push(Route { start, hops, links, messages: 0, bytes: 0 });
        Some(id)
    }

    /// How many links of `route` can be seen.
    pub(super) fn hops(&self, route: RouteId) -> usize {
        usize::from(self.routes[route.index()].hops)
    }

    /// The place of the first hop of `route` in [`Routes::link`].
    pub(super) fn start(&self, route: RouteId) -> u32 {
        self.routes[route.index()].start
    }

    /// The link at a place.
    pub(super) fn link(&self, place: u32) -> u32 {
        self.hops[place as usize]
    }

    /// Every link of `route`.
    pub(super) fn links(&self, route: RouteId) -> &[LinkId] {
        &self.routes[route.index()].links
    }

    /// Counts a message.
    pub(super) fn count(&mut self, route: RouteId, bytes: u64) {
        let route = &mut self.routes[route.index()];
        route.messages += 1;
        route.bytes += bytes;
    }

    /// What went over each route: its links, messages and bytes.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&[LinkId], u64, u64)> {
        self.routes.iter().map(|route| (route.links.as_slice(), route.messages, route.bytes))
    }
}
