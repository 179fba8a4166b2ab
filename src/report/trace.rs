//! A run as a trace in Chrome's JSON format, which Perfetto and `chrome://tracing` open: a process
//! for each PE with a track for each engine (more where it does several things at a time), one whose
//! tracks are the links, arrows from messages under way to the receives that waited for them, and how
//! much was busy and how many messages waited as counters over time. It is written while the log is read, so a trace of any length takes little memory.
//!
//! The format: "Trace Event Format", <https://perfetto.dev/docs/getting-started/other-formats>.
//! Times are microseconds with six decimals, so picoseconds are exact.

use std::io::{self, Write};

use super::sites::{Sites, Work};
use super::usage::pe_name;
use super::{Run, engine_name};
use crate::arena::Id;
use crate::command::{AgentId, SiteId};
use crate::oplog::{Action, Engine, LinkSpan, Record};
use crate::source::{SourceMap, Span};
use crate::topology::{LinkId, PeId};
use crate::units::Ps;

/// The process that launches are shown in; PE n is process n + 1.
const HOST: u32 = 0;

/// The process whose tracks are links: track n + 1 is link n.
const LINKS: u32 = 1_000_000_000;

/// Links whose queues are drawn as counters of their own: those that were waited for longest.
const QUEUES: usize = 8;

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
    /// By link: whether its track has a name.
    links: Vec<bool>,
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
            links: Vec::new(),
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
        let mut counters = vec![Gauge::new(run.time); Engine::ALL.len()];
        run.log.for_each_batch(&mut |batch| {
            for record in batch {
                counters[record.engine as usize].add(record.start, record.end);
                self.record(run, &places, record);
            }
        });
        self.counters(&counters);
        self.spans(run, &places);
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
            record.cause.name(),
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

    /// What links did, and how many were busy and waited for.
    fn spans(&mut self, run: &Run<'_>, places: &Places) {
        let mut queued: Vec<_> = run.links.iter().filter(|it| it.queued > Ps::ZERO).collect();
        queued.sort_by_key(|it| (std::cmp::Reverse(it.queued), it.link));
        queued.truncate(QUEUES);
        let mut busy = Gauge::new(run.time);
        let mut waiting = Gauge::new(run.time);
        let mut queues = vec![Gauge::new(run.time); queued.len()];
        run.log.for_each_span(&mut |batch| {
            for span in batch {
                self.span(run, places, span);
                busy.add(span.start, span.end);
                waiting.add(span.since, span.start);
                if let Some(at) = queued.iter().position(|it| it.link == span.link) {
                    queues[at].add(span.since, span.start);
                }
            }
        });
        self.gauge(LINKS, "links in use", &busy);
        self.gauge(LINKS, "messages that wait for a link", &waiting);
        for (queue, link) in queues.iter().zip(queued) {
            self.gauge(LINKS, &format!("waiting: {}", link_name(run, link.link)), queue);
        }
    }

    /// A stretch of a link's time.
    fn span(&mut self, run: &Run<'_>, places: &Places, span: &LinkSpan) {
        let Some(name) = places.at((span.agent, span.site)) else { return };
        self.name_link(run, span.link);
        let (start, track) = (self.origin + span.start, span.link.0.saturating_add(1));
        let place = format!("\"pid\":{LINKS},\"tid\":{track},\"ts\":{}", micros(start));
        let (length, waited) = (span.end.since(span.start), span.start.since(span.since));
        self.event(&format!(
            "\"ph\":\"X\",{place},\"dur\":{},{name},\"agent\":{},\"seq\":{},\"carried\":{},\
             \"waited_ns\":{}}}",
            micros(length),
            span.agent.0,
            span.seq,
            span.bytes,
            nanos(waited),
        ));
    }

    /// Names the track of a link that has none yet.
    fn name_link(&mut self, run: &Run<'_>, link: LinkId) {
        let index = link.0 as usize;
        if self.links.is_empty() {
            let process = meta("process_name", LINKS, 0);
            self.event(&format!("{process},\"args\":{{\"name\":\"links\"}}"));
        }
        if self.links.len() <= index {
            self.links.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.links[index], true) {
            let meta = meta("thread_name", LINKS, link.0.saturating_add(1));
            let name = json(&link_name(run, link));
            self.event(&format!("{meta},\"args\":{{\"name\":{name}}}"));
        }
    }

    /// A counter: the mean of each stretch, where that changes.
    fn gauge(&mut self, process: u32, name: &str, gauge: &Gauge) {
        if gauge.sums.iter().all(|sum| *sum == 0) {
            return;
        }
        let name = json(name);
        let mut before = String::new();
        for (index, sum) in (0..).zip(&gauge.sums) {
            let length = gauge.stretches.length(index).0.max(1) as f64;
            let mean = format!("{:.3}", *sum as f64 / length);
            if mean != before {
                let start = self.at(gauge.stretches.start(index));
                self.event(&format!(
                    "\"ph\":\"C\",\"pid\":{process},\"name\":{name},\"ts\":{start},\
                     \"args\":{{\"mean\":{mean}}}"
                ));
                before = mean;
            }
        }
    }

    /// How many of each engine were busy, and how many transfers under way.
    fn counters(&mut self, counters: &[Gauge]) {
        for (engine, gauge) in Engine::ALL.iter().zip(counters) {
            self.gauge(HOST, &format!("busy: {}", engine_name(*engine)), gauge);
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

/// Nanoseconds, exactly.
fn nanos(time: Ps) -> String {
    format!("{}.{:03}", time.0 / 1000, time.0 % 1000)
}

/// A link by its ends.
fn link_name(run: &Run<'_>, link: LinkId) -> String {
    let (from, to) = run.machine.ends(link);
    format!("{} -> {}", run.machine.node(from).name, run.machine.node(to).name)
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
    link.map_or_else(String::new, |link| format!(",\"held_up_at\":{}", json(&link_name(run, link))))
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
        self.at((record.agent, record.site)).unwrap_or("\"name\":\"?\",\"args\":{\"line\":\"?\"")
    }

    fn at(&self, place: (AgentId, SiteId)) -> Option<&str> {
        self.sites.find_at(&self.fields, place).map(String::as_str)
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

/// A launch in stretches, all of one length but for rounding.
#[derive(Clone, Copy)]
struct Stretches {
    time: Ps,
    count: u64,
}

impl Stretches {
    fn new(time: Ps) -> Stretches {
        Stretches { time, count: STRETCHES.min(time.0.max(1)) }
    }

    /// When stretch `index` begins.
    fn start(self, index: u64) -> Ps {
        let product = u128::from(self.time.0) * u128::from(index);
        Ps((product / u128::from(self.count)) as u64)
    }

    fn length(self, index: u64) -> Ps {
        self.start(index + 1).since(self.start(index))
    }

    /// The stretch that a time lies in.
    fn find(self, time: Ps) -> u64 {
        let last = self.count - 1;
        let product = u128::from(time.0) * u128::from(self.count);
        let near = (product / u128::from(self.time.0.max(1))).min(u128::from(last)) as u64;
        // Rounding down of `start` may leave `time` one further on.
        if near < last && self.start(near + 1) <= time { near + 1 } else { near }
    }
}

/// How many of something there were in each stretch of a launch, times how long.
#[derive(Clone)]
struct Gauge {
    stretches: Stretches,
    sums: Vec<u64>,
}

impl Gauge {
    fn new(time: Ps) -> Gauge {
        let stretches = Stretches::new(time);
        Gauge { stretches, sums: vec![0; stretches.count as usize] }
    }

    /// One more, from `start` to `end`.
    fn add(&mut self, start: Ps, end: Ps) {
        let end = end.min(self.stretches.time);
        let mut from = start;
        for index in self.stretches.find(from)..=self.stretches.find(end) {
            let until = end.min(self.stretches.start(index + 1));
            self.sums[index as usize] += until.since(from).0;
            from = from.max(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_lose_no_picosecond() {
        for time in [1, 7, 999, 1000, 1001, 12_345, 1_000_003] {
            let mut gauge = Gauge::new(Ps(time));
            let (first, second) = (time / 3, time * 2 / 3);
            gauge.add(Ps::ZERO, Ps(time));
            gauge.add(Ps(first), Ps(second));
            gauge.add(Ps(second), Ps(second));
            assert_eq!(gauge.sums.iter().sum::<u64>(), time + second - first, "of {time} ps");
            let stretches = gauge.stretches;
            let whole: u64 = (0..stretches.count).map(|at| stretches.length(at).0).sum();
            assert_eq!(time, whole);
        }
    }

    #[test]
    fn picoseconds_are_exact() {
        assert_eq!(micros(Ps(1)), "0.000001");
        assert_eq!(micros(Ps(16_611_000)), "16.611000");
    }
}
