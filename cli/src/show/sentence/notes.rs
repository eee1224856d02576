//! Notes, told from their codes and arguments; those of releases without codes, or of later ones,
//! as the server tells them.

use mercer_common::note::sentence;
use mercer_proto::v1::{Note, NoteArgument, note_argument::Value};
use serde_json::{Map, json};

use super::spoken;
use crate::show::output;

/// What the note says, in the language that was asked for.
pub(crate) fn tell(note: &Note) -> String {
    let told = sentence(spoken().words().notes, note.code(), &note.arguments);
    told.unwrap_or_else(|| note.message.clone())
}

/// The arguments by name, as programs read them: amounts are decimal strings.
pub(crate) fn arguments(note: &Note) -> Map<String, serde_json::Value> {
    let named = |argument: &NoteArgument| {
        let value = match argument.value.as_ref()? {
            Value::Text(text) | Value::Word(text) => json!(text),
            Value::Number(value) | Value::Units(value) | Value::Days(value) => json!(value),
            Value::Share(value) => json!(value),
            Value::Money(amount) => {
                json!({"amount": output::money(amount), "currency": amount.currency_code})
            }
            Value::Date(date) => json!(output::date(date)),
        };
        Some((argument.name.clone(), value))
    };
    note.arguments.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests;
