//! What libraries give to host functions: objects, their operators, and native functions.

use std::any::Any;
use std::rc::Rc;

use super::args::Args;
use super::dict::Key;
use super::evaluator::Evaluator;
use super::fault::Result;
use super::value::Value;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, CompareOp, UnaryOp};

/// A function written in Rust.
pub(super) struct Native {
    /// Its name.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) run: fn(&mut Evaluator<'_>, Args) -> Result<Value>,
    /// What becomes of it where an argument is unknown for want of data.
    pub(super) without_data: WithoutData,
}

/// How a native function treats unknown arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithoutData {
    /// It is not called: its result is unknown, too.
    Unknown,
    /// It is not called: the check is counted as skipped.
    Skip,
    /// It sees them.
    Call,
}

/// A method taken from its value, to be called later.
pub(super) struct Method {
    /// The value.
    pub(super) receiver: Value,
    /// The method's name.
    pub(super) name: String,
}

/// A value of a library. Every operation it does not override is refused with a message that
/// names its type.
pub(super) trait Object {
    /// What to call its type in messages.
    fn type_name(&self) -> String;

    /// Itself, to be looked at by the library it belongs to.
    fn as_any(&self) -> &dyn Any;

    /// The names of its attributes and methods.
    fn names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The value of an attribute; `None` where there is none of this name.
    fn attribute(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        span: Span,
    ) -> Result<Option<Value>> {
        let _ = (evaluator, name, span);
        Ok(None)
    }

    /// Calls a method; `None` where there is none of this name.
    fn call_method(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        args: &Args,
    ) -> Result<Option<Value>> {
        let _ = (evaluator, name, args);
        Ok(None)
    }

    /// `self(args)`; `None` where it cannot be called.
    fn call(&self, evaluator: &mut Evaluator<'_>, args: &Args) -> Result<Option<Value>> {
        let _ = (evaluator, args);
        Ok(None)
    }

    /// `self op other`, or `other op self` where `reflected`; `None` where it is not for these.
    fn binary(
        &self,
        evaluator: &mut Evaluator<'_>,
        operation: BinaryOperation<'_>,
    ) -> Result<Option<Value>> {
        let _ = (evaluator, operation);
        Ok(None)
    }

    /// `self op other` for an ordering or equality; `None` where it is not for these.
    fn compare(
        &self,
        evaluator: &mut Evaluator<'_>,
        comparison: Comparison<'_>,
    ) -> Result<Option<Value>> {
        let _ = (evaluator, comparison);
        Ok(None)
    }

    /// `op self`; `None` where it has none.
    fn unary(
        &self,
        evaluator: &mut Evaluator<'_>,
        op: UnaryOp,
        span: Span,
    ) -> Result<Option<Value>> {
        let _ = (evaluator, op, span);
        Ok(None)
    }

    /// `self[index]`; `None` where it cannot be indexed.
    fn subscript(
        &self,
        evaluator: &mut Evaluator<'_>,
        index: &Subscript,
        span: Span,
    ) -> Result<Option<Value>> {
        let _ = (evaluator, index, span);
        Ok(None)
    }

    /// `self[index] = value`; `false` where it cannot be assigned to.
    fn set_subscript(
        &self,
        evaluator: &mut Evaluator<'_>,
        index: &Subscript,
        value: &Value,
        span: Span,
    ) -> Result<bool> {
        let _ = (evaluator, index, value, span);
        Ok(false)
    }

    /// Its truth value; `None` where it has none.
    fn truth(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Value>> {
        let _ = (evaluator, span);
        Ok(Some(Value::Bool(true)))
    }

    /// `len(self)`; `None` where it has none.
    fn len(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Value>> {
        let _ = (evaluator, span);
        Ok(None)
    }

    /// What iterating over it gives; `None` where it cannot be iterated over.
    fn items(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Vec<Value>>> {
        let _ = (evaluator, span);
        Ok(None)
    }

    /// The single number it is, for `float()`, `int()` and formats; `None` where it is none.
    fn number(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Value>> {
        let _ = (evaluator, span);
        Ok(None)
    }

    /// How it prints.
    fn show(&self, evaluator: &mut Evaluator<'_>) -> Result<String> {
        let _ = evaluator;
        Ok(format!("<{}>", self.type_name()))
    }

    /// What it is as a key of a dict, if it can be one.
    fn key(&self) -> Option<Key> {
        None
    }
}

/// `left op right`, as one of its operands is asked to do it.
pub(super) struct BinaryOperation<'v> {
    /// The operator.
    pub(super) op: BinaryOp,
    /// The other operand.
    pub(super) other: &'v Value,
    /// Whether the object asked is the right operand.
    pub(super) reflected: bool,
    /// Where.
    pub(super) span: Span,
}

/// `left op right`, as its left operand is asked to do it.
pub(super) struct Comparison<'v> {
    /// The operator.
    pub(super) op: CompareOp,
    /// The right operand.
    pub(super) other: &'v Value,
    /// Where.
    pub(super) span: Span,
}

impl Comparison<'_> {
    /// The answer of values that can only be the same or not.
    pub(super) fn equality(&self, same: bool) -> Option<Value> {
        match self.op {
            CompareOp::Eq => Some(Value::Bool(same)),
            CompareOp::Ne => Some(Value::Bool(!same)),
            CompareOp::Lt
            | CompareOp::Le
            | CompareOp::Gt
            | CompareOp::Ge
            | CompareOp::Is
            | CompareOp::IsNot
            | CompareOp::In
            | CompareOp::NotIn => None,
        }
    }
}

/// What stands in `value[…]`.
#[derive(Clone)]
pub(super) enum Subscript {
    /// A value.
    At(Value, Span),
    /// `lower:upper:step`, each an int if given.
    Slice(SliceBounds, Span),
    /// Several, with commas between them.
    Many(Vec<Subscript>, Span),
}

/// The three parts of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SliceBounds {
    /// The first index.
    pub(super) lower: Option<i128>,
    /// The first index not taken.
    pub(super) upper: Option<i128>,
    /// The distance.
    pub(super) step: Option<i128>,
}

impl Subscript {
    /// Where it was written.
    pub(super) fn span(&self) -> Span {
        match self {
            Subscript::At(_, span) | Subscript::Slice(_, span) | Subscript::Many(_, span) => *span,
        }
    }
}

/// A library whose members are native functions, constants and other modules: `math`.
pub(super) struct Module {
    /// Its name.
    pub(super) name: &'static str,
    /// Its functions.
    pub(super) functions: &'static [Native],
    /// Its numbers.
    pub(super) constants: &'static [(&'static str, f64)],
}

impl Object for Module {
    fn type_name(&self) -> String {
        format!("module `{}`", self.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        let functions = self.functions.iter().map(|native| native.name);
        functions.chain(self.constants.iter().map(|(name, _)| *name)).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        let function = self.functions.iter().find(|native| native.name == name);
        let constant = self.constants.iter().find(|(known, _)| *known == name);
        Ok(function.map(Value::Native).or(constant.map(|(_, value)| Value::Float(*value))))
    }
}

impl Method {
    /// `receiver.name` as a value.
    pub(super) fn value(receiver: Value, name: &str) -> Value {
        Value::Method(Rc::new(Method { receiver, name: name.to_owned() }))
    }
}
