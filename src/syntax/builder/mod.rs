//! Builds the tree for the grammar's actions, and checks what the grammar leaves open.
//!
//! The grammar is wider than the language: any expression may stand left of `=`, parameters come
//! in any order, `*` stands anywhere in a list. The builder narrows it with messages of its own.
//! It also counts depth: an expression nested deeper than [`MAX_DEPTH`] becomes
//! [`ExprKind::Error`], together with everything that holds it, and is reported once.

mod arguments;
mod displays;
mod literals;
mod statements;
mod targets;

use std::convert::Infallible;

use super::ast::UnaryOp;
use super::ast::{BinaryOp, BoolOp, CompareOp, Expr, ExprId, ExprKind, Ident, MAX_DEPTH, Stmt};
use super::faults::Faults;
use super::mistakes::{self, Failure};
use super::parser::TopParser;
use super::token::{Kind, Token};
use crate::arena::Arena;
use crate::diag::syntax::{LONE_STAR, TOO_DEEP};
use crate::source::Span;

/// The depth of what was refused for its depth, and of all that holds it.
const REFUSED_DEPTH: u16 = u16::MAX;

/// An expression on the parser's stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The expression.
    pub(super) id: ExprId,
    /// Its first byte, that of brackets around it included.
    pub(super) start: u32,
    /// One past its last byte.
    pub(super) end: u32,
    /// How many expressions nest in it, itself included.
    pub(super) depth: u16,
}

/// Expressions between commas.
#[derive(Debug)]
pub(super) struct Listed {
    /// At least one.
    pub(super) items: Vec<Node>,
    /// The comma after the last, which makes one item a tuple.
    pub(super) comma: Option<Token>,
}

/// An argument of a call.
#[derive(Debug)]
pub(super) struct ArgNode {
    pub(super) arg: super::ast::Arg,
    /// The depth of its value.
    pub(super) depth: u16,
    /// Whether it is a comprehension without brackets of its own.
    pub(super) bare_generator: bool,
}

/// A parameter; nothing where it was refused.
#[derive(Debug)]
pub(super) struct ParamNode {
    pub(super) param: Option<super::ast::Param>,
    /// The depth of its annotation and default.
    pub(super) depth: u16,
    /// Whether it is the refused `*` after which parameters are passed by name only.
    pub(super) by_name: bool,
}

/// A `for` clause of a comprehension.
#[derive(Debug)]
pub(super) struct ClauseNode {
    pub(super) clause: super::ast::Clause,
    /// The depth of its deepest part.
    pub(super) depth: u16,
}

/// What stands between the commas of braces.
#[derive(Debug)]
pub(super) enum BraceItem {
    /// `key: value`, an item of a dict.
    Pair(Node, Node),
    /// `**value`, from its star.
    Splat(Token, Node),
    /// One expression, an item of a set.
    Single(Node),
    /// What did not parse.
    Lost,
}

/// A header with one expression, from its keyword to its colon.
#[derive(Debug)]
pub(super) struct Head {
    /// From the keyword to the colon.
    pub(super) span: Span,
    /// Its expression.
    pub(super) condition: Node,
}

/// The header of an `except`.
#[derive(Debug)]
pub(super) struct ExceptHead {
    /// From the keyword to the colon.
    pub(super) span: Span,
    /// What it catches.
    pub(super) kinds: Option<Node>,
    /// What it is called.
    pub(super) name: Option<Ident>,
}

/// The header of a `for`.
#[derive(Debug)]
pub(super) struct ForHead {
    /// From the keyword to the colon.
    pub(super) span: Span,
    /// What is bound.
    pub(super) target: Node,
    /// What is walked.
    pub(super) iter: Node,
}

/// The header of a `def`, with its decorators: the function without its body. Boxed, for the
/// parser's stack has room for the largest of its symbols in every entry.
pub(super) type DefHead = Box<super::ast::Function>;

/// What a parse yields.
#[derive(Debug)]
pub(super) enum Top {
    /// The statements of a file.
    Module(Vec<Stmt>),
    /// The expression in the braces of an f-string.
    Fragment(Node),
}

/// Text that did not parse, as LALRPOP hands it over.
pub(super) type Lost = lalrpop_util::ErrorRecovery<u32, Token, Infallible>;

/// The tree under construction.
pub(super) struct Builder<'t> {
    text: &'t str,
    faults: Faults<'t>,
    exprs: Arena<ExprId, Expr>,
    failures: Vec<Failure>,
}

impl<'t> Builder<'t> {
    /// Nothing built yet.
    pub(super) fn new(text: &'t str, faults: Faults<'t>) -> Builder<'t> {
        Builder { text, faults, exprs: Arena::new(), failures: Vec::new() }
    }

    /// Parses the tokens of a whole file.
    pub(super) fn module(mut self, tokens: &[Token]) -> (Arena<ExprId, Expr>, Vec<Stmt>) {
        let body = match self.run(tokens) {
            Some(Top::Module(body)) => body,
            Some(Top::Fragment(_)) | None => Vec::new(),
        };
        (self.exprs, body)
    }

    /// Runs the generated parser over `tokens` and says what went wrong.
    fn run(&mut self, tokens: &[Token]) -> Option<Top> {
        let outer = std::mem::take(&mut self.failures);
        let located = (0..).zip(tokens).map(|(at, token)| (at, *token, at + 1));
        let top = match TopParser::new().parse(self, located) {
            Ok(top) => Some(top),
            Err(error) => {
                self.failures.push(Failure::new(error, None));
                None
            }
        };
        let failures = std::mem::replace(&mut self.failures, outer);
        mistakes::explain(self.text, tokens, failures, &mut self.faults);
        top
    }

    fn span(&self, start: u32, end: u32) -> Span {
        self.faults.span(start, end)
    }

    /// Adds an expression over bytes `start..end` whose parts nest `inner` deep.
    fn node(&mut self, kind: ExprKind, (start, end): (u32, u32), inner: u16) -> Node {
        let span = self.span(start, end);
        let deep = u32::from(inner) >= MAX_DEPTH;
        if deep && inner != REFUSED_DEPTH && !self.faults.any_within(start, end) {
            let message = format!("expressions nest deeper than {MAX_DEPTH} levels");
            let label = "this expression holds too many others inside each other";
            let place = (start, end);
            let diagnostic = self.faults.at(TOO_DEEP, place, message, label);
            self.faults.report(diagnostic.help("give parts of it names of their own"));
        }
        let (kind, depth) = if deep { (ExprKind::Error, REFUSED_DEPTH) } else { (kind, inner + 1) };
        Node { id: self.exprs.push(Expr { kind, span }), start, end, depth }
    }

    /// An expression that was refused.
    fn error_node(&mut self, start: u32, end: u32) -> Node {
        self.node(ExprKind::Error, (start, end), 0)
    }

    fn kind(&self, node: Node) -> &ExprKind {
        &self.exprs[node.id].kind
    }

    // ---- What did not parse ------------------------------------------------------------

    /// Notes the error and stands in for what was lost.
    pub(super) fn lost(&mut self, lost: Lost) -> Node {
        let resumed = lost.dropped_tokens.last().map(|(_, _, after)| *after);
        let first = lost.dropped_tokens.first().map(|(_, token, _)| *token);
        let last = lost.dropped_tokens.last().map(|(_, token, _)| *token);
        let failure = Failure::new(lost.error, resumed);
        let start = first.map_or(failure.start, |token| token.start);
        let end = last.map_or(start, |token| token.end).max(start);
        self.failures.push(failure);
        self.error_node(start, end)
    }

    // ---- Names -------------------------------------------------------------------------

    /// The identifier that `token` spells.
    pub(super) fn ident(&mut self, token: Token) -> Ident {
        let name = token.text(self.text).to_owned();
        Ident { name, span: self.span(token.start, token.end) }
    }

    /// A name as an expression.
    pub(super) fn name(&mut self, token: Token) -> Node {
        let name = token.text(self.text).to_owned();
        self.node(ExprKind::Name(name), (token.start, token.end), 0)
    }

    // ---- Operators ---------------------------------------------------------------------

    /// `left op right`.
    pub(super) fn binary(&mut self, op: BinaryOp, left: Node, right: Node) -> Node {
        let kind = ExprKind::Binary { op, left: left.id, right: right.id };
        self.node(kind, (left.start, right.end), left.depth.max(right.depth))
    }

    /// `op operand`.
    pub(super) fn unary(&mut self, token: Token, op: UnaryOp, operand: Node) -> Node {
        let kind = ExprKind::Unary { op, operand: operand.id };
        self.node(kind, (token.start, operand.end), operand.depth)
    }

    /// `a and b and …`.
    pub(super) fn bool_op(&mut self, op: BoolOp, first: Node, rest: Vec<Node>) -> Node {
        let mut operands = vec![first];
        operands.extend(rest);
        let (place, inner) = extent(&operands);
        let kind = ExprKind::BoolOp { op, operands: ids(&operands) };
        self.node(kind, place, inner)
    }

    /// `a < b <= …`.
    pub(super) fn compare(&mut self, first: Node, rest: Vec<(CompareOp, Node)>) -> Node {
        let end = rest.last().map_or(first.end, |(_, node)| node.end);
        let inner = rest.iter().map(|(_, node)| node.depth).fold(first.depth, u16::max);
        let rest = rest.into_iter().map(|(op, node)| (op, node.id)).collect();
        self.node(ExprKind::Compare { first: first.id, rest }, (first.start, end), inner)
    }

    /// The operator that a comparison token spells.
    pub(super) fn comparison(&mut self, token: Token) -> CompareOp {
        match token.text(self.text) {
            "<" => CompareOp::Lt,
            "<=" => CompareOp::Le,
            ">" => CompareOp::Gt,
            ">=" => CompareOp::Ge,
            "!=" | "<>" | "!==" => CompareOp::Ne,
            _ => CompareOp::Eq,
        }
    }

    /// `then if condition else otherwise`.
    pub(super) fn if_else(&mut self, then: Node, condition: Node, otherwise: Node) -> Node {
        let inner = then.depth.max(condition.depth).max(otherwise.depth);
        let kind =
            ExprKind::IfElse { condition: condition.id, then: then.id, otherwise: otherwise.id };
        self.node(kind, (then.start, otherwise.end), inner)
    }

    /// `name := value`.
    pub(super) fn walrus(&mut self, name: Token, value: Node) -> Node {
        let target = self.ident(name);
        let kind = ExprKind::Walrus { target, value: value.id };
        self.node(kind, (name.start, value.end), value.depth)
    }

    /// `*value` in a list or a target.
    pub(super) fn starred(&mut self, star: Token, value: Node) -> Node {
        self.node(ExprKind::Starred(value.id), (star.start, value.end), value.depth)
    }

    /// Refuses a `*value` that stands in no list.
    fn lone_star(&mut self, node: Node) {
        if !matches!(self.kind(node), ExprKind::Starred(_)) {
            return;
        }
        let place = (node.start, node.end);
        let message = "a `*` unpacks only inside a list, a tuple or the arguments of a call";
        let diagnostic =
            self.faults.at(LONE_STAR, place, message, "there is nothing to unpack it into");
        self.faults.report(diagnostic.help("for a tuple of its items write a comma after it"));
    }

    // ---- Postfix -----------------------------------------------------------------------

    /// `value.attr`.
    pub(super) fn attribute(&mut self, value: Node, attr: Token) -> Node {
        let attr_ident = self.ident(attr);
        let kind = ExprKind::Attribute { value: value.id, attr: attr_ident };
        self.node(kind, (value.start, attr.end), value.depth)
    }

    /// `value[index]`.
    pub(super) fn subscript(&mut self, value: Node, index: Listed, close: Token) -> Node {
        let index = self.bare(index);
        let kind = ExprKind::Subscript { value: value.id, index: index.id };
        self.node(kind, (value.start, close.end), value.depth.max(index.depth))
    }

    /// `lower:upper:step`, from its colons.
    pub(super) fn slice(
        &mut self,
        lower: Option<Node>,
        colon: Token,
        upper: Option<Node>,
        stepped: Option<(Token, Option<Node>)>,
    ) -> Node {
        let step = stepped.and_then(|(_, step)| step);
        let parts = [lower, upper, step];
        let inner = parts.iter().flatten().map(|node| node.depth).max().unwrap_or(0);
        let second = stepped.map_or(colon, |(second, _)| second);
        let start = lower.map_or(colon.start, |node| node.start);
        let end = step.or(if stepped.is_some() { None } else { upper });
        let end = end.map_or(second.end, |node| node.end);
        let [lower, upper, step] = parts.map(|part| part.map(|node| node.id));
        self.node(ExprKind::Slice { lower, upper, step }, (start, end), inner)
    }

    /// Expressions without brackets of their own: the one, or a tuple.
    pub(super) fn bare(&mut self, listed: Listed) -> Node {
        let (place, inner) = extent(&listed.items);
        match (listed.items.as_slice(), listed.comma) {
            ([one], None) => {
                self.lone_star(*one);
                *one
            }
            (items, comma) => {
                let end = comma.map_or(place.1, |comma| comma.end);
                self.node(ExprKind::Tuple(ids(items)), (place.0, end), inner)
            }
        }
    }
}

/// The expressions of `nodes`.
fn ids(nodes: &[Node]) -> Vec<ExprId> {
    nodes.iter().map(|node| node.id).collect()
}

/// The bytes that `nodes` cover, and their greatest depth.
fn extent(nodes: &[Node]) -> ((u32, u32), u16) {
    let start = nodes.first().map_or(0, |node| node.start);
    let end = nodes.last().map_or(start, |node| node.end);
    ((start, end), nodes.iter().map(|node| node.depth).max().unwrap_or(0))
}

/// Whether `token` is one of the constants that spell themselves.
fn constant_kind(token: Token) -> ExprKind {
    let constants = [
        (Kind::True, ExprKind::Bool(true)),
        (Kind::False, ExprKind::Bool(false)),
        (Kind::None, ExprKind::None),
        (Kind::Ellipsis, ExprKind::Ellipsis),
    ];
    let found = constants.into_iter().find(|(kind, _)| *kind == token.kind);
    found.map_or(ExprKind::Error, |(_, constant)| constant)
}
