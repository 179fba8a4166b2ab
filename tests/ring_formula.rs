//! The formula that docs/machine.md gives for `kernels/ring_allreduce.kb` on an otherwise idle
//! ring: worked out from the numbers in the YAML, it is the simulated time to the picosecond.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;

use command_line::{Scratch, kbc, root};
use serde_json::Value;

/// A ring in which everything costs time, no two things the same.
const RING: &str = "\
flit_bytes: 256
machine:
  replicate:
    count: COUNT
    links:
      - {offset: 1, bw_gbs: 50, latency_ns: 73}
      - {offset: -1, bw_gbs: 50, latency_ns: 73}
  hbm_ctrl:
    overhead_ns: 11
  pe_template:
    components:
      pe_cpu:
        attrs: {dispatch_ns: 3}
      pe_dma:
        attrs: {overhead_ns: 5}
      pe_math:
        attrs: {overhead_ns: 2, clock_freq_ghz: 0.5, vector_width: 32}
      pe_tcm:
        attrs: {read_bw_gbs: 320, write_bw_gbs: 400}
      pe_ipcq:
        attrs:
          slots: 4
          kind: tcm
          tiers:
            tcm: {overhead_ns: 7, bw_gbs: 200, hop_bw_gbs: 160}
";

/// What a size takes at a bandwidth, in picoseconds, rounded up.
fn at(bytes: u64, gb_per_s: u64) -> u64 {
    (bytes * 1000).div_ceil(gb_per_s)
}

/// The numbers of the file that the formula names.
struct Numbers {
    yaml: Value,
}

impl Numbers {
    fn number(&self, path: &str) -> f64 {
        let found = self.yaml.pointer(path).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("{path} is not in the file"))
    }

    /// A time in picoseconds.
    fn ps(&self, path: &str) -> u64 {
        (self.number(path) * 1000.0).round() as u64
    }

    fn gbs(&self, path: &str) -> u64 {
        self.number(path) as u64
    }

    fn attr(&self, part: &str, name: &str) -> String {
        format!("/machine/pe_template/components/{part}/attrs/{name}")
    }

    /// The formula of docs/machine.md, "A ring all-reduce".
    fn ring_all_reduce(&self, ranks: u64, elements: u64, element_bytes: u64) -> u64 {
        let bytes = elements * element_bytes;
        let dispatch = self.ps(&self.attr("pe_cpu", "dispatch_ns"));
        let dma = self.ps(&self.attr("pe_dma", "overhead_ns"));
        let controller = self.ps("/machine/hbm_ctrl/overhead_ns");
        let (read, write) = (
            self.gbs(&self.attr("pe_tcm", "read_bw_gbs")),
            self.gbs(&self.attr("pe_tcm", "write_bw_gbs")),
        );
        let tier = |name: &str| self.attr("pe_ipcq", "tiers/tcm/") + name;
        let slot = self.ps(&tier("overhead_ns"))
            + at(bytes, self.gbs(&tier("bw_gbs")))
            + at(bytes, self.gbs(&tier("hop_bw_gbs")));
        let link = "/machine/replicate/links/0/";
        let wire = self.ps(&format!("{link}latency_ns"));
        let bandwidth = self.gbs(&format!("{link}bw_gbs"));
        let flit = bytes.min(self.number("/flit_bytes") as u64);
        let lanes = self.gbs(&self.attr("pe_math", "vector_width"));
        let cycle = 1000.0 / self.number(&self.attr("pe_math", "clock_freq_ghz"));
        let add =
            self.ps(&self.attr("pe_math", "overhead_ns")) + elements.div_ceil(lanes) * cycle as u64;

        let load = dispatch + dma + controller + at(bytes, write);
        let message = dma + at(flit, read) + at(bytes, bandwidth) + wire + slot;
        let round = message + slot;
        let store = dma + at(bytes, read) + controller;
        load + (ranks - 1) * round + (ranks - 2) * 2 * dispatch + dispatch + add + store
    }
}

#[test]
fn the_ring_all_reduce_takes_what_the_formula_says() {
    let kernel = root().join("kernels/ring_allreduce.kb");
    let scratch = Scratch::new();
    for (ranks, elements, dtype, element_bytes) in
        [(2, 256, "f16", 2), (3, 1024, "f32", 4), (8, 256, "f16", 2), (64, 4096, "f32", 4)]
    {
        let text = RING.replace("COUNT", &ranks.to_string());
        let numbers = Numbers { yaml: serde_yaml::from_str(&text).unwrap() };
        scratch.write("ring.yaml", &text);
        let (n_elem, dtype) = (format!("n_elem={elements}"), format!("dtype={dtype}"));
        let kernel = kernel.to_str().unwrap();
        let mut args = vec!["sim", kernel, "--topology", "ring.yaml", "--json"];
        args.extend(["--set", &n_elem, "--set", &dtype]);
        let ran = kbc(scratch.path(), &args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let result: Value = serde_json::from_str(&ran.stdout).unwrap();
        let expected = numbers.ring_all_reduce(ranks, elements, element_bytes);
        assert_eq!(result["time_ps"], expected, "{ranks} ranks, {elements} of {dtype}");
        assert_eq!(result["data"]["verdict"], "verified");
    }
}
