//! The checked description of a machine: small, whatever the machine's size. A [`Spec`] answers
//! what compiling asks (counts and parameters) and builds the graph that simulating needs.

mod cube;
mod hbm;
mod hierarchy;
mod network;
mod nodes;
mod pe;

pub(super) use hierarchy::{Cable, FabricKind, Hierarchy};
pub(super) use network::NetworkSpans;
pub(super) use nodes::{Listed, NodeForm, Replicas};

use std::sync::OnceLock;

use super::section::{self, Errors, Section};
use super::switching::NetworkParams;
use super::yaml::{self, Node};
use super::{Arbitration, Extent, Grid, Machine, PeParams, build};
use crate::diag::{Diagnostic, Reported, Sink, machine as codes};
use crate::source::{FileId, SourceMap, Span};
use crate::units::grouped;

/// The text of `topology/default.yaml`: the implied machine, and every key's default.
pub const DEFAULT_YAML: &str = include_str!("../../../topology/default.yaml");

/// The most PEs that a machine may have: what ranks, addresses and grids are tested for.
const MAX_PES: u64 = 1 << 24;

/// A checked machine description.
#[derive(Clone, Debug)]
pub struct Spec {
    name: String,
    extent: Extent,
    params: PeParams,
    flit_bytes: u64,
    network: NetworkParams,
    spans: NetworkSpans,
    arbitration: Arbitration,
    form: Form,
}

/// The two ways to describe a machine.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// SIPs of cubes of PEs.
    Hierarchy(Box<Hierarchy>),
    /// Nodes and links, one by one.
    Nodes(Box<NodeForm>),
}

/// Reads and checks `file`. Every mistake found is reported; there is a spec if there was none.
pub fn load(sources: &SourceMap, file: FileId, sink: &mut Sink) -> Result<Spec, Reported> {
    let source = sources.get(file);
    let (name, text) = source.map_or(("", ""), |source| (source.name(), source.text()));
    let mut errors = Errors::new(sink);
    let given = yaml::parse(file, text, &mut errors);
    errors.check()?;
    let given = given.expect("text without errors has a tree");
    let spec = read(&given, &defaults(), name, &mut errors);
    errors.check()?;
    Ok(spec.expect("a tree without errors has a spec"))
}

impl Spec {
    /// The machine of `topology/default.yaml`, which `--topology` stands for when left out.
    pub fn implied() -> Spec {
        static IMPLIED: OnceLock<Spec> = OnceLock::new();
        let load = || {
            let mut sources = SourceMap::new();
            let file = sources.add("topology/default.yaml", DEFAULT_YAML);
            load(&sources, file, &mut Sink::new()).expect("a test loads default.yaml")
        };
        IMPLIED.get_or_init(load).clone()
    }

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

    /// Where the file says so.
    pub(super) fn network_spans(&self) -> NetworkSpans {
        self.spans
    }

    /// How long a message keeps a link.
    pub fn arbitration(&self) -> Arbitration {
        self.arbitration
    }

    /// The parts that only building and drawing look at.
    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    /// This machine with as many SIPs as `world` PEs need, if it has fewer, up to the largest
    /// machine there is. A machine that is described node by node stays as it is.
    pub fn grow_to(&self, world: u32) -> Spec {
        let mut grown = self.clone();
        if let Form::Hierarchy(hierarchy) = &mut grown.form {
            let sip = grown.extent.cubes.count() * grown.extent.pes.count();
            let most = u32::try_from(MAX_PES).map_or(u32::MAX, |pes| pes / sip);
            let needed = world.div_ceil(sip).min(most);
            if needed > grown.extent.sips.count() {
                hierarchy.fabric.grid = hierarchy.fabric.kind.grid_of(needed);
                grown.extent.sips = hierarchy.fabric.grid;
            }
        }
        grown
    }

    /// Builds the graph. Only a machine too large for memory fails once its spec is checked.
    pub fn build(&self, sink: &mut Sink) -> Result<Machine, Reported> {
        build::build(self, sink)
    }
}

fn defaults() -> Node {
    let mut sink = Sink::new();
    let mut errors = Errors::new(&mut sink);
    let file = SourceMap::new().add("topology/default.yaml", DEFAULT_YAML);
    yaml::parse(file, DEFAULT_YAML, &mut errors).expect("a test parses default.yaml")
}

/// Reads the whole tree; `None` only after an error.
fn read(given: &Node, defaults: &Node, file: &str, errors: &mut Errors<'_>) -> Option<Spec> {
    let mut root = Section::root(given, defaults, errors);
    let flit_bytes = root.read("flit_bytes", errors, section::count(1..=1 << 30)).value;
    let kinds = &[("flit", Arbitration::Flit), ("message", Arbitration::Message)];
    let arbitration = root.read("arbitration", errors, section::choice(kinds)).value;
    let ns_per_mm = root.read("ns_per_mm", errors, section::ns_per_mm).value;
    let (network, spans) = network::read(&mut root, errors);
    let name = root.read_given("name", errors, section::text);
    let name = name.map_or_else(|| stem(file).to_owned(), |given| given.value);
    let parts = if root.has("machine") {
        one_form_only(&mut root, errors);
        nodes::read(&mut root, errors)
    } else {
        hierarchy::read(&mut root, ns_per_mm, errors)
    };
    root.finish(errors);
    let (extent, mut params, form) = parts?;
    if params.hbm.burst == 0 {
        params.hbm.burst = flit_bytes.into();
    }
    let flit_bytes = flit_bytes.into();
    Some(Spec { name, extent, params, flit_bytes, network, spans, arbitration, form })
}

/// `dir/ring8.yaml` without its directory and ending.
fn stem(file: &str) -> &str {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.strip_suffix(".yaml").or(base.strip_suffix(".yml")).unwrap_or(base)
}

/// Reports the keys of the other form beside `machine:`.
fn one_form_only(root: &mut Section<'_>, errors: &mut Errors<'_>) {
    let machine = root.key_span("machine");
    for key in ["system", "sip", "cube"] {
        let span = root.key_span(key);
        root.ignore(key);
        if !span.is_none() {
            let message = format!("`machine` and `{key}` both describe the machine");
            let label = "levels of SIPs, cubes and PEs here";
            let diagnostic = Diagnostic::new(codes::TWO_FORMS, message, span, label);
            errors.report(diagnostic.because(machine, "nodes and links here"));
        }
    }
}

/// Reports a machine of more than [`MAX_PES`] PEs, whose ids would not fit.
fn check_size(extent: [u64; 3], span: Span, errors: &mut Errors<'_>) -> bool {
    let total = extent.iter().try_fold(1u64, |all, count| all.checked_mul(*count));
    let total = total.unwrap_or(u64::MAX);
    if total <= MAX_PES {
        return true;
    }
    let ([sips, cubes, pes], limit) = (extent.map(grouped), grouped(MAX_PES));
    let message = format!("the machine has {} PEs, expected at most {limit}", grouped(total));
    let label = "too many with this";
    let diagnostic = Diagnostic::new(codes::MACHINE_TOO_LARGE, message, span, label);
    errors.report(diagnostic.note(format!("{sips} SIPs × {cubes} cubes × {pes} PEs")));
    false
}

/// `count` things in a grid as near to a square as its divisors allow, no taller than wide.
pub(super) fn near_square(count: u32, wraps: bool) -> Grid {
    let divides = |rows: &u32| count.is_multiple_of(*rows);
    let rows = (1..=count.isqrt()).rev().find(divides).unwrap_or(1);
    Grid { w: count / rows, h: rows, wraps }
}
