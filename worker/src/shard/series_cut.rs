//! The series part of a cut: the shard's items with their daily sales, stock and terms, as they
//! were at the job's marker.
//!
//! | section | values | content |
//! |---|---|---|
//! | 0 | u64 | version of the layout; time of the newest event; item days with a sale |
//! | 1, 2 | u64, u8 | items by (slot, id): ends of their records, records (`StoredItem`) |
//! | 3 | u8 | the directory (`Directory`) |
//! | 4 | u8 | IANA name of the cluster's time zone |
//! | 5 | u8 | since version 2: on which days anything was sold, and where (`ShopDays`) |

use std::sync::Arc;

use jiff::tz::TimeZone;
use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore},
    slot::ShardId,
};
use mercer_proto::internal::{self, StoredItem};
use prost::Message as _;

use super::{
    Directory, ItemState, ShardState,
    cut::{PHASE, expect_version},
    labels::Labels,
    shop_days::ShopDays,
};

const KIND: &str = "series-cut";
const VERSION: u64 = 2;
/// Without a section of [`ShopDays`]: its items tell.
const BEFORE_SHOP_DAYS: u64 = 1;

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
    let mut writer = artifacts.writer(job, PHASE, &name(state.shard()), KIND)?;
    writer.section(&[VERSION, state.newest_item_event().into(), sale_days as u64])?;
    for item in state.items() {
        item.encode_without_visits().encode_raw(&mut records);
        ends.push(records.len() as u64);
    }
    writer.section(&ends)?;
    writer.section(&records)?;
    writer.section(&state.directory().encode().encode_to_vec())?;
    writer.section(zone.as_bytes())?;
    writer.section(&ShopDays::of(state.items()).encode().encode_to_vec())?;
    writer.finish()
}

/// The series part of a cut as training reads it.
#[derive(Debug)]
pub(crate) struct SeriesCut {
    artifact: Arc<Artifact>,
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
        let artifact = artifacts.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        expect_version(&artifact, VERSION)?;
        let head: &[u64] = artifact.section(0)?;
        let ends: &[u64] = artifact.section(1)?;
        let records: &[u8] = artifact.section(2)?;
        let last = ends.last().copied().unwrap_or_default();
        if !matches!(head, &[BEFORE_SHOP_DAYS | VERSION, _, _])
            || !ends.is_sorted()
            || last != records.len() as u64
        {
            return Err(artifact.layout("the sections of the series disagree"));
        }
        let zone = std::str::from_utf8(artifact.section(4)?).ok();
        let zone = zone.and_then(|name| TimeZone::get(name).ok());
        let zone = zone.ok_or_else(|| artifact.layout("the time zone is unknown here"))?;
        let directory = internal::Directory::decode(artifact.section::<u8>(3)?);
        let directory = directory.map_err(|error| artifact.layout(error.to_string()))?;
        Ok(Self { directory: Directory::decode(directory, zone), artifact })
    }

    /// Locations, suppliers and price rules.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Time of the newest event of an item, in seconds since 1990-01-01T00:00:00Z; 0 when there
    /// was none.
    pub(crate) fn newest_event(&self) -> u32 {
        u32::try_from(self.u64s(0)[1]).unwrap_or(u32::MAX)
    }

    /// Pairs of an item and a day on which any unit was sold.
    pub(crate) fn sale_days(&self) -> u64 {
        self.u64s(0)[2]
    }

    /// On which days anything was sold, and where.
    ///
    /// # Errors
    /// When the section, or a record of a cut without it, is damaged.
    pub(crate) fn shop_days(&self) -> Result<ShopDays, ArtifactError> {
        if self.u64s(0)[0] == BEFORE_SHOP_DAYS {
            let mut days = ShopDays::default();
            for index in 0..self.len() {
                days.add_item(&self.item(index)?);
            }
            return Ok(days);
        }
        let stored = internal::ShopDays::decode(self.artifact.section::<u8>(5)?);
        let stored = stored.map_err(|error| self.artifact.layout(error.to_string()))?;
        Ok(ShopDays::decode(&stored))
    }

    /// Number of the shard's items.
    pub(crate) fn len(&self) -> usize {
        self.u64s(1).len()
    }

    /// An item, by its rank by (slot, id). It has no visits: its popularity is 0.
    ///
    /// # Errors
    /// When the record is damaged.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub(crate) fn item(&self, index: usize) -> Result<ItemState, ArtifactError> {
        let ends = self.u64s(1);
        let start = if index == 0 { 0 } else { ends[index - 1] };
        let records: &[u8] = self.artifact.section(2)?;
        let stored = StoredItem::decode(&records[start as usize..ends[index] as usize])
            .map_err(|error| self.artifact.layout(error.to_string()))?;
        // Labels are shared within one item only: whoever reads drops it again soon.
        ItemState::decode(stored, &mut Labels::default())
            .map_err(|error| self.artifact.layout(error.to_string()))
    }

    fn u64s(&self, section: usize) -> &[u64] {
        self.artifact.section(section).expect("checked when the cut was opened")
    }
}
