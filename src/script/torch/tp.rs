//! `torch.tp`: layers whose weights are cut over the ranks, as Megatron cuts them.

use std::any::Any;

use super::create::new_tensor;
use super::distributed::{Ask, Kind};
use super::tensor::{DeviceTensor, TensorValue};
use super::{always, device, machine, spawn};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Argument, LaunchRequest, Runners, Scalar};
use crate::script::args::{Args, Given, Signature};
use crate::script::dtypes::dtype_of;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Module, Object};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

/// `torch.tp`.
pub(super) const TP: Module = Module {
    name: "torch.tp",
    functions: &[
        always("initialize_model_parallel", initialize),
        always("get_tensor_model_parallel_rank", rank),
        always("get_tensor_model_parallel_world_size", world_size),
        always("ColumnParallelLinear", column_parallel),
        always("RowParallelLinear", row_parallel),
    ],
    constants: &[],
};

/// `y = x @ weight`, with a share of `weight` on each rank.
struct Linear {
    weight: TensorValue,
    /// Elements of a row of `x` and of `y` on this rank.
    extents: [u64; 2],
    dtype: DType,
    /// Whether rows of `weight` are cut: then each rank has a part of the sum.
    is_cut_by_rows: bool,
}

/// The rank and how many there are, in a worker.
fn seat(evaluator: &Evaluator<'_>, span: Span) -> Result<(u32, u32)> {
    let found = evaluator.seat.as_ref().map(|seat| (seat.rank, seat.world));
    found.ok_or_else(|| {
        let message = "layers that are cut over ranks live in ranks";
        Fault::new(hosting::HOST_UNSUPPORTED, message, span, "used here")
            .help(String::from("use them in a worker of `torch.multiprocessing.spawn`"))
    })
}

/// `initialize_model_parallel(size=None)`: all ranks are one tensor-parallel group.
fn initialize(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["tensor_model_parallel_size?"];
    let [size] = args.bind(Signature { name: "initialize_model_parallel", params })?;
    let (_, world) = seat(evaluator, args.span)?;
    let Some(given) = size else { return Ok(Value::None) };
    let size = given.int("the size")?;
    if size == i128::from(world) {
        return Ok(Value::None);
    }
    let message = format!("a group of {size} ranks out of {world}: all of them are one group here");
    Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not the world size"))
}

fn rank(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "get_tensor_model_parallel_rank", params: [] })?;
    Ok(Value::Int(i128::from(seat(evaluator, args.span)?.0)))
}

fn world_size(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "get_tensor_model_parallel_world_size", params: [] })?;
    Ok(Value::Int(i128::from(seat(evaluator, args.span)?.1)))
}

/// `ColumnParallelLinear(in_features, out_features, dtype=f16)`: each rank makes a share of the
/// outputs.
fn column_parallel(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    linear(evaluator, &args, "ColumnParallelLinear", false)
}

/// `RowParallelLinear(in_features, out_features, dtype=f16)`: each rank takes a share of the inputs,
/// and the outputs are added up over the ranks.
fn row_parallel(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    linear(evaluator, &args, "RowParallelLinear", true)
}

fn linear(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    name: &'static str,
    is_cut_by_rows: bool,
) -> Result<Value> {
    let params = ["in_features", "out_features", "dtype?"];
    let [inputs, outputs, dtype] = args.bind(Signature { name, params })?;
    let (Some(inputs), Some(outputs)) = (inputs, outputs) else { return Ok(Value::None) };
    let (_, world) = seat(evaluator, args.span)?;
    let dtype = dtype.as_ref().map_or(Ok(DType::F16), dtype_of)?;
    let extents = match is_cut_by_rows {
        true => [share(&inputs, world)?, share(&outputs, 1)?],
        false => [share(&inputs, 1)?, share(&outputs, world)?],
    };
    let shape = Shape::new(extents);
    let weight = new_tensor(evaluator, (String::from("weight"), shape, dtype), args.span)?;
    Ok(Value::object(Linear { weight, extents, dtype, is_cut_by_rows }))
}

/// A rank's share of so many features.
fn share(given: &Given, ranks: u32) -> Result<u64> {
    let features = given.int("a number of features")?;
    let known = u64::try_from(features).ok().filter(|it| *it > 0);
    let divides = known.filter(|it| it.is_multiple_of(u64::from(ranks)));
    divides.map(|it| it / u64::from(ranks)).ok_or_else(|| {
        let message = format!("{features} features do not divide among {ranks} ranks");
        Fault::new(hosting::HOST_VALUE, message, given.span, "this many")
    })
}

impl Object for Linear {
    fn type_name(&self) -> String {
        match self.is_cut_by_rows {
            true => "RowParallelLinear".into(),
            false => "ColumnParallelLinear".into(),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["weight", "forward"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        Ok((name == "weight").then(|| Value::object(self.weight.clone())))
    }

    fn call_method(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        args: &Args,
    ) -> Result<Option<Value>> {
        if name == "forward" { self.call(evaluator, args) } else { Ok(None) }
    }

    fn call(&self, evaluator: &mut Evaluator<'_>, args: &Args) -> Result<Option<Value>> {
        let [x] = args.bind(Signature { name: "forward", params: ["x"] })?;
        let Some(given) = x else { return Ok(None) };
        let x = self.input(evaluator, &given)?;
        let rows = x.shape().0.first().copied().unwrap_or(1);
        let [_, outputs] = self.extents;
        let spec = (String::from("output"), Shape::new([rows, outputs]), self.dtype);
        let y = new_tensor(evaluator, spec, args.span)?;
        self.multiply(evaluator, [&x, &on_machine(&y, args.span)?], args.span)?;
        if self.is_cut_by_rows {
            self.add_up(evaluator, on_machine(&y, args.span)?, args.span)?;
        }
        Ok(Some(Value::object(y)))
    }
}

fn on_machine(tensor: &TensorValue, span: Span) -> Result<DeviceTensor> {
    let message = "a layer works on tensors of the machine";
    let refuse = || Fault::new(hosting::HOST_VALUE, message, span, "lies on the host");
    tensor.on_machine().filter(|tensor| !tensor.is_part()).ok_or_else(refuse)
}

impl Linear {
    /// What the layer is given: rows of as many elements as it takes, of its own type.
    fn input(&self, evaluator: &mut Evaluator<'_>, given: &Given) -> Result<DeviceTensor> {
        let Some(tensor) = given.value.downcast::<TensorValue>() else {
            return Err(given.wrong("what a layer is given", "a tensor"));
        };
        let (dtype, shape) = (tensor.dtype(evaluator, given.span)?, tensor.shape().clone());
        let [inputs, _] = self.extents;
        if shape.rank() == 2 && shape.0.last() == Some(&inputs) && dtype == self.dtype {
            return on_machine(tensor, given.span);
        }
        let message = format!(
            "{} takes rows of {inputs} elements of {} on this rank, and this has shape {shape} of \
             {dtype}",
            self.type_name(),
            self.dtype
        );
        Err(Fault::new(hosting::HOST_SHAPE, message, given.span, format!("has shape {shape}")))
    }

    /// `y = x @ weight`, on the rank's own device.
    fn multiply(
        &self,
        evaluator: &mut Evaluator<'_>,
        [x, y]: [&DeviceTensor; 2],
        span: Span,
    ) -> Result<()> {
        let weight = on_machine(&self.weight, span)?;
        let device = device::home(evaluator, span)?;
        let context = machine(evaluator, span)?;
        let tensor = |name: &str, it: &DeviceTensor| (name.to_owned(), context.argument(it.id()));
        let mut args = vec![tensor("x_ptr", x), tensor("w_ptr", &weight), tensor("y_ptr", y)];
        let rows = x.shape().0.first().copied().unwrap_or(1);
        let [inputs, outputs] = self.extents;
        for (name, extent) in [("m", rows), ("k", inputs), ("n", outputs)] {
            args.push((name.to_owned(), Argument::Scalar(Scalar::Int(extent as i64))));
        }
        let dtype = Scalar::Text(self.dtype.name().to_owned());
        args.push(("dtype".to_owned(), Argument::Scalar(dtype)));
        let request = LaunchRequest {
            label: self.type_name(),
            kernel: "linear".into(),
            args,
            module: Some("tp".into()),
            runners: Runners::Each(vec![device]),
            ..LaunchRequest::default()
        };
        spawn::post_launch(evaluator, request, vec![x.clone(), weight, y.clone()], span)
    }

    /// The parts of the sum, added up over the ranks.
    fn add_up(&self, evaluator: &mut Evaluator<'_>, y: DeviceTensor, span: Span) -> Result<()> {
        let (_, world) = seat(evaluator, span)?;
        let ask = Ask {
            kind: Kind::AllReduce,
            op: "sum",
            from_to: [None, None],
            algorithm: None,
            members: (0..world).collect(),
        };
        let id = spawn::post_collective(evaluator, (ask, [Some(vec![y]), None]), span)?;
        spawn::wait_for(evaluator, id, span).map(|_| ())
    }
}
