//! Runs tasks: in the order of the log, or each agent's by itself on several threads.
//!
//! An agent's tasks always run in the order of the log. Between agents only messages go, where
//! tasks are independent: an agent that is to take a message that is not there yet is put aside
//! until its sender has come that far. What an agent computes depends on its own tasks and on
//! the contents of its messages alone, so it is the same however agents are dealt to threads.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::execute::Executor;
use super::fault::{Fault, FaultKind};
use super::inspect::Printed;
use super::local::Local;
use super::memory::Memory;
use super::plan::{Deed, MessageId, Plan, Task};
use crate::arena::Id;
use crate::command::{AgentId, Command, Program, Step};

/// Plans of fewer tasks run on one thread: starting others would take longer.
const MIN_PARALLEL_TASKS: usize = 64;

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What agents hold between plans.
#[derive(Debug)]
pub(super) struct Agents {
    states: Vec<Mutex<State>>,
    inboxes: Vec<Mutex<Inbox>>,
    /// Buffers of messages that were taken, to be used again.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// One agent.
#[derive(Clone, Debug)]
struct State {
    /// Its memory; none before its first task, so agents that do nothing cost nothing.
    local: Option<Local>,
    /// Whether its slots keep what is in them until the next message comes.
    keeps_slots: bool,
    /// What was found wrong, with the number of the task in its plan.
    faults: Vec<(usize, Fault)>,
    /// What was printed, likewise.
    printed: Vec<(usize, Printed)>,
    /// Where in its own tasks of a plan it is.
    next: usize,
}

impl State {
    /// The memory of `agent`, whose state this is.
    fn local(&mut self, program: &Program, agent: AgentId) -> &mut Local {
        let keeps = self.keeps_slots;
        self.local.get_or_insert_with(|| Local::new(program, agent).keeping_slots(keeps))
    }
}

/// Messages that were sent to one agent and that it has not taken.
#[derive(Debug, Default)]
struct Inbox {
    messages: FxHashMap<MessageId, Vec<u8>>,
    /// The message that the agent was put aside for.
    awaited: Option<MessageId>,
}

/// What running a plan has brought, in the order of the log.
pub(super) struct Found {
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
    /// What kernels print.
    pub(super) printed: Vec<Printed>,
}

/// What came of tasks, by the number of the task.
fn in_order<T>(mut found: Vec<(usize, T)>) -> Vec<T> {
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, it)| it).collect()
}

/// What a plan runs on.
#[derive(Clone, Copy)]
struct Context<'a> {
    program: &'a Program,
    memory: &'a Memory,
    agents: &'a Agents,
    tasks: &'a [Task],
}

impl Agents {
    /// The agents of `program`, none of whose memory is written.
    pub(super) fn new(program: &Program) -> Agents {
        let (faults, printed) = (Vec::new(), Vec::new());
        let new = State { local: None, keeps_slots: false, faults, printed, next: 0 };
        let state = || new.clone();
        Agents {
            states: program.agents.ids().map(|_| Mutex::new(state())).collect(),
            inboxes: program.agents.ids().map(|_| Mutex::default()).collect(),
            spare: Mutex::default(),
        }
    }

    /// Lets slots keep what is in them until the next message comes.
    pub(super) fn keep_slots(&mut self) {
        for state in &mut self.states {
            state.get_mut().unwrap_or_else(PoisonError::into_inner).keeps_slots = true;
        }
    }

    /// What a gather or scatter of `agent` has touched.
    pub(super) fn touched(&self, agent: AgentId, seq: u32) -> Vec<Range<u64>> {
        let state = lock(&self.states[agent.index()]);
        let touched = state.local.as_ref().and_then(|local| local.touched.get(&seq));
        touched.cloned().unwrap_or_default()
    }

    /// Runs a plan on up to `threads` threads.
    pub(super) fn run(
        &self,
        program: &Program,
        memory: &Memory,
        plan: &Plan,
        threads: usize,
    ) -> Found {
        let context = Context { program, memory, agents: self, tasks: &plan.tasks };
        if threads > 1 && plan.independent && plan.tasks.len() >= MIN_PARALLEL_TASKS {
            context.run_by_agent(threads);
        } else {
            context.run_in_order();
        }
        let (mut faults, mut printed) = (plan.faults.clone(), Vec::new());
        for state in &self.states {
            let mut state = lock(state);
            faults.append(&mut state.faults);
            printed.append(&mut state.printed);
        }
        Found { faults: in_order(faults), printed: in_order(printed) }
    }
}

impl Context<'_> {
    fn run_in_order(self) {
        for (index, task) in self.tasks.iter().enumerate() {
            let mut state = lock(&self.agents.states[task.agent.index()]);
            match task.action {
                Deed::Run(step) => {
                    self.execute(&mut state, index, step, None);
                }
                Deed::Send(step, to) => {
                    self.execute(&mut state, index, step, Some(to));
                }
                Deed::Stream(step) => {
                    self.stream(&mut state, index, step);
                }
                Deed::Take(message, ..) => {
                    let inbox = &self.agents.inboxes[task.agent.index()];
                    let bytes = lock(inbox).messages.remove(&message);
                    self.take(&mut state, index, bytes.unwrap_or_default());
                }
            }
        }
    }

    /// Runs a command; a send puts its message in the inbox of `to`. Returns whether `to` was put
    /// aside for this message.
    fn execute(self, state: &mut State, index: usize, step: Step, to: Option<AgentId>) -> bool {
        let message = self.compute(state, index, step, to.is_some());
        let Some(to) = to else { return false };
        self.post((self.tasks[index].agent, step.seq, 0), to, message)
    }

    /// Runs a stream and sends its result on. Returns who was put aside for it.
    fn stream(self, state: &mut State, index: usize, step: Step) -> Vec<AgentId> {
        let Command::IpcqStream(it) = step.command else { return Vec::new() };
        let agent = self.tasks[index].agent;
        let message = self.compute(state, index, step, true);
        let peers = it.outputs().map(|(queue, _)| self.program.comm.peer(agent, queue));
        let mut waiting = Vec::new();
        for (number, peer) in (0..).zip(peers) {
            let Some(peer) = peer else { continue };
            if self.post((agent, step.seq, number), peer.agent, message.clone()) {
                waiting.push(peer.agent);
            }
        }
        lock(&self.agents.spare).push(message);
        waiting
    }

    /// Puts a message in the inbox of `to`. Returns whether `to` was put aside for it.
    fn post(self, id: MessageId, to: AgentId, message: Vec<u8>) -> bool {
        let mut inbox = lock(&self.agents.inboxes[to.index()]);
        inbox.messages.insert(id, message);
        inbox.awaited.take_if(|awaited| *awaited == id).is_some()
    }

    /// Runs a command; gives what it sends.
    fn compute(self, state: &mut State, index: usize, step: Step, sends: bool) -> Vec<u8> {
        let (mut faults, mut printed) = (Vec::new(), Vec::new());
        let agent = self.tasks[index].agent;
        let executor = Executor {
            program: self.program,
            memory: self.memory,
            agent,
            step,
            local: state.local(self.program, agent),
            faults: &mut faults,
            printed: &mut printed,
            message: if sends { self.buffer() } else { Vec::new() },
        };
        let message = executor.run();
        state.faults.extend(faults.into_iter().map(|fault| (index, fault)));
        state.printed.extend(printed.into_iter().map(|it| (index, it)));
        message
    }

    fn buffer(self) -> Vec<u8> {
        lock(&self.agents.spare).pop().unwrap_or_default()
    }

    /// Puts a message in its slot.
    fn take(self, state: &mut State, index: usize, bytes: Vec<u8>) {
        let Deed::Take((_, seq, _), queue, arrival) = self.tasks[index].action else { return };
        let local = state.local(self.program, self.tasks[index].agent);
        if !local.deliver(queue, arrival, &bytes) {
            let kind = FaultKind::Broken(String::from("a message is larger than its slot"));
            let fault = Fault { agent: arrival.from, site: arrival.site, seq, kind };
            state.faults.push((index, fault));
        }
        lock(&self.agents.spare).push(bytes);
    }
}

/// Agents that can go on, and how many have not finished.
struct Queue {
    ready: VecDeque<AgentId>,
    unfinished: usize,
}

/// What the threads of a plan share.
struct Crew<'a> {
    context: Context<'a>,
    /// The tasks of each agent, by their numbers.
    own: Vec<Vec<usize>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Context<'_> {
    fn run_by_agent(self, threads: usize) {
        let mut own = vec![Vec::new(); self.agents.states.len()];
        for (index, task) in self.tasks.iter().enumerate() {
            own[task.agent.index()].push(index);
        }
        let ready: VecDeque<AgentId> = (0..own.len())
            .filter(|agent| !own[*agent].is_empty())
            .map(AgentId::from_index)
            .collect();
        for agent in &ready {
            lock(&self.agents.states[agent.index()]).next = 0;
        }
        let threads = threads.min(ready.len());
        let queue = Mutex::new(Queue { unfinished: ready.len(), ready });
        let crew = Crew { context: self, own, queue, changed: Condvar::new() };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| crew.work());
            }
            crew.work();
        });
    }
}

/// Sends every thread home if one panics, so that none waits for it.
struct Alarm<'c>(&'c Crew<'c>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.queue).unfinished = 0;
            self.0.changed.notify_all();
        }
    }
}

impl Crew<'_> {
    /// Runs agents until all have finished.
    fn work(&self) {
        let _alarm = Alarm(self);
        while let Some(agent) = self.next() {
            if self.run(agent) {
                let mut queue = lock(&self.queue);
                queue.unfinished = queue.unfinished.saturating_sub(1);
                if queue.unfinished == 0 {
                    self.changed.notify_all();
                }
            }
        }
    }

    /// An agent that can go on; `None` once all have finished.
    fn next(&self) -> Option<AgentId> {
        let mut queue = lock(&self.queue);
        loop {
            if queue.unfinished == 0 {
                return None;
            }
            if let Some(agent) = queue.ready.pop_front() {
                return Some(agent);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs the tasks of `agent` until they end (true) or need a message that is not there.
    fn run(&self, agent: AgentId) -> bool {
        let context = self.context;
        let mut state = lock(&context.agents.states[agent.index()]);
        while let Some(index) = self.own[agent.index()].get(state.next).copied() {
            match context.tasks[index].action {
                Deed::Run(step) => {
                    context.execute(&mut state, index, step, None);
                }
                Deed::Send(step, to) => {
                    if context.execute(&mut state, index, step, Some(to)) {
                        lock(&self.queue).ready.push_back(to);
                        self.changed.notify_one();
                    }
                }
                Deed::Stream(step) => {
                    for to in context.stream(&mut state, index, step) {
                        lock(&self.queue).ready.push_back(to);
                        self.changed.notify_one();
                    }
                }
                Deed::Take(message, ..) => {
                    let mut inbox = lock(&context.agents.inboxes[agent.index()]);
                    let Some(bytes) = inbox.messages.remove(&message) else {
                        inbox.awaited = Some(message);
                        return false;
                    };
                    drop(inbox);
                    context.take(&mut state, index, bytes);
                }
            }
            state.next += 1;
        }
        true
    }
}
