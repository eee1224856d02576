//! `mercer similar-users`.

use anyhow::Result;
use mercer_proto::v1::{SimilarUsersRequest, recommend_service_client::RecommendServiceClient};

use crate::{
    client::ClientArgs,
    show::{
        output::{self, Format},
        recommend::SimilarUsersAnswer,
    },
};

/// Show the users most similar to a user.
#[derive(Debug, clap::Args)]
pub(crate) struct SimilarUsersArgs {
    /// The user.
    #[arg(long, value_name = "ID")]
    user: String,
    /// Number of users, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// `user-cosine` or `user-pearson`; what was trained when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs `mercer similar-users`.
pub(crate) async fn similar_users(args: SimilarUsersArgs, format: Format) -> Result<()> {
    let request = SimilarUsersRequest {
        user_id: args.user.clone(),
        n: args.n,
        algorithm: args.algorithm.unwrap_or_default(),
        tokens: args.token,
    };
    let mut service = RecommendServiceClient::new(args.client.connect().await?);
    let response = service.similar_users(args.client.request(request)).await?.into_inner();
    let answer = SimilarUsersAnswer::new(args.user, response);
    output::print(format, &answer, SimilarUsersAnswer::table)
}
