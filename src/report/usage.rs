//! How the machine was used: busy time and rates of engines, what commands waited for, traffic.
//! Everything is added up in one pass over the log.

use std::collections::BTreeSet;

use super::Run;
use super::sites::{Sites, Work};
use crate::arena::Id;
use crate::oplog::{Action, Cause, Engine, Record};
use crate::topology::{NodeId, PeId};
use crate::units::{Bandwidth, Ps};

/// How one kind of engine was used on the PEs that took part.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineUsage {
    /// The engine.
    pub engine: Engine,
    /// Commands or messages.
    pub count: u64,
    /// The time for which it was busy on all PEs together. PE_CPU is busy while it issues or takes
    /// a message out of its slot; the network, for the sender, while a message is under way.
    pub busy: Ps,
    /// `busy` of the mean PE, in percent of the run.
    pub mean_percent: f64,
    /// The busiest PE's part of the run, in percent.
    pub max_percent: f64,
    /// The time for which the busiest PE's was busy.
    pub max_busy: Ps,
    /// The busiest PE, the first of them where there are several.
    pub busiest: String,
    /// What it achieved, for engines whose work has a size.
    pub rate: Option<Rate>,
}

/// Work done, and how fast it could have been done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Elements, multiply-adds or bytes, on all PEs together.
    pub amount: u64,
    /// `elem`, `MAC` or `B`.
    pub unit: &'static str,
    /// The amount a second of the run, on all PEs together.
    pub achieved: f64,
    /// What the PEs that took part can do a second together; infinity where nothing limits them.
    pub peak: f64,
    /// The amount a second of busy time, in percent of the peak of one PE.
    pub busy_percent: f64,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages delivered.
    pub messages: u64,
    /// Their bytes.
    pub message_bytes: u64,
    /// The bytes of the largest.
    pub largest_message: u64,
    /// Bytes read from HBM.
    pub bytes_read: u64,
    /// Bytes written to HBM.
    pub bytes_written: u64,
}

/// What was waited for, on all agents together, as far as the log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The time from when records were let go to when they began, by what let them go, in the
    /// order of [`Cause`].
    pub by_cause: [Ps; 6],
    /// The time for which PE_CPUs stood still before messages arrived: from the end of the last
    /// command that PE_CPU carried out itself, less what issuing the commands between takes. Time
    /// that PE_CPU lost on those is in it.
    pub in_receives: Ps,
}

impl Waiting {
    /// The time waited for one cause.
    pub fn of(&self, cause: Cause) -> Ps {
        self.by_cause[cause as usize]
    }
}

/// The time for which an engine of a PE had something to do.
#[derive(Clone, Copy, Debug, Default)]
struct Busy {
    total: Ps,
    /// The stretch that the latest records cover without a gap.
    from: Ps,
    until: Ps,
}

impl Busy {
    /// Adds a stretch; what lies in the latest stretch counts once. Records of one engine come
    /// nearly in the order of their starts, so no more has to be kept.
    fn cover(&mut self, start: Ps, end: Ps) {
        if end < self.from || start > self.until {
            self.total += end.since(start);
            (self.from, self.until) = (start, end);
            return;
        }
        self.total += self.from.since(start) + end.since(self.until);
        (self.from, self.until) = (self.from.min(start), self.until.max(end));
    }
}

/// Where PE_CPU of an agent was when it last carried out a command itself.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    end: Ps,
    seq: u32,
}

/// The sums of one log.
pub(super) struct Usage {
    /// By PE, then by engine.
    busy: Vec<[Busy; Engine::ALL.len()]>,
    counts: [u64; Engine::ALL.len()],
    amounts: [u64; Engine::ALL.len()],
    cpus: Vec<Cpu>,
    dispatch: Ps,
    /// What the scheduler takes over a composite.
    cutting: Ps,
    pub(super) traffic: Traffic,
    pub(super) waiting: Waiting,
}

impl Usage {
    pub(super) fn of(run: &Run<'_>, sites: &Sites) -> Usage {
        let agents = &run.program.agents;
        let pes = agents.values().map(|agent| agent.pe.index() + 1).max().unwrap_or(0);
        let [read, written] = run.moved;
        let mut usage = Usage {
            busy: vec![[Busy::default(); Engine::ALL.len()]; pes],
            counts: [0; Engine::ALL.len()],
            amounts: [0, read, written, 0, 0, 0, 0, 0, 0, 0],
            cpus: vec![Cpu { end: Ps::ZERO, seq: u32::MAX }; agents.len()],
            dispatch: run.machine.params().dispatch,
            cutting: run.machine.params().scheduler.overhead,
            traffic: Traffic { bytes_read: read, bytes_written: written, ..Traffic::default() },
            waiting: Waiting::default(),
        };
        run.log.for_each_batch(&mut |batch| {
            for record in batch {
                let Some(agent) = agents.get(record.agent) else { continue };
                usage.add(record, agent.pe, sites.of(record).work);
            }
        });
        usage
    }

    fn add(&mut self, record: &Record, pe: PeId, work: Work) {
        let engine = record.engine as usize;
        self.counts[engine] += 1;
        self.waiting.by_cause[record.cause as usize] += record.start.since(record.handoff);
        let busy = &mut self.busy[pe.index()];
        if record.engine == Engine::Cpu {
            busy[engine].total += record.end.since(record.start);
        } else if record.engine == Engine::Scheduler {
            // The record stands for all of a composite, which the scheduler cuts at its start.
            busy[engine].cover(record.start, record.start + self.cutting);
        } else {
            busy[engine].cover(record.start, record.end);
        }
        match record.action {
            Action::Command => {
                busy[Engine::Cpu as usize].total += self.dispatch;
                self.command(record, work);
            }
            Action::Delivery => self.delivery(work),
            Action::Stage => {}
        }
    }

    fn command(&mut self, record: &Record, work: Work) {
        let amount = match work {
            // What was moved is known of the whole run.
            Work::Read(_) | Work::Write(_) => 0,
            Work::Math(amount) | Work::Gemm(amount) | Work::Send(_, amount) => amount,
            Work::Composite { macs, elements } => {
                self.amounts[Engine::Gemm as usize] += macs;
                self.amounts[Engine::Math as usize] += elements;
                0
            }
            Work::Receive => return self.receive(record),
            Work::Other => 0,
        };
        let sum = &mut self.amounts[record.engine as usize];
        *sum = sum.saturating_add(amount);
    }

    fn delivery(&mut self, work: Work) {
        let Work::Send(_, bytes) = work else { return };
        self.traffic.messages += 1;
        self.traffic.message_bytes = self.traffic.message_bytes.saturating_add(bytes);
        self.traffic.largest_message = self.traffic.largest_message.max(bytes);
    }

    /// A receive: PE_CPU does nothing else until it ends.
    fn receive(&mut self, record: &Record) {
        let cpu = &mut self.cpus[record.agent.index()];
        if record.cause == Cause::Link {
            let issued = u64::from(record.seq.wrapping_sub(cpu.seq));
            let asked = cpu.end + Ps(self.dispatch.0.saturating_mul(issued));
            self.waiting.in_receives += record.start.since(asked);
        }
        *cpu = Cpu { end: record.end, seq: record.seq };
    }

    /// The engines that did anything, in order.
    pub(super) fn engines(&self, run: &Run<'_>) -> Vec<EngineUsage> {
        let pes: BTreeSet<PeId> = run.program.agents.values().map(|agent| agent.pe).collect();
        let did = |engine: &Engine| {
            let commands = self.counts[*engine as usize];
            commands > 0 || (*engine == Engine::Cpu && !run.log.is_empty())
        };
        Engine::ALL
            .iter()
            .copied()
            .filter(did)
            .map(|engine| self.engine(run, engine, &pes))
            .collect()
    }

    fn engine(&self, run: &Run<'_>, engine: Engine, pes: &BTreeSet<PeId>) -> EngineUsage {
        let of = |pe: PeId| self.busy[pe.index()][engine as usize].total;
        let busy: Ps = pes.iter().map(|pe| of(*pe)).sum();
        let busiest = pes.iter().copied().max_by_key(|pe| (of(*pe), std::cmp::Reverse(*pe)));
        let max_busy = busiest.map_or(Ps::ZERO, of);
        let count = self.counts[engine as usize];
        EngineUsage {
            engine,
            count,
            busy,
            mean_percent: percent(busy, run.time) / pes.len().max(1) as f64,
            max_percent: percent(max_busy, run.time),
            max_busy,
            busiest: busiest.map_or_else(String::new, |pe| pe_name(run, pe)),
            rate: self.rate(run, engine, (busy, pes)),
        }
    }

    fn rate(
        &self,
        run: &Run<'_>,
        engine: Engine,
        (busy, pes): (Ps, &BTreeSet<PeId>),
    ) -> Option<Rate> {
        let first = pes.first().copied().filter(|pe| pe.0 < run.machine.pe_count())?;
        let (unit, each) = peak(run, engine, first)?;
        let amount = self.amounts[engine as usize];
        let per_second =
            |time: Ps| if time.0 == 0 { 0.0 } else { amount as f64 * 1e12 / time.0 as f64 };
        Some(Rate {
            amount,
            unit,
            achieved: per_second(run.time),
            peak: each * pes.len() as f64,
            busy_percent: per_second(busy) / each * 100.0,
        })
    }
}

/// What one engine of a PE can do a second, and the unit.
fn peak(run: &Run<'_>, engine: Engine, pe: PeId) -> Option<(&'static str, f64)> {
    let params = run.machine.params();
    let nodes = run.machine.pe(pe);
    let bytes = |bandwidth: Bandwidth| Some(("B", bandwidth.gb_per_s() * 1e9));
    match engine {
        Engine::Cpu | Engine::Network | Engine::Scheduler | Engine::Fetch | Engine::Store => None,
        Engine::DmaRead => bytes(bottleneck(run, nodes.hbm, nodes.dma)),
        Engine::DmaWrite => bytes(bottleneck(run, nodes.dma, nodes.hbm)),
        Engine::DmaComm => bytes(widest(run, nodes.dma)),
        Engine::Gemm => Some(("MAC", params.gemm.macs_per_ns() * 1e9)),
        Engine::Math => Some(("elem", params.math.elements_per_ns() * 1e9)),
    }
}

/// The bandwidth between a PE's DMA engine and its own slice of HBM.
fn bottleneck(run: &Run<'_>, from: NodeId, to: NodeId) -> Bandwidth {
    let route = run.machine.route(from, to);
    route.map_or(Bandwidth::INFINITE, |route| run.machine.bottleneck(&route))
}

/// The bandwidth of the widest link out of a node.
fn widest(run: &Run<'_>, node: NodeId) -> Bandwidth {
    let links = run.machine.links_from(node).into_iter();
    let rates = links.map(|(link, _)| run.machine.link(link).bandwidth);
    rates
        .reduce(|wide, it| if wide.is_slower_than(it) { it } else { wide })
        .unwrap_or(Bandwidth::INFINITE)
}

/// The name of a PE: that of its nodes, without the part.
pub(super) fn pe_name(run: &Run<'_>, pe: PeId) -> String {
    if pe.0 >= run.machine.pe_count() {
        return pe.to_string();
    }
    let name = &run.machine.node(run.machine.pe(pe).dma).name;
    name.strip_suffix(".dma").unwrap_or(name).to_owned()
}

/// `part` in percent of `whole`; 0 of nothing.
pub(super) fn percent(part: Ps, whole: Ps) -> f64 {
    if whole == Ps::ZERO { 0.0 } else { part.0 as f64 / whole.0 as f64 * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_stretches_count_once() {
        let mut busy = Busy::default();
        for (start, end) in [(0, 10), (5, 12), (12, 15), (20, 30), (18, 22), (40, 41)] {
            busy.cover(Ps(start), Ps(end));
        }
        // 0 to 15, 18 to 30, 40 to 41.
        assert_eq!(busy.total, Ps(28));
    }
}
