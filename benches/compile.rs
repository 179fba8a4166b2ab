//! How fast text becomes programs: lexing, parsing, checking, and the whole way to command
//! streams.
//!
//! `cargo bench --bench compile`. Rates count bytes of source. The long file is 2,000 lines of
//! kernels, each different from the others.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints"
)]

use std::fmt::Write as _;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use kbc::diag::Sink;
use kbc::driver::{LaunchOptions, Session, Stage, StreamChoice};
use kbc::source::FileId;
use kbc::syntax;

const RING: &str = include_str!("../kernels/ring_allreduce.kb");

/// One kernel of the long file.
const KERNEL: &str = r#"
def kernel_NUMBER(x_ptr, y_ptr, rounds, tl):
    """Kernel NUMBER of the file."""
    rank = tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    offset = rank * 512 + NUMBER * 64
    acc = tl.load(x_ptr + offset, shape=(16, 16), dtype="f16")
    current = acc  # what is sent next
    for step in range(rounds):
        tl.send(dir="E", src=current)
        received = tl.recv(dir="W", shape=(16, 16), dtype="f16")
        scaled = received * 0.5 + tl.exp(acc) if NUMBER % 2 == 0 else received - acc
        acc = tl.maximum(acc, scaled) + tl.sum(received, axis=1, keep_dims=True)
        current = received
    if rounds > NUMBER:
        acc = tl.where(acc > 0, acc, 0.1 * acc)
    else:
        acc = tl.dot(acc, tl.trans(current)).to("f16")
    tl.store(y_ptr + offset, acc)
"#;

fn main() {
    let lines = long_file().lines().count();
    println!("the long file has {lines} lines, {} bytes", long_file().len());
    divan::main();
}

fn long_file() -> String {
    let mut text = String::new();
    for number in 0..105 {
        let _ = writeln!(text, "{}", KERNEL.replace("NUMBER", &number.to_string()));
    }
    text
}

fn source(name: &str) -> String {
    if name == "ring" { RING.to_owned() } else { long_file() }
}

#[divan::bench(args = ["ring", "long"])]
fn lex(bencher: Bencher<'_, '_>, name: &str) {
    let text = source(name);
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut sink = Sink::new();
        black_box(syntax::tokens(FileId(0), black_box(&text), &mut sink)).len()
    });
}

#[divan::bench(args = ["ring", "long"])]
fn lex_and_parse(bencher: Bencher<'_, '_>, name: &str) {
    let text = source(name);
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut sink = Sink::new();
        let module = syntax::parse(FileId(0), black_box(&text), &mut sink);
        assert!(!sink.has_errors());
        module
    });
}

#[divan::bench(args = ["ring", "long"])]
fn check(bencher: Bencher<'_, '_>, name: &str) {
    let text = source(name);
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut session = Session::new();
        let unit = session.load("bench.kb", black_box(text.as_bytes())).unwrap();
        session.check(&unit, &LaunchOptions::default()).unwrap();
        session
    });
}

/// The ring all-reduce for so many ranks: passes, lowering, communication check, summary.
#[divan::bench(args = [8, 256, 100_000])]
fn compile_ring(bencher: Bencher<'_, '_>, ranks: u32) {
    let options = LaunchOptions { world: Some(ranks), ..LaunchOptions::default() };
    bencher.bench(|| {
        let mut session = Session::new();
        let unit = session.load("ring.kb", black_box(RING.as_bytes())).unwrap();
        session.emit(&unit, &options, (&[Stage::Summary], &StreamChoice::default())).unwrap()
    });
}
