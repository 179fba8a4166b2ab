//! The command line: arguments, files, progress, exit codes. The only module that touches the
//! world.
//!
//! Exit codes: 0 good; 1 the program under test is wrong; 2 usage, or the world.

mod args;
mod check;
mod compile;
mod console;
mod explain;
mod launch;
mod probe;
mod progress;
mod sim;
mod spill;
mod topo;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use console::{Console, Failure};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no error; clap knows which.
            let code = if error.use_stderr() { 2 } else { 0 };
            return error.print().map_or(ExitCode::from(2), |()| ExitCode::from(code));
        }
    };
    let console = Console::new(cli.error_format, cli.color);
    let result = match &cli.verb {
        Verb::Check(args) => check::run(console, args),
        Verb::Compile(args) => compile::run(console, args),
        Verb::Sim(args) => sim::run(console, args),
        Verb::Probe(args) => probe::run(console, args),
        Verb::Topo(args) => topo::run(console, args),
        Verb::Explain(args) => explain::run(console, args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Program) => ExitCode::from(1),
        Err(Failure::World(error)) => {
            console.fail(&error);
            ExitCode::from(2)
        }
    }
}
