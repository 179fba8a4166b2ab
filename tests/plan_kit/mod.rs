//! What the tests of execution plans share: the plans that MSCCL++ made, and a run of one.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "each test binary uses its own part of this, and tests read files"
)]

pub mod all_reduce;
pub mod published;

use std::fs;
use std::path::{Path, PathBuf};

use kbc::diag::Diagnostic;
use kbc::driver::{
    LaunchOptions, PlanSettings, Session, SimError, SimOptions, SimRequest, Stage, StreamChoice,
};
use kbc::dtype::DType;
use kbc::import::Semantics;

/// What became of a run.
pub struct Ran {
    /// The verdict on the data; `refused` where there was none.
    pub verdict: &'static str,
    /// The simulated time in picoseconds.
    pub time: u64,
    /// What kbc had to say.
    pub diagnostics: Vec<Diagnostic>,
}

impl Ran {
    /// Whether this code was said.
    pub fn says(&self, code: &str) -> bool {
        self.diagnostics.iter().any(|it| it.code.id == code)
    }

    /// Every message, with its notes.
    pub fn text(&self) -> String {
        let line =
            |it: &Diagnostic| format!("{} {}\n{}\n", it.code.id, it.message, it.notes.join("\n"));
        self.diagnostics.iter().map(line).collect()
    }
}

/// Settings of a run: bytes, type, launches and semantics.
pub fn settings(bytes: u64, dtype: DType, launches: u32, semantics: Semantics) -> PlanSettings {
    PlanSettings { bytes: Some(bytes), dtype, launches, semantics }
}

/// Runs a plan: checks, times, replays and compares it.
pub fn run(text: &str, plan: PlanSettings, topology: Option<&str>) -> Ran {
    let topology = topology.map(|text| (String::from("machine.yaml"), text.to_owned()));
    run_file(("plan.json", text), LaunchOptions { plan, topology, ..LaunchOptions::default() })
}

/// Runs a plan or a kernel of channels.
pub fn run_file((name, text): (&str, &str), launch: LaunchOptions) -> Ran {
    let sim = SimOptions { threads: Some(1), ..SimOptions::default() };
    let mut session = Session::new();
    let (mut verdict, mut time) = ("refused", 0);
    if let Ok(unit) = session.load(name, text.as_bytes()) {
        let request = SimRequest { unit: &unit, launch: &launch, sim: &sim };
        match session.simulate(request, &mut |_| {}) {
            Ok(report) => {
                verdict = report.data.verdict();
                time = report.launches.iter().map(|it| it.outcome.time.0).sum();
            }
            Err(SimError::Program(_)) => {}
            Err(SimError::Usage(error)) => panic!("the test's options are wrong: {error:?}"),
        }
    }
    Ran { verdict, time, diagnostics: session.take_diagnostics() }
}

/// What a stage makes of a plan or a kernel of channels.
pub fn emit((name, text): (&str, &str), launch: &LaunchOptions, stage: Stage) -> String {
    let mut session = Session::new();
    let unit = session.load(name, text.as_bytes()).expect("the file can be read");
    let pes = StreamChoice((0..launch.world.unwrap_or(1)).collect());
    let made = session.emit(&unit, launch, (&[stage], &pes));
    let said = session.take_diagnostics();
    made.unwrap_or_else(|_| {
        panic!("{name}: {}", Ran { verdict: "", time: 0, diagnostics: said }.text())
    })
}

/// Only checks a plan.
pub fn check(text: &str, plan: PlanSettings) -> Ran {
    check_file(("plan.json", text), &LaunchOptions { plan, ..LaunchOptions::default() })
}

/// Only checks a plan or a kernel of channels.
pub fn check_file((name, text): (&str, &str), launch: &LaunchOptions) -> Ran {
    let mut session = Session::new();
    let checked = session.load(name, text.as_bytes());
    let checked = checked.and_then(|unit| session.check(&unit, launch));
    let verdict = if checked.is_ok() { "checked" } else { "refused" };
    Ran { verdict, time: 0, diagnostics: session.take_diagnostics() }
}

/// A plan of the shared folder and what is expected of it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The file's name.
    pub file: String,
    /// Its text.
    pub text: String,
    /// `PASS`, `DEADLOCK`, or something else: it runs.
    pub verdict: String,
    /// What is said beside.
    pub note: String,
    /// Its collective.
    pub collective: String,
}

/// The folder of plans that MSCCL++ made, if it is there.
pub fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("KBC_SHARED").map(PathBuf::from)?;
    Some(root.join("mscclpp-plans")).filter(|it| it.is_dir())
}

/// Every plan of the shared folder with its verdict.
pub fn expected(folder: &Path) -> Vec<Expected> {
    let table = fs::read_to_string(folder.join("expected.csv")).expect("the folder has its table");
    let row = |line: &str| {
        let mut cells = line.splitn(10, ',');
        let mut cell = || cells.next().unwrap_or("").to_owned();
        let (file, collective) = (cell(), cell());
        let verdict = {
            (0..6).for_each(|_| drop(cell()));
            cell()
        };
        let note = cell();
        let text =
            fs::read_to_string(folder.join(&file)).expect("every plan of the table is there");
        Expected { file, text, verdict, note, collective }
    };
    table.lines().skip(1).map(row).collect()
}
