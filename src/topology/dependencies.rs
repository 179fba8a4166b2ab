//! Which links a message may wait for while it holds another, and how virtual channels are divided
//! so that such waiting never closes a cycle.
//!
//! With finite buffers a message stands in the buffer of one link while it waits for the next link
//! of its route. Draw an arrow from the one to the other for every route; where arrows form a
//! cycle, messages can wait for each other for ever (Dally and Seitz, 1987). A ring is the simplest
//! case, and *datelines* the cure: whoever crosses a certain link goes on in other virtual channels.
//!
//! Here that is done for links of any shape. Links that can reach each other by arrows form a
//! *group*; between groups arrows lead one way only. The links of a group are put in an order, and
//! a message that goes on to an earlier one has crossed a dateline: it moves up one *layer*. Within a
//! layer all arrows lead forwards, and layers only rise, so nothing closes a cycle. In another group
//! a message starts at layer 0 again. A group needs one layer more than any of its routes crosses
//! datelines: one in a mesh, two in a ring, two in each dimension of a torus.
//!
//! A part that stores and forwards takes messages off the network, so nothing waits across it.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::DfsPostOrder;

use super::route::{Routing, Trees};
use super::{LaneChoice, LinkId, Machine, NodeId, NodeKind};
use crate::arena::Id;

/// How the virtual channels of each link are divided. Without cycles they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// By link: its group, and its place in the group's order. Empty where there are no cycles.
    places: Vec<(u32, u32)>,
    /// How many layers each group has.
    counts: Vec<u32>,
}

impl Layers {
    /// The layer of each link of a route, and how many layers there are at that link.
    pub fn along(&self, machine: &Machine, route: &[LinkId]) -> Vec<(u32, u32)> {
        let mut last: Option<(LinkId, u32)> = None;
        let step = |link: &LinkId| {
            let layer = self.next(machine, last, *link);
            last = Some((*link, layer));
            (layer, self.count(*link))
        };
        route.iter().map(step).collect()
    }

    /// The most layers that any link has.
    pub fn most(&self) -> u32 {
        self.counts.iter().copied().max().unwrap_or(1)
    }

    fn count(&self, link: LinkId) -> u32 {
        let place = self.places.get(link.index());
        place.and_then(|place| self.counts.get(place.0 as usize)).copied().unwrap_or(1)
    }

    /// The layer at `link` of a message that comes from another link, in a layer of it.
    fn next(&self, machine: &Machine, last: Option<(LinkId, u32)>, link: LinkId) -> u32 {
        let Some((before, layer)) = last.filter(|it| holds(machine, it.0)) else { return 0 };
        let place = |link: LinkId| self.places.get(link.index());
        match (place(before), place(link)) {
            (Some(a), Some(b)) if a.0 == b.0 => layer + u32::from(b.1 < a.1),
            _ => 0,
        }
    }
}

/// Whether a message that waits behind `link` holds buffers of it.
fn holds(machine: &Machine, link: LinkId) -> bool {
    !machine.node(machine.ends(link).1).store_and_forward
}

/// The arrows from link to link.
pub(super) struct Dependencies {
    arrows: DiGraph<(), ()>,
    /// The link and what it leads to, sorted.
    pairs: Vec<(u32, u32)>,
}

impl Dependencies {
    /// The routes that [`Dependencies::of`] looks at.
    pub(super) fn routes(machine: &Machine) -> u64 {
        let (ends, others) = ends(machine);
        let (ends, others) = (ends.len() as u64, others.len() as u64);
        ends * ends + 2 * ends * others + others * others
    }

    /// The arrows of every route between parts that send or receive.
    pub(super) fn of(machine: &Machine) -> Dependencies {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut limit = 1 << 16;
        each_step(machine, &mut |last, link| {
            if let Some((before, _)) = last.filter(|it| holds(machine, it.0)) {
                pairs.push((before.0, link.0));
                if pairs.len() == limit {
                    pairs.sort_unstable();
                    pairs.dedup();
                    limit = (pairs.len() * 2).max(1 << 16);
                }
            }
            0
        });
        pairs.sort_unstable();
        pairs.dedup();
        let mut arrows = DiGraph::with_capacity(machine.link_count(), pairs.len());
        for _ in 0..machine.link_count() {
            arrows.add_node(());
        }
        for (from, to) in &pairs {
            arrows.add_edge(NodeIndex::new(*from as usize), NodeIndex::new(*to as usize), ());
        }
        Dependencies { arrows, pairs }
    }

    /// The links of a shortest cycle through the lowest link that is in one.
    pub(super) fn cycle(&self) -> Option<Vec<LinkId>> {
        let cyclic = kosaraju_scc(&self.arrows).into_iter().filter(|group| group.len() > 1);
        let start = cyclic.filter_map(|group| group.into_iter().min()).min()?.index() as u32;
        let mut before = vec![u32::MAX; self.arrows.node_count()];
        let mut level = vec![start];
        while before[start as usize] == u32::MAX && !level.is_empty() {
            let mut next = Vec::new();
            for link in level {
                for to in self.after(link) {
                    if before[to as usize] == u32::MAX {
                        before[to as usize] = link;
                        next.push(to);
                    }
                }
            }
            level = next;
        }
        let mut cycle = vec![LinkId(start)];
        let mut at = before[start as usize];
        while at != start {
            cycle.push(LinkId(at));
            at = before[at as usize];
        }
        cycle.reverse();
        cycle.rotate_right(1);
        Some(cycle)
    }

    fn after(&self, link: u32) -> impl Iterator<Item = u32> {
        let first = self.pairs.partition_point(|pair| pair.0 < link);
        self.pairs.iter().skip(first).take_while(move |pair| pair.0 == link).map(|pair| pair.1)
    }

    /// The groups, the order of each, and the layers that routes need.
    pub(super) fn layers(&self, machine: &Machine) -> Layers {
        let mut layers = Layers { places: self.places(), counts: Vec::new() };
        let groups = layers.places.iter().map(|place| place.0 + 1).max().unwrap_or(0);
        let mut counts = vec![1; groups as usize];
        each_step(machine, &mut |last, link| {
            let layer = layers.next(machine, last, link);
            let count = &mut counts[layers.places[link.index()].0 as usize];
            *count = (*count).max(layer + 1);
            layer
        });
        layers.counts = counts;
        layers
    }

    /// The group of each link and its place there: a search from the group's lowest link, depth
    /// first, which numbers a ring in its own order.
    fn places(&self) -> Vec<(u32, u32)> {
        let groups = kosaraju_scc(&self.arrows);
        let mut places = vec![(0, 0); self.arrows.node_count()];
        for (number, group) in groups.iter().enumerate() {
            for link in group {
                places[link.index()].0 = number as u32;
            }
        }
        for group in &groups {
            let Some(first) = group.iter().min().filter(|_| group.len() > 1) else { continue };
            let own = places[first.index()].0;
            let inside = petgraph::visit::NodeFiltered::from_fn(&self.arrows, |link| {
                places[link.index()].0 == own
            });
            let mut search = DfsPostOrder::new(&inside, *first);
            let mut order = Vec::with_capacity(group.len());
            while let Some(link) = search.next(&inside) {
                order.push(link);
            }
            for (place, link) in order.iter().rev().enumerate() {
                places[link.index()].1 = place as u32;
            }
        }
        places
    }
}

/// The parts that programs send between, and those that only the host's messages reach.
fn ends(machine: &Machine) -> (Vec<NodeId>, Vec<NodeId>) {
    let (mut ends, mut others) = (Vec::new(), Vec::new());
    for (id, node) in machine.nodes() {
        match node.kind {
            NodeKind::PeDma | NodeKind::HbmCtrl => ends.push(id),
            NodeKind::Sram | NodeKind::MCpu | NodeKind::IoCpu | NodeKind::Host => others.push(id),
            NodeKind::PeCpu
            | NodeKind::Router
            | NodeKind::Ucie
            | NodeKind::IoNoc
            | NodeKind::PcieEp
            | NodeKind::Switch => {}
        }
    }
    (ends, others)
}

/// Shows `step` every link of every route: the link before it with what `step` said of that one,
/// and the link itself.
fn each_step(machine: &Machine, step: &mut dyn FnMut(Option<(LinkId, u32)>, LinkId) -> u32) {
    let (mut ends, others) = ends(machine);
    ends.extend(others);
    match machine.routing() {
        Routing::Shortest => Trees::new(machine).each_step(&ends, step),
        Routing::Hierarchy(routes) => {
            let chosen = machine.network().lane == LaneChoice::LeastQueued;
            for (from, to) in ends.iter().flat_map(|from| ends.iter().map(move |to| (from, to))) {
                let fixed = routes.default_lane(*from, *to);
                let lanes = if chosen { 0..routes.lanes() } else { fixed..fixed + 1 };
                for lane in lanes {
                    let mut last = None;
                    for link in routes.route(*from, *to, lane).unwrap_or_default() {
                        last = Some((link, step(last, link)));
                    }
                }
            }
        }
    }
}
