//! Every op on every type gives what NumPy, ml_dtypes, mpmath and Python's integers give;
//! `conformance/make.py` says how its vectors were made.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

#[path = "replay_runs/kit.rs"]
#[expect(dead_code, reason = "the kit serves other tests, too")]
mod kit;

use kbc::command::{Arg, ArgSpec, GemmSpec, MathOp, MathSpec, TileReg};
use kbc::dtype::{DType, Rounding};
use kbc::ops::{BinaryOp, CompareOp, CostClass, ReduceOp, TernaryOp, UnaryOp};
use kbc::replay::{Memory, ulps, value};
use kbc::shape::Shape;
use kbc::topology::PeId;
use serde_json::Value;

use kit::{Choices, CodeKit, line, log, program, replay, tensor};

/// Where results go.
const OUT: u64 = 0x100_0000;

fn cases(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).expect("the vectors are JSON");
    file["cases"].as_array().expect("there are cases").clone()
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("arrays are text");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("arrays are hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn dtype(name: &Value) -> DType {
    DType::from_name(name.as_str().unwrap()).unwrap()
}

/// Runs the command that `build` makes of the tiles, and reads its result of `out` elements.
fn run(
    inputs: &[(DType, Vec<u8>)],
    (out_type, out_elements): (DType, u64),
    build: impl Fn(&mut CodeKit, &[TileReg]) -> TileReg,
) -> Vec<u8> {
    let mut code = CodeKit::new();
    let mut regions = vec![tensor("out", OUT, out_elements * out_type.bytes())];
    let mut tiles = Vec::new();
    for (at, (dtype, bytes)) in inputs.iter().enumerate() {
        let base = (at as u64 + 1) << 16;
        regions.push(tensor("input", base, bytes.len() as u64));
        tiles.push(code.read(base, line(bytes.len() as u64 / dtype.bytes(), *dtype)));
    }
    let out = build(&mut code, &tiles);
    code.write(OUT, line(out_elements, out_type), out);
    let program = program(vec![code], regions, 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    for (at, (_, bytes)) in inputs.iter().enumerate() {
        memory.write(None, (at as u64 + 1) << 16, bytes).unwrap();
    }
    let (memory, said) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert!(said.is_empty(), "{said:?}");
    memory.read(PeId(0), OUT, out_elements * out_type.bytes()).unwrap()
}

/// Compares element by element; `shown` says what was computed.
fn assert_near(
    dtype: DType,
    got: &[u8],
    expected: &[u8],
    most: u64,
    shown: &dyn Fn(usize) -> String,
) {
    assert_eq!(got.len(), expected.len());
    let size = dtype.bytes() as usize;
    for (at, (got, expected)) in got.chunks(size).zip(expected.chunks(size)).enumerate() {
        let distance = ulps(dtype, got, expected);
        assert!(
            distance.is_some_and(|distance| distance <= most),
            "{}: got {}, expected {} ({distance:?} ulp apart)",
            shown(at),
            value(dtype, got),
            value(dtype, expected),
        );
        let is_nan = value(dtype, got).as_f64().is_nan();
        assert!(!is_nan || got == nan(dtype), "{}: a NaN that is not canonical", shown(at));
    }
}

/// The canonical NaN.
fn nan(dtype: DType) -> Vec<u8> {
    let bits: u64 = match dtype.name() {
        "f8e4m3" => 0x7f,
        "f8e5m2" => 0x7e,
        "f8e4b8" | "f8e5b16" => 0x80,
        "f16" => 0x7e00,
        "bf16" => 0x7fc0,
        "f32" => 0x7fc0_0000,
        _ => 0x7ff8_0000_0000_0000,
    };
    bits.to_le_bytes()[..dtype.bytes() as usize].to_vec()
}

/// Checks every result of every case of a file of elementwise ops. `resolve` gives the op of a
/// result and the type of its elements.
fn elementwise(file: &str, resolve: impl Fn(&str, DType) -> (MathOp, DType)) -> usize {
    let mut checked = 0;
    for case in cases(file) {
        let from = dtype(&case["dtype"]);
        let args = case["args"].as_array().unwrap();
        let inputs: Vec<(DType, Vec<u8>)> = args.iter().map(|arg| (from, bytes(arg))).collect();
        let elements = inputs[0].1.len() as u64 / from.bytes();
        for (name, expected) in case["results"].as_object().unwrap() {
            let (op, to) = resolve(name, from);
            let got = run(&inputs, (to, elements), |code, tiles| {
                code.elementwise(op, (from, to), &Shape::new([elements]), tiles)
            });
            let size = from.bytes() as usize;
            let shown = |at: usize| {
                let arg = |(_, bytes): &(DType, Vec<u8>)| {
                    value(from, &bytes[at * size..][..size]).to_string()
                };
                let args: Vec<String> = inputs.iter().map(arg).collect();
                format!("{name} of {from} ({}) to {to}", args.join(", "))
            };
            assert_near(to, &got, &bytes(expected), case["ulps"].as_u64().unwrap(), &shown);
            checked += 1;
        }
    }
    checked
}

#[test]
fn unary_ops() {
    let checked = elementwise(include_str!("conformance/unary.json"), |name, dtype| {
        (MathOp::Unary(UnaryOp::from_name(name).unwrap()), dtype)
    });
    // 15 of 4 float types, 3 of 8 integer types.
    assert_eq!(checked, 15 * 4 + 3 * 8);
}

#[test]
fn binary_ops() {
    let checked = elementwise(include_str!("conformance/binary.json"), |name, dtype| {
        (MathOp::Binary(BinaryOp::from_name(name).unwrap()), dtype)
    });
    assert_eq!(checked, 7 * 4 + 14 * 8);
}

#[test]
fn ternary_ops() {
    let checked = elementwise(include_str!("conformance/ternary.json"), |name, dtype| {
        (MathOp::Ternary(TernaryOp::from_name(name).unwrap()), dtype)
    });
    assert_eq!(checked, 2 * 4);
}

#[test]
fn comparisons() {
    let checked = elementwise(include_str!("conformance/compare.json"), |name, _| {
        (MathOp::Compare(CompareOp::from_name(name).unwrap()), DType::I1)
    });
    assert_eq!(checked, 6 * 10);
}

#[test]
fn casts() {
    let checked = elementwise(include_str!("conformance/cast.json"), |name, _| {
        (MathOp::Cast(Rounding::NearestEven), DType::from_name(name).unwrap())
    });
    assert_eq!(checked, 17 * 17);
}

#[test]
fn reductions() {
    for case in cases(include_str!("conformance/reduce.json")) {
        let from = dtype(&case["dtype"]);
        let extents: Vec<u64> =
            case["shape"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).collect();
        let shape = Shape::new(extents);
        let axis = case["axis"].as_u64().map(|axis| axis as u32);
        let elements = axis.map_or(1, |axis| shape.elements() / shape.0[axis as usize]);
        let inputs = [(from, bytes(&case["args"][0]))];
        for (name, expected) in case["results"].as_object().unwrap() {
            let op = ReduceOp::from_name(name).unwrap();
            let to = if op.gives_index() { DType::I32 } else { from };
            let got = run(&inputs, (to, elements), |code, tiles| {
                code.elementwise(MathOp::Reduce(op, axis), (from, to), &shape, tiles)
            });
            let shown = |at| format!("{name} of {from} along {axis:?} at {at}");
            assert_near(to, &got, &bytes(expected), 0, &shown);
        }
    }
}

/// A transposed view of the same numbers reduces to the same results.
#[test]
fn reductions_of_transposed_tiles() {
    for case in cases(include_str!("conformance/reduce.json")) {
        let (from, Some(axis)) = (dtype(&case["dtype"]), case["axis"].as_u64()) else { continue };
        let inputs = [(from, bytes(&case["args"][0]))];
        for (name, expected) in case["results"].as_object().unwrap() {
            let op = ReduceOp::from_name(name).unwrap();
            let to = if op.gives_index() { DType::I32 } else { from };
            let spec = MathSpec {
                op: MathOp::Reduce(op, Some(1 - axis as u32)),
                shape: Shape::new([40, 7]),
                args: vec![ArgSpec { dtype: from, offset: 0, strides: vec![1, 40] }],
                out: to,
                cost: CostClass::Simple,
            };
            let elements = 280 / [7, 40][axis as usize];
            let got = run(&inputs, (to, elements), |code, tiles| {
                code.math(spec.clone(), &[Arg::Tile(tiles[0])])
            });
            let shown = |at| format!("{name} of transposed {from} at {at}");
            assert_near(to, &got, &bytes(expected), 0, &shown);
        }
    }
}

#[test]
fn matrix_products() {
    for case in cases(include_str!("conformance/gemm.json")) {
        let size = |name: &str| case[name].as_u64().unwrap();
        let (m, n, k) = (size("m"), size("n"), size("k"));
        let (input, out) = (dtype(&case["input"]), dtype(&case["out"]));
        let (a, b) = (bytes(&case["a"]), bytes(&case["b"]));
        let mut inputs = vec![(input, a.clone()), (input, b.clone())];
        if case["acc"].is_string() {
            inputs.push((out, bytes(&case["acc"])));
        }
        let row_major = ([0, k as i64, 1], [0, n as i64, 1]);
        let column_major = ([0, 1, m as i64], [0, 1, k as i64]);
        for ((a_strides, b_strides), transposed) in [(row_major, false), (column_major, true)] {
            if transposed {
                inputs[0].1 = transpose(&a, (m, k), input);
                inputs[1].1 = transpose(&b, (k, n), input);
            }
            let mut spec = GemmSpec::dense([m, n, k], input, out);
            (spec.a.strides, spec.b.strides) = (a_strides, b_strides);
            let got = run(&inputs, (out, m * n), |code, tiles| {
                code.gemm(spec.clone(), tiles[0], tiles[1], tiles.get(2).copied())
            });
            let shown = |at: usize| {
                let (row, column) = (at as u64 / n, at as u64 % n);
                format!(
                    "{m}x{k}x{n} of {input} to {out}, transposed {transposed}, at {row},{column}"
                )
            };
            assert_near(out, &got, &bytes(&case["result"]), 0, &shown);
        }
    }
}

/// The elements of a row-major matrix, column by column.
fn transpose(elements: &[u8], (rows, columns): (u64, u64), dtype: DType) -> Vec<u8> {
    let size = dtype.bytes();
    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    places.flat_map(|at| elements[(at * size) as usize..][..size as usize].to_vec()).collect()
}

/// All 65,536 patterns of the 16-bit floats widen as the `half` crate widens them, and rounding
/// agrees with it between, at and beside every pair of neighbours.
#[test]
fn sixteen_bit_floats_agree_with_half() {
    use kbc::dtype::convert::{bf16_from_f32, bf16_to_f32, f16_from_f32, f16_to_f32};
    let same = |ours: f32, theirs: f32| {
        ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan())
    };
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (f16_to_f32(bits), half::f16::from_bits(bits).to_f32());
        assert!(same(ours, theirs), "f16 {bits:#06x}: {ours}, {theirs}");
        let (wide, theirs) = (bf16_to_f32(bits), half::bf16::from_bits(bits).to_f32());
        assert!(same(wide, theirs), "bf16 {bits:#06x}: {wide}, {theirs}");
        for step in [0, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001] {
            for value in [ours, wide] {
                let value = f32::from_bits(value.to_bits().wrapping_add(step));
                let f16 = half::f16::from_f32(value);
                assert!(f16_from_f32(value) == f16.to_bits() || f16.is_nan(), "{value:e}");
                let bf16 = half::bf16::from_f32(value);
                assert!(bf16_from_f32(value) == bf16.to_bits() || bf16.is_nan(), "{value:e}");
            }
        }
    }
}
