//! `licm`: what a loop computes anew each time goes before it.

use crate::support::{after_pass, check_pass, check_unchanged};

#[test]
fn licm_moves_from_the_inside_out() {
    check_pass(
        "licm",
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  for %i = %0 to %n step %1 {
    for %j = %0 to %n step %1 {
      %a = mul %n, %n : i64
      %b = add %a, %i : i64
      %c = add %b, %j : i64
      %d = floor_div %c, %n : i64
      %t = load %d : tile<4xf16>
      store %b, %t
      yield
    }
    yield
  }
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %a = mul %n, %n : i64
  for %i = %0 to %n step %1 {
    %b = add %a, %i : i64
    for %j = %0 to %n step %1 {
      %c = add %b, %j : i64
      %d = floor_div %c, %n : i64
      %t = load %d : tile<4xf16>
      store %b, %t
      yield
    }
    yield
  }
  return
}
"#,
    );
}

#[test]
fn licm_moves_out_of_tested_loops_what_cannot_fail() {
    check_pass(
        "licm",
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %x = load %p : tile<4xf16>
  %last = while carry (%i: i64 = %0) {
    %m = add %n, %n : i64
    %c = lt %i, %m : i1
    condition %c, %i
  } do (%j: i64) {
    %y = exp %x : tile<4xf16>
    %w = dma_read %n desc [4:2] elem 2 : tile<4xf16>
    %z = add %y, %w : tile<4xf16>
    send "E", %z
    %next = add %j, %j : i64
    yield %next
  }
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %x = load %p : tile<4xf16>
  %m = add %n, %n : i64
  %y = exp %x : tile<4xf16>
  %last = while carry (%i: i64 = %0) {
    %c = lt %i, %m : i1
    condition %c, %i
  } do (%j: i64) {
    %w = dma_read %n desc [4:2] elem 2 : tile<4xf16>
    %z = add %y, %w : tile<4xf16>
    send "E", %z
    %next = add %j, %j : i64
    yield %next
  }
  return
}
"#,
    );
}

/// A loop around a load of 64 bytes at 4096.
fn with_load(bounds: &str, rest: &str) -> String {
    format!(
        "kernel @k(%p: i64, %n: i64) {{
  %0 = const 0 : i64
  %1 = const 1 : i64
  %2 = const 2 : i64
  %at = const 4096 : i64
  %before = const 4032 : i64
  %into = const 4033 : i64
  %after = const 4160 : i64
  %own = load %p : tile<32xf16>
  for %i = {bounds} step %1 {{
    %x = dma_read %at desc [32:2] elem 2 : tile<32xf16>
    {rest}
    yield
  }}
  return
}}
"
    )
}

#[test]
fn licm_moves_loads_that_nothing_in_the_loop_writes() {
    let moved = [
        "dma_write %before, %x desc [32:2] elem 2",
        "dma_write %after, %x desc [32:2] elem 2",
        "dma_write %after, %x desc [2:64, 16:2] elem 2",
        "%y = add %x, %x : tile<32xf16>",
    ];
    for rest in moved {
        let found = after_pass("licm", &with_load("%0 to %2", rest), &[]).unwrap();
        assert!(found.find("%x = ") < found.find("for %i"), "{found}");
    }
}

#[test]
fn licm_leaves_loads_that_may_change_or_fault() {
    let left = [
        ("%0 to %2", "dma_write %into, %x desc [32:2] elem 2"),
        ("%0 to %2", "dma_write %after, %x desc [2:-64, 16:2] elem 2"),
        ("%0 to %2", "dma_write %p, %x desc [32:2] elem 2"),
        ("%0 to %2", "scatter_store %after, %x"),
        ("%0 to %2", "send \"E\", %own"),
        ("%0 to %2", "%r = recv \"W\" : tile<32xf16>"),
        ("%0 to %2", "%c = lt %n, %p : i1 assert %c, \"small\""),
        ("%0 to %n", "dma_write %after, %x desc [32:2] elem 2"),
    ];
    for (bounds, rest) in left {
        let found = after_pass("licm", &with_load(bounds, rest), &[]).unwrap();
        assert!(found.find("%x = ") > found.find("for %i"), "{found}");
    }
}

#[test]
fn licm_makes_a_tile_anew_for_each_recv_into_it() {
    check_unchanged(
        "licm",
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %x = load %p : tile<4xf16>
  for %i = %0 to %n step %1 {
    %own = copy %x : tile<4xf16>
    %r = recv "W" dst %own : tile<4xf16>
    store %p, %r
    yield
  }
  return
}
"#,
    );
}

#[test]
fn licm_leaves_tiles_for_which_there_is_no_room() {
    // 57,344 bytes for tiles; three of 24,576 do not fit beside one another.
    let text = |wide: u64| {
        format!(
            "
kernel @k(%p: i64, %n: i64) {{
  %0 = const 0 : i64
  %1 = const 1 : i64
  for %i = %0 to %n step %1 {{
    %m = add %n, %n : i64
    %a = arange 0 : tile<{wide}xi16>
    %b = arange 1 : tile<{wide}xi16>
    send \"E\", %a
    send \"E\", %b
    %x = load %i : tile<{wide}xi16>
    store %p, %x
    yield
  }}
  return
}}
"
        )
    };
    let found = after_pass("licm", &text(6144), &[]).unwrap();
    assert!(found.find("%a = ") < found.find("for %i"), "{found}");
    let found = after_pass("licm", &text(12288), &[]).unwrap();
    assert!(found.find("%a = ") > found.find("for %i"), "{found}");
    assert!(found.find("%m = ") < found.find("for %i"), "{found}");
}
