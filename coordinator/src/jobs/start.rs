//! What a job is made of when it is asked for.

use mercer_common::{
    config::{Config, Matrix},
    event::event_hash,
    ids::Checker,
};
use mercer_proto::{
    internal::{JobRecord, TrainingSpec},
    v1::{Job, JobState, StartJobRequest},
};

use super::{JobError, JobStore};
use crate::query::algorithm;

/// Jobs that may wait.
const QUEUE: usize = 16;

/// How training is configured; a job keeps what it was started with.
#[derive(Clone, Debug)]
pub(crate) struct JobDefaults {
    spec: TrainingSpec,
}

impl JobDefaults {
    pub(crate) fn new(config: &Config) -> Self {
        let recommend = &config.recommend;
        let spec = TrainingSpec {
            algorithms: Vec::new(),
            event_weights: recommend.weights.by_type().to_vec(),
            half_life_days: recommend.half_life_days,
            weighted: recommend.matrix == Matrix::Weighted,
            history_cap: recommend.history_cap,
            top_k: recommend.top_k,
            shard_count: u32::from(config.cluster.shards),
            log_quantity: recommend.log_quantity,
            ..Default::default()
        };
        Self { spec }
    }
}

impl JobStore {
    /// Queues a job; a repeated request returns the job that it started.
    pub(crate) async fn start(
        &self,
        request: StartJobRequest,
        defaults: &JobDefaults,
    ) -> Result<Job, JobError> {
        let mut checker = Checker::default();
        if let Some(request_id) = &request.request_id {
            checker.id(|| "request_id".into(), request_id);
        }
        checker.count(|| "kinds".into(), request.kinds.len(), 16);
        checker.finish()?;
        let algorithms = algorithm::of_kinds(&request.kinds)?;
        let record = JobRecord {
            kinds: request.kinds,
            state: JobState::Queued.into(),
            create_time_ms: self.clock.now_ms(),
            spec: Some(TrainingSpec { algorithms, ..defaults.spec.clone() }),
            ..Default::default()
        };
        let request_key = request.request_id.as_deref().map(|request_id| {
            event_hash(request_id).iter().map(|byte| format!("{byte:02x}")).collect()
        });
        self.create(record, request_key, QUEUE).await
    }
}
