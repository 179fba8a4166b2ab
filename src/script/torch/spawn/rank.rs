//! A rank: what it posts, and where it waits.

use std::sync::mpsc::{Receiver, Sender};

use super::parcel::Parcel;
use super::{Done, Go, OpId, Pause, Posted, Token, Turn, What};
use crate::diag::{Diagnostic, hosting, internal};
use crate::host::{LaunchRequest, SipChoice};
use crate::script::args::{Args, Given};
use crate::script::entry::Script;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::distributed::{Ask, Bundle, Choice};
use crate::script::torch::tensor::DeviceTensor;
use crate::script::value::Value;
use crate::source::Span;

/// A rank's place among the others.
pub(in crate::script) struct Seat<'a> {
    /// Its number.
    pub(in crate::script) rank: u32,
    /// How many ranks there are.
    pub(in crate::script) world: u32,
    /// The PE, the cube or the SIP that its tensors lie on.
    pub(in crate::script) device: u32,
    /// The SIPs, or the cube, on which policies place its tensors, where it has said so.
    pub(in crate::script) sips: Option<SipChoice>,
    /// The next number of what it posts.
    next: u32,
    /// Posted since it last handed the token back.
    posted: Vec<Posted>,
    /// Whether anything may not be done yet.
    is_busy: bool,
    /// What is done and was not asked for yet.
    done: Vec<(OpId, Done)>,
    to_schedule: Sender<Turn<'a>>,
    from_schedule: Receiver<Go<'a>>,
}

impl<'a> Seat<'a> {
    /// The seat of `rank`, of `world` ranks.
    pub(super) fn new(
        [rank, world]: [u32; 2],
        to_schedule: Sender<Turn<'a>>,
        from_schedule: Receiver<Go<'a>>,
    ) -> Seat<'a> {
        let (posted, done) = (Vec::new(), Vec::new());
        let (next, is_busy, device) = (0, false, rank);
        let sips = None;
        Seat { rank, world, device, sips, next, posted, is_busy, done, to_schedule, from_schedule }
    }

    fn post(&mut self, what: What, span: Span) -> OpId {
        let id = OpId(self.next);
        self.next += 1;
        self.posted.push(Posted { id, span, what });
        self.is_busy = true;
        id
    }
}

/// Runs a rank from beginning to end, on its own thread.
pub(super) fn run<'a>(script: &Script<'a>, seat: Seat<'a>, (name, args): (&str, &[Parcel])) {
    let mut evaluator = script.evaluator();
    let Ok(go) = seat.from_schedule.recv() else { return };
    evaluator.machine = Some(go.token.context);
    evaluator.journal = go.token.journal;
    evaluator.seat = Some(seat);
    let result = call(&mut evaluator, name, args).and_then(|()| unheard(&mut evaluator));
    // One that was told to stop has no token, and nobody waits for it.
    let Some(context) = evaluator.machine.take() else { return };
    let journal = std::mem::take(&mut evaluator.journal);
    let Some(seat) = &mut evaluator.seat else { return };
    let posted = std::mem::take(&mut seat.posted);
    let token = Token { context, journal };
    // Nobody hears it only where the schedule has ended, and then it says nothing new.
    let _ = seat.to_schedule.send(Turn { token, posted, pause: Pause::Ended(result) });
}

fn call(evaluator: &mut Evaluator<'_>, name: &str, args: &[Parcel]) -> Result<()> {
    let rank = evaluator.seat.as_ref().map_or(0, |seat| seat.rank);
    let callee = evaluator.global(name)?.unwrap_or(Value::None);
    let mut given = vec![Given { value: Value::Int(i128::from(rank)), span: Span::NONE }];
    for arg in args {
        given.push(Given { value: arg.unpack(evaluator, Span::NONE)?, span: Span::NONE });
    }
    let args = Args { positional: given, named: Vec::new(), span: Span::NONE };
    evaluator.call(&callee, args).map(|_| ())
}

/// A rank that ends without having waited for what failed has failed.
fn unheard(evaluator: &mut Evaluator<'_>) -> Result<()> {
    let done = std::mem::take(&mut seat(evaluator)?.done);
    done.into_iter().try_for_each(|(_, done)| done.map(|_| ()))
}

fn seat<'e, 'a>(evaluator: &'e mut Evaluator<'a>) -> Result<&'e mut Seat<'a>> {
    evaluator.seat.as_mut().ok_or_else(|| bug("a rank without a seat"))
}

fn bug(message: &str) -> Fault {
    Fault::from_diagnostic(Diagnostic::global(internal::INTERNAL, message))
}

/// Posts a part in a collective.
pub(in crate::script::torch) fn post_collective(
    evaluator: &mut Evaluator<'_>,
    (ask, tensors): (Ask, [Option<Bundle>; 2]),
    span: Span,
) -> Result<OpId> {
    let seat = seat(evaluator)?;
    if !ask.members.contains(&seat.rank) {
        let (rank, name) = (seat.rank, ask.kind.name());
        let message = format!("rank {rank} calls `{name}` of a group that it is not in");
        return Err(Fault::new(hosting::HOST_VALUE, message, span, "not for this rank"));
    }
    Ok(seat.post(What::Collective(ask, tensors), span))
}

/// Posts a message to another rank, or from one.
pub(in crate::script::torch) fn post_message(
    evaluator: &mut Evaluator<'_>,
    (peer, is_sent): (u32, bool),
    tensor: DeviceTensor,
    span: Span,
) -> Result<OpId> {
    let what = if is_sent { What::Send(peer, tensor) } else { What::Recv(peer, tensor) };
    Ok(seat(evaluator)?.post(what, span))
}

/// Posts a kernel for the rank's own device.
pub(in crate::script::torch) fn post_launch(
    evaluator: &mut Evaluator<'_>,
    request: LaunchRequest,
    tensors: Vec<DeviceTensor>,
    span: Span,
) -> Result<()> {
    seat(evaluator)?.post(What::Launch { request, _alive: tensors }, span);
    Ok(())
}

/// Waits until `id` is done, and says with which algorithm.
///
/// # Errors
/// It has failed, in this rank as in all that take part; or a launch of this rank has.
pub(in crate::script::torch) fn wait_for(
    evaluator: &mut Evaluator<'_>,
    id: OpId,
    span: Span,
) -> Result<Option<Choice>> {
    let is_done = seat(evaluator)?.done.iter().any(|(other, _)| *other == id);
    if !is_done {
        pause(evaluator, Pause::For(id, span))?;
    }
    let done = &mut seat(evaluator)?.done;
    let place = done.iter().position(|(other, _)| *other == id);
    place.map_or(Ok(None), |place| done.remove(place).1)
}

/// Waits until all is done that this rank has posted: the host looks at a tensor.
///
/// # Errors
/// Something of it has failed, and nobody has heard of that.
pub(in crate::script::torch) fn drain(evaluator: &mut Evaluator<'_>, span: Span) -> Result<()> {
    let Some(seat) = &mut evaluator.seat else { return Ok(()) };
    if !seat.is_busy {
        return Ok(());
    }
    seat.is_busy = false;
    pause(evaluator, Pause::ForAll(span))?;
    let done = &mut self::seat(evaluator)?.done;
    match done.iter().position(|(_, done)| done.is_err()) {
        Some(place) => done.remove(place).1.map(|_| ()),
        None => Ok(()),
    }
}

/// Hands the token back until the schedule says to go on.
fn pause(evaluator: &mut Evaluator<'_>, why: Pause) -> Result<()> {
    let context = evaluator.machine.take().ok_or_else(|| bug("a rank that waits runs"))?;
    let journal = std::mem::take(&mut evaluator.journal);
    let seat = seat(evaluator)?;
    let posted = std::mem::take(&mut seat.posted);
    let turn = Turn { token: Token { context, journal }, posted, pause: why };
    let sent = seat.to_schedule.send(turn);
    let go = sent.ok().and_then(|()| seat.from_schedule.recv().ok());
    let Some(go) = go else { return Err(bug("a rank was stopped")) };
    seat.done.extend(go.done);
    evaluator.machine = Some(go.token.context);
    evaluator.journal = go.token.journal;
    go.failed.map_or(Ok(()), Err)
}
