//! Machines as text, graphs and pictures.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::Sink;
use kbc::source::SourceMap;
use kbc::topology::{Machine, Spec, dot, load, show, svg};

fn machine(name: &str, text: &str) -> (Spec, Machine) {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let mut sink = Sink::new();
    let spec = load(&sources, file, &mut sink).expect("a good machine");
    let machine = spec.build(&mut sink).expect("a small machine");
    (spec, machine)
}

fn shipped() -> Vec<(Spec, Machine)> {
    vec![
        machine("default.yaml", include_str!("../topology/default.yaml")),
        machine("small.yaml", include_str!("../topology/small.yaml")),
        machine("ring8.yaml", include_str!("../topology/ring8.yaml")),
    ]
}

#[test]
fn small_and_ring8_as_text() {
    for (spec, machine) in &shipped()[1..] {
        insta::assert_snapshot!(format!("show_{}", spec.name()), show(spec, machine));
    }
}

/// Opening and closing tags of XML without comments, matched.
fn assert_nested(xml: &str) {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().unwrap_or(tag));
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn pictures_are_well_formed_and_small() {
    for (spec, machine) in shipped() {
        let picture = svg(&spec, &machine);
        assert_nested(&picture);
        assert!(!picture.contains("NaN") && !picture.contains("inf\""));
        assert!(picture.len() < 64 << 10, "{} bytes", picture.len());
    }
    // Copies are placed, not drawn again: 32 SIPs cost little more than 2.
    let (spec, machine) = machine("big.yaml", "system: {sips: {count: 32}}\n");
    assert!(svg(&spec, &machine).len() < 64 << 10);
}

#[test]
fn names_are_escaped() {
    let text = "name: 'a<b>&\"c'\nmachine:\n  nodes:\n    - {name: 'x\"\\y', kind: pe}\n";
    let (spec, machine) = machine("odd.yaml", text);
    assert_nested(&svg(&spec, &machine));
    let graph = dot(&machine);
    assert!(graph.contains("digraph \"a<b>&\\\"c\""), "{graph}");
    assert!(graph.contains("label=\"x\\\"\\\\y\""), "{graph}");
}

#[test]
fn graphs_have_every_node_and_each_pair_of_links_once() {
    let (_, machine) = &shipped()[1];
    let graph = dot(machine);
    let nodes = graph.lines().filter(|line| line.contains("fillcolor=\"#")).count();
    assert_eq!(nodes, machine.graph().node_count());
    // All links of a hierarchical machine come in like pairs.
    assert_eq!(graph.matches(" -> ").count(), machine.link_count() / 2);
    assert_eq!(graph.matches('{').count(), graph.matches('}').count());
}
