//! The graph of a `machine` form.

use crate::topology::machine::{Node, NodeKind, PeNodes, Processors};
use crate::topology::spec::{Listed, NodeForm, Replicas};
use crate::topology::{MachineBuilder, NodeId};

/// Builds every node, then every link; a PE is one node.
pub(super) fn build(form: &NodeForm, builder: &mut MachineBuilder) {
    builder.reserve(form.node_count(), form.links.len());
    for node in form.replicas.iter().flat_map(Replicas::all_nodes) {
        add(&node, builder);
    }
    form.nodes.iter().for_each(|node| add(node, builder));
    let kinds = form.replicas.iter().flat_map(Replicas::all_nodes).map(|node| node.kind);
    let kinds = kinds.chain(form.nodes.iter().map(|node| node.kind));
    let host = (0..).zip(kinds).find(|(_, kind)| *kind == NodeKind::Host);
    let host = host.map(|(number, _)| NodeId(number));
    builder.processors(Processors { host, ..Processors::default() });
    for (from, to, link) in form.all_links() {
        builder.link(NodeId(from), NodeId(to), link.clone());
    }
    for pe in form.pes() {
        let node = NodeId(pe);
        builder.pe(PeNodes { cpu: node, dma: node, hbm: node, sram: node });
    }
}

fn add(node: &Listed, builder: &mut MachineBuilder) {
    builder.node(Node {
        name: node.name.clone(),
        kind: node.kind,
        overhead: node.overhead,
        store_and_forward: node.store_and_forward,
        multicast: node.multicast,
    });
}
