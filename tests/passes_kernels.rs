//! The kernels that ship, from source text through every pass.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kbc::diag::Sink;
use kbc::ir::interpret;
use kbc::ir::print::{print, print_function};
use kbc::ir::verify::{verify, verify_function};
use kbc::ir::{Bindings, Function, Literal, Module};
use kbc::launch::NeighborMap;
use kbc::passes::{Context, run_observed};
use kbc::sema::{Constant, Input, analyze};
use kbc::source::{FileId, SourceMap};
use kbc::syntax::ast::FunctionStyle;
use kbc::topology::neighbors::Neighbors;
use kbc::topology::{Extent, Grid};
use support::{bindings, limits, read, rendered};

/// Arguments that fit a launch of every kernel.
const ARGUMENTS: &[(&str, i64)] = &[
    ("a_ptr", 1 << 20),
    ("b_ptr", 1 << 21),
    ("c_ptr", 1 << 22),
    ("x_ptr", 1 << 20),
    ("y_ptr", 1 << 21),
    ("out_ptr", 1 << 22),
    ("t_ptr", 1 << 20),
    ("bm", 16),
    ("n", 32),
    ("bk", 16),
    ("k_blocks", 4),
    ("itemsize", 2),
    ("n_elem", 64),
    ("nbytes", 128),
    ("pes", 8),
    ("cubes", 2),
    ("sips", 1),
    ("rows", 4),
    ("cols", 4),
    ("world_size", 16),
    ("chunk_elem", 64),
    ("chunk_bytes", 128),
    ("n_blocks", 4),
    ("block", 8),
    ("block_bytes", 128),
    ("q_ptr", 1 << 20),
    ("k_ptr", 1 << 21),
    ("v_ptr", 1 << 22),
    ("gamma_ptr", 1 << 22),
    ("beta_ptr", 1 << 23),
    ("o_ptr", 1 << 23),
    ("bn", 16),
    ("k", 16),
    ("s_kv", 16),
    ("s_q", 4),
    // In front of the first query of eight ranks with 16 keys each: the last chunk is hidden from rank 0.
    ("before", 96),
    ("h_kv", 2),
    ("d_head", 16),
    ("n_ranks", 8),
    ("rank_axis", 0),
];

/// The same for floats.
const FLOATS: &[(&str, f64)] = &[("scale", 0.25)];

fn arguments() -> Bindings {
    let mut bindings = bindings(ARGUMENTS);
    let floats = FLOATS.iter().map(|(name, value)| (String::from(*name), Literal::Float(*value)));
    bindings.params.extend(floats);
    bindings
}

fn kernels() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut kernels: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "kb"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .filter(|(_, text)| has_kernel(text))
        .collect();
    kernels.sort();
    assert!(kernels.len() >= 9, "{}", kernels.len());
    kernels
}

/// Whether a file has a kernel of its own and needs no module of the library, which is not here. What
/// host functions import is of no matter to kernels.
/// Composites, and layers cut over ranks, have tests of their own.
fn has_kernel(text: &str) -> bool {
    let tree = kbc::syntax::parse(FileId(0), text, &mut Sink::new());
    kbc::sema::imports(&tree).is_empty()
        && !["tl.composite(", "torch.tp"].iter().any(|word| text.contains(word))
        && tree.functions().any(|function| function.style(&tree) != FunctionStyle::Host)
}

/// The generic IR of a source file.
fn analyzed(name: &str, text: &str) -> Module {
    let mut sources = SourceMap::new();
    let mut sink = Sink::new();
    let file = sources.add(name, text);
    let tree = kbc::syntax::parse(file, text, &mut sink);
    let dtype = Constant::Str(String::from("f16"));
    let constants = BTreeMap::from([(String::from("dtype"), dtype)]);
    let input = Input { constants, ..Input::of(&tree) };
    analyze(&input, &mut sink).unwrap_or_else(|_| panic!("{}", rendered(sink, &sources)))
}

/// The stages of the first kernel.
fn lowered(module: &Module) -> (Vec<(&'static str, Function)>, Function) {
    let mut sink = Sink::new();
    let (bindings, limits) = (arguments(), limits());
    let mut context = Context { module, bindings: &bindings, limits: &limits, sink: &mut sink };
    let kernel = module.kernels().next().expect("there is a kernel");
    let mut stages = Vec::new();
    let result = run_observed(&mut context, kernel, &mut |pass, function| {
        stages.push((pass.name(), function.clone()));
    });
    let function =
        result.unwrap_or_else(|_| panic!("{:#?}\n{}", sink.into_sorted(), print(module)));
    (stages, function)
}

#[test]
fn every_kernel_goes_through_every_pass() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        assert_eq!(verify(&module), [], "{name}");
        let (_, function) = lowered(&module);
        assert_eq!(verify_function(&function, None), [], "{name}");
    }
}

#[test]
fn the_ir_of_every_kernel_reads_back() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        let generic = print(&module);
        assert_eq!(print(&read(&generic)), generic, "{name}");
        let (stages, last) = lowered(&module);
        for function in stages.iter().map(|(_, function)| function).chain([&last]) {
            let text = print_function(function);
            assert_eq!(print(&read(&text)), text, "{name}");
        }
    }
}

#[test]
fn text_ir_is_lowered_as_its_source_is() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        let from_source = print_function(&lowered(&module).1);
        let from_text = print_function(&lowered(&read(&print(&module))).1);
        assert_eq!(from_source, from_text, "{name}");
    }
}

/// What 16 programs of a function leave in memory and send.
fn computed(
    module: &Module,
    function: &Function,
) -> Result<(interpret::Memory, interpret::Messages), interpret::Fault> {
    let grid = |w, h| Grid { w, h, wraps: false };
    let extent = Extent { sips: grid(1, 1), cubes: grid(2, 1), pes: grid(4, 2) };
    let neighbors = Neighbors::new(&extent, 16);
    let peers = |from: usize, dir: &str| {
        let (cube, pe) = (from / 8, from % 8);
        // The hierarchical kernel asks for rings within and between cubes.
        let ring = match dir {
            "intra_E" => Some((cube * 8 + (pe + 1) % 8, "intra_W")),
            "cube_E" => Some(((1 - cube) * 8 + pe, "cube_W")),
            _ => None,
        };
        if let Some((to, theirs)) = ring {
            return Some((to, String::from(theirs)));
        }
        let to = NeighborMap::receiver(&neighbors, from as u32, dir).ok()??;
        Some((to.0 as usize, String::from(to.1)))
    };
    let programs: Vec<[u32; 3]> = (0..16).map(|rank| [rank % 8, rank / 8, 0]).collect();
    let bindings = arguments();
    let mut memory = interpret::Memory::new();
    for (seed, base) in [1 << 20, 1 << 21, 1 << 22, 1 << 23].into_iter().enumerate() {
        memory.add(base, support::random_kernels::data(seed as u64, 1 << 16));
    }
    let launch = interpret::Launch {
        module: Some(module),
        function,
        params: &bindings.params,
        programs: &programs,
        num_programs: bindings.num_programs,
        peers: &peers,
        budget: 20_000_000,
    };
    let messages = launch.run(&mut memory)?;
    Ok((memory, messages))
}

#[test]
fn every_pass_keeps_what_a_kernel_computes() {
    for (name, text) in kernels() {
        let module = analyzed(&name, &text);
        let kernel = &module.functions[module.kernels().next().unwrap()];
        let expected =
            computed(&module, kernel).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let again = read(&print(&module));
        let kernel = &again.functions[again.kernels().next().unwrap()];
        assert!(computed(&again, kernel).unwrap() == expected, "{name}, read back");
        for (pass, function) in lowered(&module).0 {
            let found = computed(&module, &function);
            assert!(found.as_ref() == Ok(&expected), "{name} after {pass}");
        }
    }
}
