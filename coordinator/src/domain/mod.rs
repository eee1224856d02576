//! The domains: what a question of each may say, what shards are asked for it, and how their answers
//! become one.
//!
//! Each takes of the engine in [`ask`](crate::ask) and of the other rooms what it needs, and is
//! reached by others through its own root. A recommendation may belong to an experiment, and a price
//! to a forecast; nothing goes the other way.

pub(crate) mod catalog;
pub(crate) mod demand;
pub(crate) mod experiment;
pub(crate) mod inventory;
pub(crate) mod price;
pub(crate) mod recommend;
