//! Items that are described alike: from what the catalogue says of them to neighbours.
//!
//! One task turns the texts of all items into a matrix of terms, with their embeddings beside it;
//! then each shard finds the neighbours of its items.

mod embeddings;
#[cfg(test)]
mod golden_tests;

use mercer_algorithms::{
    control::Control as _,
    recommend::content::{ContentSpec, ItemText, TermsBuf, neighbours},
};
use mercer_common::artifact::ArtifactRef;
use mercer_proto::internal::{Phase, TrainingSpec};

use crate::{
    artifact::{ItemTable, ItemTerms, cut::ContentCut, write_neighbours},
    task::{CONTENT, Context, Inputs, TrainingError, in_order},
};
use embeddings::Embeddings;

/// Items whose texts a thread reads at once, some 2 ms.
const BLOCK: usize = 512;

/// The terms of all items, by label, and their embeddings, by row: one task.
pub(super) fn matrix(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let mut cuts = Vec::new();
    for artifact in inputs.of_all_shards(Phase::Cut, CONTENT)? {
        cuts.push(ContentCut::open(context.store, artifact)?);
    }
    let items: usize = cuts.iter().map(ContentCut::len).sum();
    if items != table.rows() as usize {
        let detail = format!("the content of {} items", table.rows());
        return Err(TrainingError::Inputs { phase: "statistics", detail });
    }
    let spec = content_spec(spec);
    context.watch.begin(items as u64);
    let matrix = context.pool.install(|| {
        let blocks: Vec<_> = cuts.iter().flat_map(blocks).collect();
        let parts = in_order(&blocks, context.watch, |(cut, items)| {
            context.watch.advance(items.len() as u64);
            Ok(terms(cut, items.clone()))
        })?;
        let sound = "terms are pushed in their order";
        let parts: Vec<_> = parts.iter().map(|part| part.view().expect(sound)).collect();
        mercer_algorithms::recommend::content::matrix(
            &spec,
            &parts,
            table.rows_by_rank(),
            context.watch,
        )
    })?;
    let embeddings = Embeddings::of(&cuts);
    let terms = matrix.offsets.len() - 1;
    tracing::debug!(terms, entries = matrix.columns.len(), "terms weighed");
    embeddings::write(context, &context.name(CONTENT), &matrix, items, embeddings)
}

/// The items of a shard with those that are described alike.
pub(super) fn rows(
    context: &Context<'_>,
    inputs: &Inputs,
    spec: &TrainingSpec,
) -> Result<ArtifactRef, TrainingError> {
    let table = ItemTable::open(context.store, inputs.one(Phase::Dictionary, "")?)?;
    let items = table.rows() as usize;
    let matrix = ItemTerms::open(context.store, inputs.one(Phase::Statistics, CONTENT)?, items)?;
    let (terms, embeddings) = (matrix.terms(), matrix.embeddings()?);
    let own = table.shard_rows(context.shard);
    let (labels, k) = (table.rows_by_rank(), spec.top_k as usize);
    let spec = content_spec(spec);
    let found = context.pool.install(|| {
        neighbours(&spec, &[terms], embeddings.as_ref(), labels, own, k, context.watch)
    })?;
    let name = context.name(CONTENT);
    Ok(write_neighbours(context.store, context.job, &name, &found)?)
}

fn content_spec(spec: &TrainingSpec) -> ContentSpec {
    spec.content.map_or_else(ContentSpec::default, |spec| ContentSpec {
        min_items: spec.min_items,
        max_share: spec.max_share,
        attribute_weight: spec.attribute_weight,
        embedding_weight: spec.embedding_weight,
    })
}

/// Runs of the items of a cut.
fn blocks(cut: &ContentCut) -> impl Iterator<Item = (&ContentCut, std::ops::Range<usize>)> {
    let starts = (0..cut.len()).step_by(BLOCK);
    starts.map(move |start| (cut, start..cut.len().min(start + BLOCK)))
}

fn terms(cut: &ContentCut, items: std::ops::Range<usize>) -> TermsBuf {
    let mut terms = TermsBuf::default();
    for item in items {
        let path: Vec<&str> = cut.category_path(item).collect();
        let attributes: Vec<(&str, &str)> = cut.attributes(item).collect();
        terms.push(&ItemText {
            title: cut.title(item),
            description: cut.description(item),
            category_path: &path,
            brand: cut.brand(item),
            attributes: &attributes,
        });
    }
    terms
}
