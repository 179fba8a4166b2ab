//! Atomics on data, against what they are defined to leave and to give, on any number of PEs.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod on_data;

use kbc::launch::Deal;
use on_data::{Run, f16s, f32s, f64s, i32s, i64s, u32s};

const PLACES: [(u32, Deal); 3] = [(1, Deal::Block), (3, Deal::Cyclic), (8, Deal::Block)];

type Combine = fn(i32, i32) -> i32;

/// 8 programs of 32 lanes each, `i` the place of a lane among all.
fn programs(params: &str, body: &str) -> Run {
    let lanes = "i = tl.program_id(0) * 32 + tl.arange(0, 32)\n";
    Run::new(params, &format!("{lanes}{body}")).grid([8, 1, 1])
}

#[test]
fn lanes_and_programs_with_one_address_all_count() {
    let bins: Vec<i32> = (0..256).map(|at| at * at * 7 % 13 % 10).collect();
    let mut counts = [100; 10];
    bins.iter().for_each(|bin| counts[*bin as usize] += 1);
    for (world, deal) in PLACES {
        let run = programs("x, n", "tl.atomic_add(n + tl.load(x + i), 1)").on(world, deal);
        run.i32s("x", &bins).i32s("n", &[100; 10]).gives("n", i32s(&counts)).holds();
    }
}

#[test]
fn every_program_finds_another_number() {
    // A ticket for each of 256 lanes: whoever finds number t counts it, so each is counted once.
    let body = "t = tl.atomic_add(n + i * 0, 1)\ntl.atomic_add(seen + t, 1)";
    for (world, deal) in PLACES {
        let run = programs("n, seen", body).on(world, deal);
        let run = run.i32s("n", &[0]).i32s("seen", &[0; 256]);
        run.gives("n", i32s(&[256])).gives("seen", i32s(&[1; 256])).holds();
    }
}

#[test]
fn lanes_with_one_address_go_in_order() {
    let old = |op: &str, start: [i32; 2], left: [i32; 2], found: [i32; 8]| {
        let body = format!("i = tl.arange(0, 8)\nv = i + 1\nold = {op}\ntl.store(y + i, old)");
        let run = Run::new("x, y", &body).i32s("x", &start).i32s("y", &[-1; 8]);
        run.gives("x", i32s(&left)).gives("y", i32s(&found)).holds();
    };
    // Lanes 0 to 5 are at element 0, lanes 6 and 7 at element 1.
    let at = "x + i // 6";
    old(&format!("tl.atomic_add({at}, v)"), [10, 20], [31, 35], [10, 11, 13, 16, 20, 25, 20, 27]);
    old(&format!("tl.atomic_xchg({at}, v)"), [10, 20], [6, 8], [10, 1, 2, 3, 4, 5, 20, 7]);
    old(&format!("tl.atomic_max({at}, v)"), [3, 7], [6, 8], [3, 3, 3, 3, 4, 5, 7, 7]);
    old(&format!("tl.atomic_min({at}, v)"), [3, 9], [1, 7], [3, 1, 1, 1, 1, 1, 9, 7]);
    // The first lane that finds 2 makes it 3; then the others find 3.
    old(&format!("tl.atomic_cas({at}, 2, v)"), [2, 5], [1, 5], [2, 1, 1, 1, 1, 1, 5, 5]);
    old(&format!("tl.atomic_cas({at}, v - 1, v)"), [0, 7], [6, 8], [0, 1, 2, 3, 4, 5, 7, 7]);
    // Masked-off lanes do nothing.
    let masked = format!("tl.where(i < 3, tl.atomic_add({at}, v, mask=i < 3), 0)");
    old(&masked, [10, 20], [16, 20], [10, 11, 13, 0, 0, 0, 0, 0]);
    old(&format!("tl.atomic_add({at}, v, i > 9) * 0 - 5"), [1, 2], [1, 2], [-5; 8]);
}

#[test]
fn element_types_compute_as_themselves() {
    let i = "i = tl.arange(0, 4)\n";
    let run = |body: &str, x, left| {
        Run::new("x", &format!("{i}{body}")).tensor("x", x).gives("x", left).holds();
    };
    let f16 = f16s(&[2048.0, 0.5, -1.0, 1.0]);
    run("tl.atomic_add(x + i, 1.0)", f16, f16s(&[2048.0, 1.5, 0.0, 2.0]));
    let f64 = f64s(&[0.1, 1e300, -2.5, 0.0]);
    let sums = f64s(&[0.1 + 0.2, 1e300, -2.5 + 0.2, 0.2]);
    run("tl.atomic_add(x + i, tl.full((4,), 0.2, tl.float64))", f64, sums);
    let f32 = f32s(&[-0.5, 3.0, f32::NEG_INFINITY, 1.0]);
    run("tl.atomic_max(x + i, i.to(tl.float32) - 2)", f32, f32s(&[-0.5, 3.0, 0.0, 1.0]));
    let f32 = f32s(&[-0.5, 3.0, f32::INFINITY, 1.0]);
    run("tl.atomic_min(x + i, -1.5)", f32, f32s(&[-1.5; 4]));
    // The largest unsigned number is not -1.
    let big = u32s(&[u32::MAX, 1, 2, 3]);
    run("tl.atomic_max(x + i, 2)", big.clone(), u32s(&[u32::MAX, 2, 2, 3]));
    run("tl.atomic_min(x + i, 2)", big, u32s(&[2, 1, 2, 2]));
    let wide = i64s(&[1 << 40, -1, 0, 7]);
    run("tl.atomic_xor(x + i, 3)", wide.clone(), i64s(&[(1 << 40) ^ 3, -1 ^ 3, 3, 4]));
    run("tl.atomic_and(x + i, 6)", wide.clone(), i64s(&[0, 6, 0, 6]));
    run("tl.atomic_or(x + i, 8)", wide.clone(), i64s(&[(1 << 40) | 8, -1, 8, 15]));
    run("tl.atomic_xchg(x + i, i)", wide.clone(), i64s(&[0, 1, 2, 3]));
    let expected = i64s(&[1 << 40, 5, 5, 7]);
    run("tl.atomic_cas(x + i, tl.where(i < 2, -1, 0), 5)", wide, expected);
}

#[test]
fn atomics_of_one_element_and_of_matrices() {
    let body = "tl.atomic_add(total, tl.sum(tl.load(x + i)))\n\
                tl.atomic_max(total + 1, tl.max(tl.load(x + i)))\n\
                r = tl.arange(0, 4)[:, None]\nc = tl.arange(0, 8)[None, :]\n\
                tl.atomic_add(m + r * 8 + c, r * 10 + c, mask=c < 7, sem='relaxed', scope='sys')";
    let x: Vec<i32> = (0..256).map(|at| (at * 37) % 101).collect();
    let totals = [x.iter().sum(), *x.iter().max().unwrap()];
    let matrix: Vec<i32> =
        (0..32).map(|at| if at % 8 < 7 { 8 * (at / 8 * 10 + at % 8) } else { 0 }).collect();
    for (world, deal) in PLACES {
        let run = programs("x, total, m", body).on(world, deal).i32s("x", &x);
        let run = run.i32s("total", &[0, -1]).i32s("m", &[0; 32]);
        run.gives("total", i32s(&totals)).gives("m", i32s(&matrix)).holds();
    }
}

#[test]
fn descriptors_change_blocks() {
    // Blocks of 4 × 8 of an array of 6 × 20 at (4, 15): two rows and five columns lie in it.
    let make = "d = tl.make_tensor_descriptor(x, [6, 20], [20, 1], [4, 8])\n\
                v = tl.arange(0, 4)[:, None] * 8 + tl.arange(0, 8)[None, :]\n";
    let x: Vec<i32> = (0..120).map(|at| at * 5 % 17).collect();
    let ops: [(&str, Combine); 6] = [
        ("atomic_add", |x, y| x + y),
        ("atomic_max", i32::max),
        ("atomic_min", i32::min),
        ("atomic_and", |x, y| x & y),
        ("atomic_or", |x, y| x | y),
        ("atomic_xor", |x, y| x ^ y),
    ];
    for (name, op) in ops {
        let mut left = x.clone();
        for (i, j) in (0..2).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let at = (4 + i) * 20 + 15 + j;
            left[at] = op(left[at], (i * 8 + j) as i32);
        }
        let run = Run::new("x", &format!("{make}d.{name}([4, 15], v)"));
        run.i32s("x", &x).gives("x", i32s(&left)).holds();
    }
}

#[test]
fn atomics_are_never_merged_moved_or_dropped() {
    // The same twice, in a loop that changes nothing else, without a look at what they give.
    let body = "for j in range(0, n):\n    tl.atomic_add(x, 1)\n    tl.atomic_add(x, 1)\n\
                a = tl.atomic_add(x + 1, 3)\nb = tl.atomic_add(x + 1, 3)\n\
                tl.store(y, a * 100 + b)\nif n > 4:\n    tl.atomic_xchg(x + 2, 9)";
    let run = Run::new("x, y, n", body).i32s("x", &[0, 4, 0]).i32s("y", &[0]).int("n", 5);
    run.gives("x", i32s(&[10, 10, 9])).gives("y", i32s(&[407])).holds();
}

#[test]
fn float_sums_are_the_same_each_time_and_on_any_pes() {
    // Powers of two, so that no order rounds.
    let x: Vec<f32> = (0..256).map(|at| 2_f32.powi(at % 11 - 5)).collect();
    let sum: f32 = x.iter().sum();
    for (world, deal) in PLACES {
        let run = programs("x, y", "tl.atomic_add(y + i * 0, tl.load(x + i))").on(world, deal);
        run.f32s("x", &x).f32s("y", &[0.0]).gives("y", f32s(&[sum])).holds();
    }
    // Thirds round, and still the sum is within the bound of any order.
    let run = programs("x, y", "tl.atomic_add(y + i * 0, tl.load(x + i) / 3)").on(8, Deal::Cyclic);
    run.f32s("x", &x).f32s("y", &[0.0]).gives("y", f32s(&[sum / 3.0])).about().holds();
}

#[test]
fn a_plain_access_beside_atomics_is_a_race() {
    let race = |body: &str| {
        let run = Run::new("x, y", body).grid([2, 1, 1]).on(2, Deal::Block);
        run.i32s("x", &[0; 4]).i32s("y", &[0; 4]).run()
    };
    let own = "p = tl.program_id(0)\n";
    let agree = race(&format!("{own}tl.atomic_add(x, 1)\ntl.store(y + p, 1)"));
    assert!(agree.codes.is_empty(), "{}", agree.text);
    let apart = race(&format!("{own}tl.atomic_add(x + p, 1)\ntl.store(x + 2 + p, 1)"));
    assert!(apart.codes.is_empty(), "{}", apart.text);
    for body in [
        "if p == 0:\n    tl.atomic_add(x, 1)\nelse:\n    tl.store(x, 5)",
        "if p == 0:\n    tl.atomic_add(x, 1)\nelse:\n    tl.store(y, tl.load(x))",
    ] {
        let said = race(&format!("{own}{body}"));
        assert!(said.text.contains("in no fixed order"), "{body}\n{}", said.text);
    }
}

#[test]
fn what_atomics_do_not_take_is_said() {
    let i32s_of = |body: &str| Run::new("x, n", body).i32s("x", &[0; 16]).int("n", 3);
    let f16s_of = |body: &str| Run::new("x", body).tensor("x", f16s(&[0.0; 16]));
    let f32s_of = |body: &str| Run::new("x", body).f32s("x", &[0.0; 16]);
    f16s_of("tl.atomic_max(x, 1.0)").refused("K0345");
    f16s_of("tl.atomic_xchg(x, 1.0)").refused("K0345");
    f32s_of("tl.atomic_and(x, 1)").refused("K0345");
    let bytes = on_data::tensor(kbc::dtype::DType::I8, &[16], vec![0; 16]);
    Run::new("x", "tl.atomic_add(x, 1)").tensor("x", bytes.clone()).refused("K0345");
    Run::new("x", "tl.atomic_cas(x, 0, 1)").tensor("x", bytes).refused("K0345");
    i32s_of("tl.atomic_add(x, 1, sem='relax')").refused("K0346");
    i32s_of("tl.atomic_add(x, 1, scope='world')").refused("K0346");
    i32s_of("tl.atomic_add(n, 1)").refused("K0320");
    i32s_of("tl.atomic_add(x, tl.arange(0, 16))").refused("K0352");
    i32s_of("tl.atomic_add(x + tl.arange(0, 16), 1, mask=tl.arange(0, 16))").refused("K0350");
    let spin = "while tl.atomic_cas(x, 0, 1) == 1:\n    pass";
    i32s_of(spin).refused("K0550");
    let text = "def k(x_ptr, n, tl):\n    tl.atomic_add(x_ptr, 1)\n";
    let said = Run::text(text).i32s("x_ptr", &[0; 16]).int("n", 3).refused("K0320");
    assert!(said.contains("`@triton.jit`"), "{said}");
    i32s_of("tl.atomic_poll(x, 1)").refused("K0209");
    i32s_of("tl.atomic_add(x + 16 + tl.arange(0, 2), 1)").refused("K0732");
}
