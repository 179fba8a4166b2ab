//! Kernels built by hand for the tests of lowering and of the communication check.

#![allow(dead_code, reason = "each test binary uses its own part")]

use kbc::command::Program;
use kbc::diag::{ColorChoice, Reported, Sink, to_text};
use kbc::dtype::DType;
use kbc::ir::{
    self, Binary, Bindings, BlockId, Compare, Condition, Const, Dim, Dot, For, Function, If,
    Literal, Load, Module, Op, ProgramId, Recv, RecvAsync, Reduce, Return, Send, Store, TileType,
    Transpose, Type, Value, Wait, While, Yield,
};
use kbc::launch::{Deal, IpcqOptions, Launch};
use kbc::lower::{self, Wiring};
use kbc::ops::{BinaryOp, CompareOp, ReduceOp};
use kbc::passes;
use kbc::source::{FileId, SourceMap, Span};
use kbc::topology::neighbors::Neighbors;
use kbc::topology::{Extent, Grid, PeParams, Spec};

/// 800 SIPs of 16 cubes of 8 PEs: room for 100,000 ranks.
pub(crate) const EXTENT: Extent = Extent {
    sips: Grid { w: 800, h: 1, wraps: true },
    cubes: Grid { w: 4, h: 4, wraps: false },
    pes: Grid { w: 4, h: 2, wraps: false },
};

/// The parameters of the default machine's PEs.
pub(crate) fn params() -> PeParams {
    static PARAMS: std::sync::LazyLock<PeParams> =
        std::sync::LazyLock::new(|| Spec::implied().params().clone());
    PARAMS.clone()
}

/// A launch of `world` ranks whose only tensor is at the first virtual address.
pub(crate) fn launch(world: u32) -> Launch {
    Launch {
        kernel: "kernel".into(),
        args: vec![("t_ptr".into(), Literal::Int(0x1_0000_0000))],
        world,
        grid: None,
        axes: None,
        deal: Deal::Block,
        ipcq: IpcqOptions::default(),
    }
}

/// Lowers with the default neighbours; panics with the diagnostics.
pub(crate) fn compile(function: &Function, launch: &Launch) -> Program {
    try_compile(function, launch).unwrap_or_else(|sink| {
        let texts = sink.diagnostics().iter().map(|it| to_text(it, &sources(), ColorChoice::Plain));
        panic!("{}", texts.collect::<String>())
    })
}

/// Lowers with the default neighbours.
pub(crate) fn try_compile(function: &Function, launch: &Launch) -> Result<Program, Sink> {
    let mut sink = Sink::new();
    let neighbors = Neighbors::new(&EXTENT, launch.world);
    let params = params();
    let wiring = Wiring { launch, extent: &EXTENT, params: &params, neighbors: &neighbors };
    let program = optimised(function, launch, &mut sink).and_then(|function| {
        let comm = lower::connect(&lower::traffic(&function), &wiring, &mut sink)?;
        lower::lower(&function, launch, &EXTENT, comm, &mut sink)
    });
    program.map_err(|_| sink)
}

/// What the passes make of a kernel.
pub(crate) fn optimised(
    function: &Function,
    launch: &Launch,
    sink: &mut Sink,
) -> Result<Function, Reported> {
    let mut module = Module::default();
    let kernel = module.functions.push(function.clone());
    let violations = ir::verify::verify(&module);
    assert!(violations.is_empty(), "{violations:?}");
    let bindings = Bindings {
        params: launch.args.iter().cloned().collect(),
        num_programs: launch.num_programs(&EXTENT),
    };
    passes::run(&module, kernel, &bindings, &lower::limits(&params(), None), sink)
}

/// A file of a hundred numbered lines, eight bytes each: `line 07\n`.
pub(crate) fn sources() -> SourceMap {
    let mut sources = SourceMap::new();
    sources.add("ring.kb", (1..=100).map(|line| format!("line {line:02}\n")).collect::<String>());
    sources
}

/// The text of a line of [`sources`].
pub(crate) fn line(number: usize) -> Span {
    Span::new(FileId(0), (number - 1) * 8, (number - 1) * 8 + 7)
}

/// Builds a kernel op by op.
pub(crate) struct Kernel {
    pub(crate) function: Function,
    pub(crate) block: BlockId,
}

impl Kernel {
    /// A kernel with a tensor parameter `t_ptr`.
    pub(crate) fn new() -> (Kernel, Value) {
        let mut function = Function::new("kernel", true, line(1));
        let t_ptr = function.add_param("t_ptr", Type::I64, false, line(1));
        let block = function.entry;
        (Kernel { function, block }, t_ptr)
    }

    pub(crate) fn op(&mut self, op: impl Into<Op>, types: Vec<Type>, at: usize) -> Vec<Value> {
        let id = self.function.append(self.block, op, types, line(at));
        self.function.ops[id].results.clone()
    }

    pub(crate) fn int(&mut self, value: i64) -> Value {
        self.op(Const { value: Literal::Int(value) }, vec![Type::I64], 1)[0]
    }

    pub(crate) fn binary(&mut self, op: BinaryOp, x: Value, y: Value, at: usize) -> Value {
        let ty = self.function.ty(x).clone();
        self.op(Binary { op, x, y }, vec![ty], at)[0]
    }

    pub(crate) fn even(&mut self, x: Value, at: usize) -> Value {
        let two = self.int(2);
        let parity = self.binary(BinaryOp::Rem, x, two, at);
        self.compare(CompareOp::Eq, parity, 0, at)
    }

    /// `while n > 3: n = n - 3`.
    pub(crate) fn countdown(&mut self, n: Value, at: usize) -> Value {
        self.count(n, (CompareOp::Gt, 3), (BinaryOp::Sub, 3), at)
    }

    /// `while n > -1: n = max(n, 0)`, for an `n` that is not negative.
    pub(crate) fn forever(&mut self, n: Value, at: usize) -> Value {
        self.count(n, (CompareOp::Gt, -1), (BinaryOp::Maximum, 0), at)
    }

    /// `while n <test>: n = n <step>`.
    fn count(
        &mut self,
        n: Value,
        test: (CompareOp, i64),
        step: (BinaryOp, i64),
        at: usize,
    ) -> Value {
        let ((test_op, limit), (step_op, by)) = (test, step);
        let (test, body) = (self.function.add_block(), self.function.add_block());
        let left = self.function.add_argument(test, Type::I64, Some("n".into()));
        let outer = std::mem::replace(&mut self.block, test);
        let condition = self.compare(test_op, left, limit, at);
        self.op(Condition { condition, values: vec![left] }, vec![], at);
        self.block = body;
        let left = self.function.add_argument(body, Type::I64, Some("n".into()));
        let by = self.int(by);
        let next = self.binary(step_op, left, by, at + 1);
        self.op(Yield { values: vec![next] }, vec![], at + 1);
        self.block = outer;
        self.op(While { inits: vec![n], test, body }, vec![Type::I64], at)[0]
    }

    pub(crate) fn name(&mut self, value: Value, name: &str) {
        self.function.values[value].name = Some(name.into());
    }

    /// `program_id(1) * 8 + program_id(0)`.
    pub(crate) fn rank(&mut self, at: usize) -> Value {
        let cube = self.op(ProgramId { axis: 1 }, vec![Type::I64], at)[0];
        let pe = self.op(ProgramId { axis: 0 }, vec![Type::I64], at)[0];
        let eight = self.int(8);
        let first = self.binary(BinaryOp::Mul, cube, eight, at);
        let rank = self.binary(BinaryOp::Add, first, pe, at);
        self.name(rank, "rank");
        rank
    }

    pub(crate) fn load(&mut self, ptr: Value, ty: &Type, at: usize) -> Value {
        self.op(Load { ptr }, vec![ty.clone()], at)[0]
    }

    pub(crate) fn store(&mut self, ptr: Value, value: Value, at: usize) {
        self.op(Store { ptr, value }, vec![], at);
    }

    pub(crate) fn send(&mut self, dir: &str, src: Value, at: usize) {
        self.op(Send { dir: dir.into(), src }, vec![], at);
    }

    pub(crate) fn recv(&mut self, dir: &str, ty: &Type, at: usize) -> Value {
        let recv = Recv { dir: dir.into(), dst: None, consume: true };
        self.op(recv, vec![ty.clone()], at)[0]
    }

    /// A loop over `0..count` that carries `inits`; `body` is given the carried values and gives
    /// the next.
    pub(crate) fn repeat(
        &mut self,
        count: i64,
        inits: &[Value],
        at: usize,
        body: impl FnOnce(&mut Kernel, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let (lo, hi, step) = (self.int(0), self.int(count), self.int(1));
        let inner = self.function.add_block();
        self.function.add_argument(inner, Type::I64, Some("i".into()));
        let types: Vec<Type> = inits.iter().map(|init| self.function.ty(*init).clone()).collect();
        let carried: Vec<Value> =
            types.iter().map(|ty| self.function.add_argument(inner, ty.clone(), None)).collect();
        let outer = std::mem::replace(&mut self.block, inner);
        let values = body(self, &carried);
        self.op(Yield { values }, vec![], at);
        self.block = outer;
        self.op(
            For { lo, hi, step, inits: inits.to_vec(), body: inner, unroll: false, stages: 1 },
            types,
            at,
        )
    }

    /// Runs `body` where `condition` holds.
    pub(crate) fn when(&mut self, condition: Value, at: usize, body: impl FnOnce(&mut Kernel)) {
        let (then, otherwise) = (self.function.add_block(), self.function.add_block());
        let outer = std::mem::replace(&mut self.block, then);
        body(self);
        self.op(Yield { values: vec![] }, vec![], at);
        self.block = otherwise;
        self.op(Yield { values: vec![] }, vec![], at);
        self.block = outer;
        self.op(If { condition, then, otherwise }, vec![], at);
    }

    pub(crate) fn compare(&mut self, op: CompareOp, x: Value, y: i64, at: usize) -> Value {
        let y = self.int(y);
        self.op(Compare { op, x, y }, vec![Type::BOOL], at)[0]
    }

    pub(crate) fn end(mut self) -> Function {
        self.op(Return { values: vec![] }, vec![], 99);
        self.function
    }
}

/// A tile of `elements` `f16`s.
pub(crate) fn f16s(elements: i64) -> Type {
    Type::Tile(TileType::new(vec![Dim::Const(elements)], DType::F16))
}

/// `kernels/ring_allreduce.kb` for tiles of 64 `f16`s.
pub(crate) fn ring_all_reduce(world: i64) -> Function {
    let (mut kernel, t_ptr) = Kernel::new();
    let ty = f16s(64);
    let rank = kernel.rank(10);
    let nbytes = kernel.int(128);
    let offset = kernel.binary(BinaryOp::Mul, rank, nbytes, 11);
    let addr = kernel.binary(BinaryOp::Add, t_ptr, offset, 11);
    kernel.name(addr, "addr");
    let tile = kernel.load(addr, &ty, 12);
    kernel.name(tile, "acc");
    let results = kernel.repeat(world - 1, &[tile, tile], 15, |kernel, carried| {
        let &[acc, current] = carried else { panic!("two values are carried") };
        kernel.name(acc, "acc");
        kernel.name(current, "current");
        kernel.send("E", current, 16);
        let received = kernel.recv("W", &f16s(64), 17);
        kernel.name(received, "received");
        let sum = kernel.binary(BinaryOp::Add, acc, received, 18);
        kernel.name(sum, "acc");
        vec![sum, received]
    });
    kernel.store(addr, results[0], 21);
    kernel.end()
}

/// One of each kind of thing that programs are printed with: strides, a reduction, a matrix
/// product, a branch, a conditional loop, a copying receive, a future.
pub(crate) fn showcase() -> Function {
    let (mut kernel, t_ptr) = Kernel::new();
    let tile = |dims: &[i64], dtype| {
        Type::Tile(TileType::new(dims.iter().copied().map(Dim::Const).collect(), dtype))
    };
    let rank = kernel.rank(2);
    let matrix = tile(&[16, 32], DType::F16);
    let a = kernel.load(t_ptr, &matrix, 3);
    kernel.name(a, "a");
    let transposed =
        kernel.op(Transpose { x: a, axes: vec![1, 0] }, vec![tile(&[32, 16], DType::F16)], 4)[0];
    let product =
        kernel.op(Dot { a, b: transposed, acc: None }, vec![tile(&[16, 16], DType::F32)], 5)[0];
    kernel.name(product, "product");
    let reduce = Reduce { op: ReduceOp::Sum, x: product, axis: Some(1), keep_dims: true };
    let sums = kernel.op(reduce, vec![tile(&[16, 1], DType::F32)], 6)[0];
    kernel.name(sums, "sums");
    let mut scaled = kernel.binary(BinaryOp::Mul, product, sums, 7);
    kernel.name(scaled, "scaled");
    let future = Type::Future(TileType::new(vec![Dim::Const(16), Dim::Const(16)], DType::F32));
    kernel.send("E", scaled, 8);
    kernel.send("E", scaled, 9);
    let promise = kernel.op(RecvAsync { dir: "W".into() }, vec![future], 10)[0];
    kernel.name(promise, "promise");
    let came = kernel.op(Wait { future: promise }, vec![tile(&[16, 16], DType::F32)], 11)[0];
    kernel.name(came, "came");
    let recv = Recv { dir: "W".into(), dst: Some(scaled), consume: true };
    scaled = kernel.op(recv, vec![tile(&[16, 16], DType::F32)], 12)[0];
    kernel.name(scaled, "copied");
    let total = kernel.binary(BinaryOp::Add, scaled, came, 13);
    kernel.name(total, "total");
    let is_even = kernel.even(rank, 14);
    kernel.when(is_even, 14, |kernel| kernel.store(t_ptr, total, 15));
    let left = kernel.countdown(rank, 17);
    let offset = kernel.binary(BinaryOp::Add, t_ptr, left, 20);
    kernel.store(offset, total, 20);
    kernel.end()
}
