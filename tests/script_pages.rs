//! Every page of a K08 code: the failing program reports the code, the mended one reports nothing.
//! What the failing one prints is a snapshot, to be read.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::collections::BTreeMap;
use std::fmt::Write;

use kbc::diag::{self, Diagnostic, Sink};
use kbc::host::{Completion, Device, LaunchRequest, Refusal, Scalar, Tensor, Ticket};
use kbc::script::{Script, Settings};
use kbc::source::SourceMap;
use kbc::syntax::{self, ast::Module};

/// A device that keeps what it is given and runs nothing, but asks who the neighbours are.
struct Keeper<'a> {
    script: Script<'a>,
    world: u32,
    has_data: bool,
    bytes: BTreeMap<u64, Vec<u8>>,
}

impl Device for Keeper<'_> {
    fn world_size(&self) -> u32 {
        self.world
    }
    fn has_data(&self) -> bool {
        self.has_data
    }
    fn write(&mut self, tensor: &Tensor, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes.insert(tensor.base, bytes.to_vec());
        Ok(())
    }
    fn submit(&mut self, request: LaunchRequest) -> Result<Ticket, Refusal> {
        let scalars: Vec<(String, Scalar)> = request
            .scalars()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        match self.script.neighbors(&scalars) {
            Ok(_) => Ok(Ticket(0)),
            Err(fault) => Err(Refusal { diagnostics: fault.into_diagnostics() }),
        }
    }
    fn wait(&mut self, _: Ticket) -> Result<Completion, Refusal> {
        Ok(Completion::default())
    }
    fn read(&mut self, tensor: &Tensor, _: u32) -> Result<Vec<u8>, Refusal> {
        Ok(self.bytes[&tensor.base].clone())
    }
}

/// A program of a page: the command line that runs it, and its text.
struct Program {
    command: String,
    text: String,
}

/// The fenced programs of a page, in order.
fn programs(page: &str) -> Vec<Program> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find("```kb ") {
        let (command, body) = rest[at + 6..].split_once('\n').unwrap();
        let (text, after) = body.split_once("```").unwrap();
        found.push(Program { command: command.to_owned(), text: text.to_owned() });
        rest = after;
    }
    found
}

fn settings(command: &str) -> (Settings, bool) {
    let mut words = command.split_whitespace();
    let mut found = Settings { facts: vec![("pes_per_cube".into(), 8)], ..Settings::default() };
    let mut has_data = true;
    assert_eq!(words.next(), Some("sim"));
    while let Some(word) = words.next() {
        match word {
            "--ws" => found.world_size = words.next().unwrap().parse().unwrap(),
            "--no-data" => has_data = false,
            "--set" => {
                let (name, value) = words.next().unwrap().split_once('=').unwrap();
                found.set.push((name.to_owned(), Scalar::parse(value)));
            }
            _ => panic!("{command}"),
        }
    }
    (found, has_data)
}

/// The modules of collectives, which pages about them call.
fn collectives() -> BTreeMap<String, Module> {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/lib/ccl");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let module = |path: std::path::PathBuf| {
        let name = format!("ccl.{}", path.file_stem().unwrap().to_string_lossy());
        let text = std::fs::read_to_string(&path).unwrap();
        let file = sources.add(&name, text.as_str());
        (name, syntax::parse(file, &text, &mut sink))
    };
    files.map(module).collect()
}

fn diagnose(module: &Module, command: &str) -> Vec<Diagnostic> {
    let (settings, has_data) = settings(command);
    let world = settings.world_size;
    let modules = collectives();
    let library = modules.iter().map(|(name, module)| (name.clone(), module)).collect();
    let script = Script::new(module, settings).with_library(library);
    let unknown = script.unknown_settings(None);
    if !unknown.is_empty() {
        return unknown;
    }
    let mut device = Keeper { script: script.clone(), world, has_data, bytes: BTreeMap::new() };
    script.run(&mut device).unwrap().diagnostics
}

fn run(name: &str, program: &Program) -> (Vec<Diagnostic>, String) {
    let mut sources = SourceMap::new();
    let file = sources.add(name, program.text.as_str());
    let mut sink = Sink::new();
    let module = syntax::parse(file, &program.text, &mut sink);
    assert!(!sink.has_errors(), "{name}: {:#?}", sink.diagnostics());
    let diagnostics = diagnose(&module, &program.command);
    let text = |it| diag::to_text(it, &sources, diag::ColorChoice::Plain);
    let rendered = diagnostics.iter().map(text).collect();
    (diagnostics, rendered)
}

#[test]
fn each_page_fails_and_is_mended_as_it_says() {
    let mut shown = String::new();
    let codes = diag::all_codes().filter(|code| code.id.starts_with("K08"));
    for code in codes {
        let programs = programs(code.page);
        // Mistakes on the command line are of no host program; `tests/errors.rs` runs them.
        if programs.is_empty() {
            continue;
        }
        let [fails, mended] = &programs[..] else {
            panic!("{}: a page has two programs", code.id);
        };
        let name = format!("{}.kb", code.id.to_lowercase());
        let (diagnostics, rendered) = run(&name, fails);
        let found: Vec<&str> = diagnostics.iter().map(|it| it.code.id).collect();
        assert_eq!(found, [code.id], "{rendered}");
        writeln!(shown, "{rendered}").unwrap();
        let (_, rendered) = run(&name, mended);
        assert!(rendered.is_empty(), "{rendered}");
    }
    insta::assert_snapshot!(shown);
}
