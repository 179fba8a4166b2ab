//! What blocks, loops, branches and functions hand on.

use super::{At, Rule, Violation};
use crate::ir::{Dim, For, Function, If, Nest, OpId, Storage, Type, Uses, Value, While};

/// Checks agreement, the function's signature, and storage.
pub(super) fn check(function: &Function) -> Vec<Violation> {
    let mut at = At::new(function);
    for op in function.reachable_ops() {
        match function.ops[op].op.nest() {
            Nest::For(it) => for_loop(op, it, &mut at),
            Nest::While(it) => while_loop(op, it, &mut at),
            Nest::If(it) => branch(op, it, &mut at),
            Nest::Plain => {}
        }
    }
    signature(&mut at);
    storage(&mut at);
    at.found
}

/// Whether two types are alike, extents as far as both are known.
pub(super) fn agree(function: &Function, x: &Type, y: &Type) -> bool {
    match (x, y) {
        (Type::Scalar(x), Type::Scalar(y)) | (Type::Pointer(x), Type::Pointer(y)) => x == y,
        (Type::Tile(x), Type::Tile(y)) | (Type::Future(x), Type::Future(y)) => {
            x.dtype == y.dtype && same_extents(function, &x.dims, &y.dims)
        }
        (Type::Completion, Type::Completion) => true,
        (
            Type::Scalar(_) | Type::Pointer(_) | Type::Tile(_) | Type::Future(_) | Type::Completion,
            _,
        ) => false,
    }
}

/// Whether two shapes are alike, as far as both are known.
pub(super) fn same_extents(function: &Function, x: &[Dim], y: &[Dim]) -> bool {
    let differ = |x: &Dim, y: &Dim| match (function.extent(*x), function.extent(*y)) {
        (Some(x), Some(y)) => x != y,
        (None, _) | (_, None) => false,
    };
    x.len() == y.len() && !x.iter().zip(y).any(|(x, y)| differ(x, y))
}

impl At<'_> {
    /// Checks that two lists of values agree in number and type.
    fn lists(&mut self, op: OpId, (what, xs): (&str, &[Value]), (other, ys): (&str, &[Value])) {
        if xs.len() != ys.len() {
            let (x, y) = (xs.len(), ys.len());
            self.op(
                Rule::Agreement,
                op,
                format!("{what} and {other} differ in number: {x} and {y}"),
            );
            return;
        }
        let function = self.function;
        for (x, y) in xs.iter().zip(ys) {
            let (tx, ty) = (function.ty(*x), function.ty(*y));
            if !agree(function, tx, ty) {
                let (tx, ty) = (function.display_type(tx), function.display_type(ty));
                let name = function.display_name(*y);
                let message =
                    format!("{what} and {other} differ in type at `{name}`: {tx} and {ty}");
                self.op(Rule::Agreement, op, message);
            }
        }
    }
}

fn for_loop(op: OpId, it: &For, at: &mut At<'_>) {
    let function = at.function;
    let args = &function.blocks[it.body].args;
    let Some((induction, carried)) = args.split_first() else {
        at.op(Rule::Agreement, op, "the body of a `for` takes the loop's variable");
        return;
    };
    let ty = function.ty(*induction);
    let is_integer = matches!(ty, Type::Scalar(dtype) if dtype.is_int());
    if !is_integer {
        at.op(Rule::Types, op, "the variable of a `for` is an integer");
    }
    if [it.lo, it.hi, it.step].iter().any(|bound| function.ty(*bound) != ty) {
        let ty = function.display_type(ty);
        at.op(Rule::Types, op, format!("the bounds of a `for` are of its variable's type, {ty}"));
    }
    if it.stages == 0 {
        at.op(Rule::Types, op, "a `for` has at least one stage");
    }
    let next = function.handed_on(it.body);
    let results = &function.ops[op].results;
    at.lists(op, ("what the loop carries", carried), ("what it begins with", &it.inits));
    at.lists(op, ("what the loop carries", carried), ("what its body yields", next));
    at.lists(op, ("what the loop carries", carried), ("its results", results));
}

fn while_loop(op: OpId, it: &While, at: &mut At<'_>) {
    let function = at.function;
    let test_args = &function.blocks[it.test].args;
    let handed = function.handed_on(it.test);
    let next = function.handed_on(it.body);
    let results = &function.ops[op].results;
    let body_args = &function.blocks[it.body].args;
    at.lists(op, ("what the loop carries", test_args), ("what it begins with", &it.inits));
    at.lists(op, ("what the loop carries", test_args), ("what its body yields", next));
    at.lists(op, ("what the test hands on", handed), ("what the body takes", body_args));
    at.lists(op, ("what the test hands on", handed), ("the loop's results", results));
}

fn branch(op: OpId, it: &If, at: &mut At<'_>) {
    let function = at.function;
    let results = &function.ops[op].results;
    for (what, side) in [("the first side", it.then), ("the other side", it.otherwise)] {
        if !function.blocks[side].args.is_empty() {
            at.op(Rule::Agreement, op, "the sides of a branch take nothing");
        }
        let given = function.handed_on(side);
        at.lists(op, (&format!("what {what} yields"), given), ("the branch's results", results));
    }
}

/// Parameters, what is returned, and the extents in returned types.
fn signature(at: &mut At<'_>) {
    let function = at.function;
    if function.is_kernel {
        let tile = function.params.iter().find(|param| function.is_tile(param.value));
        if let Some(param) = tile {
            let name = &param.name;
            at.function(Rule::Functions, format!("the kernel's parameter `{name}` is a tile"));
        }
        if !function.results.is_empty() {
            at.function(Rule::Functions, "a kernel returns nothing");
        }
    }
    let returned = function.handed_on(function.entry).to_vec();
    let Some(op) = function.terminator(function.entry) else { return };
    if returned.len() != function.results.len() {
        let (x, y) = (returned.len(), function.results.len());
        at.op(Rule::Agreement, op, format!("{x} values are returned where {y} are declared"));
        return;
    }
    for (index, (value, ty)) in returned.iter().zip(&function.results).enumerate() {
        if !agree(function, function.ty(*value), ty) {
            let (x, y) = (function.display_type(function.ty(*value)), function.display_type(ty));
            at.op(Rule::Agreement, op, format!("{x} is returned where {y} is declared"));
        }
        ty.for_each_use(&mut |extent| {
            let is_param = function.params.iter().any(|param| param.value == extent);
            if !is_param && !returned[..index].contains(&extent) {
                let name = function.display_name(extent);
                let message = format!("the extent `{name}` of a returned tile is neither a parameter nor returned before it");
                at.op(Rule::Functions, op, message);
            }
        });
    }
}

fn storage(at: &mut At<'_>) {
    let function = at.function;
    if function.buffers.values().any(|buffer| buffer.copies == 0) {
        at.function(Rule::Storage, "a buffer has at least one copy");
    }
    for block in function.reachable_blocks() {
        for arg in &function.blocks[block].args {
            let storage = function.values[*arg].storage;
            if !matches!(storage, None | Some(Storage::Alias)) || !stores_tile(function, *arg) {
                let name = function.display_name(*arg);
                at.function(Rule::Storage, format!("`{name}` cannot have storage of its own"));
            }
        }
        for op in &function.blocks[block].ops {
            for result in &function.ops[*op].results {
                if let Some(message) = bad_storage(function, *result) {
                    at.op(Rule::Storage, *op, message);
                }
            }
        }
    }
}

/// Whether `value` has no storage, or is a tile that has.
fn stores_tile(function: &Function, value: Value) -> bool {
    function.values[value].storage.is_none() || function.is_tile(value)
}

fn bad_storage(function: &Function, value: Value) -> Option<String> {
    let name = function.display_name(value);
    if !stores_tile(function, value) {
        return Some(format!("`{name}` is no tile and has no storage"));
    }
    let Some(Storage::Buffer(id)) = function.values[value].storage else { return None };
    let Some(buffer) = function.buffers.get(id) else {
        return Some(format!("there is no buffer {id}"));
    };
    let bytes = function.ty(value).tile().and_then(|tile| tile.bytes()).unwrap_or(0);
    (bytes > buffer.bytes)
        .then(|| format!("`{name}` takes {bytes} bytes and {id} has {}", buffer.bytes))
}
