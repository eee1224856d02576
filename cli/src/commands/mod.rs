//! One file a command, or a few that belong together.

mod asking;
pub(crate) mod backup;
mod batch;
pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod delete;
pub(crate) mod experiment;
pub(crate) mod filter;
pub(crate) mod forecast;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod inventory;
pub(crate) mod jobs;
mod ledger;
pub(crate) mod log;
pub(crate) mod metadata;
mod plan;
pub(crate) mod price;
pub(crate) mod recommend;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod status;
mod uncatalogued;
