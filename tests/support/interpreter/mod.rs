//! A tiny reference interpreter of the IR.
//!
//! It computes with *terms*: an element of a tile is a 64-bit hash of how it was computed, so two
//! runs agree only if they compute the same things in the same way, whatever the numbers. Scalars
//! are numbers. What a run does is its list of [`Event`]s.
//!
//! A function is run by value, which is what the IR means; or, after allocation, by storage: every
//! tile lies in simulated scratch memory or in a slot, loops move descriptors, slots are given
//! back, and reading bytes that something else has overwritten gives a term that fits nothing.

#![expect(clippy::wildcard_enum_match_arm, reason = "what the interpreter does not know panics")]

mod storage;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use kbc::arena::SideTable;
use kbc::ir::eval;
use kbc::ir::{
    BlockId, Composite, Dim, End, Function, Head, Literal, Module, Nest, Op, OpId, TileType, Type,
    Value,
};
use kbc::passes::liveness::Liveness;
use kbc::passes::origins::Origins;

use self::storage::{Memory, Place};
use self::terms::{broadcast_flat, flat, product};
pub use self::terms::{hash, indices, reduced, scalar_term, word};

/// Something that a program does to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Send {
        dir: String,
        tile: Vec<u64>,
    },
    /// Claims the next message.
    Recv {
        dir: String,
    },
    Load {
        address: i64,
        elements: usize,
    },
    Store {
        address: i64,
        tile: Vec<u64>,
    },
    /// An assertion failed, or an integer was divided by zero.
    Stop,
}

/// What a run did, and what went wrong with its storage.
#[derive(Debug, Default)]
pub struct Run {
    pub events: Vec<Event>,
    /// Slots released twice, never, or read after their release; bytes read that were overwritten.
    pub faults: Vec<String>,
}

/// The longest run, in ops.
const MAX_STEPS: usize = 20_000;

/// Runs `function` by value, as program `id` of a grid; parameters are looked up in `params`.
pub fn run_by_value(
    module: Option<&Module>,
    function: &Function,
    params: &BTreeMap<String, Literal>,
    grid: ([i64; 3], [i64; 3]),
) -> Run {
    let mut machine = Machine::new(module, grid, None);
    let args = function.params.iter().map(|param| Held::Scalar(params[&param.name])).collect();
    let _ = machine.call(function, args);
    machine.run
}

/// Runs an allocated function by storage, as program `id` of a grid.
pub fn run_by_storage(function: &Function, grid: ([i64; 3], [i64; 3])) -> Run {
    let origins = Origins::of(function);
    let memory = Memory {
        liveness: Liveness::of(function, &origins),
        bytes: BTreeMap::new(),
        slots: Vec::new(),
        turns: BTreeMap::new(),
    };
    let mut machine = Machine::new(None, grid, Some(memory));
    let ended = machine.call(function, Vec::new()).is_ok();
    let slots = machine.memory.map(|memory| memory.slots).unwrap_or_default();
    for (index, slot) in slots.iter().enumerate() {
        if ended && slot.releases != 1 {
            machine.run.faults.push(format!("slot {index} is released {} times", slot.releases));
        }
    }
    machine.run
}

/// What a program does to the world, in order, and what it loads. Once loads have `moved` out of
/// loops they are fewer and earlier, but what is loaded stays.
pub fn world(events: &[Event], moved: bool) -> (Vec<&Event>, BTreeSet<(i64, usize)>) {
    let load = |event: &Event| match event {
        Event::Load { address, elements } => Some((*address, *elements)),
        _ => None,
    };
    let loaded = events.iter().filter_map(load).collect();
    (events.iter().filter(|event| !moved || load(event).is_none()).collect(), loaded)
}

/// What a value is at run time.
#[derive(Clone, Debug)]
enum Held {
    Scalar(Literal),
    /// The elements, row by row.
    Tile(Vec<u64>),
    /// Where the elements of the tile, or of the tile that it views, begin.
    Place(Place),
}

/// The run is over.
struct Stopped;

struct Machine<'m> {
    module: Option<&'m Module>,
    id: [i64; 3],
    extents: [i64; 3],
    memory: Option<Memory>,
    /// Memory of the world: what was stored where.
    world: BTreeMap<i64, (u64, u64)>,
    received: BTreeMap<String, u64>,
    steps: usize,
    run: Run,
}

struct Frame<'f> {
    f: &'f Function,
    values: SideTable<Value, Option<Held>>,
}

impl<'f> Frame<'f> {
    fn held(&self, value: Value) -> &Held {
        self.values[value].as_ref().expect("verified IR defines values before it uses them")
    }

    fn literal(&self, value: Value) -> Literal {
        match self.held(value) {
            Held::Scalar(literal) => *literal,
            other => panic!("{other:?} is no scalar"),
        }
    }

    fn int(&self, value: Value) -> i64 {
        self.literal(value).as_int().expect("an integer")
    }

    fn shape(&self, tile: &TileType) -> Vec<usize> {
        let extent = |dim: &Dim| match dim {
            Dim::Const(extent) => *extent as usize,
            Dim::Value(value) => self.int(*value) as usize,
        };
        tile.dims.iter().map(extent).collect()
    }

    fn shape_of(&self, value: Value) -> Vec<usize> {
        self.shape(self.f.ty(value).tile().expect("a tile"))
    }
}

impl<'m> Machine<'m> {
    fn new(module: Option<&'m Module>, grid: ([i64; 3], [i64; 3]), memory: Option<Memory>) -> Self {
        Machine {
            module,
            id: grid.0,
            extents: grid.1,
            memory,
            world: BTreeMap::new(),
            received: BTreeMap::new(),
            steps: 0,
            run: Run::default(),
        }
    }

    fn call(&mut self, f: &Function, args: Vec<Held>) -> Result<Vec<Held>, Stopped> {
        let mut frame = Frame { f, values: SideTable::new() };
        for (param, arg) in f.params.iter().zip(args) {
            frame.values.set(param.value, Some(arg));
        }
        self.block(&mut frame, f.entry)?;
        Ok(self.handed_on(&frame, f.entry))
    }

    fn handed_on(&self, frame: &Frame<'_>, block: BlockId) -> Vec<Held> {
        let values = frame.f.handed_on(block);
        values.iter().map(|value| frame.held(*value).clone()).collect()
    }

    fn block(&mut self, frame: &mut Frame<'_>, block: BlockId) -> Result<(), Stopped> {
        for op in &frame.f.blocks[block].ops {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(Stopped);
            }
            self.op(frame, *op)?;
        }
        Ok(())
    }

    fn set_all(&self, frame: &mut Frame<'_>, values: &[Value], held: Vec<Held>) {
        for (value, held) in values.iter().zip(held) {
            frame.values.set(*value, Some(held));
        }
    }

    fn op(&mut self, frame: &mut Frame<'_>, op: OpId) -> Result<(), Stopped> {
        let f = frame.f;
        let results = f.ops[op].results.clone();
        match f.ops[op].op.nest() {
            Nest::If(it) => {
                let side = if frame.int(it.condition) != 0 { it.then } else { it.otherwise };
                self.block(frame, side)?;
                let given = self.handed_on(frame, side);
                self.set_all(frame, &results, given);
            }
            Nest::For(it) => {
                let args = f.blocks[it.body].args.clone();
                let mut carried: Vec<Held> =
                    it.inits.iter().map(|value| frame.held(*value).clone()).collect();
                let (mut at, hi) = (frame.int(it.lo), frame.int(it.hi));
                let step = frame.int(it.step);
                while if step > 0 { at < hi } else { at > hi } {
                    frame.values.set(args[0], Some(Held::Scalar(Literal::Int(at))));
                    self.set_all(frame, &args[1..], carried);
                    self.block(frame, it.body)?;
                    carried = self.handed_on(frame, it.body);
                    at += step;
                }
                self.set_all(frame, &results, carried);
            }
            Nest::While(it) => {
                let mut carried: Vec<Held> =
                    it.inits.iter().map(|value| frame.held(*value).clone()).collect();
                loop {
                    self.set_all(frame, &f.blocks[it.test].args.clone(), carried);
                    self.block(frame, it.test)?;
                    let handed = self.handed_on(frame, it.test);
                    let end = f.terminator(it.test).expect("a verified block ends");
                    let Op::Condition(test) = &f.ops[end].op else { panic!("a test ends in it") };
                    if frame.int(test.condition) == 0 {
                        self.set_all(frame, &results, handed);
                        break;
                    }
                    self.set_all(frame, &f.blocks[it.body].args.clone(), handed);
                    self.block(frame, it.body)?;
                    carried = self.handed_on(frame, it.body);
                }
            }
            Nest::Plain => self.plain(frame, op)?,
        }
        Ok(())
    }

    fn plain(&mut self, frame: &mut Frame<'_>, op: OpId) -> Result<(), Stopped> {
        let f = frame.f;
        let data = &f.ops[op];
        if data.op.is_terminator() {
            return Ok(());
        }
        if self.effect(frame, op)? {
            return Ok(());
        }
        let result = f.result(op);
        let held = match f.ty(result) {
            Type::Scalar(_) | Type::Pointer(_) | Type::Completion => {
                Held::Scalar(self.scalar(frame, op)?)
            }
            Type::Tile(_) | Type::Future(_) if data.op.is_view() => self.view(frame, op),
            Type::Tile(_) | Type::Future(_) => {
                let tile = self.compute(frame, op);
                self.define(frame, op, tile)
            }
        };
        frame.values.set(result, Some(held));
        Ok(())
    }

    /// A scalar result.
    fn scalar(&mut self, frame: &Frame<'_>, op: OpId) -> Result<Literal, Stopped> {
        let f = frame.f;
        let ty = f.ty(f.result(op));
        let dtype = ty.dtype();
        let of = |value: Value| frame.literal(value);
        let literal = match &f.ops[op].op {
            Op::Const(it) if matches!(ty, Type::Scalar(_)) => eval::wrap(dtype, it.value),
            Op::Const(it) => it.value,
            Op::Unary(it) => eval::unary(it.op, dtype, of(it.x)),
            Op::Binary(it) if matches!(ty, Type::Pointer(_)) => {
                let bytes = frame.int(it.y).wrapping_mul(dtype.bytes() as i64);
                let back = it.op == kbc::ops::BinaryOp::Sub;
                let base = frame.int(it.x);
                let at = if back { base.wrapping_sub(bytes) } else { base.wrapping_add(bytes) };
                Literal::Int(at)
            }
            Op::Binary(it) => match eval::binary(it.op, dtype, of(it.x), of(it.y)) {
                Some(value) => value,
                None => {
                    self.run.events.push(Event::Stop);
                    return Err(Stopped);
                }
            },
            Op::Ternary(it) => eval::ternary(it.op, dtype, [of(it.x), of(it.y), of(it.z)]),
            Op::Compare(it) => eval::compare(it.op, f.ty(it.x).dtype(), of(it.x), of(it.y)),
            Op::Select(it) if frame.int(it.condition) != 0 => of(it.x),
            Op::Select(it) => of(it.y),
            Op::Cast(it) => eval::convert(it.to, of(it.x), it.rounding),
            Op::Extent(it) if frame.int(it.x) == 1 => of(it.y),
            Op::Extent(it) => of(it.x),
            Op::ProgramId(it) => Literal::Int(self.id[it.axis as usize]),
            Op::NumPrograms(it) => Literal::Int(self.extents[it.axis as usize]),
            other => panic!("{other:?} gives no scalar"),
        };
        Ok(literal)
    }

    /// Runs an op with an effect; says whether it was one.
    fn effect(&mut self, frame: &mut Frame<'_>, op: OpId) -> Result<bool, Stopped> {
        let f = frame.f;
        let results = f.ops[op].results.clone();
        match &f.ops[op].op {
            Op::Load(it) => self.load(frame, op, it.ptr),
            Op::DmaRead(it) => self.load(frame, op, it.base),
            Op::Store(it) => self.store(frame, it.ptr, it.value),
            Op::DmaWrite(it) => self.store(frame, it.base, it.value),
            Op::Send(it) => {
                let tile = self.read_in_order(frame, it.src);
                self.run.events.push(Event::Send { dir: it.dir.clone(), tile });
            }
            Op::Recv(it) => {
                let tile = self.message(frame, results[0], &it.dir);
                let held = match it.dst {
                    Some(dst) if self.memory.is_some() => self.overwrite(frame, dst, &tile),
                    Some(_) | None => self.slot(tile),
                };
                frame.values.set(results[0], Some(held));
            }
            Op::RecvAsync(it) => {
                let tile = self.message(frame, results[0], &it.dir);
                let held = self.slot(tile);
                frame.values.set(results[0], Some(held));
            }
            Op::Composite(it) => {
                self.composite(frame, it);
                frame.values.set(results[0], Some(Held::Scalar(Literal::Int(0))));
            }
            // A composite has ended where it began.
            Op::Wait(_) if results.is_empty() => {}
            Op::Wait(it) => {
                let held = frame.held(it.future).clone();
                frame.values.set(results[0], Some(held));
            }
            Op::Release(it) => self.release(frame, op, it.tile),
            Op::Assert(it) => {
                if frame.int(it.condition) == 0 {
                    self.run.events.push(Event::Stop);
                    return Err(Stopped);
                }
            }
            Op::Call(it) => {
                let args = it.args.iter().map(|arg| frame.held(*arg).clone()).collect();
                let callee = &self.module.expect("calls have a module").functions[it.callee];
                let given = self.call(callee, args)?;
                self.set_all(frame, &results, given);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn load(&mut self, frame: &mut Frame<'_>, op: OpId, ptr: Value) {
        let result = frame.f.result(op);
        let elements = frame.shape_of(result).iter().product();
        let address = frame.int(ptr);
        let tile = self.fetch(address, elements, frame.f.ty(result).dtype().bytes());
        let held = self.define(frame, op, tile);
        frame.values.set(result, Some(held));
    }

    /// The elements at an address.
    fn fetch(&mut self, address: i64, elements: usize, size: u64) -> Vec<u64> {
        self.run.events.push(Event::Load { address, elements });
        let element = |index: usize| {
            let at = address.wrapping_add(index as i64 * size as i64);
            match self.world.get(&at) {
                Some((term, bytes)) if *bytes == size => *term,
                Some((term, _)) => hash(&[3, *term, size]),
                None => hash(&[4, at as u64, size]),
            }
        };
        (0..elements).map(element).collect()
    }

    /// A composite: the blocks it streams are loaded, what it computes is stored.
    fn composite(&mut self, frame: &Frame<'_>, it: &Composite) {
        let extent = |dim: Dim| match dim {
            Dim::Const(extent) => extent as usize,
            Dim::Value(value) => frame.int(value) as usize,
        };
        let [m, n, k] = it.sizes.map(extent);
        let shapes = if it.head == Head::Gemm { [[m, k], [k, n]] } else { [[m, n], [m, n]] };
        let a = self.end(frame, &it.a, shapes[0]);
        let b = it.b.as_ref().map(|b| self.end(frame, b, shapes[1]));
        let shape = [m, n];
        let mut tile = match (it.head, b) {
            (Head::Gemm, Some(b)) => product(&a, &b, None, &shape),
            (_, b) => (0..m * n)
                .map(|at| hash(&[12, a.0[at], b.as_ref().map_or(0, |b| b.0[at])]))
                .collect(),
        };
        for step in &it.epilogue {
            let operand = step.operand.map(|value| self.operand(frame, value));
            let term = |index: &Vec<usize>| {
                let own = operand.as_ref().map_or(0, |(of, own)| of[broadcast_flat(index, own)]);
                hash(&[
                    13,
                    word(step.op.name()),
                    word(step.scope.name()),
                    tile[flat(index, &shape)],
                    own,
                ])
            };
            tile = indices(&shape).iter().map(term).collect();
        }
        self.put(frame.int(it.out.value), it.out.dtype.bytes(), tile);
    }

    /// The elements of an operand of a composite.
    fn end(&mut self, frame: &Frame<'_>, end: &End, shape: [usize; 2]) -> (Vec<u64>, Vec<usize>) {
        if frame.f.is_tile(end.value) {
            return self.operand(frame, end.value);
        }
        (
            self.fetch(frame.int(end.value), shape.iter().product(), end.dtype.bytes()),
            shape.to_vec(),
        )
    }

    fn store(&mut self, frame: &Frame<'_>, ptr: Value, value: Value) {
        let (address, tile) = (frame.int(ptr), self.read_in_order(frame, value));
        self.put(address, frame.f.ty(value).dtype().bytes(), tile);
    }

    fn put(&mut self, address: i64, size: u64, tile: Vec<u64>) {
        for (index, term) in tile.iter().enumerate() {
            let at = address.wrapping_add(index as i64 * size as i64);
            self.world.insert(at, (*term, size));
        }
        self.run.events.push(Event::Store { address, tile });
    }

    fn message(&mut self, frame: &Frame<'_>, result: Value, dir: &str) -> Vec<u64> {
        let elements: usize = frame.shape_of(result).iter().product();
        let count = self.received.entry(String::from(dir)).or_insert(0);
        *count += 1;
        self.run.events.push(Event::Recv { dir: String::from(dir) });
        (0..elements).map(|index| hash(&[5, word(dir), *count, index as u64])).collect()
    }

    /// A view, by value.
    fn view(&mut self, frame: &Frame<'_>, op: OpId) -> Held {
        let f = frame.f;
        let result = f.result(op);
        let x = f.viewed(result).expect("a view views");
        if self.memory.is_some() {
            return frame.held(x).clone();
        }
        let (from, to) = (frame.shape_of(x), frame.shape_of(result));
        let tile = self.read(frame, x);
        let element = |index: &Vec<usize>| match &f.ops[op].op {
            Op::Transpose(it) => {
                let mut own = vec![0; from.len()];
                it.axes.iter().zip(index).for_each(|(axis, at)| own[*axis as usize] = *at);
                tile[flat(&own, &from)]
            }
            Op::Broadcast(_) => tile[broadcast_flat(index, &from)],
            _ => tile[flat(index, &to)],
        };
        Held::Tile(indices(&to).iter().map(element).collect())
    }

    /// The elements of a computed tile.
    fn compute(&mut self, frame: &Frame<'_>, op: OpId) -> Vec<u64> {
        let f = frame.f;
        let result = f.result(op);
        let shape = frame.shape_of(result);
        let dtype = word(f.ty(result).dtype().name());
        let mut each = |name: &str, operands: &[Value]| -> Vec<u64> {
            let operands: Vec<(Vec<u64>, Vec<usize>)> =
                operands.iter().map(|value| self.operand(frame, *value)).collect();
            let element = |index: &Vec<usize>| {
                let mut parts = vec![6, word(name), dtype];
                parts.extend(operands.iter().map(|(tile, own)| tile[broadcast_flat(index, own)]));
                hash(&parts)
            };
            indices(&shape).iter().map(element).collect()
        };
        match &f.ops[op].op {
            Op::Unary(it) => each(it.op.name(), &[it.x]),
            Op::Binary(it) => each(it.op.name(), &[it.x, it.y]),
            Op::Ternary(it) => each(it.op.name(), &[it.x, it.y, it.z]),
            Op::Compare(it) => each(it.op.name(), &[it.x, it.y]),
            Op::Select(it) => each("select", &[it.condition, it.x, it.y]),
            Op::Cast(it) => each("cast", &[it.x]),
            Op::Full(it) => each("full", &[it.value]),
            Op::Arange(it) => {
                (0..shape[0]).map(|at| hash(&[7, it.start as u64, at as u64])).collect()
            }
            Op::Copy(it) => self.read(frame, it.x),
            Op::Reduce(it) => {
                let (tile, from) = self.operand(frame, it.x);
                reduced(it.op.name(), (&tile, &from), it.axis, &shape)
            }
            Op::Dot(it) => {
                let acc = it.acc.map(|acc| self.operand(frame, acc).0);
                let (a, b) = (self.operand(frame, it.a), self.operand(frame, it.b));
                product(&a, &b, acc.as_deref(), &shape)
            }
            other => panic!("{other:?} computes no tile"),
        }
    }

    /// The elements and the shape of an operand; a scalar is one element.
    fn operand(&mut self, frame: &Frame<'_>, value: Value) -> (Vec<u64>, Vec<usize>) {
        match frame.held(value) {
            Held::Scalar(literal) => (vec![scalar_term(*literal)], Vec::new()),
            Held::Tile(_) | Held::Place(_) => (self.read(frame, value), frame.shape_of(value)),
        }
    }
}
