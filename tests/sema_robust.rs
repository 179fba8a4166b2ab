//! Whatever the text, the analysis ends with IR or with diagnostics: it does not panic, hang or
//! use unbounded memory, and the IR it gives keeps the rules of the IR.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use std::fmt::Write as _;

use sema_common::compile;

/// A kernel with this body.
fn kernel(body: &str) -> String {
    format!("def kernel(ptr, n, tl):\n{body}\n")
}

#[test]
fn deep_expressions_end() {
    let nested = format!("{}n{}", "-(".repeat(190), ")".repeat(190));
    let found =
        compile(&kernel(&format!("    x = {nested}\n    tl.store(ptr, tl.zeros((x,), 'f16'))")));
    assert!(
        found.codes().iter().all(|code| *code == "K0418" || *code == "K0119"),
        "{}",
        found.text()
    );
}

#[test]
fn deep_branches_end() {
    let mut body = String::new();
    for depth in 0..150 {
        let _ = writeln!(body, "{}if n > {depth}:", "    ".repeat(depth + 1));
    }
    let _ = writeln!(body, "{}pass", "    ".repeat(151));
    let found = compile(&kernel(&body));
    assert_eq!(found.codes(), ["K0418"], "{}", found.text());
}

#[test]
fn long_chains_of_guards_end() {
    let mut body = String::new();
    for turn in 0..5000 {
        let _ = writeln!(body, "    if n == {turn}:\n        return");
    }
    assert_eq!(compile(&kernel(&body)).codes(), ["K0418"]);
    let mut body = String::from("    if n == 0:\n        x = 1\n");
    for turn in 1..5000 {
        let _ = writeln!(body, "    elif n == {turn}:\n        x = {turn}");
    }
    assert_eq!(compile(&kernel(&body)).codes(), ["K0418"]);
}

#[test]
fn deep_calls_end() {
    let mut text = String::new();
    for depth in 0..400 {
        let nested = format!("{}f{}(x, tl){}", "-(".repeat(20), depth + 1, ")".repeat(20));
        let _ = writeln!(text, "def f{depth}(x: 'tl.tensor', tl):\n    return {nested}\n");
    }
    text.push_str("def f400(x: 'tl.tensor', tl):\n    return x\n\n");
    text.push_str(&kernel("    tl.store(ptr, f0(tl.zeros((n,), 'f16'), tl))"));
    assert_eq!(compile(&text).codes(), ["K0418"]);
}

#[test]
fn wide_calls_stay_small() {
    // Each function calls the next twice with different constants: 2^40 calls, if all were made.
    let mut text = String::new();
    for depth in 0..40 {
        let next = depth + 1;
        let call = format!("f{next}(x, 2 * k, tl) + f{next}(x, 2 * k + 1, tl)");
        let _ = writeln!(text, "def f{depth}(x: 'tl.tensor', k, tl):\n    return {call}\n");
    }
    text.push_str("def f40(x: 'tl.tensor', k, tl):\n    return x + k\n\n");
    text.push_str(&kernel("    tl.store(ptr, f0(tl.zeros((n,), 'f32'), 0, tl))"));
    assert_eq!(compile(&text).codes(), ["K0414"]);
}

#[test]
fn many_names_and_branches_take_linear_time() {
    let mut body = String::new();
    for index in 0..4000 {
        let _ = writeln!(
            body,
            "    v{index} = n + {index}\n    if v{index} > 3:\n        v{index} = n"
        );
    }
    for index in 0..4000 {
        let _ = writeln!(body, "    tl.store(ptr + v{index}, tl.zeros((8,), 'f16'))");
    }
    let found = compile(&kernel(&body));
    assert!(found.module.is_some(), "{}", found.text());
}

#[test]
fn huge_numbers_are_held_or_refused() {
    for expr in ["1 << 200", "10 ** 100", "2 ** (2 ** 40)", "-(2 ** 126) * 4", "1 // 0", "1 << -1"]
    {
        let found = compile(&kernel(&format!(
            "    x = {expr}\n    tl.store(ptr + x, tl.zeros((8,), 'f16'))"
        )));
        assert_eq!(found.codes(), ["K0405"], "{expr}: {}", found.text());
    }
    let found = compile(&kernel("    tl.store(ptr + (1 << 100), tl.zeros((8,), 'f16'))"));
    assert_eq!(found.codes(), ["K0333"], "{}", found.text());
}

/// Programs to begin from: what the pages show, and the library.
fn programs() -> Vec<String> {
    let pages = kbc::diag::all_codes().flat_map(|code| code.page.split("```kb check\n").skip(1));
    let pages = pages.filter_map(|rest| rest.split("```").next()).map(str::to_owned);
    let library = [
        (include_str!("../lib/ccl.kb"), "ring_sum(tile, n, tl)"),
        (include_str!("../lib/nn.kb"), "linear(softmax(tile, 1, tl), tile, tile, tl)"),
    ];
    let library = library.map(|(text, call)| {
        let body = format!("    tile = tl.zeros((64, 64), 'f16')\n    tl.store(ptr, {call})");
        format!("{text}\n\n{}", kernel(&body))
    });
    pages.chain(library).collect()
}

/// A small generator with a fixed seed: the same mutations on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Pieces that mutations put in.
const PIECES: [&str; 49] = [
    "tl",
    "n",
    "ptr",
    "tile",
    "0",
    "-1",
    "1 << 70",
    "2.5",
    "\"f16\"",
    "\"E\"",
    "None",
    "True",
    "(n, 4)",
    "()",
    "tl.float32",
    "tl.load(ptr, shape=(n,), dtype=\"f16\")",
    "tl.zeros((n, 4), \"f32\")",
    "tl.dot(tile, tile)",
    "tl.sum(tile, axis=0)",
    "tl.recv(dir=\"W\", dst=tile)",
    "tl.recv_async(\"W\", (n,), \"i8\")",
    "tl.wait(tile)",
    "tile[:, None]",
    "tile.T",
    "tile.shape",
    "range(n)",
    "tl.static_range(3)",
    "kernel",
    "kernel(ptr, n, tl)",
    "tile if n > 2 else n",
    "n and tile",
    "not n",
    "tile == tile",
    "n // 2",
    "n % 0",
    "1 / 0",
    "tl.exp(tile)",
    "tl.cast(tile, tl.int8)",
    "tl.where(n, tile, 0)",
    "lambda x: x",
    "[x for x in (1, 2)]",
    "*tile",
    "tl.program_id(n)",
    "tl.full((2, 2), n, \"u8\")",
    "-(2 ** 126) * 2",
    "tl.arange(n, 2 ** 126)",
    "range(2 ** 126, -(2 ** 126), -1)",
    "tl.static_range(-(2 ** 126), 2 ** 126, 2 ** 125)",
    "x_ptr",
];

/// `text` with one line or word changed.
fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::from(*dice.pick(&PIECES));
    }
    let at = dice.below(lines.len());
    match dice.below(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = dice.below(lines.len());
            lines.swap(at, other);
        }
        3 => {
            let indent = " ".repeat(4 * dice.below(4));
            lines[at] = format!("{indent}{}", lines[at].trim_start());
        }
        _ => {
            let words: Vec<&str> = lines[at].split_inclusive([' ', '(', ')', ',', '=']).collect();
            if !words.is_empty() {
                let word = dice.below(words.len());
                let piece = *dice.pick(&PIECES);
                let changed: Vec<&str> = words
                    .iter()
                    .enumerate()
                    .map(|(i, it)| if i == word { piece } else { it })
                    .collect();
                lines[at] = changed.concat();
            }
        }
    }
    lines.join("\n")
}

#[test]
fn mutated_programs_end_in_ir_or_diagnostics() {
    let programs = programs();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut compiled = 0;
    for _ in 0..3000 {
        let mut text = dice.pick(&programs).clone();
        for _ in 0..=dice.below(3) {
            text = mutate(&text, &mut dice);
        }
        let found = compile(&text);
        compiled += usize::from(found.module.is_some());
        assert!(found.module.is_some() || !found.codes().is_empty(), "{text}");
    }
    assert!(compiled > 100, "only {compiled} mutated programs compiled");
}
