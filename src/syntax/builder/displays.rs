//! Tuples, lists, dicts and comprehensions.

use super::{BraceItem, Builder, ClauseNode, Listed, Node, extent, ids};
use crate::diag::syntax::{UNEXPECTED, UNSUPPORTED};
use crate::syntax::ast::{Clause, ComprehensionKind, ExprKind};
use crate::syntax::token::Token;

impl Builder<'_> {
    /// `(a, b)`.
    pub(in crate::syntax) fn tuple(&mut self, open: Token, items: Vec<Node>, close: Token) -> Node {
        let inner = extent(&items).1;
        self.node(ExprKind::Tuple(ids(&items)), (open.start, close.end), inner)
    }

    /// `(a)` or `(a, b)`. One expression keeps its span and gains the brackets' extent.
    pub(in crate::syntax) fn parens(&mut self, open: Token, listed: Listed, close: Token) -> Node {
        match (listed.items.as_slice(), listed.comma) {
            ([one], None) => {
                self.lone_star(*one);
                Node { start: open.start, end: close.end, ..*one }
            }
            _ => self.tuple(open, listed.items, close),
        }
    }

    /// `[a, b]`.
    pub(in crate::syntax) fn list(&mut self, open: Token, items: Vec<Node>, close: Token) -> Node {
        let inner = extent(&items).1;
        self.node(ExprKind::List(ids(&items)), (open.start, close.end), inner)
    }

    /// `{k: v}`. Sets and `**` are refused here.
    pub(in crate::syntax) fn braces(
        &mut self,
        open: Token,
        items: Vec<BraceItem>,
        close: Token,
    ) -> Node {
        let mut pairs = Vec::new();
        let mut singles = Vec::new();
        let (mut inner, mut refused) = (0, false);
        for item in items {
            match item {
                BraceItem::Pair(key, value) => {
                    inner = inner.max(key.depth).max(value.depth);
                    pairs.push((key.id, value.id));
                }
                BraceItem::Splat(star, value) => {
                    refused = true;
                    self.refuse_splat(star, value);
                }
                BraceItem::Single(node) => singles.push(node),
                BraceItem::Lost => refused = true,
            }
        }
        if !singles.is_empty() && !refused {
            self.refuse_set((open, close), &singles, pairs.is_empty());
        }
        if refused || !singles.is_empty() {
            return self.error_node(open.start, close.end);
        }
        self.node(ExprKind::Dict(pairs), (open.start, close.end), inner)
    }

    fn refuse_splat(&mut self, star: Token, value: Node) {
        let place = (star.start, value.end);
        let message = "`**` does not unpack into a dict here";
        let diagnostic = self.faults.at(UNSUPPORTED, place, message, "not supported");
        self.faults.report(diagnostic.help("write its items one by one"));
    }

    fn refuse_set(&mut self, (open, close): (Token, Token), singles: &[Node], all: bool) {
        let diagnostic = if all {
            let place = (open.start, close.end);
            self.faults
                .at(UNSUPPORTED, place, "sets are not supported", "this is a set")
                .help("write a tuple, `(…)`, or a list, `[…]`")
        } else {
            let place = extent(singles.get(..1).unwrap_or(&[])).0;
            let message = "every item of a dict is a key, `:` and a value";
            self.faults.at(UNEXPECTED, place, message, "this one has no value")
        };
        self.faults.report(diagnostic);
    }

    /// `for target in iter if condition …`.
    pub(in crate::syntax) fn clause(
        &mut self,
        target: Node,
        iter: Node,
        conditions: Vec<Node>,
    ) -> ClauseNode {
        self.check_bound(target);
        let depth = target.depth.max(iter.depth).max(extent(&conditions).1);
        let conditions = ids(&conditions);
        ClauseNode { clause: Clause { target: target.id, iter: iter.id, conditions }, depth }
    }

    /// A comprehension in the brackets `open` and `close`.
    pub(in crate::syntax) fn comprehension(
        &mut self,
        kind: ComprehensionKind,
        open: Token,
        (element, clauses): (Node, Vec<ClauseNode>),
        close: Token,
    ) -> Node {
        self.comprehension_over(kind, (open.start, close.end), element, clauses)
    }

    /// A comprehension over bytes `place`.
    pub(super) fn comprehension_over(
        &mut self,
        kind: ComprehensionKind,
        place: (u32, u32),
        element: Node,
        clauses: Vec<ClauseNode>,
    ) -> Node {
        let inner = clauses.iter().map(|one| one.depth).fold(element.depth, u16::max);
        let clauses = clauses.into_iter().map(|one| one.clause).collect();
        let kind = ExprKind::Comprehension { kind, element: element.id, clauses };
        self.node(kind, place, inner)
    }

    /// `{key: value for …}`.
    pub(in crate::syntax) fn dict_comprehension(
        &mut self,
        open: Token,
        (key, value): (Node, Node),
        clauses: Vec<ClauseNode>,
        close: Token,
    ) -> Node {
        let inner = key.depth.max(value.depth);
        let pair = ExprKind::Tuple(vec![key.id, value.id]);
        let element = self.node(pair, (key.start, value.end), inner);
        let place = (open.start, close.end);
        self.comprehension_over(ComprehensionKind::Dict, place, element, clauses)
    }
}
