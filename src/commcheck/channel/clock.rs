//! What happens before what: a clock for each thing that acts by itself.
//!
//! A thread block is one such thing, and so are the reading and the writing side of each port.
//! Each counts its own *epochs*; its clock says up to which epoch it knows of each other one. What
//! lets others go on (a signal, a packet, a barrier) carries a stamp, which others take over.

use std::rc::Rc;

/// What an acting thing knew when it let others go on.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    thread: u32,
    epoch: u32,
    clock: Rc<Vec<u32>>,
}

/// The clocks of all.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    epochs: Vec<u32>,
    /// By thread: the last epoch it knows of each; shorter where it knows nothing of the rest.
    clocks: Vec<Rc<Vec<u32>>>,
}

impl Clocks {
    /// `count` threads that know nothing of each other.
    pub(super) fn new(count: usize) -> Clocks {
        let nothing: Rc<Vec<u32>> = Rc::default();
        Clocks { epochs: vec![1; count], clocks: vec![nothing; count] }
    }

    /// The epoch of what `thread` does now.
    pub(super) fn epoch(&self, thread: u32) -> u32 {
        self.epochs[thread as usize]
    }

    /// A stamp of all that `thread` has done and knows.
    pub(super) fn stamp(&mut self, thread: u32) -> Stamp {
        let epoch = &mut self.epochs[thread as usize];
        *epoch += 1;
        Stamp { thread, epoch: *epoch - 1, clock: Rc::clone(&self.clocks[thread as usize]) }
    }

    /// Whether `thread` knows of what `other` did in an epoch.
    pub(super) fn knows(&self, thread: u32, (other, epoch): (u32, u32)) -> bool {
        let known = self.clocks[thread as usize].get(other as usize).copied().unwrap_or(0);
        thread == other || known >= epoch
    }

    /// `thread` comes to know what `other` has done, but not what `other` knew.
    pub(super) fn know(&mut self, thread: u32, other: u32) {
        let epoch = self.epochs[other as usize];
        self.epochs[other as usize] += 1;
        let all = self.epochs.len();
        let clock = Rc::make_mut(&mut self.clocks[thread as usize]);
        clock.resize(all, 0);
        clock[other as usize] = epoch;
    }

    /// `thread` comes to know what a stamp says.
    pub(super) fn join(&mut self, thread: u32, stamp: &Stamp) {
        if self.knows(thread, (stamp.thread, stamp.epoch)) {
            return;
        }
        let all = self.epochs.len();
        let same = Rc::ptr_eq(&self.clocks[thread as usize], &stamp.clock);
        let clock = Rc::make_mut(&mut self.clocks[thread as usize]);
        if clock.len() < all {
            clock.resize(all, 0);
        }
        if !same {
            let pairs = clock.iter_mut().zip(stamp.clock.iter());
            pairs.for_each(|(known, told)| *known = (*known).max(*told));
        }
        clock[stamp.thread as usize] = stamp.epoch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_is_handed_on() {
        let mut clocks = Clocks::new(3);
        let early = clocks.epoch(0);
        let first = clocks.stamp(0);
        let late = clocks.epoch(0);
        clocks.join(1, &first);
        assert!(clocks.knows(1, (0, early)) && !clocks.knows(1, (0, late)));
        assert!(!clocks.knows(2, (0, early)));
        let second = clocks.stamp(1);
        clocks.join(2, &second);
        assert!(clocks.knows(2, (0, early)), "through the one between");
        assert!(!clocks.knows(0, (1, 1)), "the way back is closed");
    }
}
