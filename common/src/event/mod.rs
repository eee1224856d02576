//! Shop events: checked, and split into what the user's shard and the item's shard record.

mod key;
mod record;
mod validate;

pub use key::{IdHasher, IdKey, Side};
pub use record::{
    RecordContext, SplitEvents, attribution_hash, encode_section, event_hash, interaction_hash,
    item_event_hash, micros_of_units,
};
pub use validate::EventChecker;

/// The highest meaning of records that this release knows: ingest writes it once every worker knows
/// it, and workers stop at a higher one. See `UseApplyVersion` of `record.proto`.
///
/// 1 remembers the hashes of ids, for a time by the wall clock; 2 remembers keys of ids and their
/// content, for a time by the log's own clock; 3 bounds what has no owner to grow with: producers,
/// locations, suppliers, price rules of categories, baskets of an item, and its locations; 4 knows
/// changes that keep what they do not say, the deletion of stock and supply, and what was retracted; 5
/// knows what users paid.
pub const APPLY_VERSION: u32 = 5;
/// The version since which the user's side of a purchase or return says what was paid.
pub const LEDGERS_SINCE: u32 = 5;
