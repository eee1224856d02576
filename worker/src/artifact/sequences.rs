//! What the users of a shard did, in time order, over the rows of the item table: what everything
//! that knows order and time is trained from.

use mercer_algorithms::recommend::sequences::{History, Sequences, SequencesBuf};
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};

use super::spans::write_offsets;

layout! {
    /// Events of the users of a shard, each section after the offsets parallel to the others.
    enum File: "sequences-1" {
        /// `[items]`.
        FACTS: u64,
        /// Where the events of each user start, and the end of the last.
        OFFSETS: u64,
        /// Rows of the items.
        ITEMS: u32,
        /// Seconds since 1990-01-01T00:00:00Z.
        TIMES: u32,
        /// Numbers of the events' types.
        TYPES: u8,
        /// Quantities of purchases and returns, and ratings.
        VALUES: f32,
    }
}

/// Open sequences: mapped and checked.
#[derive(Debug)]
pub(crate) struct UserSequences {
    file: Sections,
}

impl UserSequences {
    /// Opens sequences over `items` rows.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the arrays
    /// are no sequences.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let opened = Self { file: File::LAYOUT.open(store, artifact)? };
        if opened.file.get(File::FACTS) != [items as u64] {
            return Err(opened.file.layout(format!("is not of {items} items")));
        }
        let (offsets, events) = opened.arrays();
        Sequences::new(offsets, events, items)
            .map_err(|error| opened.file.layout(error.to_string()))?;
        Ok(opened)
    }

    /// The events by user, in the order of the cut.
    pub(crate) fn view(&self) -> Sequences<'_> {
        let (offsets, events) = self.arrays();
        Sequences::verified(offsets, events)
    }

    fn arrays(&self) -> (&[u64], History<'_>) {
        let events = History {
            items: self.file.get(File::ITEMS),
            times: self.file.get(File::TIMES),
            types: self.file.get(File::TYPES),
            values: self.file.get(File::VALUES),
        };
        (self.file.get(File::OFFSETS), events)
    }
}

/// Writes the artifact `name` of an encode task from consecutive runs of users.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_sequences(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    items: u32,
    runs: &[SequencesBuf],
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, "encode", name)?;
    writer.write(File::FACTS, &[u64::from(items)])?;
    write_offsets(&mut writer, File::OFFSETS, runs.iter().map(|run| &run.offsets[..]))?;
    for run in runs {
        writer.write(File::ITEMS, &run.items)?;
    }
    for run in runs {
        writer.write(File::TIMES, &run.times)?;
    }
    for run in runs {
        writer.write(File::TYPES, &run.types)?;
    }
    for run in runs {
        writer.write(File::VALUES, &run.values)?;
    }
    writer.finish()
}
