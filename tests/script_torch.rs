//! `run(torch)` against a device that a test has written: what launches ask for, what checks find.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::collections::BTreeMap;

use kbc::diag::{self, Diagnostic, Sink};
use kbc::dtype::DType;
use kbc::host::{
    Argument, Arithmetic, Array, Completion, Device, Index, LaunchRequest, Refusal, Scalar, Tensor,
    Ticket, Work, Writer,
};
use kbc::ops::BinaryOp;
use kbc::script::{Outcome, Script, Settings, Verdict};
use kbc::source::{SourceMap, Span};
use kbc::syntax;
use kbc::units::Ps;

/// What a kernel of a test does: the device's memory, the world, the launch.
type Kernel = fn(&mut Memory, &LaunchRequest);

/// The contents of tensors, by address.
#[derive(Default)]
struct Memory {
    world: u32,
    bytes: BTreeMap<u64, Vec<u8>>,
}

impl Memory {
    fn load(&self, tensor: &Tensor) -> Array {
        Array::from_bytes(tensor.dtype, &tensor.shape, &self.bytes[&tensor.base]).unwrap()
    }

    fn row(&self, tensor: &Tensor, row: u32) -> Array {
        self.load(tensor).index(&[Index::At(i128::from(row))]).unwrap()
    }

    fn store_row(&mut self, tensor: &Tensor, row: u32, value: &Array) {
        let mut whole = self.load(tensor);
        whole.assign(&[Index::At(i128::from(row))], value).unwrap();
        self.bytes.insert(tensor.base, whole.to_bytes());
    }
}

/// A device on which launches of `kernels` take 7 ps each.
struct TestDevice {
    memory: Memory,
    has_data: bool,
    kernels: BTreeMap<&'static str, Kernel>,
    requests: Vec<LaunchRequest>,
    writer: Option<Writer>,
}

impl TestDevice {
    fn new(world: u32, kernels: &[(&'static str, Kernel)]) -> TestDevice {
        TestDevice {
            memory: Memory { world, ..Memory::default() },
            has_data: true,
            kernels: kernels.iter().copied().collect(),
            requests: Vec::new(),
            writer: None,
        }
    }
}

impl Device for TestDevice {
    fn world_size(&self) -> u32 {
        self.memory.world
    }
    fn has_data(&self) -> bool {
        self.has_data
    }
    fn write(&mut self, tensor: &Tensor, bytes: &[u8]) -> Result<(), Refusal> {
        assert_eq!(bytes.len() as u64, tensor.bytes());
        self.memory.bytes.insert(tensor.base, bytes.to_vec());
        Ok(())
    }
    fn submit(&mut self, request: LaunchRequest) -> Result<Ticket, Refusal> {
        if let Some(kernel) = self.kernels.get(request.kernel.as_str())
            && self.has_data
        {
            kernel(&mut self.memory, &request);
        }
        self.requests.push(request);
        Ok(Ticket(self.requests.len() as u32))
    }
    fn wait(&mut self, ticket: Ticket) -> Result<Completion, Refusal> {
        let work = Work { gemms: u64::from(ticket.0), ..Work::default() };
        Ok(Completion { time: Ps(7), work })
    }
    fn read(&mut self, tensor: &Tensor, _: u32) -> Result<Vec<u8>, Refusal> {
        Ok(self.memory.bytes[&tensor.base].clone())
    }
    fn writer(&self, _: &Tensor, _: u64, _: u32) -> Option<Writer> {
        self.writer.clone()
    }
}

/// Runs `run(torch)` of `text`, and renders what it says.
fn run_with(text: &str, device: &mut TestDevice, set: &[(&str, Scalar)]) -> (Outcome, String) {
    let mut sources = SourceMap::new();
    let file = sources.add("test.kb", text);
    let mut sink = Sink::new();
    let module = syntax::parse(file, text, &mut sink);
    let shown = |it: &[Diagnostic]| {
        it.iter()
            .map(|it| diag::to_text(it, &sources, diag::ColorChoice::Plain))
            .collect::<String>()
    };
    assert!(!sink.has_errors(), "{}", shown(sink.diagnostics()));
    let settings = Settings {
        world_size: device.world_size(),
        set: set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        facts: vec![("pes_per_cube".into(), 8), ("cubes_per_sip".into(), 16)],
        ..Settings::default()
    };
    let outcome = Script::new(&module, settings).run(device).unwrap();
    let rendered = shown(&outcome.diagnostics);
    (outcome, rendered)
}

fn run(body: &str) -> (Outcome, String) {
    let text = format!("def run(torch):\n{body}");
    run_with(&text, &mut TestDevice::new(4, &[]), &[])
}

/// Runs statements that must all hold.
fn holds(body: &str) {
    let (_, rendered) = run(body);
    assert!(rendered.is_empty(), "{rendered}");
}

#[test]
fn tensors_do_what_pytorch_s_do() {
    holds(
        r#"
    x = torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert x.shape == (2, 3) and x.dtype == torch.int64 and x.ndim == 2
    assert x.sum().item() == 21 and x.sum(0).tolist() == [5, 7, 9]
    assert x.sum(1, keepdim=True).shape == (2, 1) and x.sum(axis=1).tolist() == [6, 15]
    assert (x + 1).tolist() == [[2, 3, 4], [5, 6, 7]]
    assert (10 - x)[0].tolist() == [9, 8, 7]
    assert (x / 2).dtype == torch.float32 and (x // 2).tolist() == [[0, 1, 1], [2, 2, 3]]
    assert (x @ x.T).tolist() == [[14, 32], [32, 77]]
    assert x.T.shape == (3, 2) and x.reshape(3, -1).shape == (3, 2) and x.flatten().shape == (6,)
    assert (x > 2).sum().item() == 4 and (x == x).all() and not (x != x).any()
    assert x[1, 2].item() == 6 and x[-1][0].item() == 4 and x[:, 1].tolist() == [2, 5]
    assert x.max().item() == 6 and x.max(1)[0].tolist() == [3, 6] and x.max(1)[1].tolist() == [2, 2]
    assert x.float().mean().item() == 3.5 and x.float().dtype == "f32"
    assert [row.sum().item() for row in x] == [6, 15] and len(x) == 2
    assert float(x[0, 0]) == 1.0 and int(x[1, 1]) == 5 and x[0, 0] == 1
    assert f"{x[0, 1]:03d} {x.float()[0, 1]:.1f}" == "002 2.0"
    assert str(x[0]) == "tensor([1, 2, 3], dtype=i64)"
    assert (-x)[0].tolist() == [-1, -2, -3] and abs(-x).sum() == 21
    assert torch.exp(torch.zeros(2)).tolist() == [1.0, 1.0]
    assert torch.cat([x, x]).shape == (4, 3) and torch.stack([x, x]).shape == (2, 2, 3)
    assert torch.maximum(x, x.T.reshape(2, 3)).tolist() == [[1, 4, 3], [5, 5, 6]]
    assert x.permute(1, 0).tolist() == x.T.tolist() and x.unsqueeze(0).shape == (1, 2, 3)
    assert torch.arange(4).tolist() == [0, 1, 2, 3] and torch.arange(1, 2, 0.5).tolist() == [1.0, 1.5]
    assert torch.full((2,), 7).tolist() == [7, 7] and torch.ones(1, 2).shape == (1, 2)
    assert torch.zeros((2, 2), dtype="f16").dtype == torch.float16
    assert torch.finfo(torch.float16).eps == 2**-10 and torch.finfo("f32").eps == 2**-23
    assert torch.tensor(3.5).item() == 3.5 and torch.tensor([True, False]).dtype == "i1"
    assert x.to(torch.float64).dtype == torch.float64 and x.half().dtype == "f16"
    assert torch.allclose(x.float(), x.double()) and torch.equal(x, x)
"#,
    );
}

#[test]
fn views_alias_and_copies_do_not() {
    holds(
        r#"
    x = torch.zeros((2, 3))
    row = x[1]
    row[0] = 5
    assert x[1, 0] == 5 and row[0] == 5
    x[1] = 7
    assert row.tolist() == [7.0, 7.0, 7.0]
    x[0, 1:] = torch.tensor([1, 2])
    assert x[0].tolist() == [0.0, 1.0, 2.0]
    copy = x.clone()
    copy[0, 0] = 9
    assert x[0, 0] == 0 and copy[0, 0] == 9
    inner = copy[1][1:]
    inner[0] = -1
    assert copy[1].tolist() == [7.0, -1.0, 7.0]
    x.copy_(copy)
    assert x[1, 1] == -1
    x.copy_([[1, 2, 3], [4, 5, 6]])
    assert x.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    total = x[0]
    total = total + x[1]
    assert x[0].tolist() == [1.0, 2.0, 3.0] and total.tolist() == [5.0, 7.0, 9.0]
"#,
    );
    let (_, rendered) = run("    x = torch.zeros(4)\n    x.reshape(2, 2)[0] = 1\n");
    assert!(rendered.contains("K0808"), "{rendered}");
}

#[test]
fn functions_are_pytorch_s() {
    holds(
        r#"
    x = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    assert torch.where(x > 0, x, 0.0).tolist() == [[1, 0, 3], [4, 5, 0]]
    assert torch.clamp(x, -1, 4).tolist() == [[1, -1, 3], [4, 4, -1]]
    assert x.clamp(min=0).tolist() == [[1, 0, 3], [4, 5, 0]]
    assert torch.tril(x).tolist() == [[1, 0, 0], [4, 5, 0]]
    assert x.triu(1).tolist() == [[0, -2, 3], [0, 0, -6]]
    assert x.masked_fill(x < 0, 9).tolist() == [[1, 9, 3], [4, 5, 9]]
    assert [p.shape for p in x.chunk(2, dim=1)] == [(2, 2), (2, 1)]
    assert [p.tolist() for p in torch.split(torch.arange(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [p.tolist() for p in torch.arange(5).split([1, 4])] == [[0], [1, 2, 3, 4]]
    left, right = x.split([1, 2], 1)
    left[:] = 0.0
    assert x[:, 0].tolist() == [0, 0] and x[0, 1].item() == -2
    assert torch.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert torch.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert torch.linspace(3, 9, 1).tolist() == [3] and torch.linspace(3, 9, 2).tolist() == [3, 9]
    a = torch.arange(12).reshape(2, 2, 3)
    b = torch.ones((2, 3, 1), dtype=torch.int64)
    assert torch.bmm(a, b).tolist() == [[[3], [12]], [[21], [30]]] and a.bmm(b).shape == (2, 2, 1)
    assert (a @ torch.tensor([1, 0, 0])).tolist() == [[0, 3], [6, 9]]
    assert torch.mm(x, x.T).shape == (2, 2)
    y = torch.full((2, 2), 3.0)
    assert y.add_(1).mul_(y).sub_(6).div_(5).tolist() == [[2, 2], [2, 2]] and y[0, 0].item() == 2
    assert y.zero_().sum().item() == 0
    assert torch.full_like(y, 7).tolist() == [[7, 7], [7, 7]] and torch.ones_like(a).dtype == torch.int64
    assert torch.rand_like(y).shape == (2, 2) and torch.randn_like(y).dtype == torch.float32
    assert torch.arange(3).repeat(2, 2).tolist() == [[0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2]]
    assert torch.arange(2).reshape(2, 1).expand(-1, 3).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert a.stride() == (6, 3, 1) and a.stride(-1) == 1 and a.element_size() == 8
    assert y.is_contiguous() and y.device == "ahbm" and y.cpu().device == "cpu"
    F = torch.nn.functional
    z = torch.tensor([[0.0, 1.0, -1.0]])
    # torch.nn.functional of 1.0, to seven places: silu 0.7310586, gelu 0.8413447.
    assert abs(F.silu(z)[0, 1].item() - 0.7310586) < 1e-6 and abs(F.gelu(z)[0, 1].item() - 0.8413447) < 1e-6
    assert F.relu(z).tolist() == [[0, 1, 0]] and abs(F.softmax(z, dim=-1).sum().item() - 1) < 1e-6
    # Mean 0, variance 2/3: layer norm and RMS norm agree, 1 / sqrt(2/3 + 1e-5) = 1.2247357.
    assert abs(F.layer_norm(z, (3,))[0, 1].item() - 1.2247357) < 1e-6
    assert torch.allclose(F.layer_norm(z + 5, (3,)), F.rms_norm(z), atol=1e-6)
"#,
    );
}

#[test]
fn random_tensors_depend_on_the_seed_alone() {
    holds(
        r#"
    torch.manual_seed(3)
    a, b = torch.randn(100), torch.randn(100)
    torch.manual_seed(3)
    c = torch.randn(100)
    assert a.equal(c) and not a.equal(b)
    assert -0.5 < a.mean().item() < 0.5
    u = torch.rand((50, 2), dtype="f16")
    assert (u >= 0).all() and (u <= 1).all()
    n = torch.randint(-2, 3, (500,))
    assert n.amin() == -2 and n.amax() == 2 and n.dtype == torch.int64
"#,
    );
}

fn add_one(memory: &mut Memory, request: &LaunchRequest) {
    let Some((_, Argument::Tensor(tensor))) = request.args.first() else { return };
    let sum = memory.load(tensor).arithmetic(ADD, &Array::scalar(tensor.dtype, 1.0)).unwrap();
    memory.bytes.insert(tensor.base, sum.to_bytes());
}

const ADD: Arithmetic = Arithmetic::Op(BinaryOp::Add);

#[test]
fn a_launch_is_given_addresses_and_scalars_by_name() {
    let text = "
def add_one(x_ptr, n, scale, dtype='f16', tl=None):
    pass


def add_one(x_ptr, n, scale=1.5, dtype='f16', tl=None):
    pass


@triton.jit
def other(x, n):
    pass


def run(torch, n=3):
    x = torch.zeros((4, n), dtype='f16', name='x')
    torch.launch(add_one, x, n, dtype=torch.float16)
    y = x + 0
    torch.launch('second', add_one, x, n=n, scale=2)
    torch.launch(other, x, 4)
    torch.testing.assert_equal(x, y + 1)
    print('launched', x.shape)
";
    let mut device = TestDevice::new(4, &[("add_one", add_one)]);
    let (outcome, rendered) = run_with(text, &mut device, &[("n", Scalar::Int(5))]);
    assert!(rendered.is_empty(), "{rendered}");
    assert_eq!(outcome.printed, "launched (4, 5)\n");
    assert_eq!(outcome.verdict(), Some(Verdict::Verified));
    assert_eq!(outcome.completions.iter().map(|it| it.time).collect::<Vec<_>>(), [Ps(7); 3]);
    let names: Vec<_> = device.requests.iter().map(|it| (&*it.label, &*it.kernel)).collect();
    assert_eq!(names, [("add_one", "add_one"), ("second", "add_one"), ("other", "other")]);
    let first = &device.requests[0];
    let scalars: Vec<_> = first.scalars();
    assert_eq!(
        scalars,
        [
            ("n", &Scalar::Int(5)),
            ("scale", &Scalar::Float(1.5)),
            ("dtype", &Scalar::DType(DType::F16))
        ]
    );
    let tensor = first.tensors()[0];
    assert_eq!((tensor.name.as_str(), tensor.base), ("x", 0x1_0000_0000));
    assert_eq!(tensor.local_rows(2), (2, 1));
}

#[test]
fn a_launch_says_how_it_went() {
    let text = "
def add_one(x_ptr, tl):
    pass


def run(torch):
    x = torch.zeros((4, 3))
    first = torch.launch(add_one, x)
    second = torch.launch(add_one, x)
    print(first.time_ns, second.gemms, second.macs)
    print(torch.ahbm.get_device_properties())
    print(first.gemm)
";
    let mut device = TestDevice::new(4, &[("add_one", add_one)]);
    let (outcome, rendered) = run_with(text, &mut device, &[]);
    assert_eq!(outcome.printed, "0.007 2 0\nNone\n");
    assert!(rendered.contains("`gemms`"), "the nearest name is told: {rendered}");
}

/// Each rank adds its W neighbours' tiles, nearest first.
fn ring(memory: &mut Memory, request: &LaunchRequest) {
    let tensor = request.tensors()[0].clone();
    let world = memory.world;
    let inputs: Vec<Array> = (0..world).map(|rank| memory.row(&tensor, rank)).collect();
    for rank in 0..world {
        let mut acc = inputs[rank as usize].clone();
        for step in 1..world {
            let from = (rank + world - step) % world;
            acc = acc.arithmetic(ADD, &inputs[from as usize]).unwrap();
        }
        memory.store_row(&tensor, rank, &acc);
    }
}

/// As [`ring`], but in the order of ranks: right by the definition, wrong in the last bits.
fn ring_reordered(memory: &mut Memory, request: &LaunchRequest) {
    let tensor = request.tensors()[0].clone();
    let inputs: Vec<Array> = (0..memory.world).map(|rank| memory.row(&tensor, rank)).collect();
    let sum =
        inputs[1..].iter().fold(inputs[0].clone(), |sum, it| sum.arithmetic(ADD, it).unwrap());
    for rank in 0..memory.world {
        memory.store_row(&tensor, rank, &sum);
    }
}

/// As [`ring`], but rank 2 loses a tile.
fn ring_with_a_hole(memory: &mut Memory, request: &LaunchRequest) {
    let tensor = request.tensors()[0].clone();
    let lost = memory.row(&tensor, 0);
    ring(memory, request);
    let minus = Arithmetic::Op(BinaryOp::Sub);
    let holed = memory.row(&tensor, 2).arithmetic(minus, &lost).unwrap();
    memory.store_row(&tensor, 2, &holed);
}

const RING: &str = include_str!("../kernels/ring_allreduce.kb");

fn ring_outcome(kernel: Kernel, world: u32, dtype: &str) -> (Outcome, String) {
    let mut device = TestDevice::new(world, &[("kernel", kernel)]);
    device.writer = Some(Writer { who: "pe2".into(), span: Span::NONE });
    let dtype = Scalar::Text(dtype.into());
    run_with(RING, &mut device, &[("n_elem", Scalar::Int(64)), ("dtype", dtype)])
}

#[test]
fn a_right_all_reduce_is_verified() {
    for dtype in ["f16", "bf16", "f32"] {
        for world in [1, 2, 3, 8, 16] {
            let (outcome, rendered) = ring_outcome(ring, world, dtype);
            assert!(rendered.is_empty(), "{rendered}");
            assert_eq!(outcome.verdict(), Some(Verdict::Verified));
            assert_eq!((outcome.checks, outcome.skipped), (1, 0));
        }
    }
}

#[test]
fn a_lost_contribution_is_found_by_the_definition() {
    let (outcome, rendered) = ring_outcome(ring_with_a_hole, 8, "f32");
    assert_eq!(outcome.verdict(), Some(Verdict::Mismatch));
    assert!(rendered.contains("64 of 512 elements are not what they should be"), "{rendered}");
    assert!(rendered.contains("element [2, 0]: got "), "{rendered}");
    assert!(rendered.contains("the definition of all_reduce:sum"), "{rendered}");
}

#[test]
fn another_order_is_found_bit_by_bit() {
    let (outcome, rendered) = ring_outcome(ring_reordered, 16, "f16");
    assert_eq!(outcome.verdict(), Some(Verdict::Mismatch));
    assert!(rendered.contains("the algorithm's own order"), "{rendered}");
    assert!(rendered.contains("ulp apart"), "{rendered}");
}

#[test]
fn without_data_checks_are_counted_and_choices_refused() {
    let mut device = TestDevice::new(4, &[]);
    device.has_data = false;
    let (outcome, rendered) = run_with(RING, &mut device, &[]);
    assert!(rendered.is_empty(), "{rendered}");
    assert_eq!((outcome.verdict(), outcome.skipped), (Some(Verdict::Skipped), 1));
    let text = "
def run(torch):
    x = torch.zeros(4)
    y = (x + 1).sum().item() * 2
    assert y == 8, 'not checked'
    assert x[0] == 0 and True, 'decided'
";
    let mut device = TestDevice::new(4, &[]);
    device.has_data = false;
    let (outcome, rendered) = run_with(text, &mut device, &[]);
    assert_eq!((outcome.verdict(), outcome.skipped), (None, 1));
    assert!(rendered.contains("K0812"), "{rendered}");
}

#[test]
fn a_hundred_thousand_row_additions_take_no_time() {
    let text = "
def run(torch):
    x = torch.randn((256, 256), dtype='f16')
    def reference(rank):
        total = x[rank]
        for step in range(1, 256):
            total = total + x[(rank - step) % 256]
        return total
    for rank in range(256):
        reference(rank)
";
    let start = std::time::Instant::now();
    let (_, rendered) = run_with(text, &mut TestDevice::new(256, &[]), &[]);
    assert!(rendered.is_empty(), "{rendered}");
    let seconds = start.elapsed().as_secs_f64();
    println!("65,280 additions of rows of 256: {seconds:.3} s");
    assert!(seconds < 5.0, "{seconds} s");
}

#[test]
fn collectives_may_be_checked_by_chunks_copies_and_references() {
    let text = "
def kernel(x_ptr, tl):
    pass


def run(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    given = x.numpy()
    torch.verify.all_reduce(given * 0 + given.sum(0), given, order=lambda: [0, 1, 2, 3])
    torch.verify.all_reduce(given * 0 + given.sum(0), given, chunks=2, order=lambda chunk: [[0, 1], [2, 3]])
    torch.verify.all_reduce(given * 0 + given.sum(0), given, reference=lambda rank: given.sum(0))
    torch.verify.all_reduce(given * 0 + given.amax(0), given, op='max')
    y = torch.tensor([16.0, 20.0], placement='replicate')
    torch.verify.all_reduce(y, given)
    assert y.local(3).tolist() == [16.0, 20.0] and x.local(3).tolist() == [[7.0, 8.0]]
";
    let mut device = TestDevice::new(4, &[]);
    let (outcome, rendered) = run_with(text, &mut device, &[]);
    assert!(rendered.is_empty(), "{rendered}");
    // Five of the definition, and the assertion on what two ranks hold.
    assert_eq!(outcome.checks, 6);
}
