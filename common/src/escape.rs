//! What others chose, as people may see it: ids, titles, names and messages without the characters
//! that steer a terminal, reorder what is read, or are not seen at all.
//!
//! Such a character is shown as `\u{1b}`, with its number in hexadecimal.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

/// `text` on one line. Different texts stay different: a backslash that could be taken for the
/// beginning of an escape is escaped itself, and [`undo`] gives back the text.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    replace(text, |at, character| match character {
        '\\' => text[at..].starts_with("\\u{"),
        other => is_hidden(text, at, other),
    })
}

/// A block of lines, which stay lines. What stands between the lines of a block was put through
/// [`text`] before; this is the last gate, and does nothing to what passed it already.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    replace(text, |at, character| character != '\n' && is_hidden(text, at, character))
}

/// A document of JSON of the same value. Writers of JSON escape the characters below U+0020 and
/// leave the others that this is about.
#[must_use]
pub fn json(document: &str) -> Cow<'_, str> {
    let hides = |at, character| character >= ' ' && is_hidden(document, at, character);
    if !document.char_indices().any(|(at, character)| hides(at, character)) {
        return Cow::Borrowed(document);
    }
    let mut escaped = String::with_capacity(document.len() + 16);
    for (at, character) in document.char_indices() {
        if hides(at, character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// What [`text`] was given.
#[must_use]
pub fn undo(escaped: &str) -> String {
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = rest.find("\\u{") {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        let number = escape[3..].split_once('}');
        let character = number.and_then(|(digits, after)| {
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((character, after))
        });
        match character {
            Some((character, after)) => {
                text.push(character);
                rest = after;
            }
            // Not of `text`'s making.
            None => {
                text.push_str(&escape[..3]);
                rest = &escape[3..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// A writer of JSON documents that puts each write through [`json`]; a write holds whole characters.
#[derive(Debug)]
pub struct JsonWriter<W>(pub W);

impl<W: Write> Write for JsonWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(json(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn replace(text: &str, is_escaped: impl Fn(usize, char) -> bool) -> Cow<'_, str> {
    if !text.char_indices().any(|(at, character)| is_escaped(at, character)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for (at, character) in text.char_indices() {
        if is_escaped(at, character) {
            let _ = write!(escaped, "{}", character.escape_unicode());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether the character at `at` is not shown as it is: controls, the ends of lines and paragraphs,
/// what sets a direction, and what Unicode calls default ignorable or annotates with.
///
/// Variation selectors stay, for they choose how the character before them looks. So do the
/// joiners between characters beyond ASCII, which the writing of many languages and composed emoji
/// need; beside ASCII they could only hide.
fn is_hidden(text: &str, at: usize, character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\u{200c}' | '\u{200d}' => {
            let before = text[..at].chars().next_back();
            let after = text[at..].chars().nth(1);
            let joins = |neighbour: Option<char>| {
                neighbour.is_some_and(|one| !one.is_ascii() && !is_ignorable(one))
            };
            !(joins(before) && joins(after))
        }
        other => is_ignorable(other),
    }
}

fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}' // soft hyphen
        | '\u{34f}' // grapheme joiner
        | '\u{61c}' // Arabic letter mark
        | '\u{115f}' | '\u{1160}' // Hangul fillers
        | '\u{17b4}' | '\u{17b5}' // inherent vowels of Khmer
        | '\u{180e}' // Mongolian vowel separator
        | '\u{200b}'..='\u{200f}' // zero widths, joiners, marks of direction
        | '\u{2028}'..='\u{202e}' // ends of lines and paragraphs, embeddings and overrides
        | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
        | '\u{3164}' // Hangul filler
        | '\u{feff}' // byte order mark
        | '\u{ffa0}' // halfwidth Hangul filler
        | '\u{fff0}'..='\u{fffb}' // interlinear annotation
        | '\u{1bca0}'..='\u{1bca3}' // shorthand
        | '\u{1d173}'..='\u{1d17a}' // musical beams
        | '\u{e0000}'..='\u{e00ff}' // tags
        | '\u{e01f0}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_what_steers_reorders_or_hides() {
        let shown = [
            ("red \u{1b}[31m", "red \\u{1b}[31m"),
            ("over\rwritten\u{8}", "over\\u{d}written\\u{8}"),
            ("two\nlines\tand a tab", "two\\u{a}lines\\u{9}and a tab"),
            ("\u{7f}\u{9b}2J", "\\u{7f}\\u{9b}2J"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            (
                "\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}",
                "\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}",
            ),
            ("a\u{200b}b\u{2028}c\u{feff}", "a\\u{200b}b\\u{2028}c\\u{feff}"),
            ("tea\u{200d}", "tea\\u{200d}"),
            ("\u{e0041}", "\\u{e0041}"),
            (r"a \u{1b} typed", r"a \u{5c}u{1b} typed"),
        ];
        for (given, expected) in shown {
            assert_eq!(text(given), expected);
            assert_eq!(undo(expected), given);
        }
    }

    #[test]
    fn leaves_what_people_write() {
        for plain in [
            r"C:\Users\u1 {x}",
            "Crème brûlée, 緑茶\u{3000}茶葉, שלום",
            "می\u{200c}خواهم",
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
            "100\u{a0}g",
        ] {
            assert!(matches!(text(plain), Cow::Borrowed(_)), "{plain}");
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let value = "\u{1b}\n\u{7f}\u{9b}\u{202e}\u{e0041} 緑茶 \\ \"";
        let document = serde_json::to_string(value).expect("a string");
        let escaped = json(&document);
        assert_eq!(escaped, r#""\u001b\n\u007f\u009b\u202e\udb40\udc41 緑茶 \\ \"""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), value);
        let mut written = Vec::new();
        JsonWriter(&mut written).write_all(document.as_bytes()).expect("written");
        assert_eq!(String::from_utf8(written).expect("UTF-8"), escaped);
    }

    /// Texts rich in what is escaped and in what looks like an escape.
    fn any_text() -> impl Strategy<Value = String> {
        let hostile = proptest::sample::select(vec![
            "\\",
            "u{",
            "}",
            "1b",
            "\u{1b}",
            "\n",
            "\r",
            "\u{202e}",
            "\u{200d}",
            "ä",
            "\u{e0041}",
        ]);
        let piece =
            prop_oneof![any::<char>().prop_map(String::from), hostile.prop_map(String::from)];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn is_reversible_and_holds_no_control(given in any_text()) {
            let shown = text(&given);
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
            prop_assert_eq!(undo(&shown), given.as_str());
            // The last gate finds nothing to do.
            prop_assert_eq!(block(&shown), shown.as_ref());
        }

        #[test]
        fn a_block_keeps_its_lines(given in any_text()) {
            let shown = block(&given).into_owned();
            prop_assert_eq!(shown.matches('\n').count(), given.matches('\n').count());
            prop_assert!(!shown.chars().any(|one| one != '\n' && one.is_control()));
            prop_assert_eq!(block(&shown), shown.as_str());
        }

        #[test]
        fn any_json_keeps_its_value(given in any_text()) {
            let document = serde_json::to_string(&given).expect("a string");
            let escaped = json(&document);
            prop_assert!(!escaped.chars().any(char::is_control), "{escaped:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), given);
        }
    }
}
