//! Names that a file binds and never reads: imports, variables and parameters.
//!
//! What a name stands for does not matter here, only whether the text reads it somewhere; so this
//! says nothing of a name that is read on a path that never runs. Names that begin with `_` are
//! let pass.

use std::collections::BTreeSet;

use super::errors::warnings as errors;
use super::names;
use super::program::{is_constexpr, is_of_future};
use crate::diag::Sink;
use crate::source::Span;
use crate::syntax::ast::{
    ExprId, ExprKind, Function, FunctionStyle, ImportName, Module, Stmt, StmtKind,
};

/// Calls that are made for what they do, whether or not their result is read.
const ACTIONS: [&str; 6] =
    ["recv", "recv_async", "recv_no_consume", "recv_reduce_send", "recv_send", "wait"];

/// Warns of the names of a file that nothing reads.
pub fn unused(module: &Module, sink: &mut Sink) {
    imports(module, sink);
    // Decorators name parameters so, as `autotune` does in `key=["n"]`.
    let mut texts: BTreeSet<&str> = BTreeSet::new();
    for expr in module.exprs.values() {
        if let ExprKind::Str(text) = &expr.kind {
            texts.insert(text);
        }
    }
    for function in module.functions() {
        if function.style(module) != FunctionStyle::Host {
            variables(module, function, sink);
            parameters(module, function, &texts, sink);
        }
    }
}

/// Imports of which the rest of the file names nothing.
fn imports(module: &Module, sink: &mut Sink) {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for expr in module.exprs.values() {
        if let ExprKind::Name(name) = &expr.kind {
            named.insert(name);
        }
        // A quoted annotation, such as `"tl.tensor"`.
        if let ExprKind::Str(text) = &expr.kind {
            named.extend(text.split('.').next());
        }
    }
    let mut check = |import: &ImportName, what: &str| {
        let bound = import.alias.as_ref().unwrap_or(&import.name);
        let name = bound.name.split('.').next().unwrap_or(&bound.name);
        if !named.contains(name) && name != "*" && !name.starts_with('_') {
            sink.warning(errors::unused_import(name, what, bound.span));
        }
    };
    for stmt in &module.body {
        if let StmtKind::Import(names) = &stmt.kind {
            names.iter().for_each(|it| check(it, "module"));
        }
        if let StmtKind::ImportFrom { module, names } = &stmt.kind
            && !is_of_future(&module.name)
        {
            names.iter().for_each(|it| check(it, "name"));
        }
    }
}

/// The names that a function reads anywhere.
fn read_by<'p>(module: &'p Module, function: &'p Function) -> BTreeSet<&'p str> {
    let mut read = BTreeSet::new();
    names::for_each_stmt(&function.body, &mut |stmt| {
        names::reads_of_header(module, stmt, &mut |name| {
            read.insert(name);
        });
    });
    read
}

/// Variables that are bound and not read.
fn variables(module: &Module, function: &Function, sink: &mut Sink) {
    let read = read_by(module, function);
    let mut said: BTreeSet<&str> = BTreeSet::new();
    names::for_each_stmt(&function.body, &mut |stmt: &Stmt| {
        let Some((targets, value, constexpr)) = binding(module, stmt) else { return };
        if names::any_expr(module, value, &is_action) {
            return;
        }
        for target in targets {
            for (name, span) in unread(module, *target, &read) {
                if said.insert(name) {
                    sink.warning(errors::unused_variable(name, constexpr, span));
                }
            }
        }
    });
}

/// What an assignment binds, to what, and whether to a constant of the compile time.
fn binding<'p>(module: &'p Module, stmt: &'p Stmt) -> Option<(&'p [ExprId], ExprId, bool)> {
    if let StmtKind::Assign { targets, value } = &stmt.kind {
        return Some((targets, *value, false));
    }
    let StmtKind::AnnAssign { target, annotation, value } = &stmt.kind else { return None };
    Some((std::slice::from_ref(target), (*value)?, is_constexpr(module, *annotation)))
}

/// Whether an expression is a function that is called for what it does.
fn is_action(kind: &ExprKind) -> bool {
    let ExprKind::Attribute { attr, .. } = kind else { return false };
    ACTIONS.contains(&attr.name.as_str()) || attr.name.starts_with("atomic_")
}

/// The names of a target that nothing reads. Of names that take the items of a tuple together,
/// none if one of them is read.
fn unread<'p>(module: &'p Module, target: ExprId, read: &BTreeSet<&str>) -> Vec<(&'p str, Span)> {
    let mut found = Vec::new();
    names::targets_of(module, target, &mut |name| found.push((name, module.span(target))));
    let all = found.len();
    found.retain(|(name, _)| !read.contains(name) && !name.starts_with('_'));
    if found.len() == all { found } else { Vec::new() }
}

/// Parameters that are not read.
fn parameters(module: &Module, function: &Function, texts: &BTreeSet<&str>, sink: &mut Sink) {
    let read = read_by(module, function);
    for param in &function.params {
        let name = param.name.name.as_str();
        let is_read = read.contains(name) || name == "tl" || name.starts_with('_');
        if !is_read && !texts.contains(name) {
            let span = param.name.span;
            sink.warning(errors::unused_parameter(name, &function.name.name, span));
        }
    }
}
