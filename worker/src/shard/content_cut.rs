//! The content part of a cut: what the catalogue says of the shard's items, as it was at the job's
//! marker. Items are those of the interactions part, in the same order.
//!
//! | section | values | content |
//! |---|---|---|
//! | 0 | u64 | version of the layout |
//! | 1, 2 | u64, u8 | items by (slot, id): ends of their titles, titles |
//! | 3, 4 | u64, u8 | ends of their descriptions, descriptions |
//! | 5, 6 | u64, u8 | labels, sorted and distinct: ends, text |
//! | 7 | u32 | of each item: label of its brand |
//! | 8, 9 | u64, u32 | levels of category paths: ends, labels |
//! | 10, 11 | u64, u32 | attributes: ends, labels of name and value in turn |
//! | 12 | i64 | list prices in millionths, the lowest number where there is none |
//! | 13, 14 | u64, f32 | embeddings: ends, numbers |
//! | 15 | u8 | stock: 0 where there is no record, 1 where nothing is on hand, else 2 |

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore, ArtifactWriter},
    slot::ShardId,
};

use super::{
    ItemState, ShardState,
    cut::{PHASE, below, ends_fit, expect_version, range},
};

const KIND: &str = "content-cut";
const VERSION: u64 = 1;
const NO_PRICE: i64 = i64::MIN;

/// Sections of the artifact, in order; where one holds ends, what ends follows.
#[derive(Clone, Copy, Debug)]
enum Section {
    Version,
    TitleEnds,
    DescriptionEnds = 3,
    LabelEnds = 5,
    Brands = 7,
    LevelEnds,
    AttributeEnds = 10,
    Prices = 12,
    EmbeddingEnds,
    Stock = 15,
}

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
    let mut writer = artifacts.writer(job, PHASE, &name(state.shard()), KIND)?;
    writer.section(&[VERSION])?;
    spans(&mut writer, &items, |item| item.title().as_bytes())?;
    spans(&mut writer, &items, |item| item.description().as_bytes())?;
    spans(&mut writer, &texts, |text| text.as_bytes())?;
    let brands: Vec<u32> = items.iter().map(|item| label(item.brand())).collect();
    writer.section(&brands)?;
    spans(&mut writer, &items, |item| {
        item.category_path().iter().map(|level| label(level)).collect::<Vec<u32>>()
    })?;
    spans(&mut writer, &items, |item| {
        let pairs = item.attributes().iter();
        pairs.flat_map(|(name, value)| [label(name), label(value)]).collect::<Vec<u32>>()
    })?;
    let prices: Vec<i64> =
        items.iter().map(|item| item.list_price_micros().unwrap_or(NO_PRICE)).collect();
    writer.section(&prices)?;
    spans(&mut writer, &items, ItemState::embedding)?;
    let stock: Vec<u8> = items.iter().map(|item| stock(item)).collect();
    writer.section(&stock)?;
    writer.finish()
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

/// Writes what each of `items` has as two sections: ends, and all of it.
fn spans<I: Copy, V: AsRef<[T]>, T: bytemuck::Pod>(
    writer: &mut ArtifactWriter,
    items: &[I],
    of: impl Fn(I) -> V,
) -> Result<(), ArtifactError> {
    let mut end = 0;
    let ends = items.iter().map(|&item| {
        end += of(item).as_ref().len() as u64;
        end
    });
    writer.section(&ends.collect::<Vec<u64>>())?;
    writer.begin_section()?;
    for &item in items {
        writer.append(of(item).as_ref())?;
    }
    Ok(())
}

/// The content part of a cut as training reads it.
#[derive(Clone, Debug)]
pub(crate) struct ContentCut {
    artifact: Arc<Artifact>,
}

impl ContentCut {
    /// Opens it and checks that its sections agree, so that no access fails later.
    ///
    /// # Errors
    /// When the artifact is missing, damaged or of another kind.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let artifact = artifacts.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        expect_version(&artifact, VERSION)?;
        let cut = Self { artifact };
        if cut.is_consistent()? {
            Ok(cut)
        } else {
            Err(cut.artifact.layout("the sections of the content disagree"))
        }
    }

    fn is_consistent(&self) -> Result<bool, ArtifactError> {
        let whole = |section| self.artifact.section::<u64>(section as usize);
        let labels_of = |section| self.artifact.section::<u32>(section as usize);
        let items = whole(Section::TitleEnds)?.len();
        let labels = whole(Section::LabelEnds)?.len();
        let mut consistent = whole(Section::Version)? == [VERSION];
        for ends in [Section::TitleEnds, Section::DescriptionEnds, Section::LabelEnds] {
            let bytes = self.artifact.section::<u8>(ends as usize + 1)?;
            let ends = whole(ends)?;
            consistent &= ends_fit(ends, bytes.len())
                && std::str::from_utf8(bytes)
                    .is_ok_and(|text| ends.iter().all(|&end| text.is_char_boundary(end as usize)));
        }
        for ends in [Section::LevelEnds, Section::AttributeEnds] {
            let numbers = self.artifact.section::<u32>(ends as usize + 1)?;
            consistent &= ends_fit(whole(ends)?, numbers.len()) && below(numbers, labels);
        }
        let numbers = self.artifact.section::<f32>(Section::EmbeddingEnds as usize + 1)?;
        let of_items = [
            whole(Section::DescriptionEnds)?.len(),
            labels_of(Section::Brands)?.len(),
            whole(Section::LevelEnds)?.len(),
            whole(Section::AttributeEnds)?.len(),
            self.artifact.section::<i64>(Section::Prices as usize)?.len(),
            whole(Section::EmbeddingEnds)?.len(),
            self.artifact.section::<u8>(Section::Stock as usize)?.len(),
        ];
        Ok(consistent
            && of_items == [items; 7]
            && below(labels_of(Section::Brands)?, labels)
            && whole(Section::AttributeEnds)?.iter().all(|end| end % 2 == 0)
            && ends_fit(whole(Section::EmbeddingEnds)?, numbers.len())
            && numbers.iter().all(|number| number.is_finite()))
    }

    /// Number of the shard's items, by (slot, id); indexes below are under it.
    pub(crate) fn len(&self) -> usize {
        self.section::<u64>(Section::TitleEnds as usize).len()
    }

    /// Empty when not catalogued; likewise below.
    ///
    /// # Panics
    /// When `item` is not below [`Self::len`]; likewise below.
    pub(crate) fn title(&self, item: usize) -> &str {
        self.text(Section::TitleEnds, item)
    }

    pub(crate) fn description(&self, item: usize) -> &str {
        self.text(Section::DescriptionEnds, item)
    }

    pub(crate) fn brand(&self, item: usize) -> &str {
        self.label(self.section::<u32>(Section::Brands as usize)[item])
    }

    /// From the broadest level to the narrowest.
    pub(crate) fn category_path(&self, item: usize) -> impl ExactSizeIterator<Item = &str> {
        self.span::<u32>(Section::LevelEnds, item).iter().map(|&level| self.label(level))
    }

    /// Names with values, by name.
    pub(crate) fn attributes(&self, item: usize) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let pairs = self.span::<u32>(Section::AttributeEnds, item).chunks_exact(2);
        pairs.map(|pair| (self.label(pair[0]), self.label(pair[1])))
    }

    /// The price of one unit before discounts, in millionths.
    pub(crate) fn list_price_micros(&self, item: usize) -> Option<i64> {
        let price = self.section::<i64>(Section::Prices as usize)[item];
        (price != NO_PRICE).then_some(price)
    }

    /// Finite numbers.
    pub(crate) fn embedding(&self, item: usize) -> &[f32] {
        self.span(Section::EmbeddingEnds, item)
    }

    /// Whether there is stock on hand anywhere; `None` without a stock record.
    pub(crate) fn in_stock(&self, item: usize) -> Option<bool> {
        let stock = self.section::<u8>(Section::Stock as usize)[item];
        (stock > 0).then_some(stock > 1)
    }

    fn label(&self, label: u32) -> &str {
        self.text(Section::LabelEnds, label as usize)
    }

    fn text(&self, ends: Section, index: usize) -> &str {
        std::str::from_utf8(self.span(ends, index)).expect("checked when the cut was opened")
    }

    fn span<T: bytemuck::Pod>(&self, ends: Section, index: usize) -> &[T] {
        &self.section(ends as usize + 1)[range(self.section(ends as usize), index)]
    }

    fn section<T: bytemuck::Pod>(&self, section: usize) -> &[T] {
        self.artifact.section(section).expect("checked when the cut was opened")
    }
}
