//! Answers as a person sees them: tables, sentences, sheets, and the JSON that is their contract.

pub(crate) mod backup;
pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod decision;
pub(crate) mod deletion;
pub(crate) mod experiment;
pub(crate) mod filter;
pub(crate) mod imports;
pub(crate) mod jobs;
mod ledger;
pub(crate) mod lines;
pub(crate) mod log;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod recommend;
pub(crate) mod rules;
pub(crate) mod sentence;
pub(crate) mod sheet;
pub(crate) mod status;
pub(crate) mod uncatalogued;
