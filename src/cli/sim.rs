//! `kbc sim`: compile, simulate, replay, verify.

use std::path::Path;

use super::args::SimArgs;
use super::console::{Console, Failure, Stopwatch, cannot_write, peak_rss_bytes};
use super::launch;
use super::progress::{Mark, Progress};
use crate::diag::Reported;
use crate::driver::{
    Cost, Expectation, Session, SimError, SimOptions, SimReport, SimRequest, TensorValue,
    UsageError, parse_device,
};
use crate::report::Trace;

/// Runs the file and prints what it found out.
pub(super) fn run(console: Console, args: &SimArgs) -> Result<(), Failure> {
    let started = Stopwatch::start();
    let mut options = launch::options(&args.launch, args.seed)?;
    let sim = SimOptions {
        definition: args.check.clone(),
        no_data: args.no_data || args.no_explain,
        no_explain: args.no_explain,
        seed: args.seed,
        threads: args.threads,
        spill: Some(super::spill::open),
        save: args.save.iter().map(|(name, _)| name.clone()).collect(),
        expect: args.expect.iter().map(|text| expectation(text)).collect::<Result<_, _>>()?,
        rtol: args.rtol,
        atol: args.atol,
        messages: args.messages,
        device: args.device.as_deref().map(parse_device).transpose()?,
    };
    let mut session = launch::session(&args.launch.lints)?;
    if let Some(path) = &args.trace {
        session.draw(Trace::new(console.create(path)?));
    }
    let unit = launch::program(&mut session, (&args.file, &args.launch), &mut options)?;
    let mut progress = Progress::new(console.shows_progress());
    let result: Result<SimReport, SimError> = match &unit {
        Err(reported) => Err(SimError::Program(*reported)),
        Ok(unit) => {
            let request = SimRequest { unit, launch: &options, sim: &sim };
            session.simulate(request, &mut |mark| progress.update(mark_of(mark)))
        }
    };
    progress.finish();
    if let (Some(trace), Some(path)) = (session.take_trace(), &args.trace) {
        trace.finish().map_err(|error| cannot_write(path, &error))?;
    }
    let report = match result {
        Ok(report) => Ok(report),
        Err(SimError::Program(reported)) => Err(reported),
        Err(SimError::Usage(error)) => return Err(error.into()),
    };
    show(console, &mut session, (args, report), started)
}

/// Reads `NAME=@FILE[:TYPE]`.
fn expectation(text: &str) -> Result<Expectation, UsageError> {
    let usage = || UsageError(format!("--expect {text}: expected NAME=@FILE.npy[:TYPE]"));
    let (name, file) = text.split_once("=@").ok_or_else(usage)?;
    let value = TensorValue::from_file(file.trim(), &mut launch::file)
        .map_err(|UsageError(why)| UsageError(format!("--expect {name}: {why}")))?;
    Ok(Expectation { name: name.trim().into(), value })
}

fn mark_of(mark: crate::sim::Progress) -> Mark {
    Mark { now: mark.now, events: mark.events, finished: mark.finished }
}

fn show(
    console: Console,
    session: &mut Session,
    (args, report): (&SimArgs, Result<SimReport, Reported>),
    started: Stopwatch,
) -> Result<(), Failure> {
    let told = launch::finish(console, session, report.as_ref().map(|_| ()).map_err(|it| *it));
    // Wrong data is told with all that is known of the run.
    let Ok(report) = report else {
        if !args.json {
            console.output(&session.take_printed(), None)?;
        }
        return told;
    };
    if let Some(path) = &args.report {
        console.output(&report.text(), Some(path))?;
    }
    for (name, path) in &args.save {
        let saved = report.saved.iter().find(|saved| saved.name == *name);
        saved.map_or(Ok(()), |saved| console.write(&saved.file, Path::new(path)))?;
    }
    let cost = Cost { wall_s: started.seconds(), peak_rss_bytes: peak_rss_bytes() };
    let text = if args.json { format!("{}\n", report.json(cost)) } else { report.brief() };
    console.output(&text, None)?;
    told
}
