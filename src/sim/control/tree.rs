//! Who passes on what the host says, and to whom.

use std::ops::Range;

use super::Load;
use super::fabric::{Fabric, Parcel};
use crate::arena::Id;
use crate::topology::{NodeId, PeId};
use crate::units::Ps;

/// A place that messages go through: the host, a processor, or a PE.
#[derive(Clone, Debug)]
struct Station {
    node: NodeId,
    parent: u32,
    children: Range<u32>,
    /// The PEs at and below it.
    pes: u32,
    /// What a message without bytes takes from the host to here.
    latency: Ps,
    /// When the last message from above came.
    arrived: Ps,
    /// Children whose answer is still to come.
    waits_for: u32,
}

/// The host and all below it, level by level; the PEs are the last.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    stations: Vec<Station>,
    first_pe: u32,
    load: Load,
}

/// The host.
const ROOT: usize = 0;

impl Tree {
    /// The tree over the first `world` PEs; `None` where there is no host or no way to one of them.
    pub(super) fn new(fabric: &mut Fabric<'_>, world: u32) -> Option<Tree> {
        let machine = fabric.machine;
        let processors = machine.processors();
        let extent = machine.extent();
        let host = Station {
            node: processors.host?,
            parent: 0,
            children: 0..0,
            pes: world,
            latency: Ps::ZERO,
            arrived: Ps::ZERO,
            waits_for: 0,
        };
        let mut tree = Tree { stations: vec![host], first_pe: 0, load: Load::default() };
        let cubes = world.div_ceil(extent.pes.count().max(1));
        let sips = cubes.div_ceil(extent.cubes.count().max(1));
        let known = |nodes: &[NodeId], count: u32| {
            nodes.get(..count as usize).map(<[NodeId]>::to_vec).unwrap_or_default()
        };
        let (io_cpus, m_cpus) =
            (known(&processors.io_cpus, sips), known(&processors.m_cpus, cubes));
        let pes: Vec<NodeId> = (0..world).map(|pe| machine.pe(PeId(pe)).cpu).collect();
        let has_processors = !io_cpus.is_empty() && !m_cpus.is_empty();
        if has_processors {
            tree.add_level(fabric, &io_cpus, u32::MAX)?;
            tree.add_level(fabric, &m_cpus, extent.cubes.count())?;
            tree.add_level(fabric, &pes, extent.pes.count())?;
        } else {
            tree.add_level(fabric, &pes, u32::MAX)?;
        }
        tree.first_pe = (tree.stations.len() - pes.len()) as u32;
        tree.count_pes();
        Some(tree)
    }

    /// Adds a level of stations, `each` to a parent of the level before.
    fn add_level(&mut self, fabric: &Fabric<'_>, nodes: &[NodeId], each: u32) -> Option<()> {
        let parents = self.stations.iter().position(|it| it.children.start == it.children.end)?;
        for (at, node) in (0u32..).zip(nodes) {
            let parent = parents as u32 + at / each.max(1);
            let above = self.stations.get(parent as usize)?;
            let latency = above.latency + fabric.latency(above.node, *node)?;
            // What goes down must be answered.
            fabric.latency(*node, above.node)?;
            let number = self.stations.len() as u32;
            let children = &mut self.stations[parent as usize].children;
            let first = if children.start == children.end { number } else { children.start };
            *children = first..number + 1;
            self.stations.push(Station {
                node: *node,
                parent,
                children: 0..0,
                pes: 0,
                latency,
                arrived: Ps::ZERO,
                waits_for: 0,
            });
        }
        Some(())
    }

    fn count_pes(&mut self) {
        for at in (ROOT + 1..self.stations.len()).rev() {
            if at as u32 >= self.first_pe {
                self.stations[at].pes = 1;
            } else {
                let children = self.stations[at].children.clone();
                let below = children.map(|child| self.stations[child as usize].pes);
                self.stations[at].pes = below.sum();
            }
        }
    }

    /// What a message without bytes takes to the PE that it reaches last.
    pub(super) fn slowest(&self) -> Ps {
        self.pes().map(|it| it.latency).max().unwrap_or_default()
    }

    /// When the last message reached each PE.
    pub(super) fn arrivals(&self) -> Vec<Ps> {
        self.pes().map(|it| it.arrived).collect()
    }

    /// The stations on the way to `pe`, and what a message without bytes takes to each.
    pub(super) fn way(&self, fabric: &Fabric<'_>, pe: PeId) -> Vec<(String, Ps)> {
        let name = |station: &Station| fabric.machine.node(station.node).name.clone();
        self.chain(pe).into_iter().map(|it| (name(it), it.latency)).collect()
    }

    /// The nodes on the way from the host to `pe`, both included.
    pub(super) fn nodes_to(&self, pe: PeId) -> Vec<NodeId> {
        self.chain(pe).into_iter().map(|it| it.node).collect()
    }

    fn chain(&self, pe: PeId) -> Vec<&Station> {
        let mut chain = Vec::new();
        let mut at = self.first_pe as usize + pe.index();
        while let Some(station) = self.stations.get(at) {
            chain.push(station);
            if at == ROOT {
                break;
            }
            at = station.parent as usize;
        }
        chain.reverse();
        chain
    }

    fn pes(&self) -> impl Iterator<Item = &Station> {
        self.stations.iter().skip(self.first_pe as usize)
    }

    /// Sends a message from the host now.
    pub(super) fn send_down(&mut self, fabric: &mut Fabric<'_>, load: Load) {
        self.load = load;
        for station in &mut self.stations {
            station.waits_for = station.children.len() as u32;
        }
        self.pass_down(fabric, ROOT);
    }

    /// Lets every PE answer `ends` after `start`.
    pub(super) fn report(&mut self, fabric: &mut Fabric<'_>, start: Ps, ends: &[Ps]) {
        for station in &mut self.stations {
            station.waits_for = station.children.len() as u32;
        }
        for (number, at) in (self.first_pe..).zip(0..self.pes().count()) {
            let end = ends.get(at).copied().unwrap_or_default();
            fabric.wake(start + end, due(number));
        }
    }

    /// Runs until nothing is under way any more. With `answers`, what reaches a PE is answered at once.
    /// Gives when the last thing happened.
    pub(super) fn run(&mut self, fabric: &mut Fabric<'_>, answers: bool) -> Ps {
        while let Some(tag) = fabric.next() {
            let number = (tag / KINDS) as usize;
            match tag % KINDS {
                DOWN => {
                    self.stations[number].arrived = fabric.now();
                    if (number as u32) < self.first_pe {
                        self.pass_down(fabric, number);
                    } else if answers {
                        self.answer(fabric, number);
                    }
                }
                UP => {
                    let parent = self.stations[number].parent as usize;
                    self.stations[parent].waits_for -= 1;
                    if self.stations[parent].waits_for == 0 && parent != ROOT {
                        self.answer(fabric, parent);
                    }
                }
                _ => self.answer(fabric, number),
            }
        }
        fabric.now()
    }

    fn pass_down(&mut self, fabric: &mut Fabric<'_>, number: usize) {
        let station = &self.stations[number];
        for child in station.children.clone() {
            let below = &self.stations[child as usize];
            let own = self.load.own.saturating_mul(below.pes.into());
            let bytes = self.load.shared.saturating_add(own);
            let sent = fabric.send(station.node, below.node, &Parcel::control(down(child), bytes));
            debug_assert!(sent, "the way was found when the tree was made");
        }
    }

    fn answer(&mut self, fabric: &mut Fabric<'_>, number: usize) {
        let station = &self.stations[number];
        let above = self.stations[station.parent as usize].node;
        let sent = fabric.send(station.node, above, &Parcel::control(up(number as u32), 0));
        debug_assert!(sent, "the way was found when the tree was made");
    }
}

/// Kinds of tags: a message from above reached a station; its answer reached its parent; it is time
/// for its answer.
const KINDS: u32 = 3;
const DOWN: u32 = 0;
const UP: u32 = 1;

fn down(station: u32) -> u32 {
    station * KINDS + DOWN
}

fn up(station: u32) -> u32 {
    station * KINDS + UP
}

fn due(station: u32) -> u32 {
    station * KINDS + 2
}
