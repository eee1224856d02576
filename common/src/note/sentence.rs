//! Sentences from codes and arguments.
//!
//! A language has a template for each code and word. In it `{name}` stands for an argument, and
//! `{name:how}` for one that is written in a certain way. `[one|another]` is the first of these of
//! which all arguments were sent, or nothing. A word stands for a template of its own, of the same
//! arguments; `{*}` for all arguments with their names.

use mercer_proto::{
    google::r#type::{Date, Money},
    v1::{NoteArgument, NoteCode, note_argument::Value},
};

use crate::money::{MinorUnit, to_micros};

/// What sentences of a language are made of.
#[derive(Clone, Copy, Debug)]
pub struct Language {
    /// The template of a code; empty for [`NoteCode::Unspecified`].
    pub sentence: fn(NoteCode) -> &'static str,
    /// The template of a word; empty for one that it does not know.
    pub word: fn(&str) -> &'static str,
    /// Between whole and decimal digits.
    pub decimal: char,
    /// One unit, and several.
    pub units: [&'static str; 2],
    /// One day, and several; then the same after a preposition (`{name:after}`).
    pub days: [&'static str; 4],
    /// A date.
    pub date: fn(&Date) -> String,
}

/// How deep words may lead to words.
const DEPTH: usize = 4;

/// The sentence; `None` for a code of a later release, or when an argument is missing.
#[must_use]
pub fn sentence(language: &Language, code: NoteCode, arguments: &[NoteArgument]) -> Option<String> {
    let template = (language.sentence)(code);
    let text = Writer { language, arguments }.expand(template, DEPTH)?;
    let mut letters = text.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}

struct Writer<'a> {
    language: &'a Language,
    arguments: &'a [NoteArgument],
}

impl Writer<'_> {
    /// `None` when an argument outside brackets is missing.
    fn expand(&self, template: &str, depth: usize) -> Option<String> {
        let mut text = String::with_capacity(2 * template.len());
        let mut rest = template;
        while let Some(at) = rest.find(['{', '[']) {
            text.push_str(&rest[..at]);
            let close = if rest[at..].starts_with('{') { '}' } else { ']' };
            let (inner, after) = rest[at + 1..].split_once(close)?;
            rest = after;
            if close == '}' {
                text.push_str(&self.argument(inner, depth)?);
            } else {
                let mut choices = inner.split('|');
                let chosen = choices.find_map(|choice| self.expand(choice, depth));
                text.push_str(&chosen.unwrap_or_default());
            }
        }
        text.push_str(rest);
        Some(text)
    }

    fn argument(&self, inner: &str, depth: usize) -> Option<String> {
        if inner == "*" {
            let mut named = Vec::with_capacity(self.arguments.len());
            for argument in self.arguments {
                let value = self.value(argument, "currency", depth)?;
                named.push(format!("{} {value}", argument.name));
            }
            return Some(named.join(", "));
        }
        let (name, how) = inner.split_once(':').unwrap_or((inner, ""));
        let argument = self.arguments.iter().find(|argument| argument.name == name)?;
        self.value(argument, how, depth)
    }

    fn value(&self, argument: &NoteArgument, how: &str, depth: usize) -> Option<String> {
        let Language { units, days, .. } = self.language;
        Some(match argument.value.as_ref()? {
            Value::Text(text) => text.clone(),
            Value::Word(word) => match (self.language.word)(word) {
                "" => return None,
                template => self.expand(template, depth.checked_sub(1)?)?,
            },
            Value::Number(value) => match how {
                "2" => self.local(&format!("{value:.2}")),
                "+2" => self.local(&format!("{value:+.2}")),
                _ => self.number(*value),
            },
            Value::Units(value) if how == "bare" => self.number(*value),
            Value::Units(value) => self.counted(*value, units[0], units[1]),
            Value::Days(value) if how == "after" => self.counted(*value, days[2], days[3]),
            Value::Days(value) => self.counted(*value, days[0], days[1]),
            Value::Share(value) => format!("{} %", self.number(100.0 * value)),
            Value::Money(money) => self.money(money, how == "currency")?,
            Value::Date(date) => (self.language.date)(date),
        })
    }

    fn local(&self, number: &str) -> String {
        match self.language.decimal {
            '.' => number.to_owned(),
            decimal => number.replace('.', &decimal.to_string()),
        }
    }

    fn number(&self, value: f64) -> String {
        self.local(&number(value))
    }

    fn counted(&self, value: f64, one: &str, several: &str) -> String {
        let text = self.number(value);
        let noun = if text == "1" { one } else { several };
        format!("{text} {noun}")
    }

    fn money(&self, money: &Money, with_currency: bool) -> Option<String> {
        let currency = &money.currency_code;
        let micros = to_micros(money, currency).ok()?;
        let amount = self.local(&MinorUnit::of(currency).shown(micros));
        Some(if with_currency { format!("{amount} {currency}") } else { amount })
    }
}

/// A number as a person writes it: at most two decimals, more where all would be 0.
#[must_use]
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 1e3 || (size - size.round()).abs() < 5e-3 && size >= 1.0 => {
            0
        }
        size if size >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        note::{Amount, Days, ENGLISH, NamedRule, Number, Said, Share, Text, Units, note},
        time::Day,
    };

    fn english(said: Said) -> String {
        let code = said.code();
        sentence(&ENGLISH, code, &said.arguments()).expect("all was sent")
    }

    #[test]
    fn brackets_hold_what_may_be_missing() {
        let silent = |location: Option<&str>, earlier: Option<f64>| {
            english(Said::SilentDays {
                location: location.map(|location| Text(location.into())),
                first: Day(9_000),
                last: Day(9_009),
                length: Days(10.0),
                earlier: earlier.map(Days),
            })
        };
        let whole = silent(None, None);
        assert!(whole.starts_with("Nothing was sold in the whole shop from "), "{whole}");
        assert!(whole.contains("(10 days), for longer"), "{whole}");
        let north = silent(Some("[north|{last}]"), Some(1.0));
        // What others named is no template.
        assert!(north.starts_with("Nothing was sold at `[north|{last}]` from "), "{north}");
        assert!(north.contains("(10 days), and on 1 day before, for longer"), "{north}");
    }

    #[test]
    fn words_stand_for_templates_of_the_same_arguments() {
        let rule = NamedRule::MarginFloor {
            margin: Share(0.2),
            least_price: Amount::new(7_500_000, "USD"),
            unit_cost: Amount::new(6_000_000, "USD"),
        };
        let said = Said::RuleImpossible { rule: rule.clone() };
        let expected = "No price keeps the margin floor of 20 % (at least 7.50 at a cost of 6.00).";
        assert_eq!(english(said), expected);
        let price = Amount::new(8_000_000, "USD");
        let said = english(Said::RuleGivesWay { rule, price });
        assert!(said.starts_with("The margin floor of 20 % "), "{said}");
    }

    #[test]
    fn what_is_missing_or_of_a_later_release_has_no_sentence() {
        assert_eq!(sentence(&ENGLISH, NoteCode::StockNeverCounted, &[]), None);
        assert_eq!(sentence(&ENGLISH, NoteCode::Unspecified, &[]), None);
        let word = NoteArgument {
            name: "status".into(),
            value: Some(Value::Word("of a later release".into())),
        };
        assert_eq!(sentence(&ENGLISH, NoteCode::NotPricedByStatus, &[word]), None);
    }

    #[test]
    fn a_note_has_its_code_and_arguments_beside_the_sentence() {
        let said = Said::OrderCut { cover: Days(1.0), quantity: Units(2.5) };
        let arguments = said.clone().arguments();
        let note = note(mercer_proto::v1::note::Kind::RuleBinding, "field", said);
        assert_eq!(
            note.message,
            "The order is kept within what mean demand takes in 1 day: 2.5 units."
        );
        assert_eq!((note.code(), &note.arguments), (NoteCode::OrderCut, &arguments));
        let names: Vec<&str> = arguments.iter().map(|argument| &*argument.name).collect();
        assert_eq!(names, ["cover", "quantity"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, shown) in
            [(0.0, "0"), (0.04, "0.04"), (0.295, "0.29"), (7.0, "7"), (2.5, "2.5"), (1e4, "10000")]
        {
            assert_eq!(number(value), shown);
        }
        let said = Said::ConfiguredTerms {
            lead_time_days: Some(Number(7.0)),
            lead_time_deviation_days: None,
            review_period_days: None,
            order_cost: Some(Amount::new(20_000_000, "JPY")),
            holding_rate: None,
            minimum_order_quantity: None,
            pack_size: None,
            maximum_cover_days: None,
            cycle_service: None,
            fill_rate: Some(Share(0.995)),
        };
        let listed = "lead_time_days 7, order_cost 20 JPY, fill_rate 99.5 %.";
        assert!(english(said).ends_with(listed));
    }
}
