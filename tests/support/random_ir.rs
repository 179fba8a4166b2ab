//! Random valid IR.
//!
//! A seed decides a module: one kernel, sometimes with a helper that it calls. The kernel uses
//! every kind of op, nests loops and branches, carries tiles and futures through them, and has
//! tiles whose extents are parameters. It passes the verifier, and with the arguments of
//! [`arguments`] it fits the launch of the tests.

use kbc::dtype::{DType, Rounding};
use kbc::ir::{
    Arange, Assert, Binary, BlockId, Broadcast, Call, Cast, Compare, Condition, Const, Copy, Dim,
    DimRule, Dot, ExpandDims, Extent, For, Full, FuncId, Function, If, Literal, Load, Module,
    NumPrograms, Op, ProgramId, Recv, RecvAsync, Reduce, Reshape, Return, Select, Send, Store,
    Ternary, TileType, Transpose, Type, Unary, Value, Wait, While, Yield,
};
use kbc::ops::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
use kbc::source::Span;

/// The arguments that [`module`]'s kernel is launched with.
pub fn arguments() -> Vec<(&'static str, i64)> {
    vec![("base", 1 << 20), ("p", 1 << 21), ("n", 8), ("m", 4)]
}

/// The module that `seed` decides.
pub fn module(seed: u64) -> Module {
    let mut module = Module::default();
    let mut rng = Rng(seed ^ 0x9e37_79b9_7f4a_7c15);
    let helper = (rng.below(2) == 0).then_some(FuncId(1));
    let kernel = Maker::kernel(&mut rng, helper);
    module.functions.push(kernel);
    if helper.is_some() {
        module.functions.push(Maker::helper(&mut rng));
    }
    module
}

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

struct Maker<'r> {
    rng: &'r mut Rng,
    f: Function,
    /// Every value that may be used at this point.
    visible: Vec<Value>,
    block: BlockId,
    depth: usize,
    budget: usize,
    /// The extents that shapes are made of.
    extents: Vec<Dim>,
    helper: Option<FuncId>,
}

impl<'r> Maker<'r> {
    fn new(rng: &'r mut Rng, name: &str, is_kernel: bool) -> Maker<'r> {
        let f = Function::new(name, is_kernel, Span::NONE);
        let block = f.entry;
        let budget = 10 + rng.below(50);
        let extents = vec![Dim::Const(8), Dim::Const(4), Dim::Const(1)];
        Maker { rng, f, visible: Vec::new(), block, depth: 0, budget, extents, helper: None }
    }

    fn kernel(rng: &mut Rng, helper: Option<FuncId>) -> Function {
        let mut it = Maker::new(rng, "kernel", true);
        it.helper = helper;
        it.param("base", Type::I64);
        it.param("p", Type::Pointer(DType::F16));
        for name in ["n", "m"] {
            let value = it.param(name, Type::I64);
            it.extents.push(Dim::Value(value));
        }
        it.statements();
        it.op(Return { values: Vec::new() }, Vec::new());
        it.f
    }

    /// `func helper(n, x: tile<n x f16>, y: tile<n x f16>) -> (i64, tile<that i64 x f16>)`.
    fn helper(rng: &mut Rng) -> Function {
        let mut it = Maker::new(rng, "helper", false);
        it.budget = 6;
        it.depth = 2;
        let n = it.param("n", Type::I64);
        let tile = Type::Tile(TileType::new(vec![Dim::Value(n)], DType::F16));
        let x = it.param("x", tile.clone());
        let y = it.param("y", tile);
        it.statements();
        let what = String::from("the operands of `+`");
        let extent = Extent { rule: DimRule::Broadcast, x: n, y: n, what, axis: 0 };
        let e = it.value(extent, Type::I64);
        let ty = Type::Tile(TileType::new(vec![Dim::Value(e)], DType::F16));
        let sum = it.value(Binary { op: BinaryOp::Add, x, y }, ty.clone());
        it.op(Return { values: vec![e, sum] }, Vec::new());
        it.f.results = vec![Type::I64, ty];
        it.f
    }

    fn param(&mut self, name: &str, ty: Type) -> Value {
        let value = self.f.add_param(name, ty, false, Span::NONE);
        self.visible.push(value);
        value
    }

    fn op(&mut self, op: impl Into<Op>, types: Vec<Type>) -> Vec<Value> {
        let id = self.f.append(self.block, op, types, Span::NONE);
        let results = self.f.ops[id].results.clone();
        for result in &results {
            if self.rng.below(3) == 0 {
                let name = self.rng.pick(&["acc", "x", "tmp"]);
                self.f.values[*result].name = Some(String::from(name));
            }
        }
        results
    }

    fn value(&mut self, op: impl Into<Op>, ty: Type) -> Value {
        let value = self.op(op, vec![ty])[0];
        self.visible.push(value);
        value
    }

    fn int(&mut self, value: i64) -> Value {
        self.value(Const { value: Literal::Int(value) }, Type::I64)
    }

    fn of_type(&mut self, ty: &Type) -> Option<Value> {
        let fit: Vec<Value> =
            self.visible.iter().copied().filter(|value| self.f.ty(*value) == ty).collect();
        (!fit.is_empty()).then(|| self.rng.pick(&fit))
    }

    fn i64(&mut self) -> Value {
        self.of_type(&Type::I64).expect("parameters are i64")
    }

    fn bool(&mut self) -> Value {
        if self.rng.below(2) == 0
            && let Some(value) = self.of_type(&Type::BOOL)
        {
            return value;
        }
        let (x, y) = (self.i64(), self.i64());
        let op = self.rng.pick(CompareOp::ALL);
        self.value(Compare { op, x, y }, Type::BOOL)
    }

    fn any_tile(&mut self) -> Value {
        let tiles: Vec<Value> = self
            .visible
            .iter()
            .copied()
            .filter(|value| matches!(self.f.ty(*value), Type::Tile(_)))
            .collect();
        if tiles.is_empty() || self.rng.below(8) == 0 {
            self.fresh_tile()
        } else {
            self.rng.pick(&tiles)
        }
    }

    fn tile_type(&mut self) -> TileType {
        let rank = 1 + self.rng.below(2);
        let dims = (0..rank).map(|_| self.rng.pick(&self.extents.clone())).collect();
        TileType::new(dims, self.rng.pick(&[DType::F16, DType::F32]))
    }

    fn fresh_tile(&mut self) -> Value {
        let ty = self.tile_type();
        self.fresh(&ty)
    }

    /// A tile of this type that an op makes from nothing.
    fn fresh(&mut self, ty: &TileType) -> Value {
        let tile = Type::Tile(ty.clone());
        match self.rng.below(4) {
            0 => {
                let value = Const { value: Literal::Float(1.5) };
                let value = self.value(value, Type::Scalar(ty.dtype));
                self.value(Full { value }, tile)
            }
            1 => {
                let ptr = self.address();
                self.value(Load { ptr }, tile)
            }
            _ => {
                let dir = self.dir();
                self.value(Recv { dir, dst: None, consume: true }, tile)
            }
        }
    }

    fn dir(&mut self) -> String {
        String::from(self.rng.pick(&["E", "W"]))
    }

    fn address(&mut self) -> Value {
        let (x, y) = (self.i64(), self.i64());
        self.value(Binary { op: BinaryOp::Add, x, y }, Type::I64)
    }

    fn dims_of(&self, value: Value) -> (Vec<Dim>, DType) {
        let tile = self.f.ty(value).tile().expect("a tile");
        (tile.dims.clone(), tile.dtype)
    }

    fn statements(&mut self) {
        let mut left = 2 + self.rng.below(12);
        while left > 0 && self.budget > 0 {
            left -= 1;
            self.budget -= 1;
            self.statement();
        }
    }

    fn statement(&mut self) {
        match self.rng.below(22) {
            0 | 1 => self.scalar_statement(),
            2 | 3 => {
                self.fresh_tile();
            }
            4..=7 => self.elementwise(),
            8 | 9 => self.view(),
            10 => self.reduction(),
            11 => self.dot(),
            12 | 13 => {
                let src = self.any_tile();
                let dir = self.dir();
                self.op(Send { dir, src }, Vec::new());
            }
            14 => self.store(),
            15 => self.future(),
            16 => {
                let dst = self.any_tile();
                let ty = self.f.ty(dst).clone();
                let dir = self.dir();
                self.value(Recv { dir, dst: Some(dst), consume: true }, ty);
            }
            17 if self.depth < 3 => self.branch(),
            18 | 19 if self.depth < 3 => self.for_loop(),
            20 if self.depth < 3 => self.while_loop(),
            21 => self.call(),
            _ => self.elementwise(),
        }
    }

    fn scalar_statement(&mut self) {
        match self.rng.below(7) {
            0 => {
                let value = self.rng.below(5) as i64;
                self.int(value);
            }
            1 => {
                let axis = self.rng.below(3) as u32;
                self.value(ProgramId { axis }, Type::I64);
            }
            2 => {
                let axis = self.rng.below(3) as u32;
                self.value(NumPrograms { axis }, Type::I64);
            }
            3 => {
                let (condition, x, y) = (self.bool(), self.i64(), self.i64());
                self.value(Select { condition, x, y }, Type::I64);
            }
            4 => {
                let (x, y) = (self.of_type(&Type::Pointer(DType::F16)), self.i64());
                if let Some(x) = x {
                    self.value(Binary { op: BinaryOp::Add, x, y }, Type::Pointer(DType::F16));
                }
            }
            5 => {
                let x = self.i64();
                let condition = self.value(Compare { op: CompareOp::Eq, x, y: x }, Type::BOOL);
                let message = String::from("a value is \"itself\"");
                self.op(Assert { condition, message }, Vec::new());
            }
            _ => {
                let (x, y) = (self.i64(), self.i64());
                let op = self.rng.pick(&[
                    BinaryOp::Add,
                    BinaryOp::Sub,
                    BinaryOp::Mul,
                    BinaryOp::Minimum,
                    BinaryOp::BitXor,
                ]);
                self.value(Binary { op, x, y }, Type::I64);
            }
        }
    }

    fn elementwise(&mut self) {
        let x = self.any_tile();
        let (dims, dtype) = self.dims_of(x);
        let ty = self.f.ty(x).clone();
        match self.rng.below(6) {
            0 => {
                let op = self.rng.pick(&[UnaryOp::Neg, UnaryOp::Exp, UnaryOp::Floor]);
                self.value(Unary { op, x }, ty);
            }
            1 => {
                let to = if dtype == DType::F16 { DType::F32 } else { DType::F16 };
                self.value(
                    Cast { x, to, rounding: Rounding::NearestEven },
                    Type::Tile(TileType::new(dims, to)),
                );
            }
            2 => {
                let y = self.of_type(&ty).expect("x itself");
                let mask = Type::Tile(TileType::new(dims, DType::I1));
                let condition = self.value(Compare { op: CompareOp::Lt, x, y }, mask);
                // Further ops are written for floats.
                self.visible.retain(|value| *value != condition);
                self.value(Select { condition, x, y }, ty);
            }
            3 => {
                let (y, z) = (self.of_type(&ty).expect("x"), self.of_type(&ty).expect("x"));
                self.value(Ternary { op: TernaryOp::Fma, x, y, z }, ty);
            }
            4 => {
                let scalar = Const { value: Literal::Float(0.25) };
                let y = self.value(scalar, Type::Scalar(dtype));
                self.value(Binary { op: BinaryOp::Mul, x, y }, ty);
            }
            _ => {
                let y = self.of_type(&ty).expect("x itself");
                let op = self.rng.pick(&[BinaryOp::Add, BinaryOp::Maximum]);
                self.value(Binary { op, x, y }, ty);
            }
        }
    }

    fn view(&mut self) {
        let x = self.any_tile();
        let (dims, dtype) = self.dims_of(x);
        let tile = |dims: Vec<Dim>| Type::Tile(TileType::new(dims, dtype));
        match (self.rng.below(5), dims.as_slice()) {
            (0 | 1, [a, b]) => {
                self.value(Transpose { x, axes: vec![1, 0] }, tile(vec![*b, *a]));
            }
            (2, [a, b]) => {
                let one = Dim::Const(1);
                self.value(Reshape { x }, tile(vec![one, *a, *b]));
            }
            (_, [a]) if self.rng.below(2) == 0 => {
                let row = self.value(ExpandDims { x, axis: 0 }, tile(vec![Dim::Const(1), *a]));
                self.value(Broadcast { x: row }, tile(vec![Dim::Const(4), *a]));
            }
            (_, [a]) => {
                self.value(ExpandDims { x, axis: 1 }, tile(vec![*a, Dim::Const(1)]));
            }
            _ => {
                self.value(Copy { x }, tile(dims.clone()));
            }
        }
    }

    fn reduction(&mut self) {
        let x = self.any_tile();
        let (mut dims, dtype) = self.dims_of(x);
        let axis = self.rng.below(dims.len() + 1);
        let keep_dims = self.rng.below(2) == 0;
        let op = self.rng.pick(ReduceOp::ALL);
        let axis = (axis < dims.len()).then_some(axis);
        match axis {
            Some(axis) if keep_dims => dims[axis] = Dim::Const(1),
            Some(axis) => {
                dims.remove(axis);
            }
            None if keep_dims => dims.fill(Dim::Const(1)),
            None => dims.clear(),
        }
        let dtype = if op.gives_index() { DType::I32 } else { dtype };
        let axis = axis.map(|axis| axis as u32);
        let ty = Type::Tile(TileType::new(dims, dtype));
        let result = self.value(Reduce { op, x, axis, keep_dims }, ty);
        if dtype == DType::I32 {
            // Further ops are written for floats.
            self.visible.retain(|value| *value != result);
        }
        if self.rng.below(4) == 0 {
            let ty = Type::Tile(TileType::new(vec![Dim::Const(8)], DType::I32));
            let index = self.value(Arange { start: 0 }, ty);
            self.visible.retain(|value| *value != index);
        }
    }

    fn dot(&mut self) {
        let square = TileType::new(vec![Dim::Const(4), Dim::Const(4)], DType::F16);
        let ty = Type::Tile(square.clone());
        let tile = |it: &mut Self| it.of_type(&ty).unwrap_or_else(|| it.fresh(&square));
        let (a, b) = (tile(self), tile(self));
        let acc = if self.rng.below(2) == 0 { Some(tile(self)) } else { None };
        self.value(Dot { a, b, acc }, ty);
    }

    fn store(&mut self) {
        let value = self.any_tile();
        let pointer = self.of_type(&Type::Pointer(DType::F16));
        let ptr = match pointer {
            Some(ptr) if self.dims_of(value).1 == DType::F16 => ptr,
            _ => self.address(),
        };
        self.op(Store { ptr, value }, Vec::new());
    }

    fn future(&mut self) {
        let futures: Vec<Value> = self
            .visible
            .iter()
            .copied()
            .filter(|value| matches!(self.f.ty(*value), Type::Future(_)))
            .collect();
        if !futures.is_empty() && self.rng.below(3) > 0 {
            let future = self.rng.pick(&futures);
            let tile = self.f.ty(future).tile().expect("a future is of a tile").clone();
            self.value(Wait { future }, Type::Tile(tile));
        } else {
            let ty = self.tile_type();
            let dir = self.dir();
            self.value(RecvAsync { dir }, Type::Future(ty));
        }
    }

    /// Fills a block of its own; what is made in it is not visible after.
    fn inside(&mut self, block: BlockId, fill: impl FnOnce(&mut Self)) {
        let (outer, visible) = (self.block, self.visible.len());
        self.block = block;
        self.depth += 1;
        self.visible.extend(self.f.blocks[block].args.clone());
        fill(self);
        self.visible.truncate(visible);
        self.depth -= 1;
        self.block = outer;
    }

    /// Values of any type, to be carried or given.
    fn some_values(&mut self) -> Vec<Value> {
        let count = self.rng.below(4);
        (0..count)
            .map(|_| if self.rng.below(4) == 0 { self.i64() } else { self.any_tile_or_future() })
            .collect()
    }

    fn any_tile_or_future(&mut self) -> Value {
        let futures: Vec<Value> = self
            .visible
            .iter()
            .copied()
            .filter(|value| matches!(self.f.ty(*value), Type::Future(_)))
            .collect();
        if !futures.is_empty() && self.rng.below(3) == 0 {
            self.rng.pick(&futures)
        } else {
            self.any_tile()
        }
    }

    fn types(&self, values: &[Value]) -> Vec<Type> {
        values.iter().map(|value| self.f.ty(*value).clone()).collect()
    }

    fn like(&mut self, types: &[Type]) -> Vec<Value> {
        types.iter().map(|ty| self.of_type(ty).expect("a value of this type is visible")).collect()
    }

    fn branch(&mut self) {
        let condition = self.bool();
        let types = {
            let values = self.some_values();
            self.types(&values)
        };
        let (then, otherwise) = (self.f.add_block(), self.f.add_block());
        for side in [then, otherwise] {
            let types = types.clone();
            self.inside(side, |it| {
                it.statements();
                let values = it.like(&types);
                it.op(Yield { values }, Vec::new());
            });
        }
        let results = self.op(If { condition, then, otherwise }, types);
        self.visible.extend(results);
    }

    fn for_loop(&mut self) {
        let inits = self.some_values();
        let types = self.types(&inits);
        let lo = self.int(0);
        let unroll = self.rng.below(4) == 0;
        let hi = if unroll || self.rng.below(3) > 0 {
            let trips = self.rng.below(4) as i64;
            self.int(trips)
        } else {
            self.value(ProgramId { axis: 0 }, Type::I64)
        };
        let step = self.int(1);
        let body = self.f.add_block();
        self.f.add_argument(body, Type::I64, Some(String::from("i")));
        for ty in &types {
            self.f.add_argument(body, ty.clone(), None);
        }
        let yielded = types.clone();
        self.inside(body, |it| {
            it.statements();
            let values = it.like(&yielded);
            it.op(Yield { values }, Vec::new());
        });
        let results = self.op(For { lo, hi, step, inits, body, unroll, stages: 1 }, types);
        self.visible.extend(results);
    }

    /// Counts an `i64` up to a small number.
    fn while_loop(&mut self) {
        let mut inits = vec![self.int(0)];
        inits.extend(self.some_values());
        let types = self.types(&inits);
        let (test, body) = (self.f.add_block(), self.f.add_block());
        for ty in &types {
            self.f.add_argument(test, ty.clone(), None);
            self.f.add_argument(body, ty.clone(), None);
        }
        let handed = types.clone();
        self.inside(test, |it| {
            it.statements();
            let counter = it.f.blocks[test].args[0];
            let trips = it.rng.below(4) as i64;
            let limit = it.int(trips);
            let op = CompareOp::Lt;
            let condition = it.value(Compare { op, x: counter, y: limit }, Type::BOOL);
            let mut values = it.like(&handed);
            values[0] = counter;
            it.op(Condition { condition, values }, Vec::new());
        });
        let yielded = types.clone();
        self.inside(body, |it| {
            it.statements();
            let counter = it.f.blocks[body].args[0];
            let one = it.int(1);
            let next = it.value(Binary { op: BinaryOp::Add, x: counter, y: one }, Type::I64);
            let mut values = it.like(&yielded);
            values[0] = next;
            it.op(Yield { values }, Vec::new());
        });
        let results = self.op(While { inits, test, body }, types);
        self.visible.extend(results);
    }

    fn call(&mut self) {
        let Some(callee) = self.helper else { return };
        let extent = self.rng.pick(&self.extents.clone());
        let n = match extent {
            Dim::Const(extent) => self.int(extent),
            Dim::Value(value) => value,
        };
        let ty = TileType::new(vec![extent], DType::F16);
        let tile = Type::Tile(ty.clone());
        let x = self.of_type(&tile).unwrap_or_else(|| self.fresh(&ty));
        let y = self.of_type(&tile).unwrap_or_else(|| self.fresh(&ty));
        let results = self.op(Call { callee, args: vec![n, x, y] }, vec![Type::I64, tile]);
        self.f.values[results[1]].ty =
            Type::Tile(TileType::new(vec![Dim::Value(results[0])], DType::F16));
        self.visible.push(results[0]);
        // Its extent is a value of its own, which only its own ops would fit.
        let src = results[1];
        let dir = self.dir();
        self.op(Send { dir, src }, Vec::new());
    }
}
