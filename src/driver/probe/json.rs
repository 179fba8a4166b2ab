//! The probe as JSON. Times are integers in picoseconds; rates are in GB/s, `null` where nothing
//! limits.

use serde_json::{Value, json};

use super::{Hop, ProbeReport, Probed, Sample, Work};

impl ProbeReport {
    /// One JSON object.
    pub fn json(&self) -> Value {
        json!({
            "machine": self.machine,
            "pes": self.pes,
            "bytes": self.bytes,
            "writes": self.writes,
            "cases": self.cases.iter().map(case).collect::<Vec<_>>(),
        })
    }
}

fn case(probed: &Probed) -> Value {
    let mut value = sample(&probed.sample);
    if let Value::Object(fields) = &mut value {
        fields.insert("case".into(), json!(probed.case.name));
        fields.insert("what".into(), json!(probed.case.what));
        fields.insert("group".into(), json!(probed.case.group.name()));
        fields.insert("issuers".into(), json!(issuers(&probed.case.work)));
        let sweep: Vec<Value> = probed.sweep.iter().map(sample).collect();
        fields.insert("sweep".into(), json!(sweep));
        let hops: Vec<Value> = probed.hops.iter().map(hop).collect();
        fields.insert("route".into(), json!(hops));
        fields.insert("accounts".into(), probed.accounts.json());
    }
    value
}

fn issuers(work: &Work) -> usize {
    match work {
        Work::Pes(transfers) => transfers.len(),
        Work::Host(_) => 1,
    }
}

fn sample(sample: &Sample) -> Value {
    json!({
        "bytes": sample.bytes,
        "total_ps": sample.total.0,
        "first_ps": sample.first.0,
        "split_ps": {
            "overhead": sample.split.overhead.0,
            "wire": sample.split.wire.0,
            "serialisation": sample.split.serialisation.0,
            "queueing": sample.split.queueing.0,
        },
        "gb_per_s": sample.gb_per_s,
        "peak_gb_per_s": limit(sample.peak),
        "aggregate_peak_gb_per_s": limit(sample.aggregate),
        "utilisation_percent": limit(sample.utilisation()),
    })
}

fn hop(hop: &Hop) -> Value {
    json!({ "enters": hop.enters, "first_ps": hop.first.0, "last_ps": hop.last.0 })
}

/// JSON has no infinity.
fn limit(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
