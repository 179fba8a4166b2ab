//! Whose turn it is, and what can be done with what the ranks have posted.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::parcel::Parcel;
use super::plan;
use super::rank::{self, Seat};
use super::{Done, Go, OpId, Pause, Posted, Token, Turn, What};
use crate::diag::{Diagnostic, hosting, internal};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result, ranks_in_words};
use crate::source::Span;

/// The stack of a rank's thread: of address space, of which little is used.
const STACK_BYTES: usize = 16 << 20;

/// What is spawned.
pub(super) struct Crew {
    /// The function of the file that every rank calls.
    pub(super) name: String,
    /// What it is given after its rank.
    pub(super) args: Vec<Parcel>,
    /// How many ranks there are.
    pub(super) ranks: u32,
    /// The text of the call.
    pub(super) span: Span,
}

/// A rank as the schedule sees it.
pub(super) struct Member<'a> {
    go: Sender<Go<'a>>,
    turn: Receiver<Turn<'a>>,
    pub(super) state: State,
    /// What it has posted and is not done, first one first.
    pub(super) queue: VecDeque<Posted>,
    /// What is done and was not told to it yet.
    done: Vec<(OpId, Done)>,
    /// What failed and is nobody's to wait for: a launch, or anything of a rank that has ended.
    failed: Option<Fault>,
}

/// What a rank does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It can go on.
    Ready,
    /// It waits until this is done.
    For(OpId, Span),
    /// It waits until all is done that it has posted.
    ForAll(Span),
    /// It has come to its end.
    Ended,
}

impl Member<'_> {
    /// Takes what stands first in its queue as done. Where it has failed, the rank hears of that at its
    /// call, or where it waits next.
    pub(super) fn finish(&mut self, done: &Done) {
        let Some(posted) = self.queue.pop_front() else { return };
        let done = done.clone().map_err(|fault| fault.heard(posted.span));
        let is_launch = matches!(posted.what, What::Launch { .. });
        match &done {
            Err(fault) if is_launch => self.abandon(fault),
            Err(fault) if self.state == State::Ended => self.failed = Some(fault.clone()),
            Err(_) => self.done.push((posted.id, done)),
            Ok(_) if is_launch => {}
            Ok(_) => self.done.push((posted.id, done)),
        }
        let is_over = match self.state {
            State::For(id, _) => id == posted.id,
            State::ForAll(_) => self.queue.is_empty(),
            State::Ready | State::Ended => false,
        };
        if is_over {
            self.state = State::Ready;
        }
    }

    /// A launch of the rank has failed: what it has posted after that is not begun.
    fn abandon(&mut self, fault: &Fault) {
        // What it waits for now is where it hears of it.
        let is_awaited = |id| matches!(self.state, State::For(awaited, _) if awaited == id);
        let rest = std::mem::take(&mut self.queue);
        let rest = rest.into_iter().filter(|posted| !is_awaited(posted.id));
        self.done.extend(rest.map(|posted| (posted.id, Err(fault.clone()))));
        self.failed = Some(fault.clone());
        if self.state != State::Ended {
            self.state = State::Ready;
        }
    }
}

/// Runs every rank to its end.
pub(super) fn run(evaluator: &mut Evaluator<'_>, crew: &Crew) -> Result<()> {
    let script = evaluator.script().clone().of_unit(evaluator.unit);
    thread::scope(|scope| {
        let mut members = Vec::new();
        for rank in 0..crew.ranks {
            let (go, from_schedule) = channel();
            let (to_schedule, turn) = channel();
            let seat = Seat::new([rank, crew.ranks], to_schedule, from_schedule);
            let (name, args, script) = (crew.name.as_str(), crew.args.as_slice(), &script);
            // A value of one rank never reaches another's thread: each has an evaluator of its own.
            let parcels: Vec<Parcel> = args.to_vec();
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            let started =
                builder.spawn_scoped(scope, move || rank::run(script, seat, (name, &parcels)));
            if let Err(error) = started {
                let message = format!("no thread can be had for rank {rank}: {error}");
                return Err(Fault::new(hosting::HOST_BUDGET, message, crew.span, "spawned here"));
            }
            let (queue, done) = (VecDeque::new(), Vec::new());
            members.push(Member { go, turn, state: State::Ready, queue, done, failed: None });
        }
        Schedule { evaluator, members, crew }.run()
        // Ranks that still wait hear that the channel is closed, and stop.
    })
}

/// The schedule of one spawn.
struct Schedule<'s, 'a> {
    evaluator: &'s mut Evaluator<'a>,
    members: Vec<Member<'a>>,
    crew: &'s Crew,
}

impl Schedule<'_, '_> {
    fn run(&mut self) -> Result<()> {
        loop {
            let mut failed = Vec::new();
            for rank in 0..self.members.len() {
                if self.members[rank].state == State::Ready {
                    failed.extend(self.turn(rank)?.err().map(|fault| (rank, fault)));
                } else if self.members[rank].state == State::Ended {
                    let late = self.members[rank].failed.take();
                    let worker = self.crew.name.as_str();
                    failed.extend(late.map(|fault| (rank, fault.within(worker, Span::NONE))));
                }
            }
            if !failed.is_empty() {
                return Err(self.exception(failed));
            }
            if self.members.iter().any(|member| member.state == State::Ready) {
                continue;
            }
            let is_done = |it: &Member<'_>| it.state == State::Ended && it.queue.is_empty();
            if self.members.iter().all(is_done) {
                return Ok(());
            }
            plan::advance(self.evaluator, &mut self.members, self.crew.span)?;
        }
    }

    /// Lets a rank run until it waits or ends; what it ended with, if it failed.
    fn turn(&mut self, rank: usize) -> Result<Result<()>> {
        let lost = || {
            let message = format!("rank {rank} is gone without a word");
            Fault::from_diagnostic(Diagnostic::global(internal::INTERNAL, message))
        };
        let context = self.evaluator.machine.take().ok_or_else(lost)?;
        let journal = std::mem::take(&mut self.evaluator.journal);
        let member = &mut self.members[rank];
        let done = std::mem::take(&mut member.done);
        let failed = member.failed.take();
        let go = Go { token: Token { context, journal }, done, failed };
        let turn =
            member.go.send(go).ok().and_then(|()| member.turn.recv().ok()).ok_or_else(lost)?;
        self.evaluator.machine = Some(turn.token.context);
        self.evaluator.journal = turn.token.journal;
        member.queue.extend(turn.posted);
        let is_open = |id: OpId| member.queue.iter().any(|posted| posted.id == id);
        let (state, result) = match turn.pause {
            Pause::For(id, span) if is_open(id) => (State::For(id, span), Ok(())),
            Pause::ForAll(span) if !member.queue.is_empty() => (State::ForAll(span), Ok(())),
            Pause::For(..) | Pause::ForAll(_) => (State::Ready, Ok(())),
            Pause::Ended(result) => (State::Ended, result),
        };
        member.state = state;
        Ok(result)
    }

    /// That these ranks have failed: what went wrong in them, each once, and what became of the others.
    fn exception(&self, failed: Vec<(usize, Fault)>) -> Fault {
        let failed: Vec<(u32, Fault)> =
            failed.into_iter().map(|(rank, fault)| (rank as u32, fault)).collect();
        let others: Vec<u32> = (0..self.members.len() as u32)
            .filter(|rank| failed.iter().all(|(own, _)| own != rank))
            .collect();
        let world = self.members.len();
        let told = Fault::by_cause(&failed).into_iter().map(|(ranks, fault)| {
            let who = ranks_in_words(&ranks);
            let fault = fault.of_worker(self.crew.span);
            let names_them = fault.is_shared() && ranks.len() > 1;
            let fault = if names_them { fault } else { fault.prefixed(&who) };
            let spawned = format!("spawned here: {who} of {world} raised this (SpawnException)");
            let fault = fault.because(self.crew.span, spawned);
            match others.is_empty() {
                true => fault,
                false => fault.note(format!("{} stopped with it", ranks_in_words(&others))),
            }
        });
        let told: Vec<Fault> = told.collect();
        Fault::of_ranks(failed, told)
    }
}

impl What {
    /// What it is called in a message.
    pub(super) fn name(&self) -> String {
        match self {
            What::Collective(ask, _) => format!("`{}`", ask.kind.name()),
            What::Send(to, _) => format!("`send` to rank {to}"),
            What::Recv(from, _) => format!("`recv` from rank {from}"),
            What::Launch { request, .. } => format!("the launch of `{}`", request.kernel),
        }
    }
}
