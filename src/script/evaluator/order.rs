//! Equality, order and membership.

use std::cmp::Ordering;
use std::rc::Rc;

use super::Evaluator;
use crate::diag::hosting;
use crate::script::dict::Key;
use crate::script::fault::{Fault, Result};
use crate::script::object::Comparison;
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::CompareOp;

/// The deepest nesting of lists and tuples that is compared.
const MAX_NESTING: u32 = 100;

/// Whether two values are equal, as `==` says.
pub(in crate::script) fn equal(
    evaluator: &mut Evaluator<'_>,
    left: &Value,
    right: &Value,
    span: Span,
) -> Result<bool> {
    Ordered { evaluator, span, depth: 0 }.equal(left, right)
}

/// The order of two values, as `<` and `>` say; `None` where a NaN has none.
pub(in crate::script) fn compare(
    evaluator: &mut Evaluator<'_>,
    left: &Value,
    right: &Value,
    spans: (Span, Span),
) -> Result<Option<Ordering>> {
    let span = spans.0.to(spans.1);
    Ordered { evaluator, span, depth: 0 }.compare(left, right)
}

/// Sorts values by their keys, stably.
pub(in crate::script) fn sort(
    evaluator: &mut Evaluator<'_>,
    items: &mut [(Value, Value)],
    descending: bool,
    span: Span,
) -> Result<()> {
    let mut failed = None;
    items.sort_by(|(left, _), (right, _)| {
        if failed.is_some() {
            return Ordering::Equal;
        }
        let order =
            evaluator.spend(1, span).and_then(|()| compare(evaluator, left, right, (span, span)));
        match order {
            Ok(order) if descending => order.unwrap_or(Ordering::Equal).reverse(),
            Ok(order) => order.unwrap_or(Ordering::Equal),
            Err(fault) => {
                failed = Some(fault);
                Ordering::Equal
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

/// `is`: the very same thing.
pub(super) fn identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::None, Value::None) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Str(left), Value::Str(right)) => left == right,
        (Value::List(left), Value::List(right)) => Rc::ptr_eq(left, right),
        (Value::Tuple(left), Value::Tuple(right)) => Rc::ptr_eq(left, right),
        (Value::Dict(left), Value::Dict(right)) => Rc::ptr_eq(left, right),
        (Value::Function(left), Value::Function(right)) => Rc::ptr_eq(left, right),
        (Value::Kernel(left), Value::Kernel(right)) => left == right,
        (Value::Object(left), Value::Object(right)) => {
            Rc::ptr_eq(left, right) || left.key().is_some_and(|key| right.key() == Some(key))
        }
        _ => false,
    }
}

/// `item in container`.
pub(super) fn is_in(
    evaluator: &mut Evaluator<'_>,
    item: &Value,
    container: &Value,
    span: Span,
) -> Result<bool> {
    if let Value::Dict(dict) = container {
        let key = super::expression::hashable(item, span)?;
        return Ok(dict.0.borrow().get(&key).is_some());
    }
    if let (Value::Str(text), Some(part)) = (container, item.as_str()) {
        return Ok(text.contains(part));
    }
    if let (Value::Range(range), Some(value)) = (container, item.as_int()) {
        return Ok(range.contains(value));
    }
    if let Value::Str(_) = container {
        let found = item.a_type();
        let message = format!("`in` looks for a str in a str, not for {found}");
        return Err(Fault::new(hosting::HOST_TYPE, message, span, "in this str"));
    }
    for value in evaluator.items(container, span)? {
        if equal(evaluator, item, &value, span)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The order of an integer and a float, exactly.
fn int_to_float(left: i128, right: f64) -> Option<Ordering> {
    if right.is_nan() {
        return None;
    }
    // 2^127, which no i128 reaches.
    let beyond = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    if right >= beyond {
        return Some(Ordering::Less);
    }
    if right < -beyond {
        return Some(Ordering::Greater);
    }
    let whole = right.trunc();
    let order = left.cmp(&(whole as i128));
    Some(order.then_with(|| 0.0f64.partial_cmp(&(right - whole)).unwrap_or(Ordering::Equal)))
}

/// One comparison and its parts.
struct Ordered<'e, 'a> {
    evaluator: &'e mut Evaluator<'a>,
    span: Span,
    depth: u32,
}

impl Ordered<'_, '_> {
    fn numbers(&self, left: &Value, right: &Value) -> Option<Option<Ordering>> {
        if let (Some(left), Some(right)) = (left.as_int(), right.as_int()) {
            return Some(Some(left.cmp(&right)));
        }
        match (left, right) {
            (Value::Float(left), Value::Float(right)) => Some(left.partial_cmp(right)),
            (Value::Float(float), other) => {
                other.as_int().map(|int| int_to_float(int, *float).map(Ordering::reverse))
            }
            (other, Value::Float(float)) => other.as_int().map(|int| int_to_float(int, *float)),
            _ => None,
        }
    }

    /// The items of two lists or two tuples.
    fn sequences(&self, left: &Value, right: &Value) -> Option<(Vec<Value>, Vec<Value>)> {
        let alike = matches!(
            (left, right),
            (Value::List(_), Value::List(_)) | (Value::Tuple(_), Value::Tuple(_))
        );
        if !alike {
            return None;
        }
        Some((left.as_sequence()?, right.as_sequence()?))
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_NESTING {
            let message = format!("values that nest more than {MAX_NESTING} deep are compared");
            return Err(Fault::new(hosting::HOST_BUDGET, message, self.span, "compared here"));
        }
        self.evaluator.spend(1, self.span)?;
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn equal(&mut self, left: &Value, right: &Value) -> Result<bool> {
        if let Some(order) = self.numbers(left, right) {
            return Ok(order == Some(Ordering::Equal));
        }
        if let Some((left, right)) = self.sequences(left, right) {
            if left.len() != right.len() {
                return Ok(false);
            }
            return self.deeper(|it| {
                for (left, right) in left.iter().zip(&right) {
                    if !it.equal(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
        }
        match (left, right) {
            (Value::Dict(left), Value::Dict(right)) => {
                let entries: Vec<(Value, Value)> = left
                    .0
                    .borrow()
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if entries.len() != right.0.borrow().len() {
                    return Ok(false);
                }
                self.deeper(|it| it.equal_entries(&entries, right))
            }
            (Value::Range(left), Value::Range(right)) => Ok(left == right),
            (Value::Object(object), other) | (other, Value::Object(object)) => {
                let comparison = Comparison { op: CompareOp::Eq, other, span: self.span };
                let found = object.compare(self.evaluator, comparison)?;
                match found {
                    Some(value) => self.evaluator.truth(&value, self.span),
                    None => Ok(identical(left, right)),
                }
            }
            _ => Ok(identical(left, right)),
        }
    }

    fn equal_entries(
        &mut self,
        entries: &[(Value, Value)],
        other: &crate::script::value::DictCell,
    ) -> Result<bool> {
        for (key, value) in entries {
            let found = Key::of(key).and_then(|key| other.0.borrow().get(&key).cloned());
            let Some(found) = found else { return Ok(false) };
            if !self.equal(value, &found)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn compare(&mut self, left: &Value, right: &Value) -> Result<Option<Ordering>> {
        if let Some(order) = self.numbers(left, right) {
            return Ok(order);
        }
        if let (Value::Str(left), Value::Str(right)) = (left, right) {
            return Ok(Some(left.cmp(right)));
        }
        if let Some((left, right)) = self.sequences(left, right) {
            return self.deeper(|it| {
                for (left, right) in left.iter().zip(&right) {
                    if !it.equal(left, right)? {
                        return it.compare(left, right);
                    }
                }
                Ok(Some(left.len().cmp(&right.len())))
            });
        }
        let span = self.span;
        let numbers = (self.evaluator.number(left, span)?, self.evaluator.number(right, span)?);
        if let (Some(left), Some(right)) = &numbers
            && let Some(order) = self.numbers(left, right)
        {
            return Ok(order);
        }
        let (left, right) = (left.a_type(), right.a_type());
        let message = format!("{left} and {right} have no order");
        Err(Fault::new(hosting::HOST_TYPE, message, span, "compared here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let big = (1i128 << 53) + 1;
        assert_eq!(int_to_float(big, (1i128 << 53) as f64), Some(Ordering::Greater));
        assert_eq!(int_to_float(1, 1.5), Some(Ordering::Less));
        assert_eq!(int_to_float(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(int_to_float(i128::MAX, f64::INFINITY), Some(Ordering::Less));
        assert_eq!(int_to_float(i128::MIN, f64::NEG_INFINITY), Some(Ordering::Greater));
        assert_eq!(int_to_float(0, f64::NAN), None);
    }
}
