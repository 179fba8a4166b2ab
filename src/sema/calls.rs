//! Calls of the program's own functions.
//!
//! A helper is analysed once for each kind of arguments it is called with: element types, ranks,
//! constant extents and everything the compiler holds are part of the instance, values are its
//! parameters. Extents that only the launch knows are parameters too, and extents that the helper
//! computes are results; both come before the others, whose types name them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::analysis::{Analysis, Frame, Style};
use super::bind_args::{Bound, Given};
use super::builder::Builder;
use super::errors::{calls as errors, constexpr};
use super::liveness::Liveness;
use super::names;
use super::pointers::{Pointers, Used};
use super::program::{FunctionRef, is_constexpr};
use super::scope::{Binding, Scope, Slot};
use super::stmt::Flow;
use super::symbols::Symbols;
use super::value::{Namespace, Spanned, Val};
use crate::arena::Id;
use crate::ir::{self, Dim, FuncId, TileType, Type, Value};
use crate::source::Span;
use crate::syntax::ast::{Arg, FunctionStyle};

/// The most instances that one program may need.
const MAX_INSTANCES: usize = 5000;

/// The helpers made so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Instances {
    made: BTreeMap<String, Instance>,
    /// Their functions; the first has the id after the last kernel's.
    pub(super) functions: Vec<ir::Function>,
    /// How many kernels come before them.
    pub(super) kernels: usize,
    names: BTreeMap<String, u32>,
    /// Whether it was said that there are too many.
    too_many: bool,
}

/// A helper, analysed for one kind of arguments.
#[derive(Clone, Debug)]
struct Instance {
    /// Its function; `None` where it is in error.
    function: Option<FuncId>,
    /// What it returns; its leaves are values of its function.
    returns: Val,
    /// What it returns of them, in the order of its results: first the extents that it computes.
    results: Vec<Value>,
    /// What is known of its integers that are pointers.
    pointers: Pointers,
    /// Which of its values are made of `tl.constexpr` parameters alone.
    symbols: Symbols,
}

/// The arguments of a call, made ready for an instance.
struct Passed {
    /// What identifies the instance.
    key: String,
    /// The extents that only the launch knows, each once.
    extents: Vec<Value>,
}

impl Passed {
    /// The values that the parameters of the instance are given: extents, then what is left.
    fn args(&self, bound: &[Bound]) -> Vec<Value> {
        let leaves = bound.iter().flat_map(|it| it.val.leaves());
        let own = leaves.filter(|it| !self.extents.contains(it));
        self.extents.iter().copied().chain(own).collect()
    }
}

impl<'p> Analysis<'p> {
    /// Calls a function of the program; `receiver` is the value of a method.
    pub(super) fn call_function(
        &mut self,
        callee: FunctionRef,
        receiver: Option<Spanned>,
        args: &'p [Arg],
        span: Span,
    ) -> Val {
        let mut given: Vec<Given> = receiver.into_iter().map(|it| (None, it)).collect();
        for arg in args {
            given.extend(self.arguments_in(arg));
        }
        self.call_with(callee, given, span)
    }

    /// Calls a function of the program with arguments that are evaluated already.
    pub(super) fn call_with(&mut self, callee: FunctionRef, args: Vec<Given>, span: Span) -> Val {
        let Some(style) = self.style_in_call(callee, span) else { return Val::Error };
        if let Some(cycle) = self.cycle_to(callee) {
            return self.report(errors::recursion(&cycle, span));
        }
        let Some(bound) = self.bind_args(callee, args, span) else { return Val::Error };
        if bound.iter().any(|it| it.val.is_error()) || !self.check_constexpr(callee, &bound) {
            return Val::Error;
        }
        let instance = self.deeper(span, |it| it.instance(callee, style, &bound, span)).flatten();
        instance.map_or(Val::Error, |(instance, passed)| {
            self.emit_call(&instance, &passed, &bound, span)
        })
    }

    /// The style in which `callee` is analysed when the current function calls it.
    fn style_in_call(&mut self, callee: FunctionRef, span: Span) -> Option<Style> {
        let caller = self.frame.style;
        let library = self.program.units[callee.unit].library.is_some();
        let own = self.program.style(callee);
        let name = &self.program.function(callee).name;
        match (own, caller) {
            _ if library => Some(caller),
            (FunctionStyle::JitKernel, Style::Jit) | (FunctionStyle::TlKernel, Style::Tl) => {
                Some(caller)
            }
            (FunctionStyle::Host, Style::Tl) => Some(caller),
            (FunctionStyle::Host, Style::Jit) => {
                self.report(errors::not_jit(&name.name, span, name.span));
                None
            }
            (FunctionStyle::JitKernel, Style::Tl) | (FunctionStyle::TlKernel, Style::Jit) => {
                let callee_is_jit = own == FunctionStyle::JitKernel;
                self.report(errors::mixed_styles(&name.name, callee_is_jit, span, name.span));
                None
            }
        }
    }

    /// The functions from `callee` to the current one, if `callee` is being analysed.
    fn cycle_to(&self, callee: FunctionRef) -> Option<Vec<String>> {
        let mut names = vec![self.function_name(callee)];
        let mut frame = &self.frame;
        loop {
            names.push(self.function_name(frame.at));
            if frame.at == callee {
                names.reverse();
                return Some(names);
            }
            frame = &frame.caller.as_ref()?.1;
        }
    }

    fn function_name(&self, at: FunctionRef) -> String {
        self.program.function(at).name.name.clone()
    }

    /// Whether every `tl.constexpr` parameter is given something that the launch knows.
    fn check_constexpr(&mut self, callee: FunctionRef, bound: &[Bound]) -> bool {
        let ast = self.program.units[callee.unit].ast;
        let params = &self.program.function(callee).params;
        let mut good = true;
        for (param, bound) in params.iter().zip(bound) {
            let constexpr = param.annotation.is_some_and(|it| is_constexpr(ast, it));
            if constexpr && self.is_run_time(&bound.val) {
                let found = self.describe(&bound.val);
                let name = &param.name;
                self.report(constexpr::not_constexpr(&name.name, &found, bound.span, name.span));
                good = false;
            }
        }
        good
    }

    /// The instance of `callee` for these arguments.
    fn instance(
        &mut self,
        callee: FunctionRef,
        style: Style,
        bound: &[Bound],
        span: Span,
    ) -> Option<(Instance, Passed)> {
        let passed = self.pass(callee, style, bound);
        if let Some(made) = self.instances.made.get(&passed.key) {
            return Some((made.clone(), passed));
        }
        if self.instances.made.len() >= MAX_INSTANCES {
            if std::mem::replace(&mut self.instances.too_many, true) {
                return None;
            }
            let name = self.function_name(callee);
            self.report(errors::too_many_instances(&name, MAX_INSTANCES, span));
            return None;
        }
        let instance = self.make_instance(callee, style, bound, (&passed, span));
        self.instances.made.insert(passed.key.clone(), instance.clone());
        Some((instance, passed))
    }

    /// Describes the arguments so that calls of one kind share an instance.
    fn pass(&self, callee: FunctionRef, style: Style, bound: &[Bound]) -> Passed {
        let mut extents: Vec<Value> = Vec::new();
        for leaf in bound.iter().flat_map(|it| it.val.leaves()) {
            for dim in self.ty(leaf).tile().into_iter().flat_map(|tile| &tile.dims) {
                if let Dim::Value(value) = dim
                    && !extents.contains(value)
                {
                    extents.push(*value);
                }
            }
        }
        let mut key = format!("{callee:?} {style:?}");
        for bound in bound {
            key.push(';');
            self.describe_argument(&bound.val, &extents, &mut key);
        }
        Passed { key, extents }
    }

    fn describe_argument(&self, val: &Val, extents: &[Value], key: &mut String) {
        if let Val::Value(value) = val {
            self.describe_leaf(*value, extents, key);
        } else if let Val::Pointer(pointer) = val {
            key.push_str(&format!("*{}", pointer.dtype));
            if let Some(offsets) = pointer.offsets {
                self.describe_leaf(offsets, extents, key);
            }
        } else if let Val::View(view) = val {
            key.push_str(&format!("{:?} {}", view.kind, view.nan));
            self.describe_argument(&view.parts(), extents, key);
        } else if let Val::Handle(handle) = val {
            key.push_str(&format!("{:?}", handle.kind));
            self.describe_argument(&Val::Tuple(handle.parts.clone()), extents, key);
        } else if let Val::Tuple(items) = val {
            key.push('(');
            for item in items {
                self.describe_argument(item, extents, key);
                key.push(',');
            }
            key.push(')');
        } else {
            key.push_str(&format!("{val:?}"));
        }
    }

    /// `f16[64,$0]`: constants, and the number of each extent that only the launch knows.
    fn describe_leaf(&self, value: Value, extents: &[Value], key: &mut String) {
        let ty = self.ty(value);
        let symbols = self.frame.symbols.of(value);
        if !symbols.is_empty() {
            key.push_str(&format!("constexpr {symbols:?} "));
        }
        let place = |value: &Value| extents.iter().position(|it| it == value).unwrap_or(0);
        if extents.contains(&value) {
            key.push_str(&format!("${}", place(&value)));
            return;
        }
        let future = match ty {
            Type::Future(_) => "future ",
            Type::Completion => "completion ",
            Type::Scalar(_) | Type::Pointer(_) | Type::Tile(_) => "",
        };
        key.push_str(&format!("{future}{}", ty.dtype()));
        let Some(tile) = ty.tile() else { return };
        let dims: Vec<String> = tile
            .dims
            .iter()
            .map(|dim| match dim {
                Dim::Const(extent) => extent.to_string(),
                Dim::Value(value) => format!("${}", place(value)),
            })
            .collect();
        key.push_str(&format!("[{}]", dims.join(",")));
    }

    fn make_instance(
        &mut self,
        callee: FunctionRef,
        style: Style,
        bound: &[Bound],
        (passed, span): (&Passed, Span),
    ) -> Instance {
        let name = self.instance_name(callee);
        let header = self.program.function(callee).header;
        let func = ir::Function::new(name, false, header);
        let frame = Frame::new(self.program, callee, style, Builder::new(func));
        let types: Vec<Vec<Type>> = bound.iter().map(|it| self.leaf_types(&it.val)).collect();
        let symbols = self.symbols_passed(passed, bound);
        let caller = std::mem::replace(&mut self.frame, frame);
        let caller_extents: Vec<(Option<String>, Value)> = passed
            .extents
            .iter()
            .map(|it| (caller.build.func.values[*it].name.clone(), *it))
            .collect();
        self.frame.caller = Some((span, Box::new(caller)));
        let said = self.errors;
        self.bind_params(callee, bound, &types, &caller_extents);
        for (param, places) in self.frame.build.func.params.iter().zip(&symbols) {
            self.frame.symbols.set(param.value, places);
        }
        let function = self.program.function(callee);
        let flow = self.block(&function.body, true);
        let returns = if let Flow::Returned(val) = flow { val } else { Val::NONE };
        let failed = self.errors > said || returns.is_error();
        let instance = self.finish_instance(returns, failed);
        let (_, caller) = self.frame.caller.take().expect("a helper has a caller");
        self.frame = *caller;
        instance
    }

    /// The symbols that the parameters of an instance stand for, in their order.
    fn symbols_passed(&self, passed: &Passed, bound: &[Bound]) -> Vec<Vec<usize>> {
        let args = passed.args(bound);
        args.iter().map(|value| self.frame.symbols.of(*value).to_vec()).collect()
    }

    fn instance_name(&mut self, callee: FunctionRef) -> String {
        let name = self.function_name(callee);
        let count = self.instances.names.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { name } else { format!("{name}.{}", *count - 1) }
    }

    fn leaf_types(&self, val: &Val) -> Vec<Type> {
        val.leaves().iter().map(|value| self.ty(*value).clone()).collect()
    }

    /// Declares the parameters of an instance and binds the names to them.
    fn bind_params(
        &mut self,
        callee: FunctionRef,
        bound: &[Bound],
        types: &[Vec<Type>],
        extents: &[(Option<String>, Value)],
    ) {
        let function = self.program.function(callee);
        let mut known: BTreeMap<Value, Value> = BTreeMap::new();
        for (index, (name, outer)) in extents.iter().enumerate() {
            let name = name.clone().unwrap_or_else(|| format!("extent{index}"));
            let inner = self.frame.build.param(&name, Type::I64, false, function.header);
            known.insert(*outer, inner);
        }
        let mut own = Vec::new();
        for ((param, bound), types) in function.params.iter().zip(bound).zip(types) {
            let span = param.name.span;
            let outer = bound.val.leaves();
            let leaves: Vec<Value> = outer
                .iter()
                .zip(types)
                .map(|(outer, ty)| {
                    let ty = translate_type(ty, &known);
                    known.get(outer).copied().unwrap_or_else(|| {
                        self.frame.build.param(&param.name.name, ty, false, span)
                    })
                })
                .collect();
            own.extend(leaves.iter().copied());
            let val = bound.val.with_leaves(&mut leaves.into_iter());
            let binding = Binding { val, span, constexpr: false };
            self.frame.scope.set(&param.name.name, Slot::Bound(binding));
        }
        for (place, value) in own.iter().enumerate() {
            let ty = self.ty(*value);
            let may_be_address =
                matches!(ty, Type::Scalar(_) | Type::Tile(_)) && ty.dtype().is_int();
            if may_be_address && self.frame.style == Style::Jit {
                self.frame.pointers.begin(*value, place);
            }
        }
    }

    /// Ends the function of an instance.
    fn finish_instance(&mut self, returns: Val, failed: bool) -> Instance {
        let span = self.frame.build.func.span;
        let pointers = std::mem::take(&mut self.frame.pointers);
        let symbols = std::mem::take(&mut self.frame.symbols);
        if failed {
            let results = Vec::new();
            return Instance { function: None, returns: Val::Error, results, pointers, symbols };
        }
        let results = self.results_of(&returns.leaves());
        let types = results.iter().map(|value| self.ty(*value).clone()).collect();
        self.frame.build.func.results = types;
        self.frame.build.emit(ir::Return { values: results.clone() }, Vec::new(), span);
        let index = self.instances.kernels + self.instances.functions.len();
        let empty = Builder::new(ir::Function::new("", false, Span::NONE));
        let build = std::mem::replace(&mut self.frame.build, empty);
        self.instances.functions.push(build.func);
        let function = Some(FuncId::from_index(index));
        Instance { function, returns, results, pointers, symbols }
    }

    /// What a function that returns `leaves` gives: the extents of tiles, then the values, each
    /// once and without parameters, which the caller has.
    fn results_of(&self, leaves: &[Value]) -> Vec<Value> {
        let func = &self.frame.build.func;
        let dims = leaves.iter().filter_map(|it| func.ty(*it).tile()).flat_map(|it| &it.dims);
        let extents = dims.filter_map(|dim| match dim {
            Dim::Value(value) => Some(*value),
            Dim::Const(_) => None,
        });
        let mut results = Vec::new();
        for value in extents.chain(leaves.iter().copied()) {
            let is_param = func.params.iter().any(|param| param.value == value);
            if !is_param && !results.contains(&value) {
                results.push(value);
            }
        }
        results
    }

    /// The call itself, and what it gives to the caller.
    fn emit_call(
        &mut self,
        instance: &Instance,
        passed: &Passed,
        bound: &[Bound],
        span: Span,
    ) -> Val {
        let leaves: Vec<Value> = bound.iter().flat_map(|it| it.val.leaves()).collect();
        self.learn_from(&instance.pointers, &leaves);
        let Some(callee) = instance.function else { return Val::Error };
        let args = passed.args(bound);
        let function = &self.instances.functions[callee.index() - self.instances.kernels];
        let params: Vec<Value> = function.params.iter().map(|param| param.value).collect();
        let types = function.results.clone();
        let mut known: BTreeMap<Value, Value> =
            params.into_iter().zip(args.iter().copied()).collect();
        let call = self.frame.build.emit(ir::Call { callee, args }, types, span);
        let results = self.frame.build.func.ops[call].results.clone();
        known.extend(instance.results.iter().copied().zip(results.iter().copied()));
        for (inner, outer) in &known {
            self.frame.symbols.set(*outer, instance.symbols.of(*inner));
        }
        for result in &results {
            let ty = translate_type(self.ty(*result), &known);
            self.frame.build.func.values[*result].ty = self.fold_extents(ty);
        }
        let returned = instance.returns.leaves();
        let mut own = returned.iter().filter_map(|leaf| known.get(leaf)).copied();
        instance.returns.with_leaves(&mut own)
    }

    /// What a helper says of its parameters, it says of the arguments `leaves`.
    fn learn_from(&mut self, helper: &Pointers, leaves: &[Value]) {
        let own = &mut self.frame.pointers;
        for used in &helper.used {
            let sum = used.candidates.iter().filter_map(|place| leaves.get(*place));
            let candidates = own.roots_of_all(&sum.copied().collect::<Vec<Value>>());
            if !candidates.is_empty() {
                own.used.push(Used { candidates, ..used.clone() });
            }
        }
        for leaf in helper.integers.iter().filter_map(|place| leaves.get(*place)) {
            own.integer(*leaf);
        }
    }

    /// `ty` with extents that are constants of the current function written as such.
    fn fold_extents(&self, mut ty: Type) -> Type {
        if let Some(tile) = ty.tile_mut() {
            for dim in &mut tile.dims {
                if let Dim::Value(value) = dim {
                    *dim = self.frame.build.dim(*value);
                }
            }
        }
        ty
    }
}

/// `ty` with its symbolic extents replaced as `known` says.
fn translate_type(ty: &Type, known: &BTreeMap<Value, Value>) -> Type {
    let mut ty = ty.clone();
    if let Some(TileType { dims, .. }) = ty.tile_mut() {
        for dim in dims {
            if let Dim::Value(value) = dim
                && let Some(other) = known.get(value)
            {
                *dim = Dim::Value(*other);
            }
        }
    }
    ty
}

impl<'p> Frame<'p> {
    /// A function of which nothing is analysed yet.
    pub(super) fn new(
        program: &super::program::Program<'p>,
        at: FunctionRef,
        style: Style,
        build: Builder,
    ) -> Frame<'p> {
        let ast = program.units[at.unit].ast;
        let function = program.function(at);
        let mut scope = Scope::default();
        if style == Style::Tl && function.params.iter().all(|it| it.name.name != "tl") {
            let val = Val::Namespace(Namespace::Tl);
            let binding = Binding { val, span: function.header, constexpr: false };
            scope.set("tl", Slot::Bound(binding));
        }
        Frame {
            at,
            unit: at.unit,
            style,
            build,
            scope,
            liveness: Rc::new(Liveness::of(ast, function)),
            bound: Rc::new(names::bound_by(ast, &function.body)),
            loops: Vec::new(),
            is_kernel: false,
            pointers: Pointers::default(),
            symbols: Symbols::default(),
            caller: None,
        }
    }
}

/// An argument without a place in the text.
pub(super) fn implied_tl(span: Span) -> Spanned {
    Spanned { val: Val::Namespace(Namespace::Tl), span }
}

impl Instances {
    /// None made yet, beside the kernels of these names.
    pub(super) fn beside(kernels: &[&str]) -> Instances {
        let names = kernels.iter().map(|name| ((*name).to_owned(), 1)).collect();
        Instances { kernels: kernels.len(), names, ..Instances::default() }
    }
}
