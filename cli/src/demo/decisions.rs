//! What the demo shows: for a few households, what they buy most and what is new to them, of the
//! whole shop and of the aisle that they buy most different things in.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use anyhow::Result;
use mercer_common::escape;
use mercer_proto::v1::{
    CategoryCondition, Filter, GetItemRequest, GetUserRequest, Item, Reason, RecommendRequest,
    Recommendation, SeenPolicy, Source, catalog_service_client::CatalogServiceClient,
    filter::Condition, reason::Kind, recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tonic::transport::Channel;

use crate::show::sentence::{self, Language};

/// Items shown in each list.
const SHOWN: usize = 5;
/// Items shown of one aisle.
const SHOWN_OF_AISLE: u32 = 3;
/// Levels of the category path that make an aisle.
const AISLE_LEVELS: usize = 2;

/// Decisions of the demo for one household.
#[derive(Debug, Serialize)]
pub(super) struct Household {
    pub(super) user_id: String,
    pub(super) attributes: Vec<String>,
    pub(super) purchased_items: u64,
    pub(super) buys_most: Vec<Bought>,
    pub(super) new_to_it: Vec<Suggestion>,
    /// Category path in which it has bought most different things.
    pub(super) aisle: Vec<String>,
    pub(super) new_in_aisle: Vec<Suggestion>,
}

/// An item of the household's history.
#[derive(Debug, Serialize)]
pub(super) struct Bought {
    item_id: String,
    title: String,
    purchases: u32,
}

/// An item that the household has never bought.
#[derive(Debug, Serialize)]
pub(super) struct Suggestion {
    item_id: String,
    title: String,
    score: f64,
    source: &'static str,
    reasons: Vec<Why>,
    /// Text for people.
    #[serde(skip)]
    why: String,
}

/// A part of a score: what an item of the history adds, or a source or feature on its own.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    /// Empty for what is no single item.
    item_id: String,
    title: String,
    /// Empty where the algorithm is no mix.
    source: String,
    contribution: f64,
}

/// Asks a cluster for decisions, and for the titles that make them readable.
pub(super) struct Adviser {
    catalog: CatalogServiceClient<Channel>,
    recommend: RecommendServiceClient<Channel>,
    items: HashMap<String, Item>,
    /// The version that answered last.
    pub(super) version: String,
}

impl Adviser {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            catalog: CatalogServiceClient::new(channel.clone()),
            recommend: RecommendServiceClient::new(channel),
            items: HashMap::new(),
            version: String::new(),
        }
    }

    /// The decisions for one household, after the effects of `token`.
    pub(super) async fn household(&mut self, user_id: &str, token: &str) -> Result<Household> {
        let tokens: Vec<String> =
            Some(token).filter(|t| !t.is_empty()).map(Into::into).into_iter().collect();
        let request =
            GetUserRequest { user_id: user_id.to_owned(), tokens: tokens.clone(), rows: 0 };
        let known = self.catalog.get_user(request).await?.into_inner();
        let mut buys_most = Vec::new();
        let mut aisles: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for (place, bought) in known.history.into_iter().enumerate() {
            let item = self.item(&bought.item_id).await?;
            let title = readable(item);
            if item.category_path.len() >= AISLE_LEVELS {
                *aisles.entry(item.category_path[..AISLE_LEVELS].to_vec()).or_default() += 1;
            }
            if place < SHOWN {
                buys_most.push(Bought {
                    item_id: bought.item_id,
                    title,
                    purchases: bought.purchases,
                });
            }
        }
        let request = RecommendRequest {
            user_id: user_id.to_owned(),
            n: SHOWN as u32,
            seen: SeenPolicy::ExcludePurchased.into(),
            explain: true,
            tokens,
            ..RecommendRequest::default()
        };
        let new_to_it = self.suggestions(request.clone()).await?;
        let largest = aisles.iter().max_by_key(|&(_, items)| items).map(|(aisle, _)| aisle.clone());
        let aisle = largest.unwrap_or_default();
        let mut new_in_aisle = Vec::new();
        if !aisle.is_empty() {
            let condition = Condition::Category(CategoryCondition { path: aisle.clone() });
            let filter = Some(Filter { condition: Some(condition) });
            let request = RecommendRequest { n: SHOWN_OF_AISLE, filter, ..request };
            new_in_aisle = self.suggestions(request).await?;
        }
        let user = known.user.unwrap_or_default();
        Ok(Household {
            user_id: user_id.to_owned(),
            attributes: user
                .attributes
                .into_iter()
                .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
                .collect(),
            purchased_items: known.purchased_items,
            buys_most,
            new_to_it,
            aisle,
            new_in_aisle,
        })
    }

    async fn suggestions(&mut self, request: RecommendRequest) -> Result<Vec<Suggestion>> {
        let answer = self.recommend.recommend(request).await?.into_inner();
        self.version = answer.version;
        Ok(answer.items.into_iter().map(suggestion).collect())
    }

    /// The item as catalogued, asked for once.
    async fn item(&mut self, item_id: &str) -> Result<&Item> {
        if !self.items.contains_key(item_id) {
            let request = GetItemRequest { item_id: item_id.to_owned(), tokens: Vec::new() };
            let item = self.catalog.get_item(request).await?.into_inner().item.unwrap_or_default();
            self.items.insert(item_id.to_owned(), item);
        }
        Ok(&self.items[item_id])
    }
}

fn suggestion(item: Recommendation) -> Suggestion {
    let source = match item.source() {
        Source::Algorithm => "algorithm",
        Source::CategoryPopular => "category_popular",
        Source::Rule => "rule",
        Source::Popular | Source::Unspecified => "popular",
    };
    let why = sentence::why(&item.reasons, Language::En, sentence::this_year());
    let reasons = item.reasons.into_iter().map(|reason| {
        let title = match reason.kind() {
            Kind::HistoryItem if reason.title.is_empty() => reason.item_id.clone(),
            Kind::HistoryItem => reason.title,
            Kind::Other => "other purchases".into(),
            Kind::Popularity => "popularity".into(),
            Kind::Source | Kind::Feature | Kind::Rule | Kind::Users | Kind::Unspecified => {
                reason.name.clone()
            }
        };
        let Reason { item_id, name: source, contribution, .. } = reason;
        Why { item_id, title, source, contribution }
    });
    let reasons = reasons.collect();
    let title = if item.title.is_empty() { item.item_id.clone() } else { item.title };
    Suggestion { title, item_id: item.item_id, score: item.score, source, reasons, why }
}

/// The title, or the id of an item without one.
fn readable(item: &Item) -> String {
    if item.title.is_empty() { item.item_id.clone() } else { item.title.clone() }
}

impl Household {
    /// Text for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Household {}", escape::text(&self.user_id));
        if !self.attributes.is_empty() {
            let _ = write!(text, " ({})", escape::text(&self.attributes.join(", ")));
        }
        let _ = write!(text, " has bought {} different items", self.purchased_items);
        text.push_str("\n  buys most:");
        for item in &self.buys_most {
            let _ = write!(text, "\n    {:>4} x  {}", item.purchases, escape::text(&item.title));
        }
        text.push_str("\n  new to it:");
        text.push_str(&numbered(&self.new_to_it));
        if !self.new_in_aisle.is_empty() {
            let _ = write!(text, "\n  new to it in {}:", escape::text(&self.aisle.join(" > ")));
            text.push_str(&numbered(&self.new_in_aisle));
        }
        text
    }
}

fn numbered(suggestions: &[Suggestion]) -> String {
    let mut text = String::new();
    for (place, item) in (1..).zip(suggestions) {
        let _ = write!(
            text,
            "\n    {place}. {} (item {}, score {:.4})",
            escape::text(&item.title),
            escape::text(&item.item_id),
            item.score
        );
        if !item.why.is_empty() {
            let _ = write!(text, "\n       {}", escape::text(&item.why));
        }
    }
    text
}
