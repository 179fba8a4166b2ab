//! `torch.tp`: layers whose weights are cut over the ranks, as Megatron cuts them.

use std::any::Any;

use super::create::new_tensor_by;
use super::distributed::{Ask, Kind};
use super::tensor::{DeviceTensor, TensorValue};
use super::{always, device, machine, spawn};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Argument, Form, LaunchRequest, Layout, Runners, Scalar, Tensor};
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
    /// How the rank's PEs share `weight` and `y`, by columns; one PE has them without.
    dp: Option<Given>,
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

/// `ColumnParallelLinear(in_features, out_features, dtype=f16, dp=None)`: each rank makes a share of the
/// outputs; `dp` says how its PEs share that.
fn column_parallel(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    linear(evaluator, &args, "ColumnParallelLinear", false)
}

/// `RowParallelLinear(in_features, out_features, dtype=f16, dp=None)`: each rank takes a share of the inputs,
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
    let params = ["in_features", "out_features", "dtype?", "dp?"];
    let [inputs, outputs, dtype, dp] = args.bind(Signature { name, params })?;
    let dp = dp.filter(|given| !matches!(given.value, Value::None));
    let (Some(inputs), Some(outputs)) = (inputs, outputs) else { return Ok(Value::None) };
    let (_, world) = seat(evaluator, args.span)?;
    let dtype = dtype.as_ref().map_or(Ok(DType::F16), dtype_of)?;
    let extents = match is_cut_by_rows {
        true => [share(&inputs, world)?, share(&outputs, 1)?],
        false => [share(&inputs, 1)?, share(&outputs, world)?],
    };
    let shape = Shape::new(extents);
    let spec = (String::from("weight"), shape, dtype);
    let weight = new_tensor_by(evaluator, spec, dp.as_ref(), args.span)?;
    if let (Some(dp), Some(placed)) = (&dp, weight.device_id()) {
        let tensor = machine(evaluator, args.span)?.tensor(placed);
        refuse_uneven(tensor, dp)?;
    }
    Ok(Value::object(Linear { weight, extents, dtype, is_cut_by_rows, dp }))
}

/// The PEs of a rank share a weight by columns, all alike.
fn refuse_uneven(weight: &Tensor, dp: &Given) -> Result<()> {
    let Some(layout) = weight.layout() else { return Ok(()) };
    let message = match Columns::of(layout) {
        None => format!("{} does not cut a layer's weight by columns", layout.policy()),
        Some(columns) => {
            let extent = weight.shape.0.last().copied().unwrap_or(1);
            if extent.is_multiple_of(columns.shares) {
                return Ok(());
            }
            format!(
                "{extent} columns of a layer's weight do not divide among {} PEs",
                columns.shares
            )
        }
    };
    Err(Fault::new(hosting::BAD_PLACEMENT, message, dp.span, "this policy")
        .note("each PE makes as many outputs: `cube` and `pe` are column_wise or replicate"))
}

/// Which columns a PE has of what is cut by columns.
struct Columns {
    /// How many shares there are.
    shares: u64,
    /// From the share of a cube to that of the next, and from a PE to the next; 0 where they are copies.
    steps: [u64; 2],
}

impl Columns {
    /// Those of a layout; `None` where it cuts otherwise.
    fn of(layout: &Layout) -> Option<Columns> {
        let (policy, part) = (layout.policy(), layout.part());
        let of = |form: Form, count: u32| match form {
            Form::Replicate => Some(1),
            Form::ColumnWise => Some(u64::from(count)),
            Form::RowWise | Form::TiledRowMajor | Form::TiledColumnMajor => {
                (count == 1).then_some(1)
            }
        };
        let (cubes, pes) = (of(policy.cube, part.cubes)?, of(policy.pe, part.pes)?);
        let steps = [if cubes > 1 { pes } else { 0 }, u64::from(pes > 1)];
        Some(Columns { shares: cubes * pes, steps })
    }
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
        let y = new_tensor_by(evaluator, spec, self.dp.as_ref(), args.span)?;
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

    /// In how many blocks of columns, one after another in memory, the layer's input lies.
    fn blocks(&self, x: &Tensor, span: Span) -> Result<u64> {
        let Some(layout) = x.layout() else { return Ok(1) };
        let [inputs, _] = self.extents;
        let columns = Columns::of(layout).filter(|it| inputs.is_multiple_of(it.shares));
        let is_read = self.dp.is_some() || layout.is_in_order();
        if let Some(columns) = columns.filter(|_| is_read) {
            return Ok(columns.shares);
        }
        let message = format!("a layer's input is cut by {}", layout.policy());
        let label = "each PE reads it in columns";
        Err(Fault::new(hosting::HOST_SHAPE, message, span, label).help(match self.dp.is_some() {
            true => String::from("cut it by columns that divide, or let each PE have a copy"),
            false => String::from("give the layer a `dp=`, so that it reads such inputs"),
        }))
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
        let blocks = self.blocks(context.tensor(x.id()), span)?;
        let tensor = |name: &str, it: &DeviceTensor| (name.to_owned(), context.argument(it.id()));
        let mut args = vec![tensor("x_ptr", x), tensor("w_ptr", &weight), tensor("y_ptr", y)];
        let rows = x.shape().0.first().copied().unwrap_or(1);
        let [inputs, outputs] = self.extents;
        let mut scalars = vec![("m", rows), ("k", inputs)];
        let columns =
            context.tensor(weight.id()).layout().and_then(|it| Some((Columns::of(it)?, it.part())));
        let (kernel, runners) = match columns {
            None => {
                scalars.push(("n", outputs));
                ("linear", Runners::Each(vec![device]))
            }
            Some((Columns { shares, steps: [cube, pe] }, part)) => {
                scalars.extend([("n", outputs / shares), ("blocks", blocks)]);
                scalars.extend([("cube_step", cube), ("pe_step", pe)]);
                scalars.push(("itemsize", self.dtype.bytes()));
                ("linear_in_columns", Runners::Parts(vec![part]))
            }
        };
        for (name, extent) in scalars {
            args.push((name.to_owned(), Argument::Scalar(Scalar::Int(extent as i64))));
        }
        let dtype = Scalar::Text(self.dtype.name().to_owned());
        args.push(("dtype".to_owned(), Argument::Scalar(dtype)));
        let request = LaunchRequest {
            label: self.type_name(),
            kernel: kernel.into(),
            args,
            module: Some("tp".into()),
            runners,
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
