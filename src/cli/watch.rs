//! `kbc check --watch`: checks again whenever a file changes.
//!
//! Files are asked for their time of change a few times a second, which works on every file system
//! and needs no library; what was changed while a check ran is checked next.

use std::path::PathBuf;
use std::time::Duration;

use super::args::CheckArgs;
use super::check;
use super::console::{Changed, Console, Failure, WorldError, changed};

/// How long to wait between looks at the files.
const INTERVAL: Duration = Duration::from_millis(100);

/// Checks for ever; ends only where the command line is wrong.
pub(super) fn run(console: Console, args: &CheckArgs) -> Result<(), Failure> {
    let files = watched(args)?;
    loop {
        let before = times(&files);
        match check::once(console, args) {
            Ok(()) => console.round("no errors; waiting for a change", true),
            Err(Failure::Program) => console.round("errors; waiting for a change", false),
            // A file that is being saved may be away for a moment.
            Err(Failure::World(error)) => {
                console.fail(&error);
                console.round("waiting for a change", false);
            }
        }
        while times(&files) == before {
            std::thread::sleep(INTERVAL);
        }
    }
}

/// The files that a check reads, but for those of arguments.
fn watched(args: &CheckArgs) -> Result<Vec<PathBuf>, Failure> {
    let files: Vec<PathBuf> = args.files.iter().chain(&args.launch.topology).cloned().collect();
    if files.iter().any(|file| file.as_os_str() == "-") {
        let why = "--watch watches files, and standard input is none";
        return Err(Failure::World(WorldError(why.into())));
    }
    Ok(files)
}

fn times(files: &[PathBuf]) -> Vec<Option<Changed>> {
    files.iter().map(|file| changed(file)).collect()
}
