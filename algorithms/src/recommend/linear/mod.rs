//! Linear item-item models: what an item's users say of another item, given all their other items.
//!
//! Weights may be negative. They are kept by magnitude and listed by weight.

mod ease;
mod symmetric;
#[cfg(test)]
mod tests;

pub use ease::ease;
