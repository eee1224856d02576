//! Linear item-item models: what an item's users say of another item, given all their other items.
//!
//! Weights may be negative. They are kept by magnitude and listed by weight.

mod ease;
mod local;
mod problem;
mod slim;
mod sparse_ease;
#[cfg(test)]
mod tests;

pub use ease::ease;
pub use slim::{SlimSpec, slim};
pub use sparse_ease::{SparseEaseSpec, sparse_ease};
