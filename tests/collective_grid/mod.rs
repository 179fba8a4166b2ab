//! What is shown of all-reduces over many cases: that every algorithm is right, and that `auto` finds
//! the fastest. The tests take a part of each grid, `cargo bench --bench collectives` all of it.

#![allow(dead_code, unreachable_pub, reason = "each binary uses its own part of this")]

#[path = "../in_process/mod.rs"]
pub mod in_process;

use in_process::{launch, simulate, simulate_with, times};

/// The host program that runs any of them.
pub const BENCH: &str = include_str!("../../kernels/ccl_allreduce.kb");

/// Every all-reduce of the library.
pub const ALGORITHMS: [&str; 10] = [
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

pub const WORLDS: [u32; 9] = [2, 3, 4, 7, 8, 15, 16, 64, 256];
pub const KINDS: [&str; 3] = ["tcm", "hbm", "sram"];

/// Every type of elements that can be added.
pub const DTYPES: [&str; 16] = [
    "f16", "bf16", "f32", "f64", "f8e4m3", "f8e5m2", "f8e4b8", "f8e5b16", "i8", "i16", "i32",
    "i64", "u8", "u16", "u32", "u64",
];

/// Whether an algorithm can do this world size: those that follow the machine need whole cubes.
pub fn is_possible(algorithm: &str, world: u32) -> bool {
    let is_placed = matches!(algorithm, "hierarchical" | "lrab");
    !is_placed || world < 8 || world.is_multiple_of(8)
}

/// Runs what it is told and checks it: equal to the bit to a sum in the algorithm's order, and to the
/// definition within its roundings. An algorithm is one of the library with slots of one kind.
const GRID: &str = "
def run(torch, algorithms, kinds, dtypes, n_elem):
    dist = torch.distributed
    shape = (dist.get_world_size(), n_elem)
    for algorithm in algorithms.split(','):
        for kind in kinds.split(','):
            for dtype in dtypes.split(','):
                is_float = dtype[0] in 'bf'
                x = torch.randn(shape, dtype=dtype) if is_float else torch.randint(0, 9, shape, dtype=dtype)
                inputs = x.numpy()
                work = dist.all_reduce(x, algorithm=algorithm + '_' + kind)
                torch.verify.all_reduce(x, inputs, op='sum', algorithm=work)
";

/// `ccl.yaml` with an algorithm `ring_tcm`, `ring_hbm`, … for each of the library's and each kind.
fn communicators() -> String {
    let entry = |algorithm: &str, kind: &str| {
        format!("  {algorithm}_{kind}: {{module: ccl.{algorithm}, buffer_kind: {kind}}}\n")
    };
    let all = ALGORITHMS.iter().flat_map(|name| KINDS.iter().map(|kind| entry(name, kind)));
    format!("algorithms:\n{}", all.collect::<String>())
}

/// Runs these algorithms, as far as they can have this world, with each of these kinds of slots and types:
/// how many launches were right.
///
/// # Panics
/// One was not.
pub fn all_right(
    world: u32,
    algorithms: &[&'static str],
    (kinds, dtypes): (&[&str], &[&str]),
) -> usize {
    let able: Vec<&str> =
        algorithms.iter().copied().filter(|name| is_possible(name, world)).collect();
    // Odd lengths: no chunk of the last rank is whole. Long enough for a chunk of every rank.
    let n_elem = if world > 16 { world + 1 } else { 35 };
    let settings = format!(
        "algorithms={} kinds={} dtypes={} n_elem={n_elem}",
        able.join(","),
        kinds.join(","),
        dtypes.join(",")
    );
    let found = simulate_with(GRID, &communicators(), launch(world, "", &settings));
    let text = found.text();
    assert_eq!(found.verdict, "verified", "{world} ranks: {settings}\n{text}");
    assert!(text.is_empty(), "{world} ranks: {settings}\n{text}");
    assert_eq!(found.launches, able.len() * kinds.len() * dtypes.len(), "{world}: {settings}");
    found.launches
}

/// Whether an algorithm says that it cannot have a world.
pub fn is_refused(world: u32, algorithm: &str) -> bool {
    let found = simulate(BENCH, &launch(world, "", &format!("algorithm={algorithm}")), None);
    found.launches == 0 && found.text().contains("do not fill whole cubes")
}

/// The time of an algorithm in picoseconds, and which one it was; `None` where it cannot do this.
pub fn time(algorithm: &str, world: u32, bytes: u32) -> Option<(String, u64)> {
    let settings = format!("algorithm={algorithm} dtype=f16 n_elem={}", bytes / 2);
    let (label, time) = times(BENCH, &launch(world, "", &settings)).ok()?.first()?.clone();
    let name = label.trim_start_matches("all_reduce (").trim_end_matches(')');
    Some((name.to_owned(), time))
}

/// How well `auto` chooses.
#[derive(Debug, Default)]
pub struct Choices {
    pub right: u32,
    pub cases: u32,
    /// The largest time over that of the fastest.
    pub worst: f64,
}

impl Choices {
    /// Compares all of `names` with `auto` in one case, and gives a row of the table; nothing where fewer
    /// than two of them have room.
    ///
    /// # Panics
    /// `auto` cannot do it.
    pub fn compare(&mut self, names: &[&'static str], world: u32, bytes: u32) -> Option<String> {
        let of = |name: &&'static str| Some((time(name, world, bytes)?.1, *name));
        let mut all: Vec<(u64, &str)> = names.iter().filter_map(of).collect();
        all.sort_unstable();
        let [first, .., _] = all[..] else { return None };
        let Some((picked, taken)) = time("auto", world, bytes) else {
            panic!("auto picks what cannot be done among {world} ranks with {bytes} bytes")
        };
        let second = all.iter().find(|it| it.0 > first.0).unwrap_or(&first);
        let ns = |ps: u64| ps as f64 / 1000.0;
        self.cases += 1;
        // Within one part in a hundred two algorithms are as fast as each other.
        self.right += u32::from(taken * 100 <= first.0 * 101);
        self.worst = self.worst.max(taken as f64 / first.0 as f64);
        let (one, other) = (format!("{} | {:.0}", first.1, ns(first.0)), second);
        Some(format!(
            "| {world} | {bytes} | {one} | {} | {:.0} | {picked} | {:.0} |",
            other.1,
            ns(other.0),
            ns(taken)
        ))
    }
}
