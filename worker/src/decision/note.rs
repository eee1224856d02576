//! Notes: what a person who reads an answer must know.

use mercer_proto::v1::{Note, note::Kind};

/// A note about a datum or a rule; `message` is one sentence.
pub(crate) fn note(kind: Kind, field: &str, message: impl Into<String>) -> Note {
    Note { kind: kind.into(), field: field.to_owned(), message: message.into() }
}

/// A number as a person writes it: at most two decimals, more where all would be 0.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 1e3 || (size - size.round()).abs() < 5e-3 && size >= 1.0 => {
            0
        }
        size if size >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

/// `1 unit`, `2.5 units`.
pub(crate) fn units(value: f64) -> String {
    counted(value, "unit")
}

/// `1 day`, `2.5 days`.
pub(crate) fn days(value: f64) -> String {
    counted(value, "day")
}

fn counted(value: f64, noun: &str) -> String {
    let text = number(value);
    let plural = if text == "1" { "" } else { "s" };
    format!("{text} {noun}{plural}")
}
