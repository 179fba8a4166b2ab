//! `kbc explain`: the long page of a diagnostic code.

use super::args::ExplainArgs;
use super::console::{Console, Failure, WorldError};
use crate::diag;

/// Prints a code's page, or every code with its name.
pub(super) fn run(console: Console, args: &ExplainArgs) -> Result<(), Failure> {
    let Some(id) = &args.code else { return Ok(console.output(&list(), None)?) };
    match diag::code(id) {
        Some(code) => Ok(console.output(code.page, None)?),
        None => {
            let known: Vec<&str> = diag::all_codes().map(|code| code.id).collect();
            let wanted = id.to_ascii_uppercase();
            let hint = diag::nearest_help("code", &wanted, known.iter().copied())
                .unwrap_or_else(|| String::from("`kbc explain` alone lists every code"));
            Err(WorldError(format!("there is no code `{id}`; {hint}")).into())
        }
    }
}

fn list() -> String {
    let mut text = String::new();
    for code in diag::all_codes() {
        text.push_str(&format!("{}  {}\n", code.id, code.name.replace('-', " ")));
    }
    text
}
