//! `mercer recommend`, `similar` and `popular`.

use anyhow::Result;
use mercer_proto::v1::{
    Filter, PopularRequest, PopularResponse, Reason, RecommendRequest, RecommendResponse,
    SeenPolicy, SimilarItemsRequest, Source, reason,
    recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;

use super::filter;
use crate::{
    client::ClientArgs,
    output::{self, Format, money},
};

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
    /// `p3`, `item-cosine` or `popular`; the cluster's default when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// What to do with items that the user has purchased.
    #[arg(long, value_enum, default_value_t = Seen::Exclude)]
    seen: Seen,
    /// Items of the present session or basket.
    #[arg(long, value_name = "ITEM,...", value_delimiter = ',')]
    session: Vec<String>,
    #[command(flatten)]
    query: QueryArgs,
    /// Say why: the parts that add up to each score.
    #[arg(long)]
    explain: bool,
}

/// What to do with purchased items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Seen {
    Exclude,
    Include,
}

/// What all queries take.
#[derive(Debug, clap::Args)]
struct QueryArgs {
    /// A condition that every item must meet.
    #[arg(long, value_name = "CONDITION", value_parser = filter::parse)]
    filter: Vec<Filter>,
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
    /// `p3` or `item-cosine`; the cluster's default when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    #[command(flatten)]
    query: QueryArgs,
}

/// Show the items bought in most distinct baskets.
#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
pub(crate) struct PopularArgs {
    /// Number of items, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    #[command(flatten)]
    query: QueryArgs,
}

#[derive(Debug, Serialize)]
struct RecommendAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<String>,
    version: String,
    coverage: f64,
    items: Vec<RecommendedItem>,
    algorithm: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_known: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_session_items: Vec<String>,
    token: String,
    attribution_token: String,
}

#[derive(Debug, Serialize)]
struct RecommendedItem {
    item_id: String,
    score: f64,
    reasons: Vec<ReasonPart>,
    title: String,
    source: &'static str,
}

#[derive(Debug, Serialize)]
struct ReasonPart {
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    item_id: String,
    contribution: f64,
}

impl RecommendAnswer {
    fn new(response: RecommendResponse) -> Self {
        let items = response.items.into_iter().map(|item| RecommendedItem {
            source: source_name(item.source()),
            item_id: item.item_id,
            score: item.score,
            reasons: item.reasons.into_iter().map(ReasonPart::new).collect(),
            title: item.title,
        });
        Self {
            user_id: None,
            item_id: None,
            version: response.version,
            coverage: response.coverage,
            items: items.collect(),
            algorithm: response.algorithm,
            user_known: None,
            unknown_session_items: response.unknown_session_items,
            token: response.token,
            attribution_token: response.attribution_token,
        }
    }

    fn table(&self) -> String {
        let explained = self.items.iter().any(|item| !item.reasons.is_empty());
        let rows = self.items.iter().enumerate().map(|(index, item)| {
            let reasons: Vec<String> = item.reasons.iter().map(ReasonPart::text).collect();
            let mut row = vec![
                (index + 1).to_string(),
                item.item_id.clone(),
                if item.source == "algorithm" {
                    format!("{:.6}", item.score)
                } else {
                    item.score.to_string()
                },
                item.source.to_owned(),
                item.title.clone(),
            ];
            row.extend(explained.then(|| reasons.join(", ")));
            row
        });
        let headers = [">", "item", ">score", "source", "title", "because of"];
        let headers = &headers[..if explained { 6 } else { 5 }];
        let mut text = output::table(headers, rows);
        text.push_str(&format!(
            "\nalgorithm {}, version {}, coverage {:.0} %",
            self.algorithm,
            if self.version.is_empty() { "none" } else { &self.version },
            self.coverage * 100.0
        ));
        if self.user_known == Some(false) {
            text.push_str("\nthe user is unknown: these are popular items");
        }
        if !self.unknown_session_items.is_empty() {
            text.push_str(&format!(
                "\nunknown session items: {}",
                self.unknown_session_items.join(", ")
            ));
        }
        text
    }
}

impl ReasonPart {
    fn new(reason: Reason) -> Self {
        let kind = match reason.kind() {
            reason::Kind::HistoryItem => "history_item",
            reason::Kind::Other => "other",
            reason::Kind::Popularity => "popularity",
            reason::Kind::Source => "source",
            reason::Kind::Feature => "feature",
            reason::Kind::Rule => "rule",
            reason::Kind::Users => "users",
            reason::Kind::Unspecified => "unspecified",
        };
        Self { kind, item_id: reason.item_id, contribution: reason.contribution }
    }

    fn text(&self) -> String {
        let name = if self.item_id.is_empty() { self.kind } else { &self.item_id };
        format!("{name} {:+.4}", self.contribution)
    }
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Algorithm => "algorithm",
        Source::CategoryPopular => "category_popular",
        Source::Popular => "popular",
        Source::Rule => "rule",
        Source::Unspecified => "unspecified",
    }
}

/// Runs `mercer recommend`.
pub(crate) async fn recommend(args: RecommendArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let request = RecommendRequest {
        user_id: args.user.clone().unwrap_or_default(),
        session_items: args.session,
        n: args.n,
        algorithm: args.algorithm.unwrap_or_default(),
        seen: match args.seen {
            Seen::Exclude => SeenPolicy::ExcludePurchased,
            Seen::Include => SeenPolicy::Include,
        }
        .into(),
        filter: filter::all_of(args.query.filter),
        explain: args.explain,
        tokens: args.query.token,
        ..RecommendRequest::default()
    };
    let mut service = RecommendServiceClient::new(client.connect().await?);
    let response = service.recommend(client.request(request)).await?.into_inner();
    let user_known = args.user.is_some().then_some(response.user_known);
    let answer =
        RecommendAnswer { user_id: args.user, user_known, ..RecommendAnswer::new(response) };
    output::print(format, &answer, RecommendAnswer::table)
}

/// Runs `mercer similar`.
pub(crate) async fn similar(args: SimilarArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let request = SimilarItemsRequest {
        item_id: args.item.clone(),
        n: args.n,
        algorithm: args.algorithm.unwrap_or_default(),
        filter: filter::all_of(args.query.filter),
        tokens: args.query.token,
        ..SimilarItemsRequest::default()
    };
    let mut service = RecommendServiceClient::new(client.connect().await?);
    let response = service.similar_items(client.request(request)).await?.into_inner();
    let answer = RecommendAnswer { item_id: Some(args.item), ..RecommendAnswer::new(response) };
    output::print(format, &answer, RecommendAnswer::table)
}

#[derive(Debug, Serialize)]
struct PopularAnswer {
    coverage: f64,
    items: Vec<PopularRow>,
    token: String,
}

#[derive(Debug, Serialize)]
struct PopularRow {
    item_id: String,
    popularity: u64,
    units: f64,
    revenue: Option<String>,
    title: String,
}

impl PopularAnswer {
    fn new(response: PopularResponse) -> Self {
        let items = response.items.into_iter().map(|item| PopularRow {
            item_id: item.item_id,
            popularity: item.popularity,
            units: item.units,
            revenue: item.revenue.as_ref().map(money),
            title: item.title,
        });
        Self { coverage: response.coverage, items: items.collect(), token: response.token }
    }

    fn table(&self) -> String {
        let rows = self.items.iter().enumerate().map(|(index, item)| {
            vec![
                (index + 1).to_string(),
                item.item_id.clone(),
                output::count(item.popularity),
                item.units.to_string(),
                item.revenue.clone().unwrap_or_default(),
                item.title.clone(),
            ]
        });
        let headers = [">", "item", ">baskets", ">units", ">revenue", "title"];
        format!("{}\ncoverage {:.0} %", output::table(&headers, rows), self.coverage * 100.0)
    }
}

/// Runs `mercer popular`.
pub(crate) async fn popular(args: PopularArgs, format: Format) -> Result<()> {
    let client = args.query.client;
    let request = PopularRequest {
        n: args.n,
        filter: filter::all_of(args.query.filter),
        tokens: args.query.token,
        ..PopularRequest::default()
    };
    let mut service = RecommendServiceClient::new(client.connect().await?);
    let response = service.popular(client.request(request)).await?.into_inner();
    output::print(format, &PopularAnswer::new(response), PopularAnswer::table)
}

#[cfg(test)]
mod tests {
    use mercer_proto::v1::Recommendation;

    use super::*;

    #[test]
    fn the_json_shape_is_stable() {
        let response = RecommendResponse {
            items: vec![Recommendation {
                item_id: "i".into(),
                score: 0.5,
                source: Source::Algorithm.into(),
                reasons: vec![Reason {
                    kind: reason::Kind::HistoryItem.into(),
                    item_id: "h".into(),
                    contribution: 0.5,
                    ..Reason::default()
                }],
                title: "Tea".into(),
            }],
            version: "v1".into(),
            coverage: 1.0,
            user_known: true,
            unknown_session_items: Vec::new(),
            algorithm: "p3".into(),
            token: "t".into(),
            attribution_token: "a".into(),
            ..RecommendResponse::default()
        };
        let answer = RecommendAnswer {
            user_id: Some("u".into()),
            user_known: Some(true),
            ..RecommendAnswer::new(response)
        };
        assert_eq!(
            serde_json::to_string(&answer).expect("serializes"),
            r#"{"user_id":"u","version":"v1","coverage":1.0,"items":[{"item_id":"i","score":0.5,"reasons":[{"kind":"history_item","item_id":"h","contribution":0.5}],"title":"Tea","source":"algorithm"}],"algorithm":"p3","user_known":true,"token":"t","attribution_token":"a"}"#
        );
        assert!(answer.table().contains("h +0.5000"), "{}", answer.table());
    }
}
