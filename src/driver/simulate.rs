//! `kbc sim`: a host program, or a kernel by itself, from source to verdict.

use std::collections::BTreeMap;

use super::direct::MadeTensor;
use super::given::Results;
use super::machine::Target;
use super::options::UsageError;
use super::outcome::{Data, SimReport};
use super::settings::{self, Prepared};
use super::simulator::{Job, Parts, Progress, Simulator};
use super::{LaunchOptions, Session, SimOptions, Unit};
use crate::diag::{Diagnostic, Label, Reported, Sink, lowering, runtime as codes};
use crate::host::SipChoice;
use crate::replay::data::{Values, generate};
use crate::replay::verify::{Collective, CollectiveReport, Disagreement, LayoutError};
use crate::script::Verdict;
use crate::topology::PeId;
use crate::units::grouped;

/// The host function that a simulation runs.
const HOST_ENTRY: &str = "run";

/// Why a simulation gave no report.
#[derive(Clone, Debug, PartialEq)]
pub enum SimError {
    /// The command line asks for what is not there.
    Usage(UsageError),
    /// The program is wrong, which has been reported.
    Program(Reported),
}

impl From<UsageError> for SimError {
    fn from(error: UsageError) -> SimError {
        SimError::Usage(error)
    }
}

impl From<Reported> for SimError {
    fn from(reported: Reported) -> SimError {
        SimError::Program(reported)
    }
}

/// What is asked of a simulation.
#[derive(Clone, Copy)]
pub struct SimRequest<'a> {
    /// The file.
    pub unit: &'a Unit,
    /// What launches have in common.
    pub launch: &'a LaunchOptions,
    /// The rest.
    pub sim: &'a SimOptions,
}

/// Whether a host program is run, rather than a kernel or a plan.
fn is_host(SimRequest { unit, launch, .. }: SimRequest<'_>, has_definition: bool) -> bool {
    let is_named = launch.entry.as_deref().is_none_or(|entry| entry == HOST_ENTRY);
    is_named
        && !has_definition
        && !launch.is_given()
        && unit.plan().is_none()
        && unit.host_function(HOST_ENTRY).is_some()
}

/// A device of the command line must be one of the world's.
fn is_reached(device: Option<SipChoice>, target: &Target) -> Result<(), UsageError> {
    let extent = target.spec.extent();
    let (of_cube, cubes) = (extent.pes.count().max(1), extent.cubes.count().max(1));
    let (number, reached, noun) = match device {
        None | Some(SipChoice::All) => return Ok(()),
        Some(SipChoice::One(sip)) => (sip, target.world.div_ceil(of_cube * cubes), "SIP"),
        Some(SipChoice::Cube(cube)) => (cube, target.world.div_ceil(of_cube), "cube"),
    };
    if number < reached {
        return Ok(());
    }
    let plural = if reached == 1 { "" } else { "s" };
    let name = noun.to_lowercase();
    let why =
        format!("--device {name}:{number}: the world reaches {reached} {noun}{plural}, from 0 on");
    Err(UsageError(why))
}

impl Session {
    /// Runs a file: its host program, or its kernel with tensors made up for it.
    ///
    /// # Errors
    /// What is wrong with the program has been reported; what is wrong with the options is said.
    pub fn simulate<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, SimError> {
        let ran = self.run_any(request, progress);
        let communicators = self.communicators.name.clone();
        ran.map(|mut report| {
            report.communicators = communicators;
            report
        })
    }

    fn run_any<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, SimError> {
        let definition = match &request.sim.definition {
            Some(text) => Some(collective(text)?),
            None => None,
        };
        let is_host = is_host(request, definition.is_some());
        if request.sim.device.is_some() && !is_host {
            let why = "--device is for host programs, and none is run here (a function `run`)";
            return Err(SimError::Usage(UsageError(why.into())));
        }
        if let Some(plan) = request.unit.plan() {
            return Ok(self.run_plan(request, (plan, definition), progress)?);
        }
        let sim = request.sim;
        if request.launch.is_given() {
            if definition.is_some() {
                let why = "--check is for kernels without --arg; compare with --expect";
                return Err(SimError::Usage(UsageError(why.into())));
            }
            return self.run_given(request, progress);
        }
        if !sim.save.is_empty() || !sim.expect.is_empty() {
            let why = "--save and --expect need --arg: they name tensors that it gives";
            return Err(SimError::Usage(UsageError(why.into())));
        }
        if is_host {
            return self.run_host(request, progress);
        }
        if let Some(plan) = self.recipe(request.unit, request.launch)? {
            return Ok(self.run_plan(request, (&plan, definition), progress)?);
        }
        Ok(self.run_kernel(request, definition, progress)?)
    }

    fn run_host<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, SimError> {
        let target = self.target(request.launch)?;
        let device = request.sim.device;
        is_reached(device, &target)?;
        self.notes.extend(target.note.clone());
        let known = self.known_constants(request.unit, request.launch)?;
        let module = request.unit.ast().expect("a host function was found in the tree");
        // Mistakes in kernels that the host program never launches are told, too; where only a
        // launch says the types of what they load, when it does.
        if !settings::has_typed_kernels(module) {
            self.analyze(request.unit, known)?;
        }
        let machine = target.spec.build(&mut self.sink)?;
        let mut library = self.load_library(request.unit);
        library.extend(self.communicators.units.clone());
        let script = self.script(module, &target, request.launch);
        let modules = library.iter().filter_map(|(name, unit)| Some((name.clone(), unit.ast()?)));
        let script = script.with_library(modules.collect());
        let script = script.with_imports(self.library.values().cloned().collect()).on(device);
        let Session { sources, sink, trace, .. } = self;
        let mut simulator = Simulator::new(Parts {
            sources,
            unit: request.unit,
            library: &library,
            target: &target,
            machine,
            script: Some(script.clone()),
            launch: request.launch,
            sim: request.sim,
            progress,
            trace: trace.as_mut(),
        });
        let Some(ran) = script.run(&mut simulator) else {
            let message = "the host function was found, but did not run";
            return Err(sink.error(super::compile::bug(message)).into());
        };
        let verdict = ran.verdict();
        let reported = sink.take_all(ran.diagnostics);
        let data = match (verdict, reported) {
            (Some(Verdict::Mismatch), _) => Data::Mismatch,
            (_, Some(reported)) => {
                self.printed = ran.printed;
                return Err(reported.into());
            }
            (Some(Verdict::Verified), None) => {
                let checks = if ran.checks == 1 { "check" } else { "checks" };
                Data::Verified { what: format!("{} {checks} of `run` hold", ran.checks) }
            }
            (Some(Verdict::Skipped), None) => Data::Skipped,
            (Some(Verdict::Unchecked) | None, None) => Data::Unchecked {
                missing: "`run` has no torch.testing.assert_close and no assert on a tensor",
            },
        };
        Ok(SimReport::new(&target, simulator.into_results(), data, ran.printed))
    }

    /// Runs a kernel on what the shell gives it.
    fn run_given<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, SimError> {
        let SimRequest { unit, launch, sim } = request;
        let prepared = self.prepare(unit, launch)?;
        let map = prepared.memory();
        let results = Results { tensors: &prepared.given, regions: map.regions() };
        results.refuse_unknown(sim).map_err(SimError::Usage)?;
        let machine = prepared.target.spec.build(&mut self.sink)?;
        let module = unit.ast();
        let script = module.map(|module| self.script(module, &prepared.target, launch));
        let Session { sources, sink, trace, .. } = self;
        let target = &prepared.target;
        let trace = trace.as_mut();
        let library = BTreeMap::new();
        let library = &library;
        let parts =
            Parts { sources, unit, library, target, machine, script, launch, sim, progress, trace };
        let mut simulator = Simulator::new(parts);
        simulator.map(map.clone());
        let has_data = !sim.no_data && !sim.no_explain;
        if has_data {
            write_given(&mut simulator, results);
        }
        simulator.run(
            &Job::own(&prepared.launch.kernel, &prepared.launch),
            &prepared.known,
            sink,
        )?;
        let (mut data, mut saved) = (Data::Skipped, Vec::new());
        if let Some(program) = simulator.last_program().filter(|_| has_data) {
            data = results.compared((program, simulator.memory()), sim, sink);
            saved = results.saved(simulator.memory(), &sim.save);
        }
        let mut report = SimReport::new(target, simulator.into_results(), data, String::new());
        report.saved = saved;
        Ok(report)
    }

    fn run_kernel<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        definition: Option<Collective>,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, Reported> {
        let prepared = self.prepare(request.unit, request.launch)?;
        let machine = prepared.target.spec.build(&mut self.sink)?;
        let module = request.unit.ast();
        let script = module.map(|module| self.script(module, &prepared.target, request.launch));
        let library = BTreeMap::new();
        let Session { sources, sink, trace, .. } = self;
        let mut simulator = Simulator::new(Parts {
            sources,
            unit: request.unit,
            library: &library,
            target: &prepared.target,
            machine,
            script,
            launch: request.launch,
            sim: request.sim,
            progress,
            trace: trace.as_mut(),
        });
        simulator.map(prepared.memory());
        let has_data = !request.sim.no_data && !request.sim.no_explain;
        let before =
            if has_data { fill(&mut simulator, &prepared, request.sim.seed) } else { vec![] };
        let label = prepared.launch.kernel.clone();
        simulator.run(&Job::own(&label, &prepared.launch), &prepared.known, sink)?;
        let data = match definition {
            _ if !has_data => Data::Skipped,
            None => Data::Unchecked { missing: "a `run` in the file, --check or --expect" },
            Some(collective) => verdict(collective, &simulator, (&prepared, &before), sink)?,
        };
        Ok(SimReport::new(&prepared.target, simulator.into_results(), data, String::new()))
    }
}

fn collective(text: &str) -> Result<Collective, SimError> {
    let unknown = || {
        UsageError(format!(
            "--check: there is no definition `{text}`; there are all_reduce, reduce and \
             reduce_scatter (each with :sum, :prod, :max or :min), all_gather, broadcast, all_to_all, send_receive"
        ))
    };
    Collective::from_name(text).ok_or_else(|| SimError::Usage(unknown()))
}

/// Writes the contents of the tensors that the shell gives.
fn write_given(simulator: &mut Simulator<'_>, given: Results<'_>) {
    for (tensor, region) in given.tensors.iter().zip(given.regions) {
        let Some(bytes) = &tensor.value.bytes else { continue };
        let written = simulator.memory_mut().write(None, region.base, bytes);
        debug_assert!(written.is_ok() || bytes.is_empty(), "the region was mapped just before");
    }
}

/// Fills what the kernel reads with seeded data, and gives the bytes of every tensor.
fn fill(simulator: &mut Simulator<'_>, prepared: &Prepared, seed: u64) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    for (tensor, seed) in prepared.tensors.iter().zip(seed..) {
        let bytes = if tensor.is_read { made_data(tensor, seed) } else { Vec::new() };
        if !bytes.is_empty() {
            let written = simulator.memory_mut().write(None, tensor.region.base, &bytes);
            debug_assert!(written.is_ok(), "the region was mapped just before");
        }
        contents.push(bytes);
    }
    contents
}

/// Seeded data for a tensor: floats from -1 to 1, small integers.
fn made_data(tensor: &MadeTensor, seed: u64) -> Vec<u8> {
    let values = if tensor.dtype.is_float() {
        Values::Uniform { low: -1.0, high: 1.0 }
    } else {
        Values::Integers { low: 0, high: 7 }
    };
    generate(tensor.dtype, tensor.region.bytes / tensor.dtype.bytes(), values, seed)
}

/// The tensor that a collective reads, by its place, and the one that it writes.
fn operands(tensors: &[MadeTensor]) -> Result<(usize, usize), LayoutError> {
    match tensors {
        [only] if only.is_read && only.is_written => Ok((0, 0)),
        [input, output] if input.is_read && output.is_written => Ok((0, 1)),
        _ => Err(LayoutError(format!(
            "a collective has one tensor that is read and written, or one that is read before one \
             that is written; this launch has {}",
            tensors.len()
        ))),
    }
}

/// The bytes of each rank's block.
fn blocks<'b>(tensor: &MadeTensor, bytes: &'b [u8]) -> Vec<&'b [u8]> {
    let block = |block: &Option<(u64, u64)>| match block {
        Some((first, end)) => bytes.get(*first as usize..*end as usize).unwrap_or(&[]),
        None => &[],
    };
    tensor.blocks.iter().map(block).collect()
}

fn verdict(
    collective: Collective,
    simulator: &Simulator<'_>,
    (prepared, before): (&Prepared, &[Vec<u8>]),
    sink: &mut Sink,
) -> Result<Data, Reported> {
    let checked = operands(&prepared.tensors).and_then(|(input, output)| {
        let (given, left) = (&prepared.tensors[input], &prepared.tensors[output]);
        let region = &left.region;
        let after = simulator.memory().read(PeId(0), region.base, region.bytes).unwrap_or_default();
        let (inputs, outputs) = (blocks(given, &before[input]), blocks(left, &after));
        Ok((left, collective.check(left.dtype, &inputs, &outputs)?))
    });
    match checked {
        Err(LayoutError(why)) => {
            let message = format!("`{collective}` says nothing of this launch: {why}");
            Err(sink.error(Diagnostic::global(lowering::NOT_APPLICABLE, message)))
        }
        Ok((_, report)) if report.is_good() => {
            let elements = grouped(report.elements);
            Ok(Data::Verified {
                what: format!("{elements} elements are what `{collective}` gives"),
            })
        }
        Ok((tensor, report)) => {
            let diagnostic = mismatch(collective, tensor, &report);
            sink.error(blamed(diagnostic, simulator, (tensor, &report)));
            Ok(Data::Mismatch)
        }
    }
}

/// Adds who wrote the first wrong element.
fn blamed(
    wrong: Diagnostic,
    simulator: &Simulator<'_>,
    (tensor, report): (&MadeTensor, &CollectiveReport),
) -> Diagnostic {
    let Some(first) = report.first.first() else { return wrong };
    let address = address_of(tensor, first.rank, first.place);
    match simulator.writer_of(address, first.rank) {
        None => wrong.note("nothing has written the first of them"),
        Some(writer) if writer.span.is_none() => {
            wrong.note(format!("{} wrote the first of them", writer.who))
        }
        Some(writer) => {
            let text = format!("{} wrote the first of them here", writer.who);
            Diagnostic { primary: Some(Label { span: writer.span, text }), ..wrong }
        }
    }
}

fn address_of(tensor: &MadeTensor, rank: u32, place: u64) -> u64 {
    let block = tensor.blocks.get(rank as usize).copied().flatten();
    tensor.region.base + block.map_or(0, |(first, _)| first) + place * tensor.dtype.bytes()
}

fn mismatch(collective: Collective, tensor: &MadeTensor, report: &CollectiveReport) -> Diagnostic {
    let name = &tensor.region.name;
    let (bad, of) = (grouped(report.bad), grouped(report.elements));
    let message = format!("{bad} of {of} elements of `{name}` are not what `{collective}` gives");
    let diagnostic = Diagnostic::global(codes::WRONG_RESULT, message);
    report.first.iter().fold(diagnostic, |diagnostic, wrong| {
        let Disagreement { rank, place, got, expected, bound } = wrong;
        diagnostic.note(format!(
            "rank {rank}, element {place}: got {got}, expected {expected} (give or take {bound:.1e})"
        ))
    })
}
