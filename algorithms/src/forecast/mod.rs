//! Demand of the days ahead.
//!
//! A series is a slice of daily units in which a value that is not finite was not observed: the
//! item was out of stock or the shop closed. Such days are left out, not taken for days without
//! demand.

mod counts;
mod errors;
mod method;
mod normal;
mod spread;

pub use counts::negative_binomial_quantile;
pub use errors::{ErrorTable, HORIZONS, LEVELS};
pub use method::Method;
pub use spread::{Forecast, Spread};
