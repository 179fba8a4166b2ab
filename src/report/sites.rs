//! What each place of a program that issues commands stands for: its line, and the size of what
//! it does. Worked out once for each place, so that a record costs a table look-up.

use super::Run;
use crate::arena::Id;
use crate::command::{AgentId, Code, CodeId, QueueId, SiteId, Template};
use crate::oplog::Record;
use crate::source::{FileId, SourceMap, Span};

/// A source line: its file and its number from 1; number 0 for code that has none.
pub(super) type Line = (FileId, u32);

/// What a command does, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Reads bytes from HBM.
    Read(u64),
    /// Writes bytes to HBM.
    Write(u64),
    /// Computes elements.
    Math(u64),
    /// Does multiply-adds.
    Gemm(u64),
    /// Does multiply-adds and computes elements, tile by tile.
    Composite {
        /// Multiply-adds.
        macs: u64,
        /// Elements.
        elements: u64,
    },
    /// Sends bytes in a direction.
    Send(QueueId, u64),
    /// Waits for a message.
    Receive,
    /// Nothing that has a size, or one that differs from time to time.
    Other,
}

/// A place that issues commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) span: Span,
    pub(super) line: Line,
    pub(super) work: Work,
}

const UNKNOWN: Site = Site { span: Span::NONE, line: (Span::NONE.file, 0), work: Work::Other };

/// Every place of every code.
pub(super) struct Sites {
    /// By code, then by site.
    codes: Vec<Vec<Site>>,
    /// The code of each agent.
    agents: Vec<CodeId>,
}

impl Sites {
    pub(super) fn new(run: &Run<'_>) -> Sites {
        let of_code = |code: &Code| {
            let site = |it: &crate::command::Site| Site {
                span: it.span,
                line: line(run.sources, it.span),
                work: work(code, &it.template),
            };
            code.sites.values().map(site).collect()
        };
        Sites {
            codes: run.program.codes.values().map(of_code).collect(),
            agents: run.program.agents.values().map(|agent| agent.code).collect(),
        }
    }

    /// Something about every place, by code and then by site.
    pub(super) fn describe(&self, mut about: impl FnMut(&Site) -> String) -> Vec<Vec<String>> {
        self.codes.iter().map(|sites| sites.iter().map(&mut about).collect()).collect()
    }

    /// The place of a record's command. A record that names none (a log of another program) is
    /// taken to have no line and no size.
    pub(super) fn of(&self, record: &Record) -> &Site {
        self.find(&self.codes, record).unwrap_or(&UNKNOWN)
    }

    /// What a table by code and then by site, as [`Sites::describe`] makes one, has for a record.
    pub(super) fn find<'t, T>(&self, table: &'t [Vec<T>], record: &Record) -> Option<&'t T> {
        self.find_at(table, (record.agent, record.site))
    }

    /// The same for a place of an agent's code.
    pub(super) fn find_at<'t, T>(
        &self,
        table: &'t [Vec<T>],
        (agent, site): (AgentId, SiteId),
    ) -> Option<&'t T> {
        let code = self.agents.get(agent.index())?;
        table.get(code.index())?.get(site.index())
    }

    /// The line of a place of an agent's code.
    pub(super) fn line_of(&self, agent: AgentId, site: SiteId) -> Line {
        self.find_at(&self.codes, (agent, site)).unwrap_or(&UNKNOWN).line
    }
}

/// The line that a span begins on.
pub(super) fn line(sources: &SourceMap, span: Span) -> Line {
    sources.get(span.file).map_or(UNKNOWN.line, |file| (span.file, file.line_column(span.start).0))
}

/// `file:line` and the line's text, trimmed.
pub(super) fn describe(sources: &SourceMap, line: Line) -> (String, String) {
    let Some(file) = sources.get(line.0) else {
        return (String::from("<kbc>"), String::new());
    };
    let text = file.text().lines().nth(line.1.saturating_sub(1) as usize).unwrap_or("");
    (format!("{}:{}", file.name(), line.1), text.trim().to_owned())
}

fn work(code: &Code, template: &Template) -> Work {
    match template {
        Template::DmaRead { window: Some(_), .. } | Template::DmaWrite { window: Some(_), .. } => {
            Work::Other
        }
        Template::DmaRead { desc, .. } => Work::Read(code.descs[*desc].bytes()),
        Template::DmaWrite { desc, .. } => Work::Write(code.descs[*desc].bytes()),
        Template::DmaGather { lanes, .. } => Work::Read(code.lanes[lanes.spec].bytes()),
        Template::DmaScatter { lanes, .. } | Template::DmaAtomic { lanes, .. } => {
            Work::Write(code.lanes[lanes.spec].bytes())
        }
        Template::Math { spec, .. } => Work::Math(code.maths[*spec].shape.elements()),
        Template::Gemm { spec, .. } => Work::Gemm(code.gemms[*spec].macs()),
        Template::Composite { spec, .. } => {
            let spec = &code.composites[*spec];
            Work::Composite { macs: spec.macs(), elements: spec.elements() }
        }
        Template::Send { queue, message, .. } => Work::Send(*queue, message.bytes()),
        Template::Stream { to, message, .. } => match to.first() {
            Some(queue) => Work::Send(*queue, message.bytes()),
            None => Work::Receive,
        },
        Template::Recv { .. } | Template::Wait { .. } => Work::Receive,
        Template::CompositeWait { .. }
        | Template::RecvAsync { .. }
        | Template::Release { .. }
        | Template::Channel(_)
        | Template::Assert { .. } => Work::Other,
    }
}
