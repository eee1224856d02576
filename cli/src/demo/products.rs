//! What the demo shows of products: forecast, price and order of three, and what was declined of
//! all others that it asked for.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
};

use anyhow::{Result, bail};
use mercer_common::escape;
use mercer_proto::v1::{
    BatchPolicyRequest, BatchPriceRequest, ElasticityEstimate, ForecastRequest, ForecastResponse,
    ForecastSource, GetItemRequest, Item, Note, PolicyRequest, PolicyResponse, PopularRequest,
    PriceRequest, PriceResponse, batch_policy_response, batch_price_response,
    catalog_service_client::CatalogServiceClient, elasticity_estimate::Basis,
    forecast_service_client::ForecastServiceClient,
    inventory_service_client::InventoryServiceClient, note::Kind,
    pricing_service_client::PricingServiceClient, recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tonic::transport::Channel;

use crate::show::{
    decision::{ForecastAnswer, PolicyAnswer, PriceAnswer},
    output,
    sentence::notes,
};

/// Products shown.
const SHOWN: usize = 3;
/// Products asked for.
const ASKED: u32 = 1_000;
/// Rows of a price curve.
const CURVE: usize = 9;

/// Rule by which products are chosen, for the reader.
pub(super) const RULE: &str = "\
Three products: going down the list of what stands in most baskets, the first of each department
with a forecast from its own history, a price that stands more on its own weeks than on its
category's and on no weak evidence, and a known stock. Where fewer than three are like that, the
first of other departments whose price stands on their category's weeks.";

/// Decisions about some products.
pub(super) struct Products {
    /// Products that were asked about.
    pub(super) asked: usize,
    pub(super) products: Vec<Product>,
    pub(super) declined: Vec<Declined>,
}

/// Decisions about one product.
#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) item_id: String,
    title: String,
    category_path: Vec<String>,
    forecast: ForecastAnswer,
    price: PriceAnswer,
    policy: PolicyAnswer,
}

/// Decisions that were declined for the same datum.
#[derive(Debug, Serialize)]
pub(super) struct Declined {
    /// `price` or `order`.
    decision: &'static str,
    /// The datum or the rule in the way.
    field: String,
    products: u64,
    /// The first of them.
    item_id: String,
    title: String,
    message: String,
}

/// Asks for decisions about the products in most baskets, and about `unlisted` ones.
pub(super) async fn decide(channel: &Channel, unlisted: &[String]) -> Result<Products> {
    let mut recommend = RecommendServiceClient::new(channel.clone());
    let request = PopularRequest { n: ASKED, ..PopularRequest::default() };
    let popular = recommend.popular(request).await?.into_inner().items;
    let titles: HashMap<String, String> =
        popular.iter().map(|item| (item.item_id.clone(), item.title.clone())).collect();
    let asked: Vec<String> =
        popular.into_iter().map(|item| item.item_id).chain(unlisted.iter().cloned()).collect();
    let prices = prices(channel, &asked).await?;
    let policies = policies(channel, &asked).await?;

    let mut declined = Vec::new();
    declined.extend(group("price", &titles, prices.iter().map(|p| (&p.item_id, &p.notes[..]))));
    declined.extend(group("order", &titles, policies.iter().map(|p| (&p.item_id, &p.notes[..]))));

    let mut products = Vec::new();
    let mut departments = HashSet::new();
    let decided = |own: bool| {
        prices.iter().zip(&policies).filter(move |&(price, policy)| is_sound(price, policy, own))
    };
    for (price, policy) in decided(true).chain(decided(false)) {
        if products.len() == SHOWN {
            break;
        }
        let item = item(channel, &price.item_id).await?;
        if !departments.insert(item.category_path.first().cloned()) {
            continue;
        }
        let request = ForecastRequest { item_id: price.item_id.clone(), ..Default::default() };
        let mut forecasts = ForecastServiceClient::new(channel.clone());
        let forecast = forecasts.forecast(request).await?.into_inner();
        products.push(Product {
            item_id: item.item_id,
            title: item.title,
            category_path: item.category_path,
            forecast: ForecastAnswer::new(forecast),
            price: PriceAnswer::new(price.clone()),
            policy: PolicyAnswer::new(policy.clone()),
        });
    }
    Ok(Products { asked: asked.len(), products, declined })
}

/// Whether nothing was declined and the forecast stands on the product's own history; with `own`,
/// whether the price stands on its own weeks, too.
fn is_sound(price: &PriceResponse, policy: &PolicyResponse, own: bool) -> bool {
    let has = |notes: &[Note], kind| notes.iter().any(|note| note.kind() == kind);
    let forecast = price.forecast.as_ref().map(ForecastResponse::source);
    let estimate = price.elasticity.as_ref().map(ElasticityEstimate::basis);
    let of_item = estimate == Some(Basis::Item) && !has(&price.notes, Kind::WeakEvidence);
    forecast == Some(ForecastSource::OwnHistory)
        && !has(&price.notes, Kind::Declined)
        && !has(&policy.notes, Kind::Declined)
        && (of_item || !own)
}

/// Prices in the order asked for.
async fn prices(channel: &Channel, items: &[String]) -> Result<Vec<PriceResponse>> {
    let requests = items
        .iter()
        .map(|item| PriceRequest { item_id: item.clone(), ..Default::default() })
        .collect();
    let mut service = PricingServiceClient::new(channel.clone());
    let request = BatchPriceRequest { requests, tokens: Vec::new() };
    let mut answers = service.batch_price(request).await?.into_inner();
    let mut prices = Vec::new();
    while let Some(answer) = answers.message().await? {
        match answer.outcome {
            Some(batch_price_response::Outcome::Price(price)) => prices.push(price),
            Some(batch_price_response::Outcome::Error(error)) => {
                bail!("pricing: {}", error.message)
            }
            None => {}
        }
    }
    Ok(prices)
}

/// Policies, likewise.
async fn policies(channel: &Channel, items: &[String]) -> Result<Vec<PolicyResponse>> {
    let requests = items
        .iter()
        .map(|item| PolicyRequest { item_id: item.clone(), ..Default::default() })
        .collect();
    let mut service = InventoryServiceClient::new(channel.clone());
    let request = BatchPolicyRequest { requests, tokens: Vec::new() };
    let mut answers = service.batch_policy(request).await?.into_inner();
    let mut policies = Vec::new();
    while let Some(answer) = answers.message().await? {
        match answer.outcome {
            Some(batch_policy_response::Outcome::Policy(policy)) => policies.push(policy),
            Some(batch_policy_response::Outcome::Error(error)) => {
                bail!("ordering: {}", error.message)
            }
            None => {}
        }
    }
    Ok(policies)
}

async fn item(channel: &Channel, item_id: &str) -> Result<Item> {
    let request = GetItemRequest { item_id: item_id.to_owned(), tokens: Vec::new() };
    let mut service = CatalogServiceClient::new(channel.clone());
    Ok(service.get_item(request).await?.into_inner().item.unwrap_or_default())
}

/// Counts what was declined by the first datum in the way; the first product stands for all.
fn group<'a>(
    decision: &'static str,
    titles: &HashMap<String, String>,
    answers: impl Iterator<Item = (&'a String, &'a [Note])>,
) -> Vec<Declined> {
    let mut groups: BTreeMap<String, Declined> = BTreeMap::new();
    for (item_id, notes) in answers {
        let note = notes.iter().find(|note| note.kind() == Kind::Declined);
        let Some(note) = note else { continue };
        let group = groups.entry(note.field.clone()).or_insert_with(|| Declined {
            decision,
            field: note.field.clone(),
            products: 0,
            item_id: item_id.clone(),
            title: titles.get(item_id).cloned().unwrap_or_default(),
            message: notes::tell(note),
        });
        group.products += 1;
    }
    let mut groups: Vec<Declined> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.products));
    groups
}

impl Product {
    /// Text for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Product {}", escape::text(&self.item_id));
        for part in [&self.title, &self.category_path.join(" > ")] {
            if !part.is_empty() {
                let _ = write!(text, ", {}", escape::text(part));
            }
        }
        let mut lines = vec![
            ("forecast", self.forecast.headline()),
            ("", self.forecast.sparkline()),
            ("", self.forecast.basis()),
        ];
        lines.extend(self.forecast.history().map(|history| ("", history.text())));
        lines.push(("price", self.price.headline()));
        lines.extend(
            self.price.expected().into_iter().map(|(name, line)| ("", format!("{name}: {line}"))),
        );
        if let Some(estimate) = &self.price.elasticity {
            let basis = estimate.basis();
            lines.push(("", format!("elasticity {}: {}", estimate.short(), escape::text(&basis))));
            lines.push(("", estimate.evidence()));
        }
        let curve = self.price.curve_table(CURVE);
        lines.extend(curve.lines().map(|line| ("", line.to_owned())));
        lines.extend(self.price.why().into_iter().map(|why| ("", why)));
        lines.push(("order", self.policy.headline()));
        let figures = self.policy.figures().into_iter();
        lines
            .extend(figures.map(|(name, line)| ("", format!("{name:<7} {}", escape::text(&line)))));
        lines.extend(self.policy.why().into_iter().map(|why| ("", why)));
        for (name, line) in lines {
            let _ = write!(text, "\n  {name:<9} {}", escape::block(&line));
        }
        text
    }
}

impl Declined {
    /// Text for people.
    pub(super) fn text(all: &[Self], asked: usize) -> String {
        let asked = output::count(asked as u64);
        let mut text =
            format!("Declined, of the {asked} products in most baskets, unlisted ones included:");
        for group in all {
            let name = if group.title.is_empty() { "no title" } else { &group.title };
            let _ = write!(
                text,
                "\n  {:<5} of {:>4} products, such as {} ({}): {}",
                group.decision,
                group.products,
                escape::text(&group.item_id),
                escape::text(name),
                escape::text(&group.message)
            );
        }
        if all.is_empty() {
            text.push_str(" none");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declined_is_counted_by_the_first_datum_in_the_way() {
        let note = |kind: Kind, field: &str| Note {
            kind: kind.into(),
            field: field.into(),
            message: format!("about {field}"),
            ..Note::default()
        };
        let cost = [note(Kind::WeakEvidence, "weeks"), note(Kind::Declined, "unit_cost")];
        let status = [note(Kind::Declined, "status"), note(Kind::Declined, "unit_cost")];
        let fine = [note(Kind::WeakEvidence, "weeks")];
        let ids = ["a", "b", "c", "d"].map(String::from);
        let notes: [&[Note]; 4] = [&fine, &cost, &status, &cost];
        let titles = [("b".to_owned(), "Bread".to_owned())].into();
        let groups = group("price", &titles, ids.iter().zip(notes));
        let found: Vec<_> =
            groups.iter().map(|g| (g.field.as_str(), g.products, g.item_id.as_str())).collect();
        assert_eq!(found, [("unit_cost", 2, "b"), ("status", 1, "c")]);
        let text = Declined::text(&groups, 4);
        assert!(text.contains("2 products, such as b (Bread): about unit_cost"), "{text}");
    }
}
