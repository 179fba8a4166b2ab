//! Runs a Triton kernel on tensors and compares what it leaves in them with what a test expects.

#![allow(dead_code, missing_docs, reason = "each test uses what it needs")]

use std::fs;
use std::path::Path;

use kbc::diag::{ColorChoice, to_text};
use kbc::driver::{
    Argument, ArgumentValue, Expectation, LaunchOptions, Session, SimOptions, SimRequest,
    TensorValue,
};
use kbc::dtype::DType;
use kbc::host::Scalar;
use kbc::launch::Deal;
use kbc::shape::Shape;

/// A launch of the kernel `k` of a text.
pub(crate) struct Run {
    kernel: String,
    grid: [u32; 3],
    world: Option<u32>,
    deal: Deal,
    arguments: Vec<Argument>,
    settings: Vec<(String, String)>,
    expected: Vec<Expectation>,
    exact: bool,
}

/// What a run said: the codes of its errors, all its messages, and the verdict on its data.
pub(crate) struct Said {
    pub(crate) codes: Vec<&'static str>,
    pub(crate) text: String,
    pub(crate) verdict: &'static str,
}

impl Run {
    /// The kernel `k` with these parameters and this body.
    pub(crate) fn new(params: &str, body: &str) -> Run {
        let mut kernel = format!(
            "import triton\nimport triton.language as tl\n\n\n@triton.jit\ndef k({params}):\n"
        );
        for line in body.lines() {
            kernel += &format!("    {line}\n");
        }
        Run::text(kernel)
    }

    /// A whole text, whose kernel is `k`.
    pub(crate) fn text(kernel: impl Into<String>) -> Run {
        Run {
            kernel: kernel.into(),
            grid: [1, 1, 1],
            world: None,
            deal: Deal::Block,
            arguments: Vec::new(),
            settings: Vec::new(),
            expected: Vec::new(),
            exact: true,
        }
    }

    pub(crate) fn grid(mut self, grid: [u32; 3]) -> Run {
        self.grid = grid;
        self
    }

    pub(crate) fn on(mut self, world: u32, deal: Deal) -> Run {
        (self.world, self.deal) = (Some(world), deal);
        self
    }

    pub(crate) fn set(mut self, name: &str, value: i64) -> Run {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn int(mut self, name: &str, value: i64) -> Run {
        let value = ArgumentValue::Scalar(Scalar::Int(value), Some(DType::I32));
        self.arguments.push(Argument { name: name.to_owned(), value });
        self
    }

    pub(crate) fn tensor(mut self, name: &str, value: TensorValue) -> Run {
        let value = ArgumentValue::Tensor(value);
        self.arguments.push(Argument { name: name.to_owned(), value });
        self
    }

    pub(crate) fn i32s(self, name: &str, data: &[i32]) -> Run {
        self.tensor(name, i32s(data))
    }

    pub(crate) fn f32s(self, name: &str, data: &[f32]) -> Run {
        self.tensor(name, f32s(data))
    }

    pub(crate) fn gives(mut self, name: &str, value: TensorValue) -> Run {
        self.expected.push(Expectation { name: name.to_owned(), value });
        self
    }

    /// Compares within 2⁻¹⁰ of a value.
    pub(crate) fn about(mut self) -> Run {
        self.exact = false;
        self
    }

    /// Runs, and asserts that everything is as expected.
    pub(crate) fn holds(self) {
        let kernel = self.kernel.clone();
        let said = self.run();
        let right = said.codes.is_empty() && said.verdict == "verified";
        assert!(right, "{kernel}\n{}: {}", said.verdict, said.text);
    }

    /// Runs, and asserts that it is refused with `code`.
    pub(crate) fn refused(self, code: &str) -> String {
        let kernel = self.kernel.clone();
        let said = self.run();
        assert!(said.codes.contains(&code), "{kernel}\n{code} expected\n{}", said.text);
        said.text
    }

    pub(crate) fn run(self) -> Said {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let topology = fs::read_to_string(root.join("topology/small.yaml")).unwrap();
        let launch = LaunchOptions {
            topology: Some((String::from("small.yaml"), topology)),
            settings: self.settings,
            entry: Some(String::from("k")),
            arguments: self.arguments,
            grid: Some(self.grid),
            world: self.world,
            deal: self.deal,
            ..LaunchOptions::default()
        };
        let tolerance = Some(if self.exact { 0.0 } else { 1.0 / 1024.0 });
        let sim = SimOptions {
            threads: Some(1),
            expect: self.expected,
            rtol: tolerance,
            atol: tolerance,
            ..SimOptions::default()
        };
        let mut session = Session::new();
        let verdict = match session.load("kernel.py", self.kernel.as_bytes()) {
            Err(_) => "refused",
            Ok(unit) => {
                let request = SimRequest { unit: &unit, launch: &launch, sim: &sim };
                let ran = session.simulate(request, &mut |_| {});
                ran.map_or("refused", |report| report.data.verdict())
            }
        };
        let diagnostics = session.take_diagnostics();
        let errors = diagnostics.iter().filter(|it| it.is_error());
        let codes = errors.map(|it| it.code.id).collect();
        let shown = |it| to_text(it, session.sources(), ColorChoice::Plain);
        Said { codes, text: diagnostics.iter().map(shown).collect(), verdict }
    }
}

/// A tensor of elements given as bytes.
pub(crate) fn tensor(dtype: DType, shape: &[u64], bytes: Vec<u8>) -> TensorValue {
    TensorValue { dtype, shape: Shape(shape.to_vec()), bytes: Some(bytes) }
}

pub(crate) fn i32s(data: &[i32]) -> TensorValue {
    let bytes = data.iter().flat_map(|it| it.to_le_bytes()).collect();
    tensor(DType::I32, &[data.len() as u64], bytes)
}

pub(crate) fn i64s(data: &[i64]) -> TensorValue {
    let bytes = data.iter().flat_map(|it| it.to_le_bytes()).collect();
    tensor(DType::I64, &[data.len() as u64], bytes)
}

pub(crate) fn u32s(data: &[u32]) -> TensorValue {
    let bytes = data.iter().flat_map(|it| it.to_le_bytes()).collect();
    tensor(DType::U32, &[data.len() as u64], bytes)
}

pub(crate) fn f32s(data: &[f32]) -> TensorValue {
    let bytes = data.iter().flat_map(|it| it.to_le_bytes()).collect();
    tensor(DType::F32, &[data.len() as u64], bytes)
}

pub(crate) fn f64s(data: &[f64]) -> TensorValue {
    let bytes = data.iter().flat_map(|it| it.to_le_bytes()).collect();
    tensor(DType::F64, &[data.len() as u64], bytes)
}

pub(crate) fn f16s(data: &[f32]) -> TensorValue {
    let bytes = data.iter().flat_map(|it| half::f16::from_f32(*it).to_le_bytes()).collect();
    tensor(DType::F16, &[data.len() as u64], bytes)
}
