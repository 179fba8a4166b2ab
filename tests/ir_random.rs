//! Random IR: it verifies, and its text reads back as the same text.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::ir::print::print;
use kbc::ir::verify::verify;
use support::random_ir;

#[test]
fn random_ir_keeps_every_rule() {
    for seed in 0..500 {
        let module = random_ir::module(seed);
        let violations = verify(&module);
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}\n{}", print(&module));
    }
}

#[test]
fn printing_what_was_parsed_gives_the_same_text() {
    for seed in 0..500 {
        let text = print(&random_ir::module(seed));
        let again = print(&support::read(&text));
        assert_eq!(text, again, "seed {seed}");
    }
}

#[test]
fn damaged_text_is_refused_or_read_and_never_panics() {
    let mut rng = random_ir::Rng(7);
    for seed in 0..200 {
        let text = print(&random_ir::module(seed));
        for _ in 0..10 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=rng.below(3) {
                damage(&mut bytes, &mut rng);
            }
            let damaged = String::from_utf8_lossy(&bytes).into_owned();
            support::codes_of(&damaged);
        }
    }
}

/// Changes, drops, repeats or cuts off some bytes.
fn damage(bytes: &mut Vec<u8>, rng: &mut random_ir::Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.below(bytes.len());
    let end = (at + 1 + rng.below(30)).min(bytes.len());
    match rng.below(5) {
        0 => bytes[at] = rng.next() as u8,
        1 => drop(bytes.drain(at..end)),
        2 => {
            let repeated = bytes[at..end].to_vec();
            let to = rng.below(bytes.len());
            bytes.splice(to..to, repeated);
        }
        3 => bytes.truncate(at),
        _ => bytes.insert(at, rng.pick(b"%@{}()<>[]\"x:,=-")),
    }
}
