//! What one processing element can do, and how long each part takes. Every number comes from
//! the machine's YAML; this file holds none.

use super::BankParams;
use crate::ops::CostClass;
use crate::units::{Bandwidth, Ps};

/// A clock, held exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock(Bandwidth);

impl Clock {
    /// A clock of `ghz` gigahertz; `None` unless positive. Infinity makes cycles free.
    pub fn from_ghz(ghz: f64) -> Option<Clock> {
        Bandwidth::from_gb_per_s(ghz).map(Clock)
    }

    /// The time that `cycles` take, rounded up once.
    pub fn time(self, cycles: u64) -> Ps {
        self.0.time(cycles)
    }

    /// The frequency in gigahertz.
    pub fn ghz(self) -> f64 {
        self.0.gb_per_s()
    }
}

/// The parameters of a PE. All PEs of a machine are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct PeParams {
    /// What PE_CPU spends on each command before it can issue the next.
    pub dispatch: Ps,
    /// Commands that wait in front of one engine before PE_CPU stalls.
    pub queue_depth: u32,
    /// Local memory.
    pub tcm: TcmParams,
    /// The DMA engine.
    pub dma: DmaParams,
    /// The matrix engine.
    pub gemm: GemmParams,
    /// The vector engine.
    pub math: MathParams,
    /// What cuts composites into tiles and feeds the engines with them.
    pub scheduler: SchedulerParams,
    /// What moves tiles of composites between TCM and the engines.
    pub fetch_store: FetchStoreParams,
    /// The queues between PEs.
    pub ipcq: IpcqParams,
    /// The PE's own slice of HBM.
    pub hbm: HbmParams,
    /// Bytes of SRAM that the PEs of one cube share.
    pub sram_bytes: u64,
    /// Translates the addresses of its DMA.
    pub mmu: MmuParams,
    /// Thread blocks and their channels.
    pub blocks: BlockParams,
}

/// Threads of a block that the rates of [`BlockParams`] are for.
pub const BLOCK_THREADS: u32 = 1024;

/// What thread blocks of a GPU-like PE and their channels cost. By default nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockParams {
    /// The rate at which a block of [`BLOCK_THREADS`] threads moves plain data.
    pub copy: Bandwidth,
    /// The same of packets, flags included.
    pub packets: Bandwidth,
    /// Bytes that each thread has on the way from a peer; 0 for any number.
    pub load_bytes: u64,
    /// What links carry of data that a switch combines or copies, as a share of what they carry of
    /// other data.
    pub switch_efficiency: f64,
    /// The rate of the PE's memory, which its blocks share.
    pub memory: Bandwidth,
    /// What each access to memory takes beside.
    pub access: Ps,
    /// The threads of a block meet.
    pub sync: Ps,
    /// Blocks of a PE meet.
    pub barrier: Ps,
    /// Ordering what was written before a signal, or is read after one.
    pub fence: Ps,
    /// Seeing what was waited for.
    pub poll: Ps,
    /// From the end of a kernel to the start of the next.
    pub launch: Ps,
    /// Bytes of a signal on a link.
    pub signal_bytes: u64,
    /// A block hands a request to the proxy.
    pub post: Ps,
    /// The proxy takes a request and gives it to its engine.
    pub service: Ps,
    /// The proxy sees that requests are done.
    pub complete: Ps,
    /// The rate at which the engine of a port reads.
    pub port: Bandwidth,
}

impl Default for BlockParams {
    fn default() -> BlockParams {
        let (free, never) = (Bandwidth::INFINITE, Ps::ZERO);
        BlockParams {
            copy: free,
            packets: free,
            load_bytes: 0,
            switch_efficiency: 1.0,
            memory: free,
            access: never,
            sync: never,
            barrier: never,
            fence: never,
            poll: never,
            launch: never,
            signal_bytes: 16,
            post: never,
            service: never,
            complete: never,
            port: free,
        }
    }
}

/// Local memory of a PE.
#[derive(Clone, Debug, PartialEq)]
pub struct TcmParams {
    /// All of it, in bytes.
    pub bytes: u64,
    /// Bytes at its end that the scheduler keeps for itself.
    pub reserved: u64,
    /// The rate at which engines read it.
    pub read: Bandwidth,
    /// The rate at which engines write it.
    pub write: Bandwidth,
}

/// The DMA engine: a read, a write and a communication channel, which never block each other.
#[derive(Clone, Debug, PartialEq)]
pub struct DmaParams {
    /// What each transfer pays before its first byte leaves.
    pub overhead: Ps,
    /// Transfers in flight at once on one channel.
    pub outstanding: u32,
}

/// The matrix engine: a MAC array of `m × n × k` multiply-adds a cycle, or a systolic array.
#[derive(Clone, Debug, PartialEq)]
pub struct GemmParams {
    /// What each command pays before its first cycle.
    pub overhead: Ps,
    /// Its clock.
    pub clock: Clock,
    /// Rows of the output done at once.
    pub m: u32,
    /// Columns of the output done at once.
    pub n: u32,
    /// Products summed at once.
    pub k: u32,
    /// The array that does it instead, if it is systolic; then `m`, `n` and `k` mean nothing.
    pub systolic: Option<Systolic>,
}

/// A systolic array: each processing element does one multiply-add a cycle and hands its operands
/// to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Systolic {
    /// What stays in the processing elements.
    pub dataflow: Dataflow,
    /// Its rows.
    pub rows: u32,
    /// Its columns.
    pub cols: u32,
}

impl GemmParams {
    /// The most multiply-adds that it does in a nanosecond.
    pub fn macs_per_ns(&self) -> f64 {
        let macs = match self.systolic {
            Some(array) => f64::from(array.rows) * f64::from(array.cols),
            None => f64::from(self.m) * f64::from(self.n) * f64::from(self.k),
        };
        macs * self.clock.ghz()
    }
}

/// What stays in the processing elements of a systolic array while the rest streams by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dataflow {
    /// The results: rows × columns of the output at once, over all of `k`.
    OutputStationary,
    /// The right factor: rows of `k` × columns of the output at once, over all of `m`.
    WeightStationary,
    /// The left factor: rows of `k` × rows of the output at once, over all of `n`.
    InputStationary,
}

impl Dataflow {
    /// Every dataflow.
    pub const ALL: [Dataflow; 3] =
        [Dataflow::OutputStationary, Dataflow::WeightStationary, Dataflow::InputStationary];

    /// Its name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Dataflow::OutputStationary => "os",
            Dataflow::WeightStationary => "ws",
            Dataflow::InputStationary => "is",
        }
    }
}

impl Systolic {
    /// The cycles of one product of `m × k` by `k × n`. Each fold of it fills the array, streams
    /// by, and drains; folds follow each other without overlap, and the last cycle of a product
    /// is the one in which its last result leaves.
    pub fn cycles(&self, [m, n, k]: [u64; 3]) -> u64 {
        let (rows, cols) = (u64::from(self.rows.max(1)), u64::from(self.cols.max(1)));
        // What is split over the rows, over the columns, and what streams by; and how often the
        // rows are passed: once to load what stays, but results stay where they are made.
        let (down, across, stream, passes) = match self.dataflow {
            Dataflow::OutputStationary => (m, n, k, 1),
            Dataflow::WeightStationary => (k, n, m, 2),
            Dataflow::InputStationary => (k, m, n, 2),
        };
        let fold = (passes * rows + cols).saturating_add(stream).saturating_sub(2);
        let folds = down.div_ceil(rows).saturating_mul(across.div_ceil(cols));
        fold.saturating_mul(folds).saturating_sub(1)
    }
}

/// The vector engine.
#[derive(Clone, Debug, PartialEq)]
pub struct MathParams {
    /// What each command pays before its first cycle.
    pub overhead: Ps,
    /// Its clock.
    pub clock: Clock,
    /// Elements done each cycle by a simple op.
    pub lanes: u32,
    /// Cycles that a transcendental op takes where a simple one takes one, unless its family has
    /// its own.
    pub transcendental: u32,
    /// The families that have their own.
    pub families: MathFamilies,
}

/// Cycles of the families of ops that a simple ALU does not do; `None` for those of any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MathFamilies {
    /// Exponentials.
    pub exp: Option<u32>,
    /// Logarithms.
    pub log: Option<u32>,
    /// Square roots.
    pub root: Option<u32>,
    /// Sine and cosine.
    pub trig: Option<u32>,
    /// Quotients and remainders.
    pub div: Option<u32>,
}

impl MathParams {
    /// The most elements that it does in a nanosecond, of a simple op.
    pub fn elements_per_ns(&self) -> f64 {
        f64::from(self.lanes) * self.clock.ghz()
    }

    /// Cycles that an op of this class takes for as many elements as there are lanes.
    pub fn cycles(&self, class: CostClass) -> u32 {
        let own = match class {
            CostClass::Simple => Some(1),
            CostClass::Exponential => self.families.exp,
            CostClass::Logarithm => self.families.log,
            CostClass::Root => self.families.root,
            CostClass::Trigonometric => self.families.trig,
            CostClass::Division => self.families.div,
        };
        own.unwrap_or(self.transcendental)
    }
}

/// The tile scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerParams {
    /// What each composite pays before its first tile.
    pub overhead: Ps,
    /// Rows of a tile of the result.
    pub tile_m: u32,
    /// Columns of a tile of the result.
    pub tile_n: u32,
    /// Products that a tile sums.
    pub tile_k: u32,
    /// Places for tiles between two stages: in TCM of each stream, and in the registers of each
    /// engine.
    pub buffers: u32,
}

/// The fetch/store unit: one side reads TCM into the registers of the engines, the other writes
/// their results back.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchStoreParams {
    /// What each tile pays on either side.
    pub overhead: Ps,
}

/// The slice of HBM beside a PE.
#[derive(Clone, Debug, PartialEq)]
pub struct HbmParams {
    /// Its size in bytes.
    pub bytes: u64,
    /// What each access pays at the controller.
    pub overhead: Ps,
    /// What the controller spends on each burst of an atomic op, one after another.
    pub atomic: Ps,
    /// The least that it fetches or stores at once, in bytes.
    pub burst: u64,
    /// Its pseudo-channels; `None` where they are not modelled, and memory keeps up with its link.
    pub channels: Option<ChannelParams>,
    /// The banks behind each channel; `None` where they are not modelled.
    pub banks: Option<BankParams>,
}

/// The pseudo-channels of an HBM controller. Burst number `b` is served by channel `b % count`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelParams {
    /// How many there are: a power of two.
    pub count: u32,
    /// The rate of one, its efficiency included.
    pub bandwidth: Bandwidth,
    /// From when a channel begins with a burst until it says that it has it.
    pub commit: Ps,
    /// What a channel loses when it changes between reads and writes.
    pub turnaround: Ps,
}

/// The unit that translates the addresses of a PE's DMA.
#[derive(Clone, Debug, PartialEq)]
pub struct MmuParams {
    /// The size of a page in bytes; a power of two.
    pub page_bytes: u64,
    /// The size of an entry, as the message that maps it carries it, in bytes.
    pub entry_bytes: u64,
    /// Entries that translations are remembered of; 0 for all of them.
    pub tlb_entries: u32,
    /// What each transfer pays for every entry that it touches.
    pub tlb_overhead: Ps,
    /// What it pays beside for one that is not remembered.
    pub tlb_miss: Ps,
}

/// Where the slots of a queue live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotKind {
    /// In the receiver's TCM.
    Tcm,
    /// In the SRAM of the receiver's cube.
    Sram,
    /// In the receiver's slice of HBM.
    Hbm,
}

impl SlotKind {
    /// Every kind.
    pub const ALL: [SlotKind; 3] = [SlotKind::Tcm, SlotKind::Sram, SlotKind::Hbm];

    /// Its name in YAML and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            SlotKind::Tcm => "tcm",
            SlotKind::Sram => "sram",
            SlotKind::Hbm => "hbm",
        }
    }
}

/// When the sender learns that a slot is free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreditMode {
    /// After the path's latency, while the receiver goes on.
    Asynchronous,
    /// After the path's latency, for which the receiver's PE_CPU waits (kernbench).
    Blocking,
    /// At once.
    Ideal,
}

impl CreditMode {
    /// Every mode.
    pub const ALL: [CreditMode; 3] =
        [CreditMode::Asynchronous, CreditMode::Blocking, CreditMode::Ideal];

    /// Its name in YAML and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            CreditMode::Asynchronous => "asynchronous",
            CreditMode::Blocking => "blocking",
            CreditMode::Ideal => "ideal",
        }
    }
}

/// When a slot is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseMode {
    /// When the last reader of the received tile has finished.
    LastUse,
    /// As soon as it is received (kernbench).
    AtRecv,
}

impl ReleaseMode {
    /// Every mode.
    pub const ALL: [ReleaseMode; 2] = [ReleaseMode::LastUse, ReleaseMode::AtRecv];

    /// Its name in YAML and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            ReleaseMode::LastUse => "last_use",
            ReleaseMode::AtRecv => "at_recv",
        }
    }
}

/// What a slot of one kind costs, at its write and again at its read:
/// `overhead + bytes / bandwidth + bytes / hop`.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotTier {
    /// Paid once an access.
    pub overhead: Ps,
    /// The memory's own rate.
    pub bandwidth: Bandwidth,
    /// The rate of the way between the PE and the memory; infinite for TCM.
    pub hop: Bandwidth,
}

impl SlotTier {
    /// The time of one access of `bytes`.
    pub fn time(&self, bytes: u64) -> Ps {
        self.overhead + self.bandwidth.time(bytes) + self.hop.time(bytes)
    }
}

/// The queues between PEs: their defaults and their costs.
#[derive(Clone, Debug, PartialEq)]
pub struct IpcqParams {
    /// Slots of each queue, unless the launch says otherwise.
    pub slots: u32,
    /// Where they live, unless the launch says otherwise.
    pub kind: SlotKind,
    /// How credits travel.
    pub credit: CreditMode,
    /// When slots are given back.
    pub release: ReleaseMode,
    /// The size of a credit message in bytes.
    pub credit_bytes: u64,
    /// What the host tells a PE of each of its queues, in bytes.
    pub setup_bytes: u64,
    /// The cost of each kind, in the order of [`SlotKind::ALL`].
    pub tiers: [SlotTier; 3],
}

impl IpcqParams {
    /// The cost of slots of this kind.
    pub fn tier(&self, kind: SlotKind) -> &SlotTier {
        let [tcm, sram, hbm] = &self.tiers;
        match kind {
            SlotKind::Tcm => tcm,
            SlotKind::Sram => sram,
            SlotKind::Hbm => hbm,
        }
    }
}
