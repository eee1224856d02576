//! What recommendations are trained by, from the cuts of all shards to what serving scans.
//!
//! | phase | one per | reads | writes |
//! |---|---|---|---|
//! | dictionary | job | all cuts | the item table |
//! | encode | shard of users | its cut, the item table | rows of user by item; events in time order |
//! | columns | shard of items | all encoded rows, the item table | users by item |
//! | statistics | job | all encoded rows, or all contents, the item table | degrees and norms; terms and embeddings |
//! | factors | step, shard and algorithm | all of the step before, its own of the one before that, encoded rows or columns | factors of its users or items |
//! | side | algorithm | the last step | factors of all items with sums over them |
//! | rows | shard of sources and algorithm, or algorithm | what the algorithm is trained from, the item table | neighbours; users with their items |
//! | postings | shard of candidates and algorithm | all rows of the algorithm, the item table | postings |
//! | norms | algorithm | all its rows | the length of each item's weights |
//! | scores | algorithm | all events in time order | what is the same for all users, by item |
//! | learn | job | all events in time order, all contents and their rows | half-lives of profiles, the weights of the hybrid |
//!
//! `tests` compares all of it with plain loops and plain calls.

mod columns;
mod content;
mod dictionary;
mod encode;
mod factors;
mod learn;
mod linear;
mod norms;
mod postings;
mod rows;
mod scores;
mod sequences;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod transitions;

use mercer_algorithms::recommend::{similarity::Similarity, users::UserSimilarity};
use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::internal::{Phase, TaskCounts};

pub(crate) use factors::{Factorization, spec as factor_spec};

use crate::{
    artifact::{EncodedUsers, Extent, ItemTable, read_extent},
    task::{CONTENT, Stage},
};
use linear::Linear;
use scores::ByItem;
use sequences::SEQUENCES;
use transitions::Order;

/// Stages that make models of a set.
pub(crate) const STAGES: &[Stage] = &[
    Stage::new(Phase::Dictionary, str::is_empty, |context, inputs, _| {
        dictionary::run(context, inputs)
    })
    .counting(counts_of_table),
    Stage::new(Phase::Encode, str::is_empty, encode::run).counting(counts_of_rows),
    Stage::new(Phase::Encode, is_sequences, |context, inputs, _| sequences::run(context, inputs)),
    Stage::new(Phase::Columns, str::is_empty, |context, inputs, _| columns::run(context, inputs)),
    Stage::new(Phase::Statistics, str::is_empty, |context, inputs, _| {
        statistics::run(context, inputs)
    })
    .counting(counts_of_statistics),
    Stage::new(Phase::Statistics, is_content, content::matrix),
    Stage::new(Phase::Factors, is_factorization, |context, inputs, spec| {
        factors::step(context, inputs, spec, context.method(Factorization::parse)?, context.step)
    }),
    Stage::new(Phase::Side, is_factorization, |context, inputs, spec| {
        factors::side(context, inputs, spec, context.method(Factorization::parse)?)
    }),
    Stage::new(Phase::Rows, is_similarity, |context, inputs, spec| {
        rows::run(context, inputs, spec, context.method(Similarity::parse)?)
    }),
    Stage::new(Phase::Rows, is_order, |context, inputs, spec| {
        transitions::run(context, inputs, spec, context.method(Order::parse)?)
    }),
    Stage::new(Phase::Rows, is_factorization, |context, inputs, spec| {
        factors::neighbours(context, inputs, spec, context.method(Factorization::parse)?)
    }),
    Stage::new(Phase::Rows, is_linear, |context, inputs, spec| {
        linear::run(context, inputs, spec, context.method(Linear::parse)?)
    }),
    Stage::new(Phase::Rows, is_content, content::rows),
    Stage::new(Phase::Rows, compares_users, |context, inputs, _| {
        columns::user_rows(context, inputs, context.algorithm)
    }),
    Stage::new(Phase::Postings, has_neighbours, |context, inputs, _| {
        postings::run(context, inputs, context.algorithm)
    }),
    Stage::new(Phase::Norms, has_neighbours, |context, inputs, _| {
        norms::run(context, inputs, context.algorithm)
    }),
    Stage::new(Phase::Scores, is_by_item, |context, inputs, spec| {
        scores::run(context, inputs, spec, context.method(ByItem::parse)?)
    }),
    Stage::new(Phase::Learn, str::is_empty, learn::run),
];

fn is_sequences(name: &str) -> bool {
    name == SEQUENCES
}

fn is_content(name: &str) -> bool {
    name == CONTENT
}

fn is_similarity(name: &str) -> bool {
    Similarity::parse(name).is_some()
}

fn is_order(name: &str) -> bool {
    Order::parse(name).is_some()
}

fn is_factorization(name: &str) -> bool {
    Factorization::parse(name).is_some()
}

fn is_linear(name: &str) -> bool {
    Linear::parse(name).is_some()
}

fn is_by_item(name: &str) -> bool {
    ByItem::parse(name).is_some()
}

/// Whether users are compared, so that rows are users with their items and no postings.
fn compares_users(name: &str) -> bool {
    UserSimilarity::parse(name).is_some()
}

fn has_neighbours(name: &str) -> bool {
    is_similarity(name)
        || is_order(name)
        || is_factorization(name)
        || is_linear(name)
        || is_content(name)
}

/// What the job trains on, as the item table says it.
fn counts_of_table(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<TaskCounts, ArtifactError> {
    let table = ItemTable::open(store, artifact)?;
    Ok(TaskCounts { items: table.rows().into(), as_of: table.as_of(), ..TaskCounts::default() })
}

/// Users with any item, and user-item pairs.
fn counts_of_rows(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<TaskCounts, ArtifactError> {
    let encoded = EncodedUsers::open(store, artifact)?;
    let (users, interactions) = (encoded.view().rows(), encoded.view().entries());
    let (users, interactions) = (users as u64, interactions as u64);
    Ok(TaskCounts { users, interactions, ..TaskCounts::default() })
}

/// What the job trains on as a whole.
fn counts_of_statistics(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<TaskCounts, ArtifactError> {
    let Extent { users, items, interactions, as_of } = read_extent(store, artifact)?;
    Ok(TaskCounts { users, items, interactions, as_of, sale_days: 0 })
}
