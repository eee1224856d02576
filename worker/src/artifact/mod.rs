//! The files that versions are served from: one codec a kind of file.
//!
//! Nothing here knows what a file is of use for. Reading checks everything that its user relies on.

mod columns;
mod factors;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod index_tests;
mod item_table;
mod item_table_writer;
mod message;
mod names;
mod norms;
mod postings;
mod records;
mod repurchase;
mod scores;
mod sequences;
#[cfg(test)]
mod tests;

pub(crate) use columns::{ItemUsers, UserRows, write_item_users, write_user_rows};
pub(crate) use factors::{
    FactorPart, FactorSide, FactorSideParts, write_factor_part, write_factor_side,
};
pub(crate) use item_table::ItemTable;
pub(crate) use item_table_writer::ItemTableWriter;
pub(crate) use message::{read_message, write_message};
pub(crate) use names::{DEMAND, ELASTICITY, INVENTORY, KINDS};
pub(crate) use norms::{Norms, write_norms};
pub(crate) use postings::{ShardPostings, write_postings};
pub(crate) use records::{Records, RecordsWriter};
pub(crate) use repurchase::{RepurchaseModel, write_repurchase};
pub(crate) use scores::{ItemScores, write_scores};
pub(crate) use sequences::{UserSequences, write_sequences};
