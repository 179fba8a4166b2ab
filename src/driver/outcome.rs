//! What a simulation found out, for people and for programs.

use std::collections::BTreeSet;

use super::given::Saved;
use super::machine::Target;
use crate::command::Program;
use crate::commcheck::Verdict;
use crate::report::Report;
use crate::sim::{HostPath, Outcome};
use crate::units::{Ps, grouped};

/// The most launches that people are told all about; of more they get a table.
const EXPLAINED_LAUNCHES: usize = 3;

/// What became of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// It is what it must be.
    Verified {
        /// What was compared with what.
        what: String,
    },
    /// It is not what it must be, which has been reported.
    Mismatch,
    /// It was left out.
    Skipped,
    /// It was computed, and nothing says what it must be.
    Unchecked {
        /// What would say it.
        missing: &'static str,
    },
}

impl Data {
    /// The verdict in a word.
    pub const fn verdict(&self) -> &'static str {
        match self {
            Data::Verified { .. } => "verified",
            Data::Mismatch => "mismatch",
            Data::Skipped => "skipped",
            Data::Unchecked { .. } => "unchecked",
        }
    }
}

/// What one launch did.
#[derive(Clone, Debug)]
pub struct LaunchResult {
    /// What the host calls it.
    pub label: String,
    /// What the communication check covered; `None` where it was skipped.
    pub verdict: Option<Verdict>,
    /// Where the time went; `None` where no log was kept.
    pub report: Option<Report>,
    /// Time and counts.
    pub outcome: Outcome,
    /// The PEs that ran any of its programs.
    pub pes: u32,
    /// What the host takes around it; `None` where no host reaches the PEs.
    pub host: Option<HostPath>,
    /// What its kernel printed, a line each.
    pub printed: Vec<String>,
}

/// What a simulation found out.
#[derive(Clone, Debug)]
pub struct SimReport {
    machine: String,
    world: u32,
    /// Every launch, in order.
    pub launches: Vec<LaunchResult>,
    /// What became of the data.
    pub data: Data,
    /// What the host program printed.
    pub printed: String,
    /// The tensors that were asked for.
    pub saved: Vec<Saved>,
    /// The communicator file that says which algorithms and queues collectives run with.
    pub communicators: Option<String>,
}

/// What the process cost, which only `cli` can measure.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds.
    pub wall_s: f64,
    /// The most memory, in bytes.
    pub peak_rss_bytes: u64,
}

impl SimReport {
    pub(super) fn new(
        target: &Target,
        launches: Vec<LaunchResult>,
        data: Data,
        printed: String,
    ) -> SimReport {
        let (machine, world) = (target.spec.name().to_owned(), target.world);
        let (saved, communicators) = (Vec::new(), None);
        SimReport { machine, world, launches, data, printed, saved, communicators }
    }

    /// Text for people: that of [`SimReport::text`] while there are few launches, a line for each
    /// of many.
    pub fn brief(&self) -> String {
        if self.launches.len() <= EXPLAINED_LAUNCHES {
            return self.text();
        }
        let mut text = self.printed.clone();
        for launch in &self.launches {
            text.push_str(&printed_text(&launch.printed));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.table());
        text.push_str(&format!("\ndata           {}\n", self.data_text()));
        text
    }

    /// A line for each launch.
    fn table(&self) -> String {
        let total: Ps = self.launches.iter().map(|launch| launch.outcome.time).sum();
        let mut text = format!(
            "{} launches on {} of {}: {total} (--report FILE explains each)\n\n",
            grouped(self.launches.len() as u64),
            pes(self.world, self.world),
            self.machine,
        );
        let lines: Vec<[String; 5]> = self.launches.iter().map(launch_line).collect();
        let heading = ["launch", "PEs", "time", "messages", "bound by"].map(String::from);
        // Who ran a launch is said where that is not always everybody.
        let is_partial = self.launches.iter().any(|launch| launch.pes != self.world);
        let width = |column: usize| {
            let cells = lines.iter().chain([&heading]).map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3].map(width);
        for [label, pes, time, messages, bound] in [&heading].into_iter().chain(&lines) {
            let [first, second, third, fourth] = widths;
            let pes = if is_partial { format!("  {pes:>second$}") } else { String::new() };
            let line =
                format!("  {label:first$}{pes}  {time:>third$}  {messages:>fourth$}  {bound}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Text for people, all of it.
    pub fn text(&self) -> String {
        let mut text = self.printed.clone();
        for launch in &self.launches {
            text.push_str(&self.launch_text(launch));
            text.push('\n');
        }
        text.push_str(&format!("data           {}\n", self.data_text()));
        text
    }

    fn launch_text(&self, launch: &LaunchResult) -> String {
        let outcome = &launch.outcome;
        let check = launch.verdict.map_or_else(|| String::from("skipped"), |it| it.to_string());
        let host = launch
            .host
            .map_or_else(String::new, |host| format!("host           {}\n", host_text(host)));
        let mut text = printed_text(&launch.printed);
        text.push_str(&format!(
            "{} on {} of {}\n\ntime           {}\n{host}messages       {}\ncommunication  {check}\n",
            launch.label,
            pes(launch.pes, self.world),
            self.machine,
            outcome.time,
            grouped(outcome.messages),
        ));
        if let Some(report) = &launch.report {
            text.push_str(&report.text());
        }
        text
    }

    fn data_text(&self) -> String {
        match &self.data {
            Data::Verified { what } => format!("verified: {what}"),
            Data::Mismatch => String::from("MISMATCH: see the errors"),
            Data::Skipped => String::from("skipped: no data was made or moved"),
            Data::Unchecked { missing } => {
                format!("unchecked: nothing says what it must be ({missing})")
            }
        }
    }

    /// What the host takes around all launches, in picoseconds; `None` where there is none.
    fn host_time(&self) -> Option<u64> {
        let paths = self.launches.iter().map(|launch| launch.host);
        paths.map(|host| host.map(|host| host.total().0)).sum()
    }

    /// One JSON object for programs. Counts and times are sums over the launches.
    pub fn json(&self, cost: Cost) -> serde_json::Value {
        let sum = |of: fn(&Outcome) -> u64| -> u64 {
            self.launches.iter().map(|launch| of(&launch.outcome)).sum()
        };
        let slowest = self.launches.iter().max_by_key(|launch| launch.outcome.time);
        let report = slowest.and_then(|launch| launch.report.as_ref());
        let bound_by = report.map_or("not explained", |report| report.bound_by());
        let launches: Vec<serde_json::Value> = self.launches.iter().map(launch_json).collect();
        serde_json::json!({
            "machine": self.machine,
            "pes": self.world,
            "time_ps": sum(|outcome| outcome.time.0),
            "host_time_ps": self.host_time(),
            "messages": sum(|outcome| outcome.messages),
            "events": sum(|outcome| outcome.events),
            "bound_by": bound_by,
            "wall_s": cost.wall_s,
            "peak_rss_bytes": cost.peak_rss_bytes,
            "data": { "verdict": self.data.verdict() },
            "communicators": self.communicators,
            "printed": self.printed,
            "launches": launches,
        })
    }
}

/// A launch in the table of many: its label, PEs, time, messages, and what bounds it.
fn launch_line(launch: &LaunchResult) -> [String; 5] {
    let bound = launch.report.as_ref().map_or_else(String::new, |report| report.bound_by().into());
    let Outcome { time, messages, .. } = &launch.outcome;
    let pes = grouped(u64::from(launch.pes));
    [launch.label.clone(), pes, time.to_string(), grouped(*messages), bound]
}

fn launch_json(launch: &LaunchResult) -> serde_json::Value {
    serde_json::json!({
        "label": launch.label,
        "pes": launch.pes,
        "time_ps": launch.outcome.time.0,
        "host_time_ps": launch.host.map(|host| host.total().0),
        "host_ps": launch.host.map(host_json),
        "communication": launch.verdict.map(|verdict| verdict.to_string()),
        "printed": launch.printed,
        "report": launch.report.as_ref().map(Report::json),
    })
}

fn host_json(host: HostPath) -> serde_json::Value {
    serde_json::json!({
        "mapping": host.mapping.0,
        "queues": host.queues.0,
        "launch": host.launch.0,
        "completion": host.completion.0,
    })
}

/// `8.100 us around it: mapping 6.000 us, …`, what takes nothing left out.
fn host_text(host: HostPath) -> String {
    let parts = [
        ("mapping", host.mapping),
        ("queues", host.queues),
        ("launch", host.launch),
        ("completion", host.completion),
    ];
    let taking = parts.iter().filter(|(_, time)| *time > Ps::ZERO);
    let parts: Vec<String> = taking.map(|(name, time)| format!("{name} {time}")).collect();
    format!("{} around it: {}", host.total(), parts.join(", "))
}

/// The lines that people read of what a kernel printed.
const PRINTED_LINES: usize = 100;

fn printed_text(lines: &[String]) -> String {
    let mut text: String =
        lines.iter().take(PRINTED_LINES).map(|line| format!("{line}\n")).collect();
    if let Some(more) = lines.len().checked_sub(PRINTED_LINES).filter(|more| *more > 0) {
        text.push_str(&format!("… and {} more lines; --json has them all\n", grouped(more as u64)));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// `256 PEs`; `8 of 256 PEs` where not all of the world ran.
fn pes(ran: u32, world: u32) -> String {
    let plural = if world == 1 { "" } else { "s" };
    let world_text = grouped(u64::from(world));
    match ran == world {
        true => format!("{world_text} PE{plural}"),
        false => format!("{} of {world_text} PE{plural}", grouped(u64::from(ran))),
    }
}

/// The PEs that run any program of a launch.
pub(super) fn running_pes(program: &Program) -> u32 {
    let running = program.agents.values().filter(|agent| agent.count > 0);
    let pes: BTreeSet<u32> = running.map(|agent| agent.pe.0).collect();
    pes.len() as u32
}
