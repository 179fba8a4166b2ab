//! Machines of any shape: groups, replicated groups, links between many nodes, and every machine file
//! that ships.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;

use std::fs;
use std::path::Path;
use std::time::Instant;

use command_line::{Scratch, kbc, root};
use kbc::arena::Id;
use kbc::diag::{Diagnostic, Sink};
use kbc::source::SourceMap;
use kbc::topology::{LinkId, Machine, NodeId, NodeKind, PeId, load};
use kbc::units::Ps;

fn check(text: &str) -> Result<Machine, Vec<Diagnostic>> {
    let mut sources = SourceMap::new();
    let file = sources.add("machine.yaml", text);
    let mut sink = Sink::new();
    let built = load(&sources, file, &mut sink).and_then(|spec| spec.build(&mut sink));
    built.map_err(|_| sink.into_sorted())
}

fn shipped(name: &str) -> Machine {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topology").join(name);
    check(&fs::read_to_string(path).unwrap()).unwrap()
}

fn names(machine: &Machine, route: &[LinkId]) -> Vec<String> {
    let to = |link: &LinkId| machine.node(machine.ends(*link).1).name.clone();
    route.iter().map(to).collect()
}

const NODES_OF_EIGHT: &str = "
machine:
  groups:
    - name: gpu
      nodes:
        - {name: sm, kind: pe}
        - {name: port, kind: router, overhead_ns: 7}
      links:
        - {from: sm, to: port, bw_gbs: 900, latency_ns: 1, both_ways: true}
    - name: node
      nodes:
        - {name: gpu, group: gpu, count: 8}
        - {name: hub, kind: switch, overhead_ns: 100}
        - {name: nic, kind: switch}
      links:
        - {from: gpu*.port, to: hub, bw_gbs: 450, latency_ns: 20, both_ways: true}
        - {from: hub, to: nic, bw_gbs: 50, latency_ns: 500, both_ways: true}
  nodes:
    - {name: node, group: node, count: 4}
    - {name: spine, kind: switch}
  links:
    - {from: node*.nic, to: spine, bw_gbs: 50, latency_ns: 1000, both_ways: true}
";

#[test]
fn groups_in_groups_are_four_nodes_of_eight() {
    let machine = check(NODES_OF_EIGHT).unwrap();
    assert_eq!(machine.pe_count(), 32);
    // Each GPU 2 nodes and 4 directed links, each node 2 more and 2, and a spine with 8.
    assert_eq!(machine.graph().node_count(), 4 * (8 * 2 + 2) + 1);
    assert_eq!(machine.link_count(), 4 * (8 * 4 + 2) + 8);
    // Ranks go node by node.
    for rank in 0..32 {
        let dma = machine.pe(PeId(rank)).dma;
        let name = format!("node{}.gpu{}.sm", rank / 8, rank % 8);
        assert_eq!(machine.node(dma).name, name);
        assert_eq!(machine.find(&name), Some(dma));
    }
    let route = |from, to| machine.route(machine.pe(PeId(from)).dma, machine.pe(PeId(to)).dma);
    let near = route(1, 6).unwrap();
    let hops = ["node0.gpu1.port", "node0.hub", "node0.gpu6.port", "node0.gpu6.sm"];
    assert_eq!(names(&machine, &near), hops);
    // Wires 1 + 20 + 20 + 1, overheads 7 + 100 + 7.
    assert_eq!(machine.latency(&near), Ps(156_000));
    let far = route(0, 31).unwrap();
    assert_eq!(far.len(), 8);
    assert!(names(&machine, &far).contains(&String::from("spine")));
}

#[test]
fn a_replicated_group_is_its_nodes_one_copy_after_another() {
    let text = "
machine:
  groups:
    - name: tile
      nodes: [{name: pe, kind: pe}, {name: r, kind: router}]
      links: [{from: pe, to: r, bw_gbs: 1, latency_ns: 2, both_ways: true}]
  replicate:
    group: tile
    count: [3, 2]
    links:
      - {from: r, to: r, offset: [1, 0], wrap: false, bw_gbs: 1, latency_ns: 1, both_ways: true}
      - {from: r, to: r, offset: [0, 1], wrap: false, bw_gbs: 1, latency_ns: 1, both_ways: true}
  nodes: [{name: probe, kind: router}]
  links: [{from: probe, to: tile4.r, bw_gbs: 1, latency_ns: 1}, {from: tile*.pe, to: probe, bw_gbs: 1, latency_ns: 9}]
";
    let machine = check(text).unwrap();
    assert_eq!((machine.pe_count(), machine.graph().node_count()), (6, 13));
    assert_eq!((machine.extent().pes.w, machine.extent().pes.h), (3, 2));
    // Six ramps, 2 × 2 links along rows and 3 along columns, both ways; one from and six to the probe.
    assert_eq!(machine.link_count(), 12 + 2 * (4 + 3) + 7);
    for pe in 0..6 {
        assert_eq!(machine.pe(PeId(pe)).dma, NodeId(2 * pe));
        assert_eq!(machine.node(NodeId(2 * pe + 1)).name, format!("tile{pe}.r"));
    }
}

/// What is wrong, and where: the code and the text that is marked.
fn mistakes(text: &str) -> Vec<(&'static str, String)> {
    let found = check(text).err().unwrap_or_default();
    let marked = |it: &Diagnostic| {
        let Some(label) = &it.primary else { return (it.code.id, String::new()) };
        let span = label.span;
        let marked = text.get(span.start as usize..span.end as usize).unwrap_or("");
        (it.code.id, marked.to_owned())
    };
    found.iter().map(marked).collect()
}

#[test]
fn every_mistake_in_groups_has_its_place() {
    let tile = "    - name: tile\n      nodes: [{name: pe, kind: pe}]\n";
    let with = |groups: &str, rest: &str| format!("machine:\n  groups:\n{groups}{rest}");
    let cases = [
        (with(tile, "  nodes: [{name: a, group: tiel}]\n"), "K0630", "tiel"),
        // Itself is not above.
        (
            with(
                "    - name: a\n      nodes: [{name: b, group: a}]\n",
                "  nodes: [{name: n, group: a}]\n",
            ),
            "K0630",
            "a",
        ),
        (with(tile, "  replicate: {group: none, count: 4}\n"), "K0630", "none"),
        (with(&format!("{tile}{tile}"), "  nodes: [{name: a, group: tile}]\n"), "K0616", "tile"),
        (with(tile, "  nodes: [{name: a, group: tile, kind: pe}]\n"), "K0602", "kind"),
        (with(tile, "  nodes: [{name: a, group: tile, count: 0}]\n"), "K0605", "0"),
        (with(tile, "  nodes: [{name: a*, group: tile}]\n"), "K0603", "a*"),
        (with("    - name: empty\n", "  nodes: [{name: a, kind: pe}]\n"), "K0615", "n"),
        (with(tile, "  nodes: [{name: a, group: tile, count: 5000000}]\n"), "K0605", "5000000"),
        (
            with(tile, "  nodes: [{name: a, group: tile, count: 2}, {name: a1.pe, kind: pe}]\n"),
            "K0616",
            "a1.pe",
        ),
        (
            with(
                tile,
                "  replicate:\n    group: tile\n    count: 4\n    links: [{from: pe, to: p, offset: 1, bw_gbs: 1, latency_ns: 1}]\n",
            ),
            "K0617",
            "p",
        ),
        (
            with(
                tile,
                "  nodes: [{name: a, group: tile, count: 2}, {name: b, group: tile, count: 3}]\n  links: [{from: a*.pe, to: b*.pe, bw_gbs: 1, latency_ns: 1}]\n",
            ),
            "K0631",
            "b*.pe",
        ),
        (
            with(
                tile,
                "  nodes: [{name: a, group: tile, count: 2}]\n  links: [{from: a*.pe, to: x*, bw_gbs: 1, latency_ns: 1}]\n",
            ),
            "K0617",
            "x*",
        ),
    ];
    for (text, code, marked) in cases {
        let found = mistakes(&text);
        let wanted = found.iter().any(|(id, span)| *id == code && span.starts_with(marked));
        assert!(wanted, "expected {code} at `{marked}`, found {found:?} in\n{text}");
    }
}

/// Groups of groups of groups are counted before they are made.
#[test]
fn what_grows_by_nesting_is_refused_in_time() {
    let mut text =
        String::from("machine:\n  groups:\n    - {name: g0, nodes: [{name: pe, kind: pe}]}\n");
    for level in 1..12 {
        text += &format!(
            "    - {{name: g{level}, nodes: [{{name: x, group: g{}, count: 1000}}]}}\n",
            level - 1
        );
    }
    text += "  nodes: [{name: all, group: g11}]\n";
    let found = mistakes(&text);
    assert!(found.iter().any(|(code, _)| *code == "K0621"), "{found:?}");
}

#[test]
fn the_torus_of_4096_is_built_and_routed_in_no_time() {
    let begun = Instant::now();
    let machine = shipped("torus4096.yaml");
    assert_eq!((machine.pe_count(), machine.link_count()), (4096, 4 * 4096));
    // Along the row first, then along the column, and around the edges where that is shorter.
    let at = |x: u32, y: u32| machine.pe(PeId(y * 64 + x)).dma;
    let route = machine.route(at(62, 1), at(1, 63)).unwrap();
    let hops: Vec<u32> = route.iter().map(|link| machine.ends(*link).1.0).collect();
    let (x, y) = ([63, 0, 1], [0, 63]);
    let wanted: Vec<u32> = x.map(|x| 64 + x).into_iter().chain(y.map(|y| y * 64 + 1)).collect();
    assert_eq!(hops, wanted);
    assert!(begun.elapsed().as_secs_f64() < 2.0, "{:?}", begun.elapsed());
}

#[test]
fn the_tori_of_wormhole_lead_one_way_round() {
    let machine = shipped("wormhole.yaml");
    assert_eq!((machine.pe_count(), machine.graph().node_count()), (120, 360));
    let tile = |x: u32, y: u32| y * 10 + x;
    let pe = |x, y| machine.pe(PeId(tile(x, y))).dma;
    let hops = |from, to| names(&machine, &machine.route(from, to).unwrap());
    // Two to the right and one down: NOC0, along x first.
    let noc0 = |x, y| format!("tile{}.noc0", tile(x, y));
    let noc1 = |x, y| format!("tile{}.noc1", tile(x, y));
    let last = |x, y| format!("tile{}.pe", tile(x, y));
    let wanted = [noc0(1, 1), noc0(2, 1), noc0(3, 1), noc0(3, 2), last(3, 2)];
    assert_eq!(hops(pe(1, 1), pe(3, 2)), wanted);
    // The way back is NOC1, along y first.
    let wanted = [noc1(3, 2), noc1(3, 1), noc1(2, 1), noc1(1, 1), last(1, 1)];
    assert_eq!(hops(pe(3, 2), pe(1, 1)), wanted);
    // Around the edges: from the last column to the first is one hop on NOC0.
    assert_eq!(hops(pe(9, 0), pe(0, 0)).len(), 3);
}

#[test]
fn a_wafer_is_routers_with_a_ramp_each() {
    let machine = shipped("wafer.yaml");
    assert_eq!(machine.pe_count(), 1024);
    let routers = machine.nodes().filter(|(_, node)| node.kind == NodeKind::Router).count();
    assert_eq!(routers, 1024);
    // A ramp, 31 + 31 hops, a ramp.
    let route = machine.route(machine.pe(PeId(0)).dma, machine.pe(PeId(1023)).dma).unwrap();
    assert_eq!(route.len(), 64);
    assert_eq!(machine.latency(&route), Ps(2 * 1176));
}

/// The data of a kernel on a machine that ships, as `kbc sim` tells it.
fn verdict(kernel: &str, topology: &str, world: &str) -> String {
    let [kernel, topology] = [format!("kernels/{kernel}.kb"), format!("topology/{topology}.yaml")]
        .map(|file| root().join(file));
    let line = [
        "sim",
        kernel.to_str().unwrap(),
        "--topology",
        topology.to_str().unwrap(),
        "--ws",
        world,
        "--json",
    ];
    let scratch = Scratch::new();
    let ran = kbc(scratch.path(), &line);
    let report: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    report["data"]["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn kernels_run_on_the_torus_of_4096() {
    assert_eq!(verdict("tree_allreduce", "torus4096", "256"), "verified");
    assert_eq!(verdict("ring_allreduce", "torus4096", "16"), "verified");
}

#[test]
fn kernels_run_on_the_tori_of_wormhole() {
    assert_eq!(verdict("tree_allreduce", "wormhole", "120"), "verified");
    assert_eq!(verdict("gemm", "wormhole", "4"), "verified");
}

#[test]
fn kernels_run_on_six_sips() {
    assert_eq!(verdict("tree_allreduce", "sips6", "768"), "verified");
    assert_eq!(verdict("ring_allreduce", "sips6", "24"), "verified");
}

/// Routes of the default machine wind around the HBM of each cube: the mistake names how many virtual channels
/// are enough, and with so many it is good.
#[test]
fn wormhole_routers_on_the_default_machine_take_ten_virtual_channels() {
    let mut found = check("network: {switching: wormhole}").unwrap_err();
    let it = found.pop().unwrap();
    assert_eq!((it.code.id, found.len()), ("K0623", 0));
    assert!(it.message.contains("`network.vcs` is 4, expected at least 10"), "{}", it.message);
    assert!(check("network: {switching: wormhole, vcs: 10}").is_ok());
}

#[test]
fn six_sips_are_a_torus() {
    let machine = shipped("sips6.yaml");
    assert_eq!(machine.pe_count(), 6 * 16 * 8);
    let cables = (0..machine.link_count()).map(LinkId::from_index).filter(|link| {
        let (from, to) = machine.ends(*link);
        [from, to].iter().all(|node| machine.node(*node).kind == NodeKind::PcieEp)
    });
    // Rows of three are rings of three cables, columns of two one cable; each both ways.
    assert_eq!(cables.count(), 2 * (2 * 3 + 3));
}
