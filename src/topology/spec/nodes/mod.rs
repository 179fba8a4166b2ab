//! The `machine` form: nodes and links one by one, groups of them used many times, and one PE or
//! group replicated along a ring or grid.
//!
//! - [`replicas`]: what is replicated, stored once however often it is there;
//! - [`listed`]: nodes, and groups of them;
//! - [`links`]: links between names, and between many names at once.

mod links;
mod listed;
mod replicas;

use self::listed::Part;
pub(in crate::topology) use self::replicas::Replicas;
use super::hbm;
use super::pe::{self, Memories};
use super::{Form, Spec, check_size};
use crate::diag::{Diagnostic, machine as codes};
use crate::source::Span;
use crate::topology::machine::{Link, NodeKind};
use crate::topology::reach::{Arc, unreached};
use crate::topology::section::{Errors, Section, bandwidth, ns, size};
use crate::topology::{Extent, Grid, HbmParams, PeParams};
use crate::units::{Ps, grouped};

/// The most nodes that a machine may have, and so what a group may come to.
const MAX_NODES: u64 = 1 << 22;

/// The most links that a machine may have.
const MAX_LINKS: u64 = 1 << 23;

/// A machine of any shape. Its PEs are one node each.
#[derive(Clone, Debug)]
pub(in crate::topology) struct NodeForm {
    /// What is replicated; its nodes are numbered before all others.
    pub(in crate::topology) replicas: Option<Replicas>,
    /// Every listed node.
    pub(in crate::topology) nodes: Vec<Listed>,
    /// Every listed link, by the numbers of its nodes: replicas first, then listed ones.
    pub(in crate::topology) links: Vec<Wire>,
}

/// A link by the numbers of its nodes: from, to.
pub(in crate::topology) type Wire = (u32, u32, Link);

/// A listed node.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Listed {
    pub(in crate::topology) name: String,
    pub(in crate::topology) kind: NodeKind,
    pub(in crate::topology) overhead: Ps,
    pub(in crate::topology) store_and_forward: bool,
    pub(in crate::topology) multicast: bool,
    span: Span,
}

impl NodeForm {
    /// How many nodes there are.
    pub(in crate::topology) fn node_count(&self) -> usize {
        self.replicated() as usize + self.nodes.len()
    }

    /// How many of them are replicated.
    fn replicated(&self) -> u32 {
        self.replicas.as_ref().map_or(0, Replicas::node_count)
    }

    /// Every link: from, to, and what it is.
    pub(in crate::topology) fn all_links(&self) -> impl Iterator<Item = (u32, u32, &Link)> {
        let replicated = self.replicas.iter().flat_map(Replicas::links);
        replicated.chain(self.links.iter().map(|(from, to, link)| (*from, *to, link)))
    }

    /// The numbers of the nodes that are PEs, in order.
    pub(in crate::topology) fn pes(&self) -> impl Iterator<Item = u32> {
        let listed = self.nodes.iter().zip(self.replicated()..);
        let listed = listed.filter(|(node, _)| node.kind == NodeKind::PeDma);
        let replicas = self.replicas.iter().flat_map(Replicas::pes);
        replicas.chain(listed.map(|(_, number)| number))
    }

    /// The node of a number, and the name of it.
    fn node(&self, number: u32) -> Option<(String, &Listed)> {
        if let Some(replicas) = self.replicas.as_ref().filter(|it| number < it.node_count()) {
            return Some((replicas.name(number), replicas.node(number)));
        }
        let listed = self.nodes.get((number - self.replicated()) as usize)?;
        Some((listed.name.clone(), listed))
    }

    /// The name of a node.
    pub(in crate::topology) fn name(&self, number: u32) -> String {
        self.node(number).map_or_else(String::new, |(name, _)| name)
    }

    fn span(&self, number: u32) -> Span {
        match self.replicas.as_ref().filter(|it| number < it.node_count()) {
            Some(replicas) => replicas.span,
            None => self.node(number).map_or(Span::NONE, |(_, node)| node.span),
        }
    }
}

/// Reads `machine`.
pub(super) fn read(
    root: &mut Section<'_>,
    errors: &mut Errors<'_>,
) -> Option<(Extent, PeParams, Form)> {
    let mut machine = root.section_like("machine", "cube", errors);
    let span = machine.span();
    let groups = listed::read_groups(&mut machine, errors);
    let replicas = replicas::read(&mut machine, &groups, errors);
    let nodes = listed::read(&mut machine, &groups, replicas.as_ref(), errors);
    let part = Part { replicas: replicas.as_ref(), nodes: &nodes.0 };
    let mut links = nodes.1;
    links.extend(links::read(&mut machine, &part, errors));
    let form = NodeForm { replicas, nodes: nodes.0, links };
    let memories = read_memories(&mut machine, errors);
    let params = pe::read_unattached(&mut machine, memories, errors);
    machine.finish(errors);
    errors.check().ok()?;
    let pes = form.pes().count() as u32;
    if pes == 0 {
        let message = "the machine has no PEs";
        let label = "expected `replicate`, or a node with `kind: pe`";
        errors.report(Diagnostic::new(codes::NO_PES, message, span, label));
        return None;
    }
    check_reach(&form, errors);
    let one = Grid { w: 1, h: 1, wraps: false };
    let grid = form.replicas.as_ref().filter(|it| it.count() == pes).map(|it| (it.w, it.h));
    let (w, h) = grid.unwrap_or((pes, 1));
    let extent = Extent { sips: one, cubes: one, pes: Grid { w, h, wraps: false } };
    check_size([1, 1, pes.into()], span, errors).then_some(())?;
    Some((extent, params, Form::Nodes(Box::new(form))))
}

fn read_memories(machine: &mut Section<'_>, errors: &mut Errors<'_>) -> Memories {
    let mut map = machine.section("memory_map", errors);
    let given = map.read_given("hbm_gb_per_pe", errors, size(1 << 30, "GB"));
    map.finish(errors);
    let bytes = given.map_or_else(|| Spec::implied().params().hbm.bytes, |given| given.value);
    let mut ctrl = machine.section("hbm_ctrl", errors);
    let (hbm, _) = hbm::read(&mut ctrl, false, errors);
    ctrl.finish(errors);
    let mut sram = machine.section("sram", errors);
    let sram_bytes = sram.read("size_mb", errors, size(1 << 20, "MB")).value;
    sram.finish(errors);
    Memories { hbm: HbmParams { bytes, ..hbm }, sram_bytes }
}

/// The keys `bw_gbs` and `latency_ns`.
fn read_link(item: &mut Section<'_>, errors: &mut Errors<'_>) -> Option<Link> {
    let rate = item.require("bw_gbs", errors, bandwidth);
    let wire = item.require("latency_ns", errors, ns);
    Some(Link { wire: wire?.value, bandwidth: rate?.value, length_mm: 0.0 })
}

fn too_many(what: &str, found: u64, limit: u64, span: Span) -> Diagnostic {
    let (found, limit) = (grouped(found), grouped(limit));
    let message = format!("the machine has {found} {what}, expected at most {limit}");
    Diagnostic::new(codes::MACHINE_TOO_LARGE, message, span, "too many with this")
}

/// Reports the first PE that the first one cannot reach, and the first that cannot reach it.
fn check_reach(form: &NodeForm, errors: &mut Errors<'_>) {
    let passes = |number: u32| form.node_kind(number).is_some_and(NodeKind::passes_messages);
    let links = form.all_links().filter(|(from, _, _)| passes(*from));
    let arcs: Vec<Arc> = links.map(|(from, to, _)| Arc { from, to }).collect();
    let Some(start) = form.pes().next() else { return };
    let first = form.name(start);
    let count = form.node_count();
    let backwards: Vec<Arc> = arcs.iter().map(|arc| Arc { from: arc.to, to: arc.from }).collect();
    let one_way = unreached(count, &arcs, start, form.pes());
    if let Some(pe) = one_way {
        let message = format!("no way leads from `{first}` to `{}`", form.name(pe));
        errors.report(lost(message, form.span(pe)));
    }
    if let Some(pe) =
        unreached(count, &backwards, start, form.pes()).filter(|it| one_way != Some(*it))
    {
        let message = format!("no way leads from `{}` to `{first}`", form.name(pe));
        errors.report(lost(message, form.span(pe)));
    }
}

impl NodeForm {
    fn node_kind(&self, number: u32) -> Option<NodeKind> {
        match self.replicas.as_ref().filter(|it| number < it.node_count()) {
            Some(replicas) => Some(replicas.node(number).kind),
            None => self.nodes.get((number - self.replicated()) as usize).map(|node| node.kind),
        }
    }
}

fn lost(message: String, span: Span) -> Diagnostic {
    Diagnostic::new(codes::UNREACHABLE_PE, message, span, "cut off from other PEs")
        .note("every PE must be able to send to every other")
}
