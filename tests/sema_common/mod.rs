//! What the tests of the analysis share: compile a text, show what was said.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;

use kbc::diag::{ColorChoice, Diagnostic, Severity, Sink, to_text};
use kbc::ir::{self, Module};
use kbc::sema::{self, ArgType, Constant, Dialect, Input};
use kbc::source::SourceMap;
use kbc::syntax::{self, ast};

/// The library, as it is embedded in the program.
const LIBRARY: [(&str, &str); 5] = [
    ("ccl", include_str!("../../lib/ccl.kb")),
    ("nn", include_str!("../../lib/nn.kb")),
    ("random", include_str!("../../lib/random.kb")),
    ("tl", include_str!("../../lib/tl.kb")),
    ("libdevice", include_str!("../../lib/libdevice.kb")),
];

/// A compiled text.
pub(crate) struct Compiled {
    /// Its files.
    pub(crate) sources: SourceMap,
    /// Its IR, unless it is in error.
    pub(crate) module: Option<Module>,
    /// What was said.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Compiles `text` with the library at hand.
pub(crate) fn compile(text: &str) -> Compiled {
    compile_with(text, BTreeMap::new())
}

/// Compiles `text` with something known of its parameters.
pub(crate) fn compile_with(text: &str, constants: BTreeMap<String, Constant>) -> Compiled {
    compile_arguments(text, constants, BTreeMap::new())
}

/// Compiles `text`, held to a language.
pub(crate) fn compile_dialect(
    text: &str,
    constants: BTreeMap<String, Constant>,
    arguments: BTreeMap<String, ArgType>,
    dialect: Dialect,
) -> Compiled {
    compile_input(text, |input| {
        input.constants = constants;
        input.arguments = arguments;
        input.dialect = dialect;
    })
}

/// Compiles `text` for a launch that passes `arguments`.
pub(crate) fn compile_arguments(
    text: &str,
    constants: BTreeMap<String, Constant>,
    arguments: BTreeMap<String, ArgType>,
) -> Compiled {
    compile_dialect(text, constants, arguments, Dialect::Kbc)
}

fn compile_input(text: &str, tell: impl FnOnce(&mut Input<'_>)) -> Compiled {
    let mut sources = SourceMap::new();
    let mut sink = Sink::new();
    let mut parse = |name: &str, text: &str| {
        let file = sources.add(name, text);
        syntax::parse(file, text, &mut sink)
    };
    let main = parse("kernel.kb", text);
    let library: Vec<(String, ast::Module)> = LIBRARY
        .iter()
        .map(|(name, text)| ((*name).to_owned(), parse(&format!("lib/{name}.kb"), text)))
        .collect();
    let imports = library.iter().map(|(name, module)| (name.clone(), module)).collect();
    let names = LIBRARY.map(|(name, _)| name);
    let mut input = Input { imports, library: &names, ..Input::of(&main) };
    tell(&mut input);
    let module = sema::analyze(&input, &mut sink).ok();
    let compiled = Compiled { sources, module, diagnostics: sink.into_sorted() };
    let bug = compiled.diagnostics.iter().any(|it| it.severity == Severity::Bug);
    assert!(!bug, "{text}\n{}", compiled.text());
    compiled
}

impl Compiled {
    /// The ids of what was said, in the order of the text.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.diagnostics.iter().map(|it| it.code.id).collect()
    }

    /// What was said, as a terminal shows it.
    pub(crate) fn text(&self) -> String {
        let shown = |it: &Diagnostic| to_text(it, &self.sources, ColorChoice::Plain);
        self.diagnostics.iter().map(shown).collect::<Vec<String>>().join("\n")
    }

    /// The IR as text.
    ///
    /// # Panics
    /// If the text is in error.
    pub(crate) fn ir(&self) -> String {
        assert!(self.module.is_some(), "{}", self.text());
        self.module.as_ref().map(ir::print::print).unwrap_or_default()
    }
}
