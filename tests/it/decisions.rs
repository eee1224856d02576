//! Decisions on the data that shops really have: each case with two siblings, from files to answers, by the
//! commands that a person types.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use mercer_tests::single::{Running, Single};
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_mercer-node");
const TRAIN: [&str; 4] = ["train", "demand", "elasticity", "inventory"];

/// A shop with an empty folder.
struct Shop {
    running: Box<Running>,
    folder: TempDir,
}

impl Shop {
    async fn open(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut single = Single::new(BINARY, &folder.path().join("data"))
            .with_variable("MERCER_CLUSTER__SHARDS", "2")
            .with_variable("MERCER_CLUSTER__WORKERS", "1");
        for (name, value) in variables {
            single = single.with_variable(name, value);
        }
        Ok(Self { running: single.serve().await?, folder })
    }

    /// Runs a command, which must succeed; returns what it prints.
    fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--endpoint", self.running.endpoint()]);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let printed = self.run(&[arguments, &["--output", "json"]].concat())?;
        serde_json::from_str(&printed).with_context(|| printed)
    }

    fn import(&self, what: &str, case: &str) -> anyhow::Result<()> {
        self.load(what, &cases().join(case), &[])
    }

    fn load(&self, what: &str, file: &Path, more: &[&str]) -> anyhow::Result<()> {
        let file = file.to_str().context("a path")?;
        self.run(&[&["import", what, file], more].concat()).map(drop)
    }

    /// Imports what a test makes up.
    fn write(&self, what: &str, content: &str) -> anyhow::Result<()> {
        let file = self.folder.path().join(format!("{what}.csv"));
        fs::write(&file, content)?;
        self.load(what, &file, &[])
    }

    fn train(&self) -> anyhow::Result<()> {
        self.run(&[&TRAIN[..], &["--wait"]].concat()).map(drop)
    }

    /// Units that are expected of an item in 28 days, and the first of them.
    fn forecast(&self, item: &str) -> anyhow::Result<(f64, String, Value)> {
        let answer = self.ask(&["forecast", "--item", item])?;
        let first = answer["days"][0]["date"].as_str().context("a date")?.to_owned();
        Ok((number(&answer["total"]["mean"])?, first, answer))
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cases")
}

fn number(value: &Value) -> anyhow::Result<f64> {
    value.as_f64().with_context(|| value.to_string())
}

fn says(answer: &Value, part: &str) -> bool {
    let reasons = answer["reasons"].as_array();
    let mut messages = reasons.into_iter().flatten().filter_map(|it| it["message"].as_str());
    messages.any(|message| message.contains(part))
}

/// Lines of purchases: (day of 2025, counted from its first; item; units).
fn purchases(sales: impl IntoIterator<Item = (i16, &'static str, u32)>) -> String {
    let mut lines = String::from("item_id,type,timestamp,user_id,quantity,amount\n");
    for (day, item, units) in sales {
        let date = jiff::civil::date(2025, 1, 1) + jiff::Span::new().days(day);
        lines += &format!("{item},purchase,{date}T10:00:00Z,u1,{units},{}.00\n", 2 * units);
    }
    lines
}

#[tokio::test]
async fn only_demand_moves_the_clock_of_demand() -> anyhow::Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.import("events", "late_base.csv")?;
    shop.import("items", "late_items.csv")?;
    shop.train()?;
    let (units, first, answer) = shop.forecast("steady")?;
    ensure!((600.0..740.0).contains(&units), "{units}");
    ensure!(says(&answer, &format!("starts on {first}")), "{answer}");

    // A view half a year later.
    shop.import("events", "late_view.csv")?;
    shop.train()?;
    let (with_view, same_first, answer) = shop.forecast("steady")?;
    ensure!((with_view, &same_first) == (units, &first), "{with_view} {same_first}");
    ensure!(says(&answer, "Newer events, until 2026-03-20"), "{answer}");

    // A purchase then: it moves the clock, and the days between are missing.
    shop.import("events", "late_purchase.csv")?;
    shop.train()?;
    let (with_purchase, late, answer) = shop.forecast("steady")?;
    ensure!((0.9..1.1).contains(&(with_purchase / units)), "{with_purchase} of {units}");
    ensure!(late == "2026-03-21", "{late}");
    ensure!(says(&answer, "Nothing was sold in the whole shop from"), "{answer}");
    let price = shop.ask(&["price", "--item", "steady"])?;
    ensure!(!says(&price, "No demand is expected"), "{price}");
    shop.running.stop().await
}

/// Two holes, the later one shorter, and weekends, which are no holes: one location goes on.
#[tokio::test]
async fn holes_are_missing_and_weekends_are_not() -> anyhow::Result<()> {
    let shop = Shop::open(&[]).await?;
    let sales = (5..260_i16).filter(|day| {
        // 2025-01-06 was a Monday.
        let is_weekend = (day - 5).rem_euclid(7) > 4;
        !is_weekend && !(90..150).contains(day) && !(210..240).contains(day)
    });
    shop.write("events", &purchases(sales.map(|day| (day, "tea", 20))))?;
    shop.import("items", "late_items.csv")?;
    shop.train()?;
    let (units, _, answer) = shop.forecast("tea")?;
    // Twenty working days of twenty, not four weeks of fourteen.
    ensure!((360.0..440.0).contains(&units), "{units}");
    let days = answer["days"].as_array().context("days")?;
    for day in days {
        let date: jiff::civil::Date = day["date"].as_str().context("a date")?.parse()?;
        let is_weekend = date.weekday().to_monday_zero_offset() > 4;
        ensure!((number(&day["mean"])? < 5.0) == is_weekend, "{day}");
    }
    ensure!(number(&answer["history"]["silent_days"])? >= 85.0, "{answer}");

    // Another location opens and is still open when the first tells nothing more.
    let mut lines = String::from("item_id,type,timestamp,user_id,quantity,amount,location_id\n");
    for (day, place) in (0..160).map(|day| (day, "north")).chain((0..240).map(|day| (day, "south")))
    {
        let date = jiff::civil::date(2024, 1, 1) + jiff::Span::new().days(day);
        lines += &format!("milk,purchase,{date}T10:00:00Z,u1,10,20.00,{place}\n");
    }
    let other = Shop::open(&[]).await?;
    other.write("events", &lines)?;
    other.train()?;
    let north = other.ask(&["forecast", "--item", "milk", "--location", "north"])?;
    ensure!((250.0..310.0).contains(&number(&north["total"]["mean"])?), "{north}");
    ensure!(says(&north, "Nothing was sold at `north` from"), "{north}");
    other.running.stop().await?;
    shop.running.stop().await
}

#[tokio::test]
async fn one_line_does_not_rule_a_category_nor_a_reorder_point() -> anyhow::Result<()> {
    let mut expected = Vec::new();
    for case in ["outlier_no.csv", "outlier_yes.csv"] {
        let shop = Shop::open(&[]).await?;
        shop.import("events", case)?;
        shop.import("items", "outlier_items.csv")?;
        shop.import("stock", "outlier_stock.csv")?;
        shop.train()?;
        let (units, ..) = shop.forecast("fresh")?;
        let order = shop.ask(&["inventory", "--item", "fresh"])?;
        let quantity = number(&order["policy"]["order_quantity"])?;
        expected.push((units, quantity));
        // The siblings: no time to cover, and a lead time without review.
        let at_once = ["--lead-time-days", "0", "--lead-time-deviation-days", "0"];
        let at_once =
            [&["inventory", "--item", "fresh"], &at_once[..], &["--review-period-days", "0"]];
        let at_once = shop.ask(&at_once.concat())?;
        ensure!(at_once["policy"]["lead_time_demand"]["mean"] == 0.0, "{at_once}");
        ensure!(number(&at_once["policy"]["undershoot"])? < 10.0, "{at_once}");
        ensure!(!at_once.to_string().contains("in the 0 days"), "{at_once}");
        if case == "outlier_yes.csv" {
            for lead_time in ["0", "1", "14"] {
                let terms = ["--lead-time-days", lead_time, "--review-period-days", "0"];
                let bulk = shop.ask(&[&["inventory", "--item", "bulk"], &terms[..]].concat())?;
                let policy = &bulk["policy"];
                let (point, undershoot) =
                    (number(&policy["reorder_point"])?, number(&policy["undershoot"])?);
                ensure!(undershoot <= 10.0 && point <= 60.0, "{lead_time}: {bulk}");
                ensure!(number(&policy["lead_time_demand"]["mean"])? < 30.0, "{bulk}");
                ensure!(says(&bulk, "5000 units were sold on 2025-"), "{bulk}");
                ensure!(says(&bulk, "The item's forecast counts 1 of them"), "{bulk}");
            }
        }
        shop.running.stop().await?;
    }
    let [(units, quantity), (wild_units, wild_quantity)] = expected[..] else { unreachable!() };
    ensure!((0.7..1.5).contains(&(wild_units / units)), "{wild_units} of {units}");
    ensure!((0.7..1.5).contains(&(wild_quantity / quantity)), "{wild_quantity} of {quantity}");
    Ok(())
}

#[tokio::test]
async fn each_number_of_an_order_has_one_source() -> anyhow::Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.import("events", "dead_events.csv")?;
    shop.import("items", "dead_items.csv")?;
    shop.train()?;
    shop.import("stock", "dead_stock.csv")?;
    let dead = shop.ask(&["inventory", "--item", "dead"])?;
    for field in ["reorder_point", "order_up_to", "order_quantity", "safety_stock"] {
        ensure!(dead["policy"][field] == 0.0, "{field}: {dead}");
    }
    ensure!(says(&dead, "It was last sold on"), "{dead}");
    ensure!(!says(&dead, "or below the reorder point"), "{dead}");

    // The list has the stock that was told after the training, and says what the item's answer says.
    let agrees = || -> anyhow::Result<()> {
        let list = shop.run(&["inventory", "--all", "--output", "json"])?;
        ensure!(!list.contains("never told"), "{list}");
        ensure!(list.lines().count() == 2, "{list}");
        for line in list.lines() {
            let policy: Value = serde_json::from_str(line)?;
            let item = policy["item_id"].as_str().context("an item")?;
            let one = shop.ask(&["inventory", "--item", item])?;
            ensure!(one["policy"] == policy["policy"], "{one} {policy}");
            ensure!(one["stock"] == policy["stock"], "{one} {policy}");
        }
        Ok(())
    };
    agrees()?;
    let orders = shop.run(&["inventory", "--all", "--orders-only"])?;
    ensure!(orders.contains("alive") && !orders.contains("dead"), "{orders}");

    // An order of five days does not bridge three weeks; nor does one of five days keep up with weeks.
    shop.import("supply", "cover_supply.csv")?;
    let short = shop.ask(&["inventory", "--item", "alive"])?;
    ensure!(number(&short["policy"]["expected_cycle_service"])? < 0.05, "{short}");
    ensure!(number(&short["policy"]["expected_fill_rate"])? < 0.2, "{short}");
    ensure!(says(&short, "does not bridge the 21 days"), "{short}");
    agrees()?;
    shop.write("stock", "item_id,on_hand\nalive,1000\n")?;
    let later = shop.ask(&["inventory", "--item", "alive"])?;
    ensure!(later["policy"]["order_quantity"] == 0.0, "{later}");
    ensure!(number(&later["policy"]["expected_fill_rate"])? < 0.75, "{later}");
    ensure!(says(&later, "brings less than the 7 days between two orders"), "{later}");
    // With cover enough the promise stands.
    let enough = ["inventory", "--item", "alive", "--maximum-cover-days", "60"];
    let enough = shop.ask(&enough)?;
    ensure!(number(&enough["policy"]["expected_cycle_service"])? > 0.9, "{enough}");
    shop.running.stop().await
}

#[tokio::test]
async fn what_was_rated_is_seen_and_a_low_rating_is_no_liking() -> anyhow::Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.load("events", &cases().join("ratings.csv"), &["--set", "type=rating"])?;
    shop.import("items", "ratings_items.csv")?;
    shop.run(&["train", "similarity", "ials", "--wait"])?;
    for algorithm in ["ials", "item-cosine"] {
        let ask = ["recommend", "--user", "critic", "-n", "6", "--algorithm", algorithm];
        let answer = shop.ask(&ask)?;
        let items = answer["items"].as_array().context("items")?;
        let ids: Vec<&str> = items.iter().filter_map(|item| item["item_id"].as_str()).collect();
        let rated = ["a0", "a1", "a2", "a3", "b0", "b1"];
        ensure!(!ids.iter().any(|id| rated.contains(id)), "{algorithm}: {ids:?}");
        ensure!(ids.len() == 6 && ids[..2].iter().all(|id| id.starts_with('b')), "{ids:?}");
        let all = shop.ask(&[&ask[..], &["--seen", "include"]].concat())?;
        ensure!(all["items"][0]["item_id"].as_str().is_some_and(|id| id.starts_with('b')), "{all}");
    }
    shop.running.stop().await
}

#[tokio::test]
async fn without_purchases_popularity_goes_by_other_events() -> anyhow::Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.import("events", "views.csv")?;
    // Nothing is listed, of which nothing can be said.
    let bare = shop.ask(&["popular"])?;
    ensure!(!bare.to_string().contains("Nothing has been purchased"), "{bare}");
    shop.import("items", "views_items.csv")?;
    let untrained = shop.ask(&["popular"])?;
    ensure!(untrained.to_string().contains("after a training"), "{untrained}");
    shop.run(&["train", "similarity", "--wait"])?;
    let answer = shop.ask(&["popular"])?;
    let shown = |answer: &Value| -> Vec<(String, u64)> {
        let mut rows = Vec::new();
        for item in answer["items"].as_array().into_iter().flatten() {
            let (id, popularity) = (item["item_id"].as_str(), item["popularity"].as_u64());
            rows.extend(id.map(str::to_owned).zip(popularity));
        }
        rows
    };
    let counted = [("hit", 60), ("flop", 30), ("none", 0)].map(|(id, count)| (id.into(), count));
    ensure!(shown(&answer) == counted, "{answer}");
    ensure!(answer.to_string().contains("Nothing has been purchased"), "{answer}");
    // What fills up for somebody who is not known goes by the same.
    let fills = |expected: &[&str]| -> anyhow::Result<()> {
        let ask = ["recommend", "--user", "nobody", "-n", "3", "--explain", "--algorithm", "p3"];
        let answer = shop.ask(&ask)?;
        let items = answer["items"].as_array().context("items")?;
        let ids: Vec<&str> = items.iter().filter_map(|item| item["item_id"].as_str()).collect();
        ensure!(ids == expected, "{answer}");
        ensure!(items[1]["reasons"][0]["code"] == "of_interest", "{answer}");
        Ok(())
    };
    fills(&["hit", "flop", "none"])?;
    // Nor does any reason speak of buying.
    let ask = ["recommend", "--user", "nobody", "--explain", "--algorithm", "popular"];
    let answer = shop.ask(&ask)?;
    ensure!(answer.to_string().contains("of_interest"), "{answer}");
    ensure!(!answer.to_string().contains("\"code\":\"popular"), "{answer}");
    // One purchase, and popularity is what it is everywhere.
    let purchase =
        "item_id,type,timestamp,user_id,quantity\nflop,purchase,2026-11-20T10:00:00Z,u1,1\n";
    shop.write("events", purchase)?;
    let bought = shop.ask(&["popular"])?;
    ensure!(shown(&bought)[0] == ("flop".into(), 1), "{bought}");
    ensure!(!bought.to_string().contains("Nothing has been purchased"), "{bought}");
    fills(&["flop", "hit", "none"])?;
    shop.running.stop().await
}

/// The lines of a file in yen with a thousandth of each amount, which is their last column.
fn dinars(yen: &str) -> String {
    let mut lines = String::new();
    for (number, line) in yen.lines().enumerate() {
        let (rest, amount) = line.rsplit_once(',').unwrap_or((line, ""));
        let amount = amount.parse::<f64>().map(|yen| format!("{:.3}", yen / 1_000.0));
        let amount = if number == 0 { "amount".into() } else { amount.unwrap_or_default() };
        lines += &format!("{rest},{amount}\n");
    }
    lines
}

/// Yen have no hundredths, Kuwaiti dinars have thousandths, and 20 of either is no cost of an order.
#[tokio::test]
async fn prices_are_whole_in_the_currency() -> anyhow::Result<()> {
    let yen = fs::read_to_string(cases().join("yen_events.csv"))?;
    for (currency, digits, has_cost) in [("JPY", 0, false), ("KWD", 3, false), ("USD", 2, true)] {
        let shop = Shop::open(&[("MERCER_CLUSTER__CURRENCY", currency)]).await?;
        let (events, items) = match currency {
            "KWD" => (dinars(&yen), "item_id,title,list_price,unit_cost\nyen,Yen,0.330,0.101\n"),
            _ => (yen.clone(), "item_id,title,list_price,unit_cost\nyen,Yen,330,101\n"),
        };
        // What could be thousands is asked about otherwise.
        let file = shop.folder.path().join("events.csv");
        fs::write(&file, &events)?;
        shop.load("events", &file, &["--decimal-point"])?;
        let file = shop.folder.path().join("items.csv");
        fs::write(&file, items)?;
        shop.load("items", &file, &["--decimal-point"])?;
        shop.train()?;
        let answer = shop.ask(&["price", "--item", "yen", "--endings", "99"])?;
        let price = answer["proposal"]["price"].as_str().context("a price")?;
        let amount: f64 = price.parse()?;
        let minor = amount * 10_f64.powi(digits);
        ensure!((minor - minor.round()).abs() < 1e-6, "{currency} {price}");
        ensure!(minor.round() % 100.0 == 99.0, "{currency} {price}");
        let shown = shop.run(&["price", "--item", "yen", "--endings", "99"])?;
        let fraction = price.split_once('.').map_or(0, |(_, digits)| digits.len());
        ensure!(
            fraction == digits as usize && shown.contains(price),
            "{currency} {price}: {shown}"
        );
        let order = shop.ask(&["inventory", "--item", "yen"])?;
        ensure!(order["terms"]["order_cost"].is_null() != has_cost, "{order}");
        ensure!(says(&order, "Nobody has said what an order costs") != has_cost, "{order}");
        shop.running.stop().await?;
    }
    Ok(())
}
