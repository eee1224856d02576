//! Whether a column that makes `amount` holds the price of one unit, or what was paid for the whole
//! line: its name says it, or the user.

use super::{Fields, Operator, Source, bare};

/// What a column that makes `amount` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum AmountIs {
    /// The price of one unit: what was paid is that times the quantity.
    UnitPrice,
    /// What was paid for the whole line.
    LineTotal,
}

/// What was made of the field `amount`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is what was paid for the line, as far as anybody can tell.
    #[default]
    Total,
    /// The name of this column says that it is of one unit: it is multiplied by the quantity.
    Multiplied(String),
    /// This column holds a price, and nobody said of what.
    Open(String),
}

/// Words for the price of one unit, in names without spaces and signs.
const OF_UNIT: [&str; 13] = [
    "unitprice",
    "priceperunit",
    "perunit",
    "unitcost",
    "unitamount",
    "priceeach",
    "eachprice",
    "peritem",
    "perpiece",
    "lineitemprice",
    "einzelpreis",
    "unitaire",
    "unitario",
];
const OF_LINE: [&str; 16] = [
    "total",
    "amount",
    "revenue",
    "sales",
    "turnover",
    "paid",
    "value",
    "sum",
    "lineprice",
    "extended",
    "gesamt",
    "summe",
    "umsatz",
    "betrag",
    "montant",
    "importe",
];
/// Words for a price alone.
const PRICE: [&str; 9] =
    ["price", "preis", "prix", "precio", "prezzo", "prijs", "preço", "preco", "cena"];

impl AmountIs {
    /// What the name of a column says.
    fn named(column: &str) -> Option<Self> {
        let name = bare(column);
        let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match (says(&OF_UNIT), says(&OF_LINE)) {
            // An amount of one unit, such as `unit_amount`.
            (true, _) => Some(Self::UnitPrice),
            (false, true) => Some(Self::LineTotal),
            (false, false) => None,
        }
    }
}

impl Fields {
    /// Makes `amount` what was paid for the whole line, as the user says or the name of its column.
    pub(crate) fn settle_amount(&mut self, columns: &[String], said: Option<AmountIs>) -> Settled {
        let (Some(amount), Some(quantity)) = (self.source("amount"), self.source("quantity"))
        else {
            return Settled::Total;
        };
        // A calculation says itself what it is.
        let column = match &amount {
            Source::Cell(cell) => columns[self.projection[*cell]].clone(),
            _ => String::new(),
        };
        let settled = match said.or_else(|| AmountIs::named(&column)) {
            Some(AmountIs::UnitPrice) if said.is_some() => Settled::Total,
            Some(AmountIs::UnitPrice) => Settled::Multiplied(column),
            Some(AmountIs::LineTotal) => return Settled::Total,
            None if PRICE.iter().any(|word| bare(&column).contains(word)) => {
                return Settled::Open(column);
            }
            None => return Settled::Total,
        };
        let product = Source::Joined(Operator::Times, amount.into(), quantity.into());
        self.sources.insert("amount".to_owned(), product);
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_say_what_they_hold_or_leave_it_open() {
        for (column, expected) in [
            ("unit_price", Some(AmountIs::UnitPrice)),
            ("UnitPrice", Some(AmountIs::UnitPrice)),
            ("Price per unit (EUR)", Some(AmountIs::UnitPrice)),
            ("price each", Some(AmountIs::UnitPrice)),
            ("Lineitem price", Some(AmountIs::UnitPrice)),
            ("unit_amount", Some(AmountIs::UnitPrice)),
            ("Einzelpreis", Some(AmountIs::UnitPrice)),
            ("line_total", Some(AmountIs::LineTotal)),
            ("Total Price", Some(AmountIs::LineTotal)),
            ("amount", Some(AmountIs::LineTotal)),
            ("sales_value", Some(AmountIs::LineTotal)),
            ("Price", None),
            ("item-price", None),
            ("Preis", None),
            ("x", None),
        ] {
            assert_eq!(AmountIs::named(column), expected, "{column}");
        }
    }

    #[test]
    fn what_was_paid_is_the_price_times_the_quantity() {
        let columns = ["price", "unit_price", "n"].map(String::from);
        let settle = |amount: &str, said| {
            let mut fields = Fields::default();
            for (field, name) in [("amount", amount), ("quantity", "n")] {
                let column = columns.iter().position(|column| column == name).expect("there");
                let source = Source::Cell(fields.project(column));
                fields.sources.insert(field.into(), source);
            }
            let settled = fields.settle_amount(&columns, said);
            let is_product = matches!(fields.source("amount"), Some(Source::Joined(..)));
            (settled, is_product)
        };
        assert_eq!(settle("price", None), (Settled::Open("price".into()), false));
        assert_eq!(settle("price", Some(AmountIs::UnitPrice)), (Settled::Total, true));
        assert_eq!(settle("price", Some(AmountIs::LineTotal)), (Settled::Total, false));
        let multiplied = Settled::Multiplied("unit_price".into());
        assert_eq!(settle("unit_price", None), (multiplied, true));
        assert_eq!(settle("unit_price", Some(AmountIs::LineTotal)), (Settled::Total, false));
    }
}
