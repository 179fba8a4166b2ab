//! Which of several parallel connections between dies a message takes, where it may choose: the one
//! with the fewest bytes on their way over it, the lowest of those.
//!
//! A message counts where it crosses to another die first, from when it is sent until it has arrived.
//! Both are the same however links are worked out, so the choice is, too.

use super::routes::{RouteId, Routes};
use crate::arena::Id;
use crate::topology::{LinkId, Machine, NodeKind};

/// What is on its way over each connection.
#[derive(Debug)]
pub(super) struct Lanes<'m> {
    machine: &'m Machine,
    /// By route: the routes over each connection and the links by which they cross; empty before
    /// they are known.
    choices: Vec<Vec<(RouteId, LinkId)>>,
    /// Bytes on their way, by link.
    queued: Vec<u64>,
    /// The crossing that each message under way counts at, and its bytes.
    taken: Vec<Option<(LinkId, u64)>>,
}

impl<'m> Lanes<'m> {
    pub(super) fn new(machine: &'m Machine) -> Lanes<'m> {
        let queued = vec![0; machine.link_count()];
        Lanes { machine, choices: Vec::new(), queued, taken: Vec::new() }
    }

    /// The route that a message takes instead of `route`, and where it crosses.
    pub(super) fn choose(
        &mut self,
        route: RouteId,
        routes: &mut Routes,
    ) -> (RouteId, Option<LinkId>) {
        if self.choices.len() <= route.index() {
            self.choices.resize(route.index() + 1, Vec::new());
        }
        if self.choices[route.index()].is_empty() {
            self.choices[route.index()] = self.find(route, routes);
        }
        let choices = &self.choices[route.index()];
        let best = choices.iter().min_by_key(|choice| self.queued[choice.1.index()]);
        best.map_or((route, None), |choice| (choice.0, Some(choice.1)))
    }

    /// The routes over every connection; none where a route crosses to no other die.
    fn find(&self, route: RouteId, routes: &mut Routes) -> Vec<(RouteId, LinkId)> {
        let links = routes.links(route);
        let ends = links.first().zip(links.last());
        let Some((first, last)) = ends.map(|(a, b)| (*a, *b)) else { return Vec::new() };
        let (from, to) = (self.machine.ends(first).0, self.machine.ends(last).1);
        let lane = |lane| {
            let links = self.machine.route_on(from, to, lane)?;
            let crossing = links.iter().copied().find(|link| self.crosses(*link))?;
            Some((routes.add(self.machine, links)?, crossing))
        };
        (0..self.machine.lanes()).filter_map(lane).collect()
    }

    fn crosses(&self, link: LinkId) -> bool {
        let (from, to) = self.machine.ends(link);
        [from, to].into_iter().all(|node| self.machine.node(node).kind == NodeKind::Ucie)
    }

    /// A message has been sent under a number over a crossing.
    pub(super) fn sent(&mut self, message: u32, crossing: Option<LinkId>, bytes: u64) {
        let Some(link) = crossing else { return };
        let message = message as usize;
        if self.taken.len() <= message {
            self.taken.resize(message + 1, None);
        }
        // A request without bytes is on its way, too.
        self.taken[message] = Some((link, bytes.max(1)));
        self.queued[link.index()] += bytes.max(1);
    }

    /// A message has arrived.
    pub(super) fn arrived(&mut self, message: u32) {
        let taken = self.taken.get_mut(message as usize).and_then(Option::take);
        if let Some((link, bytes)) = taken {
            self.queued[link.index()] -= bytes;
        }
    }
}
