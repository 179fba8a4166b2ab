//! Launching a kernel on what the shell gives it: `--arg`, `--set`, `--grid`.
//!
//! * [`argument`] reads the text of an argument, and the arrays it names.
//! * [`bind`] gives each parameter of the kernel its value, and says what does not fit.
//! * [`place`] puts the tensors in the machine's memory.
//! * [`results`] compares tensors with what was expected of them, and gives their files.

mod argument;
mod bind;
mod place;
mod results;
mod tuning;

pub use argument::{Argument, ArgumentValue, ReadFile, TensorValue, parse_grid};
pub use results::{Expectation, Saved};

pub(super) use bind::int_type;
pub(super) use results::Results;

use super::direct::MadeTensor;
use super::settings::{self, Draft, Neighborhood, Prepared};
use super::{LaunchOptions, Session, Unit};
use crate::diag::Reported;
use crate::ir::{self, Literal};
use crate::launch::Launch;
use crate::source::Span;
use bind::{Bound, Kernel};
use tuning::Tuning;

/// A tensor that the shell gives.
#[derive(Clone, Debug)]
pub(super) struct GivenTensor {
    /// The parameter that takes it.
    pub(super) name: String,
    /// Where that is written.
    pub(super) span: Span,
    /// The tensor; without a shape where only its element type is known.
    pub(super) value: TensorValue,
    /// Whether a shape was given.
    pub(super) is_sized: bool,
}

impl Session {
    /// What analysis must know of the arguments of the chosen kernel, given in part or whole.
    pub(super) fn known_of_given(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<settings::Known, Reported> {
        Ok(self.bound(unit, options, false)?.known)
    }

    /// The launch of a kernel with the arguments that the shell gives.
    pub(super) fn prepare_given(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<Prepared, Reported> {
        let target = self.target(options)?;
        self.notes.extend(target.note.clone());
        let bound = self.bound(unit, options, true)?;
        let module = self.analyze(unit, bound.known.clone())?;
        let kernel = module.kernel(&bound.kernel).expect("the chosen kernel was analysed");
        if options.grid.is_none() && bound.is_jit {
            let world = target.world;
            self.notes.push(format!("without --grid, the kernel runs once on each of {world} PEs"));
        }
        let mut launch = Launch {
            kernel: bound.kernel,
            args: bound.scalars,
            world: target.world,
            grid: options.grid,
            axes: None,
            deal: options.deal,
            ipcq: options.ipcq,
        };
        let programs = launch.program_count().unwrap_or(u32::MAX);
        let regions = place::regions(&bound.tensors, target.world.min(programs))
            .map_err(|it| self.sink.error(it))?;
        let address = |region: &crate::launch::Region| {
            (region.name.clone(), Literal::Int(region.base as i64))
        };
        launch.args.extend(regions.iter().map(address));
        let script = unit.ast().map(|module| self.script(module, &target, options));
        let neighborhood = Neighborhood::of(
            script.as_ref(),
            (target.spec.extent(), target.world),
            &[],
            &mut self.sink,
        )?;
        let tensors = regions.into_iter().zip(&bound.tensors).map(|(region, tensor)| MadeTensor {
            dtype: tensor.value.dtype,
            region,
            blocks: Vec::new(),
            is_read: true,
            is_written: true,
        });
        let tensors = tensors.collect();
        let draft = Draft { target, module, kernel, neighborhood };
        Ok(Prepared { tensors, given: bound.tensors, ..draft.launched(launch, bound.known) })
    }

    /// Gives the chosen kernel's parameters their values; all of them if `is_launched`.
    fn bound(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
        is_launched: bool,
    ) -> Result<Bound, Reported> {
        let target = self.target(options)?;
        let kernel = match unit.ast() {
            Some(module) => {
                let function = settings::chosen(module, options.entry.as_deref())
                    .map_err(|it| self.sink.error(it))?;
                let script = self.script(module, &target, options);
                if is_launched {
                    self.notes.extend(first_config(&Tuning::of(module, function), options));
                }
                Kernel::of_source(module, function, &script)
            }
            None => {
                let module = self.analyze(unit, settings::Known::default())?;
                let chosen = settings::chosen_ir(&module, options.entry.as_deref())
                    .map_err(|it| self.sink.error(it))?;
                Kernel::of_ir(&module.functions[chosen])
            }
        };
        bind::bind(kernel, options, is_launched, &mut self.sink)
    }
}

/// A line about the configuration that is taken, if one is.
fn first_config(tuning: &Tuning, options: &LaunchOptions) -> Option<String> {
    let first = tuning.configs.first()?;
    let is_set = |name: &str| {
        let set = options.settings.iter().any(|(known, _)| known == name);
        set || options.arguments.iter().any(|it| it.name == name)
    };
    let is_taken = first.values.iter().any(|(name, _)| !is_set(name));
    let (count, text) = (tuning.configs.len(), first.text());
    let decide = "`--set` decides otherwise";
    is_taken.then(|| {
        format!("autotune: the first of {count} configurations is taken: {text}; {decide}")
    })
}

impl Session {
    /// Says which configurations the chosen kernel of a file has.
    pub(super) fn list_configs(&mut self, unit: &Unit, options: &LaunchOptions) {
        let chosen = |module| settings::chosen(module, options.entry.as_deref()).ok();
        let Some((module, function)) = unit.ast().and_then(|it| Some((it, chosen(it)?))) else {
            return;
        };
        let tuning = Tuning::of(module, function);
        let lines = tuning.configs.iter().zip(1..);
        self.notes.extend(lines.map(|(it, place)| format!("configuration {place}: {}", it.text())));
    }
}

/// Whether a parameter of textual IR takes a tensor.
fn is_pointer(function: &ir::Function, param: &ir::Param) -> bool {
    matches!(function.ty(param.value), ir::Type::Pointer(_))
}
