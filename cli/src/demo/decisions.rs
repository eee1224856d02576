//! What the demo shows: for a few households, what they buy most and what is new to them.

use std::{collections::HashMap, fmt::Write as _};

use anyhow::Result;
use mercer_proto::v1::{
    GetItemRequest, GetUserRequest, RecommendRequest, Recommendation, SeenPolicy, Source,
    catalog_service_client::CatalogServiceClient, reason::Kind,
    recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tonic::transport::Channel;

/// Items shown in each list.
const SHOWN: usize = 5;
/// Reasons shown for each item.
const REASONS: usize = 3;

/// What the demo decides for one household.
#[derive(Debug, Serialize)]
pub(super) struct Household {
    pub(super) user_id: String,
    pub(super) attributes: Vec<String>,
    pub(super) purchased_items: u64,
    pub(super) buys_most: Vec<Bought>,
    pub(super) new_to_it: Vec<Suggestion>,
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
}

/// A part of a score.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    item_id: String,
    title: String,
    contribution: f64,
}

/// Asks a cluster for decisions, and for the titles that make them readable.
pub(super) struct Adviser {
    catalog: CatalogServiceClient<Channel>,
    recommend: RecommendServiceClient<Channel>,
    titles: HashMap<String, String>,
    /// The version that answered last.
    pub(super) version: String,
}

impl Adviser {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            catalog: CatalogServiceClient::new(channel.clone()),
            recommend: RecommendServiceClient::new(channel),
            titles: HashMap::new(),
            version: String::new(),
        }
    }

    /// The decisions for one household, after the effects of `token`.
    pub(super) async fn household(&mut self, user_id: &str, token: &str) -> Result<Household> {
        let tokens: Vec<String> =
            Some(token).filter(|t| !t.is_empty()).map(Into::into).into_iter().collect();
        let request = GetUserRequest { user_id: user_id.to_owned(), tokens: tokens.clone() };
        let known = self.catalog.get_user(request).await?.into_inner();
        let mut buys_most = Vec::new();
        for item in known.history.into_iter().take(SHOWN) {
            let title = self.title(&item.item_id).await?;
            buys_most.push(Bought { item_id: item.item_id, title, purchases: item.purchases });
        }
        let request = RecommendRequest {
            user_id: user_id.to_owned(),
            n: SHOWN as u32,
            seen: SeenPolicy::ExcludePurchased.into(),
            explain: true,
            tokens,
            ..RecommendRequest::default()
        };
        let answer = self.recommend.recommend(request).await?.into_inner();
        self.version = answer.version;
        let mut new_to_it = Vec::new();
        for item in answer.items {
            new_to_it.push(self.suggestion(item).await?);
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
        })
    }

    async fn suggestion(&mut self, item: Recommendation) -> Result<Suggestion> {
        let source = match item.source() {
            Source::Algorithm => "algorithm",
            Source::CategoryPopular => "category_popular",
            Source::Popular | Source::Unspecified => "popular",
        };
        let mut reasons = Vec::new();
        for reason in item.reasons {
            let title = match reason.kind() {
                Kind::HistoryItem => self.title(&reason.item_id).await?,
                Kind::Popularity => "popularity".into(),
                Kind::Other | Kind::Unspecified => "other purchases".into(),
            };
            let (item_id, contribution) = (reason.item_id, reason.contribution);
            reasons.push(Why { item_id, title, contribution });
        }
        Ok(Suggestion {
            title: readable(&item.item_id, item.title),
            item_id: item.item_id,
            score: item.score,
            source,
            reasons,
        })
    }

    async fn title(&mut self, item_id: &str) -> Result<String> {
        if let Some(title) = self.titles.get(item_id) {
            return Ok(title.clone());
        }
        let request = GetItemRequest { item_id: item_id.to_owned(), tokens: Vec::new() };
        let item = self.catalog.get_item(request).await?.into_inner().item.unwrap_or_default();
        let title = readable(item_id, item.title);
        self.titles.insert(item_id.to_owned(), title.clone());
        Ok(title)
    }
}

/// The title, or the id of an item without one.
fn readable(item_id: &str, title: String) -> String {
    if title.is_empty() { format!("item {item_id}") } else { title }
}

impl Household {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Household {}", self.user_id);
        if !self.attributes.is_empty() {
            let _ = write!(text, " ({})", self.attributes.join(", "));
        }
        let _ = write!(text, " has bought {} different items", self.purchased_items);
        text.push_str("\n  buys most:");
        for item in &self.buys_most {
            let _ = write!(text, "\n    {:>4} x  {}", item.purchases, item.title);
        }
        text.push_str("\n  new to it:");
        for (place, item) in (1..).zip(&self.new_to_it) {
            let _ = write!(text, "\n    {place}. {} (score {:.4})", item.title, item.score);
            if !item.reasons.is_empty() {
                let _ = write!(text, "\n       because of {}", item.because());
            }
        }
        text
    }
}

impl Suggestion {
    /// The largest parts of the score by name, the rest in one.
    fn because(&self) -> String {
        let share = |contribution: f64| match self.score {
            0.0 => String::new(),
            score => format!(" ({:.1} %)", 100.0 * contribution / score),
        };
        let (named, rest): (Vec<&Why>, Vec<&Why>) =
            self.reasons.iter().partition(|reason| !reason.item_id.is_empty());
        let (shown, more) = named.split_at(named.len().min(REASONS));
        let mut parts: Vec<String> =
            shown.iter().map(|why| format!("{}{}", why.title, share(why.contribution))).collect();
        let others: f64 = more.iter().chain(&rest).map(|why| why.contribution).sum();
        match (&parts[..], &rest[..]) {
            // Popularity explains itself.
            ([], [only]) => parts.push(only.title.clone()),
            _ if others != 0.0 => parts.push(format!("other purchases{}", share(others))),
            _ => {}
        }
        parts.join(", ")
    }
}
