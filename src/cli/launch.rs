//! What launches have in common, from the command line's words to the driver's options.

use std::path::Path;

use super::args::{Deny, LaunchArgs, LintArgs, Map, PlanArgs, PlanSemantics, Ranks};
use super::console::{Console, Failure, WorldError, read_bytes, read_named, read_text};
use crate::diag::Reported;
use crate::driver::{
    Argument, LaunchOptions, Lints, PlanSettings, Session, Unit, UsageError, parse_bytes,
    parse_grid, parse_ipcq,
};
use crate::dtype::DType;
use crate::host::RankUnit;
use crate::import::Semantics;
use crate::launch::Deal;

impl From<UsageError> for Failure {
    fn from(UsageError(message): UsageError) -> Failure {
        Failure::World(WorldError(message))
    }
}

/// Reads what the arguments name. `seed` is that of random tensors that name none.
pub(super) fn options(args: &LaunchArgs, seed: u64) -> Result<LaunchOptions, Failure> {
    let topology = args.topology.as_deref().map(read_text).transpose()?;
    let ipcq = parse_ipcq(args.ipcq.as_deref().unwrap_or(""))?;
    // Two random tensors are not the same one.
    let seeds = (0..).map(|place| seed.wrapping_add(place));
    let arguments =
        args.arg.iter().zip(seeds).map(|(text, seed)| Argument::parse(text, seed, &mut file));
    Ok(LaunchOptions {
        arguments: arguments.collect::<Result<_, _>>()?,
        grid: args.grid.as_deref().map(parse_grid).transpose()?,
        deal: match args.map {
            Map::Block => Deal::Block,
            Map::Cyclic => Deal::Cyclic,
        },
        topology,
        world: args.ws,
        ranks: args.ranks.map(|it| match it {
            Ranks::Pe => RankUnit::Pe,
            Ranks::Cube => RankUnit::Cube,
            Ranks::Sip => RankUnit::Sip,
        }),
        settings: args.set.clone(),
        entry: args.entry.clone(),
        ipcq,
        skip_check: args.no_check,
        plan: plan(&args.plan)?,
    })
}

fn plan(args: &PlanArgs) -> Result<PlanSettings, Failure> {
    let name = &args.dtype;
    let known = DType::from_name(name).filter(|it| *it != DType::I1);
    let unknown = || UsageError(format!("--dtype: there is no type `{name}` of elements"));
    Ok(PlanSettings {
        bytes: args.size.as_deref().map(parse_bytes).transpose()?,
        dtype: known.ok_or_else(unknown)?,
        launches: args.launches,
        semantics: match args.semantics {
            PlanSemantics::Intent => Semantics::Intent,
            PlanSemantics::Device => Semantics::Device,
        },
    })
}

/// A session that says the warnings that the arguments want.
pub(super) fn session(args: &LintArgs) -> Result<Session, Failure> {
    let mut lints = Lints::default();
    for id in &args.allow {
        lints.allow(id)?;
    }
    if args.deny == Some(Deny::Warnings) {
        lints.deny();
    }
    Ok(Session::with_lints(lints))
}

/// The bytes of a file that an argument names.
pub(super) fn file(name: &str) -> Result<Vec<u8>, UsageError> {
    read_bytes(Path::new(name)).map(|(_, bytes)| bytes).map_err(|WorldError(why)| UsageError(why))
}

/// Reads a file into the session. What is wrong with its text stays in the session.
pub(super) fn load(session: &mut Session, path: &Path) -> Result<Result<Unit, Reported>, Failure> {
    let (name, bytes) = read_bytes(path)?;
    Ok(session.load(&name, &bytes))
}

/// The file of algorithms and queues that is beside a program.
const COMMUNICATORS: &str = "ccl.yaml";

/// Reads a program, and before it the communicator file that is for it.
pub(super) fn program(
    session: &mut Session,
    (path, args): (&Path, &LaunchArgs),
    options: &mut LaunchOptions,
) -> Result<Result<Unit, Reported>, Failure> {
    let beside = path.with_file_name(COMMUNICATORS);
    let is_beside = path != Path::new("-") && beside.is_file();
    let file = args.ccl.clone().or(is_beside.then_some(beside));
    if let Some(file) = file {
        let (name, text) = read_text(&file)?;
        let mut read = |relative: &str| read_named(&file.with_file_name("").join(relative));
        if let Err(reported) = session.communicate((&name, &text), &mut read, options) {
            return Ok(Err(reported));
        }
        if args.ccl.is_none() {
            session
                .note(format!("collectives and queues as {name} says (--ccl names another file)"));
        }
    }
    load(session, path)
}

/// Prints what the session has to say, and makes an exit of a failure.
pub(super) fn finish<T>(
    console: Console,
    session: &mut Session,
    result: Result<T, Reported>,
) -> Result<T, Failure> {
    let diagnostics = session.take_diagnostics();
    console.report(&diagnostics, session.sources());
    session.take_notes().iter().for_each(|note| console.note(&format!("note: {note}")));
    let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.is_error());
    match result {
        Ok(value) if !has_errors => Ok(value),
        Ok(_) | Err(_) => Err(Failure::Program),
    }
}
