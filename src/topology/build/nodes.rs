//! The graph of a `machine` form.

use crate::topology::machine::{Node, PeNodes};
use crate::topology::spec::{Listed, NodeForm, Replicas};
use crate::topology::{MachineBuilder, NodeId};

/// Builds every node, then every link; a PE is one node.
pub(super) fn build(form: &NodeForm, builder: &mut MachineBuilder) {
    builder.reserve(form.node_count(), form.links.len());
    for node in form.replicas.iter().flat_map(Replicas::all_nodes) {
        add(&node, builder);
    }
    form.nodes.iter().for_each(|node| add(node, builder));
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
    });
}
