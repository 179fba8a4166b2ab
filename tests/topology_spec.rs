//! Machine files: the values they give, what they leave out, and how machines grow.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::arena::Id;
use kbc::diag::{ColorChoice, Diagnostic, Sink, to_text};
use kbc::source::SourceMap;
use kbc::topology::{
    CreditMode, DEFAULT_YAML, Extent, Grid, LinkId, Machine, NodeId, NodeKind, PeId, ReleaseMode,
    SlotKind, Spec, load,
};
use kbc::units::{Bandwidth, Ps};

fn read(text: &str) -> (Option<Spec>, Vec<Diagnostic>, SourceMap) {
    let mut sources = SourceMap::new();
    let file = sources.add("dir/machine.yaml", text);
    let mut sink = Sink::new();
    let spec = load(&sources, file, &mut sink).ok();
    (spec, sink.into_sorted(), sources)
}

fn spec(text: &str) -> Spec {
    let (spec, diagnostics, sources) = read(text);
    let show = |it| to_text(it, &sources, ColorChoice::Plain);
    spec.unwrap_or_else(|| panic!("{}", diagnostics.iter().map(show).collect::<String>()))
}

fn build(spec: &Spec) -> Machine {
    spec.build(&mut Sink::new()).expect("the machine is small")
}

fn codes(text: &str) -> Vec<&'static str> {
    read(text).1.iter().map(|it| it.code.id).collect()
}

fn gb(rate: f64) -> Bandwidth {
    Bandwidth::from_gb_per_s(rate).expect("a positive rate")
}

#[test]
fn the_default_machine_is_kernbenchs() {
    let spec = spec(DEFAULT_YAML);
    let sips = Grid { w: 2, h: 1, wraps: true };
    let cubes = Grid { w: 4, h: 4, wraps: false };
    let pes = Grid { w: 4, h: 2, wraps: false };
    assert_eq!(*spec.extent(), Extent { sips, cubes, pes });
    assert_eq!((spec.extent().pe_count(), spec.flit_bytes()), (256, 256));
    let params = spec.params();
    assert_eq!(params.tcm.bytes, 16 << 20);
    assert_eq!(params.tcm.reserved, 4 << 20);
    assert_eq!(params.hbm.bytes, 6 << 30); // 48 GB in 8 slices
    assert_eq!(params.sram_bytes, 32 << 20);
    assert_eq!(params.dispatch, Ps(1000));
    // kernbench's fitted slot costs of 2,048 bytes: 4, 2 + 4 + 16, 6 + 8 + 8 ns.
    let time = |kind| params.ipcq.tier(kind).time(2048);
    assert_eq!(SlotKind::ALL.map(time), [Ps(4000), Ps(22_000), Ps(22_000)]);
}

#[test]
fn what_is_left_out_is_as_in_the_default_file() {
    for text in ["", "# nothing\n", "system:\n  sips:\n    count: 2\n", "{}"] {
        let spec = spec(text);
        assert_eq!(spec.params(), Spec::implied().params());
        assert_eq!(spec.extent(), Spec::implied().extent());
    }
    assert_eq!(spec("").name(), "machine"); // the file's stem
    assert_eq!(spec("name: wafer\n").name(), "wafer");
}

#[test]
fn kernbenchs_choices_are_kept_apart() {
    let spec = spec(include_str!("../topology/kernbench.yaml"));
    let ipcq = &spec.params().ipcq;
    assert_eq!((ipcq.credit, ipcq.release), (CreditMode::Blocking, ReleaseMode::AtRecv));
}

#[test]
fn infinity_is_a_bandwidth_but_no_time() {
    for inf in ["inf", ".inf", ".Inf"] {
        let machine = build(&spec(&format!("cube:\n  noc:\n    bw_gbs: {inf}\n")));
        let pe = machine.pe(PeId(0));
        let route = machine.route(pe.dma, machine.pe(PeId(1)).dma).unwrap();
        assert_eq!(machine.link(route[1]).bandwidth, Bandwidth::INFINITE);
    }
    assert_eq!(codes("cube:\n  noc:\n    bw_gbs: -.inf\n"), ["K0606"]);
    assert_eq!(codes("cube:\n  noc:\n    bw_gbs: .nan\n"), ["K0606"]);
    assert_eq!(codes("cube:\n  noc:\n    overhead_ns: .inf\n"), ["K0607"]);
    assert_eq!(codes("cube:\n  noc:\n    overhead_ns: .nan\n"), ["K0607"]);
}

#[test]
fn efficiency_scales_the_bandwidth_of_hbm() {
    let machine = build(&spec("cube:\n  hbm_ctrl:\n    efficiency: 0.8\n"));
    let pe = machine.pe(PeId(3));
    let route = machine.route(pe.dma, pe.hbm).unwrap();
    assert_eq!(machine.bottleneck(&route), gb(204.8));
}

#[test]
fn many_mistakes_are_found_in_one_run() {
    let text = "\
sips: 3
system:
  sips: {count: 6, topology: torus, w: 4, h: 2}
sip:
  cube_mesh: {w: four, h: 0}
  ucie: {overhead_ns: -8, bw: 3, connections: 2.5}
cube:
  noc: {bw_gbs: 0}
  pe_template: {components: {pe_cpu: {impl: v2}}}
";
    let found = codes(text);
    let expected =
        ["K0602", "K0608", "K0609", "K0603", "K0605", "K0607", "K0602", "K0603", "K0606", "K0608"];
    assert_eq!(found, expected);
}

#[test]
fn a_diagnostic_points_at_the_value_and_names_the_path() {
    let (_, diagnostics, sources) = read("sip:\n  ucie:\n    overhead_ns: -8 # no\n");
    let [only] = diagnostics.as_slice() else { panic!("one mistake, one message") };
    let label = only.primary.as_ref().unwrap();
    assert_eq!(sources.text(label.span), "-8");
    assert!(only.message.contains("`sip.ucie.overhead_ns`"), "{}", only.message);
    assert_eq!(sources.get(label.span.file).unwrap().line_column(label.span.start), (3, 18));
}

#[test]
fn misspelt_keys_are_mended_by_the_suggestion() {
    for (wrong, right) in [("cube_mash", "cube_mesh"), ("uice", "ucie"), ("Ucie", "ucie")] {
        let (_, diagnostics, _) = read(&format!("sip:\n  {wrong}: {{}}\n"));
        let replacements: Vec<&str> = diagnostics
            .iter()
            .flat_map(|it| &it.suggestions)
            .map(|suggestion| suggestion.replacement.as_str())
            .collect();
        assert_eq!(replacements, [right]);
    }
}

#[test]
fn aliases_and_merges_are_read() {
    let text = "\
cube:
  m_cpu: &fast {overhead_ns: 0}
  hbm_ctrl: *fast
  sram:
    <<: *fast
    size_mb: 1
";
    let spec = spec(text);
    assert_eq!(spec.params().sram_bytes, 1 << 20);
    assert_eq!(spec.params().hbm.overhead, Ps::ZERO);
}

#[test]
fn grids_of_sips_follow_the_fabric() {
    let grid = |text: &str| spec(&format!("system: {{sips: {{{text}}}}}\n")).extent().sips;
    assert_eq!(grid("count: 6, topology: torus_2d"), Grid { w: 3, h: 2, wraps: true });
    assert_eq!(grid("count: 6, topology: torus_2d, h: 3"), Grid { w: 2, h: 3, wraps: true });
    assert_eq!(grid("count: 9, topology: mesh_2d_no_wrap"), Grid { w: 3, h: 3, wraps: false });
    // Rings and switches are one row, whatever grid a sweep over fabrics leaves in place.
    assert_eq!(grid("count: 6, topology: ring_1d, w: 3, h: 2"), Grid { w: 6, h: 1, wraps: true });
    assert_eq!(grid("count: 5, topology: switch"), Grid { w: 5, h: 1, wraps: true });
}

#[test]
fn pes_are_numbered_row_by_row_through_the_corners() {
    let grid = |text: &str| spec(&format!("cube: {{pe_layout: {{{text}}}}}\n")).extent().pes;
    let pes = |w, h| Grid { w, h, wraps: false };
    assert_eq!(grid("pe_per_corner: 1"), pes(2, 2));
    assert_eq!(grid("pe_per_corner: 2"), pes(4, 2));
    assert_eq!(grid("pe_per_corner: 4"), pes(4, 4));
    assert_eq!(grid("pe_per_corner: 4, corners: [NE]"), pes(2, 2));
    assert_eq!(grid("pe_per_corner: 2, corners: [SW, NW]"), pes(2, 2));
}

#[test]
fn the_implied_machine_grows_by_sips() {
    let spec = Spec::implied();
    for (world, sips) in [(1, 2), (256, 2), (257, 3), (4096, 32), (100_000, 782)] {
        let grown = spec.grow_to(world);
        assert_eq!(grown.extent().sips.count(), sips, "world {world}");
        assert_eq!(grown.extent().cubes, spec.extent().cubes);
    }
    // The largest machine is the end, not an overflow.
    assert!(spec.grow_to(u32::MAX).extent().pe_count() <= 1 << 24);
    assert_eq!(build(&spec.grow_to(300)).pe_count(), 384);
}

#[test]
fn too_large_a_graph_is_refused_but_not_its_counts() {
    let grown = Spec::implied().grow_to(1 << 23);
    let mut sink = Sink::new();
    assert!(grown.build(&mut sink).is_err());
    assert_eq!(sink.diagnostics().iter().map(|it| it.code.id).collect::<Vec<_>>(), ["K0621"]);
}

#[test]
fn a_ring_is_one_number_long() {
    for count in [1, 2, 8, 64, 256, 1024] {
        let text = include_str!("../topology/ring8.yaml");
        let machine = build(&spec(&text.replace("count: 8", &format!("count: {count}"))));
        assert_eq!(machine.pe_count(), count);
        let params = machine.params();
        let costs = [params.dispatch, params.dma.overhead, params.math.overhead];
        assert_eq!(costs, [Ps::ZERO; 3]);
        assert_eq!(params.ipcq.tier(SlotKind::Tcm).time(1 << 20), Ps::ZERO);
        assert_eq!(params.ipcq.credit, CreditMode::Ideal);
        for rank in (0..count).filter(|_| count > 1) {
            let route = machine.route(NodeId(rank), NodeId((rank + 1) % count)).unwrap();
            assert_eq!((route.len(), machine.latency(&route)), (1, Ps(100_000)));
            // A chunk of 1 MiB over 1,024 PEs is 1,024 bytes: 16 ns at 64 GB/s.
            assert_eq!(machine.bottleneck(&route).time(1024), Ps(16_000));
        }
        if count == 8 {
            let across = machine.route(NodeId(0), NodeId(3)).unwrap();
            assert_eq!(machine.latency(&across), Ps(300_000));
        }
    }
}

#[test]
fn one_node_is_all_of_a_listed_pe() {
    let text = "\
machine:
  nodes:
    - {name: left, kind: pe}
    - {name: hub, kind: switch, overhead_ns: 5}
    - {name: right, kind: pe}
  links:
    - {from: left, to: hub, bw_gbs: 50, latency_ns: 100, both_ways: true}
    - {from: hub, to: right, bw_gbs: 25, latency_ns: 200, both_ways: true}
";
    let machine = build(&spec(text));
    let (left, right) = (machine.pe(PeId(0)), machine.pe(PeId(1)));
    assert_eq!((left.cpu, left.hbm, left.sram), (left.dma, left.dma, left.dma));
    let route = machine.route(left.dma, right.dma).unwrap();
    assert_eq!(machine.latency(&route), Ps(305_000)); // 100 + 5 + 200 ns
    assert_eq!(machine.bottleneck(&route), gb(25.0));
    assert_eq!(machine.latency(&[]), Ps::ZERO);
}

/// Every link of every kind of machine joins two nodes that exist, and no node stands alone.
#[test]
fn every_node_is_joined() {
    let ring = include_str!("../topology/ring8.yaml");
    for text in [DEFAULT_YAML, include_str!("../topology/small.yaml"), ring] {
        let machine = build(&spec(text));
        let mut joined = vec![false; machine.graph().node_count()];
        for link in (0..machine.link_count()).map(LinkId::from_index) {
            let (from, to) = machine.ends(link);
            joined[from.index()] = true;
            joined[to.index()] = true;
        }
        assert!(joined.into_iter().all(|it| it));
        let pes = machine.nodes().filter(|(_, node)| node.kind == NodeKind::PeDma).count();
        assert_eq!(pes as u32, machine.pe_count());
    }
}

const DOCUMENT: &str = include_str!("../docs/machine.md");

#[test]
fn the_machines_of_the_document_are_good() {
    let fences = DOCUMENT.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let machines: Vec<Machine> = fences.map(|text| build(&spec(text))).collect();
    assert_eq!(machines.iter().map(Machine::pe_count).collect::<Vec<_>>(), [2, 8, 32]);
}

#[test]
fn every_key_is_documented() {
    let keys = DEFAULT_YAML.lines().filter_map(|line| {
        let (key, _) = line.trim_start().split_once(':')?;
        key.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(key)
    });
    for key in keys.filter(|key| !matches!(*key, "tcm" | "hbm")) {
        let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        assert!(DOCUMENT.split(word).any(|it| it == key), "docs/machine.md does not name `{key}`");
    }
}
