//! What a cluster must recommend, computed from the events by plain loops in `f64`.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::slot::{Subject, compare};
use mercer_proto::v1::{Event, EventType};

/// Neighbours kept per item, as in the default configuration.
const TOP_K: usize = 100;

/// The algorithms that the reference knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// P3alpha with alpha = 1.
    P3,
    /// Cosine between columns of the binary matrix.
    ItemCosine,
}

/// Signed values by user and item, and what each user purchased or rated.
#[derive(Debug)]
pub struct Reference {
    /// +1 or -1 by user, then item.
    profiles: BTreeMap<String, BTreeMap<String, f64>>,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Reference {
    /// Sums the default event weights of every user-item pair and keeps their signs.
    #[must_use]
    pub fn new(events: &[Event]) -> Self {
        let mut sums: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let neutral = neutral_ratings(events);
        // The latest rating of a user for an item, of one moment the highest.
        let mut rated: BTreeMap<(String, String), (i64, f64)> = BTreeMap::new();
        for event in events {
            let Some(user) = &event.user_id else { continue };
            let weight = match event.r#type() {
                EventType::View | EventType::Click => 1.0,
                EventType::Favourite | EventType::AddToCart => 3.0,
                EventType::Purchase => 5.0,
                EventType::Return => -5.0,
                EventType::Rating => {
                    let (rating, neutral) = (event.rating.unwrap_or_default(), neutral[user]);
                    if rating > neutral { rating } else { rating - neutral }
                }
                EventType::Unspecified => 0.0,
            };
            *sums.entry(user.clone()).or_default().entry(event.item_id.clone()).or_default() +=
                weight;
            if event.r#type() == EventType::Rating {
                let time = event.event_time.map_or(0, |time| time.seconds);
                let latest =
                    rated.entry((user.clone(), event.item_id.clone())).or_insert((time, weight));
                let is_later = time > latest.0 || (time == latest.0 && weight > latest.1);
                *latest = if is_later { (time, weight) } else { *latest };
            }
            if matches!(event.r#type(), EventType::Purchase | EventType::Rating) {
                seen.entry(user.clone()).or_default().insert(event.item_id.clone());
            }
        }
        // Whoever rates an item low does not like it, however much it was bought.
        for ((user, item), (_, weight)) in
            rated.into_iter().filter(|(_, (_, weight))| *weight < 0.0)
        {
            let sum = sums.get_mut(&user).and_then(|items| items.get_mut(&item));
            sum.into_iter().for_each(|sum| *sum = sum.min(weight));
        }
        let mut profiles = sums;
        for items in profiles.values_mut() {
            items.retain(|_, sum| *sum != 0.0);
            for sum in items.values_mut() {
                *sum = sum.signum();
            }
        }
        Self { profiles, seen }
    }

    /// The scores of all items that `user` has neither purchased nor rated and that share any neighbour with
    /// the profile, best first, ties by (slot, id).
    #[must_use]
    pub fn recommend(&self, neighbours: &Neighbours, user: &str) -> Vec<(String, f64)> {
        let nothing = BTreeSet::new();
        let seen = self.seen.get(user).unwrap_or(&nothing);
        let mut scores: BTreeMap<&str, f64> = BTreeMap::new();
        for (source, sign) in self.profiles.get(user).into_iter().flatten() {
            for (target, weight) in neighbours.0.get(source).into_iter().flatten() {
                *scores.entry(target).or_default() += sign * weight;
            }
        }
        let mut ranking: Vec<(String, f64)> = scores
            .into_iter()
            .filter(|(item, _)| !seen.contains(*item))
            .map(|(item, score)| (item.to_owned(), score))
            .collect();
        ranking
            .sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| compare(Subject::Item, &a.0, &b.0)));
        ranking
    }

    /// The nearest neighbours of every item.
    #[must_use]
    pub fn neighbours(&self, algorithm: Algorithm) -> Neighbours {
        let mut users_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut items_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (user, items) in &self.profiles {
            for (item, _) in items.iter().filter(|(_, sign)| **sign > 0.0) {
                users_of.entry(item).or_default().push(user);
                items_of.entry(user).or_default().push(item);
            }
        }
        let degree = |lists: &BTreeMap<&str, Vec<&str>>, key: &str| lists[key].len() as f64;
        let mut neighbours = BTreeMap::new();
        for &source in users_of.keys() {
            let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
            for user in &users_of[source] {
                for target in &items_of[user] {
                    *weights.entry(target).or_default() += match algorithm {
                        Algorithm::P3 => {
                            1.0 / (degree(&users_of, source) * degree(&items_of, user))
                        }
                        Algorithm::ItemCosine => {
                            1.0 / (degree(&users_of, source) * degree(&users_of, target)).sqrt()
                        }
                    };
                }
            }
            weights.remove(source);
            let mut nearest: Vec<(String, f64)> =
                weights.into_iter().map(|(item, weight)| (item.to_owned(), weight)).collect();
            nearest.sort_by(|a, b| {
                b.1.total_cmp(&a.1).then_with(|| compare(Subject::Item, &a.0, &b.0))
            });
            nearest.truncate(TOP_K);
            neighbours.insert(source.to_owned(), nearest);
        }
        Neighbours(neighbours)
    }
}

/// The rating of 1 to 5 that says neither liking nor dislike, for each user: the middle, or the
/// user's mean where that is lower, which starts from three ratings at the middle.
fn neutral_ratings(events: &[Event]) -> BTreeMap<&String, f64> {
    let mut ratings: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.r#type() == EventType::Rating) {
        let Some(user) = &event.user_id else { continue };
        ratings.entry(user).or_default().push(event.rating.unwrap_or_default());
    }
    let mut neutral = BTreeMap::new();
    for (user, ratings) in ratings {
        let mean = (ratings.iter().sum::<f64>() + 9.0) / (ratings.len() as f64 + 3.0);
        neutral.insert(user, mean.min(3.0));
    }
    neutral
}

/// The nearest neighbours of every item, nearest first.
#[derive(Debug)]
pub struct Neighbours(BTreeMap<String, Vec<(String, f64)>>);
