//! What is known of a function, a lambda or a comprehension before it runs: its variables.

use rustc_hash::FxHashMap;

use crate::arena::Id;
use crate::source::Span;
use crate::syntax::ast::{
    Clause, ExprId, ExprKind, Function, ImportName, Module, Param, Stmt, StmtKind,
};

/// A code of an evaluator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct CodeId(u32);

impl Id for CodeId {
    fn from_index(index: usize) -> CodeId {
        CodeId(u32::try_from(index).expect("a file has fewer than 2^32 functions"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What makes a code: a function's header, or the expression of a lambda or comprehension.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CodeKey {
    Function(Span),
    Expression(ExprId),
}

/// What a code runs.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    /// Statements.
    Block(&'a [Stmt]),
    /// One expression, which is its value.
    Value(ExprId),
}

/// A function, lambda, comprehension, or the file itself.
pub(super) struct Code<'a> {
    /// What messages call it.
    pub(super) name: &'a str,
    /// Its parameters; the first variables.
    pub(super) params: &'a [Param],
    pub(super) body: Body<'a>,
    slots: FxHashMap<&'a str, u32>,
    names: Vec<&'a str>,
}

impl<'a> Code<'a> {
    pub(super) fn of_file(module: &'a Module) -> Code<'a> {
        let mut code = Code::new("the file", &[], Body::Block(&module.body));
        code.declare_block(module, &module.body);
        code
    }

    pub(super) fn of_function(module: &'a Module, function: &'a Function) -> Code<'a> {
        let body = Body::Block(&function.body);
        let mut code = Code::new(&function.name.name, &function.params, body);
        code.declare_block(module, &function.body);
        code
    }

    pub(super) fn of_lambda(params: &'a [Param], body: ExprId) -> Code<'a> {
        Code::new("lambda", params, Body::Value(body))
    }

    pub(super) fn of_comprehension(
        module: &'a Module,
        clauses: &'a [Clause],
        element: ExprId,
    ) -> Code<'a> {
        let mut code = Code::new("comprehension", &[], Body::Value(element));
        for clause in clauses {
            code.declare_target(module, clause.target);
        }
        code
    }

    fn new(name: &'a str, params: &'a [Param], body: Body<'a>) -> Code<'a> {
        let (slots, names) = (FxHashMap::default(), Vec::new());
        let mut code = Code { name, params, body, slots, names };
        for param in params {
            code.declare(&param.name.name);
        }
        code
    }

    /// The variable of this name, if it is one of this code's own.
    pub(super) fn slot(&self, name: &str) -> Option<u32> {
        self.slots.get(name).copied()
    }

    /// How many variables it has.
    pub(super) fn slots(&self) -> usize {
        self.names.len()
    }

    /// The names of its variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.names.iter().copied()
    }

    /// The variables that `stmt` binds.
    pub(super) fn bound_by(&self, module: &Module, stmt: &Stmt) -> Vec<u32> {
        let mut alone = Code::new("", &[], Body::Block(&[]));
        alone.declare_stmt(module, stmt);
        alone.names.iter().filter_map(|name| self.slot(name)).collect()
    }

    fn declare(&mut self, name: &'a str) {
        let next = self.names.len() as u32;
        if let std::collections::hash_map::Entry::Vacant(entry) = self.slots.entry(name) {
            entry.insert(next);
            self.names.push(name);
        }
    }

    fn declare_block(&mut self, module: &'a Module, block: &'a [Stmt]) {
        for stmt in block {
            self.declare_stmt(module, stmt);
        }
    }

    fn declare_stmt(&mut self, module: &'a Module, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Assign { targets, value: _ } => {
                for target in targets {
                    self.declare_target(module, *target);
                }
            }
            StmtKind::AugAssign { target, .. } | StmtKind::AnnAssign { target, .. } => {
                self.declare_target(module, *target);
            }
            StmtKind::If { branches, otherwise } => {
                for (_, block) in branches {
                    self.declare_block(module, block);
                }
                self.declare_block(module, otherwise);
            }
            StmtKind::For { target, iter: _, body, otherwise } => {
                self.declare_target(module, *target);
                self.declare_block(module, body);
                self.declare_block(module, otherwise);
            }
            StmtKind::While { condition: _, body, otherwise } => {
                self.declare_block(module, body);
                self.declare_block(module, otherwise);
            }
            StmtKind::Delete(targets) => {
                targets.iter().for_each(|target| self.declare_target(module, *target));
            }
            StmtKind::Try { body, handlers, otherwise, last } => {
                self.declare_block(module, body);
                for handler in handlers {
                    handler.name.iter().for_each(|name| self.declare(&name.name));
                    self.declare_block(module, &handler.body);
                }
                self.declare_block(module, otherwise);
                self.declare_block(module, last);
            }
            StmtKind::Import(names) => {
                for name in names {
                    self.declare(bound_name(name));
                }
            }
            StmtKind::ImportFrom { module: _, names } => {
                for name in names {
                    self.declare(bound_name(name));
                }
            }
            StmtKind::Function(function) => self.declare(&function.name.name),
            StmtKind::Expr(_)
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Return(_)
            | StmtKind::Pass
            | StmtKind::Assert { .. }
            | StmtKind::Raise { .. }
            | StmtKind::Error => {}
        }
    }

    fn declare_target(&mut self, module: &'a Module, target: ExprId) {
        let mut pending = vec![target];
        while let Some(target) = pending.pop() {
            if let ExprKind::Name(name) = module.kind(target) {
                self.declare(name);
            }
            if let ExprKind::Starred(inner) = module.kind(target) {
                pending.push(*inner);
            }
            if let ExprKind::Tuple(items) | ExprKind::List(items) = module.kind(target) {
                pending.extend(items.iter().rev());
            }
        }
    }
}

/// The variable that an import binds: the alias, or the first part of the name.
pub(super) fn bound_name(import: &ImportName) -> &str {
    let full = import.alias.as_ref().unwrap_or(&import.name).name.as_str();
    full.split('.').next().unwrap_or(full)
}
