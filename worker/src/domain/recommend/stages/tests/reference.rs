//! What training must give, by plain loops in f64 over the shop's events.

use std::collections::{BTreeMap, BTreeSet};

use mercer_common::slot::{Subject, compare};
use mercer_proto::{
    internal::TrainingSpec,
    v1::{Event, EventType},
};

use super::shop::Shop;

/// Sum of weights by user, then item, for the latest items.
pub(crate) type Sums = BTreeMap<String, BTreeMap<String, f64>>;
/// Weight by source, then neighbour.
pub(crate) type Neighbours = BTreeMap<String, BTreeMap<String, f64>>;

fn seconds(event: &Event) -> i64 {
    event.event_time.map_or(0, |time| time.seconds)
}

fn value(event: &Event) -> f64 {
    event.quantity.or(event.rating).unwrap_or_default()
}

/// The newest event of a user, in seconds since 1970.
pub(crate) fn as_of(shop: &Shop) -> i64 {
    let known = shop.events.iter().filter(|event| event.user_id.is_some());
    known.map(seconds).max().unwrap_or_default()
}

pub(crate) fn sums(shop: &Shop, spec: &TrainingSpec) -> Sums {
    let as_of = as_of(shop);
    let mut windows: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in &shop.events {
        if let Some(user) = &event.user_id {
            windows.entry(user).or_default().push(event);
        }
    }
    let mut sums = Sums::new();
    for (user, mut window) in windows {
        window.sort_by(|left, right| {
            let key = |event: &Event| (seconds(event), event.item_id.clone(), event.r#type);
            key(left).cmp(&key(right)).then(value(left).total_cmp(&value(right)))
        });
        let mut latest: Vec<&str> = Vec::new();
        for event in window.iter().rev() {
            if !latest.contains(&event.item_id.as_str()) {
                latest.push(&event.item_id);
            }
        }
        latest.truncate(spec.history_cap as usize);
        let neutral = neutral(&window);
        let mut dislikes: BTreeMap<&str, f64> = BTreeMap::new();
        for event in window.iter().filter(|event| latest.contains(&event.item_id.as_str())) {
            let weight = f64::from(spec.event_weights[event.r#type as usize]);
            let size = match event.r#type() {
                EventType::Purchase | EventType::Return if spec.log_quantity => {
                    (1.0 + value(event)).ln()
                }
                EventType::Rating if value(event) > neutral => value(event),
                EventType::Rating => value(event) - neutral,
                _ => 1.0,
            };
            let age = (as_of - seconds(event)) as f64 / 86_400.0;
            let decay = match spec.half_life_days {
                0.0 => 1.0,
                half_life => 0.5_f64.powf(age / half_life),
            };
            *sums.entry(user.to_owned()).or_default().entry(event.item_id.clone()).or_default() +=
                weight * size * decay;
            if event.r#type() == EventType::Rating {
                dislikes.insert(&event.item_id, weight * size * decay);
            }
        }
        for (item, dislike) in dislikes.into_iter().filter(|(_, weight)| *weight < 0.0) {
            let sum = sums.get_mut(user).and_then(|items| items.get_mut(item)).expect("rated");
            *sum = sum.min(dislike);
        }
    }
    sums
}

/// The rating of a user that says neither liking nor dislike; the test's ratings lie from -5 to 5.
fn neutral(window: &[&Event]) -> f64 {
    let rated = window.iter().filter(|event| event.r#type() == EventType::Rating);
    let ratings: Vec<f64> = rated.map(|event| value(event)).collect();
    let (least, most) = ratings
        .iter()
        .fold((0.0_f64, 0.0_f64), |(least, most), &rating| (least.min(rating), most.max(rating)));
    let thumbs = most <= 1.0 && ratings.contains(&0.0);
    let middle = if thumbs { 0.5 } else { 3.0 };
    if ratings.is_empty() || least < 0.0 {
        return 0.0;
    }
    let mean = (ratings.iter().sum::<f64>() + 3.0 * middle) / (ratings.len() as f64 + 3.0);
    mean.min(middle)
}

/// The values of the matrix: positive pairs only.
pub(crate) fn matrix(sums: &Sums, spec: &TrainingSpec) -> Sums {
    let mut matrix = Sums::new();
    for (user, items) in sums {
        let mut row = BTreeMap::new();
        for (item, &sum) in items.iter().filter(|(_, sum)| **sum > 0.0) {
            let value = if spec.weighted { f64::from(sum as f32) } else { 1.0 };
            row.insert(item.clone(), value);
        }
        if !row.is_empty() {
            matrix.insert(user.clone(), row);
        }
    }
    matrix
}

/// All similarities between distinct items that share a user.
pub(crate) fn similarities(matrix: &Sums, algorithm: &str) -> Neighbours {
    let mut items: BTreeSet<&str> = BTreeSet::new();
    items.extend(matrix.values().flat_map(BTreeMap::keys).map(String::as_str));
    let column = |item: &str, power: i32| -> f64 {
        matrix.values().filter_map(|row| row.get(item)).map(|value| value.powi(power)).sum()
    };
    let mut neighbours = Neighbours::new();
    for &source in &items {
        for &target in items.iter().filter(|&&target| target != source) {
            let mut sum = 0.0;
            let mut shared = false;
            for row in matrix.values() {
                if let (Some(left), Some(right)) = (row.get(source), row.get(target)) {
                    shared = true;
                    sum += match algorithm {
                        "p3" => left * right / row.values().sum::<f64>(),
                        _ => left * right,
                    };
                }
            }
            if shared {
                let weight = match algorithm {
                    "p3" => sum / column(source, 1),
                    _ => sum / (column(source, 2) * column(target, 2)).sqrt(),
                };
                neighbours.entry(source.to_owned()).or_default().insert(target.to_owned(), weight);
            }
        }
    }
    neighbours
}

/// Orders as everywhere: by (slot, id).
pub(crate) fn sort_items(ids: &mut [String]) {
    ids.sort_by(|left, right| compare(Subject::Item, left, right));
}
