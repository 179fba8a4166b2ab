//! Expressions, with brackets where precedence needs them.

use super::{Printer, text};
use crate::syntax::ast::{
    Arg, ArgKind, BinaryOp, BoolOp, Clause, ComprehensionKind, ExprId, ExprKind, FStringPart,
    Param, UnaryOp,
};

/// How tightly an expression binds, loosest first; the tiers of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Named,
    Conditional,
    Or,
    And,
    Not,
    Compare,
    BitOr,
    BitXor,
    BitAnd,
    Shift,
    Sum,
    Term,
    Factor,
    Power,
    Postfix,
    Atom,
}

/// Quotes for f-strings in f-strings, outermost first: no one ends a string around it.
const QUOTES: &[&str] = &["\"\"\"", "'''", "\"", "'"];

fn binary_levels(op: BinaryOp) -> (Level, Level, Level) {
    match op {
        BinaryOp::BitOr => (Level::BitOr, Level::BitOr, Level::BitXor),
        BinaryOp::BitXor => (Level::BitXor, Level::BitXor, Level::BitAnd),
        BinaryOp::BitAnd => (Level::BitAnd, Level::BitAnd, Level::Shift),
        BinaryOp::Shl | BinaryOp::Shr => (Level::Shift, Level::Shift, Level::Sum),
        BinaryOp::Add | BinaryOp::Sub => (Level::Sum, Level::Sum, Level::Term),
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod | BinaryOp::MatMul => {
            (Level::Term, Level::Term, Level::Factor)
        }
        BinaryOp::Pow => (Level::Power, Level::Postfix, Level::Factor),
    }
}

/// How tightly `kind` binds.
fn level(kind: &ExprKind) -> Level {
    match kind {
        ExprKind::Walrus { .. } => Level::Named,
        ExprKind::IfElse { .. } | ExprKind::Lambda { .. } => Level::Conditional,
        ExprKind::BoolOp { op: BoolOp::Or, .. } => Level::Or,
        ExprKind::BoolOp { op: BoolOp::And, .. } => Level::And,
        ExprKind::Unary { op: UnaryOp::Not, .. } => Level::Not,
        ExprKind::Compare { .. } => Level::Compare,
        ExprKind::Binary { op, .. } => binary_levels(*op).0,
        ExprKind::Unary { op: UnaryOp::Neg | UnaryOp::Pos | UnaryOp::Invert, .. } => Level::Factor,
        ExprKind::Attribute { .. } | ExprKind::Call { .. } | ExprKind::Subscript { .. } => {
            Level::Postfix
        }
        // A `-` in front would print an operator; the parser makes none below zero.
        ExprKind::Int(value) if *value < 0 => Level::Factor,
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Str(_)
        | ExprKind::FString(_)
        | ExprKind::Bool(_)
        | ExprKind::None
        | ExprKind::Ellipsis
        | ExprKind::Name(_)
        | ExprKind::Slice { .. }
        | ExprKind::Tuple(_)
        | ExprKind::List(_)
        | ExprKind::Dict(_)
        | ExprKind::Comprehension { .. }
        | ExprKind::Starred(_)
        | ExprKind::Error => Level::Atom,
    }
}

impl Printer<'_> {
    /// Prints `id` where something that binds at least as tightly as `least` must stand.
    pub(super) fn expr(&mut self, id: ExprId, least: Level) {
        let module = self.module;
        let kind = module.kind(id);
        if level(kind) < least {
            self.push("(");
            self.kind(kind);
            self.push(")");
        } else {
            self.kind(kind);
        }
    }

    /// Prints `id`, a tuple without brackets if it is one and may be.
    pub(super) fn bare(&mut self, id: ExprId, least: Level) {
        let module = self.module;
        if let ExprKind::Tuple(items) = module.kind(id)
            && !items.is_empty()
        {
            self.tuple_items(items, least);
        } else {
            self.expr(id, least);
        }
    }

    fn tuple_items(&mut self, items: &[ExprId], least: Level) {
        self.items(items, least);
        self.push(if items.len() == 1 { "," } else { "" });
    }

    fn items(&mut self, items: &[ExprId], least: Level) {
        for (at, item) in items.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.expr(*item, least);
        }
    }

    fn kind(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Int(value) => self.push(&value.to_string()),
            ExprKind::Float(value) if value.is_infinite() => self.push("1e999"),
            ExprKind::Float(value) => self.push(&format!("{value:?}")),
            ExprKind::Str(value) => self.string(value),
            ExprKind::FString(parts) => self.f_string(parts),
            ExprKind::Bool(value) => self.push(if *value { "True" } else { "False" }),
            ExprKind::None => self.push("None"),
            ExprKind::Ellipsis => self.push("..."),
            ExprKind::Name(name) => self.push(name),
            ExprKind::Attribute { value, attr } => self.attribute(*value, &attr.name),
            ExprKind::Call { func, args } => self.call(*func, args),
            ExprKind::Subscript { value, index } => self.subscript(*value, *index),
            ExprKind::Slice { lower, upper, step } => self.slice(*lower, *upper, *step),
            ExprKind::Unary { op, operand } => self.unary(*op, *operand),
            ExprKind::Binary { op, left, right } => {
                let (_, left_level, right_level) = binary_levels(*op);
                self.expr(*left, left_level);
                self.push(&format!(" {} ", op.text()));
                self.expr(*right, right_level);
            }
            ExprKind::Compare { first, rest } => {
                self.expr(*first, Level::BitOr);
                for (op, operand) in rest {
                    self.push(&format!(" {} ", op.text()));
                    self.expr(*operand, Level::BitOr);
                }
            }
            ExprKind::BoolOp { op, operands } => self.bool_op(*op, operands),
            ExprKind::IfElse { condition, then, otherwise } => {
                self.expr(*then, Level::Or);
                self.push(" if ");
                self.expr(*condition, Level::Or);
                self.push(" else ");
                self.expr(*otherwise, Level::Conditional);
            }
            ExprKind::Tuple(items) => {
                self.in_brackets("(", ")", |it| it.tuple_items(items, Level::Named))
            }
            ExprKind::List(items) => self.in_brackets("[", "]", |it| it.items(items, Level::Named)),
            ExprKind::Dict(pairs) => self.in_brackets("{", "}", |it| it.pairs(pairs)),
            ExprKind::Lambda { params, body } => self.lambda(params, *body),
            ExprKind::Comprehension { kind, element, clauses } => {
                self.comprehension(*kind, *element, clauses);
            }
            ExprKind::Starred(value) => {
                self.push("*");
                self.expr(*value, Level::BitOr);
            }
            ExprKind::Walrus { target, value } => {
                self.push(&format!("{} := ", target.name));
                self.expr(*value, Level::Conditional);
            }
            ExprKind::Error => self.push("<error>"),
        }
    }

    fn in_brackets(&mut self, open: &str, close: &str, body: impl FnOnce(&mut Self)) {
        self.push(open);
        body(self);
        self.push(close);
    }

    fn string(&mut self, value: &str) {
        let inside = !self.quotes.is_empty();
        let quote = self.quotes.last().copied().unwrap_or("\"");
        let literal = text::literal(value, quote, inside);
        self.push(&literal);
    }

    fn attribute(&mut self, value: ExprId, attr: &str) {
        // `1.x` would be read as a number.
        let number = matches!(self.module.kind(value), ExprKind::Int(_) | ExprKind::Float(_));
        self.push(if number { "(" } else { "" });
        self.expr(value, Level::Postfix);
        self.push(if number { ")." } else { "." });
        self.push(attr);
    }

    fn subscript(&mut self, value: ExprId, index: ExprId) {
        self.expr(value, Level::Postfix);
        let module = self.module;
        let starred = |id: &ExprId| matches!(module.kind(*id), ExprKind::Starred(_));
        let bracketed =
            matches!(module.kind(index), ExprKind::Tuple(items) if items.iter().any(starred));
        self.in_brackets("[", "]", |it| {
            if bracketed { it.expr(index, Level::Named) } else { it.bare(index, Level::Named) }
        });
    }

    fn slice(&mut self, lower: Option<ExprId>, upper: Option<ExprId>, step: Option<ExprId>) {
        for (mark, part) in [("", lower), (":", upper)] {
            self.push(mark);
            part.into_iter().for_each(|id| self.expr(id, Level::Conditional));
        }
        if let Some(step) = step {
            self.push(":");
            self.expr(step, Level::Conditional);
        }
    }

    fn call(&mut self, func: ExprId, args: &[Arg]) {
        self.expr(func, Level::Postfix);
        let module = self.module;
        if let [Arg { kind: ArgKind::Positional, value, .. }] = args
            && let ExprKind::Comprehension { kind: ComprehensionKind::Generator, .. } =
                module.kind(*value)
        {
            // Its own brackets are the call's.
            self.expr(*value, Level::Named);
            return;
        }
        self.in_brackets("(", ")", |it| it.args(args));
    }

    fn args(&mut self, args: &[Arg]) {
        for (at, arg) in args.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            match &arg.kind {
                ArgKind::Positional => {}
                ArgKind::Keyword(name) => self.push(&format!("{}=", name.name)),
                ArgKind::Star => self.push("*"),
                ArgKind::DoubleStar => self.push("**"),
            }
            let named = matches!(arg.kind, ArgKind::Positional);
            self.expr(arg.value, if named { Level::Named } else { Level::Conditional });
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: ExprId) {
        let not = op == UnaryOp::Not;
        self.push(op.text());
        self.push(if not { " " } else { "" });
        self.expr(operand, if not { Level::Not } else { Level::Factor });
    }

    fn bool_op(&mut self, op: BoolOp, operands: &[ExprId]) {
        let inner = if op == BoolOp::Or { Level::And } else { Level::Not };
        for (at, operand) in operands.iter().enumerate() {
            if at > 0 {
                self.push(&format!(" {} ", op.text()));
            }
            self.expr(*operand, inner);
        }
    }

    fn lambda(&mut self, params: &[Param], body: ExprId) {
        self.push(if params.is_empty() { "lambda" } else { "lambda " });
        self.params(params);
        self.push(": ");
        self.expr(body, Level::Conditional);
    }

    fn comprehension(&mut self, kind: ComprehensionKind, element: ExprId, clauses: &[Clause]) {
        let (open, close) = match kind {
            ComprehensionKind::List => ("[", "]"),
            ComprehensionKind::Generator => ("(", ")"),
            ComprehensionKind::Dict | ComprehensionKind::Set => ("{", "}"),
        };
        self.push(open);
        let module = self.module;
        if let ExprKind::Tuple(pair) = module.kind(element)
            && let ([key, value], ComprehensionKind::Dict) = (pair.as_slice(), kind)
        {
            self.pair(*key, *value);
        } else {
            self.expr(element, Level::Named);
        }
        self.clauses(clauses);
        self.push(close);
    }

    fn pairs(&mut self, pairs: &[(ExprId, ExprId)]) {
        for (at, (key, value)) in pairs.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.pair(*key, *value);
        }
    }

    fn pair(&mut self, key: ExprId, value: ExprId) {
        self.expr(key, Level::Conditional);
        self.push(": ");
        self.expr(value, Level::Conditional);
    }

    fn clauses(&mut self, clauses: &[Clause]) {
        for clause in clauses {
            self.push(" for ");
            self.bare(clause.target, Level::BitOr);
            self.push(" in ");
            self.expr(clause.iter, Level::Or);
            for condition in &clause.conditions {
                self.push(" if ");
                self.expr(*condition, Level::Or);
            }
        }
    }

    // ---- f-strings ---------------------------------------------------------------------

    fn f_string(&mut self, parts: &[FStringPart]) {
        let outer = self.quotes;
        let inside = !outer.is_empty();
        let height = 1 + parts.iter().map(|part| self.part_height(part)).max().unwrap_or(0);
        let available: &[&str] = match (inside, height) {
            (true, _) => outer,
            (false, 1) => &["\""],
            (false, _) => QUOTES,
        };
        let own = available.len().saturating_sub(height);
        let quote = available.get(own).copied().unwrap_or("'");
        self.quotes = available.get(own + 1..).filter(|rest| !rest.is_empty()).unwrap_or(&["'"]);
        self.push("f");
        self.push(quote);
        for part in parts {
            match part {
                FStringPart::Text(value) => {
                    let doubled = value.replace('{', "{{").replace('}', "}}");
                    let escaped = text::escaped(&doubled, quote, inside);
                    self.push(&escaped);
                }
                FStringPart::Value { value, spec } => self.value(*value, spec.as_deref(), quote),
            }
        }
        self.push(quote);
        self.quotes = outer;
    }

    fn value(&mut self, value: ExprId, spec: Option<&str>, quote: &str) {
        self.push("{");
        let begins = self.out.len();
        // Brackets keep the colon of a lambda from being taken for the format's.
        self.expr(value, Level::Or);
        if self.out.get(begins..).is_some_and(|text| text.starts_with('{')) {
            self.out.insert(begins, ' ');
        }
        if let Some(spec) = spec {
            self.push(":");
            let escaped = text::escaped(spec, quote, true);
            self.push(&escaped);
        }
        self.push("}");
    }

    /// How many strings nest in a part.
    fn part_height(&self, part: &FStringPart) -> usize {
        match part {
            FStringPart::Text(_) => 0,
            FStringPart::Value { value, .. } => self.height(*value),
        }
    }

    fn height(&self, id: ExprId) -> usize {
        let kind = self.module.kind(id);
        let mut inner = 0;
        kind.each_child(&mut |child| inner = inner.max(self.height(child)));
        inner + usize::from(matches!(kind, ExprKind::Str(_) | ExprKind::FString(_)))
    }
}
