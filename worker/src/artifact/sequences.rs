//! What the users of a shard did, in time order, over the rows of the item table: what everything
//! that knows order and time is trained from.

use std::sync::Arc;

use mercer_algorithms::recommend::sequences::{History, Sequences, SequencesBuf};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};

const KIND: &str = "sequences-1";

/// Sections of the artifact, in order.
enum Section {
    /// `[items]`, as u64.
    Facts,
    /// Where the events of each user start, u64, and the end of the last.
    Offsets,
    /// Rows, u32.
    Items,
    /// Seconds since 1990-01-01T00:00:00Z, u32.
    Times,
    /// Numbers of the events' types, u8.
    Types,
    /// f32
    Values,
}

/// Open sequences: mapped and checked.
#[derive(Debug)]
pub(crate) struct UserSequences {
    artifact: Arc<Artifact>,
}

impl UserSequences {
    /// Opens sequences over `items` rows.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when the arrays are no
    /// sequences.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        items: usize,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        if artifact.section::<u64>(Section::Facts as usize)? != [items as u64] {
            return Err(artifact.layout(format!("is not of {items} items")));
        }
        let opened = Self { artifact };
        let (offsets, events) = opened.arrays()?;
        Sequences::new(offsets, events, items)
            .map_err(|error| opened.artifact.layout(error.to_string()))?;
        Ok(opened)
    }

    /// The events by user, in the order of the cut.
    pub(crate) fn view(&self) -> Sequences<'_> {
        let (offsets, events) = self.arrays().expect("verified when opened");
        Sequences::verified(offsets, events)
    }

    fn arrays(&self) -> Result<(&[u64], History<'_>), ArtifactError> {
        let events = History {
            items: self.artifact.section(Section::Items as usize)?,
            times: self.artifact.section(Section::Times as usize)?,
            types: self.artifact.section(Section::Types as usize)?,
            values: self.artifact.section(Section::Values as usize)?,
        };
        Ok((self.artifact.section(Section::Offsets as usize)?, events))
    }
}

/// Writes the artifact `name` of an encode task from consecutive runs of users.
///
/// # Errors
/// As [`mercer_common::artifact::ArtifactWriter::finish`].
pub(crate) fn write_sequences(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    items: u32,
    runs: &[SequencesBuf],
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = store.writer(job, "encode", name, KIND)?;
    writer.section(&[u64::from(items)])?;
    writer.section(&[0_u64])?;
    let mut start = 0;
    for run in runs {
        let offsets: Vec<u64> = run.offsets[1..].iter().map(|offset| start + offset).collect();
        writer.append(&offsets)?;
        start += run.items.len() as u64;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.items)?;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.times)?;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.types)?;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.values)?;
    }
    writer.finish()
}
