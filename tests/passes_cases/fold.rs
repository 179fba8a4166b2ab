//! `fold`: what is known is computed, and what is sure to fail is told.

use crate::support::{after_pass, check_pass, check_unchanged};

#[test]
fn fold_computes_scalars_as_the_machine_does() {
    check_pass(
        "fold",
        r#"
kernel @k(%p: i64) {
  %0 = const 7 : i64
  %1 = const -2 : i64
  %2 = floor_div %0, %1 : i64
  %3 = const 127 : i8
  %4 = add %3, %3 : i8
  %5 = const 2049.0 : f16
  %6 = const 0.1 : f16
  %7 = add %6, %6 : f16
  %8 = lt %0, %1 : i1
  %9 = select %8, %0, %1 : i64
  %10 = cast %6 : f32
  %11 = const 256 : *f16
  %12 = add %11, %0 : *f16
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %0 = const 7 : i64
  %1 = const -2 : i64
  %2 = const -4 : i64
  %3 = const 127 : i8
  %4 = const -2 : i8
  %5 = const 2048.0 : f16
  %6 = const 0.0999755859375 : f16
  %7 = const 0.199951171875 : f16
  %8 = const 0 : i1
  %9 = const 0.0999755859375 : f32
  %10 = const 256 : *f16
  %11 = const 270 : *f16
  return
}
"#,
    );
}

#[test]
fn fold_uses_the_identities_of_integers() {
    check_pass(
        "fold",
        r#"
kernel @k(%x: i64, %y: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %a = add %x, %0 : i64
  %b = mul %1, %a : i64
  %c = sub %b, %0 : i64
  %d = floor_div %c, %1 : i64
  %e = minimum %d, %d : i64
  %zero = sub %e, %x : i64
  %none = mul %y, %zero : i64
  %same = eq %x, %e : i1
  %f = select %same, %x, %y : i64
  %g = add %f, %y : i64
  assert %same, "holds"
  return
}
"#,
        r#"
kernel @k(%x: i64, %y: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %zero = const 0 : i64
  %none = const 0 : i64
  %same = const 1 : i1
  %g = add %x, %y : i64
  return
}
"#,
    );
}

#[test]
fn fold_leaves_floats_and_tiles_alone() {
    // `x + 0.0` is not `x` for `-0.0`, and `x * 0.0` is not 0 for a NaN; tiles are not computed.
    check_unchanged(
        "fold",
        r#"
kernel @k(%x: f32, %p: i64) {
  %0 = const 0.0 : f32
  %a = add %x, %0 : f32
  %b = mul %x, %0 : f32
  %c = sub %x, %x : f32
  %d = eq %x, %x : i1
  %t = load %p : tile<4xf32>
  %u = add %t, %0 : tile<4xf32>
  %v = sub %u, %u : tile<4xf32>
  return
}
"#,
    );
}

#[test]
fn fold_takes_views_that_change_nothing_away() {
    check_pass(
        "fold",
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<4x4xi16>
  %a = transpose %t [0, 1] : tile<4x4xi16>
  %b = reshape %a : tile<4x4xi16>
  %c = broadcast %b : tile<4x4xi16>
  %d = cast %c : tile<4x4xi16>
  %e = transpose %d [1, 0] : tile<4x4xi16>
  store %p, %e
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<4x4xi16>
  %e = transpose %t [1, 0] : tile<4x4xi16>
  store %p, %e
  return
}
"#,
    );
}

/// A cast of a float to its own type is an op: it makes canonical NaNs, as any op does.
#[test]
fn fold_keeps_casts_of_floats_to_their_own_type() {
    let text = r#"
kernel @k(%p: i64) {
  %t = load %p : tile<4x4xf16>
  %d = cast %t : tile<4x4xf16>
  store %p, %d
  return
}
"#;
    check_pass("fold", text, text);
}

#[test]
fn fold_joins_views_of_views() {
    check_pass(
        "fold",
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<2x3x4xf16>
  %a = transpose %t [1, 2, 0] : tile<3x4x2xf16>
  %b = transpose %a [2, 0, 1] : tile<2x3x4xf16>
  %c = transpose %a [1, 0, 2] : tile<4x3x2xf16>
  store %p, %b
  store %p, %c
  %d = reshape %t : tile<6x4xf16>
  %e = reshape %d : tile<1x24xf16>
  %f = transpose %e [1, 0] : tile<24x1xf16>
  %g = reshape %f : tile<2x3x4xf16>
  store %p, %f
  store %p, %g
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %t = load %p : tile<2x3x4xf16>
  %a = transpose %t [1, 2, 0] : tile<3x4x2xf16>
  %c = transpose %t [2, 1, 0] : tile<4x3x2xf16>
  store %p, %t
  store %p, %c
  %d = reshape %t : tile<6x4xf16>
  %e = reshape %t : tile<1x24xf16>
  %f = reshape %t : tile<24x1xf16>
  store %p, %f
  store %p, %t
  return
}
"#,
    );
}

#[test]
fn fold_takes_the_branch_that_is_known() {
    check_pass(
        "fold",
        r#"
kernel @k(%p: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %c = lt %0, %1 : i1
  %n = if %c -> (i64) {
    %two = add %1, %1 : i64
    yield %two
  } else {
    %bad = floor_div %1, %0 : i64
    yield %bad
  }
  %t = load %p : tile<%n x f16>
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %c = const 1 : i1
  %two = const 2 : i64
  %t = load %p : tile<2xf16>
  return
}
"#,
    );
}

#[test]
fn fold_leaves_the_branch_that_programs_decide() {
    check_unchanged(
        "fold",
        r#"
kernel @k(%p: i64, %c: i1) {
  %0 = const 0 : i64
  %1 = if %c -> (i64) {
    %2 = floor_div %p, %0 : i64
    yield %2
  } else {
    yield %p
  }
  return
}
"#,
    );
}

#[test]
fn fold_drops_loops_that_never_run_and_opens_those_that_run_once() {
    check_pass(
        "fold",
        r#"
kernel @k(%p: i64, %m: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %a = for %i = %1 to %1 step %1 carry (%x: i64 = %m) {
    %y = add %x, %i : i64
    yield %y
  }
  %b = for %i.1 = %0 to %1 step %1 carry (%x.1: i64 = %a) {
    %y.1 = add %x.1, %p : i64
    yield %y.1
  }
  %t = load %b : tile<4xf16>
  %d = while carry (%z: i64 = %m) {
    %never = lt %1, %0 : i1
    %w = add %z, %p : i64
    condition %never, %w
  } do (%v: i64) {
    yield %v
  }
  %u = load %d : tile<4xf16>
  return
}
"#,
        r#"
kernel @k(%p: i64, %m: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %y = add %m, %p : i64
  %t = load %y : tile<4xf16>
  %never = const 0 : i1
  %w = add %m, %p : i64
  %u = load %w : tile<4xf16>
  return
}
"#,
    );
}

#[test]
fn fold_uses_what_a_loop_carries_unchanged() {
    check_pass(
        "fold",
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %same, %size, %sum = for %i = %0 to %n step %1 carry (%a: i64 = %p, %s: i64 = %n, %x: i64 = %0) {
    %x.1 = add %x, %a : i64
    yield %a, %n, %x.1
  }
  %t = load %same : tile<%size x f16>
  store %sum, %t
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64) {
  %0 = const 0 : i64
  %1 = const 1 : i64
  %sum = for %i = %0 to %n step %1 carry (%x: i64 = %0) {
    %x.1 = add %x, %p : i64
    yield %x.1
  }
  %t = load %p : tile<%n x f16>
  store %sum, %t
  return
}
"#,
    );
}

/// What folding the ops `ops` reports.
fn fold_errors(ops: &str) -> String {
    let text = format!(
        "kernel @k(%p: i64, %c: i1) {{\n  %zero = const 0 : i64\n  %three = const 3 : i64\n  %four = const 4 : i64\n  %no = const 0 : i1\n{ops}\n  return\n}}\n"
    );
    after_pass("fold", &text, &[]).err().unwrap_or_default()
}

#[test]
fn fold_reports_what_is_sure_to_fail() {
    let errors = fold_errors("  %q = rem %p, %zero : i64");
    assert!(
        errors.contains("K0452") && errors.contains("divided by `zero`, which is 0"),
        "{errors}"
    );
    let errors = fold_errors("  assert %no, \"n is small\"");
    assert!(errors.contains("K0453") && errors.contains("n is small"), "{errors}");
    let errors = fold_errors("  for %i = %zero to %p step %zero {\n    yield\n  }");
    assert!(errors.contains("K0455") && errors.contains("the step of this loop is 0"), "{errors}");
    let errors = fold_errors(
        "  %yes = eq %p, %p : i1\n  while {\n    condition %yes\n  } do () {\n    yield\n  }",
    );
    assert!(errors.contains("K0455") && errors.contains("always true"), "{errors}");
    // A loop that runs at least once runs its body for sure.
    let errors = fold_errors(
        "  for %i = %zero to %three step %three {\n    assert %no, \"inside\"\n    yield\n  }",
    );
    assert!(errors.contains("inside"), "{errors}");
}

#[test]
fn fold_does_not_report_what_may_never_run() {
    assert_eq!(
        fold_errors(
            "  if %c {\n    %q = rem %p, %zero : i64\n    assert %no, \"\"\n    yield\n  } else {\n    yield\n  }"
        ),
        ""
    );
    assert_eq!(
        fold_errors("  for %i = %zero to %p step %three {\n    assert %no, \"\"\n    yield\n  }"),
        ""
    );
    assert_eq!(
        fold_errors("  if %no {\n    assert %no, \"\"\n    yield\n  } else {\n    yield\n  }"),
        ""
    );
    assert_eq!(
        fold_errors(
            "  for %i = %four to %three step %three {\n    assert %no, \"\"\n    yield\n  }"
        ),
        ""
    );
}

#[test]
fn fold_reports_extents_that_disagree() {
    let text = r#"
kernel @k(%p: i64) {
  %n = const 64 : i64
  %m = const 32 : i64
  %a = load %p : tile<4x%n x f16>
  %b = load %p : tile<%m x f16>
  %e = extent broadcast %n, %m axis 1 of "the operands of `+`" : i64
  %c = add %a, %b : tile<4x%e x f16>
  store %p, %c
  return
}
"#;
    insta::assert_snapshot!(after_pass("fold", text, &[]).unwrap_err(), @"
    error[K0380]: the operands of `+` do not broadcast at this launch: [4, 64] and [32]
      ┌─ test.kir:7:3
      │
    5 │   %a = load %p : tile<4x%n x f16>
      │   ------------------------------- `a` has shape [4, 64]
    6 │   %b = load %p : tile<%m x f16>
      │   ----------------------------- `b` has shape [32]
    7 │   %e = extent broadcast %n, %m axis 1 of \"the operands of `+`\" : i64
      │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ axis 1 is 64 on the left and 32 on the right
      │
      = note: axes broadcast when they are equal or one of them is 1
    ");
}

#[test]
fn fold_lets_extents_that_agree_or_repeat_pass() {
    let with = |n: i64, m: i64, rule: &str| {
        let text = format!(
            "kernel @k() {{\n  %n = const {n} : i64\n  %m = const {m} : i64\n  %e = extent {rule} %n, %m axis 0 of \"\" : i64\n  %f = add %e, %n : i64\n  return\n}}\n"
        );
        let found = after_pass("fold", &text, &[]);
        found
            .map(|text| text.contains(&format!("%f = const {} : i64", n.max(m) + n)))
            .unwrap_or(false)
    };
    assert!(with(64, 64, "broadcast") && with(64, 64, "equal"));
    assert!(with(1, 64, "broadcast") && with(64, 1, "broadcast"));
    assert!(!with(1, 64, "equal") && !with(2, 64, "broadcast"));
}
