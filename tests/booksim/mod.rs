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

/// One curve of BookSim 2's: mean latency against load, `None` where it says that it is saturated.
pub struct Curve {
    pub name: String,
    pub machine: Machine,
    pub points: Vec<(f64, Option<f64>)>,
    traffic: OpenLoop,
}

impl Curve {
    /// What is sent, with a seed.
    pub fn traffic(&self, seed: u64) -> OpenLoop {
        OpenLoop { seed, ..self.traffic }
    }

    /// The first load at which BookSim is saturated; the largest there is, where it never is.
    pub fn saturation(&self) -> f64 {
        let largest = self.points.iter().map(|point| point.0).fold(0.0, f64::max);
        self.points.iter().find(|point| point.1.is_none()).map_or(largest, |point| point.0)
    }
}

/// All curves of the two files in a folder.
pub fn curves(folder: &str) -> Vec<Curve> {
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    let mut curves = Vec::new();
    for line in read("booksim2_mesh.csv").lines().skip(1) {
        point_of_meshes(&mut curves, &line.split(',').collect::<Vec<_>>());
    }
    for line in read("booksim2_mesh8x8_uniform_xy.csv").lines().skip(1) {
        point_of_routers(&mut curves, &line.split(',').collect::<Vec<_>>());
    }
    curves
}

/// Adds a point to the curve of its name, which may be a new one.
fn add(
    curves: &mut Vec<Curve>,
    name: String,
    point: (f64, Option<f64>),
    (side, routers, traffic): (u32, Routers, OpenLoop),
) {
    if curves.last().is_none_or(|it| it.name != name) {
        let machine = mesh(side, routers);
        curves.push(Curve { name: name.clone(), machine, points: Vec::new(), traffic });
    }
    let found = curves.iter_mut().find(|it| it.name == name).unwrap();
    found.points.push(point);
}

/// A line of `booksim2_mesh.csv`: two sizes of mesh, five patterns, packets of 1 to 64 flits, 1 to 8
/// virtual channels. Its configuration is `booksim2_base.cfg` beside it.
fn point_of_meshes(curves: &mut Vec<Curve>, cells: &[&str]) {
    let [side, flits, vcs, buffer] = [0, 2, 3, 4].map(|at| cells[at].parse::<u32>().unwrap());
    let pattern = cells[1].split('(').next().unwrap();
    let pattern = Pattern::ALL.into_iter().find(|it| it.name() == pattern).unwrap();
    let name = format!("{side}x{side} {} {flits} {vcs}x{buffer}", pattern.name());
    let point = (cells[5].parse().unwrap(), cells[6].parse().ok());
    let traffic = OpenLoop::new(pattern, flits, 0);
    add(curves, name, point, (side, (vcs, buffer, 1, 1, false), traffic));
}

/// A line of `booksim2_mesh8x8_uniform_xy.csv`: three routers whose configurations are not beside the
/// file. `vc8` is that of BookSim's `examples/mesh88_lat`, `vc1` the same with one virtual channel that
/// does not wait for its last credit (it would be saturated everywhere), `ideal` has what is found to
/// reproduce it. It was measured over more than BookSim's 10 periods: one run took 56,639 cycles.
fn point_of_routers(curves: &mut Vec<Curve>, cells: &[&str]) {
    let routers = match cells[0] {
        "vc8" => (8, 8, 2, 2, true),
        "vc1" => (1, 8, 1, 2, false),
        _ => (16, 64, 4, 2, false),
    };
    let name = format!("8x8 uniform {} {}", cells[1], cells[0]);
    let latency = cells[4].parse().ok().filter(|it: &f64| it.is_finite());
    let traffic = OpenLoop::new(Pattern::Uniform, cells[1].parse().unwrap(), 0);
    let traffic = OpenLoop { periods: 17, ..traffic };
    add(curves, name, (cells[2].parse().unwrap(), latency), (8, routers, traffic));
}
