//! Expressions.

use std::rc::Rc;

use super::code::{Code, CodeKey};
use super::iterate::undecided;
use super::scope::{Place, Scope};
use super::statement::unparsed;
use super::{Closure, Evaluator};
use crate::diag::{hosting, nearest_help};
use crate::script::builtins;
use crate::script::dict::{Dict, Key};
use crate::script::fault::{Fault, Result};
use crate::script::object::Method;
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{
    BoolOp, Clause, CompareOp, ComprehensionKind, ExprId, ExprKind, FStringPart, Ident, UnaryOp,
};

impl<'a> Evaluator<'a> {
    /// The value of the expression `id`.
    pub(super) fn evaluate(&mut self, scope: &Rc<Scope>, id: ExprId) -> Result<Value> {
        let span = self.module.span(id);
        self.spend(1, span)?;
        match self.module.kind(id) {
            ExprKind::Name(name) => self.name(scope, id, name),
            ExprKind::Int(value) => Ok(Value::Int(*value)),
            ExprKind::Float(value) => Ok(Value::Float(*value)),
            ExprKind::Str(text) => Ok(Value::str(text)),
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::None => Ok(Value::None),
            ExprKind::FString(_)
            | ExprKind::Ellipsis
            | ExprKind::Attribute { .. }
            | ExprKind::Call { .. }
            | ExprKind::Subscript { .. }
            | ExprKind::Slice { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Binary { .. }
            | ExprKind::Compare { .. }
            | ExprKind::BoolOp { .. }
            | ExprKind::IfElse { .. }
            | ExprKind::Tuple(_)
            | ExprKind::List(_)
            | ExprKind::Dict(_)
            | ExprKind::Lambda { .. }
            | ExprKind::Comprehension { .. }
            | ExprKind::Starred(_)
            | ExprKind::Walrus { .. }
            | ExprKind::Error => self.deeper(span, |it| it.evaluate_compound(scope, id, span)),
        }
    }

    fn evaluate_compound(&mut self, scope: &Rc<Scope>, id: ExprId, span: Span) -> Result<Value> {
        let module = self.module;
        match module.kind(id) {
            ExprKind::Attribute { value, attr } => {
                let value = self.evaluate(scope, *value)?;
                self.attribute(&value, attr)
            }
            ExprKind::Call { func, args } => self.call_expression(scope, *func, args, span),
            ExprKind::Subscript { value, index } => {
                let value = self.evaluate(scope, *value)?;
                let index = self.evaluate_index(scope, *index)?;
                self.item(&value, &index, span)
            }
            ExprKind::Unary { op, operand } => self.evaluate_unary(scope, *op, *operand),
            ExprKind::Binary { op, left, right } => {
                let spans = (module.span(*left), module.span(*right));
                let left = self.evaluate(scope, *left)?;
                let right = self.evaluate(scope, *right)?;
                self.binary(*op, left, right, spans)
            }
            ExprKind::Compare { first, rest } => self.evaluate_chain(scope, *first, rest),
            ExprKind::BoolOp { op, operands } => self.evaluate_bool(scope, *op, operands),
            ExprKind::IfElse { condition, then, otherwise } => {
                let taken = if self.decide(scope, *condition)? { then } else { otherwise };
                self.evaluate(scope, *taken)
            }
            ExprKind::Tuple(items) => self.gather(scope, items).map(Value::tuple),
            ExprKind::List(items) => self.gather(scope, items).map(Value::list),
            ExprKind::Dict(entries) => self.evaluate_dict(scope, entries),
            ExprKind::Lambda { params, body } => {
                let defaults = self.defaults(scope, params)?;
                let code = self.code(CodeKey::Expression(id), || Code::of_lambda(params, *body));
                let scope = scope.clone();
                Ok(Value::Function(Rc::new(Closure { code, defaults, scope })))
            }
            ExprKind::Comprehension { kind, element, clauses } => {
                self.comprehend(scope, id, *kind, (*element, clauses))
            }
            ExprKind::FString(parts) => self.evaluate_fstring(scope, parts),
            ExprKind::Walrus { .. } => {
                Err(refused("`:=`", "assign in a statement of its own", span))
            }
            ExprKind::Ellipsis => Err(refused("`...`", "use `pass` for an empty body", span)),
            ExprKind::Starred(_) => Err(refused(
                "`*` here",
                "use it in a call, a list or a tuple, or in an assignment",
                span,
            )),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::None
            | ExprKind::Name(_)
            | ExprKind::Slice { .. }
            | ExprKind::Error => Err(unparsed(span)),
        }
    }

    fn name(&mut self, scope: &Rc<Scope>, id: ExprId, name: &str) -> Result<Value> {
        let span = self.module.span(id);
        let Some(place) = self.place(scope, id, name) else {
            let message = format!("`{name}` is not defined");
            let names = self.names_from(scope);
            let help = nearest_help("name", name, names.iter().map(String::as_str));
            return Err(Fault::new(hosting::HOST_NAME, message, span, "not defined").help(help));
        };
        let (up, slot) = match place {
            Place::Builtin(index) => return Ok(builtins::at(index)),
            Place::Slot { up, slot } => (up, slot),
        };
        let found = scope.out(up).and_then(|scope| scope.get(slot));
        found.map_or_else(|| Err(self.unbound(scope, (up, slot), name, span)), Ok)
    }

    fn unbound(&self, scope: &Rc<Scope>, (up, slot): (u32, u32), name: &str, span: Span) -> Fault {
        let is_file = scope.out(up).is_some_and(|scope| Rc::ptr_eq(scope, &self.globals));
        if let Some(fault) = self.failed.get(&slot).filter(|_| is_file) {
            return fault.clone().because(span, format!("`{name}` is needed here"));
        }
        let deleted = scope.out(up).and_then(|scope| self.deleted.get(&(scope.code, slot)));
        if let Some(deleted) = deleted {
            let message = format!("`{name}` is used after it was deleted");
            return Fault::new(hosting::HOST_UNBOUND, message, span, "no value any more")
                .because(*deleted, "deleted here")
                .note("a tensor's memory is given back when the last name of it is deleted");
        }
        let message = format!("`{name}` is used before it has a value");
        let note = match is_file {
            true => "the file assigns it later, or in a branch that did not run",
            false => "a name that a function assigns anywhere is its own everywhere in it",
        };
        Fault::new(hosting::HOST_UNBOUND, message, span, "no value yet").note(note)
    }

    /// `value.attr`.
    fn attribute(&mut self, value: &Value, attr: &Ident) -> Result<Value> {
        if let Value::Unknown(made) = value {
            return Ok(Value::Unknown(*made));
        }
        if let Value::Object(object) = value {
            if let Some(found) = object.attribute(self, &attr.name, attr.span)? {
                return Ok(found);
            }
        } else if builtins::method_names(value).contains(&attr.name.as_str()) {
            return Ok(Method::value(value.clone(), &attr.name));
        }
        Err(no_attribute(value, attr))
    }

    fn evaluate_unary(&mut self, scope: &Rc<Scope>, op: UnaryOp, operand: ExprId) -> Result<Value> {
        let span = self.module.span(operand);
        let value = self.evaluate(scope, operand)?;
        if value.unknown().is_some() {
            return Ok(value);
        }
        if op == UnaryOp::Not {
            return self.truth(&value, span).map(|truth| Value::Bool(!truth));
        }
        self.unary(op, &value, span)
    }

    /// `a < b < c`: each neighbouring pair, until one does not hold.
    fn evaluate_chain(
        &mut self,
        scope: &Rc<Scope>,
        first: ExprId,
        rest: &'a [(CompareOp, ExprId)],
    ) -> Result<Value> {
        let module = self.module;
        let mut left = self.evaluate(scope, first)?;
        let mut left_span = module.span(first);
        let mut result = Value::Bool(true);
        for (index, (op, right)) in rest.iter().enumerate() {
            let right_span = module.span(*right);
            let right = self.evaluate(scope, *right)?;
            result = self.compare(*op, &left, &right, (left_span, right_span))?;
            let is_last = index + 1 == rest.len();
            if !is_last && !self.truth(&result, left_span.to(right_span))? {
                return Ok(result);
            }
            (left, left_span) = (right, right_span);
        }
        Ok(result)
    }

    fn evaluate_bool(
        &mut self,
        scope: &Rc<Scope>,
        op: BoolOp,
        operands: &'a [ExprId],
    ) -> Result<Value> {
        let stops_at = op == BoolOp::Or;
        let mut result = Value::Bool(!stops_at);
        for operand in operands {
            result = self.evaluate(scope, *operand)?;
            // The value of the last decides nothing here.
            let is_last = Some(operand) == operands.last();
            if is_last || self.truth(&result, self.module.span(*operand))? == stops_at {
                break;
            }
        }
        Ok(result)
    }

    /// The values of a list's or a tuple's elements, starred ones spread out.
    fn gather(&mut self, scope: &Rc<Scope>, items: &'a [ExprId]) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            if let ExprKind::Starred(inner) = self.module.kind(*item) {
                let inner_value = self.evaluate(scope, *inner)?;
                values.extend(self.items(&inner_value, self.module.span(*inner))?);
            } else {
                values.push(self.evaluate(scope, *item)?);
            }
        }
        Ok(values)
    }

    fn evaluate_dict(
        &mut self,
        scope: &Rc<Scope>,
        entries: &'a [(ExprId, ExprId)],
    ) -> Result<Value> {
        let mut dict = Dict::default();
        for (key, value) in entries {
            let shown = self.evaluate(scope, *key)?;
            let value = self.evaluate(scope, *value)?;
            dict.set(hashable(&shown, self.module.span(*key))?, shown, value);
        }
        Ok(Value::dict(dict))
    }

    fn comprehend(
        &mut self,
        scope: &Rc<Scope>,
        id: ExprId,
        kind: ComprehensionKind,
        (element, clauses): (ExprId, &'a [Clause]),
    ) -> Result<Value> {
        let module = self.module;
        let Some(first) = clauses.first() else { return Err(unparsed(module.span(id))) };
        if kind == ComprehensionKind::Set {
            let message = "sets are not supported in host functions";
            return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, module.span(id), "a set"));
        }
        // The first iterable belongs to the scope around, as in Python.
        let over = self.evaluate(scope, first.iter)?;
        let code =
            self.code(CodeKey::Expression(id), || Code::of_comprehension(module, clauses, element));
        let slots = self.codes[code].slots();
        let inner = Rc::new(Scope::new(code, slots, Some(scope.clone())));
        let mut made = Made { is_dict: kind == ComprehensionKind::Dict, ..Made::default() };
        self.comprehend_clause(&inner, (clauses, element), Some(over), &mut made)?;
        Ok(if made.is_dict { Value::dict(made.dict) } else { Value::list(made.values) })
    }

    fn comprehend_clause(
        &mut self,
        scope: &Rc<Scope>,
        (clauses, element): (&'a [Clause], ExprId),
        over: Option<Value>,
        made: &mut Made,
    ) -> Result<()> {
        let module = self.module;
        let Some((clause, inner)) = clauses.split_first() else {
            return self.comprehend_element(scope, element, made);
        };
        let over = match over {
            Some(over) => over,
            None => self.evaluate(scope, clause.iter)?,
        };
        let span = module.span(clause.iter);
        let cursor = self.iterate(&over, span)?;
        'items: for item in cursor {
            self.spend(4, span)?;
            self.assign(scope, clause.target, item, span)?;
            for condition in &clause.conditions {
                if !self.decide(scope, *condition)? {
                    continue 'items;
                }
            }
            self.comprehend_clause(scope, (inner, element), None, made)?;
        }
        Ok(())
    }

    fn comprehend_element(
        &mut self,
        scope: &Rc<Scope>,
        element: ExprId,
        made: &mut Made,
    ) -> Result<()> {
        let module = self.module;
        if !made.is_dict {
            made.values.push(self.evaluate(scope, element)?);
            return Ok(());
        }
        let ExprKind::Tuple(pair) = module.kind(element) else {
            return Err(unparsed(module.span(element)));
        };
        let [key, value] = pair[..] else { return Err(unparsed(module.span(element))) };
        let shown = self.evaluate(scope, key)?;
        let value = self.evaluate(scope, value)?;
        made.dict.set(hashable(&shown, module.span(key))?, shown, value);
        Ok(())
    }

    fn evaluate_fstring(&mut self, scope: &Rc<Scope>, parts: &'a [FStringPart]) -> Result<Value> {
        let mut text = String::new();
        for part in parts {
            match part {
                FStringPart::Text(part) => text.push_str(part),
                FStringPart::Value { value: id, spec } => {
                    let span = self.module.span(*id);
                    let value = self.evaluate(scope, *id)?;
                    let spec = spec.as_deref().unwrap_or("");
                    text.push_str(&super::format_value(self, &value, spec, span)?);
                    self.spend(text.len() as u64 / 64, span)?;
                }
            }
        }
        Ok(Value::str(text))
    }

    /// Whether `value`, which was written at `span`, counts as true.
    pub(in crate::script) fn truth(&mut self, value: &Value, span: Span) -> Result<bool> {
        Ok(match value {
            Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Tuple(items) => !items.values().is_empty(),
            Value::List(list) => !list.0.borrow().is_empty(),
            Value::Dict(dict) => dict.0.borrow().len() != 0,
            Value::Range(range) => range.len() != 0,
            Value::Function(_) | Value::Kernel(_) | Value::Native(_) | Value::Method(_) => true,
            Value::Object(object) => match object.truth(self, span)? {
                Some(Value::Bool(truth)) => truth,
                Some(Value::Unknown(made)) => return Err(undecided("this choice", made, span)),
                _ => {
                    let message = format!("{} is neither true nor false", value.a_type());
                    let label = "its truth is asked here";
                    return Err(Fault::new(hosting::HOST_TYPE, message, span, label)
                        .help(String::from("say `.all()` or `.any()`, or compare one element")));
                }
            },
            Value::Unknown(made) => return Err(undecided("this choice", *made, span)),
        })
    }
}

/// What Python has and host functions have not.
fn refused(what: &str, help: &str, span: Span) -> Fault {
    let message = format!("{what} is not supported in host functions");
    Fault::new(hosting::HOST_UNSUPPORTED, message, span, "not supported").help(help.to_owned())
}

/// What a comprehension has made so far.
#[derive(Default)]
struct Made {
    is_dict: bool,
    values: Vec<Value>,
    dict: Dict,
}

/// `value` as a key of a dict.
pub(in crate::script) fn hashable(value: &Value, span: Span) -> Result<Key> {
    if let Value::Unknown(made) = value {
        return Err(undecided("this key", *made, span));
    }
    Key::of(value).ok_or_else(|| {
        let found = value.a_type();
        let message = format!("{found} cannot be a key of a dict");
        Fault::new(hosting::HOST_TYPE, message, span, format!("this is {found}"))
    })
}

/// That `value` has no such attribute or method.
pub(in crate::script) fn no_attribute(value: &Value, attr: &Ident) -> Fault {
    let (names, what) = if let Value::Object(object) = value {
        (object.names(), object.type_name())
    } else {
        (builtins::method_names(value).to_vec(), value.type_name())
    };
    let message = format!("{what} has no attribute `{}`", attr.name);
    let help = nearest_help("attribute", &attr.name, names);
    Fault::new(hosting::HOST_ATTRIBUTE, message, attr.span, "no such attribute").help(help)
}
