//! What time is spent on: the parts of a machine that a kernel's author can do something about.
//!
//! A segment of the critical path is cut into what passed before its record began, which its
//! cause names, and the work itself, which its engine names. The way of a message is cut further:
//! the log says how long it took, the machine how long it would have taken alone.

use rustc_hash::FxHashMap;

use super::sites::{Sites, Work};
use super::{Run, Segment};
use crate::command::{AgentId, QueueId};
use crate::oplog::{Cause, Engine, Record};
use crate::units::Ps;

/// What a stretch of time was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// PE_CPU issuing commands.
    Dispatch,
    /// Commands waiting for what they read, or for room for what they write.
    Operand,
    /// The vector engine.
    Math,
    /// The matrix engine.
    Gemm,
    /// Reading HBM.
    DmaRead,
    /// Writing HBM.
    DmaWrite,
    /// The communication channel of the DMA engine.
    DmaSend,
    /// The tile scheduler.
    Scheduler,
    /// The fetch/store unit.
    FetchStore,
    /// Taking messages out of their slots.
    SlotRead,
    /// Putting messages into their slots.
    SlotWrite,
    /// Senders waiting for a free slot.
    Credit,
    /// Wires, routers and ports that messages pass.
    LinkLatency,
    /// The narrowest link that messages pass.
    LinkBandwidth,
    /// Messages held up by other messages.
    LinkContention,
    /// The launch barrier.
    Barrier,
    /// Time that the log has no record for.
    Unrecorded,
}

impl Resource {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Resource::Dispatch => "dispatch",
            Resource::Operand => "operand wait",
            Resource::Math => "math",
            Resource::Gemm => "gemm",
            Resource::DmaRead => "DMA read",
            Resource::DmaWrite => "DMA write",
            Resource::DmaSend => "DMA send",
            Resource::Scheduler => "tile scheduler",
            Resource::FetchStore => "fetch/store",
            Resource::SlotRead => "recv slot read",
            Resource::SlotWrite => "recv slot write",
            Resource::Credit => "recv slot credit",
            Resource::LinkLatency => "link latency",
            Resource::LinkBandwidth => "link bandwidth",
            Resource::LinkContention => "link contention",
            Resource::Barrier => "launch barrier",
            Resource::Unrecorded => "time without a record",
        }
    }

    /// What it means and what shortens it, in one line.
    pub const fn advice(self) -> &'static str {
        match self {
            Resource::Dispatch => "PE_CPU issues commands one by one: larger tiles need fewer",
            Resource::Operand => {
                "commands wait for tiles still in use: more buffers let them overlap"
            }
            Resource::Math => {
                "the vector engine: fewer or cheaper elementwise ops shorten the path"
            }
            Resource::Gemm => "the matrix engine: tiles that fill the MAC array waste no cycles",
            Resource::DmaRead => "tiles come from HBM: loads issued earlier overlap with compute",
            Resource::DmaWrite => "tiles go to HBM: stores issued earlier overlap with compute",
            Resource::DmaSend => "tiles wait to leave the PE: fewer bytes sent shorten the path",
            Resource::Scheduler => "composites are cut one by one: larger ones need fewer",
            Resource::FetchStore => "tiles go between TCM and registers: larger tiles reuse more",
            Resource::SlotRead => "PE_CPU takes messages out of slots: fewer bytes received help",
            Resource::SlotWrite => "messages are put into slots one by one: fewer bytes sent help",
            Resource::Credit => {
                "senders wait for a free slot: more slots or an earlier last use help"
            }
            Resource::LinkLatency => {
                "messages are short for their way: fewer, larger messages help"
            }
            Resource::LinkBandwidth => "messages fill the narrowest link: fewer bytes over it help",
            Resource::LinkContention => "messages wait for each other: other partners share less",
            Resource::Barrier => "the launch itself: more work a launch makes it matter less",
            Resource::Unrecorded => "the log says nothing about this time",
        }
    }

    /// The resource that work on an engine uses.
    const fn of_engine(engine: Engine) -> Resource {
        match engine {
            Engine::Cpu => Resource::SlotRead,
            Engine::DmaRead => Resource::DmaRead,
            Engine::DmaWrite => Resource::DmaWrite,
            Engine::DmaComm => Resource::DmaSend,
            Engine::Gemm => Resource::Gemm,
            Engine::Math => Resource::Math,
            Engine::Network => Resource::SlotWrite,
            Engine::Scheduler => Resource::Scheduler,
            Engine::Fetch | Engine::Store => Resource::FetchStore,
        }
    }

    /// The resource that a record waited for before it began.
    const fn of_cause(cause: Cause, engine: Engine) -> Resource {
        match cause {
            Cause::Dispatch => Resource::Dispatch,
            Cause::Operand => Resource::Operand,
            Cause::Engine => Resource::of_engine(engine),
            Cause::Link => Resource::LinkContention,
            Cause::Credit => Resource::Credit,
            Cause::Barrier => Resource::Barrier,
        }
    }
}

/// What a message pays on its way if it is alone.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// Until its first byte has arrived.
    latency: Ps,
    /// From then until its last byte has.
    serial: Ps,
    /// Its slot's write.
    slot: Ps,
}

/// Cuts segments into the resources they were spent on.
pub(super) struct Split<'a> {
    run: &'a Run<'a>,
    sites: &'a Sites,
    ways: FxHashMap<(AgentId, QueueId, u64), Way>,
}

impl<'a> Split<'a> {
    pub(super) fn new(run: &'a Run<'a>, sites: &'a Sites) -> Split<'a> {
        Split { run, sites, ways: FxHashMap::default() }
    }

    /// Calls `add` with each resource of `segment` and its time; they add up to its length.
    pub(super) fn each(&mut self, segment: &Segment, add: &mut dyn FnMut(Resource, Ps)) {
        let record = segment.record.and_then(|it| self.run.log.get(it));
        let Some(record) = &record else {
            return add(Resource::Unrecorded, segment.length);
        };
        // Only the first segment begins before its record was let go: with the launch.
        let launch = record.handoff.since(segment.start).min(segment.waited);
        add(Resource::Barrier, launch);
        let waiting = Resource::of_cause(segment.cause, segment.engine);
        add(waiting, segment.waited.since(launch));
        let work = segment.length.since(segment.waited);
        if segment.engine == Engine::Network && segment.cause == Cause::Link {
            let way = self.way(record);
            cut(way, (work, segment.link.is_some()), add);
        } else {
            add(Resource::of_engine(segment.engine), work);
        }
    }

    /// What the message of a delivery pays alone. Of parallel connections the usual one is taken.
    fn way(&mut self, record: &Record) -> Way {
        let Work::Send(queue, bytes) = self.sites.of(record).work else { return Way::default() };
        let key = (record.agent, queue, bytes);
        if let Some(way) = self.ways.get(&key) {
            return *way;
        }
        let way = self.find_way(key).unwrap_or_default();
        self.ways.insert(key, way);
        way
    }

    fn find_way(&self, (agent, queue, bytes): (AgentId, QueueId, u64)) -> Option<Way> {
        let Run { program, machine, .. } = self.run;
        let nodes = |agent: AgentId| {
            let pe = program.agents.get(agent)?.pe;
            (pe.0 < machine.pe_count()).then(|| machine.pe(pe).dma)
        };
        let peer = program.comm.peer(agent, queue)?;
        let route = machine.route(nodes(agent)?, nodes(peer.agent)?)?;
        let holds = |link: &&_| machine.node(machine.ends(**link).1).store_and_forward;
        let starts = 1 + route.iter().filter(holds).count() as u64;
        let params = machine.params();
        Some(Way {
            latency: params.dma.overhead + machine.latency(&route),
            serial: Ps(machine.bottleneck(&route).time(bytes).0.saturating_mul(starts)),
            slot: params.ipcq.tier(program.comm.kind).time(bytes),
        })
    }
}

/// Cuts the time a message took. What it would not have taken alone is the fault of others, where
/// the log names a link that delayed it.
fn cut(way: Way, (time, held): (Ps, bool), add: &mut dyn FnMut(Resource, Ps)) {
    let rest = if held { Resource::LinkContention } else { Resource::LinkLatency };
    let parts = [
        (Resource::SlotWrite, way.slot),
        (Resource::LinkBandwidth, way.serial),
        (Resource::LinkLatency, way.latency),
        (rest, Ps::MAX),
    ];
    let mut left = time;
    for (resource, part) in parts {
        let part = part.min(left);
        add(resource, part);
        left = left.since(part);
    }
}
