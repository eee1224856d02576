//! A whole worker against a coordinator that holds the log in memory.

mod ahead;
mod coordinator;
pub(crate) mod golden;
mod lifecycle;
mod start;
