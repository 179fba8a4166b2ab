//! The command line's words.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::probe::ProbeArgs;

/// Compiles kernels for a mesh of processing elements, times them, and proves their results.
#[derive(Debug, Parser)]
#[command(name = "kbc", version, max_term_width = 100)]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) verb: Verb,
    /// How diagnostics are printed.
    #[arg(long, global = true, value_enum, default_value_t = ErrorFormat::Human)]
    pub(super) error_format: ErrorFormat,
    /// When output is coloured.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ErrorFormat {
    /// With the source, for people.
    Human,
    /// One line each: place, severity, code, message.
    Short,
    /// One JSON object each, for editors.
    Json,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Find what is wrong with kernels, host functions and their communication.
    Check(CheckArgs),
    /// Compile a kernel and print a stage of it.
    Compile(CompileArgs),
    /// Compile, simulate, replay on data and verify.
    Sim(SimArgs),
    /// Measure how a machine moves bytes.
    Probe(ProbeArgs),
    /// Look at a machine.
    Topo(TopoArgs),
    /// Explain a diagnostic code at length.
    Explain(ExplainArgs),
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Kernel files (`.kb`, `.py`), textual IR (`.kir`) or MSCCL++ execution plans (`.json`); `-` reads
    /// standard input.
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Check again whenever a file changes, until interrupted.
    #[arg(long)]
    pub(super) watch: bool,
    /// The language that files are held to.
    #[arg(long, value_enum, default_value_t = Language::Kbc)]
    pub(super) dialect: Language,
    /// The launch to check communication for.
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

/// A language that files are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// All that kbc compiles.
    Kbc,
    /// What Triton compiles, too.
    Triton,
}

/// Warnings that become errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Deny {
    /// All of them.
    Warnings,
}

/// Which warnings are said.
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// Turns a warning off, as `# kbc: allow(CODE)` does for a line.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) allow: Vec<String>,
    /// Takes warnings for errors.
    #[arg(long, value_enum)]
    pub(super) deny: Option<Deny>,
}

/// Arguments of `compile`.
#[derive(Debug, Args)]
pub(super) struct CompileArgs {
    /// A kernel file (`.kb`, `.py`), textual IR (`.kir`) or an MSCCL++ execution plan (`.json`); `-` reads
    /// standard input.
    pub(super) file: PathBuf,
    /// The launch.
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
    /// Stages to print; the default is a summary of the command streams.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(super) emit: Vec<Emit>,
    /// PEs whose streams `--emit stream` prints.
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    pub(super) pe: Vec<u32>,
    /// Where to write, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// A stage that can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Emit {
    /// Tokens, one a line.
    Tokens,
    /// The syntax tree.
    Ast,
    /// The typed IR, before the launch is known.
    Ir,
    /// The IR after each pass.
    IrOpt,
    /// The compact program that all PEs share.
    Program,
    /// The unrolled commands of the PEs of `--pe`.
    Stream,
    /// The execution plan of MSCCL++ of a kernel that uses channels.
    MscclppJson,
}

/// Arguments of `sim`.
#[derive(Debug, Args)]
pub(super) struct SimArgs {
    /// A kernel file (`.kb`, `.py`), textual IR (`.kir`) or an MSCCL++ execution plan (`.json`); `-` reads
    /// standard input.
    pub(super) file: PathBuf,
    /// The launch.
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
    /// The current device of a host program until it says otherwise: where policies place tensors.
    #[arg(long, value_name = "sip:N|cube:N|all")]
    pub(super) device: Option<String>,
    /// What the result must equal, for a file without `run`: `all_reduce:sum`, `broadcast`, ….
    #[arg(long, value_name = "DEFINITION")]
    pub(super) check: Option<String>,
    /// Writes a trace of every launch that ui.perfetto.dev and chrome://tracing open.
    #[arg(long, value_name = "FILE", conflicts_with = "no_explain")]
    pub(super) trace: Option<PathBuf>,
    /// Show what the N links and messages that lost most paid: overhead, wire, serialisation, queueing.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "no_explain")]
    pub(super) messages: usize,
    /// Writes what a tensor of --arg holds in the end: `out=out.npy`.
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_setting)]
    pub(super) save: Vec<(String, String)>,
    /// What a tensor of --arg must hold in the end: `out=@expected.npy`, with `:TYPE` as in --arg.
    #[arg(long, value_name = "NAME=@FILE")]
    pub(super) expect: Vec<String>,
    /// How far --expect may be off, relative to what is expected; without it and --atol, as
    /// torch.testing.assert_close.
    #[arg(long, value_name = "X")]
    pub(super) rtol: Option<f64>,
    /// How far --expect may be off beside.
    #[arg(long, value_name = "X")]
    pub(super) atol: Option<f64>,
    /// Time only: no data is made, moved or checked.
    #[arg(long)]
    pub(super) no_data: bool,
    /// Keep no log, so that nothing can be explained: for speed. Implies --no-data.
    #[arg(long)]
    pub(super) no_explain: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Write the full report here, as text.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Seed of the data that kbc makes.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Threads that replay data; the result does not depend on it.
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
}

/// What launches have in common.
#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    /// The machine; the default one is built in and grows with --ws.
    #[arg(long, value_name = "FILE")]
    pub(super) topology: Option<PathBuf>,
    /// Ranks that take part: the first N PEs. All of the machine's by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) ws: Option<u32>,
    /// What a rank is to `torch.distributed` in host programs that do not say. --ws counts PEs all the same.
    #[arg(long, value_enum, value_name = "UNIT")]
    pub(super) ranks: Option<Ranks>,
    /// Sets a parameter of `kernel_args` or `run`; with --arg, one known at compile time
    /// (`tl.constexpr`) of the kernel.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub(super) set: Vec<(String, String)>,
    /// Gives a parameter of the kernel its value: `x=@x.npy`, `x=@x.npy:bf16`,
    /// `x=zeros:64x32:f16` (ones, full, empty, rand, randn, randint, arange), `n=1000`, `n=1000:i64`,
    /// `bias=none`; where no data is needed, only a type: `x=*f16`, `n=i32`.
    #[arg(long, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub(super) arg: Vec<String>,
    /// Programs on up to three axes, dealt to PEs.
    #[arg(long, value_name = "X,Y,Z")]
    pub(super) grid: Option<String>,
    /// How the programs of --grid are dealt.
    #[arg(long, value_enum, default_value_t = Map::Block)]
    pub(super) map: Map,
    /// The kernel (or, for `sim`, the host function) to run.
    #[arg(long, value_name = "NAME")]
    pub(super) entry: Option<String>,
    /// Queues between PEs: `kind=tcm|sram|hbm,slots=4,slot_size=auto`.
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub(super) ipcq: Option<String>,
    /// Algorithms and queues of collectives; without it `ccl.yaml` beside the program, if there is one.
    #[arg(long, value_name = "FILE")]
    pub(super) ccl: Option<PathBuf>,
    /// Skip the communication check, to see a deadlock happen in the simulator.
    #[arg(long)]
    pub(super) no_check: bool,
    /// Execution plans.
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    /// The warnings.
    #[command(flatten)]
    pub(super) lints: LintArgs,
}

/// What a rank is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Ranks {
    /// Each PE is one: the default.
    Pe,
    /// Each cube is one.
    Cube,
    /// Each SIP is one, as in kernbench.
    Sip,
}

/// What execution plans (`.json`) are run with.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Bytes of the message of an execution plan: 4096, 64K, 1M.
    #[arg(long, value_name = "BYTES")]
    pub(super) size: Option<String>,
    /// The type of its elements.
    #[arg(long, value_name = "TYPE", default_value = "f16")]
    pub(super) dtype: String,
    /// How often every rank runs it.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) launches: u32,
    /// What its ops mean where documentation and device differ.
    #[arg(long, value_enum, default_value_t = PlanSemantics::Intent)]
    pub(super) semantics: PlanSemantics,
}

/// What ops of execution plans mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanSemantics {
    /// What MSCCL++ documents.
    Intent,
    /// What its GPU kernel does.
    Device,
}

/// How the programs of a grid are dealt to PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Map {
    /// Neighbouring programs to one PE.
    Block,
    /// One to each PE in turn.
    Cyclic,
}

/// Arguments of `topo`.
#[derive(Debug, Args)]
pub(super) struct TopoArgs {
    /// What to make of it.
    #[arg(value_enum)]
    pub(super) what: TopoVerb,
    /// The machine's file; the default machine without it.
    pub(super) file: Option<PathBuf>,
    /// Where to write, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// What to make of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TopoVerb {
    /// Counts, rates and sample routes.
    Show,
    /// Only whether it is right.
    Check,
    /// The graph in Graphviz's language.
    Dot,
    /// A picture.
    Svg,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code, such as K0301; every code is listed without it.
    pub(super) code: Option<String>,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.trim().into(), value.trim().into())),
        _ => Err(String::from("expected NAME=VALUE, such as n_elem=4096")),
    }
}
