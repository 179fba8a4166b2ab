//! Text IR back to IR.
//!
//! The grammar is what [`print`](super::print) writes; blanks and line breaks between tokens do
//! not matter, except that what a terminator lists stands on its line. `//` begins a comment.
//! Spans of what is read lie in the text IR itself.
//!
//! One run reports many errors: a line that cannot be read is skipped, with its block if it opens
//! one, and what it defines is taken for known. What is read is then verified, so a module that
//! comes out of [`parse`] keeps every rule of [`verify`](super::verify).

mod composite;
mod control;
mod cursor;
mod ops;
mod tile_ops;
mod types;

pub use ops::op_names;

use rustc_hash::{FxHashMap, FxHashSet};

use self::cursor::{Cursor, Failed, Parse, shortened};
use super::verify::verify;
use super::{BlockId, Buffer, BufferId, FuncId, Function, Module, Op, OpId, Type, Value};
use crate::arena::Id;
use crate::diag::{Diagnostic, Reported, Sink, nearest_help, syntax};
use crate::source::{FileId, Span};

/// Longer names are not compared with others: the comparison takes their length squared.
const MAX_SUGGESTED: usize = 64;

/// Reads and verifies a module.
///
/// # Errors
/// The text is no module, or the module breaks a rule; each error has been reported.
pub fn parse(file: FileId, text: &str, sink: &mut Sink) -> Result<Module, Reported> {
    let module = parse_unverified(file, text, sink)?;
    let mut failed = None;
    for violation in verify(&module) {
        failed = Some(sink.error(violation.as_diagnostic()));
    }
    failed.map_or(Ok(module), Err)
}

/// Reads a module that may break the rules of the verifier.
///
/// # Errors
/// The text is no module; each error has been reported.
pub fn parse_unverified(file: FileId, text: &str, sink: &mut Sink) -> Result<Module, Reported> {
    let mut parser = Parser {
        cursor: Cursor::new(file, text, sink),
        module: Module::default(),
        functions: FxHashMap::default(),
        calls: Vec::new(),
        function: Function::new("", false, Span::NONE),
        names: FxHashMap::default(),
        poisoned: FxHashSet::default(),
        depth: 0,
    };
    parser.module();
    let Parser { cursor, module, .. } = parser;
    cursor.failed.map_or(Ok(module), Err)
}

struct Parser<'t, 's> {
    cursor: Cursor<'t, 's>,
    module: Module,
    functions: FxHashMap<String, (FuncId, Span)>,
    /// Calls, to be joined to their functions once all are read.
    calls: Vec<PendingCall>,
    /// The function at hand.
    function: Function,
    /// Its values, and where each is defined.
    names: FxHashMap<&'t str, (Value, Span)>,
    /// Names whose definition could not be read.
    poisoned: FxHashSet<&'t str>,
    depth: usize,
}

struct PendingCall {
    caller: FuncId,
    op: OpId,
    callee: String,
    span: Span,
}

impl<'t> Parser<'t, '_> {
    fn module(&mut self) {
        while !self.cursor.at_end() && !self.cursor.gives_up() {
            let calls = self.calls.len();
            if self.function().is_err() {
                // The function is not kept, so nobody calls from it.
                self.calls.truncate(calls);
                self.cursor.recover_function();
            }
        }
        for call in std::mem::take(&mut self.calls) {
            self.join(call);
        }
    }

    fn join(&mut self, call: PendingCall) {
        let Some((callee, _)) = self.functions.get(&call.callee) else {
            let message = format!("no function is named `@{}`", shortened(&call.callee));
            self.cursor.wrong(syntax::KIR_UNDEFINED, message, call.span, "this is not defined");
            return;
        };
        let op = &mut self.module.functions[call.caller].ops[call.op].op;
        if let Op::Call(it) = op {
            it.callee = *callee;
        }
    }

    /// Reads one function, header to closing brace.
    fn function(&mut self) -> Parse<()> {
        self.cursor.skip_blanks();
        let start = self.cursor.position();
        let is_kernel = self.cursor.eat_word("kernel");
        if !is_kernel && !self.cursor.eat_word("func") {
            return Err(self.cursor.unexpected("`kernel` or `func`"));
        }
        let (name, name_span) = self.symbol()?;
        self.names.clear();
        self.poisoned.clear();
        self.function = Function::new(name.clone(), is_kernel, Span::NONE);
        self.params()?;
        self.function.span = self.cursor.since(start);
        self.cursor.expect("{")?;
        self.buffers()?;
        self.block_ops(self.function.entry);
        self.cursor.expect("}")?;
        let function = std::mem::replace(&mut self.function, Function::new("", false, Span::NONE));
        let id = self.module.functions.push(function);
        if let Some((_, first)) = self.functions.get(&name) {
            let message = format!("two functions are named `@{}`", shortened(&name));
            let error = Diagnostic::new(syntax::KIR_REDEFINED, message, name_span, "the second")
                .because(*first, "the first");
            self.cursor.report(error);
        }
        self.functions.entry(name).or_insert((id, name_span));
        Ok(())
    }

    /// Reads a function's name: `@name` or `@"any name"`.
    fn symbol(&mut self) -> Parse<(String, Span)> {
        self.cursor.skip_blanks();
        let start = self.cursor.position();
        if self.cursor.sees("@\"") {
            self.cursor.expect("@")?;
            let name = self.cursor.string()?;
            return Ok((name, self.cursor.since(start)));
        }
        let (name, _) = self.cursor.name_after("@", "a function's name")?;
        Ok((String::from(name), self.cursor.since(start)))
    }

    fn params(&mut self) -> Parse<()> {
        self.cursor.expect("(")?;
        let mut first = true;
        while !self.cursor.eat(")") {
            if !std::mem::replace(&mut first, false) {
                self.cursor.expect(",")?;
            }
            let (name, span) = self.cursor.name_after("%", "a parameter")?;
            self.cursor.expect(":")?;
            let ty = self.ty()?;
            let is_constexpr = self.cursor.eat_word("constexpr");
            let value = self.function.add_param(name, ty, is_constexpr, span);
            self.function.values[value].name = variable(name);
            self.bind(name, value, span);
        }
        Ok(())
    }

    fn buffers(&mut self) -> Parse<()> {
        while self.cursor.eat_word("buffer") {
            let (name, span) = self.cursor.word("a buffer")?;
            if name != BufferId::from_index(self.function.buffers.len()).to_string() {
                let message = format!("buffers are numbered in order; `{name}` is out of order");
                let label = "another buffer is next";
                return Err(self.cursor.wrong(syntax::KIR_REDEFINED, message, span, label));
            }
            self.cursor.expect_word("at")?;
            let offset = self.cursor.number("an offset", |text| text.parse().ok())?;
            self.cursor.expect_word("bytes")?;
            let bytes = self.cursor.number("a size", |text| text.parse().ok())?;
            self.cursor.expect_word("copies")?;
            let copies = self.cursor.number("a number of copies", |text| text.parse().ok())?;
            self.function.buffers.push(Buffer { offset, bytes, copies });
        }
        Ok(())
    }

    /// Reads ops to the brace that closes `block`, which stays.
    fn block_ops(&mut self, block: BlockId) {
        while !self.cursor.sees("}") && !self.cursor.at_end() && !self.cursor.gives_up() {
            let start = self.cursor.position();
            if self.op(block).is_err() {
                self.cursor.recover(start);
            }
        }
    }

    /// Reads `%a, %b =`, if it is next.
    fn result_names(&mut self) -> Parse<Vec<(&'t str, Span)>> {
        let mut names = Vec::new();
        if !self.cursor.sees("%") {
            return Ok(names);
        }
        loop {
            names.push(self.cursor.name_after("%", "a value")?);
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.cursor.expect("=")?;
        Ok(names)
    }

    fn op(&mut self, block: BlockId) -> Parse<()> {
        let start = self.cursor.position();
        let names = self.result_names()?;
        let id = self.placeholder(&names);
        let (word, span) = self.cursor.word("an operation").inspect_err(|_| self.poison(&names))?;
        let read = match word {
            "for" => self.for_loop(id, start),
            "while" => self.while_loop(id, start),
            "if" => self.branch(id, start),
            "reduce_by" => self.reduce_by(id, start),
            "scan_by" => self.scan_by(id, start),
            _ => self.plain(id, (word, span), start),
        };
        if read.is_err() {
            self.poison(&names);
            return Err(Failed);
        }
        self.function.blocks[block].ops.push(id);
        Ok(())
    }

    /// An op whose results are known by name and not yet by type.
    fn placeholder(&mut self, names: &[(&'t str, Span)]) -> OpId {
        let nothing = super::Yield { values: Vec::new() };
        let id = self.function.make_op(nothing, vec![Type::I64; names.len()], Span::NONE);
        for (index, (name, span)) in names.iter().enumerate() {
            let value = self.function.ops[id].results[index];
            self.function.values[value].name = variable(name);
            self.bind(name, value, *span);
        }
        id
    }

    /// From here on `name` is `value`.
    fn bind(&mut self, name: &'t str, value: Value, span: Span) {
        if let Some((_, first)) = self.names.get(name) {
            let message = format!("`%{}` is defined twice", shortened(name));
            let error = Diagnostic::new(syntax::KIR_REDEFINED, message, span, "the second")
                .because(*first, "the first");
            self.cursor.report(error);
        }
        self.names.insert(name, (value, span));
    }

    /// Uses of `names` are not worth an error.
    fn poison(&mut self, names: &[(&'t str, Span)]) {
        self.poisoned.extend(names.iter().map(|(name, _)| *name));
    }

    /// Reads a value that is used.
    fn value(&mut self) -> Parse<Value> {
        let (name, span) = self.cursor.name_after("%", "a value")?;
        if self.poisoned.contains(name) {
            return Err(Failed);
        }
        if let Some((value, _)) = self.names.get(name) {
            return Ok(*value);
        }
        let message = format!("no value is named `%{}`", shortened(name));
        let mut error =
            Diagnostic::new(syntax::KIR_UNDEFINED, message, span, "this is not defined");
        let known = self.names.keys().copied().filter(|_| name.len() <= MAX_SUGGESTED);
        if let Some(help) = nearest_help("value", name, known) {
            error = error.help(help);
        }
        Err(self.cursor.report(error))
    }

    /// Reads values with commas between, at least one.
    fn values(&mut self) -> Parse<Vec<Value>> {
        let mut values = vec![self.value()?];
        while self.cursor.eat(",") {
            values.push(self.value()?);
        }
        Ok(values)
    }
}

/// The variable that a value called `name` came from: `acc` for `acc.1`, none for a number.
fn variable(name: &str) -> Option<String> {
    let stem = name.split('.').next().unwrap_or(name);
    let is_number = stem.is_empty() || stem.chars().next().is_some_and(char::is_numeric);
    (!is_number).then(|| String::from(stem))
}
