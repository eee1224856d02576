//! Checks of ids and labels as callers send them.

use crate::{limits, rpc::status::Violation};

/// Collects what is wrong with a request, with the path of every field.
#[derive(Debug, Default)]
pub struct Checker {
    violations: Vec<Violation>,
}

/// The sum over all locations; never the id of one.
pub const EVERYWHERE: &str = "*";
/// The location of what names none.
pub const DEFAULT_LOCATION: &str = "default";
/// Violations reported of one request. Many clients refuse trailers of more than 8 KiB, and what
/// is beyond these would not help anybody.
const REPORTED: usize = 20;
const ONE_LOCATION: &str = "must name one location; `*` stands for all of them";

fn control(character: char) -> String {
    format!("must not contain control characters such as U+{:04X}", u32::from(character))
}

impl Checker {
    /// Notes that `field` is wrong.
    pub fn violation(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.violations.len() < REPORTED {
            self.violations.push(Violation::new(field, description));
        }
    }

    /// Requires an id of 1 to 256 bytes without control characters, for what is to be stored.
    pub fn id(&mut self, field: impl FnOnce() -> String, id: &str) {
        self.id_without(field, id, char::is_control);
    }

    /// Requires an id that may have been stored by any release: those of before took U+0080 to
    /// U+009F, and what has such an id can still be asked for and deleted.
    pub fn known_id(&mut self, field: impl FnOnce() -> String, id: &str) {
        self.id_without(field, id, |character| character.is_ascii_control());
    }

    fn id_without(
        &mut self,
        field: impl FnOnce() -> String,
        id: &str,
        is_refused: impl Fn(char) -> bool,
    ) {
        if id.is_empty() {
            self.violation(field(), "must not be empty");
        } else if id.len() > limits::ID_BYTES {
            let bytes = id.len();
            self.violation(
                field(),
                format!("is {bytes} bytes long; at most {} are allowed", limits::ID_BYTES),
            );
        } else if let Some(character) = id.chars().find(|&character| is_refused(character)) {
            self.violation(field(), control(character));
        }
    }

    /// Requires at most 256 bytes without control characters: a title, a name, an attribute's value.
    pub fn label(&mut self, field: impl Fn() -> String, label: &str) {
        self.length(&field, label, limits::LABEL_BYTES);
        if let Some(character) = label.chars().find(|character| character.is_control()) {
            self.violation(field(), control(character));
        }
    }

    /// Requires the id of one location: an id, and not `*`, which stands for all of them.
    pub fn location(&mut self, field: impl FnOnce() -> String, id: &str) {
        if id == EVERYWHERE {
            self.violation(field(), ONE_LOCATION);
        } else {
            self.id(field, id);
        }
    }

    /// Like [`location`](Self::location), of a location that any release may have stored.
    pub fn known_location(&mut self, field: impl FnOnce() -> String, id: &str) {
        if id == EVERYWHERE {
            self.violation(field(), ONE_LOCATION);
        } else {
            self.known_id(field, id);
        }
    }

    /// Requires at most `limit` bytes.
    pub fn length(&mut self, field: impl FnOnce() -> String, text: &str, limit: usize) {
        if text.len() > limit {
            let bytes = text.len();
            self.violation(field(), format!("is {bytes} bytes long; at most {limit} are allowed"));
        }
    }

    /// Requires at most `limit` entries.
    pub fn count(&mut self, field: impl FnOnce() -> String, count: usize, limit: usize) {
        if count > limit {
            self.violation(field(), format!("has {count} entries; at most {limit} are allowed"));
        }
    }

    /// Whether nothing was wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// What was wrong.
    ///
    /// # Errors
    /// When anything was.
    pub fn finish(self) -> Result<(), crate::rpc::status::InvalidRequest> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(crate::rpc::status::InvalidRequest { violations: self.violations })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(check: impl FnOnce(&mut Checker)) -> Vec<String> {
        let mut checker = Checker::default();
        check(&mut checker);
        checker.violations.into_iter().map(|one| one.description).collect()
    }

    #[test]
    fn control_characters_are_refused_where_something_is_stored() {
        let told =
            |number: &str| vec![format!("must not contain control characters such as {number}")];
        let cases = [
            ("a\u{1b}", "U+001B"),
            ("a\tb", "U+0009"),
            ("\u{7f}", "U+007F"),
            ("\u{9b}2J", "U+009B"),
        ];
        for (text, number) in cases {
            assert_eq!(problems(|checker| checker.id(String::new, text)), told(number));
            assert_eq!(problems(|checker| checker.location(String::new, text)), told(number));
            assert_eq!(problems(|checker| checker.label(String::new, text)), told(number));
        }
        for text in ["tea", "\u{202e}aet", "a\u{200b}", "緑茶"] {
            assert_eq!(problems(|checker| checker.id(String::new, text)), [""; 0]);
            assert_eq!(problems(|checker| checker.label(String::new, text)), [""; 0]);
        }
        assert_eq!(problems(|checker| checker.label(String::new, "")), [""; 0]);
    }

    #[test]
    fn what_was_stored_before_can_be_asked_for() {
        let old = "caf\u{85}";
        assert_eq!(problems(|checker| checker.known_id(String::new, old)), [""; 0]);
        assert_eq!(problems(|checker| checker.known_location(String::new, old)), [""; 0]);
        assert_eq!(problems(|checker| checker.known_id(String::new, "a\u{1b}")).len(), 1);
        assert_eq!(problems(|checker| checker.known_location(String::new, EVERYWHERE)).len(), 1);
    }
}
