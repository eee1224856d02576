//! Why a question about an item has no answer at all.

use mercer_common::rpc::status::{Code, Describe, Description, InvalidRequest};
use thiserror::Error;

use crate::serve::NotTrained;

/// Why a question has no answer. A decision that is declined is an answer, with a note.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum DecideError {
    /// What the answer stands on was never trained.
    #[error(transparent)]
    NotTrained(#[from] NotTrained),
    /// No record has named the item.
    #[error("no event or upsert has named item `{item}`")]
    UnknownItem {
        /// Id in the question.
        item: String,
    },
    /// Neither the catalogue nor an event of the item has named the location.
    #[error(
        "neither the catalogue nor a sale, stock or supply terms of item `{item}` name location \
         `{location}`"
    )]
    UnknownLocation {
        /// The item asked about.
        item: String,
        /// The location as asked.
        location: String,
    },
    /// The request breaks the contract.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
}

impl Describe for DecideError {
    fn describe(&self) -> Description {
        match self {
            Self::NotTrained(error) => error.describe(),
            Self::UnknownItem { .. } => Description::new(Code::NotFound, "ITEM_NOT_FOUND"),
            Self::UnknownLocation { location, .. } => {
                Description::new(Code::NotFound, "LOCATION_NOT_FOUND").with("location", location)
            }
            Self::Invalid(error) => error.describe(),
        }
    }
}
