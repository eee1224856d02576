//! Answers as a person sees them: tables, sentences, sheets, and the JSON that is their contract.

pub(crate) mod decision;
pub(crate) mod output;
pub(crate) mod sentence;
pub(crate) mod sheet;
