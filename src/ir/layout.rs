//! How the elements of a value lie in the bytes that hold it.
//!
//! Whatever makes a tile lays it out row by row. A view looks at the same bytes in another order,
//! so its layout is where it begins and the strides by which it walks the tile at the end of its chain
//! of views.

use super::{Function, Op, Uses, Value};
use crate::shape::Shape;

impl Function {
    /// The value whose bytes `value` is a view of, through any number of views; itself, if it is
    /// no view.
    pub fn view_root(&self, value: Value) -> Value {
        let mut at = value;
        while let Some(x) = self.viewed(at) {
            at = x;
        }
        at
    }

    /// What `value` is directly a view of.
    pub fn viewed(&self, value: Value) -> Option<Value> {
        let op = &self.ops[self.defining_op(value)?].op;
        let mut operand = None;
        if op.is_view() {
            op.for_each_use(&mut |x| operand = Some(x));
        }
        operand
    }

    /// The distance in elements between neighbours along each axis of `value`; see
    /// [`Function::reading`].
    pub fn strides(&self, value: Value) -> Option<Vec<i64>> {
        self.reading(value).map(|reading| reading.strides)
    }

    /// How to walk `value` in the bytes of its [`Function::view_root`]. `None` for what is no tile,
    /// where an extent is not known yet, and for a reshape that no strides describe (the
    /// materialise pass puts a copy before it).
    pub fn reading(&self, value: Value) -> Option<Reading> {
        let mut chain = vec![value];
        while let Some(x) = chain.last().and_then(|last| self.viewed(*last)) {
            chain.push(x);
        }
        let strides = self.shape_of(chain.pop()?)?.row_major_strides();
        let mut reading = Reading { offset: 0, strides };
        while let Some(view) = chain.pop() {
            reading = self.view_reading(view, reading)?;
        }
        Some(reading)
    }

    /// Whether walking `value` row by row walks all bytes of its root in order, without gaps.
    pub fn is_row_major(&self, value: Value) -> bool {
        let elements = |value: Value| self.shape_of(value).map(|shape| shape.elements());
        elements(value) == elements(self.view_root(value))
            && self.reading(value).is_some_and(|reading| self.steps_in_order(value, &reading))
    }

    /// Whether `value` can be read by what begins at a tile's first element and goes forward.
    pub fn goes_forward(&self, value: Value) -> bool {
        let forward = |it: Reading| it.offset == 0 && it.strides.iter().all(|stride| *stride >= 0);
        self.reading(value).is_some_and(forward)
    }

    /// Whether `reading` walks a tile of `value`'s shape in row-major order from the first element
    /// of its root. The stride of an axis of one element does not matter.
    fn steps_in_order(&self, value: Value, reading: &Reading) -> bool {
        let Some(shape) = self.shape_of(value) else { return false };
        let wanted = shape.row_major_strides();
        let mut axes = shape.0.iter().zip(&reading.strides).zip(&wanted);
        reading.offset == 0
            && axes.all(|((extent, stride), wanted)| *extent == 1 || stride == wanted)
    }

    fn shape_of(&self, value: Value) -> Option<Shape> {
        self.ty(value).tile()?.shape()
    }

    /// The reading of `view`, whose operand has `inner`.
    fn view_reading(&self, view: Value, mut inner: Reading) -> Option<Reading> {
        let op = &self.ops[self.defining_op(view)?].op;
        if let Op::Transpose(it) = op {
            let strides = &inner.strides;
            let axes = it.axes.iter().map(|axis| strides.get(*axis as usize).copied());
            return Some(Reading { offset: inner.offset, strides: axes.collect::<Option<_>>()? });
        }
        if let Op::ExpandDims(it) = op {
            // Any stride will do for an axis of one element; 0 reads the same bytes.
            inner.strides.insert((it.axis as usize).min(inner.strides.len()), 0);
        } else if let Op::Broadcast(it) = op {
            let (from, to) = (self.shape_of(it.x)?, self.shape_of(view)?);
            inner.strides = from.broadcast_strides(&inner.strides, &to);
        } else if let Op::Slice(it) = op {
            let stride = inner.strides.get_mut(it.axis as usize)?;
            inner.offset += i64::try_from(it.start).ok()?.checked_mul(*stride)?;
            *stride = stride.checked_mul(i64::try_from(it.step).ok()?)?;
        } else if let Op::Flip(it) = op {
            let last = i64::try_from(*self.shape_of(it.x)?.0.get(it.axis as usize)?).ok()? - 1;
            let stride = inner.strides.get_mut(it.axis as usize)?;
            inner.offset += last.checked_mul(*stride)?;
            *stride = -*stride;
        } else if let Op::Reshape(it) = op {
            let (from, to) = (self.shape_of(it.x)?, self.shape_of(view)?);
            inner.strides = from.reshaped_strides(&inner.strides, &to)?;
        } else if !matches!(op, Op::Bitcast(_)) {
            return None;
        }
        Some(inner)
    }
}

/// How a tile is walked in the bytes of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Where its first element is, in elements from the start.
    pub offset: i64,
    /// The distance in elements between neighbours along each axis; 0 along a repeated axis,
    /// negative where it goes backwards.
    pub strides: Vec<i64>,
}
