//! The host beside the machine: arrays on the host, tensors on the machine, addresses, launches.
//!
//! Plain Rust that knows no compiler: a [`Context`] places tensors, and asks a [`Device`] to run
//! kernels on them. `driver` implements the device; tests may implement a smaller one.
//!
//! ```text
//! Array   numbers on the host, of any element type, rounded like the machine rounds
//! Tensor  a name, a shape, a stretch of the address space, and which rank holds what
//! Context tensors and their contents; sends to the device what changed, fetches what was asked
//! Device  write, submit, wait, read
//! Ranks   what a rank is: a PE, a cube or a SIP
//! Policy  how a tensor is divided over cubes and PEs; Layout: which PE holds which block of it
//! ```

mod along;
mod array;
mod context;
mod device;
mod elementwise;
mod index;
mod lanes;
mod layout;
mod ledger;
mod policy;
mod product;
mod ranks;
mod reduce;
mod scalar;
mod shares;
mod sum_order;
mod tensor;

pub use array::{Array, MAX_AXES, MAX_ELEMENTS, check_elements, promote};
pub use context::{Context, Data, TensorHandle, TensorSpec};
pub use device::{
    Argument, Completion, Device, Exchange, LaunchRequest, Linear, PeCosts, Properties, Refusal,
    Runners, Ticket, Work, Writer,
};
pub use elementwise::{Arithmetic, Weak};
pub use index::{Index, part_shape};
pub use layout::{Block, Layout, ShardSpec};
pub use ledger::{Holder, with_ledger};
pub use policy::{DpPolicy, Field, Form, Part, PolicyFault, SipChoice};
pub use ranks::{RankUnit, Ranks};
pub use reduce::Reduction;
pub use scalar::Scalar;
pub use shares::{Run, Share, joined};
pub use sum_order::{OrderedSums, SumOrder};
pub use tensor::{Placement, Slice, Tensor, TensorId};

use crate::diag::Diagnostic;
use crate::source::Span;

/// Why the host could not do what it was asked.
#[derive(Clone, Debug)]
pub enum HostError {
    /// Shapes do not fit each other, or an axis is not there.
    Shape(String),
    /// An element type cannot do that.
    Type(String),
    /// A value is outside of what is allowed.
    Value(String),
    /// An index is outside of its axis.
    Index(String),
    /// There is no room left.
    Memory(String),
    /// There is no room left for a tensor beside those that are there.
    NoRoom {
        /// What is short of what.
        text: String,
        /// Who holds it.
        holders: Vec<Holder>,
    },
    /// A tensor was freed before.
    Freed {
        /// Its name.
        name: String,
        /// Where.
        at: Span,
    },
    /// The device refused; its own diagnostics say why.
    Refused(Vec<Diagnostic>),
}

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostError::Shape(text)
            | HostError::Type(text)
            | HostError::Value(text)
            | HostError::Index(text)
            | HostError::Memory(text) => f.write_str(text),
            HostError::NoRoom { text, .. } => f.write_str(text),
            HostError::Freed { name, .. } => write!(f, "tensor `{name}` was freed before"),
            HostError::Refused(diagnostics) => {
                f.write_str(diagnostics.first().map_or("refused", |first| &first.message))
            }
        }
    }
}
