//! Half-lives of profiles, by the NDCG of held-out lists.

use super::{
    cases::{Held, source_ndcg},
    data::Dataset,
    source::Source,
};
use crate::recommend::{
    control::{Cancelled, Control},
    profile::Recency,
};

/// Visits after which an item counts half; 0 for never.
const RANKS: [f64; 7] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// Days likewise.
const DAYS: [f64; 6] = [7.0, 14.0, 30.0, 60.0, 120.0, 240.0];

/// The half-lives of one source with the best mean NDCG, and that; the plain form unless another is
/// better.
///
/// One coordinate at a time, from the plain form: ranks first, then ages.
pub(super) fn learn(
    source: &Source,
    users: &[Held],
    length: usize,
    data: &Dataset<'_>,
    control: &dyn Control,
) -> Result<(Recency, f64), Cancelled> {
    let mut best = Recency::default();
    let mut best_ndcg = source_ndcg(source, best, users, length, data, control)?;
    if !source.uses_recency() {
        return Ok((best, best_ndcg));
    }
    let entries = || users.iter().flat_map(|held| &held.profile);
    let has_ranks = entries().any(|entry| entry.rank > 0);
    let oldest = entries().map(|entry| entry.age_days).fold(0.0, f32::max);
    let by_rank = RANKS.map(|rank_half_life| Recency { rank_half_life, ..Recency::default() });
    for recency in by_rank.into_iter().filter(|_| has_ranks) {
        let ndcg = source_ndcg(source, recency, users, length, data, control)?;
        if ndcg > best_ndcg {
            (best, best_ndcg) = (recency, ndcg);
        }
    }
    let rank_half_life = best.rank_half_life;
    // Longer half-lives than the history change nothing.
    for age_half_life_days in DAYS.into_iter().filter(|&days| days < f64::from(oldest)) {
        let by_age = Recency { rank_half_life: 0.0, age_half_life_days };
        let by_both = Recency { rank_half_life, age_half_life_days };
        for recency in [by_age, by_both].into_iter().take(1 + usize::from(rank_half_life > 0.0)) {
            let ndcg = source_ndcg(source, recency, users, length, data, control)?;
            if ndcg > best_ndcg {
                (best, best_ndcg) = (recency, ndcg);
            }
        }
    }
    Ok((best, best_ndcg))
}
