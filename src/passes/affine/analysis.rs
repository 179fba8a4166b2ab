//! Finds the form of each tile of integers and of each mask.
//!
//! One walk in the order of the text looks at each op once. What a loop carries is taken for a
//! scalar base plus the strides that it begins with; where an iteration does not keep the strides,
//! the walk is made anew without that belief. How far the base moves in an iteration says, with
//! the number of iterations, how large it can become: that is learnt in one walk and used in the
//! next. Each walk but the last finds something new of a loop, of which there is a bounded number.

use rustc_hash::{FxHashMap, FxHashSet};

use super::form::{Affine, Axis, Linear};
use super::mask::Mask;
use super::symbol::{Kind, Symbols};
use crate::arena::SideTable;
use crate::dtype::DType;
use crate::ir::{BlockId, For, Function, If, Literal, Nest, Op, OpId, Type, Value};
use crate::ops::BinaryOp;
use crate::passes::intervals::Interval;

/// After so many walks nothing is believed of loops any more.
const MOST_WALKS: usize = 24;

/// What a tile is.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Integers.
    Numbers(Affine),
    /// Truth values.
    Mask(Mask),
}

/// What is known of the values of a function.
#[derive(Debug)]
pub(super) struct Analysis<'a> {
    pub(super) function: &'a Function,
    programs: [u32; 3],
    pub(super) symbols: Symbols,
    /// What integer scalars can be.
    intervals: SideTable<Value, Option<Interval>>,
    /// Scalars that are what a loop carries plus something, and what that something can be.
    advances: SideTable<Value, Option<(Value, Interval)>>,
    pub(super) forms: SideTable<Value, Option<Form>>,
    /// How far what a loop carries moves in an iteration.
    steps: FxHashMap<Value, Interval>,
    /// Tiles that loops carry which do not keep their strides.
    rejected: FxHashSet<Value>,
    believes: bool,
}

impl<'a> Analysis<'a> {
    pub(super) fn of(function: &'a Function, programs: [u32; 3]) -> Analysis<'a> {
        let mut it = Analysis {
            function,
            programs,
            symbols: Symbols::default(),
            intervals: SideTable::new(),
            advances: SideTable::new(),
            forms: SideTable::new(),
            steps: FxHashMap::default(),
            rejected: FxHashSet::default(),
            believes: true,
        };
        for _ in 0..MOST_WALKS {
            let (steps, rejected) = (it.steps.len(), it.rejected.len());
            it.walk();
            if it.rejected.len() > rejected {
                // What was learnt may rest on what was wrong.
                it.steps.clear();
            } else if it.steps.len() == steps {
                return it;
            }
        }
        it.believes = false;
        it.steps.clear();
        it.walk();
        it
    }

    fn walk(&mut self) {
        self.intervals = SideTable::new();
        self.advances = SideTable::new();
        self.forms = SideTable::new();
        self.block(self.function.entry);
    }

    fn block(&mut self, block: BlockId) {
        let function = self.function;
        for op in &function.blocks[block].ops {
            match function.ops[*op].op.nest() {
                Nest::For(it) => self.for_loop(*op, it),
                Nest::If(it) => self.branch(*op, it),
                Nest::While(it) => {
                    self.block(it.test);
                    self.block(it.body);
                }
                Nest::Plain => self.plain(*op),
            }
        }
    }

    fn plain(&mut self, op: OpId) {
        let function = self.function;
        let Some(result) = function.ops[op].results.first().copied() else { return };
        match function.ty(result) {
            Type::Scalar(dtype) if dtype.is_int() => self.scalar(op, result, *dtype),
            Type::Tile(tile) if tile.dtype.is_int() => {
                let form = tile.shape().and_then(|shape| self.form(op, (&shape.0, tile.dtype)));
                self.forms.set(result, form);
            }
            Type::Scalar(_)
            | Type::Tile(_)
            | Type::Pointer(_)
            | Type::Future(_)
            | Type::Completion => {}
        }
    }

    /// What a scalar integer can be.
    pub(super) fn interval(&self, value: Value) -> Interval {
        if let Some(Literal::Int(value)) = self.function.literal(value) {
            return Interval::point(value.into());
        }
        self.intervals[value].unwrap_or(anything(self.function.ty(value).dtype()))
    }

    fn scalar(&mut self, op: OpId, result: Value, dtype: DType) {
        let found = self.scalar_interval(&self.function.ops[op].op);
        // What the type does not hold wraps round.
        let found = found.filter(|found| found.is_in(Interval::of(dtype)));
        self.intervals.set(result, found);
        let advance = self.advance(&self.function.ops[op].op);
        self.advances.set(result, advance);
    }

    fn scalar_interval(&self, op: &Op) -> Option<Interval> {
        if let Op::Binary(it) = op {
            Interval::binary(it.op, self.interval(it.x), self.interval(it.y))
        } else if let Op::Cast(it) = op {
            self.function.ty(it.x).dtype().is_int().then(|| self.interval(it.x))
        } else if let Op::Select(it) = op {
            Some(self.interval(it.x).union(self.interval(it.y)))
        } else if let Op::ProgramId(it) = op {
            let programs = self.programs.get(it.axis as usize).copied().unwrap_or(u32::MAX);
            Some(Interval::new(0, i128::from(programs.max(1)) - 1))
        } else {
            None
        }
    }

    /// What a loop carries, where `op` adds to it, and what is added so far.
    fn advance(&self, op: &Op) -> Option<(Value, Interval)> {
        let Op::Binary(it) = op else { return None };
        let (x, y) = (self.advances[it.x], self.advances[it.y]);
        if it.op == BinaryOp::Sub {
            return x.map(|(arg, by)| (arg, by.add(self.interval(it.y).scale(-1))));
        } else if it.op != BinaryOp::Add {
            return None;
        }
        match (x, y) {
            (Some((arg, by)), _) => Some((arg, by.add(self.interval(it.y)))),
            (None, Some((arg, by))) => Some((arg, by.add(self.interval(it.x)))),
            (None, None) => None,
        }
    }

    /// The form of an integer scalar.
    pub(super) fn linear(&mut self, value: Value) -> Linear {
        if let Some(Literal::Int(value)) = self.function.literal(value) {
            return Linear::constant(value);
        }
        let interval = self.interval(value);
        Linear::symbol(self.symbols.of(Kind::Scalar(value), interval))
    }

    /// Whether integers of `dtype` hold what the form says, so that it says what they are. They
    /// are always that modulo the numbers that the type has.
    pub(super) fn is_exact(&self, form: &Affine, dtype: DType) -> bool {
        form.interval(&self.symbols).is_in(Interval::of(dtype))
    }

    fn for_loop(&mut self, op: OpId, it: &For) {
        let function = self.function;
        let args = &function.blocks[it.body].args;
        let Some((variable, carried)) = args.split_first() else { return };
        let (range, trips) = self.course(it);
        self.intervals.set(*variable, range);
        for (arg, init) in carried.iter().zip(&it.inits) {
            self.enter(*arg, *init, trips);
        }
        self.block(it.body);
        let next = function.handed_on(it.body);
        for (arg, next) in carried.iter().zip(next) {
            self.learn(*arg, *next);
        }
        let results = &function.ops[op].results;
        for ((arg, init), result) in carried.iter().zip(&it.inits).zip(results) {
            self.leave((*arg, *init), *result, trips);
        }
    }

    /// What the variable of a loop can be, and how often the loop runs at most.
    fn course(&self, it: &For) -> (Option<Interval>, Option<i128>) {
        let (lo, hi) = (self.interval(it.lo), self.interval(it.hi));
        let step = self.interval(it.step);
        if step.lo > 0 {
            let trips = (hi.hi - lo.lo + step.lo - 1).div_euclid(step.lo).max(0);
            (Some(Interval::new(lo.lo, (hi.hi - 1).max(lo.lo))), Some(trips))
        } else if step.hi < 0 {
            let trips = (lo.hi - hi.lo - step.hi - 1).div_euclid(-step.hi).max(0);
            (Some(Interval::new((hi.lo + 1).min(lo.hi), lo.hi)), Some(trips))
        } else {
            (None, None)
        }
    }

    /// What is carried, after at most `turns` iterations that begin with `from`.
    fn moved(&self, arg: Value, from: Interval, turns: Option<i128>) -> Option<Interval> {
        Some(from.add(self.steps.get(&arg)?.times(turns?)))
    }

    /// What a loop carries, as an iteration finds it.
    fn enter(&mut self, arg: Value, init: Value, trips: Option<i128>) {
        let function = self.function;
        if let Type::Scalar(dtype) = function.ty(arg) {
            let dtype = *dtype;
            let from = self.interval(init);
            let all = self.moved(arg, from, trips).filter(|it| it.is_in(Interval::of(dtype)));
            let before = trips.map(|trips| (trips - 1).max(0));
            let found = all.and_then(|_| self.moved(arg, from, before));
            self.intervals.set(arg, found);
            self.advances.set(arg, Some((arg, Interval::point(0))));
        } else if let Some(Form::Numbers(form)) = &self.forms[init]
            && self.believes
            && !self.rejected.contains(&arg)
        {
            let (axes, from) = (form.axes.clone(), form.base.interval(&self.symbols));
            let before = trips.map(|trips| (trips - 1).max(0));
            let interval = self.moved(arg, from, before);
            self.join(arg, axes, interval);
        }
    }

    /// A tile with a base of its own.
    fn join(&mut self, tile: Value, axes: Vec<Axis>, interval: Option<Interval>) {
        let interval = interval.filter(|it| it.is_in(Interval::I64)).unwrap_or(Interval::I64);
        let base = Linear::symbol(self.symbols.of(Kind::Joined(tile), interval));
        self.forms.set(tile, Some(Form::Numbers(Affine { base, axes })));
    }

    /// What the end of an iteration says of what a loop carries.
    fn learn(&mut self, arg: Value, next: Value) {
        if let Type::Scalar(_) = self.function.ty(arg) {
            if let Some((from, by)) = self.advances[next]
                && from == arg
            {
                self.steps.entry(arg).or_insert(by);
            }
            return;
        }
        let (Some(Form::Numbers(before)), after) = (&self.forms[arg], &self.forms[next]) else {
            return;
        };
        let after = match after {
            Some(Form::Numbers(after)) if after.axes == before.axes => after,
            Some(_) | None => {
                self.rejected.insert(arg);
                return;
            }
        };
        let difference = before.base.scale(-1).and_then(|it| it.add(&after.base));
        let symbol = before.base.terms.first().map(|(symbol, _)| *symbol);
        if let (Some(difference), Some(symbol)) = (difference, symbol)
            && difference.times(symbol) == 0
        {
            let by = difference.interval(&self.symbols);
            self.steps.entry(arg).or_insert(by);
        }
    }

    /// What a loop gives.
    fn leave(&mut self, (arg, init): (Value, Value), result: Value, trips: Option<i128>) {
        if let Type::Scalar(dtype) = self.function.ty(result) {
            let found = self.moved(arg, self.interval(init), trips);
            self.intervals.set(result, found.filter(|it| it.is_in(Interval::of(*dtype))));
            if let Some((outer, by)) = self.advances[init]
                && let Some(all) = self.moved(arg, by, trips)
            {
                self.advances.set(result, Some((outer, all)));
            }
        } else if let (Some(Form::Numbers(first)), Some(Form::Numbers(form))) =
            (&self.forms[init], &self.forms[arg])
        {
            let from = first.base.interval(&self.symbols);
            let (axes, interval) = (form.axes.clone(), self.moved(arg, from, trips));
            self.join(result, axes, interval);
        }
    }

    fn branch(&mut self, op: OpId, it: &If) {
        let function = self.function;
        self.block(it.then);
        self.block(it.otherwise);
        let sides = function.handed_on(it.then).iter().zip(function.handed_on(it.otherwise));
        for ((then, otherwise), result) in sides.zip(&function.ops[op].results) {
            if let Type::Scalar(dtype) = function.ty(*result)
                && dtype.is_int()
            {
                let found = self.interval(*then).union(self.interval(*otherwise));
                self.intervals.set(*result, Some(found));
            } else if let (Some(Form::Numbers(x)), Some(Form::Numbers(y))) =
                (&self.forms[*then], &self.forms[*otherwise])
                && x.axes == y.axes
            {
                let (x, y, axes) = (&x.base, &y.base, x.axes.clone());
                let all = x.interval(&self.symbols).union(y.interval(&self.symbols));
                self.join(*result, axes, Some(all));
            }
        }
    }
}

/// What an integer scalar of `dtype` can be; the upper half of `u64` as negative numbers.
fn anything(dtype: DType) -> Interval {
    if dtype.bits() >= 64 { Interval::I64 } else { Interval::of(dtype) }
}
