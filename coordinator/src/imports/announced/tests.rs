//! Comparing files with registers, beside plain counts.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use mercer_proto::v1::RowState;

use super::*;

/// The first day of a month: 2026-01-01.
const FIRST: Day = 20_454;

/// A row as a test writes it: (day, key, content, second).
type Plain = (Day, u8, u8, u32);

fn row(plain: Plain) -> Row {
    Row { key: [plain.1; 12], content: [plain.2; 4], second: plain.3 }
}

/// Days around the end of two months, few keys and contents.
fn rows() -> impl Strategy<Value = Vec<Plain>> {
    let day = prop_oneof![
        Just(FIRST),
        Just(FIRST + 1),
        Just(FIRST + 30),
        Just(FIRST + 31),
        Just(FIRST + 58),
        Just(FIRST + 90),
    ];
    vec((day, 0..4_u8, 0..3_u8, 0..2_u32), 0..25).prop_map(|mut rows| {
        rows.sort_unstable();
        rows
    })
}

fn choice() -> impl Strategy<Value = RowChoice> {
    prop_oneof![Just(RowChoice::Keep), Just(RowChoice::File)]
}

struct Source {
    store: ArtifactStore,
    months: Months,
    number: u32,
    _folder: tempfile::TempDir,
}

impl Source {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        Self { store, months: Months::new(), number: 0, _folder: folder }
    }

    /// Announces rows in messages of `size`, and takes over what comes of it.
    fn import(
        &mut self,
        rows: &[Plain],
        size: usize,
        changed: RowChoice,
        missing: RowChoice,
    ) -> (Announced, Vec<u8>) {
        self.import_beside(Vec::new(), rows, size, changed, missing)
    }

    fn import_beside(
        &mut self,
        others: Vec<Other>,
        rows: &[Plain],
        size: usize,
        changed: RowChoice,
        missing: RowChoice,
    ) -> (Announced, Vec<u8>) {
        self.number += 1;
        let times =
            || rows.iter().map(|plain| i64::from(plain.0) * DAY_SECONDS + i64::from(plain.3));
        let terms = Terms {
            source: "shop".into(),
            import: format!("import-{}", self.number),
            number: self.number,
            span: (times().min().unwrap_or(0), times().max().unwrap_or(0)),
            changed,
            missing,
        };
        let (store, months) = (self.store.clone(), self.months.clone());
        let mut announcement = Announcement::new(store, months, others, terms);
        let mut states = Vec::new();
        for day in rows.chunk_by(|left, right| left.0 == right.0) {
            for part in day.chunks(size) {
                let part_of_day: Vec<Row> = part.iter().copied().map(row).collect();
                states.extend(announcement.rows(day[0].0, &part_of_day).expect("in order"));
            }
        }
        let announced = announcement.finish().expect("written");
        states.extend(&announced.states);
        self.months.extend(announced.staged.clone());
        announced.emptied.iter().for_each(|month| _ = self.months.remove(month));
        (announced, states)
    }

    /// (day, key, content) of all rows, each with how often it is there.
    fn known(&self) -> BTreeMap<(Day, u8, u8), usize> {
        let mut known = BTreeMap::new();
        for month in self.months.keys() {
            let open = OpenMonth::open(&self.store, &self.months, *month).expect("opens");
            for day in month.days() {
                let rows = open.day(day);
                assert!(rows.is_sorted());
                for row in rows {
                    *known.entry((day, row.key[0], row.content[0])).or_default() += 1;
                }
            }
        }
        known
    }
}

fn counted(rows: &[Plain]) -> BTreeMap<(Day, u8, u8), usize> {
    let mut counted = BTreeMap::new();
    for row in rows {
        *counted.entry((row.0, row.1, row.2)).or_default() += 1;
    }
    counted
}

#[test]
fn a_file_that_grew_is_known_but_for_what_is_new() {
    let mut source = Source::new();
    let day: Vec<Plain> = (0..4).map(|key| (FIRST + 1, key, 0, 10)).collect();
    let (first, states) = source.import(&day, 2, RowChoice::Unspecified, RowChoice::Unspecified);
    assert_eq!(first.counts, Counts { new: 4, ..Counts::default() });
    assert_eq!(states, [RowState::New as u8; 4]);
    let mut grown = day.clone();
    grown.push((FIRST + 2, 0, 0, 5));
    let (second, states) = source.import(&grown, 9, RowChoice::Unspecified, RowChoice::Unspecified);
    assert_eq!(second.counts, Counts { known: 4, new: 1, ..Counts::default() });
    assert_eq!(states.last(), Some(&(RowState::New as u8)));
    assert_eq!(source.known(), counted(&grown));
    // Nothing is missing of a file that shares little with what is known of its days.
    let other = [(FIRST + 1, 0, 0, 10), (FIRST + 1, 9, 0, 10)];
    let (third, _) = source.import(&other, 9, RowChoice::Unspecified, RowChoice::Unspecified);
    assert_eq!(third.counts, Counts { known: 1, new: 1, ..Counts::default() });
}

#[test]
fn what_is_out_of_order_is_refused() {
    let source = Source::new();
    let terms = Terms {
        source: "shop".into(),
        import: "one".into(),
        number: 1,
        span: (0, 0),
        changed: RowChoice::Keep,
        missing: RowChoice::Keep,
    };
    let begin =
        || Announcement::new(source.store.clone(), Months::new(), Vec::new(), terms.clone());
    let mut days = begin();
    days.rows(FIRST + 1, &[row((FIRST + 1, 1, 0, 0))]).expect("in order");
    days.rows(FIRST, &[row((FIRST, 1, 0, 0))]).expect_err("an earlier day");
    let mut keys = begin();
    keys.rows(FIRST + 1, &[row((FIRST + 1, 2, 0, 0))]).expect("in order");
    keys.rows(FIRST + 1, &[row((FIRST + 1, 1, 0, 0))]).expect_err("an earlier key");
    let mut contents = begin();
    contents
        .rows(FIRST + 1, &[row((FIRST + 1, 2, 1, 0)), row((FIRST + 1, 2, 0, 0))])
        .expect_err("earlier content");
    for day in [Day::MIN, -1, 0, 7_000_000, Day::MAX] {
        begin().rows(day, &[]).expect_err("no event can be there");
    }
}

/// As others hold what `rows` says, all in one store.
fn held_by(source: &mut Source, name: &str, rows: &[Plain]) -> Other {
    let before = std::mem::take(&mut source.months);
    source.import(rows, 5, RowChoice::Keep, RowChoice::Keep);
    let months = std::mem::replace(&mut source.months, before);
    Other::new(name.to_owned(), months)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn another_source_shares_the_rows_whose_keys_it_has(
        file in rows(),
        one in rows(),
        two in rows(),
        size in 1..7_usize,
    ) {
        let mut source = Source::new();
        let others = vec![held_by(&mut source, "one", &one), held_by(&mut source, "two", &two)];
        let (announced, _) =
            source.import_beside(others, &file, size, RowChoice::Keep, RowChoice::Keep);
        let shared = |other: &[Plain]| {
            let mut shared = 0_u64;
            for row in &file {
                shared += u64::from(other.iter().any(|o| (o.0, o.1) == (row.0, row.1)));
            }
            shared
        };
        let most = [("one", shared(&one)), ("two", shared(&two))];
        let most = most.into_iter().rev().max_by_key(|(_, rows)| *rows);
        let expected = most.filter(|(_, rows)| *rows > 0);
        let expected = expected.map(|(name, rows)| (name.to_owned(), rows));
        prop_assert_eq!(announced.shared, expected);
        prop_assert_eq!(announced.counts.new, file.len() as u64);
    }

    #[test]
    fn registers_hold_what_files_and_choices_say(
        files in vec((rows(), 1..7_usize, choice(), choice()), 1..5),
    ) {
        let mut source = Source::new();
        for (rows, size, changed, missing) in files {
            let before = source.known();
            let file = counted(&rows);
            let (announced, states) = source.import(&rows, size, changed, missing);
            let counts = announced.counts;
            prop_assert_eq!(states.len(), rows.len());
            let said = |state: RowState| {
                states.iter().filter(|one| **one == state as u8).count() as u64
            };
            prop_assert_eq!(said(RowState::Known), counts.known);
            prop_assert_eq!(said(RowState::New), counts.new);
            prop_assert_eq!(said(RowState::Changed), counts.changed);
            let total: usize = rows.len();
            prop_assert_eq!(counts.known + counts.new + counts.changed, total as u64);
            let both: usize = file.iter().map(|(row, count)| {
                count.min(before.get(row).unwrap_or(&0))
            }).sum();
            prop_assert_eq!(counts.known, both as u64);
            let after = source.known();
            let sum = |rows: &BTreeMap<(Day, u8, u8), usize>| rows.values().sum::<usize>() as u64;
            let gone = if missing == RowChoice::File { counts.missing } else { 0 };
            prop_assert_eq!(sum(&after), sum(&before) + counts.new - gone);
            // Whatever was loaded or known of the file is known now, each as often at least,
            // unless changed rows keep what was loaded.
            if changed == RowChoice::File {
                for (row, count) in &file {
                    prop_assert!(after.get(row).is_some_and(|known| known >= count));
                }
            }
            prop_assert_eq!(
                announced.taken.len() as u64,
                gone + if changed == RowChoice::File { counts.changed } else { 0 }
            );
            // The same file again is known whole, with nothing to decide.
            if changed == RowChoice::File {
                let (again, _) = source.import(&rows, 3, RowChoice::Keep, RowChoice::Keep);
                prop_assert_eq!(again.counts.known, total as u64);
            }
        }
    }
}
