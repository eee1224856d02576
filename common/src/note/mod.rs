//! Notes: what a person who reads an answer must know, as a code with arguments and as a sentence.
//!
//! [`Said`] is everything that can be said. What it names are typed fields, so that nothing can be
//! said without what its sentence needs; a [`Language`] makes sentences of codes and arguments, here
//! for `message` and in clients for people.

mod english;
mod said;
mod sentence;
mod value;

use mercer_proto::v1::{Note, note::Kind};

pub use english::ENGLISH;
pub use said::{NamedRule, Said, declared};
pub use sentence::{Language, number, sentence};
pub use value::{
    Amount, Days, Declared, Goal, MissingForLot, Number, Objective, Reference, Share, Status, Text,
    Type, Units, Value, WhyWithinTried,
};

/// A note about a datum or a rule.
#[must_use]
pub fn note(kind: Kind, field: &str, said: Said) -> Note {
    let code = said.code();
    let arguments = said.arguments();
    let message = sentence(&ENGLISH, code, &arguments);
    debug_assert!(message.is_some(), "{code:?} with {arguments:?}");
    Note {
        kind: kind.into(),
        field: field.to_owned(),
        message: message.unwrap_or_default(),
        code: code.into(),
        arguments,
    }
}
