//! `value[index]`.

use std::rc::Rc;

use super::Evaluator;
use super::expression::hashable;
use super::iterate::undecided;
use super::scope::Scope;
use crate::diag::{hosting, nearest_help};
use crate::script::fault::{Fault, Result};
use crate::script::object::{SliceBounds, Subscript};
use crate::script::torch;
use crate::script::value::{Range, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind};

impl Evaluator<'_> {
    /// What stands in the brackets.
    pub(super) fn evaluate_index(&mut self, scope: &Rc<Scope>, id: ExprId) -> Result<Subscript> {
        let module = self.module;
        let span = module.span(id);
        if let ExprKind::Slice { lower, upper, step } = module.kind(id) {
            let lower = self.bound(scope, *lower)?;
            let upper = self.bound(scope, *upper)?;
            let step = self.bound(scope, *step)?;
            return Ok(Subscript::Slice(SliceBounds { lower, upper, step }, span));
        }
        let is_slice = |item: &ExprId| matches!(module.kind(*item), ExprKind::Slice { .. });
        if let ExprKind::Tuple(items) = module.kind(id)
            && items.iter().any(is_slice)
        {
            let parts: Result<Vec<Subscript>> =
                items.iter().map(|item| self.evaluate_index(scope, *item)).collect();
            return Ok(Subscript::Many(parts?, span));
        }
        Ok(Subscript::At(self.evaluate(scope, id)?, span))
    }

    fn bound(&mut self, scope: &Rc<Scope>, id: Option<ExprId>) -> Result<Option<i128>> {
        let Some(id) = id else { return Ok(None) };
        let span = self.module.span(id);
        let value = self.evaluate(scope, id)?;
        if let Value::Unknown(made) = value {
            return Err(undecided("this bound", made, span));
        }
        if matches!(value, Value::None) {
            return Ok(None);
        }
        value.as_int().map(Some).ok_or_else(|| {
            let found = value.a_type();
            let message = format!("a bound of a slice is {found}, and an int is needed");
            Fault::new(hosting::HOST_TYPE, message, span, format!("this is {found}"))
        })
    }

    /// `value[index]`.
    pub(super) fn item(&mut self, value: &Value, index: &Subscript, span: Span) -> Result<Value> {
        if let Value::Unknown(made) = value {
            return Ok(Value::Unknown(*made));
        }
        if let Subscript::At(Value::Unknown(made), _) = index {
            return Ok(Value::Unknown(*made));
        }
        match value {
            Value::Object(object) => {
                let found = object.subscript(self, index, span)?;
                return found.map_or_else(|| Err(not_indexable(value, span)), Ok);
            }
            Value::Dict(dict) => {
                let Subscript::At(key, key_span) = index else {
                    return Err(not_indexable(value, span));
                };
                let hashed = hashable(key, *key_span)?;
                let found = dict.0.borrow().get(&hashed).cloned();
                return found.map_or_else(|| Err(self.no_key(value, key, *key_span)), Ok);
            }
            Value::Range(range) => return range_item(range, index),
            Value::Str(text) => {
                let letters: Vec<char> = text.chars().collect();
                self.spend(letters.len() as u64 / 8, span)?;
                let picked = pick(letters.len(), value, index)?;
                let text: String = picked.places.iter().filter_map(|at| letters.get(*at)).collect();
                return Ok(Value::str(text));
            }
            Value::Tuple(items) => return self.pick_items(items.values(), value, index),
            Value::List(list) => {
                let items = list.0.borrow();
                return self.pick_items(&items, value, index);
            }
            Value::Kernel(name) => {
                if let Subscript::At(grid, _) = index {
                    return Ok(torch::on_grid(name, grid, span));
                }
            }
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Function(_)
            | Value::Native(_)
            | Value::Method(_)
            | Value::Unknown(_) => {}
        }
        Err(not_indexable(value, span))
    }

    fn pick_items(&mut self, items: &[Value], value: &Value, index: &Subscript) -> Result<Value> {
        let picked = pick(items.len(), value, index)?;
        let found = |at: &usize| items.get(*at).cloned().unwrap_or(Value::None);
        if picked.is_one {
            return Ok(picked.places.first().map_or(Value::None, found));
        }
        self.spend_elements(picked.places.len(), index.span())?;
        let taken: Vec<Value> = picked.places.iter().map(found).collect();
        let is_list = matches!(value, Value::List(_));
        Ok(if is_list { Value::list(taken) } else { Value::tuple(taken) })
    }

    /// `value[index] = new`.
    pub(super) fn set_item(
        &mut self,
        value: &Value,
        index: &Subscript,
        new: Value,
        span: Span,
    ) -> Result<()> {
        if let Value::Object(object) = value
            && object.set_subscript(self, index, &new, span)?
        {
            return Ok(());
        }
        if let (Value::Dict(dict), Subscript::At(key, key_span)) = (value, index) {
            let hashed = hashable(key, *key_span)?;
            self.spend_elements(1, span)?;
            dict.0.borrow_mut().set(hashed, key.clone(), new);
            return Ok(());
        }
        if let Value::List(list) = value {
            let picked = pick(list.0.borrow().len(), value, index)?;
            if !picked.is_one {
                let message = "a slice of a list cannot be assigned";
                return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "a slice"));
            }
            let mut items = list.0.borrow_mut();
            let place = picked.places.first().and_then(|at| items.get_mut(*at));
            let before = place.map(|place| std::mem::replace(place, new));
            // Dropped only once the list is free again: it may hold the list.
            drop(items);
            drop(before);
            return Ok(());
        }
        if let Value::Unknown(made) = value {
            return Err(undecided("what is assigned to", *made, span));
        }
        let found = value.a_type();
        let message = format!("the items of {found} cannot be assigned");
        Err(Fault::new(hosting::HOST_TYPE, message, span, format!("part of {found}")))
    }

    fn no_key(&mut self, dict: &Value, key: &Value, span: Span) -> Fault {
        let shown = self.repr(key).unwrap_or_default();
        let message = format!("the dict has no key {shown}");
        let Value::Dict(dict) = dict else {
            return Fault::new(hosting::HOST_INDEX, message, span, "not a key")
                .raising("KeyError", Some(shown));
        };
        let keys: Vec<Value> = dict.0.borrow().iter().map(|(key, _)| key.clone()).collect();
        let texts: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
        let help = key.as_str().and_then(|key| nearest_help("key", key, texts.iter().copied()));
        let known: Vec<String> =
            keys.iter().take(8).filter_map(|key| self.repr(key).ok()).collect();
        let more = if keys.len() > 8 { ", …" } else { "" };
        Fault::new(hosting::HOST_INDEX, message, span, "not a key")
            .raising("KeyError", Some(shown))
            .note(format!("its keys are {}{more}", known.join(", ")))
            .help(help)
    }
}

/// The places of a sequence that a subscript picks.
struct Picked {
    places: Vec<usize>,
    is_one: bool,
}

fn pick(len: usize, value: &Value, index: &Subscript) -> Result<Picked> {
    match index {
        Subscript::At(at, span) => {
            let Some(wanted) = at.as_int() else {
                let found = at.a_type();
                let message =
                    format!("an index of {} is {found}, and an int is needed", value.a_type());
                return Err(Fault::new(
                    hosting::HOST_TYPE,
                    message,
                    *span,
                    format!("this is {found}"),
                ));
            };
            let place = absolute(wanted, len);
            let Some(place) = place else {
                return Err(out_of_range(wanted, len, &value.type_name(), *span));
            };
            Ok(Picked { places: vec![place], is_one: true })
        }
        Subscript::Slice(bounds, span) => {
            let places = bounds.places(len, *span)?;
            Ok(Picked { places, is_one: false })
        }
        Subscript::Many(_, span) => {
            let message = format!("{} has one axis, and several indices are given", value.a_type());
            Err(Fault::new(hosting::HOST_TYPE, message, *span, "several indices"))
        }
    }
}

/// The place that `index` means in a sequence of `len`; negative ones count from the end.
fn absolute(index: i128, len: usize) -> Option<usize> {
    let from_start = if index < 0 { index + len as i128 } else { index };
    usize::try_from(from_start).ok().filter(|place| *place < len)
}

/// An index outside of a sequence of `len`.
fn out_of_range(index: i128, len: usize, what: &str, span: Span) -> Fault {
    let message = format!("index {index} is outside of a {what} of length {len}");
    Fault::new(hosting::HOST_INDEX, message, span, "out of range")
}

impl SliceBounds {
    /// First place, count and step of what a slice takes of `len` places.
    pub(in crate::script) fn resolve(&self, len: usize, span: Span) -> Result<(i128, i128, i128)> {
        let len = len as i128;
        let step = self.step.unwrap_or(1);
        if step == 0 {
            let message = "the step of a slice is zero";
            return Err(Fault::new(hosting::HOST_VALUE, message, span, "zero step"));
        }
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let clamp = |bound: i128| {
            let from_start = if bound < 0 { bound.saturating_add(len) } else { bound };
            from_start.clamp(low, high)
        };
        let start = self.lower.map_or(if step > 0 { low } else { high }, clamp);
        let stop = self.upper.map_or(if step > 0 { high } else { low }, clamp);
        Ok((start, Range { start, stop, step }.len(), step))
    }

    fn places(&self, len: usize, span: Span) -> Result<Vec<usize>> {
        let (start, count, step) = self.resolve(len, span)?;
        let range = Range { start, stop: 0, step };
        Ok((0..count).filter_map(|index| usize::try_from(range.at(index)).ok()).collect())
    }
}

fn range_item(range: &Range, index: &Subscript) -> Result<Value> {
    let len = usize::try_from(range.len()).unwrap_or(usize::MAX);
    match index {
        Subscript::At(at, span) => {
            let wanted = at.as_int();
            let place = wanted.and_then(|wanted| absolute(wanted, len));
            match (wanted, place) {
                (_, Some(place)) => Ok(Value::Int(range.at(place as i128))),
                (Some(wanted), None) => Err(out_of_range(wanted, len, "range", *span)),
                (None, None) => {
                    let found = at.a_type();
                    let message = format!("an index of a range is {found}, and an int is needed");
                    Err(Fault::new(hosting::HOST_TYPE, message, *span, format!("this is {found}")))
                }
            }
        }
        Subscript::Slice(bounds, span) => {
            let (start, count, step) = bounds.resolve(len, *span)?;
            let sliced = Range {
                start: range.at(start),
                stop: range.at(start.saturating_add(step.saturating_mul(count))),
                step: range.step.saturating_mul(step),
            };
            Ok(Value::Range(Rc::new(sliced)))
        }
        Subscript::Many(_, span) => {
            let message = "a range has one axis, and several indices are given";
            Err(Fault::new(hosting::HOST_TYPE, message, *span, "several indices"))
        }
    }
}

fn not_indexable(value: &Value, span: Span) -> Fault {
    let found = value.a_type();
    let message = format!("{found} cannot be indexed this way");
    let fault = Fault::new(hosting::HOST_TYPE, message, span, format!("this indexes {found}"));
    let Value::Kernel(name) = value else { return fault };
    fault
        .note("`kernel[grid](…)` is how Triton launches")
        .help(format!("launch it: `torch.launch({name}, …)`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(lower: Option<i128>, upper: Option<i128>, step: Option<i128>) -> Vec<usize> {
        SliceBounds { lower, upper, step }.places(5, Span::NONE).unwrap()
    }

    #[test]
    fn slices_take_what_python_s_take() {
        assert_eq!(places(None, None, None), [0, 1, 2, 3, 4]);
        assert_eq!(places(Some(1), Some(-1), None), [1, 2, 3]);
        assert_eq!(places(None, None, Some(-2)), [4, 2, 0]);
        assert_eq!(places(Some(3), Some(0), Some(-1)), [3, 2, 1]);
        assert_eq!(places(Some(-99), Some(99), Some(2)), [0, 2, 4]);
        assert_eq!(places(Some(4), Some(2), None), Vec::<usize>::new());
        assert!(
            SliceBounds { step: Some(0), ..SliceBounds::default() }.places(5, Span::NONE).is_err()
        );
    }
}
