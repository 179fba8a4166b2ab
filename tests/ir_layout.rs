//! Strides of views, and what is live where, on small functions worked out by hand.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::ir::{Function, Op, Value};
use kbc::passes::liveness::{Liveness, Range};
use kbc::passes::origins::Origins;
use support::read;

fn function(text: &str) -> Function {
    read(text).functions.values().next().expect("a function").clone()
}

fn named(function: &Function, name: &str) -> Value {
    let is = |data: &kbc::ir::ValueData| data.name.as_deref() == Some(name);
    function.values.iter().find(|(_, data)| is(data)).expect("a value of this name").0
}

#[test]
fn views_walk_the_bytes_of_their_root() {
    let f = function(
        "func @f(%t: tile<4x8xf16>) {
  %transposed = transpose %t [1, 0] : tile<8x4xf16>
  %expanded = expand_dims %transposed axis 1 : tile<8x1x4xf16>
  %repeated = broadcast %expanded : tile<8x3x4xf16>
  %flat = reshape %t : tile<32xf16>
  %folded = reshape %flat : tile<2x16xf16>
  %gone = reshape %transposed : tile<32xf16>
  %column = expand_dims %flat axis 1 : tile<32x1xf16>
  return
}",
    );
    let strides = |name: &str| f.strides(named(&f, name));
    assert_eq!(strides("t"), Some(vec![8, 1]));
    assert_eq!(strides("transposed"), Some(vec![1, 8]));
    assert_eq!(strides("expanded"), Some(vec![1, 0, 8]));
    assert_eq!(strides("repeated"), Some(vec![1, 0, 8]));
    assert_eq!(strides("folded"), Some(vec![16, 1]));
    // No strides walk the rows of a transposed tile end to end.
    assert_eq!(strides("gone"), None);
    assert_eq!(f.view_root(named(&f, "repeated")), named(&f, "t"));
    let in_order = |name: &str| f.is_row_major(named(&f, name));
    assert!(in_order("t") && in_order("folded") && in_order("column"));
    assert!(!in_order("transposed") && !in_order("repeated") && !in_order("gone"));
}

#[test]
fn symbolic_extents_have_no_strides() {
    let f = function("func @f(%n: i64, %t: tile<4x%n x f16>) {\n  return\n}");
    assert_eq!(f.strides(named(&f, "t")), None);
    assert!(!f.is_row_major(named(&f, "t")));
}

/// A ring: positions of its ops are 0 to 9.
const RING: &str = r#"
kernel @ring(%p: i64, %n: i64, %one: i64) {
  %a = load %p : tile<4xf16>
  %sum, %last = for %i = %one to %n step %one carry (%acc: tile<4xf16> = %a, %cur: tile<4xf16> = %a) {
    send "E", %cur
    release %cur
    %got = recv "W" : tile<4xf16>
    %next = add %acc, %got : tile<4xf16>
    yield %next, %got
  }
  release %last
  store %p, %sum
  return
}
"#;

#[test]
fn ranges_follow_bytes_around_the_loop() {
    let f = function(RING);
    let origins = Origins::of(&f);
    let liveness = Liveness::of(&f, &origins);
    let of = |name: &str| liveness.ranges(named(&f, name)).to_vec();
    // `a` is what `acc` begins with, and what `sum` is if the loop never runs. Between the end of
    // the loop (6) and the store (8) it is live as `sum`, before that as `acc` and `cur`.
    assert_eq!(of("a"), [Range { first: 0, last: 8 }]);
    // `next` goes around as `acc`, and out as `sum`; no iteration begins before position 2.
    assert_eq!(of("next"), [Range { first: 2, last: 8 }]);
    // `got` is added, sent in the next round, released; what is left is `last`, released at 7.
    assert_eq!(of("got"), [Range { first: 2, last: 7 }]);
    assert_eq!(origins.get(named(&f, "cur")), [named(&f, "a"), named(&f, "got")]);
    assert!(origins.may_be_in_slot(&f, named(&f, "last")));
    assert!(!origins.may_be_in_slot(&f, named(&f, "sum")));
}

#[test]
fn rivals_are_what_else_may_be_there() {
    let f = function(RING);
    let liveness = Liveness::of(&f, &Origins::of(&f));
    // Nothing else that is live can be in the slot of `cur`, and `acc`, which may be in the buffer
    // of `next`, is overwritten in place.
    assert!(liveness.order().iter().all(|op| liveness.rivals(*op).is_empty()));
    let later =
        RING.replace("    yield %next, %got", "    send \"E\", %acc\n    yield %next, %got");
    let f = function(&later);
    let liveness = Liveness::of(&f, &Origins::of(&f));
    let add = liveness.order().iter().find(|op| matches!(f.ops[**op].op, Op::Binary(_)));
    assert_eq!(liveness.rivals(*add.expect("an addition")), [named(&f, "acc")]);
}

#[test]
fn a_release_is_held_back_by_another_value_in_the_slot() {
    let f = function(
        r#"
kernel @k() {
  %a = recv "W" : tile<4xf16>
  %b = reshape %a : tile<2x2xf16>
  send "E", %a
  release %a
  send "E", %b
  release %b
  return
}
"#,
    );
    let liveness = Liveness::of(&f, &Origins::of(&f));
    let releases: Vec<_> =
        liveness.order().iter().filter(|op| matches!(f.ops[**op].op, Op::Release(_))).collect();
    assert_eq!(liveness.rivals(*releases[0]), [named(&f, "b")]);
    assert_eq!(liveness.rivals(*releases[1]), []);
}
