//! Several sources in one score, with weights learned on held-out events.
//!
//! A source is one algorithm. Its raw scores are divided by a scale that only depends on the user's
//! query and on what training published, so that every shard divides alike and no shard needs to see
//! another's scores. The scaled scores are transformed, weighted and added to weighted properties of
//! the item.

mod features;
mod mix;
mod scale;
#[cfg(test)]
mod tests;

pub use features::{Feature, ItemFacts};
pub use mix::{Mix, MixFeature, MixSource, Transform};
pub use scale::{profile_scale, score_scale, vector_scale};
