use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use mercer_common::{
    artifact::ArtifactStore,
    rpc::{
        Deadline,
        generation::set_generation,
        status::{reason, violations},
    },
    slot::ShardLayout,
};
use mercer_proto::internal::{
    CancelTasksRequest, DescribeShardsRequest, GetProfileRequest, GetShardUserRequest, Phase,
    PrepareVersionRequest, RetireVersionRequest, RunTaskRequest, ShardPosition, Task, TrainingSpec,
    VersionManifest, shard_service_server::ShardService, training_service_server::TrainingService,
};
use tonic::{Code, Request, Status};

use super::{shard_service::ShardHandler, training_service::TrainingHandler};
use crate::{
    compute::Compute,
    domain::{self, recommend::Recommender},
    generation::Generation,
    membership::Name,
    serve::Serving,
    shard::{Shard, ShardState, Shards},
    task::TaskRunner,
    version::OpenVersions,
};

const OWN: u64 = 4;

struct Worker {
    _folder: tempfile::TempDir,
    shards: ShardHandler,
    training: TrainingHandler,
}

/// A worker of generation 4 that holds shard 0 of 2.
fn worker() -> Worker {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    let compute = Arc::new(Compute::new(1).expect("threads"));
    let shards = Arc::new(Shards::default());
    shards.hold(Shard::serving(ShardState::new(ShardLayout::new(2), 0, TimeZone::UTC)));
    let versions = Arc::new(OpenVersions::new(store.clone(), folder.path()));
    let generation = Arc::new(Generation::default());
    generation.set(OWN);
    let serving = Serving::new(Arc::clone(&shards), Arc::clone(&versions), Arc::clone(&compute));
    let serving = Arc::new(serving);
    let recommender = Recommender::new(Arc::clone(&serving), 0);
    let runner = Arc::new(TaskRunner::new(store, compute, Arc::clone(&shards), domain::stages()));
    Worker {
        _folder: folder,
        shards: ShardHandler::new(
            serving,
            recommender,
            Arc::clone(&generation),
            Name::new("worker-1".into()),
        ),
        training: TrainingHandler::new(runner, versions, shards, generation),
    }
}

fn of<T>(generation: u64, message: T) -> Request<T> {
    let mut request = Request::new(message);
    set_generation(&mut request, generation);
    request
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    (status.code(), reason(&status).unwrap_or_default())
}

#[tokio::test]
async fn calls_of_another_generation_are_refused_everywhere() {
    let Worker { shards, training, _folder } = worker();
    let stale = (Code::FailedPrecondition, "STALE_GENERATION".to_owned());
    for generation in [OWN - 1, OWN + 1] {
        let describe = of(generation, DescribeShardsRequest::default());
        assert_eq!(refused(shards.describe_shards(describe).await), stale);
        let profile = of(generation, GetProfileRequest::default());
        assert_eq!(refused(shards.get_profile(profile).await), stale);
        let task = of(generation, RunTaskRequest::default());
        assert_eq!(refused(training.run_task(task).await), stale);
        let cancel = of(generation, CancelTasksRequest::default());
        assert_eq!(refused(training.cancel_tasks(cancel).await), stale);
        let prepare = of(generation, PrepareVersionRequest::default());
        assert_eq!(refused(training.prepare_version(prepare).await), stale);
        let retire = of(generation, RetireVersionRequest::default());
        assert_eq!(refused(training.retire_version(retire).await), stale);
    }
    let unnamed = Request::new(DescribeShardsRequest::default());
    assert_eq!(refused(shards.describe_shards(unnamed).await), stale);
    let own = of(OWN, DescribeShardsRequest::default());
    shards.describe_shards(own).await.expect("of this generation");
}

#[tokio::test]
async fn errors_carry_the_reasons_that_coordinators_act_on() {
    let Worker { shards, training, _folder } = worker();
    let profile = |shard, sequence, version: &str| GetProfileRequest {
        shard: Some(ShardPosition { shard, sequence }),
        version: version.into(),
        user_id: "nobody".into(),
        ..Default::default()
    };
    let ask = async |message: GetProfileRequest| {
        let mut request = of(OWN, message);
        request.extensions_mut().insert(Deadline::after(Duration::from_millis(20)));
        refused(shards.get_profile(request).await)
    };
    let expected = |code, reason: &str| (code, reason.to_owned());
    let not_held = expected(Code::FailedPrecondition, "NOT_HELD");
    assert_eq!(ask(profile(1, 0, "")).await, not_held);
    let gone = expected(Code::FailedPrecondition, "VERSION_GONE");
    assert_eq!(ask(profile(0, 0, "v1")).await, gone);
    let lagging = expected(Code::DeadlineExceeded, "SHARD_LAGGING");
    assert_eq!(ask(profile(0, 9, "")).await, lagging);
    let malformed = expected(Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(ask(GetProfileRequest::default()).await, malformed);

    let mut late = of(OWN, profile(0, 0, ""));
    late.extensions_mut().insert(Deadline::after(Duration::ZERO));
    let exceeded = expected(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert_eq!(refused(shards.get_profile(late).await), exceeded);

    // Users and items cannot be shown before the cluster is known.
    let user =
        GetShardUserRequest { shard: Some(ShardPosition::default()), user_id: "u".into(), rows: 0 };
    let not_ready = expected(Code::Unavailable, "NOT_READY");
    assert_eq!(refused(shards.get_user(of(OWN, user)).await), not_ready);

    let manifest = Some(VersionManifest { version: "v1".into(), ..Default::default() });
    let prepare = of(OWN, PrepareVersionRequest { manifest });
    let incomplete = expected(Code::Internal, "MANIFEST_INCOMPLETE");
    assert_eq!(refused(training.prepare_version(prepare).await), incomplete);
}

#[tokio::test]
async fn malformed_tasks_are_refused_by_field() {
    let Worker { training, _folder, .. } = worker();
    let task = |phase: Phase, shard, algorithm: &str| Task {
        job_id: "job".into(),
        phase: phase.into(),
        shard,
        algorithm: algorithm.into(),
        step: 0,
    };
    let cases = [
        (None, 2, "task"),
        (Some(task(Phase::Encode, 0, "")), 0, "spec.shard_count"),
        (Some(task(Phase::Encode, 0, "")), 65, "spec.shard_count"),
        (Some(task(Phase::Encode, 2, "")), 2, "task.shard"),
        (Some(task(Phase::Rows, 0, "slime")), 2, "task.algorithm"),
        (Some(task(Phase::Rows, 0, "")), 2, "task.algorithm"),
        (Some(task(Phase::Encode, 0, "p3")), 2, "task.algorithm"),
        (Some(task(Phase::Publish, 0, "")), 2, "task.phase"),
        (Some(task(Phase::Unspecified, 0, "")), 2, "task.phase"),
    ];
    for (task, shard_count, field) in cases {
        let spec = Some(TrainingSpec { shard_count, ..Default::default() });
        let request = RunTaskRequest { task, spec, ..Default::default() };
        let status = training.run_task(of(OWN, request)).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert_eq!(violations(&status)[0].field, field);
    }
}
