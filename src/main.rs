//! The `kbc` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    kbc::cli::main()
}
