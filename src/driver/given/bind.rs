//! Each parameter of a kernel and what the shell gives it.

use super::tuning::Tuning;
use super::{Argument, ArgumentValue, GivenTensor, TensorValue, is_pointer};
use crate::diag::{Diagnostic, Reported, Sink, hosting as codes, nearest_help};
use crate::driver::LaunchOptions;
use crate::driver::settings::{self, Known};
use crate::dtype::DType;
use crate::host::Scalar;
use crate::ir::{self, Literal};
use crate::script::Script;
use crate::sema::{ArgType, Constant};
use crate::shape::Shape;
use crate::source::Span;
use crate::syntax::ast;

/// A kernel whose parameters are to be given values.
pub(super) struct Kernel {
    name: String,
    /// Where it is defined.
    header: Span,
    /// Whether its arguments have Triton's types.
    is_jit: bool,
    parameters: Vec<Parameter>,
}

/// A parameter of a kernel.
struct Parameter {
    name: String,
    span: Span,
    kind: ParameterKind,
    /// What it is without being given anything; a default that no scalar can hold is analysis's.
    default: Default,
    /// What the first configuration of `autotune` says.
    tuned: Option<Constant>,
    /// Whether `heuristics` computes it.
    is_computed: bool,
}

/// What a parameter may take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ParameterKind {
    /// What is known at compile time.
    Constexpr,
    /// A tensor.
    Pointer,
    /// A scalar.
    Scalar,
    /// A tensor or a scalar: the text does not say.
    Either,
}

/// A parameter's default.
enum Default {
    None,
    Scalar(Scalar),
    /// One that analysis knows what to do with.
    Other,
}

/// What a kernel is launched with.
pub(super) struct Bound {
    /// Its name.
    pub(super) kernel: String,
    /// Whether it is decorated with `@triton.jit`.
    pub(super) is_jit: bool,
    /// What analysis must know.
    pub(super) known: Known,
    /// The scalars.
    pub(super) scalars: Vec<(String, Literal)>,
    /// The tensors, in the order of the parameters.
    pub(super) tensors: Vec<GivenTensor>,
}

impl Kernel {
    /// A kernel of a source file.
    pub(super) fn of_source(
        module: &ast::Module,
        function: &ast::Function,
        script: &Script<'_>,
    ) -> Kernel {
        let constexprs = settings::constexprs(module, function);
        let tuning = Tuning::of(module, function);
        let parameter = |(param, scalar): (&ast::Param, Option<Scalar>)| {
            let name = param.name.name.clone();
            let is_constexpr = constexprs.contains(&name);
            let default = match (scalar, param.default) {
                (Some(scalar @ (Scalar::Int(_) | Scalar::Float(_) | Scalar::Bool(_))), _) => {
                    Default::Scalar(scalar)
                }
                (_, Some(_)) => Default::Other,
                (_, None) => Default::None,
            };
            let kind = if is_constexpr { ParameterKind::Constexpr } else { ParameterKind::Either };
            let tuned = tuning.value(&name).cloned();
            let is_computed = tuning.computed.contains(&name);
            Parameter { name, span: param.name.span, kind, default, tuned, is_computed }
        };
        Kernel {
            name: function.name.name.clone(),
            header: function.header,
            is_jit: function.style(module) == ast::FunctionStyle::JitKernel,
            parameters: script.parameters(function).into_iter().map(parameter).collect(),
        }
    }

    /// A kernel of textual IR.
    pub(super) fn of_ir(function: &ir::Function) -> Kernel {
        let parameter = |param: &ir::Param| Parameter {
            name: param.name.clone(),
            span: param.span,
            kind: match is_pointer(function, param) {
                true => ParameterKind::Pointer,
                false if *function.ty(param.value) == ir::Type::I64 => ParameterKind::Either,
                false => ParameterKind::Scalar,
            },
            default: Default::None,
            tuned: None,
            is_computed: false,
        };
        let parameters = function.params.iter().map(parameter).collect();
        let name = function.name.clone();
        Kernel { name, header: Span::NONE, is_jit: false, parameters }
    }
}

/// Gives the parameters of `kernel` what the options say; all must have a value where the kernel
/// is launched.
///
/// # Errors
/// Everything that does not fit has been reported.
pub(super) fn bind(
    kernel: Kernel,
    options: &LaunchOptions,
    is_launched: bool,
    sink: &mut Sink,
) -> Result<Bound, Reported> {
    let mut binder = Binder { bound: kernel.unbound(), kernel: &kernel, is_launched, sink };
    let unknown = binder.refuse_unknown(options);
    let mut failed = unknown.err();
    for parameter in &kernel.parameters {
        let given = binder.given(parameter, options);
        failed = given.and_then(|given| binder.take(parameter, given)).err().or(failed);
    }
    let bound = binder.bound;
    failed.map_or(Ok(bound), Err)
}

impl Kernel {
    fn unbound(&self) -> Bound {
        Bound {
            kernel: self.name.clone(),
            is_jit: self.is_jit,
            known: Known { entry: Some(self.name.clone()), ..Known::default() },
            scalars: Vec::new(),
            tensors: Vec::new(),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.parameters.iter().map(|parameter| parameter.name.as_str()).collect()
    }
}

struct Binder<'a> {
    kernel: &'a Kernel,
    is_launched: bool,
    bound: Bound,
    sink: &'a mut Sink,
}

impl Binder<'_> {
    /// Refuses arguments of no parameter, and parameters given twice.
    fn refuse_unknown(&mut self, options: &LaunchOptions) -> Result<(), Reported> {
        let arguments = options.arguments.iter().map(|it| ("--arg", it.name.as_str()));
        let settings = options.settings.iter().map(|(name, _)| ("--set", name.as_str()));
        let given: Vec<(&str, &str)> = arguments.chain(settings).collect();
        let mut result = Ok(());
        for (place, (option, name)) in given.iter().enumerate() {
            let parameter = self.kernel.parameters.iter().find(|it| it.name == *name);
            let twice = given[..place].iter().find(|(_, earlier)| earlier == name);
            let wrong = match (parameter, twice) {
                (None, _) => unknown(self.kernel, option, name),
                (Some(parameter), Some((earlier, _))) => given_twice(parameter, earlier, option),
                (Some(_), None) => continue,
            };
            result = Err(self.sink.error(wrong));
        }
        result
    }

    /// What a parameter is given, if anything.
    fn given(
        &mut self,
        parameter: &Parameter,
        options: &LaunchOptions,
    ) -> Result<Option<Given>, Reported> {
        let argument = options.arguments.iter().find(|it| it.name == parameter.name);
        if let Some(Argument { value, .. }) = argument {
            return Ok(Some(Given::Argument(value.clone())));
        }
        match options.settings.iter().find(|(name, _)| *name == parameter.name) {
            Some((_, text)) => match constant(text) {
                Ok(constant) => Ok(Some(Given::Constant(constant))),
                Err(why) => Err(self.sink.error(bad_setting(parameter, text, &why))),
            },
            None => Ok(parameter.tuned.clone().map(Given::Constant)),
        }
    }

    fn take(&mut self, parameter: &Parameter, given: Option<Given>) -> Result<(), Reported> {
        match given {
            Some(Given::Constant(constant)) => self.constant(parameter, constant),
            Some(Given::Argument(value)) => self.argument(parameter, value),
            None => self.default(parameter),
        }
    }

    fn default(&mut self, parameter: &Parameter) -> Result<(), Reported> {
        match &parameter.default {
            Default::Scalar(scalar) => self.scalar(parameter, scalar.clone(), None),
            Default::Other => Ok(()),
            Default::None if self.is_launched => {
                Err(self.sink.error(missing(self.kernel, parameter)))
            }
            Default::None => Ok(()),
        }
    }

    /// Takes a `--set`.
    fn constant(&mut self, parameter: &Parameter, constant: Constant) -> Result<(), Reported> {
        let scalar = match &constant {
            Constant::Bool(value) => Some(Scalar::Bool(*value)),
            Constant::Int(value) => i64::try_from(*value).ok().map(Scalar::Int),
            Constant::Float(value) => Some(Scalar::Float(*value)),
            Constant::None | Constant::Str(_) | Constant::DType(_) => None,
        };
        match scalar {
            Some(scalar) => self.scalar(parameter, scalar, None),
            None => {
                self.know(parameter, constant);
                Ok(())
            }
        }
    }

    /// Takes an `--arg`.
    fn argument(&mut self, parameter: &Parameter, value: ArgumentValue) -> Result<(), Reported> {
        let has_no_type = matches!(value, ArgumentValue::Scalar(..) | ArgumentValue::None);
        if parameter.kind == ParameterKind::Constexpr && !has_no_type {
            return Err(self.sink.error(not_constexpr(parameter, &value)));
        }
        match value {
            ArgumentValue::Tensor(value) => self.tensor(parameter, value, true),
            ArgumentValue::PointerType(dtype) => {
                let value = TensorValue { dtype, shape: Shape(vec![]), bytes: None };
                self.tensor(parameter, value, false)
            }
            ArgumentValue::Scalar(scalar, dtype) => self.scalar(parameter, scalar, dtype),
            ArgumentValue::ScalarType(_) if self.is_launched => {
                Err(self.sink.error(only_a_type(parameter)))
            }
            ArgumentValue::ScalarType(dtype) => {
                self.typed(parameter, ArgType::Scalar(dtype));
                Ok(())
            }
            ArgumentValue::None => {
                self.know(parameter, Constant::None);
                Ok(())
            }
        }
    }

    fn know(&mut self, parameter: &Parameter, constant: Constant) {
        self.bound.known.constants.insert(parameter.name.clone(), constant);
    }

    fn typed(&mut self, parameter: &Parameter, argument: ArgType) {
        self.bound.known.arguments.insert(parameter.name.clone(), argument);
    }

    fn tensor(
        &mut self,
        parameter: &Parameter,
        value: TensorValue,
        is_sized: bool,
    ) -> Result<(), Reported> {
        if parameter.kind == ParameterKind::Scalar {
            return Err(self.sink.error(not_scalar(parameter)));
        }
        if self.kernel.is_jit {
            self.typed(parameter, ArgType::Pointer(value.dtype));
        }
        let (name, span) = (parameter.name.clone(), parameter.span);
        self.bound.tensors.push(GivenTensor { name, span, value, is_sized });
        Ok(())
    }

    fn scalar(
        &mut self,
        parameter: &Parameter,
        scalar: Scalar,
        dtype: Option<DType>,
    ) -> Result<(), Reported> {
        if parameter.kind == ParameterKind::Pointer {
            return Err(self.sink.error(not_pointer(parameter, &scalar)));
        }
        let (literal, natural) = match scalar {
            Scalar::Int(value) => (Literal::Int(value), int_type(value)),
            Scalar::Float(value) => (Literal::Float(value), DType::F32),
            Scalar::Bool(value) => (Literal::Int(i64::from(value)), DType::I1),
            Scalar::Text(_) | Scalar::DType(_) | Scalar::None => return Ok(()),
        };
        if parameter.kind == ParameterKind::Constexpr {
            let constant = match scalar {
                Scalar::Bool(value) => Constant::Bool(value),
                Scalar::Int(_)
                | Scalar::Float(_)
                | Scalar::Text(_)
                | Scalar::DType(_)
                | Scalar::None => Constant::from(literal),
            };
            self.know(parameter, constant);
        }
        // Textual IR and kernels that take `tl` say the types of their scalars themselves.
        if parameter.kind != ParameterKind::Constexpr && (self.kernel.is_jit || dtype.is_some()) {
            self.typed(parameter, ArgType::Scalar(dtype.unwrap_or(natural)));
        }
        self.bound.scalars.push((parameter.name.clone(), literal));
        Ok(())
    }
}

/// What a parameter is given, by which option.
enum Given {
    Argument(ArgumentValue),
    Constant(Constant),
}

/// The type that Triton gives an integer argument.
pub(in crate::driver) fn int_type(value: i64) -> DType {
    if i32::try_from(value).is_ok() { DType::I32 } else { DType::I64 }
}

/// What `--set NAME=text` means for a kernel: as Python would read it, `tl.` and an element type
/// included; what is nothing else is a string.
fn constant(text: &str) -> Result<Constant, String> {
    if let Some(name) = text.strip_prefix("tl.").or_else(|| text.strip_prefix("triton.language.")) {
        let dtype = super::argument::element_type(name);
        return dtype.map(Constant::DType).map_err(|it| it.0);
    }
    if text.starts_with(['(', '[', '{']) {
        return Err(String::from("a tuple, list or dict cannot be given"));
    }
    Ok(match Scalar::parse(text) {
        Scalar::Int(value) => Constant::Int(i128::from(value)),
        Scalar::Float(value) => Constant::Float(value),
        Scalar::Bool(value) => Constant::Bool(value),
        Scalar::Text(text) => Constant::Str(text),
        Scalar::DType(dtype) => Constant::DType(dtype),
        Scalar::None => Constant::None,
    })
}

fn unknown(kernel: &Kernel, option: &str, name: &str) -> Diagnostic {
    let names = kernel.names();
    let message = format!("`{option} {name}=…`: kernel `{}` has no such parameter", kernel.name);
    let it = Diagnostic::new(codes::UNKNOWN_ARGUMENT, message, kernel.header, "launched with it");
    let it = it.note(format!("its parameters are {}", names.join(", ")));
    // `x` means `x_ptr` rather than another name of one letter.
    let longer = |other: &&&str| other.starts_with(name) || name.starts_with(**other);
    let help = match names.iter().find(longer) {
        Some(other) => Some(format!("a parameter with a similar name exists: `{other}`")),
        None if name.len() > 1 => nearest_help("parameter", name, names.iter().copied()),
        None => None,
    };
    help.into_iter().fold(it, Diagnostic::help)
}

fn given_twice(parameter: &Parameter, earlier: &str, later: &str) -> Diagnostic {
    let message = format!("`{}` is given twice, by `{earlier}` and by `{later}`", parameter.name);
    Diagnostic::new(codes::ARGUMENT_KIND, message, parameter.span, "takes one value")
        .help(format!("leave one of them out; `{later}` for `tl.constexpr` is `--set`"))
}

fn missing(kernel: &Kernel, parameter: &Parameter) -> Diagnostic {
    let name = &parameter.name;
    let message = format!("kernel `{}` is given no value for `{name}`", kernel.name);
    let it = Diagnostic::new(codes::NO_ARGUMENT, message, parameter.span, "has no value");
    match parameter.kind {
        ParameterKind::Constexpr => it
            .note(match parameter.is_computed {
                true => format!("`@triton.heuristics` computes `{name}`, which kbc does not"),
                false => format!("`{name}` is known at compile time"),
            })
            .help(format!("give it with `--set {name}=…`")),
        ParameterKind::Pointer => it.help(format!("give it with `--arg {name}=@FILE.npy`")),
        ParameterKind::Scalar => it.help(format!("give it with `--arg {name}=NUMBER`")),
        ParameterKind::Either => it.help(format!(
            "give it with `--arg {name}=@FILE.npy` if it is a tensor, with `--arg {name}=NUMBER` \
             if it is a scalar"
        )),
    }
}

fn only_a_type(parameter: &Parameter) -> Diagnostic {
    let name = &parameter.name;
    let message = format!("`{name}` is given a type and no value, and a launch needs its value");
    Diagnostic::new(codes::NO_ARGUMENT, message, parameter.span, "has no value")
        .help(format!("give it with `--arg {name}=NUMBER`"))
}

fn not_constexpr(parameter: &Parameter, value: &ArgumentValue) -> Diagnostic {
    let name = &parameter.name;
    let found = match value {
        ArgumentValue::Tensor(_) | ArgumentValue::PointerType(_) => "a tensor",
        ArgumentValue::Scalar(..) | ArgumentValue::ScalarType(_) | ArgumentValue::None => "a type",
    };
    let message = format!("`{name}` is given {found}, and it must be known at compile time");
    Diagnostic::new(codes::ARGUMENT_KIND, message, parameter.span, "is a `tl.constexpr`")
        .help(format!("give it a number, a string or an element type: `--set {name}=…`"))
}

fn not_scalar(parameter: &Parameter) -> Diagnostic {
    let message = format!("`{}` is given a tensor, and it is a scalar", parameter.name);
    Diagnostic::new(codes::ARGUMENT_KIND, message, parameter.span, "is a scalar")
}

fn not_pointer(parameter: &Parameter, scalar: &Scalar) -> Diagnostic {
    let name = &parameter.name;
    let message = format!("`{name}` is given {scalar}, and it is a pointer");
    Diagnostic::new(codes::ARGUMENT_KIND, message, parameter.span, "is a pointer")
        .help(format!("give it a tensor: `--arg {name}=@FILE.npy`"))
}

fn bad_setting(parameter: &Parameter, text: &str, why: &str) -> Diagnostic {
    let message = format!("`--set {}={text}`: {why}", parameter.name);
    Diagnostic::new(codes::ARGUMENT_KIND, message, parameter.span, "takes a number, a string, …")
        .note("a setting is an int, a float, True, False, None, a string or a type as tl.float16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_python_would() {
        assert_eq!(constant("256"), Ok(Constant::Int(256)));
        assert_eq!(constant("True"), Ok(Constant::Bool(true)));
        assert_eq!(constant("1e-5"), Ok(Constant::Float(1e-5)));
        assert_eq!(constant("leaky"), Ok(Constant::Str("leaky".into())));
        assert_eq!(constant("'3'"), Ok(Constant::Str("3".into())));
        assert_eq!(constant("None"), Ok(Constant::None));
        assert_eq!(constant("tl.bfloat16"), Ok(Constant::DType(DType::BF16)));
        assert!(constant("tl.float17").is_err());
        assert!(constant("(1, 2)").is_err());
    }

    #[test]
    fn integers_are_as_wide_as_in_triton() {
        assert_eq!(int_type(i64::from(i32::MAX)), DType::I32);
        assert_eq!(int_type(i64::from(i32::MIN)), DType::I32);
        assert_eq!(int_type(i64::from(i32::MAX) + 1), DType::I64);
    }
}
