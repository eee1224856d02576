//! `mercer recommend`, `recommend-all`, `similar`, `similar-users`, `complete` and `popular`.

mod all;
mod explain;
mod popular;
mod reranking;
mod users;

use anyhow::Result;
use mercer_proto::v1::{
    CompleteRequest, Filter, RecommendRequest, SeenPolicy, SimilarItemsRequest,
    recommend_service_client::RecommendServiceClient,
};

use super::{filter, uncatalogued};
use crate::{
    client::ClientArgs,
    show::{
        output::{self, Format},
        sentence,
    },
};

use crate::show::recommend::RecommendAnswer;
pub(crate) use all::{RecommendAllArgs, recommend_all};
use explain::ExplainArgs;
pub(crate) use popular::{PopularArgs, popular};
use reranking::RerankingArgs;
pub(crate) use users::{SimilarUsersArgs, similar_users};

/// Recommend items to a user, for a session, or both.
#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
pub(crate) struct RecommendArgs {
    /// The user; unknown users get popular items.
    #[arg(long, value_name = "ID", required_unless_present = "session")]
    user: Option<String>,
    /// Number of items, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// An algorithm that was trained, or `popular`; the cluster's default when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// What to do with items that the user has purchased.
    #[arg(long, value_enum, default_value_t = Seen::Exclude)]
    seen: Seen,
    /// Items of the present session or basket.
    #[arg(long, value_name = "ITEM,...", value_delimiter = ',', num_args = 1..)]
    session: Vec<String>,
    /// Answer as for an unknown user when the user's shard is missing; with --seen include.
    #[arg(long)]
    anonymous_fallback: bool,
    #[command(flatten)]
    reranking: RerankingArgs,
    /// Rules that count beside those for every call.
    #[arg(long, value_name = "NAME", default_value = "")]
    rule_set: String,
    /// Answer as the user's arm of this experiment wants it, and log what they are shown.
    #[arg(long, value_name = "ID", default_value = "")]
    experiment: String,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    explain: ExplainArgs,
}

/// What to do with purchased items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Seen {
    Exclude,
    Include,
}

impl Seen {
    fn message(self) -> SeenPolicy {
        match self {
            Self::Exclude => SeenPolicy::ExcludePurchased,
            Self::Include => SeenPolicy::Include,
        }
    }
}

/// What all queries take.
#[derive(Debug, clap::Args)]
struct QueryArgs {
    /// A condition that every item must meet.
    #[arg(long, value_name = "CONDITION", value_parser = filter::parse)]
    filter: Vec<Filter>,
    /// The same as one expression, such as `brand = "Acme" AND price < 20`.
    #[arg(long = "where", value_name = "EXPRESSION", default_value = "")]
    expression: String,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Show the items most similar to an item.
#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
pub(crate) struct SimilarArgs {
    /// The item.
    #[arg(long, value_name = "ID")]
    item: String,
    /// Number of items, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// An algorithm that was trained; the cluster's default when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    explain: ExplainArgs,
}

/// Show what goes with a basket.
#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
pub(crate) struct CompleteArgs {
    /// Items of the basket, at most 100.
    #[arg(long, value_name = "ITEM,...", value_delimiter = ',', num_args = 1.., required = true)]
    basket: Vec<String>,
    /// Whose deny list counts.
    #[arg(long, value_name = "ID", default_value = "")]
    user: String,
    /// Number of items, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// An algorithm that was trained; bought-together, else the default, when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    explain: ExplainArgs,
}

/// Runs `mercer recommend`.
pub(crate) async fn recommend(args: RecommendArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let telling = args.explain.telling(sentence::this_year());
    let request = RecommendRequest {
        user_id: args.user.clone().unwrap_or_default(),
        session_items: args.session,
        n: args.n,
        algorithm: args.algorithm.unwrap_or_default(),
        seen: args.seen.message().into(),
        filter: filter::all_of(args.query.filter),
        filter_expression: args.query.expression,
        explain: args.explain.is_wanted(),
        tokens: args.query.token,
        reranking: args.reranking.message(),
        anonymous_fallback: args.anonymous_fallback,
        rule_set: args.rule_set,
        experiment_id: args.experiment,
    };
    let channel = client.connect().await?;
    let mut service = RecommendServiceClient::new(channel.clone());
    let response = service.recommend(client.request(request)).await?.into_inner();
    if response.items.is_empty() {
        uncatalogued::warn(&channel).await;
    }
    let user_known = args.user.is_some().then_some(response.user_known);
    let mut answer = RecommendAnswer::new(response, telling);
    (answer.user_id, answer.user_known) = (args.user, user_known);
    output::print(format, &answer, RecommendAnswer::table)
}

/// Runs `mercer similar`.
pub(crate) async fn similar(args: SimilarArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let telling = args.explain.telling(sentence::this_year());
    let request = SimilarItemsRequest {
        item_id: args.item.clone(),
        n: args.n,
        algorithm: args.algorithm.unwrap_or_default(),
        filter: filter::all_of(args.query.filter),
        filter_expression: args.query.expression,
        tokens: args.query.token,
        explain: args.explain.is_wanted(),
        ..SimilarItemsRequest::default()
    };
    let mut service = RecommendServiceClient::new(client.connect().await?);
    let response = service.similar_items(client.request(request)).await?.into_inner();
    let mut answer = RecommendAnswer::new(response, telling);
    answer.item_id = Some(args.item);
    output::print(format, &answer, RecommendAnswer::table)
}

/// Runs `mercer complete`.
pub(crate) async fn complete(args: CompleteArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let telling = args.explain.telling(sentence::this_year());
    let request = CompleteRequest {
        basket_items: args.basket,
        user_id: args.user,
        n: args.n,
        algorithm: args.algorithm.unwrap_or_default(),
        filter: filter::all_of(args.query.filter),
        filter_expression: args.query.expression,
        explain: args.explain.is_wanted(),
        tokens: args.query.token,
        ..CompleteRequest::default()
    };
    let mut service = RecommendServiceClient::new(client.connect().await?);
    let response = service.complete(client.request(request)).await?.into_inner();
    output::print(format, &RecommendAnswer::new(response, telling), RecommendAnswer::table)
}
