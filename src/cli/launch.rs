//! What launches have in common, from the command line's words to the driver's options.

use std::path::Path;

use super::args::LaunchArgs;
use super::console::{Console, Failure, WorldError, read_bytes, read_text};
use crate::diag::Reported;
use crate::driver::{LaunchOptions, Session, Unit, UsageError, parse_ipcq};

impl From<UsageError> for Failure {
    fn from(UsageError(message): UsageError) -> Failure {
        Failure::World(WorldError(message))
    }
}

/// Reads what the arguments name.
pub(super) fn options(args: &LaunchArgs) -> Result<LaunchOptions, Failure> {
    let topology = args.topology.as_deref().map(read_text).transpose()?;
    let ipcq = parse_ipcq(args.ipcq.as_deref().unwrap_or(""))?;
    Ok(LaunchOptions {
        topology,
        world: args.ws,
        settings: args.set.clone(),
        entry: args.entry.clone(),
        ipcq,
        skip_check: args.no_check,
    })
}

/// Reads a file into the session. What is wrong with its text stays in the session.
pub(super) fn load(session: &mut Session, path: &Path) -> Result<Result<Unit, Reported>, Failure> {
    let (name, bytes) = read_bytes(path)?;
    Ok(session.load(&name, &bytes))
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
