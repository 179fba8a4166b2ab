//! Statements.

use super::{Builder, DefHead, ExceptHead, ForHead, Head, Listed, Lost, Node, ParamNode, ids};
use crate::diag::syntax::{UNEXPECTED, UNSUPPORTED};
use crate::syntax::ast::{BinaryOp, Function, Handler, Ident, ImportName, Stmt, StmtKind};
use crate::syntax::token::Token;

/// The operators that `op=` takes.
const AUGMENTED: [BinaryOp; 13] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::FloorDiv,
    BinaryOp::Mod,
    BinaryOp::Pow,
    BinaryOp::MatMul,
    BinaryOp::BitAnd,
    BinaryOp::BitOr,
    BinaryOp::BitXor,
    BinaryOp::Shl,
    BinaryOp::Shr,
];

impl Builder<'_> {
    fn stmt(&self, kind: StmtKind, start: u32, end: u32) -> Stmt {
        Stmt { kind, span: self.span(start, end) }
    }

    /// What stands for a statement that did not parse.
    pub(in crate::syntax) fn lost_statement(&mut self, lost: Lost) -> Stmt {
        let node = self.lost(lost);
        self.stmt(StmtKind::Error, node.start, node.end)
    }

    /// An expression for its effect.
    pub(in crate::syntax) fn expression(&mut self, value: Node) -> Stmt {
        self.stmt(StmtKind::Expr(value.id), value.start, value.end)
    }

    /// A statement of one word.
    pub(in crate::syntax) fn word(&mut self, word: Token, kind: StmtKind) -> Stmt {
        self.stmt(kind, word.start, word.end)
    }

    /// `a = b = value`: `first`, then all that stands after an `=`.
    pub(in crate::syntax) fn assign(&mut self, first: Node, mut rest: Vec<Node>) -> Stmt {
        let value = rest.pop().unwrap_or(first);
        let mut targets = vec![first];
        targets.append(&mut rest);
        for target in &targets {
            self.check_assigned(*target);
        }
        let kind = StmtKind::Assign { targets: ids(&targets), value: value.id };
        self.stmt(kind, first.start, value.end)
    }

    /// `target op= value`.
    pub(in crate::syntax) fn aug_assign(&mut self, target: Node, op: Token, value: Node) -> Stmt {
        self.check_single(target, "changed in place");
        let kind = StmtKind::AugAssign { target: target.id, op: self.aug_op(op), value: value.id };
        self.stmt(kind, target.start, value.end)
    }

    fn aug_op(&self, token: Token) -> BinaryOp {
        let text = token.text(self.text);
        let spelt = |op: &BinaryOp| text.strip_suffix('=') == Some(op.text());
        // Only a mended `x++` is spelt otherwise; it was reported.
        AUGMENTED.into_iter().find(spelt).unwrap_or(BinaryOp::Add)
    }

    /// `target: annotation = value`.
    pub(in crate::syntax) fn ann_assign(
        &mut self,
        target: Node,
        annotation: Node,
        value: Option<Node>,
    ) -> Stmt {
        self.check_single(target, "given an annotation");
        let end = value.map_or(annotation.end, |value| value.end);
        let kind = StmtKind::AnnAssign {
            target: target.id,
            annotation: annotation.id,
            value: value.map(|node| node.id),
        };
        self.stmt(kind, target.start, end)
    }

    /// `return value`.
    pub(in crate::syntax) fn return_(&mut self, word: Token, value: Option<Node>) -> Stmt {
        let end = value.map_or(word.end, |value| value.end);
        self.stmt(StmtKind::Return(value.map(|node| node.id)), word.start, end)
    }

    /// `assert condition, message`.
    pub(in crate::syntax) fn assert(
        &mut self,
        word: Token,
        condition: Node,
        message: Option<Node>,
    ) -> Stmt {
        let end = message.unwrap_or(condition).end;
        let message = message.map(|node| node.id);
        self.stmt(StmtKind::Assert { condition: condition.id, message }, word.start, end)
    }

    /// `del targets`.
    pub(in crate::syntax) fn delete(&mut self, word: Token, targets: Listed) -> Stmt {
        for target in &targets.items {
            self.check_deleted(*target);
        }
        let end = targets.items.last().map_or(word.end, |node| node.end);
        self.stmt(StmtKind::Delete(ids(&targets.items)), word.start, end)
    }

    /// `raise exception from cause`.
    pub(in crate::syntax) fn raise(
        &mut self,
        word: Token,
        exception: Option<Node>,
        cause: Option<Node>,
    ) -> Stmt {
        let end = cause.or(exception).map_or(word.end, |node| node.end);
        let [exception, cause] = [exception, cause].map(|node| node.map(|node| node.id));
        self.stmt(StmtKind::Raise { exception, cause }, word.start, end)
    }

    // ---- Imports -----------------------------------------------------------------------

    /// `path.name`.
    pub(in crate::syntax) fn dotted(&mut self, mut path: Ident, name: Token) -> Ident {
        path.name.push('.');
        path.name.push_str(name.text(self.text));
        path.span = path.span.to(self.span(name.start, name.end));
        path
    }

    /// `.name`, with as many dots as are written.
    pub(in crate::syntax) fn relative(&mut self, dots: Token, name: Option<Ident>) -> Ident {
        let written = dots.text(self.text).chars().filter(|letter| *letter == '.');
        let mut letters: String = written.collect();
        let mut span = self.span(dots.start, dots.end);
        if let Some(name) = name {
            letters.push_str(&name.name);
            span = span.to(name.span);
        }
        Ident { name: letters, span }
    }

    /// `name as alias`.
    pub(in crate::syntax) fn import_name(
        &mut self,
        name: Ident,
        alias: Option<Token>,
    ) -> ImportName {
        ImportName { name, alias: alias.map(|token| self.ident(token)) }
    }

    /// `*`, which is refused.
    pub(in crate::syntax) fn import_star(&mut self, star: Token) -> Vec<ImportName> {
        let place = (star.start, star.end);
        let message = "`import *` is not supported: a reader could not tell where a name is from";
        let diagnostic = self.faults.at(UNSUPPORTED, place, message, "not supported");
        self.faults.report(diagnostic.help("list the names that are used"));
        let name = self.ident(star);
        vec![self.import_name(name, None)]
    }

    /// `import names`.
    pub(in crate::syntax) fn import(&mut self, word: Token, names: Vec<ImportName>) -> Stmt {
        let end = imports_end(&names).unwrap_or(word.end);
        self.stmt(StmtKind::Import(names), word.start, end)
    }

    /// `from module import names`.
    pub(in crate::syntax) fn import_from(
        &mut self,
        word: Token,
        module: Ident,
        names: Vec<ImportName>,
    ) -> Stmt {
        let end = imports_end(&names).unwrap_or(module.span.end);
        self.stmt(StmtKind::ImportFrom { module, names }, word.start, end)
    }

    // ---- Compound statements -----------------------------------------------------------

    /// `if condition:`, and its like.
    pub(in crate::syntax) fn head(&mut self, word: Token, condition: Node, colon: Token) -> Head {
        Head { span: self.span(word.start, colon.end), condition }
    }

    /// `if`, its `elif`s and its `else`.
    pub(in crate::syntax) fn if_(
        &mut self,
        head: Head,
        body: Vec<Stmt>,
        rest: Vec<(Head, Vec<Stmt>)>,
        otherwise: Option<Vec<Stmt>>,
    ) -> Stmt {
        let mut branches = vec![(head.condition.id, body)];
        branches.extend(rest.into_iter().map(|(head, body)| (head.condition.id, body)));
        let kind = StmtKind::If { branches, otherwise: otherwise.unwrap_or_default() };
        Stmt { kind, span: head.span }
    }

    /// `while condition`.
    pub(in crate::syntax) fn while_(
        &mut self,
        head: Head,
        body: Vec<Stmt>,
        otherwise: Option<Vec<Stmt>>,
    ) -> Stmt {
        let otherwise = otherwise.unwrap_or_default();
        let kind = StmtKind::While { condition: head.condition.id, body, otherwise };
        Stmt { kind, span: head.span }
    }

    /// `except kinds as name:`.
    pub(in crate::syntax) fn except_head(
        &mut self,
        word: Token,
        (kinds, name): (Option<Node>, Option<Token>),
        colon: Token,
    ) -> ExceptHead {
        let name = name.map(|name| self.ident(name));
        ExceptHead { span: self.span(word.start, colon.end), kinds, name }
    }

    /// One `except` with its block.
    pub(in crate::syntax) fn handler(&mut self, head: ExceptHead, body: Vec<Stmt>) -> Handler {
        let ExceptHead { span, kinds, name } = head;
        Handler { kinds: kinds.map(|kinds| kinds.id), name, body, span }
    }

    /// `try`, with what catches.
    pub(in crate::syntax) fn try_(
        &mut self,
        ((word, colon), body): ((Token, Token), Vec<Stmt>),
        handlers: Vec<Handler>,
        otherwise: Option<Vec<Stmt>>,
        last: Option<Vec<Stmt>>,
    ) -> Stmt {
        let place = (word.start, word.end);
        if handlers.is_empty() && (last.is_none() || otherwise.is_some()) {
            let message = "this `try` has no `except`";
            let message = if last.is_none() {
                "this `try` has neither `except` nor `finally`"
            } else {
                message
            };
            self.faults.report(self.faults.at(UNEXPECTED, place, message, "nothing catches here"));
        }
        let (_, before) =
            handlers.split_last().map_or((None, &[][..]), |(last, it)| (Some(last), it));
        if let Some(early) = before.iter().find(|it| it.kinds.is_none()) {
            let message = "an `except` without a kind catches everything, and another follows it";
            let place = (early.span.start, early.span.end);
            let diagnostic = self.faults.at(UNEXPECTED, place, message, "must be the last one");
            self.faults.report(diagnostic);
        }
        let (otherwise, last) = (otherwise.unwrap_or_default(), last.unwrap_or_default());
        self.stmt(StmtKind::Try { body, handlers, otherwise, last }, word.start, colon.end)
    }

    /// `for target in iter:`.
    pub(in crate::syntax) fn for_head(
        &mut self,
        word: Token,
        (target, iter): (Node, Node),
        colon: Token,
    ) -> ForHead {
        self.check_bound(target);
        ForHead { span: self.span(word.start, colon.end), target, iter }
    }

    /// `for target in iter`.
    pub(in crate::syntax) fn for_(
        &mut self,
        head: ForHead,
        body: Vec<Stmt>,
        otherwise: Option<Vec<Stmt>>,
    ) -> Stmt {
        let otherwise = otherwise.unwrap_or_default();
        let (target, iter) = (head.target.id, head.iter.id);
        Stmt { kind: StmtKind::For { target, iter, body, otherwise }, span: head.span }
    }

    /// `def name(params) -> returns:`.
    pub(in crate::syntax) fn def_head(
        &mut self,
        (decorators, word, name): (Vec<Node>, Token, Token),
        params: Vec<ParamNode>,
        returns: Option<Node>,
        colon: Token,
    ) -> DefHead {
        Box::new(Function {
            name: self.ident(name),
            decorators: ids(&decorators),
            params: self.check_params(params),
            returns: returns.map(|node| node.id),
            body: Vec::new(),
            header: self.span(word.start, colon.end),
        })
    }

    /// A function. One whose header did not parse is an error, and so is its body with it.
    pub(in crate::syntax) fn function(&mut self, head: Option<DefHead>, body: Vec<Stmt>) -> Stmt {
        let Some(mut function) = head else {
            let span = body.first().map_or(crate::source::Span::NONE, |first| first.span);
            return Stmt { kind: StmtKind::Error, span };
        };
        let span = function.header;
        function.body = body;
        Stmt { kind: StmtKind::Function(function), span }
    }
}

fn imports_end(names: &[ImportName]) -> Option<u32> {
    names.last().map(|last| last.alias.as_ref().unwrap_or(&last.name).span.end)
}
