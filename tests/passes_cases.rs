//! Each pass on text IR: what it changes, and what it must leave alone.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use support::{after_pass, check_pass, check_unchanged};

#[test]
fn pipeline_names_every_pass_in_order() {
    let names: Vec<&str> = kbc::passes::pipeline().iter().map(|pass| pass.name()).collect();
    let order = "inline specialise fold unroll extents combine descriptors composites affine fold cse dce materialise licm release pipeline allocate";
    assert_eq!(names.join(" "), order);
    assert!(kbc::passes::pipeline().iter().all(|pass| !pass.summary().is_empty()));
}

#[test]
fn inline_puts_bodies_in_the_place_of_calls() {
    let found = after_pass(
        "inline",
        r#"
kernel @k(%p: i64, %n: i64) {
  %a = load %p : tile<%n x f16>
  %m, %sum = call @twice(%n, %a) : i64, tile<%m x f16>
  store %p, %sum
  return
}

func @twice(%n: i64, %x: tile<%n x f16>) {
  %m, %y = call @add(%n, %x) : i64, tile<%m x f16>
  %l, %z = call @add(%m, %y) : i64, tile<%l x f16>
  return %l, %z : i64, tile<%l x f16>
}

func @add(%n: i64, %x: tile<%n x f16>) {
  %e = extent broadcast %n, %n axis 0 of "the operands of `+`" : i64
  %s = add %x, %x : tile<%e x f16>
  return %e, %s : i64, tile<%e x f16>
}
"#,
        &[],
    );
    let expected = r#"
kernel @k(%p: i64, %n: i64) {
  %a = load %p : tile<%n x f16>
  %e = extent broadcast %n, %n axis 0 of "the operands of `+`" : i64
  %s = add %a, %a : tile<%e x f16>
  %e.1 = extent broadcast %e, %e axis 0 of "the operands of `+`" : i64
  %s.1 = add %s, %s : tile<%e.1 x f16>
  store %p, %s.1
  return
}
"#;
    assert_eq!(found.unwrap(), expected.trim_start());
}

#[test]
fn inline_leaves_what_calls_nothing() {
    check_unchanged(
        "inline",
        "kernel @k(%p: i64) {\n  %a = load %p : tile<4xf16>\n  store %p, %a\n  return\n}",
    );
}

#[test]
fn specialise_binds_parameters_and_the_grid() {
    // The tests launch 8 × 2 × 1 programs: the place on the last axis is known.
    let found = after_pass(
        "specialise",
        r#"
kernel @k(%p: i64, %n: i64 constexpr, %scale: f16) {
  %width = num_programs 0 : i64
  %x = program_id 0 : i64
  %z = program_id 2 : i64
  %a = load %p : tile<%n x f16>
  %b = mul %a, %scale : tile<%n x f16>
  store %p, %b
  return
}
"#,
        &[("p", 4096), ("n", 64), ("scale", 2)],
    );
    let expected = r#"
kernel @k() {
  %p = const 4096 : i64
  %n = const 64 : i64
  %scale = const 2.0 : f16
  %width = const 8 : i64
  %x = program_id 0 : i64
  %z = const 0 : i64
  %a = load %p : tile<%n x f16>
  %b = mul %a, %scale : tile<%n x f16>
  store %p, %b
  return
}
"#;
    assert_eq!(found.unwrap(), expected.trim_start());
}

#[test]
fn specialise_wants_a_fitting_value_for_every_parameter() {
    let text = "kernel @k(%a: i8, %b: i64) {\n  return\n}";
    let of = |params: &[(&str, i64)]| after_pass("specialise", text, params);
    assert!(of(&[("a", 127), ("b", 1)]).is_ok());
    let errors = of(&[("a", 200)]).unwrap_err();
    assert!(
        errors.contains("K0451") && errors.contains("`a` the value 200, which is not of type i8"),
        "{errors}"
    );
    assert!(
        errors.contains("K0450") && errors.contains("no value for `b` of kernel `k`"),
        "{errors}"
    );
}

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

#[test]
fn unroll_repeats_the_body() {
    check_pass(
        "unroll",
        r#"
kernel @k(%p: i64) {
  %1 = const 1 : i64
  %4 = const 4 : i64
  %a = load %p : tile<4xf16>
  %b = for %i = %1 to %4 step %1 unroll carry (%x: tile<4xf16> = %a) {
    %at = add %p, %i : i64
    %y = load %at : tile<%i x f16>
    %n = for %j = %1 to %i step %1 unroll carry (%m: i64 = %i) {
      %o = add %m, %j : i64
      yield %o
    }
    store %n, %y
    %z = neg %x : tile<4xf16>
    yield %z
  }
  store %p, %b
  return
}
"#,
        r#"
kernel @k(%p: i64) {
  %0 = const 1 : i64
  %1 = const 4 : i64
  %a = load %p : tile<4xf16>
  %i = const 1 : i64
  %at = add %p, %i : i64
  %y = load %at : tile<1xf16>
  store %i, %y
  %z = neg %a : tile<4xf16>
  %i.1 = const 2 : i64
  %at.1 = add %p, %i.1 : i64
  %y.1 = load %at.1 : tile<2xf16>
  %o = const 3 : i64
  store %o, %y.1
  %z.1 = neg %z : tile<4xf16>
  %i.2 = const 3 : i64
  %at.2 = add %p, %i.2 : i64
  %y.2 = load %at.2 : tile<3xf16>
  %j = const 1 : i64
  %o.1 = const 4 : i64
  %j.1 = const 2 : i64
  %o.2 = const 6 : i64
  store %o.2, %y.2
  %z.2 = neg %z.1 : tile<4xf16>
  store %p, %z.2
  return
}
"#,
    );
}

#[test]
fn unroll_keeps_plain_loops() {
    check_unchanged(
        "unroll",
        "kernel @k(%p: i64) {\n  %0 = const 0 : i64\n  %1 = const 8 : i64\n  for %i = %0 to %1 step %1 {\n    yield\n  }\n  return\n}",
    );
}

#[test]
fn unroll_is_bounded_and_wants_known_bounds() {
    let text = |hi: &str| {
        format!(
            "kernel @k(%p: i64) {{\n  %0 = const 0 : i64\n  %1 = const 1 : i64\n  %many = const 100000000 : i64\n  for %i = %0 to {hi} step %1 unroll {{\n    %a = load %i : tile<4xf16>\n    yield\n  }}\n  return\n}}\n"
        )
    };
    let errors = after_pass("unroll", &text("%many"), &[]).unwrap_err();
    assert!(
        errors.contains("K0502") && errors.contains("makes 100000000 × 2 operations"),
        "{errors}"
    );
    let errors = after_pass("unroll", &text("%p"), &[]).unwrap_err();
    assert!(errors.contains("K0454") && errors.contains("the end is known only when"), "{errors}");
}

#[test]
fn extents_must_be_known() {
    let of = |ops: &str| {
        let text = format!(
            "kernel @k(%p: i64) {{\n  %0 = const 0 : i64\n  %1 = const 4 : i64\n{ops}\n  return\n}}\n"
        );
        after_pass("extents", &text, &[]).err().unwrap_or_default()
    };
    assert_eq!(of("  %a = load %p : tile<4xf16>"), "");
    let errors = of(
        "  %id = program_id 0 : i64\n  %n = add %id, %1 : i64\n  %a = load %p : tile<%n x f16>\n  %b = load %p : tile<%n x f16>",
    );
    assert!(
        errors.contains("K0381")
            && errors.contains("`n` is an extent of a tile, but it depends on `program_id`"),
        "{errors}"
    );
    assert_eq!(errors.matches("error[").count(), 1, "an extent is reported once: {errors}");
    let errors =
        of("  for %i = %0 to %1 step %1 {\n    %a = load %p : tile<%i x f16>\n    yield\n  }");
    assert!(
        errors.contains("depends on a loop's variable") && errors.contains("tl.static_range"),
        "{errors}"
    );
    let errors = of(
        "  %n = for %i = %0 to %1 step %1 carry (%m: i64 = %1) {\n    %d = add %m, %m : i64\n    yield %d\n  }\n  %a = load %p : tile<%n x f16>",
    );
    assert!(errors.contains("a loop changes it"), "{errors}");
    let errors = of("  %a = load %p : tile<0xf16>");
    assert!(
        errors.contains("K0382") && errors.contains("axis 0 of this tile is 0 long"),
        "{errors}"
    );
}

#[test]
fn extents_that_nothing_compares_are_compared_by_the_verifier() {
    let text = r#"
kernel @k(%p: i64, %n: i64, %m: i64) {
  %a = load %p : tile<%n x f16>
  %b = load %p : tile<%m x f16>
  %c = add %a, %b : tile<%n x f16>
  %d = reshape %c : tile<8x8xf16>
  store %p, %d
  return
}
"#;
    let of = |n, m| support::ran(text, &[("p", 0), ("n", n), ("m", m)]);
    assert!(of(64, 64).result.is_ok());
    let ran = of(64, 32);
    assert!(
        ran.errors().contains("K0383")
            && ran.errors().contains("tile<32xf16> does not broadcast to tile<64xf16>"),
        "{}",
        ran.errors()
    );
    let ran = of(32, 32);
    assert!(
        ran.errors().contains("32 elements of shape [32] are reshaped to [8, 8], which has 64"),
        "{}",
        ran.errors()
    );
}

#[test]
fn descriptors_count_bytes() {
    check_pass(
        "descriptors",
        r#"
kernel @k(%p: *f32, %at: i64, %off: i32) {
  %q = add %p, %at : *f32
  %a = load %q : tile<4x8xf32>
  %r = sub %q, %off : *f32
  store %r, %a
  %b = load %at : tile<f16>
  store %at, %b
  return
}
"#,
        r#"
kernel @k(%p: i64, %at: i64, %off: i32) {
  %0 = const 4 : i64
  %1 = mul %at, %0 : i64
  %q = add %p, %1 : i64
  %a = dma_read %q desc [32:4] elem 4 : tile<4x8xf32>
  %2 = cast %off : i64
  %3 = const 4 : i64
  %4 = mul %2, %3 : i64
  %r = sub %q, %4 : i64
  dma_write %r, %a desc [32:4] elem 4
  %b = dma_read %at desc [] elem 2 : tile<f16>
  dma_write %at, %b desc [] elem 2
  return
}
"#,
    );
}

#[test]
fn descriptors_do_not_scale_bytes_or_byte_pointers() {
    check_pass(
        "descriptors",
        "kernel @k(%p: i64, %q: *i8, %n: i64) {\n  %a = add %p, %n : i64\n  %b = add %q, %n : *i8\n  return\n}",
        "kernel @k(%p: i64, %q: i64, %n: i64) {\n  %a = add %p, %n : i64\n  %b = add %q, %n : i64\n  return\n}",
    );
}

#[test]
fn descriptors_take_a_pointer_for_its_bytes_whatever_it_was_cast_to() {
    check_pass(
        "descriptors",
        r#"
kernel @k(%p: *f32, %n: i64) {
  %b = pointer_cast %p : *i8
  %c = add %b, %n : *i8
  %q = pointer_cast %c : *f16
  %r = add %q, %n : *f16
  %a = pointer_cast %r : i64
  %t = load %a : tile<f16>
  store %q, %t
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64) {
  %c = add %p, %n : i64
  %0 = const 2 : i64
  %1 = mul %n, %0 : i64
  %r = add %c, %1 : i64
  %t = dma_read %r desc [] elem 2 : tile<f16>
  dma_write %c, %t desc [] elem 2
  return
}
"#,
    );
}

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
fn affine_offsets_of_atomics_become_strides() {
    check_pass(
        "affine",
        r#"
kernel @k(%p: i64, %n: i64, %c: i1) {
  %i = arange 0 : tile<4xi64>
  %j = arange 0 : tile<8xi64>
  %0 = const 100 : i64
  %1 = expand_dims %i axis 1 : tile<4x1xi64>
  %2 = mul %1, %0 : tile<4x1xi64>
  %3 = add %2, %n : tile<4x1xi64>
  %4 = expand_dims %j axis 0 : tile<1x8xi64>
  %5 = add %3, %4 : tile<4x8xi64>
  %6 = const 1.0 : f32
  %v = full %6 : tile<4x8xf32>
  atomic_add %p, %v offsets %5 mask %c
  return
}
"#,
        r#"
kernel @k(%p: i64, %n: i64, %c: i1) {
  %i = arange 0 : tile<4xi64>
  %j = arange 0 : tile<8xi64>
  %0 = const 100 : i64
  %1 = expand_dims %i axis 1 : tile<4x1xi64>
  %2 = mul %1, %0 : tile<4x1xi64>
  %3 = add %2, %n : tile<4x1xi64>
  %4 = expand_dims %j axis 0 : tile<1x8xi64>
  %5 = add %3, %4 : tile<4x8xi64>
  %6 = const 1.0 : f32
  %v = full %6 : tile<4x8xf32>
  %7 = const 4 : i64
  %8 = mul %n, %7 : i64
  %9 = add %8, %p : i64
  atomic_add %9, %v mask %c strides [100, 1]
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

/// A kernel of one load of 8 numbers of `in`, at offsets and under a mask.
fn access(lines: &str, access: &str) -> String {
    format!(
        "kernel @k(%q: i64, %c: i1) {{\n{lines}  %x = gather_load %q {access}\n  send \"E\", %x\n  return\n}}"
    )
}

/// What becomes of that load, in its last line.
fn accessed(lines: &str, of: &str) -> String {
    let found = after_pass("affine", &access(lines, of), &[]).unwrap();
    let line = found.lines().find(|line| line.starts_with("  %x = ")).unwrap();
    line.trim_start_matches("  %x = ").to_owned()
}

#[test]
fn affine_gathers_are_transfers() {
    let rows = "%i = arange 0 : tile<4xi32> %j = arange 0 : tile<8xi32>
        %r = expand_dims %i axis 1 : tile<4x1xi32> %w = const 100 : i32
        %s = mul %r, %w : tile<4x1xi32> %o = add %s, %j : tile<4x8xi32> %three = const 3 : i32
        %inside = lt %j, %three : tile<8xi1> %below = ge %r, %three : tile<4x1xi1>
        %both = bit_and %inside, %below : tile<4x8xi1>\n";
    let of = |access: &str| accessed(rows, &format!("{access} : tile<4x8xf32>"));
    let whole = "dma_read %q desc [4:400, 8:4] elem 4 : tile<4x8xf32>";
    assert_eq!(of("offsets %o"), whole);
    // What the gather's own strides add.
    let column = "dma_read %q desc [4:400, 8:8] elem 4 : tile<4x8xf32>";
    assert_eq!(of("offsets %o strides [0, 1]"), column);
    assert_eq!(of("offsets %j"), "dma_read %q desc [4:0, 8:4] elem 4 : tile<4x8xf32>");
    assert!(of("offsets %o mask %inside").ends_with("clip [1: to %0] : tile<4x8xf32>"));
    let both = of("offsets %o mask %both");
    assert!(
        both.contains(" clip [0: %0, 1: to %1] :") || both.contains(" clip [0: %1, 1: to %0] :"),
        "{both}"
    );
    // A flag of the program closes the first axis.
    assert!(of("offsets %o mask %c").ends_with("clip [0: to %2] : tile<4x8xf32>"));
    // Rows that follow one another, each moved as a whole, are one run.
    let flat = "%i = arange 0 : tile<32xi32> %o = reshape %i : tile<4x8xi32>\n";
    let found = accessed(flat, "offsets %o : tile<4x8xf32>");
    assert_eq!(found, "dma_read %q desc [32:4] elem 4 : tile<4x8xf32>");
}

#[test]
fn what_is_not_affine_stays_a_gather() {
    let stays = |lines: &str, of: &str| {
        let text = access(lines, of);
        let found = after_pass("affine", &text, &[]).unwrap();
        assert!(found.contains("gather_load"), "{found}");
    };
    // Loaded indices.
    stays("%o = load %q : tile<8xi32>\n", "offsets %o : tile<8xf32>");
    // Loaded truth values, although the offsets are affine.
    stays("%m = load %q : tile<8xi1>\n", "mask %m strides [1] : tile<8xf32>");
    // A triangle.
    let triangle = "%i = arange 0 : tile<8xi32> %r = expand_dims %i axis 1 : tile<8x1xi32>
        %m = ge %r, %i : tile<8x8xi1>\n";
    stays(triangle, "mask %m strides [8, 1] : tile<8x8xf32>");
    // 100 times 2 is no i8.
    let narrow = "%i = arange 0 : tile<8xi8> %h = const 100 : i8 %o = mul %i, %h : tile<8xi8>\n";
    stays(narrow, "offsets %o : tile<8xf32>");
    // Squares.
    let squares = "%i = arange 0 : tile<8xi32> %o = mul %i, %i : tile<8xi32>\n";
    stays(squares, "offsets %o : tile<8xf32>");
    // A remainder of what may be negative counts down below 0.
    let signed = "%i = arange -4 : tile<8xi32> %n = const 6 : i32 %o = rem %i, %n : tile<8xi32>\n";
    stays(signed, "offsets %o : tile<8xf32>");
}

#[test]
fn an_index_is_data_alone() {
    // Rows of 40 that a loaded tile names, 8 columns of each.
    let rows = "%rows = load %q : tile<4xi64> %forty = const 40 : i64 %three = const 3 : i64
        %r = mul %rows, %forty : tile<4xi64> %s = expand_dims %r axis 1 : tile<4x1xi64>
        %j = arange 0 : tile<8xi64> %k = add %j, %three : tile<8xi64>
        %o = add %s, %k : tile<4x8xi64>\n";
    let found = accessed(rows, "offsets %o : tile<4x8xf32>");
    assert_eq!(found, "gather_load %q offsets %1 strides [0, 1] : tile<4x8xf32>");
    let text = after_pass("affine", &access(rows, "offsets %o : tile<4x8xf32>"), &[]).unwrap();
    assert!(text.contains("  %0 = const 3 : i64\n  %1 = add %s, %0 : tile<4x1xi64>\n"), "{text}");
    // Of fewer bits the sum may wrap where its parts do not.
    let narrow = rows.replace("i64", "i32");
    let found = accessed(&narrow, "offsets %o : tile<4x8xf32>");
    assert_eq!(found, "gather_load %q offsets %o : tile<4x8xf32>");
    // Where only the mask is data there is no index.
    let mask = "%m = load %q : tile<8xi1> %j = arange 0 : tile<8xi32>\n";
    let found = accessed(mask, "offsets %j mask %m : tile<8xf32>");
    assert_eq!(found, "gather_load %q mask %m strides [1] : tile<8xf32>");
}

#[test]
fn remainders_wrap_an_axis_or_are_dropped() {
    let of = |first: i64, period: i64, op: &str| {
        let lines = format!(
            "%i = arange {first} : tile<8xi32> %n = const {period} : i32
             %o = {op} %i, %n : tile<8xi32>\n"
        );
        accessed(&lines, "offsets %o : tile<8xf32>")
    };
    assert_eq!(of(0, 8, "rem"), "dma_read %q desc [8:4] elem 4 : tile<8xf32>");
    assert_eq!(of(4, 10, "rem"), "dma_read %q desc [8:4] elem 4 wrap [0: %0 mod 10] : tile<8xf32>");
    assert!(of(-4, 6, "floor_mod").contains("wrap [0: %0 mod 6]"));
}
