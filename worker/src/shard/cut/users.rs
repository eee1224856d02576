//! Writes the users part of a cut.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};

use super::PHASE;
use crate::{artifact::cut::UsersFile as File, shard::ShardState};

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
    let mut writer = File::LAYOUT.writer(artifacts, job, PHASE, &name(state.shard()))?;
    writer.write(File::HEAD, &[File::VERSION])?;
    writer.write(File::ENDS, &ends)?;
    writer.write(File::IDS, ids.as_bytes())?;
    writer.finish()
}
