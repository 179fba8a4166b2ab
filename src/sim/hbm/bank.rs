//! The banks of one channel: which row each has open, and when each command may be given.
//!
//! Three kinds of limits hold at once: those of a bank, those of its group, and those of all banks.
//! Each command pushes them on; a command may be given when none of them lies ahead.

use crate::topology::{BankAddress, BankParams};

/// A command to a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens a row.
    Activate,
    /// Closes the open row.
    Precharge,
    /// Reads from the open row.
    Read,
    /// Writes to the open row.
    Write,
}

const COMMANDS: usize = 4;

/// The earliest cycle of each command.
type Earliest = [u64; COMMANDS];

/// The banks of a channel.
#[derive(Clone, Debug)]
pub struct Banks {
    params: BankParams,
    banks: Vec<Bank>,
    groups: Vec<Earliest>,
    all: Earliest,
    /// The last four activates, the oldest first; cycles are counted from 1 here, 0 is none.
    activates: [u64; 4],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bank {
    open: Option<u32>,
    /// Accesses since it was opened.
    hits: u32,
    earliest: Earliest,
}

impl Banks {
    /// Closed and idle.
    pub fn new(params: &BankParams) -> Banks {
        Banks {
            params: params.clone(),
            banks: vec![Bank::default(); params.banks() as usize],
            groups: vec![Earliest::default(); params.bankgroups as usize],
            all: Earliest::default(),
            activates: [0; 4],
        }
    }

    /// What they are.
    pub fn params(&self) -> &BankParams {
        &self.params
    }

    /// The row that a bank has open.
    pub fn open_row(&self, bank: u32) -> Option<u32> {
        self.banks[bank as usize].open
    }

    /// How often its open row has been accessed.
    pub fn hits(&self, bank: u32) -> u32 {
        self.banks[bank as usize].hits
    }

    /// Whether no bank has a row open.
    pub fn all_closed(&self) -> bool {
        self.banks.iter().all(|bank| bank.open.is_none())
    }

    /// The first cycle in which `command` may be given to a bank.
    pub fn earliest(&self, command: Command, bank: u32) -> u64 {
        let (state, at) = (&self.banks[bank as usize], command as usize);
        let group = &self.groups[(bank / self.params.banks_per_group) as usize];
        let limit = state.earliest[at].max(group[at]).max(self.all[at]);
        let [oldest, ..] = self.activates;
        if command == Command::Activate && oldest > 0 {
            return limit.max(oldest - 1 + u64::from(self.params.timing.faw));
        }
        limit
    }

    /// Gives a command in `cycle`, which must not be earlier than [`Banks::earliest`].
    pub fn give(&mut self, command: Command, at: &BankAddress, cycle: u64) {
        match command {
            Command::Activate => self.activate(at, cycle),
            Command::Precharge => self.precharge(at.bank, cycle),
            Command::Read => self.read(at, cycle),
            Command::Write => self.write(at, cycle),
        }
    }

    fn activate(&mut self, at: &BankAddress, cycle: u64) {
        let it = self.params.timing;
        let bank = &mut self.banks[at.bank as usize];
        (bank.open, bank.hits) = (Some(at.row), 0);
        raise(&mut bank.earliest, Command::Activate, cycle + u64::from(it.ras + it.rp));
        raise(&mut bank.earliest, Command::Read, cycle + u64::from(it.rcd_rd));
        raise(&mut bank.earliest, Command::Write, cycle + u64::from(it.rcd_wr));
        raise(&mut bank.earliest, Command::Precharge, cycle + u64::from(it.ras));
        let group = &mut self.groups[at.group as usize];
        raise(group, Command::Activate, cycle + u64::from(it.rrd_l));
        raise(&mut self.all, Command::Activate, cycle + u64::from(it.rrd_s));
        self.activates.rotate_left(1);
        self.activates[3] = cycle + 1;
    }

    fn precharge(&mut self, bank: u32, cycle: u64) {
        let bank = &mut self.banks[bank as usize];
        bank.open = None;
        raise(&mut bank.earliest, Command::Activate, cycle + u64::from(self.params.timing.rp));
    }

    fn read(&mut self, at: &BankAddress, cycle: u64) {
        let (it, burst) = (self.params.timing, self.params.burst_cycles);
        let bank = &mut self.banks[at.bank as usize];
        bank.hits += 1;
        raise(&mut bank.earliest, Command::Precharge, cycle + u64::from(it.rtp));
        let group = &mut self.groups[at.group as usize];
        raise(group, Command::Read, cycle + u64::from(burst.max(it.ccd_l)));
        raise(&mut self.all, Command::Read, cycle + u64::from(burst.max(it.ccd_s)));
        let turn = (it.cl + burst + it.rtrs).saturating_sub(it.cwl);
        raise(&mut self.all, Command::Write, cycle + u64::from(turn));
    }

    fn write(&mut self, at: &BankAddress, cycle: u64) {
        let (it, burst) = (self.params.timing, self.params.burst_cycles);
        let end = cycle + u64::from(self.params.write_delay());
        let bank = &mut self.banks[at.bank as usize];
        bank.hits += 1;
        raise(&mut bank.earliest, Command::Precharge, end + u64::from(it.wr));
        let group = &mut self.groups[at.group as usize];
        raise(group, Command::Write, cycle + u64::from(burst.max(it.ccd_l)));
        raise(group, Command::Read, end + u64::from(it.wtr_l));
        raise(&mut self.all, Command::Write, cycle + u64::from(burst.max(it.ccd_s)));
        raise(&mut self.all, Command::Read, end + u64::from(it.wtr_s));
    }

    /// Closes every open row as soon as its bank allows, from `cycle` on.
    pub fn close_all(&mut self, cycle: u64) {
        for bank in 0..self.banks.len() as u32 {
            if self.open_row(bank).is_some() {
                let at = self.earliest(Command::Precharge, bank).max(cycle);
                self.precharge(bank, at);
            }
        }
    }

    /// The first cycle in which all banks may be refreshed, given that they are closed.
    pub fn earliest_refresh(&self) -> u64 {
        let banks = self.banks.iter().map(|bank| bank.earliest[Command::Activate as usize]);
        banks.max().unwrap_or(0)
    }

    /// Refreshes all banks, which are closed.
    pub fn refresh(&mut self, cycle: u64) {
        let until = cycle + u64::from(self.params.timing.rfc);
        raise(&mut self.all, Command::Activate, until);
    }
}

fn raise(limits: &mut Earliest, command: Command, cycle: u64) {
    let limit = &mut limits[command as usize];
    *limit = (*limit).max(cycle);
}
