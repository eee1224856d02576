//! The folder of artifacts that all processes of a cluster share.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::{
    Artifact, ArtifactError, ArtifactRef, ArtifactWriter,
    names::{checked, is_own, named, names, prefix, split_hash, stat},
};
use crate::{config::ArtifactsConfig, space::Floor};

/// All artifacts of a cluster, under `jobs/JOB/PHASE/NAME-HASH`.
///
/// Clones share their open files.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    folder: Arc<Path>,
    resident_bytes: u64,
    /// Below it nothing is written.
    floor: Option<Arc<Floor>>,
    /// Open files by path.
    pub(super) open: Arc<Mutex<BTreeMap<String, Weak<Artifact>>>>,
}

impl ArtifactStore {
    /// Opens the store in `folder`, which is created if necessary.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn open(folder: &Path) -> Result<Self, ArtifactError> {
        fs::create_dir_all(folder).map_err(ArtifactError::io("create", folder))?;
        let folder = folder.canonicalize().map_err(ArtifactError::io("open", folder))?;
        let resident_bytes = ArtifactsConfig::default().resident_bytes;
        Ok(Self { folder: folder.into(), resident_bytes, floor: None, open: Arc::default() })
    }

    /// Holds artifacts of up to so many bytes in memory when they are opened, and maps others.
    #[must_use]
    pub fn with_resident_bytes(mut self, bytes: u64) -> Self {
        self.resident_bytes = bytes;
        self
    }

    /// Begins no artifact while less than the floor is free.
    #[must_use]
    pub fn with_floor(mut self, floor: Floor) -> Self {
        self.floor = Some(floor.into());
        self
    }

    /// Where the store is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins an artifact. `kind` (1 to 48 ASCII bytes) says what its sections are.
    ///
    /// # Errors
    /// [`ArtifactError::Name`] when a part is not usable in a path, [`ArtifactError::LowSpace`] and
    /// [`ArtifactError::Io`].
    pub fn writer(
        &self,
        job: &str,
        phase: &str,
        name: &str,
        kind: &str,
    ) -> Result<ArtifactWriter, ArtifactError> {
        let prefix = prefix(job, phase, name)?;
        self.floor.as_ref().map_or(Ok(()), |floor| floor.check())?;
        ArtifactWriter::create(Arc::clone(&self.folder), prefix, kind)
    }

    /// Writes an artifact of any kind from the bytes of its sections. What tests damage is written so;
    /// files of a known kind are written by their [`Layout`](super::Layout).
    ///
    /// # Errors
    /// As [`Self::writer`] and [`ArtifactWriter::finish`].
    pub fn put(
        &self,
        job: &str,
        phase: &str,
        name: &str,
        kind: &str,
        sections: &[&[u8]],
    ) -> Result<ArtifactRef, ArtifactError> {
        let mut writer = self.writer(job, phase, name, kind)?;
        for section in sections {
            writer.section(section)?;
        }
        writer.finish()
    }

    /// The artifact of that name, if it has been written.
    ///
    /// # Errors
    /// [`ArtifactError::Nondeterministic`] when there are several, and [`ArtifactError::Io`].
    pub fn find(
        &self,
        job: &str,
        phase: &str,
        name: &str,
    ) -> Result<Option<ArtifactRef>, ArtifactError> {
        let prefix = prefix(job, phase, name)?;
        let mut named = named(&self.folder, &prefix)?.into_iter();
        let Some((_, found)) = named.next() else { return Ok(None) };
        match named.next() {
            None => Ok(Some(found)),
            Some((hash, _)) => Err(ArtifactError::Nondeterministic {
                existing: self.folder.join(found.path),
                hash,
            }),
        }
    }

    /// Opens and verifies an artifact. It is read in full once, however often it is opened while
    /// somebody holds it, unless [`Scrub`](super::Scrub) has found it damaged since.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], [`ArtifactError::Damaged`], [`ArtifactError::Io`], and
    /// [`ArtifactError::Name`] when the path is not one of an artifact.
    pub fn open_artifact(&self, artifact: &ArtifactRef) -> Result<Arc<Artifact>, ArtifactError> {
        let (path, hash) = self.locate(artifact)?;
        if let Some(open) = self.open.lock().get(&artifact.path).and_then(Weak::upgrade) {
            return Ok(open);
        }
        let opened = Arc::new(Artifact::open(&path, artifact.bytes, hash, self.resident_bytes)?);
        let mut open = self.open.lock();
        open.retain(|_, artifact| artifact.strong_count() > 0);
        open.insert(artifact.path.clone(), Arc::downgrade(&opened));
        Ok(opened)
    }

    /// The jobs that have a folder, in no order.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn jobs(&self) -> Result<Vec<String>, ArtifactError> {
        names(&self.folder.join("jobs"))
    }

    /// All artifacts, by path.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn list(&self) -> Result<Vec<ArtifactRef>, ArtifactError> {
        let mut found = Vec::new();
        for job in self.jobs()? {
            for phase in names(&self.folder.join("jobs").join(&job))? {
                let folder = format!("jobs/{job}/{phase}");
                for file in names(&self.folder.join(&folder))? {
                    if split_hash(&file).is_some() {
                        found.extend(stat(&self.folder, format!("{folder}/{file}"))?);
                    }
                }
            }
        }
        found.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(found)
    }

    /// Removes one artifact; one that does not exist is no error. Whoever has it open keeps it.
    ///
    /// # Errors
    /// [`ArtifactError::Io`], and [`ArtifactError::Name`] when the path is not one of an artifact.
    pub fn remove(&self, artifact: &ArtifactRef) -> Result<(), ArtifactError> {
        let (path, _) = self.locate(artifact)?;
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(ArtifactError::io("remove", path)(error));
        }
        // The phase's and the job's folder, when nothing is left in them.
        for folder in path.ancestors().skip(1).take(2) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes all artifacts of a phase of a job, unfinished ones too, and nothing else.
    ///
    /// # Errors
    /// [`ArtifactError::Io`] and [`ArtifactError::Name`].
    pub fn remove_job_phase(&self, job: &str, phase: &str) -> Result<(), ArtifactError> {
        let folder = self.folder.join("jobs").join(checked(job)?).join(checked(phase)?);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(ArtifactError::io("read", folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(ArtifactError::io("read", &folder))?.path();
            if is_own(&path) {
                fs::remove_file(&path).map_err(ArtifactError::io("remove", path))?;
            }
        }
        // The phase's folder and, when this was its last phase, the job's.
        if fs::remove_dir(&folder).is_ok() {
            let _ = fs::remove_dir(folder.parent().expect("a phase lies in a job"));
        }
        Ok(())
    }

    /// Moves the folder of a job to where no job has files, `JOB.set-aside`, and returns where; `None`
    /// when there is no such folder.
    ///
    /// # Errors
    /// [`ArtifactError::Io`] and [`ArtifactError::Name`].
    pub fn set_aside_job(&self, job: &str) -> Result<Option<PathBuf>, ArtifactError> {
        let folder = self.folder.join("jobs").join(checked(job)?);
        if !folder.is_dir() {
            return Ok(None);
        }
        let names = (1..).map(|number| match number {
            1 => self.folder.join(format!("{job}.set-aside")),
            _ => self.folder.join(format!("{job}.set-aside-{number}")),
        });
        let free = names.into_iter().find(|path| !path.exists()).expect("numbers do not end");
        fs::rename(&folder, &free).map_err(ArtifactError::io("set aside", folder))?;
        Ok(Some(free))
    }

    /// The file and hash behind a reference, which may come from another process.
    fn locate(&self, artifact: &ArtifactRef) -> Result<(PathBuf, u64), ArtifactError> {
        let refused = || ArtifactError::Name { name: artifact.path.clone() };
        let parts: Vec<&str> = artifact.path.split('/').collect();
        let ["jobs", job, phase, file] = parts[..] else { return Err(refused()) };
        for part in [job, phase, file] {
            checked(part).map_err(|_| refused())?;
        }
        let (_, hash) = split_hash(file).ok_or_else(refused)?;
        Ok((self.folder.join(&artifact.path), hash))
    }
}
