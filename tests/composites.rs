//! What composites compute, against definitions written in f64 by host programs, and what is said
//! of composites that go wrong.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod in_process;

use in_process::{launch, simulate};

/// A host program that launches `kernel` on two matrices and compares with `expected`.
fn program(body: &str, run: &str) -> String {
    format!(
        "def kernel(a_ptr, b_ptr, v_ptr, c_ptr, m, n, k, tl):\n{body}\n\ndef run(torch):\n{run}\n"
    )
}

fn verified(text: &str) {
    let found = simulate(text, &launch(1, "kind=tcm", ""), None);
    assert_eq!(found.verdict, "verified", "{text}\n{}", found.text());
}

const REFS: &str = "    a = tl.ref(a_ptr, shape=(m, k), dtype=\"f16\")
    b = tl.ref(b_ptr, shape=(k, n), dtype=\"f16\")
    v = tl.load(v_ptr, shape=(n,), dtype=\"f16\")
";

/// Small whole numbers: every sum is exact in f32, whatever its order.
const WHOLE: &str = "    m, n, k = 40, 70, 150
    a = torch.tensor(torch.randint(-4, 5, (m, k)).to(torch.float16))
    b = torch.tensor(torch.randint(-4, 5, (k, n)).to(torch.float16))
    v = torch.tensor(torch.randint(-4, 5, (n,)).to(torch.float16))
    c = torch.zeros((m, n), dtype=torch.float32)
    torch.launch(\"k\", kernel, a, b, v, c, m, n, k)
    product = a.double() @ b.double()
";

fn compared(expected: &str) -> String {
    format!("{WHOLE}    torch.testing.assert_close(c, {expected}, rtol=0, atol=0)\n")
}

/// Sizes that no tile divides, so that every edge is ragged; results exact.
#[test]
fn products_and_their_epilogues_are_exact_on_whole_numbers() {
    let composite = |epilogue: &str| {
        format!(
            "{REFS}    tl.wait(tl.composite(op=\"gemm\", a=a, b=b, out_ptr=c_ptr, out_dtype=\"f32\", epilogue=[{epilogue}]))"
        )
    };
    for (epilogue, expected) in [
        ("", "product"),
        ("(\"bias\", v)", "product + v.double()"),
        (
            "(\"bias\", v, \"kernel\"), (\"relu\", \"kernel\")",
            "torch.maximum(product + v.double(), 0.0 * product)",
        ),
        (
            "{\"op\": \"scale\", \"factor\": 0.5, \"scope\": \"k_tile\"}, (\"dequant\", v)",
            "0.5 * product * v.double()",
        ),
        (
            "\"relu\", (\"sub\", 3), (\"maximum\", v)",
            "torch.maximum(torch.maximum(product, 0.0 * product) - 3.0, v.double() + 0.0 * product)",
        ),
    ] {
        verified(&program(&composite(epilogue), &compared(expected)));
    }
}

/// A step of scope `k_tile` acts on the product of each tile of 64 along k, before it is added.
#[test]
fn a_k_tile_step_acts_on_each_part_of_k() {
    let body = format!(
        "{REFS}    tl.wait(tl.composite(op=\"gemm\", a=a, b=b, out_ptr=c_ptr, out_dtype=\"f32\", epilogue=[(\"relu\", \"k_tile\")]))"
    );
    let run = format!(
        "{WHOLE}    expected = 0.0 * product
    for first in (0, 64, 128):
        last = min(first + 64, k)
        part = a[:, first:last].double() @ b[first:last, :].double()
        expected = expected + torch.maximum(part, 0.0 * part)
    torch.testing.assert_close(c, expected, rtol=0, atol=0)\n"
    );
    verified(&program(&body, &run));
}

/// Transposed tiles in TCM beside a streamed factor.
#[test]
fn a_loaded_operand_may_be_a_view() {
    let body = "    a = tl.trans(tl.load(a_ptr, shape=(k, m), dtype=\"f16\"))
    b = tl.ref(b_ptr, shape=(k, n), dtype=\"f16\")
    tl.wait(tl.composite(op=\"gemm\", a=a, b=b, out_ptr=c_ptr, out_dtype=\"f32\"))";
    let run = compared("(a.double().reshape(k, m).permute(1, 0)) @ b.double()");
    verified(&program(body, &run));
}

/// 8-bit integers are summed in i32, and dequantised in f32.
#[test]
fn integers_are_summed_exactly_and_scaled_as_floats() {
    let body = "    a = tl.ref(a_ptr, shape=(m, k), dtype=\"i8\")
    b = tl.load(b_ptr, shape=(k, n), dtype=\"i8\")
    v = tl.load(v_ptr, shape=(n,), dtype=\"f32\")
    tl.wait(tl.composite(op=\"gemm\", a=a, b=b, out_ptr=c_ptr, out_dtype=\"f32\", epilogue=[(\"dequant\", v)]))";
    let run = "    m, n, k = 33, 65, 130
    a = torch.tensor(torch.randint(-128, 128, (m, k)).to(torch.int8))
    b = torch.tensor(torch.randint(-128, 128, (k, n)).to(torch.int8))
    v = torch.full((n,), 0.25, dtype=torch.float32)
    c = torch.zeros((m, n), dtype=torch.float32)
    torch.launch(\"k\", kernel, a, b, v, c, m, n, k)
    torch.testing.assert_close(c, 0.25 * (a.double() @ b.double()), rtol=0, atol=0)";
    verified(&program(body, run));
}

#[test]
fn elementwise_composites_combine_and_change_what_they_stream() {
    for (dims, shape) in [("(m, n)", "m, n"), ("(n,)", "1, n")] {
        let body = format!(
            "    a = tl.ref(a_ptr, shape={dims}, dtype=\"f16\")
    b = tl.load(b_ptr, shape={dims}, dtype=\"f16\")
    v = tl.load(v_ptr, shape=(n,), dtype=\"f16\")
    f = tl.composite(op=\"math\", a=a, b=b, math_op=\"mul\", out_ptr=c_ptr, out_dtype=\"f32\", epilogue=[\"relu\", (\"bias\", v)])
    tl.wait(f)"
        );
        let run = format!(
            "    m, n = {rows}, 1300
    a = torch.tensor(torch.randint(-9, 10, ({shape})).to(torch.float16))
    b = torch.tensor(torch.randint(-9, 10, ({shape})).to(torch.float16))
    v = torch.tensor(torch.randint(-9, 10, (n,)).to(torch.float16))
    c = torch.zeros(({shape}), dtype=torch.float32)
    torch.launch(\"k\", kernel, a, b, v, c, m, n, 1)
    product = a.double() * b.double()
    torch.testing.assert_close(c, torch.maximum(product, 0.0 * product) + v.double(), rtol=0, atol=0)",
            rows = if shape == "m, n" { 70 } else { 1 },
        );
        verified(&program(&body, &run));
    }
}

/// Composites follow each other without being waited for: the second reads what the first wrote,
/// and a tile that the first reads is loaded anew after it.
#[test]
fn what_touches_the_same_memory_or_tile_waits() {
    let body = "    x = tl.load(v_ptr, shape=(1, n), dtype=\"f16\")
    f = tl.composite(op=\"math\", a=x, b=tl.ref(a_ptr, shape=(1, n), dtype=\"f16\"), out_ptr=b_ptr, out_dtype=\"f16\")
    x = tl.load(b_ptr, shape=(1, n), dtype=\"f16\")
    g = tl.composite(op=\"math\", a=x, out_ptr=c_ptr, out_dtype=\"f16\", epilogue=[(\"scale\", 2.0)])
    tl.wait(g)
    tl.wait(f)";
    let run = "    n = 5000
    a = torch.tensor(torch.randint(-9, 10, (n,)).to(torch.float16))
    b = torch.zeros((n,), dtype=torch.float16)
    v = torch.tensor(torch.randint(-9, 10, (n,)).to(torch.float16))
    c = torch.zeros((n,), dtype=torch.float16)
    torch.launch(\"k\", kernel, a, b, v, c, 1, n, 1)
    torch.testing.assert_close(c, 2.0 * (a.double() + v.double()), rtol=0, atol=0)";
    verified(&program(body, run));
}

/// Futures go round a loop, each waited for an iteration later.
#[test]
fn futures_may_be_carried_by_loops() {
    let body = "    f = tl.composite(op=\"math\", a=tl.ref(a_ptr, shape=(1, n), dtype=\"f16\"), out_ptr=c_ptr, out_dtype=\"f16\")
    for row in range(1, m):
        at = row * n * 2
        g = tl.composite(op=\"math\", a=tl.ref(a_ptr + at, shape=(1, n), dtype=\"f16\"), out_ptr=c_ptr + at, out_dtype=\"f16\")
        tl.wait(f)
        f = g
    tl.wait(f)";
    let run = "    m, n = 7, 300
    a = torch.tensor(torch.randint(-9, 10, (m, n)).to(torch.float16))
    b = torch.zeros((n,), dtype=torch.float16)
    c = torch.zeros((m, n), dtype=torch.float16)
    torch.launch(\"k\", kernel, a, b, b, c, m, n, 1)
    torch.testing.assert_close(c, a.double(), rtol=0, atol=0)";
    verified(&program(body, run));
}

const FAULTY: &str = "def kernel_args(world_size, n=64):
    return (n,)

def kernel(a_ptr, c_ptr, n, tl):
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    a = tl.ref(a_ptr + FIRST, shape=(1, n), dtype=\"f16\")
    f = tl.composite(op=\"math\", a=a, out_ptr=c_ptr + WHERE, out_dtype=\"f16\")
    tl.wait(f)

def run(torch):
    world_size = torch.distributed.get_world_size()
    a = MAKE((64,), dtype=torch.float16)
    c = torch.zeros((64 * world_size,), dtype=torch.float16)
    torch.launch(\"k\", kernel, a, c, 64)
";

fn codes(world: u32, [first, place, make]: [&str; 3]) -> Vec<&'static str> {
    let text = FAULTY.replace("FIRST", first).replace("WHERE", place).replace("MAKE", make);
    simulate(&text, &launch(world, "kind=tcm", ""), None).codes()
}

#[test]
fn faults_of_composites_are_those_of_other_commands() {
    assert_eq!(codes(1, ["0", "0", "torch.zeros"]), [""; 0]);
    // Beyond the end of a tensor, reading and writing.
    assert_eq!(codes(1, ["2", "0", "torch.zeros"]), ["K0732"]);
    assert_eq!(codes(1, ["0", "2", "torch.zeros"]), ["K0732"]);
    // What nobody has written.
    assert_eq!(codes(1, ["0", "0", "torch.empty"]), ["K0730"]);
    // Two PEs write the same bytes in no order.
    assert_eq!(codes(2, ["0", "0", "torch.zeros"]), ["K0731"]);
}
