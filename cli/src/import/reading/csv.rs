//! CSV with a header line. Quotes are taken strictly: one that is not closed, or closed in the middle
//! of a field, has swallowed rows, and nobody can say which.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result};
use memchr::{memchr, memchr_iter, memchr3};

use super::{COLUMNS, Line, ROW_BYTES, TableError, cell::Cell, delimiter, text::Text};
use crate::show::sheet;

/// Lines that one quoted field may span.
const QUOTED_LINES: u64 = 1_000;
/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// An open CSV file.
pub(super) struct CsvTable {
    name: String,
    scanner: Scanner,
    columns: Vec<String>,
    /// Columns up to the last that has a name: no row may lack one of these.
    named: usize,
    /// Cells that hold lines which look like rows of their own, and the line of the first.
    swallowing: Option<(u64, u64)>,
    read: Arc<AtomicU64>,
}

impl CsvTable {
    /// Reads the header. A first line `sep=;` names the delimiter.
    pub(super) fn open(
        name: &str,
        mut text: Text,
        delimiter: u8,
        read: Arc<AtomicU64>,
    ) -> Result<Self> {
        let named = delimiter::named(text.head().with_context(|| format!("reading {name}"))?);
        let mut scanner = Scanner {
            text,
            delimiter: named.unwrap_or(delimiter),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            line: 1,
            record: 0,
            fields: Vec::new(),
            scratch: Vec::new(),
            width: 0,
            spanning: None,
        };
        if named.is_some() {
            // Whatever it is split into.
            scanner.next().map_err(|stop| stop.of(name))?;
        }
        let malformed = |reason: String| TableError::NotCsv { name: name.to_owned(), reason };
        if scanner.next().map_err(|stop| stop.of(name))?.is_none() {
            let reason = "it is empty; the first line must name the columns".to_owned();
            return Err(malformed(reason).into());
        }
        if scanner.fields.len() > COLUMNS {
            let reason = format!(
                "its header has {} columns; at most {COLUMNS} are read",
                scanner.fields.len()
            );
            return Err(malformed(reason).into());
        }
        let mut columns = Vec::new();
        for index in 0..scanner.fields.len() {
            let text = std::str::from_utf8(scanner.field(index)).map_err(|_| {
                let reason = "its header is not UTF-8; name what it is, such as --encoding \
                              windows-1252";
                malformed(reason.into())
            })?;
            if text.contains('\0') {
                return Err(malformed("its header is not text".into()).into());
            }
            // Files that were joined have more than one byte order mark.
            let text = text.trim().trim_start_matches('\u{feff}').trim();
            columns.push(sheet::read(text).to_owned());
        }
        let named = columns.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        for (index, name) in columns.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
            *name = format!("column {}", index + 1);
        }
        scanner.width = columns.len();
        let name = name.to_owned();
        Ok(Self { name, scanner, columns, named, swallowing: None, read })
    }

    /// Names of the columns, in order.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Separator of the fields.
    pub(super) fn delimiter(&self) -> u8 {
        self.scanner.delimiter
    }

    /// How many cells hold lines that look like rows of their own, and where the first begins: a
    /// stray quote may have swallowed them. Known when all rows are read.
    pub(super) fn swallowing(&self) -> Option<(u64, u64)> {
        self.swallowing
    }

    /// Calls `visit` with the projected cells of every record.
    pub(super) fn read(
        &mut self,
        projection: &[usize],
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let scanner = &mut self.scanner;
        while let Some(number) = scanner.next().map_err(|stop| stop.of(&self.name))? {
            let count = scanner.fields.len();
            let beyond = (self.columns.len()..count)
                .any(|index| !scanner.field(index).trim_ascii().is_empty());
            if scanner.is_blank() {
                continue;
            }
            let text = scanner.record();
            // Empty fields beyond the header are what spreadsheets write.
            let cells = if beyond || count < self.named {
                let mut reason = format!("has {count} fields, the header {}", self.columns.len());
                if let Some(Spanning { opened, .. }) = scanner.spanning {
                    reason.push_str(&format!(
                        "; a quote that opens in line {opened} goes on for several lines"
                    ));
                }
                Err(reason)
            } else if scanner.repeats(&self.columns) {
                Err("repeats the header".to_owned())
            } else {
                if scanner.swallows() {
                    let (count, _) = self.swallowing.get_or_insert((0, number));
                    *count += 1;
                }
                let cells = projection.iter().map(|&column| {
                    if column < count { scanner.cell(column, text) } else { Cell::Null }
                });
                Ok(cells.collect())
            };
            visit(Line { number, position: self.read.load(Ordering::Relaxed), cells })?;
        }
        Ok(())
    }
}

/// Why reading stops.
struct Stop {
    line: u64,
    reason: Reason,
}

enum Reason {
    Text(String),
    Io(std::io::Error),
}

impl Stop {
    fn of(self, name: &str) -> anyhow::Error {
        let Self { line, reason } = self;
        match reason {
            Reason::Text(reason) => TableError::Line { name: name.to_owned(), line, reason }.into(),
            Reason::Io(error) => {
                anyhow::Error::from(error).context(format!("reading {name}, line {line}"))
            }
        }
    }
}

/// A quoted field of several lines.
#[derive(Clone, Copy, Debug)]
struct Spanning {
    /// The line of its quote.
    opened: u64,
    /// Index of the field in its record.
    field: usize,
    /// Whether one of its inner lines has as many delimiters as a row.
    holds_row: bool,
    /// Delimiters in its last line.
    last: usize,
}

/// Where a field lies: in the buffer behind the record's start, or in the scratch space.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    unescaped: bool,
}

/// Cuts text into records and fields.
struct Scanner {
    text: Text,
    delimiter: u8,
    buffer: Vec<u8>,
    /// The record under way begins here.
    start: usize,
    /// End of what was read.
    end: usize,
    ended: bool,
    /// Line of the next record.
    line: u64,
    /// The record that was found begins here, and ends where the next one begins.
    record: usize,
    fields: Vec<Span>,
    /// Fields in which quotes were doubled.
    scratch: Vec<u8>,
    /// Fields of the header; 0 before it is read.
    width: usize,
    /// The first field of several lines of the record under way.
    spanning: Option<Spanning>,
}

impl Scanner {
    fn field(&self, index: usize) -> &[u8] {
        let Span { start, end, unescaped } = self.fields[index];
        let place = if unescaped { &self.scratch } else { &self.buffer };
        &place[start..end]
    }

    /// The whole record, if it is UTF-8: fields need not be checked one by one then.
    fn record(&self) -> Option<&str> {
        std::str::from_utf8(&self.buffer[self.record..self.start]).ok()
    }

    /// A field; `record` is what [`Self::record`] gives.
    fn cell<'a>(&'a self, index: usize, record: Option<&'a str>) -> Cell<'a> {
        let Span { start, end, unescaped } = self.fields[index];
        let text = match record {
            Some(record) if !unescaped => record.get(start - self.record..end - self.record),
            _ => std::str::from_utf8(self.field(index)).ok(),
        };
        text.map_or(Cell::Malformed(Cell::NOT_UTF8), |text| Cell::text(sheet::read(text)))
    }

    /// Whether all fields are empty.
    fn is_blank(&self) -> bool {
        self.fields.iter().all(|field| field.start == field.end)
    }

    /// Whether the record is the header once more, as in files that were joined.
    fn repeats(&self, columns: &[String]) -> bool {
        let named = columns.iter().enumerate().take(self.fields.len());
        named.len() > 1
            && named.into_iter().all(|(i, name)| {
                let field = self.field(i).trim_ascii();
                field == name.as_bytes() || (field.is_empty() && name.starts_with("column "))
            })
    }

    /// Whether lines within a quoted field look like rows of their own.
    fn swallows(&self) -> bool {
        self.spanning.is_some_and(|spanning| {
            let behind = self.fields.len() - 1 - spanning.field;
            self.width > 1 && (spanning.holds_row || spanning.last + behind + 1 == self.width)
        })
    }

    /// Finds the next record; its line. Fields are valid until the next call.
    fn next(&mut self) -> Result<Option<u64>, Stop> {
        loop {
            self.fields.clear();
            self.scratch.clear();
            self.spanning = None;
            let line = self.line;
            if self.byte(0)?.is_none() {
                return Ok(None);
            }
            let mut at = 0;
            loop {
                let (next, more) =
                    if self.byte(at)? == Some(b'"') { self.quoted(at)? } else { self.plain(at)? };
                at = next;
                if self.fields.len() > COLUMNS * 2 {
                    let most = COLUMNS * 2;
                    return Err(self.stop(line, format!("has more than {most} fields")));
                }
                if !more {
                    break;
                }
            }
            // Spans count from the record's start, which has its place now.
            let start = self.start;
            for field in self.fields.iter_mut().filter(|field| !field.unescaped) {
                field.start += start;
                field.end += start;
            }
            (self.record, self.start) = (start, start + at);
            let is_empty = self.fields.len() == 1 && self.fields[0].start == self.fields[0].end;
            if !is_empty {
                return Ok(Some(line));
            }
        }
    }

    /// A field up to a delimiter or the end of the line; where the next one begins, and whether
    /// there is one.
    fn plain(&mut self, from: usize) -> Result<(usize, bool), Stop> {
        let mut at = from;
        loop {
            let behind = &self.buffer[self.start + at..self.end];
            if let Some(offset) = memchr3(self.delimiter, b'\n', b'\r', behind) {
                at += offset;
                break;
            }
            at = self.end - self.start;
            if !self.fill()? {
                break;
            }
        }
        self.fields.push(Span { start: from, end: at, unescaped: false });
        self.after(at)
    }

    /// A field in quotes that opens at `from`.
    fn quoted(&mut self, from: usize) -> Result<(usize, bool), Stop> {
        let opened = self.line;
        let begin = from + 1;
        let mut at = begin;
        let mut doubled = false;
        let close = loop {
            let behind = &self.buffer[self.start + at..self.end];
            let Some(offset) = memchr(b'"', behind) else {
                at = self.end - self.start;
                if self.fill()? {
                    continue;
                }
                return Err(self.stop(opened, "the quote that opens here is never closed".into()));
            };
            at += offset;
            if self.byte(at + 1)? == Some(b'"') {
                doubled = true;
                at += 2;
                continue;
            }
            break at;
        };
        let content = &self.buffer[self.start + begin..self.start + close];
        let lines = memchr_iter(b'\n', content).count() as u64;
        if lines > QUOTED_LINES {
            let reason = format!("the quote that opens here spans more than {QUOTED_LINES} lines");
            return Err(self.stop(opened, reason));
        }
        if lines > 0 && self.spanning.is_none() {
            // In a text a space follows the comma.
            let delimiters = |line: &[u8]| {
                let found = memchr_iter(self.delimiter, line);
                found.filter(|&at| line.get(at + 1) != Some(&b' ')).count()
            };
            let mut inner = content.split(|&byte| byte == b'\n');
            let _ = inner.next();
            let last = inner.next_back().map_or(0, delimiters);
            let holds_row = inner.any(|line| delimiters(line) + 1 == self.width);
            let field = self.fields.len();
            self.spanning = Some(Spanning { opened, field, holds_row, last });
        }
        if doubled {
            let start = self.scratch.len();
            let mut quote = false;
            for &byte in content {
                quote = byte == b'"' && !quote;
                if !quote {
                    self.scratch.push(byte);
                }
            }
            self.fields.push(Span { start, end: self.scratch.len(), unescaped: true });
        } else {
            self.fields.push(Span { start: begin, end: close, unescaped: false });
        }
        self.line += lines;
        let mut at = close + 1;
        while self.delimiter != b' ' && self.byte(at)? == Some(b' ') {
            at += 1;
        }
        match self.byte(at)? {
            None | Some(b'\n' | b'\r') => self.after(at),
            Some(byte) if byte == self.delimiter => self.after(at),
            Some(_) => {
                let reason = "text follows the quote that closes the field which opens here; a \
                              quote within a field must be doubled"
                    .to_owned();
                Err(self.stop(opened, reason))
            }
        }
    }

    /// What comes after a field that ends at `at`.
    fn after(&mut self, at: usize) -> Result<(usize, bool), Stop> {
        match self.byte(at)? {
            None => Ok((at, false)),
            Some(b'\n') => {
                self.line += 1;
                Ok((at + 1, false))
            }
            Some(b'\r') if self.delimiter != b'\r' => {
                self.line += 1;
                let feed = self.byte(at + 1)? == Some(b'\n');
                Ok((at + 1 + usize::from(feed), false))
            }
            Some(_) => Ok((at + 1, true)),
        }
    }

    /// The byte at `at` behind the record's start; none when the text ends before it.
    #[inline]
    fn byte(&mut self, at: usize) -> Result<Option<u8>, Stop> {
        while self.start + at >= self.end {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.start + at]))
    }

    /// Reads more behind the record under way; whether there was more.
    fn fill(&mut self) -> Result<bool, Stop> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end > ROW_BYTES {
            let reason = format!("the row that begins here has more than {} MiB", ROW_BYTES >> 20);
            return Err(self.stop(self.line, reason));
        }
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize((self.end + CHUNK).next_power_of_two(), 0);
        }
        let read = self
            .text
            .read(&mut self.buffer[self.end..])
            .map_err(|error| Stop { line: self.line, reason: Reason::Io(error) })?;
        self.end += read;
        self.ended = read == 0;
        Ok(read > 0)
    }

    fn stop(&self, line: u64, reason: String) -> Stop {
        Stop { line, reason: Reason::Text(reason) }
    }
}
