//! What is said where items are known from what happened to them, and the catalogue has none of them.

use mercer_proto::v1::DescribeClusterResponse;
use tonic::transport::Channel;

use crate::{
    client,
    show::{output, uncatalogued::warning},
};

/// Tells it, where it is so. Whoever asks for something else is not kept from it.
pub(super) async fn warn(channel: &Channel) {
    if let Ok(DescribeClusterResponse { shards, .. }) = client::describe(channel, "").await
        && let Some(warning) = warning(&shards)
    {
        output::note(&warning);
    }
}
