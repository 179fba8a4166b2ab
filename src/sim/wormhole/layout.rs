//! The routers and channels of a machine, and the ways that its routes become.

use super::channel::{ChannelSpec, End};
use super::packet::{Hop, NONE};
use super::{CLASSES, RouterNetwork, RouterParams, TICKS};
use crate::arena::Id;
use crate::sim::routes::LinkCosts;
use crate::topology::{Clock, LinkId, Machine, NodeId, NodeKind};
use crate::units::{Bandwidth, Ps};

/// Cycles, ticks and picoseconds of one clock.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Timebase {
    /// Cycles of a picosecond.
    rate: f64,
}

/// What rounding may have added to a time that is exact.
const SLACK: f64 = 1e-6;

impl Timebase {
    pub(in crate::sim) fn of(clock: Clock) -> Timebase {
        Timebase { rate: clock.ghz() / 1000.0 }
    }

    /// The ticks of a length of time, rounded up.
    pub(in crate::sim) fn ticks(self, time: Ps) -> u64 {
        (time.0 as f64 * self.rate * TICKS as f64 - SLACK).ceil() as u64
    }

    /// The first cycle that does not begin before `time`.
    pub(in crate::sim) fn cycle_from(self, time: Ps) -> u64 {
        (time.0 as f64 * self.rate - SLACK).ceil() as u64
    }

    /// The time of a number of ticks, rounded down, so that a cycle begins in no later one.
    pub(in crate::sim) fn time(self, ticks: u64) -> Ps {
        Ps((ticks as f64 / TICKS as f64 / self.rate + SLACK) as u64)
    }

    /// How long a flit takes at a rate, in ticks.
    pub(in crate::sim) fn flit_ticks(self, rate: Bandwidth, flit_bytes: u64) -> u64 {
        if rate == Bandwidth::INFINITE { 0 } else { self.ticks(rate.time(flit_bytes)) }
    }
}

/// Where the routers of a machine are among its nodes. Channel number `n` is link number `n`; those
/// between a router and what it sends or receives for itself come after all links.
#[derive(Debug)]
pub(in crate::sim) struct Layout {
    /// The router of each node; [`NONE`] for terminals.
    routers: Vec<u32>,
    /// The channels into and out of the network of each node that is a PE and a router in one.
    inject: Vec<u32>,
    eject: Vec<u32>,
    vcs: u32,
}

/// The idle network of `machine`, and where everything is in it.
pub(in crate::sim) fn lay_out(machine: &Machine) -> (RouterNetwork, Layout) {
    let params = params(machine);
    let time = Timebase::of(machine.network().router.clock);
    let routers = find_routers(machine);
    let end = |node: NodeId| match routers[node.index()] {
        NONE => End::Terminal,
        router => End::Router(router),
    };
    let channel = |index| {
        let link = LinkId::from_index(index);
        let (from, to) = machine.ends(link);
        let costs = LinkCosts::of(machine, link);
        ChannelSpec {
            from: end(from),
            to: end(to),
            flit: time.flit_ticks(costs.rate, params.flit_bytes),
            flight: time.ticks(costs.delay),
            back: time.ticks(machine.link(link).wire),
        }
    };
    let mut specs: Vec<ChannelSpec> = (0..machine.link_count()).map(channel).collect();
    let (mut inject, mut eject) = (vec![NONE; routers.len()], vec![NONE; routers.len()]);
    for (node, router) in routers.iter().enumerate().filter(|it| *it.1 != NONE) {
        if machine.node(NodeId::from_index(node)).kind != NodeKind::PeDma {
            continue;
        }
        let own = |from, to| ChannelSpec { from, to, flit: TICKS, flight: 0, back: 0 };
        inject[node] = specs.len() as u32;
        specs.push(own(End::Terminal, End::Router(*router)));
        eject[node] = specs.len() as u32;
        specs.push(own(End::Router(*router), End::Terminal));
    }
    let count = routers.iter().filter(|router| **router != NONE).count();
    let layout = Layout { routers, inject, eject, vcs: params.vcs };
    (RouterNetwork::new(params, count, &specs), layout)
}

fn params(machine: &Machine) -> RouterParams {
    let router = &machine.network().router;
    RouterParams {
        vcs: router.vcs,
        buffer_flits: router.buffer_flits,
        flit_bytes: machine.flit_bytes(),
        routing: router.routing_delay.into(),
        vc_alloc: router.vc_alloc_delay.into(),
        switch_alloc: router.switch_alloc_delay.into(),
        crossbar: router.crossbar_delay.into(),
        credit_delay: router.credit_delay.into(),
        wait_for_tail_credit: router.wait_for_tail_credit,
        input_speedup: router.input_speedup.min(router.vcs * CLASSES as u32),
    }
}

/// Numbers the nodes that are routers: all that pass messages on flit by flit. A PE that is beside
/// one router or switch only, as in a cube, is none.
fn find_routers(machine: &Machine) -> Vec<u32> {
    let mut beside: Vec<Vec<NodeId>> = vec![Vec::new(); machine.nodes().count()];
    for link in 0..machine.link_count() {
        let (from, to) = machine.ends(LinkId::from_index(link));
        beside[from.index()].push(to);
        beside[to.index()].push(from);
    }
    let mut count = 0;
    let mut number = |(id, node): (NodeId, &crate::topology::Node)| {
        let around = &mut beside[id.index()];
        around.sort_unstable();
        around.dedup();
        let is_leaf = match around.as_slice() {
            [] => true,
            [only] => machine.node(*only).kind != NodeKind::PeDma,
            _ => false,
        };
        if !node.kind.passes_messages() || node.store_and_forward || is_leaf {
            return NONE;
        }
        count += 1;
        count - 1
    };
    machine.nodes().map(&mut number).collect()
}

impl Layout {
    /// The ways, one after the other, of a route from `from`: a new one begins where a part stores
    /// and forwards. None where a message does not leave a terminal.
    pub(in crate::sim) fn ways(
        &self,
        machine: &Machine,
        from: NodeId,
        route: &[LinkId],
    ) -> Vec<Vec<Hop>> {
        let whole = Hop { channel: NONE, low: 0, high: self.vcs as u16 };
        let own = |channel: u32| (channel != NONE).then_some(Hop { channel, ..whole });
        let mut ways = Vec::new();
        let mut way: Vec<Hop> = own(self.inject[from.index()]).into_iter().collect();
        let mut at = from;
        for (link, (layer, of)) in route.iter().zip(machine.layers().along(machine, route)) {
            let part = |layer: u32| (layer * self.vcs / of) as u16;
            way.push(Hop { channel: link.0, low: part(layer), high: part(layer + 1) });
            at = machine.ends(*link).1;
            if self.routers[at.index()] == NONE {
                ways.push(std::mem::take(&mut way));
            }
        }
        if !way.is_empty() {
            way.extend(own(self.eject[at.index()]));
            ways.push(way);
        }
        ways
    }
}
