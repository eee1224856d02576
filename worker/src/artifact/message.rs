//! One message as an artifact: what a phase gives for a whole job or shard.

use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};
use prost::Message;

const KIND: &str = "message-1";

/// Writes the artifact `name` of a phase of a job.
///
/// # Errors
/// As [`ArtifactStore::put`].
pub(crate) fn write_message(
    store: &ArtifactStore,
    job: &str,
    phase: &str,
    name: &str,
    message: &impl Message,
) -> Result<ArtifactRef, ArtifactError> {
    store.put(job, phase, name, KIND, &[&message.encode_to_vec()])
}

/// Reads what [`write_message`] wrote.
///
/// # Errors
/// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when it is no such message.
pub(crate) fn read_message<M: Message + Default>(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<M, ArtifactError> {
    let artifact = store.open_artifact(artifact)?;
    artifact.expect_kind(KIND)?;
    M::decode(artifact.section::<u8>(0)?).map_err(|error| artifact.layout(error.to_string()))
}
