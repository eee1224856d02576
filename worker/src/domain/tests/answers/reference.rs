//! What a cluster must answer, by plain loops over the shop.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::slot::{Subject, compare};
use mercer_proto::{
    internal::TrainingSpec,
    v1::{Event, EventType, Filter, ItemStatus, Source, filter::Condition},
};
use prost_types::Timestamp;

use crate::domain::recommend::training::{
    reference::{self, Neighbours},
    shop::{CatalogueItem, Shop},
};

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) user: String,
    pub(super) session: Vec<String>,
    pub(super) n: usize,
    pub(super) algorithm: &'static str,
    pub(super) exclude_purchased: bool,
    pub(super) filter: Option<Filter>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) item: String,
    pub(super) source: Source,
    pub(super) score: f64,
    /// (history item, part), largest first; empty for fill-ups.
    pub(super) parts: Vec<(String, f64)>,
}

/// Distinct baskets, else user days, else sales, that bought each item.
pub(super) fn popularity(shop: &Shop) -> BTreeMap<String, u64> {
    let mut visits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in &shop.events {
        let day = event.event_time.map_or(0, |time| time.seconds / 86_400);
        let visit = match (&event.basket_id, &event.user_id) {
            (Some(basket), _) => format!("basket {basket}"),
            (None, Some(user)) => format!("day {user} {day}"),
            (None, None) => format!("{event:?}"),
        };
        let visits = visits.entry(event.item_id.clone()).or_default();
        if event.r#type() == EventType::Purchase {
            visits.insert(visit);
        }
    }
    for item in &shop.items {
        visits.entry(item.id.clone()).or_default();
    }
    visits.into_iter().map(|(item, visits)| (item, visits.len() as u64)).collect()
}

pub(super) fn holds(filter: &Filter, item: &CatalogueItem) -> Option<bool> {
    let fields = &item.fields;
    let each = |filters: &[Filter]| filters.iter().map(|one| holds(one, item)).collect::<Vec<_>>();
    match filter.condition.as_ref().expect("has a condition") {
        Condition::AllOf(list) => match each(&list.filters) {
            values if values.contains(&Some(false)) => Some(false),
            values if values.contains(&None) => None,
            _ => Some(true),
        },
        Condition::AnyOf(list) => match each(&list.filters) {
            values if values.contains(&Some(true)) => Some(true),
            values if values.contains(&None) => None,
            _ => Some(false),
        },
        Condition::Not(inner) => holds(inner, item).map(|value| !value),
        Condition::Category(category) => Some(fields.category_path.starts_with(&category.path)),
        Condition::Attribute(attribute) => {
            let value = fields.attributes.get(&attribute.name);
            Some(value.is_some_and(|value| attribute.values.contains(value)))
        }
        Condition::Brand(brand) => Some(brand.brands.contains(&fields.brand)),
        Condition::Items(items) => Some(items.item_ids.contains(&item.id)),
        Condition::Price(band) => fields.list_price_micros.map(|price| {
            let units = price / 1_000_000;
            band.minimum.as_ref().is_none_or(|bound| bound.units <= units)
                && band.maximum.as_ref().is_none_or(|bound| units <= bound.units)
        }),
        Condition::InStock(condition) => {
            let location = &condition.location_id;
            let mut is_known = false;
            let mut is_in_stock = false;
            for (at, on_hand) in &item.stock {
                if location.is_empty() || at == location {
                    is_known = true;
                    is_in_stock |= *on_hand > 0.0;
                }
            }
            is_known.then_some(is_in_stock)
        }
    }
}

pub(super) fn sort<T>(found: &mut [T], key: impl Fn(&T) -> (f64, &str)) {
    found.sort_by(|left, right| {
        let ((left_score, left_id), (right_score, right_id)) = (key(left), key(right));
        right_score.total_cmp(&left_score).then_with(|| compare(Subject::Item, left_id, right_id))
    });
}

/// The user's weights with the session's purchases, which are the latest.
fn profile(shop: &Shop, spec: &TrainingSpec, question: &Question) -> BTreeMap<String, f64> {
    let mut shop = shop.clone();
    let user = match question.user.as_str() {
        "" => "the session".to_owned(),
        user => user.to_owned(),
    };
    let seconds = reference::as_of(&shop) + 1;
    shop.events.extend(question.session.iter().map(|item| Event {
        r#type: EventType::Purchase.into(),
        item_id: item.clone(),
        user_id: Some(user.clone()),
        event_time: Some(Timestamp { seconds, nanos: 0 }),
        quantity: Some(1.0),
        ..Default::default()
    }));
    let sums = reference::sums(&shop, spec).remove(&user).unwrap_or_default();
    // Profiles hold 32 bits.
    let mut weights = BTreeMap::new();
    for (item, sum) in sums {
        if sum != 0.0 {
            let weight = if spec.weighted { f64::from(sum as f32) } else { sum.signum() };
            weights.insert(item, weight);
        }
    }
    weights
}

/// Denied, purchased, rated and session items.
pub(super) fn excluded<'a>(shop: &'a Shop, question: &'a Question) -> BTreeSet<&'a str> {
    let mut excluded: BTreeSet<&str> = shop.denied_by(&question.user).collect();
    if question.exclude_purchased {
        excluded.extend(question.session.iter().map(String::as_str));
        excluded.extend(shop.events.iter().filter_map(|event| {
            let bought = matches!(event.r#type(), EventType::Purchase | EventType::Rating)
                && event.user_id.as_deref() == Some(question.user.as_str());
            bought.then_some(event.item_id.as_str())
        }));
    }
    excluded
}

pub(super) fn recommend(
    shop: &Shop,
    spec: &TrainingSpec,
    neighbours: &Neighbours,
    question: &Question,
) -> Vec<Expected> {
    let catalogue: BTreeMap<&str, &CatalogueItem> =
        shop.items.iter().map(|item| (item.id.as_str(), item)).collect();
    let popularity = popularity(shop);
    let excluded = excluded(shop, question);
    let eligible = |id: &str| {
        !excluded.contains(id)
            && catalogue.get(id).is_some_and(|item| {
                item.fields.status() == ItemStatus::Active
                    && question
                        .filter
                        .as_ref()
                        .is_none_or(|filter| holds(filter, item) == Some(true))
            })
    };

    // Unknown items have no row, and so no part in anything.
    let mut profile: Vec<(String, f64)> = profile(shop, spec, question)
        .into_iter()
        .filter(|(item, _)| popularity.contains_key(item))
        .collect();
    profile.sort_by(|left, right| compare(Subject::Item, &left.0, &right.0));
    let is_popular = question.algorithm == "popular";
    let mut found: BTreeMap<&str, Expected> = BTreeMap::new();
    for (source, weight) in profile.iter().filter(|_| !is_popular) {
        for (target, similarity) in neighbours.get(source).into_iter().flatten() {
            let result = found.entry(target).or_insert_with(|| Expected {
                item: target.clone(),
                source: Source::Algorithm,
                score: 0.0,
                parts: Vec::new(),
            });
            result.score += weight * similarity;
            result.parts.push((source.clone(), weight * similarity));
        }
    }
    let mut results: Vec<Expected> =
        found.into_values().filter(|result| result.score > 0.0 && eligible(&result.item)).collect();
    for result in &mut results {
        result.parts.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
    }
    sort(&mut results, |result| (result.score, &result.item));

    let mut categories: BTreeMap<&[String], f64> = BTreeMap::new();
    for (item, weight) in profile.iter().filter(|(_, weight)| *weight > 0.0 && !is_popular) {
        if let Some(item) = catalogue.get(item.as_str()) {
            *categories.entry(&item.fields.category_path).or_default() += weight;
        }
    }
    categories.remove(&[][..]);
    let mut categories: Vec<(&[String], f64)> = categories.into_iter().collect();
    categories.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(right.0)));
    categories.truncate(3);
    let taken: BTreeSet<String> = results.iter().map(|result| result.item.clone()).collect();
    let mut fills: Vec<Expected> = popularity
        .iter()
        .filter(|(item, _)| !taken.contains(*item) && eligible(item))
        .map(|(item, count)| {
            let path = &catalogue[item.as_str()].fields.category_path;
            let in_category = *count > 0 && categories.iter().any(|(c, _)| path.starts_with(c));
            Expected {
                item: item.clone(),
                source: if in_category { Source::CategoryPopular } else { Source::Popular },
                score: *count as f64,
                parts: Vec::new(),
            }
        })
        .collect();
    sort(&mut fills, |result| (result.score, &result.item));
    fills.sort_by_key(|result| result.source as i32);
    results.extend(fills);
    results.truncate(question.n);
    results
}
