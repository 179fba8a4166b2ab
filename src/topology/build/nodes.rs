//! The graph of a `machine` form.

use crate::topology::machine::{Node, NodeKind, PeNodes};
use crate::topology::spec::{NodeForm, Replicas};
use crate::topology::{MachineBuilder, NodeId};
use crate::units::Ps;

/// Builds every node, then every link; a PE is one node.
pub(super) fn build(form: &NodeForm, builder: &mut MachineBuilder) {
    let replicas = form.replicas.as_ref().map_or(0, Replicas::count);
    for number in 0..replicas {
        builder.node(Node {
            name: format!("pe{number}"),
            kind: NodeKind::PeDma,
            overhead: Ps::ZERO,
            store_and_forward: false,
        });
    }
    for listed in &form.nodes {
        builder.node(Node {
            name: listed.name.clone(),
            kind: listed.kind,
            overhead: listed.overhead,
            store_and_forward: listed.store_and_forward,
        });
    }
    for (from, to, link) in form.all_links() {
        builder.link(NodeId(from), NodeId(to), link.clone());
    }
    for pe in form.pes() {
        let node = NodeId(pe);
        builder.pe(PeNodes { cpu: node, dma: node, hbm: node, sram: node });
    }
}
