//! Random kernels that compute on real data.
//!
//! A seed decides a kernel. It reads a tensor `in` that all programs share and a part of `out`
//! that is its program's own, and writes that part; every address is in bounds. It uses every
//! element type and every kind of op, nests loops (counted up and down, of known and of
//! program-dependent length, with `num_stages`), tested loops and branches, carries tiles through
//! them, and passes tiles round the ring of programs: what is sent is received, by all of them.

mod control;

use kbc::dtype::{DType, Rounding};
use kbc::ir::{
    Arange, Binary, BlockId, Broadcast, Cast, Compare, Const, Copy, Dim, Dot, ExpandDims, Full,
    Function, Literal, Load, Module, NumPrograms, Op, ProgramId, Recv, RecvAsync, Reduce, Reshape,
    Return, Select, Send, Store, Ternary, TileType, Transpose, Type, Unary, Value, Wait,
};
use kbc::ops::{BinaryOp, CompareOp, Domain, ReduceOp, TernaryOp, UnaryOp};
use kbc::source::Span;

use super::random_ir::Rng;

/// The programs that run a kernel.
pub const PROGRAMS: u32 = 4;
/// Where `in` begins, and its bytes.
pub const IN: (u64, u64) = (0x1_0000_0000, 8192);
/// Where `out` begins, and the bytes of it that are one program's.
pub const OUT: (u64, u64) = (0x1_0010_0000, 4096);

/// The arguments of every kernel.
pub fn arguments() -> Vec<(&'static str, i64)> {
    vec![("in", IN.0 as i64), ("out", OUT.0 as i64), ("n", 8), ("m", 4)]
}

/// Bytes that are plain numbers in every element type.
pub fn data(seed: u64, bytes: u64) -> Vec<u8> {
    let mut rng = Rng(seed ^ 0x5851_f42d_4c95_7f2d);
    let halves = (0..bytes / 2).map(|_| {
        let random = rng.next();
        // An f16 between 1/4 and 4, of either sign; most are odd numbers of something as integers.
        (0x3400 + (random % 0x1000) as u16) | ((random >> 40) as u16 & 0x8000)
    });
    halves.flat_map(u16::to_le_bytes).collect()
}

/// The kernel that `seed` decides.
pub fn module(seed: u64) -> Module {
    let mut rng = Rng(seed ^ 0x2545_f491_4f6c_dd1d);
    let mut module = Module::default();
    let f = Function::new("kernel", true, Span::NONE);
    let block = f.entry;
    let budget = 10 + rng.below(30);
    let mut maker = Maker {
        rng: &mut rng,
        f,
        block,
        visible: Vec::new(),
        loops: Vec::new(),
        budget,
        messages: 6,
        depth: 0,
        agrees: true,
        extents: vec![Dim::Const(8), Dim::Const(4), Dim::Const(2), Dim::Const(1)],
    };
    maker.kernel();
    let f = maker.f;
    module.functions.push(f);
    module
}

struct Maker<'r> {
    rng: &'r mut Rng,
    f: Function,
    block: BlockId,
    visible: Vec<Value>,
    /// The variables of the loops around, each from 0 to 3.
    loops: Vec<Value>,
    budget: usize,
    /// How many more messages the text may send.
    messages: usize,
    depth: usize,
    /// Whether every program runs this block equally often.
    agrees: bool,
    extents: Vec<Dim>,
}

const FLOATS: [DType; 8] = [
    DType::F16,
    DType::F32,
    DType::BF16,
    DType::F64,
    DType::F8E4M3,
    DType::F8E5M2,
    DType::F8E4B8,
    DType::F8E5B16,
];
const INTS: [DType; 8] =
    [DType::I32, DType::I8, DType::I16, DType::I64, DType::U8, DType::U16, DType::U32, DType::U64];

impl Maker<'_> {
    fn kernel(&mut self) {
        for name in ["in", "out", "n", "m"] {
            let value = self.f.add_param(name, Type::I64, false, Span::NONE);
            if name == "n" || name == "m" {
                self.extents.push(Dim::Value(value));
                self.visible.push(value);
            }
        }
        self.load();
        self.load();
        self.statements();
        self.statements();
        // What was computed last must be seen: each in a place of its own.
        let tiles = self.fitting(|ty| matches!(ty, Type::Tile(_)));
        for (index, value) in tiles.into_iter().rev().take(4).enumerate() {
            let base = self.own_part();
            let offset = self.int((OUT.1 / 2) as i64 + index as i64 * 512);
            let ptr = self.hidden(Binary { op: BinaryOp::Add, x: base, y: offset }, Type::I64);
            self.op(Store { ptr, value }, Vec::new());
        }
        self.op(Return { values: Vec::new() }, Vec::new());
    }

    fn op(&mut self, op: impl Into<Op>, types: Vec<Type>) -> Vec<Value> {
        let id = self.f.append(self.block, op, types, Span::NONE);
        self.f.ops[id].results.clone()
    }

    /// A value that is not offered to later statements.
    fn hidden(&mut self, op: impl Into<Op>, ty: Type) -> Value {
        self.op(op, vec![ty])[0]
    }

    fn value(&mut self, op: impl Into<Op>, ty: Type) -> Value {
        let value = self.hidden(op, ty);
        self.visible.push(value);
        value
    }

    fn int(&mut self, value: i64) -> Value {
        self.hidden(Const { value: Literal::Int(value) }, Type::I64)
    }

    fn tile(dims: &[Dim], dtype: DType) -> Type {
        Type::Tile(TileType::new(dims.to_vec(), dtype))
    }

    fn fitting(&self, fits: impl Fn(&Type) -> bool) -> Vec<Value> {
        self.visible.iter().copied().filter(|value| fits(self.f.ty(*value))).collect()
    }

    fn of_type(&mut self, ty: &Type) -> Option<Value> {
        let fit = self.fitting(|other| other == ty);
        (!fit.is_empty()).then(|| self.rng.pick(&fit))
    }

    fn i64(&mut self) -> Value {
        self.of_type(&Type::I64).expect("parameters are i64")
    }

    fn any_tile(&mut self) -> Value {
        let tiles = self.fitting(|ty| matches!(ty, Type::Tile(_)));
        if tiles.is_empty() || self.rng.below(6) == 0 {
            self.fresh()
        } else {
            self.rng.pick(&tiles)
        }
    }

    /// A tile of this type: one that is there, or what is there made fit.
    fn tile_of(&mut self, ty: &Type) -> Value {
        if let Some(value) = self.of_type(ty)
            && self.rng.below(5) > 0
        {
            return value;
        }
        let tile = ty.tile().expect("a tile").clone();
        self.load_of(&tile)
    }

    fn dims_of(&self, value: Value) -> (Vec<Dim>, DType) {
        let tile = self.f.ty(value).tile().expect("a tile");
        (tile.dims.clone(), tile.dtype)
    }

    fn dtype(&mut self) -> DType {
        if self.rng.below(3) == 0 { self.rng.pick(&INTS) } else { self.rng.pick(&FLOATS) }
    }

    fn tile_type(&mut self) -> TileType {
        let rank = 1 + self.rng.below(2);
        let dims = (0..rank).map(|_| self.rng.pick(&self.extents.clone())).collect();
        TileType::new(dims, self.dtype())
    }

    /// `base` plus a constant, and a little for each turn of some of the loops around. The most
    /// that a tile takes is 8 * 8 * 8 bytes.
    fn address(&mut self, base: Value, room: u64) -> Value {
        let first = self.rng.below((room as usize - 512 - 3 * 3 * 64) / 64) as i64 * 64;
        let mut at = self.int(first);
        for variable in self.loops.clone() {
            if self.rng.below(2) == 0 {
                let stride = self.int(64);
                let y =
                    self.hidden(Binary { op: BinaryOp::Mul, x: variable, y: stride }, Type::I64);
                at = self.hidden(Binary { op: BinaryOp::Add, x: at, y }, Type::I64);
            }
        }
        self.hidden(Binary { op: BinaryOp::Add, x: base, y: at }, Type::I64)
    }

    fn in_address(&mut self) -> Value {
        let base = self.f.params[0].value;
        self.address(base, IN.1)
    }

    /// Where this program's part of `out` begins.
    fn own_part(&mut self) -> Value {
        let rank = self.hidden(ProgramId { axis: 0 }, Type::I64);
        let room = self.int(OUT.1 as i64);
        let y = self.hidden(Binary { op: BinaryOp::Mul, x: rank, y: room }, Type::I64);
        let x = self.f.params[1].value;
        self.hidden(Binary { op: BinaryOp::Add, x, y }, Type::I64)
    }

    fn out_address(&mut self) -> Value {
        let base = self.own_part();
        self.address(base, OUT.1 / 2)
    }

    fn load_of(&mut self, ty: &TileType) -> Value {
        let ptr = if self.rng.below(3) == 0 { self.out_address() } else { self.in_address() };
        self.value(Load { ptr }, Type::Tile(ty.clone()))
    }

    fn load(&mut self) -> Value {
        let ty = self.tile_type();
        self.load_of(&ty)
    }

    fn fresh(&mut self) -> Value {
        let ty = self.tile_type();
        match self.rng.below(6) {
            0 => {
                let value = self.scalar(ty.dtype);
                self.value(Full { value }, Type::Tile(ty))
            }
            1 if ty.dtype.is_int() => {
                let start = self.rng.below(200) as i64 - 100;
                self.value(Arange { start }, Self::tile(&ty.dims[..1], ty.dtype))
            }
            _ => self.load_of(&ty),
        }
    }

    /// A scalar, sometimes one that only the program knows.
    fn scalar(&mut self, dtype: DType) -> Value {
        if self.rng.below(3) == 0 {
            let x = self.i64();
            let rounding = Rounding::NearestEven;
            return self.hidden(Cast { x, to: dtype, rounding }, Type::Scalar(dtype));
        }
        let value = match dtype.is_float() {
            true => Literal::Float(self.rng.pick(&[0.5, -1.25, 3.0, 0.1, -0.0, 1e-3])),
            false => Literal::Int(self.rng.pick(&[0, 1, 3, 7, 100])),
        };
        let value = self.hidden(Const { value }, Type::Scalar(dtype));
        if self.rng.below(3) > 0 {
            return value;
        }
        let op = self.binary_op(dtype);
        self.hidden(Binary { op, x: value, y: value }, Type::Scalar(dtype))
    }

    fn in_domain(domain: Domain, dtype: DType) -> bool {
        match domain {
            Domain::Any => true,
            Domain::Float => dtype.is_float(),
            Domain::Int => dtype.is_int(),
        }
    }

    /// An op that no data makes fail.
    fn binary_op(&mut self, dtype: DType) -> BinaryOp {
        let divides = [BinaryOp::IntDiv, BinaryOp::FloorDiv, BinaryOp::Rem, BinaryOp::FloorMod];
        let fit: Vec<BinaryOp> = BinaryOp::ALL
            .iter()
            .copied()
            .filter(|op| Self::in_domain(op.domain(), dtype))
            .filter(|op| dtype.is_float() || !divides.contains(op))
            .collect();
        self.rng.pick(&fit)
    }

    fn statements(&mut self) {
        let mut left = 2 + self.rng.below(8);
        while left > 0 && self.budget > 0 {
            left -= 1;
            self.budget -= 1;
            self.statement();
        }
    }

    fn statement(&mut self) {
        match self.rng.below(24) {
            0 | 1 => self.scalar_statement(),
            2..=4 => drop(self.fresh()),
            5..=9 => self.elementwise(),
            10 | 11 => self.view(),
            12 | 13 => self.reduction(),
            14 => self.dot(),
            15 | 16 => self.store(),
            17 => self.message(),
            18 if self.depth < 3 => self.branch(),
            19..=21 if self.depth < 3 => self.for_loop(),
            22 if self.depth < 3 => self.while_loop(),
            _ => self.elementwise(),
        }
    }

    fn scalar_statement(&mut self) {
        match self.rng.below(5) {
            0 => drop(self.value(ProgramId { axis: 0 }, Type::I64)),
            1 => drop(self.value(NumPrograms { axis: 0 }, Type::I64)),
            2 => {
                let (condition, x, y) = (self.condition(), self.i64(), self.i64());
                self.value(Select { condition, x, y }, Type::I64);
            }
            _ => {
                let (x, y) = (self.i64(), self.i64());
                let op = self.rng.pick(&[BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul]);
                self.value(Binary { op, x, y }, Type::I64);
            }
        }
    }

    fn condition(&mut self) -> Value {
        let (x, y) = (self.i64(), self.i64());
        let op = self.rng.pick(CompareOp::ALL);
        self.hidden(Compare { op, x, y }, Type::BOOL)
    }

    fn elementwise(&mut self) {
        let x = self.any_tile();
        let (dims, dtype) = self.dims_of(x);
        let ty = self.f.ty(x).clone();
        match self.rng.below(8) {
            0 => {
                let fit: Vec<UnaryOp> = UnaryOp::ALL
                    .iter()
                    .copied()
                    .filter(|op| Self::in_domain(op.domain(), dtype))
                    .collect();
                let op = self.rng.pick(&fit);
                self.value(Unary { op, x }, ty);
            }
            1 => {
                let to = if self.rng.below(8) == 0 { DType::I1 } else { self.dtype() };
                let rounding = self.rng.pick(&[Rounding::NearestEven, Rounding::TowardZero]);
                self.value(Cast { x, to, rounding }, Self::tile(&dims, to));
            }
            2 => {
                let y = self.tile_of(&ty);
                let op = self.rng.pick(CompareOp::ALL);
                let condition = self.value(Compare { op, x, y }, Self::tile(&dims, DType::I1));
                self.value(Select { condition, x, y }, ty);
            }
            3 => {
                let (y, z) = (self.tile_of(&ty), self.tile_of(&ty));
                let op = if dtype.is_float() { TernaryOp::Fma } else { TernaryOp::Clamp };
                self.value(Ternary { op, x, y, z }, ty);
            }
            4 => {
                let (op, y) = (self.binary_op(dtype), self.scalar(dtype));
                self.value(Binary { op, x, y }, ty);
            }
            5 => {
                // A row beside the tile.
                let row = Self::tile(&dims[dims.len() - 1..], dtype);
                let (op, y) = (self.binary_op(dtype), self.tile_of(&row));
                self.value(Binary { op, x, y }, ty);
            }
            _ => {
                let (op, y) = (self.binary_op(dtype), self.tile_of(&ty));
                self.value(Binary { op, x, y }, ty);
            }
        }
    }

    fn view(&mut self) {
        let x = self.any_tile();
        let (dims, dtype) = self.dims_of(x);
        let one = Dim::Const(1);
        match (self.rng.below(5), dims.as_slice()) {
            (0 | 1, [a, b]) => {
                self.value(Transpose { x, axes: vec![1, 0] }, Self::tile(&[*b, *a], dtype));
            }
            (2, [a, b]) => {
                let flat = self.value(Reshape { x }, Self::tile(&[one, *a, *b], dtype));
                self.value(Reshape { x: flat }, Self::tile(&[*a, *b], dtype));
            }
            (0..=2, [a]) => {
                let row = self.hidden(ExpandDims { x, axis: 0 }, Self::tile(&[one, *a], dtype));
                self.value(Broadcast { x: row }, Self::tile(&[Dim::Const(4), *a], dtype));
            }
            (3, [a]) => {
                self.value(ExpandDims { x, axis: 1 }, Self::tile(&[*a, one], dtype));
            }
            _ => {
                self.value(Copy { x }, Self::tile(&dims, dtype));
            }
        }
    }

    fn reduction(&mut self) {
        let x = self.any_tile();
        let (mut dims, dtype) = self.dims_of(x);
        if dtype == DType::I1 {
            return;
        }
        let axis = self.rng.below(dims.len() + 1);
        let keep_dims = self.rng.below(2) == 0;
        let op = self.rng.pick(ReduceOp::ALL);
        let axis = (axis < dims.len()).then_some(axis);
        match axis {
            Some(axis) if keep_dims => dims[axis] = Dim::Const(1),
            Some(axis) => drop(dims.remove(axis)),
            None if keep_dims => dims.fill(Dim::Const(1)),
            None => dims.clear(),
        }
        let axis = axis.map(|axis| axis as u32);
        let to = if op.gives_index() { DType::I32 } else { dtype };
        let result = self.value(Reduce { op, x, axis, keep_dims }, Self::tile(&dims, to));
        if dims.is_empty() {
            self.visible.retain(|value| *value != result);
            self.value(Broadcast { x: result }, Self::tile(&[Dim::Const(4)], to));
        }
    }

    fn dot(&mut self) {
        let input = self.rng.pick(&[DType::F16, DType::F32, DType::BF16, DType::F64, DType::I8]);
        let float_out = [DType::F32, DType::F16, DType::BF16];
        let out = if input == DType::I8 {
            DType::I32
        } else if input == DType::F64 {
            DType::F64
        } else {
            self.rng.pick(&float_out)
        };
        let extents = [Dim::Const(4), Dim::Const(8), Dim::Const(2)];
        let [m, n, k] = [0; 3].map(|_| self.rng.pick(&extents));
        let a = self.tile_of(&Self::tile(&[m, k], input));
        let b = self.tile_of(&Self::tile(&[k, n], input));
        let ty = Self::tile(&[m, n], out);
        let acc = (self.rng.below(2) == 0).then(|| self.tile_of(&ty));
        self.value(Dot { a, b, acc }, ty);
    }

    fn store(&mut self) {
        let value = self.any_tile();
        let ptr = self.out_address();
        self.op(Store { ptr, value }, Vec::new());
    }

    /// Sends a tile to the east and takes the one that comes from the west.
    fn message(&mut self) {
        if !self.agrees || self.messages == 0 {
            return self.elementwise();
        }
        self.messages -= 1;
        let src = self.any_tile();
        let ty = self.f.ty(src).clone();
        let tile = ty.tile().expect("a tile").clone();
        let (east, west) = (String::from("E"), String::from("W"));
        match self.rng.below(4) {
            0 => {
                let future = self.hidden(RecvAsync { dir: west }, Type::Future(tile));
                self.op(Send { dir: east, src }, Vec::new());
                self.elementwise();
                self.value(Wait { future }, ty);
            }
            1 => {
                self.op(Send { dir: east, src }, Vec::new());
                let dst = Some(self.tile_of(&ty));
                self.value(Recv { dir: west, dst, consume: true }, ty);
            }
            _ => {
                self.op(Send { dir: east, src }, Vec::new());
                self.value(Recv { dir: west, dst: None, consume: true }, ty);
            }
        }
    }
}
