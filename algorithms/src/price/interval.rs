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

/// Demand over a horizon at the present price, as quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct DemandQuantiles {
    /// (level, units), both ascending; levels above 0 and below 1, units at least 0.
    points: Vec<(f64, f64)>,
}

impl DemandQuantiles {
    /// From levels above 0 and below 1, ascending, and their quantiles. Quantiles that fall or are
    /// negative are raised.
    #[must_use]
    pub fn new(levels: &[f64], quantiles: &[f64]) -> Self {
        let mut least: f64 = 0.0;
        let points = levels.iter().zip(quantiles).map(|(&level, &quantile)| {
            least = least.max(quantile);
            (level, least)
        });
        Self { points: points.collect() }
    }

    /// Share of outcomes at or below `units`: linear between the quantiles, from 0 at no units,
    /// and beyond the highest quantile with the slope from the middle to it.
    fn share(&self, units: f64) -> f64 {
        if units < 0.0 {
            return 0.0;
        }
        let after = self.points.partition_point(|&(_, quantile)| quantile <= units);
        let below = if after == 0 { (0.0, 0.0) } else { self.points[after - 1] };
        let above = match self.points.get(after) {
            Some(&above) => above,
            None => (1.0, self.highest()),
        };
        if above.1 <= below.1 {
            return if units >= above.1 { above.0.max(below.0) } else { below.0 };
        }
        let share = below.0 + (above.0 - below.0) * (units - below.1) / (above.1 - below.1);
        share.clamp(0.0, 1.0)
    }

    /// An end of the distribution beyond the highest quantile.
    fn highest(&self) -> f64 {
        let Some(&(level, last)) = self.points.last() else { return 0.0 };
        let (mid_level, middle) = self.points[self.points.len() / 2];
        if level <= mid_level {
            return 2.0 * last;
        }
        last + (last - middle) * (1.0 - level) / (level - mid_level)
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
