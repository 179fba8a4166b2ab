//! Execution plans of MSCCL++: checked, timed and replayed like kernels.

use super::front::Body;
use super::machine::Target;
use super::options::PlanSettings;
use super::outcome::{Data, LaunchResult, SimReport, running_pes};
use super::simulate::SimRequest;
use super::simulator::{Progress, links};
use super::{LaunchOptions, Session, Stage, StreamChoice, Unit};
use crate::command::channel::Definition;
use crate::command::{Program, print};
use crate::commcheck::{self, Verdict};
use crate::diag::{Diagnostic, Reported, Sink, lowering, runtime};
use crate::import::{self, Imported, Plan, PlanOptions, Semantics};
use crate::oplog::{Log, LogSink, NoLog, SpillLog};
use crate::ops::BinaryOp;
use crate::replay::verify::{Collective, Reduction};
use crate::replay::{ChannelReplay, LaunchData};
use crate::report::Report;
use crate::sim;
use crate::topology;
use crate::units::grouped;

/// Bytes of a message where nothing says how many.
const DEFAULT_BYTES: u64 = 1 << 20;

/// The machine that a plan runs on where none is named: its nodes, its links and what they cost.
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/topology/h100x8.yaml"));

impl Unit {
    /// The plan, if the file is one.
    pub(super) fn plan(&self) -> Option<&Plan> {
        match &self.body {
            Body::Plan(plan) => Some(plan),
            Body::Source { .. } | Body::Ir(_) => None,
        }
    }
}

impl Session {
    /// Checks a plan: that it can be imported, and what its thread blocks do.
    pub(super) fn check_plan(
        &mut self,
        unit: &Unit,
        plan: &Plan,
        options: &LaunchOptions,
    ) -> Result<Imported, Reported> {
        let imported = self.import_plan(unit, plan, options)?;
        if !options.skip_check {
            self.verdict_of(&imported.program)?;
        }
        Ok(imported)
    }

    fn import_plan(
        &mut self,
        unit: &Unit,
        plan: &Plan,
        options: &LaunchOptions,
    ) -> Result<Imported, Reported> {
        let PlanSettings { bytes, dtype, launches, semantics } = options.plan;
        let default = DEFAULT_BYTES
            .clamp(plan.min_message_size, plan.max_message_size.max(plan.min_message_size));
        let bytes = bytes.unwrap_or(default);
        let wanted = PlanOptions { bytes, dtype, launches, semantics };
        let file = (&mut self.sources, unit.file);
        let imported = import::import(plan, &wanted, file, &mut self.sink)?;
        if imported.message != bytes {
            let (asked, used) = (grouped(bytes), grouped(imported.message));
            self.notes.push(format!(
                "{asked} B do not divide into the chunks of the plan; {used} B are used"
            ));
        }
        Ok(imported)
    }

    fn verdict_of(&mut self, program: &Program) -> Result<Verdict, Reported> {
        let budget = commcheck::DEFAULT_BUDGET;
        Ok(commcheck::check_channels(program, budget, &mut self.sink)?.verdict)
    }

    /// What the stages behind the import make of a plan.
    pub(super) fn emit_plan(
        &mut self,
        (unit, plan): (&Unit, &Plan),
        options: &LaunchOptions,
        (stages, pes): (&[Stage], &StreamChoice),
    ) -> Result<String, Reported> {
        let imported = self.check_plan(unit, plan, options)?;
        let mut text = String::new();
        for stage in stages {
            match stage {
                Stage::Tokens | Stage::Ast | Stage::Ir | Stage::IrOpt => {
                    let message = "an execution plan has no tokens, tree or IR";
                    let it = Diagnostic::global(lowering::NOT_APPLICABLE, message);
                    return Err(self.sink.error(it.help("it has `--emit program,stream`")));
                }
                Stage::Plan => {
                    self.check_on_device((unit, plan), options)?;
                    text.push_str(&import::export(plan));
                }
                Stage::Program => text.push_str(&print::program(&imported.program, &self.sources)),
                Stage::Stream => text.push_str(&self.streams(&imported.program, pes)),
                Stage::Summary => {
                    let summary = print::summarise(&imported.program, commcheck::DEFAULT_BUDGET);
                    text.push_str(&summary.to_string());
                }
            }
        }
        Ok(text)
    }

    /// What a device does otherwise than is meant, of a plan that a kernel is written as: whoever
    /// loads it there would get something else than was run here.
    fn check_on_device(
        &mut self,
        (unit, plan): (&Unit, &Plan),
        options: &LaunchOptions,
    ) -> Result<(), Reported> {
        if !plan.is_written() || options.skip_check || options.plan.semantics == Semantics::Device {
            return Ok(());
        }
        let settings = PlanSettings { semantics: Semantics::Device, ..options.plan };
        let options = LaunchOptions { plan: settings, ..options.clone() };
        let said = std::mem::take(&mut self.sink);
        let notes = self.notes.len();
        let done = self.check_plan(unit, plan, &options).map(drop);
        self.notes.truncate(notes);
        let found = std::mem::replace(&mut self.sink, said);
        let note = "so it is on the device that loads the plan (`--semantics device`)";
        self.sink.take_all(found.into_sorted().into_iter().map(|it| it.note(note)).collect());
        done
    }

    /// Checks a plan, times it on a machine, and replays it on data.
    pub(super) fn run_plan<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        (plan, wanted): (&Plan, Option<Collective>),
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, Reported> {
        let SimRequest { unit, launch, sim } = request;
        let Imported { mut program, message, .. } = self.import_plan(unit, plan, launch)?;
        if let Some(wanted) = wanted {
            program.channels.definition = Some(self.wanted(&program, wanted)?);
        }
        let verdict = if launch.skip_check { None } else { Some(self.verdict_of(&program)?) };
        let target = self.plan_target(plan, launch)?;
        let machine = target.spec.build(&mut self.sink)?;
        let launches = launch.plan.launches;
        let noun = if launches == 1 { "launch" } else { "launches" };
        let bytes = grouped(message);
        let label = format!("{} ({} of {bytes} B, {launches} {noun})", plan.name, plan.collective);
        let (draws, pes) = (self.trace.is_some(), running_pes(&program));
        let options =
            sim::Options { accounts: sim.kept_messages(), spans: draws, ..sim::Options::default() };
        let mut runner =
            Runner { session: self, program: &program, machine: &machine, options, progress };
        if sim.no_explain {
            let outcome = runner.time(&mut NoLog::default())?;
            let result = LaunchResult {
                label,
                verdict,
                report: None,
                outcome,
                pes,
                host: None,
                printed: Vec::new(),
            };
            return Ok(SimReport::new(&target, vec![result], Data::Skipped, String::new()));
        }
        let mut log = SpillLog::new(sim.spill);
        if draws {
            log = log.with_spans(sim.spill);
        }
        let outcome = runner.time(&mut log)?;
        let run = crate::report::Run {
            program: &program,
            machine: &machine,
            log: &log,
            sources: &self.sources,
            time: outcome.time,
            links: &links(&machine, &outcome),
            moved: [outcome.counters.bytes_read, outcome.counters.bytes_written],
            accounts: outcome.accounts.as_ref(),
            shown_messages: sim.messages,
        };
        let report = Some(Report::new(&run));
        if let Some(trace) = &mut self.trace {
            trace.launch(&label, &run);
        }
        let data = if sim.no_data {
            Data::Skipped
        } else {
            replay(&program, &log, sim.seed, &mut self.sink)?
        };
        let result =
            LaunchResult { label, verdict, report, outcome, pes, host: None, printed: Vec::new() };
        Ok(SimReport::new(&target, vec![result], data, String::new()))
    }

    /// The definition that `--check` names, if the plan's buffers have the sizes for it.
    fn wanted(&mut self, program: &Program, wanted: Collective) -> Result<Definition, Reported> {
        let reduction = |it: Reduction| match it {
            Reduction::Sum => Some(BinaryOp::Add),
            Reduction::Min => Some(BinaryOp::Minimum),
            Reduction::Max => Some(BinaryOp::Maximum),
            Reduction::Prod => None,
        };
        let definition = match wanted {
            Collective::AllReduce(it) => reduction(it).map(Definition::AllReduce),
            Collective::ReduceScatter(it) => reduction(it).map(Definition::ReduceScatter),
            Collective::AllGather => Some(Definition::AllGather),
            Collective::Broadcast(0) => Some(Definition::Broadcast),
            Collective::AllToAll => Some(Definition::AllToAll),
            Collective::SendReceive(group) => Some(Definition::SendReceive { group }),
            Collective::Broadcast(_) | Collective::Reduce(..) => None,
        };
        let ranks = program.channels.ranks.len() as u64;
        let fits = |it: &Definition| {
            program.channels.ranks.iter().all(|rank| {
                let (input, output) = (rank.input.bytes, rank.output.bytes);
                match it {
                    Definition::AllGather => output == ranks * input,
                    Definition::ReduceScatter(_) => input == ranks * output,
                    Definition::AllReduce(_)
                    | Definition::AllToAll
                    | Definition::Broadcast
                    | Definition::SendReceive { .. } => input == output,
                }
            })
        };
        definition.filter(fits).ok_or_else(|| {
            let message = format!("`{wanted}` says nothing of a plan with such inputs and outputs");
            let name = &program.name;
            let it = Diagnostic::global(lowering::NOT_APPLICABLE, message);
            self.sink.error(it.note(format!("`{name}` says itself what it computes")))
        })
    }

    /// The machine of a plan: the one that is named, or GPU nodes as the plan has them.
    fn plan_target(&mut self, plan: &Plan, options: &LaunchOptions) -> Result<Target, Reported> {
        let world = plan.gpus.len() as u32;
        if options.topology.is_some() {
            let options = LaunchOptions { world: Some(world), ..options.clone() };
            return self.target(&options);
        }
        let nodes = import::nodes(plan);
        let text = topology::gpu_nodes(TEMPLATE, &nodes);
        let file = self.sources.add("GPU nodes", text);
        let spec = topology::load(&self.sources, file, &mut self.sink)?;
        let count = nodes.iter().max().map_or(0, |last| last + 1);
        let of = if count == 1 { "one GPU node".into() } else { format!("{count} GPU nodes") };
        self.notes.push(format!("no --topology is given: {world} ranks run on {of}"));
        Ok(Target { spec, world, note: None })
    }
}

/// What times a program.
struct Runner<'r, 's> {
    session: &'r mut Session,
    program: &'r Program,
    machine: &'r topology::Machine,
    options: sim::Options,
    progress: &'r mut Progress<'s>,
}

impl Runner<'_, '_> {
    fn time(&mut self, log: &mut impl LogSink) -> Result<sim::Outcome, Reported> {
        let options = &self.options;
        let run = sim::simulate(self.program, self.machine, options, log, self.progress);
        let Session { sources, sink, .. } = &mut *self.session;
        run.map_err(|failure| sink.error(failure.diagnostic(self.program, sources)))
    }
}

fn replay(program: &Program, log: &SpillLog, seed: u64, sink: &mut Sink) -> Result<Data, Reported> {
    let mut replay = ChannelReplay::new(program, seed);
    log.for_each_batch(&mut |batch| replay.advance(batch));
    if let Some(trouble) = replay.trouble() {
        let message = format!("the log of the run does not fit its program: {trouble}");
        return Err(sink.error(super::compile::bug(message)));
    }
    if program.channels.definition.is_none() {
        return Ok(Data::Unchecked { missing: "its collective has no definition" });
    }
    let bad = replay.launches().iter().filter(|it| !it.report.is_good());
    let told = bad.map(|it| sink.error(mismatch(program, it))).last();
    let complete = replay.launches().len() as u32 == program.channels.launches;
    if told.is_some() || !complete {
        return Ok(Data::Mismatch);
    }
    let elements: u64 = replay.launches().iter().map(|it| it.report.elements).sum();
    let collective = replay.launches().first().map(|it| it.collective.to_string());
    let (elements, launches) = (grouped(elements), program.channels.launches);
    let what = collective.unwrap_or_default();
    Ok(Data::Verified {
        what: format!("{elements} elements of {launches} launches are what `{what}` gives"),
    })
}

fn mismatch(program: &Program, it: &LaunchData) -> Diagnostic {
    let (bad, elements) = (grouped(it.report.bad), grouped(it.report.elements));
    let (collective, launch) = (&it.collective, it.launch);
    let message = format!(
        "{bad} of {elements} elements are not what `{collective}` gives in launch {launch}"
    );
    let mut diagnostic = Diagnostic::global(runtime::WRONG_RESULT, message);
    let chunk = program.channels.ranks.first().map_or(1, |it| it.chunk.max(1));
    let size = program.channels.dtype.map_or(1, |it| it.bytes());
    for first in &it.report.first {
        let (rank, place) = (first.rank, first.place);
        diagnostic = diagnostic.note(format!(
            "rank {rank}, element {place} (output chunk {}): got {}, expected {}",
            place * size / chunk,
            first.got,
            first.expected
        ));
    }
    diagnostic
}
