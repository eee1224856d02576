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
