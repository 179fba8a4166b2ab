//! Shortest routes in a machine of any shape: fewest hops, then least time on wires and in nodes,
//! then the lowest link. Nothing passes through a node that only sends and receives.

use rustc_hash::FxHashMap;

use crate::topology::{LinkId, Machine, NodeId};
use crate::units::Ps;

/// How a node was reached: from where, over which link, and the time so far.
#[derive(Clone, Copy)]
struct Arrival {
    time: Ps,
    link: LinkId,
    hops: u32,
}

/// The route; nothing where none leads there. Looks no further than `to` is.
pub(super) fn route(machine: &Machine, from: NodeId, to: NodeId) -> Option<Vec<LinkId>> {
    if from == to {
        return Some(Vec::new());
    }
    let mut arrivals: FxHashMap<NodeId, Arrival> = FxHashMap::default();
    let mut level = vec![from];
    let mut hops = 0;
    while !level.is_empty() && !arrivals.contains_key(&to) {
        hops += 1;
        level = next_level(machine, &level, hops, from, &mut arrivals);
    }
    walk_back(machine, from, to, &arrivals)
}

/// Everything one hop further than `level`, and the best way to each.
fn next_level(
    machine: &Machine,
    level: &[NodeId],
    hops: u32,
    start: NodeId,
    arrivals: &mut FxHashMap<NodeId, Arrival>,
) -> Vec<NodeId> {
    let mut next = Vec::new();
    for node in level {
        if *node != start && !machine.node(*node).kind.passes_messages() {
            continue;
        }
        let so_far = arrivals.get(node).map_or(Ps::ZERO, |it| it.time);
        for (link, target) in machine.links_from(*node) {
            if target == start {
                continue;
            }
            let time = so_far + machine.link(link).wire + machine.node(target).overhead;
            let arrival = Arrival { time, link, hops };
            match arrivals.get_mut(&target) {
                None => {
                    arrivals.insert(target, arrival);
                    next.push(target);
                }
                Some(best) if best.hops == hops && (time, link) < (best.time, best.link) => {
                    *best = arrival;
                }
                Some(_) => {}
            }
        }
    }
    next
}

fn walk_back(
    machine: &Machine,
    from: NodeId,
    to: NodeId,
    arrivals: &FxHashMap<NodeId, Arrival>,
) -> Option<Vec<LinkId>> {
    let mut route = Vec::new();
    let mut node = to;
    while node != from {
        let arrival = arrivals.get(&node)?;
        route.push(arrival.link);
        node = machine.ends(arrival.link).0;
    }
    route.reverse();
    Some(route)
}
