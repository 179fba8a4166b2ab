//! `kbc check`: what is wrong with files.

use super::args::{CheckArgs, Language};
use super::console::{Console, Failure};
use super::{launch, watch};
use crate::sema::Dialect;

/// Checks every file, once or whenever one changes.
pub(super) fn run(console: Console, args: &CheckArgs) -> Result<(), Failure> {
    if args.watch { watch::run(console, args) } else { once(console, args) }
}

/// Checks every file, whatever is wrong with the others.
pub(super) fn once(console: Console, args: &CheckArgs) -> Result<(), Failure> {
    let options = launch::options(&args.launch, 0)?;
    let mut worst = Ok(());
    for path in &args.files {
        let mut session = launch::session(&args.launch.lints)?;
        session.hold_to(match args.dialect {
            Language::Kbc => Dialect::Kbc,
            Language::Triton => Dialect::Triton,
        });
        let mut options = options.clone();
        let unit = launch::program(&mut session, (path, &args.launch), &mut options)?;
        let result = unit.and_then(|unit| session.check(&unit, &options));
        let finished = launch::finish(console, &mut session, result);
        worst = worst.and(finished);
    }
    worst
}
