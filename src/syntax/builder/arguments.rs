//! Calls, parameters and lambdas, and the rules of their order.

use rustc_hash::FxHashMap;

use super::{ArgNode, Builder, ClauseNode, Lost, Node, ParamNode};
use crate::diag::syntax::{ARGUMENT_ORDER, REPEATED_NAME, UNSUPPORTED};
use crate::syntax::ast::{Arg, ArgKind, ComprehensionKind, ExprKind, Ident, Param};
use crate::syntax::token::{Kind, Token};

impl Builder<'_> {
    fn arg(&mut self, kind: ArgKind, value: Node, start: u32) -> ArgNode {
        let span = self.span(start, value.end);
        let arg = Arg { kind, value: value.id, span };
        ArgNode { arg, depth: value.depth, bare_generator: false }
    }

    /// `value`.
    pub(in crate::syntax) fn positional(&mut self, value: Node) -> ArgNode {
        self.arg(ArgKind::Positional, value, value.start)
    }

    /// `element for …` without brackets of its own.
    pub(in crate::syntax) fn generator_arg(
        &mut self,
        element: Node,
        clauses: Vec<ClauseNode>,
    ) -> ArgNode {
        let end = self.last_end(&clauses).max(element.end);
        let place = (element.start, end);
        let kind = ComprehensionKind::Generator;
        let value = self.comprehension_over(kind, place, element, clauses);
        ArgNode { bare_generator: true, ..self.positional(value) }
    }

    /// Where the last of `clauses` ends.
    fn last_end(&self, clauses: &[ClauseNode]) -> u32 {
        let last = clauses.last().map(|one| &one.clause);
        let last = last.map(|clause| *clause.conditions.last().unwrap_or(&clause.iter));
        last.map_or(0, |id| self.exprs[id].span.end)
    }

    /// `name=value`.
    pub(in crate::syntax) fn keyword(&mut self, name: Token, value: Node) -> ArgNode {
        let ident = self.ident(name);
        self.arg(ArgKind::Keyword(ident), value, name.start)
    }

    /// `*value`.
    pub(in crate::syntax) fn star_arg(&mut self, star: Token, value: Node) -> ArgNode {
        self.arg(ArgKind::Star, value, star.start)
    }

    /// `**value`.
    pub(in crate::syntax) fn double_star_arg(&mut self, star: Token, value: Node) -> ArgNode {
        self.arg(ArgKind::DoubleStar, value, star.start)
    }

    /// What stands for an argument that did not parse.
    pub(in crate::syntax) fn lost_arg(&mut self, lost: Lost) -> ArgNode {
        let node = self.lost(lost);
        self.positional(node)
    }

    /// `func(args)`.
    pub(in crate::syntax) fn call(&mut self, func: Node, args: Vec<ArgNode>, close: Token) -> Node {
        self.check_args(&args);
        let inner = args.iter().map(|arg| arg.depth).fold(func.depth, u16::max);
        let args = args.into_iter().map(|arg| arg.arg).collect();
        self.node(ExprKind::Call { func: func.id, args }, (func.start, close.end), inner)
    }

    fn check_args(&mut self, args: &[ArgNode]) {
        let mut keywords: FxHashMap<&str, &Ident> = FxHashMap::default();
        let (mut named, mut splat) = (None, None);
        for ArgNode { arg, bare_generator, .. } in args {
            let refused = matches!(self.exprs[arg.value].kind, ExprKind::Error);
            match &arg.kind {
                ArgKind::Positional if refused => {}
                ArgKind::Positional | ArgKind::Star if splat.is_some() => {
                    self.refuse_order(arg, splat, "`**`");
                }
                ArgKind::Positional if named.is_some() => {
                    self.refuse_order(arg, named, "the arguments passed by name");
                }
                ArgKind::Positional | ArgKind::Star => {}
                ArgKind::Keyword(name) => {
                    named = named.or(Some(name.span));
                    if let Some(before) = keywords.insert(&name.name, name) {
                        let what = format!("the argument `{}` is passed twice", name.name);
                        self.refuse_repeated(what, name, before);
                    }
                }
                ArgKind::DoubleStar => splat = Some(arg.span),
            }
            if *bare_generator && args.len() > 1 {
                self.refuse_generator(arg);
            }
        }
    }

    fn refuse_order(&mut self, arg: &Arg, before: Option<crate::source::Span>, what: &str) {
        let place = (arg.span.start, arg.span.end);
        let message = format!("an argument passed by place stands after {what}");
        let mut diagnostic = self.faults.at(ARGUMENT_ORDER, place, message, "passed by place");
        if let Some(before) = before {
            diagnostic = diagnostic.because(before, "from here on, arguments need their names");
        }
        self.faults.report(diagnostic.help("move it to the front, or pass it by name"));
    }

    fn refuse_generator(&mut self, arg: &Arg) {
        let place = (arg.span.start, arg.span.end);
        let message = "a comprehension beside other arguments needs brackets of its own";
        let diagnostic = self.faults.at(ARGUMENT_ORDER, place, message, "where it ends is unclear");
        self.faults.report(diagnostic.help("write brackets around it: `(… for … in …)`"));
    }

    fn refuse_repeated(&mut self, message: String, again: &Ident, before: &Ident) {
        let place = (again.span.start, again.span.end);
        let diagnostic = self
            .faults
            .at(REPEATED_NAME, place, message, "here again")
            .because(before.span, "here first");
        self.faults.report(diagnostic);
    }

    // ---- Parameters --------------------------------------------------------------------

    /// `name: annotation = default`.
    pub(in crate::syntax) fn param(
        &mut self,
        name: Token,
        annotation: Option<Node>,
        default: Option<Node>,
    ) -> ParamNode {
        let depths = [annotation, default].into_iter().flatten().map(|node| node.depth);
        let param = Param {
            name: self.ident(name),
            variadic: false,
            annotation: annotation.map(|node| node.id),
            default: default.map(|node| node.id),
        };
        ParamNode { param: Some(param), depth: depths.max().unwrap_or(0), by_name: false }
    }

    /// `*name: annotation`.
    pub(in crate::syntax) fn variadic(
        &mut self,
        name: Token,
        annotation: Option<Node>,
    ) -> ParamNode {
        let node = self.param(name, annotation, None);
        let param = node.param.map(|param| Param { variadic: true, ..param });
        ParamNode { param, ..node }
    }

    /// `*`, `/` and `**name`, from the mark to the name.
    pub(in crate::syntax) fn refused_param(&mut self, mark: Token, last: Token) -> ParamNode {
        let (message, help) = if mark.kind == Kind::Star {
            (
                "parameters that can only be passed by name are not supported",
                "leave the `*` out: every parameter may be passed by name",
            )
        } else if mark.kind == Kind::Slash {
            (
                "parameters that can only be passed by place are not supported",
                "leave the `/` out: every parameter may be passed by place",
            )
        } else {
            (
                "`**` parameters are not supported",
                "write every parameter with its name, and a default where it may be left out",
            )
        };
        let place = (mark.start, last.end);
        let diagnostic = self.faults.at(UNSUPPORTED, place, message, "not supported").help(help);
        self.faults.report(diagnostic);
        ParamNode { param: None, depth: 0, by_name: mark.kind == Kind::Star }
    }

    /// What stands for a parameter that did not parse.
    pub(in crate::syntax) fn lost_param(&mut self, lost: Lost) -> ParamNode {
        self.lost(lost);
        ParamNode { param: None, depth: 0, by_name: false }
    }

    /// The parameters, checked for their order and names.
    pub(super) fn check_params(&mut self, params: Vec<ParamNode>) -> Vec<Param> {
        let mut seen: FxHashMap<&str, &Param> = FxHashMap::default();
        let (mut variadic, mut defaulted): (Option<&Param>, Option<&Param>) = (None, None);
        let mut by_name = false;
        for node in &params {
            by_name |= node.by_name;
            let Some(param) = &node.param else { continue };
            if let Some(before) = seen.insert(&param.name.name, param) {
                let what = format!("two parameters are named `{}`", param.name.name);
                self.refuse_repeated(what, &param.name, &before.name);
            }
            if let Some(before) = variadic.filter(|_| param.variadic) {
                let what = "a function has only one `*` parameter";
                self.refuse_param_order(what, param, before, "this one takes the rest already");
            }
            by_name |= param.variadic;
            let bare = param.default.is_none() && !by_name;
            if let Some(before) = defaulted.filter(|_| bare) {
                let name = &param.name.name;
                let what = format!("the parameter `{name}` has no default, but one before it has");
                self.refuse_param_order(what, param, before, "this one has a default");
            }
            variadic = variadic.or(param.variadic.then_some(param));
            defaulted = if param.default.is_some() { Some(param) } else { defaulted };
        }
        params.into_iter().filter_map(|node| node.param).collect()
    }

    fn refuse_param_order(
        &mut self,
        message: impl Into<String>,
        param: &Param,
        before: &Param,
        because: &str,
    ) {
        let place = (param.name.span.start, param.name.span.end);
        let diagnostic = self
            .faults
            .at(ARGUMENT_ORDER, place, message, "not here")
            .because(before.name.span, because);
        self.faults.report(diagnostic);
    }

    /// `lambda params: body`.
    pub(in crate::syntax) fn lambda(
        &mut self,
        word: Token,
        params: Vec<ParamNode>,
        body: Node,
    ) -> Node {
        let inner = params.iter().map(|param| param.depth).fold(body.depth, u16::max);
        let params = self.check_params(params);
        let kind = ExprKind::Lambda { params, body: body.id };
        self.node(kind, (word.start, body.end), inner)
    }
}
