//! Words, strings and operators of an expression.

use super::Problem;

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    NotEqual,
    Has,
}

impl Operator {
    const ALL: [(&'static str, Self); 7] = [
        // Longer ones first.
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
        (":", Self::Has),
    ];
}

/// A value or a part of a field's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
    pub(super) at: usize,
}

impl Word {
    /// Whether it is this word, not in quotes.
    pub(super) fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

/// Reads an expression from left to right.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Byte at which the scanner stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Whether anything but white space is left; stands at it then.
    pub(super) fn more(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at < self.text.len()
    }

    /// Takes `symbol` if it is next, without white space before it.
    pub(super) fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        self.at += if found { symbol.len() } else { 0 };
        found
    }

    /// Takes a keyword if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.more() && ahead.run(false) == keyword;
        if found {
            self.at = ahead.at;
        }
        found
    }

    /// Takes an operator if one is next.
    pub(super) fn operator(&mut self) -> Option<Operator> {
        self.more();
        Operator::ALL.into_iter().find(|(symbol, _)| self.take(symbol)).map(|(_, found)| found)
    }

    /// A part of a field's name: up to the next dot.
    pub(super) fn name(&mut self) -> Result<Word, Problem> {
        self.word(true)
    }

    /// Reads a value.
    pub(super) fn value(&mut self) -> Result<Word, Problem> {
        self.more();
        self.word(false)
    }

    fn word(&mut self, of_name: bool) -> Result<Word, Problem> {
        let at = self.at;
        if let Some(quote @ ('"' | '\'')) = self.rest().chars().next() {
            let text = self.string(quote)?;
            return Ok(Word { text, quoted: true, at });
        }
        let text = self.run(of_name);
        if let Some(star) = text.find('*') {
            return Err(wildcard(at + star));
        }
        Ok(Word { text: text.to_owned(), quoted: false, at })
    }

    /// Characters up to white space, a bracket, a quote or an operator; may be none.
    fn run(&mut self, of_name: bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| {
            c.is_whitespace() || "()\"'<>=!:,".contains(c) || (of_name && c == '.')
        });
        let run = &rest[..end.unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    /// A string in quotes; a backslash stands before a quote, a backslash or a star that is meant.
    fn string(&mut self, quote: char) -> Result<String, Problem> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\'' | '\\' | '*'))) => text.push(escaped),
                    _ => {
                        let detail = "a backslash must stand before a quote, a backslash or `*`";
                        return Err(Problem::new(start + offset, detail));
                    }
                },
                '*' => return Err(wildcard(start + offset)),
                _ if character == quote => {
                    self.at = start + offset + quote.len_utf8();
                    return Ok(text);
                }
                _ => text.push(character),
            }
        }
        Err(Problem::new(start, "the string has no closing quote"))
    }
}

fn wildcard(at: usize) -> Problem {
    Problem::new(at, "wildcards are not supported; write \"\\*\" for a star")
}
