//! Answers do not depend on the shape of the cluster, and they are right.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz::TimeZone};
use mercer_common::time::Day;
use mercer_proto::{
    google::r#type::Money,
    v1::{
        EventType, ForecastRequest, GetItemRequest, GetItemResponse, GetUserResponse,
        HistorySummary, LedgerKind, catalog_service_client::CatalogServiceClient,
        forecast_service_client::ForecastServiceClient,
    },
};
use mercer_tests::{
    answers::{self, Result, request},
    catalogue,
    decisions::decisions,
    processes::{Processes, describe},
    reference::{Algorithm, Reference},
    sales::{sales, shown},
    workload::Workload,
};
use tonic::transport::Channel;

use super::BINARY;

const USERS: u64 = 60;
const ITEMS: u64 = 80;
const EVENTS: usize = 6_000;
/// Days at the end of the history that may still be incomplete, as configured by default.
const LATENESS_DAYS: i32 = 2;

/// What a cluster answers.
#[derive(Debug, PartialEq)]
struct Answers {
    recommendations: Vec<Vec<Result>>,
    decisions: Vec<String>,
    items: Vec<GetItemResponse>,
    histories: Vec<HistorySummary>,
    users: Vec<GetUserResponse>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_shape_gives_the_same_bits_and_the_reference_agrees() -> anyhow::Result<()> {
    let workload = Workload { users: USERS, items: ITEMS, seed: 7 };
    let truth = {
        let one_process = Processes::up(BINARY, 2, 16)?;
        answer(one_process, &workload).await?
    };
    check_recommendations(&truth.recommendations, &workload);
    check_sales(&truth, &workload);
    check_ledgers(&truth.users, &workload);
    let processes = answer(Processes::cluster(BINARY, 3)?, &workload).await?;
    assert_eq!(truth, processes, "three worker processes answer otherwise");
    // Priors that are pooled over shards are equal to rounding only, so decisions may differ in
    // their last bits.
    let odd_shards = answer(Processes::up(BINARY, 1, 7)?, &workload).await?;
    let recommended = |answers: &Answers| answers.recommendations.clone();
    assert_eq!(recommended(&truth), recommended(&odd_shards), "7 shards recommend otherwise");
    assert_eq!(truth.items, odd_shards.items, "7 shards have sold otherwise");
    assert_eq!(truth.histories, odd_shards.histories, "7 shards have other histories");
    assert_eq!(truth.users, odd_shards.users, "7 shards know users otherwise");
    Ok(())
}

async fn answer(mut cluster: Processes, workload: &Workload) -> anyhow::Result<Answers> {
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    let mut tokens = catalogue::set_up(&channel, ITEMS).await?;
    tokens.extend(answers::record(&channel, workload.events(EVENTS)).await?);
    describe(cluster.endpoint(), tokens).await?;
    // Without a hybrid, which would learn half-lives that the reference does not know.
    answers::train(&channel, &["similarity", "demand", "elasticity", "inventory"]).await?;
    let users = (0..USERS).map(|user| format!("user-{user}"));
    let algorithms = ["p3", "item-cosine", "popular"];
    Ok(Answers {
        users: answers::known_users(&channel, users.clone()).await?,
        recommendations: answers::recommendations(&channel, users, &algorithms).await?,
        decisions: decisions(&channel, (0..ITEMS).map(|item| format!("item-{item}"))).await?,
        items: items(&channel).await?,
        histories: histories(&channel).await?,
    })
}

async fn items(channel: &Channel) -> anyhow::Result<Vec<GetItemResponse>> {
    let mut client = CatalogServiceClient::new(channel.clone());
    let mut items = Vec::new();
    for item in 0..ITEMS {
        let message = GetItemRequest { item_id: format!("item-{item}"), tokens: Vec::new() };
        let mut answer = client.get_item(request(message)).await?.into_inner();
        answer.token.clear();
        items.push(answer);
    }
    Ok(items)
}

async fn histories(channel: &Channel) -> anyhow::Result<Vec<HistorySummary>> {
    let mut client = ForecastServiceClient::new(channel.clone());
    let mut histories = Vec::new();
    for item in 0..ITEMS {
        let item_id = format!("item-{item}");
        let message = ForecastRequest { item_id, ..ForecastRequest::default() };
        let answer = client.forecast(request(message)).await?.into_inner();
        histories.push(answer.history.unwrap_or_default());
    }
    Ok(histories)
}

fn zone_of(location: &str) -> TimeZone {
    let name = match location {
        "store-0" => "America/New_York",
        "store-1" => "Asia/Tokyo",
        _ => "UTC",
    };
    TimeZone::get(name).expect("a zone")
}

/// What users paid, by plain loops.
fn check_ledgers(users: &[GetUserResponse], workload: &Workload) {
    /// Lines, units and millionths of money by kind, orders, and days of purchase.
    #[derive(Debug, Default, PartialEq)]
    struct Paid {
        kinds: BTreeMap<i32, (u64, f64, i64)>,
        orders: BTreeSet<(Date, String)>,
        days: BTreeSet<Date>,
    }
    let mut expected: BTreeMap<String, Paid> = BTreeMap::new();
    for event in workload.events(EVENTS) {
        let (Some(user), Some(quantity)) = (event.user_id.clone(), event.quantity) else {
            continue;
        };
        let paid = expected.entry(user).or_default();
        let kind = match (event.r#type(), event.promotion) {
            (EventType::Return, _) => LedgerKind::Returned,
            (_, true) => LedgerKind::Promoted,
            (_, false) => LedgerKind::Regular,
        };
        let sums = paid.kinds.entry(kind.into()).or_default();
        sums.0 += 1;
        sums.1 += quantity;
        sums.2 += micros(event.amount.as_ref());
        if kind != LedgerKind::Returned {
            let zone = zone_of(event.location_id.as_deref().unwrap_or_default());
            let seconds = event.event_time.unwrap_or_default().seconds;
            let at = jiff::Timestamp::from_second(seconds).expect("a valid time");
            let date = at.to_zoned(zone).date();
            // Without a basket the day of the cluster's zone tells the visit.
            let visit =
                event.basket_id.unwrap_or_else(|| at.to_zoned(TimeZone::UTC).date().to_string());
            paid.orders.insert((date, visit));
            paid.days.insert(date);
        }
    }
    let mut lines = 0;
    for user in users {
        let id = &user.user.as_ref().expect("a user").user_id;
        let (Some(ledger), Some(paid)) = (&user.ledger, expected.remove(id)) else {
            assert!(user.ledger.is_none(), "{id} bought nothing");
            continue;
        };
        let kinds = ledger.sums.iter().map(|one| {
            lines += one.lines;
            (one.kind, (one.lines, one.units, micros(one.money.as_ref())))
        });
        assert_eq!(kinds.collect::<BTreeMap<_, _>>(), paid.kinds, "{id}");
        assert_eq!((ledger.rows_since, ledger.orders), (None, paid.orders.len() as u64), "{id}");
        assert_eq!(ledger.purchase_days as usize, paid.days.len(), "{id}");
        let newest = ledger.last_purchase.and_then(Day::from_api).map(Day::date);
        assert_eq!(newest, paid.days.last().copied(), "{id}");
        let of_rows: i64 = ledger.rows.iter().map(|row| micros(row.money.as_ref())).sum();
        assert_eq!(of_rows, paid.kinds.values().map(|one| one.2).sum::<i64>(), "{id}");
        assert_eq!(ledger.rows.len(), ledger.kept_rows as usize);
    }
    assert!(expected.is_empty(), "{} buyers are not known", expected.len());
    assert!(lines > 3_000, "compared only {lines} lines");
}

fn micros(money: Option<&Money>) -> i64 {
    money.map_or(0, |money| money.units * 1_000_000 + i64::from(money.nanos) / 1_000)
}

/// Daily sales and the histories that forecasts stand on.
fn check_sales(answers: &Answers, workload: &Workload) {
    let events = workload.events(EVENTS);
    let sales = sales(&events, zone_of);
    let newest = events.iter().map(|event| event.event_time.unwrap_or_default().seconds).max();
    let newest = jiff::Timestamp::from_second(newest.expect("events")).expect("a valid time");
    let last_day = newest.to_zoned(TimeZone::UTC).date() - jiff::Span::new().days(LATENESS_DAYS);
    let (mut days, mut busy) = (0, 0);
    for (item, (answer, history)) in (0..ITEMS).zip(answers.items.iter().zip(&answers.histories)) {
        let expected = sales.get(&format!("item-{item}")).cloned().unwrap_or_default();
        let shown: Vec<_> = answer.sales.iter().map(shown).collect();
        let sold: Vec<_> = expected.iter().filter(|(_, sales)| sales.units > 0.0).collect();
        let latest: Vec<(Date, _)> =
            sold.iter().rev().take(28).rev().map(|(date, sales)| (**date, **sales)).collect();
        assert_eq!(shown, latest, "sales of item {item}");
        days += shown.len();
        busy += usize::from(shown.len() > 20);

        let complete = sold.iter().filter(|(date, _)| **date <= last_day);
        let units: f64 = complete.clone().map(|(_, sales)| sales.units).sum();
        assert!((history.units - units).abs() < 1e-6, "units of item {item}: {history:?}");
        assert_eq!(history.sale_days as usize, complete.count(), "sale days of item {item}");
    }
    assert!(days > 500 && busy > 10, "compared only {days} days, {busy} busy items");
}

/// `answers` holds p3, item-cosine and popular for each user in turn.
fn check_recommendations(answers: &[Vec<Result>], workload: &Workload) {
    let reference = Reference::new(&workload.events(EVENTS));
    let mut compared = 0;
    for (offset, algorithm) in [(0, Algorithm::P3), (1, Algorithm::ItemCosine)] {
        let neighbours = reference.neighbours(algorithm);
        for user in 0..USERS {
            let index = usize::try_from(user).expect("small") * 3 + offset;
            let expected = reference.recommend(&neighbours, &format!("user-{user}"));
            let scored = answers[index].iter().filter(|(_, _, source, _)| *source == 1);
            let scored: Vec<_> = scored.collect();
            assert_eq!(scored.len(), expected.len().min(20), "{algorithm:?} for user {user}");
            for ((item, score, _, reasons), (_, expected_score)) in scored.iter().zip(&expected) {
                let score = f64::from_bits(*score);
                assert!(close(score, *expected_score), "{algorithm:?}: {score} {expected_score}");
                // Items with equal scores up to rounding may have changed places.
                let own = expected.iter().find(|(candidate, _)| candidate == item);
                assert!(own.is_some_and(|(_, own)| close(*own, score)), "{item} for user {user}");
                let parts: f64 = reasons.iter().map(|(_, _, part)| f64::from_bits(*part)).sum();
                assert!(close(parts, score), "reasons add up to {parts}, not {score}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "compared only {compared}");
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-5 * left.abs().max(right.abs()).max(1e-3)
}
