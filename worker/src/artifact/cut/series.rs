//! The series part of a cut: the shard's items with their daily sales, stock and terms, as they
//! were at the job's marker.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};
use mercer_proto::internal::{Directory, ShopDays, StoredItem};
use prost::Message;

use SeriesFile as File;

use crate::artifact::spans::{ends_fit, until};

layout! {
    /// The series of a shard.
    pub(crate) enum SeriesFile: "series-cut" numbered 2 required 5 {
        /// `[version, time of the newest event, item days with a sale]`.
        HEAD: u64,
        /// Items by (slot, id): where their records end.
        RECORD_ENDS: u64,
        /// Their records ([`StoredItem`]).
        RECORDS: u8,
        /// The directory ([`Directory`]).
        DIRECTORY: u8,
        /// IANA name of the cluster's time zone.
        ZONE: u8,
        /// Since version 2: on which days anything was sold, and where ([`ShopDays`]).
        SHOP_DAYS: u8,
    }
}

impl SeriesFile {
    /// Without [`Self::SHOP_DAYS`]: the items tell.
    const BEFORE_SHOP_DAYS: u64 = 1;
}

/// The series part of a cut as it is stored.
#[derive(Debug)]
pub(crate) struct StoredSeries {
    file: Sections,
}

impl StoredSeries {
    /// Opens it and checks that its sections agree.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when its sections
    /// disagree.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(artifacts, artifact)?;
        let is_known =
            matches!(file.get(File::HEAD), &[File::BEFORE_SHOP_DAYS | File::VERSION, _, _]);
        if !is_known || !ends_fit(file.get(File::RECORD_ENDS), file.get(File::RECORDS).len()) {
            return Err(file.layout("the sections of the series disagree"));
        }
        Ok(Self { file })
    }

    /// Locations, suppliers and price rules.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when the section is damaged.
    pub(crate) fn directory(&self) -> Result<Directory, ArtifactError> {
        self.decode(self.file.get(File::DIRECTORY))
    }

    /// IANA name of the cluster's time zone; `None` when it is no text.
    pub(crate) fn zone(&self) -> Option<&str> {
        std::str::from_utf8(self.file.get(File::ZONE)).ok()
    }

    /// Time of the newest event of an item, in seconds since 1990-01-01T00:00:00Z; 0 when there
    /// was none.
    pub(crate) fn newest_event(&self) -> u32 {
        u32::try_from(self.file.get(File::HEAD)[1]).unwrap_or(u32::MAX)
    }

    /// Pairs of an item and a day on which any unit was sold.
    pub(crate) fn sale_days(&self) -> u64 {
        self.file.get(File::HEAD)[2]
    }

    /// On which days anything was sold, and where; `None` in a cut of before they were kept.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when the section is damaged.
    pub(crate) fn shop_days(&self) -> Result<Option<ShopDays>, ArtifactError> {
        if self.file.get(File::HEAD)[0] == File::BEFORE_SHOP_DAYS {
            return Ok(None);
        }
        self.decode(self.file.get(File::SHOP_DAYS)).map(Some)
    }

    /// Number of the shard's items.
    pub(crate) fn len(&self) -> usize {
        self.file.get(File::RECORD_ENDS).len()
    }

    /// An item, by its rank by (slot, id).
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when the record is damaged.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub(crate) fn item(&self, index: usize) -> Result<StoredItem, ArtifactError> {
        let range = until(self.file.get(File::RECORD_ENDS), index);
        self.decode(&self.file.get(File::RECORDS)[range])
    }

    /// An error about the content of this file.
    pub(crate) fn layout(&self, detail: impl Into<String>) -> ArtifactError {
        self.file.layout(detail)
    }

    fn decode<M: Message + Default>(&self, bytes: &[u8]) -> Result<M, ArtifactError> {
        M::decode(bytes).map_err(|error| self.file.layout(error.to_string()))
    }
}
