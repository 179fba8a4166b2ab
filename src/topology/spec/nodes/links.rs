//! Links between named nodes. A `*` in a name stands for any number, so one item may join many:
//! all of one side to the one node of the other, or the two sides pair by pair.

use rustc_hash::FxHashMap;

use super::listed::Part;
use super::replicas::Replicas;
use super::{MAX_LINKS, Wire, read_link, too_many};
use crate::diag::{Diagnostic, machine as codes, nearest_help};
use crate::source::Span;
use crate::topology::section::{Errors, Given, Section, flag, text};

/// The nodes that one end of an item names, in order.
struct End {
    name: Given<String>,
    nodes: Vec<u32>,
}

/// Reads `links`.
pub(super) fn read(
    parent: &mut Section<'_>,
    part: &Part<'_>,
    errors: &mut Errors<'_>,
) -> Vec<Wire> {
    let first = part.replicas.map_or(0, Replicas::node_count);
    let listed = part.nodes.iter().zip(first..);
    let numbers: FxHashMap<&str, u32> =
        listed.map(|(node, number)| (node.name.as_str(), number)).collect();
    let path = parent.path_of("links");
    let mut links = Vec::new();
    for (index, item) in parent.list("links", errors).iter().enumerate() {
        let Some(mut item) = Section::item(format!("{path}[{index}]"), item, errors) else {
            continue;
        };
        let ends = ["from", "to"].map(|key| {
            let name = item.require(key, errors, text)?;
            find(name, part, &numbers, errors)
        });
        let both = item.read_given("both_ways", errors, flag).is_some_and(|given| given.value);
        let link = read_link(&mut item, errors);
        let span = item.span();
        item.finish(errors);
        let ([Some(from), Some(to)], Some(link)) = (ends, link) else { continue };
        for (from, to) in pairs(&from, &to, part, errors) {
            links.push((from, to, link.clone()));
            links.extend(both.then(|| (to, from, link.clone())));
        }
        if links.len() as u64 > MAX_LINKS {
            errors.report(too_many("links", links.len() as u64, MAX_LINKS, span));
            return links;
        }
    }
    links
}

fn find(
    name: Given<String>,
    part: &Part<'_>,
    numbers: &FxHashMap<&str, u32>,
    errors: &mut Errors<'_>,
) -> Option<End> {
    let exact = || {
        let number = numbers.get(name.value.as_str()).copied();
        number.or(part.replicas.and_then(|it| it.find(&name.value)))
    };
    let nodes: Vec<u32> = if name.value.contains('*') {
        part.all_like(&name.value)
    } else {
        exact().into_iter().collect()
    };
    if nodes.is_empty() {
        let names = part.nodes.iter().map(|node| node.name.as_str());
        let unknown = no_such_node(&name, "the machine", names);
        errors.report(match part.replicas {
            Some(replicas) => unknown.because(replicas.span, replicas.names()),
            None => unknown,
        });
        return None;
    }
    Some(End { name, nodes })
}

impl Part<'_> {
    /// The nodes whose names are like `pattern`, in order.
    fn all_like(&self, pattern: &str) -> Vec<u32> {
        let first = self.replicas.map_or(0, Replicas::node_count);
        let replicas = self.replicas.iter().flat_map(|it| {
            (0..it.node_count()).filter(|number| is_like(&it.name(*number), pattern))
        });
        let listed = self.nodes.iter().zip(first..);
        let listed = listed.filter(|(node, _)| is_like(&node.name, pattern));
        replicas.chain(listed.map(|(_, number)| number)).collect()
    }

    fn name(&self, number: u32) -> String {
        let first = self.replicas.map_or(0, Replicas::node_count);
        match self.replicas.filter(|_| number < first) {
            Some(replicas) => replicas.name(number),
            None => self.nodes[(number - first) as usize].name.clone(),
        }
    }
}

/// Whether `name` is `pattern` with a number for each `*`.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| name.strip_prefix(start)) else {
        return false;
    };
    for part in parts {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return false;
        }
        // Digits that follow the star in the pattern belong to the pattern.
        let own = part.chars().take_while(char::is_ascii_digit).count();
        let Some(after) = rest.get(digits.saturating_sub(own)..).filter(|_| digits > own) else {
            return false;
        };
        let Some(after) = after.strip_prefix(part) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// Which node is joined to which.
fn pairs(from: &End, to: &End, part: &Part<'_>, errors: &mut Errors<'_>) -> Vec<(u32, u32)> {
    let pairs: Vec<(u32, u32)> = match (from.nodes.as_slice(), to.nodes.as_slice()) {
        ([one], many) => many.iter().map(|node| (*one, *node)).collect(),
        (many, [one]) => many.iter().map(|node| (*node, *one)).collect(),
        (some, others) => {
            if some.len() != others.len() {
                errors.report(unpaired(from, to));
                return Vec::new();
            }
            some.iter().copied().zip(others.iter().copied()).collect()
        }
    };
    if let Some((node, _)) = pairs.iter().find(|(from, to)| from == to) {
        errors.report(to_itself(&part.name(*node), from.name.span, to.name.span));
    }
    pairs
}

fn unpaired(from: &End, to: &End) -> Diagnostic {
    let (some, others) = (from.nodes.len(), to.nodes.len());
    let message =
        format!("`{}` names {some} nodes, but `{}` {others}", from.name.value, to.name.value);
    let label = format!("expected {some} nodes, or one");
    Diagnostic::new(codes::UNPAIRED_LINKS, message, to.name.span, label)
        .because(from.name.span, format!("{some} nodes here"))
}

fn to_itself(name: &str, from: Span, to: Span) -> Diagnostic {
    let message = format!("a link from `{name}` to itself");
    Diagnostic::new(codes::SELF_LINK, message, to, "expected another node")
        .because(from, "it starts here")
}

/// Says that nothing in `place` has this name.
pub(super) fn no_such_node<'a>(
    name: &Given<String>,
    place: &str,
    names: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let message = match (place, name.value.contains('*')) {
        ("the machine", false) => format!("there is no node `{}`", name.value),
        ("the machine", true) => format!("there are no nodes like `{}`", name.value),
        _ => format!("{place} has no node `{}`", name.value),
    };
    let diagnostic = Diagnostic::new(codes::UNKNOWN_NODE, message, name.span, "unknown node");
    match nearest_help("node", &name.value, names) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_a_number() {
        for (name, pattern) in
            [("gpu0", "gpu*"), ("n1.g12", "n*.g*"), ("n1.g12", "n1.g*"), ("a10", "a*0")]
        {
            assert!(is_like(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in
            [("gpu", "gpu*"), ("n1.g", "n*.g*"), ("gpu0x", "gpu*"), ("b0", "a*"), ("a0", "a*0")]
        {
            assert!(!is_like(name, pattern), "{name} {pattern}");
        }
    }
}
