//! The `machine` form: nodes and links one by one, or one PE replicated along a ring or grid.

use rustc_hash::FxHashMap;

use super::pe::{self, Memories};
use super::{Form, Spec, check_size};
use crate::diag::{Diagnostic, machine as codes, nearest_help};
use crate::source::Span;
use crate::topology::machine::{Link, NodeKind};
use crate::topology::reach::{Arc, unreached};
use crate::topology::section::{
    Errors, Given, Problem, Section, bandwidth, choice, count, flag, ns, size, text,
};
use crate::topology::yaml::{Node, Value};
use crate::topology::{Extent, Grid, HbmParams, PeParams};
use crate::units::{Ps, grouped};

/// The most PEs that replicating may make.
const MAX_REPLICAS: u32 = 1 << 22;

/// The most links that replicating may make.
const MAX_LINKS: u64 = 1 << 23;

/// A machine of any shape. Its PEs are one node each.
#[derive(Clone, Debug)]
pub(in crate::topology) struct NodeForm {
    /// The replicated PEs; they are numbered before all others.
    pub(in crate::topology) replicas: Option<Replicas>,
    /// Every listed node.
    pub(in crate::topology) nodes: Vec<Listed>,
    /// Every listed link, by the numbers of its nodes: replicas first, then listed ones.
    pub(in crate::topology) links: Vec<(u32, u32, Link)>,
}

/// A listed node.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Listed {
    pub(in crate::topology) name: String,
    pub(in crate::topology) kind: NodeKind,
    pub(in crate::topology) overhead: Ps,
    pub(in crate::topology) store_and_forward: bool,
    span: Span,
}

/// PEs `pe0`, `pe1`, … in a grid, row by row, each with the same links.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Replicas {
    pub(in crate::topology) w: u32,
    pub(in crate::topology) h: u32,
    pub(in crate::topology) steps: Vec<Step>,
    span: Span,
}

/// A link from each replica to the one some columns and rows further.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Step {
    columns: i64,
    rows: i64,
    wrap: bool,
    pub(in crate::topology) link: Link,
}

impl Replicas {
    /// How many there are.
    pub(in crate::topology) fn count(&self) -> u32 {
        self.w * self.h
    }

    /// Every link: from, to, and what it is.
    pub(in crate::topology) fn links(&self) -> impl Iterator<Item = (u32, u32, &Link)> {
        self.steps.iter().flat_map(move |step| {
            let pairs = (0..self.count())
                .filter_map(move |from| Some((from, self.target(step, from)?, &step.link)));
            pairs.filter(|(from, to, _)| from != to)
        })
    }

    fn target(&self, step: &Step, from: u32) -> Option<u32> {
        let along = |at: u32, by: i64, side: u32| {
            let to = i64::from(at) + by;
            let wrapped = if step.wrap { to.rem_euclid(i64::from(side)) } else { to };
            u32::try_from(wrapped).ok().filter(|to| *to < side)
        };
        let x = along(from % self.w, step.columns, self.w)?;
        let y = along(from / self.w, step.rows, self.h)?;
        Some(y * self.w + x)
    }
}

impl NodeForm {
    /// How many nodes there are.
    pub(in crate::topology) fn node_count(&self) -> usize {
        self.replicas.as_ref().map_or(0, |it| it.count() as usize) + self.nodes.len()
    }

    /// Every link: from, to, and what it is.
    pub(in crate::topology) fn all_links(&self) -> impl Iterator<Item = (u32, u32, &Link)> {
        let replicated = self.replicas.iter().flat_map(Replicas::links);
        replicated.chain(self.links.iter().map(|(from, to, link)| (*from, *to, link)))
    }

    /// The numbers of the nodes that are PEs, in order.
    pub(in crate::topology) fn pes(&self) -> impl Iterator<Item = u32> {
        let replicas = self.replicas.as_ref().map_or(0, Replicas::count);
        let listed = self.nodes.iter().zip(replicas..);
        let listed = listed.filter(|(node, _)| node.kind == NodeKind::PeDma);
        (0..replicas).chain(listed.map(|(_, number)| number))
    }

    /// The name of a node.
    pub(in crate::topology) fn name(&self, number: u32) -> String {
        let replicas = self.replicas.as_ref().map_or(0, Replicas::count);
        let listed = number.checked_sub(replicas).and_then(|it| self.nodes.get(it as usize));
        listed.map_or_else(|| format!("pe{number}"), |node| node.name.clone())
    }

    fn span(&self, number: u32) -> Span {
        let replicas = self.replicas.as_ref();
        let first = replicas.map_or(0, Replicas::count);
        let listed = number.checked_sub(first).and_then(|it| self.nodes.get(it as usize));
        listed.map_or(replicas.map_or(Span::NONE, |it| it.span), |node| node.span)
    }
}

/// Reads `machine`.
pub(super) fn read(
    root: &mut Section<'_>,
    errors: &mut Errors<'_>,
) -> Option<(Extent, PeParams, Form)> {
    let mut machine = root.section_like("machine", "cube", errors);
    let span = machine.span();
    let replicas = read_replicas(&mut machine, errors);
    let nodes = read_nodes(&mut machine, replicas.as_ref(), errors);
    let mut form = NodeForm { replicas, nodes, links: Vec::new() };
    form.links = read_links(&mut machine, &form, errors);
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
    let hbm = map.read_given("hbm_gb_per_pe", errors, size(1 << 30, "GB"));
    map.finish(errors);
    let bytes = hbm.map_or_else(|| Spec::implied().params().hbm.bytes, |given| given.value);
    let mut ctrl = machine.section("hbm_ctrl", errors);
    let overhead = ctrl.read("overhead_ns", errors, ns).value;
    let atomic = ctrl.read("atomic_ns", errors, ns).value;
    ctrl.finish(errors);
    let mut sram = machine.section("sram", errors);
    let sram_bytes = sram.read("size_mb", errors, size(1 << 20, "MB")).value;
    sram.finish(errors);
    Memories { hbm: HbmParams { bytes, overhead, atomic }, sram_bytes }
}

fn read_replicas(machine: &mut Section<'_>, errors: &mut Errors<'_>) -> Option<Replicas> {
    if !machine.has("replicate") {
        machine.ignore("replicate");
        return None;
    }
    let mut section = machine.section("replicate", errors);
    let sides = section.require("count", errors, sides);
    let items = section.list("links", errors);
    let path = section.path_of("links");
    let span = section.key_span("count");
    section.finish(errors);
    let (w, h) = sides?.value;
    let mut replicas = Replicas { w, h, steps: Vec::new(), span };
    for (index, item) in items.iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let step = read_step(&mut item, &replicas, errors);
        item.finish(errors);
        replicas.steps.extend(step);
    }
    let links = replicas.steps.len() as u64 * u64::from(replicas.count());
    if links > MAX_LINKS {
        errors.report(too_many_links(links, span));
        return None;
    }
    Some(replicas)
}

fn too_many_links(links: u64, span: Span) -> Diagnostic {
    let (found, limit) = (grouped(links), grouped(MAX_LINKS));
    let message = format!("the machine has {found} links, expected at most {limit}");
    Diagnostic::new(codes::MACHINE_TOO_LARGE, message, span, "each of these has every link")
}

/// `8`, or `[8, 4]` for 8 columns and 4 rows.
fn sides(node: &Node) -> Result<(u32, u32), Problem> {
    let side = count(1..=MAX_REPLICAS);
    let Value::List(items) = &node.value else {
        let problem = |it: Problem| {
            it.expecting(
                codes::IMPOSSIBLE_COUNT,
                "a number of PEs above 0, or [columns, rows] of them",
            )
        };
        return side(node).map(|count| (count, 1)).map_err(problem);
    };
    let wanted = "two numbers, [columns, rows]";
    let [w, h] = items.as_slice() else { return Err(Problem::new(codes::WRONG_TYPE, wanted)) };
    let (w, h) = (side(w)?, side(h)?);
    let fits = w.checked_mul(h).is_some_and(|all| all <= MAX_REPLICAS);
    let wanted = format!("[columns, rows] of at most {MAX_REPLICAS} PEs");
    if fits { Ok((w, h)) } else { Err(Problem::new(codes::IMPOSSIBLE_COUNT, wanted)) }
}

fn read_step(item: &mut Section<'_>, replicas: &Replicas, errors: &mut Errors<'_>) -> Option<Step> {
    let offset = item.require("offset", errors, offset);
    let wrap = item.read_given("wrap", errors, flag).is_none_or(|given| given.value);
    let link = read_link(item, errors);
    let Given { value: (columns, rows), span } = offset?;
    let (w, h) = (i64::from(replicas.w), i64::from(replicas.h));
    let stays = if wrap { columns % w == 0 && rows % h == 0 } else { columns == 0 && rows == 0 };
    if stays && replicas.count() > 1 {
        let message = "a link from every PE to itself";
        let label =
            format!("a multiple of the {} PEs leads back to the same one", replicas.count());
        errors.report(Diagnostic::new(codes::SELF_LINK, message, span, label));
    }
    Some(Step { columns, rows, wrap, link: link? })
}

/// `1`, or `[1, 0]` for one column and no row further.
fn offset(node: &Node) -> Result<(i64, i64), Problem> {
    let wanted = "a whole number of PEs, or [columns, rows]";
    let small = |node: &Node| match &node.value {
        Value::Int(value) => i64::try_from(*value).ok().filter(|it| it.unsigned_abs() < 1 << 32),
        Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Keys(_) => None,
    };
    let found = match &node.value {
        Value::List(items) => match items.as_slice() {
            [x, y] => small(x).zip(small(y)),
            _ => None,
        },
        Value::Int(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Keys(_) => small(node).map(|columns| (columns, 0)),
    };
    found.ok_or(Problem::new(codes::WRONG_TYPE, wanted))
}

/// The keys `bw_gbs` and `latency_ns`.
fn read_link(item: &mut Section<'_>, errors: &mut Errors<'_>) -> Option<Link> {
    let rate = item.require("bw_gbs", errors, bandwidth);
    let wire = item.require("latency_ns", errors, ns);
    Some(Link { wire: wire?.value, bandwidth: rate?.value, length_mm: 0.0 })
}

const KINDS: &[(&str, NodeKind)] = &[
    ("pe", NodeKind::PeDma),
    ("router", NodeKind::Router),
    ("switch", NodeKind::Switch),
    ("host", NodeKind::Host),
];

fn read_nodes(
    machine: &mut Section<'_>,
    replicas: Option<&Replicas>,
    errors: &mut Errors<'_>,
) -> Vec<Listed> {
    let path = machine.path_of("nodes");
    let mut nodes: Vec<Listed> = Vec::new();
    let mut places: FxHashMap<String, Span> = FxHashMap::default();
    for (index, item) in machine.list("nodes", errors).iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let name = item.require("name", errors, text);
        let kind = item.require("kind", errors, choice(KINDS));
        let overhead = item.read_given("overhead_ns", errors, ns);
        let stores = item.read_given("store_and_forward", errors, flag);
        item.finish(errors);
        let Some(name) = name else { continue };
        let replica = replicas.filter(|it| replica_of(&name.value, it).is_some());
        let first = replica.map(|it| it.span).or(places.get(&name.value).copied());
        if let Some(first) = first {
            errors.report(named_twice(&name, first));
        }
        places.insert(name.value.clone(), name.span);
        nodes.push(Listed {
            name: name.value,
            kind: kind.map_or(NodeKind::PeDma, |given| given.value),
            overhead: overhead.map_or(Ps::ZERO, |given| given.value),
            store_and_forward: stores.is_some_and(|given| given.value),
            span: name.span,
        });
    }
    nodes
}

fn named_twice(name: &Given<String>, first: Span) -> Diagnostic {
    let message = format!("two nodes are named `{}`", name.value);
    Diagnostic::new(codes::DUPLICATE_NODE, message, name.span, "named again here")
        .because(first, "the first one comes from here")
}

/// The replica that `name` means.
fn replica_of(name: &str, replicas: &Replicas) -> Option<u32> {
    let number: u32 = name.strip_prefix("pe")?.parse().ok()?;
    (number < replicas.count() && name == format!("pe{number}")).then_some(number)
}

fn read_links(
    machine: &mut Section<'_>,
    form: &NodeForm,
    errors: &mut Errors<'_>,
) -> Vec<(u32, u32, Link)> {
    let first = form.replicas.as_ref().map_or(0, Replicas::count);
    let listed = form.nodes.iter().zip(first..);
    let numbers: FxHashMap<&str, u32> =
        listed.map(|(node, number)| (node.name.as_str(), number)).collect();
    let path = machine.path_of("links");
    let mut links = Vec::new();
    for (index, item) in machine.list("links", errors).iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let ends = ["from", "to"].map(|key| {
            let name = item.require(key, errors, text)?;
            let number = numbers.get(name.value.as_str()).copied();
            let replica = form.replicas.as_ref().and_then(|it| replica_of(&name.value, it));
            let found = number.or(replica);
            if found.is_none() {
                errors.report(no_such_node(&name, form));
            }
            found.map(|number| Given { value: number, span: name.span })
        });
        let both = item.read_given("both_ways", errors, flag).is_some_and(|given| given.value);
        let link = read_link(&mut item, errors);
        item.finish(errors);
        let ([Some(from), Some(to)], Some(link)) = (ends, link) else { continue };
        if from.value == to.value {
            errors.report(to_itself(&form.name(from.value), from.span, to.span));
        }
        links.push((from.value, to.value, link.clone()));
        links.extend(both.then_some((to.value, from.value, link)));
    }
    links
}

fn no_such_node(name: &Given<String>, form: &NodeForm) -> Diagnostic {
    let message = format!("there is no node `{}`", name.value);
    let mut diagnostic = Diagnostic::new(codes::UNKNOWN_NODE, message, name.span, "unknown node");
    if let Some(replicas) = &form.replicas {
        let last = replicas.count() - 1;
        diagnostic =
            diagnostic.because(replicas.span, format!("`pe0` to `pe{last}` come from here"));
    }
    match nearest_help("node", &name.value, form.nodes.iter().map(|node| node.name.as_str())) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn to_itself(name: &str, from: Span, to: Span) -> Diagnostic {
    let message = format!("a link from `{name}` to itself");
    Diagnostic::new(codes::SELF_LINK, message, to, "expected another node")
        .because(from, "it starts here")
}

/// Reports the first PE that `pe0` cannot reach, and the first that cannot reach `pe0`.
fn check_reach(form: &NodeForm, errors: &mut Errors<'_>) {
    let replicas = form.replicas.as_ref().map_or(0, Replicas::count);
    let host = |number: u32| {
        let listed = number.checked_sub(replicas).and_then(|it| form.nodes.get(it as usize));
        listed.is_some_and(|node| !node.kind.passes_messages())
    };
    let links = form.all_links().filter(|(from, _, _)| !host(*from));
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

fn lost(message: String, span: Span) -> Diagnostic {
    Diagnostic::new(codes::UNREACHABLE_PE, message, span, "cut off from other PEs")
        .note("every PE must be able to send to every other")
}
