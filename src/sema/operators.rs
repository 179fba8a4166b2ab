//! The operators of the language on numbers, scalars, tiles and pointers.

use super::analysis::{Analysis, Style};
use super::errors::{constexpr, habits, operands as errors, pointers};
use super::fold;
use super::operands::Meeting;
use super::promote::Rule;
use super::value::{Constant, Pointer, Spanned, Val};
use crate::dtype::DType;
use crate::ir::{self, TileType, Type, Value};
use crate::ops::{BinaryOp, CompareOp, UnaryOp};
use crate::source::Span;
use crate::syntax::ast;

/// The text of an operator.
pub(super) const fn symbol(op: ast::BinaryOp) -> &'static str {
    match op {
        ast::BinaryOp::Add => "+",
        ast::BinaryOp::Sub => "-",
        ast::BinaryOp::Mul => "*",
        ast::BinaryOp::Div => "/",
        ast::BinaryOp::FloorDiv => "//",
        ast::BinaryOp::Mod => "%",
        ast::BinaryOp::Pow => "**",
        ast::BinaryOp::MatMul => "@",
        ast::BinaryOp::BitAnd => "&",
        ast::BinaryOp::BitOr => "|",
        ast::BinaryOp::BitXor => "^",
        ast::BinaryOp::Shl => "<<",
        ast::BinaryOp::Shr => ">>",
    }
}

impl Analysis<'_> {
    /// `left op right`.
    pub(super) fn binary(
        &mut self,
        op: ast::BinaryOp,
        left: &Spanned,
        right: &Spanned,
        span: Span,
    ) -> Val {
        if left.val.is_error() || right.val.is_error() {
            return Val::Error;
        }
        match (&left.val, &right.val) {
            (Val::Const(x), Val::Const(y)) => self.fold(op, (x, y), span),
            (Val::Tuple(x), Val::Tuple(y)) if op == ast::BinaryOp::Add => {
                Val::Tuple(x.iter().chain(y).cloned().collect())
            }
            (Val::Pointer(_), _) | (_, Val::Pointer(_)) => self.offset(op, left, right, span),
            _ => self.binary_elementwise(op, left, right, span),
        }
    }

    fn fold(&mut self, op: ast::BinaryOp, (x, y): (&Constant, &Constant), span: Span) -> Val {
        match fold::binary(op, x, y) {
            Ok(result) => Val::Const(result),
            Err(failure) => {
                let text = [x, y].map(super::describe::constant);
                self.report(constexpr::fold_failed(failure, symbol(op), &text, span))
            }
        }
    }

    fn binary_elementwise(
        &mut self,
        op: ast::BinaryOp,
        left: &Spanned,
        right: &Spanned,
        span: Span,
    ) -> Val {
        let tiles = self.tile(&left.val).is_some() || self.tile(&right.val).is_some();
        let rule = match op {
            ast::BinaryOp::MatMul => return self.report(habits::matmul(span, tiles)),
            ast::BinaryOp::Pow => return self.report(habits::power(span, tiles)),
            ast::BinaryOp::Add | ast::BinaryOp::Sub | ast::BinaryOp::Mul => Rule::Arithmetic,
            ast::BinaryOp::Div if self.keeps_float(left, right) => Rule::Arithmetic,
            ast::BinaryOp::Mod if self.keeps_float(left, right) => Rule::Arithmetic,
            ast::BinaryOp::Div => Rule::Divide,
            ast::BinaryOp::FloorDiv => Rule::FloorDivide,
            ast::BinaryOp::Mod => Rule::Remainder,
            ast::BinaryOp::BitAnd
            | ast::BinaryOp::BitOr
            | ast::BinaryOp::BitXor
            | ast::BinaryOp::Shl
            | ast::BinaryOp::Shr => Rule::Bitwise,
        };
        let what = format!("the operands of `{}`", symbol(op));
        let Some(meeting) = self.meet(&what, &[left, right], rule, span) else {
            return Val::Error;
        };
        let ir_op = self.ir_op(op, &meeting);
        let result = self.emit_binary(ir_op, meeting, span);
        self.note_root(op, (left, right), result);
        Val::Value(result)
    }

    /// In `tl` kernels `/` and `%` of float tiles keep their element type, as in NumPy.
    fn keeps_float(&self, left: &Spanned, right: &Spanned) -> bool {
        let float_tile =
            |it: &Spanned| self.tile(&it.val).is_some_and(|tile| tile.dtype.is_float());
        self.frame.style == Style::Tl && (float_tile(left) || float_tile(right))
    }

    /// `//` and `%` floor on the scalars of a `tl` kernel, as in Python, and truncate elsewhere.
    fn ir_op(&self, op: ast::BinaryOp, meeting: &Meeting) -> BinaryOp {
        let python = self.is_python(&meeting.symbols) && meeting.dims.is_none();
        let float = meeting.dtype.is_float();
        match op {
            ast::BinaryOp::Add => BinaryOp::Add,
            ast::BinaryOp::Sub => BinaryOp::Sub,
            ast::BinaryOp::Mul => BinaryOp::Mul,
            ast::BinaryOp::Div => BinaryOp::Div,
            ast::BinaryOp::FloorDiv if python => BinaryOp::FloorDiv,
            ast::BinaryOp::FloorDiv => BinaryOp::IntDiv,
            ast::BinaryOp::Mod if python && !float => BinaryOp::FloorMod,
            ast::BinaryOp::Mod => BinaryOp::Rem,
            ast::BinaryOp::BitAnd => BinaryOp::BitAnd,
            ast::BinaryOp::BitOr => BinaryOp::BitOr,
            ast::BinaryOp::BitXor => BinaryOp::BitXor,
            ast::BinaryOp::Shl => BinaryOp::Shl,
            // Refused before.
            ast::BinaryOp::Shr | ast::BinaryOp::Pow | ast::BinaryOp::MatMul => BinaryOp::Shr,
        }
    }

    /// `op` on operands that have met.
    pub(super) fn emit_binary(&mut self, op: BinaryOp, meeting: Meeting, span: Span) -> Value {
        let Meeting { values, dtype, dims, symbols } = meeting;
        let [x, y] = values.as_slice() else { unreachable!("two operands met") };
        let build = &mut self.frame.build;
        let result = match dims {
            None => build.binary_scalar(op, *x, *y, span),
            Some(dims) => {
                let ty = Type::Tile(TileType::new(dims, dtype));
                build.emit_value(ir::Binary { op, x: *x, y: *y }, ty, span)
            }
        };
        self.frame.symbols.set(result, &symbols);
        result
    }

    /// A sum of parameters and integers may be an address; what else is computed with is none.
    fn note_root(&mut self, op: ast::BinaryOp, (left, right): (&Spanned, &Spanned), result: Value) {
        let operands = [left, right].map(|it| it.val.value().into_iter().collect::<Vec<Value>>());
        let pointers = &mut self.frame.pointers;
        match op {
            ast::BinaryOp::Add => pointers.derive(result, &operands.concat()),
            ast::BinaryOp::Sub => {
                pointers.derive(result, &operands[0]);
                operands[1].iter().for_each(|it| pointers.integer(*it));
            }
            ast::BinaryOp::Mul
            | ast::BinaryOp::Div
            | ast::BinaryOp::FloorDiv
            | ast::BinaryOp::Mod
            | ast::BinaryOp::Pow
            | ast::BinaryOp::MatMul
            | ast::BinaryOp::BitAnd
            | ast::BinaryOp::BitOr
            | ast::BinaryOp::BitXor
            | ast::BinaryOp::Shl
            | ast::BinaryOp::Shr => operands.concat().iter().for_each(|it| pointers.integer(*it)),
        }
    }

    /// `pointer + offset`, `offset + pointer`, `pointer - offset`.
    fn offset(&mut self, op: ast::BinaryOp, left: &Spanned, right: &Spanned, span: Span) -> Val {
        let (pointer, offset) = match (&left.val, &right.val, op) {
            (Val::Pointer(it), other, ast::BinaryOp::Add | ast::BinaryOp::Sub)
                if !matches!(other, Val::Pointer(_)) =>
            {
                (*it, right)
            }
            (_, Val::Pointer(it), ast::BinaryOp::Add) if !matches!(left.val, Val::Pointer(_)) => {
                (*it, left)
            }
            _ => {
                let found = [self.describe(&left.val), self.describe(&right.val)];
                return self.report(pointers::bad_arithmetic(symbol(op), &found, span));
            }
        };
        if let Some(dtype) = self.tile(&offset.val).map(|tile| tile.dtype) {
            if !dtype.is_int() {
                let found = self.describe(&offset.val);
                return self.report(pointers::offset_is_no_integer(&found, offset.span));
            }
            return self.offset_by_tile(op, pointer, offset, span);
        }
        let Some(count) = self.integer_scalar(offset) else {
            let found = self.describe(&offset.val);
            return self.report(pointers::offset_is_no_integer(&found, offset.span));
        };
        let op = if op == ast::BinaryOp::Sub { BinaryOp::Sub } else { BinaryOp::Add };
        let moved = ir::Binary { op, x: pointer.address, y: count };
        let address = self.frame.build.once(moved, Type::Pointer(pointer.dtype), span);
        Val::Pointer(Pointer { address, ..pointer })
    }

    /// `pointer + tile`, `pointer - tile`: an address for each element. Addresses have 64 bits,
    /// so offsets are widened before they are added to others.
    fn offset_by_tile(
        &mut self,
        op: ast::BinaryOp,
        pointer: Pointer,
        offset: &Spanned,
        span: Span,
    ) -> Val {
        let Some(tile) = offset.val.value() else { return Val::Error };
        let wide = Val::Value(self.cast(tile, DType::I64, offset.span));
        let mut moved = Spanned { val: wide, span: offset.span };
        if op == ast::BinaryOp::Sub {
            moved.val = self.unary(ast::UnaryOp::Neg, &moved, span);
        }
        if let Some(before) = pointer.offsets {
            let before = Spanned { val: Val::Value(before), span };
            moved.val = self.binary(ast::BinaryOp::Add, &before, &moved, span);
        }
        match moved.val.value() {
            Some(offsets) => Val::Pointer(Pointer { offsets: Some(offsets), ..pointer }),
            None => Val::Error,
        }
    }

    /// `val`, an integer or an integer scalar, as an `i64` scalar; `None` if it is neither.
    pub(super) fn integer_scalar(&mut self, val: &Spanned) -> Option<Value> {
        if let Some(known) = val.val.constant().and_then(Constant::as_int) {
            let known = i64::try_from(known).ok()?;
            return Some(self.frame.build.int(known, val.span));
        }
        self.integer_as(val, DType::I64)
    }

    /// `val`, an integer or an integer scalar, as a scalar of an integer type; `None` if it is
    /// neither.
    pub(super) fn integer_as(&mut self, val: &Spanned, dtype: DType) -> Option<Value> {
        if let Some(known) = val.val.constant().filter(|it| it.as_int().is_some()).cloned() {
            return self.number_as(&known, dtype, val.span);
        }
        let value = val.val.value()?;
        self.scalar(&val.val).filter(|own| own.is_int())?;
        Some(self.cast(value, dtype, val.span))
    }

    /// `op operand`.
    pub(super) fn unary(&mut self, op: ast::UnaryOp, operand: &Spanned, span: Span) -> Val {
        if operand.val.is_error() {
            return Val::Error;
        }
        let zero = Spanned { val: Val::int(0), span: operand.span };
        match (op, &operand.val) {
            (ast::UnaryOp::Not, _) => self.not(operand),
            (ast::UnaryOp::Neg, Val::Const(Constant::Float(value))) => {
                Val::Const(Constant::Float(-value))
            }
            (ast::UnaryOp::Neg, Val::Const(_)) => {
                self.binary(ast::BinaryOp::Sub, &zero, operand, span)
            }
            (ast::UnaryOp::Pos, Val::Const(_)) => {
                self.binary(ast::BinaryOp::Add, &zero, operand, span)
            }
            (ast::UnaryOp::Invert, Val::Const(constant)) => match constant.as_int() {
                Some(value) => Val::int(!value),
                None => self.bad_operand("~", operand),
            },
            (ast::UnaryOp::Neg, _) => self.unary_elementwise("-", UnaryOp::Neg, operand, span),
            (ast::UnaryOp::Invert, _) => {
                self.unary_elementwise("~", UnaryOp::BitNot, operand, span)
            }
            (ast::UnaryOp::Pos, _) if self.is_numeric(&operand.val) => operand.val.clone(),
            (ast::UnaryOp::Pos, _) => self.bad_operand("+", operand),
        }
    }

    fn bad_operand(&mut self, symbol: &str, operand: &Spanned) -> Val {
        let found = self.describe(&operand.val);
        let what = format!("the operand of `{symbol}`");
        self.report(errors::not_an_operand(&what, &found, operand.span, false))
    }

    fn is_numeric(&self, val: &Val) -> bool {
        self.tile(val).is_some() || self.scalar(val).is_some()
    }

    fn unary_elementwise(
        &mut self,
        symbol: &str,
        op: UnaryOp,
        operand: &Spanned,
        span: Span,
    ) -> Val {
        let what = format!("the operand of `{symbol}`");
        let rule = if op == UnaryOp::BitNot { Rule::Bitwise } else { Rule::Arithmetic };
        let Some(meeting) = self.meet(&what, &[operand], rule, span) else { return Val::Error };
        if rule == Rule::Bitwise && meeting.dtype.is_float() {
            let found = self.describe(&operand.val);
            return self.report(errors::needs_int(&what, &found, operand.span));
        }
        self.emit_unary(op, meeting, span)
    }

    /// `op` on an operand.
    pub(super) fn emit_unary(&mut self, op: UnaryOp, meeting: Meeting, span: Span) -> Val {
        let Meeting { values, dtype, dims, symbols } = meeting;
        let [x] = values.as_slice() else { unreachable!("one operand met") };
        let build = &mut self.frame.build;
        let result = match dims {
            None => build.unary_scalar(op, *x, span),
            Some(dims) => {
                let ty = Type::Tile(TileType::new(dims, dtype));
                build.emit_value(ir::Unary { op, x: *x }, ty, span)
            }
        };
        self.frame.symbols.set(result, &symbols);
        Val::Value(result)
    }

    /// `left op right`, one link of a chain.
    pub(super) fn compare(
        &mut self,
        op: ast::CompareOp,
        left: &Spanned,
        right: &Spanned,
        span: Span,
    ) -> Val {
        if left.val.is_error() || right.val.is_error() {
            return Val::Error;
        }
        let ir_op = match op {
            ast::CompareOp::Lt => CompareOp::Lt,
            ast::CompareOp::Le => CompareOp::Le,
            ast::CompareOp::Gt => CompareOp::Gt,
            ast::CompareOp::Ge => CompareOp::Ge,
            ast::CompareOp::Eq => CompareOp::Eq,
            ast::CompareOp::Ne => CompareOp::Ne,
            ast::CompareOp::Is | ast::CompareOp::IsNot => return self.is(op, left, right, span),
            ast::CompareOp::In | ast::CompareOp::NotIn => {
                return self.contains(op, left, right, span);
            }
        };
        if let (Val::Const(x), Val::Const(y)) = (&left.val, &right.val)
            && let Some(result) = fold::compare(op, x, y)
        {
            return Val::Const(Constant::Bool(result));
        }
        if let (Val::Tuple(_), Val::Tuple(_)) = (&left.val, &right.val)
            && matches!(op, ast::CompareOp::Eq | ast::CompareOp::Ne)
        {
            let equal = left.val.is_same(&right.val);
            return Val::Const(Constant::Bool(equal == (op == ast::CompareOp::Eq)));
        }
        self.note_integer(&left.val);
        self.note_integer(&right.val);
        if self.assume_like(&left.val, &right.val) || self.assume_like(&right.val, &left.val) {
            return Val::Error;
        }
        let what = format!("the operands of `{}`", ir_op.symbol());
        let Some(meeting) = self.meet(&what, &[left, right], Rule::Arithmetic, span) else {
            return Val::Error;
        };
        self.emit_compare(ir_op, meeting, span)
    }

    /// Assumes that a symbol is what it is compared with, where that is no number.
    fn assume_like(&mut self, symbol: &Val, other: &Val) -> bool {
        if let Val::Const(known @ (Constant::Str(_) | Constant::DType(_))) = other {
            return self.assume(symbol, known);
        }
        false
    }

    fn emit_compare(&mut self, op: CompareOp, meeting: Meeting, span: Span) -> Val {
        let Meeting { values, dims, symbols, .. } = meeting;
        let [x, y] = values.as_slice() else { unreachable!("two operands met") };
        let build = &mut self.frame.build;
        let result = match dims {
            None => build.compare_scalar(op, *x, *y, span),
            Some(dims) => {
                let ty = Type::Tile(TileType::new(dims, DType::I1));
                build.emit_value(ir::Compare { op, x: *x, y: *y }, ty, span)
            }
        };
        self.frame.symbols.set(result, &symbols);
        Val::Value(result)
    }

    /// `is` asks what the compiler holds.
    fn is(&mut self, op: ast::CompareOp, left: &Spanned, right: &Spanned, span: Span) -> Val {
        let known = |it: &Spanned| {
            matches!(it.val, Val::Const(Constant::None | Constant::Bool(_) | Constant::DType(_)))
        };
        if !known(left) && !known(right) {
            return self.report(constexpr::is_of_values(span));
        }
        let same = left.val.is_same(&right.val);
        Val::Const(Constant::Bool(same == (op == ast::CompareOp::Is)))
    }

    /// `in` a tuple of what the compiler holds.
    fn contains(&mut self, op: ast::CompareOp, left: &Spanned, right: &Spanned, span: Span) -> Val {
        self.extension("`in`", "Triton compares with `==` only", span);
        let (Val::Const(wanted), Val::Tuple(items)) = (&left.val, &right.val) else {
            return self.report(constexpr::in_of_values(span));
        };
        let mut found = false;
        for item in items {
            let Val::Const(item) = item else { return self.report(constexpr::in_of_values(span)) };
            found |= fold::is_equal(wanted, item);
        }
        Val::Const(Constant::Bool(found == (op == ast::CompareOp::In)))
    }
}
