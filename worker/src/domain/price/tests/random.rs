//! Answers under random facts, good and bad.

use super::*;
use crate::domain::recommend::training::shop::Random;

const SHARE: i128 = 1_000;

/// A share in thousandths.
fn share(random: &mut Random, low: i64, high: i64) -> f64 {
    (low + random.below((high - low) as u64) as i64) as f64 / SHARE as f64
}

fn rarely(random: &mut Random) -> bool {
    random.below(4) == 0
}

fn amount(random: &mut Random) -> i64 {
    match random.below(12) {
        0 => 0,
        1 => 1,
        2 => 999_999_999_990_000_000,
        _ => (1 + random.below(3_000) as i64) * 10_000,
    }
}

fn rule(random: &mut Random) -> PriceRule {
    let money = |random: &mut Random| Some(from_micros(amount(random).max(10_000), "USD"));
    let mut rule = PriceRule::default();
    if rarely(random) {
        rule.floor = money(random);
    }
    if rarely(random) {
        rule.ceiling = money(random);
    }
    if rarely(random) {
        rule.margin_floor = Some(share(random, -300, 900));
    }
    if rarely(random) {
        rule.largest_change = Some(share(random, 0, 1_500));
    }
    if rarely(random) {
        rule.competitor_index_floor = Some(share(random, 300, 900));
    }
    if rarely(random) {
        rule.competitor_index_ceiling = Some(share(random, 900, 2_000));
    }
    if rarely(random) {
        rule.price_endings = vec![random.below(100) as u32, 99];
    }
    rule
}

fn world(random: &mut Random) -> World {
    let mut world = World::new();
    let statuses = [ItemStatus::Active, ItemStatus::Active, ItemStatus::Inactive];
    world.item.status = random.pick(&statuses);
    world.item.list_price_micros = (!rarely(random)).then(|| amount(random));
    world.item.unit_cost_micros = (!rarely(random)).then(|| match random.below(9) {
        0 => -amount(random),
        1 => amount(random),
        _ => amount(random).min(30_000_000) / 3,
    });
    world.item.price_rule = rarely(random).then(|| Box::new(plain(&rule(random))));
    world.defaults.price_rule = Some(PriceRule { largest_change: Some(0.2), ..rule(random) });
    for competitor in 0..random.below(4) {
        world.item.competitor_prices.push(CompetitorEntry {
            competitor: competitor.to_string().into(),
            price_micros: amount(random).max(1),
            as_of_ms: random.below(100) as i64 * 86_400_000,
        });
    }
    let daily = random.pick(&[0.0, 1e-6, 0.3, 12.0, 1e12]);
    if rarely(random) {
        world.demand = None;
    } else {
        let demand = world.demand.as_mut().expect("it has one");
        demand.series[0].path = vec![daily; 28];
        demand.paid_price_micros = amount(random);
    }
    if rarely(random) {
        world.elasticity = None;
    } else {
        let (one, other) = (amount(random), amount(random));
        let result = world.elasticity();
        result.elasticity = -0.1 - random.below(79) as f32 / 10.0;
        result.standard_error = random.below(30) as f32 / 10.0;
        result.item_elasticity = (!rarely(random)).then(|| 1.0 - random.below(90) as f32 / 10.0);
        (result.lowest_price_micros, result.highest_price_micros) =
            (one.min(other), one.max(other));
    }
    world
}

/// The rules that a proposal never breaks, in integers.
fn keeps_hard_rules(response: &PriceResponse, price: i64) -> bool {
    let rule = response.rule.as_ref().expect("the rules in force");
    let wide = i128::from(price);
    let margin = rule.margin_floor.zip(response.unit_cost.as_ref()).is_none_or(|(margin, _)| {
        let cost = i128::from(micros(&response.unit_cost));
        (wide - cost) * SHARE >= (margin * SHARE as f64).round() as i128 * wide
    });
    let floor = rule.floor.is_none() || price >= micros(&rule.floor);
    let ceiling = rule.ceiling.is_none() || price <= micros(&rule.ceiling);
    margin && floor && ceiling
}

#[test]
fn every_answer_is_a_kept_price_or_a_reason() {
    let mut random = Random::new(11);
    let (mut proposals, mut declines, mut weak) = (0, 0, 0);
    for index in 0..4_000 {
        let world = world(&mut random);
        let mut request = PriceRequest {
            horizon: random.pick(&[0, 1, 28]),
            curve_points: random.pick(&[0, 2, 5]),
            rule: random.flip().then(|| rule(&mut random)),
            ..Default::default()
        };
        request.objective = random.below(3) as i32;
        request.demand_form = random.below(4) as i32;
        let response = world.ask(request);
        let kinds = |kind: Kind| response.notes.iter().filter(move |note| note.kind() == kind);
        let Some(proposal) = &response.proposal else {
            declines += 1;
            assert_eq!(kinds(Kind::Declined).count(), 1, "{index}");
            assert_eq!(response.notes[0].kind(), Kind::Declined);
            assert!(!response.notes[0].field.is_empty() && response.curve.is_empty());
            continue;
        };
        proposals += 1;
        assert_eq!(kinds(Kind::Declined).count(), 0, "{index}");
        let (price, current) = (micros(&proposal.price), micros(&response.current_price));
        assert!(price > 0 && price % 10_000 == 0, "{index}: {price}");
        assert!(keeps_hard_rules(&response, price), "{index}: {price} under {response:?}");
        let change = response.rule.as_ref().and_then(|rule| rule.largest_change);
        let largest_change = "price_rule.largest_change";
        if !kinds(Kind::RuleRelaxed).any(|note| note.field == largest_change) {
            let change = (change.expect("the default") * SHARE as f64).round() as i128;
            let moved = (i128::from(price) - i128::from(current)).abs();
            assert!(moved * SHARE <= change * i128::from(current), "{index}: {current} {price}");
        }
        if kinds(Kind::WeakEvidence).any(|note| note.field == "tested_range") {
            weak += 1;
            let (mut low, mut high) = (current, current);
            if let Some(result) = &world.elasticity
                && result.lowest_price_micros > 0
            {
                low = low.min(result.lowest_price_micros);
            }
            if let Some(result) = &world.elasticity {
                high = high.max(result.highest_price_micros);
            }
            assert!(price > low - 10_000 && price < high + 10_000, "{index}: {low} {price} {high}");
        }
        let prices: Vec<i64> = response.curve.iter().map(|point| micros(&point.price)).collect();
        assert!(prices.is_sorted_by(|one, other| one < other));
        assert!(prices.contains(&price) && prices.contains(&current));
        for point in &response.curve {
            assert!(point.units.is_finite() && point.units >= 0.0);
            assert!(micros(&point.low) <= micros(&point.high), "{index}");
        }
        let expected = proposal.expected.as_ref().expect("a point").units;
        let total = response.forecast.and_then(|forecast| forecast.total).expect("a total").mean;
        assert!((total - expected).abs() <= 1e-9 * expected, "{index}: {total} {expected}");
    }
    assert!(proposals > 500 && declines > 500 && weak > 200, "{proposals} {declines} {weak}");
}
