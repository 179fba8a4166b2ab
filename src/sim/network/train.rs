//! Trains: messages on their way, and what has happened to them at each of their links.

use super::NONE;
use super::cargo::{Cargo, CargoKind, Class};
use super::profile::{Cut, Even, Profile, Run};
use super::stream::Tap;
use crate::command::SiteId;
use crate::oplog::TransferId;
use crate::sim::hbm::Bursts;
use crate::topology::PeId;
use crate::units::{Bandwidth, Ps};

/// A message on its way.
#[derive(Debug)]
pub(super) struct Train {
    pub(super) cargo: Cargo,
    pub(super) cut: Cut,
    /// Where its links begin among all routes' links.
    pub(super) route: u32,
    pub(super) hops: Vec<Hop>,
    pub(super) to: PeId,
    pub(super) class: Class,
    pub(super) write: Bandwidth,
    pub(super) after: Ps,
    /// Told apart from trains that were here before.
    pub(super) number: u32,
    /// Its events with another stamp are void.
    pub(super) stamp: u32,
    /// Where it last was whole, and its profile there.
    pub(super) base: usize,
    pub(super) base_profile: Profile,
    /// The hop at which its head arrives next, or, once it is split, where its flits arrive one
    /// by one.
    pub(super) front: usize,
    /// Whether its flits arrive one by one at `front`.
    pub(super) split: bool,
    /// Whether it is whole again when its head arrives.
    pub(super) rejoins: bool,
    /// Of a split train: flits that have arrived at `front`.
    pub(super) fed: u32,
    /// When its flits arrive at `front`.
    pub(super) profile: Profile,
    /// When it was sent, when its last byte could leave its source, and the part of that for which the
    /// source was busy with others.
    pub(super) sent: Ps,
    pub(super) loaded: Ps,
    pub(super) waited: Ps,
    /// When its flits could leave its source, unless another train feeds it.
    pub(super) source: Option<Even>,
    /// When its last flit leaves the first link, as far as that is booked.
    pub(super) source_end: Option<Ps>,
    pub(super) watched: bool,
    /// The writing of the target so far, and its flits.
    pub(super) written: Run,
    pub(super) arrived: u32,
    /// When its first flit has come to its target, and whether the target knows of the last one.
    pub(super) came: Ps,
    pub(super) stored: bool,
    /// Whether somebody may ask for it on its way; then, when each flit has landed where its route
    /// ends, or whether all of `profile` says that, and who has asked.
    pub(super) streamable: bool,
    pub(super) landed: Vec<Ps>,
    pub(super) landed_whole: bool,
    pub(super) taps: Vec<Tap>,
}

/// What happened to a train at one of its links.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hop {
    /// When the first flit started, if booked.
    pub(super) start: Ps,
    /// The time for which others held it up here.
    pub(super) held: Ps,
    /// Since when its next flit could have gone.
    pub(super) ready: Ps,
    /// Flits that wait here.
    pub(super) queued: u32,
    /// Whether all of them are served as booked.
    pub(super) booked: bool,
}

impl Train {
    /// A train of nothing from nowhere.
    pub(super) fn blank() -> Train {
        let kind = CargoKind::Message;
        Train {
            cargo: Cargo {
                kind,
                agent: 0,
                seq: 0,
                site: SiteId(0),
                transfer: TransferId(0),
                place: 0,
                token: 0,
                bytes: 0,
                start: Ps::ZERO,
                record: None,
                bursts: Bursts::Row(0),
            },
            cut: Cut::new(0, 1),
            route: 0,
            hops: Vec::new(),
            to: PeId(0),
            class: Class::Compute,
            write: Bandwidth::INFINITE,
            after: Ps::ZERO,
            number: NONE,
            stamp: NONE,
            base: 0,
            base_profile: Profile::default(),
            front: 0,
            split: false,
            rejoins: false,
            fed: 0,
            profile: Profile::default(),
            sent: Ps::ZERO,
            loaded: Ps::ZERO,
            waited: Ps::ZERO,
            source: None,
            source_end: None,
            watched: false,
            written: Run::begin(Ps::ZERO, 0),
            arrived: 0,
            came: Ps::ZERO,
            stored: false,
            streamable: false,
            landed: Vec::new(),
            landed_whole: false,
            taps: Vec::new(),
        }
    }
}
