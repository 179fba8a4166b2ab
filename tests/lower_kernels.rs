//! Kernels from source text, through every stage up to the communication check: those that ship,
//! and those of the pages of `docs/errors`.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::collections::BTreeMap;

use kbc::arena::Id;
use kbc::command::verify::verify;
use kbc::command::{Program, print};
use kbc::commcheck::{self, DEFAULT_BUDGET, Verdict};
use kbc::diag::{ColorChoice, Reported, Sink, all_codes, to_text};
use kbc::host::Scalar;
use kbc::ir::{Bindings, Literal};
use kbc::launch::{Deal, IpcqOptions, Launch, NeighborMap};
use kbc::lower::{self, Wiring};
use kbc::script::{KernelArguments, Script, Settings};
use kbc::sema::{self, Constant, Input};
use kbc::source::SourceMap;
use kbc::syntax;
use kbc::topology::neighbors::Neighbors;
use kbc::topology::{self, Spec};

/// What is compiled for what.
struct Job<'a> {
    text: &'a str,
    world: u32,
    set: Vec<(String, Scalar)>,
    ipcq: IpcqOptions,
    topology: Option<&'a str>,
}

impl<'a> Job<'a> {
    fn new(text: &'a str, world: u32) -> Job<'a> {
        let (set, ipcq, topology) = (Vec::new(), IpcqOptions::default(), None);
        Job { text, world, set, ipcq, topology }
    }
}

struct Outcome {
    program: Option<Program>,
    verdict: Result<Verdict, Reported>,
    sink: Sink,
    sources: SourceMap,
}

impl Outcome {
    fn codes(&self) -> Vec<&'static str> {
        self.sink.diagnostics().iter().map(|it| it.code.id).collect()
    }

    fn text(&self) -> String {
        let texts = self.sink.diagnostics().iter();
        texts.map(|it| to_text(it, &self.sources, ColorChoice::Plain)).collect()
    }
}

fn run(job: &Job<'_>) -> Outcome {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let program = program(job, &mut sources, &mut sink);
    let verdict = program.as_ref().map_err(|reported| *reported).and_then(|program| {
        assert_eq!(verify(program), []);
        commcheck::check(program, &sources, DEFAULT_BUDGET, &mut sink).map(|it| it.verdict)
    });
    Outcome { program: program.ok(), verdict, sink, sources }
}

fn program(job: &Job<'_>, sources: &mut SourceMap, sink: &mut Sink) -> Result<Program, Reported> {
    let spec = match job.topology {
        Some(text) => {
            let file = sources.add("t.yaml", text);
            topology::load(sources, file, sink)?
        }
        None => Spec::implied().grow_to(job.world),
    };
    let file = sources.add("kernel.kb", job.text);
    let main = syntax::parse(file, job.text, sink);
    let kernel = main.functions().find(|it| it.name.name == "kernel").expect("it is called so");
    let extent = spec.extent();
    let fact = |name: &str, value: u32| (String::from(name), i64::from(value));
    let settings = Settings {
        world_size: job.world,
        set: job.set.clone(),
        facts: vec![
            fact("pes_per_cube", extent.pes.count()),
            fact("cubes_per_sip", extent.cubes.count()),
        ],
        ..Settings::default()
    };
    let script = Script::new(&main, settings);
    let args = script.kernel_args(kernel).expect("the arguments are good");
    let (constants, params) = arguments(&args);
    let module = sema::analyze(&Input { constants, ..Input::of(&main) }, sink)?;
    let launch = Launch {
        kernel: "kernel".into(),
        args: params.clone().into_iter().collect(),
        world: job.world,
        grid: None,
        axes: None,
        deal: Deal::Block,
        ipcq: job.ipcq,
    };
    let bindings = Bindings { params, num_programs: launch.num_programs(extent) };
    let id = module.kernel("kernel").expect("it was found before");
    let limits = lower::limits(spec.params(), None);
    let function = kbc::passes::run(&module, id, &bindings, &limits, sink)?;
    let own = script.neighbors(&args.scalars).expect("the neighbours are good");
    let usual = Neighbors::new(extent, job.world);
    let neighbors: &dyn NeighborMap = match &own {
        Some(table) => table,
        None => &usual,
    };
    let wiring = Wiring { launch: &launch, extent, params: spec.params(), neighbors };
    let comm = lower::connect(&lower::traffic(&function), &wiring, sink)?;
    lower::lower(&function, &launch, extent, comm, sink)
}

/// What analysis must know of a kernel's arguments, and what the launch passes; tensors lie far
/// apart.
fn arguments(args: &KernelArguments) -> (BTreeMap<String, Constant>, BTreeMap<String, Literal>) {
    let mut constants = BTreeMap::new();
    let mut params = BTreeMap::new();
    for (index, name) in args.pointers.iter().enumerate() {
        params.insert(name.clone(), Literal::Int((1 << 32) + ((index as i64) << 36)));
    }
    for (name, value) in &args.scalars {
        match value {
            Scalar::Int(value) => drop(params.insert(name.clone(), Literal::Int(*value))),
            Scalar::Float(value) => drop(params.insert(name.clone(), Literal::Float(*value))),
            Scalar::Bool(value) => {
                params.insert(name.clone(), Literal::Int(i64::from(*value)));
            }
            Scalar::Text(text) => drop(constants.insert(name.clone(), Constant::Str(text.clone()))),
            Scalar::DType(dtype) => {
                constants.insert(name.clone(), Constant::DType(*dtype));
            }
            Scalar::None => drop(constants.insert(name.clone(), Constant::None)),
        }
    }
    (constants, params)
}

fn shipped(name: &str, world: u32) -> Outcome {
    let text = match name {
        "hello_send" => include_str!("../kernels/hello_send.kb"),
        "ring" => include_str!("../kernels/ring_allreduce.kb"),
        "reduce_scatter" => include_str!("../kernels/ring_reduce_scatter.kb"),
        "mesh" => include_str!("../kernels/mesh_allreduce.kb"),
        "tree" => include_str!("../kernels/tree_allreduce.kb"),
        "hierarchical" => include_str!("../kernels/hierarchical_allreduce.kb"),
        "vector_add" => include_str!("../kernels/vector_add.kb"),
        "gemm" => include_str!("../kernels/gemm.kb"),
        "softmax" => include_str!("../kernels/softmax.kb"),
        other => panic!("no kernel is called {other}"),
    };
    let mut job = Job::new(text, world);
    if name == "reduce_scatter" {
        job.set.push(("n_elem".into(), Scalar::Int(i64::from(world) * 16)));
    }
    run(&job)
}

/// How many commands of each kind each group of PEs is given.
fn counts(outcome: &Outcome, kind: &str) -> Vec<(usize, u64)> {
    let program = outcome.program.as_ref().unwrap_or_else(|| panic!("{}", outcome.text()));
    let index = kbc::command::Command::NAMES.iter().position(|name| *name == kind);
    let index = index.expect("there are such commands");
    let summary = print::summarise(program, 10_000_000);
    assert_eq!(summary.uncounted, 0);
    summary.groups.iter().map(|group| (group.agents.len(), group.work.commands[index])).collect()
}

#[test]
fn rings_are_checked_on_one_rank_and_send_once_a_round() {
    for world in [2, 3, 4, 7, 8, 15, 16, 64, 256] {
        let ring = shipped("ring", world);
        assert_eq!(ring.verdict, Ok(Verdict::Symmetric), "{world}: {}", ring.text());
        assert_eq!(counts(&ring, "ipcq_send"), [(world as usize, u64::from(world) - 1)]);
        let scatter = shipped("reduce_scatter", world);
        assert_eq!(scatter.verdict, Ok(Verdict::Symmetric), "{world}: {}", scatter.text());
        assert_eq!(counts(&scatter, "ipcq_send"), [(world as usize, 2 * u64::from(world) - 2)]);
        let hello = shipped("hello_send", world);
        assert_eq!(hello.verdict, Ok(Verdict::Symmetric), "{world}: {}", hello.text());
    }
}

#[test]
fn meshes_take_a_ring_a_dimension() {
    for (world, rows, columns) in [(4u32, 2, 2), (6, 2, 3), (16, 4, 4), (7, 1, 7), (64, 8, 8)] {
        let mesh = shipped("mesh", world);
        assert_eq!(mesh.verdict, Ok(Verdict::Symmetric), "{world}: {}", mesh.text());
        assert_eq!(counts(&mesh, "ipcq_send"), [(world as usize, rows + columns - 2)]);
    }
    let levels = shipped("hierarchical", 256);
    assert_eq!(levels.verdict, Ok(Verdict::Symmetric), "{}", levels.text());
    assert_eq!(counts(&levels, "ipcq_send"), [(256, 8 + 16 + 2 - 3)]);
}

#[test]
fn a_tree_is_not_symmetric_and_sends_each_edge_twice() {
    for world in [2, 3, 4, 7, 8, 15, 16, 64, 256] {
        let tree = shipped("tree", world);
        assert_eq!(tree.verdict, Ok(Verdict::Checked), "{world}: {}", tree.text());
        let sends: u64 =
            counts(&tree, "ipcq_send").iter().map(|(pes, each)| *pes as u64 * each).sum();
        assert_eq!(sends, 2 * (u64::from(world) - 1));
    }
}

#[test]
fn kernels_without_messages_pass() {
    for name in ["vector_add", "gemm", "softmax"] {
        for world in [1, 4] {
            let outcome = shipped(name, world);
            assert!(outcome.verdict.is_ok(), "{name} {world}: {}", outcome.text());
        }
    }
}

#[test]
fn a_world_of_one_has_nothing_to_send() {
    for name in ["ring", "mesh", "tree", "hierarchical"] {
        let alone = shipped(name, 1);
        assert!(alone.verdict.is_ok(), "{name}: {}", alone.text());
    }
}

#[test]
fn a_hundred_thousand_ranks_compile() {
    let ring = shipped("ring", 100_000);
    assert_eq!(ring.verdict, Ok(Verdict::Symmetric), "{}", ring.text());
    let program = ring.program.expect("it compiles");
    assert_eq!(program.agents.len(), 100_000);
    assert_eq!(program.agents.ids().next_back().map(Id::index), Some(99_999));
}

/// The job that a page's fence asks for: its command line and text.
fn page_job<'p>(section: &'p str) -> Option<Job<'p>> {
    let (info, rest) = section.split_once("```kb ")?.1.split_once('\n')?;
    let (text, rest) = rest.split_once("```")?;
    let mut job = Job::new(text, 1);
    let mut words = info.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--ws" => job.world = words.next()?.parse().ok()?,
            "--ipcq" => {
                for option in words.next()?.split(',') {
                    match option.split_once('=')? {
                        ("slots", slots) => job.ipcq.slots = slots.parse().ok(),
                        ("slot_size", size) => job.ipcq.slot_bytes = size.parse().ok(),
                        (other, _) => panic!("no option is called {other}"),
                    }
                }
            }
            "--topology" => {
                job.topology = Some(rest.split_once("```yaml t.yaml\n")?.1.split_once("```")?.0)
            }
            _ => {}
        }
    }
    Some(job)
}

#[test]
fn pages_fail_and_are_mended_as_they_say() {
    let mut tried = 0;
    for code in all_codes().filter(|code| ("K0520".."K0540").contains(&code.id)) {
        let (fails, mended) = code.page.split_once("## Mended").expect("a page has both");
        let Some(failing) = page_job(fails) else { continue };
        let outcome = run(&failing);
        let codes = outcome.codes();
        assert!(codes.contains(&code.id), "{}: {codes:?}\n{}", code.id, outcome.text());
        assert!(codes.iter().all(|it| *it == code.id), "{}: {}", code.id, outcome.text());
        let outcome = run(&page_job(mended).expect("both are programs"));
        assert!(outcome.verdict.is_ok(), "{}: {}", code.id, outcome.text());
        tried += 1;
    }
    assert!(tried >= 14, "{tried} pages have programs");
}
