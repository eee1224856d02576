//! What notes name: ids, words, numbers, shares, days, money, dates.

use mercer_proto::{
    google::r#type::Money,
    v1::{NoteArgument, note_argument},
};

use crate::{money::from_micros, time::Day};

/// What a sentence can name.
pub trait Value {
    /// Adds it as an argument, unless there is one of that name.
    fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>);

    /// Adds what it is to what a code has.
    fn declare(name: &'static str, declared: &mut Vec<Declared>);
}

/// An argument that a code has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Name in sentences.
    pub name: &'static str,
    /// Type of the argument.
    pub kind: Type,
    /// Whether it may be missing.
    pub is_optional: bool,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// An id or a name.
    Text,
    /// A word, one of these.
    Word(&'static [&'static str]),
    /// A number.
    Number,
    /// Units of an item.
    Units,
    /// Days.
    Days,
    /// A share of 1.
    Share,
    /// Money.
    Money,
    /// A date.
    Date,
}

fn add(name: &'static str, value: note_argument::Value, arguments: &mut Vec<NoteArgument>) {
    if arguments.iter().all(|argument| argument.name != name) {
        arguments.push(NoteArgument { name: name.to_owned(), value: Some(value) });
    }
}

fn declare(name: &'static str, kind: Type, declared: &mut Vec<Declared>) {
    if declared.iter().all(|argument| argument.name != name) {
        declared.push(Declared { name, kind, is_optional: false });
    }
}

macro_rules! values {
    ($($(#[$doc:meta])* $type:ident($inner:ty))*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $type(pub $inner);

        impl Value for $type {
            fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>) {
                add(name, note_argument::Value::$type(self.0), arguments);
            }

            fn declare(name: &'static str, declared: &mut Vec<Declared>) {
                declare(name, Type::$type, declared);
            }
        }
    )*};
}

values! {
    /// An id, a name or several, as they were given.
    Text(String)
    /// A number without a unit.
    Number(f64)
    /// Units of an item.
    Units(f64)
    /// Days.
    Days(f64)
    /// A share: 0.95 is 95 %.
    Share(f64)
}

/// Money.
#[derive(Clone, Debug, PartialEq)]
pub struct Amount(Money);

impl Amount {
    /// Millionths of a currency.
    #[must_use]
    pub fn new(micros: i64, currency: &str) -> Self {
        Self(from_micros(micros, currency))
    }
}

impl Value for Amount {
    fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>) {
        add(name, note_argument::Value::Money(self.0), arguments);
    }

    fn declare(name: &'static str, declared: &mut Vec<Declared>) {
        declare(name, Type::Money, declared);
    }
}

impl Value for Day {
    fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>) {
        add(name, note_argument::Value::Date(self.to_api()), arguments);
    }

    fn declare(name: &'static str, declared: &mut Vec<Declared>) {
        declare(name, Type::Date, declared);
    }
}

impl<V: Value> Value for Option<V> {
    fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>) {
        if let Some(value) = self {
            value.push(name, arguments);
        }
    }

    fn declare(name: &'static str, declared: &mut Vec<Declared>) {
        let before = declared.len();
        V::declare(name, declared);
        for argument in &mut declared[before..] {
            argument.is_optional = true;
        }
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $type:ident { $($variant:ident = $word:literal),+ })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the API tells what each word means")]
        pub enum $type { $($variant),+ }

        impl Value for $type {
            fn push(self, name: &'static str, arguments: &mut Vec<NoteArgument>) {
                let word = match self { $(Self::$variant => $word),+ };
                add(name, note_argument::Value::Word(word.to_owned()), arguments);
            }

            fn declare(name: &'static str, declared: &mut Vec<Declared>) {
                declare(name, Type::Word(&[$($word),+]), declared);
            }
        }
    )*};
}

words! {
    /// Why an item is not for sale.
    Status { Deleted = "deleted", Inactive = "inactive", Unlisted = "unlisted" }
    /// What an economic lot lacks.
    MissingForLot {
        OrderCost = "order_cost",
        UnitCost = "unit_cost",
        PositiveUnitCost = "positive_unit_cost"
    }
    /// Which competitors' price is meant.
    Reference { Mean = "mean", Lowest = "lowest", Highest = "highest" }
    /// What keeps a price within those that were charged.
    WhyWithinTried {
        NoOwnElasticity = "no_own_elasticity",
        OwnElasticityAbove0 = "own_elasticity_above_0",
        Inelastic = "inelastic"
    }
    /// What a price is to make the most of.
    Objective { Profit = "profit", Revenue = "revenue" }
    /// At which price the objective would be highest.
    Goal {
        At = "goal_at",
        Rising = "goal_rising",
        Falling = "goal_falling",
        Flat = "goal_flat"
    }
}

/// A word that is argument `name`, for what has words and numbers.
pub(super) fn push_word(name: &'static str, word: &'static str, arguments: &mut Vec<NoteArgument>) {
    add(name, note_argument::Value::Word(word.to_owned()), arguments);
}

/// The same of what it is.
pub(super) fn declare_word(
    name: &'static str,
    words: &'static [&'static str],
    declared: &mut Vec<Declared>,
) {
    declare(name, Type::Word(words), declared);
}
