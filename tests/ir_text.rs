//! Text IR: every op as it is written, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::ir::print::{print, print_with_places};
use kbc::source::SourceMap;
use support::{codes_of, dedent, errors_of, read};

/// Every op once, with every form that its text has.
const EVERY_OP: &str = r#"
kernel @every(%p: i64, %q: *f16, %n: i64, %flag: i1 constexpr) {
  %0 = const 4 : i64
  %1 = const -3 : i32
  %2 = const 1.5 : f16
  %3 = const inf : f32
  %4 = const nan : f32
  %5 = const -0.0 : f64
  %6 = const 1e-7 : f32
  %7 = program_id 1 : i64
  %8 = num_programs 0 : i64
  %9 = extent broadcast %n, %0 axis 0 of "the operands of `+`" : i64
  %10 = extent equal %9, %n axis 1 of "two \"shapes\"\n" : i64
  %11 = add %q, %0 : *f16
  %12 = load %11 : tile<%n x f16>
  %13 = load %p : tile<64x%n x f16>
  %14 = neg %12 : tile<%n x f16>
  %15 = maximum %12, %2 : tile<%n x f16>
  %16 = fma %12, %14, %15 : tile<%n x f16>
  %17 = lt %12, %14 : tile<%n x i1>
  %18 = select %17, %12, %14 : tile<%n x f16>
  %19 = cast %18 : tile<%n x f32>
  %20 = full %2 : tile<4x4xf16>
  %21 = arange 2 : tile<8xi32>
  %22 = reshape %20 : tile<16xf16>
  %23 = transpose %13 [1, 0] : tile<%n x 64xf16>
  %24 = expand_dims %12 axis 0 : tile<1x%n x f16>
  %25 = broadcast %24 : tile<4x%n x f16>
  %26 = copy %25 : tile<4x%n x f16>
  %27 = sum %13 axis 1 keep_dims : tile<64x1xf16>
  %28 = argmax %13 axis 0 : tile<%n x i32>
  %29 = max %12 : tile<f16>
  %30 = dot %20, %20 : tile<4x4xf32>
  %31 = dot %20, %20, %30 : tile<4x4xf32>
  store %p, %31
  %32 = dma_read %p desc [16:2] elem 2 : tile<16xf16>
  dma_write %p, %32 desc [4:32, 4:2] elem 2
  send "E", %32
  %33 = recv "W" : tile<16xf16>
  %34 = recv "W" dst %33 no_consume : tile<16xf16>
  %35 = recv_async "N" : future<16xf16>
  %36 = wait %35 : tile<16xf16>
  release %36
  assert %flag, "a \\ in a message"
  %37, %38 = call @helper(%n, %12) : i64, tile<%37 x f16>
  %sum, %last = for %i = %0 to %n step %0 unroll stages 2 carry (%sum.1: tile<16xf16> = %33, %last.1: i64 = %0) {
    yield %sum.1, %i
  }
  for %j: i32 = %1 to %1 step %1 {
    yield
  }
  %39 = while carry (%40: i64 = %0) {
    %41 = lt %40, %n : i1
    condition %41, %40
  } do (%42: i64) {
    yield %42
  }
  while {
    condition %flag
  } do () {
    yield
  }
  %43 = if %flag -> (i64) {
    yield %0
  } else {
    yield %n
  }
  return
}

func @helper(%n: i64, %x: tile<%n x f16>) {
  return %n, %x : i64, tile<%n x f16>
}
"#;

#[test]
fn every_op_prints_as_it_is_read() {
    let text = EVERY_OP.trim_start();
    assert_eq!(print(&read(text)), text);
}

#[test]
fn storage_prints_as_it_is_read() {
    let text = dedent(
        r#"
        kernel @k(%p: i64) {
          buffer buf0 at 0 bytes 64 copies 2
          buffer buf1 at 128 bytes 128 copies 1
          %0 = const 0 : i64
          %1 = load %p : tile<32xf16> in buf0
          %2 = recv "W" : tile<32xf16> in slot
          %3 = for %i = %0 to %p step %p carry (%4: tile<32xf16> in alias = %1) {
            yield %4
          }
          return
        }
        "#,
    );
    assert_eq!(print(&read(&text)), text);
}

#[test]
fn values_of_one_name_are_told_apart_by_order() {
    let text =
        "kernel @k(%x: i64) {\n  %x.7 = add %x, %x : i64\n  %9 = add %x.7, %x : i64\n  return\n}\n";
    let printed =
        "kernel @k(%x: i64) {\n  %x.1 = add %x, %x : i64\n  %0 = add %x.1, %x : i64\n  return\n}\n";
    assert_eq!(print(&read(text)), printed);
}

#[test]
fn blanks_breaks_and_comments_do_not_matter() {
    let dense = "kernel@k(%x:i64){%y=if %x.1->(i64){yield %x}else{yield %x}return}";
    let dense = dense.replace("%x:i64", "%x:i64,%x.1:i1");
    let airy = dedent(
        r#"
        // A kernel.
        kernel @k ( %x : i64 ,
                    %x.1 : i1 ) {  // a comment
          %y = if %x.1
                 -> ( i64 ) { yield %x }

          else { yield %x }
          return // the end
        }
        "#,
    );
    assert_eq!(print(&read(&dense)), print(&read(&airy)));
}

#[test]
fn functions_may_have_any_name() {
    let text = "func @\"a \\\"b\\\"\"() {\n  return\n}\n\nkernel @k() {\n  call @\"a \\\"b\\\"\"()\n  return\n}\n";
    assert_eq!(print(&read(text)), text);
}

#[test]
fn places_are_comments() {
    let text = "kernel @k(%x: i64) {\n  %y = add %x, %x : i64\n  return\n}\n";
    let mut sources = SourceMap::new();
    let file = sources.add("there.kir", text);
    let module = kbc::ir::parse::parse(file, text, &mut kbc::diag::Sink::new()).unwrap();
    let placed = print_with_places(&module, &sources);
    assert_eq!(
        placed,
        "kernel @k(%x: i64) {\n  %y = add %x, %x : i64  // there.kir:2\n  return  // there.kir:3\n}\n"
    );
    assert_eq!(print(&read(&placed)), text);
}

#[test]
fn spans_lie_in_the_text() {
    let text = "kernel @k(%x: i64) {\n  %y = add %x, %x : i64  // twice\n  return\n}\n";
    let module = read(text);
    let function = &module.functions.values().next().unwrap();
    let op = function.reachable_ops()[0];
    let span = function.spans[op];
    assert_eq!(&text[span.start as usize..span.end as usize], "%y = add %x, %x : i64");
    let span = function.span;
    assert_eq!(&text[span.start as usize..span.end as usize], "kernel @k(%x: i64)");
}

#[test]
fn many_errors_are_found_in_one_run() {
    let text = dedent(
        r#"
        kernel @k(%x: i64) {
          %a = plus %x, %x : i64
          %b = add %a, %x : i64
          %c = add %x : i64
          for %i = %x to %nowhere step %x {
            %d = add %x, %x : i64
            yield
          }
          %e = load %x : tile<4xf17>
          %f = const 99999999999999999999 : i64
          return
        }

        func @g() {
          %a, %b = program_id 0 : i64
          return
        }
        "#,
    );
    // `%b` uses what the first error should have defined: that is not said again.
    assert_eq!(codes_of(&text), ["K0151", "K0150", "K0152", "K0154", "K0155", "K0150"]);
}

#[test]
fn errors_show_the_place_and_the_remedy() {
    let text = "kernel @k(%x: i64) {\n  %y = addd %x, %x : i64\n  return\n}\n";
    insta::assert_snapshot!(errors_of(text), @"
    error[K0151]: there is no operation `addd`
      ┌─ test.kir:2:8
      │
    2 │   %y = addd %x, %x : i64
      │        ^^^^ unknown operation
      │
      = help: an operation with a similar name exists: `add`
    ");
}

#[test]
fn calls_of_a_function_that_does_not_read_are_forgotten() {
    let call = "func @f(%x: i64) {\n  %y = call @f(%x) : i64\n  return %y : i64\n";
    assert_eq!(codes_of(call), ["K0150"]);
    assert_eq!(codes_of(&format!("func @g() {{\n  return\n}}\n{call}")), ["K0150"]);
}

#[test]
fn names_are_defined_once() {
    assert_eq!(codes_of("kernel @k(%x: i64, %x: i64) {\n  return\n}"), ["K0153"]);
    assert_eq!(codes_of("kernel @k() {\n  return\n}\nkernel @k() {\n  return\n}"), ["K0153"]);
    assert_eq!(
        codes_of("kernel @k() {\n  buffer buf1 at 0 bytes 1 copies 1\n  return\n}"),
        ["K0153"]
    );
}

#[test]
fn results_and_types_are_as_many() {
    let of = |op: &str| codes_of(&format!("kernel @k(%x: i64, %c: i1) {{\n  {op}\n  return\n}}"));
    assert_eq!(of("%a = program_id 0 : i64, i64"), ["K0156"]);
    assert_eq!(of("program_id 0 : i64"), ["K0156"]);
    assert_eq!(of("%a, %b = program_id 0 : i64"), ["K0150"]);
    assert_eq!(of("%a = program_id 0"), ["K0150"]);
    assert_eq!(of("%a = if %c { yield } else { yield }"), ["K0156"]);
}

#[test]
fn unknown_callees_are_refused() {
    assert_eq!(codes_of("kernel @k() {\n  call @f()\n  return\n}"), ["K0152"]);
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    for depth in [97, 1_000, 100_000] {
        let open = "if %c {\n".repeat(depth);
        let close = "yield } else { yield }\n".repeat(depth);
        let text = format!("kernel @k(%c: i1) {{\n{open}{close}return\n}}");
        assert_eq!(codes_of(&text)[0], "K0157", "{depth}");
    }
    let open = "if %c {\n".repeat(96);
    let close = "yield } else { yield }\n".repeat(96);
    assert!(codes_of(&format!("kernel @k(%c: i1) {{\n{open}{close}return\n}}")).is_empty());
}

#[test]
fn a_file_of_errors_is_given_up() {
    let text = format!("kernel @k() {{\n{}return\n}}", "  oops\n".repeat(100_000));
    assert_eq!(codes_of(&text).len(), 100);
}
