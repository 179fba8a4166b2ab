//! Which parameters of a `@triton.jit` kernel its text adds up to addresses.
//!
//! That saves an analysis: [`super::pointers`] finds out by one which parameters are pointers,
//! and a second has to follow. What the text shows is a guess, for it knows no types and takes no
//! branch; [`super::kernels`] keeps it only where the analysis made with it has nothing to say.

use rustc_hash::FxHashMap;

use super::names;
use crate::source::Span;
use crate::syntax::ast::{ArgKind, BinaryOp, ExprId, ExprKind, Function, Module};

/// The longest way from a use through variables to a parameter.
const MAX_STEPS: usize = 16;

/// The names of a function that stand for one thing.
struct Bindings<'p> {
    module: &'p Module,
    /// The places of the parameters that nothing binds again.
    params: FxHashMap<&'p str, usize>,
    /// What a variable is bound to first.
    variables: FxHashMap<&'p str, ExprId>,
    /// Whether a parameter is named as a pointer.
    has_named: bool,
}

/// The parameters that are the first term of what the function loads from or stores to, and the
/// address of the first such use of each.
pub(super) fn pointers(module: &Module, function: &Function) -> FxHashMap<usize, Span> {
    let bindings = Bindings::of(module, function);
    let mut found = FxHashMap::default();
    names::for_each_stmt(&function.body, &mut |stmt| {
        names::for_each_header_expr(module, stmt, &mut |expr| {
            for_each_address(module, expr, &mut |address| {
                if let Some(place) = bindings.first_term(address) {
                    found.entry(place).or_insert_with(|| module.span(address));
                }
            });
        });
    });
    found
}

/// Calls `visit` with what each load, store and atomic in `expr` is given as its address.
fn for_each_address(module: &Module, expr: ExprId, visit: &mut dyn FnMut(ExprId)) {
    let kind = module.kind(expr);
    if let ExprKind::Call { func, args } = kind
        && let ExprKind::Attribute { attr, .. } = module.kind(*func)
        && (matches!(attr.name.as_str(), "load" | "store") || attr.name.starts_with("atomic_"))
        && let Some(first) = args.first().filter(|it| it.kind == ArgKind::Positional)
    {
        visit(first.value);
    }
    kind.each_child(&mut |child| for_each_address(module, child, visit));
}

impl<'p> Bindings<'p> {
    fn of(module: &'p Module, function: &'p Function) -> Bindings<'p> {
        let params = function.params.iter().enumerate();
        let mut params: FxHashMap<&str, usize> =
            params.map(|(place, param)| (param.name.name.as_str(), place)).collect();
        let has_named = params.keys().any(|name| is_named_so(name));
        let mut variables = FxHashMap::default();
        names::for_each_stmt(&function.body, &mut |stmt| {
            if let Some((name, value)) = names::simple_binding(module, stmt) {
                variables.entry(name).or_insert(value);
            }
        });
        for name in names::bound_by(module, &function.body).into_keys() {
            params.remove(name);
        }
        Bindings { module, params, variables, has_named }
    }

    /// The parameter that `expr` begins with, if it is a sum that does. One that is not named as a
    /// pointer is none where others are: they would be taken for it.
    fn first_term(&self, mut expr: ExprId) -> Option<usize> {
        for _ in 0..MAX_STEPS {
            let kind = self.module.kind(expr);
            if let ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub, left, .. } = kind {
                expr = *left;
                continue;
            }
            let ExprKind::Name(name) = kind else { return None };
            if let Some(place) = self.params.get(name.as_str()) {
                return (is_named_so(name) || !self.has_named).then_some(*place);
            }
            expr = *self.variables.get(name.as_str())?;
        }
        None
    }
}

/// Whether a parameter's name says that it is a pointer.
pub(super) fn is_named_so(name: &str) -> bool {
    name.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(b"ptr"))
}
