//! The users of a shard as compressed sparse rows: the output of the encode phase.

use std::sync::Arc;

use mercer_algorithms::linalg::sparse::{Csr, CsrBuf};
use mercer_common::artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::internal::TaskCounts;

use super::{TrainingError, malformed};

const KIND: &str = "users-2";

/// Sections of the artifact, in order.
enum Section {
    /// `[items, is weighted]`, as u64.
    Facts,
    /// Where the items of each user start, u64, and the end of the last.
    Offsets,
    /// Popularity ranks of the items, ascending for each user, u32.
    Columns,
    /// Their values, f32; empty when all are 1.
    Values,
    /// Which user of the cut each one is, u32.
    Users,
}

/// Consecutive users, on their way into the matrix.
#[derive(Debug)]
pub(super) struct Run {
    /// One row a user.
    pub(super) rows: CsrBuf,
    /// Parallel: the place of the user in the cut.
    pub(super) users: Vec<u32>,
}

/// An open part of the user-item matrix.
#[derive(Debug)]
pub(super) struct UserMatrix {
    artifact: Arc<Artifact>,
    items: usize,
    is_weighted: bool,
}

impl UserMatrix {
    pub(super) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let (items, is_weighted) = match artifact.section::<u64>(Section::Facts as usize)? {
            &[items, is_weighted @ (0 | 1)] => (items, is_weighted == 1),
            _ => return Err(artifact.layout("has no facts")),
        };
        let items = usize::try_from(items).map_err(|_| artifact.layout("has too many items"))?;
        Ok(Self { artifact, items, is_weighted })
    }

    /// All parts, in the order of shards.
    pub(super) fn open_all(
        store: &ArtifactStore,
        artifacts: Vec<&ArtifactRef>,
    ) -> Result<Vec<Self>, ArtifactError> {
        artifacts.into_iter().map(|artifact| Self::open(store, artifact)).collect()
    }

    /// The mapped rows, checked.
    pub(super) fn view(&self) -> Result<Csr<'_>, TrainingError> {
        let values = match self.is_weighted {
            true => Some(self.artifact.section(Section::Values as usize)?),
            false => None,
        };
        Csr::new(
            self.artifact.section(Section::Offsets as usize)?,
            self.artifact.section(Section::Columns as usize)?,
            values,
            self.items,
        )
        .map_err(|error| malformed(&self.artifact, error))
    }

    /// The places of the users in the cut, ascending and parallel to the rows.
    pub(super) fn users(&self) -> Result<&[u32], ArtifactError> {
        let users = self.artifact.section::<u32>(Section::Users as usize)?;
        let rows = self.artifact.section::<u64>(Section::Offsets as usize)?.len().saturating_sub(1);
        if users.len() != rows || !users.is_sorted_by(|left, right| left < right) {
            return Err(self.artifact.layout("its users are out of order"));
        }
        Ok(users)
    }

    /// Users with any item, and user-item pairs.
    pub(super) fn counts(&self) -> Result<TaskCounts, ArtifactError> {
        let offsets = self.artifact.section::<u64>(Section::Offsets as usize)?;
        let columns = self.artifact.section::<u32>(Section::Columns as usize)?;
        let users = offsets.len().saturating_sub(1) as u64;
        Ok(TaskCounts { users, interactions: columns.len() as u64, ..Default::default() })
    }
}

/// Writes the artifact of an encode task from consecutive runs of users.
pub(super) fn write(
    store: &ArtifactStore,
    job: &str,
    name: &str,
    items: u32,
    runs: &[Run],
) -> Result<ArtifactRef, ArtifactError> {
    let is_weighted = runs.iter().any(|run| run.rows.values.is_some());
    let mut writer = store.writer(job, "encode", name, KIND)?;
    writer.section(&[u64::from(items), u64::from(is_weighted)])?;
    writer.section(&[0_u64])?;
    let mut start = 0;
    for Run { rows, .. } in runs {
        let offsets: Vec<u64> = rows.offsets[1..].iter().map(|offset| start + offset).collect();
        writer.append(&offsets)?;
        start += rows.columns.len() as u64;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.rows.columns)?;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(run.rows.values.as_deref().unwrap_or_default())?;
    }
    writer.begin_section()?;
    for run in runs {
        writer.append(&run.users)?;
    }
    writer.finish()
}
