//! The kernels of `kernels/triton` are right: on the whole default machine their own `run` finds no
//! fault, and on data whose result has a closed form they give it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

use kbc::diag::{ColorChoice, to_text};
use kbc::driver::{
    Argument, ArgumentValue, Data, Expectation, LaunchOptions, Session, SimError, SimOptions,
    SimRequest, Stage, StreamChoice, TensorValue,
};
use kbc::dtype::DType;
use kbc::host::Scalar;
use kbc::shape::Shape;

/// Every kernel file, by name.
const KERNELS: [(&str, &str); 8] = [
    ("vector_add", include_str!("../kernels/triton/vector_add.kb")),
    ("softmax", include_str!("../kernels/triton/softmax.kb")),
    ("matmul", include_str!("../kernels/triton/matmul.kb")),
    ("dropout", include_str!("../kernels/triton/dropout.kb")),
    ("layer_norm", include_str!("../kernels/triton/layer_norm.kb")),
    ("attention", include_str!("../kernels/triton/attention.kb")),
    ("grouped_gemm", include_str!("../kernels/triton/grouped_gemm.kb")),
    ("persistent_matmul", include_str!("../kernels/triton/persistent_matmul.kb")),
];

fn text(name: &str) -> &'static str {
    KERNELS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// What became of the data, or the diagnostics that say why nothing did; and what is
/// printed.
fn simulate(
    text: &str,
    launch: &LaunchOptions,
    sim: &SimOptions,
) -> Result<(Data, String), String> {
    let mut session = Session::new();
    let unit = session.load("case.kb", text.as_bytes());
    let report = unit
        .map_err(SimError::Program)
        .and_then(|unit| session.simulate(SimRequest { unit: &unit, launch, sim }, &mut |_| {}));
    let diagnostics = session.take_diagnostics();
    let show = |it| to_text(it, session.sources(), ColorChoice::Plain);
    let said: String = diagnostics.iter().map(show).collect();
    match report {
        Ok(report) if said.is_empty() => Ok((report.data.clone(), report.text())),
        Ok(_) | Err(SimError::Program(_)) => Err(said),
        Err(SimError::Usage(error)) => panic!("{}", error.0),
    }
}

#[test]
fn every_kernel_is_verified_on_the_whole_machine() {
    for (name, text) in KERNELS {
        let found = simulate(text, &LaunchOptions::default(), &SimOptions::default());
        let (data, printed) = found.unwrap_or_else(|said| panic!("{name}\n{said}"));
        assert!(matches!(data, Data::Verified { .. }), "{name}: {data:?}");
        assert!(
            printed.contains("256 PEs of default"),
            "{name}
{printed}"
        );
    }
}

#[test]
fn without_data_every_kernel_runs_and_says_that_nothing_was_checked() {
    let sim = SimOptions { no_data: true, ..SimOptions::default() };
    for (name, text) in KERNELS {
        let found =
            simulate(text, &LaunchOptions { world: Some(16), ..LaunchOptions::default() }, &sim);
        let (data, _) = found.unwrap_or_else(|said| panic!("{name}\n{said}"));
        assert_eq!(data, Data::Skipped, "{name}");
    }
}

#[test]
fn a_mistake_in_a_kernel_is_found_out() {
    for (name, right, wrong) in [
        ("vector_add", "x + y, mask", "x - y, mask"),
        ("softmax", "weights / tl.sum(weights", "weights / tl.max(weights"),
        ("softmax", "other=-float(\"inf\")", "other=0.0"),
        ("matmul", "(pid % tiles_in_group) // group_rows", "(pid % tiles_in_group) // GROUP"),
        ("matmul", "left = K - k * BLOCK_K", "left = K"),
        ("dropout", "tl.rand(seed, offsets)", "tl.rand(seed, offsets + 1)"),
        ("layer_norm", "(h * along_h + along_1)", "(h * along_h)"),
        ("layer_norm", "dw += dy * h", "dw += dy * x"),
        ("attention", "total * shrink + tl.sum", "total + tl.sum"),
        ("attention", ">= first + keys", "> first + keys"),
        ("grouped_gemm", "b_ptr += K * N", "b_ptr += K * M"),
        ("persistent_matmul", "tile % tiles_in_group // rows", "tile % tiles_in_group // GROUP"),
    ] {
        let changed = text(name).replacen(right, wrong, 1);
        assert_ne!(changed, text(name), "`{right}` is not in {name}");
        let found = simulate(
            &changed,
            &LaunchOptions { world: Some(16), ..LaunchOptions::default() },
            &SimOptions::default(),
        );
        let said = found.expect_err(&format!("{name}: `{wrong}` is not found out"));
        assert!(said.contains("are not what they should be") || said.contains("K07"), "{said}");
    }
}

/// A launch of a kernel on data, and what its results must be.
struct Case {
    arguments: Vec<Argument>,
    settings: Vec<(String, String)>,
    expect: Vec<Expectation>,
}

impl Case {
    fn new(settings: &[(&str, &str)]) -> Case {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Case { arguments: Vec::new(), settings: settings.collect(), expect: Vec::new() }
    }

    /// A tensor that the kernel reads: `value` of each place.
    fn reads(mut self, name: &str, extents: &[u64], value: impl Fn(&[u64]) -> f64) -> Case {
        self.arguments.push(tensor(name, f32s(extents, value)));
        self
    }

    /// A tensor that it writes, and what must be there.
    fn writes(mut self, name: &str, extents: &[u64], value: impl Fn(&[u64]) -> f64) -> Case {
        let value = f32s(extents, value);
        self.arguments.push(tensor(name, TensorValue { bytes: None, ..value.clone() }));
        self.expect.push(Expectation { name: name.into(), value });
        self
    }

    fn ints(mut self, scalars: &[(&str, u64)]) -> Case {
        for (name, value) in scalars {
            let value = ArgumentValue::Scalar(Scalar::Int(*value as i64), None);
            self.arguments.push(Argument { name: (*name).into(), value });
        }
        self
    }

    fn float(mut self, name: &str, value: f64) -> Case {
        let value = ArgumentValue::Scalar(Scalar::Float(value), None);
        self.arguments.push(Argument { name: name.into(), value });
        self
    }

    /// Runs it: every result must be right within the tolerance, relative and absolute, and no
    /// address may be a gather's.
    fn holds(self, (file, kernel): (&str, &str), grid: [u32; 3], (rtol, atol): (f64, f64)) {
        let launch = LaunchOptions {
            arguments: self.arguments,
            settings: self.settings,
            grid: Some(grid),
            entry: Some(kernel.into()),
            ..LaunchOptions::default()
        };
        let sim = SimOptions {
            expect: self.expect,
            rtol: Some(rtol),
            atol: Some(atol),
            ..SimOptions::default()
        };
        let (data, _) = simulate(text(file), &launch, &sim)
            .unwrap_or_else(|said| panic!("{file}: {kernel}\n{said}"));
        assert!(matches!(data, Data::Verified { .. }), "{file}: {kernel}: {data:?}");
        let last = last_ir(text(file), &launch);
        for op in ["gather_load", "scatter_store"] {
            assert!(!last.contains(op), "{file}: {kernel}: {op} in\n{last}");
        }
    }
}

/// The IR of a launch after the last pass.
fn last_ir(text: &str, launch: &LaunchOptions) -> String {
    let mut session = Session::new();
    let unit = session.load("case.kb", text.as_bytes()).unwrap();
    let stages = (&[Stage::IrOpt][..], &StreamChoice::default());
    let text = session.emit(&unit, launch, stages).unwrap();
    text.rsplit("\nkernel @").next().unwrap().to_owned()
}

fn tensor(name: &str, value: TensorValue) -> Argument {
    Argument { name: name.into(), value: ArgumentValue::Tensor(value) }
}

fn f32s(extents: &[u64], value: impl Fn(&[u64]) -> f64) -> TensorValue {
    let shape = Shape(extents.to_vec());
    let mut bytes = Vec::new();
    for place in 0..shape.elements() {
        let (mut rest, mut index) = (place, vec![0; extents.len()]);
        for (at, extent) in extents.iter().enumerate().rev() {
            (index[at], rest) = (rest % extent, rest / extent);
        }
        bytes.extend((value(&index) as f32).to_le_bytes());
    }
    TensorValue { dtype: DType::F32, shape, bytes: Some(bytes) }
}

/// Small integers, so that every product and every sum is exact in f32, in any order.
fn a(i: u64, k: u64) -> i64 {
    ((i * 3 + k * 5) % 7) as i64 - 3
}

fn b(k: u64, j: u64) -> i64 {
    ((k * 2 + j * 11) % 5) as i64 - 2
}

fn product(i: u64, j: u64, inner: u64) -> f64 {
    (0..inner).map(|k| a(i, k) * b(k, j)).sum::<i64>() as f64
}

const MATMUL: (u64, u64, u64) = (90, 70, 50);

fn matrices(case: Case) -> Case {
    let (m, n, k) = MATMUL;
    case.reads("a_ptr", &[m, k], |it| a(it[0], it[1]) as f64)
        .reads("b_ptr", &[k, n], |it| b(it[0], it[1]) as f64)
        .writes("c_ptr", &[m, n], |it| product(it[0], it[1], k))
        .ints(&[("M", m), ("N", n), ("K", k)])
}

#[test]
fn matmul_of_integers_is_exact() {
    let (_, n, k) = MATMUL;
    let settings = [
        ("BLOCK_M", "16"),
        ("BLOCK_N", "32"),
        ("BLOCK_K", "16"),
        ("GROUP", "4"),
        ("ACTIVATION", ""),
    ];
    matrices(Case::new(&settings))
        .ints(&[("stride_am", k), ("stride_ak", 1), ("stride_bk", n), ("stride_bn", 1)])
        .ints(&[("stride_cm", n), ("stride_cn", 1)])
        .holds(("matmul", "matmul_kernel"), [6 * 3, 1, 1], (0.0, 0.0));
}

#[test]
fn matmul_of_a_transposed_matrix_only_takes_other_strides() {
    let (m, n, k) = MATMUL;
    let settings = [
        ("BLOCK_M", "16"),
        ("BLOCK_N", "16"),
        ("BLOCK_K", "32"),
        ("GROUP", "2"),
        ("ACTIVATION", ""),
    ];
    Case::new(&settings)
        .reads("a_ptr", &[k, m], |it| a(it[1], it[0]) as f64)
        .reads("b_ptr", &[n, k], |it| b(it[1], it[0]) as f64)
        .writes("c_ptr", &[m, n], |it| product(it[0], it[1], k))
        .ints(&[("M", m), ("N", n), ("K", k)])
        .ints(&[("stride_am", 1), ("stride_ak", m), ("stride_bk", 1), ("stride_bn", k)])
        .ints(&[("stride_cm", n), ("stride_cn", 1)])
        .holds(("matmul", "matmul_kernel"), [6 * 5, 1, 1], (0.0, 0.0));
}

#[test]
fn persistent_matmul_of_integers_is_exact_for_any_number_of_programs() {
    for programs in [1, 7, 40] {
        let settings = [("BLOCK_M", "16"), ("BLOCK_N", "32"), ("BLOCK_K", "16"), ("GROUP", "2")];
        matrices(Case::new(&settings)).holds(
            ("persistent_matmul", "persistent_kernel"),
            [programs, 1, 1],
            (0.0, 0.0),
        );
    }
}

/// The softmax of logarithms of integers: each integer over their sum.
#[test]
fn softmax_of_logarithms_is_a_share() {
    let (rows, columns) = (40, 100);
    let weight = |row: u64, column: u64| (1 + (row + column) % 5) as f64;
    let sum = |row: u64| (0..columns).map(|column| weight(row, column)).sum::<f64>();
    Case::new(&[("BLOCK", "128"), ("STAGES", "2")])
        .reads("x_ptr", &[rows, columns], |it| weight(it[0], it[1]).ln() + it[0] as f64 / 8.0)
        .writes("y_ptr", &[rows, columns], |it| weight(it[0], it[1]) / sum(it[0]))
        .ints(&[("x_stride", columns), ("y_stride", columns)])
        .ints(&[("n_rows", rows), ("n_columns", columns)])
        .holds(("softmax", "softmax_kernel"), [16, 1, 1], (1e-5, 0.0));
}

/// Rows `m ± d`, with signs that cancel: mean m and variance d².
struct Rows {
    eps: f64,
}

const ROWS: Rows = Rows { eps: 1e-2 };
const LAYER_NORM: (u64, u64) = (30, 52);

impl Rows {
    fn sign(column: u64) -> f64 {
        if column.is_multiple_of(2) { 1.0 } else { -1.0 }
    }

    /// Another pattern, orthogonal to ones and to the signs: + + - - …
    fn pairs(column: u64) -> f64 {
        if column % 4 < 2 { 1.0 } else { -1.0 }
    }

    fn mean(row: u64) -> f64 {
        row as f64 / 4.0 - 3.0
    }

    fn spread(row: u64) -> f64 {
        0.5 + row as f64 / 8.0
    }

    fn x(at: &[u64]) -> f64 {
        Rows::mean(at[0]) + Rows::spread(at[0]) * Rows::sign(at[1])
    }

    fn rstd(&self, row: u64) -> f64 {
        1.0 / (Rows::spread(row).powi(2) + self.eps).sqrt()
    }

    /// The normalised element.
    fn h(&self, at: &[u64]) -> f64 {
        Rows::sign(at[1]) * Rows::spread(at[0]) * self.rstd(at[0])
    }

    /// A gradient with a part along ones, one along the signs, and one along neither.
    fn dy(at: &[u64]) -> f64 {
        at[0] as f64 / 8.0 + 2.0 * Rows::sign(at[1]) + 5.0 * Rows::pairs(at[1])
    }

    /// Layer normalisation takes the part along ones away and shrinks that along the row itself.
    fn dx(&self, at: &[u64]) -> f64 {
        let rstd = self.rstd(at[0]);
        let kept = 1.0 - (Rows::spread(at[0]) * rstd).powi(2);
        (2.0 * kept * Rows::sign(at[1]) + 5.0 * Rows::pairs(at[1])) * rstd
    }
}

#[test]
fn layer_norm_of_two_values_a_row() {
    let (rows, n) = LAYER_NORM;
    let weight = |column: u64| 1.0 + column as f64 / 16.0;
    let bias = |column: u64| column as f64 / 8.0 - 2.0;
    Case::new(&[("BLOCK", "32")])
        .reads("x_ptr", &[rows, n], Rows::x)
        .reads("w_ptr", &[n], |it| weight(it[0]))
        .reads("b_ptr", &[n], |it| bias(it[0]))
        .writes("y_ptr", &[rows, n], |it| ROWS.h(it) * weight(it[1]) + bias(it[1]))
        .writes("mean_ptr", &[rows], |it| Rows::mean(it[0]))
        .writes("rstd_ptr", &[rows], |it| ROWS.rstd(it[0]))
        .ints(&[("stride", n), ("n", n)])
        .float("eps", ROWS.eps)
        .holds(("layer_norm", "forward_kernel"), [rows as u32, 1, 1], (1e-5, 1e-5));
}

#[test]
fn the_gradient_of_layer_norm_of_two_values_a_row() {
    let (rows, n) = LAYER_NORM;
    let programs = 7;
    let own = |program: u64| (program..rows).step_by(programs as usize);
    let dw =
        |at: &[u64]| own(at[0]).map(|row| Rows::dy(&[row, at[1]]) * ROWS.h(&[row, at[1]])).sum();
    let db = |at: &[u64]| own(at[0]).map(|row| Rows::dy(&[row, at[1]])).sum();
    Case::new(&[("BLOCK", "64")])
        .reads("dy_ptr", &[rows, n], Rows::dy)
        .reads("x_ptr", &[rows, n], Rows::x)
        .reads("w_ptr", &[n], |_| 1.0)
        .reads("mean_ptr", &[rows], |it| Rows::mean(it[0]))
        .reads("rstd_ptr", &[rows], |it| ROWS.rstd(it[0]))
        .writes("dx_ptr", &[rows, n], |it| ROWS.dx(it))
        .writes("dw_parts_ptr", &[programs, n], dw)
        .writes("db_parts_ptr", &[programs, n], db)
        .ints(&[("stride", n), ("rows", rows), ("n", n)])
        .holds(("layer_norm", "backward_kernel"), [programs as u32, 1, 1], (1e-4, 1e-4));
}

#[test]
fn the_parts_of_the_gradient_add_up() {
    let (parts, n) = (37, 52);
    let sum = |column: u64| (0..parts).map(|part| a(part, column)).sum::<i64>() as f64;
    Case::new(&[("BLOCK_P", "16"), ("BLOCK_N", "32")])
        .reads("dw_parts_ptr", &[parts, n], |it| a(it[0], it[1]) as f64)
        .reads("db_parts_ptr", &[parts, n], |it| 2.0 * a(it[0], it[1]) as f64)
        .writes("dw_ptr", &[n], |it| sum(it[0]))
        .writes("db_ptr", &[n], |it| 2.0 * sum(it[0]))
        .ints(&[("parts", parts), ("n", n)])
        .holds(("layer_norm", "add_parts_kernel"), [2, 1, 1], (0.0, 0.0));
}

/// Scores that are logarithms of integers, the same for each query of a head: a row of the result is
/// the mean of the values that it sees, weighted with the integers.
#[test]
fn attention_is_a_weighted_mean_of_what_is_seen() {
    let (heads, length, size) = (3, 50, 16_u64);
    let weight = |head: u64, key: u64| (1 + (head + key) % 3) as f64;
    let value = |head: u64, key: u64, dim: u64| (key * (head + 1)) as f64 / 8.0 + dim as f64;
    let scale = 0.25;
    let extents = [heads, length, size];
    for causal in [false, true] {
        let seen = |row: u64| 0..if causal { row + 1 } else { length };
        let total = |head, row| seen(row).map(|key| weight(head, key)).sum::<f64>();
        let mean = |at: &[u64]| {
            let (head, row) = (at[0], at[1]);
            let parts = seen(row).map(|key| weight(head, key) * value(head, key, at[2]));
            parts.sum::<f64>() / total(head, row)
        };
        let first = |it: &[u64], value: f64| if it[2] == 0 { value } else { 0.0 };
        let settings = [("HEAD", "16"), ("BLOCK_M", "32"), ("BLOCK_N", "16")];
        let mut case = Case::new(&settings);
        case.settings.push(("CAUSAL".into(), if causal { "True" } else { "False" }.into()));
        case.reads("q_ptr", &extents, |it| first(it, 2.0))
            .reads("k_ptr", &extents, |it| first(it, weight(it[0], it[1]).ln() / (2.0 * scale)))
            .reads("v_ptr", &extents, |it| value(it[0], it[1], it[2]))
            .writes("o_ptr", &extents, mean)
            .writes("lse_ptr", &[heads, length], |it| total(it[0], it[1]).ln())
            .ints(&[("stride_head", length * size), ("stride_row", size), ("length", length)])
            .float("scale", scale)
            .holds(("attention", "attention_kernel"), [2, heads as u32, 1], (1e-5, 1e-6));
    }
}
