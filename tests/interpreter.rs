//! The reference interpreter against results worked out by hand.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::collections::BTreeMap;

use kbc::ir::Literal;
use kbc::ir::interpret::{Fault, Launch, Memory, Messages, Reason};

/// Where the tests' memory begins.
const BASE: i64 = 4096;

/// Runs the kernel of `body`, whose parameter is `%p`, the address of `bytes`.
fn run_in(body: &str, bytes: Vec<u8>, programs: usize) -> Result<(Vec<u8>, Messages), Fault> {
    let module = support::read(&format!("kernel @k(%p: i64) {{\n{body}\nreturn\n}}"));
    let function = &module.functions[module.kernels().next().unwrap()];
    let mut memory = Memory::new();
    memory.add(BASE, bytes);
    let ids: Vec<[u32; 3]> = (0..programs as u32).map(|id| [id, 0, 0]).collect();
    let ring = |from: usize, dir: &str| match dir {
        "E" => Some(((from + 1) % programs, String::from("W"))),
        "W" => Some(((from + programs - 1) % programs, String::from("E"))),
        _ => None,
    };
    let launch = Launch {
        module: Some(&module),
        function,
        params: &BTreeMap::from([(String::from("p"), Literal::Int(BASE))]),
        programs: &ids,
        num_programs: [programs as u32, 1, 1],
        peers: &ring,
        budget: 10_000,
    };
    let messages = launch.run(&mut memory)?;
    let bytes = memory.stretches().next().unwrap().1.to_vec();
    Ok((bytes, messages))
}

/// The memory, as `f32`, that one program leaves.
fn floats(body: &str, values: &[f32]) -> Vec<f32> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let (bytes, _) = run_in(body, bytes, 1).unwrap();
    bytes.chunks(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// Why one program on 64 zero bytes stops.
fn reason(body: &str) -> Reason {
    run_in(body, vec![0; 64], 1).unwrap_err().reason
}

#[test]
fn tiles_compute_element_by_element() {
    let body = "%x = load %p : tile<2x2xf32>
        %y = add %x, %x : tile<2x2xf32>
        %t = transpose %y [1, 0] : tile<2x2xf32>
        store %p, %t";
    assert_eq!(floats(body, &[1.0, 2.0, 3.0, 4.0]), [2.0, 6.0, 4.0, 8.0]);
}

#[test]
fn rows_and_columns_broadcast() {
    let body = "%x = load %p : tile<2x3xf32>
        %row = sum %x axis 0 : tile<3xf32>
        %column = max %x axis 1 keep_dims : tile<2x1xf32>
        %y = add %row, %column : tile<2x3xf32>
        store %p, %y";
    assert_eq!(
        floats(body, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]),
        [14.0, 25.0, 36.0, 41.0, 52.0, 63.0]
    );
}

#[test]
fn sums_of_half_floats_are_rounded_at_the_end() {
    // 2048 + 1 is a tie in f16 that goes to 2048; summed in f32 first it is 2050.
    let body = "%x = load %p : tile<3xf32>
        %h = cast %x : tile<3xf16>
        %s = sum %h : tile<f16>
        %w = cast %s : tile<f32>
        store %p, %w";
    assert_eq!(floats(body, &[2048.0, 1.0, 1.0])[0], 2050.0);
}

/// A function that is one op is that op's reduction or scan: in order, in its lane. Others combine
/// neighbours, and round every result.
#[test]
fn functions_of_one_op_are_that_op() {
    let reduced = |body: &str| {
        let body = format!(
            "%x = load %p : tile<3xf32>
            %h = cast %x : tile<3xf16>
            %s = reduce_by %h axis 0 -> (tile<f16>) by (%a: tile<f16>, %b: tile<f16>) {{ {body} }}
            %w = cast %s : tile<f32>
            store %p, %w"
        );
        floats(&body, &[2048.0, 1.0, 1.0])[0]
    };
    assert_eq!(reduced("%c = add %b, %a : tile<f16>\nyield %c"), 2050.0);
    let twice_negated = "%c = neg %a : tile<f16> %d = sub %b, %c : tile<f16>\nyield %d";
    assert_eq!(reduced(twice_negated), 2048.0);
    let scanned = |body: &str| {
        let body = format!(
            "%x = load %p : tile<3xf32>
            %s = scan_by %x axis 0 -> (tile<3xf32>) by (%a: tile<f32>, %b: tile<f32>) {{ {body} }}
            store %p, %s"
        );
        floats(&body, &[16_777_216.0, 1.0, 1.0])[2]
    };
    assert_eq!(scanned("%c = add %a, %b : tile<f32>\nyield %c"), 16_777_216.0);
    let twice_negated = "%c = neg %a : tile<f32> %d = sub %b, %c : tile<f32>\nyield %d";
    assert_eq!(scanned(twice_negated), 16_777_218.0);
}

#[test]
fn products_add_in_order_and_in_single_precision() {
    // 1e8 + 1 is 1e8 in f32: from the left 0, from the right 1.
    let body = "%x = load %p : tile<1x3xf32>
        %one = const 1.0 : f32
        %y = full %one : tile<3x1xf32>
        %z = dot %x, %y : tile<1x1xf32>
        store %p, %z";
    assert_eq!(floats(body, &[1e8, 1.0, -1e8])[0], 0.0);
    assert_eq!(floats(body, &[1e8, -1e8, 1.0])[0], 1.0);
}

#[test]
fn the_leftmost_winner_is_chosen_and_no_nan() {
    let body = "%x = load %p : tile<4xf32>
        %i = argmax %x : tile<i32>
        %f = cast %i : tile<f32>
        store %p, %f";
    assert_eq!(floats(body, &[f32::NAN, 2.0, 7.0, 7.0])[0], 2.0);
    assert_eq!(floats(body, &[f32::NAN; 4])[0], 0.0);
}

#[test]
fn loops_carry_and_branches_give() {
    // 10 + 8 + 6 + 4 + 2, counted down; odd numbers would be added twice.
    let body = "%ten = const 10 : i64
        %zero = const 0 : i64
        %down = const -2 : i64
        %one = const 1 : i64
        %sum = for %i = %ten to %zero step %down carry (%s: i64 = %zero) {
          %bit = bit_and %i, %one : i64
          %odd = ne %bit, %zero : i1
          %n = if %odd -> (i64) {
            %two = add %i, %i : i64
            yield %two
          } else {
            yield %i
          }
          %next = add %s, %n : i64
          yield %next
        }
        %f = cast %sum : f32
        %t = full %f : tile<1xf32>
        store %p, %t";
    assert_eq!(floats(body, &[0.0]), [30.0]);
}

#[test]
fn a_tested_loop_doubles_until_it_is_enough() {
    let body = "%one = const 1 : i64
        %limit = const 100 : i64
        %last = while carry (%x: i64 = %one) {
          %small = lt %x, %limit : i1
          condition %small, %x
        } do (%y: i64) {
          %twice = add %y, %y : i64
          yield %twice
        }
        %f = cast %last : f32
        %t = full %f : tile<1xf32>
        store %p, %t";
    assert_eq!(floats(body, &[0.0]), [128.0]);
}

#[test]
fn descriptors_gather_and_scatter_strides() {
    // Every second element, in reverse, to every fourth byte from the start.
    let body = "%last = const 4112 : i64
        %x = dma_read %last desc [3:-8] elem 4 : tile<3xf32>
        dma_write %p, %x desc [3:4] elem 4";
    assert_eq!(floats(body, &[0.0, 1.0, 2.0, 3.0, 4.0]), [4.0, 2.0, 0.0, 3.0, 4.0]);
}

#[test]
fn atomics_change_lane_by_lane() {
    // Lanes 0 and 2 are at element 0, lane 1 at element 1; lane 2 finds what lane 0 left.
    let body = "%one = const 1.0 : f32
        %v = full %one : tile<3xf32>
        %i = arange 0 : tile<3xi32>
        %two = const 2 : i32
        %j = rem %i, %two : tile<3xi32>
        %old = atomic_add %p, %v offsets %j : tile<3xf32>
        %at = add %p, %eight : i64
        store %at, %old";
    let body = format!("%eight = const 8 : i64\n{body}");
    let left = floats(&body, &[5.0, 7.0, 0.0, 0.0, 0.0]);
    assert_eq!(left, [7.0, 8.0, 5.0, 7.0, 6.0]);
    // Only what is as expected is replaced; nobody asks what was there.
    let body = "%v = load %p : tile<4xf32>
        %three = const 3.0 : f32
        %e = full %three : tile<4xf32>
        %n = neg %v : tile<4xf32>
        %c = lt %v, %e : tile<4xi1>
        atomic_cas %p, %n expected %e strides [1]
        atomic_xchg %p, %e mask %c strides [1]";
    assert_eq!(floats(body, &[1.0, 3.0, 2.0, 4.0]), [3.0, -3.0, 3.0, 4.0]);
}

#[test]
fn messages_go_round_and_wait_for_their_senders() {
    // Each of three programs stores what the one before it and the one before that sent.
    let body = "%rank = program_id 0 : i64
        %four = const 4 : i64
        %offset = mul %rank, %four : i64
        %at = add %p, %offset : i64
        %f = recv_async \"W\" : future<1xf32>
        %x = load %at : tile<1xf32>
        send \"E\", %x
        %a = wait %f : tile<1xf32>
        send \"E\", %a
        %b = recv \"W\" : tile<1xf32>
        %ten = const 10.0 : f32
        %tens = mul %a, %ten : tile<1xf32>
        %y = add %tens, %b : tile<1xf32>
        store %at, %y";
    let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|it| it.to_le_bytes()).collect();
    let (bytes, messages) = run_in(body, bytes, 3).unwrap();
    let values: Vec<f32> =
        bytes.chunks(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect();
    assert_eq!(values, [32.0, 13.0, 21.0]);
    assert_eq!(messages.values().map(Vec::len).sum::<usize>(), 6);
}

#[test]
fn who_waits_for_ever_is_named() {
    let body = "%x = recv \"W\" : tile<1xf32>
        store %p, %x";
    let fault = run_in(body, vec![0; 64], 2).unwrap_err();
    assert_eq!((fault.program, fault.reason), (0, Reason::Deadlock(String::from("W"))));
}

#[test]
fn what_goes_wrong_is_a_value() {
    let out = "%far = const 4157 : i64
        %x = load %far : tile<1xf32>
        store %p, %x";
    assert_eq!(reason(out), Reason::OutOfBounds { address: 4157, bytes: 4 });
    let zero = "%x = load %p : tile<2xi32>
        %y = int_div %x, %x : tile<2xi32>
        store %p, %y";
    assert_eq!(reason(zero), Reason::DivisionByZero);
    let endless = "%zero = const 0 : i64
        %one = const 1 : i64
        while {
          %go = lt %zero, %one : i1
          condition %go
        } do () {
          yield
        }";
    assert_eq!(reason(endless), Reason::Budget);
    let asserts = "%zero = const 0 : i64
        %no = ne %zero, %zero : i1
        assert %no, \"never\"";
    assert_eq!(reason(asserts), Reason::Assertion(String::from("never")));
    let large = "%x = load %p : tile<4194304x4194304xf32>
        store %p, %x";
    assert_eq!(reason(large), Reason::TooLarge);
    let nobody = "%x = load %p : tile<1xf32>
        send \"up\", %x";
    assert_eq!(reason(nobody), Reason::NoPeer(String::from("up")));
    let other = "%x = load %p : tile<1xf32>
        send \"E\", %x
        %y = recv \"W\" : tile<2xf16>
        store %p, %y";
    assert_eq!(reason(other), Reason::WrongMessage(String::from("W")));
}
