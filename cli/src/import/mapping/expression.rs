//! The expressions of `--map`: columns, numbers, `'text'`, `+ - * /`, brackets, `coalesce` and
//! `concat`. A text that is exactly the name of a column is that column, whatever signs it holds.

use anyhow::{Result, bail};

use super::{
    find,
    source::{Operator, Source},
};
use crate::import::values::{Decimals, Extra, number};

/// Brackets within brackets.
const DEPTH: usize = 16;
/// Bytes of an expression.
const BYTES: usize = 4_096;

/// Why a text is no expression of the columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The file lacks it.
    NoColumn(String),
    /// The file has several of this name.
    Duplicate(String),
    Wrong(String),
}

/// The `field=value` pairs of a list. A comma begins another pair only where a name and `=` follow,
/// outside of quotes and brackets.
pub(super) fn pairs(list: &str, flag: &str) -> Result<Vec<(String, String)>> {
    let mut parts = Vec::new();
    let (mut start, mut quote, mut depth) = (0, None, 0_usize);
    for (at, character) in list.char_indices() {
        match (character, quote) {
            ('`' | '\'', None) if flag == "--map" => quote = Some(character),
            (character, Some(open)) if character == open => quote = None,
            (_, Some(_)) => {}
            ('(', None) => depth += 1,
            (')', None) => depth = depth.saturating_sub(1),
            (',', None) if begins_pair(&list[at + 1..]) && (depth == 0 || quote.is_none()) => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    let mut pairs = Vec::new();
    for part in parts {
        let Some((field, value)) = part.split_once('=') else {
            bail!("{flag} `{part}` is not field=value");
        };
        pairs.push((field.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(pairs)
}

/// Whether a text begins with the name of a field and `=`.
fn begins_pair(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    let name = name.trim();
    let is_word = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    !name.is_empty() && (is_word || name.starts_with("attribute."))
}

/// Reads an expression; `project` gives the cell of a column.
pub(super) fn parse(
    text: &str,
    columns: &[String],
    project: &mut dyn FnMut(usize) -> usize,
) -> Result<Source, Problem> {
    match find(columns, text) {
        Ok(column) => return Ok(Source::Cell(project(column))),
        Err(duplicate @ Problem::Duplicate(_)) => return Err(duplicate),
        Err(_) => {}
    }
    if text.len() > BYTES {
        return Err(Problem::Wrong(format!("is longer than {BYTES} bytes")));
    }
    let mut parser = Parser { text, at: 0, columns, project, depth: 0 };
    let (source, _) = parser.sum()?;
    parser.space();
    match parser.rest().chars().next() {
        None => Ok(source),
        Some(')') => Err(Problem::Wrong("`)` has no opening bracket".into())),
        Some(next) => Err(Problem::Wrong(format!("`{next}` is not expected here"))),
    }
}

/// How an expression was joined, to refuse what people read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    One,
    Product,
    Quotient,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    columns: &'a [String],
    project: &'a mut dyn FnMut(usize) -> usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, character: char) -> bool {
        self.space();
        let found = self.rest().starts_with(character);
        self.at += if found { character.len_utf8() } else { 0 };
        found
    }

    /// `sum: product {(+|-) product}`.
    fn sum(&mut self) -> Result<(Source, Shape), Problem> {
        let (mut source, mut shape) = self.product()?;
        loop {
            let operator = if self.take('+') {
                Operator::Plus
            } else if self.take('-') {
                Operator::Minus
            } else {
                return Ok((source, shape));
            };
            let (right, right_shape) = self.product()?;
            if shape == Shape::Quotient || right_shape == Shape::Quotient {
                let reason = "`a+b/c` can mean two things: write `(a+b)/c` or `a+(b/c)`";
                return Err(Problem::Wrong(reason.into()));
            }
            source = Source::Joined(operator, source.into(), right.into());
            shape = Shape::One;
        }
    }

    /// `product: factor {(*|/) factor}`.
    fn product(&mut self) -> Result<(Source, Shape), Problem> {
        let mut source = self.factor()?;
        let mut shape = Shape::One;
        loop {
            let operator = if self.take('*') {
                Operator::Times
            } else if self.take('/') {
                Operator::Over
            } else {
                return Ok((source, shape));
            };
            shape = match (operator, shape) {
                (Operator::Over, _) | (_, Shape::Quotient) => Shape::Quotient,
                _ => Shape::Product,
            };
            let right = self.factor()?;
            source = Source::Joined(operator, source.into(), right.into());
        }
    }

    /// A number, a text, a column, a function, or something in brackets.
    fn factor(&mut self) -> Result<Source, Problem> {
        self.space();
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Problem::Wrong(format!("is nested deeper than {DEPTH} levels")));
        }
        let factor = self.inner_factor();
        self.depth -= 1;
        factor
    }

    fn inner_factor(&mut self) -> Result<Source, Problem> {
        if let Some(column) = self.longest_column() {
            return Ok(Source::Cell((self.project)(column?)));
        }
        if self.take('(') {
            let (source, _) = self.sum()?;
            return self.closed(source);
        }
        if self.take('-') {
            return Ok(Source::Negated(self.factor()?.into()));
        }
        for quote in ['\'', '`'] {
            if self.take(quote) {
                let Some(length) = self.rest().find(quote) else {
                    return Err(Problem::Wrong(format!("a {quote} is not closed")));
                };
                let inner = self.rest()[..length].to_owned();
                self.at += length + 1;
                return match quote {
                    '\'' => Ok(Source::Constant(inner)),
                    _ => Ok(Source::Cell((self.project)(find(self.columns, &inner)?))),
                };
            }
        }
        for (name, make) in [
            ("coalesce", Source::Coalesce as fn(Vec<Source>) -> Source),
            ("concat", Source::Concat),
        ] {
            if let Some(after) = self.rest().strip_prefix(name)
                && after.trim_start().starts_with('(')
            {
                self.at += name.len();
                self.take('(');
                let mut parts = vec![self.sum()?.0];
                while self.take(',') {
                    parts.push(self.sum()?.0);
                }
                return self.closed(make(parts));
            }
        }
        let rest = self.rest();
        let length = rest.find(|c: char| "+-*/()'`,".contains(c)).unwrap_or(rest.len());
        let word = rest[..length].trim().to_owned();
        self.at += length;
        if word.is_empty() {
            return Err(Problem::Wrong("a column, a number or a 'text' is missing".into()));
        }
        if let Ok(decimal) = number::parse(&word, Decimals::Point, Extra::Nothing) {
            return Ok(Source::Number(decimal));
        }
        Ok(Source::Cell((self.project)(find(self.columns, &word)?)))
    }

    fn closed(&mut self, source: Source) -> Result<Source, Problem> {
        if self.take(')') {
            return Ok(source);
        }
        Err(Problem::Wrong("a bracket is not closed".into()))
    }

    /// The column with the longest name that stands here, up to an operator or the end.
    fn longest_column(&mut self) -> Option<Result<usize, Problem>> {
        let rest = self.rest();
        let name = self.columns.iter().filter(|name| {
            let Some(head) = rest.get(..name.len()) else { return false };
            let behind = rest[name.len()..].trim_start().chars().next();
            let ends = behind.is_none_or(|next| "+-*/),".contains(next));
            !name.is_empty() && head.eq_ignore_ascii_case(name) && ends
        });
        let longest = name.max_by_key(|name| name.len())?;
        let (length, head) = (longest.len(), &rest[..longest.len()]);
        let found = find(self.columns, head);
        self.at += length;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Problem> {
        let columns: Vec<String> =
            ["a", "b", "c", "Lineitem price", "net-price", "2020", "d/e", "a+b", "dup", "dup"]
                .map(String::from)
                .into();
        let mut cells = Vec::new();
        let source = parse(text, &columns, &mut |column| {
            cells.push(column);
            cells.len() - 1
        })?;
        Ok(source.text(&|cell| columns[cells[cell]].as_str()))
    }

    #[test]
    fn an_exact_header_comes_first_and_then_the_rules_of_arithmetic() {
        for (text, expected) in [
            ("a", "`a`"),
            ("A", "`a`"),
            ("a+b", "`a+b`"),
            ("a + b", "(`a` + `b`)"),
            ("2020", "`2020`"),
            ("2021", "2021"),
            ("d/e", "`d/e`"),
            ("net-price*c", "(`net-price` * `c`)"),
            ("lineitem price * b", "(`Lineitem price` * `b`)"),
            ("a*b+c", "((`a` * `b`) + `c`)"),
            ("a-b-c", "((`a` - `b`) - `c`)"),
            ("(a+c)/b", "((`a` + `c`) / `b`)"),
            ("a/b/c", "((`a` / `b`) / `c`)"),
            ("-a*0.5", "(-(`a`) * 0.5)"),
            ("`a`*`b`", "(`a` * `b`)"),
            ("coalesce(a, b, 0)", "coalesce(`a`, `b`, 0)"),
            ("concat(a, ' ', b)", "concat(`a`, \" \", `b`)"),
            ("dup#2", "`dup`"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in ["a+c/b", "c/b+a", "a - c/b", "(a", "a)", "a*", "", "'x", "a b", "coalesce("] {
            let problem = read(text).expect_err(text);
            assert!(matches!(problem, Problem::Wrong(_) | Problem::NoColumn(_)), "{text}");
        }
        assert_eq!(read("dup"), Err(Problem::Duplicate("dup".into())));
        assert_eq!(read("x*a"), Err(Problem::NoColumn("x".into())));
        let deep = format!("{}a{}", "(".repeat(1_000), ")".repeat(1_000));
        assert!(matches!(read(&deep), Err(Problem::Wrong(_))));
    }

    #[test]
    fn a_list_is_cut_where_a_field_begins() {
        let cut = |list: &str| pairs(list, "--map").expect("pairs");
        let pair = |field: &str, value: &str| (field.to_owned(), value.to_owned());
        assert_eq!(
            cut("item_id=Item ID,amount=Price, incl. VAT (EUR),quantity=Qty"),
            [
                pair("item_id", "Item ID"),
                pair("amount", "Price, incl. VAT (EUR)"),
                pair("quantity", "Qty")
            ]
        );
        assert_eq!(
            cut("title=concat(a,', x=',b),brand=c"),
            [pair("title", "concat(a,', x=',b)"), pair("brand", "c")]
        );
        assert_eq!(cut("amount=`a,b=c`"), [pair("amount", "`a,b=c`")]);
        assert!(pairs("item_id", "--map").is_err());
    }
}
