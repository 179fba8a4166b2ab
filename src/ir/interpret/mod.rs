//! The meaning of the IR, run: a reference interpreter, slow and plain on purpose.
//!
//! It runs programs of a function at any stage of the pipeline, from what `sema` makes to what
//! `allocate` leaves, on a flat memory of bytes. Tiles are vectors of elements, a view is a copy,
//! a message is a tile in a list: nothing here knows of buffers, slots, engines or time. Numbers
//! follow `docs/numerics.md` and the definitions of IEEE 754 (`number`), apart from `replay`,
//! which this is there to check. Passes are tested against it: what a kernel leaves in memory and
//! what it sends must be the same before and after.
//!
//! Programs take turns: each runs until it ends or waits for a message that nobody has sent yet.
//! So a launch whose programs share bytes without messages to order them has one of its meanings.
//! Every error is a value, and a budget of steps ends what does not end.
//!
//! `step` says what each op does, in a line or by handing it on: to `control`, `transfer` (memory),
//! `message`, `structured` (ops on the elements of tiles) or `composite`. `program` holds a program's
//! calls and values, `tile` a tile's elements, `number` an element's meaning.

mod composite;
mod control;
mod memory;
mod message;
mod number;
mod program;
mod step;
mod structured;
mod tile;
mod transfer;

use std::collections::BTreeMap;

pub use memory::Memory;
pub use tile::Tile;

use super::{Asked, Function, Literal, Module, OpId};
use program::{Program, State};

/// Tiles of more elements are refused.
const MAX_ELEMENTS: usize = 1 << 24;

/// What is run, and as what.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    /// The functions that calls name. A function in which nothing is called needs none.
    pub module: Option<&'a Module>,
    /// The function, which must be verified.
    pub function: &'a Function,
    /// The arguments by the names of parameters.
    pub params: &'a BTreeMap<String, Literal>,
    /// `program_id` of axes 0, 1 and 2, of each program that runs.
    pub programs: &'a [[u32; 3]],
    /// `num_programs` of axes 0, 1 and 2.
    pub num_programs: [u32; 3],
    /// Where what a program (by its place in `programs`) sends in a direction arrives: at which
    /// program, from which direction. `None` where nobody is.
    pub peers: &'a Peers<'a>,
    /// How many ops and elements may be computed, of all programs together.
    pub budget: u64,
}

/// See [`Launch::peers`].
pub type Peers<'a> = dyn Fn(usize, &str) -> Option<(usize, String)> + 'a;

/// The messages of a launch: those that arrive at a program from a direction, oldest first, taken
/// or not.
pub type Messages = BTreeMap<(usize, String), Vec<Tile>>;

/// Why a launch has no result.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The program that could not go on, by its place in [`Launch::programs`].
    pub program: usize,
    /// The function and its op.
    pub op: Option<(String, OpId)>,
    /// Why.
    pub reason: Reason,
}

/// What stops a program.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Bytes are touched that no memory has.
    OutOfBounds {
        /// The address of the first.
        address: i64,
        /// How many.
        bytes: u64,
    },
    /// An integer is divided by zero.
    DivisionByZero,
    /// An element is gathered that a tile does not have.
    NoSuchElement(i128),
    /// What an `assert` says does not hold.
    Assertion(String),
    /// Two extents disagree, or one is below 1.
    Extents,
    /// A loop steps by zero.
    ZeroStep,
    /// A parameter has no argument.
    NoArgument(String),
    /// A message is sent in a direction in which nobody is.
    NoPeer(String),
    /// A message has another element type or size than its receiver asks for.
    WrongMessage(String),
    /// Every program that has not ended waits for a message, this one from this direction.
    Deadlock(String),
    /// The budget is used up.
    Budget,
    /// A tile has more elements than the interpreter holds.
    TooLarge,
    /// The IR breaks a rule of the verifier; which.
    Malformed(&'static str),
}

impl Launch<'_> {
    /// Runs every program to its end on `memory`, and gives what was sent.
    ///
    /// # Errors
    /// What stopped the first program that could not go on; `memory` is left as it was then.
    pub fn run(&self, memory: &mut Memory) -> Result<Messages, Fault> {
        self.drive(memory).map(|world| world.messages)
    }

    /// Runs every program to its end, and gives what each asked of channels, in order.
    ///
    /// # Errors
    /// As [`Launch::run`].
    pub fn asked(&self) -> Result<Vec<Vec<Asked>>, Fault> {
        let mut memory = Memory::default();
        let mut asked = self.drive(&mut memory)?.asked;
        asked.resize(self.programs.len(), Vec::new());
        Ok(asked)
    }

    fn drive<'w>(&'w self, memory: &'w mut Memory) -> Result<World<'w>, Fault> {
        let (messages, asked) = (Messages::new(), Vec::new());
        let mut world = World { launch: self, memory, messages, asked, budget: self.budget };
        let start = |index| Program::new(&world, index);
        let mut programs =
            (0..self.programs.len()).map(start).collect::<Result<Vec<_>, Fault>>()?;
        loop {
            let mut waits = None;
            let mut moved = false;
            for program in &mut programs {
                match program.run(&mut world)? {
                    State::Ended => {}
                    State::Moved => moved = true,
                    State::Waits(direction) => {
                        waits = waits.or(Some(program.fault(Reason::Deadlock(direction))));
                    }
                }
            }
            match waits {
                Some(fault) if !moved => return Err(fault),
                None if !moved => return Ok(world),
                Some(_) | None => {}
            }
        }
    }
}

/// What the programs of a launch share.
struct World<'a> {
    launch: &'a Launch<'a>,
    memory: &'a mut Memory,
    messages: Messages,
    /// What programs asked of channels.
    asked: Vec<Vec<Asked>>,
    budget: u64,
}

impl World<'_> {
    /// Takes `steps` from the budget.
    fn spend(&mut self, steps: usize) -> Result<(), Reason> {
        self.budget = self.budget.checked_sub(steps as u64).ok_or(Reason::Budget)?;
        Ok(())
    }
}
