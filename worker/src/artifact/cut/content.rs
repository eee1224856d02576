//! The content part of a cut: what the catalogue says of the shard's items, as it was at the job's
//! marker. Items are those of the interactions part, in the same order.

use bytemuck::Pod;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Section, SectionWriter, Sections},
    layout,
};

use ContentFile as File;

use crate::artifact::spans::{are_below, ends_fit, texts_fit, until};

layout! {
    /// The contents of the items of a shard, by (slot, id).
    pub(crate) enum ContentFile: "content-cut" numbered 1 {
        /// `[version]`.
        HEAD: u64,
        /// Where the titles end.
        TITLE_ENDS: u64,
        /// Titles.
        TITLE_BYTES: u8,
        /// Where the descriptions end.
        DESCRIPTION_ENDS: u64,
        /// Descriptions.
        DESCRIPTION_BYTES: u8,
        /// Labels, sorted and distinct: where they end.
        LABEL_ENDS: u64,
        /// Their text.
        LABEL_BYTES: u8,
        /// Label of each brand.
        BRANDS: u32,
        /// Where the levels of the category paths end.
        LEVEL_ENDS: u64,
        /// Their labels.
        LEVEL_LABELS: u32,
        /// Where the attributes end.
        ATTRIBUTE_ENDS: u64,
        /// Labels of name and value in turn.
        ATTRIBUTE_LABELS: u32,
        /// List prices in millionths; [`Self::NO_PRICE`] where there is none.
        PRICES: i64,
        /// Where the embeddings end.
        EMBEDDING_ENDS: u64,
        /// Their numbers.
        EMBEDDING_NUMBERS: f32,
        /// Stock: 0 where there is no record, 1 where nothing is on hand, else 2.
        STOCK: u8,
    }
}

impl ContentFile {
    /// Stands for the list price of an item that has none.
    pub(crate) const NO_PRICE: i64 = i64::MIN;

    pub(crate) const TITLES: Spans<u8> = Spans(Self::TITLE_ENDS, Self::TITLE_BYTES);
    pub(crate) const DESCRIPTIONS: Spans<u8> =
        Spans(Self::DESCRIPTION_ENDS, Self::DESCRIPTION_BYTES);
    pub(crate) const LABELS: Spans<u8> = Spans(Self::LABEL_ENDS, Self::LABEL_BYTES);
    pub(crate) const LEVELS: Spans<u32> = Spans(Self::LEVEL_ENDS, Self::LEVEL_LABELS);
    pub(crate) const ATTRIBUTES: Spans<u32> = Spans(Self::ATTRIBUTE_ENDS, Self::ATTRIBUTE_LABELS);
    pub(crate) const EMBEDDINGS: Spans<f32> = Spans(Self::EMBEDDING_ENDS, Self::EMBEDDING_NUMBERS);
}

/// Values of many things: the section of their ends, and that of all of them.
#[derive(Clone, Copy)]
pub(crate) struct Spans<T>(Section<u64>, Section<T>);

impl<T: Pod> Spans<T> {
    /// Writes what each of `things` has.
    ///
    /// # Errors
    /// As [`SectionWriter::write`].
    pub(crate) fn write<I: Copy, V: AsRef<[T]>>(
        self,
        writer: &mut SectionWriter,
        things: &[I],
        values_of: impl Fn(I) -> V,
    ) -> Result<(), ArtifactError> {
        let (mut end, mut ends) = (0, Vec::with_capacity(things.len()));
        for &thing in things {
            end += values_of(thing).as_ref().len() as u64;
            ends.push(end);
        }
        writer.write(self.0, &ends)?;
        for &thing in things {
            writer.write(self.1, values_of(thing).as_ref())?;
        }
        Ok(())
    }

    fn parts(self, file: &Sections) -> (&[u64], &[T]) {
        (file.get(self.0), file.get(self.1))
    }

    fn get(self, file: &Sections, index: usize) -> &[T] {
        let (ends, values) = self.parts(file);
        &values[until(ends, index)]
    }
}

/// The content part of a cut as training reads it.
#[derive(Clone, Debug)]
pub(crate) struct ContentCut {
    file: Sections,
}

impl ContentCut {
    /// Opens it and checks that its sections agree, so that no access fails later.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when its sections
    /// disagree.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let cut = Self { file: File::LAYOUT.open(artifacts, artifact)? };
        match cut.is_consistent() {
            true => Ok(cut),
            false => Err(cut.file.layout("the sections of the content disagree")),
        }
    }

    fn is_consistent(&self) -> bool {
        let file = &self.file;
        let (items, labels) = (self.len(), file.get(File::LABEL_ENDS).len());
        for texts in [File::TITLES, File::DESCRIPTIONS, File::LABELS] {
            let (ends, bytes) = texts.parts(file);
            if !texts_fit(ends, bytes) {
                return false;
            }
        }
        for spans in [File::LEVELS, File::ATTRIBUTES] {
            let (ends, values) = spans.parts(file);
            if !ends_fit(ends, values.len()) || !are_below(values, labels) {
                return false;
            }
        }
        let (embedding_ends, numbers) = File::EMBEDDINGS.parts(file);
        let of_items = [
            file.get(File::DESCRIPTION_ENDS).len(),
            file.get(File::BRANDS).len(),
            file.get(File::LEVEL_ENDS).len(),
            file.get(File::ATTRIBUTE_ENDS).len(),
            file.get(File::PRICES).len(),
            embedding_ends.len(),
            file.get(File::STOCK).len(),
        ];
        file.get(File::HEAD) == [File::VERSION]
            && of_items == [items; 7]
            && are_below(file.get(File::BRANDS), labels)
            && file.get(File::ATTRIBUTE_ENDS).iter().all(|end| end % 2 == 0)
            && ends_fit(embedding_ends, numbers.len())
            && numbers.iter().all(|number| number.is_finite())
    }

    /// Number of the shard's items, by (slot, id); indexes below are under it.
    pub(crate) fn len(&self) -> usize {
        self.file.get(File::TITLE_ENDS).len()
    }

    /// Title of an item; empty when it is not catalogued, likewise below.
    ///
    /// # Panics
    /// When `item` is not below [`Self::len`]; likewise below.
    pub(crate) fn title(&self, item: usize) -> &str {
        self.text(File::TITLES, item)
    }

    /// Description of an item.
    pub(crate) fn description(&self, item: usize) -> &str {
        self.text(File::DESCRIPTIONS, item)
    }

    /// Brand of an item.
    pub(crate) fn brand(&self, item: usize) -> &str {
        self.label(self.file.get(File::BRANDS)[item])
    }

    /// Levels of an item's category path, from the broadest to the narrowest.
    pub(crate) fn category_path(&self, item: usize) -> impl ExactSizeIterator<Item = &str> {
        File::LEVELS.get(&self.file, item).iter().map(|&level| self.label(level))
    }

    /// Names of an item's attributes with their values, by name.
    pub(crate) fn attributes(&self, item: usize) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let pairs = File::ATTRIBUTES.get(&self.file, item).chunks_exact(2);
        pairs.map(|pair| (self.label(pair[0]), self.label(pair[1])))
    }

    /// The price of one unit before discounts, in millionths.
    pub(crate) fn list_price_micros(&self, item: usize) -> Option<i64> {
        let price = self.file.get(File::PRICES)[item];
        (price != File::NO_PRICE).then_some(price)
    }

    /// Embedding of an item: finite numbers, none where it has no embedding.
    pub(crate) fn embedding(&self, item: usize) -> &[f32] {
        File::EMBEDDINGS.get(&self.file, item)
    }

    /// Whether there is stock on hand anywhere; `None` without a stock record.
    pub(crate) fn in_stock(&self, item: usize) -> Option<bool> {
        let stock = self.file.get(File::STOCK)[item];
        (stock > 0).then_some(stock > 1)
    }

    fn label(&self, label: u32) -> &str {
        self.text(File::LABELS, label as usize)
    }

    fn text(&self, texts: Spans<u8>, index: usize) -> &str {
        std::str::from_utf8(texts.get(&self.file, index)).expect("checked when the cut was opened")
    }
}
