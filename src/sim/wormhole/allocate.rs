//! Separable allocation by round robin, one iteration of iSLIP: every resource grants one of those
//! that ask for it, every asker accepts one of the grants it gets. A pointer moves on only past
//! what came about, so nobody waits for ever.

/// The places after which round robin begins: one for every resource and one for every asker.
#[derive(Debug)]
pub(super) struct Pointers {
    pub(super) grant: Vec<u32>,
    pub(super) accept: Vec<u32>,
}

impl Pointers {
    pub(super) fn new(askers: usize, resources: usize) -> Pointers {
        Pointers { grant: vec![0; resources], accept: vec![0; askers] }
    }

    /// Of `askers`, the one whose turn it is at `resource`.
    pub(super) fn first_asker(
        &self,
        resource: u32,
        askers: impl Iterator<Item = u32>,
    ) -> Option<u32> {
        let from = self.grant[resource as usize];
        askers.min_by_key(|asker| turns(from, *asker, self.accept.len() as u32))
    }

    /// Of `resources`, the one whose turn it is for `asker`.
    pub(super) fn first_resource(
        &self,
        asker: u32,
        resources: impl Iterator<Item = u32>,
    ) -> Option<u32> {
        let from = self.accept[asker as usize];
        resources.min_by_key(|resource| turns(from, *resource, self.grant.len() as u32))
    }

    /// Moves on past a pair that came about.
    pub(super) fn matched(&mut self, asker: u32, resource: u32) {
        self.grant[resource as usize] = (asker + 1) % self.accept.len() as u32;
        self.accept[asker as usize] = (resource + 1) % self.grant.len() as u32;
    }
}

/// How many places after `from` number `at` of `all` is, going around.
pub(super) fn turns(from: u32, at: u32, all: u32) -> u32 {
    if at >= from { at - from } else { at + all - from }
}
