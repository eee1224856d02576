//! A whole worker against a coordinator that holds the log in memory.

mod ahead;
mod coordinator;
mod lifecycle;
mod start;
