//! `kbc probe`: measures how a machine moves bytes.

mod memory;
mod traffic;

use std::path::PathBuf;

use clap::Args;

use super::console::{Console, Failure, read_text};
use crate::diag::Sink;
use crate::driver::{ProbeError, ProbeOptions, probe};
use crate::source::SourceMap;
use crate::topology::{self, Machine, Spec};

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// The machine; the default one is built in.
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// A case, or a group of them: `pe-local`, `dma`, `contention`, …; all of them without it.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", conflicts_with = "traffic")]
    case: Vec<String>,
    /// Bytes that each PE moves: `16384`, `32K`, `1M`.
    #[arg(long, value_name = "SIZE", default_value = "32K", value_parser = parse_size,
          conflicts_with = "traffic")]
    bytes: u64,
    /// Let PEs write instead of reading.
    #[arg(long, conflicts_with = "traffic")]
    write: bool,
    /// Synthetic traffic.
    #[command(flatten)]
    traffic: traffic::TrafficArgs,
    /// Traffic at a memory.
    #[command(flatten)]
    memory: memory::MemoryArgs,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the probe and prints what it finds out.
pub(super) fn run(console: Console, args: &ProbeArgs) -> Result<(), Failure> {
    let machine = machine(console, args)?;
    if args.traffic.is_asked() {
        return traffic::run(console, &machine, &args.traffic, args.json);
    }
    if args.memory.is_asked() {
        return memory::run(console, &machine, &args.memory, args.json);
    }
    let options = ProbeOptions { cases: args.case.clone(), bytes: args.bytes, writes: args.write };
    let report = match probe(&machine, &options) {
        Ok(report) => report,
        Err(ProbeError::Usage(error)) => return Err(error.into()),
        Err(ProbeError::Stopped(diagnostic)) => {
            console.report(&[*diagnostic], &SourceMap::new());
            return Err(Failure::Program);
        }
    };
    let text = if args.json { format!("{}\n", report.json()) } else { report.text() };
    Ok(console.output(&text, None)?)
}

/// The machine that is probed. What is wrong with it is reported.
fn machine(console: Console, args: &ProbeArgs) -> Result<Machine, Failure> {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let spec = match &args.topology {
        None => Ok(Spec::implied()),
        Some(path) => {
            let (name, text) = read_text(path)?;
            let file = sources.add(name, text);
            topology::load(&sources, file, &mut sink)
        }
    };
    let machine = spec.and_then(|spec| spec.build(&mut sink));
    console.report(&sink.into_sorted(), &sources);
    machine.map_err(|_| Failure::Program)
}

/// Bytes, with `K` or `M` for 2^10 or 2^20 of them.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1 << 10),
        None => text.strip_suffix(['M', 'm']).map_or((text, 1), |digits| (digits, 1 << 20)),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    let fits = bytes.filter(|bytes| (1..=MOST_BYTES).contains(bytes));
    fits.ok_or_else(|| String::from("expected bytes from 1 to 64M, such as 16384 or 32K"))
}

/// More bytes than this tell nothing more of a machine.
const MOST_BYTES: u64 = 64 << 20;
