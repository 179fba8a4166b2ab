//! Statements.

use std::rc::Rc;

use super::attempt::Attempt;
use super::code::{Code, CodeKey, bound_name};
use super::scope::Scope;
use super::{Closure, Evaluator, Loop};
use crate::diag::hosting;
use crate::script::fault::{Fault, Result};
use crate::script::imports;
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{
    BinaryOp, ExprId, ExprKind, Function, FunctionStyle, ImportName, Param, Stmt, StmtKind,
};

/// Where execution goes on.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl<'a> Evaluator<'a> {
    /// Runs a block until something leaves it.
    pub(super) fn execute_block(&mut self, scope: &Rc<Scope>, block: &'a [Stmt]) -> Result<Flow> {
        for stmt in block {
            let flow = self.execute(scope, stmt)?;
            if !matches!(flow, Flow::Next) {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Runs a statement.
    pub(super) fn execute(&mut self, scope: &Rc<Scope>, stmt: &'a Stmt) -> Result<Flow> {
        self.spend(1, stmt.span)?;
        match &stmt.kind {
            StmtKind::Expr(value) => self.evaluate(scope, *value).map(|_| Flow::Next),
            StmtKind::Assign { targets, value } => self.assign_all(scope, targets, *value),
            StmtKind::AugAssign { target, op, value } => {
                self.assign_augmented(scope, *target, *op, *value)
            }
            StmtKind::AnnAssign { target, annotation: _, value } => match value {
                Some(value) => self.assign_all(scope, std::slice::from_ref(target), *value),
                None => Ok(Flow::Next),
            },
            StmtKind::If { branches, otherwise } => self.branch(scope, branches, otherwise),
            StmtKind::For { target, iter, body, otherwise } => {
                no_else(otherwise, stmt.span)?;
                self.in_loop(stmt.span, |it| it.repeat(scope, *target, *iter, body))
            }
            StmtKind::While { condition, body, otherwise } => {
                no_else(otherwise, stmt.span)?;
                self.in_loop(stmt.span, |it| it.repeat_while(scope, *condition, body))
            }
            StmtKind::Try { body, handlers, otherwise, last } => {
                self.attempt(scope, &Attempt { body, handlers, otherwise, last })
            }
            StmtKind::Raise { exception, cause } => {
                self.raise(scope, (*exception, *cause), stmt.span)
            }
            StmtKind::Delete(targets) => {
                targets.iter().try_for_each(|target| self.delete(scope, *target))?;
                Ok(Flow::Next)
            }
            StmtKind::Break => Ok(Flow::Break),
            StmtKind::Continue => Ok(Flow::Continue),
            StmtKind::Return(None) => Ok(Flow::Return(Value::None)),
            StmtKind::Return(Some(value)) => self.evaluate(scope, *value).map(Flow::Return),
            StmtKind::Pass => Ok(Flow::Next),
            StmtKind::Assert { condition, message } => self.assert(scope, *condition, *message),
            StmtKind::Import(names) => self.import(scope, names, None),
            StmtKind::ImportFrom { module, names } => self.import(scope, names, Some(&module.name)),
            StmtKind::Function(function) => self.define(scope, function),
            StmtKind::Error => Err(unparsed(stmt.span)),
        }
    }

    fn assign_all(
        &mut self,
        scope: &Rc<Scope>,
        targets: &'a [ExprId],
        value: ExprId,
    ) -> Result<Flow> {
        let span = self.module.span(value);
        let value = self.evaluate(scope, value)?;
        for target in targets {
            self.assign(scope, *target, value.clone(), span)?;
        }
        Ok(Flow::Next)
    }

    /// Binds `target` to `value`, which was written at `span`.
    pub(super) fn assign(
        &mut self,
        scope: &Rc<Scope>,
        target: ExprId,
        value: Value,
        span: Span,
    ) -> Result<()> {
        let module = self.module;
        let at = module.span(target);
        if let ExprKind::Name(name) = module.kind(target) {
            let slot = self.codes[scope.code].slot(name);
            scope.set(slot.expect("a code declares every name that it assigns"), value);
            return Ok(());
        }
        if let ExprKind::Subscript { value: container, index } = module.kind(target) {
            let container = self.evaluate(scope, *container)?;
            let index = self.evaluate_index(scope, *index)?;
            return self.set_item(&container, &index, value, at);
        }
        if let ExprKind::Tuple(targets) | ExprKind::List(targets) = module.kind(target) {
            return self.unpack(scope, targets, value, (at, span));
        }
        if let ExprKind::Attribute { attr, .. } = module.kind(target) {
            let message = format!("attribute `{}` cannot be assigned", attr.name);
            return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, attr.span, "assigned here"));
        }
        let message = "this cannot be assigned to";
        Err(Fault::new(hosting::HOST_UNSUPPORTED, message, at, "not a variable"))
    }

    /// `a, *b, c = value`; the spans are those of the targets and of the value.
    fn unpack(
        &mut self,
        scope: &Rc<Scope>,
        targets: &'a [ExprId],
        value: Value,
        (targets_span, value_span): (Span, Span),
    ) -> Result<()> {
        let module = self.module;
        if let Value::Unknown(_) = value {
            for target in targets {
                self.assign(scope, *target, value.clone(), value_span)?;
            }
            return Ok(());
        }
        let mut items = self.items(&value, value_span)?;
        let star = targets.iter().position(|it| matches!(module.kind(*it), ExprKind::Starred(_)));
        let fits = match star {
            None => items.len() == targets.len(),
            Some(_) => items.len() + 1 >= targets.len(),
        };
        if !fits {
            let at_least = if star.is_some() { "at least " } else { "" };
            let wanted = targets.len() - usize::from(star.is_some());
            let message = format!(
                "{at_least}{wanted} values are unpacked here, and there are {}",
                items.len()
            );
            return Err(Fault::new(
                hosting::HOST_VALUE,
                message,
                value_span,
                count_label(items.len()),
            )
            .because(targets_span, format!("{at_least}{wanted} targets")));
        }
        let extra = items.len() + 1 - targets.len().min(items.len() + 1);
        for (index, target) in targets.iter().enumerate() {
            if let (Some(star), ExprKind::Starred(inner)) = (star, module.kind(*target))
                && index == star
            {
                let taken: Vec<Value> = items.drain(..extra).collect();
                self.assign(scope, *inner, Value::list(taken), value_span)?;
                continue;
            }
            let item = if items.is_empty() { Value::None } else { items.remove(0) };
            self.assign(scope, *target, item, value_span)?;
        }
        Ok(())
    }

    fn assign_augmented(
        &mut self,
        scope: &Rc<Scope>,
        target: ExprId,
        op: BinaryOp,
        value: ExprId,
    ) -> Result<Flow> {
        let module = self.module;
        let span = module.span(target).to(module.span(value));
        if let ExprKind::Subscript { value: container, index } = module.kind(target) {
            let container = self.evaluate(scope, *container)?;
            let index = self.evaluate_index(scope, *index)?;
            let before = self.item(&container, &index, module.span(target))?;
            let by = self.evaluate(scope, value)?;
            let after = self.augment(op, before, by, (module.span(target), module.span(value)))?;
            self.set_item(&container, &index, after, span)?;
            return Ok(Flow::Next);
        }
        let before = self.evaluate(scope, target)?;
        let by = self.evaluate(scope, value)?;
        let after = self.augment(op, before, by, (module.span(target), module.span(value)))?;
        self.assign(scope, target, after, span)?;
        Ok(Flow::Next)
    }

    /// `before op= by`. A list grows where it is; everything else is made anew.
    fn augment(
        &mut self,
        op: BinaryOp,
        before: Value,
        by: Value,
        spans: (Span, Span),
    ) -> Result<Value> {
        if let (Value::List(list), BinaryOp::Add) = (&before, op)
            && by.unknown().is_none()
        {
            let items = self.items(&by, spans.1)?;
            self.spend_elements(items.len(), spans.1)?;
            list.0.borrow_mut().extend(items);
            return Ok(before);
        }
        self.binary(op, before, by, spans)
    }

    fn branch(
        &mut self,
        scope: &Rc<Scope>,
        branches: &'a [(ExprId, Vec<Stmt>)],
        otherwise: &'a [Stmt],
    ) -> Result<Flow> {
        for (condition, block) in branches {
            if self.decide(scope, *condition)? {
                return self.execute_nested(scope, block);
            }
        }
        self.execute_nested(scope, otherwise)
    }

    /// Runs a block within a statement.
    pub(super) fn execute_nested(&mut self, scope: &Rc<Scope>, block: &'a [Stmt]) -> Result<Flow> {
        let Some(first) = block.first() else { return Ok(Flow::Next) };
        self.deeper(first.span, |it| it.execute_block(scope, block))
    }

    /// Whether the expression `condition` holds.
    pub(super) fn decide(&mut self, scope: &Rc<Scope>, condition: ExprId) -> Result<bool> {
        let value = self.evaluate(scope, condition)?;
        self.truth(&value, self.module.span(condition))
    }

    /// Runs a loop, whose turns are counted.
    fn in_loop(
        &mut self,
        span: Span,
        run: impl FnOnce(&mut Evaluator<'a>) -> Result<Flow>,
    ) -> Result<Flow> {
        self.loops.push(Loop { span, turns: 0 });
        let result = run(self);
        self.loops.pop();
        result
    }

    fn turn(&mut self) {
        if let Some(innermost) = self.loops.last_mut() {
            innermost.turns += 1;
        }
    }

    fn repeat(
        &mut self,
        scope: &Rc<Scope>,
        target: ExprId,
        iter: ExprId,
        body: &'a [Stmt],
    ) -> Result<Flow> {
        let span = self.module.span(iter);
        let over = self.evaluate(scope, iter)?;
        let cursor = self.iterate(&over, span)?;
        for item in cursor {
            self.turn();
            self.spend(1, span)?;
            self.assign(scope, target, item, span)?;
            match self.execute_nested(scope, body)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                Flow::Return(value) => return Ok(Flow::Return(value)),
            }
        }
        Ok(Flow::Next)
    }

    fn repeat_while(
        &mut self,
        scope: &Rc<Scope>,
        condition: ExprId,
        body: &'a [Stmt],
    ) -> Result<Flow> {
        while self.decide(scope, condition)? {
            self.turn();
            match self.execute_nested(scope, body)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                Flow::Return(value) => return Ok(Flow::Return(value)),
            }
        }
        Ok(Flow::Next)
    }

    fn assert(
        &mut self,
        scope: &Rc<Scope>,
        condition: ExprId,
        message: Option<ExprId>,
    ) -> Result<Flow> {
        let (looks, _) = self.journal.looks;
        let value = self.evaluate(scope, condition)?;
        if value.unknown().is_some() {
            self.journal.skipped += 1;
            return Ok(Flow::Next);
        }
        let span = self.module.span(condition);
        if self.truth(&value, span)? {
            // What is read off a tensor, once the machine was asked for any, is a check of data.
            let (more, of_machine) = self.journal.looks;
            self.journal.checks += u32::from(more > looks && of_machine > 0);
            return Ok(Flow::Next);
        }
        let said = match message {
            None => None,
            Some(message) => {
                let said = self.evaluate(scope, message)?;
                Some(self.str(&said)?)
            }
        };
        let text = match &said {
            None => String::from("an assertion of the host program does not hold"),
            Some(said) => format!("assertion failed: {said}"),
        };
        let fault = Fault::new(hosting::HOST_ASSERTION, text, span, "this is false")
            .raising("AssertionError", Some(said.unwrap_or_default()));
        Err(self.explain_comparison(scope, condition, fault))
    }

    /// Adds the values of both sides to a failed `assert a == b`.
    fn explain_comparison(&mut self, scope: &Rc<Scope>, condition: ExprId, fault: Fault) -> Fault {
        let module = self.module;
        let ExprKind::Compare { first, rest } = module.kind(condition) else { return fault };
        let mut fault = fault;
        let names = std::iter::once(*first).chain(rest.iter().map(|(_, operand)| *operand));
        for operand in names {
            let is_plain = matches!(module.kind(operand), ExprKind::Name(_));
            if !is_plain {
                continue;
            }
            let shown = self.evaluate(scope, operand).and_then(|value| self.repr(&value));
            if let Ok(shown) = shown
                && shown.chars().count() <= 60
            {
                fault = fault.because(module.span(operand), format!("this is {shown}"));
            }
        }
        fault
    }

    fn import(
        &mut self,
        scope: &Rc<Scope>,
        names: &'a [ImportName],
        from: Option<&str>,
    ) -> Result<Flow> {
        for import in names {
            let path = match from {
                None => import.name.name.clone(),
                Some(from) => format!("{from}.{}", import.name.name),
            };
            if path.starts_with("__future__") {
                continue;
            }
            let is_member = import.alias.is_some() || from.is_some();
            let found = imports::import(self, (&path, is_member), import.name.span)?;
            let Some(value) = found else { return Err(no_library(&path, import.name.span)) };
            if let Some(slot) = self.codes[scope.code].slot(bound_name(import)) {
                scope.set(slot, value);
            }
        }
        Ok(Flow::Next)
    }

    fn define(&mut self, scope: &Rc<Scope>, function: &'a Function) -> Result<Flow> {
        let module = self.module;
        let value = if function.style(module) == FunctionStyle::Host {
            if let Some(decorator) = function.decorators.first() {
                let message = "decorators of host functions are not supported";
                let at = module.span(*decorator);
                return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, at, "decorator"));
            }
            let defaults = self.defaults(scope, &function.params)?;
            let key = CodeKey::Function(function.header);
            let code = self.code(key, || Code::of_function(module, function));
            Value::Function(Rc::new(Closure { code, defaults, scope: scope.clone() }))
        } else {
            Value::Kernel(Rc::from(function.name.name.as_str()))
        };
        let slot = self.codes[scope.code].slot(&function.name.name);
        scope.set(slot.expect("a code declares the functions that it defines"), value);
        Ok(Flow::Next)
    }

    /// The values of the parameters' defaults.
    pub(super) fn defaults(
        &mut self,
        scope: &Rc<Scope>,
        params: &'a [Param],
    ) -> Result<Vec<Option<Value>>> {
        let value = |param: &Param| match param.default {
            None => Ok(None),
            Some(default) => self.evaluate(scope, default).map(Some),
        };
        params.iter().map(value).collect()
    }
}

fn count_label(count: usize) -> String {
    format!("this has {count} value{}", if count == 1 { "" } else { "s" })
}

fn no_else(otherwise: &[Stmt], span: Span) -> Result<()> {
    if otherwise.is_empty() {
        return Ok(());
    }
    let message = "a loop's `else` is not supported";
    Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "this loop has an `else`")
        .help(String::from("set a flag before `break` and test it after the loop")))
}

fn no_library(path: &str, span: Span) -> Fault {
    let message = format!("host functions cannot import `{path}`");
    Fault::new(hosting::HOST_UNSUPPORTED, message, span, "not a library of kbc")
        .note(format!("host functions can import {}, and what these have", imports::PACKAGES))
}

/// Text that the parser has reported already.
pub(super) fn unparsed(span: Span) -> Fault {
    let message = "this text did not parse";
    Fault::new(hosting::HOST_UNSUPPORTED, message, span, "reported before")
}
