//! `fold`: computes what is known, and drops what it decides.
//!
//! Scalars with known operands become constants, by the same arithmetic that the machine's PE_CPU
//! uses. Branches with a known condition become the branch taken; loops that never run go, loops
//! that run once become their body; values that a loop carries unchanged are used directly.
//! Checks that hold go; checks that do not are reported: extents that disagree, assertions,
//! divisions by zero.
//!
//! A check is reported only where it is sure to be made. Under a branch that other facts of the
//! launch decide, it stays, and whoever walks the program makes it. Extents are types, and are
//! checked wherever they stand.

mod carried;
mod control;
mod report;
mod simplify;

pub(super) use control::{Trips, constant_like, trips};

use super::{Context, Pass};
use crate::diag::{Reported, Sink};
use crate::ir::{
    BlockId, Const, Dim, Function, Literal, Op, OpId, Substitution, Type, Uses, Value,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Fold;

impl Pass for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn summary(&self) -> &'static str {
        "compute what is known, and drop the branches and checks that it decides"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        fold(function, context.sink)
    }
}

/// Folds until nothing changes. Each round but the last carries at least one value fewer through
/// a loop, so the rounds end.
pub(super) fn fold(function: &mut Function, sink: &mut Sink) -> Result<(), Reported> {
    loop {
        let entry = function.entry;
        let mut folder = Folder::new(function, sink);
        folder.block(entry);
        if let Some(reported) = folder.failed {
            return Err(reported);
        }
        let replaced = std::mem::take(&mut folder.replaced);
        replaced.apply(function);
        if !carried::drop_unchanged(function) {
            return Ok(());
        }
    }
}

/// What is left of an op.
enum Outcome {
    /// The op itself, perhaps with other operands.
    Keep,
    /// A constant.
    Constant(Literal),
    /// Another value.
    Same(Value),
    /// An error has been reported.
    Failed(Reported),
}

struct Folder<'a> {
    function: &'a mut Function,
    sink: &'a mut Sink,
    /// What stands in the place of values that are gone.
    replaced: Substitution,
    /// Whether the op at hand is sure to be run.
    certain: bool,
    failed: Option<Reported>,
}

impl<'a> Folder<'a> {
    fn new(function: &'a mut Function, sink: &'a mut Sink) -> Folder<'a> {
        Folder { function, sink, replaced: Substitution::new(), certain: true, failed: None }
    }

    fn block(&mut self, block: BlockId) {
        self.refresh_args(block);
        let ops = std::mem::take(&mut self.function.blocks[block].ops);
        let mut kept = Vec::with_capacity(ops.len());
        for op in ops {
            self.op(op, &mut kept);
        }
        self.function.blocks[block].ops = kept;
    }

    /// Folds `op` and puts what is left of it at the end of `kept`.
    fn op(&mut self, op: OpId, kept: &mut Vec<OpId>) {
        self.refresh(op);
        match &self.function.ops[op].op {
            Op::If(_) => self.branch(op, kept),
            Op::For(_) => self.for_loop(op, kept),
            Op::While(_) => self.while_loop(op, kept),
            Op::Assert(_) => self.assertion(op, kept),
            Op::ReduceBy(_) | Op::ScanBy(_) => {
                let inner = self.function.ops[op].op.blocks();
                inner.into_iter().for_each(|block| self.block(block));
                kept.push(op);
            }
            Op::Const(_)
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Ternary(_)
            | Op::Compare(_)
            | Op::Select(_)
            | Op::Cast(_)
            | Op::Extent(_)
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Broadcast(_) => self.settle(op, kept),
            Op::PointerCast(_)
            | Op::ProgramId(_)
            | Op::NumPrograms(_)
            | Op::Full(_)
            | Op::Arange(_)
            | Op::ExpandDims(_)
            | Op::Slice(_)
            | Op::Flip(_)
            | Op::Bitcast(_)
            | Op::Copy(_)
            | Op::Concat(_)
            | Op::Reduce(_)
            | Op::Scan(_)
            | Op::Sort(_)
            | Op::Gather(_)
            | Op::Histogram(_)
            | Op::Inspect(_)
            | Op::Dot(_)
            | Op::Load(_)
            | Op::Store(_)
            | Op::GatherLoad(_)
            | Op::ScatterStore(_)
            | Op::Atomic(_)
            | Op::DmaRead(_)
            | Op::DmaWrite(_)
            | Op::Composite(_)
            | Op::Send(_)
            | Op::Recv(_)
            | Op::Stream(_)
            | Op::RecvAsync(_)
            | Op::Wait(_)
            | Op::Release(_)
            | Op::Call(_)
            | Op::Yield(_)
            | Op::Condition(_)
            | Op::Channel(_)
            | Op::Return(_) => kept.push(op),
        }
    }

    fn settle(&mut self, op: OpId, kept: &mut Vec<OpId>) {
        match self.simplify(op) {
            Outcome::Keep => kept.push(op),
            Outcome::Constant(value) => {
                self.function.ops[op].op = Const { value }.into();
                kept.push(op);
            }
            Outcome::Same(value) => {
                let result = self.function.result(op);
                self.replaced.replace(result, value);
            }
            Outcome::Failed(reported) => {
                self.failed = Some(reported);
                kept.push(op);
            }
        }
    }

    /// An assertion that holds goes; one that is sure to fail is reported.
    fn assertion(&mut self, op: OpId, kept: &mut Vec<OpId>) {
        let Op::Assert(it) = &self.function.ops[op].op else { return };
        match self.int(it.condition) {
            Some(0) if self.certain => {
                let error = report::assertion(self.function, op, it);
                self.failed = Some(self.sink.error(error));
            }
            None | Some(0) => kept.push(op),
            Some(_) => {}
        }
    }

    /// Puts what replaces them in the place of the op's operands and of its results' extents.
    fn refresh(&mut self, op: OpId) {
        let replaced = &self.replaced;
        self.function.ops[op].op.replace_uses(&mut |value| replaced.resolve(value));
        for index in 0..self.function.ops[op].results.len() {
            let result = self.function.ops[op].results[index];
            self.refresh_type(result);
        }
    }

    fn refresh_args(&mut self, block: BlockId) {
        for index in 0..self.function.blocks[block].args.len() {
            let arg = self.function.blocks[block].args[index];
            self.refresh_type(arg);
        }
    }

    /// Known extents of a tile become constants.
    fn refresh_type(&mut self, value: Value) {
        let Some(tile) = self.function.ty(value).tile() else { return };
        if tile.dims.iter().all(|dim| matches!(dim, Dim::Const(_))) {
            return;
        }
        let mut dims = tile.dims.clone();
        for dim in &mut dims {
            dim.replace_uses(&mut |value| self.replaced.resolve(value));
            if let Some(extent) = self.function.extent(*dim) {
                *dim = Dim::Const(extent);
            }
        }
        if let Some(tile) = self.function.values[value].ty.tile_mut() {
            tile.dims = dims;
        }
    }

    fn literal(&self, value: Value) -> Option<Literal> {
        self.function.literal(self.replaced.resolve(value))
    }

    fn int(&self, value: Value) -> Option<i64> {
        self.literal(value).and_then(Literal::as_int)
    }

    fn scalar_dtype(&self, value: Value) -> Option<crate::dtype::DType> {
        match self.function.ty(value) {
            Type::Scalar(dtype) => Some(*dtype),
            Type::Pointer(_) => Some(crate::dtype::DType::I64),
            Type::Tile(_) | Type::Future(_) | Type::Completion => None,
        }
    }
}
