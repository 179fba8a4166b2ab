//! What each op does.

use super::number::{self, Number};
use super::program::{Flow, Frame, Held, Program, scalar_dtype};
use super::structured::AXIS;
use super::tile::{Tile, count};
use super::{Reason, World};
use crate::dtype::DType;
use crate::ir::{
    Arange, Asked, Assert, Atomic, Binary, Bitcast, Broadcast, Call, Cast, Channel, Compare,
    Composite, Concat, Condition, Const, Copy, DimRule, DmaRead, DmaWrite, Dot, ExpandDims, Extent,
    Flip, For, Full, Gather, GatherLoad, Histogram, If, Inspect, Inspection, Load, NumPrograms,
    OpId, PointerCast, ProgramId, Recv, RecvAsync, Reduce, ReduceBy, Release, Reshape, Return,
    Scan, ScanBy, ScatterStore, Select, Send, Slice, Sort, Store, Stream, Ternary, Transpose, Type,
    Unary, Value, Verb, Visit, Wait, While, Yield, channel,
};
use crate::ops::BinaryOp;

/// What noting a request takes of the budget: it takes as much memory as some other ops do steps.
const STEPS_TO_ASK: usize = 8;

pub(super) type Out = Result<Flow, Reason>;

impl<'a> Program<'a> {
    /// Runs `op` of the function at hand.
    pub(super) fn step(&mut self, world: &mut World<'a>, op: OpId) -> Out {
        world.spend(1)?;
        let function = self.frame()?.function;
        function.ops[op].op.visit(&mut Step { program: self, world, op })
    }
}

/// One op that is run.
pub(super) struct Step<'s, 'a> {
    pub(super) program: &'s mut Program<'a>,
    pub(super) world: &'s mut World<'a>,
    pub(super) op: OpId,
}

impl<'a> Step<'_, 'a> {
    pub(super) fn frame(&mut self) -> Result<&mut Frame<'a>, Reason> {
        self.program.frame()
    }

    pub(super) fn result(&mut self) -> Result<Value, Reason> {
        let op = self.op;
        let results = &self.frame()?.function.ops[op].results;
        results.first().copied().ok_or(Reason::Malformed("an op has no result"))
    }

    pub(super) fn result_type(&mut self) -> Result<&'a Type, Reason> {
        let result = self.result()?;
        let function = self.frame()?.function;
        Ok(function.ty(result))
    }

    pub(super) fn dtype(&mut self, value: Value) -> Result<DType, Reason> {
        Ok(scalar_dtype(self.frame()?.function.ty(value)))
    }

    pub(super) fn gives(&mut self, held: Held) -> Out {
        let result = self.result()?;
        self.frame()?.define(&[result], vec![held]);
        Ok(Flow::Next)
    }

    pub(super) fn gives_int(&mut self, value: i128) -> Out {
        self.gives(Held::Scalar(Frame::i64_bits(value)))
    }

    pub(super) fn gives_tile(&mut self, tile: Tile) -> Out {
        self.gives(Held::Tile(tile))
    }

    /// The shape that the result has; its elements are paid for.
    pub(super) fn shape(&mut self) -> Result<Vec<usize>, Reason> {
        let result = self.result()?;
        let shape = self.frame()?.shape(result)?;
        self.world.spend(count(&shape)?)?;
        Ok(shape)
    }

    /// `compute` of the operands' elements: one element for a scalar, else one for each index of
    /// the result.
    fn elementwise<const N: usize>(
        &mut self,
        operands: [Value; N],
        compute: impl FnMut([u64; N]) -> Result<u64, Reason>,
    ) -> Out {
        let dtype = scalar_dtype(self.result_type()?);
        let is_tile = matches!(self.result_type()?, Type::Tile(_));
        let shape = if is_tile { self.shape()? } else { Vec::new() };
        let frame = self.frame()?;
        let mut tiles = Vec::with_capacity(N);
        for value in operands {
            tiles.push(frame.operand(value)?);
        }
        let tiles: [Tile; N] =
            tiles.try_into().map_err(|_| Reason::Malformed("operands are missing"))?;
        let tile = Tile::elementwise(dtype, shape, &tiles, compute)?;
        match tile.elements.as_slice() {
            [only] if !is_tile => self.gives(Held::Scalar(*only)),
            _ => self.gives_tile(tile),
        }
    }
}

impl Visit for Step<'_, '_> {
    type Out = Out;

    fn constant(&mut self, it: &Const) -> Out {
        let dtype = scalar_dtype(self.result_type()?);
        self.gives(Held::Scalar(number::of_literal(dtype, it.value)))
    }

    fn unary(&mut self, it: &Unary) -> Out {
        let dtype = self.dtype(it.x)?;
        self.elementwise([it.x], |[x]| Ok(number::unary(it.op, dtype, x)))
    }

    fn binary(&mut self, it: &Binary) -> Out {
        if let Type::Pointer(element) = self.result_type()? {
            let frame = self.frame()?;
            let (base, by) = (frame.int(it.x)?, frame.int(it.y)?);
            let by = by.wrapping_mul(i128::from(element.bytes()));
            return self.gives_int(if it.op == BinaryOp::Sub { base - by } else { base + by });
        }
        let dtype = self.dtype(it.x)?;
        self.elementwise([it.x, it.y], |[x, y]| number::binary(it.op, dtype, x, y))
    }

    fn ternary(&mut self, it: &Ternary) -> Out {
        let dtype = self.dtype(it.x)?;
        self.elementwise([it.x, it.y, it.z], |args| Ok(number::ternary(it.op, dtype, args)))
    }

    fn compare(&mut self, it: &Compare) -> Out {
        let dtype = self.dtype(it.x)?;
        self.elementwise([it.x, it.y], |[x, y]| Ok(number::compare(it.op, dtype, x, y)))
    }

    fn select(&mut self, it: &Select) -> Out {
        let pick = |[holds, x, y]: [u64; 3]| Ok(if holds & 0xff != 0 { x } else { y });
        self.elementwise([it.condition, it.x, it.y], pick)
    }

    fn cast(&mut self, it: &Cast) -> Out {
        let from = self.dtype(it.x)?;
        self.elementwise([it.x], |[x]| {
            Ok(number::convert(it.to, number::decode(from, x), it.rounding))
        })
    }

    fn pointer_cast(&mut self, it: &PointerCast) -> Out {
        let held = self.frame()?.held(it.x)?.clone();
        self.gives(held)
    }

    fn extent(&mut self, it: &Extent) -> Out {
        let frame = self.frame()?;
        let (x, y) = (frame.int(it.x)?, frame.int(it.y)?);
        let stretches = it.rule == DimRule::Broadcast;
        match (x, y) {
            (x, y) if x == y => self.gives_int(x),
            (1, y) if stretches => self.gives_int(y),
            (x, 1) if stretches => self.gives_int(x),
            _ => Err(Reason::Extents),
        }
    }

    fn program_id(&mut self, it: &ProgramId) -> Out {
        let id = self.world.launch.programs.get(self.program.index);
        let id = id.and_then(|id| id.get(it.axis as usize)).copied();
        self.gives_int(i128::from(id.ok_or(Reason::Malformed("there are three axes"))?))
    }

    fn num_programs(&mut self, it: &NumPrograms) -> Out {
        let extent = self.world.launch.num_programs.get(it.axis as usize).copied();
        self.gives_int(i128::from(extent.ok_or(Reason::Malformed("there are three axes"))?))
    }

    fn full(&mut self, it: &Full) -> Out {
        self.elementwise([it.value], |[x]| Ok(x))
    }

    fn arange(&mut self, it: &Arange) -> Out {
        let (dtype, shape) = (scalar_dtype(self.result_type()?), self.shape()?);
        let first = i128::from(it.start);
        let tile = Tile::build(dtype, shape, |place| {
            Ok(number::encode(dtype, Number::Int(first + place as i128)))
        })?;
        self.gives_tile(tile)
    }

    fn reshape(&mut self, it: &Reshape) -> Out {
        let shape = self.shape()?;
        let tile = self.frame()?.tile(it.x)?.reshape(shape)?;
        self.gives_tile(tile)
    }

    fn transpose(&mut self, it: &Transpose) -> Out {
        self.shape()?;
        let tile = self.frame()?.tile(it.x)?.transpose(&it.axes)?;
        self.gives_tile(tile)
    }

    fn expand_dims(&mut self, it: &ExpandDims) -> Out {
        let shape = self.shape()?;
        let tile = self.frame()?.tile(it.x)?.reshape(shape)?;
        self.gives_tile(tile)
    }

    fn broadcast(&mut self, it: &Broadcast) -> Out {
        let shape = self.shape()?;
        let tile = self.frame()?.tile(it.x)?.broadcast(shape)?;
        self.gives_tile(tile)
    }

    fn slice(&mut self, it: &Slice) -> Out {
        let (shape, axis) = (self.shape()?, it.axis as usize);
        let tile = self.frame()?.tile(it.x)?.picked(shape, |index| {
            let at = index.get_mut(axis).ok_or(AXIS)?;
            *at = *at * it.step as usize + it.start as usize;
            Ok(())
        })?;
        self.gives_tile(tile)
    }

    fn flip(&mut self, it: &Flip) -> Out {
        let (shape, axis) = (self.shape()?, it.axis as usize);
        let last = shape.get(axis).ok_or(AXIS)? - 1;
        let tile = self.frame()?.tile(it.x)?.picked(shape, |index| {
            let at = index.get_mut(axis).ok_or(AXIS)?;
            *at = last - *at;
            Ok(())
        })?;
        self.gives_tile(tile)
    }

    fn bitcast(&mut self, it: &Bitcast) -> Out {
        self.shape()?;
        let dtype = scalar_dtype(self.result_type()?);
        let mut tile = self.frame()?.tile(it.x)?.clone();
        tile.dtype = dtype;
        self.gives_tile(tile)
    }

    fn concat(&mut self, it: &Concat) -> Out {
        self.shape()?;
        let frame = self.frame()?;
        let tile = frame.tile(it.x)?.then(frame.tile(it.y)?, it.axis as usize)?;
        self.gives_tile(tile)
    }

    fn scan(&mut self, it: &Scan) -> Out {
        self.shape()?;
        let tile = self.frame()?.tile(it.x)?;
        let lines = |line| tile.scanned(it.op, it.reverse, line);
        let tile = tile.by_line(it.axis as usize, lines)?;
        self.gives_tile(tile)
    }

    fn sort(&mut self, it: &Sort) -> Out {
        self.run_sort(it)
    }

    fn gather(&mut self, it: &Gather) -> Out {
        self.run_gather(it)
    }

    fn inspect(&mut self, it: &Inspect) -> Out {
        let x = self.frame()?.tile(it.x)?;
        if it.how == Inspection::Assert && x.elements.contains(&0) {
            return Err(Reason::Assertion(it.text.clone()));
        }
        let elements = x.elements.len();
        self.world.spend(elements)?;
        self.gives_tile(Tile { dtype: DType::I1, shape: Vec::new(), elements: vec![1] })
    }

    fn histogram(&mut self, it: &Histogram) -> Out {
        self.run_histogram(it)
    }

    fn reduce_by(&mut self, it: &ReduceBy) -> Out {
        self.run_reduce_by(it)
    }

    fn scan_by(&mut self, it: &ScanBy) -> Out {
        self.run_scan_by(it)
    }

    fn copy(&mut self, it: &Copy) -> Out {
        self.shape()?;
        let tile = self.frame()?.tile(it.x)?.clone();
        self.gives_tile(tile)
    }

    fn reduce(&mut self, it: &Reduce) -> Out {
        let to = scalar_dtype(self.result_type()?);
        let tile = self.frame()?.tile(it.x)?.clone();
        self.world.spend(tile.elements.len())?;
        self.gives_tile(tile.reduce(it, to)?)
    }

    fn dot(&mut self, it: &Dot) -> Out {
        let to = scalar_dtype(self.result_type()?);
        let frame = self.frame()?;
        let (a, b) = (frame.tile(it.a)?.clone(), frame.tile(it.b)?.clone());
        let acc = it.acc.map(|acc| frame.tile(acc).cloned()).transpose()?;
        let columns = b.shape.last().copied().unwrap_or(1);
        self.world.spend(a.elements.len().saturating_mul(columns))?;
        self.gives_tile(a.dot(&b, acc.as_ref(), to)?)
    }

    fn load(&mut self, it: &Load) -> Out {
        let dtype = scalar_dtype(self.result_type()?);
        self.read(it.ptr, Self::contiguous(dtype))
    }

    fn store(&mut self, it: &Store) -> Out {
        let dtype = self.dtype(it.value)?;
        self.write(it.ptr, it.value, Self::contiguous(dtype))
    }

    fn gather_load(&mut self, it: &GatherLoad) -> Out {
        self.run_gather_load(it)
    }

    fn scatter_store(&mut self, it: &ScatterStore) -> Out {
        self.run_scatter_store(it)
    }

    fn atomic(&mut self, it: &Atomic) -> Out {
        self.run_atomic(it)
    }

    fn dma_read(&mut self, it: &DmaRead) -> Out {
        let bounds = self.bounds(&it.window, &it.desc)?;
        let fill = match it.fill {
            Some(fill) => self.frame()?.operand(fill)?.elements.first().copied().unwrap_or(0),
            None => 0,
        };
        self.read_some(it.base, fill, |place| bounds.offset(&it.desc, place))
    }

    fn dma_write(&mut self, it: &DmaWrite) -> Out {
        let bounds = self.bounds(&it.window, &it.desc)?;
        self.write_some(it.base, it.value, |place| bounds.offset(&it.desc, place))
    }

    fn composite(&mut self, it: &Composite) -> Out {
        self.run_composite(it)
    }

    fn channel(&mut self, it: &Channel) -> Out {
        let op = self.op;
        self.world.spend(STEPS_TO_ASK)?;
        let frame = self.frame()?;
        let group = |group: &Vec<Value>| {
            group.iter().map(|value| frame.address(*value)).collect::<Result<Vec<i64>, Reason>>()
        };
        let numbers = it.numbers.iter().map(group).collect::<Result<Vec<_>, Reason>>()?;
        let (verb, words) = (it.verb, it.words.clone());
        let asked = &mut self.world.asked;
        asked.resize(asked.len().max(self.program.index + 1), Vec::new());
        asked[self.program.index].push(Asked { op, verb, words, numbers });
        if !verb.gives() {
            return Ok(Flow::Next);
        }
        let made = self.program.made.entry(verb).or_insert(0);
        *made += 1;
        let first = if verb == Verb::Buffer { channel::FIRST_SCRATCH } else { 0 };
        let number = first + *made - 1;
        self.gives_int(i128::from(number))
    }

    fn send(&mut self, it: &Send) -> Out {
        self.run_send(it)
    }

    fn recv(&mut self, it: &Recv) -> Out {
        self.run_recv(it)
    }

    fn stream(&mut self, it: &Stream) -> Out {
        self.run_stream(it)
    }

    fn recv_async(&mut self, it: &RecvAsync) -> Out {
        self.run_recv_async(it)
    }

    fn wait(&mut self, it: &Wait) -> Out {
        self.run_wait(it)
    }

    /// Slots are not what a kernel means, only what it runs in.
    fn release(&mut self, _it: &Release) -> Out {
        Ok(Flow::Next)
    }

    fn assert(&mut self, it: &Assert) -> Out {
        match self.frame()?.int(it.condition)? {
            0 => Err(Reason::Assertion(it.message.clone())),
            _ => Ok(Flow::Next),
        }
    }

    fn call(&mut self, it: &Call) -> Out {
        self.program.call(self.world, it).map(|()| Flow::Next)
    }

    fn for_loop(&mut self, it: &For) -> Out {
        let op = self.op;
        self.frame()?.begin_for(op, it).map(|()| Flow::Next)
    }

    fn while_loop(&mut self, it: &While) -> Out {
        let op = self.op;
        self.frame()?.begin_while(op, it).map(|()| Flow::Next)
    }

    fn branch(&mut self, it: &If) -> Out {
        let op = self.op;
        self.frame()?.begin_if(op, it).map(|()| Flow::Next)
    }

    fn yields(&mut self, it: &Yield) -> Out {
        self.frame()?.yields(it).map(|()| Flow::Next)
    }

    fn condition(&mut self, it: &Condition) -> Out {
        self.frame()?.condition(it).map(|()| Flow::Next)
    }

    fn returns(&mut self, it: &Return) -> Out {
        self.program.returns(&it.values).map(|()| Flow::Next)
    }
}
