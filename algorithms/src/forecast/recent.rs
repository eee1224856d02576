//! Methods that look back without a model: naive, seasonal naive, and means of recent values.

use std::collections::VecDeque;

use crate::stats::mean;

/// Seasons that the mean of a place in the season looks back.
const SEASONS: usize = 8;
/// Seasons that the moving average looks back.
const WINDOW_SEASONS: usize = 4;
/// Least number of values in the moving average's window.
const WINDOW: usize = 8;

/// The mean of the latest observed values: of one, the naive method.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    window: usize,
    values: VecDeque<f64>,
}

impl Recent {
    /// The last value.
    pub(super) fn last() -> Self {
        Self { window: 1, values: VecDeque::with_capacity(2) }
    }

    /// The mean of four seasons, of eight values at least.
    pub(super) fn seasons(season: usize) -> Self {
        let window = (WINDOW_SEASONS * season).max(WINDOW);
        Self { window, values: VecDeque::with_capacity(window + 1) }
    }

    pub(super) fn observe(&mut self, value: f64) {
        if value.is_finite() {
            self.values.push_back(value);
            if self.values.len() > self.window {
                self.values.pop_front();
            }
        }
    }

    pub(super) fn path(&self, path: &mut [f64]) {
        path.fill(mean(self.values.iter().copied()));
    }
}

/// The mean of the latest observed values at each place of the season: of one, the seasonal naive
/// method. A place that was never observed gets the mean of the others.
#[derive(Clone, Debug)]
pub(super) struct ByPlace {
    seasons: usize,
    places: Vec<VecDeque<f64>>,
    /// Place of the next value.
    next: usize,
}

impl ByPlace {
    /// The value one season before.
    pub(super) fn last(season: usize) -> Self {
        Self::new(season, 1)
    }

    /// The mean of eight seasons.
    pub(super) fn means(season: usize) -> Self {
        Self::new(season, SEASONS)
    }

    fn new(season: usize, seasons: usize) -> Self {
        Self { seasons, places: vec![VecDeque::new(); season.max(1)], next: 0 }
    }

    pub(super) fn observe(&mut self, value: f64) {
        let place = &mut self.places[self.next];
        if value.is_finite() {
            place.push_back(value);
            if place.len() > self.seasons {
                place.pop_front();
            }
        }
        self.next = (self.next + 1) % self.places.len();
    }

    pub(super) fn path(&self, path: &mut [f64]) {
        let overall = mean(self.places.iter().flatten().copied());
        let season = self.places.len();
        for (ahead, value) in path.iter_mut().take(season).enumerate() {
            let place = &self.places[(self.next + ahead) % season];
            *value = if place.is_empty() { overall } else { mean(place.iter().copied()) };
        }
        for ahead in season..path.len() {
            path[ahead] = path[ahead - season];
        }
    }
}
