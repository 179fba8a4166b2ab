//! Values that a loop carries although they never change.

use super::super::carried::{keep_carried, keep_handed};
use crate::ir::{BlockId, Function, Literal, Op, OpId, Substitution, Value, While};

/// Uses the value that a loop begins with in the place of each value that the loop carries
/// unchanged; says whether there was any.
pub(super) fn drop_unchanged(function: &mut Function) -> bool {
    let mut replaced = Substitution::new();
    for op in function.reachable_ops() {
        if let Op::For(it) = function.ops[op].op.clone() {
            let args = function.blocks[it.body].args[1..].to_vec();
            let keep = changing(function, &args, &it.inits, it.body);
            let results = function.ops[op].results.clone();
            replace_all(&mut replaced, &args, &it.inits, &keep);
            replace_all(&mut replaced, &results, &it.inits, &keep);
            keep_carried(function, op, &keep);
        } else if let Op::While(it) = function.ops[op].op.clone() {
            drop_from_while(function, op, &it, &mut replaced);
        }
    }
    let any = !replaced.is_empty();
    replaced.apply(function);
    any
}

fn drop_from_while(function: &mut Function, op: OpId, it: &While, replaced: &mut Substitution) {
    let args = function.blocks[it.test].args.clone();
    let keep = changing(function, &args, &it.inits, it.body);
    replace_all(replaced, &args, &it.inits, &keep);
    // What the test hands on is the same on every way out once it is an argument that never
    // changes.
    let handed = function.handed_on(it.test).to_vec();
    let gone = |value: &Value| args.iter().zip(&keep).any(|(arg, keep)| arg == value && !keep);
    let keep_handed_on: Vec<bool> = handed.iter().map(|value| !gone(value)).collect();
    let results = function.ops[op].results.clone();
    let body_args = function.blocks[it.body].args.clone();
    replace_all(replaced, &results, &handed, &keep_handed_on);
    replace_all(replaced, &body_args, &handed, &keep_handed_on);
    keep_carried(function, op, &keep);
    keep_handed(function, op, &keep_handed_on);
}

fn replace_all(replaced: &mut Substitution, from: &[Value], to: &[Value], keep: &[bool]) {
    for ((from, to), _) in from.iter().zip(to).zip(keep).filter(|(_, keep)| !**keep) {
        replaced.replace(*from, *to);
    }
}

/// For each carried argument, whether the next value differs from it: it does not where it is the
/// argument itself, what the loop began with, or the same constant.
fn changing(function: &Function, args: &[Value], inits: &[Value], body: BlockId) -> Vec<bool> {
    let unchanged = |arg: Value, init: Value, next: Value| {
        let constants = function.literal(init).zip(function.literal(next));
        next == arg || next == init || constants.is_some_and(|(x, y)| Literal::same_bits(x, y))
    };
    let next = function.handed_on(body);
    args.iter().zip(inits).zip(next).map(|((a, i), n)| !unchanged(*a, *i, *n)).collect()
}
