//! Compares the rows of a day in a file with those that are known: a merge of two sorted lists.
//!
//! Rows are counted: of a row that stands three times in the file and is known twice, one is new.
//! What has the same key and other content is changed, pair by pair, in the order of contents.

use mercer_proto::v1::RowState;

use super::row::{Known, Row};

/// What became of the rows of one key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// States of the file's rows, in their order.
    pub(super) states: Vec<RowState>,
    /// Known rows that stay whatever is chosen.
    pub(super) stay: Vec<Known>,
    /// Rows of the file that are new.
    pub(super) new: Vec<Row>,
    /// Known rows and what the file says in their place.
    pub(super) changed: Vec<(Known, Row)>,
    /// Known rows that the file does not have.
    pub(super) missing: Vec<Known>,
}

/// Compares rows of one key, both sorted by content.
pub(super) fn compare(rows: &[Row], known: &[Known]) -> Compared {
    let mut compared = Compared::default();
    let mut left = Vec::new();
    let mut known = known.iter().copied().peekable();
    for &row in rows {
        while let Some(other) = known.next_if(|known| known.content < row.content) {
            left.push(other);
        }
        match known.next_if(|known| known.content == row.content) {
            Some(same) => {
                compared.stay.push(same);
                compared.states.push(RowState::Known);
            }
            None => {
                compared.new.push(row);
                compared.states.push(RowState::New);
            }
        }
    }
    left.extend(known);
    // The first of what is left on both sides are pairs.
    let pairs = compared.new.len().min(left.len());
    let others = compared.new.split_off(pairs);
    let replaced = std::mem::replace(&mut compared.new, others);
    compared.missing = left.split_off(pairs);
    compared.changed = left.into_iter().zip(replaced).collect();
    let new = compared.states.iter_mut().filter(|state| **state == RowState::New);
    new.take(pairs).for_each(|state| *state = RowState::Changed);
    compared
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(content: u8) -> Row {
        Row { key: [1; 12], content: [content; 4], second: u32::from(content) }
    }

    fn known(content: u8) -> Known {
        Known::of(row(content), 9)
    }

    #[test]
    fn counts_twins_and_pairs_what_changed() {
        let compared = compare(&[row(1), row(1), row(1)], &[known(1), known(1)]);
        assert_eq!(compared.states, [RowState::Known, RowState::Known, RowState::New]);
        let compared = compare(&[row(1), row(3), row(4)], &[known(1), known(2)]);
        assert_eq!(compared.states, [RowState::Known, RowState::Changed, RowState::New]);
        assert_eq!(compared.changed, [(known(2), row(3))]);
        assert_eq!(compared.new, [row(4)]);
        let compared = compare(&[], &[known(1)]);
        assert_eq!(compared.missing, [known(1)]);
    }

    proptest! {
        #[test]
        fn every_row_is_something_and_nothing_is_two_things(
            mut file in proptest::collection::vec(0u8..5, 0..12),
            mut loaded in proptest::collection::vec(0u8..5, 0..12),
        ) {
            file.sort_unstable();
            loaded.sort_unstable();
            let rows: Vec<Row> = file.iter().copied().map(row).collect();
            let known: Vec<Known> = loaded.iter().copied().map(known).collect();
            let compared = compare(&rows, &known);
            // By plain counts.
            let count = |list: &[u8], what: u8| list.iter().filter(|one| **one == what).count();
            let both: usize = (0..5).map(|c| count(&file, c).min(count(&loaded, c))).sum();
            let changed = (file.len() - both).min(loaded.len() - both);
            prop_assert_eq!(compared.stay.len(), both);
            prop_assert_eq!(compared.changed.len(), changed);
            prop_assert_eq!(compared.new.len(), file.len() - both - changed);
            prop_assert_eq!(compared.missing.len(), loaded.len() - both - changed);
            prop_assert_eq!(compared.states.len(), file.len());
            let said = |state| compared.states.iter().filter(|one| **one == state).count();
            prop_assert_eq!(said(RowState::Known), both);
            prop_assert_eq!(said(RowState::Changed), changed);
            // What then stands in the register is what the file and the choices say.
            let mut whole: Vec<[u8; 4]> = compared.stay.iter().map(|one| one.content).collect();
            whole.extend(compared.new.iter().map(|one| one.content));
            whole.extend(compared.changed.iter().map(|(_, row)| row.content));
            whole.sort_unstable();
            prop_assert_eq!(whole, rows.iter().map(|row| row.content).collect::<Vec<_>>());
        }
    }
}
