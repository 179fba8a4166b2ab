//! x
mod support;
use support::*;
#[test]
fn ring() {
    let text = r#"
kernel @ring(%t_ptr: i64, %n_elem: i64, %world_size: i64) {
  %two = const 2 : i64
  %one = const 1 : i64
  %zero = const 0 : i64
  %local = program_id 0 : i64
  %cube = program_id 1 : i64
  %per = num_programs 0 : i64
  %base = mul %cube, %per : i64
  %rank = add %base, %local : i64
  %nbytes = mul %n_elem, %two : i64
  %off = mul %rank, %nbytes : i64
  %addr = add %t_ptr, %off : i64
  %acc = load %addr : tile<%n_elem x f16>
  %rounds = sub %world_size, %one : i64
  %acc.1, %current = for %i = %zero to %rounds step %one carry (%acc.2: tile<%n_elem x f16> = %acc, %current.1: tile<%n_elem x f16> = %acc) {
    send "E", %current.1
    %recv = recv "W" : tile<%n_elem x f16>
    %e = extent broadcast %n_elem, %n_elem axis 0 of "the operands of `+`" : i64
    %acc.3 = add %acc.2, %recv : tile<%e x f16>
    yield %acc.3, %recv
  }
  store %addr, %acc.1
  return
}
"#;
    let module = read(text);
    println!("{}", text_of(&module));
    let ran = ran(text, &[("t_ptr", 4096), ("n_elem", 64), ("world_size", 8)]);
    for (name, text) in &ran.stages { println!("== {name}\n{text}"); }
    println!("{}", ran.text());
}
