//! Lines that are longer than the screen, broken where a reader expects it.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns within which what stands before a wide gap names what follows it.
const LABEL: usize = 24;
/// Columns that what is broken gets at least.
const LEAST: usize = 20;

/// Columns that a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A block of lines none of which is longer than `width`, but for words that are. What is broken
/// goes on below where its text begins.
pub(super) fn block(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if columns(line) <= width {
            lines.push(line.to_owned());
            continue;
        }
        let start = start_of_text(line, width);
        let mut pieces = wrap(line, width, width.saturating_sub(start), Words::Whole).into_iter();
        lines.extend(pieces.next());
        lines.extend(pieces.map(|piece| format!("{:start$}{piece}", "")));
    }
    lines.join("\n")
}

/// The column at which a line goes on: where its text begins behind a label, else a little more to
/// the right than the line.
fn start_of_text(line: &str, width: usize) -> usize {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let label = text.split("  ").next().unwrap_or_default();
    let rest = &text[label.len()..];
    let start = indent + columns(label) + (rest.len() - rest.trim_start().len());
    if rest.is_empty() || start > LABEL || start + LEAST > width { indent + 2 } else { start }
}

/// What is done with words that are longer than a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// They stay whole: one might be copied.
    Whole,
    /// They are broken, after a sign that separates where there is one.
    Broken,
}

/// Pieces of a line: the first at most `first` columns wide, the others at most `others`.
pub(super) fn wrap(line: &str, first: usize, others: usize, words: Words) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut rest, mut width) = (line, first.max(1));
    while columns(rest) > width {
        let Some(end) = end_of_piece(rest, width, words) else { break };
        let (piece, after) = rest.split_at(end);
        pieces.push(piece.trim_end().to_owned());
        rest = after.trim_start();
        width = others.max(1);
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}

/// Where a text that is longer than `width` columns is broken; `None` where it cannot be.
fn end_of_piece(text: &str, width: usize, words: Words) -> Option<usize> {
    let body = text.len() - text.trim_start().len();
    let (mut taken, mut space, mut sign, mut fitting) = (0, None, None, 0);
    for (at, character) in text.char_indices() {
        if character == ' ' && at > body && taken <= width {
            space = Some(at);
        }
        taken += character.width().unwrap_or_default();
        if taken > width {
            // The first space beyond, where no earlier one will do.
            if space.is_some() || words == Words::Broken {
                break;
            }
            if character == ' ' && at > body {
                return Some(at);
            }
            continue;
        }
        fitting = at + character.len_utf8();
        if matches!(character, ',' | ';' | '/' | '|') {
            sign = Some(fitting);
        }
    }
    if space.is_some() || words == Words::Whole {
        return space;
    }
    sign.filter(|&end| end < text.len()).or((fitting > 0).then_some(fitting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_below_where_its_text_begins() {
        let short = "demand   10 units in the 7 days\nshort";
        assert_eq!(block(short, 31), short);
        let folded = "demand   10 units in the 7\n         days\nshort";
        assert_eq!(block(short, 30), folded);
        let indented = "  a b c d e f g h i j k\n    l m n";
        assert_eq!(block("  a b c d e f g h i j k l m n", 24), indented);
        // Too little would be left beside the label.
        assert_eq!(block("demand   10 units in the 7", 20), "demand   10 units in\n  the 7");
    }

    #[test]
    fn a_word_of_a_line_that_may_be_copied_stays_whole() {
        let url = "at http://127.0.0.1:7400/of/some/length it serves";
        assert_eq!(block(url, 24), "at\n  http://127.0.0.1:7400/of/some/length\n  it serves");
        assert_eq!(block("http://127.0.0.1:7400/of/some", 24), "http://127.0.0.1:7400/of/some");
    }

    #[test]
    fn cells_are_broken_at_spaces_then_signs_then_anywhere() {
        let broken = |text| wrap(text, 8, 8, Words::Broken);
        assert_eq!(broken("one two three"), ["one two", "three"]);
        assert_eq!(broken("demand,price"), ["demand,", "price"]);
        assert_eq!(broken("abcdefghijkl"), ["abcdefgh", "ijkl"]);
        assert_eq!(broken("緑茶緑茶緑茶"), ["緑茶緑茶", "緑茶"]);
        assert_eq!(broken(""), [""]);
    }
}
