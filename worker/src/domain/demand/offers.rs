//! What prices and promotions make of demand.
//!
//! A forecast without a plan is demand at the offers of its history: some weeks at the list price,
//! some under a promotion at half of it. Demand at one price is therefore not the forecast times
//! (price / list price) ^ elasticity, but the forecast times the response to that price over the
//! mean response to the recent offers.

use mercer_algorithms::price::demand::Form;

use crate::domain::facts::{Facts, ItemElasticity, RecentOffer};

/// An effect multiplies demand by at most this, and divides it by at most this: neither is known
/// far from what was tried.
pub(crate) const LARGEST_EFFECT: f64 = 10.0;

/// How demand of an item answers to offers: the one place where it is reckoned, so that forecasts,
/// prices and orders agree.
#[derive(Debug)]
pub(crate) struct Offers<'a> {
    form: Form,
    elasticity: f64,
    /// Natural logarithm of the promotion factor.
    promotion: f64,
    recent: &'a [RecentOffer],
    /// The price that the elasticity holds at, in millionths: responses are reckoned from here.
    anchor: Option<i64>,
}

impl<'a> Offers<'a> {
    /// `anchor` is the item's current price.
    pub(crate) fn new(
        facts: &'a Facts<'_>,
        elasticity: &ItemElasticity,
        form: Form,
        anchor: Option<i64>,
    ) -> Self {
        let factor = f64::from(elasticity.promotion_factor);
        Self {
            form,
            elasticity: elasticity.value.into(),
            promotion: if factor > 0.0 { factor.ln() } else { 0.0 },
            recent: facts.item_demand().map_or(&[], |demand| &demand.recent_offers),
            anchor,
        }
    }

    /// Demand under an offer over that of the forecast, within a factor of ten; `price` is in
    /// millionths and above 0, and absent when it stays as it was.
    pub(crate) fn effect(&self, price: Option<i64>, promotion: bool) -> f64 {
        self.raw_effect(price, promotion).clamp(1.0 / LARGEST_EFFECT, LARGEST_EFFECT)
    }

    /// That effect without bounds.
    pub(crate) fn raw_effect(&self, price: Option<i64>, promotion: bool) -> f64 {
        let price = price.filter(|_| self.anchor.is_some());
        let asked = self.response(price, f64::from(u8::from(promotion)));
        let mut recent = 0.0;
        for offer in self.recent {
            let offered = price.is_some().then_some(offer.price);
            recent += self.response(offered, offer.promoted_share.into());
        }
        let usual = recent / self.recent.len() as f64;
        let effect = if self.recent.is_empty() { asked } else { asked / usual };
        if effect.is_nan() { 1.0 } else { effect }
    }

    /// Lowest and highest recent price in millionths; `None` when none is known.
    pub(crate) fn recent_prices(&self) -> Option<(i64, i64)> {
        let prices = || self.recent.iter().map(|offer| offer.price);
        prices().min().zip(prices().max())
    }

    /// Demand compared with that at the anchor without a promotion.
    fn response(&self, price: Option<i64>, promoted_share: f64) -> f64 {
        let by_price = match self.anchor.zip(price) {
            Some((anchor, price)) => {
                self.form.response(price as f64 / anchor as f64, self.elasticity)
            }
            None => 1.0,
        };
        by_price * (promoted_share * self.promotion).exp()
    }
}
