//! Routes of the hierarchical machine, worked out level by level: to the right SIP by its IO
//! chiplet and the fabric, to the right cube by columns, then rows, of the cube mesh, to the right
//! router by row, then column.
//!
//! All SIPs are alike and so are all cubes, so nodes and links are found by arithmetic: a node is
//! `sip * nodes of a SIP + cube * nodes of a cube + place in the cube`, and links likewise.

use crate::arena::Id;
use crate::topology::floorplan::{Floorplan, Side};
use crate::topology::spec::FabricKind;
use crate::topology::{Grid, LinkId, NodeId};

/// What is not a link.
pub(in crate::topology) const NO_LINK: u32 = u32::MAX;

/// Where everything is, by number.
#[derive(Clone, Debug)]
pub(in crate::topology) struct HierarchyRoutes {
    pub(in crate::topology) floorplan: Floorplan,
    pub(in crate::topology) cube: CubeNumbers,
    pub(in crate::topology) sip: SipNumbers,
    pub(in crate::topology) fabric: FabricNumbers,
}

/// The numbers of one cube's nodes and links, counted from its first.
#[derive(Clone, Debug)]
pub(in crate::topology) struct CubeNumbers {
    pub(in crate::topology) nodes: u32,
    pub(in crate::topology) links: u32,
    /// The first node that is not a router: M_CPU, SRAM, then CPU, DMA and HBM of each PE.
    pub(in crate::topology) first_part: u32,
    /// The first link of a part: to its router, then from it, for one part after another.
    pub(in crate::topology) first_part_link: u32,
    /// The router of each part.
    pub(in crate::topology) routers: Vec<u32>,
    /// The link that leaves each router on each side, or [`NO_LINK`].
    pub(in crate::topology) sides: Vec<[u32; 4]>,
}

/// The numbers of one SIP's nodes and links, counted from its first.
#[derive(Clone, Debug)]
pub(in crate::topology) struct SipNumbers {
    pub(in crate::topology) nodes: u32,
    pub(in crate::topology) links: u32,
    pub(in crate::topology) cubes: Grid,
    /// The first link of the crossing on the east and on the south of each cube, or [`NO_LINK`].
    pub(in crate::topology) crossings: Vec<[u32; 2]>,
    /// The first link of the crossing between the IO chiplet and the cube at each column.
    pub(in crate::topology) io_crossings: Vec<u32>,
    /// The nodes of the IO chiplet: io_noc, io_cpu, pcie_ep.
    pub(in crate::topology) io_noc: u32,
    /// The first link of io_cpu, to io_noc, then from it; then those of pcie_ep.
    pub(in crate::topology) io_links: u32,
    /// UCIe connections of a crossing.
    pub(in crate::topology) connections: u32,
}

/// The numbers of the nodes and links outside the SIPs.
#[derive(Clone, Debug)]
pub(in crate::topology) struct FabricNumbers {
    pub(in crate::topology) kind: FabricKind,
    pub(in crate::topology) grid: Grid,
    /// The link that leaves each SIP on each side of the grid, or [`NO_LINK`]. With a switch, the
    /// first is the one to it and the second the one from it.
    pub(in crate::topology) sides: Vec<[u32; 4]>,
    /// The host.
    pub(in crate::topology) host: u32,
    /// The first link of the host: to each SIP, then from it, for one SIP after another.
    pub(in crate::topology) host_links: u32,
}

/// The links of one UCIe connection, counted from its first. `a` is the western or northern die.
pub(in crate::topology) const CONNECTION_LINKS: u32 = 6;
const A_TO_PORT: u32 = 0;
const PORT_TO_A: u32 = 1;
const B_TO_PORT: u32 = 2;
const PORT_TO_B: u32 = 3;
const A_TO_B: u32 = 4;
const B_TO_A: u32 = 5;

/// A place that routes start and end at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a cube: a router, or a part beside one.
    Cube { sip: u32, cube: u32, node: u32 },
    /// In an IO chiplet: 0 is io_noc, 1 io_cpu, 2 pcie_ep.
    Io { sip: u32, part: u32 },
    /// The host.
    Host,
}

/// A route as it grows: where it is, and the links so far.
struct Walk<'r> {
    routes: &'r HierarchyRoutes,
    sip: u32,
    lane: u32,
    links: Vec<LinkId>,
}

impl HierarchyRoutes {
    /// The route between two ends that are not UCIe ports or switches.
    pub(in crate::topology) fn route(
        &self,
        from: NodeId,
        to: NodeId,
        lane: u32,
    ) -> Option<Vec<LinkId>> {
        let (start, end) = (self.place(from)?, self.place(to)?);
        let lane = lane % self.lanes();
        let mut walk = Walk { routes: self, sip: 0, lane, links: Vec::new() };
        if start == end {
            return Some(walk.links);
        }
        let (sip, target) = (self.sip_of(start), self.sip_of(end));
        match (sip, target) {
            (Some(sip), Some(target)) if sip == target => {
                walk.sip = sip;
                walk.within_sip(start, end);
            }
            _ => {
                if let Some(sip) = sip {
                    walk.sip = sip;
                    walk.within_sip(start, Place::Io { sip, part: 2 });
                }
                walk.between_sips(sip, target);
                if let Some(sip) = target {
                    walk.sip = sip;
                    walk.within_sip(Place::Io { sip, part: 2 }, end);
                }
            }
        }
        Some(walk.links)
    }

    pub(in crate::topology) fn lanes(&self) -> u32 {
        self.sip.connections
    }

    pub(in crate::topology) fn default_lane(&self, from: NodeId, to: NodeId) -> u32 {
        (self.pe_number(from) + self.pe_number(to)) / 2 % self.lanes()
    }

    /// The PE in its cube that a node belongs to; 0 where it belongs to none.
    fn pe_number(&self, node: NodeId) -> u32 {
        let Some(Place::Cube { node, .. }) = self.place(node) else { return 0 };
        node.checked_sub(self.cube.first_part + 2).map_or(0, |part| part / 3)
    }

    fn place(&self, node: NodeId) -> Option<Place> {
        let node = node.index() as u32;
        if node == self.fabric.host {
            return Some(Place::Host);
        }
        let (sip, inside) = (node / self.sip.nodes, node % self.sip.nodes);
        if sip >= self.fabric.grid.count() {
            return None;
        }
        let (cube, local) = (inside / self.cube.nodes, inside % self.cube.nodes);
        if cube < self.sip.cubes.count() {
            return Some(Place::Cube { sip, cube, node: local });
        }
        let part = inside.checked_sub(self.sip.io_noc).filter(|part| *part < 3)?;
        Some(Place::Io { sip, part })
    }

    fn sip_of(&self, place: Place) -> Option<u32> {
        match place {
            Place::Cube { sip, .. } | Place::Io { sip, .. } => Some(sip),
            Place::Host => None,
        }
    }
}

impl Walk<'_> {
    /// Adds a link of the present SIP.
    fn sip_link(&mut self, link: u32) {
        self.links.push(LinkId(self.sip * self.routes.sip.links + link));
    }

    /// Adds a link of a cube of the present SIP.
    fn cube_link(&mut self, cube: u32, link: u32) {
        self.sip_link(cube * self.routes.cube.links + link);
    }

    fn within_sip(&mut self, start: Place, end: Place) {
        match (start, end) {
            (Place::Cube { cube: a, node: from, .. }, Place::Cube { cube: b, node: to, .. }) => {
                let router = self.leave_part(a, from);
                let router = self.cross_cubes(a, b, router);
                self.reach_part(b, router, to);
            }
            (Place::Cube { cube, node, .. }, Place::Io { part, .. }) => {
                let router = self.leave_part(cube, node);
                let column = cube % self.routes.sip.cubes.w;
                let router = self.cross_cubes(cube, column, router);
                self.cross_to_io(column, router);
                self.io_part(part, 1);
            }
            (Place::Io { part, .. }, Place::Cube { cube, node, .. }) => {
                self.io_part(part, 0);
                let column = cube % self.routes.sip.cubes.w;
                let router = self.cross_from_io(column);
                let router = self.cross_cubes(column, cube, router);
                self.reach_part(cube, router, node);
            }
            (Place::Io { part: a, .. }, Place::Io { part: b, .. }) => {
                if a != b {
                    self.io_part(a, 0);
                    self.io_part(b, 1);
                }
            }
            (Place::Host, _) | (_, Place::Host) => {}
        }
    }

    /// Adds the link between io_noc and another part of the IO chiplet; `from_noc` is 1 for the
    /// link away from io_noc and 0 for the link to it.
    fn io_part(&mut self, part: u32, from_noc: u32) {
        if let Some(other) = part.checked_sub(1) {
            self.sip_link(self.routes.sip.io_links + 2 * other + from_noc);
        }
    }

    /// Goes from a node of a cube to its router.
    fn leave_part(&mut self, cube: u32, node: u32) -> u32 {
        let numbers = &self.routes.cube;
        let Some(part) = node.checked_sub(numbers.first_part) else { return node };
        self.cube_link(cube, numbers.first_part_link + 2 * part);
        numbers.routers[part as usize]
    }

    /// Goes from `router` to a node of the same cube.
    fn reach_part(&mut self, cube: u32, router: u32, node: u32) {
        let numbers = &self.routes.cube;
        match node.checked_sub(numbers.first_part) {
            None => self.along_routers(cube, router, node),
            Some(part) => {
                self.along_routers(cube, router, numbers.routers[part as usize]);
                self.cube_link(cube, numbers.first_part_link + 2 * part + 1);
            }
        }
    }

    fn along_routers(&mut self, cube: u32, from: u32, to: u32) {
        let plan = &self.routes.floorplan;
        let mut router = from;
        for side in plan.path(from, to) {
            let link = self.routes.cube.sides[router as usize][side.index()];
            self.cube_link(cube, link);
            router = plan.neighbor(router, side).expect("a path goes from router to router");
        }
    }

    /// Goes from `router` of cube `from` to cube `to`, columns first; gives the router there.
    fn cross_cubes(&mut self, from: u32, to: u32, mut router: u32) -> u32 {
        let w = self.routes.sip.cubes.w;
        let mut cube = from;
        while cube != to {
            let ((x, y), (to_x, to_y)) = ((cube % w, cube / w), (to % w, to / w));
            let side = match (x.cmp(&to_x), y < to_y) {
                (std::cmp::Ordering::Less, _) => Side::East,
                (std::cmp::Ordering::Greater, _) => Side::West,
                (std::cmp::Ordering::Equal, true) => Side::South,
                (std::cmp::Ordering::Equal, false) => Side::North,
            };
            (cube, router) = self.cross(cube, side, router);
        }
        router
    }

    /// Goes from `router` of `cube` over a connection of its `side`; gives the cube and the
    /// router there.
    fn cross(&mut self, cube: u32, side: Side, router: u32) -> (u32, u32) {
        let w = self.routes.sip.cubes.w;
        let (next, a, axis, forwards) = match side {
            Side::East => (cube + 1, cube, 0, true),
            Side::South => (cube + w, cube, 1, true),
            Side::West => (cube - 1, cube - 1, 0, false),
            Side::North => (cube - w, cube - w, 1, false),
        };
        self.along_routers(cube, router, self.port(side));
        let first = self.routes.sip.crossings[a as usize][axis];
        self.connection(first, forwards);
        (next, self.port(side.opposite()))
    }

    /// The router of the present lane's connection on `side`.
    fn port(&self, side: Side) -> u32 {
        self.routes.floorplan.ports[side.index()][self.lane as usize]
    }

    /// Adds the three links of the present lane's connection of a crossing.
    fn connection(&mut self, crossing: u32, forwards: bool) {
        let first = crossing + self.lane * CONNECTION_LINKS;
        let links =
            if forwards { [A_TO_PORT, A_TO_B, PORT_TO_B] } else { [B_TO_PORT, B_TO_A, PORT_TO_A] };
        for link in links {
            self.sip_link(first + link);
        }
    }

    /// Goes from `router` of the northmost cube of `column` to io_noc.
    fn cross_to_io(&mut self, column: u32, router: u32) {
        self.along_routers(column, router, self.port(Side::North));
        self.connection(self.routes.sip.io_crossings[column as usize], false);
    }

    /// Goes from io_noc to the northmost cube of `column`; gives the router there.
    fn cross_from_io(&mut self, column: u32) -> u32 {
        self.connection(self.routes.sip.io_crossings[column as usize], true);
        self.port(Side::North)
    }

    /// Goes from the pcie_ep of one SIP, or the host, to that of another.
    fn between_sips(&mut self, from: Option<u32>, to: Option<u32>) {
        let fabric = &self.routes.fabric;
        match (from, to) {
            (Some(from), Some(to)) if fabric.kind == FabricKind::Switch => {
                self.links.push(LinkId(fabric.sides[from as usize][0]));
                self.links.push(LinkId(fabric.sides[to as usize][1]));
            }
            (Some(from), Some(to)) => self.along_grid(from, to),
            (None, Some(to)) => self.links.push(LinkId(fabric.host_links + 2 * to)),
            (Some(from), None) => self.links.push(LinkId(fabric.host_links + 2 * from + 1)),
            (None, None) => {}
        }
    }

    /// Goes from SIP to SIP, columns first, the shorter way around where the grid wraps.
    fn along_grid(&mut self, from: u32, to: u32) {
        let fabric = &self.routes.fabric;
        let Grid { w, h, wraps } = fabric.grid;
        let columns = shorter_way(from % w, to % w, w, wraps);
        let rows = shorter_way(from / w, to / w, h, wraps);
        let sides = [
            (columns, if columns.1 { Side::East } else { Side::West }),
            (rows, if rows.1 { Side::South } else { Side::North }),
        ];
        let mut sip = from;
        for ((steps, _), side) in sides {
            for _ in 0..steps {
                self.links.push(LinkId(fabric.sides[sip as usize][side.index()]));
                sip = neighbor_sip(fabric.grid, sip, side).expect("a way stays in the grid");
            }
        }
    }
}

/// How many steps from `from` to `to` of `side` places in a row, and whether they go forwards.
/// Of two ways around as long, the forward one.
fn shorter_way(from: u32, to: u32, side: u32, wraps: bool) -> (u32, bool) {
    let forwards = (to + side - from) % side;
    let backwards = (side - forwards) % side;
    if !wraps {
        return (to.abs_diff(from), to >= from);
    }
    if forwards <= backwards { (forwards, true) } else { (backwards, false) }
}

/// The SIP next to `sip` on `side`, around the edge where the grid wraps; `None` where there is
/// none or it is `sip` itself.
pub(in crate::topology) fn neighbor_sip(grid: Grid, sip: u32, side: Side) -> Option<u32> {
    let Grid { w, h, wraps } = grid;
    let (x, y) = (sip % w, sip / w);
    let next = match side.step((x, y), w, h) {
        Some(next) => next,
        None if wraps => match side {
            Side::East => (0, y),
            Side::South => (x, 0),
            Side::West => (w - 1, y),
            Side::North => (x, h - 1),
        },
        None => return None,
    };
    let number = next.1 * w + next.0;
    (number != sip).then_some(number)
}
