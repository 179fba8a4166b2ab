//! Whose turn it is, and what can be done with what the ranks have posted.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::parcel::Parcel;
use super::plan;
use super::rank::{self, Seat};
use super::{Go, OpId, Pause, Posted, Token, Turn, What};
use crate::diag::{Diagnostic, hosting, internal};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::distributed::Choice;
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
    done: Vec<(OpId, Option<Choice>)>,
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
    /// Takes what stands first in its queue as done.
    pub(super) fn finish(&mut self, choice: Option<Choice>) -> Option<Posted> {
        let posted = self.queue.pop_front()?;
        self.done.push((posted.id, choice));
        let is_over = match self.state {
            State::For(id, _) => id == posted.id,
            State::ForAll(_) => self.queue.is_empty(),
            State::Ready | State::Ended => false,
        };
        if is_over {
            self.state = State::Ready;
        }
        Some(posted)
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
            members.push(Member { go, turn, state: State::Ready, queue, done });
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
        let go = Go { token: Token { context, journal }, done };
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

    /// That these ranks have failed: their own faults, and what became of the others.
    fn exception(&self, failed: Vec<(usize, Fault)>) -> Fault {
        let ranks: Vec<usize> = failed.iter().map(|(rank, _)| *rank).collect();
        let others = (0..self.members.len()).filter(|rank| !ranks.contains(rank));
        let others: Vec<u32> = others.map(|rank| rank as u32).collect();
        let world = self.members.len();
        let own: Vec<(u32, Fault)> =
            failed.iter().map(|(rank, fault)| (*rank as u32, fault.clone())).collect();
        let told = failed.into_iter().map(|(rank, fault)| {
            let fault = fault.of_rank(rank, self.crew.span).because(
                self.crew.span,
                format!("spawned here: rank {rank} of {world} raised this (SpawnException)"),
            );
            match others.is_empty() {
                true => fault,
                false => fault.note(format!("{} stopped with it", plan::ranks_in_words(&others))),
            }
        });
        Fault::of_ranks(own, told.collect())
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
