//! What can be done next with what stands first in the queues of the ranks.

use super::schedule::{Member, State};
use super::window::{Ready, Window};
use super::{Done, Posted, What};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Argument, LaunchRequest, Placement, Runners, Tensor};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result, ranks_in_words};
use crate::script::torch::distributed::{
    Ask, Bundle, Choice, Collective, Kind, LaneCollective, check_sizes, is_cut, not_own,
};
use crate::script::torch::tensor::DeviceTensor;
use crate::script::torch::{device, fault, machine};
use crate::shape::Shape;
use crate::source::Span;

/// Does what can be done: launches first, so that ranks that are behind come up.
///
/// # Errors
/// What is done fails; or nothing can be done, and ranks wait for ever.
pub(super) fn advance(
    evaluator: &mut Evaluator<'_>,
    members: &mut [Member<'_>],
    span: Span,
) -> Result<()> {
    if launches(evaluator, members)? || collectives(evaluator, members)? {
        return Ok(());
    }
    if messages(evaluator, members)? {
        return Ok(());
    }
    Err(stuck(members, span))
}

fn head<'m>(members: &'m [Member<'_>], rank: usize) -> Option<&'m Posted> {
    members.get(rank)?.queue.front()
}

// ---- launches -------------------------------------------------------------------------------

/// Runs every launch that stands first: those that are alike together, each on its rank's device.
fn launches(evaluator: &mut Evaluator<'_>, members: &mut [Member<'_>]) -> Result<bool> {
    let mut groups: Vec<Vec<Ready>> = Vec::new();
    for rank in 0..members.len() {
        let Some(Posted { what: What::Launch { request, .. }, span, .. }) = head(members, rank)
        else {
            continue;
        };
        let ready = Ready { rank, span: *span, request: request.clone() };
        let alike = groups.iter_mut().find(|group| {
            group.first().is_some_and(|first| is_alike(&first.request, &ready.request))
                && group.iter().all(|it| is_apart(&it.request.runners, &ready.request.runners))
        });
        match alike {
            Some(group) => group.push(ready),
            None => groups.push(vec![ready]),
        }
    }
    for group in &groups {
        let done = shared(launch(evaluator, group).map(|()| None));
        for ready in group {
            members[ready.rank].finish(&done);
        }
    }
    Ok(!groups.is_empty())
}

/// Whether two ranks launch the same, on tensors that are alike.
fn is_alike(left: &LaunchRequest, right: &LaunchRequest) -> bool {
    let same = |(a, b): (&(String, Argument), &(String, Argument))| match (&a.1, &b.1) {
        (Argument::Scalar(x), Argument::Scalar(y)) => a.0 == b.0 && x == y,
        (Argument::Tensor(x), Argument::Tensor(y)) => {
            let is_own = x.is_cut_like(y) && x.dtype == y.dtype;
            a.0 == b.0 && (is_own || x.id == y.id)
        }
        (Argument::Scalar(_), Argument::Tensor(_)) | (Argument::Tensor(_), Argument::Scalar(_)) => {
            false
        }
    };
    left.kernel == right.kernel
        && left.label == right.label
        && left.grid == right.grid
        && left.args.len() == right.args.len()
        && left.args.iter().zip(&right.args).all(same)
}

/// Whether launches can run at the same time: on PEs that differ, or on parts of the machine that are alike
/// and have no PE in common.
fn is_apart(left: &Runners, right: &Runners) -> bool {
    match (left, right) {
        (Runners::Each(left), Runners::Each(right)) => left.iter().all(|pe| !right.contains(pe)),
        (Runners::Parts(left), Runners::Parts(right)) => left
            .iter()
            .all(|own| right.iter().all(|other| own.is_like(other) && !own.overlaps(other))),
        (_, _) => false,
    }
}

/// One launch that all of `group` run, each on its own tensors. Tensors of theirs that are alike
/// are one to the kernel: an address under which every rank sees its own.
fn launch(evaluator: &mut Evaluator<'_>, group: &[Ready]) -> Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    let span = first.span;
    let mut request = first.request.clone();
    request.runners = together(group);
    let mut windows = Vec::new();
    if group.len() > 1 {
        for (place, (_, argument)) in request.args.iter_mut().enumerate() {
            let Argument::Tensor(tensor) = argument else { continue };
            if group.iter().all(|it| it.tensor(place).map(|it| it.id) == Some(tensor.id)) {
                continue;
            }
            let window = Window::open(evaluator, (group, place), tensor, span)?;
            *argument = machine(evaluator, span)?.argument(window.id());
            windows.push(window);
        }
    }
    let launched = machine(evaluator, span)?.launch(request);
    launched.map_err(|error| fault(error, span))?;
    windows.iter().try_for_each(|window| window.close(evaluator, span))
}

/// Who runs what all of a group launch.
fn together(group: &[Ready]) -> Runners {
    let (mut pes, mut parts) = (Vec::new(), Vec::new());
    for ready in group {
        match &ready.request.runners {
            Runners::Each(own) => pes.extend(own.iter().copied()),
            Runners::Parts(own) => parts.extend(own.iter().copied()),
            Runners::All | Runners::Groups(_) => {}
        }
    }
    if parts.is_empty() { Runners::Each(pes) } else { Runners::Parts(parts) }
}

// ---- collectives ----------------------------------------------------------------------------

/// Runs the first collective that all its ranks have called.
fn collectives(evaluator: &mut Evaluator<'_>, members: &mut [Member<'_>]) -> Result<bool> {
    for rank in 0..members.len() {
        let Some(Posted { what: What::Collective(ask, _), .. }) = head(members, rank) else {
            continue;
        };
        let ask = ask.clone();
        let heads: Vec<Option<&Posted>> =
            ask.members.iter().map(|member| head(members, *member as usize)).collect();
        let Some(heads) = heads.into_iter().collect::<Option<Vec<&Posted>>>() else { continue };
        // A rank that is in a collective of another group comes to this one later.
        let is_of_group = |it: &&Posted| match &it.what {
            What::Collective(other, _) => other.members == ask.members,
            What::Send(..) | What::Recv(..) | What::Launch { .. } => false,
        };
        if !heads.iter().all(is_of_group) {
            continue;
        }
        let collective = joined(evaluator, &ask, &heads);
        let done = shared(collective.and_then(|it| it.run(evaluator).map(Some)));
        for member in &ask.members {
            members[*member as usize].finish(&done);
        }
        return Ok(true);
    }
    Ok(false)
}

/// A collective that all its ranks have called.
enum Called {
    /// On tensors that each lie on one PE.
    Whole(Collective),
    /// On tensors that a policy has cut over PEs.
    Cut(LaneCollective),
}

impl Called {
    fn run(&self, evaluator: &mut Evaluator<'_>) -> Result<Choice> {
        match self {
            Called::Whole(collective) => collective.run(evaluator),
            Called::Cut(collective) => collective.run(evaluator),
        }
    }
}

/// What all of a group hear of, which is told once.
fn shared(done: Done) -> Done {
    done.map_err(Fault::shared)
}

/// One collective of what every rank has called.
fn joined(evaluator: &mut Evaluator<'_>, ask: &Ask, heads: &[&Posted]) -> Result<Called> {
    let (mut inputs, mut outputs): (Vec<Bundle>, Vec<Bundle>) = (Vec::new(), Vec::new());
    let Some(first) = heads.first() else { return Err(nobody(ask)) };
    for (place, posted) in heads.iter().enumerate() {
        let What::Collective(other, [input, output]) = &posted.what else { continue };
        if other != ask {
            return Err(differ(ask, (first, 0), (posted, place), "not the same call"));
        }
        inputs.extend(input.clone());
        outputs.extend(output.clone());
    }
    let span = first.span;
    same_tensors(evaluator, ask, heads, &inputs)?;
    same_tensors(evaluator, ask, heads, &outputs)?;
    let shapes = [inputs.first(), outputs.first()].map(|it| it.map(|bundle| shape_of(bundle)));
    check_sizes(ask, shapes, span)?;
    collective(evaluator, ask.clone(), (inputs, outputs), span)
}

/// The shape of one tensor, or that of all elements of a list.
fn shape_of(bundle: &[DeviceTensor]) -> Shape {
    match bundle {
        [one] => one.shape().clone(),
        list => Shape::new([list.iter().map(|it| it.shape().elements()).sum::<u64>()]),
    }
}

/// A collective on tensors that are known to be alike: by lanes where a policy has cut any.
fn collective(
    evaluator: &mut Evaluator<'_>,
    ask: Ask,
    (inputs, outputs): (Vec<Bundle>, Vec<Bundle>),
    span: Span,
) -> Result<Called> {
    for tensor in inputs.iter().chain(&outputs).flatten() {
        if is_cut(evaluator, tensor, span)? {
            return Ok(Called::Cut(LaneCollective { ask, inputs, outputs, span }));
        }
    }
    let only = |bundles: Vec<Bundle>| bundles.into_iter().flatten().collect();
    let (inputs, outputs): (Vec<DeviceTensor>, Vec<DeviceTensor>) = (only(inputs), only(outputs));
    let ranks = device::ranks(evaluator, span)?;
    let pes: Vec<u32> = match inputs.is_empty() {
        true => ask.members.iter().map(|rank| ranks.first_pe(*rank)).collect(),
        false => placed(evaluator, &inputs, span)?,
    };
    let ask = Ask { members: pes.iter().map(|pe| ranks.of_pe(*pe)).collect(), ..ask };
    Ok(Called::Whole(Collective { ask, pes, inputs, outputs, whole: [None, None], span }))
}

fn nobody(ask: &Ask) -> Fault {
    let message = format!("`{}` of a group without ranks", ask.kind.name());
    Fault::new(hosting::HOST_VALUE, message, Span::NONE, "")
}

/// All ranks must bring tensors of one size and type, cut alike.
fn same_tensors(
    evaluator: &mut Evaluator<'_>,
    ask: &Ask,
    heads: &[&Posted],
    bundles: &[Bundle],
) -> Result<()> {
    let (Some(first), Some(first_head)) = (bundles.first(), heads.first()) else { return Ok(()) };
    let of_first = Brought::of(evaluator, first, first_head.span)?;
    for (place, (bundle, posted)) in bundles.iter().zip(heads).enumerate() {
        let own = Brought::of(evaluator, bundle, posted.span)?;
        if own.is_like(&of_first) {
            continue;
        }
        let (label, mine) = own.against(&of_first);
        let fault = differ(ask, (first_head, 0), (posted, place), &label);
        let first_rank = ask.members.first().copied().unwrap_or(0);
        return Err(fault.note(format!("rank {first_rank} brings {mine}")));
    }
    Ok(())
}

/// What a rank brings to a collective.
struct Brought {
    shape: Shape,
    dtype: DType,
    /// How many tensors.
    count: usize,
    /// The first of them, if a policy has cut it.
    cut: Option<Tensor>,
}

impl Brought {
    fn of(evaluator: &mut Evaluator<'_>, bundle: &[DeviceTensor], span: Span) -> Result<Brought> {
        let (shape, count) = (shape_of(bundle), bundle.len());
        let Some(first) = bundle.first() else {
            return Ok(Brought { shape, dtype: DType::I32, count, cut: None });
        };
        let dtype = first.value().dtype(evaluator, span)?;
        let machine = machine(evaluator, span)?;
        for it in bundle {
            machine.check_alive(it.id()).map_err(|error| fault(error, span))?;
        }
        let tensor = machine.tensor(first.id());
        let cut = tensor.layout().map(|_| tensor.clone());
        if cut.is_some() && bundle.iter().any(DeviceTensor::is_part) {
            let message = format!("a part of tensor `{}`, which a policy has cut", tensor.name);
            return Err(Fault::new(hosting::HOST_VALUE, message, span, "not a whole tensor")
                .help(String::from("a collective takes such a tensor whole")));
        }
        Ok(Brought { shape, dtype, count, cut })
    }

    fn is_like(&self, other: &Brought) -> bool {
        let is_cut_alike = match (&self.cut, &other.cut) {
            (Some(own), Some(other)) => own.is_cut_like(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let of = |it: &Brought| (it.dtype, it.count, it.shape.elements());
        of(self) == of(other) && is_cut_alike
    }

    /// Both in words, in which they differ.
    fn against(&self, other: &Brought) -> (String, String) {
        let of = |it: &Brought| (it.dtype, it.shape.elements());
        if of(self) != of(other) {
            let says =
                |it: &Brought| format!("a tensor of shape {} and type {}", it.shape, it.dtype);
            return (says(self), says(other));
        }
        let says = |it: &Brought| {
            let how = it.cut.as_ref().and_then(Tensor::layout).map_or_else(
                || String::from("on one PE"),
                |layout| format!("cut by {} on {} PEs", layout.policy(), layout.part().count()),
            );
            format!("a tensor of shape {} {how}", it.shape)
        };
        (says(self), says(other))
    }
}

/// The PEs that the tensors of the ranks lie on.
fn placed(evaluator: &mut Evaluator<'_>, tensors: &[DeviceTensor], span: Span) -> Result<Vec<u32>> {
    let machine = machine(evaluator, span)?;
    let mut found: Vec<u32> = Vec::new();
    for tensor in tensors {
        let tensor = machine.tensor(tensor.id());
        let Placement::Single(pe) = tensor.placement else {
            return Err(not_own(&tensor.name, span));
        };
        if found.contains(&pe) {
            let message = format!("two ranks of the collective have their tensors on PE {pe}");
            return Err(Fault::new(hosting::HOST_VALUE, message, span, "not apart")
                .note("`set_device` says where a rank's tensors lie")
                .raising("RuntimeError", None));
        }
        found.push(pe);
    }
    Ok(found)
}

fn differ(
    ask: &Ask,
    (first, first_place): (&Posted, usize),
    (other, place): (&Posted, usize),
    label: &str,
) -> Fault {
    let rank = |place: usize| ask.members.get(place).copied().unwrap_or(0);
    let (one, two) = (rank(first_place), rank(place));
    let (mine, theirs) = (first.what.name(), other.what.name());
    let message = match mine == theirs {
        true => format!("ranks {one} and {two} do not agree in {mine}"),
        false => format!("rank {one} calls {mine}, and rank {two} calls {theirs}"),
    };
    let fault = Fault::new(
        hosting::COLLECTIVE_MISMATCH,
        message,
        other.span,
        format!("rank {two}: {label}"),
    );
    let fault = match first.span == other.span {
        true => fault,
        false => fault.because(first.span, format!("rank {one} calls it here")),
    };
    fault.note(
        "every rank of a group makes the same calls in the same order, on tensors of one size",
    )
}

// ---- messages -------------------------------------------------------------------------------

/// Carries the first message whose two ranks have both called.
fn messages(evaluator: &mut Evaluator<'_>, members: &mut [Member<'_>]) -> Result<bool> {
    for rank in 0..members.len() {
        let Some(sent @ Posted { what: What::Send(to, source), .. }) = head(members, rank) else {
            continue;
        };
        let to = *to as usize;
        let Some(taken @ Posted { what: What::Recv(from, target), .. }) = head(members, to) else {
            continue;
        };
        if *from as usize != rank {
            continue;
        }
        let ask = Ask {
            kind: Kind::Send,
            op: "sum",
            from_to: [Some(0), Some(1)],
            algorithm: None,
            members: vec![rank as u32, to as u32],
        };
        let tensors = [source, target];
        let done = shared(message(evaluator, ask, [sent, taken], tensors).map(Some));
        members[rank].finish(&done);
        members[to].finish(&done);
        return Ok(true);
    }
    Ok(false)
}

/// One message, from a rank's tensor to another's.
fn message(
    evaluator: &mut Evaluator<'_>,
    ask: Ask,
    heads: [&Posted; 2],
    tensors: [&DeviceTensor; 2],
) -> Result<Choice> {
    let inputs = tensors.map(|tensor| vec![tensor.clone()]).to_vec();
    same_tensors(evaluator, &ask, &heads, &inputs)?;
    collective(evaluator, ask, (inputs, Vec::new()), heads[0].span)?.run(evaluator)
}

// ---- nothing can be done --------------------------------------------------------------------

/// That ranks wait for others that never come.
fn stuck(members: &[Member<'_>], span: Span) -> Fault {
    let waiting: Vec<u32> = (0..members.len())
        .filter(|rank| head(members, *rank).is_some())
        .map(|it| it as u32)
        .collect();
    let ended: Vec<u32> = (0..members.len())
        .filter(|rank| members[*rank].state == State::Ended && members[*rank].queue.is_empty())
        .map(|it| it as u32)
        .collect();
    let Some(posted) = waiting.first().and_then(|rank| head(members, *rank as usize)) else {
        let message = "ranks wait, and nothing is to be done";
        return Fault::new(hosting::RANKS_WAIT, message, span, "spawned here");
    };
    let message = format!("{} for ever in {}", waits(&waiting), posted.what.name());
    let label = format!("rank {} waits here", waiting.first().copied().unwrap_or(0));
    let mut fault = Fault::new(hosting::RANKS_WAIT, message, posted.span, label);
    let mut shown = vec![posted.span];
    for rank in &waiting {
        let Some(other) = head(members, *rank as usize) else { continue };
        if !shown.contains(&other.span) && shown.len() < 6 {
            shown.push(other.span);
            fault = fault
                .because(other.span, format!("rank {rank} waits here in {}", other.what.name()));
        }
    }
    let fault = fault.because(span, "spawned here");
    match ended.is_empty() {
        true => fault.note("what each of them waits for is behind what another waits for"),
        false => fault.note(format!("{} at the end without calling it", are(&ended))),
    }
}

fn waits(ranks: &[u32]) -> String {
    let verb = if ranks.len() == 1 { "waits" } else { "wait" };
    format!("{} {verb}", ranks_in_words(ranks))
}

fn are(ranks: &[u32]) -> String {
    let verb = if ranks.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", ranks_in_words(ranks))
}
