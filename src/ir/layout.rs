//! How the elements of a value lie in the bytes that hold it.
//!
//! Whatever makes a tile lays it out row by row. A view looks at the same bytes in another order,
//! so its layout is the strides by which it walks the tile at the end of its chain of views.

use super::{Function, Op, TileType, Uses, Value};

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

    /// The distance in elements between neighbours along each axis of `value`, in the bytes of its
    /// [`Function::view_root`]; 0 along a repeated axis. `None` for what is no tile, where an
    /// extent is not known yet, and for a reshape of what is not laid out row by row (no strides
    /// describe that; the materialise pass puts a copy before it).
    pub fn strides(&self, value: Value) -> Option<Vec<i64>> {
        let mut chain = vec![value];
        while let Some(x) = chain.last().and_then(|last| self.viewed(*last)) {
            chain.push(x);
        }
        let mut strides = self.row_major_strides(chain.pop()?)?;
        while let Some(view) = chain.pop() {
            strides = self.view_strides(view, strides)?;
        }
        Some(strides)
    }

    /// Whether walking `value` row by row walks its bytes in order, without gaps.
    pub fn is_row_major(&self, value: Value) -> bool {
        self.strides(value).is_some_and(|strides| self.steps_in_order(value, &strides))
    }

    /// Whether `strides` walk a tile of `value`'s shape in row-major order. The stride of an axis
    /// of one element does not matter.
    fn steps_in_order(&self, value: Value, strides: &[i64]) -> bool {
        let Some(shape) = self.ty(value).tile().and_then(TileType::shape) else { return false };
        let wanted = shape.row_major_strides();
        let mut axes = shape.0.iter().zip(strides).zip(&wanted);
        axes.all(|((extent, stride), wanted)| *extent == 1 || stride == wanted)
    }

    fn row_major_strides(&self, value: Value) -> Option<Vec<i64>> {
        Some(self.ty(value).tile()?.shape()?.row_major_strides())
    }

    /// The strides of `view`, whose operand has `inner`.
    fn view_strides(&self, view: Value, mut inner: Vec<i64>) -> Option<Vec<i64>> {
        let op = &self.ops[self.defining_op(view)?].op;
        if let Op::Transpose(it) = op {
            return it.axes.iter().map(|axis| inner.get(*axis as usize).copied()).collect();
        }
        if let Op::ExpandDims(it) = op {
            // Any stride will do for an axis of one element; 0 reads the same bytes.
            inner.insert((it.axis as usize).min(inner.len()), 0);
            return Some(inner);
        }
        if let Op::Broadcast(it) = op {
            let from = self.ty(it.x).tile()?.shape()?;
            return Some(from.broadcast_strides(&inner, &self.ty(view).tile()?.shape()?));
        }
        let Op::Reshape(it) = op else { return None };
        if self.steps_in_order(it.x, &inner) { self.row_major_strides(view) } else { None }
    }
}
