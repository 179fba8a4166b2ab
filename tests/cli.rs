//! The command line: exit codes, what goes to which stream, and that bad usage loses nothing.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;

use command_line::{Scratch, kbc, kbc_here, root};

const RIGHT: &str = "def kernel(x_ptr, n, tl):\n    x = tl.load(x_ptr, shape=(n,), dtype=\"f32\")\n    tl.store(x_ptr, x + x)\n\n\ndef kernel_args(world_size, n=64):\n    return (n,)\n";
const WRONG: &str =
    "def kernel(x_ptr, tl):\n    x = tl.laod(x_ptr, shape=(4,), dtype=\"f32\")\n    y = z + 1\n";

fn with_file(text: &str, args: &[&str]) -> command_line::Ran {
    let scratch = Scratch::new();
    scratch.write("k.kb", text);
    kbc(scratch.path(), args)
}

#[test]
fn a_right_file_is_silent_and_gives_zero() {
    let ran = with_file(RIGHT, &["check", "k.kb"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""), "{ran:?}");
}

#[test]
fn a_wrong_file_gives_one_and_every_mistake_on_standard_error() {
    let ran = with_file(WRONG, &["check", "k.kb"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.contains("`load`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`z`"), "{}", ran.stderr);
}

#[test]
fn what_is_no_program_gives_two() {
    assert_eq!(kbc_here("check nowhere.kb").code, 2);
    assert_eq!(kbc_here("explain K9999").code, 2);
    assert_eq!(kbc_here("frobnicate").code, 2);
    assert_eq!(kbc_here("sim kernels/ring_allreduce.kb --ws 0").code, 2);
    assert_eq!(kbc_here("sim kernels/ring_allreduce.kb --ipcq colour=blue").code, 2);
    assert_eq!(kbc_here("topo show nowhere.yaml").code, 2);
}

#[test]
fn diagnostics_for_editors_are_one_object_a_line() {
    let ran = with_file(WRONG, &["check", "k.kb", "--error-format", "json"]);
    let objects: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.len() >= 2);
    for object in objects {
        assert_eq!(object["severity"], "error");
        assert_eq!(object["labels"][0]["file"], "k.kb");
        assert!(object["labels"][0]["line"].as_u64().unwrap() >= 2);
    }
}

#[test]
fn bytes_that_are_no_text_are_a_diagnostic() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path().join("k.kb"), b"def kernel(tl):\n    \xff\xfe\n").unwrap();
    let ran = kbc(scratch.path(), &["check", "k.kb"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("UTF-8"), "{}", ran.stderr);
}

#[test]
fn json_results_are_one_object_with_the_promised_keys() {
    let ran = kbc_here("sim kernels/ring_allreduce.kb --ws 8 --json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    for key in ["time_ps", "pes", "messages", "events", "wall_s", "peak_rss_bytes", "bound_by"] {
        assert!(!object[key].is_null(), "no `{key}` in {object}");
    }
    assert_eq!(object["data"]["verdict"], "verified");
    assert_eq!(object["pes"], 8);
    // Each of 8 ranks sends 7 tiles.
    assert_eq!(object["messages"], 56);
}

#[test]
fn a_world_larger_than_a_given_machine_names_both() {
    let ran = kbc_here("sim kernels/ring_allreduce.kb --topology topology/small.yaml --ws 100");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("100 ranks") && ran.stderr.contains("8 PEs"), "{}", ran.stderr);
}

#[test]
fn the_implied_machine_grows_and_says_so() {
    let ran = kbc_here("compile kernels/ring_allreduce.kb --ws 300");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("grown from 2 to 3 SIPs"), "{}", ran.stderr);
}

#[test]
fn the_same_run_prints_the_same_bytes() {
    let once = kbc_here("sim kernels/tree_allreduce.kb --ws 15");
    let again = kbc_here("sim kernels/tree_allreduce.kb --ws 15 --threads 1");
    assert_eq!(once.code, 0, "{}", once.stderr);
    assert_eq!(once.stdout, again.stdout);
}

#[test]
fn printed_ir_compiles_to_the_same_streams() {
    let scratch = Scratch::new();
    let kernel = root().join("kernels/ring_allreduce.kb");
    let kernel = kernel.to_str().unwrap();
    let ir = kbc(scratch.path(), &["compile", kernel, "--ws", "8", "--emit", "ir"]);
    scratch.write("ring.kir", &ir.stdout);
    let set = ["--set", "n_elem=256", "--set", "world_size=8", "--set", "nbytes=512"];
    let again = ["compile", "ring.kir", "--ws", "8"].iter().chain(&set).copied();
    let again = kbc(scratch.path(), &again.collect::<Vec<_>>());
    assert_eq!(again.code, 0, "{}", again.stderr);
    let first = kbc(scratch.path(), &["compile", kernel, "--ws", "8"]);
    assert_eq!(again.stdout, first.stdout);
}

#[test]
fn a_number_without_a_value_is_not_taken_for_a_tensor() {
    let scratch = Scratch::new();
    let kernel = root().join("kernels/ring_allreduce.kb");
    let ir = kbc(scratch.path(), &["compile", kernel.to_str().unwrap(), "--emit", "ir"]);
    scratch.write("ring.kir", &ir.stdout);
    let ran = kbc(scratch.path(), &["compile", "ring.kir", "--ws", "8"]);
    assert_eq!(ran.code, 1);
    for name in ["n_elem", "world_size", "nbytes"] {
        let said = format!("the parameter `{name}` has no value");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    }
}
