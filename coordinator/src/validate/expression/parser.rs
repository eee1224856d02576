//! The grammar: recursive descent, one function a rule of AIP-160.

use mercer_common::limits;

use super::{
    Problem, Tree, condition,
    condition::Field,
    scanner::{Scanner, Word},
};

/// Reads a whole expression; nothing but white space is no filter.
pub(super) fn parse(text: &str, currency: &str) -> Result<Option<Tree>, Problem> {
    if text.len() > limits::FILTER_BYTES {
        let (bytes, limit) = (text.len(), limits::FILTER_BYTES);
        return Err(Problem::new(limit, format!("{bytes} bytes are more than {limit}")));
    }
    let mut parser = Parser { scanner: Scanner::new(text), currency, nesting: 0, terms: 0 };
    if !parser.scanner.more() {
        return Ok(None);
    }
    let tree = parser.expression()?;
    if parser.scanner.more() {
        // An expression ends early at nothing else.
        return Err(Problem::new(parser.scanner.at(), "`)` has no opening bracket"));
    }
    Ok(Some(tree))
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    currency: &'a str,
    /// Brackets that are open.
    nesting: usize,
    terms: usize,
}

impl Parser<'_> {
    /// `expression: sequence {AND sequence}`, `sequence: factor {factor}`.
    fn expression(&mut self) -> Result<Tree, Problem> {
        let start = self.scanner.at();
        let mut factors = vec![self.factor()?];
        loop {
            let and = self.scanner.keyword("AND");
            if !and && (!self.scanner.more() || self.scanner.clone().take(")")) {
                return bounded(start, Tree::all(factors));
            }
            factors.push(self.factor()?);
        }
    }

    /// `factor: term {OR term}`.
    fn factor(&mut self) -> Result<Tree, Problem> {
        self.scanner.more();
        let start = self.scanner.at();
        let mut terms = vec![self.term()?];
        while self.scanner.keyword("OR") {
            terms.push(self.term()?);
        }
        bounded(start, Tree::any(terms))
    }

    /// `term: [NOT | -] simple`.
    fn term(&mut self) -> Result<Tree, Problem> {
        let negated =
            self.scanner.keyword("NOT") || (self.scanner.more() && self.scanner.take("-"));
        self.scanner.more();
        let start = self.scanner.at();
        let tree = self.simple()?;
        if negated { bounded(start, Some(tree.not())) } else { Ok(tree) }
    }

    /// `simple: restriction | "(" expression ")"`.
    fn simple(&mut self) -> Result<Tree, Problem> {
        let start = self.scanner.at();
        if !self.scanner.take("(") {
            return self.restriction();
        }
        self.nesting += 1;
        if self.nesting > limits::FILTER_DEPTH {
            return Err(too_deep(start));
        }
        let tree = self.expression()?;
        self.scanner.more();
        if !self.scanner.take(")") {
            return Err(Problem::new(start, "the bracket is not closed"));
        }
        self.nesting -= 1;
        Ok(tree)
    }

    /// `restriction: field [operator value]`.
    fn restriction(&mut self) -> Result<Tree, Problem> {
        let at = self.scanner.at();
        self.terms += 1;
        if self.terms > limits::FILTER_TERMS {
            let limit = limits::FILTER_TERMS;
            return Err(Problem::new(at, format!("there are more than {limit} conditions")));
        }
        let field = self.field()?;
        let Some(operator) = self.scanner.operator() else {
            return condition::alone(&field, self.currency);
        };
        self.scanner.more();
        let value_at = self.scanner.at();
        if self.scanner.take("(") {
            let detail = "write `a = x OR a = y`; a value cannot be an expression";
            return Err(Problem::new(value_at, detail));
        }
        let value = self.scanner.value()?;
        if value.text.is_empty() || is_keyword(&value) {
            let detail = "a value is missing; one like a keyword must stand in quotes";
            return Err(Problem::new(value_at, detail));
        }
        condition::compared(&field, operator, &value, self.currency)
    }

    /// `field: word {"." word} ["(" [value] ")"]`.
    fn field(&mut self) -> Result<Field, Problem> {
        let name = self.scanner.name()?;
        if name.quoted || name.text.is_empty() || is_keyword(&name) {
            let detail = format!("a condition must begin with {}", condition::FIELDS);
            return Err(Problem::new(name.at, detail));
        }
        let mut member: Option<Word> = None;
        while self.scanner.take(".") {
            let part = self.scanner.name()?;
            if part.text.is_empty() {
                return Err(Problem::new(part.at, "a name is missing after the dot"));
            }
            member = Some(match member {
                // Dots may be part of a name.
                Some(before) => Word { text: format!("{}.{}", before.text, part.text), ..before },
                None => part,
            });
        }
        let argument = if self.scanner.take("(") {
            let argument = self.scanner.value()?;
            self.scanner.more();
            if !self.scanner.take(")") {
                return Err(Problem::new(self.scanner.at(), "`)` is missing after one value"));
            }
            Some(argument)
        } else {
            None
        };
        Ok(Field { name, member, argument })
    }
}

fn is_keyword(word: &Word) -> bool {
    ["AND", "OR", "NOT"].into_iter().any(|keyword| word.is(keyword))
}

fn too_deep(at: usize) -> Problem {
    Problem::new(at, format!("is nested deeper than {} levels", limits::FILTER_DEPTH))
}

/// What was joined, unless it is too deep.
fn bounded(at: usize, tree: Option<Tree>) -> Result<Tree, Problem> {
    let tree = tree.ok_or_else(|| Problem::new(at, "a condition is missing"))?;
    if tree.depth > limits::FILTER_DEPTH { Err(too_deep(at)) } else { Ok(tree) }
}
