//! Half-lives of profiles and the weights of the hybrid, learned on the latest part of the events.

use std::ops::Range;

use mercer_algorithms::{
    control::Control as _,
    recommend::{
        hybrid::{self, Algorithm, Holdout, ItemFacts, LearnOptions, ModelSpec},
        postings::{NeighbourRows, PostingsBuf, regroup},
        profile::Recency,
        sequences::Sequences,
        transitions::{BasketSpec, TransitionSpec},
    },
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{self, Phase, TrainingSpec};

use super::{
    factors::{self, Factorization},
    linear, rows, scores, sequences,
};
use crate::{
    artifact::{ItemNeighbours, ItemTable, UserSequences, cut::ContentCut, write_message},
    task::{CONTENT, Context, Inputs, TrainingError},
    version::{profile_spec, repurchase_spec},
};

/// Learns from the sequences of all users and, where the job has them, what the catalogue says of
/// items and which of them are described alike: one task.
pub(super) fn run(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let parts = sequences::open_all(context, inputs, &table)?;
    let parts: Vec<Sequences<'_>> = parts.iter().map(UserSequences::view).collect();
    let facts = facts(context, inputs, &table)?;
    let given = given(context, inputs, &table)?;
    let (models, options) = (model_spec(spec)?, options(spec));
    let learned = context
        .pool
        .install(|| hybrid::learn(&parts, &facts, given, &models, &options, context.watch))?;
    tracing::info!(
        method = learned.method.name(),
        users = learned.validation_users,
        ndcg = learned.validation_ndcg,
        best_source = ?learned.best_source,
        "learned"
    );
    let name = context.name("");
    Ok(write_message(context.store, context.job, "learn", &name, &message(learned))?)
}

/// What is known of each item, by row; popularity is not, since learning must not see all of it.
fn facts(
    context: &Context<'_>,
    inputs: &Inputs,
    table: &ItemTable,
) -> Result<Vec<ItemFacts>, TrainingError> {
    let items = table.rows() as usize;
    if !inputs.has(Phase::Cut, 0, CONTENT) {
        return Ok(vec![ItemFacts::default(); items]);
    }
    let mut facts = Vec::with_capacity(items);
    for artifact in inputs.of_all_shards(Phase::Cut, CONTENT)? {
        context.watch.checkpoint()?;
        let cut = ContentCut::open(context.store, artifact)?;
        facts.extend((0..cut.len()).map(|item| ItemFacts {
            popularity: 0,
            price: cut.list_price_micros(item).map(|micros| micros as f64 / 1e6),
            in_stock: cut.in_stock(item),
        }));
    }
    if facts.len() != items {
        let detail = format!("the content of {items} items");
        return Err(TrainingError::Inputs { phase: "learn", detail });
    }
    Ok(facts)
}

/// Neighbourhoods that no event changes, as the job trained them.
fn given(
    context: &Context<'_>,
    inputs: &Inputs,
    table: &ItemTable,
) -> Result<Vec<(Algorithm, PostingsBuf)>, TrainingError> {
    let content = Algorithm::parse(CONTENT).filter(|_| inputs.has(Phase::Rows, 0, CONTENT));
    let Some(content) = content else { return Ok(Vec::new()) };
    let parts = rows::open_all(context, inputs, table, CONTENT)?;
    let parts: Vec<NeighbourRows<'_>> = parts.iter().map(ItemNeighbours::view).collect();
    let items: Range<u32> = 0..table.rows();
    let regrouped =
        context.pool.install(|| regroup(&parts, table.rows_by_rank(), items, context.watch))?;
    Ok(vec![(content, regrouped)])
}

/// How all algorithms of a job are trained.
fn model_spec(spec: &TrainingSpec) -> Result<ModelSpec, TrainingError> {
    let mut models = ModelSpec {
        profile: profile_spec(spec),
        neighbours: spec.top_k as usize,
        similarity: rows::options(spec),
        trends: scores::trend_spec(spec),
        repurchase: repurchase_spec(spec),
        ..ModelSpec::default()
    };
    if let Some(similarity) = spec.similarity {
        models.user_neighbours = similarity.user_neighbours as usize;
    }
    if let Some(linear) = spec.linear {
        models.exact_items = linear.exact_items as usize;
        models.ease = linear::ease_spec(&linear);
        models.slim = linear::slim_spec(&linear);
    }
    if let Some(transitions) = spec.transitions {
        models.transitions =
            TransitionSpec { decay: transitions.decay, max_gap: transitions.max_gap as usize };
        models.baskets = BasketSpec { min_support: transitions.min_support };
    }
    if spec.factors.is_some() {
        models.factors = factors::spec(spec, Factorization::Implicit)?;
    }
    Ok(models)
}

/// What is learned for, and from how much.
fn options(spec: &TrainingSpec) -> LearnOptions {
    let learn = spec.learn.clone().unwrap_or_default();
    let has_hybrid = spec.algorithms.iter().any(|name| name == Algorithm::Hybrid.name());
    let parse = |name: &String| Algorithm::parse(name).filter(|&one| one != Algorithm::Hybrid);
    let sources: Vec<Algorithm> = match has_hybrid {
        true => {
            let trained = learn.sources.iter().filter(|name| spec.algorithms.contains(name));
            trained.filter_map(parse).collect()
        }
        false => Vec::new(),
    };
    let others = spec.algorithms.iter().filter_map(parse).filter(|one| !sources.contains(one));
    LearnOptions {
        others: others.collect(),
        users: learn.users as usize,
        events: learn.events,
        length: learn.length as usize,
        holdout: match learn.holdout_days {
            days if days > 0.0 => Holdout::Days(days),
            _ => Holdout::LastVisit,
        },
        repeats: learn.repeats,
        seed: learn.seed,
        sources,
    }
}

fn message(learned: hybrid::Learned) -> internal::Learned {
    let recencies =
        learned.recencies.into_iter().map(|(algorithm, recency)| internal::LearnedRecency {
            algorithm: algorithm.name().to_owned(),
            recency: Some(stored(recency)),
        });
    let sources = learned.mix.sources.into_iter().map(|source| internal::MixSource {
        algorithm: source.algorithm,
        weight: source.weight,
        recency: Some(stored(source.recency)),
        transform: source.transform.name().to_owned(),
    });
    let features = learned.mix.features.into_iter().map(|feature| internal::MixFeature {
        feature: feature.feature.name().to_owned(),
        weight: feature.weight,
        mean: feature.mean,
        deviation: feature.deviation,
    });
    let mix = internal::LearnedMix {
        sources: sources.collect(),
        features: features.collect(),
        method: learned.method.name().to_owned(),
        validation_ndcg: learned.validation_ndcg,
        best_source_ndcg: learned.best_source.map_or(0.0, |(_, ndcg)| ndcg),
        validation_users: learned.validation_users as u64,
    };
    let has_mix = !mix.sources.is_empty();
    internal::Learned { recencies: recencies.collect(), mix: has_mix.then_some(mix) }
}

fn stored(recency: Recency) -> internal::Recency {
    internal::Recency {
        rank_half_life: recency.rank_half_life,
        age_half_life_days: recency.age_half_life_days,
    }
}
