//! The latest events of a user, in an order that what arrived first does not change.

use std::cmp::Ordering;

use mercer_common::limits;
use mercer_proto::v1::EventType;

use crate::shard::interner::{Interner, ItemHandle};

/// An event in a user's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// Seconds since 1990-01-01T00:00:00Z.
    pub time: u32,
    /// Which item.
    pub item: ItemHandle,
    /// The event's type in the lowest 3 bits, the upper 29 bits of its `f32` value above.
    pub kind: u32,
}

impl WindowEntry {
    /// Packs a value, which loses its lowest 3 bits, with the type.
    pub(crate) fn new(time: u32, item: ItemHandle, event_type: EventType, value: f32) -> Self {
        Self { time, item, kind: (value.to_bits() & !7) | (event_type as u32 & 7) }
    }

    /// What happened.
    #[must_use]
    pub fn event_type(self) -> EventType {
        EventType::try_from((self.kind & 7).cast_signed()).unwrap_or_default()
    }

    /// The quantity of a purchase or return, the value of a rating, otherwise 0.
    #[must_use]
    pub fn value(self) -> f32 {
        f32::from_bits(self.kind & !7)
    }

    /// Orders by (time, item id, type, value): what arrived first does not matter.
    fn compare(self, other: Self, interner: &Interner) -> Ordering {
        (self.time.cmp(&other.time))
            .then_with(|| match self.item == other.item {
                true => Ordering::Equal,
                false => interner.id(self.item).cmp(interner.id(other.item)),
            })
            .then_with(|| (self.kind & 7).cmp(&(other.kind & 7)))
            .then_with(|| self.value().total_cmp(&other.value()))
    }
}

/// Puts an event in its place; of more than 2,000 the latest stay.
pub(super) fn insert(window: &mut Vec<WindowEntry>, entry: WindowEntry, interner: &Interner) {
    let position = match window.last().map(|newest| newest.compare(entry, interner)) {
        None | Some(Ordering::Less | Ordering::Equal) => window.len(),
        Some(Ordering::Greater) => {
            window.partition_point(|other| other.compare(entry, interner) != Ordering::Greater)
        }
    };
    if window.len() < limits::WINDOW_EVENTS {
        if window.len() == window.capacity() {
            window.reserve_exact((window.len() / 4).max(4));
        }
        window.insert(position, entry);
    } else if position > 0 {
        window[..position].rotate_left(1);
        window[position - 1] = entry;
    }
}
