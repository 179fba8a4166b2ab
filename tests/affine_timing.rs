//! What Triton kernels move and how long that takes, in closed form: a transfer costs the bytes
//! that the mask lets through, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;

use command_line::{Scratch, kbc};
use serde_json::Value;

/// One PE beside its memory; the numbers of the formulas below are these.
const ONE: &str = "\
flit_bytes: 256
machine:
  nodes:
    - {name: pe0, kind: pe}
  links: []
  hbm_ctrl: {overhead_ns: 11}
  pe_template:
    components:
      pe_cpu: {attrs: {dispatch_ns: 3}}
      pe_dma: {attrs: {overhead_ns: 5}}
      pe_math: {attrs: {overhead_ns: 2, clock_freq_ghz: 0.5, vector_width: 32}}
      pe_tcm: {attrs: {read_bw_gbs: 320, write_bw_gbs: 400}}
";

const ADD: &str = "\
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n
    x = tl.load(x_ptr + offsets, mask=mask, other=0.0)
    y = tl.load(y_ptr + offsets, mask=mask, other=0.0)
    tl.store(out_ptr + offsets, x + y, mask=mask)
";

/// A tile of a matrix: columns from 4 on, all of the tile or as many as there are.
const TILE: &str = "\
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, out_ptr, rows, columns, WIDTH: tl.constexpr, M: tl.constexpr, N: tl.constexpr):
    i = tl.arange(0, M)[:, None]
    j = 4 + tl.arange(0, N)[None, :]
    inside = (i < rows) & (j < columns)
    x = tl.load(x_ptr + i * WIDTH + j, mask=inside)
    tl.store(out_ptr + i * WIDTH + j, x, mask=inside)
";

/// What a launch says: its time in picoseconds, and the bytes it read and wrote.
fn ran(text: &str, words: &str) -> [u64; 3] {
    let scratch = Scratch::new();
    scratch.write("one.yaml", ONE);
    scratch.write("kernel.py", text);
    let words = format!("sim kernel.py --topology one.yaml --grid 1 --json {words}");
    let ran = kbc(scratch.path(), &words.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let traffic = &result["launches"][0]["report"]["traffic"];
    let bytes = |key: &str| traffic[key].as_u64().unwrap();
    [result["time_ps"].as_u64().unwrap(), bytes("hbm_bytes_read"), bytes("hbm_bytes_written")]
}

/// Bytes at GB/s, in picoseconds.
fn at(bytes: u64, gb_per_s: u64) -> u64 {
    (bytes * 1000).div_ceil(gb_per_s)
}

/// A read and a write of so many bytes, from when they begin: DMA, the controller, the bytes.
fn read(bytes: u64) -> u64 {
    5_000 + 11_000 + at(bytes, 400)
}

fn write(bytes: u64) -> u64 {
    5_000 + 11_000 + at(bytes, 320)
}

#[test]
fn a_vector_addition_moves_its_bytes() {
    const BLOCK: u64 = 1024;
    for n in [1024, 1023, 700, 1] {
        let tensor = |name: &str| format!("--arg {name}_ptr=rand:{BLOCK}:f32 ");
        let tensors = tensor("x") + &tensor("y") + &tensor("out");
        let found = ran(ADD, &format!("{tensors}--arg n={n} --set BLOCK={BLOCK}"));
        let bytes = n * 4;
        // The second load begins once the channel has done its 5 ns for the first.
        let loads = 3_000 + 5_000 + read(bytes);
        let add = 2_000 + BLOCK / 32 * 2_000;
        assert_eq!(found, [loads + add + write(bytes), 2 * bytes, bytes], "{n}");
    }
}

#[test]
fn a_clipped_tile_moves_what_is_inside() {
    let (m, n, width) = (16, 32, 40);
    for (rows, columns) in [(16, 36), (16, 20), (7, 36), (3, 5), (0, 36), (16, 4)] {
        let tensors =
            format!("--arg x_ptr=rand:{m}x{width}:f32 --arg out_ptr=rand:{m}x{width}:f32");
        let sizes = format!("--set M={m} --set N={n} --set WIDTH={width}");
        let found =
            ran(TILE, &format!("{tensors} --arg rows={rows} --arg columns={columns} {sizes}"));
        let bytes = rows * (columns - 4) * 4;
        assert_eq!(found[1..], [bytes, bytes], "{rows} {columns}");
        // Rows lie 160 bytes apart, less than a burst: every burst of 256 bytes from the first byte,
        // which is 16 bytes behind the start of one, to the last is fetched, and stored.
        let end = 4 * 4 + (rows.max(1) - 1) * width * 4 + (columns - 4) * 4;
        let fetched = if rows == 1 { bytes } else { end.div_ceil(256) * 256 };
        if bytes > 0 {
            assert_eq!(found[0], 3_000 + read(fetched) + write(fetched), "{rows} {columns}");
        }
    }
}
