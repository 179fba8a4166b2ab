//! All shortest routes of a machine at once: from each start one tree, whose branches are exactly
//! the routes that `shortest` finds.

use crate::topology::{LinkId, Machine, NodeId};
use crate::units::Ps;

/// What is not there.
const NONE: u32 = u32::MAX;

/// A link that leaves a node: where it leads, and the time to there.
#[derive(Clone, Copy)]
struct Leaving {
    link: LinkId,
    to: u32,
    time: Ps,
}

/// How a node is reached from the start.
#[derive(Clone, Copy)]
struct Reached {
    /// The last link of the route, and where that starts.
    link: LinkId,
    from: u32,
    hops: u32,
    time: Ps,
    /// Whether a route to somewhere that counts leads here or through here.
    is_used: bool,
    /// What was said of the last link.
    said: u32,
}

/// The links of a machine, ready for searches from many starts.
pub(in crate::topology) struct Trees {
    leaving: Vec<Vec<Leaving>>,
    passes: Vec<bool>,
    reached: Vec<Reached>,
    /// The nodes of the present tree, near ones first.
    order: Vec<u32>,
}

impl Trees {
    pub(in crate::topology) fn new(machine: &Machine) -> Trees {
        let of = |(node, _)| {
            let links = machine.links_from(node).into_iter();
            let leaving = links.map(|(link, to)| {
                let time = machine.link(link).wire + machine.node(to).overhead;
                Leaving { link, to: to.0, time }
            });
            leaving.collect::<Vec<_>>()
        };
        let leaving: Vec<Vec<Leaving>> = machine.nodes().map(of).collect();
        let passes = machine.nodes().map(|(_, node)| node.kind.passes_messages()).collect();
        let reached = Reached {
            link: LinkId(NONE),
            from: NONE,
            hops: NONE,
            time: Ps::ZERO,
            is_used: false,
            said: 0,
        };
        Trees { reached: vec![reached; leaving.len()], leaving, passes, order: Vec::new() }
    }

    /// Shows `step` every link of every route between `ends`, with the link before it and what
    /// `step` said of that one. Links that several routes from one start share come once.
    pub(in crate::topology) fn each_step(
        &mut self,
        ends: &[NodeId],
        step: &mut dyn FnMut(Option<(LinkId, u32)>, LinkId) -> u32,
    ) {
        for start in ends {
            self.grow(start.0);
            self.mark(ends);
            for at in 0..self.order.len() {
                let node = self.order[at];
                let own = self.reached[node as usize];
                if !own.is_used {
                    continue;
                }
                let before = self.reached[own.from as usize];
                let last = (own.from != start.0).then_some((before.link, before.said));
                self.reached[node as usize].said = step(last, own.link);
            }
        }
    }

    /// The tree from `start`.
    fn grow(&mut self, start: u32) {
        for node in self.order.drain(..) {
            self.reached[node as usize].hops = NONE;
        }
        let mut level = vec![start];
        let mut hops = 0;
        while !level.is_empty() {
            hops += 1;
            let mut next = Vec::new();
            for node in level {
                if node == start || self.passes[node as usize] {
                    let so_far =
                        if node == start { Ps::ZERO } else { self.reached[node as usize].time };
                    self.reach((node, so_far), (start, hops), &mut next);
                }
            }
            self.order.extend_from_slice(&next);
            level = next;
        }
    }

    /// Goes one link further from `node` everywhere.
    fn reach(&mut self, (node, so_far): (u32, Ps), (start, hops): (u32, u32), next: &mut Vec<u32>) {
        for leaving in &self.leaving[node as usize] {
            let best = &mut self.reached[leaving.to as usize];
            let time = so_far + leaving.time;
            if leaving.to == start || best.hops < hops {
                continue;
            }
            if best.hops == NONE {
                next.push(leaving.to);
            } else if (best.time, best.link) <= (time, leaving.link) {
                continue;
            }
            *best = Reached { link: leaving.link, from: node, hops, time, is_used: false, said: 0 };
        }
    }

    /// Marks what lies on the way to any of `ends`.
    fn mark(&mut self, ends: &[NodeId]) {
        for end in ends {
            let mut node = end.0;
            loop {
                let reached = &mut self.reached[node as usize];
                if reached.hops == NONE || reached.is_used {
                    break;
                }
                reached.is_used = true;
                node = reached.from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::shortest;
    use super::*;
    use crate::arena::Id;
    use crate::diag::Sink;
    use crate::source::SourceMap;
    use crate::topology::load;

    fn machine(text: &str) -> Machine {
        let mut sources = SourceMap::new();
        let file = sources.add("m.yaml", text);
        let mut sink = Sink::new();
        load(&sources, file, &mut sink).unwrap().build(&mut sink).unwrap()
    }

    #[test]
    fn branches_are_the_shortest_routes() {
        let torus = "
machine:
  replicate:
    count: [5, 4]
    links:
      - {offset: [1, 0], bw_gbs: 64, latency_ns: 3}
      - {offset: [-1, 0], bw_gbs: 64, latency_ns: 3}
      - {offset: [0, 1], bw_gbs: 64, latency_ns: 2}
      - {offset: [0, -1], bw_gbs: 64, latency_ns: 2}
      - {offset: [2, 1], bw_gbs: 64, latency_ns: 1}
  nodes:
    - {name: hub, kind: switch, overhead_ns: 1}
  links:
    - {from: pe0, to: hub, bw_gbs: 64, latency_ns: 0, both_ways: true}
    - {from: pe7, to: hub, bw_gbs: 64, latency_ns: 0, both_ways: true}
";
        let machine = machine(torus);
        let ends: Vec<NodeId> = (0..20).map(NodeId).collect();
        let mut pairs = BTreeSet::new();
        for from in &ends {
            for to in &ends {
                let route = shortest::route(&machine, *from, *to).unwrap();
                pairs.extend(route.windows(2).map(|pair| (pair[0], pair[1])));
            }
        }
        let mut seen = BTreeSet::new();
        Trees::new(&machine).each_step(&ends, &mut |last, link| {
            if let Some((before, said)) = last {
                assert_eq!(said, before.index() as u32 + 1);
                seen.insert((before, link));
            }
            link.index() as u32 + 1
        });
        assert_eq!(seen, pairs);
    }
}
