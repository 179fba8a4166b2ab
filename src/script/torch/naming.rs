//! What a tensor is called that its program gives no name: as the variable that it is assigned to where
//! that is plain, else by its number among such tensors.
//!
//! Plain is `x = torch.zeros(…)`, and `q, k = torch.randn(…), torch.randn(…)`: the call stands alone.

use std::collections::BTreeMap;

use crate::script::evaluator::Evaluator;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Module, Stmt, StmtKind};

/// The names of tensors that were given none.
#[derive(Default)]
pub(in crate::script) struct Names {
    /// The variables that calls are assigned to, by the place of the call; once they were asked for.
    assigned: Option<BTreeMap<Span, String>>,
    /// How many tensors had no such variable.
    unnamed: u32,
}

/// The name of the tensor that the call at `span` makes.
pub(super) fn name_for(evaluator: &mut Evaluator<'_>, given: Option<String>, span: Span) -> String {
    if let Some(name) = given {
        return name;
    }
    let module = evaluator.module();
    let names = &mut evaluator.names;
    let assigned = names.assigned.get_or_insert_with(|| assigned(module));
    if let Some(name) = assigned.get(&span) {
        return name.clone();
    }
    names.unnamed += 1;
    format!("tensor {}", names.unnamed)
}

/// The variables that calls of a file are assigned to.
fn assigned(module: &Module) -> BTreeMap<Span, String> {
    let mut found = BTreeMap::new();
    let mut pending: Vec<&[Stmt]> = vec![&module.body];
    while let Some(body) = pending.pop() {
        for stmt in body {
            if let StmtKind::Assign { targets, value } = &stmt.kind {
                targets.iter().rev().for_each(|target| bind(module, (*target, *value), &mut found));
            }
            if let StmtKind::AnnAssign { target, value: Some(value), .. } = &stmt.kind {
                bind(module, (*target, *value), &mut found);
            }
            pending.extend(blocks(stmt));
        }
    }
    found
}

/// The blocks of a statement.
fn blocks(stmt: &Stmt) -> Vec<&[Stmt]> {
    if let StmtKind::If { branches, otherwise } = &stmt.kind {
        return branches.iter().map(|(_, body)| &body[..]).chain([&otherwise[..]]).collect();
    }
    if let StmtKind::For { body, otherwise, .. } | StmtKind::While { body, otherwise, .. } =
        &stmt.kind
    {
        return vec![body, otherwise];
    }
    if let StmtKind::Try { body, handlers, otherwise, last } = &stmt.kind {
        let handlers = handlers.iter().map(|handler| &handler.body[..]);
        return handlers.chain([&body[..], otherwise, last]).collect();
    }
    if let StmtKind::Function(function) = &stmt.kind {
        return vec![&function.body];
    }
    Vec::new()
}

/// What `target = value` names: a call by a variable, or calls by variables side by side.
fn bind(module: &Module, (target, value): (ExprId, ExprId), found: &mut BTreeMap<Span, String>) {
    let items = |id| {
        let kind = module.kind(id);
        let (ExprKind::Tuple(items) | ExprKind::List(items)) = kind else { return None };
        Some(items.clone())
    };
    let (targets, values) = match (items(target), items(value)) {
        (None, None) => (vec![target], vec![value]),
        (Some(targets), Some(values)) if targets.len() == values.len() => (targets, values),
        (_, _) => return,
    };
    for (target, value) in targets.into_iter().zip(values) {
        if let (ExprKind::Name(name), ExprKind::Call { .. }) =
            (module.kind(target), module.kind(value))
        {
            found.insert(module.span(value), name.clone());
        }
    }
}
