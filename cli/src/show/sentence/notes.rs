//! Notes, told from their codes and arguments; those of releases without codes, or of later ones,
//! as the server tells them.

use mercer_common::note::sentence;
use mercer_proto::v1::{Note, note_argument::Value};
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
    let mut named = Map::new();
    for argument in &note.arguments {
        let Some(value) = &argument.value else { continue };
        let value = match value {
            Value::Text(text) | Value::Word(text) => json!(text),
            Value::Number(value) | Value::Units(value) | Value::Days(value) => json!(value),
            Value::Share(value) => json!(value),
            Value::Money(amount) => {
                json!({"amount": output::money(amount), "currency": amount.currency_code})
            }
            Value::Date(date) => json!(output::date(date)),
        };
        named.insert(argument.name.clone(), value);
    }
    named
}

#[cfg(test)]
mod tests;
