//! `try`, `except`, `raise`: faults that host functions catch.

use std::rc::Rc;

use super::Evaluator;
use super::scope::Scope;
use super::statement::Flow;
use crate::diag::hosting;
use crate::script::args::Given;
use crate::script::exceptions::{Class, ClassValue, Exception, classes};
use crate::script::fault::{Fault, Result};
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{ExprId, Handler, Stmt};

/// The parts of a `try`.
pub(super) struct Attempt<'a> {
    pub(super) body: &'a [Stmt],
    pub(super) handlers: &'a [Handler],
    pub(super) otherwise: &'a [Stmt],
    pub(super) last: &'a [Stmt],
}

/// The exceptions that an evaluator knows of.
#[derive(Default)]
pub(in crate::script) struct Exceptions {
    /// How many were raised by name.
    raised: u64,
    /// The last of them: what flies is this one, if it says so.
    flying: Option<(u64, Value)>,
    /// Those that are being handled, innermost last.
    handled: Vec<Value>,
}

impl<'a> Evaluator<'a> {
    /// Runs a `try`.
    pub(super) fn attempt(&mut self, scope: &Rc<Scope>, parts: &Attempt<'a>) -> Result<Flow> {
        let result = match self.execute_nested(scope, parts.body) {
            Ok(Flow::Next) => self.execute_nested(scope, parts.otherwise),
            Ok(flow) => Ok(flow),
            Err(fault) => self.handle(scope, parts.handlers, fault),
        };
        if let Err(fault) = &result
            && fault.class().is_none()
        {
            return result;
        }
        match self.execute_nested(scope, parts.last) {
            Ok(Flow::Next) => result,
            Ok(flow) => Ok(flow),
            Err(later) => Err(match &result {
                Err(fault) => later.while_handling(fault),
                Ok(_) => later,
            }),
        }
    }

    /// Gives a fault to the first handler that is for it.
    fn handle(&mut self, scope: &Rc<Scope>, handlers: &'a [Handler], fault: Fault) -> Result<Flow> {
        let Some(class) = fault.class() else { return Err(fault) };
        for handler in handlers {
            if self.catches(scope, handler, class)? {
                return self.run_handler(scope, handler, (class, fault));
            }
        }
        Err(fault)
    }

    fn catches(&mut self, scope: &Rc<Scope>, handler: &'a Handler, class: Class) -> Result<bool> {
        let Some(kinds) = handler.kinds else { return Ok(true) };
        let value = self.evaluate(scope, kinds)?;
        let given = Given { value, span: self.module.span(kinds) };
        Ok(classes(&given)?.into_iter().any(|kind| class.is_a(kind)))
    }

    fn run_handler(
        &mut self,
        scope: &Rc<Scope>,
        handler: &'a Handler,
        (class, fault): (Class, Fault),
    ) -> Result<Flow> {
        let caught = self.caught(class, &fault);
        let name = handler.name.as_ref().map(|name| name.name.as_str());
        let slot = name.and_then(|name| self.codes[scope.code].slot(name));
        if let Some(slot) = slot {
            scope.set(slot, caught.clone());
        }
        self.exceptions.handled.push(caught);
        let result = self.execute_nested(scope, &handler.body);
        self.exceptions.handled.pop();
        if let Some(slot) = slot {
            // Python forgets it, too.
            scope.unset(slot);
        }
        result.map_err(|later| later.while_handling(&fault))
    }

    /// The exception that a fault is.
    fn caught(&mut self, class: Class, fault: &Fault) -> Value {
        match &self.exceptions.flying {
            Some((number, value)) if fault.exception() == Some(*number) => {
                let known = value.downcast::<Exception>();
                known.map_or_else(|| value.clone(), |it| Value::object(it.flown(fault.clone())))
            }
            Some(_) | None => {
                let number = self.next_exception();
                let fault = fault.clone().of_exception(number);
                Value::object(Exception::caught(class, fault))
            }
        }
    }

    fn next_exception(&mut self) -> u64 {
        self.exceptions.raised += 1;
        self.exceptions.raised
    }

    /// `raise exception from cause`.
    pub(super) fn raise(
        &mut self,
        scope: &Rc<Scope>,
        (exception, cause): (Option<ExprId>, Option<ExprId>),
        span: Span,
    ) -> Result<Flow> {
        let Some(exception) = exception else {
            let Some(value) = self.exceptions.handled.last().cloned() else {
                let message = "there is no exception to raise again";
                return Err(Fault::new(hosting::HOST_VALUE, message, span, "outside of `except`")
                    .raising("RuntimeError", None));
            };
            return Err(self.fly(value, span));
        };
        let value = self.evaluate(scope, exception)?;
        let value = self.instance(value, self.module.span(exception))?;
        let fault = self.fly(value, span);
        let Some(cause) = cause else { return Err(fault) };
        let fault = fault.explained();
        let value = self.evaluate(scope, cause)?;
        if matches!(value, Value::None) {
            return Err(fault);
        }
        let value = self.instance(value, self.module.span(cause))?;
        let because = value.downcast::<Exception>().map(|it| it.as_fault(span));
        Err(match because {
            Some(because) => fault.after(&because, "because of this:"),
            None => fault,
        })
    }

    /// An exception, of which a class makes one.
    fn instance(&mut self, value: Value, span: Span) -> Result<Value> {
        if value.downcast::<Exception>().is_some() {
            return Ok(value);
        }
        match value.downcast::<ClassValue>() {
            Some(class) => Ok(Value::object(Exception::new(self, class.0, Vec::new())?)),
            None => Err(Given { value, span }.wrong("what is raised", "an exception")),
        }
    }

    /// Lets an exception fly.
    fn fly(&mut self, value: Value, span: Span) -> Fault {
        let number = self.next_exception();
        let fault = value.downcast::<Exception>().map(|it| it.as_fault(span));
        let fault = fault.unwrap_or_else(|| {
            Fault::new(hosting::HOST_TYPE, "no exception is raised", span, "raised here")
        });
        self.exceptions.flying = Some((number, value));
        fault.of_exception(number)
    }
}
