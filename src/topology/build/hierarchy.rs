//! The graph of the hierarchical machine: one SIP is drawn up as a template and then copied.

use std::sync::Arc;

use crate::topology::floorplan::{Floorplan, Side};
use crate::topology::machine::{Link, MachineBuilder, Node, NodeKind, PeNodes, Processors};
use crate::topology::route::{
    CONNECTION_LINKS, CubeNumbers, FabricNumbers, HierarchyRoutes, NO_LINK, Routing, SipNumbers,
    neighbor_sip,
};
use crate::topology::spec::{Cable, FabricKind, Hierarchy};
use crate::topology::{Extent, Grid, NodeId};
use crate::units::Ps;

/// How many nodes the graph will have, without the host and a switch.
pub(super) fn node_count(form: &Hierarchy, extent: &Extent) -> u64 {
    let Grid { w, h, wraps: _ } = extent.cubes;
    let [w, h] = [w, h].map(u64::from);
    let cube = u64::from(form.floorplan.router_count()) + 2 + 3 * u64::from(extent.pes.count());
    // Each cube has a crossing on its north, to a cube or to the IO chiplet; all but the last of
    // a row have one on the east.
    let crossings = w * h + (w - 1) * h;
    let ports = crossings * u64::from(form.ucie.connections) * 2;
    u64::from(extent.sips.count()) * (w * h * cube + ports + 3)
}

/// One SIP: nodes and links numbered from its first, names without the SIP's own.
struct SipTemplate {
    nodes: Vec<Node>,
    links: Vec<(u32, u32, Link)>,
    cube: CubeNumbers,
    numbers: SipNumbers,
}

impl SipTemplate {
    /// Draws up a SIP.
    fn new(form: &Hierarchy, extent: &Extent) -> SipTemplate {
        let mut drawing =
            Drawing { form, prefix: String::new(), nodes: Vec::new(), links: Vec::new() };
        let mut cube = None;
        for number in 0..extent.cubes.count() {
            drawing.prefix = format!("cube{number}.");
            cube.get_or_insert(drawing.cube(extent.pes.count()));
        }
        let cube = cube.expect("a SIP has a cube");
        drawing.prefix = String::new();
        let numbers = drawing.sip(&cube, extent.cubes);
        SipTemplate { nodes: drawing.nodes, links: drawing.links, cube, numbers }
    }
}

/// A SIP as it is drawn.
struct Drawing<'f> {
    form: &'f Hierarchy,
    prefix: String,
    nodes: Vec<Node>,
    links: Vec<(u32, u32, Link)>,
}

impl Drawing<'_> {
    fn node(&mut self, name: &str, kind: NodeKind, overhead: Ps) -> u32 {
        let name = format!("{}{name}", self.prefix);
        self.nodes.push(Node { name, kind, overhead, store_and_forward: false, multicast: false });
        self.nodes.len() as u32 - 1
    }

    fn link(&mut self, from: u32, to: u32, cable: &Cable) -> u32 {
        self.links.push((from, to, cable.link()));
        self.links.len() as u32 - 1
    }

    /// Links both ways; gives the first.
    fn pair(&mut self, a: u32, b: u32, cable: &Cable) -> u32 {
        let first = self.link(a, b, cable);
        self.link(b, a, cable);
        first
    }

    /// Draws a cube without its UCIe ports, and numbers it.
    fn cube(&mut self, pes: u32) -> CubeNumbers {
        let (first, first_link) = (self.nodes.len() as u32, self.links.len() as u32);
        let (plan, parts) = (&self.form.floorplan, &self.form.cube);
        self.routers(plan);
        let sides = self.mesh(plan, first, first_link);
        let first_part = self.nodes.len() as u32 - first;
        let first_part_link = self.links.len() as u32 - first_link;
        let mut routers = vec![plan.m_cpu, plan.sram];
        self.part("m_cpu", NodeKind::MCpu, (parts.m_cpu.0, &parts.m_cpu.1), first + plan.m_cpu);
        self.part("sram", NodeKind::Sram, (parts.sram.0, &parts.sram.1), first + plan.sram);
        for (pe, router) in (0..pes).zip(&plan.pes) {
            let (cpu, hbm) = (&parts.pe_cpu, &parts.hbm);
            let at = first + router;
            self.part(&format!("pe{pe}.cpu"), NodeKind::PeCpu, (cpu.0, &cpu.1), at);
            self.part(&format!("pe{pe}.dma"), NodeKind::PeDma, (Ps::ZERO, &parts.pe_dma), at);
            self.part(&format!("hbm_ctrl.pe{pe}"), NodeKind::HbmCtrl, (hbm.0, &hbm.1), at);
            routers.extend([*router; 3]);
        }
        let nodes = self.nodes.len() as u32 - first;
        let links = self.links.len() as u32 - first_link;
        CubeNumbers { nodes, links, first_part, first_part_link, routers, sides }
    }

    fn routers(&mut self, plan: &Floorplan) {
        for router in 0..plan.router_count() {
            let (col, row) = plan.place(router);
            self.node(&format!("r{row}c{col}"), NodeKind::Router, self.form.cube.router);
        }
    }

    /// Links neighbouring routers; gives the link that leaves each on each side.
    fn mesh(&mut self, plan: &Floorplan, first: u32, first_link: u32) -> Vec<[u32; 4]> {
        let mut sides = Vec::new();
        for router in 0..plan.router_count() {
            sides.push(Side::ALL.map(|side| match plan.neighbor(router, side) {
                Some(next) => {
                    self.link(first + router, first + next, &self.form.cube.mesh) - first_link
                }
                None => NO_LINK,
            }));
        }
        sides
    }

    /// A node beside a router, with the link to the router and the one back.
    fn part(&mut self, name: &str, kind: NodeKind, costs: (Ps, &Cable), router: u32) {
        let node = self.node(name, kind, costs.0);
        self.pair(node, router, costs.1);
    }

    /// Draws what joins cubes to each other and to the IO chiplet.
    fn sip(&mut self, cube: &CubeNumbers, cubes: Grid) -> SipNumbers {
        let mut crossings = Vec::new();
        for number in 0..cubes.count() {
            let (x, y) = (number % cubes.w, number / cubes.w);
            crossings.push([Side::East, Side::South].map(|side| {
                let Some(next) = side.step((x, y), cubes.w, cubes.h) else { return NO_LINK };
                let other = next.1 * cubes.w + next.0;
                let a = self.cube_side(number, side, cube);
                let b = self.cube_side(other, side.opposite(), cube);
                self.crossing(&a, &b)
            }));
        }
        let (io_noc, io_links) = self.io_chiplet();
        let io_crossings = (0..cubes.w)
            .map(|column| {
                let noc = [io_noc].repeat(self.form.ucie.connections as usize);
                let cable = self.form.io.ucie_link;
                let a = Die { routers: noc, cable, name: format!("io.ucie{column}") };
                let b = self.cube_side(column, Side::North, cube);
                self.crossing(&a, &b)
            })
            .collect();
        SipNumbers {
            nodes: self.nodes.len() as u32,
            links: self.links.len() as u32,
            cubes,
            crossings,
            io_crossings,
            io_noc,
            io_links,
            connections: self.form.ucie.connections,
        }
    }

    /// The side of a cube as a crossing sees it.
    fn cube_side(&self, number: u32, side: Side, cube: &CubeNumbers) -> Die {
        let first = number * cube.nodes;
        let ports = &self.form.floorplan.ports[side.index()];
        let routers = ports.iter().map(|router| first + router).collect();
        let name = format!("cube{number}.ucie_{}", side.letter());
        Die { routers, cable: self.form.cube.port, name }
    }

    /// Draws io_noc, io_cpu and pcie_ep; gives io_noc and the first link.
    fn io_chiplet(&mut self) -> (u32, u32) {
        let io = &self.form.io;
        let noc = self.node("io.io_noc", NodeKind::IoNoc, io.io_noc);
        let cpu = self.node("io.io_cpu", NodeKind::IoCpu, io.io_cpu);
        let ep = self.node("io.pcie_ep", NodeKind::PcieEp, io.pcie_ep.overhead);
        if let Some(node) = self.nodes.last_mut() {
            node.store_and_forward = io.pcie_ep.store_and_forward;
        }
        let first = self.pair(cpu, noc, &io.cpu_link);
        self.pair(ep, noc, &io.pcie_link);
        (noc, first)
    }

    /// Joins two dies by every connection, each two ports and six links in the order that
    /// [`crate::topology::route`] counts on; gives the first link.
    fn crossing(&mut self, a: &Die, b: &Die) -> u32 {
        let first = self.links.len() as u32;
        let ends = a.routers.iter().zip(&b.routers);
        for (connection, (from, to)) in ends.enumerate() {
            let overhead = self.form.ucie.overhead;
            let [left, right] = [a, b].map(|die| {
                self.node(&format!("{}.conn{connection}", die.name), NodeKind::Ucie, overhead)
            });
            self.pair(*from, left, &a.cable);
            self.pair(*to, right, &b.cable);
            let last = self.pair(left, right, &self.form.ucie.cable);
            debug_assert_eq!(last + 2, first + (connection as u32 + 1) * CONNECTION_LINKS);
        }
        first
    }
}

/// One side of a crossing: the router of each connection, the links there, the ports' name.
struct Die {
    routers: Vec<u32>,
    cable: Cable,
    name: String,
}

/// Copies the SIP as often as needed and joins the copies.
pub(super) fn build(form: &Hierarchy, extent: &Extent, builder: &mut MachineBuilder) {
    let (sip, sips) = (SipTemplate::new(form, extent), extent.sips.count());
    debug_assert_eq!(u64::from(sips) * sip.nodes.len() as u64, node_count(form, extent));
    builder.reserve(sips as usize * sip.nodes.len() + 2, sips as usize * (sip.links.len() + 6));
    for number in 0..sips {
        for node in &sip.nodes {
            builder.node(Node { name: format!("sip{number}.{}", node.name), ..node.clone() });
        }
    }
    for number in 0..sips {
        let first = number * sip.numbers.nodes;
        for (from, to, link) in &sip.links {
            builder.link(NodeId(first + from), NodeId(first + to), link.clone());
        }
    }
    let fabric = build_fabric(form, extent.sips, &sip.numbers, builder);
    add_pes(extent, &sip, builder);
    builder.processors(processors(extent, &sip, NodeId(fabric.host)));
    builder.routed_by(Routing::Hierarchy(Arc::new(HierarchyRoutes {
        floorplan: form.floorplan.clone(),
        cube: sip.cube.clone(),
        sip: sip.numbers.clone(),
        fabric,
    })));
}

fn add_pes(extent: &Extent, sip: &SipTemplate, builder: &mut MachineBuilder) {
    for number in 0..extent.sips.count() {
        for cube in 0..extent.cubes.count() {
            let first = number * sip.numbers.nodes + cube * sip.cube.nodes + sip.cube.first_part;
            for pe in 0..extent.pes.count() {
                let [cpu, dma, hbm] = [2, 3, 4].map(|part| NodeId(first + part + 3 * pe));
                builder.pe(PeNodes { cpu, dma, hbm, sram: NodeId(first + 1) });
            }
        }
    }
}

fn processors(extent: &Extent, sip: &SipTemplate, host: NodeId) -> Processors {
    let sips = 0..extent.sips.count();
    let first = |number: u32| number * sip.numbers.nodes;
    let io_cpu = |number: u32| NodeId(first(number) + sip.numbers.io_noc + 1);
    let m_cpu = |number: u32, cube: u32| {
        NodeId(first(number) + cube * sip.cube.nodes + sip.cube.first_part)
    };
    let cubes = extent.cubes.count();
    let m_cpus = sips.clone().flat_map(|number| (0..cubes).map(move |cube| m_cpu(number, cube)));
    Processors {
        host: Some(host),
        io_cpus: sips.clone().map(io_cpu).collect(),
        m_cpus: m_cpus.collect(),
    }
}

fn build_fabric(
    form: &Hierarchy,
    grid: Grid,
    sip: &SipNumbers,
    builder: &mut MachineBuilder,
) -> FabricNumbers {
    let endpoint = |number: u32| NodeId(number * sip.nodes + sip.io_noc + 2);
    let fabric = &form.fabric;
    let mut sides = vec![[NO_LINK; 4]; grid.count() as usize];
    if fabric.kind == FabricKind::Switch {
        let switch = builder.node(Node {
            name: String::from("switch"),
            kind: NodeKind::Switch,
            overhead: fabric.switch.overhead,
            store_and_forward: fabric.switch.store_and_forward,
            multicast: false,
        });
        for (number, links) in (0..).zip(&mut sides) {
            links[0] = builder.link(endpoint(number), switch, fabric.link.link()).0;
            links[1] = builder.link(switch, endpoint(number), fabric.link.link()).0;
        }
    } else {
        for (number, links) in (0..).zip(&mut sides) {
            *links = grid_links(grid, number, |to| {
                builder.link(endpoint(number), endpoint(to), fabric.link.link()).0
            });
        }
    }
    let (overhead, store_and_forward) = (Ps::ZERO, false);
    let name = String::from("host");
    let host = builder.node(Node {
        name,
        kind: NodeKind::Host,
        overhead,
        store_and_forward,
        multicast: false,
    });
    let mut host_links = NO_LINK;
    for number in 0..grid.count() {
        let down = builder.link(host, endpoint(number), fabric.host.link());
        builder.link(endpoint(number), host, fabric.host.link());
        host_links = host_links.min(down.0);
    }
    FabricNumbers { kind: fabric.kind, grid, sides, host: host.0, host_links }
}

/// A link from SIP `number` to each neighbour, on each of its sides. One neighbour on two sides,
/// as in a ring of two, has one link.
fn grid_links(grid: Grid, number: u32, mut link_to: impl FnMut(u32) -> u32) -> [u32; 4] {
    let neighbors = Side::ALL.map(|side| neighbor_sip(grid, number, side));
    let mut links = [NO_LINK; 4];
    for (index, neighbor) in neighbors.iter().enumerate() {
        let Some(to) = neighbor else { continue };
        let same = neighbors.iter().position(|other| other == neighbor).unwrap_or(index);
        links[index] = if same < index { links[same] } else { link_to(*to) };
    }
    links
}
