//! Whether there is space for a job. Training fills disks and can wait; the log cannot.

use std::sync::Arc;

use mercer_common::space::{Floor, LowSpace};

use super::JobError;
use crate::cluster::membership::Membership;

/// Looks at the coordinator's own file systems, and at what live workers have said of theirs.
pub(crate) struct JobSpace {
    floors: Vec<Floor>,
    membership: Arc<Membership>,
}

impl JobSpace {
    pub(crate) fn new(floors: Vec<Floor>, membership: Arc<Membership>) -> Self {
        Self { floors, membership }
    }

    /// Names the first process that has too little.
    pub(super) async fn check(&self) -> Result<(), JobError> {
        let floors = self.floors.clone();
        let checking =
            tokio::task::spawn_blocking(move || floors.iter().try_for_each(Floor::check));
        // It panics only with the runtime, which asks nobody any more.
        if let Ok(Err(low)) = checking.await {
            return Err(JobError::LowSpace { place: "the coordinator".into(), low });
        }
        for (member, live) in self.membership.members() {
            let Some(process) = member.process.filter(|_| live) else { continue };
            let (free_bytes, floor_bytes) = (process.free_bytes, process.floor_bytes);
            if free_bytes < floor_bytes {
                let place = format!("worker `{}`", member.target.worker_id);
                let (key, folder) = ("worker.free_bytes_floor", process.folder.into());
                let low = LowSpace { key, folder, free_bytes, floor_bytes };
                return Err(JobError::LowSpace { place, low });
            }
        }
        Ok(())
    }
}
