//! Properties of the front end on random input: any tree prints to text that parses back to it;
//! any text at all is parsed without a panic, with every span inside it.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::arena::Arena;
use kbc::diag::Sink;
use kbc::source::{FileId, Span};
use kbc::syntax::ast::*;
use kbc::syntax::{ast_eq, parse, printer, tokens};
use proptest::prelude::*;

/// Makes a tree out of bytes; when they run out, only leaves are made.
struct Maker<'b> {
    bytes: std::slice::Iter<'b, u8>,
    exprs: Arena<ExprId, Expr>,
    /// How many f-strings and strings may still nest here.
    strings: u32,
}

const NAMES: &[&str] = &["x", "acc", "größe", "_", "match", "type", "x2", "N", "print", "值"];
const TEXT: &[&str] =
    &["a", " ", "\n", "\\", "\"", "'", "{", "}", "\t", "\r", "é", "😀", "#", "%", "\0", "\u{7f}"];
const SPECS: &[&str] = &["", ">4", ".3f", "'", "\"", "\\n", "x:y", "!"];

impl Maker<'_> {
    fn next(&mut self, choices: usize) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte) % choices)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next(from.len())]
    }

    fn many<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.next(most + 1);
        (0..count).map(|_| make(self)).collect()
    }

    fn some<T>(&mut self, make: impl FnMut(&mut Self) -> T) -> Option<T> {
        self.many(1, make).pop()
    }

    fn add(&mut self, kind: ExprKind) -> ExprId {
        self.exprs.push(Expr { kind, span: Span::NONE })
    }

    fn ident(&mut self) -> Ident {
        Ident { name: self.pick(NAMES).to_owned(), span: Span::NONE }
    }

    fn text(&mut self) -> String {
        (0..self.next(5)).map(|_| self.pick(TEXT)).collect()
    }

    fn expr(&mut self) -> ExprId {
        let kind = match self.next(24) {
            0 | 1 => ExprKind::Name(self.pick(NAMES).to_owned()),
            2 => ExprKind::Int(self.pick(&[0, 7, 255, i128::MAX])),
            3 => ExprKind::Float(self.pick(&[0.0, 0.1, 1.0, 1e300, 5e-324, f64::INFINITY])),
            4 => self.string(),
            5 => [ExprKind::None, ExprKind::Ellipsis][self.next(2)].clone(),
            6 => ExprKind::Bool(self.pick(&[true, false])),
            7 => self.attribute(),
            8 | 9 => self.call(),
            10 | 11 => self.subscript(),
            12 => ExprKind::Unary {
                op: self.pick(&[UnaryOp::Neg, UnaryOp::Pos, UnaryOp::Invert, UnaryOp::Not]),
                operand: self.expr(),
            },
            13 | 14 => self.binary(),
            15 => self.compare(),
            16 => self.bool_op(),
            17 => ExprKind::IfElse {
                condition: self.expr(),
                then: self.expr(),
                otherwise: self.expr(),
            },
            18 => ExprKind::Tuple(self.items()),
            19 => ExprKind::List(self.items()),
            20 => ExprKind::Dict(self.many(3, |it| (it.expr(), it.expr()))),
            21 => ExprKind::Lambda { params: self.params(false), body: self.expr() },
            22 => self.comprehension(),
            _ => ExprKind::Walrus { target: self.ident(), value: self.expr() },
        };
        self.add(kind)
    }

    fn string(&mut self) -> ExprKind {
        if self.strings == 0 {
            return ExprKind::None;
        }
        if self.next(2) == 0 {
            return ExprKind::Str(self.text());
        }
        self.strings -= 1;
        let mut parts = Vec::new();
        for _ in 0..self.next(4) {
            let text = self.text();
            let after_text = matches!(parts.last(), Some(FStringPart::Text(_)));
            if self.next(2) == 0 && !after_text && !text.is_empty() {
                parts.push(FStringPart::Text(text));
            } else {
                let spec = self.some(|it| it.pick(SPECS).to_owned());
                parts.push(FStringPart::Value { value: self.expr(), spec });
            }
        }
        self.strings += 1;
        ExprKind::FString(parts)
    }

    fn attribute(&mut self) -> ExprKind {
        ExprKind::Attribute { value: self.expr(), attr: self.ident() }
    }

    fn subscript(&mut self) -> ExprKind {
        let value = self.expr();
        let index = if self.next(3) == 0 {
            let items = self.many(3, Self::index_item);
            self.add(ExprKind::Tuple(items))
        } else {
            self.index_item()
        };
        ExprKind::Subscript { value, index }
    }

    fn index_item(&mut self) -> ExprId {
        if self.next(2) == 0 {
            return self.expr();
        }
        let (lower, upper, step) =
            (self.some(Self::expr), self.some(Self::expr), self.some(Self::expr));
        self.add(ExprKind::Slice { lower, upper, step })
    }

    fn binary(&mut self) -> ExprKind {
        use BinaryOp::*;
        let op = self.pick(&[
            Add, Sub, Mul, Div, FloorDiv, Mod, Pow, MatMul, BitAnd, BitOr, BitXor, Shl, Shr,
        ]);
        ExprKind::Binary { op, left: self.expr(), right: self.expr() }
    }

    fn compare(&mut self) -> ExprKind {
        use CompareOp::*;
        let first = self.expr();
        let count = 1 + self.next(3);
        let op = &[Lt, Le, Gt, Ge, Eq, Ne, Is, IsNot, In, NotIn];
        ExprKind::Compare {
            first,
            rest: (0..count).map(|_| (self.pick(op), self.expr())).collect(),
        }
    }

    fn bool_op(&mut self) -> ExprKind {
        let op = self.pick(&[BoolOp::And, BoolOp::Or]);
        let count = 2 + self.next(2);
        ExprKind::BoolOp { op, operands: (0..count).map(|_| self.expr()).collect() }
    }

    fn items(&mut self) -> Vec<ExprId> {
        self.many(3, |it| {
            let item = it.expr();
            if it.next(4) == 1 { it.add(ExprKind::Starred(item)) } else { item }
        })
    }

    fn call(&mut self) -> ExprKind {
        let func = self.expr();
        let mut args = self.many(2, |it| it.arg(ArgKind::Positional));
        args.extend(self.some(|it| it.arg(ArgKind::Star)));
        let mut names: Vec<&str> = self.many(2, |it| it.pick(NAMES));
        names.dedup();
        for name in names {
            let name = Ident { name: name.to_owned(), span: Span::NONE };
            args.push(self.arg(ArgKind::Keyword(name)));
        }
        args.extend(self.some(|it| it.arg(ArgKind::DoubleStar)));
        ExprKind::Call { func, args }
    }

    fn arg(&mut self, kind: ArgKind) -> Arg {
        Arg { kind, value: self.expr(), span: Span::NONE }
    }

    fn comprehension(&mut self) -> ExprKind {
        use ComprehensionKind::*;
        let kind = self.pick(&[List, Generator, Dict, Set]);
        let mut element = self.expr();
        if kind == Dict {
            let value = self.expr();
            element = self.add(ExprKind::Tuple(vec![element, value]));
        }
        let count = 1 + self.next(2);
        let clauses = (0..count)
            .map(|_| Clause {
                target: self.target(),
                iter: self.expr(),
                conditions: self.many(2, Self::expr),
            })
            .collect();
        ExprKind::Comprehension { kind, element, clauses }
    }

    fn single_target(&mut self) -> ExprId {
        let kind = match self.next(4) {
            1 => self.attribute(),
            2 => self.subscript(),
            _ => ExprKind::Name(self.pick(NAMES).to_owned()),
        };
        self.add(kind)
    }

    fn target(&mut self) -> ExprId {
        if self.next(3) != 1 {
            return self.single_target();
        }
        let mut items = self.many(3, Self::target);
        let starred = self.next(4);
        if let Some(item) = items.get_mut(starred) {
            *item = self.add(ExprKind::Starred(*item));
        }
        let list = self.next(2) == 1;
        self.add(if list { ExprKind::List(items) } else { ExprKind::Tuple(items) })
    }

    fn params(&mut self, annotated: bool) -> Vec<Param> {
        let mut params: Vec<Param> = Vec::new();
        for name in self.many(4, |it| it.pick(NAMES)) {
            if params.iter().any(|param| param.name.name == name) {
                continue;
            }
            let variadic = self.next(4) == 1 && !params.iter().any(|param| param.variadic);
            let after_star = params.iter().any(|param| param.variadic);
            let needed = params.iter().any(|param| param.default.is_some()) && !after_star;
            let annotation = if annotated { self.some(Self::expr) } else { None };
            let default = if needed || self.next(2) == 1 { Some(self.expr()) } else { None };
            params.push(Param {
                name: Ident { name: name.to_owned(), span: Span::NONE },
                variadic,
                annotation,
                default: default.filter(|_| !variadic),
            });
        }
        params
    }

    fn block(&mut self, depth: usize) -> Vec<Stmt> {
        let count = 1 + self.next(3);
        (0..count).map(|_| self.stmt(depth)).collect()
    }

    fn otherwise(&mut self, depth: usize) -> Vec<Stmt> {
        self.some(|it| it.block(depth)).unwrap_or_default()
    }

    fn stmt(&mut self, depth: usize) -> Stmt {
        let kind = match self.next(if depth < 3 { 18 } else { 13 }) {
            0 => StmtKind::Pass,
            1 => StmtKind::Break,
            2 => StmtKind::Continue,
            3 => StmtKind::Expr(self.expr()),
            4 => StmtKind::Expr(self.items_tuple()),
            5 | 6 => StmtKind::Assign {
                targets: {
                    let count = 1 + self.next(2);
                    (0..count).map(|_| self.target()).collect()
                },
                value: self.expr(),
            },
            7 => StmtKind::AugAssign {
                target: self.single_target(),
                op: self.pick(&[BinaryOp::Add, BinaryOp::Pow, BinaryOp::Shr, BinaryOp::MatMul]),
                value: self.expr(),
            },
            8 => StmtKind::AnnAssign {
                target: self.single_target(),
                annotation: self.expr(),
                value: self.some(Self::expr),
            },
            9 => StmtKind::Return(self.some(Self::expr)),
            10 => StmtKind::Assert { condition: self.expr(), message: self.some(Self::expr) },
            11 => StmtKind::Import(vec![self.import(&["a", "a.b", "tl.math"])]),
            12 => StmtKind::ImportFrom {
                module: Ident {
                    name: self.pick(&["ccl", ".", "..a.b", "x.y", "...z"]).into(),
                    span: Span::NONE,
                },
                names: vec![self.import(NAMES), self.import(NAMES)],
            },
            13 => StmtKind::If {
                branches: {
                    let count = 1 + self.next(2);
                    (0..count).map(|_| (self.expr(), self.block(depth + 1))).collect()
                },
                otherwise: self.otherwise(depth + 1),
            },
            14 => StmtKind::For {
                target: self.target(),
                iter: self.items_tuple(),
                body: self.block(depth + 1),
                otherwise: self.otherwise(depth + 1),
            },
            15 => StmtKind::While {
                condition: self.expr(),
                body: self.block(depth + 1),
                otherwise: self.otherwise(depth + 1),
            },
            _ => StmtKind::Function(Box::new(self.function(depth))),
        };
        Stmt { kind, span: Span::NONE }
    }

    fn function(&mut self, depth: usize) -> Function {
        Function {
            name: self.ident(),
            decorators: self.many(2, Self::expr),
            params: self.params(true),
            returns: self.some(Self::expr),
            body: self.block(depth + 1),
            header: Span::NONE,
        }
    }

    fn items_tuple(&mut self) -> ExprId {
        let items = self.items();
        self.add(ExprKind::Tuple(items))
    }

    fn import(&mut self, names: &[&str]) -> ImportName {
        let name = Ident { name: self.pick(names).to_owned(), span: Span::NONE };
        ImportName { name, alias: self.some(Self::ident) }
    }
}

fn tree(bytes: &[u8]) -> Module {
    let mut maker = Maker { bytes: bytes.iter(), exprs: Arena::new(), strings: 4 };
    let mut body = Vec::new();
    while maker.bytes.len() > 0 {
        body.push(maker.stmt(0));
    }
    Module { file: FileId(0), exprs: maker.exprs, body }
}

/// Parses anything, and checks what must hold of any text.
fn check(text: &str) {
    let file = FileId(0);
    let mut sink = Sink::new();
    let module = parse(file, text, &mut sink);
    let inside =
        |span: Span| span.is_none() || text.get(span.start as usize..span.end as usize).is_some();
    for expr in module.exprs.values() {
        assert!(inside(expr.span), "{:?} of {:?}", expr.span, expr.kind);
    }
    for diagnostic in sink.diagnostics() {
        let labels = diagnostic.primary.iter().chain(&diagnostic.secondary);
        assert!(labels.map(|label| label.span).all(inside), "{diagnostic:?}");
        assert!(diagnostic.suggestions.iter().all(|it| inside(it.span)), "{diagnostic:?}");
        assert!(!diagnostic.message.is_empty() && diagnostic.primary.is_some());
    }
    let refused = module.exprs.values().any(|expr| expr.kind == ExprKind::Error);
    assert!(!refused || sink.has_errors(), "an error node without an error");
    tokens(file, text, &mut Sink::new());
    let printed = printer::print(&module);
    if !sink.has_errors() {
        let mut sink = Sink::new();
        let again = parse(file, &printed, &mut sink);
        assert!(!sink.has_errors(), "{text}\n--- printed:\n{printed}\n{:?}", sink.diagnostics());
        assert!(ast_eq(&module, &again), "{text}\n--- printed:\n{printed}");
    }
}

const SOUP: &[&str] = &[
    "def ",
    "f",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "=",
    "==",
    "\n",
    "\n    ",
    "\n\t",
    "\n  ",
    "if ",
    "elif ",
    "else",
    "for ",
    " in ",
    "while ",
    "return ",
    "lambda ",
    "not ",
    " and ",
    " or ",
    "x",
    "tl",
    ".",
    "...",
    "1",
    "0x1f",
    "1.",
    "1e",
    "'s'",
    "\"",
    "'",
    "\"\"\"",
    "f'{x}'",
    "f'{",
    "#c\n",
    "\\\n",
    "*",
    "**",
    "/",
    "//",
    "@",
    "@jit\n",
    "+",
    "-",
    "~",
    ":=",
    "->",
    "+=",
    ";",
    "import ",
    "from ",
    " as ",
    "class ",
    "try:",
    "except:",
    "with ",
    "raise ",
    "yield ",
    "await ",
    "async ",
    "match x:",
    "&&",
    "||",
    "!",
    "?",
    "===",
    "++",
    "\r\n",
    "\r",
    "é",
    "×",
    "\u{a0}",
    "\u{feff}",
    "\0",
    "$",
    "😀",
    "pass",
    "break",
    "None",
    "True",
    "is ",
    "assert ",
    "global x",
    "del x",
    "else if x:",
    "{\n",
    "}\n",
    "let x = 1",
];

const PROGRAM: &str = r#"
"""A program that has a bit of everything."""
from ccl import ring as r, mesh

@triton.jit
@autotune(configs=[{"BLOCK": 2 ** i} for i in range(3) if i % 2], key=lambda n, *rest: n)
def kernel(t_ptr, n_elem: tl.constexpr = 0x10, *extra, tl) -> None:
    acc, (low, *high) = tl.load(t_ptr + 1, shape=(n_elem,), dtype="f16"), [1, 2.5e-3, .5]
    for step, _ in tl.range(0, n_elem - 1, num_stages=2):
        if step < 2 <= n_elem and not low or step is not None:
            acc += tl.recv(dir="W", shape=(n_elem,), dtype='f16')  # forward
        elif (k := step) in high: continue
        else:
            acc[..., None, 1:2, ::3] = -acc @ acc if k else acc
    while True: break
    assert n_elem > 0, f"{n_elem:>4} is {'none'} " \
        "of them {{}}"
    tl.store(t_ptr, acc)
"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_trees_parse_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let module = tree(&bytes);
        let text = printer::print(&module);
        let mut sink = Sink::new();
        let again = parse(FileId(0), &text, &mut sink);
        prop_assert!(!sink.has_errors(), "{text}\n{:#?}", sink.diagnostics());
        prop_assert!(ast_eq(&module, &again), "{text}\n--- again:\n{}", printer::print(&again));
        prop_assert_eq!(printer::print(&again), text);
    }

    #[test]
    fn token_soup_never_panics(pieces in prop::collection::vec(prop::sample::select(SOUP), 0..60)) {
        check(&pieces.concat());
    }

    #[test]
    fn any_text_never_panics(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn mutated_programs_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(SOUP)), 1..6)
    ) {
        let mut letters: Vec<char> = PROGRAM.chars().collect();
        for (place, length, piece) in edits {
            let at = place.index(letters.len() + 1);
            let end = (at + length).min(letters.len());
            letters.splice(at..end, piece.chars());
        }
        check(&letters.into_iter().collect::<String>());
    }

    #[test]
    fn programs_cut_anywhere_never_panic(cut in any::<prop::sample::Index>()) {
        let at = cut.index(PROGRAM.len());
        check(PROGRAM.get(..at).unwrap_or(""));
        check(PROGRAM.get(at..).unwrap_or(""));
    }
}
