//! Whether there is room for what is about to be appended to every shard.

use std::time::Instant;

use mercer_common::{
    limits::{self, Bound},
    rpc::status::InvalidRequest,
};
use mercer_proto::internal::{BoundedKind, CheckRoomRequest, CheckRoomResponse, KindSize};

use super::{ServeError, Serving};
use crate::shard::{Full, ShardState, apply::directory_change};

impl Serving {
    /// Whether a shard would take these changes.
    ///
    /// # Errors
    /// `Invalid` when a change is none of the directory.
    pub(crate) async fn check_room(
        &self,
        request: CheckRoomRequest,
        deadline: Instant,
    ) -> Result<CheckRoomResponse, ServeError> {
        let shard = self.shard_at(request.shard, deadline).await?;
        Ok(self.compute.serve(move || check(&shard.read(), request)).await??)
    }
}

fn check(
    state: &ShardState,
    request: CheckRoomRequest,
) -> Result<CheckRoomResponse, InvalidRequest> {
    let mut changes = Vec::with_capacity(request.mutations.len());
    for (index, mutation) in request.mutations.into_iter().enumerate() {
        match directory_change(mutation) {
            Ok(change) => changes.push(change),
            Err(error) => {
                let field = format!("mutations[{index}]");
                return Err(InvalidRequest::field(field, error.to_string()));
            }
        }
    }
    let (finished, is_finished) = match request.finishing_producer_id.as_slice() {
        [] => (state.finished_producers(), true),
        id => {
            let id = id
                .try_into()
                .map_err(|_| InvalidRequest::field("finishing_producer_id", "has not 16 bytes"))?;
            (state.finished_producers(), state.is_finished(&id))
        }
    };
    let full = match state.directory().check(changes) {
        Err(Full(bound)) => kind(&bound),
        Ok(()) if !is_finished && finished >= limits::FINISHED_PRODUCERS.records => {
            BoundedKind::FinishedProducers
        }
        Ok(()) => BoundedKind::Unspecified,
    };
    let of_directory = state.directory().sizes().into_iter().map(|(bound, (records, bytes))| {
        KindSize { kind: kind(&bound).into(), records: records as u64, bytes: bytes as u64 }
    });
    let of_producers = KindSize {
        kind: BoundedKind::FinishedProducers.into(),
        records: finished as u64,
        bytes: 0,
    };
    let sizes = of_directory.chain([of_producers]).collect();
    Ok(CheckRoomResponse { full: full.into(), sizes })
}

fn kind(bound: &Bound) -> BoundedKind {
    let kinds = [
        (limits::LOCATIONS, BoundedKind::Locations),
        (limits::SUPPLIERS, BoundedKind::Suppliers),
        (limits::PRICE_RULES, BoundedKind::PriceRules),
        (limits::RECOMMEND_RULES, BoundedKind::RecommendRules),
    ];
    let found = kinds.into_iter().find(|(of, _)| of == bound);
    found.map_or(BoundedKind::Unspecified, |(_, kind)| kind)
}
