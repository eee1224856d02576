//! Half-lives and weights from held-out events.

use std::fmt;

use super::{
    Algorithm, Holdout, ItemFacts, LearnOptions, Mix, MixFeature, MixSource, ModelSpec,
    cases::{Case, Held, Standard, cases, source_ndcg, standards},
    data::Dataset,
    hold_out,
    mix::Transform,
    ranker::Ranker,
    recency,
    sample::{chosen, people, sample},
    search::{Convex, search},
    source::Source,
};
use crate::{
    control::{Cancelled, Control},
    recommend::{postings::PostingsBuf, profile::Recency, sequences::Sequences},
};

/// Candidates of each source that a held-out user is given, for each place of the list.
const DEPTH: usize = 8;
/// Users below which nothing is learned.
const FEWEST_USERS: usize = 20;

/// Method by which weights are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Convex weights, by coordinate search on NDCG.
    #[default]
    Mix,
    /// Softmax regression over scores and features.
    Ranker,
}

impl Method {
    /// The name that is stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mix => "mix",
            Self::Ranker => "ranker",
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Mix, Self::Ranker].into_iter().find(|method| method.name() == name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Mix and half-lives that were learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Half-lives of every source and other algorithm.
    pub recencies: Vec<(Algorithm, Recency)>,
    /// Mix of the sources; empty without any.
    pub mix: Mix,
    /// Method by which the mix was found.
    pub method: Method,
    /// NDCG of the mix on users that its weights were not learned from.
    pub validation_ndcg: f64,
    /// The best source alone, on the users that weights were learned from, and its NDCG on the
    /// same users as [`Self::validation_ndcg`].
    pub best_source: Option<(Algorithm, f64)>,
    /// Users that were learned from and validated on.
    pub validation_users: usize,
}

/// A source trained without what is held out.
struct Member {
    algorithm: Algorithm,
    source: Source,
    recency: Recency,
    /// NDCG of its lists alone, on the users that weights are learned from.
    ndcg: f64,
}

/// Learns half-lives of profiles and the weights of a mix from the latest part of the events.
///
/// The latest part of the users' events is held out, sources are trained from the rest, and held-out
/// users choose: for every source the half-lives with the best NDCG of its lists; convex weights of
/// the scaled scores, by coordinate search on the NDCG of the mixed lists; and weights of a ranker
/// over scores and properties of the items. Others decide between the two, whose weights are then
/// fitted to all. Where days are held out, those who choose are seen in as many days before, so that
/// what holds in one season only is not believed; else they are one half of the users. With too few
/// users all sources weigh alike.
///
/// `parts` are all users in order, their items the rows of `facts`. The popularity in `facts` is
/// not read: it would know what was held out. `given` are neighbourhoods that do not depend on
/// events and are not trained again. A function of its arguments only: the same bits for any
/// number of threads and any split of the users.
///
/// # Errors
/// When `control` says so.
///
/// # Panics
/// When an event or a posting names a row beyond `facts`.
pub fn learn(
    parts: &[Sequences<'_>],
    facts: &[ItemFacts],
    given: Vec<(Algorithm, PostingsBuf)>,
    spec: &ModelSpec,
    options: &LearnOptions,
    control: &dyn Control,
) -> Result<Learned, Cancelled> {
    let items = facts.len();
    let sample = sample(parts, options);
    let sample = sample.view(items).expect("events of sound sequences");
    let is_chosen = chosen(sample, options);
    let held =
        hold_out(sample, options.holdout, options.repeats, &spec.profile, options.seed, |user| {
            is_chosen[user]
        });
    let train = held.train.view(items).expect("events of sound sequences");
    let data = Dataset::new(train, items, &spec.profile);
    let mut validation = people(&data, &held.test, options);
    let users = validation.len();
    // The days before those held out, if there are any with enough users.
    let before = match options.holdout {
        Holdout::Days(_) => {
            let (holdout, seed) = (options.holdout, options.seed);
            Some(hold_out(train, holdout, options.repeats, &spec.profile, seed, |_| true))
        }
        Holdout::LastVisit => None,
    };
    let before = before.as_ref().map(|held| {
        let train = held.train.view(items).expect("events of sound sequences");
        let data = Dataset::new(train, items, &spec.profile);
        let users = people(&data, &held.test, options);
        (data, users)
    });
    let before = before.filter(|(_, users)| users.len() >= FEWEST_USERS);
    let names = || options.sources.iter().chain(&options.others);
    if users < FEWEST_USERS {
        return Ok(unlearned(names().copied(), &options.sources, users));
    }
    let half;
    let (early, learning) = match &before {
        Some((data, users)) => (data, users),
        None => {
            half = validation.split_off(users / 2);
            (&data, &half)
        }
    };

    let train = |algorithm: Algorithm, data: &Dataset<'_>| match given
        .iter()
        .find(|(known, _)| *known == algorithm)
    {
        Some((_, postings)) => Ok(Source::given(postings.clone())),
        None => Source::train(algorithm, data, spec, control),
    };
    let mut members: Vec<Member> = Vec::new();
    for &algorithm in names() {
        if members.iter().any(|member| member.algorithm == algorithm) {
            continue;
        }
        let source = train(algorithm, early)?;
        let (recency, ndcg) = recency::learn(&source, learning, options.length, early, control)?;
        members.push(Member { algorithm, source, recency, ndcg });
    }
    let users = learning.len() + validation.len();
    let mut learned = unlearned(names().copied(), &options.sources, users);
    learned.recencies = members.iter().map(|member| (member.algorithm, member.recency)).collect();

    members.retain(|member| options.sources.contains(&member.algorithm));
    let Some(first) = best_first(&members) else { return Ok(learned) };
    let with_counts = |data: &Dataset<'_>| -> Vec<ItemFacts> {
        let facts = facts.iter().zip(&data.popularity);
        facts.map(|(facts, &popularity)| ItemFacts { popularity, ..*facts }).collect()
    };
    let standards = standards(&with_counts(&data));
    let depth = options.length * DEPTH;
    let collect = |members: &[Member], users: &[Held], data: &Dataset<'_>| {
        let sources: Vec<(&Source, Recency)> =
            members.iter().map(|member| (&member.source, member.recency)).collect();
        cases(&sources, users, depth, data, &with_counts(data), &standards, control)
    };
    let mut known = collect(&members, learning, early)?;
    if before.is_some() {
        for member in &mut members {
            member.source = train(member.algorithm, &data)?;
        }
    }
    let unknown = collect(&members, &validation, &data)?;

    let length = options.length;
    let (convex, _) = search(Convex::single(members.len(), first), &known, length, control)?;
    let convex_ndcg = convex.ndcg(&unknown, length, control)?;
    let ranker = best_ranker(&convex.transforms, standards.len(), &known, length, control)?;
    let ranker_ndcg = ranker.ndcg(&unknown, length, control)?;
    let Member { algorithm, source, recency, .. } = &members[first];
    let single = source_ndcg(source, *recency, &validation, length, &data, control)?;
    learned.best_source = Some((*algorithm, single));

    // What decided is now known too.
    known.extend(unknown);
    if ranker_ndcg > convex_ndcg {
        let ranker = Ranker::fit(&ranker.transforms, standards.len(), &known, control)?;
        (learned.method, learned.validation_ndcg) = (Method::Ranker, ranker_ndcg);
        learned.mix = mix(&members, &ranker.transforms, &ranker.weights, &standards);
    } else {
        let (convex, _) = search(convex, &known, length, control)?;
        (learned.method, learned.validation_ndcg) = (Method::Mix, convex_ndcg);
        learned.mix = mix(&members, &convex.transforms, &convex.weights, &[]);
    }
    Ok(learned)
}

/// The ranker with the best NDCG among those with all scores as they are, all under a root, and
/// with `transforms`.
fn best_ranker(
    transforms: &[Transform],
    features: usize,
    cases: &[Case],
    length: usize,
    control: &dyn Control,
) -> Result<Ranker, Cancelled> {
    let mut best = Ranker::fit(transforms, features, cases, control)?;
    let mut best_ndcg = best.ndcg(cases, length, control)?;
    for transform in Transform::ALL {
        let ranker = Ranker::fit(&vec![transform; transforms.len()], features, cases, control)?;
        let ndcg = ranker.ndcg(cases, length, control)?;
        if ndcg > best_ndcg {
            (best, best_ndcg) = (ranker, ndcg);
        }
    }
    Ok(best)
}

/// Index of the source with the best lists.
fn best_first(members: &[Member]) -> Option<usize> {
    let ndcg = |at: usize| members[at].ndcg;
    (0..members.len()).reduce(|best, at| if ndcg(at) > ndcg(best) { at } else { best })
}

/// Sources that weigh anything, and features.
fn mix(
    members: &[Member],
    transforms: &[Transform],
    weights: &[f64],
    standards: &[Standard],
) -> Mix {
    let (of_sources, of_features) = weights.split_at(members.len());
    let sources = members.iter().zip(transforms).zip(of_sources);
    let sources = sources.map(|((member, &transform), &weight)| MixSource {
        algorithm: member.algorithm.name().to_owned(),
        weight,
        recency: member.recency,
        transform,
    });
    let features = standards.iter().zip(of_features);
    let features = features.map(|(&Standard { feature, mean, deviation }, &weight)| MixFeature {
        feature,
        weight,
        mean,
        deviation,
    });
    Mix {
        sources: sources.filter(|source| source.weight != 0.0).collect(),
        features: features.filter(|feature| feature.weight != 0.0).collect(),
    }
}

/// Plain forms, alike.
fn unlearned(
    names: impl Iterator<Item = Algorithm>,
    sources: &[Algorithm],
    validation_users: usize,
) -> Learned {
    let weight = 1.0 / sources.len().max(1) as f64;
    let mut even = Mix { sources: Vec::with_capacity(sources.len()), features: Vec::new() };
    for algorithm in sources {
        even.sources.push(MixSource {
            algorithm: algorithm.name().to_owned(),
            weight,
            recency: Recency::default(),
            transform: Transform::default(),
        });
    }
    Learned {
        recencies: names.map(|algorithm| (algorithm, Recency::default())).collect(),
        mix: even,
        method: Method::Mix,
        validation_ndcg: 0.0,
        best_source: None,
        validation_users,
    }
}
