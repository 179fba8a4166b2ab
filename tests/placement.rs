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

/// Every PE copies its own share of a tensor that many policies place.
const COPY: &str = r#"
FORMS = ["replicate", "row_wise", "column_wise", "tiled", "tiled_column_major"]


def kernel(x_ptr, y_ptr, n_elem, pes_are_cut, cubes_are_cut, tl):
    share = tl.program_id(0) * pes_are_cut
    if cubes_are_cut:
        share += tl.program_id(1) * (tl.num_programs(0) if pes_are_cut else 1)
    at = share * n_elem * 4
    tl.store(y_ptr + at, tl.load(x_ptr + at, shape=(n_elem,), dtype="f32") + 1.0)


def run(torch):
    x0 = torch.arange(256, dtype="f32").numpy()
    for cube in FORMS:
        for pe in FORMS:
            policy = torch.DPPolicy(cube=cube, pe=pe, num_pes=4, num_cubes=2)
            x = torch.empty((16, 16), dtype="f32", dp=policy)
            y = torch.empty((16, 16), dtype="f32", dp=policy)
            x.copy_(x0.reshape((16, 16)))
            n_elem = x.local_shape[0] * x.local_shape[1]
            torch.launch(f"{cube} {pe}", kernel, x, y, n_elem, int(pe != "replicate"), cube != "replicate")
            torch.testing.assert_equal(y, x0.reshape((16, 16)) + 1)
            torch.testing.assert_equal(x[3:9, 5:], x0.reshape((16, 16))[3:9, 5:])
            x[3:9, 5:] = -1.0
            assert x.sum().item() == x0.sum().item() - x0.reshape((16, 16))[3:9, 5:].sum().item() - 66
"#;

#[test]
fn kernels_find_their_shares_under_every_policy() {
    let out = sim(COPY, &["--ws", "16"]);
    // Two comparisons and an assertion on a sum, for each of 25 policies.
    assert!(out.contains("75 checks of `run` hold"), "{out}");
}

#[test]
fn launches_have_targets_and_deal_grids() {
    let who = r#"
def kernel(x_ptr, tl):
    tl.store(x_ptr + tl.program_id(0) * 4, tl.full((1,), tl.num_programs(0) * 100 + tl.num_programs(1), "i32"))


def run(torch):
    x = torch.zeros((8,), dtype="i32", dp=torch.DPPolicy(pe="column_wise", num_cubes=1), device="all")
    launched = torch.launch("second", kernel, x, target="sip:1", _defer_wait=True)
    torch.wait(launched)
    print([x.local(rank).tolist() for rank in (0, 7, 128, 135)])
    y = torch.zeros((8,), dtype="i32", placement="replicate")
    torch.launch(kernel, y, target=[5, 3])
    print(y.local(5).tolist(), y.local(3).tolist(), y.local(0).tolist())
"#;
    let out = sim(who, &[]);
    let lines: Vec<&str> = out.lines().collect();
    let none = "[0, 0, 0, 0, 0, 0, 0, 0]";
    assert_eq!(lines[0], "[[0], [0], [801], [801]]");
    assert_eq!(lines[1], format!("[801, 0, 0, 0, 0, 0, 0, 0] [0, 801, 0, 0, 0, 0, 0, 0] {none}"));
    let dealt = |map: &str| {
        let program = format!(
            r#"
import triton
import triton.language as tl


@triton.jit
def who(x_ptr):
    tl.store(x_ptr + tl.program_id(0), 1)


def run(torch):
    x = torch.zeros(8, dtype="i32", placement="replicate")
    who[(8,)](x, map="{map}")
    print([x.local(rank).tolist() for rank in range(3)])
"#
        );
        let out = sim(&program, &["--ws", "3"]);
        out.lines().next().unwrap().to_owned()
    };
    let ones = |ranks: [&[usize]; 3]| {
        let row = |ones: &[usize]| -> Vec<u32> {
            (0..8).map(|it| u32::from(ones.contains(&it))).collect()
        };
        format!("{:?}", ranks.map(row))
    };
    assert_eq!(dealt("block"), ones([&[0, 1, 2], &[3, 4, 5], &[6, 7]]));
    assert_eq!(dealt("cyclic"), ones([&[0, 3, 6], &[1, 4, 7], &[2, 5]]));
}

#[test]
fn memory_comes_back_when_tensors_go() {
    // Ten times 4 GiB on a PE that has 6 GiB: freed, or no longer named.
    let freed = "
def run(torch):
    for i in range(5):
        x = torch.empty((1 << 30,), dtype=\"f32\", placement=0, name=f\"x{i}\")
        x.free()
    for i in range(5):
        x = None
        x = torch.empty((1 << 30,), dtype=\"f32\", placement=0, name=f\"x{i}\")
";
    sim(freed, &["--ws", "2"]);
    let kept = "
def run(torch):
    w = torch.empty((1 << 29,), dtype=\"f32\", dp=torch.DPPolicy(num_pes=1, num_cubes=1), name=\"weights\")
    x = torch.empty((1 << 29,), dtype=\"f32\", placement=0, name=\"x\")
    y = torch.empty((1 << 30,), dtype=\"f32\", placement=0, name=\"y\")
";
    let ran = run(kept, &["--ws", "2"]);
    assert!(ran.stderr.contains("error[K0705]: tensor `y` needs 4,294,967,296 B in the HBM of PE 0, of which 2,147,483,648 B are free"), "{}", ran.stderr);
    for says in [
        "`weights` holds 2,147,483,648 B",
        "in use are 4,294,967,296 B: `weights` 2,147,483,648 B, `x` 2,147,483,648 B",
        "sip0.cube0.pe0",
    ] {
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
}

#[test]
fn what_is_freed_is_mapped_no_more() {
    let program = |middle: &str| {
        format!(
            "
def kernel(at, y_ptr, tl):
    tl.store(y_ptr, tl.load(at, shape=(4,), dtype=\"f32\"))


def run(torch):
    x = torch.ones((4,), placement=0)
    y = torch.zeros((4,), placement=0)
    torch.launch(kernel, x, y, target=[0])
    {middle}
    torch.launch(kernel, 0x1_0000_0000, y, target=[0])
    print(y.tolist())
"
        )
    };
    let out = sim(&program("pass"), &["--ws", "2"]);
    assert!(out.starts_with("[1.0, 1.0, 1.0, 1.0]"), "{out}");
    let ran = run(&program("x.free()"), &["--ws", "2"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("error[K07"), "{}", ran.stderr);
    let used = run(&program("x.free(); torch.launch(kernel, x, y)"), &["--ws", "2"]);
    assert!(
        used.stderr.contains("error[K0831]") && used.stderr.contains("freed here"),
        "{}",
        used.stderr
    );
}
