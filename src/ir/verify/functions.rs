//! What holds between the functions of a module: names, calls, no recursion.

use rustc_hash::FxHashMap;

use super::{Rule, Violation};
use crate::arena::Id;
use crate::ir::{FuncId, Function, Module, Op};

/// Checks that names are unique and that no function calls itself.
pub(super) fn names_and_recursion(module: &Module) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut names: FxHashMap<&str, FuncId> = FxHashMap::default();
    for (id, function) in module.functions.iter() {
        if names.insert(&function.name, id).is_some() {
            let message = format!("two functions are named `{}`", function.name);
            found.push(violation(function, message));
        }
    }
    for id in module.functions.ids() {
        let missing = callees(module, id).any(|callee| module.functions.get(callee).is_none());
        if missing {
            let message = String::from("a function that is called does not exist");
            found.push(violation(&module.functions[id], message));
        }
    }
    if found.is_empty() {
        found.extend(recursive(module).map(|id| {
            let function = &module.functions[id];
            violation(function, format!("`{}` calls itself", function.name))
        }));
    }
    found
}

fn violation(function: &Function, message: String) -> Violation {
    Violation { rule: Rule::Functions, span: function.span, message }
}

/// What `id` calls. Every op is asked, reached or not, so that this is safe on unsound trees.
fn callees(module: &Module, id: FuncId) -> impl Iterator<Item = FuncId> + '_ {
    module.functions[id].ops.values().filter_map(|data| {
        let Op::Call(call) = &data.op else { return None };
        Some(call.callee)
    })
}

/// A function on a cycle of calls, if there is one: what is left when functions that call nothing
/// that is left are taken away, again and again.
fn recursive(module: &Module) -> Option<FuncId> {
    let mut callers: Vec<Vec<FuncId>> = vec![Vec::new(); module.functions.len()];
    let mut calls: Vec<usize> = vec![0; module.functions.len()];
    for id in module.functions.ids() {
        for callee in callees(module, id) {
            callers[callee.index()].push(id);
            calls[id.index()] += 1;
        }
    }
    let mut free: Vec<FuncId> =
        module.functions.ids().filter(|id| calls[id.index()] == 0).collect();
    while let Some(id) = free.pop() {
        for caller in std::mem::take(&mut callers[id.index()]) {
            calls[caller.index()] -= 1;
            if calls[caller.index()] == 0 {
                free.push(caller);
            }
        }
    }
    module.functions.ids().find(|id| calls[id.index()] > 0)
}
