//! Where the bytes of a value may have been made.
//!
//! Most ops that give a tile make its bytes: in a buffer, or, for a receive, in a slot. Views,
//! loops and branches only hand bytes on, so their values may be in any of several places. The
//! *origins* of a value are the values, made by such ops, whose bytes it may be. They are found
//! once for a whole function, without regard to the order in which ops run.

use crate::arena::{Id, SideTable};
use crate::ir::{Function, Op, OpId, Value};

/// How many pairs of a value and an origin a kernel may have: a hundred megabytes of them. Kernels
/// written by hand have a few for each tile.
pub const MAX_PAIRS: usize = 1 << 23;

/// The origins of every tile (and future) of one function.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    of: SideTable<Value, Vec<Value>>,
    holders: SideTable<Value, Vec<Value>>,
}

/// What kind of place an origin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A buffer that the op makes its result in.
    Buffer,
    /// A slot of a receive queue.
    Slot,
}

/// The place that the op defining `value` makes; `None` if it only hands bytes on.
pub fn place_of(function: &Function, value: Value) -> Option<Place> {
    if !function.is_tile(value) {
        return None;
    }
    let op = &function.ops[function.defining_op(value)?].op;
    if matches!(op, Op::RecvAsync(_)) || matches!(op, Op::Recv(it) if it.dst.is_none()) {
        return Some(Place::Slot);
    }
    let hands_on = op.is_view()
        || !op.blocks().is_empty()
        || matches!(op, Op::Recv(_) | Op::Wait(_) | Op::Call(_));
    if hands_on { None } else { Some(Place::Buffer) }
}

impl Origins {
    /// Finds the origins of every value that `function` reaches.
    pub fn of(function: &Function) -> Origins {
        let mut unbounded = usize::MAX;
        Origins::find(function, &mut unbounded).unwrap_or_default()
    }

    /// The same, unless tiles take so many ways through loops and branches that there are more
    /// than [`MAX_PAIRS`] pairs of a value and an origin.
    pub fn bounded(function: &Function) -> Option<Origins> {
        let mut left = MAX_PAIRS;
        Origins::find(function, &mut left)
    }

    fn find(function: &Function, left: &mut usize) -> Option<Origins> {
        let mut flow = Flow::default();
        for op in function.reachable_ops() {
            flow.op(function, op);
        }
        let mut it = Origins::default();
        // The origin from whose walk each value was last met.
        let mut met: Vec<Option<Value>> = vec![None; function.values.len()];
        for origin in &flow.origins {
            met[origin.index()] = Some(*origin);
            let mut open = vec![*origin];
            while let Some(value) = open.pop() {
                *left = left.checked_sub(1)?;
                it.of.get_mut(value).push(*origin);
                it.holders.get_mut(*origin).push(value);
                let next = flow.to[value].iter().copied();
                open.extend(next.filter(|to| met[to.index()].replace(*origin) != Some(*origin)));
            }
            it.holders.get_mut(*origin).sort_unstable();
        }
        Some(it)
    }

    /// The values whose bytes `value` may be, in the order of their definition in the text.
    pub fn get(&self, value: Value) -> &[Value] {
        &self.of[value]
    }

    /// The values whose bytes may be those of `origin`, itself included.
    pub fn holders(&self, origin: Value) -> &[Value] {
        &self.holders[origin]
    }

    /// Whether `value` may be in a slot.
    pub fn may_be_in_slot(&self, function: &Function, value: Value) -> bool {
        self.get(value).iter().any(|origin| place_of(function, *origin) == Some(Place::Slot))
    }

    /// Whether two values may be the same bytes.
    pub fn may_share(&self, x: Value, y: Value) -> bool {
        let of_y = self.get(y);
        self.get(x).iter().any(|origin| of_y.contains(origin))
    }
}

/// Along which edges bytes are handed on.
#[derive(Default)]
struct Flow {
    origins: Vec<Value>,
    to: SideTable<Value, Vec<Value>>,
}

impl Flow {
    fn edges(&mut self, from: &[Value], to: &[Value]) {
        for (from, to) in from.iter().zip(to) {
            self.to.get_mut(*from).push(*to);
        }
    }

    fn op(&mut self, function: &Function, op: OpId) {
        let data = &function.ops[op];
        for result in &data.results {
            if place_of(function, *result).is_some() {
                self.origins.push(*result);
            } else if let Some(viewed) = function.viewed(*result) {
                self.edges(&[viewed], &[*result]);
            }
        }
        if let Op::Recv(it) = &data.op {
            self.edges(it.dst.as_slice(), &data.results);
        } else if let Op::Wait(it) = &data.op {
            self.edges(&[it.future], &data.results);
        } else if let Op::If(it) = &data.op {
            self.edges(function.handed_on(it.then), &data.results);
            self.edges(function.handed_on(it.otherwise), &data.results);
        } else if let Op::For(it) = &data.op {
            let args = function.blocks[it.body].args.get(1..).unwrap_or(&[]);
            self.edges(&it.inits, args);
            self.edges(function.handed_on(it.body), args);
            self.edges(args, &data.results);
            // The last iteration's values are the results, without becoming arguments again.
            self.edges(function.handed_on(it.body), &data.results);
        } else if let Op::While(it) = &data.op {
            let test_args = &function.blocks[it.test].args;
            self.edges(&it.inits, test_args);
            self.edges(function.handed_on(it.body), test_args);
            self.edges(function.handed_on(it.test), &function.blocks[it.body].args);
            self.edges(function.handed_on(it.test), &data.results);
        }
    }
}
