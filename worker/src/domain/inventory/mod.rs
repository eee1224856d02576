//! What to order of an item, when, and how much of it to keep.
//!
//! The same function answers a question about one item and, in `stages`, makes the policies of the
//! whole catalogue.

mod list;
mod policy;
mod single_period;
mod stages;
mod terms;

pub(crate) use list::list_policies;
pub(crate) use policy::policy;
pub(crate) use stages::STAGES;
