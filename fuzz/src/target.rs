//! What is fuzzed: each target makes inputs, and says what must hold of every one.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kbc::commcheck;
use kbc::diag::{Diagnostic, Sink};
use kbc::driver::{Known, LaunchOptions, Session};
use kbc::ir::interpret::{self, Reason};
use kbc::ir::print::print;
use kbc::ir::{Bindings, Function, Literal, Module, Op, Type};
use kbc::launch::{Deal, IpcqOptions, Launch, NeighborTable};
use kbc::lower::{self, Wiring};
use kbc::passes::{Context, run_observed};
use kbc::source::SourceMap;
use kbc::topology::{Machine, Spec};

use crate::corpus;
use crate::dice::Dice;
use crate::graft::graft;
use crate::mutate::mutate;
use crate::rewire::rewire;
use crate::said::well_formed;
use crate::support::{loop_kernels, on_machine, random_kernels};
use crate::words;

/// Commands that a communication check may walk.
const CHECKED_COMMANDS: u64 = 20_000;
/// Steps that the interpreter may take.
const INTERPRETED_STEPS: u64 = 20_000;
/// Elements of the largest tile that is interpreted.
const INTERPRETED_ELEMENTS: u64 = 4096;
/// PEs of the largest machine that is built.
const BUILT_PES: u64 = 20_000;

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Bytes as a `.kb` file: read, parsed, resolved, typed; kernels that are right are compiled as text IR is.
    Source,
    /// Bytes as a `.kir` file: read, taken through the passes, interpreted before and after,
    /// lowered, its communication checked.
    Kir,
    /// Bytes as a machine: read, and built if it is small.
    Topology,
    /// A random kernel: interpreted, and run on the simulated machine.
    Differential,
}

/// What a run drew: how far it got, and the codes of the diagnostics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drawn {
    /// How far: 0 if it was refused at once.
    pub reached: u8,
    /// The codes, each once.
    pub codes: BTreeSet<&'static str>,
}

impl Target {
    /// Every target.
    pub const ALL: [Target; 4] =
        [Target::Source, Target::Kir, Target::Topology, Target::Differential];

    /// Its name on the command line, and of its folder in the corpus.
    pub fn name(self) -> &'static str {
        match self {
            Target::Source => "source",
            Target::Kir => "kir",
            Target::Topology => "topology",
            Target::Differential => "differential",
        }
    }

    /// The target of this name.
    pub fn from_name(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The ending of its inputs.
    pub fn ending(self) -> &'static str {
        match self {
            Target::Source => "kb",
            Target::Kir => "kir",
            Target::Topology => "yaml",
            Target::Differential => "txt",
        }
    }

    /// What was found before, by file name.
    pub fn found(self) -> Vec<(String, Vec<u8>)> {
        let files = corpus::files(&corpus::directory().join(self.name()), self.ending());
        files.into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)).collect()
    }

    /// What mutation begins with: what ships, what documents, what was found.
    pub fn seeds(self) -> Vec<Vec<u8>> {
        let root = corpus::root();
        let files = |folder: &str| {
            corpus::files(&root.join(folder), self.ending()).into_iter().map(|(_, bytes)| bytes)
        };
        let mut seeds: Vec<Vec<u8>> = match self {
            Target::Source => {
                let folders = ["kernels", "kernels/triton", "lib", "tests/golden"];
                folders.into_iter().flat_map(files).collect()
            }
            Target::Topology => files("topology").collect(),
            Target::Kir => generated(),
            Target::Differential => vec![b"random 0".to_vec(), b"loops 0".to_vec()],
        };
        seeds.extend(match self {
            Target::Source => corpus::fences("kb"),
            Target::Kir => [corpus::fences("kir"), corpus::operations()].concat(),
            Target::Topology => corpus::fences("yaml"),
            Target::Differential => Vec::new(),
        });
        seeds.extend(self.found().into_iter().map(|(_, bytes)| bytes));
        seeds
    }

    /// A new input from two of the pool.
    pub fn mutate(self, input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
        match self {
            Target::Source if dice.one_in(2) => {
                match (std::str::from_utf8(input), std::str::from_utf8(other)) {
                    (Ok(text), Ok(other)) => graft(text, other, dice).into_bytes(),
                    _ => mutate(input, other, &words::SOURCE, dice),
                }
            }
            Target::Source => mutate(input, other, &words::SOURCE, dice),
            Target::Kir if !dice.one_in(4) => {
                rewire(&String::from_utf8_lossy(input), dice).into_bytes()
            }
            Target::Kir => mutate(input, other, &words::KIR, dice),
            Target::Topology => mutate(input, other, &words::YAML, dice),
            Target::Differential => {
                let kind = if dice.one_in(2) { "random" } else { "loops" };
                format!("{kind} {}", dice.throw()).into_bytes()
            }
        }
    }

    /// Runs an input.
    ///
    /// # Panics
    /// What must hold of every input does not.
    pub fn run(self, input: &[u8]) -> Drawn {
        match self {
            Target::Source => run_source(input),
            Target::Kir => run_kir(input),
            Target::Topology => run_topology(input),
            Target::Differential => run_differential(input),
        }
    }
}

/// Text IR of the generators of the tests, and of the kernels that ship.
fn generated() -> Vec<Vec<u8>> {
    let loops = (0..24).map(loop_kernels::text);
    let random = (0..24).map(|seed| print(&random_kernels::module(seed)));
    let mut texts: Vec<Vec<u8>> = loops.chain(random).map(String::into_bytes).collect();
    for (path, bytes) in corpus::files(&corpus::root().join("kernels"), "kb") {
        let mut session = Session::new();
        let unit = session.load(&path.display().to_string(), &bytes);
        let module = unit.and_then(|unit| session.analyze(&unit, Known::default()));
        texts.extend(module.map(|module| print(&module).into_bytes()));
    }
    texts
}

/// Checks that what is refused has a reason, and what was said.
fn drawn(is_good: bool, reached: u8, said: &[Diagnostic], sources: &SourceMap) -> Drawn {
    let has_errors = said.iter().any(Diagnostic::is_error);
    assert!(is_good || has_errors, "it is refused, and nothing says why");
    said.iter().for_each(|diagnostic| well_formed(diagnostic, sources));
    Drawn { reached, codes: said.iter().map(|it| it.code.id).collect() }
}

fn run_source(input: &[u8]) -> Drawn {
    let mut session = Session::new();
    let unit = session.load("input.kb", input);
    let (mut is_good, mut reached) = (unit.is_ok(), 0);
    if let Ok(unit) = unit {
        let parsed = session.take_diagnostics();
        if !parsed.iter().any(Diagnostic::is_error) {
            reached = 1;
            prints_back(unit.ast());
        }
        is_good = session.check(&unit, &LaunchOptions::default()).is_ok();
        reached += u8::from(is_good);
        let mut said = session.take_diagnostics();
        said.extend(parsed);
        if is_good {
            let module = session.analyze(&unit, Known::default());
            // Constants of the launch may be wanted already.
            session.take_diagnostics();
            if let Ok(module) = module {
                let mut sink = Sink::new();
                let (further, compiled) = compile(&module, session.sources(), &mut sink);
                (reached, is_good) = (reached + further, compiled);
                said.extend(sink.into_sorted());
            }
        }
        return drawn(is_good, reached, &said, session.sources());
    }
    drawn(is_good, reached, &session.take_diagnostics(), session.sources())
}

/// What parses prints as text that parses, and prints the same.
fn prints_back(tree: Option<&kbc::syntax::ast::Module>) {
    let Some(tree) = tree else { return };
    let text = kbc::syntax::printer::print(tree);
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let file = sources.add("printed.kb", &text);
    let again = kbc::syntax::parse(file, &text, &mut sink);
    assert!(!sink.has_errors(), "{:#?}\n{text}", sink.into_sorted());
    assert_eq!(kbc::syntax::printer::print(&again), text, "it prints differently when read again");
}

fn run_kir(input: &[u8]) -> Drawn {
    let mut session = Session::new();
    let text = String::from_utf8_lossy(input).into_owned();
    let unit = session.load("input.kir", input);
    let Ok(_) = unit else {
        return drawn(false, 0, &session.take_diagnostics(), session.sources());
    };
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let file = sources.add("input.kir", &text);
    let module = kbc::ir::parse::parse(file, &text, &mut sink).expect("it was read before");
    let printed = print(&module);
    let again = crate::support::read(&printed);
    assert_eq!(print(&again), printed, "it prints differently when read again");
    let (further, is_good) = compile(&module, &sources, &mut sink);
    drawn(is_good, 1 + further, &sink.into_sorted(), &sources)
}

/// Takes the first kernel through the passes, which must not change what it computes, and lowers
/// it. How far it got, and whether nothing was refused.
fn compile(module: &Module, sources: &SourceMap, sink: &mut Sink) -> (u8, bool) {
    let Some(kernel) = module.kernels().next() else { return (0, true) };
    let bindings = bindings(&module.functions[kernel]);
    let mut limits = crate::support::limits();
    limits.tcm_bytes = 1 << 20;
    let mut stages = Vec::new();
    let mut context = Context { module, bindings: &bindings, limits: &limits, sink: &mut *sink };
    let result = run_observed(&mut context, kernel, &mut |pass, function| {
        stages.push((pass.name(), function.clone()));
    });
    let Ok(function) = result else { return (1, false) };
    same_meaning(module, &module.functions[kernel], &stages, &bindings);
    let is_good = lowers(&function, &bindings, (sources, sink));
    (2 + u8::from(is_good), is_good)
}

/// Arguments that let kernels touch the two tensors of the tests.
fn bindings(function: &Function) -> Bindings {
    let mut params = BTreeMap::new();
    for (index, param) in function.params.iter().enumerate() {
        let name = &function.values[param.value].name;
        let is_float = function.ty(param.value).dtype().is_float();
        let pointer = matches!(function.ty(param.value), Type::Pointer(_));
        let text = name.clone().unwrap_or_default();
        let value = match text.as_str() {
            "in" => random_kernels::IN.0 as i64,
            "out" | "p" | "q" => random_kernels::OUT.0 as i64,
            _ if pointer || text.contains("ptr") => random_kernels::IN.0 as i64,
            "m" => 4,
            "n" => 8,
            _ => index as i64,
        };
        let value = if is_float && !pointer { Literal::Float(1.5) } else { Literal::Int(value) };
        params.insert(text, value);
    }
    Bindings { params, num_programs: [8, 1, 1] }
}

/// Checks that no pass changes what the kernel computes, where that can be told.
fn same_meaning(
    module: &Module,
    kernel: &Function,
    stages: &[(&str, Function)],
    bindings: &Bindings,
) {
    let largest = stages.last().map_or(0, |(_, function)| largest_tile(function));
    if largest > INTERPRETED_ELEMENTS {
        return;
    }
    // A reduction by a function that is one op has that op's order; whether a function is, is only
    // known once it is inlined and folded.
    let combines = |function: &Function| {
        let mut ops = function.ops.values();
        ops.any(|data| matches!(data.op, Op::ReduceBy(_) | Op::ScanBy(_)))
    };
    let by_function = stages.iter().any(|(_, function)| combines(function));
    let written_out = stages.iter().position(|(pass, _)| *pass == "combine").unwrap_or(0);
    let (kernel, stages) = if by_function {
        (&stages[written_out].1, &stages[written_out..])
    } else {
        (kernel, stages)
    };
    let expected = interpret(module, kernel, bindings);
    if expected.is_err() {
        return;
    }
    for (pass, function) in stages {
        let found = interpret(module, function, bindings);
        if found.as_ref().is_err_and(|fault| fault.reason == Reason::Budget) {
            return;
        }
        assert!(found == expected, "after {pass} it computes something else: {:?}", found.err());
    }
}

fn largest_tile(function: &Function) -> u64 {
    let elements = |ty: &Type| {
        let shape = ty.tile().and_then(kbc::ir::TileType::shape);
        shape.map_or(0, |shape| shape.elements())
    };
    function.values.values().map(|value| elements(&value.ty)).max().unwrap_or(0)
}

/// What four programs in a ring leave in memory and send.
fn interpret(
    module: &Module,
    function: &Function,
    bindings: &Bindings,
) -> Result<(Vec<Vec<u8>>, interpret::Messages), interpret::Fault> {
    let mut memory = interpret::Memory::new();
    let programs: Vec<[u32; 3]> = (0..random_kernels::PROGRAMS).map(|id| [id, 0, 0]).collect();
    let count = programs.len();
    for (base, bytes) in [random_kernels::IN, random_kernels::OUT] {
        memory.add(base as i64, random_kernels::data(base, bytes * count as u64));
    }
    let ring = |from: usize, dir: &str| match dir {
        "E" => Some(((from + 1) % count, String::from("W"))),
        "W" => Some(((from + count - 1) % count, String::from("E"))),
        _ => None,
    };
    let launch = interpret::Launch {
        module: Some(module),
        function,
        params: &bindings.params,
        programs: &programs,
        num_programs: bindings.num_programs,
        peers: &ring,
        budget: INTERPRETED_STEPS,
    };
    let messages = launch.run(&mut memory)?;
    Ok((memory.stretches().map(|(_, bytes)| bytes.to_vec()).collect(), messages))
}

/// Lowers a function for four ranks in a ring and checks its communication; says whether both were
/// good.
fn lowers(
    function: &Function,
    bindings: &Bindings,
    (sources, sink): (&SourceMap, &mut Sink),
) -> bool {
    let world = random_kernels::PROGRAMS;
    let launch = Launch {
        kernel: function.name.clone(),
        args: bindings.params.clone().into_iter().collect(),
        world,
        grid: None,
        axes: None,
        deal: Deal::Block,
        ipcq: IpcqOptions::default(),
    };
    let mut table = NeighborTable::new(world);
    for rank in 0..world {
        table.set(rank, "E", (rank + 1) % world, Some("W"));
        table.set(rank, "W", (rank + world - 1) % world, Some("E"));
    }
    let spec = Spec::implied();
    let (extent, params) = (spec.extent(), spec.params());
    let wiring = Wiring { launch: &launch, extent, params, neighbors: &table };
    let Ok(comm) = lower::connect(&lower::traffic(function), &wiring, sink) else { return false };
    let Ok(program) = lower::lower(function, &launch, extent, comm, sink) else { return false };
    commcheck::check(&program, sources, CHECKED_COMMANDS, sink).is_ok()
}

fn run_topology(input: &[u8]) -> Drawn {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let text = String::from_utf8_lossy(input).into_owned();
    let file = sources.add("input.yaml", &text);
    let Ok(spec) = kbc::topology::load(&sources, file, &mut sink) else {
        return drawn(false, 0, &sink.into_sorted(), &sources);
    };
    let extent = spec.extent();
    let cells = |grid: kbc::topology::Grid| u64::from(grid.w).saturating_mul(u64::from(grid.h));
    let of_sip = cells(extent.cubes).saturating_mul(cells(extent.pes));
    if cells(extent.sips).saturating_mul(of_sip) > BUILT_PES {
        return drawn(true, 1, &sink.into_sorted(), &sources);
    }
    let built = spec.build(&mut sink);
    if let Ok(machine) = &built {
        routes(machine);
    }
    drawn(built.is_ok(), 2, &sink.into_sorted(), &sources)
}

/// A route between PEs is a chain of links from one to the other.
fn routes(machine: &Machine) {
    let count = machine.pe_count();
    let ends = [0, 1, count / 2, count.saturating_sub(1)];
    for (from, to) in ends.iter().flat_map(|from| ends.iter().map(move |to| (*from, *to))) {
        if from.max(to) >= count {
            continue;
        }
        let place = |pe| machine.pe(kbc::topology::PeId(pe)).dma;
        let Some(route) = machine.route(place(from), place(to)) else { continue };
        let mut at = place(from);
        for link in &route {
            let (begin, end) = machine.ends(*link);
            assert_eq!(begin, at, "a route from PE {from} to PE {to} has a gap");
            at = end;
        }
        assert_eq!(at, place(to), "the route from PE {from} to PE {to} ends elsewhere");
        machine.latency(&route);
    }
}

/// `random 17` or `loops 17`.
fn run_differential(input: &[u8]) -> Drawn {
    let text = String::from_utf8_lossy(input);
    let mut words = text.split_whitespace();
    let kind = words.next();
    let seed: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let module = match kind {
        Some("loops") => crate::support::read(&loop_kernels::text(seed)),
        _ => random_kernels::module(seed),
    };
    let bindings = on_machine::machine_bindings(&random_kernels::arguments());
    let bytes = random_kernels::OUT.1 * u64::from(random_kernels::PROGRAMS);
    let data =
        [random_kernels::data(seed, random_kernels::IN.1), random_kernels::data(!seed, bytes)];
    let kernel = &module.functions[module.kernels().next().expect("a kernel was made")];
    let expected = on_machine::run_by_meaning(Some(&module), kernel, &bindings, &data);
    let (spec, machine) = on_machine::machine();
    let ran = on_machine::run_on_machine((&spec, &machine), &module, &bindings, &data);
    let sources = SourceMap::new();
    match (expected, ran) {
        (Ok((expected, _)), Ok(ran)) => {
            assert!(ran.memory == expected, "the machine computes something else");
            drawn(true, 2, &[], &sources)
        }
        (Err(_), Ok(_)) => drawn(true, 1, &[], &sources),
        (_, Err(sink)) => {
            let refused = sink.has_errors();
            drawn(!refused, 0, &sink.into_sorted(), &sources)
        }
    }
}
