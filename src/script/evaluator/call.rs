//! Calls.

use std::rc::Rc;

use super::Evaluator;
use super::code::{Body, Code};
use super::expression::no_attribute;
use super::iterate::undecided;
use super::scope::{Closure, Scope};
use super::statement::Flow;
use crate::diag::hosting;
use crate::script::args::{
    Args, Given, count, given_twice, missing, unknown_among, unknown_parameter,
};
use crate::script::builtins;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, WithoutData};
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{Arg, ArgKind, ExprId, ExprKind, Ident};

impl<'a> Evaluator<'a> {
    pub(super) fn call_expression(
        &mut self,
        scope: &Rc<Scope>,
        func: ExprId,
        args: &'a [Arg],
        span: Span,
    ) -> Result<Value> {
        let module = self.module;
        // A method is called without making a value of it first.
        if let ExprKind::Attribute { value, attr } = module.kind(func) {
            let receiver = self.evaluate(scope, *value)?;
            let args = self.arguments(scope, args, span)?;
            return self.call_method(&receiver, attr, args);
        }
        let callee = self.evaluate(scope, func)?;
        let args = self.arguments(scope, args, span)?;
        self.call(&callee, args)
    }

    fn arguments(&mut self, scope: &Rc<Scope>, args: &'a [Arg], span: Span) -> Result<Args> {
        let mut found = Args { positional: Vec::new(), named: Vec::new(), span };
        for arg in args {
            let value = self.evaluate(scope, arg.value)?;
            let span = self.module.span(arg.value);
            match &arg.kind {
                ArgKind::Positional => found.positional.push(Given { value, span }),
                ArgKind::Keyword(name) => found.named.push((name.clone(), Given { value, span })),
                ArgKind::Star => {
                    let items = self.items(&value, span)?;
                    found.positional.extend(items.into_iter().map(|value| Given { value, span }));
                }
                ArgKind::DoubleStar => self.spread_names(&value, span, &mut found)?,
            }
        }
        Ok(found)
    }

    fn spread_names(&mut self, value: &Value, span: Span, found: &mut Args) -> Result<()> {
        let Value::Dict(dict) = value else {
            let given = Given { value: value.clone(), span };
            return Err(given.wrong("what follows `**`", "a dict"));
        };
        for (key, value) in dict.0.borrow().iter() {
            let Some(name) = key.as_str() else {
                let given = Given { value: key.clone(), span };
                return Err(given.wrong("a key of what follows `**`", "a str"));
            };
            let given = Given { value: value.clone(), span };
            found.named.push((Ident { name: name.to_owned(), span }, given));
        }
        Ok(())
    }

    /// `receiver.name(args)`.
    fn call_method(&mut self, receiver: &Value, name: &Ident, args: Args) -> Result<Value> {
        if let Value::Unknown(made) = receiver {
            return Ok(Value::Unknown(*made));
        }
        if let Value::Object(object) = receiver {
            if let Some(value) = object.call_method(self, &name.name, &args)? {
                return Ok(value);
            }
            return match object.attribute(self, &name.name, name.span)? {
                Some(callee) => self.call(&callee, args),
                None => Err(no_attribute(receiver, name)),
            };
        }
        match builtins::call_method(self, receiver, &name.name, &args)? {
            Some(value) => Ok(value),
            None => Err(no_attribute(receiver, name)),
        }
    }

    /// Calls `callee`.
    pub(in crate::script) fn call(&mut self, callee: &Value, args: Args) -> Result<Value> {
        match callee {
            Value::Function(closure) => self.call_function(closure, args),
            Value::Native(native) => self.call_native(native, args),
            Value::Method(method) => {
                let name = Ident { name: method.name.clone(), span: args.span };
                self.call_method(&method.receiver, &name, args)
            }
            Value::Unknown(made) => Err(undecided("what is called here", *made, args.span)),
            Value::Kernel(name) => {
                let message = format!("kernel `{name}` cannot be called by the host");
                Err(Fault::new(hosting::HOST_UNSUPPORTED, message, args.span, "called here")
                    .note("a kernel runs on the machine, once on every rank or program of a grid")
                    .help(format!("launch it: `torch.launch({name}, …)`, or `{name}[grid](…)`")))
            }
            Value::Object(object) => match object.call(self, &args)? {
                Some(value) => Ok(value),
                None => Err(not_callable(callee, args.span)),
            },
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Tuple(_)
            | Value::List(_)
            | Value::Dict(_)
            | Value::Range(_) => Err(not_callable(callee, args.span)),
        }
    }

    fn call_native(&mut self, native: &'static Native, args: Args) -> Result<Value> {
        if let Some(made) = unknown_among(&args) {
            match native.without_data {
                WithoutData::Call => {}
                WithoutData::Unknown => return Ok(Value::Unknown(made)),
                WithoutData::Skip => {
                    self.journal.skipped += 1;
                    return Ok(Value::None);
                }
            }
        }
        (native.run)(self, args)
    }

    fn call_function(&mut self, closure: &Rc<Closure>, args: Args) -> Result<Value> {
        let code = self.codes[closure.code].clone();
        let span = args.span;
        let scope = Scope::new(closure.code, code.slots(), Some(closure.scope.clone()));
        let scope = Rc::new(scope);
        bind(&code, closure, &scope, args)?;
        let result = self.deeper(span, |it| match code.body {
            Body::Value(value) => it.evaluate(&scope, value),
            Body::Block(block) => Ok(match it.execute_block(&scope, block)? {
                Flow::Return(value) => value,
                Flow::Next | Flow::Break | Flow::Continue => Value::None,
            }),
        });
        result.map_err(|fault| fault.within(code.name, span))
    }

    /// Calls `callee` with the values of `offered` that its parameters name.
    ///
    /// # Errors
    /// A parameter without a default that nothing is offered for.
    pub(in crate::script) fn call_by_name(
        &mut self,
        callee: &Value,
        offered: &[(&str, Value)],
        span: Span,
    ) -> Result<Value> {
        let mut args = Args { positional: Vec::new(), named: Vec::new(), span };
        if let Value::Function(closure) = callee {
            let params = self.codes[closure.code].params;
            for param in params.iter().filter(|param| !param.variadic) {
                let name = param.name.name.as_str();
                if let Some((_, value)) = offered.iter().find(|(known, _)| *known == name) {
                    let ident = Ident { name: name.to_owned(), span };
                    args.named.push((ident, Given { value: value.clone(), span }));
                }
            }
        } else {
            args.positional = offered
                .iter()
                .take(1)
                .map(|(_, value)| Given { value: value.clone(), span })
                .collect();
        }
        self.call(callee, args)
    }
}

fn not_callable(callee: &Value, span: Span) -> Fault {
    let found = callee.a_type();
    let message = format!("{found} cannot be called");
    Fault::new(hosting::HOST_TYPE, message, span, format!("{found} is called"))
}

/// Binds a function's parameters to the arguments of a call.
fn bind(code: &Code<'_>, closure: &Closure, scope: &Scope, args: Args) -> Result<()> {
    let mut positional = args.positional.into_iter();
    let mut is_bound = vec![false; code.params.len()];
    let plain = code.params.iter().filter(|param| !param.variadic).count();
    for ((slot, param), bound) in code.params.iter().enumerate().zip(&mut is_bound) {
        if param.variadic {
            let rest = positional.by_ref().map(|given| given.value).collect();
            scope.set(slot as u32, Value::tuple(rest));
            *bound = true;
        } else if let Some(given) = positional.next() {
            scope.set(slot as u32, given.value);
            *bound = true;
        }
    }
    if let Some(extra) = positional.next() {
        let given = plain + 1 + positional.count();
        let takes = count(plain, "argument");
        let message = format!("`{}` takes {takes}, and {given} are given", code.name);
        return Err(Fault::new(
            hosting::HOST_ARGUMENTS,
            message,
            extra.span,
            "this one is too many",
        ));
    }
    for (name, given) in args.named {
        let index = code.params.iter().position(|it| !it.variadic && it.name.name == name.name);
        let Some((slot, bound)) = index.and_then(|at| is_bound.get_mut(at).map(|it| (at, it)))
        else {
            let known = code.params.iter().map(|param| param.name.name.as_str());
            return Err(unknown_parameter(code.name, &name, known));
        };
        if *bound {
            return Err(given_twice(code.name, &name));
        }
        scope.set(slot as u32, given.value);
        *bound = true;
    }
    bind_defaults(code, closure, scope, (&is_bound, args.span))
}

fn bind_defaults(
    code: &Code<'_>,
    closure: &Closure,
    scope: &Scope,
    (is_bound, call): (&[bool], Span),
) -> Result<()> {
    for (slot, param) in code.params.iter().enumerate() {
        if is_bound.get(slot) == Some(&true) {
            continue;
        }
        let Some(default) = closure.defaults.get(slot).cloned().flatten() else {
            return Err(missing(code.name, &param.name.name, call)
                .because(param.name.span, "it has no default"));
        };
        scope.set(slot as u32, default);
    }
    Ok(())
}
