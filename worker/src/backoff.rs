//! How long to wait before trying again.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles from 50 ms to 2 s; every wait is shortened by up to half at random, so that workers
/// do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    random: RandomState,
    drawn: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST, random: RandomState::new(), drawn: 0 }
    }
}

impl Backoff {
    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        self.drawn = self.drawn.wrapping_add(1);
        let random = u32::try_from(self.random.hash_one(self.drawn) >> 32).expect("32 bits");
        whole.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
    }

    /// Starts again, after success.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}
