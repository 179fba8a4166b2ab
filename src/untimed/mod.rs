//! stub
#![allow(missing_docs)]
pub mod report;
use crate::command::*;
use crate::diag::Diagnostic;
use crate::oplog::*;
use crate::source::SourceMap;
use crate::topology::Machine;
use crate::units::Ps;
#[derive(Clone, Debug, Default)]
pub struct Options;
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub now: Ps,
    pub events: u64,
    pub finished: (u64, u64),
}
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub time: Ps,
    pub messages: u64,
    pub events: u64,
}
impl Outcome {
    pub fn bound_by(&self) -> &'static str {
        "stub"
    }
}
#[derive(Debug)]
pub struct Failure;
impl Failure {
    pub fn diagnostic(self, _: &Program, _: &SourceMap) -> Diagnostic {
        Diagnostic::global(crate::diag::internal::INTERNAL, "deadlock")
    }
}
pub fn simulate(
    program: &Program,
    _m: &Machine,
    _o: &Options,
    log: &mut impl LogSink,
    _p: &mut dyn FnMut(Progress),
) -> Result<Outcome, Failure> {
    let n = program.agents.len();
    let mut walkers: Vec<Walker> = program.agents.ids().map(|a| Walker::new(program, a)).collect();
    let mut pending: Vec<Option<Step>> = vec![None; n];
    let mut done = vec![false; n];
    let mut delivered: std::collections::BTreeMap<(AgentId, u8), u64> = Default::default();
    let mut messages = 0;
    let mut released: std::collections::BTreeMap<(AgentId, u8), std::collections::BTreeSet<u64>> =
        Default::default();
    let rec = |agent, step: &Step, action| Record {
        start: Ps(0),
        end: Ps(0),
        handoff: Ps(0),
        agent,
        seq: step.seq,
        site: step.site,
        predecessor: None,
        transfer: None,
        link: None,
        action,
        engine: Engine::Cpu,
        cause: Cause::Dispatch,
    };
    loop {
        let mut moved = false;
        for agent in program.agents.ids() {
            let i = agent.0 as usize;
            if done[i] {
                continue;
            }
            loop {
                let step = match pending[i].take() {
                    Some(s) => s,
                    None => match walkers[i].next(program) {
                        Ok(Some(s)) => s,
                        _ => {
                            done[i] = true;
                            moved = true;
                            break;
                        }
                    },
                };
                if let Command::IpcqRecv(r) = step.command
                    && let Place::Slot { queue, token } = r.slot.place
                    && delivered.get(&(agent, queue.0)).copied().unwrap_or(0) <= token
                {
                    pending[i] = Some(step);
                    break;
                }
                if let Command::Wait(r) = step.command
                    && let Place::Slot { queue, token } = r.slot.place
                    && delivered.get(&(agent, queue.0)).copied().unwrap_or(0) <= token
                {
                    pending[i] = Some(step);
                    break;
                }
                if let Command::IpcqSend(s) = step.command {
                    let p = program.comm.peer(agent, s.queue).unwrap();
                    if s.token >= program.comm.slots as u64
                        && !released
                            .entry((p.agent, p.queue.0))
                            .or_default()
                            .contains(&(s.token - program.comm.slots as u64))
                    {
                        pending[i] = Some(step);
                        break;
                    }
                }
                if let Command::IpcqRelease(r) = step.command
                    && let Place::Slot { queue, token } = r.slot.place
                {
                    released.entry((agent, queue.0)).or_default().insert(token);
                }
                if let Command::IpcqRecv(r) = step.command
                    && r.dst.is_some()
                    && let Place::Slot { queue, token } = r.slot.place
                {
                    released.entry((agent, queue.0)).or_default().insert(token);
                }
                moved = true;
                log.push(rec(agent, &step, Action::Command));
                if let Command::IpcqSend(s) = step.command {
                    let p = program.comm.peer(agent, s.queue).unwrap();
                    *delivered.entry((p.agent, p.queue.0)).or_default() += 1;
                    messages += 1;
                    log.push(rec(agent, &step, Action::Delivery));
                }
            }
        }
        if done.iter().all(|d| *d) {
            return Ok(Outcome { messages, ..Default::default() });
        }
        if !moved {
            return Err(Failure);
        }
    }
}
