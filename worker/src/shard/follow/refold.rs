//! Folds a shard again from the beginning of the log, beside the state that it serves, without what
//! was retracted.
//!
//! The shard answers from its old state meanwhile and applies nothing more; then the new state takes
//! its place. One shard of a worker is folded at a time, so that no more than one state is held twice.
//!
//! A shard that recovers folds once, however much was retracted: from the first retraction on it only
//! notes what the others say, and where it is to stand it is folded from the beginning. Nobody asks
//! its old state meanwhile, which is dropped first.

use std::{fmt, sync::Arc};

use mercer_common::{
    log::{Epoch, Mark, Sequence},
    slot::{ShardId, ShardLayout},
};
use mercer_proto::internal::{FetchedSection, Retract};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::LaneContext;
use crate::{
    backoff::Backoff,
    shard::{
        ApplyError, Shard, ShardState,
        apply::{Prepared, apply},
    },
};

/// What is read of one shard's log at once.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) sections: Vec<FetchedSection>,
    /// Everything of the shard up to here was read.
    pub(crate) next: Mark,
}

/// Why a stretch of the log was not read; asking again may help.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Unread(pub(crate) String);

/// Reads the log of one shard.
#[async_trait::async_trait]
pub(crate) trait ReadsLog: fmt::Debug + Send + Sync {
    /// What follows `after`, some of it at least unless nothing does.
    async fn read(&self, shard: ShardId, after: Mark) -> Result<Stretch, Unread>;
}

/// Why a shard cannot be folded again.
#[derive(Debug, Error)]
pub(in crate::shard) enum RefoldError {
    #[error("position {position}: {cause}")]
    Apply { position: Sequence, cause: ApplyError },
    #[error("folding without what was retracted: {0}")]
    Lost(String),
    /// The worker stops.
    #[error("stopped")]
    Stopped,
}

/// The state of `shard` at `through`, without what it knows to be taken out, and what `retract` takes
/// out that stands there.
pub(in crate::shard) async fn refold(
    shard: &Arc<Shard>,
    retract: Option<&Retract>,
    through: Sequence,
    context: &LaneContext,
    stop: &CancellationToken,
) -> Result<ShardState, RefoldError> {
    let turn = match shard.owes_fold() {
        true => None,
        false => Some(context.folding.acquire().await.expect("the semaphore is never closed")),
    };
    let mut state = {
        let present = shard.read();
        let mut retractions = present.retractions.clone();
        if let Some(retract) = retract {
            let noted = retractions.note(through, retract);
            noted.map_err(|cause| RefoldError::Apply { position: through, cause })?;
        }
        let zone = present.directory.cluster_zone().clone();
        let mut state = ShardState::new(shard.layout(), shard.id(), zone);
        state.retractions = retractions.for_fold();
        state
    };
    if shard.owes_fold() {
        let zone = state.directory.cluster_zone().clone();
        let mut nothing = ShardState::new(shard.layout(), shard.id(), zone);
        nothing.retractions = state.retractions.clone();
        nothing.retractions.end_fold();
        *shard.write() = nothing;
    }
    let mut after = Mark { epoch: Epoch::NONE, position: 0 };
    let mut backoff = Backoff::default();
    while state.applied < through {
        let read = tokio::select! {
            () = stop.cancelled() => return Err(RefoldError::Stopped),
            read = context.log.read(shard.id(), after) => read,
        };
        let stretch = match read {
            Ok(stretch) => stretch,
            Err(error) => {
                tracing::warn!(shard = shard.id(), %error, "the log is not read from its beginning");
                tokio::time::sleep(backoff.next()).await;
                continue;
            }
        };
        backoff.reset();
        after = stretch.next;
        let (layout, id) = (shard.layout(), shard.id());
        let fold = context.compute.train(move |_| fold(layout, id, state, stretch, through));
        state = fold.await.map_err(|error| RefoldError::Lost(error.to_string()))??;
    }
    drop(turn);
    state.retractions.end_fold();
    Ok(state)
}

/// Applies a stretch, as far as `through`.
fn fold(
    layout: ShardLayout,
    shard: ShardId,
    mut state: ShardState,
    stretch: Stretch,
    through: Sequence,
) -> Result<ShardState, RefoldError> {
    let Mark { epoch, position } = stretch.next;
    state.enter(Mark { epoch, position: position.min(through) });
    for fetched in stretch.sections {
        let position = fetched.sequence;
        if position > through {
            break;
        }
        let failed = |cause| RefoldError::Apply { position, cause };
        let prepared = Prepared::decode(layout, shard, &fetched.section).map_err(failed)?;
        apply(&mut state, position, prepared).map_err(failed)?;
    }
    state.advance(position.min(through));
    Ok(state)
}
