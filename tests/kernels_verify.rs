//! Every shipped kernel is right: for each world size that its algorithm allows, each element type
//! and each kind of queue, `run(torch)` finds what the definition says. Kernels with a mistake in
//! them are found out.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::driver::{Data, LaunchOptions, Session, SimError, SimOptions, SimRequest};
use kbc::{diag, driver};

/// Every kernel that ships, by name.
const KERNELS: [(&str, &str); 9] = [
    ("hello_send", include_str!("../kernels/hello_send.kb")),
    ("ring_allreduce", include_str!("../kernels/ring_allreduce.kb")),
    ("ring_reduce_scatter", include_str!("../kernels/ring_reduce_scatter.kb")),
    ("mesh_allreduce", include_str!("../kernels/mesh_allreduce.kb")),
    ("tree_allreduce", include_str!("../kernels/tree_allreduce.kb")),
    ("hierarchical_allreduce", include_str!("../kernels/hierarchical_allreduce.kb")),
    ("vector_add", include_str!("../kernels/vector_add.kb")),
    ("gemm", include_str!("../kernels/gemm.kb")),
    ("softmax", include_str!("../kernels/softmax.kb")),
];

/// What one simulation is asked for.
struct Ask<'a> {
    world: u32,
    set: &'a [(&'a str, &'a str)],
    ipcq: &'a str,
    no_data: bool,
}

impl Ask<'static> {
    fn world(world: u32) -> Ask<'static> {
        Ask { world, set: &[], ipcq: "", no_data: false }
    }
}

/// What became of the data, or the diagnostics that say why nothing did.
fn sim(name: &str, text: &str, ask: &Ask<'_>) -> (Option<Data>, String) {
    let mut session = Session::new();
    let loaded = session.load(&format!("{name}.kb"), text.as_bytes());
    let launch = LaunchOptions {
        world: Some(ask.world),
        settings: ask.set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ipcq: driver::parse_ipcq(ask.ipcq).unwrap(),
        ..LaunchOptions::default()
    };
    let options = SimOptions { no_data: ask.no_data, ..SimOptions::default() };
    let data = loaded.ok().and_then(|unit| {
        let request = SimRequest { unit: &unit, launch: &launch, sim: &options };
        match session.simulate(request, &mut |_| {}) {
            Ok(report) => Some(report.data),
            Err(SimError::Usage(error)) => panic!("{}", error.0),
            Err(SimError::Program(_)) => None,
        }
    });
    let diagnostics = session.take_diagnostics();
    let show = |it| diag::to_text(it, session.sources(), diag::ColorChoice::Plain);
    (data, diagnostics.iter().map(show).collect())
}

/// Where `data` was not verified, and why.
fn verified(what: &str, (data, said): (Option<Data>, String)) -> Result<(), String> {
    match data {
        Some(Data::Verified { .. }) => Ok(()),
        other => Err(format!("{what}: {other:?}\n{said}")),
    }
}

fn text(name: &str) -> &'static str {
    KERNELS.iter().find(|(known, _)| *known == name).unwrap().1
}

fn assert_all(results: impl IntoIterator<Item = Result<(), String>>) {
    let wrong: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const COLLECTIVES: [&str; 5] = [
    "ring_allreduce",
    "ring_reduce_scatter",
    "mesh_allreduce",
    "tree_allreduce",
    "hierarchical_allreduce",
];

/// The world sizes of the tests. `hierarchical_allreduce` has to fill cubes of 8.
fn worlds(name: &str) -> Vec<u32> {
    let all = [1, 2, 3, 4, 7, 8, 15, 16, 64];
    all.into_iter().filter(|world| name != "hierarchical_allreduce" || *world != 15).collect()
}

#[test]
fn collectives_equal_their_definition_for_every_world_and_type() {
    let mut results = Vec::new();
    for name in COLLECTIVES {
        for world in worlds(name) {
            for dtype in ["f16", "bf16", "f32"] {
                let set = [("n_elem", "64"), ("dtype", dtype)];
                let ask = Ask { set: &set, ..Ask::world(world) };
                let what = format!("{name}, {world} ranks, {dtype}");
                results.push(verified(&what, sim(name, text(name), &ask)));
            }
        }
    }
    assert_all(results);
}

#[test]
fn collectives_are_right_with_queues_of_every_kind() {
    let mut results = Vec::new();
    for name in COLLECTIVES {
        for kind in ["tcm", "hbm", "sram"] {
            for slots in [2, 4] {
                let ipcq = format!("kind={kind},slots={slots}");
                let ask = Ask { ipcq: &ipcq, set: &[("n_elem", "32")], ..Ask::world(16) };
                results.push(verified(&format!("{name}, {ipcq}"), sim(name, text(name), &ask)));
            }
        }
    }
    assert_all(results);
}

#[test]
fn collectives_span_the_whole_default_machine() {
    let ask = Ask { set: &[("n_elem", "256")], ..Ask::world(256) };
    assert_all(COLLECTIVES.map(|name| verified(name, sim(name, text(name), &ask))));
}

#[test]
fn other_kernels_are_right_for_every_world_and_type() {
    let mut results = Vec::new();
    for name in ["hello_send", "vector_add", "gemm", "softmax"] {
        let alone = if name == "hello_send" { None } else { Some(1) };
        for world in alone.into_iter().chain([2, 3, 8, 16]) {
            for dtype in ["f16", "bf16", "f32"] {
                let ask = Ask { set: &[("dtype", dtype)], ..Ask::world(world) };
                let what = format!("{name}, {world} ranks, {dtype}");
                results.push(verified(&what, sim(name, text(name), &ask)));
            }
        }
    }
    assert_all(results);
}

#[test]
fn without_data_kernels_run_and_say_that_nothing_was_checked() {
    for (name, text) in KERNELS {
        let (data, said) = sim(name, text, &Ask { no_data: true, ..Ask::world(8) });
        assert_eq!(data, Some(Data::Skipped), "{name}\n{said}");
    }
}

#[test]
fn worlds_that_an_algorithm_does_not_allow_are_refused_in_its_own_words() {
    let name = "hierarchical_allreduce";
    let (data, said) = sim(name, text(name), &Ask::world(15));
    assert_eq!(data, None);
    assert!(said.contains("K0810") && said.contains("15 ranks do not fill whole cubes of 8 PEs"));
    let (_, said) = sim("hello_send", text("hello_send"), &Ask::world(1));
    assert!(said.contains("one rank has nobody to send to"), "{said}");
    let set = [("dtype", "f64")];
    let (_, said) =
        sim("ring_allreduce", text("ring_allreduce"), &Ask { set: &set, ..Ask::world(4) });
    assert!(said.contains("dtype f64 is not one of f16, bf16, f32"), "{said}");
}

/// A kernel of the shipped ring with `right` replaced by `wrong`: what is said of it.
fn broken(name: &str, right: &str, wrong: &str) -> (Option<Data>, String) {
    let changed = text(name).replacen(right, wrong, 1);
    assert_ne!(changed, text(name), "`{right}` is not in {name}");
    sim(name, &changed, &Ask { set: &[("n_elem", "32")], ..Ask::world(8) })
}

#[test]
fn a_wrong_ring_is_caught_at_the_command_that_wrote_the_first_bad_element() {
    let mistakes = [
        ("for _ in range(world_size - 1):", "for _ in range(world_size - 2):"),
        ("current = received", "current = acc"),
        ("acc = acc + received", "acc = acc - received"),
    ];
    for (right, wrong) in mistakes {
        let (data, said) = broken("ring_allreduce", right, wrong);
        assert_eq!(data, Some(Data::Mismatch), "{wrong}\n{said}");
        assert!(said.contains("elements are not what they should be"), "{said}");
        assert!(said.contains("wrote element [0, 0]: got "), "{said}");
        assert!(said.contains("tl.store(addr, acc)"), "{said}");
        assert!(said.contains("this check fails"), "{said}");
    }
}

#[test]
fn a_wrong_address_is_caught() {
    let (data, said) =
        broken("ring_allreduce", "tl.store(addr, acc)", "tl.store(addr + nbytes, acc)");
    assert!(data.is_none() || data == Some(Data::Mismatch), "{said}");
    assert!(!said.is_empty());
}

#[test]
fn a_one_sided_wrong_direction_is_refused_before_it_runs() {
    let (data, said) = broken("ring_allreduce", "tl.recv(dir=\"W\"", "tl.recv(dir=\"E\"");
    assert_eq!(data, None, "{said}");
    assert!(said.contains("error[K05"), "{said}");
}

#[test]
fn a_wrong_chunk_is_caught() {
    let (data, said) = broken(
        "ring_reduce_scatter",
        "chunk = (rank + world_size - step) % world_size",
        "chunk = (rank + world_size - step + 1) % world_size",
    );
    assert_eq!(data, Some(Data::Mismatch), "{said}");
    assert!(said.contains("tl.store(vector + chunk * chunk_bytes, tile)"), "{said}");
}
