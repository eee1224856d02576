//! What makes a call that starts a job take effect once.

use mercer_common::event::{IdHasher, IdKey, Side, event_hash};
use mercer_proto::v1::StartJobRequest;

/// Keys under which a request is remembered.
#[derive(Clone, Debug)]
pub(super) struct RequestKey {
    /// Key of its id and content.
    pub(super) key: String,
    /// Key of its id alone, as earlier releases had it: an entry of theirs matches any content.
    pub(super) by_id: String,
}

impl RequestKey {
    /// `request` is the one without its id.
    pub(super) fn new(hasher: &IdHasher, request_id: &str, request: &StartJobRequest) -> Self {
        let IdKey { id, content } =
            hasher.key_of(request_id, hasher.content_of(request), Side::Request);
        let by_id = event_hash(request_id).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key: format!("key-{id:016x}{content:016x}"), by_id }
    }
}
