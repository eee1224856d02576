//! Demand of the days ahead.
//!
//! A series is a slice of daily units in which a value that is not finite was not observed: the
//! item was out of stock or the shop closed. Such days are left out, not taken for days without
//! demand.

mod backtest;
mod errors;
pub mod evaluate;
mod intermittent;
pub mod measures;
mod method;
mod model;
mod naive2;
mod peaks;
mod profile;
mod recent;
mod seasonality;
pub mod silence;
mod smoothing;
mod spread;
#[cfg(test)]
mod tests;
mod theta;
mod train;

pub use errors::{ErrorTable, HORIZONS, LEVELS};
pub use method::Method;
pub use model::forecast;
pub use naive2::naive2;
pub use peaks::cut_peaks;
pub use profile::{CategorySums, Profile};
pub use spread::{Forecast, Spread};
pub use train::{Options, Trained, train};
