//! Forecasts, prices and order policies as they are shown: one shape for single answers, batches
//! and the demo.
//!
//! The serialized forms are the command line's contract: fields may be added, never renamed.

pub(crate) mod chart;
mod elasticity;
mod forecast;
mod orders;
mod policy;
mod price;
mod reason;
mod screen;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use elasticity::{Elasticity, ElasticityAnswer};
pub(crate) use forecast::ForecastAnswer;
pub(crate) use orders::CsvFile;
pub(crate) use policy::{PolicyAnswer, Terms};
pub(crate) use price::{PriceAnswer, Rule};
pub(crate) use reason::Reason;

/// An answer that stands alone as well as in a table.
pub(crate) trait Answer: Serialize {
    /// Headers of [`row`](Self::row); the last column takes the message of what failed.
    const HEADERS: &'static [&'static str];

    /// Headers that a narrow screen can do without, the first to go first.
    const DROPPING: &'static [&'static str];

    /// Text for people, at length.
    fn text(&self) -> String;

    /// Cells for people, in one line.
    fn row(&self) -> Vec<String>;
}
