//! Expressions.

use super::analysis::{Analysis, Style};
use super::builtins::Builtin;
use super::errors::{constexpr, habits, names as errors};
use super::program::{GlobalKind, UnitId, namespace_name};
use super::scope::Slot;
use super::value::{Callee, Constant, HandleKind, Namespace, Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::{Arg, ArgKind, CompareOp, ExprId, ExprKind, FStringPart, Ident};

impl<'p> Analysis<'p> {
    /// The value of an expression, with its text.
    pub(super) fn spanned(&mut self, expr: ExprId) -> Spanned {
        Spanned { val: self.expr(expr), span: self.span(expr) }
    }

    /// The value of an expression.
    pub(super) fn expr(&mut self, expr: ExprId) -> Val {
        let span = self.span(expr);
        self.deeper(span, |it| it.expr_kind(expr, span)).unwrap_or(Val::Error)
    }

    fn expr_kind(&mut self, expr: ExprId, span: Span) -> Val {
        match self.kind(expr) {
            ExprKind::Int(value) => Val::Const(Constant::Int(*value)),
            ExprKind::Float(value) => Val::Const(Constant::Float(*value)),
            ExprKind::Str(text) => Val::Const(Constant::Str(text.clone())),
            ExprKind::Bool(value) => Val::Const(Constant::Bool(*value)),
            ExprKind::None => Val::NONE,
            ExprKind::FString(parts) => self.format(parts),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Attribute { value, attr } => self.attribute(*value, attr, span),
            ExprKind::Call { func, args } => self.call(*func, args, span),
            ExprKind::Subscript { value, index } => self.subscript(*value, *index, span),
            ExprKind::Unary { op, operand } => {
                let operand = self.spanned(*operand);
                self.unary(*op, &operand, span)
            }
            ExprKind::Binary { op, left, right } => {
                let (left, right) = (self.spanned(*left), self.spanned(*right));
                self.binary(*op, &left, &right, span)
            }
            ExprKind::Compare { first, rest } => self.comparison(*first, rest, span),
            ExprKind::BoolOp { op, operands } => self.bool_op(*op, operands, span),
            ExprKind::IfElse { condition, then, otherwise } => {
                self.conditional(*condition, *then, *otherwise, span)
            }
            ExprKind::Tuple(items) | ExprKind::List(items) => self.tuple(items),
            ExprKind::Comprehension { kind, element, clauses } => {
                self.comprehension(*kind, *element, clauses, span)
            }
            ExprKind::Walrus { target, value } => self.walrus(target, *value),
            ExprKind::Dict(items) if self.dicts => self.dict(items),
            ExprKind::Error => Val::Error,
            ExprKind::Ellipsis
            | ExprKind::Slice { .. }
            | ExprKind::Dict(_)
            | ExprKind::Lambda { .. }
            | ExprKind::Starred(_) => self.report(habits::expression(self.kind(expr), span)),
        }
    }

    /// A dict as pairs of a key and a value: what an epilogue takes.
    fn dict(&mut self, items: &'p [(ExprId, ExprId)]) -> Val {
        let pair = |(key, value): &(ExprId, ExprId)| {
            let key = self.expr(*key);
            Val::Tuple(vec![key, self.expr(*value)])
        };
        Val::Tuple(items.iter().map(pair).collect())
    }

    fn tuple(&mut self, items: &'p [ExprId]) -> Val {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            if let ExprKind::Starred(inner) = self.kind(*item)
                && let Val::Tuple(inner) = self.expr(*inner)
            {
                values.extend(inner);
                continue;
            }
            values.push(self.expr(*item));
        }
        Val::Tuple(values)
    }

    /// `first op x op y …`: every link must hold.
    fn comparison(&mut self, first: ExprId, rest: &[(CompareOp, ExprId)], span: Span) -> Val {
        let mut left = self.spanned(first);
        let mut result: Option<Spanned> = None;
        for (op, right) in rest {
            let right = self.spanned(*right);
            let link = self.compare(*op, &left, &right, left.span.to(right.span));
            let link = Spanned { val: link, span };
            result = Some(match result {
                None => link,
                Some(before) => {
                    let both =
                        self.binary(crate::syntax::ast::BinaryOp::BitAnd, &before, &link, span);
                    Spanned { val: both, span }
                }
            });
            left = right;
        }
        result.map_or(Val::Error, |it| it.val)
    }

    fn format(&mut self, parts: &'p [FStringPart]) -> Val {
        let mut text = String::new();
        for part in parts {
            match part {
                FStringPart::Text(literal) => text.push_str(literal),
                FStringPart::Value { value, spec } => {
                    let piece = self.spanned(*value);
                    if self.assume(&piece.val, &Constant::Int(1)) {
                        return Val::Error;
                    }
                    match (&piece.val, spec) {
                        (Val::Error, _) => return Val::Error,
                        (Val::Const(Constant::Str(it)), None) => text.push_str(it),
                        (Val::Const(it), None) => text.push_str(&super::describe::constant(it)),
                        (_, spec) => {
                            let found = self.describe(&piece.val);
                            let spec = spec.is_some();
                            return self
                                .report(constexpr::format_of_value(&found, piece.span, spec));
                        }
                    }
                }
            }
        }
        Val::Const(Constant::Str(text))
    }

    fn name(&mut self, name: &'p str, span: Span) -> Val {
        match self.frame.scope.get(name) {
            Some(Slot::Bound(binding)) => return binding.val.clone(),
            Some(Slot::Gone(gone)) => {
                let error = errors::lost(name, span, *gone);
                return self.report_name(name, span, error);
            }
            None => {}
        }
        if let Some(later) = self.frame.bound.get(name) {
            let error = errors::used_before_bound(name, span, *later);
            return self.report_name(name, span, error);
        }
        let unit = self.unit();
        if let Some(global) = self.program.units[unit].global(name) {
            let (kind, bound) = (global.kind.clone(), global.span);
            return self.global(unit, name, kind, (span, bound));
        }
        if let Some(builtin) = Builtin::of_python(name) {
            return Val::Builtin(builtin);
        }
        let error = self.unknown_name(name, span);
        self.report_name(name, span, error)
    }

    /// Reports a name once: later uses are silent.
    fn report_name(&mut self, name: &str, span: Span, error: crate::diag::Diagnostic) -> Val {
        self.bind(name, Val::Error, span);
        self.report(error)
    }

    fn unknown_name(&self, name: &str, span: Span) -> crate::diag::Diagnostic {
        if let Some(error) = habits::foreign_name(name, span) {
            return error;
        }
        let unit = &self.program.units[self.unit()];
        let mut known: Vec<&str> = self.frame.scope.names().collect();
        self.frame.bound.keys().for_each(|it| known.push(it));
        unit.global_names().for_each(|it| known.push(it));
        Builtin::python_names().for_each(|it| known.push(it));
        let in_tl = self.program.member(Namespace::Tl, name).is_some();
        errors::unknown_name(name, span, known, in_tl)
    }

    /// A name of the top level of `unit`.
    fn global(
        &mut self,
        unit: UnitId,
        name: &str,
        kind: GlobalKind,
        (span, bound): (Span, Span),
    ) -> Val {
        match kind {
            GlobalKind::Val(val) => val,
            GlobalKind::HostOnly => {
                let known = habits::foreign_name(name, span);
                let error = known.unwrap_or_else(|| errors::host_only(name, span, bound));
                self.report(error)
            }
            GlobalKind::Constant { value, constexpr } => {
                let wrapped = self.is_constexpr_call(unit, value);
                if self.frame.style == Style::Jit && !constexpr && wrapped.is_none() {
                    return self.report(constexpr::plain_global(name, span, bound));
                }
                self.global_value(unit, name, wrapped.unwrap_or(value), (span, bound))
            }
        }
    }

    /// The argument of `tl.constexpr(…)`.
    fn is_constexpr_call(&self, unit: UnitId, value: ExprId) -> Option<ExprId> {
        let ast = self.program.units[unit].ast;
        let ExprKind::Call { func, args } = ast.kind(value) else { return None };
        let [only] = args.as_slice() else { return None };
        super::program::is_constexpr(ast, *func).then_some(only.value)
    }

    /// Evaluates the value of a name of the top level, where only such names are known.
    fn global_value(
        &mut self,
        unit: UnitId,
        name: &str,
        value: ExprId,
        (span, bound): (Span, Span),
    ) -> Val {
        if self.evaluating.contains(&(unit, value)) {
            return self.report(constexpr::global_of_itself(name, span, bound));
        }
        self.evaluating.push((unit, value));
        let said = self.errors;
        let val = self.in_unit(unit, |it| it.expr(value));
        self.evaluating.pop();
        let failed = self.errors > said;
        if failed || val.is_error() {
            return Val::Error;
        }
        if !val.leaves().is_empty() {
            return self.report(constexpr::global_is_not_constant(name, span, bound));
        }
        val
    }

    /// Runs `step` where only the names of the top level of `unit` are known.
    pub(super) fn in_unit<T>(&mut self, unit: UnitId, step: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.frame.unit, unit);
        let scope = std::mem::take(&mut self.frame.scope);
        let locals = std::mem::take(&mut self.frame.bound);
        let result = step(self);
        self.frame.unit = before;
        self.frame.scope = scope;
        self.frame.bound = locals;
        result
    }

    fn attribute(&mut self, value: ExprId, attr: &'p Ident, span: Span) -> Val {
        if attr.name == "element_ty"
            && let ExprKind::Attribute { value: pointer, attr: dtype } = self.kind(value)
            && matches!(dtype.name.as_str(), "dtype" | "type")
        {
            let pointer = self.spanned(*pointer);
            if self.tile(&pointer.val).is_some()
                && let Some(found) = self.attribute_of_type(&pointer, attr)
            {
                return found;
            }
            return self.element_type(&pointer, span);
        }
        if let ExprKind::Attribute { value: inner, attr: name } = self.kind(value)
            && matches!(name.name.as_str(), "type" | "dtype")
            && self.is_local(*inner)
        {
            let of = self.spanned(*inner);
            let typed = name.name == "type" || matches!(of.val, Val::Pointer(_));
            if typed && let Some(found) = self.attribute_of_type(&of, attr) {
                return found;
            }
        }
        let val = self.expr(value);
        if let Val::Namespace(namespace) = val {
            return self.member(namespace, attr);
        }
        if val.is_error() {
            return Val::Error;
        }
        self.attribute_of(Spanned { val, span: self.span(value) }, attr)
    }

    /// Whether an expression is a name of the current function: it may be read twice.
    fn is_local(&self, expr: ExprId) -> bool {
        if let ExprKind::Name(name) = self.kind(expr) {
            return self.frame.scope.binding(name).is_some();
        }
        false
    }

    fn member(&mut self, namespace: Namespace, attr: &'p Ident) -> Val {
        let of_tl = matches!(namespace, Namespace::Tl | Namespace::TlMath);
        if of_tl && let Some(refused) = self.own_function(&attr.name, attr.span) {
            return refused;
        }
        if let Some(kind) = self.program.member(namespace, &attr.name) {
            let unit = if let Namespace::Library(unit) = namespace { unit } else { self.unit() };
            return self.global(unit, &attr.name, kind, (attr.span, attr.span));
        }
        if namespace != Namespace::Triton
            && let Some(error) = habits::not_yet_in_tl(&attr.name, attr.span)
        {
            return self.report(error);
        }
        let known = self.program.member_names(namespace);
        let known = known.iter().map(String::as_str);
        let error = errors::unknown_member(&attr.name, namespace_name(namespace), attr.span, known);
        self.report(error)
    }

    fn call(&mut self, func: ExprId, args: &'p [Arg], span: Span) -> Val {
        let called = self.expr(func);
        if let Val::Builtin(builtin) = called {
            return self.call_builtin(builtin, None, args, span);
        }
        if let Val::Function(callee) = called {
            return self.call_function(callee, None, args, span);
        }
        if let Val::Method(of, callee) = called {
            let of = Spanned { val: *of, span: self.span(func) };
            return match callee {
                Callee::Builtin(builtin) => self.call_builtin(builtin, Some(of), args, span),
                Callee::Function(callee) => self.call_function(callee, Some(of), args, span),
            };
        }
        self.visit_args(args);
        if called.is_error() {
            return Val::Error;
        }
        let found = self.describe(&called);
        self.report(errors::not_callable(&found, self.span(func)))
    }

    fn subscript(&mut self, value: ExprId, index: ExprId, span: Span) -> Val {
        let of = self.spanned(value);
        match &of.val {
            Val::Error => Val::Error,
            Val::Tuple(items) => self.item(items, index, span),
            Val::Value(tile) if self.tile(&of.val).is_some() => {
                self.tile_subscript(*tile, index, span)
            }
            Val::Pointer(pointer) if pointer.offsets.is_some() => {
                let pointer = *pointer;
                self.on_offsets(pointer, |it, tile| it.tile_subscript(tile, index, span))
            }
            Val::Handle(handle) if handle.kind == HandleKind::Buffer => {
                let parts = handle.parts.clone();
                self.chunk(parts, index, span)
            }
            Val::Const(_)
            | Val::Value(_)
            | Val::Pointer(_)
            | Val::View(_)
            | Val::Handle(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Method(..)
            | Val::Namespace(_)
            | Val::Range(_) => {
                let found = self.describe(&of.val);
                self.report(habits::subscript_of(&found, of.span))
            }
        }
    }

    /// `tuple[index]`, `tuple[lower:upper]`.
    fn item(&mut self, items: &[Val], index: ExprId, span: Span) -> Val {
        if let ExprKind::Slice { lower, upper, step: None } = self.kind(index) {
            let lower = lower.map_or(Some(0), |it| self.tuple_place(it, items.len(), true));
            let upper =
                upper.map_or(Some(items.len()), |it| self.tuple_place(it, items.len(), true));
            let (Some(lower), Some(upper)) = (lower, upper) else { return Val::Error };
            return Val::Tuple(items.get(lower..upper.max(lower)).unwrap_or(&[]).to_vec());
        }
        let Some(place) = self.tuple_place(index, items.len(), false) else { return Val::Error };
        match items.get(place) {
            Some(item) => item.clone(),
            None => self.report(constexpr::no_such_item(items.len(), span)),
        }
    }

    /// The place that a constant index names; past the end if there is none.
    fn tuple_place(&mut self, index: ExprId, len: usize, clamp: bool) -> Option<usize> {
        let index = self.spanned(index);
        if index.val.is_error() {
            return None;
        }
        if self.assume(&index.val, &Constant::Int(0)) {
            return None;
        }
        let Some(at) = index.val.constant().and_then(Constant::as_int) else {
            let found = self.describe(&index.val);
            self.report(constexpr::index_is_not_constant(&found, index.span));
            return None;
        };
        let len_signed = len as i128;
        let at = if at < 0 { at + len_signed } else { at };
        let at = if clamp { at.clamp(0, len_signed) } else { at };
        Some(usize::try_from(at).unwrap_or(len))
    }

    /// The arguments that are evaluated although what is called is in error, so that their own
    /// errors are said.
    pub(super) fn visit_args(&mut self, args: &'p [Arg]) {
        for arg in args {
            if arg.kind != ArgKind::DoubleStar {
                self.expr(arg.value);
            }
        }
    }
}
