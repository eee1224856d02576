//! The users part of a cut: who the users of the interactions part are, in the same order. Only
//! algorithms that name users in answers need it; all others must not.
//!
//! | section | values | content |
//! |---|---|---|
//! | 0 | u64 | version of the layout |
//! | 1, 2 | u64, u8 | users that have a window, by (slot, id): ends of their ids, ids |

use std::sync::Arc;

use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};

use super::{
    ShardState,
    cut::{PHASE, ends_fit, expect_version, range},
};

const KIND: &str = "user-cut";
const VERSION: u64 = 1;

/// Name of the artifact of a shard.
pub(crate) fn name(shard: ShardId) -> String {
    format!("users-{shard:02}")
}

/// Writes the users part of the cut of `job`. It depends on nothing but the log before the job's
/// marker.
///
/// # Errors
/// When the artifact cannot be written, or exists with other content.
pub(crate) fn write(
    state: &ShardState,
    job: &str,
    artifacts: &ArtifactStore,
) -> Result<ArtifactRef, ArtifactError> {
    let (mut ends, mut ids) = (Vec::<u64>::new(), String::new());
    for (id, _) in state.users().filter(|(_, user)| !user.window().is_empty()) {
        ids.push_str(id);
        ends.push(ids.len() as u64);
    }
    let mut writer = artifacts.writer(job, PHASE, &name(state.shard()), KIND)?;
    writer.section(&[VERSION])?;
    writer.section(&ends)?;
    writer.section(ids.as_bytes())?;
    writer.finish()
}

/// The users part of a cut as training reads it.
#[derive(Debug)]
pub(crate) struct UserCut {
    artifact: Arc<Artifact>,
}

impl UserCut {
    /// Opens it and checks that its sections agree.
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
        let ends = artifact.section::<u64>(1)?;
        let bytes = artifact.section::<u8>(2)?;
        let texts = std::str::from_utf8(bytes)
            .is_ok_and(|text| ends.iter().all(|&end| text.is_char_boundary(end as usize)));
        if artifact.section::<u64>(0)? != [VERSION] || !ends_fit(ends, bytes.len()) || !texts {
            return Err(artifact.layout("the sections of the users disagree"));
        }
        Ok(Self { artifact })
    }

    /// Number of users.
    pub(crate) fn len(&self) -> usize {
        self.section::<u64>(1).len()
    }

    /// The id of a user, by their rank by (slot, id).
    ///
    /// # Panics
    /// When `user` is not below [`Self::len`].
    pub(crate) fn id(&self, user: usize) -> &str {
        let bytes = &self.section::<u8>(2)[range(self.section(1), user)];
        std::str::from_utf8(bytes).expect("checked when the cut was opened")
    }

    fn section<T: bytemuck::Pod>(&self, section: usize) -> &[T] {
        self.artifact.section(section).expect("checked when the cut was opened")
    }
}
