//! Ops that send and receive tiles; the list that holds them with the others is in
//! [`op`](super::op).

use super::Value;
use crate::ops::BinaryOp;

/// Sends a tile to the neighbour in a direction. Posted: it does not wait for delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    /// The direction's name.
    pub dir: String,
    /// The tile.
    pub src: Value,
}

/// Receives the next tile from a direction, waiting for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recv {
    /// The direction's name.
    pub dir: String,
    /// The tile whose buffer it is copied to; the slot is then free at once.
    pub dst: Option<Value>,
    /// False only for the diagnostic form that skips the cost of reading the slot.
    pub consume: bool,
}

/// Receives a tile, combines it with another and sends it on, all element by element as the
/// elements arrive. Its result is the combined tile, in memory of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The direction that the tile comes from.
    pub from: String,
    /// How each element is combined with that of `acc`; without, it stays as it is.
    pub reduce: Option<BinaryOp>,
    /// What it is combined with; there if `reduce` is.
    pub acc: Option<Value>,
    /// The directions that it goes on in; none at the end of a chain.
    pub to: Vec<String>,
}

/// The most directions that a stream goes on in.
pub const MAX_STREAM_OUTPUTS: usize = 4;

/// Asks for the next tile from a direction without waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct RecvAsync {
    /// The direction's name.
    pub dir: String,
}

/// Waits for a future and gives its tile, or for a composite to end, which gives nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The future or completion.
    pub future: Value,
}

/// Gives back the slot of a tile after its last use, or of a future that nobody waits for once its
/// tile has arrived. Nothing where the tile is in no slot, or where another live value is in the
/// same one.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// The tile.
    pub tile: Value,
}
