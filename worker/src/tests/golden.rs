//! Golden artifacts: files that an earlier build wrote, in `tests/golden`, which load for ever.
//!
//! With `MERCER_WRITE_GOLDEN` set, a file that is not there is written; one that is there never is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mercer_common::artifact::{ArtifactRef, ArtifactStore};
use tempfile::TempDir;

/// Where golden files lie.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Whether a golden file is to be written.
pub(crate) fn is_missing(name: &str) -> bool {
    std::env::var_os("MERCER_WRITE_GOLDEN").is_some() && !path(name).exists()
}

/// A store of artifacts with golden files among them.
pub(crate) struct Goldens {
    _folder: TempDir,
    pub(crate) store: ArtifactStore,
}

impl Goldens {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        Self { _folder: folder, store }
    }

    /// The golden file `name`, as an artifact of the store.
    pub(crate) fn open(&self, name: &str) -> ArtifactRef {
        let content = fs::read(path(&format!("{name}.artifact")));
        let content = content.unwrap_or_else(|error| panic!("the golden file {name}: {error}"));
        // It ends in the hash that its name tells.
        let hash = content.last_chunk().map(|hash| u64::from_le_bytes(*hash)).expect("a hash");
        let path = format!("jobs/golden/files/{name}-{hash:016x}");
        let file = self.store.folder().join(&path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("created");
        fs::write(file, &content).expect("written");
        ArtifactRef { path, bytes: content.len() as u64 }
    }

    /// A file of another store, as an artifact of this one.
    pub(crate) fn copy(&self, from: &ArtifactStore, artifact: &ArtifactRef) -> ArtifactRef {
        let to = self.store.folder().join(&artifact.path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("created");
        fs::copy(from.folder().join(&artifact.path), to).expect("copied");
        artifact.clone()
    }

    /// The golden file of a format that `written` is of, too.
    pub(crate) fn like(&self, name: &str, written: &ArtifactRef) -> ArtifactRef {
        let file = format!("{name}.artifact");
        if is_missing(&file) {
            fs::copy(self.store.folder().join(&written.path), path(&file)).expect("written");
        }
        let golden = self.open(name);
        let kind = |artifact| {
            let artifact = self.store.open_artifact(artifact).expect("opens");
            (artifact.kind().to_owned(), artifact.sections())
        };
        assert_eq!(kind(&golden), kind(written), "a new format needs a golden file of its own");
        golden
    }

    /// As [`Self::like`], where the same numbers must give the same bytes.
    pub(crate) fn same(&self, name: &str, written: &ArtifactRef) -> ArtifactRef {
        let golden = self.like(name, written);
        let [golden_bytes, bytes] = [&golden, written]
            .map(|artifact| fs::read(self.store.folder().join(&artifact.path)).expect("readable"));
        assert!(
            golden_bytes == bytes,
            "{name}: what is written now is not what the golden file holds"
        );
        golden
    }
}

/// All files below a folder as one: for each the length of its name as u16, the name, the length of
/// its content as u64 and the content, little endian; then compressed, for most of it is zeros.
pub(crate) fn pack(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            let name = path.file_name().expect("named").to_string_lossy().into_owned();
            let content = fs::read(&path).expect("readable");
            bytes.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend((content.len() as u64).to_le_bytes());
            bytes.extend(content);
        }
    }
    zstd::encode_all(&*bytes, 19).expect("compressed")
}

/// Inverse of [`pack`].
pub(crate) fn unpack(packed: &[u8], folder: &Path) {
    fs::create_dir_all(folder).expect("created");
    let bytes = zstd::decode_all(packed).expect("packed");
    let mut bytes = bytes.as_slice();
    let mut take = |length: usize| bytes.split_off(..length);
    while let Some(length) = take(2) {
        let length = u16::from_le_bytes(length.try_into().expect("two bytes"));
        let name = take(length.into()).expect("a name");
        let length =
            u64::from_le_bytes(take(8).expect("a length").try_into().expect("eight bytes"));
        let content = take(usize::try_from(length).expect("small")).expect("a content");
        fs::write(folder.join(std::str::from_utf8(name).expect("text")), content).expect("written");
    }
}
