//! Sending to neighbours and receiving from them.

use std::slice;

use super::Call;
use crate::ir::{self, TileType, Type, Value};
use crate::ops::BinaryOp;
use crate::sema::analysis::Analysis;
use crate::sema::errors::{channels as errors, constexpr};
use crate::sema::value::{Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::ExprKind;

/// The name of a direction. Whether there is such a neighbour, the launch decides.
fn direction(it: &mut Analysis<'_>, call: &Call) -> Option<String> {
    let arg = call.arg("dir");
    name_of(it, &arg.val, arg.span)
}

fn name_of(it: &mut Analysis<'_>, val: &Val, span: Span) -> Option<String> {
    if let Some(dir) = val.text().filter(|dir| !dir.is_empty()) {
        return Some(dir.to_owned());
    }
    let found = it.describe(val);
    if val.constant().is_some() {
        it.report(errors::direction_is_no_string(&found, span));
    } else {
        it.report(constexpr::direction_is_not_constant(&found, span));
    }
    None
}

/// The directions that a stream goes on in: `None`, one, or a tuple of them.
fn outputs(it: &mut Analysis<'_>, call: &Call) -> Option<Vec<String>> {
    let Some(arg) = call.some("dir_out") else { return Some(Vec::new()) };
    let vals =
        if let Val::Tuple(vals) = &arg.val { vals.as_slice() } else { slice::from_ref(&arg.val) };
    let mut names = Vec::with_capacity(vals.len());
    for val in vals {
        names.push(name_of(it, val, arg.span)?);
    }
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    if names.len() > ir::MAX_STREAM_OUTPUTS || twice.is_some() {
        it.report(errors::stream_outputs(&names, arg.span));
        return None;
    }
    Some(names)
}

/// `tl.recv_send(dir_in, dir_out, shape, dtype)`.
pub(super) fn recv_send(it: &mut Analysis<'_>, call: &Call) -> Val {
    let arg = call.arg("dir_in");
    let (from, to) = (name_of(it, &arg.val, arg.span), outputs(it, call));
    let (Some(from), Some(to), Some(tile)) = (from, to, tile_type(it, call)) else {
        return Val::Error;
    };
    let op = ir::Stream { from, reduce: None, acc: None, to };
    Val::Value(it.frame.build.emit_value(op, Type::Tile(tile), call.span))
}

/// The reductions of `tl.recv_reduce_send`.
const REDUCTIONS: &[(&str, BinaryOp)] = &[
    ("sum", BinaryOp::Add),
    ("prod", BinaryOp::Mul),
    ("max", BinaryOp::Maximum),
    ("min", BinaryOp::Minimum),
];

/// `tl.recv_reduce_send(dir_in, dir_out, acc, op="sum")`.
pub(super) fn recv_reduce_send(it: &mut Analysis<'_>, call: &Call) -> Val {
    let arg = call.arg("dir_in");
    let (from, to) = (name_of(it, &arg.val, arg.span), outputs(it, call));
    let reduce = reduction(it, call);
    let acc = call.arg("acc");
    let Some((value, tile)) = acc.val.value().zip(it.tile(&acc.val).cloned()) else {
        return it.expected_tile(call, acc);
    };
    let (Some(from), Some(to), Some(reduce)) = (from, to, reduce) else { return Val::Error };
    let op = ir::Stream { from, reduce: Some(reduce), acc: Some(value), to };
    Val::Value(it.frame.build.emit_value(op, Type::Tile(tile), call.span))
}

fn reduction(it: &mut Analysis<'_>, call: &Call) -> Option<BinaryOp> {
    let Some(arg) = call.some("op") else { return Some(BinaryOp::Add) };
    let name = arg.val.text();
    let found = REDUCTIONS.iter().find(|(known, _)| Some(*known) == name);
    if found.is_none() {
        let said = it.describe(&arg.val);
        let names: Vec<&str> = REDUCTIONS.iter().map(|(name, _)| *name).collect();
        it.report(errors::stream_reduction((&said, name), &names, arg.span));
    }
    found.map(|(_, op)| *op)
}

/// The tile type that `shape=` and `dtype=` give.
fn tile_type(it: &mut Analysis<'_>, call: &Call) -> Option<TileType> {
    let dims = it.shape_argument(call.arg("shape"));
    let dtype = it.dtype_argument(call.arg("dtype"));
    Some(TileType::new(dims?, dtype?))
}

/// `tl.send(dir=, src=)`.
pub(super) fn send(it: &mut Analysis<'_>, call: &Call) -> Val {
    let dir = direction(it, call);
    let src = call.arg("src");
    let Some(tile) = src.val.value().filter(|_| it.tile(&src.val).is_some()) else {
        return it.expected_tile(call, src);
    };
    let Some(dir) = dir else { return Val::Error };
    it.frame.build.emit(ir::Send { dir, src: tile }, Vec::new(), call.span);
    Val::NONE
}

/// `tl.recv(dir=, shape=, dtype=)` or `tl.recv(dir=, dst=)`.
pub(super) fn recv(it: &mut Analysis<'_>, call: &Call) -> Val {
    if let Some(dst) = call.some("dst") {
        return recv_into(it, call, dst);
    }
    let missing: Vec<&str> =
        ["shape", "dtype"].into_iter().filter(|name| call.some(name).is_none()).collect();
    if !missing.is_empty() {
        return it.report(errors::recv_needs_type(&missing, call.span));
    }
    receive(it, call, true)
}

/// `tl.recv_no_consume(dir, shape, dtype)`.
pub(super) fn recv_no_consume(it: &mut Analysis<'_>, call: &Call) -> Val {
    receive(it, call, false)
}

fn receive(it: &mut Analysis<'_>, call: &Call, consume: bool) -> Val {
    let (dir, tile) = (direction(it, call), tile_type(it, call));
    let (Some(dir), Some(tile)) = (dir, tile) else { return Val::Error };
    let op = ir::Recv { dir, dst: None, consume };
    Val::Value(it.frame.build.emit_value(op, Type::Tile(tile), call.span))
}

/// `tl.recv(dir=, dst=tile)`: the tile is copied to the buffer of `dst`, whose name then stands
/// for it.
fn recv_into(it: &mut Analysis<'_>, call: &Call, dst: &Spanned) -> Val {
    let dir = direction(it, call);
    let Some((buffer, tile)) = dst.val.value().zip(it.tile(&dst.val).cloned()) else {
        return it.expected_tile(call, dst);
    };
    let Some(ExprKind::Name(name)) = call.expr("dst").map(|expr| it.kind(expr)) else {
        return it.report(errors::dst_is_no_name(dst.span));
    };
    if !it.frame.is_kernel && it.frame.build.func.params.iter().any(|param| param.value == buffer) {
        return it.report(errors::dst_of_the_caller(name, dst.span));
    }
    if let Some(other) = other_name(it, buffer, name) {
        let (other, bound) = other;
        return it.report(errors::dst_has_two_names(name, &other, dst.span, bound));
    }
    if !agrees(it, call, &tile) {
        return Val::Error;
    }
    let Some(dir) = dir else { return Val::Error };
    let op = ir::Recv { dir, dst: Some(buffer), consume: true };
    let received = it.frame.build.emit_value(op, Type::Tile(tile), call.span);
    it.bind(name, Val::Value(received), call.span);
    Val::Value(received)
}

/// Another name of the buffer: what it stands for would change under it.
fn other_name(it: &Analysis<'_>, buffer: Value, name: &str) -> Option<(String, Span)> {
    it.frame
        .scope
        .bindings()
        .find(|(other, binding)| *other != name && binding.val.leaves().contains(&buffer))
        .map(|(other, binding)| (other.to_owned(), binding.span))
}

/// Whether `shape=` and `dtype=`, where given, say what `dst` is.
fn agrees(it: &mut Analysis<'_>, call: &Call, tile: &TileType) -> bool {
    if let Some(arg) = call.some("dtype") {
        let Some(dtype) = it.dtype_argument(arg) else { return false };
        if dtype != tile.dtype {
            it.report(errors::dst_dtype(dtype, tile.dtype, arg.span));
            return false;
        }
    }
    if let Some(arg) = call.some("shape") {
        let Some(dims) = it.shape_argument(arg) else { return false };
        let what = "the shape received and that of `dst`";
        let same =
            dims.len() == tile.dims.len()
                && dims.iter().zip(&tile.dims).enumerate().all(|(axis, (said, own))| {
                    it.require_equal(what, (*said, *own), axis, arg.span)
                });
        if !same {
            let shapes = [it.shape_text(&dims), it.shape_text(&tile.dims)];
            it.report(errors::dst_shape(&shapes, arg.span));
        }
        return same;
    }
    true
}

/// `tl.recv_async(dir, shape, dtype)`.
pub(super) fn recv_async(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (dir, tile) = (direction(it, call), tile_type(it, call));
    let (Some(dir), Some(tile)) = (dir, tile) else { return Val::Error };
    let op = ir::RecvAsync { dir };
    Val::Value(it.frame.build.emit_value(op, Type::Future(tile), call.span))
}

/// `tl.wait(future)`.
pub(super) fn wait(it: &mut Analysis<'_>, call: &Call) -> Val {
    let arg = call.arg("future");
    if let Some(future) = arg.val.value()
        && *it.ty(future) == Type::Completion
    {
        it.frame.build.emit(ir::Wait { future }, Vec::new(), call.span);
        return Val::NONE;
    }
    let awaited = arg.val.value().map(|value| (value, it.ty(value).clone()));
    let Some((future, Type::Future(tile))) = awaited else {
        let found = it.describe(&arg.val);
        return it.report(errors::wait_of_no_future(&found, arg.span));
    };
    Val::Value(it.frame.build.emit_value(ir::Wait { future }, Type::Tile(tile), call.span))
}
