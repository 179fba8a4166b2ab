//! Loops: which names they carry, and the type each must keep.

use super::analysis::{Analysis, MAX_UNROLLED, Style};
use super::errors::{constexpr, control as errors};
use super::logic::Truth;
use super::names;
use super::promote;
use super::scope::{Binding, Changes, Gone, Loss, Slot};
use super::symbols::ASSUMED_TURNS;
use super::value::{Constant, HandleKind, Pointer, Range, Spanned, Val};
use crate::dtype::DType;
use crate::ir::{self, Type, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Stmt};

/// A name that a loop carries from turn to turn.
struct Carried {
    name: String,
    /// What it was bound to before the loop, as values of the IR.
    before: Val,
    /// Where.
    bound: Span,
}

/// A loop being analysed.
struct Loop {
    /// Its header.
    span: Span,
    carried: Vec<Carried>,
    /// Names that cannot be carried, which was said.
    in_error: Vec<String>,
}

impl Loop {
    fn inits(&self) -> Vec<Value> {
        self.carried.iter().flat_map(|it| it.before.leaves()).collect()
    }
}

impl<'p> Analysis<'p> {
    /// `for target in iter`.
    pub(super) fn for_stmt(&mut self, target: ExprId, iter: ExprId, body: &'p [Stmt], span: Span) {
        let walked = self.spanned(iter);
        if let Val::Range(range) = &walked.val {
            if range.unroll && self.assume_turns(range) {
                return self.body_in_error(Some(target), body, span);
            }
            let turns = if range.unroll { self.known_turns(range, walked.span) } else { None };
            return match turns {
                Some(turns) => self.written_out(target, turns.map(Val::int), body, span),
                None => self.for_range(target, range, body, span),
            };
        }
        if let Val::Handle(handle) = &walked.val
            && handle.kind == HandleKind::Pipeline
        {
            let parts = handle.parts.clone();
            self.begin_pipeline(&parts, walked.span);
            self.written_out(target, std::iter::once(Val::int(0)), body, span);
            return self.end_pipeline(walked.span);
        }
        if matches!(self.kind(iter), ExprKind::List(_) | ExprKind::Tuple(_)) {
            let instead = "Triton loops over `range`, `tl.range` and `tl.static_range` only";
            self.extension("a loop over items", instead, walked.span);
        }
        if let Some(items) = walked.val.items() {
            return self.written_out(target, items.iter().cloned(), body, span);
        }
        if !walked.val.is_error() {
            let found = self.describe(&walked.val);
            let tile = self.tile(&walked.val).is_some();
            self.report(errors::not_iterable(&found, walked.span, tile));
        }
        self.body_in_error(Some(target), body, span);
    }

    /// Assumes values of the symbols that bound a loop which is written out.
    fn assume_turns(&mut self, range: &Range) -> bool {
        let turns = Constant::Int(ASSUMED_TURNS);
        [&range.lo, &range.hi, &range.step].map(|it| self.assume(it, &turns)).contains(&true)
    }

    /// The numbers that a range takes, if the compiler knows them.
    pub(super) fn known_turns(
        &mut self,
        range: &Range,
        span: Span,
    ) -> Option<impl Iterator<Item = i128> + use<>> {
        let known = |val: &Val| val.constant().and_then(Constant::as_int);
        let (lo, hi, step) = (known(&range.lo)?, known(&range.hi)?, known(&range.step)?);
        let distance = if step > 0 { hi.saturating_sub(lo) } else { lo.saturating_sub(hi) };
        let count = (distance.max(0) as u128).div_ceil(step.unsigned_abs());
        let left = u128::from(MAX_UNROLLED.saturating_sub(self.unrolled));
        let count = if count > left {
            self.report(constexpr::unrolls_too_far(count, MAX_UNROLLED, span));
            1
        } else {
            count
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Some((0..count).map(move |turn| lo + i128::from(turn) * step))
    }

    /// A loop that the compiler writes out, turn by turn.
    fn written_out(
        &mut self,
        target: ExprId,
        items: impl Iterator<Item = Val>,
        body: &'p [Stmt],
        span: Span,
    ) {
        self.frame.loops.push(span);
        for item in items {
            self.unrolled += 1;
            if self.unrolled > MAX_UNROLLED {
                let count = u128::from(self.unrolled);
                self.report(constexpr::unrolls_too_far(count, MAX_UNROLLED, span));
                break;
            }
            self.bind_as_it_is(target, &Spanned { val: item, span: self.span(target) });
            let said = self.errors;
            self.block(body, false);
            if self.errors > said {
                break;
            }
        }
        self.frame.loops.pop();
    }

    /// Nobody knows what the loop walks: the body is analysed for its own errors.
    fn body_in_error(&mut self, target: Option<ExprId>, body: &'p [Stmt], span: Span) {
        self.frame.loops.push(span);
        let path = self.path(span, |it| {
            if let Some(target) = target {
                it.bind_as_it_is(target, &Spanned { val: Val::Error, span });
            }
            it.block(body, false);
            Val::NONE
        });
        self.frame.loops.pop();
        self.all_in_error(&path.changes);
    }

    fn for_range(&mut self, target: ExprId, range: &Range, body: &'p [Stmt], span: Span) {
        let dtype = self.loop_dtype(range);
        let bounds = [&range.lo, &range.hi, &range.step].map(|bound| {
            let bound = Spanned { val: bound.clone(), span };
            self.integer_as(&bound, dtype)
        });
        let [Some(lo), Some(hi), Some(step)] = bounds else {
            return self.body_in_error(Some(target), body, span);
        };
        let carried = self.carried_by(body, span);
        let mut it = Loop { span, carried, in_error: Vec::new() };
        let block = self.frame.build.open();
        self.frame.scope.enter();
        self.bind_loop_variable(target, dtype, span);
        self.bind_arguments(&it);
        self.frame.loops.push(span);
        self.block(body, false);
        self.frame.loops.pop();
        let changes = self.frame.scope.leave();
        let values = self.next_turn(&mut it, &changes);
        self.frame.build.emit(ir::Yield { values }, Vec::new(), span);
        self.frame.build.close();
        let inits = it.inits();
        let types = self.types_of(&inits);
        let (unroll, stages) = (range.unroll, range.stages);
        let op = ir::For { lo, hi, step, inits, body: block, unroll, stages };
        let id = self.frame.build.emit(op, types, span);
        self.after_loop(&it, id, &changes);
    }

    /// The type of the variable of a loop over `range`: `i64` in `tl` kernels, that in which the
    /// bounds meet in `jit` kernels.
    fn loop_dtype(&self, range: &Range) -> DType {
        if self.frame.style == Style::Tl {
            return DType::I64;
        }
        let bounds = [&range.lo, &range.hi, &range.step];
        let dtypes = bounds.map(|bound| match bound.constant().and_then(Constant::as_int) {
            Some(known) => promote::int_dtype(known).unwrap_or(DType::I64),
            None => self.scalar(bound).unwrap_or(DType::I32),
        });
        let meet = |x, y| promote::promote(x, y, promote::Rule::Arithmetic).unwrap_or(DType::I64);
        dtypes.into_iter().fold(DType::I32, meet)
    }

    fn bind_loop_variable(&mut self, target: ExprId, dtype: DType, span: Span) {
        let at = self.span(target);
        let name = if let ExprKind::Name(name) = self.kind(target) { name } else { "i" };
        let index = self.frame.build.argument(Type::Scalar(dtype), name, span);
        self.bind_as_it_is(target, &Spanned { val: Val::Value(index), span: at });
    }

    /// `while condition`.
    pub(super) fn while_stmt(&mut self, condition: ExprId, body: &'p [Stmt], span: Span) {
        let carried = self.carried_by(body, span);
        let it = Loop { span, carried, in_error: Vec::new() };
        let test = self.frame.build.open();
        self.frame.scope.enter();
        let arguments = self.bind_arguments(&it);
        let condition = self.spanned(condition);
        let truth = self.decide("the condition of this `while`", &condition);
        if let Truth::Launch(condition) = truth {
            let op = ir::Condition { condition, values: arguments };
            self.frame.build.emit(op, Vec::new(), span);
        }
        self.frame.scope.leave();
        self.frame.build.close();
        match truth {
            Truth::Launch(_) => self.while_body(it, test, body),
            Truth::Known(false) => {}
            Truth::Known(true) => {
                self.report(errors::never_ends(condition.span));
                self.body_in_error(None, body, span);
            }
            Truth::Error => self.body_in_error(None, body, span),
        }
    }

    fn while_body(&mut self, mut it: Loop, test: ir::BlockId, body: &'p [Stmt]) {
        let block = self.frame.build.open();
        self.frame.scope.enter();
        self.bind_arguments(&it);
        self.frame.loops.push(it.span);
        self.block(body, false);
        self.frame.loops.pop();
        let changes = self.frame.scope.leave();
        let values = self.next_turn(&mut it, &changes);
        self.frame.build.emit(ir::Yield { values }, Vec::new(), it.span);
        self.frame.build.close();
        let inits = it.inits();
        let types = self.types_of(&inits);
        let id = self.frame.build.emit(ir::While { inits, test, body: block }, types, it.span);
        self.after_loop(&it, id, &changes);
    }

    /// The names that the loop at `span` carries: bound before, bound in it, and read in a later
    /// turn or after it.
    fn carried_by(&mut self, body: &'p [Stmt], span: Span) -> Vec<Carried> {
        let mut carried = Vec::new();
        for (name, _) in names::bound_by(self.ast(), body) {
            let liveness = &self.frame.liveness;
            let read =
                liveness.is_read_after(span, name) || liveness.is_read_in_next_turn(span, name);
            let Some(binding) = self.frame.scope.binding(name).filter(|_| read).cloned() else {
                continue;
            };
            let mut before = self.materialize(&binding.val, binding.span);
            if self.lifted.contains(&(span, name.to_owned())) {
                before = self.lift_val(&before, span);
            }
            carried.push(Carried { name: name.to_owned(), before, bound: binding.span });
        }
        carried
    }

    /// Gives the current block an argument for each carried value, and binds the names to them.
    fn bind_arguments(&mut self, it: &Loop) -> Vec<Value> {
        let mut arguments = Vec::new();
        for carried in &it.carried {
            let types = self.types_of(&carried.before.leaves());
            let own: Vec<Value> = types
                .into_iter()
                .map(|ty| self.frame.build.argument(ty, &carried.name, carried.bound))
                .collect();
            let val = carried.before.with_leaves(&mut own.iter().copied());
            for (own, before) in own.iter().zip(carried.before.leaves()) {
                self.frame.pointers.derive(*own, &[before]);
            }
            arguments.extend(own);
            self.bind(&carried.name, val, carried.bound);
        }
        arguments
    }

    fn types_of(&self, values: &[Value]) -> Vec<Type> {
        values.iter().map(|value| self.ty(*value).clone()).collect()
    }

    /// What the carried names are bound to at the end of a turn, with the types they began with.
    fn next_turn(&mut self, it: &mut Loop, changes: &Changes) -> Vec<Value> {
        let mut values = Vec::new();
        for carried in &it.carried {
            let next = match changes.get(&carried.name) {
                Some(Slot::Bound(binding)) => Some(binding.clone()),
                Some(Slot::Gone(gone)) => {
                    self.report(errors::carried_name_lost(&carried.name, *gone, it.span));
                    None
                }
                None => None,
            };
            let kept = next.and_then(|next| self.keep_type(it.span, carried, &next));
            if kept.is_none() {
                it.in_error.push(carried.name.clone());
            }
            values.extend(kept.unwrap_or_else(|| carried.before.leaves()));
        }
        values
    }

    fn keep_type(&mut self, around: Span, carried: &Carried, next: &Binding) -> Option<Vec<Value>> {
        if next.val.is_error() || carried.before.is_error() {
            return None;
        }
        let what = format!("`{}` in this loop", carried.name);
        let next_val = Spanned { val: next.val.clone(), span: next.span };
        let kept = self.conform(&what, &next_val, &carried.before);
        if kept.is_none() && self.becomes_element(&carried.before, &next.val) {
            // The kernel is analysed again with this name a tile of rank 0 from the start.
            self.lifted.insert((around, carried.name.clone()));
        } else if kept.is_none() {
            let found = [self.describe(&carried.before), self.describe(&next.val)];
            let places = [carried.bound, next.span, around];
            let number = self.scalar(&carried.before).is_some() && self.tile(&next.val).is_some();
            self.report(errors::loop_changes_type(&carried.name, &found, places, number));
        }
        kept
    }

    /// Whether `next` is one element of a tile, of the type of the scalar `before`.
    fn becomes_element(&self, before: &Val, next: &Val) -> bool {
        let tile = self.tile(next).filter(|tile| tile.dims.is_empty());
        tile.is_some_and(|tile| self.scalar(before) == Some(tile.dtype))
    }

    /// The leaves of `val` with the types of `like`'s; `None` where they differ.
    pub(super) fn conform(&mut self, what: &str, val: &Spanned, like: &Val) -> Option<Vec<Value>> {
        match (&val.val, like) {
            (Val::Tuple(items), Val::Tuple(likes)) if items.len() == likes.len() => {
                let mut leaves = Vec::new();
                for (item, like) in items.iter().zip(likes) {
                    let item = Spanned { val: item.clone(), span: val.span };
                    leaves.extend(self.conform(what, &item, like)?);
                }
                Some(leaves)
            }
            (Val::Pointer(pointer), Val::Pointer(like)) => {
                self.conform_pointer(what, pointer, like, val.span)
            }
            (Val::View(view), Val::View(like)) if view.is_like(like) => {
                let parts = Spanned { val: view.parts(), span: val.span };
                self.conform(what, &parts, &like.parts())
            }
            (Val::Handle(own), Val::Handle(like)) if own.kind == like.kind => {
                let parts = Spanned { val: Val::Tuple(own.parts.clone()), span: val.span };
                self.conform(what, &parts, &Val::Tuple(like.parts.clone()))
            }
            (Val::Const(number), Val::Value(like)) => {
                let like = *like;
                let (dtype, element) = self.single_element(like)?;
                let adopted = self.adopts(number, dtype);
                let own = adopted.then(|| self.as_dtype(val, dtype)).flatten()?;
                Some(vec![if element { self.lift(own, val.span) } else { own }])
            }
            (Val::Value(value), Val::Value(like)) => {
                self.conform_value(what, *value, *like, val.span).map(|it| vec![it])
            }
            (val, like) => val.is_same(like).then(Vec::new),
        }
    }

    fn conform_pointer(
        &mut self,
        what: &str,
        pointer: &Pointer,
        like: &Pointer,
        span: Span,
    ) -> Option<Vec<Value>> {
        if pointer.dtype != like.dtype {
            return None;
        }
        match (pointer.offsets, like.offsets) {
            (None, None) => Some(vec![pointer.address]),
            (Some(own), Some(wanted)) => {
                let offsets = self.conform_value(what, own, wanted, span)?;
                Some(vec![pointer.address, offsets])
            }
            (Some(_), None) | (None, Some(_)) => None,
        }
    }

    fn conform_value(
        &mut self,
        what: &str,
        value: Value,
        like: Value,
        span: Span,
    ) -> Option<Value> {
        let (own, wanted) = (self.ty(value).clone(), self.ty(like).clone());
        if own == wanted {
            return Some(value);
        }
        if let (Type::Scalar(dtype), Type::Tile(tile)) = (&own, &wanted)
            && tile.dims.is_empty()
            && tile.dtype == *dtype
        {
            return Some(self.lift(value, span));
        }
        let (Type::Tile(own), Type::Tile(wanted)) = (&own, &wanted) else { return None };
        if own.dtype != wanted.dtype {
            return None;
        }
        self.retype(what, value, &wanted.dims, span)
    }

    /// Binds the carried names to the loop's results; other names bound in it are lost.
    fn after_loop(&mut self, it: &Loop, op: ir::OpId, changes: &Changes) {
        let results = self.frame.build.func.ops[op].results.clone();
        let mut results = results.into_iter();
        for (name, slot) in changes {
            let bound = match slot {
                Slot::Bound(binding) if binding.val.is_error() => {
                    self.frame.scope.set(name, slot.clone());
                    continue;
                }
                Slot::Bound(binding) => binding.span,
                Slot::Gone(gone) => gone.bound,
            };
            let gone = Gone { why: Loss::LoopBody, bound, by: it.span };
            self.frame.scope.set(name, Slot::Gone(gone));
        }
        for carried in &it.carried {
            let val = carried.before.with_leaves(&mut results);
            for (after, before) in val.leaves().iter().zip(carried.before.leaves()) {
                self.frame.pointers.derive(*after, &[before]);
            }
            let val = if it.in_error.contains(&carried.name) { Val::Error } else { val };
            self.bind(&carried.name, val, carried.bound);
        }
    }
}
