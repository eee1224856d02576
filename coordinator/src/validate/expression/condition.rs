//! The fields of an expression, and what comparing them means.

use mercer_common::{ids::Checker, money};
use mercer_proto::v1::{
    AttributeCondition, BrandCondition, CategoryCondition, Filter, InStockCondition,
    ItemsCondition, PriceBand, filter::Condition,
};

use super::{
    Problem, Tree,
    scanner::{Operator, Word},
};
use crate::validate::filter;

/// All that an expression can speak of.
pub(super) const FIELDS: &str = "category, brand, attributes.NAME, price, in_stock, in_stock(\"LOCATION\"), stock.LOCATION or \
     item_id";
/// Between the levels of a category path.
const LEVELS: &str = " > ";
const MICROS: u32 = 6;

/// `name.member(argument)`.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: Word,
    pub(super) member: Option<Word>,
    pub(super) argument: Option<Word>,
}

impl Field {
    fn problem(&self, detail: impl std::fmt::Display) -> Problem {
        Problem::new(self.name.at, detail)
    }

    /// The location that a condition on stock is about, empty for anywhere; `None` for other fields.
    fn stock(&self) -> Option<&str> {
        match (self.name.text.as_str(), &self.member, &self.argument) {
            ("in_stock", None, None) => Some(""),
            ("in_stock", None, Some(location)) | ("stock", Some(location), None) => {
                Some(&location.text)
            }
            _ => None,
        }
    }
}

/// A field without operator: true or false by itself.
pub(super) fn alone(field: &Field, currency: &str) -> Result<Tree, Problem> {
    if let Some(location) = field.stock() {
        return in_stock(field, location, currency);
    }
    let name = &field.name.text;
    Err(match name.as_str() {
        "category" | "brand" | "attributes" | "price" | "stock" | "item_id" | "in_stock" => {
            field.problem(format!("`{name}` must be compared with a value"))
        }
        "and" | "or" | "not" => {
            field.problem(format!("`{name}` must be written `{}`", name.to_uppercase()))
        }
        _ => unknown(field),
    })
}

/// A field compared with a value.
pub(super) fn compared(
    field: &Field,
    operator: Operator,
    value: &Word,
    currency: &str,
) -> Result<Tree, Problem> {
    if let Some(location) = field.stock() {
        let tree = in_stock(field, location, currency)?;
        return on_stock(field, tree, operator, value);
    }
    let values = || vec![value.text.clone()];
    let condition = match (field.name.text.as_str(), &field.member, &field.argument) {
        ("price", None, None) => return price(operator, value, currency),
        ("category", None, None) => {
            if operator != Operator::Has {
                let detail = "a category is compared with `:`, which finds all below it too";
                return Err(field.problem(detail));
            }
            let path = value.text.split(LEVELS).map(str::to_owned).collect();
            Condition::Category(CategoryCondition { path })
        }
        ("brand", None, None) => Condition::Brand(BrandCondition { brands: values() }),
        ("item_id", None, None) => Condition::Items(ItemsCondition { item_ids: values() }),
        ("attributes", Some(name), None) => {
            let name = name.text.clone();
            Condition::Attribute(AttributeCondition { name, values: values() })
        }
        ("attributes", None, None) => {
            return Err(field.problem("the attribute is missing, as in `attributes.colour = red`"));
        }
        _ => return Err(unknown(field)),
    };
    let tree = checked(condition, value.at, currency)?;
    match operator {
        Operator::Equal | Operator::Has => Ok(tree),
        Operator::NotEqual => Ok(tree.not()),
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
            let detail = format!("`{}` has no order; compare with `=` or `!=`", field.name.text);
            Err(field.problem(detail))
        }
    }
}

fn unknown(field: &Field) -> Problem {
    let name = &field.name.text;
    field.problem(format!("`{name:.64}` is not known here; there are {FIELDS}"))
}

fn in_stock(field: &Field, location: &str, currency: &str) -> Result<Tree, Problem> {
    let word = field.argument.as_ref().or(field.member.as_ref());
    if word.is_some_and(|word| word.text.is_empty()) {
        return Err(field.problem("the location is missing"));
    }
    let condition = Condition::InStock(InStockCondition { location_id: location.to_owned() });
    checked(condition, word.map_or(field.name.at, |word| word.at), currency)
}

/// Stock compared with true, false or 0.
fn on_stock(field: &Field, tree: Tree, operator: Operator, value: &Word) -> Result<Tree, Problem> {
    let equal = match operator {
        Operator::Equal | Operator::Has => Some(true),
        Operator::NotEqual => Some(false),
        _ => None,
    };
    let stands = match (equal, value.text.as_str()) {
        (Some(equal), "true") => equal,
        (Some(equal), "false") => !equal,
        (None, "0") if operator == Operator::Greater && field.name.text == "stock" => true,
        _ => {
            let detail = match field.name.text.as_str() {
                "stock" => "stock can be `> 0`, `= true` or `= false`",
                _ => "in_stock can be `= true` or `= false`",
            };
            return Err(Problem::new(value.at, detail));
        }
    };
    Ok(if stands { tree } else { tree.not() })
}

/// Prices are whole micro-units, so that one of them lies between `<` and `<=`.
fn price(operator: Operator, value: &Word, currency: &str) -> Result<Tree, Problem> {
    let problem = |detail| Problem::new(value.at, detail);
    let micros = micros(&value.text).map_err(problem)?;
    let beyond = "the price is too large";
    let bound = |micros: Option<i64>| micros.map(Some).ok_or_else(|| problem(beyond));
    let (minimum, maximum) = match operator {
        Operator::Less => (None, bound(micros.checked_sub(1))?),
        Operator::AtMost => (None, Some(micros)),
        Operator::Greater => (bound(micros.checked_add(1))?, None),
        Operator::AtLeast => (Some(micros), None),
        Operator::Equal | Operator::NotEqual => (Some(micros), Some(micros)),
        Operator::Has => return Err(problem("a price is compared with < <= > >= = or !=")),
    };
    let amount = |micros: Option<i64>| micros.map(|micros| money::from_micros(micros, currency));
    let band = PriceBand { minimum: amount(minimum), maximum: amount(maximum) };
    let tree = checked(Condition::Price(band), value.at, currency)?;
    Ok(if operator == Operator::NotEqual { tree.not() } else { tree })
}

/// Millionths of a decimal number such as `-12.5`.
fn micros(text: &str) -> Result<i64, &'static str> {
    let number = "a price must be a number such as 19.99";
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(number);
    }
    if fraction.len() > MICROS as usize {
        return Err("a price has at most 6 decimals");
    }
    let micros = scaled(whole, fraction).ok_or("the price is too large")?;
    Ok(if negative { -micros } else { micros })
}

/// Millionths of a number, by its digits before and after the point, of which the latter are at most
/// 6; `None` when it is too large.
fn scaled(whole: &str, fraction: &str) -> Option<i64> {
    let missing = MICROS - u32::try_from(fraction.len()).ok()?;
    // Of digits alone: only too many of them fail.
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = fraction.parse().ok()?;
    whole.checked_mul(10_i64.pow(MICROS))?.checked_add(fraction * 10_i64.pow(missing))
}

/// A condition that a filter may have.
fn checked(condition: Condition, at: usize, currency: &str) -> Result<Tree, Problem> {
    let mut checker = Checker::default();
    let tree = Tree::leaf(condition);
    filter(&mut checker, "", Some::<&Filter>(&tree.filter), currency);
    match checker.finish() {
        Ok(()) => Ok(tree),
        Err(invalid) => {
            let detail = invalid.violations.into_iter().next().map(|one| one.description);
            Err(Problem::new(at, format!("the value {}", detail.unwrap_or_default())))
        }
    }
}
