//! How much of an item is asked for, and what prices and promotions do to it.
//!
//! `stages` trains forecasts, `elasticity` how demand answers to prices. A question is answered
//! from a `DemandSeries`, the forecast that speaks for an item at a location, and what an offer
//! makes of it; forecasts, prices and orders all see one [`Outlook`].

mod elasticity;
mod encode;
mod forecast;
mod offers;
mod outlook;
mod planned;
mod profile;
mod series;
mod stages;

pub(crate) use elasticity::{STAGES as ELASTICITY_STAGES, elasticity, item_elasticity};
pub(crate) use encode::{encode_elasticity, encode_forecast};
pub(crate) use forecast::{forecast, repetition_note};
pub(crate) use offers::Offers;
pub(crate) use outlook::{Outlook, Total};
pub(crate) use planned::{current_price, planned_effects};
pub(crate) use series::{DemandSeries, series_at, start_note};
pub(crate) use stages::STAGES;
