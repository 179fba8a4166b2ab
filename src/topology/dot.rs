//! A machine as a Graphviz graph. Small machines are drawn node by node, with a cluster for each
//! SIP and each cube; large ones with a box for each cube.

use std::fmt::Write;

use rustc_hash::{FxHashMap, FxHashSet};

use super::show::rate;
use super::{Link, LinkId, Machine, NodeId, NodeKind};

/// The most nodes that are drawn one by one; Graphviz itself gives up somewhat later.
const MAX_DRAWN: usize = 4096;

/// The graph in the DOT language. Two links that differ only in direction are one edge.
pub fn dot(machine: &Machine) -> String {
    let mut out = format!("digraph {} {{\n", quoted(machine.name()));
    out.push_str("  graph [rankdir=LR, fontname=\"Helvetica\", compound=true];\n");
    out.push_str("  node [shape=box, style=filled, fillcolor=white, fontname=\"Helvetica\"];\n");
    out.push_str("  edge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.5];\n");
    if machine.graph().node_count() <= MAX_DRAWN {
        draw_nodes(&mut out, machine);
        draw_links(&mut out, machine);
    } else {
        draw_groups(&mut out, machine);
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The levels of a name above its last part: `sip0` and `cube3` of `sip0.cube3.pe5.dma`.
fn levels(name: &str) -> (&str, &str) {
    let mut parts = name.split('.');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    match (first, second, third) {
        (Some(sip), Some(cube), Some(_)) => (sip, cube),
        _ => ("", ""),
    }
}

fn draw_nodes(out: &mut String, machine: &Machine) {
    let mut groups: Vec<((&str, &str), Vec<NodeId>)> = Vec::new();
    let mut places: FxHashMap<(&str, &str), usize> = FxHashMap::default();
    for (id, node) in machine.nodes() {
        let key = levels(&node.name);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(id);
    }
    groups.sort_by_key(|((sip, _), nodes)| (nodes.first().copied(), *sip));
    let sips = groups.chunk_by(|((a, _), _), ((b, _), _)| a == b);
    for sip in sips {
        let name = sip.first().map_or("", |((sip, _), _)| sip);
        open_cluster(out, name, name, "#f4f6f8");
        for ((_, cube), nodes) in sip {
            open_cluster(out, &format!("{name}.{cube}"), cube, "#ffffff");
            for node in nodes {
                draw_node(out, machine, *node);
            }
            close_cluster(out, cube);
        }
        close_cluster(out, name);
    }
}

fn open_cluster(out: &mut String, name: &str, label: &str, color: &str) {
    if !label.is_empty() {
        let (name, label) = (quoted(&format!("cluster_{name}")), quoted(label));
        let _ =
            writeln!(out, "  subgraph {name} {{ label={label}; style=filled; color=\"{color}\";");
    }
}

fn close_cluster(out: &mut String, label: &str) {
    if !label.is_empty() {
        out.push_str("  }\n");
    }
}

fn draw_node(out: &mut String, machine: &Machine, id: NodeId) {
    let node = machine.node(id);
    let (sip, cube) = levels(&node.name);
    let inside = node.name.strip_prefix(&format!("{sip}.{cube}.")).unwrap_or(&node.name);
    let color = color(node.kind);
    let _ = writeln!(out, "    {id} [label={}, fillcolor=\"{color}\"];", quoted(inside));
}

/// The colour of each kind of node, in every picture.
pub(super) const fn color(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::PeCpu | NodeKind::PeDma => "#8ecae6",
        NodeKind::HbmCtrl => "#f6bd60",
        NodeKind::Sram => "#f7d794",
        NodeKind::MCpu | NodeKind::IoCpu => "#cdb4db",
        NodeKind::Router | NodeKind::IoNoc => "#dee2e6",
        NodeKind::Ucie => "#95d5b2",
        NodeKind::PcieEp | NodeKind::Switch => "#f4978e",
        NodeKind::Host => "#ced4da",
    }
}

fn draw_links(out: &mut String, machine: &Machine) {
    for index in 0..machine.link_count() {
        let id = LinkId(index as u32);
        let (from, to) = machine.ends(id);
        let link = machine.link(id);
        let back = machine
            .links_from(to)
            .into_iter()
            .find(|(other, target)| *target == from && machine.link(*other) == link);
        let label = label(link);
        match back {
            Some(_) if to < from => {}
            Some(_) => {
                let _ = writeln!(out, "  {from} -> {to} [dir=both, label=\"{label}\"];");
            }
            None => {
                let _ = writeln!(out, "  {from} -> {to} [label=\"{label}\"];");
            }
        }
    }
}

fn label(link: &Link) -> String {
    format!("{} GB/s, {}", rate(link.bandwidth), link.wire)
}

/// A box for each cube, IO chiplet and lone node, and the links between boxes.
fn draw_groups(out: &mut String, machine: &Machine) {
    let mut boxes: Vec<(String, u32)> = Vec::new();
    let mut box_of: FxHashMap<String, usize> = FxHashMap::default();
    let mut place = Vec::new();
    for (_, node) in machine.nodes() {
        let name = match levels(&node.name) {
            ("", _) => node.name.clone(),
            (sip, cube) => format!("{sip}.{cube}"),
        };
        let index = *box_of.entry(name.clone()).or_insert_with(|| {
            boxes.push((name, 0));
            boxes.len() - 1
        });
        boxes[index].1 += u32::from(node.kind == NodeKind::PeDma);
        place.push(index);
    }
    for (index, (name, pes)) in boxes.iter().enumerate() {
        let label = if *pes == 0 { name.clone() } else { format!("{name}\n{pes} PEs") };
        let label = quoted(&label).replace('\n', "\\n");
        let _ = writeln!(out, "  b{index} [label={label}];");
    }
    let mut joined: FxHashSet<(usize, usize)> = FxHashSet::default();
    for index in 0..machine.link_count() {
        let id = LinkId(index as u32);
        let (from, to) = machine.ends(id);
        let ends = (place[from.0 as usize], place[to.0 as usize]);
        if ends.0 != ends.1 && joined.insert(ends) {
            let label = label(machine.link(id));
            let _ = writeln!(out, "  b{} -> b{} [label=\"{label}\"];", ends.0, ends.1);
        }
    }
}
