//! What users had in their visits, by label, and where each source occurs.

use std::ops::Range;

use crate::{
    control::{Cancelled, Control, Meter, work_off},
    linalg::prefetch,
    recommend::{
        event_type::PURCHASE,
        liking::Liking,
        profile::{HistoryEvent, ProfileSpec, entries, event_weight},
        sequences::{History, Sequences},
    },
};

/// Users of one block; tests go over its end.
const BLOCK: usize = if cfg!(test) { 4 } else { 4_096 };
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Choice of the events that make a visit.
#[derive(Clone, Copy)]
pub(super) enum Choice<'a> {
    /// Those with a weight above 0 at an item that makes the profile with a weight above 0.
    Positive(&'a ProfileSpec),
    /// Purchases, in visits of at most this many items.
    Purchases {
        /// Larger ones are left out.
        largest: usize,
    },
}

/// Visits of all users in their order.
#[derive(Debug)]
pub(super) struct Visits {
    blocks: Vec<Block>,
}

/// Visits of [`BLOCK`] users.
#[derive(Debug, Default)]
struct Block {
    /// First visit of each user; one more than there are users.
    users: Vec<u32>,
    /// First item of each visit; one more than there are visits.
    visits: Vec<u32>,
    /// Labels: distinct and ascending within a visit.
    items: Vec<u32>,
}

impl Visits {
    pub(super) fn new(
        parts: &[Sequences<'_>],
        label_of_row: &[u32],
        choice: Choice<'_>,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut starts = Vec::with_capacity(parts.len());
        let mut before = 0;
        for part in parts {
            starts.push(before);
            before += part.users();
        }
        let mut blocks: Vec<Block> =
            std::iter::repeat_with(Block::default).take(before.div_ceil(BLOCK)).collect();
        let jobs = blocks.iter_mut().zip((0..before).step_by(BLOCK)).collect();
        work_off(
            jobs,
            control,
            Vec::new,
            |scratch, meter, (block, first): (&mut Block, usize)| {
                (block.users, block.visits) = (vec![0], vec![0]);
                let mut part = starts.partition_point(|&start| start <= first) - 1;
                for user in first..before.min(first + BLOCK) {
                    while user >= starts[part] + parts[part].users() {
                        part += 1;
                    }
                    let history = parts[part].of(user - starts[part]);
                    block.push_user(history, label_of_row, choice, scratch);
                    meter.add(8 + 8 * history.len() as u64)?;
                }
                Ok(())
            },
        )?;
        Ok(Self { blocks })
    }

    /// Number of visits with any item.
    pub(super) fn count(&self) -> usize {
        self.blocks.iter().map(|block| block.visits.len() - 1).sum()
    }

    /// Number of visits that hold each label.
    pub(super) fn visits_of(&self, labels: usize) -> Vec<u32> {
        let mut visits = vec![0; labels];
        for block in &self.blocks {
            block.items.iter().for_each(|&label| visits[label as usize] += 1);
        }
        visits
    }

    /// Number of items in the visits of a user, counted in each.
    pub(super) fn items_of(&self, user: u32) -> u32 {
        let block = &self.blocks[user as usize / BLOCK];
        let visit = |user: usize| block.visits[block.users[user] as usize];
        visit(user as usize % BLOCK + 1) - visit(user as usize % BLOCK)
    }

    /// Asks for where the items of an occurrence are, to be called some time before
    /// [`Visits::look_ahead`].
    pub(super) fn look_far_ahead(&self, at: Occurrence) {
        let block = &self.blocks[at.user as usize / BLOCK];
        prefetch(&block.users, at.user as usize % BLOCK + 1);
        prefetch(&block.visits, at.visit as usize);
    }

    /// Asks for the first items of an occurrence.
    pub(super) fn look_ahead(&self, at: Occurrence) {
        let block = &self.blocks[at.user as usize / BLOCK];
        prefetch(&block.items, block.visits[at.visit as usize] as usize);
    }

    /// Items of the visit of an occurrence, then those of each later visit of the user.
    pub(super) fn from(&self, at: Occurrence) -> impl Iterator<Item = &[u32]> {
        let block = &self.blocks[at.user as usize / BLOCK];
        let end = block.users[at.user as usize % BLOCK + 1];
        (at.visit..end).map(|visit| block.items(visit))
    }
}

impl Block {
    fn items(&self, visit: u32) -> &[u32] {
        let visit = visit as usize;
        &self.items[self.visits[visit] as usize..self.visits[visit + 1] as usize]
    }

    fn push_user(
        &mut self,
        history: History<'_>,
        label_of_row: &[u32],
        choice: Choice<'_>,
        events: &mut Vec<HistoryEvent>,
    ) {
        let kept = match choice {
            Choice::Positive(spec) => {
                dated(history, events);
                Kept::new(events, spec)
            }
            Choice::Purchases { .. } => Kept::All,
        };
        let liking = Liking::of(history.types, history.values);
        for visit in history.visits() {
            let start = self.items.len();
            for (at, &item) in visit.items.iter().enumerate() {
                let is_chosen = match choice {
                    Choice::Purchases { .. } => visit.types[at] == PURCHASE,
                    Choice::Positive(spec) => {
                        let event = HistoryEvent {
                            item,
                            kind: visit.types[at],
                            age_days: 0.0,
                            value: visit.values[at],
                        };
                        event_weight(&event, spec, liking) > 0.0 && kept.has(item)
                    }
                };
                if is_chosen {
                    self.items.push(label_of_row[item as usize]);
                }
            }
            self.close_visit(start, choice);
        }
        self.users.push(self.visits.len() as u32 - 1);
    }

    /// Ends the visit whose items begin at `start`, if there are any.
    fn close_visit(&mut self, start: usize, choice: Choice<'_>) {
        self.items[start..].sort_unstable();
        let mut end = start;
        for at in start..self.items.len() {
            if end == start || self.items[end - 1] != self.items[at] {
                self.items[end] = self.items[at];
                end += 1;
            }
        }
        let is_too_large = matches!(choice, Choice::Purchases { largest } if end - start > largest);
        self.items.truncate(if is_too_large { start } else { end });
        if self.items.len() > start {
            self.visits.push(self.items.len() as u32);
        }
    }
}

/// Rows that make a profile.
enum Kept {
    All,
    /// Ascending.
    These(Vec<u32>),
}

impl Kept {
    fn new(events: &[HistoryEvent], spec: &ProfileSpec) -> Self {
        let liking = Liking::of_events(events.iter().map(|event| (event.kind, event.value)));
        if events.len() <= spec.history_cap
            && events.iter().all(|event| event_weight(event, spec, liking) >= 0.0)
        {
            return Self::All;
        }
        let entries = entries(events, spec).into_iter();
        Self::These(entries.filter(|entry| entry.weight > 0.0).map(|entry| entry.item).collect())
    }

    fn has(&self, item: u32) -> bool {
        match self {
            Self::All => true,
            Self::These(items) => items.binary_search(&item).is_ok(),
        }
    }
}

/// The events with their ages before the user's latest: which sums of weights are above 0 does not
/// depend on the day that ages are counted from.
fn dated(history: History<'_>, events: &mut Vec<HistoryEvent>) {
    events.clear();
    let latest = history.times.last().copied().unwrap_or_default();
    events.extend((0..history.len()).map(|at| HistoryEvent {
        item: history.items[at],
        kind: history.types[at],
        age_days: f64::from(latest - history.times[at]) / SECONDS_PER_DAY,
        value: history.values[at],
    }));
}

/// A visit with a source.
#[derive(Clone, Copy)]
pub(super) struct Occurrence {
    /// Numbered through all parts.
    pub(super) user: u32,
    /// Within the block of the user.
    visit: u32,
}

/// Places at which some sources occur, in the order of users and visits.
pub(super) struct Occurrences {
    shares: Vec<Share>,
    length: usize,
}

/// Sources that follow one another.
struct Share {
    /// Where the occurrences of each source begin.
    offsets: Vec<usize>,
    occurrences: Vec<Occurrence>,
}

impl Occurrences {
    /// `sources` are distinct labels; occurrences are found by their position.
    pub(super) fn new(
        visits: &Visits,
        sources: &[u32],
        labels: usize,
        control: &dyn Control,
    ) -> Result<Self, Cancelled> {
        let mut position = vec![u32::MAX; labels];
        for (at, &label) in (0..).zip(sources) {
            position[label as usize] = at;
        }
        let length = sources.len().div_ceil(rayon::current_num_threads()).max(1);
        let ranges: Vec<Range<usize>> = (0..sources.len())
            .step_by(length)
            .map(|start| start..sources.len().min(start + length))
            .collect();
        let mut shares: Vec<Share> = ranges
            .iter()
            .map(|range| Share { offsets: vec![0; range.len() + 1], occurrences: Vec::new() })
            .collect();
        let jobs = shares.iter_mut().zip(ranges).collect();
        work_off(
            jobs,
            control,
            || (),
            |(), meter, (share, range): (&mut Share, Range<usize>)| {
                share.fill(visits, &position, range, meter)
            },
        )?;
        Ok(Self { shares, length })
    }

    pub(super) fn of(&self, source: usize) -> &[Occurrence] {
        let share = &self.shares[source / self.length];
        let at = source % self.length;
        &share.occurrences[share.offsets[at]..share.offsets[at + 1]]
    }
}

impl Share {
    fn fill(
        &mut self,
        visits: &Visits,
        position: &[u32],
        range: Range<usize>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Cancelled> {
        let place = |label: u32| (position[label as usize] as usize).wrapping_sub(range.start);
        for block in &visits.blocks {
            for &label in &block.items {
                // The count of a source stands behind the source.
                if let Some(count) = self.offsets[1..].get_mut(place(label)) {
                    *count += 1;
                }
            }
            meter.add(block.items.len() as u64)?;
        }
        let mut end = 0;
        for offset in &mut self.offsets {
            end += *offset;
            *offset = end;
        }
        let mut next = self.offsets.clone();
        next.pop();
        self.occurrences = vec![Occurrence { user: 0, visit: 0 }; end];
        for (index, block) in visits.blocks.iter().enumerate() {
            for (user, bounds) in block.users.windows(2).enumerate() {
                let user = (index * BLOCK + user) as u32;
                for visit in bounds[0]..bounds[1] {
                    for &label in block.items(visit) {
                        if let Some(next) = next.get_mut(place(label)) {
                            self.occurrences[*next] = Occurrence { user, visit };
                            *next += 1;
                        }
                    }
                }
            }
            meter.add(2 * block.items.len() as u64)?;
        }
        Ok(())
    }
}
