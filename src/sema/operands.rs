//! Brings the operands of an elementwise op to one element type and one shape.

use super::analysis::{Analysis, Style};
use super::errors::{composite, operands as errors};
use super::promote::{self, Clash, Number, Rule};
use super::value::{Constant, Handle, Spanned, Val, ViewKind};
use crate::dtype::{DType, Rounding};
use crate::ir::{self, Dim, Literal, TileType, Type, Value};
use crate::source::Span;

/// Operands of one element type.
pub(super) struct Meeting {
    /// The operands, as scalars or tiles of `dtype`.
    pub(super) values: Vec<Value>,
    /// What they are computed in.
    pub(super) dtype: DType,
    /// The shape they broadcast to; `None` where all are scalars.
    pub(super) dims: Option<Vec<Dim>>,
    /// The `tl.constexpr` parameters that they are made of, where they are of nothing else.
    pub(super) symbols: Vec<usize>,
}

/// What an operand brings to the choice of the element type.
enum Weight {
    /// A tile, or a scalar with a type of its own.
    Typed(DType),
    /// A Python number, which gives way.
    Number(Number),
}

impl Analysis<'_> {
    /// Brings `operands` together for `what` ("the operands of `+`"). `None` is an error already
    /// said.
    pub(super) fn meet(
        &mut self,
        what: &str,
        operands: &[&Spanned],
        rule: Rule,
        span: Span,
    ) -> Option<Meeting> {
        let dtype = self.common_dtype(what, operands, rule, span)?;
        let dims = self.common_shape(what, operands, span)?;
        let mut values = Vec::new();
        for operand in operands {
            values.push(self.as_dtype(operand, dtype)?);
        }
        let symbols = self.symbols_of_all(operands);
        Some(Meeting { values, dtype, dims, symbols })
    }

    /// The element type that `operands` meet in.
    pub(super) fn common_dtype(
        &mut self,
        what: &str,
        operands: &[&Spanned],
        rule: Rule,
        span: Span,
    ) -> Option<DType> {
        let mut typed: Option<DType> = None;
        let mut numbers = Vec::new();
        for operand in operands {
            match self.weight(what, operand)? {
                Weight::Number(number) => numbers.push((number, operand)),
                Weight::Typed(dtype) => {
                    let met =
                        typed.map_or(Ok(dtype), |so_far| promote::promote(so_far, dtype, rule));
                    typed = Some(self.met(met, what, operands, span)?);
                }
            }
        }
        let Some(mut dtype) = typed else {
            let numbers: Vec<Number> = numbers.into_iter().map(|(number, _)| number).collect();
            let python = self.is_python(&self.symbols_of_all(operands));
            return Some(self.dtype_of_numbers(&numbers, rule, python));
        };
        for (number, operand) in numbers {
            let own = match promote::number_dtype(dtype, number) {
                Ok(own) => own,
                Err(misfit) => {
                    let number = self.describe(&operand.val);
                    self.report(errors::misfit(misfit, &number, dtype, operand.span));
                    return None;
                }
            };
            dtype = self.met(promote::promote(dtype, own, rule), what, operands, span)?;
        }
        Some(dtype)
    }

    fn met(
        &mut self,
        met: Result<DType, Clash>,
        what: &str,
        operands: &[&Spanned],
        span: Span,
    ) -> Option<DType> {
        match met {
            Ok(dtype) => Some(dtype),
            Err(clash) => {
                let found: Vec<String> =
                    operands.iter().map(|it| self.element_text(&it.val)).collect();
                let labels = operands.iter().map(|it| self.dtype_label(&it.val)).collect();
                self.report(errors::dtypes_clash(clash, what, span, (&found, labels)));
                None
            }
        }
    }

    /// The element type of numbers among themselves.
    fn dtype_of_numbers(&self, numbers: &[Number], rule: Rule, python: bool) -> DType {
        let float = numbers.iter().any(|it| matches!(it, Number::Float(_))) || rule == Rule::Divide;
        let logic = rule == Rule::Bitwise && numbers.iter().all(|it| *it == Number::Bool);
        match (float, logic) {
            (true, _) if python => DType::F64,
            (true, _) => DType::F32,
            (false, true) => DType::I1,
            (false, false) if python => DType::I64,
            (false, false) => self.int_dtype(),
        }
    }

    /// The type of an integer of which nothing is known.
    pub(super) fn int_dtype(&self) -> DType {
        match self.frame.style {
            Style::Jit => DType::I32,
            Style::Tl => DType::I64,
        }
    }

    fn weight(&mut self, what: &str, operand: &Spanned) -> Option<Weight> {
        match &operand.val {
            Val::Error => None,
            Val::Const(constant) if constant.is_number() => Some(Weight::Number(number(constant))),
            Val::Value(value) => match self.ty(*value) {
                Type::Scalar(dtype) => Some(self.scalar_weight(*value, *dtype)),
                Type::Tile(tile) => Some(Weight::Typed(tile.dtype)),
                Type::Future(_) | Type::Pointer(_) | Type::Completion => {
                    self.not_an_operand(what, operand)
                }
            },
            Val::Const(_)
            | Val::Tuple(_)
            | Val::Pointer(_)
            | Val::View(_)
            | Val::Handle(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Method(..)
            | Val::Namespace(_)
            | Val::Range(_) => self.not_an_operand(what, operand),
        }
    }

    /// In `tl` kernels the scalars that Python has are Python numbers, whose value only the launch
    /// knows; a scalar converted to another type keeps that type, as all do in `jit` kernels but
    /// symbols.
    fn scalar_weight(&self, value: Value, dtype: DType) -> Weight {
        match (self.is_python(self.frame.symbols.of(value)), dtype) {
            (true, DType::I1) => Weight::Number(Number::Bool),
            (true, DType::I64) => Weight::Number(Number::Int(None)),
            (true, DType::F64) => Weight::Number(Number::Float(None)),
            _ => Weight::Typed(dtype),
        }
    }

    fn not_an_operand(&mut self, what: &str, operand: &Spanned) -> Option<Weight> {
        let found = self.describe(&operand.val);
        if let Val::View(view) = &operand.val
            && view.kind == ViewKind::Reference
        {
            self.report(composite::reference_as_tile(what, &found, operand.span));
            return None;
        }
        let future = operand.val.value().is_some_and(|it| matches!(self.ty(it), Type::Future(_)));
        self.report(errors::not_an_operand(what, &found, operand.span, future));
        None
    }

    /// The shape that the tiles among `operands` broadcast to.
    pub(super) fn common_shape(
        &mut self,
        what: &str,
        operands: &[&Spanned],
        span: Span,
    ) -> Option<Option<Vec<Dim>>> {
        let mut shape: Option<(Vec<Dim>, &Spanned)> = None;
        for operand in operands {
            let Some(tile) = self.tile(&operand.val) else { continue };
            let dims = tile.dims.clone();
            shape = Some(match shape {
                None => (dims, operand),
                Some((so_far, first)) => {
                    (self.broadcast(what, (&so_far, first), (&dims, operand), span)?, operand)
                }
            });
        }
        Some(shape.map(|(dims, _)| dims))
    }

    /// `operand`, a number, scalar or tile, with elements of type `dtype`.
    pub(super) fn as_dtype(&mut self, operand: &Spanned, dtype: DType) -> Option<Value> {
        if let Val::Const(constant) = &operand.val {
            return self.number_as(constant, dtype, operand.span);
        }
        operand.val.value().map(|value| self.cast(value, dtype, operand.span))
    }

    /// A scalar or tile with elements of type `dtype`.
    pub(super) fn cast(&mut self, value: Value, dtype: DType, span: Span) -> Value {
        self.round(value, (dtype, Rounding::NearestEven), span)
    }

    /// A scalar or tile with elements of type `to`, rounded as told.
    pub(super) fn round(
        &mut self,
        value: Value,
        (to, rounding): (DType, Rounding),
        span: Span,
    ) -> Value {
        let build = &mut self.frame.build;
        let result = match build.func.ty(value) {
            Type::Scalar(_) => build.round_scalar(value, (to, rounding), span),
            Type::Tile(tile) if tile.dtype != to => {
                let ty = Type::Tile(TileType::new(tile.dims.clone(), to));
                build.emit_value(ir::Cast { x: value, to, rounding }, ty, span)
            }
            Type::Tile(_) | Type::Pointer(_) | Type::Future(_) | Type::Completion => value,
        };
        if to.is_int() {
            self.frame.pointers.derive(result, &[value]);
        }
        result
    }

    /// The number `constant` as a scalar of type `dtype`, if that holds it.
    pub(super) fn number_as(
        &mut self,
        constant: &Constant,
        dtype: DType,
        span: Span,
    ) -> Option<Value> {
        let literal = match (constant, constant.as_int()) {
            (_, Some(value)) if dtype.is_float() => Literal::Float(value as f64),
            (_, Some(value)) if dtype == DType::I1 => Literal::Int(i64::from(value != 0)),
            (_, Some(value)) if promote::fits(value, dtype) => Literal::Int(value as i64),
            (Constant::Float(value), None) if dtype.is_float() => Literal::Float(*value),
            _ => {
                let found = super::describe::constant(constant);
                self.report(errors::constant_does_not_fit(&found, dtype, span));
                return None;
            }
        };
        let literal = ir::eval::wrap(dtype, literal);
        Some(self.frame.build.constant(literal, dtype, span))
    }

    /// A scalar as a tile of rank 0, which may join others whose element depends on data.
    pub(super) fn lift(&mut self, scalar: Value, span: Span) -> Value {
        let ty = Type::Tile(TileType::new(Vec::new(), self.ty(scalar).dtype()));
        self.frame.build.emit_value(ir::Full { value: scalar }, ty, span)
    }

    /// [`Analysis::lift`] of a scalar; other values as they are.
    pub(super) fn lift_val(&mut self, val: &Val, span: Span) -> Val {
        match val.value().filter(|_| self.scalar(val).is_some()) {
            Some(scalar) => Val::Value(self.lift(scalar, span)),
            None => val.clone(),
        }
    }

    /// The element type of a scalar or of a tile of rank 0, and whether it is a tile.
    pub(super) fn single_element(&self, value: Value) -> Option<(DType, bool)> {
        match self.ty(value) {
            Type::Scalar(dtype) => Some((*dtype, false)),
            Type::Tile(tile) if tile.dims.is_empty() => Some((tile.dtype, true)),
            Type::Tile(_) | Type::Pointer(_) | Type::Future(_) | Type::Completion => None,
        }
    }

    /// A number as a scalar of the type that variables of this style have; other values as they
    /// are.
    pub(super) fn materialize(&mut self, val: &Val, span: Span) -> Val {
        match val {
            Val::Const(constant) if constant.is_number() => {
                let dtype = self.variable_dtype(constant);
                self.number_as(constant, dtype, span).map_or(Val::Error, Val::Value)
            }
            Val::Tuple(items) => {
                Val::Tuple(items.iter().map(|item| self.materialize(item, span)).collect())
            }
            Val::Handle(handle) => {
                let parts = handle.parts.iter().map(|part| self.materialize(part, span));
                Handle::val(handle.kind, parts.collect())
            }
            Val::Value(_) => self.run_time_symbol(val, span),
            Val::Error
            | Val::Const(_)
            | Val::Pointer(_)
            | Val::View(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Method(..)
            | Val::Namespace(_)
            | Val::Range(_) => val.clone(),
        }
    }

    fn variable_dtype(&self, constant: &Constant) -> DType {
        match (constant, self.frame.style) {
            (Constant::Bool(_), _) => DType::I1,
            (Constant::Float(_), Style::Jit) => DType::F32,
            (Constant::Float(_), Style::Tl) => DType::F64,
            (Constant::Int(value), Style::Jit) => promote::int_dtype(*value).unwrap_or(DType::I64),
            _ => DType::I64,
        }
    }
}

fn number(constant: &Constant) -> Number {
    match constant {
        Constant::Float(value) => Number::Float(Some(*value)),
        Constant::Int(value) => Number::Int(Some(*value)),
        Constant::Bool(_) | Constant::None | Constant::Str(_) | Constant::DType(_) => Number::Bool,
    }
}
