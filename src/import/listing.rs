//! The listing: a line for each op, so that messages and reports can quote what a plan does.

use std::fmt::Write;

use super::schema::{ChannelType, Op};
use crate::command::Program;
use crate::source::{FileId, Span};

/// The listing of a plan while it is made. Spans are in a file that does not exist yet.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The text.
    pub(super) text: String,
}

/// The file that spans of a listing are in until it has one.
const UNPLACED: FileId = FileId(u32::MAX - 1);

impl Listing {
    /// Adds a line that belongs to no op.
    pub(super) fn heading(&mut self, text: &str) -> Span {
        self.line("", text)
    }

    /// Adds the line of op `number` of a thread block.
    pub(super) fn op(
        &mut self,
        (rank, block, number): (u32, u32, &str),
        op: &Op,
        operands: &str,
    ) -> Span {
        let mut text = String::from(op.name.name());
        if op.channel_type.is_some_and(|it| it != ChannelType::Memory) {
            // Writing to a string does not fail.
            let _ = write!(text, " {}", op.channel_type.map_or("", ChannelType::name));
        }
        if !operands.is_empty() {
            let _ = write!(text, " {operands}");
        }
        if let Some(slice) = op.tbg_info {
            let _ = write!(text, " (slice {} of {})", slice.tb_id, slice.tbg_size);
        }
        self.line(&format!("r{rank} tb{block} op {number}: "), &text)
    }

    fn line(&mut self, before: &str, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(before);
        self.text.push_str(text);
        let end = self.text.len();
        self.text.push('\n');
        Span::new(UNPLACED, start, end)
    }
}

/// Puts the spans of `program`, which are in a listing, into the file that the listing became.
pub(super) fn place(program: &mut Program, file: FileId) {
    let place = |span: &mut Span| {
        if span.file == UNPLACED {
            span.file = file;
        }
    };
    for (_, code) in program.codes.iter_mut() {
        code.spans.iter_mut().for_each(place);
        code.sites.iter_mut().for_each(|(_, site)| place(&mut site.span));
    }
}
