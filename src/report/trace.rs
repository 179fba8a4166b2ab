//! A run as a trace in Chrome's JSON format, which Perfetto and `chrome://tracing` open: a process
//! for each PE with a track for each engine (more where it does several things at a time), arrows
//! from messages under way to the receives that waited for them, and how much was busy as counters
//! over time. It is written while the log is read, so a trace of any length takes little memory.
//!
//! The format: "Trace Event Format", <https://perfetto.dev/docs/getting-started/other-formats>.
//! Times are microseconds with six decimals, so picoseconds are exact.

use std::io::{self, Write};

use super::sites::{Sites, Work};
use super::usage::pe_name;
use super::{Run, cause_name, engine_name};
use crate::arena::Id;
use crate::oplog::{Action, Engine, Record};
use crate::source::{SourceMap, Span};
use crate::topology::PeId;
use crate::units::Ps;

/// The process that launches are shown in; PE n is process n + 1.
const HOST: u32 = 0;

/// Into how many stretches counters divide a launch.
const STRETCHES: u64 = 1000;

/// Letters of source text that a slice is named by, at most.
const NAME_LENGTH: usize = 60;

/// A trace that is being written: one launch after the other on one time axis.
///
/// After the first failure nothing more is written; [`Trace::finish`] tells of it.
pub struct Trace {
    out: Box<dyn Write + Send>,
    state: io::Result<()>,
    /// Whether an event stands before the next.
    begun: bool,
    /// When the next launch begins.
    origin: Ps,
    /// The number of the first arrow of a launch: no two launches share one. A launch has fewer
    /// messages than records.
    first_arrow: u64,
    /// By PE, then by engine: when each of its tracks is free again. No tracks yet: no name either.
    tracks: Vec<[Vec<Ps>; Engine::ALL.len()]>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a trace of {} ps", self.origin.0)
    }
}

impl Trace {
    /// An empty trace, written to `out` in small pieces: give it a buffer.
    pub fn new(out: Box<dyn Write + Send>) -> Trace {
        let mut trace = Trace {
            out,
            state: Ok(()),
            begun: false,
            origin: Ps::ZERO,
            first_arrow: 0,
            tracks: Vec::new(),
        };
        trace.text("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
        trace.event(&format!("{},\"args\":{{\"name\":\"host\"}}", meta("process_name", HOST, 0)));
        trace
    }

    /// Adds a launch, behind those before it.
    pub fn launch(&mut self, label: &str, run: &Run<'_>) {
        self.name_pes(run);
        let name = json(label);
        let (start, length) = (micros(self.origin), micros(run.time));
        self.event(&format!(
            "\"ph\":\"X\",\"pid\":{HOST},\"tid\":0,\"name\":{name},\"ts\":{start},\"dur\":{length}"
        ));
        let places = Places::new(run);
        let mut counters = Counters::new(run.time);
        run.log.for_each_batch(&mut |batch| {
            for record in batch {
                counters.add(record);
                self.record(run, &places, record);
            }
        });
        self.counters(&counters);
        self.first_arrow += run.log.len() as u64;
        self.origin += run.time;
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// Some of it could not be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.text("\n]}\n");
        self.state?;
        self.out.flush()
    }

    fn text(&mut self, text: &str) {
        if self.state.is_ok() {
            self.state = self.out.write_all(text.as_bytes());
        }
    }

    /// Adds an event of these fields.
    fn event(&mut self, fields: &str) {
        let before = if self.begun { ",\n{" } else { "\n{" };
        self.begun = true;
        self.text(before);
        self.text(fields);
        self.text("}");
    }

    /// Names the processes of PEs that have no name yet.
    fn name_pes(&mut self, run: &Run<'_>) {
        for agent in run.program.agents.values() {
            let index = agent.pe.index();
            if self.tracks.len() <= index {
                self.tracks.resize_with(index + 1, Default::default);
            }
            if self.tracks[index].iter().all(Vec::is_empty) {
                let (pid, name) = (process(agent.pe), json(&pe_name(run, agent.pe)));
                let process = meta("process_name", pid, 0);
                self.event(&format!("{process},\"args\":{{\"name\":{name}}}"));
                let always = Engine::ALL.iter().filter(|engine| !engine.is_of_composites());
                always.for_each(|engine| self.add_track(agent.pe, *engine));
            }
        }
    }

    /// Adds a track to an engine: slices of one track do not overlap.
    fn add_track(&mut self, pe: PeId, engine: Engine) {
        let tracks = &mut self.tracks[pe.index()][engine as usize];
        let lane = tracks.len();
        tracks.push(Ps::ZERO);
        let mut name = engine_name(engine).to_owned();
        if lane > 0 {
            name = format!("{name} ({})", lane + 1);
        }
        let meta = meta("thread_name", process(pe), track(engine, lane));
        self.event(&format!("{meta},\"args\":{{\"name\":{}}}", json(&name)));
    }

    /// A track of an engine that is free from `start` on, taken until `end`.
    fn take_track(&mut self, (pe, engine): (PeId, Engine), start: Ps, end: Ps) -> u32 {
        let tracks = &self.tracks[pe.index()][engine as usize];
        let lane = tracks.iter().position(|free| *free <= start).unwrap_or(tracks.len());
        if lane == tracks.len() {
            self.add_track(pe, engine);
        }
        self.tracks[pe.index()][engine as usize][lane] = end;
        track(engine, lane)
    }

    fn record(&mut self, run: &Run<'_>, places: &Places, record: &Record) {
        let Some(agent) = run.program.agents.get(record.agent) else { return };
        let (start, end) = (self.origin + record.start, self.origin + record.end);
        let track = self.take_track((agent.pe, record.engine), start, end);
        let slice =
            format!("\"pid\":{},\"tid\":{track},\"ts\":{}", process(agent.pe), micros(start));
        let length = micros(end.since(start));
        self.event(&format!(
            "\"ph\":\"X\",{slice},\"dur\":{length},{},\"seq\":{},\"released_by\":\"{}\"{}}}",
            places.of(record),
            record.seq,
            cause_name(record.cause),
            held_up_at(run, record),
        ));
        if record.action == Action::Delivery
            && let Some(transfer) = record.transfer
            && let Work::Send(queue, _) = places.sites.of(record).work
            && let Some(peer) = run.program.comm.peer(record.agent, queue)
            && let Some(to) = run.program.agents.get(peer.agent)
        {
            let id = self.first_arrow + u64::from(transfer.0);
            let arrow = format!("\"cat\":\"message\",\"name\":\"message\",\"id\":{id}");
            self.event(&format!("\"ph\":\"s\",{arrow},{slice}"));
            // The receive, if it waits: it begins just then.
            let (pid, tid, at) = (process(to.pe), self::track(Engine::Cpu, 0), micros(end));
            let target = format!("\"pid\":{pid},\"tid\":{tid},\"ts\":{at}");
            self.event(&format!("\"ph\":\"f\",\"bp\":\"e\",{arrow},{target}"));
        }
    }

    /// How many of each engine were busy, and how many transfers under way, in the mean of each
    /// stretch; where that changes.
    fn counters(&mut self, counters: &Counters) {
        for engine in Engine::ALL.iter().filter(|engine| counters.did(**engine)) {
            let name = json(&format!("busy: {}", engine_name(*engine)));
            let mut before = String::new();
            for (index, busy) in (0..).zip(&counters.busy) {
                let length = counters.length(index).0.max(1) as f64;
                let mean = format!("{:.3}", busy[*engine as usize] as f64 / length);
                if mean != before {
                    let start = self.at(counters.start(index));
                    self.event(&format!(
                        "\"ph\":\"C\",\"pid\":{HOST},\"name\":{name},\"ts\":{start},\
                         \"args\":{{\"mean\":{mean}}}"
                    ));
                    before = mean;
                }
            }
        }
    }

    /// A time of this launch, as text.
    fn at(&self, time: Ps) -> String {
        micros(self.origin + time)
    }
}

/// Microseconds, exactly.
fn micros(time: Ps) -> String {
    format!("{}.{:06}", time.0 / 1_000_000, time.0 % 1_000_000)
}

/// The process of a PE.
fn process(pe: PeId) -> u32 {
    pe.0.saturating_add(1)
}

/// A track of an engine.
fn track(engine: Engine, lane: usize) -> u32 {
    lane as u32 * Engine::ALL.len() as u32 + engine as u32 + 1
}

/// The link that delayed a record most, as a field.
fn held_up_at(run: &Run<'_>, record: &Record) -> String {
    let link = record.link.filter(|link| (link.0 as usize) < run.machine.link_count());
    link.map_or_else(String::new, |link| {
        let (from, to) = run.machine.ends(link);
        let (from, to) = (&run.machine.node(from).name, &run.machine.node(to).name);
        format!(",\"held_up_at\":{}", json(&format!("{from} -> {to}")))
    })
}

/// The start of an event that names something.
fn meta(what: &str, pid: u32, tid: u32) -> String {
    format!("\"ph\":\"M\",\"name\":\"{what}\",\"pid\":{pid},\"tid\":{tid}")
}

/// Text as JSON writes it.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The fields that all records of one place have in common, worked out once.
struct Places {
    sites: Sites,
    /// By code, then by site: `"name":…,"args":{"line":…,"bytes":…`, left open.
    fields: Vec<Vec<String>>,
}

impl Places {
    fn new(run: &Run<'_>) -> Places {
        let sites = Sites::new(run);
        let fields = sites.describe(|site| {
            let (line, _) = super::sites::describe(run.sources, site.line);
            let name = named(run.sources, site.span);
            let size = size(run, site.work);
            format!("\"name\":{},\"args\":{{\"line\":{}{size}", json(&name), json(&line))
        });
        Places { sites, fields }
    }

    fn of(&self, record: &Record) -> &str {
        let fields = self.sites.find(&self.fields, record);
        fields.map_or("\"name\":\"?\",\"args\":{\"line\":\"?\"", String::as_str)
    }
}

/// What a slice is called: the source text of its command, on one line.
fn named(sources: &SourceMap, span: Span) -> String {
    let text = sources.get(span.file).and_then(|file| {
        file.text().get(span.start as usize..span.end as usize).filter(|text| !text.is_empty())
    });
    let words: Vec<&str> = text.unwrap_or("<kbc>").split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(NAME_LENGTH) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// How much a command does, as fields.
fn size(run: &Run<'_>, work: Work) -> String {
    match work {
        Work::Read(bytes) | Work::Write(bytes) => format!(",\"bytes\":{bytes}"),
        Work::Math(elements) => format!(",\"elements\":{elements}"),
        Work::Gemm(macs) => format!(",\"macs\":{macs}"),
        Work::Composite { macs, elements } => {
            format!(",\"macs\":{macs},\"elements\":{elements}")
        }
        Work::Send(queue, bytes) => {
            let direction = json(run.program.comm.direction(queue));
            format!(",\"direction\":{direction},\"bytes\":{bytes}")
        }
        Work::Receive | Work::Other => String::new(),
    }
}

/// The time for which engines were busy in each stretch of a launch, on all PEs together.
struct Counters {
    time: Ps,
    busy: Vec<[u64; Engine::ALL.len()]>,
}

impl Counters {
    fn new(time: Ps) -> Counters {
        let stretches = STRETCHES.min(time.0.max(1));
        Counters { time, busy: vec![[0; Engine::ALL.len()]; stretches as usize] }
    }

    /// When stretch `index` begins. All but rounding are of one length.
    fn start(&self, index: u64) -> Ps {
        let product = u128::from(self.time.0) * u128::from(index);
        Ps((product / self.busy.len() as u128) as u64)
    }

    fn length(&self, index: u64) -> Ps {
        self.start(index + 1).since(self.start(index))
    }

    /// The stretch that a time lies in.
    fn stretch(&self, time: Ps) -> u64 {
        let last = self.busy.len() as u64 - 1;
        let product = u128::from(time.0) * self.busy.len() as u128;
        let near = (product / u128::from(self.time.0.max(1))).min(u128::from(last)) as u64;
        // Rounding down of `start` may leave `time` one further on.
        if near < last && self.start(near + 1) <= time { near + 1 } else { near }
    }

    fn add(&mut self, record: &Record) {
        let end = record.end.min(self.time);
        let mut from = record.start;
        for index in self.stretch(from)..=self.stretch(end) {
            let until = end.min(self.start(index + 1));
            self.busy[index as usize][record.engine as usize] += until.since(from).0;
            from = from.max(until);
        }
    }

    fn did(&self, engine: Engine) -> bool {
        self.busy.iter().any(|busy| busy[engine as usize] > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Id;
    use crate::command::{AgentId, SiteId};
    use crate::oplog::Cause;

    fn record(start: u64, end: u64, engine: Engine) -> Record {
        Record {
            start: Ps(start),
            end: Ps(end),
            handoff: Ps(start),
            agent: AgentId::from_index(0),
            seq: 0,
            site: SiteId::from_index(0),
            predecessor: None,
            transfer: None,
            link: None,
            action: Action::Command,
            engine,
            cause: Cause::Dispatch,
        }
    }

    #[test]
    fn counters_lose_no_picosecond() {
        for time in [1, 7, 999, 1000, 1001, 12_345, 1_000_003] {
            let mut counters = Counters::new(Ps(time));
            let (first, second) = (time / 3, time * 2 / 3);
            counters.add(&record(0, time, Engine::Math));
            counters.add(&record(first, second, Engine::Math));
            counters.add(&record(second, second, Engine::Gemm));
            let sum: u64 = counters.busy.iter().map(|busy| busy[Engine::Math as usize]).sum();
            assert_eq!(sum, time + second - first, "of {time} ps");
            let whole: u64 = (0..counters.busy.len()).map(|at| counters.length(at as u64).0).sum();
            assert_eq!(time, whole);
            assert!(!counters.did(Engine::Gemm));
        }
    }

    #[test]
    fn picoseconds_are_exact() {
        assert_eq!(micros(Ps(1)), "0.000001");
        assert_eq!(micros(Ps(16_611_000)), "16.611000");
    }
}
