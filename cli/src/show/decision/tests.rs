//! The serialized forms are a contract; the texts are for people, and say what matters.

use mercer_proto::{
    google::r#type::{Date, Money},
    v1::{
        ElasticityEstimate, ElasticityResponse, ForecastDay, ForecastResponse, ForecastSource,
        ForecastTotal, HistorySummary, Note, Policy, PolicyResponse, PricePoint, PriceProposal,
        PriceResponse, PriceRule, ServiceTarget, StockPosition, SupplyTerms,
        elasticity_estimate::Basis, note::Kind, service_target::Target,
    },
};
use serde::Serialize;

use super::*;
use crate::show::{output, sheet::Sheet};

fn usd(cents: i64) -> Option<Money> {
    let nanos = i32::try_from(cents % 100 * 10_000_000).expect("small");
    Some(Money { currency_code: "USD".into(), units: cents / 100, nanos })
}

fn day(day: i32) -> Option<Date> {
    Some(Date { year: 2026, month: 1, day })
}

fn note(kind: Kind, field: &str, message: &str) -> Note {
    Note { kind: kind.into(), field: field.into(), message: message.into(), ..Note::default() }
}

fn json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("serializes")
}

fn forecast() -> ForecastResponse {
    let days = [(30, 2.0, [0.5, 4.0]), (31, 1.0, [0.0, 2.5])];
    ForecastResponse {
        item_id: "i".into(),
        location_id: "*".into(),
        version: "v1".into(),
        source: ForecastSource::OwnHistory.into(),
        method: "theta".into(),
        days: days
            .map(|(date, mean, quantiles)| ForecastDay {
                date: day(date),
                mean,
                quantiles: quantiles.to_vec(),
            })
            .to_vec(),
        levels: vec![0.1, 0.9],
        total: Some(ForecastTotal {
            mean: 3.0,
            standard_deviation: 1.5,
            quantiles: vec![1.0, 6.0],
        }),
        history: Some(HistorySummary {
            first_date: day(1),
            last_date: day(29),
            days: 29,
            sale_days: 20,
            closed_days: 2,
            silent_days: 3,
            units: 58.0,
            ..HistorySummary::default()
        }),
        backtest_wape: Some(0.25),
        backtest_origins: 4,
        notes: vec![note(Kind::WeakEvidence, "history", "Only 29 days.")],
        token: "t".into(),
    }
}

fn price() -> PriceResponse {
    let point = |price, units, profit| PricePoint {
        price: usd(price),
        units,
        revenue: usd(300),
        profit: usd(profit),
        low: usd(profit - 50),
        high: usd(profit + 50),
    };
    PriceResponse {
        item_id: "i".into(),
        version: "v1".into(),
        proposal: Some(PriceProposal {
            price: usd(119),
            change: 0.19,
            unconstrained_price: usd(150),
            expected: Some(point(119, 2.5, 150)),
            current: Some(point(100, 3.0, 120)),
        }),
        current_price: usd(100),
        unit_cost: usd(60),
        elasticity: Some(ElasticityEstimate {
            elasticity: -1.5,
            standard_error: 0.25,
            basis: Basis::Item.into(),
            item_elasticity: Some(-1.75),
            item_standard_error: Some(0.5),
            item_weight: 0.75,
            group_path: vec!["A".into(), "B".into()],
            group_elasticity: -1.25,
            group_deviation: 0.5,
            method: "log-log".into(),
            weeks: 20,
            zero_weeks: 1,
            lowest_price: usd(80),
            highest_price: usd(120),
            promotion_factor: 1.0,
        }),
        curve: vec![point(100, 3.0, 120), point(110, 2.75, 140), point(119, 2.5, 150)],
        rule: Some(PriceRule {
            largest_change: Some(0.2),
            price_endings: vec![9],
            ..PriceRule::default()
        }),
        notes: vec![note(Kind::RuleBinding, "price_rule.largest_change", "It binds.")],
        token: "t".into(),
        ..PriceResponse::default()
    }
}

fn policy() -> PolicyResponse {
    PolicyResponse {
        item_id: "i".into(),
        location_id: "*".into(),
        version: "v1".into(),
        policy: Some(Policy {
            safety_stock: 4.0,
            reorder_point: 14.0,
            order_up_to: 30.0,
            economic_order_quantity: 16.0,
            order_quantity: 18.0,
            unrounded_order_quantity: 17.5,
            order_value: usd(1080),
            days_of_cover: Some(6.25),
            stock_out_date: day(31),
            expected_cycle_service: 0.95,
            expected_fill_rate: 0.99,
            ..Policy::default()
        }),
        stock: Some(StockPosition { on_hand: 12.5, position: 12.5, ..StockPosition::default() }),
        terms: Some(SupplyTerms {
            lead_time_days: Some(5.0),
            service: Some(ServiceTarget { target: Some(Target::CycleService(0.95)) }),
            ..SupplyTerms::default()
        }),
        supplier_id: "s".into(),
        notes: vec![note(Kind::DefaultUsed, "supply.pack_size", "No pack size: 1.")],
        token: "t".into(),
        ..PolicyResponse::default()
    }
}

#[test]
fn forecasts_have_a_stable_shape() {
    let answer = ForecastAnswer::new(forecast());
    assert_eq!(
        json(&answer),
        r#"{"item_id":"i","location_id":"*","version":"v1","source":"own_history","method":"theta","days":[{"date":"2026-01-30","mean":2.0,"quantiles":[0.5,4.0]},{"date":"2026-01-31","mean":1.0,"quantiles":[0.0,2.5]}],"levels":[0.1,0.9],"total":{"mean":3.0,"standard_deviation":1.5,"quantiles":[1.0,6.0]},"history":{"first_date":"2026-01-01","last_date":"2026-01-29","days":29,"sale_days":20,"out_of_stock_days":0,"closed_days":2,"units":58.0,"returned_units":0.0,"silent_days":3},"backtest_wape":0.25,"backtest_origins":4,"reasons":[{"kind":"weak_evidence","field":"history","message":"Only 29 days."}],"token":"t"}"#
    );
    let text = answer.text();
    for words in [
        "80 % of the time between 1 and 6 units",
        "theta",
        "Fri",
        "2 days left out",
        "Only 29 days.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(answer.row().len(), ForecastAnswer::HEADERS.len());
}

#[test]
fn a_forecast_of_one_quantile_or_none_is_shown_too() {
    for levels in [vec![], vec![0.5]] {
        let mut forecast = forecast();
        for day in &mut forecast.days {
            day.quantiles.truncate(levels.len());
        }
        forecast.levels = levels;
        let answer = ForecastAnswer::new(forecast);
        assert!(answer.text().contains("2026-01-31"));
        assert_eq!(answer.row().len(), ForecastAnswer::HEADERS.len());
    }
}

#[test]
fn prices_have_a_stable_shape() {
    let answer = PriceAnswer::new(price());
    assert_eq!(
        json(&answer),
        r#"{"item_id":"i","version":"v1","proposal":{"price":"1.19","change":0.19,"unconstrained_price":"1.50","expected":{"price":"1.19","units":2.5,"revenue":"3.00","profit":"1.50","low":"1.00","high":"2.00"},"current":{"price":"1.00","units":3.0,"revenue":"3.00","profit":"1.20","low":"0.70","high":"1.70"}},"current_price":"1.00","unit_cost":"0.60","currency":"USD","objective":"profit","demand_form":"constant-elasticity","elasticity":{"elasticity":-1.5,"standard_error":0.25,"basis":"item","item_elasticity":-1.75,"item_standard_error":0.5,"item_weight":0.75,"group_path":["A","B"],"group_elasticity":-1.25,"group_deviation":0.5,"method":"log-log","weeks":20,"zero_weeks":1,"lowest_price":"0.80","highest_price":"1.20","promotion_factor":1.0},"curve":[{"price":"1.00","units":3.0,"revenue":"3.00","profit":"1.20","low":"0.70","high":"1.70"},{"price":"1.10","units":2.75,"revenue":"3.00","profit":"1.40","low":"0.90","high":"1.90"},{"price":"1.19","units":2.5,"revenue":"3.00","profit":"1.50","low":"1.00","high":"2.00"}],"rule":{"largest_change":0.2,"price_endings":[9]},"reasons":[{"kind":"rule_binding","field":"price_rule.largest_change","message":"It binds."}],"forecast":null,"token":"t"}"#
    );
    let text = answer.text();
    for words in
        ["in place of 1.00 (+19.0 %)", "◄ proposed", "◄ current", "It binds.", "ending in 09"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // However few rows: both ends, and both marks.
    let short = answer.curve_table(1);
    assert!(short.contains("current") && short.contains("proposed"), "{short}");
    assert!(!short.contains("1.10"), "{short}");
    assert_eq!(answer.row().len(), PriceAnswer::HEADERS.len());
}

#[test]
fn a_declined_price_says_why() {
    let notes = vec![
        note(Kind::DefaultUsed, "largest_change", "The default."),
        note(Kind::Declined, "unit_cost", "No cost is known."),
    ];
    let declined =
        PriceResponse { proposal: None, curve: Vec::new(), unit_cost: None, notes, ..price() };
    let answer = PriceAnswer::new(declined);
    assert!(answer.text().contains("no proposal; the current price is 1.00 USD"));
    assert_eq!(answer.row().last().map(String::as_str), Some("No cost is known."));
}

#[test]
fn policies_have_a_stable_shape() {
    let answer = PolicyAnswer::new(policy());
    assert_eq!(
        json(&answer),
        r#"{"item_id":"i","location_id":"*","version":"v1","policy":{"lead_time_demand":null,"safety_stock":4.0,"reorder_point":14.0,"order_up_to":30.0,"economic_order_quantity":16.0,"order_quantity":18.0,"unrounded_order_quantity":17.5,"order_value":"10.80","days_of_cover":6.25,"stock_out_date":"2026-01-31","expected_cycle_service":0.95,"expected_fill_rate":0.99,"undershoot":0.0},"stock":{"on_hand":12.5,"on_order":0.0,"backordered":0.0,"position":12.5},"terms":{"lead_time_days":5.0,"lead_time_deviation_days":null,"review_period_days":null,"order_cost":null,"holding_rate":null,"minimum_order_quantity":null,"pack_size":null,"maximum_cover_days":null,"cycle_service":0.95},"supplier_id":"s","reasons":[{"kind":"default_used","field":"supply.pack_size","message":"No pack size: 1."}],"token":"t"}"#
    );
    let text = answer.text();
    for words in
        ["order 18 units now, worth 10.80 USD", "2026-01-31", "cycle service 95 %", "No pack"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(answer.row().len(), PolicyAnswer::HEADERS.len());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.csv");
    let mut sheet = Sheet::create(&path, &PolicyAnswer::COLUMNS).expect("created");
    let hostile = PolicyAnswer::new(PolicyResponse { item_id: "=1+1".into(), ..policy() });
    hostile.write(&mut sheet).expect("written");
    sheet.finish().expect("complete");
    let written = std::fs::read_to_string(&path).expect("read");
    let row = "'=1+1,*,s,18,10.80,12.5,0,0,4,14,30,16,6.25,2026-01-31,,v1\n";
    assert_eq!(written.split_once('\n'), Some((PolicyAnswer::COLUMNS.join(",").as_str(), row)));
}

#[test]
fn elasticities_have_a_stable_shape() {
    let response = ElasticityResponse {
        item_id: "i".into(),
        version: "v1".into(),
        elasticity: price().elasticity,
        ..ElasticityResponse::default()
    };
    let answer = ElasticityAnswer::new(response);
    let shape =
        r#"{"item_id":"i","version":"v1","elasticity":-1.5,"standard_error":0.25,"basis":"item""#;
    assert!(json(&answer).starts_with(shape), "{}", json(&answer));
    let text = answer.text();
    for words in ["-1.50 ± 0.25", "weigh 75 %", "A > B", "from 0.80 to 1.20"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// The places of some words in a text, ascending.
fn assert_in_order(text: &str, words: &[&str]) {
    let places: Vec<Option<usize>> = words.iter().map(|words| text.find(words)).collect();
    assert!(places.iter().all(Option::is_some), "{words:?} at {places:?}\n{text}");
    assert!(places.is_sorted(), "{words:?} at {places:?}\n{text}");
}

#[test]
fn screens_say_what_to_do_then_why_then_the_details_then_what_was_assumed() {
    let missing = note(Kind::DataIgnored, "supply.supplier_id", "Supplier s is unknown.");
    let bound = note(Kind::RuleBinding, "supply.pack_size", "Packs of 6.");
    let assumed = policy().notes.remove(0);
    let notes = vec![missing.clone(), bound, assumed];
    let order = PolicyAnswer::new(PolicyResponse { notes, ..policy() }).text();
    let words = [
        "item i, all locations\norder 18 units now, worth 10.80 USD\n\nwhy\n",
        "Packs of 6.",
        "\n\ndetails\n",
        "12.5 on hand + 0 on order - 0 backordered = 12.5 units",
        "order at 14 units or below",
        "version",
        "\n\nassumed or missing\n",
        "left out  Supplier s is unknown.",
        "assumed   No pack size: 1.",
    ];
    assert_in_order(&order, &words);

    let notes = vec![missing, price().notes.remove(0)];
    let charge = PriceAnswer::new(PriceResponse { notes, ..price() }).text();
    let words = [
        "item i\ncharge 1.19 USD in place of 1.00 (+19.0 %); without rules it would be 1.50 USD",
        "\n\nwhy\n",
        "It binds.",
        "\n\ndetails\n",
        "profit 1.50 USD (80 % between 1.00 and 2.00) with 2.50 units",
        "unit cost   0.60 USD",
        "◄ proposed",
        "\n\nassumed or missing\n",
    ];
    assert_in_order(&charge, &words);

    let expected = ForecastAnswer::new(forecast()).text();
    let words = [
        "item i, all locations\nexpect 3 units in 2 days from 2026-01-30, 80 % of the time",
        "\n\nwhy\n",
        "Only 29 days.",
        "\n\ndetails\n",
        "history",
        "2026-01-31",
    ];
    assert_in_order(&expected, &words);
    assert!(!expected.contains("assumed or missing"), "{expected}");
}

#[test]
fn tables_of_orders_fit_a_terminal_of_80_columns() {
    let mut answer = policy();
    answer.item_id = "10821850123456".into();
    answer.notes[0].message = "Not set, so the configured value is used: lead_time_days 7, \
        review_period_days 7, order_cost 20.00 USD, holding_rate 0.25."
        .into();
    let rows = || [PolicyAnswer::new(answer.clone()).row()];
    let whole = output::Table::new(PolicyAnswer::HEADERS, rows()).to_string();
    assert!(whole.lines().all(|line| line.chars().count() > 80), "{whole}");
    let shown = output::screen::at(80, || {
        let table = output::Table::new(PolicyAnswer::HEADERS, rows());
        table.dropping(PolicyAnswer::DROPPING).to_string()
    });
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert_in_order(&shown, &["10821850123456", "18", "Not set"]);
}
