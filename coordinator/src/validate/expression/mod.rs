//! Filters as text: the expressions of AIP-160 (google.aip.dev/160) for the conditions that a
//! [`Filter`] has.
//!
//! ```text
//! price < 20 AND NOT category:"Dairy > Milk" brand = Acme OR brand = "Other brand"
//! ```
//!
//! As AIP-160 has it, `OR` binds tighter than `AND`, and what stands side by side must hold
//! together. Wildcards and comparisons of two fields are not supported. A text that cannot be
//! read is refused with the place where reading ended; none makes the reader panic or recurse
//! without bound.

mod condition;
mod parser;
mod scanner;

use std::fmt;

use mercer_common::{ids::Checker, limits};
use mercer_proto::v1::{Filter, FilterList, filter::Condition};

use super::filter;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    /// Byte of the text at which it is.
    at: usize,
    detail: String,
}

impl Problem {
    fn new(at: usize, detail: impl fmt::Display) -> Self {
        Self { at, detail: detail.to_string() }
    }
}

/// A filter with its nesting and its number of conditions.
#[derive(Clone, Debug, PartialEq)]
struct Tree {
    filter: Filter,
    depth: usize,
    terms: usize,
}

impl Tree {
    fn leaf(condition: Condition) -> Self {
        Self { filter: Filter { condition: Some(condition) }, depth: 1, terms: 1 }
    }

    fn not(self) -> Self {
        let condition = Some(Condition::Not(Box::new(self.filter)));
        Self { filter: Filter { condition }, depth: self.depth + 1, terms: self.terms }
    }

    /// What holds when all of them hold; one of them alone stays as it is.
    fn all(trees: Vec<Self>) -> Option<Self> {
        Self::join(trees, Condition::AllOf, |condition| match condition {
            Condition::AllOf(list) => Ok(list.filters),
            other => Err(other),
        })
    }

    /// What holds when any of them holds.
    fn any(trees: Vec<Self>) -> Option<Self> {
        Self::join(trees, Condition::AnyOf, |condition| match condition {
            Condition::AnyOf(list) => Ok(list.filters),
            other => Err(other),
        })
    }

    /// Joins `trees`; lists of the same kind among them become part of the one that is made.
    fn join(
        mut trees: Vec<Self>,
        make: impl Fn(FilterList) -> Condition,
        split: impl Fn(Condition) -> Result<Vec<Filter>, Condition>,
    ) -> Option<Self> {
        if trees.len() <= 1 {
            return trees.pop();
        }
        let (mut filters, mut deepest, mut terms) = (Vec::new(), 0, 0);
        for tree in trees {
            terms += tree.terms;
            match tree.filter.condition.map(&split) {
                Some(Ok(inner)) => {
                    filters.extend(inner);
                    deepest = deepest.max(tree.depth - 1);
                }
                Some(Err(condition)) => {
                    filters.push(Filter { condition: Some(condition) });
                    deepest = deepest.max(tree.depth);
                }
                None => {}
            }
        }
        let condition = Some(make(FilterList { filters }));
        Some(Self { filter: Filter { condition }, depth: deepest + 1, terms })
    }

    /// A filter that has been checked.
    fn of(filter: Filter) -> Self {
        let (depth, terms) = measure(&filter);
        Self { filter, depth, terms }
    }
}

fn measure(filter: &Filter) -> (usize, usize) {
    match &filter.condition {
        Some(Condition::AllOf(list) | Condition::AnyOf(list)) => {
            let inner = list.filters.iter().map(measure);
            let (depth, terms) = inner.fold((0, 0), |all, one| (all.0.max(one.0), all.1 + one.1));
            (depth + 1, terms)
        }
        Some(Condition::Not(inner)) => {
            let (depth, terms) = measure(inner);
            (depth + 1, terms)
        }
        Some(_) => (1, 1),
        None => (1, 0),
    }
}

/// Checks the fields `filter` and `filter_expression` of a query and returns what must hold:
/// both of them. Violations name these fields.
pub(crate) fn filters(
    checker: &mut Checker,
    message: Option<Filter>,
    expression: &str,
    currency: &str,
) -> Option<Filter> {
    let mut own = Checker::default();
    filter(&mut own, "filter", message.as_ref(), currency);
    let message = match own.finish() {
        Ok(()) => message.map(Tree::of),
        Err(invalid) => {
            for violation in invalid.violations {
                checker.violation(violation.field, violation.description);
            }
            None
        }
    };
    let parsed = match parser::parse(expression, currency) {
        Ok(parsed) => parsed,
        Err(Problem { at, detail }) => {
            let column = expression.get(..at).map_or(at, |before| before.chars().count()) + 1;
            checker.violation("filter_expression", format!("at character {column}: {detail}"));
            None
        }
    };
    let all = Tree::all(message.into_iter().chain(parsed).collect())?;
    if all.depth > limits::FILTER_DEPTH || all.terms > limits::FILTER_TERMS {
        let (depth, terms) = (limits::FILTER_DEPTH, limits::FILTER_TERMS);
        let problem = format!(
            "together with `filter` there are more than {depth} levels or {terms} conditions; what \
             joins the two can be a level too"
        );
        checker.violation("filter_expression", problem);
    }
    Some(all.filter)
}

#[cfg(test)]
mod tests;
