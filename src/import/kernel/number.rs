//! The plan itself: ops name channels and buffers of others by their places at the thread block,
//! which names those of the rank.

use super::declare::Declared;
use super::ops::Drafts;
use super::{Draft, Recipe, Spot, Whose};
use crate::import::schema::{
    Block, BlockBuffers, BlockChannels, BufferType, ChannelType, Channels, Chunk, Gpu, Op, OpName,
    Plan, RankGroup, RemoteBuffer, SemaphoreEntry,
};

/// The plan of all ranks.
pub(super) fn plan(recipe: &Recipe<'_>, declared: &Declared, drafts: Drafts) -> Plan {
    let spec = &declared.spec;
    let gpus = (0u32..).zip(drafts).map(|(rank, blocks)| gpu(declared, rank, blocks)).collect();
    Plan {
        name: recipe.name.to_owned(),
        collective: spec.collective.clone(),
        protocol: spec.protocol,
        inplace: spec.inplace,
        gpus,
        reuse_resources: spec.reuses,
        use_double_scratch_buffer: spec.doubles,
        num_threads_per_block: spec.threads,
        buffer_alignment: spec.alignment,
        min_message_size: spec.sizes[0].unwrap_or(0),
        max_message_size: spec.sizes[1].unwrap_or(u64::MAX),
        written: Some(recipe.function.span),
    }
}

fn gpu(declared: &Declared, rank: u32, blocks: Vec<Vec<Draft>>) -> Gpu {
    let own = &declared.ranks[rank as usize];
    let mut remote = Vec::new();
    let made = (0u32..).zip(blocks).map(|(id, ops)| block(id, ops, &mut remote)).collect();
    let mut channels = Vec::new();
    let kinds = [ChannelType::Memory, ChannelType::Port];
    for (peers, channel_type) in own.peers.iter().zip(kinds) {
        let connected_to: Vec<u32> = peers.iter().map(|(peer, _)| *peer).collect();
        if !connected_to.is_empty() {
            let (buffer_type, rank_groups) = (None, Vec::new());
            channels.push(Channels { channel_type, connected_to, buffer_type, rank_groups });
        }
    }
    for switch in &own.switches {
        let group = RankGroup { size: switch.ranks.len() as u32, ranks: switch.ranks.clone() };
        channels.push(Channels {
            channel_type: ChannelType::Switch,
            connected_to: Vec::new(),
            buffer_type: Some(switch.buffer),
            rank_groups: vec![group],
        });
    }
    let semaphores = own.semaphores.iter().map(|value| SemaphoreEntry { init_value: *value });
    Gpu {
        id: rank,
        input_chunks: declared.spec.chunks[0],
        output_chunks: declared.spec.chunks[1],
        scratch_chunks: own.scratch(),
        threadblocks: made,
        channels,
        remote_buffers: remote,
        semaphores: semaphores.collect(),
    }
}

/// The lists of a thread block, and those of its rank that they name.
struct Lists<'r> {
    remote: &'r mut Vec<RemoteBuffer>,
    channels: Vec<BlockChannels>,
    buffers: Vec<BlockBuffers>,
}

fn block(id: u32, drafts: Vec<Draft>, remote: &mut Vec<RemoteBuffer>) -> Block {
    let mut lists = Lists { remote, channels: Vec::new(), buffers: Vec::new() };
    let ops = drafts.into_iter().map(|draft| lists.op(draft)).collect();
    let Lists { channels, buffers, .. } = lists;
    Block { id, ops, channels, remote_buffer_refs: buffers }
}

/// The place of an item in a list, which has it from now on.
fn place_of(list: &mut Vec<u32>, item: u32) -> u32 {
    let known = list.iter().position(|it| *it == item);
    known.unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    }) as u32
}

impl Lists<'_> {
    fn channel(&mut self, channel_type: ChannelType, number: u32) -> u32 {
        let known = self.channels.iter().position(|it| it.channel_type == channel_type);
        let at = known.unwrap_or_else(|| {
            self.channels.push(BlockChannels { channel_type, channel_ids: Vec::new() });
            self.channels.len() - 1
        });
        place_of(&mut self.channels[at].channel_ids, number)
    }

    /// The buffer of another rank, as it is reached over channels of a type.
    fn buffer(&mut self, rank: u32, buffer: BufferType, access: ChannelType) -> u32 {
        let same = |it: &RemoteBuffer| (it.rank, it.buffer) == (rank, buffer);
        let id = self.remote.iter().position(same).unwrap_or_else(|| {
            let access_channel_types = Vec::new();
            self.remote.push(RemoteBuffer { rank, buffer, access_channel_types });
            self.remote.len() - 1
        });
        let types = &mut self.remote[id].access_channel_types;
        if !types.contains(&access) {
            types.push(access);
            types.sort_unstable();
        }
        let known = self.buffers.iter().position(|it| it.access_channel_type == access);
        let at = known.unwrap_or_else(|| {
            let remote_buffer_ids = Vec::new();
            self.buffers.push(BlockBuffers { access_channel_type: access, remote_buffer_ids });
            self.buffers.len() - 1
        });
        place_of(&mut self.buffers[at].remote_buffer_ids, id as u32)
    }

    fn chunk(&mut self, spot: Spot, access: Option<ChannelType>) -> Chunk {
        let Spot { whose, index, size } = spot;
        let (mut buffer, mut buffer_id, mut switch_channel_id) = (None, None, None);
        match whose {
            Whose::Own(own) => buffer = Some(own),
            Whose::Peer(rank, theirs) => {
                let access = access.unwrap_or(ChannelType::Memory);
                buffer_id = Some(self.buffer(rank, theirs, access));
            }
            Whose::Group(number) => {
                switch_channel_id = Some(self.channel(ChannelType::Switch, number));
            }
        }
        Chunk { buffer, buffer_id, switch_channel_id, rank: None, index, size }
    }

    fn op(&mut self, draft: Draft) -> Op {
        let kind = draft.kind;
        if draft.name == OpName::GroupLoadReduce {
            return self.group_load_reduce(&draft);
        }
        let names_channels = kind.is_some_and(|it| it != ChannelType::Switch);
        let channel_ids = match kind.filter(|_| names_channels) {
            Some(kind) => draft.channels.iter().map(|it| self.channel(kind, *it)).collect(),
            None => Vec::new(),
        };
        let mut chunks =
            |spots: &[Spot]| spots.iter().map(|spot| self.chunk(*spot, kind)).collect::<Vec<_>>();
        let (src_buff, dst_buff) = (chunks(&draft.sources), chunks(&draft.targets));
        let (iter_context, body) = draft.pipeline.unzip();
        let body = body.into_iter().flatten().map(|it| self.op(it)).collect();
        Op {
            channel_type: kind,
            channel_ids,
            src_buff,
            dst_buff,
            reduce_op: draft.reduce,
            tbg_info: draft.slice,
            barrier_id: draft.barrier.map(|it| it.0),
            num_threadblocks: draft.barrier.map(|it| it.1),
            semaphore_ids: draft.semaphores,
            iter_context,
            ops: body,
            span: Some(draft.span),
            ..Op::new(draft.name)
        }
    }

    /// A sum through a switch that is kept by one rank has keys of its own.
    fn group_load_reduce(&mut self, draft: &Draft) -> Op {
        let source = draft.sources.first().copied();
        let id = draft.channels.first().map(|it| self.channel(ChannelType::Switch, *it));
        let target = draft.targets.first().map(|spot| self.chunk(*spot, None));
        Op {
            channel_type: Some(ChannelType::Switch),
            channel_ids: id.into_iter().collect(),
            buffer_offset: source.map(|it| it.index),
            size: source.map(|it| it.size),
            dst_chunk: target,
            reduce_op: draft.reduce,
            span: Some(draft.span),
            ..Op::new(draft.name)
        }
    }
}
