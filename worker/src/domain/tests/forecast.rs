use mercer_proto::{
    internal::{CategoryProfile, ErrorTable, SilentDays, WildDay},
    v1::{ForecastRequest, ForecastResponse},
};

use super::*;
use crate::domain::{DecideError, demand::forecast};

fn ask(world: &World, request: &ForecastRequest) -> Result<ForecastResponse, DecideError> {
    world.with(|facts| forecast(facts, request))
}

fn at(location: &str) -> ForecastRequest {
    ForecastRequest { location_id: location.into(), horizon: 28, ..Default::default() }
}

#[test]
fn days_follow_the_newest_event_and_add_up() {
    let answer = ask(&World::new(), &at("")).expect("answers");
    assert_eq!((answer.location_id.as_str(), answer.version.as_str()), ("*", "v1"));
    assert_eq!((answer.source(), answer.method.as_str()), (ForecastSource::OwnHistory, "ses"));
    assert_eq!(answer.days.len(), 28);
    assert_eq!(answer.days[0].date, day(2024, 3, 2));
    assert_eq!(answer.days[27].date, day(2024, 3, 29));
    assert!(answer.days.iter().all(|day| day.mean == 2.0 && day.quantiles == [0.0, 2.0, 4.0]));
    assert_eq!(answer.levels, [0.1, 0.5, 0.9]);
    let total = answer.total.expect("a total");
    // Poisson of mean 56: quantiles of a sum are not sums of quantiles.
    assert_eq!((total.mean, total.quantiles), (56.0, vec![47.0, 56.0, 66.0]));
    assert!((total.standard_deviation - 56.0_f64.sqrt()).abs() < 1e-12);
    let history = answer.history.expect("a history");
    assert_eq!((history.days, history.sale_days, history.units), (100, 80, 200.0));
    assert_eq!(answer.notes, []);
}

#[test]
fn locations_have_their_own_forecast_a_share_or_none() {
    let world = World::new();
    let own = ask(&world, &at("north")).expect("answers");
    assert_eq!((own.source(), own.days[0].mean), (ForecastSource::OwnHistory, 1.5));
    let share = ask(&world, &at("south")).expect("answers");
    assert_eq!((share.source(), share.days[0].mean), (ForecastSource::LocationShare, 0.5));
    assert_eq!(share.history, None);
    assert_eq!(
        said(&share.notes, Kind::Explanation, "location_id"),
        ["`south` sells too little for a forecast of its own: it has 25 % of the item's."]
    );
    let error = ask(&world, &at("west")).expect_err("unknown");
    assert_eq!(error.to_string().matches("`west`").count(), 1, "{error}");
    assert!(matches!(error, DecideError::UnknownLocation { .. }));
    // Catalogued or with stock: known, and nothing has been sold there.
    let mut world = world;
    world.item.stock.push(stock("west", 1.0, 0.0, 0.0));
    let nothing = ask(&world, &at("west")).expect("answers");
    assert_eq!((nothing.source(), nothing.days[0].mean), (ForecastSource::LocationShare, 0.0));
    assert_eq!(said(&nothing.notes, Kind::WeakEvidence, "location_id").len(), 1);
}

#[test]
fn an_item_whose_sums_have_ended_says_so() {
    let mut world = World::new();
    let notes = |world: &World| {
        let answer = ask(world, &at("*")).expect("answers");
        said(&answer.notes, Kind::DataIgnored, "history").len()
    };
    (world.item.units_micros, world.item.revenue_micros) = (i64::MAX - 1, i64::MAX - 1);
    assert_eq!(notes(&world), 0);
    world.item.revenue_micros = i64::MAX;
    assert_eq!(notes(&world), 1);
    (world.item.units_micros, world.item.revenue_micros) = (i64::MAX, 0);
    assert_eq!(notes(&world), 1);
}

#[test]
fn an_item_that_the_training_did_not_know_borrows_from_its_category() {
    let mut world = World::new();
    world.demand = None;
    let nothing = ask(&world, &at("*")).expect("answers");
    assert_eq!(nothing.source(), ForecastSource::NoHistory);
    assert_eq!(nothing.total.expect("a total").mean, 0.0);
    assert_eq!(said(&nothing.notes, Kind::WeakEvidence, "history").len(), 1);

    // 40 items that sell 0.5 a day, twice as much on Mondays as on other days.
    world.profiles.categories = vec![CategoryProfile {
        items: 40,
        weekday_units_micros: [2, 1, 1, 1, 1, 1, 1].map(|units| units * 1_000_000_000).to_vec(),
        weekday_days: vec![2_285; 7],
        mean_sum: 20.0,
        mean_square_sum: 12.0,
        ..CategoryProfile::default()
    }];
    let profile = ask(&world, &at("*")).expect("answers");
    assert_eq!(profile.source(), ForecastSource::CategoryProfile);
    let mean = |index: usize| profile.days[index].mean;
    // 2024-03-04 is a Monday.
    assert!((mean(2) / mean(1) - 2.0).abs() < 0.02, "{:?}", profile.days);
    assert!((0..7).map(mean).sum::<f64>() - 3.5 < 1e-3);
    assert!((mean(7) - mean(0)).abs() < 1e-6, "weeks repeat");
}

#[test]
fn a_plan_changes_its_own_days() {
    let world = World::new();
    let entry = |start: i32, end: i32, price: Option<f64>, promotion| PlannedPrice {
        start_date: day(2024, 3, start),
        end_date: day(2024, 3, end),
        price: price.map(usd),
        promotion,
    };
    let plan = vec![
        // From 6.00 with elasticity -2: (2/3)^-2.
        entry(1, 4, Some(4.0), false),
        // Later entries win; promoted at the present price.
        entry(4, 5, None, true),
        entry(31, 31, Some(3.0), false),
    ];
    let request = ForecastRequest { plan, horizon: 14, ..at("*") };
    let answer = ask(&world, &request).expect("answers");
    let means: Vec<f64> = answer.days.iter().take(5).map(|day| day.mean).collect();
    for (found, expected) in means.iter().zip([4.5, 4.5, 3.0, 3.0, 2.0]) {
        assert!((found - expected).abs() < 1e-6, "{means:?}");
    }
    assert!((answer.total.as_ref().expect("a total").mean - 35.0).abs() < 1e-5);
    assert_eq!(
        said(&answer.notes, Kind::Explanation, "plan"),
        ["The plan changes 4 days, on average to 187.5 % of usual demand: elasticity -2.00 from \
          6.00 USD, promotions times 1.50."]
    );
    assert_eq!(
        said(&answer.notes, Kind::DataIgnored, "plan"),
        ["2 days of the plan lie outside 2024-03-02 to 2024-03-15 and change nothing."]
    );

    // Far from anything that was tried the effect is cut.
    let request = ForecastRequest { plan: vec![entry(2, 3, Some(0.5), true)], ..at("*") };
    let answer = ask(&world, &request).expect("answers");
    assert!((answer.days[0].mean - 20.0).abs() < 1e-9, "{:?}", answer.days[0]);
    assert_eq!(said(&answer.notes, Kind::WeakEvidence, "plan").len(), 1);

    let without = World { elasticity: None, ..world };
    let answer = ask(&without, &request).expect("answers");
    assert_eq!(answer.days[0].mean, 2.0);
    assert_eq!(said(&answer.notes, Kind::DataIgnored, "plan").len(), 1);
}

#[test]
fn errors_of_the_backtest_spread_the_forecast() {
    let mut world = World::new();
    let errors = ErrorTable {
        horizons: vec![1, 7, 28],
        levels: vec![0.1, 0.5, 0.9],
        step: [[-1.0, 0.0, 2.0]; 3].concat(),
        sum: [[-1.0, 0.0, 2.0], [-5.0, 0.0, 7.0], [-14.0, 0.0, 20.0]].concat(),
        step_deviation: vec![1.0; 3],
        sum_deviation: vec![1.0, 4.0, 12.0],
    };
    let demand = world.demand.as_mut().expect("trained");
    demand.series[0].spread = Some(Spread::Errors(errors));
    let answer = ask(&world, &at("*")).expect("answers");
    let total = answer.total.expect("a total").quantiles;
    for (found, expected) in
        [(&answer.days[0].quantiles, [1.0, 2.0, 4.0]), (&total, [42.0, 56.0, 76.0])]
    {
        assert!(
            found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5)
        );
    }
}

#[test]
fn a_forecast_says_where_it_starts_and_which_days_are_missing() {
    let mut world = World::new();
    let silent = |location_id: &str, first_day, last_day| SilentDays {
        location_id: location_id.into(),
        first_day,
        last_day,
    };
    world.profiles.newest_event_day = world.profiles.as_of_day + 100;
    // Before the history, two within it, and a holiday; the latest at `north` alone.
    world.profiles.silent = vec![
        silent("*", 11_000, 11_100),
        silent("*", 12_010, 12_023),
        silent("*", 12_050, 12_079),
        silent("*", 12_090, 12_090),
        silent("north", 12_060, 12_099),
    ];
    let answer = ask(&world, &at("*")).expect("answers");
    assert_eq!(
        said(&answer.notes, Kind::Explanation, "start"),
        ["The forecast starts on 2024-03-02, the day after the shop's newest purchase or return. \
          Newer events, until 2024-06-09, are no sales and do not move it."]
    );
    assert_eq!(
        said(&answer.notes, Kind::DataIgnored, "history"),
        ["Nothing was sold in the whole shop from 2022-12-29 to 2023-01-27 (30 days), and on 14 \
          days before, for longer than usual: these days count as missing data, not as days without \
          demand."]
    );
    let north = ask(&world, &at("north")).expect("answers");
    let north = said(&north.notes, Kind::DataIgnored, "history");
    assert!(north[0].starts_with("Nothing was sold at `north` from 2023-01-08"), "{north:?}");
    world.profiles.newest_event_day = world.profiles.as_of_day;
    let answer = ask(&world, &at("*")).expect("answers");
    let start = said(&answer.notes, Kind::Explanation, "start");
    assert!(start[0].ends_with("newest purchase or return."), "{start:?}");
}

#[test]
fn a_day_far_above_all_others_is_named() {
    let mut world = World::new();
    let wild = |day, units, counted_units| WildDay { day, units, usual_units: 3.0, counted_units };
    // 0 is of before there was a limit.
    for (counted, told) in [(40.0, "40"), (5_000.0, "all"), (0.0, "all")] {
        let demand = world.demand.as_mut().expect("trained");
        let days = vec![wild(12_040, 5_000.0, counted), wild(12_050, 40.0, 40.0)];
        demand.series[0].wild_days = days;
        let answer = ask(&world, &at("*")).expect("answers");
        let expected = format!(
            "5000 units were sold on 2022-12-19 (and 1 more such days), where nine of ten days with \
             a sale have at most 3: check whether that is a slip. The item's forecast counts {told} \
             of them, and other items of its category do not follow it."
        );
        assert_eq!(said(&answer.notes, Kind::WeakEvidence, "history"), [expected]);
    }
    let north = ask(&world, &at("north")).expect("answers");
    assert_eq!(said(&north.notes, Kind::WeakEvidence, "history"), [""; 0]);
}
