//! One message as an artifact: what a phase gives for a whole job or shard.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    layout,
};
use prost::Message;

layout! {
    /// A message of whatever type; the phase says which.
    enum File: "message-1" {
        /// The encoded message.
        MESSAGE: u8,
    }
}

/// Writes the artifact `name` of a phase of a job.
///
/// # Errors
/// As [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write_message(
    store: &ArtifactStore,
    job: &str,
    phase: &str,
    name: &str,
    message: &impl Message,
) -> Result<ArtifactRef, ArtifactError> {
    let mut writer = File::LAYOUT.writer(store, job, phase, name)?;
    writer.write(File::MESSAGE, &message.encode_to_vec())?;
    writer.finish()
}

/// Reads what [`write_message`] wrote.
///
/// # Errors
/// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when it is no such
/// message.
pub(crate) fn read_message<M: Message + Default>(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<M, ArtifactError> {
    let file = File::LAYOUT.open(store, artifact)?;
    M::decode(file.get(File::MESSAGE)).map_err(|error| file.layout(error.to_string()))
}
