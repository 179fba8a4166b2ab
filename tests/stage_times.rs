//! Loops with `num_stages` take the times of a pipeline: closed forms of loads and computations
//! that overlap.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;

use command_line::{Scratch, kbc};

/// The default machine, on which commands are free to issue, one transfer is in flight at a time,
/// and MATH adds 4,096 f32 in a time of choice.
fn one_in_flight(add_ns: u64) -> String {
    format!(
        "cube:
  pe_template:
    components:
      pe_cpu: {{attrs: {{dispatch_ns: 0}}}}
      pe_dma: {{attrs: {{outstanding: 1}}}}
      pe_math: {{attrs: {{overhead_ns: 0, clock_freq_ghz: 1.0, vector_width: {}}}}}
      pe_tcm: {{attrs: {{read_bw_gbs: inf, write_bw_gbs: inf}}}}
",
        4096 / add_ns
    )
}

/// The time of a kernel with this body, in picoseconds.
fn time_ps(scratch: &Scratch, body: &str) -> u64 {
    let params = if body.contains("y_ptr") { "x_ptr, y_ptr" } else { "x_ptr" };
    scratch.write("k.kb", &format!("def kernel({params}, tl):\n{body}"));
    let args = ["sim", "k.kb", "--topology", "one.yaml", "--ws", "1", "--no-explain", "--json"];
    let ran = kbc(scratch.path(), &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let result: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    result["time_ps"].as_u64().unwrap()
}

/// A load of `L` and an addition of `C` in each of n iterations: `n (L + C)` where one waits for the
/// other, `L + (n - 1) max(L, C) + C` where they overlap. One tile is loaded before the loop, and
/// stored after it.
#[test]
fn stages_overlap_loads_with_additions() {
    const LOAD: &str = "tl.load(x_ptr + 16384 * i, shape=(4096,), dtype=\"f32\")";
    let sum = |n: u64, stages: u64| {
        format!(
            "    i = {n}\n    total = {LOAD}\n    for i in tl.range(0, {n}, num_stages={stages}):\n        total += {LOAD}\n    tl.store(y_ptr, total)\n"
        )
    };
    let scratch = Scratch::new();
    let (mut longer_loads, mut longer_additions) = (0, 0);
    for add_ns in [16, 64, 128, 1024] {
        scratch.write("one.yaml", &one_in_flight(add_ns));
        let add = add_ns * 1000;
        let load = time_ps(&scratch, &format!("    i = 0\n    total = {LOAD}\n"));
        let copy = time_ps(&scratch, &format!("    i = 0\n    tl.store(y_ptr, {LOAD})\n"));
        for n in [1, 2, 3, 10] {
            assert_eq!(time_ps(&scratch, &sum(n, 1)), copy + n * (load + add), "{n} in turn");
            let overlapped = copy + load + (n - 1) * load.max(add) + add;
            for stages in [2, 3] {
                assert_eq!(time_ps(&scratch, &sum(n, stages)), overlapped, "{n} overlapping");
            }
        }
        longer_loads += usize::from(load > add);
        longer_additions += usize::from(load < add);
    }
    assert!(longer_loads > 0 && longer_additions > 0, "both are tried");
}
