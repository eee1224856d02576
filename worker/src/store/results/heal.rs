//! Builds a damaged database again from the artifacts, while the worker serves everything else.

use std::{
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{Results, ResultsError, database, io};
use crate::store::set_aside;

/// How long to wait after an attempt that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether somebody is building it again.
#[derive(Debug, Default)]
pub(super) enum Healing {
    /// Nobody, and nobody needs to.
    #[default]
    Whole,
    /// Somebody is.
    Building,
    /// The last attempt failed then.
    Failed(Instant),
}

impl Results {
    /// Begins to build the database again, unless somebody does, and says that it is damaged.
    pub(super) fn spoiled(&self, detail: &str) -> ResultsError {
        let mut healing = self.healing.lock();
        let is_due = match *healing {
            Healing::Whole => true,
            Healing::Building => false,
            Healing::Failed(when) => when.elapsed() >= AGAIN,
        };
        if is_due && let Some(this) = self.this.upgrade() {
            tracing::error!(folder = %self.folder.display(), detail, "results are built again");
            let begun = thread::Builder::new().name("results".into()).spawn(move || this.heal());
            *healing = match begun {
                Ok(_) => Healing::Building,
                Err(error) => {
                    tracing::error!(%error, "no thread to build results");
                    Healing::Failed(Instant::now())
                }
            };
        }
        ResultsError::Damaged { path: self.folder.clone(), detail: detail.to_owned() }
    }

    fn heal(self: Arc<Self>) {
        let _loading = self.loading.lock();
        // Failures are logged and tried again when the next question meets them.
        let _ = self.build();
    }

    /// Sets the database aside and loads all shards into a new one; whoever calls it holds
    /// `loading`.
    pub(super) fn build(&self) -> Result<sled::Db, ResultsError> {
        *self.healing.lock() = Healing::Building;
        let built = self.try_build();
        *self.healing.lock() = match &built {
            Ok(_) => {
                tracing::info!(folder = %self.folder.display(), "results are whole again");
                Healing::Whole
            }
            Err(error) => {
                tracing::error!(%error, "results cannot be built again now");
                Healing::Failed(Instant::now())
            }
        };
        built
    }

    /// Overwrites the block that begins with an item.
    #[cfg(test)]
    pub(in crate::store) fn overwrite(&self, id: &str, block: &[u8]) {
        let db = self.db.read().clone().expect("whole");
        db.insert(database::key(id), block).expect("overwritten");
    }

    fn try_build(&self) -> Result<sled::Db, ResultsError> {
        // Questions under way keep what they have.
        drop(self.db.write().take());
        make_room(&self.folder)?;
        let (db, _) = database::open(&self.folder)?
            .map_err(|detail| ResultsError::Damaged { path: self.folder.clone(), detail })?;
        let sources = self.sources.lock().clone();
        // Others that were there are loaded when they are asked for.
        self.loaded.write().retain(|shard, _| sources.contains_key(shard));
        for (shard, artifact) in &sources {
            self.load(&db, *shard, artifact)?;
        }
        *self.db.write() = Some(db.clone());
        Ok(db)
    }
}

/// Sets a damaged folder aside and makes an empty one. What was set aside is removed with the next
/// folders that no version needs: it holds nothing that artifacts do not.
pub(super) fn make_room(folder: &Path) -> Result<(), ResultsError> {
    set_aside(folder).map_err(io("set aside", folder))?;
    fs::create_dir_all(folder).map_err(io("create", folder))
}
