//! JSON: one object a line (NDJSON, JSON lines), or one list of objects. What is nested is named by
//! its path: `customer.id`.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result};
use indexmap::IndexSet;
use serde_json::{Map, Value};

use super::{COLUMNS, Line, ROW_BYTES, TableError, cell::Cell, text::Text};
use crate::import::shell::quoted;

/// Objects that are looked at to find the columns.
const LOOKED_AT: usize = 10_000;
/// Bytes that are looked at to find the columns.
const LOOKED_AT_BYTES: usize = 64 << 20;
/// Levels of nesting that become columns.
const DEPTH: usize = 4;
/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Whether a text is JSON, by its name or its beginning.
pub(super) fn looks_like(name: &str, head: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let named = [".json", ".jsonl", ".ndjson", ".geojson"].iter().any(|end| name.ends_with(end));
    let begin = head.trim_ascii_start();
    let object = |text: &[u8]| {
        let rest = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        rest.is_some_and(|rest| matches!(rest.first(), Some(b'"' | b'}')))
    };
    let listed = begin.strip_prefix(b"[").is_some_and(|rest| object(rest.trim_ascii_start()));
    named || object(begin) || listed
}

/// An open JSON file.
pub(super) struct JsonTable {
    name: String,
    scanner: Scanner,
    /// Objects that were read to find the columns: line and text.
    first: Vec<(u64, Vec<u8>)>,
    columns: Vec<String>,
    /// The first column that holds lists of objects, and whether the file is one list.
    lists: Option<(String, bool)>,
    read: Arc<AtomicU64>,
}

impl JsonTable {
    /// Reads the first objects to find the columns.
    pub(super) fn open(name: &str, mut text: Text, read: Arc<AtomicU64>) -> Result<Self> {
        let head = text.head().with_context(|| format!("reading {name}"))?;
        let is_list = head.trim_ascii_start().starts_with(b"[");
        let scanner = Scanner { text, buffer: Vec::new(), start: 0, ended: false, line: 1 };
        let columns = Vec::new();
        let (name, first, lists) = (name.to_owned(), Vec::new(), None);
        let mut table = Self { name, scanner, first, columns, lists, read };
        let (mut lists, mut wrong) = (None, None);
        let mut names = IndexSet::new();
        let mut bytes = 0;
        while table.first.len() < LOOKED_AT && bytes < LOOKED_AT_BYTES {
            let Some((line, object)) = table.next()? else { break };
            let object = object.to_vec();
            match parse(&object) {
                Ok(parsed) => flatten(&parsed, "", DEPTH, &mut |path, value| {
                    if !names.contains(path) {
                        names.insert(path.to_owned());
                    }
                    if lists.is_none() && is_list_of_objects(value) {
                        lists = Some((path.to_owned(), is_list));
                    }
                }),
                // One bad object refuses no file.
                Err(reason) => wrong = wrong.or(Some((line, reason))),
            }
            if names.len() > COLUMNS {
                let reason = format!("its objects have more than {COLUMNS} different names");
                return Err(table.stop(line, reason));
            }
            bytes += object.len();
            table.first.push((line, object));
        }
        if names.is_empty() {
            if let Some((line, reason)) = wrong {
                return Err(table.stop(line, reason));
            }
            let reason = "it is empty; it must hold objects such as {\"item_id\": \"a\"}".into();
            return Err(table.stop(1, reason));
        }
        table.columns = names.into_iter().collect();
        table.lists = lists;
        Ok(table)
    }

    /// What to do where rows lie within lists, for people.
    pub(super) fn notes(&self) -> Option<String> {
        let (column, is_list) = self.lists.as_ref()?;
        let each = if *is_list { ".[] | " } else { "" };
        let path = format!(".{column}");
        let program = if self.columns.len() == 1 {
            format!("{each}{path}[]")
        } else {
            format!("{each}del({path}) + {path}[]")
        };
        Some(format!(
            "`{column}` holds lists of objects; for a row of each: jq -c {} {} | mercer import ... -",
            quoted(&program),
            quoted(&self.name)
        ))
    }

    /// Names of the columns, in order of their first appearance.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Calls `visit` with the projected cells of every object. One that cannot be read ends it.
    pub(super) fn read(
        &mut self,
        projection: &[usize],
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let wanted: HashMap<String, usize> = projection
            .iter()
            .enumerate()
            .map(|(cell, &column)| (self.columns[column].clone(), cell))
            .collect();
        let mut see = |number: u64, object: &[u8], position: u64| -> Result<()> {
            let parsed = parse(object);
            let cells = match &parsed {
                Ok(parsed) => {
                    let mut cells = vec![Cell::Null; projection.len()];
                    flatten(parsed, "", DEPTH, &mut |path, value| {
                        if let Some(&place) = wanted.get(path) {
                            cells[place] = cell(value);
                        }
                    });
                    Ok(cells)
                }
                Err(reason) => Err(reason.clone()),
            };
            visit(Line { number, position, cells })
        };
        for (line, object) in std::mem::take(&mut self.first) {
            see(line, &object, 0)?;
        }
        while let Some((line, object)) = {
            let next = self.scanner.next();
            next.map_err(|stop| stopped(&self.name, stop))?
        } {
            see(line, object, self.read.load(Ordering::Relaxed))?;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(u64, &[u8])>> {
        let name = &self.name;
        self.scanner.next().map_err(|stop| stopped(name, stop))
    }

    fn stop(&self, line: u64, reason: String) -> anyhow::Error {
        TableError::Line { name: self.name.clone(), line, reason }.into()
    }
}

fn stopped(name: &str, (line, problem): (u64, Problem)) -> anyhow::Error {
    match problem {
        Problem::Text(reason) => TableError::Line { name: name.to_owned(), line, reason }.into(),
        Problem::Io(error) => {
            let error: Result<()> = Err(error).with_context(|| format!("reading {name}"));
            error.expect_err("an error")
        }
    }
}

fn parse(object: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(object).map_err(|error| {
        // Lines within the object are not those of the file.
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        format!("is not JSON: {what}")
    })
}

fn is_list_of_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.first().is_some_and(Value::is_object))
}

/// Calls `see` with every value that is no object, and its path.
fn flatten<'a>(
    object: &'a Map<String, Value>,
    prefix: &str,
    depth: usize,
    see: &mut dyn FnMut(&str, &'a Value),
) {
    for (name, value) in object {
        let path: Cow<'_, str> =
            if prefix.is_empty() { name.into() } else { format!("{prefix}.{name}").into() };
        match value {
            Value::Object(inner) if depth > 1 => flatten(inner, &path, depth - 1, see),
            _ => see(&path, value),
        }
    }
}

fn cell(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::String(text) => Cell::text(text),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Cell::Integer(number.into()),
            (_, Some(number), _) => Cell::Integer(number.into()),
            (.., Some(number)) => Cell::Float(number),
            _ => Cell::Malformed("is a number that is too large"),
        },
        // Lists of numbers are embeddings; others are shown as they are.
        Value::Array(_) | Value::Object(_) => Cell::Text(Cow::Owned(value.to_string())),
    }
}

/// What comes next: a line and an object, or a line and what is wrong there.
type Next<'a> = Result<Option<(u64, &'a [u8])>, (u64, Problem)>;

enum Problem {
    Text(String),
    Io(std::io::Error),
}

/// Cuts text into objects, at whatever line breaks and commas stand between them.
struct Scanner {
    text: Text,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    line: u64,
}

impl Scanner {
    /// The next object and its line.
    fn next(&mut self) -> Next<'_> {
        // Between objects.
        loop {
            match self.buffer.get(self.start).copied() {
                Some(b'{') => break,
                Some(b'\n') => self.line += 1,
                Some(b' ' | b'\t' | b'\r' | b',' | b'[' | b']') => {}
                Some(_) => {
                    let reason = "is not a JSON object such as {\"item_id\": \"a\"}".to_owned();
                    return Err((self.line, Problem::Text(reason)));
                }
                None => {
                    if self.fill()? {
                        continue;
                    }
                    return Ok(None);
                }
            }
            self.start += 1;
        }
        let line = self.line;
        let (mut at, mut depth) = (0_usize, 0_usize);
        let (mut quoted, mut escaped) = (false, false);
        loop {
            let Some(&byte) = self.buffer.get(self.start + at) else {
                if self.fill()? {
                    continue;
                }
                let reason = "the object that begins here is never closed".to_owned();
                return Err((line, Problem::Text(reason)));
            };
            at += 1;
            match byte {
                b'\n' => self.line += 1,
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' if !quoted => depth += 1,
                b'}' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let begin = self.start;
        self.start += at;
        Ok(Some((line, &self.buffer[begin..begin + at])))
    }

    fn fill(&mut self) -> Result<bool, (u64, Problem)> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.len() > ROW_BYTES {
            let reason =
                format!("the object that begins before it has more than {} MiB", ROW_BYTES >> 20);
            return Err((self.line, Problem::Text(reason)));
        }
        let filled = self.buffer.len();
        self.buffer.resize(filled + CHUNK, 0);
        let read = self.text.read(&mut self.buffer[filled..]);
        let read = read.map_err(|error| (self.line, Problem::Io(error)))?;
        self.buffer.truncate(filled + read);
        self.ended = read == 0;
        Ok(read > 0)
    }
}
