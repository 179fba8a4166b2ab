//! Measures DMA transfers: a program of one command a PE, run by the simulator.

use crate::arena::{Arena, Id};
use crate::command::channel::Channels;
use crate::command::{
    Agent, AgentId, Code, CodeId, Comm, GridShape, Inst, LiveSet, Operand, Program, Site, Template,
    TileReg,
};
use crate::diag::Diagnostic;
use crate::ir::{Buffer, DmaDesc, DmaDim, Literal};
use crate::launch::{AddressMap, Placement, Region, Shard};
use crate::oplog::MemoryLog;
use crate::sim::{self, Accounts};
use crate::source::{SourceMap, Span};
use crate::topology::{Machine, PeId};
use crate::units::Ps;

/// One PE that moves bytes between its TCM and somebody's HBM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whose DMA it is.
    pub issuer: PeId,
    /// Whose slice of HBM.
    pub owner: PeId,
    /// Whether HBM is written.
    pub writes: bool,
}

/// What transfers that began together took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Until the last one ended.
    pub makespan: Ps,
    /// Until each ended, in their order.
    pub each: Vec<Ps>,
    /// What their messages paid on their way, the worst [`WORST`] one by one.
    pub accounts: Accounts,
}

/// Messages whose ways are told one by one.
pub(super) const WORST: usize = 5;

/// The first virtual address of what is moved.
const BASE: u64 = 0x1_0000_0000;

/// Runs these transfers of `bytes` bytes each, all at once, on the idle machine. Each has a stretch
/// of its own in its owner's slice.
///
/// # Errors
/// What the simulator says, such as that no links lead from one end to the other.
pub fn measure(
    machine: &Machine,
    transfers: &[Transfer],
    bytes: u64,
) -> Result<Measured, Box<Diagnostic>> {
    let program = program(machine, transfers, bytes);
    let options = sim::Options { accounts: Some(WORST), ..sim::Options::default() };
    let mut log = MemoryLog::default();
    let run = sim::simulate(&program, machine, &options, &mut log, &mut |_| {});
    let outcome =
        run.map_err(|failure| Box::new(failure.diagnostic(&program, &SourceMap::new())))?;
    let mut each = vec![Ps::ZERO; transfers.len()];
    for record in &log.records {
        let end = &mut each[record.agent.index()];
        *end = record.end.max(*end);
    }
    let accounts = outcome.accounts.unwrap_or_default();
    Ok(Measured { makespan: outcome.time, each, accounts })
}

/// A program of one command for each transfer.
fn program(machine: &Machine, transfers: &[Transfer], bytes: u64) -> Program {
    let stretch = bytes.max(1).next_multiple_of(PAGE);
    let shards = transfers.iter().zip(0u64..).map(|(transfer, place)| Shard {
        offset: place * stretch,
        bytes: stretch,
        pe: transfer.owner,
    });
    let region = Region {
        name: String::from("probe"),
        base: BASE,
        bytes: stretch * transfers.len() as u64,
        placement: Placement::Sharded(shards.collect()),
    };
    let codes: Arena<CodeId, Code> = transfers
        .iter()
        .zip(0u64..)
        .map(|(transfer, place)| code(transfer.writes, BASE + place * stretch, bytes))
        .collect();
    let agents: Arena<AgentId, Agent> = transfers
        .iter()
        .zip(0u32..)
        .map(|(transfer, at)| Agent {
            pe: transfer.issuer,
            lane: 0,
            code: CodeId(at),
            first: at,
            step: 1,
            count: 1,
        })
        .collect();
    let extent = machine.extent();
    Program {
        name: String::from("probe"),
        codes,
        agents,
        grid: GridShape::Machine {
            pes_per_cube: extent.pes.count(),
            cubes_per_sip: extent.cubes.count(),
        },
        comm: Comm::none(),
        memory: AddressMap::new(vec![region]),
        channels: Channels::default(),
    }
}

/// What stretches are rounded up to, so that they all begin at the same pseudo-channel.
const PAGE: u64 = 4096;

/// Loads, or stores, `bytes` bytes at `base`.
fn code(writes: bool, base: u64, bytes: u64) -> Code {
    let mut code = Code { name: String::from("probe"), regs: 3, tiles: 1, ..Code::default() };
    let tile = TileReg(0);
    let desc = DmaDesc { dims: vec![DmaDim { extent: bytes, stride: 1 }], elem_bytes: 1 };
    let desc = code.descs.push(desc);
    code.buffers.push(Buffer { offset: 0, bytes, copies: 1 });
    code.scratch_bytes = bytes;
    let base = Operand::Const(Literal::Int(base as i64));
    let template = if writes {
        Template::DmaWrite { base, desc, window: None, src: tile }
    } else {
        Template::DmaRead { base, desc, window: None, dst: tile }
    };
    let site = code.sites.push(Site { template, span: Span::NONE });
    let live = LiveSet::default();
    code.insts.push(Inst::Define { dst: tile, buffer: 0, bytes, live });
    code.insts.push(Inst::Issue { site });
    code.insts.push(Inst::End);
    code.spans = vec![Span::NONE; code.insts.len()];
    code
}
