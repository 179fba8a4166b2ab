//! What the end-to-end tests share: kbc as a library, from a file's text to what it says of it.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use kbc::diag::{ColorChoice, Diagnostic, to_text};
use kbc::driver::{LaunchOptions, Session, SimError, SimOptions, SimRequest, Unit, parse_ipcq};
use kbc::source::Span;

/// What a run found out.
pub struct Found {
    /// The verdict on the data; `refused` where the run gave none.
    pub verdict: &'static str,
    /// Launches that were simulated to their end.
    pub launches: usize,
    /// What kbc had to say.
    pub diagnostics: Vec<Diagnostic>,
    /// The session, which has the files' texts.
    pub session: Session,
}

impl Found {
    /// The codes of the errors, in the order of the text.
    pub fn codes(&self) -> Vec<&'static str> {
        self.diagnostics.iter().filter(|it| it.is_error()).map(|it| it.code.id).collect()
    }

    /// The diagnostics as a terminal would show them.
    pub fn text(&self) -> String {
        let shown = |it| to_text(it, self.session.sources(), ColorChoice::Plain);
        self.diagnostics.iter().map(shown).collect()
    }

    /// The whole source line in which `span` begins, without its indentation.
    pub fn line(&self, span: Span) -> String {
        let Some(file) = self.session.sources().get(span.file) else { return String::new() };
        let (line, _) = file.line_column(span.start);
        file.text().lines().nth(line as usize - 1).unwrap_or("").trim().to_owned()
    }
}

/// Options of a launch: ranks, `--ipcq`, and `--set` as `name=value` words.
pub fn launch(world: u32, ipcq: &str, settings: &str) -> LaunchOptions {
    let setting = |word: &str| {
        let (name, value) = word.split_once('=').expect("a setting is NAME=VALUE");
        (name.to_owned(), value.to_owned())
    };
    LaunchOptions {
        world: Some(world),
        settings: settings.split_whitespace().map(setting).collect(),
        ipcq: parse_ipcq(ipcq).expect("the test's queues are described rightly"),
        ..LaunchOptions::default()
    }
}

/// Simulates the text of a file with data, on one thread.
pub fn simulate(text: &str, launch: &LaunchOptions, definition: Option<&str>) -> Found {
    let definition = definition.map(str::to_owned);
    let sim = SimOptions { definition, threads: Some(1), ..SimOptions::default() };
    with_session(text, |session, unit| {
        let request = SimRequest { unit, launch, sim: &sim };
        match session.simulate(request, &mut |_| {}) {
            Ok(report) => (report.data.verdict(), report.launches.len()),
            Err(SimError::Program(_)) => ("refused", 0),
            Err(SimError::Usage(error)) => panic!("the test's options are wrong: {error:?}"),
        }
    })
}

/// The same, with a communicator file that names no other.
pub fn simulate_with(text: &str, communicators: &str, mut launch: LaunchOptions) -> Found {
    let sim = SimOptions { threads: Some(1), ..SimOptions::default() };
    with_session(text, |session, unit| {
        let mut read = |_: &str| Err(String::from("no other file is there"));
        if session.communicate(("ccl.yaml", communicators), &mut read, &mut launch).is_err() {
            return ("refused", 0);
        }
        let request = SimRequest { unit, launch: &launch, sim: &sim };
        match session.simulate(request, &mut |_| {}) {
            Ok(report) => (report.data.verdict(), report.launches.len()),
            Err(_) => ("refused", 0),
        }
    })
}

/// Checks the text of a file, the launch and its communication included.
pub fn check(text: &str, launch: &LaunchOptions) -> Found {
    with_session(text, |session, unit| match session.check(unit, launch) {
        Ok(()) => ("checked", 0),
        Err(_) => ("refused", 0),
    })
}

fn with_session(
    text: &str,
    act: impl FnOnce(&mut Session, &Unit) -> (&'static str, usize),
) -> Found {
    let mut session = Session::new();
    let loaded = session.load("case.kb", text.as_bytes());
    let (verdict, launches) = loaded.map_or(("refused", 0), |unit| act(&mut session, &unit));
    Found { verdict, launches, diagnostics: session.take_diagnostics(), session }
}

/// What every launch of a file takes, in picoseconds, by its label, without data; or what kbc says.
pub fn times(text: &str, launch: &LaunchOptions) -> Result<Vec<(String, u64)>, String> {
    let sim = SimOptions { no_data: true, no_explain: true, ..SimOptions::default() };
    let mut times = Vec::new();
    let found = with_session(text, |session, unit| {
        let request = SimRequest { unit, launch, sim: &sim };
        let Ok(report) = session.simulate(request, &mut |_| {}) else { return ("refused", 0) };
        let of = |it: &kbc::driver::LaunchResult| (it.label.clone(), it.outcome.time.0);
        times.extend(report.launches.iter().map(of));
        ("timed", times.len())
    });
    if found.verdict == "timed" { Ok(times) } else { Err(found.text()) }
}
