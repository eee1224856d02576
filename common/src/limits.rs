//! Every bound on what a caller may send, in one place.

pub use mercer_proto::codec::DECODED_BYTES;

/// How much is kept of one kind of record that has no owner to grow with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What they are, for people.
    pub of: &'static str,
    /// Highest number of records.
    pub records: usize,
    /// Their encoded bytes in sum.
    pub bytes: usize,
}

/// Bytes of an id of any kind.
pub const ID_BYTES: usize = 256;
/// Events, items, users or stock records in one call.
pub const BATCH_RECORDS: usize = 10_000;
/// Bytes of one decoded request.
pub const MESSAGE_BYTES: usize = 4 << 20;
/// Bytes of a message between Mercer's own processes.
pub const INTERNAL_MESSAGE_BYTES: usize = 64 << 20;
/// Batches that a producer may have unacknowledged.
pub const BATCHES_IN_FLIGHT: u64 = 64;
/// Results of one query.
pub const RESULTS: u32 = 1_000;
/// Results of one query that names no number.
pub const DEFAULT_RESULTS: u32 = 10;
/// Entries of one page.
pub const PAGE: u32 = 1_000;
/// Bytes of one page, unless its only entry is larger: it fits a message with room to spare.
pub const PAGE_BYTES: usize = MESSAGE_BYTES / 4 * 3;
/// Entries of one page when the request names no size.
pub const DEFAULT_PAGE: u32 = 100;
/// Items of a session in a query.
pub const SESSION_ITEMS: usize = 100;
/// Items that a user may deny.
pub const DENIED_ITEMS: usize = 1_000;
/// Nesting of a filter.
pub const FILTER_DEPTH: usize = 8;
/// Conditions of a filter.
pub const FILTER_TERMS: usize = 64;
/// Item ids of one filter condition.
pub const FILTER_ITEMS: usize = 1_000;
/// Tokens of one request.
pub const TOKENS: usize = 64;
/// Epochs of the log that one token names. Answers name one; more come from merging tokens, one each
/// time the log was opened meanwhile.
pub const TOKEN_EPOCHS: usize = 16;
/// Levels of a category path.
pub const CATEGORY_LEVELS: usize = 8;
/// Attributes of an item or user.
pub const ATTRIBUTES: usize = 64;
/// Bytes of an attribute name or value, a category level, a brand or a title.
pub const LABEL_BYTES: usize = 256;
/// Numbers of an item's embedding.
pub const EMBEDDING: usize = 1_024;
/// Rules for recommendations, which stand in every shard.
pub const RECOMMEND_RULES: Bound =
    Bound { of: "rules for recommendations", records: 1_000, bytes: 2 << 20 };
/// Price rules of categories and of everything, which stand in every shard.
pub const PRICE_RULES: Bound =
    Bound { of: "price rules of categories", records: 10_000, bytes: 8 << 20 };
/// Catalogued locations, which stand in every shard.
pub const LOCATIONS: Bound = Bound { of: "locations", records: 10_000, bytes: 4 << 20 };
/// Suppliers, which stand in every shard.
pub const SUPPLIERS: Bound = Bound { of: "suppliers", records: 10_000, bytes: 4 << 20 };
/// Results that are reordered, at most.
pub const RERANKED: u32 = 400;
/// Experiments of one cluster.
pub const EXPERIMENTS: usize = 100;
/// Arms of an experiment.
pub const ARMS: usize = 16;
/// Exposures of a user that can still be acted on.
pub const PENDING_EXPOSURES: usize = 32;
/// Neighbours kept of an item or a user.
pub const NEIGHBOURS: u32 = 1_000;
/// Bytes of a filter expression.
pub const FILTER_BYTES: usize = 8 << 10;
/// Bytes of a description.
pub const DESCRIPTION_BYTES: usize = 16 << 10;
/// Events in a user's window.
pub const WINDOW_EVENTS: usize = 2_000;
/// Items in a user's seen set.
pub const SEEN_ITEMS: usize = 100_000;
/// Event ids that a shard remembers.
pub const EVENT_IDS: usize = 1_000_000;
/// Producers that a shard remembers for some days after their last batch.
pub const PRODUCERS: usize = 100_000;
/// Finished producers, which every shard remembers for ever.
pub const FINISHED_PRODUCERS: Bound =
    Bound { of: "finished producers", records: 100_000, bytes: usize::MAX };
/// Least quantity of an event, and least change of stock: what is less would count as nothing.
pub const LEAST_QUANTITY: f64 = 1e-6;
/// Largest quantity of an event. Sums of quantities end at 9.2e12.
pub const EVENT_QUANTITY: f64 = 1e9;
/// Largest amount of money of an event, in millionths. Sums of money end at 9.2e12.
pub const EVENT_MONEY_MICROS: i64 = 1_000_000_000_000_000_000;
/// Largest amount of stock, and of its change.
pub const QUANTITY: f64 = 1e12;
/// Largest absolute value of a rating.
pub const RATING: f64 = 1_000.0;
/// Largest number of shards.
pub const SHARDS: u16 = 64;
/// Days of a forecast, a season or a count of money.
pub const HORIZON_DAYS: u32 = 365;
/// Days where a question names no number.
pub const DEFAULT_HORIZON_DAYS: u32 = 28;
/// Quantile levels of a forecast that names none.
pub const DEFAULT_QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];
/// Points of a price curve that names no number.
pub const DEFAULT_CURVE_POINTS: u32 = 21;
/// Quantile levels of a forecast.
pub const QUANTILES: usize = 19;
/// Entries of a plan of prices and promotions.
pub const PLAN_ENTRIES: usize = 64;
/// Points of a price curve.
pub const CURVE_POINTS: u32 = 101;
/// Questions of one batch.
pub const BATCH_QUESTIONS: usize = 10_000;
/// Locations, suppliers or price rules in one call.
pub const DIRECTORY_RECORDS: usize = 1_000;
/// Rows of a user's ledger; of what lies below them there are sums.
pub const LEDGER_ROWS: usize = 512;
/// Days of purchase that a ledger tells apart, up to the last of them.
pub const PURCHASE_DAYS: u16 = 4_096;
/// Days of an item's series: four years.
pub const SERIES_DAYS: u32 = 1_461;
/// Stock-outs remembered of an item at a location.
pub const STOCK_OUTS: usize = 512;
/// Locations of an item with stock, with supply terms of their own, and with daily sales: so many
/// of each.
pub const ITEM_LOCATIONS: usize = 1_000;
/// Baskets of an item that are told apart; beyond them its popularity is an estimate.
pub const BASKETS: usize = 1 << 16;
/// Fields of a record that one change clears.
pub const CLEARED_FIELDS: usize = 100;
/// Competitors of an item.
pub const COMPETITORS: usize = 64;
/// Price endings of a rule.
pub const PRICE_ENDINGS: usize = 16;
/// Longest lead time.
pub const LEAD_TIME_DAYS: u32 = 3_650;
