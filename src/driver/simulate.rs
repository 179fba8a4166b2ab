//! `kbc sim`: a host program, or a kernel by itself, from source to verdict.

use super::definition::{self, Collective, Image, Operands, Wrong};
use super::direct::MadeTensor;
use super::options::UsageError;
use super::outcome::{Data, SimReport};
use super::settings::Prepared;
use super::simulator::{Parts, Progress, Simulator};
use super::{LaunchOptions, Session, SimOptions, Unit};
use crate::diag::{Diagnostic, Reported, Sink, lowering, runtime as codes};
use crate::dtype::DType;
use crate::host::{Distribution, random};
use crate::launch::Region;
use crate::script;
use crate::shape::Shape;
use crate::topology::PeId;
use crate::units::grouped;

/// Why a simulation gave no report.
#[derive(Clone, Debug, PartialEq)]
pub enum SimError {
    /// The command line asks for what is not there.
    Usage(UsageError),
    /// The program is wrong, which has been reported.
    Program(Reported),
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
        let definition = match &request.sim.definition {
            Some(text) => Some(Collective::parse(text).map_err(SimError::Usage)?),
            None => None,
        };
        let host = request.launch.entry.as_deref().unwrap_or("run");
        if definition.is_none() && request.unit.host_function(host).is_some() {
            return Ok(self.run_host(request, host, progress)?);
        }
        Ok(self.run_kernel(request, definition, progress)?)
    }

    fn run_host<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        host: &str,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, Reported> {
        let target = self.target(request.launch)?;
        self.notes.extend(target.note.clone());
        let known = self.known_constants(request.unit, request.launch)?;
        // Mistakes in kernels that the host program never launches are told, too.
        self.analyze(request.unit, known)?;
        let machine = target.spec.build(&mut self.sink)?;
        let neighborhood = self.neighborhood(request.unit, &target)?;
        let Session { sources, sink, .. } = self;
        let mut simulator = Simulator::new(Parts {
            sources,
            unit: request.unit,
            target: &target,
            machine,
            neighborhood,
            launch: request.launch,
            sim: request.sim,
            progress,
        });
        let module = request.unit.ast().expect("a host function was found in the tree");
        let settings = super::settings::parsed(&request.launch.settings);
        let call = script::Call { module, function: host, settings: &settings, seed: request.sim.seed };
        let ran = script::run(&call, &mut simulator, sink)?;
        let data = match (request.sim.no_data || request.sim.no_explain, ran.checks) {
            (true, _) => Data::Skipped,
            (false, 0) => Data::Unchecked,
            (false, _) => Data::Verified { what: ran.summary },
        };
        let results = simulator.into_results();
        Ok(SimReport::new(&target, results, data, ran.printed))
    }

    fn run_kernel<'s>(
        &'s mut self,
        request: SimRequest<'s>,
        definition: Option<Collective>,
        progress: &'s mut Progress<'s>,
    ) -> Result<SimReport, Reported> {
        let prepared = self.prepare(request.unit, request.launch)?;
        let known = self.known_constants(request.unit, request.launch)?;
        let machine = prepared.target.spec.build(&mut self.sink)?;
        let Session { sources, sink, .. } = self;
        let mut simulator = Simulator::new(Parts {
            sources,
            unit: request.unit,
            target: &prepared.target,
            machine,
            neighborhood: prepared.neighborhood.clone(),
            launch: request.launch,
            sim: request.sim,
            progress,
        });
        simulator.map(prepared.memory());
        let has_data = !request.sim.no_data && !request.sim.no_explain;
        let before = if has_data { fill(&mut simulator, &prepared, request.sim.seed) } else { vec![] };
        let label = prepared.launch.kernel.clone();
        simulator.run((&label, &prepared.launch), &known, sink)?;
        let data = match definition {
            _ if !has_data => Data::Skipped,
            None => Data::Unchecked,
            Some(collective) => verdict(collective, &simulator, (&prepared, &before), sink)?,
        };
        Ok(SimReport::new(&prepared.target, simulator.into_results(), data, String::new()))
    }
}

/// Fills what the kernel reads with seeded data, and gives the bytes of every tensor.
fn fill(simulator: &mut Simulator<'_>, prepared: &Prepared, seed: u64) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    for (index, tensor) in prepared.tensors.iter().enumerate() {
        let bytes = if tensor.is_read { made_data(tensor, seed, index) } else { Vec::new() };
        if !bytes.is_empty() {
            let written = simulator.memory_mut().write(None, tensor.region.base, &bytes);
            debug_assert!(written.is_ok(), "the region was mapped just before");
        }
        contents.push(bytes);
    }
    contents
}

/// Seeded data for a tensor: floats from -1 to 1, small integers.
fn made_data(tensor: &MadeTensor, seed: u64, index: usize) -> Vec<u8> {
    let elements = tensor.region.bytes / tensor.dtype.bytes();
    let distribution = if tensor.dtype.is_float() {
        Distribution::Uniform { low: -1.0, high: 1.0 }
    } else {
        Distribution::Uniform { low: 0.0, high: 8.0 }
    };
    let shape = Shape::new([elements]);
    let seed = seed.wrapping_add(index as u64);
    random(distribution, shape, tensor.dtype, seed).into_bytes()
}

fn verdict(
    collective: Collective,
    simulator: &Simulator<'_>,
    (prepared, before): (&Prepared, &[Vec<u8>]),
    sink: &mut Sink,
) -> Result<Data, Reported> {
    let compared = Operands::of(&prepared.tensors).and_then(|operands| {
        let input = prepared.tensors.iter().position(|it| std::ptr::eq(it, operands.input));
        let bytes = input.and_then(|index| before.get(index)).map_or(&[][..], Vec::as_slice);
        let region = &operands.output.region;
        let after = left_in(simulator, region);
        let images = (
            &Image { region: &operands.input.region, bytes },
            &Image { region, bytes: &after },
        );
        definition::compare(collective, operands, images).map(|wrong| (operands, wrong))
    });
    match compared {
        Err(why) => {
            let name = collective.name();
            let message = format!("the definition `{name}` says nothing of this launch: {}", why.0);
            Err(sink.error(Diagnostic::global(lowering::NOT_APPLICABLE, message)))
        }
        Ok((_, None)) => {
            let what = format!("{} equals its definition on every rank", collective.name());
            Ok(Data::Verified { what })
        }
        Ok((operands, Some(wrong))) => {
            let diagnostic = mismatch(collective, operands.output.dtype, &wrong);
            let address = wrong.address;
            Err(sink.error(simulator.blame_address(address, wrong.rank, diagnostic)))
        }
    }
}

fn left_in(simulator: &Simulator<'_>, region: &Region) -> Vec<u8> {
    simulator.memory().read(PeId(0), region.base, region.bytes).unwrap_or_default()
}

fn mismatch(collective: Collective, dtype: DType, wrong: &Wrong) -> Diagnostic {
    let message = format!(
        "element {} of rank {}'s block of `{}` is {}, but {} gives {}",
        wrong.index,
        wrong.rank,
        wrong.tensor,
        wrong.found,
        collective.name(),
        wrong.expected,
    );
    Diagnostic::global(codes::DATA_MISMATCH, message)
        .note(format!(
            "{} of {} elements are wrong; in {dtype} this one may be away by {:.3e}",
            grouped(wrong.count),
            grouped(wrong.of),
            wrong.tolerance,
        ))
}
