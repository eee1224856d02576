//! What to charge: elasticities from weekly sales, and the best price under rules.
//!
//! From an item's days of sale ([`weekly`]) comes an elasticity with a robust standard error
//! ([`estimate`], by [`regression`](crate::learn::regression)), which is drawn towards that of the item's category
//! ([`pool`]). A demand curve ([`demand`]) with that elasticity has an optimum, which rules
//! ([`rules`]) confine; [`interval`] says how sure the outcome is.

pub mod demand;
pub mod estimate;
pub mod interval;
pub mod pool;
pub mod rules;
pub mod weekly;
