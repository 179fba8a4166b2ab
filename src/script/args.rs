//! Arguments of calls to native functions, matched with their parameters.

use super::fault::{Fault, Result};
use super::object::Native;
use super::value::Value;
use crate::diag::{hosting, nearest_help};
use crate::source::Span;
use crate::syntax::ast::Ident;

/// An argument and where it was written.
#[derive(Clone)]
pub(super) struct Given {
    /// Its value.
    pub(super) value: Value,
    /// Its text.
    pub(super) span: Span,
}

/// The arguments of one call.
#[derive(Clone)]
pub(super) struct Args {
    /// Those given by place.
    pub(super) positional: Vec<Given>,
    /// Those given by name.
    pub(super) named: Vec<(Ident, Given)>,
    /// The whole call.
    pub(super) span: Span,
}

/// A function that takes its arguments by place or by name: its name, and its parameters'. A name
/// that ends in `?` may be left out.
#[derive(Clone, Copy)]
pub(super) struct Signature<const N: usize> {
    /// The function's name, for messages.
    pub(super) name: &'static str,
    /// Its parameters' names.
    pub(super) params: [&'static str; N],
}

impl Args {
    /// Every value given.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.positional.iter().chain(self.named.iter().map(|(_, given)| given)).map(|it| &it.value)
    }

    /// The arguments in the order of the parameters.
    ///
    /// # Errors
    /// Too many, missing, given twice, or of an unknown name.
    pub(super) fn bind<const N: usize>(
        &self,
        signature: Signature<N>,
    ) -> Result<[Option<Given>; N]> {
        let names = signature.params.map(|param| param.trim_end_matches('?'));
        let mut bound: [Option<Given>; N] = std::array::from_fn(|_| None);
        for (index, given) in self.positional.iter().enumerate() {
            let Some(place) = bound.get_mut(index) else {
                return Err(self.too_many(signature.name, N, given.span));
            };
            *place = Some(given.clone());
        }
        for (name, given) in &self.named {
            let index = names.iter().position(|known| *known == name.name);
            let Some(place) = index.and_then(|index| bound.get_mut(index)) else {
                return Err(unknown_parameter(signature.name, name, names.iter().copied()));
            };
            if place.is_some() {
                return Err(given_twice(signature.name, name));
            }
            *place = Some(given.clone());
        }
        let needed = signature.params.iter().zip(&bound).zip(names);
        for ((param, place), name) in needed {
            if place.is_none() && !param.ends_with('?') {
                return Err(missing(signature.name, name, self.span));
            }
        }
        Ok(bound)
    }

    /// Refuses arguments by name, for functions that take any number by place.
    pub(super) fn no_names(&self, function: &str) -> Result<()> {
        match self.named.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown_parameter(function, name, [])),
        }
    }

    fn too_many(&self, function: &str, most: usize, span: Span) -> Fault {
        let (given, takes) = (self.positional.len(), count(most, "argument"));
        let message = format!("`{function}` takes at most {takes}, and {given} are given");
        Fault::new(hosting::HOST_ARGUMENTS, message, span, "this one is too many")
    }
}

/// Where unknown values among the arguments of a call to `native` came from.
pub(super) fn unknown_among(args: &Args) -> Option<Span> {
    args.values().find_map(Value::unknown)
}

/// `2 arguments`, `1 argument`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub(super) fn unknown_parameter<'n>(
    function: &str,
    name: &Ident,
    known: impl IntoIterator<Item = &'n str>,
) -> Fault {
    let message = format!("`{function}` has no parameter `{}`", name.name);
    let help = nearest_help("parameter", &name.name, known);
    Fault::new(hosting::HOST_ARGUMENTS, message, name.span, "not a parameter").help(help)
}

pub(super) fn given_twice(function: &str, name: &Ident) -> Fault {
    let message = format!("`{function}` is given `{}` twice", name.name);
    Fault::new(hosting::HOST_ARGUMENTS, message, name.span, "given by place already")
}

pub(super) fn missing(function: &str, name: &str, span: Span) -> Fault {
    let message = format!("`{function}` needs `{name}`, which is not given");
    Fault::new(hosting::HOST_ARGUMENTS, message, span, format!("`{name}` is missing"))
}

impl Given {
    /// The value as an int.
    pub(super) fn int(&self, what: &str) -> Result<i128> {
        self.value.as_int().ok_or_else(|| self.wrong(what, "an int"))
    }

    /// The value as a float; ints are.
    pub(super) fn float(&self, what: &str) -> Result<f64> {
        self.value.as_float().ok_or_else(|| self.wrong(what, "a number"))
    }

    /// The value as text.
    pub(super) fn text(&self, what: &str) -> Result<&str> {
        self.value.as_str().ok_or_else(|| self.wrong(what, "a str"))
    }

    /// The value as `True` or `False`.
    pub(super) fn truth(&self, what: &str) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong(what, "True or False"))
    }

    /// That the value is not what is needed.
    pub(super) fn wrong(&self, what: &str, expected: &str) -> Fault {
        let found = self.value.a_type();
        let message = format!("{what} is {found}, and {expected} is needed");
        Fault::new(hosting::HOST_TYPE, message, self.span, format!("this is {found}"))
    }
}

/// A native function whose result is unknown where an argument is.
pub(super) const fn pure(
    name: &'static str,
    run: fn(&mut super::evaluator::Evaluator<'_>, Args) -> Result<Value>,
) -> Native {
    Native { name, run, without_data: super::object::WithoutData::Unknown }
}
