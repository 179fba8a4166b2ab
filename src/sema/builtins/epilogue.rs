//! The epilogue of a composite: a list of steps, each a name (`"relu"`), a tuple of a name, its
//! operand and its scope (`("scale", 0.5, "k_tile")`), or a dict (`{"op": "bias", "bias": b}`).

use super::Call;
use super::composite::COMBINATIONS;
use crate::dtype::DType;
use crate::ir::{Dim, EpilogueStep, MAX_STEP_OPERANDS, Scope, StepOp, Value};
use crate::ops::{BinaryOp, Domain, UnaryOp};
use crate::sema::analysis::Analysis;
use crate::sema::errors::composite as errors;
use crate::sema::value::{Constant, Val};
use crate::source::Span;
use crate::syntax::ast::ExprKind;

/// What steps are applied to.
pub(super) struct Result {
    pub(super) rows: Dim,
    pub(super) columns: Dim,
    /// The type in which steps compute.
    pub(super) works: DType,
    /// Whether there are tiles along k.
    pub(super) is_gemm: bool,
}

/// A kind of step: its name, what its operand is called, and what it does.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    operand: Option<&'static str>,
    op: StepOp,
    /// Whether it is about floats by its name, whatever its operand.
    floats: bool,
}

/// The steps that have names of their own.
const NAMED: [Kind; 4] = [
    Kind::new("bias", Some("bias"), StepOp::Binary(BinaryOp::Add), false),
    Kind::new("relu", None, StepOp::Binary(BinaryOp::Maximum), false),
    Kind::new("scale", Some("factor"), StepOp::Binary(BinaryOp::Mul), true),
    Kind::new("dequant", Some("scale"), StepOp::Binary(BinaryOp::Mul), true),
];

impl Kind {
    const fn new(
        name: &'static str,
        operand: Option<&'static str>,
        op: StepOp,
        floats: bool,
    ) -> Kind {
        Kind { name, operand, op, floats }
    }

    /// The step called `name`: one with a name of its own, an elementwise op of one operand, or
    /// one of two of which the other is called `other`.
    fn of(name: &str) -> Option<Kind> {
        let named = NAMED.into_iter().find(|kind| kind.name == name);
        let unary = || UnaryOp::from_name(name).filter(|op| op.domain() != Domain::Int);
        let unary = || {
            unary().map(|op| {
                let floats = op.domain() == Domain::Float;
                Kind { name: op.name(), operand: None, op: StepOp::Unary(op), floats }
            })
        };
        let binary = || {
            let (name, op) = COMBINATIONS.into_iter().find(|(it, _)| *it == name)?;
            Some(Kind { name, operand: Some("other"), op: StepOp::Binary(op), floats: false })
        };
        named.or_else(unary).or_else(binary)
    }

    fn names() -> Vec<&'static str> {
        let unary = UnaryOp::ALL.iter().filter(|op| op.domain() != Domain::Int);
        let combinations = COMBINATIONS.map(|(name, _)| name);
        NAMED
            .iter()
            .map(|kind| kind.name)
            .chain(unary.map(|op| op.name()))
            .chain(combinations)
            .collect()
    }
}

/// A step as it is written.
struct Written {
    kind: Kind,
    operand: Option<Val>,
    scope: Option<Val>,
}

/// The steps of `epilogue=`, in the order of their scopes.
pub(super) fn steps(
    it: &mut Analysis<'_>,
    call: &Call,
    target: &Result,
) -> Option<Vec<EpilogueStep>> {
    let Some(arg) = call.some("epilogue") else { return Some(Vec::new()) };
    let Some(items) = arg.val.items() else {
        let found = it.describe(&arg.val);
        it.report(errors::no_epilogue(&found, arg.span));
        return None;
    };
    let mut steps = Vec::new();
    for (item, span) in items.iter().zip(spans(it, call, items.len(), arg.span)) {
        let written = written(it, item, span)?;
        steps.push(step(it, &written, target, span)?);
    }
    let operands = steps.iter().filter(|step| step.operand.is_some()).count();
    if operands > MAX_STEP_OPERANDS {
        it.report(errors::too_many_operands(operands, MAX_STEP_OPERANDS, arg.span));
        return None;
    }
    steps.sort_by_key(|step| step.scope);
    Some(steps)
}

/// Where the items of the list are written: each by itself where the list is, else all of it.
fn spans(it: &Analysis<'_>, call: &Call, count: usize, whole: Span) -> Vec<Span> {
    let list = call.expr("epilogue").map(|expr| it.kind(expr));
    match list {
        Some(ExprKind::List(items) | ExprKind::Tuple(items)) if items.len() == count => {
            items.iter().map(|item| it.span(*item)).collect()
        }
        Some(_) | None => vec![whole; count],
    }
}

/// Reads one item of the list.
fn written(it: &mut Analysis<'_>, item: &Val, span: Span) -> Option<Written> {
    if let Some(name) = item.text() {
        let kind = kind(it, name, span)?;
        return Some(Written { kind, operand: None, scope: None });
    }
    let items = item.items().unwrap_or(&[]);
    match items.first().map(|first| (first.text(), first.items())) {
        Some((Some(name), _)) => in_order(it, name, &items[1..], span),
        Some((None, Some(_))) => by_key(it, items, span),
        Some((None, None)) | None => {
            let found = it.describe(item);
            it.report(errors::step_form(&found, span));
            None
        }
    }
}

fn kind(it: &mut Analysis<'_>, name: &str, span: Span) -> Option<Kind> {
    let kind = Kind::of(name);
    if kind.is_none() {
        it.report(errors::unknown_step(name, &Kind::names(), span));
    }
    kind
}

/// `("scale", 0.5, "k_tile")`: the operand, if the step has one, then the scope.
fn in_order(it: &mut Analysis<'_>, name: &str, rest: &[Val], span: Span) -> Option<Written> {
    let kind = kind(it, name, span)?;
    let taken = usize::from(kind.operand.is_some());
    if rest.len() > taken + 1 {
        it.report(errors::step_operand(name, None, span));
        return None;
    }
    let operand = kind.operand.and_then(|_| rest.first().cloned());
    Some(Written { kind, operand, scope: rest.get(taken).cloned() })
}

/// `{"op": "scale", "factor": 0.5, "scope": "k_tile"}` as pairs.
fn by_key(it: &mut Analysis<'_>, pairs: &[Val], span: Span) -> Option<Written> {
    let pairs: Vec<(&str, &Val)> = pairs
        .iter()
        .filter_map(|pair| match pair.items() {
            Some([key, value]) => key.text().map(|key| (key, value)),
            Some(_) | None => None,
        })
        .collect();
    let value = |key: &str| pairs.iter().find(|(it, _)| *it == key).map(|(_, value)| *value);
    let Some(name) = value("op").and_then(Val::text) else {
        let found = "a dict without `op`";
        it.report(errors::step_form(found, span));
        return None;
    };
    let kind = kind(it, name, span)?;
    let known: Vec<&str> = ["op", "scope"].into_iter().chain(kind.operand).collect();
    if let Some((key, _)) = pairs.iter().find(|(key, _)| !known.contains(key)) {
        it.report(errors::unknown_key((name, key), &known, span));
        return None;
    }
    let operand = kind.operand.and_then(value).cloned();
    Some(Written { kind, operand, scope: value("scope").cloned() })
}

fn step(
    it: &mut Analysis<'_>,
    written: &Written,
    target: &Result,
    span: Span,
) -> Option<EpilogueStep> {
    let kind = written.kind;
    let scope = scope(it, written, target, span)?;
    if kind.floats && !target.works.is_float() {
        it.report(errors::step_of_floats(kind.name, target.works, span));
        return None;
    }
    let operand = match (kind.op, kind.operand, &written.operand) {
        (StepOp::Unary(_), ..) => None,
        (StepOp::Binary(_), None, _) => {
            Some(it.number_as(&Constant::Int(0), target.works, span)?)
        }
        (StepOp::Binary(_), Some(_), Some(val)) => Some(operand(it, (kind, val), target, span)?),
        (StepOp::Binary(_), Some(name), None) => {
            it.report(errors::step_operand(kind.name, Some(name), span));
            return None;
        }
    };
    Some(EpilogueStep { op: kind.op, operand, scope })
}

fn scope(it: &mut Analysis<'_>, written: &Written, target: &Result, span: Span) -> Option<Scope> {
    let Some(val) = &written.scope else { return Some(Scope::OutputTile) };
    let step = written.kind.name;
    match val.text().and_then(Scope::from_name) {
        Some(Scope::KTile) if !target.is_gemm => {
            it.report(errors::k_tile_of_math(step, span));
            None
        }
        Some(scope) => Some(scope),
        None => {
            let found = it.describe(val);
            let known = Scope::ALL.map(Scope::name);
            let name = val.text().map(str::to_owned);
            it.report(errors::unknown_scope((step, &found), (name.as_deref(), &known), span));
            None
        }
    }
}

/// The operand of a step: a number, a scalar, or a tile that broadcasts to the result.
fn operand(
    it: &mut Analysis<'_>,
    (kind, val): (Kind, &Val),
    target: &Result,
    span: Span,
) -> Option<Value> {
    if let Val::Const(constant) = val
        && constant.is_number()
    {
        return number(it, (kind, constant), target, span);
    }
    let found = it.describe(val);
    let dtype = it.operand_dtype(val);
    let (Some(value), Some(dtype)) = (val.value(), dtype) else {
        it.report(errors::step_value(kind.name, &found, span));
        return None;
    };
    if dtype.is_float() && !target.works.is_float() {
        it.report(errors::step_of_floats(kind.name, target.works, span));
        return None;
    }
    let dims = it.tile(val).map(|tile| tile.dims.clone());
    if let Some(dims) = dims
        && !broadcasts(it, &dims, target, span)
    {
        let wanted = it.shape_text(&[target.rows, target.columns]);
        it.report(errors::step_shape(kind.name, (&found, &wanted), span));
        return None;
    }
    let same_kind = dtype.is_float() == target.works.is_float();
    let is_tile = it.tile(val).is_some();
    // Tiles are widened as they are read; scalars and integers are converted here.
    Some(if same_kind && is_tile { value } else { it.cast(value, target.works, span) })
}

fn number(
    it: &mut Analysis<'_>,
    (kind, constant): (Kind, &Constant),
    target: &Result,
    span: Span,
) -> Option<Value> {
    if matches!(constant, Constant::Float(_)) && !target.works.is_float() {
        it.report(errors::step_of_floats(kind.name, target.works, span));
        return None;
    }
    it.number_as(constant, target.works, span)
}

/// Whether a tile of these extents repeats to the shape of the result, now or at the launch.
fn broadcasts(it: &mut Analysis<'_>, dims: &[Dim], target: &Result, span: Span) -> bool {
    let wanted = [target.rows, target.columns];
    dims.len() <= 2
        && dims.iter().rev().zip(wanted.iter().rev()).enumerate().all(|(axis, (own, wanted))| {
            let what = "the operand of a step and the result";
            *own == Dim::Const(1) || it.require_equal(what, (*own, *wanted), 1 - axis, span)
        })
}
