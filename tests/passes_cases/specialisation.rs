//! Launch and extents become known: `inline`, `specialise`, `unroll` and `extents`.

use crate::support;
use crate::support::{after_pass, check_pass, check_unchanged};

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
