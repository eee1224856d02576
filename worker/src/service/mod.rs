//! The gRPC services of a worker: check the generation, decode, call, encode.
//!
//! Handlers hold no logic: what they call knows nothing of gRPC, and errors become status in one
//! place, through `Describe`. A call of another generation than the worker's own is refused, so
//! that nobody is answered from a placement that is over.

mod shard_service;
#[cfg(test)]
mod tests;
mod training_service;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::{
    limits,
    rpc::{Deadline, generation::check_generation, status::Describe},
};
use mercer_proto::internal::{
    shard_service_server::ShardServiceServer, training_service_server::TrainingServiceServer,
};
use tonic::{Request, Status, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::{
    domain::recommend::Recommender, generation::Generation, membership::Name, serve::Serving,
    shard::Shards, task::TaskRunner, version::OpenVersions,
};
use shard_service::ShardHandler;
use training_service::TrainingHandler;

/// Deadline of a call that names none.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a worker answers: health checks and the two services.
pub(crate) fn routes<H: Health>(
    health: HealthServer<H>,
    shard: ShardServiceServer<ShardHandler>,
    training: TrainingServiceServer<TrainingHandler>,
) -> Routes {
    let mut routes = Routes::builder();
    routes.add_service(health).add_service(shard).add_service(training);
    routes.routes().prepare()
}

/// The service that answers queries.
pub(crate) fn shard_service(
    serving: Arc<Serving>,
    recommender: Recommender,
    generation: Arc<Generation>,
    name: Name,
) -> ShardServiceServer<ShardHandler> {
    ShardServiceServer::new(ShardHandler::new(serving, recommender, generation, name))
        .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
        .max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
}

/// The service that trains.
pub(crate) fn training_service(
    runner: Arc<TaskRunner>,
    versions: Arc<OpenVersions>,
    shards: Arc<Shards>,
    generation: Arc<Generation>,
) -> TrainingServiceServer<TrainingHandler> {
    TrainingServiceServer::new(TrainingHandler::new(runner, versions, shards, generation))
        .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
}

/// Checks the generation, and takes the message and the deadline out of a request.
fn admit<T>(request: Request<T>, generation: &Generation) -> Result<(T, Instant), Status> {
    check_generation(request.metadata(), generation.current())
        .map_err(|stale| stale.to_status())?;
    let deadline = Deadline::of(&request, DEADLINE);
    deadline.check().map_err(|exceeded| exceeded.to_status())?;
    Ok((request.into_inner(), deadline.instant().into_std()))
}
