//! Rows that stand in several files of one import: they count as they would if the files had been
//! imported one after the other. Exports of single days overlap, and the later one may correct the
//! earlier.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write as _},
};

use super::{
    RowsChoice,
    rows::KEY,
    sorter::{Merge, Sorted},
};

/// Findings about rows that stand in several files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Several {
    /// Rows that an earlier file has, too.
    pub(crate) repeated: u64,
    /// Rows that an earlier file has with other content.
    pub(crate) differing: u64,
    /// Rows that are left.
    pub(crate) kept: u64,
}

/// Leaves of `rows` those that count; the rows of each file end before the number in `ends`. Of rows
/// that differ the later file is right where files are, else the earlier one.
pub(super) fn settle(
    mut rows: Merge,
    ends: &[u64],
    choice: RowsChoice,
) -> io::Result<(Merge, Several)> {
    let mut kept = BufWriter::new(tempfile::tempfile()?);
    let mut several = Several::default();
    let mut group: Vec<Sorted> = Vec::new();
    loop {
        let next = rows.next()?;
        let is_whole = match (group.last(), &next) {
            (Some(last), Some(next)) => key(next) != key(last),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_whole {
            for row in several.of_key(std::mem::take(&mut group), ends, choice) {
                kept.write_all(&row.entry())?;
                several.kept += 1;
            }
        }
        match next {
            Some(next) => group.push(next),
            None => break,
        }
    }
    let kept = kept.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((Merge::of_run(kept)?, several))
}

/// Day and key of a row, which rows of one group share.
fn key(row: &Sorted) -> (i32, &[u8]) {
    (row.day, &row.row[..KEY])
}

impl Several {
    /// Keeps the rows of one key that count, in order.
    fn of_key(&mut self, rows: Vec<Sorted>, ends: &[u64], choice: RowsChoice) -> Vec<Sorted> {
        let mut files: BTreeMap<usize, Vec<Sorted>> = BTreeMap::new();
        for row in rows {
            files.entry(ends.partition_point(|end| *end <= row.number)).or_default().push(row);
        }
        let mut files = files.into_values();
        let mut kept = files.next().unwrap_or_default();
        for file in files {
            let (mut same, mut left, mut more) = (Vec::new(), Vec::new(), Vec::new());
            let mut known = kept.into_iter().peekable();
            for row in file {
                while let Some(other) = known.next_if(|other| other.row < row.row) {
                    left.push(other);
                }
                match known.next_if(|other| other.row == row.row) {
                    Some(other) => same.push(other),
                    None => more.push(row),
                }
            }
            left.extend(known);
            self.repeated += same.len() as u64;
            // The first of what is left on both sides are pairs, as where a file meets its register.
            let pairs = left.len().min(more.len());
            self.differing += pairs as u64;
            let is_right = matches!(choice, RowsChoice::Correct | RowsChoice::Complete);
            drop(if is_right { left.drain(..pairs) } else { more.drain(..pairs) });
            kept = [same, left, more].concat();
            kept.sort_unstable_by_key(|row| (row.row, row.number));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::v1::Event;
    use proptest::prelude::*;
    use prost_types::Timestamp;

    use super::*;
    use crate::import::identity::Sorter;

    /// A row: its key and its content.
    type Plain = (u8, u8);

    fn settled(files: &[Vec<Plain>], choice: RowsChoice) -> (Vec<Plain>, Several) {
        let mut sorter = Sorter::default();
        let mut ends = Vec::new();
        for file in files {
            for &(key, content) in file {
                let import_row = [[key; KEY].as_slice(), &[content; 4]].concat();
                let event_time = Some(Timestamp { seconds: 1_767_600_000, nanos: 0 });
                sorter.add(&Event { event_time, import_row, ..Event::default() }).expect("taken");
            }
            ends.push(sorter.count());
        }
        let sorted = sorter.sorted().expect("sorted");
        let (mut rows, several) = settle(sorted, &ends, choice).expect("settled");
        let mut left = Vec::new();
        while let Some(row) = rows.next().expect("read") {
            left.push((row.row[0], row.row[KEY]));
        }
        (left, several)
    }

    #[test]
    fn days_that_overlap_count_once_and_corrections_go_as_is_said() {
        let files = [vec![(1, 1), (1, 1), (2, 1)], vec![(1, 1), (2, 7), (3, 1)]];
        let (kept, several) = settled(&files, RowsChoice::Keep);
        assert_eq!(kept, [(1, 1), (1, 1), (2, 1), (3, 1)]);
        assert_eq!(several, Several { repeated: 1, differing: 1, kept: 4 });
        let (kept, _) = settled(&files, RowsChoice::Correct);
        assert_eq!(kept, [(1, 1), (1, 1), (2, 7), (3, 1)]);
    }

    proptest! {
        #[test]
        fn files_without_a_common_key_stay_whole_and_a_file_twice_is_one(
            mut file in proptest::collection::vec((0..4_u8, 0..3_u8), 0..20),
        ) {
            file.sort_unstable();
            let other: Vec<Plain> = file.iter().map(|(key, content)| (key + 4, *content)).collect();
            let (kept, several) = settled(&[file.clone(), other.clone()], RowsChoice::Ask);
            prop_assert_eq!(kept, [file.clone(), other].concat());
            prop_assert_eq!((several.repeated, several.differing), (0, 0));
            let (kept, several) = settled(&[file.clone(), file.clone()], RowsChoice::Ask);
            prop_assert_eq!(several.repeated, file.len() as u64);
            prop_assert_eq!(kept, file);
        }
    }
}
