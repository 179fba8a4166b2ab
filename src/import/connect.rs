//! Channels: which end is the other end of which.

use std::collections::BTreeMap;

use super::Refused;
use super::schema::{BufferType, ChannelType, Gpu, Plan};
use crate::command::channel::{ChannelEnd, ChannelKind, Definition};
use crate::diag::plans as codes;

/// A switch channel of a rank.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The buffer that it spans.
    pub(super) buffer: BufferType,
    /// The ranks.
    pub(super) ranks: Vec<u32>,
}

/// Every channel of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    /// Every end of every memory and port channel.
    pub(super) ends: Vec<ChannelEnd>,
    /// The first end of each rank, by kind.
    first: BTreeMap<(u32, ChannelKind), u32>,
    /// The switch channels of each rank.
    pub(super) groups: Vec<Vec<Group>>,
}

impl Connections {
    /// The channels of `plan`, paired: the *n*-th from A to B with the *n*-th from B to A.
    pub(super) fn of(plan: &Plan, refused: &mut Vec<Refused>) -> Connections {
        let mut all = Connections::default();
        for (rank, gpu) in (0u32..).zip(&plan.gpus) {
            for kind in [ChannelKind::Memory, ChannelKind::Port] {
                all.first.insert((rank, kind), all.ends.len() as u32);
                all.add_ends((rank, gpu), kind, (plan.gpus.len(), refused));
            }
            all.groups.push(groups((rank, gpu), plan.gpus.len(), refused));
        }
        all.pair();
        all
    }

    fn add_ends(
        &mut self,
        (rank, gpu): (u32, &Gpu),
        kind: ChannelKind,
        (ranks, refused): (usize, &mut Vec<Refused>),
    ) {
        let mut number = 0;
        for (entry, list) in gpu.channels.iter().enumerate() {
            if channel_kind(list.channel_type) != Some(kind) {
                continue;
            }
            for (place, peer) in list.connected_to.iter().enumerate() {
                if *peer as usize >= ranks {
                    let path = format!("gpus[{rank}].channels[{entry}].connected_to[{place}]");
                    let message = format!("rank {peer} does not exist; the plan has {ranks} ranks");
                    refused.push(*Refused::at(codes::BAD_INDEX, path, message));
                }
                self.ends.push(ChannelEnd { rank, peer: *peer, kind, number, pair: None });
                number += 1;
            }
        }
    }

    fn pair(&mut self) {
        let mut by_way: BTreeMap<(ChannelKind, u32, u32), Vec<u32>> = BTreeMap::new();
        for (index, end) in (0u32..).zip(&self.ends) {
            by_way.entry((end.kind, end.rank, end.peer)).or_default().push(index);
        }
        for ((kind, rank, peer), own) in &by_way {
            // A channel to oneself cannot be paired.
            let others = by_way.get(&(*kind, *peer, *rank)).filter(|_| rank != peer);
            for (own, other) in own.iter().zip(others.into_iter().flatten()) {
                self.ends[*own as usize].pair = Some(*other);
            }
        }
    }

    /// The end that is number `number` of its kind at `rank`.
    pub(super) fn end(&self, rank: u32, kind: ChannelKind, number: u32) -> Option<u32> {
        let index = self.first.get(&(rank, kind))?.checked_add(number)?;
        let end = self.ends.get(index as usize)?;
        ((end.rank, end.kind) == (rank, kind)).then_some(index)
    }
}

/// What a memory or port channel goes over.
pub(super) const fn channel_kind(channel: ChannelType) -> Option<ChannelKind> {
    match channel {
        ChannelType::Memory => Some(ChannelKind::Memory),
        ChannelType::Port => Some(ChannelKind::Port),
        ChannelType::Switch => None,
    }
}

fn groups((rank, gpu): (u32, &Gpu), ranks: usize, refused: &mut Vec<Refused>) -> Vec<Group> {
    let mut groups = Vec::new();
    for (entry, list) in gpu.channels.iter().enumerate() {
        if list.channel_type != ChannelType::Switch {
            continue;
        }
        let path = format!("gpus[{rank}].channels[{entry}]");
        let Some(buffer) = list.buffer_type else {
            let message = "a switch channel says no `buffer_type`";
            refused.push(*Refused::at(codes::MISSING_KEY, path, message));
            continue;
        };
        for (place, group) in list.rank_groups.iter().enumerate() {
            let path = format!("{path}.rank_groups[{place}].ranks");
            if let Some(bad) = group.ranks.iter().find(|it| **it as usize >= ranks) {
                let message = format!("rank {bad} does not exist; the plan has {ranks} ranks");
                refused.push(*Refused::at(codes::BAD_INDEX, path, message));
            } else if group.size as usize != group.ranks.len() || group.ranks.is_empty() {
                let (said, listed) = (group.size, group.ranks.len());
                let message = format!("a group of {said} ranks lists {listed}");
                refused.push(*Refused::at(codes::BAD_SIZES, path, message));
            }
            groups.push(Group { buffer, ranks: group.ranks.clone() });
        }
    }
    groups
}

/// What a send-receive must compute: of the groups that its ranks divide into, the smallest for
/// which every rank can be reached by the one that sends to it. A plan does not say it otherwise.
pub(super) fn send_receive(plan: &Plan) -> Option<Definition> {
    let ranks = plan.gpus.len() as u32;
    let reaches = |from: u32, to: u32| {
        let gpu = plan.gpus.get(from as usize);
        from == to || gpu.is_some_and(|gpu| gpu.remote_buffers.iter().any(|it| it.rank == to))
    };
    let fits = |group: &u32| {
        let definition = Definition::SendReceive { group: *group };
        ranks.is_multiple_of(*group)
            && (0..ranks).all(|rank| {
                let part = definition.parts(rank, ranks, 1);
                part.first().and_then(|it| it.rank).is_some_and(|from| reaches(from, rank))
            })
    };
    (1..=ranks).find(fits).map(|group| Definition::SendReceive { group })
}

/// The node of each rank, numbered by their lowest ranks.
pub(super) fn nodes(plan: &Plan) -> Vec<u32> {
    let count = plan.gpus.len();
    let mut lowest: Vec<usize> = (0..count).collect();
    let root = |lowest: &[usize], mut rank: usize| {
        while lowest[rank] != rank {
            rank = lowest[rank];
        }
        rank
    };
    for (rank, gpu) in plan.gpus.iter().enumerate() {
        let memory = gpu.channels.iter().filter(|it| it.channel_type == ChannelType::Memory);
        let groups = gpu.channels.iter().flat_map(|it| &it.rank_groups);
        let joined = memory.flat_map(|it| &it.connected_to).chain(groups.flat_map(|it| &it.ranks));
        for peer in joined.map(|it| *it as usize).filter(|it| *it < count) {
            let (one, two) = (root(&lowest, rank), root(&lowest, peer));
            lowest[one.max(two)] = one.min(two);
        }
    }
    let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
    (0..count)
        .map(|rank| {
            let next = numbers.len() as u32;
            *numbers.entry(root(&lowest, rank)).or_insert(next)
        })
        .collect()
}
