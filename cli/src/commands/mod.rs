//! One file a command, or a few that belong together.

pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod filter;
pub(crate) mod jobs;
pub(crate) mod recommend;
pub(crate) mod serve;
pub(crate) mod status;
