//! `mercer status`: workers, shards, versions and the log.

use anyhow::Result;
use mercer_common::clock::{Clock as _, SystemClock};
use mercer_proto::v1::{DescribeClusterRequest, cluster_service_client::ClusterServiceClient};

use crate::{
    client::ClientArgs,
    show::{
        output::{self, Format},
        status::Status,
    },
};

/// Show the state of the cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs `mercer status`.
pub(crate) async fn status(args: StatusArgs, format: Format) -> Result<()> {
    let request = args.client.request(DescribeClusterRequest { tokens: args.token });
    let mut service = ClusterServiceClient::new(args.client.connect().await?);
    let response = service.describe_cluster(request).await?.into_inner();
    let now = SystemClock.now();
    output::print(format, &Status::new(response), |status| status.table(now))
}
