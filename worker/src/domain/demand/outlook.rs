//! Demand of an item as forecasts, prices and orders see it.

use mercer_algorithms::{forecast::Forecast, inventory::CumulativeDemand};

/// Demand of the days ahead: each day of a forecast times what its offer makes of it.
///
/// Quantiles and deviations of a sum are those of the forecast times the ratio of the two means.
#[derive(Debug)]
pub(crate) struct Outlook<'a> {
    forecast: &'a Forecast,
    /// Factor of each day's mean; 1 beyond.
    effects: Vec<f64>,
    /// Sums over the first days without and with the effects; longer ones repeat the last week.
    usual: Vec<f64>,
    expected: Vec<f64>,
}

impl<'a> Outlook<'a> {
    /// `effects` multiply the means of the days from the first on; days beyond stay as they are.
    pub(crate) fn new(forecast: &'a Forecast, effects: Vec<f64>) -> Self {
        let length = forecast.path.len().max(effects.len());
        let (mut usual, mut expected) = (vec![0.0], vec![0.0]);
        for day in 1..=length {
            let mean = forecast.mean(day);
            let effect = effects.get(day - 1).copied().unwrap_or(1.0);
            usual.push(usual[day - 1] + mean);
            expected.push(expected[day - 1] + mean * effect);
        }
        Self { forecast, effects, usual, expected }
    }

    /// The sum of the first `days` days, with its quantiles at `levels`, which ascend.
    pub(crate) fn total(&self, days: u32, levels: &[f64]) -> Total {
        let days = f64::from(days);
        Total {
            mean: self.mean(days),
            deviation: self.deviation(days),
            quantiles: rising(self.quantiles(&[days], levels).into_iter()),
        }
    }

    /// Mean of the day `day` days ahead, of which 1 is the first.
    pub(crate) fn day_mean(&self, day: usize) -> f64 {
        self.forecast.mean(day) * self.effect(day)
    }

    /// Quantiles of that day at `levels`, which ascend.
    pub(crate) fn day_quantiles(&self, day: usize, levels: &[f64]) -> Vec<f64> {
        let effect = self.effect(day);
        rising(levels.iter().map(|&level| self.forecast.day_quantile(day, level) * effect))
    }

    fn effect(&self, day: usize) -> f64 {
        self.effects.get(day.saturating_sub(1)).copied().unwrap_or(1.0)
    }

    /// Mean with the effects over mean without them, of the first `days` days.
    fn ratio(&self, days: f64) -> f64 {
        if self.effects.is_empty() {
            return 1.0;
        }
        let usual = self.sum(&self.usual, days);
        if usual > 0.0 {
            return self.sum(&self.expected, days) / usual;
        }
        // Nothing is expected, but more may come: as the days' effects are on average.
        let whole = (days.ceil().max(1.0) as usize).min(self.effects.len());
        self.effects[..whole].iter().sum::<f64>() / whole as f64
    }

    /// Sum of the first `days` days from sums over whole days.
    fn sum(&self, sums: &[f64], days: f64) -> f64 {
        let known = sums.len() - 1;
        let days = if days.is_nan() { 0.0 } else { days.max(0.0) };
        if days <= known as f64 {
            let whole = (days as usize).min(known);
            let next = sums.get(whole + 1).copied().unwrap_or(sums[whole]);
            return sums[whole] + (next - sums[whole]) * days.fract();
        }
        // Beyond, the forecast repeats its last days and nothing has an effect.
        let repeat = self.forecast.repeat.max(1);
        let beyond = days - known as f64;
        let cycle: f64 = (1..=repeat).map(|day| self.forecast.mean(known + day)).sum();
        let cycles = (beyond / repeat as f64).floor();
        let left = beyond - cycles * repeat as f64;
        let whole = left as usize;
        let part: f64 = (1..=whole).map(|day| self.forecast.mean(known + day)).sum();
        let next = self.forecast.mean(known + whole + 1) * left.fract();
        sums[known] + cycles * cycle + part + next
    }
}

impl CumulativeDemand for Outlook<'_> {
    fn mean(&self, days: f64) -> f64 {
        self.sum(&self.expected, days)
    }

    fn deviation(&self, days: f64) -> f64 {
        self.forecast.sum_deviation(days) * self.ratio(days)
    }

    fn quantiles(&self, days: &[f64], levels: &[f64]) -> Vec<f64> {
        let mut quantiles = self.forecast.quantiles(days, levels);
        for (row, &days) in quantiles.chunks_mut(levels.len().max(1)).zip(days) {
            let ratio = self.ratio(days);
            row.iter_mut().for_each(|quantile| *quantile *= ratio);
        }
        quantiles
    }
}

/// Demand over some days together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Total {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    /// They never fall.
    pub(crate) quantiles: Vec<f64>,
}

/// Quantiles that never fall, whatever rounding did to them.
fn rising(quantiles: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut largest = 0.0_f64;
    quantiles
        .map(|quantile| {
            largest = largest.max(quantile);
            largest
        })
        .collect()
}
