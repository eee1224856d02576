//! What users did, in the order in which they did it.

use thiserror::Error;

/// Why arrays are not sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SequencesError {
    /// `offsets` is empty, does not start with 0, falls, or does not end at the number of events.
    #[error("offsets do not cover the events at user {user}")]
    Offsets {
        /// The first user that is wrong.
        user: usize,
    },
    /// The arrays of events differ in length.
    #[error("the arrays of events differ in length")]
    Length,
    /// An item lies beyond the items.
    #[error("event {index} names an item that does not exist")]
    Item {
        /// Index of the event.
        index: usize,
    },
    /// Times of a user's events fall.
    #[error("event {index} is older than the one before it")]
    Time {
        /// Index of the event.
        index: usize,
    },
}

/// Events of users in window order, by (time, item, type, value), borrowed from a mapped file or
/// owned; items are rows.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    offsets: &'a [u64],
    events: History<'a>,
}

/// The events of one user; parallel slices, the latest last.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Rows.
    pub items: &'a [u32],
    /// Seconds since any time that is the same for all; never falling.
    pub times: &'a [u32],
    /// Numbers of the events' types.
    pub types: &'a [u8],
    /// Quantity of a purchase or return, value of a rating, otherwise 0.
    pub values: &'a [f32],
}

impl<'a> History<'a> {
    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The events in `range`.
    ///
    /// # Panics
    /// When there are not as many.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            items: &self.items[range.clone()],
            times: &self.times[range.clone()],
            types: &self.types[range.clone()],
            values: &self.values[range],
        }
    }

    /// The visits, the earliest first: runs of events of one time.
    pub fn visits(self) -> impl Iterator<Item = History<'a>> {
        let ends = self.times.chunk_by(|left, right| left == right).scan(0, |end, run| {
            let start = *end;
            *end += run.len();
            Some(start..*end)
        });
        ends.map(move |range| self.slice(range))
    }
}

impl<'a> Sequences<'a> {
    /// Checks and wraps: `offsets` has one entry more than there are users, every item is below
    /// `items`.
    ///
    /// # Errors
    /// Says which array is wrong, and where.
    pub fn new(
        offsets: &'a [u64],
        events: History<'a>,
        items: usize,
    ) -> Result<Self, SequencesError> {
        let length = events.items.len();
        if [events.times.len(), events.types.len(), events.values.len()] != [length; 3] {
            return Err(SequencesError::Length);
        }
        if [offsets.first().copied(), offsets.last().copied()] != [Some(0), Some(length as u64)] {
            return Err(SequencesError::Offsets { user: 0 });
        }
        if let Some(user) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(SequencesError::Offsets { user });
        }
        if let Some(index) = events.items.iter().position(|&item| item as usize >= items) {
            return Err(SequencesError::Item { index });
        }
        let sequences = Self { offsets, events };
        for (user, &start) in (0..sequences.users()).zip(offsets) {
            let times = sequences.of(user).times;
            if let Some(at) = times.windows(2).position(|pair| pair[0] > pair[1]) {
                return Err(SequencesError::Time { index: start as usize + at + 1 });
            }
        }
        Ok(sequences)
    }

    /// Wraps arrays that [`Sequences::new`] has accepted before, without reading them again. Any
    /// others give wrong results or a panic later.
    #[must_use]
    pub fn verified(offsets: &'a [u64], events: History<'a>) -> Self {
        Self { offsets, events }
    }

    /// Number of users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of events.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// The events of a user.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn of(&self, user: usize) -> History<'a> {
        self.events.slice(self.offsets[user] as usize..self.offsets[user + 1] as usize)
    }
}

/// Owned sequences.
#[derive(Clone, Debug, PartialEq)]
pub struct SequencesBuf {
    /// Where the events of each user begin; one more than there are users.
    pub offsets: Vec<u64>,
    /// See [`History`].
    pub items: Vec<u32>,
    /// See [`History`].
    pub times: Vec<u32>,
    /// See [`History`].
    pub types: Vec<u8>,
    /// See [`History`].
    pub values: Vec<f32>,
}

impl Default for SequencesBuf {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            items: Vec::new(),
            times: Vec::new(),
            types: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl SequencesBuf {
    /// Appends an event to the user that [`Self::close_user`] will end.
    pub fn push(&mut self, item: u32, time: u32, event_type: u8, value: f32) {
        self.items.push(item);
        self.times.push(time);
        self.types.push(event_type);
        self.values.push(value);
    }

    /// Ends the user; what follows belongs to the next one.
    pub fn close_user(&mut self) {
        self.offsets.push(self.items.len() as u64);
    }

    /// Borrows.
    ///
    /// # Errors
    /// As [`Sequences::new`].
    pub fn view(&self, items: usize) -> Result<Sequences<'_>, SequencesError> {
        let events = History {
            items: &self.items,
            times: &self.times,
            types: &self.types,
            values: &self.values,
        };
        Sequences::new(&self.offsets, events, items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_are_runs_of_one_time() {
        let mut sequences = SequencesBuf::default();
        sequences.close_user();
        for (item, time) in [(3, 5), (1, 5), (2, 9), (3, 11), (0, 11)] {
            sequences.push(item, time, 5, 1.0);
        }
        sequences.close_user();
        let view = sequences.view(4).expect("sound");
        assert_eq!((view.users(), view.events()), (2, 5));
        assert!(view.of(0).is_empty());
        assert_eq!(view.of(0).visits().count(), 0);
        let visits: Vec<&[u32]> = view.of(1).visits().map(|visit| visit.items).collect();
        assert_eq!(visits, [&[3, 1][..], &[2], &[3, 0]]);
    }

    #[test]
    fn says_which_array_is_wrong() {
        let mut sequences = SequencesBuf::default();
        sequences.push(0, 7, 5, 1.0);
        sequences.push(1, 6, 5, 1.0);
        let problem = |sequences: &SequencesBuf, items| sequences.view(items).err();
        assert_eq!(problem(&sequences, 2), Some(SequencesError::Offsets { user: 0 }));
        sequences.close_user();
        assert_eq!(problem(&sequences, 2), Some(SequencesError::Time { index: 1 }));
        assert_eq!(problem(&sequences, 1), Some(SequencesError::Item { index: 1 }));
        sequences.values.pop();
        assert_eq!(problem(&sequences, 2), Some(SequencesError::Length));
    }
}
