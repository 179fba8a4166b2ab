//! A memory controller cycle by cycle: queues in front of the banks of one channel, and which
//! command goes next.
//!
//! Accesses wait in a queue of reads and one of writes; each cycle one of them moves on to the queue
//! of its bank, the first for which there is room. Writes move when their queue is full, or when no
//! read waits and enough of them do, and then all that wait. Each cycle the banks are asked in turn,
//! beginning behind the one that had the last turn, for a command that may be given now:
//!
//! - in a bank with a row open, the first access to that row (*first-ready*);
//! - but a precharge for the oldest access, if no access to the open row waits, or four have been
//!   let through before it;
//! - in a closed bank, an activate for the oldest access (*first-come, first-served*).
//!
//! HBM has a bus for commands to columns and one for commands to rows, so a cycle may give one of
//! each. When a refresh is due nothing else is begun: all banks are precharged and refreshed
//! together.

use std::collections::VecDeque;

use super::bank::{Banks, Command};
use crate::topology::{BankAddress, BankParams};

/// How many accesses to an open row go before an older one to another row.
const HITS_BEFORE_OLDEST: u32 = 4;

/// A read or a write of one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number, for whoever asked.
    pub number: u64,
    /// The byte of the channel.
    pub address: u64,
    /// Whether it writes.
    pub writes: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: Request,
    place: BankAddress,
}

/// The controller of a channel.
#[derive(Clone, Debug)]
pub struct Controller {
    banks: Banks,
    cycle: u64,
    reads: VecDeque<Waiting>,
    writes: VecDeque<Waiting>,
    /// Writes that are still to move on.
    draining: usize,
    queues: Vec<VecDeque<Waiting>>,
    /// The bank that had the last turn.
    turn: usize,
    /// Refreshes that are due.
    due: u32,
}

impl Controller {
    /// Idle.
    pub fn new(params: &BankParams) -> Controller {
        Controller {
            banks: Banks::new(params),
            cycle: 0,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            draining: 0,
            queues: vec![VecDeque::new(); params.banks() as usize],
            turn: 0,
            due: 0,
        }
    }

    /// Whether it takes another read or write in this cycle.
    pub fn has_room(&self, writes: bool) -> bool {
        let queue = if writes { &self.writes } else { &self.reads };
        queue.len() < self.banks.params().trans_queue as usize
    }

    /// Takes a request, for which there is room.
    pub fn take(&mut self, request: Request) {
        let waiting = Waiting { request, place: self.banks.params().locate(request.address) };
        if request.writes { self.writes.push_back(waiting) } else { self.reads.push_back(waiting) }
    }

    /// Goes on by a cycle. Gives the access whose command was given in it, and the cycle of its
    /// last data.
    pub fn tick(&mut self) -> Option<(Request, u64)> {
        let refi = u64::from(self.banks.params().timing.refi);
        if refi > 0 && self.cycle > 0 && self.cycle.is_multiple_of(refi) {
            self.due += 1;
        }
        let done = if self.due > 0 {
            self.prepare_refresh();
            None
        } else {
            self.give_commands()
        };
        self.move_on();
        self.cycle += 1;
        done
    }

    fn prepare_refresh(&mut self) {
        let banks = 0..self.queues.len() as u32;
        let open = |bank: &u32| {
            self.banks.open_row(*bank).is_some()
                && self.banks.earliest(Command::Precharge, *bank) <= self.cycle
        };
        if let Some(bank) = banks.into_iter().find(open) {
            let place = BankAddress { bank, ..BankAddress::default() };
            self.banks.give(Command::Precharge, &place, self.cycle);
        } else if self.banks.all_closed() && self.banks.earliest_refresh() <= self.cycle {
            self.banks.refresh(self.cycle);
            self.due -= 1;
        }
    }

    fn give_commands(&mut self) -> Option<(Request, u64)> {
        let (first, index) = self.next_command()?;
        let mut done = self.give(first, index);
        if let Some((second, index)) = self.next_command()
            && is_column(second) != is_column(first)
        {
            done = done.or(self.give(second, index));
        }
        done
    }

    /// The next command that may be given now, and which access of the bank's queue it is for.
    fn next_command(&mut self) -> Option<(Command, usize)> {
        for _ in 0..self.queues.len() {
            self.turn = (self.turn + 1) % self.queues.len();
            if let Some(found) = self.ready_in(self.turn) {
                return Some(found);
            }
        }
        None
    }

    fn ready_in(&self, bank: usize) -> Option<(Command, usize)> {
        let queue = &self.queues[bank];
        let oldest = queue.front()?;
        let number = bank as u32;
        let ready = |command| self.banks.earliest(command, number) <= self.cycle;
        let Some(open) = self.banks.open_row(number) else {
            return ready(Command::Activate).then_some((Command::Activate, 0));
        };
        let hit = |it: &Waiting| it.place.row == open;
        if !hit(oldest) && ready(Command::Precharge) {
            let served = self.banks.hits(number) >= HITS_BEFORE_OLDEST;
            if served || !queue.iter().any(hit) {
                return Some((Command::Precharge, 0));
            }
        }
        let (read, write) = (ready(Command::Read), ready(Command::Write));
        let may_go =
            |(_, it): &(usize, &Waiting)| hit(it) && if it.request.writes { write } else { read };
        let (index, found) = queue.iter().enumerate().find(may_go)?;
        Some((if found.request.writes { Command::Write } else { Command::Read }, index))
    }

    fn give(&mut self, command: Command, index: usize) -> Option<(Request, u64)> {
        let waiting = *self.queues[self.turn].get(index)?;
        self.banks.give(command, &waiting.place, self.cycle);
        if !is_column(command) {
            return None;
        }
        self.queues[self.turn].remove(index);
        let params = self.banks.params();
        let delay = if waiting.request.writes { params.write_delay() } else { params.read_delay() };
        Some((waiting.request, self.cycle + u64::from(delay)))
    }

    /// Moves one access on to the queue of its bank.
    fn move_on(&mut self) {
        let params = self.banks.params();
        let waiting = self.writes.len();
        if self.draining == 0
            && (waiting >= params.trans_queue as usize
                || (self.reads.is_empty() && waiting >= params.write_buf as usize))
        {
            self.draining = waiting;
        }
        let room =
            |it: &Waiting| self.queues[it.place.bank as usize].len() < params.cmd_queue as usize;
        let drains = self.draining > 0;
        let queue = if drains { &self.writes } else { &self.reads };
        let Some(index) = queue.iter().position(room) else { return };
        let queue = if drains { &mut self.writes } else { &mut self.reads };
        let Some(moved) = queue.remove(index) else { return };
        self.draining -= usize::from(drains);
        self.queues[moved.place.bank as usize].push_back(moved);
    }
}

fn is_column(command: Command) -> bool {
    matches!(command, Command::Read | Command::Write)
}
