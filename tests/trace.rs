//! `kbc sim --trace`: the file is JSON that Perfetto opens, and tells what the report tells.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads what was written"
)]

mod command_line;

use std::collections::{BTreeMap, BTreeSet};

use command_line::{Scratch, kbc, root};
use serde_json::Value;

/// Times of a trace, in picoseconds.
fn ps(event: &Value, field: &str) -> u64 {
    (event[field].as_f64().unwrap() * 1e6).round() as u64
}

/// Runs a kernel of the project; gives the text of its trace and the report.
fn traced(kernel: &str, options: &[&str]) -> (String, Value) {
    let scratch = Scratch::new();
    let kernel = root().join("kernels").join(kernel);
    let mut line = vec!["sim", kernel.to_str().unwrap(), "--json", "--trace", "trace.json"];
    line.extend(options);
    let ran = kbc(scratch.path(), &line);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let trace = std::fs::read_to_string(scratch.path().join("trace.json")).unwrap();
    (trace, serde_json::from_str(&ran.stdout).unwrap())
}

fn events(trace: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(trace).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["ph"] == kind).collect()
}

type Track = (u64, u64);

fn track(event: &Value) -> Track {
    (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap())
}

/// What each track is called.
fn names(events: &[Value]) -> BTreeMap<Track, String> {
    let named = events.iter().filter(|event| event["name"] == "thread_name");
    named.map(|event| (track(event), event["args"]["name"].as_str().unwrap().to_owned())).collect()
}

/// The slices of each track, by start.
fn slices(events: &[Value]) -> BTreeMap<Track, Vec<(u64, u64)>> {
    let mut slices: BTreeMap<Track, Vec<(u64, u64)>> = BTreeMap::new();
    for event in of_kind(events, "X") {
        let start = ps(event, "ts");
        slices.entry(track(event)).or_default().push((start, start + ps(event, "dur")));
    }
    slices.values_mut().for_each(|of_track| of_track.sort_unstable());
    slices
}

#[test]
fn slices_of_a_track_do_not_overlap_and_have_names() {
    let (trace, report) = traced("vector_add.kb", &["--ws", "4"]);
    let events = events(&trace);
    let names = names(&events);
    let last = slices(&events).into_iter().map(|(track, slices)| {
        assert!(track.0 == 0 || names.contains_key(&track), "{track:?} has no name");
        for pair in slices.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{track:?}: {pair:?}");
        }
        slices.last().unwrap().1
    });
    let time = report["launches"].as_array().unwrap().iter().map(|it| it["time_ps"].as_u64());
    assert_eq!(last.max(), time.sum::<Option<u64>>());
}

#[test]
fn engines_are_as_busy_as_the_report_says() {
    let (trace, report) = traced("gemm.kb", &["--ws", "4"]);
    let events = events(&trace);
    let (names, slices) = (names(&events), slices(&events));
    let engines = report["launches"][0]["report"]["engines"].as_array().unwrap();
    for name in ["GEMM", "MATH"] {
        let of_name =
            slices.iter().filter(|(track, _)| names.get(track).is_some_and(|it| it == name));
        let sum: u64 = of_name.flat_map(|(_, slices)| slices).map(|it| it.1 - it.0).sum();
        assert!(sum > 0, "{name} did nothing");
        let said = engines.iter().find(|engine| engine["engine"] == name);
        assert_eq!(said.map_or(0, |it| it["busy_ps"].as_u64().unwrap()), sum, "{name}");
    }
}

#[test]
fn every_message_has_an_arrow_and_those_that_were_waited_for_end_at_a_receive() {
    // A ring of 8 sends 7 messages from each; all but the first of each rank are waited for.
    let (trace, _) = traced("ring_allreduce.kb", &["--ws", "8"]);
    let events = events(&trace);
    let (tails, heads) = (of_kind(&events, "s"), of_kind(&events, "f"));
    assert_eq!((tails.len(), heads.len()), (56, 56));
    let ids: BTreeSet<u64> = tails.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), 56);
    let receives: BTreeSet<(Track, u64)> = of_kind(&events, "X")
        .into_iter()
        .filter(|event| event["name"].as_str().unwrap().starts_with("tl.recv"))
        .map(|event| (track(event), ps(event, "ts")))
        .collect();
    let waited = of_kind(&events, "X").into_iter().filter(|event| {
        event["name"].as_str().unwrap().starts_with("tl.recv")
            && event["args"]["released_by"] == "link"
    });
    let met = heads.iter().filter(|head| receives.contains(&(track(head), ps(head, "ts"))));
    assert_eq!(met.count(), waited.count());
}

/// A kernel whose messages wait for each other.
const CONTENDED: (&str, &[&str]) = ("tree_allreduce.kb", &["--ws", "16"]);

#[test]
fn tracks_of_links_hold_what_the_report_says_of_them() {
    let (trace, report) = traced(CONTENDED.0, CONTENDED.1);
    let events = events(&trace);
    let names = names(&events);
    for (track, slices) in slices(&events) {
        for pair in slices.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{track:?}: {pair:?}");
        }
    }
    let links = report["launches"][0]["report"]["links"].as_array().unwrap();
    assert!(links.iter().any(|link| link["queued_ps"] != 0), "nobody waited");
    for link in links {
        let name =
            format!("{} -> {}", link["from"].as_str().unwrap(), link["to"].as_str().unwrap());
        let own: Vec<&Value> = of_kind(&events, "X")
            .into_iter()
            .filter(|event| names.get(&track(event)) == Some(&name))
            .collect();
        let sum = |of: fn(&Value) -> u64| own.iter().map(|event| of(event)).sum::<u64>();
        let number = |key: &str| link[key].as_u64().unwrap();
        assert_eq!(sum(|it| it["args"]["carried"].as_u64().unwrap()), number("bytes"), "{name}");
        let waited = sum(|it| (it["args"]["waited_ns"].as_f64().unwrap() * 1e3).round() as u64);
        assert_eq!(waited, number("queued_ps"), "{name}");
        assert!(sum(|it| ps(it, "dur")) >= number("busy_ps"), "{name}");
    }
}

#[test]
fn arrows_end_once_and_after_they_begin() {
    let (trace, _) = traced(CONTENDED.0, CONTENDED.1);
    let events = events(&trace);
    let at = |kind: &str| -> BTreeMap<u64, u64> {
        let ends = of_kind(&events, kind);
        let count = ends.len();
        let of: BTreeMap<u64, u64> =
            ends.iter().map(|event| (event["id"].as_u64().unwrap(), ps(event, "ts"))).collect();
        assert_eq!(of.len(), count, "two arrows with one number");
        of
    };
    let (tails, heads) = (at("s"), at("f"));
    assert!(!tails.is_empty());
    assert_eq!(tails.keys().collect::<Vec<_>>(), heads.keys().collect::<Vec<_>>());
    assert!(tails.iter().all(|(id, tail)| *tail <= heads[id]));
}

#[test]
fn counters_tell_how_many_messages_wait() {
    let (trace, report) = traced(CONTENDED.0, CONTENDED.1);
    let events = events(&trace);
    let launch = &report["launches"][0];
    let end = launch["time_ps"].as_u64().unwrap();
    let mut steps: Vec<(u64, f64)> = of_kind(&events, "C")
        .into_iter()
        .filter(|event| event["name"] == "messages that wait for a link")
        .map(|event| (ps(event, "ts"), event["args"]["mean"].as_f64().unwrap()))
        .collect();
    steps.push((end, 0.0));
    let area: f64 = steps.windows(2).map(|it| (it[1].0 - it[0].0) as f64 * it[0].1).sum();
    let queued = launch["report"]["network"]["queueing_ps"].as_f64().unwrap();
    // Means are written with three decimals.
    assert!((area - queued).abs() <= end as f64 * 0.001, "{area} of {queued}");
}

#[test]
fn traces_of_a_contended_run_have_one_hash_on_any_number_of_threads() {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let hash = |threads: &str| {
        let options = [CONTENDED.1, &["--threads", threads]].concat();
        let mut hasher = DefaultHasher::new();
        traced(CONTENDED.0, &options).0.hash(&mut hasher);
        hasher.finish()
    };
    let hashes: BTreeSet<u64> = ["1", "1", "2", "4"].map(hash).into();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn the_same_run_draws_the_same_bytes() {
    let one = traced("ring_allreduce.kb", &["--ws", "8", "--threads", "1"]).0;
    let two = traced("ring_allreduce.kb", &["--ws", "8", "--threads", "2"]).0;
    assert!(one == two, "the traces differ");
}

#[test]
fn a_trace_that_cannot_be_written_is_told() {
    let scratch = Scratch::new();
    let kernel = root().join("kernels/ring_allreduce.kb");
    let line = ["sim", kernel.to_str().unwrap(), "--ws", "2", "--trace", "none/trace.json"];
    let ran = kbc(scratch.path(), &line);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot write none/trace.json"), "{}", ran.stderr);
}
