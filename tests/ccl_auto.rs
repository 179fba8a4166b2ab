//! Which all-reduce is the fastest, and whether `auto` finds it: every algorithm, over world sizes
//! and vector lengths, timed by the simulator and chosen by the model. `--nocapture` prints the
//! table of docs/validation.md. Of the largest world only the
//! algorithms run that are fast there.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and prints its table"
)]

mod in_process;

use in_process::{launch, times};

const BENCH: &str = include_str!("../kernels/ccl_allreduce.kb");

const ALGORITHMS: [&str; 10] = [
    "ring",
    "ring_bidirectional",
    "ring_chunked",
    "torus",
    "mesh",
    "tree",
    "double_tree",
    "halving_doubling",
    "hierarchical",
    "lrab",
];

/// Those of which one is the fastest in large worlds, as a run of all of them has shown.
const FAST: [&str; 5] = ["ring_chunked", "torus", "tree", "halving_doubling", "lrab"];

const WORLDS: [u32; 6] = [2, 4, 7, 8, 16, 64];
const BYTES: [u32; 4] = [64, 1024, 8192, 65536];

/// The time of an algorithm, and the label of its launch; `None` where it cannot do this.
fn time(algorithm: &str, world: u32, bytes: u32) -> Option<(String, u64)> {
    let settings = format!("algorithm={algorithm} dtype=f16 n_elem={}", bytes / 2);
    times(BENCH, &launch(world, "", &settings)).ok()?.first().cloned()
}

#[test]
fn auto_picks_the_fastest() {
    let (mut right, mut cases) = (0, 0);
    println!("| ranks | bytes | fastest | ns | second | ns | auto | ns |");
    for world in WORLDS {
        for bytes in BYTES {
            let of = |name: &&'static str| Some((time(name, world, bytes)?.1, *name));
            let names: &[&'static str] = if world > 16 { &FAST } else { &ALGORITHMS };
            let mut all: Vec<(u64, &str)> = names.iter().filter_map(of).collect();
            all.sort_unstable();
            let (label, picked) = time("auto", world, bytes).unwrap();
            let [first, .., _] = all[..] else { panic!("too few") };
            let second = all.iter().find(|it| it.0 > first.0).unwrap();
            let name = label.trim_start_matches("all_reduce (").trim_end_matches(')');
            let ns = |ps: u64| ps as f64 / 1000.0;
            println!(
                "| {world} | {bytes} | {} | {:.0} | {} | {:.0} | {name} | {:.0} |",
                first.1,
                ns(first.0),
                second.1,
                ns(second.0),
                ns(picked)
            );
            cases += 1;
            // Within one part in a hundred two algorithms are as fast as each other.
            right += u32::from(picked * 100 <= first.0 * 101);
        }
    }
    println!("{right} of {cases}");
    assert!(right * 100 >= cases * 95, "auto picks the fastest in {right} of {cases}");
}

#[test]
fn large_vectors_want_chunks_and_small_ones_few_steps() {
    let at = |name, world, bytes| time(name, world, bytes).unwrap().1;
    for world in [8, 16] {
        assert!(at("ring_chunked", world, 65536) < at("ring", world, 65536));
        assert!(at("tree", world, 64) < at("ring", world, 64));
        assert!(at("tree", world, 64) < at("ring_chunked", world, 64));
    }
}
