//! The manifests of published versions, as artifacts: what versions are rebuilt from when metadata is
//! lost.

use bytes::Bytes;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    layout, manifest,
};
use mercer_proto::internal::{Phase, VersionManifest};
use prost::Message as _;

use super::phase;

layout! {
    /// The manifest of a version.
    enum File: "manifest-2" {
        /// The encoded [`VersionManifest`], whose parts have names.
        MANIFEST: u8,
    }
}

layout! {
    /// The same of before parts had names.
    enum FileOfBefore: "manifest-1" {
        /// The encoded [`VersionManifest`].
        MANIFEST: u8,
    }
}

const NAME: &str = "manifest";

/// Job and phase of the manifest of a job's version.
pub(crate) fn folder_of(job_id: &str) -> (String, String) {
    (job_id.to_owned(), phase::name(Phase::Publish).to_owned())
}

/// Writes the manifest of a version, unless it was written: perhaps by a release that wrote it otherwise.
///
/// # Errors
/// As [`ArtifactStore::find`] and [`mercer_common::artifact::SectionWriter::finish`].
pub(crate) fn write(
    store: &ArtifactStore,
    manifest: &VersionManifest,
) -> Result<ArtifactRef, ArtifactError> {
    let (job, phase) = folder_of(&manifest.job_id);
    if let Some(found) = store.find(&job, &phase, NAME)? {
        return Ok(found);
    }
    let mut writer = File::LAYOUT.writer(store, &job, &phase, NAME)?;
    writer.write(File::MANIFEST, &manifest.encode_to_vec())?;
    writer.finish()
}

/// Whether an artifact is, by its name, the manifest of a version.
pub(crate) fn is_manifest(artifact: &ArtifactRef) -> bool {
    let mut parts = artifact.path.split('/').skip(2);
    let (phase, file) = (parts.next(), parts.next().unwrap_or_default());
    let name = file.rsplit_once('-').map(|(name, _)| name);
    phase == Some(phase::name(Phase::Publish)) && name == Some(NAME)
}

/// Reads what [`write`] wrote in this release or an older one, with its bytes: a newer release may have
/// said more than is known here.
///
/// # Errors
/// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when it is no
/// manifest.
pub(crate) fn read(
    store: &ArtifactStore,
    artifact: &ArtifactRef,
) -> Result<(VersionManifest, Bytes), ArtifactError> {
    let file = match FileOfBefore::LAYOUT.open(store, artifact) {
        Err(ArtifactError::Newer { .. }) => File::LAYOUT.open(store, artifact)?,
        opened => opened?,
    };
    let encoded = file.get(File::MANIFEST);
    let manifest = VersionManifest::decode(encoded);
    let manifest = manifest.map_err(|error| file.layout(error.to_string()))?;
    Ok((manifest::with_parts(manifest), Bytes::copy_from_slice(encoded)))
}
