//! Which names are read after a branch or loop, and which a loop's body reads from the turn
//! before. Only those are joined or carried, so a name that is merely reused costs nothing.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::names;
use crate::source::Span;
use crate::syntax::ast::{ExprId, Function, Module, Stmt, StmtKind};

/// Beyond this many (statement, name) pairs everything counts as read: the work stays linear.
const MAX_FACTS: usize = 4_000_000;

/// The answers for one function.
#[derive(Debug, Default)]
pub(super) struct Liveness<'p> {
    after: FxHashMap<Span, BTreeSet<&'p str>>,
    exposed: FxHashMap<Span, BTreeSet<&'p str>>,
    facts: usize,
}

/// The names that a run of statements reads before it binds them, and those it surely binds.
#[derive(Clone, Debug, Default)]
struct Flow<'p> {
    reads: BTreeSet<&'p str>,
    binds: BTreeSet<&'p str>,
}

impl<'p> Liveness<'p> {
    /// The answers for `function`.
    pub(super) fn of(module: &'p Module, function: &'p Function) -> Liveness<'p> {
        let mut it = Liveness::default();
        it.walk(module, &function.body, BTreeSet::new());
        it
    }

    /// Whether `name` may be read after the branch or loop at `stmt`.
    pub(super) fn is_read_after(&self, stmt: Span, name: &str) -> bool {
        self.gave_up() || self.after.get(&stmt).is_none_or(|names| names.contains(name))
    }

    /// Whether a turn of the loop at `stmt` may read what the turn before bound `name` to.
    pub(super) fn is_read_in_next_turn(&self, stmt: Span, name: &str) -> bool {
        self.gave_up() || self.exposed.get(&stmt).is_none_or(|names| names.contains(name))
    }

    fn gave_up(&self) -> bool {
        self.facts > MAX_FACTS
    }

    /// Records the answers within `body`, after which the names `live` are read; returns those
    /// read at its beginning or later.
    fn walk(
        &mut self,
        module: &'p Module,
        body: &'p [Stmt],
        mut live: BTreeSet<&'p str>,
    ) -> BTreeSet<&'p str> {
        for stmt in body.iter().rev() {
            if self.gave_up() {
                return live;
            }
            live = self.stmt(module, stmt, live);
        }
        live
    }

    fn stmt(
        &mut self,
        module: &'p Module,
        stmt: &'p Stmt,
        mut live: BTreeSet<&'p str>,
    ) -> BTreeSet<&'p str> {
        if let StmtKind::If { branches, otherwise } = &stmt.kind {
            return self.branch(module, stmt.span, (branches, otherwise), live);
        }
        if let StmtKind::For { body, .. } | StmtKind::While { body, .. } = &stmt.kind {
            self.record_after(stmt.span, &live);
            live.extend(flow_of_stmt(module, stmt).reads);
            let turn = flow_of_loop_turn(module, stmt);
            live.extend(turn.iter().copied());
            self.facts += turn.len() + live.len();
            self.exposed.insert(stmt.span, turn);
            self.walk(module, body, live.clone());
            return live;
        }
        let flow = flow_of_stmt(module, stmt);
        for name in &flow.binds {
            live.remove(name);
        }
        live.extend(flow.reads);
        live
    }

    fn branch(
        &mut self,
        module: &'p Module,
        span: Span,
        (branches, otherwise): (&'p [(ExprId, Vec<Stmt>)], &'p [Stmt]),
        live: BTreeSet<&'p str>,
    ) -> BTreeSet<&'p str> {
        self.record_after(span, &live);
        let mut before = self.walk(module, otherwise, live.clone());
        for (condition, body) in branches.iter().rev() {
            self.facts += live.len();
            before.extend(self.walk(module, body, live.clone()));
            names::reads_of_expr(module, *condition, &mut |name| {
                before.insert(name);
            });
        }
        before
    }

    fn record_after(&mut self, stmt: Span, live: &BTreeSet<&'p str>) {
        self.facts += live.len() + 1;
        self.after.insert(stmt, live.clone());
    }
}

/// What one turn of a loop reads before it binds: its condition and its body.
fn flow_of_loop_turn<'p>(module: &'p Module, stmt: &'p Stmt) -> BTreeSet<&'p str> {
    let mut reads = BTreeSet::new();
    if let StmtKind::For { target, body, .. } = &stmt.kind {
        reads = flow_of(module, body).reads;
        names::targets_of(module, *target, &mut |name| {
            reads.remove(name);
        });
    }
    if let StmtKind::While { condition, body, .. } = &stmt.kind {
        reads = flow_of(module, body).reads;
        names::reads_of_expr(module, *condition, &mut |name| {
            reads.insert(name);
        });
    }
    reads
}

fn flow_of<'p>(module: &'p Module, body: &'p [Stmt]) -> Flow<'p> {
    let mut flow = Flow::default();
    for stmt in body {
        let next = flow_of_stmt(module, stmt);
        flow.reads.extend(next.reads.difference(&flow.binds));
        flow.binds.extend(next.binds);
    }
    flow
}

fn flow_of_stmt<'p>(module: &'p Module, stmt: &'p Stmt) -> Flow<'p> {
    let mut flow = Flow::default();
    names::reads_of_header(module, stmt, &mut |name| {
        flow.reads.insert(name);
    });
    if let StmtKind::If { branches, otherwise } = &stmt.kind {
        let mut arms: Vec<Flow<'p>> =
            branches.iter().map(|(_, body)| flow_of(module, body)).collect();
        let last = flow_of(module, otherwise);
        flow.binds = last
            .binds
            .iter()
            .filter(|it| arms.iter().all(|arm| arm.binds.contains(*it)))
            .copied()
            .collect();
        arms.push(last);
        flow.reads.extend(arms.into_iter().flat_map(|arm| arm.reads));
    } else {
        flow.reads.extend(flow_of_loop_turn(module, stmt));
        names::bound_by_simple(module, stmt, &mut |name| {
            flow.binds.insert(name);
        });
    }
    flow
}
