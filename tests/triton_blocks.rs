//! Tensor descriptors and block pointers on data, against the definition of a block: element
//! `(i, j)` of the block at `(r, c)` is element `(r + i, c + j)` of the array, or padding where the
//! array has none.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::too_many_arguments,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod on_data;

use kbc::launch::Deal;
use on_data::{Run, f32s, i32s};

const M: i32 = 20;
const N: i32 = 24;

fn matrix() -> Vec<i32> {
    (0..M * N).map(|at| at * 7 - 300).collect()
}

/// The block of `rows × columns` of `matrix` at `(r, c)`, with `pad` outside of it.
fn block(r: i32, c: i32, (rows, columns): (i32, i32), pad: i32) -> Vec<i32> {
    let x = matrix();
    let at = |i: i32, j: i32| {
        let inside = (0..M).contains(&i) && (0..N).contains(&j);
        if inside { x[(i * N + j) as usize] } else { pad }
    };
    (0..rows).flat_map(|i| (0..columns).map(move |j| at(r + i, c + j))).collect()
}

/// `x` described as `d`, and a plain store of the tile `v` of 8 × 16 to `y`.
fn loads(body: &str) -> Run {
    let text = format!(
        "d = tl.make_tensor_descriptor(x, [m, n], [n, 1], [8, 16])\n{body}\n\
         tl.store(y + tl.arange(0, 8)[:, None] * 16 + tl.arange(0, 16)[None, :], v)"
    );
    let run = Run::new("x, y, m, n, r, c", &text).i32s("x", &matrix()).i32s("y", &[0; 128]);
    run.int("m", M.into()).int("n", N.into())
}

#[test]
fn a_block_may_lie_anywhere() {
    for (r, c) in [(0, 0), (3, 5), (16, 16), (-3, -5), (-8, 0), (19, 23), (20, 24), (100, -100)] {
        let expected = i32s(&block(r, c, (8, 16), 0));
        let at = |run: Run| run.int("r", r.into()).int("c", c.into()).gives("y", expected.clone());
        at(loads("v = d.load([r, c])")).holds();
        at(loads("v = tl.load_tensor_descriptor(d, (r, c))")).holds();
        let pointer = "p = tl.make_block_ptr(x, (m, n), (n, 1), (r, c), (8, 16), (1, 0))\n";
        at(loads(&format!("{pointer}v = tl.load(p, boundary_check=(0, 1))"))).holds();
        let moved = "p = tl.make_block_ptr(x, (m, n), (n, 1), (0, c), (8, 16), (1, 0))\n\
                     p = tl.advance(p, (r - 1, 0))\np = tl.advance(p, [1, 0])\n";
        let check = "boundary_check=(1, 0), padding_option='zero'";
        at(loads(&format!("{moved}v = tl.load(p, {check})"))).holds();
    }
}

#[test]
fn what_a_descriptor_is_made_of_can_be_asked_for() {
    let asks = "tl.static_assert(d.dtype == tl.int32)\ntl.static_assert(d.block_shape[1] == 16)\n\
                v = d.load([r, c]) * 0 + d.shape[0] + d.shape[1] * d.strides[1] + d.strides[0]";
    let expected = i32s(&[M + N + N; 128]);
    loads(asks).int("r", 0).int("c", 0).gives("y", expected).holds();
}

#[test]
fn views_are_values() {
    // Through a helper, a tuple, a branch and a loop.
    let text = "import triton
import triton.language as tl


@triton.jit
def describe(x, m, n, B: tl.constexpr):
    return tl.make_tensor_descriptor(x, [m, n], [n, 1], [B, 2 * B]), n


@triton.jit
def sum_rows(pair, first, COUNT: tl.constexpr):
    desc, n = pair
    total = tl.zeros(desc.block_shape, desc.dtype)
    for i in range(first, first + COUNT):
        total += desc.load([i, 0])
    return total


@triton.jit
def k(x, z, y, m, n, which):
    a = describe(x, m, n, 8)
    b = describe(z, m, n, 8)
    if which > 0:
        chosen = a
    else:
        chosen = b
    v = sum_rows(chosen, 1, 3)
    out = tl.make_tensor_descriptor(y, [8, 16], [16, 1], [8, 16])
    out.store([0, 0], v)
";
    let sum: Vec<i32> = {
        let rows = [1, 2, 3].map(|row| block(row, 0, (8, 16), 0));
        (0..128).map(|at| rows.iter().map(|it| it[at]).sum()).collect()
    };
    for which in [0, 1] {
        let other: Vec<i32> = matrix().iter().map(|it| it * 2).collect();
        let expected: Vec<i32> = sum.iter().map(|it| it * (2 - which)).collect();
        let run = Run::text(text).i32s("x", &matrix()).i32s("z", &other).i32s("y", &[0; 128]);
        let run = run.int("m", M.into()).int("n", N.into()).int("which", which.into());
        run.gives("y", i32s(&expected)).holds();
    }
}

#[test]
fn block_pointers_move_in_loops() {
    // Row sums, a block of columns at a time; only the columns are checked.
    let body = "p = tl.make_block_ptr(x, shape=(m, n), strides=(n, 1), offsets=(tl.program_id(0) * 4, 0),\n\
                \x20                     block_shape=(4, 16), order=(1, 0))\n\
                q = tl.make_block_ptr(y, (m,), (1,), (tl.program_id(0) * 4,), (4,), (0,))\n\
                total = tl.zeros((4,), tl.int32)\n\
                for i in range(0, n, 16):\n    total += tl.sum(tl.load(p, boundary_check=(1,)), axis=1)\n\
                \x20   p = tl.advance(p, (0, 16))\n\
                tl.store(q, total.to(y.dtype.element_ty), boundary_check=(0,))";
    let x = matrix();
    let sums: Vec<i32> = (0..M).map(|r| x[(r * N) as usize..][..N as usize].iter().sum()).collect();
    for (world, deal) in [(1, Deal::Block), (3, Deal::Cyclic)] {
        let run = Run::new("x, y, m, n", body).grid([5, 1, 1]).on(world, deal);
        let run = run.i32s("x", &x).i32s("y", &[0; M as usize]);
        run.int("m", M.into()).int("n", N.into()).gives("y", i32s(&sums)).holds();
    }
}

#[test]
fn transposed_arrays_are_strides() {
    // The array seen by columns: strides (1, n).
    let body = "p = tl.make_block_ptr(x, (n, m), (1, n), (2, 3), (16, 8), (0, 1))\n\
                v = tl.load(p, boundary_check=(0, 1)).T";
    let run = loads(body).int("r", 0).int("c", 0);
    run.gives("y", i32s(&block(3, 2, (8, 16), 0))).holds();
}

#[test]
fn padding_is_what_was_asked_for() {
    let x: Vec<f32> = (0..30).map(|at| at as f32).collect();
    let nan = |places: std::ops::Range<usize>| -> Vec<f32> {
        (0..16).map(|at| if places.contains(&at) { 25.0 + at as f32 } else { f32::NAN }).collect()
    };
    let write = "tl.store(y + tl.arange(0, 16), v)";
    let descriptor = format!(
        "d = tl.make_tensor_descriptor(x, [30], [1], [16], padding_option='nan')\n\
         v = d.load([25])\nv = tl.where(v != v, -1.0, v)\n{write}"
    );
    let pointer = format!(
        "p = tl.make_block_ptr(x, (30,), (1,), (25,), (16,), (0,))\n\
         v = tl.load(p, boundary_check=(0,), padding_option='nan')\n\
         v = tl.where(v != v, -1.0, v)\n{write}"
    );
    let expected: Vec<f32> = nan(0..5).iter().map(|v| if v.is_nan() { -1.0 } else { *v }).collect();
    for body in [descriptor, pointer] {
        let run = Run::new("x, y", &body).f32s("x", &x).f32s("y", &[0.0; 16]);
        run.gives("y", f32s(&expected)).holds();
    }
}

#[test]
fn stores_leave_alone_what_lies_outside() {
    let tile = "v = tl.arange(0, 8)[:, None] * 16 + tl.arange(0, 16)[None, :]\n";
    let by_pointer = "p = tl.make_block_ptr(x, (m, n), (n, 1), (r, c), (8, 16), (1, 0))\n\
                      tl.store(p, v, boundary_check=(0, 1))";
    let by_descriptor = "d = tl.make_tensor_descriptor(x, [m, n], [n, 1], [8, 16])\n\
                         d.store([r, c], v.to(tl.int64))";
    for (r, c) in [(0, 0), (17, 20), (-5, -2), (2, 3), (30, 0)] {
        let mut expected = matrix();
        for (i, j) in (0..8).flat_map(|i| (0..16).map(move |j| (i, j))) {
            let (row, column) = (r + i, c + j);
            if (0..M).contains(&row) && (0..N).contains(&column) {
                expected[(row * N + column) as usize] = i * 16 + j;
            }
        }
        for body in [by_pointer, by_descriptor] {
            let run = Run::new("x, m, n, r, c", &format!("{tile}{body}")).i32s("x", &matrix());
            let run = run.int("m", M.into()).int("n", N.into());
            run.int("r", r.into()).int("c", c.into()).gives("x", i32s(&expected)).holds();
        }
    }
    // A single number fills the block of a block pointer.
    let body = "p = tl.make_block_ptr(x, (m, n), (n, 1), (0, 0), (32, 32), (1, 0))\n\
                tl.store(p, 5, boundary_check=(0, 1))";
    let run = Run::new("x, m, n", body).i32s("x", &matrix());
    run.int("m", M.into()).int("n", N.into()).gives("x", i32s(&[5; (M * N) as usize])).holds();
}

#[test]
fn rows_are_gathered_and_scattered() {
    let rows: Vec<i32> = vec![3, 19, 0, 0, 25, -1, 7, 12];
    let body = "d = tl.make_tensor_descriptor(x, [m, n], [n, 1], [1, 16])\n\
                rows = tl.load(which + tl.arange(0, 8))\n\
                v = d.gather(rows, 10)\n\
                tl.store(y + tl.arange(0, 8)[:, None] * 16 + tl.arange(0, 16)[None, :], v)\n\
                e = tl.make_tensor_descriptor(z, [m, n], [n, 1], [1, 16])\n\
                e.scatter(v + 1, tl.arange(0, 8) * 3, 10)";
    let mut gathered = Vec::new();
    for row in &rows {
        gathered.extend(block(*row, 10, (1, 16), 0));
    }
    let mut scattered = vec![0; (M * N) as usize];
    for (i, line) in gathered.chunks(16).enumerate() {
        for (j, value) in line.iter().enumerate() {
            let (row, column) = (3 * i as i32, 10 + j as i32);
            if row < M && column < N {
                scattered[(row * N + column) as usize] = value + 1;
            }
        }
    }
    let run = Run::new("x, which, y, z, m, n", body).i32s("x", &matrix()).i32s("which", &rows);
    let run = run.i32s("y", &[0; 128]).i32s("z", &[0; (M * N) as usize]);
    let run = run.int("m", M.into()).int("n", N.into());
    run.gives("y", i32s(&gathered)).gives("z", i32s(&scattered)).holds();
}

#[test]
fn arrays_may_have_one_to_five_axes() {
    // Extents 3 × 2 × 3 × 2 × 8, a block of 2 × 2 × 2 × 2 × 4 at (2, 0, 1, 1, 6).
    let x: Vec<i32> = (0..288).collect();
    let strides = [96, 48, 16, 8, 1];
    let body = "d = tl.make_tensor_descriptor(x, [3, 2, 3, 2, 8], [96, 48, 16, 8, 1], [2, 2, 2, 2, 4])\n\
                v = d.load([2, 0, 1, 1, 6])\n\
                tl.store(y + tl.arange(0, 64), tl.reshape(v, 64))";
    let (shape, at) = ([3, 2, 3, 2, 8], [2, 0, 1, 1, 6]);
    let expected: Vec<i32> = (0..64)
        .map(|lane| {
            let index = [lane / 32, lane / 16 % 2, lane / 8 % 2, lane / 4 % 2, lane % 4];
            let place: Vec<i32> = (0..5).map(|axis| index[axis] + at[axis]).collect();
            let inside = (0..5).all(|axis| place[axis] < shape[axis]);
            if inside { (0..5).map(|axis| place[axis] * strides[axis]).sum() } else { 0 }
        })
        .collect();
    let run = Run::new("x, y", body).i32s("x", &x).i32s("y", &[0; 64]);
    run.gives("y", i32s(&expected)).holds();
}

#[test]
fn the_shape_of_an_array_may_be_data() {
    let x: Vec<i32> = (0..40).collect();
    let mut expected: Vec<i32> = vec![28, 29, 30, 31, 32];
    expected.resize(16, 0);
    let body = "n = tl.load(count)\nd = tl.make_tensor_descriptor(x, [n], [1], [16])\n\
                tl.store(y + tl.arange(0, 16), d.load([n - 5]))";
    let run = Run::new("x, count, y", body).i32s("x", &x).i32s("count", &[33, 4]);
    run.i32s("y", &[0; 16]).gives("y", i32s(&expected)).holds();
}

#[test]
fn what_a_view_cannot_do_is_said() {
    let make = "d = tl.make_tensor_descriptor(x, [m, n], [n, 1], [8, 16])\n";
    let point = "p = tl.make_block_ptr(x, (m, n), (n, 1), (0, 0), (8, 16), (1, 0))\n";
    let cases: [(&str, &str, &str); 22] = [
        ("K0353", "", "d = tl.make_tensor_descriptor(x, [m, n], [1], [8, 16])"),
        ("K0353", "", "d = tl.make_tensor_descriptor(x, [], [], [])"),
        (
            "K0353",
            "",
            "d = tl.make_tensor_descriptor(x, [m, n, n, n, n, n], [n, n, n, n, n, 1], [8, 8, 8, 8, 8, 8])",
        ),
        ("K0353", make, "v = d.load([0])"),
        ("K0353", point, "p = tl.advance(p, (0, 1, 2))"),
        ("K0354", "", "d = tl.make_tensor_descriptor(x, [m, n], [1, 2], [8, 16])"),
        ("K0355", "", "d = tl.make_tensor_descriptor(x, [m, n], [n, 1], [8, 2])"),
        ("K0356", make, "v = tl.load(d)"),
        ("K0356", make, "tl.store(d, 1)"),
        ("K0356", make, "d = tl.advance(d, (0, 1))"),
        ("K0356", point, "v = tl.load_tensor_descriptor(p, [0, 0])"),
        ("K0357", make, "d.store([0, 0], 1)"),
        ("K0357", make, "d.store([0, 0], tl.zeros((16, 8), tl.int32))"),
        ("K0357", point, "tl.store(p, tl.zeros((8, 16), tl.float32))"),
        ("K0358", point, "v = tl.load(p, mask=n > 0)"),
        ("K0358", point, "v = tl.load(p, boundary_check=(2,))"),
        ("K0358", point, "v = tl.load(p, boundary_check=(0, 0))"),
        ("K0358", point, "v = tl.load(p, boundary_check=(0,), padding_option='nan')"),
        ("K0358", point, "v = tl.load(p, boundary_check=(0,), padding_option='one')"),
        ("K0358", "", "v = tl.load(x, boundary_check=(0,))"),
        ("K0359", point, "tl.advance(p, (0, 1))"),
        ("K0341", "", "p = tl.make_block_ptr(x, (m, n), (n, 1), (0, 0), (8, 16), (1, 1))"),
    ];
    for (code, before, body) in cases {
        let run = Run::new("x, m, n", &format!("{before}{body}")).i32s("x", &matrix());
        run.int("m", M.into()).int("n", N.into()).refused(code);
    }
    // A stride that only the launch knows is checked there.
    let body = "d = tl.make_tensor_descriptor(x, [m, n], [n, s], [8, 16])\nv = d.load([0, 0])";
    let run = Run::new("x, m, n, s", body).i32s("x", &matrix()).int("m", M.into());
    let text = run.int("n", N.into()).int("s", 2).run().text;
    assert!(text.contains("the last stride of a tensor descriptor is 1"), "{text}");
    let run = Run::new("x, m, n, s", body).i32s("x", &matrix()).int("m", M.into());
    assert!(run.int("n", N.into()).int("s", 1).run().codes.is_empty());
}
