//! `docs/commands.md` is about the commands that there are, field by field.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::command::channel::{BlockSync, ChannelCmd, ChannelOp, Moment};
use kbc::command::{
    Command, CompositeCmd, CompositeId, CompositeWait, DescId, DmaAtomic, DmaGather, DmaRead,
    DmaScatter, DmaWrite, GemmCmd, GemmId, IpcqRecv, IpcqRecvAsync, IpcqRelease, IpcqSend,
    IpcqStream, LaneId, Lanes, MathCmd, MathId, Message, Place, QueueId, Source, TileRef, Wait,
};
use kbc::dtype::DType;
use kbc::ops::AtomicOp;

/// One command of each kind, in the order of their names.
fn samples() -> Vec<Command> {
    let tile = TileRef { place: Place::Scratch(0), bytes: 4 };
    let message = Message { elements: 1, dtype: DType::F32 };
    let (queue, args) = (QueueId(0), [None; 3]);
    let lanes = Lanes { spec: LaneId(0), base: 0, index: None, mask: None };
    vec![
        DmaRead { base: 0, desc: DescId(0), window: None, dst: tile }.into(),
        DmaWrite { base: 0, desc: DescId(0), window: None, src: tile }.into(),
        DmaGather { lanes, other: None, dst: tile }.into(),
        DmaScatter { lanes, src: tile }.into(),
        DmaAtomic { op: AtomicOp::Add, lanes, src: tile, expected: None, dst: None }.into(),
        MathCmd { spec: MathId(0), args, out: tile }.into(),
        GemmCmd { spec: GemmId(0), a: tile, b: tile, acc: None, out: tile }.into(),
        CompositeCmd {
            spec: CompositeId(0),
            a: Source::Tile(tile),
            b: None,
            args: [None; 4],
            out: 0,
            number: 0,
        }
        .into(),
        CompositeWait { number: 0 }.into(),
        IpcqSend { queue, token: 0, src: tile, message }.into(),
        IpcqRecv { slot: tile, dst: None, consume: true, message }.into(),
        IpcqStream {
            slot: tile,
            spec: MathId(0),
            acc: None,
            out: None,
            to: [(QueueId(0), 0); 4],
            outputs: 0,
            message,
        }
        .into(),
        IpcqRecvAsync { slot: tile, message }.into(),
        Wait { slot: tile }.into(),
        IpcqRelease { slot: tile }.into(),
        ChannelCmd { op: ChannelOp::BlockSync(BlockSync {}), at: Moment { launch: 1, offset: 0 } }
            .into(),
    ]
}

/// The names of a command's own fields, from its debug form `Kind(Struct { field: …, … })`.
fn fields(command: &Command) -> Vec<String> {
    let text = format!("{command:?}");
    let (mut depth, mut names, mut word) = (0, Vec::new(), String::new());
    for letter in text.chars() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ':' if depth == 2 => names.push(word.clone()),
            _ => {}
        }
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
        } else {
            word.clear();
        }
    }
    names
}

#[test]
fn every_command_and_field_is_documented() {
    let text = include_str!("../docs/commands.md");
    let mut sections = text.split("\n## ").skip(1);
    let samples = samples();
    let names: Vec<&str> = samples.iter().map(Command::name).collect();
    assert_eq!(names, Command::NAMES, "there is a sample of each");
    for sample in &samples {
        let section = sections.next().expect("there is a section for each");
        let heading = format!("`{}`", sample.name());
        assert_eq!(section.lines().next(), Some(heading.as_str()));
        let documented: Vec<&str> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
            .collect();
        assert_eq!(documented, fields(sample), "the fields of {heading}");
        assert!(section.contains("\nEngine: "), "{heading} names its engine");
    }
    assert_eq!(sections.next(), None);
}
