//! Metadata of one machine, in a sled database whose state the log notes.
//!
//! sled writes while it opens, and drops what it cannot read. So the folder is never opened
//! itself: a copy of it is, all of it is read and compared with what its last change says and
//! with what the log noted, and only then the copy takes the folder's place.

mod place;
mod record;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Entry, Metadata, MetadataError, MetadataOpenError, Revision, State,
    tie::{Found, TiedLog, check, check_before},
};
use crate::{
    embedded::DatabaseError,
    log::{
        LogError, Mark,
        embedded::{LogStand, MetadataNote},
    },
};
use place::Place;
use store::{Store, Unopened};

/// Pause between two attempts to note a change that is stored already.
const NOTE_AGAIN: Duration = Duration::from_millis(200);
/// How long a change waits for one before it that the log has not noted yet.
const WAIT: Duration = Duration::from_secs(10);

/// A copy of the metadata in a folder, read as a whole, and nothing else so far.
#[derive(Debug)]
pub struct MetadataCopy {
    place: Place,
    /// `None` when there is no folder.
    store: Option<Store>,
    found: Found,
}

impl MetadataCopy {
    /// Copies the metadata in `folder` and reads the copy. Blocks on the disk.
    ///
    /// # Errors
    /// See [`MetadataOpenError`].
    pub fn open(folder: &Path) -> Result<Self, MetadataOpenError> {
        let place = Place::lock(folder)?;
        if !place.folder().exists() {
            return Ok(Self { place, store: None, found: Found::Nothing });
        }
        let opening = place.copy()?;
        let (store, found) = open(&place, &opening)?;
        Ok(Self { place, store: Some(store), found })
    }

    /// Whether there is anything in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found == Found::Nothing
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`MetadataError::Store`].
    pub fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        self.store.as_ref().map_or(Ok(None), |store| store.get(key))
    }

    /// Refuses metadata that does not belong to the log that stands there, before anybody opens the
    /// log: that writes. `None` is a log of before, which is converted then.
    ///
    /// # Errors
    /// See [`MetadataOpenError`].
    pub fn check(&self, log: Option<&LogStand>) -> Result<(), MetadataOpenError> {
        match log {
            Some(log) => check(self.place.folder(), self.found, log),
            None => check_before(self.place.folder(), self.found),
        }
    }

    /// Takes the folder's place, if the metadata belongs to `log`; it is new if neither of them
    /// holds anything. What waits for the log gives up when `stop` is cancelled. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// See [`MetadataOpenError`].
    pub fn tie(
        self,
        log: Arc<dyn TiedLog>,
        stop: CancellationToken,
    ) -> Result<EmbeddedMetadata, MetadataOpenError> {
        let Self { place, store, found } = self;
        check(place.folder(), found, &*log)?;
        let opening = place.opening();
        let mut store = match store {
            Some(store) => store,
            None => open(&place, &place.clear_opening()?)?.0,
        };
        let failed = |detail: String| damaged(&place, detail);
        if found == Found::Unstated {
            store.give_state(log.mark()).map_err(failed)?;
        }
        store.remove_strays().map_err(|error| failed(error.to_string()))?;
        let state = store.state;
        store.db.close().map_err(MetadataOpenError::io(&opening))?;
        place.swap()?;
        let (store, _) = open(&place, place.folder())?;
        if store.state != state {
            return Err(damaged(&place, "it changed while it was opened".into()));
        }
        store.db.sync_creation().map_err(MetadataOpenError::io(place.folder()))?;
        place.forget_before()?;
        let (store, changing) = (RwLock::new(store), Mutex::default());
        let shared = Shared { store, changing, log, stop, _place: place };
        Ok(EmbeddedMetadata { shared: Arc::new(shared) })
    }
}

/// Metadata that is built anew, before it takes the place of what cannot be used.
#[derive(Debug)]
pub struct NewMetadata {
    place: Place,
}

impl NewMetadata {
    /// Locks the metadata in `folder`, which may be damaged; nothing in it is changed. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// [`MetadataOpenError::Locked`], [`MetadataOpenError::Io`], and [`MetadataOpenError::Newer`]: what
    /// a newer release wrote is whole, and not to be built anew.
    pub fn lock(folder: &Path) -> Result<Self, MetadataOpenError> {
        let place = Place::lock(folder)?;
        if place.folder().exists() {
            let opened = place.copy().and_then(|opening| open(&place, &opening));
            match opened {
                Ok((store, _)) => store.db.close().map_err(MetadataOpenError::io(folder))?,
                Err(newer @ MetadataOpenError::Newer { .. }) => return Err(newer),
                Err(_) => {}
            }
        }
        Ok(Self { place })
    }

    /// Stores `values` as the one change that follows all that the log knows of, takes the
    /// folder's place and tells the log. What was in the folder is kept under the name that is
    /// returned.
    ///
    /// # Errors
    /// See [`MetadataOpenError`].
    pub async fn replace(
        self,
        values: BTreeMap<String, Bytes>,
        log: Arc<dyn TiedLog>,
    ) -> Result<Option<PathBuf>, MetadataOpenError> {
        let noted = log.noted().unwrap_or_default();
        let mark = log.mark();
        let folder = self.place.folder().to_owned();
        let built = spawn_blocking(move || self.build(values, noted, mark)).await;
        let (state, aside) = built.map_err(|error| MetadataOpenError::Damaged {
            folder,
            detail: format!("the new one could not be written: {error}"),
        })??;
        log.note(state.note()).await?;
        Ok(aside)
    }

    /// Writes `values` as the change that follows `noted`, and takes the folder's place; the state
    /// that is stored then, and the name of what was in the folder. Blocks on the disk.
    fn build(
        self,
        values: BTreeMap<String, Bytes>,
        noted: MetadataNote,
        mark: Mark,
    ) -> Result<(State, Option<PathBuf>), MetadataOpenError> {
        let place = self.place;
        let opening = place.clear_opening()?;
        let (mut store, _) = open(&place, &opening)?;
        let before = State { changes: noted.changes, digest: noted.digest, ..State::default() };
        let entries = values.into_iter().map(|(key, value)| (key, (1, Some(value)))).collect();
        let written = store.write_all(&entries, before, mark);
        written.map_err(|detail| damaged(&place, detail))?;
        let state = store.state;
        store.db.sync_creation().map_err(MetadataOpenError::io(&opening))?;
        store.db.close().map_err(MetadataOpenError::io(&opening))?;
        Ok((state, place.set_aside()?))
    }
}

fn open(place: &Place, folder: &Path) -> Result<(Store, Found), MetadataOpenError> {
    let truth = || place.folder().to_owned();
    Store::open(folder).map_err(|error| match error {
        Unopened::Newer { key, format } => {
            MetadataOpenError::Newer { folder: truth(), key, format }
        }
        Unopened::Database(DatabaseError::Locked) => MetadataOpenError::Locked { folder: truth() },
        Unopened::Database(DatabaseError::Damaged(detail)) => damaged(place, detail),
        Unopened::Database(DatabaseError::Io(error)) => MetadataOpenError::io(truth())(error),
    })
}

fn damaged(place: &Place, detail: String) -> MetadataOpenError {
    MetadataOpenError::Damaged { folder: place.folder().to_owned(), detail }
}

/// Metadata in a folder of this machine.
#[derive(Debug)]
pub struct EmbeddedMetadata {
    shared: Arc<Shared>,
}

struct Shared {
    store: RwLock<Store>,
    /// Held by a change until the log has noted it.
    changing: Mutex<()>,
    log: Arc<dyn TiedLog>,
    stop: CancellationToken,
    /// The folder, whose lock is released after the rest.
    _place: Place,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).finish_non_exhaustive()
    }
}

impl EmbeddedMetadata {
    /// Has the log note the present state.
    ///
    /// # Errors
    /// As [`TiedLog::note`].
    pub async fn settle(&self) -> Result<MetadataNote, LogError> {
        let _changing = self.shared.changing.lock().await;
        self.shared.settle().await
    }

    /// Runs `work` off the runtime's threads; once begun it is completed even if nobody waits.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&RwLock<Store>) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let shared = Arc::clone(&self.shared);
        let done = spawn_blocking(move || work(&shared.store)).await;
        done.map_err(|error| MetadataError::Store(error.to_string()))?
    }
}

impl Shared {
    /// Has the log note the present state, unless it has.
    async fn settle(&self) -> Result<MetadataNote, LogError> {
        let note = self.store.read().state.note();
        // Nothing at all is not worth a note.
        if self.log.noted().unwrap_or_default() != note {
            self.log.note(note).await?;
        }
        Ok(note)
    }

    /// Makes a change, which the log has noted when this returns.
    async fn change(
        self: Arc<Self>,
        key: String,
        expected: Option<Revision>,
        value: Option<Bytes>,
    ) -> Result<Revision, MetadataError> {
        let stopped = || {
            let detail = "the log does not confirm the change before; this one was not made";
            MetadataError::Store(detail.to_owned())
        };
        let _changing = timeout(WAIT, self.changing.lock()).await.map_err(|_| stopped())?;
        // Metadata is never two changes ahead.
        self.settle().await.map_err(|_| stopped())?;
        let shared = Arc::clone(&self);
        let mark: Mark = self.log.mark();
        let changed = spawn_blocking(move || {
            let mut store = shared.store.write();
            store.compare_and_set(&key, expected, value.as_ref(), mark)
        })
        .await;
        let revision = changed.map_err(|error| MetadataError::Store(error.to_string()))??;
        // The change is made: nobody is told otherwise only because the log is stopped for a while.
        let mut is_told = false;
        while let Err(error) = self.settle().await {
            if !is_told {
                tracing::warn!(%error, "the log does not note a change of metadata: trying again");
                is_told = true;
            }
            let failed = || {
                let detail = format!("the change was made, but the log did not note it: {error}");
                MetadataError::Store(detail)
            };
            if matches!(error, LogError::Closed) {
                return Err(failed());
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(failed()),
                () = sleep(NOTE_AGAIN) => {}
            }
        }
        Ok(revision)
    }
}

#[async_trait]
impl Metadata for EmbeddedMetadata {
    async fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        let key = key.to_owned();
        self.blocking(move |store| store.read().get(&key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, MetadataError> {
        let prefix = prefix.to_owned();
        self.blocking(move |store| store.read().list(&prefix)).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Revision>,
        value: Option<Bytes>,
    ) -> Result<Revision, MetadataError> {
        // Once begun it is completed even if nobody waits.
        let change = Arc::clone(&self.shared).change(key.to_owned(), expected, value);
        let done = tokio::spawn(change).await;
        done.map_err(|error| MetadataError::Store(error.to_string()))?
    }

    fn stopped(&self) -> Option<String> {
        // Whoever is changing it will know better in a moment.
        let store = self.shared.store.try_read()?;
        store.failure().map(|failure| format!("{failure}; then start again"))
    }
}
