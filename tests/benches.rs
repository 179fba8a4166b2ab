//! The benches that ship: each runs, finds what it computes right, and measures what it must.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod command_line;

use std::fs;

use command_line::{Scratch, fences, kbc, kbc_here, root};
use serde_json::Value;

/// The benches.
const BENCHES: [&str; 9] = [
    "gemm_single_pe",
    "gemm_multi_pe",
    "matmul_composite",
    "qkv_gemm",
    "gpt3_qkv",
    "softmax",
    "layernorm",
    "gqa_prefill",
    "gqa_decode",
];

/// What a bench said of itself.
struct Bench {
    json: Value,
}

impl Bench {
    /// Runs `kbc sim kernels/LINE`, which must verify its data.
    fn run(line: &str) -> Bench {
        let bench = Bench::timed(line);
        assert_eq!(bench.json["data"]["verdict"], "verified", "{line}");
        bench
    }

    /// Runs `kbc sim kernels/LINE`, whatever comes of the data.
    fn timed(line: &str) -> Bench {
        let ran = kbc_here(&format!("sim kernels/{line} --json"));
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        Bench { json: serde_json::from_str(&ran.stdout).unwrap() }
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

    /// The report of the launch of this label.
    fn report(&self, label: &str) -> &Value {
        let mut launches = self.json["launches"].as_array().unwrap().iter();
        &launches.find(|it| it["label"] == label).unwrap()["report"]
    }

    /// Commands that an engine logged in a launch, on all PEs.
    fn commands(&self, label: &str, engine: &str) -> u64 {
        let engines = self.report(label)["engines"].as_array().unwrap();
        let row = engines.iter().find(|it| it["engine"] == engine);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    }

    /// What the traffic of a launch counts.
    fn traffic(&self, label: &str, what: &str) -> u64 {
        self.report(label)["traffic"][what].as_u64().unwrap()
    }
}

/// A product of m x n x k by one command on one PE of the default machine, with the parameters of
/// `topology/default.yaml`: loads of A and B at 256 B/ns, the product at 16 x 16 x 16 a ns, the cast
/// at 128 elements a ns, the store; each command pays 1 ns of overhead, and PE_CPU 1 ns before all.
/// What is left is the last burst's way through TCM and the network.
fn dot_ns([m, n, k]: [u64; 3]) -> f64 {
    let bytes = |elements: u64| 2.0 * elements as f64 / 256.0;
    let product = (m.div_ceil(16) * n.div_ceil(16) * k.div_ceil(16)) as f64;
    let loads = bytes(m * k + k * n) + 1.0;
    1.0 + loads + (product + 1.0) + ((m * n).div_ceil(128) as f64 + 1.0) + (bytes(m * n) + 1.0)
}

#[test]
fn one_pe_takes_what_its_engines_take() {
    let bench = Bench::run("gemm_single_pe.kb --ws 1 --set m=128 --set n=128 --set k=512");
    let (time, expected) = (bench.time("dot 128 x 128 x 512"), dot_ns([128, 128, 512]));
    assert!((time - expected).abs() < 5.0, "{time} ns, by hand {expected}");
    // Panels stream what the product needs and nothing else: never slower than whole loads. The
    // bytes: A once, and B for each of four rows of tiles.
    assert!(bench.time("panels 128 x 128 x 512") < time);
    let read = bench.traffic("panels 128 x 128 x 512", "hbm_bytes_read");
    assert_eq!(read, 128 * 512 * 2 + 4 * 512 * 128 * 2);
    assert!(bench.printed().contains("128 x 128 x 512    2048.0"), "{}", bench.printed());
}

#[test]
fn many_pes_take_what_their_blocks_take() {
    let bench = Bench::run("gemm_multi_pe.kb --ws 16 --set m=256 --set n=128 --set k=64");
    for (label, block) in [
        ("1 x 1 PEs", [256, 128, 64]),
        ("4 x 1 PEs", [64, 128, 64]),
        ("2 x 2 PEs", [128, 64, 64]),
        ("16 x 1 PEs", [16, 128, 64]),
        ("4 x 4 PEs", [64, 32, 64]),
    ] {
        let (time, expected) = (bench.time(label), dot_ns(block));
        assert!((time - expected).abs() < 5.0, "{label}: {time} ns, by hand {expected}");
    }
}

/// Bytes that the projections read: X in each of its uses for each column of tiles, and the weights
/// for each of the four rows of tiles.
#[test]
fn projections_read_what_they_must() {
    let bench = Bench::run("qkv_gemm.kb --ws 4");
    let (x, w) = (128 * 256 * 2, 256 * 128 * 2);
    for (pes, columns_of_tiles) in [(1, 4), (2, 2), (4, 1)] {
        let read = |how: &str| bench.traffic(&format!("{how} on {pes}"), "hbm_bytes_read");
        assert_eq!(read("separate"), pes * 3 * x * columns_of_tiles + 3 * 4 * w, "{pes} PEs");
        assert_eq!(read("shared"), pes * x + 3 * 4 * w, "{pes} PEs");
        assert_eq!(read("fused"), pes * x + 3 * 4 * w, "{pes} PEs");
        assert!(
            bench.time(&format!("shared on {pes}")) < bench.time(&format!("separate on {pes}"))
        );
    }
}

#[test]
fn one_token_takes_as_long_as_its_weights() {
    let bench = Bench::run("gpt3_qkv.kb --ws 2 --set features=2048 --set share=64");
    // 64 columns of 2,048 weights and one token, at 256 B/ns.
    let least = (64.0 + 1.0) * 2048.0 * 2.0 / 256.0;
    let time = bench.time("1 tokens");
    assert!(time > least && time < 1.1 * least, "{time} ns, at least {least}");
    assert!(bench.time("64 tokens") > 1.9 * bench.time("32 tokens"));
}

/// Ranks of rows do not meet, and their vector engines are what takes the time.
#[test]
fn rows_are_bound_by_arithmetic() {
    for name in ["softmax", "layernorm"] {
        let [few, many] = ["2", "32"].map(|ws| Bench::run(&format!("{name}.kb --ws {ws}")));
        assert_eq!(few.times(), many.times(), "{name}");
        for (label, time) in many.times() {
            assert_eq!(many.traffic(&label, "messages"), 0);
            // 16 rows of f32 are read and written.
            let columns: f64 = label.split(' ').next().unwrap().parse().unwrap();
            assert!(time > 16.0 * columns * 2.0 * 4.0 / 256.0, "{name}, {label}: {time}");
            assert_eq!(many.report(&label)["bound_by"], "math", "{name}, {label}");
        }
    }
}

/// Issue of kernbench's bench: a decode panel is one product of queries and keys and one of weights
/// and values on each rank. The log of the run is asked, not the program.
#[test]
fn decode_panels_have_two_products_a_rank() {
    for (settings, cases) in [
        ("--ws 32", [("single_user_decode", 8), ("multi_user_decode", 4)]),
        (
            "--ws 32 --set h_q=16 --set h_kv=2",
            [("single_user_decode", 8), ("multi_user_decode", 4)],
        ),
        ("--ws 9 --set s_kv_per_rank=48", [("single_user_decode", 8), ("multi_user_decode", 2)]),
        ("--ws 3 --set d_head=32", [("single_user_decode", 3), ("multi_user_decode", 1)]),
    ] {
        let bench = Bench::run(&format!("gqa_decode.kb {settings}"));
        for (label, ranks) in cases {
            assert_eq!(bench.commands(label, "GEMM"), 2 * ranks, "{settings}, {label}");
            assert_eq!(bench.traffic(label, "messages"), 3 * (ranks - 1), "{settings}, {label}");
            // Q, K and V of each rank.
            assert_eq!(bench.commands(label, "DMA read"), 3 * ranks, "{settings}, {label}");
        }
    }
}

/// The numbers of `docs/validation.md`, on kernbench's machine; with `--nocapture`, the table.
#[test]
fn kernbench_has_these_panels() {
    let machine = "--ws 32 --topology topology/kernbench.yaml";
    let decode = Bench::run(&format!("gqa_decode.kb {machine}"));
    let prefill = Bench::timed(&format!("gqa_prefill.kb {machine} --set causal=False --no-data"));
    let page = fs::read_to_string(root().join("docs/validation.md")).unwrap();
    for (bench, label, ranks, gemms) in [
        (&prefill, "single_user_prefill", 8, 2 * 8 * 8),
        (&prefill, "multi_user_prefill", 4, 2 * 4 * 4),
        (&decode, "single_user_decode", 8, 2 * 8),
        (&decode, "multi_user_decode", 4, 2 * 4),
    ] {
        let (time, counted) = (bench.time(label), bench.commands(label, "GEMM"));
        println!("{label:20} {ranks} ranks  {counted:4} GEMMs  {time:8.1} ns");
        assert_eq!(counted, gemms, "{label}");
        let row = format!("| time of `{label}`, ns | not published | {time:.1} |");
        assert!(page.contains(&row), "docs/validation.md lacks: {row}");
    }
}

/// Each rank folds each chunk once; K and V of each rank go to every other rank.
#[test]
fn prefill_panels_fold_every_chunk_once() {
    for (settings, cases) in [
        ("--ws 32", [("single_user_prefill", 8), ("multi_user_prefill", 4)]),
        (
            "--ws 17 --set h_q=4 --set h_kv=2",
            [("single_user_prefill", 8), ("multi_user_prefill", 3)],
        ),
        ("--ws 5 --set s_q=8", [("single_user_prefill", 5), ("multi_user_prefill", 1)]),
    ] {
        let bench = Bench::run(&format!("gqa_prefill.kb {settings} --set causal=False"));
        for (label, ranks) in cases {
            assert_eq!(bench.commands(label, "GEMM"), 2 * ranks * ranks, "{settings}, {label}");
            let messages = bench.traffic(label, "messages");
            assert_eq!(messages, 2 * ranks * (ranks - 1), "{settings}, {label}");
        }
    }
}

/// A chunk behind all queries of a rank is not folded and not sent. Which that are is counted by hand:
/// without a cache rank r of n sees its own chunk and the r before it; with 48 n positions in front of 16
/// queries a rank, the last query of rank r is 48 n + 16 r + 15, in chunk (48 n + 16 r + 15) / 64.
#[test]
fn causal_prefill_leaves_out_what_is_masked() {
    for (settings, cases) in [
        ("--set s_q=64", [("single_user_prefill", 8, 36), ("multi_user_prefill", 4, 10)]),
        ("", [("single_user_prefill", 8, 4 * 7 + 4 * 8), ("multi_user_prefill", 4, 4 * 4)]),
        (
            "--set s_q=5 --set s_kv_per_rank=5 --set h_q=6 --set h_kv=3",
            [("single_user_prefill", 8, 36), ("multi_user_prefill", 4, 10)],
        ),
    ] {
        let bench = Bench::run(&format!("gqa_prefill.kb --ws 32 {settings}"));
        for (label, ranks, chunks) in cases {
            assert_eq!(bench.commands(label, "GEMM"), 2 * chunks, "{settings}, {label}");
            let messages = bench.traffic(label, "messages");
            assert_eq!(messages, 2 * (chunks - ranks), "{settings}, {label}");
        }
    }
}

#[test]
fn composites_gain_by_what_is_loaded() {
    let bench = Bench::run("matmul_composite.kb --ws 2");
    assert_eq!(bench.times().len(), 12);
    for epilogue in ["none", "bias", "bias_relu", "dequant"] {
        let time = |variant: &str| bench.time(&format!("{variant} {epilogue}"));
        assert!(time("load_load") < time("load_ref"), "{epilogue}");
        assert!(time("load_ref") < time("ref_ref"), "{epilogue}");
    }
}

/// A mistake in a kernel is found by its own bench.
#[test]
fn benches_notice_mistakes() {
    for (name, settings, right, wrong) in [
        (
            "gemm_single_pe",
            "--ws 1 --set m=32 --set n=64 --set k=64",
            "+ j * k * panel",
            "+ k * panel",
        ),
        (
            "gemm_multi_pe",
            "--ws 4 --set m=64 --set n=64 --set k=32",
            "tl.dot(a, b)",
            "tl.dot(a, b) * 1.01",
        ),
        ("qkv_gemm", "--ws 2", "w_part + i * features", "w_part + features"),
        ("gpt3_qkv", "--ws 2 --set features=512", "w_ptr + at * features", "w_ptr + j * features"),
        (
            "softmax",
            "--ws 2 --set cols=64",
            "tl.sum(weights, axis",
            "tl.sum(weights * weights, axis",
        ),
        ("layernorm", "--ws 2 --set cols=64", "variance + EPS", "variance * 1.01 + EPS"),
        ("gqa_decode", "--ws 8", "l * own + l2 * other", "l + l2"),
        ("gqa_prefill", "--ws 8", "total = l * shrink +", "total = l +"),
        ("gqa_prefill", "--ws 8", "src=v_west", "src=k_west"),
        ("gqa_prefill", "--ws 8", "<= queries[None", "< queries[None"),
        ("gqa_prefill", "--ws 8", "if key + s_kv - 1 > query:", "if key > query:"),
        ("matmul_composite", "--ws 2", "(\"bias\", row), \"relu\"", "(\"bias\", row)"),
    ] {
        let text = fs::read_to_string(root().join(format!("kernels/{name}.kb"))).unwrap();
        assert!(text.contains(right), "{name} has no `{right}`");
        let scratch = Scratch::new();
        scratch.write("wrong.kb", &text.replacen(right, wrong, 1));
        let mut args = vec!["sim", "wrong.kb"];
        args.extend(settings.split_whitespace());
        let ran = kbc(scratch.path(), &args);
        assert_eq!(ran.code, 1, "{name} with `{wrong}`: {}", ran.stdout);
        assert!(ran.stdout.contains("MISMATCH"), "{name} with `{wrong}`: {}", ran.stderr);
    }
}

/// Without data there is nothing to check, and the times are the same.
#[test]
fn benches_run_without_data() {
    for name in BENCHES {
        let line = format!("sim kernels/{name}.kb --ws 4 --json --set dtype=f16");
        let line =
            if name.starts_with("gqa") { line.replace(" --set dtype=f16", "") } else { line };
        let line = if name == "gpt3_qkv" { line + " --set features=512" } else { line };
        let [with, without] = ["", " --no-data"].map(|more| kbc_here(&format!("{line}{more}")));
        assert_eq!((with.code, without.code), (0, 0), "{name}: {}{}", with.stderr, without.stderr);
        let [with, without] = [with, without].map(|ran| {
            let json: Value = serde_json::from_str(&ran.stdout).unwrap();
            (json["printed"].clone(), json["time_ps"].clone(), json["data"]["verdict"].clone())
        });
        assert_eq!((&with.0, &with.1), (&without.0, &without.1), "{name}");
        assert_eq!((with.2, without.2), ("verified".into(), "skipped".into()), "{name}");
    }
}

/// Every bench is on the page of benches.
#[test]
fn the_page_has_every_bench() {
    let page = fs::read_to_string(root().join("docs/benches.md")).unwrap();
    for name in BENCHES {
        let mut rows = page.lines().filter(|line| line.starts_with('|'));
        assert!(rows.any(|row| row.contains(&format!("`{name}`"))), "{name} is not in the table");
        assert!(page.contains(&format!("kbc sim kernels/{name}.kb")), "{name} has no command");
    }
}

/// The host program of the README prints what the README says.
#[test]
fn the_readme_shows_what_its_program_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let found = fences(&readme);
    let at = found.iter().position(|it| it.info == "kb sim --ws 1").unwrap();
    let (program, shown) = (&found[at], &found[at + 1]);
    let scratch = Scratch::new();
    scratch.write("product.kb", &program.text);
    let ran = kbc(scratch.path(), &["sim", "product.kb", "--ws", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with(&shown.text),
        "shown:\n{}\nprinted:\n{}",
        shown.text,
        ran.stdout
    );
}
