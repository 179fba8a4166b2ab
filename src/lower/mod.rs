//! From the IR to a program: one code that all agents share, with its loops, and a binding of
//! 24 bytes for each agent.
//!
//! What comes in is a kernel that the passes have specialised for one launch and given its
//! memory: every extent is constant, every tile that has bytes has a buffer or a slot, calls are
//! gone, and tiles that are stored, sent or handed on lie row by row. A kernel that breaks this is
//! a bug of kbc. Scalars become instructions that PE_CPU runs while it walks its stream; tiles
//! become registers that name places; views become strides.
//!
//! - `emit`: the code in the making; `ops`, `composite`: what each op becomes;
//! - `control`, `moves`: loops and branches, and what they hand on all at once;
//! - `registers`: few registers for many values;
//! - `comm`: the queues, and where they lead;
//! - `touched`, `slice`: which addresses a kernel touches, for launches that nobody sized.

mod comm;
mod composite;
mod control;
mod emit;
mod moves;
mod ops;
mod registers;
mod slice;
mod touched;

pub use comm::{Exchange, Traffic, Wiring, connect, limits, traffic};
pub use touched::{Reach, Touched, TouchedTensor, touched};

use crate::arena::Arena;
use crate::command::channel::Channels;
use crate::command::verify::verify_reported;
use crate::command::{Agent, Code, Comm, GridShape, Program};
use crate::diag::{Diagnostic, Reported, Sink, lowering};
use crate::ir::Function;
use crate::launch::{AddressMap, Axes, Launch};
use crate::passes::liveness::Liveness;
use crate::passes::origins::Origins;
use crate::topology::{Extent, PeId};

/// The program of one launch of `function` on a machine of this extent. Its memory is empty: the
/// caller says where the arguments' addresses lie.
///
/// # Errors
/// The world has more ranks than the machine has PEs, or the grid more programs than can be
/// numbered.
pub fn lower(
    function: &Function,
    launch: &Launch,
    extent: &Extent,
    comm: Comm,
    sink: &mut Sink,
) -> Result<Program, Reported> {
    let programs = check_size(launch, extent, sink)?;
    let num_programs = launch.num_programs(extent);
    let liveness = Liveness::of(function, &Origins::of(function));
    let part = emit::Part::Whole(&liveness);
    let source = emit::Source { function, launch, num_programs, comm: &comm, part };
    let mut code = emit::emit(&source, sink)?;
    registers::assign_registers(&mut code);
    let program = bind(code, (launch, programs), extent, comm);
    if cfg!(debug_assertions) {
        verify_reported(&program, sink)?;
    }
    Ok(program)
}

/// The number of programs, if the machine has a PE for every rank.
fn check_size(launch: &Launch, extent: &Extent, sink: &mut Sink) -> Result<u32, Reported> {
    let pes = extent.pe_count();
    if launch.world > pes {
        let message =
            format!("the world has {} ranks, but the machine has {pes} PEs", launch.world);
        let help = format!("launch at most {pes} ranks, or name a topology with more PEs");
        return Err(sink.error(Diagnostic::global(lowering::WORLD_TOO_LARGE, message).help(help)));
    }
    launch.program_count().ok_or_else(|| {
        let [x, y, z] = launch.num_programs(extent);
        let message = format!("the grid {x} x {y} x {z} has more than 4,294,967,295 programs");
        sink.error(Diagnostic::global(lowering::GRID_TOO_LARGE, message))
    })
}

/// The program in which every rank of the launch runs `code`.
fn bind(code: Code, (launch, programs): (&Launch, u32), extent: &Extent, comm: Comm) -> Program {
    let name = code.name.clone();
    let mut codes = Arena::new();
    let code = codes.push(code);
    let agent = |rank| {
        let (first, step, count) = launch.share(rank, programs);
        Agent { pe: PeId(rank), lane: 0, code, first, step, count }
    };
    let agents = (0..launch.world).map(agent).collect();
    let grid = match launch.grid {
        Some(grid) => GridShape::Flat(grid),
        None => {
            let Axes { pes_per_cube, cubes_per_sip } = launch.axes(extent);
            GridShape::Machine { pes_per_cube, cubes_per_sip }
        }
    };
    let channels = Channels::default();
    Program { name, codes, agents, grid, comm, memory: AddressMap::default(), channels }
}
