//! The banks of DRAM behind one pseudo-channel: their number, what each command waits for, and
//! where an address lies. Names are those of DRAMsim3's configuration files.

use crate::units::Ps;

/// The banks of a pseudo-channel and the queues in front of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankParams {
    /// A cycle of the channel's clock; everything below counts these.
    pub t_ck: Ps,
    /// Groups of banks.
    pub bankgroups: u32,
    /// Banks in each.
    pub banks_per_group: u32,
    /// Rows of a bank.
    pub rows: u32,
    /// Bytes of a row, its page.
    pub row_bytes: u64,
    /// Bytes that one read or write command moves.
    pub access_bytes: u64,
    /// Cycles that it holds the data bus for: half of the burst length.
    pub burst_cycles: u32,
    /// What commands wait for.
    pub timing: BankTiming,
    /// How addresses are laid out.
    pub mapping: AddressMapping,
    /// Accesses that wait in front of each bank.
    pub cmd_queue: u32,
    /// Reads, and writes, that wait in front of those queues.
    pub trans_queue: u32,
    /// Writes that are let through when no read waits.
    pub write_buf: u32,
}

/// What commands wait for, in cycles. `_l` is within a bank group, `_s` between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BankTiming {
    /// From a read command to its first data.
    pub cl: u32,
    /// From a write command to its first data.
    pub cwl: u32,
    /// From an activate to a read.
    pub rcd_rd: u32,
    /// From an activate to a write.
    pub rcd_wr: u32,
    /// From a precharge to an activate.
    pub rp: u32,
    /// From an activate to a precharge.
    pub ras: u32,
    /// What a refresh takes.
    pub rfc: u32,
    /// From refresh to refresh; 0 for none.
    pub refi: u32,
    /// Between two activates.
    pub rrd_s: u32,
    /// Between two activates of a group.
    pub rrd_l: u32,
    /// The time in which there are at most four activates.
    pub faw: u32,
    /// From the last data of a write to a read.
    pub wtr_s: u32,
    /// From the last data of a write to a read of its group.
    pub wtr_l: u32,
    /// From the last data of a write to a precharge.
    pub wr: u32,
    /// From a read to a precharge.
    pub rtp: u32,
    /// Between two reads, or two writes.
    pub ccd_s: u32,
    /// Between two reads, or two writes, of a group.
    pub ccd_l: u32,
    /// What the data bus loses when it turns around from reads to writes.
    pub rtrs: u32,
}

/// Where the parts of an address lie: the position and width of each, above the bytes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMapping {
    column: (u32, u32),
    bank: (u32, u32),
    group: (u32, u32),
    row: (u32, u32),
}

/// A place in the banks of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BankAddress {
    /// Its bank, group by group.
    pub bank: u32,
    /// Its bank group.
    pub group: u32,
    /// Its row.
    pub row: u32,
    /// Its access in the row.
    pub column: u32,
}

impl AddressMapping {
    /// The mapping that six names of two letters say, the highest bits first: `ro` row, `ra` rank,
    /// `bg` bank group, `ba` bank, `ch` channel, `co` column. There is one rank, and the channel
    /// has been chosen before, so those two are empty. `None` unless each is there once.
    pub fn new(order: &str, widths: [u32; 4]) -> Option<AddressMapping> {
        let [column, bank, group, row] = widths;
        let mut rest: Vec<&str> = vec!["ro", "ra", "bg", "ba", "ch", "co"];
        let mut found = AddressMapping {
            column: (0, column),
            bank: (0, bank),
            group: (0, group),
            row: (0, row),
        };
        let (mut left, mut position) = (order, 0);
        while !left.is_empty() {
            let (before, name) = left.split_at_checked(left.len().checked_sub(2)?)?;
            rest.remove(rest.iter().position(|it| *it == name)?);
            left = before;
            let part = match name {
                "co" => &mut found.column,
                "ba" => &mut found.bank,
                "bg" => &mut found.group,
                "ro" => &mut found.row,
                _ => continue,
            };
            part.0 = position;
            position += part.1;
        }
        rest.is_empty().then_some(found)
    }
}

impl BankParams {
    /// All banks.
    pub fn banks(&self) -> u32 {
        self.bankgroups * self.banks_per_group
    }

    /// Bytes of the channel.
    pub fn bytes(&self) -> u64 {
        u64::from(self.banks()) * u64::from(self.rows) * self.row_bytes
    }

    /// Where the access lies that holds `address`, a byte of the channel.
    pub fn locate(&self, address: u64) -> BankAddress {
        let unit = address / self.access_bytes.max(1);
        let part = |(position, width): (u32, u32)| {
            let mask = (1u64 << width) - 1;
            (unit.checked_shr(position).unwrap_or(0) & mask) as u32
        };
        let group = part(self.mapping.group);
        let bank = group * self.banks_per_group + part(self.mapping.bank);
        let (row, column) = (part(self.mapping.row), part(self.mapping.column));
        BankAddress { bank, group, row, column }
    }

    /// From a read command to its last data, in cycles.
    pub fn read_delay(&self) -> u32 {
        self.timing.cl + self.burst_cycles
    }

    /// From a write command to its last data, in cycles.
    pub fn write_delay(&self) -> u32 {
        self.timing.cwl + self.burst_cycles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_from_its_low_end() {
        let mapping = AddressMapping::new("rorabgbachco", [5, 2, 2, 15]).unwrap();
        let fields = [mapping.column, mapping.bank, mapping.group, mapping.row];
        assert_eq!(fields, [(0, 5), (5, 2), (7, 2), (9, 15)]);
        let other = AddressMapping::new("chrocobabgra", [5, 2, 2, 15]).unwrap();
        assert_eq!(other.group, (0, 2));
        assert_eq!((other.bank, other.column, other.row), ((2, 2), (4, 5), (9, 15)));
        for wrong in ["", "ro", "rorabgbachcoco", "rorabgbachro", "rorabgbachc", "rorabgbaché"] {
            assert_eq!(AddressMapping::new(wrong, [5, 2, 2, 15]), None, "{wrong}");
        }
    }
}
