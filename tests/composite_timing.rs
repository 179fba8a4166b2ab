//! The closed forms that docs/machine.md gives for composites: worked out from the numbers of the
//! machine, they are the simulated times to the picosecond.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;

use command_line::{Scratch, kbc};
use serde_json::Value;

/// One composite over whole matrices; what is loaded is what the variant says.
const KERNEL: &str = "\
def kernel_args(world_size, m=32, n=32, k=64, variant=\"ref_ref\", steps=\"none\"):
    return m, n, k, variant, steps


def kernel(a_ptr, b_ptr, c_ptr, m, n, k, variant, steps, tl):
    a = tl.ref(a_ptr, shape=(m, k), dtype=\"f16\")
    b = tl.ref(b_ptr, shape=(k, n), dtype=\"f16\")
    if variant != \"ref_ref\":
        a = tl.load(a_ptr, shape=(m, k), dtype=\"f16\")
    if variant == \"load_load\":
        b = tl.load(b_ptr, shape=(k, n), dtype=\"f16\")
    epilogue = []
    if steps == \"output\":
        epilogue = [\"exp\", (\"scale\", 0.5)]
    if steps == \"k_tile\":
        epilogue = [(\"scale\", 0.5, \"k_tile\")]
    f = tl.composite(op=\"gemm\", a=a, b=b, out_ptr=c_ptr, epilogue=epilogue)
    tl.wait(f)
";

/// What the closed forms name, in picoseconds and bytes a nanosecond.
#[derive(Clone, Copy)]
struct Numbers {
    link: u64,
    tcm_read: u64,
    tcm_write: u64,
    dispatch: u64,
    dma: u64,
    hbm: u64,
    scheduler: u64,
    fetch_store: u64,
    gemm: u64,
    mac_k: u64,
    math: u64,
    lanes: u64,
}

const FLIT: u64 = 256;

/// What a size takes at a rate, in picoseconds, rounded up.
fn at(bytes: u64, rate: u64) -> u64 {
    (bytes * 1000).div_ceil(rate)
}

impl Numbers {
    fn yaml(&self) -> String {
        let ns = |ps: u64| ps as f64 / 1000.0;
        format!(
            "system: {{sips: {{count: 1}}}}
sip: {{cube_mesh: {{w: 1, h: 1}}}}
cube:
  noc: {{bw_gbs: {link}}}
  hbm_ctrl: {{overhead_ns: {hbm}, hbm_to_router_bw_gbs: {link}, pseudo_channels: none}}
  pe_template:
    components:
      pe_cpu: {{attrs: {{dispatch_ns: {dispatch}}}}}
      pe_dma: {{attrs: {{overhead_ns: {dma}, bw_gbs: {link}, outstanding: 8}}}}
      pe_gemm: {{attrs: {{overhead_ns: {gemm}, mac_m: 16, mac_n: 16, mac_k: {mac_k}}}}}
      pe_math: {{attrs: {{overhead_ns: {math}, vector_width: {lanes}, transcendental: 4}}}}
      pe_scheduler: {{attrs: {{overhead_ns: {scheduler}, tile_m: 32, tile_n: 32, tile_k: 64, buffers: 2}}}}
      pe_fetch_store: {{attrs: {{overhead_ns: {fetch_store}}}}}
      pe_tcm: {{attrs: {{read_bw_gbs: {read}, write_bw_gbs: {write}}}}}
",
            link = self.link,
            hbm = ns(self.hbm),
            dispatch = ns(self.dispatch),
            dma = ns(self.dma),
            gemm = ns(self.gemm),
            mac_k = self.mac_k,
            math = ns(self.math),
            lanes = self.lanes,
            scheduler = ns(self.scheduler),
            fetch_store = ns(self.fetch_store),
            read = self.tcm_read,
            write = self.tcm_write,
        )
    }

    /// From the start of a read of the own slice to its last byte in TCM: two links and TCM.
    fn read(&self, bytes: u64) -> u64 {
        self.dma + self.hbm + at(bytes, self.link) + at(FLIT, self.link) + at(FLIT, self.tcm_write)
    }

    /// From the start of a write to its last byte in memory; TCM is read no slower than links go.
    fn write(&self, bytes: u64) -> u64 {
        self.dma + at(FLIT, self.tcm_read) + at(bytes, self.link) + at(FLIT, self.link) + self.hbm
    }

    fn fetch(&self, bytes: u64) -> u64 {
        self.fetch_store + at(bytes, self.tcm_read)
    }

    fn store(&self, bytes: u64) -> u64 {
        self.fetch_store + at(bytes, self.tcm_write)
    }

    /// A product of 32 × 32 × `depth` on an array of 16 × 16 × `mac_k`.
    fn product(&self, depth: u64) -> u64 {
        self.gemm + 4 * depth.div_ceil(self.mac_k) * 1000
    }

    /// Ops of so many cycles over a tile of 32 × 32.
    fn chain(&self, cycles: u64) -> u64 {
        self.math + 1024_u64.div_ceil(self.lanes) * cycles * 1000
    }
}

/// Bytes of a tile of A or B, and of the result.
const TILE: u64 = 32 * 64 * 2;
const OUT: u64 = 32 * 32 * 2;

fn simulated(it: &Numbers, settings: &[(&str, String)]) -> u64 {
    let scratch = Scratch::new();
    scratch.write("machine.yaml", &it.yaml());
    scratch.write("kernel.kb", KERNEL);
    let mut args = vec!["sim", "kernel.kb", "--ws", "1", "--topology", "machine.yaml", "--json"];
    let settings: Vec<String> =
        settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for setting in &settings {
        args.extend(["--set", setting]);
    }
    let ran = kbc(scratch.path(), &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    result["time_ps"].as_u64().unwrap()
}

/// The default machine, memory without channels.
const DEFAULT: Numbers = Numbers {
    link: 256,
    tcm_read: 512,
    tcm_write: 512,
    dispatch: 1000,
    dma: 1000,
    hbm: 0,
    scheduler: 1000,
    fetch_store: 0,
    gemm: 1000,
    mac_k: 16,
    math: 1000,
    lanes: 128,
};

/// Everything costs something, no two things the same.
const COSTLY: Numbers = Numbers {
    link: 200,
    tcm_read: 640,
    tcm_write: 320,
    dispatch: 3000,
    dma: 2000,
    hbm: 1500,
    scheduler: 7000,
    fetch_store: 500,
    gemm: 2500,
    mac_k: 32,
    math: 1700,
    lanes: 64,
};

fn size(name: &'static str, value: u64) -> (&'static str, String) {
    (name, value.to_string())
}

/// Both operands are streamed, and DMA is the slowest stage: tiles come at the rate of the link,
/// and what follows the last of them is one tile's way through the other stages.
#[test]
fn ref_ref_is_bound_by_memory() {
    for it in [DEFAULT, COSTLY] {
        let each = at(2 * TILE, it.link);
        assert!(each > it.product(64) && each > it.fetch(2 * TILE));
        for rows in [1, 2, 3, 17] {
            // One tile along k and n, so that tiles of both operands are contiguous.
            let begins = it.dispatch + it.scheduler;
            let last = begins + it.read(2 * TILE) + (rows - 1) * each;
            let drain = it.fetch(2 * TILE) + it.product(64) + it.store(OUT) + it.write(OUT);
            let found = simulated(&it, &[size("m", 32 * rows)]);
            assert_eq!(found, last + drain, "{rows} tiles");
        }
    }
}

/// A is in TCM and one output tile sums over k. The matrix engine is the slowest stage: it begins
/// once the first tile has been fetched, and never waits again.
#[test]
fn load_ref_is_bound_by_the_matrix_engine() {
    for (it, steps) in [
        (Numbers { mac_k: 8, ..DEFAULT }, "none"),
        (Numbers { mac_k: 8, ..DEFAULT }, "output"),
        (Numbers { mac_k: 8, ..COSTLY }, "output"),
    ] {
        let g = it.product(64);
        assert!(it.read(TILE) + it.fetch(2 * TILE) <= 2 * g, "the places in TCM suffice");
        for depth in [1, 2, 5, 48] {
            let loaded = it.dispatch + it.read(32 * 64 * depth * 2);
            let begins = loaded.max(2 * it.dispatch) + it.scheduler;
            let first = begins + it.read(TILE) + it.fetch(2 * TILE);
            // exp of 4 cycles and a product of 1, on one tile, paying the overhead once.
            let epilogue = if steps == "output" { it.chain(5) } else { 0 };
            let drain = epilogue + it.store(OUT) + it.write(OUT);
            let set = [
                size("k", 64 * depth),
                ("variant", String::from("load_ref")),
                ("steps", String::from(steps)),
            ];
            assert_eq!(simulated(&it, &set), first + depth * g + drain, "{depth} tiles");
        }
    }
}

/// Both operands are in TCM, and fetching them is the slowest stage.
#[test]
fn load_load_is_bound_by_the_port_of_tcm() {
    for it in [Numbers { tcm_read: 256, ..DEFAULT }, Numbers { tcm_read: 320, mac_k: 64, ..COSTLY }]
    {
        let f = it.fetch(2 * TILE);
        assert!(f > it.product(64) && f > it.store(OUT));
        for depth in [1, 2, 5, 48] {
            // Both loads share the link; the second is asked for while the first one comes.
            let bytes = 2 * 32 * 64 * depth * 2;
            let begins = it.dispatch + it.read(bytes) + it.scheduler;
            let drain = it.product(64) + it.store(OUT) + it.write(OUT);
            let set = [size("k", 64 * depth), ("variant", String::from("load_load"))];
            assert_eq!(simulated(&it, &set), begins + depth * f + drain, "{depth} tiles");
        }
    }
}

/// With two places between stages a tile's whole way through two of them counts half: here the way
/// of a tile into TCM and out of its place again.
#[test]
fn too_few_places_bound_a_pipeline_by_its_latency() {
    let it = Numbers { hbm: 40_000, ..DEFAULT };
    let round = it.read(TILE) + it.fetch(2 * TILE);
    assert!(round > 2 * it.product(64) && round > 2 * at(TILE, it.link));
    let of = |depth: u64| {
        simulated(&it, &[size("k", 64 * depth), ("variant", String::from("load_ref"))])
    };
    let load = |depth: u64| at(32 * 64 * depth * 2, it.link);
    for depth in [8, 20] {
        let two_more = of(depth + 2) - load(depth + 2) - (of(depth) - load(depth));
        assert_eq!(two_more, round, "two tiles more, one round more");
    }
}

/// A step of scope `k_tile` occupies MATH for each tile along k; when MATH is the slowest stage, it
/// is what each of them takes.
#[test]
fn steps_of_k_tiles_take_their_time_for_each_tile() {
    let it = Numbers { lanes: 32, ..DEFAULT };
    // A product by the factor, and the sum with those before.
    let m = it.chain(2);
    assert!(m > it.product(64) && m > it.fetch(2 * TILE));
    for depth in [1, 2, 5, 16] {
        let begins = it.dispatch + it.read(2 * 32 * 64 * depth * 2) + it.scheduler;
        let first = begins + it.fetch(2 * TILE) + it.product(64);
        let drain = it.store(OUT) + it.write(OUT);
        let set = [
            size("k", 64 * depth),
            ("variant", String::from("load_load")),
            ("steps", String::from("k_tile")),
        ];
        assert_eq!(simulated(&it, &set), first + depth * m + drain, "{depth} tiles");
    }
}

/// The table of docs/validation.md: a 32 × 3072 × 32 product with A loaded, on the machines that ship.
#[test]
fn the_published_window_is_compared_on_both_machines() {
    let page = include_str!("../docs/validation.md");
    let scratch = Scratch::new();
    scratch.write("kernel.kb", KERNEL);
    for machine in ["default", "kernbench"] {
        let topology = command_line::root().join(format!("topology/{machine}.yaml"));
        let mut args = vec!["sim", "kernel.kb", "--ws", "1", "--json", "--topology"];
        args.push(topology.to_str().unwrap());
        args.extend(["--set", "k=3072", "--set", "variant=load_ref"]);
        let ran = kbc(scratch.path(), &args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let result: Value = serde_json::from_str(&ran.stdout).unwrap();
        let found = result["time_ps"].as_u64().unwrap() as f64 / 1000.0;
        let row = page.lines().find(|line| line.starts_with(&format!("| `{machine}.yaml`")));
        let told = row.unwrap().split('|').nth(3).unwrap().trim().parse::<f64>().unwrap();
        assert!((told - found).abs() < 0.5, "docs/validation.md says {told}, found {found}");
    }
}
