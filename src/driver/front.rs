//! From a file's bytes to typed IR.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Session, library};
use crate::diag::{Diagnostic, Reported, syntax as codes};
use crate::import::{self, Plan};
use crate::ir;
use crate::sema::{self, ArgType, Constant, Dialect, Input};
use crate::source::{FileId, Span};
use crate::syntax;
use crate::syntax::ast;

/// What analysis must know of parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Values of parameters that no launch passes: what is known at compile time.
    pub constants: BTreeMap<String, Constant>,
    /// Types of those that a launch passes.
    pub arguments: BTreeMap<String, ArgType>,
    /// The only kernel that they are for; all of the file's where it is not given.
    pub entry: Option<String>,
    /// Which language the file is held to.
    pub dialect: Dialect,
}

impl From<BTreeMap<String, Constant>> for Known {
    fn from(constants: BTreeMap<String, Constant>) -> Known {
        Known { constants, ..Known::default() }
    }
}

/// A file that can be compiled.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The file.
    pub file: FileId,
    /// What it holds.
    pub(super) body: Body,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Kernels and host functions.
    Source {
        /// The file's own tree.
        main: ast::Module,
        /// The library modules that it and they import.
        imports: BTreeMap<String, Arc<ast::Module>>,
    },
    /// Textual IR.
    Ir(ir::Module),
    /// An execution plan.
    Plan(Box<Plan>),
}

impl Unit {
    /// The syntax tree, unless the file is textual IR.
    pub fn ast(&self) -> Option<&ast::Module> {
        match &self.body {
            Body::Source { main, .. } => Some(main),
            Body::Ir(_) | Body::Plan(_) => None,
        }
    }

    /// The names of its kernels; none where it is not source.
    pub(super) fn kernels(&self) -> Vec<&str> {
        let Some(module) = self.ast() else { return Vec::new() };
        let is_kernel = |it: &&ast::Function| it.style(module) != ast::FunctionStyle::Host;
        module.functions().filter(is_kernel).map(|it| it.name.name.as_str()).collect()
    }

    /// The host function of this name, if the file has one.
    pub(super) fn host_function(&self, name: &str) -> Option<&ast::Function> {
        let module = self.ast()?;
        module.functions().find(|function| {
            function.name.name == name && function.style(module) == ast::FunctionStyle::Host
        })
    }
}

impl Session {
    /// Reads a file. Its ending says what it holds: `.kir` is textual IR, `.json` an execution plan,
    /// all else is source.
    ///
    /// # Errors
    /// It does not parse, or is no text; everything wrong has been reported.
    pub fn load(&mut self, name: &str, bytes: &[u8]) -> Result<Unit, Reported> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Err(self.not_text(name, bytes, error.valid_up_to())),
        };
        let file = self.sources.add(name, text);
        if name.ends_with(".kir") {
            let module = ir::parse::parse(file, text, &mut self.sink)?;
            return Ok(Unit { file, body: Body::Ir(module) });
        }
        if name.ends_with(".json") {
            let plan = import::read(&self.sources, file, &mut self.sink)?;
            return Ok(Unit { file, body: Body::Plan(Box::new(plan)) });
        }
        let main = syntax::parse(file, text, &mut self.sink);
        let imports = self.load_imports(&main);
        Ok(Unit { file, body: Body::Source { main, imports } })
    }

    /// The modules of the library that the host program of a file can launch.
    pub(super) fn load_library(&mut self, unit: &Unit) -> BTreeMap<String, Unit> {
        let own = self.sources.get(unit.file).map_or("", |file| file.text());
        if !library::is_launched_from(own) {
            return BTreeMap::new();
        }
        let load = |(name, text): (&str, &str)| {
            let unit = self.load(&library::path(name), text.as_bytes());
            unit.ok().map(|unit| (name.to_owned(), unit))
        };
        library::launchable().filter_map(load).collect()
    }

    fn not_text(&mut self, name: &str, bytes: &[u8], at: usize) -> Reported {
        let readable = String::from_utf8_lossy(bytes).into_owned();
        let file = self.sources.add(name, readable);
        let message = format!("the file is not UTF-8 text: byte {at} begins no character");
        let span = Span::new(file, at, at + '\u{fffd}'.len_utf8());
        let diagnostic =
            Diagnostic::new(codes::NOT_UTF8, message, span, "here").help("save the file in UTF-8");
        self.sink.error(diagnostic)
    }

    /// The library modules that `main` imports, those that they import, and those that every file
    /// has. A module that is not there is left out: `sema` says so where it is named.
    fn load_imports(&mut self, main: &ast::Module) -> BTreeMap<String, Arc<ast::Module>> {
        let mut wanted: Vec<String> = names_of_imports(main);
        wanted.extend(library::IMPLIED.iter().map(|name| (*name).to_owned()));
        let mut found = BTreeMap::new();
        while let Some(name) = wanted.pop() {
            if found.contains_key(&name) {
                continue;
            }
            let Some(module) = self.library_module(&name) else { continue };
            wanted.extend(names_of_imports(&module));
            found.insert(name, module);
        }
        found
    }

    /// The tree of a module of the library, which is read once.
    fn library_module(&mut self, name: &str) -> Option<Arc<ast::Module>> {
        if let Some(module) = self.library.get(name) {
            return Some(module.clone());
        }
        let text = library::text(name)?;
        let file = self.sources.add(library::path(name), text);
        let module = Arc::new(syntax::parse(file, text, &mut self.sink));
        self.library.insert(name.to_owned(), module.clone());
        Some(module)
    }

    /// The typed IR of a file, with nothing known of launches but `known`.
    ///
    /// # Errors
    /// Everything wrong has been reported.
    pub fn analyze(&mut self, unit: &Unit, known: Known) -> Result<ir::Module, Reported> {
        let known = Known { dialect: self.dialect, ..known };
        analyze(unit, known, &mut self.sink)
    }
}

/// [`Session::analyze`] that reports to a sink of the caller's.
pub(super) fn analyze(
    unit: &Unit,
    known: Known,
    sink: &mut crate::diag::Sink,
) -> Result<ir::Module, Reported> {
    let (main, modules) = match &unit.body {
        Body::Ir(module) => return Ok(module.clone()),
        Body::Plan(_) => return Ok(ir::Module::default()),
        Body::Source { main, imports } => (main, imports),
    };
    let names = library::MODULES.iter().map(|(name, _)| *name);
    let library: Vec<&str> = names.filter(|name| !name.contains('.') && *name != "tp").collect();
    let imports = modules.iter().map(|(name, module)| (name.clone(), &**module)).collect();
    let Known { constants, arguments, entry, dialect } = known;
    let library = &library;
    let input = Input { main, imports, library, constants, arguments, entry, dialect };
    sema::analyze(&input, sink)
}

fn names_of_imports(module: &ast::Module) -> Vec<String> {
    sema::imports(module).into_iter().map(|(name, _)| name).collect()
}
