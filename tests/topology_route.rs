//! Routes: connected, free of loops, shortest where they can be, the same length both ways.

use kbc::diag::{ColorChoice, Sink, to_text};
use kbc::source::SourceMap;
use kbc::topology::{LinkId, Machine, NodeId, NodeKind, PeId, Spec, load};

fn spec(text: &str) -> Spec {
    let mut sources = SourceMap::new();
    let file = sources.add("machine.yaml", text);
    let mut sink = Sink::new();
    let loaded = load(&sources, file, &mut sink);
    loaded.unwrap_or_else(|_| panic!("{}", rendered(sink, &sources)))
}

fn rendered(sink: Sink, sources: &SourceMap) -> String {
    let text = |it| to_text(it, sources, ColorChoice::Plain);
    sink.into_sorted().iter().map(text).collect()
}

fn build(spec: &Spec) -> Machine {
    spec.build(&mut Sink::new()).expect("a shipped machine fits")
}

fn machine(text: &str) -> Machine {
    build(&spec(text))
}

/// Every machine that ships, and shapes that strain routing.
fn machines() -> Vec<Machine> {
    let mut all: Vec<Machine> = [
        include_str!("../topology/default.yaml"),
        include_str!("../topology/small.yaml"),
        include_str!("../topology/ring8.yaml"),
    ]
    .map(machine)
    .into();
    let six = |fabric: &str| {
        machine(&format!(
            "system: {{sips: {{count: 6, topology: {fabric}}}}}\nsip: {{cube_mesh: {{w: 2, h: 3}}}}\n"
        ))
    };
    all.extend(["ring_1d", "torus_2d", "mesh_2d_no_wrap", "switch"].map(six));
    // An off-centre zone, so that detours are long, and 16 PEs in a cube.
    all.push(machine(
        "system: {sips: {count: 1}}\ncube:\n  pe_layout: {pe_per_corner: 4}\n  noc: {w: 7, h: 6, hbm_zone: {x: 1, y: 1, w: 4, h: 4}}\n",
    ));
    all.push(machine(
        "machine:\n  replicate: {count: [4, 3], links: [{offset: [1, 0], bw_gbs: inf, latency_ns: 1}, {offset: [0, 1], wrap: false, bw_gbs: 1, latency_ns: 0}, {offset: [0, -1], wrap: false, bw_gbs: 1, latency_ns: 0}]}\n",
    ));
    all
}

fn dma(machine: &Machine, pe: u32) -> NodeId {
    machine.pe(PeId(pe)).dma
}

/// A spread of PEs: all of a small machine.
fn sample(machine: &Machine) -> Vec<u32> {
    let count = machine.pe_count();
    (0..count).step_by((count as usize / 40).max(1)).collect()
}

/// Checks that a route is whole, visits no node twice, and passes only what may be passed.
fn sound(machine: &Machine, from: NodeId, to: NodeId, lane: u32) -> Vec<LinkId> {
    let route = machine.route_on(from, to, lane).expect("every node reaches every other");
    let mut at = from;
    let mut seen = vec![from];
    for link in &route {
        let (start, end) = machine.ends(*link);
        assert_eq!(start, at, "the route is broken at {link}");
        assert!(!seen.contains(&end), "the route visits {} twice", machine.node(end).name);
        at = end;
        seen.push(end);
        assert!(at == to || machine.node(at).kind.passes_messages());
    }
    assert_eq!(at, to, "the route does not arrive");
    route
}

#[test]
fn all_pairs_are_joined_without_loops() {
    for machine in machines() {
        for a in sample(&machine) {
            for b in sample(&machine) {
                for lane in 0..machine.lanes() {
                    sound(&machine, dma(&machine, a), dma(&machine, b), lane);
                }
            }
        }
    }
}

/// The UCIe ports that a route passes.
fn ports(machine: &Machine, route: &[LinkId]) -> usize {
    let entered = |link: &&LinkId| machine.node(machine.ends(**link).1).kind == NodeKind::Ucie;
    route.iter().filter(entered).count()
}

#[test]
fn both_ways_cross_as_many_dies_and_in_a_line_of_cubes_take_as_long() {
    for machine in machines().iter().filter(|machine| machine.find("host").is_some()) {
        let w = machine.extent().cubes.w;
        for a in sample(machine) {
            for b in sample(machine) {
                let (from, to) = (machine.coord(PeId(a)), machine.coord(PeId(b)));
                let (a, b) = (dma(machine, a), dma(machine, b));
                assert_eq!(machine.default_lane(a, b), machine.default_lane(b, a));
                let [there, back] = [(a, b), (b, a)].map(|(a, b)| machine.route(a, b).unwrap());
                assert_eq!(ports(machine, &there), ports(machine, &back));
                let in_line = from.cube / w == to.cube / w || from.cube % w == to.cube % w;
                if from.sip == to.sip && in_line {
                    assert_eq!(there.len(), back.len());
                    assert_eq!(machine.latency(&there), machine.latency(&back));
                }
            }
        }
    }
}
