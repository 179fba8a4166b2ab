//! One PE, or one group of nodes, along a ring or grid. Stored once, however many there are.

use super::listed::{self, Group, Groups};
use super::{Listed, MAX_LINKS, MAX_NODES, Wire, read_link, too_many};
use crate::diag::{Diagnostic, machine as codes};
use crate::source::Span;
use crate::topology::machine::{Link, NodeKind};
use crate::topology::section::{Errors, Given, Problem, Section, count, flag, text};
use crate::topology::yaml::{Node, Value};
use crate::units::Ps;

/// The most copies that replicating may make.
const MAX_COPIES: u32 = 1 << 22;

/// PEs `pe0`, `pe1`, … or groups `tile0`, `tile1`, … in a grid, row by row, each with the same
/// links.
#[derive(Clone, Debug)]
pub(in crate::topology) struct Replicas {
    pub(in crate::topology) w: u32,
    pub(in crate::topology) h: u32,
    /// What copies are called, before their number.
    name: String,
    /// The nodes of one copy; one that is a PE of its own has no name.
    nodes: Vec<Listed>,
    /// The links within one copy.
    inner: Vec<Wire>,
    steps: Vec<Step>,
    pub(super) span: Span,
}

/// A link from each copy to the one some columns and rows further.
#[derive(Clone, Debug)]
struct Step {
    /// The nodes of the copies that it joins.
    from: u32,
    to: u32,
    columns: i64,
    rows: i64,
    wrap: bool,
    link: Link,
}

impl Replicas {
    /// How many copies there are.
    pub(in crate::topology) fn count(&self) -> u32 {
        self.w * self.h
    }

    /// How many nodes one copy has.
    pub(in crate::topology) fn each(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// How many nodes there are in all copies.
    pub(super) fn node_count(&self) -> u32 {
        self.count() * self.each()
    }

    /// Node `number` of all copies, as it is in each.
    pub(super) fn node(&self, number: u32) -> &Listed {
        &self.nodes[(number % self.each()) as usize]
    }

    /// The full name of node `number` of all copies.
    pub(super) fn name(&self, number: u32) -> String {
        let copy = number / self.each();
        match self.node(number).name.as_str() {
            "" => format!("{}{copy}", self.name),
            node => format!("{}{copy}.{node}", self.name),
        }
    }

    /// Every node with its full name, in order.
    pub(in crate::topology) fn all_nodes(&self) -> impl Iterator<Item = Listed> {
        let named = |number| Listed { name: self.name(number), ..self.node(number).clone() };
        (0..self.node_count()).map(named)
    }

    /// The node that `name` means.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let rest = name.strip_prefix(self.name.as_str())?;
        let digits = rest.find('.').unwrap_or(rest.len());
        let (copy, node) = rest.split_at(digits);
        let node = node.strip_prefix('.').unwrap_or(node);
        let copy: u32 = copy.parse().ok().filter(|it: &u32| it.to_string() == copy)?;
        let place = self.nodes.iter().position(|it| it.name == node)?;
        (copy < self.count()).then(|| copy * self.each() + place as u32)
    }

    /// The numbers of the nodes that are PEs, in order.
    pub(super) fn pes(&self) -> impl Iterator<Item = u32> {
        (0..self.node_count()).filter(|number| self.node(*number).kind == NodeKind::PeDma)
    }

    /// Every link: from, to, and what it is. Links within copies come first.
    pub(in crate::topology) fn links(&self) -> impl Iterator<Item = (u32, u32, &Link)> {
        let within = (0..self.count()).flat_map(move |copy| {
            let first = copy * self.each();
            self.inner.iter().map(move |(from, to, link)| (first + from, first + to, link))
        });
        let between = self.steps.iter().flat_map(move |step| {
            let pairs = (0..self.count()).filter_map(move |from| {
                let to = self.target(step, from)?;
                Some((from * self.each() + step.from, to * self.each() + step.to, &step.link))
            });
            pairs.filter(|(from, to, _)| from != to)
        });
        within.chain(between)
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

    /// How names of copies are told to the user: `pe0` to `pe7`.
    pub(super) fn names(&self) -> String {
        let (name, last) = (&self.name, self.count() - 1);
        format!("`{name}0` to `{name}{last}` come from here")
    }
}

/// Reads `replicate` of a machine or group.
pub(super) fn read(
    parent: &mut Section<'_>,
    groups: &Groups,
    errors: &mut Errors<'_>,
) -> Option<Replicas> {
    if !parent.has("replicate") {
        parent.ignore("replicate");
        return None;
    }
    let mut section = parent.section("replicate", errors);
    let sides = section.require("count", errors, sides);
    let named = section.read_given("group", errors, text);
    let items = section.list("links", errors);
    let path = section.path_of("links");
    let span = section.key_span("count");
    section.finish(errors);
    let (name, nodes, inner) = match named {
        None => (String::from("pe"), vec![lone_pe(span)], Vec::new()),
        Some(name) => {
            let Group { nodes, links, .. } = listed::group(&name, groups, errors)?;
            (name.value, nodes.clone(), links.clone())
        }
    };
    let (w, h) = sides?.value;
    let mut replicas = Replicas { w, h, name, nodes, inner, steps: Vec::new(), span };
    let count = u64::from(replicas.count()) * replicas.nodes.len() as u64;
    if count > MAX_NODES {
        errors.report(too_many("nodes", count, MAX_NODES, span));
        return None;
    }
    for (index, item) in items.iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let steps = read_step(&mut item, &replicas, errors);
        item.finish(errors);
        replicas.steps.extend(steps.unwrap_or_default());
    }
    let each = (replicas.steps.len() + replicas.inner.len()) as u64;
    let links = each * u64::from(replicas.count());
    if links > MAX_LINKS {
        errors.report(too_many("links", links, MAX_LINKS, span));
        return None;
    }
    Some(replicas)
}

fn lone_pe(span: Span) -> Listed {
    Listed {
        name: String::new(),
        kind: NodeKind::PeDma,
        overhead: Ps::ZERO,
        store_and_forward: false,
        multicast: false,
        span,
    }
}

/// `8`, or `[8, 4]` for 8 columns and 4 rows.
fn sides(node: &Node) -> Result<(u32, u32), Problem> {
    let side = count(1..=MAX_COPIES);
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
    let fits = w.checked_mul(h).is_some_and(|all| all <= MAX_COPIES);
    let wanted = format!("[columns, rows] of at most {MAX_COPIES} PEs");
    if fits { Ok((w, h)) } else { Err(Problem::new(codes::IMPOSSIBLE_COUNT, wanted)) }
}

/// A link from every copy, and the ones back if there are any.
fn read_step(
    item: &mut Section<'_>,
    replicas: &Replicas,
    errors: &mut Errors<'_>,
) -> Option<Vec<Step>> {
    let offset = item.require("offset", errors, offset);
    let wrap = item.read_given("wrap", errors, flag).is_none_or(|given| given.value);
    let [from, to] = if replicas.is_of_a_group() {
        ["from", "to"].map(|key| {
            let name = item.require(key, errors, text)?;
            replicas.end(&name, errors)
        })
    } else {
        [Some(0), Some(0)]
    };
    let both = item.read_given("both_ways", errors, flag).is_some_and(|given| given.value);
    let link = read_link(item, errors);
    let Given { value: (columns, rows), span } = offset?;
    let (from, to) = (from?, to?);
    let (w, h) = (i64::from(replicas.w), i64::from(replicas.h));
    let stays = if wrap { columns % w == 0 && rows % h == 0 } else { columns == 0 && rows == 0 };
    if stays && from == to && replicas.count() > 1 {
        let message = "a link from every PE to itself";
        let label =
            format!("a multiple of the {} PEs leads back to the same one", replicas.count());
        errors.report(Diagnostic::new(codes::SELF_LINK, message, span, label));
    }
    let step = Step { from, to, columns, rows, wrap, link: link? };
    let back = Step { from: to, to: from, columns: -columns, rows: -rows, ..step.clone() };
    let mut steps = vec![step];
    steps.extend(both.then_some(back));
    Some(steps)
}

impl Replicas {
    fn is_of_a_group(&self) -> bool {
        self.nodes.first().is_none_or(|node| !node.name.is_empty())
    }

    /// The node of one copy that a link of every copy leads from or to.
    fn end(&self, name: &Given<String>, errors: &mut Errors<'_>) -> Option<u32> {
        let place = self.nodes.iter().position(|node| node.name == name.value);
        if place.is_none() {
            let what = format!("the group `{}`", self.name);
            let names = self.nodes.iter().map(|node| node.name.as_str());
            errors.report(super::links::no_such_node(name, &what, names));
        }
        place.map(|it| it as u32)
    }
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
