//! `mercer similar-users`.

use anyhow::Result;
use mercer_common::escape;
use mercer_proto::v1::{
    SimilarUsersRequest, SimilarUsersResponse, recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;

use crate::{
    client::ClientArgs,
    show::output::{self, Format},
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

#[derive(Debug, Serialize)]
pub(crate) struct SimilarUsersAnswer {
    user_id: String,
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fallback_reason: String,
    algorithm: String,
    users: Vec<SimilarUser>,
    token: String,
}

#[derive(Debug, Serialize)]
struct SimilarUser {
    user_id: String,
    similarity: f64,
    common_items: u32,
}

impl SimilarUsersAnswer {
    pub(crate) fn new(user_id: String, response: SimilarUsersResponse) -> Self {
        let users = response.users.into_iter().map(|user| SimilarUser {
            user_id: user.user_id,
            similarity: user.similarity,
            common_items: user.common_items,
        });
        Self {
            user_id,
            version: response.version,
            fallback_reason: response.fallback_reason,
            algorithm: response.algorithm,
            users: users.collect(),
            token: response.token,
        }
    }

    pub(crate) fn table(&self) -> String {
        let rows = self.users.iter().enumerate().map(|(index, user)| {
            vec![
                (index + 1).to_string(),
                user.user_id.clone(),
                format!("{:.6}", user.similarity),
                output::count(u64::from(user.common_items)),
            ]
        });
        let table = output::table(&[">", "user", ">similarity", ">common items"], rows);
        let mut text = format!(
            "{table}\nalgorithm {}, version {}",
            escape::text(&self.algorithm),
            escape::text(&self.version)
        );
        if !self.fallback_reason.is_empty() {
            text.push_str(&format!("\n{}", escape::text(&self.fallback_reason)));
        }
        text
    }
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
