//! `fuzz`: fuzzes kbc until something fails or the time is up.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool that prints what it found and writes the input down"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kbc_fuzz::runner::{self, Failure, Limits, Summary};
use kbc_fuzz::target::Target;

/// Fuzzes kbc: damaged sources, text IR and machines, and random kernels on the machine.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
struct Args {
    /// What to fuzz: source, kir, topology, differential; each in turn where it is not given.
    #[arg(long, value_parser = target)]
    target: Option<Target>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Inputs for each target; as many as there is time for where it is not given.
    #[arg(long)]
    executions: Option<u64>,
    /// What decides the inputs.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Seconds after which an input counts as one that does not end.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// The folder that an input that fails is written to.
    #[arg(long, default_value = ".")]
    save: PathBuf,
    /// Runs this input alone; its ending or --target says what it is.
    #[arg(long)]
    input: Option<PathBuf>,
}

fn target(name: &str) -> Result<Target, String> {
    let names = Target::ALL.map(Target::name).join(", ");
    Target::from_name(name).ok_or(format!("the targets are {names}"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    let good = match &args.input {
        Some(path) => run_input(&args, path),
        None => {
            let targets = args.target.map_or(Target::ALL.to_vec(), |target| vec![target]);
            // Each is tried, even if one before it fails.
            targets.into_iter().filter(|target| !fuzz(&args, *target)).count() == 0
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_input(args: &Args, path: &Path) -> bool {
    let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let by_ending = Target::ALL.into_iter().find(|it| it.ending() == ending);
    let Some(target) = args.target.or(by_ending) else {
        println!("say with --target what {} is", path.display());
        return false;
    };
    let input = match std::fs::read(path) {
        Ok(input) => input,
        Err(error) => {
            println!("{}: {error}", path.display());
            return false;
        }
    };
    let failure = runner::run(target, &input, Duration::from_secs(args.patience));
    println!("{}", failure.as_ref().map_or("good", |it| &it.what));
    failure.is_none()
}

fn fuzz(args: &Args, target: Target) -> bool {
    let limits = Limits {
        executions: args.executions.unwrap_or(u64::MAX),
        time: Duration::from_secs(args.seconds),
        patience: Duration::from_secs(args.patience),
    };
    let last = args.save.join(format!("{}-last.{}", target.name(), target.ending()));
    let summary = runner::fuzz(target, args.seed, limits, Some(last.clone()));
    println!("{}", line(target, &summary));
    // It is only of use to who has lost the process.
    drop(std::fs::remove_file(last));
    if let Some(failure) = &summary.failure {
        report(args, target, failure);
    }
    summary.failure.is_none()
}

fn line(target: Target, summary: &Summary) -> String {
    let seconds = summary.time.as_secs_f64();
    let reached: Vec<String> = summary.reached.iter().map(u64::to_string).collect();
    format!(
        "{}: {} executions in {seconds:.1} s, {:.0} a second; {} kinds of result; reached {}",
        target.name(),
        summary.executions,
        summary.executions as f64 / seconds.max(1e-9),
        summary.drawn.len(),
        reached.join(" ").trim_end_matches(" 0")
    )
}

fn report(args: &Args, target: Target, failure: &Failure) {
    // The same input has the same name.
    let hash = failure.input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let name = format!("{}-{hash:016x}.{}", target.name(), target.ending());
    let path = args.save.join(name);
    println!("{}\n{}", failure.what, String::from_utf8_lossy(&failure.input));
    match std::fs::write(&path, &failure.input) {
        Ok(()) => println!("written to {}", path.display()),
        Err(error) => println!("{} cannot be written: {error}", path.display()),
    }
}
