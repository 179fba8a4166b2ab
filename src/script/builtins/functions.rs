//! Built-in functions on values, containers and text.

use crate::diag::hosting;
use crate::script::args::{Args, Given, Signature, count, pure};
use crate::script::evaluator::{Evaluator, sort};
use crate::script::exceptions::{ClassValue, Exception};
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, WithoutData};
use crate::script::value::{Range, Value};
use std::rc::Rc;

pub(super) const TABLE: &[Native] = &[
    always("range", range),
    pure("len", len),
    always("zip", zip),
    always("enumerate", enumerate),
    always("list", list),
    always("tuple", tuple),
    always("dict", dict),
    always("reversed", reversed),
    pure("sorted", sorted),
    always("map", map),
    always("filter", filter),
    pure("all", all),
    pure("any", any),
    pure("str", str_),
    pure("repr", repr),
    always("print", print),
    pure("isinstance", isinstance),
    always("callable", callable),
    pure("ord", ord),
    pure("chr", chr),
];

const fn always(name: &'static str, run: fn(&mut Evaluator<'_>, Args) -> Result<Value>) -> Native {
    Native { name, run, without_data: WithoutData::Call }
}

fn range(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    args.no_names("range")?;
    let bound = |given: &Given| {
        if let Value::Unknown(made) = given.value {
            let what = "how many numbers these are";
            return Err(crate::script::evaluator::undecided(what, made, given.span));
        }
        given.int("an argument of `range`")
    };
    let numbers: Vec<i128> = args.positional.iter().map(bound).collect::<Result<_>>()?;
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => {
            let given = count(numbers.len(), "argument");
            let message = format!("`range` takes 1 to 3 arguments, and {given} are given");
            return Err(Fault::new(hosting::HOST_ARGUMENTS, message, args.span, given));
        }
    };
    if step == 0 {
        let message = "the step of a range is zero";
        return Err(Fault::new(hosting::HOST_VALUE, message, args.span, "zero step"));
    }
    Ok(Value::Range(Rc::new(Range { start, stop, step })))
}

fn len(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "len", params: ["object"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    let length = match &given.value {
        Value::Str(text) => Some(text.chars().count() as i128),
        Value::Tuple(items) => Some(items.values().len() as i128),
        Value::List(list) => Some(list.0.borrow().len() as i128),
        Value::Dict(dict) => Some(dict.0.borrow().len() as i128),
        Value::Range(range) => Some(range.len()),
        Value::Object(object) => {
            if let Some(length) = object.len(evaluator, given.span)? {
                return Ok(length);
            }
            None
        }
        Value::None
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Function(_)
        | Value::Kernel(_)
        | Value::Native(_)
        | Value::Method(_)
        | Value::Unknown(_) => None,
    };
    length.map(Value::Int).ok_or_else(|| {
        let found = given.value.a_type();
        let message = format!("{found} has no length");
        Fault::new(hosting::HOST_TYPE, message, given.span, format!("this is {found}"))
    })
}

/// All that each of the arguments gives, gathered.
fn gathered(evaluator: &mut Evaluator<'_>, args: &Args, name: &str) -> Result<Vec<Vec<Value>>> {
    args.no_names(name)?;
    args.positional.iter().map(|given| evaluator.items(&given.value, given.span)).collect()
}

fn zip(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let columns = gathered(evaluator, &args, "zip")?;
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    evaluator.spend_elements(rows * (columns.len() + 1), args.span)?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let row = |_| Value::tuple(columns.iter_mut().filter_map(Iterator::next).collect());
    Ok(Value::list((0..rows).map(row).collect()))
}

fn enumerate(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "enumerate", params: ["iterable", "start?"] };
    let [values, start] = args.bind(signature)?;
    let Some(values) = values else { return Ok(Value::None) };
    let start = start.map_or(Ok(0), |given| given.int("`start` of `enumerate`"))?;
    let items = evaluator.items(&values.value, values.span)?;
    evaluator.spend_elements(2 * items.len(), args.span)?;
    let numbered = items
        .into_iter()
        .zip(start..)
        .map(|(item, number)| Value::tuple(vec![Value::Int(number), item]));
    Ok(Value::list(numbered.collect()))
}

/// The items of the only argument, if one is given.
fn items_of(evaluator: &mut Evaluator<'_>, args: &Args, name: &'static str) -> Result<Vec<Value>> {
    let [values] = args.bind(Signature { name, params: ["iterable?"] })?;
    values.map_or(Ok(Vec::new()), |given| evaluator.items(&given.value, given.span))
}

fn list(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    items_of(evaluator, &args, "list").map(Value::list)
}

fn tuple(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    items_of(evaluator, &args, "tuple").map(Value::tuple)
}

fn dict(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let unnamed = Args { named: Vec::new(), ..args.clone() };
    let [entries] = unnamed.bind(Signature { name: "dict", params: ["entries?"] })?;
    let mut made = crate::script::dict::Dict::default();
    if let Some(given) = entries {
        for (key, value) in super::methods::entries_of(evaluator, &given)? {
            let hashed = crate::script::evaluator::hashable(&key, given.span)?;
            made.set(hashed, key, value);
        }
    }
    for (name, given) in args.named {
        let key = Value::str(&name.name);
        made.set(crate::script::evaluator::hashable(&key, name.span)?, key, given.value);
    }
    Ok(Value::dict(made))
}

fn reversed(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let mut items = items_of(evaluator, &args, "reversed")?;
    items.reverse();
    Ok(Value::list(items))
}

fn sorted(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "sorted", params: ["iterable", "key?", "reverse?"] };
    let [values, key, reverse] = args.bind(signature)?;
    let Some(values) = values else { return Ok(Value::None) };
    let items = evaluator.items(&values.value, values.span)?;
    sort_by_key(evaluator, items, (key, reverse), &args).map(Value::list)
}

/// `items` sorted as `key` and `reverse` say.
pub(super) fn sort_by_key(
    evaluator: &mut Evaluator<'_>,
    items: Vec<Value>,
    (key, reverse): (Option<Given>, Option<Given>),
    args: &Args,
) -> Result<Vec<Value>> {
    let descending = reverse.map_or(Ok(false), |given| given.truth("`reverse`"))?;
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let by = match &key {
            Some(key) if !matches!(key.value, Value::None) => {
                call_on(evaluator, key, vec![item.clone()], args)?
            }
            _ => item.clone(),
        };
        keyed.push((by, item));
    }
    sort(evaluator, &mut keyed, descending, args.span)?;
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// Calls the function given as an argument.
fn call_on(
    evaluator: &mut Evaluator<'_>,
    function: &Given,
    values: Vec<Value>,
    args: &Args,
) -> Result<Value> {
    let span = args.span;
    let positional = values.into_iter().map(|value| Given { value, span }).collect();
    evaluator.call(&function.value, Args { positional, named: Vec::new(), span })
}

fn map(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let Some((function, rest)) = args.positional.split_first() else {
        return Err(crate::script::args::missing("map", "function", args.span));
    };
    let columns = Args { positional: rest.to_vec(), ..args.clone() };
    let columns = gathered(evaluator, &columns, "map")?;
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    evaluator.spend_elements(rows, args.span)?;
    let mut made = Vec::with_capacity(rows);
    for row in 0..rows {
        let values = columns.iter().filter_map(|column| column.get(row).cloned()).collect();
        made.push(call_on(evaluator, function, values, &args)?);
    }
    Ok(Value::list(made))
}

fn filter(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [function, values] =
        args.bind(Signature { name: "filter", params: ["function", "iterable"] })?;
    let (Some(function), Some(values)) = (function, values) else { return Ok(Value::None) };
    let mut kept = Vec::new();
    for item in evaluator.items(&values.value, values.span)? {
        let verdict = if matches!(function.value, Value::None) {
            item.clone()
        } else {
            call_on(evaluator, &function, vec![item.clone()], &args)?
        };
        if evaluator.truth(&verdict, args.span)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn all(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let items = items_of(evaluator, &args, "all")?;
    for item in items {
        if !evaluator.truth(&item, args.span)? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn any(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let items = items_of(evaluator, &args, "any")?;
    for item in items {
        if evaluator.truth(&item, args.span)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn str_(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "str", params: ["object?"] })?;
    let Some(given) = value else { return Ok(Value::str("")) };
    evaluator.str(&given.value).map(Value::str)
}

fn repr(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "repr", params: ["object"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    evaluator.repr(&given.value).map(Value::str)
}

fn print(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let options = Args { positional: Vec::new(), ..args.clone() };
    let [sep, end] = options.bind(Signature { name: "print", params: ["sep?", "end?"] })?;
    let text_or = |given: &Option<Given>, default: &str| match given {
        Some(given) => given.text("`sep` and `end` of `print`").map(str::to_owned),
        None => Ok(default.to_owned()),
    };
    let (sep, end) = (text_or(&sep, " ")?, text_or(&end, "\n")?);
    let mut shown = Vec::with_capacity(args.positional.len());
    for given in &args.positional {
        let text = evaluator.str(&given.value);
        shown.push(text.map_err(|fault| fault.located(given.span))?);
    }
    let line = shown.join(&sep) + &end;
    evaluator.spend(line.len() as u64 / 8, args.span)?;
    evaluator.journal.printed.push_str(&line);
    Ok(Value::None)
}

fn isinstance(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value, class] =
        args.bind(Signature { name: "isinstance", params: ["object", "class"] })?;
    let (Some(value), Some(class)) = (value, class) else { return Ok(Value::None) };
    let classes = if let Value::Tuple(items) = &class.value {
        items.values().to_vec()
    } else {
        vec![class.value.clone()]
    };
    evaluator.spend(1, args.span)?;
    let name = value.value.type_name();
    for one in classes {
        if let Some(class) = one.downcast::<ClassValue>() {
            let own = value.value.downcast::<Exception>();
            if own.is_some_and(|own| own.class.is_a(class.0)) {
                return Ok(Value::Bool(true));
            }
            continue;
        }
        let Value::Native(native) = one else {
            return Err(class.wrong("the second argument of `isinstance`", "a type"));
        };
        let wanted = native.name;
        // A bool is an int, too.
        if wanted == name || (wanted == "int" && name == "bool") {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn callable(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "callable", params: ["object"] })?;
    let is_callable = value.is_some_and(|given| {
        matches!(given.value, Value::Function(_) | Value::Native(_) | Value::Method(_))
    });
    Ok(Value::Bool(is_callable))
}

fn ord(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "ord", params: ["letter"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    let mut letters = given.text("the argument of `ord`")?.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => Ok(Value::Int(i128::from(u32::from(letter)))),
        _ => {
            let message = "`ord` takes a str of one letter";
            Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not one letter"))
        }
    }
}

fn chr(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "chr", params: ["code"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    let code = given.int("the argument of `chr`")?;
    let letter = u32::try_from(code).ok().and_then(char::from_u32);
    letter.map(|letter| Value::str(letter.to_string())).ok_or_else(|| {
        let message = format!("{code} is not the code of a letter");
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a code")
    })
}
