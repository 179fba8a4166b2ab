//! The keys under `pe_template`: what one PE can do.

use crate::diag::{Diagnostic, machine as codes};
use crate::source::Span;
use crate::topology::section::{
    Errors, Problem, Section, bandwidth, choice, count, count_or_auto, ns, share, size,
    size_or_none,
};
use crate::topology::yaml::{Node, Value};
use crate::topology::{
    BlockParams, Clock, CreditMode, Dataflow, DmaParams, FetchStoreParams, GemmParams, HbmParams,
    IpcqParams, MathFamilies, MathParams, MmuParams, PeParams, ReleaseMode, SchedulerParams,
    SlotKind, SlotTier, Systolic, TcmParams,
};
use crate::units::{Bandwidth, Ps, grouped};

/// The memories around a PE, described elsewhere in the file.
pub(super) struct Memories {
    pub(super) hbm: HbmParams,
    pub(super) sram_bytes: u64,
}

/// The links of a PE's parts to their router.
pub(super) struct PeLinks {
    pub(super) cpu_overhead: Ps,
    pub(super) cpu: Bandwidth,
    pub(super) dma: Bandwidth,
}

/// Reads `pe_template` under `parent`, where PEs are attached to routers.
pub(super) fn read(
    parent: &mut Section<'_>,
    memories: Memories,
    errors: &mut Errors<'_>,
) -> (PeParams, PeLinks) {
    let read_links = |parts: &mut Components<'_, '_, '_>| {
        let cpu = &mut parts.cpu;
        let cpu_overhead = cpu.read("overhead_ns", parts.errors, ns).value;
        let rate = cpu.read("bw_gbs", parts.errors, bandwidth).value;
        let dma = parts.dma.read("bw_gbs", parts.errors, bandwidth).value;
        PeLinks { cpu_overhead, cpu: rate, dma }
    };
    read_template(parent, memories, errors, read_links)
}

/// Reads `pe_template` under `parent`, where a PE is one node and its links are listed.
pub(super) fn read_unattached(
    parent: &mut Section<'_>,
    memories: Memories,
    errors: &mut Errors<'_>,
) -> PeParams {
    read_template(parent, memories, errors, |_| ()).0
}

/// The `attrs` of the two parts that have links.
struct Components<'a, 't, 's> {
    cpu: &'a mut Section<'t>,
    dma: &'a mut Section<'t>,
    errors: &'a mut Errors<'s>,
}

fn read_template<L>(
    parent: &mut Section<'_>,
    memories: Memories,
    errors: &mut Errors<'_>,
    links: impl Fn(&mut Components<'_, '_, '_>) -> L,
) -> (PeParams, L) {
    let mut template = parent.section("pe_template", errors);
    let mut parts = template.section("components", errors);
    let mut cpu = attrs(&mut parts, "pe_cpu", errors);
    let mut dma_attrs = attrs(&mut parts, "pe_dma", errors);
    let dispatch = cpu.read("dispatch_ns", errors, ns).value;
    let queue_depth = cpu.read("queue_depth", errors, count(1..=1 << 20)).value;
    let dma = DmaParams {
        overhead: dma_attrs.read("overhead_ns", errors, ns).value,
        outstanding: dma_attrs.read("outstanding", errors, count(1..=1 << 20)).value,
    };
    let links = links(&mut Components { cpu: &mut cpu, dma: &mut dma_attrs, errors });
    cpu.finish(errors);
    dma_attrs.finish(errors);
    let gemm = read_gemm(attrs(&mut parts, "pe_gemm", errors), errors);
    let math = read_math(attrs(&mut parts, "pe_math", errors), errors);
    let scheduler = read_scheduler(attrs(&mut parts, "pe_scheduler", errors), errors);
    let fetch_store = read_fetch_store(attrs(&mut parts, "pe_fetch_store", errors), errors);
    let tcm = read_tcm(attrs(&mut parts, "pe_tcm", errors), errors);
    let ipcq = read_ipcq(attrs(&mut parts, "pe_ipcq", errors), errors);
    let mmu = read_mmu(attrs(&mut parts, "pe_mmu", errors), errors);
    let blocks = read_blocks(attrs(&mut parts, "pe_blocks", errors), errors);
    parts.finish(errors);
    template.finish(errors);
    let Memories { hbm, sram_bytes } = memories;
    let params = PeParams {
        dispatch,
        queue_depth,
        tcm,
        dma,
        gemm,
        math,
        scheduler,
        fetch_store,
        ipcq,
        hbm,
        sram_bytes,
        mmu,
        blocks,
    };
    (params, links)
}

/// The `attrs` of a part, whose `impl` is the one there is.
fn attrs<'t>(parts: &mut Section<'t>, name: &'static str, errors: &mut Errors<'_>) -> Section<'t> {
    let mut part = parts.section(name, errors);
    part.read("impl", errors, |node| implementation(name, node));
    let attrs = part.section("attrs", errors);
    part.finish(errors);
    attrs
}

fn implementation(part: &str, node: &Node) -> Result<(), Problem> {
    let wanted = format!("`{part}_v1`");
    let Value::Text(name) = &node.value else {
        return Err(Problem::new(codes::WRONG_TYPE, wanted));
    };
    let known = name.strip_suffix("_v1") == Some(part);
    if known { Ok(()) } else { Err(Problem::new(codes::UNKNOWN_CHOICE, wanted)) }
}

fn clock(node: &Node) -> Result<Clock, Problem> {
    let problem = |it: Problem| it.expecting(codes::BAD_QUANTITY, "a clock in GHz above 0, or inf");
    let rate = bandwidth(node).map_err(problem)?;
    Ok(Clock::from_ghz(rate.gb_per_s()).expect("a bandwidth is positive, so its clock is"))
}

fn read_gemm(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> GemmParams {
    let gemm = GemmParams {
        overhead: attrs.read("overhead_ns", errors, ns).value,
        clock: attrs.read("clock_freq_ghz", errors, clock).value,
        m: attrs.read("mac_m", errors, count(1..=1 << 16)).value,
        n: attrs.read("mac_n", errors, count(1..=1 << 16)).value,
        k: attrs.read("mac_k", errors, count(1..=1 << 16)).value,
        systolic: read_systolic(&mut attrs, errors),
    };
    attrs.finish(errors);
    gemm
}

const DATAFLOWS: &[(&str, Option<Dataflow>)] = &[
    ("mac_array", None),
    (Dataflow::OutputStationary.name(), Some(Dataflow::OutputStationary)),
    (Dataflow::WeightStationary.name(), Some(Dataflow::WeightStationary)),
    (Dataflow::InputStationary.name(), Some(Dataflow::InputStationary)),
];

fn read_systolic(attrs: &mut Section<'_>, errors: &mut Errors<'_>) -> Option<Systolic> {
    let dataflow = attrs.read("dataflow", errors, choice(DATAFLOWS)).value;
    let rows = attrs.read("array_rows", errors, count(1..=1 << 16)).value;
    let cols = attrs.read("array_cols", errors, count(1..=1 << 16)).value;
    dataflow.map(|dataflow| Systolic { dataflow, rows, cols })
}

fn read_math(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> MathParams {
    let math = MathParams {
        overhead: attrs.read("overhead_ns", errors, ns).value,
        clock: attrs.read("clock_freq_ghz", errors, clock).value,
        lanes: attrs.read("vector_width", errors, count(1..=1 << 20)).value,
        transcendental: attrs.read("transcendental", errors, count(1..=1 << 16)).value,
        families: read_families(&mut attrs, errors),
    };
    attrs.finish(errors);
    math
}

fn read_scheduler(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> SchedulerParams {
    let scheduler = SchedulerParams {
        overhead: attrs.read("overhead_ns", errors, ns).value,
        tile_m: attrs.read("tile_m", errors, count(1..=1 << 16)).value,
        tile_n: attrs.read("tile_n", errors, count(1..=1 << 16)).value,
        tile_k: attrs.read("tile_k", errors, count(1..=1 << 16)).value,
        buffers: attrs.read("buffers", errors, count(1..=1 << 10)).value,
    };
    attrs.finish(errors);
    scheduler
}

fn read_fetch_store(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> FetchStoreParams {
    let fetch_store = FetchStoreParams { overhead: attrs.read("overhead_ns", errors, ns).value };
    attrs.finish(errors);
    fetch_store
}

fn read_families(attrs: &mut Section<'_>, errors: &mut Errors<'_>) -> MathFamilies {
    let mut families = attrs.section("families", errors);
    let mut cycles = |key| families.read(key, errors, count_or_auto(1..=1 << 16)).value;
    let (exp, log, root) = (cycles("exp"), cycles("log"), cycles("root"));
    let (trig, div) = (cycles("trig"), cycles("div"));
    families.finish(errors);
    MathFamilies { exp, log, root, trig, div }
}

fn read_tcm(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> TcmParams {
    let bytes = attrs.read("size_mb", errors, size(1 << 20, "MB"));
    let reserved = attrs.read("reserved_mb", errors, size_or_none(1 << 20, "MB"));
    let read = attrs.read("read_bw_gbs", errors, bandwidth).value;
    let write = attrs.read("write_bw_gbs", errors, bandwidth).value;
    attrs.finish(errors);
    if reserved.value >= bytes.value {
        let (kept, all) = (grouped(reserved.value), grouped(bytes.value));
        let message = format!("{kept} B of TCM are reserved, but a PE has only {all} B");
        let (given, other) =
            if reserved.span.is_none() { (bytes, reserved) } else { (reserved, bytes) };
        let label = "leaves no local memory for kernels";
        let diagnostic = Diagnostic::new(codes::TCM_RESERVED, message, given.span, label);
        errors.report(match other.span {
            Span::NONE if reserved.span.is_none() => {
                diagnostic.note(format!("`reserved_mb` is {kept} B by default"))
            }
            Span::NONE => diagnostic.note(format!("`size_mb` is {all} B by default")),
            span => diagnostic.because(span, "its size"),
        });
    }
    TcmParams { bytes: bytes.value, reserved: reserved.value, read, write }
}

fn read_mmu(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> MmuParams {
    let mmu = MmuParams {
        page_bytes: attrs.read("page_bytes", errors, page).value,
        entry_bytes: attrs.read("entry_bytes", errors, count(0..=1 << 10)).value.into(),
        tlb_entries: attrs.read("tlb_entries", errors, count(0..=1 << 20)).value,
        tlb_overhead: attrs.read("tlb_overhead_ns", errors, ns).value,
        tlb_miss: attrs.read("tlb_miss_ns", errors, ns).value,
    };
    attrs.finish(errors);
    mmu
}

/// A power of two from 4 KiB to 1 GiB.
fn page(node: &Node) -> Result<u64, Problem> {
    let what = "a power of two from 4096 to 1073741824";
    let bytes =
        count(1..=1 << 30)(node).map_err(|it| it.expecting(codes::IMPOSSIBLE_COUNT, what))?;
    let fits = bytes >= 1 << 12 && bytes.is_power_of_two();
    if fits { Ok(bytes.into()) } else { Err(Problem::new(codes::IMPOSSIBLE_COUNT, what)) }
}

const CREDITS: &[(&str, CreditMode)] = &[
    (CreditMode::Asynchronous.name(), CreditMode::Asynchronous),
    (CreditMode::Blocking.name(), CreditMode::Blocking),
    (CreditMode::Ideal.name(), CreditMode::Ideal),
];

const RELEASES: &[(&str, ReleaseMode)] = &[
    (ReleaseMode::LastUse.name(), ReleaseMode::LastUse),
    (ReleaseMode::AtRecv.name(), ReleaseMode::AtRecv),
];

const KINDS: &[(&str, SlotKind)] = &[
    (SlotKind::Tcm.name(), SlotKind::Tcm),
    (SlotKind::Sram.name(), SlotKind::Sram),
    (SlotKind::Hbm.name(), SlotKind::Hbm),
];

fn read_ipcq(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> IpcqParams {
    let mut tiers = attrs.section("tiers", errors);
    let ipcq = IpcqParams {
        slots: attrs.read("slots", errors, count(1..=1 << 20)).value,
        kind: attrs.read("kind", errors, choice(KINDS)).value,
        credit: attrs.read("credit", errors, choice(CREDITS)).value,
        release: attrs.read("release", errors, choice(RELEASES)).value,
        credit_bytes: attrs.read("credit_bytes", errors, count(1..=1 << 20)).value.into(),
        setup_bytes: attrs.read("setup_bytes", errors, count(0..=1 << 20)).value.into(),
        tiers: SlotKind::ALL.map(|kind| read_tier(tiers.section(kind.name(), errors), errors)),
    };
    tiers.finish(errors);
    attrs.finish(errors);
    ipcq
}

fn read_blocks(mut attrs: Section<'_>, errors: &mut Errors<'_>) -> BlockParams {
    let mut ports = attrs.section("port", errors);
    let blocks = BlockParams {
        copy: attrs.read("copy_bw_gbs", errors, bandwidth).value,
        packets: attrs.read("packet_bw_gbs", errors, bandwidth).value,
        load_bytes: attrs.read("load_bytes", errors, count(0..=1 << 20)).value.into(),
        switch_efficiency: attrs.read("switch_efficiency", errors, share).value,
        memory: attrs.read("memory_bw_gbs", errors, bandwidth).value,
        access: attrs.read("access_ns", errors, ns).value,
        sync: attrs.read("sync_ns", errors, ns).value,
        barrier: attrs.read("barrier_ns", errors, ns).value,
        fence: attrs.read("fence_ns", errors, ns).value,
        poll: attrs.read("poll_ns", errors, ns).value,
        launch: attrs.read("launch_ns", errors, ns).value,
        signal_bytes: attrs.read("signal_bytes", errors, count(1..=1 << 20)).value.into(),
        post: ports.read("post_ns", errors, ns).value,
        service: ports.read("service_ns", errors, ns).value,
        complete: ports.read("complete_ns", errors, ns).value,
        port: ports.read("bw_gbs", errors, bandwidth).value,
    };
    ports.finish(errors);
    attrs.finish(errors);
    blocks
}

fn read_tier(mut tier: Section<'_>, errors: &mut Errors<'_>) -> SlotTier {
    let costs = SlotTier {
        overhead: tier.read("overhead_ns", errors, ns).value,
        bandwidth: tier.read("bw_gbs", errors, bandwidth).value,
        hop: tier.read("hop_bw_gbs", errors, bandwidth).value,
    };
    tier.finish(errors);
    costs
}
