//! From a checked spec to the graph. Links and nodes are numbered here, and the tables that find
//! them again are made in the same breath, so the two cannot disagree.

mod deadlock;
mod hierarchy;
mod nodes;

use super::spec::{Form, Spec};
use super::{Machine, MachineBuilder, Switching};
use crate::diag::{Diagnostic, Reported, Sink, machine as codes};
use crate::units::grouped;

/// The most nodes that a graph may have: some 460,000 default PEs, in about 2 GB.
const MAX_NODES: u64 = 1 << 22;

/// Builds the graph of `spec`.
pub(super) fn build(spec: &Spec, sink: &mut Sink) -> Result<Machine, Reported> {
    match spec.form() {
        Form::Hierarchy(form) => {
            let nodes = hierarchy::node_count(form, spec.extent());
            if nodes > MAX_NODES {
                return Err(sink.error(too_large(spec, nodes)));
            }
            let mut builder = start(spec);
            hierarchy::build(form, spec.extent(), &mut builder);
            finish(spec, builder, sink)
        }
        Form::Nodes(form) => {
            let mut builder = start(spec);
            nodes::build(form, &mut builder);
            finish(spec, builder, sink)
        }
    }
}

fn start(spec: &Spec) -> MachineBuilder {
    let (extent, params) = (*spec.extent(), spec.params().clone());
    let mut builder = MachineBuilder::new(spec.name(), extent, params, spec.flit_bytes());
    builder.network(spec.network().clone());
    builder.arbitrated_by(spec.arbitration());
    builder
}

/// The machine, once it is sure that its messages cannot wait for each other for ever.
fn finish(spec: &Spec, mut builder: MachineBuilder, sink: &mut Sink) -> Result<Machine, Reported> {
    let network = spec.network();
    if network.switching == Switching::Wormhole && network.router.buffer_flits > 0 {
        let layers = deadlock::layers(spec, builder.so_far()).map_err(|it| sink.error(*it))?;
        builder.layered(layers);
    }
    Ok(builder.build())
}

fn too_large(spec: &Spec, nodes: u64) -> Diagnostic {
    let (found, limit) = (grouped(nodes), grouped(MAX_NODES));
    let pes = grouped(spec.extent().pe_count().into());
    let message = format!("a machine of {pes} PEs has {found} nodes, expected at most {limit}");
    Diagnostic::global(codes::MACHINE_TOO_LARGE, message)
        .note("compiling for it needs no graph and still works")
}
