//! Lists of all users by one algorithm, and their measures.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::{
    Algorithm, Group, Measures, Options, Prediction, Split, Trained,
    exposure::Exposure,
    groups::{ages, thirds},
    measures::{self, KINDS},
};
use crate::{
    control::{Cancelled, Control, work_off},
    recommend::{
        hybrid::{
            ItemFacts, Learned, Mix,
            data::Dataset,
            lists::Asked,
            source::{Person, Source},
        },
        profile::{ProfileEntry, Recency},
        score::{Scored, Scorer},
    },
    stats::{
        bootstrap::{Difference, difference},
        mean,
    },
};

/// Users who are ranked before their lists are measured and dropped.
const BLOCK: usize = 8_192;
/// Users that a thread takes at once.
const CHUNK: usize = 32;
/// Length of the lists that are compared, if it is measured.
const COMPARED: usize = 20;
/// Users whose lists from candidates are compared with those from all items.
const CANDIDATE_USERS: usize = 2_000;

/// Algorithm that is ready to rank.
pub(super) struct Contender<'a> {
    algorithm: Algorithm,
    sources: Vec<(&'a Source, Recency)>,
    mix: Option<&'a Mix>,
    recency: Recency,
    train_seconds: f64,
}

impl<'a> Contender<'a> {
    pub(super) fn single(trained: &'a [Trained], algorithm: Algorithm) -> Self {
        let found = trained.iter().find(|known| known.algorithm == algorithm);
        let Trained { source, recency, seconds, .. } = found.expect("every algorithm was trained");
        let (sources, recency) = (vec![(source, *recency)], *recency);
        Self { algorithm, sources, mix: None, recency, train_seconds: *seconds }
    }

    pub(super) fn mix(trained: &'a [Trained], learned: &'a Learned) -> Self {
        let mut contender = Self {
            algorithm: Algorithm::Hybrid,
            sources: Vec::new(),
            mix: Some(&learned.mix),
            recency: Recency::default(),
            train_seconds: 0.0,
        };
        for source in &learned.mix.sources {
            let known = trained.iter().find(|known| known.algorithm.name() == source.algorithm);
            let Trained { source: trained, seconds, .. } = known.expect("members were trained");
            contender.sources.push((trained, source.recency));
            contender.train_seconds += seconds;
        }
        contender
    }

    fn scores_all(&self) -> bool {
        self.sources.iter().any(|(source, _)| source.scores_all())
    }
}

/// Measures algorithms on the same users.
pub(super) struct Evaluator<'a> {
    data: &'a Dataset<'a>,
    split: &'a Split<'a>,
    options: &'a Options,
    facts: Vec<ItemFacts>,
    /// Users who have each item.
    degrees: Vec<u32>,
    /// Users with test items.
    users: Vec<usize>,
    activity: (Vec<usize>, Vec<(u64, u64)>),
    /// Age of items in days; `None` for all without times.
    ages: Vec<Option<u64>>,
    /// Column of `Options::at` that is compared.
    compared: usize,
    /// NDCG by user at that length, by result.
    ndcg: Vec<Vec<f64>>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(data: &'a Dataset<'a>, split: &'a Split<'a>, options: &'a Options) -> Self {
        let facts = split.facts.iter().zip(&data.popularity);
        let users: Vec<usize> =
            (0..split.test.len()).filter(|&user| !split.test[user].is_empty()).collect();
        let lengths: Vec<u64> =
            users.iter().map(|&user| data.sequences.of(user).len() as u64).collect();
        let mut ages = ages(data);
        if ages.iter().flatten().all(|&age| age == 0) {
            ages.fill(None);
        }
        let mut degrees = vec![0; data.items];
        for &label in &data.matrix.columns {
            degrees[data.row_of_label[label as usize] as usize] += 1;
        }
        Self {
            degrees,
            facts: facts.map(|(facts, &popularity)| ItemFacts { popularity, ..*facts }).collect(),
            activity: thirds(&lengths),
            compared: options.at.iter().position(|&length| length == COMPARED).unwrap_or(0),
            ndcg: Vec::new(),
            data,
            split,
            options,
            users,
            ages,
        }
    }

    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    /// Ranks all users.
    pub(super) fn measure(
        &mut self,
        contender: &Contender<'_>,
        seconds: &dyn Fn() -> f64,
        predictions: &mut dyn FnMut(Prediction),
        control: &dyn Control,
    ) -> Result<Measures, Cancelled> {
        let at = &self.options.at;
        let longest = at.iter().copied().max().unwrap_or_default();
        let mut rows = Array2::<f64>::zeros((self.users.len(), at.len() * KINDS));
        let mut exposures: Vec<Exposure> =
            at.iter().map(|_| Exposure::new(self.data.items)).collect();
        let mut by_age = AgeHits::new(&self.ages, self.split, &self.users, at);
        let (mut score_seconds, mut shared) = (0.0, Shared::default());
        let people = self.data.sequences.users().max(1) as f64;
        for (block, mut rows) in
            self.users.chunks(BLOCK).zip(rows.axis_chunks_iter_mut(Axis(0), BLOCK))
        {
            let start = seconds();
            let lists = self.rank(contender, block, longest, true, control)?;
            score_seconds += seconds() - start;
            for ((&user, list), row) in block.iter().zip(&lists).zip(rows.rows_mut()) {
                let test = &self.split.test[user];
                measures::measure(test, list, at, row);
                by_age.add(test, list, at);
                for (rank, scored) in (1..).zip(list) {
                    let (item, score) = (scored.candidate, scored.score);
                    // Everybody knows of an item one user more: that of a new one is finite.
                    let share = (self.degrees[item as usize] as f64 + 1.0) / (people + 1.0);
                    let shown = at.iter().zip(&mut exposures);
                    for (_, exposure) in shown.filter(|(length, _)| rank <= **length) {
                        exposure.show(item, share);
                    }
                    let (algorithm, user) = (contender.algorithm, user as u32);
                    predictions(Prediction { algorithm, user, item, rank, score });
                }
            }
            if contender.scores_all() && shared.users < CANDIDATE_USERS {
                let some = block.len().min(CANDIDATE_USERS - shared.users);
                let candidates = self.rank(contender, &block[..some], COMPARED, false, control)?;
                shared.add(&lists[..some], &candidates);
            }
        }
        let kind = |kind: usize| -> Vec<f64> {
            let columns = kind * at.len()..(kind + 1) * at.len();
            columns.map(|column| mean(rows.column(column).to_vec())).collect()
        };
        let compared = at.len() + self.compared;
        self.ndcg.push(if at.is_empty() { vec![] } else { rows.column(compared).to_vec() });
        Ok(Measures {
            algorithm: contender.algorithm,
            recency: contender.recency,
            recall: kind(0),
            ndcg: kind(1),
            precision: kind(2),
            hit_rate: kind(3),
            coverage: exposures.iter().map(Exposure::coverage).collect(),
            gini: exposures.iter().map(Exposure::gini).collect(),
            novelty: exposures.iter().map(Exposure::novelty).collect(),
            by_activity: self.by_activity(&rows),
            by_item_age: by_age.groups(),
            difference: None,
            candidate_recall: contender.scores_all().then(|| shared.recall()),
            train_seconds: contender.train_seconds,
            score_seconds,
        })
    }

    /// The lists of `users`, in their order; a user without history has none.
    fn rank(
        &self,
        contender: &Contender<'_>,
        users: &[usize],
        length: usize,
        all: bool,
        control: &dyn Control,
    ) -> Result<Vec<Vec<Scored>>, Cancelled> {
        let entries: Vec<Vec<ProfileEntry>> =
            users.iter().map(|&user| self.data.entries(user)).collect();
        let mut people: Vec<Person<'_>> = Vec::with_capacity(users.len());
        for (&user, entries) in users.iter().zip(&entries) {
            people.push(Person {
                entries,
                history: self.data.sequences.of(user),
                row: self.data.row_of_user[user],
            });
        }
        let asked = Asked::new(&contender.sources, &people, all, control)?;
        let mut lists = vec![Vec::new(); users.len()];
        let jobs = users.chunks(CHUNK).zip(lists.chunks_mut(CHUNK)).enumerate().collect();
        work_off(jobs, control, Scorer::default, |scorer, meter, (chunk, (users, lists))| {
            let first = chunk * CHUNK;
            let products = asked.products(first..first + users.len());
            for (row, (&user, list)) in users.iter().zip(lists).enumerate() {
                if self.data.sequences.of(user).is_empty() {
                    continue;
                }
                let scoring = asked.score(first + row, row, &products, self.data.items, scorer);
                let scales = asked.scales(first + row);
                let ranking = scoring.rank(|item, scores| match contender.mix {
                    Some(mix) => mix.score(scores, &scales, &self.facts[item as usize]),
                    None => scores[0],
                });
                let masked =
                    if self.options.learning.repeats { vec![] } else { self.data.seen(user) };
                let work = ranking.len() as u64;
                let new = ranking.filter(|scored| masked.binary_search(&scored.candidate).is_err());
                list.extend(new.take(length));
                meter.add(work * (1 + contender.sources.len() as u64))?;
            }
            Ok(())
        })?;
        Ok(lists)
    }

    fn by_activity(&self, rows: &Array2<f64>) -> Vec<Group> {
        let lengths = self.options.at.len();
        let (own, ranges) = &self.activity;
        let mut groups = Vec::with_capacity(ranges.len());
        for (index, &range) in ranges.iter().enumerate() {
            let members: Vec<usize> = (0..own.len()).filter(|&at| own[at] == index).collect();
            let mean = |column: usize| mean(members.iter().map(|&at| rows[[at, column]]));
            let recall = (0..lengths).map(mean).collect();
            let ndcg = (lengths..2 * lengths).map(mean).collect();
            groups.push(Group { range, count: members.len(), recall, ndcg });
        }
        groups
    }

    /// Compares all results with the hybrid, or else with the best.
    pub(super) fn compare(&self, results: &mut [Measures]) -> Option<(usize, Algorithm)> {
        let length = *self.options.at.get(self.compared)?;
        let ndcg = |at: &usize| results[*at].ndcg[self.compared];
        let hybrid = results.iter().position(|result| result.algorithm == Algorithm::Hybrid);
        let best = hybrid.or_else(|| {
            (0..results.len()).reduce(|best, at| if ndcg(&at) > ndcg(&best) { at } else { best })
        })?;
        let seed = self.options.learning.seed;
        for (at, result) in results.iter_mut().enumerate().filter(|&(at, _)| at != best) {
            let found: Difference = difference(&self.ndcg[at], &self.ndcg[best], seed);
            result.difference = Some(found);
        }
        Some((length, results[best].algorithm))
    }
}

/// What serving from candidates finds of the best lists.
#[derive(Default)]
struct Shared {
    users: usize,
    found: usize,
    best: usize,
}

impl Shared {
    fn add(&mut self, best: &[Vec<Scored>], candidates: &[Vec<Scored>]) {
        self.users += best.len();
        for (best, candidates) in best.iter().zip(candidates) {
            let best = &best[..best.len().min(COMPARED)];
            for one in best {
                let is_shared = candidates.iter().any(|other| other.candidate == one.candidate);
                self.found += usize::from(is_shared);
            }
            self.best += best.len();
        }
    }

    fn recall(&self) -> f64 {
        if self.best == 0 { 1.0 } else { self.found as f64 / self.best as f64 }
    }
}

/// Test items found, by thirds of their age.
struct AgeHits {
    /// Third by age.
    third: BTreeMap<u64, usize>,
    ranges: Vec<(u64, u64)>,
    ages: Vec<Option<u64>>,
    wanted: Vec<usize>,
    /// Test items found, by third, then length.
    found: Vec<Vec<usize>>,
}

impl AgeHits {
    fn new(ages: &[Option<u64>], split: &Split<'_>, users: &[usize], at: &[usize]) -> Self {
        let items = users.iter().flat_map(|&user| &split.test[user]);
        let values: Vec<u64> = items.filter_map(|&item| ages[item as usize]).collect();
        let (own, ranges) = thirds(&values);
        Self {
            third: values.into_iter().zip(own).collect(),
            wanted: vec![0; ranges.len()],
            found: vec![vec![0; at.len()]; ranges.len()],
            ages: ages.to_vec(),
            ranges,
        }
    }

    fn add(&mut self, test: &[u32], list: &[Scored], at: &[usize]) {
        for &item in test {
            let age = self.ages[item as usize];
            let Some(&third) = age.and_then(|age| self.third.get(&age)) else { continue };
            self.wanted[third] += 1;
            let place = list.iter().position(|scored| scored.candidate == item);
            for (found, &length) in self.found[third].iter_mut().zip(at) {
                *found += usize::from(place.is_some_and(|place| place < length));
            }
        }
    }

    fn groups(self) -> Vec<Group> {
        let mut groups = Vec::with_capacity(self.ranges.len());
        for ((range, count), found) in self.ranges.into_iter().zip(self.wanted).zip(self.found) {
            let recall =
                found.into_iter().map(|found| found as f64 / count.max(1) as f64).collect();
            groups.push(Group { range, count, recall, ndcg: Vec::new() });
        }
        groups
    }
}
