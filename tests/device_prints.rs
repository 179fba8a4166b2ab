//! `tl.device_print` and `tl.device_assert`: what a kernel sees of its data, from the command line.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and runs the command"
)]

mod command_line;

use command_line::{Ran, Scratch, kbc};

/// A host program of two programs that look at eight numbers each, from `first` up.
fn file(first: i32, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "def kernel(x_ptr, tl):
    pid = tl.program_id(0)
    x = tl.load(x_ptr + pid * 32, shape=(8,), dtype=\"i32\")
{body}    tl.store(x_ptr + pid * 32, x + 1)


def run(torch):
    x = torch.arange({first}, {first} + 16, dtype=\"i32\")
    torch.launch(\"look\", kernel, x)
    assert list(x.numpy()) == [i + {first} + 1 for i in range(16)]
"
    )
}

fn run(text: &str, flags: &[&str]) -> Ran {
    let scratch = Scratch::new();
    scratch.write("look.kb", text);
    kbc(scratch.path(), &[&["sim", "look.kb", "--ws", "2"], flags].concat())
}

#[test]
fn each_pe_prints_what_it_has() {
    let ran = run(&file(0, "tl.device_print('x', x)\nprint('pid', pid, 'of', 2)"), &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().take(4).collect();
    let expected = [
        "look.kb:4: pe0: x: i32[8] [0, 1, 2, 3, 4, 5, 6, 7]",
        "look.kb:5: pe0: pid of 2: i64 0",
        "look.kb:4: pe1: x: i32[8] [8, 9, 10, 11, 12, 13, 14, 15]",
        "look.kb:5: pe1: pid of 2: i64 1",
    ];
    let sorted = |mut lines: Vec<&str>| {
        lines.sort_by_key(|line| line.split("pe").nth(1).map(str::to_owned));
        lines.join("\n")
    };
    assert_eq!(sorted(lines), sorted(expected.to_vec()), "in the order of simulated time");
}

#[test]
fn threads_change_nothing_and_json_has_the_lines() {
    let text = file(0, "for i in range(40):\n    tl.device_print('sum', tl.sum(x) + i)");
    let printed = |threads: &str| {
        let ran = run(&text, &["--json", "--threads", threads]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        json["launches"][0]["printed"].clone()
    };
    let one = printed("1");
    assert_eq!(one.as_array().unwrap().len(), 80);
    let sums: Vec<i32> = one
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line.as_str().unwrap().contains("pe1"))
        .map(|line| line.as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(sums, (0..40).map(|i| (8..16).sum::<i32>() + i).collect::<Vec<_>>());
    assert_eq!(one, printed("4"));
}

#[test]
fn assertions_on_tiles_hold_or_say_where_not() {
    let body = "assert x >= 0, 'none is negative'";
    assert_eq!(run(&file(0, body), &[]).code, 0);
    let ran = run(&file(-3, body), &[]);
    assert_eq!(ran.code, 1);
    for part in ["error[K0746]", "pe0: none is negative", "false for 3 of 8 elements, first at [0]"]
    {
        assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
    }
    let beside = run(&file(-3, &format!("print('x', x)\n{body}")), &[]);
    assert!(beside.stderr.contains("pe0: x: i32[8] [-3, -2, -1, 0,"), "{}", beside.stderr);
}

#[test]
fn what_a_mask_leaves_out_need_not_hold() {
    let masked = "tl.device_assert(x > 2, 'big', mask=x != 1)";
    let ran = run(&file(0, masked), &[]);
    assert!(ran.stderr.contains("false for 2 of 8 elements, first at [0]"), "{}", ran.stderr);
    assert_eq!(run(&file(0, "tl.device_assert(x > 2, 'big', mask=x > 2)"), &[]).code, 0);
    assert_eq!(run(&file(1, "tl.device_assert(x)"), &[]).code, 0, "numbers but 0 are true");
}
