//! Joins the cluster and stays in it.

use std::sync::atomic::{AtomicU64, Ordering};

/// The generation of the cluster that this worker last registered in; 0 before.
#[derive(Debug, Default)]
pub(crate) struct Generation(AtomicU64);

impl Generation {
    /// The present generation.
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Notes a registration.
    pub(crate) fn set(&self, generation: u64) {
        self.0.store(generation, Ordering::Release);
    }
}
