//! Communicator files (`ccl.yaml`): what they say is what a launch does, and each mistake in one is
//! told at its text.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use std::collections::BTreeMap;

use in_process::{launch, times};
use kbc::diag::Diagnostic;
use kbc::driver::{LaunchOptions, Session, SimOptions, SimRequest};

/// One all-reduce that leaves the choice to whoever makes it.
const PLAIN: &str = "def run(torch, n_elem=64):
    dist = torch.distributed
    dist.init_process_group(backend='ahbm')
    ws = dist.get_world_size()
    x = torch.randn((ws, n_elem), dtype='f16')
    inputs = x.numpy()
    work = dist.all_reduce(x)
    print(work.algorithm, ws, n_elem, work.why)
    torch.verify.all_reduce(x, inputs, algorithm=work)
";

const LINE: &str = include_str!("../kernels/ccl/line.kb");
const SHIPPED: &str = include_str!("../kernels/ccl/ccl.yaml");
const EXAMPLE: &str = include_str!("../kernels/ccl/all_reduce.kb");

/// A run: what it printed, its launches by label with their times, its verdict, and what was said.
struct Ran {
    printed: String,
    launches: Vec<(String, u64)>,
    verdict: &'static str,
    diagnostics: Vec<Diagnostic>,
    session: Session,
}

impl Ran {
    /// The codes of the diagnostics, and the texts that they point at.
    fn places(&self) -> Vec<(&'static str, String)> {
        let text = |it: &Diagnostic| {
            let label = it.primary.as_ref().expect("every mistake in a file has a place");
            self.session.sources().text(label.span).to_owned()
        };
        self.diagnostics.iter().map(|it| (it.code.id, text(it))).collect()
    }
}

fn run(program: &str, yaml: &str, mut options: LaunchOptions) -> Ran {
    let mut session = Session::new();
    let files = BTreeMap::from([("./line.kb", LINE), ("empty.kb", "def run(torch):\n    pass\n")]);
    let mut read = |path: &str| {
        files.get(path).map(|text| text.as_bytes().to_vec()).ok_or_else(|| "not there".to_owned())
    };
    let mut ran = Ran {
        printed: String::new(),
        launches: Vec::new(),
        verdict: "refused",
        diagnostics: Vec::new(),
        session: Session::new(),
    };
    if session.communicate(("ccl.yaml", yaml), &mut read, &mut options).is_ok() {
        let unit = session.load("program.kb", program.as_bytes()).unwrap();
        let sim = SimOptions { threads: Some(1), ..SimOptions::default() };
        let request = SimRequest { unit: &unit, launch: &options, sim: &sim };
        if let Ok(report) = session.simulate(request, &mut |_| {}) {
            ran.verdict = report.data.verdict();
            let of = |it: &kbc::driver::LaunchResult| (it.label.clone(), it.outcome.time.0);
            ran.launches = report.launches.iter().map(of).collect();
            ran.printed = report.printed;
        }
    }
    ran.diagnostics = session.take_diagnostics();
    ran.session = session;
    ran
}

fn no_world() -> LaunchOptions {
    LaunchOptions { world: None, ..launch(1, "", "") }
}

#[test]
fn an_algorithm_and_its_queues_are_as_if_the_command_line_had_said_them() {
    let named = PLAIN.replace("all_reduce(x)", "all_reduce(x, algorithm='ring')");
    for (kind, slots) in [("tcm", 2), ("sram", 3), ("hbm", 8)] {
        let flags = format!("kind={kind},slots={slots}");
        let by_flag = times(&named, &launch(9, &flags, "n_elem=4096")).unwrap();
        let queues = format!("buffer_kind: {kind}, n_slots: {slots}");
        let files = [
            format!("defaults: {{algorithm: ring, {queues}}}"),
            format!("defaults: {{algorithm: ring}}\nalgorithms:\n  ring: {{{queues}}}"),
            format!(
                "defaults: {{algorithm: mine, n_slots: 4}}\nalgorithms:\n  mine: {{module: ccl.ring, {queues}}}"
            ),
            format!(
                "defaults: {{algorithm: k}}\nalgorithms:\n  k: {{module: kernbench.ccl.algorithms.ring_allreduce, \
                 topology: ring_1d, {queues}}}"
            ),
        ];
        for yaml in files {
            let ran = run(PLAIN, &yaml, launch(9, "", "n_elem=4096"));
            assert_eq!(ran.verdict, "verified", "{yaml}\n{:#?}", ran.diagnostics);
            assert_eq!(ran.launches[0].1, by_flag[0].1, "{flags}\n{yaml}");
            assert!(ran.printed.contains("the communicator file names it"), "{}", ran.printed);
        }
        // What the command line says goes before the file.
        let yaml =
            "defaults: {algorithm: ring, n_slots: 5}\nalgorithms: {ring: {buffer_kind: tcm}}";
        let ran = run(PLAIN, yaml, launch(9, &flags, "n_elem=4096"));
        assert_eq!(ran.launches[0].1, by_flag[0].1, "{flags} before {yaml}");
    }
}

#[test]
fn queues_of_defaults_hold_for_every_kernel() {
    let ring = include_str!("../kernels/ring_allreduce.kb");
    let by_flag = times(ring, &launch(8, "kind=hbm,slots=2", "")).unwrap();
    let ran = run(ring, "defaults: {buffer_kind: hbm, n_slots: 2}", launch(8, "", ""));
    assert_eq!(ran.launches, by_flag);
}

#[test]
fn ranks_and_elements_come_from_the_file_where_nothing_else_says() {
    let yaml =
        "defaults: {algorithm: ring, world_size: 6, n_elem: 10}\nalgorithms:\n  ring: {n_elem: 12}";
    let ran = run(PLAIN, yaml, no_world());
    assert!(ran.printed.starts_with("ring 6 12 "), "{}", ran.printed);
    let ran = run(PLAIN, &yaml.replace("n_elem: 12", "world_size: 5"), no_world());
    assert!(ran.printed.starts_with("ring 5 10 "), "{}", ran.printed);
    let ran = run(PLAIN, yaml, launch(3, "", "n_elem=7"));
    assert!(ran.printed.starts_with("ring 3 7 "), "{}", ran.printed);
    assert_eq!(ran.verdict, "verified");
}

#[test]
fn an_algorithm_of_ones_own_is_launched_timed_and_verified() {
    for world in [1, 2, 5, 6, 12, 16] {
        for op in ["sum", "max"] {
            let program = PLAIN
                .replace("all_reduce(x)", &format!("all_reduce(x, op='{op}', algorithm='line')"))
                .replace("all_reduce(x, inputs", &format!("all_reduce(x, inputs, op='{op}'"));
            let ran = run(&program, SHIPPED, launch(world, "", ""));
            assert_eq!(ran.verdict, "verified", "{world} ranks: {:#?}", ran.diagnostics);
        }
    }
    let ran = run(EXAMPLE, SHIPPED, launch(12, "", ""));
    assert_eq!((ran.verdict, ran.launches.len()), ("verified", 3), "{:#?}", ran.diagnostics);
    // The model knows it: where all the others are worse, it is taken.
    let yaml = "algorithms:\n  line: {module: ./line.kb, topology: mesh_2d_no_wrap}";
    let program = "def run(torch):\n    print(torch.distributed.algorithms('all_reduce')[-1])\n";
    assert_eq!(run(program, yaml, launch(4, "", "")).printed.trim(), "line");
}

#[test]
fn a_topology_says_where_directions_lead() {
    // The ring's kernel sends east and receives from the west. On a line without a wrap the last
    // rank has no east.
    let yaml =
        "defaults: {algorithm: r}\nalgorithms: {r: {module: ccl.ring, topology: mesh_2d_no_wrap}}";
    let ran = run(PLAIN, yaml, launch(3, "", ""));
    assert_eq!(ran.verdict, "refused");
    assert!(ran.diagnostics.iter().any(|it| it.message.contains('E')), "{:#?}", ran.diagnostics);
    for topology in ["torus_2d", "mesh_2d", "ring_1d", "none"] {
        let ran = run(PLAIN, &yaml.replace("mesh_2d_no_wrap", topology), launch(3, "", ""));
        assert_eq!(ran.verdict, "verified", "{topology}: {:#?}", ran.diagnostics);
    }
}

#[test]
fn every_mistake_is_told_at_its_text() {
    let cases: [(&str, &[(&str, &str)]); 20] = [
        ("defaults: {buffer_kind: tmc}", &[("K0608", "tmc")]),
        ("defaults: {buffer_kind: 3}", &[("K0603", "3")]),
        ("defaults: {backpressure: poll}", &[("K0608", "poll")]),
        ("defaults: {n_slot: 4}", &[("K0602", "n_slot")]),
        ("defaults: {n_slots: 0}", &[("K0605", "0")]),
        ("defaults: {n_slots: many}", &[("K0603", "many")]),
        ("defaults: {slot_size: 4k}", &[("K0603", "4k")]),
        ("defaults: {vc_chunk_size: 128}", &[("K0605", "128")]),
        ("defaults: {ipcq_credit_size_bytes: 8}", &[("K0605", "8")]),
        ("defaults: {world_size: -1}", &[("K0605", "-1")]),
        ("defaults: {n_slots: 4, n_slots: 5}", &[("K0604", "n_slots")]),
        ("defaults: {algorithm: rnig}", &[("K0640", "rnig")]),
        ("default: {}", &[("K0602", "default")]),
        ("algorithms: {ring: {topology: ring}}", &[("K0608", "ring")]),
        ("algorithms: {a: {module: ccl.rung}}", &[("K0640", "ccl.rung")]),
        ("algorithms: {a: {collective: gather, module: ccl.ring}}", &[("K0608", "gather")]),
        ("algorithms: {a: {collective: all_gather, module: ccl.ring}}", &[("K0640", "ccl.ring")]),
        ("algorithms: {a: {}}", &[("K0640", "a")]),
        ("algorithms: {a: {module: away.kb}}", &[("K0641", "away.kb")]),
        ("algorithms: {a: {module: empty.kb}}", &[("K0641", "empty.kb")]),
    ];
    for (yaml, expected) in cases {
        let ran = run(PLAIN, yaml, launch(4, "", ""));
        let places = ran.places();
        let found: Vec<(&str, &str)> =
            places.iter().map(|(code, text)| (*code, text.as_str())).collect();
        assert_eq!(found, expected, "{yaml}\n{:#?}", ran.diagnostics);
        assert_eq!(ran.verdict, "refused", "{yaml}");
    }
    // Many at once, and one that did not parse at all.
    let ran = run(PLAIN, "defaults: {a: 1, b: 2}\nalgorithms: {x: {}, y: 3}\nz: 1\n", no_world());
    assert_eq!(ran.diagnostics.len(), 5, "{:#?}", ran.diagnostics);
    assert_eq!(run(PLAIN, "defaults: [", no_world()).diagnostics[0].code.id, "K0601");
}
