//! What the host asks of the machine.

use super::policy::Part;
use super::scalar::Scalar;
use super::tensor::{Tensor, TensorId};
use crate::diag::Diagnostic;
use crate::launch::{Deal, IpcqOptions, NeighborTable};
use crate::source::Span;
use crate::topology::{Extent, Grid, PeId};
use crate::units::Ps;

/// A machine that runs kernels, or something that acts as one.
pub trait Device {
    /// The number of ranks.
    fn world_size(&self) -> u32;

    /// How its PEs stand; in one cube where it does not say.
    fn extent(&self) -> Extent {
        let row = |w| Grid { w, h: 1, wraps: false };
        Extent { sips: row(1), cubes: row(1), pes: row(self.world_size().max(1)) }
    }

    /// Whether the device holds data. One that does not keeps only time: what is written is
    /// dropped, and [`Device::read`] is not called.
    fn has_data(&self) -> bool;

    /// Gives a tensor memory, so that it is known to fit.
    ///
    /// # Errors
    /// There is no room for it.
    fn place(&mut self, tensor: &Tensor) -> Result<(), Refusal> {
        let _ = tensor;
        Ok(())
    }

    /// Puts `bytes`, the whole tensor in the order of its memory, little-endian, where `tensor` lies;
    /// into every copy of one that has several. The order is row-major, but that of its blocks where
    /// a policy places it. All launches submitted before are done.
    ///
    /// # Errors
    /// As the device says.
    fn write(&mut self, tensor: &Tensor, bytes: &[u8]) -> Result<(), Refusal>;

    /// Puts `bytes` into the copy of `rank` of a replicated tensor.
    ///
    /// # Errors
    /// As the device says.
    fn write_copy(&mut self, tensor: &Tensor, rank: u32, bytes: &[u8]) -> Result<(), Refusal> {
        let _ = rank;
        self.write(tensor, bytes)
    }

    /// Begins a launch.
    ///
    /// # Errors
    /// As the device says: the kernel does not compile, does not fit, would deadlock.
    fn submit(&mut self, request: LaunchRequest) -> Result<Ticket, Refusal>;

    /// Says that a tensor is gone, so that its memory may go to others.
    fn forget(&mut self, _tensor: TensorId) {}

    /// Lets a launch end.
    ///
    /// # Errors
    /// What went wrong while it ran.
    fn wait(&mut self, ticket: Ticket) -> Result<Completion, Refusal>;

    /// The bytes of `tensor`, as [`Device::write`] takes them; of one with copies, that which `rank`
    /// sees. All launches submitted before are done.
    ///
    /// # Errors
    /// As the device says.
    fn read(&mut self, tensor: &Tensor, rank: u32) -> Result<Vec<u8>, Refusal>;

    /// `bytes` bytes of a tensor from byte `first` on, as `rank` sees them. All launches submitted before
    /// are done.
    ///
    /// # Errors
    /// As [`Device::read`].
    fn read_bytes(
        &mut self,
        (tensor, rank): (&Tensor, u32),
        (first, bytes): (u64, u64),
    ) -> Result<Vec<u8>, Refusal> {
        let whole = self.read(tensor, rank)?;
        let part = whole.get(first as usize..(first + bytes) as usize);
        Ok(part.unwrap_or_default().to_vec())
    }

    /// Puts `bytes` from byte `first` on into the copy of a tensor that `rank` sees. All launches submitted
    /// before are done.
    ///
    /// # Errors
    /// As [`Device::write`].
    fn write_bytes(
        &mut self,
        (tensor, rank): (&Tensor, u32),
        first: u64,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let mut whole = self.read(tensor, rank)?;
        if let Some(part) = whole.get_mut(first as usize..first as usize + bytes.len()) {
            part.copy_from_slice(bytes);
        }
        self.write_copy(tensor, rank, &whole)
    }

    /// What a PE's part of an exchange costs with these queues; `None` where the device has no model of it.
    fn costs(&self, queues: IpcqOptions) -> Option<PeCosts> {
        let _ = queues;
        None
    }

    /// What the device can do at most; `None` where it has no model of that.
    fn properties(&self) -> Option<Properties> {
        None
    }

    /// What messages take when each of these pairs of ranks sends one at the same time.
    fn exchange(&self, pairs: &[(u32, u32)]) -> Option<Exchange> {
        let _ = pairs;
        None
    }

    /// Who wrote element `place` of `tensor` last, counted in the order of its memory, as `rank` sees it; `None`
    /// where the device does not know.
    fn writer(&self, tensor: &Tensor, place: u64, rank: u32) -> Option<Writer> {
        let _ = (tensor, place, rank);
        None
    }
}

/// A time that is linear in a size: α + β · size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Linear {
    /// In nanoseconds.
    pub fixed_ns: f64,
    /// In nanoseconds for each byte, or each element.
    pub each_ns: f64,
}

impl Linear {
    /// The time for a size.
    pub fn ns(self, size: f64) -> f64 {
        self.fixed_ns + self.each_ns * size
    }
}

/// What messages take that are sent at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exchange {
    /// One of them, by its bytes: the longest way, and the link that carries the most.
    pub worst: Linear,
    /// The mean of their latencies, in nanoseconds.
    pub mean_ns: f64,
}

/// What a PE's own part of an exchange costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeCosts {
    /// Each command, in nanoseconds.
    pub dispatch_ns: f64,
    /// Messages that may be on their way to one receiver before a credit has come back.
    pub slots: f64,
    /// Bytes for the slots of all its queues and its tiles together; infinite where slots lie elsewhere.
    pub room: f64,
    /// A message's way into its slot and out of it, by its bytes.
    pub slot: Linear,
    /// A block of its own memory read or written, by its bytes.
    pub memory: Linear,
    /// Two tiles combined, by their elements.
    pub combine: Linear,
}

/// Who wrote an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// In words: `pe3`, or `the host`.
    pub who: String,
    /// The text of the command; [`Span::NONE`] where no command did.
    pub span: Span,
}

/// One launch, as the host asks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaunchRequest {
    /// What the host calls it; the kernel's name where it says nothing.
    pub label: String,
    /// The kernel.
    pub kernel: String,
    /// Every argument, by the name of its parameter, in order.
    pub args: Vec<(String, Argument)>,
    /// The Triton grid, or `None` where each rank runs one program.
    pub grid: Option<[u32; 3]>,
    /// The module of the library that the kernel is of; the host program's own file without.
    pub module: Option<String>,
    /// Who runs it.
    pub runners: Runners,
    /// Who is next to whom; what the module says, or the machine, without.
    pub neighbors: Option<NeighborTable>,
    /// How the programs of a grid are dealt to ranks, where it is not as in all launches.
    pub deal: Option<Deal>,
    /// The queues, where they are not those of all launches.
    pub queues: IpcqOptions,
}

/// Who runs a launch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runners {
    /// Every rank.
    #[default]
    All,
    /// Each of these groups of PEs runs the whole launch by itself. They have as many members, who are
    /// 0, 1, … to each other and to the kernel, and no PE is in two.
    Groups(Vec<Vec<u32>>),
    /// Each of these PEs runs the whole launch by itself, as if it were alone.
    Each(Vec<u32>),
    /// The PEs of each of these parts of the machine run the whole launch by themselves, and axes count
    /// their part only. The parts are alike and have no PE in common.
    Parts(Vec<Part>),
}

impl Runners {
    /// Ranks that take part in each launch of its own, of a world of `world` ranks.
    pub fn world(&self, world: u32) -> u32 {
        match self {
            Runners::All => world,
            Runners::Groups(groups) => groups.first().map_or(0, |it| it.len() as u32),
            Runners::Each(_) => 1,
            Runners::Parts(parts) => parts.first().map_or(0, Part::count),
        }
    }

    /// The PEs of each team that runs the launch by itself; `None` where it is every rank.
    pub fn teams(&self, extent: &Extent) -> Option<Vec<Vec<PeId>>> {
        let of = |members: &[u32]| members.iter().map(|pe| PeId(*pe)).collect();
        match self {
            Runners::All => None,
            Runners::Groups(groups) => Some(groups.iter().map(|it| of(it)).collect()),
            Runners::Each(members) => Some(members.iter().map(|pe| vec![PeId(*pe)]).collect()),
            Runners::Parts(parts) => Some(parts.iter().map(|it| it.members(extent)).collect()),
        }
    }
}

/// An argument of a launch.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A tensor; the kernel is given its base address.
    Tensor(Tensor),
    /// A scalar.
    Scalar(Scalar),
}

impl LaunchRequest {
    /// The tensors it is given, each once.
    pub fn tensors(&self) -> Vec<&Tensor> {
        let mut found: Vec<&Tensor> = Vec::new();
        for (_, argument) in &self.args {
            if let Argument::Tensor(tensor) = argument
                && found.iter().all(|other| other.id != tensor.id)
            {
                found.push(tensor);
            }
        }
        found
    }

    /// The scalars it is given, by name.
    pub fn scalars(&self) -> Vec<(&str, &Scalar)> {
        self.args
            .iter()
            .filter_map(|(name, argument)| {
                let Argument::Scalar(value) = argument else { return None };
                Some((name.as_str(), value))
            })
            .collect()
    }
}

/// A launch that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// How a launch ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// From the launch barrier to the last completed write or send.
    pub time: Ps,
    /// What was done meanwhile.
    pub work: Work,
}

/// What all PEs of a launch did together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Products of tiles: commands of the matrix engine. The tiles of composites do not count.
    pub gemms: u64,
    /// Composites.
    pub composites: u64,
    /// Multiply-adds of matrix engines, those of composites too.
    pub macs: u64,
    /// Elements of vector engines, those of composites too.
    pub elements: u64,
    /// Loads and other reads by DMA.
    pub reads: u64,
    /// Stores and other writes by DMA.
    pub writes: u64,
    /// Messages between PEs.
    pub messages: u64,
    /// Their bytes.
    pub message_bytes: u64,
    /// Bytes read from HBM.
    pub bytes_read: u64,
    /// Bytes written to HBM.
    pub bytes_written: u64,
}

/// What one PE can do at most, and how many there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// The machine's name.
    pub name: String,
    /// PEs of a cube, cubes of a SIP, SIPs.
    pub grid: [u32; 3],
    /// Multiply-adds of the matrix engine in a nanosecond.
    pub macs_per_ns: f64,
    /// Elements of the vector engine in a nanosecond, of a simple op.
    pub elements_per_ns: f64,
    /// Bytes in a nanosecond between the PE and its own HBM.
    pub hbm_bytes_per_ns: f64,
    /// Bytes of TCM that kernels have.
    pub tcm_bytes: u64,
}

/// Why a device did not do what it was asked: at least one error.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What to tell the user.
    pub diagnostics: Vec<Diagnostic>,
}
