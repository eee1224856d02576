//! Amounts of money as records say them.

use mercer_common::money::{MoneyError, from_micros, to_micros};
use mercer_proto::google::r#type::Money;
use smol_str::SmolStr;

/// An amount with the currency that was said with it, none meaning the cluster's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    currency: SmolStr,
    micros: i64,
}

impl Amount {
    /// The amount of a message, rounded to millionths.
    ///
    /// # Errors
    /// `Overflow` and `Nanos`, which ingest refuses.
    pub(crate) fn decode(money: &Money) -> Result<Self, MoneyError> {
        let micros = to_micros(money, &money.currency_code)?;
        Ok(Self { currency: money.currency_code.as_str().into(), micros })
    }

    pub(crate) fn encode(&self) -> Money {
        from_micros(self.micros, &self.currency)
    }

    /// Millionths of the cluster's currency.
    ///
    /// # Errors
    /// `Currency` when it was said in another one.
    pub(crate) fn micros(&self, currency: &str) -> Result<i64, MoneyError> {
        to_micros(&self.encode(), currency)
    }
}
