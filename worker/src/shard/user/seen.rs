//! The items that a user ever bought.

use std::cmp::Ordering;

use mercer_common::limits;

use crate::shard::interner::{Interner, ItemHandle};

/// Adds an item to those seen, by (slot, id); of more than 100,000 the first stay.
pub(super) fn insert(seen: &mut Vec<ItemHandle>, item: ItemHandle, interner: &Interner) {
    let found = seen.binary_search_by(|&other| match other == item {
        true => Ordering::Equal,
        false => interner.compare(other, item),
    });
    let Err(position) = found else { return };
    if seen.len() == limits::SEEN_ITEMS {
        if position == seen.len() {
            return;
        }
        seen.pop();
    }
    if seen.len() == seen.capacity() {
        seen.reserve_exact((seen.len() / 4).max(4));
    }
    seen.insert(position, item);
}
