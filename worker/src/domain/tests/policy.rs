use mercer_common::note::number;
use mercer_proto::{
    internal::ErrorTable,
    v1::{Policy, PolicyRequest, PolicyResponse, SinglePeriod},
};

use super::*;
use crate::{domain::inventory::policy, serve::NotTrained};

fn ask(world: &World, request: &PolicyRequest) -> PolicyResponse {
    world.with(|facts| policy(facts, request)).expect("answers")
}

fn at(location: &str) -> PolicyRequest {
    PolicyRequest { location_id: location.into(), ..Default::default() }
}

#[track_caller]
fn decided(answer: &PolicyResponse) -> Policy {
    answer.policy.clone().expect("decided")
}

/// Smallest number that Poisson demand stays at or below with probability `level`, by adding up.
fn poisson(mean: f64, level: f64) -> f64 {
    let (mut probability, mut total, mut units) = ((-mean).exp(), 0.0, 0.0);
    loop {
        total += probability;
        if total >= level {
            return units;
        }
        units += 1.0;
        probability *= mean / units;
    }
}

#[test]
fn the_levels_are_those_of_the_textbook() {
    let answer = ask(&World::new(), &at("north"));
    let policy = decided(&answer);
    // Two weeks of 1.5 a day, lead time and review period.
    let demand = policy.lead_time_demand.expect("known");
    assert_eq!((demand.days, demand.level), (14.0, 0.95));
    assert!((demand.mean - 21.0).abs() < 1e-9);
    assert!((demand.standard_deviation - 21.0_f64.sqrt()).abs() < 1e-9);
    let expected = poisson(21.0, 0.95);
    assert!((policy.reorder_point - expected).abs() <= 1.0, "{policy:?} {expected}");
    assert_eq!(policy.safety_stock, policy.reorder_point - demand.mean);
    // sqrt(2 x 20.00 x 547.5 / (0.25 x 4.00)), and a review period takes 10.5 of it.
    let economic = (2.0_f64 * 20.0 * 547.5).sqrt();
    assert!((policy.economic_order_quantity - economic).abs() < 1e-9);
    assert!((policy.order_up_to - policy.reorder_point - (economic - 10.5)).abs() < 1e-9);
    assert!((policy.unrounded_order_quantity - (policy.order_up_to - 20.0)).abs() < 1e-9);
    assert_eq!(policy.order_quantity, policy.unrounded_order_quantity.ceil());
    assert_eq!(policy.order_value, Some(usd(4.0 * policy.order_quantity)));
    // 20 on hand last 13 1/3 days from 2024-03-02.
    assert!((policy.days_of_cover.expect("demand") - 20.0 / 1.5).abs() < 1e-9);
    assert_eq!(policy.stock_out_date, day(2024, 3, 15));
    assert!((0.95..0.97).contains(&policy.expected_cycle_service));
    assert!(policy.expected_fill_rate > 0.99);
    assert_eq!(answer.stock.expect("told").position, 20.0);
    assert_eq!(answer.terms, Some(terms()));
    assert_eq!(
        said(&answer.notes, Kind::DefaultUsed, "supply"),
        ["Not set, so the configured value is used: lead_time_days 7, \
          lead_time_deviation_days 0, review_period_days 7, order_cost 20.00 USD, \
          holding_rate 0.25, minimum_order_quantity 1, pack_size 1, maximum_cover_days 180, \
          cycle_service 95 %."]
    );
    assert_eq!(
        said(&answer.notes, Kind::Explanation, "reorder_point"),
        ["For 95 % of order cycles without a stock-out, the reorder point of 29 covers a lead \
          time of 7 ± 0 days and a review period of 7 days, in which demand is 21 ± 4.58 units."]
    );
    assert_eq!(
        said(&answer.notes, Kind::Explanation, "order_quantity"),
        ["Order 147 units: the position of 20 (20 on hand + 0 on order - 0 backordered) is at or \
          below the reorder point of 29; 146.49 more reach 166.49, which the minimum of 1 and \
          packs of 1 make 147."]
    );
    assert_eq!(answer.notes.len(), 3, "{:?}", answer.notes);
}

#[test]
fn terms_come_from_the_nearest_place_field_by_field() {
    let mut world = World::new();
    let of = |lead_time_days, pack_size, review_period_days| SupplyTerms {
        lead_time_days,
        pack_size,
        review_period_days,
        ..SupplyTerms::default()
    };
    world.supply("*", "acme", of(Some(3.0), Some(6.0), None));
    world.supply("north", "", of(Some(4.0), None, None));
    let terms = Some(of(Some(9.0), Some(9.0), Some(2.0)));
    let acme = Supplier { supplier_id: "acme".into(), name: String::new(), terms };
    world.directory.suppliers = vec![acme];
    let request = PolicyRequest {
        terms: Some(SupplyTerms { holding_rate: Some(0.5), ..Default::default() }),
        ..at("north")
    };
    let answer = ask(&world, &request);
    let terms = answer.terms.expect("merged");
    assert_eq!(answer.supplier_id, "acme");
    let found = (terms.lead_time_days, terms.pack_size, terms.review_period_days);
    assert_eq!(found, (Some(4.0), Some(6.0), Some(2.0)));
    assert_eq!((terms.holding_rate, terms.maximum_cover_days), (Some(0.5), Some(180.0)));
    let defaults = said(&answer.notes, Kind::DefaultUsed, "supply")[0];
    assert!(!defaults.contains("pack_size") && defaults.contains("maximum_cover_days 180"));

    world.directory.suppliers.clear();
    let answer = ask(&world, &at("north"));
    assert_eq!(
        said(&answer.notes, Kind::DataIgnored, "supply.supplier_id"),
        ["Supplier `acme` is not catalogued, so that nothing is known of its terms."]
    );
    assert_eq!(answer.terms.expect("merged").review_period_days, Some(7.0));

    world.supply("south", "", SupplyTerms { pack_size: Some(f64::NAN), ..Default::default() });
    let answer = ask(&world, &at("south"));
    assert_eq!(said(&answer.notes, Kind::DataIgnored, "supply.pack_size").len(), 1);
    assert_eq!(answer.terms.expect("merged").pack_size, Some(6.0));
}

#[test]
fn what_is_not_for_sale_is_declined() {
    for status in [ItemStatus::Inactive, ItemStatus::Unlisted, ItemStatus::Deleted] {
        let mut world = World::new();
        world.item.status = status;
        let answer = ask(&world, &at("north"));
        assert_eq!(answer.policy, None);
        assert_eq!(said(&answer.notes, Kind::Declined, "status").len(), 1);
    }
}

#[test]
fn without_a_stock_count_there_are_levels_and_no_order() {
    let answer = ask(&World::new(), &at("south"));
    let policy = decided(&answer);
    assert_eq!((policy.order_quantity, policy.unrounded_order_quantity), (0.0, 0.0));
    assert!(policy.reorder_point > 0.0);
    assert_eq!((policy.days_of_cover, policy.stock_out_date), (None, None));
    assert_eq!(answer.stock, None);
    assert_eq!(
        said(&answer.notes, Kind::Declined, "stock"),
        [
            "No order is proposed: the item's stock at `south` was never told. Tell it with `mercer import stock` or SetStock."
        ]
    );
}

#[test]
fn the_position_counts_what_is_coming_and_what_is_owed() {
    let mut world = World::new();
    world.item.stock = vec![stock("north", 5.0, 100.0, 2.0), stock("south", -3.0, 0.0, 4.0)];
    let north = ask(&world, &at("north"));
    assert_eq!(north.stock.expect("told").position, 103.0);
    assert_eq!(decided(&north).order_quantity, 0.0);
    assert_eq!(
        said(&north.notes, Kind::Explanation, "order_quantity"),
        [format!(
            "Order nothing: the position of 103 (5 on hand + 100 on order - 2 backordered) is \
             above the reorder point of {}.",
            number(decided(&north).reorder_point)
        )]
    );
    assert_eq!(said(&north.notes, Kind::WeakEvidence, "stock"), [""; 0]);
    world.item.stock[1].as_of_ms = 0;
    let all = ask(&world, &at("*"));
    assert_eq!(said(&all.notes, Kind::WeakEvidence, "stock").len(), 1);
    let all = all.stock.expect("told");
    assert_eq!((all.on_hand, all.on_order, all.backordered, all.position), (2.0, 100.0, 6.0, 96.0));
    let south = ask(&world, &at("south"));
    assert_eq!(decided(&south).stock_out_date, day(2024, 3, 2));
    assert!(decided(&south).order_quantity >= 7.0);
}

#[test]
fn without_a_usable_cost_orders_follow_the_review_period() {
    for cost in [None, Some(0)] {
        let mut world = World::new();
        world.item.unit_cost_micros = cost;
        let answer = ask(&world, &at("north"));
        let policy = decided(&answer);
        assert_eq!((policy.economic_order_quantity, policy.order_value), (0.0, None));
        assert_eq!(policy.order_up_to, policy.reorder_point);
        let said = said(&answer.notes, Kind::DataIgnored, "unit_cost");
        assert!(said[0].ends_with("an order covers the review period of 7 days."), "{said:?}");
    }
}

#[test]
fn the_suppliers_terms_come_before_the_largest_cover() {
    let world = World::new();
    let with = |minimum: f64, cover: f64| PolicyRequest {
        terms: Some(SupplyTerms {
            minimum_order_quantity: Some(minimum),
            pack_size: Some(12.0),
            maximum_cover_days: Some(cover),
            ..SupplyTerms::default()
        }),
        ..at("north")
    };
    // 20 days of 1.5 are 30: two packs of 12.
    let cut = ask(&world, &with(1.0, 20.0));
    assert_eq!(decided(&cut).order_quantity, 24.0);
    assert_eq!(said(&cut.notes, Kind::RuleBinding, "supply.maximum_cover_days").len(), 1);
    let exceeded = ask(&world, &with(100.0, 20.0));
    assert_eq!(decided(&exceeded).order_quantity, 108.0);
    assert_eq!(
        said(&exceeded.notes, Kind::RuleRelaxed, "supply.maximum_cover_days"),
        ["The smallest order that minimum and packs allow, 108 units, lasts 72 days at mean \
          demand, longer than the 20 days that an order shall cover; the supplier's terms come \
          first."]
    );
}

#[test]
fn a_season_balances_what_is_left_against_what_is_missing() {
    let mut world = World::new();
    let season = |salvage: f64, goodwill: f64| PolicyRequest {
        single_period: Some(SinglePeriod {
            days: 28,
            salvage_value: Some(usd(salvage)),
            goodwill: Some(usd(goodwill)),
        }),
        ..at("*")
    };
    let order = ask(&world, &season(3.0, 1.0)).single_period.expect("decided");
    // (6 - 4 + 1) / (6 - 3 + 1), and Poisson demand of 56.
    assert_eq!((order.critical_ratio, order.mean_demand), (0.75, 56.0));
    assert_eq!(order.quantity, poisson(56.0, 0.75));
    let endless = ask(&world, &season(4.0, 0.0));
    assert_eq!(endless.single_period, None);
    let field = "single_period.salvage_value";
    assert_eq!(said(&endless.notes, Kind::Declined, field).len(), 1);
    world.item.list_price_micros = Some(3_000_000);
    let loss = ask(&world, &season(1.0, 0.0)).single_period.expect("decided");
    assert_eq!((loss.critical_ratio, loss.quantity), (0.0, 0.0));
    world.item.unit_cost_micros = None;
    let unknown = ask(&world, &season(1.0, 0.0));
    assert_eq!(unknown.single_period, None);
    assert_eq!(said(&unknown.notes, Kind::Declined, "unit_cost").len(), 1);
}

#[test]
fn a_plan_raises_the_order() {
    let world = World::new();
    let plan = PlannedPrice {
        start_date: day(2024, 3, 1),
        end_date: day(2024, 3, 31),
        price: None,
        promotion: true,
    };
    let usual = decided(&ask(&world, &at("north")));
    let planned = decided(&ask(&world, &PolicyRequest { plan: vec![plan], ..at("north") }));
    let means = (usual.lead_time_demand, planned.lead_time_demand);
    let (usual_mean, mean) = (means.0.expect("known").mean, means.1.expect("known").mean);
    assert!((mean / usual_mean - 1.5).abs() < 1e-6);
    assert!(planned.order_quantity > usual.order_quantity);
}

#[test]
fn demand_comes_before_everything() {
    let world = World::new();
    let error = world.with(|facts| {
        let facts = Facts {
            item: facts.item,
            directory: facts.directory,
            defaults: facts.defaults,
            currency: facts.currency,
            version: facts.version,
            demand: None,
            elasticity: None,
        };
        policy(&facts, &at("north")).expect_err("not trained")
    });
    assert_eq!(error, NotTrained { kind: "demand" }.into());
    assert!(error.to_string().contains("mercer train demand"), "{error}");
}

/// The errors of a time in which an item still sold stock nothing of it now.
#[test]
fn what_nobody_asks_for_is_not_held() {
    let mut world = World::new();
    let demand = world.demand.as_mut().expect("trained");
    for series in &mut demand.series {
        series.path = vec![1e-9; 56];
        series.spread = Some(Spread::VarianceRatio(1e9));
    }
    for on_hand in [0.0, 20.0] {
        world.item.stock = vec![stock("north", on_hand, 0.0, 0.0)];
        let answer = ask(&world, &at("north"));
        let policy = decided(&answer);
        let levels = [policy.reorder_point, policy.order_up_to, policy.order_quantity];
        assert_eq!((levels, policy.economic_order_quantity), ([0.0; 3], 0.0));
        assert_eq!((policy.days_of_cover, policy.stock_out_date), (None, None));
        assert_eq!(
            said(&answer.notes, Kind::Explanation, "reorder_point"),
            [
                "No demand is expected: the forecast is below half a unit a year, so that nothing is \
              held and the reorder point is 0."
            ]
        );
        let order = said(&answer.notes, Kind::Explanation, "order_quantity");
        assert!(order[0].starts_with("Order nothing: "), "{order:?}");
    }
    // What is owed is ordered all the same.
    world.item.stock = vec![stock("north", 0.0, 0.0, 4.0)];
    assert_eq!(decided(&ask(&world, &at("north"))).order_quantity, 4.0);
}

#[test]
fn the_service_goes_with_the_quantity() {
    let with = |lead_time: f64, cover: f64, on_hand: f64| {
        let mut world = World::new();
        world.item.stock = vec![stock("north", on_hand, 0.0, 0.0)];
        ask(
            &world,
            &PolicyRequest {
                terms: Some(SupplyTerms {
                    lead_time_days: Some(lead_time),
                    maximum_cover_days: Some(cover),
                    ..SupplyTerms::default()
                }),
                ..at("north")
            },
        )
    };
    let field = "supply.maximum_cover_days";
    // 1.5 a day: five days are 8 units, and three weeks 31.5.
    let short = with(14.0, 5.0, 3.0);
    let policy = decided(&short);
    assert_eq!(policy.order_quantity, 7.0);
    assert!(policy.expected_cycle_service < 0.01, "{policy:?}");
    assert!(policy.expected_fill_rate < 0.2, "{policy:?}");
    let said_of = said(&short.notes, Kind::WeakEvidence, field);
    assert!(said_of[0].contains("does not bridge the 21 days"), "{said_of:?}");
    assert!(said_of[0].contains("with 7 units the position reaches 10"), "{said_of:?}");
    // Stock for now, and orders that never keep up.
    let later = with(14.0, 5.0, 500.0);
    let policy = decided(&later);
    assert_eq!(policy.order_quantity, 0.0);
    assert!((policy.expected_fill_rate - 5.0 / 7.0).abs() < 1e-9, "{policy:?}");
    assert_eq!(said(&later.notes, Kind::WeakEvidence, field).len(), 1);
    // Enough cover: what was promised.
    let enough = with(14.0, 60.0, 3.0);
    assert!(decided(&enough).expected_cycle_service >= 0.95);
    assert_eq!(said(&enough.notes, Kind::WeakEvidence, field), [""; 0]);
}

#[test]
fn the_undershoot_has_a_name_and_a_bound() {
    let mut world = World::new();
    let demand = world.demand.as_mut().expect("trained");
    demand.series[1].spread = Some(Spread::VarianceRatio(5.0));
    let with = |world: &World, lead_time: f64| {
        ask(
            world,
            &PolicyRequest {
                terms: Some(SupplyTerms {
                    lead_time_days: Some(lead_time),
                    review_period_days: Some(0.0),
                    ..SupplyTerms::default()
                }),
                ..at("north")
            },
        )
    };
    let week = with(&world, 7.0);
    let policy = decided(&week);
    // (5 - 1) / 2 units beside the demand of the week.
    assert!((policy.undershoot - 2.0).abs() < 1e-6, "{policy:?}");
    let demand = policy.lead_time_demand.expect("known");
    assert!((demand.mean - 10.5).abs() < 1e-6, "{demand:?}");
    assert!((policy.reorder_point - demand.quantile - 2.0).abs() < 1e-6, "{policy:?}");
    assert!((policy.safety_stock - (demand.quantile - demand.mean)).abs() < 1e-6);
    let told = said(&week.notes, Kind::Explanation, "reorder_point");
    assert!(told[0].contains("; 2 of it are the undershoot"), "{told:?}");
    let at_once = with(&world, 0.0);
    assert_eq!(decided(&at_once).reorder_point, decided(&at_once).undershoot);
    let told = said(&at_once.notes, Kind::Explanation, "reorder_point");
    assert!(told[0].starts_with("An order arrives at once"), "{told:?}");
    // One wild day in the errors: at most half of what a week can have.
    let row = |largest: f32| {
        let mut row = vec![-1.0_f32; 17];
        (row[15], row[16]) = (largest / 2.0, largest);
        row
    };
    let errors = ErrorTable {
        horizons: vec![1, 7],
        levels: mercer_algorithms::forecast::LEVELS.iter().map(|&level| level as f32).collect(),
        step: [row(5_000.0), row(5_000.0)].concat(),
        sum: [row(5_000.0), row(5_000.0)].concat(),
        step_deviation: vec![700.0; 2],
        sum_deviation: vec![700.0, 1_900.0],
    };
    world.demand.as_mut().expect("trained").series[1].spread = Some(Spread::Errors(errors));
    let wild = decided(&with(&world, 1.0));
    assert!((2_000.0..=2_510.0).contains(&wild.undershoot), "{wild:?}");
}

#[test]
fn without_an_order_cost_there_is_no_economic_lot() {
    let mut world = World::new();
    world.defaults.terms.as_mut().expect("set").order_cost = None;
    let answer = ask(&world, &at("north"));
    assert_eq!(decided(&answer).economic_order_quantity, 0.0);
    assert_eq!(answer.terms.expect("merged").order_cost, None);
    let told = said(&answer.notes, Kind::DataIgnored, "supply.order_cost");
    assert!(told[0].starts_with("Nobody has said what an order costs"), "{told:?}");
}
