//! A machine as text: counts, parts, links, what a PE can do, and sample routes hop by hop.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::spec::Form;
use super::{
    AddressLayout, BankTiming, ChannelParams, Die, Extent, HbmParams, IoUnit, LinkId, Location,
    MCpuUnit, Machine, MmuParams, NodeId, NodeKind, PeCoord, PeId, PeParams, PeUnit,
    SchedulerParams, SlotKind, Spec, Unit,
};
use crate::units::{Bandwidth, Ps, grouped};

/// Everything worth knowing about `machine`, which `spec` built, ending in a newline.
pub fn show(spec: &Spec, machine: &Machine) -> String {
    let mut out = format!("{}: {}\n", machine.name(), counts(spec));
    section(&mut out, "levels", &levels(spec));
    section(&mut out, "nodes", &nodes(machine));
    section(&mut out, "links", &links(machine));
    section(&mut out, "each PE", &parameters(machine.params()));
    section(&mut out, "physical addresses", &addresses(machine));
    for (title, from, to) in samples(spec, machine) {
        show_route(&mut out, machine, &title, (from, to));
    }
    out
}

/// `2 SIPs × 16 cubes × 8 PEs = 256 PEs`.
pub(super) fn counts(spec: &Spec) -> String {
    let extent = spec.extent();
    let total = grouped(extent.pe_count().into());
    match spec.form() {
        Form::Nodes(_) => format!("{total} PEs"),
        Form::Hierarchy(_) => {
            let some = |count: u32, what: &str| {
                let plural = if count == 1 { "" } else { "s" };
                format!("{} {what}{plural}", grouped(count.into()))
            };
            let Extent { sips, cubes, pes } = extent;
            let [sips, cubes, pes] = [(sips, "SIP"), (cubes, "cube"), (pes, "PE")]
                .map(|(it, what)| some(it.count(), what));
            format!("{sips} × {cubes} × {pes} = {total} PEs")
        }
    }
}

fn section(out: &mut String, title: &str, rows: &[Vec<String>]) {
    if !rows.is_empty() {
        let _ = write!(out, "\n{title}\n{}", table(rows));
    }
}

/// Rows as columns two spaces apart. A column of numbers under a heading is set to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let shape: Vec<(usize, bool)> = (0..columns)
        .map(|column| {
            let width = cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0);
            (width, rows.len() > 1 && cells(column).skip(1).all(|cell| is_number(cell)))
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, (width, to_the_right)) in row.iter().zip(&shape) {
            let _ = if *to_the_right {
                write!(line, "  {cell:>width$}")
            } else {
                write!(line, "  {cell:<width$}")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Whether a cell is a count, a rate or a time.
fn is_number(cell: &str) -> bool {
    let mut words = cell.split(' ');
    let digits = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.');
    let number = words.next().is_some_and(|word| word == "inf" || digits(word));
    number && words.all(|unit| matches!(unit, "ns" | "us" | "ms" | "s"))
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

fn levels(spec: &Spec) -> Vec<Vec<String>> {
    let Form::Hierarchy(form) = spec.form() else { return Vec::new() };
    let Extent { sips, cubes, pes } = *spec.extent();
    let plan = form.floorplan.grid();
    let size = |w: u32, h: u32| format!("{w} × {h}");
    let zone = match (plan.zone.w, plan.zone.h) {
        (0, _) | (_, 0) => String::from("routers, XY"),
        (w, h) => format!("routers, XY, without the {w} × {h} that HBM displaces"),
    };
    vec![
        row(["SIPs", &size(sips.w, sips.h), form.fabric.kind.name()]),
        row(["cubes of a SIP", &size(cubes.w, cubes.h), "mesh over UCIe, XY"]),
        row(["PEs of a cube", &size(pes.w, pes.h), "beside their routers"]),
        row(["NOC of a cube", &size(plan.w, plan.h), &zone]),
    ]
}

fn nodes(machine: &Machine) -> Vec<Vec<String>> {
    let mut kinds: BTreeMap<(NodeKind, Ps, bool), u64> = BTreeMap::new();
    for (_, node) in machine.nodes() {
        *kinds.entry((node.kind, node.overhead, node.store_and_forward)).or_default() += 1;
    }
    let mut rows = vec![row(["kind", "count", "overhead", ""])];
    rows.extend(kinds.into_iter().map(|((kind, overhead, stores), count)| {
        let how = if stores { "stores and forwards" } else { "" };
        row([kind.name(), &grouped(count), &overhead.to_string(), how])
    }));
    rows
}

/// A bandwidth in GB/s, or `inf`.
pub(super) fn rate(bandwidth: Bandwidth) -> String {
    format!("{}", bandwidth.gb_per_s())
}

fn links(machine: &Machine) -> Vec<Vec<String>> {
    let mut kinds: BTreeMap<(NodeKind, NodeKind, Ps, String), u64> = BTreeMap::new();
    for index in 0..machine.link_count() {
        let id = LinkId(index as u32);
        let (from, to) = machine.ends(id);
        let link = machine.link(id);
        let key = (machine.node(from).kind, machine.node(to).kind, link.wire, rate(link.bandwidth));
        *kinds.entry(key).or_default() += 1;
    }
    let mut rows = vec![row(["from", "to", "count", "GB/s", "wire"])];
    rows.extend(kinds.into_iter().map(|((from, to, wire, rate), count)| {
        row([from.name(), to.name(), &grouped(count), &rate, &wire.to_string()])
    }));
    rows
}

fn parameters(params: &PeParams) -> Vec<Vec<String>> {
    let PeParams {
        dispatch, queue_depth, tcm, dma, gemm, math, ipcq, hbm, sram_bytes, mmu, ..
    } = params;
    let (scheduler, fetch_store) = (&params.scheduler, &params.fetch_store);
    let SchedulerParams { tile_m, tile_n, tile_k, buffers, .. } = scheduler;
    let tiles = format!("tiles of {tile_m} × {tile_n} × {tile_k}, {buffers} between two stages");
    let tcm_rates = format!("read {} GB/s, write {} GB/s", rate(tcm.read), rate(tcm.write));
    let (kept, bytes) = (grouped(tcm.reserved), grouped(tcm.bytes));
    let macs = match gemm.systolic {
        Some(array) => {
            format!("systolic, {} × {}, {} dataflow", array.rows, array.cols, array.dataflow.name())
        }
        None => format!("{} × {} × {} multiply-adds a cycle", gemm.m, gemm.n, gemm.k),
    };
    let lanes = format!("{} lanes, transcendentals ×{}", math.lanes, math.transcendental);
    let at = |ghz: f64, overhead: &Ps| format!("at {ghz} GHz, overhead {overhead}");
    let queues = format!("{} slots in {}", ipcq.slots, ipcq.kind.name());
    let credits = format!("{} credits of {} B", ipcq.credit.name(), ipcq.credit_bytes);
    let mut rows = vec![
        row(["PE_CPU", &format!("dispatch {dispatch}, {queue_depth} commands wait at an engine")]),
        row(["DMA", &format!("overhead {}, {} in flight", dma.overhead, dma.outstanding)]),
        row(["GEMM", &format!("{macs} {}", at(gemm.clock.ghz(), &gemm.overhead))]),
        row(["MATH", &format!("{lanes} {}", at(math.clock.ghz(), &math.overhead))]),
        row(["Scheduler", &format!("{tiles}, overhead {}", scheduler.overhead)]),
        row(["Fetch/store", &format!("overhead {}", fetch_store.overhead)]),
        row(["TCM", &format!("{bytes} B, {kept} B of it reserved, {tcm_rates}")]),
    ];
    rows.extend(memory(hbm));
    rows.extend([
        row(["SRAM", &format!("{} B for all PEs of a cube", grouped(*sram_bytes))]),
        row(["MMU", &translation(mmu)]),
        row(["IPCQ", &format!("{queues}, {credits}, release {}", ipcq.release.name())]),
    ]);
    rows.extend(SlotKind::ALL.map(|kind| {
        let tier = ipcq.tier(kind);
        let hop = match tier.hop {
            Bandwidth::INFINITE => String::new(),
            hop => format!(", {} GB/s on the way there", rate(hop)),
        };
        let (name, overhead, memory) = (kind.name(), tier.overhead, rate(tier.bandwidth));
        row(["", &format!("a slot in {name}: {overhead}, {memory} GB/s{hop}")])
    }));
    rows
}

/// A PE's HBM: its controller, its channels, the banks behind them.
fn memory(hbm: &HbmParams) -> Vec<Vec<String>> {
    let HbmParams { bytes, overhead, atomic, burst, channels, banks } = hbm;
    let (bytes, burst) = (grouped(*bytes), grouped(*burst));
    let mut rows = vec![row([
        "HBM",
        &format!("{bytes} B, overhead {overhead}, bursts of {burst} B, an atomic {atomic} each"),
    ])];
    let Some(ChannelParams { count, bandwidth, commit, turnaround }) = channels else {
        rows.push(row(["", "no pseudo-channels: it keeps up with its link"]));
        return rows;
    };
    let Some(banks) = banks else {
        let rate = rate(*bandwidth);
        let costs = format!("commit {commit}, turnaround {turnaround}");
        rows.push(row(["", &format!("{count} pseudo-channels of {rate} GB/s, {costs}")]));
        return rows;
    };
    let (groups, each) = (banks.bankgroups, banks.banks_per_group);
    let (deep, wide) = (grouped(banks.rows.into()), grouped(banks.row_bytes));
    let size = format!("{groups} × {each} banks of {deep} rows of {wide} B");
    rows.push(row(["", &format!("{count} pseudo-channels, each {size}, tCK {}", banks.t_ck)]));
    let it = &banks.timing;
    let BankTiming { cl, cwl, rcd_rd, rcd_wr, rp, ras, faw, refi, rfc, .. } = it;
    rows.push(row([
        "",
        &format!(
            "CL {cl}, CWL {cwl}, tRCDRD {rcd_rd}, tRCDWR {rcd_wr}, tRP {rp}, tRAS {ras}, \
             tFAW {faw}, tREFI {refi}, tRFC {rfc}"
        ),
    ]));
    rows
}

/// The fields of an address, and where the units of the first cube are.
fn addresses(machine: &Machine) -> Vec<Vec<String>> {
    let extent = machine.extent();
    let Some(layout) = AddressLayout::new(extent, machine.params()) else { return Vec::new() };
    let AddressLayout { sip_bits, die_bits, offset_bits, .. } = layout;
    let fields = format!("{sip_bits} of the SIP, {die_bits} of the die, {offset_bits} in the die");
    let mut rows = vec![row([&format!("{} bits", layout.bits()), &fields, ""])];
    let last = extent.pes.count() - 1;
    let mut units = vec![
        (format!("HBM of pe0 to pe{last}"), Die::Cube(0), Unit::Hbm),
        (String::from("TCM of pe0"), Die::Cube(0), Unit::Pe(0, PeUnit::Tcm)),
        (format!("TCM of pe{last}"), Die::Cube(0), Unit::Pe(last, PeUnit::Tcm)),
        (String::from("SRAM"), Die::Cube(0), Unit::Sram),
    ];
    if !machine.processors().m_cpus.is_empty() {
        units.push((String::from("M_CPU"), Die::Cube(0), Unit::MCpu(MCpuUnit::Memory)));
        units.push((String::from("IO_CPU"), Die::Io(0), Unit::IoCpu(IoUnit::Memory)));
    }
    rows.extend(units.into_iter().filter_map(|(name, die, unit)| {
        let place = Location { sip: 0, die, unit, offset: 0 };
        let address = layout.encode(&place).ok()?;
        let (_, bytes) = layout.window(die, unit).ok()?;
        Some(row([&name, &format!("{:#x}", address.0), &format!("{} B", grouped(bytes))]))
    }));
    rows
}

fn translation(mmu: &MmuParams) -> String {
    let pages = format!("pages of {} B, {} an entry", grouped(mmu.page_bytes), mmu.tlb_overhead);
    match mmu.tlb_entries {
        0 => pages,
        entries => {
            let (entries, miss) = (grouped(entries.into()), mmu.tlb_miss);
            format!("{pages}, {miss} more for one that is none of the last {entries}")
        }
    }
}

/// Routes worth seeing, each with a title.
fn samples(spec: &Spec, machine: &Machine) -> Vec<(String, NodeId, NodeId)> {
    let extent = spec.extent();
    let first = machine.pe(PeId(0));
    let mut samples = Vec::new();
    let mut to_pe = |title: &str, at: PeCoord| {
        let pe = extent.pe_at(at);
        let to = machine.pe(pe).dma;
        if to != first.dma && !samples.iter().any(|(_, _, other)| *other == to) {
            samples.push((title.to_owned(), first.dma, to));
        }
    };
    let here = PeCoord { sip: 0, cube: 0, pe: 0 };
    to_pe("to the next PE", PeCoord { pe: 1 % extent.pes.count(), ..here });
    let last = match spec.form() {
        Form::Hierarchy(_) => "to the last PE of the cube",
        Form::Nodes(_) => "to the last PE",
    };
    to_pe(last, PeCoord { pe: extent.pes.count() - 1, ..here });
    to_pe("to the next cube", PeCoord { cube: 1 % extent.cubes.count(), ..here });
    to_pe("to the last cube", PeCoord { cube: extent.cubes.count() - 1, ..here });
    to_pe("to the next SIP", PeCoord { sip: 1 % extent.sips.count(), ..here });
    if let Some(host) = machine.nodes().find(|(_, node)| node.kind == NodeKind::Host) {
        samples.push((String::from("from the host to a PE's CPU"), host.0, first.cpu));
    }
    if first.hbm != first.dma {
        samples.insert(0, (String::from("to its own HBM"), first.dma, first.hbm));
    }
    samples
}

fn show_route(out: &mut String, machine: &Machine, title: &str, ends: (NodeId, NodeId)) {
    let Some(route) = machine.route(ends.0, ends.1) else { return };
    let [from, to] = [ends.0, ends.1].map(|end| machine.node(end).name.as_str());
    let (hops, latency) = (route.len(), machine.latency(&route));
    let slowest = rate(machine.bottleneck(&route));
    let _ = write!(out, "\nroute {title}: {from} → {to}\n");
    let links = if hops == 1 { "link" } else { "links" };
    let _ = writeln!(out, "  {hops} {links}, {latency} to the first byte, {slowest} GB/s");
    let mut rows = vec![row(["enters", "", "links", "wire", "overhead", "GB/s", "first byte"])];
    let mut so_far = 0;
    for run in runs(machine, &route) {
        so_far += run.len();
        rows.push(hop_row(machine, run, machine.latency(route.get(..so_far).unwrap_or(&route))));
    }
    out.push_str(&table(&rows));
}

fn hop_row(machine: &Machine, run: &[LinkId], so_far: Ps) -> Vec<String> {
    let ends = [run.first(), run.last()].map(|link| link.map(|link| machine.ends(*link).1));
    let [Some(first), Some(last)] = ends else { return Vec::new() };
    let (first, last) = (machine.node(first), machine.node(last));
    let short = last.name.rsplit('.').next().unwrap_or(&last.name);
    let name =
        if run.len() > 1 { format!("{} … {short}", first.name) } else { last.name.clone() };
    let wire: Ps = run.iter().map(|link| machine.link(*link).wire).sum();
    let overhead: Ps = run.iter().map(|link| machine.node(machine.ends(*link).1).overhead).sum();
    let how = if last.store_and_forward { "stores and forwards" } else { "" };
    let slowest = rate(machine.bottleneck(run));
    row([
        &name,
        how,
        &run.len().to_string(),
        &wire.to_string(),
        &overhead.to_string(),
        &slowest,
        &so_far.to_string(),
    ])
}

/// The route in pieces: routers or PEs that follow one another over like links are one piece.
fn runs<'r>(machine: &Machine, route: &'r [LinkId]) -> impl Iterator<Item = &'r [LinkId]> {
    let like = |a: &LinkId, b: &LinkId| {
        let [(a_from, a_to), (b_from, b_to)] = [a, b].map(|link| machine.ends(*link));
        let kind = |node: NodeId| machine.node(node).kind;
        let same_kind = kind(a_from) == kind(a_to) && kind(b_from) == kind(b_to);
        same_kind && kind(a_to) == kind(b_to) && machine.link(*a) == machine.link(*b)
    };
    route.chunk_by(like).collect::<Vec<_>>().into_iter()
}
