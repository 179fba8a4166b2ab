//! `materialise`: what must lie row by row is laid out.

use crate::support::{check_pass, check_unchanged};

#[test]
fn materialise_lays_out_what_must_lie_row_by_row() {
    check_pass(
        "materialise",
        r#"
kernel @k(%p: i64) {
  %0 = const 0 : i64
  %1 = const 4 : i64
  %t = load %p : tile<4x8xf16>
  %u = transpose %t [1, 0] : tile<8x4xf16>
  store %p, %u
  send "E", %u
  %v = reshape %u : tile<32xf16>
  %w = reshape %v : tile<2x16xf16>
  store %p, %w
  %b = broadcast %t : tile<2x4x8xf16>
  %d = for %i = %0 to %1 step %1 carry (%x: tile<2x4x8xf16> = %b) {
    yield %x
  }
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %0 = const 0 : i64
  %1 = const 4 : i64
  %t = load %p : tile<4x8xf16>
  %u = transpose %t [1, 0] : tile<8x4xf16>
  %u.1 = copy %u : tile<8x4xf16>
  store %p, %u.1
  send "E", %u.1
  %v = reshape %u.1 : tile<32xf16>
  %w = reshape %v : tile<2x16xf16>
  store %p, %w
  %b = broadcast %t : tile<2x4x8xf16>
  %b.1 = copy %b : tile<2x4x8xf16>
  %d = for %i = %0 to %1 step %1 carry (%x: tile<2x4x8xf16> = %b.1) {
    yield %x
  }
  return
}
"#,
    );
}

#[test]
fn materialise_leaves_views_that_are_only_read_or_lie_in_order() {
    check_unchanged(
        "materialise",
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<4x8xf16>
  %u = transpose %t [1, 0] : tile<8x4xf16>
  %a = add %u, %u : tile<8x4xf16>
  %b = dot %u, %t : tile<8x8xf16>
  %c = sum %u axis 0 : tile<4xf16>
  %d = expand_dims %c axis 0 : tile<1x4xf16>
  store %p, %d
  %e = transpose %d [1, 0] : tile<4x1xf16>
  send "E", %e
  %f = recv "W" dst %a : tile<8x4xf16>
  store %p, %f
  return
}
"#,
    );
}

#[test]
fn materialise_gives_recv_a_tile_of_its_own() {
    // `t` is read after it has been received into; `s` is in a slot.
    check_pass(
        "materialise",
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<4xf16>
  %a = recv "W" dst %t : tile<4xf16>
  %b = add %t, %a : tile<4xf16>
  store %p, %b
  %s = recv "W" : tile<4xf16>
  %c = recv "E" dst %s : tile<4xf16>
  store %p, %c
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<4xf16>
  %t.1 = copy %t : tile<4xf16>
  %a = recv "W" dst %t.1 : tile<4xf16>
  %b = add %t, %a : tile<4xf16>
  store %p, %b
  %s = recv "W" : tile<4xf16>
  %s.1 = copy %s : tile<4xf16>
  %c = recv "E" dst %s.1 : tile<4xf16>
  store %p, %c
  return
}
"#,
    );
}
