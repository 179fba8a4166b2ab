//! What `@triton.autotune` and `@triton.heuristics` say of a kernel: values of its compile-time
//! parameters, as far as the text gives them. kbc does not tune: it takes the first configuration,
//! and lists all of them.

use crate::sema::Constant;
use crate::syntax::ast::{Arg, ArgKind, ExprId, ExprKind, Function, Module, StmtKind, UnaryOp};

/// What decorators say of the parameters of a kernel.
#[derive(Clone, Debug, Default)]
pub(in crate::driver) struct Tuning {
    /// The configurations of `autotune` that are written out.
    pub(in crate::driver) configs: Vec<Config>,
    /// The parameters that `heuristics` computes.
    pub(in crate::driver) computed: Vec<String>,
}

/// One configuration.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::driver) struct Config {
    /// The values of parameters.
    pub(in crate::driver) values: Vec<(String, Constant)>,
    /// What is said beside, of the compiler of a GPU: `num_warps`.
    options: Vec<(String, Constant)>,
}

impl Config {
    /// `BLOCK=128, num_warps=4`.
    pub(in crate::driver) fn text(&self) -> String {
        let all = self.values.iter().chain(&self.options);
        let texts: Vec<String> =
            all.map(|(name, value)| format!("{name}={}", shown(value))).collect();
        texts.join(", ")
    }
}

impl Tuning {
    /// What the decorators of a kernel say.
    pub(in crate::driver) fn of(module: &Module, function: &Function) -> Tuning {
        let mut tuning = Tuning::default();
        for decorator in &function.decorators {
            let ExprKind::Call { func, args } = module.kind(*decorator) else { continue };
            match last_name(module, *func) {
                Some("autotune") => tuning.configs.extend(configs(module, args)),
                Some("heuristics") => tuning.computed.extend(keys(module, args)),
                Some(_) | None => {}
            }
        }
        tuning
    }

    /// The value of a parameter in the first configuration.
    pub(in crate::driver) fn value(&self, name: &str) -> Option<&Constant> {
        let first = self.configs.first()?;
        first.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

fn shown(value: &Constant) -> String {
    match value {
        Constant::None => String::from("None"),
        Constant::Bool(true) => String::from("True"),
        Constant::Bool(false) => String::from("False"),
        Constant::Int(value) => value.to_string(),
        Constant::Float(value) => value.to_string(),
        Constant::Str(text) => text.clone(),
        Constant::DType(dtype) => dtype.to_string(),
    }
}

/// `autotune` of `triton.autotune`.
fn last_name(module: &Module, expr: ExprId) -> Option<&str> {
    if let ExprKind::Attribute { attr, .. } = module.kind(expr) {
        return Some(&attr.name);
    }
    if let ExprKind::Name(name) = module.kind(expr) { Some(name) } else { None }
}

/// The argument called `name`, or the first one without a name.
fn argument(args: &[Arg], name: &str) -> Option<ExprId> {
    let named = |arg: &&Arg| matches!(&arg.kind, ArgKind::Keyword(it) if it.name == name);
    let first = || args.first().filter(|arg| arg.kind == ArgKind::Positional);
    args.iter().find(named).or_else(first).map(|arg| arg.value)
}

/// The configurations in `autotune(configs=[triton.Config({…}, …), …])`; none if any is computed.
fn configs(module: &Module, args: &[Arg]) -> Vec<Config> {
    let list = argument(args, "configs").map(|it| behind_name(module, it));
    let Some(ExprKind::List(items)) = list.map(|it| module.kind(it)) else { return Vec::new() };
    let configs: Option<Vec<Config>> = items.iter().map(|it| config(module, *it)).collect();
    configs.unwrap_or_default()
}

/// What a name of the top level is bound to; another expression as it is.
fn behind_name(module: &Module, expr: ExprId) -> ExprId {
    let ExprKind::Name(wanted) = module.kind(expr) else { return expr };
    let bound = module.body.iter().find_map(|stmt| {
        let StmtKind::Assign { targets, value } = &stmt.kind else { return None };
        let is_wanted = |target: &ExprId| *module.kind(*target) == ExprKind::Name(wanted.clone());
        targets.iter().any(is_wanted).then_some(*value)
    });
    bound.unwrap_or(expr)
}

/// `triton.Config({"BLOCK": 128}, num_warps=4)`.
fn config(module: &Module, expr: ExprId) -> Option<Config> {
    let ExprKind::Call { func, args } = module.kind(expr) else { return None };
    let (Some("Config"), Some(values)) = (last_name(module, *func), argument(args, "kwargs"))
    else {
        return None;
    };
    let ExprKind::Dict(items) = module.kind(values) else { return None };
    let values = items.iter().map(|(key, value)| {
        let ExprKind::Str(name) = module.kind(*key) else { return None };
        Some((name.clone(), literal(module, *value)?))
    });
    let options = args.iter().filter_map(|arg| {
        let ArgKind::Keyword(name) = &arg.kind else { return None };
        Some((name.name.clone(), literal(module, arg.value)?))
    });
    Some(Config { values: values.collect::<Option<_>>()?, options: options.collect() })
}

/// The keys of `heuristics({"EVEN": lambda args: …})`.
fn keys(module: &Module, args: &[Arg]) -> Vec<String> {
    let dict = argument(args, "values").map(|it| module.kind(behind_name(module, it)));
    let Some(ExprKind::Dict(items)) = dict else { return Vec::new() };
    let key = |(key, _): &(ExprId, ExprId)| {
        if let ExprKind::Str(name) = module.kind(*key) { Some(name.clone()) } else { None }
    };
    items.iter().filter_map(key).collect()
}

/// A value that is written out.
fn literal(module: &Module, expr: ExprId) -> Option<Constant> {
    let kind = module.kind(expr);
    if let ExprKind::Unary { op: UnaryOp::Neg, operand } = kind {
        return negative(&literal(module, *operand)?);
    }
    let flag = if let ExprKind::Bool(value) = kind { Some(Constant::Bool(*value)) } else { None };
    let text = if let ExprKind::Str(it) = kind { Some(Constant::Str(it.clone())) } else { None };
    let none = (*kind == ExprKind::None).then_some(Constant::None);
    if let ExprKind::Int(value) = kind {
        return Some(Constant::Int(*value));
    }
    if let ExprKind::Float(value) = kind {
        return Some(Constant::Float(*value));
    }
    flag.or(text).or(none)
}

fn negative(value: &Constant) -> Option<Constant> {
    if let Constant::Float(value) = value {
        return Some(Constant::Float(-value));
    }
    if let Constant::Int(value) = value { value.checked_neg().map(Constant::Int) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sink;
    use crate::source::FileId;
    use crate::syntax;

    fn tuning(decorators: &str) -> Tuning {
        let text = format!("{decorators}\n@triton.jit\ndef k(x, BLOCK: tl.constexpr):\n    pass\n");
        let module = syntax::parse(FileId(0), &text, &mut Sink::new());
        let function = module.functions().next().unwrap();
        Tuning::of(&module, function)
    }

    #[test]
    fn configurations_that_are_written_out_are_read() {
        let found = tuning(
            "@triton.autotune(configs=[triton.Config({'BLOCK': 128, 'EVEN': True}, num_warps=4),\n\
             \x20   triton.Config({'BLOCK': 64})], key=['n'])\n\
             @triton.heuristics({'EVEN': lambda args: args['n'] % 2 == 0})",
        );
        let texts: Vec<String> = found.configs.iter().map(Config::text).collect();
        assert_eq!(texts, ["BLOCK=128, EVEN=True, num_warps=4", "BLOCK=64"]);
        assert_eq!(found.value("BLOCK"), Some(&Constant::Int(128)));
        assert_eq!(found.value("n"), None);
        assert_eq!(found.computed, ["EVEN"]);
    }

    #[test]
    fn a_list_may_have_a_name_and_what_is_computed_is_left_to_the_user() {
        let named = "configs = [triton.Config({'BLOCK': -1})]\n@triton.autotune(configs, key=[])";
        assert_eq!(tuning(named).value("BLOCK"), Some(&Constant::Int(-1)));
        for computed in ["[triton.Config({'BLOCK': b}) for b in (1, 2)]", "get()", "[make(1)]", "X"]
        {
            let found = tuning(&format!("@triton.autotune(configs={computed}, key=[])"));
            assert!(found.configs.is_empty(), "{computed}");
        }
    }
}
