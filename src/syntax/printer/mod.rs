//! The tree as text in one canonical layout, which parses back to an equal tree.
//!
//! Brackets stand only where precedence needs them, blocks are indented by four blanks, strings
//! stand in double quotes. Error nodes print as `<error>`, which does not parse.

mod expr;
mod text;

use super::ast::{ExprId, ExprKind, Function, ImportName, Module, Param, Stmt, StmtKind};
use expr::Level;

/// The text of `module`.
pub fn print(module: &Module) -> String {
    let mut printer = Printer { module, out: String::new(), depth: 0, quotes: &[] };
    for (at, stmt) in module.body.iter().enumerate() {
        if at > 0 && matches!(stmt.kind, StmtKind::Function(_)) {
            printer.out.push_str("\n\n");
        }
        printer.stmt(stmt);
    }
    printer.out
}

/// The text of one expression of `module`.
pub fn print_expr(module: &Module, id: ExprId) -> String {
    let mut printer = Printer { module, out: String::new(), depth: 0, quotes: &[] };
    printer.expr(id, Level::Named);
    printer.out
}

struct Printer<'m> {
    module: &'m Module,
    out: String,
    /// How many blocks the statement stands in.
    depth: usize,
    /// The quotes left for strings inside the braces of an f-string, outermost first; empty
    /// outside of f-strings.
    quotes: &'static [&'static str],
}

impl Printer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n("    ", self.depth));
    }

    fn block(&mut self, body: &[Stmt]) {
        self.push(":\n");
        self.depth += 1;
        if body.is_empty() {
            self.indent();
            self.push("pass\n");
        }
        for stmt in body {
            self.stmt(stmt);
        }
        self.depth -= 1;
    }

    fn otherwise(&mut self, body: &[Stmt]) {
        if !body.is_empty() {
            self.indent();
            self.push("else");
            self.block(body);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::If { branches, otherwise } => self.branches(branches, otherwise),
            StmtKind::For { target, iter, body, otherwise } => {
                self.indent();
                self.push("for ");
                self.bare(*target, Level::BitOr);
                self.push(" in ");
                self.bare(*iter, Level::Conditional);
                self.block(body);
                self.otherwise(otherwise);
            }
            StmtKind::While { condition, body, otherwise } => {
                self.indent();
                self.push("while ");
                self.expr(*condition, Level::Named);
                self.block(body);
                self.otherwise(otherwise);
            }
            StmtKind::Try { .. } => self.attempt(&stmt.kind),
            StmtKind::Function(function) => self.function(function),
            StmtKind::Expr(_)
            | StmtKind::Assign { .. }
            | StmtKind::AugAssign { .. }
            | StmtKind::AnnAssign { .. }
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Return(_)
            | StmtKind::Pass
            | StmtKind::Assert { .. }
            | StmtKind::Raise { .. }
            | StmtKind::Delete(_)
            | StmtKind::Import(_)
            | StmtKind::ImportFrom { .. }
            | StmtKind::Error => {
                self.indent();
                self.simple(&stmt.kind);
                self.push("\n");
            }
        }
    }

    fn attempt(&mut self, kind: &StmtKind) {
        let StmtKind::Try { body, handlers, otherwise, last } = kind else { return };
        self.indent();
        self.push("try");
        self.block(body);
        for handler in handlers {
            self.indent();
            self.push("except");
            if let Some(kinds) = handler.kinds {
                self.push(" ");
                self.expr(kinds, Level::Conditional);
            }
            if let Some(name) = &handler.name {
                self.push(&format!(" as {}", name.name));
            }
            self.block(&handler.body);
        }
        self.otherwise(otherwise);
        if !last.is_empty() {
            self.indent();
            self.push("finally");
            self.block(last);
        }
    }

    fn branches(&mut self, branches: &[(ExprId, Vec<Stmt>)], otherwise: &[Stmt]) {
        for (at, (condition, body)) in branches.iter().enumerate() {
            self.indent();
            self.push(if at == 0 { "if " } else { "elif " });
            self.expr(*condition, Level::Named);
            self.block(body);
        }
        self.otherwise(otherwise);
    }

    /// A statement of one line.
    fn simple(&mut self, kind: &StmtKind) {
        match kind {
            StmtKind::Expr(value) => self.effect(*value),
            StmtKind::Assign { targets, value } => {
                for target in targets {
                    self.bare(*target, Level::Conditional);
                    self.push(" = ");
                }
                self.bare(*value, Level::Conditional);
            }
            StmtKind::AugAssign { target, op, value } => {
                self.expr(*target, Level::Conditional);
                self.push(&format!(" {}= ", op.text()));
                self.bare(*value, Level::Conditional);
            }
            StmtKind::AnnAssign { target, annotation, value } => {
                self.expr(*target, Level::Conditional);
                self.push(": ");
                self.expr(*annotation, Level::Conditional);
                self.operand(" = ", *value);
            }
            StmtKind::Return(value) => {
                self.push("return");
                self.operand(" ", *value);
            }
            StmtKind::Assert { condition, message } => {
                self.push("assert ");
                self.expr(*condition, Level::Conditional);
                self.clause(", ", *message);
            }
            StmtKind::Delete(targets) => {
                self.push("del ");
                for (at, target) in targets.iter().enumerate() {
                    self.push(if at == 0 { "" } else { ", " });
                    self.expr(*target, Level::Conditional);
                }
            }
            StmtKind::Raise { exception, cause } => {
                self.push("raise");
                self.clause(" ", *exception);
                self.clause(" from ", *cause);
            }
            StmtKind::Import(names) => {
                self.push("import ");
                self.imports(names);
            }
            StmtKind::ImportFrom { module, names } => {
                self.push(&format!("from {} import ", module.name));
                self.imports(names);
            }
            StmtKind::Break => self.push("break"),
            StmtKind::Continue => self.push("continue"),
            StmtKind::Pass => self.push("pass"),
            StmtKind::If { .. }
            | StmtKind::For { .. }
            | StmtKind::While { .. }
            | StmtKind::Try { .. }
            | StmtKind::Function(_)
            | StmtKind::Error => self.push("<error>"),
        }
    }

    /// A value that may be left out, which need not stand in brackets.
    fn operand(&mut self, before: &str, value: Option<ExprId>) {
        if let Some(value) = value {
            self.push(before);
            self.bare(value, Level::Conditional);
        }
    }

    /// A part of a statement that may be left out.
    fn clause(&mut self, before: &str, value: Option<ExprId>) {
        if let Some(value) = value {
            self.push(before);
            self.expr(value, Level::Conditional);
        }
    }

    /// An expression as a statement; a string of several lines keeps them.
    fn effect(&mut self, value: ExprId) {
        if let ExprKind::Str(value) = self.module.kind(value)
            && value.contains('\n')
        {
            let text = text::docstring(value);
            self.push(&text);
        } else {
            self.bare(value, Level::Conditional);
        }
    }

    fn imports(&mut self, names: &[ImportName]) {
        for (at, name) in names.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.push(&name.name.name);
            if let Some(alias) = &name.alias {
                self.push(&format!(" as {}", alias.name));
            }
        }
    }

    fn function(&mut self, function: &Function) {
        for decorator in &function.decorators {
            self.indent();
            self.push("@");
            self.expr(*decorator, Level::Named);
            self.push("\n");
        }
        self.indent();
        self.push(&format!("def {}(", function.name.name));
        self.params(&function.params);
        self.push(")");
        if let Some(returns) = function.returns {
            self.push(" -> ");
            self.expr(returns, Level::Conditional);
        }
        self.block(&function.body);
    }

    fn params(&mut self, params: &[Param]) {
        for (at, param) in params.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.push(if param.variadic { "*" } else { "" });
            self.push(&param.name.name);
            if let Some(annotation) = param.annotation {
                self.push(": ");
                self.expr(annotation, Level::Conditional);
            }
            if let Some(default) = param.default {
                self.push(if param.annotation.is_some() { " = " } else { "=" });
                self.expr(default, Level::Conditional);
            }
        }
    }
}
