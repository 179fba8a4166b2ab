//! Addresses become descriptors and windows: `descriptors` and `affine`.

use crate::support::{after_pass, check_pass};

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
