//! Demand against plain loops over events, for any number of shards and threads.

use std::{collections::BTreeMap, sync::Arc};

use mercer_algorithms::forecast::{Method, Options, Profile, train};
use mercer_common::{
    artifact::ArtifactStore,
    money::from_micros,
    slot::{ShardId, Subject, compare},
};
use mercer_proto::{
    internal::{
        DemandProfiles, DemandResult, DemandSpec, ItemFields, Phase, SeriesForecast, TrainingSpec,
    },
    v1::{Event, EventType, ForecastSource, ItemStatus},
};
use prost_types::Timestamp;

use crate::{
    artifact::{DEMAND, Records, read_message},
    compute::Compute,
    domain::{
        self,
        demand::profile::profile_of,
        recommend::training::{
            Bench,
            shop::{CatalogueItem, Job, Random, Shop, spec},
        },
    },
    shard::cut,
    task::{SERIES, TaskRunner},
};

/// 2024-01-01T00:00:00Z, a Monday.
const START: i64 = 1_704_067_200;
const DAY: i64 = 86_400;
const DAYS: u64 = 160;
const LATENESS: u64 = 2;
/// The whole shop is closed.
const CLOSED: u64 = 100;
/// The day of `START` since 1990.
const FIRST: u64 = 12_418;
const PLACES: [&str; 3] = ["default", "north", "south"];

/// Units and cents by item, place and day; returns are negative.
type Sales = BTreeMap<(String, usize, u64), (f64, i64)>;

fn path_of(item: u64) -> Vec<String> {
    let paths: [&[&str]; 4] = [&[], &["food"], &["food", "fruit"], &["tools"]];
    paths[(item % 4) as usize].iter().map(ToString::to_string).collect()
}

/// Items that sell daily, on some days or hardly ever, at one to three places, since different
/// days; some with a single sale, one with a sale of 10^12 units, one only brought back.
fn sales(seed: u64) -> Sales {
    let mut random = Random::new(seed);
    let mut sales = Sales::new();
    for item in 0..120_u64 {
        let launch = [0, 0, 20, 120, 150][random.below(5) as usize];
        let often = [100, 60, 15, 4][random.below(4) as usize];
        let places = 1 + random.below(3) as usize;
        let days = (launch..DAYS).filter(|day| *day != CLOSED);
        for day in days {
            if day > launch && (item % 12 == 11 || random.below(100) >= often) {
                continue;
            }
            let place = random.below(places as u64) as usize;
            let units = (1 + random.below(4) + day % 7) as f64;
            let cents = 100 + random.below(20) as i64;
            sales.insert((format!("item-{item}"), place, day), (units, cents));
        }
    }
    sales.insert(("item-fuel".into(), 0, 30), (1e12, 1));
    sales.insert(("item-returned".into(), 0, 30), (-3.0, 1));
    // The newest event, and sales on days that are not complete.
    sales.insert(("item-late".into(), 0, DAYS - 1), (5.0, 100));
    sales
}

fn shop(sales: &Sales) -> Shop {
    let item = |number: u64| CatalogueItem {
        id: format!("item-{number}"),
        fields: ItemFields {
            category_path: path_of(number),
            status: ItemStatus::Active.into(),
            ..ItemFields::default()
        },
        // Every third item has a stock record: a series of its own there, however few sales.
        stock: if number.is_multiple_of(3) { vec![("north".into(), 5.0)] } else { Vec::new() },
    };
    let mut events = Vec::with_capacity(sales.len());
    for ((item, place, day), (units, cents)) in sales {
        events.push(Event {
            r#type: if *units > 0.0 { EventType::Purchase } else { EventType::Return }.into(),
            item_id: item.clone(),
            event_time: Some(Timestamp { seconds: START + *day as i64 * DAY + 3_600, nanos: 0 }),
            location_id: Some(PLACES[*place].to_owned()),
            quantity: Some(units.abs()),
            amount: Some(from_micros((units.abs() * 1e4) as i64 * cents, "USD")),
            ..Event::default()
        });
    }
    Shop {
        items: (0..120).map(item).collect(),
        item_ids: Vec::new(),
        user_ids: Vec::new(),
        denied: Vec::new(),
        events,
    }
}

fn demand_spec(shards: ShardId) -> TrainingSpec {
    let demand = DemandSpec {
        lateness_days: LATENESS as u32,
        min_sale_days: 10,
        min_history_days: 56,
        min_history_sales: 8,
        horizon_days: 21,
        methods: Method::ALL.map(|method| method.name().to_owned()).to_vec(),
    };
    TrainingSpec { kinds: vec!["demand".into()], demand: Some(demand), ..spec(shards) }
}

struct Trained {
    artifacts: Vec<String>,
    profiles: DemandProfiles,
    results: Vec<DemandResult>,
}

async fn run(
    store: &ArtifactStore,
    runner: &TaskRunner,
    sales: &Sales,
    shards: ShardId,
) -> Trained {
    for state in shop(sales).states(shards) {
        cut::series::write(&state, "job", store).expect("written");
    }
    let mut job = Job::new("job", demand_spec(shards), runner);
    let name = DEMAND;
    let count = u32::from(shards);
    for (phase, algorithm, count) in [
        (Phase::Cut, SERIES, count),
        (Phase::Estimates, name, count),
        (Phase::Pool, name, 1),
        (Phase::Results, name, count),
    ] {
        for shard in 0..count {
            job.task(phase, shard, algorithm).await.expect("runs");
        }
    }
    let profiles = read_message(store, &job.output(Phase::Pool, 0, name)).expect("opens");
    let mut results = Vec::new();
    for shard in 0..count {
        let records = Records::open(store, &job.output(Phase::Results, shard, name));
        let records = records.expect("opens");
        results.extend((0..records.len()).map(|index| records.decode(index).expect("decodes")));
    }
    let all = store.list().expect("lists");
    Trained { artifacts: all.into_iter().map(|found| found.path).collect(), profiles, results }
}

async fn trained(threads: usize, sales: &Sales, shards: ShardId) -> Trained {
    let bench = Bench::new(threads);
    run(&bench.store, &bench.runner, sales, shards).await
}

/// Units by day from the first sale of an item, at one place or all, to the last complete day.
fn dense(sales: &Sales, item: &str, place: Option<usize>) -> Option<(u64, Vec<f64>)> {
    let last = DAYS - 1 - LATENESS;
    let mut by_day: BTreeMap<u64, f64> = BTreeMap::new();
    for ((id, at, day), (units, _)) in sales {
        if id == item && place.is_none_or(|place| place == *at) && *units > 0.0 && *day <= last {
            *by_day.entry(*day).or_default() += units;
        }
    }
    let first = *by_day.keys().next()?;
    let mut units = Vec::new();
    for day in first..=last {
        units.push(match by_day.get(&day) {
            Some(&units) => units,
            None if day == CLOSED => f64::NAN,
            None => 0.0,
        });
    }
    Some((first, units))
}

fn expected(series: &[f64]) -> Option<(String, Vec<f32>)> {
    let sale_days = series.iter().filter(|units| **units > 0.0).count();
    if series.len() < 56 || sale_days < 8 {
        return None;
    }
    let methods = Method::ALL.to_vec();
    let options = Options { methods, periods: vec![7], gap: LATENESS as usize, horizon: 21 };
    let trained = train(series, &options).expect("observed");
    let path = trained.forecast.path.iter().map(|mean| *mean as f32).collect();
    Some((trained.method.name().to_owned(), path))
}

fn check(found: &SeriesForecast, first: u64, series: &[f64]) {
    let history = found.history.expect("has a history");
    let sold = series.iter().filter(|units| **units > 0.0);
    assert_eq!(u64::from(history.first_day), FIRST + first);
    assert_eq!(u64::from(history.last_day), FIRST + DAYS - 1 - LATENESS);
    assert_eq!(history.sale_days as usize, sold.clone().count());
    assert_eq!(history.closed_days, u32::from(first < CLOSED));
    assert_eq!(history.units, sold.sum::<f64>());
    if let Some((method, path)) = expected(series) {
        assert_eq!(found.source(), ForecastSource::OwnHistory);
        assert_eq!((&found.method, &found.path), (&method, &path));
        assert!(found.backtest_origins > 0);
    }
}

/// The latest offer is the mean price over the sale days of the latest whole week.
fn check_offers(result: &DemandResult, sales: &Sales) {
    let sold = sales.iter().filter(|((item, _, day), (units, _))| {
        *item == result.item_id && *units > 0.0 && *day < DAYS - LATENESS
    });
    let prices: BTreeMap<u64, i64> = sold.map(|((.., day), (_, cents))| (*day, *cents)).collect();
    let days = || prices.keys().copied();
    let (first, last) = days().min().zip(days().max()).expect("sold");
    let weeks = ((last + 1) / 7).saturating_sub(first.div_ceil(7));
    assert_eq!(result.recent_offers.len() as u64, weeks.min(8), "{}", result.item_id);
    let end = (last + 1) / 7 * 7;
    let week: Vec<i64> =
        prices.range(end.saturating_sub(7)..end).map(|(_, price)| *price).collect();
    if let Some(offer) = result.recent_offers.last().filter(|_| !week.is_empty()) {
        let mean = week.iter().sum::<i64>() as f64 / week.len() as f64 * 1e4;
        assert!((offer.price_micros as f64 - mean).abs() <= 1.0, "{}: {mean}", result.item_id);
    }
}

#[tokio::test]
async fn equals_plain_loops_over_events() {
    let sales = sales(1);
    let Trained { profiles, results, .. } = &trained(2, &sales, 3).await;
    assert_eq!(u64::from(profiles.as_of_day), FIRST + DAYS - 1);
    assert_eq!(u64::from(profiles.last_day), FIRST + DAYS - 1 - LATENESS);
    assert_eq!(profiles.closed_days, [(FIRST + CLOSED) as u32]);

    let mut items: Vec<String> = sales.keys().map(|(item, ..)| item.clone()).collect();
    items.dedup();
    items.retain(|item| dense(&sales, item, None).is_some());
    items.sort_by(|left, right| compare(Subject::Item, left, right));
    assert_eq!(items, results.iter().map(|result| result.item_id.clone()).collect::<Vec<_>>());
    assert!(!items.iter().any(|item| item == "item-returned" || item == "item-late"));

    let mut shared = 0;
    for result in results {
        let item = result.item_id.as_str();
        let (first, series) = dense(&sales, item, None).expect("sold");
        assert_eq!(result.series[0].location_id, "*");
        check(&result.series[0], first, &series);
        for (place, name) in PLACES.into_iter().enumerate() {
            let here = dense(&sales, item, Some(place));
            let has_stock = name == "north"
                && item["item-".len()..]
                    .parse::<u64>()
                    .is_ok_and(|number| number.is_multiple_of(3));
            let own = here.as_ref().filter(|(_, series)| {
                let days = series.iter().filter(|units| **units > 0.0).count();
                (has_stock || days >= 10) && expected(series).is_some()
            });
            let found = result.series.iter().find(|series| series.location_id == name);
            let share = result.shares.iter().find(|share| share.location_id == name);
            let known = here.is_some()
                || has_stock
                || sales.keys().any(|(id, at, _)| id == item && *at == place);
            assert_eq!((found.is_some(), share.is_some()), (own.is_some(), known && own.is_none()));
            if let (Some(found), Some((first, series))) = (found, own) {
                check(found, *first, series);
            }
            shared += usize::from(share.is_some_and(|share| share.share > 0.0));
        }
        let of_item = sales.iter().filter(|((id, ..), (units, _))| id == item && *units > 0.0);
        let latest = of_item.clone().map(|((.., day), _)| *day).max().expect("sold");
        let week = of_item.filter(|((.., day), _)| latest - day < 7);
        let (units, cents) = week.fold((0.0, 0.0), |(units, cents), (_, (more, price))| {
            (units + more, cents + more * *price as f64)
        });
        let paid = cents / units * 1e4;
        assert!((result.paid_price_micros as f64 - paid).abs() <= 1.0, "{item}: {paid}");
        check_offers(result, &sales);
        let total: f32 = result.shares.iter().map(|share| share.share).sum();
        assert!(total <= 1.0 + 1e-6, "{item}: {total}");
    }
    assert!(shared > 20, "{shared}");
}

#[tokio::test]
async fn short_histories_borrow_from_their_category() {
    let sales = sales(2);
    let Trained { profiles, results, .. } = trained(2, &sales, 2).await;
    let mut borrowed = 0;
    for result in &results {
        let Ok(number) = result.item_id["item-".len()..].parse::<u64>() else { continue };
        let (first, series) = dense(&sales, &result.item_id, None).expect("sold");
        if expected(&series).is_some() {
            continue;
        }
        borrowed += 1;
        let found = &result.series[0];
        assert_eq!(found.source(), ForecastSource::CategoryProfile);
        assert_eq!((found.method.as_str(), found.backtest_origins), ("category-profile", 0));
        let profile: Profile = profile_of(&profiles, &path_of(number));
        let days = (first + 1..).zip(series.iter().skip(1));
        let mean = profile.shrunk_mean(days.map(|(day, units)| ((day % 7) as usize, *units)));
        assert!(mean > 0.0);
        for (ahead, found) in (0_u64..).zip(&found.path) {
            let expected = (mean * profile.weekday[((DAYS + ahead) % 7) as usize]) as f32;
            assert_eq!(*found, expected, "{} {ahead}", result.item_id);
        }
    }
    assert!(borrowed > 20, "{borrowed}");
}

#[tokio::test]
async fn shards_threads_and_losses_do_not_matter() {
    let sales = sales(3);
    let one = trained(1, &sales, 1).await;
    for (shards, threads) in [(2, 2), (7, 1)] {
        let other = trained(threads, &sales, shards).await;
        assert_eq!(one.profiles.closed_days, other.profiles.closed_days);
        assert_eq!(one.profiles.items_sold, other.profiles.items_sold);
        assert_eq!(one.results.len(), other.results.len());
        for (one, other) in one.results.iter().zip(&other.results) {
            // What borrows depends on sums of fractions, whose last bit depends on their order.
            if one.series[0].source() == ForecastSource::OwnHistory {
                assert_eq!(one, other);
            } else {
                let pairs = one.series[0].path.iter().zip(&other.series[0].path);
                assert!(pairs.clone().all(|(one, other)| (one - other).abs() <= 1e-5 * one));
                assert_eq!(one.shares, other.shares);
            }
        }
    }
    // Half of the artifacts are lost; what is made again has the same bytes.
    let bench = Bench::new(2);
    let whole = run(&bench.store, &bench.runner, &sales, 7).await;
    let mut random = Random::new(4);
    for artifact in bench.store.list().expect("lists") {
        if !artifact.path.contains("/cut/") && random.flip() {
            bench.store.remove(&artifact).expect("removed");
        }
    }
    let compute = Arc::new(Compute::new(1).expect("threads"));
    let fresh = TaskRunner::new(bench.store.clone(), compute, Arc::default(), domain::stages());
    assert_eq!(run(&bench.store, &fresh, &sales, 7).await.artifacts, whole.artifacts);
}

/// The shop tells nothing for two months, and views go on for a year: the forecast is the one of a shop
/// in which these two months never were, on its weekdays, whatever the number of shards.
#[tokio::test]
async fn what_was_not_told_is_no_day_without_demand() {
    let (hole, weeks) = (60..116_u64, 8 * 7);
    let whole: Sales = (0..DAYS - weeks)
        .flat_map(|day| (0..6).map(move |item| (item, day)))
        .map(|(item, day)| {
            let units = (3 + item + day % 7) as f64;
            ((format!("item-{item}"), (item % 2) as usize, day), (units, 100))
        })
        .collect();
    let told_late: Sales = whole
        .iter()
        .map(|((item, place, day), sold)| {
            let later = if *day < hole.start { *day } else { day + weeks };
            ((item.clone(), *place, later), *sold)
        })
        .collect();
    let expected = trained(1, &whole, 1).await;
    for shards in [1, 2, 7] {
        let found = trained(2, &told_late, shards).await;
        assert_eq!(found.profiles.as_of_day, expected.profiles.as_of_day + weeks as u32);
        let silent: Vec<_> =
            found.profiles.silent.iter().filter(|run| run.location_id == "*").collect();
        let [run] = silent[..] else { panic!("{silent:?}") };
        assert_eq!(u64::from(run.first_day), FIRST + hole.start);
        assert_eq!(u64::from(run.last_day), FIRST + hole.end - 1);
        assert_eq!(found.results.len(), 6);
        for result in &found.results {
            let same = expected.results.iter().find(|other| other.item_id == result.item_id);
            let same = same.expect("sold in both");
            for (found, expected) in result.series.iter().zip(&same.series) {
                assert_eq!((&found.path, &found.method), (&expected.path, &expected.method));
                assert_eq!(found.spread, expected.spread);
                assert_eq!(found.history.expect("has one").silent_days, weeks as u32);
            }
        }
    }
}

/// A slip of one line in one item: its own history says so, and items beside it do not follow.
#[tokio::test]
async fn one_line_of_one_item_does_not_rule_its_category() {
    let mut sales = Sales::new();
    for day in 0..DAYS {
        sales.insert(("item-1".into(), 0, day), (1.0, 100));
        sales.insert(("item-5".into(), 0, day), (2.0, 100));
    }
    sales.insert(("item-9".into(), 0, DAYS - 8), (3.0, 100));
    let usual = trained(1, &sales, 2).await;
    sales.insert(("item-1".into(), 0, 40), (5_000.0, 100));
    let wild = trained(1, &sales, 2).await;
    let of = |trained: &Trained, item: &str| -> SeriesForecast {
        let result = trained.results.iter().find(|result| result.item_id == item);
        result.expect("sold").series[0].clone()
    };
    let mean = |series: &SeriesForecast| series.path.iter().sum::<f32>();
    let (before, after) = (mean(&of(&usual, "item-9")), mean(&of(&wild, "item-9")));
    assert!(before > 0.0 && (after / before - 1.0).abs() < 0.2, "{before} {after}");
    let found = of(&wild, "item-1").wild_days;
    let [day] = &found[..] else { panic!("{found:?}") };
    assert_eq!((u64::from(day.day), day.units, day.usual_units), (FIRST + 40, 5_000.0, 1.0));
    assert_eq!(day.counted_units, 1.0);
    // The item's own forecast is as without it, and so is how far demand may lie from it.
    let (own_before, own_after) = (of(&usual, "item-1"), of(&wild, "item-1"));
    assert_eq!((own_before.path, own_before.spread), (own_after.path, own_after.spread));
    assert!(of(&usual, "item-1").wild_days.is_empty() && of(&wild, "item-5").wild_days.is_empty());
}

#[tokio::test]
async fn a_shop_without_sales_has_no_results() {
    let trained = trained(1, &Sales::new(), 2).await;
    assert!(trained.results.is_empty());
    assert_eq!((trained.profiles.as_of_day, trained.profiles.last_day), (0, 0));
    assert!(trained.profiles.categories.is_empty());
}

#[tokio::test]
async fn an_unknown_method_is_named() {
    let bench = Bench::new(1);
    for state in shop(&Sales::new()).states(1) {
        cut::series::write(&state, "job", &bench.store).expect("written");
    }
    let mut spec = demand_spec(1);
    spec.demand.iter_mut().for_each(|demand| demand.methods.push("oracle".into()));
    let mut job = Job::new("job", spec, &bench.runner);
    let name = DEMAND;
    for (phase, name) in [(Phase::Cut, SERIES), (Phase::Estimates, name), (Phase::Pool, name)] {
        job.task(phase, 0, name).await.expect("runs");
    }
    let error = job.task(Phase::Results, 0, name).await.expect_err("refused").to_string();
    assert!(error.contains("`oracle`"), "{error}");
}
