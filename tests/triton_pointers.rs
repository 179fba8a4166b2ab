//! Casts of pointers, and what loads and stores accept and leave out.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod on_data;

use kbc::dtype::DType;
use on_data::{Run, f32s, i32s, i64s, tensor};

#[test]
fn an_array_is_read_as_its_bytes() {
    let x: Vec<i32> = (0..16).map(|at| at * 0x0102_0304 - 7).collect();
    let bytes: Vec<u8> = x.iter().flat_map(|it| it.to_le_bytes()).collect();
    for view in ["x.to(tl.pointer_type(tl.int8))", "tl.cast(x, tl.pointer_type(tl.int8))"] {
        let body = format!("i = tl.arange(0, 64)\ntl.store(y + i, tl.load({view} + i))");
        let run = Run::new("x, y", &body).i32s("x", &x);
        let run = run.tensor("y", tensor(DType::I8, &[64], vec![0; 64]));
        run.gives("y", tensor(DType::I8, &[64], bytes.clone())).holds();
    }
    // A tile of pointers: byte 2 of each number.
    let body = "i = tl.arange(0, 16)\nb = (x + i).to(tl.pointer_type(tl.uint8)) + 2\n\
                tl.store(y + i, tl.load(b))";
    let third = bytes.iter().skip(2).step_by(4).copied().collect();
    let run = Run::new("x, y", body).i32s("x", &x);
    let run = run.tensor("y", tensor(DType::U8, &[16], vec![0; 16]));
    run.gives("y", tensor(DType::U8, &[16], third)).holds();
}

#[test]
fn an_array_is_written_as_wider_elements() {
    // Each f32 is written to the bytes of two i16.
    let body = "i = tl.arange(0, 8)\nw = x.to(tl.pointer_type(tl.float32))\n\
                tl.store(w + i, i.to(tl.float32) / 4)";
    let bytes: Vec<u8> = (0..8).flat_map(|at| (at as f32 / 4.0).to_le_bytes()).collect();
    let run = Run::new("x", body).tensor("x", tensor(DType::I16, &[16], vec![0; 32]));
    run.gives("x", tensor(DType::I16, &[16], bytes)).holds();
}

#[test]
fn addresses_count_bytes_and_become_pointers_again() {
    let body = "a = x.to(tl.int64)\ntl.store(y, (x + 5).to(tl.int64) - a)\n\
                i = tl.arange(0, 4)\ntl.store(y + 1 + i, (x + i * 2).to(tl.int64) - a)\n\
                p = (a + 12).to(tl.pointer_type(tl.int32))\n\
                tl.store(y + 5, tl.load(p).to(tl.int64))\n\
                tl.store(y + 6, a % 4)";
    let run = Run::new("x, y", body).i32s("x", &[10, 11, 12, 13, 14]);
    let run = run.tensor("y", i64s(&[-1; 7]));
    run.gives("y", i64s(&[20, 0, 8, 16, 24, 13, 0])).holds();
}

#[test]
fn pointers_say_what_they_point_at() {
    let body = "tl.static_assert(x.dtype.element_ty == tl.float32)\n\
                b = x.to(tl.pointer_type(tl.int32))\n\
                tl.static_assert(b.dtype.element_ty == tl.int32)\n\
                tl.static_assert(tl.pointer_type(tl.int8).element_ty == tl.int8)\n\
                i = tl.arange(0, 4)[:, None]\ntl.static_assert((x + i).shape[1] == 1)\n\
                tl.store(b + i, tl.load(b + i) ^ 1)";
    let x = [1.0_f32, -2.5, 0.0, 3e7];
    let changed = x.map(|it| f32::from_bits(it.to_bits() ^ 1));
    Run::new("x", body).f32s("x", &x).gives("x", f32s(&changed)).holds();
}

#[test]
fn hints_of_loads_and_stores_change_nothing() {
    let body = "i = tl.arange(0, 16)\n\
                v = tl.load(x + i, cache_modifier='.ca', eviction_policy='evict_last', volatile=True)\n\
                i = tl.max_contiguous(tl.multiple_of(i, 16), 16)\ntl.assume(n > 0)\n\
                tl.store(y + i, v, cache_modifier='.cs', eviction_policy='evict_first')";
    let x: Vec<i32> = (0..16).collect();
    let run = Run::new("x, y, n", body).i32s("x", &x).i32s("y", &[0; 16]).int("n", 4);
    run.gives("y", i32s(&x)).holds();
}

#[test]
fn what_is_no_address_is_said() {
    let of = |body: &str| Run::new("x, n", body).i32s("x", &[0; 16]).int("n", 4);
    of("tl.store(x, x.to(tl.int32))").refused("K0347");
    of("tl.store(x, x.to(tl.float32))").refused("K0347");
    of("p = tl.load(x).to(tl.pointer_type(tl.int32))\ntl.store(p, 1)").refused("K0347");
    of("p = tl.arange(0, 4).to(tl.pointer_type(tl.int32))\ntl.store(p, 1)").refused("K0347");
    of("i = tl.arange(0, 4)\np = (x + i).to(tl.pointer_type(tl.int64))\ntl.store(p, 1)")
        .refused("K0347");
    of("tl.store(x, 1.5 * x)").refused("K0318");
}
