//! One broken text for each rule of the verifier, and the rules that text cannot break, broken by
//! hand.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::ir::verify::{Rule, verify};
use kbc::ir::{
    Binary, BlockId, Const, Def, Function, If, Literal, Module, OpId, Return, Send, Type, Value,
    Yield,
};
use kbc::ops::BinaryOp;
use kbc::source::Span;
use support::{codes_of, read_unverified};

/// The kernel `ops`, with a parameter of each kind and a tile.
fn kernel(ops: &str) -> String {
    format!(
        "kernel @k(%x: i64, %y: i32, %c: i1, %p: *f16, %s: f16) {{\n  %t = load %x : tile<4x8xf16>\n{ops}\n  return\n}}\n"
    )
}

/// Checks that `ops` break the rule of `code` and say `message`.
#[track_caller]
fn breaks(code: &str, ops: &str, message: &str) {
    broken(code, &kernel(ops), message);
}

#[track_caller]
fn broken(code: &str, text: &str, message: &str) {
    let found = verify(&read_unverified(text));
    let messages: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    assert!(messages.iter().any(|it| it.contains(message)), "{messages:#?} of\n{text}");
    assert!(codes_of(text).contains(&code), "{:?}", codes_of(text));
}

#[track_caller]
fn keeps(ops: &str) {
    let found = verify(&read_unverified(&kernel(ops)));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn blocks_end_in_their_terminator() {
    broken("K0160", "kernel @k() {\n}", "must end in `return`");
    broken("K0160", "kernel @k() {\n  yield\n}", "must end in `return`");
    breaks("K0160", "if %c { return } else { yield }", "must end in `yield`");
    breaks("K0160", "while { yield } do () { yield }", "must end in `condition`");
    breaks("K0160", "for %i = %x to %x step %x { }", "must end in `yield`");
    breaks("K0160", "return\n", "`return` stands before the end of its block");
}

#[test]
fn values_are_defined_before_they_are_used() {
    let inner = "if %c {\n %a = add %x, %x : i64\n yield\n} else { yield }\n";
    breaks("K0161", &format!("{inner}%b = add %a, %x : i64"), "`a` is used where");
    let own = "%a = for %i = %x to %x step %x carry (%b: i64 = %x) {\n %d = add %a, %x : i64\n yield %d\n}";
    breaks("K0161", own, "`a` is used where");
    let induction = "for %i = %x to %x step %x { yield }\n%b = add %i, %x : i64";
    breaks("K0161", induction, "`i` is used where");
    let sides =
        "if %c {\n %a = add %x, %x : i64\n yield\n} else {\n %b = add %a, %x : i64\n yield\n}";
    breaks("K0161", sides, "`a` is used where");
    let extent = "%u = if %c -> (tile<%n x f16>) {\n %n = add %x, %x : i64\n %a = load %x : tile<%n x f16>\n yield %a\n} else {\n %b = load %x : tile<%x x f16>\n yield %b\n}";
    // The name is read only after its use in the type: the parser sees to that.
    assert!(codes_of(&kernel(extent)).contains(&"K0152"));
    keeps("%a = add %x, %x : i64\n%u = load %x : tile<%a x f16>");
}

#[test]
fn extents_are_i64() {
    breaks("K0162", "%u = load %x : tile<%y x f16>", "an extent is not an i64");
    broken(
        "K0162",
        "func @f(%n: i32, %u: tile<%n x f16>) {\n  return\n}",
        "an extent is not an i64",
    );
}

#[test]
fn scalars_and_elementwise_ops_have_their_types() {
    breaks("K0162", "%a = const 1.5 : i64", "this constant is no i64");
    breaks("K0162", "%a = const 1.5 : *f16", "this constant is no *f16");
    breaks("K0162", "%a = const 1 : tile<4xf16>", "this constant is no tile<4xf16>");
    breaks("K0162", "%a = exp %x : i64", "`exp` is not defined on i64");
    breaks("K0162", "%a = bit_and %t, %t : tile<4x8xf16>", "`bit_and` is not defined on f16");
    breaks("K0162", "%a = add %x, %y : i64", "of type i32 where i64 is expected");
    breaks("K0162", "%a = add %t, %t : tile<8x4xf16>", "does not broadcast to tile<8x4xf16>");
    breaks("K0162", "%a = add %t, %t : f16", "does not broadcast to f16");
    breaks("K0162", "%a = mul %p, %x : *f16", "`mul` is not defined on pointers");
    breaks("K0162", "%a = add %p, %s : *f16", "an integer is added to a pointer, not f16");
    breaks("K0162", "%a = add %p, %x : *f32", "this gives *f16, not *f32");
    breaks("K0162", "%a = lt %x, %x : i64", "a comparison gives i1");
    breaks("K0162", "%a = select %x, %x, %x : i64", "of type i64 where i1 is expected");
    breaks("K0162", "%a = fma %x, %x, %x : i64", "`fma` is not defined on i64");
    breaks("K0162", "%a = program_id 3 : i64", "there is no program axis 3");
    breaks("K0162", "%a = program_id 0 : f32", "this gives i64, not f32");
    breaks("K0162", "%a = extent equal %y, %x axis 0 of \"\" : i64", "this takes i64, not i32");
    keeps("%a = add %t, %s : tile<4x8xf16>\n%b = add %p, %y : *f16\n%d = lt %p, %p : i1");
}

#[test]
fn tiles_have_their_shapes() {
    breaks("K0162", "%a = full %x : tile<4xf16>", "this takes f16, not i64");
    breaks("K0162", "%a = arange 0 : tile<4x4xi32>", "integers along one axis");
    breaks("K0162", "%a = reshape %t : tile<5xf16>", "32 elements of shape [4, 8]");
    breaks("K0162", "%a = transpose %t [0, 0] : tile<4x8xf16>", "is no order of 2 axes");
    breaks("K0162", "%a = transpose %t [1, 0] : tile<4x8xf16>", "this gives tile<8x4xf16>");
    breaks("K0162", "%a = expand_dims %t axis 3 : tile<4x8x1xf16>", "axis 3 of 3 axes");
    breaks("K0162", "%a = broadcast %t : tile<8xf16>", "shape [4, 8] does not broadcast to [8]");
    breaks("K0162", "%a = copy %t : tile<4xf16>", "this gives tile<4x8xf16>");
    breaks("K0162", "%a = sum %t axis 2 : tile<4xf16>", "axis 2 of 2 axes");
    breaks("K0162", "%a = sum %t axis 0 : tile<4xf16>", "this gives tile<8xf16>");
    breaks("K0162", "%a = argmax %t axis 0 : tile<8xf16>", "this gives tile<8xi32>");
    breaks("K0162", "%a = dot %t, %t : tile<4x8xf16>", "the inner extents differ");
    breaks("K0162", "%a = dot %s, %t : tile<4x8xf16>", "this takes a tile, not f16");
    keeps("%a = broadcast %t : tile<2x4x8xf16>\n%b = sum %t : tile<f16>");
}

#[test]
fn memory_and_messages_have_their_types() {
    breaks("K0162", "%a = load %y : tile<4xf16>", "an address is an i64 or a pointer, not i32");
    breaks("K0162", "%a = load %p : tile<4xf32>", "a pointer to f16 is used for a tile of f32");
    breaks("K0162", "%a = load %x : f16", "this gives a tile, not f16");
    breaks("K0162", "store %x, %s", "this takes a tile, not f16");
    breaks("K0162", "%a = dma_read %x desc [3:2] elem 2 : tile<4xf16>", "6 bytes are moved");
    breaks("K0162", "%a = dma_read %x desc [4:2] elem 4 : tile<4xf16>", "elements of 4 bytes");
    breaks("K0162", "dma_write %p, %t desc [32:2] elem 2", "this takes i64, not *f16");
    breaks("K0162", "send \"E\", %x", "this takes a tile, not i64");
    breaks("K0162", "%a = recv \"E\" dst %t : tile<4xf16>", "this gives tile<4x8xf16>");
    breaks("K0162", "%a = recv_async \"E\" : tile<4xf16>", "gives a future");
    breaks("K0162", "%a = wait %t : tile<4x8xf16>", "`wait` takes a future");
    breaks("K0162", "release %x", "`release` takes a tile");
    breaks("K0162", "assert %x, \"\"", "this takes i1, not i64");
    breaks("K0162", "if %x { yield } else { yield }", "this takes i1, not i64");
    breaks("K0162", "while { condition %x } do () { yield }", "this takes i1, not i64");
}

#[test]
fn loops_and_branches_hand_on_what_they_say() {
    let carry = |arg: &str, next: &str| {
        format!("%a = for %i = %x to %x step %x carry (%b: {arg} = %t) {{\n yield {next}\n}}")
    };
    breaks("K0163", &carry("tile<4xf16>", "%b"), "what it begins with differ in type");
    breaks("K0163", &carry("tile<4x8xf16>", "%x"), "what its body yields differ in type");
    breaks("K0163", &carry("tile<4x8xf16>", ""), "differ in number: 1 and 0");
    breaks("K0162", "for %i = %y to %x step %x { yield }", "are of its variable's type, i64");
    breaks("K0162", "for %i: f16 = %s to %s step %s { yield }", "is an integer");
    breaks("K0162", "for %i = %x to %x step %x stages 0 { yield }", "at least one stage");
    let test = "%z = while carry (%a: i64 = %x) { condition %c } do (%b: i64) { yield %b }";
    breaks("K0163", test, "what the body takes differ in number: 0 and 1");
    let side = "%a = if %c -> (i64) { yield %x } else { yield %y }";
    breaks("K0163", side, "what the other side yields and the branch's results differ in type");
    let returned = "func @f(%x: i64) {\n  return %x : i32\n}";
    broken("K0163", returned, "i64 is returned where i32 is declared");
    broken("K0163", "func @f(%x: i64) {\n  return %x\n}", "1 values are returned where 0 are");
}

#[test]
fn functions_fit_together() {
    let twice = "func @f() {\n  call @g()\n  return\n}\nfunc @g() {\n  call @f()\n  return\n}";
    broken("K0164", twice, "`f` calls itself");
    broken("K0164", "kernel @k(%t: tile<4xf16>) {\n  return\n}", "parameter `t` is a tile");
    broken("K0164", "kernel @k(%x: i64) {\n  return %x : i64\n}", "a kernel returns nothing");
    let late = "func @f(%x: i64) {\n  %n = add %x, %x : i64\n  %t = load %x : tile<%n x f16>\n  return %t, %n : tile<%n x f16>, i64\n}";
    broken("K0164", late, "the extent `n` of a returned tile");
    let callee = "func @f(%x: i64) {\n  return %x : i64\n}\n";
    let call = |ops: &str| format!("{callee}{}", kernel(ops));
    broken("K0162", &call("%a = call @f(%y) : i64"), "`f` takes i64, not i32");
    broken("K0162", &call("%a = call @f() : i64"), "`f` takes 1 values, not 0");
    broken("K0162", &call("%a = call @f(%x) : i32"), "`f` gives i64, not i32");
    broken("K0162", &call("call @f(%x)"), "`f` gives 1 values, not 0");
}

#[test]
fn storage_fits() {
    let with = |ops: &str| {
        format!("kernel @k(%x: i64) {{\n  buffer buf0 at 0 bytes 64 copies 1\n{ops}\n  return\n}}")
    };
    broken(
        "K0165",
        &with("%a = load %x : tile<64xf16> in buf0"),
        "takes 128 bytes and buf0 has 64",
    );
    broken("K0165", &with("%a = add %x, %x : i64 in buf0"), "is no tile");
    let arg = "%a = load %x : tile<4xf16>\n%b = for %i = %x to %x step %x carry (%d: tile<4xf16> in buf0 = %a) -> (tile<4xf16>) {\n yield %d\n}";
    broken("K0165", &with(arg), "`d` cannot have storage of its own");
    broken(
        "K0165",
        "kernel @k() {\n  buffer buf0 at 0 bytes 64 copies 0\n  return\n}",
        "at least one copy",
    );
}

/// A kernel with one parameter, `x`, made by hand.
fn by_hand(make: impl FnOnce(&mut Function, Value)) -> Module {
    let mut function = Function::new("k", true, Span::NONE);
    let x = function.add_param("x", Type::I64, false, Span::NONE);
    make(&mut function, x);
    function.append(function.entry, Return { values: Vec::new() }, Vec::new(), Span::NONE);
    let mut module = Module::default();
    module.functions.push(function);
    module
}

#[track_caller]
fn breaks_by_hand(rule: Rule, message: &str, make: impl FnOnce(&mut Function, Value)) {
    let found = verify(&by_hand(make));
    let expected = found.iter().any(|it| it.rule == rule && it.message.contains(message));
    assert!(expected, "{found:#?}");
}

#[test]
fn ids_name_what_exists() {
    breaks_by_hand(Rule::Structure, "there is no value %99", |f, x| {
        let op = Binary { op: BinaryOp::Add, x, y: Value(99) };
        f.append_value(f.entry, op, Type::I64, Span::NONE);
    });
    breaks_by_hand(Rule::Structure, "there is no op99", |f, _| {
        f.blocks[f.entry].ops.push(OpId(99));
    });
    breaks_by_hand(Rule::Structure, "there is no block ^99", |f, _| {
        let value = Const { value: Literal::Int(1) };
        let condition = f.append_value(f.entry, value, Type::BOOL, Span::NONE);
        let op = If { condition, then: BlockId(99), otherwise: BlockId(99) };
        f.append(f.entry, op, Vec::new(), Span::NONE);
    });
}

#[test]
fn ops_and_blocks_form_a_tree() {
    breaks_by_hand(Rule::Structure, "stands in two places", |f, x| {
        let op = f.append(f.entry, Send { dir: String::new(), src: x }, Vec::new(), Span::NONE);
        f.blocks[f.entry].ops.push(op);
    });
    breaks_by_hand(Rule::Structure, "is owned twice", |f, _| {
        let value = Const { value: Literal::Int(1) };
        let condition = f.append_value(f.entry, value, Type::BOOL, Span::NONE);
        let side = f.add_block();
        f.append(side, Yield { values: Vec::new() }, Vec::new(), Span::NONE);
        let op = If { condition, then: side, otherwise: side };
        f.append(f.entry, op, Vec::new(), Span::NONE);
    });
    breaks_by_hand(Rule::Structure, "is owned twice", |f, _| {
        // A block inside itself.
        let value = Const { value: Literal::Int(1) };
        let condition = f.append_value(f.entry, value, Type::BOOL, Span::NONE);
        let op = If { condition, then: f.entry, otherwise: f.entry };
        f.append(f.entry, op, Vec::new(), Span::NONE);
    });
}

#[test]
fn definitions_know_their_place() {
    breaks_by_hand(Rule::Structure, "is defined in two places", |f, x| {
        f.values[x].def = Def::Result(OpId(0), 0);
    });
    breaks_by_hand(Rule::Structure, "the parameters are not the entry's arguments", |f, _| {
        f.params.clear();
    });
}

#[test]
fn nesting_is_bounded() {
    let module = by_hand(|f, _| {
        let value = Const { value: Literal::Int(1) };
        let condition = f.append_value(f.entry, value, Type::BOOL, Span::NONE);
        let mut block = f.entry;
        for _ in 0..10_000 {
            let (then, otherwise) = (f.add_block(), f.add_block());
            f.append(block, If { condition, then, otherwise }, Vec::new(), Span::NONE);
            block = then;
        }
    });
    let found = verify(&module);
    assert!(found.iter().any(|it| it.message.contains("nest deeper than 96")), "{}", found.len());
}

#[test]
fn atomics_change_elements_of_their_type() {
    let takes = "`atomic_and` does not take f16";
    breaks("K0162", "atomic_and %p, %t", takes);
    breaks("K0162", "%r = atomic_add %p, %t : tile<8x4xf16>", "this gives tile<4x8xf16>");
    breaks("K0162", "atomic_add %p, %t expected %t", "only `atomic_cas` expects something");
    breaks("K0162", "atomic_cas %p, %t", "only `atomic_cas` expects something");
    breaks("K0162", "atomic_add %p, %s", "this takes a tile");
    let other = "%u = cast %t : tile<4x8xf32>\n";
    breaks("K0162", &format!("{other}atomic_add %p, %u"), "a pointer to f16 is used");
    breaks("K0162", &format!("{other}atomic_cas %p, %t expected %u"), "expects tile<4x8xf32>");
    breaks("K0162", "atomic_add %p, %t strides [1]", "1 strides are given for 2 axes");
    keeps("%r = atomic_add %p, %t mask %c : tile<4x8xf16>\natomic_cas %p, %t expected %t");
}

#[test]
fn addresses_are_cast_to_addresses() {
    breaks("K0162", "%a = pointer_cast %y : *f16", "an address is an i64 or a pointer, not");
    breaks("K0162", "%a = pointer_cast %p : i32", "an address is an i64 or a pointer");
    breaks("K0162", "%a = pointer_cast %t : *f16", "an address is an i64 or a pointer, not");
    keeps("%a = pointer_cast %p : i64\n%b = pointer_cast %a : *i8\n%d = pointer_cast %b : *f32");
}
