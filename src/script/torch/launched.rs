//! What host programs measure: how a launch went, and what the machine can do at most.

use std::any::Any;

use super::{fault, machine};
use crate::host::{Completion, Properties};
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::Object;
use crate::script::value::Value;
use crate::source::Span;

/// A launch that was begun. Its attributes are those of [`measures`]; reading one waits for its end.
pub(super) struct Launched {
    /// Its number among the launches of the program, from 0 on.
    pub(super) index: usize,
}

/// What is measured of a launch, by name: all PEs together.
fn measures(ended: &Completion) -> [(&'static str, u64); 10] {
    let work = &ended.work;
    [
        ("gemms", work.gemms),
        ("composites", work.composites),
        ("macs", work.macs),
        ("elements", work.elements),
        ("reads", work.reads),
        ("writes", work.writes),
        ("messages", work.messages),
        ("message_bytes", work.message_bytes),
        ("bytes_read", work.bytes_read),
        ("bytes_written", work.bytes_written),
    ]
}

impl Object for Launched {
    fn type_name(&self) -> String {
        "launch".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        let counts = measures(&Completion::default()).map(|(name, _)| name);
        ["time_ns"].into_iter().chain(counts).collect()
    }

    fn attribute(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        span: Span,
    ) -> Result<Option<Value>> {
        let ended = machine(evaluator, span)?.completion(self.index);
        let ended = ended.map_err(|error| fault(error, span))?.unwrap_or_default();
        if name == "time_ns" {
            return Ok(Some(Value::Float(ended.time.as_ns())));
        }
        let count = measures(&ended).into_iter().find(|(known, _)| *known == name);
        Ok(count.map(|(_, count)| Value::Int(i128::from(count))))
    }
}

/// What a PE can do at most, and how many there are.
pub(super) struct DeviceProperties(pub(super) Properties);

impl DeviceProperties {
    fn members(&self) -> [(&'static str, Value); 8] {
        let Properties { name, grid: [pes, cubes, sips], .. } = &self.0;
        let count = |count: u64| Value::Int(i128::from(count));
        [
            ("name", Value::str(name)),
            ("pes_per_cube", count(u64::from(*pes))),
            ("cubes_per_sip", count(u64::from(*cubes))),
            ("sips", count(u64::from(*sips))),
            ("macs_per_ns", Value::Float(self.0.macs_per_ns)),
            ("elements_per_ns", Value::Float(self.0.elements_per_ns)),
            ("hbm_bytes_per_ns", Value::Float(self.0.hbm_bytes_per_ns)),
            ("tcm_bytes", count(self.0.tcm_bytes)),
        ]
    }
}

impl Object for DeviceProperties {
    fn type_name(&self) -> String {
        "device properties".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        self.members().map(|(name, _)| name).to_vec()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        Ok(self.members().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value))
    }
}
