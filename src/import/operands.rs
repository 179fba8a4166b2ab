//! From an operand's chunks to addresses.

use super::connect::{Connections, channel_kind};
use super::layout::{Layout, RankLayout};
use super::schema::{Block, BufferType, ChannelType, Chunk, Gpu, GroupSlice, Plan};
use super::shapes::Whose;
use super::{Refused, Semantics};
use crate::command::channel::{Form, Stretch};
use crate::diag::plans as codes;

/// What operands of one block are resolved with.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) plan: &'a Plan,
    pub(super) layout: &'a Layout,
    pub(super) connections: &'a Connections,
    pub(super) semantics: Semantics,
    pub(super) rank: u32,
    pub(super) block: &'a Block,
}

/// What an operand of an op may be.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) whose: Whose,
    pub(super) form: Form,
    pub(super) channel: Option<ChannelType>,
    pub(super) slice: Option<GroupSlice>,
}

/// An operand with its address.
pub(super) struct Resolved {
    pub(super) stretch: Stretch,
    /// As the listing shows it.
    pub(super) text: String,
}

/// Chunks of one buffer.
#[derive(Clone, Copy)]
struct Place {
    rank: u32,
    buffer: BufferType,
    first: u32,
    count: u32,
}

type Result<T> = std::result::Result<T, Box<Refused>>;

impl<'a> Scope<'a> {
    pub(super) fn gpu(&self) -> &'a Gpu {
        &self.plan.gpus[self.rank as usize]
    }

    /// Where an operand lies.
    pub(super) fn resolve(&self, chunk: &Chunk, wanted: Wanted, path: &str) -> Result<Resolved> {
        let given = match (chunk.buffer, chunk.buffer_id, chunk.switch_channel_id) {
            (Some(_), None, None) => Whose::Own,
            (None, Some(_), None) => Whose::Peer,
            (None, None, Some(_)) => Whose::Group,
            _ => {
                let message = "an operand names exactly one of `type`, `buffer_id` and \
                               `switch_channel_id`";
                return Err(Refused::at(codes::BAD_OP, path, message));
            }
        };
        if given != wanted.whose {
            let (found, expected) = (given.text(), wanted.whose.text());
            let message = format!("this operand is {found}, expected {expected}");
            return Err(Refused::at(codes::BAD_OP, path, message));
        }
        let at = |rank, buffer| Place { rank, buffer, first: chunk.index, count: chunk.size };
        if let Some(buffer) = chunk.buffer {
            if chunk.rank.is_some_and(|rank| rank != self.rank) {
                let rank = chunk.rank.unwrap_or(0);
                let message =
                    format!("the buffer is that of rank {rank}, not of rank {}", self.rank);
                return Err(Refused::at(codes::BAD_OP, path, message));
            }
            return self.stretch(&[at(self.rank, buffer)], wanted, path);
        }
        if let Some(id) = chunk.switch_channel_id {
            let group = self.group(id, &format!("{path}.switch_channel_id"))?;
            let places: Vec<Place> =
                group.ranks.iter().map(|rank| at(*rank, group.buffer)).collect();
            return self.stretch(&places, wanted, path);
        }
        let id = chunk.buffer_id.unwrap_or(0);
        let (rank, buffer) = self.remote(id, wanted, &format!("{path}.buffer_id"))?;
        self.stretch(&[at(rank, buffer)], wanted, path)
    }

    /// The buffer of a peer that a block calls number `id`.
    fn remote(&self, id: u32, wanted: Wanted, path: &str) -> Result<(u32, BufferType)> {
        let Some(channel) = wanted.channel else {
            let message = "an op without `channel_type` names the buffer of a peer";
            return Err(Refused::at(codes::BAD_OP, path, message));
        };
        let lists = self.block.remote_buffer_refs.iter();
        let lists = lists.filter(|list| list.access_channel_type == channel);
        let listed: Vec<u32> = lists.flat_map(|list| list.remote_buffer_ids.clone()).collect();
        let Some(remote) = listed.get(id as usize) else {
            let message = format!(
                "the thread block has {} remote buffers for {} channels, so there is no number {id}",
                listed.len(),
                channel.name()
            );
            return Err(Refused::at(codes::BAD_INDEX, path, message));
        };
        let buffers = &self.gpu().remote_buffers;
        let Some(buffer) = buffers.get(*remote as usize) else {
            let message = format!(
                "rank {} has {} remote buffers, so there is no number {remote}",
                self.rank,
                buffers.len()
            );
            return Err(Refused::at(codes::BAD_INDEX, path, message));
        };
        if buffer.rank as usize >= self.plan.gpus.len() {
            let message =
                format!("the remote buffer is of rank {}, which does not exist", buffer.rank);
            return Err(Refused::at(codes::BAD_INDEX, path, message));
        }
        Ok((buffer.rank, buffer.buffer))
    }

    /// The switch channel that a block calls number `id`.
    pub(super) fn group(&self, id: u32, path: &str) -> Result<&'a super::connect::Group> {
        let number = self.listed(ChannelType::Switch, id, path)?;
        let groups = &self.connections.groups[self.rank as usize];
        let group = groups.get(number as usize).ok_or_else(|| {
            let message = format!(
                "rank {} has {} switch channels, so there is no number {number}",
                self.rank,
                groups.len()
            );
            Refused::at(codes::BAD_INDEX, path, message)
        })?;
        if group.ranks.iter().any(|rank| *rank as usize >= self.plan.gpus.len()) {
            let message = "the switch channel has a rank that does not exist";
            return Err(Refused::at(codes::BAD_INDEX, path, message));
        }
        Ok(group)
    }

    /// The end of the memory or port channel that a block calls number `id`.
    pub(super) fn end(&self, channel: ChannelType, id: u32, path: &str) -> Result<u32> {
        let number = self.listed(channel, id, path)?;
        let Some(kind) = channel_kind(channel) else {
            let message = "a switch channel has no signals";
            return Err(Refused::at(codes::BAD_OP, path, message));
        };
        self.connections.end(self.rank, kind, number).ok_or_else(|| {
            let message =
                format!("rank {} has no {} channel number {number}", self.rank, channel.name());
            Refused::at(codes::BAD_INDEX, path, message)
        })
    }

    /// The place at the rank of the channel that a block calls number `id`.
    fn listed(&self, channel: ChannelType, id: u32, path: &str) -> Result<u32> {
        let lists = self.block.channels.iter().filter(|list| list.channel_type == channel);
        let mut listed = lists.flat_map(|list| list.channel_ids.iter().copied());
        listed.nth(id as usize).ok_or_else(|| {
            let lists = self.block.channels.iter().filter(|list| list.channel_type == channel);
            let count: usize = lists.map(|list| list.channel_ids.len()).sum();
            let message = format!(
                "the thread block has {count} {} channels, so there is no number {id}",
                channel.name()
            );
            Refused::at(codes::BAD_INDEX, path, message)
        })
    }

    /// The addresses of chunks, the same ones on every rank of `places`.
    fn stretch(&self, places: &[Place], wanted: Wanted, path: &str) -> Result<Resolved> {
        let first = places[0];
        if wanted.form == Form::Packets && first.buffer != BufferType::Scratch {
            let message = format!("packets lie in scratch, not in `{}`", first.buffer.name());
            return Err(Refused::at(codes::BAD_OP, path, message));
        }
        for place in places {
            self.check_inside(*place, wanted.form, path)?;
        }
        let layout = &self.layout.ranks[first.rank as usize];
        let whole = u64::from(first.count) * self.layout.chunk;
        let (from, to) = match wanted.slice {
            None => (0, whole),
            Some(GroupSlice { tb_id, tbg_size }) => (
                self.layout.slice(whole, tb_id, tbg_size),
                self.layout.slice(whole, tb_id.saturating_add(1), tbg_size),
            ),
        };
        let at = places.iter().map(|place| self.address(*place, from, wanted)).collect();
        let is_scratch = first.buffer == BufferType::Scratch;
        let is_far = wanted.whose != Whose::Own && wanted.form == Form::Plain;
        let halved = is_scratch && (self.semantics == Semantics::Intent || !is_far);
        let stretch = Stretch {
            form: wanted.form,
            at,
            bytes: to.saturating_sub(from),
            half: if halved { layout.half } else { 0 },
            ring: if is_scratch { layout.ring } else { 0 },
        };
        Ok(Resolved { stretch, text: self.text(places, wanted) })
    }

    /// The address of byte `from` of some chunks.
    fn address(&self, place: Place, from: u64, wanted: Wanted) -> u64 {
        let layout = &self.layout.ranks[place.rank as usize];
        let stride = match place.buffer {
            BufferType::Scratch => layout.stride,
            BufferType::Input | BufferType::Output => self.layout.chunk,
        };
        let offset = u64::from(place.first) * stride + from;
        self.base(place, layout, wanted) + wanted.form.room(offset)
    }

    /// Where the buffer begins; where the device believes it does.
    fn base(&self, place: Place, layout: &RankLayout, wanted: Wanted) -> u64 {
        let own = layout.buffer(place.buffer).base;
        let (input, output) = (layout.memory.input, layout.memory.output);
        let nested = input.base != output.base
            && place.buffer != BufferType::Scratch
            && self.plan.inplace
            && (self.plan.collective == "allgather" || self.plan.collective == "reducescatter");
        let part = input.bytes.min(output.bytes);
        let is_part = layout.buffer(place.buffer).bytes == part;
        if self.semantics == Semantics::Intent || !nested || !is_part {
            return own;
        }
        let whole = input.base.min(output.base);
        match (wanted.whose, wanted.channel) {
            // Displaced by the caller's own place, not by the peer's.
            (Whose::Peer, _) => whole + u64::from(self.rank) * part,
            // A port reads from the start of the allocation.
            (Whose::Own, Some(ChannelType::Port)) => whole,
            (Whose::Own | Whose::Group, _) => own,
        }
    }

    fn check_inside(&self, place: Place, form: Form, path: &str) -> Result<()> {
        let layout = &self.layout.ranks[place.rank as usize];
        let chunks = layout.chunks[place.buffer as usize];
        let end = u64::from(place.first) + u64::from(place.count);
        let name = place.buffer.name();
        let shown = format!("chunks {}..{end} of `{name}` of rank {}", place.first, place.rank);
        let outside = |message: String| Err(Refused::at(codes::OUTSIDE_BUFFER, path, message));
        if place.count == 0 {
            return outside(format!("{shown} are none"));
        }
        if end > u64::from(chunks) {
            return outside(format!("{shown}, which has {chunks}"));
        }
        if place.buffer == BufferType::Scratch && form.room(end * layout.stride) > layout.room {
            let mut refused = Refused::at(
                codes::OUTSIDE_BUFFER,
                path,
                format!("{shown} have no room for packets, which take twice the bytes"),
            );
            refused.help = Some(String::from("the protocol `LL` gives scratch twice the room"));
            return Err(refused);
        }
        Ok(())
    }

    /// `r1.o[2..3]`, `{r0 r1}.s[0..1]!`; the own rank is left out.
    fn text(&self, places: &[Place], wanted: Wanted) -> String {
        let first = places[0];
        let owner = match wanted.whose {
            Whose::Own => String::new(),
            Whose::Peer => format!("r{}.", first.rank),
            Whose::Group => {
                let ranks: Vec<String> = places.iter().map(|it| format!("r{}", it.rank)).collect();
                format!("{{{}}}.", ranks.join(" "))
            }
        };
        let flag = if wanted.form == Form::Packets { "!" } else { "" };
        let end = u64::from(first.first) + u64::from(first.count);
        format!("{owner}{}[{}..{end}]{flag}", first.buffer.name(), first.first)
    }
}
