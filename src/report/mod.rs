//! What a run's log tells its reader: what bounded the time, on which source line, and how well
//! each part of the machine was used.
//!
//! A [`Report`] is made from plain data ([`Run`]) in one pass over the log and one walk back along
//! the critical path; nothing is kept for a record that is not on that path. It owns all it says,
//! so it outlives the program and the machine.

mod json;
mod load;
mod messages;
mod path;
mod resource;
mod sites;
mod text;
mod trace;
mod usage;

use crate::command::{AgentId, Program};
use crate::oplog::{Cause, Engine, Log, RecordId};
use crate::sim::Accounts;
use crate::source::{SourceMap, Span};
use crate::topology::{LinkId, Machine};
use crate::units::Ps;

pub use load::{LoadCurve, LoadMean};
pub use messages::{LinkCost, MessageRow, MessageTable};
pub use resource::Resource;
pub use trace::Trace;
pub use usage::{EngineUsage, Rate, Traffic, Waiting};

/// A finished run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What ran.
    pub program: &'a Program,
    /// On what.
    pub machine: &'a Machine,
    /// The whole log.
    pub log: &'a dyn Log,
    /// The text that the program's spans lie in.
    pub sources: &'a SourceMap,
    /// The makespan: the end of the last completed write or send, on the clock of the log.
    pub time: Ps,
    /// The links that carried anything.
    pub links: &'a [LinkUse],
    /// Bytes read from HBM, and bytes written to it. The program does not say: how much of a block
    /// is moved may differ from one time to the next.
    pub moved: [u64; 2],
    /// What messages paid on their way, if that was kept.
    pub accounts: Option<&'a Accounts>,
    /// How many links and messages the text shows of that.
    pub shown_messages: usize,
}

/// What went over one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkUse {
    /// The link.
    pub link: LinkId,
    /// Messages and transfers carried.
    pub messages: u64,
    /// Bytes carried.
    pub bytes: u64,
    /// The time for which bytes entered it.
    pub busy: Ps,
    /// The time for which messages were held up in front of it by others, added up.
    pub queued: Ps,
}

/// A stretch of the critical path: one record, from when it was let go to when it let the next go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The record; `None` for the time between the last record and the end of the run.
    pub record: Option<RecordId>,
    /// Where its command was written.
    pub span: Span,
    /// Whose command it is.
    pub agent: AgentId,
    /// What did it.
    pub engine: Engine,
    /// What let it go.
    pub cause: Cause,
    /// The link that delayed it most, if one did.
    pub link: Option<LinkId>,
    /// When it was let go.
    pub start: Ps,
    /// How long it is.
    pub length: Ps,
    /// The part of its length that passed before the record began.
    pub waited: Ps,
}

/// The segments of one source line, engine and cause, added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRow {
    /// `file:line`.
    pub location: String,
    /// The text of that line, trimmed.
    pub source: String,
    /// What did it.
    pub engine: Engine,
    /// What let it go.
    pub cause: Cause,
    /// The lengths of its segments.
    pub total: Ps,
    /// The part of them that passed before the records began.
    pub waited: Ps,
    /// How many segments there are.
    pub count: u64,
}

/// One resource's part of the critical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// What the time was spent on.
    pub resource: Resource,
    /// How much of the path that is.
    pub total: Ps,
    /// The line that most of it was spent on, as `file:line`.
    pub location: String,
    /// The part of `total` that was spent on that line.
    pub at_location: Ps,
    /// The text of that line, trimmed.
    pub source: String,
}

/// A link that carried something, with names.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRow {
    /// What went over it.
    pub usage: LinkUse,
    /// The node it leaves.
    pub from: String,
    /// The node it enters.
    pub to: String,
    /// Its bandwidth in GB/s; infinity where it has no limit.
    pub peak_gb_per_s: f64,
    /// What all messages paid on its wire.
    pub wire: Ps,
    /// What they paid in the node it enters.
    pub overhead: Ps,
}

/// What all messages and transfers paid on all links together. One that goes over several links is
/// serialised on each of them at once, so these are sums of links, not of latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCosts {
    /// Overheads of the nodes entered.
    pub overhead: Ps,
    /// Time on wires.
    pub wire: Ps,
    /// Time for which bytes entered links.
    pub serialisation: Ps,
    /// Time for which messages were held up by others.
    pub queueing: Ps,
}

/// What there is to say about a run.
#[derive(Clone, Debug)]
pub struct Report {
    kernel: String,
    machine: String,
    time: Ps,
    records: u64,
    segments: Vec<Segment>,
    rows: Vec<PathRow>,
    shares: Vec<Share>,
    engines: Vec<EngineUsage>,
    links: Vec<LinkRow>,
    traffic: Traffic,
    waiting: Waiting,
    messages: Option<MessageTable>,
    shown_messages: usize,
}

impl Report {
    /// Reads the log.
    pub fn new(run: &Run<'_>) -> Report {
        let sites = sites::Sites::new(run);
        let segments = path::walk(run, &sites);
        let (rows, shares) = path::merge(run, &sites, &segments);
        let usage = usage::Usage::of(run, &sites);
        Report {
            kernel: run.program.name.clone(),
            machine: run.machine.name().to_owned(),
            time: run.time,
            records: run.log.len() as u64,
            segments,
            rows,
            shares,
            engines: usage.engines(run),
            links: links(run),
            traffic: usage.traffic,
            waiting: usage.waiting,
            messages: run.accounts.map(|accounts| messages(run, &sites, accounts)),
            shown_messages: run.shown_messages,
        }
    }

    /// What most of the critical path was spent on, in words: `link bandwidth`, `dispatch`,
    /// `recv slot credit`, … (see [`Resource::name`]).
    pub fn bound_by(&self) -> &str {
        self.shares.first().map_or("nothing", |share| share.resource.name())
    }

    /// The critical path, first to last. The lengths add up to the makespan exactly.
    pub fn critical_path(&self) -> &[Segment] {
        &self.segments
    }

    /// The critical path by source line, engine and cause, longest first.
    pub fn path_rows(&self) -> &[PathRow] {
        &self.rows
    }

    /// The critical path by resource, longest first. The totals add up to the makespan exactly.
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// How each kind of engine that did anything was used.
    pub fn engines(&self) -> &[EngineUsage] {
        &self.engines
    }

    /// The links, those that messages queued for longest first.
    pub fn links(&self) -> &[LinkRow] {
        &self.links
    }

    /// What messages paid on all links together.
    pub fn network(&self) -> NetworkCosts {
        let sum = |cost: fn(&LinkRow) -> Ps| self.links.iter().map(cost).sum();
        NetworkCosts {
            overhead: sum(|row| row.overhead),
            wire: sum(|row| row.wire),
            serialisation: sum(|row| row.usage.busy),
            queueing: sum(|row| row.usage.queued),
        }
    }

    /// What was moved.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// What messages paid on their way, if that was kept.
    pub fn messages(&self) -> Option<&MessageTable> {
        self.messages.as_ref()
    }

    /// What commands waited for.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// The report as text of at most 40 lines, and what messages paid, if that is shown.
    pub fn text(&self) -> String {
        let mut text = text::render(self);
        if let Some(messages) = self.messages.as_ref().filter(|_| self.shown_messages > 0) {
            text.push_str(&messages.text(self.shown_messages));
        }
        text
    }

    /// The report as JSON: integers in picoseconds and bytes.
    pub fn json(&self) -> serde_json::Value {
        json::render(self)
    }
}

/// What messages paid, each with its PE and its line.
fn messages(run: &Run<'_>, sites: &sites::Sites, accounts: &Accounts) -> MessageTable {
    MessageTable::new(run.machine, accounts, &|message| {
        let pe = run.program.agents.get(message.agent).map(|agent| usage::pe_name(run, agent.pe));
        let line = sites.line_of(message.agent, message.site);
        format!("{} at {}", pe.unwrap_or_default(), sites::describe(run.sources, line).0)
    })
}

/// The links by how long messages queued for them, then by how busy they were.
fn links(run: &Run<'_>) -> Vec<LinkRow> {
    let known = run.links.iter().filter(|it| (it.link.0 as usize) < run.machine.link_count());
    let mut rows: Vec<LinkRow> = known
        .map(|usage| {
            let (from, to) = run.machine.ends(usage.link);
            let times = |each: Ps| Ps(each.0.saturating_mul(usage.messages));
            LinkRow {
                wire: times(run.machine.link(usage.link).wire),
                overhead: times(run.machine.node(to).overhead),
                usage: *usage,
                from: run.machine.node(from).name.clone(),
                to: run.machine.node(to).name.clone(),
                peak_gb_per_s: run.machine.link(usage.link).bandwidth.gb_per_s(),
            }
        })
        .collect();
    rows.sort_by_key(|row| {
        let usage = &row.usage;
        (std::cmp::Reverse((usage.queued, usage.busy, usage.bytes)), usage.link)
    });
    rows
}

/// The name of an engine, as reports print it.
const fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Cpu => "PE_CPU",
        Engine::DmaRead => "DMA read",
        Engine::DmaWrite => "DMA write",
        Engine::DmaComm => "DMA send",
        Engine::Gemm => "GEMM",
        Engine::Math => "MATH",
        Engine::Network => "network",
        Engine::Scheduler => "scheduler",
        Engine::Fetch => "fetch",
        Engine::Store => "store",
    }
}
