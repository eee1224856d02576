//! Pages of listings, and their tokens: where a listing goes on. They stay valid while shards
//! move.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mercer_common::{
    limits,
    rpc::status::InvalidRequest,
    slot::{ShardId, ShardLayout},
};
use prost::Message;

/// A page holds less than asked when more would not fit a message with room to spare.
pub(crate) const PAGE_BYTES: usize = limits::PAGE_BYTES;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    Items,
    Users,
    Locations,
    Suppliers,
    Policies,
    PriceRules,
    RecommendRules,
}

/// The place of a listing; opaque to callers.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Place {
    #[prost(uint32, tag = "1")]
    pub(crate) shard: u32,
    /// Start after this id; empty means from the start of the shard.
    #[prost(string, tag = "2")]
    pub(crate) after_id: String,
    /// 1 items, 2 users, 3 locations, 4 suppliers, 5 policies, 6 price rules, 7 rules for
    /// recommendations: a token is of use to the RPC that issued it only.
    #[prost(uint32, tag = "3")]
    listing: u32,
    /// The filter, which must not change between pages.
    #[prost(int32, tag = "4")]
    status: i32,
    /// The version that is listed; empty for live state.
    #[prost(string, tag = "5")]
    pub(crate) version: String,
    /// Entries of the item after `after_id` that earlier pages have shown.
    #[prost(uint32, tag = "6")]
    pub(crate) shown: u32,
    /// Price rules: start after the one for this category, or after the one for everything.
    #[prost(string, repeated, tag = "7")]
    pub(crate) after_levels: Vec<String>,
    /// Price rules: whether `after_levels` say where to start.
    #[prost(bool, tag = "8")]
    pub(crate) has_begun: bool,
}

impl Place {
    /// The start of `shard`.
    pub(crate) fn new(listing: Listing, status: i32, shard: ShardId, after_id: String) -> Self {
        let listing = listing as u32 + 1;
        Self { shard: u32::from(shard), after_id, listing, status, ..Self::default() }
    }

    /// The opaque form.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.encode_to_vec())
    }

    /// The place that a request names; an empty token is the first one.
    pub(crate) fn decode_token(
        token: &str,
        listing: Listing,
        status: i32,
        layout: ShardLayout,
    ) -> Result<Self, InvalidRequest> {
        if token.is_empty() {
            return Ok(Self::new(listing, status, 0, String::new()));
        }
        let malformed = |problem| Err(InvalidRequest::field("page_token", problem));
        let longest = 2 * (limits::CATEGORY_LEVELS + 1) * limits::LABEL_BYTES;
        let place = (token.len() <= longest)
            .then(|| URL_SAFE_NO_PAD.decode(token).ok())
            .flatten()
            .and_then(|bytes| Self::decode(bytes.as_slice()).ok());
        match place {
            Some(place) if place.listing != listing as u32 + 1 || place.status != status => {
                malformed("belongs to a listing with other arguments")
            }
            Some(place) if place.shard < u32::from(layout.shards()) => Ok(place),
            _ => malformed("is malformed; pass next_page_token exactly as it was returned"),
        }
    }
}

/// A page being filled, shard by shard.
pub(crate) struct Page<E> {
    size: usize,
    shards: ShardId,
    /// Where to go on; the number of shards when everything was listed.
    shard: ShardId,
    after_id: String,
    pub(crate) entries: Vec<E>,
    bytes: usize,
}

impl<E: Message> Page<E> {
    pub(crate) fn new(size: u32, place: Place, shards: ShardId) -> Self {
        Self {
            size: size as usize,
            shards,
            shard: ShardId::try_from(place.shard).unwrap_or(shards),
            after_id: place.after_id,
            entries: Vec::new(),
            bytes: 0,
        }
    }

    /// The next shard to ask, where to start in it, and for how many entries.
    pub(crate) fn next(&self) -> Option<(ShardId, String, u32)> {
        let room = self.size.saturating_sub(self.entries.len());
        (room > 0 && self.bytes < PAGE_BYTES && self.shard < self.shards)
            .then(|| (self.shard, self.after_id.clone(), u32::try_from(room).unwrap_or(u32::MAX)))
    }

    pub(crate) fn add(&mut self, entries: Vec<E>, more: bool, id: impl Fn(&E) -> &str) {
        let mut more = more && !entries.is_empty();
        for entry in entries {
            let full = self.bytes > 0 && self.bytes + entry.encoded_len() > PAGE_BYTES;
            if full || self.entries.len() == self.size {
                self.bytes = PAGE_BYTES;
                more = true;
                break;
            }
            self.bytes += entry.encoded_len();
            id(&entry).clone_into(&mut self.after_id);
            self.entries.push(entry);
        }
        if !more {
            self.shard += 1;
            self.after_id.clear();
        }
    }

    pub(crate) fn next_page_token(&mut self, listing: Listing, status: i32) -> String {
        if self.shard >= self.shards {
            return String::new();
        }
        Place::new(listing, status, self.shard, std::mem::take(&mut self.after_id)).encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_is_bound_to_its_listing() {
        let layout = ShardLayout::new(8);
        let place = Place::new(Listing::Items, 2, 7, "i\u{e9}".repeat(80));
        let token = place.encode();
        let decode = |token: &str, listing, status, shards| {
            Place::decode_token(token, listing, status, ShardLayout::new(shards))
                .map_err(|error| error.violations[0].field.clone())
        };
        assert_eq!(decode(&token, Listing::Items, 2, 8), Ok(place));
        let refused = Err("page_token".to_owned());
        assert_eq!(decode(&token, Listing::Users, 2, 8), refused);
        assert_eq!(decode(&token, Listing::Items, 1, 8), refused);
        assert_eq!(decode(&token, Listing::Items, 2, 7), refused);
        for bad in ["?", "AAAA", &token[1..], &"A".repeat(10_000)] {
            assert_eq!(decode(bad, Listing::Items, 2, 8), refused, "{bad}");
        }
        // Callers may keep one across an upgrade.
        let place = Place::new(Listing::Items, 2, 7, "a".into());
        assert_eq!(place.encode(), "CAcSAWEYASAC");
        assert_eq!(decode("CAcSAWEYASAC", Listing::Items, 2, 8), Ok(place));
        let first = Place::decode_token("", Listing::Users, 0, layout).expect("the first page");
        assert_eq!((first.shard, first.after_id.as_str()), (0, ""));
    }
}
