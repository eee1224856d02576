//! Events of files, by user and in the order of time.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexSet;
use jiff::tz::TimeZone;
use mercer_algorithms::recommend::{
    event_type::{PURCHASE, RATING},
    sequences::SequencesBuf,
};
use mercer_common::slot::{Subject, slot};

use crate::import::{Cell, Table};

/// Types of events by their numbers.
const TYPES: [&str; 8] =
    ["", "view", "click", "favourite", "add_to_cart", "purchase", "return", "rating"];

/// A line; users and items are numbered by first appearance.
#[derive(Clone, Copy, Debug)]
struct Event {
    user: u32,
    item: u32,
    kind: u8,
    value: f32,
    /// Seconds since 1970.
    time: Option<i64>,
}

/// Events of the files to learn from and to test on.
#[derive(Default)]
pub(super) struct Events {
    users: IndexSet<String>,
    items: IndexSet<String>,
    train: Vec<Event>,
    test: Vec<Event>,
    has_values: bool,
}

/// The same with items numbered in the order that breaks ties everywhere.
pub(super) struct Numbered {
    pub(super) users: IndexSet<String>,
    pub(super) items: Vec<String>,
    pub(super) train: SequencesBuf,
    /// Test items by user, ascending.
    pub(super) test: Vec<Vec<u32>>,
    pub(super) has_values: bool,
}

impl Events {
    pub(super) fn read(train: &Path, test: Option<&Path>) -> Result<Self> {
        let mut events = Self::default();
        events.train = events.lines(train)?;
        if let Some(test) = test {
            events.test = events.lines(test)?;
        }
        Ok(events)
    }

    /// Makes an item known that may stand in neither file.
    pub(super) fn add_item(&mut self, id: &str) {
        if !self.items.contains(id) {
            self.items.insert(id.to_owned());
        }
    }

    pub(super) fn number(self) -> Result<Numbered> {
        let Self { users, items, mut train, mut test, has_values } = self;
        let mut order: Vec<(u16, String, u32)> =
            (0..).zip(items).map(|(number, id)| (slot(Subject::Item, &id), id, number)).collect();
        order.sort_unstable();
        let mut rows = vec![0u32; order.len()];
        for (row, &(_, _, number)) in order.iter().enumerate() {
            rows[number as usize] = u32::try_from(row)?;
        }
        for event in train.iter_mut().chain(&mut test) {
            event.item = rows[event.item as usize];
        }
        let train = sequences(train, users.len());
        let test = wanted(test, users.len());
        let items = order.into_iter().map(|(_, id, _)| id).collect();
        Ok(Numbered { users, items, train, test, has_values })
    }

    fn lines(&mut self, path: &Path) -> Result<Vec<Event>> {
        let mut table = Table::open(path, b',')?;
        let columns = table.columns().to_vec();
        let find = |name: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        let (Some(user), Some(item)) = (find("user_id"), find("item_id")) else {
            bail!(
                "{} needs the columns user_id and item_id (and may have timestamp, type and \
                 value); it has: {}",
                path.display(),
                columns.join(", ")
            );
        };
        let mut projection = vec![user, item];
        let [value_cell, time_cell, type_cell] = ["value", "timestamp", "type"].map(|name| {
            find(name).map(|column| {
                projection.push(column);
                projection.len() - 1
            })
        });
        let untyped = if value_cell.is_some() { RATING } else { PURCHASE };
        self.has_values |= value_cell.is_some();
        let mut events = Vec::new();
        table
            .read(&projection, &mut |line| {
                let number = line.number;
                let cells = line.cells.map_err(|reason| anyhow!("line {number}: {reason}"))?;
                let id = |cell: &Cell<'_>, name: &str| match cell.to_label() {
                    Ok(Some(id)) => Ok(id),
                    Ok(None) => Err(anyhow!("line {number}: {name} is missing")),
                    Err(reason) => Err(anyhow!("line {number}: {name} {reason}")),
                };
                let value = match value_cell.map(|cell| cells[cell].to_number()) {
                    None | Some(Ok(None)) => 1.0,
                    Some(Ok(Some(value))) if value.is_finite() => value,
                    Some(Ok(Some(value))) => bail!("line {number}: value is {value}"),
                    Some(Err(reason)) => bail!("line {number}: value {reason}"),
                };
                let time = match time_cell.map(|cell| cells[cell].to_time(&TimeZone::UTC)) {
                    None => None,
                    Some(Ok(time)) => time.map(|time| time.as_second()),
                    Some(Err(reason)) => bail!("line {number}: timestamp {reason}"),
                };
                let kind = match type_cell {
                    None => untyped,
                    Some(cell) => event_type(&id(&cells[cell], "type")?).ok_or_else(|| {
                        anyhow!("line {number}: type must be one of {}", TYPES[1..].join(", "))
                    })?,
                };
                let (user, _) = self.users.insert_full(id(&cells[0], "user_id")?);
                let (item, _) = self.items.insert_full(id(&cells[1], "item_id")?);
                let value = value as f32;
                let (user, item) = (u32::try_from(user)?, u32::try_from(item)?);
                events.push(Event { user, item, kind, value, time });
                Ok(())
            })
            .with_context(|| format!("reading {}", path.display()))?;
        Ok(events)
    }
}

fn event_type(name: &str) -> Option<u8> {
    let index = TYPES.iter().position(|known| !known.is_empty() && *known == name)?;
    u8::try_from(index).ok()
}

/// In window order: by (time, item, type, value) for each user. What has no time is the earliest.
fn sequences(mut events: Vec<Event>, users: usize) -> SequencesBuf {
    let times = events.iter().filter_map(|event| event.time);
    let first = times.min().unwrap_or_default();
    // Stable: of equal times the last given stays last.
    events.sort_by_key(|event| (event.user, event.item, event.time));
    for at in 1..events.len() {
        let (before, after) = events.split_at_mut(at);
        let (earlier, later) = (&mut before[at - 1], &after[0]);
        let is_same = (earlier.user, earlier.item) == (later.user, later.item);
        // Only the latest rating counts; that there was another remains.
        if is_same && earlier.kind == RATING && later.kind == RATING {
            earlier.value = 0.0;
        }
    }
    events.sort_by(|left, right| {
        (left.user, left.time, left.item, left.kind)
            .cmp(&(right.user, right.time, right.item, right.kind))
            .then(left.value.total_cmp(&right.value))
    });
    let mut sequences = SequencesBuf::default();
    let mut events = events.into_iter().peekable();
    for user in (0..).take(users) {
        while let Some(event) = events.next_if(|event| event.user == user) {
            let seconds = event.time.map_or(0, |time| time.saturating_sub(first));
            // 136 years after the first event time stands still.
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            sequences.push(event.item, seconds, event.kind, event.value);
        }
        sequences.close_user();
    }
    sequences
}

/// Items by user whose latest line speaks for them.
fn wanted(mut events: Vec<Event>, users: usize) -> Vec<Vec<u32>> {
    events.sort_by_key(|event| (event.user, event.item, event.time));
    let mut wanted = vec![Vec::new(); users];
    for pair in events.chunk_by(|left, right| (left.user, left.item) == (right.user, right.item)) {
        let latest = pair[pair.len() - 1];
        let is_against = latest.value <= 0.0 || TYPES[usize::from(latest.kind)] == "return";
        if !is_against {
            wanted[latest.user as usize].push(latest.item);
        }
    }
    wanted
}
