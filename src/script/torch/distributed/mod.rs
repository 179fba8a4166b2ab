//! `torch.distributed`: collectives among ranks.
//!
//! Outside of `torch.multiprocessing.spawn` the host program speaks for all ranks at once: a tensor
//! of a collective has one row for each rank of the group. Within it every rank runs the worker,
//! passes its own tensor, and the collective begins when the last one has called it.

mod algorithm;
mod collective;
mod group;
mod lanes;
mod lists;
mod model;
mod work;

use std::any::Any;

use super::{always, device};
use crate::diag::hosting;
use crate::host::Ranks;
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, Object};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;
use collective::on_machine;
use group::{members_of, new_group};
use lists::Side;
use work::Work;

pub(super) use algorithm::Choice;
pub(in crate::script) use algorithm::algorithms;
pub(in crate::script) use collective::Kind;
pub(super) use collective::{Ask, Collective};
pub(super) use lanes::{Bundle, LaneCollective, not_own};
pub(super) use lists::is_cut;
pub(super) use work::chosen;

/// `torch.distributed` itself.
pub(super) struct Distributed;

/// `torch.distributed.ReduceOp`.
struct ReduceOp;

/// The name of the only backend.
const BACKEND: &str = "ahbm";

/// How contributions can be combined: PyTorch's name, and the library's.
const OPS: [(&str, &str); 5] =
    [("SUM", "sum"), ("PRODUCT", "prod"), ("MIN", "min"), ("MAX", "max"), ("AVG", "avg")];

const TABLE: &[Native] = &[
    always("init_process_group", init_process_group),
    always("destroy_process_group", destroy_process_group),
    always("is_initialized", is_initialized),
    always("get_world_size", get_world_size),
    always("get_rank", get_rank),
    always("get_backend", get_backend),
    always("new_group", new_group),
    always("all_reduce", all_reduce),
    always("reduce", reduce),
    always("broadcast", broadcast),
    always("all_gather", all_gather),
    always("all_gather_into_tensor", all_gather),
    always("reduce_scatter", reduce_scatter),
    always("reduce_scatter_tensor", reduce_scatter),
    always("all_to_all", all_to_all),
    always("all_to_all_single", all_to_all),
    always("barrier", barrier),
    always("send", send),
    always("recv", recv),
    always("algorithms", algorithm_names),
];

impl Object for Distributed {
    fn type_name(&self) -> String {
        "module `torch.distributed`".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        TABLE.iter().map(|native| native.name).chain(["ReduceOp"]).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        if name == "ReduceOp" {
            return Ok(Some(Value::object(ReduceOp)));
        }
        Ok(TABLE.iter().find(|native| native.name == name).map(Value::Native))
    }
}

impl Object for ReduceOp {
    fn type_name(&self) -> String {
        "ReduceOp".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        OPS.iter().map(|(name, _)| *name).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        Ok(OPS.iter().find(|(known, _)| *known == name).map(|(_, op)| Value::str(op)))
    }
}

/// `init_process_group(backend="ahbm", …, ranks="pe")`: there is one backend, and the ranks are there
/// already; `ranks` says what one is.
fn init_process_group(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["backend?", "init_method?", "world_size?", "rank?", "ranks?"];
    let [backend, _, _, _, ranks] = args.bind(Signature { name: "init_process_group", params })?;
    if let Some(given) = ranks.filter(|given| !matches!(given.value, Value::None)) {
        group::set_unit(evaluator, &given)?;
    }
    let Some(backend) = backend else { return Ok(Value::None) };
    let name = backend.text("`backend`")?;
    if name == BACKEND {
        return Ok(Value::None);
    }
    let message = format!("there is no backend `{name}`");
    Err(Fault::new(hosting::HOST_VALUE, message, backend.span, "not a backend")
        .help(format!("the backend of this machine is \"{BACKEND}\"")))
}

fn destroy_process_group(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "destroy_process_group", params: [] })?;
    Ok(Value::None)
}

fn is_initialized(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "is_initialized", params: [] })?;
    Ok(Value::Bool(true))
}

fn get_backend(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [_] = args.bind(Signature { name: "get_backend", params: ["group?"] })?;
    Ok(Value::str(BACKEND))
}

fn get_world_size(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [group] = args.bind(Signature { name: "get_world_size", params: ["group?"] })?;
    let members = members_of(evaluator, group.as_ref(), args.span)?;
    Ok(Value::Int(members.len() as i128))
}

/// The host program is one process, which speaks for all ranks: outside of a worker its rank is 0.
fn get_rank(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [group] = args.bind(Signature { name: "get_rank", params: ["group?"] })?;
    let members = members_of(evaluator, group.as_ref(), args.span)?;
    let own = evaluator.seat.as_ref().map_or(0, |seat| seat.rank);
    let place = members.iter().position(|rank| *rank == own);
    Ok(Value::Int(place.map_or(-1, |place| place as i128)))
}

/// What every collective takes beside its tensors.
struct Common {
    members: Vec<u32>,
    algorithm: Option<String>,
    is_async: bool,
    span: Span,
}

fn common(
    evaluator: &mut Evaluator<'_>,
    [group, is_async, algorithm]: [Option<Given>; 3],
    span: Span,
) -> Result<Common> {
    let members = members_of(evaluator, group.as_ref(), span)?;
    let algorithm = algorithm.filter(|given| !matches!(given.value, Value::None));
    let algorithm = algorithm.map(|given| given.text("`algorithm`").map(str::to_owned));
    let is_async = is_async.map_or(Ok(false), |given| given.truth("`async_op`"))?;
    Ok(Common { members, algorithm: algorithm.transpose()?, is_async, span })
}

fn op_of(given: Option<&Given>) -> Result<&'static str> {
    let Some(given) = given else { return Ok("sum") };
    let name = given.text("`op`")?;
    let found = OPS.iter().find(|(_, op)| *op == name);
    found.map(|(_, op)| *op).ok_or_else(|| {
        let message = format!("there is no reduction `{name}`");
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a reduction")
            .note("reductions are ReduceOp.SUM, PRODUCT, MIN, MAX and AVG")
    })
}

/// A rank of the group, by its place in it.
fn root(given: Option<&Given>, what: &str, members: &[u32]) -> Result<u32> {
    let Some(given) = given else { return Ok(0) };
    let rank = given.int(what)?;
    let place = members.iter().position(|member| i128::from(*member) == rank);
    place.map(|place| place as u32).ok_or_else(|| {
        let message = format!("{what} is rank {rank}, which is not in the group");
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a rank of the group")
    })
}

/// `all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False, algorithm=None)`.
fn all_reduce(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["tensor", "op?", "group?", "async_op?", "algorithm?"];
    let [tensor, op, group, is_async, algorithm] =
        args.bind(Signature { name: "all_reduce", params })?;
    let common = common(evaluator, [group, is_async, algorithm], args.span)?;
    let ask = (Kind::AllReduce, op_of(op.as_ref())?, [None, None]);
    call(evaluator, ask, [tensor, None], common)
}

/// `reduce(tensor, dst=0, op=ReduceOp.SUM, group=None, async_op=False)`.
fn reduce(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["tensor", "dst?", "op?", "group?", "async_op?", "algorithm?"];
    let [tensor, dst, op, group, is_async, algorithm] =
        args.bind(Signature { name: "reduce", params })?;
    let common = common(evaluator, [group, is_async, algorithm], args.span)?;
    let dst = root(dst.as_ref(), "`dst`", &common.members)?;
    let ask = (Kind::Reduce, op_of(op.as_ref())?, [None, Some(dst)]);
    call(evaluator, ask, [tensor, None], common)
}

/// `broadcast(tensor, src=0, group=None, async_op=False)`.
fn broadcast(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["tensor", "src?", "group?", "async_op?", "algorithm?"];
    let [tensor, src, group, is_async, algorithm] =
        args.bind(Signature { name: "broadcast", params })?;
    let common = common(evaluator, [group, is_async, algorithm], args.span)?;
    let src = root(src.as_ref(), "`src`", &common.members)?;
    call(evaluator, (Kind::Broadcast, "sum", [Some(src), None]), [tensor, None], common)
}

/// `all_gather(output, input, group=None, async_op=False)`.
fn all_gather(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["output", "input", "group?", "async_op?", "algorithm?"];
    let [output, input, group, is_async, algorithm] =
        args.bind(Signature { name: "all_gather", params })?;
    let common = common(evaluator, [group, is_async, algorithm], args.span)?;
    call(evaluator, (Kind::AllGather, "sum", [None, None]), [input, output], common)
}

/// `reduce_scatter(output, input, op=ReduceOp.SUM, group=None, async_op=False)`.
fn reduce_scatter(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["output", "input", "op?", "group?", "async_op?", "algorithm?"];
    let [output, input, op, group, is_async, algorithm] =
        args.bind(Signature { name: "reduce_scatter", params })?;
    let common = common(evaluator, [group, is_async, algorithm], args.span)?;
    let ask = (Kind::ReduceScatter, op_of(op.as_ref())?, [None, None]);
    call(evaluator, ask, [input, output], common)
}

/// `all_to_all(output, input, group=None, async_op=False)`.
fn all_to_all(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["output", "input", "group?", "async_op?", "algorithm?"];
    let [output, input, group, is_async, algorithm] =
        args.bind(Signature { name: "all_to_all", params })?;
    let common = common(evaluator, [group, is_async, algorithm], args.span)?;
    call(evaluator, (Kind::AllToAll, "sum", [None, None]), [input, output], common)
}

/// `send(tensor, dst)`: to a rank that calls `recv`.
fn send(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["tensor", "dst", "group?"];
    let [tensor, dst, group] = args.bind(Signature { name: "send", params })?;
    message(evaluator, ([tensor, dst], group, true), args.span)
}

/// `recv(tensor, src)`: from a rank that calls `send`.
fn recv(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["tensor", "src", "group?"];
    let [tensor, src, group] = args.bind(Signature { name: "recv", params })?;
    message(evaluator, ([tensor, src], group, false), args.span)
}

fn message(
    evaluator: &mut Evaluator<'_>,
    ([tensor, peer], group, is_sent): ([Option<Given>; 2], Option<Given>, bool),
    span: Span,
) -> Result<Value> {
    let (Some(tensor), Some(peer)) = (tensor, peer) else { return Ok(Value::None) };
    let Some(seat) = &evaluator.seat else {
        let message = "one rank sends or receives, and this program speaks for all of them";
        return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "called here")
            .help(String::from("call it in a worker of `torch.multiprocessing.spawn`")));
    };
    let own = seat.rank;
    let members = members_of(evaluator, group.as_ref(), span)?;
    let what = if is_sent { "`dst`" } else { "`src`" };
    let place = root(Some(&peer), what, &members)?;
    let peer_rank = members.get(place as usize).copied().unwrap_or(own);
    if peer_rank == own {
        let message = format!("{what} is rank {own} itself");
        return Err(Fault::new(hosting::HOST_VALUE, message, peer.span, "the rank that calls"));
    }
    let tensor = on_machine(&tensor, "the tensor")?;
    let id = super::spawn::post_message(evaluator, (peer_rank, is_sent), tensor, span)?;
    work::posted(evaluator, (id, None), false, span)
}

/// `barrier(group=None, async_op=False)`.
fn barrier(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [group, is_async] =
        args.bind(Signature { name: "barrier", params: ["group?", "async_op?"] })?;
    let common = common(evaluator, [group, is_async, None], args.span)?;
    call(evaluator, (Kind::Barrier, "sum", [None, None]), [None, None], common)
}

/// `algorithms(name)`: the names of the algorithms of a collective.
fn algorithm_names(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [name] = args.bind(Signature { name: "algorithms", params: ["collective?"] })?;
    let wanted = name.as_ref().map_or(Ok("all_reduce"), |given| given.text("`collective`"))?;
    let names = algorithm::names_of(evaluator.script(), wanted);
    if names.is_empty() {
        let message = format!("there is no collective `{wanted}`");
        return Err(Fault::new(hosting::HOST_VALUE, message, args.span, "not a collective"));
    }
    Ok(Value::list(names.into_iter().map(Value::str).collect()))
}

/// Runs a collective on its input and, if it has one, its output.
fn call(
    evaluator: &mut Evaluator<'_>,
    (kind, op, from_to): (Kind, &'static str, [Option<u32>; 2]),
    [input, output]: [Option<Given>; 2],
    common: Common,
) -> Result<Value> {
    let Common { members, algorithm, is_async, span } = common;
    let ask = Ask { kind, op, from_to, algorithm, members };
    let ranks = ask.members.len();
    let mut side = |given: Option<Given>, what: &str, is_read: bool| {
        given.map(|given| Side::of(evaluator, &given, (what, ranks, is_read))).transpose()
    };
    let (input, output) = (side(input, "the input", true)?, side(output, "the output", false)?);
    for side in input.iter().chain(&output) {
        if let Some(tensor) = side.tensors.first() {
            refuse_avg(evaluator, &ask, tensor, side.span)?;
        }
    }
    if evaluator.seat.is_some() {
        let tensors = [&input, &output].map(|it| it.as_ref().map(|side| side.tensors.clone()));
        let work = super::spawn::post_collective(evaluator, (ask, tensors), span)?;
        return work::posted(evaluator, (work, output.and_then(Side::rows)), is_async, span);
    }
    let [input, output] = [input, output]
        .map(|side| side.and_then(|it| Some((it.tensors.into_iter().next()?, it.span))));
    let ranks = device::ranks(evaluator, span)?;
    let collective = of_rows(ask, &ranks, [input, output], span)?;
    let choice = collective.run(evaluator)?;
    Ok(Value::object(Work::done(choice)))
}

/// An average of integers is none: PyTorch refuses it, too.
fn refuse_avg(
    evaluator: &mut Evaluator<'_>,
    ask: &Ask,
    tensor: &super::tensor::DeviceTensor,
    span: Span,
) -> Result<()> {
    let dtype = tensor.value().dtype(evaluator, span)?;
    if ask.op != "avg" || dtype.is_float() {
        return Ok(());
    }
    let message = format!("the average of {dtype} elements is not one of them");
    Err(Fault::new(hosting::HOST_TYPE, message, span, format!("has elements of {dtype}"))
        .help(String::from("use ReduceOp.SUM and divide on the host, or a float type")))
}

type Rows = Option<(super::tensor::DeviceTensor, Span)>;

/// A collective of all ranks at once: row r of a tensor is what rank r has.
fn of_rows(ask: Ask, ranks: &Ranks, [input, output]: [Rows; 2], span: Span) -> Result<Collective> {
    let pes = ask.members.iter().map(|rank| ranks.first_pe(*rank)).collect();
    let ranks = ask.members.len() as u64;
    let rows = |side: &Rows| -> Result<Vec<super::tensor::DeviceTensor>> {
        let Some((tensor, at)) = side else { return Ok(Vec::new()) };
        let shape = tensor.shape();
        if shape.0.first() == Some(&ranks) {
            return Ok((0..ranks).map(|rank| tensor.row(rank)).collect());
        }
        let name = ask.kind.name();
        let message = format!(
            "`{name}` among {ranks} ranks takes a tensor of {ranks} rows, one a rank, and this has \
             shape {shape}"
        );
        Err(Fault::new(hosting::HOST_SHAPE, message, *at, format!("has shape {shape}")))
    };
    let (inputs, outputs) = (rows(&input)?, rows(&output)?);
    let shapes = [inputs.first(), outputs.first()].map(|it| it.map(|part| part.shape().clone()));
    check_sizes(&ask, shapes, output.as_ref().map_or(span, |(_, at)| *at))?;
    let whole = [input, output].map(|side| side.map(|(tensor, _)| tensor));
    Ok(Collective { ask, pes, inputs, outputs, whole, span })
}

/// What a rank gives and what it takes must fit the collective.
pub(super) fn check_sizes(ask: &Ask, [input, output]: [Option<Shape>; 2], at: Span) -> Result<()> {
    let (Some(input), Some(output)) = (input, output) else { return Ok(()) };
    let ranks = ask.members.len() as u64;
    let (given, taken) = (input.elements(), output.elements());
    let (is_right, rule) = match ask.kind {
        Kind::AllGather => (taken == given * ranks, "every rank's input fits in the output"),
        Kind::ReduceScatter => (given == taken * ranks, "the input has an output for every rank"),
        Kind::AllToAll => {
            (given == taken && given.is_multiple_of(ranks), "both have a block for every rank")
        }
        Kind::AllReduce | Kind::Broadcast | Kind::Reduce | Kind::Send | Kind::Barrier => (true, ""),
    };
    if is_right {
        return Ok(());
    }
    let name = ask.kind.name();
    let message = format!(
        "`{name}` among {ranks} ranks takes {given} elements of each and gives {taken}: it needs \
         that {rule}"
    );
    let label = format!("input {input}, output {output}");
    Err(Fault::new(hosting::HOST_SHAPE, message, at, label))
}
