//! A thousand damaged machine files: each is read or refused with a code, quickly and calmly.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::{ColorChoice, Sink, to_json, to_text};
use kbc::source::SourceMap;
use kbc::topology::{PeId, dot, load, show, svg};

const SEEDS: [&str; 4] = [
    include_str!("../topology/default.yaml"),
    include_str!("../topology/small.yaml"),
    include_str!("../topology/ring8.yaml"),
    "machine:\n  nodes:\n    - {name: a, kind: pe}\n    - {name: s, kind: switch}\n  links:\n    - {from: a, to: s, bw_gbs: 1, latency_ns: 2, both_ways: true}\n",
];

/// What replaces or joins a word.
const WORDS: [&str; 24] = [
    "0", "-1", "1", "3", "7", "16", "99999", "1e400", ".inf", ".nan", "inf", "auto", "none",
    "null", "[1, 2]", "{}", "true", "'", "\"", ":", "- ", "&a", "*a", "\t",
];

/// A small linear congruential generator: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=dice.roll(4) {
        let (at, other) = (dice.roll(lines.len()), dice.roll(lines.len()));
        let line = lines[at].clone();
        lines[at] = match dice.roll(6) {
            0 => String::new(),
            1 => lines[other].clone(),
            2 => format!("  {line}"),
            3 => line.chars().filter(|_| dice.roll(12) > 0).collect(),
            4 => line.replace(|c: char| c.is_ascii_digit(), WORDS[dice.roll(WORDS.len())]),
            _ => match line.split_once(": ") {
                Some((key, _)) => format!("{key}: {}", WORDS[dice.roll(WORDS.len())]),
                None => format!("{line}{}", WORDS[dice.roll(WORDS.len())]),
            },
        };
    }
    lines.join("\n")
}

fn survive(text: &str) -> bool {
    let mut sources = SourceMap::new();
    let file = sources.add("mutant.yaml", text);
    let mut sink = Sink::new();
    let spec = load(&sources, file, &mut sink);
    assert_eq!(spec.is_err(), sink.has_errors(), "{text}");
    for diagnostic in sink.diagnostics() {
        assert!(diagnostic.code.id.starts_with("K06"), "{text}");
        assert!(!to_text(diagnostic, &sources, ColorChoice::Plain).is_empty());
        to_json(diagnostic, &sources);
    }
    let Ok(spec) = spec else { return false };
    if spec.extent().pe_count() <= 4096
        && let Ok(machine) = spec.build(&mut sink)
    {
        let last = machine.pe(PeId(machine.pe_count() - 1)).dma;
        assert!(machine.route(machine.pe(PeId(0)).dma, last).is_some(), "{text}");
        assert!(!show(&spec, &machine).is_empty());
        assert!(!svg(&spec, &machine).is_empty() && !dot(&machine).is_empty());
    }
    true
}

#[test]
fn a_thousand_mutants_are_read_or_refused() {
    let mut dice = Dice(2026);
    let mut read = 0;
    for round in 0..1000 {
        read += usize::from(survive(&mutate(SEEDS[round % SEEDS.len()], &mut dice)));
    }
    // Neither all nor none: the mutants do test something.
    assert!((50..950).contains(&read), "{read} of 1000 were read");
}

#[test]
fn odd_bytes_are_refused() {
    for text in ["\u{0}", "\u{feff}", "%YAML 9.9\n---\n", "--- a\n--- b\n", "? : ?", "[", "&a [*a]"]
    {
        survive(text);
    }
    let deep = "[".repeat(100_000);
    assert!(!survive(&deep));
    let deep_keys: String = (0..500).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert!(!survive(&deep_keys));
    // Each level doubles the one before: a billion values if they were all made.
    let bomb: String = (1..30).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1)).collect();
    assert!(!survive(&format!("a0: &a0 1\n{bomb}")));
}
