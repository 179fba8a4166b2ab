//! The hierarchical form: `system`, `sip` and `cube`.

use super::cube::{self, Cube, CubeParts};
use super::{Form, check_size, near_square};
use crate::diag::{Diagnostic, machine as codes};
use crate::source::Span;
use crate::topology::floorplan::Floorplan;
use crate::topology::machine::Link;
use crate::topology::section::{
    Errors, Given, Section, bandwidth, choice, count, count_or_auto, flag, mm, ns,
};
use crate::topology::{Extent, Grid, PeParams};
use crate::units::{Bandwidth, Ps};

/// Everything about the hierarchical machine that its graph is made from.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Hierarchy {
    pub(in crate::topology) fabric: Fabric,
    pub(in crate::topology) ucie: Ucie,
    pub(in crate::topology) io: IoChiplet,
    pub(in crate::topology) cube: Cube,
    /// Where the parts of a cube lie.
    pub(in crate::topology) floorplan: Floorplan,
}

/// How SIPs are joined, to each other and to the host.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Fabric {
    pub(in crate::topology) kind: FabricKind,
    pub(in crate::topology) grid: Grid,
    pub(in crate::topology) link: Cable,
    pub(in crate::topology) switch: Station,
    pub(in crate::topology) host: Cable,
}

/// How SIPs are joined to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::topology) enum FabricKind {
    /// Each to the next, the last to the first.
    Ring,
    /// A grid that wraps.
    Torus,
    /// A grid that does not.
    Mesh,
    /// Each to one switch.
    Switch,
}

impl FabricKind {
    const NAMES: &'static [(&'static str, FabricKind)] = &[
        ("ring_1d", FabricKind::Ring),
        ("torus_2d", FabricKind::Torus),
        ("mesh_2d_no_wrap", FabricKind::Mesh),
        ("switch", FabricKind::Switch),
    ];

    /// Its name in YAML.
    pub(in crate::topology) fn name(self) -> &'static str {
        let row = Self::NAMES.iter().find(|(_, kind)| *kind == self);
        row.map_or("", |(name, _)| name)
    }

    /// Whether it lies in one row whatever the grid.
    const fn is_line(self) -> bool {
        matches!(self, FabricKind::Ring | FabricKind::Switch)
    }

    const fn wraps(self) -> bool {
        !matches!(self, FabricKind::Mesh)
    }

    /// The grid of `count` SIPs when nobody says.
    pub(in crate::topology) fn grid_of(self, count: u32) -> Grid {
        if self.is_line() {
            return Grid { w: count, h: 1, wraps: self.wraps() };
        }
        near_square(count, self.wraps())
    }
}

/// A kind of link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::topology) struct Cable {
    pub(in crate::topology) bandwidth: Bandwidth,
    pub(in crate::topology) length_mm: f64,
    pub(in crate::topology) wire: Ps,
}

impl Cable {
    pub(super) fn new(bandwidth: Bandwidth, length_mm: f64, ns_per_mm: f64) -> Cable {
        Cable { bandwidth, length_mm, wire: Ps::from_ns(length_mm * ns_per_mm) }
    }

    /// The same wire at another bandwidth.
    pub(super) fn at(self, bandwidth: Bandwidth) -> Cable {
        Cable { bandwidth, ..self }
    }

    /// A link of this kind.
    pub(in crate::topology) fn link(&self) -> Link {
        Link { wire: self.wire, bandwidth: self.bandwidth, length_mm: self.length_mm }
    }
}

/// What a message pays where it passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::topology) struct Station {
    pub(in crate::topology) overhead: Ps,
    pub(in crate::topology) store_and_forward: bool,
}

/// The connections between neighbouring dies.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Ucie {
    pub(in crate::topology) overhead: Ps,
    pub(in crate::topology) connections: u32,
    pub(in crate::topology) cable: Cable,
}

/// The die between the cubes and the outside.
#[derive(Clone, Debug)]
pub(in crate::topology) struct IoChiplet {
    pub(in crate::topology) pcie_ep: Station,
    pub(in crate::topology) io_cpu: Ps,
    pub(in crate::topology) io_noc: Ps,
    pub(in crate::topology) pcie_link: Cable,
    pub(in crate::topology) cpu_link: Cable,
    pub(in crate::topology) ucie_link: Cable,
}

/// Reads all three levels.
pub(super) fn read(
    root: &mut Section<'_>,
    ns_per_mm: f64,
    errors: &mut Errors<'_>,
) -> Option<(Extent, PeParams, Form)> {
    let mut sip = root.section("sip", errors);
    let mesh = read_cube_mesh(&mut sip, errors);
    let ucie = read_ucie(&mut sip, ns_per_mm, errors);
    let io = read_io(&mut sip, ns_per_mm, errors);
    sip.finish(errors);
    let mut system = root.section("system", errors);
    let fabric = read_system(&mut system, &mesh, ns_per_mm, errors);
    system.finish(errors);
    let mut cube = root.section("cube", errors);
    let parts = cube::read(&mut cube, ucie.connections, ns_per_mm, errors);
    cube.finish(errors);
    let CubeParts { cube, pes, params, floorplan } = parts?;
    let extent = Extent { sips: fabric.value.grid, cubes: mesh.value, pes: pes.value };
    let counts = [extent.sips, extent.cubes, extent.pes];
    let counts = counts.map(|grid| u64::from(grid.w) * u64::from(grid.h));
    let span = [fabric.span, mesh.span, pes.span].into_iter().find(|span| !span.is_none());
    check_size(counts, span.unwrap_or(Span::NONE), errors).then_some(())?;
    let form = Hierarchy { fabric: fabric.value, ucie, io, cube, floorplan };
    Some((extent, params, Form::Hierarchy(Box::new(form))))
}

fn read_cube_mesh(sip: &mut Section<'_>, errors: &mut Errors<'_>) -> Given<Grid> {
    let mut mesh = sip.section("cube_mesh", errors);
    let w = mesh.read("w", errors, count(1..=1024)).value;
    let h = mesh.read("h", errors, count(1..=1024)).value;
    let span = mesh.span();
    mesh.finish(errors);
    Given { value: Grid { w, h, wraps: false }, span }
}

fn read_ucie(sip: &mut Section<'_>, ns_per_mm: f64, errors: &mut Errors<'_>) -> Ucie {
    let mut ucie = sip.section("ucie", errors);
    let overhead = ucie.read("overhead_ns", errors, ns).value;
    let connections = ucie.read("connections", errors, count(1..=64)).value;
    let cable = read_cable(&mut ucie, ns_per_mm, errors);
    ucie.finish(errors);
    Ucie { overhead, connections, cable }
}

/// The keys `bw_gbs` and `mm`.
fn read_cable(section: &mut Section<'_>, ns_per_mm: f64, errors: &mut Errors<'_>) -> Cable {
    let rate = section.read("bw_gbs", errors, bandwidth).value;
    let length = section.read("mm", errors, mm).value;
    Cable::new(rate, length, ns_per_mm)
}

/// The keys `overhead_ns` and `store_and_forward`.
fn read_station(section: &mut Section<'_>, errors: &mut Errors<'_>) -> Station {
    let overhead = section.read("overhead_ns", errors, ns).value;
    let store_and_forward = section.read("store_and_forward", errors, flag).value;
    Station { overhead, store_and_forward }
}

fn read_io(sip: &mut Section<'_>, ns_per_mm: f64, errors: &mut Errors<'_>) -> IoChiplet {
    let mut io = sip.section("io_chiplet", errors);
    let mut noc = io.section("io_noc", errors);
    let io_noc = noc.read("overhead_ns", errors, ns).value;
    let ucie_link = read_cable(&mut noc, ns_per_mm, errors);
    noc.finish(errors);
    let mut cpu = io.section("io_cpu", errors);
    let io_cpu = cpu.read("overhead_ns", errors, ns).value;
    let cpu_link = ucie_link.at(cpu.read("bw_gbs", errors, bandwidth).value);
    cpu.finish(errors);
    let mut ep = io.section("pcie_ep", errors);
    let pcie_ep = read_station(&mut ep, errors);
    let pcie_link = ucie_link.at(ep.read("bw_gbs", errors, bandwidth).value);
    ep.finish(errors);
    io.finish(errors);
    IoChiplet { pcie_ep, io_cpu, io_noc, pcie_link, cpu_link, ucie_link }
}

fn read_system(
    system: &mut Section<'_>,
    mesh: &Given<Grid>,
    ns_per_mm: f64,
    errors: &mut Errors<'_>,
) -> Given<Fabric> {
    let mut sips = system.section("sips", errors);
    let number = sips.read("count", errors, count(1..=1 << 20));
    let kind = sips.read("topology", errors, choice(FabricKind::NAMES)).value;
    let grid = read_sip_grid(&mut sips, number, kind, errors);
    check_cubes(&mut sips, mesh, errors);
    sips.finish(errors);
    let mut link = system.section("link", errors);
    let cable = read_cable(&mut link, ns_per_mm, errors);
    link.finish(errors);
    let mut switch = system.section("switch", errors);
    let station = read_station(&mut switch, errors);
    switch.finish(errors);
    let mut host = system.section("host", errors);
    let mut link = host.section("link", errors);
    let to_host = read_cable(&mut link, ns_per_mm, errors);
    link.finish(errors);
    host.finish(errors);
    let fabric = Fabric { kind, grid, link: cable, switch: station, host: to_host };
    Given { value: fabric, span: number.span }
}

fn read_sip_grid(
    sips: &mut Section<'_>,
    number: Given<u32>,
    kind: FabricKind,
    errors: &mut Errors<'_>,
) -> Grid {
    let w = sips.read("w", errors, count_or_auto(1..=1 << 20));
    let h = sips.read("h", errors, count_or_auto(1..=1 << 20));
    let auto = kind.grid_of(number.value);
    let (columns, rows) = match (w.value, h.value) {
        (None, None) => (auto.w, auto.h),
        (Some(w), Some(h)) => (w, h),
        (Some(w), None) => (w, (number.value / w).max(1)),
        (None, Some(h)) => ((number.value / h).max(1), h),
    };
    if u64::from(columns) * u64::from(rows) != u64::from(number.value) {
        errors.report(not_the_count((columns, w.span), (rows, h.span), number));
        return auto;
    }
    if kind.is_line() { auto } else { Grid { w: columns, h: rows, wraps: auto.wraps } }
}

fn not_the_count(w: (u32, Span), h: (u32, Span), number: Given<u32>) -> Diagnostic {
    let (columns, rows, count) = (w.0, h.0, number.value);
    let message = format!("a grid of {columns} × {rows} SIPs does not hold `count` = {count}");
    let spans = [w.1, h.1, number.span];
    let primary = spans.into_iter().find(|span| !span.is_none()).unwrap_or(Span::NONE);
    let product = u64::from(columns) * u64::from(rows);
    let label = format!("{columns} × {rows} = {product}, not {count}");
    let diagnostic = Diagnostic::new(codes::GRID_MISMATCH, message, primary, label);
    let diagnostic = match number.span {
        span if span == primary => diagnostic,
        Span::NONE => diagnostic.note(format!("`system.sips.count` is {count} by default")),
        span => diagnostic.because(span, format!("{count} SIPs here")),
    };
    diagnostic.help("leave out `w` and `h` to have them worked out from `count`")
}

/// Reports a `cubes_per_sip` that is not what `sip.cube_mesh` holds.
fn check_cubes(sips: &mut Section<'_>, mesh: &Given<Grid>, errors: &mut Errors<'_>) {
    let given = sips.read("cubes_per_sip", errors, count_or_auto(1..=1 << 20));
    let Grid { w, h, wraps: _ } = mesh.value;
    let Some(cubes) = given.value.filter(|cubes| *cubes != w * h) else { return };
    let message =
        format!("`cubes_per_sip` is {cubes}, but a mesh of {w} × {h} cubes has {}", w * h);
    let label = format!("expected {}", w * h);
    let diagnostic = Diagnostic::new(codes::GRID_MISMATCH, message, given.span, label);
    errors.report(if mesh.span.is_none() {
        diagnostic.note(format!("`sip.cube_mesh` is {w} × {h} by default"))
    } else {
        diagnostic.because(mesh.span, format!("{w} × {h} cubes here"))
    });
}
