//! What a price answer expects is what forecasts and plans expect.

use mercer_proto::v1::{ForecastRequest, PlannedPrice};

use super::*;
use crate::domain::demand::forecast;

#[test]
fn the_forecast_is_the_one_at_the_proposed_price() {
    let world = World::new();
    let forms = [DemandForm::ConstantElasticity, DemandForm::Linear, DemandForm::SemiLog];
    for form in forms {
        for horizon in [1, 28, 365] {
            let mut request = PriceRequest { horizon, ..Default::default() };
            request.set_demand_form(form);
            let response = world.ask(request);
            let total = response.forecast.as_ref().and_then(|forecast| forecast.total.clone());
            let units = response.proposal.as_ref().and_then(|proposal| proposal.expected.clone());
            let (total, units) = (total.expect("a total").mean, units.expect("a point").units);
            assert!((total - units).abs() < 1e-9 * units, "{form:?}: {total} and {units}");
            assert_ne!(proposed(&response), 10_000_000);
        }
    }
}

#[test]
fn a_plan_of_a_price_expects_what_the_price_answer_does() {
    let mut world = World::new();
    let offer =
        |micros, promoted_share| internal::RecentOffer { price_micros: micros, promoted_share };
    let offers = vec![offer(10_000_000, 0.0), offer(9_000_000, 0.5), offer(10_500_000, 0.0)];
    for (form, recent) in [
        (DemandForm::ConstantElasticity, vec![]),
        (DemandForm::Linear, vec![]),
        (DemandForm::SemiLog, vec![]),
        (DemandForm::ConstantElasticity, offers.clone()),
        (DemandForm::Linear, offers.clone()),
        (DemandForm::SemiLog, offers),
    ] {
        world.defaults.set_demand_form(form);
        world.demand.as_mut().expect("trained").recent_offers = recent.clone();
        for price in [8.0, 9.5, 12.0] {
            let fixed = PriceRule {
                floor: Some(usd(price)),
                ceiling: Some(usd(price)),
                ..Default::default()
            };
            let response = world.with_rule(fixed);
            assert_eq!(proposed(&response), (price * 1e6) as i64);
            let at_price = response.forecast.expect("a forecast");
            let plan = PlannedPrice {
                start_date: at_price.days[0].date,
                end_date: at_price.days[27].date,
                price: Some(usd(price)),
                promotion: false,
            };
            let planned = ForecastRequest {
                item_id: "sku".into(),
                horizon: 28,
                plan: vec![plan],
                ..Default::default()
            };
            let planned = world.with(|facts| forecast(&facts, &planned)).expect("an answer");
            assert_eq!(planned.levels, at_price.levels);
            let close = |planned: f64, found: f64| {
                let near = (planned - found).abs() <= 1e-9 * planned.abs();
                assert!(near, "{form:?} at {price}: {planned} and {found}");
            };
            for (planned, found) in planned.days.iter().zip(&at_price.days) {
                close(planned.mean, found.mean);
                planned.quantiles.iter().zip(&found.quantiles).for_each(|(a, b)| close(*a, *b));
            }
            let (planned, found) = (planned.total.expect("said"), at_price.total.expect("said"));
            close(planned.mean, found.mean);
            close(planned.standard_deviation, found.standard_deviation);
            planned.quantiles.iter().zip(&found.quantiles).for_each(|(a, b)| close(*a, *b));
            if recent.is_empty() && form == DemandForm::Linear && price == 12.0 {
                // 20 % more at an elasticity of -2.
                close(planned.mean, 0.6 * 280.0);
            }
        }
    }
}

#[test]
fn demand_at_a_price_is_compared_with_recent_offers() {
    let mut world = World::new();
    // One week at the list price, one at half of it with all units promoted: demand was 1 and
    // (1/2)^-2 x 1.2 = 4.8 times that at the list price, on average 2.9 times.
    let offer =
        |micros, promoted_share| internal::RecentOffer { price_micros: micros, promoted_share };
    world.demand.as_mut().expect("trained").recent_offers =
        vec![offer(10_000_000, 0.0), offer(5_000_000, 1.0)];
    let response = world.ask(PriceRequest::default());
    let proposal = response.proposal.expect("a proposal");
    let units = proposal.current.expect("a point").units;
    assert!((units - 280.0 / 2.9).abs() < 1e-4, "{units}");
    let notes: Vec<&str> = response
        .notes
        .iter()
        .filter(|note| note.field == "current_price")
        .map(|note| &*note.message)
        .collect();
    assert_eq!(
        notes,
        ["At the current price of 10.00 and without a promotion 96.55 units are expected; the \
          usual 280 stand on the offers of recent weeks, at 5.00 to 10.00."]
    );

    // A plan goes by the same: the recent offers one after the other give the usual demand, and
    // a promotion at unchanged prices is compared with the promotions there were.
    let days = response.forecast.expect("a forecast").days;
    let plan = |day: usize, price, promotion| PlannedPrice {
        start_date: days[day].date,
        end_date: days[day].date,
        price,
        promotion,
    };
    let plan =
        vec![plan(0, Some(usd(10.0)), false), plan(1, Some(usd(5.0)), true), plan(2, None, true)];
    let request = ForecastRequest { item_id: "sku".into(), horizon: 3, plan, ..Default::default() };
    let planned = world.with(|facts| forecast(&facts, &request)).expect("an answer");
    let expected = [10.0 / 2.9, 10.0 * 4.8 / 2.9, 10.0 * 1.2 / 1.1];
    for (day, expected) in planned.days.iter().zip(expected) {
        assert!((day.mean - expected).abs() < 1e-5, "{} and {expected}", day.mean);
    }
}

#[test]
fn what_may_come_where_nothing_is_expected_answers_to_offers_too() {
    let mut world = World::new();
    let demand = world.demand.as_mut().expect("trained");
    demand.series[0].path = vec![0.0; 28];
    demand.series[0].spread = Some(Spread::Errors(internal::ErrorTable {
        horizons: vec![1, 28],
        levels: vec![0.1, 0.5, 0.9],
        step: vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        sum: vec![0.0, 0.0, 1.0, 0.0, 0.0, 9.0],
        step_deviation: vec![1.0, 1.0],
        sum_deviation: vec![1.0, 5.0],
    }));
    demand.recent_offers =
        vec![internal::RecentOffer { price_micros: 9_000_000, promoted_share: 0.0 }];
    let total = world.ask(PriceRequest::default()).forecast.expect("said").total.expect("said");
    // Recent offers were 10 % below the current price: demand there is .81 of the usual.
    let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
    assert!(total.mean == 0.0 && near(total.quantiles[2], 9.0 * 0.81), "{total:?}");
    assert!(near(total.standard_deviation, 5.0 * 0.81), "{total:?}");
}
