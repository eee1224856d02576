//! How much of an item is asked for, and what prices and promotions do to it.
//!
//! `stages` trains forecasts, `elasticity` how demand answers to prices. A question is answered
//! from a `DemandSeries`, the forecast that speaks for an item at a location, and what an offer
//! makes of it; forecasts, prices and orders all see one [`Outlook`].

mod elasticity;
mod forecast;
mod offers;
mod outlook;
mod planned;
mod profile;
mod series;
mod stages;
mod stored;

pub(crate) use elasticity::{STAGES as ELASTICITY_STAGES, elasticity, of_item, to_api};
pub(crate) use forecast::{encode, forecast, repeated};
pub(crate) use offers::{Offers, form};
pub(crate) use outlook::{Outlook, Total};
pub(crate) use planned::{current_price, effects};
pub(crate) use series::{DemandSeries, resolve, start_note};
pub(crate) use stages::STAGES;
