//! What few ledgers have beside their rows.

use super::{
    channels::Channels,
    days::PurchaseDays,
    row::{Key, LineKind, Row, Sums, WideRow},
};

/// What stands beside the rows of a ledger.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// How many lines were entered by kind, but for one of each row: those that met their row, and the
    /// first of each row that is folded.
    pub(super) more_lines: [u64; LineKind::ALL.len()],
    /// Channels that any row names.
    pub(super) channels: Channels,
    /// Sums of the rows that are wide, by key.
    pub(super) wide: Vec<WideRow>,
    /// As soon as a row does not fit.
    pub(super) folded: Option<Box<Folded>>,
}

/// Beside the rows of most ledgers.
pub(super) static NOTHING: Aside = Aside {
    more_lines: [0; LineKind::ALL.len()],
    channels: Channels::NONE,
    wide: Vec::new(),
    folded: None,
};

/// What lies below the rows.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// Sums by kind.
    pub(super) sums: [Sums; LineKind::ALL.len()],
    /// Days of purchase, of the rows as well.
    pub(super) days: PurchaseDays,
}

impl Aside {
    /// Sums of a wide row.
    pub(super) fn wide(&self, key: Key) -> Sums {
        let found = self.wide.binary_search_by_key(&key, |wide| wide.key);
        self.wide[found.expect("a wide row stands apart")].sums
    }

    pub(super) fn set_wide(&mut self, key: Key, sums: Sums) {
        match self.wide.binary_search_by_key(&key, |wide| wide.key) {
            Ok(place) => self.wide[place].sums = sums,
            Err(place) => self.wide.insert(place, WideRow { key, sums }),
        }
    }

    /// Removes the sums of a row, if it was wide.
    pub(super) fn remove_wide(&mut self, key: Key) {
        if let Ok(place) = self.wide.binary_search_by_key(&key, |wide| wide.key) {
            self.wide.remove(place);
        }
    }

    /// What lies below these rows; from the first time on, with all days so far.
    pub(super) fn fold(&mut self, rows: &[Row]) -> &mut Folded {
        self.folded.get_or_insert_with(|| {
            let mut folded = Box::<Folded>::default();
            for row in rows.iter().filter(|row| row.kind().is_purchase()) {
                folded.days.insert(row.key().0);
            }
            folded
        })
    }
}
