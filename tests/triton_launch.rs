//! Host programs launch `@triton.jit` kernels as Triton does: `kernel[grid](…)`.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

mod in_process;

use in_process::{Found, launch, simulate};

const KERNEL: &str = r#"
import triton
import triton.language as tl


@triton.jit
def add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr, OUT: tl.constexpr = tl.float32):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n
    x = tl.load(x_ptr + offsets, mask=mask)
    y = tl.load(y_ptr + offsets, mask=mask)
    tl.store(out_ptr + offsets, (x + y).to(OUT), mask=mask)


def run(torch, n=1000):
    x = torch.randn((n,), dtype="f32")
    y = torch.randn((n,), dtype="f32")
    out = torch.zeros((n,), dtype="f32")
    LAUNCH
    torch.testing.assert_close(out, x.numpy() + y.numpy(), rtol=0, atol=0)
"#;

fn with(call: &str) -> Found {
    simulate(&KERNEL.replace("LAUNCH", call), &launch(8, "", ""), None)
}

#[test]
fn every_way_to_write_a_grid_runs_every_program() {
    for call in [
        "add[(16,)](x, y, out, n, BLOCK=64)",
        "add[16](x, y, out, n, 64)",
        "add[16, 1, 1](x, y, out, n, BLOCK=64, num_warps=4, num_stages=3)",
        "add[lambda meta: (triton.cdiv(n, meta['BLOCK']),)](x, y, out, n, BLOCK=100)",
        "add[(triton.cdiv(meta_n, 64),)](x, y, n=n, out_ptr=out, BLOCK=64)"
            .replace("meta_n", "n")
            .as_str(),
        "add[(16,)](x, y, out, n, BLOCK=64, OUT=torch.float32)",
    ] {
        let found = with(call);
        assert_eq!(found.verdict, "verified", "{call}\n{}", found.text());
        assert_eq!(found.launches, 1);
    }
}

#[test]
fn a_grid_that_is_too_small_leaves_elements_out() {
    assert_eq!(with("add[(15,)](x, y, out, n, BLOCK=64)").verdict, "mismatch");
}

#[test]
fn a_wrong_launch_is_told_where_it_is_written() {
    for (call, said) in [
        ("add[(1, 2, 3, 4)](x, y, out, n, BLOCK=64)", "the grid of `add` is (1, 2, 3, 4)"),
        ("add[0](x, y, out, n, BLOCK=64)", "the grid of `add` is 0"),
        ("add['x'](x, y, out, n, BLOCK=64)", "the grid of `add` is 'x'"),
        ("add[(16,)](x, y, out, n)", "needs `BLOCK`, which is not given"),
        ("add[(16,)](x, y, out, n, BLOK=64, BLOCK=64)", "has no parameter `BLOK`"),
        ("add(x, y, out, n, 64)", "cannot be called by the host"),
        ("add[1:2](x, y, out, n, 64)", "a kernel cannot be indexed"),
    ] {
        let found = with(call);
        assert_eq!(found.verdict, "refused", "{call}");
        assert!(found.text().contains(said), "{call}\n{}", found.text());
    }
}
