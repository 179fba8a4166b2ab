//! What is left of an op once its operands are known, or known in part.

use super::{Folder, Outcome, report};
use crate::dtype::{DType, Kind};
use crate::ir::{
    Binary, Cast, Compare, DimRule, Extent, Literal, Op, OpId, Reshape, Select, Ternary, TileType,
    Transpose, Type, Unary, Value, eval,
};
use crate::ops::{BinaryOp, CompareOp};

impl Folder<'_> {
    /// Simplifies an op of one result that has no effect.
    pub(super) fn simplify(&mut self, op: OpId) -> Outcome {
        let result = self.function.result(op);
        let known = self.function.ops[op].op.clone();
        let dtype = self.scalar_dtype(result);
        if let (Op::Const(it), Some(dtype)) = (&known, dtype) {
            return Outcome::Constant(eval::wrap(dtype, it.value));
        }
        if known.is_view() {
            return self.view(op, result);
        }
        if let Op::Cast(it) = &known {
            return self.cast(it, result);
        }
        match dtype {
            Some(dtype) => self.scalar(op, &known, dtype),
            None => Outcome::Keep,
        }
    }

    fn scalar(&mut self, op: OpId, known: &Op, dtype: DType) -> Outcome {
        if let Op::Binary(it) = known {
            self.binary(op, it, dtype)
        } else if let Op::Unary(it) = known {
            self.unary(it, dtype)
        } else if let Op::Compare(it) = known {
            self.compare(it)
        } else if let Op::Select(it) = known {
            self.select(it)
        } else if let Op::Extent(it) = known {
            self.extent(op, it)
        } else if let Op::Ternary(it) = known {
            self.ternary(it, dtype)
        } else {
            Outcome::Keep
        }
    }

    /// A view under which nothing changes is what it views. A view of a view of the same kind is
    /// one view, which also keeps chains of views short.
    fn view(&mut self, op: OpId, result: Value) -> Outcome {
        // Two transpositions may make one that moves nothing, which a reshape can join.
        self.join_views(op, result);
        if let Op::Transpose(it) = &self.function.ops[op].op
            && self.moves_no_element(it)
        {
            let x = it.x;
            self.function.ops[op].op = Reshape { x }.into();
            self.join_views(op, result);
        }
        let Some(x) = self.function.viewed(result) else { return Outcome::Keep };
        let same_type = self.function.ty(x) == self.function.ty(result);
        let reorders = matches!(self.function.ops[op].op, Op::Transpose(_));
        if same_type && !reorders { Outcome::Same(x) } else { Outcome::Keep }
    }

    /// Makes `op`, where it views a view of its own kind, a view of what that one views.
    fn join_views(&mut self, op: OpId, result: Value) {
        let viewed = self.function.viewed(result);
        let Some(inner) = viewed.and_then(|x| self.function.defining_op(x)) else { return };
        let joined: Op = match (&self.function.ops[op].op, &self.function.ops[inner].op) {
            (Op::Reshape(_), Op::Reshape(inner)) => inner.clone().into(),
            (Op::Broadcast(_), Op::Broadcast(inner)) => inner.clone().into(),
            (Op::Transpose(outer), Op::Transpose(inner)) => {
                let through = |axis: &u32| inner.axes.get(*axis as usize).copied();
                let axes: Option<Vec<u32>> = outer.axes.iter().map(through).collect();
                let Some(axes) = axes else { return };
                Transpose { x: inner.x, axes }.into()
            }
            _different => return,
        };
        self.function.ops[op].op = joined;
    }

    /// Whether a transposition keeps the order of the axes that have more than one element.
    fn moves_no_element(&self, it: &Transpose) -> bool {
        let Some(shape) = self.function.ty(it.x).tile().and_then(TileType::shape) else {
            return it.axes.is_sorted();
        };
        let long = |axis: &&u32| shape.0.get(**axis as usize).is_none_or(|extent| *extent != 1);
        it.axes.iter().filter(long).is_sorted()
    }

    /// A cast of an integer to its own type changes nothing. One of a float is an op like any other
    /// and makes canonical NaNs, and one of a truth value makes a 1 of whatever memory holds for it.
    fn cast(&self, it: &Cast, result: Value) -> Outcome {
        let from = self.function.ty(it.x);
        if from == self.function.ty(result) && matches!(it.to.kind(), Kind::Signed | Kind::Unsigned)
        {
            return Outcome::Same(it.x);
        }
        match (self.literal(it.x), self.scalar_dtype(result)) {
            (Some(x), Some(to)) => Outcome::Constant(eval::convert(to, x, it.rounding)),
            (Some(_), None) | (None, _) => Outcome::Keep,
        }
    }

    fn unary(&self, it: &Unary, dtype: DType) -> Outcome {
        match self.literal(it.x) {
            Some(x) => Outcome::Constant(eval::unary(it.op, dtype, x)),
            None => Outcome::Keep,
        }
    }

    fn binary(&mut self, op: OpId, it: &Binary, dtype: DType) -> Outcome {
        let (x, y) = (self.literal(it.x), self.literal(it.y));
        if let Type::Pointer(element) = *self.function.ty(it.x) {
            return pointer(it, (x, y), element);
        }
        if let (Some(x), Some(y)) = (x, y) {
            return match eval::binary(it.op, dtype, x, y) {
                Some(value) => Outcome::Constant(value),
                None => self.divided_by_zero(op, it),
            };
        }
        if dtype.is_int() && y == Some(Literal::Int(0)) && divides(it.op) {
            return self.divided_by_zero(op, it);
        }
        if dtype.is_int() && dtype != DType::I1 { identity(it, (x, y)) } else { Outcome::Keep }
    }

    fn divided_by_zero(&mut self, op: OpId, it: &Binary) -> Outcome {
        if !self.certain {
            return Outcome::Keep;
        }
        let error = report::division(self.function, op, it);
        Outcome::Failed(self.sink.error(error))
    }

    fn ternary(&self, it: &Ternary, dtype: DType) -> Outcome {
        match (self.literal(it.x), self.literal(it.y), self.literal(it.z)) {
            (Some(x), Some(y), Some(z)) => {
                Outcome::Constant(eval::ternary(it.op, dtype, [x, y, z]))
            }
            _unknown => Outcome::Keep,
        }
    }

    fn compare(&self, it: &Compare) -> Outcome {
        let Some(dtype) = self.scalar_dtype(it.x) else { return Outcome::Keep };
        match (self.literal(it.x), self.literal(it.y)) {
            (Some(x), Some(y)) => Outcome::Constant(eval::compare(it.op, dtype, x, y)),
            _unknown if it.x == it.y && dtype.is_int() => {
                let holds = matches!(it.op, CompareOp::Le | CompareOp::Ge | CompareOp::Eq);
                Outcome::Constant(Literal::Int(i64::from(holds)))
            }
            _unknown => Outcome::Keep,
        }
    }

    fn select(&self, it: &Select) -> Outcome {
        match self.int(it.condition) {
            Some(0) => Outcome::Same(it.y),
            Some(_) => Outcome::Same(it.x),
            None if it.x == it.y => Outcome::Same(it.x),
            None => Outcome::Keep,
        }
    }

    /// Two extents that must agree. Those that are known and do not are an error wherever they
    /// stand, since extents are types.
    fn extent(&mut self, op: OpId, it: &Extent) -> Outcome {
        if it.x == it.y {
            return Outcome::Same(it.x);
        }
        let repeats = |extent: Option<i64>| it.rule == DimRule::Broadcast && extent == Some(1);
        match (self.int(it.x), self.int(it.y)) {
            (Some(x), Some(y)) if x == y => Outcome::Same(it.x),
            (x, _) if repeats(x) => Outcome::Same(it.y),
            (_, y) if repeats(y) => Outcome::Same(it.x),
            (Some(x), Some(y)) => {
                let error = report::extents(self.function, op, it, (x, y));
                Outcome::Failed(self.sink.error(error))
            }
            (None, _) | (_, None) => Outcome::Keep,
        }
    }
}

/// A pointer and an offset in elements; a pointer's constant is its byte address.
fn pointer(it: &Binary, (x, y): (Option<Literal>, Option<Literal>), element: DType) -> Outcome {
    let offset = y.and_then(Literal::as_int);
    if offset == Some(0) {
        return Outcome::Same(it.x);
    }
    let (Some(Literal::Int(base)), Some(offset)) = (x, offset) else { return Outcome::Keep };
    let bytes = offset.wrapping_mul(element.bytes() as i64);
    let back = it.op == BinaryOp::Sub;
    let address = if back { base.wrapping_sub(bytes) } else { base.wrapping_add(bytes) };
    Outcome::Constant(Literal::Int(address))
}

const fn divides(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::IntDiv | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::FloorMod)
}

/// What integer arithmetic leaves unchanged, or decides, with one operand known.
fn identity(it: &Binary, (x, y): (Option<Literal>, Option<Literal>)) -> Outcome {
    let int = |literal: Option<Literal>| literal.and_then(Literal::as_int);
    let by_right = match int(y) {
        Some(0) => right_zero(it),
        Some(1) => right_one(it),
        Some(_) | None => Outcome::Keep,
    };
    if !matches!(by_right, Outcome::Keep) {
        return by_right;
    }
    match int(x) {
        Some(0) if it.op.is_commutative() => right_zero(&swapped(it)),
        Some(1) if it.op.is_commutative() => right_one(&swapped(it)),
        Some(_) | None if it.x == it.y => twice(it),
        Some(_) | None => Outcome::Keep,
    }
}

fn swapped(it: &Binary) -> Binary {
    Binary { op: it.op, x: it.y, y: it.x }
}

/// `x op 0`.
fn right_zero(it: &Binary) -> Outcome {
    let keeps = matches!(
        it.op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::Shl
            | BinaryOp::Shr
    );
    if keeps {
        Outcome::Same(it.x)
    } else if matches!(it.op, BinaryOp::Mul | BinaryOp::BitAnd) {
        Outcome::Constant(Literal::Int(0))
    } else {
        Outcome::Keep
    }
}

/// `x op 1`.
fn right_one(it: &Binary) -> Outcome {
    if matches!(it.op, BinaryOp::Mul | BinaryOp::IntDiv | BinaryOp::FloorDiv) {
        Outcome::Same(it.x)
    } else if matches!(it.op, BinaryOp::Rem | BinaryOp::FloorMod) {
        Outcome::Constant(Literal::Int(0))
    } else {
        Outcome::Keep
    }
}

/// `x op x`.
fn twice(it: &Binary) -> Outcome {
    if matches!(it.op, BinaryOp::Sub | BinaryOp::BitXor) {
        Outcome::Constant(Literal::Int(0))
    } else if matches!(
        it.op,
        BinaryOp::Minimum | BinaryOp::Maximum | BinaryOp::BitAnd | BinaryOp::BitOr
    ) {
        Outcome::Same(it.x)
    } else {
        Outcome::Keep
    }
}
