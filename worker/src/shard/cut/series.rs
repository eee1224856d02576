//! The series part of a cut, written from items and read back as items.

use jiff::tz::TimeZone;
use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use prost::Message as _;

use super::PHASE;
use crate::{
    artifact::cut::{SeriesFile as File, StoredSeries},
    shard::{Directory, ItemState, ShardState, labels::Labels, shop_days::ShopDays},
};

/// Name of the artifact of a shard.
pub(crate) fn name(shard: ShardId) -> String {
    format!("series-{shard:02}")
}

/// Writes the series part of the cut of `job`. It depends on nothing but the log before the
/// job's marker.
///
/// # Errors
/// When the artifact cannot be written, or exists with other content.
pub(crate) fn write(
    state: &ShardState,
    job: &str,
    artifacts: &ArtifactStore,
) -> Result<ArtifactRef, ArtifactError> {
    let sale_days: usize = state.items().map(|item| item.series().sale_days()).sum();
    let zone = state.directory().cluster_zone().iana_name().unwrap_or("UTC");
    let (mut ends, mut records) = (Vec::new(), Vec::new());
    let mut writer = File::LAYOUT.writer(artifacts, job, PHASE, &name(state.shard()))?;
    let newest = u64::from(state.newest_item_event());
    writer.write(File::HEAD, &[File::VERSION, newest, sale_days as u64])?;
    for item in state.items() {
        item.encode_without_visits().encode_raw(&mut records);
        ends.push(records.len() as u64);
    }
    writer.write(File::RECORD_ENDS, &ends)?;
    writer.write(File::RECORDS, &records)?;
    writer.write(File::DIRECTORY, &state.directory().encode().encode_to_vec())?;
    writer.write(File::ZONE, zone.as_bytes())?;
    writer.write(File::SHOP_DAYS, &ShopDays::of(state.items()).encode().encode_to_vec())?;
    writer.finish()
}

/// The series part of a cut as training reads it.
#[derive(Debug)]
pub(crate) struct SeriesCut {
    stored: StoredSeries,
    directory: Directory,
}

impl SeriesCut {
    /// Opens it, and checks that its sections agree.
    ///
    /// # Errors
    /// When the artifact is missing, damaged or of another kind.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let stored = StoredSeries::open(artifacts, artifact)?;
        let zone = stored.zone().and_then(|name| TimeZone::get(name).ok());
        let zone = zone.ok_or_else(|| stored.layout("the time zone is unknown here"))?;
        let directory = Directory::decode(stored.directory()?, zone);
        let directory = directory.map_err(|error| stored.layout(error.to_string()))?;
        Ok(Self { directory, stored })
    }

    /// Locations, suppliers and price rules.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Time of the newest event of an item, in seconds since 1990-01-01T00:00:00Z; 0 when there
    /// was none.
    pub(crate) fn newest_event(&self) -> u32 {
        self.stored.newest_event()
    }

    /// Pairs of an item and a day on which any unit was sold.
    pub(crate) fn sale_days(&self) -> u64 {
        self.stored.sale_days()
    }

    /// On which days anything was sold, and where.
    ///
    /// # Errors
    /// When the section, or a record of a cut without it, is damaged.
    pub(crate) fn shop_days(&self) -> Result<ShopDays, ArtifactError> {
        if let Some(stored) = self.stored.shop_days()? {
            return Ok(ShopDays::decode(&stored));
        }
        let mut days = ShopDays::default();
        for index in 0..self.len() {
            days.add_item(&self.item(index)?);
        }
        Ok(days)
    }

    /// Number of the shard's items.
    pub(crate) fn len(&self) -> usize {
        self.stored.len()
    }

    /// An item, by its rank by (slot, id). It has no visits: its popularity is 0.
    ///
    /// # Errors
    /// When the record is damaged.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub(crate) fn item(&self, index: usize) -> Result<ItemState, ArtifactError> {
        // Labels are shared within one item only: whoever reads drops it again soon.
        ItemState::decode(self.stored.item(index)?, &mut Labels::default())
            .map_err(|error| self.stored.layout(error.to_string()))
    }
}
