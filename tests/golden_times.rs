//! The ring all-reduce of 1 MiB (reduce-scatter, then all-gather) takes the time that four other
//! simulators agree on, to the picosecond.
//!
//! Links of 64 B/ns and 100 ns, an adder of 256 B/ns, all else free, chunks of 1 MiB / N:
//! `2 (N - 1) (chunk / 64 + 100) + (N - 1) chunk / 256` nanoseconds. SimPy, SimGrid S4U, DAM and a
//! bare C++ model give the same values.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;

use command_line::{Scratch, kbc, root};

/// N, and the published time in picoseconds.
const GOLDEN: [(u64, u64); 4] =
    [(8, 33_656_000), (64, 48_888_000), (256, 87_720_000), (1024, 241_428_000)];

fn closed_form_ps(ranks: u64) -> u64 {
    let chunk = (1 << 20) / ranks;
    2 * (ranks - 1) * (chunk * 1000 / 64 + 100_000) + (ranks - 1) * chunk * 1000 / 256
}

#[test]
fn the_closed_form_is_what_was_published() {
    for (ranks, published) in GOLDEN {
        assert_eq!(closed_form_ps(ranks), published);
    }
}

#[test]
fn the_simulated_time_is_the_closed_form() {
    let ring = std::fs::read_to_string(root().join("topology/ring8.yaml")).unwrap();
    let kernel = root().join("kernels/ring_reduce_scatter.kb");
    let scratch = Scratch::new();
    for (ranks, published) in GOLDEN {
        scratch.write("ring.yaml", &ring.replace("count: 8", &format!("count: {ranks}")));
        let kernel = kernel.to_str().unwrap();
        let args = ["sim", kernel, "--topology", "ring.yaml", "--no-explain", "--json"];
        let ran = kbc(scratch.path(), &args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let result: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(result["time_ps"], published, "{ranks} ranks");
        assert_eq!(result["messages"], 2 * ranks * (ranks - 1));
    }
}
