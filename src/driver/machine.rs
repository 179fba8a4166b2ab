//! Which machine a run is for, and how many of its PEs take part.

use super::{LaunchOptions, Session};
use crate::diag::{Diagnostic, Reported, lowering as codes};
use crate::topology::{self, Spec};
use crate::units::grouped;

/// A machine and the ranks that take part: its first `world` PEs.
#[derive(Clone, Debug)]
pub struct Target {
    /// The machine.
    pub spec: Spec,
    /// The number of ranks.
    pub world: u32,
    /// What was changed to make the world fit, if anything.
    pub note: Option<String>,
}

impl Session {
    /// The machine and the world that the options ask for.
    pub(super) fn target(&mut self, options: &LaunchOptions) -> Result<Target, Reported> {
        let Some((name, text)) = &options.topology else {
            return Ok(implied(options.world));
        };
        let file = self.sources.add(name.clone(), text.clone());
        let spec = topology::load(&self.sources, file, &mut self.sink)?;
        let (pes, world) = (spec.extent().pe_count(), options.world);
        match world {
            Some(world) if world > pes => Err(self.sink.error(too_large(name, world, pes))),
            Some(world) => Ok(Target { spec, world, note: None }),
            None => Ok(Target { spec, world: pes, note: None }),
        }
    }
}

/// The built-in machine, grown by SIPs until `world` fits.
fn implied(world: Option<u32>) -> Target {
    let spec = Spec::implied();
    let pes = spec.extent().pe_count();
    let world = world.unwrap_or(pes);
    if world <= pes {
        return Target { spec, world, note: None };
    }
    let grown = spec.grow_to(world);
    let note = format!(
        "the default machine has {} PEs; it is grown from {} to {} SIPs for {} ranks",
        grouped(u64::from(pes)),
        spec.extent().sips.count(),
        grown.extent().sips.count(),
        grouped(u64::from(world)),
    );
    Target { spec: grown, world, note: Some(note) }
}

fn too_large(name: &str, world: u32, pes: u32) -> Diagnostic {
    let (world, pes) = (grouped(u64::from(world)), grouped(u64::from(pes)));
    let message = format!("the world has {world} ranks, but the machine of {name} has {pes} PEs");
    Diagnostic::global(codes::WORLD_TOO_LARGE, message)
        .note("each rank runs on a PE of its own")
        .help(format!("ask for at most `--ws {pes}`, or describe more SIPs, cubes or PEs"))
}
