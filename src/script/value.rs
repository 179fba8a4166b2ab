//! What host functions compute with.

use std::cell::RefCell;
use std::rc::Rc;

use super::dict::Dict;
use super::evaluator::Closure;
use super::object::{Method, Native, Object};
use crate::source::Span;

/// A value of a host function. Lists and dicts are shared by all that hold them, as in Python.
#[derive(Clone)]
pub(super) enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer; what does not fit 128 bits is refused.
    Int(i128),
    /// A float.
    Float(f64),
    /// A string.
    Str(Rc<str>),
    /// A tuple.
    Tuple(Rc<Items>),
    /// A list.
    List(Rc<List>),
    /// A dict.
    Dict(Rc<DictCell>),
    /// What `range` gives.
    Range(Rc<Range>),
    /// A host function or a lambda.
    Function(Rc<Closure>),
    /// A kernel of the file, by name.
    Kernel(Rc<str>),
    /// A built-in function.
    Native(&'static Native),
    /// `value.method`, not called yet.
    Method(Rc<Method>),
    /// Anything of a library: `torch`, a tensor, a dtype.
    Object(Rc<dyn Object>),
    /// A value that depends on data in a run that has none; made at this place.
    Unknown(Span),
}

/// The values of a tuple.
pub(super) struct Items(Vec<Value>);

/// The values of a list.
pub(super) struct List(pub(super) RefCell<Vec<Value>>);

/// The entries of a dict.
pub(super) struct DictCell(pub(super) RefCell<Dict>);

/// `range(start, stop, step)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first number, if there is any.
    pub(super) start: i128,
    /// The first number not reached.
    pub(super) stop: i128,
    /// The distance; never zero.
    pub(super) step: i128,
}

impl Range {
    /// How many numbers it has.
    pub(super) fn len(&self) -> i128 {
        let (from, to, step) = match self.step > 0 {
            true => (self.start, self.stop, self.step),
            false => (self.stop, self.start, self.step.saturating_neg()),
        };
        let distance = to.saturating_sub(from);
        if distance <= 0 { 0 } else { (distance - 1) / step + 1 }
    }

    /// Its number at `index`, which is below its length.
    pub(super) fn at(&self, index: i128) -> i128 {
        self.start.saturating_add(self.step.saturating_mul(index))
    }

    /// Whether `value` is one of its numbers.
    pub(super) fn contains(&self, value: i128) -> bool {
        let inside = match self.step > 0 {
            true => self.start <= value && value < self.stop,
            false => self.stop < value && value <= self.start,
        };
        inside && value.saturating_sub(self.start) % self.step == 0
    }
}

impl Value {
    /// A string.
    pub(super) fn str(text: impl AsRef<str>) -> Value {
        Value::Str(Rc::from(text.as_ref()))
    }

    /// A tuple.
    pub(super) fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(Rc::new(Items(items)))
    }

    /// A new list.
    pub(super) fn list(items: Vec<Value>) -> Value {
        Value::List(Rc::new(List(RefCell::new(items))))
    }

    /// A new dict.
    pub(super) fn dict(entries: Dict) -> Value {
        Value::Dict(Rc::new(DictCell(RefCell::new(entries))))
    }

    /// A value of a library.
    pub(super) fn object(object: impl Object + 'static) -> Value {
        Value::Object(Rc::new(object))
    }

    /// What Python calls its type.
    pub(super) fn type_name(&self) -> String {
        match self {
            Value::None => "None".into(),
            Value::Bool(_) => "bool".into(),
            Value::Int(_) => "int".into(),
            Value::Float(_) => "float".into(),
            Value::Str(_) => "str".into(),
            Value::Tuple(_) => "tuple".into(),
            Value::List(_) => "list".into(),
            Value::Dict(_) => "dict".into(),
            Value::Range(_) => "range".into(),
            Value::Function(_) | Value::Native(_) | Value::Method(_) => "function".into(),
            Value::Kernel(_) => "kernel".into(),
            Value::Object(object) => object.type_name(),
            Value::Unknown(_) => "value unknown without data".into(),
        }
    }

    /// The type with its article, for sentences: "an int", "a tensor".
    pub(super) fn a_type(&self) -> String {
        if matches!(self, Value::None) {
            return "None".into();
        }
        let name = self.type_name();
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        format!("{article} {name}")
    }

    /// The object of a library of type `T`, if it is one.
    pub(super) fn downcast<T: 'static>(&self) -> Option<&T> {
        let Value::Object(object) = self else { return None };
        object.as_any().downcast_ref()
    }

    /// Where it became unknown, if it did.
    pub(super) fn unknown(&self) -> Option<Span> {
        let Value::Unknown(span) = self else { return None };
        Some(*span)
    }

    /// The integer that it is as an index or a count: an int or a bool.
    pub(super) fn as_int(&self) -> Option<i128> {
        match (self, self.as_bool()) {
            (Value::Int(value), _) => Some(*value),
            (_, Some(value)) => Some(i128::from(value)),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub(super) fn as_bool(&self) -> Option<bool> {
        let Value::Bool(value) = self else { return None };
        Some(*value)
    }

    /// The number that it is, as a float.
    pub(super) fn as_float(&self) -> Option<f64> {
        if let Value::Float(value) = self {
            return Some(*value);
        }
        self.as_int().map(|value| value as f64)
    }

    /// The text, if it is a string.
    pub(super) fn as_str(&self) -> Option<&str> {
        let Value::Str(text) = self else { return None };
        Some(text)
    }

    /// The values of a tuple or a list.
    pub(super) fn as_sequence(&self) -> Option<Vec<Value>> {
        if let Value::Tuple(items) = self {
            return Some(items.0.clone());
        }
        let Value::List(list) = self else { return None };
        Some(list.0.borrow().clone())
    }
}

impl Items {
    /// The values, in order.
    pub(super) fn values(&self) -> &[Value] {
        &self.0
    }
}

/// Takes apart nested values one by one: a list that holds a list, a million deep, would
/// otherwise be dropped by a recursion as deep.
fn dismantle(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::Tuple(items) => {
                if let Some(mut items) = Rc::into_inner(items) {
                    pending.append(&mut items.0);
                }
            }
            Value::List(list) => {
                if let Some(list) = Rc::into_inner(list) {
                    pending.append(&mut list.0.borrow_mut());
                }
            }
            Value::Dict(dict) => {
                if let Some(dict) = Rc::into_inner(dict) {
                    pending.append(&mut dict.0.borrow_mut().drain());
                }
            }
            Value::Function(closure) => {
                if let Some(closure) = Rc::into_inner(closure) {
                    pending.append(&mut closure.into_values());
                }
            }
            Value::Method(method) => {
                if let Some(method) = Rc::into_inner(method) {
                    pending.push(method.receiver);
                }
            }
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Range(_)
            | Value::Kernel(_)
            | Value::Native(_)
            | Value::Object(_)
            | Value::Unknown(_) => {}
        }
    }
}

/// Whether dropping `value` may drop others.
fn holds_values(value: &Value) -> bool {
    matches!(
        value,
        Value::Tuple(_) | Value::List(_) | Value::Dict(_) | Value::Function(_) | Value::Method(_)
    )
}

fn dismantle_nested(values: Vec<Value>) {
    if values.iter().any(holds_values) {
        dismantle(values);
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        dismantle_nested(std::mem::take(&mut self.0));
    }
}

impl Drop for List {
    fn drop(&mut self) {
        dismantle_nested(std::mem::take(self.0.get_mut()));
    }
}

impl Drop for DictCell {
    fn drop(&mut self) {
        dismantle_nested(self.0.get_mut().drain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_as_python_s() {
        let range = |start, stop, step| Range { start, stop, step };
        assert_eq!(range(0, 10, 3).len(), 4);
        assert_eq!(range(10, 0, -3).len(), 4);
        assert_eq!(range(0, 0, 1).len(), 0);
        assert_eq!(range(0, 10, -1).len(), 0);
        assert_eq!(range(10, 0, -3).at(3), 1);
        assert!(range(10, 0, -3).contains(4));
        assert!(!range(10, 0, -3).contains(0));
        assert_eq!(range(i128::MIN, i128::MAX, 1).len(), i128::MAX);
    }

    #[test]
    fn deep_nesting_is_dropped_without_recursion() {
        let mut value = Value::list(vec![]);
        for _ in 0..200_000 {
            value = Value::tuple(vec![Value::list(vec![value])]);
        }
        drop(value);
    }
}
