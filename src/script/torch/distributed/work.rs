//! What a collective gives back: a handle to wait for.

use std::any::Any;
use std::cell::RefCell;

use super::algorithm::Choice;
use super::lists::{Rows, give_back};
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::Object;
use crate::script::torch::spawn::{self, OpId};
use crate::script::value::Value;
use crate::source::Span;

/// A collective that was begun.
pub(in crate::script::torch) struct Work {
    /// Its number among those that the rank has posted, until it is done.
    posted: RefCell<Option<OpId>>,
    /// What it ran with, once that is known.
    choice: RefCell<Option<Choice>>,
    /// The tensors of a list that are given what it leaves.
    rows: RefCell<Option<Rows>>,
}

impl Work {
    /// One that is done.
    pub(super) fn done(choice: Choice) -> Work {
        let (posted, rows) = (RefCell::new(None), RefCell::new(None));
        Work { posted, choice: RefCell::new(Some(choice)), rows }
    }

    fn wait(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<()> {
        let posted = self.posted.borrow_mut().take();
        if let Some(id) = posted {
            let choice = spawn::wait_for(evaluator, id, span)?;
            *self.choice.borrow_mut() = choice;
            let rows = self.rows.borrow_mut().take();
            if let Some(rows) = rows {
                give_back(evaluator, &rows, span)?;
            }
        }
        Ok(())
    }
}

/// The handle of a collective that a rank has posted; waited for at once unless it is asynchronous.
pub(super) fn posted(
    evaluator: &mut Evaluator<'_>,
    (id, rows): (OpId, Option<Rows>),
    is_async: bool,
    span: Span,
) -> Result<Value> {
    let (choice, rows) = (RefCell::new(None), RefCell::new(rows));
    let work = Work { posted: RefCell::new(Some(id)), choice, rows };
    if !is_async {
        work.wait(evaluator, span)?;
    }
    Ok(Value::object(work))
}

/// What a handle says that its collective ran with.
pub(in crate::script::torch) fn chosen(given: &Given) -> Option<Choice> {
    given.value.downcast::<Work>()?.choice.borrow().clone()
}

impl Object for Work {
    fn type_name(&self) -> String {
        "work handle".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["wait", "is_completed", "algorithm", "why"]
    }

    fn attribute(&self, it: &mut Evaluator<'_>, name: &str, at: Span) -> Result<Option<Value>> {
        if matches!(name, "algorithm" | "why") {
            self.wait(it, at)?;
            let choice = self.choice.borrow();
            let Some(choice) = choice.as_ref() else { return Ok(Some(Value::None)) };
            let text = if name == "why" { choice.why.as_str() } else { choice.name() };
            return Ok(Some(Value::str(text)));
        }
        Ok(None)
    }

    fn call_method(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        args: &Args,
    ) -> Result<Option<Value>> {
        match name {
            "wait" => {
                let [_] = args.bind(Signature { name: "wait", params: ["timeout?"] })?;
                self.wait(evaluator, args.span)?;
                Ok(Some(Value::Bool(true)))
            }
            "is_completed" => {
                let [] = args.bind(Signature { name: "is_completed", params: [] })?;
                Ok(Some(Value::Bool(self.posted.borrow().is_none())))
            }
            _ => Ok(None),
        }
    }
}
