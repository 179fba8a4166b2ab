//! `kbc check` and `kbc compile`: how far a file gets, and what each stage makes of it.

use super::front::Body;
use super::settings::Prepared;
use super::{LaunchOptions, Session, Unit, compile};
use crate::command::{Program, print};
use crate::diag::{Diagnostic, Reported, Sink, plans};
use crate::ir;
use crate::passes;
use crate::sema;
use crate::syntax;
use crate::topology::PeId;

/// Commands that a summary counts before it leaves PEs uncounted.
const SUMMARY_BUDGET: u64 = 20_000_000;

/// A stage that can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Tokens, one a line.
    Tokens,
    /// The syntax tree.
    Ast,
    /// The typed IR, before the launch is known.
    Ir,
    /// The IR after each pass.
    IrOpt,
    /// The compact program that all PEs share.
    Program,
    /// The unrolled commands of some PEs.
    Stream,
    /// How many commands of each kind the PEs run.
    Summary,
    /// The execution plan of MSCCL++, as JSON.
    Plan,
}

impl Stage {
    /// Whether it is made of the program, or of the plan that the program comes from.
    const fn is_of_program(self) -> bool {
        matches!(self, Stage::Program | Stage::Stream | Stage::Summary | Stage::Plan)
    }
}

/// The PEs whose streams are printed.
#[derive(Clone, Debug, Default)]
pub struct StreamChoice(pub Vec<u32>);

impl Session {
    /// Finds what is wrong with a file: alone, and where the options name a world or a machine,
    /// with the launch and its communication.
    ///
    /// # Errors
    /// Everything wrong has been reported.
    pub fn check(&mut self, unit: &Unit, options: &LaunchOptions) -> Result<(), Reported> {
        if let Some(plan) = unit.plan() {
            return self.check_plan(unit, plan, options).map(|_| ());
        }
        let known = self.known_constants(unit, options)?;
        let module = self.analyze(unit, known)?;
        let is_launched =
            options.world.is_some() || options.topology.is_some() || options.grid.is_some();
        if is_launched && let Some(plan) = self.recipe(unit, options)? {
            self.check_plan(unit, &plan, options)?;
        } else if is_launched && module.kernels().next().is_some() {
            let prepared = self.prepare(unit, options)?;
            self.program(&prepared, options)?;
        }
        self.lint(unit, &module);
        Ok(())
    }

    /// Says what is doubtful in a file that is right.
    fn lint(&mut self, unit: &Unit, module: &ir::Module) {
        if let Some(tree) = unit.ast() {
            sema::unused(tree, &mut self.sink);
        }
        // What is written in the library is not for the user to change.
        let mut found = Sink::new();
        passes::lint(module, &mut found);
        let is_own =
            |it: &Diagnostic| it.primary.as_ref().is_some_and(|it| it.span.file == unit.file);
        found.into_sorted().into_iter().filter(is_own).for_each(|it| self.sink.warning(it));
    }

    /// What the stages make of a file, in the order of the stages.
    ///
    /// # Errors
    /// Everything wrong has been reported.
    pub fn emit(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
        (stages, pes): (&[Stage], &StreamChoice),
    ) -> Result<String, Reported> {
        let mut wanted = stages.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        if let Some(plan) = unit.plan() {
            return self.emit_plan((unit, plan), options, (&wanted, pes));
        }
        if wanted.iter().any(|it| it.is_of_program())
            && let Some(plan) = self.recipe(unit, options)?
        {
            let (of_plan, before): (Vec<Stage>, Vec<Stage>) =
                wanted.into_iter().partition(|it| it.is_of_program());
            let first = self.emit_stages(unit, options, (&before, pes))?;
            return Ok(first + &self.emit_plan((unit, &plan), options, (&of_plan, pes))?);
        }
        self.emit_stages(unit, options, (&wanted, pes))
    }

    /// What the stages make of source or textual IR.
    fn emit_stages(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
        (wanted, pes): (&[Stage], &StreamChoice),
    ) -> Result<String, Reported> {
        if wanted.contains(&Stage::Summary) {
            self.list_configs(unit, options);
        }
        let mut text = String::new();
        let mut launched = None;
        for stage in wanted.iter().copied() {
            let part = match stage {
                Stage::Tokens => self.tokens(unit),
                Stage::Ast => self.tree(unit)?,
                Stage::Ir => self.generic_ir(unit, options)?,
                Stage::IrOpt => self.passes(unit, options)?,
                Stage::Plan => return Err(self.no_plan(unit)),
                Stage::Program | Stage::Stream | Stage::Summary => {
                    if launched.is_none() {
                        launched = Some(self.launch_program(unit, options)?);
                    }
                    let program = launched.as_ref().expect("the program was just made");
                    self.print_program(program, stage, pes)
                }
            };
            text.push_str(&part);
        }
        Ok(text)
    }

    /// Says that a kernel without channels is no plan.
    fn no_plan(&mut self, unit: &Unit) -> Reported {
        let name = self.sources.get(unit.file).map_or("", |file| file.name()).to_owned();
        let message = format!("`{name}` has no execution plan: its kernel uses no channels");
        let it = Diagnostic::global(plans::NOT_EXPORTABLE, message)
            .note("a plan says what thread blocks do over channels of MSCCL++; sends and receives of tiles are none")
            .help("`kernels/channels` has kernels that can be written as plans");
        self.sink.error(it)
    }

    fn tokens(&mut self, unit: &Unit) -> String {
        let text = self.sources.get(unit.file).map_or("", |file| file.text()).to_owned();
        let tokens = syntax::tokens(unit.file, &text, &mut self.sink);
        tokens.iter().map(|token| format!("{token}\n")).collect()
    }

    fn tree(&mut self, unit: &Unit) -> Result<String, Reported> {
        let dumped = match &unit.body {
            Body::Source { main, .. } => syntax::dump::dump(main, &self.sources),
            Body::Ir(module) => ir::print::print(module),
            Body::Plan(_) => String::new(),
        };
        self.sink.reported().map_or(Ok(dumped), Err)
    }

    fn generic_ir(&mut self, unit: &Unit, options: &LaunchOptions) -> Result<String, Reported> {
        let known = self.known_constants(unit, options)?;
        let module = self.analyze(unit, known)?;
        Ok(ir::print::print(&module))
    }

    fn passes(&mut self, unit: &Unit, options: &LaunchOptions) -> Result<String, Reported> {
        let prepared = self.prepare(unit, options)?;
        let request = prepared.request();
        let limits = request.limits();
        let (mut text, mut last) = (String::new(), String::new());
        request.specialise(&limits, &mut self.sink, &mut |pass, function| {
            let now = ir::print::print_function(function);
            let changed = if now == last { "; unchanged\n".into() } else { now.clone() };
            text.push_str(&format!("; after {}: {}\n{changed}\n", pass.name(), pass.summary()));
            last = now;
        })?;
        Ok(text)
    }

    fn launch_program(
        &mut self,
        unit: &Unit,
        options: &LaunchOptions,
    ) -> Result<Program, Reported> {
        let prepared = self.prepare(unit, options)?;
        self.program(&prepared, options)
    }

    /// The checked program of a prepared launch.
    fn program(
        &mut self,
        prepared: &Prepared,
        options: &LaunchOptions,
    ) -> Result<Program, Reported> {
        let (_, mut program) = prepared.request().compile(&mut self.sink)?;
        program.memory = prepared.memory();
        if options.skip_check {
            self.notes.push(String::from("the communication check was skipped"));
        } else {
            let verdict = compile::check(&program, &self.sources, &mut self.sink)?;
            if let commcheck @ crate::commcheck::Verdict::Partial { .. } = verdict {
                self.notes.push(format!("communication: {commcheck}; the rest is not checked"));
            }
        }
        Ok(program)
    }

    fn print_program(&self, program: &Program, stage: Stage, pes: &StreamChoice) -> String {
        match stage {
            Stage::Program => print::program(program, &self.sources),
            Stage::Stream => self.streams(program, pes),
            Stage::Tokens
            | Stage::Ast
            | Stage::Ir
            | Stage::IrOpt
            | Stage::Summary
            | Stage::Plan => print::summarise(program, SUMMARY_BUDGET).to_string(),
        }
    }

    /// The streams of every lane of the chosen PEs; of PE 0 where none is chosen.
    pub(super) fn streams(&self, program: &Program, StreamChoice(pes): &StreamChoice) -> String {
        let chosen = if pes.is_empty() { &[0][..] } else { pes };
        let mut text = String::new();
        for pe in chosen {
            let agents = program.agents.iter().filter(|(_, agent)| agent.pe == PeId(*pe));
            let mut found = false;
            for (agent, _) in agents {
                found = true;
                // Writing into memory does not fail.
                let _ = print::stream(program, agent, &self.sources, &mut text);
            }
            if !found {
                let world = program.agents.len();
                text.push_str(&format!("pe{pe} runs nothing: the launch has {world} ranks\n"));
            }
        }
        text
    }
}
