//! Demand curves through the present price and units, and where they earn most.

/// How units depend on the price p, given units q0 at price p0 with elasticity e there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// q0 (p / p0)^e
    ConstantElasticity,
    /// q0 (1 + e (p - p0) / p0), not below 0.
    Linear,
    /// q0 exp(e (p - p0) / p0)
    SemiLog,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::ConstantElasticity, Self::Linear, Self::SemiLog];

    /// Units at `ratio` x the present price / units at the present price: 1 at 1, never negative.
    #[must_use]
    pub fn response(self, ratio: f64, elasticity: f64) -> f64 {
        match self {
            Self::ConstantElasticity => ratio.powf(elasticity),
            Self::Linear => (1.0 + elasticity * (ratio - 1.0)).max(0.0),
            Self::SemiLog => (elasticity * (ratio - 1.0)).exp(),
        }
    }
}

/// What is to be as large as can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// Units x (price - unit cost).
    Profit {
        /// Cost of a unit, at least 0.
        unit_cost: f64,
    },
    /// Units x price.
    Revenue,
}

impl Objective {
    /// What a unit sold at `price` earns.
    #[must_use]
    pub fn margin(self, price: f64) -> f64 {
        match self {
            Self::Profit { unit_cost } => price - unit_cost,
            Self::Revenue => price,
        }
    }

    fn unit_cost(self) -> f64 {
        match self {
            Self::Profit { unit_cost } => unit_cost,
            Self::Revenue => 0.0,
        }
    }
}

/// A demand curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Shape of the curve.
    pub form: Form,
    /// The present price, above 0.
    pub price: f64,
    /// Units at the present price, at least 0.
    pub units: f64,
    /// Elasticity at the present price, below 0.
    pub elasticity: f64,
}

/// Where an objective is largest, as the price alone decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimum {
    /// A price below which the objective rises and above which it falls.
    At(f64),
    /// The higher the price, the better.
    Rising,
    /// The lower the price, the better.
    Falling,
    /// All prices earn the same.
    Flat,
}

impl Demand {
    /// Units at `price`, above 0; never negative.
    #[must_use]
    pub fn units_at(&self, price: f64) -> f64 {
        self.units * self.form.response(price / self.price, self.elasticity)
    }

    /// Value of the objective at `price`.
    #[must_use]
    pub fn value_at(&self, objective: Objective, price: f64) -> f64 {
        self.units_at(price) * objective.margin(price)
    }

    /// Where the objective is largest over all prices above 0, in closed form.
    ///
    /// Constant elasticity: p = c e / (1 + e) for e < -1, and none otherwise: with e >= -1 profit
    /// rises for ever, with e > -1 so does revenue, and with e < -1 revenue falls for ever. Linear:
    /// half way between cost and the price p0 (1 - 1/e) at which nobody buys. Semi-log: c - p0/e.
    #[must_use]
    pub fn optimum(&self, objective: Objective) -> Optimum {
        let Self { form, price, elasticity, .. } = *self;
        let cost = objective.unit_cost();
        match form {
            Form::ConstantElasticity if cost > 0.0 => {
                if elasticity < -1.0 {
                    Optimum::At(cost * elasticity / (1.0 + elasticity))
                } else {
                    Optimum::Rising
                }
            }
            Form::ConstantElasticity if elasticity < -1.0 => Optimum::Falling,
            Form::ConstantElasticity if elasticity > -1.0 => Optimum::Rising,
            Form::ConstantElasticity => Optimum::Flat,
            Form::Linear => {
                let choke = price * (1.0 - 1.0 / elasticity);
                if cost < choke {
                    Optimum::At(f64::midpoint(choke, cost))
                } else {
                    // Every sale loses money: the fewer the better.
                    Optimum::Rising
                }
            }
            Form::SemiLog => Optimum::At(cost - price / elasticity),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMS: [Form; 3] = Form::ALL;

    proptest! {
        /// No price of a fine grid earns more than the closed form, and it rises up to the optimum
        /// and falls beyond it.
        #[test]
        fn the_closed_form_beats_every_price(
            form in prop::sample::select(&FORMS[..]),
            elasticity in -7.9..-0.1,
            price in 0.5..50.0,
            units in 1.0..1e6,
            cost in prop_oneof![Just(None), Just(Some(0.0)), (0.01..60.0).prop_map(Some)],
        ) {
            let demand = Demand { form, price, units, elasticity };
            let objective = match cost {
                Some(unit_cost) => Objective::Profit { unit_cost },
                None => Objective::Revenue,
            };
            let grid: Vec<f64> = (1..4_000).map(|step| f64::from(step) * price / 400.0).collect();
            let values = grid.iter().map(|&price| demand.value_at(objective, price));
            let values: Vec<f64> = values.collect();
            let noise = 1e-9 * units * price;
            let rises = |from: usize| values[from] <= values[from + 1] + noise;
            let falls = |from: usize| values[from] >= values[from + 1] - noise;
            match demand.optimum(objective) {
                Optimum::At(best) => {
                    let most = demand.value_at(objective, best);
                    for (from, &price) in grid.iter().enumerate().take(grid.len() - 1) {
                        prop_assert!(values[from] <= most + noise, "{} at {}", values[from], price);
                        prop_assert!(grid[from + 1] > best || rises(from));
                        prop_assert!(price < best || falls(from));
                    }
                }
                Optimum::Rising => prop_assert!((0..grid.len() - 1).all(rises)),
                Optimum::Falling => prop_assert!((0..grid.len() - 1).all(falls)),
                Optimum::Flat => prop_assert!((0..grid.len() - 1).all(|at| rises(at) && falls(at))),
            }
        }

        /// All forms pass through the present point with the same slope.
        #[test]
        fn forms_agree_at_the_present_price(elasticity in -7.9..-0.1) {
            for form in FORMS {
                prop_assert!((form.response(1.0, elasticity) - 1.0).abs() < 1e-12);
                let step = 1e-6;
                let slope = (form.response(1.0 + step, elasticity)
                    - form.response(1.0 - step, elasticity)) / (2.0 * step);
                prop_assert!((slope - elasticity).abs() < 1e-4);
            }
        }
    }
}
