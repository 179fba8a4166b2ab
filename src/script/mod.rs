//! Host functions of `.kb` files: `kernel_args`, `neighbors`, `run(torch)`.
//!
//! A tree-walking evaluator of the Python that host functions are written in, and the `torch`
//! object through which they use the machine. What Python has and host functions have not is
//! refused by name.
//!
//! ```text
//! evaluator   expressions, statements, calls, names; bounded in steps, depth and memory
//! builtins    len, range, print, …, methods of lists, dicts and strings, `math`
//! imports     the packages that can be imported, and by which names
//! object      what a library's values can do: the trait that `torch` and tensors implement
//! torch       tensors, launches, checks, and `numpy` of the host; asks `host` for everything
//! ccl         communicator files: algorithms and queues
//! entry       which functions a file has to have, and how their parameters are filled
//! ```
//!
//! Nothing here compiles or simulates: a launch goes to the [`Device`](crate::host::Device).

mod args;
mod builtins;
mod ccl;
mod dict;
mod dtypes;
mod entry;
mod evaluator;
mod exceptions;
mod fault;
mod imports;
mod object;
mod run;
mod torch;
mod value;

pub use ccl::{Communicators, read as read_communicators, unreadable, without_kernel};
pub use entry::{KernelArguments, Script, Settings};
pub use fault::Fault;
pub use run::{Outcome, Verdict};

/// What a host program may use before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: expressions and statements evaluated, values made.
    pub steps: u64,
    /// Nesting of calls, statements and expressions, together.
    pub depth: u32,
    /// Bytes of arrays that are alive at one time.
    pub array_bytes: u64,
}

impl Default for Limits {
    /// Some seconds of work, a megabyte of stack, and 4 GiB of arrays.
    fn default() -> Self {
        Limits { steps: 100_000_000, depth: 400, array_bytes: 4 << 30 }
    }
}
