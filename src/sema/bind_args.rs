//! Gives the parameters of a function of the program their arguments.

use super::analysis::Analysis;
use super::calls::implied_tl;
use super::errors::calls as errors;
use super::program::FunctionRef;
use super::value::{Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::{Arg, ArgKind, ExprId, Function};

/// The argument of a parameter.
pub(super) type Bound = Spanned;

/// An evaluated argument of a call, with its keyword.
pub(super) type Given = (Option<String>, Spanned);

impl<'p> Analysis<'p> {
    /// One argument for each parameter of `callee`; `None` is an error already said.
    pub(super) fn bind_args(
        &mut self,
        callee: FunctionRef,
        args: Vec<Given>,
        span: Span,
    ) -> Option<Vec<Bound>> {
        let function = self.program.function(callee);
        let mut slots: Vec<Option<Bound>> = vec![None; function.params.len()];
        let mut good = true;
        let mut place = 0;
        for (keyword, value) in args {
            let index = match &keyword {
                None => {
                    place += 1;
                    place - 1
                }
                Some(name) => function
                    .params
                    .iter()
                    .position(|param| param.name.name == *name)
                    .unwrap_or(usize::MAX),
            };
            good &= self.fill(function, &mut slots, (index, keyword), value);
        }
        let filled = self.fill_defaults(callee, slots, span)?;
        good.then_some(filled)
    }

    /// The values of one written argument: several for `*tuple`.
    pub(super) fn arguments_in(&mut self, arg: &'p Arg) -> Vec<Given> {
        let value = self.spanned(arg.value);
        match &arg.kind {
            ArgKind::Positional => vec![(None, value)],
            ArgKind::Keyword(name) => vec![(Some(name.name.clone()), value)],
            ArgKind::Star => self.spread(&value),
            ArgKind::DoubleStar => {
                self.report(errors::double_star(arg.span));
                Vec::new()
            }
        }
    }

    /// `*value`.
    fn spread(&mut self, value: &Spanned) -> Vec<Given> {
        let span = value.span;
        if let Some(items) = value.val.items() {
            return items.iter().map(|val| (None, Spanned { val: val.clone(), span })).collect();
        }
        if !value.val.is_error() {
            let found = self.describe(&value.val);
            self.report(errors::star_of_no_tuple(&found, span));
        }
        vec![(None, Spanned { val: Val::Error, span })]
    }

    fn fill(
        &mut self,
        function: &Function,
        slots: &mut [Option<Bound>],
        (index, keyword): (usize, Option<String>),
        value: Spanned,
    ) -> bool {
        let name = &function.name.name;
        match slots.get_mut(index) {
            Some(slot @ None) => {
                *slot = Some(value);
                true
            }
            Some(Some(first)) => {
                let param = function.params.get(index).map_or("", |it| it.name.name.as_str());
                let first = first.span;
                self.report(errors::given_twice(name, param, value.span, first));
                false
            }
            None => {
                let params: Vec<&str> =
                    function.params.iter().map(|it| it.name.name.as_str()).collect();
                let error = match keyword {
                    Some(keyword) => errors::unknown_keyword(name, &keyword, value.span, &params),
                    None => errors::too_many_arguments(name, params.len(), value.span),
                };
                self.report(error.because(function.header, format!("`{name}` is defined here")));
                false
            }
        }
    }

    fn fill_defaults(
        &mut self,
        callee: FunctionRef,
        slots: Vec<Option<Bound>>,
        span: Span,
    ) -> Option<Vec<Bound>> {
        let function = self.program.function(callee);
        let mut filled = Vec::new();
        let mut missing = Vec::new();
        for (param, slot) in function.params.iter().zip(slots) {
            let value = match (slot, param.default) {
                (Some(value), _) => value,
                (None, _) if param.name.name == "tl" => implied_tl(span),
                (None, Some(default)) => self.default_of(callee, default),
                (None, None) => {
                    missing.push(param.name.name.as_str());
                    continue;
                }
            };
            filled.push(value);
        }
        if !missing.is_empty() {
            let error = errors::missing_arguments(&function.name.name, &missing, span);
            self.report(error.because(function.header, "the parameters are here"));
            return None;
        }
        Some(filled)
    }

    /// The value of a default, which is written where the function is.
    fn default_of(&mut self, callee: FunctionRef, default: ExprId) -> Spanned {
        let span = self.program.units[callee.unit].ast.span(default);
        let val = self.in_unit(callee.unit, |it| it.expr(default));
        Spanned { val, span }
    }
}
