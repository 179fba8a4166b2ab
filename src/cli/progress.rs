//! The progress bar of long simulations: simulated time, events a second, time left.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::console::Stopwatch;
use crate::units::Ps;

/// Shown once a simulation has run for a second.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    started: Stopwatch,
    visible: bool,
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Simulated time.
    pub(super) now: Ps,
    /// Events handled.
    pub(super) events: u64,
    /// Agents that have finished, of how many.
    pub(super) finished: (u64, u64),
}

impl Progress {
    /// Nothing shown yet; never anything unless `visible`.
    pub(super) fn new(visible: bool) -> Progress {
        Progress { bar: None, started: Stopwatch::start(), visible }
    }

    /// Shows how far it is.
    pub(super) fn update(&mut self, mark: Mark) {
        let seconds = self.started.seconds();
        if !self.visible || seconds < 1.0 {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(mark.finished.1));
        let rate = mark.events as f64 / seconds / 1e6;
        bar.set_position(mark.finished.0);
        bar.set_message(format!("{} simulated, {rate:.1} M events/s", mark.now));
    }

    /// Takes it off the screen.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(agents: u64) -> ProgressBar {
    let template = "{spinner} {msg} [{bar:24}] {pos}/{len} agents done, {eta} left";
    let style = ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "));
    let bar = ProgressBar::new(agents).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
