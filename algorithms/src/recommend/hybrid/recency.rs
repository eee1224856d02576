//! Half-lives of profiles, by the NDCG of held-out lists.

use super::{
    cases::{Held, source_ndcg},
    data::Dataset,
    source::Source,
};
use crate::{
    control::{Cancelled, Control},
    recommend::profile::Recency,
};

/// Visits after which an item counts half, the mildest first.
const RANKS: [f64; 7] = [32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5];
/// Days likewise.
const DAYS: [f64; 6] = [240.0, 120.0, 60.0, 30.0, 14.0, 7.0];
/// Steps in vain after which shorter half-lives are not tried.
const PATIENCE: usize = 2;

/// The half-lives of one source with the best mean NDCG, and that; the plain form unless another is
/// better.
///
/// One coordinate at a time, from the plain form to ever shorter half-lives: ranks first, then ages
/// alone, then ages beside the best rank.
pub(super) fn learn(
    source: &Source,
    users: &[Held],
    length: usize,
    data: &Dataset<'_>,
    control: &dyn Control,
) -> Result<(Recency, f64), Cancelled> {
    let plain = Recency::default();
    let mut best = (plain, source_ndcg(source, plain, users, length, data, control)?);
    if !source.uses_recency() {
        return Ok(best);
    }
    let entries = || users.iter().flat_map(|held| &held.profile);
    let has_ranks = entries().any(|entry| entry.rank > 0);
    let oldest = entries().map(|entry| entry.age_days).fold(0.0, f32::max);
    let mut walk = |forms: &mut dyn Iterator<Item = Recency>| -> Result<Recency, Cancelled> {
        let mut in_vain = 0;
        for recency in forms {
            let ndcg = source_ndcg(source, recency, users, length, data, control)?;
            in_vain += 1;
            if ndcg > best.1 {
                (best, in_vain) = ((recency, ndcg), 0);
            }
            if in_vain == PATIENCE {
                break;
            }
        }
        Ok(best.0)
    };
    let by_rank = RANKS.iter().map(|&rank_half_life| Recency { rank_half_life, ..plain });
    let Recency { rank_half_life, .. } = walk(&mut by_rank.filter(|_| has_ranks))?;
    // Longer half-lives than the history change nothing.
    let days = || DAYS.into_iter().filter(|&days| days < f64::from(oldest));
    walk(&mut days().map(|age_half_life_days| Recency { age_half_life_days, ..plain }))?;
    if rank_half_life > 0.0 {
        walk(&mut days().map(|age_half_life_days| Recency { rank_half_life, age_half_life_days }))?;
    }
    Ok(best)
}
