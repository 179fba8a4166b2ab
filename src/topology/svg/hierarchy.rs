//! The picture of SIPs, cubes and PEs: every SIP with its cubes, one cube enlarged, and a legend.

use super::canvas::{Anchor, Area, Canvas, number};
use crate::topology::dot::color;
use crate::topology::floorplan::{Floorplan, Side};
use crate::topology::route::neighbor_sip;
use crate::topology::show::{counts, rate};
use crate::topology::spec::{FabricKind, Hierarchy, near_square};
use crate::topology::{Extent, Grid, NodeKind, Spec};
use crate::units::grouped;

/// Between neighbouring routers, and from the outer ones to the edge of the die.
const PITCH: f64 = 26.0;
const EDGE: f64 = 30.0;
/// Between dies.
const GAP: f64 = 26.0;
/// Around what a SIP holds, and the height of its IO chiplet.
const PADDING: f64 = 22.0;
const IO_HEIGHT: f64 = 40.0;
/// Between SIPs, which leaves room for cables.
const AISLE: f64 = 60.0;
/// Left of and above the first SIP.
const LEFT: f64 = 50.0;
const HEADING: f64 = 110.0;
/// How much larger the enlarged cube is, at least.
const ZOOM: f64 = 2.4;
/// The most SIPs that are drawn.
const MAX_SIPS: u32 = 64;

const DIE: &str = "fill=\"#f8f9fa\" stroke=\"#6c757d\"";
const WIRE: &str = "stroke=\"#adb5bd\" stroke-width=\"1.5\"";
const UCIE_WIRE: &str = "stroke=\"#40916c\" stroke-width=\"1.6\"";
const CABLE: &str = "stroke=\"#e5383b\" stroke-width=\"3\" stroke-opacity=\"0.75\"";

/// Draws the whole picture.
pub(super) fn draw(spec: &Spec, form: &Hierarchy) -> String {
    let sheet = Sheet::new(spec.extent(), form);
    let mut canvas = Canvas::new();
    canvas.open_definitions();
    sheet.define_cube(&mut canvas);
    sheet.define_sip(&mut canvas);
    canvas.close_definitions();
    let title = format!("{}: {}", spec.name(), counts(spec));
    canvas.label((LEFT, 40.0), 22.0 + 6.0 * sheet.scale(), Anchor::Start, &title);
    sheet.draw_sips(&mut canvas);
    let (width, height) = sheet.draw_enlarged(&mut canvas, spec);
    canvas.finish(width, height.max(sheet.sips_end().1))
}

/// What the picture shows and how large everything in it is.
struct Sheet<'f> {
    form: &'f Hierarchy,
    plan: &'f Floorplan,
    extent: Extent,
    /// How the SIPs lie on the sheet.
    panels: Grid,
}

impl Sheet<'_> {
    fn new<'f>(extent: &Extent, form: &'f Hierarchy) -> Sheet<'f> {
        let line = matches!(form.fabric.kind, FabricKind::Ring | FabricKind::Switch);
        let long = line && extent.sips.w > 4;
        let panels = if long { near_square(extent.sips.w, false) } else { extent.sips };
        Sheet { form, plan: &form.floorplan, extent: *extent, panels }
    }

    fn cube_size(&self) -> (f64, f64) {
        let grid = self.plan.grid();
        let side = |routers: u32| f64::from(routers - 1) * PITCH + 2.0 * EDGE;
        (side(grid.w), side(grid.h))
    }

    fn sip_size(&self) -> (f64, f64) {
        let (w, h) = self.cube_size();
        let Grid { w: columns, h: rows, wraps: _ } = self.extent.cubes;
        let cubes = |count: u32, side: f64| f64::from(count) * (side + GAP) - GAP;
        let height = 2.0 * PADDING + IO_HEIGHT + GAP + cubes(rows, h);
        (2.0 * PADDING + cubes(columns, w), height)
    }

    /// The top left corner of a cube in its SIP.
    fn cube_at(&self, cube: u32) -> (f64, f64) {
        let (w, h) = self.cube_size();
        let columns = self.extent.cubes.w;
        let (x, y) = (f64::from(cube % columns), f64::from(cube / columns));
        (PADDING + x * (w + GAP), PADDING + IO_HEIGHT + GAP + y * (h + GAP))
    }

    /// The top left corner of a SIP.
    fn sip_at(&self, sip: u32) -> (f64, f64) {
        let (w, h) = self.sip_size();
        let (column, row) = (sip % self.panels.w, sip / self.panels.w);
        // A long ring winds to and fro, so that neighbours stay neighbours.
        let winds = self.panels.w != self.extent.sips.w && row % 2 == 1;
        let column = if winds { self.panels.w - 1 - column } else { column };
        let (x, y) = (f64::from(column), f64::from(row));
        (LEFT + x * (w + AISLE), HEADING + y * (h + AISLE))
    }

    fn drawn_sips(&self) -> u32 {
        self.extent.sips.count().min(MAX_SIPS)
    }

    /// The right and bottom ends of all SIPs.
    fn sips_end(&self) -> (f64, f64) {
        let (w, h) = self.sip_size();
        let corners: Vec<(f64, f64)> = (0..self.drawn_sips()).map(|sip| self.sip_at(sip)).collect();
        let right = corners.iter().map(|at| at.0 + w).fold(0.0, f64::max);
        let bottom = corners.iter().map(|at| at.1 + h).fold(0.0, f64::max);
        (right, bottom + AISLE)
    }

    /// How much larger than usual what explains the picture must be to be read beside it.
    fn scale(&self) -> f64 {
        ((self.sips_end().1 - HEADING) / 800.0).clamp(1.0, 3.5)
    }

    /// The middle of a router in its cube.
    fn router_at(&self, router: u32) -> (f64, f64) {
        let (col, row) = self.plan.place(router);
        (EDGE + f64::from(col) * PITCH, EDGE + f64::from(row) * PITCH)
    }

    /// The middle of a UCIe port of a cube, on its edge.
    fn port_at(&self, side: Side, connection: usize) -> (f64, f64) {
        let (w, h) = self.cube_size();
        let router = self.plan.ports[side.index()].get(connection).copied().unwrap_or(0);
        let (x, y) = self.router_at(router);
        match side {
            Side::East => (w, y),
            Side::South => (x, h),
            Side::West => (0.0, y),
            Side::North => (x, 0.0),
        }
    }

    fn define_cube(&self, canvas: &mut Canvas) {
        let (w, h) = self.cube_size();
        canvas.open("id=\"cube\"");
        canvas.rect((0.0, 0.0, w, h), 6.0, DIE);
        self.draw_zone(canvas);
        self.draw_mesh(canvas);
        self.draw_parts(canvas);
        canvas.close();
    }

    fn draw_zone(&self, canvas: &mut Canvas) {
        let zone = self.plan.grid().zone;
        if zone.w == 0 || zone.h == 0 {
            return;
        }
        let along = |first: u32, count: u32| {
            let start = EDGE + f64::from(first) * PITCH - 7.0;
            (start, f64::from(count - 1) * PITCH + 14.0)
        };
        let ((x, w), (y, h)) = (along(zone.x, zone.w), along(zone.y, zone.h));
        let style = format!("fill=\"{}\" fill-opacity=\"0.45\"", color(NodeKind::HbmCtrl));
        canvas.rect((x, y, w, h), 4.0, &style);
        canvas.label((x + w / 2.0, y + h / 2.0 + 4.0), 10.0, Anchor::Middle, "HBM");
    }

    fn draw_mesh(&self, canvas: &mut Canvas) {
        let mut lines = Vec::new();
        for router in 0..self.plan.router_count() {
            for side in [Side::East, Side::South] {
                if let Some(next) = self.plan.neighbor(router, side) {
                    lines.push([self.router_at(router), self.router_at(next)]);
                }
            }
        }
        canvas.lines(&lines, WIRE);
        let router = format!("fill=\"{}\" stroke=\"#868e96\"", color(NodeKind::Router));
        for number in 0..self.plan.router_count() {
            let (x, y) = self.router_at(number);
            canvas.rect((x - 4.0, y - 4.0, 8.0, 8.0), 2.0, &router);
        }
    }

    /// The UCIe ports on a side of the cube at `at`, and their ways to their routers.
    fn draw_ports(&self, canvas: &mut Canvas, at: (f64, f64), side: Side) {
        let moved = |(x, y): (f64, f64)| (at.0 + x, at.1 + y);
        let routers = self.plan.ports[side.index()].iter().enumerate();
        let ways: Vec<[(f64, f64); 2]> = routers
            .map(|(connection, router)| {
                let ((x, y), port) = (self.router_at(*router), self.port_at(side, connection));
                // From the edge of the router's square.
                let edge = |from: f64, to: f64| from + (to - from).clamp(-4.0, 4.0);
                [moved((edge(x, port.0), edge(y, port.1))), moved(port)]
            })
            .collect();
        canvas.lines(&ways, UCIE_WIRE);
        let style = format!("fill=\"{}\" stroke=\"#40916c\"", color(NodeKind::Ucie));
        for [_, (x, y)] in ways {
            canvas.rect((x - 4.0, y - 4.0, 8.0, 8.0), 1.0, &style);
        }
    }

    fn draw_parts(&self, canvas: &mut Canvas) {
        let grid = self.plan.grid();
        let hbm = format!(
            "fill=\"{}\" stroke=\"#495057\" stroke-width=\"0.6\"",
            color(NodeKind::HbmCtrl)
        );
        // PEs lie inwards of their routers, so that the edge is left to the ports.
        for (pe, router) in self.plan.pes.iter().enumerate() {
            let (col, row) = self.plan.place(*router);
            let inwards = |at: u32, side: u32| if 2 * at < side { 0.5 } else { -0.5 };
            let offset = (inwards(col, grid.w), inwards(row, grid.h));
            self.chip(canvas, (*router, offset), NodeKind::PeDma, &pe.to_string());
            let (x, y) = self.router_at(*router);
            let (x, y) = (x + offset.0 * PITCH - 6.5, y + offset.1 * PITCH + 5.5);
            canvas.rect((x, y, 13.0, 4.0), 1.0, &hbm);
        }
        let outwards = |router: u32| {
            let (col, row) = self.plan.place(router);
            let x = if 2 * col < grid.w { -0.5 } else { 0.5 };
            (router, (x, if 2 * row < grid.h { 0.5 } else { -0.5 }))
        };
        self.chip(canvas, outwards(self.plan.m_cpu), NodeKind::MCpu, "M");
        self.chip(canvas, outwards(self.plan.sram), NodeKind::Sram, "S");
    }

    /// A part some pitches away from its router.
    fn chip(&self, canvas: &mut Canvas, at: (u32, (f64, f64)), kind: NodeKind, text: &str) {
        let (x, y) = self.router_at(at.0);
        let (x2, y2) = (x + at.1.0 * PITCH, y + at.1.1 * PITCH);
        canvas.lines(&[[(x, y), (x2, y2)]], WIRE);
        let style = format!("fill=\"{}\" stroke=\"#495057\"", color(kind));
        canvas.rect((x2 - 7.5, y2 - 7.5, 15.0, 15.0), 3.0, &style);
        canvas.label((x2, y2 + 3.0), 8.5, Anchor::Middle, text);
    }

    fn define_sip(&self, canvas: &mut Canvas) {
        let (w, h) = self.sip_size();
        canvas.open("id=\"sip\"");
        canvas.rect((0.0, 0.0, w, h), 10.0, "fill=\"#eef2f5\" stroke=\"#adb5bd\"");
        self.draw_io(canvas);
        canvas.lines(&self.crossings(), UCIE_WIRE);
        let Grid { w: columns, h: rows, wraps: _ } = self.extent.cubes;
        for cube in 0..self.extent.cubes.count() {
            let (x, y) = self.cube_at(cube);
            canvas.place("cube", x, y);
            canvas.label((x + 3.0, y + 14.0), 8.5, Anchor::Start, &format!("cube{cube}"));
            for side in Side::ALL {
                let place = (cube % columns, cube / columns);
                let io = side == Side::North && place.1 == 0;
                if io || side.step(place, columns, rows).is_some() {
                    self.draw_ports(canvas, (x, y), side);
                }
            }
        }
        canvas.close();
    }

    /// Every UCIe connection inside a SIP.
    fn crossings(&self) -> Vec<[(f64, f64); 2]> {
        let Grid { w, h, wraps: _ } = self.extent.cubes;
        let port = |cube: u32, side: Side, connection: usize| {
            let ((x, y), (dx, dy)) = (self.cube_at(cube), self.port_at(side, connection));
            (x + dx, y + dy)
        };
        let connections = self.form.ucie.connections as usize;
        let mut lines = Vec::new();
        for cube in 0..w * h {
            for side in [Side::East, Side::South] {
                let Some((x, y)) = side.step((cube % w, cube / w), w, h) else { continue };
                for connection in 0..connections {
                    let there = port(y * w + x, side.opposite(), connection);
                    lines.push([port(cube, side, connection), there]);
                }
            }
        }
        for column in 0..w {
            for connection in 0..connections {
                let (x, y) = port(column, Side::North, connection);
                lines.push([(x, y - GAP), (x, y)]);
            }
        }
        lines
    }

    /// The PCIe endpoint in its SIP.
    fn endpoint(&self) -> Area {
        (self.sip_size().0 / 2.0 - 38.0, PADDING - 12.0, 76.0, 24.0)
    }

    fn draw_io(&self, canvas: &mut Canvas) {
        let width = self.sip_size().0 - 2.0 * PADDING;
        canvas.rect((PADDING, PADDING, width, IO_HEIGHT), 6.0, DIE);
        canvas.label((PADDING + 10.0, PADDING + 24.0), 12.0, Anchor::Start, "IO chiplet");
        let boxes = [
            (self.endpoint(), NodeKind::PcieEp, "pcie_ep"),
            (
                (self.sip_size().0 - PADDING - 80.0, PADDING + 8.0, 66.0, 22.0),
                NodeKind::IoCpu,
                "io_cpu",
            ),
        ];
        for ((x, y, w, h), kind, name) in boxes {
            let style = format!("fill=\"{}\" stroke=\"#495057\"", color(kind));
            canvas.rect((x, y, w, h), 4.0, &style);
            canvas.label((x + w / 2.0, y + h / 2.0 + 4.0), 11.0, Anchor::Middle, name);
        }
    }

    fn draw_sips(&self, canvas: &mut Canvas) {
        for sip in 0..self.drawn_sips() {
            let (x, y) = self.sip_at(sip);
            canvas.place("sip", x, y);
            canvas.label((x + 10.0, y + 16.0), 13.0, Anchor::Start, &format!("sip{sip}"));
        }
        let left_out = self.extent.sips.count() - self.drawn_sips();
        if left_out > 0 {
            let (_, bottom) = self.sips_end();
            let text = format!("and {} more SIPs like these", grouped(left_out.into()));
            canvas.label((LEFT, bottom - 24.0), 18.0 * self.scale(), Anchor::Start, &text);
        }
        self.draw_cables(canvas);
    }

    /// The top of a SIP's PCIe endpoint, where cables leave.
    fn plug(&self, sip: u32) -> (f64, f64) {
        let ((x, y), (ep_x, ep_y, w, _)) = (self.sip_at(sip), self.endpoint());
        (x + ep_x + w / 2.0, y + ep_y)
    }

    fn draw_cables(&self, canvas: &mut Canvas) {
        let kind = self.form.fabric.kind;
        if kind == FabricKind::Switch {
            let (right, _) = self.sips_end();
            let (x, y) = (right / 2.0, HEADING - 44.0);
            for sip in 0..self.drawn_sips() {
                self.cable(canvas, (x, y), self.plug(sip));
            }
            let style = format!("fill=\"{}\" stroke=\"#495057\"", color(NodeKind::Switch));
            canvas.rect((x - 45.0, y - 12.0, 90.0, 24.0), 4.0, &style);
            canvas.label((x, y + 4.0), 13.0, Anchor::Middle, "switch");
            return;
        }
        for sip in 0..self.drawn_sips() {
            let neighbors = Side::ALL.map(|side| neighbor_sip(self.extent.sips, sip, side));
            let mut later: Vec<u32> =
                neighbors.into_iter().flatten().filter(|it| *it > sip).collect();
            later.sort_unstable();
            later.dedup();
            for other in later.into_iter().filter(|other| *other < self.drawn_sips()) {
                self.cable(canvas, self.plug(sip), self.plug(other));
            }
        }
    }

    /// A cable over what lies between in a row, or along the aisle on the left to another row.
    fn cable(&self, canvas: &mut Canvas, from: (f64, f64), to: (f64, f64)) {
        let reach = (to.0 - from.0).abs();
        let switch = to.1 != from.1 && self.form.fabric.kind == FabricKind::Switch;
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        if from.1 == to.1 || (switch && to.1 < HEADING + PADDING) {
            let rise = if switch { 0.0 } else { 18.0 + (reach / 60.0).min(26.0) };
            let [up1, up2] = [from.1 - rise, to.1 - rise.max(18.0)].map(number);
            canvas.path(&format!("M{x1} {y1}C{x1} {up1} {x2} {up2} {x2} {y2}"), CABLE);
            return;
        }
        let rows = (to.1 - from.1).abs() / (self.sip_size().1 + AISLE);
        let left = to.0 - self.sip_size().0 / 2.0;
        let aisle = number(left - 12.0 - (8.0 * (rows - 1.0)).clamp(0.0, 28.0));
        let [up1, up2] = [from.1 - 14.0, to.1 - 18.0].map(number);
        canvas.path(&format!("M{x1} {y1}V{up1}H{aisle}V{up2}H{x2}V{y2}"), CABLE);
    }

    /// One cube enlarged, and what its colours mean, right of the SIPs; gives the picture's size.
    fn draw_enlarged(&self, canvas: &mut Canvas, spec: &Spec) -> (f64, f64) {
        let (w, h) = self.cube_size();
        let (scale, x) = (self.scale(), self.sips_end().0 + AISLE);
        let zoom = ZOOM * scale;
        let (left, top) = (number(x), number(HEADING));
        canvas.open(&format!("transform=\"translate({left} {top}) scale({})\"", number(zoom)));
        canvas.place("cube", 0.0, 0.0);
        for side in Side::ALL {
            self.draw_ports(canvas, (0.0, 0.0), side);
        }
        canvas.label((0.0, -7.0), 9.0, Anchor::Start, "each cube");
        canvas.close();
        let size = 14.0 * scale;
        let mut y = HEADING + h * zoom + 3.0 * size;
        for (kind, text) in self.legend(spec) {
            let style = format!("fill=\"{}\" stroke=\"#495057\"", color(kind));
            canvas.rect((x, y - 0.9 * size, 1.2 * size, 1.2 * size), 3.0, &style);
            canvas.label((x + 2.0 * size, y), size, Anchor::Start, &text);
            y += 2.0 * size;
        }
        (x + (w * zoom).max(36.0 * size) + LEFT, y + size)
    }

    fn legend(&self, spec: &Spec) -> Vec<(NodeKind, String)> {
        let (parts, params) = (&self.form.cube, spec.params());
        let ucie = &self.form.ucie;
        let gib = |bytes: u64| number(bytes as f64 / f64::from(1 << 30));
        let mib = |bytes: u64| number(bytes as f64 / f64::from(1 << 20));
        let (gemm, math) = (&params.gemm, &params.math);
        let (hbm, mesh) = (rate(parts.hbm.1.bandwidth), rate(parts.mesh.bandwidth));
        let (sram, port) = (rate(parts.sram.1.bandwidth), rate(ucie.cable.bandwidth));
        let fabric = &self.form.fabric;
        let (link, host) = (rate(fabric.link.bandwidth), rate(fabric.host.bandwidth));
        let macs = format!("{} × {} × {}", gemm.m, gemm.n, gemm.k);
        vec![
            (
                NodeKind::PeDma,
                format!("PE: {macs} MACs, {} lanes, {} MB TCM", math.lanes, mib(params.tcm.bytes)),
            ),
            (
                NodeKind::HbmCtrl,
                format!("HBM: {} GB beside each PE, {hbm} GB/s", gib(params.hbm.bytes)),
            ),
            (
                NodeKind::Router,
                format!("router: {mesh} GB/s to each neighbour, {} a hop", parts.mesh.wire),
            ),
            (NodeKind::Sram, format!("S: {} MB SRAM, {sram} GB/s", mib(params.sram_bytes))),
            (NodeKind::MCpu, format!("M: M_CPU, overhead {}", parts.m_cpu.0)),
            (
                NodeKind::Ucie,
                format!(
                    "UCIe: {} × {port} GB/s a side, {} a port",
                    ucie.connections, ucie.overhead
                ),
            ),
            (
                NodeKind::PcieEp,
                format!(
                    "SIP to SIP: {}, {link} GB/s; host to SIP: {host} GB/s",
                    fabric.kind.name()
                ),
            ),
        ]
    }
}
