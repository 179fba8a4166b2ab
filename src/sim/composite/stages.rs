//! The stages of pipelines: what starts when.

use super::plan::MathTask;
use super::{Done, Pipeline, by, pe_of};
use crate::oplog::{Cause, Engine, LogSink};
use crate::sim::op::{Channel, Ready, Release};
use crate::sim::state::{Simulation, Step};
use crate::units::Ps;

/// A stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    DmaIn,
    Fetch,
    Gemm,
    Math,
    Store,
    WriteBack,
}

/// How many stages there are.
pub(super) const STAGES: usize = 6;

/// The stages in an order in which one makes room for the one before it.
const BACKWARDS: [Stage; STAGES] =
    [Stage::WriteBack, Stage::Store, Stage::Math, Stage::Gemm, Stage::Fetch, Stage::DmaIn];

impl<L: LogSink> Simulation<'_, L> {
    /// Lets the pipelines of an agent go on as far as they can now. True if one did.
    pub(in crate::sim) fn advance_composites(&mut self, agent: u32) -> Step<bool> {
        if self.agents[agent as usize].composites.is_empty() {
            return Ok(false);
        }
        let mut moved = false;
        let running: Vec<u32> = self.agents[agent as usize]
            .composites
            .iter()
            .filter(|it| it.ended.is_none() && it.begins.is_some_and(|(at, _)| at <= self.now))
            .map(|it| it.seq)
            .collect();
        for seq in running {
            moved |= self.advance(agent, seq)?;
        }
        Ok(moved)
    }

    #[inline(never)]
    fn advance(&mut self, agent: u32, seq: u32) -> Step<bool> {
        let mut moved = false;
        loop {
            let mut again = self.inject_tiles(agent, seq)?;
            for stage in BACKWARDS {
                while self.start_stage(agent, seq, stage) {
                    again = true;
                }
            }
            again |= self.free_places(agent, seq);
            self.settle_ends(agent, seq);
            if !again {
                return Ok(moved);
            }
            moved = true;
        }
    }

    /// Starts a stage's next tile, if it can start now.
    fn start_stage(&mut self, agent: u32, seq: u32, stage: Stage) -> bool {
        let now = self.now;
        let Some(pipeline) = self.pipeline(agent, seq) else { return false };
        let Some(ready) = pipeline.ready(stage, now) else { return false };
        match stage {
            Stage::DmaIn => self.start_transfer(agent, seq, (Channel::DmaRead, ready)),
            Stage::WriteBack => self.start_transfer(agent, seq, (Channel::DmaWrite, ready)),
            Stage::Gemm => self.start_compute(agent, seq, (Channel::Gemm, ready)),
            Stage::Math => self.start_compute(agent, seq, (Channel::Math, ready)),
            Stage::Fetch | Stage::Store => self.start_port(agent, seq, (stage, ready)),
        }
    }

    fn start_transfer(
        &mut self,
        agent: u32,
        seq: u32,
        (channel, mut ready): (Channel, Ready),
    ) -> bool {
        let stage = if channel == Channel::DmaRead { Stage::DmaIn } else { Stage::WriteBack };
        if !self.channel_ready(agent, channel, &mut ready)
            || !self.is_due(agent, seq, (stage, ready.time))
        {
            return false;
        }
        let Some(pipeline) = self.pipeline(agent, seq) else { return false };
        let plan = &pipeline.plan;
        let bytes = if channel == Channel::DmaRead {
            plan.read_block(pipeline.reads.started).map_or(0, |block| block.row_bytes())
        } else {
            plan.write_block(pipeline.writes.started).row_bytes()
        };
        self.begin_tile(agent, seq, (channel, ready, bytes));
        let Some(pipeline) = self.pipeline(agent, seq) else { return false };
        let plan = &pipeline.plan;
        let over = if channel == Channel::DmaRead {
            pipeline.reads.started == plan.steps() * plan.streams()
        } else {
            pipeline.writes.started == plan.write_backs()
        };
        if over {
            self.let_go(agent, seq, (channel, None));
        }
        true
    }

    /// Starts a tile on an engine that computes.
    fn start_compute(
        &mut self,
        agent: u32,
        seq: u32,
        (channel, mut ready): (Channel, Ready),
    ) -> bool {
        let number = pe_of(self, agent);
        if let (free, Some(last)) = self.pes[number].engine_free(channel) {
            ready.also(free, last);
        }
        let stage = if channel == Channel::Gemm { Stage::Gemm } else { Stage::Math };
        if !self.is_due(agent, seq, (stage, ready.time)) {
            return false;
        }
        let params = self.params;
        let Some(pipeline) = self.pipeline(agent, seq) else { return false };
        let (plan, site) = (&pipeline.plan, pipeline.site);
        let (time, over) = if channel == Channel::Gemm {
            let step = pipeline.gemm.started;
            (plan.gemm_time(step, params), step + 1 == plan.steps())
        } else {
            let index = pipeline.math.started;
            (plan.math_time(plan.math_task(index), &params.math), index + 1 == plan.math_tasks())
        };
        let end = ready.time + time;
        let times = (ready.time, end, ready.release);
        let record = self.log_stage(agent, (seq, site), channel.engine(), times);
        let done = Done { end, record };
        self.pes[number].occupy(channel, end, by(done, Cause::Engine));
        if let Some(it) = self.pipeline(agent, seq) {
            it.computed(channel, done);
        }
        self.alarm(agent, seq, (stage, end));
        if over {
            self.let_go(agent, seq, (channel, None));
        }
        true
    }

    /// Starts a tile on a side of the fetch/store unit, by its port of TCM.
    fn start_port(&mut self, agent: u32, seq: u32, (stage, mut ready): (Stage, Ready)) -> bool {
        let number = pe_of(self, agent);
        let is_fetch = stage == Stage::Fetch;
        let units = self.pes[number].units();
        let (free, last) = if is_fetch { units.read_port } else { units.write_port };
        if let Some(last) = last {
            ready.also(free, Release { cause: Cause::Engine, ..last });
        }
        if !self.is_due(agent, seq, (stage, ready.time)) {
            return false;
        }
        let (tcm, overhead) = (&self.params.tcm, self.params.fetch_store.overhead);
        let (read, write) = (tcm.read, tcm.write);
        let Some(pipeline) = self.pipeline(agent, seq) else { return false };
        let site = pipeline.site;
        let (bytes, rate, engine) = if is_fetch {
            (pipeline.plan.fetched_bytes(pipeline.fetch.started), read, Engine::Fetch)
        } else {
            (pipeline.plan.stored_bytes(pipeline.store.started), write, Engine::Store)
        };
        let end = ready.time + overhead + rate.time(bytes);
        let record = self.log_stage(agent, (seq, site), engine, (ready.time, end, ready.release));
        let done = Done { end, record };
        let port = (end, Some(by(done, Cause::Engine)));
        let units = self.pes[number].units();
        *(if is_fetch { &mut units.read_port } else { &mut units.write_port }) = port;
        if let Some(it) = self.pipeline(agent, seq) {
            let (buffers, streams) = (it.plan.buffers, it.plan.streams());
            let track = if is_fetch { &mut it.fetch } else { &mut it.store };
            track.push(done, buffers);
            // What has been fetched, or stored over, is of no more interest.
            it.reads.forget_before(it.fetch.started.saturating_sub(buffers) * streams);
            it.writes.forget_before(it.store.started.saturating_sub(buffers));
        }
        self.alarm(agent, seq, (stage, end));
        true
    }

    /// Whether `time` has come; if not, the PE is looked at again then.
    fn is_due(&mut self, agent: u32, seq: u32, (stage, time): (Stage, Ps)) -> bool {
        if time <= self.now {
            return true;
        }
        self.alarm(agent, seq, (stage, time));
        false
    }

    /// Lets the PE be looked at again at `time` for a stage, once.
    fn alarm(&mut self, agent: u32, seq: u32, (stage, time): (Stage, Ps)) {
        let Some(pipeline) = self.pipeline(agent, seq) else { return };
        let before = std::mem::replace(&mut pipeline.alarms[stage as usize], time);
        if before != time {
            self.resume_at(agent, seq, time);
        }
    }

    /// A composite needs an engine, or the places between two, no more: others may have them.
    fn let_go(&mut self, agent: u32, seq: u32, (channel, last): (Channel, Option<Done>)) {
        if let Some(pipeline) = self.pipeline(agent, seq) {
            pipeline.holds[channel as usize] = None;
        }
        let number = pe_of(self, agent);
        let free = last.map(|last| (last.end, Some(by(last, Cause::Operand))));
        self.pes[number].take_back(channel, free);
    }

    /// Lets go of places between stages of which the last is free. True if there were any.
    fn free_places(&mut self, agent: u32, seq: u32) -> bool {
        let now = self.now;
        let mut freed = false;
        for channel in [Channel::Staging, Channel::Registers, Channel::Sums, Channel::Output] {
            let Some(pipeline) = self.pipeline(agent, seq) else { return freed };
            let held = pipeline.holds[channel as usize].is_some();
            if held && let Some(last) = pipeline.last_of(channel, now) {
                self.let_go(agent, seq, (channel, Some(last)));
                freed = true;
            }
        }
        freed
    }

    /// Finds out whether everything has been read, and whether everything has been written.
    fn settle_ends(&mut self, agent: u32, seq: u32) {
        let now = self.now;
        let Some(pipeline) = self.pipeline(agent, seq) else { return };
        if pipeline.ended.is_some() {
            return;
        }
        if pipeline.read_record.is_none()
            && let Some(end) = pipeline.reading_end(now)
        {
            self.finish_reading(agent, seq, end);
        }
        let Some(pipeline) = self.pipeline(agent, seq) else { return };
        if pipeline.writes.ended < pipeline.plan.write_backs() {
            return;
        }
        if let Some(last) = pipeline.written {
            self.finish_composite(agent, seq, last);
        }
    }
}

impl Pipeline {
    /// What the next tile of a stage waits for within the pipeline; `None` while one of it has not
    /// come, or if there is no next tile.
    fn ready(&self, stage: Stage, now: Ps) -> Option<Ready> {
        let (time, release) = self.begins?;
        let mut ready = Ready { time, release };
        let plan = &self.plan;
        let index = match stage {
            Stage::DmaIn => self.dma_in(now, &mut ready)?,
            Stage::Fetch => self.fetch(now, &mut ready)?,
            Stage::Gemm => self.gemm(now, &mut ready)?,
            Stage::Math => self.math(now, &mut ready)?,
            Stage::Store => self.store(now, &mut ready)?,
            Stage::WriteBack => self.write_back(now, &mut ready)?,
        };
        let count = match stage {
            Stage::DmaIn => plan.steps() * plan.streams(),
            Stage::Fetch | Stage::Gemm => plan.steps(),
            Stage::Math => plan.math_tasks(),
            Stage::Store => plan.outputs(),
            Stage::WriteBack => plan.write_backs(),
        };
        (index < count).then_some(ready)
    }

    /// A place in TCM: its tile of `buffers` steps before has been fetched.
    fn dma_in(&self, now: Ps, ready: &mut Ready) -> Option<u64> {
        let index = self.reads.started;
        self.holds(&[Channel::DmaRead, Channel::Staging], ready)?;
        let step = index.checked_div(self.plan.streams())?;
        if let Some(before) = step.checked_sub(self.plan.buffers) {
            free(ready, self.fetch.done(before, now)?);
        }
        Some(index)
    }

    /// Its tiles are in TCM, and a set of registers is free.
    fn fetch(&self, now: Ps, ready: &mut Ready) -> Option<u64> {
        let step = self.fetch.started;
        if step >= self.plan.steps() {
            return None;
        }
        self.holds(&[Channel::Registers], ready)?;
        let streams = self.plan.streams();
        for index in step * streams..(step + 1) * streams {
            wait(ready, self.reads.get(index)?.done?, Cause::Link);
        }
        if let Some(before) = step.checked_sub(self.plan.buffers) {
            let consumer = if self.plan.has_gemm() {
                self.gemm.done(before, now)?
            } else {
                self.math.done(self.plan.math_index(MathTask::Output(before)), now)?
            };
            free(ready, consumer);
        }
        Some(step)
    }

    /// Its operands are in registers, and there is a place for what it makes: a set of sums at the
    /// first step of an output tile, a product at each where the vector engine takes it.
    fn gemm(&self, now: Ps, ready: &mut Ready) -> Option<u64> {
        let step = self.gemm.started;
        if step >= self.plan.steps() {
            return None;
        }
        self.holds(&[Channel::Gemm, Channel::Sums], ready)?;
        wait(ready, self.fetch.done(step, now)?, Cause::Operand);
        let output = self.plan.output_of(step);
        let is_first = step == 0 || self.plan.output_of(step - 1) != output;
        if is_first && let Some(before) = output.checked_sub(self.plan.buffers) {
            free(ready, self.store.done(before, now)?);
        }
        if self.plan.has_product_tasks()
            && let Some(before) = step.checked_sub(self.plan.buffers)
        {
            let task = self.plan.math_index(MathTask::Product(before));
            free(ready, self.math.done(task, now)?);
        }
        Some(step)
    }

    fn math(&self, now: Ps, ready: &mut Ready) -> Option<u64> {
        let index = self.math.started;
        if index >= self.plan.math_tasks() {
            return None;
        }
        self.holds(&[Channel::Math, Channel::Sums], ready)?;
        match self.plan.math_task(index) {
            MathTask::Product(step) => wait(ready, self.gemm.done(step, now)?, Cause::Operand),
            MathTask::Output(output) => {
                let step = self.plan.last_step(output);
                if self.plan.has_gemm() {
                    wait(ready, self.sums.done(output, now)?, Cause::Operand);
                } else {
                    wait(ready, self.fetch.done(step, now)?, Cause::Operand);
                    if let Some(before) = output.checked_sub(self.plan.buffers) {
                        free(ready, self.store.done(before, now)?);
                    }
                }
            }
            MathTask::Whole => {
                let last = self.plan.outputs() - 1;
                wait(ready, self.store.done(last, now)?, Cause::Operand);
            }
        }
        Some(index)
    }

    /// Its tile is complete, and a place in TCM is free: that of `buffers` tiles before has been
    /// read by its write-back.
    fn store(&self, now: Ps, ready: &mut Ready) -> Option<u64> {
        let output = self.store.started;
        if output >= self.plan.outputs() {
            return None;
        }
        self.holds(&[Channel::Output], ready)?;
        let made = if self.plan.has_output_tasks() {
            self.math.done(self.plan.math_index(MathTask::Output(output)), now)?
        } else {
            self.sums.done(output, now)?
        };
        wait(ready, made, Cause::Operand);
        if !self.plan.is_held_whole()
            && let Some(before) = output.checked_sub(self.plan.buffers)
        {
            if before >= self.writes.started {
                return None;
            }
            if let Some(write) = self.writes.get(before) {
                let at = write.read?;
                let record = write.release.record;
                ready.also(at, Release { at, record, cause: Cause::Operand });
            }
        }
        Some(output)
    }

    fn write_back(&self, now: Ps, ready: &mut Ready) -> Option<u64> {
        let index = self.writes.started;
        if index >= self.plan.write_backs() {
            return None;
        }
        self.holds(&[Channel::DmaWrite], ready)?;
        let made = if self.plan.is_held_whole() {
            self.math.done(self.plan.math_index(MathTask::Whole), now)?
        } else {
            self.store.done(index, now)?
        };
        wait(ready, made, Cause::Operand);
        Some(index)
    }

    /// Waits for what it takes its turn at; `None` while it has not all of it.
    fn holds(&self, channels: &[Channel], ready: &mut Ready) -> Option<()> {
        for channel in channels {
            if let (at, Some(last)) = self.holds[*channel as usize]? {
                ready.also(at, Release { cause: Cause::Engine, ..last });
            }
        }
        Some(())
    }

    /// An engine takes a tile until `done`.
    fn computed(&mut self, channel: Channel, done: Done) {
        let buffers = self.plan.buffers;
        let summed = if channel == Channel::Gemm {
            let step = self.gemm.started;
            self.gemm.push(done, buffers);
            (!self.plan.has_product_tasks()).then_some(step)
        } else {
            let task = self.plan.math_task(self.math.started);
            self.math.push(done, buffers);
            if let MathTask::Product(step) = task { Some(step) } else { None }
        };
        let ends = |step: &u64| self.plan.last_step(self.plan.output_of(*step)) == *step;
        if summed.as_ref().is_some_and(ends) {
            self.sums.push(done, buffers);
        }
    }

    /// What freed the last of the places that `channel` stands for, once it has been freed.
    fn last_of(&self, channel: Channel, now: Ps) -> Option<Done> {
        let plan = &self.plan;
        let last_step = plan.steps().checked_sub(1)?;
        match channel {
            Channel::Staging => self.fetch.done(last_step, now),
            Channel::Registers if plan.has_gemm() => self.gemm.done(last_step, now),
            Channel::Registers => self.math.done(plan.math_tasks().checked_sub(1)?, now),
            Channel::Sums => self.store.done(plan.outputs() - 1, now),
            Channel::Output => {
                let over = self.writes.started == plan.write_backs();
                let last = self.writes.get(self.writes.started.checked_sub(1)?)?;
                let read = self.writes.kept.iter().all(|it| it.read.is_some());
                let record = last.release.record.filter(|_| over && read)?;
                Some(Done { end: last.read?, record })
            }
            Channel::DmaRead
            | Channel::DmaWrite
            | Channel::DmaComm
            | Channel::Gemm
            | Channel::Math
            | Channel::Stream
            | Channel::Pass
            | Channel::Scheduler => None,
        }
    }

    /// When the last tile was fetched and the vector engine did its last task, once both have.
    fn reading_end(&self, now: Ps) -> Option<Ps> {
        let plan = &self.plan;
        let fetched = self.fetch.done(plan.steps() - 1, now)?.end;
        let tasks = plan.math_tasks();
        let computed = match tasks.checked_sub(1) {
            Some(last) => self.math.done(last, now)?.end,
            None => fetched,
        };
        Some(fetched.max(computed))
    }
}

/// Waits for what another stage has made.
fn wait(ready: &mut Ready, done: Done, cause: Cause) {
    ready.also(done.end, by(done, cause));
}

/// Waits for a place that another stage has freed.
fn free(ready: &mut Ready, done: Done) {
    ready.also(done.end, by(done, Cause::Operand));
}
