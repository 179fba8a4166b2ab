//! `DPPolicy`: which PE holds what, that nothing is lost on the way there and back, and that kernels see
//! the shares that the table says.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;

use command_line::{Scratch, kbc};

/// Runs a program, which must do well, and gives what it prints before the report.
fn sim(text: &str, args: &[&str]) -> String {
    let ran = run(text, args);
    assert_eq!(ran.code, 0, "{}{}", ran.stderr, ran.stdout);
    ran.stdout
}

fn run(text: &str, args: &[&str]) -> command_line::Ran {
    let scratch = Scratch::new();
    scratch.write("bench.kb", text);
    let mut all = vec!["sim", "bench.kb"];
    all.extend(args);
    kbc(scratch.path(), &all)
}

/// kernbench's multi-PE GEMM, but for the scalars, which kernbench replaces by value.
const GEMM: &str = r#"
from kernbench.policy.placement.dp import DPPolicy

M, K, N = 32, 128, 64
DTYPE = "f16"


def _gemm_kernel(a_ptr, b_ptr, out_ptr, M, K, N, tl, DTYPE="f16"):
    pe = tl.program_id(0)
    a = tl.load(a_ptr, shape=(M, K), dtype=DTYPE)
    b = tl.ref(b_ptr + pe * K * N * 2, shape=(K, N), dtype=DTYPE)
    handle = tl.composite(op="gemm", a=a, b=b, out_ptr=out_ptr + pe * M * N * 2)
    tl.wait(handle)


def run(torch, pes=8, cubes=1, device="sip:0"):
    torch.ahbm.set_device(device)
    replicate = DPPolicy(cube="replicate", pe="replicate", num_pes=pes, num_cubes=cubes)
    columns = DPPolicy(cube="replicate", pe="column_wise", num_pes=pes, num_cubes=cubes)
    a = torch.randn((M, K), dtype=DTYPE, dp=replicate, name="a")
    b = torch.randn((K, N), dtype=DTYPE, dp=columns, name="b")
    out = torch.empty((M, N), dtype=DTYPE, dp=columns, name="out")
    torch.launch("gemm_multi_pe", _gemm_kernel, a, b, out, M, K, b.local_shape[1])
    torch.testing.assert_close(out, a.float() @ b.float(), rtol=1e-3, atol=1e-2)
    for shard in out.shards():
        print(shard)
"#;

#[test]
fn kernbench_s_gemm_runs_on_one_pe_and_on_many() {
    for (pes, cubes, device, shards) in [
        ("1", "1", "sip:0", 1),
        ("8", "1", "sip:0", 8),
        ("4", "2", "sip:1", 8),
        ("8", "3", "all", 48),
    ] {
        let set = [format!("pes={pes}"), format!("cubes={cubes}"), format!("device={device}")];
        let args: Vec<&str> = set.iter().flat_map(|it| ["--set", it]).collect();
        let out = sim(GEMM, &args);
        assert_eq!(out.matches("Shard(").count(), shards, "{out}");
        assert!(out.contains("verified"), "{out}");
    }
}

/// Each program writes what it is told of itself into its own share.
const WHO: &str = r#"
def kernel(x_ptr, tl):
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    told = tl.program_id(0) + 10 * tl.program_id(1) + 100 * tl.program_id(2)
    told = told + 1000 * tl.num_programs(0) + 10000 * tl.num_programs(1) + 100000 * tl.num_programs(2)
    tl.store(x_ptr + rank * 4, tl.full((1,), told, "i32"))


def run(torch, sip="sip:1"):
    policy = torch.DPPolicy(cube="column_wise", pe="column_wise", num_pes=2, num_cubes=3)
    x = torch.zeros((6,), dtype="i32", dp=policy, device=sip)
    torch.launch(kernel, x)
    print(x.tolist())
"#;

#[test]
fn program_ids_count_the_part_that_runs() {
    let out = sim(WHO, &[]);
    assert!(
        out.starts_with("[132000, 132001, 132010, 132011, 132020, 132021]"),
        "2 PEs, 3 cubes, 1 SIP: {out}"
    );
    // On both SIPs, the ranks of the second write beyond a tensor of six; it needs one of twelve.
    let twelve = WHO.replace("(6,)", "(12,)").replace("rank * 4", "rank % 6 * 4");
    let out = sim(&twelve, &["--set", "sip=all"]);
    let first: Vec<String> =
        (0..6).map(|it| (262_000 + it % 2 + 10 * (it / 2)).to_string()).collect();
    assert!(out.starts_with(&format!("[{}, 0", first.join(", "))), "{out}");
}

#[test]
fn scalars_are_not_rewritten_by_value() {
    // A head of 64 elements beside 64 rows that are cut over 8 PEs: kernbench makes 8 of both.
    let out = sim(
        r#"
def kernel(x_ptr, d_head, rows, factor, tl):
    tl.store(x_ptr + tl.program_id(0) * 12, tl.cat(tl.full((1,), d_head, "i32"), tl.full((1,), rows, "i32")))


def run(torch):
    x = torch.zeros((64, 3), dtype="i32", dp=torch.DPPolicy(pe="row_wise", num_pes=8, num_cubes=1))
    torch.launch(kernel, x, 64, 64, 2.5)
    print(x[0].tolist(), x.local_shape)
"#,
        &[],
    );
    assert!(out.starts_with("[64, 64, 0] (8, 3)"), "{out}");
}

#[test]
fn tables_say_who_holds_what() {
    // 10 rows over 4 cubes: 3, 3, 3, 1. Each 7 columns over 2 PEs: 4, 3.
    let out = sim(
        r#"
def run(torch):
    policy = torch.DPPolicy(cube="row_wise", pe="column_wise", num_pes=2, num_cubes=4)
    x = torch.arange(70, dtype="f32").reshape((10, 7))
    y = torch.empty((10, 7), dtype="f32", dp=policy, name="y")
    y.copy_(x)
    print(y.shards())
    torch.testing.assert_equal(y.numpy(), x)
    assert y.local(9).tolist() == [[25, 26, 27], [32, 33, 34], [39, 40, 41]], y.local(9)
    assert [s.nbytes for s in y.shards()] == [48, 36, 48, 36, 48, 36, 16, 12]
    print(y.shards()[-1])
"#,
        &[],
    );
    let table = "\
y: f32 (10, 7), 280 B, DPPolicy(cube=\"row_wise\", pe=\"column_wise\", num_pes=2, num_cubes=4) on sip:0
sip  cube  pe  offset  bytes  shape   elements
  0     0   0       0     48  (3, 4)  [0:3, 0:4]
  0     0   1      48     36  (3, 3)  [0:3, 4:7]
  0     1   0      84     48  (3, 4)  [3:6, 0:4]
  0     1   1     132     36  (3, 3)  [3:6, 4:7]
  0     2   0     168     48  (3, 4)  [6:9, 0:4]
  0     2   1     216     36  (3, 3)  [6:9, 4:7]
  0     3   0     252     16  (1, 4)  [9:10, 0:4]
  0     3   1     268     12  (1, 3)  [9:10, 4:7]
";
    assert!(out.starts_with(table), "{out}");
    assert!(
        out.contains(
            "Shard(sip=0, cube=3, pe=1, offset_bytes=268, nbytes=12, elements=[9:10, 4:7])"
        )
    );
}

#[test]
fn pes_see_the_copy_that_they_hold() {
    // Each cube has a copy; PE 0 of cube 1 changes what PE 1 of that cube holds, and only there.
    let out = sim(
        r#"
def kernel(x_ptr, tl):
    if tl.program_id(1) == 1:
        if tl.program_id(0) == 0:
            tl.store(x_ptr + 8, tl.full((2,), 7, "i32"))


def run(torch):
    x = torch.zeros((4,), dtype="i32", dp=torch.DPPolicy(pe="column_wise", num_pes=2, num_cubes=2))
    torch.launch(kernel, x)
    print(x.tolist(), [x.local(rank).tolist() for rank in (0, 1, 8, 9)])
"#,
        &[],
    );
    assert!(out.starts_with("[0, 0, 0, 0] [[0, 0], [0, 0], [0, 0], [7, 7]]"), "{out}");
}

#[test]
fn mistakes_are_told() {
    let program = |line: &str| format!("def run(torch):\n    P = torch.DPPolicy\n    {line}\n");
    for (line, says) in [
        ("P(cube=\"by_rows\")", "`cube` is \"by_rows\", which is no way to divide a tensor"),
        ("P(pe=\"colum_wise\")", "`column_wise`"),
        ("P(sip=\"replicate\")", "`torch.ahbm.set_device(…)` says on which SIP"),
        (
            "torch.zeros((4,), dp=P(num_pes=9))",
            "`num_pes` is 9, and a cube of this machine has 8 PEs",
        ),
        ("torch.zeros((4,), dp=P(num_cubes=0))", "`num_cubes` is 0"),
        ("torch.zeros((4,), dp=P(num_pes=-1))", "`num_pes` is -1"),
        ("torch.zeros((), dp=P(pe=\"column_wise\"))", "a single element"),
        ("torch.zeros((8,), dp=P(pe=\"row_wise\"))", "a single row"),
        ("torch.zeros((8,), dp=P(), placement=0)", "both `dp` and `placement`"),
        ("torch.zeros((8,), device=\"sip:0\")", "there is no policy"),
        ("torch.zeros((8,), dp=P(), device=\"sip:2\")", "there is no device 2"),
        ("torch.ahbm.set_device(\"cuda:0\")", "there is no device that"),
        ("torch.zeros((8,), dp=\"replicate\")", "`dp` is a str"),
    ] {
        let ran = run(&program(line), &[]);
        assert_eq!(ran.code, 1, "{line}: {}", ran.stdout);
        assert!(ran.stderr.contains(says), "{line}: {}", ran.stderr);
    }
    let two = "torch.zeros((4,), dp=P(num_cubes=2))";
    let ran = run(&program(two), &["--ws", "12"]);
    assert!(
        ran.stderr.contains("the world needs 16 PEs on this SIP, and it has 12"),
        "{}",
        ran.stderr
    );
}
