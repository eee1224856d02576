//! Shop events: checked, and split into what the user's shard and the item's shard record.

mod record;
mod validate;

pub use record::{
    RecordContext, SplitEvents, attribution_hash, encode_section, event_hash, interaction_hash,
    item_event_hash,
};
pub use validate::EventChecker;
