//! Connections to workers.

use std::{collections::HashMap, time::Duration};

use mercer_common::{
    limits,
    rpc::{
        Deadline, PeerChannel, connect_peer,
        generation::set_generation,
        status::{self, Code},
    },
    secret::ClusterSecret,
};
use mercer_proto::{
    google::rpc,
    internal::{
        CancelTasksRequest, IdentifyRequest, PrepareVersionRequest, RetireVersionRequest,
        RunTaskRequest, RunTaskResponse, shard_service_client::ShardServiceClient,
        training_service_client::TrainingServiceClient,
    },
};
use parking_lot::Mutex;
use thiserror::Error;
use tonic::{Request, Response, Status};

/// How a worker is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) worker_id: String,
    pub(crate) address: String,
    pub(crate) generation: u64,
}

/// What a worker answered instead of a result, or that it did not answer.
#[derive(Debug, Error)]
#[error("{}", .0.message())]
pub(crate) struct Failure(Box<Status>);

impl Failure {
    pub(crate) fn code(&self) -> Code {
        self.0.code()
    }

    /// The stable name of the cause.
    pub(crate) fn reason(&self) -> Option<String> {
        status::reason(&self.0)
    }

    /// What a worker answered to one question of many.
    pub(crate) fn of_message(message: &rpc::Status) -> Self {
        status::from_message(message).into()
    }

    /// The inverse of [`Self::of_message`].
    pub(crate) fn to_message(&self) -> rpc::Status {
        status::to_message(&self.0)
    }

    pub(crate) fn into_status(self) -> Status {
        *self.0
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(Box::new(status))
    }
}

/// Queries and training use connections of their own, so that neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    Query,
    Training,
}

/// How long a process may take to say who it is.
const IDENTIFY: Duration = Duration::from_secs(1);

/// A connection per worker and purpose, replaced when the worker moves.
pub(crate) struct Workers {
    secret: ClusterSecret,
    channels: Mutex<HashMap<(String, Purpose), (String, PeerChannel)>>,
}

impl Workers {
    pub(crate) fn new(secret: ClusterSecret) -> Self {
        Self { secret, channels: Mutex::default() }
    }

    /// The instance that answers at an address; `None` when nobody does, be it for a second. On a
    /// connection of its own, which is not one that broke.
    pub(crate) async fn instance_at(&self, address: &str) -> Option<String> {
        let mut client = ShardServiceClient::new(connect_peer(address, &self.secret).ok()?);
        let request = Request::new(IdentifyRequest {});
        let deadline = Deadline::after(IDENTIFY);
        let answer =
            deadline.call(request, |request| async move { client.identify(request).await }).await;
        Some(answer.ok()?.into_inner().instance)
    }

    /// The query service of a worker.
    pub(crate) fn shards(
        &self,
        target: &Target,
    ) -> Result<ShardServiceClient<PeerChannel>, Status> {
        let channel = self.channel(target, Purpose::Query)?;
        Ok(ShardServiceClient::new(channel)
            .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
            .max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES))
    }

    /// Starts a task, or waits on for it.
    pub(crate) async fn run_task(
        &self,
        target: &Target,
        message: RunTaskRequest,
        deadline: Deadline,
    ) -> Result<RunTaskResponse, Failure> {
        let mut client = self.training(target)?;
        let request = request(target, message);
        // A spec is large, and the future holds it.
        let answer = Box::pin(
            deadline.call(request, |request| async move { client.run_task(request).await }),
        );
        Ok(answer.await.map(Response::into_inner)?)
    }

    /// Stops the tasks of a job.
    pub(crate) async fn cancel_tasks(
        &self,
        target: &Target,
        message: CancelTasksRequest,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut client = self.training(target)?;
        let request = request(target, message);
        deadline.call(request, |request| async move { client.cancel_tasks(request).await }).await?;
        Ok(())
    }

    /// Asks a worker to open a version.
    pub(crate) async fn prepare_version(
        &self,
        target: &Target,
        message: PrepareVersionRequest,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut client = self.training(target)?;
        let request = request(target, message);
        // A manifest is large, and the future holds it.
        Box::pin(
            deadline.call(request, |request| async move { client.prepare_version(request).await }),
        )
        .await?;
        Ok(())
    }

    /// Asks a worker to close a version.
    pub(crate) async fn retire_version(
        &self,
        target: &Target,
        message: RetireVersionRequest,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut client = self.training(target)?;
        let request = request(target, message);
        deadline
            .call(request, |request| async move { client.retire_version(request).await })
            .await?;
        Ok(())
    }

    fn training(&self, target: &Target) -> Result<TrainingServiceClient<PeerChannel>, Failure> {
        let channel = self.channel(target, Purpose::Training)?;
        Ok(TrainingServiceClient::new(channel)
            .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
            .max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES))
    }

    fn channel(&self, target: &Target, purpose: Purpose) -> Result<PeerChannel, Status> {
        let key = (target.worker_id.clone(), purpose);
        let mut channels = self.channels.lock();
        if let Some((address, channel)) = channels.get(&key)
            && *address == target.address
        {
            return Ok(channel.clone());
        }
        let channel = connect_peer(&target.address, &self.secret)
            .map_err(|error| Status::unavailable(error.to_string()))?;
        channels.insert(key, (target.address.clone(), channel.clone()));
        Ok(channel)
    }
}

/// A call of this worker's generation.
pub(crate) fn request<M>(target: &Target, message: M) -> Request<M> {
    let mut request = Request::new(message);
    set_generation(&mut request, target.generation);
    request
}
