//! IR as text: what `.kir` files hold. [`parse`](super::parse) reads it back.
//!
//! Values are named after the variables they came from: the first `acc` prints as `%acc`, the
//! second as `%acc.1`; a value without a variable prints as a number. Numbers follow the order of
//! the text, so printing what was parsed gives the same text again.

mod ops;

use rustc_hash::FxHashMap;

use super::{BlockId, Dim, Function, Literal, Module, OpId, Storage, Type, Value};
use crate::arena::SideTable;
use crate::source::SourceMap;

/// The text of a module.
pub fn print(module: &Module) -> String {
    print_functions(module, None)
}

/// The text of a module, each op followed by a comment that says where it was written.
pub fn print_with_places(module: &Module, sources: &SourceMap) -> String {
    print_functions(module, Some(sources))
}

/// The text of one function. Functions it calls print by number.
pub fn print_function(function: &Function) -> String {
    let mut printer = Printer::new(function, None, None);
    printer.function();
    printer.text
}

/// The text of one function, each op followed by a comment that says where it was written.
pub fn print_function_with_places(function: &Function, sources: &SourceMap) -> String {
    let mut printer = Printer::new(function, None, Some(sources));
    printer.function();
    printer.text
}

fn print_functions(module: &Module, sources: Option<&SourceMap>) -> String {
    let mut texts = Vec::new();
    for function in module.functions.values() {
        let mut printer = Printer::new(function, Some(module), sources);
        printer.function();
        texts.push(printer.text);
    }
    texts.join("\n")
}

struct Printer<'a> {
    function: &'a Function,
    module: Option<&'a Module>,
    sources: Option<&'a SourceMap>,
    /// The spelling of each value that has been reached, without the `%`.
    names: SideTable<Value, String>,
    /// How many values have been named after each variable.
    taken: FxHashMap<String, u32>,
    unnamed: u32,
    text: String,
    indent: usize,
    /// The op that is being printed.
    op: OpId,
}

impl<'a> Printer<'a> {
    fn new(
        function: &'a Function,
        module: Option<&'a Module>,
        sources: Option<&'a SourceMap>,
    ) -> Self {
        Printer {
            function,
            module,
            sources,
            names: SideTable::new(),
            taken: FxHashMap::default(),
            unnamed: 0,
            text: String::new(),
            indent: 0,
            op: OpId(0),
        }
    }

    fn put(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
    }

    fn start_line(&mut self) {
        self.text.push_str(&"  ".repeat(self.indent));
    }

    fn function(&mut self) {
        let function = self.function;
        self.put(if function.is_kernel { "kernel " } else { "func " });
        self.put(symbol(&function.name));
        self.put("(");
        for (index, param) in function.params.iter().enumerate() {
            self.put(if index == 0 { "" } else { ", " });
            self.define(param.value);
            self.put(if param.is_constexpr { " constexpr" } else { "" });
        }
        self.put(") {\n");
        self.indent += 1;
        for (id, buffer) in function.buffers.iter() {
            let (offset, bytes, copies) = (buffer.offset, buffer.bytes, buffer.copies);
            let line = format!("  buffer {id} at {offset} bytes {bytes} copies {copies}\n");
            self.put(line);
        }
        self.ops(function.entry);
        self.indent -= 1;
        self.put("}\n");
    }

    fn ops(&mut self, block: BlockId) {
        let function = self.function;
        for op in &function.blocks[block].ops {
            self.start_line();
            self.op(*op);
            self.put("\n");
        }
    }

    /// The comment that says where `op` was written, where asked for.
    fn place_comment(&mut self, op: OpId) {
        let span = self.function.spans[op];
        if let Some(sources) = self.sources
            && !span.is_none()
        {
            let place = sources.location(span);
            let line: String = place.chars().filter(|char| !char.is_control()).collect();
            self.put(format!("  // {line}"));
        }
    }

    fn op(&mut self, op: OpId) {
        let data = &self.function.ops[op];
        self.op = op;
        self.result_names(op);
        data.op.visit(self);
        if data.op.blocks().is_empty() {
            if !data.results.is_empty() {
                self.put(" : ");
                self.list(&data.results, Printer::type_of);
            }
            self.place_comment(op);
        }
    }

    fn result_names(&mut self, op: OpId) {
        let function = self.function;
        let results = &function.ops[op].results;
        results.iter().for_each(|result| self.name(*result));
        if !results.is_empty() {
            self.values(results);
            self.put(" = ");
        }
    }

    /// Gives `value` its name.
    fn name(&mut self, value: Value) {
        let hint = self.function.values[value].name.as_deref().map(identifier);
        let name = match hint {
            None => {
                self.unnamed += 1;
                (self.unnamed - 1).to_string()
            }
            Some(hint) => {
                let count = self.taken.entry(hint.clone()).or_insert(0);
                *count += 1;
                if *count == 1 { hint } else { format!("{hint}.{}", *count - 1) }
            }
        };
        self.names.set(value, name);
    }

    /// Prints a value that has been defined. One that has not prints as no name can: `%?7`.
    fn value(&mut self, value: Value) {
        let name = &self.names[value];
        let text = if name.is_empty() { format!("%?{}", value.0) } else { format!("%{name}") };
        self.put(text);
    }

    fn values(&mut self, values: &[Value]) {
        self.list(values, Printer::value);
    }

    /// Prints something of each value, commas between.
    fn list(&mut self, values: &[Value], print: fn(&mut Self, Value)) {
        for (index, value) in values.iter().enumerate() {
            self.put(if index == 0 { "" } else { ", " });
            print(self, *value);
        }
    }

    /// Names a block's argument and prints `%name: type`.
    fn define(&mut self, value: Value) {
        self.name(value);
        self.value(value);
        self.put(": ");
        self.type_of(value);
    }

    /// Prints a value's type and where its bytes are.
    fn type_of(&mut self, value: Value) {
        let data = &self.function.values[value];
        self.ty(&data.ty);
        match data.storage {
            None => {}
            Some(Storage::Buffer(buffer)) => self.put(format!(" in {buffer}")),
            Some(Storage::Slot) => self.put(" in slot"),
            Some(Storage::Alias) => self.put(" in alias"),
        }
    }

    fn ty(&mut self, ty: &Type) {
        let Some(tile) = ty.tile() else {
            self.put(ty.to_string());
            return;
        };
        self.put(if matches!(ty, Type::Tile(_)) { "tile<" } else { "future<" });
        for dim in &tile.dims {
            match dim {
                Dim::Const(extent) => self.put(format!("{extent}x")),
                Dim::Value(value) => {
                    self.value(*value);
                    self.put(" x ");
                }
            }
        }
        self.put(tile.dtype.name());
        self.put(">");
    }
}

/// A function's name after `@`; quoted where it is no identifier.
fn symbol(name: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || char == '_' || char == '.';
    if !name.is_empty() && name.chars().all(plain) {
        format!("@{name}")
    } else {
        format!("@{}", quoted(name))
    }
}

/// A variable's name as the text form can spell it: dots tell values of one name apart, and
/// numbers are for values without a name.
fn identifier(name: &str) -> String {
    let keep = |char: char| if char.is_alphanumeric() || char == '_' { char } else { '_' };
    let name: String = name.chars().map(keep).collect();
    match name.chars().next() {
        Some(first) if !first.is_numeric() => name,
        Some(_) | None => format!("_{name}"),
    }
}

/// A string in quotes; `\\`, `\"` and line breaks escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A constant: floats always have a point or an exponent, so that they read back as floats.
fn literal_text(literal: Literal) -> String {
    match literal {
        Literal::Int(value) => value.to_string(),
        Literal::Float(value) if value.is_nan() => String::from("nan"),
        Literal::Float(value) => format!("{value:?}"),
    }
}
