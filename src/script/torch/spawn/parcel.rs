//! Values on their way from one rank to another: copies, as pickling makes.

use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::Array;
use crate::script::args::Given;
use crate::script::dict::Dict;
use crate::script::dtypes::{DTypeValue, dtype_value};
use crate::script::evaluator::{Evaluator, hashable};
use crate::script::fault::{Fault, Result};
use crate::script::torch::Torch;
use crate::script::torch::tensor::{DeviceTensor, TensorValue};
use crate::script::value::Value;
use crate::source::Span;

/// The deepest nesting of what is sent.
const MAX_DEPTH: u32 = 32;

/// A value, packed.
#[derive(Clone)]
pub(super) enum Parcel {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Tuple(Vec<Parcel>),
    List(Vec<Parcel>),
    Dict(Vec<(Parcel, Parcel)>),
    /// A function of the file, by name.
    Function(String),
    Kernel(String),
    DType(DType),
    Torch,
    /// The tensor itself: the machine is one.
    Device(DeviceTensor),
    /// A copy of an array.
    Host(Array),
    /// Not known without data, since this text.
    Unknown(Span),
}

impl Parcel {
    /// Packs a value.
    ///
    /// # Errors
    /// It is what no process can send another.
    pub(super) fn pack(evaluator: &mut Evaluator<'_>, given: &Given, depth: u32) -> Result<Parcel> {
        if depth > MAX_DEPTH {
            let message = format!("an argument of a rank nests more than {MAX_DEPTH} deep");
            return Err(Fault::new(hosting::HOST_BUDGET, message, given.span, "too deep"));
        }
        let mut inner = |value: &Value| {
            let part = Given { value: value.clone(), span: given.span };
            Parcel::pack(evaluator, &part, depth + 1)
        };
        Ok(match &given.value {
            Value::None => Parcel::None,
            Value::Bool(value) => Parcel::Bool(*value),
            Value::Int(value) => Parcel::Int(*value),
            Value::Float(value) => Parcel::Float(*value),
            Value::Str(text) => Parcel::Str(text.to_string()),
            Value::Kernel(name) => Parcel::Kernel(name.to_string()),
            Value::Unknown(span) => Parcel::Unknown(*span),
            Value::Tuple(items) => {
                Parcel::Tuple(items.values().iter().map(inner).collect::<Result<_>>()?)
            }
            Value::List(list) => {
                let items = list.0.borrow().clone();
                Parcel::List(items.iter().map(inner).collect::<Result<_>>()?)
            }
            Value::Dict(dict) => {
                let entries: Vec<(Value, Value)> =
                    dict.0.borrow().iter().map(|(key, it)| (key.clone(), it.clone())).collect();
                let both = |(key, it): &(Value, Value)| Ok((inner(key)?, inner(it)?));
                Parcel::Dict(entries.iter().map(both).collect::<Result<_>>()?)
            }
            Value::Object(_) => Parcel::object(evaluator, given)?,
            Value::Function(_) | Value::Native(_) | Value::Method(_) | Value::Range(_) => {
                match evaluator.global_name(&given.value) {
                    Some(name) => Parcel::Function(name),
                    None => return Err(cannot(given)),
                }
            }
        })
    }

    fn object(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<Parcel> {
        if given.value.downcast::<Torch>().is_some() {
            return Ok(Parcel::Torch);
        }
        if let Some(dtype) = given.value.downcast::<DTypeValue>() {
            return Ok(Parcel::DType(dtype.0));
        }
        let Some(tensor) = given.value.downcast::<TensorValue>() else { return Err(cannot(given)) };
        if let Some(tensor) = tensor.on_machine() {
            return Ok(Parcel::Device(tensor));
        }
        let array = tensor.read(evaluator, given.span)?;
        Ok(array.map_or(Parcel::Unknown(given.span), |array| Parcel::Host(array.detached())))
    }

    /// The value, in the rank that has got it.
    pub(super) fn unpack(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Value> {
        Ok(match self {
            Parcel::None => Value::None,
            Parcel::Bool(value) => Value::Bool(*value),
            Parcel::Int(value) => Value::Int(*value),
            Parcel::Float(value) => Value::Float(*value),
            Parcel::Str(text) => Value::str(text),
            Parcel::Kernel(name) => Value::Kernel(name.as_str().into()),
            Parcel::Unknown(span) => Value::Unknown(*span),
            Parcel::DType(dtype) => dtype_value(*dtype),
            Parcel::Torch => Value::object(Torch),
            Parcel::Device(tensor) => Value::object(tensor.value()),
            Parcel::Host(array) => {
                Value::object(TensorValue::of_array(evaluator, array.clone(), span)?)
            }
            Parcel::Function(name) => evaluator.global(name)?.unwrap_or(Value::None),
            Parcel::Tuple(items) => Value::tuple(unpack_all(evaluator, items, span)?),
            Parcel::List(items) => Value::list(unpack_all(evaluator, items, span)?),
            Parcel::Dict(entries) => {
                let mut dict = Dict::default();
                for (key, value) in entries {
                    let key = key.unpack(evaluator, span)?;
                    let value = value.unpack(evaluator, span)?;
                    dict.set(hashable(&key, span)?, key, value);
                }
                Value::dict(dict)
            }
        })
    }
}

fn unpack_all(evaluator: &mut Evaluator<'_>, items: &[Parcel], span: Span) -> Result<Vec<Value>> {
    items.iter().map(|item| item.unpack(evaluator, span)).collect()
}

fn cannot(given: &Given) -> Fault {
    let found = given.value.a_type();
    let message = format!("{found} cannot be sent to another rank");
    Fault::new(hosting::HOST_TYPE, message, given.span, format!("holds {found}"))
        .note("numbers, text, tuples, lists, dicts, tensors, `torch` and functions of the file can")
}
