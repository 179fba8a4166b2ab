//! Layouts and sizes against plain loops, bit by bit.

use super::*;
use crate::command::{FactorSpec, GemmSpec};
use crate::dtype::Rounding;
use crate::ops::{BinaryOp, CompareOp, CostClass, ReduceOp, UnaryOp};
use crate::replay::data::{Values, generate};
use crate::shape::Shape;

fn spec(op: MathOp, shape: &[u64], args: &[(DType, &[i64])], out: DType) -> MathSpec {
    let args = args
        .iter()
        .map(|(dtype, strides)| ArgSpec { dtype: *dtype, offset: 0, strides: strides.to_vec() })
        .collect();
    MathSpec { op, shape: Shape::new(shape), args, out, cost: CostClass::Simple }
}

fn of<T: bytemuck::Pod>(values: &[T]) -> &[u8] {
    bytemuck::cast_slice(values)
}

fn compute<T: bytemuck::Pod>(spec: &MathSpec, inputs: &[Input<'_>]) -> Vec<T> {
    let mut out = vec![0; (spec.result_elements() * spec.out.bytes()) as usize];
    math(spec, inputs, &mut out).unwrap();
    bytemuck::pod_collect_to_vec(&out)
}

fn f32s(count: u64, seed: u64) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(&generate(DType::F32, count, Values::Normal, seed))
}

/// The element that each place of a shape reads.
fn places(shape: &[u64], strides: &[i64]) -> Vec<usize> {
    let mut places = vec![0_usize];
    for (extent, stride) in shape.iter().zip(strides) {
        let step = |at: &usize| {
            let at = *at;
            (0..*extent).map(move |index| at + index as usize * *stride as usize)
        };
        places = places.iter().flat_map(step).collect();
    }
    places
}

/// Every kind of layout: dense, rows and columns repeated, transposed, with gaps, of three axes,
/// longer than a block.
const LAYOUTS: &[(&[u64], &[i64])] = &[
    (&[3000], &[1]),
    (&[3000], &[0]),
    (&[3000], &[3]),
    (&[70, 40], &[40, 1]),
    (&[70, 40], &[0, 1]),
    (&[70, 40], &[1, 0]),
    (&[70, 40], &[1, 70]),
    (&[70, 40], &[64, 1]),
    (&[5, 1100], &[1100, 1]),
    (&[5, 1100], &[0, 1]),
    (&[5, 7, 33], &[231, 33, 1]),
    (&[5, 7, 33], &[1, 165, 5]),
    (&[5, 7, 33], &[0, 33, 1]),
    (&[5, 7, 33], &[33, 0, 1]),
    (&[5, 1, 33], &[40, 999, 1]),
    (&[1], &[1]),
    (&[], &[]),
];

#[test]
fn operands_are_read_by_their_strides() {
    for (shape, strides) in LAYOUTS {
        let dense = Shape::new(*shape).row_major_strides();
        let places = places(shape, strides);
        let last = places.iter().max().unwrap();
        let (x, y) = (f32s(*last as u64 + 1, 3), f32s(places.len() as u64, 4));
        let args = [(DType::F32, *strides), (DType::F32, dense.as_slice())];
        let sub = spec(MathOp::Binary(BinaryOp::Sub), shape, &args, DType::F32);
        let got: Vec<f32> = compute(&sub, &[Input::Tile(of(&x)), Input::Tile(of(&y))]);
        let expected: Vec<f32> = places.iter().zip(&y).map(|(place, y)| x[*place] - y).collect();
        assert_eq!(got, expected, "{shape:?} by {strides:?}");
        let copy = spec(MathOp::Copy, shape, &args[..1], DType::F32);
        let got: Vec<f32> = compute(&copy, &[Input::Tile(of(&x))]);
        let expected: Vec<f32> = places.iter().map(|place| x[*place]).collect();
        assert_eq!(got, expected, "copy of {shape:?} by {strides:?}");
    }
}

#[test]
fn reductions_follow_the_order_of_their_axis() {
    for (shape, strides) in LAYOUTS {
        let places = places(shape, strides);
        let x = f32s(*places.iter().max().unwrap() as u64 + 1, 5);
        let axes = (0..shape.len() as u32).map(Some).chain([None]);
        for axis in axes {
            let (outer, extent, inner) = match axis {
                None => (1, places.len(), 1),
                Some(axis) => {
                    let axis = axis as usize;
                    let count = |extents: &[u64]| extents.iter().product::<u64>() as usize;
                    (count(&shape[..axis]), shape[axis] as usize, count(&shape[axis + 1..]))
                }
            };
            let row = |outer: usize, inner_at: usize| {
                (0..extent).map(move |at| (outer * extent + at) * inner + inner_at)
            };
            let rows = (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i)));
            let fold = |(o, i): (usize, usize)| {
                row(o, i).map(|at| x[places[at]]).reduce(|sum, it| sum + it).unwrap()
            };
            let expected: Vec<f32> = rows.clone().map(fold).collect();
            let args = [(DType::F32, *strides)];
            let sum = spec(MathOp::Reduce(ReduceOp::Sum, axis), shape, &args, DType::F32);
            let got: Vec<f32> = compute(&sum, &[Input::Tile(of(&x))]);
            assert_eq!(got, expected, "sum of {shape:?} by {strides:?} along {axis:?}");
            let leftmost = |(o, i): (usize, usize)| {
                let values: Vec<f32> = row(o, i).map(|at| x[places[at]]).collect();
                let best = values.iter().copied().reduce(f32::max).unwrap();
                values.iter().position(|it| *it == best).unwrap() as i32
            };
            let expected: Vec<i32> = rows.map(leftmost).collect();
            let place = spec(MathOp::Reduce(ReduceOp::ArgMax, axis), shape, &args, DType::I32);
            let got: Vec<i32> = compute(&place, &[Input::Tile(of(&x))]);
            assert_eq!(got, expected, "argmax of {shape:?} by {strides:?} along {axis:?}");
        }
    }
}

#[test]
fn nans_lose_and_never_win_a_place() {
    let nan = f32::NAN;
    for (x, max, at) in [
        ([nan, 1.0, 3.0, nan], 3.0, 2),
        ([2.0, nan, 2.0, 1.0], 2.0, 0),
        ([nan, nan, f32::NEG_INFINITY, nan], f32::NEG_INFINITY, 2),
    ] {
        let args: [(DType, &[i64]); 1] = [(DType::F32, &[1])];
        let of_max = spec(MathOp::Reduce(ReduceOp::Max, None), &[4], &args, DType::F32);
        assert_eq!(compute::<f32>(&of_max, &[Input::Tile(of(&x))]), [max]);
        let of_place = spec(MathOp::Reduce(ReduceOp::ArgMax, None), &[4], &args, DType::I32);
        assert_eq!(compute::<i32>(&of_place, &[Input::Tile(of(&x))]), [at]);
    }
}

#[test]
fn select_moves_bits_and_ops_make_canonical_nans() {
    let odd = f32::from_bits(0xffc0_1234);
    let (x, y) = ([odd, 1.0, odd], [2.0_f32, odd, 3.0]);
    let args: [(DType, &[i64]); 3] = [(DType::I1, &[1]), (DType::F32, &[1]), (DType::F32, &[1])];
    let select = spec(MathOp::Select, &[3], &args, DType::F32);
    let holds = [1_u8, 0, 0];
    let inputs = [Input::Tile(&holds), Input::Tile(of(&x)), Input::Tile(of(&y))];
    let bits: Vec<u32> = compute(&select, &inputs);
    assert_eq!(bits, [odd.to_bits(), odd.to_bits(), 3.0_f32.to_bits()]);
    for op in [
        MathOp::Unary(UnaryOp::Neg),
        MathOp::Unary(UnaryOp::Abs),
        MathOp::Cast(Rounding::NearestEven),
    ] {
        let bits: Vec<u32> =
            compute(&spec(op, &[3], &args[1..2], DType::F32), &[Input::Tile(of(&x))]);
        assert_eq!((bits[0], bits[2]), (0x7fc0_0000, 0x7fc0_0000), "{op:?}");
    }
}

#[test]
fn scalars_are_of_their_type() {
    let arg: [(DType, &[i64]); 1] = [(DType::F16, &[])];
    let full = spec(MathOp::Full, &[5], &arg, DType::F16);
    let got: Vec<u16> = compute(&full, &[Input::Scalar(Literal::Float(0.1))]);
    assert_eq!(got, [0x2e66; 5]);
    let big = [(DType::U64, &[][..]), (DType::U64, &[1][..])];
    let less = spec(MathOp::Compare(CompareOp::Gt), &[2], &big, DType::I1);
    let inputs = [Input::Scalar(Literal::Int(-1)), Input::Tile(of(&[u64::MAX, 5]))];
    assert_eq!(compute::<u8>(&less, &inputs), [0, 1]);
    let arange = spec(MathOp::Arange(-2), &[2000], &[], DType::I16);
    let expected: Vec<i16> = (-2..1998).collect();
    assert_eq!(compute::<i16>(&arange, &[]), expected);
}

#[test]
fn truth_values_negate() {
    let args: [(DType, &[i64]); 1] = [(DType::I1, &[1])];
    let not = spec(MathOp::Unary(UnaryOp::BitNot), &[3], &args, DType::I1);
    assert_eq!(compute::<u8>(&not, &[Input::Tile(&[0, 1, 7])]), [1, 0, 0]);
}

#[test]
fn tiles_need_not_be_aligned() {
    let x = f32s(9, 1);
    let shifted: Vec<u8> = [&[0_u8; 3], of(&x)].concat();
    let args: [(DType, &[i64]); 1] = [(DType::F32, &[1])];
    let negate = spec(MathOp::Unary(UnaryOp::Neg), &[9], &args, DType::F32);
    let mut out = [0; 39];
    for start in 0..4 {
        let out = &mut out[start..start + 36];
        math(&negate, &[Input::Tile(&shifted[3..])], out).unwrap();
        let got: Vec<f32> = bytemuck::pod_collect_to_vec(out);
        assert!(got.iter().zip(&x).all(|(got, x)| *got == -x));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = f32s(8, 1);
    let refused = |shape: &[u64], strides: &[i64], out: usize| {
        let it = spec(MathOp::Copy, shape, &[(DType::F32, strides)], DType::F32);
        let result = math(&it, &[Input::Tile(of(&x))], &mut vec![0; out]);
        matches!(result, Err(NumericError::Malformed(_)))
    };
    assert!(!refused(&[8], &[1], 32));
    assert!(refused(&[8], &[1], 28));
    assert!(refused(&[9], &[1], 36));
    assert!(refused(&[4], &[-1], 16));
    assert!(refused(&[4], &[1, 1], 16));
    assert!(refused(&[2, 2], &[i64::MAX, 1], 16));
    assert!(!refused(&[0], &[1], 0));
}

/// The definition: from the addend, product by product, each rounded.
fn sum_of_products(spec: &GemmSpec, a: &[f32], b: &[f32], acc: Option<&[f32]>) -> Vec<f32> {
    let (m, n, k) = (spec.m as usize, spec.n as usize, spec.k as usize);
    let at = |it: &FactorSpec, i: usize, j: usize| {
        i * it.strides[1] as usize + j * it.strides[2] as usize
    };
    let element = |place: usize| {
        let (i, j) = (place / n, place % n);
        (0..k).fold(acc.map_or(0.0, |acc| acc[place]), |sum, k| {
            sum + a[at(&spec.a, i, k)] * b[at(&spec.b, k, j)]
        })
    };
    (0..m * n).map(element).collect()
}

/// Sizes around those of panels and kernels.
const SIZES: &[(u64, u64, u64)] = &[
    (1, 1, 1),
    (1, 100, 300),
    (5, 7, 9),
    (6, 16, 128),
    (7, 17, 129),
    (6, 64, 128),
    (13, 65, 257),
    (37, 800, 33),
    (70, 48, 1),
    (3, 769, 130),
];

#[test]
fn products_are_summed_in_order_at_any_size() {
    for (m, n, k) in SIZES.iter().copied() {
        for transposed in [false, true] {
            let strides = |rows: u64, columns: u64| {
                if transposed { [0, 1, rows as i64] } else { [0, columns as i64, 1] }
            };
            let mut spec = GemmSpec::dense([m, n, k], DType::F32, DType::F32);
            (spec.a.strides, spec.b.strides) = (strides(m, k), strides(k, n));
            let (a, b, acc) = (f32s(m * k, 1), f32s(k * n, 2), f32s(m * n, 3));
            for acc in [None, Some(acc.as_slice())] {
                let mut out = vec![0_f32; (m * n) as usize];
                let factors = Factors { a: of(&a), b: of(&b), acc: acc.map(of) };
                matmul(&spec, factors, bytemuck::cast_slice_mut(&mut out)).unwrap();
                let expected = sum_of_products(&spec, &a, &b, acc);
                assert!(out == expected, "{m}x{n}x{k}, transposed: {transposed}");
            }
        }
    }
}

/// Against `f64`, within `k * u * Σ|a b|` of the rounding of products and sums.
#[test]
fn products_are_near_those_of_f64() {
    let (m, n, k) = (17, 90, 300);
    let (a, b) = (f32s(m * k, 8), f32s(k * n, 9));
    let spec = GemmSpec::dense([m, n, k], DType::F32, DType::F32);
    let mut out = vec![0_f32; (m * n) as usize];
    let factors = Factors { a: of(&a), b: of(&b), acc: None };
    matmul(&spec, factors, bytemuck::cast_slice_mut(&mut out)).unwrap();
    for (place, got) in out.iter().enumerate() {
        let (i, j) = (place / n as usize, place % n as usize);
        let terms = (0..k as usize)
            .map(|k_at| f64::from(a[i * k as usize + k_at]) * f64::from(b[k_at * n as usize + j]));
        let (exact, scale) =
            terms.fold((0.0, 0.0), |(sum, scale), it| (sum + it, scale + it.abs()));
        let bound = (k as f64 + 1.0) * DType::F32.unit_roundoff() * scale;
        assert!((f64::from(*got) - exact).abs() <= bound, "{got} for {exact} at {i},{j}");
    }
}

/// A product cut along k, the first part the addend of the second, is the whole product.
#[test]
fn a_product_in_pieces_is_the_same_product() {
    let (m, n, k, cut) = (11, 70, 200, 77);
    let (a, b) = (f32s(m * k, 1), f32s(k * n, 2));
    let piece = |first: u64, count: u64, acc: Option<&[f32]>| {
        let mut spec = GemmSpec::dense([m, n, count], DType::F32, DType::F32);
        spec.a.strides = [0, k as i64, 1];
        let mut out = vec![0_f32; (m * n) as usize];
        let a = of(&a[first as usize..]);
        let b = of(&b[(first * n) as usize..]);
        let factors = Factors { a, b, acc: acc.map(of) };
        matmul(&spec, factors, bytemuck::cast_slice_mut(&mut out)).unwrap();
        out
    };
    let first = piece(0, cut, None);
    assert!(piece(cut, k - cut, Some(&first)) == piece(0, k, None));
}
