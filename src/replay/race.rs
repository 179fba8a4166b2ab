//! Races: two agents touch the same bytes of HBM, one of them to write, and nothing says which
//! comes first. The run that was replayed had them in some order; another machine, or the same
//! one at another size, may have them in the other.
//!
//! Atomic commands agree among themselves, whichever comes first; with plain reads and writes they
//! race like writes.
//!
//! What says which comes first is messages: everything an agent does before a send is before
//! everything its receiver does after the matching receive, and so on from agent to agent.
//! Credits do not count: a program that is right only because a queue is short is not right.
//!
//! Races hardly ever can be at all, so nothing is kept for them while a log is replayed but the
//! bounds of what each agent touches. Only where these overlap are the streams walked again, and
//! the order of two commands is asked for a pair at a time, back over the messages that could
//! order them.

use rustc_hash::{FxHashMap, FxHashSet};

use super::access::{ImageKey, Stretch, Touches, Use, add_stretches, for_each_access};
use super::memory::Memory;
use super::plan::Planner;
use super::schedule::Agents;
use crate::arena::Id;
use crate::command::{AgentId, Place, Program, QueueId, SiteId, Step, TileRef, WalkError, Walker};
use crate::diag::{Diagnostic, Sink, runtime};

/// The most stretches of one image that are compared.
const MAX_STRETCHES: usize = 1 << 22;
/// The most pairs of commands that are asked for their order.
const MAX_PAIRS: u64 = 1 << 22;
/// The most often that a stretch is looked at beside another one.
const MAX_LOOKS: usize = 1 << 29;
/// The most entries of remembered answers.
const MAX_REMEMBERED: usize = 1 << 22;

/// What a check for races looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaceCheck {
    /// Pairs of conflicting commands whose order was asked for.
    pub pairs: u64,
    /// Pairs of source lines that race.
    pub races: u32,
    /// Whether every conflict was looked at; else there were too many.
    pub complete: bool,
}

/// The last message that an agent had received by some command.
#[derive(Clone, Copy, Debug)]
struct Received {
    /// The command that received it.
    seq: u32,
    /// Who sent it.
    from: AgentId,
    /// By which command.
    sent: u32,
}

/// Which command comes before which.
struct Order {
    /// The messages each agent received, in the order of its commands.
    received: Vec<Vec<Received>>,
    /// By agent and the number of messages it had received: the last command of each other agent
    /// that is before.
    known: FxHashMap<(AgentId, usize), FxHashMap<AgentId, u32>>,
    /// Entries of `known`, all together.
    entries: usize,
}

/// Calls `visit` with the commands of every agent that were replayed.
fn walk_again(
    program: &Program,
    planner: &Planner,
    visit: &mut dyn FnMut(AgentId, &Step),
) -> Result<(), WalkError> {
    for agent in program.agents.ids() {
        let mut walker = Walker::new(program, agent);
        while walker.position() < planner.walked(agent)
            && let Some(step) = walker.next(program)?
        {
            visit(agent, &step);
        }
    }
    Ok(())
}

impl Order {
    fn new(program: &Program, planner: &Planner) -> Result<Order, WalkError> {
        let agents = program.agents.len();
        let mut sends: FxHashMap<(AgentId, QueueId), Vec<u32>> = FxHashMap::default();
        let mut receives: Vec<Vec<(u32, QueueId, u64)>> = vec![Vec::new(); agents];
        walk_again(program, planner, &mut |agent, step| {
            for queue in step.command.sends_to() {
                sends.entry((agent, queue)).or_default().push(step.seq);
            }
            if let Some(TileRef { place: Place::Slot { queue, token }, .. }) =
                step.command.awaited()
            {
                receives[agent.index()].push((step.seq, queue, token));
            }
        })?;
        let sources = sources(program);
        let received = receives.into_iter().enumerate().map(|(agent, receives)| {
            let of = |(seq, queue, token): (u32, QueueId, u64)| {
                let (from, out) = *sources.get(&(AgentId::from_index(agent), queue))?;
                let sent = *sends.get(&(from, out))?.get(token as usize)?;
                Some(Received { seq, from, sent })
            };
            receives.into_iter().filter_map(of).collect()
        });
        Ok(Order { received: received.collect(), known: FxHashMap::default(), entries: 0 })
    }

    /// Whether command `first` comes before command `second`, whatever the time.
    fn is_before(&mut self, first: (AgentId, u32), second: (AgentId, u32)) -> bool {
        if first.0 == second.0 {
            return first.1 < second.1;
        }
        let messages = self.received[second.0.index()].partition_point(|it| it.seq <= second.1);
        let key = (second.0, messages);
        if !self.known.contains_key(&key) {
            if self.entries > MAX_REMEMBERED {
                self.known.clear();
                self.entries = 0;
            }
            let before = self.look_back(second);
            self.entries += before.len();
            self.known.insert(key, before);
        }
        self.known[&key].get(&first.0).is_some_and(|last| first.1 <= *last)
    }

    /// The last command of each other agent that is before `from`.
    fn look_back(&self, from: (AgentId, u32)) -> FxHashMap<AgentId, u32> {
        let mut last: FxHashMap<AgentId, u32> = FxHashMap::default();
        let mut seen: FxHashMap<AgentId, usize> = FxHashMap::default();
        let mut work = vec![from];
        while let Some((agent, seq)) = work.pop() {
            let received = &self.received[agent.index()];
            let until = received.partition_point(|it| it.seq <= seq);
            let done = seen.insert(agent, until).unwrap_or(0);
            // What came by an earlier and lower visit has been followed already.
            if until <= done {
                seen.insert(agent, done);
                continue;
            }
            for it in &received[done..until] {
                let before = last.entry(it.from).or_insert(0);
                if *before <= it.sent {
                    *before = it.sent;
                    work.push((it.from, it.sent));
                }
            }
        }
        last
    }
}

/// Which queue of which agent sends into each queue of each agent.
fn sources(program: &Program) -> FxHashMap<(AgentId, QueueId), (AgentId, QueueId)> {
    let mut sources = FxHashMap::default();
    for agent in program.agents.ids() {
        for queue in (0..program.comm.directions.len()).map(|queue| QueueId(queue as u8)) {
            if let Some(peer) = program.comm.peer(agent, queue) {
                sources.insert((peer.agent, peer.queue), (agent, queue));
            }
        }
    }
    sources
}

/// A run whose data has been computed.
#[derive(Clone, Copy)]
pub(super) struct Replayed<'a> {
    pub(super) program: &'a Program,
    pub(super) memory: &'a Memory,
    pub(super) planner: &'a Planner,
    pub(super) agents: &'a Agents,
}

/// What was found so far.
struct Search<'a> {
    run: Replayed<'a>,
    order: Order,
    /// Where the commands of stretches were written.
    sites: FxHashMap<(AgentId, u32), SiteId>,
    /// Pairs of lines that were reported.
    said: FxHashSet<[(u32, SiteId); 2]>,
    check: RaceCheck,
}

/// Reports the races in `suspects`.
pub(super) fn check(run: &Replayed<'_>, suspects: &[ImageKey], sink: &mut Sink) -> RaceCheck {
    let check = RaceCheck { pairs: 0, races: 0, complete: true };
    // A stream that cannot be walked was reported when its commands were taken.
    let Ok(order) = Order::new(run.program, run.planner) else {
        return RaceCheck { complete: false, ..check };
    };
    let (sites, said) = (FxHashMap::default(), FxHashSet::default());
    let mut search = Search { run: *run, order, sites, said, check };
    for image in suspects {
        let mut stretches = search.stretches(*image);
        stretches.sort_unstable();
        search.sweep(*image, &stretches, sink);
    }
    search.check
}

impl Search<'_> {
    /// Everything that agents touch in an image.
    fn stretches(&mut self, image: ImageKey) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        self.sites.clear();
        let Search { run, sites, check, .. } = self;
        let Replayed { program, memory, planner, agents } = *run;
        let walked = walk_again(program, planner, &mut |agent, step| {
            for_each_access(program, memory, (agent, step), &mut |access| {
                if access.image != image {
                    return;
                }
                let id = (agent, step.seq);
                sites.insert(id, step.site);
                let lanes = match access.touches {
                    Touches::Lanes => agents.touched(agent, step.seq),
                    Touches::Block(..) | Touches::Pieces(_) => Vec::new(),
                };
                let touched = (access, lanes.as_slice());
                check.complete &= add_stretches(&mut stretches, id, touched, MAX_STRETCHES);
            });
        });
        check.complete &= walked.is_ok();
        stretches
    }

    /// Compares every two stretches that overlap.
    fn sweep(&mut self, image: ImageKey, stretches: &[Stretch], sink: &mut Sink) {
        let mut open: [Vec<Stretch>; Use::ALL.len()] = Default::default();
        let mut looks = 0_usize;
        for it in stretches {
            looks = looks.saturating_add(open.iter().map(Vec::len).sum());
            if looks > MAX_LOOKS {
                self.check.complete = false;
                return;
            }
            for (how, others) in Use::ALL.into_iter().zip(&mut open) {
                others.retain(|other| other.end > it.start);
                if !how.agrees_with(it.how) {
                    self.compare(image, others, *it, sink);
                }
            }
            open[it.how as usize].push(*it);
        }
    }

    fn compare(&mut self, image: ImageKey, others: &[Stretch], it: Stretch, sink: &mut Sink) {
        for other in others.iter().filter(|other| other.agent != it.agent) {
            if self.check.pairs == MAX_PAIRS {
                self.check.complete = false;
                return;
            }
            self.check.pairs += 1;
            let (one, two) = ((other.agent, other.seq), (it.agent, it.seq));
            if !self.order.is_before(one, two) && !self.order.is_before(two, one) {
                self.report(image, [*other, it], sink);
            }
        }
    }

    fn report(&mut self, image: ImageKey, mut pair: [Stretch; 2], sink: &mut Sink) {
        // The write is shown first; of two writes, that of the lower agent.
        pair.sort_by_key(|it| (std::cmp::Reverse(it.how), it.agent, it.seq));
        let line = |it: &Stretch| {
            (self.run.program.agents[it.agent].code.0, self.sites[&(it.agent, it.seq)])
        };
        if self.said.insert([line(&pair[0]), line(&pair[1])]) {
            self.check.races += 1;
            sink.error(self.diagnostic(image, pair));
        }
    }

    fn diagnostic(&self, (region, _): ImageKey, [first, second]: [Stretch; 2]) -> Diagnostic {
        let Replayed { program, memory, .. } = self.run;
        let region = &memory.map().regions()[region];
        let pe = |it: Stretch| program.agents[it.agent].pe;
        let span = |it: Stretch| program.span(it.agent, self.sites[&(it.agent, it.seq)]);
        let bytes =
            |it: Stretch| format!("bytes {} to {}", it.start - region.base, it.end - region.base);
        let verb = |it: Stretch| match it.how {
            Use::Reads => "reads",
            Use::Changes => "changes",
            Use::Writes => "writes",
        };
        let (before, after) = (verb(first), verb(second));
        let (one, two, name) = (pe(first), pe(second), &region.name);
        let message = format!("{two} {after} `{name}` where {one} {before} it, in no fixed order");
        Diagnostic::new(
            runtime::DATA_RACE,
            message,
            span(second),
            format!("{two} {after} {}", bytes(second)),
        )
        .because(span(first), format!("{one} {before} {}", bytes(first)))
        .help(format!("send a message from one of {one} and {two} to the other between the two"))
    }
}
