//! Exceptions as values: Python's classes, and what `except … as name` binds.

use std::any::Any;

use super::args::{Args, Given, Signature};
use super::evaluator::Evaluator;
use super::fault::{Fault, Result};
use super::object::{Native, Object, WithoutData};
use super::value::Value;
use crate::diag::{Code, Severity, hosting, runtime};
use crate::source::Span;

/// A class of exceptions, by its place among [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(usize);

/// Every class and the one that it is derived from; a class stands below its base.
const CLASSES: [(&str, &str); 23] = [
    ("BaseException", ""),
    ("Exception", "BaseException"),
    ("ArithmeticError", "Exception"),
    ("ZeroDivisionError", "ArithmeticError"),
    ("OverflowError", "ArithmeticError"),
    ("AssertionError", "Exception"),
    ("AttributeError", "Exception"),
    ("ImportError", "Exception"),
    ("LookupError", "Exception"),
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("MemoryError", "Exception"),
    ("NameError", "Exception"),
    ("UnboundLocalError", "NameError"),
    ("OSError", "Exception"),
    ("TimeoutError", "OSError"),
    ("RuntimeError", "Exception"),
    ("NotImplementedError", "RuntimeError"),
    ("RecursionError", "RuntimeError"),
    ("SpawnException", "RuntimeError"),
    ("StopIteration", "Exception"),
    ("TypeError", "Exception"),
    ("ValueError", "Exception"),
];

/// What PyTorch calls a [`Class`] of ours.
const ALIASES: [(&str, &str); 1] = [("ProcessRaisedException", "SpawnException")];

/// The class that Python has for what a code says. What stands in neither list cannot be caught: it
/// says that kbc cannot go on, not that the program has come to a case of its own.
const OF_CODES: [(Code, &str); 14] = [
    (hosting::HOST_NAME, "NameError"),
    (hosting::HOST_UNBOUND, "UnboundLocalError"),
    (hosting::HOST_TYPE, "TypeError"),
    (hosting::HOST_ARGUMENTS, "TypeError"),
    (hosting::HOST_ATTRIBUTE, "AttributeError"),
    (hosting::HOST_INDEX, "IndexError"),
    (hosting::HOST_VALUE, "ValueError"),
    (hosting::HOST_ASSERTION, "AssertionError"),
    (hosting::HOST_SHAPE, "RuntimeError"),
    (hosting::KERNEL_ARGUMENTS, "TypeError"),
    (hosting::BAD_NEIGHBORS, "ValueError"),
    (hosting::COLLECTIVE_MISMATCH, "RuntimeError"),
    (hosting::RANKS_WAIT, "RuntimeError"),
    (runtime::WRONG_RESULT, "AssertionError"),
];

impl Class {
    /// The class of this name.
    pub(super) fn named(name: &str) -> Option<Class> {
        let alias = ALIASES.iter().find(|(other, _)| *other == name);
        let name = alias.map_or(name, |(_, own)| own);
        CLASSES.iter().position(|(own, _)| *own == name).map(Class)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        CLASSES.get(self.0).map_or("Exception", |(name, _)| name)
    }

    /// Whether it is `other` or derived from it.
    pub(super) fn is_a(self, other: Class) -> bool {
        let base = |class: &Class| Class::named(CLASSES.get(class.0)?.1);
        std::iter::successors(Some(self), base).any(|class| class == other)
    }

    /// The class of what a code says; `None` where nothing can catch it. What the machine refuses (the
    /// compiler, the simulator, the replay) is a RuntimeError.
    pub(super) fn of_code(code: Code) -> Option<Class> {
        if let Some((_, name)) = OF_CODES.iter().find(|(known, _)| known.id == code.id) {
            return Class::named(name);
        }
        let is_own = code.id.starts_with("K08") || code.severity != Severity::Error;
        if is_own { None } else { Class::named("RuntimeError") }
    }
}

/// Every class as a built-in name has it.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().chain(&ALIASES).map(|(name, _)| *name)
}

/// The class of this name as a value.
pub(super) fn class_value(name: &str) -> Option<Value> {
    Class::named(name).map(|class| Value::object(ClassValue(class)))
}

/// A class as a value.
pub(super) struct ClassValue(pub(super) Class);

/// An exception as a value.
pub(super) struct Exception {
    /// Its class.
    pub(super) class: Class,
    args: Vec<Value>,
    /// What `str` makes of it.
    pub(super) text: String,
    /// What was told when it was raised, if it was.
    pub(super) fault: Option<Fault>,
}

impl Exception {
    /// `class(*args)`.
    pub(super) fn new(
        evaluator: &mut Evaluator<'_>,
        class: Class,
        args: Vec<Value>,
    ) -> Result<Exception> {
        let is_key = class.name() == "KeyError";
        let text = match args.as_slice() {
            [] => String::new(),
            [one] if is_key => evaluator.repr(one)?,
            [one] => evaluator.str(one)?,
            many => evaluator.repr(&Value::tuple(many.to_vec()))?,
        };
        Ok(Exception { class, args, text, fault: None })
    }

    /// What was caught.
    pub(super) fn caught(class: Class, fault: Fault) -> Exception {
        let text = fault.text();
        let args = if text.is_empty() { Vec::new() } else { vec![Value::str(&text)] };
        Exception { class, args, text, fault: Some(fault) }
    }

    /// The same, told anew: it has flown further.
    pub(super) fn flown(&self, fault: Fault) -> Exception {
        let (args, text) = (self.args.clone(), self.text.clone());
        Exception { class: self.class, args, text, fault: Some(fault) }
    }

    /// What to tell of it where it is raised at `span`; what was told before, if it was.
    pub(super) fn as_fault(&self, span: Span) -> Fault {
        if let Some(fault) = &self.fault {
            return fault.clone();
        }
        let class = self.class.name();
        let is_assertion = class == "AssertionError";
        let message = match (is_assertion, self.text.is_empty()) {
            (true, true) => String::from("an assertion of the host program does not hold"),
            (true, false) => format!("assertion failed: {}", self.text),
            (false, true) => class.to_owned(),
            (false, false) => format!("{class}: {}", self.text),
        };
        let code = if is_assertion { hosting::HOST_ASSERTION } else { hosting::HOST_RAISED };
        Fault::new(code, message, span, "raised here").raising(class, Some(self.text.clone()))
    }

    /// The exceptions of the ranks of a spawn, with the ranks.
    fn causes(&self) -> Vec<(u32, Value)> {
        let failures = self.fault.as_ref().map_or(&[][..], Fault::failures);
        let caught = |(rank, fault): &(u32, Fault)| {
            let class = fault.class().unwrap_or(self.class);
            (*rank, Value::object(Exception::caught(class, fault.clone())))
        };
        failures.iter().map(caught).collect()
    }
}

impl Object for ClassValue {
    fn type_name(&self) -> String {
        "class".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["__name__"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        Ok((name == "__name__").then(|| Value::str(self.0.name())))
    }

    fn call(&self, evaluator: &mut Evaluator<'_>, args: &Args) -> Result<Option<Value>> {
        args.no_names(self.0.name())?;
        let given = args.positional.iter().map(|given| given.value.clone()).collect();
        Ok(Some(Value::object(Exception::new(evaluator, self.0, given)?)))
    }

    fn show(&self, _: &mut Evaluator<'_>) -> Result<String> {
        Ok(format!("<class '{}'>", self.0.name()))
    }
}

impl Object for Exception {
    fn type_name(&self) -> String {
        self.class.name().into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["args", "__class__", "error_index", "causes"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        let causes = || self.causes();
        Ok(match name {
            "args" => Some(Value::tuple(self.args.clone())),
            "__class__" => Some(Value::object(ClassValue(self.class))),
            "error_index" => causes().first().map(|(rank, _)| Value::Int(i128::from(*rank))),
            "causes" => {
                let pair = |(rank, it)| Value::tuple(vec![Value::Int(i128::from(rank)), it]);
                Some(Value::list(causes().into_iter().map(pair).collect()))
            }
            _ => None,
        })
    }

    fn show(&self, evaluator: &mut Evaluator<'_>) -> Result<String> {
        let mut shown = Vec::with_capacity(self.args.len());
        for arg in &self.args {
            shown.push(evaluator.repr(arg)?);
        }
        Ok(format!("{}({})", self.class.name(), shown.join(", ")))
    }
}

/// `type(value)`.
pub(super) const TYPE: Native =
    Native { name: "type", run: type_of, without_data: WithoutData::Call };

/// The class of an exception, or the built-in function that makes values of this type.
fn type_of(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "type", params: ["object"] })?;
    let Some(given) = value else { return Ok(Value::None) };
    if let Some(exception) = given.value.downcast::<Exception>() {
        return Ok(Value::object(ClassValue(exception.class)));
    }
    let made = super::builtins::index(&given.value.type_name()).map(super::builtins::at);
    made.ok_or_else(|| {
        let message = format!("`type` of {} is no value here", given.value.a_type());
        Fault::new(hosting::HOST_UNSUPPORTED, message, given.span, "this value")
            .help(String::from("ask `isinstance(value, …)`"))
    })
}

/// The classes that `except` or `isinstance` names: one, or a tuple of them.
pub(super) fn classes(given: &Given) -> Result<Vec<Class>> {
    let all = if let Value::Tuple(items) = &given.value {
        items.values().to_vec()
    } else {
        vec![given.value.clone()]
    };
    let class = |value: &Value| value.downcast::<ClassValue>().map(|class| class.0);
    all.iter().map(class).collect::<Option<Vec<Class>>>().ok_or_else(|| {
        given.wrong("what `except` catches", "a class of exceptions, or a tuple of them,")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_stand_below_their_bases() {
        for (name, base) in CLASSES {
            let class = Class::named(name).unwrap();
            assert_eq!(class.name(), name);
            assert!(class.is_a(Class::named("BaseException").unwrap()), "{name}");
            if !base.is_empty() {
                assert!(class.is_a(Class::named(base).unwrap()), "{name} of {base}");
                assert!(!Class::named(base).unwrap().is_a(class), "{base} of {name}");
            }
        }
        assert_eq!(Class::named("ProcessRaisedException"), Class::named("SpawnException"));
    }

    #[test]
    fn what_kbc_cannot_do_is_not_caught() {
        let class = |code| Class::of_code(code).map(Class::name);
        assert_eq!(class(hosting::HOST_UNSUPPORTED), None);
        assert_eq!(class(hosting::HOST_BUDGET), None);
        assert_eq!(class(crate::diag::internal::INTERNAL), None);
        assert_eq!(class(hosting::HOST_INDEX), Some("IndexError"));
        assert_eq!(class(crate::diag::types::WRONG_ARGUMENT), Some("RuntimeError"));
    }
}
