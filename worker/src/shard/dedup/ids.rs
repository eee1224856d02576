//! The ids that a shard remembers, oldest first, each with what was sent under it.

use std::collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry};

use mercer_common::event::IdKey;

/// Stands for whatever was sent under an id: an entry of before ids stood for their content.
const ANY: u64 = 0;

/// What the table knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// Neither the id nor the content.
    New,
    /// The id with this content, or with any.
    Repeated,
    /// The id with other content.
    Clash,
}

/// Keys in the order in which they were first seen. An id rarely has more than one content, so a
/// lookup is one in a hash table of 16 bytes an entry.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// One content of each id.
    contents: HashMap<u64, u64>,
    /// The other contents of ids that have several.
    others: BTreeSet<(u64, u64)>,
    order: VecDeque<(u64, u64, i64)>,
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn meet(&self, key: IdKey) -> Meeting {
        match self.contents.get(&key.id) {
            None => Meeting::New,
            Some(&content) if content == key.content || content == ANY => Meeting::Repeated,
            Some(_) if self.others.contains(&(key.id, key.content)) => Meeting::Repeated,
            Some(_) => Meeting::Clash,
        }
    }

    /// Remembers a key that was not repeated.
    pub(super) fn remember(&mut self, key: IdKey, time: i64) {
        self.insert(key.id, key.content, time);
    }

    /// Remembers an id whatever was sent under it, unless it is known; tells whether it was not.
    pub(super) fn remember_any(&mut self, id: u64, time: i64) -> bool {
        let is_new = !self.contents.contains_key(&id);
        if is_new {
            self.insert(id, ANY, time);
        }
        is_new
    }

    fn insert(&mut self, id: u64, content: u64, time: i64) {
        match self.contents.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(content);
            }
            Entry::Occupied(_) => {
                self.others.insert((id, content));
            }
        }
        self.order.push_back((id, content, time));
    }

    /// When the oldest key was first seen.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.order.front().map(|&(_, _, time)| time)
    }

    pub(super) fn forget_oldest(&mut self) {
        let Some((id, content, _)) = self.order.pop_front() else { return };
        if self.others.remove(&(id, content)) {
            return;
        }
        let other = self.others.range((id, 0)..=(id, u64::MAX)).next().copied();
        match other {
            Some(other) => {
                self.others.remove(&other);
                self.contents.insert(id, other.1);
            }
            None => {
                self.contents.remove(&id);
            }
        }
    }

    /// All keys with the time of each, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IdKey, i64)> {
        self.order.iter().map(|&(id, content, time)| (IdKey { id, content }, time))
    }

    /// The inverse of [`Self::iter`].
    pub(super) fn from_keys(keys: impl IntoIterator<Item = (IdKey, i64)>) -> Self {
        let mut ids = Self::default();
        for (key, time) in keys {
            ids.insert(key.id, key.content, time);
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// As a plain list of keys, whatever is remembered and forgotten.
        #[test]
        fn lookups_equal_a_list(steps in vec((0..4_u64, 0..4_u64, any::<bool>()), 0..80)) {
            let mut ids = Ids::default();
            let mut list: VecDeque<(u64, u64)> = VecDeque::new();
            for (id, content, forget) in steps {
                let has_id = list.iter().any(|(known, _)| *known == id);
                if content == ANY {
                    prop_assert_eq!(ids.remember_any(id, 0), !has_id);
                    if !has_id {
                        list.push_back((id, ANY));
                    }
                } else {
                    let key = IdKey { id, content };
                    let matches = list.iter().any(|&(known, what)| known == id && (what == content || what == ANY));
                    let expected = match (has_id, matches) {
                        (_, true) => Meeting::Repeated,
                        (true, false) => Meeting::Clash,
                        (false, false) => Meeting::New,
                    };
                    prop_assert_eq!(ids.meet(key), expected);
                    if expected != Meeting::Repeated {
                        ids.remember(key, 0);
                        list.push_back((id, content));
                    }
                }
                if forget {
                    ids.forget_oldest();
                    list.pop_front();
                }
                let found: Vec<_> = ids.iter().map(|(key, _)| (key.id, key.content)).collect();
                prop_assert_eq!(&found, &list.iter().copied().collect::<Vec<_>>());
                let distinct: BTreeSet<u64> = list.iter().map(|(id, _)| *id).collect();
                prop_assert_eq!(ids.contents.len(), distinct.len());
                prop_assert_eq!(ids.contents.len() + ids.others.len(), list.len());
            }
        }
    }
}
