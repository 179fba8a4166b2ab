//! `kbc compile`: what a stage makes of a file.

use super::args::{CompileArgs, Emit};
use super::console::{Console, Failure};
use super::launch;
use crate::driver::{Stage, StreamChoice};

/// Compiles as far as the last stage that is asked for, and prints the stages.
pub(super) fn run(console: Console, args: &CompileArgs) -> Result<(), Failure> {
    let mut options = launch::options(&args.launch, 0)?;
    let mut session = launch::session(&args.launch.lints)?;
    let unit = launch::program(&mut session, (&args.file, &args.launch), &mut options)?;
    let mut stages: Vec<Stage> = args.emit.iter().copied().map(stage).collect();
    if stages.is_empty() {
        stages.push(Stage::Summary);
    }
    let pes = StreamChoice(args.pe.clone());
    let result = unit.and_then(|unit| session.emit(&unit, &options, (&stages, &pes)));
    let text = launch::finish(console, &mut session, result)?;
    Ok(console.output(&text, args.output.as_deref())?)
}

const fn stage(emit: Emit) -> Stage {
    match emit {
        Emit::Tokens => Stage::Tokens,
        Emit::Ast => Stage::Ast,
        Emit::Ir => Stage::Ir,
        Emit::IrOpt => Stage::IrOpt,
        Emit::Program => Stage::Program,
        Emit::Stream => Stage::Stream,
        Emit::MscclppJson => Stage::Plan,
    }
}
