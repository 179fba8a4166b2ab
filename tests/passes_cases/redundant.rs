//! What is computed twice or for nobody goes: `cse` and `dce`.

use crate::support::{check_pass, check_unchanged};

#[test]
fn dce_keeps_atomics_without_what_nobody_asks_for() {
    check_pass(
        "dce",
        r#"
kernel @k(%p: i64) {
  %t = arange 0 : tile<4xi32>
  %a = atomic_add %p, %t : tile<4xi32>
  %b = atomic_add %p, %t : tile<4xi32>
  store %p, %b
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %t = arange 0 : tile<4xi32>
  atomic_add %p, %t
  %b = atomic_add %p, %t : tile<4xi32>
  store %p, %b
  return
}
"#,
    );
}

#[test]
fn cse_merges_what_is_computed_twice() {
    check_pass(
        "cse",
        r#"
kernel @k(%p: i64, %c: i1) {
  %two = const 2 : i64
  %itemsize = const 2 : i64
  %0 = const 2 : i64
  %1 = const 2 : i64
  %a = mul %p, %two : i64
  %b = mul %p, %itemsize : i64
  %d = add %a, %b : i64
  if %c {
    %e = mul %p, %1 : i64
    %f = add %e, %p : i64
    %t = load %f : tile<4xf16>
    %u = neg %t : tile<4xf16>
    %v = neg %t : tile<4xf16>
    %w = add %u, %v : tile<4xf16>
    yield
  } else {
    %g = add %a, %p : i64
    yield
  }
  return
}
"#,
        r#"
kernel @k(%p: i64, %c: i1) {
  %two = const 2 : i64
  %itemsize = const 2 : i64
  %0 = const 2 : i64
  %a = mul %p, %two : i64
  %d = add %a, %a : i64
  if %c {
    %f = add %a, %p : i64
    %t = load %f : tile<4xf16>
    %u = neg %t : tile<4xf16>
    %w = add %u, %u : tile<4xf16>
    yield
  } else {
    %g = add %a, %p : i64
    yield
  }
  return
}
"#,
    );
}

#[test]
fn cse_keeps_effects_and_different_bits_apart() {
    check_unchanged(
        "cse",
        r#"
kernel @k(%p: i64) {
  %a = load %p : tile<4xf16>
  %b = load %p : tile<4xf16>
  %c = recv "W" : tile<4xf16>
  %d = recv "W" : tile<4xf16>
  %0 = const 0.0 : f16
  %1 = const -0.0 : f16
  %2 = const 1 : i32
  %3 = const 1 : i64
  %e = full %0 : tile<4xf16>
  %f = full %1 : tile<4xf16>
  %g = sub %a, %b : tile<4xf16>
  %h = sub %b, %a : tile<4xf16>
  return
}
"#,
    );
}

#[test]
fn dce_drops_what_nothing_needs() {
    check_pass(
        "dce",
        r#"
kernel @k(%p: i64, %n: i64, %c: i1) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %2 = const 2 : i64
  %t = load %p : tile<4xf16>
  %u = neg %t : tile<4xf16>
  %a, %b = for %i = %0 to %n step %1 carry (%x: i64 = %0, %y: i64 = %1) {
    %x.1 = add %x, %i : i64
    %y.1 = add %y, %x : i64
    yield %x.1, %y.1
  }
  %d, %e = if %c -> (i64, i64) {
    yield %0, %a
  } else {
    yield %2, %p
  }
  store %e, %t
  %f = for %j = %0 to %n step %1 carry (%z: i64 = %0) {
    %z.1 = add %z, %d : i64
    yield %z.1
  }
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64, %c: i1) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %t = load %p : tile<4xf16>
  %a = for %i = %0 to %n step %1 carry (%x: i64 = %0) {
    %x.1 = add %x, %i : i64
    yield %x.1
  }
  %e = if %c -> (i64) {
    yield %a
  } else {
    yield %p
  }
  store %e, %t
  return
}
"#,
    );
}

#[test]
fn dce_keeps_effects_and_what_decides_them() {
    check_unchanged(
        "dce",
        r#"
kernel @k(%p: i64, %n: i64, %c: i1) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %t = load %p : tile<4xf16>
  %f = recv_async "W" : future<4xf16>
  %a = while carry (%x: i64 = %0) {
    %more = lt %x, %n : i1
    condition %more, %x
  } do (%y: i64) {
    if %c {
      %r = recv "E" : tile<4xf16>
      yield
    } else {
      yield
    }
    %z = add %y, %1 : i64
    yield %z
  }
  return
}
"#,
    );
}
