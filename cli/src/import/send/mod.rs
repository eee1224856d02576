//! Pass 2: good rows go to the cluster. What it refuses all the same becomes a reject with its line,
//! and what comes later goes on.

mod catalog;
mod events;
mod refusal;

pub(crate) use self::{
    catalog::{Once, send, send_catalog, send_items, send_users},
    events::send_events,
};

use super::chunk::Accepted;

/// A row that the server refused, and why.
pub(crate) struct Refused {
    pub(crate) accepted: Accepted,
    pub(crate) field: String,
    pub(crate) reason: String,
    /// What stands for it, if it is one of events.
    pub(crate) row: Vec<u8>,
}
