//! Notes: what a person who reads an answer must know.

use mercer_proto::v1::{Note, note::Kind};

/// A note about a datum or a rule; `message` is one sentence.
pub(crate) fn note(kind: Kind, field: &str, message: impl Into<String>) -> Note {
    Note { kind: kind.into(), field: field.to_owned(), message: message.into() }
}
