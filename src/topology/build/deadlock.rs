//! Whether messages can wait for each other for ever in a machine of finite buffers.

use crate::diag::{Diagnostic, machine as codes};
use crate::topology::dependencies::{Dependencies, Layers};
use crate::topology::spec::Spec;
use crate::topology::{LinkId, Machine};
use crate::units::grouped;

/// The most routes that are looked at: those of some 4,000 PEs described by nodes, or of a
/// thousand in cubes.
const MAX_ROUTES: u64 = 1 << 24;

/// Cycles are shown up to this many links.
const SHOWN: usize = 12;

/// How virtual channels have to be divided; why that cannot be done.
pub(super) fn layers(spec: &Spec, machine: &Machine) -> Result<Layers, Box<Diagnostic>> {
    let routes = Dependencies::routes(machine);
    if routes > MAX_ROUTES {
        return Err(Box::new(too_many(routes)));
    }
    let found = Dependencies::of(machine);
    let Some(cycle) = found.cycle() else { return Ok(Layers::default()) };
    let router = &spec.network().router;
    if !router.datelines {
        return Err(Box::new(waits(spec, machine, &cycle)));
    }
    let layers = found.layers(machine);
    if layers.most() > router.vcs {
        return Err(Box::new(too_few(spec, &layers, &path(machine, &cycle))));
    }
    Ok(layers)
}

fn waits(spec: &Spec, machine: &Machine, cycle: &[LinkId]) -> Diagnostic {
    let message = format!(
        "messages can wait for each other for ever: the routes over {} links form a cycle",
        cycle.len()
    );
    let label = "a message keeps the buffers it holds until it gets the next one";
    let span = spec.network_spans().switching;
    Diagnostic::new(codes::WAIT_CYCLE, message, span, label).note(path(machine, cycle)).help(
        "`datelines: auto` under `network` divides the virtual channels, which cuts the cycle",
    )
}

fn too_few(spec: &Spec, layers: &Layers, path: &str) -> Diagnostic {
    let (found, wanted) = (spec.network().router.vcs, layers.most());
    let message = format!(
        "`network.vcs` is {found}, expected at least {wanted} to keep messages from waiting for \
         each other for ever"
    );
    let spans = spec.network_spans();
    let span = if spans.vcs.is_none() { spans.switching } else { spans.vcs };
    let plural = if wanted == 2 { "" } else { "s" };
    let label = format!("routes cross up to {} dateline{plural}", wanted - 1);
    Diagnostic::new(codes::TOO_FEW_VCS, message, span, label).note(path.to_owned()).help(format!(
        "`vcs: {wanted}` under `network` is enough for these routes; `buffer_flits: 0`, buffers \
         without end, needs none"
    ))
}

/// `pe0 → pe1 → … → pe0`.
fn path(machine: &Machine, cycle: &[LinkId]) -> String {
    let name = |link: &LinkId| machine.node(machine.ends(*link).0).name.as_str();
    let mut names: Vec<&str> = cycle.iter().take(SHOWN).map(name).collect();
    if cycle.len() > SHOWN {
        names.push("…");
    }
    names.extend(cycle.first().map(name));
    format!("the cycle: {}", names.join(" → "))
}

fn too_many(routes: u64) -> Diagnostic {
    let (found, limit) = (grouped(routes), grouped(MAX_ROUTES));
    let message = format!(
        "wormhole switching has to look at {found} routes for deadlocks, expected at most {limit}"
    );
    Diagnostic::global(codes::MACHINE_TOO_LARGE, message)
        .note("`buffer_flits: 0` stands for buffers without end, which cannot deadlock")
}
