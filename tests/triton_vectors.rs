//! The conformance vectors: Triton kernels, their inputs, and what Triton's interpreter (or torch)
//! says they give.
//!
//! The vectors lie beside the project (`KBC_SHARED`, else `../shared`); without them nothing is
//! tested here, and the tests say so.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;
mod npz;

use std::fs;
use std::path::{Path, PathBuf};

use kbc::diag::{ColorChoice, to_text};
use kbc::driver::{
    Argument, ArgumentValue, Expectation, LaunchOptions, Session, SimError, SimOptions, SimRequest,
    Stage, StreamChoice, TensorValue,
};
use kbc::dtype::DType;
use kbc::host::Scalar;
use kbc::launch::Deal;
use kbc::replay::npy;
use serde_json::Value;

use command_line::{Scratch, kbc, root};

/// Cases whose control flow depends on loaded data, which a launch cannot know, and the code that
/// says so.
const DATA_DEPENDENT: &[(&str, &str)] = &[
    ("cf_while_collatz", "K0550"),
    ("ew_scalar_paths", "K0550"),
    ("gemm_grouped_persistent", "K0550"),
    ("red_cross_entropy_f32", "K0550"),
];

/// Cases that do not pass yet, and why.
const NOT_YET: &[(&str, &str)] = &[];

fn vectors() -> Option<PathBuf> {
    let shared = std::env::var_os("KBC_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| root().join("../shared"));
    let vectors = shared.join("triton-vectors");
    if !vectors.join("index.csv").exists() {
        eprintln!("NOT TESTED: there are no conformance vectors in {}", vectors.display());
        return None;
    }
    Some(vectors)
}

/// One case, read.
struct Case {
    name: String,
    kernel: String,
    grid: [u32; 3],
    arguments: Vec<Argument>,
    /// `--set`, as the command line takes it.
    settings: Vec<(String, String)>,
    expected: Vec<Expectation>,
    /// Relative and absolute.
    tolerance: (f64, f64),
}

fn dtype(name: &Value) -> DType {
    match name.as_str().unwrap() {
        "e4m3" => DType::F8E4M3,
        "e5m2" => DType::F8E5M2,
        name => DType::from_name(name).unwrap(),
    }
}

/// Every array of an archive, its elements taken for what the case says they are.
fn arrays(case: &Path, file: &str, args: &[Value]) -> Vec<(String, TensorValue)> {
    let archive = fs::read(case.join(file)).unwrap();
    let members = npz::members(&archive);
    let tensor = |(name, bytes): (String, Vec<u8>)| {
        let name = name.strip_suffix(".npy").unwrap().to_owned();
        let npy::Array { shape, bytes, .. } = npy::read(&bytes).unwrap();
        let argument = args.iter().find(|arg| arg["name"] == name.as_str()).unwrap();
        let dtype = dtype(&argument["dtype"]);
        assert_eq!(bytes.len() as u64, shape.elements() * dtype.bytes(), "{name} of {file}");
        (name, TensorValue { dtype, shape, bytes: Some(bytes) })
    };
    members.into_iter().map(tensor).collect()
}

impl Case {
    fn read(path: &Path) -> Case {
        let text = fs::read_to_string(path.join("case.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let args = json["args"].as_array().unwrap();
        let mut grid = [1; 3];
        for (axis, extent) in json["grid"].as_array().unwrap().iter().enumerate() {
            grid[axis] = extent.as_u64().unwrap() as u32;
        }
        let tolerance = &json["tolerance"];
        let bound = |key: &str| tolerance[key].as_f64().unwrap_or(0.0);
        assert!(tolerance == "exact" || tolerance.is_object());
        let mut inputs = arrays(path, "inputs.npz", args);
        let outputs = arrays(path, "outputs.npz", args);
        Case {
            name: json["name"].as_str().unwrap().to_owned(),
            kernel: fs::read_to_string(path.join("kernel.py")).unwrap(),
            grid,
            arguments: args.iter().filter_map(|arg| argument(arg, &mut inputs)).collect(),
            settings: args.iter().filter(|it| it["kind"] == "constexpr").map(setting).collect(),
            expected: outputs
                .into_iter()
                .map(|(name, value)| Expectation { name, value })
                .collect(),
            tolerance: (bound("rtol"), bound("atol")),
        }
    }

    fn options(&self) -> LaunchOptions {
        let topology = fs::read_to_string(root().join("topology/small.yaml")).unwrap();
        LaunchOptions {
            topology: Some((String::from("small.yaml"), topology)),
            settings: self.settings.clone(),
            entry: Some(String::from("kernel")),
            arguments: self.arguments.clone(),
            grid: Some(self.grid),
            ..LaunchOptions::default()
        }
    }

    /// Runs the case: `verified`, or the codes and texts of what went wrong.
    fn run(&self, launch: &LaunchOptions) -> Result<(), Wrong> {
        let mut session = Session::new();
        let sim = SimOptions {
            threads: Some(1),
            expect: self.expected.clone(),
            rtol: Some(self.tolerance.0),
            atol: Some(self.tolerance.1),
            ..SimOptions::default()
        };
        let unit = session.load("kernel.py", self.kernel.as_bytes());
        let verdict = match unit {
            Err(reported) => Err(SimError::Program(reported)),
            Ok(unit) => {
                let request = SimRequest { unit: &unit, launch, sim: &sim };
                session.simulate(request, &mut |_| {}).map(|report| report.data.verdict())
            }
        };
        let diagnostics = session.take_diagnostics();
        let errors = diagnostics.iter().filter(|it| it.is_error());
        let codes: Vec<&str> = errors.map(|it| it.code.id).collect();
        let shown = |it| to_text(it, session.sources(), ColorChoice::Plain);
        let text: String = diagnostics.iter().map(shown).collect();
        match verdict {
            Ok("verified") if codes.is_empty() => Ok(()),
            Err(SimError::Usage(error)) => Err(Wrong { codes, text: error.0 }),
            Ok(_) | Err(_) => Err(Wrong { codes, text }),
        }
    }
}

/// Why a case did not pass.
struct Wrong {
    codes: Vec<&'static str>,
    text: String,
}

/// A tensor or scalar argument.
fn argument(arg: &Value, inputs: &mut [(String, TensorValue)]) -> Option<Argument> {
    let name = arg["name"].as_str().unwrap().to_owned();
    let value = match arg["kind"].as_str().unwrap() {
        "tensor" => {
            let (_, tensor) = inputs.iter().find(|(input, _)| *input == name).unwrap();
            ArgumentValue::Tensor(tensor.clone())
        }
        "scalar" => {
            let value = &arg["value"];
            let scalar = value.as_i64().map(Scalar::Int).or(value.as_f64().map(Scalar::Float));
            let scalar = scalar.or(value.as_bool().map(Scalar::Bool)).unwrap();
            ArgumentValue::Scalar(scalar, Some(dtype(&arg["dtype"])))
        }
        _ => return None,
    };
    Some(Argument { name, value })
}

/// A constexpr, as `--set` takes it.
fn setting(arg: &Value) -> (String, String) {
    let name = arg["name"].as_str().unwrap().to_owned();
    let value = match &arg["value"] {
        Value::String(text) => text.clone(),
        Value::Null => String::from("None"),
        other => other.to_string(),
    };
    (name, value)
}

fn cases() -> Vec<Case> {
    let Some(vectors) = vectors() else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(vectors).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.join("case.json").exists());
    paths.sort();
    assert!(paths.len() >= 41, "the first set has 41 cases");
    paths.iter().map(|path| Case::read(path)).collect()
}

fn row<'r>(rows: &'r [(&str, &'r str)], case: &str) -> Option<&'r str> {
    rows.iter().find(|(name, _)| *name == case).map(|(_, what)| *what)
}

/// Every case gives what Triton gives, or is refused as the lists above say.
#[test]
fn every_case_gives_what_triton_gives() {
    let mut wrong = Vec::new();
    for case in cases() {
        let result = case.run(&case.options());
        let (refused, not_yet) = (row(DATA_DEPENDENT, &case.name), row(NOT_YET, &case.name));
        let as_listed = match (&result, refused, not_yet) {
            (Ok(()), None, None) => true,
            (Err(it), Some(code), None) => it.codes.contains(&code),
            (Err(_), None, Some(_)) => true,
            _ => false,
        };
        if !as_listed {
            let why = result.map_or_else(|it| it.text, |()| String::from("passes, and is listed"));
            wrong.push(format!("== {}\n{why}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// How programs are dealt to PEs, and to how many, does not matter.
#[test]
fn a_case_gives_the_same_on_any_number_of_pes() {
    let mut wrong = Vec::new();
    for case in cases() {
        if row(DATA_DEPENDENT, &case.name).or(row(NOT_YET, &case.name)).is_some() {
            continue;
        }
        for (world, deal) in [(1, Deal::Block), (3, Deal::Cyclic), (8, Deal::Cyclic)] {
            let options = LaunchOptions { world: Some(world), deal, ..case.options() };
            if let Err(it) = case.run(&options) {
                wrong.push(format!("== {} on {world} PEs, {deal:?}\n{}", case.name, it.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{} runs are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Cases of which some accesses stay gathers or scatters, since their addresses or masks are data.
const DATA: &[(&str, usize)] =
    &[("ew_bool_masks", 1), ("mv_gather_rows", 1), ("mv_scatter_perm", 1)];

/// How many accesses of a case stay gathers and scatters after the last pass.
fn lanes_left(case: &Case) -> usize {
    let mut session = Session::new();
    let unit = session.load("kernel.py", case.kernel.as_bytes()).unwrap();
    let stages = (&[Stage::IrOpt][..], &StreamChoice::default());
    let text = session.emit(&unit, &case.options(), stages).unwrap();
    let last = text.rsplit("kernel @").next().unwrap();
    let is_lanes = |line: &&str| line.contains("gather_load") || line.contains("scatter_store");
    last.lines().filter(is_lanes).count()
}

/// Every access whose address and mask are arithmetic is a transfer.
#[test]
fn only_data_is_gathered() {
    for case in cases() {
        if row(DATA_DEPENDENT, &case.name).or(row(NOT_YET, &case.name)).is_none() {
            let expected = DATA.iter().find(|(name, _)| *name == case.name).map_or(0, |it| it.1);
            assert_eq!(lanes_left(&case), expected, "{}", case.name);
        }
    }
}

/// The words of `kbc sim` for a case whose tensors are files of the directory.
fn words(case: &Case, scratch: &Scratch) -> Vec<String> {
    let file = |name: String, value: &TensorValue| {
        let bytes = npy::write(value.dtype, &value.shape, value.bytes.as_deref().unwrap());
        fs::write(scratch.path().join(&name), bytes).unwrap();
        format!("@{name}:{}", value.dtype)
    };
    scratch.write("kernel.py", &case.kernel);
    let [x, y, z] = case.grid;
    let mut words = vec![format!("sim kernel.py --entry kernel --json --grid {x},{y},{z}")];
    for Argument { name, value } in &case.arguments {
        words.push(match value {
            ArgumentValue::Tensor(value) => {
                format!("--arg {name}={}", file(format!("{name}.npy"), value))
            }
            ArgumentValue::Scalar(value, _) => format!("--arg {name}={value}"),
            other => panic!("{other:?}"),
        });
    }
    words.extend(case.settings.iter().map(|(name, value)| format!("--set {name}={value}")));
    for Expectation { name, value } in &case.expected {
        let file = file(format!("{name}_expected.npy"), value);
        words.push(format!("--expect {name}={file} --save {name}={name}_saved.npy"));
    }
    let (rtol, atol) = case.tolerance;
    words.push(format!("--rtol {rtol} --atol {atol}"));
    words.join(" ").split(' ').map(str::to_owned).collect()
}

/// The command line runs a case on files, compares, and saves what it got.
#[test]
fn the_command_line_runs_cases_on_files() {
    let named =
        ["ew_add_f32_tail", "lp_bf16_add_rne", "mv_transpose_tiles", "lp_fp8_e5m2_roundtrip"];
    for case in cases().into_iter().filter(|case| named.contains(&case.name.as_str())) {
        if row(NOT_YET, &case.name).is_some() {
            continue;
        }
        let scratch = Scratch::new();
        let words = words(&case, &scratch);
        let ran = kbc(scratch.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{}: {words:?}\n{}", case.name, ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["data"]["verdict"], "verified");
        for Expectation { name, value } in &case.expected {
            let saved = fs::read(scratch.path().join(format!("{name}_saved.npy"))).unwrap();
            let saved = npy::read(&saved).unwrap();
            assert_eq!(saved.shape, value.shape);
            if case.tolerance == (0.0, 0.0) {
                assert_eq!(Some(saved.bytes), value.bytes, "{name} of {}", case.name);
            }
        }
    }
}

/// Prints where every case stands, for those who work on it:
/// `cargo test --test triton_vectors standing -- --ignored --nocapture`.
#[test]
#[ignore = "prints, and tests nothing"]
fn standing() {
    for case in cases() {
        match case.run(&case.options()) {
            Ok(()) => eprintln!("== {} passes", case.name),
            Err(it) => eprintln!("== {} {:?}\n{}", case.name, it.codes, it.text),
        }
    }
}
