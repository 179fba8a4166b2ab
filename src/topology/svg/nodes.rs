//! The picture of a `machine` form: replicated PEs on their grid or a ring, the rest inside.

use std::f64::consts::TAU;

use super::canvas::{Anchor, Canvas};
use crate::topology::dot::color;
use crate::topology::machine::{Machine, NodeKind};
use crate::topology::show::{counts, rate};
use crate::topology::spec::{NodeForm, Replicas};
use crate::topology::{LinkId, NodeId, Spec};

const MARGIN: f64 = 70.0;
const HEADING: f64 = 50.0;
/// The most links that are drawn.
const MAX_LINKS: usize = 20_000;

/// Draws nodes, links, and what the links are.
pub(super) fn draw(spec: &Spec, form: &NodeForm, machine: &Machine) -> String {
    let places = places(form);
    let across = |at: fn(&(f64, f64)) -> f64| places.iter().map(at).fold(0.0, f64::max);
    let (right, bottom) = (across(|at| at.0) + MARGIN, across(|at| at.1) + MARGIN);
    let mut canvas = Canvas::new();
    let title = format!("{}: {}", spec.name(), counts(spec));
    canvas.label((20.0, 32.0), 20.0, Anchor::Start, &title);
    let grid = form.replicas.as_ref().filter(|it| it.h > 1);
    let sides = grid.map(|it| {
        let side = |count: u32| if count > 2 { f64::from(count - 1) * pitch(it) } else { 0.0 };
        (side(it.w), side(it.h))
    });
    draw_links(&mut canvas, machine, &places, sides);
    draw_nodes(&mut canvas, machine, &places);
    let bottom = draw_legend(&mut canvas, machine, bottom);
    canvas.finish(right.max(420.0), bottom)
}

/// Where each node stands.
fn places(form: &NodeForm) -> Vec<(f64, f64)> {
    if let Some(replicas) = form.replicas.as_ref().filter(|it| it.h > 1) {
        return on_grid(replicas, form.nodes.len());
    }
    let pes = form.pes().count();
    let radius = (pes as f64 * 4.0).clamp(120.0, 700.0);
    let centre = (MARGIN + radius, HEADING + MARGIN + radius);
    let on_circle = |index: usize, of: usize, radius: f64| {
        let angle = TAU * index as f64 / of.max(1) as f64 - TAU / 4.0;
        (centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin())
    };
    let others = form.node_count() - pes;
    let mut is_pe = vec![false; form.node_count()];
    for pe in form.pes() {
        if let Some(slot) = is_pe.get_mut(pe as usize) {
            *slot = true;
        }
    }
    let (mut pe, mut other) = (0, 0);
    let inner = if others > 1 { radius / 3.0 } else { 0.0 };
    is_pe
        .into_iter()
        .map(|is_pe| {
            let (count, of, radius) =
                if is_pe { (&mut pe, pes, radius) } else { (&mut other, others, inner) };
            *count += 1;
            on_circle(*count - 1, of, radius)
        })
        .collect()
}

/// Between neighbours of the grid.
fn pitch(replicas: &Replicas) -> f64 {
    (1400.0 / f64::from(replicas.w.max(replicas.h))).clamp(12.0, 80.0)
}

/// Replicas on their grid, listed nodes in a row below.
fn on_grid(replicas: &Replicas, listed: usize) -> Vec<(f64, f64)> {
    let pitch = pitch(replicas);
    let at = |x: f64, y: f64| (MARGIN + x * pitch, HEADING + MARGIN + y * pitch);
    let each = replicas.each();
    // The nodes of one copy stand beside each other, a third of the way to the next.
    let aside = 1.0 / (3.0 * f64::from(each));
    let grid = (0..replicas.count() * each).map(|node| {
        let (copy, part) = (node / each, f64::from(node % each) * aside);
        at(f64::from(copy % replicas.w) + part, f64::from(copy / replicas.w) + part)
    });
    let below = f64::from(replicas.h) + 0.5;
    grid.chain((0..listed).map(|node| at(node as f64, below))).collect()
}

/// How long a link is drawn that wraps around the grid.
const STUB: f64 = 22.0;

fn draw_links(
    canvas: &mut Canvas,
    machine: &Machine,
    places: &[(f64, f64)],
    wrap: Option<(f64, f64)>,
) {
    let place = |node: NodeId| places.get(node.0 as usize).copied().unwrap_or_default();
    let (mut both_ways, mut one_way, mut around) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..machine.link_count().min(MAX_LINKS) {
        let (from, to) = machine.ends(LinkId(index as u32));
        let back = machine.links_from(to).iter().any(|(_, target)| *target == from);
        let lines = if back { &mut both_ways } else { &mut one_way };
        let ends = [place(from), place(to)];
        match wrap.filter(|sides| spans(ends, *sides)) {
            Some(_) => around.extend(stubs(ends)),
            None => lines.push(ends),
        }
    }
    let opacity = if machine.link_count() > 2000 { 0.25 } else { 0.7 };
    let style = format!("stroke=\"#868e96\" stroke-opacity=\"{opacity}\"");
    canvas.lines(&both_ways, &style);
    canvas.lines(&one_way, &style);
    canvas.lines(&around, &style);
    let heads = one_way.into_iter().filter(|_| places.len() <= 256);
    let heads: Vec<[(f64, f64); 2]> = heads.flat_map(head).collect();
    canvas.lines(&heads, "stroke=\"#495057\" stroke-width=\"1.5\"");
}

/// Whether a line runs along a whole side of the grid.
fn spans(ends: [(f64, f64); 2], sides: (f64, f64)) -> bool {
    let [from, to] = ends;
    let along = |a: f64, b: f64, side: f64| side > 0.0 && (a - b).abs() > side - 1.0;
    along(from.0, to.0, sides.0) || along(from.1, to.1, sides.1)
}

/// Two short lines away from each other, for a link around the edge.
fn stubs(ends: [(f64, f64); 2]) -> [[(f64, f64); 2]; 2] {
    let [from, to] = ends;
    let away = |from: f64, to: f64| if from == to { 0.0 } else { STUB.copysign(from - to) };
    let (dx, dy) = (away(from.0, to.0), away(from.1, to.1));
    [[from, (from.0 + dx, from.1 + dy)], [(to.0 - dx, to.1 - dy), to]]
}

/// An arrow's head in the middle of a line.
fn head(ends: [(f64, f64); 2]) -> [[(f64, f64); 2]; 2] {
    let [(x1, y1), (x2, y2)] = ends;
    let length = (x2 - x1).hypot(y2 - y1).max(1.0);
    let (ux, uy) = ((x2 - x1) / length, (y2 - y1) / length);
    let (x, y) = ((x1 + x2) / 2.0 + 3.0 * ux, (y1 + y2) / 2.0 + 3.0 * uy);
    let barb = |side: f64| (x - 6.0 * ux - side * 4.0 * uy, y - 6.0 * uy + side * 4.0 * ux);
    [[(x, y), barb(1.0)], [(x, y), barb(-1.0)]]
}

fn draw_nodes(canvas: &mut Canvas, machine: &Machine, places: &[(f64, f64)]) {
    let radius = (600.0 / places.len().max(1) as f64).clamp(2.5, 13.0);
    for ((_, node), (x, y)) in machine.nodes().zip(places) {
        let style = format!("fill=\"{}\" stroke=\"#495057\"", color(node.kind));
        match node.kind {
            NodeKind::PeDma => canvas.circle(*x, *y, radius, &style),
            NodeKind::PeCpu
            | NodeKind::HbmCtrl
            | NodeKind::Sram
            | NodeKind::MCpu
            | NodeKind::Router
            | NodeKind::Ucie
            | NodeKind::IoNoc
            | NodeKind::IoCpu
            | NodeKind::PcieEp
            | NodeKind::Switch
            | NodeKind::Host => {
                let area = (x - radius, y - radius, 2.0 * radius, 2.0 * radius);
                canvas.rect(area, 3.0, &style);
            }
        }
        if radius > 8.0 {
            let short = node.name.strip_prefix("pe").unwrap_or(&node.name);
            canvas.label((*x, y + 4.0), radius.min(11.0), Anchor::Middle, short);
        }
    }
}

/// One line for each kind of link, at most eight; gives the bottom.
fn draw_legend(canvas: &mut Canvas, machine: &Machine, top: f64) -> f64 {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for index in 0..machine.link_count() {
        let link = machine.link(LinkId(index as u32));
        let text = format!("{} GB/s, {}", rate(link.bandwidth), link.wire);
        if let Some((_, count)) = kinds.iter_mut().find(|(other, _)| *other == text) {
            *count += 1;
        } else if kinds.len() < 8 {
            kinds.push((text, 1));
        }
    }
    let mut y = top;
    for (text, count) in kinds {
        canvas.label((20.0, y), 13.0, Anchor::Start, &format!("{count} links of {text}"));
        y += 20.0;
    }
    y + 10.0
}
