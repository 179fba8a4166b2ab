//! Kernels and the IR made of them.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use std::collections::BTreeMap;

use kbc::dtype::DType;
use kbc::sema::{ArgType, Constant};
use sema_common::{compile, compile_arguments, compile_with};

/// The IR of `text`, compared with its snapshot.
macro_rules! snapshot {
    ($text:expr) => {
        insta::assert_snapshot!(compile($text).ir())
    };
}

#[test]
fn ring_all_reduce() {
    snapshot!(
        r#"
def kernel(t_ptr, n_elem, world_size, tl):
    rank = tl.program_id(axis=1) * tl.num_programs(axis=0) + tl.program_id(axis=0)
    nbytes = n_elem * 2  # f16
    addr = t_ptr + rank * nbytes
    acc = tl.load(addr, shape=(n_elem,), dtype="f16")
    current = acc
    for _step in range(world_size - 1):
        tl.send(dir="E", src=current)
        received = tl.recv(dir="W", shape=(n_elem,), dtype="f16")
        acc = acc + received
        current = received
    tl.store(addr, acc)
"#
    );
}

#[test]
fn a_product_accumulates_over_a_loop() {
    snapshot!(
        r#"
def gemm(a_ptr, b_ptr, c_ptr, m, n, k, bk, tl):
    acc = tl.zeros((m, n), "f32")
    for start in tl.range(0, k, bk, num_stages=2):
        a = tl.load(a_ptr + start * m * 2, shape=(m, bk), dtype="f16")
        b = tl.load(b_ptr + start * n * 2, shape=(bk, n), dtype="f16")
        acc = tl.dot(a, b, acc)
    tl.store(c_ptr, acc.to("f16"))
"#
    );
}

#[test]
fn helpers_take_and_give_extents() {
    snapshot!(
        r#"
def halves(n, tl):
    half = n // 2
    return tl.zeros((half,), "f16"), half


def centred(x: "tl.tensor", tl):
    return x - tl.max(x, axis=0, keep_dims=True)


def kernel(ptr, n, tl):
    tile, half = halves(n, tl)
    tl.store(ptr, centred(tile, tl))
    tl.store(ptr + half * 2, centred(tl.load(ptr, (64,), "f16"), tl))
"#
    );
}

#[test]
fn what_follows_an_early_return_is_the_other_path() {
    snapshot!(
        r#"
def kernel(ptr, n, tl):
    rank = tl.program_id(0)
    if rank >= n:
        return
    size = 64 if rank == 0 else 32
    i = 0
    while i < n:
        i = i * 2 + 1
    tl.store(ptr + i, tl.full((size,), 1.0, "f16"))
"#
    );
}

#[test]
fn a_jit_kernel_has_typed_pointers() {
    snapshot!(
        r#"
import triton
import triton.language as tl

SCALE: tl.constexpr = 0.5


@triton.jit
def scaled(x_ptr, pid, n):
    return tl.load(x_ptr + pid * n, shape=(n,), dtype=tl.float16).to(tl.float32) * SCALE


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr, eps: float):
    pid = tl.program_id(0)
    x = scaled(x_ptr, pid, BLOCK)
    tl.store(y_ptr + pid * BLOCK, tl.exp(x) + eps)
"#
    );
}

#[test]
fn receiving_into_a_buffer_binds_its_name() {
    snapshot!(
        r#"
def kernel(ptr, n, turns, tl):
    acc = tl.load(ptr, (n,), "f32")
    buffer = tl.zeros((n,), "f32")
    for turn in range(turns):
        tl.send(dir="E", src=acc)
        tl.recv(dir="W", dst=buffer)
        acc = acc + buffer
    future = tl.recv_async(dir="N", shape=(n,), dtype="f32")
    tl.send(dir="S", src=acc)
    tl.store(ptr, tl.wait(future))
"#
    );
}

#[test]
fn branches_join_what_is_read_afterwards() {
    snapshot!(
        r#"
def kernel(ptr, n, tl):
    tile = tl.load(ptr, (64,), "f16")
    unused = tile
    count = 0
    if n > 8:
        unused = tile * 2
        tile = tile + n
        count = 1
    elif n > 4:
        tile = tile * 0.5
    tl.store(ptr + count, tile)
"#
    );
}

#[test]
fn what_the_launch_says_is_folded() {
    let text = r#"
def kernel(ptr, BLOCK: "tl.constexpr", dtype, tl):
    if BLOCK > 16:
        tl.store(ptr, tl.zeros((BLOCK // 2,), dtype))
    else:
        tl.store(ptr, tl.zeros((BLOCK,), "f64"))
"#;
    let constants = BTreeMap::from([
        (String::from("BLOCK"), Constant::Int(64)),
        (String::from("dtype"), Constant::Str(String::from("bf16"))),
    ]);
    insta::assert_snapshot!(compile_with(text, constants).ir());
}

#[test]
fn every_function_of_the_library_compiles() {
    let found = compile(
        r#"
import ccl
from ccl import exchange, rank_of, ring_shift
from nn import gelu, layer_norm, linear, relu, softmax


def collectives(ptr, n, world_size, tl):
    rank = rank_of(tl)
    tile = tl.load(ptr + rank * n * 4, (n,), "f32")
    tile = ring_shift(exchange(tile, "N", "S", tl), tl)
    tl.store(ptr, ccl.ring_sum(tile, world_size, tl))


def layers(ptr, n, tl):
    x = tl.load(ptr, (n, 64), "f16")
    weight = tl.load(ptr, (64, 32), "f16")
    bias = tl.load(ptr, (32,), "f16")
    y = gelu(relu(linear(x, weight, bias, tl), tl), tl)
    tl.store(ptr, softmax(layer_norm(y, None, None, 1e-5, tl), 1, tl))
"#,
    );
    assert!(found.module.is_some(), "{}", found.text());
}

#[test]
fn errors_of_several_kernels_are_said_at_once() {
    let found = compile(
        r#"
def first(ptr, n, tl):
    tile = tl.load(ptr, (n,), "f61")
    tl.store(ptr, tile + missing)


def second(ptr, n, tl):
    tl.store(pointer, tl.zeros((n,), "f16") @ n)
"#,
    );
    assert_eq!(found.codes(), ["K0411", "K0201", "K0201", "K0327"], "{}", found.text());
}

#[test]
fn consequences_of_an_error_are_silent() {
    let found = compile(
        r#"
def kernel(ptr, n, tl):
    x = tl.load(nowhere, (n,), "f16")
    y = x + tl.exp(x) * 2
    for i in range(n):
        y = y + x[:, None]
        if y > 3:
            z = y
    tl.store(ptr, tl.dot(y, z).sum(axis=7))
"#,
    );
    assert_eq!(found.codes(), ["K0201"], "{}", found.text());
}

#[test]
fn a_helper_does_not_receive_into_its_callers_tile() {
    let found = compile(
        r#"
def step(buffer: "tl.tensor", tl):
    tl.recv(dir="W", dst=buffer)


def kernel(ptr, n, tl):
    buffer = tl.zeros((n,), "f16")
    step(buffer, tl)
    tl.store(ptr, buffer)
"#,
    );
    assert_eq!(found.codes(), ["K0332"], "{}", found.text());
}

/// A `@triton.jit` kernel with this body and the parameters `x`, `y` and `n`.
fn jit(body: &str) -> String {
    let mut text = String::from(
        "import triton\nimport triton.language as tl\n\n@triton.jit\ndef k(x, y, n):\n",
    );
    for line in body.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// The parameters of the kernel, as the IR prints them.
fn signature(text: &str) -> String {
    let ir = compile(text).ir();
    let line = ir.lines().next().unwrap_or_default();
    line.split(['(', ')']).nth(1).unwrap_or_default().to_owned()
}

#[test]
fn pointers_are_found_by_their_use() {
    let load = "a = tl.load(x + n, shape=(n,), dtype=tl.float16)\ntl.store(y, a)";
    assert_eq!(signature(&jit(load)), "%x: *f16, %y: *f16, %n: i32");
    let moved =
        "p = x\nfor i in range(n):\n    tl.store(p, tl.zeros((8,), tl.float32))\n    p += n";
    assert_eq!(signature(&jit(moved)), "%x: *f32, %y: i32, %n: i32");
    let chosen = "p = x if n > 2 else y\ntl.store(x, tl.zeros((8,), tl.int8))\n\
                  tl.store(y, tl.zeros((8,), tl.int8))\ntl.store(p + 1, tl.zeros((8,), tl.int8))";
    assert_eq!(signature(&jit(chosen)), "%x: *i8, %y: *i8, %n: i32");
    // Of two that may be the pointer, it is the one on the left.
    let leftmost = "tl.store(x + n, tl.zeros((8,), tl.float32))";
    assert_eq!(signature(&jit(leftmost)), "%x: *f32, %y: i32, %n: i32");
    let both = "a = x * 2\nb = n * 2\ntl.store(x + n, tl.zeros((8,), tl.float32))";
    let unclear = compile(&jit(both));
    assert_eq!(unclear.codes(), ["K0321"], "{}", unclear.text());
}

#[test]
fn a_launch_says_what_it_passes() {
    let text = jit("tl.store(y + n, tl.zeros((8,), tl.float16))");
    let arguments = BTreeMap::from([
        (String::from("x"), ArgType::Pointer(DType::I8)),
        (String::from("y"), ArgType::Pointer(DType::BF16)),
        (String::from("n"), ArgType::Scalar(DType::I64)),
    ]);
    let ir = compile_arguments(&text, BTreeMap::new(), arguments).ir();
    assert!(ir.starts_with("kernel @k(%x: *i8, %y: *bf16, %n: i64) {"), "{ir}");
    assert!(ir.contains("cast %2 : tile<8xbf16>"), "a store converts: {ir}");
}

/// The IR of a kernel that stores at `ptr` plus an expression.
fn offset(expr: &str) -> String {
    let text =
        format!("def k(ptr, n, m, tl):\n    tl.store(ptr + ({expr}), tl.zeros((8,), 'f16'))\n");
    compile(&text).ir()
}

#[test]
fn and_or_give_what_python_gives() {
    // Truth values are joined; numbers give the operand that decides.
    assert!(offset("n > 2 and m > 3").contains("bit_and"));
    let ir = offset("n or 4");
    assert!(ir.contains("= ne %n") && ir.contains("select %1, %n, %2 "), "{ir}");
    let ir = offset("n and 4");
    assert!(ir.contains("select %1, %2, %n "), "{ir}");
    assert!(offset("0 or n").contains("add %ptr, %n "), "{}", offset("0 or n"));
    // What might divide by zero is not computed where Python would not.
    assert!(offset("n != 0 and m // n > 2").contains("if "));
    assert!(offset("m // n if n else 0").contains("if "));
    assert!(offset("m // 2 if n else 0").contains("select "));
}
