//! What a price must keep to, as far as it is said of an item or of a category.

use mercer_common::money::MoneyError;
use mercer_proto::v1;

use super::amount::Amount;

/// A rule, each field by itself: those that are `None` or empty fall back to a wider rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceRule {
    /// Lowest price.
    pub floor: Option<Amount>,
    /// Highest price.
    pub ceiling: Option<Amount>,
    /// Lowest (price - unit cost) / price.
    pub margin_floor: Option<f64>,
    /// Largest change from the current price, as a share of it.
    pub largest_change: Option<f64>,
    /// Last two digits of prices in the smallest unit of the currency.
    pub price_endings: Vec<u32>,
    /// Lowest price / competitors' price.
    pub competitor_index_floor: Option<f64>,
    /// Highest price / competitors' price.
    pub competitor_index_ceiling: Option<f64>,
    /// Which competitors' price is meant.
    pub competitor_reference: Option<CompetitorReference>,
}

/// Which of several competitors' prices a rule refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompetitorReference {
    /// Their mean.
    Mean,
    /// The lowest one.
    Lowest,
    /// The highest one.
    Highest,
}

impl PriceRule {
    /// The rule of a message.
    ///
    /// # Errors
    /// When floor or ceiling is no amount.
    pub(crate) fn decode(said: &v1::PriceRule) -> Result<Self, MoneyError> {
        let reference = match said.competitor_reference() {
            v1::CompetitorReference::Lowest => CompetitorReference::Lowest,
            v1::CompetitorReference::Highest => CompetitorReference::Highest,
            v1::CompetitorReference::Mean | v1::CompetitorReference::Unspecified => {
                CompetitorReference::Mean
            }
        };
        Ok(Self {
            floor: said.floor.as_ref().map(Amount::decode).transpose()?,
            ceiling: said.ceiling.as_ref().map(Amount::decode).transpose()?,
            margin_floor: said.margin_floor,
            largest_change: said.largest_change,
            price_endings: said.price_endings.clone(),
            competitor_index_floor: said.competitor_index_floor,
            competitor_index_ceiling: said.competitor_index_ceiling,
            competitor_reference: (said.competitor_reference != 0).then_some(reference),
        })
    }

    pub(crate) fn encode(&self) -> v1::PriceRule {
        let reference = match self.competitor_reference {
            None => v1::CompetitorReference::Unspecified,
            Some(CompetitorReference::Mean) => v1::CompetitorReference::Mean,
            Some(CompetitorReference::Lowest) => v1::CompetitorReference::Lowest,
            Some(CompetitorReference::Highest) => v1::CompetitorReference::Highest,
        };
        v1::PriceRule {
            floor: self.floor.as_ref().map(Amount::encode),
            ceiling: self.ceiling.as_ref().map(Amount::encode),
            margin_floor: self.margin_floor,
            largest_change: self.largest_change,
            price_endings: self.price_endings.clone(),
            competitor_index_floor: self.competitor_index_floor,
            competitor_index_ceiling: self.competitor_index_ceiling,
            competitor_reference: reference.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::google::r#type::Money;

    use super::*;

    #[test]
    fn what_is_said_comes_back_and_what_is_not_stays_unsaid() {
        let money = |units| Some(Money { currency_code: "USD".into(), units, nanos: 990_000_000 });
        let all = v1::PriceRule {
            floor: money(1),
            ceiling: money(2),
            margin_floor: Some(0.1),
            largest_change: Some(0.2),
            price_endings: vec![99, 49],
            competitor_index_floor: Some(0.3),
            competitor_index_ceiling: Some(0.4),
            competitor_reference: 0,
        };
        for competitor_reference in 0..=3 {
            let said = v1::PriceRule { competitor_reference, ..all.clone() };
            assert_eq!(PriceRule::decode(&said).expect("amounts").encode(), said);
        }
        assert_eq!(PriceRule::decode(&v1::PriceRule::default()), Ok(PriceRule::default()));
        // What a later release may mean by it is no reason to fall back to a wider rule.
        let later = v1::PriceRule { competitor_reference: 9, ..all };
        let decoded = PriceRule::decode(&later).expect("amounts");
        assert_eq!(decoded.competitor_reference, Some(CompetitorReference::Mean));
    }
}
