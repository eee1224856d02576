//! Formats of the files that training writes and versions are served from: one codec a kind of file,
//! over a typed table of its sections.
//!
//! Nothing here knows what a file is of use for. Opening checks everything that its user relies on.

mod columns;
pub(crate) mod cut;
mod encoded;
mod factors;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod index_tests;
mod item_table;
mod item_table_writer;
mod matrix;
mod message;
mod names;
mod neighbours;
mod norms;
mod postings;
mod records;
mod repurchase;
mod scores;
mod sequences;
mod spans;
mod statistics;
mod terms;
#[cfg(test)]
mod tests;

pub(crate) use columns::{ItemUsers, UserRows, write_item_users, write_user_rows};
pub(crate) use encoded::{EncodedRun, EncodedUsers, write_encoded};
pub(crate) use factors::{
    FactorPart, FactorSide, FactorSideParts, write_factor_part, write_factor_side,
};
pub(crate) use item_table::ItemTable;
pub(crate) use item_table_writer::ItemTableWriter;
pub(crate) use message::{read_message, write_message};
pub(crate) use names::{DEMAND, ELASTICITY, INVENTORY, KINDS};
pub(crate) use neighbours::{ItemNeighbours, write_neighbours};
pub(crate) use norms::{Norms, write_norms};
pub(crate) use postings::{ShardPostings, write_postings};
pub(crate) use records::{Records, RecordsWriter};
pub(crate) use repurchase::{RepurchaseModel, write_repurchase};
pub(crate) use scores::{ItemScores, write_scores};
pub(crate) use sequences::{UserSequences, write_sequences};
pub(crate) use statistics::{Extent, read_extent, read_statistics, write_statistics};
pub(crate) use terms::{ItemTerms, ItemTermsWriter};
