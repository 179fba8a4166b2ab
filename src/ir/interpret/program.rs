//! One program: its calls, its open blocks, its values.

use std::collections::BTreeMap;

use super::number::{self, Number};
use super::tile::{Tile, count};
use super::{Fault, Reason, World};
use crate::arena::SideTable;
use crate::dtype::DType;
use crate::ir::{BlockId, Dim, Function, OpId, Type, Value, Verb};

/// What a value is at run time.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// The bits of a scalar, or a pointer's byte address.
    Scalar(u64),
    Tile(Tile),
    /// A message that was claimed: its direction, and its place among those from there.
    Future(String, usize),
}

/// A block that is being run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) block: BlockId,
    /// The op that runs next.
    pub(super) next: usize,
    /// The op that owns the block; none for the entry.
    pub(super) owner: Option<OpId>,
}

/// A function that is being run.
pub(super) struct Frame<'a> {
    pub(super) function: &'a Function,
    pub(super) values: SideTable<Value, Option<Held>>,
    pub(super) open: Vec<Open>,
}

/// How far a program came.
pub(super) enum State {
    /// It ended before.
    Ended,
    /// It did something.
    Moved,
    /// It did nothing but wait for a message from a direction.
    Waits(String),
}

/// What an op did.
pub(super) enum Flow {
    Next,
    /// It waits for a message from a direction, and is to be run again.
    Waits(String),
}

/// One program.
pub(super) struct Program<'a> {
    /// Its place in the launch.
    pub(super) index: usize,
    /// The functions being run, the caller before the called.
    pub(super) frames: Vec<Frame<'a>>,
    /// How many messages it has claimed from each direction.
    pub(super) claimed: BTreeMap<String, usize>,
    /// How many of each kind of channel, buffer or semaphore it has made.
    pub(super) made: BTreeMap<Verb, i64>,
}

impl<'a> Program<'a> {
    pub(super) fn new(world: &World<'a>, index: usize) -> Result<Program<'a>, Fault> {
        let function = world.launch.function;
        let mut frame = Frame::new(function);
        for param in &function.params {
            let Some(literal) = world.launch.params.get(&param.name) else {
                let reason = Reason::NoArgument(param.name.clone());
                return Err(Fault { program: index, op: None, reason });
            };
            let bits = number::of_literal(scalar_dtype(function.ty(param.value)), *literal);
            frame.values.set(param.value, Some(Held::Scalar(bits)));
        }
        Ok(Program { index, frames: vec![frame], claimed: BTreeMap::new(), made: BTreeMap::new() })
    }

    /// Runs until the end or until a message is missing.
    pub(super) fn run(&mut self, world: &mut World<'a>) -> Result<State, Fault> {
        let mut state = State::Ended;
        while !self.frames.is_empty() {
            let depth = self.frames.len();
            match self.advance(world).map_err(|reason| self.fault(reason))? {
                Flow::Next => state = State::Moved,
                Flow::Waits(direction) => {
                    debug_assert_eq!(depth, self.frames.len(), "what waits has done nothing");
                    self.retry();
                    return Ok(match state {
                        State::Moved => State::Moved,
                        State::Ended | State::Waits(_) => State::Waits(direction),
                    });
                }
            }
        }
        Ok(state)
    }

    /// Runs the next op of the function at hand.
    pub(super) fn advance(&mut self, world: &mut World<'a>) -> Result<Flow, Reason> {
        let ended = Reason::Malformed("a block has no terminator");
        let frame = self.frame()?;
        let Some(open) = frame.open.last_mut() else { return Err(ended) };
        let Some(op) = frame.function.blocks[open.block].ops.get(open.next).copied() else {
            return Err(ended);
        };
        open.next += 1;
        self.step(world, op)
    }

    /// Runs the last op again next time.
    fn retry(&mut self) {
        if let Some(open) = self.frames.last_mut().and_then(|frame| frame.open.last_mut()) {
            open.next = open.next.saturating_sub(1);
        }
    }

    /// What stopped this program where it is.
    pub(super) fn fault(&self, reason: Reason) -> Fault {
        let at = |frame: &Frame<'_>| {
            let open = frame.open.last()?;
            let ops = &frame.function.blocks[open.block].ops;
            let op = ops.get(open.next.saturating_sub(1)).copied()?;
            Some((frame.function.name.clone(), op))
        };
        Fault { program: self.index, op: self.frames.last().and_then(at), reason }
    }

    pub(super) fn frame(&mut self) -> Result<&mut Frame<'a>, Reason> {
        self.frames.last_mut().ok_or(Reason::Malformed("the program has ended"))
    }
}

/// The type that the bits of a scalar are of; a pointer is a byte address.
pub(super) fn scalar_dtype(ty: &Type) -> DType {
    match ty {
        Type::Scalar(dtype) => *dtype,
        Type::Pointer(_) | Type::Completion => DType::I64,
        Type::Tile(tile) | Type::Future(tile) => tile.dtype,
    }
}

impl<'a> Frame<'a> {
    pub(super) fn new(function: &'a Function) -> Frame<'a> {
        let entry = Open { block: function.entry, next: 0, owner: None };
        Frame { function, values: SideTable::new(), open: vec![entry] }
    }

    /// Whether the terminator of the innermost block, or nothing, is to run next.
    pub(super) fn is_at_end(&self) -> bool {
        self.open.last().is_none_or(|open| {
            let next = self.function.blocks[open.block].ops.get(open.next);
            next.is_none_or(|op| self.function.ops[*op].op.is_terminator())
        })
    }

    pub(super) fn held(&self, value: Value) -> Result<&Held, Reason> {
        self.values[value].as_ref().ok_or(Reason::Malformed("a value is used before it is defined"))
    }

    pub(super) fn all_held(&self, values: &[Value]) -> Result<Vec<Held>, Reason> {
        values.iter().map(|value| self.held(*value).cloned()).collect()
    }

    pub(super) fn define(&mut self, values: &[Value], held: Vec<Held>) {
        for (value, held) in values.iter().zip(held) {
            self.values.set(*value, Some(held));
        }
    }

    /// The bits of a scalar.
    pub(super) fn bits(&self, value: Value) -> Result<u64, Reason> {
        match self.held(value)? {
            Held::Scalar(bits) => Ok(*bits),
            Held::Tile(_) | Held::Future(..) => Err(Reason::Malformed("a scalar is expected")),
        }
    }

    /// A scalar as an integer.
    pub(super) fn int(&self, value: Value) -> Result<i128, Reason> {
        Ok(number::as_int(scalar_dtype(self.function.ty(value)), self.bits(value)?))
    }

    /// A byte address.
    pub(super) fn address(&self, value: Value) -> Result<i64, Reason> {
        Ok(self.bits(value)? as i64)
    }

    /// A tile.
    pub(super) fn tile(&self, value: Value) -> Result<&Tile, Reason> {
        match self.held(value)? {
            Held::Tile(tile) => Ok(tile),
            Held::Scalar(_) | Held::Future(..) => Err(Reason::Malformed("a tile is expected")),
        }
    }

    /// A tile, or a scalar as a tile of no axes.
    pub(super) fn operand(&self, value: Value) -> Result<Tile, Reason> {
        match self.held(value)? {
            Held::Tile(tile) => Ok(tile.clone()),
            Held::Scalar(bits) => Ok(Tile::scalar(scalar_dtype(self.function.ty(value)), *bits)),
            Held::Future(..) => Err(Reason::Malformed("a future is computed with")),
        }
    }

    /// The shape that a tile of the type of `value` has here and now.
    pub(super) fn shape(&self, value: Value) -> Result<Vec<usize>, Reason> {
        let tile = self.function.ty(value).tile().ok_or(Reason::Malformed("no tile"))?;
        let extent = |dim: &Dim| {
            let extent = match dim {
                Dim::Const(extent) => i128::from(*extent),
                Dim::Value(value) => self.int(*value)?,
            };
            if extent < 1 {
                return Err(Reason::Extents);
            }
            usize::try_from(extent).map_err(|_| Reason::TooLarge)
        };
        let shape = tile.dims.iter().map(extent).collect::<Result<Vec<usize>, Reason>>()?;
        count(&shape).map(|_| shape)
    }

    /// An `i64` as bits.
    pub(super) fn i64_bits(value: i128) -> u64 {
        number::encode(DType::I64, Number::Int(value))
    }
}
