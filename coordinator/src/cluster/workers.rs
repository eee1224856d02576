//! Connections to workers.

use std::collections::HashMap;

use mercer_common::{
    limits,
    rpc::{connect, generation::set_generation},
};
use mercer_proto::internal::{
    shard_service_client::ShardServiceClient, training_service_client::TrainingServiceClient,
};
use parking_lot::Mutex;
use tonic::{Request, Status, transport::Channel};

use super::membership::Target;

/// Queries and training use connections of their own, so that neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    Query,
    Training,
}

/// A connection per worker and purpose, replaced when the worker moves.
#[derive(Default)]
pub(crate) struct Workers {
    channels: Mutex<HashMap<(String, Purpose), (String, Channel)>>,
}

impl Workers {
    /// The query service of a worker.
    pub(crate) fn shards(&self, target: &Target) -> Result<ShardServiceClient<Channel>, Status> {
        let channel = self.channel(target, Purpose::Query)?;
        Ok(ShardServiceClient::new(channel)
            .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
            .max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES))
    }

    /// The training service of a worker.
    pub(crate) fn training(
        &self,
        target: &Target,
    ) -> Result<TrainingServiceClient<Channel>, Status> {
        let channel = self.channel(target, Purpose::Training)?;
        Ok(TrainingServiceClient::new(channel)
            .max_decoding_message_size(limits::INTERNAL_MESSAGE_BYTES)
            .max_encoding_message_size(limits::INTERNAL_MESSAGE_BYTES))
    }

    fn channel(&self, target: &Target, purpose: Purpose) -> Result<Channel, Status> {
        let key = (target.worker_id.clone(), purpose);
        let mut channels = self.channels.lock();
        if let Some((address, channel)) = channels.get(&key)
            && *address == target.address
        {
            return Ok(channel.clone());
        }
        let channel =
            connect(&target.address).map_err(|error| Status::unavailable(error.to_string()))?;
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
