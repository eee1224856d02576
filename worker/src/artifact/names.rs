//! Names of what is trained for every item.

/// The kind of forecasts.
pub(crate) const DEMAND: &str = "demand";
/// See [`DEMAND`].
pub(crate) const ELASTICITY: &str = "elasticity";
/// See [`DEMAND`].
pub(crate) const INVENTORY: &str = "inventory";
/// All of them.
pub(crate) const KINDS: [&str; 3] = [DEMAND, ELASTICITY, INVENTORY];
