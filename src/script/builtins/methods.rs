//! Methods of lists, dicts, tuples, strings and numbers.

use crate::diag::hosting;
use crate::script::args::{Args, Given, Signature, unknown_among};
use crate::script::evaluator::{Evaluator, equal, hashable};
use crate::script::fault::{Fault, Result};
use crate::script::value::{DictCell, List, Value};

/// The methods of `value`, for what is not an object of a library.
pub(in crate::script) fn names(value: &Value) -> &'static [&'static str] {
    match value {
        Value::List(_) => &[
            "append", "extend", "insert", "pop", "remove", "clear", "index", "count", "sort",
            "reverse", "copy",
        ],
        Value::Dict(_) => {
            &["get", "keys", "values", "items", "pop", "update", "setdefault", "copy", "clear"]
        }
        Value::Str(_) => &[
            "join",
            "split",
            "upper",
            "lower",
            "strip",
            "lstrip",
            "rstrip",
            "startswith",
            "endswith",
            "replace",
            "find",
            "count",
            "isdigit",
            "zfill",
            "ljust",
            "rjust",
        ],
        Value::Tuple(_) => &["index", "count"],
        Value::Int(_) | Value::Bool(_) => &["bit_length"],
        Value::Float(_) => &["is_integer"],
        Value::None
        | Value::Range(_)
        | Value::Function(_)
        | Value::Kernel(_)
        | Value::Native(_)
        | Value::Method(_)
        | Value::Object(_)
        | Value::Unknown(_) => &[],
    }
}

/// Calls a method; `None` where there is none of this name.
pub(in crate::script) fn call_method(
    evaluator: &mut Evaluator<'_>,
    receiver: &Value,
    name: &str,
    args: &Args,
) -> Result<Option<Value>> {
    match receiver {
        Value::List(list) => of_list(evaluator, list, name, args),
        Value::Dict(dict) => of_dict(evaluator, dict, name, args),
        Value::Str(text) => of_str(evaluator, text, name, args),
        Value::Tuple(items) => of_sequence(evaluator, items.values(), name, args),
        Value::Int(_) | Value::Bool(_) if name == "bit_length" => {
            let bits = 128 - receiver.as_int().unwrap_or(0).unsigned_abs().leading_zeros();
            Ok(Some(Value::Int(i128::from(bits))))
        }
        Value::Float(value) if name == "is_integer" => Ok(Some(Value::Bool(value.fract() == 0.0))),
        Value::None
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Range(_)
        | Value::Function(_)
        | Value::Kernel(_)
        | Value::Native(_)
        | Value::Method(_)
        | Value::Object(_)
        | Value::Unknown(_) => Ok(None),
    }
}

/// The only argument.
fn one(args: &Args, name: &'static str, param: &'static str) -> Result<Given> {
    let [given] = args.bind(Signature { name, params: [param] })?;
    given.ok_or_else(|| crate::script::args::missing(name, param, args.span))
}

fn none(args: &Args, name: &'static str) -> Result<()> {
    args.bind(Signature { name, params: [] }).map(|_: [Option<Given>; 0]| ())
}

fn of_list(
    evaluator: &mut Evaluator<'_>,
    list: &List,
    name: &str,
    args: &Args,
) -> Result<Option<Value>> {
    let cell = &list.0;
    match name {
        "append" => {
            evaluator.spend_elements(1, args.span)?;
            cell.borrow_mut().push(one(args, "append", "object")?.value);
        }
        "extend" => {
            let given = one(args, "extend", "iterable")?;
            let more = evaluator.items(&given.value, given.span)?;
            evaluator.spend_elements(more.len(), args.span)?;
            cell.borrow_mut().extend(more);
        }
        "insert" => {
            let [at, item] =
                args.bind(Signature { name: "insert", params: ["index", "object"] })?;
            let (Some(at), Some(item)) = (at, item) else { return Ok(None) };
            let len = cell.borrow().len() as i128;
            let at = at.int("`index` of `insert`")?;
            let place = (if at < 0 { at.saturating_add(len) } else { at }).clamp(0, len);
            evaluator.spend(len as u64 / 8 + 8, args.span)?;
            cell.borrow_mut().insert(place as usize, item.value);
        }
        "pop" => return pop(evaluator, list, args).map(Some),
        "remove" => {
            let given = one(args, "remove", "value")?;
            let items = cell.borrow().clone();
            let at = position(evaluator, &items, &given, args)?;
            let removed = cell.borrow_mut().remove(at);
            drop(removed);
        }
        "clear" => {
            none(args, "clear")?;
            let removed = std::mem::take(&mut *cell.borrow_mut());
            drop(removed);
        }
        "sort" => {
            let [key, reverse] =
                args.bind(Signature { name: "sort", params: ["key?", "reverse?"] })?;
            let items = cell.borrow().clone();
            let sorted = super::functions::sort_by_key(evaluator, items, (key, reverse), args)?;
            *cell.borrow_mut() = sorted;
        }
        "reverse" => {
            none(args, "reverse")?;
            cell.borrow_mut().reverse();
        }
        "copy" => {
            none(args, "copy")?;
            let items = cell.borrow().clone();
            evaluator.spend_elements(items.len(), args.span)?;
            return Ok(Some(Value::list(items)));
        }
        _ => {
            let items = cell.borrow().clone();
            return of_sequence(evaluator, &items, name, args);
        }
    }
    Ok(Some(Value::None))
}

fn pop(evaluator: &mut Evaluator<'_>, list: &List, args: &Args) -> Result<Value> {
    let [at] = args.bind(Signature { name: "pop", params: ["index?"] })?;
    let len = list.0.borrow().len() as i128;
    let wanted = at.as_ref().map_or(Ok(-1), |given| given.int("`index` of `pop`"))?;
    let place = if wanted < 0 { wanted + len } else { wanted };
    evaluator.spend(u64::try_from(len).unwrap_or(0) / 8 + 1, args.span)?;
    if !(0..len).contains(&place) {
        let message = format!("`pop` of index {wanted} in a list of length {len}");
        return Err(Fault::new(hosting::HOST_INDEX, message, args.span, "nothing there"));
    }
    Ok(list.0.borrow_mut().remove(place as usize))
}

/// The place of the first of `items` that equals the argument.
fn position(
    evaluator: &mut Evaluator<'_>,
    items: &[Value],
    given: &Given,
    args: &Args,
) -> Result<usize> {
    for (place, item) in items.iter().enumerate() {
        evaluator.spend(1, args.span)?;
        if equal(evaluator, item, &given.value, args.span)? {
            return Ok(place);
        }
    }
    let shown = evaluator.repr(&given.value)?;
    let message = format!("{shown} is not among the items");
    Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not found"))
}

fn of_sequence(
    evaluator: &mut Evaluator<'_>,
    items: &[Value],
    name: &str,
    args: &Args,
) -> Result<Option<Value>> {
    match name {
        "index" => {
            let given = one(args, "index", "value")?;
            position(evaluator, items, &given, args).map(|at| Some(Value::Int(at as i128)))
        }
        "count" => {
            let given = one(args, "count", "value")?;
            let mut found = 0;
            for item in items {
                evaluator.spend(1, args.span)?;
                found += i128::from(equal(evaluator, item, &given.value, args.span)?);
            }
            Ok(Some(Value::Int(found)))
        }
        _ => Ok(None),
    }
}

/// Keys and values of a dict, or of a list of pairs.
pub(super) fn entries_of(
    evaluator: &mut Evaluator<'_>,
    given: &Given,
) -> Result<Vec<(Value, Value)>> {
    if let Value::Dict(dict) = &given.value {
        return Ok(pairs(dict));
    }
    let mut entries = Vec::new();
    for item in evaluator.items(&given.value, given.span)? {
        let pair = item.as_sequence().unwrap_or_default();
        let [key, value] = &pair[..] else {
            let found = item.a_type();
            let message = format!("an entry of a dict is a pair, and {found} is given");
            return Err(Fault::new(hosting::HOST_TYPE, message, given.span, "not pairs"));
        };
        entries.push((key.clone(), value.clone()));
    }
    Ok(entries)
}

fn pairs(dict: &DictCell) -> Vec<(Value, Value)> {
    dict.0.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn of_dict(
    evaluator: &mut Evaluator<'_>,
    dict: &DictCell,
    name: &str,
    args: &Args,
) -> Result<Option<Value>> {
    evaluator.spend(1, args.span)?;
    Ok(Some(match name {
        "keys" => Value::list(pairs(dict).into_iter().map(|(key, _)| key).collect()),
        "values" => Value::list(pairs(dict).into_iter().map(|(_, value)| value).collect()),
        "items" => {
            let pair = |(key, value)| Value::tuple(vec![key, value]);
            Value::list(pairs(dict).into_iter().map(pair).collect())
        }
        "copy" => Value::dict(dict.0.borrow().clone()),
        "clear" => {
            let removed = dict.0.borrow_mut().drain();
            dict.0.borrow_mut().clear();
            drop(removed);
            Value::None
        }
        "get" | "pop" | "setdefault" => return look_up(evaluator, dict, name, args).map(Some),
        "update" => {
            let given = one(args, "update", "entries")?;
            for (key, value) in entries_of(evaluator, &given)? {
                evaluator.spend_elements(1, args.span)?;
                let hashed = hashable(&key, given.span)?;
                dict.0.borrow_mut().set(hashed, key, value);
            }
            Value::None
        }
        _ => return Ok(None),
    }))
}

fn look_up(
    evaluator: &mut Evaluator<'_>,
    dict: &DictCell,
    name: &str,
    args: &Args,
) -> Result<Value> {
    let [key, default] =
        args.bind(Signature { name: "a dict's method", params: ["key", "default?"] })?;
    let Some(key) = key else { return Ok(Value::None) };
    let hashed = hashable(&key.value, key.span)?;
    let found = match name {
        "pop" => dict.0.borrow_mut().remove(&hashed),
        _ => dict.0.borrow().get(&hashed).cloned(),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    if name == "pop" && default.is_none() {
        let shown = evaluator.repr(&key.value)?;
        let message = format!("the dict has no key {shown}");
        let fault = Fault::new(hosting::HOST_INDEX, message, key.span, "not a key");
        return Err(fault.raising("KeyError", Some(shown)));
    }
    let default = default.map_or(Value::None, |given| given.value);
    if name == "setdefault" {
        evaluator.spend_elements(1, args.span)?;
        dict.0.borrow_mut().set(hashed, key.value, default.clone());
    }
    Ok(default)
}

fn of_str(
    evaluator: &mut Evaluator<'_>,
    text: &str,
    name: &str,
    args: &Args,
) -> Result<Option<Value>> {
    if let Some(made) = unknown_among(args) {
        return Ok(Some(Value::Unknown(made)));
    }
    evaluator.spend(text.len() as u64 / 8 + 1, args.span)?;
    if let Some(found) = of_str_alone(text, name) {
        none(args, "a str's method")?;
        return Ok(Some(found));
    }
    if let Some(found) = of_str_with_text(text, name, args)? {
        return Ok(Some(found));
    }
    match name {
        "join" => {
            let given = one(args, "join", "iterable")?;
            let mut parts = Vec::new();
            for item in evaluator.items(&given.value, given.span)? {
                let part = Given { value: item, span: given.span };
                parts.push(part.text("an item given to `join`")?.to_owned());
            }
            let joined = parts.join(text);
            evaluator.spend(joined.len() as u64 / 8, args.span)?;
            Ok(Some(Value::str(joined)))
        }
        "replace" => {
            let [old, new] = args.bind(Signature { name: "replace", params: ["old", "new"] })?;
            let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
            let (old, new) = (old.text("`old` of `replace`")?, new.text("`new` of `replace`")?);
            let most = (text.len() + 1).saturating_mul(new.len().max(1));
            evaluator.spend(most as u64 / 8, args.span)?;
            Ok(Some(Value::str(text.replace(old, new))))
        }
        "zfill" | "ljust" | "rjust" => {
            let width = one(args, "a str's method", "width")?;
            let width = width.int("a width")?.clamp(0, 10_000) as usize;
            Ok(Some(Value::str(match name {
                "ljust" => format!("{text:<width$}"),
                "rjust" => format!("{text:>width$}"),
                _ => format!("{}{text}", "0".repeat(width.saturating_sub(text.chars().count()))),
            })))
        }
        _ => Ok(None),
    }
}

/// The methods of a string that take nothing.
fn of_str_alone(text: &str, name: &str) -> Option<Value> {
    Some(match name {
        "upper" => Value::str(text.to_uppercase()),
        "lower" => Value::str(text.to_lowercase()),
        "isdigit" => {
            Value::Bool(!text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit()))
        }
        _ => return None,
    })
}

/// The methods of a string that take another, or none.
fn of_str_with_text(text: &str, name: &str, args: &Args) -> Result<Option<Value>> {
    let names = ["split", "strip", "lstrip", "rstrip", "startswith", "endswith", "find", "count"];
    if !names.contains(&name) {
        return Ok(None);
    }
    let [given] = args.bind(Signature { name: "a str's method", params: ["text?"] })?;
    let other = given.as_ref().map(|given| given.text("the argument of a str's method"));
    let other = other.transpose()?;
    let all = |pieces: Vec<&str>| Value::list(pieces.into_iter().map(Value::str).collect());
    let is_edge = |letter: char| match other {
        Some(letters) => letters.contains(letter),
        None => letter.is_whitespace(),
    };
    let needed = other.unwrap_or("");
    Ok(Some(match name {
        "split" => match other {
            Some("") => {
                let message = "`split` needs a separator that is not empty";
                return Err(Fault::new(hosting::HOST_VALUE, message, args.span, "empty separator"));
            }
            Some(mark) => all(text.split(mark).collect()),
            None => all(text.split_whitespace().collect()),
        },
        "strip" => Value::str(text.trim_matches(is_edge)),
        "lstrip" => Value::str(text.trim_start_matches(is_edge)),
        "rstrip" => Value::str(text.trim_end_matches(is_edge)),
        "startswith" => Value::Bool(text.starts_with(needed)),
        "endswith" => Value::Bool(text.ends_with(needed)),
        "count" => Value::Int(text.matches(needed).count() as i128),
        _ => {
            let place = text.find(needed).map(|at| text.get(..at).unwrap_or("").chars().count());
            Value::Int(place.map_or(-1, |place| place as i128))
        }
    }))
}
