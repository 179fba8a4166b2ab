//! What Triton's compiler accepts and refuses in the body of a `@triton.jit` kernel, kbc accepts
//! and refuses. Where Triton refuses with an assertion or an exception of Python, kbc has a code.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use sema_common::compile;

/// A program around a body: `t` is an i32 tile, `f` an f32 tile, `n` a scalar of the launch.
fn program(prelude: &str, body: &str) -> String {
    let mut text = format!(
        "import triton\nimport triton.language as tl\n\n{prelude}\n\n@triton.jit\n\
         def k(X, Y, n, N: tl.constexpr):\n    t = tl.arange(0, 16)\n    f = t.to(tl.float32)\n"
    );
    for line in body.lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Bodies that compile.
const ACCEPTED: &[(&str, &str)] = &[
    ("a while loop", "i = 0\nwhile i < n:\n    i += 1"),
    ("a step of the launch", "for i in range(0, n, n):\n    tl.store(X, f)"),
    ("a negative step", "for i in range(8, 0, -1):\n    tl.store(X, f)"),
    (
        "static_range",
        "for i in tl.static_range(3):\n    f = f + (1.0, 2.0, 3.0)[i]\ntl.store(X, f)",
    ),
    ("an index of a list", "a = [1, 2]\ntl.store(X, f + a[1])"),
    ("unpacking", "a, b = 1.0, 2.0\ntl.store(X, f * (a + b))"),
    (
        "the element type of an address that nothing has used before",
        "p = X + t * n\ntl.store(p, f.to(X.dtype.element_ty))",
    ),
    ("the element type of a sum", "p = Y + n\ntl.store(p + t, f.to(p.dtype.element_ty))"),
    ("a mask by place", "tl.store(X + t, tl.load(Y + t, t < n), t < n)"),
    ("a mask and what stands for the rest", "tl.store(X + t, tl.load(Y + t, t < n, 1.0))"),
    ("a spread argument", "a = (X, f)\ntl.store(*a)"),
    ("new axes", "a = t[:, None] + t[None, :]\ntl.store(X, a)"),
    (
        "masks and chains",
        "m = (0 < t) & (t < n)\nif 0 < n < 5:\n    tl.store(X, tl.where(m, f, 0.0))",
    ),
    ("a conditional expression", "a = 1.0 if n > 2 else 2.0\ntl.store(X, f * a)"),
    (
        "a name bound on both paths",
        "if n > 2:\n    a = 1.0\nelse:\n    a = 2.0\ntl.store(X, f + a)",
    ),
    ("a guard", "if n > 3:\n    return\ntl.store(X, f)"),
    ("powers of constants", "tl.store(X, f + 3 ** 2)"),
    ("min and max", "a = min(n, 4)\ntl.store(X, f + max(a, 2))"),
    ("minus infinity", "tl.store(X, tl.full((16,), -float('inf'), tl.float32))"),
    ("the rank of a tile", "tl.static_assert(len(t.shape) == 1)"),
    ("an assertion", "assert n > 0, 'n is positive'"),
    ("shifts", "a = n << 2\ntl.store(X, t + (a >> 1))"),
    ("the remainder of floats", "tl.store(X, f % 2)"),
    ("a docstring", "'''What it does.'''\ntl.store(X, f)"),
    ("None is known", "if Y is not None:\n    tl.store(X, f)"),
    ("equal strings", "a = 1.0 if 'a' == 'a' else 2.0\ntl.store(X, f + a)"),
    ("a local constexpr", "M: tl.constexpr = 32\ntl.store(X, tl.arange(0, M))"),
    ("a new value of a parameter", "N += 1\ntl.store(X, f + N)"),
    ("a reduction", "tl.store(X, tl.sum(f, axis=0) + f)"),
    ("a method", "tl.store(X, f.sum(0, keep_dims=True))"),
    (
        "hints",
        "tl.assume(n > 0)\na = tl.multiple_of(n, 16)\ntl.debug_barrier()\ntl.store(X + a, f)",
    ),
    ("a product", "a = f[:, None] * f[None, :]\ntl.store(X, tl.dot(a, a, input_precision='ieee'))"),
    ("math", "tl.store(X, tl.math.exp(f))"),
    ("a mask", "a = tl.load(X + t, mask=t < n, other=0.0)\ntl.store(Y + t, a, mask=t < n)"),
    ("new axes of pointers", "p = (X + t)[:, None] + t[None, :] * 16\ntl.store(p, tl.load(p))"),
    ("a single element", "a = tl.load(X + n)\ntl.store(Y, a * 2 + 1)"),
    ("a loaded address", "a = tl.load(X + n).to(tl.int32)\ntl.store(Y + a, a + 1.0)"),
    (
        "pointers that move in a loop",
        "p = X + t\nfor i in range(n):\n    a = tl.load(p)\n    p += 16\n    tl.store(p - t, a)",
    ),
];

/// Bodies that do not, and the code of the reason.
const REFUSED: &[(&str, &str, &str)] = &[
    ("break", "for i in range(0, n):\n    if i > 3:\n        break", "K0324"),
    ("continue", "for i in range(0, n):\n    if i > 3:\n        continue", "K0324"),
    ("return in a loop", "for i in range(0, n):\n    if i > 3:\n        return", "K0322"),
    ("a dict", "a = {1: 2}", "K0220"),
    ("a lambda", "g = lambda x: x", "K0220"),
    ("a nested function", "def g(x):\n    return x", "K0220"),
    ("a generator", "a = tuple(i for i in (1, 2))", "K0213 K0220"),
    ("an import", "import math", "K0220"),
    ("a starred target", "a, *b = 1, 2, 3", "K0316"),
    ("an item assigned", "t[0] = 1", "K0316"),
    ("an attribute assigned", "t.foo = 1", "K0316"),
    ("an element", "tl.store(X, t[0])", "K0315"),
    ("a part", "a = t[0:4]", "K0315"),
    ("an ellipsis", "a = t[..., None]", "K0315"),
    ("kinds of an expression", "a = 1 if n > 2 else 2.0", "K0306"),
    ("a name of one path", "if n > 2:\n    a = 1.0\ntl.store(X, f + a)", "K0205"),
    ("another type on a path", "a = 1\nif n > 2:\n    a = 2.0\ntl.store(X, f + a)", "K0306"),
    (
        "another type in a loop",
        "a = 1\nfor i in range(n):\n    a = a * 2.5\ntl.store(X, f + a)",
        "K0305",
    ),
    ("a name of a loop", "for i in range(n):\n    a = 1.0\ntl.store(X, f + a)", "K0206"),
    ("a tile as condition", "if t > 2:\n    tl.store(X, f)", "K0314"),
    ("a load from an integer", "a = tl.load(n * 2, shape=(16,), dtype=tl.float32)", "K0320"),
    ("a load from a float", "a = tl.load(1.5, shape=(16,), dtype=tl.float32)", "K0320"),
    ("a pointer moved by a float", "tl.store(X, f)\ntl.store(X + 1.0, f)", "K0318"),
    ("a sum of pointers", "tl.store(X, f)\ntl.store(Y, f)\ntl.store(X + Y, f)", "K0318"),
    ("a pointer doubled", "tl.store(X, f)\ntl.store(X * 2, f)", "K0318"),
    ("a difference of pointers", "tl.store(X, f)\ntl.store(Y, f)\na = X - Y", "K0318"),
    ("shapes", "a = tl.arange(0, 16) + tl.arange(0, 32)", "K0301"),
    ("types of a product", "a = f[:, None] * f[None, :]\nb = tl.dot(a, a.to(tl.float16))", "K0308"),
    ("the operator @", "a = f[:, None] * f[None, :]\nb = a @ a", "K0327"),
    ("the operator **", "a = f ** 2", "K0328"),
    ("a floor of floats", "a = f // 2", "K0311"),
    ("exp of halves", "a = tl.exp(f.to(tl.float16))", "K0313"),
    ("exp of integers", "a = tl.exp(t)", "K0312"),
    ("axis 3", "a = tl.program_id(3)", "K0410"),
    ("a negative number beside unsigned", "a = t.to(tl.uint32) + (-1)", "K0333"),
    ("a large number", "a = t + 0xFFFFFFFFFFFFFF", "K0333"),
    ("a false assertion", "tl.static_assert(1 == 3, 'one is three')", "K0402"),
    ("a second binding", "M: tl.constexpr = 2\nM: tl.constexpr = 3", "K0403"),
    ("bits of floats", "a = f & 1", "K0311"),
    ("else of a for", "for i in range(n):\n    pass\nelse:\n    pass", "K0220"),
    ("else of a while", "i = 0\nwhile i < n:\n    i += 1\nelse:\n    pass", "K0220"),
    ("zip", "for i, j in zip((1, 2), (3, 4)):\n    pass", "K0213"),
    ("a mask of integers", "tl.store(X + t, f, mask=t)", "K0350"),
    ("other without a mask", "a = tl.load(X, other=0.0)", "K0351"),
    ("more values than pointers", "tl.store(X + t[:, None], t[:, None] + t[None, :])", "K0352"),
    ("a large range", "a = tl.arange(0, 1 << 40)", "K0333"),
    ("a keyword", "tl.store(X, f, msk=t < n)", "K0215"),
    ("a missing name", "tl.store(X, tl.ones((16,)))", "K0202"),
];

#[test]
fn what_triton_accepts() {
    for (what, body) in ACCEPTED {
        let found = compile(&program("", body));
        assert!(found.module.is_some(), "{what}:\n{}", found.text());
    }
}

#[test]
fn what_triton_refuses() {
    for (what, body, code) in REFUSED {
        let found = compile(&program("", body));
        assert_eq!(found.codes().join(" "), *code, "{what}:\n{}", found.text());
    }
}

#[test]
fn functions_and_globals() {
    let with = |prelude: &str, body: &str| compile(&program(prelude, body)).codes();
    let jit = |text: &str| format!("@triton.jit\n{text}");
    let body = "tl.store(X, f * h(2.0))";
    assert_eq!(with(&jit("def h(x):\n    return x * 2"), body), [""; 0]);
    assert_eq!(with("def h(x):\n    return x * 2", body), ["K0212"]);
    assert_eq!(with(&jit("def h(x):\n    return h(x - 1)"), body), ["K0211"]);
    let differing =
        jit("def h(x):\n    if x > 1:\n        return 1\n    else:\n        return 2.0");
    assert_eq!(with(&differing, "tl.store(X, f * h(n))"), ["K0306"]);
    assert_eq!(with("G = 3", "tl.store(X, f + G)"), ["K0406"]);
    assert_eq!(with("G = tl.constexpr(3)", "tl.store(X, f + G)"), [""; 0]);
    assert_eq!(with("G: tl.constexpr = 3", "tl.store(X, f + G)"), [""; 0]);
}

#[test]
fn numbers_meet_tiles_as_in_triton() {
    // What an expression of an i8, i32, f16 or bf16 tile gives, by Triton's rules.
    let cases = [
        ("i8 + 3", "i8"),
        ("i8 + i32", "i32"),
        ("i8 / i8", "f32"),
        ("i8 * 2.5", "f32"),
        ("f16 * 2.5", "f16"),
        ("f16 / f16", "f32"),
        ("f16 + bf16", "f16"),
        ("bf16 + i32", "f32"),
        ("bf16 + bf16", "bf16"),
        ("i32 % 3", "i32"),
        ("(i32 > 0) + 3", "i32"),
        ("tl.where(i32 > 0, i8, 1)", "i8"),
        ("tl.maximum(f16, 0)", "f16"),
        ("tl.sum(i8, axis=0, keep_dims=True)", "i32"),
        ("tl.max(f16, axis=0, keep_dims=True)", "f32"),
        ("tl.argmax(f16, axis=0, keep_dims=True)", "i32"),
    ];
    for (expr, dtype) in cases {
        let body = format!(
            "i32 = t\ni8 = t.to(tl.int8)\nf16 = f.to(tl.float16)\nbf16 = f.to(tl.bfloat16)\n\
             tl.static_assert(({expr}).dtype == tl.{})",
            kbc::dtype::DType::from_name(dtype).unwrap().tl_name()
        );
        let found = compile(&program("", &body));
        assert!(found.module.is_some(), "{expr} is not {dtype}:\n{}", found.text());
    }
}

#[test]
fn kernels_that_take_tl_keep_narrow_floats() {
    let cases = [
        ("h / h", "f16"),
        ("h % 3", "f16"),
        ("tl.exp(h)", "f16"),
        ("tl.softmax(h)", "f16"),
        ("h * n", "f16"),
        ("i + n", "i32"),
        ("i / 2", "f32"),
        ("tl.max(h, axis=0, keep_dims=True)", "f16"),
    ];
    for (expr, dtype) in cases {
        let text = format!(
            "def kernel(ptr, n, tl):\n    h = tl.load(ptr, (16,), \"f16\")\n    i = tl.arange(0, 16)\n\
             \u{20}   tl.static_assert(({expr}).dtype == tl.{})\n",
            kbc::dtype::DType::from_name(dtype).unwrap().tl_name()
        );
        let found = compile(&text);
        assert!(found.module.is_some(), "{expr} is not {dtype}:\n{}", found.text());
    }
}

#[test]
fn scalars_divide_as_in_python_where_tl_is_taken_and_as_in_c_elsewhere() {
    let tl =
        compile("def k(p, n, tl):\n    tl.store(p + n // 2 + n % 2, tl.zeros((4,), 'f32'))\n").ir();
    assert!(tl.contains("floor_div %n") && tl.contains("floor_mod %n"), "{tl}");
    let jit = compile(&program("", "tl.store(X + n // 2 + n % 2, f)")).ir();
    assert!(jit.contains(" int_div %n") && jit.contains(" rem %n"), "{jit}");
    // What the compiler knows is Python arithmetic in both.
    let body = "tl.static_assert(-7 // 2 == -4)\ntl.static_assert(-7 % 2 == 1)";
    assert!(compile(&program("", body)).module.is_some());
}
