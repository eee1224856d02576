//! Sorts rows by (day, key, content) within bounded memory: what does not fit lies in temporary
//! files, which are merged.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
};

use mercer_proto::v1::Event;
use xxhash_rust::xxh3::Xxh3;

use super::rows::KEY;

/// Rows that are held in memory: 64 MiB of them.
const HELD: usize = (64 << 20) / ENTRY;
/// Bytes of a row: day, key, content, second and number, big endian, so that they sort as bytes.
const ENTRY: usize = 4 + KEY + 4 + 4 + 8;
const DAY_SECONDS: i64 = 86_400;

type Entry = [u8; ENTRY];

/// A row in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// Days since 1970, UTC.
    pub(crate) day: i32,
    /// Key, content and second of the day, as they are announced.
    pub(crate) row: [u8; KEY + 8],
    /// Number of the row among the good ones, from 0.
    pub(crate) number: u64,
}

impl Sorted {
    /// Encodes the row as runs hold it.
    pub(super) fn entry(&self) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        // A day before 1970 sorts before one after it.
        entry[..4].copy_from_slice(&(self.day ^ i32::MIN).to_be_bytes());
        entry[4..24].copy_from_slice(&self.row);
        entry[24..].copy_from_slice(&self.number.to_be_bytes());
        entry
    }
}

/// Takes rows in the order of the files.
pub(crate) struct Sorter {
    held: Vec<Entry>,
    most: usize,
    runs: Vec<File>,
    count: u64,
    span: Option<(i64, i64)>,
    digest: Xxh3,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::holding(HELD)
    }
}

impl Sorter {
    fn holding(most: usize) -> Self {
        let digest = Xxh3::new();
        Self { held: Vec::new(), most, runs: Vec::new(), count: 0, span: None, digest }
    }

    /// Takes the next row; its event says what stands for it.
    pub(crate) fn add(&mut self, event: &Event) -> io::Result<()> {
        let seconds = event.event_time.as_ref().map_or(0, |time| time.seconds);
        let (first, last) = self.span.unwrap_or((seconds, seconds));
        self.span = Some((first.min(seconds), last.max(seconds)));
        let day = i32::try_from(seconds.div_euclid(DAY_SECONDS)).unwrap_or(i32::MAX);
        let second = u32::try_from(seconds.rem_euclid(DAY_SECONDS)).unwrap_or_default();
        let mut entry = [0; ENTRY];
        // A day before 1970 sorts before one after it.
        entry[..4].copy_from_slice(&(day ^ i32::MIN).to_be_bytes());
        entry[4..20].copy_from_slice(&event.import_row);
        entry[20..24].copy_from_slice(&second.to_be_bytes());
        self.digest.update(&entry[..24]);
        entry[24..].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        self.held.push(entry);
        if self.held.len() >= self.most { self.spill() } else { Ok(()) }
    }

    /// The first and the last time, in seconds since 1970; `None` when there are no rows.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// Number of rows that were taken.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Stands for all rows in their order, and for how they are sent.
    pub(crate) fn digest(&self, sent_as: &str) -> [u8; 16] {
        let mut digest = self.digest.clone();
        digest.update(sent_as.as_bytes());
        digest.digest128().to_be_bytes()
    }

    /// All rows in order.
    pub(crate) fn sorted(mut self) -> io::Result<Merge> {
        self.held.sort_unstable();
        let mut merge = Merge { sources: Vec::new(), heap: BinaryHeap::new() };
        for mut run in self.runs {
            run.rewind()?;
            merge.sources.push(Source::Run(BufReader::with_capacity(1 << 16, run)));
        }
        merge.sources.push(Source::Held(self.held.into_iter()));
        for source in 0..merge.sources.len() {
            merge.advance(source)?;
        }
        Ok(merge)
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let mut run = BufWriter::new(tempfile::tempfile()?);
        for entry in self.held.drain(..) {
            run.write_all(&entry)?;
        }
        self.runs.push(run.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(())
    }
}

enum Source {
    Run(BufReader<File>),
    Held(std::vec::IntoIter<Entry>),
}

/// Merges sorted runs.
pub(crate) struct Merge {
    sources: Vec<Source>,
    heap: BinaryHeap<Reverse<(Entry, usize)>>,
}

impl Merge {
    /// Merges one run, in order, from its beginning.
    pub(super) fn of_run(mut run: File) -> io::Result<Self> {
        run.rewind()?;
        let run = Source::Run(BufReader::with_capacity(1 << 16, run));
        let mut merge = Self { sources: vec![run], heap: BinaryHeap::new() };
        merge.advance(0)?;
        Ok(merge)
    }

    /// The next row; `None` behind the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Sorted>> {
        let Some(Reverse((entry, source))) = self.heap.pop() else { return Ok(None) };
        self.advance(source)?;
        let mut day = [0; 4];
        day.copy_from_slice(&entry[..4]);
        let mut row = [0; KEY + 8];
        row.copy_from_slice(&entry[4..24]);
        let mut number = [0; 8];
        number.copy_from_slice(&entry[24..]);
        Ok(Some(Sorted {
            day: i32::from_be_bytes(day) ^ i32::MIN,
            row,
            number: u64::from_be_bytes(number),
        }))
    }

    fn advance(&mut self, source: usize) -> io::Result<()> {
        let next = match &mut self.sources[source] {
            Source::Held(held) => held.next(),
            Source::Run(run) => {
                let mut entry = [0; ENTRY];
                match run.read_exact(&mut entry) {
                    Ok(()) => Some(entry),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
                    Err(error) => return Err(error),
                }
            }
        };
        if let Some(entry) = next {
            self.heap.push(Reverse((entry, source)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost_types::Timestamp;

    use super::*;

    fn event(seconds: i64, row: u8) -> Event {
        let event_time = Some(Timestamp { seconds, nanos: 0 });
        Event { event_time, import_row: vec![row; 16], ..Event::default() }
    }

    proptest! {
        #[test]
        fn rows_come_in_order_whatever_fits_in_memory(
            rows in proptest::collection::vec((-200_000..2_000_000_000_i64, 0..4_u8), 0..60),
            most in 1..20_usize,
        ) {
            let mut sorter = Sorter::holding(most);
            for &(seconds, row) in &rows {
                sorter.add(&event(seconds, row)).expect("taken");
            }
            prop_assert_eq!(sorter.count(), rows.len() as u64);
            let times = || rows.iter().map(|(seconds, _)| *seconds);
            prop_assert_eq!(sorter.span(), times().min().zip(times().max()));
            let mut expected: Vec<_> = rows.iter().zip(0_u64..).map(|(&(seconds, row), number)| {
                (seconds.div_euclid(86_400), row, seconds.rem_euclid(86_400), number)
            }).collect();
            expected.sort_unstable();
            let mut merge = sorter.sorted().expect("merged");
            for (day, row, second, number) in expected {
                let sorted = merge.next().expect("read").expect("there");
                prop_assert_eq!(i64::from(sorted.day), day);
                prop_assert_eq!(&sorted.row[..16], &[row; 16]);
                prop_assert_eq!(&sorted.row[16..], &u32::try_from(second).expect("of a day").to_be_bytes());
                prop_assert_eq!(sorted.number, number);
            }
            prop_assert_eq!(merge.next().expect("read"), None);
        }
    }

    #[test]
    fn a_digest_stands_for_rows_in_their_order() {
        let digest = |rows: &[u8], sent_as: &str| {
            let mut sorter = Sorter::default();
            rows.iter().for_each(|row| sorter.add(&event(5, *row)).expect("taken"));
            sorter.digest(sent_as)
        };
        assert_eq!(digest(&[1, 2], "500"), digest(&[1, 2], "500"));
        assert_ne!(digest(&[1, 2], "500"), digest(&[2, 1], "500"));
        assert_ne!(digest(&[1, 2], "500"), digest(&[1, 2], "501"));
    }
}
