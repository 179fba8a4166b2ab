//! What each op of the IR becomes: a scalar instruction, a command, or only another way to read a
//! tile.

use super::emit::Emitter;
use crate::command::{
    Arg, ArgSpec, FactorSpec, GemmSpec, LaneArgs, LaneSpec, MathOp, MathSpec, Message, Operand,
    Reg, ScalarExpr, Template, WindowArgs,
};
use crate::diag::Reported;
use crate::dtype::DType;
use crate::ir;
use crate::ir::eval;
use crate::ir::{Reading, Uses, Value};
use crate::ops::CostClass;
use crate::shape::Shape;

type Out = Result<(), Reported>;

/// A vector computation before its operands are known.
struct Vector {
    op: MathOp,
    cost: CostClass,
    /// The shape that is walked.
    shape: Shape,
}

impl Emitter<'_> {
    /// Whether the current op's result is a tile.
    fn gives_tile(&mut self) -> Result<bool, Reported> {
        let result = self.result()?;
        Ok(self.is_tile(result))
    }

    /// An elementwise op whose result is a tile.
    fn elementwise(&mut self, op: MathOp, cost: CostClass, args: &[Value]) -> Out {
        let result = self.result()?;
        let shape = self.shape(result)?;
        self.vector(Vector { op, cost, shape }, args)
    }

    /// Issues a vector command that makes the current op's result.
    fn vector(&mut self, vector: Vector, args: &[Value]) -> Out {
        let mut operands = [None; 3];
        let mut specs = Vec::with_capacity(args.len());
        for (index, (operand, value)) in operands.iter_mut().zip(args).enumerate() {
            let shape = vector.op.arg_shape(index, &vector.shape);
            let (arg, Reading { offset, strides }) = self.vector_arg(*value, &shape)?;
            *operand = Some(arg);
            let Ok(offset) = u64::try_from(offset) else {
                return Err(self.bug("a view begins before its tile"));
            };
            specs.push(ArgSpec { dtype: self.data(*value).ty.dtype(), offset, strides });
        }
        let result = self.result()?;
        let Vector { op, cost, shape } = vector;
        let out_dtype = self.data(result).ty.dtype();
        let spec = self.math_spec(MathSpec { op, shape, args: specs, out: out_dtype, cost });
        let out = self.define()?;
        self.issue(Template::Math { spec, args: operands, out });
        Ok(())
    }

    /// An operand of a vector command over `shape`, and how it is read there.
    pub(super) fn vector_arg(
        &mut self,
        value: Value,
        shape: &Shape,
    ) -> Result<(Arg, Reading), Reported> {
        if !self.is_tile(value) {
            let reading = Reading { offset: 0, strides: Vec::new() };
            return Ok((Arg::Scalar(self.operand(value)?), reading));
        }
        let (own, mut reading) = (self.shape(value)?, self.reading(value)?);
        reading.strides = own.broadcast_strides(&reading.strides, shape);
        Ok((Arg::Tile(self.tile(value)?), reading))
    }

    /// What only says how elements are combined is gone before lowering.
    fn combination(&mut self) -> Out {
        Err(self.bug("a reduction or scan by a function is still to be written out"))
    }

    /// The extent of a tile along an axis.
    fn extent_along(&mut self, tile: Value, axis: u32) -> Result<u64, Reported> {
        let extent = self.shape(tile)?.0.get(axis as usize).copied();
        extent.ok_or_else(|| self.bug("an axis is not among those of its tile"))
    }

    /// Another way to read the bytes of `x`.
    fn view(&mut self, x: Value) -> Out {
        let (tile, result) = (self.tile(x)?, self.result()?);
        self.set_tile(result, tile);
        Ok(())
    }

    /// What a message with the tile `value` holds.
    fn message(&mut self, value: Value) -> Result<Message, Reported> {
        let elements = self.shape(value)?.elements();
        Ok(Message { elements, dtype: self.data(value).ty.dtype() })
    }

    /// The operands of a window; none where it is the whole block.
    fn window(
        &mut self,
        window: &ir::Window,
        (dtype, fill): (DType, Option<Value>),
    ) -> Result<Option<Box<WindowArgs>>, Reported> {
        if window.is_whole() {
            return Ok(None);
        }
        let mut args = WindowArgs { clips: Vec::new(), wraps: Vec::new(), dtype, fill: None };
        for clip in &window.clips {
            let lo = clip.lo.map(|lo| self.operand(lo)).transpose()?;
            let hi = clip.hi.map(|hi| self.operand(hi)).transpose()?;
            args.clips.push((clip.axis, lo, hi));
        }
        for wrap in &window.wraps {
            args.wraps.push((wrap.axis, self.operand(wrap.start)?, wrap.period));
        }
        args.fill = fill.map(|fill| self.operand(fill)).transpose()?;
        Ok(Some(Box::new(args)))
    }

    /// The lanes of a gather or scatter whose tile is `tile`, and its operand beside index and
    /// mask.
    fn lanes(
        &mut self,
        tile: Value,
        (ptr, strides): (Value, &[i64]),
        [offsets, mask, value]: [Option<Value>; 3],
    ) -> Result<(LaneArgs, Option<Arg>), Reported> {
        let base = self.operand(ptr)?;
        let (shape, dtype) = (self.shape(tile)?, self.data(tile).ty.dtype());
        let in_bytes = |stride: &i64| stride.wrapping_mul(dtype.bytes() as i64);
        let mut bytes: Vec<i64> = strides.iter().map(in_bytes).collect();
        bytes.resize(shape.rank(), 0);
        let (index, index_spec) = self.lane_operand(offsets, &shape)?;
        let (mask, mask_spec) = self.lane_operand(mask, &shape)?;
        let (value, value_spec) = self.lane_operand(value, &shape)?;
        let index = match index {
            Some(Arg::Tile(tile)) => Some(tile),
            Some(Arg::Scalar(_)) => return Err(self.bug("offsets are a tile")),
            None => None,
        };
        let spec = LaneSpec {
            shape,
            dtype,
            strides: bytes,
            index: index_spec,
            mask: mask_spec,
            value: value_spec,
        };
        let spec = self.lane_spec(spec);
        Ok((LaneArgs { spec, base, index, mask }, value))
    }

    /// An operand of lanes over `shape`, and how it is read there.
    fn lane_operand(
        &mut self,
        value: Option<Value>,
        shape: &Shape,
    ) -> Result<(Option<Arg>, Option<ArgSpec>), Reported> {
        let Some(value) = value else { return Ok((None, None)) };
        let (arg, Reading { offset, strides }) = self.vector_arg(value, shape)?;
        if offset != 0 || strides.iter().any(|stride| *stride < 0) {
            return Err(self.bug("what lanes are given is read from its first element on"));
        }
        let dtype = self.data(value).ty.dtype();
        Ok((Some(arg), Some(ArgSpec { dtype, offset: 0, strides })))
    }

    /// How a factor of a matrix product is read.
    fn factor(&mut self, value: Value) -> Result<FactorSpec, Reported> {
        let dtype = self.data(value).ty.dtype();
        let strides = match *self.strides(value)?.as_slice() {
            [row, column] => [0, row, column],
            [batch, row, column] => [batch, row, column],
            _ => return Err(self.bug("a matrix product has two strides, or three of a batch")),
        };
        Ok(FactorSpec { dtype, strides })
    }
}

impl ir::Visit for Emitter<'_> {
    type Out = Out;

    fn constant(&mut self, it: &ir::Const) -> Out {
        let result = self.result()?;
        let value = eval::wrap(self.data(result).ty.dtype(), it.value);
        self.set_scalar(result, Operand::Const(value));
        Ok(())
    }

    fn unary(&mut self, it: &ir::Unary) -> Out {
        if self.gives_tile()? {
            return self.elementwise(MathOp::Unary(it.op), it.op.cost_class(), &[it.x]);
        }
        let (dtype, x) = (self.data(it.x).ty.dtype(), self.operand(it.x)?);
        self.compute(ScalarExpr::Unary(it.op, dtype, x))
    }

    fn binary(&mut self, it: &ir::Binary) -> Out {
        if self.gives_tile()? {
            return self.elementwise(MathOp::Binary(it.op), it.op.cost_class(), &[it.x, it.y]);
        }
        let (x, y) = (self.operand(it.x)?, self.operand(it.y)?);
        self.compute(ScalarExpr::Binary(it.op, self.data(it.x).ty.dtype(), x, y))
    }

    fn ternary(&mut self, it: &ir::Ternary) -> Out {
        if self.gives_tile()? {
            let args = [it.x, it.y, it.z];
            return self.elementwise(MathOp::Ternary(it.op), it.op.cost_class(), &args);
        }
        let args = [self.operand(it.x)?, self.operand(it.y)?, self.operand(it.z)?];
        self.compute(ScalarExpr::Ternary(it.op, self.data(it.x).ty.dtype(), args))
    }

    fn compare(&mut self, it: &ir::Compare) -> Out {
        if self.gives_tile()? {
            return self.elementwise(MathOp::Compare(it.op), CostClass::Simple, &[it.x, it.y]);
        }
        let (x, y) = (self.operand(it.x)?, self.operand(it.y)?);
        self.compute(ScalarExpr::Compare(it.op, self.data(it.x).ty.dtype(), x, y))
    }

    fn select(&mut self, it: &ir::Select) -> Out {
        if self.gives_tile()? {
            let args = [it.condition, it.x, it.y];
            return self.elementwise(MathOp::Select, CostClass::Simple, &args);
        }
        let args = [self.operand(it.condition)?, self.operand(it.x)?, self.operand(it.y)?];
        self.compute(ScalarExpr::Select(args))
    }

    fn cast(&mut self, it: &ir::Cast) -> Out {
        if self.gives_tile()? {
            return self.elementwise(MathOp::Cast(it.rounding), CostClass::Simple, &[it.x]);
        }
        let result = self.result()?;
        let (x, to) = (self.operand(it.x)?, self.data(result).ty.dtype());
        self.compute(ScalarExpr::Cast(to, x, it.rounding))
    }

    fn pointer_cast(&mut self, _: &ir::PointerCast) -> Out {
        Err(self.bug("a pointer is still to become an address"))
    }

    fn extent(&mut self, _: &ir::Extent) -> Out {
        Err(self.bug("an extent is still to be agreed on"))
    }

    fn program_id(&mut self, it: &ir::ProgramId) -> Out {
        let result = self.result()?;
        if it.axis > 2 {
            return Err(self.bug("a program id has three axes"));
        }
        self.set_scalar(result, Operand::Reg(Reg(it.axis)));
        Ok(())
    }

    fn num_programs(&mut self, it: &ir::NumPrograms) -> Out {
        let result = self.result()?;
        let Some(extent) = self.num_programs.get(it.axis as usize).copied() else {
            return Err(self.bug("a launch has three axes"));
        };
        self.set_scalar(result, Emitter::int(u64::from(extent)));
        Ok(())
    }

    fn full(&mut self, it: &ir::Full) -> Out {
        self.elementwise(MathOp::Full, CostClass::Simple, &[it.value])
    }

    fn arange(&mut self, it: &ir::Arange) -> Out {
        self.elementwise(MathOp::Arange(it.start), CostClass::Simple, &[])
    }

    fn reshape(&mut self, it: &ir::Reshape) -> Out {
        self.view(it.x)
    }

    fn transpose(&mut self, it: &ir::Transpose) -> Out {
        self.view(it.x)
    }

    fn expand_dims(&mut self, it: &ir::ExpandDims) -> Out {
        self.view(it.x)
    }

    fn broadcast(&mut self, it: &ir::Broadcast) -> Out {
        self.view(it.x)
    }

    fn slice(&mut self, it: &ir::Slice) -> Out {
        self.view(it.x)
    }

    fn flip(&mut self, it: &ir::Flip) -> Out {
        self.view(it.x)
    }

    fn bitcast(&mut self, it: &ir::Bitcast) -> Out {
        self.view(it.x)
    }

    fn concat(&mut self, it: &ir::Concat) -> Out {
        let first = self.extent_along(it.x, it.axis)?;
        let op = MathOp::Concat { axis: it.axis, first };
        self.elementwise(op, CostClass::Simple, &[it.x, it.y])
    }

    fn scan(&mut self, it: &ir::Scan) -> Out {
        let op = MathOp::Scan { op: it.op, axis: it.axis, reverse: it.reverse };
        self.elementwise(op, it.op.cost_class(), &[it.x])
    }

    fn sort(&mut self, it: &ir::Sort) -> Out {
        let op = MathOp::Sort { kind: it.kind, descending: it.descending };
        self.elementwise(op, CostClass::Simple, &[it.x])
    }

    fn gather(&mut self, it: &ir::Gather) -> Out {
        let extent = self.extent_along(it.x, it.axis)?;
        let op = MathOp::Gather { axis: it.axis, extent };
        self.elementwise(op, CostClass::Simple, &[it.x, it.index])
    }

    fn histogram(&mut self, it: &ir::Histogram) -> Out {
        let result = self.result()?;
        let bins = self.extent_along(result, 0)?;
        let shape = self.shape(it.x)?;
        let vector = Vector { op: MathOp::Histogram { bins }, cost: CostClass::Simple, shape };
        let args: Vec<Value> = std::iter::once(it.x).chain(it.mask).collect();
        self.vector(vector, &args)
    }

    fn inspect(&mut self, it: &ir::Inspect) -> Out {
        let (shape, text) = (self.shape(it.x)?, self.text(&it.text));
        let op = MathOp::Inspect(it.how, text);
        self.vector(Vector { op, cost: CostClass::Simple, shape }, &[it.x])
    }

    fn reduce_by(&mut self, _: &ir::ReduceBy) -> Out {
        self.combination()
    }

    fn scan_by(&mut self, _: &ir::ScanBy) -> Out {
        self.combination()
    }

    fn copy(&mut self, it: &ir::Copy) -> Out {
        self.elementwise(MathOp::Copy, CostClass::Simple, &[it.x])
    }

    fn reduce(&mut self, it: &ir::Reduce) -> Out {
        let shape = self.shape(it.x)?;
        let (op, cost) = (MathOp::Reduce(it.op, it.axis), it.op.combine().cost_class());
        self.vector(Vector { op, cost, shape }, &[it.x])
    }

    fn dot(&mut self, it: &ir::Dot) -> Out {
        let (a_shape, b_shape) = (self.shape(it.a)?, self.shape(it.b)?);
        if !self.function.goes_forward(it.a) || !self.function.goes_forward(it.b) {
            return Err(self.bug("a matrix product reads its factors from their first element on"));
        }
        let (&[ref batch @ .., m, k], &[.., n]) = (a_shape.0.as_slice(), b_shape.0.as_slice())
        else {
            return Err(self.bug("a matrix product has two axes"));
        };
        let result = self.result()?;
        let (a, b) = (self.factor(it.a)?, self.factor(it.b)?);
        let (batch, out) = (batch.iter().product(), self.data(result).ty.dtype());
        let spec = self.gemm_spec(GemmSpec { batch, m, n, k, a, b, out });
        let (a, b) = (self.tile(it.a)?, self.tile(it.b)?);
        let acc = it.acc.map(|acc| self.dense(acc)).transpose()?;
        let out = self.define()?;
        self.issue(Template::Gemm { spec, a, b, acc, out });
        Ok(())
    }

    fn load(&mut self, _: &ir::Load) -> Out {
        Err(self.bug("a load is still to become a transfer"))
    }

    fn store(&mut self, _: &ir::Store) -> Out {
        Err(self.bug("a store is still to become a transfer"))
    }

    fn gather_load(&mut self, it: &ir::GatherLoad) -> Out {
        let result = self.result()?;
        let operands = [it.offsets, it.mask, it.other];
        let (lanes, other) = self.lanes(result, (it.ptr, &it.strides), operands)?;
        let dst = self.define()?;
        self.issue(Template::DmaGather { lanes, other, dst });
        Ok(())
    }

    fn scatter_store(&mut self, it: &ir::ScatterStore) -> Out {
        let operands = [it.offsets, it.mask, Some(it.value)];
        let (lanes, value) = self.lanes(it.value, (it.ptr, &it.strides), operands)?;
        let Some(Arg::Tile(src)) = value else { return Err(self.bug("a tile is stored")) };
        self.issue(Template::DmaScatter { lanes, src });
        Ok(())
    }

    fn atomic(&mut self, it: &ir::Atomic) -> Out {
        let operands = [it.offsets, it.mask, Some(it.value)];
        let (lanes, value) = self.lanes(it.value, (it.ptr, &it.strides), operands)?;
        let Some(Arg::Tile(src)) = value else { return Err(self.bug("a tile is combined")) };
        let expected = it.expected.map(|tile| self.dense(tile)).transpose()?;
        let dst = if self.gives_anything() { Some(self.define()?) } else { None };
        self.issue(Template::DmaAtomic { op: it.op, lanes, src, expected, dst });
        Ok(())
    }

    fn dma_read(&mut self, it: &ir::DmaRead) -> Out {
        let base = self.operand(it.base)?;
        let desc = self.desc(it.desc.clone());
        let result = self.result()?;
        let dtype = self.data(result).ty.dtype();
        let window = self.window(&it.window, (dtype, it.fill))?;
        let dst = self.define()?;
        self.issue(Template::DmaRead { base, desc, window, dst });
        Ok(())
    }

    fn dma_write(&mut self, it: &ir::DmaWrite) -> Out {
        let base = self.operand(it.base)?;
        let desc = self.desc(it.desc.clone());
        let window = self.window(&it.window, (self.data(it.value).ty.dtype(), None))?;
        let src = self.dense(it.value)?;
        self.issue(Template::DmaWrite { base, desc, window, src });
        Ok(())
    }

    fn composite(&mut self, it: &ir::Composite) -> Out {
        self.tile_pipeline(it)
    }

    fn send(&mut self, it: &ir::Send) -> Out {
        let (queue, message) = (self.queue(&it.dir)?, self.message(it.src)?);
        let src = self.dense(it.src)?;
        self.issue(Template::Send { queue, src, message });
        Ok(())
    }

    fn recv(&mut self, it: &ir::Recv) -> Out {
        let result = self.result()?;
        let (queue, message) = (self.queue(&it.dir)?, self.message(result)?);
        let dst = it.dst.map(|dst| self.dense(dst)).transpose()?;
        let out = self.name_tile_result()?;
        self.issue_result(Template::Recv { queue, dst, out, consume: it.consume, message })
    }

    fn stream(&mut self, it: &ir::Stream) -> Out {
        let result = self.result()?;
        let (queue, message) = (self.queue(&it.from)?, self.message(result)?);
        let to = it.to.iter().map(|dir| self.queue(dir)).collect::<Result<Vec<_>, _>>()?;
        let acc = it.acc.map(|acc| self.dense(acc)).transpose()?;
        // Both lie row by row, so they are read as one axis.
        let shape = Shape::new([message.elements]);
        let read = ArgSpec { dtype: message.dtype, offset: 0, strides: vec![1] };
        let (op, cost) = match it.reduce {
            Some(op) => (MathOp::Binary(op), op.cost_class()),
            None => (MathOp::Copy, CostClass::Simple),
        };
        let args = vec![read; 1 + usize::from(acc.is_some())];
        let spec = self.math_spec(MathSpec { op, shape, args, out: message.dtype, cost });
        let mut is_read = false;
        for op in self.function.reachable_ops() {
            self.function.ops[op].op.for_each_use(&mut |used| is_read |= used == result);
        }
        let out = if is_read { Some(self.define()?) } else { None };
        self.issue(Template::Stream { queue, spec, acc, out, to, message });
        Ok(())
    }

    fn channel(&mut self, it: &ir::Channel) -> Out {
        Err(self.no_channels_here(it.verb.name()))
    }

    fn recv_async(&mut self, it: &ir::RecvAsync) -> Out {
        let result = self.result()?;
        let (queue, message) = (self.queue(&it.dir)?, self.message(result)?);
        let out = self.name_tile_result()?;
        self.issue_result(Template::RecvAsync { queue, out, message })
    }

    fn wait(&mut self, it: &ir::Wait) -> Out {
        if !self.is_tile(it.future) {
            let number = self.operand(it.future)?;
            self.issue(Template::CompositeWait { number });
            return Ok(());
        }
        let (tile, result) = (self.tile(it.future)?, self.result()?);
        self.issue(Template::Wait { slot: tile });
        self.set_tile(result, tile);
        Ok(())
    }

    fn release(&mut self, it: &ir::Release) -> Out {
        let (tile, live) = (self.tile(it.tile)?, self.live_set()?);
        self.issue(Template::Release { tile, live });
        Ok(())
    }

    fn assert(&mut self, it: &ir::Assert) -> Out {
        let condition = self.operand(it.condition)?;
        self.refuse_unless(condition, it.message.clone());
        Ok(())
    }

    fn call(&mut self, _: &ir::Call) -> Out {
        Err(self.bug("a call is still to be inlined"))
    }

    fn for_loop(&mut self, it: &ir::For) -> Out {
        self.begin_for(it)
    }

    fn while_loop(&mut self, it: &ir::While) -> Out {
        self.begin_while(it)
    }

    fn branch(&mut self, it: &ir::If) -> Out {
        self.begin_if(it)
    }

    /// What a block hands on is emitted with the loop or branch that it ends.
    fn yields(&mut self, _: &ir::Yield) -> Out {
        Ok(())
    }

    fn condition(&mut self, _: &ir::Condition) -> Out {
        Ok(())
    }

    fn returns(&mut self, _: &ir::Return) -> Out {
        Ok(())
    }
}
