//! The kernels that ship, from source text through every pass.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kbc::diag::Sink;
use kbc::ir::print::{print, print_function};
use kbc::ir::verify::{verify, verify_function};
use kbc::ir::{Function, Module};
use kbc::passes::{Context, run_observed};
use kbc::sema::{Constant, Input, analyze};
use kbc::source::SourceMap;
use support::{bindings, limits, read, rendered};

/// Arguments that fit a launch of every kernel.
const ARGUMENTS: &[(&str, i64)] = &[
    ("a_ptr", 1 << 20),
    ("b_ptr", 1 << 21),
    ("c_ptr", 1 << 22),
    ("x_ptr", 1 << 20),
    ("y_ptr", 1 << 21),
    ("out_ptr", 1 << 22),
    ("t_ptr", 1 << 20),
    ("bm", 16),
    ("n", 32),
    ("bk", 16),
    ("k_blocks", 4),
    ("itemsize", 2),
    ("n_elem", 64),
    ("nbytes", 128),
    ("pes", 8),
    ("cubes", 2),
    ("sips", 1),
    ("rows", 4),
    ("cols", 4),
    ("world_size", 16),
    ("chunk_elem", 64),
    ("chunk_bytes", 128),
    ("n_blocks", 4),
    ("block", 8),
    ("block_bytes", 128),
];

fn kernels() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut kernels: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "kb"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    kernels.sort();
    kernels
}

/// The generic IR of a source file.
fn analyzed(name: &str, text: &str) -> Module {
    let mut sources = SourceMap::new();
    let mut sink = Sink::new();
    let file = sources.add(name, text);
    let tree = kbc::syntax::parse(file, text, &mut sink);
    let dtype = Constant::Str(String::from("f16"));
    let constants = BTreeMap::from([(String::from("dtype"), dtype)]);
    let input = Input { constants, ..Input::of(&tree) };
    analyze(&input, &mut sink).unwrap_or_else(|_| panic!("{}", rendered(sink, &sources)))
}

/// The stages of the first kernel.
fn lowered(module: &Module) -> (Vec<(&'static str, Function)>, Function) {
    let mut sink = Sink::new();
    let (bindings, limits) = (bindings(ARGUMENTS), limits());
    let mut context = Context { module, bindings: &bindings, limits: &limits, sink: &mut sink };
    let kernel = module.kernels().next().expect("there is a kernel");
    let mut stages = Vec::new();
    let result = run_observed(&mut context, kernel, &mut |pass, function| {
        stages.push((pass.name(), function.clone()));
    });
    let function =
        result.unwrap_or_else(|_| panic!("{:#?}\n{}", sink.into_sorted(), print(module)));
    (stages, function)
}

#[test]
fn every_kernel_goes_through_every_pass() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        assert_eq!(verify(&module), [], "{name}");
        let (_, function) = lowered(&module);
        assert_eq!(verify_function(&function, None), [], "{name}");
    }
}

#[test]
fn the_ir_of_every_kernel_reads_back() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        let generic = print(&module);
        assert_eq!(print(&read(&generic)), generic, "{name}");
        let (stages, last) = lowered(&module);
        for function in stages.iter().map(|(_, function)| function).chain([&last]) {
            let text = print_function(function);
            assert_eq!(print(&read(&text)), text, "{name}");
        }
    }
}

#[test]
fn text_ir_is_lowered_as_its_source_is() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        let from_source = print_function(&lowered(&module).1);
        let from_text = print_function(&lowered(&read(&print(&module))).1);
        assert_eq!(from_source, from_text, "{name}");
    }
}
