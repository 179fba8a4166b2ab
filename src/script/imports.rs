//! What host functions can import: `math`, `triton`, `torch`, `numpy`, and where kernbench's programs
//! find the same things.

use super::builtins::{self, Triton};
use super::evaluator::Evaluator;
use super::fault::Result;
use super::torch::{Numpy, Torch};
use super::value::Value;
use crate::source::Span;

/// Modules under another name than their own. An import that begins with the left one finds what it
/// names in the right one.
const ALIASES: [(&str, &str); 4] = [
    ("kernbench.policy.placement.dp", "torch"),
    ("kernbench.tp", "torch.tp"),
    ("triton.language.math", "math"),
    // Decorators of kernels, which host functions never apply: the name alone must be known.
    ("triton.jit", "triton"),
];

/// The packages, for messages.
pub(super) const PACKAGES: &str = "`math`, `numpy`, `torch`, `triton` and `triton.language`";

/// What `import path` binds, or, where `is_member`, what `path` leads to: the member that `from module
/// import member` names, or the module of `import module as name`. Without an alias `import a.b`
/// binds `a`, whether or not kbc has a `b`.
pub(super) fn import(
    evaluator: &mut Evaluator<'_>,
    (path, is_member): (&str, bool),
    span: Span,
) -> Result<Option<Value>> {
    let path = unaliased(path);
    let mut parts = path.split('.');
    let Some(mut found) = parts.next().and_then(package) else { return Ok(None) };
    if !is_member {
        return Ok(Some(found));
    }
    for name in parts {
        let Value::Object(module) = &found else { return Ok(None) };
        let module = module.clone();
        let Some(member) = module.attribute(evaluator, name, span)? else { return Ok(None) };
        found = member;
    }
    Ok(Some(found))
}

fn unaliased(path: &str) -> String {
    let real = ALIASES.iter().find_map(|(alias, own)| {
        let rest = path.strip_prefix(alias)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{own}{rest}"))
    });
    real.unwrap_or_else(|| path.to_owned())
}

fn package(name: &str) -> Option<Value> {
    match name {
        "math" => Some(builtins::math()),
        "numpy" => Some(Value::object(Numpy)),
        "torch" => Some(Value::object(Torch)),
        "triton" => Some(Value::object(Triton)),
        _ => None,
    }
}
