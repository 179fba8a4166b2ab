//! Lowering keeps the meaning of random kernels: what the commands of a program do is what the
//! reference interpreter does with the kernel before any pass.
//!
//! Commands are run one by one on a memory of terms, by place alone: nothing is known here of
//! values, registers or buffers. A byte that something else has overwritten, a slot that is read
//! after its release, not released or released twice is a fault.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod machine;
#[path = "../support/mod.rs"]
mod support;

use kbc::command::verify::verify;
use kbc::command::{self, AgentId, Code, Command, Program, Source, SourceSpec, Walker, print};
use kbc::diag::Sink;
use kbc::ir::print::{print as print_ir, print_function};
use kbc::ir::{Bindings, Head, Limits, Module};
use kbc::launch::{Deal, IpcqOptions, Launch, NeighborTable};
use kbc::lower::{self, Wiring};
use kbc::source::SourceMap;
use kbc::topology::{Extent, Grid, Spec};
use machine::run;
use support::interpreter::{Event, run_by_value, world};
use support::{bindings, limits, random_ir};

/// 2 cubes of 8 PEs.
const EXTENT: Extent = Extent {
    sips: Grid { w: 1, h: 1, wraps: false },
    cubes: Grid { w: 2, h: 1, wraps: false },
    pes: Grid { w: 4, h: 2, wraps: false },
};

const PROGRAMS: [[i64; 3]; 4] = [[0, 0, 0], [1, 0, 0], [3, 1, 0], [7, 1, 0]];

fn launch(bindings: &Bindings) -> Launch {
    Launch {
        kernel: "kernel".into(),
        args: bindings.params.iter().map(|(name, value)| (name.clone(), *value)).collect(),
        world: 16,
        grid: None,
        axes: None,
        deal: Deal::Block,
        ipcq: IpcqOptions::default(),
    }
}

/// Every rank stands alone and sends to itself, each direction into its own queue.
fn alone() -> NeighborTable {
    let mut table = NeighborTable::new(16);
    for rank in 0..16 {
        table.set(rank, "E", rank, Some("E"));
        table.set(rank, "W", rank, Some("W"));
    }
    table
}

/// Whether the random kernel of a seed can be launched; then it must be lowered to what it means.
fn check(seed: u64) -> bool {
    lowering_keeps(&random_ir::module(seed), &format!("seed {seed}"))
}

/// Whether a module's kernel can be launched; then its commands must do what it does.
fn lowering_keeps(module: &Module, name: &str) -> bool {
    let bindings = bindings(&random_ir::arguments());
    let launch = launch(&bindings);
    assert_eq!(launch.num_programs(&EXTENT), bindings.num_programs);
    let mut limits = limits();
    limits.tcm_bytes = 1 << 30;
    let mut sink = Sink::new();
    let id = module.kernels().next().expect("there is a kernel");
    let Ok(function) = kbc::passes::run(module, id, &bindings, &limits, &mut sink) else {
        return false;
    };
    let params = Spec::implied().params().clone();
    let neighbors = alone();
    let wiring =
        Wiring { launch: &launch, extent: &EXTENT, params: &params, neighbors: &neighbors };
    let text = || format!("{name}\n{}\n{}", print_ir(module), print_function(&function));
    let program = lower::connect(&lower::traffic(&function), &wiring, &mut sink)
        .and_then(|comm| lower::lower(&function, &launch, &EXTENT, comm, &mut sink))
        .unwrap_or_else(|_| panic!("{:#?}\n{}", sink.diagnostics(), text()));
    assert_eq!(verify(&program), [], "{}", text());
    let bases = [1 << 20, 1 << 21];
    let touched = lower::touched(&function, &launch, &EXTENT, (&bases, 1 << 20), &mut sink)
        .unwrap_or_else(|_| panic!("{:#?}\n{}", sink.diagnostics(), text()));
    for id in PROGRAMS {
        let grid = (id, bindings.num_programs.map(i64::from));
        let kernel = &module.functions[module.kernels().next().expect("there is a kernel")];
        let expected = run_by_value(Some(module), kernel, &bindings.params, grid);
        let (events, faults) = run(&program, AgentId((id[1] * 8 + id[0]) as u32));
        let text = || {
            let code = print::program(&program, &SourceMap::new());
            format!("program {id:?}, {}\n{code}", text())
        };
        assert_eq!(faults, Vec::<String>::new(), "{}", text());
        assert_eq!(world(&events, true), world(&expected.events, true), "{}", text());
        check_touched(&touched, &program, (id[1] * 8 + id[0]) as usize);
    }
    true
}

/// The blocks of memory that a command reads and writes: where each begins, and its bytes.
fn moved(code: &Code, command: &Command) -> Vec<(u64, u64)> {
    match command {
        Command::DmaRead(command::DmaRead { base, desc, .. })
        | Command::DmaWrite(command::DmaWrite { base, desc, .. }) => {
            vec![(*base, code.descs[*desc].bytes())]
        }
        Command::CompositeCmd(it) => {
            let spec = &code.composites[it.spec];
            let [a, b] = match spec.head {
                Head::Gemm => [spec.m * spec.k, spec.k * spec.n],
                Head::Math(_) => [spec.m * spec.n; 2],
            };
            let streamed = |(source, read, elements): (Source, SourceSpec, u64)| match source {
                Source::Memory(address) => Some((address, elements * read.dtype.bytes())),
                Source::Tile(_) => None,
            };
            let sources = [Some((it.a, spec.a, a)), it.b.zip(spec.b).map(|(x, read)| (x, read, b))];
            let result = (it.out, spec.m * spec.n * spec.out.bytes());
            sources.into_iter().flatten().filter_map(streamed).chain([result]).collect()
        }
        _ => Vec::new(),
    }
}

/// What is said to be touched is what an agent's transfers touch, all of them if it is not stopped.
fn check_touched(touched: &lower::Touched, program: &Program, agent: usize) {
    let mut walker = Walker::new(program, AgentId(agent as u32));
    let mut found: [Option<(i128, i128)>; 2] = [None; 2];
    let stopped = loop {
        let command = match walker.next(program) {
            Ok(Some(step)) => step.command,
            Ok(None) => break false,
            Err(_) => break true,
        };
        for (base, bytes) in moved(program.code(AgentId(agent as u32)), &command) {
            let (base, bytes) = (i128::from(base), i128::from(bytes));
            let tensor = usize::from((base - (1 << 20)).abs() > (base - (1 << 21)).abs());
            let first = base - (1 << (20 + tensor));
            let reach = found[tensor].get_or_insert((first, first + bytes));
            *reach = (reach.0.min(first), reach.1.max(first + bytes));
        }
    };
    assert!(touched.is_complete || stopped);
    for (found, tensor) in found.iter().zip(&touched.tensors) {
        let said = tensor.by_agent[agent].map(|reach| (reach.first, reach.end));
        match (found, said) {
            (Some(found), Some(said)) if stopped => {
                assert!(said.0 <= found.0 && found.1 <= said.1);
            }
            (None, Some(_)) if stopped => {}
            (found, said) => assert_eq!(*found, said),
        }
    }
}

#[test]
fn commands_mean_what_random_kernels_mean() {
    let launched = (0..1000).filter(|seed| check(*seed)).count();
    assert!(launched > 500, "only {launched} of 1000 kernels can be launched");
}

/// Composites of matrices and of elements; streamed, loaded, and through views; with steps of each
/// scope, whose operands are scalars, rows and tiles; waited for at once, later, and in loops.
const COMPOSITES: &str = "kernel @kernel(%base: i64, %p: i64, %n: i64, %m: i64) {
  %pe = program_id 0 : i64
  %zero = const 0 : i64
  %one = const 1 : i64
  %turns = const 3 : i64
  %size = const 512 : i64
  %half = const 0.5 : f32
  %none = const 0.0 : f32
  %own = mul %pe, %size : i64
  %far = const 4096 : i64
  %b_at = add %base, %far : i64
  %v = load %b_at : tile<%n x %m x f32>
  %row = load %base : tile<%n x f32>
  for %i = %zero to %turns step %one {
    %step = mul %i, %size : i64
    %a_at = add %base, %step : i64
    %out = add %p, %step : i64
    %w_at = add %b_at, %own : i64
    %b = load %w_at : tile<16x%n x f16>
    %t = transpose %v [1, 0] : tile<%m x %n x f32>
    %done = composite gemm %a_at f16, %b f16 to %out f32 sizes [%m, %n, 16] epilogue [mul %half k_tile, add %t output_tile, mul %row output_tile, maximum %none kernel] : completion
    %w = load %a_at : tile<%n x 16xf16>
    %w_t = transpose %w [1, 0] : tile<16x%n x f16>
    %next = add %out, %far : i64
    %twin = composite gemm %w f16, %w_t f16 to %next f16 sizes [%n, %n, 16] : completion
    wait %done
    wait %twin
    yield
  }
  %both = composite gemm %base f16, %b_at f16 to %p f16 sizes [%n, 24, 40] : completion
  %y = load %b_at : tile<%m x 24xf16>
  %there = add %p, %far : i64
  %after = add %there, %far : i64
  %last = add %after, %far : i64
  %product = composite math mul %base f16, %y f16 to %last f16 sizes [%m, 24, 1] epilogue [exp output_tile] : completion
  %copy = composite math %last f16 to %after f16 sizes [%m, 24, 1] epilogue [neg output_tile] : completion
  wait %copy
  wait %both
  wait %product
  return
}
";

#[test]
fn composites_mean_what_their_kernel_means() {
    assert!(lowering_keeps(&support::read(COMPOSITES), "composites"));
}

#[test]
fn a_fault_of_a_composite_would_be_seen() {
    for (right, wrong) in [
        ("add %t output_tile", "sub %t output_tile"),
        ("maximum %none kernel", "minimum %none kernel"),
        ("mul %half k_tile", "mul %none k_tile"),
        ("%base f16, %b_at f16", "%b_at f16, %base f16"),
        ("math mul %base f16, %y f16", "math mul %y f16, %base f16"),
        ("  wait %both\n", ""),
    ] {
        assert!(COMPOSITES.contains(right));
        let (right, wrong) = (COMPOSITES.to_owned(), COMPOSITES.replacen(right, wrong, 1));
        let [right, wrong] = [right, wrong].map(|text| ran(&support::read(&text)));
        assert_ne!(right, wrong);
    }
}

/// What the second agent of a module's kernel does.
fn ran(module: &Module) -> (Vec<Event>, Vec<String>) {
    let bindings = bindings(&random_ir::arguments());
    let launch = launch(&bindings);
    let (mut sink, params, neighbors) = (Sink::new(), Spec::implied().params().clone(), alone());
    let kernel = module.kernels().next().expect("there is a kernel");
    let limits = Limits { tcm_bytes: 1 << 30, ..limits() };
    let function = kbc::passes::run(module, kernel, &bindings, &limits, &mut sink).unwrap();
    let wiring =
        Wiring { launch: &launch, extent: &EXTENT, params: &params, neighbors: &neighbors };
    let comm = lower::connect(&lower::traffic(&function), &wiring, &mut sink).unwrap();
    let program = lower::lower(&function, &launch, &EXTENT, comm, &mut sink).unwrap();
    run(&program, AgentId(1))
}

#[test]
fn a_fault_would_be_seen() {
    // Without its moves a loop's carried tiles stay what they were: some kernel must notice.
    let noticed = (0..200).any(|seed| {
        let module = random_ir::module(seed);
        let bindings = bindings(&random_ir::arguments());
        let launch = launch(&bindings);
        let (mut sink, params, neighbors) =
            (Sink::new(), Spec::implied().params().clone(), alone());
        let kernel = module.kernels().next().expect("there is a kernel");
        let wiring =
            Wiring { launch: &launch, extent: &EXTENT, params: &params, neighbors: &neighbors };
        let program = kbc::passes::run(&module, kernel, &bindings, &limits(), &mut sink).and_then(
            |function| {
                let comm = lower::connect(&lower::traffic(&function), &wiring, &mut sink)?;
                lower::lower(&function, &launch, &EXTENT, comm, &mut sink)
            },
        );
        let Ok(mut program) = program else { return false };
        let before = run(&program, AgentId(1));
        for (_, code) in program.codes.iter_mut() {
            let code: &mut Code = code;
            for inst in &mut code.insts {
                if let command::Inst::MoveTile { dst, src } = inst {
                    *src = *dst;
                }
            }
        }
        run(&program, AgentId(1)) != before
    });
    assert!(noticed);
}
