//! Puts transfers in the place of gathers and scatters, and their scalars before them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::super::carried::Parents;
use super::access::{Access, Bounds, Condition, Quotient};
use super::analysis::{Analysis, Form};
use super::form::Linear;
use super::split::Split;
use super::symbol::{Kind, Symbol, Symbols};
use crate::dtype::{DType, Rounding};
use crate::ir::{
    Binary, BlockId, Cast, Clip, Compare, Const, Def, Dim, DmaRead, DmaWrite, Full, Function,
    GatherLoad, Literal, Nest, Op, OpId, ScatterStore, Select, TileType, Type, Value, Window, Wrap,
};
use crate::ops::{BinaryOp, CompareOp};
use crate::source::Span;

/// What there is to be done, found before anything is changed.
#[derive(Debug, Default)]
struct Work {
    symbols: Symbols,
    accesses: BTreeMap<OpId, Access>,
    /// Gathers and scatters that stay, of which a part is affine.
    splits: BTreeMap<OpId, Split>,
    /// The tiles that share a base of their own, by the loop or branch and which of the values it
    /// is that it carries or gives.
    joins: BTreeMap<(OpId, usize), Vec<Symbol>>,
    /// The scalars that loops begin with and blocks hand on besides.
    handed: FxHashMap<OpId, Vec<Linear>>,
    /// The scalar that a symbol is.
    values: FxHashMap<Symbol, Value>,
}

/// Rewrites what can be.
pub(super) fn rewrite(function: &mut Function, programs: [u32; 3]) {
    let mut work = find(function, programs);
    if work.accesses.is_empty() && work.splits.is_empty() {
        return;
    }
    work.add_joins(function);
    for block in function.reachable_blocks() {
        Emitter { function, work: &work, ops: Vec::new(), span: Span::NONE }.block(block);
    }
}

fn find(function: &Function, programs: [u32; 3]) -> Work {
    let mut analysis = Analysis::of(function, programs);
    let mut work = Work::default();
    for op in function.reachable_ops() {
        if let Some(access) = access(&mut analysis, op) {
            work.accesses.insert(op, access);
        } else if let Some(split) = split(&mut analysis, op) {
            work.splits.insert(op, split);
        }
    }
    work.find_joins(&analysis);
    work.symbols = analysis.symbols;
    work
}

fn access(analysis: &mut Analysis<'_>, op: OpId) -> Option<Access> {
    let function = analysis.function;
    if let Op::GatherLoad(it) = &function.ops[op].op {
        let tile = function.ty(function.result(op)).tile()?;
        Access::of(analysis, &it.into(), (&tile.shape()?.0, tile.dtype))
    } else if let Op::ScatterStore(it) = &function.ops[op].op {
        let tile = function.ty(it.value).tile()?;
        let access = Access::of(analysis, &it.into(), (&tile.shape()?.0, tile.dtype))?;
        access.keeps_order().then_some(access)
    } else if let Op::Atomic(it) = &function.ops[op].op {
        it.offsets?;
        let tile = function.ty(it.value).tile()?;
        Access::strided(analysis, &it.into(), (&tile.shape()?.0, tile.dtype))
    } else {
        None
    }
}

fn split(analysis: &mut Analysis<'_>, op: OpId) -> Option<Split> {
    let function = analysis.function;
    if let Op::GatherLoad(it) = &function.ops[op].op {
        let tile = function.ty(function.result(op)).tile()?;
        Split::of(analysis, &it.into(), &tile.shape()?.0)
    } else if let Op::ScatterStore(it) = &function.ops[op].op {
        let tile = function.ty(it.value).tile()?;
        Split::of(analysis, &it.into(), &tile.shape()?.0)
    } else {
        None
    }
}

impl Work {
    /// Finds every base that the accesses need, and those that these bases need.
    fn find_joins(&mut self, analysis: &Analysis<'_>) {
        let mut open: Vec<Symbol> = Vec::new();
        for access in self.accesses.values() {
            access.for_each_linear(&mut |it| open.extend(symbols_of(it)));
        }
        self.splits.values().for_each(|split| open.extend(symbols_of(&split.base)));
        let parents = Parents::of(analysis.function);
        while let Some(symbol) = open.pop() {
            let Kind::Joined(tile) = analysis.symbols.kind(symbol) else { continue };
            let Some((op, index)) = join_of(analysis.function, &parents, tile) else { continue };
            let is_new = !self.joins.contains_key(&(op, index));
            let symbols = self.joins.entry((op, index)).or_default();
            if !symbols.contains(&symbol) {
                symbols.push(symbol);
            }
            if is_new {
                for (_, base) in sources(analysis, op, index) {
                    open.extend(symbols_of(&base));
                }
            }
        }
        for (op, index) in self.joins.keys() {
            for (to, base) in sources(analysis, *op, *index) {
                self.handed.entry(to).or_default().push(base);
            }
        }
    }

    /// Makes the scalars that loops carry and branches give.
    fn add_joins(&mut self, function: &mut Function) {
        for ((op, _), symbols) in &self.joins {
            let body = match function.ops[*op].op.nest() {
                Nest::For(it) => Some(it.body),
                Nest::While(_) | Nest::If(_) | Nest::Plain => None,
            };
            let arg = body.map(|body| function.add_argument(body, Type::I64, None));
            let result = function.add_result(*op, Type::I64);
            for symbol in symbols {
                let Kind::Joined(tile) = self.symbols.kind(*symbol) else { continue };
                let is_arg = matches!(function.values[tile].def, Def::Argument(..));
                self.values.insert(*symbol, if is_arg { arg.unwrap_or(result) } else { result });
            }
        }
    }
}

fn symbols_of(linear: &Linear) -> impl Iterator<Item = Symbol> + '_ {
    linear.terms.iter().map(|(symbol, _)| *symbol)
}

/// The loop or branch that gives or carries `tile`, and which of its values it is.
fn join_of(function: &Function, parents: &Parents, tile: Value) -> Option<(OpId, usize)> {
    match function.values[tile].def {
        Def::Result(op, index) => Some((op, index as usize)),
        Def::Argument(block, index) => {
            Some((parents.owner(block)?, (index as usize).checked_sub(1)?))
        }
    }
}

/// Who hands on the value `index` of a loop or branch, and the base that it has there.
fn sources(analysis: &Analysis<'_>, op: OpId, index: usize) -> Vec<(OpId, Linear)> {
    let function = analysis.function;
    let base = |tile: Option<&Value>| match &analysis.forms[*tile?] {
        Some(Form::Numbers(form)) => Some(form.base.clone()),
        Some(Form::Mask(_)) | None => None,
    };
    let handed = |block: BlockId| {
        let base = base(function.handed_on(block).get(index))?;
        Some((function.terminator(block)?, base))
    };
    let found = match function.ops[op].op.nest() {
        Nest::For(it) => vec![base(it.inits.get(index)).map(|base| (op, base)), handed(it.body)],
        Nest::If(it) => vec![handed(it.then), handed(it.otherwise)],
        Nest::While(_) | Nest::Plain => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// Writes the ops of one block anew.
struct Emitter<'a> {
    function: &'a mut Function,
    work: &'a Work,
    ops: Vec<OpId>,
    span: Span,
}

impl Emitter<'_> {
    fn block(mut self, block: BlockId) {
        let ops = std::mem::take(&mut self.function.blocks[block].ops);
        for op in ops {
            self.span = self.function.spans[op];
            let work = self.work;
            if let Some(bases) = work.handed.get(&op) {
                let bases: Vec<Value> = bases.iter().map(|base| self.linear(base)).collect();
                let it = &mut self.function.ops[op].op;
                if let Op::For(it) = it {
                    it.inits.extend(bases);
                } else if let Op::Yield(it) = it {
                    it.values.extend(bases);
                }
            }
            if let Some(access) = work.accesses.get(&op) {
                self.transfer(op, access);
            } else if let Some(split) = work.splits.get(&op) {
                self.split(op, split);
            }
            self.ops.push(op);
        }
        self.function.blocks[block].ops = self.ops;
    }

    /// Makes the index of `op` what its strides do not say.
    fn split(&mut self, op: OpId, split: &Split) {
        let index = self.index(split);
        let strides = split.strides.clone();
        if let Op::GatherLoad(it) = &mut self.function.ops[op].op {
            (it.strides, it.offsets) = (strides, index);
        } else if let Op::ScatterStore(it) = &mut self.function.ops[op].op {
            (it.strides, it.offsets) = (strides, index);
        }
    }

    fn index(&mut self, split: &Split) -> Option<Value> {
        if split.base.as_constant() == Some(0) {
            return split.index;
        }
        let base = self.linear(&split.base);
        Some(match split.index {
            Some(x) => {
                let ty = self.function.ty(x).clone();
                self.emit(Binary { op: BinaryOp::Add, x, y: base }, ty)
            }
            None => {
                let dims = vec![Dim::Const(1); split.strides.len()];
                let ty = Type::Tile(TileType::new(dims, DType::I64));
                self.emit(Full { value: base }, ty)
            }
        })
    }

    /// Makes a transfer of the access `op`.
    fn transfer(&mut self, op: OpId, access: &Access) {
        let base = self.linear(&access.base);
        if let Op::Atomic(it) = &mut self.function.ops[op].op {
            let size = access.desc.elem_bytes as i64;
            it.strides = access.desc.dims.iter().map(|dim| dim.stride / size).collect();
            (it.ptr, it.offsets) = (base, None);
            return;
        }
        let window = self.window(access);
        if let Op::GatherLoad(it) = self.function.ops[op].op.clone() {
            self.read(op, &it, DmaRead { base, desc: access.desc.clone(), window, fill: None });
        } else if let Op::ScatterStore(ScatterStore { value, .. }) = self.function.ops[op].op {
            let desc = access.desc.clone();
            self.function.ops[op].op = DmaWrite { base, desc, window, value }.into();
        }
    }

    /// A read is filled with `other` if that is one scalar; else `other` is picked afterwards.
    fn read(&mut self, op: OpId, it: &GatherLoad, read: DmaRead) {
        let clipped = !read.window.clips.is_empty();
        let other = it.other.filter(|_| clipped);
        let fill = other.and_then(|other| scalar_of(self.function, other));
        let (Some(condition), Some(y), None) = (it.mask, other, fill) else {
            self.function.ops[op].op = DmaRead { fill, ..read }.into();
            return;
        };
        let ty = self.function.ty(self.function.result(op)).clone();
        let x = self.emit(read, ty);
        self.function.ops[op].op = Select { condition, x, y }.into();
    }

    fn window(&mut self, access: &Access) -> Window {
        let mut window = Window::default();
        for it in &access.clips {
            window.clips.push(self.clip(it));
        }
        for condition in &access.conditions {
            self.only_if(condition, access, &mut window);
        }
        for (axis, wrap) in &access.wraps {
            let start = self.linear(&wrap.start);
            window.wraps.push(Wrap { axis: *axis, start, period: wrap.period.unsigned_abs() });
        }
        window
    }

    fn clip(&mut self, bounds: &Bounds) -> Clip {
        let lo = self.combined(&bounds.lo, BinaryOp::Maximum);
        let hi = self.combined(&bounds.hi, BinaryOp::Minimum);
        Clip { axis: bounds.axis, lo, hi }
    }

    fn combined(&mut self, bounds: &[Quotient], op: BinaryOp) -> Option<Value> {
        let mut all = None;
        for bound in bounds {
            let next = self.quotient(bound);
            all = Some(all.map_or(next, |x| self.emit(Binary { op, x, y: next }, Type::I64)));
        }
        all
    }

    fn quotient(&mut self, it: &Quotient) -> Value {
        if let Some(numerator) = it.numerator.as_constant() {
            return self.int(numerator.div_euclid(it.divisor));
        }
        let x = self.linear(&it.numerator);
        if it.divisor == 1 {
            return x;
        }
        let y = self.int(it.divisor);
        self.emit(Binary { op: BinaryOp::FloorDiv, x, y }, Type::I64)
    }

    /// Makes the first axis end at once unless the condition holds.
    fn only_if(&mut self, condition: &Condition, access: &Access, window: &mut Window) {
        if window.clips.first().is_none_or(|clip| clip.axis != 0) {
            window.clips.insert(0, Clip { axis: 0, lo: None, hi: None });
        }
        let zero = self.int(0);
        let (condition, expected) = match condition {
            Condition::Never => {
                window.clips[0].hi = Some(zero);
                return;
            }
            Condition::Flag(value, expected) => (*value, *expected),
            Condition::Below(linear) => {
                let x = self.linear(linear);
                (self.emit(Compare { op: CompareOp::Lt, x, y: zero }, Type::BOOL), true)
            }
        };
        let hi = window.clips[0].hi;
        let hi = hi.unwrap_or_else(|| self.int(access.desc.dims[0].extent as i64));
        let (x, y) = if expected { (hi, zero) } else { (zero, hi) };
        window.clips[0].hi = Some(self.emit(Select { condition, x, y }, Type::I64));
    }

    fn emit(&mut self, op: impl Into<Op>, ty: Type) -> Value {
        let op = self.function.make_op(op, vec![ty], self.span);
        self.ops.push(op);
        self.function.result(op)
    }

    fn int(&mut self, value: i64) -> Value {
        self.emit(Const { value: Literal::Int(value) }, Type::I64)
    }

    /// The value of a sum: what is added, the constant, and then what is taken off.
    fn linear(&mut self, linear: &Linear) -> Value {
        let is_taken_off = |times: i64| times < 0 && times != i64::MIN;
        let mut sum = None;
        for (symbol, times) in linear.terms.iter().filter(|(_, times)| !is_taken_off(*times)) {
            let term = self.product(*symbol, *times);
            sum = Some(self.sum(sum, term));
        }
        let mut sum = match sum {
            Some(sum) if linear.constant == 0 => sum,
            _ => {
                let constant = self.int(linear.constant);
                self.sum(sum, constant)
            }
        };
        for (symbol, times) in linear.terms.iter().filter(|(_, times)| is_taken_off(*times)) {
            let y = self.product(*symbol, -times);
            sum = self.emit(Binary { op: BinaryOp::Sub, x: sum, y }, Type::I64);
        }
        sum
    }

    fn product(&mut self, symbol: Symbol, times: i64) -> Value {
        let x = self.scalar(symbol);
        if times == 1 {
            return x;
        }
        let y = self.int(times);
        self.emit(Binary { op: BinaryOp::Mul, x, y }, Type::I64)
    }

    fn sum(&mut self, x: Option<Value>, y: Value) -> Value {
        x.map_or(y, |x| self.emit(Binary { op: BinaryOp::Add, x, y }, Type::I64))
    }

    /// The `i64` that a symbol is.
    fn scalar(&mut self, symbol: Symbol) -> Value {
        let work = self.work;
        let value = match (work.symbols.kind(symbol), work.values.get(&symbol)) {
            (_, Some(value)) => *value,
            (Kind::Scalar(value) | Kind::Joined(value), None) => value,
        };
        if *self.function.ty(value) == Type::I64 {
            return value;
        }
        let rounding = Rounding::NearestEven;
        self.emit(Cast { x: value, to: DType::I64, rounding }, Type::I64)
    }
}

/// The scalar that a value is, or that all elements of a tile are.
fn scalar_of(function: &Function, value: Value) -> Option<Value> {
    let mut at = value;
    loop {
        if matches!(function.ty(at), Type::Scalar(_)) {
            return Some(at);
        }
        let op = &function.ops[function.defining_op(at)?].op;
        at = if let Op::Full(it) = op {
            it.value
        } else if let Op::Broadcast(it) = op {
            it.x
        } else if let Op::ExpandDims(it) = op {
            it.x
        } else if let Op::Reshape(it) = op {
            it.x
        } else {
            return None;
        };
    }
}
