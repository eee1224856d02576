//! Properties of an item that a mix weighs beside the scores of its sources.

use std::fmt;

/// What is known of an item, whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ItemFacts {
    /// Distinct baskets with the item.
    pub popularity: u64,
    /// List price in any unit, above 0.
    pub price: Option<f64>,
    /// Whether stock is on hand; absent without a stock record.
    pub in_stock: Option<bool>,
}

/// A property as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// ln(1 + popularity).
    LogPopularity,
    /// ln(1 + list price).
    LogPrice,
    /// 1 with stock on hand, else 0.
    InStock,
}

impl Feature {
    /// All of them, those that versions know first.
    pub const ALL: [Self; 3] = [Self::LogPopularity, Self::InStock, Self::LogPrice];

    /// Whether it is as it was at the training, like what sources know; else it is as it is now.
    #[must_use]
    pub fn is_of_version(self) -> bool {
        self == Self::LogPopularity
    }

    /// The name that is stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogPopularity => "log-popularity",
            Self::LogPrice => "log-price",
            Self::InStock => "in-stock",
        }
    }

    /// The feature of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name)
    }

    /// The property of an item; `None` where it is not known. Finite.
    #[must_use]
    pub fn of(self, facts: &ItemFacts) -> Option<f64> {
        match self {
            Self::LogPopularity => Some((facts.popularity as f64).ln_1p()),
            Self::LogPrice => {
                let price = facts.price.filter(|price| price.is_finite() && *price >= 0.0);
                price.map(f64::ln_1p)
            }
            Self::InStock => facts.in_stock.map(|is_in_stock| f64::from(u8::from(is_in_stock))),
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
