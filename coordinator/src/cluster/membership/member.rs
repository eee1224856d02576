//! What is known of a worker, and how the shards of workers are found.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mercer_common::slot::ShardId;
use mercer_proto::v1::ProcessDescription;

use crate::cluster::{placement::Placement, workers::Target};

/// What the cluster knows of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) target: Target,
    pub(crate) instance: String,
    /// When it was last heard of, by the clock's uptime; `None` when it was not in this run.
    pub(super) last_heard: Option<Duration>,
    /// When it was last heard of, in milliseconds since 1970, to be shown.
    pub(crate) last_heartbeat_ms: Option<i64>,
    /// Whether the log has accepted, in this run, where the shards of this registration stand.
    pub(super) accepted: bool,
    pub(crate) resident_bytes: u64,
    /// What it said last of its process; `None` from workers of before.
    pub(crate) process: Option<ProcessDescription>,
}

impl Member {
    pub(super) fn new(target: Target, instance: String) -> Self {
        Self {
            target,
            instance,
            last_heard: None,
            last_heartbeat_ms: None,
            accepted: false,
            resident_bytes: 0,
            process: None,
        }
    }
}

/// What a worker is told when it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    /// The worker holds these shards.
    Ready { generation: u64, shards: Vec<ShardId> },
    /// Other workers are missing.
    Waiting { generation: u64, reason: String },
}

/// Workers and shards as one call sees them.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    pub(crate) placement: Arc<Placement>,
    /// The live workers of the placement.
    pub(crate) live: BTreeMap<String, Target>,
}

impl Routes {
    /// The live worker of `shard`, or the id of the one that is missing.
    pub(crate) fn owner(&self, shard: ShardId) -> Result<&Target, &str> {
        let owner = self.placement.owner(shard);
        self.live.get(owner).ok_or(owner)
    }
}
