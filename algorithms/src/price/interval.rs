//! How sure units at a price are, from the uncertainty of elasticity and of demand together.

use super::demand::Form;

/// Gauss-Hermite nodes and weights of seven points for a standard normal variable: exact for
/// polynomials up to degree 13.
const NODES: [(f64, f64); 7] = [
    (-3.750_439_717_725_742, 5.482_688_559_722_2e-4),
    (-2.366_759_410_734_541, 3.075_712_396_758_651e-2),
    (-1.154_405_394_739_968, 0.240_123_178_605_012_7),
    (0.0, 0.457_142_857_142_857_1),
    (1.154_405_394_739_968, 0.240_123_178_605_012_7),
    (2.366_759_410_734_541, 3.075_712_396_758_651e-2),
    (3.750_439_717_725_742, 5.482_688_559_722_2e-4),
];
/// Halvings of the bracket of a quantile.
const HALVINGS: usize = 48;

/// Demand over a horizon at the present price, as a distribution through its quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct DemandQuantiles {
    /// (level, units) from (0, 0) to level 1, neither falling.
    points: Vec<(f64, f64)>,
}

impl DemandQuantiles {
    /// From levels above 0 and below 1, ascending, and their quantiles. A quantile that is
    /// negative or below the one before is raised. The distribution is linear between them, from
    /// 0 units at level 0, and goes on beyond the last with the slope from the middle one to it.
    #[must_use]
    pub fn new(levels: &[f64], quantiles: &[f64]) -> Self {
        let mut points = vec![(0.0, 0.0)];
        let mut least: f64 = 0.0;
        for (&level, &quantile) in levels.iter().zip(quantiles) {
            least = least.max(quantile);
            points.push((level, least));
        }
        let (last_level, last) = points[points.len() - 1];
        let (middle_level, middle) = points[points.len() / 2];
        let slope = if last_level > middle_level {
            (last - middle) / (last_level - middle_level)
        } else {
            0.0
        };
        points.push((1.0, last + slope * (1.0 - last_level)));
        Self { points }
    }

    /// Share of outcomes at or below `units`, at least 0.
    fn share(&self, units: f64) -> f64 {
        let after = self.points.partition_point(|&(_, quantile)| quantile <= units);
        let Some(&above) = self.points.get(after) else { return 1.0 };
        let Some(below) = after.checked_sub(1).map(|before| self.points[before]) else {
            return 0.0;
        };
        below.0 + (above.0 - below.0) * (units - below.1) / (above.1 - below.1)
    }

    fn highest(&self) -> f64 {
        self.points[self.points.len() - 1].1
    }
}

/// Quantiles of units at `ratio` x the present price, for elasticity normal with `mean` and
/// `deviation`, capped like every elasticity, and independent of demand.
///
/// Units are demand x response(elasticity), so that P(units <= x) is the mean over elasticity of
/// P(demand <= x / response); the mean is a Gauss-Hermite sum, and x is found by bisection. Without
/// uncertainty of the elasticity these are demand's own quantiles times the response.
#[must_use]
pub fn unit_quantiles(
    demand: &DemandQuantiles,
    form: Form,
    ratio: f64,
    (mean, deviation): (f64, f64),
    bounds: (f64, f64),
    levels: [f64; 2],
) -> [f64; 2] {
    let responses = NODES.map(|(node, weight)| {
        let elasticity = (mean + deviation * node).clamp(bounds.0, bounds.1);
        (form.response(ratio, elasticity), weight)
    });
    let share = |units: f64| {
        let shares = responses.iter().map(|&(response, weight)| {
            weight * if response > 0.0 { demand.share(units / response) } else { 1.0 }
        });
        shares.sum::<f64>()
    };
    let most = responses.iter().map(|&(response, _)| response).fold(0.0, f64::max);
    let top = demand.highest() * most;
    levels.map(|level| {
        let (mut low, mut high) = (0.0, top);
        if share(low) >= level {
            return 0.0;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if share(middle) < level { low = middle } else { high = middle }
        }
        high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [f64; 5] = [0.05, 0.1, 0.5, 0.9, 0.95];
    const BOUNDS: (f64, f64) = (-8.0, -0.1);

    fn at(quantiles: [f64; 5], ratio: f64, elasticity: (f64, f64)) -> [f64; 2] {
        let demand = DemandQuantiles::new(&LEVELS, &quantiles);
        unit_quantiles(&demand, Form::ConstantElasticity, ratio, elasticity, BOUNDS, [0.1, 0.9])
    }

    #[test]
    fn a_known_elasticity_scales_demand() {
        let quantiles = [2.0, 5.0, 10.0, 20.0, 30.0];
        for (ratio, scale) in [(1.0, 1.0), (2.0, 0.25), (0.5, 4.0)] {
            let found = at(quantiles, ratio, (-2.0, 0.0));
            for (found, expected) in found.into_iter().zip([5.0 * scale, 20.0 * scale]) {
                assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
            }
        }
        assert_eq!(at([0.0, 0.0, 0.0, 1.0, 2.0], 1.0, (-2.0, 0.5))[0], 0.0);
        assert_eq!(at([0.0; 5], 1.3, (-2.0, 0.5)), [0.0, 0.0]);
    }

    /// Sure demand of 10: the interval is that of 10 x ratio^e with e normal.
    #[test]
    fn a_known_demand_leaves_the_elasticity() {
        let [low, high] = at([10.0; 5], 2.0, (-3.0, 0.5));
        let exact = [1.281_551_6, -1.281_551_6].map(|z| 10.0 * 2.0_f64.powf(-3.0 - 0.5 * z));
        // Seven nodes know the distribution function in steps only.
        assert!((low / exact[0]).ln().abs() < 0.4, "{low}, not {}", exact[0]);
        assert!((high / exact[1]).ln().abs() < 0.4, "{high}, not {}", exact[1]);
        assert!(low < 10.0 / 8.0 && high > 10.0 / 8.0);
    }

    /// Against a plain sum over a fine grid of both.
    #[test]
    fn equals_a_fine_grid() {
        let quantiles = [60.0, 75.0, 100.0, 135.0, 160.0];
        for (ratio, deviation) in [(0.8, 0.3), (1.2, 0.6), (1.5, 1.0)] {
            let demand = DemandQuantiles::new(&LEVELS, &quantiles);
            let mut outcomes = Vec::new();
            for step in 0..400 {
                let level = (f64::from(step) + 0.5) / 400.0;
                let after = demand.points.partition_point(|&(other, _)| other <= level);
                let (below, above) = (demand.points[after - 1], demand.points[after]);
                let share = (level - below.0) / (above.0 - below.0);
                let units = below.1 + share * (above.1 - below.1);
                for node in -60..=60 {
                    let z = f64::from(node) / 15.0;
                    let elasticity = (-2.0 + deviation * z).clamp(BOUNDS.0, BOUNDS.1);
                    outcomes.push((units * ratio_power(ratio, elasticity), (-z * z / 2.0).exp()));
                }
            }
            outcomes.sort_by(|left, right| left.0.total_cmp(&right.0));
            let total: f64 = outcomes.iter().map(|outcome| outcome.1).sum();
            let found = at(quantiles, ratio, (-2.0, deviation));
            for (found, level) in found.into_iter().zip([0.1, 0.9]) {
                let mut sum = 0.0;
                let reached = outcomes.iter().find(|outcome| {
                    sum += outcome.1;
                    sum >= level * total
                });
                let expected = reached.map_or(0.0, |outcome| outcome.0);
                assert!((found / expected - 1.0).abs() < 0.03, "{found}, not {expected}");
            }
        }
    }

    fn ratio_power(ratio: f64, elasticity: f64) -> f64 {
        ratio.powf(elasticity)
    }
}
