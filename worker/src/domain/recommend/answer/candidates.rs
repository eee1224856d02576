//! The candidates of a shard, scored completely by every source.

use mercer_algorithms::recommend::score::{Ranking, Scorer};
use mercer_common::slot::ShardId;

use super::call::{Call, profile};
use crate::{artifact::FactorSide, domain::recommend::sources::Source, version::OpenSet};

/// A candidate that a rule includes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Included {
    /// Index among the shard's items.
    pub(super) candidate: u32,
    /// What the version says of it; `None` when no source made it a candidate.
    pub(super) base: Option<f64>,
}

/// All candidates of the shard by what the version says of them, best first; `None` when nothing is
/// scored. Fills in what is said of the included ones, which are sorted.
///
/// With a mix this is the mix of the sources and of the popularity at the training: other
/// properties of items are live, and added when an item is looked at.
pub(super) fn rank<'s>(
    call: &Call,
    shard: ShardId,
    scorer: &'s mut Scorer,
    included: &mut [Included],
) -> Option<Ranking<'s>> {
    let set = call.set.as_deref()?;
    let rows = set.items().shard_rows(shard);
    let range = rows.start as usize..rows.end as usize;
    let mut scoring = scorer.begin(range.len(), call.request.sources.len().max(1));
    if call.is_full_scan {
        scoring.add_all();
    }
    for (index, query, source) in call.sources(set) {
        match source {
            Source::Neighbours(model) => {
                let postings = model.postings(shard)?;
                scoring.add_neighbours(index, postings, profile(query));
            }
            Source::Factors(model, _) => {
                if let Some(postings) = model.postings(shard)
                    && !call.is_full_scan
                {
                    scoring.add_named(postings, &query.rows, rows.start);
                }
            }
            Source::Users(..) | Source::Repurchase(_) => {
                let first = query.rows.partition_point(|&row| row < rows.start);
                let listed = query.rows[first..].iter().zip(&query.weights[first..]);
                for (&row, &score) in listed.take_while(|(row, _)| **row < rows.end) {
                    scoring.add_score(index, row - rows.start, f64::from(score));
                }
            }
            Source::Items(scores) if call.mix.is_some() => {
                let best = scores.best();
                let first = best.partition_point(|&row| row < rows.start);
                for &row in best[first..].iter().take_while(|row| **row < rows.end) {
                    scoring.add_candidate(row - rows.start);
                }
            }
            Source::Items(scores) => {
                for (candidate, &score) in (0..).zip(&scores.view()[range.clone()]) {
                    if score > 0.0 {
                        scoring.add_candidate(candidate);
                    }
                }
            }
        }
    }
    for (index, query, source) in call.sources(set) {
        match source {
            Source::Factors(_, side) => {
                scoring.add_products(index, of_shard(side, &range), &query.vector);
            }
            Source::Items(scores) => {
                let scores = &scores.view()[range.clone()];
                scoring.score_candidates(index, |item| f64::from(scores[item as usize]));
            }
            Source::Neighbours(_) | Source::Users(..) | Source::Repurchase(_) => {}
        }
    }
    let popularity = &set.items().popularity()[range];
    let ranking = scoring.rank(|candidate, raw| {
        let known = call.features_of_version(popularity[candidate as usize]);
        let base = known.fold(mixed(call, raw), |sum, (_, part)| sum + part);
        if let Ok(at) = included.binary_search_by_key(&candidate, |one| one.candidate) {
            included[at].base = Some(base);
        }
        base
    });
    Some(ranking)
}

/// What the sources say together of an item with these raw scores.
fn mixed(call: &Call, raw: &[f64]) -> f64 {
    let Some(mix) = &call.mix else { return raw[0] };
    let scales = call.request.sources.iter().map(|query| query.scale);
    let parts = mix.sources.iter().zip(raw.iter().zip(scales));
    parts.fold(0.0, |sum, (source, (&raw, scale))| sum + source.part(raw, scale))
}

/// The factors of a shard's items.
pub(super) fn of_shard<'a>(side: &'a FactorSide, rows: &std::ops::Range<usize>) -> &'a [f32] {
    &side.factors()[rows.start * side.dimensions()..rows.end * side.dimensions()]
}

/// Whether all items can be scored: factors are read whole, so there must be few enough.
pub(super) fn can_scan(call: &Call, set: &OpenSet, scan_bytes: u64) -> bool {
    let (mut has_factors, mut bytes) = (false, 0);
    for (.., source) in call.sources(set) {
        if let Source::Factors(_, side) = source {
            has_factors = true;
            bytes += size_of_val(side.factors()) as u64;
        }
    }
    has_factors && bytes <= scan_bytes
}
