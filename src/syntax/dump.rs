//! The tree for people: one node a line, indented, with where statements stand.
//!
//! ```text
//! 3:5     assign
//!           target: name acc
//!           value: call
//!             func: attribute load
//!               of: name tl
//!             arg: name t_ptr
//!             dtype=: string "f16"
//! ```

use super::ast::{
    Arg, ArgKind, Clause, ComprehensionKind, ExprId, ExprKind, FStringPart, Function, ImportName,
    Module, Param, Stmt, StmtKind,
};
use crate::source::{SourceMap, Span};

/// The width of the column that says where a statement stands.
const PLACE: usize = 8;

/// The tree of `module`; `sources` has its file, and says where statements stand.
pub fn dump(module: &Module, sources: &SourceMap) -> String {
    let mut dump = Dump { module, sources, out: String::new() };
    dump.block(&module.body, 0);
    dump.out
}

struct Dump<'d> {
    module: &'d Module,
    sources: &'d SourceMap,
    out: String,
}

impl Dump<'_> {
    /// One line that names a statement, with its place.
    fn head(&mut self, span: Span, depth: usize, text: &str) {
        let place = match self.sources.get(span.file) {
            Some(file) => {
                let (line, column) = file.line_column(span.start);
                format!("{line}:{column}")
            }
            None => String::from("?"),
        };
        let indent = 2 * depth;
        self.out.push_str(&format!("{place:<PLACE$}{:indent$}{text}\n", ""));
    }

    /// One line that names a part.
    fn part(&mut self, depth: usize, role: &str, text: &str) {
        let indent = PLACE + 2 * depth;
        let colon = if role.is_empty() { "" } else { ": " };
        self.out.push_str(&format!("{:indent$}{role}{colon}{text}\n", ""));
    }

    fn block(&mut self, body: &[Stmt], depth: usize) {
        for stmt in body {
            self.stmt(stmt, depth);
        }
    }

    fn named_block(&mut self, role: &str, body: &[Stmt], depth: usize) {
        if !body.is_empty() {
            self.part(depth, "", role);
            self.block(body, depth + 1);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, depth: usize) {
        let inner = depth + 1;
        let mut head = |text: &str| self.head(stmt.span, depth, text);
        match &stmt.kind {
            StmtKind::Expr(value) => {
                head("expression");
                self.expr(*value, inner, "");
            }
            StmtKind::Assign { targets, value } => {
                head("assign");
                targets.iter().for_each(|target| self.expr(*target, inner, "target"));
                self.expr(*value, inner, "value");
            }
            StmtKind::AugAssign { target, op, value } => {
                head(&format!("assign {}=", op.text()));
                self.expr(*target, inner, "target");
                self.expr(*value, inner, "value");
            }
            StmtKind::AnnAssign { target, annotation, value } => {
                head("assign annotated");
                self.expr(*target, inner, "target");
                self.expr(*annotation, inner, "annotation");
                self.optional(*value, inner, "value");
            }
            StmtKind::Break => head("break"),
            StmtKind::Continue => head("continue"),
            StmtKind::Pass => head("pass"),
            StmtKind::Error => head("error"),
            StmtKind::Return(value) => {
                head("return");
                self.optional(*value, inner, "");
            }
            StmtKind::Assert { condition, message } => {
                head("assert");
                self.expr(*condition, inner, "condition");
                self.optional(*message, inner, "message");
            }
            StmtKind::Delete(targets) => {
                head("delete");
                targets.iter().for_each(|target| self.expr(*target, inner, "target"));
            }
            StmtKind::Raise { exception, cause } => {
                head("raise");
                self.optional(*exception, inner, "");
                self.optional(*cause, inner, "from");
            }
            StmtKind::Import(names) => head(&format!("import {}", imports(names))),
            StmtKind::ImportFrom { module, names } => {
                head(&format!("import {} from {}", imports(names), module.name));
            }
            StmtKind::If { .. } | StmtKind::For { .. } | StmtKind::While { .. } => {
                self.compound(stmt, depth);
            }
            StmtKind::Try { .. } => self.attempt(stmt, depth),
            StmtKind::Function(function) => self.function(function, stmt.span, depth),
        }
    }

    fn compound(&mut self, stmt: &Stmt, depth: usize) {
        let inner = depth + 1;
        if let StmtKind::If { branches, otherwise } = &stmt.kind {
            self.head(stmt.span, depth, "if");
            for (condition, body) in branches {
                self.expr(*condition, inner, "condition");
                self.named_block("then", body, inner);
            }
            self.named_block("else", otherwise, inner);
        } else if let StmtKind::For { target, iter, body, otherwise } = &stmt.kind {
            self.head(stmt.span, depth, "for");
            self.expr(*target, inner, "target");
            self.expr(*iter, inner, "in");
            self.named_block("do", body, inner);
            self.named_block("else", otherwise, inner);
        } else if let StmtKind::While { condition, body, otherwise } = &stmt.kind {
            self.head(stmt.span, depth, "while");
            self.expr(*condition, inner, "condition");
            self.named_block("do", body, inner);
            self.named_block("else", otherwise, inner);
        }
    }

    fn attempt(&mut self, stmt: &Stmt, depth: usize) {
        let StmtKind::Try { body, handlers, otherwise, last } = &stmt.kind else { return };
        let inner = depth + 1;
        self.head(stmt.span, depth, "try");
        self.named_block("do", body, inner);
        for handler in handlers {
            let name = handler.name.as_ref().map_or("", |name| name.name.as_str());
            self.part(inner, "except", name);
            self.optional(handler.kinds, inner + 1, "kind");
            self.block(&handler.body, inner + 1);
        }
        self.named_block("else", otherwise, inner);
        self.named_block("finally", last, inner);
    }

    fn function(&mut self, function: &Function, span: Span, depth: usize) {
        self.head(span, depth, &format!("function {}", function.name.name));
        for decorator in &function.decorators {
            self.expr(*decorator, depth + 1, "decorator");
        }
        self.params(&function.params, depth + 1);
        self.optional(function.returns, depth + 1, "returns");
        self.block(&function.body, depth + 1);
    }

    fn params(&mut self, params: &[Param], depth: usize) {
        for param in params {
            let star = if param.variadic { "*" } else { "" };
            self.part(depth, "parameter", &format!("{star}{}", param.name.name));
            self.optional(param.annotation, depth + 1, "annotation");
            self.optional(param.default, depth + 1, "default");
        }
    }

    fn optional(&mut self, id: Option<ExprId>, depth: usize, role: &str) {
        if let Some(id) = id {
            self.expr(id, depth, role);
        }
    }

    fn expr(&mut self, id: ExprId, depth: usize, role: &str) {
        let module = self.module;
        let kind = module.kind(id);
        self.part(depth, role, &title(kind));
        let inner = depth + 1;
        match kind {
            ExprKind::Attribute { value, .. } => self.expr(*value, inner, "of"),
            ExprKind::Call { func, args } => {
                self.expr(*func, inner, "func");
                args.iter().for_each(|arg| self.arg(arg, inner));
            }
            ExprKind::Subscript { value, index } => {
                self.expr(*value, inner, "of");
                self.expr(*index, inner, "index");
            }
            ExprKind::Slice { lower, upper, step } => {
                self.optional(*lower, inner, "lower");
                self.optional(*upper, inner, "upper");
                self.optional(*step, inner, "step");
            }
            ExprKind::Compare { first, rest } => {
                self.expr(*first, inner, "");
                rest.iter().for_each(|(op, operand)| self.expr(*operand, inner, op.text()));
            }
            ExprKind::IfElse { condition, then, otherwise } => {
                self.expr(*condition, inner, "condition");
                self.expr(*then, inner, "then");
                self.expr(*otherwise, inner, "else");
            }
            ExprKind::Dict(pairs) => pairs.iter().for_each(|(key, value)| {
                self.expr(*key, inner, "key");
                self.expr(*value, inner, "value");
            }),
            ExprKind::Lambda { params, body } => {
                self.params(params, inner);
                self.expr(*body, inner, "value");
            }
            ExprKind::Comprehension { element, clauses, .. } => {
                self.expr(*element, inner, "element");
                clauses.iter().for_each(|clause| self.clause(clause, inner));
            }
            ExprKind::FString(parts) => parts.iter().for_each(|part| self.f_part(part, inner)),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::None
            | ExprKind::Ellipsis
            | ExprKind::Name(_)
            | ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::BoolOp { .. }
            | ExprKind::Tuple(_)
            | ExprKind::List(_)
            | ExprKind::Starred(_)
            | ExprKind::Walrus { .. }
            | ExprKind::Error => kind.each_child(&mut |child| self.expr(child, inner, "")),
        }
    }

    fn arg(&mut self, arg: &Arg, depth: usize) {
        match &arg.kind {
            ArgKind::Positional => self.expr(arg.value, depth, "arg"),
            ArgKind::Keyword(name) => self.expr(arg.value, depth, &format!("{}=", name.name)),
            ArgKind::Star => self.expr(arg.value, depth, "*"),
            ArgKind::DoubleStar => self.expr(arg.value, depth, "**"),
        }
    }

    fn clause(&mut self, clause: &Clause, depth: usize) {
        self.expr(clause.target, depth, "for");
        self.expr(clause.iter, depth, "in");
        clause.conditions.iter().for_each(|condition| self.expr(*condition, depth, "if"));
    }

    fn f_part(&mut self, part: &FStringPart, depth: usize) {
        match part {
            FStringPart::Text(text) => self.part(depth, "text", &format!("{text:?}")),
            FStringPart::Value { value, spec } => {
                self.expr(*value, depth, "value");
                if let Some(spec) = spec {
                    self.part(depth, "format", &format!("{spec:?}"));
                }
            }
        }
    }
}

/// An expression in words, without its parts.
fn title(kind: &ExprKind) -> String {
    match kind {
        ExprKind::Int(value) => format!("int {value}"),
        ExprKind::Float(value) => format!("float {value:?}"),
        ExprKind::Str(value) => format!("string {value:?}"),
        ExprKind::Bool(value) => format!("bool {value}"),
        ExprKind::Name(name) => format!("name {name}"),
        ExprKind::Attribute { attr, .. } => format!("attribute {}", attr.name),
        ExprKind::Unary { op, .. } => format!("unary {}", op.text()),
        ExprKind::Binary { op, .. } => format!("binary {}", op.text()),
        ExprKind::BoolOp { op, .. } => op.text().to_owned(),
        ExprKind::Walrus { target, .. } => format!("walrus {}", target.name),
        ExprKind::FString(_) => String::from("f-string"),
        ExprKind::None => String::from("none"),
        ExprKind::Ellipsis => String::from("ellipsis"),
        ExprKind::Call { .. } => String::from("call"),
        ExprKind::Subscript { .. } => String::from("subscript"),
        ExprKind::Slice { .. } => String::from("slice"),
        ExprKind::Compare { .. } => String::from("compare"),
        ExprKind::IfElse { .. } => String::from("conditional"),
        ExprKind::Tuple(_) => String::from("tuple"),
        ExprKind::List(_) => String::from("list"),
        ExprKind::Dict(_) => String::from("dict"),
        ExprKind::Lambda { .. } => String::from("lambda"),
        ExprKind::Comprehension { kind, .. } => format!("{} comprehension", brackets(*kind)),
        ExprKind::Starred(_) => String::from("starred"),
        ExprKind::Error => String::from("error"),
    }
}

fn brackets(kind: ComprehensionKind) -> &'static str {
    match kind {
        ComprehensionKind::List => "list",
        ComprehensionKind::Generator => "generator",
        ComprehensionKind::Dict => "dict",
        ComprehensionKind::Set => "set",
    }
}

fn imports(names: &[ImportName]) -> String {
    let text = |name: &ImportName| match &name.alias {
        Some(alias) => format!("{} as {}", name.name.name, alias.name),
        None => name.name.name.clone(),
    };
    names.iter().map(text).collect::<Vec<_>>().join(", ")
}
