//! Orders: those of one item as asked, and those of the whole catalogue as trained.

mod listing;
mod policy;

pub(crate) use listing::Policies;
