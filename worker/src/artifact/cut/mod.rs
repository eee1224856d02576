//! The parts of a cut: what training reads of a shard, as it was at the job's marker.

mod content;
mod interactions;
mod series;
mod users;

pub(crate) use content::{ContentCut, ContentFile};
pub(crate) use interactions::{Cut, CutEntries, InteractionsFile};
pub(crate) use series::{SeriesFile, StoredSeries};
pub(crate) use users::{UserCut, UsersFile};
