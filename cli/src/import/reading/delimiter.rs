//! Which character stands between the fields of a line.

/// What is tried, the most common first.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Lines that are looked at.
const LINES: usize = 20;

/// The delimiter of a text that begins with `head`, and whether it is other than the comma.
///
/// The one that splits the header into most fields, and most lines into as many as the header.
pub(super) fn guess(head: &[u8]) -> (u8, bool) {
    if let Some(named) = named(head) {
        return (named, true);
    }
    let mut best = (b',', (0, 0));
    for candidate in CANDIDATES {
        let mut counts = head
            .split(|&byte| byte == b'\n' || byte == b'\r')
            .filter(|line| !line.is_empty())
            .take(LINES)
            .map(|line| fields(line, candidate));
        let header = counts.next().unwrap_or(1);
        if header < 2 {
            continue;
        }
        let agreeing = counts.filter(|&count| count >= header).count();
        let score = (agreeing, header);
        if score > best.1 {
            best = (candidate, score);
        }
    }
    (best.0, best.0 != b',')
}

/// The character after `sep=`, with which spreadsheets begin a file.
pub(super) fn named(head: &[u8]) -> Option<u8> {
    let line = head.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let line_is_tab = head.starts_with(b"sep=\t");
    let rest = line.get(..4).filter(|word| word.eq_ignore_ascii_case(b"sep=")).map(|_| &line[4..]);
    match rest {
        Some(&[byte]) if !matches!(byte, b'"' | b'\n' | b'\r') => Some(byte),
        _ if line_is_tab => Some(b'\t'),
        _ => None,
    }
}

/// Fields of a line, as far as quotes can be told.
fn fields(line: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    let mut count = 1;
    for &byte in line {
        match byte {
            b'"' => quoted = !quoted,
            _ if byte == delimiter && !quoted => count += 1,
            _ => {}
        }
    }
    count
}

/// Name of a delimiter for people.
pub(super) fn shown(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tabs".into(),
        byte => format!("`{}`", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_splits_header_and_lines_alike_is_the_delimiter() {
        for (text, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2\n", b';'),
            ("a\tb\n1,5\t2;3\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("\"a;b\",c\n1,2\n", b','),
            ("one\n1\n", b','),
            ("sep=|\na,b|c\n", b'|'),
            ("\"sep=;\"\r\na;b\r\n", b';'),
            ("a;b;c, incl. VAT\n1;2;3\n", b';'),
            ("", b','),
        ] {
            assert_eq!(guess(text.as_bytes()).0, expected, "{text:?}");
        }
    }
}
