//! The files of one compilation and what their top levels define.

use std::collections::{BTreeMap, BTreeSet};

use super::builtins::Builtin;
use super::errors::names as errors;
use super::value::{Namespace, Val};
use super::{Input, names};
use crate::arena::{Arena, Id};
use crate::diag::Sink;
use crate::dtype::DType;
use crate::source::Span;
use crate::syntax::ast::{
    ExprId, ExprKind, Function, FunctionStyle, ImportName, Module, Stmt, StmtKind,
};

/// A file: the main one is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UnitId(u32);

impl Id for UnitId {
    fn from_index(index: usize) -> UnitId {
        UnitId(u32::try_from(index).expect("a program has fewer than 2^32 files"))
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A function of a file, by its place among the file's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FunctionRef {
    /// The file.
    pub(super) unit: UnitId,
    /// Its place.
    pub(super) index: u32,
}

/// Every file.
#[derive(Debug)]
pub(super) struct Program<'p> {
    /// The main file first.
    pub(super) units: Arena<UnitId, Unit<'p>>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Unit<'p> {
    /// The name it is imported by; `None` for the main file.
    pub(super) library: Option<&'p str>,
    /// Its tree.
    pub(super) ast: &'p Module,
    /// Its functions, in order.
    functions: Vec<&'p Function>,
    /// What its top level binds.
    globals: BTreeMap<&'p str, Global>,
}

/// What a name of the top level is.
#[derive(Clone, Debug)]
pub(super) struct Global {
    /// What it is.
    pub(super) kind: GlobalKind,
    /// Where it is bound.
    pub(super) span: Span,
}

impl Global {
    /// The function that it is.
    fn function(&self) -> Option<Val> {
        match &self.kind {
            GlobalKind::Val(val @ Val::Function(_)) => Some(val.clone()),
            GlobalKind::Val(_) | GlobalKind::Constant { .. } | GlobalKind::HostOnly => None,
        }
    }
}

/// What a name of the top level is bound to.
#[derive(Clone, Debug)]
pub(super) enum GlobalKind {
    /// Something with a meaning of its own.
    Val(Val),
    /// The value of an expression.
    Constant {
        /// The expression.
        value: ExprId,
        /// Whether it is `name: tl.constexpr = …`.
        constexpr: bool,
    },
    /// Of a package that only host functions and annotations use.
    HostOnly,
}

/// Packages that annotations, host functions and tests need and that kernels have nothing of:
/// importing them is accepted and does nothing.
const HOST_PACKAGES: [&str; 25] = [
    "__future__",
    "abc",
    "argparse",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "inspect",
    "itertools",
    "kernbench",
    "logging",
    "math",
    "numpy",
    "operator",
    "os",
    "pytest",
    "sys",
    "time",
    "torch",
    "types",
    "typing",
    "typing_extensions",
    "warnings",
];

/// Whether `name` is the module that turns on features of Python.
pub(super) fn is_of_future(name: &str) -> bool {
    name == "__future__"
}

/// Whether `name` is a host package or inside one.
fn is_of_host(name: &str) -> bool {
    HOST_PACKAGES.contains(&name.split('.').next().unwrap_or(name))
}

/// The modules that `module` imports and that are neither Triton's nor for host functions, each
/// once, with the text that names it first.
pub fn imports(module: &Module) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    let mut add = |name: &str, span: Span| {
        let known = triton_module(name).is_some() || is_of_host(name);
        if !known && found.iter().all(|(other, _)| other != name) {
            found.push((name.to_owned(), span));
        }
    };
    for stmt in &module.body {
        if let StmtKind::Import(names) = &stmt.kind {
            names.iter().for_each(|it| add(&it.name.name, it.name.span));
        }
        if let StmtKind::ImportFrom { module, .. } = &stmt.kind {
            add(&module.name, module.span);
        }
    }
    found
}

/// What a module of Triton is.
fn triton_module(name: &str) -> Option<Namespace> {
    let Some(inner) = name.strip_prefix("triton.language") else {
        return (name == "triton").then_some(Namespace::Triton);
    };
    match inner {
        "" | ".core" | ".standard" => Some(Namespace::Tl),
        ".math" => Some(Namespace::TlMath),
        ".extra" | ".extra.cuda" | ".extra.hip" => Some(Namespace::Extra),
        ".extra.libdevice" | ".extra.cuda.libdevice" | ".extra.hip.libdevice" => {
            Some(Namespace::Libdevice)
        }
        _ => None,
    }
}

impl<'p> Program<'p> {
    /// Reads the top levels of all files.
    pub(super) fn new(input: &'p Input<'p>, sink: &mut Sink) -> Program<'p> {
        let mut units = Arena::new();
        units.push(Unit::new(UnitId::from_index(0), None, input.main, sink));
        for (name, module) in &input.imports {
            let id = UnitId::from_index(units.len());
            units.push(Unit::new(id, Some(name), module, sink));
        }
        let mut program = Program { units };
        for id in program.units.ids() {
            program.bind_imports(id, input, sink);
        }
        program
    }

    /// The function that `at` names.
    pub(super) fn function(&self, at: FunctionRef) -> &'p Function {
        self.units[at.unit].functions[at.index as usize]
    }

    /// How the function that `at` names was written.
    pub(super) fn style(&self, at: FunctionRef) -> FunctionStyle {
        self.function(at).style(self.units[at.unit].ast)
    }

    fn bind_imports(&mut self, unit: UnitId, input: &Input<'p>, sink: &mut Sink) {
        let ast = self.units[unit].ast;
        for stmt in &ast.body {
            if let StmtKind::Import(names) = &stmt.kind {
                names.iter().for_each(|name| self.bind_module(unit, name, input, sink));
            }
            if let StmtKind::ImportFrom { module, names } = &stmt.kind {
                let Some(from) = self.module(&module.name, module.span, input, sink) else {
                    names
                        .iter()
                        .for_each(|name| self.bind(unit, name, GlobalKind::Val(Val::Error)));
                    continue;
                };
                names.iter().for_each(|name| self.bind_member(unit, name, &from, sink));
            }
        }
    }

    /// `import name`.
    fn bind_module(
        &mut self,
        unit: UnitId,
        import: &'p ImportName,
        input: &Input<'p>,
        sink: &mut Sink,
    ) {
        let found = self.module(&import.name.name, import.name.span, input, sink);
        let dotted_unaliased = import.alias.is_none() && import.name.name.contains('.');
        let kind = match found {
            // `import triton.language` binds `triton`.
            Some(GlobalKind::Val(_)) if dotted_unaliased => {
                GlobalKind::Val(Val::Namespace(Namespace::Triton))
            }
            Some(kind) => kind,
            None => GlobalKind::Val(Val::Error),
        };
        self.bind(unit, import, kind);
    }

    /// What the module `name` is; `None` once it is reported that there is none.
    fn module(
        &self,
        name: &str,
        span: Span,
        input: &Input<'p>,
        sink: &mut Sink,
    ) -> Option<GlobalKind> {
        let namespace = triton_module(name).or_else(|| self.library(name).map(Namespace::Library));
        if namespace.is_none() && is_of_host(name) {
            return Some(GlobalKind::HostOnly);
        }
        if namespace.is_none() {
            sink.error(errors::unknown_module(name, span, input.library));
        }
        namespace.map(|it| GlobalKind::Val(Val::Namespace(it)))
    }

    /// The library module `name`.
    fn library(&self, name: &str) -> Option<UnitId> {
        self.units.iter().find(|(_, unit)| unit.library == Some(name)).map(|(id, _)| id)
    }

    /// `from module import name`.
    fn bind_member(
        &mut self,
        unit: UnitId,
        import: &'p ImportName,
        from: &GlobalKind,
        sink: &mut Sink,
    ) {
        let GlobalKind::Val(Val::Namespace(namespace)) = from else {
            return self.bind(unit, import, GlobalKind::HostOnly);
        };
        let name = &import.name;
        if let (Namespace::Library(library), "*") = (namespace, name.name.as_str()) {
            return self.bind_all(unit, *library, name.span);
        }
        let kind = match self.member(*namespace, &name.name) {
            Some(kind) => kind,
            None => {
                let known = self.member_names(*namespace);
                let known = known.iter().map(String::as_str);
                sink.error(errors::unknown_import(
                    &name.name,
                    namespace_name(*namespace),
                    name.span,
                    known,
                ));
                GlobalKind::Val(Val::Error)
            }
        };
        self.bind(unit, import, kind);
    }

    fn bind_all(&mut self, unit: UnitId, library: UnitId, span: Span) {
        let functions = self.units[library].functions.clone();
        for (index, function) in functions.into_iter().enumerate() {
            let at = FunctionRef { unit: library, index: index as u32 };
            let global = Global { kind: GlobalKind::Val(Val::Function(at)), span };
            self.units[unit].globals.insert(&function.name.name, global);
        }
    }

    fn bind(&mut self, unit: UnitId, import: &'p ImportName, kind: GlobalKind) {
        let ident = import.alias.as_ref().unwrap_or(&import.name);
        let name = ident.name.split('.').next().unwrap_or(&ident.name);
        self.units[unit].globals.insert(name, Global { kind, span: ident.span });
    }

    /// What `name` is in a module.
    pub(super) fn member(&self, namespace: Namespace, name: &str) -> Option<GlobalKind> {
        if let Namespace::Library(unit) = namespace {
            return self.units[unit].globals.get(name).map(|it| it.kind.clone());
        }
        if namespace == Namespace::Tl && matches!(name, "tensor" | "dtype") {
            return Some(GlobalKind::HostOnly);
        }
        let own = if namespace == Namespace::Libdevice {
            self.written("libdevice", name).or_else(|| member_of_triton(namespace, name))
        } else {
            member_of_triton(namespace, name)
        };
        let found = own.or_else(|| match namespace {
            Namespace::Tl | Namespace::TlMath | Namespace::Libdevice => self.written("tl", name),
            Namespace::Triton
            | Namespace::Extra
            | Namespace::PropagateNan
            | Namespace::Library(_) => None,
        });
        found.map(GlobalKind::Val)
    }

    /// The function `name` of `lib/<module>.kb`, its own or one that it imports, which stands for
    /// a built-in.
    pub(super) fn written(&self, module: &str, name: &str) -> Option<Val> {
        let unit = self.library(module)?;
        self.units[unit].globals.get(name).and_then(Global::function)
    }

    /// The names of the functions of `lib/<module>.kb`, but for its helpers.
    fn names_written(&self, module: &str) -> Vec<String> {
        let unit = self.library(module);
        let globals = unit.into_iter().flat_map(|unit| &self.units[unit].globals);
        let functions = globals.filter(|(_, global)| global.function().is_some());
        let names = functions.map(|(name, _)| (*name).to_owned());
        names.filter(|name| !name.starts_with('_')).collect()
    }

    /// What a module has, for suggestions.
    pub(super) fn member_names(&self, namespace: Namespace) -> Vec<String> {
        match namespace {
            Namespace::Tl | Namespace::TlMath => {
                let types = DType::ALL.iter().map(|it| it.tl_name().to_owned());
                let built_in = Builtin::names().map(str::to_owned);
                built_in.chain(self.names_written("tl")).chain(types).collect()
            }
            Namespace::Libdevice => {
                let built_in = Builtin::names().map(str::to_owned);
                built_in.chain(self.names_written("libdevice")).collect()
            }
            Namespace::Extra => ["libdevice", "cuda", "hip"].map(str::to_owned).to_vec(),
            Namespace::PropagateNan => ["NONE", "ALL"].map(str::to_owned).to_vec(),
            Namespace::Triton => {
                ["jit", "language", "cdiv", "next_power_of_2"].map(str::to_owned).to_vec()
            }
            Namespace::Library(unit) => {
                self.units[unit].globals.keys().map(|it| (*it).to_owned()).collect()
            }
        }
    }

    /// The kernel of the main file called `name`, whether or not others call it; the last of two.
    pub(super) fn named(&self, name: &str) -> Vec<FunctionRef> {
        let main = UnitId::from_index(0);
        let functions = (0..self.units[main].functions.len() as u32).rev();
        let mut found = functions.map(|index| FunctionRef { unit: main, index });
        let is_named = |at: &FunctionRef| {
            self.style(*at) != FunctionStyle::Host && self.function(*at).name.name == name
        };
        found.find(is_named).into_iter().collect()
    }

    /// The functions that a launch may name: those of the main file that run on the PEs and that
    /// no other of them calls, in order; of functions that only call each other, the first.
    pub(super) fn kernels(&self) -> Vec<FunctionRef> {
        let main = UnitId::from_index(0);
        let all: Vec<FunctionRef> = (0..self.units[main].functions.len() as u32)
            .map(|index| FunctionRef { unit: main, index })
            .filter(|at| self.style(*at) != FunctionStyle::Host)
            .collect();
        let callees: BTreeMap<FunctionRef, BTreeSet<FunctionRef>> =
            all.iter().map(|at| (*at, self.callees(*at))).collect();
        let called: BTreeSet<FunctionRef> = callees
            .iter()
            .flat_map(|(caller, callees)| callees.iter().filter(move |it| *it != caller))
            .copied()
            .collect();
        let mut kernels: Vec<FunctionRef> =
            all.iter().filter(|at| !called.contains(at)).copied().collect();
        let mut reached = BTreeSet::new();
        kernels.iter().for_each(|at| reach(*at, &callees, &mut reached));
        for at in &all {
            if !reached.contains(at) {
                kernels.push(*at);
                reach(*at, &callees, &mut reached);
            }
        }
        kernels.retain(|at| !self.is_helper(*at));
        kernels.sort_unstable();
        kernels
    }

    /// The functions of the main file that run on the PEs and that none of `kernels` reaches.
    pub(super) fn unreached(&self, kernels: &[FunctionRef]) -> Vec<FunctionRef> {
        let main = UnitId::from_index(0);
        let all = (0..self.units[main].functions.len() as u32)
            .map(|index| FunctionRef { unit: main, index })
            .filter(|at| self.style(*at) != FunctionStyle::Host);
        let all: Vec<FunctionRef> = all.collect();
        let callees = all.iter().map(|at| (*at, self.callees(*at))).collect();
        let mut reached = BTreeSet::new();
        kernels.iter().for_each(|at| reach(*at, &callees, &mut reached));
        all.into_iter().filter(|at| !reached.contains(at)).collect()
    }

    /// Whether no launch can mean it: a parameter is annotated as a tile, or it gives a value back
    /// and does nothing else.
    fn is_helper(&self, at: FunctionRef) -> bool {
        let ast = self.units[at.unit].ast;
        let function = self.function(at);
        let is_tensor = |annotation| annotation_name(ast, annotation) == Some("tensor");
        function.params.iter().any(|param| param.annotation.is_some_and(is_tensor))
            || names::gives_value(ast, &function.body) && !self.is_outward(at)
    }

    /// Whether a function changes what is outside of the program. One that takes `tl` is also taken
    /// for a kernel if it reads memory; a `@triton.jit` function that returns what it read is no
    /// kernel.
    fn is_outward(&self, at: FunctionRef) -> bool {
        let (ast, body) = (self.units[at.unit].ast, &self.function(at).body);
        let reads =
            self.style(at) != FunctionStyle::JitKernel && names::calls(ast, body, &["load"]);
        reads || names::calls(ast, body, &["store", "send"]) || names::has_atomic(ast, body)
    }

    /// The functions of the same file that `at` may call, by name.
    fn callees(&self, at: FunctionRef) -> BTreeSet<FunctionRef> {
        let unit = &self.units[at.unit];
        let mut found = BTreeSet::new();
        names::for_each_stmt(&self.function(at).body, &mut |stmt: &Stmt| {
            names::for_each_header_expr(unit.ast, stmt, &mut |expr| {
                names::reads_of_expr(unit.ast, expr, &mut |name| {
                    let kind = unit.globals.get(name).map(|global| &global.kind);
                    if let Some(GlobalKind::Val(Val::Function(callee))) = kind {
                        found.insert(*callee);
                    }
                });
            });
        });
        found
    }
}

fn reach(
    from: FunctionRef,
    callees: &BTreeMap<FunctionRef, BTreeSet<FunctionRef>>,
    reached: &mut BTreeSet<FunctionRef>,
) {
    let mut pending = vec![from];
    while let Some(at) = pending.pop() {
        if reached.insert(at) {
            pending.extend(callees.get(&at).into_iter().flatten());
        }
    }
}

/// What `name` is in `tl`, `tl.math` or `triton`.
fn member_of_triton(namespace: Namespace, name: &str) -> Option<Val> {
    use super::value::Constant;
    if namespace == Namespace::Triton {
        return match name {
            "language" => Some(Val::Namespace(Namespace::Tl)),
            "cdiv" => Builtin::of_tl("cdiv").map(Val::Builtin),
            name => Builtin::of_triton(name).map(Val::Builtin),
        };
    }
    if namespace == Namespace::PropagateNan {
        let known = matches!(name, "NONE" | "ALL");
        return known.then(|| Val::Const(Constant::Str(name.to_owned())));
    }
    let inner = match (namespace, name) {
        (Namespace::Tl, "math") => Some(Namespace::TlMath),
        (Namespace::Tl | Namespace::TlMath, "PropagateNan") => Some(Namespace::PropagateNan),
        (Namespace::Tl, "extra") | (Namespace::Extra, "cuda" | "hip") => Some(Namespace::Extra),
        (Namespace::Extra | Namespace::TlMath, "libdevice") => Some(Namespace::Libdevice),
        _ => None,
    };
    if inner.is_some() || namespace == Namespace::Extra {
        return inner.map(Val::Namespace);
    }
    let dtype = DType::ALL.iter().find(|dtype| dtype.tl_name() == name);
    let dtype = dtype.map(|dtype| Val::Const(Constant::DType(*dtype)));
    dtype.or_else(|| Builtin::of_tl(name).map(Val::Builtin))
}

/// What to call a module in a message.
pub(super) fn namespace_name(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Tl => "`tl`",
        Namespace::TlMath => "`tl.math`",
        Namespace::Extra => "`tl.extra`",
        Namespace::PropagateNan => "`tl.PropagateNan`",
        Namespace::Libdevice => "`libdevice`",
        Namespace::Triton => "`triton`",
        Namespace::Library(_) => "this module of the library",
    }
}

impl<'p> Unit<'p> {
    fn new(id: UnitId, library: Option<&'p str>, ast: &'p Module, sink: &mut Sink) -> Unit<'p> {
        let mut unit = Unit { library, ast, functions: Vec::new(), globals: BTreeMap::new() };
        for stmt in &ast.body {
            unit.define(id, stmt, sink);
        }
        unit
    }

    /// What `name` is at the top level.
    pub(super) fn global(&self, name: &str) -> Option<&Global> {
        self.globals.get(name)
    }

    /// Every name of the top level.
    pub(super) fn global_names(&self) -> impl Iterator<Item = &str> {
        self.globals.keys().copied()
    }

    fn define(&mut self, id: UnitId, stmt: &'p Stmt, sink: &mut Sink) {
        if let StmtKind::Function(function) = &stmt.kind {
            self.define_function(id, function, sink);
        }
        if let StmtKind::Assign { targets, value } = &stmt.kind {
            targets.iter().for_each(|target| self.define_constant(*target, *value, false));
        }
        if let StmtKind::AnnAssign { target, annotation, value: Some(value) } = &stmt.kind {
            let constexpr = is_constexpr(self.ast, *annotation);
            self.define_constant(*target, *value, constexpr);
        }
    }

    fn define_constant(&mut self, target: ExprId, value: ExprId, constexpr: bool) {
        if let ExprKind::Name(name) = self.ast.kind(target) {
            let kind = GlobalKind::Constant { value, constexpr };
            self.globals.insert(name, Global { kind, span: self.ast.span(target) });
        }
    }

    fn define_function(&mut self, unit: UnitId, function: &'p Function, sink: &mut Sink) {
        let name = &function.name;
        let at = FunctionRef { unit, index: self.functions.len() as u32 };
        let global = Global { kind: GlobalKind::Val(Val::Function(at)), span: name.span };
        let before = self.globals.insert(&name.name, global);
        self.functions.push(function);
        if let Some(Global { kind: GlobalKind::Val(Val::Function(_)), span }) = before {
            sink.error(errors::defined_twice(&name.name, name.span, span));
        }
    }
}

/// Whether an annotation is `tl.constexpr` or `constexpr`.
pub(super) fn is_constexpr(ast: &Module, annotation: ExprId) -> bool {
    annotation_name(ast, annotation).is_some_and(|name| name == "constexpr")
}

/// The last name of an annotation: `constexpr` for `tl.constexpr`, quoted or not.
pub(super) fn annotation_name(ast: &Module, annotation: ExprId) -> Option<&str> {
    let kind = ast.kind(annotation);
    if let ExprKind::Attribute { attr, .. } = kind {
        return Some(&attr.name);
    }
    if let ExprKind::Str(text) = kind {
        return text.rsplit('.').next();
    }
    if let ExprKind::Name(name) = kind { Some(name) } else { None }
}
