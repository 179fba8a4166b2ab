//! Random kernels that spell addresses as Triton kernels do: by arithmetic on tiles of integers.
//!
//! A seed decides a kernel. Tiles of integers of every width are made of `arange`, scalars of the
//! program and of loops, sums, multiples, remainders and views; loops carry them and branches
//! choose between them. What such a tile can hold is bounded here by rules of its own; where it
//! might leave a tensor, the lanes that do are masked off or the offset is taken modulo the
//! tensor's length. Every tile that is loaded is stored, so that each element is seen.

use kbc::dtype::{DType, Rounding};
use kbc::ir::{
    Arange, Binary, BlockId, Broadcast, Cast, Compare, Const, Dim, ExpandDims, Flip, For, Full,
    Function, GatherLoad, If, Literal, Module, Op, ProgramId, Reshape, Return, ScatterStore, Slice,
    Store, TileType, Transpose, Type, Unary, Value, Yield,
};
use kbc::ops::{BinaryOp, CompareOp, UnaryOp};
use kbc::source::Span;

use super::random_ir::Rng;
use super::random_kernels::{IN, OUT, PROGRAMS};

/// The kernel that `seed` decides. Its parameters are those of `random_kernels`.
pub fn module(seed: u64) -> Module {
    let mut rng = Rng(seed ^ 0x6c62_272e_07bb_0142);
    let f = Function::new("kernel", true, Span::NONE);
    let block = f.entry;
    let mut maker = Maker {
        rng: &mut rng,
        f,
        block,
        tiles: Vec::new(),
        scalars: Vec::new(),
        loaded: Vec::new(),
        slot: 0,
        depth: 0,
    };
    maker.kernel();
    let mut module = Module::default();
    module.functions.push(maker.f);
    module
}

/// An integer scalar or tile, and the least and most that it can be.
#[derive(Clone, Debug)]
struct Number {
    value: Value,
    shape: Vec<i64>,
    dtype: DType,
    lo: i128,
    hi: i128,
}

struct Maker<'r> {
    rng: &'r mut Rng,
    f: Function,
    block: BlockId,
    tiles: Vec<Number>,
    scalars: Vec<Number>,
    /// What has been loaded.
    loaded: Vec<(Value, Vec<i64>)>,
    /// Where the next tile is stored.
    slot: i64,
    depth: usize,
}

const INTS: [DType; 6] = [DType::I32, DType::I32, DType::I64, DType::I8, DType::I16, DType::U8];
/// The elements of a tensor: those of `in`, and of the first half of a program's part of `out`.
const ELEMENTS: [i64; 2] = [IN.1 as i64 / 4, OUT.1 as i64 / 8];
/// Room for one stored tile, in bytes.
const SLOT: i64 = 256;

fn range(dtype: DType) -> (i128, i128) {
    let bits = dtype.bits();
    if dtype.is_unsigned() {
        (0, (1 << bits) - 1)
    } else {
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    }
}

impl Number {
    /// With these bounds, or any of its type where they are not within it.
    fn within(value: Value, (shape, dtype): (&[i64], DType), (lo, hi): (i128, i128)) -> Number {
        let (least, most) = range(dtype);
        let (lo, hi) = if lo < least || hi > most { (least, most) } else { (lo, hi) };
        Number { value, shape: shape.to_vec(), dtype, lo, hi }
    }
}

impl Maker<'_> {
    fn kernel(&mut self) {
        for name in ["in", "out", "n", "m"] {
            self.f.add_param(name, Type::I64, false, Span::NONE);
        }
        self.statements(4);
        self.statements(6);
        let shape = self.shape();
        self.load(&shape);
        self.op(Return { values: Vec::new() }, Vec::new());
    }

    fn op(&mut self, op: impl Into<Op>, types: Vec<Type>) -> Vec<Value> {
        let id = self.f.append(self.block, op, types, Span::NONE);
        self.f.ops[id].results.clone()
    }

    fn value(&mut self, op: impl Into<Op>, ty: Type) -> Value {
        self.op(op, vec![ty])[0]
    }

    fn ty(shape: &[i64], dtype: DType) -> Type {
        Type::Tile(TileType::new(shape.iter().map(|it| Dim::Const(*it)).collect(), dtype))
    }

    fn constant(&mut self, value: i64, dtype: DType) -> Value {
        self.value(Const { value: Literal::Int(value) }, Type::Scalar(dtype))
    }

    fn shape(&mut self) -> Vec<i64> {
        let rank = self.rng.below(3);
        (0..rank).map(|_| self.rng.pick(&[1, 2, 4, 8, 8])).collect()
    }

    // -- scalars ---------------------------------------------------------------------------------

    /// An integer scalar.
    fn scalar(&mut self, dtype: DType) -> Number {
        let of = (&[][..], dtype);
        if self.rng.below(2) == 0 {
            let number = self.rng.pick(&[0, 1, 2, 3, 5, 8, 16, 31, 100, -1, -4]);
            let number = number.clamp(range(dtype).0 as i64, range(dtype).1.min(1000) as i64);
            let value = self.constant(number, dtype);
            return Number::within(value, of, (number.into(), number.into()));
        }
        let known = self.scalars.clone();
        let from = if known.is_empty() || self.rng.below(3) == 0 {
            let value = self.value(ProgramId { axis: 0 }, Type::I64);
            Number::within(value, (&[], DType::I64), (0, i128::from(PROGRAMS) - 1))
        } else {
            self.rng.pick(&known)
        };
        let by = self.rng.pick(&[1, 4, 7, 64]);
        let y = self.constant(by, from.dtype);
        let ty = Type::Scalar(from.dtype);
        let value = self.value(Binary { op: BinaryOp::Mul, x: from.value, y }, ty);
        let (lo, hi) = (from.lo * i128::from(by), from.hi * i128::from(by));
        let product = Number::within(value, (&[], from.dtype), (lo, hi));
        self.cast(&product, dtype)
    }

    // -- tiles of integers -----------------------------------------------------------------------

    fn number(&mut self) -> Number {
        let known = self.tiles.clone();
        if known.is_empty() || self.rng.below(5) == 0 {
            return self.fresh();
        }
        self.rng.pick(&known)
    }

    fn fresh(&mut self) -> Number {
        let dtype = self.rng.pick(&INTS);
        if self.rng.below(5) == 0 {
            let (shape, scalar) = (self.shape(), self.scalar(dtype));
            let value = self.value(Full { value: scalar.value }, Self::ty(&shape, dtype));
            return Number::within(value, (&shape, dtype), (scalar.lo, scalar.hi));
        }
        let extent = self.rng.pick(&[2, 4, 8, 8]);
        if self.rng.below(5) == 0 {
            return self.data(extent);
        }
        let start = self.rng.pick(&[0, 0, 0, 3]);
        let value = self.value(Arange { start }, Self::ty(&[extent], dtype));
        Number::within(value, (&[extent], dtype), (start.into(), (start + extent - 1).into()))
    }

    /// Numbers below 16 that are loaded.
    fn data(&mut self, extent: i64) -> Number {
        let dtype = self.rng.pick(&[DType::I32, DType::I64, DType::I64]);
        let ptr = self.f.params[0].value;
        let load = GatherLoad { ptr, strides: Vec::new(), offsets: None, mask: None, other: None };
        let x = self.value(load, Self::ty(&[extent], dtype));
        let y = self.constant(15, dtype);
        let masked = Binary { op: BinaryOp::BitAnd, x, y };
        let value = self.value(masked, Self::ty(&[extent], dtype));
        Number::within(value, (&[extent], dtype), (0, 15))
    }

    fn cast(&mut self, x: &Number, to: DType) -> Number {
        if x.dtype == to {
            return x.clone();
        }
        let is_scalar = matches!(self.f.ty(x.value), Type::Scalar(_));
        let ty = if is_scalar { Type::Scalar(to) } else { Self::ty(&x.shape, to) };
        let rounding = Rounding::NearestEven;
        let value = self.value(Cast { x: x.value, to, rounding }, ty);
        Number::within(value, (&x.shape, to), (x.lo, x.hi))
    }

    /// Another tile made of one or two that there are.
    fn arithmetic(&mut self) {
        let x = self.number();
        let made = match self.rng.below(12) {
            0 | 1 => self.with_scalar(&x, BinaryOp::Add),
            2 | 3 => self.scaled(&x),
            4 | 5 => self.outer(&x),
            6 => self.sum(&x),
            7 => self.divided(&x),
            8 => {
                let to = self.rng.pick(&INTS);
                self.cast(&x, to)
            }
            9 => {
                let op = self.rng.pick(&[BinaryOp::Minimum, BinaryOp::Maximum, BinaryOp::Sub]);
                self.with_scalar(&x, op)
            }
            10 if !x.dtype.is_unsigned() => {
                let ty = self.f.ty(x.value).clone();
                let value = self.value(Unary { op: UnaryOp::Neg, x: x.value }, ty);
                Number::within(value, (&x.shape, x.dtype), (-x.hi, -x.lo))
            }
            _ => self.view(&x),
        };
        self.tiles.push(made);
    }

    fn binary(&mut self, op: BinaryOp, x: &Number, y: &Number) -> Number {
        let shape = if x.shape.len() >= y.shape.len() { &x.shape } else { &y.shape };
        let value = self.value(Binary { op, x: x.value, y: y.value }, Self::ty(shape, x.dtype));
        let bounds = if op == BinaryOp::Add {
            (x.lo + y.lo, x.hi + y.hi)
        } else if op == BinaryOp::Sub {
            (x.lo - y.hi, x.hi - y.lo)
        } else if op == BinaryOp::Minimum {
            (x.lo.min(y.lo), x.hi.min(y.hi))
        } else if op == BinaryOp::Maximum {
            (x.lo.max(y.lo), x.hi.max(y.hi))
        } else {
            range(x.dtype)
        };
        Number::within(value, (shape, x.dtype), bounds)
    }

    fn with_scalar(&mut self, x: &Number, op: BinaryOp) -> Number {
        let y = self.scalar(x.dtype);
        self.binary(op, x, &y)
    }

    fn scaled(&mut self, x: &Number) -> Number {
        let factor: i64 = self.rng.pick(&[2, 3, 4, 8, 16, 20, 100, -1, -2]);
        let factor = if x.dtype.is_unsigned() { factor.abs() } else { factor };
        let y = self.constant(factor, x.dtype);
        let ty = Self::ty(&x.shape, x.dtype);
        let value = self.value(Binary { op: BinaryOp::Mul, x: x.value, y }, ty);
        let (a, b) = (x.lo * i128::from(factor), x.hi * i128::from(factor));
        Number::within(value, (&x.shape, x.dtype), (a.min(b), a.max(b)))
    }

    /// A column and a row of one type as a matrix.
    fn outer(&mut self, x: &Number) -> Number {
        let rows: Vec<Number> =
            self.tiles.iter().filter(|it| it.shape.len() == 1).cloned().collect();
        if x.shape.len() != 1 || rows.is_empty() {
            return self.sum(x);
        }
        let row = self.rng.pick(&rows);
        let row = self.cast(&row, x.dtype);
        let (m, n) = (x.shape[0], row.shape[0]);
        let column = self.value(ExpandDims { x: x.value, axis: 1 }, Self::ty(&[m, 1], x.dtype));
        let across = self.value(ExpandDims { x: row.value, axis: 0 }, Self::ty(&[1, n], x.dtype));
        let add = Binary { op: BinaryOp::Add, x: column, y: across };
        let value = self.value(add, Self::ty(&[m, n], x.dtype));
        Number::within(value, (&[m, n], x.dtype), (x.lo + row.lo, x.hi + row.hi))
    }

    /// With another of its shape, or with itself.
    fn sum(&mut self, x: &Number) -> Number {
        let fit: Vec<Number> =
            self.tiles.iter().filter(|it| it.shape == x.shape).cloned().collect();
        let y = if fit.is_empty() { x.clone() } else { self.rng.pick(&fit) };
        let y = self.cast(&y, x.dtype);
        let op = self.rng.pick(&[BinaryOp::Add, BinaryOp::Add, BinaryOp::Sub, BinaryOp::Maximum]);
        self.binary(op, x, &y)
    }

    fn divided(&mut self, x: &Number) -> Number {
        let ops = [BinaryOp::Rem, BinaryOp::FloorMod, BinaryOp::FloorDiv, BinaryOp::IntDiv];
        let (op, by) = (self.rng.pick(&ops), self.rng.pick(&[1, 2, 5, 6, 8, 12, 64]));
        let y = self.constant(by, x.dtype);
        let value = self.value(Binary { op, x: x.value, y }, Self::ty(&x.shape, x.dtype));
        let by = i128::from(by);
        let most = x.lo.abs().max(x.hi.abs());
        let bounds = if op == BinaryOp::FloorMod {
            (0, by - 1)
        } else if op == BinaryOp::Rem {
            (if x.lo < 0 { 1 - by } else { 0 }, by - 1)
        } else {
            (if x.lo < 0 { -most } else { 0 }, most)
        };
        Number::within(value, (&x.shape, x.dtype), bounds)
    }

    fn view(&mut self, x: &Number) -> Number {
        let (value, dtype, elements) = (x.value, x.dtype, x.shape.iter().product::<i64>());
        let (shape, op): (Vec<i64>, Op) = match (self.rng.below(5), x.shape.as_slice()) {
            (0, [a, b]) => (vec![*b, *a], Transpose { x: value, axes: vec![1, 0] }.into()),
            (1, [a, _]) if *a > 1 => (x.shape.clone(), Flip { x: value, axis: 0 }.into()),
            (2, [a]) if *a >= 4 => {
                (vec![a / 2], Slice { x: value, axis: 0, start: 1, step: 2 }.into())
            }
            (3, [_]) if elements == 8 => (vec![2, 4], Reshape { x: value }.into()),
            (3, [_, _]) => (vec![elements], Reshape { x: value }.into()),
            (4, [1, b]) => (vec![4, *b], Broadcast { x: value }.into()),
            (_, [a]) if *a > 1 => (x.shape.clone(), Flip { x: value, axis: 0 }.into()),
            _ => (x.shape.clone(), Reshape { x: value }.into()),
        };
        if elements > 64 {
            return x.clone();
        }
        let value = self.value(op, Self::ty(&shape, dtype));
        Number::within(value, (&shape, dtype), (x.lo, x.hi))
    }

    // -- masks -----------------------------------------------------------------------------------

    fn compare(&mut self, op: CompareOp, x: &Number, y: Value) -> Value {
        self.value(Compare { op, x: x.value, y }, Self::ty(&x.shape, DType::I1))
    }

    fn both(&mut self, op: BinaryOp, shape: &[i64], (x, y): (Value, Value)) -> Value {
        self.value(Binary { op, x, y }, Self::ty(shape, DType::I1))
    }

    /// Any mask of a shape; `None` for all lanes.
    fn mask(&mut self, shape: &[i64]) -> Option<Value> {
        let mut all = None;
        for _ in 0..self.rng.below(3) {
            let fit: Vec<Number> =
                self.tiles.iter().filter(|it| it.shape == shape).cloned().collect();
            if fit.is_empty() {
                return all;
            }
            let x = self.rng.pick(&fit);
            let y = self.scalar(x.dtype).value;
            let op = self.rng.pick(CompareOp::ALL);
            let mut mask = self.compare(op, &x, y);
            if self.rng.below(4) == 0 {
                let ty = Self::ty(shape, DType::I1);
                mask = self.value(Unary { op: UnaryOp::BitNot, x: mask }, ty);
            }
            let op = self.rng.pick(&[BinaryOp::BitAnd, BinaryOp::BitAnd, BinaryOp::BitOr]);
            all = Some(all.map_or(mask, |x| self.both(op, shape, (x, mask))));
        }
        if self.rng.below(6) == 0 {
            let (x, y) = (self.scalar(DType::I32), self.scalar(DType::I32));
            let compare = Compare { op: CompareOp::Lt, x: x.value, y: y.value };
            let flag = self.value(compare, Type::BOOL);
            let flag = self.value(Full { value: flag }, Self::ty(shape, DType::I1));
            all = Some(all.map_or(flag, |x| self.both(BinaryOp::BitAnd, shape, (x, flag))));
        }
        all
    }

    // -- accesses --------------------------------------------------------------------------------

    /// Offsets that stay within `elements` wherever the mask lets them.
    fn safe(&mut self, x: &Number, elements: i64) -> (Number, Option<Value>) {
        let mask = self.mask(&x.shape);
        let fits = x.lo >= 0 && x.hi < i128::from(elements);
        if fits && self.rng.below(6) > 0 {
            return (x.clone(), mask);
        }
        let x = &if x.dtype.bits() < 32 || x.dtype.is_unsigned() {
            self.cast(x, DType::I32)
        } else {
            x.clone()
        };
        let most = self.constant(elements, x.dtype);
        if self.rng.below(2) == 0 {
            let op = Binary { op: BinaryOp::FloorMod, x: x.value, y: most };
            let value = self.value(op, Self::ty(&x.shape, x.dtype));
            let bounds = (0, i128::from(elements) - 1);
            return (Number::within(value, (&x.shape, x.dtype), bounds), mask);
        }
        let zero = self.constant(0, x.dtype);
        let mut inside = self.compare(CompareOp::Lt, x, most);
        if x.lo < 0 {
            let above = self.compare(CompareOp::Ge, x, zero);
            inside = self.both(BinaryOp::BitAnd, &x.shape, (inside, above));
        }
        let mask =
            mask.map_or(inside, |mask| self.both(BinaryOp::BitAnd, &x.shape, (mask, inside)));
        (x.clone(), Some(mask))
    }

    fn own_part(&mut self, offset: i64) -> Value {
        let rank = self.value(ProgramId { axis: 0 }, Type::I64);
        let room = self.constant(OUT.1 as i64, DType::I64);
        let part = self.value(Binary { op: BinaryOp::Mul, x: rank, y: room }, Type::I64);
        let x = self.f.params[1].value;
        let part = self.value(Binary { op: BinaryOp::Add, x, y: part }, Type::I64);
        let offset = self.constant(offset, DType::I64);
        self.value(Binary { op: BinaryOp::Add, x: part, y: offset }, Type::I64)
    }

    fn offsets(&mut self) -> Number {
        let known = self.tiles.clone();
        let small: Vec<Number> =
            known.into_iter().filter(|it| it.shape.iter().product::<i64>() <= 64).collect();
        if small.is_empty() { self.fresh() } else { self.rng.pick(&small) }
    }

    fn load_somewhere(&mut self) {
        let x = self.offsets();
        let (which, own) = (self.rng.below(3), self.own_part(0));
        let (ptr, elements) =
            if which == 0 { (own, ELEMENTS[1]) } else { (self.f.params[0].value, ELEMENTS[0]) };
        let (offsets, mask) = self.safe(&x, elements);
        let other = mask.and_then(|_| self.other(&offsets.shape));
        let load =
            GatherLoad { ptr, strides: Vec::new(), offsets: Some(offsets.value), mask, other };
        let value = self.value(load, Self::ty(&offsets.shape, DType::F32));
        self.keep(value, &offsets.shape);
    }

    /// What masked-off lanes hold.
    fn other(&mut self, shape: &[i64]) -> Option<Value> {
        let fit: Vec<Value> =
            self.loaded.iter().filter(|(_, it)| it == shape).map(|(value, _)| *value).collect();
        match self.rng.below(3) {
            0 => None,
            1 if !fit.is_empty() => Some(self.rng.pick(&fit)),
            _ => {
                let value = Literal::Float(self.rng.pick(&[1.5, -0.0, f64::NEG_INFINITY]));
                let scalar = self.value(Const { value }, Type::Scalar(DType::F32));
                if self.rng.below(2) == 0 {
                    return Some(scalar);
                }
                Some(self.value(Full { value: scalar }, Self::ty(shape, DType::F32)))
            }
        }
    }

    /// A contiguous tile of `in`.
    fn load(&mut self, shape: &[i64]) {
        let ptr = self.f.params[0].value;
        let load = GatherLoad { ptr, strides: Vec::new(), offsets: None, mask: None, other: None };
        let value = self.value(load, Self::ty(shape, DType::F32));
        self.keep(value, shape);
    }

    /// Stores a tile where nothing else is stored for a while.
    fn keep(&mut self, value: Value, shape: &[i64]) {
        let slots = (OUT.1 as i64 / 2) / SLOT;
        let ptr = self.own_part(OUT.1 as i64 / 2 + self.slot % slots * SLOT);
        self.slot += 1;
        self.op(Store { ptr, value }, Vec::new());
        self.loaded.push((value, shape.to_vec()));
    }

    fn store_somewhere(&mut self) {
        let x = self.offsets();
        let fit: Vec<Value> =
            self.loaded.iter().filter(|(_, it)| *it == x.shape).map(|(value, _)| *value).collect();
        if fit.is_empty() {
            return self.load(&x.shape.clone());
        }
        let (value, ptr) = (self.rng.pick(&fit), self.own_part(0));
        let (offsets, mask) = self.safe(&x, ELEMENTS[1]);
        let offsets = Some(offsets.value);
        self.op(ScatterStore { ptr, strides: Vec::new(), offsets, value, mask }, Vec::new());
    }

    // -- control ---------------------------------------------------------------------------------

    fn statements(&mut self, count: usize) {
        for _ in 0..count {
            match self.rng.below(12) {
                0..=5 => self.arithmetic(),
                6 | 7 => self.load_somewhere(),
                8 => self.store_somewhere(),
                9 if self.depth < 2 => self.branch(),
                10 | 11 if self.depth < 2 => self.for_loop(),
                _ => self.arithmetic(),
            }
        }
    }

    fn inside(&mut self, block: BlockId, fill: impl FnOnce(&mut Self)) {
        let (outer, tiles) = (self.block, self.tiles.len());
        let (scalars, loaded) = (self.scalars.len(), self.loaded.len());
        (self.block, self.depth) = (block, self.depth + 1);
        fill(self);
        (self.block, self.depth) = (outer, self.depth - 1);
        self.tiles.truncate(tiles);
        self.scalars.truncate(scalars);
        self.loaded.truncate(loaded);
    }

    /// A tile like `like` that has been made since there were `before`, or any.
    fn like(&mut self, like: &Number) -> Number {
        let same = |it: &&Number| it.shape == like.shape && it.dtype == like.dtype;
        let fit: Vec<Number> = self.tiles.iter().filter(same).cloned().collect();
        if fit.is_empty() { like.clone() } else { self.rng.pick(&fit) }
    }

    fn branch(&mut self) {
        let (x, y) = (self.scalar(DType::I64), self.scalar(DType::I64));
        let compare = Compare { op: CompareOp::Gt, x: x.value, y: y.value };
        let condition = self.value(compare, Type::BOOL);
        let given = self.number();
        let (then, otherwise) = (self.f.add_block(), self.f.add_block());
        let mut bounds = (i128::MAX, i128::MIN);
        for side in [then, otherwise] {
            self.inside(side, |it| {
                it.statements(3);
                let moved = it.with_scalar(&given, BinaryOp::Add);
                it.tiles.push(moved);
                let chosen = it.like(&given);
                bounds = (bounds.0.min(chosen.lo), bounds.1.max(chosen.hi));
                it.op(Yield { values: vec![chosen.value] }, Vec::new());
            });
        }
        let ty = self.f.ty(given.value).clone();
        let value = self.op(If { condition, then, otherwise }, vec![ty])[0];
        self.tiles.push(Number::within(value, (&given.shape, given.dtype), bounds));
    }

    /// Carries tiles of integers that move by a scalar in each iteration, or by anything.
    fn for_loop(&mut self) {
        let inits = [self.number(), self.number()];
        let trips = 1 + self.rng.below(4) as i64;
        let dtype = self.rng.pick(&[DType::I64, DType::I32]);
        let down = self.rng.below(4) == 0;
        let (lo, hi, step) = if down { (trips, 0, -1) } else { (0, trips * 4, 4) };
        let [lo, hi, step] = [lo, hi, step].map(|value| self.constant(value, dtype));
        let body = self.f.add_block();
        let variable = self.f.add_argument(body, Type::Scalar(dtype), None);
        let types: Vec<Type> = inits.iter().map(|it| self.f.ty(it.value).clone()).collect();
        let args: Vec<Value> =
            types.iter().map(|ty| self.f.add_argument(body, ty.clone(), None)).collect();
        let carried: Vec<Number> = inits
            .iter()
            .zip(&args)
            .map(|(it, arg)| Number::within(*arg, (&it.shape, it.dtype), range(it.dtype)))
            .collect();
        self.inside(body, |it| {
            it.scalars.push(Number::within(variable, (&[], dtype), (0, 16)));
            it.tiles.extend(carried.iter().cloned());
            it.statements(4);
            let plain = it.rng.below(4) > 0;
            let next = carried.iter().map(|arg| {
                let moved = it.with_scalar(arg, BinaryOp::Add);
                if plain { moved.value } else { it.like(arg).value }
            });
            let values = next.collect();
            it.op(Yield { values }, Vec::new());
        });
        let stages = 1 + self.rng.below(3) as u32;
        let unroll = self.rng.below(5) == 0;
        let inits: Vec<Value> = inits.iter().map(|it| it.value).collect();
        let results = self.op(For { lo, hi, step, inits, body, unroll, stages }, types);
        for (result, it) in results.into_iter().zip(carried) {
            self.tiles.push(Number::within(result, (&it.shape, it.dtype), range(it.dtype)));
        }
    }
}
