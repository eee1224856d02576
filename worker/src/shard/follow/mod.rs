//! How shards follow the log: it is fetched for all of them, and a lane a shard applies it in order.

pub(crate) mod fetch;
pub(crate) mod lane;
pub(in crate::shard) mod refold;

use std::sync::Arc;

use mercer_common::artifact::ArtifactStore;
use tokio::sync::Semaphore;

use self::refold::ReadsLog;
use crate::compute::Compute;

/// What lanes share.
#[derive(Clone, Debug)]
pub(crate) struct LaneContext {
    pub(crate) compute: Arc<Compute>,
    pub(crate) artifacts: ArtifactStore,
    /// As many slices run at once as there are threads, so that queries queue behind few.
    pub(crate) slices: Arc<Semaphore>,
    /// From its beginning, for shards that are folded again.
    pub(crate) log: Arc<dyn ReadsLog>,
    /// One shard is folded again at a time.
    pub(crate) folding: Arc<Semaphore>,
}

impl LaneContext {
    pub(crate) fn new(
        compute: Arc<Compute>,
        artifacts: ArtifactStore,
        log: Arc<dyn ReadsLog>,
    ) -> Self {
        let slices = Arc::new(Semaphore::new(compute.serve_threads()));
        Self { compute, artifacts, slices, log, folding: Arc::new(Semaphore::new(1)) }
    }

    /// How much may run at once.
    pub(crate) fn threads(&self) -> usize {
        self.compute.serve_threads()
    }
}
