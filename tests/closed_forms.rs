//! One transfer alone, on every kind of path of the default machine, to the picosecond: overheads +
//! wires + serialisation, worked out from `topology/default.yaml` by the formulas of docs/machine.md
//! ("Paths of the default machine"). Nothing of the simulator's code is used to expect anything: the
//! stages of each path are written down here.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod sim_kit;

use kbc::command::{Agent, AgentId};
use kbc::diag::Sink;
use kbc::driver::{Transfer, measure};
use kbc::sim::{Access, Host, Load, Mode};
use kbc::source::SourceMap;
use kbc::topology::{self, Machine, PeId, SlotKind};
use kbc::units::Ps;

/// The text of the default machine.
const TEXT: &str = include_str!("../topology/default.yaml");

fn machine() -> Machine {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let id = sources.add("default.yaml", TEXT);
    topology::load(&sources, id, &mut sink).unwrap().build(&mut sink).unwrap()
}

/// The numbers of the default machine.
struct Numbers(serde_yaml::Value);

impl Numbers {
    fn new() -> Numbers {
        Numbers(serde_yaml::from_str(TEXT).unwrap())
    }

    fn at(&self, path: &str) -> f64 {
        let found = path.split('.').fold(&self.0, |value, key| &value[key]);
        if found == "inf" {
            return f64::INFINITY;
        }
        found.as_f64().unwrap_or_else(|| panic!("no number at {path}: {found:?}"))
    }

    /// A time in ns, in ps.
    fn ps(&self, path: &str) -> u64 {
        (self.at(path) * 1000.0).round() as u64
    }

    /// An attribute of a part of a PE.
    fn pe(&self, part: &str, key: &str) -> String {
        format!("cube.pe_template.components.{part}.attrs.{key}")
    }
}

/// A link: its rate, its wire, and the node it leads to.
#[derive(Clone, Copy, Debug)]
struct Stage {
    gbs: f64,
    wire: u64,
    overhead: u64,
    /// Whether the node waits for the whole message.
    whole: bool,
}

/// A path as it is written down.
struct Path<'n> {
    numbers: &'n Numbers,
    stages: Vec<Stage>,
}

impl Path<'_> {
    fn new(numbers: &Numbers) -> Path<'_> {
        Path { numbers, stages: Vec::new() }
    }

    fn stage(mut self, rate: &str, length: &str, overhead: &str) -> Self {
        let it = self.numbers;
        let wire = (it.at(length) * it.at("ns_per_mm") * 1000.0).round() as u64;
        let overhead = if overhead.is_empty() { 0 } else { it.ps(overhead) };
        self.stages.push(Stage { gbs: it.at(rate), wire, overhead, whole: false });
        self
    }

    fn whole(mut self) -> Self {
        self.stages.last_mut().unwrap().whole = true;
        self
    }

    /// From a part of a cube to its router.
    fn out_of(self, rate: &str) -> Self {
        self.stage(rate, "cube.noc.attach_mm", "cube.noc.overhead_ns")
    }

    /// From its router to a part of a cube.
    fn into(self, rate: &str, overhead: &str) -> Self {
        self.stage(rate, "cube.noc.attach_mm", overhead)
    }

    fn out_of_dma(self) -> Self {
        let rate = self.numbers.pe("pe_dma", "bw_gbs");
        self.out_of(&rate)
    }

    fn into_dma(self) -> Self {
        let rate = self.numbers.pe("pe_dma", "bw_gbs");
        self.into(&rate, "")
    }

    fn out_of_hbm(self) -> Self {
        self.out_of("cube.hbm_ctrl.hbm_to_router_bw_gbs")
    }

    /// What an access costs the controller is not on the way there.
    fn into_hbm(self) -> Self {
        self.into("cube.hbm_ctrl.hbm_to_router_bw_gbs", "")
    }

    /// Links between routers.
    fn routers(mut self, count: usize) -> Self {
        for _ in 0..count {
            self = self.stage("cube.noc.bw_gbs", "cube.noc.pitch_mm", "cube.noc.overhead_ns");
        }
        self
    }

    fn ports(self) -> Self {
        self.stage("sip.ucie.bw_gbs", "sip.ucie.mm", "sip.ucie.overhead_ns")
    }

    /// From a cube to the next.
    fn crossing(self) -> Self {
        self.into("cube.noc.bw_gbs", "sip.ucie.overhead_ns").ports().out_of("cube.noc.bw_gbs")
    }

    fn into_io(self) -> Self {
        let noc = "sip.io_chiplet.io_noc";
        self.into("cube.noc.bw_gbs", "sip.ucie.overhead_ns").ports().stage(
            &format!("{noc}.bw_gbs"),
            &format!("{noc}.mm"),
            &format!("{noc}.overhead_ns"),
        )
    }

    fn out_of_io(self) -> Self {
        let noc = "sip.io_chiplet.io_noc";
        self.stage(&format!("{noc}.bw_gbs"), &format!("{noc}.mm"), "sip.ucie.overhead_ns")
            .ports()
            .out_of("cube.noc.bw_gbs")
    }

    /// From io_noc to a part beside it.
    fn io_part(self, part: &str) -> Self {
        let part = format!("sip.io_chiplet.{part}");
        let (rate, overhead) = (format!("{part}.bw_gbs"), format!("{part}.overhead_ns"));
        self.stage(&rate, "sip.io_chiplet.io_noc.mm", &overhead)
    }

    /// From there to io_noc.
    fn io_noc(self, part: &str) -> Self {
        let rate = format!("sip.io_chiplet.{part}.bw_gbs");
        self.stage(&rate, "sip.io_chiplet.io_noc.mm", "sip.io_chiplet.io_noc.overhead_ns")
    }

    /// From io_noc to the PCIe endpoint, which stores and forwards.
    fn endpoint(self) -> Self {
        self.io_part("pcie_ep").whole()
    }

    /// A cable to the PCIe endpoint of another SIP.
    fn cable(self) -> Self {
        let overhead = "sip.io_chiplet.pcie_ep.overhead_ns";
        self.stage("system.link.bw_gbs", "system.link.mm", overhead).whole()
    }

    fn host_link_down(self) -> Self {
        let overhead = "sip.io_chiplet.pcie_ep.overhead_ns";
        self.stage("system.host.link.bw_gbs", "system.host.link.mm", overhead).whole()
    }

    fn host_link_up(self) -> Self {
        self.stage("system.host.link.bw_gbs", "system.host.link.mm", "")
    }

    /// `T(S)`: wires and overheads; and of each stretch between parts that store and forward, the
    /// bytes at the slowest stage and one flit at each other one. `read` and `write` are the rates of
    /// the memories at its ends.
    fn time(&self, bytes: u64, read: Option<f64>, write: Option<f64>) -> u64 {
        let fixed: u64 = self.stages.iter().map(|it| it.wire + it.overhead).sum();
        let mut stretches: Vec<Vec<f64>> = vec![read.into_iter().collect()];
        for stage in &self.stages {
            stretches.last_mut().unwrap().push(stage.gbs);
            if stage.whole {
                stretches.push(Vec::new());
            }
        }
        stretches.last_mut().unwrap().extend(write);
        fixed + stretches.iter().map(|rates| self.serialised(rates, bytes)).sum::<u64>()
    }

    fn serialised(&self, rates: &[f64], bytes: u64) -> u64 {
        let flit = (self.numbers.at("flit_bytes") as u64).min(bytes);
        assert!(flit == bytes || bytes.is_multiple_of(flit), "the formula is for whole flits");
        let slowest = (0..rates.len()).min_by(|a, b| rates[*a].total_cmp(&rates[*b]));
        let of = |(at, rate): (usize, &f64)| {
            exact(if Some(at) == slowest { bytes } else { flit }, *rate)
        };
        rates.iter().enumerate().map(of).sum()
    }
}

/// `bytes` at a rate, which must be a whole number of picoseconds: nothing here is rounded.
fn exact(bytes: u64, gbs: f64) -> u64 {
    let time = bytes as f64 * 1000.0 / gbs;
    assert_eq!(time, time.round(), "{bytes} B at {gbs} GB/s");
    time as u64
}

const SIZES: [u64; 5] = [64, 256, 4 << 10, 32 << 10, 1 << 20];

/// Paths from the DMA of a PE to the HBM of another and back. A cube has 6 x 6 routers without the
/// middle 2 x 2; PEs 0, 1, 2, 3 sit in columns 0, 1, 4, 5 of the first row, 4 to 7 below them in the
/// last; connections 0 to 3 of a side at 0, 2, 3 and 5. A message between PEs a and b takes connection
/// (a + b) / 2 modulo 4.
fn pe_paths(n: &Numbers) -> Vec<PePath<'_>> {
    let mut paths = paths_in_a_sip(n);
    paths.extend(paths_between_sips(n));
    paths
}

/// What it is called, from which PE to which, and the way there and back.
type PePath<'n> = (&'static str, u32, u32, Path<'n>, Path<'n>);

fn paths_in_a_sip(n: &Numbers) -> Vec<PePath<'_>> {
    let out = || Path::new(n).out_of_dma();
    let back = || Path::new(n).out_of_hbm();
    vec![
        ("own HBM", 0, 0, out().into_hbm(), back().into_dma()),
        ("next PE", 0, 1, out().routers(1).into_hbm(), back().routers(1).into_dma()),
        ("same half", 0, 3, out().routers(5).into_hbm(), back().routers(5).into_dma()),
        ("cross half", 0, 7, out().routers(10).into_hbm(), back().routers(10).into_dma()),
        (
            "adjacent cube, connection 0",
            0,
            8,
            out().routers(5).crossing().into_hbm(),
            back().crossing().routers(5).into_dma(),
        ),
        (
            "adjacent cube, connection 2",
            2,
            10,
            out().routers(1 + 3).crossing().routers(4 + 3).into_hbm(),
            back().routers(4 + 3).crossing().routers(1 + 3).into_dma(),
        ),
        (
            "cube below",
            0,
            32,
            out().routers(5).crossing().into_hbm(),
            back().crossing().routers(5).into_dma(),
        ),
        // Row 2 of the middle cube is cut: two more links lead around.
        (
            "through a cube, around its HBM",
            1,
            17,
            out().routers(4 + 2).crossing().routers(5 + 2).crossing().routers(2 + 1).into_hbm(),
            back().routers(2 + 1).crossing().routers(5 + 2).crossing().routers(4 + 2).into_dma(),
        ),
        ("farthest cube", 0, 127, farthest(out()).into_hbm(), farthest_back(back()).into_dma()),
    ]
}

fn paths_between_sips(n: &Numbers) -> Vec<PePath<'_>> {
    let out = || Path::new(n).out_of_dma();
    let back = || Path::new(n).out_of_hbm();
    vec![
        (
            "other SIP",
            0,
            128,
            out().into_io().endpoint().cable().io_noc("pcie_ep").out_of_io().into_hbm(),
            back().into_io().endpoint().cable().io_noc("pcie_ep").out_of_io().into_dma(),
        ),
        // From cube 1 to cube 5 of the other SIP, by connection 1, whose column is cut in cube 1.
        (
            "other SIP, second row of cubes",
            9,
            128 + 5 * 8 + 2,
            out()
                .routers(1)
                .into_io()
                .endpoint()
                .cable()
                .io_noc("pcie_ep")
                .out_of_io()
                .routers(5 + 2)
                .crossing()
                .routers(2)
                .into_hbm(),
            back()
                .routers(2)
                .crossing()
                .routers(5 + 2)
                .into_io()
                .endpoint()
                .cable()
                .io_noc("pcie_ep")
                .out_of_io()
                .routers(1)
                .into_dma(),
        ),
    ]
}

/// Three cubes east, three south, along connection 3.
fn farthest(path: Path<'_>) -> Path<'_> {
    (0..6).fold(path.routers(10), |path, _| path.crossing().routers(5))
}

/// Three cubes west, three north, along connection 3.
fn farthest_back(path: Path<'_>) -> Path<'_> {
    (0..6).fold(path, |path, _| path.routers(5).crossing()).routers(10)
}

#[test]
fn stores_of_a_pe() {
    let (n, machine) = (Numbers::new(), machine());
    let command = n.ps(&n.pe("pe_cpu", "dispatch_ns")) + n.ps(&n.pe("pe_dma", "overhead_ns"));
    let tcm = n.at(&n.pe("pe_tcm", "read_bw_gbs"));
    for (name, from, to, path, _) in pe_paths(&n) {
        for bytes in SIZES {
            let transfer = Transfer { issuer: PeId(from), owner: PeId(to), writes: true };
            let found = measure(&machine, &[transfer], bytes).unwrap().makespan;
            let controller = n.ps("cube.hbm_ctrl.overhead_ns");
            let expected = command + path.time(bytes, Some(tcm), None) + controller;
            assert_eq!(found, Ps(expected), "{name}, {bytes} B");
        }
    }
}

#[test]
fn loads_of_a_pe() {
    let (n, machine) = (Numbers::new(), machine());
    let command = n.ps(&n.pe("pe_cpu", "dispatch_ns")) + n.ps(&n.pe("pe_dma", "overhead_ns"));
    let tcm = n.at(&n.pe("pe_tcm", "write_bw_gbs"));
    for (name, from, to, there, back) in pe_paths(&n) {
        for bytes in SIZES {
            let transfer = Transfer { issuer: PeId(from), owner: PeId(to), writes: false };
            let found = measure(&machine, &[transfer], bytes).unwrap().makespan;
            let asked = there.time(0, None, None) + n.ps("cube.hbm_ctrl.overhead_ns");
            let expected = command + asked + back.time(bytes, None, Some(tcm));
            assert_eq!(found, Ps(expected), "{name}, {bytes} B");
        }
    }
}

/// Through the network from DMA to DMA, into the slot, and from there to the receiver.
#[test]
fn messages_into_slots_in_tcm_sram_and_hbm() {
    let (n, machine) = (Numbers::new(), machine());
    let command = n.ps(&n.pe("pe_cpu", "dispatch_ns")) + n.ps(&n.pe("pe_dma", "overhead_ns"));
    let tcm = n.at(&n.pe("pe_tcm", "read_bw_gbs"));
    let out = || Path::new(&n).out_of_dma();
    let paths = [
        ("next PE", 1, out().routers(1).into_dma()),
        ("cross half", 7, out().routers(10).into_dma()),
        ("adjacent cube", 8, out().routers(5).crossing().into_dma()),
        ("farthest cube", 127, farthest(out()).into_dma()),
        (
            "other SIP",
            128,
            out().into_io().endpoint().cable().io_noc("pcie_ep").out_of_io().into_dma(),
        ),
    ];
    let kinds = [("tcm", SlotKind::Tcm), ("sram", SlotKind::Sram), ("hbm", SlotKind::Hbm)];
    for (name, to, path) in &paths {
        for (tier, kind) in kinds {
            for bytes in SIZES {
                let tier = |key: &str| n.pe("pe_ipcq", &format!("tiers.{tier}.{key}"));
                let rates = [n.at(&tier("bw_gbs")), n.at(&tier("hop_bw_gbs"))];
                let moved = rates.iter().map(|it| exact(bytes, *it));
                let slot = n.ps(&tier("overhead_ns")) + moved.sum::<u64>();
                let expected = command + path.time(bytes, Some(tcm), None) + 2 * slot;
                let found = sim_kit::over_queue(&machine, kind, (0, *to), bytes);
                assert_eq!(found, Ps(expected), "{name}, {bytes} B, {kind:?}");
            }
        }
    }
}

/// The shared memory of a cube joins the router at column 4 of row 2.
#[test]
fn the_way_to_shared_memory() {
    let (n, machine) = (Numbers::new(), machine());
    for (pe, links) in [(0, 4 + 2), (3, 1 + 2), (6, 3)] {
        let path = Path::new(&n)
            .out_of_dma()
            .routers(links)
            .into("cube.sram.sram_to_router_bw_gbs", "cube.sram.overhead_ns");
        let nodes = machine.pe(PeId(pe));
        let route = machine.route(nodes.dma, nodes.sram).unwrap();
        for bytes in SIZES {
            let tcm = n.at(&n.pe("pe_tcm", "read_bw_gbs"));
            let read = machine.params().tcm.read;
            let found = kbc::sim::idle_time(&machine, &route, bytes, read);
            assert_eq!(found, Ps(path.time(bytes, Some(tcm), None)), "PE {pe}, {bytes} B");
        }
    }
}

/// Host to HBM (H2D) and back (D2H): near, far in the cube, and in the farthest cube of the SIP.
#[test]
fn the_host_writes_and_reads_memory() {
    let (n, machine) = (Numbers::new(), machine());
    let down = || Path::new(&n).host_link_down().io_noc("pcie_ep").out_of_io();
    let back = || Path::new(&n).out_of_hbm();
    // PE 7 of cube 15 is entered by connection 3, column 5, from cube 3.
    let cases = [
        (0, down().into_hbm(), back()),
        (1, down().routers(1).into_hbm(), back().routers(1)),
        (7, down().routers(5).into_hbm(), back().routers(5)),
        (
            127,
            (0..3).fold(down().routers(5), |it, _| it.crossing().routers(5)).into_hbm(),
            (0..3).fold(back().routers(5), |it, _| it.crossing().routers(5)),
        ),
        (128, down().into_hbm(), back()),
    ];
    let cases =
        cases.map(|(pe, there, back)| (pe, there, back.into_io().endpoint().host_link_up()));
    let controller = n.ps("cube.hbm_ctrl.overhead_ns");
    for (pe, there, back) in &cases {
        for bytes in SIZES {
            let access = |it| Host::new(&machine, 256).unwrap().access(it).unwrap();
            let write = access(Access::Write { owner: PeId(*pe), bytes });
            let moved = there.time(bytes, None, None) + controller;
            assert_eq!(write.moved, Ps(moved), "H2D, PE {pe}, {bytes} B");
            let answered = moved + back.time(0, None, None);
            assert_eq!(write.answered, Ps(answered), "its answer, PE {pe}, {bytes} B");
            let read = access(Access::Read { owner: PeId(*pe), bytes });
            let moved = there.time(0, None, None) + controller + back.time(bytes, None, None);
            assert_eq!(read.moved, Ps(moved), "D2H, PE {pe}, {bytes} B");
        }
    }
}

/// Host, IO_CPU, M_CPU, PE_CPU and back. M_CPU joins the router at column 1 of row 2.
fn stations(n: &Numbers) -> [(Path<'_>, Path<'_>); 3] {
    let cpu = n.pe("pe_cpu", "bw_gbs");
    let host = Path::new(n).host_link_down().io_noc("pcie_ep").io_part("io_cpu");
    let io = Path::new(n).io_noc("io_cpu").out_of_io().routers(1 + 2);
    let m = Path::new(n).out_of("cube.m_cpu.bw_gbs").routers(1 + 2);
    let to_host = Path::new(n).io_noc("io_cpu").endpoint().host_link_up();
    let to_io = Path::new(n).out_of("cube.m_cpu.bw_gbs").routers(1 + 2).into_io().io_part("io_cpu");
    let to_m = Path::new(n).out_of(&cpu).routers(1 + 2);
    let m_cpu = "cube.m_cpu.overhead_ns";
    [
        (host, to_host),
        (io.into("cube.m_cpu.bw_gbs", m_cpu), to_io),
        (m.into(&cpu, &n.pe("pe_cpu", "overhead_ns")), to_m.into("cube.m_cpu.bw_gbs", m_cpu)),
    ]
}

#[test]
fn control_messages_go_by_io_cpu_and_m_cpu_to_pe_cpu_and_are_answered() {
    let (n, machine) = (Numbers::new(), machine());
    let legs = stations(&n);
    for bytes in [0, 64, 256, 4096] {
        let down: u64 = legs.iter().map(|(down, _)| down.time(bytes, None, None)).sum();
        let up: u64 = legs.iter().map(|(_, up)| up.time(0, None, None)).sum();
        let told = Host::new(&machine, 1).unwrap().tell(Load { shared: bytes, own: 0 });
        assert_eq!(told, Ps(down + up), "{bytes} B");
    }
    let launched = Host::new(&machine, 1).unwrap().launch();
    let down: u64 = legs.iter().map(|(down, _)| down.time(0, None, None)).sum();
    assert_eq!(launched.target_start - launched.sent, Ps(down), "a launch");
}

#[test]
fn the_host_has_a_pe_move_bytes() {
    let (n, machine) = (Numbers::new(), machine());
    let command = n.ps(&n.pe("pe_cpu", "dispatch_ns")) + n.ps(&n.pe("pe_dma", "overhead_ns"));
    let tcm = n.at(&n.pe("pe_tcm", "read_bw_gbs"));
    let ordered: u64 = stations(&n).iter().map(|(down, _)| down.time(0, None, None)).sum();
    let path = Path::new(&n).out_of_dma().into_hbm();
    for bytes in SIZES {
        let (issuer, owner, writes) = (PeId(0), PeId(0), true);
        let access = Access::PeDma { issuer, owner, bytes, writes };
        let found = Host::new(&machine, 1).unwrap().access(access).unwrap().moved;
        let expected = ordered + command + path.time(bytes, Some(tcm), None);
        assert_eq!(found, Ps(expected), "{bytes} B");
    }
}

/// Stores back to back of one PE: each S / min B after the one before.
#[test]
fn back_to_back_on_every_path() {
    let (n, machine) = (Numbers::new(), machine());
    let (count, bytes) = (4, 16 << 10);
    for (name, from, to, path, _) in pe_paths(&n) {
        let mut it = sim_kit::Writer::new();
        for at in 0..count {
            let tile = it.fresh(bytes);
            it.store(tile, 4096 + at * bytes, bytes / 4);
        }
        let mut it = sim_kit::program(vec![it.done()]);
        it.agents = [Agent { pe: PeId(from), ..it.agents[AgentId(0)] }].into_iter().collect();
        let all = bytes * count;
        let it = in_hbm_of(it, to, all);
        let ran = sim_kit::run_in(&it, &machine, Mode::Trains);
        let command = n.ps(&n.pe("pe_cpu", "dispatch_ns")) + n.ps(&n.pe("pe_dma", "overhead_ns"));
        let tcm = n.at(&n.pe("pe_tcm", "read_bw_gbs"));
        let slowest = path.stages.iter().map(|it| it.gbs).fold(tcm, f64::min);
        let first = command + path.time(bytes, Some(tcm), None);
        let expected = first + (count - 1) * exact(bytes, slowest);
        assert_eq!(ran.outcome.time, Ps(expected), "{name}");
    }
}

fn in_hbm_of(mut it: kbc::command::Program, pe: u32, bytes: u64) -> kbc::command::Program {
    use kbc::launch::{AddressMap, Placement, Region, Shard};
    let shard = Shard { offset: 0, bytes, pe: PeId(pe) };
    let placement = Placement::Sharded(vec![shard]);
    it.memory = AddressMap::new(vec![Region { name: "x".into(), base: 4096, bytes, placement }]);
    it
}

/// PEs around a switch, and nothing else that takes time.
const STAR: &str = "
machine:
  pe_template:
    components:
      pe_cpu: {attrs: {dispatch_ns: 0}}
      pe_dma: {attrs: {overhead_ns: 0}}
      pe_tcm: {attrs: {read_bw_gbs: inf, write_bw_gbs: inf}}
      pe_ipcq: {attrs: {tiers: {tcm: {bw_gbs: inf}}}}
  nodes:
    - {name: pe, kind: pe, count: COUNT}
    - {name: hub, kind: switch, overhead_ns: 5}
  links:
    - {from: 'pe*', to: hub, bw_gbs: 64, latency_ns: 20, both_ways: true}
";

/// `flows` PEs send `flits` flits each to one more, by a switch between them: at the switch their flits
/// come abreast, and the link behind it serves them in turn, so flow i has all of its own through at
/// flit (flits - 1) x flows + i + 1 of that link.
#[test]
fn flows_from_2_to_8_pes_have_a_fair_share_of_a_link() {
    let (flits, flit, wire, hub) = (16u64, 256u64, 20_000, 5000);
    for flows in 2..=8u32 {
        let text = STAR.replace("COUNT", &(flows + 1).to_string());
        let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
        let id = sources.add("star.yaml", text);
        let machine = topology::load(&sources, id, &mut sink).unwrap().build(&mut sink).unwrap();
        let wires: Vec<(u32, u32)> = (0..flows).map(|from| (from, flows)).collect();
        let it = sim_kit::messages(&wires, flits * flit / 4);
        let ran = sim_kit::run(&it, &machine);
        let one = exact(flit, 64.0);
        let mut ends: Vec<u64> = ran
            .records
            .iter()
            .filter(|it| it.engine == kbc::oplog::Engine::Network)
            .map(|it| it.end.0)
            .collect();
        ends.sort_unstable();
        let before = one + wire + hub;
        let of = |flow: u64| before + ((flits - 1) * u64::from(flows) + flow + 1) * one + wire;
        let expected: Vec<u64> = (0..u64::from(flows)).map(of).collect();
        assert_eq!(ends, expected, "{flows} flows");
    }
}
