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

mod support;

use std::collections::BTreeMap;

use kbc::command::verify::verify;
use kbc::command::{
    self, AgentId, Code, Command, MathArg, MathOp, Place, Program, QueueId, Source, SourceSpec,
    TileRef, Visit, Walker, print,
};
use kbc::diag::Sink;
use kbc::ir::print::{print as print_ir, print_function};
use kbc::ir::{Bindings, Head, Limits, Module};
use kbc::launch::{Deal, IpcqOptions, Launch, NeighborTable};
use kbc::lower::{self, Wiring};
use kbc::source::SourceMap;
use kbc::topology::{Extent, Grid, Spec};
use support::interpreter::{Event, hash, indices, reduced, run_by_value, scalar_term, word, world};
use support::{bindings, limits, random_ir};

/// 2 cubes of 8 PEs.
const EXTENT: Extent = Extent {
    sips: Grid { w: 1, h: 1, wraps: false },
    cubes: Grid { w: 2, h: 1, wraps: false },
    pes: Grid { w: 4, h: 2, wraps: false },
};

const PROGRAMS: [[i64; 3]; 4] = [[0, 0, 0], [1, 0, 0], [3, 1, 0], [7, 1, 0]];

/// The memory of one agent, and what it has done.
struct Machine<'a> {
    program: &'a Program,
    code: &'a Code,
    /// Which term each byte of scratch belongs to, and which byte of it.
    bytes: BTreeMap<u64, (u64, u64)>,
    /// The messages received, and how often each was released.
    slots: BTreeMap<(QueueId, u64), (Vec<u64>, usize)>,
    world: BTreeMap<i64, (u64, u64)>,
    /// The numbers of the composites begun, and whether something has waited for them.
    composites: Vec<(u64, bool)>,
    events: Vec<Event>,
    faults: Vec<String>,
}

impl Machine<'_> {
    fn term(&mut self, tile: TileRef, at: u64, size: u64) -> u64 {
        let found = match tile.place {
            Place::Slot { queue, token } => match self.slots.get(&(queue, token)) {
                Some((tile, 0)) => tile.get(at as usize).copied(),
                Some(_) | None => None,
            },
            Place::Scratch(base) => {
                let byte = |index| self.bytes.get(&(base + at * size + index)).copied();
                let first = byte(0).map(|(term, _)| term);
                let is_whole = (0..size).all(|index| byte(index) == first.map(|it| (it, index)));
                first.filter(|_| is_whole)
            }
        };
        found.unwrap_or_else(|| {
            self.faults.push(format!("element {at} of {tile:?} is not there"));
            0
        })
    }

    fn dense(&mut self, tile: TileRef, elements: u64, size: u64) -> Vec<u64> {
        (0..elements).map(|at| self.term(tile, at, size)).collect()
    }

    /// The elements that strides read over a shape, row by row.
    fn strided(
        &mut self,
        tile: TileRef,
        (shape, strides): (&[u64], &[i64]),
        size: u64,
    ) -> Vec<u64> {
        let shape: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
        let offset = |index: Vec<usize>| -> u64 {
            index.iter().zip(strides).map(|(at, step)| *at as u64 * *step as u64).sum()
        };
        let offsets: Vec<u64> = indices(&shape).into_iter().map(offset).collect();
        offsets.into_iter().map(|at| self.term(tile, at, size)).collect()
    }

    fn write(&mut self, tile: TileRef, terms: &[u64], size: u64) {
        let Place::Scratch(base) = tile.place else {
            return self.faults.push(format!("{tile:?} is written but no scratch"));
        };
        if base + tile.bytes > self.code.scratch_bytes || tile.bytes != terms.len() as u64 * size {
            self.faults.push(format!("{tile:?} is no place for {} terms", terms.len()));
        }
        for (at, term) in terms.iter().enumerate() {
            for index in 0..size {
                self.bytes.insert(base + at as u64 * size + index, (*term, index));
            }
        }
    }

    fn receive(&mut self, slot: TileRef, elements: u64) -> Vec<u64> {
        let Place::Slot { queue, token } = slot.place else { panic!("a message is in a slot") };
        let dir = self.program.comm.direction(queue);
        self.events.push(Event::Recv { dir: dir.into() });
        let term = |index| hash(&[5, word(dir), token + 1, index]);
        let tile: Vec<u64> = (0..elements).map(term).collect();
        self.slots.insert((queue, token), (tile.clone(), 0));
        tile
    }

    fn release(&mut self, slot: TileRef) {
        let Place::Slot { queue, token } = slot.place else {
            return self.faults.push(format!("{slot:?} is released but no slot"));
        };
        if let Some((_, releases)) = self.slots.get_mut(&(queue, token)) {
            *releases += 1;
        }
    }

    /// The elements at an address.
    fn fetch(&mut self, address: i64, elements: u64, size: u64) -> Vec<u64> {
        self.events.push(Event::Load { address, elements: elements as usize });
        let element = |index: u64| {
            let at = address.wrapping_add((index * size) as i64);
            match self.world.get(&at) {
                Some((term, bytes)) if *bytes == size => *term,
                Some((term, _)) => hash(&[3, *term, size]),
                None => hash(&[4, at as u64, size]),
            }
        };
        (0..elements).map(element).collect()
    }

    fn put(&mut self, address: i64, tile: Vec<u64>, size: u64) {
        for (index, term) in tile.iter().enumerate() {
            let at = address.wrapping_add(index as i64 * size as i64);
            self.world.insert(at, (*term, size));
        }
        self.events.push(Event::Store { address, tile });
    }

    /// The elements of an operand of a composite, row by row.
    fn source(&mut self, source: Source, read: &SourceSpec, [rows, columns]: [u64; 2]) -> Vec<u64> {
        let size = read.dtype.bytes();
        match source {
            Source::Tile(tile) => self.strided(tile, (&[rows, columns], &read.strides), size),
            Source::Memory(address) => {
                assert_eq!(read.strides, [columns as i64, 1], "blocks of memory lie row by row");
                self.fetch(address as i64, rows * columns, size)
            }
        }
    }

    fn elementwise(&mut self, it: &command::MathCmd, name: &str) -> Vec<u64> {
        let spec = &self.code.maths[it.spec];
        let count = spec.shape.elements() as usize;
        let mut operands: Vec<Vec<u64>> = Vec::new();
        for (arg, read) in it.args.iter().flatten().zip(&spec.args) {
            operands.push(match arg {
                MathArg::Scalar(value) => vec![scalar_term(*value); count],
                MathArg::Tile(tile) => {
                    let walk = (spec.shape.0.as_slice(), read.strides.as_slice());
                    self.strided(*tile, walk, read.dtype.bytes())
                }
            });
        }
        let element = |at: usize| {
            let mut parts = vec![6, word(name), word(spec.out.name())];
            parts.extend(operands.iter().map(|operand| operand[at]));
            hash(&parts)
        };
        (0..count).map(element).collect()
    }

    /// The elements of the one operand, row by row.
    fn operand(&mut self, it: &command::MathCmd) -> Vec<u64> {
        let spec = &self.code.maths[it.spec];
        let Some(MathArg::Tile(tile)) = it.args[0] else { panic!("the operand is a tile") };
        let walk = (spec.shape.0.as_slice(), spec.args[0].strides.as_slice());
        self.strided(tile, walk, spec.args[0].dtype.bytes())
    }
}

impl Visit for Machine<'_> {
    type Out = ();

    fn channel(&mut self, _: &kbc::command::channel::ChannelCmd) -> Self::Out {
        panic!("kernels have no channels")
    }

    fn dma_read(&mut self, it: &command::DmaRead) {
        let desc = &self.code.descs[it.desc];
        assert!(desc.is_contiguous());
        let size = desc.elem_bytes;
        let terms = self.fetch(it.base as i64, desc.bytes() / size, size);
        self.write(it.dst, &terms, size);
    }

    fn dma_write(&mut self, it: &command::DmaWrite) {
        let desc = &self.code.descs[it.desc];
        let size = desc.elem_bytes;
        let tile = self.dense(it.src, desc.bytes() / size, size);
        self.put(it.base as i64, tile, size);
    }

    fn dma_gather(&mut self, it: &command::DmaGather) {
        panic!("no kernel here has lanes: {it:?}");
    }

    fn dma_scatter(&mut self, it: &command::DmaScatter) {
        panic!("no kernel here has lanes: {it:?}");
    }

    fn dma_atomic(&mut self, it: &command::DmaAtomic) {
        panic!("no kernel here has lanes: {it:?}");
    }

    fn math(&mut self, it: &command::MathCmd) {
        let spec = &self.code.maths[it.spec];
        let terms = match spec.op {
            MathOp::Unary(op) => self.elementwise(it, op.name()),
            MathOp::Binary(op) => self.elementwise(it, op.name()),
            MathOp::Ternary(op) => self.elementwise(it, op.name()),
            MathOp::Compare(op) => self.elementwise(it, op.name()),
            MathOp::Select => self.elementwise(it, "select"),
            MathOp::Cast(_) => self.elementwise(it, "cast"),
            MathOp::Full => self.elementwise(it, "full"),
            MathOp::Arange(start) => {
                (0..spec.shape.elements()).map(|at| hash(&[7, start as u64, at])).collect()
            }
            MathOp::Copy => self.operand(it),
            MathOp::Reduce(op, axis) => {
                let tile = self.operand(it);
                let from: Vec<usize> = spec.shape.0.iter().map(|it| *it as usize).collect();
                let mut left = from.clone();
                match axis {
                    Some(axis) => drop(left.remove(axis as usize)),
                    None => left.clear(),
                }
                reduced(op.name(), (&tile, &from), axis, &left)
            }
            MathOp::Scan { .. }
            | MathOp::Sort { .. }
            | MathOp::Concat { .. }
            | MathOp::Gather { .. }
            | MathOp::Inspect(..)
            | MathOp::Histogram { .. } => panic!("no kernel here has this: {:?}", spec.op),
        };
        self.write(it.out, &terms, spec.out.bytes());
    }

    fn gemm(&mut self, it: &command::GemmCmd) {
        let spec = &self.code.gemms[it.spec];
        let (m, n, k) = (spec.m, spec.n, spec.k);
        let (a_shape, b_shape) = (spec.a_shape(), spec.b_shape());
        let a = self.strided(it.a, (&a_shape.0, &spec.a.strides), spec.a.dtype.bytes());
        let b = self.strided(it.b, (&b_shape.0, &spec.b.strides), spec.b.dtype.bytes());
        let acc = it.acc.map(|acc| self.dense(acc, spec.elements(), spec.out.bytes()));
        let element = |place: u64| {
            let (batch, row, column) = (place / (m * n), place / n % m, place % n);
            let mut parts = vec![9];
            for at in 0..k {
                let (x, y) = ((batch * m + row) * k + at, (batch * k + at) * n + column);
                parts.extend([a[x as usize], b[y as usize]]);
            }
            parts.extend(acc.iter().map(|acc| acc[place as usize]));
            hash(&parts)
        };
        let terms: Vec<u64> = (0..spec.elements()).map(element).collect();
        self.write(it.out, &terms, spec.out.bytes());
    }

    /// All of the block at once: how it is cut into tiles changes no term.
    fn composite(&mut self, it: &command::CompositeCmd) {
        let spec = &self.code.composites[it.spec];
        let [m, n, k] = [spec.m, spec.n, spec.k];
        let sides = if spec.head == Head::Gemm { [[m, k], [k, n]] } else { [[m, n], [m, n]] };
        let a = self.source(it.a, &spec.a, sides[0]);
        let b = it.b.zip(spec.b).map(|(b, read)| self.source(b, &read, sides[1]));
        let mut tile: Vec<u64> = match (spec.head, b) {
            (Head::Gemm, Some(b)) => (0..m * n)
                .map(|place| {
                    let (row, column) = (place / n, place % n);
                    let pair =
                        |at: u64| [a[(row * k + at) as usize], b[(at * n + column) as usize]];
                    hash(&[9].into_iter().chain((0..k).flat_map(pair)).collect::<Vec<u64>>())
                })
                .collect(),
            (_, b) => (0..(m * n) as usize)
                .map(|at| hash(&[12, a[at], b.as_ref().map_or(0, |b| b[at])]))
                .collect(),
        };
        let mut args = it.args.iter().flatten();
        for step in &spec.steps {
            let operand = step.operand.as_ref().map(|read| match args.next().unwrap() {
                MathArg::Scalar(value) => vec![scalar_term(*value); tile.len()],
                MathArg::Tile(of) => {
                    self.strided(*of, (&[m, n], &read.strides), read.dtype.bytes())
                }
            });
            let names = [word(step.op.name()), word(step.scope.name())];
            for (at, term) in tile.iter_mut().enumerate() {
                let own = operand.as_ref().map_or(0, |operand| operand[at]);
                *term = hash(&[13, names[0], names[1], *term, own]);
            }
        }
        self.composites.push((it.number, false));
        self.put(it.out as i64, tile, spec.out.bytes());
    }

    fn composite_wait(&mut self, it: &command::CompositeWait) {
        match self.composites.iter_mut().find(|(number, _)| *number == it.number) {
            Some((_, is_waited_for)) => *is_waited_for = true,
            None => self.faults.push(format!("{it:?} waits for what has not begun")),
        }
    }

    fn ipcq_send(&mut self, it: &command::IpcqSend) {
        let tile = self.dense(it.src, it.message.elements, it.message.dtype.bytes());
        let dir = self.program.comm.direction(it.queue).into();
        self.events.push(Event::Send { dir, tile });
    }

    fn ipcq_recv(&mut self, it: &command::IpcqRecv) {
        let tile = self.receive(it.slot, it.message.elements);
        if let Some(dst) = it.dst {
            self.write(dst, &tile, it.message.dtype.bytes());
            self.release(it.slot);
        }
    }

    fn ipcq_stream(&mut self, it: &command::IpcqStream) {
        panic!("no kernel here streams: {it:?}");
    }

    fn ipcq_recv_async(&mut self, it: &command::IpcqRecvAsync) {
        self.receive(it.slot, it.message.elements);
    }

    fn wait(&mut self, _: &command::Wait) {}

    fn ipcq_release(&mut self, it: &command::IpcqRelease) {
        self.release(it.slot);
    }
}

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

/// What an agent does, and what went wrong.
fn run(program: &Program, agent: AgentId) -> (Vec<Event>, Vec<String>) {
    let mut machine = Machine {
        program,
        code: program.code(agent),
        bytes: BTreeMap::new(),
        slots: BTreeMap::new(),
        world: BTreeMap::new(),
        composites: Vec::new(),
        events: Vec::new(),
        faults: Vec::new(),
    };
    let mut walker = Walker::new(program, agent);
    loop {
        match walker.next(program) {
            Ok(Some(step)) => step.command.visit(&mut machine),
            Ok(None) => break,
            Err(_) => {
                machine.events.push(Event::Stop);
                return (machine.events, machine.faults);
            }
        }
    }
    for ((queue, token), (_, releases)) in &machine.slots {
        if *releases != 1 {
            machine.faults.push(format!("message {token} of {queue:?}: {releases} releases"));
        }
    }
    for (number, _) in machine.composites.iter().filter(|(_, is_waited_for)| !is_waited_for) {
        machine.faults.push(format!("nothing waits for composite {number}"));
    }
    (machine.events, machine.faults)
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
