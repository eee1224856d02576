//! `mercer popular`.

use anyhow::Result;
use mercer_common::escape;
use mercer_proto::v1::{
    PopularRequest, PopularResponse, recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;

use super::QueryArgs;
use crate::{
    commands::{filter, uncatalogued},
    show::{
        decision::Reason,
        output::{self, Format, money},
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

#[derive(Debug, Serialize)]
pub(crate) struct PopularAnswer {
    coverage: f64,
    items: Vec<PopularRow>,
    token: String,
    /// What popularity goes by where nothing has been purchased.
    notes: Vec<Reason>,
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
    pub(crate) fn new(response: PopularResponse) -> Self {
        let items = response.items.into_iter().map(|item| PopularRow {
            item_id: item.item_id,
            popularity: item.popularity,
            units: item.units,
            revenue: item.revenue.as_ref().map(money),
            title: item.title,
        });
        Self {
            coverage: response.coverage,
            items: items.collect(),
            token: response.token,
            notes: Reason::all(response.notes),
        }
    }

    pub(crate) fn table(&self) -> String {
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
        let counted = if self.notes.is_empty() { ">baskets" } else { ">user days" };
        let headers = [">", "item", counted, ">units", ">revenue", "title"];
        let table = output::table(&headers, rows);
        let mut text = format!("{table}\ncoverage {:.0} %", self.coverage * 100.0);
        for note in &self.notes {
            text.push('\n');
            text.push_str(&escape::text(note.message()));
        }
        text
    }
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
