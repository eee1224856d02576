mod outlook;
mod random;

use std::sync::Arc;

use jiff::tz::TimeZone;
use mercer_common::money::{from_micros, to_micros};
use mercer_proto::{
    google::r#type::Money,
    internal::{
        self, DecisionDefaults, DemandProfiles, DemandResult, ElasticityPriors, ElasticityResult,
        GroupPrior, SeriesForecast, SetCategoryPriceRule, series_forecast::Spread,
    },
    v1::{CompetitorReference, DemandForm, ItemStatus, PricePoint, PriceRule},
};

use super::*;
use crate::{
    domain::facts::{Defaults, Demand, Elasticity},
    serve::NotTrained,
    shard::{self, CompetitorEntry, Directory, ItemState},
};

fn usd(amount: f64) -> Money {
    from_micros((amount * 1e6).round() as i64, "USD")
}

fn micros(amount: &Option<Money>) -> i64 {
    to_micros(amount.as_ref().expect("an amount"), "USD").expect("dollars")
}

/// An item at 10.00 that costs 6.00 and sells 10 a day with elasticity -2: the optimum is 12.00.
struct World {
    item: ItemState,
    directory: Directory,
    defaults: DecisionDefaults,
    demand: Option<DemandResult>,
    profiles: DemandProfiles,
    elasticity: Option<ElasticityResult>,
    priors: ElasticityPriors,
}

fn plain(rule: &PriceRule) -> shard::PriceRule {
    shard::PriceRule::decode(rule).expect("amounts")
}

impl World {
    fn new() -> Self {
        let mut item = ItemState::stub("sku".into(), &mut Default::default());
        item.status = ItemStatus::Active;
        item.list_price_micros = Some(10_000_000);
        item.unit_cost_micros = Some(6_000_000);
        item.category_path = ["drinks", "juice"].map(Arc::from).into();
        let everywhere = SeriesForecast {
            location_id: "*".into(),
            method: "theta".into(),
            path: vec![10.0; 28],
            repeat: 7,
            spread: Some(Spread::VarianceRatio(2.0)),
            ..Default::default()
        };
        let catalogue = GroupPrior {
            items: 9,
            elasticity: -1.8,
            deviation: 0.5,
            promotion_effect: 0.2,
            promotion_deviation: 0.5,
            mean_error: 0.1,
            ..Default::default()
        };
        let juice = GroupPrior {
            path: vec!["drinks".into(), "juice".into()],
            elasticity: -2.5,
            ..catalogue.clone()
        };
        Self {
            item,
            directory: Directory::new(TimeZone::UTC),
            defaults: DecisionDefaults {
                price_rule: Some(PriceRule { largest_change: Some(0.5), ..Default::default() }),
                demand_form: DemandForm::ConstantElasticity.into(),
                price_extrapolation: 0.1,
                competitor_max_age_days: 30.0,
                ..Default::default()
            },
            demand: Some(DemandResult {
                item_id: "sku".into(),
                series: vec![everywhere],
                ..Default::default()
            }),
            profiles: DemandProfiles { as_of_day: 9_900, last_day: 9_898, ..Default::default() },
            elasticity: Some(ElasticityResult {
                item_id: "sku".into(),
                elasticity: -2.0,
                standard_error: 0.3,
                item_elasticity: Some(-1.9),
                item_standard_error: Some(0.3),
                item_weight: 0.8,
                method: "log-log".into(),
                weeks: 60,
                lowest_price_micros: 8_000_000,
                highest_price_micros: 14_000_000,
                promotion_factor: 1.2,
                ..Default::default()
            }),
            priors: ElasticityPriors { groups: vec![catalogue, juice] },
        }
    }

    fn with<R>(&self, ask: impl FnOnce(Facts<'_>) -> R) -> R {
        let defaults = Defaults::decode(&self.defaults).expect("amounts");
        ask(Facts {
            item: &self.item,
            directory: &self.directory,
            defaults: &defaults,
            currency: "USD",
            version: "v1",
            demand: Some(Demand::decode((self.demand.clone(), &self.profiles))),
            elasticity: Some(Elasticity::decode((self.elasticity.clone(), &self.priors))),
        })
    }

    fn ask(&self, request: PriceRequest) -> PriceResponse {
        let request = PriceRequest { item_id: "sku".into(), ..request };
        self.with(|facts| price(&facts, &request)).expect("an answer")
    }

    fn with_rule(&self, rule: PriceRule) -> PriceResponse {
        self.ask(PriceRequest { rule: Some(rule), ..Default::default() })
    }

    fn elasticity(&mut self) -> &mut ElasticityResult {
        self.elasticity.as_mut().expect("it has one")
    }
}

fn proposed(response: &PriceResponse) -> i64 {
    micros(&response.proposal.as_ref().expect("a proposal").price)
}

#[track_caller]
fn message(response: &PriceResponse, kind: Kind, field: &str) -> String {
    let found = response.notes.iter().find(|note| note.kind() == kind && note.field == field);
    found.unwrap_or_else(|| panic!("no such note in {:#?}", response.notes)).message.clone()
}

#[track_caller]
fn declined(response: &PriceResponse, field: &str) -> String {
    assert_eq!((response.proposal.as_ref(), response.curve.len()), (None, 0));
    assert!(response.forecast.is_some(), "that at the current price");
    message(response, Kind::Declined, field)
}

#[test]
fn proposes_the_optimum_with_curve_and_forecast() {
    let world = World::new();
    let response = world.ask(PriceRequest::default());
    let proposal = response.proposal.clone().expect("a proposal");
    assert_eq!(micros(&proposal.price), 12_000_000);
    assert_eq!(micros(&proposal.unconstrained_price), 12_000_000);
    assert!((proposal.change - 0.2).abs() < 1e-12);
    let expected = proposal.expected.expect("a point");
    // 280 units in 28 days, times 1.2^-2.
    assert!((expected.units - 280.0 / 1.44).abs() < 1e-9);
    assert_eq!(micros(&expected.profit), (280e6 / 1.44 * 6.0_f64).round() as i64);
    assert_eq!(micros(&proposal.current.expect("a point").profit), 1_120_000_000);

    let prices: Vec<i64> = response.curve.iter().map(|point| micros(&point.price)).collect();
    assert_eq!(prices.len(), 21);
    assert!(prices.is_sorted_by(|low, high| low < high));
    // Largest change 50 %, and 10 % beyond 8.00 to 14.00.
    assert_eq!((prices[0], prices[20]), (7_200_000, 15_000_000));
    assert!(prices.contains(&10_000_000) && prices.contains(&12_000_000));
    let best = response.curve.iter().map(|point| micros(&point.profit)).max();
    assert_eq!(best, Some(micros(&expected.profit)));
}

#[test]
fn intervals_come_from_demand_and_elasticity() {
    let mut world = World::new();
    let width = |point: &PricePoint| micros(&point.high) - micros(&point.low);
    let point = |world: &World| {
        let proposal = world.ask(PriceRequest::default()).proposal.expect("a proposal");
        let (at, now) = (proposal.expected.expect("a point"), proposal.current.expect("a point"));
        for point in [&at, &now] {
            let (low, profit, high) =
                (micros(&point.low), micros(&point.profit), micros(&point.high));
            assert!(low < profit && profit < high, "{low} {profit} {high}");
        }
        (at, now)
    };
    let (uncertain, now) = point(&world);
    // At the current price elasticity plays no part: these are demand's own quantiles.
    let usual = world.ask(PriceRequest::default()).forecast.expect("a forecast");
    let total = usual.total.expect("a total");
    let factor = 1.44;
    let expected = [total.quantiles[0], total.quantiles[2]].map(|units| units * factor * 4.0);
    let found = [micros(&now.low), micros(&now.high)].map(|micros| micros as f64 / 1e6);
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4 * expected, "{found} {expected}");
    }
    world.elasticity().standard_error = 0.01;
    let (certain, same) = point(&world);
    assert_eq!(same, now);
    assert!(width(&uncertain) > width(&certain));
}

#[test]
fn rules_bind_and_give_way_with_reasons() {
    let world = World::new();
    let endings = PriceRule { price_endings: vec![99, 49], ..Default::default() };
    let response = world.with_rule(endings);
    assert_eq!(proposed(&response), 11_990_000);
    let reason = message(&response, Kind::RuleBinding, "price_rule.price_endings");
    assert_eq!(reason, "Price endings 99, 49: 11.99 instead of 12.00.");

    let change = PriceRule { largest_change: Some(0.1), ..Default::default() };
    let response = world.with_rule(change);
    assert_eq!(proposed(&response), 11_000_000);
    let reason = message(&response, Kind::RuleBinding, "price_rule.largest_change");
    assert!(reason.contains("10 %") && reason.contains("12.00"), "{reason}");

    let margin = PriceRule { margin_floor: Some(0.52), ..Default::default() };
    let response = world.with_rule(margin);
    assert_eq!(proposed(&response), 12_500_000);
    message(&response, Kind::RuleBinding, "price_rule.margin_floor");

    let both = PriceRule { floor: Some(usd(13.0)), ceiling: Some(usd(12.0)), ..Default::default() };
    let reason = declined(&world.with_rule(both), "price_rule.ceiling");
    assert!(reason.contains("floor of 13.00") && reason.contains("ceiling of 12.00"), "{reason}");
    let both =
        PriceRule { margin_floor: Some(0.5), ceiling: Some(usd(11.0)), ..Default::default() };
    let reason = declined(&world.with_rule(both), "price_rule.margin_floor");
    assert!(reason.contains("50 %") && reason.contains("11.00"), "{reason}");
}

#[test]
fn the_narrowest_rule_that_sets_a_field_decides_it() {
    let mut world = World::new();
    let rule = |floor: Option<f64>, ceiling: Option<f64>, margin: Option<f64>| PriceRule {
        floor: floor.map(usd),
        ceiling: ceiling.map(usd),
        margin_floor: margin,
        ..Default::default()
    };
    let scoped = |path: &[&str], rule: PriceRule| SetCategoryPriceRule {
        category_path: path.iter().map(ToString::to_string).collect(),
        rule: Some(rule),
    };
    let stored = internal::Directory {
        price_rules: vec![
            scoped(&[], rule(Some(1.0), Some(40.0), Some(0.1))),
            scoped(&["drinks"], rule(Some(2.0), Some(30.0), None)),
            scoped(&["drinks", "juice"], rule(Some(3.0), None, None)),
            scoped(&["drinks", "wine"], rule(Some(9.0), Some(9.5), Some(0.9))),
        ],
        ..Default::default()
    };
    world.directory = Directory::decode(stored, TimeZone::UTC).expect("amounts");
    world.item.price_rule = Some(Box::new(plain(&rule(Some(4.0), None, None))));
    let response = world.with_rule(rule(Some(5.0), None, None));
    let merged = response.rule.expect("a rule");
    assert_eq!(micros(&merged.floor), 5_000_000, "the request's");
    assert_eq!(micros(&merged.ceiling), 30_000_000, "the category's");
    assert_eq!((merged.margin_floor, merged.largest_change), (Some(0.1), Some(0.5)));
}

#[test]
fn stale_competitors_do_not_count() {
    let mut world = World::new();
    let day = 86_400_000;
    let entry = |competitor: &str, price_micros: i64, days: i64| CompetitorEntry {
        competitor: competitor.into(),
        price_micros,
        as_of_ms: days * day,
    };
    world.item.competitor_prices =
        vec![entry("a", 9_000_000, 100), entry("b", 10_000_000, 71), entry("c", 1_000_000, 69)];
    let mut rule = PriceRule { competitor_index_ceiling: Some(1.0), ..Default::default() };
    let response = world.with_rule(rule.clone());
    assert_eq!(proposed(&response), 9_500_000);
    message(&response, Kind::RuleBinding, "price_rule.competitor_index_ceiling");
    let reason = message(&response, Kind::DataIgnored, "competitor_prices");
    assert!(reason.starts_with("1 of 3"), "{reason}");
    rule.set_competitor_reference(CompetitorReference::Lowest);
    assert_eq!(proposed(&world.with_rule(rule.clone())), 9_000_000);
    rule.set_competitor_reference(CompetitorReference::Highest);
    assert_eq!(proposed(&world.with_rule(rule.clone())), 10_000_000);
    world.item.competitor_prices.clear();
    let response = world.with_rule(rule);
    assert_eq!(proposed(&response), 12_000_000);
    message(&response, Kind::DataIgnored, "price_rule.competitor_index");
}

/// Declines name the datum; everything else is still answered.
#[test]
fn what_is_missing_is_named() {
    for status in [ItemStatus::Unlisted, ItemStatus::Inactive, ItemStatus::Deleted] {
        let mut world = World::new();
        world.item.status = status;
        declined(&world.ask(PriceRequest::default()), "status");
    }
    let mut world = World::new();
    world.item.unit_cost_micros = None;
    declined(&world.ask(PriceRequest::default()), "unit_cost");
    world.item.unit_cost_micros = Some(-1);
    let response = world.ask(PriceRequest::default());
    declined(&response, "unit_cost");
    message(&response, Kind::DataIgnored, "unit_cost");
    let mut revenue = PriceRequest::default();
    revenue.set_objective(PriceObjective::Revenue);
    let response = world.ask(revenue.clone());
    // Elastic demand: revenue asks for the lowest price allowed.
    assert_eq!(proposed(&response), 7_200_000);
    assert_eq!(response.curve[0].profit, None);
    let margin = PriceRule { margin_floor: Some(0.2), ..Default::default() };
    declined(&world.ask(PriceRequest { rule: Some(margin), ..revenue }), "unit_cost");
    let asked = PriceRequest { unit_cost: Some(usd(5.5)), ..Default::default() };
    assert_eq!(proposed(&world.ask(asked)), 11_000_000);

    let mut world = World::new();
    world.item.list_price_micros = Some(0);
    declined(&world.ask(PriceRequest::default()), "list_price");
    for list_price in [None, Some(0)] {
        world.item.list_price_micros = list_price;
        world.demand.as_mut().expect("it has one").paid_price_micros = 9_000_000;
        let response = world.ask(PriceRequest::default());
        assert_eq!(micros(&response.current_price), 9_000_000);
        let reason = message(&response, Kind::DefaultUsed, "list_price");
        assert!(reason.contains("9.00"), "{reason}");
    }
    let mut world = World::new();
    world.demand.as_mut().expect("it has one").series[0].path = vec![0.0; 28];
    declined(&world.ask(PriceRequest::default()), "demand");

    let mut world = World::new();
    world.item.unit_cost_micros = Some(14_500_000);
    let response = world.ask(PriceRequest::default());
    assert_eq!(proposed(&response), 15_000_000, "as far from the loss as a change may go");
    message(&response, Kind::Explanation, "unit_cost");
}

#[test]
fn weak_evidence_stays_within_tested_prices() {
    let tested = |change: fn(&mut ElasticityResult)| {
        let mut world = World::new();
        change(world.elasticity());
        world.elasticity().highest_price_micros = 11_500_000;
        let response = world.ask(PriceRequest::default());
        message(&response, Kind::WeakEvidence, "tested_range");
        assert_eq!(proposed(&response), 11_500_000);
        response
    };
    let response = tested(|result| result.item_elasticity = None);
    message(&response, Kind::WeakEvidence, "elasticity");
    let response = tested(|result| result.item_elasticity = Some(0.4));
    message(&response, Kind::WeakEvidence, "elasticity");
    let response = tested(|result| result.elasticity = -0.7);
    assert_eq!(response.proposal.expect("a proposal").unconstrained_price, None);

    // Just elastic: the optimum is 21 times the cost, and bounds hold it 10 % beyond the history.
    let mut world = World::new();
    world.elasticity().elasticity = -1.05;
    let response = world.ask(PriceRequest::default());
    assert_eq!(proposed(&response), 15_000_000, "of 15.40, as far as a change may go");
    let free = response.proposal.expect("a proposal").unconstrained_price;
    assert!((micros(&free) - 126_000_000).abs() < 1_000);

    // Twice what was ever charged: said, and still priced.
    let mut world = World::new();
    world.item.list_price_micros = Some(28_000_000);
    let response = world.ask(PriceRequest::default());
    let reason = message(&response, Kind::WeakEvidence, "current_price");
    assert!(reason.contains("28.00") && reason.contains("8.00 to 14.00"), "{reason}");
    assert_eq!(proposed(&response), 14_000_000, "half, as far as a change may go");

    // New to the version: the category's elasticity, and no other price than the current one.
    let mut world = World::new();
    world.elasticity = None;
    let response = world.ask(PriceRequest::default());
    assert_eq!(proposed(&response), 10_000_000);
    let estimate = response.elasticity.clone().expect("an estimate");
    assert_eq!((estimate.elasticity, estimate.group_path.len()), (-2.5, 2));
    message(&response, Kind::WeakEvidence, "elasticity");
}

#[test]
fn extremes_are_answered() {
    let mut world = World::new();
    world.demand.as_mut().expect("it has one").series[0].path = vec![1e12; 28];
    world.item.list_price_micros = Some(999_999_999_990_000_000);
    world.item.unit_cost_micros = Some(i64::MAX);
    let ask = |world: &World| {
        for form in [DemandForm::ConstantElasticity, DemandForm::Linear, DemandForm::SemiLog] {
            let mut request = PriceRequest { curve_points: 101, ..Default::default() };
            request.set_demand_form(form);
            let response = world.ask(request);
            let units = response.curve.iter().map(|point| point.units);
            assert!(units.into_iter().all(|units| units.is_finite() && units >= 0.0));
        }
    };
    ask(&world);
    world.item.list_price_micros = Some(1);
    world.item.unit_cost_micros = Some(0);
    ask(&world);
    world.demand.as_mut().expect("it has one").series[0].path = vec![1e-9; 28];
    ask(&world);
}

#[test]
fn without_training_there_is_no_answer() {
    let world = World::new();
    let request = PriceRequest::default();
    let answer = world.with(|facts| price(&Facts { elasticity: None, ..facts }, &request));
    let error = answer.expect_err("not trained");
    assert_eq!(error, NotTrained { kind: "elasticity" }.into());
    let answer = world.with(|facts| price(&Facts { demand: None, ..facts }, &request));
    let error = answer.expect_err("not trained");
    assert_eq!(error, NotTrained { kind: "demand" }.into());
}
