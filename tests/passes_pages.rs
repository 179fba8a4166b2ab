//! The pages of the codes of text IR and of a launch: the failing program reports its code, the
//! mended one nothing.
//!
//! Programs are taken through the passes here, with the arguments of their own `kernel_args`; that
//! the command line says the same is checked with all other pages.

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

use kbc::diag::{Code, Sink, all_codes};
use kbc::host::Scalar;
use kbc::ir::parse::parse;
use kbc::ir::{Bindings, Limits, Literal, Module, TilePipeline};
use kbc::passes::run;
use kbc::script::{Script, Settings};
use kbc::sema::{Input, analyze};
use kbc::source::FileId;

/// The codes of this module's stages; those of doubtful code, K0507 and from K0510 on, need no launch.
fn is_ours(id: &str) -> bool {
    let ranges = [("K0150", "K0170"), ("K0380", "K0400"), ("K0450", "K0470"), ("K0501", "K0510")];
    id != "K0507" && ranges.iter().any(|(first, end)| (*first..*end).contains(&id))
}

/// The command line that runs the program of `section`, and its text, if it has one.
fn program<'p>(page: &'p str, section: &str) -> Option<(&'p str, &'p str)> {
    let section = page.split(&format!("## {section}\n")).nth(1)?;
    let (command, text) = section.split("```").nth(1)?.split_once('\n')?;
    (command != "text").then_some((command, text))
}

/// The codes that a program reports when it is run as its command line says, on two ranks.
fn codes((command, text): (&str, &str)) -> Vec<&'static str> {
    let mut sink = Sink::new();
    let _ = launch(command, text, &mut sink);
    sink.into_sorted().iter().map(|it| it.code.id).collect()
}

fn launch(command: &str, text: &str, sink: &mut Sink) -> Option<()> {
    let (module, mut params) = if command.starts_with("kir") {
        (parse(FileId(0), text, sink).ok()?, BTreeMap::new())
    } else {
        compile(text, sink)?
    };
    if let Some((_, set)) = command.split_once("--set ") {
        let (name, value) = set.split_once('=').expect("a setting");
        params.insert(String::from(name), Literal::Float(value.parse().unwrap()));
    }
    let bindings = Bindings { params, num_programs: [2, 1, 1] };
    let limits = Limits {
        tcm_bytes: 12 << 20,
        tcm_total: 16 << 20,
        tcm_reserved: 4 << 20,
        pipeline: TilePipeline { tile: [32, 32, 64], buffers: 2 },
        unrolled_ops: 100_000,
    };
    if command.contains("compile") {
        let kernel = module.kernels().next().expect("a kernel");
        run(&module, kernel, &bindings, &limits, sink).ok()?;
    }
    Some(())
}

/// The IR of a source file and the arguments of its kernel; tensors begin at the first megabyte.
fn compile(text: &str, sink: &mut Sink) -> Option<(Module, BTreeMap<String, Literal>)> {
    let tree = kbc::syntax::parse(FileId(0), text, sink);
    let module = analyze(&Input::of(&tree), sink).ok()?;
    let settings = Settings { world_size: 2, ..Settings::default() };
    let kernel = tree.functions().find(|it| it.name.name == "kernel").expect("a kernel");
    let arguments = Script::new(&tree, settings).kernel_args(kernel).expect("arguments");
    let mut params = BTreeMap::new();
    for name in arguments.pointers {
        params.insert(name, Literal::Int(1 << 20));
    }
    for (name, value) in arguments.scalars {
        let literal = match value {
            Scalar::Int(value) => Literal::Int(value),
            Scalar::Float(value) => Literal::Float(value),
            Scalar::Bool(_) | Scalar::Text(_) | Scalar::DType(_) | Scalar::None => {
                panic!("{name} is no number")
            }
        };
        params.insert(name, literal);
    }
    Some((module, params))
}

#[test]
fn every_page_fails_and_is_mended() {
    let ours: Vec<&Code> = all_codes().filter(|code| is_ours(code.id)).collect();
    assert!(ours.len() >= 27, "{}", ours.len());
    let mut wrong = Vec::new();
    for code in ours {
        assert!(code.page.starts_with(&format!("# {}: ", code.id)), "{}", code.id);
        assert!(code.page.contains("\n## Fails\n"), "{}", code.id);
        let Some(fails) = program(code.page, "Fails") else { continue };
        let mended = program(code.page, "Mended").expect("what fails is mended");
        if codes(fails) != [code.id] {
            wrong.push(format!("{} fails with {:?}:\n{}", code.id, codes(fails), fails.1));
        }
        if !codes(mended).is_empty() {
            wrong.push(format!("{} is mended with {:?}:\n{}", code.id, codes(mended), mended.1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
