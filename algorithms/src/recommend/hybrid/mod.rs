//! Several sources in one score, with weights learned on held-out events.
//!
//! A source is one algorithm. Its raw scores are divided by a scale that only depends on the user's
//! query and on what training published, so that every shard divides alike and no shard needs to see
//! another's scores. The scaled scores are transformed, weighted and added to weighted properties of
//! the item.

mod algorithm;
mod cases;
pub(crate) mod data;
mod features;
mod holdout;
mod learn;
pub(crate) mod lists;
mod mix;
mod options;
mod ranker;
mod recency;
mod sample;
mod scale;
mod search;
pub(crate) mod source;
#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, ModelSpec};
pub use features::{Feature, ItemFacts};
pub use holdout::{HeldOut, Holdout, hold_out};
pub use learn::{Learned, Method, learn};
pub use mix::{Mix, MixFeature, MixSource, Transform};
pub use options::LearnOptions;
pub use scale::{profile_scale, score_scale, vector_scale};
