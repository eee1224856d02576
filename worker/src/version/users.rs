//! The users of a method that compares users, with their items and ids.

use std::cmp::Ordering;

use mercer_algorithms::{
    control::Unattended,
    linalg::sparse::Csr,
    recommend::users::{UserIndex, UserIndexError, UserMoments},
};
use mercer_common::{
    artifact::ArtifactStore,
    manifest::part,
    slot::{ShardId, Subject, compare},
};
use mercer_proto::internal::Model;

use super::VersionError;
use crate::artifact::{ItemTable, ItemUsers, UserRows};

/// Open users, by item and by user.
#[derive(Debug)]
pub(crate) struct OpenUsers {
    /// Users of items, by shard of items.
    columns: Vec<ItemUsers>,
    /// Rows of users, by shard of users.
    rows: Vec<UserRows>,
    moments: UserMoments,
    /// Rows of items by themselves: here items have no other numbers.
    items: Vec<u32>,
}

impl OpenUsers {
    /// Opens and verifies those of a model.
    pub(super) fn open(
        store: &ArtifactStore,
        version: &str,
        model: &Model,
        table: &ItemTable,
    ) -> Result<Self, VersionError> {
        let columns = (0..)
            .zip(part::files(&model.parts, part::COLUMNS))
            .map(|(shard, columns)| ItemUsers::open(store, columns, table.shard_rows(shard).len()));
        let columns = columns.collect::<Result<_, _>>()?;
        let items = table.rows() as usize;
        let rows = part::files(&model.parts, part::ROWS);
        let rows = rows.iter().map(|rows| UserRows::open(store, rows, items));
        let rows: Vec<UserRows> = rows.collect::<Result<_, _>>()?;
        let parts: Vec<Csr<'_>> = rows.iter().map(UserRows::view).collect();
        let moments = UserMoments::new(&parts, &Unattended).expect("nobody cancels");
        let opened = Self { columns, rows, moments, items: (0..table.rows()).collect() };
        opened.try_read(|_| ()).map_err(|error| VersionError::Manifest {
            version: version.to_owned(),
            detail: format!("users of {} do not fit: {error}", model.algorithm),
        })?;
        Ok(opened)
    }

    /// Hands out the users, numbered through all shards.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&UserIndex<'_>) -> T) -> T {
        self.try_read(read).expect("verified when opened")
    }

    fn try_read<T>(&self, read: impl FnOnce(&UserIndex<'_>) -> T) -> Result<T, UserIndexError> {
        let rows: Vec<Csr<'_>> = self.rows.iter().map(UserRows::view).collect();
        let columns: Vec<Csr<'_>> = self.columns.iter().map(ItemUsers::view).collect();
        let index = UserIndex::new(&rows, &columns, &self.moments, &self.items, &self.items)?;
        Ok(read(&index))
    }

    /// The id of a user, who may have been deleted since.
    ///
    /// # Panics
    /// When there is no such user.
    pub(crate) fn id(&self, user: u32) -> &str {
        let mut left = user as usize;
        for rows in &self.rows {
            let users = rows.view().rows();
            if left < users {
                return rows.id(left);
            }
            left -= users;
        }
        panic!("there is no user {user}")
    }

    /// The number of a user of a shard, who had something when the version was trained.
    pub(crate) fn find(&self, shard: ShardId, id: &str) -> Option<u32> {
        let rows = self.rows.get(usize::from(shard))?;
        let before: usize =
            self.rows[..usize::from(shard)].iter().map(|rows| rows.view().rows()).sum();
        let (mut low, mut high) = (0, rows.view().rows());
        while low < high {
            let middle = usize::midpoint(low, high);
            match compare(Subject::User, rows.id(middle), id) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return u32::try_from(before + middle).ok(),
            }
        }
        None
    }
}
