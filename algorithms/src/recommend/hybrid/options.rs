//! What learning is told.

use super::{Algorithm, Holdout};

/// From what, and for what, half-lives and weights are learned.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnOptions {
    /// The mix's sources.
    pub sources: Vec<Algorithm>,
    /// Algorithms whose half-lives are learned too.
    pub others: Vec<Algorithm>,
    /// Users that are learned from, at most.
    pub users: usize,
    /// Events that sources are trained from for that, at most.
    pub events: u64,
    /// Length of the lists whose NDCG is raised.
    pub length: usize,
    /// Part of the data that is held out.
    pub holdout: Holdout,
    /// Held-out items that the user has had before count too.
    pub repeats: bool,
    /// Seed of the choice of users.
    pub seed: u64,
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            others: Vec::new(),
            users: 10_000,
            events: 5_000_000,
            length: 20,
            holdout: Holdout::LastVisit,
            repeats: false,
            seed: 0,
        }
    }
}
