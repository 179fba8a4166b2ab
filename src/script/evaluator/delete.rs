//! `del`.

use std::rc::Rc;

use super::Evaluator;
use super::expression::hashable;
use super::scope::Scope;
use crate::diag::hosting;
use crate::script::fault::{Fault, Result};
use crate::script::object::Subscript;
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind};

impl<'a> Evaluator<'a> {
    /// Takes the value of a name away, or an item out of its list or dict. A tensor of which nothing
    /// else holds the value gives its memory back.
    pub(super) fn delete(&mut self, scope: &Rc<Scope>, target: ExprId) -> Result<()> {
        let module = self.module;
        let span = module.span(target);
        if let ExprKind::Tuple(targets) | ExprKind::List(targets) = module.kind(target) {
            return targets.iter().try_for_each(|target| self.delete(scope, *target));
        }
        if let ExprKind::Name(name) = module.kind(target) {
            // One that has no value cannot lose it.
            self.evaluate(scope, target)?;
            let slot = self.codes[scope.code].slot(name);
            let slot = slot.expect("a code declares every name that it deletes");
            self.deleted.insert((scope.code, slot), span);
            scope.unset(slot);
            return Ok(());
        }
        if let ExprKind::Subscript { value, index } = module.kind(target) {
            let container = self.evaluate(scope, *value)?;
            let index = self.evaluate_index(scope, *index)?;
            return self.delete_item(&container, &index, span);
        }
        let message = "only names and items can be deleted";
        Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "deleted here"))
    }

    fn delete_item(&mut self, container: &Value, index: &Subscript, span: Span) -> Result<()> {
        // What is not there is told as where it is read.
        self.item(container, index, span)?;
        let removed = match (container, index) {
            (Value::Dict(dict), Subscript::At(key, at)) => {
                let key = hashable(key, *at)?;
                dict.0.borrow_mut().remove(&key)
            }
            (Value::List(list), Subscript::At(at, _)) => {
                let len = list.0.borrow().len();
                self.spend(len as u64 / 8, span)?;
                let wanted = at.as_int().unwrap_or(0);
                let place = if wanted < 0 { wanted + len as i128 } else { wanted };
                usize::try_from(place).ok().map(|place| list.0.borrow_mut().remove(place))
            }
            _ => {
                let found = container.a_type();
                let message = format!("items of {found} cannot be deleted");
                return Err(Fault::new(
                    hosting::HOST_TYPE,
                    message,
                    span,
                    format!("part of {found}"),
                ));
            }
        };
        drop(removed);
        Ok(())
    }
}
