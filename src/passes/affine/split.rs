//! Offsets that are partly data, or all affine where the mask is not: their strides become those of
//! the gather or scatter, so that its index is smaller. It is then seen which lanes lie one after
//! another whatever the data says.
//!
//! The pointer stays as it is, since it says which tensor the lanes belong to.

use super::access::Lanes;
use super::analysis::{Analysis, Form};
use super::form::{Affine, Linear};
use crate::ir::{Op, Value};
use crate::ops::BinaryOp;

/// The most parts of a sum that are looked at.
const MOST_PARTS: usize = 64;

/// Offsets in two parts.
#[derive(Clone, Debug)]
pub(super) struct Split {
    /// Elements that every lane adds.
    pub(super) base: Linear,
    /// Elements from lane to lane along each axis.
    pub(super) strides: Vec<i64>,
    /// What each lane adds besides, a tile of `i64`.
    pub(super) index: Option<Value>,
}

impl Split {
    /// The parts of the offsets of lanes that are `tile`; `None` where it is all data, or the data
    /// is in more than one part.
    pub(super) fn of(
        analysis: &mut Analysis<'_>,
        lanes: &Lanes<'_>,
        shape: &[u64],
    ) -> Option<Split> {
        let mut open = vec![lanes.offsets?];
        // Sums of fewer bits may wrap where the parts do not.
        let of = analysis.function.ty(lanes.offsets?).dtype();
        let mut known = Affine::uniform(Linear::default(), shape);
        let mut index = None;
        for _ in 0..MOST_PARTS {
            let Some(part) = open.pop() else { break };
            let function = analysis.function;
            let op = function.defining_op(part).map(|op| &function.ops[op].op);
            if let Some(Form::Numbers(form)) = analysis.operand(part, (shape, of)) {
                known = known.add(&form)?;
            } else if let Some(Op::Binary(it)) = op
                && it.op == BinaryOp::Add
                && of.bits() == 64
            {
                open.extend([it.x, it.y]);
            } else if index.replace(part).is_some() {
                return None;
            }
        }
        let is_plain = known.axes.iter().all(|axis| axis.wrap.is_none());
        let is_exact = of.bits() == 64 || analysis.is_exact(&known, of);
        let is_less = index.is_none() || !known.is_uniform();
        if !open.is_empty() || !is_plain || !is_exact || !is_less {
            return None;
        }
        let mut strides: Vec<i64> = known.axes.iter().map(|axis| axis.stride).collect();
        for (stride, own) in strides.iter_mut().zip(lanes.strides) {
            *stride = stride.checked_add(*own)?;
        }
        Some(Split { base: known.base, strides, index })
    }
}
