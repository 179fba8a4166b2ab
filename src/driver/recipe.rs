//! Kernels of channels: recipes of execution plans, which are then run as plans are.

use super::front::Body;
use super::{LaunchOptions, Session, Unit};
use crate::command::GridShape;
use crate::diag::Reported;
use crate::import::{Plan, Recipe};
use crate::ir::{Function, Op};

/// Ranks of a kernel of channels where neither a world nor a machine is named: those of a node.
const DEFAULT_WORLD: u32 = 8;

/// What a text must hold to ask for anything of channels.
const MENTIONS: [&str; 2] = [".collective(", "_channel("];

impl Session {
    /// The plan that a file's kernel is the recipe of, if it is one.
    pub(super) fn recipe(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<Option<Plan>, Reported> {
        if options.is_given() || !self.mentions_channels(unit) {
            return Ok(None);
        }
        let world = options.world.or(options.topology.is_none().then_some(DEFAULT_WORLD));
        let options = &LaunchOptions { world, ..options.clone() };
        let prepared = self.prepare_bare(unit, options)?;
        if !prepared.module.functions.values().any(asks) {
            return Ok(None);
        }
        let function = prepared.request().draft(&mut self.sink)?;
        if !asks(&function) {
            return Ok(None);
        }
        let extent = prepared.target.spec.extent();
        let grid = GridShape::Machine {
            pes_per_cube: extent.pes.count(),
            cubes_per_sip: extent.cubes.count(),
        };
        let (world, num_programs) = (prepared.launch.world, prepared.launch.num_programs(extent));
        let name = self.plan_name(unit, &function);
        let recipe = Recipe { name: &name, function: &function, world, grid, num_programs };
        recipe.plan(&mut self.sink).map(Some)
    }

    /// What a plan is called: as its kernel, or as the file where that is just `kernel`.
    fn plan_name(&self, unit: &Unit, function: &Function) -> String {
        let file = self.sources.get(unit.file).map_or("", |file| file.name());
        let stem = file.rsplit(['/', '\\']).next().and_then(|it| it.split('.').next());
        let stem = stem.filter(|it| function.name == "kernel" && !it.is_empty());
        stem.unwrap_or(&function.name).to_owned()
    }

    /// Whether a file can have a kernel of channels at all, which is cheap to find out.
    fn mentions_channels(&self, unit: &Unit) -> bool {
        match &unit.body {
            Body::Source { .. } => {
                let text = self.sources.get(unit.file).map_or("", |file| file.text());
                MENTIONS.iter().any(|word| text.contains(word))
            }
            Body::Ir(module) => module.functions.values().any(asks),
            Body::Plan(_) => false,
        }
    }
}

/// Whether a function asks for anything of channels.
fn asks(function: &Function) -> bool {
    let ops = function.reachable_ops();
    ops.into_iter().any(|op| matches!(function.ops[op].op, Op::Channel(_)))
}
