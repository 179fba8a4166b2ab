//! Messages: tiles in lists, by the program that they are sent to and the direction.

use super::Reason;
use super::number;
use super::program::{Flow, Held, scalar_dtype};
use super::step::{Out, Step};
use super::tile::{Tile, count};
use crate::ir::{Recv, RecvAsync, Send, Stream, Type, Wait};

impl Step<'_, '_> {
    /// The place, among the messages from a direction, of the next that this program claims.
    fn next_message(&mut self, dir: &str) -> usize {
        self.program.claimed.get(dir).copied().unwrap_or(0)
    }

    fn claim(&mut self, dir: &str) {
        *self.program.claimed.entry(String::from(dir)).or_insert(0) += 1;
    }

    /// The `index`-th message from a direction in the shape of the result, if it has been sent.
    fn message(&mut self, dir: &str, index: usize) -> Result<Option<Tile>, Reason> {
        let (dtype, shape) = (scalar_dtype(self.result_type()?), self.shape()?);
        let key = (self.program.index, String::from(dir));
        let Some(tile) = self.world.messages.get(&key).and_then(|sent| sent.get(index)) else {
            return Ok(None);
        };
        if tile.dtype != dtype || tile.elements.len() != count(&shape)? {
            return Err(Reason::WrongMessage(String::from(dir)));
        }
        tile.reshape(shape).map(Some)
    }

    pub(super) fn run_send(&mut self, it: &Send) -> Out {
        let tile = self.frame()?.tile(it.src)?.clone();
        self.world.spend(tile.elements.len())?;
        let to = (self.world.launch.peers)(self.program.index, &it.dir);
        let to = to.ok_or_else(|| Reason::NoPeer(it.dir.clone()))?;
        self.world.messages.entry(to).or_default().push(tile);
        Ok(Flow::Next)
    }

    pub(super) fn run_recv(&mut self, it: &Recv) -> Out {
        let index = self.next_message(&it.dir);
        let Some(tile) = self.message(&it.dir, index)? else {
            return Ok(Flow::Waits(it.dir.clone()));
        };
        self.claim(&it.dir);
        self.gives_tile(tile)
    }

    pub(super) fn run_stream(&mut self, it: &Stream) -> Out {
        let index = self.next_message(&it.from);
        let Some(mut tile) = self.message(&it.from, index)? else {
            return Ok(Flow::Waits(it.from.clone()));
        };
        self.claim(&it.from);
        if let (Some(op), Some(acc)) = (it.reduce, it.acc) {
            let (dtype, shape) = (self.dtype(acc)?, self.shape()?);
            let acc = self.frame()?.tile(acc)?.clone();
            let combine = |[x, y]: [u64; 2]| number::binary(op, dtype, x, y);
            tile = Tile::elementwise(dtype, shape, &[tile, acc], combine)?;
        }
        for dir in &it.to {
            self.world.spend(tile.elements.len())?;
            let to = (self.world.launch.peers)(self.program.index, dir);
            let to = to.ok_or_else(|| Reason::NoPeer(dir.clone()))?;
            self.world.messages.entry(to).or_default().push(tile.clone());
        }
        self.gives_tile(tile)
    }

    pub(super) fn run_recv_async(&mut self, it: &RecvAsync) -> Out {
        let index = self.next_message(&it.dir);
        self.claim(&it.dir);
        self.gives(Held::Future(it.dir.clone(), index))
    }

    pub(super) fn run_wait(&mut self, it: &Wait) -> Out {
        // A composite has ended where it began.
        if *self.frame()?.function.ty(it.future) == Type::Completion {
            return Ok(Flow::Next);
        }
        let Held::Future(dir, index) = self.frame()?.held(it.future)?.clone() else {
            return Err(Reason::Malformed("a future is expected"));
        };
        match self.message(&dir, index)? {
            Some(tile) => self.gives_tile(tile),
            None => Ok(Flow::Waits(dir)),
        }
    }
}
