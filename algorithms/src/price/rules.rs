//! The best price that keeps to rules, in whole steps: the currency's smallest unit, mostly a
//! hundredth.
//!
//! # Order of priority
//! [`Rule`] lists the rules in their order, first comes first: floor and ceiling, then the margin
//! floor, are *hard*; then the largest change, the competitor index, the tested range and the
//! endings. Where demand is known too little, the tested range is hard as well, and comes after the
//! margin floor. Each rule confines the price to an interval of integers, and intervals are
//! intersected in that order. A hard rule that leaves no price makes the problem infeasible, naming
//! both rules. Another rule that cannot be kept gives way, and only as far as it must: the price is
//! then the allowed one nearest to it.
//!
//! Money is in millionths of the currency unit. Shares (margins, changes, indices) count in
//! billionths, rounded to the strict side, so that a rule holds exactly in integers.

use std::fmt;

use super::demand::{Demand, Objective, Optimum};

/// Millionths in a hundredth, the smallest unit of most currencies.
pub const HUNDREDTH: i64 = 10_000;
/// Prices are at most this many millionths: a trillion units of currency.
const HIGHEST: i64 = 1_000_000_000_000_000_000;
/// Billionths of a share.
const SHARE: i128 = 1_000_000_000;

/// The rules by priority, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Lowest price; hard.
    Floor,
    /// Highest price; hard.
    Ceiling,
    /// Lowest (price - unit cost) / price; hard.
    MarginFloor,
    /// Largest change from the current price.
    LargestChange,
    /// Lowest price relative to competitors.
    CompetitorFloor,
    /// Highest price relative to competitors.
    CompetitorCeiling,
    /// Prices of which demand is known; hard when it must not be left.
    TestedRange,
    /// What prices end in; gives way where it alone would cause a loss.
    Endings,
}

/// What a price must keep to; absent rules do not bind.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Millionths in the smallest unit of the currency, above 0: prices are whole multiples of it.
    pub step: i64,
    /// Lowest price, in millionths.
    pub floor: Option<i64>,
    /// Highest price, in millionths.
    pub ceiling: Option<i64>,
    /// Lowest margin, below 1, and the unit cost in millionths.
    pub margin_floor: Option<(f64, i64)>,
    /// Largest change, at least 0, as a share of the current price.
    pub largest_change: Option<f64>,
    /// Competitors' price in millionths; lowest and highest price as a share of it.
    pub competitor: Option<(i64, Option<f64>, Option<f64>)>,
    /// Prices that were tried.
    pub tested: Option<Tested>,
    /// The last two digits of a price in steps; none allows all.
    pub endings: Vec<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            step: HUNDREDTH,
            floor: None,
            ceiling: None,
            margin_floor: None,
            largest_change: None,
            competitor: None,
            tested: None,
            endings: Vec::new(),
        }
    }
}

/// Prices of which demand is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    /// Lowest price in millionths; counts as the step below.
    pub lowest: i64,
    /// Highest price in millionths; counts as the step above.
    pub highest: i64,
    /// Whether the price must not leave them.
    pub is_hard: bool,
}

/// Part of a rule in the choice of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Holds, and without it the price would be the same.
    Kept,
    /// Holds, and keeps the price from its optimum.
    Binding,
    /// Gave way to a rule of higher priority.
    Relaxed,
}

/// The best price.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Price in millionths, a whole number of steps, above 0.
    pub price: i64,
    /// Lowest and highest allowed price before endings, likewise.
    pub allowed: (i64, i64),
    /// The best price before endings.
    pub before_endings: i64,
    /// All rules that were set, by priority.
    pub outcomes: Vec<(Rule, Outcome)>,
}

/// Two rules that no price keeps together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Infeasible {
    /// The rule that left no price.
    pub rule: Rule,
    /// The rule of higher priority that it contradicts; the same where no price at all keeps it.
    pub against: Rule,
}

impl fmt::Display for Infeasible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no price keeps both {:?} and {:?}", self.against, self.rule)
    }
}

impl std::error::Error for Infeasible {}

/// The price that is best for `objective` under `rules`.
///
/// Values rise to an optimum and fall beyond it, so that the best step, and the best ending,
/// is one of the two nearest to the optimum; of two that earn the same, the nearer to `current` is
/// taken, then the lower.
///
/// # Errors
/// [`Infeasible`] names the hard rules that contradict each other.
pub fn choose(
    demand: &Demand,
    objective: Objective,
    current: i64,
    rules: &Rules,
) -> Result<Choice, Infeasible> {
    let mut allowed = Allowed::new(current, rules)?;
    let step = rules.step.max(1);
    let (highest, per_unit) = (HIGHEST / step, 1e6 / step as f64);
    let value = |price: i64| demand.value_at(objective, price as f64 / per_unit);
    let better = |first: i64, second: i64| {
        let distance = |price: i64| (price * step).abs_diff(current);
        let order = value(second).total_cmp(&value(first));
        let order = order.then_with(|| distance(first).cmp(&distance(second)));
        if order.then(first.cmp(&second)).is_le() { first } else { second }
    };
    let ideal = match demand.optimum(objective) {
        Optimum::At(price) => price * per_unit,
        Optimum::Rising => highest as f64,
        Optimum::Falling => 1.0,
        Optimum::Flat => current as f64 / step as f64,
    };
    let steps = |price: f64| (price as i64).clamp(1, highest);
    let wanted = better(steps(ideal.floor()), steps(ideal.ceil()));
    let before_endings = wanted.clamp(allowed.low, allowed.high);
    if wanted < before_endings {
        allowed.bind(allowed.low_by);
    } else if wanted > before_endings {
        allowed.bind(allowed.high_by);
    }
    let mut price = before_endings;
    if !rules.endings.is_empty() {
        let (below, above) = nearest_endings(&rules.endings, before_endings);
        let is_allowed = |price: &i64| (allowed.low..=allowed.high).contains(price);
        let ending = match (below.filter(is_allowed), above.filter(is_allowed)) {
            (Some(below), Some(above)) => Some(better(below, above)),
            (one, other) => one.or(other),
        };
        // Nobody sells at a loss for the sake of an ending.
        let ending = ending.filter(|&ending| value(ending) >= 0.0 || value(before_endings) < 0.0);
        let outcome = match ending {
            None => Outcome::Relaxed,
            Some(ending) if ending == price => Outcome::Kept,
            Some(_) => Outcome::Binding,
        };
        price = ending.unwrap_or(price);
        allowed.outcomes.push((Rule::Endings, outcome));
    }
    Ok(Choice {
        price: price * step,
        allowed: (allowed.low * step, allowed.high * step),
        before_endings: before_endings * step,
        outcomes: allowed.outcomes,
    })
}

/// The interval of steps that the rules so far leave, both ends inclusive and never empty,
/// and which rule set each end.
struct Allowed {
    low: i64,
    high: i64,
    low_by: Option<Rule>,
    high_by: Option<Rule>,
    outcomes: Vec<(Rule, Outcome)>,
}

impl Allowed {
    fn new(current: i64, rules: &Rules) -> Result<Self, Infeasible> {
        let grid = Grid { step: rules.step.max(1) };
        let top = grid.highest();
        let outcomes = Vec::with_capacity(8);
        let mut allowed = Self { low: 1, high: top, low_by: None, high_by: None, outcomes };
        let &Rules { floor, ceiling, margin_floor, largest_change, competitor, tested, .. } = rules;
        if let Some(floor) = floor {
            allowed.hard(Rule::Floor, grid.round_up(floor.into()), top)?;
        }
        if let Some(ceiling) = ceiling {
            allowed.hard(Rule::Ceiling, 1, grid.round_down(ceiling.into()))?;
        }
        if let Some((margin, cost)) = margin_floor {
            // (p - c) / p >= m, that is p >= c / (1 - m).
            let rest = (SHARE - share_up(margin)).max(1);
            let lowest = (i128::from(cost) * SHARE).div_euclid(rest);
            let is_exact = (i128::from(cost) * SHARE).rem_euclid(rest) == 0;
            let lowest = lowest + i128::from(!is_exact);
            allowed.hard(Rule::MarginFloor, grid.round_up(lowest), top)?;
        }
        // Outwards: a mean of prices paid is no price that somebody set.
        let is_tested_hard = tested.is_some_and(|tested| tested.is_hard);
        let tested = tested.map(|tested| {
            (grid.round_down(tested.lowest.into()), grid.round_up(tested.highest.into()))
        });
        if let Some((low, high)) = tested.filter(|_| is_tested_hard) {
            allowed.hard(Rule::TestedRange, low, high)?;
        }
        if let Some(change) = largest_change {
            let reach = i128::from(current) * share_down(change) / SHARE;
            let current = i128::from(current);
            let (low, high) = (grid.round_up(current - reach), grid.round_down(current + reach));
            allowed.soft(Rule::LargestChange, low, high);
        }
        if let Some((price, lowest, highest)) = competitor {
            let price = i128::from(price);
            if let Some(lowest) = lowest {
                let product = price * share_up(lowest);
                let low = product / SHARE + i128::from(product % SHARE != 0);
                allowed.soft(Rule::CompetitorFloor, grid.round_up(low), top);
            }
            if let Some(highest) = highest {
                let high = price * share_down(highest) / SHARE;
                allowed.soft(Rule::CompetitorCeiling, 1, grid.round_down(high));
            }
        }
        if let Some((low, high)) = tested.filter(|_| !is_tested_hard) {
            allowed.soft(Rule::TestedRange, low, high);
        }
        Ok(allowed)
    }

    /// Confines the interval, or fails.
    fn hard(&mut self, rule: Rule, low: i64, high: i64) -> Result<(), Infeasible> {
        let against = if low > self.high {
            self.high_by
        } else if high < self.low {
            self.low_by
        } else {
            self.narrow(rule, low, high);
            self.outcomes.push((rule, Outcome::Kept));
            return Ok(());
        };
        Err(Infeasible { rule, against: against.unwrap_or(rule) })
    }

    /// Confines the interval, or to the price in it that is nearest to the rule.
    fn soft(&mut self, rule: Rule, low: i64, high: i64) {
        let is_kept = low <= self.high && high >= self.low && low <= high;
        self.outcomes.push((rule, if is_kept { Outcome::Kept } else { Outcome::Relaxed }));
        if low > high {
            // No step keeps the rule: the two around it are nearest.
            let (low, high) = (high.clamp(self.low, self.high), low.clamp(self.low, self.high));
            self.narrow(rule, low, high);
        } else if low > self.high {
            self.bind(self.high_by);
            self.narrow(rule, self.high, self.high);
        } else if high < self.low {
            self.bind(self.low_by);
            self.narrow(rule, self.low, self.low);
        } else {
            self.narrow(rule, low, high);
        }
    }

    fn narrow(&mut self, rule: Rule, low: i64, high: i64) {
        if low > self.low {
            (self.low, self.low_by) = (low, Some(rule));
        }
        if high < self.high {
            (self.high, self.high_by) = (high, Some(rule));
        }
    }

    /// Says of a rule that holds that it changed the price.
    fn bind(&mut self, rule: Option<Rule>) {
        for (known, outcome) in &mut self.outcomes {
            if Some(*known) == rule && *outcome == Outcome::Kept {
                *outcome = Outcome::Binding;
            }
        }
    }
}

/// The highest price at most `price`, and the lowest at least it, that ends as allowed.
fn nearest_endings(endings: &[u32], price: i64) -> (Option<i64>, Option<i64>) {
    let (whole, rest) = (price / 100 * 100, price % 100);
    let endings = endings.iter().map(|&ending| i64::from(ending.min(99)));
    let below = endings
        .clone()
        .map(|ending| if ending <= rest { whole + ending } else { whole - 100 + ending });
    let above =
        endings.map(|ending| if ending >= rest { whole + ending } else { whole + 100 + ending });
    (below.max(), above.min())
}

/// Whole steps.
#[derive(Clone, Copy)]
struct Grid {
    step: i64,
}

impl Grid {
    /// The highest price.
    fn highest(self) -> i64 {
        HIGHEST / self.step
    }

    /// The lowest price that is at least `micros`.
    fn round_up(self, micros: i128) -> i64 {
        let step = i128::from(self.step);
        let up = micros.div_euclid(step) + i128::from(micros.rem_euclid(step) != 0);
        i64::try_from(up.clamp(1, i128::from(self.highest()) + 1)).expect("within the bounds")
    }

    /// The highest price that is at most `micros`; 0 when there is none.
    fn round_down(self, micros: i128) -> i64 {
        let down = micros.div_euclid(i128::from(self.step));
        i64::try_from(down.clamp(0, i128::from(self.highest()))).expect("within the bounds")
    }
}

/// Billionths of a share, rounded up unless that only repairs the binary fraction.
fn share_up(share: f64) -> i128 {
    let billionths = share * SHARE as f64;
    let nearest = billionths.round();
    if (billionths - nearest).abs() < 1e-3 { nearest as i128 } else { billionths.ceil() as i128 }
}

/// Billionths of a share, rounded down unless that only repairs the binary fraction.
fn share_down(share: f64) -> i128 {
    -share_up(-share)
}

#[cfg(test)]
mod tests;
