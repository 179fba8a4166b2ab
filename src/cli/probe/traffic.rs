//! `kbc probe --traffic`: latency against load.

use std::path::PathBuf;

use clap::Args;

use crate::cli::console::{Console, Failure, WorldError};
use crate::report::{LoadCurve, LoadMean};
use crate::sim::traffic::{NoTraffic, OpenLoop, Pattern, offer};
use crate::topology::Machine;

/// What synthetic traffic is like.
#[derive(Debug, Args)]
pub(super) struct TrafficArgs {
    /// Sends packets at random and measures latency against load: uniform, transpose, bitcomp,
    /// neighbor or hotspot.
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    traffic: Option<Pattern>,
    /// Loads to offer: flits of each PE and router cycle, above 0 and at most 1.
    #[arg(long, value_name = "LOAD,…", value_delimiter = ',', default_value = "0.1", requires = "traffic",
          value_parser = parse_load)]
    load: Vec<f64>,
    /// Flits of each packet.
    #[arg(long, value_name = "FLITS", default_value_t = 4, requires = "traffic",
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    packet: u32,
    /// Runs of each load, of which the mean is taken.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "traffic",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
    /// Writes the curve as a picture.
    #[arg(long, value_name = "FILE", requires = "traffic")]
    svg: Option<PathBuf>,
}

impl TrafficArgs {
    /// Whether traffic is asked for at all.
    pub(super) fn is_asked(&self) -> bool {
        self.traffic.is_some()
    }
}

/// Offers each load to `machine` and prints the curve.
pub(super) fn run(
    console: Console,
    machine: &Machine,
    args: &TrafficArgs,
    json: bool,
) -> Result<(), Failure> {
    let Some(pattern) = args.traffic else { return Ok(()) };
    let mut curve = LoadCurve::new(machine, pattern, (args.packet, args.seeds));
    for load in &args.load {
        let runs: Result<Vec<_>, NoTraffic> = (1..=u64::from(args.seeds))
            .map(|seed| offer(machine, &OpenLoop::new(pattern, args.packet, seed), *load))
            .collect();
        curve.loads.push(LoadMean::of(&runs.map_err(|it| refused(&it))?));
    }
    if let Some(path) = &args.svg {
        console.write(curve.svg().as_bytes(), path)?;
    }
    let text = if json { format!("{}\n", curve.json()) } else { curve.text() };
    Ok(console.output(&text, None)?)
}

fn refused(reason: &NoTraffic) -> Failure {
    let NoTraffic::NotSquare { w, h } = reason;
    Failure::World(WorldError(format!(
        "`--traffic transpose` swaps columns and rows, expected as many of both, and the PEs of \
         this machine form {w} columns and {h} rows"
    )))
}

fn parse_pattern(text: &str) -> Result<Pattern, String> {
    let found = Pattern::ALL.into_iter().find(|it| it.name() == text);
    found.ok_or_else(|| format!("expected {}", Pattern::ALL.map(|it| it.name()).join(", ")))
}

fn parse_load(text: &str) -> Result<f64, String> {
    let load = text.parse::<f64>().ok().filter(|load| *load > 0.0 && *load <= 1.0);
    load.ok_or_else(|| String::from("expected a number above 0 and at most 1, such as 0.1"))
}
