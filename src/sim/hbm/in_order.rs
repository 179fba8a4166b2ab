//! The banks of a channel that serves what comes in the order in which it comes.
//!
//! This is what a run of a kernel uses. Rows, bank groups, the activates in a window and refreshes
//! are those of [`super::bank`]. Reads and writes leave in order; the row of an access is opened as
//! soon as its bank allows after it came, while earlier accesses still use the bus, so nothing waits
//! that a controller with queues would not also have opened early. What it does not do is let a
//! later access to an open row go first.

use super::bank::{Banks, Command};
use crate::topology::BankParams;
use crate::units::Ps;

/// A channel's banks, and when they are refreshed next.
#[derive(Clone, Debug)]
pub(super) struct InOrder {
    banks: Banks,
    /// The cycle of the last read or write.
    last: u64,
    /// The cycle in which the next refresh is due; never, if there are none.
    due: u64,
}

impl InOrder {
    /// Idle and closed.
    pub(super) fn new(params: &BankParams) -> InOrder {
        let due = match params.timing.refi {
            0 => u64::MAX,
            refi => u64::from(refi),
        };
        InOrder { banks: Banks::new(params), last: 0, due }
    }

    /// Serves `bytes` from `address` of the channel on, which come at a time. Gives when the
    /// command for the last of them is given, and when its data end.
    pub(super) fn serve(
        &mut self,
        address: u64,
        bytes: u64,
        (came, writes): (Ps, bool),
    ) -> (Ps, Ps) {
        let clock = self.banks.params().t_ck.0.max(1);
        let unit = self.banks.params().access_bytes.max(1);
        let came = came.0.div_ceil(clock);
        for access in 0..bytes.div_ceil(unit) {
            self.access(address + access * unit, came, writes);
        }
        let params = self.banks.params();
        let delay = if writes { params.write_delay() } else { params.read_delay() };
        let time = |cycle: u64| Ps(cycle.saturating_mul(clock));
        (time(self.last), time(self.last + u64::from(delay)))
    }

    fn access(&mut self, address: u64, came: u64, writes: bool) {
        self.refresh(came.max(self.last));
        let place = self.banks.params().locate(address);
        let give = |banks: &mut Banks, command: Command| {
            let cycle = banks.earliest(command, place.bank).max(came);
            banks.give(command, &place, cycle);
            cycle
        };
        match self.banks.open_row(place.bank) {
            Some(row) if row == place.row => {}
            Some(_) => {
                give(&mut self.banks, Command::Precharge);
                give(&mut self.banks, Command::Activate);
            }
            None => {
                give(&mut self.banks, Command::Activate);
            }
        }
        self.last = give(&mut self.banks, if writes { Command::Write } else { Command::Read });
    }

    /// Refreshes the banks as often as was due until `cycle`; only the last time can still be felt.
    fn refresh(&mut self, cycle: u64) {
        if cycle < self.due {
            return;
        }
        let refi = u64::from(self.banks.params().timing.refi);
        let start = self.due + (cycle - self.due) / refi * refi;
        self.due = start + refi;
        self.banks.close_all(start);
        let begun = self.banks.earliest_refresh().max(start);
        self.banks.refresh(begun);
    }
}
