//! What was taken out of the log's meaning: imports that were undone, and rows that later imports
//! replaced.
//!
//! The log keeps everything. A retraction says which of its records count no longer, and the shard is
//! folded again from the log without them, so that its state is that of a shard which never met
//! them. Nothing is subtracted: a window, a seen set or the highest price of a day has no inverse.
//!
//! A whole import is taken out wherever its sections lie. A row is taken out as often as it is named,
//! and only of what lies before the retraction that names it: the same row may be loaded again
//! later. Rows that a retracted import had taken out count again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mercer_common::log::Sequence;
use mercer_proto::internal::{Retract, StoredRetraction};

use super::{ApplyError, origin::ProducerId};

/// Stands for a row on the item's side.
pub(crate) type ItemRow = [u8; 16];
/// Stands for a row on the user's side; shares nothing with the item's.
pub(crate) type UserMark = u64;

/// What one import takes out: rows, or itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Retraction {
    /// What lies behind it is not meant.
    position: Sequence,
    import: ProducerId,
    whole: bool,
    part: u32,
    item_rows: Vec<ItemRow>,
    user_marks: Vec<UserMark>,
}

/// All retractions that a shard has met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retractions {
    met: Vec<Retraction>,
    whole: BTreeSet<ProducerId>,
    /// While the shard is folded again.
    fold: Option<Box<Fold>>,
}

/// What is still to be taken out by a fold: by row, how often by which position. Of a row that is named
/// several times the earliest retraction that it lies before takes it.
#[derive(Clone, Debug, Default)]
struct Fold {
    items: HashMap<ItemRow, BTreeMap<Sequence, usize>>,
    users: HashMap<UserMark, BTreeMap<Sequence, usize>>,
}

impl Retractions {
    /// Checks what a section says before anything of it is applied.
    ///
    /// # Errors
    /// `Malformed`.
    pub(crate) fn check(said: &Retract) -> Result<(), ApplyError> {
        Retraction::read(0, said).map(|_| ())
    }

    /// Notes what the section at `position` says; nothing when the same was said before.
    ///
    /// # Errors
    /// `Malformed`.
    pub(crate) fn note(&mut self, position: Sequence, said: &Retract) -> Result<(), ApplyError> {
        let retraction = Retraction::read(position, said)?;
        let says = |one: &Retraction| (one.import, one.whole, one.part);
        if self.met.iter().any(|met| says(met) == says(&retraction)) {
            return Ok(());
        }
        if retraction.whole {
            self.whole.insert(retraction.import);
        }
        self.met.push(retraction);
        Ok(())
    }

    /// Whether the sections of an import count no longer.
    pub(crate) fn covers(&self, import: &ProducerId) -> bool {
        !self.whole.is_empty() && self.whole.contains(import)
    }

    /// Whether a fold is under way, which has met all of them from the start.
    pub(crate) fn is_folding(&self) -> bool {
        self.fold.is_some()
    }

    /// The same, for a state that is to be folded from the beginning of the log. What a retraction
    /// names stays named, whether this shard holds it or not: it may count again, and be taken by
    /// another one, when the import is undone that had taken it out.
    pub(crate) fn for_fold(&self) -> Self {
        let mut fold = Fold::default();
        for met in self.met.iter().filter(|met| !self.whole.contains(&met.import)) {
            for row in &met.item_rows {
                *fold.items.entry(*row).or_default().entry(met.position).or_default() += 1;
            }
            for mark in &met.user_marks {
                *fold.users.entry(*mark).or_default().entry(met.position).or_default() += 1;
            }
        }
        Self { fold: Some(Box::new(fold)), ..self.clone() }
    }

    /// Ends a fold.
    pub(crate) fn end_fold(&mut self) {
        self.fold = None;
    }

    /// Whether the item's side of a row at `position` is to be left out, which counts once.
    pub(crate) fn takes_item(&mut self, row: Option<&ItemRow>, position: Sequence) -> bool {
        let (Some(fold), Some(row)) = (&mut self.fold, row) else { return false };
        take(&mut fold.items, row, position)
    }

    /// The same of the user's side.
    pub(crate) fn takes_user(&mut self, mark: Option<UserMark>, position: Sequence) -> bool {
        let (Some(fold), Some(mark)) = (&mut self.fold, mark) else { return false };
        take(&mut fold.users, &mark, position)
    }

    /// As snapshots store it.
    pub(crate) fn encode(&self) -> Vec<StoredRetraction> {
        let stored = self.met.iter().map(|one| StoredRetraction {
            position: one.position,
            retract: Some(Retract {
                import_id: one.import.to_vec(),
                whole: one.whole,
                item_rows: one.item_rows.concat(),
                user_marks: one.user_marks.iter().flat_map(|mark| mark.to_be_bytes()).collect(),
                more: false,
                part: one.part,
            }),
        });
        stored.collect()
    }

    /// The inverse of [`Self::encode`].
    pub(crate) fn decode(stored: &[StoredRetraction]) -> Result<Self, ApplyError> {
        let mut retractions = Self::default();
        for one in stored {
            let said = one.retract.as_ref();
            let said = said.ok_or(ApplyError::Malformed("a retraction says nothing"))?;
            retractions.note(one.position, said)?;
        }
        Ok(retractions)
    }
}

impl Retraction {
    fn read(position: Sequence, said: &Retract) -> Result<Self, ApplyError> {
        let malformed = ApplyError::Malformed;
        let import = said.import_id.as_slice().try_into();
        let (item_rows, odd_rows) = said.item_rows.as_chunks::<16>();
        let (user_marks, odd_marks) = said.user_marks.as_chunks::<8>();
        if !odd_rows.is_empty() || !odd_marks.is_empty() {
            return Err(malformed("a retracted row has not the length of one"));
        }
        Ok(Self {
            position,
            import: import.map_err(|_| malformed("the id of an import has not 16 bytes"))?,
            whole: said.whole,
            part: said.part,
            item_rows: item_rows.to_vec(),
            user_marks: user_marks.iter().map(|mark| u64::from_be_bytes(*mark)).collect(),
        })
    }
}

/// Whether a retraction behind `position` takes a row out.
fn take<K: std::hash::Hash + Eq>(
    named: &mut HashMap<K, BTreeMap<Sequence, usize>>,
    row: &K,
    position: Sequence,
) -> bool {
    let Some(behind) = named.get_mut(row) else { return false };
    let Some((&limit, count)) = behind.range_mut(position..).next() else { return false };
    *count -= 1;
    if *count == 0 {
        behind.remove(&limit);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ProducerId = [1; 16];
    const B: ProducerId = [2; 16];

    fn retract(import: ProducerId, whole: bool, rows: &[ItemRow]) -> Retract {
        let item_rows = rows.concat();
        Retract { import_id: import.to_vec(), whole, item_rows, ..Retract::default() }
    }

    #[test]
    fn a_row_goes_as_often_as_it_is_named_and_only_before() {
        let (row, other) = ([7; 16], [8; 16]);
        let mut retractions = Retractions::default();
        retractions.note(10, &retract(A, false, &[row])).expect("readable");
        retractions.note(20, &retract(B, false, &[row, row])).expect("readable");
        let mut fold = retractions.for_fold();
        assert!(!fold.takes_item(Some(&other), 1) && !fold.takes_item(None, 1));
        // The first goes by the retraction at 10, which names it once; the next by the other.
        assert!(fold.takes_item(Some(&row), 1) && fold.takes_item(Some(&row), 2));
        assert!(fold.takes_item(Some(&row), 15));
        assert!(!fold.takes_item(Some(&row), 16), "named three times");
        fold.end_fold();
        assert!(!fold.takes_item(Some(&row), 1), "nothing is taken out by itself");
        let again = Retractions::decode(&fold.encode()).expect("readable");
        let rows: Vec<usize> = again.met.iter().map(|one| one.item_rows.len()).collect();
        assert_eq!(rows, [1, 2]);
        let mut late = retractions.for_fold();
        assert!(!late.takes_item(Some(&row), 21), "what lies behind is not meant");
    }

    #[test]
    fn what_a_retracted_import_took_out_counts_again() {
        let row = [7; 16];
        let mut retractions = Retractions::default();
        retractions.note(10, &retract(A, false, &[row])).expect("readable");
        assert!(!retractions.covers(&A));
        retractions.note(20, &retract(A, true, &[])).expect("readable");
        assert!(retractions.covers(&A) && !retractions.covers(&B));
        let mut fold = retractions.for_fold();
        assert!(fold.covers(&A));
        assert!(!fold.takes_item(Some(&row), 1));
        // Another import that names it takes it then.
        retractions.note(15, &retract(B, false, &[row])).expect("readable");
        let mut fold = Retractions::decode(&retractions.encode()).expect("readable").for_fold();
        assert!(fold.takes_item(Some(&row), 1) && !fold.takes_item(Some(&row), 2));
    }

    #[test]
    fn what_is_said_again_changes_nothing() {
        let row = [7; 16];
        let mut retractions = Retractions::default();
        for position in [10, 20] {
            retractions.note(position, &retract(A, false, &[row])).expect("readable");
        }
        let mut fold = retractions.for_fold();
        assert!(fold.takes_item(Some(&row), 1) && !fold.takes_item(Some(&row), 2));
    }

    #[test]
    fn nonsense_is_refused() {
        for odd in [
            Retract { import_id: vec![1; 15], ..Retract::default() },
            Retract { item_rows: vec![1; 17], ..retract(A, false, &[]) },
            Retract { user_marks: vec![1; 9], ..retract(A, false, &[]) },
        ] {
            Retractions::default().note(1, &odd).expect_err("malformed");
        }
    }
}
