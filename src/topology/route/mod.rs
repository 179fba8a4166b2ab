//! Routes: which links a message takes. They are worked out when asked for, never stored.

mod hierarchy;
mod shortest;
mod trees;

pub(super) use hierarchy::{
    CONNECTION_LINKS, CubeNumbers, FabricNumbers, HierarchyRoutes, NO_LINK, SipNumbers,
    neighbor_sip,
};
pub(super) use trees::Trees;

use std::sync::Arc;

use super::{LinkId, Machine, NodeId};

/// How a machine finds its routes.
#[derive(Clone, Debug)]
pub(super) enum Routing {
    /// The fewest hops, then the shortest wires, then the lowest links.
    Shortest,
    /// By rows and columns, level by level.
    Hierarchy(Arc<HierarchyRoutes>),
}

impl Routing {
    pub(super) fn route(
        &self,
        machine: &Machine,
        from: NodeId,
        to: NodeId,
        lane: u32,
    ) -> Option<Vec<LinkId>> {
        if let Routing::Hierarchy(routes) = self
            && let Some(route) = routes.route(from, to, lane)
        {
            return Some(route);
        }
        shortest::route(machine, from, to)
    }

    pub(super) fn lanes(&self) -> u32 {
        match self {
            Routing::Shortest => 1,
            Routing::Hierarchy(routes) => routes.lanes(),
        }
    }

    pub(super) fn default_lane(&self, from: NodeId, to: NodeId) -> u32 {
        match self {
            Routing::Shortest => 0,
            Routing::Hierarchy(routes) => routes.default_lane(from, to),
        }
    }
}
