//! Writes the content part of a cut, from what the catalogue says of items.

use std::collections::BTreeMap;

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};

use super::PHASE;
use crate::{
    artifact::cut::ContentFile as File,
    shard::{ItemState, ShardState},
};

/// Name of the artifact of a shard.
pub(crate) fn name(shard: ShardId) -> String {
    format!("content-{shard:02}")
}

/// Writes the content part of the cut of `job`. It depends on nothing but the log before the job's
/// marker.
///
/// # Errors
/// When the artifact cannot be written, or exists with other content.
pub(crate) fn write(
    state: &ShardState,
    job: &str,
    artifacts: &ArtifactStore,
) -> Result<ArtifactRef, ArtifactError> {
    let mut labels: BTreeMap<&str, u32> =
        state.items().flat_map(named).map(|label| (label, 0)).collect();
    for (number, label) in (0..).zip(labels.values_mut()) {
        *label = number;
    }
    let label = |text: &str| labels[text];
    let items: Vec<&ItemState> = state.items().collect();
    let texts: Vec<&str> = labels.keys().copied().collect();
    let mut file = File::LAYOUT.writer(artifacts, job, PHASE, &name(state.shard()))?;
    let writer = &mut file;
    writer.write(File::HEAD, &[File::VERSION])?;
    File::TITLES.write(writer, &items, |item| item.title().as_bytes())?;
    File::DESCRIPTIONS.write(writer, &items, |item| item.description().as_bytes())?;
    File::LABELS.write(writer, &texts, |text| text.as_bytes())?;
    let brands: Vec<u32> = items.iter().map(|item| label(item.brand())).collect();
    writer.write(File::BRANDS, &brands)?;
    File::LEVELS.write(writer, &items, |item| {
        item.category_path().iter().map(|level| label(level)).collect::<Vec<u32>>()
    })?;
    File::ATTRIBUTES.write(writer, &items, |item| {
        let pairs = item.attributes().iter();
        pairs.flat_map(|(name, value)| [label(name), label(value)]).collect::<Vec<u32>>()
    })?;
    let prices: Vec<i64> =
        items.iter().map(|item| item.list_price_micros().unwrap_or(File::NO_PRICE)).collect();
    writer.write(File::PRICES, &prices)?;
    File::EMBEDDINGS.write(writer, &items, ItemState::embedding)?;
    let stock: Vec<u8> = items.iter().map(|item| stock(item)).collect();
    writer.write(File::STOCK, &stock)?;
    file.finish()
}

fn stock(item: &ItemState) -> u8 {
    let is_in_stock = item.stock().iter().any(|stock| stock.on_hand > 0.0);
    match item.stock() {
        [] => 0,
        _ => 1 + u8::from(is_in_stock),
    }
}

/// All labels of an item.
fn named(item: &ItemState) -> impl Iterator<Item = &str> {
    let levels = item.category_path().iter().map(|level| &**level);
    let attributes = item.attributes().iter().flat_map(|(name, value)| [&**name, &**value]);
    [item.brand()].into_iter().chain(levels).chain(attributes)
}
