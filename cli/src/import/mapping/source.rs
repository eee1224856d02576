//! The value of a field, computed from the cells of a row.

use std::borrow::Cow;

use jiff::Timestamp;
use mercer_common::limits;

use crate::import::{
    reading::cell::{Cell, Reason},
    values::{Decimal, Decimals, Extra, Role, Row, number},
};

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A value that is the same for every row.
    Constant(String),
    /// A number of the expression.
    Number(Decimal),
    /// A cell of the row, by index.
    Cell(usize),
    Negated(Box<Source>),
    Joined(Operator, Box<Source>, Box<Source>),
    /// The first that is not missing.
    Coalesce(Vec<Source>),
    /// Texts without anything between them.
    Concat(Vec<Source>),
}

/// Operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// Adds numbers; joins texts by a space, and a date and a time.
    Plus,
    Minus,
    Times,
    Over,
}

/// An exact number: a fraction of whole numbers with a positive divisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fraction {
    over: i128,
    under: i128,
}

/// The greatest; 0 of two zeros.
fn common_divisor<T>(mut left: T, mut right: T) -> T
where
    T: Copy + Default + PartialEq + std::ops::Rem<Output = T>,
{
    while right != T::default() {
        (left, right) = (right, left % right);
    }
    left
}

const TOO_LARGE: &str = "is outside ±9.2 trillion";

impl Fraction {
    fn of(Decimal { unscaled, scale }: Decimal) -> Option<Self> {
        Self { over: unscaled, under: 10_i128.checked_pow(scale)? }.reduced()
    }

    fn reduced(self) -> Option<Self> {
        if self.under == 1 {
            return Some(self);
        }
        let (over, under) = (self.over.unsigned_abs(), self.under.unsigned_abs());
        // Amounts of shops fit in 64 bits, which processors divide many times as fast.
        let common = match (u64::try_from(over), u64::try_from(under)) {
            (Ok(over), Ok(under)) => u128::from(common_divisor(over, under)),
            _ => common_divisor(over, under),
        };
        match i128::try_from(common).ok()? {
            0 | 1 => Some(self),
            by => Some(Self { over: self.over / by, under: self.under / by }),
        }
    }

    fn joined(self, operator: Operator, other: Self) -> Option<Self> {
        let (over, under) = match operator {
            Operator::Plus | Operator::Minus => {
                let left = self.over.checked_mul(other.under)?;
                let right = other.over.checked_mul(self.under)?;
                let over = match operator {
                    Operator::Plus => left.checked_add(right)?,
                    _ => left.checked_sub(right)?,
                };
                (over, self.under.checked_mul(other.under)?)
            }
            Operator::Times => {
                (self.over.checked_mul(other.over)?, self.under.checked_mul(other.under)?)
            }
            Operator::Over => {
                let sign = other.over.signum();
                (
                    self.over.checked_mul(other.under)?.checked_mul(sign)?,
                    self.under.checked_mul(other.over.checked_abs()?)?,
                )
            }
        };
        Self { over, under }.reduced()
    }

    /// Rounded half away from zero.
    fn to_micros(self) -> Option<i64> {
        let scaled = self.over.checked_mul(1_000_000)?;
        let half = self.under / 2;
        let rounded = (scaled.checked_add(scaled.signum() * half)?) / self.under;
        i64::try_from(rounded).ok()
    }

    fn to_f64(self) -> f64 {
        self.over as f64 / self.under as f64
    }
}

impl Source {
    /// The value as text; columns that are added are joined by a space.
    pub(crate) fn label<'a>(
        &'a self,
        row: &Row<'a>,
        role: Role,
    ) -> Result<Option<Cow<'a, str>>, Reason> {
        let joined = |sources: &mut dyn Iterator<Item = &'a Self>, between: &str| {
            let mut all: Option<String> = None;
            for source in sources {
                let Some(part) = source.label(row, role)? else { continue };
                let part = if between.is_empty() { &part } else { part.trim() };
                match &mut all {
                    Some(all) => {
                        all.push_str(between);
                        all.push_str(part);
                    }
                    None => all = Some(part.to_owned()),
                }
            }
            Ok(all.map(Cow::Owned))
        };
        match self {
            Self::Constant(value) => Ok(Some(value.as_str().into())),
            Self::Cell(cell) => row.label(*cell, role),
            Self::Concat(parts) => joined(&mut parts.iter(), ""),
            Self::Joined(Operator::Plus, left, right) => {
                joined(&mut [left.as_ref(), right.as_ref()].into_iter(), " ")
            }
            Self::Coalesce(parts) => {
                for part in parts {
                    if let Some(found) = part.label(row, role)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            Self::Number(_) | Self::Negated(_) | Self::Joined(..) => {
                let number = self.number(row, Extra::Nothing)?;
                number
                    .map_or(Ok(None), |number| Ok(Cell::Float(number).to_label()?.map(Cow::Owned)))
            }
        }
    }

    /// The value as a number.
    pub(crate) fn number(&self, row: &Row<'_>, extra: Extra<'_>) -> Result<Option<f64>, Reason> {
        match self {
            Self::Constant(value) => match value.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Ok(self.exact(row, extra)?.map(Fraction::to_f64)),
            },
            Self::Cell(cell) => row.number(*cell, extra),
            // Calculations leave signs of currencies out: a price over a quantity is a number.
            _ => {
                let extra = if extra == Extra::Percent { extra } else { Extra::Money("") };
                Ok(self.exact(row, extra)?.map(Fraction::to_f64))
            }
        }
    }

    /// The value as millionths of money.
    pub(crate) fn micros(&self, row: &Row<'_>) -> Result<Option<i64>, Reason> {
        let extra = Extra::Money(&row.values.currency);
        // A price for each of so many: only of quantities that may be sold.
        if let Self::Joined(Operator::Over, _, by) = self
            && by.number(row, extra)?.is_some_and(|by| !(by > 0.0 && by <= limits::QUANTITY))
        {
            return Ok(None);
        }
        let Some(exact) = self.exact(row, extra)? else { return Ok(None) };
        exact.to_micros().map(Some).ok_or_else(|| TOO_LARGE.to_owned())
    }

    fn exact(&self, row: &Row<'_>, extra: Extra<'_>) -> Result<Option<Fraction>, Reason> {
        let fraction = |decimal: Option<Decimal>| match decimal {
            None => Ok(None),
            Some(decimal) => Fraction::of(decimal).map(Some).ok_or_else(|| TOO_LARGE.to_owned()),
        };
        match self {
            Self::Constant(value) if value.trim().is_empty() => Ok(None),
            Self::Constant(value) => {
                let value = value.trim();
                fraction(Some(number::parse(value, Decimals::Point, extra)?))
            }
            Self::Number(number) => fraction(Some(*number)),
            Self::Cell(cell) => fraction(row.exact(*cell, extra)?),
            Self::Negated(inner) => Ok(inner
                .exact(row, extra)?
                .map(|number| Fraction { over: -number.over, under: number.under })),
            Self::Coalesce(parts) => {
                for part in parts {
                    if let Some(found) = part.exact(row, extra)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            Self::Concat(_) => {
                let Some(text) = self.label(row, Role::Plain)? else { return Ok(None) };
                let text = text.trim();
                fraction(Some(number::parse(text, Decimals::Point, extra)?))
            }
            Self::Joined(operator, left, right) => {
                let (left, right) = (left.exact(row, extra)?, right.exact(row, extra)?);
                let (left, right) = match (left, right, operator) {
                    (Some(left), Some(right), _) => (left, right),
                    // What is missing adds nothing, as long as there is something.
                    (Some(only), None, Operator::Plus | Operator::Minus)
                    | (None, Some(only), Operator::Plus) => return Ok(Some(only)),
                    (None, Some(only), Operator::Minus) => {
                        return Ok(Some(Fraction { over: -only.over, under: only.under }));
                    }
                    _ => return Ok(None),
                };
                if *operator == Operator::Over && right.over == 0 {
                    return Ok(None);
                }
                left.joined(*operator, right).map(Some).ok_or_else(|| TOO_LARGE.to_owned())
            }
        }
    }

    /// The value as true or false.
    pub(crate) fn flag(&self, row: &Row<'_>) -> Result<Option<bool>, Reason> {
        match self {
            Self::Constant(value) => Cell::text(value).to_bool(),
            Self::Cell(cell) => row.flag(*cell),
            _ => Ok(self.number(row, Extra::Nothing)?.map(|number| number > 0.0)),
        }
    }

    /// The value as a time; a date and a time of day are added.
    pub(crate) fn time(&self, row: &Row<'_>) -> Result<Option<Timestamp>, Reason> {
        match self {
            Self::Constant(value) => row.values.time(value, None),
            Self::Cell(cell) => row.time(*cell),
            Self::Coalesce(parts) => {
                for part in parts {
                    if let Some(found) = part.time(row)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            Self::Joined(Operator::Plus, ..) | Self::Concat(_) => {
                let Some(text) = self.date_and_clock(row)? else { return Ok(None) };
                let mut dates = None;
                self.visit_cells(&mut |cell| dates = dates.or(row.dates(cell)));
                row.values.time(&text, dates)
            }
            _ => {
                let number = self.exact(row, Extra::Nothing)?.map(Fraction::to_f64);
                match number {
                    None => Ok(None),
                    Some(number) => row.values.time(&number.to_string(), None),
                }
            }
        }
    }

    /// The text of a date and a time of day. A date column may hold midnights, which say nothing.
    fn date_and_clock(&self, row: &Row<'_>) -> Result<Option<String>, Reason> {
        if let Self::Joined(Operator::Plus, date, clock) = self
            && let (Some(date), Some(clock)) =
                (date.label(row, Role::Plain)?, clock.label(row, Role::Plain)?)
        {
            let date = date.trim();
            let day = ["00:00:00", "00:00", "00:00:00.000"]
                .iter()
                .find_map(|midnight| date.strip_suffix(midnight)?.strip_suffix(['T', ' ']))
                .filter(|_| clock.contains(':'))
                .map_or(date, str::trim_end);
            return Ok(Some(format!("{day} {}", clock.trim())));
        }
        Ok(self.label(row, Role::Plain)?.map(Cow::into_owned))
    }

    /// Calls `see` with every cell that the value is made of.
    pub(crate) fn visit_cells(&self, see: &mut dyn FnMut(usize)) {
        match self {
            Self::Constant(_) | Self::Number(_) => {}
            Self::Cell(cell) => see(*cell),
            Self::Negated(inner) => inner.visit_cells(see),
            Self::Joined(_, left, right) => {
                left.visit_cells(see);
                right.visit_cells(see);
            }
            Self::Coalesce(parts) | Self::Concat(parts) => {
                parts.iter().for_each(|part| part.visit_cells(see));
            }
        }
    }

    /// Writes the source as an expression with all brackets.
    #[cfg(test)]
    pub(super) fn text<'a>(&self, name: &dyn Fn(usize) -> &'a str) -> String {
        let list = |parts: &[Self]| {
            parts.iter().map(|part| part.text(name)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Constant(value) => format!("{value:?}"),
            Self::Number(number) => number.to_f64().to_string(),
            Self::Cell(cell) => format!("`{}`", name(*cell)),
            Self::Negated(inner) => format!("-({})", inner.text(name)),
            Self::Joined(operator, left, right) => {
                let operator = match operator {
                    Operator::Plus => '+',
                    Operator::Minus => '-',
                    Operator::Times => '*',
                    Operator::Over => '/',
                };
                format!("({} {operator} {})", left.text(name), right.text(name))
            }
            Self::Coalesce(parts) => format!("coalesce({})", list(parts)),
            Self::Concat(parts) => format!("concat({})", list(parts)),
        }
    }
}
