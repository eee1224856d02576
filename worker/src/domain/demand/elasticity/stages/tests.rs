use std::collections::BTreeMap;

use mercer_algorithms::price::weekly::SaleDay;
use mercer_common::{
    money::from_micros,
    slot::{ShardId, Subject, compare},
};
use mercer_proto::{
    internal::{ElasticityResult, ItemFields},
    v1::{Event, EventType, ItemStatus},
};
use prost_types::Timestamp;

use super::*;
use crate::{
    artifact::Records,
    domain::recommend::training::{
        Bench,
        shop::{CatalogueItem, Job, Random, Shop, spec},
    },
    shard::cut,
};

/// 2024-01-01T00:00:00Z, a Monday.
const START: i64 = 1_704_067_200;
const DAY: i64 = 86_400;
const WEEKS: i64 = 60;

/// A sale of so many units on a day, at a price in cents.
#[derive(Clone, Copy)]
struct Sale {
    day: i64,
    units: i64,
    cents: i64,
    promoted: bool,
}

struct Sales {
    items: Vec<(String, Vec<String>, Vec<Sale>)>,
}

impl Sales {
    /// Items that answer to their price, some rarely sold, some at one price, some sold once.
    fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let paths: [&[&str]; 5] =
            [&[], &["food"], &["food", "fruit"], &["food", "fruit", "apple"], &["tools"]];
        let items = (0..70_u64).map(|item| {
            let path = random.pick(&paths).iter().map(ToString::to_string).collect();
            let (base, strength) = (200 + random.below(800) as i64, 1 + random.below(3) as i32);
            let often = 1 + random.below(6);
            let weeks = if item % 10 == 9 { 1 } else { WEEKS };
            let mut sales = Vec::new();
            for week in 0..weeks {
                let promoted = random.below(4) == 0;
                let discount = if promoted { 15 } else { 0 } + random.below(20) as i64;
                let cents = if item % 10 == 8 { base } else { base * (100 - discount) / 100 };
                for _ in item % 2..1 + random.below(often + 1) {
                    let ratio = base as f64 / cents as f64;
                    let level = (1 + random.below(8)) as f64 * ratio.powi(strength);
                    let (day, units) = (week * 7 + random.below(7) as i64, level.round() as i64);
                    sales.push(Sale { day, units, cents, promoted });
                }
            }
            (format!("item-{item}"), path, sales)
        });
        Self { items: items.collect() }
    }

    fn shop(&self) -> Shop {
        let catalogue = self.items.iter().map(|(id, path, _)| CatalogueItem {
            id: id.clone(),
            fields: ItemFields {
                category_path: path.clone(),
                status: ItemStatus::Active.into(),
                ..Default::default()
            },
            stock: Vec::new(),
        });
        let events = self.items.iter().flat_map(|(id, _, sales)| {
            sales.iter().map(|sale| {
                let seconds = START + sale.day * DAY;
                Event {
                    r#type: EventType::Purchase.into(),
                    item_id: id.clone(),
                    event_time: Some(Timestamp { seconds, nanos: 0 }),
                    quantity: Some(sale.units as f64),
                    amount: Some(from_micros(sale.units * sale.cents * 10_000, "USD")),
                    promotion: sale.promoted,
                    ..Default::default()
                }
            })
        });
        Shop {
            items: catalogue.collect(),
            item_ids: Vec::new(),
            user_ids: Vec::new(),
            denied: Vec::new(),
            events: events.collect(),
        }
    }
}

fn elastic_spec(shards: ShardId) -> TrainingSpec {
    TrainingSpec {
        kinds: vec!["elasticity".into()],
        elasticity: Some(ElasticitySpec {
            min_weeks: 12,
            poisson_zero_share: 0.1,
            prior_mean: -2.0,
            prior_deviation: 1.0,
        }),
        ..spec(shards)
    }
}

/// Trains over `shards` shards, and gives the paths of all artifacts and the results.
async fn train(
    sales: &Sales,
    shards: ShardId,
    threads: usize,
) -> (Vec<String>, Vec<ElasticityResult>) {
    let bench = Bench::new(threads);
    for state in sales.shop().states(shards) {
        cut::series::write(&state, "job", &bench.store).expect("written");
    }
    let mut job = Job::new("job", elastic_spec(shards), &bench.runner);
    let count = u32::from(shards);
    for (phase, algorithm, count) in [
        (Phase::Cut, SERIES, count),
        (Phase::Estimates, "elasticity", count),
        (Phase::Pool, "elasticity", 1),
        (Phase::Results, "elasticity", count),
    ] {
        for shard in 0..count {
            job.task(phase, shard, algorithm).await.expect("runs");
        }
    }
    let mut results = Vec::new();
    for shard in 0..count {
        let artifact = job.output(Phase::Results, shard, "elasticity");
        let records = Records::open(&bench.store, &artifact).expect("opens");
        results.extend((0..records.len()).map(|at| records.decode(at).expect("decodes")));
    }
    let paths = job.outputs.into_iter().map(|output| output.artifact.expect("an artifact").path);
    (paths.collect(), results)
}

/// Results by plain loops over all sales.
fn reference(sales: &Sales) -> Vec<ElasticityResult> {
    let settings = Settings { min_weeks: 12, poisson_zero_share: 0.1 };
    let mut items: Vec<_> = sales.items.iter().filter(|(_, _, sales)| !sales.is_empty()).collect();
    items.sort_by(|(left, ..), (right, ..)| compare(Subject::Item, left, right));
    let mut found = Vec::new();
    for (_, _, sales) in &items {
        // day -> (units, promoted, paid)
        let mut days: BTreeMap<i64, (f64, f64, f64)> = BTreeMap::new();
        for sale in sales {
            let day = days.entry(sale.day).or_default();
            day.0 += sale.units as f64;
            day.1 += if sale.promoted { sale.units as f64 } else { 0.0 };
            day.2 += (sale.units * sale.cents) as f64 / 100.0;
        }
        let days: Vec<SaleDay> = days
            .into_iter()
            .map(|(day, (units, promoted_units, revenue))| {
                let day = u32::try_from(START / DAY + day - 7_305).expect("after 1990");
                SaleDay { day, units, promoted_units, revenue }
            })
            .collect();
        found.push(estimate(&History::new(&days).weeks, &settings).ok());
    }
    let group = |path: &[String]| -> (Option<Prior>, Option<Prior>) {
        let (mut elasticities, mut promotions) = (Vec::new(), Vec::new());
        for ((_, other, _), found) in items.iter().zip(&found) {
            if let Some(found) = found.filter(|_| other.starts_with(path)) {
                elasticities.push(found.elasticity);
                promotions.extend(found.promotion);
            }
        }
        (Prior::of_group(&elasticities), Prior::of_group(&promotions))
    };
    let results = items.iter().zip(&found).map(|((id, path, _), found)| {
        // From the whole catalogue to the narrowest category that has enough items.
        let (mut prior, mut promotion) = group(&[]);
        let mut narrowest = 0;
        for levels in 1..=path.len() {
            if let (Some(elasticity), effect) = group(&path[..levels]) {
                narrowest = levels;
                prior = prior.map(|around| elasticity.within(&around));
                promotion = effect
                    .zip(promotion)
                    .map_or(promotion, |(effect, around)| Some(effect.within(&around)));
            }
        }
        let path = &path[..narrowest];
        let prior = prior.expect("the catalogue has enough");
        let posterior = prior.update(found.map(|found| found.elasticity));
        let effect = promotion.expect("the catalogue has enough");
        let effect = effect.update(found.and_then(|found| found.promotion)).mean;
        ElasticityResult {
            item_id: id.clone(),
            elasticity: posterior.mean.clamp(-8.0, -0.1) as f32,
            standard_error: posterior.deviation as f32,
            item_weight: posterior.weight as f32,
            item_elasticity: found.map(|found| found.elasticity.value as f32),
            group_path: path.to_vec(),
            promotion_factor: effect.exp().clamp(1.0, 5.0) as f32,
            method: found.map_or("", |found| found.method.name()).to_owned(),
            ..Default::default()
        }
    });
    results.collect()
}

#[tokio::test]
async fn equals_plain_loops_for_any_number_of_shards() {
    let sales = Sales::random(5);
    let expected = reference(&sales);
    let (_, one) = train(&sales, 1, 2).await;
    assert_eq!(one.len(), expected.len());
    for (found, expected) in one.iter().zip(&expected) {
        assert_eq!(found.item_id, expected.item_id);
        assert_eq!((&found.group_path, &found.method), (&expected.group_path, &expected.method));
        assert_eq!(found.item_elasticity.is_some(), expected.item_elasticity.is_some());
        let pairs = [
            (found.elasticity, expected.elasticity),
            (found.standard_error, expected.standard_error),
            (found.item_weight, expected.item_weight),
            (found.promotion_factor, expected.promotion_factor),
            (found.item_elasticity.unwrap_or(0.0), expected.item_elasticity.unwrap_or(0.0)),
        ];
        for (found, expected) in pairs {
            let tolerance = 1e-5 * expected.abs().max(1.0);
            assert!((found - expected).abs() < tolerance, "{found} and {expected}");
        }
    }
    // All kinds of items were there, and demand was found to fall with the price.
    let methods = ["log-log", "poisson", ""].map(|name| {
        let items = one.iter().filter(|result| result.method == name);
        items.count()
    });
    assert!(methods.iter().all(|&items| items > 5), "{methods:?}");
    assert!(one.iter().all(|result| (-8.0..=-0.1).contains(&result.elasticity)));
    let paths: std::collections::BTreeSet<_> =
        one.iter().map(|result| &result.group_path).collect();
    assert!(paths.len() > 3, "{paths:?}");
    // Bit for bit the same for any number of shards.
    for shards in [2, 7] {
        assert_eq!(train(&sales, shards, 2).await.1, one);
    }
}

#[tokio::test]
async fn bytes_do_not_depend_on_threads() {
    let sales = Sales::random(6);
    let (one, _) = train(&sales, 3, 1).await;
    let (four, _) = train(&sales, 3, 4).await;
    assert_eq!(one, four);
}

/// Without any estimate all items have the configured prior.
#[tokio::test]
async fn little_data_leaves_the_prior() {
    let mut sales = Sales::random(7);
    for (_, _, sales) in &mut sales.items {
        sales.truncate(3);
    }
    let (_, results) = train(&sales, 2, 2).await;
    assert!(results.len() > 50);
    for result in results {
        assert_eq!((result.elasticity, result.standard_error), (-2.0, 1.0));
        assert_eq!((result.item_weight, result.promotion_factor), (0.0, 1.0));
        assert_eq!((result.item_elasticity, result.group_path.len()), (None, 0));
        assert!(result.lowest_price_micros > 0);
    }
}

/// A location that sold 60 % of the units was out of stock for most of a week.
#[test]
fn weeks_out_of_stock_do_not_count() {
    let mut item = ItemState::stub("sku".into(), &mut Default::default());
    let directory = Directory::new(TimeZone::UTC);
    let mut sell = |location: &str, units: i64| {
        let sales =
            SalesDay { day: Day(8_000), units_micros: units * 1_000_000, ..SalesDay::default() };
        item.series.add(location, &sales, || location.into());
    };
    sell("big", 6);
    sell("small", 4);
    for location in ["big", "small"] {
        item.stock.push(Stock {
            location: location.into(),
            on_hand: 1.0,
            as_of_ms: 0,
            on_order: 0.0,
            backordered: 0.0,
            stock_outs: Vec::new(),
        });
    }
    // Weeks 1,140 and 1,141 begin on days 7,980 and 7,987.
    let seconds = |day: u32| day * 86_400;
    assert_eq!(InStock::new(&item, &directory).in_week(1_140), 1.0);
    item.stock[0].stock_outs = vec![seconds(7_980), seconds(7_987)];
    item.stock[1].stock_outs = vec![seconds(7_980), seconds(7_981)];
    let in_stock = InStock::new(&item, &directory);
    assert!((in_stock.in_week(1_140) - (1.0 - 0.6 - 0.4 / 7.0)).abs() < 1e-9);
    assert!(in_stock.in_week(1_140) < IN_STOCK);
    assert_eq!(in_stock.in_week(1_141), 1.0);
}
