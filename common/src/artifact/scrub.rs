//! Reads again, slowly, what a process has open: a file may change after it was verified.

use std::{
    ops::Bound::{Excluded, Unbounded},
    sync::{Arc, Weak},
};

use super::{
    Artifact, ArtifactError, ArtifactStore,
    file::{self, FileId},
};

/// How an open artifact is.
#[derive(Debug)]
pub enum Condition {
    /// Every byte of its file is what it was.
    Sound,
    /// Its file is gone or damaged, but what is read is not that file: it lies in memory, or the
    /// file was replaced. It cannot be opened again.
    Lost(ArtifactError),
    /// What is read is damaged. It is forgotten: whoever opens it next verifies it.
    Damaged(ArtifactError),
}

/// Goes round the open artifacts of a store, a piece at a time.
#[derive(Debug)]
pub struct Scrub {
    store: ArtifactStore,
    /// The artifact whose `piece` is next; or the one before it, when that has gone.
    path: String,
    piece: usize,
    buffer: Vec<u8>,
}

impl Scrub {
    /// Begins with the first artifact.
    #[must_use]
    pub fn new(store: ArtifactStore) -> Self {
        Self { store, path: String::new(), piece: 0, buffer: Vec::new() }
    }

    /// Reads about `bytes`, and each artifact at most to its end; what of which artifact came to
    /// its end, by path.
    pub fn step(&mut self, bytes: u64) -> Vec<(String, Condition)> {
        let mut ended = Vec::new();
        let mut left = bytes;
        // Artifacts that may be visited before the first one comes round again.
        let mut visits = {
            let artifacts = self.store.open.lock();
            artifacts.values().filter(|artifact| artifact.strong_count() > 0).count()
        };
        while left > 0 && visits > 0 {
            let Some(artifact) = self.present() else { break };
            match recheck(&artifact, self.piece, &mut self.buffer) {
                Ok(read) => {
                    left = left.saturating_sub(read as u64);
                    self.piece += 1;
                    if self.piece < artifact.sums.pieces() {
                        continue;
                    }
                    ended.push((self.path.clone(), Condition::Sound));
                }
                Err((error, true)) => {
                    self.store.open.lock().remove(&self.path);
                    ended.push((self.path.clone(), Condition::Damaged(error)));
                }
                Err((error, false)) => ended.push((self.path.clone(), Condition::Lost(error))),
            }
            visits -= 1;
            self.piece = usize::MAX;
        }
        ended
    }

    /// The artifact to go on with: the next one after the last was ended, the first after the last.
    fn present(&mut self) -> Option<Arc<Artifact>> {
        let open = self.store.open.lock();
        if self.piece != usize::MAX
            && let Some(artifact) = open.get(&self.path).and_then(Weak::upgrade)
        {
            return Some(artifact);
        }
        let after = (Excluded(self.path.as_str()), Unbounded);
        let mut others = open.range::<str, _>(after).chain(open.iter());
        let (path, artifact) = others.find_map(|(path, weak)| Some((path, weak.upgrade()?)))?;
        self.path.clone_from(path);
        self.piece = 0;
        Some(artifact)
    }
}

/// Reads a piece of the file behind an artifact; with an error, whether the file is what is read.
fn recheck(
    artifact: &Artifact,
    piece: usize,
    buffer: &mut Vec<u8>,
) -> Result<usize, (ArtifactError, bool)> {
    let path = &artifact.path;
    // The file of that name, which need not be the one that is mapped. Only that is in use.
    let is_mapped = |file: Option<FileId>| file.is_some() && file == artifact.mapped;
    let named = std::fs::metadata(path).ok().map(|metadata| FileId::of(&metadata));
    let opened = file::open(path, artifact.bytes);
    let (file, metadata) = opened.map_err(|error| (error, is_mapped(named)))?;
    let verified = artifact.sums.verify(&file, piece, buffer, path);
    verified.map_err(|error| (error, is_mapped(Some(FileId::of(&metadata)))))
}

#[cfg(test)]
mod tests;
