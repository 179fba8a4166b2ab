//! Kernels: their parameters, and the functions made of them.
//!
//! A parameter of a `@triton.jit` kernel does not say whether it is a pointer. A kernel is
//! analysed with all of them integers; those that turn out to be addresses become pointers, and
//! it is analysed again, unless what its text shows was right at once. So it is where a scalar that a loop carries turns out to become a single
//! element of a tile.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::{Analysis, Frame, Style};
use super::builder::Builder;
use super::calls::Instances;
use super::errors::pointers::{unclear_pointer, unsaid_elements};
use super::errors::{calls as errors, control, habits};
use super::pointers::Found;
use super::program::{FunctionRef, Program, annotation_name, is_constexpr};
use super::promote;
use super::scope::{Binding, Slot};
use super::symbols::Assumed;
use super::value::{Constant, Namespace, Pointer, Val};
use super::{ArgType, Dialect, Input, written};
use crate::diag::{Code, Diagnostic, Sink, types as codes};
use crate::dtype::DType;
use crate::ir::{self, Op, Type, UseCounts};
use crate::source::Span;
use crate::syntax::ast::{ExprKind, FunctionStyle, Param};

/// What a pointer points at where nothing says it.
const ASSUMED_ELEMENT: DType = DType::F32;

/// What else it may point at, where that makes errors.
const OTHER_ELEMENTS: [DType; 4] = [DType::I32, DType::I64, DType::I8, DType::U32];

/// The most analyses of one kernel that look for element types without errors.
const MAX_ATTEMPTS: usize = 60;

/// What goes wrong where integers are taken for floats, or one width for another.
const OF_ELEMENTS: [Code; 10] = [
    codes::DTYPES_DO_NOT_MEET,
    codes::LOOP_CHANGES_TYPE,
    codes::PATHS_DIFFER,
    codes::DOT_DTYPES,
    codes::SIGNEDNESS,
    codes::NEEDS_INT,
    codes::POINTER_ARITHMETIC,
    codes::NOT_AN_ADDRESS,
    codes::COMBINATION_RESULT,
    codes::BITCAST_WIDTH,
];

/// A parameter known to be a pointer.
#[derive(Clone, Copy, Debug)]
struct PointerParam {
    /// What it points at.
    dtype: DType,
    /// What says so.
    because: Span,
    /// Whether nothing does.
    is_assumed: bool,
}

/// Parameters known to be pointers, by place.
type PointerParams = BTreeMap<usize, PointerParam>;

/// Element types assumed of pointers that nothing says, by place.
type Elements = BTreeMap<usize, DType>;

/// A kernel analysed with some assumptions.
struct Attempt {
    /// Its function; `None` where it is in error.
    function: Option<ir::Function>,
    /// What was said.
    said: Vec<Diagnostic>,
    /// The helpers made by then.
    instances: Instances,
    /// The pointers of which nothing says what they point at.
    unsaid: Vec<usize>,
}

impl Attempt {
    fn errors(&self) -> usize {
        self.said.iter().filter(|it| it.is_error()).count()
    }

    /// Whether the function made bears out a guess of its pointers: it uses each, and none as the
    /// address of a block, which would say what the pointer points at.
    fn bears_out_a_guess(&self) -> bool {
        let Some(function) = self.function.as_ref().filter(|_| self.said.is_empty()) else {
            return false;
        };
        let is_block = |op: &Op| matches!(op, Op::Load(_) | Op::Store(_));
        let uses = UseCounts::of(function);
        let mut params = function.params.iter().map(|it| it.value);
        params.all(|it| !matches!(function.ty(it), Type::Pointer(_)) || uses.count(it) > 0)
            && !function.ops.values().any(|it| is_block(&it.op))
    }

    /// Whether another element type may mend it.
    fn is_doubtful(&self) -> bool {
        !self.unsaid.is_empty() && self.said.iter().any(is_of_elements)
    }
}

/// Whether a diagnostic is an error that may come of the element types assumed.
fn is_of_elements(it: &Diagnostic) -> bool {
    OF_ELEMENTS.contains(&it.code)
}

/// Analyses a kernel; what it says goes to `sink`. `None` where it is in error.
///
/// Where nothing says what a pointer points at, that is an `f32`, unless only another type is
/// free of errors.
pub(super) fn analyze_kernel<'p>(
    program: &'p Program<'p>,
    input: &'p Input<'p>,
    at: FunctionRef,
    instances: &mut Instances,
    sink: &mut Sink,
) -> Option<ir::Function> {
    let style = kernel_style(program, at, sink)?;
    if style == Style::Tl && input.dialect == Dialect::Triton {
        let instead = "Triton compiles functions decorated with `@triton.jit`";
        let header = program.function(at).header;
        sink.error(habits::extension("a kernel that takes `tl`", instead, header));
        return None;
    }
    let attempt = |elements: &Elements| {
        analyze_with(program, input, (at, style), instances.clone(), elements)
    };
    let mut best = attempt(&Elements::new());
    if best.is_doubtful() {
        best = other_elements(best, &attempt);
    }
    let unsaid: Vec<&str> = best
        .unsaid
        .iter()
        .filter_map(|place| Some(program.function(at).params.get(*place)?.name.name.as_str()))
        .collect();
    let is_doubtful = best.is_doubtful();
    for it in best.said {
        if !it.is_error() {
            sink.warning(it);
        } else if is_doubtful && is_of_elements(&it) {
            sink.error(unsaid_elements(it, &unsaid));
        } else {
            sink.error(it);
        }
    }
    *instances = best.instances;
    best.function
}

/// The attempt with the fewest errors among those that assume other element types: first of one
/// pointer after the other, then of all alike.
fn other_elements(first: Attempt, attempt: &dyn Fn(&Elements) -> Attempt) -> Attempt {
    let mut best = (first, Elements::new());
    let mut attempts = 0;
    let mut better = |best: &mut (Attempt, Elements), elements: Elements| {
        attempts += 1;
        if attempts > MAX_ATTEMPTS || best.0.errors() == 0 {
            return;
        }
        let found = attempt(&elements);
        if found.errors() < best.0.errors() {
            *best = (found, elements);
        }
    };
    for place in best.0.unsaid.clone() {
        for dtype in OTHER_ELEMENTS {
            let mut elements = best.1.clone();
            elements.insert(place, dtype);
            better(&mut best, elements);
        }
    }
    for dtype in OTHER_ELEMENTS {
        let elements = best.0.unsaid.iter().map(|place| (*place, dtype)).collect();
        better(&mut best, elements);
    }
    best.0
}

/// Analyses a kernel until nothing new is known of its parameters.
fn analyze_with<'p>(
    program: &'p Program<'p>,
    input: &'p Input<'p>,
    kernel: (FunctionRef, Style),
    instances: Instances,
    elements: &Elements,
) -> Attempt {
    if elements.is_empty() {
        let guessed = guessed_pointers(program, input, kernel);
        if !guessed.is_empty() {
            let attempt =
                analyze_from(program, input, kernel, instances.clone(), (&guessed, elements));
            if attempt.bears_out_a_guess() {
                return attempt;
            }
        }
    }
    analyze_from(program, input, kernel, instances, (&PointerParams::new(), elements))
}

/// What the text shows of the parameters of which nothing is said.
fn guessed_pointers(
    program: &Program<'_>,
    input: &Input<'_>,
    (at, style): (FunctionRef, Style),
) -> PointerParams {
    let function = program.function(at);
    if style != Style::Jit {
        return PointerParams::new();
    }
    let written = written::pointers(program.units[at.unit].ast, function);
    let is_unsaid = |param: &Param| {
        let name = &param.name.name;
        let said = param.annotation.is_some() || param.default.is_some() || param.variadic;
        !said && !input.arguments.contains_key(name) && !input.constants.contains_key(name)
    };
    written
        .into_iter()
        .filter(|(place, _)| is_unsaid(&function.params[*place]))
        .map(|(place, because)| {
            (place, PointerParam { dtype: ASSUMED_ELEMENT, because, is_assumed: true })
        })
        .collect()
}

/// [`analyze_with`], beginning with these pointers.
fn analyze_from<'p>(
    program: &'p Program<'p>,
    input: &'p Input<'p>,
    (at, style): (FunctionRef, Style),
    instances: Instances,
    (known, elements): (&PointerParams, &Elements),
) -> Attempt {
    let mut pointers = known.clone();
    let mut assumed = Assumed::new();
    let mut lifted = BTreeSet::new();
    loop {
        let function = program.function(at);
        let func = ir::Function::new(&function.name.name, true, function.header);
        let mut frame = Frame::new(program, at, style, Builder::new(func));
        frame.is_kernel = true;
        let mut analysis = Analysis::new(program, input, instances.clone(), frame);
        analysis.assumed = assumed.clone();
        analysis.lifted.clone_from(&lifted);
        analysis.kernel(&pointers);
        let known = (pointers.len(), assumed.len(), lifted.len());
        analysis.find_pointers(&mut pointers, elements);
        assumed = std::mem::take(&mut analysis.assumed);
        lifted = std::mem::take(&mut analysis.lifted);
        if (pointers.len(), assumed.len(), lifted.len()) != known {
            continue;
        }
        let failed = analysis.sink.has_errors();
        let unsaid = pointers.iter().filter(|(_, it)| it.is_assumed).map(|(place, _)| *place);
        return Attempt {
            function: (!failed).then_some(analysis.frame.build.func),
            said: analysis.sink.into_sorted(),
            instances: analysis.instances,
            unsaid: unsaid.collect(),
        };
    }
}

/// Analyses a helper that no kernel calls, for what is wrong whatever it is called with: nothing
/// is known of its parameters, and what is computed from them is silent.
pub(super) fn analyze_helper<'p>(
    program: &'p Program<'p>,
    input: &'p Input<'p>,
    at: FunctionRef,
    sink: &mut Sink,
) {
    let Some(style) = kernel_style(program, at, sink) else { return };
    let function = program.function(at);
    let func = ir::Function::new(&function.name.name, false, function.header);
    let frame = Frame::new(program, at, style, Builder::new(func));
    let mut analysis = Analysis::new(program, input, Instances::default(), frame);
    for param in &function.params {
        let is_tl = param.name.name == "tl" && style == Style::Tl;
        let val = if is_tl { Val::Namespace(Namespace::Tl) } else { Val::Error };
        let binding = Binding { val, span: param.name.span, constexpr: false };
        analysis.frame.scope.set(&param.name.name, Slot::Bound(binding));
    }
    analysis.block(&function.body, true);
    for it in analysis.sink.into_sorted() {
        if it.is_error() {
            sink.error(it);
        } else {
            sink.warning(it);
        }
    }
}

/// The style of a kernel, unless it is both.
fn kernel_style(program: &Program<'_>, at: FunctionRef, sink: &mut Sink) -> Option<Style> {
    let function = program.function(at);
    let last = function.params.iter().find(|param| param.name.name == "tl");
    match (program.style(at), last) {
        (FunctionStyle::JitKernel, Some(tl)) => {
            sink.error(errors::both_styles(&function.name.name, tl.name.span, function.header));
            None
        }
        (FunctionStyle::JitKernel, None) => Some(Style::Jit),
        (FunctionStyle::TlKernel | FunctionStyle::Host, _) => Some(Style::Tl),
    }
}

impl Analysis<'_> {
    fn kernel(&mut self, pointers: &PointerParams) {
        let function = self.program.function(self.frame.at);
        for (place, param) in function.params.iter().enumerate() {
            let name = &param.name;
            if param.variadic {
                self.report(control::variadic_kernel(name.span));
            }
            let val = self.kernel_param(param, pointers.get(&place), place);
            let binding = Binding { val, span: name.span, constexpr: false };
            self.frame.scope.set(&name.name, Slot::Bound(binding));
        }
        self.block(&function.body, true);
        let op = ir::Return { values: Vec::new() };
        self.frame.build.emit(op, Vec::new(), function.header);
    }

    /// What a parameter stands for: a constant if the launch has said so, else a value.
    fn kernel_param(&mut self, param: &Param, pointer: Option<&PointerParam>, place: usize) -> Val {
        let name = &param.name;
        if name.name == "tl" && self.frame.style == Style::Tl {
            return Val::Namespace(Namespace::Tl);
        }
        let constexpr = param.annotation.is_some_and(|it| is_constexpr(self.ast(), it));
        if let Some((known, is_argument)) = self.known_param(param, constexpr, place) {
            if is_argument {
                let ty = Type::Scalar(self.param_dtype(param, Some(&known)));
                self.frame.build.param(&name.name, ty, constexpr, name.span);
            }
            return Val::Const(known);
        }
        let passed = self.input.arguments.get(&name.name).copied();
        if let Some(ArgType::Scalar(dtype)) = passed {
            let ty = Type::Scalar(dtype);
            return Val::Value(self.frame.build.param(&name.name, ty, constexpr, name.span));
        }
        let passed = self.passed_pointer(passed, name.span);
        let found = pointer.map(|it| (it.dtype, it.because));
        let said = passed.or_else(|| self.annotated_pointer(param)).or(found);
        if let Some((dtype, because)) = said {
            return self.pointer_param(param, dtype, because);
        }
        let dtype = if constexpr { DType::I64 } else { self.param_dtype(param, None) };
        let value = self.frame.build.param(&name.name, Type::Scalar(dtype), constexpr, name.span);
        if self.frame.style == Style::Jit && constexpr {
            self.frame.symbols.set(value, &[place]);
        } else if dtype.is_int() && self.frame.style == Style::Jit {
            self.frame.pointers.begin(value, place);
        }
        Val::Value(value)
    }

    /// The value of a parameter that the compiler holds, and whether the launch passes it as well:
    /// what is said of it, its default, or what is assumed.
    fn known_param(
        &mut self,
        param: &Param,
        constexpr: bool,
        place: usize,
    ) -> Option<(Constant, bool)> {
        let jit = self.frame.style == Style::Jit;
        let given = self.input.constants.get(&param.name.name).cloned();
        let given = given.filter(|it| !jit || constexpr || !it.is_number());
        let known = given.or_else(|| self.default_beyond_numbers(param));
        let known = known.or_else(|| self.default_of_constexpr(param, jit && constexpr));
        if let Some(known) = known {
            let is_argument = known.is_number();
            return Some((known, is_argument));
        }
        // Without a value of its own, a launch must say one.
        self.assumed.get(&place).filter(|_| constexpr).map(|it| (it.clone(), true))
    }

    /// The number that a `tl.constexpr` parameter of a `jit` kernel is by default.
    fn default_of_constexpr(&mut self, param: &Param, wanted: bool) -> Option<Constant> {
        let default = param.default.filter(|_| wanted)?;
        let unit = self.frame.unit;
        self.in_unit(unit, |it| it.expr(default)).constant().cloned()
    }

    /// What a launch says that a parameter points at. In `tl` kernels a tensor is an integer.
    fn passed_pointer(&self, passed: Option<ArgType>, span: Span) -> Option<(DType, Span)> {
        match passed.filter(|_| self.frame.style == Style::Jit)? {
            ArgType::Pointer(dtype) => Some((dtype, span)),
            ArgType::Scalar(_) => None,
        }
    }

    /// Adds the parameters that turned out to be pointers; says so where it is not clear.
    fn find_pointers(&mut self, known: &mut PointerParams, elements: &Elements) {
        let params = &self.program.function(self.frame.at).params;
        let is_named_so =
            |place: usize| params.get(place).is_some_and(|it| written::is_named_so(&it.name.name));
        let found: Vec<Found> = self.frame.pointers.found(&is_named_so);
        let mut unsaid = PointerParams::new();
        for found in found {
            match found {
                Ok((place, Some(dtype), because)) => {
                    let said = PointerParam { dtype, because, is_assumed: false };
                    known.entry(place).or_insert(said);
                }
                Ok((place, None, because)) => {
                    let dtype = elements.get(&place).copied().unwrap_or(ASSUMED_ELEMENT);
                    let said = PointerParam { dtype, because, is_assumed: true };
                    unsaid.entry(place).or_insert(said);
                }
                Err(used) => {
                    let name = |place: &usize| params.get(*place).map(|it| it.name.name.as_str());
                    let names: Vec<&str> = used.candidates.iter().filter_map(name).collect();
                    let dtype = used.dtype.unwrap_or(ASSUMED_ELEMENT);
                    self.report(unclear_pointer(&names, dtype, used.span));
                }
            }
        }
        for (place, said) in unsaid {
            known.entry(place).or_insert(said);
        }
    }

    fn pointer_param(&mut self, param: &Param, dtype: DType, because: Span) -> Val {
        let name = &param.name;
        let value = self.frame.build.param(&name.name, Type::Pointer(dtype), false, name.span);
        Val::Pointer(Pointer { address: value, offsets: None, dtype, because })
    }

    /// A default that no scalar can hold: `None`, a string, an element type. A parameter without
    /// default takes that of the like-named parameter of `kernel_args`, which makes the scalars of
    /// a launch, so that a file can be checked without one.
    fn default_beyond_numbers(&mut self, param: &Param) -> Option<Constant> {
        let default = param.default.or_else(|| {
            let mut functions = self.ast().functions();
            let args = functions.find(|function| function.name.name == "kernel_args")?;
            args.params.iter().find(|it| it.name.name == param.name.name)?.default
        })?;
        let unit = self.frame.unit;
        let val = self.in_unit(unit, |it| it.expr(default));
        val.constant().filter(|it| !it.is_number()).cloned()
    }

    /// `"*fp16"`.
    fn annotated_pointer(&self, param: &Param) -> Option<(DType, Span)> {
        let annotation = param.annotation.filter(|_| self.frame.style == Style::Jit)?;
        let ExprKind::Str(text) = self.kind(annotation) else { return None };
        let element = text.strip_prefix("*k").or_else(|| text.strip_prefix('*'))?;
        DType::from_name(element).map(|dtype| (dtype, self.span(annotation)))
    }

    /// The scalar type of a parameter: its annotation's, its default's, or the style's integer.
    fn param_dtype(&self, param: &Param, known: Option<&Constant>) -> DType {
        let float = if self.frame.style == Style::Jit { DType::F32 } else { DType::F64 };
        let annotation = param.annotation.and_then(|it| annotation_name(self.ast(), it));
        let annotated = match annotation {
            Some("int") => Some(self.int_dtype()),
            Some("float") => Some(float),
            Some(other) => DType::from_name(other),
            None => None,
        };
        let default = param.default.map(|it| self.kind(it));
        annotated.unwrap_or(match (known, default) {
            (Some(Constant::Float(_)), _) | (None, Some(ExprKind::Float(_))) => float,
            (Some(Constant::Bool(_)), _) | (None, Some(ExprKind::Bool(_))) => DType::I1,
            (Some(Constant::Int(value)), _) if self.frame.style == Style::Jit => {
                promote::int_dtype(*value).unwrap_or(DType::I64)
            }
            _ => self.int_dtype(),
        })
    }
}
