//! What a job is made of when it is asked for.

use mercer_common::{
    config::{Config, Matrix},
    event::IdHasher,
    ids::Checker,
};
use mercer_proto::{
    internal::{DemandSpec, ElasticitySpec, JobRecord, TrainingSpec},
    v1::{Job, JobState, StartJobRequest},
};

use super::{
    JobError, JobSpace, JobStore,
    kinds::Trained,
    request::RequestKey,
    spec::{content, factors, learn, linear, repurchase, similarity, transitions, trends},
};
use crate::defaults::decision_defaults;

/// Jobs that may wait.
const QUEUE: usize = 16;

/// Names in one request.
const KINDS: usize = 32;

/// How training is configured; a job keeps what it was started with.
#[derive(Clone, Debug)]
pub(crate) struct JobDefaults {
    spec: TrainingSpec,
    hasher: IdHasher,
}

impl JobDefaults {
    /// Requests are remembered by keys of `hasher`.
    pub(crate) fn new(config: &Config, hasher: IdHasher) -> Self {
        let Config { recommend, demand, price, .. } = config;
        let spec = TrainingSpec {
            algorithms: Vec::new(),
            event_weights: recommend.weights.by_type().to_vec(),
            half_life_days: recommend.half_life_days,
            weighted: recommend.matrix == Matrix::Weighted,
            history_cap: recommend.history_cap,
            top_k: recommend.top_k,
            shard_count: u32::from(config.cluster.shards),
            log_quantity: recommend.log_quantity,
            kinds: Vec::new(),
            demand: Some(DemandSpec {
                lateness_days: demand.lateness_days,
                min_sale_days: demand.min_sale_days,
                min_history_days: demand.min_history_days,
                min_history_sales: demand.min_history_sales,
                horizon_days: demand.horizon_days,
                methods: demand.methods.clone(),
            }),
            elasticity: Some(ElasticitySpec {
                min_weeks: price.min_weeks,
                poisson_zero_share: price.poisson_zero_share,
                prior_mean: price.prior_elasticity,
                prior_deviation: price.prior_deviation,
            }),
            defaults: Some(decision_defaults(config)),
            time_zone: config.cluster.time_zone.clone(),
            currency: config.cluster.currency.clone(),
            similarity: Some(similarity(&recommend.similarity)),
            factors: Some(factors(&recommend.factors)),
            linear: Some(linear(&recommend.linear)),
            transitions: Some(transitions(&recommend.transitions)),
            content: Some(content(&recommend.content)),
            trends: Some(trends(&recommend.trends)),
            repurchase: Some(repurchase(&recommend.repurchase)),
            learn: Some(learn(&recommend.learn)),
        };
        Self { spec, hasher }
    }
}

impl JobStore {
    /// Queues a job; a repeated request returns the job that it started.
    pub(crate) async fn start(
        &self,
        mut request: StartJobRequest,
        defaults: &JobDefaults,
        space: &JobSpace,
    ) -> Result<Job, JobError> {
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        if let Some(request_id) = &request_id {
            checker.id(|| "request_id".into(), request_id);
        }
        checker.count(|| "kinds".into(), request.kinds.len(), KINDS);
        checker.finish()?;
        let sources = defaults.spec.learn.as_ref().map_or(&[][..], |learn| &learn.sources);
        let Trained { algorithms, kinds } = Trained::parse(&request.kinds, sources)?;
        let spec = TrainingSpec { algorithms, kinds, ..defaults.spec.clone() };
        let request_key =
            request_id.as_ref().map(|id| RequestKey::new(&defaults.hasher, id, &request));
        let record = JobRecord {
            kinds: request.kinds,
            state: JobState::Queued.into(),
            create_time_ms: self.clock.now_ms(),
            spec: Some(spec),
            ..Default::default()
        };
        self.create(record, request_key, QUEUE, space.check().await).await
    }
}
