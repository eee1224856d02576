use proptest::prelude::*;

use super::*;
use crate::stats::normal;

/// Independent normal days.
#[derive(Debug)]
struct Normal {
    mean: f64,
    deviation: f64,
}

impl CumulativeDemand for Normal {
    fn mean(&self, days: f64) -> f64 {
        self.mean * days
    }

    fn deviation(&self, days: f64) -> f64 {
        self.deviation * days.sqrt()
    }

    fn quantiles(&self, days: &[f64], levels: &[f64]) -> Vec<f64> {
        let mut quantiles = Vec::with_capacity(days.len() * levels.len());
        for &days in days {
            let (mean, deviation) = (self.mean(days), self.deviation(days));
            for &level in levels {
                quantiles.push((mean + deviation * normal::quantile(level)).max(0.0));
            }
        }
        quantiles
    }
}

fn counts(daily: f64, variance_ratio: f64) -> Forecast {
    Forecast::new(vec![daily; 14], 7, Spread::NegativeBinomial { variance_ratio })
}

fn replenishment(lead_time: &LeadTime, review_days: f64, service: Service) -> Replenishment<'_> {
    Replenishment {
        lead_time,
        review_days,
        service,
        lot: 0.0,
        smallest_order: 0.0,
        largest_day: None,
    }
}

#[test]
fn a_certain_lead_time_gives_the_textbook_reorder_point() {
    let demand = Normal { mean: 20.0, deviation: 4.0 };
    let lead_time = LeadTime::new(9.0, 0.0);
    for (review, days) in [(0.0, 9.0_f64), (7.0, 16.0)] {
        let levels = Levels::new(&demand, &replenishment(&lead_time, review, Service::Cycle(0.95)));
        let safety = safety_stock::for_cycle_service(0.95, 4.0 * days.sqrt());
        assert!((levels.safety_stock - safety).abs() < 0.01 * safety, "{levels:?}");
        assert_eq!((levels.days, levels.mean), (days, 20.0 * days));
        assert!((levels.reorder_point - levels.mean - levels.safety_stock).abs() < 1e-9);
        assert!((levels.cycle_service - 0.95).abs() < 1e-9);
    }
}

#[test]
fn fill_rates_are_those_of_the_normal_loss_function() {
    let demand = Normal { mean: 20.0, deviation: 5.0 };
    let lead_time = LeadTime::new(16.0, 0.0);
    for (rate, lot) in [(0.95, 30.0), (0.99, 200.0), (0.999, 60.0)] {
        let terms =
            Replenishment { lot, ..replenishment(&lead_time, 0.0, Service::FillRate(rate)) };
        let levels = Levels::new(&demand, &terms);
        // Demand of mean 20 and variance 25 a day is lumpy: (25 / 20 - 1) / 2 of undershoot.
        let undershoot = 0.125;
        let safety = safety_stock::for_fill_rate(rate, 20.0, lot).max(0.0);
        let expected = 320.0 + undershoot + safety;
        assert!((levels.reorder_point - expected).abs() < 0.3, "{expected} {levels:?}");
        assert!(levels.fill_rate >= rate - 1e-6, "{levels:?}");
        assert_eq!(levels.order_up_to, levels.reorder_point + lot);
    }
}

/// The textbook's short form, which forgets what was short when the order arrived, keeps far too
/// much where orders are small.
#[test]
fn the_second_loss_counts_for_small_orders() {
    let short_form = |rate: f64, deviation: f64, quantity: f64| {
        let (mut low, mut high) = (-40.0, 40.0);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if deviation * normal::loss(middle) > quantity * (1.0 - rate) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high * deviation
    };
    let (short, exact) =
        (short_form(0.9, 20.0, 10.0), safety_stock::for_fill_rate(0.9, 20.0, 10.0));
    assert!(short > 1.2 * exact, "{short} {exact}");
    let exact = safety_stock::for_fill_rate(0.9, 20.0, 200.0);
    assert!((short_form(0.9, 20.0, 200.0) - exact).abs() < 1e-6);
}

/// The reorder point keeps its promises in a plain simulation of days.
#[test]
fn a_simulated_shop_gets_what_was_promised() {
    let (lead, review) = (5_usize, 7_usize);
    for service in [Service::FillRate(0.95), Service::FillRate(0.99), Service::Cycle(0.9)] {
        let demand = counts(3.0, 2.0);
        let lead_time = LeadTime::new(lead as f64, 0.0);
        let levels = Levels::new(&demand, &replenishment(&lead_time, review as f64, service));
        let up_to = levels.order_up_to.ceil();
        let mut seed = 9_u64;
        let (mut on_hand, mut pipeline) = (up_to, std::collections::VecDeque::new());
        let (mut asked, mut met, mut cycles, mut dry, mut is_dry) = (0.0, 0.0, 0_u32, 0_u32, false);
        for today in 0..400_000_usize {
            if pipeline.front().is_some_and(|&(due, _)| due == today) {
                cycles += 1;
                dry += u32::from(is_dry);
                is_dry = false;
                on_hand += pipeline.pop_front().map_or(0.0, |(_, units)| units);
            }
            if today % review == 0 {
                let position = on_hand + pipeline.iter().map(|&(_, units)| units).sum::<f64>();
                // Delivered before the day `lead` days later.
                pipeline.push_back((today + lead, up_to - position));
            }
            // A day of the same distribution, from a small generator.
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let level = ((seed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            let wanted = demand.day_quantile(1, level);
            asked += wanted;
            met += wanted.min(on_hand.max(0.0));
            on_hand -= wanted;
            is_dry |= on_hand < 0.0;
        }
        let (fill_rate, cycle) = (met / asked, 1.0 - f64::from(dry) / f64::from(cycles));
        match service {
            Service::FillRate(rate) => {
                assert!((rate - 0.005..rate + 0.015).contains(&fill_rate), "{rate}: {fill_rate}");
                assert!((levels.fill_rate - fill_rate).abs() < 0.01, "{levels:?} {fill_rate}");
            }
            Service::Cycle(level) => {
                assert!((level - 0.01..level + 0.03).contains(&cycle), "{level}: {cycle}");
                assert!((levels.fill_rate - fill_rate).abs() < 0.01, "{levels:?} {fill_rate}");
            }
        }
    }
}

#[test]
fn demand_that_is_never_sold_needs_nothing() {
    let nothing = counts(0.0, 1.0);
    let lead_time = LeadTime::new(7.0, 2.0);
    for service in [Service::Cycle(0.99), Service::FillRate(0.99)] {
        let levels = Levels::new(&nothing, &replenishment(&lead_time, 7.0, service));
        assert_eq!((levels.reorder_point, levels.order_up_to, levels.fill_rate), (0.0, 0.0, 1.0));
    }
    let rules = OrderRules { minimum: 12.0, pack: 6.0, most: 0.0 };
    assert_eq!(order(0.0, 0.0, 0.0, &rules).quantity, 0.0);
    assert_eq!(order(-5.0, 0.0, 0.0, &rules).quantity, 12.0, "what is owed is ordered");
    assert_eq!(days_of_cover(10.0, &nothing), None);
}

#[test]
fn orders_keep_to_minimum_packs_and_cover_in_that_order() {
    let rules = OrderRules { minimum: 20.0, pack: 12.0, most: 100.0 };
    let quantity = |position: f64, rules: &OrderRules| {
        let order = order(position, 50.0, 80.0, rules);
        (order.unrounded, order.quantity, order.cap)
    };
    assert_eq!(quantity(50.1, &rules), (0.0, 0.0, Cap::Free), "above the reorder point");
    assert_eq!(quantity(50.0, &rules), (30.0, 36.0, Cap::Free), "at it; up to packs");
    assert_eq!(quantity(-10.0, &rules), (90.0, 96.0, Cap::Free));
    let few = OrderRules { most: 30.0, ..rules };
    assert_eq!(quantity(10.0, &few), (70.0, 24.0, Cap::Cut), "down to packs");
    assert_eq!(quantity(45.0, &few), (35.0, 24.0, Cap::Cut));
    let none = OrderRules { most: 5.0, ..rules };
    assert_eq!(quantity(10.0, &none), (70.0, 24.0, Cap::Exceeded), "the smallest possible");
    let owed = OrderRules { most: 30.0, ..rules };
    assert_eq!(quantity(-30.0, &owed), (110.0, 60.0, Cap::Cut), "what is owed comes on top");
    // 0.3 units are three packs of 0.1.
    let tenths = OrderRules { minimum: 0.1, pack: 0.1, most: 10.0 };
    let tenth = order(0.1, 0.2, 0.4, &tenths);
    assert!((tenth.quantity - 0.3).abs() < 1e-12, "{tenth:?}");
}

#[test]
fn stock_lasts_until_mean_demand_has_taken_it() {
    let path = vec![2.0, 0.0, 4.0, 1.0, 1.0, 1.0, 1.0];
    let demand = Forecast::new(path, 7, Spread::NegativeBinomial { variance_ratio: 1.0 });
    let cover = |on_hand: f64| days_of_cover(on_hand, &demand).expect("there is demand");
    assert_eq!(cover(0.0), 0.0);
    assert_eq!(cover(-3.0), 0.0);
    assert!((cover(1.0) - 0.5).abs() < 1e-9);
    assert!((cover(4.0) - 2.5).abs() < 1e-9);
    assert!((cover(10.0) - 7.0).abs() < 1e-9);
    assert!((cover(11.0) - 7.5).abs() < 1e-9);
    assert!((cover(1e12) / (7e11) - 1.0).abs() < 1e-3);
}

fn service() -> impl Strategy<Value = Service> {
    prop_oneof![
        (0.01_f64..0.9999).prop_map(Service::Cycle),
        (0.01_f64..0.9999).prop_map(Service::FillRate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// mean D L and L s^2 + D^2 sL^2, for independent days and an independent lead time.
    #[test]
    fn moments_of_a_random_lead_time_are_exact(
        mean in 0.1_f64..1e6, share in 0.0_f64..2.0,
        lead in 0.1_f64..400.0, variation in 0.0_f64..1.5, review in 0.0_f64..30.0,
    ) {
        let (deviation, lead_deviation) = (mean * share, lead * variation);
        let demand = Normal { mean, deviation };
        let found =
            LeadTimeDemand::new(&demand, &LeadTime::new(lead, lead_deviation), review);
        let variance =
            (lead + review) * deviation.powi(2) + mean.powi(2) * lead_deviation.powi(2);
        prop_assert!((found.mean() / (mean * (lead + review)) - 1.0).abs() < 1e-9);
        prop_assert!((found.deviation() - variance.sqrt()).abs() < 1e-6 * variance.sqrt() + 1e-9 * mean);
    }

    #[test]
    fn lead_times_have_the_moments_asked_for(
        mean in 0.0_f64..3_650.0, deviation in 0.0_f64..3_650.0,
    ) {
        let lead_time = LeadTime::new(mean, deviation);
        let outcomes = lead_time.outcomes();
        let total: f64 = outcomes.iter().map(|outcome| outcome.probability).sum();
        let center: f64 = outcomes.iter().map(|it| it.probability * it.days).sum();
        let variance: f64 =
            outcomes.iter().map(|it| it.probability * (it.days - center).powi(2)).sum();
        prop_assert!((total - 1.0).abs() < 1e-9);
        prop_assert!((center - mean).abs() < 1e-6 * mean.max(1e-9), "{center} {mean}");
        prop_assert!(outcomes.iter().all(|it| it.days >= 0.0 && it.probability > 0.0));
        prop_assert!(outcomes.is_sorted_by(|left, right| left.days <= right.days));
        if mean > 0.0 && deviation < 1.5 * mean {
            prop_assert!((variance.sqrt() - deviation).abs() < 1e-6 * deviation.max(1e-9));
        }
    }

    #[test]
    fn more_service_never_orders_less(
        daily in 0.0_f64..50.0, ratio in 1.0_f64..20.0,
        lead in 0.0_f64..60.0, lead_deviation in 0.0_f64..30.0, review in 0.0_f64..30.0,
        levels in (0.01_f64..0.999, 0.01_f64..0.999), fill in any::<bool>(),
        lot in 0.0_f64..200.0, position in -50.0_f64..500.0,
    ) {
        let demand = counts(daily, ratio);
        let lead_time = LeadTime::new(lead, lead_deviation);
        let (low, high) = (levels.0.min(levels.1), levels.0.max(levels.1));
        let at = |level: f64| {
            let service = if fill { Service::FillRate(level) } else { Service::Cycle(level) };
            let terms =
                Replenishment { lot, ..replenishment(&lead_time, review, service) };
            let levels = Levels::new(&demand, &terms);
            let rules = OrderRules { minimum: 1.0, pack: 1.0, most: 1e6 };
            (levels, order(position, levels.reorder_point, levels.order_up_to, &rules).quantity)
        };
        let ((low, few), (high, many)) = (at(low), at(high));
        prop_assert!(low.reorder_point <= high.reorder_point + 1e-9);
        prop_assert!(few <= many, "{few} {many}");
        prop_assert!(low.cycle_service <= high.cycle_service + 1e-9);
        prop_assert!(low.fill_rate <= high.fill_rate + 1e-9);
    }

    #[test]
    fn orders_are_nothing_or_whole_packs_of_at_least_the_minimum(
        position in -1e4_f64..1e4, point in -1e4_f64..1e4, beyond in 0.0_f64..1e4,
        minimum in 0.001_f64..1e3, packs in 1_u32..400, denominator in 1_u32..20, most in 0.0_f64..1e5,
    ) {
        let pack = f64::from(packs) / f64::from(denominator);
        let rules = OrderRules { minimum, pack, most };
        let Order { unrounded, quantity, cap } = order(position, point, point + beyond, &rules);
        if quantity == 0.0 {
            prop_assert!(position > point || unrounded <= 0.0);
        } else {
            prop_assert!(position <= point);
            let whole = quantity / pack;
            prop_assert!((whole - whole.round()).abs() < 1e-6, "{quantity} of {pack}");
            prop_assert!(quantity >= minimum * (1.0 - 1e-6));
            let limit = most + (-position).max(0.0);
            prop_assert!(cap == Cap::Exceeded || quantity <= limit * (1.0 + 1e-6));
            prop_assert!(cap != Cap::Exceeded || quantity <= rules.smallest());
            prop_assert!(cap != Cap::Free || quantity < unrounded.max(minimum) + pack * (1.0 + 1e-6));
        }
    }

    /// Whatever the numbers, up to 10^12 units: nothing is NaN, infinite or negative.
    #[test]
    fn extremes_stay_numbers(
        daily in prop_oneof![Just(0.0), 1e-9_f64..1e-3, 1.0_f64..1e12],
        ratio in prop_oneof![Just(1.0), 1.0_f64..1e9],
        lead in prop_oneof![Just(0.0), 0.0_f64..3_650.0], lead_deviation in 0.0_f64..3_650.0,
        review in prop_oneof![Just(0.0), 0.0_f64..365.0], service in service(),
        lot in prop_oneof![Just(0.0), 0.0_f64..1e15], position in -1e12_f64..1e12,
        pack in prop_oneof![Just(1e12), 1e-6_f64..1e6],
    ) {
        let demand = counts(daily, ratio);
        let lead_time = LeadTime::new(lead, lead_deviation);
        let rules = OrderRules { minimum: pack, pack, most: demand.sum_mean(180.0) };
        let terms = Replenishment { lot, smallest_order: rules.smallest(), ..replenishment(&lead_time, review, service) };
        let levels = Levels::new(&demand, &terms);
        let order = order(position, levels.reorder_point, levels.order_up_to, &rules);
        let cover = days_of_cover(position, &demand).unwrap_or_default();
        let all = [
            levels.days, levels.mean, levels.deviation, levels.quantile, levels.level,
            levels.safety_stock, levels.reorder_point, levels.order_up_to, levels.cycle_service,
            levels.fill_rate, order.unrounded, order.quantity, cover,
        ];
        prop_assert!(all.iter().all(|value| value.is_finite() && *value >= 0.0), "{all:?}");
        prop_assert!(levels.cycle_service <= 1.0 && levels.fill_rate <= 1.0 && levels.level <= 1.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Many days and levels at once are what one day and level at a time are.
    #[test]
    fn quantiles_of_forecasts_are_those_of_each_day_and_level(
        path in prop::collection::vec(0.0_f64..20.0, 1..40),
        ratio in prop_oneof![1.0_f64..60.0, Just(1.0)],
        errors in prop::option::of(prop::collection::vec(-40.0_f64..40.0, 6)),
        mut days in prop::collection::vec(0.0_f64..90.0, 1..8),
        mut levels in prop::collection::vec(0.001_f64..0.999, 1..8),
    ) {
        days.sort_unstable_by(f64::total_cmp);
        levels.sort_unstable_by(f64::total_cmp);
        levels.push(0.9999);
        let spread = match errors {
            None => Spread::NegativeBinomial { variance_ratio: ratio },
            Some(mut quantiles) => {
                quantiles.chunks_mut(3).for_each(|row| row.sort_unstable_by(f64::total_cmp));
                Spread::Errors(crate::forecast::ErrorTable {
                    horizons: vec![1, 28],
                    levels: vec![0.1, 0.5, 0.9],
                    step: quantiles.clone(),
                    sum: quantiles,
                    step_deviation: vec![5.0; 2],
                    sum_deviation: vec![5.0, 30.0],
                })
            }
        };
        let forecast = Forecast::new(path, 7, spread);
        let found = forecast.quantiles(&days, &levels);
        let each = days.iter().flat_map(|&day| levels.iter().map(move |&level| (day, level)));
        for (found, (day, level)) in found.into_iter().zip(each) {
            let expected = forecast.sum_quantile(day, level);
            prop_assert!((found - expected).abs() <= 1e-9 * expected.max(1.0), "{day} {level}");
        }
    }
}
