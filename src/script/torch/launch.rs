//! `torch.launch`.

use super::tensor::TensorValue;
use super::{always, fault, machine};
use crate::diag::{hosting, nearest_help};
use crate::host::{Argument, LaunchRequest};
use crate::script::args::{Args, Given};
use crate::script::entry::{kernel_params, to_scalar};
use crate::script::evaluator::{Evaluator, undecided};
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::syntax::ast::{Function, Param};

pub(super) const TABLE: &[Native] = &[always("launch", launch)];

/// `torch.launch([label,] kernel, *args)`: runs a kernel once on every rank. Tensors become their
/// base addresses; scalars by place or by the name of their parameter; a scalar left out takes
/// the parameter's default.
fn launch(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let mut given = args.positional.iter();
    let mut first = given.next();
    let label = first.and_then(|given| given.value.as_str()).map(str::to_owned);
    if label.is_some() {
        first = given.next();
    }
    let Some(kernel) = first else {
        return Err(crate::script::args::missing("torch.launch", "kernel", args.span));
    };
    let Value::Kernel(name) = &kernel.value else {
        return Err(kernel
            .wrong("what is launched", "a kernel")
            .note("a kernel is decorated `@triton.jit`, or takes `tl` as its last parameter"));
    };
    let module = evaluator.module();
    let function = module.functions().filter(|it| it.name.name == **name).last();
    let Some(function) = function else {
        let message = format!("kernel `{name}` is not of this file");
        return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, kernel.span, "launched here"));
    };
    let rest: Vec<Given> = given.cloned().collect();
    let params = kernel_params(module, function);
    let mut bound = Vec::with_capacity(params.len());
    for (index, param) in params.iter().enumerate() {
        bound.push(argument(evaluator, (index, param), &rest, (&args, function))?);
    }
    refuse_extra(params, &rest, (&args, function))?;
    let label = label.unwrap_or_else(|| name.to_string());
    let request = LaunchRequest { label, kernel: name.to_string(), args: bound, grid: None };
    let launched = machine(evaluator, args.span)?.launch(request);
    launched.map_err(|error| fault(error, args.span))?;
    Ok(Value::None)
}

/// The argument of one parameter.
fn argument(
    evaluator: &mut Evaluator<'_>,
    (index, param): (usize, &Param),
    rest: &[Given],
    (args, kernel): (&Args, &Function),
) -> Result<(String, Argument)> {
    let name = param.name.name.as_str();
    let by_name = args.named.iter().find(|(known, _)| known.name == name);
    let given = match (rest.get(index), by_name, param.default) {
        (Some(given), None, _) => given.clone(),
        (None, Some((_, given)), _) => given.clone(),
        (None, None, Some(default)) => {
            let value = evaluator.evaluate_global(default)?;
            Given { value, span: param.name.span }
        }
        (Some(_), Some((ident, _)), _) => {
            let message = format!("kernel `{}` is given `{name}` twice", kernel.name.name);
            let label = "given by place already";
            return Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, ident.span, label));
        }
        (None, None, None) => {
            let message =
                format!("kernel `{}` needs `{name}`, which is not given", kernel.name.name);
            let label = format!("`{name}` is missing");
            return Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, args.span, label)
                .because(param.name.span, "it has no default"));
        }
    };
    Ok((name.to_owned(), convert(evaluator, &given, param)?))
}

fn convert(evaluator: &mut Evaluator<'_>, given: &Given, param: &Param) -> Result<Argument> {
    let name = &param.name.name;
    if let Value::Unknown(made) = given.value {
        return Err(undecided("this argument", made, given.span));
    }
    if let Some(tensor) = given.value.downcast::<TensorValue>() {
        let refuse = |message: String, help: &str| {
            Fault::new(
                hosting::KERNEL_ARGUMENTS,
                message,
                given.span,
                "not a tensor of the machine",
            )
            .because(param.name.span, "a kernel is given the address of a whole tensor")
            .help(help.to_owned())
        };
        let Some(id) = tensor.device_id() else {
            let message = format!("`{name}` is given a tensor that lies on the host");
            return Err(refuse(message, "`torch.tensor(…)` of it makes one on the machine"));
        };
        if tensor.is_part() {
            let message = format!("`{name}` is given a part of a tensor");
            return Err(refuse(message, "pass the whole tensor, and an offset to the kernel"));
        }
        return Ok(machine(evaluator, given.span)?.argument(id));
    }
    to_scalar(&given.value).map(Argument::Scalar).ok_or_else(|| {
        let found = match given.value.as_int() {
            Some(value) => format!("{value}, which does not fit 64 bits"),
            None => given.value.a_type(),
        };
        let message = format!("`{name}` of the kernel is given {found}");
        Fault::new(hosting::KERNEL_ARGUMENTS, message, given.span, "cannot be passed to a kernel")
            .because(param.name.span, "takes a tensor, an int, a float, a bool, a str or None")
    })
}

/// Refuses arguments that no parameter takes.
fn refuse_extra(
    params: &[Param],
    rest: &[Given],
    (args, kernel): (&Args, &Function),
) -> Result<()> {
    let name = &kernel.name.name;
    if let Some(extra) = rest.get(params.len()) {
        let (takes, given) = (params.len(), rest.len());
        let message = format!("kernel `{name}` takes {takes} arguments, and {given} are given");
        let label = "this one is too many";
        return Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, extra.span, label)
            .because(kernel.header, format!("takes {takes}")));
    }
    let names: Vec<&str> = params.iter().map(|param| param.name.name.as_str()).collect();
    let unknown = args.named.iter().find(|(ident, _)| !names.contains(&ident.name.as_str()));
    let Some((ident, _)) = unknown else { return Ok(()) };
    let message = format!("kernel `{name}` has no parameter `{}`", ident.name);
    let help = nearest_help("parameter", &ident.name, names);
    Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, ident.span, "not a parameter").help(help))
}
