//! One copy of the directory in a process, however many shards it holds.
//!
//! Shards apply the same records of the directory, each at its own pace. After every section that
//! changed it, a shard looks whether another one stands where it has come to, and takes that copy in
//! place of its own. What is shared is never written to: a change begins with a copy of the tables, in
//! which the records themselves are still shared. Nothing but memory depends on any of this.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Contents;

/// The contents that shards of this process hold.
static HELD: Mutex<Vec<Weak<Contents>>> = Mutex::new(Vec::new());

/// Takes equal contents in place of `own`, if some shard has them.
pub(super) fn share(own: &mut Arc<Contents>) {
    let mut held = HELD.lock();
    held.retain(|contents| contents.strong_count() > 0);
    for other in held.iter().filter_map(Weak::upgrade) {
        if Arc::ptr_eq(&other, own) {
            return;
        }
        if other == *own {
            *own = other;
            return;
        }
    }
    held.push(Arc::downgrade(own));
}
