//! `mercer popular`.

use anyhow::Result;
use mercer_proto::v1::{PopularRequest, recommend_service_client::RecommendServiceClient};

use super::QueryArgs;
use crate::{
    commands::{filter, uncatalogued},
    show::{
        output::{self, Format},
        recommend::PopularAnswer,
    },
};

/// Show the items bought in most distinct baskets.
#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
pub(crate) struct PopularArgs {
    /// Number of items, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// Order by units sold at this location.
    #[arg(long, value_name = "ID", default_value = "")]
    location: String,
    #[command(flatten)]
    query: QueryArgs,
}

/// Runs `mercer popular`.
pub(crate) async fn popular(args: PopularArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let request = PopularRequest {
        n: args.n,
        filter: filter::all_of(args.query.filter),
        filter_expression: args.query.expression,
        location_id: args.location,
        tokens: args.query.token,
    };
    let channel = client.connect().await?;
    let mut service = RecommendServiceClient::new(channel.clone());
    let response = service.popular(client.request(request)).await?.into_inner();
    if response.items.is_empty() {
        uncatalogued::warn(&channel).await;
    }
    output::print(format, &PopularAnswer::new(response), PopularAnswer::table)
}
