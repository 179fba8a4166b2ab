//! Statements that run one after another.

use super::analysis::{Analysis, Style};
use super::errors::{blocks, constexpr, control, habits};
use super::names;
use super::program;
use super::scope::{Binding, Slot};
use super::value::{Constant, Spanned, Val, ViewKind};
use crate::source::Span;
use crate::syntax::ast::{self, ExprId, ExprKind, Stmt, StmtKind};

/// How a run of statements ends.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    /// At its end.
    Next,
    /// By `return` on every path, with this value.
    Returned(Val),
}

impl<'p> Analysis<'p> {
    /// Analyses `body`. `tail` says that nothing of the function follows it.
    pub(super) fn block(&mut self, body: &'p [Stmt], tail: bool) -> Flow {
        let span = body.first().map_or(Span::NONE, |stmt| stmt.span);
        self.deeper(span, |it| it.statements(body, tail)).unwrap_or(Flow::Next)
    }

    fn statements(&mut self, body: &'p [Stmt], tail: bool) -> Flow {
        let mut rest = body;
        while let Some((stmt, after)) = rest.split_first() {
            rest = after;
            if let Some(flow) = self.stmt(stmt, after, tail) {
                return flow;
            }
        }
        Flow::Next
    }

    /// Analyses one statement; `Some` ends the block, the statements `after` included.
    fn stmt(&mut self, stmt: &'p Stmt, after: &'p [Stmt], tail: bool) -> Option<Flow> {
        match &stmt.kind {
            StmtKind::If { branches, otherwise } => {
                return self.branch((branches, otherwise), stmt.span, after, tail);
            }
            StmtKind::Return(value) => return self.return_stmt(*value, stmt.span),
            StmtKind::Expr(value) => self.expr_stmt(*value),
            StmtKind::Assign { targets, value } => self.assign(targets, *value),
            StmtKind::AugAssign { target, op, value } => {
                self.augment(*target, *op, *value, stmt.span)
            }
            StmtKind::AnnAssign { target, annotation, value } => {
                self.annotated(*target, *annotation, *value);
            }
            StmtKind::For { target, iter, body, otherwise } => {
                self.no_loop_else(otherwise);
                self.for_stmt(*target, *iter, body, stmt.span);
            }
            StmtKind::While { condition, body, otherwise } => {
                self.no_loop_else(otherwise);
                self.while_stmt(*condition, body, stmt.span);
            }
            StmtKind::Assert { condition, message } => self.assert_stmt(*condition, *message),
            StmtKind::Break | StmtKind::Continue => {
                let name = if matches!(stmt.kind, StmtKind::Break) { "break" } else { "continue" };
                self.report(control::break_or_continue(name, stmt.span));
            }
            StmtKind::Import(_)
            | StmtKind::ImportFrom { .. }
            | StmtKind::Try { .. }
            | StmtKind::Raise { .. }
            | StmtKind::Delete(_)
            | StmtKind::Function(_) => {
                self.report(habits::statement(&stmt.kind, stmt.span));
            }
            StmtKind::Pass | StmtKind::Error => {}
        }
        None
    }

    /// A value that nobody keeps. Of a block pointer that is a mistake: moving one changes nothing.
    fn expr_stmt(&mut self, value: ExprId) {
        let val = self.expr(value);
        if let Val::View(view) = val
            && view.kind == ViewKind::BlockPointer
        {
            self.report(blocks::unused_advance(self.span(value)));
        }
    }

    fn no_loop_else(&mut self, otherwise: &'p [Stmt]) {
        if let Some(first) = otherwise.first() {
            self.report(habits::loop_else(first.span));
        }
    }

    fn return_stmt(&mut self, value: Option<ExprId>, span: Span) -> Option<Flow> {
        if let Some(around) = self.frame.loops.last() {
            let error = control::return_in_loop(span, *around);
            self.report(error);
            return Some(Flow::Returned(Val::Error));
        }
        let val = value.map_or(Val::NONE, |value| self.expr(value));
        let nothing = matches!(val, Val::Error | Val::Const(Constant::None));
        if self.frame.is_kernel && !nothing {
            let found = self.describe(&val);
            let name = &self.program.function(self.frame.at).name.name;
            let error = control::kernel_returns(name, &found, span);
            match self.frame.style {
                Style::Tl => {
                    self.report(error);
                }
                // Triton drops it without a word.
                Style::Jit => self.say(error.as_warning()),
            }
            return Some(Flow::Returned(Val::NONE));
        }
        Some(Flow::Returned(val))
    }

    fn assign(&mut self, targets: &'p [ExprId], value: ExprId) {
        let value = self.spanned(value);
        if let [_, second, ..] = targets {
            let span = self.span(*second);
            self.extension("a chain of assignments", "write one assignment after the other", span);
        }
        for target in targets {
            self.bind_target(*target, &value);
        }
    }

    /// Binds the target of an assignment. In `jit` kernels a number becomes a scalar there.
    fn bind_target(&mut self, target: ExprId, value: &Spanned) {
        if self.frame.style == Style::Jit && value.val.constant().is_some() {
            let val = self.materialize(&value.val, value.span);
            return self.bind_as_it_is(target, &Spanned { val, span: value.span });
        }
        self.bind_as_it_is(target, value);
    }

    /// Binds the target of an assignment or loop.
    pub(super) fn bind_as_it_is(&mut self, target: ExprId, value: &Spanned) {
        let span = self.span(target);
        let kind = self.kind(target);
        if let ExprKind::Name(name) = kind {
            self.bind_variable(name, value, span);
        } else if let ExprKind::Tuple(targets) | ExprKind::List(targets) = kind {
            self.unpack(targets, value, span);
        } else if *kind != ExprKind::Error {
            self.report(habits::target(kind, span));
        }
    }

    pub(super) fn bind_variable(&mut self, name: &'p str, value: &Spanned, span: Span) {
        if self.is_constexpr_name(name, span) {
            return;
        }
        self.bind(name, value.val.clone(), span);
    }

    /// Reports the second binding of a `tl.constexpr` name.
    fn is_constexpr_name(&mut self, name: &str, span: Span) -> bool {
        let first = self.frame.scope.binding(name).filter(|it| it.constexpr).map(|it| it.span);
        if let Some(first) = first {
            self.report(constexpr::bound_again(name, span, first));
        }
        first.is_some()
    }

    fn unpack(&mut self, targets: &'p [ExprId], value: &Spanned, span: Span) {
        let starred = |it: &&ExprId| matches!(self.kind(**it), ExprKind::Starred(_));
        if let Some(star) = targets.iter().find(starred) {
            self.report(habits::target(self.kind(*star), self.span(*star)));
            let error = Spanned { val: Val::Error, span: value.span };
            let others = targets.iter().filter(|it| *it != star);
            return others.for_each(|target| self.bind_as_it_is(*target, &error));
        }
        let count = value.val.items().map(<[Val]>::len);
        let items = match value.val.items().filter(|items| items.len() == targets.len()) {
            Some(items) => items.to_vec(),
            None => vec![Val::Error; targets.len()],
        };
        if count != Some(targets.len()) && !value.val.is_error() {
            let found = self.describe(&value.val);
            let places = (span, value.span);
            self.report(habits::unpacking(targets.len(), count, &found, places));
        }
        for (target, val) in targets.iter().zip(items) {
            self.bind_target(*target, &Spanned { val, span: value.span });
        }
    }

    fn augment(&mut self, target: ExprId, op: ast::BinaryOp, value: ExprId, span: Span) {
        let right = self.spanned(value);
        if !matches!(self.kind(target), ExprKind::Name(_)) {
            self.report(habits::target(self.kind(target), self.span(target)));
            return;
        }
        let left = self.spanned(target);
        let val = self.binary(op, &left, &right, span);
        self.bind_target(target, &Spanned { val, span });
    }

    fn annotated(&mut self, target: ExprId, annotation: ExprId, value: Option<ExprId>) {
        let Some(value) = value else { return };
        let value = self.spanned(value);
        let ExprKind::Name(name) = self.kind(target) else {
            return self.bind_target(target, &value);
        };
        if !program::is_constexpr(self.ast(), annotation) {
            return self.bind_target(target, &value);
        }
        let span = self.span(target);
        if self.is_constexpr_name(name, span) {
            return;
        }
        let mut val = value.val.clone();
        if self.is_run_time(&val) {
            let found = self.describe(&val);
            val = self.report(constexpr::not_constexpr(name, &found, value.span, Span::NONE));
        }
        if let Val::Value(it) = val {
            self.frame.build.name(it, name);
        }
        self.frame.scope.set(name, Slot::Bound(Binding { val, span, constexpr: true }));
    }

    /// Whether `val` is or holds a tile or future, which no launch knows.
    pub(super) fn is_run_time(&self, val: &Val) -> bool {
        val.leaves().iter().any(|value| self.ty(*value).tile().is_some())
    }

    fn assert_stmt(&mut self, condition: ExprId, message: Option<ExprId>) {
        let condition = self.spanned(condition);
        let message = message.map(|it| self.spanned(it));
        self.assertion("assert", &condition, message.as_ref());
    }
}

/// Whether every path through `body` ends in `return`.
pub(super) fn always_returns(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| {
        if let StmtKind::If { branches, otherwise } = &stmt.kind {
            return branches.iter().all(|(_, body)| always_returns(body))
                && always_returns(otherwise);
        }
        matches!(stmt.kind, StmtKind::Return(_))
    })
}

/// Whether `body` holds a `return` at all.
pub(super) fn has_return(body: &[Stmt]) -> bool {
    names::first_return(body).is_some()
}
