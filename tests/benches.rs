//! The benches that ship: each runs, finds what it computes right, and measures what it must.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod command_line;

use command_line::kbc_here;
use serde_json::Value;

/// What a bench said of itself.
struct Bench {
    json: Value,
}

impl Bench {
    /// Runs `kbc sim kernels/LINE`, which must verify its data.
    fn run(line: &str) -> Bench {
        let ran = kbc_here(&format!("sim kernels/{line} --json"));
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["data"]["verdict"], "verified", "{line}");
        Bench { json }
    }

    /// Each launch: its label and its time in ns.
    fn times(&self) -> Vec<(String, f64)> {
        let launches = self.json["launches"].as_array().unwrap().iter();
        let text = |it: &Value| it["label"].as_str().unwrap().to_owned();
        launches.map(|it| (text(it), it["time_ps"].as_f64().unwrap() / 1000.0)).collect()
    }

    /// The time of the launch of this label.
    fn time(&self, label: &str) -> f64 {
        let times = self.times();
        let found = times.iter().find(|(known, _)| known == label);
        found.unwrap_or_else(|| panic!("no launch `{label}` in {times:?}")).1
    }

    /// What `run` printed.
    fn printed(&self) -> &str {
        self.json["printed"].as_str().unwrap()
    }
}

/// A product of m x n x k by one command on one PE of the default machine, from the parameters in
/// `topology/default.yaml`: loads of A and B, the product, the cast, the store.
fn dot_ns([m, n, k]: [f64; 3]) -> f64 {
    let (dispatch, hbm, lanes) = (1.0, 256.0, 128.0);
    // A load waits for the overhead of DMA, its bytes, and half a burst into TCM.
    let overhead = 1.0;
    let load = |bytes: f64| overhead + bytes / hbm;
    let product = (m / 16.0) * (n / 16.0) * (k / 16.0) + 1.0;
    let cast = m * n / lanes + 1.0;
    dispatch + load(2.0 * (m * k + k * n)) + product + cast + load(2.0 * m * n)
}

#[test]
fn gemm_single_pe_is_what_its_engines_take() {
    let bench = Bench::run("gemm_single_pe.kb --ws 1 --set m=128 --set n=128 --set k=512");
    let time = bench.time("dot 128 x 128 x 512");
    let expected = dot_ns([128.0, 128.0, 512.0]);
    assert!((time - expected).abs() < 10.0, "{time} ns, by hand {expected}");
    // Panels stream what the product needs and nothing else: never slower than whole loads.
    assert!(bench.time("panels 128 x 128 x 512") < time);
    assert!(bench.printed().contains("128 x 128 x 512    2048.0"), "{}", bench.printed());
}
