//! The compiled machine: nodes, links and PEs, in a petgraph directed graph.

use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::dependencies::Layers;
use super::route::Routing;
use super::switching::NetworkParams;
use super::{Extent, LinkId, NodeId, PeCoord, PeId, PeParams};
use crate::arena::Id;
use crate::units::{Bandwidth, Ps};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// The scalar processor of a PE.
    PeCpu,
    /// The DMA engine of a PE, where its messages enter and leave the network.
    PeDma,
    /// The HBM controller of a PE's slice.
    HbmCtrl,
    /// The shared memory of a cube.
    Sram,
    /// The control processor of a cube.
    MCpu,
    /// A router of a cube's network.
    Router,
    /// One end of a UCIe connection between dies.
    Ucie,
    /// The network of an IO chiplet.
    IoNoc,
    /// The control processor of an IO chiplet.
    IoCpu,
    /// The PCIe endpoint of a SIP.
    PcieEp,
    /// A switch between SIPs.
    Switch,
    /// The host.
    Host,
}

/// A place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its full name, such as `sip0.cube3.pe5.dma`.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// What a message pays here once, on its first flit.
    pub overhead: Ps,
    /// Whether a message must have arrived whole before it goes on.
    pub store_and_forward: bool,
    /// Whether it copies what a PE beside it passes on unchanged, so that this need not go through
    /// the PE.
    pub multicast: bool,
}

/// A directed connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The time a bit takes from end to end.
    pub wire: Ps,
    /// The rate at which bytes enter.
    pub bandwidth: Bandwidth,
    /// Its length in millimetres, for drawing and for routing by distance.
    pub length_mm: f64,
}

/// The nodes that belong to one PE. Parts that a machine does not have apart are one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeNodes {
    /// Where launches arrive.
    pub cpu: NodeId,
    /// Where its messages enter and leave the network.
    pub dma: NodeId,
    /// Its slice of HBM.
    pub hbm: NodeId,
    /// The SRAM it shares.
    pub sram: NodeId,
}

/// The processors that pass on what the host says: those of SIPs, and those of cubes, SIP after
/// SIP. Empty where a machine has none, and the host speaks to PEs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processors {
    /// The host, if the machine has one.
    pub host: Option<NodeId>,
    /// The IO_CPU of each SIP.
    pub io_cpus: Vec<NodeId>,
    /// The M_CPU of each cube.
    pub m_cpus: Vec<NodeId>,
}

/// How long a message keeps a link that others wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arbitration {
    /// For one flit: messages mix.
    #[default]
    Flit,
    /// From its first flit to its last: messages come one after the other, in the order of their
    /// first flits.
    Message,
}

/// A machine, checked and ready to route.
#[derive(Clone, Debug)]
pub struct Machine {
    name: String,
    extent: Extent,
    params: PeParams,
    /// The largest piece of a message that a link sends without a break, in bytes.
    flit_bytes: u64,
    arbitration: Arbitration,
    graph: DiGraph<Node, Link>,
    pes: Vec<PeNodes>,
    processors: Processors,
    routing: Routing,
    network: NetworkParams,
    layers: Layers,
}

impl NodeKind {
    /// Whether messages may pass here on their way elsewhere.
    pub const fn passes_messages(self) -> bool {
        match self {
            NodeKind::PeDma
            | NodeKind::Router
            | NodeKind::Ucie
            | NodeKind::IoNoc
            | NodeKind::PcieEp
            | NodeKind::Switch => true,
            NodeKind::PeCpu
            | NodeKind::HbmCtrl
            | NodeKind::Sram
            | NodeKind::MCpu
            | NodeKind::IoCpu
            | NodeKind::Host => false,
        }
    }

    /// What it is, in words.
    pub const fn name(self) -> &'static str {
        match self {
            NodeKind::PeCpu => "PE_CPU",
            NodeKind::PeDma => "PE_DMA",
            NodeKind::HbmCtrl => "HBM controller",
            NodeKind::Sram => "SRAM",
            NodeKind::MCpu => "M_CPU",
            NodeKind::Router => "router",
            NodeKind::Ucie => "UCIe port",
            NodeKind::IoNoc => "IO NOC",
            NodeKind::IoCpu => "IO_CPU",
            NodeKind::PcieEp => "PCIe endpoint",
            NodeKind::Switch => "switch",
            NodeKind::Host => "host",
        }
    }
}

impl Machine {
    /// The machine's name, for titles.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many of everything there are.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// What each PE can do.
    pub fn params(&self) -> &PeParams {
        &self.params
    }

    /// The largest piece of a message that a link sends without a break, in bytes.
    pub fn flit_bytes(&self) -> u64 {
        self.flit_bytes
    }

    /// How messages share links.
    pub fn network(&self) -> &NetworkParams {
        &self.network
    }

    /// How virtual channels are divided so that messages never wait for each other in a cycle.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// How routes are found.
    pub(super) fn routing(&self) -> &Routing {
        &self.routing
    }

    /// How long a message keeps a link.
    pub fn arbitration(&self) -> Arbitration {
        self.arbitration
    }

    /// The graph itself.
    pub fn graph(&self) -> &DiGraph<Node, Link> {
        &self.graph
    }

    /// The number of PEs.
    pub fn pe_count(&self) -> u32 {
        self.pes.len() as u32
    }

    /// The number of links.
    pub fn link_count(&self) -> usize {
        self.graph.edge_count()
    }

    /// The nodes of `pe`.
    pub fn pe(&self, pe: PeId) -> PeNodes {
        self.pes[pe.index()]
    }

    /// The host and the processors between it and the PEs.
    pub fn processors(&self) -> &Processors {
        &self.processors
    }

    /// Where `pe` is.
    pub fn coord(&self, pe: PeId) -> PeCoord {
        self.extent.coord(pe)
    }

    /// A node.
    pub fn node(&self, node: NodeId) -> &Node {
        &self.graph[NodeIndex::new(node.index())]
    }

    /// A link.
    pub fn link(&self, link: LinkId) -> &Link {
        &self.graph[EdgeIndex::new(link.index())]
    }

    /// The nodes that `link` leaves and enters.
    pub fn ends(&self, link: LinkId) -> (NodeId, NodeId) {
        let (from, to) = self
            .graph
            .edge_endpoints(EdgeIndex::new(link.index()))
            .expect("a link id names a link of its machine");
        (NodeId::from_index(from.index()), NodeId::from_index(to.index()))
    }

    /// The links that a message takes from `from` to `to`; none to itself. `None` where no way
    /// leads there. The same ends give the same links, always.
    ///
    /// Dies are joined by several parallel connections; this is the route over the one that the
    /// PE numbers of the ends choose. [`Machine::route_on`] chooses another.
    pub fn route(&self, from: NodeId, to: NodeId) -> Option<Vec<LinkId>> {
        self.route_on(from, to, self.default_lane(from, to))
    }

    /// The route that takes the parallel connection `lane` (modulo their number) wherever there
    /// are several.
    pub fn route_on(&self, from: NodeId, to: NodeId, lane: u32) -> Option<Vec<LinkId>> {
        self.routing.route(self, from, to, lane)
    }

    /// How many parallel connections a route may choose from; 1 where there is no choice.
    pub fn lanes(&self) -> u32 {
        self.routing.lanes()
    }

    /// The parallel connection that [`Machine::route`] takes: the mean of the two PE numbers in
    /// their cubes. So PEs spread evenly, whether they send to their like or all to one.
    pub fn default_lane(&self, from: NodeId, to: NodeId) -> u32 {
        self.routing.default_lane(from, to)
    }

    /// What the first bit of a message pays on `route`: every wire, and the overhead of every node
    /// entered, that of the last one included and that of the first one not.
    pub fn latency(&self, route: &[LinkId]) -> Ps {
        let hop = |link: &LinkId| self.link(*link).wire + self.node(self.ends(*link).1).overhead;
        route.iter().map(hop).sum()
    }

    /// The lowest bandwidth on `route`; infinite on an empty one.
    pub fn bottleneck(&self, route: &[LinkId]) -> Bandwidth {
        let slower = |slowest: Bandwidth, link: &LinkId| {
            let rate = self.link(*link).bandwidth;
            if rate.is_slower_than(slowest) { rate } else { slowest }
        };
        route.iter().fold(Bandwidth::INFINITE, slower)
    }

    /// The node with this full name. Linear: for tests and the command line.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        let found = self.graph.node_indices().find(|node| self.graph[*node].name == name);
        found.map(|node| NodeId::from_index(node.index()))
    }

    /// Every node, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let ids = (0..self.graph.node_count()).map(NodeId::from_index);
        ids.zip(self.graph.node_weights())
    }

    /// The links that leave `node`, in order, and where they lead.
    pub fn links_from(&self, node: NodeId) -> Vec<(LinkId, NodeId)> {
        let mut links: Vec<(LinkId, NodeId)> = self
            .graph
            .edges(NodeIndex::new(node.index()))
            .map(|edge| {
                (LinkId::from_index(edge.id().index()), NodeId::from_index(edge.target().index()))
            })
            .collect();
        links.sort_unstable();
        links
    }
}

/// Assembles a [`Machine`] part by part.
#[derive(Clone, Debug)]
pub struct MachineBuilder {
    machine: Machine,
}

impl MachineBuilder {
    /// A machine with no parts.
    pub fn new(name: impl Into<String>, extent: Extent, params: PeParams, flit_bytes: u64) -> Self {
        let name = name.into();
        let graph = DiGraph::new();
        MachineBuilder {
            machine: Machine {
                name,
                extent,
                params,
                flit_bytes,
                arbitration: Arbitration::Flit,
                graph,
                pes: Vec::new(),
                processors: Processors::default(),
                routing: Routing::Shortest,
                network: NetworkParams::interleaved(),
                layers: Layers::default(),
            },
        }
    }

    /// Says how long a message keeps a link; for a flit otherwise.
    pub fn arbitrated_by(&mut self, arbitration: Arbitration) {
        self.machine.arbitration = arbitration;
    }

    /// Adds a node.
    pub fn node(&mut self, node: Node) -> NodeId {
        NodeId::from_index(self.machine.graph.add_node(node).index())
    }

    /// Adds a link from `from` to `to`.
    pub fn link(&mut self, from: NodeId, to: NodeId, link: Link) -> LinkId {
        let ends = (NodeIndex::new(from.index()), NodeIndex::new(to.index()));
        LinkId::from_index(self.machine.graph.add_edge(ends.0, ends.1, link).index())
    }

    /// Adds the next PE.
    pub fn pe(&mut self, nodes: PeNodes) -> PeId {
        self.machine.pes.push(nodes);
        PeId::from_index(self.machine.pes.len() - 1)
    }

    /// Says which nodes are the host and the processors between it and the PEs.
    pub fn processors(&mut self, processors: Processors) {
        self.machine.processors = processors;
    }

    /// Makes room, so that large machines are built without moving what is there.
    pub(super) fn reserve(&mut self, nodes: usize, links: usize) {
        self.machine.graph.reserve_nodes(nodes);
        self.machine.graph.reserve_edges(links);
    }

    /// Sets how messages share links; otherwise their flits are interleaved.
    pub fn network(&mut self, network: NetworkParams) {
        self.machine.network = network;
    }

    /// Sets how virtual channels are divided; otherwise they are not.
    pub(super) fn layered(&mut self, layers: Layers) {
        self.machine.layers = layers;
    }

    /// What has been added so far.
    pub(super) fn so_far(&self) -> &Machine {
        &self.machine
    }

    /// Sets how routes are found; the shortest ones otherwise.
    pub(super) fn routed_by(&mut self, routing: Routing) {
        self.machine.routing = routing;
    }

    /// The machine.
    pub fn build(self) -> Machine {
        self.machine
    }
}
