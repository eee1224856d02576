//! How long an order takes.

use statrs::function::gamma::gamma_lr;

/// Above this shape a gamma distribution has the form of one with this shape.
const LARGEST_SHAPE: f64 = 1e4;
/// Where the distribution is cut, in deviations from its mean.
const CUTS: [f64; 21] = [
    -2.5, -2.0, -1.5, -1.1, -0.7, -0.4, -0.1, 0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0, 2.35, 2.7, 3.1,
    3.6, 4.3, 5.2, 6.5,
];

/// The first cut, as a share of the mean: a slice next to 0 could not be moved down.
const SHORTEST: f64 = 0.2;

/// Lead time that is reckoned with, and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Days from order to delivery.
    pub days: f64,
    /// Probability, above 0.
    pub probability: f64,
}

/// A lead time: gamma distributed (Zipkin 2000, 7.5), as the means of up to 22 slices of that
/// distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadTime {
    outcomes: Vec<Outcome>,
}

impl LeadTime {
    /// A lead time of this mean and standard deviation, in days, 0 or more and finite.
    ///
    /// Mean and deviation of the slices are those given, but for the deviation of lead times that
    /// vary by more than three times their mean, which is less.
    #[must_use]
    pub fn new(mean: f64, deviation: f64) -> Self {
        if mean <= 0.0 || deviation <= 0.0 {
            let days = mean.max(0.0);
            return Self { outcomes: vec![Outcome { days, probability: 1.0 }] };
        }
        // In units of the mean, of a shape that is cheap to integrate.
        let shape = (mean / deviation).powi(2).min(LARGEST_SHAPE);
        let spread = shape.sqrt().recip();
        let mut outcomes = Vec::with_capacity(CUTS.len() + 1);
        let (mut below, mut moment_below) = (0.0, 0.0);
        let ends = CUTS.iter().map(|cut| 1.0 + cut * spread).filter(|&end| end > SHORTEST);
        for end in ends.map(Some).chain([None]) {
            let until = |shape: f64| end.map_or(1.0, |end| gamma_lr(shape, end / spread.powi(2)));
            // E[X; X <= x] is the mean times the distribution function of one shape more.
            let (probability_until, moment_until) = (until(shape), until(shape + 1.0));
            let probability = probability_until - below;
            if probability > 1e-6 {
                let days = (moment_until - moment_below) / probability;
                outcomes.push(Outcome { days, probability });
                (below, moment_below) = (probability_until, moment_until);
            }
        }
        let total: f64 = outcomes.iter().map(|outcome| outcome.probability).sum();
        for outcome in &mut outcomes {
            outcome.probability /= total;
        }
        stretch(&mut outcomes, mean, deviation);
        Self { outcomes }
    }

    /// The lead times that are reckoned with, ascending; probabilities add up to 1.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }
}

/// Moves outcomes so that they have this mean and deviation, as far as none becomes negative.
fn stretch(outcomes: &mut [Outcome], mean: f64, deviation: f64) {
    let expected = |of: &dyn Fn(f64) -> f64, outcomes: &[Outcome]| -> f64 {
        outcomes.iter().map(|outcome| outcome.probability * of(outcome.days)).sum()
    };
    let center = expected(&|days| days, outcomes);
    let found = expected(&|days| (days - center).powi(2), outcomes).sqrt();
    let shortest = outcomes.first().map_or(0.0, |outcome| outcome.days);
    let widest = mean / (center - shortest).max(f64::MIN_POSITIVE);
    let factor = if found > 0.0 { (deviation / found).min(widest) } else { 0.0 };
    for outcome in outcomes {
        outcome.days = (mean + factor * (outcome.days - center)).max(0.0);
    }
}
