//! What to recommend to whom.
//!
//! `stages` trains what `sources` score by. A question is answered in two steps: `profile` says in
//! the user's shard what each source is asked with, `answer` finds the best items of a worker's
//! shards. Answers equal a plain reference for any number of shards and any split over workers.

mod answer;
mod popular;
mod profile;
mod rules;
mod searches;
mod similar_users;
mod sources;
mod stages;

use std::sync::Arc;

use crate::serve::Serving;
use answer::Scorers;
use rules::RulesCache;
use searches::Searches;
pub(crate) use stages::STAGES;
#[cfg(test)]
pub(crate) use stages::tests as training;

/// What recommendations are answered from, with what calls share.
#[derive(Debug)]
pub(crate) struct Recommender {
    serving: Arc<Serving>,
    scorers: Arc<Scorers>,
    searches: Arc<Searches>,
    rules: Arc<RulesCache>,
    scan_bytes: u64,
}

impl Recommender {
    /// All items are scored where their factors take at most `scan_bytes`, candidates elsewhere.
    pub(crate) fn new(serving: Arc<Serving>, scan_bytes: u64) -> Self {
        let (scorers, searches, rules) = <_>::default();
        Self { serving, scorers, searches, rules, scan_bytes }
    }
}
