//! The commands of one agent, found by their numbers.

use std::collections::VecDeque;

use crate::command::{AgentId, Program, Step, WalkError, Walker};

/// An agent's stream, of which commands may be taken out of order: those passed over are kept.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    walker: Walker,
    /// Commands from number `first` on that were walked; `None` once taken.
    window: VecDeque<Option<Step>>,
    first: u32,
}

/// Why a command cannot be taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StreamError {
    /// The stream ends before it.
    Ended,
    /// It was taken before.
    Taken,
    /// The stream goes wrong before it.
    Walk(WalkError),
}

impl Stream {
    /// The stream of `agent`, from its start.
    pub(super) fn new(program: &Program, agent: AgentId) -> Stream {
        Stream { walker: Walker::new(program, agent), window: VecDeque::new(), first: 0 }
    }

    /// How many commands have been walked.
    pub(super) fn walked(&self) -> u32 {
        self.walker.position()
    }

    /// Command `seq`.
    pub(super) fn take(&mut self, program: &Program, seq: u32) -> Result<Step, StreamError> {
        let place = seq.checked_sub(self.first).ok_or(StreamError::Taken)? as usize;
        while self.window.len() <= place {
            let step = self.walker.next(program).map_err(StreamError::Walk)?;
            self.window.push_back(Some(step.ok_or(StreamError::Ended)?));
        }
        let step = self.window[place].take().ok_or(StreamError::Taken)?;
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.first += 1;
        }
        Ok(step)
    }
}
