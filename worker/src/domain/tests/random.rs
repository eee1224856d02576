//! Whatever the facts, answers hold numbers that are numbers.

use mercer_proto::{
    internal::ErrorTable,
    v1::{ForecastRequest, PolicyRequest, SinglePeriod},
};
use proptest::prelude::*;

use super::*;
use crate::domain::{demand::forecast, inventory::policy};

fn units() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0), 0.0_f32..5.0, 0.0_f32..1e12, Just(f32::NAN), Just(-1.0)]
}

fn spread() -> BoxedStrategy<Option<Spread>> {
    let errors = (prop::collection::vec(-1e12_f32..1e12, 3), 0.0_f32..1e12).prop_map(
        |(mut quantiles, deviation)| {
            quantiles.sort_unstable_by(f32::total_cmp);
            Spread::Errors(ErrorTable {
                horizons: vec![1, 28],
                levels: vec![0.1, 0.5, 0.9],
                step: quantiles.repeat(2),
                sum: quantiles.repeat(2),
                step_deviation: vec![deviation; 2],
                sum_deviation: vec![deviation; 2],
            })
        },
    );
    let ratios = prop_oneof![Just(f32::NAN), Just(0.0), 1.0_f32..1e9];
    prop_oneof![
        Just(None),
        errors.prop_map(Some),
        ratios.prop_map(|it| Some(Spread::VarianceRatio(it)))
    ]
    .boxed()
}

fn any_terms() -> BoxedStrategy<SupplyTerms> {
    let days =
        || prop::option::of(prop_oneof![Just(0.0), 0.0_f64..20.0, 0.0_f64..4_000.0, Just(-1.0)]);
    let units = || prop::option::of(prop_oneof![Just(0.0), 0.1_f64..50.0, 1e-9_f64..1e12]);
    let service = prop::option::of(prop_oneof![
        (0.0_f64..1.0).prop_map(Target::CycleService),
        (0.0_f64..1.0).prop_map(Target::FillRate),
        Just(Target::FillRate(f64::NAN)),
    ]);
    let holding = prop::option::of(prop_oneof![Just(0.0), 1e-9_f64..10.0]);
    (days(), days(), days(), units(), units(), units(), holding, service)
        .prop_map(|(lead, deviation, review, minimum, pack, cover, holding_rate, target)| {
            SupplyTerms {
                lead_time_days: lead,
                lead_time_deviation_days: deviation,
                review_period_days: review,
                order_cost: None,
                holding_rate,
                minimum_order_quantity: minimum,
                pack_size: pack,
                maximum_cover_days: cover,
                service: Some(ServiceTarget { target }),
            }
        })
        .boxed()
}

fn money() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(prop_oneof![Just(0), 1_i64..50_000_000, Just(i64::MAX), Just(i64::MIN)])
}

prop_compose! {
    fn world()(
        path in prop::collection::vec(units(), 0..30),
        repeat in 0_u32..40,
        spread in spread(),
        share in prop_oneof![Just(f32::NAN), -1.0_f32..2.0],
        stocks in prop::option::of((-1e12_f64..1e12, 0.0_f64..1e12, 0.0_f64..1e12)),
        small in prop::option::of(-5.0_f64..50.0),
        prices in (money(), money()),
        paid in money(),
        supply in any_terms(),
        configured in prop::option::of(any_terms()),
        as_of in prop_oneof![Just(0_u32), Just(65_500), Just(u32::MAX), 12_000_u32..13_000],
        elasticity in prop::option::of((-8.0_f32..0.0, 0.0_f32..20.0)),
        known in any::<bool>(),
    ) -> World {
        let mut world = World::new();
        world.item.list_price_micros = prices.0;
        world.item.unit_cost_micros = prices.1;
        world.item.stock.clear();
        if let Some((on_hand, on_order, owed)) = stocks {
            let on_hand = small.unwrap_or(on_hand);
            world.item.stock.push(stock("north", on_hand, on_order, owed));
        }
        world.supply("north", "", supply);
        world.defaults.terms = configured;
        world.profiles.as_of_day = as_of;
        let of = |location: &str| SeriesForecast {
            path: path.clone(), repeat, spread: spread.clone(), ..series(location, 0.0)
        };
        world.demand = known.then(|| DemandResult {
            item_id: "sku".into(),
            series: vec![of("*"), of("north")],
            shares: vec![LocationShare { location_id: "south".into(), share }],
            paid_price_micros: paid.unwrap_or_default(),
            ..DemandResult::default()
        });
        world.elasticity = elasticity.map(|(elasticity, promotion_factor)| ElasticityResult {
            elasticity, promotion_factor, ..ElasticityResult::default()
        });
        world
    }
}

prop_compose! {
    fn plan()(
        start in 0_u16..u16::MAX, length in 0_u16..400,
        price in prop::option::of(1_i64..i64::MAX), promotion in any::<bool>(),
    ) -> PlannedPrice {
        PlannedPrice {
            start_date: Some(Day(start).to_api()),
            end_date: Some(Day(start.saturating_add(length)).to_api()),
            price: price.map(|micros| from_micros(micros, "USD")),
            promotion,
        }
    }
}

/// Every number of an answer is finite; its sentences hold none that is not.
fn check(answer: &impl std::fmt::Debug) -> Result<(), TestCaseError> {
    let shown = format!("{answer:?}");
    let words = shown.split(|letter: char| !letter.is_alphanumeric());
    for word in words {
        prop_assert!(word != "NaN" && word != "inf", "{shown}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn answers_are_numbers(
        world in world(),
        location in prop::sample::select(vec!["*", "north", "south"]),
        plan in prop::collection::vec(plan(), 0..4),
        horizon in 0_u32..400,
        quantiles in prop::collection::vec(0.0001_f64..0.9999, 0..5),
        season in prop::option::of((0_u32..400, -10.0_f64..10.0, 0.0_f64..10.0)),
    ) {
        let location = if world.demand.is_none() && location == "south" { "*" } else { location };
        let request = ForecastRequest {
            location_id: location.into(), horizon, quantiles, plan: plan.clone(),
            ..Default::default()
        };
        let answer = world.with(|facts| forecast(facts, &request)).expect("answers");
        check(&answer)?;
        let total = answer.total.expect("a total");
        let days = answer.days.iter().map(|day| (&day.quantiles, day.mean));
        for (quantiles, mean) in days.chain([(&total.quantiles, total.mean)]) {
            prop_assert!(mean >= 0.0 && quantiles.len() == answer.levels.len());
            prop_assert!(quantiles.is_sorted() && quantiles.iter().all(|units| *units >= 0.0));
        }

        let single_period = season.map(|(days, salvage, goodwill)| SinglePeriod {
            days, salvage_value: Some(usd(salvage)), goodwill: Some(usd(goodwill)),
        });
        let request = PolicyRequest {
            location_id: location.into(), plan, single_period, ..Default::default()
        };
        let answer = world.with(|facts| policy(facts, &request)).expect("answers");
        check(&answer)?;
        let policy = answer.policy.expect("active");
        let terms = answer.terms.expect("merged");
        let (minimum, pack) = (terms.minimum_order_quantity(), terms.pack_size());
        let packs = policy.order_quantity / pack;
        prop_assert!((packs - packs.round()).abs() <= 1e-6 * packs.max(1.0), "{policy:?}");
        prop_assert!(policy.order_quantity == 0.0 || policy.order_quantity >= minimum * (1.0 - 1e-6));
        prop_assert!(policy.safety_stock >= 0.0 && policy.order_up_to >= policy.reorder_point);
        prop_assert!(answer.notes.iter().all(|note| note.message.ends_with('.')));
    }
}
