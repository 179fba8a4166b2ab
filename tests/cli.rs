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

/// Lines of standard error up to one that contains `end`.
fn lines_until(lines: &mut impl Iterator<Item = std::io::Result<String>>, end: &str) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.unwrap());
        text.push('\n');
        if text.contains(end) {
            break;
        }
    }
    text
}

#[test]
fn a_watch_checks_again_when_the_file_is_saved() {
    use std::io::BufRead;
    use std::process::{Command, Stdio};
    let scratch = Scratch::new();
    scratch.write("k.kb", WRONG);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_kbc"))
        .args(["check", "k.kb", "--watch"])
        .current_dir(scratch.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = watch.stderr.take().unwrap();
    let mut lines = std::io::BufReader::new(stderr).lines();
    let first = lines_until(&mut lines, "waiting for a change");
    scratch.write("k.kb", RIGHT);
    let second = lines_until(&mut lines, "waiting for a change");
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(first.contains("`load`") && first.contains("kbc: errors;"), "{first}");
    assert_eq!(second, "kbc: no errors; waiting for a change\n");
}

const DOUBLE: &str = r#"
import triton
import triton.language as tl


@triton.jit
def double(x_ptr, y_ptr, scale, BLOCK: tl.constexpr):
    i = tl.program_id(0)
    x = tl.load(x_ptr + i * BLOCK, shape=(BLOCK,), dtype=tl.float32)
    tl.store(y_ptr + i * BLOCK, x * scale)
"#;

fn double(words: &str) -> command_line::Ran {
    let line = format!("sim k.kb --grid 4 --set BLOCK=16 --arg scale=2.0 {words}");
    with_file(DOUBLE, &line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn what_the_shell_gives_is_run_compared_and_saved() {
    let scratch = Scratch::new();
    scratch.write("k.kb", DOUBLE);
    let arange = "sim k.kb --grid 4 --set BLOCK=16 --arg x_ptr=arange:64:f32";
    let run = |words: &str| {
        let line = format!("{arange} {words}");
        kbc(scratch.path(), &line.split_whitespace().collect::<Vec<_>>())
    };
    let saved = run("--arg y_ptr=empty:64:f32 --arg scale=2.0 --save y_ptr=y.npy");
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    assert!(saved.stdout.contains("unchecked"), "{}", saved.stdout);
    // The same computed as 1 + 1, then compared with the file.
    let doubled = "--arg y_ptr=empty:64:f32 --arg scale=2.0 --expect y_ptr=@y.npy --map cyclic";
    let verified = run(doubled);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(verified.stdout.contains("verified: 64 elements of `y_ptr`"), "{}", verified.stdout);
    let wrong = run("--arg y_ptr=empty:64:f32 --arg scale=3.0 --expect y_ptr=@y.npy");
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("K0735"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("wrote `y_ptr[1]`: got 3.0, expected 2.0"), "{}", wrong.stderr);
    assert!(wrong.stdout.contains("MISMATCH"), "{}", wrong.stdout);
}

#[test]
fn what_the_shell_gives_wrongly_is_refused() {
    let program = double("--arg x_ptr=arange:64:f32");
    assert_eq!(program.code, 1);
    assert!(program.stderr.contains("[K0820]") && program.stderr.contains("`y_ptr`"));
    let both = "--arg x_ptr=arange:64:f32 --arg y_ptr=empty:64:f32";
    for usage in [
        "--arg x_ptr=@nowhere.npy",
        "--arg x_ptr=arange:64",
        "--save y=y.npy",
        "--expect x_ptr=y.npy",
        "--grid 0",
        "--check all_reduce:sum",
    ] {
        let ran = double(&format!("{both} {usage}"));
        assert_eq!(ran.code, 2, "{usage}: {}", ran.stderr);
    }
    let unread = double("--arg x_ptr=empty:64:f32 --arg y_ptr=empty:64:f32");
    assert!(unread.stderr.contains("[K0730]"), "{}", unread.stderr);
    assert_eq!(kbc_here("sim kernels/ring_allreduce.kb --ws 2 --save x=x.npy").code, 2);
}

/// Numbers that begin a sum, and single elements that join a number, over 0, 1, …, 99.
const RUNNING_SUM: &str = r#"
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    total = 0.0
    best = -float("inf")
    for i in range(0, n, BLOCK):
        offsets = i + tl.arange(0, BLOCK)
        v = tl.load(x + offsets, mask=offsets < n, other=0.0)
        total += tl.sum(v, axis=0)
        best = tl.maximum(best, tl.max(v, axis=0))
    tl.store(out, total)
    tl.store(out + 1, best)
    m = tl.load(x + 7)
    if n > 500:
        m = 1.0
    tl.store(out + 2, m)
"#;

#[test]
fn a_number_becomes_what_data_makes_of_it() {
    let scratch = Scratch::new();
    scratch.write("k.kb", RUNNING_SUM);
    let run = |words: &str| {
        let line =
            format!("sim k.kb --grid 1 --set BLOCK=32 --arg n=100 --arg x=arange:100:f32 {words}");
        kbc(scratch.path(), &line.split_whitespace().collect::<Vec<_>>())
    };
    let ran = run("--arg out=empty:3:f32 --save out=out.npy");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let file = std::fs::read(scratch.path().join("out.npy")).unwrap();
    let saved = kbc::replay::npy::read(&file).unwrap();
    let wanted: Vec<u8> = [4950.0_f32, 99.0, 7.0].iter().flat_map(|it| it.to_le_bytes()).collect();
    assert_eq!(saved.bytes, wanted);
}

const PLACED: &str = r#"
def kernel(x_ptr, n, tl):
    tl.store(x_ptr, tl.load(x_ptr, shape=(n,), dtype="f32") + 1.0)


def run(torch, own=None):
    if own is not None:
        torch.ahbm.set_device(own)
    print("device", torch.ahbm.current_device())
    dp = torch.DPPolicy(cube="replicate", pe="replicate", num_pes=4, num_cubes=1)
    x = torch.zeros((64,), dp=dp)
    torch.launch(kernel, x, 64)
    print(x.shards())
    torch.testing.assert_close(x, torch.ones((64,)))
"#;

/// kernbench's `--device`: where a host program's policies place tensors, unless it says itself.
#[test]
fn the_current_device_comes_from_the_command_line() {
    for (words, device, on) in [
        ("", "device 0", "4 of 256 PEs"),
        ("--device sip:1", "device 1", "4 of 256 PEs"),
        ("--device cube:17", "device 17", "4 of 256 PEs"),
        ("--device all", "device all", "8 of 256 PEs"),
        ("--device all --set own=1", "device 1", "4 of 256 PEs"),
        ("--device sip:0 --ws 4", "device 0", "4 PEs"),
    ] {
        let mut args = vec!["sim", "k.kb"];
        args.extend(words.split_whitespace());
        let ran = with_file(PLACED, &args);
        assert_eq!(ran.code, 0, "{words}: {ran:?}");
        assert!(ran.stdout.contains(device), "{words}\n{}", ran.stdout);
        assert!(ran.stdout.contains(&format!("kernel on {on} of default")), "{}", ran.stdout);
        if words.starts_with("--device sip:1") {
            assert!(ran.stdout.contains("sip1.cube0.pe0"), "{}", ran.stdout);
        }
    }
    for (words, why) in [
        ("--device gpu", "--device gpu: expected a SIP"),
        ("--device sip:2", "--device sip:2: the world reaches 2 SIPs, from 0 on"),
        ("--device sip:1 --ws 128", "--device sip:1: the world reaches 1 SIP, from 0 on"),
        ("--device cube:2 --ws 9", "--device cube:2: the world reaches 2 cubes, from 0 on"),
        ("--device all --entry kernel", "--device is for host programs"),
    ] {
        let mut args = vec!["sim", "k.kb"];
        args.extend(words.split_whitespace());
        let ran = with_file(PLACED, &args);
        assert_eq!(ran.code, 2, "{words}: {ran:?}");
        assert!(ran.stderr.contains(why), "{words}\n{}", ran.stderr);
    }
}

#[test]
fn a_report_says_how_many_pes_ran() {
    let three = PLACED
        .replace("    print(x", "    torch.launch(kernel, torch.zeros((256, 4)), 4)\n    print(x");
    let three = three.replace(
        "torch.ones((64,)))",
        "torch.ones((64,)))\n    torch.launch(kernel, x, 64)\n    torch.launch(kernel, x, 64)",
    );
    let ran = with_file(&three, &["sim", "k.kb", "--no-data"]);
    assert!(ran.stdout.contains("4 launches on 256 PEs of default"), "{}", ran.stdout);
    let row: Vec<&str> =
        ran.stdout.lines().filter(|it| it.trim_start().starts_with("kernel ")).collect();
    let pes: Vec<&str> = row.iter().filter_map(|it| it.split_whitespace().nth(1)).collect();
    assert_eq!(pes, ["4", "256", "4", "4"], "{}", ran.stdout);
    let ran = with_file(PLACED, &["sim", "k.kb", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["pes"], &json["launches"][0]["pes"]), (&256.into(), &4.into()));
    assert!(json["communicators"].is_null());
}

#[test]
fn a_communicator_file_beside_the_program_is_named() {
    let scratch = Scratch::new();
    scratch.write("k.kb", PLACED);
    scratch.write("ccl.yaml", "defaults:\n  n_slots: 2\n");
    scratch.write("other.yaml", "defaults:\n  n_slots: 3\n");
    let ran = kbc(scratch.path(), &["sim", "k.kb", "--json"]);
    let said = "note: collectives and queues as ccl.yaml says";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["communicators"], "ccl.yaml");
    // One that was asked for needs no note.
    let ran = kbc(scratch.path(), &["sim", "k.kb", "--json", "--ccl", "other.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["communicators"], "other.yaml");
}
