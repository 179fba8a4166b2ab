//! Whether two trees say the same, wherever their text stands.

use super::ast::{
    Arg, ArgKind, Clause, ExprId, ExprKind, FStringPart, Function, Handler, Ident, ImportName,
    Module, Param, Stmt, StmtKind,
};

/// Whether `a` and `b` are equal but for their spans.
pub fn ast_eq(a: &Module, b: &Module) -> bool {
    Pair { a, b }.block(&a.body, &b.body)
}

#[derive(Clone, Copy)]
struct Pair<'m> {
    a: &'m Module,
    b: &'m Module,
}

fn all<T>(a: &[T], b: &[T], mut equal: impl FnMut(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
}

fn both<T>(a: Option<&T>, b: Option<&T>, equal: impl FnOnce(&T, &T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => equal(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn ident(a: &Ident, b: &Ident) -> bool {
    a.name == b.name
}

fn import(a: &ImportName, b: &ImportName) -> bool {
    ident(&a.name, &b.name) && both(a.alias.as_ref(), b.alias.as_ref(), ident)
}

impl Pair<'_> {
    fn block(self, a: &[Stmt], b: &[Stmt]) -> bool {
        all(a, b, |a, b| self.stmt(&a.kind, &b.kind))
    }

    fn stmt(self, a: &StmtKind, b: &StmtKind) -> bool {
        use StmtKind as S;
        match (a, b) {
            (S::Expr(a), S::Expr(b)) => self.expr(*a, *b),
            (S::Assign { targets: t, value: v }, S::Assign { targets: u, value: w }) => {
                self.exprs(t, u) && self.expr(*v, *w)
            }
            (
                S::AugAssign { target: t, op: o, value: v },
                S::AugAssign { target: u, op: p, value: w },
            ) => o == p && self.expr(*t, *u) && self.expr(*v, *w),
            (
                S::AnnAssign { target: t, annotation: n, value: v },
                S::AnnAssign { target: u, annotation: m, value: w },
            ) => self.expr(*t, *u) && self.expr(*n, *m) && self.option(*v, *w),
            (S::If { branches: x, otherwise: o }, S::If { branches: y, otherwise: p }) => {
                let branch = |(c, s): &(ExprId, Vec<Stmt>), (d, t): &(ExprId, Vec<Stmt>)| {
                    self.expr(*c, *d) && self.block(s, t)
                };
                all(x, y, branch) && self.block(o, p)
            }
            (
                S::For { target: t, iter: i, body: x, otherwise: o },
                S::For { target: u, iter: j, body: y, otherwise: p },
            ) => {
                let header = self.expr(*t, *u) && self.expr(*i, *j);
                header && self.block(x, y) && self.block(o, p)
            }
            (
                S::While { condition: c, body: x, otherwise: o },
                S::While { condition: d, body: y, otherwise: p },
            ) => self.expr(*c, *d) && self.block(x, y) && self.block(o, p),
            (S::Return(a), S::Return(b)) => self.option(*a, *b),
            (S::Assert { condition: c, message: m }, S::Assert { condition: d, message: n }) => {
                self.expr(*c, *d) && self.option(*m, *n)
            }
            (
                S::Try { body: w, handlers: x, otherwise: y, last: z },
                S::Try { body: s, handlers: t, otherwise: u, last: v },
            ) => {
                let handler = |a: &Handler, b: &Handler| {
                    self.option(a.kinds, b.kinds)
                        && both(a.name.as_ref(), b.name.as_ref(), ident)
                        && self.block(&a.body, &b.body)
                };
                all(x, t, handler) && self.block(w, s) && self.block(y, u) && self.block(z, v)
            }
            (S::Raise { exception: e, cause: c }, S::Raise { exception: f, cause: d }) => {
                self.option(*e, *f) && self.option(*c, *d)
            }
            (S::Delete(a), S::Delete(b)) => self.exprs(a, b),
            (S::Import(a), S::Import(b)) => all(a, b, import),
            (S::ImportFrom { module: m, names: x }, S::ImportFrom { module: n, names: y }) => {
                ident(m, n) && all(x, y, import)
            }
            (S::Function(a), S::Function(b)) => self.function(a, b),
            // What is left has no parts.
            _ => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    fn function(self, a: &Function, b: &Function) -> bool {
        ident(&a.name, &b.name)
            && self.exprs(&a.decorators, &b.decorators)
            && all(&a.params, &b.params, |a, b| self.param(a, b))
            && self.option(a.returns, b.returns)
            && self.block(&a.body, &b.body)
    }

    fn param(self, a: &Param, b: &Param) -> bool {
        ident(&a.name, &b.name)
            && a.variadic == b.variadic
            && self.option(a.annotation, b.annotation)
            && self.option(a.default, b.default)
    }

    fn option(self, a: Option<ExprId>, b: Option<ExprId>) -> bool {
        both(a.as_ref(), b.as_ref(), |a, b| self.expr(*a, *b))
    }

    fn exprs(self, a: &[ExprId], b: &[ExprId]) -> bool {
        all(a, b, |a, b| self.expr(*a, *b))
    }

    /// Whether two expressions are equal: what they are, then their parts in order.
    fn expr(self, a: ExprId, b: ExprId) -> bool {
        let (a, b) = (self.a.kind(a), self.b.kind(b));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        a.each_child(&mut |child| left.push(child));
        b.each_child(&mut |child| right.push(child));
        self.own(a, b) && self.exprs(&left, &right)
    }

    /// Whether two expressions are equal in all but their parts.
    fn own(self, a: &ExprKind, b: &ExprKind) -> bool {
        use ExprKind as E;
        match (a, b) {
            (E::Int(a), E::Int(b)) => a == b,
            (E::Float(a), E::Float(b)) => a.to_bits() == b.to_bits(),
            (E::Str(a), E::Str(b)) | (E::Name(a), E::Name(b)) => a == b,
            (E::Bool(a), E::Bool(b)) => a == b,
            (E::FString(a), E::FString(b)) => all(a, b, part),
            (E::Attribute { attr: a, .. }, E::Attribute { attr: b, .. }) => ident(a, b),
            (E::Call { args: a, .. }, E::Call { args: b, .. }) => all(a, b, arg),
            (
                E::Slice { lower: l, upper: u, step: s },
                E::Slice { lower: m, upper: v, step: t },
            ) => [(l, m), (u, v), (s, t)].into_iter().all(|(a, b)| a.is_some() == b.is_some()),
            (E::Unary { op: a, .. }, E::Unary { op: b, .. }) => a == b,
            (E::Binary { op: a, .. }, E::Binary { op: b, .. }) => a == b,
            (E::Compare { rest: a, .. }, E::Compare { rest: b, .. }) => {
                all(a, b, |(a, _), (b, _)| a == b)
            }
            (E::BoolOp { op: a, .. }, E::BoolOp { op: b, .. }) => a == b,
            (E::Lambda { params: a, .. }, E::Lambda { params: b, .. }) => {
                all(a, b, |a, b| self.param(a, b))
            }
            (
                E::Comprehension { kind: a, clauses: x, .. },
                E::Comprehension { kind: b, clauses: y, .. },
            ) => a == b && all(x, y, clause),
            (E::Walrus { target: a, .. }, E::Walrus { target: b, .. }) => ident(a, b),
            // The rest are told apart by what they are, and by their parts.
            _ => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

fn part(a: &FStringPart, b: &FStringPart) -> bool {
    match (a, b) {
        (FStringPart::Text(a), FStringPart::Text(b)) => a == b,
        (FStringPart::Value { spec: a, .. }, FStringPart::Value { spec: b, .. }) => a == b,
        (FStringPart::Text(_), FStringPart::Value { .. })
        | (FStringPart::Value { .. }, FStringPart::Text(_)) => false,
    }
}

fn arg(a: &Arg, b: &Arg) -> bool {
    match (&a.kind, &b.kind) {
        (ArgKind::Keyword(a), ArgKind::Keyword(b)) => ident(a, b),
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

fn clause(a: &Clause, b: &Clause) -> bool {
    a.conditions.len() == b.conditions.len()
}
