//! `if` statements and conditional expressions.

use super::analysis::Analysis;
use super::errors::control as errors;
use super::join::Path;
use super::logic::Truth;
use super::names;
use super::scope::{Binding, Changes, Slot};
use super::stmt::{Flow, always_returns, has_return};
use super::value::{Spanned, Val};
use crate::dtype::DType;
use crate::ir::{self, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, Stmt};

/// The branches of an `if` with its `else`.
type Branches<'p> = (&'p [(ExprId, Vec<Stmt>)], &'p [Stmt]);

/// What runs on one side of a condition.
#[derive(Clone, Copy)]
enum Side<'p> {
    Body(&'p [Stmt]),
    Elif(Branches<'p>),
}

impl<'p> Side<'p> {
    fn always_returns(self) -> bool {
        match self {
            Side::Body(body) => always_returns(body),
            Side::Elif((branches, otherwise)) => {
                branches.iter().all(|(_, body)| always_returns(body)) && always_returns(otherwise)
            }
        }
    }

    fn has_return(self) -> bool {
        match self {
            Side::Body(body) => has_return(body),
            Side::Elif((branches, otherwise)) => {
                branches.iter().any(|(_, body)| has_return(body)) || has_return(otherwise)
            }
        }
    }

    fn span(self, otherwise: Span) -> Span {
        match self {
            Side::Body(body) => body.first().map_or(otherwise, |stmt| stmt.span),
            Side::Elif(_) => otherwise,
        }
    }

    fn first_return(self) -> Option<Span> {
        match self {
            Side::Body(body) => names::first_return(body),
            Side::Elif((branches, otherwise)) => branches
                .iter()
                .find_map(|(_, body)| names::first_return(body))
                .or_else(|| names::first_return(otherwise)),
        }
    }
}

impl<'p> Analysis<'p> {
    /// An `if` statement. `Some` ends the block: the statements `after` are part of it.
    pub(super) fn branch(
        &mut self,
        (branches, otherwise): Branches<'p>,
        span: Span,
        after: &'p [Stmt],
        tail: bool,
    ) -> Option<Flow> {
        let ((condition, then), elifs) = branches.split_first()?;
        let then = Side::Body(then);
        let other =
            if elifs.is_empty() { Side::Body(otherwise) } else { Side::Elif((elifs, otherwise)) };
        let condition = self.spanned(*condition);
        match self.decide("the condition of this `if`", &condition) {
            Truth::Known(holds) => {
                let side = if holds { then } else { other };
                match self.side(side, span, tail && after.is_empty()) {
                    Flow::Next => None,
                    returned @ Flow::Returned(_) => Some(returned),
                }
            }
            Truth::Error => {
                self.both_in_error(then, other, span);
                None
            }
            Truth::Launch(condition)
                if self.frame.loops.is_empty() && (then.has_return() || other.has_return()) =>
            {
                self.returning_branch(condition, (then, other), span, (after, tail))
            }
            Truth::Launch(condition) => {
                let paths = [then, other].map(|side| {
                    self.path(side.span(span), |it| {
                        it.side(side, span, false);
                        Val::NONE
                    })
                });
                let keep = |it: &Self, name: &str| it.frame.liveness.is_read_after(span, name);
                self.join(condition, span, &paths, &keep);
                None
            }
        }
    }

    fn side(&mut self, side: Side<'p>, span: Span, tail: bool) -> Flow {
        match side {
            Side::Body(body) => self.block(body, tail),
            Side::Elif(branches) => self
                .deeper(span, |it| it.branch(branches, span, &[], tail))
                .flatten()
                .unwrap_or(Flow::Next),
        }
    }

    /// Nobody knows which side runs: both are analysed for their own errors, and what they bind
    /// is in error.
    fn both_in_error(&mut self, then: Side<'p>, other: Side<'p>, span: Span) {
        for side in [then, other] {
            let path = self.path(span, |it| {
                it.side(side, span, false);
                Val::NONE
            });
            self.all_in_error(&path.changes);
        }
    }

    /// Binds the names that a path changed to nothing anybody should hear of again.
    pub(super) fn all_in_error(&mut self, changes: &Changes) {
        for (name, slot) in changes {
            let span = match slot {
                Slot::Bound(binding) => binding.span,
                Slot::Gone(gone) => gone.bound,
            };
            let binding = Binding { val: Val::Error, span, constexpr: false };
            self.frame.scope.set(name, Slot::Bound(binding));
        }
    }

    /// An `if` with `return` inside: what follows it belongs to the side that does not return.
    fn returning_branch(
        &mut self,
        condition: Value,
        (then, other): (Side<'p>, Side<'p>),
        span: Span,
        (after, tail): (&'p [Stmt], bool),
    ) -> Option<Flow> {
        let returns = (then.always_returns(), other.always_returns());
        let last = tail && after.is_empty();
        let expressible = match returns {
            (true, true) => true,
            (true, false) | (false, true) => tail,
            (false, false) => last,
        };
        if !expressible {
            let at = then.first_return().or(other.first_return()).unwrap_or(span);
            self.report(errors::return_on_some_paths(at, span));
            self.both_in_error(then, other, span);
            return None;
        }
        let sides = [(then, returns.0), (other, returns.1)];
        let paths = sides.map(|(side, returns)| {
            self.path(side.span(span), |it| it.side_with_rest(side, returns, span, after))
        });
        Some(Flow::Returned(self.join_returns(condition, span, &paths)))
    }

    fn side_with_rest(
        &mut self,
        side: Side<'p>,
        returns: bool,
        span: Span,
        after: &'p [Stmt],
    ) -> Val {
        let flow = self.side(side, span, returns || after.is_empty());
        let flow = match flow {
            Flow::Next if !returns => self.block(after, true),
            Flow::Next | Flow::Returned(_) => flow,
        };
        match flow {
            Flow::Returned(val) => val,
            Flow::Next => Val::NONE,
        }
    }

    fn join_returns(&mut self, condition: Value, span: Span, paths: &[Path; 2]) -> Val {
        self.join(condition, span, paths, &|_, _| false)
    }

    /// `then if condition else otherwise`.
    pub(super) fn conditional(
        &mut self,
        condition: ExprId,
        then: ExprId,
        otherwise: ExprId,
        span: Span,
    ) -> Val {
        let condition = self.spanned(condition);
        match self.decide("the condition of this expression", &condition) {
            Truth::Known(holds) => self.expr(if holds { then } else { otherwise }),
            Truth::Error => {
                for it in [then, otherwise] {
                    self.path(span, |analysis| analysis.expr(it));
                }
                Val::Error
            }
            Truth::Launch(condition) => {
                let paths = [then, otherwise].map(|it| {
                    let span = self.span(it);
                    self.path(span, |analysis| analysis.expr(it))
                });
                self.choose(condition, span, &paths)
            }
        }
    }

    /// Scalars without effect are computed both and selected; anything else is a branch.
    fn choose(&mut self, condition: Value, span: Span, paths: &[Path; 2]) -> Val {
        let [then, otherwise] = paths;
        let build = &self.frame.build;
        let cheap = build.is_scalar_only(then.block) && build.is_scalar_only(otherwise.block);
        let scalar = |it: &Analysis<'_>, val: &Val| {
            it.scalar(val).is_some() || val.constant().is_some_and(|it| it.is_number())
        };
        if !cheap || !scalar(self, &then.val) || !scalar(self, &otherwise.val) {
            return self.join(condition, span, paths, &|_, _| true);
        }
        if then.val.is_same(&otherwise.val) {
            return then.val.clone();
        }
        self.frame.build.splice(then.block);
        self.frame.build.splice(otherwise.block);
        self.select_scalars(condition, paths, span)
    }
}

impl Analysis<'_> {
    fn select_scalars(
        &mut self,
        condition: Value,
        [then, otherwise]: &[Path; 2],
        span: Span,
    ) -> Val {
        let Some(dtype) = self.scalar_dtype_of_both(&then.val, &otherwise.val) else {
            let found = [then, otherwise].map(|path| (path.span, self.describe(&path.val)));
            return self.report(errors::paths_differ("the value", span, &found));
        };
        let ends = [then, otherwise]
            .map(|path| self.as_dtype(&Spanned { val: path.val.clone(), span: path.span }, dtype));
        let [Some(x), Some(y)] = ends else { return Val::Error };
        let chosen = self.frame.build.scalar(ir::Select { condition, x, y }, dtype, span);
        self.frame.pointers.derive(chosen, &[x, y]);
        Val::Value(chosen)
    }

    fn scalar_dtype_of_both(&self, x: &Val, y: &Val) -> Option<DType> {
        match (x.constant(), y.constant()) {
            (Some(x), Some(y)) => self.dtype_of_both(x, y),
            (Some(number), None) => self.scalar(y).filter(|it| self.adopts(number, *it)),
            (None, Some(number)) => self.scalar(x).filter(|it| self.adopts(number, *it)),
            (None, None) => self.scalar(x).filter(|it| self.scalar(y) == Some(*it)),
        }
    }
}
