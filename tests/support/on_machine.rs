//! Runs IR in the two ways that must agree: by the reference interpreter, and through passes,
//! lowering, simulation and replay on the default machine.

use std::collections::BTreeMap;

use kbc::commcheck;
use kbc::diag::Sink;
use kbc::ir::interpret::{self, Fault, Messages};
use kbc::ir::{Bindings, Function, Limits, Literal, Module};
use kbc::launch::{AddressMap, Deal, IpcqOptions, Launch, NeighborTable, Placement, Region, Shard};
use kbc::lower::{self, Wiring};
use kbc::oplog::MemoryLog;
use kbc::passes::{Context, run_observed};
use kbc::replay::{Memory, Replay};
use kbc::sim::{self, Outcome};
use kbc::source::SourceMap;
use kbc::topology::{Machine, PeId, Spec};

use super::random_kernels::{IN, OUT, PROGRAMS};

/// Steps after which the interpreter gives up.
const BUDGET: u64 = 3_000_000;

/// Arguments for the machine that [`run_on_machine`] builds.
pub fn machine_bindings(arguments: &[(&str, i64)]) -> Bindings {
    let params =
        arguments.iter().map(|(name, value)| (String::from(*name), Literal::Int(*value))).collect();
    Bindings { params, num_programs: [8, 1, 1] }
}

/// What four programs in a ring leave in `in` and `out`, and what they send.
pub fn run_by_meaning(
    module: Option<&Module>,
    function: &Function,
    bindings: &Bindings,
    data: &[Vec<u8>; 2],
) -> Result<(Vec<Vec<u8>>, Messages), Fault> {
    let mut memory = interpret::Memory::new();
    for ((base, _), bytes) in [IN, OUT].into_iter().zip(data) {
        memory.add(base as i64, bytes.clone());
    }
    let programs: Vec<[u32; 3]> = (0..PROGRAMS).map(|id| [id, 0, 0]).collect();
    let count = PROGRAMS as usize;
    let ring = |from: usize, dir: &str| match dir {
        "E" => Some(((from + 1) % count, String::from("W"))),
        "W" => Some(((from + count - 1) % count, String::from("E"))),
        _ => None,
    };
    let launch = interpret::Launch {
        module,
        function,
        params: &bindings.params,
        programs: &programs,
        num_programs: bindings.num_programs,
        peers: &ring,
        budget: BUDGET,
    };
    let messages = launch.run(&mut memory)?;
    Ok((memory.stretches().map(|(_, bytes)| bytes.to_vec()).collect(), messages))
}

/// The function after each pass; `None` if the launch is refused.
pub fn stages(
    module: &Module,
    bindings: &Bindings,
    limits: &Limits,
) -> Option<Vec<(&'static str, Function)>> {
    let mut sink = Sink::new();
    let kernel = module.kernels().next().expect("there is a kernel");
    let mut context = Context { module, bindings, limits, sink: &mut sink };
    let mut stages = Vec::new();
    let result = run_observed(&mut context, kernel, &mut |pass, function| {
        stages.push((pass.name(), function.clone()));
    });
    let bugs: Vec<_> = sink.diagnostics().iter().filter(|it| it.code.id == "K0001").collect();
    assert!(bugs.is_empty(), "{bugs:#?}\n{}", super::text_of(module));
    let function = result.ok()?;
    stages.push(("compaction", function));
    Some(stages)
}

/// What a run on the machine gives.
pub struct Ran {
    /// The bytes of `in` and of `out`.
    pub memory: Vec<Vec<u8>>,
    pub outcome: Outcome,
    /// The kernel as it was lowered.
    pub function: Function,
}

/// The default machine.
pub fn machine() -> (Spec, Machine) {
    let spec = Spec::implied();
    let machine = spec.build(&mut Sink::new()).expect("the default machine is right");
    (spec, machine)
}

fn ring() -> NeighborTable {
    let mut table = NeighborTable::new(PROGRAMS);
    for rank in 0..PROGRAMS {
        table.set(rank, "E", (rank + 1) % PROGRAMS, Some("W"));
        table.set(rank, "W", (rank + PROGRAMS - 1) % PROGRAMS, Some("E"));
    }
    table
}

fn regions(data: &[Vec<u8>; 2]) -> Vec<Region> {
    let shards = |bytes: u64| {
        let each = bytes / u64::from(PROGRAMS);
        let shard =
            |rank: u32| Shard { offset: u64::from(rank) * each, bytes: each, pe: PeId(rank) };
        (0..PROGRAMS).map(shard).collect()
    };
    let region = |(name, base, bytes): (&str, u64, u64)| Region {
        name: name.into(),
        base,
        bytes,
        placement: Placement::Sharded(shards(bytes)),
    };
    vec![region(("in", IN.0, data[0].len() as u64)), region(("out", OUT.0, data[1].len() as u64))]
}

/// Compiles, times and replays a kernel; the diagnostics if it is refused or something is wrong.
pub fn run_on_machine(
    (spec, machine): (&Spec, &Machine),
    module: &Module,
    bindings: &Bindings,
    data: &[Vec<u8>; 2],
) -> Result<Ran, Sink> {
    let mut sink = Sink::new();
    let ran = run_reported((spec, machine), module, bindings, (data, &mut sink));
    match ran {
        Some(ran) if sink.diagnostics().is_empty() => Ok(ran),
        _ => Err(sink),
    }
}

fn run_reported(
    (spec, machine): (&Spec, &Machine),
    module: &Module,
    bindings: &Bindings,
    (data, sink): (&[Vec<u8>; 2], &mut Sink),
) -> Option<Ran> {
    let kernel = module.kernels().next().expect("there is a kernel");
    let launch = Launch {
        kernel: module.functions[kernel].name.clone(),
        args: bindings.params.iter().map(|(name, value)| (name.clone(), *value)).collect(),
        world: PROGRAMS,
        grid: None,
        axes: None,
        deal: Deal::Block,
        ipcq: IpcqOptions { slots: Some(32), ..IpcqOptions::default() },
    };
    let neighbors = ring();
    let (extent, params) = (spec.extent(), spec.params());
    assert_eq!(launch.num_programs(extent), bindings.num_programs);
    let limits = lower::limits(params, None);
    let function = kbc::passes::run(module, kernel, bindings, &limits, sink).ok()?;
    let wiring = Wiring { launch: &launch, extent, params, neighbors: &neighbors };
    let comm = lower::connect(&lower::traffic(&function), &wiring, sink).ok()?;
    let mut program = lower::lower(&function, &launch, extent, comm, sink).ok()?;
    program.memory = AddressMap::new(regions(data));
    let sources = SourceMap::new();
    commcheck::check(&program, &sources, commcheck::DEFAULT_BUDGET, sink).ok()?;
    let mut log = MemoryLog::default();
    let options = sim::Options::default();
    let outcome = match sim::simulate(&program, machine, &options, &mut log, &mut |_| {}) {
        Ok(outcome) => outcome,
        Err(failure) => {
            sink.error(failure.diagnostic(&program, &sources));
            return None;
        }
    };
    let mut memory = Memory::new(program.memory.clone());
    for ((base, _), bytes) in [IN, OUT].into_iter().zip(data) {
        memory.write(None, base, bytes).expect("the tensors are mapped");
    }
    let mut replay = Replay::new(&program, memory);
    replay.advance(&log.records, sink);
    replay.check_races(sink);
    let memory = replay.into_memory();
    let read = |(base, bytes): (u64, &Vec<u8>)| {
        memory.read(PeId(0), base, bytes.len() as u64).expect("the tensors are mapped")
    };
    let bytes = [(IN.0, &data[0]), (OUT.0, &data[1])].map(read).into();
    Some(Ran { memory: bytes, outcome, function })
}

/// The diagnostics, for a failing test.
pub fn shown(sink: Sink) -> String {
    super::rendered(sink, &SourceMap::new())
}

/// Arguments by name.
pub fn params(arguments: &[(&str, i64)]) -> BTreeMap<String, Literal> {
    machine_bindings(arguments).params
}
