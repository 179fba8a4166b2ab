//! The names that the text of a kernel reads and binds, without analysing it.

use std::collections::BTreeMap;

use crate::source::Span;
use crate::syntax::ast::{Arg, ArgKind, ExprId, ExprKind, Module, Stmt, StmtKind};

/// Calls `visit` with each name that the expression reads.
pub(super) fn reads_of_expr<'p>(module: &'p Module, expr: ExprId, visit: &mut dyn FnMut(&'p str)) {
    if let ExprKind::Name(name) = module.kind(expr) {
        visit(name);
    }
    module.kind(expr).each_child(&mut |child| reads_of_expr(module, child, visit));
}

/// Calls `visit` with each expression of the statement that is not in its blocks and is not only
/// bound.
pub(super) fn for_each_header_expr(module: &Module, stmt: &Stmt, visit: &mut dyn FnMut(ExprId)) {
    match &stmt.kind {
        StmtKind::Expr(value) => visit(*value),
        StmtKind::Assign { targets, value } => {
            visit(*value);
            targets.iter().for_each(|target| read_parts_of_target(module, *target, visit));
        }
        StmtKind::AugAssign { target, value, .. } => {
            visit(*target);
            visit(*value);
        }
        StmtKind::AnnAssign { value, .. } => value.iter().for_each(|it| visit(*it)),
        StmtKind::If { branches, .. } => branches.iter().for_each(|(it, _)| visit(*it)),
        StmtKind::For { iter, .. } => visit(*iter),
        StmtKind::While { condition, .. } => visit(*condition),
        StmtKind::Return(value) => value.iter().for_each(|it| visit(*it)),
        StmtKind::Assert { condition, message } => {
            visit(*condition);
            message.iter().for_each(|it| visit(*it));
        }
        StmtKind::Try { handlers, .. } => {
            handlers.iter().filter_map(|it| it.kinds).for_each(visit);
        }
        StmtKind::Raise { exception, cause } => {
            exception.iter().chain(cause).for_each(|it| visit(*it));
        }
        StmtKind::Delete(targets) => {
            targets.iter().for_each(|target| read_parts_of_target(module, *target, visit));
        }
        StmtKind::Break
        | StmtKind::Continue
        | StmtKind::Pass
        | StmtKind::Import(_)
        | StmtKind::ImportFrom { .. }
        | StmtKind::Function(_)
        | StmtKind::Error => {}
    }
}

/// `x[i] = …` and `x.a = …` read `x` and `i`.
fn read_parts_of_target(module: &Module, target: ExprId, visit: &mut dyn FnMut(ExprId)) {
    let kind = module.kind(target);
    if let ExprKind::Tuple(items) | ExprKind::List(items) = kind {
        items.iter().for_each(|item| read_parts_of_target(module, *item, visit));
    } else if let ExprKind::Starred(inner) = kind {
        read_parts_of_target(module, *inner, visit);
    } else if !matches!(kind, ExprKind::Name(_)) {
        visit(target);
    }
}

/// Calls `visit` with each name that the statement's own expressions read.
pub(super) fn reads_of_header<'p>(
    module: &'p Module,
    stmt: &'p Stmt,
    visit: &mut dyn FnMut(&'p str),
) {
    for_each_header_expr(module, stmt, &mut |expr| reads_of_expr(module, expr, visit));
}

/// Calls `visit` with each name that the target of an assignment or loop binds.
pub(super) fn targets_of<'p>(module: &'p Module, target: ExprId, visit: &mut dyn FnMut(&'p str)) {
    let kind = module.kind(target);
    if let ExprKind::Name(name) = kind {
        visit(name);
    } else if let ExprKind::Tuple(items) | ExprKind::List(items) = kind {
        items.iter().for_each(|item| targets_of(module, *item, visit));
    } else if let ExprKind::Starred(inner) = kind {
        targets_of(module, *inner, visit);
    }
}

/// Calls `visit` with each name that a statement without blocks binds.
pub(super) fn bound_by_simple<'p>(
    module: &'p Module,
    stmt: &'p Stmt,
    visit: &mut dyn FnMut(&'p str),
) {
    if let StmtKind::Assign { targets, .. } = &stmt.kind {
        targets.iter().for_each(|target| targets_of(module, *target, visit));
    }
    if let StmtKind::AugAssign { target, .. } | StmtKind::AnnAssign { target, .. } = &stmt.kind {
        targets_of(module, *target, visit);
    }
    for_each_header_expr(module, stmt, &mut |expr| bound_by_expr(module, expr, visit));
}

/// `tl.recv(…, dst=buffer)` binds `buffer` to what it received, `name := value` binds `name`.
fn bound_by_expr<'p>(module: &'p Module, expr: ExprId, visit: &mut dyn FnMut(&'p str)) {
    if let ExprKind::Walrus { target, .. } = module.kind(expr) {
        visit(&target.name);
    }
    if let ExprKind::Call { args, .. } = module.kind(expr)
        && let Some(name) = args.iter().find_map(|arg| dst_name(module, arg))
    {
        visit(name);
    }
    module.kind(expr).each_child(&mut |child| bound_by_expr(module, child, visit));
}

/// The name in `dst=name`.
pub(super) fn dst_name<'p>(module: &'p Module, arg: &'p Arg) -> Option<&'p str> {
    let ArgKind::Keyword(keyword) = &arg.kind else { return None };
    let ExprKind::Name(name) = module.kind(arg.value) else { return None };
    (keyword.name == "dst").then_some(name.as_str())
}

/// What a statement binds one name to, if it does nothing else.
pub(super) fn simple_binding<'p>(module: &'p Module, stmt: &'p Stmt) -> Option<(&'p str, ExprId)> {
    let StmtKind::Assign { targets, value } = &stmt.kind else { return None };
    let [target] = targets.as_slice() else { return None };
    let ExprKind::Name(name) = module.kind(*target) else { return None };
    Some((name, *value))
}

/// Every name that a run of statements may bind, with the first place where it does.
pub(super) fn bound_by<'p>(module: &'p Module, body: &'p [Stmt]) -> BTreeMap<&'p str, Span> {
    let mut bound = BTreeMap::new();
    for_each_stmt(body, &mut |stmt| {
        bound_by_simple(module, stmt, &mut |name| {
            bound.entry(name).or_insert(stmt.span);
        });
        if let StmtKind::For { target, .. } = &stmt.kind {
            targets_of(module, *target, &mut |name| {
                bound.entry(name).or_insert(module.span(*target));
            });
        }
    });
    bound
}

/// Calls `visit` with each statement of `body`, those inside others included.
pub(super) fn for_each_stmt<'p>(body: &'p [Stmt], visit: &mut dyn FnMut(&'p Stmt)) {
    for stmt in body {
        visit(stmt);
        if let StmtKind::If { branches, otherwise } = &stmt.kind {
            branches.iter().for_each(|(_, body)| for_each_stmt(body, visit));
            for_each_stmt(otherwise, visit);
        }
        if let StmtKind::For { body, otherwise, .. } | StmtKind::While { body, otherwise, .. } =
            &stmt.kind
        {
            for_each_stmt(body, visit);
            for_each_stmt(otherwise, visit);
        }
        if let StmtKind::Try { body, handlers, otherwise, last } = &stmt.kind {
            for_each_stmt(body, visit);
            handlers.iter().for_each(|handler| for_each_stmt(&handler.body, visit));
            for_each_stmt(otherwise, visit);
            for_each_stmt(last, visit);
        }
    }
}

/// Whether a run of statements returns something.
pub(super) fn gives_value(module: &Module, body: &[Stmt]) -> bool {
    let mut gives = false;
    for_each_stmt(body, &mut |stmt| {
        if let StmtKind::Return(Some(value)) = &stmt.kind {
            gives |= *module.kind(*value) != ExprKind::None;
        }
    });
    gives
}

/// Whether a run of statements itself calls one of these functions of `tl`.
pub(super) fn calls(module: &Module, body: &[Stmt], names: &[&str]) -> bool {
    has_attribute(module, body, &|name| {
        names.contains(&name) || name.split_once('_').is_some_and(|(verb, _)| names.contains(&verb))
    })
}

/// Whether a run of statements itself calls an atomic.
pub(super) fn has_atomic(module: &Module, body: &[Stmt]) -> bool {
    has_attribute(module, body, &|name| name.starts_with("atomic_"))
}

fn has_attribute(module: &Module, body: &[Stmt], test: &dyn Fn(&str) -> bool) -> bool {
    let mut found = false;
    for_each_stmt(body, &mut |stmt| {
        for_each_header_expr(module, stmt, &mut |expr| {
            found |= any_expr(module, expr, &|kind| {
                let ExprKind::Attribute { attr, .. } = kind else { return false };
                test(&attr.name)
            });
        });
    });
    found
}

/// Whether `test` holds of the expression or of one inside it.
pub(super) fn any_expr(module: &Module, expr: ExprId, test: &dyn Fn(&ExprKind) -> bool) -> bool {
    let mut found = test(module.kind(expr));
    module.kind(expr).each_child(&mut |child| found = found || any_expr(module, child, test));
    found
}

/// The first `return` in `body`, those inside loops and branches included.
pub(super) fn first_return(body: &[Stmt]) -> Option<Span> {
    let mut found = None;
    for_each_stmt(body, &mut |stmt| {
        if found.is_none() && matches!(stmt.kind, StmtKind::Return(_)) {
            found = Some(stmt.span);
        }
    });
    found
}
