//! Launching kernels: `torch.launch(kernel, …)`, and `kernel[grid](…)` as Triton writes it.

use std::any::Any;
use std::rc::Rc;

use super::launched::Launched;
use super::tensor::TensorValue;
use super::{always, device, fault, machine, spawn};
use crate::diag::{hosting, nearest_help};
use crate::host::{
    Argument, DpPolicy, LaunchRequest, Part, Placement, RankUnit, Runners, Scalar, SipChoice,
};
use crate::launch::{Deal, NeighborTable};
use crate::script::args::{Args, Given, Signature};
use crate::script::dict::Dict;
use crate::script::entry::{kernel_params, to_scalar};
use crate::script::evaluator::{Evaluator, hashable, undecided};
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, Object};
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::{Function, Ident, Param};

pub(super) const TABLE: &[Native] =
    &[always("launch", launch), always("wait", wait), always("wait_all", wait_all)];

/// `torch.launch([label,] kernel, *args)`: runs a kernel once on every rank. Tensors become their
/// base addresses; scalars by place or by the name of their parameter; a scalar left out takes
/// the parameter's default. Gives a [`Launched`].
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
            .note("a kernel is decorated `@triton.jit`, or takes `tl` as its last parameter without a default"));
    };
    let rest: Vec<Given> = given.cloned().collect();
    let (named, options) = Options::of(evaluator, name, &args.named)?;
    let call = Call { name, rest: &rest, named: &named, options, span: args.span, at: kernel.span };
    submit(evaluator, &call, label, |_, _| Ok(None))
}

/// `torch.wait(launch)`: lets it end. Launches begin in order and end in order; nothing waits for one
/// before the host asks for what it leaves.
fn wait(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [launched] = args.bind(Signature { name: "wait", params: ["launch"] })?;
    let Some(given) = launched else { return Ok(Value::None) };
    let is_launch = given.value.downcast::<Launched>().is_some();
    if !is_launch && !matches!(given.value, Value::None) {
        return Err(given.wrong("`launch`", "what `torch.launch` gives"));
    }
    drain(evaluator, args.span)
}

/// `torch.wait_all()`: lets every launch end.
fn wait_all(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "wait_all", params: [] })?;
    drain(evaluator, args.span)
}

fn drain(evaluator: &mut Evaluator<'_>, span: Span) -> Result<Value> {
    spawn::drain(evaluator, span)?;
    let ended = machine(evaluator, span)?.wait_all();
    ended.map_err(|error| fault(error, span)).map(|()| Value::None)
}

/// What a launch is told beside the kernel's arguments.
#[derive(Default)]
struct Options {
    /// Who runs it, where that does not follow from the tensors.
    target: Option<Given>,
    /// How the programs of a grid are dealt to ranks.
    deal: Option<Deal>,
}

impl Options {
    /// The options among the arguments by name, and the other arguments. A parameter of the kernel is no
    /// option, whatever its name.
    fn of(
        evaluator: &mut Evaluator<'_>,
        kernel: &str,
        named: &[(Ident, Given)],
    ) -> Result<(Vec<(Ident, Given)>, Options)> {
        let function = evaluator.module().functions().filter(|it| it.name.name == kernel).last();
        let has = |name: &str| {
            function.is_some_and(|it| it.params.iter().any(|param| param.name.name == name))
        };
        let (mut rest, mut options) = (Vec::new(), Options::default());
        for (name, given) in named {
            match name.name.as_str() {
                own if has(own) => rest.push((name.clone(), given.clone())),
                "target" => options.target = Some(given.clone()),
                "map" => options.deal = Some(deal(given)?),
                // Every launch is waited for as late as can be.
                "_defer_wait" => {
                    given.truth("`_defer_wait`")?;
                }
                _other => rest.push((name.clone(), given.clone())),
            }
        }
        Ok((rest, options))
    }
}

fn deal(given: &Given) -> Result<Deal> {
    match given.text("`map`")? {
        "block" => Ok(Deal::Block),
        "cyclic" => Ok(Deal::Cyclic),
        name => {
            let message = format!("`map` is \"{name}\", and programs are dealt in two ways");
            Err(Fault::new(hosting::HOST_VALUE, message, given.span, "no way to deal programs")
                .note("the ways are \"block\" and \"cyclic\""))
        }
    }
}

/// A kernel that is launched, and what it is given.
struct Call<'c> {
    name: &'c str,
    /// By place.
    rest: &'c [Given],
    /// By name.
    named: &'c [(Ident, Given)],
    options: Options,
    /// The whole call.
    span: Span,
    /// Where the kernel is named.
    at: Span,
}

/// Binds the arguments, asks `grid` for the launch's shape, and launches. Gives the launch, to ask
/// how it went; `None` in a worker, which shares it with others.
fn submit(
    evaluator: &mut Evaluator<'_>,
    call: &Call<'_>,
    label: Option<String>,
    grid: impl FnOnce(&mut Evaluator<'_>, &[(String, Given)]) -> Result<Option<[u32; 3]>>,
) -> Result<Value> {
    let name = call.name;
    let module = evaluator.module();
    let function = module.functions().filter(|it| it.name.name == *name).last();
    let Some(function) = function else {
        let message = format!("kernel `{name}` is not of this file");
        return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, call.at, "launched here"));
    };
    let params = kernel_params(module, function);
    let mut given = Vec::with_capacity(params.len());
    for (index, param) in params.iter().enumerate() {
        let value = given_for(evaluator, (index, param), call, function)?;
        given.push((param.name.name.clone(), value));
    }
    refuse_extra(&params, call, function)?;
    let grid = grid(evaluator, &given)?;
    let mut bound = Vec::with_capacity(params.len());
    for ((name, value), param) in given.iter().zip(&params) {
        bound.push((name.clone(), convert(evaluator, value, param)?));
    }
    let label = label.unwrap_or_else(|| name.to_owned());
    let kernel = name.to_owned();
    let mut neighbors = None;
    let mut runners = runners(&bound);
    if let Some(target) = &call.options.target {
        runners = chosen(evaluator, target, runners)?;
    } else if runners == Runners::All && evaluator.seat.is_none() {
        (runners, neighbors) = of_ranks(evaluator, &bound, call.span)?;
    }
    let deal = call.options.deal;
    let request = LaunchRequest {
        label,
        kernel,
        args: bound,
        grid,
        runners,
        neighbors,
        deal,
        ..LaunchRequest::default()
    };
    if evaluator.seat.is_some() {
        let home = device::home(evaluator, call.span)?;
        let runners = match &request.runners {
            Runners::Parts(parts) => Runners::Parts(parts.clone()),
            Runners::All | Runners::Groups(_) | Runners::Each(_) => Runners::Each(vec![home]),
        };
        let request = LaunchRequest { runners, ..request };
        let tensors = call.rest.iter().chain(call.named.iter().map(|(_, given)| given));
        let tensors = tensors.filter_map(|it| it.value.downcast::<TensorValue>()?.on_machine());
        spawn::post_launch(evaluator, request, tensors.collect(), call.span)?;
        return Ok(Value::None);
    }
    let machine = machine(evaluator, call.span)?;
    let index = machine.launches();
    machine.launch(request).map_err(|error| fault(error, call.span))?;
    Ok(Value::object(Launched { index }))
}

/// Who runs a launch that every rank runs: the first PE of each. Where ranks are not PEs, the file's
/// `neighbors` is asked here, of so many ranks.
fn of_ranks(
    evaluator: &mut Evaluator<'_>,
    args: &[(String, Argument)],
    span: Span,
) -> Result<(Runners, Option<NeighborTable>)> {
    let ranks = device::ranks(evaluator, span)?;
    if ranks.unit() == RankUnit::Pe {
        return Ok((Runners::All, None));
    }
    let scalar = |(name, argument): &(String, Argument)| match argument {
        Argument::Scalar(value) => Some((name.clone(), value.clone())),
        Argument::Tensor(_) => None,
    };
    let scalars: Vec<(String, Scalar)> = args.iter().filter_map(scalar).collect();
    let script = evaluator.script().clone();
    let facts = script.settings.facts.clone();
    let facts = facts.into_iter().map(|(name, value)| (name.clone(), ranks.fact(&name, value)));
    let script = script.of_world(ranks.count(), facts.collect());
    let pes = (0..ranks.count()).map(|rank| ranks.first_pe(rank)).collect();
    Ok((Runners::Groups(vec![pes]), script.neighbors(&scalars)?))
}

/// Who runs a launch: the PEs on which policies have placed its tensors, and every rank where a tensor is
/// cut over all of them, or no policy places any.
fn runners(args: &[(String, Argument)]) -> Runners {
    let mut found: Option<Part> = None;
    for (_, argument) in args {
        let Argument::Tensor(tensor) = argument else { continue };
        match &tensor.placement {
            Placement::Sharded(_) => return Runners::All,
            Placement::Policy(layout) => {
                let part = layout.part();
                found = Some(found.map_or(part, |found| found.with(part)));
            }
            Placement::Replicated | Placement::Single(_) | Placement::Copied(_) => {}
        }
    }
    found.map_or(Runners::All, |part| Runners::Parts(vec![part]))
}

/// Who runs a launch whose `target=` is given: `"all"` ranks, the PEs of `"sip:1"`, or those of that SIP
/// that have the tensors, or a list of ranks, which are 0, 1, … to the kernel.
fn chosen(evaluator: &mut Evaluator<'_>, target: &Given, runners: Runners) -> Result<Runners> {
    if evaluator.seat.is_some() {
        let message = "a rank launches on its own device";
        return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, target.span, "a target")
            .help(String::from("`torch.ahbm.set_device(…)` says which device that is")));
    }
    if let Some(items) = target.value.as_sequence() {
        return group(evaluator, target, &items);
    }
    if target.value.as_str() == Some("all") {
        return Ok(Runners::All);
    }
    let sips = super::device::sips_of(evaluator, target)?;
    let machine = machine(evaluator, target.span)?;
    let whole = DpPolicy::default().part(sips, (&machine.extent(), machine.world_size()));
    let Ok(whole) = whole else { return Ok(runners) };
    let Runners::Parts(parts) = &runners else { return Ok(Runners::Parts(vec![whole])) };
    let [part] = parts[..] else { return Ok(runners) };
    let of_part = part.first_sip..part.first_sip + part.sips;
    let (first, cubes) = match sips {
        SipChoice::Cube(_) => (whole.first_cube, 1),
        SipChoice::One(_) | SipChoice::All => (part.first_cube, part.cubes),
    };
    let is_in = first >= part.first_cube && first + cubes <= part.first_cube + part.cubes;
    if !of_part.contains(&whole.first_sip) || !is_in {
        let message = format!("no tensor of this launch lies on {sips}");
        return Err(Fault::new(hosting::HOST_VALUE, message, target.span, "this target")
            .note("`tensor.shards()` says where it lies"));
    }
    let first_sip = whole.first_sip;
    Ok(Runners::Parts(vec![Part { first_sip, sips: 1, first_cube: first, cubes, ..part }]))
}

/// A list of ranks.
fn group(evaluator: &mut Evaluator<'_>, target: &Given, items: &[Value]) -> Result<Runners> {
    let ranks = device::ranks(evaluator, target.span)?;
    let world = ranks.count();
    let mut members: Vec<u32> = Vec::with_capacity(items.len());
    for item in items {
        let known = item.as_int().and_then(|it| u32::try_from(it).ok());
        let rank = known.filter(|rank| *rank < world && !members.contains(rank));
        let Some(rank) = rank else {
            let shown = evaluator.repr(item).unwrap_or_default();
            let message =
                format!("{shown} among the ranks of `target`, which are 0 to {}", world - 1);
            return Err(Fault::new(hosting::HOST_VALUE, message, target.span, "not another rank"));
        };
        members.push(rank);
    }
    if members.is_empty() {
        let message = "`target` is an empty list, and somebody has to run the kernel";
        return Err(Fault::new(hosting::HOST_VALUE, message, target.span, "no ranks"));
    }
    Ok(Runners::Groups(vec![members.into_iter().map(|rank| ranks.first_pe(rank)).collect()]))
}

/// `kernel[grid]`, not called yet.
struct OnGrid {
    kernel: Rc<str>,
    grid: Given,
}

/// How Triton compiles a kernel; nothing of it changes what the kernel means.
const LAUNCH_OPTIONS: [&str; 5] =
    ["num_warps", "num_stages", "num_ctas", "maxnreg", "enable_fp_fusion"];

/// `kernel[grid]`: called with the kernel's arguments, it runs the kernel once for each program of
/// the grid, which is one to three extents, or a function of the arguments that gives them.
pub(in crate::script) fn on_grid(kernel: &Rc<str>, grid: &Value, span: Span) -> Value {
    Value::object(OnGrid { kernel: kernel.clone(), grid: Given { value: grid.clone(), span } })
}

impl Object for OnGrid {
    fn type_name(&self) -> String {
        "a kernel on a grid".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn call(&self, evaluator: &mut Evaluator<'_>, args: &Args) -> Result<Option<Value>> {
        let is_argument =
            |(name, _): &&(Ident, Given)| !LAUNCH_OPTIONS.contains(&name.name.as_str());
        let named: Vec<(Ident, Given)> = args.named.iter().filter(is_argument).cloned().collect();
        let (named, options) = Options::of(evaluator, &self.kernel, &named)?;
        let call = Call {
            options,
            name: &self.kernel,
            rest: &args.positional,
            named: &named,
            span: args.span,
            at: self.grid.span,
        };
        let launched = submit(evaluator, &call, None, |evaluator, given| {
            self.extents(evaluator, given).map(Some)
        })?;
        Ok(Some(launched))
    }
}

impl OnGrid {
    /// The grid, given the arguments of the kernel.
    fn extents(
        &self,
        evaluator: &mut Evaluator<'_>,
        given: &[(String, Given)],
    ) -> Result<[u32; 3]> {
        let mut value = self.grid.value.clone();
        if matches!(value, Value::Function(_) | Value::Native(_) | Value::Method(_)) {
            let mut meta = Dict::default();
            for (name, given) in given {
                let key = Value::str(name);
                let hashed = hashable(&key, self.grid.span)?;
                meta.set(hashed, key, given.value.clone());
            }
            let meta = Given { value: Value::dict(meta), span: self.grid.span };
            let args = Args { positional: vec![meta], named: Vec::new(), span: self.grid.span };
            value = evaluator.call(&value, args)?;
        }
        let wrong = |found: String| {
            let message = format!("the grid of `{}` is {found}", self.kernel);
            Fault::new(hosting::HOST_VALUE, message, self.grid.span, "one to three extents needed")
                .help(String::from("write `kernel[(n,)](…)`, or `kernel[lambda meta: (n,)](…)`"))
        };
        let shown = evaluator.repr(&value).unwrap_or_default();
        let items = value.as_sequence().unwrap_or_else(|| vec![value.clone()]);
        if items.is_empty() || items.len() > 3 {
            return Err(wrong(shown));
        }
        let mut grid = [1; 3];
        for (extent, item) in grid.iter_mut().zip(&items) {
            let known = item.as_int().and_then(|it| u32::try_from(it).ok()).filter(|it| *it > 0);
            *extent = known.ok_or_else(|| wrong(shown.clone()))?;
        }
        Ok(grid)
    }
}

/// What one parameter is given.
fn given_for(
    evaluator: &mut Evaluator<'_>,
    (index, param): (usize, &Param),
    call: &Call<'_>,
    kernel: &Function,
) -> Result<Given> {
    let name = param.name.name.as_str();
    let by_name = call.named.iter().find(|(known, _)| known.name == name);
    Ok(match (call.rest.get(index), by_name, param.default) {
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
            return Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, call.span, label)
                .because(param.name.span, "it has no default"));
        }
    })
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
        let machine = machine(evaluator, given.span)?;
        machine.check_alive(id).map_err(|error| fault(error, given.span))?;
        return Ok(machine.argument(id));
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
fn refuse_extra(params: &[&Param], call: &Call<'_>, kernel: &Function) -> Result<()> {
    let name = &kernel.name.name;
    if let Some(extra) = call.rest.get(params.len()) {
        let (takes, given) = (params.len(), call.rest.len());
        let message = format!("kernel `{name}` takes {takes} arguments, and {given} are given");
        let label = "this one is too many";
        return Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, extra.span, label)
            .because(kernel.header, format!("takes {takes}")));
    }
    let names: Vec<&str> = params.iter().map(|param| param.name.name.as_str()).collect();
    let unknown = call.named.iter().find(|(ident, _)| !names.contains(&ident.name.as_str()));
    let Some((ident, _)) = unknown else { return Ok(()) };
    let message = format!("kernel `{name}` has no parameter `{}`", ident.name);
    let help = nearest_help("parameter", &ident.name, names);
    Err(Fault::new(hosting::KERNEL_ARGUMENTS, message, ident.span, "not a parameter").help(help))
}
