//! Meshes as BookSim 2 has them, and what traffic costs on them: for `tests/network_booksim.rs` and
//! `benches/network.rs`.

#![allow(dead_code, unreachable_pub, reason = "each binary uses its own part of this")]

use kbc::diag::Sink;
use kbc::report::LoadMean;
use kbc::sim::traffic::{OpenLoop, Pattern, offer};
use kbc::source::SourceMap;
use kbc::topology::{Machine, load};

/// The machine of a file.
pub fn machine(text: &str) -> Machine {
    let mut sources = SourceMap::new();
    let file = sources.add("mesh.yaml", text);
    let mut sink = Sink::new();
    load(&sources, file, &mut sink).and_then(|spec| spec.build(&mut sink)).unwrap()
}

/// Virtual channels and their buffers, the input speed-up, the credit delay, and whether a virtual channel
/// waits for its last credit.
pub type Routers = (u32, u32, u32, u32, bool);

/// A shipped mesh of `side` x `side` PEs with other routers.
pub fn mesh(side: u32, (vcs, buffer, speedup, credit, waits): Routers) -> Machine {
    let path = format!("{}/topology/mesh{side}x{side}.yaml", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).unwrap();
    for (key, value) in [
        ("vcs", vcs.to_string()),
        ("buffer_flits", buffer.to_string()),
        ("input_speedup", speedup.to_string()),
        ("credit_delay", credit.to_string()),
        ("wait_for_tail_credit", waits.to_string()),
    ] {
        let line = text.lines().find(|line| line.trim().starts_with(&format!("{key}:"))).unwrap();
        text = text.replace(line, &format!("  {key}: {value}"));
    }
    machine(&text)
}

/// The mean of some seeds.
pub fn measure(
    machine: &Machine,
    (pattern, flits): (Pattern, u32),
    load: f64,
    seeds: u64,
) -> LoadMean {
    let run = |seed| offer(machine, &OpenLoop::new(pattern, flits, seed), load).unwrap();
    LoadMean::of(&(1..=seeds).map(run).collect::<Vec<_>>())
}
