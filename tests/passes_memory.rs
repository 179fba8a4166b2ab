//! Where tiles lie and when slots are given back: `release` and `allocate` on text IR.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::ir::Limits;
use support::{
    after_pass, after_pass_within, check_pass, check_unchanged, limits, ran, ran_within,
};

#[test]
fn release_follows_the_last_use() {
    check_pass(
        "release",
        r#"
kernel @k(%p: i64) {
  %a = recv "W" : tile<4xf16>
  %b = recv "W" : tile<4xf16>
  %c = add %a, %b : tile<4xf16>
  send "E", %a
  store %p, %c
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %a = recv "W" : tile<4xf16>
  %b = recv "W" : tile<4xf16>
  %c = add %a, %b : tile<4xf16>
  release %b
  send "E", %a
  release %a
  store %p, %c
  return
}
"#,
    );
}

#[test]
fn release_gives_back_what_nothing_uses() {
    check_pass(
        "release",
        r#"
kernel @k(%p: i64) {
  %a = recv "W" : tile<4xf16>
  %f = recv_async "N" : future<4xf16>
  %g = recv_async "S" : future<4xf16>
  %b = wait %g : tile<4xf16>
  store %p, %b
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %a = recv "W" : tile<4xf16>
  release %a
  %f = recv_async "N" : future<4xf16>
  release %f
  %g = recv_async "S" : future<4xf16>
  %b = wait %g : tile<4xf16>
  store %p, %b
  release %b
  return
}
"#,
    );
}

#[test]
fn release_follows_a_tile_around_a_loop() {
    // A ring: what arrives is added, sent on in the next round, and then done with.
    check_pass(
        "release",
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %acc = load %p : tile<4xf16>
  %sum, %last = for %i = %0 to %n step %1 carry (%acc.1: tile<4xf16> = %acc, %cur: tile<4xf16> = %acc) {
    send "E", %cur
    %got = recv "W" : tile<4xf16>
    %acc.2 = add %acc.1, %got : tile<4xf16>
    yield %acc.2, %got
  }
  store %p, %sum
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %acc = load %p : tile<4xf16>
  %sum, %last = for %i = %0 to %n step %1 carry (%acc.1: tile<4xf16> = %acc, %cur: tile<4xf16> = %acc) {
    send "E", %cur
    release %cur
    %got = recv "W" : tile<4xf16>
    %acc.2 = add %acc.1, %got : tile<4xf16>
    yield %acc.2, %got
  }
  release %last
  store %p, %sum
  return
}
"#,
    );
}

#[test]
fn release_waits_for_the_loop_that_reads_from_outside() {
    check_pass(
        "release",
        r#"
kernel @k(%n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %before = recv "W" : tile<4xf16>
  send "E", %before
  %inside = recv "W" : tile<4xf16>
  for %i = %0 to %n step %1 {
    send "E", %inside
    yield
  }
  return
}
"#,
        r#"
kernel @k(%n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %before = recv "W" : tile<4xf16>
  send "E", %before
  release %before
  %inside = recv "W" : tile<4xf16>
  for %i = %0 to %n step %1 {
    send "E", %inside
    yield
  }
  release %inside
  return
}
"#,
    );
}

#[test]
fn release_stands_on_both_sides_of_a_branch() {
    check_pass(
        "release",
        r#"
kernel @k(%p: i64, %c: i1) {
  %a = recv "W" : tile<4xf16>
  %b = recv "W" : tile<4xf16>
  %d = if %c -> (tile<4xf16>) {
    send "E", %a
    %e = recv "W" : tile<4xf16>
    yield %b
  } else {
    yield %a
  }
  store %p, %d
  return
}
"#,
        r#"
kernel @k(%p: i64, %c: i1) {
  %a = recv "W" : tile<4xf16>
  %b = recv "W" : tile<4xf16>
  %d = if %c -> (tile<4xf16>) {
    send "E", %a
    release %a
    %e = recv "W" : tile<4xf16>
    release %e
    yield %b
  } else {
    release %b
    yield %a
  }
  store %p, %d
  release %d
  return
}
"#,
    );
}

#[test]
fn release_lets_a_view_end_what_it_views() {
    check_pass(
        "release",
        r#"
kernel @k(%p: i64) {
  %a = recv "W" : tile<4x4xf16>
  %b = transpose %a [1, 0] : tile<4x4xf16>
  %c = add %b, %b : tile<4x4xf16>
  store %p, %c
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %a = recv "W" : tile<4x4xf16>
  %b = transpose %a [1, 0] : tile<4x4xf16>
  %c = add %b, %b : tile<4x4xf16>
  release %b
  store %p, %c
  return
}
"#,
    );
}

#[test]
fn release_leaves_what_is_in_no_slot() {
    check_unchanged(
        "release",
        r#"
kernel @k(%p: i64) {
  %a = load %p : tile<4xf16>
  %b = recv "W" dst %a : tile<4xf16>
  send "E", %b
  return
}
"#,
    );
}

/// The buffers of the kernel `ops`, as `allocate` lists them.
fn buffers(ops: &str) -> String {
    buffers_within(57344, ops)
}

/// The same, where `bytes` of TCM are left for tiles.
fn buffers_within(bytes: u64, ops: &str) -> String {
    let limits = Limits { tcm_bytes: bytes, ..limits() };
    let text = format!(
        "kernel @k(%p: i64, %n: i64, %c: i1) {{\n  %0 = const 0 : i64\n  %1 = const 1 : i64\n{ops}\n  return\n}}\n"
    );
    let text = after_pass_within(&limits, "allocate", &text, &[]).unwrap();
    text.lines()
        .filter(|line| line.contains("buffer"))
        .map(str::trim)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn tiles_of_different_lives_share_their_place() {
    let found = buffers_within(
        256,
        "  %a = load %p : tile<32xf16>\n  %b = neg %a : tile<32xf16>\n  %d = cast %b : tile<32xf32>\n  %e = neg %d : tile<32xf32>\n  store %p, %e",
    );
    // `a` is read while `b` is written; the 64 bytes of `a` are too few for `d`, and when `e` is
    // made `a` and `b` are dead.
    let expected = "\
buffer buf0 at 0 bytes 64 copies 1
buffer buf1 at 64 bytes 64 copies 1
buffer buf2 at 128 bytes 128 copies 1
buffer buf3 at 0 bytes 128 copies 1";
    assert_eq!(found, expected);
}

#[test]
fn tiles_lie_apart_where_there_is_room() {
    let found = buffers(
        "  %a = load %p : tile<32xf16>\n  %b = neg %a : tile<32xf16>\n  %d = neg %b : tile<32xf16>\n  store %p, %d",
    );
    assert_eq!(
        found,
        "buffer buf0 at 0 bytes 64 copies 1\nbuffer buf1 at 64 bytes 64 copies 1\nbuffer buf2 at 128 bytes 64 copies 1"
    );
}

#[test]
fn sizes_round_up_to_the_alignment() {
    let found = buffers(
        "  %a = load %p : tile<1xf16>\n  %b = load %p : tile<33xf16>\n  send \"E\", %a\n  send \"E\", %b",
    );
    assert_eq!(found, "buffer buf0 at 0 bytes 64 copies 1\nbuffer buf1 at 64 bytes 128 copies 1");
}

#[test]
fn an_accumulator_is_overwritten_in_place() {
    let found = buffers(
        "  %a = load %p : tile<32xf16>\n  %s = for %i = %0 to %n step %1 carry (%x: tile<32xf16> = %a) {\n    %y = add %x, %x : tile<32xf16>\n    yield %y\n  }\n  store %p, %s",
    );
    assert!(found.contains("buf1 at 64 bytes 64 copies 1"), "{found}");
}

#[test]
fn a_product_accumulates_in_place() {
    let found = buffers(
        "  %a = load %p : tile<4x4xf16>\n  %z = const 0.0 : f32\n  %acc = full %z : tile<4x4xf32>\n  %s = for %i = %0 to %n step %1 carry (%x: tile<4x4xf32> = %acc) {\n    %y = dot %a, %a, %x : tile<4x4xf32>\n    yield %y\n  }\n  store %p, %s",
    );
    assert!(found.contains("buf2 at 128 bytes 64 copies 1"), "{found}");
}

#[test]
fn a_tile_that_outlives_its_successors_making_needs_copies() {
    // `x` is still sent after `y` is made: two copies. Fibonacci needs two: the older is
    // overwritten. A tile two rounds old needs three.
    let after = "  %a = load %p : tile<32xf16>\n  %s = for %i = %0 to %n step %1 carry (%x: tile<32xf16> = %a) {\n    %y = neg %x : tile<32xf16>\n    send \"E\", %x\n    yield %y\n  }";
    assert!(buffers(after).contains("buf1 at 64 bytes 64 copies 2"), "{}", buffers(after));
    let fibonacci = "  %a = load %p : tile<32xf16>\n  %s, %t = for %i = %0 to %n step %1 carry (%x: tile<32xf16> = %a, %y: tile<32xf16> = %a) {\n    %z = add %x, %y : tile<32xf16>\n    yield %y, %z\n  }\n  send \"E\", %t";
    assert!(buffers(fibonacci).contains("buf1 at 64 bytes 64 copies 2"), "{}", buffers(fibonacci));
    let older = "  %a = load %p : tile<32xf16>\n  %s, %t = for %i = %0 to %n step %1 carry (%x: tile<32xf16> = %a, %y: tile<32xf16> = %a) {\n    %z = load %p : tile<32xf16>\n    send \"E\", %x\n    yield %y, %z\n  }";
    assert!(buffers(older).contains("buf1 at 64 bytes 64 copies 3"), "{}", buffers(older));
}

#[test]
fn a_transposed_operand_is_not_overwritten() {
    let found = buffers(
        "  %a = load %p : tile<4x4xf16>\n  %s = for %i = %0 to %n step %1 carry (%x: tile<4x4xf16> = %a) {\n    %t = transpose %x [1, 0] : tile<4x4xf16>\n    %y = neg %t : tile<4x4xf16>\n    yield %y\n  }\n  store %p, %s",
    );
    assert!(found.contains("buf1 at 64 bytes 64 copies 2"), "{found}");
}

#[test]
fn what_one_side_of_a_branch_needs_is_free_on_the_other() {
    let found = buffers_within(
        128,
        "  %a = load %p : tile<32xf16>\n  if %c {\n    %b = neg %a : tile<32xf16>\n    send \"E\", %b\n    yield\n  } else {\n    %d = neg %a : tile<32xf16>\n    send \"E\", %d\n    yield\n  }",
    );
    assert!(found.contains("buf1 at 64") && found.contains("buf2 at 64"), "{found}");
}

#[test]
fn views_and_what_is_carried_have_no_bytes_of_their_own() {
    let text = r#"
kernel @k(%p: i64) {
  %a = load %p : tile<4x4xf16>
  %b = transpose %a [1, 0] : tile<4x4xf16>
  %c = recv "W" : tile<4x4xf16>
  %d = recv "W" dst %a : tile<4x4xf16>
  %f = recv_async "N" : future<4x4xf16>
  %e = wait %f : tile<4x4xf16>
  return
}
"#;
    let found = after_pass("allocate", text, &[]).unwrap();
    for (name, storage) in
        [("a", "buf0"), ("b", "alias"), ("c", "slot"), ("d", "alias"), ("f", "slot"), ("e", "slot")]
    {
        let line =
            found.lines().find(|line| line.trim().starts_with(&format!("%{name} ="))).unwrap();
        assert!(line.ends_with(&format!(" in {storage}")), "{line}");
    }
}

/// A TCM of 1,024 bytes, of which 256 are reserved and 256 receive slots.
fn small() -> Limits {
    Limits { tcm_bytes: 512, tcm_total: 1024, tcm_reserved: 256, unrolled_ops: 100, ..limits() }
}

#[test]
fn tiles_that_do_not_fit_are_refused_with_the_arithmetic() {
    let text = r#"
kernel @k(%p: i64) {
  %a = load %p : tile<64xf16>
  %b = load %p : tile<96xf16>
  %c = load %p : tile<128xf16>
  %d = neg %a : tile<64xf16>
  store %p, %b
  store %p, %c
  store %p, %d
  return
}
"#;
    let ran = ran_within(text, &support::bindings(&[("p", 0)]), &small());
    insta::assert_snapshot!(ran.errors(), @"
    error[K0501]: the tiles of kernel `k` do not fit into TCM: 704 bytes are live at once, and 512 are left for tiles
      ┌─ test.kir:6:3
      │
    3 │   %a = load %p : tile<64xf16>
      │   --------------------------- tile `a` takes 128 B, live until `neg`
    4 │   %b = load %p : tile<96xf16>
      │   --------------------------- tile `b` takes 192 B, live until `store`
    5 │   %c = load %p : tile<128xf16>
      │   ---------------------------- tile `c` takes 256 B, live until `store`
    6 │   %d = neg %a : tile<64xf16>
      │   ^^^^^^^^^^^^^^^^^^^^^^^^^^
      │   │
      │   704 bytes of tiles are live here
      │   tile `d` takes 128 B, live until `store`
      │
      = note: TCM: tile `c` 256 B + tile `b` 192 B + tile `a` 128 B + tile `d` 128 B + receive slots 256 B + the scheduler's share 256 B = 1,216 B > 1,024 B
    ");
}

#[test]
fn where_gaps_are_too_small_the_largest_tiles_are_placed_first() {
    // In order of birth: a at 0, b at 192; then a is dead, and c does not fit below b.
    let text = "kernel @k(%p: i64) {\n  %a = load %p : tile<96xf16>\n  %b = load %p : tile<96xf16>\n  store %p, %a\n  %c = load %p : tile<128xf16>\n  store %p, %b\n  store %p, %c\n  return\n}\n";
    let ran = ran_within(text, &support::bindings(&[("p", 0)]), &small());
    let places: Vec<u64> = ran.function().buffers.values().map(|buffer| buffer.offset).collect();
    assert_eq!(places, [0, 256, 0]);
}

#[test]
fn tiles_that_just_fit_are_taken() {
    let text = "kernel @k(%p: i64) {\n  %a = load %p : tile<128xf16>\n  %b = load %p : tile<128xf16>\n  store %p, %a\n  store %p, %b\n  return\n}\n";
    let ran = ran_within(text, &support::bindings(&[("p", 0)]), &small());
    assert!(ran.result.is_ok(), "{}", ran.errors());
}

#[test]
fn a_tile_beyond_all_memory_is_refused() {
    let text = "kernel @k(%p: i64, %n: i64) {\n  %a = load %p : tile<%n x %n x %n x f64>\n  store %p, %a\n  return\n}\n";
    let ran = ran(text, &[("p", 0), ("n", i64::MAX)]);
    assert!(ran.errors().contains("K0501"), "{}", ran.errors());
}

#[test]
fn what_has_been_lowered_is_lowered_again_to_the_same() {
    let text = r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %id = program_id 0 : i64
  %addr = add %p, %id : i64
  %acc = load %addr : tile<32xf16>
  %sum, %last = for %i = %0 to %n step %1 carry (%acc.1: tile<32xf16> = %acc, %cur: tile<32xf16> = %acc) {
    send "E", %cur
    %got = recv "W" : tile<32xf16>
    %acc.2 = add %acc.1, %got : tile<32xf16>
    yield %acc.2, %got
  }
  store %addr, %sum
  return
}
"#;
    let once = ran(text, &[("p", 64), ("n", 7)]).text();
    assert_eq!(ran(&once, &[]).text(), once);
}

/// The copies of the first buffer of a loop with stages that loads by `load` and computes.
fn copies(load: &str, stages: u32, bytes: u64) -> u32 {
    let text = format!(
        "kernel @k(%p: i64, %n: i64) {{
  %0 = const 0 : i64
  %1 = const 1 : i64
  %9 = const 9 : i64
  %i = load %p : tile<64xi32>
  for %at = %0 to %9 step %1 stages {stages} {{
    %x = {load} : tile<64xf32>
    %y = exp %x : tile<64xf32>
    store %p, %y
    yield
  }}
  store %p, %i
  return
}}
"
    );
    let wide = Limits { tcm_bytes: bytes, ..limits() };
    let ran = ran_within(&text, &support::bindings(&[("p", 4096), ("n", 64)]), &wide);
    let function = ran.function();
    let named = |name: &str| {
        let mut values = function.values.iter();
        let found = values.find(|(_, data)| data.name.as_deref() == Some(name));
        found.and_then(|(_, data)| data.storage).unwrap()
    };
    let kbc::ir::Storage::Buffer(buffer) = named("x") else { panic!("a load has a buffer") };
    function.buffers[buffer].copies
}

#[test]
fn every_kind_of_load_gets_a_copy_a_stage() {
    let loads =
        ["load %at", "dma_read %at desc [4:128, 16:4] elem 4", "gather_load %at offsets %i"];
    for load in loads {
        for stages in 1..6 {
            assert_eq!(copies(load, stages, 1 << 20), stages, "{load}");
        }
        // 256 bytes each: the indices, and what is loaded and computed once for each stage.
        for given in 1..6 {
            let room = 256 + 2 * 256 * u64::from(given);
            assert_eq!(copies(load, 5, room), given, "{load}");
            assert_eq!(copies(load, 5, room + 511), given, "{load}");
        }
    }
}

#[test]
fn inlining_is_bounded() {
    // Twenty-four functions that each call the next twice.
    let mut text = String::from("kernel @k() {\n  call @f0()\n  return\n}\n");
    for level in 0..24 {
        let next = level + 1;
        text +=
            &format!("func @f{level}() {{\n  call @f{next}()\n  call @f{next}()\n  return\n}}\n");
    }
    text += "func @f24() {\n  %a = recv \"W\" : tile<4xf16>\n  return\n}\n";
    let ran = ran(&text, &[]);
    assert!(ran.errors().contains("K0503"), "{}", ran.errors());
}

#[test]
fn nesting_by_calls_is_bounded() {
    let mut text = String::from("kernel @k(%c: i1) {\n  call @f0(%c)\n  return\n}\n");
    for level in 0..200 {
        let next = level + 1;
        text += &format!(
            "func @f{level}(%c: i1) {{\n  if %c {{\n    call @f{next}(%c)\n    yield\n  }} else {{\n    yield\n  }}\n  return\n}}\n"
        );
    }
    text += "func @f200(%c: i1) {\n  return\n}\n";
    let ran = ran(&text, &[("c", 1)]);
    assert!(
        ran.errors().contains("K0503") && ran.errors().contains("deep once calls are inlined"),
        "{}",
        ran.errors()
    );
}

#[test]
fn the_limits_of_the_tests_are_what_the_tests_say() {
    let limits = limits();
    assert_eq!(limits.tcm_total - limits.tcm_reserved - limits.tcm_bytes, 4096);
}
