//! Composites: what all their tiles compute together. The sums of a product run over k in one
//! order however it is cut, so the result is that of a matrix command and vector commands on
//! whole tiles.

use std::ops::Range;

use super::bytes::Bytes;
use super::execute::{Executor, find};
use super::fault::FaultKind;
use super::image::{Origin, Writer};
use super::numeric::{self, Factors, Input};
use crate::command::{
    ArgSpec, CompositeCmd, CompositeSpec, GemmSpec, MathArg, MathOp, MathSpec, Source, SourceSpec,
    StepSpec,
};
use crate::dtype::{DType, Rounding};
use crate::ir::{Head, Scope, StepOp};
use crate::ops::{BinaryOp, CostClass};
use crate::shape::Shape;

/// The bytes of an operand: in the agent's memory, or read from HBM.
enum Held {
    Tile(Range<usize>),
    Read(Bytes),
}

/// The operand of a step.
enum StepArg {
    Nothing,
    Tile(Range<usize>),
    Scalar(crate::ir::Literal),
}

impl Executor<'_> {
    /// Runs a composite.
    pub(super) fn run_composite(&mut self, it: &CompositeCmd) {
        let program = self.program;
        let spec = &program.code(self.agent).composites[it.spec];
        let [a_bytes, b_bytes] = spec.source_bytes();
        let Some(a) = self.source(it.a, (spec.a, a_bytes)) else { return };
        let b = match (it.b, spec.b) {
            (Some(b), Some(b_spec)) => match self.source(b, (b_spec, b_bytes)) {
                Some(b) => Some(b),
                None => return,
            },
            (Some(_) | None, Some(_) | None) => None,
        };
        let Some(args) = self.step_args(spec, it) else { return };
        let head = match spec.head {
            Head::Gemm => self.product(spec, (&a, b.as_ref()), &args),
            Head::Math(op) => self.elements(spec, op, (&a, b.as_ref())),
        };
        let Some(result) = head else { return };
        let result = self.steps((spec, Scope::OutputTile), result, &args);
        let result = result.and_then(|it| self.steps((spec, Scope::Kernel), it, &args));
        let result = result.and_then(|it| self.converted(spec, (it, spec.works), spec.out));
        if let Some(result) = result {
            self.write_result(it.out, &result);
        }
    }

    /// The bytes of an operand; `None`, with a fault, where it cannot be read.
    fn source(&mut self, source: Source, (spec, bytes): (SourceSpec, u64)) -> Option<Held> {
        let base = match source {
            Source::Tile(tile) => return self.readable(tile).map(Held::Tile),
            Source::Memory(base) => base,
        };
        let region = self.bounds_of((base, bytes), false)?;
        let first = self.memory.map().regions()[region].base;
        let mut read = Bytes::zeroed(usize::try_from(bytes).ok()?);
        let mut reader = self.memory.view(region, self.pe()).reader();
        if let Some(offset) = reader.read(base - first, read.as_mut_slice()) {
            let elem_bytes = spec.dtype.bytes();
            self.fault(FaultKind::UnwrittenTensor { region, offset, elem_bytes });
        }
        Some(Held::Read(read))
    }

    /// The tensor that holds a block; `None`, with a fault, where none does.
    fn bounds_of(&mut self, (base, bytes): (u64, u64), writes: bool) -> Option<usize> {
        let bounds = base..base.saturating_add(bytes);
        match find(self.memory, &bounds) {
            Ok(region) => Some(region),
            Err(fault) => {
                self.fault(FaultKind::OutOfBounds { fault, bounds, writes });
                None
            }
        }
    }

    /// The operand of each step.
    fn step_args(&mut self, spec: &CompositeSpec, it: &CompositeCmd) -> Option<Vec<StepArg>> {
        let mut given = it.args.iter().flatten();
        let mut args = Vec::with_capacity(spec.steps.len());
        for step in &spec.steps {
            if step.operand.is_none() {
                args.push(StepArg::Nothing);
                continue;
            }
            args.push(match given.next() {
                Some(MathArg::Tile(tile)) => StepArg::Tile(self.readable(*tile)?),
                Some(MathArg::Scalar(value)) => StepArg::Scalar(*value),
                None => {
                    self.broken("a step of an epilogue lacks its operand");
                    return None;
                }
            });
        }
        Some(args)
    }

    fn bytes_of<'h>(&'h self, held: &'h Held) -> &'h [u8] {
        match held {
            Held::Tile(range) => &self.local.bytes()[range.clone()],
            Held::Read(bytes) => bytes.as_slice(),
        }
    }

    /// The matrix product, with what is done to the part of each tile along k.
    fn product(
        &mut self,
        spec: &CompositeSpec,
        (a, b): (&Held, Option<&Held>),
        args: &[StepArg],
    ) -> Option<Bytes> {
        let Some(b) = b else {
            self.broken("a product lacks its right factor");
            return None;
        };
        if !spec.has(Scope::KTile) {
            let sums = self.part(spec, (a, b), (0, spec.k))?;
            return self.converted(spec, (sums, spec.sums), spec.works);
        }
        let depth = spec.tile_extents()[2];
        let mut total: Option<Bytes> = None;
        let mut first = 0;
        while first < spec.k {
            let sums = self.part(spec, (a, b), (first, depth.min(spec.k - first)))?;
            let part = self.converted(spec, (sums, spec.sums), spec.works)?;
            let part = self.steps((spec, Scope::KTile), part, args)?;
            total = Some(match total {
                None => part,
                Some(total) => {
                    let add = MathOp::Binary(BinaryOp::Add);
                    let dense = dense(spec, spec.works);
                    let math = math(spec, (add, spec.works), vec![dense.clone(), dense]);
                    let inputs = [Input::Tile(total.as_slice()), Input::Tile(part.as_slice())];
                    let (result, outcome) = computed(&math, &inputs);
                    self.numeric(outcome, Some(&math));
                    result
                }
            });
            first += depth;
        }
        total
    }

    /// The product over part of k.
    fn part(
        &mut self,
        spec: &CompositeSpec,
        (a, b): (&Held, &Held),
        (first, depth): (u64, u64),
    ) -> Option<Bytes> {
        let product: GemmSpec = spec.product(depth)?;
        let elements = usize::try_from(product.elements()).ok()?;
        let mut sums = Bytes::zeroed(elements.checked_mul(spec.sums.bytes() as usize)?);
        let from = |bytes: &[u8], stride: i64, dtype: DType| {
            let skip = first.saturating_mul(stride.unsigned_abs()).saturating_mul(dtype.bytes());
            usize::try_from(skip).ok().filter(|skip| *skip <= bytes.len())
        };
        let (left, right) = (self.bytes_of(a), self.bytes_of(b));
        let left = &left[from(left, spec.a.strides[1], spec.a.dtype)?..];
        let b_spec = spec.b?;
        let right = &right[from(right, b_spec.strides[0], b_spec.dtype)?..];
        let factors = Factors { a: left, b: right, acc: None };
        let outcome = numeric::matmul(&product, factors, sums.as_mut_slice());
        self.numeric(outcome, None);
        Some(sums)
    }

    /// The elements of `a`, or of `a` and `b` combined, in the type of the epilogue.
    fn elements(
        &mut self,
        spec: &CompositeSpec,
        op: Option<BinaryOp>,
        (a, b): (&Held, Option<&Held>),
    ) -> Option<Bytes> {
        let read =
            |it: SourceSpec| ArgSpec { dtype: it.dtype, offset: 0, strides: it.strides.to_vec() };
        let (op, args) = match (op, spec.b) {
            (Some(op), Some(b)) => (MathOp::Binary(op), vec![read(spec.a), read(b)]),
            (Some(_) | None, _) => (MathOp::Cast(Rounding::NearestEven), vec![read(spec.a)]),
        };
        let math = math(spec, (op, spec.sums), args);
        let inputs: Vec<Input<'_>> =
            [Some(a), b].into_iter().flatten().map(|it| Input::Tile(self.bytes_of(it))).collect();
        let (result, outcome) = computed(&math, &inputs);
        self.numeric(outcome, Some(&math));
        self.converted(spec, (result, spec.sums), spec.works)
    }

    /// The steps of one scope, one after another.
    fn steps(
        &mut self,
        (spec, scope): (&CompositeSpec, Scope),
        mut result: Bytes,
        args: &[StepArg],
    ) -> Option<Bytes> {
        for (step, arg) in spec.steps.iter().zip(args) {
            if step.scope == scope {
                result = self.step(spec, step, (result, arg));
            }
        }
        Some(result)
    }

    fn step(
        &mut self,
        spec: &CompositeSpec,
        step: &StepSpec,
        (x, arg): (Bytes, &StepArg),
    ) -> Bytes {
        let op = match step.op {
            StepOp::Unary(op) => MathOp::Unary(op),
            StepOp::Binary(op) => MathOp::Binary(op),
        };
        let args = std::iter::once(dense(spec, spec.works)).chain(step.operand.clone()).collect();
        let math = math(spec, (op, spec.works), args);
        let mut inputs = vec![Input::Tile(x.as_slice())];
        match arg {
            StepArg::Nothing => {}
            StepArg::Tile(range) => inputs.push(Input::Tile(&self.local.bytes()[range.clone()])),
            StepArg::Scalar(value) => inputs.push(Input::Scalar(*value)),
        }
        let (result, outcome) = computed(&math, &inputs);
        self.numeric(outcome, Some(&math));
        result
    }

    /// The same elements in another type.
    fn converted(
        &mut self,
        spec: &CompositeSpec,
        (x, from): (Bytes, DType),
        to: DType,
    ) -> Option<Bytes> {
        if from == to {
            return Some(x);
        }
        let op = MathOp::Cast(Rounding::NearestEven);
        let math = math(spec, (op, to), vec![dense(spec, from)]);
        let (result, outcome) = computed(&math, &[Input::Tile(x.as_slice())]);
        self.numeric(outcome, Some(&math));
        Some(result)
    }

    fn write_result(&mut self, base: u64, result: &Bytes) {
        let bytes = result.as_slice();
        let Some(region) = self.bounds_of((base, bytes.len() as u64), true) else { return };
        let first = self.memory.map().regions()[region].base;
        let writer = Writer { agent: self.agent, site: self.step.site, seq: self.step.seq };
        let view = self.memory.view(region, self.pe());
        view.writer(Origin::Command(writer)).write(base - first, bytes);
    }
}

/// How a whole result of `dtype` is read.
fn dense(spec: &CompositeSpec, dtype: DType) -> ArgSpec {
    ArgSpec { dtype, offset: 0, strides: vec![spec.n as i64, 1] }
}

fn math(spec: &CompositeSpec, (op, out): (MathOp, DType), args: Vec<ArgSpec>) -> MathSpec {
    let shape = Shape::new([spec.m, spec.n]);
    MathSpec { op, shape, args, out, cost: CostClass::Simple }
}

/// The result of a vector computation, and whether it went well.
fn computed(math: &MathSpec, inputs: &[Input<'_>]) -> (Bytes, Result<(), numeric::NumericError>) {
    let elements = math.shape.elements().saturating_mul(math.out.bytes());
    let mut out = Bytes::zeroed(usize::try_from(elements).unwrap_or(0));
    let outcome = numeric::math(math, inputs, out.as_mut_slice());
    (out, outcome)
}
