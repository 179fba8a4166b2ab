//! Physical addresses: which bits say which SIP, which die, and where in the die.
//!
//! ```text
//!  50    47 46   42 41                                   0
//! ┌────────┬───────┬──────────────────────────────────────┐
//! │ sip  4 │ die 5 │ offset in the die, 42: 4 TiB         │
//! └────────┴───────┴──────────────────────────────────────┘
//! ```
//!
//! Dies 0 to 15 are cubes, 16 to 20 IO chiplets, the rest is reserved. Larger machines have wider
//! fields, from the right: an offset that holds every unit of a cube, dies for all cubes, SIPs.
//! Widths never shrink below 4, 5 and 42.
//!
//! Within a cube, the low 256 GiB hold, one after another: HBM, what each
//! PE has of its own, what M_CPU has, SRAM. Within an IO chiplet, the low 1 TiB is IO_CPU's.

use std::fmt;

use super::{Extent, PeCoord, PeParams};

/// A physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(pub u64);

/// A die of a SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Die {
    /// A cube.
    Cube(u32),
    /// An IO chiplet.
    Io(u32),
}

/// Something in a die that has addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// HBM of a cube; the slices of its PEs one after another.
    Hbm,
    /// A unit of a PE.
    Pe(u32, PeUnit),
    /// A unit of M_CPU.
    MCpu(MCpuUnit),
    /// SRAM of a cube.
    Sram,
    /// A unit of an IO chiplet.
    IoCpu(IoUnit),
}

/// What a PE has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeUnit {
    /// Local memory.
    Tcm,
    /// Registers of PE_CPU.
    Cpu,
    /// Registers of the scheduler.
    Scheduler,
    /// Registers of the DMA engine.
    Dma,
    /// Registers of the fetch and store unit.
    FetchStore,
    /// Registers of the matrix engine.
    Gemm,
    /// Registers of the vector engine.
    Math,
    /// Registers and entries of the MMU.
    Mmu,
    /// Head and tail pointers of queues.
    Ipcq,
}

/// What the M_CPU of a cube has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MCpuUnit {
    /// Its memory.
    Memory,
    /// Its registers.
    Cpu,
    /// Registers of its DMA.
    Dma,
}

/// What an IO chiplet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IoUnit {
    /// Memory of IO_CPU.
    Memory,
    /// Registers of IO_CPU.
    Cpu,
    /// Registers of the PCIe endpoint.
    PcieEp,
    /// Registers of io_noc.
    Noc,
}

/// A place: a byte of a unit of a die of a SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The SIP.
    pub sip: u32,
    /// The die in its SIP.
    pub die: Die,
    /// The unit in its die.
    pub unit: Unit,
    /// The byte in its unit.
    pub offset: u64,
}

/// Why there is no such place, or no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// A SIP that the field has no number for.
    NoSip(u32),
    /// A die that the machine's addresses have no number for.
    NoDie(u32),
    /// A unit that this kind of die does not have.
    WrongDie,
    /// A PE that a cube has no window for.
    NoPe(u32),
    /// An offset beyond a unit of so many bytes.
    PastUnit(u64),
    /// An address that belongs to nothing.
    Reserved,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressError::NoSip(sip) => write!(f, "there is no SIP {sip}"),
            AddressError::NoDie(die) => write!(f, "there is no die {die}"),
            AddressError::WrongDie => f.write_str("this die has no such unit"),
            AddressError::NoPe(pe) => write!(f, "a cube has no PE {pe}"),
            AddressError::PastUnit(bytes) => write!(f, "the unit ends after {bytes} bytes"),
            AddressError::Reserved => f.write_str("the address is reserved"),
        }
    }
}

impl PeUnit {
    /// Every unit, in the order of their addresses.
    pub const ALL: [PeUnit; 9] = [
        PeUnit::Tcm,
        PeUnit::Cpu,
        PeUnit::Scheduler,
        PeUnit::Dma,
        PeUnit::FetchStore,
        PeUnit::Gemm,
        PeUnit::Math,
        PeUnit::Mmu,
        PeUnit::Ipcq,
    ];
}

impl MCpuUnit {
    /// Every unit, in the order of their addresses.
    pub const ALL: [MCpuUnit; 3] = [MCpuUnit::Memory, MCpuUnit::Cpu, MCpuUnit::Dma];
}

impl IoUnit {
    /// Every unit, in the order of their addresses.
    pub const ALL: [IoUnit; 4] = [IoUnit::Memory, IoUnit::Cpu, IoUnit::PcieEp, IoUnit::Noc];
}

/// The registers of one unit.
const REGISTERS: u64 = 1 << 20;
/// The memory of M_CPU, and of IO_CPU.
const CPU_MEMORY: u64 = 1 << 30;
/// Cubes come before the IO chiplets, of which there are at most so many.
const IO_DIES: u32 = 5;

/// The windows of a cube, the first at 0, each a power of two that is at least this by default.
const HBM_WINDOW: u64 = 128 << 30;
const PE_WINDOWS: u64 = 64 << 30;
const PE_WINDOW: u64 = 256 << 20;
const MCPU_WINDOW: u64 = 32 << 30;
const SRAM_WINDOW: u64 = 32 << 30;

/// How the addresses of one machine are cut into fields and windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressLayout {
    /// Bits of the SIP.
    pub sip_bits: u32,
    /// Bits of the die.
    pub die_bits: u32,
    /// Bits of the offset in a die.
    pub offset_bits: u32,
    sips: u32,
    cubes: u32,
    pes: u32,
    /// HBM of one PE.
    slice: u64,
    tcm: u64,
    sram: u64,
    /// What HBM of a cube, a PE, and all PEs of a cube have addresses for.
    hbm_window: u64,
    pe_window: u64,
    pe_windows: u64,
}

impl AddressLayout {
    /// The addresses of a machine; `None` where 64 bits do not hold them.
    pub fn new(extent: &Extent, params: &PeParams) -> Option<AddressLayout> {
        let (sips, cubes, pes) = (extent.sips.count(), extent.cubes.count(), extent.pes.count());
        let power = |bytes: u64| bytes.checked_next_power_of_two();
        let hbm_window = power(params.hbm.bytes.checked_mul(pes.into())?)?.max(HBM_WINDOW);
        let pe_window = power(params.tcm.bytes)?.checked_mul(2)?.max(PE_WINDOW);
        let pe_windows = power(pe_window.checked_mul(pes.into())?)?.max(PE_WINDOWS);
        let sram = params.sram_bytes;
        let after = hbm_window.checked_add(pe_windows)?.checked_add(MCPU_WINDOW)?;
        let die = after.checked_add(power(sram)?.max(SRAM_WINDOW))?;
        let bits = |count: u64| power(count).map(u64::trailing_zeros);
        let layout = AddressLayout {
            sip_bits: bits(sips.into())?.max(4),
            die_bits: bits(u64::from(cubes.max(16)) + u64::from(IO_DIES))?.max(5),
            offset_bits: bits(die)?.max(42),
            sips,
            cubes,
            pes,
            slice: params.hbm.bytes,
            tcm: params.tcm.bytes,
            sram,
            hbm_window,
            pe_window,
            pe_windows,
        };
        (layout.bits() <= 64).then_some(layout)
    }

    /// Bits of an address.
    pub fn bits(&self) -> u32 {
        self.sip_bits + self.die_bits + self.offset_bits
    }

    /// The number of the first IO chiplet among the dies.
    pub fn first_io(&self) -> u32 {
        self.cubes.max(16)
    }

    /// The address of byte `offset` of a PE's own slice of HBM.
    ///
    /// # Errors
    /// A PE that is not there, a byte beyond its slice.
    pub fn hbm(&self, pe: PeCoord, offset: u64) -> Result<PhysAddr, AddressError> {
        if pe.pe >= self.pes {
            return Err(AddressError::NoPe(pe.pe));
        }
        if offset >= self.slice {
            return Err(AddressError::PastUnit(self.slice));
        }
        let offset = u64::from(pe.pe) * self.slice + offset;
        self.encode(&Location { sip: pe.sip, die: Die::Cube(pe.cube), unit: Unit::Hbm, offset })
    }

    /// Whose slice of HBM an address lies in, and where in it.
    ///
    /// # Errors
    /// An address that is not in HBM.
    pub fn hbm_owner(&self, address: PhysAddr) -> Result<(PeCoord, u64), AddressError> {
        let Location { sip, die: Die::Cube(cube), unit: Unit::Hbm, offset } =
            self.decode(address)?
        else {
            return Err(AddressError::WrongDie);
        };
        let pe = (offset / self.slice.max(1)) as u32;
        Ok((PeCoord { sip, cube, pe }, offset % self.slice.max(1)))
    }

    /// The address of a place.
    ///
    /// # Errors
    /// A place that the machine does not have.
    pub fn encode(&self, place: &Location) -> Result<PhysAddr, AddressError> {
        if place.sip >= self.sips {
            return Err(AddressError::NoSip(place.sip));
        }
        let die = match place.die {
            Die::Cube(cube) if cube < self.cubes => cube,
            Die::Io(io) if io < IO_DIES => self.first_io() + io,
            Die::Cube(die) | Die::Io(die) => return Err(AddressError::NoDie(die)),
        };
        let (base, bytes) = self.window(place.die, place.unit)?;
        if place.offset >= bytes {
            return Err(AddressError::PastUnit(bytes));
        }
        let high = u64::from(place.sip) << self.die_bits | u64::from(die);
        Ok(PhysAddr(high << self.offset_bits | (base + place.offset)))
    }

    /// The place of an address.
    ///
    /// # Errors
    /// An address that nothing has.
    pub fn decode(&self, address: PhysAddr) -> Result<Location, AddressError> {
        let local = address.0 & ((1 << self.offset_bits) - 1);
        let high = address.0 >> self.offset_bits;
        let number = (high & ((1 << self.die_bits) - 1)) as u32;
        let sip = u32::try_from(high >> self.die_bits).unwrap_or(u32::MAX);
        if sip >= self.sips {
            return Err(AddressError::NoSip(sip));
        }
        let die = match number.checked_sub(self.first_io()) {
            Some(io) if io < IO_DIES => Die::Io(io),
            None if number < self.cubes => Die::Cube(number),
            Some(_) | None => return Err(AddressError::NoDie(number)),
        };
        let unit = match die {
            Die::Cube(_) => self.unit_of_cube(local),
            Die::Io(_) => {
                IoUnit::ALL.into_iter().map(Unit::IoCpu).find(|it| self.has(die, *it, local))
            }
        };
        let unit = unit.ok_or(AddressError::Reserved)?;
        let (base, bytes) = self.window(die, unit)?;
        let offset = local - base;
        if offset >= bytes {
            return Err(AddressError::Reserved);
        }
        Ok(Location { sip, die, unit, offset })
    }

    fn unit_of_cube(&self, local: u64) -> Option<Unit> {
        let die = Die::Cube(0);
        let pe = local.checked_sub(self.hbm_window).map(|at| (at / self.pe_window) as u32);
        let of_pe = pe.into_iter().flat_map(|pe| PeUnit::ALL.map(|unit| Unit::Pe(pe, unit)));
        let others = MCpuUnit::ALL.into_iter().map(Unit::MCpu).chain([Unit::Hbm, Unit::Sram]);
        of_pe.chain(others).find(|unit| self.has(die, *unit, local))
    }

    fn has(&self, die: Die, unit: Unit, local: u64) -> bool {
        let window = self.window(die, unit);
        window.is_ok_and(|(base, bytes)| local >= base && local - base < bytes)
    }

    /// Where a unit begins in its die, and its size in bytes.
    ///
    /// # Errors
    /// A unit that the die does not have.
    pub fn window(&self, die: Die, unit: Unit) -> Result<(u64, u64), AddressError> {
        let m_cpu = self.hbm_window + self.pe_windows;
        match (die, unit) {
            (Die::Cube(_), Unit::Hbm) => Ok((0, self.slice * u64::from(self.pes))),
            (Die::Cube(_), Unit::Pe(pe, unit)) => {
                if pe >= self.pes {
                    return Err(AddressError::NoPe(pe));
                }
                let first = self.hbm_window + u64::from(pe) * self.pe_window;
                Ok(match (unit as u64).checked_sub(1) {
                    None => (first, self.tcm),
                    Some(at) => (first + self.pe_window / 2 + at * REGISTERS, REGISTERS),
                })
            }
            (Die::Cube(_), Unit::MCpu(unit)) => Ok(after_memory(m_cpu, unit as u64)),
            (Die::Cube(_), Unit::Sram) => Ok((m_cpu + MCPU_WINDOW, self.sram)),
            (Die::Io(_), Unit::IoCpu(unit)) => Ok(after_memory(0, unit as u64)),
            (Die::Cube(_), Unit::IoCpu(_))
            | (Die::Io(_), Unit::Hbm | Unit::Pe(..) | Unit::MCpu(_) | Unit::Sram) => {
                Err(AddressError::WrongDie)
            }
        }
    }
}

/// The window of unit number `at` of a processor whose first one is its memory.
fn after_memory(base: u64, at: u64) -> (u64, u64) {
    match at.checked_sub(1) {
        None => (base, CPU_MEMORY),
        Some(at) => (base + CPU_MEMORY + at * REGISTERS, REGISTERS),
    }
}
