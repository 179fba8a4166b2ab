//! The device of host programs: compiles each launch, times it and replays it.

use std::collections::BTreeMap;

use super::backing::Backing;
use super::compile::{self, Request};
use super::front::{self, Known, Unit};
use super::machine::Target;
use super::outcome::{LaunchResult, running_pes};
use super::settings::{self, Neighborhood};
use super::{LaunchOptions, SimOptions, costs, given};
use crate::arena::Id;
use crate::command::{Agent, AgentId, Peer, Program};
use crate::commcheck::Verdict;
use crate::diag::{Diagnostic, Reported, Sink, constexpr, lowering as codes, runtime};
use crate::dtype::DType;
use crate::host::{
    Argument, Completion, Device, Exchange, LaunchRequest, PeCosts, Properties, Refusal, Runners,
    Scalar, Tensor, TensorId, Ticket, Writer,
};
use crate::ir::{Literal, Module};
use crate::launch::{AddressMap, Axes, IpcqOptions, Launch, NeighborTable};
use crate::oplog::{Log, LogSink, NoLog, SpillLog};
use crate::replay::{Memory, Origin, Printed, Replay};
use crate::report::{LinkUse, Report, Trace};
use crate::script::Script;
use crate::sema::{ArgType, Constant};
use crate::sim;
use crate::source::{SourceMap, Span};
use crate::syntax::ast;
use crate::topology::{Extent, LinkId, Machine, PeId, ReleaseMode};

/// The lines of each call's prints that stand beside errors.
const PRINTED_BESIDE_ERRORS: usize = 20;

/// Told how far a simulation is: simulated time, events, agents finished of how many.
pub type Progress<'p> = dyn FnMut(sim::Progress) + Send + 'p;

/// What a simulator is made of.
pub(super) struct Parts<'s> {
    /// The files, for messages and reports.
    pub(super) sources: &'s SourceMap,
    /// The file whose kernels are launched.
    pub(super) unit: &'s Unit,
    /// The modules of the library that can be launched, by name.
    pub(super) library: &'s BTreeMap<String, Unit>,
    /// The machine and the world.
    pub(super) target: &'s Target,
    /// Its graph.
    pub(super) machine: Machine,
    /// The file's host functions, which may say who is next to whom.
    pub(super) script: Option<Script<'s>>,
    /// What launches have in common.
    pub(super) launch: &'s LaunchOptions,
    /// What simulations have beside.
    pub(super) sim: &'s SimOptions,
    /// Told how far it is.
    pub(super) progress: &'s mut Progress<'s>,
    /// Where every launch is drawn, if it is.
    pub(super) trace: Option<&'s mut Trace>,
}

/// A machine that runs kernels of one file, one launch after the other.
pub(super) struct Simulator<'s> {
    parts: Parts<'s>,
    /// Typed IR by the module of the library that it is of, if it is of one, and by what was known
    /// when it was made.
    modules: Vec<(Option<String>, Known, Module)>,
    tensors: BTreeMap<TensorId, Tensor>,
    memory: Memory,
    results: Vec<LaunchResult>,
    programs: Vec<Program>,
    /// What the MMUs of the PEs hold.
    mapped: AddressMap,
    /// The memory that the tensors of a host program have.
    backing: Backing,
}

impl<'s> Simulator<'s> {
    pub(super) fn new(parts: Parts<'s>) -> Simulator<'s> {
        let backing = Backing::new(parts.target);
        Simulator {
            parts,
            modules: Vec::new(),
            tensors: BTreeMap::new(),
            memory: Memory::new(AddressMap::default()),
            results: Vec::new(),
            programs: Vec::new(),
            mapped: AddressMap::default(),
            backing,
        }
    }

    /// The machine.
    pub(super) fn machine(&self) -> &Machine {
        &self.parts.machine
    }

    /// What the MMUs of the PEs hold.
    pub(super) fn mapped(&self) -> &AddressMap {
        &self.mapped
    }

    /// Says what the MMUs of the PEs hold.
    pub(super) fn set_mapped(&mut self, mapped: AddressMap) {
        self.mapped = mapped;
    }

    /// The memory of the machine.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memory of the machine, to write as the host does.
    pub(super) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// The program of the last launch.
    pub(super) fn last_program(&self) -> Option<&Program> {
        self.programs.last()
    }

    /// Makes the memory hold these regions; what is in them already stays.
    pub(super) fn map(&mut self, map: AddressMap) {
        let memory = std::mem::replace(&mut self.memory, Memory::new(AddressMap::default()));
        self.memory = memory.remap(map);
    }

    /// What every launch did, in order.
    pub(super) fn into_results(self) -> Vec<LaunchResult> {
        self.results
    }

    /// Compiles and runs a launch whose tensors are mapped.
    pub(super) fn run(
        &mut self,
        job: &Job<'_>,
        known: &Known,
        sink: &mut Sink,
    ) -> Result<(), Reported> {
        let Job { label, launch, .. } = *job;
        let module = self.module(job.module, known, sink)?;
        let Some(kernel) = self.modules[module].2.kernel(&launch.kernel) else {
            let message = format!("there is no kernel named `{}`", launch.kernel);
            return Err(sink.error(Diagnostic::global(codes::NO_KERNEL, message)));
        };
        let target = Target { world: launch.world, ..self.parts.target.clone() };
        let neighborhood = self.neighborhood(job, &target, sink)?;
        let request = Request {
            module: &self.modules[module].2,
            kernel,
            launch,
            target: &target,
            neighbors: neighborhood.map(),
        };
        let (_, mut program) = request.compile(sink)?;
        settle(&mut program, job.runners, target.spec.extent());
        program.memory = self.memory.map().clone();
        let verdict = match self.parts.launch.skip_check {
            true => None,
            false => Some(compile::check(&program, self.parts.sources, sink)?),
        };
        self.execute(label, program, verdict, sink)
    }

    /// Who is next to whom in a launch: the file's `neighbors` may ask for its scalars.
    fn neighborhood(
        &self,
        job: &Job<'_>,
        target: &Target,
        sink: &mut Sink,
    ) -> Result<Neighborhood, Reported> {
        if let Some(table) = job.neighbors {
            return Ok(Neighborhood::Table(table.clone()));
        }
        let scalar = |(name, value): &(String, Literal)| {
            let scalar = match value {
                Literal::Int(value) => Scalar::Int(*value),
                Literal::Float(value) => Scalar::Float(*value),
            };
            (name.clone(), scalar)
        };
        let scalars: Vec<(String, Scalar)> = job.launch.args.iter().map(scalar).collect();
        let own = self.parts.script.as_ref();
        let machine = *target.spec.extent();
        let part = if let Runners::Parts(parts) = job.runners { parts.first() } else { None };
        let extent = part.map_or(machine, |part| part.extent(&machine));
        let script = match (job.module, job.runners) {
            (None, Runners::All) => own.cloned(),
            (None, Runners::Parts(_)) => {
                own.cloned().map(|it| it.of_world(target.world, settings::facts(&extent)))
            }
            // The file speaks of the whole world.
            (None, Runners::Groups(_) | Runners::Each(_)) => None,
            (Some(name), Runners::Groups(groups)) => {
                let members = groups.first().map_or(&[][..], Vec::as_slice);
                own.and_then(|it| it.of_library(name, members))
            }
            (Some(name), Runners::All | Runners::Each(_) | Runners::Parts(_)) => {
                let members: Vec<u32> = (0..target.world).collect();
                own.and_then(|it| it.of_library(name, &members))
            }
        };
        Neighborhood::of(script.as_ref(), (&extent, target.world), &scalars, sink)
    }

    /// The place of the typed IR of a module, or of the file itself, for what is known.
    fn module(
        &mut self,
        name: Option<&str>,
        known: &Known,
        sink: &mut Sink,
    ) -> Result<usize, Reported> {
        let is_it = |(module, other, _): &(Option<String>, Known, Module)| {
            module.as_deref() == name && other == known
        };
        if let Some(index) = self.modules.iter().position(is_it) {
            return Ok(index);
        }
        let module = front::analyze(self.unit(name, sink)?, known.clone(), sink)?;
        self.modules.push((name.map(str::to_owned), known.clone(), module));
        Ok(self.modules.len() - 1)
    }

    /// The module of this name; the file itself where there is no name.
    fn unit(&self, name: Option<&str>, sink: &mut Sink) -> Result<&'s Unit, Reported> {
        let Some(name) = name else { return Ok(self.parts.unit) };
        self.parts.library.get(name).ok_or_else(|| {
            sink.error(compile::bug(format!("there is no module `{name}` to launch")))
        })
    }

    /// Times a program and, with data, replays it.
    fn execute(
        &mut self,
        label: &str,
        program: Program,
        verdict: Option<Verdict>,
        sink: &mut Sink,
    ) -> Result<(), Reported> {
        let (report, outcome, printed) = if self.parts.sim.no_explain {
            let outcome = self.time(&program, &mut NoLog::default(), sink)?;
            (None, outcome, Vec::new())
        } else {
            let mut log = SpillLog::new(self.parts.sim.spill);
            if self.parts.trace.is_some() {
                log = log.with_spans(self.parts.sim.spill);
            }
            let outcome = self.time(&program, &mut log, sink)?;
            let run = crate::report::Run {
                program: &program,
                machine: &self.parts.machine,
                log: &log,
                sources: self.parts.sources,
                time: outcome.time,
                links: &links(&self.parts.machine, &outcome),
                moved: [outcome.counters.bytes_read, outcome.counters.bytes_written],
                accounts: outcome.accounts.as_ref(),
                shown_messages: self.parts.sim.messages,
            };
            let report = Some(Report::new(&run));
            if let Some(trace) = &mut self.parts.trace {
                trace.launch(label, &run);
            }
            let printed = match self.parts.sim.no_data {
                true => Vec::new(),
                false => self.replay(&program, &log, sink)?,
            };
            if let Some(trouble) = log.trouble() {
                return Err(sink.error(unreadable(&trouble)));
            }
            (report, outcome, printed)
        };
        let host = self.host_path(&program, &outcome);
        self.results.push(LaunchResult {
            label: label.into(),
            verdict,
            report,
            outcome,
            pes: running_pes(&program),
            host,
            printed,
        });
        self.programs.push(program);
        Ok(())
    }

    fn time(
        &mut self,
        program: &Program,
        log: &mut impl LogSink,
        sink: &mut Sink,
    ) -> Result<sim::Outcome, Reported> {
        let options = sim::Options {
            accounts: self.parts.sim.kept_messages(),
            spans: self.parts.trace.is_some(),
            ..sim::Options::default()
        };
        let machine = &self.parts.machine;
        let run = sim::simulate(program, machine, &options, log, self.parts.progress);
        run.map_err(|failure| sink.error(failure.diagnostic(program, self.parts.sources)))
    }

    /// Replays a run on the data. Gives what its kernel printed; where something is wrong, that is
    /// said beside it.
    fn replay(
        &mut self,
        program: &Program,
        log: &SpillLog,
        sink: &mut Sink,
    ) -> Result<Vec<String>, Reported> {
        let memory = std::mem::replace(&mut self.memory, Memory::new(AddressMap::default()));
        let threads = self.parts.sim.threads.unwrap_or_else(cores);
        let mut replay = Replay::new(program, memory).with_threads(threads);
        if self.parts.machine.params().ipcq.release == ReleaseMode::AtRecv {
            replay = replay.with_slots_given_back_at_recv();
        }
        log.for_each_batch(&mut |batch| replay.advance(batch, sink));
        replay.check_races(sink);
        let printed = replay.take_printed();
        self.memory = replay.into_memory();
        let Some(reported) = sink.reported() else {
            let sources = self.parts.sources;
            let line =
                |it: &Printed| format!("{}: {}: {}", sources.location(it.span), it.pe, it.text);
            return Ok(printed.iter().map(line).collect());
        };
        for it in printed_before(&printed) {
            sink.warning(it);
        }
        Err(reported)
    }

    /// A launch as the compiler takes it, and what must be known to analyse its kernel.
    fn launch(&self, request: &LaunchRequest) -> (Launch, Known) {
        let mut args: Vec<(String, Literal)> = Vec::new();
        let mut known = Known::default();
        let unit = match &request.module {
            None => Some(self.parts.unit),
            Some(name) => self.parts.library.get(name),
        };
        let kernel = unit.and_then(Unit::ast).and_then(|it| Declared::of(it, &request.kernel));
        let Declared { is_jit, constexprs } = kernel.unwrap_or_default();
        for (name, argument) in &request.args {
            let is_constexpr = constexprs.contains(name);
            match argument {
                Argument::Tensor(tensor) => {
                    args.push((name.clone(), Literal::Int(tensor.base as i64)));
                }
                Argument::Scalar(value) => {
                    known.constants.extend(settings::constant(name, value));
                    let literal = settings::literal(value);
                    if is_constexpr && !known.constants.contains_key(name) {
                        let constant = literal.map(|it| (name.clone(), Constant::from(it)));
                        known.constants.extend(constant);
                    }
                    args.extend(literal.map(|literal| (name.clone(), literal)));
                }
            }
            // A kernel with `tl` takes integers where nothing says otherwise.
            let is_float = matches!(argument, Argument::Scalar(Scalar::Float(_)));
            if (is_jit && !is_constexpr) || is_float {
                known.entry = Some(request.kernel.clone());
                known.arguments.extend(arg_type(argument).map(|it| (name.clone(), it)));
            }
        }
        let launch = Launch {
            kernel: request.kernel.clone(),
            args,
            world: request.runners.world(self.parts.target.world),
            grid: match &request.runners {
                Runners::Each(_) => Some(request.grid.unwrap_or([1; 3])),
                Runners::All | Runners::Groups(_) | Runners::Parts(_) => request.grid,
            },
            axes: match &request.runners {
                Runners::Parts(parts) => parts
                    .first()
                    .map(|part| Axes { pes_per_cube: part.pes, cubes_per_sip: part.cubes }),
                Runners::All | Runners::Groups(_) | Runners::Each(_) => None,
            },
            deal: request.deal.unwrap_or(self.parts.launch.deal),
            ipcq: request.queues.or(self.parts.launch.ipcq),
        };
        (launch, known)
    }

    /// Makes the memory hold every tensor the host has named so far.
    fn map_tensors(&mut self) {
        let regions = self.tensors.values().map(Tensor::region).collect();
        self.map(AddressMap::new(regions));
    }

    /// Makes a tensor known, and gives it memory if it is new.
    fn know(&mut self, tensor: &Tensor) -> Result<(), Refusal> {
        if self.tensors.get(&tensor.id) != Some(tensor) {
            let backed = self.backing.add(tensor);
            backed.map_err(|it| Refusal { diagnostics: vec![it] })?;
            // A new tensor may lie where one that was freed did.
            let end = |it: &Tensor| it.base + it.bytes();
            let (base, after) = (tensor.base, end(tensor));
            self.tensors.retain(|_, old| end(old) <= base || old.base >= after);
            self.tensors.insert(tensor.id, tensor.clone());
            self.map_tensors();
        }
        Ok(())
    }
}

/// What a kernel's own text says of its parameters.
#[derive(Default)]
struct Declared {
    /// Whether the arguments have Triton's types.
    is_jit: bool,
    /// Parameters that are known at compile time.
    constexprs: Vec<String>,
}

impl Declared {
    fn of(module: &ast::Module, kernel: &str) -> Option<Declared> {
        let function = module.functions().filter(|it| it.name.name == *kernel).last()?;
        let is_jit = function.style(module) == ast::FunctionStyle::JitKernel;
        Some(Declared { is_jit, constexprs: settings::constexprs(module, function) })
    }
}

/// A launch, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Job<'j> {
    /// What to call it.
    label: &'j str,
    launch: &'j Launch,
    /// The module of the library that the kernel is of; the file itself without.
    module: Option<&'j str>,
    /// Who is next to whom, where the launch says so itself.
    neighbors: Option<&'j NeighborTable>,
    runners: &'j Runners,
}

impl<'j> Job<'j> {
    /// A launch of a kernel of the file by every rank.
    pub(super) fn own(label: &'j str, launch: &'j Launch) -> Job<'j> {
        Job { label, launch, module: None, neighbors: None, runners: &Runners::All }
    }
}

/// Puts the agents of a program on the PEs of every team that runs it. Each team has the agents of the
/// program, and the queues between them, for itself.
fn settle(program: &mut Program, runners: &Runners, extent: &Extent) {
    let Some(teams) = runners.teams(extent) else { return };
    let (own, peers) = (std::mem::take(&mut program.agents), program.comm.peers.clone());
    program.comm.peers.clear();
    for team in &teams {
        let first = program.agents.len();
        let moved = |it: Peer| Peer { agent: AgentId::from_index(first + it.agent.index()), ..it };
        program.comm.peers.extend(peers.iter().map(|peer| peer.map(moved)));
        for agent in own.values() {
            // Lanes of one member stand on one PE.
            let pe = team.get(agent.pe.index()).copied().unwrap_or(agent.pe);
            program.agents.push(Agent { pe, ..*agent });
        }
    }
}

/// The type that Triton gives an argument; `None` for what is known at compile time only.
fn arg_type(argument: &Argument) -> Option<ArgType> {
    match argument {
        Argument::Tensor(tensor) => Some(ArgType::Pointer(tensor.dtype)),
        Argument::Scalar(Scalar::Int(value)) => Some(ArgType::Scalar(given::int_type(*value))),
        Argument::Scalar(Scalar::Float(_)) => Some(ArgType::Scalar(DType::F32)),
        Argument::Scalar(Scalar::Bool(_)) => Some(ArgType::Scalar(DType::I1)),
        Argument::Scalar(Scalar::Text(_) | Scalar::DType(_) | Scalar::None) => None,
    }
}

/// What went over each link that carried anything.
pub(super) fn links(machine: &Machine, outcome: &sim::Outcome) -> Vec<LinkUse> {
    let carried = outcome.counters.links.iter().enumerate().filter(|(_, it)| it.messages > 0);
    let of = |(index, it): (usize, &sim::LinkUse)| {
        let link = LinkId::from_index(index);
        let busy = machine.link(link).bandwidth.time(it.bytes);
        LinkUse { link, messages: it.messages, bytes: it.bytes, busy, queued: it.held }
    };
    carried.map(of).collect()
}

/// Threads that run at one time on this machine.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

fn refused(sink: Sink) -> Refusal {
    Refusal { diagnostics: sink.into_sorted() }
}

impl Device for Simulator<'_> {
    fn world_size(&self) -> u32 {
        self.parts.target.world
    }

    fn extent(&self) -> Extent {
        *self.parts.target.spec.extent()
    }

    fn has_data(&self) -> bool {
        !self.parts.sim.no_data && !self.parts.sim.no_explain
    }

    fn write(&mut self, tensor: &Tensor, bytes: &[u8]) -> Result<(), Refusal> {
        self.know(tensor)?;
        let written = self.memory.write(None, tensor.base, bytes);
        written.map_err(|_| unmapped(tensor))
    }

    fn write_copy(&mut self, tensor: &Tensor, rank: u32, bytes: &[u8]) -> Result<(), Refusal> {
        self.know(tensor)?;
        let written = self.memory.write(Some(PeId(rank)), tensor.base, bytes);
        written.map_err(|_| unmapped(tensor))
    }

    fn submit(&mut self, request: LaunchRequest) -> Result<Ticket, Refusal> {
        for tensor in request.tensors() {
            self.know(tensor)?;
        }
        let (launch, known) = self.launch(&request);
        let mut sink = Sink::new();
        let job = Job {
            label: &request.label,
            launch: &launch,
            module: request.module.as_deref(),
            neighbors: request.neighbors.as_ref(),
            runners: &request.runners,
        };
        match self.run(&job, &known, &mut sink) {
            Ok(()) => Ok(Ticket(self.results.len() as u32 - 1)),
            Err(_) => Err(refused(sink)),
        }
    }

    fn place(&mut self, tensor: &Tensor) -> Result<(), Refusal> {
        self.backing.add(tensor).map_err(|it| Refusal { diagnostics: vec![it] })
    }

    fn forget(&mut self, tensor: TensorId) {
        self.backing.remove(tensor);
        if self.tensors.remove(&tensor).is_some() {
            self.map_tensors();
        }
    }

    fn wait(&mut self, ticket: Ticket) -> Result<Completion, Refusal> {
        let result = self.results.get(ticket.0 as usize);
        let ended = |it: &LaunchResult| Completion {
            time: it.outcome.time,
            work: costs::work(&it.outcome),
        };
        Ok(result.map(ended).unwrap_or_default())
    }

    fn read(&mut self, tensor: &Tensor, rank: u32) -> Result<Vec<u8>, Refusal> {
        self.know(tensor)?;
        let read = self.memory.read(PeId(rank), tensor.base, tensor.bytes());
        read.map_err(|_| unmapped(tensor))
    }

    fn read_bytes(
        &mut self,
        (tensor, rank): (&Tensor, u32),
        (first, bytes): (u64, u64),
    ) -> Result<Vec<u8>, Refusal> {
        self.know(tensor)?;
        let read = self.memory.read(PeId(rank), tensor.base + first, bytes);
        read.map_err(|_| unmapped(tensor))
    }

    fn write_bytes(
        &mut self,
        (tensor, rank): (&Tensor, u32),
        first: u64,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        self.know(tensor)?;
        let written = self.memory.write(Some(PeId(rank)), tensor.base + first, bytes);
        written.map_err(|_| unmapped(tensor))
    }

    fn costs(&self, queues: IpcqOptions) -> Option<PeCosts> {
        Some(costs::of_pe(&self.parts.machine, queues.or(self.parts.launch.ipcq)))
    }

    fn properties(&self) -> Option<Properties> {
        Some(costs::properties(&self.parts.machine, self.parts.target.spec.name()))
    }

    fn exchange(&self, pairs: &[(u32, u32)]) -> Option<Exchange> {
        costs::of_exchange(&self.parts.machine, pairs)
    }

    fn writer(&self, tensor: &Tensor, place: u64, rank: u32) -> Option<Writer> {
        self.writer_of(tensor.base + place * tensor.dtype.bytes(), rank)
    }
}

impl Simulator<'_> {
    /// Who wrote the byte at `address` last, as `rank` sees it.
    pub(super) fn writer_of(&self, address: u64, rank: u32) -> Option<Writer> {
        let Origin::Command(writer) = self.memory.origin(PeId(rank), address)? else {
            return Some(Writer { who: String::from("the host"), span: Span::NONE });
        };
        // Only the last launch's program is at hand: a tensor that it left alone keeps an origin
        // that says nothing of it.
        let program = self.programs.last()?;
        let agent = program.agents.get(writer.agent)?;
        let site = program.codes[agent.code].sites.get(writer.site)?;
        Some(Writer { who: format!("PE {}", agent.pe.0), span: site.span })
    }
}

/// The log of a run cannot be read back.
fn unreadable(trouble: &str) -> Diagnostic {
    let message = format!("the log of the run cannot be read back: {trouble}");
    Diagnostic::global(runtime::LOG_UNREADABLE, message)
        .help("`--no-explain` keeps no log, and says how long the run takes")
}

fn unmapped(tensor: &Tensor) -> Refusal {
    let message = format!("the tensor `{}` is not in the machine's memory", tensor.name);
    Refusal { diagnostics: vec![compile::bug(message)] }
}

/// What a kernel printed before it went wrong, the lines of each call together.
fn printed_before(printed: &[Printed]) -> Vec<Diagnostic> {
    let mut calls: Vec<(Span, Vec<String>)> = Vec::new();
    for it in printed {
        let line = format!("{}: {}", it.pe, it.text);
        match calls.iter_mut().find(|(span, _)| *span == it.span) {
            Some((_, lines)) => lines.push(line),
            None => calls.push((it.span, vec![line])),
        }
    }
    let said = |(span, lines): (Span, Vec<String>)| {
        let plural = if lines.len() == 1 { "" } else { "s" };
        let text = format!("the kernel printed {} line{plural} here", lines.len());
        let it = Diagnostic::new(constexpr::PRINTED, text, span, "printed while it ran");
        let shown = lines.into_iter().take(PRINTED_BESIDE_ERRORS);
        shown.fold(it, Diagnostic::note)
    };
    calls.into_iter().map(said).collect()
}
