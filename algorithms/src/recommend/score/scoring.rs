//! Scores of all candidates by all sources, in memory that is kept between calls.

use std::collections::BinaryHeap;

use super::{Profile, Ranking, Scored};
use crate::recommend::postings::Postings;

/// Scores items; keeps its memory between calls.
#[derive(Debug, Default)]
pub struct Scorer {
    /// Place of each item among the candidates plus 1; 0 when it is none, as all are between calls.
    places: Vec<u32>,
    /// Candidates of the scores under way, in the order in which they were named.
    candidates: Vec<Scored>,
    /// Sums by candidate, then source: few of many items are candidates, and their sums stay in a
    /// core's cache.
    sums: Vec<f64>,
    sources: usize,
    heap: BinaryHeap<Scored>,
}

impl Scorer {
    /// Scores every item that a posting of the profile names.
    ///
    /// Products are summed in profile order in f64, so that the score is the sum of
    /// [`explain`](super::explain)'s parts to the bit.
    pub fn score(&mut self, postings: Postings<'_>, profile: Profile<'_>) -> Ranking<'_> {
        let mut scoring = self.begin(postings.items(), 1);
        scoring.add_neighbours(0, postings, profile);
        scoring.rank(|_, scores| scores[0])
    }

    /// Begins to score a shard of `items` items by `sources` sources, at least one.
    ///
    /// First the sources name candidates; then those that name none score what the others named;
    /// and last the scores of each candidate are mixed into one.
    pub fn begin(&mut self, items: usize, sources: usize) -> Scoring<'_> {
        // Scores that were never ranked.
        self.clear();
        self.places.resize(self.places.len().max(items), 0);
        self.candidates = std::mem::take(&mut self.heap).into_vec();
        self.candidates.clear();
        self.sources = sources;
        Scoring { scorer: self, items }
    }

    fn clear(&mut self) {
        for scored in &self.candidates {
            self.places[scored.candidate as usize] = 0;
        }
        self.sums.clear();
    }
}

/// Scores under way.
#[derive(Debug)]
pub struct Scoring<'a> {
    scorer: &'a mut Scorer,
    items: usize,
}

impl<'a> Scoring<'a> {
    /// Makes an item a candidate.
    ///
    /// # Panics
    /// When there is no such item.
    #[inline]
    pub fn add_candidate(&mut self, candidate: u32) {
        self.place(candidate);
    }

    /// The place of an item among the candidates, which it becomes one of.
    #[inline]
    fn place(&mut self, candidate: u32) -> usize {
        let Scorer { places, candidates, sums, sources, .. } = &mut *self.scorer;
        let place = &mut places[candidate as usize];
        if *place == 0 {
            candidates.push(Scored { candidate, score: 0.0 });
            sums.resize(sums.len() + *sources, 0.0);
            *place = candidates.len() as u32;
        }
        *place as usize - 1
    }

    /// Makes every item a candidate.
    pub fn add_all(&mut self) {
        for candidate in (0..).take(self.items) {
            self.add_candidate(candidate);
        }
    }

    /// Makes the items of these rows candidates, and every item that a posting of them names, without
    /// a score. The rows of the shard's items begin with `first`.
    pub fn add_named(&mut self, postings: Postings<'_>, rows: &[u32], first: u32) {
        for &source in rows {
            let own = source.checked_sub(first).filter(|&own| (own as usize) < self.items);
            own.into_iter().for_each(|own| self.add_candidate(own));
            for &candidate in postings.of(source).0 {
                self.add_candidate(candidate);
            }
        }
    }

    /// Makes every item a candidate that a posting of the profile names, and adds weight times
    /// posting weight to its score by `source`.
    pub fn add_neighbours(&mut self, source: usize, postings: Postings<'_>, profile: Profile<'_>) {
        for (&row, &weight) in profile.rows.iter().zip(profile.weights) {
            let (candidates, weights) = postings.of(row);
            for (&candidate, &posting) in candidates.iter().zip(weights) {
                self.add_score(source, candidate, f64::from(weight) * f64::from(posting));
            }
        }
    }

    /// Makes an item a candidate and adds to its score by `source`.
    #[inline]
    pub fn add_score(&mut self, source: usize, candidate: u32, score: f64) {
        let at = self.place(candidate) * self.scorer.sources + source;
        self.scorer.sums[at] += score;
    }

    /// Gives every candidate its score by `source`, which named none.
    pub fn score_candidates(&mut self, source: usize, mut score: impl FnMut(u32) -> f64) {
        let Scorer { sums, candidates, sources, .. } = &mut *self.scorer;
        for (scored, sums) in candidates.iter().zip(sums.chunks_exact_mut(*sources)) {
            sums[source] = score(scored.candidate);
        }
    }

    /// [`Self::score_candidates`], asking for what the score of each candidate needs a few
    /// candidates before.
    pub(super) fn score_ahead(
        &mut self,
        source: usize,
        ahead: usize,
        ask: impl Fn(u32),
        score: impl Fn(u32) -> f64,
    ) {
        let Scorer { sums, candidates, sources, .. } = &mut *self.scorer;
        let scored = candidates.iter().zip(sums.chunks_exact_mut(*sources));
        for (at, (scored, sums)) in scored.enumerate() {
            if let Some(next) = candidates.get(at + ahead) {
                ask(next.candidate);
            }
            sums[source] = score(scored.candidate);
        }
    }

    /// Mixes the scores of each candidate, by source; an item that a source says nothing of has 0
    /// there.
    pub fn rank(self, mut mix: impl FnMut(u32, &[f64]) -> f64) -> Ranking<'a> {
        let scorer = self.scorer;
        let mut lowest = f64::INFINITY;
        let sums = scorer.sums.chunks_exact(scorer.sources);
        for (scored, sums) in scorer.candidates.iter_mut().zip(sums) {
            scored.score = mix(scored.candidate, sums);
            lowest = lowest.min(scored.score);
        }
        scorer.clear();
        scorer.heap = std::mem::take(&mut scorer.candidates).into();
        Ranking { heap: &mut scorer.heap, lowest }
    }
}
