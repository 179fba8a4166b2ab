//! Expressions that bind names: comprehensions, which the compiler writes out, and `:=`.

use super::analysis::{Analysis, MAX_UNROLLED, Style};
use super::errors::{constexpr, habits};
use super::logic::Truth;
use super::value::{Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::{Clause, ComprehensionKind, ExprId, Ident};

impl<'p> Analysis<'p> {
    /// `[element for target in items if …]` over a tuple.
    pub(super) fn comprehension(
        &mut self,
        kind: ComprehensionKind,
        element: ExprId,
        clauses: &'p [Clause],
        span: Span,
    ) -> Val {
        let ([clause], ComprehensionKind::List) = (clauses, kind) else {
            return self.report(habits::comprehension(kind, span));
        };
        let walked = self.spanned(clause.iter);
        let items = if let Val::Range(range) = &walked.val {
            let turns = self.known_turns(range, walked.span);
            turns.map(|turns| turns.map(Val::int).collect())
        } else {
            walked.val.items().map(<[Val]>::to_vec)
        };
        let Some(items) = items else {
            if walked.val.is_error() {
                return Val::Error;
            }
            let found = self.describe(&walked.val);
            return self.report(habits::comprehension_of(&found, walked.span));
        };
        // What the comprehension binds is not known after it.
        self.frame.scope.enter();
        let mut made = Vec::new();
        for item in items {
            if !self.may_write_out(1, span) {
                made.push(Val::Error);
                break;
            }
            let at = self.span(clause.target);
            self.bind_as_it_is(clause.target, &Spanned { val: item, span: at });
            match self.is_kept(clause) {
                Some(true) => made.push(self.expr(element)),
                Some(false) => {}
                None => made.push(Val::Error),
            }
        }
        self.frame.scope.leave();
        Val::Tuple(made)
    }

    /// Whether the conditions of a clause keep an item; `None` is an error already said.
    fn is_kept(&mut self, clause: &'p Clause) -> Option<bool> {
        for condition in &clause.conditions {
            let condition = self.spanned(*condition);
            match self.decide("the condition of this comprehension", &condition) {
                Truth::Known(true) => {}
                Truth::Known(false) => return Some(false),
                Truth::Error => return None,
                Truth::Launch(_) => {
                    let found = self.describe(&condition.val);
                    self.report(constexpr::filter_is_not_constant(&found, condition.span));
                    return None;
                }
            }
        }
        Some(true)
    }

    /// Counts `turns` more that are written out; false if those are too many, which is said.
    fn may_write_out(&mut self, turns: u64, span: Span) -> bool {
        self.unrolled += turns;
        let good = self.unrolled <= MAX_UNROLLED;
        if !good {
            let count = u128::from(self.unrolled);
            self.report(constexpr::unrolls_too_far(count, MAX_UNROLLED, span));
        }
        good
    }

    /// `target := value`.
    pub(super) fn walrus(&mut self, target: &'p Ident, value: ExprId) -> Val {
        let value = self.spanned(value);
        let bound = match self.frame.style {
            Style::Jit => self.materialize(&value.val, value.span),
            Style::Tl => value.val.clone(),
        };
        self.bind_variable(&target.name, &Spanned { val: bound, span: value.span }, target.span);
        value.val
    }
}
