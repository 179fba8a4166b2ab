//! `specialise`: puts the launch's arguments and grid in the place of parameters.

use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, constexpr};
use crate::dtype::DType;
use crate::ir::{
    Bindings, Const, Function, Literal, Op, OpId, Param, Substitution, Type, ValueData, eval,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Specialise;

impl Pass for Specialise {
    fn name(&self) -> &'static str {
        "specialise"
    }

    fn summary(&self) -> &'static str {
        "put the launch's arguments and grid in the place of parameters"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        bind_params(function, context)?;
        bind_grid(function, context.bindings);
        Ok(())
    }
}

fn bind_params(function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
    let params = std::mem::take(&mut function.params);
    let mut failed = None;
    let mut replaced = Substitution::new();
    let mut constants = Vec::new();
    for param in &params {
        match argument(function, param, context.bindings) {
            Ok(value) => {
                let op = constant(function, param, value);
                replaced.replace(param.value, function.result(op));
                constants.push(op);
            }
            Err(error) => failed = Some(context.sink.error(*error)),
        }
    }
    if let Some(reported) = failed {
        return Err(reported);
    }
    let entry = function.entry;
    function.blocks[entry].args.clear();
    constants.append(&mut function.blocks[entry].ops);
    function.blocks[entry].ops = constants;
    replaced.apply(function);
    Ok(())
}

/// A constant that is called as `param` was.
fn constant(function: &mut Function, param: &Param, value: Literal) -> OpId {
    let ValueData { ty, name, .. } = function.values[param.value].clone();
    let op = function.make_op(Const { value }, vec![ty], param.span);
    let result = function.result(op);
    function.values[result].name = name;
    op
}

/// The value that the launch gives `param`, as its type holds it.
fn argument(
    function: &Function,
    param: &Param,
    bindings: &Bindings,
) -> Result<Literal, Box<Diagnostic>> {
    let Some(value) = bindings.params.get(&param.name).copied() else {
        return Err(missing(function, param));
    };
    let dtype = match function.ty(param.value) {
        Type::Pointer(_) => DType::I64,
        Type::Scalar(dtype) => *dtype,
        Type::Tile(_) | Type::Future(_) | Type::Completion => return Err(missing(function, param)),
    };
    match (value, dtype.is_float()) {
        (_, true) => Ok(eval::wrap(dtype, value)),
        (Literal::Int(given), false) if eval::wrap(dtype, value) == value => {
            Ok(Literal::Int(given))
        }
        (Literal::Int(given), false) => Err(unfit(param, &given.to_string(), dtype)),
        (Literal::Float(given), false) => Err(unfit(param, &format!("{given:?}"), dtype)),
    }
}

fn missing(function: &Function, param: &Param) -> Box<Diagnostic> {
    let kernel = &function.name;
    let name = &param.name;
    Box::new(
        Diagnostic::new(
            constexpr::ARGUMENT_MISSING,
            format!("the launch gives no value for `{name}` of kernel `{kernel}`"),
            param.span,
            "this parameter has no value",
        )
        .help(format!("give one with `--set {name}=…`, or return it from `kernel_args`")),
    )
}

fn unfit(param: &Param, given: &str, dtype: DType) -> Box<Diagnostic> {
    let name = &param.name;
    Box::new(Diagnostic::new(
        constexpr::ARGUMENT_UNFIT,
        format!("the launch gives `{name}` the value {given}, which is not of type {dtype}"),
        param.span,
        format!("this parameter is {dtype}"),
    ))
}

/// The grid's extents become constants, and so does the program's place on an axis of extent 1.
fn bind_grid(function: &mut Function, bindings: &Bindings) {
    let extent = |axis: u32| bindings.num_programs.get(axis as usize).copied();
    for op in function.reachable_ops() {
        let known = &function.ops[op].op;
        let value = if let Op::NumPrograms(it) = known {
            extent(it.axis).map(i64::from)
        } else if let Op::ProgramId(it) = known {
            (extent(it.axis) == Some(1)).then_some(0)
        } else {
            None
        };
        if let Some(value) = value {
            function.ops[op].op = Const { value: Literal::Int(value) }.into();
        }
    }
}
