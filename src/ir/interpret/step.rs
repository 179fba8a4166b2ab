//! What each op does.

use super::number::{self, Number};
use super::program::{Flow, Frame, Held, Program, scalar_dtype};
use super::structured::{only, only_op};
use super::tile::{Tile, count, element_of, index_of};
use super::{Reason, World};
use crate::dtype::DType;
use crate::ir::{
    Arange, Asked, Assert, Atomic, Binary, Bitcast, Broadcast, Call, Cast, Channel, Compare,
    Composite, Concat, Condition, Const, Copy, DimRule, DmaDesc, DmaRead, DmaWrite, Dot,
    ExpandDims, Extent, Flip, For, Full, Gather, GatherLoad, Histogram, If, Inspect, Inspection,
    Load, NumPrograms, OpId, PointerCast, ProgramId, Recv, RecvAsync, Reduce, ReduceBy, Release,
    Reshape, Return, Scan, ScanBy, ScatterStore, Select, Send, Slice, Sort, SortKind, Store,
    Stream, Ternary, Transpose, Type, Unary, Value, Verb, Visit, Wait, While, Window, Yield,
    channel,
};
use crate::ops::{AtomicOp, BinaryOp, ReduceOp};

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
    program: &'s mut Program<'a>,
    pub(super) world: &'s mut World<'a>,
    op: OpId,
}

impl<'a> Step<'_, 'a> {
    pub(super) fn frame(&mut self) -> Result<&mut Frame<'a>, Reason> {
        self.program.frame()
    }

    fn result(&mut self) -> Result<Value, Reason> {
        let op = self.op;
        let results = &self.frame()?.function.ops[op].results;
        results.first().copied().ok_or(Reason::Malformed("an op has no result"))
    }

    fn result_type(&mut self) -> Result<&'a Type, Reason> {
        let result = self.result()?;
        let function = self.frame()?.function;
        Ok(function.ty(result))
    }

    fn dtype(&mut self, value: Value) -> Result<DType, Reason> {
        Ok(scalar_dtype(self.frame()?.function.ty(value)))
    }

    pub(super) fn gives(&mut self, held: Held) -> Out {
        let result = self.result()?;
        self.frame()?.define(&[result], vec![held]);
        Ok(Flow::Next)
    }

    fn gives_int(&mut self, value: i128) -> Out {
        self.gives(Held::Scalar(Frame::i64_bits(value)))
    }

    fn gives_tile(&mut self, tile: Tile) -> Out {
        self.gives(Held::Tile(tile))
    }

    /// The shape that the result has; its elements are paid for.
    fn shape(&mut self) -> Result<Vec<usize>, Reason> {
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

    fn read(&mut self, base: Value, offsets: impl Fn(usize) -> i64) -> Out {
        self.read_some(base, 0, |place| Some(offsets(place)))
    }

    /// Reads the elements that have an offset; the others are `fill`.
    fn read_some(&mut self, base: Value, fill: u64, offsets: impl Fn(usize) -> Option<i64>) -> Out {
        let dtype = scalar_dtype(self.result_type()?);
        let (shape, base) = (self.shape()?, self.frame()?.address(base)?);
        let size = dtype.bytes() as usize;
        let memory = &*self.world.memory;
        let tile = Tile::build(dtype, shape, |place| {
            let Some(offset) = offsets(place) else { return Ok(fill) };
            let address = base.wrapping_add(offset);
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            memory.get(address, size).map(element_of).ok_or(outside)
        })?;
        self.gives_tile(tile)
    }

    fn write(&mut self, base: Value, value: Value, offsets: impl Fn(usize) -> i64) -> Out {
        self.write_some(base, value, |place| Some(offsets(place)))
    }

    /// Writes the elements that have an offset.
    fn write_some(
        &mut self,
        base: Value,
        value: Value,
        offsets: impl Fn(usize) -> Option<i64>,
    ) -> Out {
        let frame = self.frame()?;
        let (base, tile) = (frame.address(base)?, frame.tile(value)?.clone());
        let size = tile.dtype.bytes() as usize;
        self.world.spend(tile.elements.len())?;
        for (place, element) in tile.to_bytes().chunks(size).enumerate() {
            let Some(offset) = offsets(place) else { continue };
            let address = base.wrapping_add(offset);
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            self.world.memory.get_mut(address, size).ok_or(outside)?.copy_from_slice(element);
        }
        Ok(Flow::Next)
    }

    /// The window of a transfer, as the program has it now.
    fn bounds(&mut self, window: &Window, desc: &DmaDesc) -> Result<Bounds, Reason> {
        let frame = self.frame()?;
        let int = |value: Option<Value>, otherwise: i64| match value {
            Some(value) => Ok(frame.bits(value)? as i64),
            None => Ok(otherwise),
        };
        let mut bounds = Bounds::default();
        for clip in &window.clips {
            let extent = desc.dims.get(clip.axis as usize).map_or(0, |dim| dim.extent as i64);
            let range = (int(clip.lo, 0)?, int(clip.hi, extent)?);
            bounds.clips.push((clip.axis as usize, range));
        }
        for wrap in &window.wraps {
            let start = int(Some(wrap.start), 0)?;
            bounds.wraps.push((wrap.axis as usize, start, wrap.period as i64));
        }
        Ok(bounds)
    }

    /// The address of each lane of a gather or scatter; `None` where the mask leaves it out.
    fn lanes(
        &mut self,
        (dtype, shape): (DType, &[usize]),
        (ptr, strides): (Value, &[i64]),
        [offsets, mask]: [Option<Value>; 2],
    ) -> Result<Vec<Option<i64>>, Reason> {
        let frame = self.frame()?;
        let base = frame.address(ptr)?;
        let operand = |value: Option<Value>| match value {
            Some(value) => frame.operand(value)?.broadcast(shape.to_vec()).map(Some),
            None => Ok(None),
        };
        let (offsets, mask) = (operand(offsets)?, operand(mask)?);
        let size = dtype.bytes() as i64;
        let lane = |place: usize| {
            let own = offsets.as_ref().map_or(0, |tile| int(tile, place));
            let steps = strides.iter().zip(index_of(place, shape));
            let count =
                steps.fold(own, |sum, (step, at)| sum.wrapping_add(step.wrapping_mul(at as i64)));
            let live = mask.as_ref().is_none_or(|tile| int(tile, place) != 0);
            live.then(|| base.wrapping_add(count.wrapping_mul(size)))
        };
        Ok((0..count(shape)?).map(lane).collect())
    }

    /// How far the element at each place lies from the first, in a contiguous block.
    fn contiguous(dtype: DType) -> impl Fn(usize) -> i64 {
        move |place| (place as i64).wrapping_mul(dtype.bytes() as i64)
    }

    /// The place, among the messages from a direction, of the next that this program claims.
    fn next_message(&mut self, dir: &str) -> usize {
        self.program.claimed.get(dir).copied().unwrap_or(0)
    }

    fn claim(&mut self, dir: &str) {
        *self.program.claimed.entry(String::from(dir)).or_insert(0) += 1;
    }

    /// The `index`-th message from a direction in the shape of the result, if it has been sent.
    fn message(&mut self, dir: &str, index: usize) -> Result<Option<Tile>, Reason> {
        let (dtype, shape) = (scalar_dtype(self.result_type()?), self.shape()?);
        let key = (self.program.index, String::from(dir));
        let Some(tile) = self.world.messages.get(&key).and_then(|sent| sent.get(index)) else {
            return Ok(None);
        };
        if tile.dtype != dtype || tile.elements.len() != count(&shape)? {
            return Err(Reason::WrongMessage(String::from(dir)));
        }
        tile.reshape(shape).map(Some)
    }
}

/// The integer at a place of a tile.
fn int(tile: &Tile, place: usize) -> i64 {
    let bits = tile.elements.get(place).copied().unwrap_or(0);
    match number::decode(tile.dtype, bits) {
        Number::Int(value) => value as i64,
        Number::Float(value) => value as i64,
    }
}

/// A window whose bounds are known.
#[derive(Default)]
struct Bounds {
    /// By axis: the indices that are moved.
    clips: Vec<(usize, (i64, i64))>,
    /// By axis: where index 0 lies, and how many steps there are.
    wraps: Vec<(usize, i64, i64)>,
}

impl Bounds {
    /// How far the element at a place lies from the base of `desc`; `None` where it is not moved.
    fn offset(&self, desc: &DmaDesc, place: usize) -> Option<i64> {
        let extents: Vec<usize> = desc.dims.iter().map(|dim| dim.extent as usize).collect();
        let mut index: Vec<i64> =
            index_of(place, &extents).into_iter().map(|at| at as i64).collect();
        let outside = |(axis, (lo, hi)): &(usize, (i64, i64))| {
            index.get(*axis).is_some_and(|at| at < lo || at >= hi)
        };
        if self.clips.iter().any(outside) {
            return None;
        }
        for (axis, start, period) in &self.wraps {
            let at = index.get_mut(*axis)?;
            *at = start.wrapping_add(*at).checked_rem_euclid(*period)?;
        }
        let steps = index.iter().zip(&desc.dims);
        Some(
            steps
                .fold(0, |offset: i64, (at, dim)| offset.wrapping_add(at.wrapping_mul(dim.stride))),
        )
    }
}

/// What an op along an axis that is not there is.
const AXIS: Reason = Reason::Malformed("an axis is not there");

/// A line in order, by putting each element before those that must come after it.
fn inserted(line: &[u64], is_after: impl Fn(u64, u64) -> bool) -> Vec<u64> {
    let mut sorted: Vec<u64> = Vec::with_capacity(line.len());
    for element in line {
        let place = sorted.iter().position(|other| is_after(*other, *element));
        sorted.insert(place.unwrap_or(sorted.len()), *element);
    }
    sorted
}

/// The last merge of a bitonic sorter.
fn merged(mut line: Vec<u64>, is_after: impl Fn(u64, u64) -> bool) -> Vec<u64> {
    let mut distance = line.len() / 2;
    while distance > 0 {
        for at in 0..line.len() {
            let (low, high) = (at, at ^ distance);
            if low < high && high < line.len() && is_after(line[low], line[high]) {
                line.swap(low, high);
            }
        }
        distance /= 2;
    }
    line
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
        let shape = self.shape()?;
        let axis = shape.len().checked_sub(1).ok_or(AXIS)?;
        // A line is compared with itself.
        self.world.spend(count(&shape)?.saturating_mul(shape[axis]))?;
        let tile = self.frame()?.tile(it.x)?;
        let is_after = |x: u64, y: u64| tile.is_after(x, y, it.descending);
        let sorted = tile.by_line(axis, |line| {
            Ok(match it.kind {
                SortKind::Full => inserted(&line, is_after),
                SortKind::Merge => merged(line, is_after),
            })
        })?;
        self.gives_tile(sorted)
    }

    fn gather(&mut self, it: &Gather) -> Out {
        let (shape, axis) = (self.shape()?, it.axis as usize);
        let frame = self.frame()?;
        let (x, places) = (frame.tile(it.x)?, frame.tile(it.index)?);
        let extent = *x.shape.get(axis).ok_or(AXIS)?;
        let tile = x.picked(shape, |index| {
            let place = number::as_int(places.dtype, places.at(index)?);
            let there = usize::try_from(place).ok().filter(|place| *place < extent);
            *index.get_mut(axis).ok_or(AXIS)? = there.ok_or(Reason::NoSuchElement(place))?;
            Ok(())
        })?;
        self.gives_tile(tile)
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
        let bins = self.shape()?.first().copied().ok_or(AXIS)?;
        let frame = self.frame()?;
        let mask = it.mask.map(|mask| frame.tile(mask)).transpose()?;
        let x = frame.tile(it.x)?;
        let (elements, tile) = (x.elements.len(), x.counted(bins, mask)?);
        self.world.spend(elements.saturating_mul(bins))?;
        self.gives_tile(tile)
    }

    fn reduce_by(&mut self, it: &ReduceBy) -> Out {
        let op = only_op(self.frame()?.function, it.combine);
        let known = ReduceOp::ALL.iter().find(|it| !it.gives_index() && Some(it.combine()) == op);
        if let ([x], Some(op)) = (it.xs.as_slice(), known) {
            let axis = Some(it.axis);
            return self.reduce(&Reduce { op: *op, x: *x, axis, keep_dims: false });
        }
        let shape = self.shape()?;
        let lines = self.program.reduce_by(self.world, (&it.xs, it.axis as usize), it.combine)?;
        let results = self.frame()?.function.ops[self.op].results.clone();
        for (place, result) in results.iter().enumerate() {
            let dtype = self.dtype(*result)?;
            let tile = Tile::build(dtype, shape.clone(), |line| {
                lines.get(line).and_then(|line| line.get(place)).map_or(Err(AXIS), only)
            })?;
            self.frame()?.define(&[*result], vec![Held::Tile(tile)]);
        }
        Ok(Flow::Next)
    }

    fn scan_by(&mut self, it: &ScanBy) -> Out {
        if let ([x], Some(op)) = (it.xs.as_slice(), only_op(self.frame()?.function, it.combine)) {
            return self.scan(&Scan { op, x: *x, axis: it.axis, reverse: it.reverse });
        }
        self.shape()?;
        let along = (it.xs.as_slice(), it.axis as usize, it.reverse);
        let (like, lines) = self.program.scan_by(self.world, along, it.combine)?;
        let results = self.frame()?.function.ops[self.op].results.clone();
        for (place, result) in results.iter().enumerate() {
            let mut next = lines.iter();
            let mut tile = like.by_line(it.axis as usize, |_| {
                let line = next.next().ok_or(AXIS)?;
                line.iter().map(|step| step.get(place).map_or(Err(AXIS), only)).collect()
            })?;
            tile.dtype = self.dtype(*result)?;
            self.frame()?.define(&[*result], vec![Held::Tile(tile)]);
        }
        Ok(Flow::Next)
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
        let dtype = scalar_dtype(self.result_type()?);
        let shape = self.shape()?;
        let lanes = self.lanes((dtype, &shape), (it.ptr, &it.strides), [it.offsets, it.mask])?;
        let other = match it.other {
            Some(other) => self.frame()?.operand(other)?.broadcast(shape.clone())?,
            None => Tile::scalar(dtype, 0).broadcast(shape.clone())?,
        };
        let size = dtype.bytes() as usize;
        let memory = &*self.world.memory;
        let tile = Tile::build(dtype, shape, |place| match lanes.get(place) {
            Some(Some(address)) => {
                let outside = Reason::OutOfBounds { address: *address, bytes: size as u64 };
                memory.get(*address, size).map(element_of).ok_or(outside)
            }
            Some(None) | None => Ok(other.elements.get(place).copied().unwrap_or(0)),
        })?;
        self.gives_tile(tile)
    }

    fn scatter_store(&mut self, it: &ScatterStore) -> Out {
        let tile = self.frame()?.tile(it.value)?.clone();
        self.world.spend(tile.elements.len())?;
        let target = (tile.dtype, tile.shape.as_slice());
        let lanes = self.lanes(target, (it.ptr, &it.strides), [it.offsets, it.mask])?;
        let size = tile.dtype.bytes() as usize;
        for (element, address) in tile.to_bytes().chunks(size).zip(lanes) {
            let Some(address) = address else { continue };
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            self.world.memory.get_mut(address, size).ok_or(outside)?.copy_from_slice(element);
        }
        Ok(Flow::Next)
    }

    fn atomic(&mut self, it: &Atomic) -> Out {
        let frame = self.frame()?;
        let value = frame.tile(it.value)?.clone();
        let expected = it.expected.map(|tile| frame.tile(tile).cloned()).transpose()?;
        self.world.spend(value.elements.len())?;
        let target = (value.dtype, value.shape.as_slice());
        let lanes = self.lanes(target, (it.ptr, &it.strides), [it.offsets, it.mask])?;
        let size = value.dtype.bytes() as usize;
        let mut found = vec![0; value.elements.len()];
        for (place, address) in lanes.into_iter().enumerate() {
            let Some(address) = address else { continue };
            let outside = Reason::OutOfBounds { address, bytes: size as u64 };
            let element = self.world.memory.get_mut(address, size).ok_or(outside)?;
            let old = element_of(element);
            let expected = expected.as_ref().map(|tile| tile.elements[place]);
            let new = modified((it.op, value.dtype), old, value.elements[place], expected)?;
            element.copy_from_slice(&new.to_le_bytes()[..size]);
            found[place] = old;
        }
        if self.frame()?.function.ops[self.op].results.is_empty() {
            return Ok(Flow::Next);
        }
        self.gives_tile(Tile { elements: found, ..value })
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
        let tile = self.frame()?.tile(it.src)?.clone();
        self.world.spend(tile.elements.len())?;
        let to = (self.world.launch.peers)(self.program.index, &it.dir);
        let to = to.ok_or_else(|| Reason::NoPeer(it.dir.clone()))?;
        self.world.messages.entry(to).or_default().push(tile);
        Ok(Flow::Next)
    }

    fn recv(&mut self, it: &Recv) -> Out {
        let index = self.next_message(&it.dir);
        let Some(tile) = self.message(&it.dir, index)? else {
            return Ok(Flow::Waits(it.dir.clone()));
        };
        self.claim(&it.dir);
        self.gives_tile(tile)
    }

    fn stream(&mut self, it: &Stream) -> Out {
        let index = self.next_message(&it.from);
        let Some(mut tile) = self.message(&it.from, index)? else {
            return Ok(Flow::Waits(it.from.clone()));
        };
        self.claim(&it.from);
        if let (Some(op), Some(acc)) = (it.reduce, it.acc) {
            let (dtype, shape) = (self.dtype(acc)?, self.shape()?);
            let acc = self.frame()?.tile(acc)?.clone();
            let combine = |[x, y]: [u64; 2]| number::binary(op, dtype, x, y);
            tile = Tile::elementwise(dtype, shape, &[tile, acc], combine)?;
        }
        for dir in &it.to {
            self.world.spend(tile.elements.len())?;
            let to = (self.world.launch.peers)(self.program.index, dir);
            let to = to.ok_or_else(|| Reason::NoPeer(dir.clone()))?;
            self.world.messages.entry(to).or_default().push(tile.clone());
        }
        self.gives_tile(tile)
    }

    fn recv_async(&mut self, it: &RecvAsync) -> Out {
        let index = self.next_message(&it.dir);
        self.claim(&it.dir);
        self.gives(Held::Future(it.dir.clone(), index))
    }

    fn wait(&mut self, it: &Wait) -> Out {
        // A composite has ended where it began.
        if *self.frame()?.function.ty(it.future) == Type::Completion {
            return Ok(Flow::Next);
        }
        let Held::Future(dir, index) = self.frame()?.held(it.future)?.clone() else {
            return Err(Reason::Malformed("a future is expected"));
        };
        match self.message(&dir, index)? {
            Some(tile) => self.gives_tile(tile),
            None => Ok(Flow::Waits(dir)),
        }
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

/// The bits that an atomic op leaves of an element that had the bits `old`.
fn modified(
    (op, dtype): (AtomicOp, DType),
    old: u64,
    value: u64,
    expected: Option<u64>,
) -> Result<u64, Reason> {
    match (op.combine(), expected) {
        (Some(combine), _) => number::binary(combine, dtype, old, value),
        (None, Some(expected)) if old != expected => Ok(old),
        (None, _) => Ok(value),
    }
}
