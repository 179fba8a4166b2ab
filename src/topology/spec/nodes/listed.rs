//! Nodes, and groups of them: a group is written once and put wherever a node may be, with its name
//! before the names of its nodes. A group may hold groups that stand above it.

use rustc_hash::FxHashMap;

use super::replicas::{self, Replicas};
use super::{Listed, MAX_LINKS, MAX_NODES, Wire, links, too_many};
use crate::diag::{Diagnostic, machine as codes, nearest_help};
use crate::source::Span;
use crate::topology::machine::NodeKind;
use crate::topology::section::{Errors, Given, Problem, Section, choice, count, flag, ns, text};
use crate::topology::yaml::{Node, Value};
use crate::units::Ps;

/// A named sub-graph: its nodes, and its links by their numbers in it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    name: Given<String>,
    pub(super) nodes: Vec<Listed>,
    pub(super) links: Vec<Wire>,
}

/// The groups that stand above.
pub(super) type Groups = Vec<Group>;

/// What the links of a machine or group may name.
pub(super) struct Part<'a> {
    pub(super) replicas: Option<&'a Replicas>,
    pub(super) nodes: &'a [Listed],
}

const KINDS: &[(&str, NodeKind)] = &[
    ("pe", NodeKind::PeDma),
    ("router", NodeKind::Router),
    ("switch", NodeKind::Switch),
    ("host", NodeKind::Host),
];

/// Reads `groups`.
pub(super) fn read_groups(machine: &mut Section<'_>, errors: &mut Errors<'_>) -> Groups {
    let path = machine.path_of("groups");
    let mut groups = Groups::new();
    for (index, item) in machine.list("groups", errors).iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let group = read_group(&mut item, &groups, errors);
        item.finish(errors);
        groups.extend(group);
    }
    groups
}

fn read_group(item: &mut Section<'_>, groups: &Groups, errors: &mut Errors<'_>) -> Option<Group> {
    let name = item.require("name", errors, node_name);
    let replicas = replicas::read(item, groups, errors);
    if replicas.is_none() {
        let _ = item.require("nodes", errors, |_| Ok(()));
    }
    let (listed, mut wires) = read(item, groups, replicas.as_ref(), errors);
    let part = Part { replicas: replicas.as_ref(), nodes: &listed };
    wires.extend(links::read(item, &part, errors));
    let mut nodes: Vec<Listed> = replicas.iter().flat_map(Replicas::all_nodes).collect();
    let own = replicas.iter().flat_map(Replicas::links);
    wires.extend(own.map(|(from, to, link)| (from, to, link.clone())));
    nodes.extend(listed);
    let name = name?;
    if let Some(first) = groups.iter().find(|group| group.name.value == name.value) {
        let message = format!("two groups are named `{}`", name.value);
        let twice = Diagnostic::new(codes::DUPLICATE_NODE, message, name.span, "named again here");
        errors.report(twice.because(first.name.span, "the first one comes from here"));
    }
    Some(Group { name, nodes, links: wires })
}

/// The group called `name`; reported if there is none above.
pub(super) fn group<'g>(
    name: &Given<String>,
    groups: &'g Groups,
    errors: &mut Errors<'_>,
) -> Option<&'g Group> {
    let found = groups.iter().find(|group| group.name.value == name.value);
    if found.is_none() {
        let message = format!("no group above is named `{}`", name.value);
        let label = "unknown group";
        let unknown = Diagnostic::new(codes::UNKNOWN_GROUP, message, name.span, label);
        let names = groups.iter().map(|group| group.name.value.as_str());
        errors.report(match nearest_help("group", &name.value, names) {
            Some(help) => unknown.help(help),
            None => unknown,
        });
    }
    found
}

/// Reads `nodes`, with the links that come with groups. Numbers go on after those of `replicas`.
pub(super) fn read(
    parent: &mut Section<'_>,
    groups: &Groups,
    replicas: Option<&Replicas>,
    errors: &mut Errors<'_>,
) -> (Vec<Listed>, Vec<Wire>) {
    let path = parent.path_of("nodes");
    let first = replicas.map_or(0, Replicas::node_count);
    let mut list = List { first, replicas, ..List::default() };
    for (index, item) in parent.list("nodes", errors).iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let entry = read_entry(&mut item, groups, errors);
        item.finish(errors);
        if let Some(entry) = entry {
            list.add(&entry, errors);
        }
    }
    (list.nodes, list.links)
}

/// An item of `nodes`: what stands there, under which name, how often.
struct Entry<'g> {
    name: Given<String>,
    count: Option<Given<u32>>,
    nodes: &'g [Listed],
    links: &'g [Wire],
    own: Option<Listed>,
}

fn read_entry<'g>(
    item: &mut Section<'_>,
    groups: &'g Groups,
    errors: &mut Errors<'_>,
) -> Option<Entry<'g>> {
    let name = item.require("name", errors, node_name);
    let count = item.read_given("count", errors, count(1..=MAX_NODES as u32));
    if item.has("group") {
        let named = item.read_given("group", errors, text);
        let Group { nodes, links, .. } = group(&named?, groups, errors)?;
        return Some(Entry { name: name?, count, nodes, links, own: None });
    }
    item.ignore("group");
    let kind = item.require("kind", errors, choice(KINDS));
    let overhead = item.read_given("overhead_ns", errors, ns);
    let stores = item.read_given("store_and_forward", errors, flag);
    let copies = item.read_given("multicast", errors, flag);
    let name = name?;
    let own = Listed {
        name: String::new(),
        kind: kind.map_or(NodeKind::PeDma, |given| given.value),
        overhead: overhead.map_or(Ps::ZERO, |given| given.value),
        store_and_forward: stores.is_some_and(|given| given.value),
        multicast: copies.is_some_and(|given| given.value),
        span: name.span,
    };
    Some(Entry { name, count, nodes: &[], links: &[], own: Some(own) })
}

/// A name without what links use to mean many names.
fn node_name(node: &Node) -> Result<String, Problem> {
    match &node.value {
        Value::Text(name) if !name.contains('*') && !name.is_empty() => Ok(name.clone()),
        Value::Text(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Keys(_) => Err(Problem::new(codes::WRONG_TYPE, "a name, without `*`")),
    }
}

/// The nodes so far.
#[derive(Default)]
struct List<'a> {
    first: u32,
    replicas: Option<&'a Replicas>,
    nodes: Vec<Listed>,
    links: Vec<Wire>,
    places: FxHashMap<String, Span>,
}

impl List<'_> {
    fn add(&mut self, entry: &Entry<'_>, errors: &mut Errors<'_>) {
        let each = entry.own.as_slice().len().max(entry.nodes.len()) as u64;
        let copies = u64::from(entry.count.map_or(1, |given| given.value));
        let span = entry.count.map_or(entry.name.span, |given| given.span);
        let nodes = u64::from(self.first) + self.nodes.len() as u64 + copies * each;
        let links = self.links.len() as u64 + copies * entry.links.len() as u64;
        if nodes > MAX_NODES {
            return errors.report(too_many("nodes", nodes, MAX_NODES, span));
        }
        if links > MAX_LINKS {
            return errors.report(too_many("links", links, MAX_LINKS, span));
        }
        for copy in 0..copies {
            let numbered = entry.count.map_or_else(String::new, |_| copy.to_string());
            let name = format!("{}{numbered}", entry.name.value);
            let base = self.first + self.nodes.len() as u32;
            for node in entry.own.iter().chain(entry.nodes) {
                let dot = if node.name.is_empty() { "" } else { "." };
                let name = format!("{name}{dot}{}", node.name);
                self.name(&name, entry.name.span, errors);
                self.nodes.push(Listed { name, span: entry.name.span, ..node.clone() });
            }
            let moved = |(from, to, link): &Wire| (base + from, base + to, link.clone());
            self.links.extend(entry.links.iter().map(moved));
        }
    }

    /// Takes a name, which nobody else may have.
    fn name(&mut self, name: &str, span: Span, errors: &mut Errors<'_>) {
        let replica = self.replicas.filter(|it| it.find(name).is_some()).map(|it| it.span);
        let before = self.places.insert(name.to_owned(), span);
        if let Some(first) = replica.or(before) {
            let message = format!("two nodes are named `{name}`");
            let label = "named again here";
            let twice = Diagnostic::new(codes::DUPLICATE_NODE, message, span, label);
            errors.report(twice.because(first, "the first one comes from here"));
        }
    }
}
