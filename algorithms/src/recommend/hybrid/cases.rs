//! Held-out users with everything that weights are learned from.

use super::{
    Feature, ItemFacts,
    data::Dataset,
    lists::{Asked, ndcg},
    source::{Person, Source},
};
use crate::{
    control::{Cancelled, Control, work_off},
    recommend::{
        profile::{ProfileEntry, Recency},
        score::{Scored, Scorer},
    },
    stats::mean,
};

/// Users that a thread takes at once.
const CHUNK: usize = 32;
/// Factors up to this size are scanned whole, as serving does.
const SCAN_BYTES: usize = 32 << 20;

/// A user whose next items are known.
pub(super) struct Held {
    pub(super) user: usize,
    pub(super) profile: Vec<ProfileEntry>,
    /// Rows that are not recommended, ascending.
    pub(super) masked: Vec<u32>,
    /// Rows to be found, ascending.
    pub(super) wanted: Vec<u32>,
}

/// The candidates of one user.
#[derive(Default)]
pub(super) struct Case {
    /// Candidates times sources: raw score / scale.
    pub(super) scaled: Vec<f32>,
    /// Candidates times features, standardised.
    pub(super) features: Vec<f32>,
    /// Whether each candidate is to be found.
    pub(super) is_wanted: Vec<bool>,
    /// Items to be found, among the candidates or not.
    pub(super) wanted: usize,
}

/// A feature with what standardises it over the catalogue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standard {
    pub(super) feature: Feature,
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Standard {
    fn of(&self, facts: &ItemFacts) -> f64 {
        self.feature.of(facts).map_or(0.0, |value| (value - self.mean) / self.deviation)
    }
}

/// The features that tell items apart.
pub(super) fn standards(facts: &[ItemFacts]) -> Vec<Standard> {
    let mut standards = Vec::new();
    for feature in Feature::ALL {
        let values: Vec<f64> = facts.iter().filter_map(|facts| feature.of(facts)).collect();
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation =
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        if deviation > 1e-9 {
            standards.push(Standard { feature, mean, deviation });
        }
    }
    standards
}

/// Mean NDCG of one source's lists.
pub(super) fn source_ndcg(
    source: &Source,
    recency: Recency,
    users: &[Held],
    length: usize,
    data: &Dataset<'_>,
    control: &dyn Control,
) -> Result<f64, Cancelled> {
    let asked = asked(&[(source, recency)], users, data, control)?;
    let mut gains = vec![0.0; users.len()];
    let jobs = users.chunks(CHUNK).zip(gains.chunks_mut(CHUNK)).enumerate().collect();
    work_off(jobs, control, Scorer::default, |scorer, meter, (chunk, (users, gains))| {
        let first = chunk * CHUNK;
        let products = asked.products(first..first + users.len());
        for (row, (held, gain)) in users.iter().zip(gains).enumerate() {
            let scoring = asked.score(first + row, row, &products, data.items, scorer);
            let ranking = scoring.rank(|_, scores| scores[0]);
            let work = ranking.len() as u64;
            let list = ranking.filter(|scored| held.may_see(scored.candidate)).take(length);
            let hits = list.map(|scored| held.wants(scored.candidate));
            *gain = ndcg(hits, length, held.wanted.len());
            meter.add(work)?;
        }
        Ok(())
    })?;
    Ok(mean(gains))
}

/// Candidates of all users: the `depth` best of each source.
pub(super) fn cases(
    sources: &[(&Source, Recency)],
    users: &[Held],
    depth: usize,
    data: &Dataset<'_>,
    facts: &[ItemFacts],
    standards: &[Standard],
    control: &dyn Control,
) -> Result<Vec<Case>, Cancelled> {
    let asked = asked(sources, users, data, control)?;
    let mut cases: Vec<Case> = users.iter().map(|_| Case::default()).collect();
    let jobs = users.chunks(CHUNK).zip(cases.chunks_mut(CHUNK)).enumerate().collect();
    work_off(
        jobs,
        control,
        || (Scorer::default(), Vec::new()),
        |(scorer, raw), meter, (chunk, (users, cases))| {
            let first = chunk * CHUNK;
            let products = asked.products(first..first + users.len());
            for (row, (held, case)) in users.iter().zip(cases).enumerate() {
                let scoring = asked.score(first + row, row, &products, data.items, scorer);
                let mut rows = Vec::new();
                raw.clear();
                scoring.rank(|candidate, scores| {
                    if held.may_see(candidate) {
                        rows.push(candidate);
                        raw.extend_from_slice(scores);
                    }
                    0.0
                });
                meter.add((rows.len() * sources.len()) as u64 * 4)?;
                let scales = asked.scales(first + row);
                *case = Case::new(held, &rows, raw, &scales, depth, facts, standards);
            }
            Ok(())
        },
    )?;
    Ok(cases)
}

impl Held {
    fn may_see(&self, row: u32) -> bool {
        self.masked.binary_search(&row).is_err()
    }

    fn wants(&self, row: u32) -> bool {
        self.wanted.binary_search(&row).is_ok()
    }
}

impl Case {
    /// Keeps the `depth` best of each source among `rows`, whose scores by source are in `raw`.
    fn new(
        held: &Held,
        rows: &[u32],
        raw: &[f64],
        scales: &[f64],
        depth: usize,
        facts: &[ItemFacts],
        standards: &[Standard],
    ) -> Self {
        let sources = scales.len();
        let mut kept: Vec<u32> = Vec::new();
        let mut order: Vec<Scored> = Vec::new();
        for source in 0..sources {
            order.clear();
            let scores = raw.iter().skip(source).step_by(sources);
            let scored = rows.iter().zip(scores).zip(0..).filter(|((_, score), _)| **score != 0.0);
            // By row among equals, as lists are.
            order.extend(scored.map(|((&candidate, &score), _)| Scored { candidate, score }));
            if order.len() > depth {
                order.select_nth_unstable_by(depth, |left, right| right.cmp(left));
                order.truncate(depth);
            }
            kept.extend(order.iter().map(|scored| scored.candidate));
        }
        kept.sort_unstable();
        kept.dedup();
        let mut places: Vec<(u32, usize)> = rows.iter().copied().zip(0..).collect();
        places.retain(|(row, _)| kept.binary_search(row).is_ok());
        places.sort_unstable();
        let mut case = Self { wanted: held.wanted.len(), ..Self::default() };
        for (row, place) in places {
            let scores = &raw[place * sources..(place + 1) * sources];
            let scaled = scores.iter().zip(scales);
            case.scaled.extend(scaled.map(|(score, scale)| (score / scale) as f32));
            let facts = &facts[row as usize];
            case.features.extend(standards.iter().map(|standard| standard.of(facts) as f32));
            case.is_wanted.push(held.wants(row));
        }
        case
    }
}

/// Mean NDCG of the cases' candidates ordered by `score`, which takes a case and the index of a
/// candidate.
pub(super) fn cases_ndcg(
    cases: &[Case],
    length: usize,
    control: &dyn Control,
    scores: impl Fn(&Case, usize, &mut Vec<f64>) + Sync,
) -> Result<f64, Cancelled> {
    let mut gains = vec![0.0; cases.len()];
    let jobs = gains.chunks_mut(CHUNK).enumerate().collect();
    work_off(
        jobs,
        control,
        || (Vec::new(), Vec::new()),
        |(values, list), meter, (chunk, gains): (usize, &mut [f64])| {
            for (index, gain) in gains.iter_mut().enumerate() {
                let at = chunk * CHUNK + index;
                let case = &cases[at];
                values.clear();
                scores(case, at, values);
                let scored = (0..).zip(&*values);
                let scored = scored.map(|(candidate, &score)| Scored { candidate, score });
                best(scored, length, list);
                let hits =
                    list.iter().map(|scored: &Scored| case.is_wanted[scored.candidate as usize]);
                *gain = ndcg(hits, length, case.wanted);
                meter.add(case.is_wanted.len() as u64 * 4)?;
            }
            Ok(())
        },
    )?;
    Ok(mean(gains))
}

fn asked<'a>(
    sources: &[(&'a Source, Recency)],
    users: &'a [Held],
    data: &Dataset<'a>,
    control: &dyn Control,
) -> Result<Asked<'a>, Cancelled> {
    let mut people: Vec<Person<'_>> = Vec::with_capacity(users.len());
    for held in users {
        people.push(Person {
            entries: &held.profile,
            history: data.sequences.of(held.user),
            row: data.row_of_user[held.user],
        });
    }
    let is_small = sources.iter().all(|(source, _)| source.scan_bytes() <= SCAN_BYTES);
    Asked::new(sources, &people, is_small, control)
}

/// Fills `list` with the `length` best, best first.
fn best(scored: impl Iterator<Item = Scored>, length: usize, list: &mut Vec<Scored>) {
    list.clear();
    list.extend(scored);
    if list.len() > length {
        list.select_nth_unstable_by(length, |left, right| right.cmp(left));
        list.truncate(length);
    }
    list.sort_unstable_by(|left, right| right.cmp(left));
}
