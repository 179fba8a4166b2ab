//! The arguments of a built-in, each given to its parameter.

use super::Builtin;
use crate::diag::Diagnostic;
use crate::dtype::DType;
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{calls, composite, constexpr, operands};
use crate::sema::value::{Constant, Spanned, Val, ViewKind};
use crate::source::Span;
use crate::syntax::ast::{self, Arg, ExprId};

/// A call of a built-in whose arguments are evaluated and none in error.
#[derive(Debug)]
pub(in crate::sema) struct Call {
    /// What is called.
    pub(super) builtin: Builtin,
    /// The whole call.
    pub(super) span: Span,
    given: Vec<(&'static str, Given)>,
}

/// An argument.
#[derive(Clone, Debug)]
struct Given {
    arg: Spanned,
    /// The expression; `None` for an item of `*tuple` and for the value of a method.
    expr: Option<ExprId>,
}

/// A parameter of a signature.
#[derive(Clone, Copy)]
struct Param {
    name: &'static str,
    alias: Option<&'static str>,
    required: bool,
    rest: bool,
}

/// The parameters of a built-in, in the order of `style`: those that Triton does not have are by
/// keyword only in its style, so that `tl.load(pointers, mask)` means there what it always does.
fn params(builtin: Builtin, style: Style) -> Vec<Param> {
    let mut params = listed_params(builtin);
    if style == Style::Jit && builtin.name() == "load" {
        params.sort_by_key(|param| ["shape", "dtype"].contains(&param.name));
    }
    params
}

fn listed_params(builtin: Builtin) -> Vec<Param> {
    let parts = builtin.signature().split(", ").filter(|part| !part.is_empty());
    let parse = |part: &'static str| {
        let (names, default) = match part.split_once('=') {
            Some((names, default)) => (names, Some(default)),
            None => (part, None),
        };
        let rest = names.starts_with('*');
        let names = names.trim_start_matches('*');
        let (name, alias) = match names.split_once('|') {
            Some((name, alias)) => (name, Some(alias)),
            None => (names, None),
        };
        Param { name, alias, required: default.is_none() && !rest, rest }
    };
    parts.map(parse).collect()
}

impl Call {
    /// The argument of the parameter `name`, unless it was left out.
    pub(super) fn get(&self, name: &str) -> Option<&Spanned> {
        self.given.iter().find(|(param, _)| *param == name).map(|(_, given)| &given.arg)
    }

    /// The argument of a parameter that has no default.
    pub(super) fn arg(&self, name: &str) -> &Spanned {
        self.get(name).expect("a required parameter has an argument")
    }

    /// The argument of `name`, unless it was left out or is `None`.
    pub(super) fn some(&self, name: &str) -> Option<&Spanned> {
        self.get(name).filter(|it| !matches!(it.val, Val::Const(Constant::None)))
    }

    /// Whether a flag is given and true.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(|it| it.val.constant()).is_some_and(Constant::is_true)
    }

    /// The expression of an argument.
    pub(super) fn expr(&self, name: &str) -> Option<ExprId> {
        self.given.iter().find(|(param, _)| *param == name).and_then(|(_, given)| given.expr)
    }

    /// The text of the first argument.
    pub(super) fn arg_span(&self) -> Span {
        self.given.first().map_or(self.span, |(_, given)| given.arg.span)
    }

    /// `tl.load`, for messages.
    pub(super) fn name(&self) -> String {
        self.builtin.display_name()
    }
}

impl<'p> Analysis<'p> {
    /// Calls a built-in; `receiver` is the value of a method.
    pub(in crate::sema) fn call_builtin(
        &mut self,
        builtin: Builtin,
        receiver: Option<Spanned>,
        args: &'p [Arg],
        span: Span,
    ) -> Val {
        let mut given: Vec<(&'static str, Given)> = Vec::new();
        let params = params(builtin, self.frame.style);
        let mut place = 0;
        let mut good = true;
        if let (Some(arg), Some(first)) = (receiver, params.first()) {
            given.push((first.name, Given { arg, expr: None }));
            place = 1;
        }
        let dicts = std::mem::replace(&mut self.dicts, builtin.name() == "composite");
        for arg in args {
            let expr = (arg.kind != ast::ArgKind::Star).then_some(arg.value);
            for (keyword, value) in self.arguments_in(arg) {
                let value = Given { arg: value, expr };
                good &= match keyword {
                    None => self.positional(builtin, &params, &mut given, (&mut place, value)),
                    Some(keyword) => self.keyword(builtin, &params, &mut given, (&keyword, value)),
                };
            }
        }
        self.dicts = dicts;
        let missing: Vec<&str> = params
            .iter()
            .filter(|it| it.required && given.iter().all(|(name, _)| *name != it.name))
            .map(|it| it.name)
            .collect();
        if good && !missing.is_empty() {
            return self.report(missing_arguments((builtin, &params), &missing, span));
        }
        if !good || given.iter().any(|(_, given)| given.arg.val.is_error()) {
            return Val::Error;
        }
        builtin.run(self, &Call { builtin, span, given })
    }

    fn positional(
        &mut self,
        builtin: Builtin,
        params: &[Param],
        given: &mut Vec<(&'static str, Given)>,
        (place, value): (&mut usize, Given),
    ) -> bool {
        let Some(param) = params.get(*place) else {
            let error =
                calls::too_many_arguments(&builtin.display_name(), params.len(), value.arg.span);
            self.report(error.help(signature_help(builtin, params)));
            return false;
        };
        if !param.rest {
            *place += 1;
            given.push((param.name, value));
            return true;
        }
        let rest = given.iter_mut().find(|(name, _)| *name == param.name);
        match rest {
            Some((_, Given { arg: Spanned { val: Val::Tuple(items), span }, .. })) => {
                items.push(value.arg.val);
                *span = span.to(value.arg.span);
            }
            _ => {
                let arg = Spanned { val: Val::Tuple(vec![value.arg.val]), span: value.arg.span };
                given.push((param.name, Given { arg, expr: None }));
            }
        }
        true
    }

    fn keyword(
        &mut self,
        builtin: Builtin,
        params: &[Param],
        given: &mut Vec<(&'static str, Given)>,
        (keyword, value): (&str, Given),
    ) -> bool {
        let wanted = |it: &&Param| it.name == keyword || it.alias == Some(keyword);
        let Some(param) = params.iter().find(wanted) else {
            let names: Vec<&str> = params.iter().map(|it| it.name).collect();
            let name = builtin.display_name();
            let error = calls::unknown_keyword(&name, keyword, value.arg.span, &names);
            self.report(error.help(signature_help(builtin, params)));
            return false;
        };
        if let Some((_, first)) = given.iter().find(|(name, _)| *name == param.name) {
            let first = first.arg.span;
            let name = builtin.display_name();
            self.report(calls::given_twice(&name, param.name, value.arg.span, first));
            return false;
        }
        given.push((param.name, value));
        true
    }

    /// The element type that an argument names.
    pub(super) fn dtype_argument(&mut self, arg: &Spanned) -> Option<DType> {
        if let Val::Const(Constant::DType(dtype)) = &arg.val {
            return Some(*dtype);
        }
        if self.assume(&arg.val, &Constant::DType(DType::F32)) {
            return None;
        }
        let Some(name) = arg.val.text() else {
            let found = self.describe(&arg.val);
            self.report(constexpr::dtype_is_not_constant(&found, arg.span));
            return None;
        };
        let dtype = DType::from_name(name);
        if dtype.is_none() {
            self.report(constexpr::unknown_dtype(name, arg.span));
        }
        dtype
    }

    /// An integer that the compiler must know: `what` is "an axis".
    pub(super) fn constant_int(&mut self, what: &str, arg: &Spanned) -> Option<i128> {
        let known = arg.val.constant().and_then(Constant::as_int);
        if known.is_none() && !self.assume(&arg.val, &Constant::Int(1)) {
            let found = self.describe(&arg.val);
            self.report(constexpr::not_a_constant_int(what, &found, arg.span));
        }
        known
    }

    /// The place of an axis among `rank`, counted from the end where negative.
    pub(super) fn axis_argument(&mut self, arg: &Spanned, rank: usize) -> Option<u32> {
        let axis = self.constant_int("an axis", arg)?;
        let place = if axis < 0 { axis + rank as i128 } else { axis };
        let good = (0..rank as i128).contains(&place);
        if !good {
            self.report(operands::axis_out_of_range(axis, rank, arg.span));
        }
        good.then_some(place as u32)
    }

    /// Says that `call` takes a tile where it was given something else.
    pub(super) fn expected_tile(&mut self, call: &Call, arg: &Spanned) -> Val {
        let found = self.describe(&arg.val);
        if let Val::View(view) = &arg.val
            && view.kind == ViewKind::Reference
        {
            return self.report(composite::reference_as_tile(&call.name(), &found, arg.span));
        }
        let param = self.is_parameter(&arg.val);
        let error = operands::expected_tile(&call.name(), &found, arg.span);
        let error = match param {
            Some(name) => error.help(format!(
                "a kernel's parameters are scalars; if this function is only called by kernels, annotate `{name}: tl.tensor`"
            )),
            None => error,
        };
        self.report(error)
    }

    /// The name of the kernel's parameter that `val` is.
    fn is_parameter(&self, val: &Val) -> Option<String> {
        let value = val.value().filter(|_| self.frame.is_kernel)?;
        let params = &self.frame.build.func.params;
        params.iter().find(|it| it.value == value).map(|it| it.name.clone())
    }
}

fn missing_arguments(
    (builtin, params): (Builtin, &[Param]),
    missing: &[&str],
    span: Span,
) -> Diagnostic {
    let error = calls::missing_arguments(&builtin.display_name(), missing, span);
    error.help(signature_help(builtin, params))
}

/// The signature, cut to the parameters that people use.
fn signature_help(builtin: Builtin, params: &[Param]) -> String {
    let params: Vec<String> = params
        .iter()
        .take(5)
        .map(|it| match (it.required, it.rest) {
            (true, _) => it.name.to_owned(),
            (false, true) => format!("*{}", it.name),
            (false, false) => format!("{}=…", it.name),
        })
        .collect();
    format!("the signature is `{}({})`", builtin.display_name(), params.join(", "))
}
