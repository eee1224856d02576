//! Types of events that mean more than their weights, by the numbers of the API.

/// Number of `EVENT_TYPE_PURCHASE`; its value is a quantity.
pub const PURCHASE: u8 = 5;
/// Number of `EVENT_TYPE_RETURN`; its value is a quantity.
pub const RETURN: u8 = 6;
/// Number of `EVENT_TYPE_RATING`; its value is the rating.
pub const RATING: u8 = 7;
