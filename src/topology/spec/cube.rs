//! The keys under `cube`: what a cube holds, what each part costs, and where it lies.

use super::hierarchy::Cable;
use super::{hbm, pe};
use crate::diag::{Diagnostic, machine as codes};
use crate::source::Span;
use crate::topology::floorplan::{Attachments, Blocks, Corner, Floorplan, Misfit, Routers, Zone};
use crate::topology::section::{
    Errors, Given, Problem, Section, bandwidth, count, count_or_auto, mm, ns, place, size,
};
use crate::topology::yaml::{Node, Value};
use crate::topology::{Grid, HbmParams, PeParams};
use crate::units::Ps;

/// The costs of a cube's parts and of the links to their routers.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Cube {
    pub(in crate::topology) router: Ps,
    /// Between neighbouring routers.
    pub(in crate::topology) mesh: Cable,
    /// Between a router and a UCIe port.
    pub(in crate::topology) port: Cable,
    pub(in crate::topology) m_cpu: (Ps, Cable),
    pub(in crate::topology) sram: (Ps, Cable),
    pub(in crate::topology) pe_cpu: (Ps, Cable),
    pub(in crate::topology) pe_dma: Cable,
    pub(in crate::topology) hbm: (Ps, Cable),
}

/// What the keys under `cube` say.
pub(super) struct CubeParts {
    pub(super) cube: Cube,
    pub(super) pes: Given<Grid>,
    pub(super) params: PeParams,
    pub(super) floorplan: Floorplan,
}

/// Reads the keys under `cube`, for a cube with `connections` UCIe connections on a side.
pub(super) fn read(
    section: &mut Section<'_>,
    connections: u32,
    ns_per_mm: f64,
    errors: &mut Errors<'_>,
) -> Option<CubeParts> {
    let blocks = read_layout(section, errors);
    let noc = read_noc(section, ns_per_mm, errors);
    let port = noc.port;
    let (hbm, hbm_params) = read_hbm(section, blocks.as_ref(), port, errors);
    let (sram, sram_at, sram_bytes) = read_sram(section, port, errors);
    let (m_cpu, m_cpu_at) = read_m_cpu(section, port, errors);
    let memories = pe::Memories { hbm: hbm_params, sram_bytes };
    let (params, links) = pe::read(section, memories, errors);
    let pe_cpu = (links.cpu_overhead, port.at(links.cpu));
    let blocks = blocks?;
    let attachments = Attachments { blocks: blocks.value, connections, m_cpu_at, sram_at };
    let floorplan = noc.place_parts(&attachments, blocks.span, errors)?;
    let (w, h) = floorplan.pe_grid();
    let pes = Given { value: Grid { w, h, wraps: false }, span: blocks.span };
    let (router, mesh, pe_dma) = (noc.router, noc.mesh, port.at(links.dma));
    let cube = Cube { router, mesh, port, m_cpu, sram, pe_cpu, pe_dma, hbm };
    Some(CubeParts { cube, pes, params, floorplan })
}

fn read_layout(cube: &mut Section<'_>, errors: &mut Errors<'_>) -> Option<Given<Blocks>> {
    let mut layout = cube.section("pe_layout", errors);
    let each = layout.read("pe_per_corner", errors, count(1..=1024));
    let corners = layout.read("corners", errors, corners);
    layout.finish(errors);
    let Some(value) = Blocks::new(&corners.value, each.value) else {
        errors.report(no_grid(&corners));
        return None;
    };
    let span = if each.span.is_none() { corners.span } else { each.span };
    Some(Given { value, span })
}

fn corners(node: &Node) -> Result<Vec<Corner>, Problem> {
    let wanted = "a list of the corners NW, NE, SW and SE";
    let Value::List(items) = &node.value else {
        return Err(Problem::new(codes::WRONG_TYPE, wanted));
    };
    let corner = |item: &Node| {
        let named = |corner: &Corner| matches!(&item.value, Value::Text(it) if it == corner.name());
        let found = Corner::ALL.into_iter().find(named);
        found.ok_or(Problem::new(codes::UNKNOWN_CHOICE, "`NW`, `NE`, `SW` or `SE`").in_item(item))
    };
    items.iter().map(corner).collect()
}

fn no_grid(corners: &Given<Vec<Corner>>) -> Diagnostic {
    let names: Vec<&str> = corners.value.iter().map(|corner| corner.name()).collect();
    let message = format!("PEs in the corners [{}] do not form a grid", names.join(", "));
    let label = "expected one corner, the two of one side, or all four, each once";
    Diagnostic::new(codes::PE_LAYOUT, message, corners.span, label)
        .note("PEs are numbered row by row, so every row must have as many")
}

/// The keys of `cube.noc`, before anything is placed on it.
struct Noc {
    router: Ps,
    mesh: Cable,
    port: Cable,
    w: Given<Option<u32>>,
    h: Given<Option<u32>>,
    zone: Given<ZoneChoice>,
}

#[derive(Clone, Copy)]
enum ZoneChoice {
    Auto,
    Fixed(Zone),
}

fn read_noc(cube: &mut Section<'_>, ns_per_mm: f64, errors: &mut Errors<'_>) -> Noc {
    let mut noc = cube.section("noc", errors);
    let router = noc.read("overhead_ns", errors, ns).value;
    let rate = noc.read("bw_gbs", errors, bandwidth).value;
    let pitch = noc.read("pitch_mm", errors, mm).value;
    let attach = noc.read("attach_mm", errors, mm).value;
    let w = noc.read("w", errors, count_or_auto(1..=256));
    let h = noc.read("h", errors, count_or_auto(1..=256));
    let zone = read_zone(&mut noc, errors);
    noc.finish(errors);
    let cable = |length| Cable::new(rate, length, ns_per_mm);
    Noc { router, mesh: cable(pitch), port: cable(attach), w, h, zone }
}

fn read_zone(noc: &mut Section<'_>, errors: &mut Errors<'_>) -> Given<ZoneChoice> {
    if !noc.holds_keys("hbm_zone") {
        return noc.read("hbm_zone", errors, zone_word);
    }
    let mut zone = noc.section("hbm_zone", errors);
    let [x, y, w, h] = ["x", "y", "w", "h"]
        .map(|key| zone.require(key, errors, count(0..=256)).map_or(0, |given| given.value));
    let span = zone.span();
    zone.finish(errors);
    Given { value: ZoneChoice::Fixed(Zone { x, y, w, h }), span }
}

fn zone_word(node: &Node) -> Result<ZoneChoice, Problem> {
    let wanted = "auto, none, or the keys x, y, w and h";
    match &node.value {
        Value::Text(word) if word == "auto" => Ok(ZoneChoice::Auto),
        Value::Text(word) if word == "none" => Ok(ZoneChoice::Fixed(Zone::NONE)),
        Value::Text(_) => Err(Problem::new(codes::UNKNOWN_CHOICE, wanted)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Keys(_) => Err(Problem::new(codes::WRONG_TYPE, wanted)),
    }
}

impl Noc {
    /// Gives every part its router. `pes` is where the number of PEs comes from.
    fn place_parts(
        &self,
        parts: &Attachments,
        pes: Span,
        errors: &mut Errors<'_>,
    ) -> Option<Floorplan> {
        let (pe_w, pe_h) = parts.blocks.grid();
        let w = self.w.value.unwrap_or(pe_w.max(parts.connections) + 2);
        let h = self.h.value.unwrap_or(pe_h.max(parts.connections) + 2);
        let zone = match self.zone.value {
            ZoneChoice::Auto => Zone::centre(w, h),
            ZoneChoice::Fixed(zone) => zone,
        };
        match Floorplan::new(Routers { w, h, zone }, parts) {
            Ok(floorplan) => Some(floorplan),
            Err(misfit) => {
                errors.report(self.misfit((w, h), parts, misfit, pes));
                None
            }
        }
    }

    fn misfit(
        &self,
        size: (u32, u32),
        parts: &Attachments,
        misfit: Misfit,
        pes: Span,
    ) -> Diagnostic {
        let (w, h) = size;
        let zone = self.zone.span;
        match misfit {
            Misfit::Pes => {
                let (columns, rows) = parts.blocks.grid();
                let what = format!("{columns} × {rows} PEs of a cube");
                self.too_few(size, (columns, rows), &what).because(pes, "PEs of a cube")
            }
            Misfit::Connections => {
                let many = parts.connections;
                self.too_few(size, (many, many), &format!("{many} UCIe connections on each side"))
            }
            Misfit::NoRouter => {
                let message = format!("`hbm_zone` displaces all of the {w} × {h} routers");
                Diagnostic::new(codes::UNREACHABLE_PE, message, zone, "no router is left")
            }
            Misfit::Unreachable(part) => {
                let message = format!("`hbm_zone` cuts {part} off from pe0");
                let label = "no way leads around these routers";
                Diagnostic::new(codes::UNREACHABLE_PE, message, zone, label)
            }
        }
    }

    /// `size` routers where at least `needed` are needed for `what`.
    fn too_few(&self, size: (u32, u32), needed: (u32, u32), what: &str) -> Diagnostic {
        let (w, h) = size;
        let message = format!("{w} × {h} routers are too few for {what}");
        let (span, label) = if w < needed.0 {
            (self.w.span, format!("expected at least {} columns", needed.0))
        } else {
            (self.h.span, format!("expected at least {} rows", needed.1))
        };
        Diagnostic::new(codes::NOC_TOO_SMALL, message, span, label)
            .help("leave out `w` and `h` to have them worked out")
    }
}

type Part = (Ps, Cable);

/// The link and overhead of each PE's HBM controller, and what is behind it.
fn read_hbm(
    cube: &mut Section<'_>,
    blocks: Option<&Given<Blocks>>,
    port: Cable,
    errors: &mut Errors<'_>,
) -> (Part, HbmParams) {
    let mut ctrl = cube.section("hbm_ctrl", errors);
    let raw = ctrl.read("hbm_to_router_bw_gbs", errors, bandwidth).value;
    let (mut params, efficiency) = hbm::read(&mut ctrl, true, errors);
    ctrl.finish(errors);
    let rate = hbm::scaled(raw, efficiency);
    let mut map = cube.section("memory_map", errors);
    let total = map.read("hbm_total_gb_per_cube", errors, size(1 << 30, "GB")).value;
    let slices = map.read("hbm_slices_per_cube", errors, count_or_auto(1..=1 << 20));
    map.finish(errors);
    let pes = blocks.map(|blocks| blocks.value.pe_count());
    if let (Some(given), Some(pes)) = (slices.value, pes)
        && given != pes
    {
        errors.report(not_one_each(given, slices.span, pes, blocks.map_or(Span::NONE, |b| b.span)));
    }
    params.bytes = total / u64::from(pes.unwrap_or(1));
    ((params.overhead, port.at(rate)), params)
}

fn not_one_each(slices: u32, span: Span, pes: u32, blocks: Span) -> Diagnostic {
    let message = format!("a cube has {slices} slices of HBM for {pes} PEs, expected one a PE");
    let diagnostic = Diagnostic::new(codes::HBM_SLICES, message, span, format!("expected {pes}"));
    let diagnostic = match blocks {
        Span::NONE => diagnostic.note(format!("`cube.pe_layout` gives {pes} PEs by default")),
        blocks => diagnostic.because(blocks, format!("{pes} PEs with this")),
    };
    diagnostic.help("leave out `hbm_slices_per_cube` to have a slice for each PE")
}

fn read_sram(
    cube: &mut Section<'_>,
    port: Cable,
    errors: &mut Errors<'_>,
) -> (Part, (f64, f64), u64) {
    let mut sram = cube.section("sram", errors);
    let bytes = sram.read("size_mb", errors, size(1 << 20, "MB")).value;
    let overhead = sram.read("overhead_ns", errors, ns).value;
    let rate = sram.read("sram_to_router_bw_gbs", errors, bandwidth).value;
    let at = sram.read("at", errors, place).value;
    sram.finish(errors);
    ((overhead, port.at(rate)), at, bytes)
}

fn read_m_cpu(cube: &mut Section<'_>, port: Cable, errors: &mut Errors<'_>) -> (Part, (f64, f64)) {
    let mut m_cpu = cube.section("m_cpu", errors);
    let overhead = m_cpu.read("overhead_ns", errors, ns).value;
    let rate = m_cpu.read("bw_gbs", errors, bandwidth).value;
    let at = m_cpu.read("at", errors, place).value;
    m_cpu.finish(errors);
    ((overhead, port.at(rate)), at)
}
